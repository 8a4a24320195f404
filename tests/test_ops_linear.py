"""Matrix products: mult-adds of plain loops, shapes of numpy."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from one_node import executed_shapes, zeros

from costmodel.errors import ShapeError
from costmodel.graph import Counting, TensorSpec
from costmodel.ops import Applied, apply

Ints = tuple[int, ...]


def spec(*shape: int, name: str = "x", constant: bool = False) -> TensorSpec:
    return TensorSpec(shape, "float32", name, roots=(name,) if constant else ())


def run(op_type: str, *inputs: TensorSpec | None, **attributes: Any) -> Applied:
    return apply(op_type, "", inputs, attributes, ["y"])


def shape(result: Applied) -> Any:
    return result.outputs[0].shape


def whole_numbers(*shape: int) -> Any:
    return np.random.default_rng(3).integers(-3, 4, shape)


def multiplied(a: Any, b: Any) -> tuple[Any, int]:
    """a @ b of operands with two dims or more, one multiply-accumulate at a time, and how many there were."""
    batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    a, b = np.broadcast_to(a, (*batch, *a.shape[-2:])), np.broadcast_to(b, (*batch, *b.shape[-2:]))
    y = np.zeros((*batch, a.shape[-2], b.shape[-1]), int)
    count = 0
    for *at, i, j in np.ndindex(*y.shape):
        for k in range(a.shape[-1]):
            y[*at, i, j] += a[*at, i, k] * b[*at, k, j]
            count += 1
    return y, count


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ((5, 7), (7, 3)),
        ((2, 5, 7), (7, 3)),
        ((5, 7), (2, 7, 3)),
        ((4, 1, 5, 2), (3, 2, 6)),
        ((1, 5, 7), (3, 7, 1)),
        ((7,), (7, 3)),
        ((2, 5, 7), (7,)),
        ((7,), (2, 7, 3)),
        ((7,), (7,)),
    ],
)
def test_matmul_counts_one_mult_add_for_each_step_of_a_loop(a: Ints, b: Ints) -> None:
    x, w = whole_numbers(*a), whole_numbers(*b)
    y, count = multiplied(np.atleast_2d(x), w if w.ndim > 1 else w[:, None])
    np.testing.assert_array_equal(y.reshape((x @ w).shape), x @ w)
    result = run("MatMul", spec(*a), spec(*b, name="w"))
    assert shape(result) == (x @ w).shape
    assert result.cost.mult_adds == count
    assert result.cost.element_ops == 0


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.data())
def test_matmul_broadcasts_like_numpy_and_refuses_what_numpy_refuses(data: Any) -> None:
    dims = st.lists(st.sampled_from([1, 1, 2, 3]), max_size=4)
    a, b = tuple(data.draw(dims)), tuple(data.draw(dims))
    try:
        expected = np.matmul(np.zeros(a), np.zeros(b)).shape
    except ValueError:
        with pytest.raises(ShapeError):
            run("MatMul", spec(*a), spec(*b, name="w"))
    else:
        assert shape(run("MatMul", spec(*a), spec(*b, name="w"))) == expected


def test_both_operands_may_flow_or_be_constants() -> None:
    flowing = run("MatMul", spec(5, 7), spec(7, 3, name="w"))
    stored = run("MatMul", spec(5, 7), spec(7, 3, name="w", constant=True))
    fixed = run("MatMul", spec(5, 7, constant=True), spec(7, 3, name="w", constant=True))
    assert flowing.cost.mult_adds == stored.cost.mult_adds == fixed.cost.mult_adds == 105
    assert flowing.cost.memory_access == stored.cost.memory_access == fixed.cost.memory_access == 35 + 21 + 15
    assert [tensor.name for tensor, _ in stored.params] == ["w"]
    assert [tensor.name for tensor, _ in fixed.params] == ["x", "w"]
    assert fixed.outputs[0].roots == ()


def test_a_matrix_times_itself_is_read_once() -> None:
    x = spec(5, 5)
    assert run("MatMul", x, x).cost.memory_access == 50


@pytest.mark.parametrize("transposes", list(product((0, 1), repeat=2)))
def test_gemm_counts_m_n_k_whatever_is_transposed(transposes: tuple[int, int]) -> None:
    a, b = whole_numbers(5, 7), whole_numbers(7, 3)
    _, count = multiplied(a, b)
    left, right = (7, 5) if transposes[0] else (5, 7), (3, 7) if transposes[1] else (7, 3)
    attributes = dict(zip(("transA", "transB"), transposes, strict=True))
    result = run("Gemm", spec(*left), spec(*right, name="w"), **attributes)
    assert [shape(result)] == executed_shapes("Gemm", zeros(*left), zeros(*right), **attributes) == [(5, 3)]
    assert result.cost.mult_adds == count == 105


@pytest.mark.parametrize(
    ("attributes", "passes"),
    [
        ({}, 1),
        ({"alpha": 1.0, "beta": 1.0}, 1),
        ({"alpha": 0.5}, 2),
        ({"beta": 2.0}, 2),
        ({"alpha": 0.5, "beta": 2.0}, 3),
    ],
)
def test_gemm_adds_and_scales_element_by_element(attributes: dict[str, float], passes: int) -> None:
    result = run("Gemm", spec(5, 7), spec(7, 3, name="w"), spec(3, name="c"), **attributes)
    assert result.cost.mult_adds == 105
    assert result.cost.element_ops == passes * 15


@pytest.mark.parametrize("addend", [(), (1,), (3,), (1, 3), (5, 1), (5, 3), (1, 1)])
def test_c_of_gemm_is_stretched_to_the_product(addend: Ints) -> None:
    result = run("Gemm", spec(5, 7), spec(7, 3, name="w"), spec(*addend, name="c", constant=True))
    assert [shape(result)] == executed_shapes("Gemm", zeros(5, 7), zeros(7, 3), zeros(*addend))
    assert result.cost.weight_elements == int(np.prod(addend))
    assert [tensor.name for tensor, _ in result.params] == ["c"]


@pytest.mark.parametrize(
    ("a", "b", "c", "message"),
    [
        ((5, 7), (3, 7), None, "inner dims"),
        ((2, 5, 7), (7, 3), None, "2 dims are needed"),
        ((5, 7), (7, 3), (5,), "C and the product"),
        ((1, 7), (7, 3), (5, 3), "C and the product"),
        ((5, 7), (7, 3), (2, 5, 3), "at most 2 dims"),
    ],
)
def test_gemm_refuses_what_does_not_fit(a: Ints, b: Ints, c: Ints | None, message: str) -> None:
    with pytest.raises(ShapeError, match=message):
        run("Gemm", spec(*a), spec(*b, name="w"), None if c is None else spec(*c, name="c"))


def contracted(labels: str, operands: list[Any]) -> tuple[Any, int]:
    """An Einsum with every dim and the output spelled out, one step after the other: values, steps."""
    left, right = labels.split("->")
    terms = left.split(",")
    size: dict[str, int] = {}
    for term, operand in zip(terms, operands, strict=True):
        for label, dim in zip(term, operand.shape, strict=True):
            size[label] = max(size.get(label, 1), dim)
    y = np.zeros([size[label] for label in right], int)
    count = 0
    for values in np.ndindex(*size.values()):
        at = dict(zip(size, values, strict=True))
        factors = []
        for term, operand in zip(terms, operands, strict=True):
            place = [at[label] if dim > 1 else 0 for label, dim in zip(term, operand.shape, strict=True)]
            factors.append(operand[tuple(place)])
        y[tuple(at[label] for label in right)] += np.prod(factors)
        count += 1
    return y, count


# equation, the same with an ellipsis and the output spelled out, shapes
CONTRACTIONS = [
    ("ij,jk->ik", "ij,jk->ik", [(2, 3), (3, 4)]),
    ("ij,jk", "ij,jk->ik", [(2, 3), (3, 4)]),
    ("ba,ca", "ba,ca->bc", [(2, 3), (4, 3)]),
    (" b i k , b k j -> b i j ", "bik,bkj->bij", [(2, 3, 4), (2, 4, 5)]),
    ("bhqd,bhkd->bhqk", "bhqd,bhkd->bhqk", [(2, 3, 4, 5), (2, 3, 6, 5)]),
    ("nchw,mc->nmhw", "nchw,mc->nmhw", [(2, 3, 2, 5), (4, 3)]),
    ("...ij,...jk->...ik", "abij,abjk->abik", [(2, 3, 4, 5), (2, 3, 5, 2)]),
    ("...ij,...jk->...ik", "abij,abjk->abik", [(2, 1, 4, 5), (1, 3, 5, 2)]),
    ("...ij,jk->...ik", "abij,jk->abik", [(2, 3, 4, 5), (5, 2)]),
    ("...ij,jk->ik...", "abij,jk->ikab", [(2, 3, 4, 5), (5, 2)]),
    ("i...,i...->...", "iab,iab->ab", [(4, 2, 3), (4, 2, 3)]),
    ("...i,...i", "abi,bi->ab", [(2, 3, 4), (3, 4)]),
    ("ii,ij->j", "ii,ij->j", [(3, 3), (3, 4)]),
    ("i,i", "i,i->", [(7,), (7,)]),
    (",ij->i", ",ij->i", [(), (3, 4)]),
    ("Ab,bC", "Ab,bC->AC", [(2, 3), (3, 4)]),
    ("bA,Cb", "bA,Cb->AC", [(3, 2), (4, 3)]),
    ("ij,jk,kl->il", "ij,jk,kl->il", [(2, 3), (3, 4), (4, 2)]),
    ("bn,anm,bm->ba", "bn,anm,bm->ba", [(2, 3), (4, 3, 5), (2, 5)]),
    ("ij,ij,ij->j", "ij,ij,ij->j", [(2, 3), (1, 3), (2, 1)]),
]
ELEMENTWISE = [
    ("i,j->ij", "i,j->ij", [(3,), (4,)]),
    ("ij,ij->ij", "ij,ij->ij", [(3, 4), (3, 4)]),
    ("ij,...->ij...", "ij,ab->ijab", [(3, 4), (2, 5)]),
    ("i,i,i->i", "i,i,i->i", [(5,), (5,), (5,)]),
    ("i,j,k", "i,j,k->ijk", [(2,), (3,), (4,)]),
]
REARRANGED = [
    ("ij->ji", "ij->ji", [(3, 4)]),
    ("ii->i", "ii->i", [(4, 4)]),
    ("...ii->...i", "abii->abi", [(2, 5, 3, 3)]),
    ("ba", "ba->ab", [(3, 4)]),
    ("...", "ab->ab", [(3, 4)]),
]
REDUCED = [
    ("ij->", "ij->", [(3, 4)]),
    ("ii", "ii->", [(4, 4)]),
    ("iij->j", "iij->j", [(3, 3, 4)]),
    ("...i->...", "abi->ab", [(2, 3, 4)]),
    ("i...->...", "iab->ab", [(2, 3, 4)]),
]


def einsum(equation: str, shapes: list[Ints]) -> Applied:
    return run("Einsum", *(spec(*size, name=f"x{i}") for i, size in enumerate(shapes)), equation=equation)


@pytest.mark.parametrize(("equation", "labels", "shapes"), CONTRACTIONS)
def test_a_contraction_counts_the_multiplications_of_its_loop(equation: str, labels: str, shapes: list[Ints]) -> None:
    steps, result = checked_with_numpy(equation, labels, shapes)
    assert result.cost.mult_adds == steps * (len(shapes) - 1)
    assert result.cost.element_ops == 0


@pytest.mark.parametrize(("equation", "labels", "shapes"), ELEMENTWISE)
def test_products_that_sum_nothing_are_element_operations(equation: str, labels: str, shapes: list[Ints]) -> None:
    steps, result = checked_with_numpy(equation, labels, shapes)
    assert result.cost.element_ops == steps * (len(shapes) - 1)
    assert result.cost.mult_adds == 0


@pytest.mark.parametrize(("equation", "labels", "shapes"), REARRANGED)
def test_a_single_operand_in_another_order_is_a_copy(equation: str, labels: str, shapes: list[Ints]) -> None:
    _, result = checked_with_numpy(equation, labels, shapes)
    assert result.cost.mult_adds == result.cost.element_ops == 0


@pytest.mark.parametrize(("equation", "labels", "shapes"), REDUCED)
def test_a_single_operand_that_is_summed_is_a_reduction(equation: str, labels: str, shapes: list[Ints]) -> None:
    steps, result = checked_with_numpy(equation, labels, shapes)
    assert result.cost.element_ops == steps
    assert result.cost.mult_adds == 0


def checked_with_numpy(equation: str, labels: str, shapes: list[Ints]) -> tuple[int, Applied]:
    """The loop's steps and our result, once the loop has the values and we have the shape of numpy."""
    operands = [whole_numbers(*size) for size in shapes]
    y, steps = contracted(labels, operands)
    np.testing.assert_array_equal(y, np.einsum(equation, *operands))
    result = einsum(equation, shapes)
    assert shape(result) == y.shape
    return steps, result


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.data())
def test_any_equation_has_the_output_shape_of_numpy(data: Any) -> None:
    size = {"a": 2, "b": 3, "C": 4, "d": 1}
    terms = data.draw(st.lists(st.lists(st.sampled_from("abCd"), max_size=3), min_size=1, max_size=3))
    dots = data.draw(st.lists(st.integers(0, 2), min_size=len(terms), max_size=len(terms)))
    used = sorted({label for term in terms for label in term})
    written, shapes = [], []
    for term, hidden in zip(terms, dots, strict=True):
        at = data.draw(st.integers(0, len(term)))
        written.append("".join(term[:at]) + "..." + "".join(term[at:]))
        shapes.append((*(size[t] for t in term[:at]), *(5, 6)[2 - hidden :], *(size[t] for t in term[at:])))
    equation = ",".join(written)
    if data.draw(st.booleans()):
        kept = data.draw(st.lists(st.sampled_from(used), unique=True)) if used else []
        equation += "->..." + "".join(kept)
    assert shape(einsum(equation, shapes)) == np.einsum(equation, *map(np.zeros, shapes)).shape


@pytest.mark.parametrize(
    ("equation", "shapes", "message"),
    [
        ("ij,jk->ik", [(2, 3)], "2 operands; 1 are given"),
        ("ij->ij", [(2, 3, 4)], "does not describe a tensor of 3 dims"),
        ("ijk->ij", [(2, 3)], "does not describe a tensor of 2 dims"),
        ("ij,jk->ik", [(2, 3), (4, 5)], "index 'j'"),
        ("ii->i", [(3, 4)], "index 'i'"),
        ("ij->ik", [(2, 3)], "output index 'k'"),
        ("ij->ii", [(2, 3)], "output index 'i'"),
        ("i1->i", [(2, 3)], "does not describe"),
        ("i...->i", [(2, 3, 4)], "output drops the dims of '...'"),
    ],
)
def test_an_equation_that_does_not_fit_is_refused(equation: str, shapes: list[Ints], message: str) -> None:
    with pytest.raises(ShapeError, match=message):
        einsum(equation, shapes)


def test_a_determinant_is_an_approximation_of_its_elimination() -> None:
    result = run("Det", spec(2, 5, 5))
    assert shape(result) == (2,)
    assert result.cost.mult_adds == 0
    assert result.counting is Counting.APPROXIMATED

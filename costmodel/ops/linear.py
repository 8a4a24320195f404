"""Matrix products: dense layers, batched products, Einsum."""

from __future__ import annotations

from costmodel.dims import Dim, Shape, broadcast, broadcast_shapes, equal, product, same, show_shape
from costmodel.errors import ShapeError
from costmodel.graph import TensorSpec
from costmodel.ops.registry import Result, example, operator
from costmodel.ops.shapes import dims, tensor


def matmul_shape(a: Shape, b: Shape) -> tuple[Shape, Dim]:
    """The shape of numpy's a @ b and the dim that is summed over.

    A 1-D operand is a row on the left and a column on the right, and its dim is dropped again.
    Raises ShapeError for scalars and for inner dims that differ.
    """
    if not a or not b:
        raise ShapeError("a scalar has no matrix product; both operands need at least one dim")
    rows: Shape = a[-2:-1]
    columns: Shape = b[-1:] if len(b) > 1 else ()
    inner = same(a[-1], b[-2] if len(b) > 1 else b[0], "inner dims of a matrix product")
    batch = broadcast_shapes("batch dims of a matrix product", a[:-2], b[:-2])
    return (*batch, *rows, *columns), inner


@operator("MatMul", example=example("B M K", "K N"))
def matmul(a: TensorSpec, b: TensorSpec, /) -> Result:
    """mult_adds = output elements x inner dim."""
    shape, inner = matmul_shape(dims(a), dims(b))
    out = tensor(shape, a.dtype)
    return Result((out,), mult_adds=out.elements * inner)


@operator("Gemm", example=example("M K", "N K", "N", transB=1))
def gemm(
    a: TensorSpec,
    b: TensorSpec,
    c: TensorSpec | None = None,
    /,
    *,
    alpha: float = 1.0,
    beta: float = 1.0,
    transA: int = 0,
    transB: int = 0,
) -> Result:
    """mult_adds = M N K; adding C is one operation an element, a factor alpha or beta other than 1 one more each."""
    left, right = dims(a, rank=2), dims(b, rank=2)
    rows, inner = (left[1], left[0]) if transA else left
    other, columns = (right[1], right[0]) if transB else right
    inner = same(inner, other, "inner dims of Gemm")
    out = tensor((rows, columns), a.dtype)
    passes = int(alpha != 1.0)
    if c is not None:
        _check_addend(dims(c), (rows, columns))
        passes += 1 + (beta != 1.0)
    return Result((out,), mult_adds=out.elements * inner, element_ops=out.elements * passes)


def _check_addend(addend: Shape, shape: Shape) -> None:
    """C is stretched to the product of Gemm, the product never to C."""
    if len(addend) > len(shape):
        raise ShapeError(f"C of Gemm is {show_shape(addend)}; at most 2 dims are needed")
    for dim, wanted in zip(reversed(addend), reversed(shape), strict=False):
        if not equal(dim, 1):
            same(dim, wanted, "C and the product of Gemm")


@operator("Einsum", example=example("B I K", "B K J", equation="bik,bkj->bij"))
def einsum(*tensors: TensorSpec, equation: str) -> Result:
    """mult_adds = product of all index dims x (operands - 1), in one loop nest; element_ops where nothing is
    summed, or where a single operand is."""
    terms, output = _parse_einsum(equation, [len(dims(t)) for t in tensors])
    size: dict[str, Dim] = {}
    for term, spec in zip(terms, tensors, strict=True):
        for label, dim in zip(term, dims(spec), strict=True):
            known = size.get(label, 1)
            size[label] = broadcast(known, dim, f"index {label!r} of {equation!r}")
    missing = [label for label in output if label not in size]
    if missing or len(set(output)) != len(output):
        raise ShapeError(f"equation {equation!r}: output index {(missing or output)[0]!r} is not usable")
    out = tensor([size[label] for label in output], tensors[0].dtype)
    total = product(size.values())
    summed = len(size) > len(output)
    if len(tensors) == 1:
        return Result((out,), element_ops=total if summed else 0)
    products = total * (len(tensors) - 1)
    return Result((out,), mult_adds=products) if summed else Result((out,), element_ops=products)


def _parse_einsum(equation: str, ranks: list[int]) -> tuple[list[list[str]], list[str]]:
    """Labels of each operand and of the output, an ellipsis spelled out as labels of its own."""
    left, arrow, right = equation.replace(" ", "").partition("->")
    terms = left.split(",")
    if len(terms) != len(ranks):
        raise ShapeError(f"equation {equation!r} has {len(terms)} operands; {len(ranks)} are given")
    labels = [_labels(term, rank, equation) for term, rank in zip(terms, ranks, strict=True)]
    dots = max((sum(label.startswith(".") for label in term) for term in labels), default=0)
    ellipsis = [f".{i}" for i in range(dots, 0, -1)]
    if arrow:
        head, found, tail = right.partition("...")
        if dots and not found:
            raise ShapeError(f"equation {equation!r}: the output drops the dims of '...'; sum them by a label each")
        return labels, [*head, *(ellipsis if found else ()), *tail]
    flat = [label for term in labels for label in term if not label.startswith(".")]
    return labels, [*ellipsis, *sorted(label for label in set(flat) if flat.count(label) == 1)]


def _labels(term: str, rank: int, equation: str) -> list[str]:
    head, found, tail = term.partition("...")
    hidden = rank - len(head) - len(tail)
    if hidden < 0 or (hidden and not found) or (not (head + tail).isalpha() and head + tail):
        raise ShapeError(f"equation {equation!r}: {term!r} does not describe a tensor of {rank} dims")
    return [*head, *(f".{i}" for i in range(hidden, 0, -1)), *tail]


@operator("Det", example=example("N 3 3"))
def det(x: TensorSpec, /) -> Result:
    """Elimination: n^3 / 3 multiply-subtracts a matrix, counted as element_ops."""
    *batch, rows, columns = dims(x, at_least=2)
    n = same(rows, columns, "rows and columns of Det")
    out = tensor(batch, x.dtype)
    return Result((out,), element_ops=out.elements * n * n * n, approximate="Det is counted as n^3 operations")

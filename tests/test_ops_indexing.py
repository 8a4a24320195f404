"""Gather, scatter and their kin: what is read, what is written, and what depends on data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from costmodel.errors import ShapeError
from costmodel.graph import Counting, TensorSpec
from costmodel.ops import Applied, apply, as_value


def spec(*shape: Any, dtype: str = "float32", name: str = "x") -> TensorSpec:
    return TensorSpec(shape, dtype, name)


def index(*shape: Any, name: str = "i") -> TensorSpec:
    return TensorSpec(shape, "int64", name)


def values(*items: Any, dtype: str = "int64") -> TensorSpec:
    return TensorSpec((len(items),), dtype, "values", as_value(items))


def run(op_type: str, *inputs: TensorSpec | None, declared: Sequence[Any] = (), **attributes: Any) -> Applied:
    return apply(op_type, "", inputs, attributes, ["y", "a", "b", "c"], declared)


def test_an_embedding_reads_only_the_rows_that_it_looks_up() -> None:
    table = TensorSpec((30_000, 64), "float16", "table", roots=("table",))
    result = run("Gather", table, index(2, 7))
    assert result.outputs[0].shape == (2, 7, 64)
    assert result.cost.weight_elements == 2 * 7 * 64
    assert result.cost.input_elements == 2 * 7
    assert result.cost.bytes == 2 * (2 * 7 * 64) * 2 + 14 * 8
    assert [name.name for name, _ in result.params] == ["table"]


@pytest.mark.parametrize("axis", [0, 1, 2, -1])
def test_gather_puts_the_index_dims_in_place_of_the_axis(axis: int) -> None:
    expected = np.take(np.zeros((3, 5, 7)), np.zeros((2, 4), int), axis=axis).shape
    result = run("Gather", spec(3, 5, 7), index(2, 4), axis=axis)
    assert result.outputs[0].shape == expected
    assert result.cost.mult_adds == result.cost.element_ops == 0


def test_a_scalar_index_drops_the_axis() -> None:
    assert run("Gather", spec(3, 5, 7), index(), axis=1).outputs[0].shape == (3, 7)


def test_constant_indices_are_neither_parameters_nor_memory_access() -> None:
    result = run("Gather", spec(2, 6, 5), values(0, 3, 1, 4, 2, 5), axis=1)
    assert result.cost.memory_access == 2 * (2 * 6 * 5)
    assert result.params == ()


def test_gather_elements_has_the_shape_of_its_indices() -> None:
    result = run("GatherElements", spec(3, 50), index(3, 4), axis=1)
    assert result.outputs[0].shape == (3, 4)
    assert result.cost.input_elements == 12 + 12


@pytest.mark.parametrize(
    ("data", "indices", "batch_dims", "expected"),
    [
        ((2, 3, 5), (4, 2), 0, (4, 5)),
        ((2, 3, 5), (4, 3), 0, (4,)),
        ((2, 3, 5), (2, 7, 1), 1, (2, 7, 5)),
        ((2, 3, 5), (2, 3, 1), 2, (2, 3)),
    ],
)
def test_gather_nd_fixes_as_many_dims_as_an_index_is_long(
    data: tuple[int, ...], indices: tuple[int, ...], batch_dims: int, expected: tuple[int, ...]
) -> None:
    result = run("GatherND", spec(*data), index(*indices), batch_dims=batch_dims)
    assert result.outputs[0].shape == expected


def test_gather_nd_refuses_indices_longer_than_the_data_is_deep() -> None:
    with pytest.raises(ShapeError, match="indices of 4 entries"):
        run("GatherND", spec(2, 3, 5), index(6, 4))


@pytest.mark.parametrize(("reduction", "operations"), [("none", 0), ("add", 15), ("max", 15)])
def test_a_scatter_copies_its_data_and_reduces_its_updates(reduction: str, operations: int) -> None:
    result = run("ScatterElements", spec(3, 9), index(3, 5), spec(3, 5, name="u"), axis=1, reduction=reduction)
    assert result.outputs[0].shape == (3, 9)
    assert result.cost.input_elements == 27 + 15 + 15
    assert result.cost.output_elements == 27
    assert result.cost.element_ops == operations


def test_scatter_nd_checks_updates_against_indices_and_data() -> None:
    result = run("ScatterND", spec(4, 5, 6), index(3, 2), spec(3, 6, name="u"))
    assert result.outputs[0].shape == (4, 5, 6)
    with pytest.raises(ShapeError, match="of updates"):
        run("ScatterND", spec(4, 5, 6), index(3, 2), spec(3, 5, name="u"))


def test_a_cache_keeps_its_size_when_it_is_updated() -> None:
    cache, update = spec(2, 8, 128, 64), spec(2, 8, 1, 64, name="u")
    result = run("TensorScatter", cache, update, index(2))
    assert result.outputs[0].shape == (2, 8, 128, 64)
    with pytest.raises(ShapeError, match="dim 3 of the cache"):
        run("TensorScatter", cache, spec(2, 8, 1, 32, name="u"))


@pytest.mark.parametrize(("axis", "expected"), [(-1, (3, 5, 10)), (0, (10, 3, 5)), (1, (3, 10, 5))])
def test_one_hot_puts_its_classes_at_the_axis(axis: int, expected: tuple[int, ...]) -> None:
    for depth in (values(10), values(10.0, dtype="float32")):
        result = run("OneHot", index(3, 5), depth, spec(2, dtype="bool"), axis=axis)
        assert (result.outputs[0].shape, result.outputs[0].dtype) == (expected, "bool")


def test_top_k_takes_k_from_an_attribute_or_an_input() -> None:
    for result in (run("TopK", spec(3, 20), k=4), run("TopK", spec(3, 20), values(4))):
        assert [(out.shape, out.dtype) for out in result.outputs] == [((3, 4), "float32"), ((3, 4), "int64")]
        assert result.cost.element_ops == 60


def test_top_k_of_an_unknown_k_is_as_declared_or_unknown() -> None:
    hidden = index(1)
    assert run("TopK", spec(3, 20), hidden, declared=[spec(3, 6)]).outputs[1].shape == (3, 6)
    assert run("TopK", spec(3, 20), hidden).counting is Counting.UNKNOWN


def test_non_zero_of_a_known_value_is_exact() -> None:
    result = run("NonZero", values(1, 0, 3, 0, 5))
    assert result.outputs[0].shape == (1, 3)
    assert result.counting is Counting.COUNTED


def test_non_zero_of_data_is_an_upper_bound_unless_declared() -> None:
    bound = run("NonZero", spec(3, 5))
    assert bound.outputs[0].shape == (2, 15)
    assert bound.counting is Counting.APPROXIMATED
    assert "upper bound" in bound.note
    told = run("NonZero", spec(3, 5), declared=[TensorSpec((2, 6), "int64")])
    assert told.outputs[0].shape == (2, 6)
    assert told.counting is Counting.COUNTED


@pytest.mark.parametrize(("axis", "expected"), [(None, (2,)), (0, (2, 5)), (1, (3, 2))])
def test_compress_keeps_what_a_known_condition_says(axis: int | None, expected: tuple[int, ...]) -> None:
    attributes = {} if axis is None else {"axis": axis}
    result = run("Compress", spec(3, 5), values(True, False, True, dtype="bool"), **attributes)
    assert result.outputs[0].shape == expected
    assert result.cost.input_elements == result.cost.output_elements
    assert result.counting is Counting.COUNTED


def test_compress_by_data_keeps_at_most_the_length_of_the_condition() -> None:
    result = run("Compress", spec(3, 5), spec(2, dtype="bool", name="flags"), axis=1)
    assert result.outputs[0].shape == (3, 2)
    assert result.counting is Counting.APPROXIMATED


def test_unique_gives_places_both_ways() -> None:
    flat = run("Unique", spec(3, 5))
    assert [out.shape for out in flat.outputs] == [(15,), (15,), (15,), (15,)]
    rows = run("Unique", spec(3, 5), axis=0, declared=[spec(2, 5)])
    assert [out.shape for out in rows.outputs] == [(2, 5), (2,), (3,), (2,)]
    assert rows.counting is Counting.COUNTED


def test_reversal_and_triangles_keep_shape_and_do_no_arithmetic() -> None:
    for result in (run("ReverseSequence", spec(7, 3, 5), index(3)), run("Trilu", spec(7, 3, 5), values(1))):
        assert result.outputs[0].shape == (7, 3, 5)
        assert result.cost.element_ops == 0
        assert result.cost.output_elements == 105

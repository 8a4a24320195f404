"""Data movement: shapes of numpy and ONNX Runtime; views move nothing, copies what they take."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from one_node import executed_shapes, zeros

from costmodel.dims import symbol
from costmodel.errors import ShapeError
from costmodel.graph import Counting, TensorSpec
from costmodel.ops import Applied, apply, as_value

Ints = tuple[int, ...]
LAST = 2**63 - 1


def spec(*shape: Any, name: str = "x", dtype: str = "float32") -> TensorSpec:
    return TensorSpec(shape, dtype, name)


def ints(*items: Any) -> TensorSpec:
    """Known integers that steer an operator."""
    return TensorSpec((len(items),), "int64", "ints", as_value(items))


def run(op_type: str, *inputs: TensorSpec | None, outputs: int = 1, declared: Any = (), **attributes: Any) -> Applied:
    return apply(op_type, "", inputs, attributes, [f"y{i}" for i in range(outputs)], declared)


def shape(result: Applied) -> Any:
    return result.outputs[0].shape


def shapes(result: Applied) -> list[Any]:
    return [out.shape for out in result.outputs]


def read_and_written(result: Applied) -> tuple[Any, Any]:
    return result.cost.input_elements, result.cost.output_elements


class TestReshape:
    @pytest.mark.parametrize(
        ("size", "target", "allowzero", "expected"),
        [
            ((2, 3, 4, 5), (6, 20), 0, (6, 20)),
            ((2, 3, 4, 5), (0, -1), 0, (2, 60)),
            ((2, 3, 4, 5), (0, 0, -1), 0, (2, 3, 20)),
            ((2, 3, 4, 5), (-1, 0, 10), 0, (4, 3, 10)),
            ((2, 3, 4, 5), (4, -1, 2, 5), 0, (4, 3, 2, 5)),
            ((2, 3, 4, 5), (-1,), 0, (120,)),
            ((1, 1), (), 0, ()),
            ((), (1, -1), 0, (1, 1)),
            ((2, 0, 3), (0, 0, 7), 0, (2, 0, 7)),
            ((2, 0, 3), (2, -1), 0, (2, 0)),
            ((2, 0, 3), (3, 0, 9), 1, (3, 0, 9)),
        ],
    )
    def test_zero_keeps_a_dim_and_minus_one_takes_what_is_left(
        self, size: Ints, target: Ints, allowzero: int, expected: Ints
    ) -> None:
        result = run("Reshape", spec(*size), ints(*target), allowzero=allowzero)
        assert shape(result) == expected
        theirs = executed_shapes("Reshape", zeros(*size), np.array(target, np.int64), allowzero=allowzero)
        assert theirs == [expected]
        assert result.cost.memory_access == 0

    @pytest.mark.parametrize(
        ("target", "message"),
        [
            ((7, 7), "elements: 120 against 49"),
            ((-1, -1), "more than one -1"),
            ((7, -1), "120 is not a multiple of 7"),
            ((2, 3, 4, 5, 0), "keeps dim 4"),
            ((0, 0, 0, 0, 2), "elements"),
            ((2, -3, 20), "elements"),
        ],
    )
    def test_what_has_another_number_of_elements_is_refused(self, target: Ints, message: str) -> None:
        with pytest.raises(ShapeError, match=message):
            run("Reshape", spec(2, 3, 4, 5), ints(*target))

    def test_the_oldest_form_has_its_target_as_an_attribute(self) -> None:
        assert shape(run("Reshape", spec(2, 3, 4), shape=(0, -1))) == (2, 12)

    def test_a_target_that_depends_on_data_is_as_declared_or_unknown(self) -> None:
        target = TensorSpec((2,), "int64", "target")
        assert shape(run("Reshape", spec(2, 3), target, declared=[spec(3, 2)])) == (3, 2)
        unknown = run("Reshape", spec(2, 3), target)
        assert (unknown.counting, shape(unknown)) == (Counting.UNKNOWN, None)

    def test_free_dims_cancel_instead_of_dividing(self) -> None:
        n, h = symbol("N"), symbol("H")
        x = spec(n, 6, h, h)
        assert shape(run("Reshape", x, ints(n, 2, 3, h, -1))) == (n, 2, 3, h, h)
        assert shape(run("Reshape", x, ints(0, 2, -1, h, h))) == (n, 2, 3, h, h)
        assert shape(run("Reshape", x, ints(-1, 6))) == (h * h * n, 6)


VIEWS = [
    ("Identity", [(2, 3)], {}, (2, 3)),
    ("Flatten", [(2, 3, 4, 5)], {}, (2, 60)),
    ("Flatten", [(2, 3, 4, 5)], {"axis": 0}, (1, 120)),
    ("Flatten", [(2, 3, 4, 5)], {"axis": -1}, (24, 5)),
    ("Flatten", [(2, 3, 4, 5)], {"axis": 4}, (120, 1)),
    ("Squeeze", [(1, 3, 1, 5)], {}, (3, 5)),
    ("Squeeze", [(1, 3, 1, 5), (-2,)], {}, (1, 3, 5)),
    ("Squeeze", [(1, 3, 1, 5), (2, -4)], {}, (3, 5)),
    ("Unsqueeze", [(3, 5), (0, -1)], {}, (1, 3, 5, 1)),
    ("Unsqueeze", [(3, 5), (-3, 0)], {}, (1, 1, 3, 5)),
    ("Unsqueeze", [(3, 5), (3, 1)], {}, (3, 1, 5, 1)),
    ("Unsqueeze", [(), (0,)], {}, (1,)),
]


@pytest.mark.parametrize(("op_type", "inputs", "attributes", "expected"), VIEWS)
def test_a_view_changes_the_shape_and_moves_nothing(
    op_type: str, inputs: list[Ints], attributes: dict[str, Any], expected: Ints
) -> None:
    result = run(op_type, spec(*inputs[0]), *(ints(*axes) for axes in inputs[1:]), **attributes)
    assert shape(result) == expected
    axes = (np.array(axes, np.int64) for axes in inputs[1:])
    assert executed_shapes(op_type, zeros(*inputs[0]), *axes, **attributes) == [expected]
    assert result.cost.memory_access == result.cost.bytes == result.cost.element_ops == 0


@pytest.mark.parametrize(
    ("op_type", "inputs", "attributes", "message"),
    [
        ("Flatten", [(2, 3)], {"axis": 3}, "axis 3 is out of range"),
        ("Squeeze", [(1, 3), (1,)], {}, "Squeeze of dim 1"),
        ("Squeeze", [(1, 3), (2,)], {}, "axis 2 is out of range"),
        ("Squeeze", [(1, 3), (0, -2)], {}, "name one dim twice"),
        ("Unsqueeze", [(3, 5), (4,)], {}, "axis 4 is out of range"),
        ("Unsqueeze", [(3, 5), (0, -4)], {}, "name one dim twice"),
        ("Transpose", [(2, 3)], {"perm": (0, 0)}, "not an order of 2 dims"),
        ("Transpose", [(2, 3)], {"perm": (1,)}, "not an order of 2 dims"),
        ("Tile", [(2, 3), (2,)], {}, "1 repeats for 2 dims"),
        ("Expand", [(2, 3), (4, 3)], {}, "Expand: 2 against 4"),
        ("Pad", [(2, 3), (1, 1)], {}, "2 pads for 2 axes"),
        ("Pad", [(2, 3), (-3, 0, 0, 0)], {}, "not negative"),
        ("DepthToSpace", [(1, 6, 2, 3)], {"blocksize": 2}, "6 is not a multiple of 4"),
        ("DepthToSpace", [(1, 6, 2, 3)], {"blocksize": 0}, "blocksize is 0"),
        ("DepthToSpace", [(6, 2, 3)], {"blocksize": 2}, "4 dims are needed"),
        ("SpaceToDepth", [(1, 2, 4, 3)], {"blocksize": 2}, "3 is not a multiple of 2"),
    ],
)
def test_what_does_not_fit_is_refused(
    op_type: str, inputs: list[Ints], attributes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ShapeError, match=message):
        run(op_type, spec(*inputs[0]), *(ints(*items) for items in inputs[1:]), **attributes)


class TestSlice:
    @pytest.mark.parametrize(
        ("starts", "ends", "axes", "steps", "expected"),
        [
            ((1,), (3,), (1,), (1,), (4, 2, 6)),
            ((0, 1), (-1, LAST), (0, 2), (2, 3), (2, 5, 2)),
            ((-2,), (LAST,), (-1,), (1,), (4, 5, 2)),
            ((-1,), (-(2**63),), (2,), (-1,), (4, 5, 6)),
            ((4,), (0,), (1,), (-2,), (4, 2, 6)),
            ((-100,), (100,), (0,), (3,), (2, 5, 6)),
            ((100,), (200,), (0,), (1,), (0, 5, 6)),
            ((3,), (1,), (1,), (1,), (4, 0, 6)),
            ((100,), (-100,), (1,), (-3,), (4, 2, 6)),
            ((-100,), (-200,), (1,), (-1,), (4, 1, 6)),  # backwards, a start is kept at the first element
            ((1, 1), (2, 3), None, None, (1, 2, 6)),
        ],
    )
    def test_bounds_count_from_either_end_and_are_kept_within(
        self, starts: Ints, ends: Ints, axes: Ints | None, steps: Ints | None, expected: Ints
    ) -> None:
        given = [starts, ends, *(item for item in (axes, steps) if item is not None)]
        result = run("Slice", spec(4, 5, 6), *(ints(*items) for items in given))
        assert shape(result) == expected
        assert executed_shapes("Slice", zeros(4, 5, 6), *(np.array(i, np.int64) for i in given)) == [expected]
        assert read_and_written(result) == (prod(expected), prod(expected))

    @settings(max_examples=300, deadline=None, derandomize=True)
    @given(*[st.integers(0, 7), st.integers(-10, 10), st.integers(-10, 10), st.integers(-4, 4).filter(bool)])
    def test_any_bounds_are_numpys(self, size: int, start: int, end: int, step: int) -> None:
        assume(step > 0 or start >= -size)  # numpy takes nothing there; ONNX starts at the first element
        expected = np.zeros((3, size))[:, start:end:step].shape
        assert shape(run("Slice", spec(3, size), ints(start), ints(end), ints(-1), ints(step))) == expected

    def test_free_dims_keep_their_formula(self) -> None:
        n = symbol("N")

        def cut(*bounds: Any) -> Any:
            return shape(run("Slice", spec(2, n), *(ints(bound) for bound in bounds)))[1]

        assert cut(0, LAST, 1, 1) == n
        assert cut(0, LAST, 1, 2).subs({n: 7}) == 4
        assert cut(-1, -(2**63), 1, -1) == n
        assert cut(0, -2, 1, 1).subs({n: 7}) == 5
        assert cut(0, n - 1, 1, 1) == n - 1

    @pytest.mark.parametrize(
        ("inputs", "message"),
        [
            (((0,), (3,), (3,)), "axis 3 is out of range"),
            (((0, 0), (3,), (0,)), "2 starts, 1 ends"),
            (((0, 0), (3, 3), (0, -3)), "name one dim twice"),
            (((0,), (3,), (0,), (0,)), "a step of 0"),
        ],
    )
    def test_what_does_not_fit_is_refused(self, inputs: tuple[Ints, ...], message: str) -> None:
        with pytest.raises(ShapeError, match=message):
            run("Slice", spec(4, 5, 6), *(ints(*items) for items in inputs))


def test_gather_reads_what_it_takes() -> None:
    indices = TensorSpec((2, 2), "int64", "places")
    result = run("Gather", spec(4, 50, 6), indices, axis=1)
    assert shape(result) == np.take(np.zeros((4, 50, 6)), np.zeros((2, 2), int), axis=1).shape
    assert read_and_written(result) == (4 * 4 * 6 + 4, 4 * 4 * 6)


class TestPad:
    @pytest.mark.parametrize(
        ("pads", "axes", "expected"),
        [
            ((0, 1, 2, 3, 4, 5), None, (7, 10, 13)),
            ((1, 2), (1,), (4, 8, 6)),
            ((1, 0, 2, 3), (-1, 0), (7, 5, 9)),
            ((-1, 2), (1,), (4, 6, 6)),
            ((0, -2, 0, 0, -3, 0), None, (4, 0, 6)),
        ],
    )
    def test_begins_and_ends_grow_or_crop(self, pads: Ints, axes: Ints | None, expected: Ints) -> None:
        given = [ints(*pads), None, ints(*axes)] if axes else [ints(*pads)]
        result = run("Pad", spec(4, 5, 6), *given)
        assert shape(result) == expected
        arrays = [np.array(pads, np.int64), *([] if axes is None else [None, np.array(axes, np.int64)])]
        assert executed_shapes("Pad", zeros(4, 5, 6), *arrays) == [expected]
        assert read_and_written(result) == (120, prod(expected))

    @pytest.mark.parametrize("mode", ["constant", "reflect", "edge", "wrap"])
    def test_every_mode_costs_the_same(self, mode: str) -> None:
        result = run("Pad", spec(4, 5), ints(1, 0, 2, 3), mode=mode)
        assert shape(result) == np.pad(np.zeros((4, 5)), [(1, 2), (0, 3)], mode=mode).shape
        assert result.cost.memory_access == 20 + 56


class TestSplit:
    @pytest.mark.parametrize(
        ("sizes", "axis", "expected"),
        [
            ((2, 3), 1, [(4, 2), (4, 3)]),
            ((1, 0, 3), 0, [(1, 5), (0, 5), (3, 5)]),
            ((4, 1), -1, [(4, 4), (4, 1)]),
        ],
    )
    def test_sizes_may_differ(self, sizes: Ints, axis: int, expected: list[Ints]) -> None:
        result = run("Split", spec(4, 5), ints(*sizes), axis=axis, outputs=len(sizes))
        assert shapes(result) == expected
        given = (zeros(4, 5), np.array(sizes, np.int64))
        assert executed_shapes("Split", *given, axis=axis, outputs=len(sizes)) == expected
        assert read_and_written(result) == (20, 20)

    @pytest.mark.parametrize(("size", "parts", "sizes"), [(6, 3, [2, 2, 2]), (7, 3, [3, 3, 1]), (8, 3, [3, 3, 2])])
    def test_the_last_part_is_smaller_where_they_are_not_even(self, size: int, parts: int, sizes: Ints) -> None:
        expected = [(4, part) for part in sizes]
        for attributes in ({"num_outputs": parts}, {}):
            assert shapes(run("Split", spec(4, size), axis=1, outputs=parts, **attributes)) == expected
        assert executed_shapes("Split", zeros(4, size), axis=1, outputs=parts, num_outputs=parts) == expected

    def test_a_part_that_nobody_wants_is_not_written(self) -> None:
        result = apply("Split", "", [spec(4, 5), ints(2, 3)], {"axis": 1}, ["", "y"])
        assert result.outputs[1].shape == (4, 3)
        assert read_and_written(result) == (20, 12)

    @pytest.mark.parametrize(
        ("sizes", "attributes", "message"),
        [((2, 2), {"axis": 1}, "sizes"), ((), {"axis": 1, "num_outputs": 4}, "not negative"),
         ((), {"axis": 2}, "axis 2"), ((), {"num_outputs": 0, "axis": -3}, "axis -3")],
    )  # fmt: skip
    def test_what_does_not_fit_is_refused(self, sizes: Ints, attributes: dict[str, Any], message: str) -> None:
        with pytest.raises(ShapeError, match=message):
            run("Split", spec(4, 5), ints(*sizes) if sizes else None, outputs=2, **attributes)


COPIES = [
    ("Transpose", [(2, 3, 5)], {}, (5, 3, 2)),
    ("Transpose", [(2, 3, 5)], {"perm": (1, 2, 0)}, (3, 5, 2)),
    ("Concat", [(2, 3), (2, 4), (2, 1)], {"axis": 1}, (2, 8)),
    ("Concat", [(2, 3), (5, 3)], {"axis": -2}, (7, 3)),
    ("Concat", [(2, 0), (2, 4)], {"axis": 1}, (2, 4)),
    ("Concat", [(7,)], {"axis": 0}, (7,)),
    ("DepthToSpace", [(2, 12, 3, 5)], {"blocksize": 2}, (2, 3, 6, 10)),
    ("DepthToSpace", [(2, 9, 1, 2)], {"blocksize": 3, "mode": "CRD"}, (2, 1, 3, 6)),
    ("SpaceToDepth", [(2, 3, 6, 10)], {"blocksize": 2}, (2, 12, 3, 5)),
]


@pytest.mark.parametrize(("op_type", "inputs", "attributes", "expected"), COPIES)
def test_a_copy_reads_and_writes_every_element(
    op_type: str, inputs: list[Ints], attributes: dict[str, Any], expected: Ints
) -> None:
    result = run(op_type, *(spec(*size, name=f"x{i}") for i, size in enumerate(inputs)), **attributes)
    assert shape(result) == expected
    assert executed_shapes(op_type, *(zeros(*size) for size in inputs), **attributes) == [expected]
    assert read_and_written(result) == (sum(map(prod, inputs)), prod(expected))
    assert result.cost.element_ops == result.cost.mult_adds == 0


def test_a_tensor_joined_to_itself_is_read_once() -> None:
    x = spec(2, 3)
    result = run("Concat", x, x, axis=0)
    assert shape(result) == (4, 3)
    assert read_and_written(result) == (6, 12)


def test_parts_of_different_height_are_refused() -> None:
    with pytest.raises(ShapeError, match="dim 0 of the parts of Concat"):
        run("Concat", spec(2, 3), spec(4, 3, name="z"), axis=1)
    with pytest.raises(ShapeError, match="2 dims are needed"):
        run("Concat", spec(2, 3), spec(2, 3, 1, name="z"), axis=1)


@pytest.mark.parametrize(
    ("op_type", "size", "target", "expected"),
    [
        ("Tile", (2, 3), (2, 3), (4, 9)),
        ("Tile", (2, 3), (1, 0), (2, 0)),
        ("Expand", (3, 1), (2, 1, 6), (2, 3, 6)),
        ("Expand", (3, 4), (3, 1), (3, 4)),
        ("Expand", (1,), (0,), (0,)),
        ("Expand", (), (2, 3), (2, 3)),
    ],
)
def test_repeating_reads_the_input_once(op_type: str, size: Ints, target: Ints, expected: Ints) -> None:
    result = run(op_type, spec(*size), ints(*target))
    assert shape(result) == expected
    assert executed_shapes(op_type, zeros(*size), np.array(target, np.int64)) == [expected]
    assert read_and_written(result) == (prod(size), prod(expected))


@pytest.mark.parametrize(
    ("op_type", "by_attribute", "by_input"),
    [
        ("Squeeze", {"axes": (0, -2)}, [(0, -2)]),
        ("Unsqueeze", {"axes": (1, 4)}, [(1, 4)]),
        ("Split", {"split": (1, 2, 4), "axis": 3}, [(1, 2, 4)]),
        ("Slice", {"starts": (0, -3), "ends": (2, LAST), "axes": (1, 3)}, [(0, -3), (2, LAST), (1, 3)]),
        ("Slice", {"starts": (0, 1), "ends": (1, 2)}, [(0, 1), (1, 2)]),
        ("Pad", {"pads": (0, 1, 0, 2, 3, 0, 0, 1)}, [(0, 1, 0, 2, 3, 0, 0, 1)]),
        ("Reshape", {"shape": (0, -1)}, [(0, -1)]),
        ("ReduceSum", {"axes": (1, -1), "keepdims": 0}, [(1, -1)]),
    ],
)
def test_attributes_of_older_opsets_mean_what_inputs_mean(
    op_type: str, by_attribute: dict[str, Any], by_input: list[Ints]
) -> None:
    x, outputs = spec(1, 3, 1, 7), 3 if op_type == "Split" else 1
    rest = {name: value for name, value in by_attribute.items() if name in ("keepdims", "axis")}
    old = run(op_type, x, outputs=outputs, **by_attribute)
    new = run(op_type, x, *(ints(*items) for items in by_input), outputs=outputs, **rest)
    assert old == new
    assert old.counting is Counting.COUNTED
    assert shapes(old) == executed_shapes(
        op_type, zeros(1, 3, 1, 7), outputs=outputs, **by_attribute, opset=4 if op_type == "Reshape" else 9
    )


def test_what_steers_an_operator_is_neither_parameter_nor_memory_access() -> None:
    steers = TensorSpec((4,), "int64", "pads", as_value((0, 1, 0, 2)), ("pads",))
    result = run("Pad", spec(4, 5), steers, TensorSpec((), "float32", "fill", as_value(0.5), ("fill",)))
    assert result.params == ()
    assert read_and_written(result) == (20, 32)
    assert result.cost.weight_elements == 0


def test_what_steers_an_operator_at_run_time_is_read() -> None:
    result = run("Expand", spec(4, 1), TensorSpec((2,), "int64", "target"), declared=[spec(4, 5)])
    assert shape(result) == (4, 5)
    assert read_and_written(result) == (4 + 2, 20)

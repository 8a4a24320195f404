"""Poolings: windows of torch and ONNX Runtime, one operation a tap."""

from __future__ import annotations

from math import prod
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from one_node import executed_shapes, zeros

from costmodel.errors import ShapeError
from costmodel.graph import TensorSpec
from costmodel.ops import Applied, apply

Ints = tuple[int, ...]
POOLINGS = ["MaxPool", "AveragePool", "LpPool"]


def run(op_type: str, *size: int, dtype: str = "float32", **attributes: Any) -> Applied:
    return apply(op_type, "", [TensorSpec(size, dtype, "x")], attributes, ["y"])


def shape(result: Applied) -> Any:
    return result.outputs[0].shape


@st.composite
def geometries(draw: Any) -> dict[str, Any]:
    """Poolings as torch takes them: symmetric padding of at most half a window."""
    rank = draw(st.integers(1, 3))

    def each(low: int, high: int) -> Ints:
        return tuple(draw(st.lists(st.integers(low, high), min_size=rank, max_size=rank)))

    kernel = each(1, 4)
    return {
        "kernel": kernel,
        "strides": each(1, 4),
        "dilations": each(1, 3),
        "padding": tuple(draw(st.integers(0, k // 2)) for k in kernel),
        "size": tuple(extent + 2 for extent in each(1, 12)),
        "ceil_mode": draw(st.booleans()),
    }


@settings(max_examples=200, deadline=None, derandomize=True)
@given(geometries())
def test_windows_are_torchs(geometry: dict[str, Any]) -> None:
    size, padding = geometry["size"], geometry["padding"]
    pool = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}[len(size)]
    attributes = {
        "kernel_shape": geometry["kernel"],
        "strides": geometry["strides"],
        "dilations": geometry["dilations"],
        "pads": padding * 2,
        "ceil_mode": int(geometry["ceil_mode"]),
    }
    try:
        expected = pool(
            torch.zeros(1, 2, *size),
            geometry["kernel"],
            geometry["strides"],
            padding,
            geometry["dilations"],
            geometry["ceil_mode"],
        ).shape
    except RuntimeError:  # a window larger than its input
        with pytest.raises(ShapeError, match="does not fit"):
            run("MaxPool", 1, 2, *size, **attributes)
    else:
        assert shape(run("MaxPool", 1, 2, *size, **attributes)) == tuple(expected)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(geometries(), st.sampled_from(POOLINGS), st.lists(st.integers(0, 3), min_size=3, max_size=3))
def test_windows_with_uneven_padding_are_onnx_runtimes(geometry: dict[str, Any], op_type: str, more: Any) -> None:
    kernel, size, before = geometry["kernel"], geometry["size"], geometry["padding"]
    after = tuple(min(a, k - 1) for a, k in zip(more, kernel, strict=False))
    extents = [(k - 1) * d + 1 for k, d in zip(kernel, geometry["dilations"], strict=True)]
    assume(all(e <= n + a + b for e, n, a, b in zip(extents, size, after, before, strict=True)))
    attributes = {
        "kernel_shape": kernel,
        "strides": geometry["strides"],
        "dilations": geometry["dilations"],
        "pads": before + after,
        "ceil_mode": int(geometry["ceil_mode"]),
    }
    result = run(op_type, 2, 3, *size, **attributes)
    assert [shape(result)] == executed_shapes(op_type, zeros(2, 3, *size), **attributes)
    assert result.cost.element_ops == prod(shape(result)) * prod(kernel)
    assert result.cost.mult_adds == 0


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "pads", "whole", "with_part"),
    [
        (11, 3, 2, (0, 0), 5, 5),  # nothing is left over
        (12, 3, 2, (0, 0), 5, 6),  # the sixth window has two elements
        (7, 2, 3, (0, 0), 2, 3),  # the third has one
        (8, 2, 3, (0, 1), 3, 3),  # a fourth would start at 9, behind the padding
        (7, 3, 3, (0, 2), 3, 3),
        (7, 2, 3, (1, 2), 3, 3),  # a fourth would start at 8, which is in the padding behind the input
        (6, 2, 3, (1, 0), 2, 3),  # the third starts on the last element
        (5, 1, 3, (0, 0), 2, 2),
    ],
)
def test_a_part_of_a_window_counts_if_it_starts_on_the_input_or_before_it(
    size: int, kernel: int, stride: int, pads: Ints, whole: int, with_part: int
) -> None:
    attributes = {"kernel_shape": (kernel,), "strides": (stride,), "pads": pads}
    assert shape(run("AveragePool", 1, 1, size, **attributes)) == (1, 1, whole)
    assert shape(run("AveragePool", 1, 1, size, ceil_mode=1, **attributes)) == (1, 1, with_part)


def test_on_an_input_smaller_than_the_window_ceil_mode_has_one_part_of_a_window() -> None:
    attributes = {"kernel_shape": (3, 4), "strides": (2, 2), "ceil_mode": 1}
    assert shape(run("MaxPool", 1, 1, 2, 3, **attributes)) == (1, 1, 1, 1)
    assert executed_shapes("MaxPool", zeros(1, 1, 2, 3), **attributes) == [(1, 1, 1, 1)]


@pytest.mark.parametrize("auto_pad", ["SAME_UPPER", "SAME_LOWER", "VALID"])
@pytest.mark.parametrize("ceil_mode", [0, 1])
@pytest.mark.parametrize("op_type", POOLINGS)
def test_automatic_padding_is_onnx_runtimes(op_type: str, auto_pad: str, ceil_mode: int) -> None:
    for size in ((7, 10), (8, 11), (9, 12)):
        attributes = {"kernel_shape": (3, 4), "strides": (2, 3), "auto_pad": auto_pad, "ceil_mode": ceil_mode}
        result = run(op_type, 2, 3, *size, **attributes)
        assert [shape(result)] == executed_shapes(op_type, zeros(2, 3, *size), **attributes)


def test_pooling_reads_and_writes_each_element_once() -> None:
    result = run("MaxPool", 2, 3, 7, 5, kernel_shape=(3, 2), strides=(2, 1), pads=(1, 0, 0, 1))
    assert shape(result) == (2, 3, 3, 5)
    assert (result.cost.input_elements, result.cost.output_elements) == (2 * 3 * 35, 2 * 3 * 15)
    assert result.cost.element_ops == 2 * 3 * 15 * 6


def test_indices_of_the_maxima_are_written_where_they_are_wanted() -> None:
    x = TensorSpec((2, 3, 7, 5), "float32", "x")
    result = apply("MaxPool", "", [x], {"kernel_shape": (3, 2)}, ["y", "places"])
    assert [(out.shape, out.dtype) for out in result.outputs] == [((2, 3, 5, 4), "float32"), ((2, 3, 5, 4), "int64")]
    assert result.cost.output_elements == 240
    assert result.cost.bytes == 210 * 4 + 120 * 4 + 120 * 8


def test_eight_bit_elements_stay_eight_bit() -> None:
    assert run("MaxPool", 1, 2, 5, 4, dtype="int8", kernel_shape=(2, 3)).cost.bytes == 40 + 2 * 4 * 2


@pytest.mark.parametrize("op_type", ["GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool"])
@pytest.mark.parametrize("size", [(11,), (7, 5), (3, 4, 5)])
def test_a_global_pooling_keeps_its_rank_and_visits_each_element(op_type: str, size: Ints) -> None:
    result = run(op_type, 2, 3, *size)
    assert [shape(result)] == executed_shapes(op_type, zeros(2, 3, *size)) == [(2, 3, *(1,) * len(size))]
    assert result.cost.element_ops == 6 * prod(size)


@pytest.mark.parametrize(
    ("size", "attributes", "message"),
    [
        ((2, 3, 7, 5), {"kernel_shape": (3,)}, "2 spatial dims"),
        ((2, 3, 7, 5), {"kernel_shape": (8, 2)}, "does not fit in 7"),
        ((2, 3, 7, 5), {"kernel_shape": (9, 2), "strides": (2, 1), "ceil_mode": 1}, "does not fit in 7"),
        ((2, 3, 7, 5), {"kernel_shape": (0, 2)}, "at least 1"),
        ((2, 3, 7, 5), {"kernel_shape": (3, 2), "strides": (2,)}, "2 strides"),
        ((2, 3), {"kernel_shape": (3, 2)}, "at least 3 dims"),
        ((2, 3, 7, 5), {}, "'kernel_shape' is missing"),
    ],
)
def test_what_does_not_fit_is_refused(size: Ints, attributes: dict[str, Any], message: str) -> None:
    with pytest.raises(ShapeError, match=message):
        run("MaxPool", *size, **attributes)

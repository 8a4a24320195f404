"""Convolutions: mult-adds of a nested loop that convolves for real, shapes of torch and ONNX Runtime."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from one_node import executed, executed_shapes, zeros

from costmodel.errors import ShapeError
from costmodel.graph import TensorSpec
from costmodel.ops import Applied, apply

Ints = tuple[int, ...]


def spec(*shape: int, name: str = "x", constant: bool = False, dtype: str = "float32") -> TensorSpec:
    return TensorSpec(shape, dtype, name, roots=(name,) if constant else ())


def run(op_type: str, *inputs: TensorSpec | None, **attributes: Any) -> Applied:
    return apply(op_type, "", inputs, attributes, ["y"])


def shape(result: Applied) -> Any:
    return result.outputs[0].shape


@dataclass(frozen=True)
class Geometry:
    """A convolution: sizes of its input, and its weight as Conv or ConvTranspose stores it."""

    x: Ints
    w: Ints
    strides: Ints
    dilations: Ints
    pads: Ints  # all begins, then all ends
    group: int = 1

    @property
    def rank(self) -> int:
        return len(self.x) - 2

    @property
    def attributes(self) -> dict[str, Any]:
        return {"strides": self.strides, "dilations": self.dilations, "pads": self.pads, "group": self.group}

    def arrays(self) -> tuple[Any, Any]:
        """Small whole numbers, so that sums in any order are equal."""
        random = np.random.default_rng(7)
        return tuple(random.integers(-3, 4, size).astype(np.float64) for size in (self.x, self.w))


def convolved(x: Any, w: Any, geometry: Geometry) -> tuple[Any, int]:
    """The convolution of x with w, one multiply-accumulate at a time, and how many there were."""
    rank, taps, step, spread = geometry.rank, w.shape[2:], geometry.strides, geometry.dilations
    padded = np.pad(x, [(0, 0), (0, 0), *zip(geometry.pads[:rank], geometry.pads[rank:], strict=True)])
    places = [
        [at for at in range(0, padded.shape[2 + i], step[i]) if at + (taps[i] - 1) * spread[i] < padded.shape[2 + i]]
        for i in range(rank)
    ]
    y = np.zeros((x.shape[0], w.shape[0], *map(len, places)))
    count = 0
    for n, m in product(range(x.shape[0]), range(w.shape[0])):
        first = m // (w.shape[0] // geometry.group) * w.shape[1]
        for out in np.ndindex(*map(len, places)):
            corner = [places[i][at] for i, at in enumerate(out)]
            for c in range(w.shape[1]):
                for tap in np.ndindex(*taps):
                    place = tuple(at + t * d for at, t, d in zip(corner, tap, spread, strict=True))
                    y[n, m, *out] += w[m, c, *tap] * padded[n, first + c, *place]
                    count += 1
    return y, count


def convolved_by_torch(x: torch.Tensor, w: torch.Tensor, geometry: Geometry) -> torch.Tensor:
    rank = geometry.rank
    ends = [side for i in reversed(range(rank)) for side in (geometry.pads[i], geometry.pads[rank + i])]
    convolve = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}[rank]
    return convolve(F.pad(x, ends), w, stride=geometry.strides, dilation=geometry.dilations, groups=geometry.group)


def empty(*size: int) -> torch.Tensor:
    """A tensor without data, from which torch computes shapes only."""
    return torch.empty(*size, device="meta")


UGLY = [
    Geometry((2, 3, 11), (4, 3, 3), (3,), (2,), (2, 1)),
    Geometry((2, 6, 10), (4, 3, 4), (1,), (1,), (0, 3), group=2),
    Geometry((2, 3, 7, 5), (4, 3, 3, 2), (3, 1), (2, 1), (1, 0, 2, 1)),
    Geometry((2, 4, 5, 8), (6, 2, 2, 3), (1, 3), (1, 2), (0, 2, 1, 0), group=2),
    Geometry((3, 4, 6, 4), (4, 1, 3, 1), (2, 3), (2, 3), (2, 0, 0, 0), group=4),
    Geometry((1, 2, 3, 5), (3, 2, 1, 1), (1, 1), (1, 1), (0, 0, 0, 0)),
    Geometry((2, 4, 4, 3, 5), (2, 2, 2, 1, 3), (3, 1, 2), (1, 1, 2), (1, 0, 1, 0, 0, 2), group=2),
]


@pytest.mark.parametrize("geometry", UGLY, ids=str)
def test_one_mult_add_for_each_step_of_the_loop_that_convolves(geometry: Geometry) -> None:
    x, w = geometry.arrays()
    y, count = convolved(x, w, geometry)
    np.testing.assert_array_equal(y, convolved_by_torch(torch.from_numpy(x), torch.from_numpy(w), geometry))
    result = run("Conv", spec(*geometry.x), spec(*geometry.w, name="w"), **geometry.attributes)
    assert shape(result) == y.shape
    assert result.cost.mult_adds == count
    assert result.cost.element_ops == 0
    assert result.cost.memory_access == prod(geometry.x) + prod(geometry.w) + y.size


@st.composite
def geometries(draw: Any, transposed: bool = False) -> Geometry:
    """Convolutions that fit: the padded input holds at least one window."""
    rank = draw(st.integers(1, 3))
    group = draw(st.integers(1, 3))

    def each(low: int, high: int, count: int = rank) -> Ints:
        return tuple(draw(st.lists(st.integers(low, high), min_size=count, max_size=count)))

    kernel, strides, dilations, pads = each(1, 4), each(1, 3), each(1, 3), each(0, 3, 2 * rank)
    before, after = pads[:rank], pads[rank:]
    extents = [(k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True)]
    if transposed:
        kept = zip(before, after, strides, extents, strict=True)
        least = [max(1, -((extent - b - a - 1) // stride) + 1) for b, a, stride, extent in kept]
    else:
        least = [max(1, extent - b - a) for extent, b, a in zip(extents, before, after, strict=True)]
    size = tuple(low + more for low, more in zip(least, each(0, 6), strict=True))
    inner, outer = group * draw(st.integers(1, 3)), draw(st.integers(1, 3))
    weight = (inner, outer) if transposed else (outer * group, inner // group)
    return Geometry((draw(st.integers(1, 3)), inner, *size), (*weight, *kernel), strides, dilations, pads, group)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(geometries())
def test_output_shapes_are_torchs(geometry: Geometry) -> None:
    expected = tuple(convolved_by_torch(empty(*geometry.x), empty(*geometry.w), geometry).shape)
    result = run("Conv", spec(*geometry.x), spec(*geometry.w, name="w"), **geometry.attributes)
    assert shape(result) == expected
    assert result.cost.mult_adds == prod(expected) * prod(geometry.w[1:])


@settings(max_examples=60, deadline=None, derandomize=True)
@given(geometries(), st.sampled_from(["SAME_UPPER", "SAME_LOWER", "VALID"]))
def test_automatic_padding_has_the_output_shape_of_onnx_runtime(geometry: Geometry, auto_pad: str) -> None:
    size = tuple(dim + 8 for dim in geometry.x[2:])
    dilations = (1,) * geometry.rank if auto_pad != "VALID" else geometry.dilations
    attributes = {"strides": geometry.strides, "dilations": dilations, "group": geometry.group, "auto_pad": auto_pad}
    x = (*geometry.x[:2], *size)
    result = run("Conv", spec(*x), spec(*geometry.w, name="w"), **attributes)
    assert [shape(result)] == executed_shapes("Conv", zeros(*x), zeros(*geometry.w), **attributes)


@pytest.mark.parametrize("auto_pad", ["SAME_UPPER", "SAME_LOWER"])
def test_automatic_padding_counts_like_the_same_padding_written_out(auto_pad: str) -> None:
    """7 x 11 with kernel 3 x 4 and strides 3 x 2 lacks 2 rows and 3 columns; the odd one goes to one end."""
    pads = {"SAME_UPPER": (1, 1, 1, 2), "SAME_LOWER": (1, 2, 1, 1)}[auto_pad]
    geometry = Geometry((2, 3, 7, 11), (4, 3, 3, 4), (3, 2), (1, 1), pads)
    _, count = convolved(*geometry.arrays(), geometry)
    x, w = spec(2, 3, 7, 11), spec(4, 3, 3, 4, name="w")
    automatic = run("Conv", x, w, strides=(3, 2), auto_pad=auto_pad)
    assert automatic == run("Conv", x, w, strides=(3, 2), pads=pads)
    assert automatic.cost.mult_adds == count


def test_same_padding_keeps_the_size_at_any_dilation() -> None:
    x, w = spec(2, 3, 9, 8), spec(4, 3, 4, 3, name="w")
    assert shape(run("Conv", x, w, auto_pad="SAME_LOWER", dilations=(2, 3))) == (2, 4, 9, 8)


def test_valid_ignores_padding_that_is_given_too() -> None:
    x, w = spec(2, 3, 9, 8), spec(4, 3, 4, 3, name="w")
    assert shape(run("Conv", x, w, auto_pad="VALID", pads=(1, 2, 3, 4))) == (2, 4, 6, 6)


def test_a_bias_is_an_operation_an_output_element_and_no_mult_add() -> None:
    x, w, b = spec(2, 3, 7, 5), spec(4, 3, 3, 2, name="w"), spec(4, name="b", constant=True)
    plain, biased = run("Conv", x, w, strides=(3, 1)), run("Conv", x, w, b, strides=(3, 1))
    assert shape(biased) == (2, 4, 2, 4)
    assert biased.cost.mult_adds == plain.cost.mult_adds == 64 * 3 * 6
    assert (plain.cost.element_ops, biased.cost.element_ops) == (0, 64)
    assert biased.cost.weight_elements == plain.cost.weight_elements + 4


def test_a_weight_computed_at_run_time_is_an_input_and_no_parameter() -> None:
    x = spec(2, 4, 5, 8)
    stored = run("Conv", x, spec(6, 2, 2, 3, name="w", constant=True), group=2)
    computed = run("Conv", x, spec(6, 2, 2, 3, name="w"), group=2)
    assert computed.cost.mult_adds == stored.cost.mult_adds
    assert computed.cost.memory_access == stored.cost.memory_access
    assert (stored.cost.weight_elements, computed.cost.weight_elements) == (72, 0)
    assert [tensor.name for tensor, _ in stored.params] == ["w"]
    assert computed.params == ()


def test_empty_batches_cost_nothing_but_their_weights() -> None:
    result = run("Conv", spec(0, 3, 7, 5), spec(4, 3, 3, 2, name="w"))
    assert shape(result) == (0, 4, 5, 4)
    assert (result.cost.mult_adds, result.cost.memory_access) == (0, 72)


@pytest.mark.parametrize(
    ("x", "w", "attributes", "message"),
    [
        ((2, 3, 7, 5), (4, 2, 3, 2), {}, "input channels"),
        ((2, 4, 7, 5), (3, 2, 3, 2), {"group": 2}, "output channels in groups"),
        ((2, 3, 7, 5), (4, 3, 3, 2), {"kernel_shape": (3, 3)}, "kernel_shape and weight"),
        ((2, 3, 7, 5), (4, 3, 3, 2), {"kernel_shape": (3,)}, "2 spatial dims"),
        ((2, 3, 7, 5), (4, 3, 3, 2), {"pads": (1, 1)}, "4 pads"),
        ((2, 3, 7, 5), (4, 3, 3, 2), {"strides": (0, 1)}, "at least 1"),
        ((2, 3, 7, 5), (4, 3, 3, 2), {"auto_pad": "SAME"}, "auto_pad is 'SAME'"),
        ((2, 3, 7, 5), (4, 3, 3, 2), {"dilations": (4, 1)}, "does not fit in 7"),
        ((2, 3), (4, 3), {}, "at least 3 dims"),
    ],
)
def test_what_does_not_fit_is_refused(x: Ints, w: Ints, attributes: dict[str, Any], message: str) -> None:
    with pytest.raises(ShapeError, match=message):
        run("Conv", spec(*x), spec(*w, name="w"), **attributes)


def test_integer_and_quantised_convolutions_count_like_the_float_one() -> None:
    geometry = UGLY[3]
    x, w = spec(*geometry.x, dtype="uint8"), spec(*geometry.w, name="w", dtype="int8")
    scales = [spec(name=f"s{i}") for i in range(3)]
    zeros_ = [spec(name=f"z{i}", dtype=dtype) for i, dtype in enumerate(("uint8", "int8", "uint8"))]
    _, count = convolved(*geometry.arrays(), geometry)
    plain = run("ConvInteger", x, w, **geometry.attributes)
    quantised = run("QLinearConv", x, scales[0], zeros_[0], w, scales[1], zeros_[1], scales[2], zeros_[2],
                    **geometry.attributes)  # fmt: skip
    assert plain.cost.mult_adds == quantised.cost.mult_adds == count
    assert (plain.outputs[0].dtype, quantised.outputs[0].dtype) == ("int32", "uint8")


# -- transposed


def scattered(x: Any, w: Any, geometry: Geometry) -> tuple[Any, int]:
    """The transposed convolution: every input element times every tap is added to one place."""
    rank, group_out = geometry.rank, w.shape[1]
    full = [
        (dim - 1) * step + (k - 1) * d + 1
        for dim, step, k, d in zip(x.shape[2:], geometry.strides, w.shape[2:], geometry.dilations, strict=True)
    ]
    y = np.zeros((x.shape[0], group_out * geometry.group, *full))
    count = 0
    for n, c, *at in np.ndindex(*x.shape):
        first = c // (x.shape[1] // geometry.group) * group_out
        for m, *tap in np.ndindex(*w.shape[1:]):
            steps = zip(at, geometry.strides, tap, geometry.dilations, strict=True)
            place = tuple(a * s + t * d for a, s, t, d in steps)
            y[n, first + m, *place] += x[n, c, *at] * w[c, m, *tap]
            count += 1
    kept = tuple(slice(geometry.pads[i], full[i] - geometry.pads[rank + i]) for i in range(rank))
    return y[:, :, *kept], count


TRANSPOSED = [
    Geometry((2, 3, 5), (3, 4, 4), (3,), (2,), (2, 1)),
    Geometry((2, 3, 4, 5), (3, 2, 3, 2), (3, 1), (2, 1), (1, 0, 2, 1)),
    Geometry((2, 4, 3, 4), (4, 3, 2, 3), (1, 3), (1, 2), (0, 2, 1, 0), group=2),
    Geometry((2, 4, 2, 3, 2), (4, 1, 2, 1, 3), (2, 1, 3), (1, 1, 2), (1, 0, 1, 0, 0, 2), group=4),
]


@pytest.mark.parametrize("geometry", TRANSPOSED, ids=str)
def test_transposed_one_mult_add_for_each_input_element_and_tap(geometry: Geometry) -> None:
    x, w = geometry.arrays()
    y, count = scattered(x, w, geometry)
    result = run("ConvTranspose", spec(*geometry.x), spec(*geometry.w, name="w"), **geometry.attributes)
    assert shape(result) == y.shape
    assert result.cost.mult_adds == count
    [theirs] = executed("ConvTranspose", x.astype(np.float32), w.astype(np.float32), **geometry.attributes)
    np.testing.assert_allclose(theirs, y, atol=1e-4)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(geometries(transposed=True), st.data())
def test_transposed_shapes_are_torchs(geometry: Geometry, data: Any) -> None:
    symmetric = geometry.pads[: geometry.rank]
    extra = tuple(
        data.draw(st.integers(0, max(stride, dilation) - 1))
        for stride, dilation in zip(geometry.strides, geometry.dilations, strict=True)
    )
    size = tuple(dim + 6 for dim in geometry.x[2:])
    convolve = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}[geometry.rank]
    expected = convolve(
        empty(*geometry.x[:2], *size),
        empty(*geometry.w),
        stride=geometry.strides,
        padding=symmetric,
        output_padding=extra,
        groups=geometry.group,
        dilation=geometry.dilations,
    ).shape
    attributes = {**geometry.attributes, "pads": symmetric * 2, "output_padding": extra}
    result = run("ConvTranspose", spec(*geometry.x[:2], *size), spec(*geometry.w, name="w"), **attributes)
    assert shape(result) == tuple(expected)


@pytest.mark.parametrize(
    "attributes",
    [
        {"auto_pad": "SAME_UPPER"},
        {"auto_pad": "SAME_LOWER"},
        {"auto_pad": "VALID"},
        {"output_shape": (11, 20)},
        {"output_shape": (12, 22), "auto_pad": "SAME_UPPER"},
        {"output_padding": (1, 2)},
        {"kernel_shape": (3, 4)},
    ],
    ids=str,
)
def test_transposed_attributes_have_the_output_shape_of_onnx_runtime(attributes: dict[str, Any]) -> None:
    x, w = (2, 4, 5, 7), (4, 3, 3, 4)
    result = run("ConvTranspose", spec(*x), spec(*w, name="w"), strides=(2, 3), group=2, **attributes)
    expected = executed_shapes("ConvTranspose", zeros(*x), zeros(*w), strides=(2, 3), group=2, **attributes)
    assert [shape(result)] == expected
    assert result.cost.mult_adds == prod(x) * 3 * 12


def test_transposed_bias_is_an_operation_an_output_element() -> None:
    result = run("ConvTranspose", spec(1, 2, 3, 4), spec(2, 5, 3, 2, name="w"), spec(5, name="b"), strides=(2, 1))
    assert shape(result) == (1, 5, 7, 5)
    assert result.cost.element_ops == 5 * 7 * 5


@pytest.mark.parametrize(
    ("w", "attributes", "message"),
    [
        ((3, 2, 3, 2), {}, "input channels"),
        ((4, 2, 3, 2), {"group": 3}, "input channels in groups"),
        ((4, 2, 3, 2), {"kernel_shape": (2, 2)}, "kernel_shape and weight"),
        ((4, 2, 3, 2), {"kernel_shape": (3,)}, "2 spatial dims"),
        ((4, 2, 3, 2), {"output_padding": (1,)}, "output_padding"),
        ((4, 2, 3, 2), {"output_shape": (9,)}, "output_shape"),
        ((4, 2, 3, 2), {"pads": (4, 4, 4, 4)}, "not negative"),
    ],
)
def test_transposed_what_does_not_fit_is_refused(w: Ints, attributes: dict[str, Any], message: str) -> None:
    with pytest.raises(ShapeError, match=message):
        run("ConvTranspose", spec(2, 4, 5, 3), spec(*w, name="w"), **attributes)


# -- deformable


def test_deformable_counts_like_the_plain_one_with_its_sampling_apart() -> None:
    geometry = Geometry((2, 4, 7, 6), (6, 2, 3, 2), (2, 1), (2, 1), (1, 0, 2, 1), group=2)
    y, count = convolved(*geometry.arrays(), geometry)
    n, _, *places = y.shape
    x, w = spec(*geometry.x), spec(*geometry.w, name="w")
    offset, mask = spec(n, 2 * 6, *places, name="offset"), spec(n, 6, *places, name="mask")
    plain = run("DeformConv", x, w, offset, **geometry.attributes)
    masked = run("DeformConv", x, w, offset, None, mask, **geometry.attributes)
    assert shape(plain) == shape(masked) == y.shape
    assert plain.cost.mult_adds == masked.cost.mult_adds == count
    sampled = n * geometry.x[1] * 6 * prod(places)
    assert (plain.cost.element_ops, masked.cost.element_ops) == (11 * sampled, 12 * sampled)


def test_deformable_shapes_are_onnx_runtimes() -> None:
    inputs: Sequence[Ints] = [(2, 4, 7, 6), (6, 2, 3, 2), (2, 24, 3, 6)]
    attributes = {"strides": (2, 1), "dilations": (2, 1), "pads": (1, 0, 2, 1), "group": 2, "offset_group": 2}
    specs = [spec(*size, name=f"i{i}") for i, size in enumerate(inputs)]
    result = run("DeformConv", *specs, **attributes)
    assert [shape(result)] == executed_shapes("DeformConv", *(zeros(*size) for size in inputs), **attributes)

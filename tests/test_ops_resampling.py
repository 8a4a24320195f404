"""Other sizes, grids and regions: shapes against runtimes' rules, costs from first principles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from costmodel.columns import Column
from costmodel.dims import symbol
from costmodel.errors import ShapeError
from costmodel.graph import Counting, TensorSpec
from costmodel.ops import Applied, apply, as_value


def spec(*shape: Any, dtype: str = "float32", name: str = "x") -> TensorSpec:
    return TensorSpec(shape, dtype, name)


def values(*items: Any, dtype: str = "int64") -> TensorSpec:
    return TensorSpec((len(items),), dtype, "values", as_value(items))


def run(op_type: str, *inputs: TensorSpec | None, declared: Sequence[Any] = (), **attributes: Any) -> Applied:
    return apply(op_type, "", inputs, attributes, ["y"], declared)


X = spec(2, 3, 7, 10)


@pytest.mark.parametrize(
    "result",
    [
        run("Resize", X, values(1.0, 1.0, 2.0, 3.0)),  # opset 10
        run("Resize", X, None, values(1.0, 1.0, 2.0, 3.0)),  # opset 13
        run("Resize", X, None, None, values(2, 3, 14, 30)),
        run("Resize", X, None, values(), values(2, 3, 14, 30)),  # an empty tensor stands for none
        run("Resize", X, None, values(2.0, 3.0), axes=(2, -1)),  # opset 18
        run("Upsample", X, scales=(1.0, 1.0, 2.0, 3.0)),  # opset 7
        run("Upsample", X, values(1.0, 1.0, 2.0, 3.0)),  # opset 9
    ],
)
def test_every_opset_says_the_same_size_in_its_own_way(result: Applied) -> None:
    assert result.outputs[0].shape == (2, 3, 14, 30)
    assert result.cost.element_ops == 0
    assert result.cost.memory_access == 2 * 3 * 7 * 10 * (1 + 6)


def test_sizes_of_fractional_scales_are_rounded_as_runtimes_do() -> None:
    # 0.7 is 0.699999988 as a float32, and 10 times that is 7 again in float32 arithmetic
    scale = float(np.float32(0.7))
    assert run("Resize", spec(1, 10), None, values(1.0, scale)).outputs[0].shape == (1, 7)
    assert run("Resize", spec(1, 345), None, values(1.0, float(np.float32(2.8)))).outputs[0].shape == (1, 966)
    assert run("Resize", spec(1, 11), None, values(1.0, scale)).outputs[0].shape == (1, 7)


@settings(deadline=None)  # the first call imports sympy
@given(st.integers(1, 5000), st.sampled_from([0.25, 0.3, 0.5, 0.7, 1.5, 2.0, 1 / 3, 2.25]))
def test_fractional_scales_agree_for_ints_columns_and_symbols(size: int, exact: float) -> None:
    scale = values(1.0, float(np.float32(exact)))

    def dim(size: Any) -> Any:
        return (run("Resize", spec(1, size), None, scale).outputs[0].shape or ())[1]

    number = dim(size)
    assert dim(Column(np.array([size, 12]))).values[0] == number
    formula = dim(symbol("s"))
    assert formula.subs(symbol("s"), size) == number


def test_a_scale_that_is_an_expression_gives_an_exact_size() -> None:
    s = symbol("s")
    result = run("Resize", spec(1, 3 * s), None, values(1, (s + 1) / (3 * s)))
    assert result.outputs[0].shape == (1, s + 1)


@pytest.mark.parametrize(("policy", "expected"), [("not_larger", (5, 8)), ("not_smaller", (7, 11))])
def test_the_aspect_ratio_is_kept_within_or_around_the_sizes(policy: str, expected: tuple[int, int]) -> None:
    # 9 x 14 into 7 x 8: scales 7/9 = 0.778 and 8/14 = 0.571; 0.571 * 9 = 5.14 and 0.778 * 14 = 10.9
    x = spec(1, 1, 9, 14)
    result = run("Resize", x, None, None, values(7, 8), axes=(2, 3), keep_aspect_ratio_policy=policy)
    assert result.outputs[0].shape == (1, 1, *expected)


def test_half_a_pixel_rounds_up() -> None:
    # scale 1/2 from the first dim; 5 / 2 = 2.5 -> 3
    result = run("Resize", spec(4, 5), None, None, values(2, 9), keep_aspect_ratio_policy="not_larger")
    assert result.outputs[0].shape == (2, 3)


@pytest.mark.parametrize(
    ("mode", "scales", "taps"),
    [
        ("nearest", (1.0, 1.0, 2.0, 2.0), 0),
        ("linear", (1.0, 1.0, 2.0, 2.0), 4),
        ("linear", (1.0, 1.0, 1.0, 2.0), 2),
        ("cubic", (1.0, 1.0, 2.0, 2.0), 16),
        ("cubic", (1.0, 1.0, 1.0, 1.0), 0),
    ],
)
def test_interpolation_costs_a_product_and_a_sum_for_each_tap(mode: str, scales: tuple[float, ...], taps: int) -> None:
    result = run("Resize", X, None, values(*scales), mode=mode)
    assert result.cost.element_ops == 2 * taps * (result.outputs[0].elements)


def test_sizes_that_depend_on_data_come_from_the_declaration_or_are_unknown() -> None:
    hidden = spec(4, name="scales")
    known = run("Resize", X, None, hidden, declared=[spec(2, 3, 5, 5)])
    assert known.outputs[0].shape == (2, 3, 5, 5)
    assert known.counting is Counting.COUNTED
    assert run("Resize", X, None, hidden).counting is Counting.UNKNOWN


@pytest.mark.parametrize("scale", [0.0, -1.0, float("nan"), float("inf")])
def test_scales_that_make_no_size_are_named(scale: float) -> None:
    with pytest.raises(ShapeError, match=f"a scale is {scale}"):
        run("Resize", spec(5), None, values(scale))


def test_missing_and_double_sizes_are_refused() -> None:
    with pytest.raises(ShapeError, match="0 scales and 0 sizes"):
        run("Resize", X)
    with pytest.raises(ShapeError, match="1 scales and 1 sizes"):
        run("Resize", spec(4), None, values(2.0), values(8))


@pytest.mark.parametrize(("mode", "taps"), [("nearest", 0), ("bilinear", 4), ("linear", 4), ("cubic", 16)])
def test_grid_sample_takes_its_size_from_the_grid(mode: str, taps: int) -> None:
    grid = spec(2, 5, 4, 2, name="grid")
    result = run("GridSample", X, grid, mode=mode)
    assert result.outputs[0].shape == (2, 3, 5, 4)
    assert result.cost.element_ops == 2 * (2 * 5 * 4 * 2) + 2 * taps * (2 * 3 * 5 * 4)


def test_volumetric_grid_sample_has_eight_taps() -> None:
    result = run("GridSample", spec(1, 2, 3, 4, 5), spec(1, 2, 2, 2, 3, name="grid"))
    assert result.cost.element_ops == 2 * 24 + 2 * 8 * 16


def test_affine_grid_is_one_small_matrix_product_a_point() -> None:
    result = run("AffineGrid", spec(2, 3, 4), values(2, 9, 5, 6, 7))
    assert result.outputs[0].shape == (2, 5, 6, 7, 3)
    count = 0
    for _ in np.ndindex(2, 5, 6, 7):
        for _coordinate in range(3):
            count += 4
    assert result.cost.mult_adds == count


def test_roi_align_samples_each_bin_and_says_when_sampling_adapts() -> None:
    rois, batch = spec(5, 4, name="rois"), spec(5, dtype="int64", name="batch")
    fixed = run("RoiAlign", X, rois, batch, output_height=3, output_width=2, sampling_ratio=3)
    assert fixed.outputs[0].shape == (5, 3, 3, 2)
    assert fixed.cost.element_ops == 5 * 3 * 3 * 2 * 9 * 9
    assert fixed.counting is Counting.COUNTED
    assert run("RoiAlign", X, rois, batch).counting is Counting.APPROXIMATED


def test_max_roi_pool_gives_one_map_a_region() -> None:
    result = run("MaxRoiPool", X, spec(4, 5, name="rois"), pooled_shape=(3, 2))
    assert result.outputs[0].shape == (4, 3, 3, 2)
    assert result.counting is Counting.APPROXIMATED


def test_center_crop_reads_what_remains_and_pad_writes_what_is_new() -> None:
    result = run("CenterCropPad", X, values(4, 12), axes=(2, 3))
    assert result.outputs[0].shape == (2, 3, 4, 12)
    assert result.cost.input_elements == 2 * 3 * 4 * 10
    assert result.cost.output_elements == 2 * 3 * 4 * 12


def test_col2im_adds_every_column_into_the_image() -> None:
    # a 5 x 9 image, padded by 1 on the left; blocks of 2 x 3 taps, dilated by 2 along the width: 4 x 6 places
    columns = spec(2, 3 * 6, 24)
    result = run("Col2Im", columns, values(5, 9), values(2, 3), dilations=(1, 2), pads=(0, 1, 0, 0))
    assert result.outputs[0].shape == (2, 3, 5, 9)
    assert result.cost.element_ops == 2 * 18 * 24
    with pytest.raises(ShapeError, match="blocks that fit"):
        run("Col2Im", columns, values(5, 9), values(2, 3))


def test_max_unpool_undoes_the_size_of_the_pooling() -> None:
    x, indices = spec(1, 2, 3, 4), spec(1, 2, 3, 4, dtype="int64", name="i")
    plain = run("MaxUnpool", x, indices, kernel_shape=(2, 3), strides=(2, 3))
    assert plain.outputs[0].shape == (1, 2, 6, 12)
    padded = run("MaxUnpool", x, indices, kernel_shape=(3, 3), strides=(2, 2), pads=(1, 0, 1, 0))
    assert padded.outputs[0].shape == (1, 2, 5, 9)
    told = run("MaxUnpool", x, indices, values(1, 2, 7, 13), kernel_shape=(2, 3), strides=(2, 3))
    assert told.outputs[0].shape == (1, 2, 7, 13)
    assert told.cost.element_ops == 0

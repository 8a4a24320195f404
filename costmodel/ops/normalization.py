"""Normalisations and softmax.

Those that measure the data at run time make passes over it: a sum, a centred square and a scaling. The
scalar operations of all passes are counted; none is a mult-add.
"""

from __future__ import annotations

from costmodel.dims import Shape
from costmodel.graph import TensorSpec
from costmodel.ops.registry import Result, example, operator
from costmodel.ops.shapes import axis_index, dims, tensor

_MAP = example("N C H W")
_AFFINE = example("N C H W", "C", "C")


def _per_element(x: TensorSpec, ops: int) -> Result:
    return Result((TensorSpec(dims(x), x.dtype),), element_ops=ops * x.elements)


@operator("BatchNormalization", example=example("N C H W", "C", "C", "C", "C"))
def batch_normalization(
    x: TensorSpec,
    scale: TensorSpec,
    bias: TensorSpec,
    mean: TensorSpec,
    variance: TensorSpec,
    /,
    *,
    training_mode: int = 0,
) -> Result:
    """element_ops = 2 x elements in inference (a scaling and a shift), 6 in training; the running mean and
    variance are statistics, not parameters."""
    y = TensorSpec(dims(x, at_least=1), x.dtype)
    channels = dims(mean)
    state = tuple(TensorSpec(channels, mean.dtype) for _ in range(4))
    return Result((y, *state), element_ops=(6 if training_mode else 2) * x.elements, params={3: 0, 4: 0})


@operator("InstanceNormalization", "GroupNormalization", example=_AFFINE)
def instance_normalization(x: TensorSpec, scale: TensorSpec, bias: TensorSpec, /) -> Result:
    """element_ops = 7 x elements: mean 1, variance 3, normalise 1, scale and shift 2."""
    return _per_element(x, 7)


@operator("LayerNormalization", example=example("N S F", "F", "F"))
def layer_normalization(
    x: TensorSpec, scale: TensorSpec, bias: TensorSpec | None = None, /, *, axis: int = -1
) -> Result:
    """element_ops = 6 x elements (mean 1, variance 3, normalise 1, scale 1), 7 with a bias."""
    shape = dims(x, at_least=1)
    statistics = _kept(shape, axis)
    outputs = (TensorSpec(shape, x.dtype), tensor(statistics, "float32"), tensor(statistics, "float32"))
    return Result(outputs, element_ops=(6 if bias is None else 7) * x.elements)


def _kept(shape: Shape, axis: int) -> Shape:
    at = axis_index(axis, len(shape))
    return (*shape[:at], *(1 for _ in shape[at:]))


@operator("RMSNormalization", "SimplifiedLayerNormalization", example=example("N S F", "F"))
def rms_normalization(x: TensorSpec, scale: TensorSpec, /, *, axis: int = -1) -> Result:
    """element_ops = 4 x elements: square, sum, normalise, scale."""
    shape = dims(x, at_least=1)
    outputs = (TensorSpec(shape, x.dtype), tensor(_kept(shape, axis), "float32"))
    return Result(outputs, element_ops=4 * x.elements)


@operator("MeanVarianceNormalization", example=_MAP)
def mean_variance_normalization(x: TensorSpec, /) -> Result:
    """element_ops = 5 x elements: mean 1, variance 3, normalise 1."""
    return _per_element(x, 5)


@operator("LpNormalization", example=_MAP)
def lp_normalization(x: TensorSpec, /) -> Result:
    """element_ops = 3 x elements: power, sum, division."""
    return _per_element(x, 3)


@operator("LRN", example=example("N C H W", size=5))
def lrn(x: TensorSpec, /, *, size: int) -> Result:
    """element_ops = (size + 4) x elements: the window's sum, a square, a scaling, a power, a division."""
    return _per_element(x, size + 4)


@operator("Softmax", "LogSoftmax", example=example("N C"))
def softmax(x: TensorSpec, /) -> Result:
    """element_ops = 5 x elements: maximum, difference, exponential, sum, division."""
    return _per_element(x, 5)


@operator("Hardmax", example=example("N C"))
def hardmax(x: TensorSpec, /) -> Result:
    """element_ops = 2 x elements: maximum and comparison."""
    return _per_element(x, 2)

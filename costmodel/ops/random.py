"""Random tensors. A draw is one operation; what happens to it afterwards is one more each."""

from __future__ import annotations

from costmodel.dims import as_dim
from costmodel.dtypes import from_onnx
from costmodel.graph import TensorSpec
from costmodel.ops.registry import Result, example, operator
from costmodel.ops.shapes import dims, tensor

_SHAPE = example(shape=(2, 3, 5))


def _like(x: TensorSpec, dtype: int) -> TensorSpec:
    return tensor(dims(x), from_onnx(dtype) if dtype else x.dtype)


@operator("RandomNormal", "RandomUniform", example=_SHAPE)
def random(*, shape: tuple[int, ...], dtype: int = 1) -> Result:
    """element_ops = 3 x elements: a draw, a scaling, a shift."""
    out = tensor([as_dim(dim, "an entry of shape") for dim in shape], from_onnx(dtype))
    return Result((out,), element_ops=3 * out.elements)


@operator("RandomNormalLike", "RandomUniformLike", example=example("N C"))
def random_like(x: TensorSpec, /, *, dtype: int = 0) -> Result:
    """element_ops = 3 x elements: a draw, a scaling, a shift; the input gives its shape only."""
    return Result((_like(x, dtype),), element_ops=3 * x.elements, reads={0: 0}, params={0: 0})


@operator("Bernoulli", example=example("N C"))
def bernoulli(x: TensorSpec, /, *, dtype: int = 0) -> Result:
    """element_ops = 2 x elements: a draw and a comparison."""
    return Result((_like(x, dtype),), element_ops=2 * x.elements)


@operator("Multinomial", example=example("N C", sample_size=7))
def multinomial(x: TensorSpec, /, *, dtype: int = 6, sample_size: int = 1) -> Result:
    """element_ops = 2 x elements (exponential and running sum) + draws."""
    batch, _ = dims(x, rank=2)
    out = tensor((batch, as_dim(sample_size, "sample_size")), from_onnx(dtype))
    return Result((out,), element_ops=2 * x.elements + out.elements)

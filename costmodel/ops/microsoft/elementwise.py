"""Activations, biases and other element-wise operators (com.microsoft)."""

from __future__ import annotations

from costmodel.dims import exact_div, same
from costmodel.graph import TensorSpec
from costmodel.ops.composition import fused, of
from costmodel.ops.registry import Result, example, operator
from costmodel.ops.shapes import dims, elementwise, tensor

DOMAIN = "com.microsoft"
_ONE = example("B S F")


@operator("QuickGelu", domain=DOMAIN, example=_ONE)
def quick_gelu(x: TensorSpec, /) -> Result:
    """x sigmoid(alpha x): ONNX's Swish, and one operation for alpha."""
    return fused(of("Swish", x), element_ops=x.elements)


@operator("ScaledSiLU", domain=DOMAIN, example=_ONE, settings=("scale",))
def scaled_silu(x: TensorSpec, scale: TensorSpec | None = None, /) -> Result:
    """Swish of the scaled input: ONNX's Swish, and one operation for the scale."""
    return fused(of("Swish", x), element_ops=x.elements)


@operator("FastGelu", domain=DOMAIN, example=example("B S F", "F"))
def fast_gelu(x: TensorSpec, bias: TensorSpec | None = None, /) -> Result:
    """An optional bias, then Gelu."""
    return of("Gelu", x) if bias is None else bias_gelu(x, bias)


@operator("BiasGelu", domain=DOMAIN, example=example("B S F", "F"))
def bias_gelu(a: TensorSpec, b: TensorSpec, /) -> Result:
    """Add, then Gelu."""
    added = of("Add", a, b)
    return fused(added, of("Gelu", added.outputs[0]))


@operator("BiasAdd", domain=DOMAIN, example=example("N S C", "C", "N S C"))
def bias_add(x: TensorSpec, bias: TensorSpec, skip: TensorSpec, /) -> Result:
    """element_ops = 2 x elements: a bias and a residual."""
    return of("Sum", x, bias, skip)


@operator("BiasSplitGelu", domain=DOMAIN, example=example("N S 2*D", "2*D"))
def bias_split_gelu(x: TensorSpec, bias: TensorSpec, /) -> Result:
    """A bias; then one half times the Gelu of the other."""
    *rest, width = dims(x, at_least=1)
    half = tensor((*rest, exact_div(width, 2, "BiasSplitGelu halves")), x.dtype)
    return fused(of("Add", x, bias), of("Gelu", half), of("Mul", half, half))


@operator("BiasSoftmax", domain=DOMAIN, example=example("B H S T", "B 1 1 T", axis=3, is_inner_broadcast=0))
def bias_softmax(data: TensorSpec, bias: TensorSpec, /) -> Result:
    """Add, then Softmax; the bias may be repeated along the data's inner dims."""
    return fused(of("Softmax", data), element_ops=data.elements)


@operator("BiasDropout", domain=DOMAIN, example=example("B S F", "F", "B S F"), settings=("ratio", "training_mode"))
def bias_dropout(
    data: TensorSpec,
    bias: TensorSpec,
    residual: TensorSpec | None = None,
    ratio: TensorSpec | None = None,
    training_mode: TensorSpec | None = None,
    /,
) -> Result:
    """A bias, Dropout, a residual; Dropout is nothing in inference."""
    added = of("Add", data, bias)
    dropout = of("Dropout", added.outputs[0], ratio, training_mode)
    residuals = [] if residual is None else [of("Add", added.outputs[0], residual)]
    return fused(added, dropout, *residuals, outputs=dropout.outputs)


@operator("GatedAdd", domain=DOMAIN, example=example("B S F", "B S F", "B S 1"))
def gated_add(x: TensorSpec, y: TensorSpec, gate: TensorSpec, /) -> Result:
    """element_ops = 2 x elements: a product and a sum."""
    return elementwise(x, y, gate, ops=2)


@operator("LinearAttentionGate", domain=DOMAIN, example=example("B S H", "H", "H", "B S H"))
def linear_attention_gate(
    a: TensorSpec, dt_bias: TensorSpec, decay_scale: TensorSpec, b: TensorSpec | None = None, /
) -> Result:
    """A bias, Softplus, a scaling; and the Sigmoid of the other input where it is there."""
    gates = [] if b is None else [of("Sigmoid", b)]
    decay = of("Softplus", a)
    beta = tensor(dims(a), a.dtype)
    return fused(of("Add", a, dt_bias), decay, of("Mul", a, decay_scale), *gates, outputs=(*decay.outputs, beta))


@operator("ComplexMul", "ComplexMulConj", domain=DOMAIN, example=example("N C 2", "N C 2"))
def complex_mul(a: TensorSpec, b: TensorSpec, /) -> Result:
    """element_ops = 3 x elements: a complex product is four products and two sums, and has two elements."""
    return elementwise(a, b, ops=3)


@operator("Inverse", domain=DOMAIN, example=example("N K K"))
def inverse(x: TensorSpec, /) -> Result:
    """element_ops = 2 n^3 a matrix: Gauss-Jordan elimination."""
    *_, rows, columns = dims(x, at_least=2)
    n = same(rows, columns, "rows and columns of Inverse")
    out = tensor(dims(x), x.dtype)
    ops = 2 * out.elements * n
    return Result((out,), element_ops=ops, approximate="Inverse is counted as 2 n^3 operations a matrix")

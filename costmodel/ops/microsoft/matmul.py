"""Matrix products with something fused into them, of floats and of integers (com.microsoft)."""

from __future__ import annotations

from costmodel.dims import Shape, product, same
from costmodel.dtypes import from_onnx
from costmodel.graph import TensorSpec
from costmodel.ops.composition import activation as activated
from costmodel.ops.composition import fused, of
from costmodel.ops.registry import Result, example, operator
from costmodel.ops.shapes import dims, tensor

DOMAIN = "com.microsoft"
_RESCALE = 2  # operations an output element of an integer product
_QUANTISE = 4  # operations an element whose range is found at run time: minimum, maximum, scaling, rounding


# -- transposed, scaled, activated


def _arranged(x: TensorSpec, transposed: int, batch_first: int) -> TensorSpec:
    """An operand as MatMul wants it. batch_first: its rows come before its batch dims."""
    shape = dims(x, at_least=1)
    if len(shape) < 2:
        return x
    if batch_first:
        shape = (*shape[1:-1], shape[0], shape[-1])
    if transposed:
        shape = (*shape[:-2], shape[-1], shape[-2])
    return TensorSpec(shape, x.dtype, x.name)


def _fused_matmul(
    a: TensorSpec,
    b: TensorSpec,
    alpha: float,
    transA: int,
    transB: int,
    transBatchA: int = 0,
    transBatchB: int = 0,
) -> Result:
    work = of("MatMul", _arranged(a, transA, transBatchA), _arranged(b, transB, transBatchB))
    return fused(work, element_ops=work.outputs[0].elements if alpha != 1.0 else 0)


@operator("TransposeMatMul", domain=DOMAIN, example=example("B K M", "B K N", transA=1))
def transpose_matmul(
    a: TensorSpec, b: TensorSpec, /, *, alpha: float = 1.0, transA: int = 0, transB: int = 0
) -> Result:
    """mult_adds = output elements x inner dim; a factor alpha other than 1 is one operation an element."""
    return _fused_matmul(a, b, alpha, transA, transB)


@operator("FusedMatMul", domain=DOMAIN, example=example("B M K", "B N K", transB=1, alpha=0.125))
def fused_matmul(
    a: TensorSpec,
    b: TensorSpec,
    /,
    *,
    alpha: float = 1.0,
    transA: int = 0,
    transB: int = 0,
    transBatchA: int = 0,
    transBatchB: int = 0,
) -> Result:
    """mult_adds = output elements x inner dim; a factor alpha other than 1 is one operation an element."""
    return _fused_matmul(a, b, alpha, transA, transB, transBatchA, transBatchB)


@operator("FusedMatMulActivation", domain=DOMAIN, example=example("B M K", "B K N", activation="Relu"))
def fused_matmul_activation(
    a: TensorSpec,
    b: TensorSpec,
    /,
    *,
    activation: str,
    alpha: float = 1.0,
    transA: int = 0,
    transB: int = 0,
    transBatchA: int = 0,
    transBatchB: int = 0,
) -> Result:
    """FusedMatMul, then an activation."""
    work = _fused_matmul(a, b, alpha, transA, transB, transBatchA, transBatchB)
    return fused(work, activated(activation, work.outputs[0]))


@operator("FusedGemm", domain=DOMAIN, example=example("M K", "N K", "N", transB=1, activation="Relu"))
def fused_gemm(
    a: TensorSpec,
    b: TensorSpec,
    c: TensorSpec | None = None,
    /,
    *,
    activation: str = "",
    alpha: float = 1.0,
    beta: float = 1.0,
    transA: int = 0,
    transB: int = 0,
) -> Result:
    """Gemm, then an activation."""
    work = of("Gemm", a, b, c, alpha=alpha, beta=beta, transA=transA, transB=transB)
    return fused(work, activated(activation, work.outputs[0]))


@operator("GemmFastGelu", domain=DOMAIN, example=example("B M K", "K N", "N"))
def gemm_fast_gelu(x: TensorSpec, w: TensorSpec, bias: TensorSpec | None = None, /) -> Result:
    """MatMul, a bias, then Gelu."""
    work = of("MatMul", x, w)
    added = [] if bias is None else [of("Add", work.outputs[0], bias)]
    return fused(work, *added, of("Gelu", work.outputs[0]))


@operator(
    "GemmFloat8",
    domain=DOMAIN,
    example=example("M K", "N K", None, "1", "1", dtypes={0: "float8e4m3fn", 1: "float8e4m3fn"}, transB=1),
    settings=("scale_a", "scale_b", "scale_y"),
)
def gemm_float8(
    a: TensorSpec,
    b: TensorSpec,
    c: TensorSpec | None = None,
    scale_a: TensorSpec | None = None,
    scale_b: TensorSpec | None = None,
    scale_y: TensorSpec | None = None,
    /,
    *,
    activation: str = "",
    alpha: float = 1.0,
    beta: float = 0.0,
    dtype: int = 1,
    transA: int = 0,
    transB: int = 0,
) -> Result:
    """Gemm on 8-bit floats, then an activation; each scale is one operation an output element."""
    work = of("Gemm", a, b, c, alpha=alpha, beta=beta, transA=transA, transB=transB)
    out = tensor(dims(work.outputs[0]), from_onnx(dtype))
    scales = sum(scale is not None for scale in (scale_a, scale_b, scale_y))
    return fused(work, activated(activation.lower(), out), outputs=(out,), element_ops=scales * out.elements)


# -- integers


@operator("MatMulInteger16", domain=DOMAIN, example=example("B M K", "K N", dtypes={0: "int16", 1: "int16"}))
def matmul_integer16(a: TensorSpec, b: TensorSpec, /) -> Result:
    """mult_adds = output elements x inner dim, summed in int32."""
    return _typed(of("MatMul", a, b), "int32")


def _typed(work: Result, dtype: str) -> Result:
    return fused(work, outputs=(tensor(dims(work.outputs[0]), dtype),))


@operator(
    "MatMulIntegerToFloat",
    domain=DOMAIN,
    example=example("B M K", "K N", "", "", "", "", "N", dtypes={0: "uint8", 1: "int8", 4: "uint8", 5: "int8"}),
    settings=("a_scale", "b_scale", "a_zero_point", "b_zero_point"),
)
def matmul_integer_to_float(
    a: TensorSpec,
    b: TensorSpec,
    a_scale: TensorSpec,
    b_scale: TensorSpec,
    a_zero_point: TensorSpec | None = None,
    b_zero_point: TensorSpec | None = None,
    bias: TensorSpec | None = None,
    /,
) -> Result:
    """mult_adds = output elements x inner dim; rescaling each output element is two operations, the
    bias one."""
    work = _typed(of("MatMul", a, b), a_scale.dtype)
    per_element = _RESCALE + (1 if bias is not None else 0)
    return fused(work, element_ops=per_element * work.outputs[0].elements)


@operator(
    "DynamicQuantizeMatMul",
    domain=DOMAIN,
    example=example("B M K", "K N", "", "", "N", dtypes={1: "int8", 3: "int8"}),
    settings=("b_scale", "b_zero_point"),
)
def dynamic_quantize_matmul(
    a: TensorSpec,
    b: TensorSpec,
    b_scale: TensorSpec,
    b_zero_point: TensorSpec | None = None,
    bias: TensorSpec | None = None,
    /,
) -> Result:
    """MatMulIntegerToFloat, after A is quantised with four operations an element."""
    work = matmul_integer_to_float(a, b, b_scale, b_scale, None, b_zero_point, bias)
    return fused(work, element_ops=_QUANTISE * a.elements)


@operator(
    "QGemm",
    domain=DOMAIN,
    example=example(
        "M K",
        "",
        "",
        "N K",
        "",
        "",
        "N",
        "",
        "",
        dtypes={0: "uint8", 2: "uint8", 3: "int8", 5: "int8", 6: "int32", 8: "uint8"},
        transB=1,
    ),
    settings=("a_scale", "a_zero_point", "b_scale", "b_zero_point", "y_scale", "y_zero_point"),
)
def qgemm(
    a: TensorSpec,
    a_scale: TensorSpec,
    a_zero_point: TensorSpec,
    b: TensorSpec,
    b_scale: TensorSpec,
    b_zero_point: TensorSpec,
    c: TensorSpec | None = None,
    y_scale: TensorSpec | None = None,
    y_zero_point: TensorSpec | None = None,
    /,
    *,
    alpha: float = 1.0,
    transA: int = 0,
    transB: int = 0,
) -> Result:
    """Gemm on 8-bit integers; rescaling each output element is two operations. Float where
    y_zero_point is left out."""
    work = of("Gemm", a, b, c, transA=transA, transB=transB)
    work = _typed(work, a_scale.dtype if y_zero_point is None else y_zero_point.dtype)
    return fused(work, element_ops=_RESCALE * work.outputs[0].elements)


@operator(
    "GatedRelativePositionBias",
    domain=DOMAIN,
    example=example("B S 4*D", "4*D", "1 4 S S", "D 8", "8", "1 4 1 1", num_heads=4),
)
def gated_relative_position_bias(
    query: TensorSpec,
    query_bias: TensorSpec,
    rel_pos: TensorSpec,
    weight: TensorSpec,
    bias: TensorSpec,
    eco_a: TensorSpec,
    token_offset: TensorSpec | None = None,
    /,
    *,
    num_heads: int,
) -> Result:
    """mult_adds = query elements x gate columns; 3 operations a gate column, 10 a head and token, 1
    a score."""
    *_, hidden = dims(query, at_least=2)
    size, columns = dims(weight, rank=2)
    same(size * num_heads, hidden, "head size of the gate's weight times heads, and hidden size of the query")
    sequence: Shape = dims(query)[:2] if token_offset is None else dims(token_offset, rank=2)
    batch, length = sequence
    out = tensor((batch, num_heads, length, length), query.dtype)
    rows = product(dims(query)[:-1]) * num_heads
    ops = query.elements + rows * (3 * columns + 10) + out.elements
    return Result((out,), mult_adds=query.elements * columns, element_ops=ops)

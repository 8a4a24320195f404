"""Matrix products with something fused into them, or with weights of few bits (com.microsoft)."""

from __future__ import annotations

from costmodel.dims import Dim, Shape, product, same
from costmodel.dtypes import from_onnx
from costmodel.graph import TensorSpec
from costmodel.ops.composition import activation as activated
from costmodel.ops.composition import fused, of
from costmodel.ops.registry import Result, example, operator
from costmodel.ops.shapes import dims, setting, tensor

DOMAIN = "com.microsoft"
_DEQUANTISE = 2  # operations a weight: subtract the zero point, multiply by the scale
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


# -- weights of few bits, a block of them sharing a scale


def _packed(a: TensorSpec, inner: Dim, columns: Dim, bias: TensorSpec | None = None) -> Result:
    """a by a packed weight of inner x columns; that weight's logical elements are dequantised once."""
    shape = dims(a, at_least=1)
    same(shape[-1], inner, "K and the last dim of A")
    out = tensor((*shape[:-1], columns), a.dtype)
    ops = _DEQUANTISE * inner * columns + (out.elements if bias is not None else 0)
    return Result((out,), mult_adds=out.elements * inner, element_ops=ops, params={1: inner * columns})


@operator(
    "MatMulNBits",
    domain=DOMAIN,
    example=example("B M 64", "96 2 16", "96 2", dtypes={1: "uint8"}, K=64, N=96, block_size=32),
    settings=("scales", "zero_points", "g_idx"),
)
def matmul_nbits(
    a: TensorSpec,
    b: TensorSpec,
    scales: TensorSpec,
    zero_points: TensorSpec | None = None,
    g_idx: TensorSpec | None = None,
    bias: TensorSpec | None = None,
    /,
    *,
    K: int,
    N: int,
) -> Result:
    """mult_adds = M N K; params = N K, the packed weight is read as it is stored."""
    return _packed(a, K, N, bias)


@operator(
    "MatMulBnb4",
    domain=DOMAIN,
    example=example("B M 64", "3072", "96", dtypes={1: "uint8"}, K=64, N=96, block_size=64, quant_type=1),
    settings=("absmax",),
)
def matmul_bnb4(
    a: TensorSpec, b: TensorSpec, absmax: TensorSpec, /, *, K: int, N: int, transB: int = 1
) -> Result:
    """mult_adds = M N K, with weights of 4 bits."""
    return _packed(a, K, N) if transB else _packed(a, N, K)


@operator(
    "MatMulFpQ4",
    domain=DOMAIN,
    example=example("B M 64", "3456", (64, 96), dtypes={1: "uint8"}),
    settings=("b_shape",),
)
def matmul_fpq4(a: TensorSpec, b: TensorSpec, b_shape: TensorSpec, /) -> Result:
    """mult_adds = M N K, with K and N from the shape of B."""
    inner, columns = setting(b_shape) or ()
    return _packed(a, inner, columns)


@operator(
    "MatMulBlockQuantizedFp8Weight",
    domain=DOMAIN,
    example=example("B M K", "N K", "N 1", dtypes={0: "float16", 1: "float8e4m3fn"}),
    settings=("b_scale", "a_scale"),
)
def matmul_fp8_weight(
    a: TensorSpec,
    b: TensorSpec,
    b_scale: TensorSpec,
    a_scale: TensorSpec | None = None,
    bias: TensorSpec | None = None,
    /,
) -> Result:
    """mult_adds = M N K."""
    columns, inner = dims(b, rank=2)
    work = _packed(a, inner, columns, bias)
    quantise = _DEQUANTISE * a.elements if a_scale is not None else 0
    return fused(work, element_ops=quantise, params=work.params)


@operator(
    "MatMulBlockQuantizedFp4Weight",
    domain=DOMAIN,
    example=example("B M 2*K", "N K", "N 1", "1", dtypes={0: "float16", 1: "uint8", 2: "uint8"}),
    settings=("weight_scale", "weight_scale_2", "input_scale"),
)
def matmul_fp4_weight(
    a: TensorSpec,
    b: TensorSpec,
    weight_scale: TensorSpec,
    weight_scale_2: TensorSpec,
    input_scale: TensorSpec | None = None,
    bias: TensorSpec | None = None,
    /,
) -> Result:
    """mult_adds = M N K; two weights are stored in a byte."""
    columns, half = dims(b, rank=2)
    return _packed(a, 2 * half, columns, bias)


@operator(
    "MatMulNBitsMlp",
    domain=DOMAIN,
    example=example(
        "B M 64", None, None, "96 2 16", "96 2", None, "96 2 16", "96 2",
        dtypes={3: "uint8", 6: "uint8"}, K=64, N=96, activation="silu",
    ),
    settings=("gate_scales", "up_scales"),
)  # fmt: skip
def matmul_nbits_mlp(
    a: TensorSpec,
    skip: TensorSpec | None = None,
    norm_scale: TensorSpec | None = None,
    gate_b: TensorSpec | None = None,
    gate_scales: TensorSpec | None = None,
    gate_bias: TensorSpec | None = None,
    up_b: TensorSpec | None = None,
    up_scales: TensorSpec | None = None,
    up_bias: TensorSpec | None = None,
    /,
    *,
    K: int,
    N: int,
    activation: str,
) -> Result:
    """mult_adds = 2 M N K: a gate and what it gates; the input is summed and normalised before where asked."""
    gate, up = _packed(a, K, N, gate_bias), _packed(a, K, N, up_bias)
    out = gate.outputs[0]
    return fused(
        *_normalised(a, skip, norm_scale),
        gate,
        up,
        activated(activation, out),
        outputs=(out, tensor(dims(a), a.dtype)),
        element_ops=out.elements,
        params={3: K * N, 6: K * N},
    )


@operator(
    "MatMulNBitsQkv",
    domain=DOMAIN,
    example=example(
        "B M 64", None, "64", "96 2 16", "96 2", None, "32 2 16", "32 2", None, "32 2 16", "32 2",
        dtypes={3: "uint8", 6: "uint8", 9: "uint8"}, K=64, Nq=96, Nkv=32,
    ),
    settings=("q_scales", "k_scales", "v_scales"),
)  # fmt: skip
def matmul_nbits_qkv(
    a: TensorSpec,
    skip: TensorSpec | None = None,
    norm_scale: TensorSpec | None = None,
    q_b: TensorSpec | None = None,
    q_scales: TensorSpec | None = None,
    q_bias: TensorSpec | None = None,
    k_b: TensorSpec | None = None,
    k_scales: TensorSpec | None = None,
    k_bias: TensorSpec | None = None,
    v_b: TensorSpec | None = None,
    v_scales: TensorSpec | None = None,
    v_bias: TensorSpec | None = None,
    /,
    *,
    K: int,
    Nkv: int,
    Nq: int,
) -> Result:
    """mult_adds = M K (Nq + 2 Nkv), after a normalisation."""
    parts = [_packed(a, K, n, bias) for n, bias in ((Nq, q_bias), (Nkv, k_bias), (Nkv, v_bias))]
    return fused(
        *_normalised(a, skip, norm_scale),
        *parts,
        outputs=(*(part.outputs[0] for part in parts), tensor(dims(a), a.dtype)),
        params={3: K * Nq, 6: K * Nkv, 9: K * Nkv},
    )


def _normalised(a: TensorSpec, skip: TensorSpec | None, scale: TensorSpec | None) -> list[Result]:
    parts = [] if skip is None else [of("Add", a, skip)]
    return parts if scale is None else [*parts, of("RMSNormalization", a, scale)]


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
    example=example(
        "B M K", "K N", "", "", "", "", "N", dtypes={0: "uint8", 1: "int8", 4: "uint8", 5: "int8"}
    ),
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
    """mult_adds = output elements x inner dim; rescaling each output element is two operations, the bias one."""
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
        "M K", "", "", "N K", "", "", "N", "", "",
        dtypes={0: "uint8", 2: "uint8", 3: "int8", 5: "int8", 6: "int32", 8: "uint8"}, transB=1,
    ),
    settings=("a_scale", "a_zero_point", "b_scale", "b_zero_point", "y_scale", "y_zero_point"),
)  # fmt: skip
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
    """Gemm on 8-bit integers; rescaling each output element is two operations. Float where y_zero_point is left out."""
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
    """mult_adds = query elements x gate columns; 3 operations a gate column, 10 a head and token, 1 a score."""
    *_, hidden = dims(query, at_least=2)
    size, columns = dims(weight, rank=2)
    same(size * num_heads, hidden, "head size of the gate's weight times heads, and hidden size of the query")
    sequence: Shape = dims(query)[:2] if token_offset is None else dims(token_offset, rank=2)
    batch, length = sequence
    out = tensor((batch, num_heads, length, length), query.dtype)
    rows = product(dims(query)[:-1]) * num_heads
    ops = query.elements + rows * (3 * columns + 10) + out.elements
    return Result((out,), mult_adds=query.elements * columns, element_ops=ops)

"""Matrix products with packed weights of few bits, a block of which shares a scale (com.microsoft)."""

from __future__ import annotations

from costmodel.dims import Dim, same
from costmodel.graph import TensorSpec
from costmodel.ops.composition import activation as activated
from costmodel.ops.composition import fused, of
from costmodel.ops.registry import Result, example, operator
from costmodel.ops.shapes import dims, setting, tensor

DOMAIN = "com.microsoft"
_DEQUANTISE = 2  # operations a weight: subtract the zero point, multiply by the scale


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
def matmul_bnb4(a: TensorSpec, b: TensorSpec, absmax: TensorSpec, /, *, K: int, N: int, transB: int = 1) -> Result:
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
        "B M 64",
        None,
        None,
        "96 2 16",
        "96 2",
        None,
        "96 2 16",
        "96 2",
        dtypes={3: "uint8", 6: "uint8"},
        K=64,
        N=96,
        activation="silu",
    ),
    settings=("gate_scales", "up_scales"),
)
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
    """mult_adds = 2 M N K: a gate and what it gates; the input is summed and normalised before
    where asked."""
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
        "B M 64",
        None,
        "64",
        "96 2 16",
        "96 2",
        None,
        "32 2 16",
        "32 2",
        None,
        "32 2 16",
        "32 2",
        dtypes={3: "uint8", 6: "uint8", 9: "uint8"},
        K=64,
        Nq=96,
        Nkv=32,
    ),
    settings=("q_scales", "k_scales", "v_scales"),
)
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

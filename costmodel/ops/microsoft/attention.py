"""Attention that contains the projections of its queries, keys and values (com.microsoft).

As in ONNX's Attention, scores are counted over full matrices: masks do not lower the count.
"""

from __future__ import annotations

from costmodel.dims import Dim, exact_div, same
from costmodel.errors import ShapeError
from costmodel.graph import TensorSpec
from costmodel.ops.attention import ROTATION, attend
from costmodel.ops.composition import fused, needed, of
from costmodel.ops.microsoft.caches import cache_of, known
from costmodel.ops.registry import Result, example, operator
from costmodel.ops.shapes import dims, tensor

DOMAIN = "com.microsoft"
Ints = tuple[int, ...]


def projection(x: TensorSpec, weights: TensorSpec, bias: TensorSpec | None) -> Result:
    """x by the merged weights of queries, keys and values."""
    work = of("MatMul", x, weights)
    return fused(work, element_ops=work.outputs[0].elements if bias is not None else 0)


def projected_sizes(width: Dim, given: Ints) -> tuple[Dim, Dim, Dim]:
    """Widths of queries, keys and values in the merged projection."""
    if given:
        if len(given) != 3:
            raise ShapeError(f"qkv_hidden_sizes is {given}; it has one entry each for queries, keys and values")
        same(given[0] + given[1] + given[2], width, "sum of qkv_hidden_sizes and columns of the weights")
        return given
    third = exact_div(width, 3, "columns of the merged weights of queries, keys and values")
    return third, third, third


def _self_attention(
    x: TensorSpec,
    weights: TensorSpec,
    bias: TensorSpec | None,
    past: TensorSpec | None,
    heads: Dim,
    *extras: object,
    filled: TensorSpec | None = None,
    shared: int = 0,
    sizes: Ints = (),
    rotary: int = 0,
    dtype: str = "",
) -> Result:
    batch, length, _ = dims(x, rank=3)
    q_size, k_size, v_size = projected_sizes(dims(weights, rank=2)[1], sizes)
    same(q_size, k_size, "hidden sizes of queries and keys")
    key_head, value_head = (exact_div(size, heads, f"hidden size in {heads} heads") for size in (q_size, v_size))
    cache = cache_of(None if past is None else dims(past, rank=5)[3], length, bool(shared), known(filled))
    work = attend(batch * length * cache.met, heads, key_head, value_head, *extras)
    dtype = dtype or x.dtype
    outputs = (
        tensor((batch, length, v_size), dtype),
        tensor((2, batch, heads, cache.written, key_head), dtype if past is None else past.dtype),
    )
    turned = batch * length * 2 * q_size if rotary else 0
    return fused(
        projection(x, weights, bias),
        work,
        outputs=outputs,
        element_ops=ROTATION * turned,
        approximate=cache.approximate,
    )


@operator(
    "Attention",
    domain=DOMAIN,
    example=example("B S I", "I 12*D", "12*D", "B S", "2 B 4 P D", dtypes={3: "int32"}, num_heads=4),
    settings=("past_sequence_length",),
)
def attention(
    x: TensorSpec,
    weights: TensorSpec,
    bias: TensorSpec | None = None,
    mask_index: TensorSpec | None = None,
    past: TensorSpec | None = None,
    attention_bias: TensorSpec | None = None,
    past_sequence_length: TensorSpec | None = None,
    /,
    *,
    do_rotary: int = 0,
    num_heads: int,
    past_present_share_buffer: int = 0,
    qkv_hidden_sizes: Ints = (),
    unidirectional: int = 0,
) -> Result:
    """mult_adds = tokens x input size x (columns of weights) + heads x queries x keys x (head sizes
    of keys + values)."""
    return _self_attention(
        x,
        weights,
        bias,
        past,
        num_heads,
        mask_index,
        attention_bias,
        unidirectional,
        filled=past_sequence_length,
        shared=past_present_share_buffer,
        sizes=qkv_hidden_sizes,
        rotary=do_rotary,
    )


@operator(
    "DecoderMaskedSelfAttention",
    domain=DOMAIN,
    example=example("B 1 I", "I 12*D", "12*D", None, "2 B 4 P D", None, (0,), num_heads=4),
    settings=("past_sequence_length", "beam_width"),
)
def decoder_masked_self_attention(
    x: TensorSpec,
    weights: TensorSpec,
    bias: TensorSpec,
    mask_index: TensorSpec | None = None,
    past: TensorSpec | None = None,
    attention_bias: TensorSpec | None = None,
    past_sequence_length: TensorSpec | None = None,
    beam_width: TensorSpec | None = None,
    cache_indirection: TensorSpec | None = None,
    /,
    *,
    do_rotary: int = 0,
    num_heads: int,
    past_present_share_buffer: int = 0,
) -> Result:
    """Attention for one new token a sequence."""
    return _self_attention(
        x,
        weights,
        bias,
        needed(past, "past"),
        num_heads,
        mask_index,
        attention_bias,
        filled=past_sequence_length,
        shared=past_present_share_buffer,
        rotary=do_rotary,
    )


@operator(
    "QAttention",
    domain=DOMAIN,
    example=example("B S I", "I 12*D", "12*D", "1", "1", "B", dtypes={0: "uint8", 1: "int8", 5: "int32"}, num_heads=4),
    settings=("input_scale", "weight_scale", "input_zero_point", "weight_zero_point"),
)
def q_attention(
    x: TensorSpec,
    weights: TensorSpec,
    bias: TensorSpec,
    input_scale: TensorSpec,
    weight_scale: TensorSpec,
    mask_index: TensorSpec | None = None,
    input_zero_point: TensorSpec | None = None,
    weight_zero_point: TensorSpec | None = None,
    past: TensorSpec | None = None,
    /,
    *,
    do_rotary: int = 0,
    num_heads: int,
    past_present_share_buffer: int = 0,
    unidirectional: int = 0,
) -> Result:
    """Attention with an 8-bit projection; rescaling each projected element is two operations."""
    work = _self_attention(
        x,
        weights,
        bias,
        past,
        num_heads,
        mask_index,
        unidirectional,
        shared=past_present_share_buffer,
        rotary=do_rotary,
        dtype=bias.dtype,
    )
    batch, length, _ = dims(x)
    return fused(work, element_ops=2 * batch * length * dims(weights)[1])


@operator(
    "LongformerAttention",
    domain=DOMAIN,
    example=example("B S 4*D", "4*D 12*D", "12*D", "B S", "4*D 12*D", "12*D", "B S", num_heads=4, window=8),
)
def longformer_attention(
    x: TensorSpec,
    weight: TensorSpec,
    bias: TensorSpec,
    mask: TensorSpec,
    global_weight: TensorSpec,
    global_bias: TensorSpec,
    global_flags: TensorSpec,
    /,
    *,
    num_heads: int,
    window: int,
) -> Result:
    """mult_adds = projection + heads x tokens x (2 window + 1) x 2 head size: every token meets its
    neighbours."""
    batch, length, hidden = dims(x, rank=3)
    size = exact_div(hidden, num_heads, f"hidden size in {num_heads} heads")
    return fused(
        projection(x, weight, bias),
        attend(batch * length * (2 * window + 1), num_heads, size, size, mask),
        outputs=(tensor(dims(x), x.dtype),),
        approximate="which tokens attend globally is not known before the run; none is counted as one",
    )

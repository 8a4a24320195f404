"""Attention with its projections, caches and packings (com.microsoft).

As in ONNX's Attention, scores are counted over full matrices: masks do not lower the count.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from costmodel.dims import Dim, equal, exact_div, product, same
from costmodel.errors import ShapeError, UnknownShapeError
from costmodel.graph import TensorSpec
from costmodel.ops.attention import ROTATION, Heads, attend, attend_heads, rotate, split_heads
from costmodel.ops.composition import fused, needed, of
from costmodel.ops.registry import Result, example, operator
from costmodel.ops.shapes import Declared, dims, setting, tensor

DOMAIN = "com.microsoft"
Ints = tuple[int, ...]

_SHARED = "how far a shared cache is filled is not known before the run; all of it is counted"
_PACKED = "the lengths of packed sequences are not known before the run; all are counted as the longest"


def _known(spec: TensorSpec | None) -> Any:
    """The one element of a setting where it is known before the run, else None."""
    if spec is None or spec.value is None or spec.value.size != 1:
        return None
    return spec.value.reshape(-1)[0]


@dataclass(frozen=True, slots=True)
class Cache:
    """Keys or values of earlier steps with the new ones.

    written: length of the cache that the operator writes. met: how many keys each query meets.
    """

    written: Dim
    met: Dim
    approximate: str = ""


def _cache(past: Dim | None, new: Dim, shared: bool, filled: Any = None) -> Cache:
    """past: length of the cache that is read, None where there is none. shared: it is written in place.
    filled: how many of its entries are in use, where that is known."""
    if past is None:
        return Cache(new, new)
    if not shared:
        return Cache(past + new, past + new)
    if filled is not None:
        return Cache(past, filled + new)
    return Cache(past, past, _SHARED)


# -- attention that contains the projections of queries, keys and values


def _projection(x: TensorSpec, weights: TensorSpec, bias: TensorSpec | None) -> Result:
    """x by the merged weights of queries, keys and values."""
    work = of("MatMul", x, weights)
    return fused(work, element_ops=work.outputs[0].elements if bias is not None else 0)


def _sizes(width: Dim, given: Ints) -> tuple[Dim, Dim, Dim]:
    """Widths of queries, keys and values in the merged projection."""
    if given:
        if len(given) != 3:
            raise ShapeError(
                f"qkv_hidden_sizes is {given}; it has one entry each for queries, keys and values"
            )
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
    q_size, k_size, v_size = _sizes(dims(weights, rank=2)[1], sizes)
    same(q_size, k_size, "hidden sizes of queries and keys")
    key_head, value_head = (
        exact_div(size, heads, f"hidden size in {heads} heads") for size in (q_size, v_size)
    )
    cache = _cache(None if past is None else dims(past, rank=5)[3], length, bool(shared), _known(filled))
    work = attend(batch * length * cache.met, heads, key_head, value_head, *extras)
    dtype = dtype or x.dtype
    outputs = (
        tensor((batch, length, v_size), dtype),
        tensor((2, batch, heads, cache.written, key_head), dtype if past is None else past.dtype),
    )
    turned = batch * length * 2 * q_size if rotary else 0
    return fused(
        _projection(x, weights, bias),
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
    """mult_adds = tokens x input size x (columns of weights) + heads x queries x keys x (head sizes of keys + values)."""
    return _self_attention(
        x, weights, bias, past, num_heads, mask_index, attention_bias, unidirectional,
        filled=past_sequence_length, shared=past_present_share_buffer, sizes=qkv_hidden_sizes, rotary=do_rotary,
    )  # fmt: skip


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
        x, weights, bias, needed(past, "past"), num_heads, mask_index, attention_bias,
        filled=past_sequence_length, shared=past_present_share_buffer, rotary=do_rotary,
    )  # fmt: skip


@operator(
    "QAttention",
    domain=DOMAIN,
    example=example(
        "B S I", "I 12*D", "12*D", "1", "1", "B", dtypes={0: "uint8", 1: "int8", 5: "int32"}, num_heads=4
    ),
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
        x, weights, bias, past, num_heads, mask_index, unidirectional,
        shared=past_present_share_buffer, rotary=do_rotary, dtype=bias.dtype,
    )  # fmt: skip
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
    """mult_adds = projection + heads x tokens x (2 window + 1) x 2 head size: every token meets its neighbours."""
    batch, length, hidden = dims(x, rank=3)
    size = exact_div(hidden, num_heads, f"hidden size in {num_heads} heads")
    return fused(
        _projection(x, weight, bias),
        attend(batch * length * (2 * window + 1), num_heads, size, size, mask),
        outputs=(tensor(dims(x), x.dtype),),
        approximate="which tokens attend globally is not known before the run; none is counted as one",
    )


# -- attention on queries, keys and values that are projected already


@dataclass(frozen=True, slots=True)
class Inputs:
    """Queries, and new keys and values; cached: keys and values are a whole cache (cross attention)."""

    query: Heads
    key: Heads
    value: Heads
    cached: bool = False

    @property
    def elements(self) -> Dim:
        """Elements that a projection's bias meets."""
        if self.cached:
            return self.query.elements
        return self.query.elements + self.key.elements + self.value.elements


def _inputs(
    query: TensorSpec, key: TensorSpec | None, value: TensorSpec | None, heads: Dim, kv_heads: Dim
) -> Inputs:
    """Queries, keys and values out of any of the layouts that the operators take."""
    shape = dims(query)
    if key is None:
        if len(shape) == 5:  # (batch, length, heads, 3, size)
            packed = Heads(shape[0], shape[2], shape[1], shape[4])
            return Inputs(packed, packed, packed)
        batch, length, width = dims(query, rank=3)
        size = exact_div(
            width, heads + 2 * kv_heads, "hidden size of packed queries, keys and values in heads"
        )
        new = Heads(batch, kv_heads, length, size)
        return Inputs(Heads(batch, heads, length, size), new, new)
    batch, length, hidden = dims(query, rank=3)
    queries = Heads(
        batch, heads, length, exact_div(hidden, heads, f"hidden size of queries in {heads} heads")
    )
    if value is None:
        pairs = dims(key, rank=5)  # (batch, length, heads, 2, size)
        both = Heads(pairs[0], pairs[2], pairs[1], pairs[4])
        return Inputs(queries, both, both)
    cached = len(dims(key)) == 4
    return Inputs(queries, split_heads(key, kv_heads), split_heads(value, kv_heads), cached)


def _multi_head(
    inputs: Inputs,
    past_key: TensorSpec | None,
    past_value: TensorSpec | None,
    cache: Cache,
    *extras: object,
    dtype: str,
    softcap: float = 0.0,
) -> Result:
    """Outputs: the attention, both caches, the scores."""
    query, key, value = inputs.query, inputs.key, inputs.value
    keys = Heads(key.batch, key.heads, cache.met, key.size)
    values = Heads(value.batch, value.heads, cache.met, value.size)
    same(key.length, value.length, "length of keys and values")
    work = attend_heads(query, keys, values, *extras, softcap=softcap)
    outputs = [tensor((query.batch, query.length, query.heads * value.size), dtype)]
    for part, past in ((key, past_key), (value, past_value)):
        stored = part.size if past is None else dims(past, rank=4)[3]
        written = (part.batch, part.heads, cache.written, stored)
        outputs.append(tensor(written, dtype if past is None else past.dtype))
    outputs.append(tensor((query.batch, query.heads, query.length, cache.met), dtype))
    return fused(work, outputs=outputs, approximate=cache.approximate)


def _past_length(past: TensorSpec | None) -> Dim | None:
    return None if past is None else dims(past, rank=4)[2]


@operator(
    "MultiHeadAttention",
    domain=DOMAIN,
    example=example(
        "B S 4*D", "B T 4*D", "B T 4*E", "8*D+4*E", None, None, "B 4 P D", "B 4 P E", num_heads=4
    ),
    settings=("past_sequence_length",),
)
def multi_head_attention(
    query: TensorSpec,
    key: TensorSpec | None = None,
    value: TensorSpec | None = None,
    bias: TensorSpec | None = None,
    key_padding_mask: TensorSpec | None = None,
    attention_bias: TensorSpec | None = None,
    past_key: TensorSpec | None = None,
    past_value: TensorSpec | None = None,
    past_sequence_length: TensorSpec | None = None,
    cache_indirection: TensorSpec | None = None,
    /,
    *,
    num_heads: int,
    unidirectional: int = 0,
) -> Result:
    """mult_adds = heads x queries x (past + keys) x (head size + value head size)."""
    inputs = _inputs(query, key, value, num_heads, num_heads)
    shared = past_sequence_length is not None
    cache = _cache(_past_length(past_key), inputs.key.length, shared, _known(past_sequence_length))
    extras = (key_padding_mask, attention_bias, unidirectional)
    work = _multi_head(inputs, past_key, past_value, cache, *extras, dtype=query.dtype)
    return fused(work, element_ops=inputs.elements if bias is not None else 0)


@operator(
    "DecoderMaskedMultiHeadAttention",
    domain=DOMAIN,
    example=example("B 1 4*D", "B 1 4*D", "B 1 4*D", None, None, "B 4 P D", "B 4 P D", num_heads=4),
    settings=("past_sequence_length", "beam_width"),
)
def decoder_masked_multi_head_attention(
    query: TensorSpec,
    key: TensorSpec | None = None,
    value: TensorSpec | None = None,
    mask_index: TensorSpec | None = None,
    attention_bias: TensorSpec | None = None,
    past_key: TensorSpec | None = None,
    past_value: TensorSpec | None = None,
    past_sequence_length: TensorSpec | None = None,
    beam_width: TensorSpec | None = None,
    cache_indirection: TensorSpec | None = None,
    bias: TensorSpec | None = None,
    /,
    *,
    num_heads: int,
    past_present_share_buffer: int = 0,
) -> Result:
    """MultiHeadAttention for one new token a sequence; keys of 4 dims are the whole cache of a cross attention."""
    inputs = _inputs(query, key, value, num_heads, num_heads)
    filled = _known(past_sequence_length)
    cache = _cache(_past_length(past_key), inputs.key.length, bool(past_present_share_buffer), filled)
    work = _multi_head(inputs, past_key, past_value, cache, mask_index, attention_bias, dtype=query.dtype)
    return fused(work, element_ops=inputs.elements if bias is not None else 0)


@operator(
    "GroupQueryAttention",
    domain=DOMAIN,
    example=example(
        "B S 8*D", "B S 4*D", "B S 4*D", "B 2 P 2*D", "B 2 P 2*D", "B", "1", "M D", "M D",
        dtypes={5: "int32", 6: "int32"}, num_heads=4, kv_num_heads=2, do_rotary=1,
    ),
    settings=(
        "seqlens_k", "total_sequence_length", "cos_cache", "sin_cache", "position_ids", "k_scale", "v_scale",
    ),
)  # fmt: skip
def group_query_attention(
    query: TensorSpec,
    key: TensorSpec | None = None,
    value: TensorSpec | None = None,
    past_key: TensorSpec | None = None,
    past_value: TensorSpec | None = None,
    seqlens_k: TensorSpec | None = None,
    total_sequence_length: TensorSpec | None = None,
    cos_cache: TensorSpec | None = None,
    sin_cache: TensorSpec | None = None,
    position_ids: TensorSpec | None = None,
    attention_bias: TensorSpec | None = None,
    head_sink: TensorSpec | None = None,
    k_scale: TensorSpec | None = None,
    v_scale: TensorSpec | None = None,
    q_norm_weight: TensorSpec | None = None,
    k_norm_weight: TensorSpec | None = None,
    /,
    *,
    causal: int = 1,
    do_rotary: int = 0,
    kv_num_heads: int,
    num_heads: int,
    softcap: float = 0.0,
    declared: Declared = (),
) -> Result:
    """mult_adds = query heads x queries x (past + keys) x 2 head size; several query heads share a key head."""
    inputs = _inputs(query, key, value, num_heads, kv_num_heads)
    cache = _group_cache(_past_length(past_key), inputs.key.length, _known(total_sequence_length), declared)
    work = _multi_head(
        inputs,
        past_key,
        past_value,
        cache,
        causal,
        attention_bias,
        head_sink,
        dtype=query.dtype,
        softcap=softcap,
    )
    parts = [work, *_normalised(inputs.query, q_norm_weight), *_normalised(inputs.key, k_norm_weight)]
    reads: dict[int, Dim] = {}
    if do_rotary and cos_cache is not None:
        tokens = inputs.query.batch * inputs.query.length
        for heads in (inputs.query, inputs.key):
            rotation = rotate(TensorSpec(heads.shape, query.dtype), cos_cache, tokens, heads.size, (7, 8))
            parts.append(rotation)
            reads.update(rotation.reads)
    return fused(*parts, outputs=work.outputs, reads=reads)


def _group_cache(past: Dim | None, new: Dim, total: Any, declared: Declared) -> Cache:
    """The cache of keys: as long as the longest sequence, or longer where it is written in place."""
    if past is None:
        return Cache(new, new)
    present = declared[1] if len(declared) > 1 else None
    written = dims(present, rank=4)[2] if present is not None and present.shape is not None else None
    in_place = written is not None and equal(written, past)
    if total is not None:
        return Cache(past if in_place else past + new, total)
    return _cache(past, new, in_place)


def _normalised(heads: Heads, weight: TensorSpec | None) -> list[Result]:
    return [] if weight is None else [of("RMSNormalization", TensorSpec(heads.shape), weight)]


@operator(
    "SparseAttention",
    domain=DOMAIN,
    example=example(
        "B S 4*D", "B S 2*D", "B S 2*D", "B 2 P D", "B 2 P D", "1 R", "1 Z", (64,), "B",
        dtypes={5: "int32", 6: "int32", 7: "int32", 8: "int32"}, num_heads=4, kv_num_heads=2,
    ),
    settings=("block_row_indices", "block_col_indices", "total_sequence_length", "key_lengths", "cos_cache", "sin_cache"),
)  # fmt: skip
def sparse_attention(
    query: TensorSpec,
    key: TensorSpec | None = None,
    value: TensorSpec | None = None,
    past_key: TensorSpec | None = None,
    past_value: TensorSpec | None = None,
    block_row_indices: TensorSpec | None = None,
    block_col_indices: TensorSpec | None = None,
    total_sequence_length: TensorSpec | None = None,
    key_lengths: TensorSpec | None = None,
    cos_cache: TensorSpec | None = None,
    sin_cache: TensorSpec | None = None,
    /,
    *,
    do_rotary: int = 0,
    kv_num_heads: int,
    num_heads: int,
) -> Result:
    """As GroupQueryAttention on a cache written in place, every block of scores counted."""
    past_key = needed(past_key, "past_key")
    inputs = _inputs(query, key, value, num_heads, kv_num_heads)
    total = _known(total_sequence_length)
    filled = None if total is None else total - inputs.key.length
    cache = _cache(_past_length(past_key), inputs.key.length, True, filled)
    work = _multi_head(inputs, past_key, past_value, cache, True, dtype=query.dtype)
    turned = inputs.query.elements + inputs.key.elements if do_rotary else 0
    return fused(
        work,
        outputs=work.outputs[:3],
        element_ops=ROTATION * turned,
        approximate="blocks that the mask leaves out are counted as if they were computed",
    )


# -- packed sequences: tokens without padding


def _packed_pairs(token_offset: TensorSpec | None, cumulative: TensorSpec | None) -> tuple[Dim, str]:
    """Queries times keys, summed over the sequences: each meets itself; and why that is not exact."""
    try:
        ends = setting(cumulative) or ()
    except UnknownShapeError:
        batch, longest = dims(needed(token_offset, "token_offset"), rank=2)
        return batch * longest * longest, _PACKED
    total: Dim = 0
    for start, end in zip(ends, ends[1:], strict=False):
        total = total + (end - start) * (end - start)
    return total, ""


@operator(
    "PackedAttention",
    domain=DOMAIN,
    example=example("T I", "I 12*D", "12*D", "B S", "B+1", dtypes={3: "int32", 4: "int32"}, num_heads=4),
    settings=("token_offset", "cumulative_sequence_length"),
)
def packed_attention(
    x: TensorSpec,
    weights: TensorSpec,
    bias: TensorSpec,
    token_offset: TensorSpec,
    cumulative_sequence_length: TensorSpec,
    attention_bias: TensorSpec | None = None,
    /,
    *,
    num_heads: int,
    qkv_hidden_sizes: Ints = (),
) -> Result:
    """mult_adds = tokens x input size x columns of weights + heads x (sum of squared lengths) x head sizes."""
    tokens, _ = dims(x, rank=2)
    q_size, _, v_size = _sizes(dims(weights, rank=2)[1], qkv_hidden_sizes)
    key_head, value_head = (
        exact_div(size, num_heads, f"hidden size in {num_heads} heads") for size in (q_size, v_size)
    )
    pairs, approximate = _packed_pairs(token_offset, cumulative_sequence_length)
    return fused(
        _projection(x, weights, bias),
        attend(pairs, num_heads, key_head, value_head, attention_bias),
        outputs=(tensor((tokens, v_size), x.dtype),),
        approximate=approximate,
    )


@operator(
    "PackedMultiHeadAttention",
    domain=DOMAIN,
    example=example(
        "T 4*D", "T 4*D", "T 4*E", None, "B S", "B+1", dtypes={4: "int32", 5: "int32"}, num_heads=4
    ),
    settings=("token_offset", "cumulative_sequence_length"),
)
def packed_multi_head_attention(
    query: TensorSpec,
    key: TensorSpec | None = None,
    value: TensorSpec | None = None,
    bias: TensorSpec | None = None,
    token_offset: TensorSpec | None = None,
    cumulative_sequence_length: TensorSpec | None = None,
    attention_bias: TensorSpec | None = None,
    /,
    *,
    num_heads: int,
) -> Result:
    """mult_adds = heads x (sum of squared lengths) x (head size + value head size)."""
    if key is None or value is None:
        tokens, heads, _, key_head = dims(query, rank=4)  # (tokens, heads, 3, size)
        same(heads, num_heads, "heads of packed queries and num_heads")
        value_head = key_head
        met = query.elements
    else:
        tokens, hidden = dims(query, rank=2)
        key_head = exact_div(hidden, num_heads, f"hidden size in {num_heads} heads")
        value_head = exact_div(
            dims(value, rank=2)[1], num_heads, f"hidden size of values in {num_heads} heads"
        )
        met = query.elements + key.elements + value.elements
    pairs, approximate = _packed_pairs(token_offset, cumulative_sequence_length)
    return fused(
        attend(pairs, num_heads, key_head, value_head, attention_bias),
        outputs=(tensor((tokens, value_head * num_heads), query.dtype),),
        element_ops=met if bias is not None else 0,
        approximate=approximate,
    )


@operator(
    "PagedAttention",
    domain=DOMAIN,
    example=example(
        "T 4*D", "T 2*D", "T 2*D", "N K 2 D", "N K 2 D", "B+1", "B", "B M",
        dtypes={5: "int32", 6: "int32", 7: "int32"}, num_heads=4, kv_num_heads=2,
    ),
    settings=("cumulative_sequence_length", "past_seqlens", "block_table", "cos_cache", "sin_cache"),
)  # fmt: skip
def paged_attention(
    query: TensorSpec,
    key: TensorSpec | None = None,
    value: TensorSpec | None = None,
    key_cache: TensorSpec | None = None,
    value_cache: TensorSpec | None = None,
    cumulative_sequence_length: TensorSpec | None = None,
    past_seqlens: TensorSpec | None = None,
    block_table: TensorSpec | None = None,
    cos_cache: TensorSpec | None = None,
    sin_cache: TensorSpec | None = None,
    slot_mapping: TensorSpec | None = None,
    head_sink: TensorSpec | None = None,
    q_norm_weight: TensorSpec | None = None,
    k_norm_weight: TensorSpec | None = None,
    k_scale: TensorSpec | None = None,
    v_scale: TensorSpec | None = None,
    attention_metadata: TensorSpec | None = None,
    /,
    *,
    do_rotary: int = 0,
    is_causal: int = 1,
    kv_num_heads: int,
    num_heads: int,
    softcap: float = 0.0,
) -> Result:
    """mult_adds = heads x tokens x (keys that a row of the block table holds) x 2 head size."""
    tokens, width = dims(query, rank=2)
    heads = num_heads if key is not None else num_heads + 2 * kv_num_heads
    size = exact_div(width, heads, f"hidden size of queries in {heads} heads")
    cache = needed(key_cache, "key_cache")
    keys = dims(needed(block_table, "block_table"), rank=2)[1] * dims(cache, rank=4)[1]
    work = attend(tokens * keys, num_heads, size, size, is_causal, head_sink, softcap=softcap)
    outputs = [tensor((tokens, num_heads * size), query.dtype)]
    outputs += [tensor(dims(part), part.dtype) for part in (cache, value_cache) if part is not None]
    turned = product((tokens, num_heads + kv_num_heads, size)) if do_rotary else 0
    return fused(
        work,
        outputs=outputs,
        element_ops=ROTATION * turned,
        approximate="how full the pages are is not known before the run; every token is counted against a full table",
    )


@operator(
    "RotaryEmbedding",
    domain=DOMAIN,
    example=example("B S 8*D", "B S", "P D", "P D", dtypes={1: "int64"}, num_heads=4),
    settings=("position_ids", "cos_cache", "sin_cache"),
)
def rotary_embedding(
    x: TensorSpec,
    position_ids: TensorSpec,
    cos_cache: TensorSpec,
    sin_cache: TensorSpec,
    /,
    *,
    num_heads: int = 0,
    rotary_embedding_dim: int = 0,
) -> Result:
    """element_ops = 3 x rotated elements; the tables are not parameters."""
    shape = dims(x, at_least=3)
    length = shape[2] if len(shape) == 4 else shape[1]
    rows = position_ids.elements if len(dims(position_ids)) > 1 else length
    partial = rotary_embedding_dim > 0
    return rotate(x, cos_cache, rows, split_heads(x, num_heads or None).size if partial else None, (2, 3))

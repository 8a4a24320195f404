"""Attention on queries, keys and values that are projected already, with caches (com.microsoft).

As in ONNX's Attention, scores are counted over full matrices: masks do not lower the count.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from costmodel.dims import Dim, equal, exact_div, same
from costmodel.graph import TensorSpec
from costmodel.ops.attention import ROTATION, Heads, attend_heads, rotate, split_heads
from costmodel.ops.composition import fused, needed, of
from costmodel.ops.microsoft.caches import Cache, cache_of, known
from costmodel.ops.registry import Result, example, operator
from costmodel.ops.shapes import Declared, dims, tensor

DOMAIN = "com.microsoft"


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


def _inputs(query: TensorSpec, key: TensorSpec | None, value: TensorSpec | None, heads: Dim, kv_heads: Dim) -> Inputs:
    """Queries, keys and values out of any of the layouts that the operators take."""
    shape = dims(query)
    if key is None:
        if len(shape) == 5:  # (batch, length, heads, 3, size)
            packed = Heads(shape[0], shape[2], shape[1], shape[4])
            return Inputs(packed, packed, packed)
        batch, length, width = dims(query, rank=3)
        size = exact_div(width, heads + 2 * kv_heads, "hidden size of packed queries, keys and values in heads")
        new = Heads(batch, kv_heads, length, size)
        return Inputs(Heads(batch, heads, length, size), new, new)
    batch, length, hidden = dims(query, rank=3)
    queries = Heads(batch, heads, length, exact_div(hidden, heads, f"hidden size of queries in {heads} heads"))
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
    example=example("B S 4*D", "B T 4*D", "B T 4*E", "8*D+4*E", None, None, "B 4 P D", "B 4 P E", num_heads=4),
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
    cache = cache_of(_past_length(past_key), inputs.key.length, shared, known(past_sequence_length))
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
    """MultiHeadAttention for one new token a sequence; keys of 4 dims are the whole cache of a
    cross attention."""
    inputs = _inputs(query, key, value, num_heads, num_heads)
    filled = known(past_sequence_length)
    cache = cache_of(_past_length(past_key), inputs.key.length, bool(past_present_share_buffer), filled)
    work = _multi_head(inputs, past_key, past_value, cache, mask_index, attention_bias, dtype=query.dtype)
    return fused(work, element_ops=inputs.elements if bias is not None else 0)


@operator(
    "GroupQueryAttention",
    domain=DOMAIN,
    example=example(
        "B S 8*D",
        "B S 4*D",
        "B S 4*D",
        "B 2 P 2*D",
        "B 2 P 2*D",
        "B",
        "1",
        "M D",
        "M D",
        dtypes={5: "int32", 6: "int32"},
        num_heads=4,
        kv_num_heads=2,
        do_rotary=1,
    ),
    settings=(
        "seqlens_k",
        "total_sequence_length",
        "cos_cache",
        "sin_cache",
        "position_ids",
        "k_scale",
        "v_scale",
    ),
)
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
    """mult_adds = query heads x queries x (past + keys) x 2 head size; several query heads share a
    key head."""
    inputs = _inputs(query, key, value, num_heads, kv_num_heads)
    cache = _group_cache(_past_length(past_key), inputs.key.length, known(total_sequence_length), declared)
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
    return cache_of(past, new, in_place)


def _normalised(heads: Heads, weight: TensorSpec | None) -> list[Result]:
    return [] if weight is None else [of("RMSNormalization", TensorSpec(heads.shape), weight)]


@operator(
    "SparseAttention",
    domain=DOMAIN,
    example=example(
        "B S 4*D",
        "B S 2*D",
        "B S 2*D",
        "B 2 P D",
        "B 2 P D",
        "1 R",
        "1 Z",
        (64,),
        "B",
        dtypes={5: "int32", 6: "int32", 7: "int32", 8: "int32"},
        num_heads=4,
        kv_num_heads=2,
    ),
    settings=(
        "block_row_indices",
        "block_col_indices",
        "total_sequence_length",
        "key_lengths",
        "cos_cache",
        "sin_cache",
    ),
)
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
    total = known(total_sequence_length)
    filled = None if total is None else total - inputs.key.length
    cache = cache_of(_past_length(past_key), inputs.key.length, True, filled)
    work = _multi_head(inputs, past_key, past_value, cache, True, dtype=query.dtype)
    turned = inputs.query.elements + inputs.key.elements if do_rotary else 0
    return fused(
        work,
        outputs=work.outputs[:3],
        element_ops=ROTATION * turned,
        approximate="blocks that the mask leaves out are counted as if they were computed",
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

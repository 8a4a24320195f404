"""Attention on packed sequences: tokens without padding (com.microsoft)."""

from __future__ import annotations

from itertools import pairwise

from costmodel.dims import Dim, exact_div, product, same
from costmodel.errors import UnknownShapeError
from costmodel.graph import TensorSpec
from costmodel.ops.attention import ROTATION, attend
from costmodel.ops.composition import fused, needed
from costmodel.ops.microsoft.attention import projected_sizes, projection
from costmodel.ops.registry import Result, example, operator
from costmodel.ops.shapes import dims, setting, tensor

DOMAIN = "com.microsoft"
Ints = tuple[int, ...]

_PACKED = "the lengths of packed sequences are not known before the run; all are counted as the longest"
_PAGED = "how full the pages are is not known before the run; every token is counted against a full table"


def _packed_pairs(token_offset: TensorSpec | None, cumulative: TensorSpec | None) -> tuple[Dim, str]:
    """Queries times keys, summed over the sequences: each meets itself; and why that is not exact."""
    try:
        ends = setting(cumulative) or ()
    except UnknownShapeError:
        batch, longest = dims(needed(token_offset, "token_offset"), rank=2)
        return batch * longest * longest, _PACKED
    total: Dim = 0
    for start, end in pairwise(ends):
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
    """mult_adds = tokens x input size x columns of weights + heads x (sum of squared lengths) x
    head sizes."""
    tokens, _ = dims(x, rank=2)
    q_size, _, v_size = projected_sizes(dims(weights, rank=2)[1], qkv_hidden_sizes)
    key_head, value_head = (
        exact_div(size, num_heads, f"hidden size in {num_heads} heads") for size in (q_size, v_size)
    )
    pairs, approximate = _packed_pairs(token_offset, cumulative_sequence_length)
    return fused(
        projection(x, weights, bias),
        attend(pairs, num_heads, key_head, value_head, attention_bias),
        outputs=(tensor((tokens, v_size), x.dtype),),
        approximate=approximate,
    )


@operator(
    "PackedMultiHeadAttention",
    domain=DOMAIN,
    example=example("T 4*D", "T 4*D", "T 4*E", None, "B S", "B+1", dtypes={4: "int32", 5: "int32"}, num_heads=4),
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
        value_head = exact_div(dims(value, rank=2)[1], num_heads, f"hidden size of values in {num_heads} heads")
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
        "T 4*D",
        "T 2*D",
        "T 2*D",
        "N K 2 D",
        "N K 2 D",
        "B+1",
        "B",
        "B M",
        dtypes={5: "int32", 6: "int32", 7: "int32"},
        num_heads=4,
        kv_num_heads=2,
    ),
    settings=("cumulative_sequence_length", "past_seqlens", "block_table", "cos_cache", "sin_cache"),
)
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
        approximate=_PAGED,
    )

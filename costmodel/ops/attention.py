"""Attention in ONNX's own domains, and what surrounds it in transformers.

Scores are counted over full matrices: a causal mask, a window or padding changes which scores matter,
not how many are computed. mult_adds = heads x queries x keys x (head size + value head size).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from costmodel.dims import Dim, Shape, exact_div, maximum, product, same
from costmodel.errors import ShapeError, UnknownShapeError
from costmodel.graph import TensorSpec
from costmodel.ops.composition import activation, fused
from costmodel.ops.registry import Result, example, operator
from costmodel.ops.shapes import Declared, declared_output, dims, tensor

_PER_SCORE = 6  # softmax: maximum, difference, exponential, sum, division; and the scaling
_SOFTCAP = 3  # division, tanh, product
ROTATION = 3  # operations a rotated element: a pair takes four products and two sums


@dataclass(frozen=True, slots=True)
class Heads:
    """Queries, keys or values split into heads: (batch, heads, length, size)."""

    batch: Dim
    heads: Dim
    length: Dim
    size: Dim

    @property
    def shape(self) -> Shape:
        """The four dims in the order in which caches hold them."""
        return (self.batch, self.heads, self.length, self.size)

    @property
    def elements(self) -> Dim:
        """All elements."""
        return product(self.shape)

    def after(self, past: TensorSpec | None) -> Heads:
        """Keys or values with those of a cache before them."""
        if past is None:
            return self
        batch, heads, length, size = dims(past, rank=4)
        same(batch, self.batch, f"batch of {past.name!r} and of the input")
        same(heads, self.heads, f"heads of {past.name!r} and of the input")
        same(size, self.size, f"head size of {past.name!r} and of the input")
        return Heads(self.batch, self.heads, length + self.length, self.size)


def split_heads(spec: TensorSpec, heads: Dim | None) -> Heads:
    """A tensor (batch, length, heads x size) or (batch, heads, length, size) by heads."""
    shape = dims(spec)
    if len(shape) == 4:
        return Heads(*shape)
    batch, length, hidden = dims(spec, rank=3)
    if heads is None:
        raise ShapeError(f"input {spec.name!r} has 3 dims; the number of its heads has to be given")
    return Heads(batch, heads, length, exact_div(hidden, heads, f"hidden size of {spec.name!r} in {heads} heads"))


def attend(pairs: Dim, heads: Dim, key_size: Dim, value_size: Dim, *extras: object, softcap: float = 0.0) -> Result:
    """The two products of an attention and the softmax between them, without outputs.

    pairs: queries times keys, summed over the batch. extras: masks and biases on the scores, an
    operation each where they are there (are true).
    """
    per_score = _PER_SCORE + sum(map(bool, extras)) + (_SOFTCAP if softcap else 0)
    scores = heads * pairs
    return Result((), mult_adds=scores * (key_size + value_size), element_ops=scores * per_score)


def attend_heads(query: Heads, key: Heads, value: Heads, *extras: object, softcap: float = 0.0) -> Result:
    """`attend` for queries that all meet all keys of their batch element; several heads may share a key's."""
    same(query.batch, key.batch, "batch of queries and keys")
    same(query.size, key.size, "head size of queries and keys")
    same(key.heads, value.heads, "heads of keys and values")
    same(key.length, value.length, "length of keys and values")
    exact_div(query.heads, key.heads, "query heads in groups that share a key head")
    pairs = query.batch * query.length * key.length
    return attend(pairs, query.heads, query.size, value.size, *extras, softcap=softcap)


@operator(
    "Attention",
    example=example("B S 4*D", "B T 2*D", "B T 2*E", "S T+P", "B 2 P D", "B 2 P E", q_num_heads=4, kv_num_heads=2),
    settings=("nonpad_kv_seqlen",),
)
def attention(
    q: TensorSpec,
    k: TensorSpec,
    v: TensorSpec,
    attn_mask: TensorSpec | None = None,
    past_key: TensorSpec | None = None,
    past_value: TensorSpec | None = None,
    nonpad_kv_seqlen: TensorSpec | None = None,
    /,
    *,
    is_causal: int = 0,
    kv_num_heads: int | None = None,
    left_window_size: int = -1,
    q_num_heads: int | None = None,
    right_window_size: int = -1,
    softcap: float = 0.0,
) -> Result:
    """mult_adds = query heads x queries x (past + keys) x (head size + value head size); masks do
    not lower it."""
    query, new_key, new_value = (
        split_heads(q, q_num_heads),
        split_heads(k, kv_num_heads),
        split_heads(v, kv_num_heads),
    )
    key, value = new_key.after(past_key), new_value.after(past_value)
    window = left_window_size >= 0 or right_window_size >= 0
    work = attend_heads(query, key, value, attn_mask, nonpad_kv_seqlen, is_causal, window, softcap=softcap)
    outputs = (
        tensor(_joined(query, value.size, len(dims(q))), q.dtype),
        tensor(key.shape, k.dtype),
        tensor(value.shape, v.dtype),
        tensor((query.batch, query.heads, query.length, key.length), q.dtype),
    )
    return fused(work, outputs=outputs)


def _joined(query: Heads, size: Dim, rank: int) -> Shape:
    """The shape of an attention's output in as many dims as its queries have."""
    if rank == 4:
        return (query.batch, query.heads, query.length, size)
    return (query.batch, query.length, query.heads * size)


@operator("FlexAttention", domain="ai.onnx.preview", example=example("B 4 S D", "B 2 T D", "B 2 T E"))
def flex_attention(
    q: TensorSpec, k: TensorSpec, v: TensorSpec, /, *, prob_mod: Any = None, score_mod: Any = None
) -> Result:
    """mult_adds as Attention; the subgraphs that change scores and probabilities are not counted."""
    query, key, value = (Heads(*dims(spec, rank=4)) for spec in (q, k, v))
    work = attend_heads(query, key, value)
    changed = prob_mod is not None or score_mod is not None
    return fused(
        work,
        outputs=(tensor(_joined(query, value.size, 4), q.dtype),),
        approximate="what score_mod and prob_mod compute is not counted" if changed else "",
    )


_UPDATE_RULES = ("linear", "gated", "delta", "gated_delta")


def linear_recurrence(
    query: TensorSpec,
    key: TensorSpec,
    value: TensorSpec,
    past_state: TensorSpec | None,
    decay: TensorSpec | None,
    q_heads: Dim,
    kv_heads: Dim,
    rule: str,
    state_window: int = 0,
) -> Result:
    """Linear attention in any of its forms: a state of key size x value size a head, updated every token."""
    if rule not in _UPDATE_RULES:
        raise ShapeError(f"update_rule is {rule!r}; it is one of {', '.join(_UPDATE_RULES)}")
    batch, length, q_hidden = dims(query, rank=3)
    key_size = exact_div(q_hidden, q_heads, f"hidden size of {query.name!r} in {q_heads} heads")
    k, v = split_heads(key, kv_heads), split_heads(value, kv_heads)
    same(k.size, key_size, "head size of queries and keys")
    same(k.batch, batch, "batch of queries and keys")
    same(k.length, length, "length of queries and keys")
    same(v.length, length, "length of queries and values")
    read_heads = maximum(q_heads, kv_heads)
    tokens, state = batch * length, key_size * v.size
    delta, gated = rule in ("delta", "gated_delta"), rule in ("gated", "gated_delta")
    products = kv_heads * (2 if delta else 1) + read_heads  # k v is added, S k is read back, S q is the output
    out = tensor((batch, length, read_heads * v.size), query.dtype)
    element_ops = out.elements + (2 * v.elements if delta else 0)
    if gated and decay is not None:
        element_ops = element_ops + decay.elements + tokens * kv_heads * state
    shape: Shape = (batch, kv_heads, key_size, v.size)
    shape = (state_window, *shape) if state_window else shape
    present = tensor(shape, query.dtype if past_state is None else past_state.dtype)
    return Result((out, present), mult_adds=tokens * products * state, element_ops=element_ops)


_LINEAR = example("B S 4*D", "B S 2*D", "B S 2*E", "B 2 D E", "B S 2*D", "B S 2", q_num_heads=4, kv_num_heads=2)


@operator("LinearAttention", example=_LINEAR)
def linear_attention(
    query: TensorSpec,
    key: TensorSpec,
    value: TensorSpec,
    past_state: TensorSpec | None = None,
    decay: TensorSpec | None = None,
    beta: TensorSpec | None = None,
    /,
    *,
    kv_num_heads: int,
    q_num_heads: int,
    update_rule: str = "gated_delta",
) -> Result:
    """mult_adds = tokens x head size x value head size x (key heads, twice for delta rules, + query
    heads)."""
    exact_div(q_num_heads, kv_num_heads, "query heads in groups that share a key head")
    return linear_recurrence(query, key, value, past_state, decay, q_num_heads, kv_num_heads, update_rule)


@operator("LinearAttention", domain="com.microsoft", example=_LINEAR)
def windowed_linear_attention(
    query: TensorSpec,
    key: TensorSpec,
    value: TensorSpec,
    past_state: TensorSpec | None = None,
    decay: TensorSpec | None = None,
    beta: TensorSpec | None = None,
    /,
    *,
    kv_num_heads: int,
    q_num_heads: int,
    state_window: int = 0,
    update_rule: str = "gated_delta",
) -> Result:
    """As ONNX's; with a state_window the states after that many tokens are written."""
    return linear_recurrence(query, key, value, past_state, decay, q_num_heads, kv_num_heads, update_rule, state_window)


def causal_convolution(
    x: TensorSpec,
    weight: TensorSpec,
    bias: TensorSpec | None,
    function: str,
    channels: Dim,
    state: Sequence[Dim],
) -> Result:
    """A depthwise convolution that sees the past only, and the state that it carries to the next step."""
    filters, one, *taps = dims(weight, at_least=3)
    same(filters, channels, f"channels of weight {weight.name!r} and of the input")
    same(one, 1, f"input channels of a group of weight {weight.name!r}")
    out = tensor(dims(x), x.dtype)
    work = Result(
        (out, tensor(state, x.dtype)),
        mult_adds=out.elements * product(taps),
        element_ops=out.elements if bias is not None else 0,
    )
    return fused(work, activation(function, out), outputs=work.outputs)


@operator("CausalConvWithState", example=example("N C L", "C 1 4", "C", "N C 3"))
def causal_conv_with_state(
    x: TensorSpec,
    weight: TensorSpec,
    bias: TensorSpec | None = None,
    past_state: TensorSpec | None = None,
    /,
    *,
    activation: str = "none",
) -> Result:
    """mult_adds = output elements x kernel taps: the convolution is depthwise."""
    batch, channels, _ = dims(x, rank=3)
    state = (batch, channels, dims(weight, rank=3)[2] - 1)
    return causal_convolution(x, weight, bias, activation, channels, state)


def rotate(x: TensorSpec, cos: TensorSpec, rows: Dim, head_size: Dim | None, positions: tuple[int, int]) -> Result:
    """Rotary embedding of x: the first 2 x (last dim of cos) elements of every head turn.

    rows: table rows that are looked up. head_size: None where the whole of x turns.
    positions: of the two tables among the inputs.
    """
    half = dims(cos, at_least=2)[-1]
    turned = x.elements if head_size is None else exact_div(x.elements, head_size, "heads of x") * half * 2
    reads = dict.fromkeys(positions, rows * half)
    return Result((tensor(dims(x), x.dtype),), element_ops=ROTATION * turned, reads=reads)


@operator(
    "RotaryEmbedding",
    example=example("B S 8*D", "P D", "P D", "B S", dtypes={3: "int64"}, num_heads=4),
    settings=("cos_cache", "sin_cache", "position_ids"),
)
def rotary_embedding(
    x: TensorSpec,
    cos_cache: TensorSpec,
    sin_cache: TensorSpec,
    position_ids: TensorSpec | None = None,
    /,
    *,
    num_heads: int | None = None,
    rotary_embedding_dim: int = 0,
) -> Result:
    """element_ops = 3 x rotated elements; the tables are not parameters."""
    heads = split_heads(x, num_heads)
    rows = position_ids.elements if position_ids is not None else heads.batch * heads.length
    return rotate(x, cos_cache, rows, heads.size if rotary_embedding_dim else None, (1, 2))


@operator("CausalConvWithState", domain="com.microsoft", example=example("N C L", "C 1 4", "C", "N C 6", dilation=2))
def dilated_causal_conv_with_state(
    x: TensorSpec,
    weight: TensorSpec,
    bias: TensorSpec | None = None,
    past_state: TensorSpec | None = None,
    /,
    *,
    activation: str = "none",
    channels_last: int = 0,
    dilation: int = 1,
    ndim: int = 1,
    state_window: int = 0,
    declared: Declared = (),
) -> Result:
    """As ONNX's, dilated along the last dim; with a state_window the states after that many tokens
    are written."""
    taps = dims(weight, rank=2 + ndim)[2:]
    kept = (taps[-1] - 1) * dilation
    state: Shape
    if channels_last:
        batch, _, *parts = dims(x, at_least=3)
        channels, state = product(parts), (batch, kept, *parts)
    else:
        batch, channels, *_ = dims(x, rank=2 + ndim)
        state = (batch, channels, kept)
        if ndim > 1:
            why = UnknownShapeError("the state of a causal convolution over several dims is not specified")
            state = dims(past_state if past_state is not None else declared_output(declared, 1, why))
    if state_window and ndim == 1:
        state = (state_window, *state)
    return causal_convolution(x, weight, bias, activation, channels, state)

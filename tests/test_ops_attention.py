"""Attention and what surrounds it, counted against plain loops."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from costmodel.errors import ShapeError
from costmodel.graph import Counting, TensorSpec
from costmodel.ops import Applied, apply

BATCH, HEADS, KV_HEADS, QUERIES, KEYS, PAST, SIZE, VALUE_SIZE = 2, 6, 3, 4, 5, 7, 8, 10


def spec(name: str, *shape: int, dtype: str = "float32") -> TensorSpec:
    return TensorSpec(shape, dtype, name)


def run(op_type: str, inputs: list[TensorSpec | None], domain: str = "", **attributes: Any) -> Applied:
    return apply(op_type, domain, inputs, attributes, ["y0", "y1", "y2", "y3"])


def four_dims(past: int = 0) -> list[TensorSpec | None]:
    caches = [spec("pk", BATCH, KV_HEADS, past, SIZE), spec("pv", BATCH, KV_HEADS, past, VALUE_SIZE)]
    return [
        spec("q", BATCH, HEADS, QUERIES, SIZE),
        spec("k", BATCH, KV_HEADS, KEYS, SIZE),
        spec("v", BATCH, KV_HEADS, KEYS, VALUE_SIZE),
        *([None, *caches] if past else []),
    ]


def three_dims(past: int = 0) -> list[TensorSpec | None]:
    return [
        spec("q", BATCH, QUERIES, HEADS * SIZE),
        spec("k", BATCH, KEYS, KV_HEADS * SIZE),
        spec("v", BATCH, KEYS, KV_HEADS * VALUE_SIZE),
        *four_dims(past)[3:],
    ]


def attention_loops(past: int) -> int:
    """Multiply-accumulates of Q K^T and P V, one at a time."""
    count = 0
    for _ in np.ndindex(BATCH, HEADS, QUERIES):
        for _key in range(past + KEYS):
            for _i in range(SIZE):
                count += 1
        for _i in range(VALUE_SIZE):
            for _key in range(past + KEYS):
                count += 1
    return count


@pytest.mark.parametrize("past", [0, PAST])
def test_attention_counts_both_products_for_every_query_head(past: int) -> None:
    flat = run("Attention", three_dims(past), q_num_heads=HEADS, kv_num_heads=KV_HEADS)
    split = run("Attention", four_dims(past))
    assert flat.cost.mult_adds == split.cost.mult_adds == attention_loops(past)
    assert flat.cost.element_ops == split.cost.element_ops
    assert flat.outputs[0].shape == (BATCH, QUERIES, HEADS * VALUE_SIZE)
    assert split.outputs[0].shape == (BATCH, HEADS, QUERIES, VALUE_SIZE)
    total = past + KEYS
    for result in (flat, split):
        assert [out.shape for out in result.outputs[1:]] == [
            (BATCH, KV_HEADS, total, SIZE),
            (BATCH, KV_HEADS, total, VALUE_SIZE),
            (BATCH, HEADS, QUERIES, total),
        ]


def test_masks_and_softcap_add_element_ops_and_take_no_mult_adds_away() -> None:
    plain = run("Attention", four_dims())
    scores = BATCH * HEADS * QUERIES * KEYS
    assert plain.cost.element_ops == 6 * scores
    masked = run("Attention", [*four_dims(), spec("mask", QUERIES, KEYS)], is_causal=1, softcap=2.0)
    assert masked.cost.mult_adds == plain.cost.mult_adds
    assert masked.cost.element_ops == (6 + 1 + 1 + 3) * scores
    windowed = run("Attention", four_dims(), left_window_size=0)
    assert windowed.cost.mult_adds == plain.cost.mult_adds
    assert windowed.cost.element_ops == 7 * scores


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({0: spec("q", BATCH, 7, QUERIES, SIZE)}, "share a key head"),
        ({1: spec("k", BATCH, KV_HEADS, KEYS, 9)}, "head size of queries and keys"),
        ({2: spec("v", BATCH, KV_HEADS, 6, SIZE)}, "length of keys and values"),
        ({1: spec("k", 3, KV_HEADS, KEYS, SIZE)}, "batch"),
        ({0: spec("q", BATCH, QUERIES, HEADS * SIZE)}, "number of its heads"),
    ],
)
def test_attention_that_does_not_fit_is_refused(changes: dict[int, TensorSpec], message: str) -> None:
    inputs = [changes.get(i, entry) for i, entry in enumerate(four_dims())]
    with pytest.raises(ShapeError, match=message):
        run("Attention", inputs)


def test_flex_attention_counts_as_attention_and_says_what_it_leaves_out() -> None:
    plain = run("FlexAttention", four_dims(), "ai.onnx.preview")
    assert plain.cost.mult_adds == attention_loops(0)
    assert plain.outputs[0].shape == (BATCH, HEADS, QUERIES, VALUE_SIZE)
    assert plain.counting is Counting.COUNTED
    changed = run("FlexAttention", four_dims(), "ai.onnx.preview", score_mod=object())
    assert changed.cost.mult_adds == plain.cost.mult_adds
    assert changed.counting is Counting.APPROXIMATED


def recurrence_loops(rule: str, q_heads: int, kv_heads: int) -> int:
    """Multiply-accumulates of the recurrence as its definition writes it, token by token."""
    count = 0
    for _ in np.ndindex(BATCH, KEYS):
        for _head in range(kv_heads):
            if rule in ("delta", "gated_delta"):
                count += sum(1 for _ in np.ndindex(SIZE, VALUE_SIZE))  # S^T k
            count += sum(1 for _ in np.ndindex(SIZE, VALUE_SIZE))  # S + k v
        for _head in range(max(q_heads, kv_heads)):
            count += sum(1 for _ in np.ndindex(SIZE, VALUE_SIZE))  # q^T S
    return count


@pytest.mark.parametrize("rule", ["linear", "gated", "delta", "gated_delta"])
def test_linear_attention_counts_its_recurrence(rule: str) -> None:
    inputs = [
        spec("q", BATCH, KEYS, HEADS * SIZE),
        spec("k", BATCH, KEYS, KV_HEADS * SIZE),
        spec("v", BATCH, KEYS, KV_HEADS * VALUE_SIZE),
        None,
        spec("decay", BATCH, KEYS, KV_HEADS) if rule.startswith("gated") else None,
        spec("beta", BATCH, KEYS, KV_HEADS),
    ]
    for domain in ("", "com.microsoft"):
        result = run("LinearAttention", inputs, domain, q_num_heads=HEADS, kv_num_heads=KV_HEADS, update_rule=rule)
        assert result.cost.mult_adds == recurrence_loops(rule, HEADS, KV_HEADS)
        assert result.outputs[0].shape == (BATCH, KEYS, HEADS * VALUE_SIZE)
        assert result.outputs[1].shape == (BATCH, KV_HEADS, SIZE, VALUE_SIZE)


def test_linear_attention_with_more_key_heads_than_query_heads_gives_one_output_a_key_head() -> None:
    inputs = [
        spec("q", BATCH, KEYS, 2 * SIZE),
        spec("k", BATCH, KEYS, 4 * SIZE),
        spec("v", BATCH, KEYS, 4 * VALUE_SIZE),
    ]
    attributes = {"q_num_heads": 2, "kv_num_heads": 4, "update_rule": "linear", "state_window": 3}
    result = run("LinearAttention", [*inputs], "com.microsoft", **attributes)
    assert result.cost.mult_adds == recurrence_loops("linear", 2, 4)
    assert result.outputs[0].shape == (BATCH, KEYS, 4 * VALUE_SIZE)
    assert result.outputs[1].shape == (3, BATCH, 4, SIZE, VALUE_SIZE)
    with pytest.raises(ShapeError, match="share a key head"):
        run("LinearAttention", [*inputs], q_num_heads=2, kv_num_heads=4)


def test_an_unknown_update_rule_is_refused() -> None:
    inputs: list[TensorSpec | None] = [spec(name, 2, 5, 8) for name in "qkv"]
    with pytest.raises(ShapeError, match="update_rule is 'magic'"):
        run("LinearAttention", inputs, q_num_heads=2, kv_num_heads=2, update_rule="magic")


def test_causal_convolution_counts_every_tap_of_every_output_element() -> None:
    batch, channels, length, taps = 2, 3, 7, 4
    inputs = [spec("x", batch, channels, length), spec("w", channels, 1, taps), spec("b", channels)]
    result = run("CausalConvWithState", [*inputs], activation="silu")
    loops = sum(1 for _ in np.ndindex(batch, channels, length, taps))
    assert result.cost.mult_adds == loops
    assert result.cost.element_ops == (1 + 5) * batch * channels * length
    assert result.outputs[1].shape == (batch, channels, taps - 1)
    dilated = run("CausalConvWithState", [*inputs], "com.microsoft", dilation=3, state_window=2)
    assert dilated.cost.mult_adds == loops
    assert dilated.outputs[1].shape == (2, batch, channels, (taps - 1) * 3)


def test_causal_convolution_with_channels_last_counts_as_with_channels_first() -> None:
    inputs = [spec("x", 2, 7, 4, 3), spec("w", 12, 1, 5)]
    result = run("CausalConvWithState", [*inputs], "com.microsoft", channels_last=1)
    assert result.cost.mult_adds == 2 * 7 * 12 * 5
    assert [out.shape for out in result.outputs] == [(2, 7, 4, 3), (2, 4, 4, 3)]


def test_a_rotation_takes_three_operations_an_element_that_turns() -> None:
    x, positions = spec("x", 2, 5, 4 * 12), spec("ids", 2, 5, dtype="int64")
    whole = run("RotaryEmbedding", [x, spec("cos", 50, 6), spec("sin", 50, 6), positions], num_heads=4)
    assert whole.cost.element_ops == 3 * 2 * 5 * 4 * 12
    attributes = {"num_heads": 4, "rotary_embedding_dim": 8}
    part = run("RotaryEmbedding", [x, spec("cos", 50, 4), spec("sin", 50, 4), positions], **attributes)
    assert part.cost.element_ops == 3 * 2 * 5 * 4 * 8
    assert part.cost.mult_adds == 0
    looked_up = 2 * (2 * 5 * 4)  # a row of both tables for each token
    assert part.cost.input_elements == 2 * 5 * 48 + looked_up + 2 * 5


def test_the_tables_of_a_rotation_are_no_parameters() -> None:
    tables = [TensorSpec((50, 6), "float32", name, roots=(name,)) for name in ("cos", "sin")]
    result = run("RotaryEmbedding", [spec("x", 2, 4, 5, 12), *tables, spec("ids", 2, 5)])
    assert result.params == ()

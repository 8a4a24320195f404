"""Contrib operators: a fused kernel does the work of its parts; products are counted against plain loops."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest

from costmodel.errors import ShapeError
from costmodel.graph import Counting, TensorSpec
from costmodel.ops import Applied, apply, as_value, find

MS, NCHWC, NHWC = "com.microsoft", "com.microsoft.nchwc", "com.ms.internal.nhwc"
Inputs = list[TensorSpec | None]


def spec(name: str, *shape: int, dtype: str = "float32", constant: bool = False) -> TensorSpec:
    return TensorSpec(shape, dtype, name, roots=(name,) if constant else ())


def known(name: str, *values: int, dtype: str = "int32") -> TensorSpec:
    return TensorSpec((len(values),), dtype, name, as_value(values), (name,))


def run(op_type: str, inputs: Inputs, domain: str = MS, declared: Inputs | None = None, **attributes: Any) -> Applied:
    assert find(op_type, domain) is not None
    outputs = [f"y{i}" for i in range(4)]
    return apply(op_type, domain, inputs, attributes, outputs, declared or [])


def onnx(op_type: str, *inputs: TensorSpec | None, **attributes: Any) -> Applied:
    return run(op_type, list(inputs), "", **attributes)


def shapes(result: Applied) -> list[Any]:
    return [out.shape for out in result.outputs]


def loops(*sizes: int) -> int:
    """Iterations of a loop nest."""
    return sum(1 for _ in np.ndindex(*sizes))


SCALE, ZERO = spec("s", constant=True), spec("z", dtype="uint8", constant=True)


# -- fusions do the work of their parts


def parts(*results: Applied) -> tuple[Any, Any]:
    return sum(r.cost.mult_adds for r in results), sum(r.cost.element_ops for r in results)


def work(result: Applied) -> tuple[Any, Any]:
    return result.cost.mult_adds, result.cost.element_ops


X, BIAS = spec("x", 2, 5, 12), spec("b", 12, constant=True)
BYTES, PLAIN = spec("q", 2, 7, dtype="uint8"), spec("f", 2, 7)
ROW, PLAIN_ROW = spec("r", 7, dtype="uint8"), spec("g", 7)


@pytest.mark.parametrize(
    ("op_type", "inputs", "attributes", "pieces"),
    [
        ("BiasGelu", [X, BIAS], {}, [("Add", X, BIAS), ("Gelu", X)]),
        ("FastGelu", [X], {}, [("Gelu", X)]),
        ("FastGelu", [X, BIAS], {}, [("Add", X, BIAS), ("Gelu", X)]),
        ("BiasAdd", [X, BIAS, X], {}, [("Add", X, BIAS), ("Add", X, X)]),
        ("BiasSoftmax", [X, spec("m", 1, 1, 12)], {"axis": 2}, [("Add", X, BIAS), ("Softmax", X)]),
        ("BiasDropout", [X, BIAS, X], {}, [("Add", X, BIAS), ("Add", X, X)]),
        ("GemmFastGelu", [X, spec("w", 12, 12), BIAS], {}, [
            ("MatMul", X, spec("w", 12, 12)), ("Add", X, BIAS), ("Gelu", X),
        ]),
        ("SkipLayerNormalization", [X, X, BIAS, BIAS, BIAS], {}, [
            ("Add", X, X), ("Add", X, BIAS), ("LayerNormalization", X, BIAS, BIAS),
        ]),
        ("SkipSimplifiedLayerNormalization", [X, X, BIAS], {}, [
            ("Add", X, X), ("RMSNormalization", X, BIAS),
        ]),
        ("GatedRMSNorm", [X, BIAS, X], {}, [("RMSNormalization", X, BIAS), ("Swish", X), ("Mul", X, X)]),
        ("QLinearSigmoid", [BYTES, SCALE, ZERO, SCALE, ZERO], {}, [
            ("DequantizeLinear", PLAIN, SCALE, ZERO), ("Sigmoid", PLAIN),
            ("QuantizeLinear", PLAIN, SCALE, ZERO),
        ]),
        ("QLinearAdd", [BYTES, SCALE, ZERO, ROW, SCALE, ZERO, SCALE, ZERO], {}, [
            ("DequantizeLinear", PLAIN, SCALE, ZERO), ("DequantizeLinear", PLAIN_ROW, SCALE, ZERO),
            ("Add", PLAIN, PLAIN_ROW), ("QuantizeLinear", PLAIN, SCALE, ZERO),
        ]),
    ],
)  # fmt: skip
def test_a_fused_operator_does_the_work_of_its_parts(
    op_type: str, inputs: Inputs, attributes: dict[str, Any], pieces: list[tuple[Any, ...]]
) -> None:
    assert work(run(op_type, inputs, **attributes)) == parts(*(onnx(*piece) for piece in pieces))


CONV = {"kernel_shape": (3, 2), "pads": (1, 0, 2, 1), "strides": (2, 3), "dilations": (1, 2), "group": 2}
IMAGE, LAST = spec("x", 2, 4, 11, 13), spec("x", 2, 11, 13, 4)
FILTERS, OFFSET = spec("w", 6, 2, 3, 2, constant=True), spec("b", 6, constant=True)


@pytest.mark.parametrize("activation", ["", "Relu", "Sigmoid", "HardSigmoid"])
def test_a_fused_convolution_is_conv_then_add_then_activation(activation: str) -> None:
    conv = onnx("Conv", IMAGE, FILTERS, OFFSET, **CONV)
    out = conv.outputs[0]
    pieces = [conv, onnx("Add", out, out)]
    if activation:
        pieces.append(onnx(activation, out))
    fused = run("FusedConv", [IMAGE, FILTERS, OFFSET, out], **CONV, activation=activation)
    assert work(fused) == parts(*pieces)
    assert shapes(fused) == shapes(conv)


def moved(shape: Any) -> Any:
    batch, channels, *size = shape
    return (batch, *size, channels)


@pytest.mark.parametrize(("op_type", "domain"), [("NhwcConv", MS), ("NhwcFusedConv", MS), ("Conv", NHWC)])
def test_channels_last_changes_shapes_but_no_counts(op_type: str, domain: str) -> None:
    first, last = (
        onnx("Conv", IMAGE, FILTERS, OFFSET, **CONV),
        run(op_type, [LAST, FILTERS, OFFSET], domain, **CONV),
    )
    assert first.cost == last.cost
    assert last.outputs[0].shape == moved(first.outputs[0].shape)


@pytest.mark.parametrize(
    ("op_type", "domain", "original"),
    [
        ("NhwcMaxPool", MS, "MaxPool"),
        ("MaxPool", NHWC, "MaxPool"),
        ("AveragePool", NHWC, "AveragePool"),
        ("GlobalAveragePool", NHWC, "GlobalAveragePool"),
    ],
)
def test_pooling_with_channels_last_changes_shapes_but_no_counts(op_type: str, domain: str, original: str) -> None:
    geometry = {"kernel_shape": (3, 2), "strides": (2, 3), "pads": (1, 0, 1, 1)}
    first, last = onnx(original, IMAGE, **geometry), run(op_type, [LAST], domain, **geometry)
    assert work(first) == work(last)
    assert last.outputs[0].shape == moved(first.outputs[0].shape)


def test_quantised_convolution_takes_channels_last() -> None:
    weight = spec("w", 6, 2, 3, 2, dtype="int8", constant=True)
    inputs: Inputs = [SCALE, ZERO, weight, SCALE, ZERO, SCALE, ZERO]
    first = run("QLinearConv", [spec("x", 2, 4, 11, 13, dtype="uint8"), *inputs], **CONV)
    last = run("QLinearConv", [spec("x", 2, 11, 13, 4, dtype="uint8"), *inputs], **CONV, channels_last=1)
    assert first.cost == last.cost == onnx("QLinearConv", spec("x", 2, 4, 11, 13, dtype="uint8"), *inputs, **CONV).cost
    assert last.outputs[0].shape == moved(first.outputs[0].shape)


def test_a_blocked_convolution_computes_the_filled_up_channels_too() -> None:
    """20 channels in blocks of 16 are 32; the weight says so, the input of a reordering does not."""
    x = spec("x", 2, 20, 5, 7)
    reordered = run("ReorderInput", [x], NCHWC)
    assert reordered.counting is Counting.APPROXIMATED
    conv = run("Conv", [x, spec("w", 48, 32, 1, 1), spec("b", 48)], NCHWC, activation="Relu")
    assert conv.cost.mult_adds == loops(2, 48, 5, 7, 32)
    assert shapes(conv) == [(2, 48, 5, 7)]
    out = run("ReorderOutput", [conv.outputs[0]], NCHWC, channels=36, channels_last=1)
    assert shapes(out) == [(2, 5, 7, 36)]
    with pytest.raises(ShapeError, match="16 channels"):
        run("Conv", [x, spec("w", 48, 16, 1, 1)], NCHWC)


# -- matrix products


@pytest.mark.parametrize("flags", list(product((0, 1), repeat=4)))
def test_fused_matmul_multiplies_what_it_transposes(flags: tuple[int, int, int, int]) -> None:
    """The operands of one product, stored in every order that the flags can describe."""
    batch, rows, inner, columns = 3, 4, 5, 6

    def stored(name: str, tall: int, wide: int, transposed: int, batch_first: int) -> TensorSpec:
        matrix = (wide, tall) if transposed else (tall, wide)
        return spec(name, matrix[0], batch, matrix[1]) if batch_first else spec(name, batch, *matrix)

    names = ("transA", "transB", "transBatchA", "transBatchB")
    given = dict(zip(names, flags, strict=True))
    a = stored("a", rows, inner, given["transA"], given["transBatchA"])
    b = stored("b", inner, columns, given["transB"], given["transBatchB"])
    result = run("FusedMatMul", [a, b], **given, alpha=0.5)
    assert shapes(result) == [(batch, rows, columns)]
    assert work(result) == (loops(batch, rows, columns, inner), loops(batch, rows, columns))


def test_fused_gemm_is_gemm_then_activation() -> None:
    a, b, c = spec("a", 5, 3), spec("b", 7, 5), spec("c", 7)
    gemm = onnx("Gemm", a, b, c, transA=1, transB=1)
    result = run("FusedGemm", [a, b, c], transA=1, transB=1, activation="Relu")
    assert work(result) == parts(gemm, onnx("Relu", gemm.outputs[0]))
    assert result.cost.mult_adds == loops(3, 7, 5)


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_a_packed_weight_has_logical_parameters_and_the_bytes_of_its_packing(bits: int) -> None:
    """K = 40 does not fill its second block of 32: the filling is stored, and it is no parameter."""
    inner, columns, blob = 40, 24, 32 * bits // 8
    b = spec("b", columns, 2, blob, dtype="uint8", constant=True)
    scales = spec("scales", columns, 2, constant=True)
    a = spec("a", 2, 3, inner)
    result = run("MatMulNBits", [a, b, scales], K=inner, N=columns, block_size=32, bits=bits)
    assert result.cost.mult_adds == loops(2, 3, columns, inner)
    assert [(part.name, count) for part, count in result.params] == [("b", inner * columns)]
    assert result.cost.weight_elements == columns * 2 * blob + columns * 2
    assert result.cost.bytes == 4 * (240 + 2 * 3 * columns) + columns * 2 * blob + 4 * columns * 2
    assert result.cost.element_ops == 2 * inner * columns
    assert shapes(result) == [(2, 3, columns)]


def test_a_packed_weight_of_another_size_is_refused() -> None:
    with pytest.raises(ShapeError, match="K and the last dim"):
        run("MatMulNBits", [spec("a", 3, 41), spec("b", 24, 2, 16), spec("s", 48)], K=40, N=24)


def test_other_packed_weights_count_as_their_logical_product() -> None:
    a = spec("a", 2, 3, 40)
    wanted = loops(2, 3, 24, 40)
    packed = spec("b", 480, dtype="uint8")
    assert run("MatMulBnb4", [a, packed, spec("s", 60)], K=40, N=24).cost.mult_adds == wanted
    assert run("MatMulFpQ4", [a, packed, known("shape", 40, 24, dtype="int64")]).cost.mult_adds == wanted
    fp8 = spec("b", 24, 40, dtype="float8e4m3fn")
    assert run("MatMulBlockQuantizedFp8Weight", [a, fp8, spec("s", 24, 1)]).cost.mult_adds == wanted
    fp4 = spec("b", 24, 20, dtype="uint8")
    assert run("MatMulBlockQuantizedFp4Weight", [a, fp4, spec("s", 24, 3), SCALE]).cost.mult_adds == wanted


def test_fused_packed_products_are_the_sum_of_single_ones() -> None:
    a, b, s = spec("a", 2, 40), spec("b", 24, 2, 16, dtype="uint8"), spec("s", 24, 2)
    single = run("MatMulNBits", [a, b, s], K=40, N=24)
    mlp = run("MatMulNBitsMlp", [a, None, None, b, s, None, b, s], K=40, N=24, activation="silu")
    assert mlp.cost.mult_adds == 2 * single.cost.mult_adds
    gated = parts(onnx("Swish", single.outputs[0]), onnx("Mul", single.outputs[0], single.outputs[0]))[1]
    assert mlp.cost.element_ops == 2 * single.cost.element_ops + gated
    small = run("MatMulNBits", [a, spec("k", 8, 2, 16), spec("s", 8, 2)], K=40, N=8)
    k = spec("k", 8, 2, 16, dtype="uint8")
    qkv = run("MatMulNBitsQkv", [a, a, spec("g", 40), b, s, None, k, s, None, k, s], K=40, Nq=24, Nkv=8)
    assert qkv.cost.mult_adds == single.cost.mult_adds + 2 * small.cost.mult_adds
    assert shapes(qkv) == [(2, 24), (2, 8), (2, 8), (2, 40)]


@pytest.mark.parametrize(
    ("op_type", "scales"),
    [
        ("MatMulInteger16", []),
        ("MatMulIntegerToFloat", [SCALE, SCALE, ZERO, ZERO]),
        ("DynamicQuantizeMatMul", [SCALE]),
    ],
)
def test_integer_products_count_one_mult_add_a_loop_iteration(op_type: str, scales: Inputs) -> None:
    result = run(op_type, [spec("a", 2, 1, 5, 7), spec("b", 3, 7, 4), *scales])
    assert result.cost.mult_adds == loops(2, 3, 5, 4, 7)
    assert shapes(result) == [(2, 3, 5, 4)]


def test_quantised_gemm_is_float_without_an_output_zero_point() -> None:
    a, b = spec("a", 5, 3, dtype="uint8"), spec("b", 7, 5, dtype="uint8")
    inputs: Inputs = [a, SCALE, ZERO, b, SCALE, ZERO]
    result = run("QGemm", inputs, transA=1, transB=1)
    assert result.cost.mult_adds == loops(3, 7, 5)
    assert result.outputs[0].dtype == "float32"
    assert run("QGemm", [*inputs, None, SCALE, ZERO], transA=1, transB=1).outputs[0].dtype == "uint8"


def test_a_gated_position_bias_counts_its_projection() -> None:
    inputs: Inputs = [
        spec("q", 2, 5, 12), spec("qb", 12), spec("rel", 1, 3, 5, 5), spec("w", 4, 8), spec("b", 8),
        spec("a", 1, 3, 1, 1),
    ]  # fmt: skip
    result = run("GatedRelativePositionBias", inputs, num_heads=3)
    assert result.cost.mult_adds == loops(2, 5, 3, 8, 4)
    assert shapes(result) == [(2, 3, 5, 5)]


# -- attention

BATCH, HEADS, LENGTH, PAST, SIZE, INPUT = 2, 3, 5, 7, 4, 10
HIDDEN = HEADS * SIZE


def products(queries: int, keys: int, key_size: int = SIZE, value_size: int = SIZE) -> int:
    """Multiply-accumulates of Q K^T and P V, one at a time."""
    return loops(BATCH, HEADS, queries, keys, key_size) + loops(BATCH, HEADS, queries, value_size, keys)


def test_attention_contains_its_merged_projection() -> None:
    inputs: Inputs = [
        spec("x", BATCH, LENGTH, INPUT),
        spec("w", INPUT, 3 * HIDDEN, constant=True),
        spec("b", 3 * HIDDEN),
    ]
    projection = loops(BATCH, LENGTH, 3 * HIDDEN, INPUT)
    result = run("Attention", inputs, num_heads=HEADS)
    assert result.cost.mult_adds == projection + products(LENGTH, LENGTH)
    assert shapes(result) == [(BATCH, LENGTH, HIDDEN), (2, BATCH, HEADS, LENGTH, SIZE)]
    past = spec("past", 2, BATCH, HEADS, PAST, SIZE)
    longer = run("Attention", [*inputs, None, past], num_heads=HEADS, unidirectional=1)
    assert longer.cost.mult_adds == projection + products(LENGTH, PAST + LENGTH)
    assert shapes(longer)[1] == (2, BATCH, HEADS, PAST + LENGTH, SIZE)
    quantised = run("QAttention", [*inputs, SCALE, SCALE, None, ZERO, ZERO, past], num_heads=HEADS)
    assert quantised.cost.mult_adds == longer.cost.mult_adds


def test_values_may_have_a_size_of_their_own() -> None:
    inputs: Inputs = [spec("x", BATCH, LENGTH, INPUT), spec("w", INPUT, 2 * HIDDEN + 18)]
    result = run("Attention", inputs, num_heads=HEADS, qkv_hidden_sizes=(HIDDEN, HIDDEN, 18))
    projection = loops(BATCH, LENGTH, 2 * HIDDEN + 18, INPUT)
    assert result.cost.mult_adds == projection + products(LENGTH, LENGTH, SIZE, 6)
    assert shapes(result)[0] == (BATCH, LENGTH, 18)
    with pytest.raises(ShapeError, match="sum of qkv_hidden_sizes"):
        run("Attention", inputs, num_heads=HEADS, qkv_hidden_sizes=(HIDDEN, HIDDEN, 12))


def test_a_shared_cache_is_counted_as_far_as_it_is_known_to_be_filled() -> None:
    inputs: Inputs = [
        spec("x", BATCH, 1, INPUT), spec("w", INPUT, 3 * HIDDEN), spec("b", 3 * HIDDEN), None,
        spec("past", 2, BATCH, HEADS, 64, SIZE), None,
    ]  # fmt: skip
    projection = loops(BATCH, 1, 3 * HIDDEN, INPUT)
    attributes = {"num_heads": HEADS, "past_present_share_buffer": 1}
    filled = run("DecoderMaskedSelfAttention", [*inputs, known("n", PAST)], **attributes)
    assert filled.cost.mult_adds == projection + products(1, PAST + 1)
    assert filled.counting is Counting.COUNTED
    unknown = run("DecoderMaskedSelfAttention", [*inputs, spec("n", 1, dtype="int32")], **attributes)
    assert unknown.cost.mult_adds == projection + products(1, 64)
    assert unknown.counting is Counting.APPROXIMATED
    assert shapes(filled)[1] == shapes(unknown)[1] == (2, BATCH, HEADS, 64, SIZE)


QUERY = spec("q", BATCH, LENGTH, HIDDEN)


@pytest.mark.parametrize(
    ("inputs", "keys"),
    [
        ([QUERY, spec("k", BATCH, 6, HIDDEN), spec("v", BATCH, 6, HIDDEN)], 6),
        ([QUERY, spec("kv", BATCH, 6, HEADS, 2, SIZE)], 6),
        ([spec("qkv", BATCH, LENGTH, HEADS, 3, SIZE)], LENGTH),
        ([QUERY, spec("k", BATCH, HEADS, 6, SIZE), spec("v", BATCH, HEADS, 6, SIZE)], 6),
    ],
    ids=["separate", "packed keys and values", "packed", "cross attention on a cache"],
)
def test_every_layout_of_multi_head_attention_counts_the_same_products(inputs: Inputs, keys: int) -> None:
    result = run("MultiHeadAttention", inputs, num_heads=HEADS)
    assert result.cost.mult_adds == products(LENGTH, keys)
    assert shapes(result) == [
        (BATCH, LENGTH, HIDDEN), (BATCH, HEADS, keys, SIZE), (BATCH, HEADS, keys, SIZE), (BATCH, HEADS,
            LENGTH, keys),
    ]  # fmt: skip


def test_multi_head_attention_meets_its_past_and_adds_its_bias() -> None:
    k, v = spec("k", BATCH, LENGTH, HIDDEN), spec("v", BATCH, LENGTH, HIDDEN)
    caches: Inputs = [spec(name, BATCH, HEADS, PAST, SIZE) for name in ("pk", "pv")]
    plain = run("MultiHeadAttention", [QUERY, k, v, None, None, None, *caches], num_heads=HEADS)
    assert plain.cost.mult_adds == products(LENGTH, PAST + LENGTH)
    biased = run("MultiHeadAttention", [QUERY, k, v, spec("b", 3 * HIDDEN), None, None, *caches], num_heads=HEADS)
    assert biased.cost.element_ops - plain.cost.element_ops == 3 * BATCH * LENGTH * HIDDEN
    decoder = run(
        "DecoderMaskedMultiHeadAttention", [QUERY, k, v, None, None, *caches, known("n", 3)],
        num_heads=HEADS, past_present_share_buffer=1,
    )  # fmt: skip
    assert decoder.cost.mult_adds == products(LENGTH, 3 + LENGTH)
    assert shapes(decoder)[1] == (BATCH, HEADS, PAST, SIZE)


def group_query(*middle: TensorSpec | None, declared: Inputs | None = None, **attributes: Any) -> Applied:
    """Six query heads on two key heads."""
    inputs: Inputs = [spec("q", 2, 5, 6 * 8), spec("k", 2, 5, 2 * 8), spec("v", 2, 5, 2 * 8), *middle]
    return run("GroupQueryAttention", inputs, declared=declared, num_heads=6, kv_num_heads=2, **attributes)


def test_grouped_queries_count_every_query_head() -> None:
    caches: Inputs = [spec(name, 2, 2, 7, 8) for name in ("pk", "pv")]
    lengths = spec("lengths", 2, dtype="int32")
    fresh = group_query(None, None, lengths, known("total", 5))
    assert fresh.cost.mult_adds == 2 * loops(2, 6, 5, 5, 8)
    grown = group_query(*caches, lengths, spec("total", 1, dtype="int32"))
    assert grown.cost.mult_adds == 2 * loops(2, 6, 5, 12, 8)
    assert shapes(grown) == [(2, 5, 48), (2, 2, 12, 8), (2, 2, 12, 8), (2, 6, 5, 12)]
    packed: Inputs = [spec("qkv", 2, 5, (6 + 2 + 2) * 8), None, None, None, None, lengths, known("total", 5)]
    assert run("GroupQueryAttention", packed, num_heads=6, kv_num_heads=2).cost.mult_adds == fresh.cost.mult_adds


def test_a_cache_that_is_declared_to_keep_its_size_is_written_in_place() -> None:
    caches: Inputs = [spec(name, 2, 2, 64, 8) for name in ("pk", "pv")]
    lengths = spec("lengths", 2, dtype="int32")
    declared: Inputs = [None, spec("present", 2, 2, 64, 8), spec("present", 2, 2, 64, 8)]
    unknown = group_query(*caches, lengths, spec("total", 1, dtype="int32"), declared=declared)
    assert unknown.cost.mult_adds == 2 * loops(2, 6, 5, 64, 8)
    assert unknown.counting is Counting.APPROXIMATED
    told = group_query(*caches, lengths, known("total", 9), declared=declared)
    assert told.cost.mult_adds == 2 * loops(2, 6, 5, 9, 8)
    assert told.counting is Counting.COUNTED
    assert shapes(unknown)[1] == shapes(told)[1] == (2, 2, 64, 8)


def test_rotation_and_norms_within_attention_are_element_ops() -> None:
    lengths, total = spec("lengths", 2, dtype="int32"), known("total", 5)
    plain = group_query(None, None, lengths, total)
    tables = [spec("cos", 64, 4, constant=True), spec("sin", 64, 4, constant=True)]
    rotated = group_query(None, None, lengths, total, *tables, do_rotary=1)
    turned = 2 * 5 * (6 + 2) * 8
    assert rotated.cost.mult_adds == plain.cost.mult_adds
    assert rotated.cost.element_ops - plain.cost.element_ops == 3 * turned
    assert rotated.cost.weight_elements == 2 * (2 * 5 * 4)
    assert rotated.params == ()
    weights = [None] * 7 + [spec("qn", 8), spec("kn", 8)]
    normed = group_query(None, None, lengths, total, *weights)
    assert normed.cost.element_ops - plain.cost.element_ops == 4 * turned


def test_packed_sequences_of_known_length_meet_only_themselves() -> None:
    lengths = (3, 1, 4)
    tokens = sum(lengths)
    own = sum(loops(HEADS, n, n, SIZE) + loops(HEADS, n, SIZE, n) for n in lengths)
    ends = known("ends", 0, 3, 4, 8)
    offsets = spec("offsets", 3, 4, dtype="int32")
    weights: Inputs = [spec("x", tokens, INPUT), spec("w", INPUT, 3 * HIDDEN), spec("b", 3 * HIDDEN)]
    result = run("PackedAttention", [*weights, offsets, ends], num_heads=HEADS)
    assert result.cost.mult_adds == loops(tokens, 3 * HIDDEN, INPUT) + own
    assert result.counting is Counting.COUNTED
    heads: Inputs = [spec(name, tokens, HIDDEN) for name in "qkv"]
    known_lengths = run("PackedMultiHeadAttention", [*heads, None, offsets, ends], num_heads=HEADS)
    assert known_lengths.cost.mult_adds == own
    unknown_ends = spec("ends", 4, dtype="int32")
    padded = run("PackedMultiHeadAttention", [*heads, None, offsets, unknown_ends], num_heads=HEADS)
    assert padded.cost.mult_adds == 2 * loops(3, HEADS, 4, 4, SIZE)
    assert padded.counting is Counting.APPROXIMATED
    together: Inputs = [spec("qkv", tokens, HEADS, 3, SIZE), None, None, None, offsets, ends]
    assert run("PackedMultiHeadAttention", together, num_heads=HEADS).cost.mult_adds == own


def test_a_local_window_counts_its_neighbours_only() -> None:
    inputs: Inputs = [
        spec("x", BATCH, 16, HIDDEN), spec("w", HIDDEN, 3 * HIDDEN), spec("b", 3 * HIDDEN), spec("m", BATCH,
            16),
        spec("gw", HIDDEN, 3 * HIDDEN), spec("gb", 3 * HIDDEN), spec("g", BATCH, 16, dtype="int32"),
    ]  # fmt: skip
    result = run("LongformerAttention", inputs, num_heads=HEADS, window=2)
    assert result.cost.mult_adds == loops(BATCH, 16, 3 * HIDDEN, HIDDEN) + products(16, 2 * 2 + 1)
    assert result.counting is Counting.APPROXIMATED


def test_a_page_table_bounds_the_keys_that_a_token_meets() -> None:
    pages: Inputs = [spec(name, 9, 16, 2, 8) for name in ("pk", "pv")]
    steering: Inputs = [
        spec("ends", 3, dtype="int32"),
        spec("lens", 2, dtype="int32"),
        spec("table", 2, 4, dtype="int32"),
    ]
    inputs: Inputs = [spec("q", 5, 6 * 8), spec("k", 5, 16), spec("v", 5, 16), *pages, *steering]
    result = run("PagedAttention", inputs, num_heads=6, kv_num_heads=2)
    assert result.cost.mult_adds == 2 * loops(5, 6, 4 * 16, 8)
    assert result.counting is Counting.APPROXIMATED
    assert shapes(result) == [(5, 48), (9, 16, 2, 8), (9, 16, 2, 8)]


# -- experts


def experts(tokens: int, k: int) -> Applied:
    inputs: Inputs = [
        spec("x", tokens, 6), spec("router", tokens, 4), spec("w1", 4, 10, 6, constant=True),
        spec("b1", 4, 10, constant=True), spec("w2", 4, 6, 10, constant=True), spec("b2", 4, 6,
            constant=True),
    ]  # fmt: skip
    return run("MoE", inputs, k=k, activation_type="relu")


@pytest.mark.parametrize(("tokens", "k"), [(1, 1), (1, 2), (7, 2), (7, 4)])
def test_every_token_runs_k_experts(tokens: int, k: int) -> None:
    result = experts(tokens, k)
    assert result.cost.mult_adds == loops(tokens, k, 10, 6) + loops(tokens, k, 6, 10)
    active = min(4, tokens * k)
    assert result.cost.weight_elements == active * (60 + 10 + 60 + 6)
    assert {part.name: count for part, count in result.params}["w1"] == 240
    assert result.counting is Counting.APPROXIMATED  # of which experts are read, not of what is multiplied


def test_more_experts_than_there_are_is_refused() -> None:
    with pytest.raises(ShapeError, match="k is 5"):
        experts(3, 5)


def test_gated_experts_may_be_stored_as_one_layer_or_as_two() -> None:
    x, router, second = spec("x", 2, 3, 6), spec("r", 6, 4), spec("w2", 4, 6, 10)
    one = run("MoE", [x, router, spec("w1", 4, 20, 6), None, second], activation_type="swiglu", swiglu_fusion=1)
    two = run(
        "MoE",
        [x, router, spec("w1", 4, 10, 6), None, second, None, spec("w3", 4, 10, 6)],
        activation_type="swiglu",
    )
    assert work(one) == work(two)
    assert shapes(one) == [(2, 3, 6)]


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_packed_experts_count_as_their_logical_weights(bits: int) -> None:
    packing = 8 // bits
    first = spec("w1", 4, 24, 16 // packing, dtype="uint8", constant=True)
    second = spec("w2", 4, 16, 24 // packing, dtype="uint8", constant=True)
    inputs: Inputs = [
        spec("x", 7, 16),
        spec("r", 7, 4),
        first,
        spec("s1", 4, 24),
        None,
        second,
        spec("s2", 4, 16),
    ]
    result = run("QMoE", inputs, k=2, expert_weight_bits=bits)
    assert result.cost.mult_adds == 2 * loops(7, 2, 24, 16)
    assert [count for _, count in result.params] == [4 * 24 * 16, 4 * 24 * 16]


# -- tables and movement


def test_embeddings_read_the_rows_that_they_look_up() -> None:
    tables = [spec(name, rows, 8, constant=True) for name, rows in (("word", 900), ("position", 64), ("segment", 2))]
    affine = [spec("g", 8, constant=True), spec("b", 8, constant=True)]
    ids = spec("ids", 2, 5, dtype="int32")
    result = run("EmbedLayerNormalization", [ids, ids, *tables, *affine])
    assert result.cost.weight_elements == 2 * 5 * 8 + 5 * 8 + 2 * 5 * 8 + 16
    assert [count for _, count in result.params] == [None] * 5  # every element of every table
    total = spec("sum", 2, 5, 8)
    pieces = [
        onnx("Add", total, total),
        onnx("Add", total, total),
        onnx("LayerNormalization", total, *affine),
    ]
    assert work(result) == parts(*pieces)
    assert shapes(result) == [(2, 5, 8), (2,), (2, 5, 8)]


def test_a_packed_table_is_read_packed_and_counted_unpacked() -> None:
    data = spec("data", 100, 16, dtype="uint8", constant=True)
    scales = spec("scales", 100, 2, dtype="float16", constant=True)
    result = run("GatherBlockQuantized", [data, spec("ids", 2, 5, dtype="int64"), scales], bits=4, block_size=16)
    assert shapes(result) == [(2, 5, 32)]
    assert result.outputs[0].dtype == "float16"
    assert result.cost.weight_elements == 10 * 16 + 10 * 2
    assert [(part.name, count) for part, count in result.params] == [("data", 3200)]


def test_words_are_convolved_at_every_place_of_the_window() -> None:
    inputs: Inputs = [
        spec("words", 3, 9, dtype="int32"),
        spec("w", 6, 1, 5, 4),
        spec("b", 6),
        spec("chars", 30, 4),
    ]
    result = run("WordConvEmbedding", inputs)
    assert result.cost.mult_adds == loops(3, 9 - 5 + 1, 6, 5, 4)
    assert shapes(result) == [(3, 6)]


def test_padding_is_removed_as_far_as_lengths_are_known() -> None:
    x = spec("x", 3, 5, 8)
    exact = run("RemovePadding", [x, known("n", 5, 1, 3)])
    assert shapes(exact) == [(9, 8), (3, 5), (4,), (1,)]
    assert exact.counting is Counting.COUNTED
    bound = run("RemovePadding", [x, spec("n", 3, dtype="int32")])
    assert (bound.outputs[0].shape, bound.counting) == ((15, 8), Counting.APPROXIMATED)
    back = run("RestorePadding", [exact.outputs[0], exact.outputs[1]])
    assert shapes(back) == [(3, 5, 8)]


def test_a_spectrum_goes_back_to_its_signal() -> None:
    for rank in (1, 2):
        spectrum = run("Rfft", [spec("x", 3, 6, 8)], signal_ndim=rank)
        assert shapes(spectrum) == [(3, 6, 5, 2)]
        assert shapes(run("Irfft", [spectrum.outputs[0]], signal_ndim=rank)) == [(3, 6, 8)]


def test_quantised_parts_are_joined_without_their_scales_as_parameters() -> None:
    triples: Inputs = [
        spec("a", 2, 3, dtype="uint8", constant=True),
        SCALE,
        ZERO,
        spec("b", 2, 4, dtype="uint8"),
        SCALE,
        ZERO,
    ]
    result = run(
        "QLinearConcat",
        [spec("ys", constant=True), spec("yz", dtype="uint8", constant=True), *triples],
        axis=1,
    )
    assert shapes(result) == [(2, 7)]
    assert {part.name: count for part, count in result.params} == {"a": None, "s": 0, "z": 0}
    with pytest.raises(ShapeError, match="each tensor comes with"):
        run("QLinearConcat", [SCALE, ZERO, *triples[:2]], axis=1)


def test_scales_of_quantised_operators_are_no_parameters() -> None:
    x = spec("x", 2, 3, dtype="uint8")
    for op_type, inputs in {
        "QLinearSigmoid": [x, SCALE, ZERO, SCALE, ZERO],
        "QLinearMul": [x, SCALE, ZERO, x, SCALE, ZERO, SCALE, ZERO],
        "QLinearWhere": [spec("c", 2, 3, dtype="bool"), x, SCALE, ZERO, x, SCALE, ZERO, SCALE, ZERO],
        "QLinearReduceMean": [x, SCALE, ZERO, SCALE, ZERO],
    }.items():
        assert run(op_type, list(inputs)).params == (), op_type


def test_an_input_that_is_needed_behind_an_optional_one_is_asked_for() -> None:
    with pytest.raises(ShapeError, match="input 'B' is left out"):
        run("QLinearAdd", [spec("x", 2, 3, dtype="uint8"), SCALE])

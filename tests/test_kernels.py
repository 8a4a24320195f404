"""Fusion rule by rule, on graphs of a few operators written by hand."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from costmodel import zoo
from costmodel.builder import GraphBuilder
from costmodel.errors import UsageError
from costmodel.graph import Graph, TensorSpec
from costmodel.kernels import RUNTIMES, Kernel, Kind, Runtime, fuse, runtime_of
from costmodel.kernels.flow import prepared
from costmodel.kernels.kinds import KINDS
from costmodel.kernels.loops import _READERS
from costmodel.ops.registry import operators

BARE = Runtime("bare", folds_norm=False, epilogues=frozenset(), prepares=False)
NCNN, TENSORRT, TORCH, TFLITE = (RUNTIMES[name] for name in ("ncnn", "tensorrt", "torch", "tflite"))
ONNXRUNTIME = RUNTIMES["onnxruntime"]
SHUFFLENET = ("Reshape", "Transpose", "Reshape")


def start(channels: int = 32, height: int = 9, width: int = 7) -> tuple[GraphBuilder, TensorSpec]:
    g = GraphBuilder("net")
    return g, g.input("input", (1, channels, height, width))


def scalar(g: GraphBuilder, value: float) -> TensorSpec:
    return replace(g.values((value,), "float32", name="c"), shape=())


def types(kernels: tuple[Kernel, ...]) -> list[tuple[str, ...]]:
    return [tuple(node.op_type for node in kernel.operators) for kernel in kernels]


def fused(g: GraphBuilder, runtime: Runtime, *outputs: TensorSpec) -> list[tuple[str, ...]]:
    return types(fuse(g.build(*outputs), runtime))


# -- kinds

# Operators that are contractions of several loop nests, or that no kind describes; timed by mult-adds and elements.
OTHERS = """
AffineGrid Attention Bernoulli BlackmanWindow CausalConvWithState ConcatFromSequence DFT Det Einsum GRU HammingWindow
HannWindow ImageDecoder LSTM LinearAttention MelWeightMatrix Multinomial NegativeLogLikelihoodLoss NonMaxSuppression
NonZero Optional OptionalGetElement OptionalHasElement RNN RandomNormal RandomNormalLike RandomUniform
RandomUniformLike RegexFullMatch STFT SequenceAt SequenceConstruct SequenceEmpty SequenceErase SequenceInsert
SequenceLength SequenceMap Shape Size SoftmaxCrossEntropyLoss SplitToSequence StringConcat StringNormalizer StringSplit
TfIdfVectorizer TopK Unique
ai.onnx.ml:CastMap ai.onnx.ml:CategoryMapper ai.onnx.ml:DictVectorizer ai.onnx.ml:LabelEncoder
ai.onnx.ml:LinearClassifier ai.onnx.ml:LinearRegressor ai.onnx.ml:SVMClassifier ai.onnx.ml:SVMRegressor
ai.onnx.ml:TreeEnsemble ai.onnx.ml:TreeEnsembleClassifier ai.onnx.ml:TreeEnsembleRegressor ai.onnx.ml:ZipMap
ai.onnx.preview:FlexAttention ai.onnx.preview.training:Adagrad ai.onnx.preview.training:Adam
ai.onnx.preview.training:Gradient ai.onnx.preview.training:Momentum
com.microsoft:Attention com.microsoft:CausalConvWithState com.microsoft:DecoderMaskedMultiHeadAttention
com.microsoft:DecoderMaskedSelfAttention com.microsoft:DynamicQuantizeLSTM com.microsoft:GatedRelativePositionBias
com.microsoft:GroupQueryAttention com.microsoft:Inverse com.microsoft:Irfft com.microsoft:LinearAttention
com.microsoft:LinearAttentionGate com.microsoft:LongformerAttention com.microsoft:MatMulNBitsMlp
com.microsoft:MatMulNBitsQkv com.microsoft:MoE com.microsoft:MultiHeadAttention com.microsoft:NGramRepeatBlock
com.microsoft:PackedAttention com.microsoft:PackedMultiHeadAttention com.microsoft:PagedAttention
com.microsoft:QAttention com.microsoft:QMoE com.microsoft:RelativePositionBias com.microsoft:Rfft
com.microsoft:SparseAttention com.microsoft:Unique com.microsoft:WordConvEmbedding
"""


def test_operators_without_a_kind_are_the_reviewed_ones():
    without = {op.qualified_type for op in operators()} - KINDS.keys() - _READERS.keys()
    assert without == set(OTHERS.split())


def test_the_table_of_kinds_has_registered_operators_and_patterns_only():
    known = {op.qualified_type for op in operators()}
    assert (KINDS.keys() | _READERS.keys()) - known == {"Shuffle"}
    assert not KINDS.keys() & _READERS.keys()


@pytest.mark.parametrize(
    ("op", "inputs", "attributes", "kind", "mult_adds"),
    [
        ("Einsum", [(5, 3), (3, 4)], {"equation": "ij,jk->ik"}, Kind.OTHER, 60),
        ("MatMulInteger", [(5, 3), (3, 4)], {}, Kind.MATMUL, 60),
        ("com.microsoft:FusedMatMul", [(3, 5), (4, 3)], {"transA": 1, "transB": 1}, Kind.MATMUL, 60),
        ("com.microsoft:FusedMatMul", [(2, 3, 5), (2, 3, 4)], {"transA": 1}, Kind.MATMUL, 120),
        ("custom:Relu", [(5, 3)], {}, Kind.OTHER, 0),
        ("com.microsoft:QuickGelu", [(5, 3)], {}, Kind.TRANSCENDENTAL, 0),
    ],
)
def test_operators_by_qualified_type(op, inputs, attributes, kind, mult_adds):
    domain, _, name = op.rpartition(":")
    g = GraphBuilder("net")
    dtype = "int8" if "Integer" in name else "float32"
    specs = [g.input(f"x{i}", shape, dtype) for i, shape in enumerate(inputs)]
    (kernel,) = fuse(g.build(*g.node(name, specs, attributes, domain=domain)), BARE)
    assert (kernel.kind, kernel.op, kernel.cost.mult_adds) == (kind, name, mult_adds)
    if kernel.loops:
        assert kernel.loops.positions * kernel.loops.cin * kernel.loops.cout == mult_adds


# -- loops


@pytest.mark.parametrize(
    ("cin", "cout", "groups", "taps", "kind"),
    [
        (6, 10, 1, (1, 1), Kind.POINTWISE),
        (6, 10, 1, (3, 5), Kind.SPATIAL),
        (6, 10, 2, (1, 1), Kind.GROUPED),
        (6, 6, 6, (3, 1), Kind.DEPTHWISE),
        (6, 12, 6, (3, 3), Kind.GROUPED),
        (12, 6, 6, (3, 3), Kind.GROUPED),
        (1, 1, 1, (3, 3), Kind.SPATIAL),
        (4, 6, 2, (3,), Kind.GROUPED),
        (4, 6, 1, (3, 1, 2), Kind.SPATIAL),
    ],
)
@pytest.mark.parametrize("stride", [1, 3])
def test_loops_of_convolutions(cin, cout, groups, taps, kind, stride):
    size = (11, 8, 5)[: len(taps)]
    g = GraphBuilder("net")
    x = g.input("input", (2, cin, *size))
    y = g.conv(x, cout, taps, groups=groups, stride=stride, padding=0)
    (kernel,) = fuse(g.build(y), BARE)
    loops = kernel.loops
    assert (kernel.kind, loops.taps, loops.strides) == (kind, taps, (stride,) * len(taps))
    assert (loops.cin, loops.cout, loops.batch) == (cin // groups, cout // groups, 2)
    assert loops.size == y.shape[2:]
    assert loops.positions * loops.groups * loops.cin * loops.cout * loops.window == kernel.cost.mult_adds


@pytest.mark.parametrize("groups", [1, 2, 6])
def test_loops_of_transposed_convolutions_run_over_the_input(groups):
    g, x = start(6, 5, 4)
    (kernel,) = fuse(g.build(g.conv_transpose(x, 6, (3, 2), stride=2, groups=groups)), BARE)
    loops = kernel.loops
    assert (loops.size, loops.strides) == ((5, 4), (1, 1))
    assert (
        loops.positions * groups * loops.cin * loops.cout * 6 == 5 * 4 * 6 * (6 // groups) * 6 == kernel.cost.mult_adds
    )


@pytest.mark.parametrize(
    ("domain", "op", "weight"), [("com.microsoft", "NhwcFusedConv", (6, 4, 3, 2)), ("", "QLinearConv", (6, 4, 3, 2))]
)
def test_loops_of_convolutions_in_other_layouts_and_types(domain, op, weight):
    g = GraphBuilder("net")
    shape = (2, 9, 7, 4) if domain else (2, 4, 9, 7)
    x = g.input("input", shape, "float32" if domain else "uint8")
    w = g.weight("w", weight, x.dtype)
    one, zero = replace(g.weight("one", ()), shape=()), replace(g.weight("zero", (), "uint8"), shape=())
    inputs = (x, w) if domain else (x, one, zero, w, one, zero, one, zero)
    (kernel,) = fuse(g.build(*g.node(op, inputs, domain=domain)), BARE)
    assert (kernel.kind, kernel.loops.cin, kernel.loops.cout) == (Kind.SPATIAL, 4, 6)
    assert kernel.loops.size == (7, 6)


@pytest.mark.parametrize("weight_first", [False, True])
def test_a_product_with_a_stored_matrix_is_dense(weight_first):
    g = GraphBuilder("net")
    x = g.input("input", (2, 5, 3))
    pair = (g.weight("w", (4, 5)), x) if weight_first else (x, g.weight("w", (3, 4)))
    (kernel,) = fuse(g.build(g.matmul(*pair)), BARE)
    expected = (6, 5, 4) if weight_first else (10, 3, 4)
    assert kernel.kind is Kind.DENSE
    assert (kernel.loops.positions, kernel.loops.cin, kernel.loops.cout) == expected


def test_a_stored_matrix_for_each_image_is_no_dense_layer():
    g = GraphBuilder("net")
    (kernel,) = fuse(g.build(g.matmul(g.input("input", (2, 5, 3)), g.weight("w", (2, 3, 4)))), BARE)
    assert (kernel.kind, kernel.loops.batch) == (Kind.MATMUL, 2)


# -- normalisation and activations


@pytest.mark.parametrize(
    ("runtime", "expected"),
    [
        (BARE, [("Conv",), ("BatchNormalization",), ("Relu",)]),
        (TORCH, [("Conv",), ("BatchNormalization",), ("Relu",)]),
        (NCNN, [("Conv", "BatchNormalization", "Relu")]),
    ],
)
def test_conv_norm_relu(runtime, expected):
    g, x = start()
    assert fused(g, runtime, g.relu(g.batch_norm(g.conv(x, 8)))) == expected


def test_a_folded_normalisation_costs_nothing():
    g, x = start(4, 5, 3)
    (kernel,) = fuse(g.build(g.relu(g.batch_norm(g.conv(x, 6, 3)))), NCNN)
    cost = kernel.cost
    weights = 6 * 4 * 9
    assert (cost.input_elements, cost.output_elements, cost.weight_elements) == (60, 90, weights)
    assert (cost.element_ops, cost.bytes) == (90, 4 * (60 + 90 + weights))
    assert cost.params == weights + 2 * 6


def test_only_the_first_activation_is_taken_along():
    g, x = start()
    assert fused(g, NCNN, g.sigmoid(g.relu(g.conv(x, 8)))) == [("Conv", "Relu"), ("Sigmoid",)]


def test_an_activation_inside_the_operator_is_the_first():
    g, x = start()
    y = g.node("FusedConv", (x, g.weight("w", (8, 32, 1, 1))), {"activation": "Relu"}, domain="com.microsoft")[0]
    assert fused(g, NCNN, g.relu(y)) == [("FusedConv",), ("Relu",)]


def test_a_tensor_with_two_readers_stays():
    g, x = start()
    y = g.conv(x, 8)
    assert fused(g, NCNN, g.add(g.relu(y), y)) == [("Conv",), ("Relu",), ("Add",)]


def test_an_output_of_the_network_stays():
    g, x = start()
    y = g.conv(x, 8)
    assert fused(g, NCNN, g.relu(y), y) == [("Conv",), ("Relu",)]


def test_a_normalisation_after_a_pooling_runs():
    g, x = start()
    assert fused(g, NCNN, g.batch_norm(g.max_pool(x, 2))) == [("MaxPool",), ("BatchNormalization",)]


# -- additions

ADDS = replace(NCNN, adds=True)


def test_a_shortcut_is_added_on_the_way_out():
    g, x = start()
    y = g.relu(g.add(g.batch_norm(g.conv(x, 32, 3)), x))
    assert fused(g, ADDS, y) == [("Conv", "BatchNormalization", "Add", "Relu")]
    assert types(fuse(g.build(y), NCNN)) == [("Conv", "BatchNormalization"), ("Add",), ("Relu",)]
    assert types(fuse(g.build(y), TFLITE)) == [("Conv", "BatchNormalization"), ("Add", "Relu")]


def test_what_is_added_is_read():
    g, x = start(4, 5, 3)
    (kernel,) = fuse(g.build(g.add(g.conv(x, 4), g.input("other", (1, 4, 5, 3)))), ADDS)
    assert (kernel.cost.input_elements, kernel.cost.output_elements) == (120, 60)


@pytest.mark.parametrize("swapped", [False, True])
def test_of_two_convolutions_the_later_one_adds(swapped):
    """The earlier one's result must exist by then."""
    g, x = start()
    first, second = g.conv(x, 8, name="first"), g.conv(x, 8, 3, name="second")
    y = g.add(second, first) if swapped else g.add(first, second)
    kernels = fuse(g.build(y), ADDS)
    assert [[node.name for node in kernel.operators] for kernel in kernels] == [["first"], ["second", "add"]]


def test_where_only_the_earlier_convolution_can_add_it_waits():
    g, x = start()
    first, second = g.conv(x, 8, name="first"), g.relu(g.conv(x, 8, 3, name="second"))
    kernels = fuse(g.build(g.add(first, second)), ADDS)
    assert [kernel.name for kernel in kernels] == ["second", "first"]


def test_one_shortcut_is_enough():
    g, x = start()
    y = g.add(g.add(g.conv(x, 32), x), x)
    assert fused(g, ADDS, y) == [("Conv", "Add"), ("Add",)]


def test_a_broadcast_sum_is_no_shortcut():
    g, x = start()
    y = g.add(g.conv(x, 32), g.global_avg_pool(x))
    assert ("Conv",) in fused(g, ADDS, y)


def test_a_bias_is_added_by_every_runtime_that_fuses_nothing_else():
    g = GraphBuilder("net")
    x = g.input("input", (5, 3))
    y = g.add(g.matmul(x, g.weight("w", (3, 4))), g.weight("b", (4,)))
    assert fused(g, BARE, y) == [("MatMul", "Add")]


def test_chains_of_elementwise_operators():
    g, x = start()
    y = g.mul(g.relu(g.add(x, x)), g.leaky_relu(x))
    assert fused(g, BARE, y) == [("Add",), ("Relu",), ("LeakyRelu",), ("Mul",)]
    (*_, last) = fused(g, replace(BARE, chains=True), y)
    assert len(last) >= 2


# -- patterns


def swish(g: GraphBuilder, x: TensorSpec) -> TensorSpec:
    return g.mul(x, g.sigmoid(x))


def hard_swishes(g: GraphBuilder, x: TensorSpec) -> dict[str, TensorSpec]:
    """The spellings of exporters; each on its own copy of x."""

    def clipped(x: TensorSpec) -> TensorSpec:
        return g._one("Clip", (g.add(x, scalar(g, 3.0)), scalar(g, 0.0), scalar(g, 6.0)))

    def div(x: TensorSpec) -> TensorSpec:
        return g._one("Div", (x, scalar(g, 6.0)))

    return {
        "operator": g.hard_swish(g.relu(x)),
        "hard sigmoid": g.mul(y := g.relu(x), g.hard_sigmoid(y)),
        "divided gate": g.mul(y := g.relu(x), div(clipped(y))),
        "divided product": div(g.mul(y := g.relu(x), clipped(y))),
        "scaled product": g.mul(g.mul(y := g.relu(x), clipped(y)), scalar(g, 1 / 6)),
    }


def test_every_spelling_of_hard_swish_is_one_kernel():
    g, x = start()
    spellings = hard_swishes(g, x)
    kernels = fuse(g.build(*spellings.values()), BARE)
    assert [kernel.op for kernel in kernels if kernel.op != "Relu"] == ["HardSwish"] * len(spellings)
    elements = 32 * 9 * 7
    assert {kernel.cost.output_elements for kernel in kernels} == {elements}
    assert all(elements <= kernel.cost.input_elements <= elements + 4 for kernel in kernels)  # 4: the constants


def test_hard_sigmoid_as_a_gate():
    g, x = start()
    pooled = g.global_avg_pool(x)
    gate = g._one(
        "Div", (g._one("Clip", (g.add(pooled, scalar(g, 3.0)), scalar(g, 0.0), scalar(g, 6.0))), scalar(g, 6.0))
    )
    assert [kernel.op for kernel in fuse(g.build(g.mul(x, gate)), BARE)] == ["GlobalAveragePool", "HardSigmoid", "Mul"]


@pytest.mark.parametrize("whole", [False, True])
def test_swish(whole):
    g, x = start()
    y = g.conv(x, 8)
    out = g.swish(y) if whole else swish(g, y)
    names = ("Swish",) if whole else ("Sigmoid", "Mul")
    graph = g.build(out)
    assert types(fuse(graph, NCNN)) == [("Conv",), names]
    assert types(fuse(graph, TENSORRT)) == [("Conv", *names)]
    (_, kernel) = fuse(graph, TFLITE)
    assert (kernel.kind, kernel.launches) == (Kind.TRANSCENDENTAL, 2)


def test_a_gate_of_something_else_is_no_swish():
    g, x = start()
    y = g.relu(x)
    assert fused(g, BARE, g.mul(x, g.sigmoid(y))) == [("Relu",), ("Sigmoid",), ("Mul",)]


def test_gelu():
    g, x = start()
    inner = g.add(g._one("Erf", (g._one("Div", (x, scalar(g, 2**0.5))),)), scalar(g, 1.0))
    y = g.mul(g.mul(x, inner), scalar(g, 0.5))
    (kernel,) = fuse(g.build(y), BARE)
    assert (kernel.op, kernel.kind, len(kernel.operators)) == ("Gelu", Kind.TRANSCENDENTAL, 5)


def test_decomposed_where_the_runtime_has_no_such_kernel():
    g, x = start()
    (kernel,) = fuse(g.build(g._one("Mish", (x,))), TORCH)
    assert kernel.launches == 3


# -- channel shuffles, concats, splits


@pytest.mark.parametrize("dims", ["four", "five"])
def test_a_channel_shuffle_is_one_copy(dims):
    """Over (N, g, c, H, W), or (N, g, c, H W) as some exporters write it."""
    g, x = start(6, 4, 5)
    if dims == "five":
        y = g.channel_shuffle(x, 2)
    else:
        y = g.reshape(g.transpose(g.reshape(x, (1, 2, 3, 20)), (0, 2, 1, 3)), (1, 6, 4, 5))
    (kernel,) = fuse(g.build(y), BARE)
    assert (kernel.op, kernel.kind, kernel.launches) == ("Shuffle", Kind.MOVEMENT, 1)
    assert kernel.cost.memory_access == 2 * 6 * 4 * 5
    (kernel,) = fuse(g.build(y), replace(BARE, passes=3))
    assert kernel.launches == 3


def test_other_transposes_between_reshapes_are_no_shuffle():
    """Depth to space ends with fewer channels."""
    g, x = start(12, 4, 5)
    y = g.reshape(g.transpose(g.reshape(x, (1, 3, 2, 2, 4, 5)), (0, 1, 4, 2, 5, 3)), (1, 3, 8, 10))
    assert [kernel.op for kernel in fuse(g.build(y), BARE) if kernel.launches] == ["Transpose"]


def shuffled_unit() -> Graph:
    g, x = start(8, 4, 5)
    left, right = g.split(g.channel_shuffle(g.concat((g.relu(x), g.sigmoid(x))), 2), (8, 8))
    return g.build(g.mul(left, right))


def test_concat_shuffle_and_split_as_three_copies_or_one():
    graph = shuffled_unit()
    copies = [kernel for kernel in fuse(graph, BARE) if kernel.kind is Kind.MOVEMENT]
    assert [kernel.op for kernel in copies] == ["Concat", "Shuffle", "Split"]
    (one,) = (kernel for kernel in fuse(graph, replace(BARE, merges_copies=True)) if kernel.kind is Kind.MOVEMENT)
    assert [node.op_type for node in one.operators] == ["Concat", *SHUFFLENET, "Split"]
    assert one.launches == 1
    elements = 2 * 8 * 4 * 5
    assert (one.cost.input_elements, one.cost.output_elements) == (elements, elements)


def test_a_shuffle_that_is_read_twice_is_a_copy_of_its_own():
    g, x = start(8, 4, 5)
    y = g.channel_shuffle(x, 2)
    left, _ = g.split(y, (4, 4))
    assert fused(g, replace(BARE, merges_copies=True), left, y) == [SHUFFLENET, ("Split",)]


def test_concats_and_splits_that_are_free():
    kernels = fuse(shuffled_unit(), replace(BARE, concats=0, splits=0))
    assert [kernel.op for kernel in kernels if kernel.kind is Kind.VIEW] == ["Concat", "Split"]
    assert all(kernel.launches == 0 for kernel in kernels if kernel.kind is Kind.VIEW)


# -- views


def test_views_join_what_they_rename():
    g, x = start()
    y = g.linear(g.flatten(g.relu(x)), 5)
    assert fused(g, BARE, y) == [("Relu", "Flatten"), ("Gemm",)]


def test_a_view_of_the_input_is_a_kernel_without_launches():
    g, x = start()
    view, _ = fuse(g.build(g.relu(g.reshape(x, (1, -1)))), BARE)
    assert (view.kind, view.launches) == (Kind.VIEW, 0)


def test_an_epilogue_behind_a_view_is_fused():
    g, x = start()
    assert fused(g, NCNN, g.relu(g.flatten(g.conv(x, 8)))) == [("Conv", "Flatten", "Relu")]


def test_an_operator_of_unknown_shapes_is_no_view():
    g = GraphBuilder("net")
    (kernel,) = fuse(g.build(*g.node("Mystery", (g.input("input", None),), domain="acme")), NCNN)
    assert (kernel.kind, kernel.launches) == (Kind.OTHER, 1)


# -- groups, repetitions


@pytest.mark.parametrize(("launches_groups", "batch", "launches"), [(False, 1, 1), (True, 1, 4), (True, 2, 4)])
def test_a_launch_a_group(launches_groups, batch, launches):
    g = GraphBuilder("net")
    y = g.conv(g.input("input", (batch, 8, 5, 3)), 8, 3, groups=4)
    (kernel,) = fuse(g.build(y), replace(BARE, launches_groups=launches_groups))
    assert kernel.launches == launches


def test_operators_that_run_more_often_than_others_stay_apart():
    g, x = start(4, 5, 3)
    (y,) = g.node("Conv", (x, g.weight("w", (4, 4, 1, 1))), repeat=7)
    conv, relu = fuse(g.build(g.relu(y)), NCNN)
    assert (conv.repeat, relu.repeat) == (7, 1)
    assert conv.cost.mult_adds == 7 * 4 * 4 * 15 == 7 * conv.loops.positions * 16


# -- what need not run


def test_dead_operators_and_products_with_zero():
    g, x = start()
    zero = g.mul(g.conv(x, 32, name="for_nothing"), scalar(g, 0.0))
    g.relu(x, "dead")
    y = g.sigmoid(g.add(zero, x))
    kernels = fuse(g.build(y), NCNN)
    assert [kernel.op for kernel in kernels if kernel.launches] == ["Sigmoid"]
    assert sum(len(kernel.operators) for kernel in kernels) == 5
    assert len([kernel for kernel in fuse(g.build(y), TORCH) if kernel.launches]) == 5


OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))


def cell_value(ops, changed=None):
    """A cell's output where its input is 1: none gives 0, a pooling 3 x, convolutions 5 x + 7 and 11 x + 13.

    changed: an edge whose result is another. Also the result of every edge.
    """
    functions = dict(zip(OPERATIONS, ((0, 0), (1, 0), (5, 7), (11, 13), (3, 0)), strict=True))
    nodes, results = [1.0, 0.0, 0.0, 0.0], []
    for edge, (op, (source, target)) in enumerate(zip(ops, EDGES, strict=True)):
        slope, offset = functions[op]
        results.append(slope * nodes[source] + offset)
        nodes[target] += results[-1] + (0.37 if edge == changed else 0)
    return nodes[3], results


def cell(ops):
    """The cell as a graph, and the name of each edge's result."""
    g, x = start(4, 3, 2)
    nodes, names = [x, None, None, None], []
    for op, (source, target) in zip(ops, EDGES, strict=True):
        x = nodes[source]
        if op == "none":
            x = g.mul(x, scalar(g, 0.0))
        elif op == "avg_pool_3x3":
            x = g.avg_pool(x, 3, padding=1)
        elif op != "skip_connect":
            x = g.conv(x, 4, int(op[-1]), bias=True)
        names.append("" if op == "skip_connect" else x.name)
        nodes[target] = x if nodes[target] is None else g.add(nodes[target], x)
    return g.build(nodes[3]), names


@pytest.mark.parametrize("last", OPERATIONS)
def test_what_runs_in_a_cell_is_what_changes_its_result(last):
    """A fifth each of NAS-Bench-201's 15,625 cells, thinned: by changing each edge's result and looking at the output.

    Left out are cells with convolutions of zeros (their biases are known beforehand) and with sums of zeros alone
    (which TFLite was measured to compute).
    """
    checked = 0
    for place, first in enumerate(itertools.product(OPERATIONS, repeat=5)):
        ops = (*first, last)
        if (
            place % 3
            or is_zero(ops, 2)
            or is_zero(ops, 3)
            or (is_zero(ops, 1) and any("conv" in ops[i] for i in (2, 4)))
        ):
            continue
        checked += 1
        graph, names = cell(ops)
        output, results = cell_value(ops)
        idle, _ = prepared(graph)
        for edge, name in enumerate(names):
            if name:
                matters = results[edge] != 0 and cell_value(ops, edge)[0] != output
                assert (name not in idle) == matters, (ops, edge)
    assert checked > 400


def is_zero(ops, node):
    """Whether a node of a cell is zero, whatever the input."""
    edges = [(op, source) for op, (source, target) in zip(ops, EDGES, strict=True) if target == node]
    return node > 0 and all(op == "none" or is_zero(ops, source) for op, source in edges)


# -- ONNX Runtime's blocks of channels, as the graphs that its version 1.31 optimises for AVX-512


def reorders(graph: Graph, blocks: int = 16) -> list[str]:
    """The kernels in order, copies between layouts as `in` and `out`."""
    names = []
    for kernel in fuse(graph, runtime_of("onnxruntime", blocks)):
        if not kernel.operators:
            names.append("in" if kernel.name.endswith(":blocked") else "out")
        elif kernel.kind is not Kind.VIEW:
            names.append("+".join(node.op_type for node in kernel.operators if node.op_type != "Flatten"))
    return names


@pytest.mark.parametrize(
    ("cin", "cout", "groups", "blocked"),
    [
        (58, 58, 1, False),
        (60, 60, 1, True),
        (60, 58, 1, True),
        (24, 24, 1, True),
        (58, 58, 58, False),
        (60, 60, 60, True),
        (64, 128, 64, False),
        (64, 64, 4, True),
        (64, 64, 8, False),
        (96, 96, 4, False),
    ],
)
def test_which_convolutions_work_in_blocks(cin, cout, groups, blocked):
    g, x = start(cin)
    graph = g.build(g.conv(x, cout, 3, groups=groups))
    assert reorders(graph) == (["in", "Conv", "out"] if blocked else ["Conv"])


@pytest.mark.parametrize("channels", [3, 12])
def test_few_channels_are_read_as_they_are(channels):
    g, x = start(channels)
    assert reorders(g.build(g.conv(x, 16, 3))) == ["Conv", "out"]


def test_a_residual_block_in_blocks():
    g, x = start(32)
    a = g.conv(x, 32, name="a")
    y = g.max_pool(g.relu(g.add(a, g.conv(a, 32, name="b"))), 3, padding=1)
    y = g.global_avg_pool(swish(g, y))
    expected = ["in", "Conv", "Conv+Add+Relu", "MaxPool", "Sigmoid+Mul", "GlobalAveragePool", "out"]
    assert reorders(g.build(g.flatten(y))) == expected


@pytest.mark.parametrize(
    ("channels", "expected"),
    [
        (32, ["in", "Conv", "Conv", "Concat", "Relu", "out"]),
        (24, ["in", "Conv", "Conv", "out", "out", "Concat", "Relu"]),
    ],
)
def test_a_concat_stays_in_blocks_where_they_are_whole(channels, expected):
    g, x = start(32)
    y = g.relu(g.concat((g.conv(x, channels), g.conv(x, channels))))
    assert reorders(g.build(y)) == expected


def test_what_has_no_code_for_blocks_leaves_them():
    """A channel shuffle; a squeeze-excite, whose gate is broadcast."""
    g, x = start(32)
    y = g.conv(g.channel_shuffle(g.conv(x, 32), 2), 32)
    assert reorders(g.build(y)) == ["in", "Conv", "out", "Reshape+Transpose+Reshape", "in", "Conv", "out"]
    g, x = start(32)
    a = g.conv(x, 32)
    y = g.conv(g.mul(a, g.sigmoid(g.conv(g.global_avg_pool(a), 32))), 32)
    expected = ["in", "Conv", "GlobalAveragePool", "Conv+Sigmoid", "out", "out", "Mul", "in", "Conv", "out"]
    assert reorders(g.build(y)) == expected


def test_ragged_channels_are_pooled_out_of_blocks():
    g, x = start(32)
    y = g.conv(g.max_pool(g.conv(x, 24), 3, padding=1), 32)
    assert reorders(g.build(y)) == ["in", "Conv", "out", "MaxPool", "in", "Conv", "out"]


def test_hard_swish_is_fused_whole_and_apart_where_it_is_spelled():
    g, x = start(32)
    graph = g.build(g.hard_swish(g.conv(x, 32)))
    assert reorders(graph) == ["in", "Conv+HardSwish", "out"]
    g, x = start(32)
    a = g.conv(x, 32)
    assert reorders(g.build(g.mul(a, g.hard_sigmoid(a)))) == ["in", "Conv", "HardSigmoid", "Mul", "out"]


def test_a_shortcut_is_added_in_blocks_only():
    g, x = start(58)
    assert reorders(g.build(g.relu(g.add(g.conv(x, 58), x)))) == ["Conv", "Add", "Relu"]


@pytest.mark.parametrize(("channels", "inside"), [(32, (16, 8)), (24, (8,)), (28, ())])
@pytest.mark.parametrize("blocks", [16, 8, 0])
def test_the_processor_says_how_many_channels_are_a_block(channels, inside, blocks):
    """Pooling stays in whole blocks; where there are none nothing is copied."""
    g, x = start(32)
    graph = g.build(g.max_pool(g.conv(x, channels), 3, padding=1))
    expected = ["Conv", "MaxPool"]
    if blocks:
        expected = ["in", "Conv", "MaxPool", "out"] if blocks in inside else ["in", "Conv", "out", "MaxPool"]
    assert reorders(graph, blocks) == expected


@pytest.mark.parametrize(("blocks", "few"), [(16, (4, 12)), (8, (4,)), (0, (4, 12, 32))])
def test_fewer_channels_than_a_block_are_read_as_they_are(blocks, few):
    for channels in (4, 12, 32):
        g, x = start(channels)
        assert ("in" in reorders(g.build(g.conv(x, 32, 3)), blocks)) == (channels not in few)


def test_without_blocks_every_convolution_adds_a_shortcut():
    g, x = start(58)
    graph = g.build(g.relu(g.add(g.conv(x, 58), x)))
    assert reorders(graph, 8) == ["Conv", "Add", "Relu"]
    assert reorders(graph, 0) == ["Conv+Add+Relu"]


def test_blocks_are_of_runtimes_that_have_such_a_layout():
    assert runtime_of("onnxruntime") is runtime_of("onnxruntime", None) is ONNXRUNTIME
    assert runtime_of("ncnn", 16) is NCNN


def test_a_copy_reads_and_writes_every_element_once():
    g, x = start(32, 9, 7)
    (into, *_) = fuse(g.build(g.conv(x, 32)), ONNXRUNTIME)
    assert (into.op, into.kind, into.launches, into.cost.bytes) == ("Reorder", Kind.MOVEMENT, 1, 2 * 4 * 32 * 63)


# -- names


def test_an_unknown_runtime():
    with pytest.raises(UsageError, match=r"tensort: no fusion rules for this runtime; did you mean 'tensorrt'\?"):
        runtime_of("tensort")


def test_half_of_a_shufflenets_convolutions_leave_the_blocks():
    """58 channels are no multiple of 4; 116, 232 and 464 are."""
    kernels = fuse(zoo.load("shufflenet_v2"), ONNXRUNTIME)
    assert {kernel.cost.output_elements % 4 for kernel in kernels if not kernel.operators} == {0}
    assert any(not kernel.operators for kernel in kernels)

"""Blocks on their own, networks of searched cells, and families without a test file of their own.

Sources: timm = FlopCounterMode (halved) and parameters of timm's models; Keras = the table of parameters in
keras.applications; others are named at the test.
"""

from __future__ import annotations

from collections import Counter

import pytest

from costmodel import zoo
from costmodel.errors import UsageError
from costmodel.zoo.nasbench201 import parse

TIMM = [
    ("ghostnet,width=0.5", 42_328_152, 2_587_292),
    ("ghostnet", 141_150_512, 5_182_508),
    ("ghostnet,width=1.3", 227_003_256, 7_358_820),
    ("densenet121", 2_834_161_664, 7_978_856),
    ("densenet161", 7_727_907_072, 28_681_000),
    ("densenet169", 3_359_843_328, 14_149_480),
    ("densenet201", 4_291_365_888, 20_013_928),
    ("xception", 8_357_403_496, 22_855_952),
    ("xception41", 9_204_134_312, 26_969_560),
    ("xception65", 13_852_682_216, 39_916_312),
    ("xception71", 17_946_553_928, 42_338_736),
    ("nasnet_a_large", 23_783_414_658, 88_753_150),
    ("pnasnet5_large", 24_937_395_792, 86_057_668),
]


def counted(reference):
    cost = zoo.load(reference).cost
    return cost.mult_adds, cost.params


def operators(graph):
    return Counter(node.op_type for node in graph.nodes)


@pytest.mark.parametrize(("reference", "mult_adds", "params"), TIMM)
def test_timm(reference, mult_adds, params):
    assert counted(reference) == (mult_adds, params)


@pytest.mark.parametrize(
    ("reference", "names"),
    [
        ("ghostnet", ("conv_stem", "blocks.3.0.shortcut.2", "blocks.9.0.conv", "conv_head", "classifier")),
        ("densenet121", ("features.conv0", "features.denseblock3.denselayer24.conv2", "classifier")),
        ("xception", ("conv1", "block12.rep.1.pointwise", "block12.skip", "conv4.pointwise", "fc")),
        ("xception71", ("stem.1.conv", "blocks.22.stack.conv3.conv_pw", "head.fc")),
        ("pnasnet5_mobile", ("conv0.conv", "cell_8.comb_iter_3_left.separable_1.depthwise_conv2d", "last_linear")),
    ],
)
def test_layers_are_named_as_in_timm(reference, names):
    assert set(names) <= {node.name for node in zoo.load(reference).nodes}


@pytest.mark.parametrize(("depth", "blocks"), [(121, (6, 12, 24, 16)), (264, (6, 12, 64, 48))])
def test_a_densenet_by_hand(depth, blocks):
    """Table 1 of the paper, k = 32; for timm has no DenseNet-264."""
    mult_adds, hw, channels = 3 * 64 * 49 * 112**2, 56**2, 64
    for index, layers in enumerate(blocks):
        for _ in range(layers):
            mult_adds += hw * (channels * 128 + 128 * 32 * 9)
            channels += 32
        if index < 3:
            mult_adds += hw * channels * channels // 2
            hw, channels = hw // 4, channels // 2
    assert counted(f"densenet{depth}")[0] == mult_adds + channels * 1000


@pytest.mark.parametrize(("width", "params"), [(0.25, 0.61), (0.33, 0.65)])
def test_shufflenet_v2_below_half_width(width, params):
    """PaddleClas prints 0.61 and 0.65 M parameters, with running means and variances."""
    graph = zoo.build("shufflenet_v2", width=width)
    norms = sum(node.cost.params for node in graph.nodes if node.op_type == "BatchNormalization")
    assert abs((graph.cost.params + norms) / 1e6 - params) <= 0.01


def test_shufflenet_v2_with_swish_differs_in_its_activations_only():
    relu, swish = (operators(zoo.build("shufflenet_v2", act=act)) for act in ("relu", "swish"))
    assert relu["Relu"] == swish["Swish"]
    assert "Relu" not in swish
    assert relu - Counter(Relu=relu["Relu"]) == swish - Counter(Swish=swish["Swish"])


@pytest.mark.parametrize(
    ("name", "entry", "middle"), [("xception41", 3, 8), ("xception65", 3, 16), ("xception71", 5, 16)]
)
def test_paddles_xception_has_max_pooling_and_the_1x1_convolution_first(name, entry, middle):
    nodes = zoo.build(name, aligned=False).nodes
    separable = 2 * entry + 3 * middle + 2 + 2
    grouped = [index for index, node in enumerate(nodes) if node.attributes.get("group", 1) != 1]
    assert len(grouped) == separable
    # before each depthwise convolution: its 1x1 convolution and that one's normalisation
    assert all(nodes[i - 2].op_type == "Conv" and nodes[i - 2].outputs == nodes[i - 1].inputs[:1] for i in grouped)
    assert sum(node.op_type == "MaxPool" for node in nodes) == entry + 1


def test_nasnet_a_mobile():
    """Keras: 5,326,716 parameters of which 36,738 are running means and variances. Paper: 564 M, 5.3 M."""
    mult_adds, params = counted("nasnet_a_mobile")
    assert params == 5_326_716 - 36_738
    assert round(mult_adds / 1e6) == 564


def test_pnasnet5_mobile():
    """Paper, mobile setting: 588 M, 5.1 M."""
    mult_adds, params = counted("pnasnet5_mobile")
    assert abs(mult_adds / 1e6 - 588) < 1
    assert round(params / 1e6, 1) == 5.1


@pytest.mark.parametrize(("groups", "printed", "millions"), [(4, 529, 4.8), (8, 274, 2.9)])
def test_condensenet(groups, printed, millions):
    """The authors' FLOPs (ShichenLiu/CondenseNet) also count ReLUs, the taps of poolings and the last bias."""
    graph = zoo.build("condensenet", groups=groups)
    relus = sum(node.cost.output_elements for node in graph.nodes if node.op_type == "Relu")
    taps = sum(node.cost.input_elements for node in graph.nodes if "Pool" in node.op_type)
    assert round((graph.cost.mult_adds + relus + taps + 1000) / 1e6) == printed
    assert round(graph.cost.params / 1e6, 1) == millions


def test_condensenet_needs_groups_that_divide():
    with pytest.raises(UsageError, match="groups is 3; it takes one of 1, 2, 4, 8"):
        zoo.load("condensenet,groups=3")


def test_igcv3():
    """3.5 M parameters (homles11/IGCV3, README); every 1x1 convolution of a block has two groups."""
    graph = zoo.load("igcv3")
    assert round(graph.cost.params / 1e6, 1) == 3.5
    blocks = 1 + 4 + 6 + 8 + 6 + 6 + 1
    assert sum(node.attributes.get("group") == 2 for node in graph.nodes) == 2 * blocks


# -- one inverted residual


def test_an_inverted_residual_by_hand():
    """28x28 to 14x14, 24 to 40 channels, expansion 3, 5x5 kernel, squeeze-excite 72 to 18."""
    graph = zoo.load("inverted_residual,resolution=28,cin=24,cout=40,expand=3,stride=2,kernel=5,act=hard_swish,se=1")
    assert graph.tensors[graph.inputs[0]].shape == (1, 24, 28, 28)
    assert graph.tensors[graph.outputs[0]].shape == (1, 40, 14, 14)
    assert graph.cost.mult_adds == 784 * 24 * 72 + 196 * 72 * 25 + 2 * 72 * 18 + 196 * 72 * 40
    norms = 2 * (72 + 72 + 40)
    assert graph.cost.params == 24 * 72 + 72 * 25 + (2 * 72 * 18 + 18 + 72) + 72 * 40 + norms
    assert operators(graph)["HardSwish"] == 2


@pytest.mark.parametrize(
    ("options", "convs", "adds"),
    [
        ("cin=16,cout=16,expand=1", 2, 1),
        ("cin=16,cout=24,expand=1", 2, 0),
        ("cin=16,cout=16,expand=6", 3, 1),
        ("cin=16,cout=16,expand=6,stride=2", 3, 0),
        ("cin=16,cout=16,expand=6,se=1,kernel=7", 5, 1),
    ],
)
def test_expansion_and_shortcut_of_an_inverted_residual(options, convs, adds):
    kinds = operators(zoo.load(f"inverted_residual,{options}"))
    assert (kinds["Conv"], kinds["Add"]) == (convs, adds)


@pytest.mark.parametrize(("act", "kind"), [("relu6", "Clip"), ("hard_swish", "HardSwish"), ("swish", "Swish")])
def test_activations_of_an_inverted_residual(act, kind):
    assert operators(zoo.build("inverted_residual", act=act))[kind] == 2


# -- NAS-Bench-201

OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")


def arch_of(ops):
    a, b, c, d, e, f = ops
    return f"|{a}~0|+|{b}~0|{c}~1|+|{d}~0|{e}~1|{f}~2|"


@pytest.mark.parametrize(
    ("operation", "millions", "params"),
    [("nor_conv_3x3", 220.11969, 1_531_546), ("skip_connect", 7.78305, 73_306), ("none", 7.78305, 73_306)],
)
def test_the_largest_and_the_smallest_of_nasbench201(operation, millions, params):
    """The benchmark's extremes on CIFAR-10 (nas_201_api); its FLOPs count the ten biases of the classifier."""
    cost = zoo.build("nasbench201", arch=arch_of([operation] * 6)).cost
    assert (cost.mult_adds + 10) / 1e6 == millions
    assert cost.params == params


@pytest.mark.parametrize("index", range(0, 15625, 401))
def test_every_operation_of_a_cell_is_in_the_graph(index):
    """Two cells a stage at 32x32, 16x16 and 8x8 with 16, 32 and 64 channels; used or not, zero or not."""
    ops = [OPERATIONS[index // 5**place % 5] for place in range(6)]
    graph = zoo.build("nasbench201", arch=arch_of(ops), cells=2)
    kinds = operators(graph)
    convs = ops.count("nor_conv_1x1") + ops.count("nor_conv_3x3")
    assert kinds["Mul"] == 6 * ops.count("none")
    assert kinds["AveragePool"] == 6 * ops.count("avg_pool_3x3") + 2
    assert (kinds["Conv"], kinds["Add"]) == (6 * convs + 1 + 2 * 3, 6 * 3 + 2)
    taps = ops.count("nor_conv_1x1") + 9 * ops.count("nor_conv_3x3")
    cells = sum(2 * taps * (32 >> stage) ** 2 * (16 << stage) ** 2 for stage in range(3))
    halvings = sum((32 >> stage) ** 2 * (16 << stage) ** 2 * (9 / 2 + 9 + 1 / 2) for stage in (1, 2))
    assert graph.cost.mult_adds == 32 * 32 * 3 * 16 * 9 + cells + halvings + 64 * 10


def test_none_is_a_product_with_a_named_zero():
    """So a runtime can see that the result is known before the network runs."""
    graph = zoo.build("nasbench201", arch=arch_of(["none"] * 6), cells=1)
    zeros = [node for node in graph.nodes if node.op_type == "Mul"]
    assert len(zeros) == 3 * 6
    for node in zeros:
        (factor,) = (graph.tensors[name] for name in node.inputs if "zero.factor" in name)
        assert factor.value is not None
        assert factor.value.tolist() == [0.0]


@pytest.mark.parametrize(
    "arch",
    [
        "none",
        "|none~0|+|none~0|none~1|",
        arch_of(["nor_conv_5x5"] * 6),
        "|none~1|+|none~0|none~1|+|none~0|none~1|none~2|",
    ],
)
def test_bad_architectures(arch):
    with pytest.raises(UsageError, match=r"arch is .*; write "):
        parse(arch)

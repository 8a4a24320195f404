"""The classification networks that ncnn's benchmark measures, and their families, against published figures.

Sources: ncnn = Tencent/ncnn, commit a4d2ea1d, benchmark/*.param, multiply-adds by layer in
data/ncnn_networks_layers.csv; torchvision, timm = FlopCounterMode over torchvision 0.28 and timm 1.0;
GFLOPS = those (multiply-adds) of torchvision's model tables; pycls = MODEL_ZOO.md of facebookresearch/pycls.
"""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import pytest

from costmodel import zoo
from costmodel.errors import UsageError
from costmodel.graph import Graph, Node

NCNN_LAYERS = Path(__file__).parent / "data" / "ncnn_networks_layers.csv"

# ncnn's name: what it is here.
NCNN = {
    "alexnet": "zoo:alexnet,groups=2,resolution=227",
    "blazeface": "zoo:blazeface,heads=false",
    "efficientnet_b0": "zoo:efficientnet_b0",
    "efficientnetv2_b0": "zoo:efficientnetv2_b0,bias_after_add=true",
    "googlenet": "zoo:googlenet,original=true",
    "mnasnet": "zoo:mnasnet",
    "mobilenet_v3": "zoo:mobilenet_v3_large,first_version=true",
    "proxylessnasnet": "zoo:proxylessnas,first_channels=32",
    "regnety_400m": "zoo:regnet_y_400mf",
    "vgg16": "zoo:vgg16",
}


def counted(reference: str) -> tuple[int, int]:
    cost = zoo.load(reference).cost
    return cost.mult_adds, cost.params


def output_shape(graph: Graph, node: Node) -> tuple[int, ...]:
    shape = graph.tensors[node.outputs[0]].shape
    assert shape is not None
    return shape


# -- ncnn


@pytest.mark.parametrize(("network", "reference"), NCNN.items())
def test_every_layer_of_ncnns_networks(network, reference):
    with NCNN_LAYERS.open(encoding="utf-8", newline="") as file:
        theirs = Counter(int(row["mult_adds"]) for row in csv.DictReader(file) if row["network"] == network)
    ours = Counter(node.cost.mult_adds for node in zoo.load(reference).nodes if node.cost.mult_adds)
    assert ours == theirs
    assert theirs


@pytest.mark.parametrize(
    ("network", "operators"),
    [
        ("alexnet", {"LRN": 2, "MaxPool": 3}),
        ("blazeface", {"Pad": 15, "MaxPool": 3, "Add": 16, "Relu": 17}),
        ("efficientnet_b0", {"Swish": 49, "GlobalAveragePool": 17, "Mul": 16, "Add": 9}),
        ("efficientnetv2_b0", {"Swish": 55, "ReduceMean": 16, "GlobalAveragePool": 1, "Mul": 16, "Add": 15 + 15}),
        ("googlenet", {"LRN": 2, "MaxPool": 13, "GlobalAveragePool": 1, "Concat": 9}),
        ("mnasnet", {"Add": 10, "GlobalAveragePool": 1}),
        # 16 + 1 hard swishes are one operator there, and the stem's is a hard sigmoid and a product
        ("mobilenet_v3", {"HardSwish": 21 + 1, "HardSigmoid": 8, "GlobalAveragePool": 9, "Mul": 8, "Add": 9}),
        ("proxylessnasnet", {"Add": 13, "GlobalAveragePool": 1}),
        ("regnety_400m", {"GlobalAveragePool": 17, "Mul": 16, "Add": 16}),
        ("vgg16", {"MaxPool": 5}),
    ],
)
def test_the_other_operators_of_ncnns_networks(network, operators):
    """All that its .param files have besides, except a final softmax; activations fused there are not listed."""
    ours = Counter(node.op_type for node in zoo.load(NCNN[network]).nodes)
    fused = {"Conv", "Gemm", "BatchNormalization", "Relu", "Clip", "Sigmoid", "Flatten"} - set(operators)
    assert {op: count for op, count in ours.items() if op not in fused} == operators


@pytest.mark.parametrize(
    ("network", "kernel", "stride", "group", "shape"),
    [
        ("alexnet", 5, 1, 2, (1, 256, 27, 27)),
        ("blazeface", 3, 2, 88, (1, 88, 8, 8)),
        ("efficientnet_b0", 5, 2, 672, (1, 672, 7, 7)),
        ("efficientnetv2_b0", 3, 1, 1, (1, 128, 56, 56)),
        ("googlenet", 5, 1, 1, (1, 128, 7, 7)),
        ("mnasnet", 5, 2, 240, (1, 240, 14, 14)),
        ("mobilenet_v3", 5, 1, 672, (1, 672, 14, 14)),
        ("proxylessnasnet", 7, 2, 96, (1, 96, 28, 28)),
        ("regnety_400m", 3, 2, 13, (1, 104, 28, 28)),
        ("vgg16", 3, 1, 1, (1, 512, 14, 14)),
    ],
)
def test_a_telling_convolution_of_ncnns_networks(network, kernel, stride, group, shape):
    """One row of each .param file that would differ in a look-alike."""
    graph = zoo.load(NCNN[network])
    found = {
        (
            node.attributes["kernel_shape"],
            node.attributes["strides"],
            node.attributes["group"],
            output_shape(graph, node),
        )
        for node in graph.nodes
        if node.op_type == "Conv"
    }
    assert ((kernel, kernel), (stride, stride), group, shape) in found


# -- torchvision and timm


@pytest.mark.parametrize(
    ("reference", "mult_adds", "gflops", "params"),
    [
        ("alexnet", 714_188_480, 0.714, 61_100_840),
        ("googlenet", 1_498_376_192, 1.498, 6_624_904),
        ("mobilenet_v3_small", 56_510_400, 0.057, 2_542_856),
        ("mobilenet_v3_large", 216_589_760, 0.217, 5_483_032),
        ("mnasnet,width=0.5", 104_455_968, 0.104, 2_218_512),
        ("mnasnet,width=0.75", 215_493_104, 0.215, 3_170_208),
        ("mnasnet", 314_415_872, 0.314, 4_383_312),
        ("mnasnet,width=1.3", 526_362_432, 0.526, 6_282_256),
        ("efficientnet_b0", 385_814_752, 0.386, 5_288_548),
        ("efficientnet_b1", 686_802_832, 0.687, 7_794_184),
        ("efficientnet_b2", 993_561_872, 0.994, 9_109_994),
        ("efficientnet_b2,resolution=288", 1_087_529_456, 1.088, 9_109_994),
        ("efficientnet_b3", 1_827_141_392, 1.827, 12_233_232),
        ("efficientnet_b4", 4_393_771_024, 4.394, 19_341_616),
        ("efficientnet_b5", 10_266_384_752, 10.266, 30_389_784),
        ("efficientnet_b6", 19_067_593_536, 19.068, 43_040_704),
        ("efficientnet_b7", 37_745_884_192, 37.746, 66_347_960),
        ("regnet_x_400mf", 413_812_608, 0.414, 5_495_976),
        ("regnet_x_800mf", 799_699_712, 0.8, 7_259_656),
        ("regnet_x_1_6gf", 1_602_849_792, 1.603, 9_190_136),
        ("regnet_x_3_2gf", 3_176_621_952, 3.177, 15_296_552),
        ("regnet_x_8gf", 7_995_132_416, 7.995, 39_572_648),
        ("regnet_x_16gf", 15_940_755_456, 15.941, 54_278_536),
        ("regnet_x_32gf", 31_735_929_792, 31.736, 107_811_560),
        ("regnet_y_400mf", 401_842_848, 0.402, 4_344_144),
        ("regnet_y_800mf", 833_856_256, 0.834, 6_432_512),
        ("regnet_y_1_6gf", 1_612_076_160, 1.612, 11_202_430),
        ("regnet_y_3_2gf", 3_176_482_752, 3.176, 19_436_338),
        ("regnet_y_8gf", 8_473_070_592, 8.473, 39_381_472),
        ("regnet_y_16gf", 15_911_510_272, 15.912, 83_590_140),
        ("regnet_y_32gf", 32_279_552_832, 32.28, 145_046_770),
        ("vgg11", 7_609_090_048, 7.609, 132_863_336),
        ("vgg11,batch_norm=true", 7_609_090_048, 7.609, 132_868_840),
        ("vgg13", 11_308_466_176, 11.308, 133_047_848),
        ("vgg13,batch_norm=true", 11_308_466_176, 11.308, 133_053_736),
        ("vgg16", 15_470_264_320, 15.47, 138_357_544),
        ("vgg16,batch_norm=true", 15_470_264_320, 15.47, 138_365_992),
        ("vgg19", 19_632_062_464, 19.632, 143_667_240),
        ("vgg19,batch_norm=true", 19_632_062_464, 19.632, 143_678_248),
    ],
)
def test_torchvision(reference, mult_adds, gflops, params):
    assert counted(reference) == (mult_adds, params)
    assert round(mult_adds / 1e9, 3) == gflops


@pytest.mark.parametrize(
    ("size", "width", "mult_adds", "params"),
    [
        ("small", 0.35, 11_238_936, 558_744),
        ("small", 0.75, 39_115_576, 1_653_920),
        ("small", 1.4, 103_657_088, 4_373_824),
        ("large", 0.35, 35_278_408, 997_064),
        ("large", 0.75, 140_033_816, 3_377_576),
        ("large", 1.4, 414_926_736, 9_989_328),
    ],
)
def test_mobilenet_v3_rounds_widths_as_torchvision(size, width, mult_adds, params):
    assert counted(f"mobilenet_v3_{size},width={width}") == (mult_adds, params)


def test_efficientnetv2_b0():
    """timm's tf_efficientnetv2_b0."""
    assert counted("efficientnetv2_b0") == (718_086_176, 7_139_704)


@pytest.mark.parametrize(
    ("reference", "mult_adds", "params", "gigas", "millions"),
    [
        ("regnet_x_200mf", 199_039_872, 2_684_792, 0.2, 2.7),
        ("regnet_x_400mf,torchvision_rounding=false", 397_677_568, 5_157_512, 0.4, 5.2),
        ("regnet_x_4gf", 3_964_498_816, 22_118_248, 4.0, 22.1),
        ("regnet_y_800mf,torchvision_rounding=false", 797_176_832, 6_263_168, 0.8, 6.3),
        ("regnet_y_8gf,torchvision_rounding=false", 7_963_057_312, 39_180_068, 8.0, 39.2),
    ],
)
def test_regnets_of_the_authors(reference, mult_adds, params, gigas, millions):
    """Exact: timm's regnetx_002, regnetx_004, regnetx_040, regnety_008, regnety_080. Printed: pycls."""
    assert counted(reference) == (mult_adds, params)
    assert round(mult_adds / 1e9, 1) == gigas
    assert round(params / 1e6, 1) == millions


@pytest.mark.parametrize("name", ["x_800mf", "x_1_6gf", "x_3_2gf", "x_8gf", "y_400mf", "y_1_6gf", "y_3_2gf", "y_32gf"])
def test_the_rounding_matters_to_no_other_regnet(name):
    assert counted(f"regnet_{name},torchvision_rounding=false") == counted(f"regnet_{name},torchvision_rounding=true")


# -- other figures


def test_alexnet_in_two_groups():
    """The weights in ncnn's .param file, and a bias for each output."""
    assert counted("alexnet,groups=2,resolution=227") == (724_406_816, 60_954_656 + 10_568)
    with pytest.raises(UsageError, match="groups is 3; there is an AlexNet with 1 and one with 2"):
        zoo.load("alexnet,groups=3")


def test_googlenet_of_the_paper():
    """The weights in ncnn's .param file, and a bias for each output."""
    assert counted("googlenet,original=true") == (1_582_671_872, 6_990_272 + 8_280)


def test_proxylessnas():
    """320 M: MobileNet V3 paper, Table 3. The wide one: the weights in ncnn's .param file, a scale and a shift for
    each of 17,264 channels, and 1000 biases."""
    assert round(counted("proxylessnas")[0] / 1e6) == 320
    assert counted("proxylessnas,first_channels=32") == (336_483_904, 4_046_296 + 2 * 17_264 + 1000)


def test_wider_first_block_of_proxylessnas():
    """The first projection, its normalisation and the next expansion read or write 16 channels more."""
    plain, wide = zoo.load("proxylessnas").cost, zoo.load("proxylessnas,first_channels=32").cost
    assert wide.mult_adds - plain.mult_adds == 112 * 112 * (32 * 16 + 16 * 48)
    assert wide.params - plain.params == 32 * 16 + 2 * 16 + 16 * 48


def test_heads_of_blazeface():
    """896 anchors, a score and 16 coordinates each: 2 at each of 16x16 positions, 6 at each of 8x8.

    Without them: the weights in ncnn's .param file, and a bias for each output.
    """
    graph = zoo.load("blazeface")
    assert [graph.tensors[name].shape for name in graph.outputs] == [(1, 896, 16), (1, 896, 1)]
    extra = graph.cost.mult_adds - zoo.load("blazeface,heads=false").cost.mult_adds
    assert extra == 16 * 16 * 88 * 2 * 17 + 8 * 8 * 96 * 6 * 17
    assert counted("blazeface,heads=false")[1] == 86_418 + 2_052


def test_bias_after_add_of_efficientnetv2_b0():
    """15 shortcuts, each with one more addition; scale and shift of 15 normalisations become 15 biases."""
    plain, folded = zoo.load("efficientnetv2_b0"), zoo.load("efficientnetv2_b0,bias_after_add=true")
    channels = [32, 48, 96, 96, *4 * [112], *7 * [192]]
    assert plain.cost.params - folded.cost.params == sum(channels)
    operators = Counter(n.op_type for n in plain.nodes), Counter(n.op_type for n in folded.nodes)
    assert operators[1]["Add"] - operators[0]["Add"] == len(channels)
    assert operators[0]["BatchNormalization"] - operators[1]["BatchNormalization"] == len(channels)


def test_a_squeeze_excite_of_mobilenet_v3_comes_before_the_activation_in_the_first_version():
    def after(reference: str) -> str:
        graph = zoo.load(reference)
        depthwise = next(n for n in graph.nodes if n.name == "features.4.block.1.1")
        pooled = next(n for n in graph.nodes if n.name == "features.4.block.2.avgpool")
        return "normalised" if pooled.inputs == depthwise.outputs else "activated"

    assert after("mobilenet_v3_large") == "activated"
    assert after("mobilenet_v3_large,first_version=true") == "normalised"


@pytest.mark.parametrize(
    ("reference", "names"),
    [
        ("alexnet", ("features.0", "features.10", "classifier.6")),
        ("googlenet", ("conv1.conv", "inception3a.branch2.1.conv", "inception5b.branch4.1.bn", "fc")),
        ("vgg16", ("features.0", "features.28", "classifier.6")),
        ("vgg16,batch_norm=true", ("features.1", "features.40", "classifier.6")),
        ("mobilenet_v3_large", ("features.0.0", "features.4.block.2.fc1", "features.15.block.3.0", "classifier.3")),
        ("mnasnet", ("layers.0", "layers.8.0.layers.3", "layers.13.0.layers.6", "layers.14", "classifier.1")),
        ("efficientnet_b0", ("features.1.0.block.2.0", "features.7.0.block.2.fc2", "features.8.0", "classifier.1")),
        ("regnet_y_400mf", ("stem.0", "trunk_output.block4.block4-5.f.se.fc1", "trunk_output.block1.block1-0.proj.0")),
    ],
)
def test_layers_are_named_as_in_torchvision(reference, names):
    assert set(names) <= {node.name for node in zoo.load(reference).nodes}

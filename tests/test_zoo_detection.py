"""The zoo's detection networks, and ViT, against ncnn's and against published figures.

Sources: ncnn = Tencent/ncnn, commit a4d2ea1d, benchmark/*.param: the multiply-adds of each convolution in
data/ncnn_detection_layers.csv, and below the kinds of convolutions and, for each other operator, how many there
are and how many elements they write. There, batch normalisations are folded into convolutions, activations are
parameter 9 of a convolution, and ShuffleChannel is one layer. torchvision = the parameters and GFLOPS
(multiply-adds) of its model table. README = that of the network's own repository.
"""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from costmodel import zoo
from costmodel.errors import UsageError
from costmodel.graph import Graph, Node

NCNN_LAYERS = Path(__file__).parent / "data" / "ncnn_detection_layers.csv"

NETWORKS = {
    "squeezenet_ssd": "zoo:squeezenet_ssd",
    "mobilenet_ssd": "zoo:mobilenet_ssd",
    "mobilenet_yolo": "zoo:mobilenet_yolo",
    "mobilenetv2_yolov3": "zoo:mobilenetv2_yolov3",
    "yolov4-tiny": "zoo:yolov4_tiny",
    "yolo-fastest-1.1": "zoo:yolo_fastest_1_1",
    "yolo-fastestv2": "zoo:yolo_fastestv2",
    "nanodet_m": "zoo:nanodet_m",
    "FastestDet": "zoo:fastestdet",
}

# ncnn: convolutions by kernel, stride where it is not 1, and "dw" where there is one group a channel.
CONVOLUTIONS = {
    "squeezenet_ssd": {"1x1": 22, "3x3": 22, "3x3/2": 3},
    "mobilenet_ssd": {"1x1": 29, "3x3/2": 5, "3x3 dw": 9, "3x3/2 dw": 4},
    "mobilenet_yolo": {"1x1": 17, "3x3/2": 1, "3x3 dw": 11, "3x3/2 dw": 4},
    "mobilenetv2_yolov3": {"1x1": 39, "3x3/2": 1, "3x3 dw": 16, "3x3/2 dw": 4},
    "yolov4-tiny": {"1x1": 7, "3x3": 12, "3x3/2": 2},
    "yolo-fastest-1.1": {"1x1": 55, "3x3/2": 1, "3x3 dw": 20, "3x3/2 dw": 4, "5x5 dw": 4},
    "yolo-fastestv2": {"1x1": 51, "3x3/2": 1, "3x3 dw": 13, "3x3/2 dw": 6, "5x5 dw": 8},
    "nanodet_m": {"1x1": 47, "3x3/2": 1, "3x3 dw": 19, "3x3/2 dw": 6},
    "FastestDet": {"1x1": 41, "3x3/2": 1, "3x3 dw": 13, "3x3/2 dw": 6, "5x5 dw": 9},
}

# ncnn: for each other operator, how many there are and the elements they write; PriorBox and what follows left out.
OTHERS = {
    "squeezenet_ssd": {
        "MaxPool": (5, 662_400),
        "Relu": (35, 4_526_944),
        "Concat": (12, 2_958_638),
        "Transpose": (12, 200_750),
        "Flatten": (13, 369_380),
        "Reshape": (1, 168_630),
        "Softmax": (1, 168_630),
    },
    "mobilenet_ssd": {
        "Relu": (35, 9_224_256),
        "Concat": (2, 47_925),
        "Transpose": (12, 47_925),
        "Flatten": (13, 88_182),
        "Reshape": (1, 40_257),
        "Softmax": (1, 40_257),
    },
    "mobilenet_yolo": {"ConvTranspose": (1, 346_112), "Add": (1, 346_112), "Relu": (31, 18_776_576)},
    "mobilenetv2_yolov3": {
        "ConvTranspose": (1, 254_016),
        "MaxPool": (1, 278_784),
        "Add": (11, 813_120),
        "Relu": (41, 16_417_280),
    },
    "yolov4-tiny": {
        "MaxPool": (3, 605_696),
        "LeakyRelu": (19, 6_121_856),
        "Slice": (3, 605_696),
        "Concat": (7, 3_893_760),
        "Resize": (1, 86_528),
    },
    "yolo-fastest-1.1": {
        "MaxPool": (3, 14_400),
        "LeakyRelu": (54, 5_600_800),
        "Add": (18, 395_200),
        "Concat": (2, 67_200),
        "Resize": (1, 38_400),
    },
    "yolo-fastestv2": {
        "MaxPool": (1, 185_856),
        "Relu": (46, 2_122_824),
        "shuffle": (13, 673_728),
        "Split": (13, 673_728),
        "Concat": (19, 1_033_219),
        "Resize": (1, 92_928),
        "Sigmoid": (4, 9_075),
        "Softmax": (2, 48_400),
        "Transpose": (6, 154_275),
    },
    "nanodet_m": {
        "MaxPool": (1, 153_600),
        "LeakyRelu": (48, 3_740_800),
        "shuffle": (16, 1_670_400),
        "Slice": (26, 1_345_600),
        "Concat": (16, 1_670_400),
        "Resize": (4, 240_000),
        "Add": (4, 240_000),
        "Split": (3, 235_200),
        "Sigmoid": (3, 168_000),
        "Reshape": (6, 235_200),
        "Transpose": (6, 235_200),
    },
    "FastestDet": {
        "MaxPool": (1, 185_856),
        "AveragePool": (1, 23_232),
        "Relu": (48, 2_462_592),
        "shuffle": (13, 673_728),
        "Split": (13, 673_728),
        "Concat": (19, 1_179_508),
        "Resize": (1, 92_928),
        "Add": (1, 46_464),
        "Sigmoid": (1, 484),
        "Softmax": (1, 38_720),
    },
}

# The names in which a layer of ncnn's and our convolution agree.
CAFFE = ("mobilenet_ssd", "mobilenet_yolo", "mobilenetv2_yolov3")
DARKNET = ("yolov4-tiny", "yolo-fastest-1.1")


def ncnn_layers(network: str) -> list[tuple[str, int]]:
    with NCNN_LAYERS.open(encoding="utf-8", newline="") as file:
        return [(row["layer"], int(row["mult_adds"])) for row in csv.DictReader(file) if row["network"] == network]


def shape(graph: Graph, name: str) -> tuple[int, ...]:
    found = graph.tensors[name].shape
    assert found is not None
    return found


def kind_of_convolution(graph: Graph, node: Node) -> str:
    (height, width), (stride, _) = node.attributes["kernel_shape"], node.attributes["strides"]
    channels, groups = shape(graph, node.inputs[0])[1], node.attributes["group"]
    assert groups in (1, channels)
    return f"{height}x{width}" + (f"/{stride}" if stride > 1 else "") + (" dw" if groups > 1 else "")


@pytest.mark.parametrize("network", NETWORKS)
def test_every_convolution_of_ncnns_networks(network):
    theirs = Counter(mult_adds for _, mult_adds in ncnn_layers(network))
    ours = Counter(node.cost.mult_adds for node in zoo.load(NETWORKS[network]).nodes if node.cost.mult_adds)
    assert ours == theirs
    assert theirs


@pytest.mark.parametrize("network", [*CAFFE, *DARKNET])
def test_convolutions_are_named_or_numbered_as_ncnns(network):
    """Caffe's names are the same; Darknet's numbers are followed by an underscore and a number that means nothing."""
    number = network in DARKNET
    theirs = {name.split("_")[0] if number else name: mult_adds for name, mult_adds in ncnn_layers(network)}
    nodes = [node for node in zoo.load(NETWORKS[network]).nodes if node.cost.mult_adds]
    assert {node.name.split(".")[0] if number else node.name: node.cost.mult_adds for node in nodes} == theirs
    assert len(theirs) == len(nodes)


@pytest.mark.parametrize("network", NETWORKS)
def test_kinds_of_convolutions(network):
    graph = zoo.load(NETWORKS[network])
    kinds = Counter(kind_of_convolution(graph, node) for node in graph.nodes if node.op_type == "Conv")
    assert kinds == CONVOLUTIONS[network]


@pytest.mark.parametrize("network", NETWORKS)
def test_every_other_operator_of_ncnns_networks(network):
    graph = zoo.load(NETWORKS[network])
    written: dict[str, list[int]] = defaultdict(list)
    for node in graph.nodes:
        shuffles = node.module.endswith("shuffle")
        if node.op_type in ("Conv", "BatchNormalization") or (shuffles and node.op_type == "Reshape"):
            continue
        kind = "shuffle" if shuffles else node.op_type
        written[kind].append(sum(graph.tensors[name].elements for name in node.outputs))
    assert {kind: (len(parts), sum(parts)) for kind, parts in written.items()} == OTHERS[network]


@pytest.mark.parametrize("network", NETWORKS)
def test_batch_normalisations_can_be_folded(network):
    """All follow a convolution, except ncnn's only one: that of a joined feature in SqueezeNet SSD."""
    nodes = {node.name: node for node in zoo.load(NETWORKS[network]).nodes}
    norms = [node for node in nodes.values() if node.op_type == "BatchNormalization"]
    loose = [node.name for node in norms if nodes[node.inputs[0]].op_type != "Conv"]
    assert loose == (["fire5/bn"] if network == "squeezenet_ssd" else [])


@pytest.mark.parametrize(
    ("reference", "outputs"),
    [
        ("squeezenet_ssd", [(1, 4 * 8030), (1, 21 * 8030)]),
        ("mobilenet_ssd", [(1, 4 * 1917), (1, 21 * 1917)]),
        ("mobilenet_yolo", [(1, 125, 13, 13), (1, 125, 26, 26)]),
        ("mobilenetv2_yolov3", [(1, 75, 11, 11), (1, 75, 22, 22)]),
        ("yolov4_tiny", [(1, 255, 13, 13), (1, 255, 26, 26)]),
        ("yolo_fastest_1_1", [(1, 255, 10, 10), (1, 255, 20, 20)]),
        ("yolo_fastestv2", [(1, 22, 22, 95), (1, 11, 11, 95)]),
        ("nanodet_m", [(1, n, 80) for n in (1600, 400, 100)] + [(1, n, 32) for n in (1600, 400, 100)]),
        ("fastestdet", [(1, 85, 22, 22)]),
        ("mobilenet_ssd,batch=2,classes=3", [(2, 4 * 1917), (2, 4 * 1917)]),
        ("yolov4_tiny,batch=2,classes=3,resolution=64x96", [(2, 24, 2, 3), (2, 24, 4, 6)]),
        ("nanodet_m,batch=2,classes=3,resolution=64x32", [(2, n, c) for c in (3, 32) for n in (32, 8, 2)]),
        ("fastestdet,batch=2,classes=3,resolution=64x96", [(2, 8, 4, 6)]),
    ],
)
def test_outputs(reference, outputs):
    graph = zoo.load(reference)
    assert [shape(graph, name) for name in graph.outputs] == outputs


@pytest.mark.parametrize(
    ("reference", "gflops", "millions"),
    [("yolo_fastest_1_1", 0.252, 0.35), ("yolo_fastestv2", 0.212, 0.25), ("fastestdet", None, 0.25)],
)
def test_sizes_in_the_readmes_of_dog_qiuqiu(reference, gflops, millions):
    """A multiply-add is two operations there. The parameters agree with running means and variances among them."""
    graph = zoo.load(reference)
    norms = (node for node in graph.nodes if node.op_type == "BatchNormalization")
    statistics = sum(2 * graph.tensors[node.inputs[3]].elements for node in norms)
    assert round((graph.cost.params + statistics) / 1e6, 2) == millions
    assert gflops is None or abs(2 * graph.cost.mult_adds / 1e9 - gflops) < 0.0012


def test_sizes_of_others():
    """0.95 M parameters in NanoDet's README; 6.9 billion operations in that of AlexeyAB/darknet."""
    assert round(zoo.load("nanodet_m").cost.params / 1e6, 2) == 0.95
    assert round(2 * zoo.load("yolov4_tiny").cost.mult_adds / 1e9, 1) == 6.9


def test_predicting_convolutions_of_yolo_fastestv2_share_their_weights():
    nodes = [node for node in zoo.load("yolo_fastestv2").nodes if node.name.startswith("output_")]
    first, second = nodes[:3], nodes[3:]
    assert [node.inputs[1:] for node in first] == [node.inputs[1:] for node in second]
    assert [node.cost.params for node in first] == [12 * 73, 3 * 73, 80 * 73]
    assert [node.cost.params for node in second] == [0, 0, 0]


@pytest.mark.parametrize("network", [name for name in NETWORKS if not name.startswith("mobilenet") or "ssd" in name])
def test_features_meet_at_any_resolution(network):
    """ceil(97 / 32) x 2 is not ceil(97 / 16): the coarser feature takes the size of the finer one."""
    zoo.load(f"{NETWORKS[network]},resolution=97x131")


@pytest.mark.parametrize("reference", ["mobilenet_yolo", "mobilenetv2_yolov3"])
def test_a_transposed_convolution_needs_multiples_of_32(reference):
    zoo.load(f"{reference},resolution=64x96")
    with pytest.raises(UsageError, match="resolution is 97; each side is at least 32 and a multiple of 32"):
        zoo.load(f"{reference},resolution=97")


@pytest.mark.parametrize("resolution", [224, 384])
def test_vit(resolution):
    """At 224, torchvision: 88,224,232 parameters, 4.409. The formula: tokens meet 12 d^2 weights and each other."""
    width, layers, places = 768, 12, (resolution // 32) ** 2
    tokens = places + 1
    graph = zoo.load(f"vit_b32,resolution={resolution}")
    layer = tokens * 12 * width**2 + 2 * tokens**2 * width
    assert graph.cost.mult_adds == places * 32 * 32 * 3 * width + layers * layer + 1000 * width
    assert graph.cost.params == 88_224_232 + (places - 49) * width
    if resolution == 224:
        assert round(graph.cost.mult_adds / 1e9, 3) == 4.409


def test_vit_has_the_layers_of_ncnns():
    """ncnn: 12 MultiHeadAttention (4 d^2 weights), 25 LayerNorm, 12 GELU, 25 additions, 24 + 1 dense layers."""
    nodes = zoo.load("vit_b32").nodes
    count = Counter(node.op_type for node in nodes)
    assert (count["Attention"], count["LayerNormalization"], count["Gelu"], count["Gemm"]) == (12, 25, 12, 1)
    assert sum(node.op_type == "Add" and not node.name.endswith(".add_bias") for node in nodes) == 25
    dense = [node for node in nodes if node.op_type == "MatMul"]
    assert len([node for node in dense if ".mlp." in node.name]) == 24
    attention = [node.cost.weight_elements for node in dense if ".self_attention." in node.name]
    assert sum(attention) == 12 * 2_359_296

"""The zoo's networks against published figures.

Sources: V2 = Ma et al., "ShuffleNet V2", ECCV 2018 (Tables 5, 6, 8, appendix Table 2); V1 = Zhang et
al., "ShuffleNet", CVPR 2018; torchvision = the parameters and GFLOPS (multiply-adds) of its model
tables, and for the exact counts FlopCounterMode over torchvision 0.28; ncnn = Tencent/ncnn, commit
a4d2ea1d, benchmark/*.param, multiply-adds by layer in data/ncnn_layers.csv.
"""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import pytest

from costmodel import zoo

NCNN_LAYERS = Path(__file__).parent / "data" / "ncnn_layers.csv"


def counted(reference: str) -> tuple[int, int]:
    cost = zoo.load(reference).cost
    return cost.mult_adds, cost.params


@pytest.mark.parametrize(
    ("width", "mult_adds", "millions", "params"),
    [
        (0.5, 40_476_448, 40.48, 1_366_792),
        (1.0, 144_907_992, 144.91, 2_278_604),
        (1.5, 295_759_392, 295.76, 3_503_624),
        (2.0, 583_253_464, 583.25, 7_393_996),
    ],
)
def test_shufflenet_v2(width, mult_adds, millions, params):
    """Exact: torchvision. Table 5 prints up to 1.3 % more than its convolutions and classifier have."""
    assert counted(f"zoo:shufflenet_v2,width={width}") == (mult_adds, params)
    assert round(mult_adds / 1e6, 2) == millions
    printed = {0.5: 41, 1.0: 146, 1.5: 299, 2.0: 591}[width]
    assert 1.007 < printed / millions < 1.014


@pytest.mark.parametrize(
    ("reference", "mult_adds", "gflops", "params"),
    [
        ("resnet18", 1_814_073_344, 1.814, 11_689_512),
        ("resnet34", 3_663_761_408, 3.664, 21_797_672),
        ("resnet50", 4_089_184_256, 4.089, 25_557_032),
        ("resnet101", 7_801_405_440, 7.801, 44_549_160),
        ("resnet152", 11_513_626_624, 11.514, 60_192_808),
        ("mobilenet_v2", 300_774_272, 0.301, 3_504_872),
        ("squeezenet1_1", 349_151_936, 0.349, 1_235_496),
        ("shufflenet_v2,width=0.5", 40_476_448, 0.04, 1_366_792),
        ("shufflenet_v2,width=1.0", 144_907_992, 0.145, 2_278_604),
        ("shufflenet_v2,width=1.5", 295_759_392, 0.296, 3_503_624),
        ("shufflenet_v2,width=2.0", 583_253_464, 0.583, 7_393_996),
    ],
)
def test_torchvision(reference, mult_adds, gflops, params):
    assert counted(reference) == (mult_adds, params)
    assert round(mult_adds / 1e9, 3) == gflops


@pytest.mark.parametrize(
    ("width", "mult_adds", "params"),
    [
        (0.1, 26_659_648, 1_367_080),
        (0.35, 59_285_808, 1_677_128),
        (0.75, 209_069_792, 2_636_424),
        (1.4, 582_195_824, 6_108_776),
    ],
)
def test_mobilenet_v2_rounds_widths_as_torchvision(width, mult_adds, params):
    assert counted(f"mobilenet_v2,width={width}") == (mult_adds, params)


@pytest.mark.parametrize(("width", "printed"), [(0.25, 41), (0.5, 149), (0.75, 325), (1.0, 569)])
def test_mobilenet_v1(width, printed):
    """V2 paper, Table 8 (and Table 6 of the MobileNet paper)."""
    mult_adds, _ = counted(f"mobilenet_v1,width={width}")
    assert abs(mult_adds / 1e6 - printed) <= 0.5


def test_mobilenet_v1_parameters():
    """4,253,864 in Keras's table, with the 21,888 running means and variances."""
    assert counted("mobilenet_v1")[1] == 4_253_864 - 21_888


@pytest.mark.parametrize(("width", "printed", "params"), [(0.5, 38, 0.7), (1.5, 292, 3.4), (2.0, 524, 5.4)])
def test_shufflenet_v1(width, printed, params):
    """V2 paper, Table 8 (g = 3); parameters from the table in megvii-model/ShuffleNet-Series."""
    mult_adds, count = counted(f"shufflenet_v1,groups=3,width={width}")
    assert abs(mult_adds / 1e6 - printed) <= 0.5
    assert round(count / 1e6, 1) == params


def test_shufflenet_v1_at_width_1():
    """137.5 M: 137 in the V1 paper, 138 in the authors' repository, but 140 in Table 8 of the V2 paper."""
    assert counted("shufflenet_v1,groups=3,width=1.0") == (137_460_672, 1_864_728)


@pytest.mark.parametrize(("groups", "printed"), [(1, 143), (2, 140), (3, 137), (4, 133), (8, 137)])
def test_shufflenet_v1_groups(groups, printed):
    """V1 paper, Table 1, last row; we are up to 1.4 M (1 %) above it."""
    mult_adds, _ = counted(f"shufflenet_v1,groups={groups}")
    assert 0 <= mult_adds / 1e6 - printed < 1.4


def test_the_50_layer_networks():
    """V2 paper, Table 6: 2.3 G each."""
    assert counted("shufflenet_v1_50")[0] == 2_297_081_952
    assert counted("shufflenet_v2_50")[0] == 2_304_152_672


def test_the_164_layer_network():
    """V2 paper, Table 6: 12.7 G; we count 12.6, less by 0.8 % as in all of Table 5 (0.7 to 1.4 %)."""
    mult_adds, _ = counted("shufflenet_v2_164")
    assert mult_adds == 12_598_704_192
    assert 1.007 < 12.7e9 / mult_adds < 1.014


def test_depth_is_what_the_names_say():
    """Convolutions and classifier in a chain; V2-50's last 1x1 is not in its 50."""

    def depth(reference: str, branch: str) -> int:
        nodes = zoo.load(reference).nodes
        chain = (node for node in nodes if not {branch, "se"} & set(node.module.split(".")))
        return sum(node.op_type in ("Conv", "Gemm") for node in chain)

    assert depth("shufflenet_v1_50", "none") == 50
    assert depth("shufflenet_v2_50", "branch1") == 51
    assert depth("shufflenet_v2_164", "branch1") == 164


@pytest.mark.parametrize(("width", "halves"), [(0.5, (24, 48, 96)), (2.0, (122, 244, 488))])
def test_squeeze_excite_adds_two_dense_layers_a_unit(width, halves):
    """A branch of c' channels gains two dense layers on pooled data: 2 c'^2 mult-adds and 2 c' biases."""
    plain = zoo.build("shufflenet_v2", width=width).cost
    with_se = zoo.build("shufflenet_v2", width=width, se=True).cost
    added = sum(units * 2 * c * c for units, c in zip((4, 8, 4), halves, strict=True))
    biases = sum(units * 2 * c for units, c in zip((4, 8, 4), halves, strict=True))
    assert with_se.mult_adds - plain.mult_adds == added
    assert with_se.params - plain.params == added + biases


def test_residuals_add_one_addition_to_each_stride_1_unit():
    plain, residual = zoo.load("shufflenet_v2"), zoo.load("shufflenet_v2,residual=true")
    assert residual.cost.mult_adds == plain.cost.mult_adds
    assert residual.cost.params == plain.cost.params
    adds = [n.module for n in residual.nodes if n.op_type == "Add"]
    assert len(adds) == 3 + 7 + 3
    assert not any(".0.branch2" in module for module in adds)
    # c' h w additions and nothing else: 58 at 28x28, 116 at 14x14, 232 at 7x7
    extra = 3 * 58 * 28 * 28 + 7 * 116 * 14 * 14 + 3 * 232 * 7 * 7
    assert residual.cost.element_ops - plain.cost.element_ops == extra


@pytest.mark.parametrize(
    ("network", "reference"),
    [
        ("shufflenet", "zoo:shufflenet_v1,branch_bottleneck=true"),
        ("shufflenet_v2", "zoo:shufflenet_v2"),
        ("mobilenet", "zoo:mobilenet_v1"),
        ("mobilenet_v2", "zoo:mobilenet_v2,expand_always=true"),
        ("squeezenet", "zoo:squeezenet1_1,resolution=227,head_padding=1"),
        ("resnet18", "zoo:resnet18,project_first=true"),
        ("resnet50", "zoo:resnet50,stride_in_1x1=true"),
    ],
)
def test_every_layer_of_ncnns_networks(network, reference):
    with NCNN_LAYERS.open(encoding="utf-8", newline="") as file:
        theirs = Counter(int(row["mult_adds"]) for row in csv.DictReader(file) if row["network"] == network)
    ours = Counter(node.cost.mult_adds for node in zoo.load(reference).nodes if node.cost.mult_adds)
    assert ours == theirs
    assert theirs


@pytest.mark.parametrize(
    ("reference", "names"),
    [
        ("shufflenet_v2", ("conv1.0", "stage2.0.branch1.0", "stage4.3.branch2.6", "conv5.0", "fc")),
        ("mobilenet_v2", ("features.0.0", "features.1.conv.0.0", "features.17.conv.2", "classifier.1")),
        ("resnet50", ("conv1", "layer1.0.downsample.0", "layer4.2.conv3", "fc")),
        ("squeezenet1_1", ("features.0", "features.3.squeeze", "features.12.expand3x3", "classifier.1")),
    ],
)
def test_layers_are_named_as_in_torchvision(reference, names):
    assert set(names) <= {node.name for node in zoo.load(reference).nodes}


def test_a_down_unit_reads_its_input_twice_and_concatenates():
    nodes = {node.name: node for node in zoo.load("shufflenet_v2").nodes}
    left, right = nodes["stage3.0.branch1.0"], nodes["stage3.0.branch2.0"]
    assert left.inputs[0] == right.inputs[0]
    assert nodes["stage3.0.concat"].inputs == ("stage3.0.branch1.4", "stage3.0.branch2.7")
    assert left.module == "stage3.0.branch1"

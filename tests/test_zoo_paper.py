"""The networks behind Tables 1 to 4 of the ShuffleNet V2 paper, row by row, from its equations.

Source: Ma et al., ECCV 2018, Tables 1 to 4 and Section 2; for Table 2, ARM, 8 groups the paper prints 180
channels and its first author says 184.
"""

from __future__ import annotations

import math
from collections import Counter

import pytest

from costmodel import zoo
from costmodel.errors import UsageError

HW = 56 * 56

# c1 and c2 at channel multiplier 1, and the multipliers.
TABLE_1 = {
    "GPU": ((128, 128), (90, 180), (52, 312), (36, 432)),
    "ARM": ((32, 32), (22, 44), (13, 78), (9, 108)),
}
# Channels at channel multiplier 1 by groups.
TABLE_2 = {
    "GPU": {1: 128, 2: 180, 4: 256, 8: 360},
    "ARM": {1: 64, 2: 90, 4: 128, 8: 184},
}
TABLE_3 = {"GPU": (128, 256, 512), "ARM": (64, 128, 256)}
MULTIPLIERS = (1, 2, 4)


def equal_flops(counts):
    """Whether the paper's "same FLOPs" hold to the rounding of widths: within 7 %."""
    return max(counts) < 1.07 * min(counts)


@pytest.mark.parametrize("platform", TABLE_1)
@pytest.mark.parametrize("times", MULTIPLIERS)
def test_table_1(platform, times):
    """B = hw c1 c2 a convolution, and Equation 1's memory access."""
    counts = []
    for c1, c2 in ((times * a, times * b) for a, b in TABLE_1[platform]):
        graph = zoo.load(f"zoo:paper_g1,c1={c1},c2={c2}")
        assert graph.cost.mult_adds == 20 * HW * c1 * c2
        assert graph.cost.memory_access == 20 * (HW * (c1 + c2) + c1 * c2)
        assert graph.tensors[graph.outputs[0]].shape == (1, c1, 56, 56)
        assert Counter(node.op_type for node in graph.nodes) == {"Conv": 20}
        counts.append(graph.cost.mult_adds)
    assert equal_flops(counts)


@pytest.mark.parametrize("platform", TABLE_2)
@pytest.mark.parametrize("times", MULTIPLIERS)
def test_table_2(platform, times):
    """B = hw c^2 / g a convolution, and Equation 2's memory access."""
    counts = []
    for groups, channels in TABLE_2[platform].items():
        c = times * channels
        graph = zoo.load(f"zoo:paper_g2,c={c},groups={groups}")
        assert graph.cost.mult_adds == 10 * HW * c * c // groups
        assert graph.cost.memory_access == 10 * (2 * HW * c + c * c // groups)
        counts.append(graph.cost.mult_adds)
    assert equal_flops(counts)


@pytest.mark.parametrize("arrangement", ["series", "parallel"])
@pytest.mark.parametrize("fragments", [1, 2, 4])
@pytest.mark.parametrize("column", sorted({*TABLE_3["GPU"], *TABLE_3["ARM"]}))
def test_table_3(column, fragments, arrangement):
    """n fragments are c / sqrt(n) wide. 2 ones are not whole, so the table's equal FLOPs are so to 1.2 %."""
    c = round(column / math.sqrt(fragments))
    graph = zoo.load(f"zoo:paper_g3,c={c},fragments={fragments},arrangement={arrangement}")
    assert graph.cost.mult_adds == 10 * fragments * HW * c * c
    assert abs(graph.cost.mult_adds / (10 * HW * column * column) - 1) < 0.012
    parallel = arrangement == "parallel"
    operators = Counter(node.op_type for node in graph.nodes)
    assert operators == Counter(Conv=10 * fragments, Add=10 * (fragments - 1) * parallel)
    readers = Counter(node.inputs[0] for node in graph.nodes if node.op_type == "Conv")
    assert set(readers.values()) == {fragments if parallel else 1}


@pytest.mark.parametrize("c", [32, 64, 128])
@pytest.mark.parametrize("relu", [True, False])
@pytest.mark.parametrize("shortcut", [True, False])
def test_table_4(c, relu, shortcut):
    graph = zoo.build("paper_g4", c=c, relu=relu, shortcut=shortcut)
    inner = c // 4
    assert graph.cost.mult_adds == 10 * HW * (c * inner + 9 * inner * inner + inner * c)
    assert Counter(node.op_type for node in graph.nodes) == Counter(Conv=30, Relu=30 * relu, Add=10 * shortcut)


def test_table_4s_shortcut_joins_a_units_input_before_its_last_relu():
    nodes = {node.name: node for node in zoo.load("paper_g4").nodes}
    assert nodes["7.add"].inputs == ("7.conv3", "6.relu3")
    assert nodes["7.relu3"].inputs == ("7.add",)


def test_options_that_do_not_fit():
    with pytest.raises(UsageError, match="quarters"):
        zoo.load("paper_g4,c=30")
    with pytest.raises(UsageError, match="groups"):
        zoo.load("paper_g2,c=90,groups=4")
    with pytest.raises(UsageError, match="one of series, parallel"):
        zoo.load("paper_g3,arrangement=both")


# -- Table 8: reference, printed mult-adds in millions, and how far ours may be from them

TABLE_8 = [
    ("mobilenet_v2,width=0.15,thin=true", 39, 0.01),
    ("mobilenet_v2,resolution=160,width=0.4,thin=true", 43, 0.013),
    ("mobilenet_v2,width=0.6,thin=true", 141, 0.018),
    ("mobilenet_v2,resolution=192,width=0.75,thin=true", 145, 0.002),
    ("mobilenet_v2", 301, 0.001),
    ("mobilenet_v2,width=1.4", 587, 0.009),
    ("igcv3", 318, 0.016),
    ("nasnet_a_mobile", 564, 0.001),
    ("pnasnet5_mobile", 588, 0.002),
]


@pytest.mark.parametrize(("reference", "millions", "tolerance"), TABLE_8)
def test_table_8(reference, millions, tolerance):
    assert abs(zoo.load(reference).cost.mult_adds / 1e6 / millions - 1) <= tolerance


@pytest.mark.parametrize(
    ("width", "millions", "tolerance"), [(0.5, 40, 0.04), (1.0, 145, 0.014), (1.5, 305, 0.011), (2.0, 525, 0.05)]
)
def test_table_8s_xception_is_nearly_shufflenet_v1_with_one_group(width, millions, tolerance):
    """The V1 paper makes the Xception-like network of its comparison so; Table 8's widths are not published."""
    mult_adds = zoo.load(f"shufflenet_v1,groups=1,width={width}").cost.mult_adds
    assert abs(mult_adds / 1e6 / millions - 1) <= tolerance

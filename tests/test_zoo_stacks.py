"""Stacks of one kind of layer: mult-adds and operators by hand, on images that are not square."""

from __future__ import annotations

from collections import Counter

import pytest

from costmodel import zoo

HW = 10 * 14


def operators(graph):
    return Counter(node.op_type for node in graph.nodes)


@pytest.mark.parametrize(
    ("reference", "mult_adds"),
    [
        # three layers: 12 to 20 channels, back, and to 20 again
        ("stack_conv,c=12,cout=20,kernel=5,layers=3", 3 * HW * 12 * 20 * 25),
        ("stack_conv,c=12,cout=20,kernel=1,groups=4,layers=2", 2 * HW * 12 * 20 // 4),
        # the first halves both sides, the second keeps them
        ("stack_conv,c=12,cout=20,stride=2,layers=2", 2 * 5 * 7 * 12 * 20 * 9),
        ("stack_depthwise,c=12,kernel=7,layers=3", 3 * HW * 12 * 49),
        ("stack_depthwise,c=12,stride=2,layers=2", 2 * 5 * 7 * 12 * 9),
        # 1x1, 3x3 depthwise, 1x1 on half of the channels
        ("stack_shufflenet_v2,c=24,layers=3", 3 * HW * (12 * 12 + 12 * 9 + 12 * 12)),
        # its squeeze-excite does not reduce its 12 channels
        ("stack_shufflenet_v2,c=24,se=true,layers=1", HW * (12 * 12 + 12 * 9 + 12 * 12) + 2 * 12 * 12),
        # reads 16, then 24 channels
        ("stack_concat,c=16,growth=8,layers=2", HW * 9 * 8 * (16 + 24)),
        ("stack_linear,c=3,cout=11,layers=3", 3 * HW * 11 + 2 * 11 * 11),
        ("stack_pool,kind=max", 0),
        ("stack_elementwise,kind=relu", 0),
        ("stack_shuffle,c=12,groups=3,layers=2", 2 * HW * 12),
    ],
)
def test_mult_adds_by_hand(reference, mult_adds):
    assert zoo.load(reference, resolution=(10, 14)).cost.mult_adds == mult_adds


@pytest.mark.parametrize(
    ("reference", "kinds"),
    [
        ("stack_conv,layers=3", {"Conv": 3, "BatchNormalization": 3, "Relu": 3}),
        ("stack_conv,act=none,layers=3", {"Conv": 3, "BatchNormalization": 3}),
        ("stack_depthwise,act=hard_swish,layers=2", {"Conv": 2, "BatchNormalization": 2, "HardSwish": 2}),
        ("stack_concat,layers=2", {"Conv": 2, "BatchNormalization": 2, "Relu": 2, "Concat": 2}),
        ("stack_linear,layers=2", {"Flatten": 1, "Gemm": 2}),
        ("stack_pool,kind=avg,layers=2", {"AveragePool": 2}),
        ("stack_pool,kind=global,layers=2", {"GlobalAveragePool": 2, "Add": 2}),
        ("stack_elementwise,kind=gate,layers=3", {"GlobalAveragePool": 1, "Mul": 3}),
        ("stack_elementwise,kind=add,layers=3", {"Add": 3}),
        ("stack_elementwise,kind=swish,layers=3", {"Swish": 3}),
        ("stack_shuffle,layers=2", {"Conv": 2, "Reshape": 4, "Transpose": 2}),
    ],
)
def test_operators(reference, kinds):
    assert operators(zoo.load(reference)) == kinds


@pytest.mark.parametrize("name", ["stack_conv", "stack_depthwise", "stack_pool"])
def test_a_stride_is_the_first_layers(name):
    graph = zoo.load(name, stride=2, resolution=(9, 14))
    assert graph.tensors[graph.outputs[0]].shape == (1, 64, 5, 7)


def test_every_unit_of_a_shufflenet_stack_is_the_networks_own():
    """The second unit of the network's first stage, at its size."""
    stack = zoo.load("stack_shufflenet_v2,c=116,layers=1")
    unit = [node for node in zoo.load("shufflenet_v2").nodes if node.name.startswith("stage2.1.")]
    assert unit
    assert operators(stack) == Counter(node.op_type for node in unit)
    assert stack.cost.mult_adds == sum(node.cost.mult_adds for node in unit)

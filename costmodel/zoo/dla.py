"""Deep layer aggregation (Yu et al., CVPR 2018, arXiv 1707.06484).

Layers are named as in timm's dla34.
"""

from __future__ import annotations

from dataclasses import dataclass

from costmodel.builder import GraphBuilder
from costmodel.dims import Dim, equal
from costmodel.graph import TensorSpec
from costmodel.zoo.layers import channels_of, conv_bn
from costmodel.zoo.registry import network


@dataclass(frozen=True, slots=True)
class Plan:
    """A row of Table 1.

    levels: depth of the tree of each stage from the third on. channels: of all six stages. basic: blocks of two 3x3
    convolutions, else bottlenecks. groups, group_width: of a bottleneck's 3x3 convolution, the latter for 64
    channels (ResNeXt). residual_root: aggregation nodes add their first input.
    """

    levels: tuple[int, int, int, int]
    channels: tuple[int, int, int, int, int, int] = (16, 32, 128, 256, 512, 1024)
    basic: bool = False
    groups: int = 1
    group_width: int = 64
    residual_root: bool = False


_THIN = (16, 32, 64, 64, 128, 256)
_PLANS = {
    "dla34": Plan((1, 2, 2, 1), (16, 32, 64, 128, 256, 512), basic=True),
    "dla46_c": Plan((1, 2, 2, 1), _THIN),
    "dla60x_c": Plan((1, 2, 3, 1), _THIN, groups=32, group_width=4),
    "dla60": Plan((1, 2, 3, 1)),
    "dla60x": Plan((1, 2, 3, 1), groups=32, group_width=4),
    "dla102": Plan((1, 3, 4, 1), residual_root=True),
    "dla102x": Plan((1, 3, 4, 1), groups=32, group_width=4, residual_root=True),
    "dla102x2": Plan((1, 3, 4, 1), groups=64, group_width=4, residual_root=True),
    "dla169": Plan((2, 3, 5, 1), residual_root=True),
}


def block(g: GraphBuilder, x: TensorSpec, shortcut: TensorSpec, channels: int, stride: int, plan: Plan) -> TensorSpec:
    """A residual block, basic or bottleneck, whose shortcut is given."""
    if plan.basic:
        y = conv_bn(g, x, channels, 3, stride=stride, names="conv1 bn1 relu1")
        y = conv_bn(g, y, channels, 3, names="conv2 bn2")
    else:
        inner = channels * plan.group_width // 64 * plan.groups // 2
        y = conv_bn(g, x, inner, names="conv1 bn1 relu1")
        y = conv_bn(g, y, inner, 3, stride=stride, groups=plan.groups, names="conv2 bn2 relu2")
        y = conv_bn(g, y, channels, names="conv3 bn3")
    return g.relu(g.add(y, shortcut))


def root(g: GraphBuilder, parts: tuple[TensorSpec, ...], channels: int, residual: bool) -> TensorSpec:
    """An aggregation node (Section 3.2): the inputs joined, and a 1x1 convolution."""
    with g.scope("root"):
        y = conv_bn(g, g.concat(parts), channels, names="conv bn")
        if residual:
            y = g.add(y, parts[0])
        return g.relu(y)


def tree(
    g: GraphBuilder,
    x: TensorSpec,
    channels: int,
    level: int,
    stride: int,
    plan: Plan,
    children: tuple[TensorSpec, ...] = (),
    keep_input: bool = False,
) -> TensorSpec:
    """Hierarchical deep aggregation (Figure 3f, Eq. 3): two subtrees, the second of which ends in the root.

    children: outputs that the root aggregates besides those of its blocks. keep_input: the input is one of them.
    """
    bottom = x
    if stride > 1 and (keep_input or level == 1):
        # rounds up like the padded convolution that the pooling stands beside
        bottom = g.max_pool(x, stride, stride=stride, ceil_mode=True, name="downsample")
    if keep_input:
        children = (*children, bottom)
    if level > 1:
        with g.scope("tree1"):
            first = tree(g, x, channels, level - 1, stride, plan)
        with g.scope("tree2"):
            return tree(g, first, channels, level - 1, 1, plan, (*children, first))
    shortcut = bottom
    if not equal(channels_of(x), channels):
        with g.scope("project"):
            shortcut = conv_bn(g, bottom, channels, names="0 1")
    with g.scope("tree1"):
        first = block(g, x, shortcut, channels, stride, plan)
    with g.scope("tree2"):
        second = block(g, first, first, channels, 1, plan)
    return root(g, (second, first, *children), channels, plan.residual_root)


def dla(g: GraphBuilder, x: TensorSpec, classes: Dim, plan: Plan) -> TensorSpec:
    """Figure 5: three convolutions, four stages of trees; the classifier is a 1x1 convolution."""
    with g.scope("base_layer"):
        x = conv_bn(g, x, plan.channels[0], 7)
    with g.scope("level0"):
        x = conv_bn(g, x, plan.channels[0], 3)
    with g.scope("level1"):
        x = conv_bn(g, x, plan.channels[1], 3, stride=2)
    for stage, (level, channels) in enumerate(zip(plan.levels, plan.channels[2:], strict=True), start=2):
        with g.scope(f"level{stage}"):
            x = tree(g, x, channels, level, 2, plan, keep_input=stage > 2)
    return g.flatten(g.conv(g.global_avg_pool(x), classes, bias=True, name="fc"))


def _register(name: str, plan: Plan) -> None:
    def build(g: GraphBuilder, x: TensorSpec, *, classes: Dim = 1000) -> TensorSpec:
        return dla(g, x, classes, plan)

    build.__doc__ = f"DLA-{name[3:].upper().replace('_', '-')}: residual blocks aggregated in trees."
    network(name)(build)


for _name, _plan in _PLANS.items():
    _register(_name, _plan)

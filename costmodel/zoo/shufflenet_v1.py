"""ShuffleNet V1 (Zhang et al., CVPR 2018, arXiv 1707.01083)."""

from __future__ import annotations

import math

from costmodel.builder import GraphBuilder
from costmodel.dims import Dim
from costmodel.errors import UsageError
from costmodel.graph import TensorSpec
from costmodel.zoo.layers import channels_of, classifier, conv_bn, depthwise_bn
from costmodel.zoo.registry import network

# Table 1 of the V1 paper: output channels of stage 2 at width 1, by groups; they double in each later stage.
_STAGE_2 = {1: 144, 2: 200, 3: 240, 4: 272, 8: 384}
_UNITS = (4, 8, 4)
_FIRST = 24  # channels of the first convolution at width 1


def unit(
    g: GraphBuilder,
    x: TensorSpec,
    channels: int,
    *,
    bottleneck: int,
    groups: int,
    stride: int = 1,
    first_groups: int | None = None,
    shortcut: bool = True,
) -> TensorSpec:
    """Figure 2 of the V1 paper: 1x1 group convolution, shuffle, 3x3 depthwise, 1x1 group convolution.

    Stride 1 adds the input; stride 2 concatenates its 3x3 average pooling, so that the branch makes
    only the channels that are missing. first_groups: of the first convolution where they differ from
    groups. shortcut=False leaves the branch alone.
    """
    first_groups = groups if first_groups is None else first_groups
    old = channels_of(x)
    made = channels - old if shortcut and stride == 2 else channels
    y = conv_bn(g, x, bottleneck, groups=first_groups, names="conv1 bn1 relu1")
    if first_groups > 1:
        y = g.channel_shuffle(y, first_groups)
    y = depthwise_bn(g, y, stride=stride, names="conv2 bn2")
    y = conv_bn(g, y, made, groups=groups, names="conv3 bn3")
    if shortcut:
        y = _join(g, x, y, stride)
    return g.relu(y)


def _join(g: GraphBuilder, x: TensorSpec, y: TensorSpec, stride: int) -> TensorSpec:
    if stride == 1:
        return g.add(x, y)
    return g.concat((g.avg_pool(x, 3, stride=stride, padding=1, name="avgpool"), y))


def _stem(g: GraphBuilder, x: TensorSpec, channels: int) -> TensorSpec:
    with g.scope("conv1"):
        x = conv_bn(g, x, channels, 3, stride=2)
    return g.max_pool(x, 3, stride=2, padding=1, name="maxpool")


def _widths(groups: int, width: float) -> tuple[int, int]:
    """Channels of the first convolution and of stage 2.

    Stage 2: Table 1 times width, to the nearest multiple of 4 x groups (halves up), since both the
    stage and its bottleneck, a quarter of it, are cut into groups. First convolution: the authors'
    12, 24, 24, 48 at widths 0.5, 1, 1.5, 2 (megvii-model/ShuffleNet-Series, ShuffleNetV1): 24 times
    the largest power of two that is not above width, up to a multiple of groups.
    """
    step = 4 * groups
    stage_2 = max(1, math.floor(_STAGE_2[groups] * width / step + 0.5)) * step
    first = _FIRST * 2.0 ** math.floor(math.log2(width))
    return math.ceil(first / groups) * groups, stage_2


@network("shufflenet_v1")
def shufflenet_v1(
    g: GraphBuilder,
    x: TensorSpec,
    *,
    classes: Dim = 1000,
    groups: int = 3,
    width: float = 1.0,
    branch_bottleneck: bool = False,
) -> TensorSpec:
    """ShuffleNet V1 of Table 1 of its paper: groups 1, 2, 3, 4 or 8, any width.

    branch_bottleneck: the bottleneck of a stride-2 unit is a quarter of what its branch makes instead
    of a quarter of the unit's output; so it is in the Caffe network that ncnn measures.
    """
    if groups not in _STAGE_2:
        raise UsageError(f"groups is {groups}; Table 1 of the V1 paper has {', '.join(map(str, _STAGE_2))}")
    first, channels = _widths(groups, width)
    x = _stem(g, x, first)
    old = first
    for stage, units in enumerate(_UNITS, start=2):
        for index in range(units):
            quartered = channels - old if branch_bottleneck and index == 0 else channels
            with g.scope(f"stage{stage}"), g.scope(str(index)):
                x = unit(
                    g,
                    x,
                    channels,
                    bottleneck=max(1, quartered // (4 * groups)) * groups,
                    groups=groups,
                    stride=1 if index else 2,
                    first_groups=1 if (stage, index) == (2, 0) else groups,
                )
        old, channels = channels, 2 * channels
    return classifier(g, x, classes, bias=False)


@network("shufflenet_v1_50")
def shufflenet_v1_50(g: GraphBuilder, x: TensorSpec, *, classes: Dim = 1000) -> TensorSpec:
    """ShuffleNet V1-50 (g = 3) of the V2 paper's Table 6 and appendix Table 2.

    The table prints one width a stage. With half of it in the bottleneck the count is the printed
    2.3 G; a quarter, as in the small networks, gives 1.2 G. The first unit of conv2_x keeps the size
    but not the channels, so it can neither add its input nor concatenate it (64 and 296 channels do
    not fall into three groups): it has no shortcut here.
    """
    x = _stem(g, x, 64)
    for stage, (channels, units) in enumerate(((360, 3), (720, 4), (1440, 6), (2880, 3)), start=2):
        for index in range(units):
            first = (stage, index) == (2, 0)
            with g.scope(f"conv{stage}_x"), g.scope(str(index)):
                x = unit(
                    g,
                    x,
                    channels,
                    bottleneck=channels // 2,
                    groups=3,
                    stride=2 if stage > 2 and index == 0 else 1,
                    first_groups=1 if first else 3,
                    shortcut=not first,
                )
    return classifier(g, x, classes, bias=False)

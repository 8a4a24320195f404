"""GhostNet (Han et al., CVPR 2020, arXiv 1911.11907).

Layers are named as in timm's ghostnet_100.
"""

from __future__ import annotations

from costmodel.builder import GraphBuilder
from costmodel.dims import Dim
from costmodel.graph import TensorSpec
from costmodel.zoo.layers import channels_of, conv_bn, depthwise_bn, nearest_multiple, squeeze_excite
from costmodel.zoo.registry import network

# Table 1, a stage a row of blocks: kernel, expanded channels, output channels, squeeze-excite, stride.
_STAGES = (
    ((3, 16, 16, False, 1),),
    ((3, 48, 24, False, 2),),
    ((3, 72, 24, False, 1),),
    ((5, 72, 40, True, 2),),
    ((5, 120, 40, True, 1),),
    ((3, 240, 80, False, 2),),
    (
        (3, 200, 80, False, 1),
        (3, 184, 80, False, 1),
        (3, 184, 80, False, 1),
        (3, 480, 112, True, 1),
        (3, 672, 112, True, 1),
    ),
    ((5, 672, 160, True, 2),),
    ((5, 960, 160, False, 1), (5, 960, 160, True, 1), (5, 960, 160, False, 1), (5, 960, 160, True, 1)),
)
_LAST = 960  # channels of the last convolution before the pooling, at width 1
_HEAD = 1280  # channels of the convolution after it, at any width


def ghost_module(g: GraphBuilder, x: TensorSpec, channels: int, *, act: bool, name: str) -> TensorSpec:
    """Figure 2b: a 1x1 convolution makes half of the channels, a 3x3 depthwise one the others from them."""
    names = "0 1 2" if act else "0 1"
    with g.scope(name):
        with g.scope("primary_conv"):
            x = conv_bn(g, x, channels // 2, names=names)
        with g.scope("cheap_operation"):
            y = depthwise_bn(g, x, names=names)
        return g.concat((x, y))


def ghost_bottleneck(
    g: GraphBuilder, x: TensorSpec, channels: int, *, kernel: int, expanded: int, se: bool, stride: int
) -> TensorSpec:
    """Figure 3: two Ghost modules; between them a depthwise convolution where the stride is 2."""
    y = ghost_module(g, x, expanded, act=True, name="ghost1")
    if stride != 1:
        y = depthwise_bn(g, y, kernel, stride=stride, names="conv_dw bn_dw")
    if se:
        y = squeeze_excite(g, y, nearest_multiple(expanded / 4, 4), gate="hard_sigmoid")
    y = ghost_module(g, y, channels, act=False, name="ghost2")
    if stride != 1 or channels_of(x) != channels:
        with g.scope("shortcut"):
            x = depthwise_bn(g, x, kernel, stride=stride, names="0 1")
            x = conv_bn(g, x, channels, names="2 3")
    return g.add(y, x)


@network("ghostnet")
def ghostnet(g: GraphBuilder, x: TensorSpec, *, classes: Dim = 1000, width: float = 1.0) -> TensorSpec:
    """GhostNet: half of all channels come from cheap depthwise convolutions, any width."""
    x = conv_bn(g, x, nearest_multiple(16 * width, 4), 3, stride=2, names="conv_stem bn1 act1")
    with g.scope("blocks"):
        for stage, blocks in enumerate(_STAGES):
            for index, (kernel, expanded, channels, se, stride) in enumerate(blocks):
                with g.scope(str(stage)), g.scope(str(index)):
                    x = ghost_bottleneck(
                        g,
                        x,
                        nearest_multiple(channels * width, 4),
                        kernel=kernel,
                        expanded=nearest_multiple(expanded * width, 4),
                        se=se,
                        stride=stride,
                    )
        with g.scope(str(len(_STAGES))), g.scope("0"):
            x = conv_bn(g, x, nearest_multiple(_LAST * width, 4), names="conv bn1 act1")
    x = g.conv(g.global_avg_pool(x), _HEAD, bias=True, name="conv_head")
    return g.linear(g.flatten(g.relu(x, "act2")), classes, name="classifier")

"""ESNet, the backbone of PP-PicoDet (Yu et al., 2021, arXiv 2111.00902).

Layers are named as in PaddleClas.
"""

from __future__ import annotations

from costmodel.builder import GraphBuilder
from costmodel.dims import Dim
from costmodel.graph import TensorSpec
from costmodel.zoo.layers import channels_of, conv_bn, depthwise_bn, nearest_multiple, squeeze_excite
from costmodel.zoo.pplcnet import head
from costmodel.zoo.registry import network

# Output channels and blocks of each stage.
_STAGES = ((116, 3), (232, 7), (464, 3))
_ACT = "hard_swish"


def _conv(g: GraphBuilder, x: TensorSpec, channels: Dim, name: str) -> TensorSpec:
    with g.scope(name):
        return conv_bn(g, x, channels, act=_ACT, names="conv bn act")


def _depthwise(g: GraphBuilder, x: TensorSpec, name: str, *, stride: int = 1, act: bool = False) -> TensorSpec:
    with g.scope(name):
        return depthwise_bn(g, x, stride=stride, act=_ACT, names="conv bn act" if act else "conv bn")


def _gated(g: GraphBuilder, x: TensorSpec) -> TensorSpec:
    return squeeze_excite(g, x, channels_of(x) // 4, gate="hard_sigmoid")


def basic_block(g: GraphBuilder, x: TensorSpec) -> TensorSpec:
    """Figure 2b: as ShuffleNet V2's basic unit, but the depthwise convolution's input joins its output."""
    half = channels_of(x) // 2
    left, right = g.split(x, (half, half))
    right = _conv(g, right, half, "pw_1_1")
    right = g.concat((right, _depthwise(g, right, "dw_1")), name="concat_ghost")
    right = _conv(g, _gated(g, right), half, "pw_1_2")
    return g.channel_shuffle(g.concat((left, right)), 2)


def down_block(g: GraphBuilder, x: TensorSpec, channels: int) -> TensorSpec:
    """Figure 2a: both branches halve the size; a depthwise and a 1x1 convolution mix them in the shuffle's place."""
    left = _conv(g, _depthwise(g, x, "dw_1", stride=2), channels // 2, "pw_1")
    right = _depthwise(g, _conv(g, x, channels // 2, "pw_2_1"), "dw_2", stride=2)
    right = _conv(g, _gated(g, right), channels // 2, "pw_2_2")
    x = _depthwise(g, g.concat((left, right)), "concat_dw", act=True)
    return _conv(g, x, channels, "concat_pw")


@network("esnet")
def esnet(g: GraphBuilder, x: TensorSpec, *, classes: Dim = 1000, width: float = 1.0) -> TensorSpec:
    """ESNet: ShuffleNet V2 with squeeze-excite, ghost halves and hard-swish, any width."""
    with g.scope("conv1"):
        x = conv_bn(g, x, 24, 3, stride=2, act=_ACT, names="conv bn act")
    x = g.max_pool(x, 3, stride=2, padding=1)
    index = 0
    for channels, count in _STAGES:
        for block in range(count):
            with g.scope(f"blocks.{index}"):
                x = basic_block(g, x) if block else down_block(g, x, nearest_multiple(channels * width))
            index += 1
    return head(g, _conv(g, x, 1024, "conv2"), classes, _ACT)

"""PP-LCNet (Cui et al., 2021, arXiv 2109.15099) and PP-LCNetV2 (PaddlePaddle/PaddleClas, 2022).

Layers are named as in PaddleClas.
"""

from __future__ import annotations

from costmodel.builder import GraphBuilder
from costmodel.dims import Dim
from costmodel.graph import TensorSpec
from costmodel.zoo.layers import channels_of, conv_bn, depthwise_bn, nearest_multiple, squeeze_excite
from costmodel.zoo.registry import network

# Table 1: kernel, output channels, stride and squeeze-excite of each depthwise separable block, by stage.
_STAGES = (
    ((3, 32, 1, False),),
    ((3, 64, 2, False), (3, 64, 1, False)),
    ((3, 128, 2, False), (3, 128, 1, False)),
    ((3, 256, 2, False), *[(5, 256, 1, False)] * 5),
    ((5, 512, 2, True), (5, 512, 1, True)),
)
_ACT = "hard_swish"


def depthwise_separable(
    g: GraphBuilder, x: TensorSpec, channels: int, kernel: int, stride: int, se: bool
) -> TensorSpec:
    """Figure 2: depthwise convolution, squeeze-excite where wanted, 1x1 convolution."""
    with g.scope("dw_conv"):
        x = depthwise_bn(g, x, kernel, stride=stride, act=_ACT, names="conv bn act")
    if se:
        inner = channels_of(x)
        x = squeeze_excite(g, x, inner // 4, gate="hard_sigmoid")
    with g.scope("pw_conv"):
        return conv_bn(g, x, channels, act=_ACT, names="conv bn act")


def head(g: GraphBuilder, x: TensorSpec, classes: Dim, act: str) -> TensorSpec:
    """Pooling, a 1x1 convolution and its activation, a dense layer."""
    x = g.conv(g.global_avg_pool(x, "avg_pool"), 1280, name="last_conv")
    return g.linear(g.flatten(getattr(g, act)(x, "act")), classes)


@network("pplcnet")
def pplcnet(g: GraphBuilder, x: TensorSpec, *, classes: Dim = 1000, width: float = 1.0) -> TensorSpec:
    """PP-LCNet: depthwise separable blocks with hard-swish, any width."""
    with g.scope("conv1"):
        x = conv_bn(g, x, nearest_multiple(16 * width), 3, stride=2, act=_ACT, names="conv bn act")
    for stage, blocks in enumerate(_STAGES, start=2):
        for index, (kernel, channels, stride, se) in enumerate(blocks):
            with g.scope(f"blocks{stage}.{index}"):
                x = depthwise_separable(g, x, nearest_multiple(channels * width), kernel, stride, se)
    return head(g, x, classes, _ACT)


# PP-LCNetV2-base: output channels, kernel and blocks of each stage.
_V2_STAGES = ((128, 3, 2), (256, 3, 2), (512, 5, 6), (1024, 5, 2))


def second_block(
    g: GraphBuilder, x: TensorSpec, channels: int, kernel: int, *, stride: int, split: bool = False, last: bool = False
) -> TensorSpec:
    """A depthwise separable block of PP-LCNetV2 with ReLUs.

    Larger depthwise kernels were several in training and are one with biases when deployed. split: squeeze-excite,
    and two 1x1 convolutions, the first half as wide. last: a shortcut where shapes allow.
    """
    inputs = channels_of(x)
    if kernel == 3:
        with g.scope("dw_conv"):
            y = depthwise_bn(g, x, stride=stride, names="conv bn act")
    else:
        y = g.relu(g.depthwise(x, kernel, stride=stride, bias=True, name="dw_conv"), "act")
    if split:
        y = squeeze_excite(g, y, inputs // 4)
        with g.scope("pw_conv_1"):
            y = conv_bn(g, y, channels // 2, names="conv bn act")
    with g.scope("pw_conv_2" if split else "pw_conv"):
        y = conv_bn(g, y, channels, names="conv bn act")
    return g.add(y, x) if last and stride == 1 else y


@network("pplcnetv2_base")
def pplcnetv2_base(g: GraphBuilder, x: TensorSpec, *, classes: Dim = 1000) -> TensorSpec:
    """PP-LCNetV2-base as it is deployed: depthwise separable blocks with ReLU."""
    with g.scope("stem.0"):
        x = conv_bn(g, x, 32, 3, stride=2, names="conv bn act")
    with g.scope("stem.1"):
        x = second_block(g, x, 64, 3, stride=1)
    for stage, (channels, kernel, count) in enumerate(_V2_STAGES, start=1):
        for index in range(count):
            with g.scope(f"stage{stage}.{index}"):
                stride = 1 if index else 2
                x = second_block(g, x, channels, kernel, stride=stride, split=stage == 3, last=stage == 4)
    return head(g, x, classes, "relu")

"""EfficientNet (Tan and Le, ICML 2019, arXiv 1905.11946) and EfficientNetV2-B0 (ICML 2021, arXiv 2104.00298).

Layers are named as in torchvision's efficientnet_b0 and efficientnet_v2_s.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from costmodel.builder import GraphBuilder
from costmodel.dims import Dim
from costmodel.graph import TensorSpec
from costmodel.zoo.layers import channels_of, classifier, conv_bn, depthwise_bn, nearest_multiple, squeeze_excite
from costmodel.zoo.registry import network


@dataclass(frozen=True, slots=True)
class Stage:
    """A row of the architecture table: kernel, expansion, output channels, blocks, stride of the first block.

    fused: the expansion and the depthwise convolution are one full convolution, without squeeze-excite.
    """

    kernel: int
    expansion: int
    channels: int
    blocks: int
    stride: int
    fused: bool = False


# Table 1 of the EfficientNet paper.
_B0 = (
    Stage(3, 1, 16, 1, 1),
    Stage(3, 6, 24, 2, 2),
    Stage(5, 6, 40, 2, 2),
    Stage(3, 6, 80, 3, 2),
    Stage(5, 6, 112, 3, 1),
    Stage(5, 6, 192, 4, 2),
    Stage(3, 6, 320, 1, 1),
)

# By name: factors of width and depth, and resolution (the authors' efficientnet_builder.py).
_SCALES = {
    "b0": (1.0, 1.0, 224),
    "b1": (1.0, 1.1, 240),
    "b2": (1.1, 1.2, 260),
    "b3": (1.2, 1.4, 300),
    "b4": (1.4, 1.8, 380),
    "b5": (1.6, 2.2, 456),
    "b6": (1.8, 2.6, 528),
    "b7": (2.0, 3.1, 600),
}

# The authors' effnetv2_configs.py, `v2_base_block`.
_V2_B0 = (
    Stage(3, 1, 16, 1, 1, fused=True),
    Stage(3, 4, 32, 2, 2, fused=True),
    Stage(3, 4, 48, 2, 2, fused=True),
    Stage(3, 4, 96, 3, 2),
    Stage(3, 6, 112, 5, 1),
    Stage(3, 6, 192, 8, 2),
)


def block(
    g: GraphBuilder,
    x: TensorSpec,
    stage: Stage,
    stride: int,
    squeeze: str = "global_avg_pool",
    bias_after_add: bool = False,
) -> TensorSpec:
    """MBConv, or Fused-MBConv (V2 paper, Figure 2), and a shortcut where shapes allow.

    The squeeze-excite is a quarter as wide as the block's input. squeeze: as in squeeze_excite. bias_after_add: see
    efficientnetv2_b0.
    """
    expanded = channels_of(x) * stage.expansion
    shortcut = stride == 1 and channels_of(x) == stage.channels
    y = x
    layer = 0
    with g.scope("block"):
        if stage.fused:
            with g.scope("0"):
                width = stage.channels if stage.expansion == 1 else expanded
                y = conv_bn(g, y, width, stage.kernel, stride=stride, act="swish")
            layer = 1
        else:
            if stage.expansion != 1:
                with g.scope("0"):
                    y = conv_bn(g, y, expanded, act="swish")
                layer = 1
            with g.scope(str(layer)):
                y = depthwise_bn(g, y, stage.kernel, stride=stride, act="swish")
            squeezed = max(1, channels_of(x) // 4)
            y = squeeze_excite(g, y, squeezed, act="swish", squeeze=squeeze, name=str(layer + 1))
            layer += 2
        if not stage.fused or stage.expansion != 1:
            with g.scope(str(layer)):
                if shortcut and bias_after_add:
                    y = g.conv(y, stage.channels, name="0")
                else:
                    y = conv_bn(g, y, stage.channels, names="0 1")
    if not shortcut:
        return y
    y = g.add(y, x)
    return g.add(y, g.weight("bias", (stage.channels, 1, 1)), "add_bias") if bias_after_add else y


def _efficientnet(
    g: GraphBuilder,
    x: TensorSpec,
    classes: Dim,
    stem: int,
    stages: tuple[Stage, ...],
    features: int,
    squeeze: str = "global_avg_pool",
    bias_after_add: bool = False,
) -> TensorSpec:
    """3x3 convolution to `stem` channels, stages, 1x1 convolution to `features`, classifier."""
    with g.scope("features"):
        with g.scope("0"):
            x = conv_bn(g, x, stem, 3, stride=2, act="swish")
        for index, stage in enumerate(stages, start=1):
            for repeat in range(stage.blocks):
                with g.scope(f"{index}.{repeat}"):
                    x = block(g, x, stage, 1 if repeat else stage.stride, squeeze, bias_after_add)
        with g.scope(str(len(stages) + 1)):
            x = conv_bn(g, x, features, act="swish")
    return classifier(g, x, classes, name="classifier.1")


def _register(name: str, width: float, depth: float, resolution: int) -> None:
    """Register the EfficientNet that is B0 with `width` times the channels and `depth` times the blocks."""
    stages = tuple(
        replace(stage, channels=nearest_multiple(stage.channels * width), blocks=math.ceil(stage.blocks * depth))
        for stage in _B0
    )

    def build(g: GraphBuilder, x: TensorSpec, *, classes: Dim = 1000) -> TensorSpec:
        return _efficientnet(g, x, classes, nearest_multiple(32 * width), stages, 4 * stages[-1].channels)

    build.__doc__ = f"EfficientNet-{name.upper()}: width {width:g}, depth {depth:g}, resolution {resolution}."
    network(f"efficientnet_{name}", resolution=resolution)(build)


for _name, (_width, _depth, _resolution) in _SCALES.items():
    _register(_name, _width, _depth, _resolution)


@network("efficientnetv2_b0")
def efficientnetv2_b0(
    g: GraphBuilder, x: TensorSpec, *, classes: Dim = 1000, bias_after_add: bool = False
) -> TensorSpec:
    """EfficientNetV2-B0.

    Its squeeze-excites squeeze by a reduction, as in timm and in the network that ncnn measures.
    bias_after_add: a projection whose output meets a shortcut has no batch normalisation, and its folded
    bias is added after the shortcut, one more operator; so the conversion left it in the network that ncnn
    measures.
    """
    return _efficientnet(g, x, classes, 32, _V2_B0, 1280, "spatial_mean", bias_after_add)

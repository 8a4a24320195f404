"""Darknet-53 (Redmon and Farhadi, 2018, arXiv 1804.02767) and CSPDarknet-53 (Wang et al., arXiv 1911.11929).

Layers are named as in timm.
"""

from __future__ import annotations

from typing import Literal

from costmodel.builder import GraphBuilder
from costmodel.dims import Dim
from costmodel.graph import TensorSpec
from costmodel.zoo.layers import channels_of, classifier, conv_bn
from costmodel.zoo.registry import network

# YOLOv3, Table 1: output channels and residual blocks of each stage.
_STAGES = ((64, 1), (128, 2), (256, 8), (512, 8), (1024, 4))


def _block(g: GraphBuilder, x: TensorSpec, inner: int, act: str) -> TensorSpec:
    """1x1 convolution to `inner` channels, 3x3 back, and the shortcut."""
    with g.scope("conv1"):
        y = conv_bn(g, x, inner, act=act, names="conv bn act")
    with g.scope("conv2"):
        y = conv_bn(g, y, channels_of(x), 3, act=act, names="conv bn act")
    return g.add(y, x)


@network("darknet53", resolution=256)
def darknet53(
    g: GraphBuilder, x: TensorSpec, *, classes: Dim = 1000, act: Literal["leaky_relu", "relu"] = "leaky_relu"
) -> TensorSpec:
    """Darknet-53.

    act: of every convolution; relu in PaddleClas.
    """
    with g.scope("stem"), g.scope("conv1"):
        x = conv_bn(g, x, 32, 3, act=act, names="conv bn act")
    for stage, (channels, count) in enumerate(_STAGES):
        with g.scope(f"stages.{stage}"):
            with g.scope("conv_down"):
                x = conv_bn(g, x, channels, 3, stride=2, act=act, names="conv bn act")
            for index in range(count):
                with g.scope(f"blocks.{index}"):
                    x = _block(g, x, channels // 2, act)
    return classifier(g, x, classes, name="head.fc")


@network("cspdarknet53", resolution=256)
def cspdarknet53(g: GraphBuilder, x: TensorSpec, *, classes: Dim = 1000) -> TensorSpec:
    """CSPDarknet-53: half of each stage's channels pass its blocks by."""
    act = "leaky_relu"
    with g.scope("stem"), g.scope("conv1"):
        x = conv_bn(g, x, 32, 3, act=act, names="conv bn act")
    for stage, (channels, count) in enumerate(_STAGES):
        half = channels if stage == 0 else channels // 2
        with g.scope(f"stages.{stage}"):
            with g.scope("conv_down"):
                x = conv_bn(g, x, channels, 3, stride=2, act=act, names="conv bn act")
            with g.scope("conv_exp"):
                x = conv_bn(g, x, 2 * half, act=act, names="conv bn act")
            passed, y = g.split(x, (half, half))
            for index in range(count):
                with g.scope(f"blocks.{index}"):
                    y = _block(g, y, half // 2 if stage == 0 else half, act)
            with g.scope("conv_transition_b"):
                y = conv_bn(g, y, half, act=act, names="conv bn act")
            with g.scope("conv_transition"):
                x = conv_bn(g, g.concat((passed, y)), channels, act=act, names="conv bn act")
    return classifier(g, x, classes, name="head.fc")

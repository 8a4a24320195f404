"""PP-HGNet and PP-HGNetV2 (PaddlePaddle/PaddleClas, 2022 and 2023).

Layers are named as in timm's hgnet_tiny.
"""

from __future__ import annotations

from dataclasses import dataclass

from costmodel.builder import GraphBuilder, Sizes
from costmodel.dims import Dim
from costmodel.graph import TensorSpec
from costmodel.zoo.layers import channels_of, conv_bn
from costmodel.zoo.registry import network

_HEAD = 2048  # channels between the pooling and the classifier


@dataclass(frozen=True, slots=True)
class Plan:
    """The settings of one network, stages one entry each.

    stem: widths of its convolutions. inner: channels of a block's layers. channels: of a block's output. blocks: of
    each stage. layers: of each block. second: version 2, whose last two stages have light layers. affine: a
    learned scale and shift follow each ReLU.
    """

    stem: tuple[int, ...]
    inner: tuple[int, int, int, int]
    channels: tuple[int, int, int, int]
    blocks: tuple[int, int, int, int]
    layers: int
    second: bool = False
    affine: bool = False


_V1 = {
    "tiny": Plan((48, 48, 96), (96, 128, 160, 192), (224, 448, 512, 768), (1, 1, 2, 1), 5),
    "small": Plan((64, 64, 128), (128, 160, 192, 224), (256, 512, 768, 1024), (1, 1, 2, 1), 6),
    "base": Plan((96, 96, 160), (192, 224, 256, 288), (320, 640, 960, 1280), (1, 2, 3, 2), 7),
}
_V2 = {
    "b0": Plan((16, 16), (16, 32, 64, 128), (64, 256, 512, 1024), (1, 1, 2, 1), 3, True, True),
    "b1": Plan((24, 32), (32, 48, 96, 192), (64, 256, 512, 1024), (1, 1, 2, 1), 3, True, True),
    "b2": Plan((24, 32), (32, 64, 128, 256), (96, 384, 768, 1536), (1, 1, 3, 1), 4, True, True),
    "b3": Plan((24, 32), (32, 64, 128, 256), (128, 512, 1024, 2048), (1, 1, 3, 1), 5, True, True),
    "b4": Plan((32, 48), (48, 96, 192, 384), (128, 512, 1024, 2048), (1, 1, 3, 1), 6, True),
    "b5": Plan((32, 64), (64, 128, 256, 512), (128, 512, 1024, 2048), (1, 2, 5, 2), 6, True),
    "b6": Plan((48, 96), (96, 192, 384, 768), (192, 512, 1024, 2048), (2, 3, 6, 3), 6, True),
}


def _affine(g: GraphBuilder, x: TensorSpec) -> TensorSpec:
    with g.scope("lab"):
        x = g.mul(x, g.weight("scale", (1,)), "mul")
        return g.add(x, g.weight("bias", (1,)), "add")


def _conv(
    g: GraphBuilder,
    x: TensorSpec,
    channels: Dim,
    kernel: int,
    plan: Plan,
    name: str,
    *,
    stride: int = 1,
    groups: Dim = 1,
    padding: Sizes | None = None,
    act: bool = True,
) -> TensorSpec:
    with g.scope(name):
        names = "conv bn act" if act else "conv bn"
        x = conv_bn(g, x, channels, kernel, stride=stride, groups=groups, padding=padding, names=names)
        return _affine(g, x) if act and plan.affine else x


def _stem(g: GraphBuilder, x: TensorSpec, plan: Plan) -> TensorSpec:
    """Version 1: 3x3 convolutions and max pooling, together of stride 4."""
    for index, width in enumerate(plan.stem):
        x = _conv(g, x, width, 3, plan, f"stem.{index}", stride=1 if index else 2)
    return g.max_pool(x, 3, stride=2, padding=1, name="pool")


def _second_stem(g: GraphBuilder, x: TensorSpec, plan: Plan) -> TensorSpec:
    """Version 2: two 2x2 convolutions beside a 2x2 max pooling, between convolutions of stride 2."""
    width, last = plan.stem
    after = (0, 0, 1, 1)  # one row and column at the ends keep the size
    x = _conv(g, x, width, 3, plan, "stem1", stride=2)
    y = _conv(g, x, width // 2, 2, plan, "stem2a", padding=after)
    y = _conv(g, y, width, 2, plan, "stem2b", padding=after)
    x = g.concat((g.max_pool(x, 2, padding=after, name="pool"), y))
    x = _conv(g, x, width, 3, plan, "stem3", stride=2)
    return _conv(g, x, last, 1, plan, "stem4")


def _layer(g: GraphBuilder, x: TensorSpec, channels: int, light: bool, plan: Plan, name: str) -> TensorSpec:
    if not light:
        return _conv(g, x, channels, 3, plan, name)
    with g.scope(name):
        x = _conv(g, x, channels, 1, plan, "conv1", act=False)
        return _conv(g, x, channels, 5, plan, "conv2", groups=channels)


def block(
    g: GraphBuilder, x: TensorSpec, inner: int, channels: int, plan: Plan, *, light: bool, residual: bool
) -> TensorSpec:
    """HG-Block: layers in a chain, their inputs and outputs joined and mixed, and a shortcut where wanted.

    Version 1 mixes by a 1x1 convolution and a gate from the channels' means, version 2 by two 1x1 convolutions.
    """
    outputs = [x]
    for index in range(plan.layers):
        outputs.append(_layer(g, outputs[-1], inner, light, plan, f"layers.{index}"))
    y = g.concat(outputs)
    if plan.second:
        y = _conv(g, y, channels // 2, 1, plan, "aggregation.0")
        y = _conv(g, y, channels, 1, plan, "aggregation.1")
    else:
        y = _conv(g, y, channels, 1, plan, "aggregation.0")
        with g.scope("aggregation.1"):
            gate = g.conv(g.global_avg_pool(y), channels, bias=True, name="conv")
            y = g.mul(y, g.sigmoid(gate))
    return g.add(y, x) if residual else y


def pphgnet(g: GraphBuilder, x: TensorSpec, classes: Dim, plan: Plan) -> TensorSpec:
    """Stages of blocks; all but the first begin with a depthwise convolution of stride 2."""
    with g.scope("stem"):
        x = _second_stem(g, x, plan) if plan.second else _stem(g, x, plan)
    for stage, (inner, channels, count) in enumerate(zip(plan.inner, plan.channels, plan.blocks, strict=True)):
        with g.scope(f"stages.{stage}"):
            if stage:
                x = _conv(g, x, channels_of(x), 3, plan, "downsample", stride=2, groups=channels_of(x), act=False)
            for index in range(count):
                with g.scope(f"blocks.{index}"):
                    light = plan.second and stage > 1
                    x = block(g, x, inner, channels, plan, light=light, residual=index > 0)
    with g.scope("head"):
        x = g.relu(g.conv(g.global_avg_pool(x), _HEAD, name="last_conv.0"), "last_conv.1")
        if plan.affine:
            x = _affine(g, x)
        return g.linear(g.flatten(x), classes)


def _register(name: str, summary: str, plan: Plan) -> None:
    def build(g: GraphBuilder, x: TensorSpec, *, classes: Dim = 1000) -> TensorSpec:
        return pphgnet(g, x, classes, plan)

    build.__doc__ = summary
    network(name)(build)


for _size, _plan in _V1.items():
    _register(f"pphgnet_{_size}", f"PP-HGNet-{_size}.", _plan)
for _size, _plan in _V2.items():
    _register(f"pphgnetv2_{_size}", f"PP-HGNetV2-{_size.upper()}.", _plan)

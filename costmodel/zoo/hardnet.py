"""HarDNet (Chao et al., ICCV 2019, arXiv 1909.00948).

Layers are named as in the authors' PingoLH/Pytorch-HarDNet.
"""

from __future__ import annotations

from dataclasses import dataclass

from costmodel.builder import GraphBuilder
from costmodel.dims import Dim
from costmodel.graph import TensorSpec
from costmodel.zoo.layers import classifier, conv_bn, depthwise_bn
from costmodel.zoo.registry import network


@dataclass(frozen=True, slots=True)
class Plan:
    """A network of Table 2: the widths of the two stem layers, the channel multiplier m, and its blocks.

    blocks: growth rate k, layers, output channels, and whether a down-sampling follows.
    """

    stem: tuple[int, int]
    multiplier: float
    blocks: tuple[tuple[int, int, int, bool], ...]


_68 = Plan(
    (32, 64),
    1.7,
    ((14, 8, 128, True), (16, 16, 256, False), (20, 16, 320, True), (40, 16, 640, True), (160, 4, 1024, False)),
)
_85 = Plan(
    (48, 96),
    1.7,
    (
        (24, 8, 192, True),
        (24, 16, 256, False),
        (28, 16, 320, True),
        (36, 16, 480, False),
        (48, 16, 720, True),
        (256, 4, 1280, False),
    ),
)
_39 = Plan((24, 48), 1.6, ((16, 4, 96, True), (20, 16, 320, True), (64, 8, 640, True), (160, 4, 1024, False)))


def links(layer: int) -> list[int]:
    """Earlier layers that a layer reads (Section 3.1): layer - 2^n wherever 2^n divides layer; 0 is the input."""
    return [layer - (1 << n) for n in range(layer.bit_length()) if layer % (1 << n) == 0]


def width(layer: int, growth: int, multiplier: float) -> int:
    """Channels of a layer: k times m^n where 2^n is the largest power that divides it, rounded to an even number."""
    channels = float(growth)
    for _ in links(layer)[1:]:
        channels *= multiplier
    return int(int(channels + 1) / 2) * 2


def _conv(g: GraphBuilder, x: TensorSpec, channels: int, kernel: int) -> TensorSpec:
    return conv_bn(g, x, channels, kernel, act="relu6", names="conv norm relu")


def _down(g: GraphBuilder, x: TensorSpec) -> TensorSpec:
    return depthwise_bn(g, x, stride=2, names="dwconv norm")


def harmonic_block(
    g: GraphBuilder, x: TensorSpec, growth: int, layers: int, multiplier: float, depthwise: bool
) -> TensorSpec:
    """Figure 2: the odd layers and the last make the output.

    depthwise: each layer is a 1x1 and a depthwise convolution in the place of a 3x3 one.
    """
    outputs = [x]
    for layer in range(1, layers + 1):
        parts = [outputs[index] for index in links(layer)]
        channels = width(layer, growth, multiplier)
        with g.scope(f"layers.{layer - 1}"):
            y = g.concat(parts) if len(parts) > 1 else parts[0]
            if depthwise:
                with g.scope("layer1"):
                    y = _conv(g, y, channels, 1)
                with g.scope("layer2"):
                    y = depthwise_bn(g, y, names="dwconv norm")
            else:
                y = _conv(g, y, channels, 3)
        outputs.append(y)
    return g.concat([y for layer, y in enumerate(outputs) if layer % 2 == 1 or layer == layers])


def hardnet(g: GraphBuilder, x: TensorSpec, classes: Dim, plan: Plan, depthwise: bool) -> TensorSpec:
    """Section 3.3. depthwise ("DS"): also the down-samplings are depthwise convolutions, not max poolings."""
    first, second = plan.stem
    with g.scope("base.0"):
        x = conv_bn(g, x, first, 3, stride=2, act="relu6", names="conv norm relu")
    with g.scope("base.1"):
        x = _conv(g, x, second, 1 if depthwise else 3)
    with g.scope("base.2"):
        x = _down(g, x) if depthwise else g.max_pool(x, 3, stride=2, padding=1)
    index = 3
    for growth, layers, channels, down in plan.blocks:
        with g.scope(f"base.{index}"):
            x = harmonic_block(g, x, growth, layers, plan.multiplier, depthwise)
        with g.scope(f"base.{index + 1}"):
            x = _conv(g, x, channels, 1)
        index += 2
        if down:
            with g.scope(f"base.{index}"):
                x = _down(g, x) if depthwise else g.max_pool(x, 2, stride=2)
            index += 1
    return classifier(g, x, classes)


@network("hardnet68", smallest=29)
def hardnet68(g: GraphBuilder, x: TensorSpec, *, classes: Dim = 1000) -> TensorSpec:
    """HarDNet-68: each layer joins those at distances of powers of two before it."""
    return hardnet(g, x, classes, _68, depthwise=False)


@network("hardnet85", smallest=29)
def hardnet85(g: GraphBuilder, x: TensorSpec, *, classes: Dim = 1000) -> TensorSpec:
    """HarDNet-85."""
    return hardnet(g, x, classes, _85, depthwise=False)


@network("hardnet39_ds")
def hardnet39_ds(g: GraphBuilder, x: TensorSpec, *, classes: Dim = 1000) -> TensorSpec:
    """HarDNet-39DS, of depthwise separable layers."""
    return hardnet(g, x, classes, _39, depthwise=True)


@network("hardnet68_ds")
def hardnet68_ds(g: GraphBuilder, x: TensorSpec, *, classes: Dim = 1000) -> TensorSpec:
    """HarDNet-68DS, of depthwise separable layers."""
    return hardnet(g, x, classes, _68, depthwise=True)

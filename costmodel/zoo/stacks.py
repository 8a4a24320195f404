"""Stacks of one kind of layer, to measure what each kind of kernel costs.

The input is a feature map, and sizes stay as they are but where a stride is asked for: then the first layer has it.
Options say what one kernel is, `layers` how often it follows itself, so that its time stands out of what a run costs.
"""

from __future__ import annotations

from typing import Literal

from costmodel.builder import GraphBuilder
from costmodel.dims import Dim
from costmodel.graph import TensorSpec
from costmodel.zoo.layers import conv_bn, depthwise_bn
from costmodel.zoo.registry import network
from costmodel.zoo.shufflenet_v2 import Variant, basic_unit


def _names(act: str) -> str:
    return "conv bn" if act == "none" else "conv bn act"


@network("stack_conv", task="block", resolution=28, channels="c")
def stack_conv(
    g: GraphBuilder,
    x: TensorSpec,
    *,
    c: Dim = 64,
    cout: Dim = 64,
    kernel: int = 3,
    stride: int = 1,
    groups: Dim = 1,
    act: Literal["none", "relu", "relu6", "hard_swish", "swish"] = "relu",
    layers: int = 4,
) -> TensorSpec:
    """Convolutions with batch normalisation, from c to cout channels and back in turn.

    kernel, stride, groups: as of any convolution. act: after each, or none. layers: convolutions.
    """
    for index in range(layers):
        with g.scope(str(index)):
            channels = c if index % 2 else cout
            step = 1 if index else stride
            x = conv_bn(g, x, channels, kernel, stride=step, groups=groups, act=act, names=_names(act))
    return x


@network("stack_depthwise", task="block", resolution=28, channels="c")
def stack_depthwise(
    g: GraphBuilder,
    x: TensorSpec,
    *,
    c: Dim = 64,
    kernel: int = 3,
    stride: int = 1,
    act: Literal["none", "relu", "relu6", "hard_swish", "swish"] = "relu",
    layers: int = 4,
) -> TensorSpec:
    """Depthwise convolutions of c channels with batch normalisation.

    kernel, stride: as of any convolution. act: after each, or none. layers: convolutions.
    """
    for index in range(layers):
        with g.scope(str(index)):
            x = depthwise_bn(g, x, kernel, stride=1 if index else stride, act=act, names=_names(act))
    return x


@network("stack_shufflenet_v2", task="block", resolution=28, channels="c")
def stack_shufflenet_v2(
    g: GraphBuilder, x: TensorSpec, *, c: Dim = 116, se: bool = False, layers: int = 4
) -> TensorSpec:
    """Basic units of ShuffleNet V2 (Figure 3c), c channels of which half go through the branch.

    se: a squeeze-excite in the branch. layers: units.
    """
    for index in range(layers):
        with g.scope(str(index)):
            x = basic_unit(g, x, Variant(se=se))
    return x


@network("stack_concat", task="block", resolution=28, channels="c")
def stack_concat(
    g: GraphBuilder, x: TensorSpec, *, c: Dim = 64, growth: Dim = 32, kernel: int = 3, layers: int = 4
) -> TensorSpec:
    """Convolutions to `growth` channels, each joined to what it read, c channels at first: dense connections.

    kernel: of the convolutions, which batch normalisation and ReLU follow. layers: convolutions.
    """
    for index in range(layers):
        with g.scope(str(index)):
            x = g.concat((x, conv_bn(g, x, growth, kernel)))
    return x


@network("stack_linear", task="block", resolution=1, channels="c")
def stack_linear(g: GraphBuilder, x: TensorSpec, *, c: Dim = 512, cout: Dim = 512, layers: int = 4) -> TensorSpec:
    """Dense layers of cout features each, the first on all c channels of the flattened input.

    layers: dense layers.
    """
    x = g.flatten(x)
    for index in range(layers):
        x = g.linear(x, cout, name=f"fc{index}")
    return x


@network("stack_pool", task="block", resolution=28, channels="c")
def stack_pool(
    g: GraphBuilder,
    x: TensorSpec,
    *,
    c: Dim = 64,
    kind: Literal["max", "avg", "global"] = "max",
    kernel: int = 3,
    stride: int = 1,
    layers: int = 4,
) -> TensorSpec:
    """Poolings of c channels.

    kind: the maximum or the mean over a window; global, each layer adds the mean of every channel to its input.
    kernel, stride: of the window. layers: poolings.
    """
    for index in range(layers):
        with g.scope(str(index)):
            if kind == "global":
                x = g.add(x, g.global_avg_pool(x))
            else:
                pool = g.max_pool if kind == "max" else g.avg_pool
                x = pool(x, kernel, stride=1 if index else stride, padding=kernel // 2)
    return x


@network("stack_elementwise", task="block", resolution=28, channels="c")
def stack_elementwise(
    g: GraphBuilder,
    x: TensorSpec,
    *,
    c: Dim = 64,
    kind: Literal["add", "mul", "gate", "relu", "relu6", "sigmoid", "hard_sigmoid", "hard_swish", "swish"] = "add",
    layers: int = 4,
) -> TensorSpec:
    """Operations on each element of c channels.

    kind: add and mul take the input as their second operand, gate the input's means over its height and width, as a
    squeeze-excite's last step does; the others are activations. layers: operations.
    """
    other = g.global_avg_pool(x) if kind == "gate" else x
    for index in range(layers):
        with g.scope(str(index)):
            if kind in ("add", "mul", "gate"):
                x = (g.add if kind == "add" else g.mul)(x, other)
            else:
                x = getattr(g, kind)(x)
    return x


@network("stack_shuffle", task="block", resolution=28, channels="c")
def stack_shuffle(g: GraphBuilder, x: TensorSpec, *, c: Dim = 64, groups: int = 2, layers: int = 4) -> TensorSpec:
    """Channel shuffles (ShuffleNet V1, Section 3.1) of c channels in groups, each with a depthwise convolution.

    Without it a runtime could join one shuffle with the next. layers: shuffles.
    """
    for index in range(layers):
        with g.scope(str(index)):
            x = g.channel_shuffle(g.depthwise(x, 1), groups)
    return x

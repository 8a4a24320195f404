"""Layers that many networks share, and the rules by which they scale their widths."""

from __future__ import annotations

from costmodel.builder import GraphBuilder, Sizes
from costmodel.dims import Dim, equal
from costmodel.errors import ShapeError
from costmodel.graph import TensorSpec


def channels_of(x: TensorSpec) -> Dim:
    """The channels of an image (dim 1)."""
    if x.shape is None or len(x.shape) != 4:
        raise ShapeError(f"{x}: an image of 4 dims is needed")
    return x.shape[1]


def whole_channels(x: TensorSpec) -> int:
    """The channels of an image where a network's plan needs a number. Raises ShapeError for columns and symbols."""
    channels = channels_of(x)
    if not isinstance(channels, int):
        raise ShapeError(f"{x}: its channels are no number")
    return channels


def conv_bn(
    g: GraphBuilder,
    x: TensorSpec,
    channels: Dim,
    kernel: Sizes = 1,
    *,
    stride: Sizes = 1,
    padding: Sizes | None = None,
    groups: Dim = 1,
    act: str = "relu",
    names: str = "0 1 2",
) -> TensorSpec:
    """Convolution without bias that keeps the size at stride 1, and batch normalisation.

    padding: another one. names: of the convolution, the normalisation and, where there is one, the activation, whose
    operator is the GraphBuilder method `act`.
    """
    conv, bn, *last = names.split()
    x = g.conv(x, channels, kernel, stride=stride, padding=padding, groups=groups, name=conv)
    x = g.batch_norm(x, bn)
    for name in last:
        x = getattr(g, act)(x, name)
    return x


def depthwise_bn(
    g: GraphBuilder,
    x: TensorSpec,
    kernel: Sizes = 3,
    *,
    stride: Sizes = 1,
    act: str = "relu",
    names: str = "0 1 2",
) -> TensorSpec:
    """As conv_bn, with one group a channel."""
    channels = channels_of(x)
    return conv_bn(g, x, channels, kernel, stride=stride, groups=channels, act=act, names=names)


def bn_relu_conv(
    g: GraphBuilder,
    x: TensorSpec,
    channels: Dim,
    kernel: int = 1,
    *,
    stride: int = 1,
    groups: Dim = 1,
    names: str = "norm relu conv",
) -> TensorSpec:
    """Batch normalisation, ReLU and convolution, in this order and so named."""
    norm, relu, conv = names.split()
    x = g.relu(g.batch_norm(x, norm), relu)
    return g.conv(x, channels, kernel, stride=stride, groups=groups, name=conv)


def relu_conv_bn(
    g: GraphBuilder, x: TensorSpec, channels: Dim, kernel: int = 1, *, stride: int = 1, names: str = "act conv bn"
) -> TensorSpec:
    """ReLU, convolution and batch normalisation, in this order and so named."""
    relu, conv, bn = names.split()
    return g.batch_norm(g.conv(g.relu(x, relu), channels, kernel, stride=stride, name=conv), bn)


def residual(g: GraphBuilder, x: TensorSpec, y: TensorSpec, stride: int) -> TensorSpec:
    """A block's output y, with its input x added at stride 1 where their channels are as many."""
    return g.add(x, y) if stride == 1 and equal(channels_of(x), channels_of(y)) else y


def squeeze_excite(
    g: GraphBuilder,
    x: TensorSpec,
    squeezed: Dim,
    *,
    act: str = "relu",
    gate: str = "sigmoid",
    squeeze: str = "global_avg_pool",
    name: str = "se",
) -> TensorSpec:
    """Scale each channel by a gate computed from all channels' means (Hu et al., CVPR 2018, Section 3).

    squeezed: channels between the two 1x1 convolutions. act, gate, squeeze: GraphBuilder methods; squeeze takes the
    means, by global_avg_pool or spatial_mean.
    """
    with g.scope(name):
        s = getattr(g, squeeze)(x, "avgpool")
        s = getattr(g, act)(g.conv(s, squeezed, bias=True, name="fc1"), "activation")
        s = getattr(g, gate)(g.conv(s, channels_of(x), bias=True, name="fc2"), "scale_activation")
        return g.mul(x, s, "scale")


def classifier(g: GraphBuilder, x: TensorSpec, classes: Dim, *, bias: bool = True, name: str = "fc") -> TensorSpec:
    """Global average pooling and a dense layer."""
    return g.linear(g.flatten(g.global_avg_pool(x, "avgpool")), classes, bias=bias, name=name)


def resize_like(
    g: GraphBuilder, x: TensorSpec, target: TensorSpec, *, mode: str = "nearest", name: str = "upsample"
) -> TensorSpec:
    """An image with the height and width of another, by interpolation.

    Where a network halves all sides without remainder, this is its upsampling by 2.
    """
    return g.resize(x, ((x.shape or ())[0], channels_of(x), *(target.shape or ())[2:]), mode, name)


def nearest_multiple(value: float, divisor: int = 8) -> int:
    """value to the nearest multiple of divisor, halves up, at least divisor and never below 90 % of value.

    The rule of TensorFlow's MobileNet V2 and V3 and of torchvision (`_make_divisible`).
    """
    rounded = max(divisor, int(value + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * value else rounded

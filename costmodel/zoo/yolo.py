"""YOLOv4-tiny (Wang et al., CVPR 2021, arXiv 2011.08036) and Yolo-Fastest 1.1 (dog-qiuqiu), of Darknet.

Layers are numbered as in the configuration files, yolov4-tiny.cfg of AlexeyAB/darknet and yolo-fastest-1.1.cfg
of dog-qiuqiu/Yolo-Fastest, which have one number for each convolution, route, shortcut and so on. A network ends
with the raw predictions of 3 boxes a place at 1/32 and at 1/16 of the input; their decoding and the suppression
of overlaps (Yolov3DetectionOutput) are left out.
"""

from __future__ import annotations

from costmodel.builder import GraphBuilder
from costmodel.dims import Dim, equal
from costmodel.graph import TensorSpec
from costmodel.zoo.layers import channels_of, conv_bn, depthwise_bn, resize_like
from costmodel.zoo.registry import network

# Yolo-Fastest 1.1: expanded channels, output channels, stride of the first, repeats.
_BOTTLENECKS = (
    (8, 4, 1, 2),
    (24, 8, 2, 1),
    (32, 8, 1, 2),
    (32, 8, 2, 1),
    (48, 8, 1, 2),
    (48, 16, 1, 1),
    (96, 16, 1, 4),
    (96, 24, 2, 1),
    (136, 24, 1, 4),
    (136, 48, 2, 1),
    (224, 48, 1, 5),
)
_LAST_AT_16 = 17  # index of the last bottleneck at 1/16 of the input


@network("yolov4_tiny", task="detection", resolution=416)
def yolov4_tiny(g: GraphBuilder, x: TensorSpec, *, classes: Dim = 80) -> tuple[TensorSpec, ...]:
    """YOLOv4-tiny: three cross-stage partial blocks, and predictions at two scales."""
    x = _conv(g, x, 0, 32, 3, stride=2)
    x = _conv(g, x, 1, 64, 3, stride=2)
    middle = x
    for number, channels in ((2, 64), (10, 128), (18, 256)):
        middle, x = _partial_block(g, x, number, channels)
    x = _conv(g, _conv(g, x, 26, 512, 3), 27, 256)
    large = _predict(g, _conv(g, x, 28, 512, 3), 29, classes)
    x = resize_like(g, _conv(g, x, 32, 128), middle, name="33")
    x = _conv(g, g.concat((x, middle), name="34"), 35, 256, 3)
    return large, _predict(g, x, 36, classes)


@network("yolo_fastest_1_1", task="detection", resolution=320)
def yolo_fastest_1_1(g: GraphBuilder, x: TensorSpec, *, classes: Dim = 80) -> tuple[TensorSpec, ...]:
    """Yolo-Fastest 1.1: inverted residuals, a spatial pyramid pooling, and predictions at two scales."""
    x = _conv(g, x, 0, 8, 3, stride=2)
    number = 1
    features = []
    for expanded, channels, first_stride, repeats in _BOTTLENECKS:
        for repeat in range(repeats):
            x, number = _bottleneck(g, x, number, expanded, channels, 1 if repeat else first_stride)
            features.append(x)
    middle = features[_LAST_AT_16]
    pools = [g.max_pool(x, size, padding=size // 2, name=str(i)) for i, size in ((109, 3), (111, 5), (113, 9))]
    x = _conv(g, g.concat((*reversed(pools), x), name="114"), 115, 96)
    large = _predict(g, _separable_pair(g, x, 116), 120, classes)
    x = g.concat((resize_like(g, x, middle, name="123"), middle), name="124")
    return large, _predict(g, _separable_pair(g, x, 125), 129, classes)


def _conv(
    g: GraphBuilder, x: TensorSpec, number: int, channels: Dim, kernel: int = 1, *, stride: int = 1, leaky: bool = True
) -> TensorSpec:
    """Convolution, batch normalisation and, unless it is linear, a leaky ReLU."""
    return conv_bn(g, x, channels, kernel, stride=stride, act="leaky_relu", names=_names(number, leaky))


def _names(number: int, leaky: bool = True) -> str:
    return f"{number}.conv {number}.bn" + (f" {number}.leaky" if leaky else "")


def _predict(g: GraphBuilder, x: TensorSpec, number: int, classes: Dim) -> TensorSpec:
    """For each of 3 boxes: its place, its size, whether it holds an object, and the classes."""
    return g.conv(x, 3 * (5 + classes), bias=True, name=f"{number}.conv")


def _partial_block(g: GraphBuilder, x: TensorSpec, number: int, channels: int) -> tuple[TensorSpec, TensorSpec]:
    """Two 3x3 convolutions see the second half of the channels; returns their joint 1x1 and the pooled block."""
    x = _conv(g, x, number, channels, 3)
    half = channels // 2
    first = _conv(g, g.slice(x, half, channels, name=str(number + 1)), number + 2, half, 3)
    second = _conv(g, first, number + 3, half, 3)
    y = _conv(g, g.concat((second, first), name=str(number + 4)), number + 5, channels)
    x = g.concat((x, y), name=str(number + 6))
    return y, g.max_pool(x, 2, stride=2, ceil_mode=True, name=str(number + 7))


def _bottleneck(
    g: GraphBuilder, x: TensorSpec, number: int, expanded: int, channels: int, stride: int
) -> tuple[TensorSpec, int]:
    """An inverted residual of MobileNet V2 with leaky ReLUs; and the number of the layer behind it.

    Between the last convolution and the shortcut there is a dropout, which does nothing here but has a number.
    """
    y = _conv(g, x, number, expanded)
    y = depthwise_bn(g, y, stride=stride, act="leaky_relu", names=_names(number + 1))
    y = _conv(g, y, number + 2, channels, leaky=False)
    if stride == 1 and equal(channels_of(x), channels):
        return g.add(y, x, str(number + 4)), number + 5
    return y, number + 3


def _separable_pair(g: GraphBuilder, x: TensorSpec, number: int) -> TensorSpec:
    """Twice a 5x5 depthwise and a linear 1x1 convolution, all of the same width."""
    for layer in (number, number + 2):
        x = depthwise_bn(g, x, 5, act="leaky_relu", names=_names(layer))
        x = _conv(g, x, layer + 1, channels_of(x), leaky=False)
    return x

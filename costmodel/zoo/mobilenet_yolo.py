"""MobileNet-YOLO (eric612), YOLO V2 and V3 on MobileNets.

The Caffe networks, trained on Pascal VOC, that ncnn measures; layers are named as there. A network ends with the
raw predictions at 1/32 and at 1/16 of the input; their decoding and the suppression of overlaps
(YoloDetectionOutput) are left out.
"""

from __future__ import annotations

from itertools import count

from costmodel.builder import GraphBuilder
from costmodel.dims import Dim
from costmodel.graph import TensorSpec
from costmodel.zoo.layers import channels_of, conv_bn, depthwise_bn
from costmodel.zoo.mobilenet_v2 import STAGES
from costmodel.zoo.registry import network
from costmodel.zoo.ssd import conv_bn_relu, mobilenet_body, separable

_LAST_AT_16 = 13  # index of the block that leads from 1/16 to 1/32 of the input


@network("mobilenet_yolo", task="detection", resolution=416, smallest=32, multiple=32)
def mobilenet_yolo(g: GraphBuilder, x: TensorSpec, *, classes: Dim = 20) -> tuple[TensorSpec, ...]:
    """MobileNet V1 with predictions of YOLO V2 (5 boxes a place) at two scales."""
    conv11, x = mobilenet_body(g, x)
    x = separable(g, x, 1024, "conv16/dw", "conv17")
    up = g.conv_transpose(x, 512, 4, stride=2, padding=1, groups=512, name="upsample")
    y = separable(g, g.add(conv11, up, "conv_18/sum"), 1024, "conv19/dw", "conv20")
    numbers = 5 * (5 + classes)
    return (
        g.conv(x, numbers, bias=True, name="conv22_indoor"),
        g.conv(y, numbers, bias=True, name="conv23_indoor"),
    )


@network("mobilenetv2_yolov3", task="detection", resolution=352, smallest=32, multiple=32)
def mobilenetv2_yolov3(g: GraphBuilder, x: TensorSpec, *, classes: Dim = 20) -> tuple[TensorSpec, ...]:
    """MobileNet V2 with ReLU, and predictions of YOLO V3 (3 boxes a place) at two scales."""
    expanded, x = _mobilenet_v2_body(g, x)
    x = separable(g, x, 576, "yolo/conv1/dw", "yolo/conv1")
    up = g.conv_transpose(x, 576, 1, stride=2, groups=576, name="upsample")
    up = g.max_pool(up, 2, padding=1, name="maxpool")
    y = separable(g, expanded, 576, "yolo/conv2/dw", "yolo/conv2")
    y = separable(g, g.add(up, y, "yolo/conv2/sum"), 576, "yolo/conv3/dw", "yolo/conv3")
    numbers = 3 * (5 + classes)
    return (
        g.conv(x, numbers, bias=True, name="yolo/conv4"),
        g.conv(y, numbers, bias=True, name="yolo/conv5"),
    )


def _mobilenet_v2_body(g: GraphBuilder, x: TensorSpec) -> tuple[TensorSpec, TensorSpec]:
    """MobileNet V2 without its classifier: the last expansion at 1/16 of the input's size, and the output at 1/32."""
    layers = (f"conv{index}" for index in count(1))
    sums = (f"add{index}" for index in count(1))
    x = conv_bn_relu(g, x, 32, 3, 2, next(layers))
    expansions = []
    for expansion, channels, repeats, first_stride in STAGES:
        for repeat in range(repeats):
            stride = 1 if repeat else first_stride
            y = x if expansion == 1 else conv_bn_relu(g, x, expansion * channels_of(x), 1, 1, next(layers))
            expansions.append(y)
            depthwise, pointwise = next(layers), next(layers)
            y = depthwise_bn(g, y, stride=stride, names=f"{depthwise} {depthwise}/bn {depthwise}/relu")
            y = conv_bn(g, y, channels, names=f"{pointwise} {pointwise}/bn")
            x = g.add(x, y, next(sums)) if stride == 1 and channels_of(x) == channels else y
    return expansions[_LAST_AT_16], conv_bn_relu(g, x, 1280, 1, 1, next(layers))

"""SSD (Liu et al., ECCV 2016, arXiv 1512.02325) on MobileNet V1 and SqueezeNet 1.1.

The Caffe networks MobileNet-SSD and SqueezeNet-SSD by chuanqi305, trained on Pascal VOC, that ncnn measures;
layers are named as there. A network ends with the offsets and the class probabilities of all default boxes, all
in a row. The boxes themselves (PriorBox) and the suppression of overlaps (DetectionOutput) are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from costmodel.builder import GraphBuilder
from costmodel.dims import Dim
from costmodel.graph import TensorSpec
from costmodel.zoo.layers import conv_bn, depthwise_bn
from costmodel.zoo.mobilenet_v1 import BLOCKS
from costmodel.zoo.registry import network
from costmodel.zoo.squeezenet import fire

# A layer: (g, x, channels, kernel, stride, name) -> output.
Layer = Callable[[GraphBuilder, TensorSpec, int, int, int, str], TensorSpec]

# What a prediction is made from: the layer's name, its output, and the default boxes at each place.
Feature = tuple[str, TensorSpec, int]

# SqueezeNet 1.1 and two modules more: name; channels of the squeeze and of each expand convolution, None for a pooling.
_SQUEEZENET = (
    ("pool1", None),
    ("fire2", (16, 64)),
    ("fire3", (16, 64)),
    ("pool3", None),
    ("fire4", (32, 128)),
    ("fire5", (32, 128)),
    ("pool5", None),
    ("fire6", (48, 192)),
    ("fire7", (48, 192)),
    ("fire8", (64, 256)),
    ("fire9", (64, 256)),
    ("pool9", None),
    ("fire10", (96, 384)),
    ("pool10", None),
    ("fire11", (96, 384)),
)


def conv_bn_relu(g: GraphBuilder, x: TensorSpec, channels: int, kernel: int, stride: int, name: str) -> TensorSpec:
    """Convolution, batch normalisation and ReLU, named as in Caffe's networks."""
    return conv_bn(g, x, channels, kernel, stride=stride, names=f"{name} {name}/bn {name}/relu")


def conv_relu(g: GraphBuilder, x: TensorSpec, channels: int, kernel: int, stride: int, name: str) -> TensorSpec:
    """Convolution with a bias, and ReLU."""
    return g.relu(g.conv(x, channels, kernel, stride=stride, bias=True, name=name), f"{name}/relu")


def separable(
    g: GraphBuilder, x: TensorSpec, channels: int, depthwise: str, pointwise: str, *, stride: int = 1
) -> TensorSpec:
    """3x3 depthwise and 1x1 convolution, each with batch normalisation and ReLU, under the given names."""
    x = depthwise_bn(g, x, stride=stride, names=f"{depthwise} {depthwise}/bn {depthwise}/relu")
    return conv_bn_relu(g, x, channels, 1, 1, pointwise)


def mobilenet_body(g: GraphBuilder, x: TensorSpec) -> tuple[TensorSpec, TensorSpec]:
    """MobileNet V1 without its classifier: its last features at 1/16 (conv11) and at 1/32 (conv13) of the input."""
    x = conv_bn_relu(g, x, 32, 3, 2, "conv0")
    features = []
    for index, (channels, stride) in enumerate(BLOCKS, start=1):
        x = separable(g, x, channels, f"conv{index}/dw", f"conv{index}", stride=stride)
        features.append(x)
    return features[10], features[12]


@network("mobilenet_ssd", task="detection", resolution=300)
def mobilenet_ssd(g: GraphBuilder, x: TensorSpec, *, classes: Dim = 20) -> tuple[TensorSpec, ...]:
    """MobileNet V1 SSD of Caffe, for `classes` kinds of objects and the background."""
    conv11, conv13 = mobilenet_body(g, x)
    features: list[Feature] = [("conv11", conv11, 3), ("conv13", conv13, 6)]
    for index, widths in enumerate(((256, 512), (128, 256), (128, 256), (64, 128)), start=14):
        features.append(_smaller(g, features[-1], widths, conv_bn_relu, f"conv{index}", boxes=6))
    return _predictions(g, features, classes, kernel=1)


@network("squeezenet_ssd", task="detection", resolution=300, smallest=65)
def squeezenet_ssd(g: GraphBuilder, x: TensorSpec, *, classes: Dim = 20) -> tuple[TensorSpec, ...]:
    """SqueezeNet 1.1 SSD of Caffe, for `classes` kinds of objects and the background."""
    x = g.relu(g.conv(x, 64, 3, stride=2, padding=0, bias=True, name="conv1"), "conv1/relu")
    body: dict[str, TensorSpec] = {}
    for name, widths in _SQUEEZENET:
        if widths is None:
            x = g.max_pool(x, 3, stride=2, ceil_mode=True, name=name)
        else:
            with g.scope(name):
                x = fire(g, x, *widths)
        body[name] = x
    features: list[Feature] = [(name, body[name], 6) for name in ("fire9", "fire10", "fire11")]
    features.append(_smaller(g, features[-1], (128, 256), conv_relu, "conv12", boxes=6))
    features.append(_smaller(g, features[-1], (64, 128), conv_relu, "conv13", boxes=4))
    fire5 = g.batch_norm(body["fire5"], "fire5/bn")
    return _predictions(g, [("fire5", fire5, 4), *features], classes, kernel=3)


def _smaller(
    g: GraphBuilder, last: Feature, widths: tuple[int, int], layer: Layer, name: str, *, boxes: int
) -> Feature:
    """A feature of half the size: 1x1 convolution, and 3x3 of stride 2."""
    x = layer(g, last[1], widths[0], 1, 1, f"{name}_1")
    return f"{name}_2", layer(g, x, widths[1], 3, 2, f"{name}_2"), boxes


def _predictions(
    g: GraphBuilder, features: Sequence[Feature], classes: Dim, *, kernel: int
) -> tuple[TensorSpec, TensorSpec]:
    """Figure 2: a convolution for the offsets and one for the classes of each feature; (N, boxes x numbers) of each."""
    kinds = classes + 1
    offsets: list[TensorSpec] = []
    scores: list[TensorSpec] = []
    for name, x, boxes in features:
        for parts, what, channels in ((offsets, "loc", 4 * boxes), (scores, "conf", kinds * boxes)):
            layer = f"{name}_mbox_{what}"
            y = g.conv(x, channels, kernel, bias=True, name=layer)
            parts.append(g.flatten(g.transpose(y, (0, 2, 3, 1), f"{layer}_perm"), name=f"{layer}_flat"))
    loc, conf = g.concat(offsets, name="mbox_loc"), g.concat(scores, name="mbox_conf")
    conf = g.softmax(g.reshape(conf, (0, -1, kinds), "mbox_conf_reshape"), name="mbox_conf_softmax")
    return loc, g.flatten(conf, name="mbox_conf_flatten")

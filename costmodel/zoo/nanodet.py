"""NanoDet-m (RangiLyu/nanodet), one-stage detection without anchors on a ShuffleNet V2.

Layers are named as in its configuration nanodet-m, those of the body as in our ShuffleNet V2; all activations
are leaky ReLUs. The decoding of the boxes and the suppression of overlaps are left out.
"""

from __future__ import annotations

from costmodel.builder import GraphBuilder
from costmodel.dims import Dim, exact_div
from costmodel.graph import TensorSpec
from costmodel.zoo.layers import channels_of, conv_bn, depthwise_bn, resize_like
from costmodel.zoo.registry import network
from costmodel.zoo.shufflenet_v2 import Variant, branch, down_unit, stem

_LEAKY = Variant(act="leaky_relu")
_STAGES = ((116, 4), (232, 8), (464, 4))  # Table 5, 1x: output channels and units of stages 2 to 4
_WIDTH = 96
_DISTANCES = 4 * (7 + 1)  # to each side of the box, a distribution over 0 to 7 strides


@network("nanodet_m", task="detection", resolution=320)
def nanodet_m(g: GraphBuilder, x: TensorSpec, *, classes: Dim = 80) -> tuple[TensorSpec, ...]:
    """NanoDet-m: ShuffleNet V2 1x, a path aggregation without convolutions, and a head at 1/8, 1/16 and 1/32.

    The outputs are the probabilities of the classes at each scale, of shape (N, places, classes), and then what
    the boxes are made from, of shape (N, places, 32).
    """
    levels = _aggregated(g, _body(g, x))
    predictions = [_head(g, level, index, classes) for index, level in enumerate(levels)]
    scores, boxes = zip(*predictions, strict=True)
    return (*scores, *boxes)


def _body(g: GraphBuilder, x: TensorSpec) -> list[TensorSpec]:
    """The outputs of stages 2 to 4, at 1/8 to 1/32 of the input."""
    features = []
    with g.scope("backbone"):
        x = stem(g, x, 24, act=_LEAKY.act)
        for index, (channels, units) in enumerate(_STAGES, start=2):
            for unit in range(units):
                with g.scope(f"stage{index}.{unit}"):
                    x = _basic_unit(g, x) if unit else down_unit(g, x, channels, variant=_LEAKY)
            features.append(x)
    return features


def _basic_unit(g: GraphBuilder, x: TensorSpec) -> TensorSpec:
    """Figure 3c, its halves taken by two slices; so they are in the network that ncnn measures."""
    channels = channels_of(x)
    half = exact_div(channels, 2, "channels of a basic unit in halves")
    left, right = g.slice(x, 0, half), g.slice(x, half, channels)
    return g.channel_shuffle(g.concat((left, branch(g, right, half, 1, _LEAKY))), 2)


def _aggregated(g: GraphBuilder, features: list[TensorSpec]) -> list[TensorSpec]:
    """Each feature 96 wide, with all coarser ones added on the way down and all finer ones on the way up."""
    with g.scope("fpn"):
        levels = [g.conv(x, _WIDTH, bias=True, name=f"lateral_convs.{index}.conv") for index, x in enumerate(features)]
        steps = [(2, 1), (1, 0), (0, 1), (1, 2)]
        for source, target in steps:
            resized = resize_like(g, levels[source], levels[target], mode="linear", name="resize")
            levels[target] = g.add(levels[target], resized)
    return levels


def _head(g: GraphBuilder, x: TensorSpec, level: int, classes: Dim) -> tuple[TensorSpec, TensorSpec]:
    """Twice a 3x3 depthwise and a 1x1 convolution, and one convolution for classes and boxes."""
    with g.scope("head"):
        for layer in (0, 1):
            with g.scope(f"cls_convs.{level}.{layer}"):
                x = depthwise_bn(g, x, act=_LEAKY.act, names="depthwise dwnorm act")
                x = conv_bn(g, x, _WIDTH, act=_LEAKY.act, names="pointwise pwnorm act")
        x = g.conv(x, classes + _DISTANCES, bias=True, name=f"gfl_cls.{level}")
        scores, boxes = g.split(x, (classes, _DISTANCES))
        scores = g.reshape(g.sigmoid(scores), (0, classes, -1))
        boxes = g.reshape(boxes, (0, _DISTANCES, -1))
        return g.transpose(scores, (0, 2, 1)), g.transpose(boxes, (0, 2, 1))

"""FastestDet and Yolo-FastestV2 (dog-qiuqiu), detectors on a ShuffleNet V2.

Layers are named as in the two repositories, branches of units as in our ShuffleNet V2. The suppression of
overlaps is left out.
"""

from __future__ import annotations

from collections.abc import Sequence

from costmodel.builder import GraphBuilder
from costmodel.dims import Dim, exact_div
from costmodel.graph import TensorSpec
from costmodel.zoo.layers import channels_of, conv_bn, depthwise_bn, resize_like
from costmodel.zoo.registry import network
from costmodel.zoo.shufflenet_v2 import Variant, branch

# A convolution that several scales share: its name, weight and bias.
Head = tuple[str, TensorSpec, TensorSpec]

_STAGES = ((48, 4), (96, 8), (192, 4))  # output channels and units of stages 2 to 4


@network("fastestdet", task="detection", resolution=352)
def fastestdet(g: GraphBuilder, x: TensorSpec, *, classes: Dim = 80) -> TensorSpec:
    """FastestDet: features of three stages joined at 1/16 of the input, and one prediction a place.

    The output has an object's probability, its box, and the probabilities of its classes.
    """
    stage2, stage3, stage4 = _body(g, x)
    stage2 = g.avg_pool(stage2, 3, stride=2, padding=1, name="avg_pool")
    x = g.concat((stage2, stage3, resize_like(g, stage4, stage3)))
    with g.scope("SPP"):
        x = _pyramid(g, x, channels_of(stage3))
    with g.scope("detect_head"):
        with g.scope("conv1x1"):
            x = conv_bn(g, x, channels_of(x))
        found = g.sigmoid(_prediction(g, x, 1, "obj_layers"))
        box = _prediction(g, x, 4, "reg_layers")
        kind = g.softmax(_prediction(g, x, classes, "cls_layers"), axis=1)
        return g.concat((found, box, kind))


@network("yolo_fastestv2", task="detection", resolution=352)
def yolo_fastestv2(g: GraphBuilder, x: TensorSpec, *, classes: Dim = 80) -> tuple[TensorSpec, ...]:
    """Yolo-FastestV2: predictions of 3 boxes a place at 1/16 and at 1/32 of the input, of shape (N, H, W, numbers).

    The convolutions that predict have the same weights at both scales. For each place there are 3 boxes, whether
    each holds an object, and the probabilities of the classes.
    """
    _, stage3, stage4 = _body(g, x)
    with g.scope("fpn"):
        large = _branches(g, stage4, 3)
        joined = g.concat((resize_like(g, stage4, stage3), stage3))
        small = _branches(g, joined, 2)
    heads = tuple(
        (name, g.weight(f"{name}.weight", (channels, 72, 1, 1)), g.weight(f"{name}.bias", (channels,)))
        for name, channels in (("output_reg_layers", 12), ("output_obj_layers", 3), ("output_cls_layers", classes))
    )
    return _shared_prediction(g, small, heads), _shared_prediction(g, large, heads)


def _body(g: GraphBuilder, x: TensorSpec) -> list[TensorSpec]:
    """The outputs of stages 2 to 4, at 1/8 to 1/32 of the input.

    As the ShuffleNet V2 of Table 5, except that a unit of stride 1 shuffles its input instead of its output.
    """
    features = []
    with g.scope("backbone"):
        with g.scope("first_conv"):
            x = conv_bn(g, x, 24, 3, stride=2)
        x = g.max_pool(x, 3, stride=2, padding=1, name="maxpool")
        for index, (channels, units) in enumerate(_STAGES, start=2):
            for unit in range(units):
                with g.scope(f"stage{index}.{unit}"):
                    x = _basic_unit(g, x) if unit else _down_unit(g, x, channels)
            features.append(x)
    return features


def _down_unit(g: GraphBuilder, x: TensorSpec, channels: int) -> TensorSpec:
    """Both branches read the whole input and make half of `channels` each."""
    half = channels // 2
    with g.scope("branch1"):
        left = conv_bn(g, depthwise_bn(g, x, stride=2, names="0 1"), half, names="2 3 4")
    return g.concat((left, branch(g, x, half, 2, Variant())))


def _basic_unit(g: GraphBuilder, x: TensorSpec) -> TensorSpec:
    """Every second channel passes through, the others go through the branch."""
    half = exact_div(channels_of(x), 2, "channels of a basic unit in halves")
    left, right = g.split(g.channel_shuffle(x, 2), (half, half))
    return g.concat((left, branch(g, right, half, 1, Variant())))


def _pyramid(g: GraphBuilder, x: TensorSpec, channels: Dim) -> TensorSpec:
    """One, two and three 5x5 depthwise convolutions side by side, and a shortcut."""
    with g.scope("Conv1x1"):
        x = conv_bn(g, x, channels)
    parts = []
    for depth in (1, 2, 3):
        y = x
        with g.scope(f"S{depth}"):
            for layer in range(depth):
                y = depthwise_bn(g, y, 5, names=f"{3 * layer} {3 * layer + 1} {3 * layer + 2}")
        parts.append(y)
    y = conv_bn(g, g.concat(parts), channels, names="output.0 output.1")
    return g.relu(g.add(x, y))


def _prediction(g: GraphBuilder, x: TensorSpec, channels: Dim, name: str) -> TensorSpec:
    """5x5 depthwise and linear 1x1 convolution, with batch normalisation even at the very end."""
    with g.scope(name):
        x = depthwise_bn(g, x, 5, names="0 1 2")
        return conv_bn(g, x, channels, names="3 4")


def _branches(g: GraphBuilder, x: TensorSpec, level: int) -> tuple[TensorSpec, TensorSpec]:
    """From one 1x1 convolution the features for boxes and those for objects and classes, 72 wide."""
    with g.scope(f"conv1x1_{level}"):
        x = conv_bn(g, x, 72)
    boxes, kinds = (_double_separable(g, x, f"{what}_head_{level}") for what in ("reg", "cls"))
    return boxes, kinds


def _double_separable(g: GraphBuilder, x: TensorSpec, name: str) -> TensorSpec:
    """Twice a 5x5 depthwise and a linear 1x1 convolution."""
    with g.scope(name):
        for layer in (0, 5):
            x = depthwise_bn(g, x, 5, names=f"{layer} {layer + 1} {layer + 2}")
            x = conv_bn(g, x, channels_of(x), names=f"{layer + 3} {layer + 4}")
    return x


def _shared_prediction(g: GraphBuilder, branches: tuple[TensorSpec, TensorSpec], heads: Sequence[Head]) -> TensorSpec:
    """Boxes, objects and classes, the last two from the same branch, by 1x1 convolutions with the given weights."""
    inputs = (branches[0], branches[1], branches[1])
    box, found, kind = (
        g.node("Conv", (x, weight, bias), {"kernel_shape": (1, 1), "strides": (1, 1), "group": 1}, name=name)[0]
        for x, (name, weight, bias) in zip(inputs, heads, strict=True)
    )
    kind = g.transpose(g.softmax(g.transpose(kind, (0, 2, 3, 1))), (0, 3, 1, 2))
    return g.transpose(g.concat((g.sigmoid(box), g.sigmoid(found), kind)), (0, 2, 3, 1))

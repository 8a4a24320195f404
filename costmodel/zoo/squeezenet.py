"""SqueezeNet (Iandola et al., 2016, arXiv 1602.07360).

Layers are named as in torchvision's squeezenet1_1.
"""

from __future__ import annotations

from costmodel.builder import GraphBuilder
from costmodel.dims import Dim
from costmodel.graph import TensorSpec
from costmodel.zoo.registry import network

_Plan = tuple[tuple[int, tuple[int, int] | None], ...]

# Index in torchvision's `features`; channels of the squeeze and of each expand convolution, or None for a max pooling.
_FEATURES_1_0 = (
    (2, None),
    (3, (16, 64)),
    (4, (16, 64)),
    (5, (32, 128)),
    (6, None),
    (7, (32, 128)),
    (8, (48, 192)),
    (9, (48, 192)),
    (10, (64, 256)),
    (11, None),
    (12, (64, 256)),
)
_FEATURES_1_1 = (
    (2, None),
    (3, (16, 64)),
    (4, (16, 64)),
    (5, None),
    (6, (32, 128)),
    (7, (32, 128)),
    (8, None),
    (9, (48, 192)),
    (10, (48, 192)),
    (11, (64, 256)),
    (12, (64, 256)),
)


def fire(g: GraphBuilder, x: TensorSpec, squeeze: int, expand: int) -> TensorSpec:
    """Figure 1: a 1x1 convolution feeds 1x1 and 3x3 convolutions, whose outputs are joined."""
    x = g.relu(g.conv(x, squeeze, bias=True, name="squeeze"), "squeeze_activation")
    one = g.relu(g.conv(x, expand, 1, bias=True, name="expand1x1"), "expand1x1_activation")
    three = g.relu(g.conv(x, expand, 3, bias=True, name="expand3x3"), "expand3x3_activation")
    return g.concat((one, three))


def _features(g: GraphBuilder, x: TensorSpec, plan: _Plan, ceil_mode: bool) -> TensorSpec:
    for index, widths in plan:
        if widths is None:
            x = g.max_pool(x, 3, stride=2, ceil_mode=ceil_mode, name=str(index))
        else:
            with g.scope(str(index)):
                x = fire(g, x, *widths)
    return x


def _head(g: GraphBuilder, x: TensorSpec, classes: Dim, padding: int = 0) -> TensorSpec:
    with g.scope("classifier"):
        x = g.relu(g.conv(x, classes, padding=padding, bias=True, name="1"), "2")
        return g.flatten(g.global_avg_pool(x, "3"))


@network("squeezenet1_0", smallest=21)
def squeezenet1_0(g: GraphBuilder, x: TensorSpec, *, classes: Dim = 1000, ceil_mode: bool = True) -> TensorSpec:
    """SqueezeNet 1.0 (Table 1), with biases and without batch normalisation.

    ceil_mode: poolings round their sizes up, as in Caffe and torchvision; PaddleClas rounds down.
    """
    with g.scope("features"):
        x = g.relu(g.conv(x, 96, 7, stride=2, padding=0, bias=True, name="0"), "1")
        x = _features(g, x, _FEATURES_1_0, ceil_mode)
    return _head(g, x, classes)


@network("squeezenet1_1", smallest=17)
def squeezenet1_1(
    g: GraphBuilder, x: TensorSpec, *, classes: Dim = 1000, stem_padding: int = 0, head_padding: int = 0
) -> TensorSpec:
    """SqueezeNet 1.1, with biases and without batch normalisation.

    stem_padding: of the first convolution; it is 1 in PaddleClas, whose poolings round down. head_padding: of
    the last 1x1 convolution; it is 1 in the network that ncnn measures (at 227x227).
    """
    with g.scope("features"):
        x = g.relu(g.conv(x, 64, 3, stride=2, padding=stem_padding, bias=True, name="0"), "1")
        x = _features(g, x, _FEATURES_1_1, ceil_mode=not stem_padding)
    return _head(g, x, classes, head_padding)

"""PeleeNet (Wang et al., NeurIPS 2018, arXiv 1804.06882).

Layers are named as in Robert-JunWang/PeleeNet.
"""

from __future__ import annotations

from costmodel.builder import GraphBuilder
from costmodel.dims import Dim
from costmodel.graph import TensorSpec
from costmodel.zoo.layers import channels_of, classifier, conv_bn, whole_channels
from costmodel.zoo.registry import network

_GROWTH = 32
_STEM = 32
_STAGES = ((3, 1), (4, 2), (8, 4), (6, 4))  # Table 1: dense layers and bottleneck width of each stage


def _conv(g: GraphBuilder, x: TensorSpec, channels: Dim, name: str, kernel: int = 1, stride: int = 1) -> TensorSpec:
    with g.scope(name):
        return conv_bn(g, x, channels, kernel, stride=stride, names="conv norm relu")


def stem(g: GraphBuilder, x: TensorSpec) -> TensorSpec:
    """Figure 3: the second halving is a max pooling beside a convolution."""
    x = _conv(g, x, _STEM, "stem1", 3, 2)
    y = _conv(g, _conv(g, x, _STEM // 2, "stem2a"), _STEM, "stem2b", 3, 2)
    # rounds up like the convolution beside it
    return _conv(g, g.concat((g.max_pool(x, 2, stride=2, ceil_mode=True, name="pool"), y)), _STEM, "stem3")


def dense_layer(g: GraphBuilder, x: TensorSpec, width: int) -> TensorSpec:
    """Figure 1b: two branches, one of them with two 3x3 convolutions, join the input."""
    half = _GROWTH // 2
    channels = whole_channels(x)
    inner = half * width if half * width <= channels // 2 else channels // 8 * 4
    one = _conv(g, _conv(g, x, inner, "branch1a"), half, "branch1b", 3)
    two = _conv(g, _conv(g, x, inner, "branch2a"), half, "branch2b", 3)
    return g.concat((x, one, _conv(g, two, half, "branch2c", 3)))


@network("peleenet", smallest=29)
def peleenet(g: GraphBuilder, x: TensorSpec, *, classes: Dim = 1000) -> TensorSpec:
    """PeleeNet: DenseNet's layers in two branches, without a compression between the stages (Table 1)."""
    with g.scope("features"):
        with g.scope("stemblock"):
            x = stem(g, x)
        for stage, (layers, width) in enumerate(_STAGES, start=1):
            for layer in range(1, layers + 1):
                with g.scope(f"denseblock{stage}.denselayer{layer}"):
                    x = dense_layer(g, x, width)
            x = _conv(g, x, channels_of(x), f"transition{stage}")
            if stage < len(_STAGES):
                x = g.avg_pool(x, 2, stride=2, name=f"transition{stage}_pool")
    return classifier(g, x, classes, name="classifier")

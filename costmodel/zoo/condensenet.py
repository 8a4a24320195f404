"""CondenseNet (Huang et al., CVPR 2018, arXiv 1711.09224).

As it runs: its learned groups are grouped convolutions. Layers are named as in the authors' code
(ShichenLiu/CondenseNet, condensenet_converted).
"""

from __future__ import annotations

from costmodel.builder import GraphBuilder
from costmodel.dims import Dim
from costmodel.errors import UsageError
from costmodel.graph import TensorSpec
from costmodel.zoo.layers import bn_relu_conv, channels_of
from costmodel.zoo.registry import network

# For ImageNet: layers of each block, and the channels that each of them adds.
_BLOCKS = ((4, 8), (6, 16), (8, 32), (10, 64), (8, 128))
_BOTTLENECK = 4  # channels of a layer's 1x1 convolution, in growth rates
_CHOICES = (1, 2, 4, 8)  # what divides the narrowest convolution, of 8 channels


def _conv(g: GraphBuilder, x: TensorSpec, channels: int, kernel: int, groups: int, name: str) -> TensorSpec:
    """Batch normalisation, ReLU and a grouped convolution."""
    with g.scope(name):
        return bn_relu_conv(g, x, channels, kernel, groups=groups)


def dense_layer(g: GraphBuilder, x: TensorSpec, growth: int, groups: int) -> TensorSpec:
    """Figure 1, right: index, grouped 1x1 convolution, shuffle, grouped 3x3 convolution; channels are appended."""
    y = g.gather(x, channels_of(x), name="index")
    y = _conv(g, y, _BOTTLENECK * growth, 1, groups, "conv_1")
    if groups > 1:
        y = g.channel_shuffle(y, groups)
    return g.concat((x, _conv(g, y, growth, 3, groups, "conv_2")))


@network("condensenet", smallest=31)
def condensenet(g: GraphBuilder, x: TensorSpec, *, classes: Dim = 1000, groups: int = 4) -> TensorSpec:
    """CondenseNet-74 with G = C = groups: 1, 2, 4 or 8.

    The dense layer at the end reads the half of the channels that training kept.
    """
    if groups not in _CHOICES:
        raise UsageError(f"groups is {groups}; it takes one of {', '.join(map(str, _CHOICES))}")
    with g.scope("features"):
        x = g.conv(x, 2 * _BLOCKS[0][1], 3, stride=2, name="init_conv")
        for block, (layers, growth) in enumerate(_BLOCKS, start=1):
            for layer in range(1, layers + 1):
                with g.scope(f"denseblock_{block}"), g.scope(f"denselayer_{layer}"):
                    x = dense_layer(g, x, growth, groups)
            if block < len(_BLOCKS):
                x = g.avg_pool(x, 2, stride=2, name=f"transition_{block}.pool")
        x = g.relu(g.batch_norm(x, "norm_last"), "relu_last")
        channels = channels_of(x)
        x = g.flatten(g.global_avg_pool(x, "pool_last"))
    with g.scope("classifier"):
        return g.linear(g.gather(x, channels // 2, name="index"), classes, name="linear")

"""AlexNet (Krizhevsky et al., NIPS 2012; and arXiv 1404.5997).

Layers are named as in torchvision.
"""

from __future__ import annotations

from costmodel.builder import GraphBuilder
from costmodel.dims import Dim
from costmodel.errors import UsageError
from costmodel.graph import TensorSpec
from costmodel.zoo.registry import network

# By groups: channels of the five convolutions, and the first one's padding.
_WIDTHS = {1: ((64, 192, 384, 256, 256), 2), 2: ((96, 256, 384, 384, 256), 0)}


@network("alexnet", smallest=63)
def alexnet(g: GraphBuilder, x: TensorSpec, *, classes: Dim = 1000, groups: int = 1) -> TensorSpec:
    """AlexNet: groups=1 is torchvision's (arXiv 1404.5997), groups=2 the paper's of 2012.

    groups=2 has the paper's widths, its second, fourth and fifth convolution in two groups, local
    response normalisation, and no padding in the first convolution; so it is in Caffe and in ncnn's
    benchmark, at resolution 227. The dense layers take whatever size the resolution leaves (6x6 at these).
    """
    if groups not in _WIDTHS:
        raise UsageError(f"groups is {groups}; there is an AlexNet with 1 and one with 2")
    (first, second, third, fourth, fifth), padding = _WIDTHS[groups]
    with g.scope("features"):
        x = g.relu(g.conv(x, first, 11, stride=4, padding=padding, bias=True, name="0"), "1")
        if groups == 2:
            x = g.local_response_norm(x, name="norm1")
        x = g.max_pool(x, 3, stride=2, name="2")
        x = g.relu(g.conv(x, second, 5, groups=groups, bias=True, name="3"), "4")
        if groups == 2:
            x = g.local_response_norm(x, name="norm2")
        x = g.max_pool(x, 3, stride=2, name="5")
        x = g.relu(g.conv(x, third, 3, bias=True, name="6"), "7")
        x = g.relu(g.conv(x, fourth, 3, groups=groups, bias=True, name="8"), "9")
        x = g.relu(g.conv(x, fifth, 3, groups=groups, bias=True, name="10"), "11")
        x = g.flatten(g.max_pool(x, 3, stride=2, name="12"))
    with g.scope("classifier"):
        x = g.relu(g.linear(x, 4096, name="1"), "2")
        x = g.relu(g.linear(x, 4096, name="4"), "5")
        return g.linear(x, classes, name="6")

"""VGG (Simonyan and Zisserman, ICLR 2015, arXiv 1409.1556).

Layers are named as in torchvision.
"""

from __future__ import annotations

from costmodel.builder import GraphBuilder
from costmodel.dims import Dim
from costmodel.graph import TensorSpec
from costmodel.zoo.registry import network

_WIDTHS = (64, 128, 256, 512, 512)


def _vgg(g: GraphBuilder, x: TensorSpec, classes: Dim, counts: tuple[int, ...], batch_norm: bool) -> TensorSpec:
    """Table 1: stages of 3x3 convolutions, `counts` of them, each with a max pooling; three dense layers.

    The first dense layer takes whatever size the resolution leaves.
    """
    index = 0
    with g.scope("features"):
        for channels, count in zip(_WIDTHS, counts, strict=True):
            for _ in range(count):
                x = g.conv(x, channels, 3, bias=True, name=str(index))
                if batch_norm:
                    index += 1
                    x = g.batch_norm(x, str(index))
                x = g.relu(x, str(index + 1))
                index += 2
            x = g.max_pool(x, 2, stride=2, name=str(index))
            index += 1
    x = g.flatten(x)
    with g.scope("classifier"):
        x = g.relu(g.linear(x, 4096, name="0"), "1")
        x = g.relu(g.linear(x, 4096, name="3"), "4")
        return g.linear(x, classes, name="6")


@network("vgg11", smallest=32)
def vgg11(g: GraphBuilder, x: TensorSpec, *, classes: Dim = 1000, batch_norm: bool = False) -> TensorSpec:
    """VGG-11 (column A of Table 1); batch_norm: with batch normalisation, as in torchvision."""
    return _vgg(g, x, classes, (1, 1, 2, 2, 2), batch_norm)


@network("vgg13", smallest=32)
def vgg13(g: GraphBuilder, x: TensorSpec, *, classes: Dim = 1000, batch_norm: bool = False) -> TensorSpec:
    """VGG-13 (column B of Table 1); batch_norm: with batch normalisation, as in torchvision."""
    return _vgg(g, x, classes, (2, 2, 2, 2, 2), batch_norm)


@network("vgg16", smallest=32)
def vgg16(g: GraphBuilder, x: TensorSpec, *, classes: Dim = 1000, batch_norm: bool = False) -> TensorSpec:
    """VGG-16 (column D of Table 1); batch_norm: with batch normalisation, as in torchvision."""
    return _vgg(g, x, classes, (2, 2, 3, 3, 3), batch_norm)


@network("vgg19", smallest=32)
def vgg19(g: GraphBuilder, x: TensorSpec, *, classes: Dim = 1000, batch_norm: bool = False) -> TensorSpec:
    """VGG-19 (column E of Table 1); batch_norm: with batch normalisation, as in torchvision."""
    return _vgg(g, x, classes, (2, 2, 4, 4, 4), batch_norm)

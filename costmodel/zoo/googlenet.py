"""GoogLeNet (Szegedy et al., CVPR 2015, arXiv 1409.4842).

Layers are named as in torchvision.
"""

from __future__ import annotations

from costmodel.builder import GraphBuilder
from costmodel.dims import Dim
from costmodel.graph import TensorSpec
from costmodel.zoo.layers import classifier, conv_bn
from costmodel.zoo.registry import network

# Table 1, by stage: channels of the 1x1; the 3x3's reduction and the 3x3; the 5x5's reduction and the 5x5;
# the pool's projection.
_STAGES = (
    ("3", ((64, 96, 128, 16, 32, 32), (128, 128, 192, 32, 96, 64))),
    (
        "4",
        (
            (192, 96, 208, 16, 48, 64),
            (160, 112, 224, 24, 64, 64),
            (128, 128, 256, 24, 64, 64),
            (112, 144, 288, 32, 64, 64),
            (256, 160, 320, 32, 128, 128),
        ),
    ),
    ("5", ((256, 160, 320, 32, 128, 128), (384, 192, 384, 48, 128, 128))),
)


def _conv(
    g: GraphBuilder, x: TensorSpec, channels: int, kernel: int, name: str, original: bool, stride: int = 1
) -> TensorSpec:
    with g.scope(name):
        if original:
            return g.relu(g.conv(x, channels, kernel, stride=stride, bias=True))
        return conv_bn(g, x, channels, kernel, stride=stride, names="conv bn relu")


def inception(g: GraphBuilder, x: TensorSpec, widths: tuple[int, ...], original: bool) -> TensorSpec:
    """Figure 2b: 1x1, 3x3, 5x5 and pooling branches side by side; widths as in Table 1."""
    one, three_reduced, three, five_reduced, five, projected = widths
    a = _conv(g, x, one, 1, "branch1", original)
    b = _conv(g, x, three_reduced, 1, "branch2.0", original)
    b = _conv(g, b, three, 3, "branch2.1", original)
    c = _conv(g, x, five_reduced, 1, "branch3.0", original)
    c = _conv(g, c, five, 5 if original else 3, "branch3.1", original)
    d = g.max_pool(x, 3, padding=1, ceil_mode=True, name="branch4.0")
    d = _conv(g, d, projected, 1, "branch4.1", original)
    return g.concat((a, b, c, d))


@network("googlenet", smallest=15)
def googlenet(g: GraphBuilder, x: TensorSpec, *, classes: Dim = 1000, original: bool = False) -> TensorSpec:
    """GoogLeNet without the auxiliary classifiers, as in torchvision: batch normalisation, and 3x3 for 5x5.

    original: the paper's, as in Caffe and in ncnn's benchmark: 5x5 convolutions, biases, two local
    response normalisations, and a 3x3 window where torchvision's last pooling has 2x2.
    """
    x = _conv(g, x, 64, 7, "conv1", original, stride=2)
    x = g.max_pool(x, 3, stride=2, ceil_mode=True, name="maxpool1")
    if original:
        x = g.local_response_norm(x, name="norm1")
    x = _conv(g, x, 64, 1, "conv2", original)
    x = _conv(g, x, 192, 3, "conv3", original)
    if original:
        x = g.local_response_norm(x, name="norm2")
    for stage, blocks in _STAGES:
        window = 2 if stage == "5" and not original else 3
        x = g.max_pool(x, window, stride=2, ceil_mode=True, name=f"maxpool{int(stage) - 1}")
        for letter, widths in zip("abcde", blocks, strict=False):
            with g.scope(f"inception{stage}{letter}"):
                x = inception(g, x, widths, original)
    return classifier(g, x, classes)

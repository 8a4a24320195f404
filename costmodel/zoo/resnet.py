"""ResNet (He et al., CVPR 2016, arXiv 1512.03385), ResNeXt, SE-ResNet and their variants.

ResNeXt: Xie et al., CVPR 2017, arXiv 1611.05431. SE-ResNet, SENet-154: Hu et al., CVPR 2018, arXiv 1709.01507.
ResNet-vc and -vd (ResNet-C and -D): He et al., "Bag of Tricks", CVPR 2019, arXiv 1812.01187, Figure 2.
ResNeXt-WSL: Mahajan et al., ECCV 2018, arXiv 1805.00932.
Layers are named as in torchvision's resnet50 and timm's resnet50d.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from costmodel.builder import GraphBuilder
from costmodel.dims import Dim, equal, exact_div
from costmodel.graph import TensorSpec
from costmodel.zoo.layers import channels_of, classifier, conv_bn, squeeze_excite
from costmodel.zoo.registry import network


@dataclass(frozen=True, slots=True)
class Style:
    """How a network departs from ResNet.

    stem: channels of the 3x3 convolutions in the place of the 7x7 one, if any (Bag of Tricks, Figure 2b).
    pool_shortcut: a shortcut halves its size by 2x2 average pooling, not by the stride of its convolution (Figure 2c).
    groups, group_width: of the 3x3 convolution of a bottleneck, the latter in the first stage (ResNeXt, Table 1).
    se: a squeeze-excite by 16 ends the residual branch (SENet, Figure 3).
    stride_in_1x1: a bottleneck's stride is in its first convolution (the paper's v1), not in its second (v1.5).
    project_first: the first shortcut is a convolution even where an identity would fit.
    """

    stem: tuple[int, ...] = ()
    pool_shortcut: bool = False
    groups: int = 1
    group_width: int = 64
    se: bool = False
    stride_in_1x1: bool = False
    project_first: bool = False


# A block: (g, x, inner channels, stride, style, whether a convolution replaces the identity) -> output.
Block = Callable[[GraphBuilder, TensorSpec, int, int, Style, bool], TensorSpec]

PLAIN = Style()
VC = Style(stem=(32, 32, 64))
VD = replace(VC, pool_shortcut=True)

# ResNet paper, Table 1: blocks in each stage; 200 has those of the pre-activation ResNet-200 (arXiv 1603.05027).
UNITS = {
    18: (2, 2, 2, 2),
    34: (3, 4, 6, 3),
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
    152: (3, 8, 36, 3),
    200: (3, 12, 48, 3),
}


def basic_block(
    g: GraphBuilder, x: TensorSpec, channels: int, stride: int, style: Style = PLAIN, project: bool = False
) -> TensorSpec:
    """Figure 5, left: two 3x3 convolutions and the shortcut."""
    y = conv_bn(g, x, channels, 3, stride=stride, names="conv1 bn1 relu1")
    y = conv_bn(g, y, channels, 3, names="conv2 bn2")
    return add_shortcut(g, x, y, stride, style, project)


def bottleneck(
    g: GraphBuilder, x: TensorSpec, channels: int, stride: int, style: Style = PLAIN, project: bool = False
) -> TensorSpec:
    """Figure 5, right: 1x1, 3x3 and 1x1 convolution to four times `channels`, and the shortcut."""
    first, second = (stride, 1) if style.stride_in_1x1 else (1, stride)
    inner = channels * style.group_width // 64 * style.groups
    y = conv_bn(g, x, inner, stride=first, names="conv1 bn1 relu1")
    y = conv_bn(g, y, inner, 3, stride=second, groups=style.groups, names="conv2 bn2 relu2")
    y = conv_bn(g, y, 4 * channels, names="conv3 bn3")
    return add_shortcut(g, x, y, stride, style, project)


def add_shortcut(
    g: GraphBuilder, x: TensorSpec, y: TensorSpec, stride: int, style: Style = PLAIN, project: bool = False
) -> TensorSpec:
    """The end of a block: the residual branch y added to its input x, which is brought to y's shape."""
    channels = channels_of(y)
    if style.se:
        y = squeeze_excite(g, y, exact_div(channels, 16, "channels of the squeeze-excite"))
    if project or stride != 1 or not equal(channels_of(x), channels):
        with g.scope("downsample"):
            if style.pool_shortcut and stride != 1:
                # rounds up like the padded convolution of the other branch
                x, stride = g.avg_pool(x, stride, stride=stride, ceil_mode=True, name="0"), 1
            x = conv_bn(g, x, channels, stride=stride, names="1 2" if style.pool_shortcut else "0 1")
    return g.relu(g.add(y, x))


def stem(g: GraphBuilder, x: TensorSpec, widths: tuple[int, ...] = ()) -> TensorSpec:
    """A 7x7 convolution, or 3x3 ones of the given widths, the first of stride 2; and max pooling of stride 2."""
    if widths:
        for index, width in enumerate(widths):
            names = f"conv1.{3 * index} conv1.{3 * index + 1} conv1.{3 * index + 2}"
            if index == len(widths) - 1:
                names = f"conv1.{3 * index} bn1 relu"
            x = conv_bn(g, x, width, 3, stride=1 if index else 2, names=names)
    else:
        x = conv_bn(g, x, 64, 7, stride=2, names="conv1 bn1 relu")
    return g.max_pool(x, 3, stride=2, padding=1, name="maxpool")


def resnet(
    g: GraphBuilder, x: TensorSpec, classes: Dim, block: Block, units: tuple[int, ...], style: Style = PLAIN
) -> TensorSpec:
    """Table 1: the stem, four stages of blocks, classifier."""
    x = stem(g, x, style.stem)
    for stage, count in enumerate(units):
        for index in range(count):
            stride = 2 if stage and index == 0 else 1
            with g.scope(f"layer{stage + 1}"), g.scope(str(index)):
                x = block(g, x, 64 << stage, stride, style, style.project_first and stage + index == 0)
    return classifier(g, x, classes)


def _shallow(name: str, depth: int, summary: str, style: Style = PLAIN) -> None:
    def build(g: GraphBuilder, x: TensorSpec, *, classes: Dim = 1000, project_first: bool = False) -> TensorSpec:
        return resnet(g, x, classes, basic_block, UNITS[depth], replace(style, project_first=project_first))

    build.__doc__ = f"{summary}\n\nproject_first: the first shortcut has a 1x1 convolution, as in Caffe and PaddleClas."
    network(name)(build)


def _deep(name: str, depth: int, summary: str, style: Style = PLAIN) -> None:
    def build(g: GraphBuilder, x: TensorSpec, *, classes: Dim = 1000) -> TensorSpec:
        return resnet(g, x, classes, bottleneck, UNITS[depth], style)

    build.__doc__ = summary
    network(name)(build)


def _versions(name: str, depth: int) -> None:
    def build(g: GraphBuilder, x: TensorSpec, *, classes: Dim = 1000, stride_in_1x1: bool = False) -> TensorSpec:
        return resnet(g, x, classes, bottleneck, UNITS[depth], Style(stride_in_1x1=stride_in_1x1))

    build.__doc__ = (
        f"ResNet-{depth} with the stride in the 3x3 convolutions (v1.5); stride_in_1x1 gives the paper's v1."
    )
    network(name)(build)


for _depth in (18, 34):
    _shallow(f"resnet{_depth}", _depth, f"ResNet-{_depth}.")
    _shallow(f"resnet{_depth}_vd", _depth, f"ResNet-{_depth}-vd: 3x3 stem, pooled shortcuts.", VD)
    _shallow(f"se_resnet{_depth}_vd", _depth, f"SE-ResNet-{_depth}-vd.", replace(VD, se=True))

for _depth in (50, 101, 152):
    _versions(f"resnet{_depth}", _depth)
    _deep(f"resnet{_depth}_vc", _depth, f"ResNet-{_depth}-vc: 3x3 stem.", VC)
for _depth in (50, 101, 152, 200):
    _deep(f"resnet{_depth}_vd", _depth, f"ResNet-{_depth}-vd: 3x3 stem, pooled shortcuts.", VD)
_deep("se_resnet50_vd", 50, "SE-ResNet-50-vd.", replace(VD, se=True))

for _depth in (50, 101, 152):
    for _groups in (32, 64):
        _name, _of = f"{_groups}x4d", f"{_groups} groups of 4 channels"
        _grouped = Style(groups=_groups, group_width=4)
        _deep(f"resnext{_depth}_{_name}", _depth, f"ResNeXt-{_depth} with {_of}.", _grouped)
        _deep(
            f"resnext{_depth}_vd_{_name}",
            _depth,
            f"ResNeXt-{_depth}-vd with {_of}.",
            replace(VD, groups=_groups, group_width=4),
        )
for _width in (8, 16, 32, 48):
    _summary = f"ResNeXt-101 with 32 groups of {_width} channels, as in ResNeXt-WSL."
    _deep(f"resnext101_32x{_width}d", 101, _summary, Style(groups=32, group_width=_width))

_SE_X = Style(groups=32, group_width=4, se=True)
_SE_VD = replace(_SE_X, stem=(64, 64, 128), pool_shortcut=True)
_deep("se_resnext50_32x4d", 50, "SE-ResNeXt-50 with 32 groups of 4 channels.", _SE_X)
_deep("se_resnext101_32x4d", 101, "SE-ResNeXt-101 with 32 groups of 4 channels.", _SE_X)
_deep("se_resnext50_vd_32x4d", 50, "SE-ResNeXt-50-vd with 32 groups of 4 channels, as in PaddleClas.", _SE_VD)
_deep(
    "senet154_vd", 152, "SENet-154-vd of PaddleClas: its 1x1 convolutions are not halved.", replace(_SE_VD, groups=64)
)

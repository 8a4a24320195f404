"""ShuffleNet V2 (Ma et al., ECCV 2018, arXiv 1807.11164).

Layers are named as in torchvision's shufflenet_v2_x1_0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from costmodel.builder import GraphBuilder
from costmodel.dims import Dim, exact_div
from costmodel.errors import UsageError
from costmodel.graph import TensorSpec
from costmodel.zoo.layers import channels_of, classifier, conv_bn, depthwise_bn, squeeze_excite
from costmodel.zoo.registry import network

Stages = tuple[tuple[Dim, int], ...]

# Output channels of stages 2 to 4 and of conv5, by width: from Table 5, and below 0.5 from PaddleClas.
_CHANNELS = {
    0.25: (24, 48, 96, 512),
    0.33: (32, 64, 128, 512),
    0.5: (48, 96, 192, 1024),
    1.0: (116, 232, 464, 1024),
    1.5: (176, 352, 704, 1024),
    2.0: (244, 488, 976, 2048),
}
_UNITS = (4, 8, 4)


@dataclass(frozen=True, slots=True)
class Variant:
    """Changes to the units of Figure 3 (Section 4: "ShuffleNet V2 ... with SE", "with residual").

    se: a squeeze-excite at the end of the branch, before the concat.
    residual: units of stride 1 add the branch's input to its output.
    act: the activation, a GraphBuilder method.
    kernel: window of the depthwise convolutions, kernel x kernel.
    """

    se: bool = False
    residual: bool = False
    act: str = "relu"
    kernel: int = 3


def branch(
    g: GraphBuilder, x: TensorSpec, channels: Dim, stride: int, variant: Variant, residual: bool = False
) -> TensorSpec:
    """The right branch of both units (Figure 3): 1x1, depthwise, 1x1, all `channels` wide.

    The squeeze-excite does not reduce its channels: so it is in the large network that the authors
    published (megvii-model/ShuffleNet-Series, ShuffleNetV2.Large). With a residual the last ReLU
    follows the addition, as in ResNet and there.
    """
    with g.scope("branch2"):
        y = conv_bn(g, x, channels, act=variant.act, names="0 1 2")
        y = depthwise_bn(g, y, variant.kernel, stride=stride, names="3 4")
        y = conv_bn(g, y, channels, act=variant.act, names="5 6" if residual else "5 6 7")
        if variant.se:
            y = squeeze_excite(g, y, channels)
        if residual:
            y = getattr(g, variant.act)(g.add(y, x), "7")
    return y


def basic_unit(
    g: GraphBuilder, x: TensorSpec, variant: Variant = Variant(), branch_channels: Dim | None = None
) -> TensorSpec:
    """Figure 3c: some of the channels pass through, the others (half, as in the paper, if None) go through the
    branch."""
    channels = channels_of(x)
    width = exact_div(channels, 2, "channels of a basic unit in halves") if branch_channels is None else branch_channels
    left, right = g.split(x, (channels - width, width))
    right = branch(g, right, width, 1, variant, residual=variant.residual)
    return g.channel_shuffle(g.concat((left, right)), 2)


def down_unit(
    g: GraphBuilder,
    x: TensorSpec,
    channels: Dim,
    stride: int = 2,
    variant: Variant = Variant(),
    branch_channels: Dim | None = None,
) -> TensorSpec:
    """Figure 3d: both branches read the whole input; the right one makes `branch_channels` (half, as in the paper, if
    None) of the `channels`, the left one the others."""
    half = exact_div(channels, 2, "channels of a down-sampling unit in halves")
    width = half if branch_channels is None else branch_channels
    with g.scope("branch1"):
        left = depthwise_bn(g, x, variant.kernel, stride=stride, names="0 1")
        left = conv_bn(g, left, channels - width, act=variant.act, names="2 3 4")
    right = branch(g, x, width, stride, variant)
    return g.channel_shuffle(g.concat((left, right)), 2)


def stage(
    g: GraphBuilder,
    x: TensorSpec,
    index: int,
    channels: Dim,
    units: int,
    *,
    stride: int = 2,
    variant: Variant = Variant(),
    branch_channels: Dim | None = None,
) -> TensorSpec:
    """The stage called stage{index}: one down-sampling unit and units - 1 basic ones."""
    with g.scope(f"stage{index}"):
        for unit in range(units):
            with g.scope(str(unit)):
                if unit:
                    x = basic_unit(g, x, variant, branch_channels)
                else:
                    x = down_unit(g, x, channels, stride, variant, branch_channels)
    return x


def stages(
    g: GraphBuilder, x: TensorSpec, plan: Stages, *, first_stride: int = 2, variant: Variant = Variant()
) -> TensorSpec:
    """Stages from stage 2 on; each is one down-sampling unit and basic units.

    plan: output channels and number of units of each stage. first_stride: of stage 2; 2 in the others.
    """
    for index, (channels, units) in enumerate(plan):
        stride = first_stride if index == 0 else 2
        x = stage(g, x, index + 2, channels, units, stride=stride, variant=variant)
    return x


def stem(g: GraphBuilder, x: TensorSpec, *channels: Dim, act: str = "relu") -> TensorSpec:
    """3x3 convolutions, the first of stride 2, and a max pooling of stride 2."""
    with g.scope("conv1"):
        for index, width in enumerate(channels):
            names = " ".join(str(3 * index + part) for part in range(3))
            x = conv_bn(g, x, width, 3, stride=1 if index else 2, act=act, names=names)
    return g.max_pool(x, 3, stride=2, padding=1, name="maxpool")


def head(
    g: GraphBuilder, x: TensorSpec, channels: Dim, classes: Dim, name: str = "conv5", act: str = "relu"
) -> TensorSpec:
    """1x1 convolution, global pooling, classifier."""
    with g.scope(name):
        x = conv_bn(g, x, channels, act=act)
    return classifier(g, x, classes)


@network("shufflenet_v2")
def shufflenet_v2(
    g: GraphBuilder,
    x: TensorSpec,
    *,
    classes: Dim = 1000,
    width: float = 1.0,
    se: bool = False,
    residual: bool = False,
    act: Literal["relu", "swish"] = "relu",
) -> TensorSpec:
    """ShuffleNet V2 of Table 5: width 0.5, 1.0, 1.5 or 2.0, with squeeze-excite or residuals if wanted.

    se, residual: Section 4, "ShuffleNet V2 ... with SE", "with residual". Widths 0.25 and 0.33 and the act swish
    are PaddleClas's (ShuffleNetV2_x0_25, _x0_33, _swish).
    """
    if width not in _CHANNELS:
        raise UsageError(f"width is {width:g}; there are {', '.join(map(str, _CHANNELS))}")
    *channels, last = _CHANNELS[width]
    plan = tuple(zip(channels, _UNITS, strict=True))
    x = stages(g, stem(g, x, 24, act=act), plan, variant=Variant(se, residual, act))
    return head(g, x, last, classes, act=act)


@network("shufflenet_v2_design")
def shufflenet_v2_design(
    g: GraphBuilder,
    x: TensorSpec,
    *,
    classes: Dim = 1000,
    stem_channels: Dim = 24,
    channels2: Dim = 116,
    channels3: Dim = 232,
    channels4: Dim = 464,
    branch2: Dim = 0,
    branch3: Dim = 0,
    branch4: Dim = 0,
    units2: int = 4,
    units3: int = 8,
    units4: int = 4,
    kernel2: int = 3,
    kernel3: int = 3,
    kernel4: int = 3,
    se2: bool = False,
    se3: bool = False,
    se4: bool = False,
    head_channels: Dim = 1024,
    residual: bool = False,
    act: Literal["relu", "hard_swish", "swish"] = "relu",
) -> TensorSpec:
    """ShuffleNet V2 with any widths, split ratios and depths: what `costmodel search` chooses from.

    stem_channels: of the first convolution. head_channels: of conv5.
    channels2, channels3, channels4: of the stages, even numbers. branch2, branch3, branch4: those of them that go
    through the branch of a unit, fewer than all, 0 for half. units2, units3, units4: in the stages. kernel2, kernel3,
    kernel4: windows of their depthwise convolutions. se2, se3, se4: whether their units end with squeeze-excite.
    residual, act: as in shufflenet_v2.
    """
    x = stem(g, x, stem_channels, act=act)
    plan = (
        (channels2, branch2, units2, Variant(se2, residual, act, kernel2)),
        (channels3, branch3, units3, Variant(se3, residual, act, kernel3)),
        (channels4, branch4, units4, Variant(se4, residual, act, kernel4)),
    )
    for index, (channels, width, units, variant) in enumerate(plan, start=2):
        if isinstance(width, int) and isinstance(channels, int) and width >= channels:
            raise UsageError(
                f"branch{index} is {width}; it takes fewer than the {channels} channels of its stage, or 0"
            )
        given = None if isinstance(width, int) and width == 0 else width
        x = stage(g, x, index, channels, units, variant=variant, branch_channels=given)
    return head(g, x, head_channels, classes, act=act)


@network("shufflenet_v2_50")
def shufflenet_v2_50(g: GraphBuilder, x: TensorSpec, *, classes: Dim = 1000) -> TensorSpec:
    """ShuffleNet V2-50 of Table 6 and appendix Table 2, the counterpart of ResNet-50."""
    plan = ((244, 3), (488, 4), (976, 6), (1952, 3))
    x = stages(g, stem(g, x, 64), plan, first_stride=1)
    return head(g, x, 2048, classes, "conv6")


@network("shufflenet_v2_164")
def shufflenet_v2_164(
    g: GraphBuilder, x: TensorSpec, *, classes: Dim = 1000, se: bool = True, residual: bool = True
) -> TensorSpec:
    """SE-ShuffleNet V2-164 with residuals, of Table 6 and appendix Table 2.

    se, residual: as in shufflenet_v2; the paper has the network with both.
    """
    plan = ((340, 10), (680, 10), (1360, 23), (2720, 10))
    x = stages(g, stem(g, x, 64, 64, 128), plan, first_stride=1, variant=Variant(se, residual))
    return head(g, x, 2048, classes, "conv6")

"""Xception (Chollet, CVPR 2017, arXiv 1610.02357) and its deeper, aligned versions.

Layers are named as in timm's legacy_xception and xception41.
"""

from __future__ import annotations

from costmodel.builder import GraphBuilder
from costmodel.dims import Dim
from costmodel.graph import TensorSpec
from costmodel.zoo.layers import channels_of, classifier, conv_bn, depthwise_bn
from costmodel.zoo.registry import network

Widths = tuple[int, ...]

# Blocks of the entry flow: channels and stride.
_ENTRY = ((128, 2), (256, 2), (728, 2))
_LONG_ENTRY = ((128, 2), (256, 1), (256, 2), (728, 1), (728, 2))


def separable(g: GraphBuilder, x: TensorSpec, channels: int, *, pointwise_first: bool = False, name: str) -> TensorSpec:
    """Figure 5 with one normalisation: 3x3 depthwise, then 1x1 convolution.

    pointwise_first: the other way round and each normalised, as in PaddleClas.
    """
    with g.scope(name):
        if pointwise_first:
            x = conv_bn(g, x, channels, names="pointwise bn1")
            return depthwise_bn(g, x, names="conv1 bn2")
        return conv_bn(g, g.depthwise(x, name="conv1"), channels, names="pointwise bn")


def block(
    g: GraphBuilder,
    x: TensorSpec,
    widths: Widths,
    *,
    stride: int = 1,
    pool: bool = False,
    first_relu: bool = True,
    pointwise_first: bool = False,
) -> TensorSpec:
    """Figure 5: ReLUs and separable convolutions, max pooling with the stride if wanted, and a shortcut."""
    y = x
    with g.scope("rep"):
        for index, width in enumerate(widths):
            if index or first_relu:
                y = g.relu(y, f"relu{index}")
            y = separable(g, y, width, pointwise_first=pointwise_first, name=str(index))
        if pool:
            y = g.max_pool(y, 3, stride=stride, padding=1, name="pool")
    if stride != 1 or channels_of(x) != widths[-1]:
        x = g.conv(x, widths[-1], stride=stride, name="skip")
        if not pointwise_first:
            x = g.batch_norm(x, "skipbn")
    return g.add(y, x)


def _plain(
    g: GraphBuilder,
    x: TensorSpec,
    classes: Dim,
    entry: tuple[tuple[int, int], ...],
    middle: int,
    *,
    pointwise_first: bool,
    padding: int,
) -> TensorSpec:
    """Figure 5: convolutions, blocks of the entry flow, `middle` blocks, exit flow."""
    x = g.relu(g.batch_norm(g.conv(x, 32, 3, stride=2, padding=padding, name="conv1"), "bn1"), "act1")
    x = g.relu(g.batch_norm(g.conv(x, 64, 3, padding=padding, name="conv2"), "bn2"), "act2")
    plan: list[tuple[Widths, int, bool]] = [((width, width), stride, True) for width, stride in entry]
    plan += [((728, 728, 728), 1, False)] * middle + [((728, 1024), 2, True)]
    for index, (widths, stride, pool) in enumerate(plan, start=1):
        with g.scope(f"block{index}"):
            x = block(g, x, widths, stride=stride, pool=pool, first_relu=index > 1, pointwise_first=pointwise_first)
    for index, width in ((3, 1536), (4, 2048)):
        x = g.relu(separable(g, x, width, pointwise_first=pointwise_first, name=f"conv{index}"), f"act{index}")
    return classifier(g, x, classes)


@network("xception", resolution=299, smallest=7)
def xception(g: GraphBuilder, x: TensorSpec, *, classes: Dim = 1000) -> TensorSpec:
    """Xception of Figure 5, whose first two convolutions have no padding."""
    return _plain(g, x, classes, _ENTRY, 8, pointwise_first=False, padding=0)


def aligned_block(g: GraphBuilder, x: TensorSpec, widths: Widths, *, stride: int, last: bool = False) -> TensorSpec:
    """Three separable convolutions, the third with the stride, every convolution normalised.

    A ReLU before each, and a shortcut; in the last block a ReLU after each convolution, and no shortcut.
    """
    y = x
    with g.scope("stack"):
        for index, width in enumerate(widths, start=1):
            if not last:
                y = g.relu(y, f"act{index}")
            step = stride if index == len(widths) else 1
            with g.scope(f"conv{index}"):
                y = depthwise_bn(g, y, stride=step, names="conv_dw bn_dw act_dw" if last else "conv_dw bn_dw")
                y = conv_bn(g, y, width, names="conv_pw bn_pw act_pw" if last else "conv_pw bn_pw")
    if last:
        return y
    if stride != 1 or channels_of(x) != widths[-1]:
        with g.scope("shortcut"):
            x = conv_bn(g, x, widths[-1], stride=stride, names="conv bn")
    return g.add(y, x)


def _deep(
    g: GraphBuilder, x: TensorSpec, classes: Dim, entry: tuple[tuple[int, int], ...], middle: int, aligned: bool
) -> TensorSpec:
    if not aligned:
        return _plain(g, x, classes, entry, middle, pointwise_first=True, padding=1)
    with g.scope("stem"):
        for index, (width, stride) in enumerate(((32, 2), (64, 1))):
            with g.scope(str(index)):
                x = conv_bn(g, x, width, 3, stride=stride, names="conv bn act")
    plan = [((width,) * 3, stride) for width, stride in (*entry, *[(728, 1)] * middle)]
    plan += [((728, 1024, 1024), 2), ((1536, 1536, 2048), 1)]
    for index, (widths, stride) in enumerate(plan):
        with g.scope("blocks"), g.scope(str(index)):
            x = aligned_block(g, x, widths, stride=stride, last=index == len(plan) - 1)
    with g.scope("head"):
        return classifier(g, x, classes)


@network("xception41", resolution=299)
def xception41(g: GraphBuilder, x: TensorSpec, *, classes: Dim = 1000, aligned: bool = True) -> TensorSpec:
    """Aligned Xception-41 of DeepLab v3+ (arXiv 1802.02611, Figure 4; timm); aligned=false: PaddleClas's.

    PaddleClas's Xception41, 65 and 71 keep the blocks of the first paper with max pooling, but have the 1x1
    convolution before the depthwise one; its Xception41_deeplab and 65_deeplab are the aligned ones.
    """
    return _deep(g, x, classes, _ENTRY, 8, aligned)


@network("xception65", resolution=299)
def xception65(g: GraphBuilder, x: TensorSpec, *, classes: Dim = 1000, aligned: bool = True) -> TensorSpec:
    """Xception-65: as Xception-41 (aligned, too) with a middle flow of 16 blocks instead of 8."""
    return _deep(g, x, classes, _ENTRY, 16, aligned)


@network("xception71", resolution=299)
def xception71(g: GraphBuilder, x: TensorSpec, *, classes: Dim = 1000, aligned: bool = True) -> TensorSpec:
    """Xception-71: as Xception-65 (aligned, too) with an entry flow of five blocks instead of three."""
    return _deep(g, x, classes, _LONG_ENTRY, 16, aligned)

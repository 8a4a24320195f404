"""Res2Net (Gao et al., TPAMI 2019, arXiv 1904.01169).

Layers are named as in timm's res2net50_26w_4s.
"""

from __future__ import annotations

from costmodel.builder import GraphBuilder
from costmodel.dims import Dim
from costmodel.graph import TensorSpec
from costmodel.zoo.layers import conv_bn
from costmodel.zoo.registry import network
from costmodel.zoo.resnet import PLAIN, UNITS, VD, Style, add_shortcut, resnet


def bottle2neck(
    g: GraphBuilder,
    x: TensorSpec,
    channels: int,
    stride: int,
    style: Style,
    *,
    width: int,
    scale: int,
    start: bool,
) -> TensorSpec:
    """Figure 2b: `scale` slices of `width` channels (in the first stage) in the place of the 3x3 convolution.

    Each slice but the last is convolved, after the result of the slice before it was added. In the block
    that starts a stage the slices are not chained, and the last is average pooled.
    """
    inner = width * channels // 64
    y = conv_bn(g, x, inner * scale, names="conv1 bn1 relu1")
    *slices, last = g.split(y, (inner,) * scale)
    done: list[TensorSpec] = []
    for index, part in enumerate(slices):
        if done and not start:
            part = g.add(part, done[-1])
        names = f"convs.{index} bns.{index} relus.{index}"
        done.append(conv_bn(g, part, inner, 3, stride=stride, names=names))
    done.append(g.avg_pool(last, 3, stride=stride, padding=1, name="pool") if start else last)
    y = conv_bn(g, g.concat(done), 4 * channels, names="conv3 bn3")
    return add_shortcut(g, x, y, stride, style)


def _register(name: str, depth: int, width: int, scale: int, style: Style) -> None:
    def build(g: GraphBuilder, x: TensorSpec, *, classes: Dim = 1000, chain_first: bool = False) -> TensorSpec:
        def block(
            g: GraphBuilder, x: TensorSpec, channels: int, stride: int, style: Style, _project: bool
        ) -> TensorSpec:
            starts = stride == 2 or (x.shape is not None and x.shape[1] == 64 and not chain_first)
            return bottle2neck(g, x, channels, stride, style, width=width, scale=scale, start=starts)

        return resnet(g, x, classes, block, UNITS[depth], style)

    kind = f"Res2Net-{depth}{'-vd' if style.pool_shortcut else ''}"
    build.__doc__ = f"""{kind} with {scale} slices of {width} channels.

    chain_first: only blocks of stride 2 start a stage, so the very first block chains its slices, as in PaddleClas.
    """
    network(name)(build)


_register("res2net50_26w_4s", 50, 26, 4, PLAIN)
_register("res2net50_14w_8s", 50, 14, 8, PLAIN)
for _depth in (50, 101, 200):
    _register(f"res2net{_depth}_vd_26w_4s", _depth, 26, 4, VD)

"""Dual path networks (Chen et al., NIPS 2017, arXiv 1707.01629).

Layers are named as in timm's dpn92.
"""

from __future__ import annotations

from dataclasses import dataclass

from costmodel.builder import GraphBuilder
from costmodel.dims import Dim
from costmodel.graph import TensorSpec
from costmodel.zoo.layers import bn_relu_conv, conv_bn
from costmodel.zoo.registry import network


@dataclass(frozen=True, slots=True)
class Plan:
    """A column of Table 1.

    stem, stem_kernel: of the first convolution. inner: channels of the 3x3 convolutions in the first stage.
    residual: channels of the residual path in the first stage. groups: of the 3x3 convolutions. units: of each
    stage. growth: of the dense path, a unit, by stage. Both widths double with each stage.
    """

    stem: int
    stem_kernel: int
    inner: int
    residual: int
    groups: int
    units: tuple[int, int, int, int]
    growth: tuple[int, int, int, int]


# 92, 98, 131: Table 1; 68 and 107: the authors' cypw/DPNs.
_PLANS = {
    68: Plan(10, 3, 128, 64, 32, (3, 4, 12, 3), (16, 32, 32, 64)),
    92: Plan(64, 7, 96, 256, 32, (3, 4, 20, 3), (16, 32, 24, 128)),
    98: Plan(96, 7, 160, 256, 40, (3, 6, 20, 3), (16, 32, 32, 128)),
    107: Plan(128, 7, 200, 256, 50, (4, 8, 20, 3), (20, 64, 64, 128)),
    131: Plan(128, 7, 160, 256, 40, (4, 8, 28, 3), (16, 32, 32, 128)),
}

Paths = tuple[TensorSpec, TensorSpec]


def _bn_conv(
    g: GraphBuilder, x: TensorSpec, channels: int, kernel: int = 1, *, stride: int = 1, groups: int = 1, name: str
) -> TensorSpec:
    with g.scope(name):
        return bn_relu_conv(g, x, channels, kernel, stride=stride, groups=groups, names="bn act conv")


def dual_path_unit(
    g: GraphBuilder,
    x: TensorSpec | Paths,
    inner: int,
    residual: int,
    growth: int,
    *,
    groups: int,
    stride: int,
    starts: bool,
) -> Paths:
    """Figure 2d: one bottleneck adds to the residual path and grows the dense path.

    A unit that starts a stage makes both paths anew by a 1x1 convolution.
    """
    paths = x if isinstance(x, tuple) else None
    whole = g.concat(x, name="concat_in") if isinstance(x, tuple) else x
    if starts:
        name = "c1x1_w_s1" if stride == 1 else "c1x1_w_s2"
        projected = _bn_conv(g, whole, residual + 2 * growth, stride=stride, name=name)
        old, dense = g.split(projected, (residual, 2 * growth), name="split_in")
    else:
        assert paths is not None
        old, dense = paths
    y = _bn_conv(g, whole, inner, name="c1x1_a")
    y = _bn_conv(g, y, inner, 3, stride=stride, groups=groups, name="c3x3_b")
    y = _bn_conv(g, y, residual + growth, name="c1x1_c")
    added, grown = g.split(y, (residual, growth))
    return g.add(old, added), g.concat((dense, grown))


def dpn(g: GraphBuilder, x: TensorSpec, classes: Dim, plan: Plan) -> TensorSpec:
    """Table 1. The classifier is a 1x1 convolution."""
    with g.scope("features"):
        with g.scope("conv1_1"):
            x = conv_bn(g, x, plan.stem, plan.stem_kernel, stride=2, names="conv bn act")
        y: TensorSpec | Paths = g.max_pool(x, 3, stride=2, padding=1, name="conv1_pool")
        for stage, (units, growth) in enumerate(zip(plan.units, plan.growth, strict=True)):
            for index in range(units):
                with g.scope(f"conv{stage + 2}_{index + 1}"):
                    y = dual_path_unit(
                        g,
                        y,
                        plan.inner << stage,
                        plan.residual << stage,
                        growth,
                        groups=plan.groups,
                        stride=2 if stage and index == 0 else 1,
                        starts=index == 0,
                    )
        with g.scope("conv5_bn_ac"):
            joined = g.concat(y) if isinstance(y, tuple) else y
            x = g.relu(g.batch_norm(joined, "bn"), "act")
    return g.flatten(g.conv(g.global_avg_pool(x), classes, bias=True, name="classifier"))


def _register(depth: int, plan: Plan) -> None:
    def build(g: GraphBuilder, x: TensorSpec, *, classes: Dim = 1000) -> TensorSpec:
        return dpn(g, x, classes, plan)

    build.__doc__ = f"DPN-{depth}: a residual and a dense path through each unit."
    network(f"dpn{depth}")(build)


for _depth, _plan in _PLANS.items():
    _register(_depth, _plan)

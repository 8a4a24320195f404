"""Inception V3 (Szegedy et al., CVPR 2016, arXiv 1512.00567) and V4 (AAAI 2017, arXiv 1602.07261).

Layers are named as in torchvision's inception_v3 (without its auxiliary classifier, which serves training
only) and in timm's inception_v4.
"""

from __future__ import annotations

from costmodel.builder import GraphBuilder, Sizes
from costmodel.dims import Dim
from costmodel.graph import TensorSpec
from costmodel.zoo.layers import classifier, conv_bn
from costmodel.zoo.registry import network

# A convolution of a branch: name, channels, kernel and stride, the last two 1 where left out. Those of stride 2
# have no padding.
Step = tuple[str, int] | tuple[str, int, Sizes] | tuple[str, int, Sizes, int]

_ROW, _COLUMN = (1, 7), (7, 1)


def branch(g: GraphBuilder, x: TensorSpec, *steps: Step, valid: bool = False) -> TensorSpec:
    """Convolutions one after the other, each with batch normalisation and ReLU. valid: none has padding."""
    for name, channels, *rest in steps:
        kernel: Sizes = rest[0] if rest else 1
        stride = rest[1] if len(rest) > 1 else 1
        with g.scope(name):
            padding = 0 if valid or stride == 2 else None
            x = conv_bn(g, x, channels, kernel, stride=stride, padding=padding, names="conv bn relu")
    return x


def _mean(g: GraphBuilder, x: TensorSpec) -> TensorSpec:
    return g.avg_pool(x, 3, stride=1, padding=1, name="avg_pool")


def _half(g: GraphBuilder, x: TensorSpec, name: str = "max_pool") -> TensorSpec:
    return g.max_pool(x, 3, stride=2, name=name)


def _v3_a(g: GraphBuilder, x: TensorSpec, pooled: int) -> TensorSpec:
    """V3, Figure 5."""
    return g.concat(
        (
            branch(g, x, ("branch1x1", 64)),
            branch(g, x, ("branch5x5_1", 48), ("branch5x5_2", 64, 5)),
            branch(g, x, ("branch3x3dbl_1", 64), ("branch3x3dbl_2", 96, 3), ("branch3x3dbl_3", 96, 3)),
            branch(g, _mean(g, x), ("branch_pool", pooled)),
        )
    )


def _v3_b(g: GraphBuilder, x: TensorSpec) -> TensorSpec:
    """V3, Figure 10: from 35x35 to 17x17."""
    return g.concat(
        (
            branch(g, x, ("branch3x3", 384, 3, 2)),
            branch(g, x, ("branch3x3dbl_1", 64), ("branch3x3dbl_2", 96, 3), ("branch3x3dbl_3", 96, 3, 2)),
            _half(g, x),
        )
    )


def _v3_c(g: GraphBuilder, x: TensorSpec, inner: int) -> TensorSpec:
    """V3, Figure 6 with n = 7."""
    return g.concat(
        (
            branch(g, x, ("branch1x1", 192)),
            branch(g, x, ("branch7x7_1", inner), ("branch7x7_2", inner, _ROW), ("branch7x7_3", 192, _COLUMN)),
            branch(
                g,
                x,
                ("branch7x7dbl_1", inner),
                ("branch7x7dbl_2", inner, _COLUMN),
                ("branch7x7dbl_3", inner, _ROW),
                ("branch7x7dbl_4", inner, _COLUMN),
                ("branch7x7dbl_5", 192, _ROW),
            ),
            branch(g, _mean(g, x), ("branch_pool", 192)),
        )
    )


def _v3_d(g: GraphBuilder, x: TensorSpec) -> TensorSpec:
    """From 17x17 to 8x8."""
    return g.concat(
        (
            branch(g, x, ("branch3x3_1", 192), ("branch3x3_2", 320, 3, 2)),
            branch(
                g,
                x,
                ("branch7x7x3_1", 192),
                ("branch7x7x3_2", 192, _ROW),
                ("branch7x7x3_3", 192, _COLUMN),
                ("branch7x7x3_4", 192, 3, 2),
            ),
            _half(g, x),
        )
    )


def _v3_e(g: GraphBuilder, x: TensorSpec) -> TensorSpec:
    """V3, Figure 7: two branches fork at their ends."""
    short = branch(g, x, ("branch3x3_1", 384))
    long = branch(g, x, ("branch3x3dbl_1", 448), ("branch3x3dbl_2", 384, 3))
    return g.concat(
        (
            branch(g, x, ("branch1x1", 320)),
            branch(g, short, ("branch3x3_2a", 384, (1, 3))),
            branch(g, short, ("branch3x3_2b", 384, (3, 1))),
            branch(g, long, ("branch3x3dbl_3a", 384, (1, 3))),
            branch(g, long, ("branch3x3dbl_3b", 384, (3, 1))),
            branch(g, _mean(g, x), ("branch_pool", 192)),
        )
    )


@network("inception_v3", resolution=299, smallest=75)
def inception_v3(g: GraphBuilder, x: TensorSpec, *, classes: Dim = 1000) -> TensorSpec:
    """Inception V3 (Table 1)."""
    x = branch(g, x, ("Conv2d_1a_3x3", 32, 3, 2))
    x = branch(g, x, ("Conv2d_2a_3x3", 32, 3), valid=True)
    x = _half(g, branch(g, x, ("Conv2d_2b_3x3", 64, 3)), "maxpool1")
    x = _half(g, branch(g, x, ("Conv2d_3b_1x1", 80), ("Conv2d_4a_3x3", 192, 3), valid=True), "maxpool2")
    for name, pooled in zip("bcd", (32, 64, 64), strict=True):
        with g.scope(f"Mixed_5{name}"):
            x = _v3_a(g, x, pooled)
    with g.scope("Mixed_6a"):
        x = _v3_b(g, x)
    for name, inner in zip("bcde", (128, 160, 160, 192), strict=True):
        with g.scope(f"Mixed_6{name}"):
            x = _v3_c(g, x, inner)
    with g.scope("Mixed_7a"):
        x = _v3_d(g, x)
    for name in "bc":
        with g.scope(f"Mixed_7{name}"):
            x = _v3_e(g, x)
    return classifier(g, x, classes)


def _v4_stem(g: GraphBuilder, x: TensorSpec) -> TensorSpec:
    """V4, Figure 3."""
    x = branch(g, x, ("0", 32, 3, 2))
    x = branch(g, x, ("1", 32, 3), valid=True)
    x = branch(g, x, ("2", 64, 3))
    with g.scope("3"):
        x = g.concat((_half(g, x), branch(g, x, ("conv", 96, 3, 2))))
    with g.scope("4"):
        left = branch(g, x, ("branch0.0", 64), ("branch0.1", 96, 3), valid=True)
        right = branch(g, x, ("branch1.0", 64), ("branch1.1", 64, _ROW), ("branch1.2", 64, _COLUMN))
        x = g.concat((left, branch(g, right, ("branch1.3", 96, 3), valid=True)))
    with g.scope("5"):
        return g.concat((branch(g, x, ("conv", 192, 3, 2)), _half(g, x)))


def _v4_a(g: GraphBuilder, x: TensorSpec) -> TensorSpec:
    """V4, Figure 4."""
    return g.concat(
        (
            branch(g, x, ("branch0", 96)),
            branch(g, x, ("branch1.0", 64), ("branch1.1", 96, 3)),
            branch(g, x, ("branch2.0", 64), ("branch2.1", 96, 3), ("branch2.2", 96, 3)),
            branch(g, _mean(g, x), ("branch3.1", 96)),
        )
    )


def _v4_reduction_a(g: GraphBuilder, x: TensorSpec) -> TensorSpec:
    """V4, Figure 7 with k, l, m, n = 192, 224, 256, 384."""
    return g.concat(
        (
            branch(g, x, ("branch0", 384, 3, 2)),
            branch(g, x, ("branch1.0", 192), ("branch1.1", 224, 3), ("branch1.2", 256, 3, 2)),
            _half(g, x),
        )
    )


def _v4_b(g: GraphBuilder, x: TensorSpec) -> TensorSpec:
    """V4, Figure 5."""
    return g.concat(
        (
            branch(g, x, ("branch0", 384)),
            branch(g, x, ("branch1.0", 192), ("branch1.1", 224, _ROW), ("branch1.2", 256, _COLUMN)),
            branch(
                g,
                x,
                ("branch2.0", 192),
                ("branch2.1", 192, _COLUMN),
                ("branch2.2", 224, _ROW),
                ("branch2.3", 224, _COLUMN),
                ("branch2.4", 256, _ROW),
            ),
            branch(g, _mean(g, x), ("branch3.1", 128)),
        )
    )


def _v4_reduction_b(g: GraphBuilder, x: TensorSpec) -> TensorSpec:
    """V4, Figure 8."""
    return g.concat(
        (
            branch(g, x, ("branch0.0", 192), ("branch0.1", 192, 3, 2)),
            branch(
                g,
                x,
                ("branch1.0", 256),
                ("branch1.1", 256, _ROW),
                ("branch1.2", 320, _COLUMN),
                ("branch1.3", 320, 3, 2),
            ),
            _half(g, x),
        )
    )


def _v4_c(g: GraphBuilder, x: TensorSpec) -> TensorSpec:
    """V4, Figure 6: two branches fork at their ends."""
    short = branch(g, x, ("branch1_0", 384))
    long = branch(g, x, ("branch2_0", 384), ("branch2_1", 448, (3, 1)), ("branch2_2", 512, (1, 3)))
    return g.concat(
        (
            branch(g, x, ("branch0", 256)),
            branch(g, short, ("branch1_1a", 256, (1, 3))),
            branch(g, short, ("branch1_1b", 256, (3, 1))),
            branch(g, long, ("branch2_3a", 256, (1, 3))),
            branch(g, long, ("branch2_3b", 256, (3, 1))),
            branch(g, _mean(g, x), ("branch3.1", 256)),
        )
    )


@network("inception_v4", resolution=299, smallest=75)
def inception_v4(g: GraphBuilder, x: TensorSpec, *, classes: Dim = 1000) -> TensorSpec:
    """Inception V4 (Figure 9)."""
    blocks = (*[_v4_a] * 4, _v4_reduction_a, *[_v4_b] * 7, _v4_reduction_b, *[_v4_c] * 3)
    with g.scope("features"):
        x = _v4_stem(g, x)
        for index, block in enumerate(blocks, start=6):
            with g.scope(str(index)):
                x = block(g, x)
    return classifier(g, x, classes, name="last_linear")

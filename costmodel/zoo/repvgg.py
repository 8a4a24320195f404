"""RepVGG (Ding et al., CVPR 2021, arXiv 2101.03697).

Layers are named as in the authors' DingXiaoH/RepVGG.
"""

from __future__ import annotations

from costmodel.builder import GraphBuilder
from costmodel.dims import Dim
from costmodel.graph import TensorSpec
from costmodel.zoo.layers import classifier
from costmodel.zoo.registry import network

_WIDTHS = (64, 128, 256, 512)  # Table 2, times the factors a (the first three stages) and b (the last)
_UNITS = {"a": (2, 4, 14, 1), "b": (4, 6, 16, 1)}

# Table 3: a, b, and the groups of every second layer.
_VARIANTS = {
    "a0": (0.75, 2.5, 1),
    "a1": (1.0, 2.5, 1),
    "a2": (1.5, 2.75, 1),
    "b0": (1.0, 2.5, 1),
    "b1": (2.0, 4.0, 1),
    "b1g2": (2.0, 4.0, 2),
    "b1g4": (2.0, 4.0, 4),
    "b2": (2.5, 5.0, 1),
    "b2g4": (2.5, 5.0, 4),
    "b3": (3.0, 5.0, 1),
    "b3g4": (3.0, 5.0, 4),
}


def repvgg(
    g: GraphBuilder, x: TensorSpec, classes: Dim, units: tuple[int, ...], factors: tuple[float, ...], groups: int
) -> TensorSpec:
    """Table 2: 3x3 convolutions in a chain. Layers 3, 5, ... of all have the groups."""
    widths = [int(width * factor) for width, factor in zip(_WIDTHS, factors, strict=True)]
    layer = 0
    for stage, (width, count) in enumerate(zip((min(64, widths[0]), *widths), (1, *units), strict=True)):
        for index in range(count):
            name = f"stage{stage}.{index}" if stage else "stage0"
            with g.scope(name):
                split = groups if layer and layer % 2 == 0 else 1
                x = g.conv(x, width, 3, stride=1 if index else 2, groups=split, bias=True, name="rbr_reparam")
                x = g.relu(x, "nonlinearity")
            layer += 1
    return classifier(g, x, classes, name="linear")


def _register(name: str, a: float, b: float, groups: int) -> None:
    units = _UNITS[name[0]]

    def build(g: GraphBuilder, x: TensorSpec, *, classes: Dim = 1000) -> TensorSpec:
        return repvgg(g, x, classes, units, (a, a, a, b), groups)

    build.__doc__ = f"RepVGG-{name.upper()} as it is deployed: each block re-parameterised to one 3x3 convolution."
    network(f"repvgg_{name}")(build)


for _name, (_a, _b, _groups) in _VARIANTS.items():
    _register(_name, _a, _b, _groups)

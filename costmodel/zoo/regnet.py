"""RegNetX and RegNetY (Radosavovic et al., CVPR 2020, arXiv 2003.13678).

Layers are named as in torchvision.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass

from costmodel.builder import GraphBuilder
from costmodel.dims import Dim
from costmodel.graph import TensorSpec
from costmodel.zoo.layers import channels_of, classifier, conv_bn, nearest_multiple, squeeze_excite
from costmodel.zoo.registry import network


@dataclass(frozen=True, slots=True)
class Model:
    """Depth d, initial width w_0, slope w_a, width multiplier w_m (Section 3.3) and channels a group.

    The values are those of the authors' configurations (facebookresearch/pycls, configs/dds_baselines).
    se: squeeze-excite, which makes an X a Y. torchvision_rounding: the default of that option.
    """

    depth: int
    initial_width: int
    slope: float
    multiplier: float
    group_width: int
    se: bool = False
    torchvision_rounding: bool = True

    def stages(self, torchvision_rounding: bool) -> Iterator[tuple[int, int, int]]:
        """Width, groups and blocks of each stage: Equations 2 to 4, widths rounded to multiples of 8,
        then to whole groups.

        torchvision_rounding: to groups by the rule of nearest_multiple, not plainly to the nearest.
        """
        exponents = (
            round(math.log(1 + self.slope * block / self.initial_width, self.multiplier)) for block in range(self.depth)
        )
        for exponent, blocks in itertools.groupby(exponents):
            width = 8 * round(self.initial_width * self.multiplier**exponent / 8)
            group_width = min(self.group_width, width)
            if torchvision_rounding:
                width = nearest_multiple(width, group_width)
            groups = round(width / group_width)
            yield groups * group_width, groups, len(list(blocks))


_MODELS = {
    "x_200mf": Model(13, 24, 36.44, 2.49, 8),
    "x_400mf": Model(22, 24, 24.48, 2.54, 16),
    "x_800mf": Model(16, 56, 35.73, 2.28, 16),
    "x_1_6gf": Model(18, 80, 34.01, 2.25, 24),
    "x_3_2gf": Model(25, 88, 26.31, 2.25, 48),
    "x_4gf": Model(23, 96, 38.65, 2.43, 40, torchvision_rounding=False),
    "x_8gf": Model(23, 80, 49.56, 2.88, 120),
    "x_16gf": Model(22, 216, 55.59, 2.1, 128),
    "x_32gf": Model(23, 320, 69.86, 2.0, 168),
    "y_400mf": Model(16, 48, 27.89, 2.09, 8, se=True),
    "y_800mf": Model(14, 56, 38.84, 2.4, 16, se=True),
    "y_1_6gf": Model(27, 48, 20.71, 2.65, 24, se=True),
    "y_3_2gf": Model(21, 80, 42.63, 2.66, 24, se=True),
    "y_8gf": Model(17, 192, 76.82, 2.19, 56, se=True),
    "y_16gf": Model(18, 200, 106.23, 2.48, 112, se=True),
    "y_32gf": Model(20, 232, 115.89, 2.53, 232, se=True),
}


def bottleneck(g: GraphBuilder, x: TensorSpec, width: int, groups: int, stride: int, se: bool) -> TensorSpec:
    """Figure 4: 1x1, grouped 3x3 and 1x1 convolution, all `width` wide, and the shortcut.

    The squeeze-excite of a Y follows the 3x3 and is a quarter as wide as the block's input.
    """
    with g.scope("f"):
        with g.scope("a"):
            y = conv_bn(g, x, width)
        with g.scope("b"):
            y = conv_bn(g, y, width, 3, stride=stride, groups=groups)
        if se:
            y = squeeze_excite(g, y, round(0.25 * channels_of(x)))
        with g.scope("c"):
            y = conv_bn(g, y, width, names="0 1")
    if stride != 1 or channels_of(x) != width:
        with g.scope("proj"):
            x = conv_bn(g, x, width, stride=stride, names="0 1")
    return g.relu(g.add(x, y), "activation")


def _register(name: str, model: Model) -> None:
    def build(
        g: GraphBuilder, x: TensorSpec, *, classes: Dim = 1000, torchvision_rounding: bool = model.torchvision_rounding
    ) -> TensorSpec:
        with g.scope("stem"):
            x = conv_bn(g, x, 32, 3, stride=2)
        for stage, (width, groups, blocks) in enumerate(model.stages(torchvision_rounding), start=1):
            for block in range(blocks):
                with g.scope(f"trunk_output.block{stage}.block{stage}-{block}"):
                    x = bottleneck(g, x, width, groups, 1 if block else 2, model.se)
        return classifier(g, x, classes)

    family, size = name.split("_", 1)
    build.__doc__ = f"""RegNet{family.upper()}-{size.upper().replace("_", ".")}.

    torchvision_rounding: a width becomes whole groups by torchvision's rule (halves up, and never below 90 %),
    not by the authors' and timm's (the nearest). It matters to x_400mf, y_800mf and y_8gf, and to x_4gf,
    which torchvision has not.
    """
    network(f"regnet_{name}")(build)


for _name, _model in _MODELS.items():
    _register(_name, _model)

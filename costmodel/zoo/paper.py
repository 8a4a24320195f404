"""The stacks of the ShuffleNet V2 paper's Tables 1 to 4 (Ma et al., ECCV 2018, arXiv 1807.11164).

Convolutions at 56x56 that keep their size, without stem and classifier, which the paper timed to find its
guidelines. Its runtime fuses batch normalisation into convolutions, and folded so it is no layer of its own here;
nor is there a bias, as in Equations 1 and 2. Tables 1 to 3 speak of convolutions only, so no activation follows
them. The channels of the input are those of the first convolution.
"""

from __future__ import annotations

from typing import Literal

from costmodel.builder import GraphBuilder
from costmodel.dims import Dim, exact_div
from costmodel.graph import TensorSpec
from costmodel.zoo.registry import network


@network("paper_g1", task="block", resolution=56, channels="c1")
def paper_g1(g: GraphBuilder, x: TensorSpec, *, c1: Dim = 128, c2: Dim = 128, blocks: int = 10) -> TensorSpec:
    """Table 1: blocks of two 1x1 convolutions, c1 to c2 channels and back to c1."""
    for block in range(blocks):
        with g.scope(str(block)):
            x = g.conv(g.conv(x, c2, name="conv1"), c1, name="conv2")
    return x


@network("paper_g2", task="block", resolution=56, channels="c")
def paper_g2(g: GraphBuilder, x: TensorSpec, *, c: Dim = 128, groups: int = 1, convs: int = 10) -> TensorSpec:
    """Table 2: convs 1x1 convolutions of c channels in groups."""
    for index in range(convs):
        x = g.conv(x, c, groups=groups, name=f"conv{index}")
    return x


@network("paper_g3", task="block", resolution=56, channels="c")
def paper_g3(
    g: GraphBuilder,
    x: TensorSpec,
    *,
    c: Dim = 128,
    fragments: int = 1,
    arrangement: Literal["series", "parallel"] = "series",
    blocks: int = 10,
) -> TensorSpec:
    """Table 3: blocks of 1x1 convolutions in series, or in parallel and then added.

    Every convolution has c channels in and out. fragments: the convolutions of a block. arrangement: those in
    parallel read the whole input of their block. The table
    compares equal mult-adds: its column c is the width of one fragment a block, of n fragments c / sqrt(n).
    """
    for block in range(blocks):
        with g.scope(str(block)):
            y = g.conv(x, c, name="conv0")
            for index in range(1, fragments):
                if arrangement == "series":
                    y = g.conv(y, c, name=f"conv{index}")
                else:
                    y = g.add(y, g.conv(x, c, name=f"conv{index}"), f"add{index}")
            x = y
    return x


@network("paper_g4", task="block", resolution=56, channels="c")
def paper_g4(
    g: GraphBuilder, x: TensorSpec, *, c: Dim = 128, relu: bool = True, shortcut: bool = True, blocks: int = 10
) -> TensorSpec:
    """Table 4: ResNet's bottleneck units, with and without ReLUs and shortcuts.

    A unit has 1x1, 3x3 and 1x1 convolutions. The paper states neither the size nor which width c is: at 56x56,
    c outside and c / 4 inside fit its speeds best.
    relu: three ReLUs a unit, the last after the addition. shortcut: the addition. blocks: units.
    """
    inner = exact_div(c, 4, "channels of a bottleneck in quarters")
    for block in range(blocks):
        y = x
        with g.scope(str(block)):
            for index, (channels, kernel) in enumerate(((inner, 1), (inner, 3), (c, 1)), start=1):
                y = g.conv(y, channels, kernel, name=f"conv{index}")
                if shortcut and index == 3:
                    y = g.add(y, x)
                if relu:
                    y = g.relu(y, f"relu{index}")
        x = y
    return x

"""A design as a drawing of its stages: a unit is a bar as wide as its channels, in the parts that it makes of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from costmodel.report.html.markup import Markup, tag
from search.design import FIRST_STAGE, Design, Stage

# What channels of a unit are, as the page's classes call them -> in words.
PARTS = {
    "conv": "stem and head: one convolution each",
    "branch": "branch: 1x1, depthwise, 1x1",
    "left": "left branch of a down-sampling unit: depthwise, 1x1",
    "passes": "pass through unchanged",
}
UNIT, GAP = 7, 2  # pixels of a unit's height, and between two

Bar = tuple[tuple[str, int], ...]  # parts of a unit and their channels, from the left


@dataclass(frozen=True)
class Piece:
    """The stem, a stage or the head. pixels: of a side of what it gives. units: from its input on."""

    name: str
    pixels: int
    said: str
    units: tuple[Bar, ...]


def pieces(design: Design) -> list[Piece]:
    """A design from its image to its classifier."""
    return list(_pieces(design))


def _pieces(design: Design) -> Iterator[Piece]:
    side = halved(halved(design.resolution))
    stem = f"{design.stem} channels: 3x3, stride 2; max pooling"
    yield Piece("Stem", side, stem, ((("conv", design.stem),),))
    for number, stage in enumerate(design.stages, start=FIRST_STAGE):
        side = halved(side)
        yield Piece(f"Stage {number}", side, _said(stage), _units(stage))
    head = f"{design.head} channels: 1x1; pooling; {design.classes} classes"
    yield Piece("Head", side, head, ((("conv", design.head),),))


def halved(side: int) -> int:
    """Pixels that a stride of 2 leaves, with windows that reach half over the edge."""
    return -(-side // 2)


def _units(stage: Stage) -> tuple[Bar, ...]:
    others = stage.channels - stage.branch
    basic = (("passes", others), ("branch", stage.branch))
    return ((("left", others), ("branch", stage.branch)), *(basic,) * (stage.units - 1))


def _said(stage: Stage) -> str:
    words = [
        f"{stage.channels} channels, {stage.branch} of them by the branch",
        f"{stage.units} unit{'s' * (stage.units > 1)}",
    ]
    words += [f"{stage.kernel}x{stage.kernel} depthwise"] * (stage.kernel != 3)
    words += ["squeeze-excite"] * stage.se
    return ", ".join(words)


def widest(design: Design) -> int:
    """Channels that the whole width of a drawing stands for."""
    return max(sum(channels for _, channels in bar) for piece in pieces(design) for bar in piece.units)


def drawing(design: Design) -> Markup:
    """The pieces below each other, each with what is said of it, to the design's own scale."""
    width = widest(design)
    return tag("ol", *(_item(piece, width) for piece in pieces(design)), class_="pieces")


def _item(piece: Piece, width: int) -> Markup:
    rects = []
    for row, bar in enumerate(piece.units):
        start = 0
        for part, channels in bar:
            rects.append(
                tag("rect", class_=part, x=start, y=row * (UNIT + GAP), width=channels, height=UNIT),
            )
            start += channels
    height = len(piece.units) * (UNIT + GAP) - GAP
    picture = tag(
        "svg",
        *rects,
        viewBox=f"0 0 {width} {height}",
        height=height,
        preserveAspectRatio="none",
        aria_hidden="true",
    )
    size = tag("span", f"{piece.pixels} x {piece.pixels}", class_="muted")
    return tag("li", tag("p", tag("b", piece.name), " ", size), tag("p", piece.said, class_="muted"), picture)


def legend() -> Markup:
    """What the colours of a drawing mean."""
    items = (tag("li", tag("span", class_=f"key {part}"), words) for part, words in PARTS.items())
    return tag("ul", *items, class_="legend")

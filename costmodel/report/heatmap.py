"""Feature reuse drawn with matplotlib, as Figure 4b of the ShuffleNet V2 paper."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from costmodel.errors import UsageError
from costmodel.report import pictures
from costmodel.report.names import plain, shortened
from costmodel.reuse import FeatureReuse

if TYPE_CHECKING:
    from numpy.typing import NDArray

PRINTED = 20  # blocks up to which cells have their percent printed
NAMED = 60  # blocks up to which every one is named; of more, some
MOST = 1000  # blocks that are drawn

_LONGEST_NAME = 34  # characters; of longer ones the middle is left out
_INCH = 0.0094  # a character's width for each point of its size
_STYLE = {"savefig.facecolor": "white"}


def svg(reuse: FeatureReuse) -> str:
    """The picture as SVG on white. The same reuse gives the same text."""
    return pictures.svg(lambda: _draw(reuse), _STYLE)


def png(reuse: FeatureReuse) -> bytes:
    """The picture on white, 160 pixels an inch."""
    return pictures.png(lambda: _draw(reuse), _STYLE)


def _draw(reuse: FeatureReuse) -> Any:
    from matplotlib.figure import Figure

    count = len(reuse.blocks)
    if not 0 < count <= MOST:
        problem = f"{count} blocks are too many to draw" if count else "it has no blocks to draw"
        raise UsageError(f"{reuse.network}: {problem}; leave out --plot")
    names = [shortened(plain(block.name), _LONGEST_NAME) for block in reuse.blocks]
    points = 8 if count <= 26 else 6.5 if count <= 40 else 5
    margin = 0.45 + _INCH * points * max(map(len, names))  # inches for names, at the left and below
    side = min(max(0.3 * count, 3.6), 8.0)
    width, height = margin + side + 1.1, margin + side + 0.75
    figure = Figure(figsize=(width, height))
    axes = figure.add_axes((margin / width, margin / height, side / width, side / height))
    bar = figure.add_axes(((margin + side + 0.2) / width, margin / height, 0.16 / width, side / height))
    shares = _percents(reuse)
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=100, interpolation="nearest")
    figure.colorbar(image, cax=bar, label="share of the source's channels, %").outline.set_visible(False)
    bar.tick_params(length=0)
    _ticks(axes, names, points)
    _stages(axes, reuse)
    if count <= PRINTED:
        _print(axes, shares)
    title = f"Feature reuse in {shortened(plain(reuse.network), 60)}"
    figure.text(0.15 / width, 1 - 0.3 / height, title, weight="bold", size=10.5)
    figure.text(
        0.15 / width, 1 - 0.52 / height, "Channels of a block's output that reach a later block unchanged", size=8
    )
    return figure


def _percents(reuse: FeatureReuse) -> NDArray[np.float64]:
    """Shares in percent; nothing (NaN) where the target is before the source."""
    count = len(reuse.blocks)
    shares = np.full((count, count), np.nan)
    shares[np.triu_indices(count)] = 0.0
    for i, row in enumerate(reuse.passed):
        shares[i, i] = 100.0
        for j in row:
            shares[i, j] = 100.0 * reuse.share(i, j)
    return shares


def _ticks(axes: Any, names: list[str], points: float) -> None:
    step = -(-len(names) // NAMED)
    places = range(0, len(names), step)
    shown = [names[place] for place in places]
    axes.set_xticks(places, shown, rotation=90, size=points)
    axes.set_yticks(places, shown, size=points)
    axes.set_xlabel("target block")
    axes.set_ylabel("source block")
    axes.tick_params(length=0)
    for side in ("top", "right", "bottom", "left"):
        axes.spines[side].set_visible(False)


def _stages(axes: Any, reuse: FeatureReuse) -> None:
    """A frame around each run of blocks that pass channels on."""
    from matplotlib.patches import Rectangle

    for stage in reuse.stages:
        if len(stage) > 1:
            corner = (stage[0] - 0.5, stage[0] - 0.5)
            axes.add_patch(Rectangle(corner, len(stage), len(stage), fill=False, edgecolor="#6b7580", linewidth=0.7))


def _print(axes: Any, shares: NDArray[np.float64]) -> None:
    """The percent in each cell that has some."""
    for i, j in zip(*np.nonzero(np.nan_to_num(shares)), strict=True):
        text = "<1" if shares[i, j] < 0.5 else f"{shares[i, j]:.0f}"
        axes.text(j, i, text, ha="center", va="center", size=6.5, color="white" if shares[i, j] > 55 else "#1d2126")

"""Predicted against measured, drawn with matplotlib."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from costmodel.report import pictures
from costmodel.report.names import plain

if TYPE_CHECKING:
    from calibration.report import Report, Row

NAMED = 6  # worst networks that have their names below the picture
BAND = 0.1

_LINE = 0.2  # inches
_WIDEST = 84  # characters of 8 points that fit into a line; longer ones are printed smaller
_LONGEST_NAME = 140  # characters; of longer ones the middle is left out
# Colours by role, as matplotlib draws them on white, and on a dark page.
_COLOURS = {
    "ink": ("#1d2126", "#e3e6ea"),
    "faint": ("#9aa1a9", "#717a84"),
    "grid": ("#e4e7ea", "#2a2f36"),
    "band": ("#cfe3f7", "#1c3550"),
    "point": ("#1769aa", "#6db3f2"),
    "worst": ("#b3261e", "#ff8a80"),
}


def svg(report: Report) -> str:
    """The picture as SVG whose colours follow the reader's theme. The same report gives the same text."""
    drawn = pictures.svg(lambda: _draw(report), _style())
    # selectors leave the light colours to viewers that know no style sheets
    dark = " ".join(
        f'[style*="{part}: {colours[0]}"] {{ {part}: {colours[1]} !important; }}'
        for colours in _COLOURS.values()
        for part in ("fill", "stroke")
    )
    style = f"<style>@media (prefers-color-scheme: dark) {{ {dark} }}</style>"
    head = drawn.index(">", drawn.index("<svg")) + 1
    return f"{drawn[:head]}\n {style}{drawn[head:]}"


def png(report: Report) -> bytes:
    """The picture on white, 160 pixels an inch."""
    return pictures.png(lambda: _draw(report), _style())


def _style() -> dict[str, Any]:
    ink, faint, grid = (_COLOURS[role][0] for role in ("ink", "faint", "grid"))
    return {
        "axes.edgecolor": faint,
        "axes.labelcolor": ink,
        "grid.color": grid,
        "text.color": ink,
        "xtick.color": ink,
        "ytick.color": ink,
    }


def _draw(report: Report) -> Any:
    from matplotlib.figure import Figure

    named = [row for row in report.worst if abs(row.error) > BAND][:NAMED]
    bottom = 0.5 + (0.15 + _LINE * len(named) if named else 0)  # inches below the axes
    height = 5.4 + bottom
    figure = Figure(figsize=(6.4, height))
    figure.patch.set_alpha(0)
    axes = figure.add_axes((0.11, bottom / height, 0.86, 4.75 / height))
    axes.patch.set_alpha(0)
    _limits(axes, report.rows)
    _reference(axes)
    _points(axes, report.rows)
    _mark(figure, axes, named, height)
    axes.set_xlabel("measured, ms")
    axes.set_ylabel("predicted, ms")
    _title(figure, report, height)
    axes.legend(loc="upper left", frameon=False, handletextpad=0.5)
    return figure


def _title(figure: Any, report: Report, height: float) -> None:
    accuracy = report.accuracy
    figure.text(0.11, 1 - 0.24 / height, _short(plain(report.platform_id)), weight="bold", size=11)
    summary = (
        f"{len(report.rows)} held-out predictions: mean error {100 * accuracy.mape:.1f} %, "
        f"{100 * accuracy.within_10:.0f} % within 10 %, tau {accuracy.tau:.2f}"
    )
    figure.text(0.11, 1 - 0.45 / height, summary)


def _limits(axes: Any, rows: Sequence[Row]) -> None:
    """One logarithmic range for both axes, ticks at round milliseconds."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    shown = [seconds * 1e3 for row in rows for seconds in (row.measured, row.predicted)] or [1.0, 10.0]
    low, high = min(shown) / 1.25, max(shown) * 1.25
    decades = math.log10(high / low)
    steps = (1, 2, 3, 5, 7) if decades < 1.2 else (1, 2, 5) if decades < 2.6 else (1,)
    for axis, set_scale, set_limits in (
        (axes.xaxis, axes.set_xscale, axes.set_xlim),
        (axes.yaxis, axes.set_yscale, axes.set_ylim),
    ):
        set_scale("log")
        set_limits(low, high)
        axis.set_major_locator(LogLocator(subs=steps, numticks=40))
        axis.set_minor_locator(NullLocator())
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.grid(linewidth=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.tick_params(length=0)


def _reference(axes: Any) -> None:
    low, high = axes.get_xlim()
    ends = (low, high)
    band, ink = _COLOURS["band"][0], _COLOURS["faint"][0]
    axes.fill_between(
        ends,
        [end * (1 - BAND) for end in ends],
        [end * (1 + BAND) for end in ends],
        color=band,
        linewidth=0,
        zorder=0.5,
        label=f"within {100 * BAND:.0f} %",
    )
    axes.plot(ends, ends, color=ink, linewidth=0.8, zorder=1)


def _points(axes: Any, rows: Sequence[Row]) -> None:
    measured = [row.measured * 1e3 for row in rows]
    dense = len(rows) > 300
    size = 2.5 if dense else 5.0
    line = [row.mult_adds_only * 1e3 for row in rows]
    axes.plot(
        measured,
        line,
        linestyle="",
        marker="x",
        markersize=size * 0.8,
        markeredgewidth=0.7,
        color=_COLOURS["faint"][0],
        zorder=2,
        label="mult-adds only, a line",
    )
    predicted = [row.predicted * 1e3 for row in rows]
    axes.plot(
        measured,
        predicted,
        linestyle="",
        marker="o",
        markersize=size,
        markeredgewidth=0,
        color=_COLOURS["point"][0],
        alpha=0.6 if dense else 0.9,
        zorder=3,
        label="held-out prediction",
    )


def _mark(figure: Any, axes: Any, named: Sequence[Row], height: float) -> None:
    """Numbers at the worst networks, and their names below the axes."""
    worst = _COLOURS["worst"][0]
    for number, row in enumerate(named, 1):
        place = (row.measured * 1e3, row.predicted * 1e3)
        axes.plot(*place, marker="o", markersize=5, markeredgewidth=0, color=worst, zorder=4)
        above = row.error > 0
        axes.annotate(
            str(number),
            place,
            xytext=(-4 if above else 4, 4 if above else -4),
            textcoords="offset points",
            ha="right" if above else "left",
            va="bottom" if above else "top",
            color=worst,
            weight="bold",
            zorder=5,
        )
        name = f"{number}  {_short(plain(row.network))}  {100 * row.error:+.0f} %"
        size = 8 * min(1.0, _WIDEST / len(name))
        figure.text(0.11, (_LINE * (len(named) - number) + 0.12) / height, name, size=size)


def _short(name: str) -> str:
    if len(name) <= _LONGEST_NAME:
        return name
    half = (_LONGEST_NAME - 3) // 2
    return f"{name[:half]}...{name[-half:]}"

"""Charts of an analysis on matplotlib Axes, for notebooks: where the time goes, a roofline, counts against each other.

matplotlib is imported when the first one is drawn. Names out of files are drawn as they are, never as formulas.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from costmodel.analysis import Analysis
from costmodel.errors import UsageError
from costmodel.report.html.parts import FIXED, PARTS, part_of
from costmodel.report.latency import Times, interval, times
from costmodel.report.names import plain, shortened
from costmodel.report.numbers import short

if TYPE_CHECKING:
    from costmodel.kernels import Kind
    from costmodel.predictor import KernelEstimate

# Of each part of a run's time, as the HTML page has it in light.
_COLOURS = {
    "conv": "#1f5fa8",
    "depthwise": "#0f7168",
    "elementwise": "#a34b06",
    "shuffle": "#98286a",
    "other": "#5d5294",
    "data": "#5a6572",
}
_LARGEST, _SMALLEST = 900.0, 6.0  # areas of dots, in square points: of the whole run, and of nothing
_NEAR = 1.2  # ceilings of less than this ratio are named together
_INK = "#1d2126"
_LONGEST_TITLE, _LONGEST_NAME = 60, 40  # characters of a network's name, and of a type of operator


def time(analysis: Analysis, ax: Any = None) -> Any:
    """A bar a platform, stacked by what its time is spent on, the latency with its interval behind it."""
    shown = _timed(analysis)
    ax = _axes(ax, (7.5, 1.5 + 0.5 * len(shown)))
    places = range(len(shown))
    left = [0.0] * len(shown)
    for part, name in PARTS.items():
        shares = [100 * _seconds(entry, part) / _whole(entry) for entry in shown]
        if any(shares):
            ax.barh(places, shares, left=left, color=_COLOURS[part], label=name, height=0.6)
            left = [start + width for start, width in zip(left, shares, strict=True)]
    labels = [f"{plain(entry.platform.id)}\n{interval(entry.prediction.latency)}" for entry in shown]
    ax.set_yticks(places, labels, parse_math=False)
    ax.invert_yaxis()
    ax.set(xlim=(0, 100), xlabel="share of the latency, %")
    if any(left):
        ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3, frameon=False, fontsize="small")
    _title(ax, f"Where the time goes in {_model(analysis)}", pad=40)
    return ax


def roofline(analysis: Analysis, platform: str | None = None, ax: Any = None) -> Any:
    """Kernels with mult-adds: mult-adds a second over mult-adds a byte, the area of a dot its share of the latency.

    The ceilings are what the platform's fitted prices allow: of each kind of kernel if only mult-adds took time, and of
    all if only elements read and written did. Kernels without mult-adds have no place in it.
    """
    from costmodel.predictor.roofline import roofline as ceilings

    entry = _chosen(_timed(analysis), platform)
    ax = _axes(ax, (7.0, 4.8))
    kernels = [
        item for item in entry.prediction.kernels if _is_drawn(item.kernel.cost.mult_adds, item.estimate.seconds)
    ]
    ax.set_autoscale_on(False)  # rates that are all but equal are no range
    _dots(ax, entry, kernels)
    if kernels:
        limits = ceilings(entry.prediction, entry.platform)
        _ceilings(ax, limits.mult_adds, limits.bytes)
        ax.legend(frameon=False, fontsize="small")
        (left, right), (bottom, top) = ax.dataLim.intervalx, ax.dataLim.intervaly
        ax.set(xscale="log", yscale="log", xlim=(left / 1.5, right * 1.5), ylim=(bottom / 2, top * 2))
    left_out = max(_whole(entry) - sum(float(item.estimate.seconds) for item in kernels), 0.0)
    ax.set_xlabel(f"mult-adds a byte\n(without mult-adds, so not drawn: {entry.share(left_out) or '0 %'} of the time)")
    ax.set_ylabel("mult-adds a second")
    _title(ax, f"{_model(analysis)} on {entry.platform.id}: {interval(entry.prediction.latency)}")
    return ax


def counts(analysis: Analysis, ax: Any = None) -> Any:
    """Each operator that moves elements: mult-adds over memory access, those without mult-adds at the bottom."""
    totals = analysis.totals
    if not isinstance(totals.mult_adds, int) or not isinstance(totals.memory_access, int):
        raise UsageError(
            f"{analysis.model}: only ints can be drawn, and counts have columns or symbols; give all sizes"
        )
    ax = _axes(ax, (7.0, 4.8))
    for row in analysis.by_type():
        points = [(node.cost.memory_access, node.cost.mult_adds) for node in row.members if node.cost.memory_access]
        if points:
            accesses, mult_adds = zip(*points, strict=True)
            ax.scatter(accesses, mult_adds, s=22, alpha=0.7, linewidths=0, label=_label(plain(row.name)))
    ax.set_xscale("log")
    _scale(ax, [node.cost.mult_adds for node in analysis.operators if node.cost.mult_adds] or [1])
    ax.set(xlabel="memory access, elements", ylabel="mult-adds")
    title = f"{short(totals.mult_adds)} mult-adds, {short(totals.memory_access)} elements accessed"
    _title(ax, f"{_model(analysis)}: {title}")
    if ax.collections:
        legend = ax.legend(frameon=False, fontsize="small", bbox_to_anchor=(1, 1), loc="upper left")
        for text in legend.get_texts():
            text.set_parse_math(False)
    return ax


def _scale(ax: Any, counts: Sequence[Any]) -> None:
    """An axis for these counts and 0: logarithmic from the decade that the smallest is in, linear below."""
    first, last = math.floor(math.log10(min(counts))), math.ceil(math.log10(max(counts)))
    least = 10.0**first
    ax.set_yscale("symlog", linthresh=least, linscale=0.5)
    ax.set_yticks([0.0, *(10.0**power for power in range(first, last + 1))])
    ax.set_ylim(-least / 4, 2 * max(counts))


def _axes(ax: Any, size: tuple[float, float]) -> Any:
    """The Axes to draw on: those given, or those of a new figure."""
    if ax is not None:
        return ax
    try:
        from matplotlib import pyplot
    except ImportError as error:
        raise UsageError(
            f"a picture needs matplotlib ({error}); install it with: pip install 'cnn-costmodel[plot]'"
        ) from error
    _, ax = pyplot.subplots(figsize=size, layout="constrained")
    return ax


def _timed(analysis: Analysis) -> list[Times]:
    if not analysis.predictions:
        raise UsageError(f"{analysis.model}: no platform is predicted; name one, as in analyze(..., platform='pixel4')")
    return times(analysis)


def _chosen(shown: Sequence[Times], platform: str | None) -> Times:
    """The platform of an id or of its unique beginning; the first for None."""
    if platform is None:
        return shown[0]
    ids = [entry.platform.id for entry in shown]
    fits = [entry for entry in shown if entry.platform.id == platform]
    fits = fits or [entry for entry in shown if entry.platform.id.startswith(platform)]
    if len(fits) != 1:
        raise UsageError(f"platform {platform!r}: names {len(fits) or 'none'} of those predicted: {', '.join(ids)}")
    return fits[0]


def _whole(entry: Times) -> float:
    return float(entry.prediction.latency.seconds) or 1.0


def _seconds(entry: Times, part: str) -> float:
    """Seconds of a part of the run."""
    if part == FIXED:
        return float(entry.prediction.fixed)
    kernels = entry.prediction.kernels
    return sum(float(item.estimate.seconds) for item in kernels if part_of(item.kernel.kind) == part)


def _is_drawn(mult_adds: Any, seconds: Any) -> bool:
    return bool(mult_adds) and bool(seconds)


def _dots(ax: Any, entry: Times, kernels: Sequence[KernelEstimate]) -> None:
    """The kernels of each part as dots of its colour, what takes longest behind the others."""
    for part, name in PARTS.items():
        items = [item for item in kernels if part_of(item.kernel.kind) == part]
        items.sort(key=lambda item: -float(item.estimate.seconds))
        if items:
            work = [_work(item) for item in items]
            ax.scatter(
                [mult_adds / size for mult_adds, size, _ in work],
                [mult_adds / seconds for mult_adds, _, seconds in work],
                s=[_SMALLEST + _LARGEST * seconds / _whole(entry) for _, _, seconds in work],
                color=_COLOURS[part],
                alpha=0.6,
                linewidths=0,
                label=name,
            )


def _work(item: KernelEstimate) -> tuple[Any, Any, float]:
    """A kernel's mult-adds, bytes and seconds."""
    cost = item.kernel.cost
    return cost.mult_adds, cost.bytes, float(item.estimate.seconds)


def _ceilings(ax: Any, rates: Mapping[Kind, float], bandwidth: float) -> None:
    """A level line a kind of kernel, and the slope of the memory, up to the highest of them."""
    low, high = ax.dataLim.intervalx
    low, high = low / 2, high * 2
    for kind, rate in rates.items():
        start = min(max(low, rate / bandwidth), high) if bandwidth else low
        ax.plot([start, high], [rate, rate], color=_COLOURS[part_of(kind)], linewidth=1, linestyle="--")
    for rate, names in _together(rates):
        ax.annotate(
            ", ".join(names),
            (high, rate),
            xytext=(0, 2),
            textcoords="offset points",
            fontsize="x-small",
            ha="right",
        )
    if bandwidth and rates:
        end = max(rates.values()) / bandwidth
        label = f"memory: {short(round(bandwidth))}B/s"
        ax.plot([low, end], [low * bandwidth, end * bandwidth], color=_INK, linewidth=1, linestyle="--", label=label)


def _together(rates: Mapping[Kind, float]) -> list[tuple[float, list[str]]]:
    """Kinds whose ceilings are too near each other for a name each, below the highest of them."""
    result: list[tuple[float, list[str]]] = []
    for kind, rate in sorted(rates.items(), key=lambda entry: -entry[1]):
        if result and result[-1][0] < _NEAR * rate:
            result[-1][1].append(kind.value)
        else:
            result.append((rate, [kind.value]))
    return result


def _title(ax: Any, text: str, **place: Any) -> None:
    ax.set_title(plain(text), fontsize="medium", loc="left", parse_math=False, **place)


def _model(analysis: Analysis) -> str:
    return shortened(analysis.model, _LONGEST_TITLE)


def _label(name: str) -> str:
    """A name in a legend: matplotlib leaves out those that begin with an underscore."""
    shown = shortened(name, _LONGEST_NAME)
    return f" {shown}" if shown.startswith("_") else shown

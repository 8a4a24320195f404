"""A search's outcome as a picture: fronts with the widths of Table 5, and the best so far."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from costmodel.errors import UsageError
from costmodel.report import pictures

if TYPE_CHECKING:
    from search.report import Outcome

_STYLE = {"savefig.facecolor": "white", "axes.spines.top": False, "axes.spines.right": False}
_FRONT, _FOUND, _KNOWN = "#4c78a8", "#d62728", "#222222"
_PANEL = (4.4, 3.6)  # inches


def svg(outcome: Outcome) -> str:
    """The picture as SVG on white. The same outcome gives the same text. Raises UsageError without matplotlib."""
    return pictures.svg(lambda: _draw(outcome), _STYLE)


def png(outcome: Outcome) -> bytes:
    """The same, 160 pixels an inch."""
    return pictures.png(lambda: _draw(outcome), _STYLE)


def _draw(outcome: Outcome) -> Any:
    from matplotlib.figure import Figure

    platforms = [platform.id for platform in outcome.evaluator.platforms]
    has_history = len(outcome.result.history) > 1
    panels = len(platforms) + has_history
    if not panels:
        raise UsageError("nothing to draw: no platform is named and the search has no history; leave out --plot")
    figure = Figure(figsize=(_PANEL[0] * panels, _PANEL[1]), layout="constrained")
    axes = figure.subplots(1, panels, squeeze=False)[0]
    for one, platform in zip(axes, platforms, strict=False):
        _draw_front(one, outcome, platform)
    if platforms:
        handles, names = axes[0].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside lower left", ncols=len(names), frameon=False, fontsize=8)
    if has_history:
        _draw_history(axes[-1], outcome)
    return figure


def _draw_front(axes: Any, outcome: Outcome, platform: str) -> None:
    """Capacity over predicted latency: the front's staircase, the designs found, Table 5, the budget."""
    shown = outcome.evaluator.capacity.shown
    for front in outcome.fronts:
        if front.platform == platform:
            axes.plot(
                front.seconds * 1e3,
                shown(front.capacity),
                drawstyle="steps-post",
                color=_FRONT,
                label="best of the space",
            )
    sampled = [one for one in outcome.result.front if one.latency]
    if sampled and not outcome.result.proven:
        times = [one.latency[platform].seconds * 1e3 for one in sampled]
        axes.plot(times, [one.shown for one in sampled], ".", color=_FRONT, label="front of the trials")
    best = outcome.result.best[0]
    latency = best.latency[platform]
    ends = [[(latency.seconds - latency.low) * 1e3], [(latency.high - latency.seconds) * 1e3]]
    axes.errorbar(
        [latency.seconds * 1e3],
        [best.shown],
        xerr=ends,
        fmt="o",
        color=_FOUND,
        capsize=3,
        label="found, with interval",
        zorder=3,
    )
    for width, one in outcome.standards.items():
        time = one.latency[platform].seconds * 1e3
        axes.plot([time], [one.shown], "D", color=_KNOWN, markersize=4, label="Table 5" if width == 1.0 else None)
        axes.annotate(f"{width:g}x", (time, one.shown), xytext=(4, -9), textcoords="offset points", size=8)
    budget = outcome.limits.budgets.get(platform)
    if budget is not None:
        axes.axvline(budget * 1e3, color=_FOUND, linestyle=":", linewidth=1, label="budget")
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(_plain)
    axes.xaxis.set_minor_formatter(_plain)
    axes.tick_params(axis="x", which="both", labelsize=8)
    axes.set(xlabel="predicted latency, ms", ylabel=outcome.evaluator.capacity.unit, title=platform)


def _plain(value: float, position: object) -> str:
    """A tick of a logarithmic axis as a plain number, 1, 2 and 5 of each decade."""
    text = f"{value:.6g}"
    digits = f"{value:e}"[0]
    return text if digits in "125" else ""


def _draw_history(axes: Any, outcome: Outcome) -> None:
    """The best capacity so far over the designs that were priced."""
    shown = outcome.evaluator.capacity.shown
    history = outcome.result.history
    examined = [step.examined for step in history] + [max(outcome.result.examined, history[-1].examined)]
    capacity = [float(shown(step.capacity)) for step in history]
    axes.plot(examined, [*capacity, capacity[-1]], drawstyle="steps-post", color=_FRONT, label="best so far")
    if outcome.optimum is not None:
        axes.axhline(outcome.optimum.shown, color=_KNOWN, linestyle=":", linewidth=1, label="exact optimum")
    axes.set(xlabel="designs priced", ylabel=outcome.evaluator.capacity.unit, title=f"{outcome.result.engine}")
    axes.legend(frameon=False, fontsize=8, loc="lower right")

"""Where designs are in a plot of capacity over predicted latency."""

from __future__ import annotations

from costmodel.report.html.plots import Axis, percent
from search.page.shown import Entry, Shown

Axes = tuple[Axis, Axis]  # milliseconds, logarithmic; capacity as shown

_ROOM = 0.04  # of the range of capacities, above and below
_WIDER = 1.12  # times the latencies at both ends


def axes(shown: Shown, platform: str) -> Axes:
    """With room for every design of the page, the best one's interval, the budget and the whole front."""
    best, budget = shown.best.candidate.latency[platform], shown.outcome.limits.budgets.get(platform)
    times = [entry.candidate.latency[platform].seconds for entry in shown.entries]
    times += [best.low, best.high, *([budget] if budget else [])]
    values = [entry.candidate.shown for entry in shown.entries]
    front = shown.front_of(platform)
    if front is not None:
        times += [float(front.seconds[0]), float(front.seconds[-1])]
        values += [float(shown.outcome.evaluator.capacity.shown(front.capacity[end])) for end in (0, -1)]
    return Axis(min(times) * 1e3 / _WIDER, max(times) * 1e3 * _WIDER, log=True), with_room(values)


def with_room(values: list[float], room: float = _ROOM) -> Axis:
    """The range of values with a share of it above and below."""
    low, high = min(values), max(values)
    margin = room * (high - low) or room * abs(high) or 1.0
    return Axis(low - margin, high + margin)


def place(entry: Entry, platform: str, sides: Axes) -> tuple[str, str]:
    """A design's place from the left and from above, in percent."""
    x, y = sides
    latency = entry.candidate.latency[platform].seconds
    return percent(x.at(latency * 1e3)), percent(1 - y.at(entry.candidate.shown))

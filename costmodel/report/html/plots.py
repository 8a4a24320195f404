"""Plots as inline SVG. Places are in percent of the plot, so that it is as wide as the page and text keeps its size.

A plot's axes hang over its edges; the style leaves room for them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from costmodel.report.html.markup import Content, Markup, tag

Ends = tuple[tuple[float, float], tuple[float, float]]  # of a line: the x and y of both

_STEPS = (1.0, 2.0, 5.0, 10.0)
_FINE = (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 7, 8, 9)  # of a range of less than a factor of 4
_PREFIXES = ((1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


@dataclass(frozen=True, slots=True)
class Axis:
    """A range of values. log: in powers of ten; its ends are then above 0."""

    low: float
    high: float
    log: bool = False

    def at(self, value: float) -> float:
        """A value's place: 0 at the low end, 1 at the high one."""
        if self.log:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)

    def ticks(self, most: int = 6) -> list[float]:
        """At most so many round values in the range; of a logarithmic one powers of ten, and what fits between."""
        if not self.log:
            step = _round_step((self.high - self.low) / most)
            first = math.ceil(self.low / step - 1e-9)
            return [step * number for number in range(first, math.floor(self.high / step + 1e-9) + 1)]
        powers = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
        for factors in (_FINE, (1, 1.5, 2, 3, 5, 7), (1, 2, 5), (1, 3), (1,)):
            ticks = [factor * 10.0**power for power in powers for factor in factors]
            ticks = [tick for tick in ticks if self.low * 0.999 <= tick <= self.high * 1.001]
            if len(ticks) <= most:
                return ticks
        return ticks[:: -(-len(ticks) // most)]


def log_axis(values: list[float]) -> Axis:
    """A logarithmic axis with the values, all above 0, and some room around them; of a factor of 4 at least."""
    low, high = min(values) / 1.4, max(values) * 1.4
    if high < 4 * low:
        low, high = low / 2, high * 2
    return Axis(low, high, log=True)


def _round_step(least: float) -> float:
    if least <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(least))
    return next(power * step for step in _STEPS if power * step >= least * (1 - 1e-9))


def percent(place: float) -> str:
    """A place from 0 to 1 as SVG has it."""
    return f"{100 * place:.2f}".rstrip("0").rstrip(".") + "%"


def compact(value: float, unit: str = "") -> str:
    """A number of an axis: 20 k, 0.5, 1 MB."""
    for size, prefix in _PREFIXES:
        if value >= size * 0.9999:
            return f"{value / size:g} {prefix}{unit}"
    return f"{value:g} {unit}".rstrip()


def plot(height: int, name: str, *marks: Content) -> Markup:
    """A plot of so many pixels' height, as wide as there is room. name: what screen readers call it."""
    return tag("svg", *marks, class_="plot", height=height, role="img", aria_label=name)


def x_axis(axis: Axis, most: int = 6) -> list[Markup]:
    """Lines of a grid, with values below."""
    result = []
    for tick in axis.ticks(most):
        place = percent(axis.at(tick))
        result.append(tag("line", class_="grid", x1=place, x2=place, y1="0", y2="100%"))
        result.append(tag("text", compact(tick), class_="tick", x=place, y="100%", dy="16", text_anchor="middle"))
    return result


def y_axis(axis: Axis, most: int = 5, unit: str = "") -> list[Markup]:
    """Lines of a grid, with values at the left."""
    result = []
    for tick in axis.ticks(most):
        place = percent(1 - axis.at(tick))
        result.append(tag("line", class_="grid", x1="0", x2="100%", y1=place, y2=place))
        result.append(
            tag("text", compact(tick, unit), class_="tick", x="0", dx="-6", y=place, dy="4", text_anchor="end")
        )
    return result


def line(x: Axis, y: Axis, start: tuple[float, float], end: tuple[float, float], class_: str) -> Markup:
    """A straight line between two points given in the axes' values."""
    (x1, y1), (x2, y2) = start, end
    ends = {"x1": x.at(x1), "y1": 1 - y.at(y1), "x2": x.at(x2), "y2": 1 - y.at(y2)}
    return tag("line", class_=class_, **{name: percent(place) for name, place in ends.items()})


def clipped(x: Axis, y: Axis, slope: float) -> Ends | None:
    """The ends of y = slope * x within two logarithmic axes; None where it does not cross them."""
    low, high = max(x.low, y.low / slope), min(x.high, y.high / slope)
    return ((low, slope * low), (high, slope * high)) if low < high else None

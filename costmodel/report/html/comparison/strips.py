"""The layers of both networks in the order of execution, one strip each, with those that are in both tied together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from costmodel.comparing import Comparison, Difference, Layer, State, Verdict
from costmodel.kernels import kind_of
from costmodel.report.html.comparison.compared import SIDES, STATES, Compared, side_of
from costmodel.report.html.comparison.layers import states
from costmodel.report.html.markup import Markup, tag
from costmodel.report.html.parts import FIXED, part_of
from costmodel.report.html.plots import Axis, percent, plot, x_axis
from costmodel.report.html.sections import Section, figure, legend, marks, section
from costmodel.report.latency import milliseconds
from costmodel.report.numbers import short

_HEIGHT = 40
_BAND = 34
_THINNEST = 0.002  # of the width: what a layer that differs has at least
_UNITS = 10_000  # of a band's width


@dataclass(frozen=True, slots=True)
class Cell:
    """A layer of one of the networks in its strip: where it begins and ends, in milliseconds or mult-adds.

    place: of its difference among all.
    """

    place: int
    start: float
    end: float


@dataclass(frozen=True)
class Strips:
    """The cells of both networks by the place of their differences, in the order of execution, and one axis for both.

    first: what stands before the cells: the run without its layers.
    """

    sides: tuple[Mapping[int, Cell], Mapping[int, Cell]]
    first: tuple[float, float]
    axis: Axis


def strips(compared: Compared) -> Section:
    """A picture for each platform; one of mult-adds without any. Where little is alike, kernels by their kind."""
    related = compared.comparison.verdict is not Verdict.UNRELATED
    platforms: Sequence[int | None] = range(len(compared.times[0])) or [None]
    pictures = [_picture(compared, platform, related) for platform in platforms]
    hint = "Layers that are the same are tied together. A click on a cell selects its row in the table below."
    return section(
        "networks",
        "Layers in the order of execution",
        tag("p", hint, class_="note") if compared.rows else None,
        states(compared, "States") if related else legend(_parts(compared)),
        *pictures,
    )


def _picture(compared: Compared, platform: int | None, related: bool) -> Markup:
    drawn = _strips(compared, platform)
    where = "Without a platform, by mult-adds" if platform is None else compared.times[0][platform].platform.id
    unit = "mult-adds" if platform is None else "milliseconds of the run"
    upper, lower = (_strip(compared, drawn, platform, side, related) for side in (0, 1))
    said = [
        f"{name}: {compared.analysis(side).model}, {_total(compared, platform, side)}"
        for side, name in enumerate(SIDES)
    ]
    content = figure(
        where,
        tag("p", said[0], class_="axis"),
        upper,
        _bands(compared.comparison, drawn) if related else None,
        lower,
        tag("p", f"{said[1]}; {unit}", class_="axis"),
    )
    return tag("div", content, class_="strips")


def _strip(compared: Compared, drawn: Strips, platform: int | None, side: int, related: bool) -> Markup:
    where = "by mult-adds" if platform is None else f"on {compared.times[side][platform].platform.id}"
    name = f"Layers {SIDES[side]}, {where}"
    axis = x_axis(drawn.axis) if side else []
    return marks(plot(_HEIGHT, name, *axis, *_boxes(compared, drawn, platform, side, related)), name)


def _total(compared: Compared, platform: int | None, side: int) -> str:
    if platform is None:
        return f"{short(compared.analysis(side).totals.mult_adds)} mult-adds"
    return f"{milliseconds(compared.times[side][platform].prediction.latency.seconds)} ms"


def _strips(compared: Compared, platform: int | None) -> Strips:
    both = [_amounts(compared, platform, side) for side in (0, 1)]
    firsts = []
    for side, amounts in enumerate(both):
        whole = 0.0 if platform is None else _latency(compared, platform, side)
        firsts.append(max(whole - sum(amounts.values()), 0.0))
    longest = max(first + sum(amounts.values()) for first, amounts in zip(firsts, both, strict=True)) or 1.0
    sides = []
    for first, amounts in zip(firsts, both, strict=True):
        cells, start = {}, first
        for place, amount in amounts.items():
            cells[place] = Cell(place, start, start + amount)
            start += amount
        sides.append(cells)
    return Strips((sides[0], sides[1]), (firsts[0], firsts[1]), Axis(0.0, longest))


def _latency(compared: Compared, platform: int, side: int) -> float:
    return 1e3 * float(compared.times[side][platform].prediction.latency.seconds)


def _amounts(compared: Compared, platform: int | None, side: int) -> dict[int, float]:
    """What each layer takes, in milliseconds or mult-adds, by the place of its difference, as the network runs them."""
    order = {node.name: place for place, node in enumerate(compared.analysis(side).graph.nodes)}
    found = [
        (order[layer.main.name], place, _amount(one, platform, side))
        for place, one in enumerate(compared.comparison.differences)
        if (layer := side_of(one, side)) is not None
    ]
    return {place: amount for _, place, amount in sorted(found)}


def _amount(one: Difference, platform: int | None, side: int) -> float:
    if platform is not None:
        return 1e3 * one.seconds[platform][side]
    layer = side_of(one, side)
    return float(layer.mult_adds) if layer is not None and isinstance(layer.mult_adds, int) else 0.0


def _boxes(compared: Compared, drawn: Strips, platform: int | None, side: int, related: bool) -> Iterator[Markup]:
    """The cells of one network, those that differ last, so that they are drawn over the others."""
    if drawn.first[side]:
        share = drawn.first[side] / drawn.axis.high
        words = f"input, run and copies: {drawn.first[side]:.3g} ms"
        yield tag("rect", class_=f"m {FIXED}", x="0", width=percent(share), height="100%", data_d=words)
    differences = compared.comparison.differences
    cells = sorted(drawn.sides[side].values(), key=lambda cell: differences[cell.place].state is not State.SAME)
    for cell in cells:
        one = differences[cell.place]
        least = _THINNEST if one.state is not State.SAME and related else 0.0
        width = max((cell.end - cell.start) / drawn.axis.high, least)
        if width:
            yield _box(compared, one, (platform, side), related, (drawn.axis.at(cell.start), width))


def _box(
    compared: Compared,
    one: Difference,
    where: tuple[int | None, int],
    related: bool,
    span: tuple[float, float],
) -> Markup:
    platform, side = where
    layer = side_of(one, side)
    assert layer is not None
    number = compared.number(side, layer.name)
    token = f"p{platform or 0}{'ab'[side]}{number}" if number else None
    if token:
        compared.links.tie(token, [f"o{number}"])
    said = f"{STATES[one.state] if related else layer.op}, {_took(one, platform, related, side)}"
    return tag(
        "rect",
        class_=f"m {one.state.value if related else _part(compared, layer, side)}",
        x=percent(span[0]),
        width=percent(span[1]),
        height="100%",
        data_t=token,
        data_o=number,
        data_d=said if number else f"{layer.label}: {said}",
    )


def _took(one: Difference, platform: int | None, related: bool, side: int) -> str:
    before, after = (_amount(one, platform, place) for place in (0, 1))
    if platform is None:
        texts, unit = [short(round(before)), short(round(after))], "mult-adds"
    else:
        texts, unit = [f"{before:.3g}", f"{after:.3g}"], "ms"
    if not related or one.before is None or one.after is None or texts[0] == texts[1]:
        return f"{texts[side if one.before and one.after else int(one.after is not None)]} {unit}"
    return f"{texts[0]} → {texts[1]} {unit}"


def _part(compared: Compared, layer: Layer, side: int) -> str:
    """The part of a run's time that a layer is of."""
    return part_of(kind_of(layer.main, compared.analysis(side).graph.tensors)[0])


def _parts(compared: Compared) -> set[str]:
    both = ((one, side) for one in compared.comparison.differences for side in (0, 1))
    used = {_part(compared, layer, side) for one, side in both if (layer := side_of(one, side)) is not None}
    return used | {FIXED} if compared.times[0] else used


def _bands(comparison: Comparison, drawn: Strips) -> Markup:
    """Where the layers of the upper strip are in the lower one; what is in one of them only begins or ends in a point.

    Neighbours that stay neighbours share a band.
    """
    shapes = [
        tag("polygon", class_=f"band {state.value}", points=_points(drawn.axis, *upper, *lower))
        for state, upper, lower in _tied(comparison, drawn)
    ]
    return tag(
        "svg",
        *shapes,
        class_="bands",
        viewBox=f"0 0 {_UNITS} 100",
        preserveAspectRatio="none",
        height=_BAND,
        aria_hidden="true",
    )


def _points(axis: Axis, a_start: float, a_end: float, b_start: float, b_end: float) -> str:
    corners = ((a_start, 0), (a_end, 0), (b_end, 100), (b_start, 100))
    return " ".join(f"{_UNITS * axis.at(value):.0f},{height}" for value, height in corners)


def _tied(comparison: Comparison, drawn: Strips) -> Iterator[tuple[State, tuple[float, float], tuple[float, float]]]:
    """States with the spans in the upper and in the lower strip."""
    upper, lower = drawn.sides
    both = [(cell, lower[place]) for place, cell in upper.items() if place in lower]
    yield from _shared(comparison, both)
    for side, (own, other) in enumerate(((upper, lower), (lower, upper))):
        at = drawn.first[1 - side]
        for place, cell in own.items():
            if place in other:
                at = other[place].end
                continue
            spans = ((cell.start, cell.end), (at, at))
            yield comparison.differences[place].state, *(spans if side == 0 else spans[::-1])


def _shared(
    comparison: Comparison, both: Sequence[tuple[Cell, Cell]]
) -> Iterator[tuple[State, tuple[float, float], tuple[float, float]]]:
    """The bands of layers in both; one for those of a state that follow on each other in both strips."""
    state, upper, lower = None, (0.0, 0.0), (0.0, 0.0)
    for one, other in both:
        now = comparison.differences[one.place].state
        if now is state and one.start == upper[1] and other.start == lower[1]:
            upper, lower = (upper[0], one.end), (lower[0], other.end)
            continue
        if state is not None:
            yield state, upper, lower
        state, upper, lower = now, (one.start, one.end), (other.start, other.end)
    if state is not None:
        yield state, upper, lower

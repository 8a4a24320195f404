"""The top of the page: counts and latencies of both networks, and by how much they differ."""

from __future__ import annotations

from collections.abc import Iterator

from costmodel.comparing import Comparison, Delay
from costmodel.report import compare_cells as cells
from costmodel.report.coverage import LOWER_BOUNDS, coverage_line
from costmodel.report.html.comparison.compared import SIDES, Compared
from costmodel.report.html.markup import Markup, tag
from costmodel.report.html.plots import Axis, percent, plot, x_axis
from costmodel.report.html.sections import Section, bullets, section, table
from costmodel.report.latency import Times, milliseconds, note_lines

_ROW = 26  # pixels of height that a bar has for itself
_THICK = 0.62  # of that, the bar
_CAP = 0.22  # of that, half of what closes a whisker
_ROOM = 1.04  # what an axis has beyond the largest value

_DOUBT = (
    "Latencies are predicted, not measured. The thin lines are intervals, each to hold what would be measured in the "
    "given share of cases. The difference is surer than the latencies that it is of: what the platform's profile gets "
    "wrong in layers that both networks have, it gets wrong twice alike."
)


def totals(comparison: Comparison) -> Section:
    """The counts before and after, and how far they can be trusted."""
    shown = cells.totals(comparison)
    lines = [*cells.input_lines(comparison), *filter(None, [cells.spelled_line(comparison)]), *_trust(comparison)]
    return section(
        "counts",
        "Counts",
        table([head or "in %" for head in shown.heads], shown.rows, "Counts of the operators as they are written"),
        bullets(lines),
    )


def _trust(comparison: Comparison) -> Iterator[str]:
    """What the counts of either network leave out, and what was assumed."""
    for analysis in (comparison.before, comparison.after):
        coverage = analysis.coverage
        found = [coverage_line(analysis)] if coverage.approximated or coverage.unknown else []
        found += [LOWER_BOUNDS] if coverage.unknown else []
        yield from (f"{analysis.model}: {line}" for line in (*found, *analysis.notes))


def latencies(compared: Compared) -> Section:
    """A card for each platform: both latencies and their difference, with intervals."""
    delays = compared.comparison.delays
    words = cells.latencies(compared.comparison).rows
    cards = [_card(compared, place, delay, words[place]) for place, delay in enumerate(delays)]
    return section(
        "latency",
        "Latency",
        tag("div", *cards, class_="cards"),
        tag("p", _DOUBT, class_="note"),
        bullets(note_lines(compared.comparison.after)),
    )


def _card(compared: Compared, platform: int, delay: Delay, words: tuple[str, ...]) -> Markup:
    entries = [times[platform] for times in compared.times]
    _, before, after, difference, ends, share = words
    changed = f"{difference} ms{f' ({share})' if share else ''}" if difference != "0" else "no difference"
    return tag(
        "article",
        tag("h3", delay.platform),
        tag("p", entries[0].platform.device, class_="muted"),
        tag("p", f"{before} ms" if difference == "0" else f"{before} → {after} ms", class_="big"),
        _runs(entries),
        tag("p", tag("b", "Difference: "), changed, class_="gap"),
        *(_difference(delay, ends) if difference != "0" else ()),
        class_="card compared",
    )


def _runs(entries: list[Times]) -> Markup:
    """Both latencies as bars, each with its interval as a whisker."""
    estimates = [entry.prediction.latency for entry in entries]
    axis = Axis(0.0, max(max(float(one.high), float(one.seconds)) for one in estimates) * 1e3 * _ROOM or 1.0)
    drawn = []
    for side, (name, one) in enumerate(zip(SIDES, estimates, strict=True)):
        middle = (side + 0.5) / len(SIDES)
        height = _THICK / len(SIDES)
        drawn += [
            tag(
                "rect",
                class_="m same",
                x="0",
                width=percent(axis.at(float(one.seconds) * 1e3)),
                y=percent(middle - height / 2),
                height=percent(height),
                data_d=f"{name}: {milliseconds(one.seconds)} ms, {_between(one.low, one.high, one.coverage)}",
            ),
            *_whisker(axis, float(one.low) * 1e3, float(one.high) * 1e3, middle, 1 / len(SIDES)),
            tag("text", name, class_="tick", x="0", dx="-6", y=percent(middle), dy="4", text_anchor="end"),
        ]
    said = "; ".join(
        f"{name} {milliseconds(one.seconds)} ms, {_between(one.low, one.high, one.coverage)}"
        for name, one in zip(SIDES, estimates, strict=True)
    )
    return plot(len(SIDES) * _ROW, f"Milliseconds of a run: {said}", *x_axis(axis, 5), *drawn)


def _between(low: object, high: object, coverage: float) -> str:
    return f"{milliseconds(low)} to {milliseconds(high)} ms for {100 * coverage:g} % of networks"


def _difference(delay: Delay, ends: str) -> Iterator[Markup]:
    """The difference with its interval beside 0, and in words."""
    low, high = 1e3 * min(delay.low, 0.0), 1e3 * max(delay.high, 0.0)
    room = (high - low) * (_ROOM - 1) or 0.5
    axis = Axis(low - room, high + room)
    zero = percent(axis.at(0.0))
    state = "unsure" if not delay.certain else "slower" if delay.seconds > 0 else "faster"
    point = tag("circle", class_=f"m {state}", cx=percent(axis.at(1e3 * delay.seconds)), cy="50%", r="5.5")
    drawn = (
        tag("line", class_="zero", x1=zero, x2=zero, y1="0", y2="100%"),
        *_whisker(axis, 1e3 * delay.low, 1e3 * delay.high, 0.5, 1.0),
        point,
    )
    name = f"Milliseconds after less those before: {ends}"
    yield plot(_ROW, name, *_signed_axis(axis), *drawn)
    yield tag("p", f"{ends} ms in {100 * delay.coverage:g} % of cases")
    said = {
        "slower": ("Slower: the whole interval is above 0.", "exceeded"),
        "faster": ("Faster: the whole interval is below 0.", "kept"),
        "unsure": ("Which one is faster is not sure: the interval holds 0.", "unsure-words"),
    }
    words, class_ = said[state]
    yield tag("p", words, class_=class_)


def _signed_axis(axis: Axis) -> Iterator[Markup]:
    """Lines of a grid with signed values below."""
    for tick in axis.ticks(5):
        place = percent(axis.at(tick))
        value = f"{tick:+.6g}" if abs(tick) > 1e-9 * (axis.high - axis.low) else "0"
        yield tag("line", class_="grid", x1=place, x2=place, y1="0", y2="100%")
        yield tag("text", value, class_="tick", x=place, y="100%", dy="16", text_anchor="middle")


def _whisker(axis: Axis, low: float, high: float, middle: float, row: float) -> Iterator[Markup]:
    """A line from the low to the high end of an interval, closed at both. row: share of the plot that it has."""
    ends = [percent(axis.at(value)) for value in (low, high)]
    y = percent(middle)
    yield tag("line", class_="whisker", x1=ends[0], x2=ends[1], y1=y, y2=y)
    caps = (percent(middle - _CAP * row), percent(middle + _CAP * row))
    for end in ends:
        yield tag("line", class_="whisker", x1=end, x2=end, y1=caps[0], y2=caps[1])

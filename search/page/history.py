"""How the search went: the best so far over the designs priced, and rounds of refining with measurements."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from costmodel.report.html.markup import Markup, tag
from costmodel.report.html.plots import Axis, line, percent, plot, x_axis, y_axis
from costmodel.report.html.sections import Section, figure, section, table
from costmodel.report.latency import milliseconds
from search.page.axes import with_room
from search.page.shown import Shown
from search.report import Outcome, capacity_text, design_text, refined_line

if TYPE_CHECKING:
    from search.refine import Round, Trial

_HEIGHT = 240
_ROW = 24  # pixels of a measured design's
_ROOM = 0.1  # of the range of capacities, above and below


def history(shown: Shown) -> Section | None:
    """The best so far; None for an engine that tells only its end."""
    outcome = shown.outcome
    if len(outcome.result.history) < 2:
        return None
    points = steps(outcome)
    ends = [value for _, value in points] + ([outcome.optimum.shown] if outcome.optimum else [])
    x, y = Axis(0.0, float(points[-1][0])), with_room(ends, _ROOM)
    unit = outcome.evaluator.capacity.unit
    name = f"Best {unit} so far over designs priced"
    lines = []
    for (before, value), (after, risen) in pairwise(points):
        lines.append(line(x, y, (before, value), (after, value), "sofar"))
        if risen != value:
            lines.append(line(x, y, (after, value), (after, risen), "sofar"))
    content = plot(_HEIGHT, name, *x_axis(x), *y_axis(y), *_optimum(outcome, x, y), *lines)
    first, last = points[0], points[-1]
    found = next(examined for examined, value in points if value == last[1])
    return section(
        "history",
        "History",
        figure(
            f"The best so far: {capacity_text(first[1])} at design {first[0]:,}, {capacity_text(last[1])} from design "
            f"{found:,} on",
            tag("p", unit, class_="axis"),
            content,
            tag("p", "designs priced", class_="axis below"),
        ),
    )


def steps(outcome: Outcome) -> list[tuple[int, float]]:
    """Designs priced, and the best so far as shown; the last at the end of the search."""
    shown = outcome.evaluator.capacity.shown
    points = [(step.examined, float(shown(step.capacity))) for step in outcome.result.history]
    last, value = points[-1]
    return [*points, (max(outcome.result.examined, last), value)]


def _optimum(outcome: Outcome, x: Axis, y: Axis) -> list[Markup]:
    if outcome.optimum is None:
        return []
    value = outcome.optimum.shown
    words = f"exact optimum {capacity_text(value)}"
    height = percent(1 - y.at(value))
    label = tag("text", words, class_="label", x="100%", dx="-4", y=height, dy="-6", text_anchor="end")
    return [line(x, y, (x.low, value), (x.high, value), "optimum"), label]


def rounds(shown: Shown) -> Section | None:
    """Predicted against measured, round by round; None where nothing was refined."""
    done = shown.outcome.rounds
    if not done or not any(one.trials for one in done):
        return None
    heads = ("design", "round", "predicted ms", "interval", "measured ms", "error", "agree")
    rows = [_row(one, trial) for one in done for trial in one.trials]
    said = [tag("p", f"{refined_line(one).capitalize()}.") for one in done if one.trials]
    return section(
        "rounds",
        "Predicted and measured",
        *said,
        _plot(done),
        table(heads, rows, "The best designs of each round, as predicted then and as measured"),
    )


def _row(one: Round, trial: Trial) -> tuple[str, ...]:
    predicted = trial.predicted
    return (
        design_text(trial.design),
        str(one.number),
        milliseconds(predicted.seconds),
        f"{milliseconds(predicted.low)} to {milliseconds(predicted.high)}",
        milliseconds(trial.seconds),
        f"{100 * trial.error:+.1f} %",
        "yes" if trial.agrees else "no",
    )


def _plot(done: Sequence[Round]) -> Markup:
    """A row for each design: its interval and its prediction as predicted then, and what was measured."""
    from search.refine import AGREEMENT  # it brings all that measures along, and has run where there are rounds

    trials = [(one, trial) for one in done for trial in one.trials]
    ends = [end * 1e3 for _, trial in trials for end in (trial.predicted.low, trial.predicted.high, trial.seconds)]
    axis = with_room(ends, _ROOM)
    name = "Predicted intervals and measured latencies of each round's best designs"
    content = (mark for row, (one, trial) in enumerate(trials) for mark in _trial(axis, row, one, trial))
    key = (("span", "predicted, with its interval"), ("agrees", "measured: agrees"), ("differs", "measured: does not"))
    return figure(
        f"They agree where a measurement is within the interval, and the prediction at most {100 * AGREEMENT:g} % off",
        tag("ul", *(tag("li", tag("span", class_=f"key {one}"), words) for one, words in key), class_="legend"),
        plot(_ROW * len(trials), name, *x_axis(axis), *content),
        tag("p", "milliseconds", class_="axis below"),
    )


def _trial(axis: Axis, row: int, one: Round, trial: Trial) -> Iterator[Markup]:
    predicted, top = trial.predicted, row * _ROW
    low, middle = percent(axis.at(predicted.low * 1e3)), percent(axis.at(predicted.seconds * 1e3))
    width = percent(axis.at(predicted.high * 1e3) - axis.at(predicted.low * 1e3))
    if trial is one.trials[0]:
        yield tag("text", f"round {one.number}", class_="tick", x="0", dx="-6", y=top + 16, text_anchor="end")
    yield tag("rect", class_="span", x=low, y=top + 5, width=width, height=_ROW - 10)
    yield tag("line", class_="interval", x1=middle, x2=middle, y1=top + 3, y2=top + _ROW - 3)
    yield tag(
        "circle",
        class_=f"m {'agrees' if trial.agrees else 'differs'}",
        cx=percent(axis.at(trial.seconds * 1e3)),
        cy=top + _ROW // 2,
        r="5",
        data_d=f"{design_text(trial.design)}: predicted {milliseconds(predicted.seconds)}, measured "
        f"{milliseconds(trial.seconds)} ms",
    )

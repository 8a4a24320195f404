"""A verification as text: pure functions of frozen results."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.text import Text

from costmodel.report.latency import milliseconds
from costmodel.report.tables import table, to_text
from search.verify import Ratio, Row, Verification


def render_text(verification: Verification, width: int | None, color: bool) -> str:
    """The design and the width of Table 5, predicted and measured. width, color: as to_text has them."""
    parts: list[RenderableType] = [*map(Text, _head(verification)), "", _table(verification), ""]
    return to_text(Group(*parts, *map(Text, _tail(verification))), width, color)


def _head(one: Verification) -> Iterator[str]:
    threads = f"{one.threads} thread{'s' * (one.threads != 1)}"
    images = f"{one.batch} image{'s' * (one.batch != 1)} a run"
    yield f"Measured   on {one.processor}, {one.backend}, {threads}, {images}"
    yield f"           {one.origin}"
    if one.platform is not None:
        yield f"Predicted  for {one.platform.id} ({one.platform.device}){_coverage(one)}"


def _coverage(one: Verification) -> str:
    predicted = one.rows[0].predicted
    return "" if predicted is None else f"; intervals hold {predicted.coverage:g} of latencies"


def _table(one: Verification) -> RenderableType:
    if one.platform is None:
        rows = table("", "measured\nms", "spread", "visits")
        for row in one.rows:
            rows.add_row(row.name, *_clocked(row))
        return rows
    rows = table("", "predicted\nms", "between", "measured\nms", "spread", "visits", "predicted /\nmeasured", "inside")
    for row in one.rows:
        predicted = row.predicted
        if predicted is not None:
            between = f"{milliseconds(predicted.low)} to {milliseconds(predicted.high)}"
            ratio = f"{predicted.seconds / row.measured.seconds:.2f}"
            inside = "yes" if row.inside else "no"
            rows.add_row(row.name, milliseconds(predicted.seconds), between, *_clocked(row), ratio, inside)
    return rows


def _clocked(row: Row) -> tuple[str, str, str]:
    visits = sum(time is not None for time in row.measured.rounds)
    return milliseconds(row.measured.seconds), f"{100 * row.measured.spread:.1f} %", str(visits)


def _tail(one: Verification) -> Iterator[str]:
    if one.speed_up is None:
        yield f"The design is Table 5's {one.width:g}x."
    else:
        predicted = one.predicted_speed_up
        said = "" if predicted is None else f"; predicted {predicted:.2f}"
        yield f"Times as fast as {one.width:g}x of Table 5: measured {ratio_text(one.speed_up)}{said}"
    repeatability = one.rows[0].measured.repeatability
    if repeatability is not None:
        yield f"Another measurement would differ by up to {100 * repeatability:.1f} %, as this one's halves do."


def ratio_text(ratio: Ratio) -> str:
    """1.27 (1.26 to 1.29 in half of 7 rounds)."""
    if ratio.rounds < 2:
        return f"{ratio.times:.2f} (no range: fewer than 2 undisturbed rounds)"
    return f"{ratio.times:.2f} ({ratio.low:.2f} to {ratio.high:.2f} in half of {ratio.rounds} rounds)"

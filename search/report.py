"""A search's outcome as text and as JSON: pure functions of frozen results."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.text import Text

from costmodel.pricing import estimate_record
from costmodel.report.latency import labels, milliseconds
from costmodel.report.numbers import exact, short
from costmodel.report.tables import NARROWEST, table, to_text
from search.capacity import EFFECTIVENESS
from search.comparison import Front, Gain
from search.design import Design, Stage
from search.evaluate import Evaluator
from search.limits import Limits
from search.result import Candidate, Result, design_record

if TYPE_CHECKING:
    from search.refine import Round

SCHEMA = "costmodel.search/1"

_GAP = 2  # blanks between columns of a table
_USUAL = Design(1, (Stage(4, 2, 1),) * 3, 1)  # fields that are as here go without saying


@dataclass(frozen=True)
class Outcome:
    """All that a search has to tell.

    result: of the engine. optimum: the exact engine's best for the same question, where it can be had and the engine
    was another. standards: the widths of Table 5. gains: they beside the fronts. findings: what guidelines the best
    breaks, in words; empty where no platform prices them. seconds: that the engine took. rounds: of refining.
    required: guidelines that may not be broken. named: the platforms as commands name them.
    """

    evaluator: Evaluator
    limits: Limits
    result: Result
    optimum: Candidate | None
    standards: Mapping[float, Candidate]
    fronts: tuple[Front, ...]
    gains: tuple[Gain, ...]
    findings: str
    seconds: float
    rounds: tuple[Round, ...] = ()
    required: tuple[str, ...] = ()
    named: tuple[str, ...] = ()

    @property
    def arguments(self) -> str:
        """What follows a network's name in commands for the same platforms and batch, a blank before each word."""
        words = [word for name in self.named for word in ("-p", name)]
        words += ["--batch", str(self.evaluator.batch)] if self.evaluator.batch > 1 else []
        return "".join(f" {shlex.quote(word)}" for word in words)


def render_text(outcome: Outcome, width: int | None, color: bool) -> str:
    """Tables: the best designs, their latencies, and Table 5 beside them. width, color: as to_text has them."""
    parts: list[RenderableType] = [Text(line) for line in _head(outcome)]
    page = None if width is None else max(width, NARROWEST)
    parts += [*_designs(outcome, page), *_latencies(outcome, page)]
    for gains in _by_platform(outcome):
        parts += ["", *_against(outcome, gains)]
    if outcome.result.front:
        parts += ["", Text("The front: none is faster and of more capacity than another"), *_front(outcome)]
    tables = to_text(Group(*parts), width, color)
    return f"{tables}\n{_last_line(outcome)}\n"  # however wide: a name that is copied has to be whole


def render_json(outcome: Outcome) -> str:
    """The schema costmodel.search/1: designs as in a design file, and Table 5 beside them."""
    name = outcome.evaluator.capacity.name
    record = {
        "schema": SCHEMA,
        "engine": outcome.result.engine,
        "proven": outcome.result.proven,
        "space": outcome.evaluator.space.size,
        "examined": outcome.result.examined,
        "budgets_ms": {one: seconds * 1e3 for one, seconds in outcome.limits.budgets.items()},
        "confidence": outcome.evaluator.coverage,
        "batch": outcome.evaluator.batch,
        "capacity": name,
        "gap": gap(outcome),
        "best": [design_record(one, name) for one in outcome.result.best],
        "front": [design_record(one, name) for one in outcome.result.front],
        "history": [
            [step.examined, float(outcome.evaluator.capacity.shown(step.capacity))] for step in outcome.result.history
        ],
        "table5": [{"width": width, **design_record(one, name)} for width, one in outcome.standards.items()],
        "gains": [_gain_record(gain) for gain in outcome.gains],
        "findings": _last_line(outcome),
        "refined": [_round_record(one) for one in outcome.rounds],
    }
    return json.dumps(record, indent=1, ensure_ascii=False) + "\n"


def _last_line(outcome: Outcome) -> str:
    """What guidelines the best breaks, and the command that tells more; without a platform just its name."""
    reference = outcome.result.best[0].design.reference
    if not outcome.findings:
        return f"Network   {reference}"
    return f"Findings  {outcome.findings}: costmodel check {reference}{outcome.arguments}"


def _gain_record(gain: Gain) -> dict[str, Any]:
    return {
        "width": gain.width,
        "platform": gain.platform,
        "capacity": gain.shown,
        **estimate_record(gain.latency),
        "capacity_at_latency": gain.at_latency,
        "latency_ms_at_capacity": None if gain.at_capacity is None else gain.at_capacity * 1e3,
    }


def _round_record(one: Round) -> dict[str, Any]:
    return {
        "round": one.number,
        "drift": one.drift,
        "agrees": one.agrees,
        "designs": [
            {
                "network": trial.design.reference,
                **estimate_record(trial.predicted),
                "measured_ms": trial.seconds * 1e3,
                "agrees": trial.agrees,
            }
            for trial in one.trials
        ],
    }


def refined_line(one: Round) -> str:
    """What a round of refining brought, in one line."""
    agreeing = sum(trial.agrees for trial in one.trials)
    return (
        f"round {one.number}: prediction and clock agree on {agreeing} of the best {len(one.trials)}, mean error "
        f"{100 * one.error:.1f} %"
    )


def gap(outcome: Outcome) -> float | None:
    """How much less capacity the best has than the optimum, as a share; None where that is not known."""
    if outcome.result.proven:
        return 0.0
    if outcome.optimum is None or not outcome.result.best:
        return None
    found, optimum = outcome.result.best[0].shown, outcome.optimum.shown
    if found == optimum:
        return 0.0
    return (optimum - found) / abs(optimum) if optimum else None


def _head(outcome: Outcome) -> list[str]:
    evaluator, result, limits = outcome.evaluator, outcome.result, outcome.limits
    lines = [f"Budget    {line}" for line in limit_texts(limits)]
    lines += [f"Required  {line}" for line in condition_texts(outcome)]
    if limits.budgets:
        lines.append(f"          kept by the upper end of the interval that holds {evaluator.coverage:g} of latencies")
    lines.append(f"Capacity  {evaluator.capacity.name}, no accuracy: docs/capacity.md says what it is worth")
    lines.append(f"Space     {short(evaluator.space.size).replace(' ', '')} designs")
    lines += [f"Refined   {refined_line(one)}" for one in outcome.rounds]
    proof = "proven best" if result.proven else gap_text(outcome)
    lines.append(
        f"Engine    {result.engine}: {proof}; {exact(result.examined)} designs priced in {outcome.seconds:.1f} s"
    )
    return lines


def limit_texts(limits: Limits) -> list[str]:
    """The budgets and the most counts, one a text."""
    texts = [f"{one} at most {seconds * 1e3:g} ms" for one, seconds in limits.budgets.items()]
    texts += [f"at most {exact(limits.max_params)} parameters"] if limits.max_params else []
    return texts + ([f"at most {exact(limits.max_mult_adds)} mult-adds"] if limits.max_mult_adds else [])


def condition_texts(outcome: Outcome) -> list[str]:
    """What a design has to keep beside its budgets and counts, where that is not as usual, one a text."""
    bound, texts = outcome.limits.effectiveness, []
    if bound is None:
        texts.append("no bound on the depth of a stage for its width")
    elif bound != EFFECTIVENESS:
        texts.append(f"effectiveness, the depth of each stage by its width, at most {bound:g}")
    if outcome.required:
        texts.append(f"no warning or error of {', '.join(outcome.required)}")
    return texts


def gap_text(outcome: Outcome) -> str:
    """How far below the exact optimum the best is, in words."""
    below = gap(outcome)
    if below is None:
        return "how far the optimum is cannot be told for this capacity and space"
    optimum = outcome.optimum
    return f"{100 * below:.2f} % below the exact optimum ({capacity_text(optimum.shown)})" if optimum else ""


def _designs(outcome: Outcome, page: int | None) -> list[RenderableType]:
    """The best designs; of a stage its channels, those of its branch, and its units."""
    varied = [name for name in ("resolution", "act", "residual") if len(outcome.evaluator.space.genes[name]) > 1]
    unit = outcome.evaluator.capacity.unit.replace(" ", "\n", 1)
    heads = ("stem", "stage 2", "stage 3", "stage 4", "head", *varied, "mult-\nadds", "params", unit)
    return _fitting([("", *heads), *((name, *_row(one, varied)) for name, one in _named(outcome))], page)


def _named(outcome: Outcome) -> list[tuple[str, Candidate]]:
    """The best designs by their ranks, and the widths of Table 5."""
    best = [(str(rank), one) for rank, one in enumerate(outcome.result.best, start=1)]
    return best + [(f"{width:g}x", one) for width, one in outcome.standards.items()]


def _fitting(rows: Sequence[Sequence[str]], page: int | None, together: int = 1) -> list[RenderableType]:
    """Rows as a table, a blank line before it; where a page is too narrow, as several, each with the first column.

    rows: the first has the heads. page: columns of the page, None for no limit. together: columns that stay so.
    """
    widths = [max(len(line) for cell in column for line in cell.split("\n")) for column in zip(*rows, strict=True)]
    parts: list[list[int]] = []
    left = 0
    for start in range(1, len(widths), together):
        columns = range(start, min(start + together, len(widths)))
        needed = sum(widths[column] + _GAP for column in columns)
        if not parts or (page is not None and needed > left):
            parts.append([])
            left = (page or 0) - widths[0]
        parts[-1] += columns
        left -= needed
    result: list[RenderableType] = []
    for chosen in parts:
        heads, *cells = ([row[column] for column in (0, *chosen)] for row in rows)
        one = table(*heads)
        for cell in cells:
            one.add_row(*cell)
        result += ["", one]
    return result


def _row(one: Candidate, varied: Sequence[str]) -> list[str]:
    design = one.design
    return [
        str(design.stem),
        *map(stage_text, design.stages),
        str(design.head),
        *(str(getattr(design, name)).lower() for name in varied),
        short(one.mult_adds),
        short(one.params),
        capacity_text(one.shown),
    ]


def stage_text(stage: Stage) -> str:
    """A stage in a few characters: 116/58 x4, channels and those of the branch, and units."""
    more = f" k{stage.kernel}" * (stage.kernel != _USUAL.stages[0].kernel) + " se" * stage.se
    return f"{stage.channels}/{stage.branch} x{stage.units}{more}"


def design_text(design: Design) -> str:
    """A design in a line: its stem, its stages as stage_text has them, its head."""
    return " ".join((str(design.stem), *map(stage_text, design.stages), str(design.head)))


def capacity_text(shown: float) -> str:
    """A capacity as it is shown, to four digits or whole."""
    return f"{shown:,.0f}" if abs(shown) >= 1000 else f"{shown:.4g}"


def _latencies(outcome: Outcome, page: int | None) -> list[RenderableType]:
    platforms = outcome.evaluator.platforms
    names = labels([platform.id for platform in platforms]).values()
    rows = [("", *(head for name in names for head in (f"{name}\nms", "upper\nend")))]
    for name, one in _named(outcome):
        latencies = [one.latency[platform.id] for platform in platforms]
        rows.append((name, *(milliseconds(end) for e in latencies for end in (e.seconds, e.high))))
    return _fitting(rows, page, together=2) if platforms else []


def _by_platform(outcome: Outcome) -> list[list[Gain]]:
    return [[gain for gain in outcome.gains if gain.platform == one.platform] for one in outcome.fronts]


def _against(outcome: Outcome, gains: Sequence[Gain]) -> list[RenderableType]:
    """Table 5 beside the front of one platform."""
    unit = outcome.evaluator.capacity.unit
    rows = table(
        "", "latency\nms", unit.replace(" ", "\n", 1), "at this\nlatency", "at this capacity\nms", "times\nas fast"
    )
    for gain in gains:
        least = gain.at_capacity
        rows.add_row(
            f"{gain.width:g}x",
            milliseconds(gain.latency.seconds),
            capacity_text(gain.shown),
            "none" if gain.at_latency is None else capacity_text(gain.at_latency),
            "none" if least is None else milliseconds(least),
            "" if least is None else f"{gain.latency.seconds / least:.2f}",
        )
    return [
        Text(f"The widths of Table 5 beside the best of the space by predicted latency, {gains[0].platform}"),
        "",
        rows,
    ]


def _front(outcome: Outcome) -> list[RenderableType]:
    platforms = [platform.id for platform in outcome.evaluator.platforms]
    heads = [f"{label}\nms" for label in labels(platforms).values()]
    rows = table("design", *heads, outcome.evaluator.capacity.unit.replace(" ", "\n", 1))
    for one in outcome.result.front:
        latencies = [milliseconds(one.latency[platform].seconds) for platform in platforms]
        rows.add_row(design_text(one.design), *latencies, capacity_text(one.shown))
    return ["", rows]

"""A guideline explained, as text or JSON: its documentation, its equation, its worked example."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterator
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from costmodel.analysis import Analysis
from costmodel.explaining import SCHEMA, RuleExplanation
from costmodel.guidelines import RULES, Review, record, saving_record
from costmodel.predictor import Estimate
from costmodel.pricing import launches
from costmodel.pricing import record as platform_record
from costmodel.report import latency
from costmodel.report.documents import json_text
from costmodel.report.names import plain
from costmodel.report.numbers import short
from costmodel.report.savings import signed_milliseconds
from costmodel.report.tables import NARROWEST, Name, table, to_text

_DERIVED = "Example"  # the section before which the equation stands


def render_list(width: int | None = None, color: bool = False) -> str:
    """The guidelines, and how to ask for one."""
    rows = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    for rule in RULES.values():
        rows.add_row(Text(rule.id, "bold"), rule.slug, Text(rule.title))
    hint = "`costmodel explain G1` explains one, `costmodel explain MODEL NODE` an operator of a network."
    return to_text(Group(rows, Text(), Text(hint)), width, color)


def render(explained: RuleExplanation, width: int | None = None, color: bool = False) -> str:
    """Everything about a guideline. width: columns of the terminal; prose has 80 of them in a pipe too."""
    rule = explained.rule
    wide = NARROWEST if width is None else max(width, NARROWEST)
    parts: list[RenderableType] = [Text(f"{rule.id} ({rule.slug}): {rule.title}", "bold")]
    for head, text in rule.sections.items():
        if head == _DERIVED:
            parts += [*_derivation(explained, wide), *_worked(explained, wide)]
        elif head not in ("Use instead", "Where"):
            parts += [Text(), Text(head, "bold"), *_prose(text, wide)]
    return to_text(Group(*parts), width, color)


def _prose(text: str, width: int, indent: str = "  ") -> Iterator[Text]:
    """Paragraphs filled to the width; what an option means is one."""
    for paragraph in re.split(r"\n\s*\n|\n(?=\w+: )", text):
        yield Text(textwrap.fill(" ".join(paragraph.split()), width, initial_indent=indent, subsequent_indent=indent))


def _derivation(explained: RuleExplanation, width: int) -> Iterator[RenderableType]:
    if not explained.steps:
        return
    import sympy

    from costmodel.explaining.equations import shown

    yield Text()
    yield Text("Equation, from the operators' own code", "bold")
    yield from _prose("MAC is the paper's memory access in elements, B its FLOPs (mult-adds).", width)
    for step in explained.steps:
        equation = sympy.Eq(sympy.Symbol(step.name), shown(step.expression), evaluate=False)
        yield from _prose(step.words, width)
        yield Text(textwrap.indent(sympy.pretty(equation, use_unicode=True, wrap_line=False), " " * 6))


def _worked(explained: RuleExplanation, width: int) -> Iterator[RenderableType]:
    pair = (explained.example, explained.instead)
    names = Table(box=None, show_header=False, padding=(0, 0, 0, 2))
    for head, analysis in zip(("example", "instead"), pair, strict=True):
        names.add_row(head, Name(plain(analysis.model)))
    yield from (Text(), Text("Example, and what to use instead", "bold"), names, Text())
    rows = table("  ", "example", "instead", "ratio")
    for head, count in (("mult-adds", "mult_adds"), ("memory access", "memory_access")):
        before, after = (getattr(analysis.totals, count) for analysis in pair)
        rows.add_row(f"  {head}", short(before), short(after), f"{before / after:.2f}")
    for index, platform in enumerate(explained.example.platforms):
        predictions = [analysis.predictions[index] for analysis in pair]
        counts = [str(launches(prediction)) for prediction in predictions]
        spans = [_span(prediction.latency) for prediction in predictions]
        coverage = predictions[0].latency.coverage
        rows.add_row(
            f"  {plain(platform.id)}\n    {100 * coverage:g} % between", *spans, f"{explained.gain(index):.2f}"
        )
        rows.add_row("    launches", *counts, "")
    yield rows
    if explained.review is not None:
        yield from (Text(), Text("What `costmodel check` finds in the example", "bold"))
        yield from _findings(explained.review, width)


def _span(estimate: Estimate) -> str:
    """A latency above its interval."""
    middle, low, high = map(latency.milliseconds, (estimate.seconds, estimate.low, estimate.high))
    return f"{middle} ms\n{low} to {high}"


def _findings(review: Review, width: int) -> Iterator[Text]:
    if not review.findings:
        yield from _prose("Nothing that is worth its price on these platforms.", width)
        return
    first, count = review.findings[0], len(review.findings)
    others = "" if count == 1 else f" ({count} findings, this one first)"
    yield from _prose(plain(f"{first.severity.value} at {first.place}{others}: {first.message}."), width)
    yield from _prose(plain(f"Instead: {first.suggestion}."), width)
    for saving in review.totals:
        middle, low, high = map(signed_milliseconds, (saving.seconds, saving.low, saving.high))
        saved = f"{middle} ms of a run ({100 * saving.share:.1f} %), {low} to {high} ms"
        yield from _prose(f"{saving.platform}: {'all save' if count > 1 else 'saves'} {saved}", width)


def render_list_json() -> str:
    """The guidelines as one JSON document (schema costmodel.explanation/1)."""
    rules = [{"guideline": rule.id, "slug": rule.slug, "title": rule.title} for rule in RULES.values()]
    return json.dumps({"schema": SCHEMA, "kind": "guidelines", "guidelines": rules}, indent=1) + "\n"


def render_json(explained: RuleExplanation) -> str:
    """The same as one JSON document (schema costmodel.explanation/1)."""
    rule, review = explained.rule, explained.review
    document = {
        "schema": SCHEMA,
        "kind": "guideline",
        "guideline": rule.id,
        "slug": rule.slug,
        "title": rule.title,
        "sections": dict(rule.sections),
        "equations": [
            {"words": step.words, "name": step.name, "expression": str(step.expression)} for step in explained.steps
        ],
        "example": _network(explained.example),
        "instead": _network(explained.instead),
        "gain": {platform.id: explained.gain(index) for index, platform in enumerate(explained.example.platforms)},
        "findings": [] if review is None else [record(finding) for finding in review.findings],
        "savings": {} if review is None else {one.platform: saving_record(one) for one in review.totals},
    }
    return json_text(document)


def _network(analysis: Analysis) -> dict[str, Any]:
    pairs = zip(analysis.predictions, analysis.platforms, strict=True)
    timed = (platform_record(prediction, platform, analysis.graph) for prediction, platform in pairs)
    wanted = ("id", "latency_ms", "low_ms", "high_ms", "coverage", "launches")
    return {
        "model": analysis.model,
        "mult_adds": analysis.totals.mult_adds,
        "memory_access": analysis.totals.memory_access,
        "platforms": [{name: entry[name] for name in wanted} for entry in timed],
    }

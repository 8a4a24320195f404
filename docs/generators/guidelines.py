"""Pages of the guidelines: each from its rule file, with its equation derived and its example worked out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial

from costmodel.explaining import RuleExplanation, explain_rule
from costmodel.explaining.equations import shown
from costmodel.guidelines import RULES, Rule
from costmodel.predictor import Estimate
from costmodel.pricing import launches
from costmodel.report.latency import milliseconds
from costmodel.report.numbers import short
from costmodel.report.savings import signed_milliseconds
from generators.maths import equation
from generators.page import Page, escaped, paragraphs, prose, table

FOLDER = "reference/guidelines"

_OPTIONS = re.compile(r"(?m)^(\w+): ")
_WITHIN = ("Use instead", "Where")  # sections that the worked example tells
_INDEX = """# Guidelines

The four guidelines of the ShuffleNet V2 paper, as `costmodel check` looks for them. Each page is what `costmodel
explain` prints: the text comes from the rule's own file, the equation from the operators' code, the figures from an
analysis that was made with these pages.

{rows}
[What is found and how it is priced](../../guidelines.md) is told for all four, [Checking a design](../../check.md) is
the command, [Adding a guideline](../../extend/guideline.md) the way to a fifth.
"""


def pages() -> Iterator[Page]:
    """The list, and a page a guideline."""
    yield Page(f"{FOLDER}/index.md", "The four guidelines", _index)
    for rule in RULES.values():
        yield Page(path_of(rule), f"{rule.id}: {rule.slug.replace('-', ' ')}", partial(_guideline, rule))


def path_of(rule: Rule) -> str:
    """Where a guideline's page is."""
    return f"{FOLDER}/{rule.id.lower()}-{rule.slug}.md"


def _index() -> str:
    rows = [(f"[{rule.id}](./{path_of(rule).rpartition('/')[2]})", prose(rule.title)) for rule in RULES.values()]
    return _INDEX.format(rows=table(("", "guideline"), rows))


def _guideline(rule: Rule) -> str:
    explained = explain_rule(rule)
    parts = [f"# {rule.id}: {escaped(rule.title)}\n", f"Its short name is `{rule.slug}`.\n"]
    for head, text in rule.sections.items():
        if head == "Example":
            parts += [*_derivation(explained), *_worked(explained)]
        elif head == "Options":
            parts += [f"## {head}\n", *_options(text)]
        elif head not in _WITHIN:
            parts += [f"## {head}\n", *(f"{prose(part)}\n" for part in paragraphs(text))]
    return "\n".join(parts)


def _options(text: str) -> Iterator[str]:
    for part in paragraphs(text, r"\n\s*\n|\n(?=\w+: )"):
        yield _OPTIONS.sub(lambda m: f"`{m[1]}`\n:   ", escaped_but_name(part)) + "\n"
    yield "A settings file sets them, and `costmodel check` for one run: [Checking a design](../../check.md).\n"


def escaped_but_name(text: str) -> str:
    """Prose whose first word, the name of an option, keeps its underscores."""
    name, colon, meaning = text.partition(": ")
    return f"{name}{colon}{prose(meaning)}" if re.fullmatch(r"\w+", name) else prose(text)


def _derivation(explained: RuleExplanation) -> Iterator[str]:
    yield "## Equation, from the operators' own code\n"
    yield (
        "MAC is the paper's memory access in elements, B its FLOPs (mult-adds). sympy derives all of this from what "
        "the operators' functions count for letters.\n"
    )
    for step in explained.steps:
        yield f"{prose(step.words)}\n"
        yield f"<div class='equation' data-search-exclude>{equation(step.name, shown(step.expression))}</div>\n"


def _worked(explained: RuleExplanation) -> Iterator[str]:
    pair = (explained.example, explained.instead)
    yield "## Example, and what to use instead\n"
    rows: list[tuple[str, ...]] = []
    for head, count in (("mult-adds", "mult_adds"), ("memory access", "memory_access")):
        before, after = (getattr(analysis.totals, count) for analysis in pair)
        rows.append((head, short(before), short(after), f"{before / after:.2f}"))
    for index, platform in enumerate(explained.example.platforms):
        predictions = [analysis.predictions[index] for analysis in pair]
        spans = [_span(prediction.latency) for prediction in predictions]
        rows.append((f"`{platform.id}`", *spans, f"{explained.gain(index):.2f}"))
        rows.append(("its launches", *(str(launches(prediction)) for prediction in predictions), ""))
    yield table(("", *(f"`{analysis.model}`" for analysis in pair), "ratio"), rows, "lrrr")
    coverage = explained.example.predictions[0].latency.coverage
    yield f"In parentheses the interval that is to hold {100 * coverage:g} % of such networks.\n"
    yield from _findings(explained)


def _span(estimate: Estimate) -> str:
    middle, low, high = map(milliseconds, (estimate.seconds, estimate.low, estimate.high))
    return f"{middle} ms ({low} to {high})"


def _findings(explained: RuleExplanation) -> Iterator[str]:
    review = explained.review
    if review is None or not review.findings:
        return
    first, count = review.findings[0], len(review.findings)
    yield "### What `costmodel check` finds in the example\n"
    others = "" if count == 1 else f" ({count} findings, this one first)"
    place = escaped(first.place) if " " in first.place else f"`{first.place}`"
    yield f"{first.severity.value.capitalize()} at {place}{others}: {prose(first.message)}.\n"
    yield f"Instead: {prose(first.suggestion)}.\n"
    for saving in review.totals:
        middle, low, high = map(signed_milliseconds, (saving.seconds, saving.low, saving.high))
        saved = f"{middle} ms of a run ({100 * saving.share:.1f} %), {low} to {high} ms"
        yield f"* `{saving.platform}`: {'all save' if count > 1 else 'saves'} {saved}"
    yield ""

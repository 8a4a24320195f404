"""What was asked, and the answer in a few figures."""

from __future__ import annotations

from collections.abc import Iterator

from costmodel.report.html.markup import Markup, tag
from costmodel.report.html.sections import Section, bullets, details, section, table
from costmodel.report.numbers import exact, short
from search.capacity import Capacity
from search.page.shown import Shown
from search.report import Outcome, capacity_text, condition_texts, gap, gap_text, limit_texts
from search.space import GENES, show


def asked(shown: Shown) -> Section:
    """Limits, capacity and space, and how sure the answer is."""
    outcome = shown.outcome
    evaluator, result = outcome.evaluator, outcome.result
    tiles = (
        _tile("designs in the space", short(evaluator.space.size), exact(evaluator.space.size)),
        _tile("designs priced", short(result.examined), exact(result.examined)),
        _tile("seconds that it took", f"{outcome.seconds:.1f}", f"engine: {result.engine}"),
        _tile("below the optimum", *_distance(outcome)),
        _tile(f"capacity: {evaluator.capacity.unit}", capacity_text(result.best[0].shown), "of the best design"),
    )
    return section(
        "asked",
        "What was asked",
        bullets(_sentences(outcome)),
        tag("dl", *tiles, class_="tiles"),
        details("The space that was searched", _space(outcome)),
    )


def _sentences(outcome: Outcome) -> Iterator[str]:
    evaluator, limits = outcome.evaluator, outcome.limits
    for text in limit_texts(limits):
        yield f"Budget: {text}."
    for text in condition_texts(outcome):
        yield f"Required: {text}."
    if limits.budgets:
        yield (
            "A latency budget is kept by the upper end of the interval that holds "
            f"{100 * evaluator.coverage:g} % of latencies: a search picks the designs whose latency the predictor "
            "underestimates."
        )
    if evaluator.batch > 1:
        yield f"A run has {evaluator.batch} images."
    yield _capacity(evaluator.capacity)
    yield "It stands in for accuracy and is none. Train what you find."
    yield _certainty(outcome)


def _certainty(outcome: Outcome) -> str:
    engine, priced = outcome.result.engine, exact(outcome.result.examined)
    if outcome.result.proven:
        proof = "nothing in the space that keeps all this is better"
        return f"The {engine} engine priced {priced} designs and proves that {proof}."
    return f"The {engine} engine priced {priced} designs; {gap_text(outcome)}."


def _capacity(capacity: Capacity) -> str:
    """Its name, and what it is."""
    name, summary = capacity.name, capacity.summary.rstrip(".")
    return f"Most capacity: {summary}." if summary.startswith(name) else f"Most capacity: {name} ({summary})."


def _distance(outcome: Outcome) -> tuple[str, str]:
    below = gap(outcome)
    if below is None:
        return "not known", "no exact answer for this capacity and space"
    proof = "proven" if outcome.result.proven else f"the optimum: {_optimum(outcome)}"
    return f"{100 * below:.2f} %".replace("0.00 %", "0 %"), proof


def _optimum(outcome: Outcome) -> str:
    return capacity_text(outcome.optimum.shown) if outcome.optimum else ""


def _tile(name: str, value: str, below: str) -> Markup:
    lower = tag("dd", below, class_="full") if below != value else None
    return tag("div", tag("dt", name), tag("dd", value), lower)


def _space(outcome: Outcome) -> Markup:
    space = outcome.evaluator.space
    rows = []
    for gene in GENES:
        options = tag("span", show(space.genes[gene]), class_="options")
        rows.append((gene, options, str(len(space.genes[gene]))))
    caption = f"Options of each gene; channels of a branch are multiples of {space.step}"
    return table(("gene", "options", "how many"), rows, caption)

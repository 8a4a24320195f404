"""What breaks the guidelines, and what changes would save."""

from __future__ import annotations

from collections.abc import Sequence

from costmodel.guidelines import RULES, Finding, Review, Saving, Severity
from costmodel.report.check import Fold, folds
from costmodel.report.html.markup import Markup, tag
from costmodel.report.html.sections import Section, bullets, details, section, table
from costmodel.report.html.shown import Shown
from costmodel.report.savings import as_sentence, signed_milliseconds

_PLACES = 6  # that are named; of more, the first and the last


def findings(shown: Shown, review: Review) -> Section:
    """Findings with their prices: errors and warnings open, notes folded."""
    if not review.findings:
        found = tag("p", "No findings: nothing that the guidelines G1 to G4 would change saves time worth a note.")
        return section("findings", "Guidelines", found)
    folded = folds(review.findings)
    heads = ("saves ms", f"{100 * review.totals[0].coverage:g} % between", "share")
    cards = [_card(shown, number, fold, heads) for number, fold in enumerate(folded)]
    loud = [card for card, fold in zip(cards, folded, strict=True) if fold.first.severity is not Severity.NOTE]
    notes = cards[len(loud) :]
    together = table(("all together, on", *heads), [_row(saving) for saving in review.totals], "What all findings save")
    said = (
        "Estimates of what the design would save if it were changed as the finding suggests; of findings that change "
        "the same operator, the one that saves most counts. A negative saving is a loss on that platform."
    )
    broken = {finding.guideline for finding in review.findings}
    return section(
        "findings",
        "Guidelines",
        bullets(f"{id}: {rule.title}." for id, rule in RULES.items() if id in broken),
        together,
        tag("p", said, class_="note"),
        tag("div", *loud, class_="cards") if loud else None,
        details(_counted(folded[len(loud) :]), tag("div", *notes, class_="cards"), opened=not loud) if notes else None,
    )


def _counted(folded: Sequence[Fold]) -> str:
    count = sum(len(fold.findings) for fold in folded)
    return "1 note, on what saves little" if count == 1 else f"{count} notes, on what saves little"


def _card(shown: Shown, number: int, fold: Fold, heads: tuple[str, ...]) -> Markup:
    first, token = fold.first, f"f{number}"
    names = list(dict.fromkeys(node.name for finding in fold.findings for node in finding.operators))
    shown.links.tie(token, names)
    title = (
        tag("span", first.severity.value, class_=f"level {first.severity.value}"),
        f" {first.guideline} at {_places(fold.findings)}",
    )
    count = "its operator" if len(names) == 1 else f"its {len(names)} operators"
    return tag(
        "article",
        tag("h3", *title),
        tag("p", as_sentence(first.message)),
        tag("p", tag("b", "Instead: "), as_sentence(first.suggestion)),
        table(("on", *heads), [_row(saving) for saving in fold.savings], f"What finding {number + 1} saves"),
        tag("p", tag("a", f"Select {count}", href=f"#{token}"), class_="script"),
        class_="card finding",
    )


def _row(saving: Saving) -> tuple[str, str, str, str]:
    low, high = signed_milliseconds(saving.low), signed_milliseconds(saving.high)
    share = f"{100 * saving.share:.1f} %"
    return saving.platform, signed_milliseconds(saving.seconds), f"{low} to {high}", share


def _places(found: Sequence[Finding]) -> str:
    places = list(dict.fromkeys(finding.place for finding in found))
    if len(places) > _PLACES:
        return f"{places[0]} to {places[-1]} ({len(places)} places)"
    return ", ".join(places)

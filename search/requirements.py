"""Guidelines as a condition: a design that is to be found may not break them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from costmodel.analysis import analyze
from costmodel.guidelines import Severity, chosen
from costmodel.platforms import Platform
from search.design import Design


def breaches(guidelines: Sequence[str], platforms: Sequence[Platform]) -> Callable[[Design], int]:
    """How many findings of these guidelines a design has, warnings and errors, on any of the platforms.

    As `costmodel check` with its usual options finds them: a warning saves 2 % of the time or more.
    Raises UsageError for a guideline that there is not.
    """
    rules = tuple(rule.id for rule in chosen(list(guidelines)))

    def count(design: Design) -> int:
        review = analyze(design.reference, platform=platforms).check(select=rules)
        return sum(finding.severity.rank <= Severity.WARNING.rank for finding in review.findings)

    return count

"""Guidelines as a condition: a design that is to be found may not break them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from costmodel.analysis import analyze
from costmodel.guidelines import Severity, chosen
from costmodel.platforms import Platform
from search.design import Design


@dataclass(frozen=True)
class Breaches:
    """Counts how many warnings and errors of some guidelines a design has, for `batch` images on any of the platforms.

    As `costmodel check` with its usual options finds them: a warning saves 2 % of the time or more. It can be sent to
    another process.
    """

    rules: tuple[str, ...]
    platforms: tuple[Platform, ...]
    batch: int = 1

    def __call__(self, design: Design) -> int:
        """The number of findings."""
        review = analyze(design.reference, batch=self.batch, platform=self.platforms).check(select=self.rules)
        return sum(finding.severity.rank <= Severity.WARNING.rank for finding in review.findings)


def breaches(guidelines: Sequence[str], platforms: Sequence[Platform], batch: int = 1) -> Breaches:
    """What counts the findings of these guidelines. Raises UsageError for a guideline that there is not."""
    return Breaches(tuple(rule.id for rule in chosen(list(guidelines))), tuple(platforms), batch)

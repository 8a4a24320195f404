"""A guideline explained: its documentation, its equation, and an example beside what to use instead."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from costmodel.analysis import Analysis, analyze
from costmodel.guidelines import Options, Review, Rule
from costmodel.platforms import Platform
from costmodel.predictor import COVERAGE
from costmodel.pricing import PlatformReference, resolve

if TYPE_CHECKING:  # sympy is loaded when a derivation is asked for
    from costmodel.explaining.equations import Step

_EXAMPLE, _INSTEAD, _WHERE = "Example", "Use instead", "Where"


@dataclass(frozen=True)
class RuleExplanation:
    """A guideline with everything that follows from it.

    steps: to its equation. example, instead: the networks that its documentation names, analyzed on the same
    platforms. review: what a check by this guideline alone finds in the example; None without platforms.
    """

    rule: Rule
    steps: tuple[Step, ...]
    example: Analysis
    instead: Analysis
    review: Review | None

    def gain(self, index: int) -> float:
        """How many times as fast what to use instead is, on the platform of that place."""
        before, after = (one.predictions[index].latency.seconds for one in (self.example, self.instead))
        return float(before / after) if after else 1.0


def explain_rule(
    rule: Rule, platforms: Sequence[PlatformReference] | None = None, coverage: float = COVERAGE
) -> RuleExplanation:
    """A guideline, derived, and worked out on platforms: those that its documentation names where None.

    coverage: of the intervals, as in analyze().
    """
    from costmodel.explaining.equations import derivation

    targets = resolve(_where(rule) if platforms is None else platforms)
    example, instead = (
        analyze(rule.sections[name].strip(), platform=targets, coverage=coverage) for name in (_EXAMPLE, _INSTEAD)
    )
    review = example.check(Options(), select=(rule.id,)) if targets else None
    return RuleExplanation(rule, derivation(rule.id), example, instead, review)


def _where(rule: Rule) -> tuple[Platform, ...]:
    return resolve([id.strip() for id in rule.sections[_WHERE].split(",")])

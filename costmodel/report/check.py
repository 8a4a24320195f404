"""What every renderer of a check gets, and findings that are one to a reader."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from costmodel.analysis import Analysis
from costmodel.guidelines import RULES, Finding, Options, Review, Saving, Waiver


@dataclass(frozen=True)
class Check:
    """A network that was checked.

    analysis: the network with its latencies. review: the findings, those that are waived apart. options: the
    thresholds that they were weighed with. rules: ids of the guidelines that were looked for. unused, expired: waivers
    that no finding fits, and those whose day has passed.
    """

    analysis: Analysis
    review: Review
    options: Options
    rules: tuple[str, ...] = tuple(RULES)
    unused: tuple[Waiver, ...] = ()
    expired: tuple[Waiver, ...] = ()


@dataclass(frozen=True, slots=True)
class Fold:
    """Findings that differ in their place only, such as the equal units of a stage; at least one."""

    findings: tuple[Finding, ...]

    @property
    def first(self) -> Finding:
        """The one that stands for all."""
        return self.findings[0]

    @property
    def savings(self) -> tuple[Saving, ...]:
        """What they save together on each platform.

        Their doubts are one doubt, so that low and high ends are added as the seconds are.
        """
        return together(self.findings)


def together(findings: Iterable[Finding]) -> tuple[Saving, ...]:
    """What findings that share no operator save together on each platform."""
    columns = zip(*(finding.savings for finding in findings), strict=True)
    return tuple(
        replace(
            savings[0],
            seconds=sum(saving.seconds for saving in savings),
            low=sum(saving.low for saving in savings),
            high=sum(saving.high for saving in savings),
            share=sum(saving.share for saving in savings),
        )
        for savings in columns
    )


def folds(findings: Iterable[Finding]) -> list[Fold]:
    """Findings that say and save the same as one; the worst severity first, then what saves most together."""
    return _ranked([Fold(group) for group in _groups(findings, _said)])


def clusters(findings: Iterable[Finding]) -> list[Fold]:
    """As folds(), with findings as one whose sentences differ in numbers only."""
    return _ranked([Fold(group) for group in _groups(findings, _shape)])


def _groups(findings: Iterable[Finding], key: Callable[[Finding], tuple[object, ...]]) -> Iterable[tuple[Finding, ...]]:
    same: dict[tuple[object, ...], list[Finding]] = {}
    for finding in findings:
        same.setdefault(key(finding), []).append(finding)
    return map(tuple, same.values())


def _ranked(groups: list[Fold]) -> list[Fold]:
    return sorted(groups, key=lambda fold: (fold.first.severity.rank, -_share(fold)))


def _share(fold: Fold) -> float:
    return max((saving.share for saving in fold.savings), default=0.0)


def _said(finding: Finding) -> tuple[object, ...]:
    """What findings that are one to a reader have in common: all but the names of operators."""
    saved = tuple(float(f"{saving.seconds:.3g}") for saving in finding.savings)
    return finding.guideline, finding.severity, _message(finding), finding.suggestion, len(finding.operators), saved


def _shape(finding: Finding) -> tuple[object, ...]:
    """What findings of one kind have in common: all but names and numbers."""
    sentences = (re.sub(r"[0-9]+([.][0-9]+)?", "#", text) for text in (_message(finding), finding.suggestion))
    return finding.guideline, finding.severity, *sentences


def _message(finding: Finding) -> str:
    """The message without the name of the layer that it is about."""
    layer = finding.evidence.get("layer")
    return finding.message.replace(layer, "", 1) if isinstance(layer, str) and layer else finding.message

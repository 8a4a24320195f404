"""A network reviewed against the guidelines: breaches weighed, sorted and added up."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import takewhile

from costmodel.errors import UsageError
from costmodel.graph import Graph, Node
from costmodel.guidelines.clock import Clock
from costmodel.guidelines.finding import Breach, Change, Finding, Review, Saving, Severity
from costmodel.guidelines.network import Network
from costmodel.guidelines.options import Options
from costmodel.guidelines.rules import Rule, chosen


def review(
    graph: Graph, clocks: Sequence[Clock], options: Options | None = None, rules: Iterable[Rule] | None = None
) -> Review:
    """What breaks the guidelines in a graph, priced on the platforms of the clocks.

    options: the defaults where None. rules: all where None. Raises UsageError without a clock, and for graphs of
    columns or symbols.
    """
    if not clocks:
        raise UsageError(f"{graph.name}: findings are weighed by their price; name a platform")
    if not isinstance(graph.cost.memory_access, int):
        raise UsageError(f"{graph.name}: one network of given sizes can be checked; its sizes are columns or symbols")
    options = options or Options()
    network = Network.of(graph)
    weighed = [
        _weighed(rule.id, breach, clocks, options)
        for rule in (chosen() if rules is None else rules)
        for breach in rule.breaches(network, clocks, options)
    ]
    findings = sorted((finding for finding in weighed if finding is not None), key=lambda finding: -finding.share)
    return Review(tuple(findings), (), totals(findings, clocks), tuple(clocks))


def _weighed(guideline: str, breach: Breach, clocks: Sequence[Clock], options: Options) -> Finding | None:
    """The breach as a finding; None where it saves too little on every platform."""
    savings = tuple(clock.saving(change) for clock, change in zip(clocks, breach.changes, strict=True))
    severity = _severity(savings, options)
    if severity is None:
        return None
    return Finding(
        guideline,
        Severity.NOTE if breach.note else severity,
        breach.place or _place(breach.operators),
        breach.operators,
        breach.message,
        breach.suggestion,
        breach.evidence,
        savings,
        changes=breach.changes,
    )


def _severity(savings: Sequence[Saving], options: Options) -> Severity | None:
    """An error is sure to save something: the lower end of its interval is above 0 where it saves that much."""
    share = max(saving.share for saving in savings)
    if share <= 0 or share < options.note_at:
        return None
    if any(saving.share >= options.error_at and saving.low > 0 for saving in savings):
        return Severity.ERROR
    return Severity.WARNING if share >= options.warning_at else Severity.NOTE


def _place(operators: Sequence[Node]) -> str:
    """The innermost module that holds all operators; the first one's name where that says nothing."""
    paths = [node.module.split(".") for node in operators]
    shared = [parts[0] for parts in takewhile(lambda parts: len(set(parts)) == 1, zip(*paths, strict=False))]
    return ".".join(shared) or operators[0].name


def totals(findings: Iterable[Finding], clocks: Sequence[Clock]) -> tuple[Saving, ...]:
    """What findings save together on each platform; no operator is changed twice."""
    findings = list(findings)
    result = []
    for index, clock in enumerate(clocks):
        total, taken = Change(), set[str]()
        for finding in sorted(findings, key=lambda finding: -finding.changes[index].total):
            names = {node.name for node in finding.operators}
            if finding.changes[index].total > 0 and taken.isdisjoint(names):
                total += finding.changes[index]
                taken |= names
        result.append(clock.saving(total))
    return tuple(result)

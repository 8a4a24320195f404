"""How far an analysis can be trusted, in lines of text: the same for every renderer."""

from __future__ import annotations

import re
from collections.abc import Sequence

from costmodel.analysis import Analysis
from costmodel.graph import Node
from costmodel.report.names import plain

_MOST_TYPES = 3  # that a reason names

LOWER_BOUNDS = "Unknown operators count their bytes only: totals are lower bounds."


def coverage_line(analysis: Analysis) -> str:
    """How many operators are counted how, and which types have no formula."""
    coverage = analysis.coverage
    line = f"Coverage: {coverage.counted} counted, {coverage.approximated} approximated, {coverage.unknown} unknown"
    return f"{line}: {', '.join(map(plain, coverage.unknown_ops))}" if coverage.unknown_ops else line


def reason_lines(analysis: Analysis) -> list[str]:
    """Why operators are approximated or unknown: each reason once, with its number and its first operator."""
    reasons: dict[str, list[Node]] = {}
    for node in analysis.operators:
        if node.note:  # reasons that differ in the name of a tensor only are one
            reasons.setdefault(re.sub(r" '[^']*'", "", node.note), []).append(node)
    return [_reason(reason, nodes) for reason, nodes in reasons.items()]


def _reason(reason: str, nodes: Sequence[Node]) -> str:
    text = nodes[0].note if len({node.note for node in nodes}) == 1 else reason
    types = list(dict.fromkeys(node.qualified_type for node in nodes))
    named = ", ".join(types[:_MOST_TYPES]) + (", ..." if len(types) > _MOST_TYPES else "")
    return plain(f"{len(nodes)} x {text} ({named}, first {nodes[0].name!r})")


def assumption_lines(analysis: Analysis) -> list[str]:
    """What had to be assumed, one line each."""
    return list(map(plain, analysis.notes))


def notices(analysis: Analysis) -> list[str]:
    """Coverage and assumptions for a format that has no place for them; none where all is exact."""
    coverage = analysis.coverage
    if not (coverage.approximated or coverage.unknown or analysis.notes):
        return []
    return [coverage_line(analysis), *assumption_lines(analysis)]


def bound(analysis: Analysis) -> str:
    """What stands before an exact total: `at least` where operators are unknown."""
    return "at least " if analysis.coverage.unknown else ""

"""What every section of the page is made from, and how its marks are tied to the rows of the table."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property

from costmodel.analysis import Analysis
from costmodel.guidelines import Review
from costmodel.report.latency import Times


@dataclass(frozen=True)
class Links:
    """Tokens of marks by the operators that a click on them selects."""

    _tokens: dict[str, list[str]] = field(default_factory=dict)

    def tie(self, token: str, operators: Iterable[str]) -> str | None:
        """Let a mark with this token select these operators, by name; gives the token, None without operators."""
        tied = None
        for name in operators:
            self._tokens.setdefault(name, []).append(token)
            tied = token
        return tied

    def of(self, operator: str) -> str | None:
        """An operator's tokens, blanks between them; None without any."""
        tokens = self._tokens.get(operator)
        return " ".join(tokens) if tokens else None


@dataclass(frozen=True)
class Shown:
    """An analysis with what the page shows of it.

    times: of its platforms, in their order. review: of the guidelines; None where no platform prices them. links: grow
    while sections are made; the table, which has them, is made last.
    """

    analysis: Analysis
    times: tuple[Times, ...]
    review: Review | None
    links: Links = field(default_factory=Links)

    @cached_property
    def number(self) -> dict[str, int]:
        """Each operator's row in the table, from 1, by its name."""
        return {node.name: place for place, node in enumerate(self.analysis.operators, 1)}

"""What every section of the page of a comparison is made from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property

from costmodel.analysis import Analysis
from costmodel.comparing import Comparison, Difference, Layer, State, Verdict
from costmodel.report.html.shown import Links
from costmodel.report.latency import Times

SIDES = ("before", "after")

STATES = {
    State.CHANGED: "changed",
    State.FOLLOWS: "other sizes",
    State.ADDED: "added",
    State.REMOVED: "removed",
    State.SAME: "the same",
}


def side_of(one: Difference, side: int) -> Layer | None:
    """The layer as it is in one of the networks, by its place in SIDES; None where it is not in that one."""
    return one.after if side else one.before


@dataclass(frozen=True)
class Compared:
    """A comparison with what the page shows of it.

    times: before and after, each for all platforms. links: tokens of marks by the ids of the rows that they select;
    they grow while sections are made, and the table of layers, which has them, is made last.
    """

    comparison: Comparison
    times: tuple[tuple[Times, ...], tuple[Times, ...]]
    links: Links = field(default_factory=Links)

    def analysis(self, side: int) -> Analysis:
        """One of the networks, by its place in SIDES."""
        return self.comparison.after if side else self.comparison.before

    @cached_property
    def rows(self) -> tuple[Difference, ...]:
        """The layers that differ, in their order; none of networks that are the same or have little in common."""
        if self.comparison.verdict is not Verdict.DIFFERENT:
            return ()
        return self.comparison.of(State.CHANGED, State.FOLLOWS, State.ADDED, State.REMOVED)

    @cached_property
    def _numbers(self) -> tuple[dict[str, int], dict[str, int]]:
        """For both networks the row of each operator in layers that differ, from 1."""
        result: tuple[dict[str, int], dict[str, int]] = ({}, {})
        for number, one in enumerate(self.rows, 1):
            for side, numbers in enumerate(result):
                layer = side_of(one, side)
                numbers.update((node.name, number) for node in (layer.nodes if layer else ()))
        return result

    def number(self, side: int, operator: str) -> int | None:
        """The row of the layer that an operator of one of the networks is part of; None where that does not differ."""
        return self._numbers[side].get(operator)

    def tie(self, token: str, side: int, operators: Iterable[str]) -> int:
        """Let a mark with this token select the rows of the operators' layers; gives how many these are."""
        found = dict.fromkeys(self.number(side, name) for name in operators)
        rows = [f"o{number}" for number in found if number is not None]
        self.links.tie(token, rows)
        return len(rows)

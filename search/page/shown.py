"""Which designs the page has, each with its row in the table and what it is there for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from costmodel.report.latency import labels
from search.comparison import Front
from search.design import Design
from search.report import Outcome, design_text
from search.result import Candidate, candidates, design_record

BEST, TABLE_5, FRONT, TRIALS = "best", "table5", "front", "trials"  # roles, as the page's classes have them

_ROOM = 450_000  # bytes of the page for the designs of fronts
_OF_A_DESIGN, _OF_A_LATENCY = 2_200, 400  # bytes, about
_MOST = 240  # designs of fronts; more cannot be told from each other
_MOST_BEST = 50


@dataclass(frozen=True)
class Entry:
    """A design of the page.

    number: its row in the table, from 1. name: what the page calls it. roles: what it is there for, as (role, words).
    exceeded: limits that it exceeds, in words.
    """

    number: int
    name: str
    candidate: Candidate
    roles: tuple[tuple[str, str], ...]
    exceeded: tuple[str, ...]

    @property
    def token(self) -> str:
        """What selects it in the page."""
        return f"d{self.number}"


@dataclass(frozen=True)
class Shown:
    """An outcome with the designs that the page has of it.

    Of fronts it has so many as can be told from each other, and fit into a page: spread over the whole of each, with
    those that stand beside the widths of Table 5.
    """

    outcome: Outcome

    @cached_property
    def labels(self) -> dict[str, str]:
        """Short names by platform id."""
        return labels([platform.id for platform in self.outcome.evaluator.platforms])

    @cached_property
    def entries(self) -> tuple[Entry, ...]:
        """The designs, none twice: the best, Table 5, and fronts, the fastest first."""
        roles: dict[Design, list[tuple[str, str]]] = {}
        known: dict[Design, Candidate] = {}
        for candidate, role in self._all():
            known.setdefault(candidate.design, candidate)
            if role not in roles.setdefault(candidate.design, []):
                roles[candidate.design].append(role)
        return tuple(
            Entry(number, self._name(one), one, tuple(roles[one.design]), self._exceeded(one))
            for number, one in enumerate(known.values(), start=1)
        )

    @cached_property
    def by_design(self) -> dict[Design, Entry]:
        """The entries by their designs."""
        return {entry.candidate.design: entry for entry in self.entries}

    @property
    def best(self) -> Entry:
        """The best design that was found."""
        return self.entries[0]

    def front_of(self, platform: str) -> Front | None:
        """A platform's front; None where the capacity is no sum."""
        return next((front for front in self.outcome.fronts if front.platform == platform), None)

    def file(self, entry: Entry) -> dict[str, Any]:
        """What a design file of it has."""
        return self._files[entry.number - 1]

    def reference(self, entry: Entry) -> str:
        """The name under which every command takes it."""
        return str(self.file(entry)["network"])

    @cached_property
    def _files(self) -> list[dict[str, Any]]:
        name = self.outcome.evaluator.capacity.name
        return [design_record(entry.candidate, name) for entry in self.entries]

    def of(self, role: str) -> list[Entry]:
        """The entries that are there for a role, one of BEST, TABLE_5, FRONT, TRIALS."""
        return [entry for entry in self.entries if any(own == role for own, _ in entry.roles)]

    def on_front(self, front: Front) -> list[Entry]:
        """Those of a platform's front that the page has, the fastest first."""
        return [self.by_design[one.design] for one in self._chosen[front.platform]]

    def beside(self, front: Front, width: float) -> tuple[Entry | None, Entry | None]:
        """For a width of Table 5 the front's design of most capacity that is as fast, and the fastest of as much
        capacity; None where there is none."""
        found = []
        for place in _neighbours(front, self.outcome.standards[width]):
            design = None if place is None else self.outcome.evaluator.space.designs(front.population[[place]])[0]
            found.append(None if design is None else self.by_design[design])
        return found[0], found[1]

    @cached_property
    def left_out(self) -> int:
        """How many designs of fronts have no row."""
        return sum(len(front.seconds) for front in self.outcome.fronts) + len(self._sampled) - self._on_fronts

    @property
    def _on_fronts(self) -> int:
        return sum(map(len, self._chosen.values())) + len(self._trials)

    @cached_property
    def _sampled(self) -> tuple[Candidate, ...]:
        """The front of an engine that samples; the exact engine's is the platform's own front."""
        return () if self.outcome.result.proven and self.outcome.fronts else self.outcome.result.front

    @cached_property
    def _trials(self) -> list[Candidate]:
        if not self._sampled:
            return []
        times = np.array([next(iter(one.latency.values())).seconds for one in self._sampled])
        values = np.array([one.shown for one in self._sampled])
        return [self._sampled[place] for place in spread(times, values, self._most)]

    @cached_property
    def _chosen(self) -> dict[str, tuple[Candidate, ...]]:
        """The designs of each platform's front that the page has."""
        evaluator = self.outcome.evaluator
        result = {}
        for front in self.outcome.fronts:
            shown = np.asarray(evaluator.capacity.shown(front.capacity), float)
            places = {*spread(front.seconds, shown, self._most)}
            for one in self.outcome.standards.values():
                places.update(place for place in _neighbours(front, one) if place is not None)
            chosen = sorted(places)
            result[front.platform] = candidates(evaluator, front.population[chosen], front.capacity[chosen])
        return result

    @cached_property
    def _most(self) -> int:
        """Designs of each front."""
        size = _OF_A_DESIGN + _OF_A_LATENCY * len(self.outcome.evaluator.platforms)
        fronts = len(self.outcome.fronts) + bool(self._sampled)
        return max(min(_MOST, _ROOM // size) // max(fronts, 1), 2)

    def _all(self) -> Iterator[tuple[Candidate, tuple[str, str]]]:
        outcome = self.outcome
        for rank, one in enumerate(outcome.result.best[:_MOST_BEST], start=1):
            yield one, (BEST, "the best" if rank == 1 else f"best {rank}")
        for width, one in outcome.standards.items():
            yield one, (TABLE_5, f"Table 5, {width:g}x")
        for platform, front in self._chosen.items():
            for one in front:
                yield one, (FRONT, f"front on {self.labels[platform]}")
        for one in self._trials:
            yield one, (TRIALS, "front of the trials")

    def _name(self, one: Candidate) -> str:
        """Its stages in a line, and what else the space varies."""
        for width, standard in self.outcome.standards.items():
            if one.design == standard.design:
                return f"ShuffleNet V2 {width:g}x: {design_text(one.design)}"
        genes, design = self.outcome.evaluator.space.genes, one.design
        more = [f"{design.resolution} px"] * (len(genes["resolution"]) > 1)
        more += [design.act] * (len(genes["act"]) > 1)
        more += ["residual"] * (len(genes["residual"]) > 1 and design.residual)
        return ", ".join((design_text(design), *more))

    def _exceeded(self, one: Candidate) -> tuple[str, ...]:
        limits = self.outcome.limits
        words = [
            self.labels[platform]
            for platform, seconds in limits.budgets.items()
            if one.latency[platform].high > seconds
        ]
        words += ["parameters"] if limits.max_params is not None and one.params > limits.max_params else []
        words += ["mult-adds"] if limits.max_mult_adds is not None and one.mult_adds > limits.max_mult_adds else []
        return tuple(words)


def spread(seconds: np.ndarray, capacity: np.ndarray, most: int) -> list[int]:
    """At most so many places of a front, far apart in a plot of capacity over the logarithm of latency, in order.

    seconds: (designs,) ascending. The first and the last are among them.
    """
    count = len(seconds)
    if count <= most:
        return list(range(count))
    sides = [_scaled(np.log(seconds)), _scaled(capacity)]
    way = np.concatenate([[0.0], np.cumsum(np.hypot(*(np.diff(side) for side in sides)))])
    stops = np.linspace(0.0, way[-1], most)
    return sorted({int(np.argmin(np.abs(way - stop))) for stop in stops})


def _scaled(values: np.ndarray) -> np.ndarray:
    width = float(np.ptp(values))
    return values / width if width else values * 0.0


def _neighbours(front: Front, one: Candidate) -> tuple[int | None, int | None]:
    """The front's places of most capacity at a design's latency, and of least latency at its capacity."""
    fast = int(np.searchsorted(front.seconds, one.latency[front.platform].seconds, "right")) - 1
    able = int(np.searchsorted(front.capacity, one.capacity, "left"))
    return (fast if fast >= 0 else None), (able if able < len(front.seconds) else None)


def roles_text(entry: Entry) -> str:
    """What an entry is there for."""
    return ", ".join(words for _, words in entry.roles)

"""Visits to a network and what they tell: its latency, the spread, and which visits were disturbed.

A visit runs a network a few times in a row; a measurement visits every network several times, far apart. Times are
seconds. Interruptions only ever add to a time, so a visit counts as its fastest run. Over the visits the lower
quartile is taken: the median follows a neighbour who is busy half of the time, and the minimum is what a rare
moment of a faster clock gave, which no second measurement finds again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Protocol, TypeVar

QUANTILE = 0.25  # of the visits: the latency
DISTURBED = 0.10  # share above its median by which the reference is slower where something else was going on
COVERED = 0.90  # share of the networks whose two halves agree within the floor
LEAST_FLOOR = 0.005  # below it rounding and the clock speak


@dataclass(frozen=True, slots=True)
class Visit:
    """A few runs of one network.

    best: seconds of the fastest run. runs: how many were timed. before, after: mean seconds of the reference
    workload just before and just after. took: wall-clock seconds since the visit before it, preparations included.
    """

    item: str
    best: float
    runs: int
    before: float
    after: float
    took: float


@dataclass(frozen=True, slots=True)
class Measured:
    """What is known of a network.

    latency: seconds, the lower quartile of its visits. best: the fastest run of all. spread: (median - latency) /
    latency. visits: that count. disturbed: that do not. runs: timed in those that count. reference: median seconds
    of the reference workload around them.
    """

    item: str
    latency: float
    best: float
    spread: float
    visits: int
    disturbed: int
    runs: int
    reference: float


def usual_reference(visits: Sequence[Visit]) -> float:
    """The median of the reference workload's seconds; 0.0 before there are any."""
    return median(time for visit in visits for time in (visit.before, visit.after)) if visits else 0.0


class Framed(Protocol):
    """Something that ran between two runs of the reference workload: seconds of the one before and the one after."""

    @property
    def before(self) -> float: ...

    @property
    def after(self) -> float: ...


def is_calm(visit: Framed, usual: float) -> bool:
    """Whether the reference ran about as fast as it usually does, before a visit (or a profile) and after it."""
    return max(visit.before, visit.after) <= (1 + DISTURBED) * usual


class OfItem(Protocol):
    """Something about one network."""

    @property
    def item(self) -> str: ...


T = TypeVar("T", bound=OfItem)


def by_item(visits: Iterable[T]) -> dict[str, list[T]]:
    """The visits to each network (or its profiles), in their order."""
    found: dict[str, list[T]] = {}
    for visit in visits:
        found.setdefault(visit.item, []).append(visit)
    return found


def measured(visits: Sequence[Visit], usual: float) -> Measured:
    """What the visits to one network tell, of which there is at least one; all of them where none was calm."""
    calm = [visit for visit in visits if is_calm(visit, usual)]
    counting = calm or visits
    times = [visit.best for visit in counting]
    latency = low(times)
    return Measured(
        item=visits[0].item,
        latency=latency,
        best=min(times),
        spread=median(times) / latency - 1,
        visits=len(counting),
        disturbed=len(visits) - len(calm),
        runs=sum(visit.runs for visit in counting),
        reference=usual_reference(counting),
    )


def low(times: Sequence[float]) -> float:
    """The lower quartile, between two times in proportion."""
    return _quantile(times, QUANTILE)


def _quantile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)  # numpy's takes 50 us for a few values, and there are thousands of calls
    place = share * (len(ordered) - 1)
    lower = ordered[int(place)]
    return lower + (place % 1) * (ordered[min(int(place) + 1, len(ordered) - 1)] - lower)


def floor(visits: Sequence[Visit]) -> float | None:
    """How far two measurements of the same set agree: a relative difference that COVERED of the networks stay within.

    The first half of each network's calm visits against its second half: half of the visits each, at other times.
    None where no network has two calm visits.
    """
    usual = usual_reference(visits)
    differences = []
    for own in by_item(visits).values():
        calm = [visit.best for visit in own if is_calm(visit, usual)]
        if len(calm) > 1:
            half = len(calm) // 2
            differences.append(abs(low(calm[half:]) / low(calm[:half]) - 1))
    return max(LEAST_FLOOR, _quantile(differences, COVERED)) if differences else None

"""What two networks have in common and where they differ, as frozen values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from costmodel.analysis import Analysis
from costmodel.comparing.layers import Layer


class State(StrEnum):
    """What became of a layer.

    SAME: it is in both, with the same facts. CHANGED: what somebody chose for it is another. FOLLOWS: it was not
    touched, but what it reads has another size. ADDED, REMOVED: it is in one of the two only.
    """

    SAME = "same"
    CHANGED = "changed"
    FOLLOWS = "follows"
    ADDED = "added"
    REMOVED = "removed"


class Verdict(StrEnum):
    """What two networks are to each other.

    SAME: the same layers, however they are written. DIFFERENT: some layers differ. UNRELATED: they have so little in
    common that a list of differences would be a list of both.
    """

    SAME = "same"
    DIFFERENT = "different"
    UNRELATED = "unrelated"


@dataclass(frozen=True, slots=True)
class Change:
    """A fact of a layer before and after; "" where it did not have it."""

    fact: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Difference:
    """A layer in both networks, or in one of them, and how it differs.

    seconds: for each platform, in their order, what its kernels take before and after.
    """

    state: State
    before: Layer | None
    after: Layer | None
    changes: tuple[Change, ...] = ()
    seconds: tuple[tuple[float, float], ...] = ()

    @property
    def layer(self) -> Layer:
        """The layer as it is after, or as it was where it was removed."""
        layer = self.after or self.before
        assert layer is not None
        return layer

    @property
    def mult_adds(self) -> int:
        """Mult-adds after less those before."""
        counts = [0 if side is None else side.mult_adds for side in (self.before, self.after)]
        return int(counts[1]) - int(counts[0])  # type: ignore[arg-type]  # a comparison has ints only


@dataclass(frozen=True, slots=True)
class Delay:
    """By how many seconds a run is longer on a platform, with the interval that the platform's doubt gives that.

    before, after: the two latencies in seconds. Negative seconds: it is shorter. share: of the time before.
    """

    platform: str
    before: float
    after: float
    seconds: float
    low: float
    high: float
    share: float
    coverage: float

    @property
    def certain(self) -> bool:
        """Whether the interval leaves no doubt which of the two is faster."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True)
class Comparison:
    """Two networks beside each other.

    before, after: their analyses, on the same platforms. differences: every layer of both, in the order of execution of
    the second one; a layer that was removed stands where it was. inputs: the networks' own inputs where they differ.
    delays: one a platform. renamed: layers in both that have another name. spelled: for types of operators how many
    more the second network has in what is the same in both.
    """

    before: Analysis
    after: Analysis
    verdict: Verdict
    differences: tuple[Difference, ...]
    inputs: tuple[Change, ...]
    delays: tuple[Delay, ...]
    renamed: int
    spelled: Mapping[str, int]

    def of(self, *states: State) -> tuple[Difference, ...]:
        """The layers of which that became."""
        return tuple(one for one in self.differences if one.state in states)

    def slower_than(self, share: float) -> tuple[Delay, ...]:
        """The delays on platforms where the second network is predicted to take longer by more than a share."""
        return tuple(delay for delay in self.delays if delay.share > share)

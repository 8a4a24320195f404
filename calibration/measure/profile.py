"""What a runtime's own profiler says of a network's kernels, as far as it can be held against the clock.

A profiler writes something down for each operator, and a part of that is in its times: ONNX Runtime's adds about a
microsecond. So the times of a network's kernels are held against the latency that its visits have shown. Where they
add up to more, each operator gives as much of it back, up to MOST_OVERHEAD; what is left is a factor on all of them.
Where that factor is large, the profile tells of itself, and none of its kernels counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from calibration.measure.visits import is_calm

SHORTEST = 3e-7  # seconds; below it nothing is left of a kernel but the profiler
MOST_OVERHEAD = 2e-6  # seconds of an operator
LEAST_SCALE, MOST_SCALE = 0.9, 1.1  # of a profile whose kernels count
WELL_MATCHED = 0.95  # of the time: below it, it is told


@dataclass(frozen=True, slots=True)
class Profile:
    """A few profiled runs of one network.

    kernels: seconds of each of our kernels that the runtime's could be matched to, by its name; operators: how many of
    the runtime's it is. total, count: seconds and number of all operators that ran, matched or not. runs: that were
    timed. before, after, took: as of a visit. A network that cannot be profiled has a count of 0.
    """

    item: str
    kernels: Mapping[str, float]
    operators: Mapping[str, int]
    total: float
    count: int
    runs: int
    before: float
    after: float
    took: float

    @property
    def matched(self) -> float:
        """The share of the time that is of matched kernels."""
        return sum(self.kernels.values()) / self.total if self.total else 0.0


@dataclass(frozen=True, slots=True)
class Anchored:
    """A network's kernels, in seconds that fit its latency.

    overhead: seconds that were taken off the profiler's for each operator; scale: by which the rest was multiplied.
    """

    item: str
    kernels: Mapping[str, float]
    overhead: float
    scale: float

    @property
    def counts(self) -> bool:
        """Whether the profiler was near the clock."""
        return LEAST_SCALE <= self.scale <= MOST_SCALE


def chosen(profiles: Sequence[Profile], usual: float) -> Profile | None:
    """The first calm one of a network's profiles; None where there is none."""
    return next((profile for profile in profiles if is_calm(profile, usual) and profile.count), None)


def anchored(profile: Profile, latency: float) -> Anchored:
    """The profile's kernels, for a network that takes `latency` seconds."""
    overhead = min(max((profile.total - latency) / profile.count, 0.0), MOST_OVERHEAD)
    scale = latency / (profile.total - overhead * profile.count)
    known = {name: (time - overhead * profile.operators[name]) * scale for name, time in profile.kernels.items()}
    return Anchored(profile.item, {name: time for name, time in known.items() if time >= SHORTEST}, overhead, scale)

"""A platform: what is known about a device with a runtime, precision and thread count."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np


@dataclass(frozen=True, slots=True)
class Machine:
    """What a platform's kernels look like, as far as it changes the amount of work.

    vector: channels that fill a register or tile. packed: a smaller number of channels that runs at half
    speed; 0 where there is none. padded: whether channels are rounded up to the vector, instead of paying
    for what does not fill it; where `packed` is given, only multiples of it are, and others pay. winograd: tile
    size m of the algorithm F(m x m, 3 x 3) that the runtime has for 3x3 convolutions of stride 1; 0 where it has
    none. blocks: channels in a block of the layout NCHWc that its convolutions work in, as the processor has it; 0
    where there is no such layout, None for what the runtime usually has.
    """

    vector: int = 1
    packed: int = 0
    padded: bool = False
    winograd: int = 0
    blocks: int | None = None


@dataclass(frozen=True, slots=True)
class Stretch:
    """How a run's time departs from the sum of its kernels' times: t = s (s / reference)^exponent.

    Long runs heat a device and lower its clock, so that the exponent is above 0 on phones. All in seconds; sums
    outside of shortest to longest, the range that was measured, are stretched like the nearer end.
    """

    exponent: float = 0.0
    reference: float = 1.0
    shortest: float = 0.0
    longest: float = math.inf

    def of(self, seconds: Any) -> Any:
        """The time of runs whose kernels' times add up to `seconds`, a number or an array."""
        if not self.exponent:
            return seconds
        return seconds * (np.clip(seconds, self.shortest, self.longest) / self.reference) ** self.exponent

    def sum_of(self, seconds: Any) -> Any:
        """What the kernels' times of runs that take `seconds` add up to: the inverse of `of`."""
        if not self.exponent:
            return seconds
        inside = self.reference * (seconds / self.reference) ** (1 / (1 + self.exponent))
        return seconds / (np.clip(inside, self.shortest, self.longest) / self.reference) ** self.exponent


@dataclass(frozen=True, slots=True)
class Doubt:
    """How far predictions may be off, from residuals of networks that the fit had not seen.

    A prediction's doubt is the standard deviation of its logarithm, sqrt(network^2 + sum of (share x kind)^2)
    over the kinds of its kernels, where share is the part of the time that the kind takes.

    network: of a whole network whose kinds are all well known. kinds: of each kind of kernel.
    quantiles: for each coverage (0.9: nine of ten), how many doubts the held-out residuals stayed within.
    """

    network: float
    kinds: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    quantiles: Mapping[float, float] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Errors on held-out networks, as fractions (0.05: 5 %), beside two plain baselines held out the same way.

    method: how networks were held out. networks, samples: that were predicted. mape, median: of the relative
    error. within_5, within_10: share of predictions at most that many percent off. tau: Kendall's rank
    correlation between predicted and measured. baseline_mult_adds: the mape of a line through mult-adds;
    baseline_memory: of a plane through mult-adds and memory access.
    """

    method: str
    networks: int
    samples: int
    mape: float
    median: float
    within_5: float
    within_10: float
    tau: float
    baseline_mult_adds: float
    baseline_memory: float


@dataclass(frozen=True, slots=True)
class Source:
    """Where measurements came from. date: ISO, or a range of two. samples: rows of it that were used."""

    name: str
    date: str = ""
    samples: int = 0


@dataclass(frozen=True, slots=True)
class Platform:
    """A fitted platform; one JSON file.

    id: device-runtime-precision-threads. threads: 0 where the word means nothing (GPUs). clock: how the
    device's frequency was governed, where known. coefficients: seconds for one unit of each term of
    costmodel.predictor.terms. stretch: of the sum of kernels' times. notes: what a user should know, one sentence each.
    """

    id: str
    device: str
    runtime: str
    precision: str
    threads: int
    machine: Machine
    coefficients: Mapping[str, float]
    doubt: Doubt
    accuracy: Accuracy | None = None
    sources: tuple[Source, ...] = ()
    runtime_version: str = ""
    clock: str = ""
    notes: tuple[str, ...] = ()
    stretch: Stretch = Stretch()

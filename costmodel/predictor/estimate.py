"""Estimates: latencies with intervals, of a network and of each of its kernels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from costmodel.kernels import Kernel


@dataclass(frozen=True, slots=True)
class Estimate:
    """A latency in seconds and the interval that holds the measured one with probability `coverage`.

    Each is a float, or a numpy array with one entry a design of a population.
    """

    seconds: Any
    low: Any
    high: Any
    coverage: float


@dataclass(frozen=True, slots=True)
class KernelEstimate:
    """A kernel and the time it takes."""

    kernel: Kernel
    estimate: Estimate


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a network takes on a platform.

    latency: of one run. fixed: seconds of the run that belong to no kernel. kernels: in the order of
    execution; their seconds and `fixed` add up to the latency's.
    """

    platform: str
    latency: Estimate
    fixed: Any
    kernels: tuple[KernelEstimate, ...]

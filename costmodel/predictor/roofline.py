"""The most that a platform's prices allow a network's kernels: ceilings of a roofline (Williams et al., CACM 2009).

They are no data sheet: fitted prices of the work that the network's kernels have. A kernel's time is the sum of its
mult-adds, its memory access and its launch, so that it stays below the ceilings, and well below where they meet.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from costmodel.kernels import Kernel, Kind
from costmodel.platforms.platform import Platform
from costmodel.predictor.estimate import Prediction
from costmodel.predictor.terms import amounts

# What a term is of, and the end of its name, where it prices elements that a kernel reads or writes. Not Winograd's
# transformed ones and not patches: they are a kernel's own, and may never leave a cache.
_OWNERS = ("contraction", "dense", "depthwise", "elementwise", "movement", "rearrangement", "reduction")
_MEMORY = ("elements", "input", "output", "weights")


@dataclass(frozen=True, slots=True)
class Roofline:
    """What limits the kernels of a prediction.

    mult_adds: mult-adds a second, by kind of kernel: those of the kernel that would be the fastest of its kind if only
        mult-adds took time. No kernel exceeds it. bytes: bytes a second where elements are cheapest, if only they took
        time; 0 where no kernel has elements with a price. A kernel exceeds it only where the price of something else
        covers what it reads.
    """

    mult_adds: Mapping[Kind, float]
    bytes: float


def roofline(prediction: Prediction, platform: Platform) -> Roofline:
    """The ceilings of a prediction's kernels. The prediction is of one network: its counts are ints."""
    latency = float(prediction.latency.seconds)
    stretched = latency / float(platform.stretch.sum_of(latency)) if latency else 1.0
    compute: dict[Kind, float] = {}
    memory = 0.0
    for item in prediction.kernels:
        kernel = item.kernel
        cost: Any = kernel.cost  # its counts are ints
        arithmetic, elements, priced = _shares(kernel, platform)
        if arithmetic:
            rate = cost.mult_adds / (arithmetic * stretched)
            compute[kernel.kind] = max(compute.get(kernel.kind, 0.0), rate)
        if elements and cost.memory_access:
            size = cost.bytes / cost.memory_access
            memory = max(memory, priced * size / (elements * stretched))
    return Roofline({kind: rate for kind, rate in compute.items() if rate}, memory)


def _shares(kernel: Kernel, platform: Platform) -> tuple[float, float, float]:
    """Seconds of a kernel's mult-adds and of its elements, before the run is stretched, and how many elements those
    are."""
    arithmetic = elements = priced = 0.0
    work: Mapping[str, Any] = amounts(kernel, platform.machine)
    for name, amount in work.items():
        seconds = amount * platform.coefficients.get(name, 0.0)
        owner, _, what = name.partition(".")
        if "mult_adds" in what:
            arithmetic += seconds
        elif seconds and owner in _OWNERS and what in _MEMORY:
            elements += seconds
            priced += amount
    return arithmetic, elements, priced

"""What is known of a platform's rates before anything is measured there.

Each term's price is written as mult-adds that take as long, on a machine whose dense 1x1 convolutions run near
its peak; `doubt` is the standard deviation of its natural logarithm (0.7: between half and twice). They follow
from widths of registers and memory paths and from how the algorithms work, not from a measurement: a CPU core
does about 4 to 16 mult-adds in the time of an element loaded and stored; a GPU that does thousands of billions of
mult-adds a second needs 50 times as long for an element of memory, and microseconds for a launch. What a contraction
does on its way out is no launch, but starts only when the last products are there, and a GPU's threads have nothing
else to do meanwhile: a trip to memory, some hundred cycles or a fifteenth of a launch. On a CPU it is a call.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from calibration.fit import Prior

Processor = Literal["cpu", "gpu"]

SPEED_DOUBT = 30.0  # of the common speed: the means say 1 s a mult-add, and real platforms e^20 to e^33 times less
GROUP_DOUBT = 0.7  # of all of MEMORY together, and of all of LAUNCHES, against the arithmetic

# What moves elements more than it computes. A depthwise convolution is among it (Section 2 of the paper, G4: its
# memory access is large for its mult-adds), so that what copies and additions take says what it will take.
MEMORY = [
    "winograd.input",
    "winograd.output",
    "winograd.weights",
    "contraction.patches",
    "contraction.input",
    "contraction.output",
    "contraction.weights",
    "dense.weights",
    "epilogue.input",
    "depthwise.mult_adds_3x3",
    "depthwise.mult_adds_3x3_strided",
    "depthwise.mult_adds_5x5",
    "depthwise.mult_adds_other",
    "depthwise.half",
    "depthwise.scalar",
    "depthwise.output",
    "pool.comparisons",
    "reduction.input",
    "mean.input",
    "elementwise.elements",
    "movement.elements",
    "rearrangement.elements",
    "other.elements",
]
LAUNCHES = [
    "run",
    "launch.contraction",
    "launch.light",
    "launch.group",
    "launch.batched_group",
    "epilogue.operators",
]

# term: (CPU: mult-adds, doubt), (GPU: mult-adds, doubt)
RATES: dict[str, tuple[tuple[float, float], tuple[float, float]]] = {
    "run": ((1e4, 1.5), (2e8, 1.5)),
    "launch.contraction": ((2.5e4, 1.0), (3e7, 0.8)),
    "launch.light": ((2.5e4, 1.0), (2e7, 0.8)),
    "launch.group": ((2.5e4, 1.0), (3e7, 1.2)),
    "launch.batched_group": ((2.5e4, 1.0), (3e7, 1.2)),
    "stem.mult_adds": ((1.5, 0.4), (3.0, 0.7)),
    "stem.large_mult_adds": ((1.3, 0.4), (2.0, 0.7)),
    "pointwise.mult_adds": ((1.0, 0.2), (1.0, 0.2)),
    "spatial.mult_adds": ((1.1, 0.3), (1.0, 0.4)),
    "grouped.mult_adds": ((1.3, 0.5), (2.0, 0.7)),
    "dense.mult_adds": ((1.0, 0.5), (1.0, 0.5)),
    "matmul.mult_adds": ((1.2, 0.5), (1.5, 0.5)),
    "winograd.mult_adds": ((1.0, 0.2), (1.0, 0.3)),
    "winograd.input": ((12.0, 0.7), (20.0, 0.7)),
    "winograd.output": ((12.0, 0.7), (20.0, 0.7)),
    "winograd.weights": ((4.0, 0.7), (20.0, 0.7)),
    "contraction.steps": ((1.0, 0.5), (2e5, 1.0)),
    "contraction.half": ((0.3, 0.7), (0.3, 0.7)),
    "contraction.scalar": ((0.5, 0.7), (0.5, 0.7)),
    "contraction.patches": ((4.0, 0.7), (5.0, 1.0)),
    "contraction.input": ((4.0, 0.7), (40.0, 0.7)),
    "contraction.output": ((6.0, 0.7), (40.0, 0.7)),
    "contraction.weights": ((5.0, 0.7), (40.0, 0.7)),
    "dense.weights": ((6.0, 0.7), (40.0, 0.7)),
    "epilogue.operators": ((1e3, 1.0), (2e6, 1.0)),
    "epilogue.input": ((4.0, 0.8), (40.0, 0.7)),
    "depthwise.mult_adds_3x3": ((3.0, 0.6), (20.0, 0.8)),
    "depthwise.mult_adds_3x3_strided": ((4.0, 0.6), (25.0, 0.8)),
    "depthwise.mult_adds_5x5": ((3.0, 0.6), (20.0, 0.8)),
    "depthwise.mult_adds_other": ((6.0, 0.6), (20.0, 0.8)),
    "depthwise.half": ((2.0, 0.7), (2.0, 0.7)),
    "depthwise.scalar": ((3.0, 0.7), (3.0, 0.7)),
    "depthwise.output": ((6.0, 0.7), (80.0, 0.7)),
    "pool.comparisons": ((2.5, 0.5), (10.0, 0.8)),
    "reduction.input": ((4.0, 0.7), (50.0, 0.7)),
    "mean.input": ((20.0, 1.0), (50.0, 0.8)),
    "elementwise.elements": ((4.0, 0.8), (50.0, 0.6)),
    "transcendental.elements": ((30.0, 0.7), (100.0, 0.7)),
    "softmax.elements": ((100.0, 1.0), (200.0, 1.0)),
    "normalization.elements": ((200.0, 1.2), (200.0, 1.0)),
    "movement.elements": ((8.0, 0.7), (100.0, 0.6)),
    "rearrangement.elements": ((12.0, 0.9), (100.0, 0.8)),
    "other.mult_adds": ((2.0, 0.8), (3.0, 0.8)),
    "other.elements": ((10.0, 1.0), (100.0, 1.0)),
}


def prior(processor: Processor) -> Prior:
    """What is known of a platform of which nothing is measured, by the kind of its processor."""
    column = 0 if processor == "cpu" else 1
    rates = [RATES[term][column] for term in RATES]
    mean = np.log([price for price, _ in rates])
    doubts = np.array([doubt for _, doubt in rates])
    covariance = np.diag(doubts**2) + SPEED_DOUBT**2
    for group in (MEMORY, LAUNCHES):
        members = np.array([GROUP_DOUBT if term in group else 0.0 for term in RATES])
        covariance += np.outer(members, members)
    return Prior(tuple(RATES), mean, covariance)

"""A law of top-1 by mult-adds alone, fitted on four networks of one family, and how far a design is from them.

Error = 16.65 + 86.9 M^-0.367 percent, M the mult-adds in millions: within 0.03 points of what was published for
ShuffleNet V2 0.5x to 2x (megvii-model/ShuffleNet-Series). `benchmarks/capacity_ranks.py` fits it again. It has three
constants for four networks, knows nothing but mult-adds, and is no accuracy of any design.
"""

from __future__ import annotations

import math
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np

from search.design import FIRST_STAGE, WIDTHS, Design, standard

FLOOR, SCALE, EXPONENT = 16.65, 86.9, 0.367
BAND = 2.0  # percentage points: by as much the same four networks differ when others train them
RESOLUTION, CLASSES = 224, 1000  # of all that the law was fitted on

_ALIKE = math.log2(1.05)  # as near as rounding to whole channels leaves a design to its family


def law_top1(mult_adds: Any) -> Any:
    """100 minus the law's top-1 error, in percent, of mult-adds an image (a number or an array, above 0).

    Rises with mult-adds.
    """
    return 100 - FLOOR - SCALE * (mult_adds / 1e6) ** -EXPONENT


def distance_from_family(design: Design) -> float:
    """How unlike ShuffleNet V2's own proportions a design is: the largest |log2| of its departures. 0 for Table 5's.

    1 means that some width, depth or split ratio is twice, or half, what the family has at equal mult-adds.
    """
    return max(map(abs, _departures(design).values()))


def law_note(design: Design) -> str:
    """What to know of the law's figure for a design: its band, how far the design is from what it was fitted on."""
    parts = [f"the law is ShuffleNet V2's, {WIDTHS[0]:g}x to {WIDTHS[-1]:g}x, within about {BAND:g} points"]
    name, departure = max(_departures(design).items(), key=lambda item: abs(item[1]))
    if abs(departure) > _ALIKE:
        parts.append(f"{name} is {2**departure:.2f} times the family's at equal mult-adds")
    else:
        parts.append("this design has the family's proportions")
    foreign = _foreign(design)
    if foreign:
        parts.append(f"the law knows nothing of {', '.join(foreign)}")
    return "; ".join(parts)


def _departures(design: Design) -> dict[str, float]:
    """log2 of each of a design's widths, depths and split ratios over the family's, at equal mult-adds for an image of
    the family's size."""
    log_mult_adds = math.log2(replace(design, resolution=RESOLUTION, classes=CLASSES).mult_adds)
    departures = {}
    for index, stage in enumerate(design.stages):
        name = f"stage {index + FIRST_STAGE}'s"
        member = standard(WIDTHS[0]).stages[index]
        departures[f"{name} width"] = math.log2(stage.channels) - _family_width(index, log_mult_adds)
        departures[f"{name} depth"] = math.log2(stage.units / member.units)
        departures[f"{name} split ratio"] = math.log2(stage.ratio / member.ratio)
    return departures


def _family_width(index: int, log_mult_adds: float) -> float:
    """log2 of the channels of a stage in the family at some log2 of mult-adds: lines between Table 5's designs, the
    outer ones going on beyond them."""
    known, widths = _diagonal()
    upper = int(np.clip(np.searchsorted(known, log_mult_adds), 1, len(known) - 1))
    (x, y), (end_x, end_y) = ((known[i], widths[i][index]) for i in (upper - 1, upper))
    return y + (end_y - y) * (log_mult_adds - x) / (end_x - x)


@lru_cache(maxsize=1)
def _diagonal() -> tuple[list[float], list[list[float]]]:
    """log2 of mult-adds, and of each stage's channels, of Table 5's designs."""
    designs = [standard(width) for width in WIDTHS]
    return (
        [math.log2(design.mult_adds) for design in designs],
        [[math.log2(stage.channels) for stage in design.stages] for design in designs],
    )


@lru_cache(maxsize=16)
def _foreign(design: Design) -> list[str]:
    """What a design has and no network that the law was fitted on, in words."""
    smallest, largest = (standard(width).mult_adds for width in (WIDTHS[0], WIDTHS[-1]))
    own = design.mult_adds
    plain = standard(WIDTHS[0])
    kernels = sorted({stage.kernel for stage in design.stages} - {plain.stages[0].kernel})
    found = {
        f"{own / 1e6:,.0f} M mult-adds": not smallest <= own <= largest,
        f"{design.resolution} px": design.resolution != RESOLUTION,
        f"{design.classes} classes": design.classes != CLASSES,
        f"windows of {', '.join(map(str, kernels))}": bool(kernels),
        "squeeze-excite": any(stage.se for stage in design.stages),
        "residuals": design.residual,
        design.act: design.act != plain.act,
    }
    return [words for words, holds in found.items() if holds]

"""Outcomes of small searches, for tests of what shows them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from costmodel.platforms import find
from search.capacity import EFFECTIVENESS, Capacity, capacity_of
from search.comparison import fronts, gains, standards
from search.evaluate import Evaluator
from search.exact import exact
from search.limits import Limits
from search.report import Outcome
from search.space import default_space, parse_options

ARM, GPU = "snapdragon810-neon-fp32-1t", "gtx1080ti-cudnn7-fp32"
SMALL = (
    *("stem=16,24", "head=1024", "ratio=1/2", "ratio4=1/2,5/8", "channels2=48,116"),
    *("channels3=96:352:128,232", "channels4=192:704:256,464", "units2=4", "units3=4,8", "units4=4,8"),
)


def outcome(
    budgets: dict[str, float],
    platforms: Sequence[Any] = (ARM, GPU),
    *,
    space: Sequence[str] = SMALL,
    capacity: str | Capacity = "entropy",
    top: int = 3,
    max_params: int | None = None,
    **changes: Any,
) -> Outcome:
    """What the exact engine and what stands beside it give. platforms: names, or Platforms. changes: of the outcome."""
    genes = {gene: options for entry in space for gene, options in parse_options(entry).items()}
    measure = capacity_of(capacity) if isinstance(capacity, str) else capacity
    known = [find(one) if isinstance(one, str) else one for one in platforms]
    evaluator = Evaluator(default_space(options=genes), known, measure)
    limits = Limits(budgets, max_params, None, EFFECTIVENESS)
    result = exact(evaluator, limits, top=top)
    widths, found = standards(evaluator), fronts(evaluator, limits)
    findings, named = ("2 notes (G4)", ("mine",)) if known else ("", ())
    whole = Outcome(evaluator, limits, result, None, widths, found, gains(evaluator, widths, found), findings, 1.25)
    return replace(whole, **{"named": named, **changes})

"""What a search gains over the widths of Table 5, which were chosen by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from costmodel.predictor import Estimate, predict
from search.design import WIDTHS, Design, standard
from search.evaluate import Evaluator
from search.exact import pareto
from search.limits import Limits
from search.result import Candidate
from search.space import Population
from search.tables import Array


@dataclass(frozen=True)
class Front:
    """The best designs of a space by predicted latency on one platform, the fastest first.

    seconds, capacity: (designs,) both ascending; capacity as a total.
    """

    platform: str
    population: Population
    seconds: Array
    capacity: Array


@dataclass(frozen=True)
class Gain:
    """A width of Table 5 beside the best designs of the space on one platform.

    shown: its capacity, as shown. latency: its own. at_latency: what capacity the space has at its predicted latency,
    as shown, None where nothing is that fast. at_capacity: the least predicted seconds at its capacity, None where
    nothing has as much.
    """

    width: float
    platform: str
    shown: float
    latency: Estimate
    at_latency: float | None
    at_capacity: float | None


def fronts(evaluator: Evaluator, limits: Limits) -> tuple[Front, ...]:
    """The front of each platform, under the effectiveness of the limits; none where the capacity is not additive."""
    if evaluator.capacity.amount is None:
        return ()
    found = []
    for platform in evaluator.platforms:
        population = pareto(evaluator, platform.id, limits)
        if len(population):
            costs = evaluator.costs(population)
            found.append(Front(platform.id, population, costs.latency[platform.id].seconds, costs.capacity))
    return tuple(found)


def standards(evaluator: Evaluator) -> Mapping[float, Candidate]:
    """The widths of Table 5 as candidates, at their own 224 pixels and with the space's classes."""
    result = {}
    for width in WIDTHS:
        design: Design = replace(standard(width), classes=evaluator.space.classes)
        graph = design.graph(evaluator.batch)
        capacity = float(evaluator.capacity.score([design])[0])
        latency = {p.id: predict(graph, p, coverage=evaluator.coverage).latency for p in evaluator.platforms}
        cost = graph.cost
        counts = (int(cost.mult_adds), int(cost.params), int(cost.memory_access))  # type: ignore[arg-type]
        result[width] = Candidate(design, capacity, float(evaluator.capacity.shown(capacity)), *counts, latency)
    return result


def gains(evaluator: Evaluator, known: Mapping[float, Candidate], found: Sequence[Front]) -> tuple[Gain, ...]:
    """Each width of Table 5 beside each platform's front."""
    return tuple(_gain(evaluator, width, one, front) for front in found for width, one in known.items())


def _gain(evaluator: Evaluator, width: float, one: Candidate, front: Front) -> Gain:
    latency = one.latency[front.platform]
    as_fast = int(np.searchsorted(front.seconds, latency.seconds, "right")) - 1
    as_able = int(np.searchsorted(front.capacity, one.capacity, "left"))
    return Gain(
        width,
        front.platform,
        one.shown,
        latency,
        float(evaluator.capacity.shown(front.capacity[as_fast])) if as_fast >= 0 else None,
        float(front.seconds[as_able]) if as_able < len(front.seconds) else None,
    )

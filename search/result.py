"""What a search found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from costmodel.predictor import Estimate
from search.design import SCHEMA, Design
from search.evaluate import Evaluation, Evaluator
from search.space import Population
from search.tables import Array


@dataclass(frozen=True)
class Candidate:
    """A design with what it is and costs.

    capacity: the total of the search's Capacity, to compare by; `shown` says what of it is shown. latency: by platform
    id, in seconds.
    """

    design: Design
    capacity: float
    shown: float
    mult_adds: int
    params: int
    memory_access: int
    latency: Mapping[str, Estimate]


@dataclass(frozen=True)
class Step:
    """A moment of a search: after `examined` designs the best that keeps all limits had this capacity."""

    examined: int
    capacity: float


@dataclass(frozen=True)
class Result:
    """What an engine found.

    best: designs that keep all limits, the best first. front: designs of which none is both faster and of more
    capacity than another, the fastest first; empty where it was not asked for. proven: nothing in the space is
    better. examined: designs that were priced. history: the best so far.
    """

    engine: str
    best: tuple[Candidate, ...]
    front: tuple[Candidate, ...]
    proven: bool
    examined: int
    history: tuple[Step, ...] = ()


def candidates(evaluator: Evaluator, population: Population, capacity: Array | None = None) -> tuple[Candidate, ...]:
    """The designs of a population, in its order, without those that are equal to an earlier one.

    capacity: (designs,) where it is known already; to ask for it again may take a training run.
    """
    if capacity is None:
        evaluation = evaluator.evaluate(population)
    else:
        evaluation = replace(evaluator.costs(population), capacity=capacity)
    found: dict[Design, Candidate] = {}
    for index, design in enumerate(evaluator.space.designs(population)):
        if design not in found:
            found[design] = _candidate(evaluator, evaluation, index, design)
    return tuple(found.values())


def _candidate(evaluator: Evaluator, evaluation: Evaluation, index: int, design: Design) -> Candidate:
    capacity = float(evaluation.capacity[index])
    return Candidate(
        design,
        capacity,
        float(evaluator.capacity.shown(capacity)),
        int(evaluation.mult_adds[index]),
        int(evaluation.params[index]),
        int(evaluation.memory_access[index]),
        {
            name: Estimate(float(e.seconds[index]), float(e.low[index]), float(e.high[index]), e.coverage)
            for name, e in evaluation.latency.items()
        },
    )


def design_record(candidate: Candidate, capacity_name: str, **more: Any) -> dict[str, Any]:
    """The content of a design file (schema costmodel.design/1). more: further keys, such as how it was found."""
    return {
        "schema": SCHEMA,
        "design": candidate.design.to_dict(),
        "network": candidate.design.reference,
        "predicted": {
            name: {
                "latency_ms": e.seconds * 1e3,
                "low_ms": e.low * 1e3,
                "high_ms": e.high * 1e3,
                "coverage": e.coverage,
            }
            for name, e in candidate.latency.items()
        },
        "capacity": candidate.shown,
        "capacity_name": capacity_name,
        "mult_adds": candidate.mult_adds,
        "params": candidate.params,
        "memory_access": candidate.memory_access,
        **more,
    }


def best_rows(evaluation: Evaluation, kept: np.ndarray[Any, np.dtype[np.bool_]], count: int) -> Sequence[int]:
    """Numbers of the `count` designs of most capacity among those that are kept, the best first."""
    numbers = np.flatnonzero(kept)
    order = np.argsort(-evaluation.capacity[numbers], kind="stable")[:count]
    return [int(number) for number in numbers[order]]

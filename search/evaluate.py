"""A population -> counts, capacities and latencies on all platforms at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from costmodel.platforms import Platform
from costmodel.predictor import COVERAGE, Estimate, run_estimate
from search.capacity import Capacity
from search.space import GENES, NUMBERS, STAGE_GENES, WHOLE_GENES, Population, Space
from search.tables import CAPACITY, MEMORY_ACCESS, MULT_ADDS, PARAMS, Array, Seconds, Tables, tabulate

Counts = npt.NDArray[np.int64]

_AT_ONCE = 16_384  # designs whose sums stay in a processor's cache
_PLACE = {name: index for index, name in enumerate(GENES)}


@dataclass(frozen=True)
class Evaluation:
    """What a population's designs are and cost; every array has one entry a design.

    capacity: totals of the evaluator's Capacity. mult_adds, params, memory_access: of the whole batch; parameters of
    the network. effectiveness: of the stage whose depth is largest for its width. latency: by platform id.
    """

    capacity: Array
    mult_adds: Counts
    params: Counts
    memory_access: Counts
    effectiveness: Array
    latency: Mapping[str, Estimate]


class Evaluator:
    """A space with its tables: prices populations.

    platforms: whose latencies are wanted. capacity: what stands in for accuracy. batch: images of a run. coverage: of
    the latencies' intervals, one that every platform has. Making one takes about as long as pricing 100,000 designs.
    Raises UsageError for a coverage that a platform does not have, and for a space too large to tabulate.
    """

    def __init__(
        self,
        space: Space,
        platforms: Sequence[Platform],
        capacity: Capacity,
        *,
        batch: int = 1,
        coverage: float = COVERAGE,
    ) -> None:
        self.space = space
        self.platforms = tuple(platforms)
        self.capacity = capacity
        self.batch = batch
        self.coverage = coverage
        self.tables: Tables = tabulate(space, platforms, capacity, batch)
        self._whole = tuple(len(space.genes[name]) for name in WHOLE_GENES)
        self.costs(np.zeros((1, len(GENES)), np.intp))  # a coverage that is not in a profile shows at once

    def evaluate(self, population: Population) -> Evaluation:
        """What a population, an array (designs, genes) of option numbers, is and costs."""
        evaluation = self.costs(population)
        if self.capacity.amount is None:
            return replace(evaluation, capacity=self.capacity.score(self.space.designs(population)))
        return evaluation

    def costs(self, population: Population) -> Evaluation:
        """The same, with a capacity of 0 where it is not additive, which may take long to tell."""
        starts = range(0, max(len(population), 1), _AT_ONCE)
        parts = [self._costs(population[start : start + _AT_ONCE]) for start in starts]
        return Evaluation(
            np.concatenate([part.capacity for part in parts]),
            np.concatenate([part.mult_adds for part in parts]),
            np.concatenate([part.params for part in parts]),
            np.concatenate([part.memory_access for part in parts]),
            np.concatenate([part.effectiveness for part in parts]),
            {name: _joined([part.latency[name] for part in parts]) for name in parts[0].latency},
        )

    def rows(self, population: Population) -> tuple[Array, Array]:
        """The sums over designs' pieces, (designs, columns of the tables), and their effectiveness, (designs,)."""
        number = {name: population[:, place] for name, place in _PLACE.items()}
        whole = np.ravel_multi_index(tuple(number[name] for name in WHOLE_GENES), self._whole)
        rows = _rows(self.tables.stem, whole, number["stem"])
        rows += _rows(self.tables.head, whole, number["channels4"], number["head"])
        before, deepest = number["stem"], np.zeros(len(population))
        for stage, table, bound in zip(NUMBERS, self.tables.stages, self.tables.effectiveness, strict=True):
            axes = (whole, before, *(number[f"{gene}{stage}"] for gene in STAGE_GENES))
            rows += _rows(table, *axes)
            deepest = np.maximum(deepest, bound[axes])
            before = number[f"channels{stage}"]
        return rows, deepest

    def _costs(self, population: Population) -> Evaluation:
        rows, effectiveness = self.rows(population)
        return Evaluation(
            rows[:, CAPACITY],
            rows[:, MULT_ADDS].astype(np.int64),
            rows[:, PARAMS].astype(np.int64),
            rows[:, MEMORY_ACCESS].astype(np.int64),
            effectiveness,
            {one.platform.id: self._latency(rows, one) for one in self.tables.seconds},
        )

    def _latency(self, rows: Array, seconds: Seconds) -> Estimate:
        by_kind = {kind: rows[:, column] for kind, column in seconds.kinds.items()}
        total = sum(by_kind.values(), start=rows[:, seconds.fixed])
        return run_estimate(total, by_kind, seconds.platform, self.coverage)


def _rows(table: Array, *axes: npt.NDArray[np.intp]) -> Array:
    """One row of a table for each design."""
    flat = np.ravel_multi_index(axes, table.shape[:-1])
    rows: Array = table.reshape(-1, table.shape[-1]).take(flat, axis=0)
    return rows


def _joined(parts: Sequence[Estimate]) -> Estimate:
    seconds, low, high = (np.concatenate([getattr(p, name) for p in parts]) for name in ("seconds", "low", "high"))
    return Estimate(seconds, low, high, parts[0].coverage)

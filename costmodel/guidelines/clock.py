"""What a design takes on a platform, and what it would take after a change: the price behind every finding."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from costmodel.graph import Node
from costmodel.guidelines.finding import Change, Saving
from costmodel.kernels import Kernel, Kind
from costmodel.platforms import Platform
from costmodel.predictor import KernelEstimate, Prediction, kernel_seconds, quantile_of

Weighted = Iterable[tuple[float, Kernel]]


@dataclass(frozen=True)
class Clock:
    """A network's prediction on a platform, asked by operator and by kernel.

    All seconds are parts of the whole run's, as the prediction's are: the sum of a run's kernels is stretched to
    what the run takes, and each kernel with it.
    """

    platform: Platform
    prediction: Prediction

    @property
    def total(self) -> float:
        """Seconds of a run."""
        return float(self.prediction.latency.seconds)

    @cached_property
    def _kernels(self) -> Mapping[str, KernelEstimate]:
        return {node.name: item for item in self.prediction.kernels for node in item.kernel.operators}

    @cached_property
    def _raw_total(self) -> float:
        return float(self.platform.stretch.sum_of(self.total))

    @cached_property
    def _factor(self) -> float:
        return self.total / self._raw_total if self._raw_total else 1.0

    @cached_property
    def _known(self) -> dict[Hashable, float]:
        """What was asked before: networks repeat their layers."""
        return {}

    def kernel(self, node: Node) -> KernelEstimate | None:
        """The kernel that an operator is part of; None where the runtime has none for it."""
        return self._kernels.get(node.name)

    def kernels(self, nodes: Iterable[Node]) -> tuple[KernelEstimate, ...]:
        """The kernels that operators are part of, each once, in the order of the operators."""
        found = (self._kernels.get(node.name) for node in nodes)
        return tuple({id(item): item for item in found if item is not None}.values())

    def seconds(self, kernel: Kernel) -> float:
        """What a kernel takes that is not in the network, as part of a run of it."""
        key = (kernel.kind, kernel.op, kernel.loops, kernel.launches, kernel.repeat, kernel.epilogues, kernel.cost)
        if key not in self._known:
            self._known[key] = float(kernel_seconds(kernel, self.platform)) * self._factor
        return self._known[key]

    def change(self, before: Iterable[KernelEstimate], after: Weighted = ()) -> Change:
        """What the time loses when kernels of the network are replaced by others, each of these that many times."""
        seconds: dict[Kind, float] = {}
        for item in before:
            kind = item.kernel.kind
            seconds[kind] = seconds.get(kind, 0.0) + float(item.estimate.seconds)
        for weight, kernel in after:
            seconds[kernel.kind] = seconds.get(kernel.kind, 0.0) - weight * self.seconds(kernel)
        return Change(seconds)

    def saving(self, change: Change) -> Saving:
        """What a change saves of a run, with its interval.

        The doubt of a difference: the network's on the whole of it, and of each kind what that kind's time loses.
        """
        saved = self.total - float(self.platform.stretch.of(max(self._raw_total - change.total / self._factor, 0.0)))
        doubt = self.platform.doubt
        parts = [doubt.kinds.get(kind.value, 1.0) * seconds for kind, seconds in change.seconds.items()]
        spread = math.hypot(doubt.network * saved, *parts)
        coverage = self.prediction.latency.coverage
        reach = quantile_of(self.platform, coverage) * spread
        share = saved / self.total if self.total else 0.0
        return Saving(self.platform.id, saved, saved - reach, saved + reach, share, coverage)

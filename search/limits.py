"""What a design has to keep: latency budgets, counts, and an effectiveness."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from search.evaluate import Evaluation
from search.tables import Array


@dataclass(frozen=True)
class Limits:
    """Limits of a search, each inclusive.

    budgets: seconds by platform id, kept by the upper end of a latency's interval: a search picks designs whose
    latency the predictor underestimates. max_params, max_mult_adds: counts. effectiveness: of each stage
    (search.capacity). None: no limit.
    """

    budgets: Mapping[str, float] = field(default_factory=dict)
    max_params: int | None = None
    max_mult_adds: int | None = None
    effectiveness: float | None = None

    def excesses(self, evaluation: Evaluation) -> dict[str, Array]:
        """By how much designs exceed each limit, as a share of it: at most 0 where they keep it."""
        result = {name: evaluation.latency[name].high / budget - 1.0 for name, budget in self.budgets.items()}
        if self.max_params is not None:
            result["params"] = evaluation.params / self.max_params - 1.0
        if self.max_mult_adds is not None:
            result["mult-adds"] = evaluation.mult_adds / self.max_mult_adds - 1.0
        if self.effectiveness is not None:
            result["effectiveness"] = evaluation.effectiveness / self.effectiveness - 1.0
        return result

"""What a network takes on platforms: references resolved, predictions made, budgets held against them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from costmodel.columns import Column
from costmodel.errors import UsageError
from costmodel.graph import Counting, Graph
from costmodel.kernels import Kind, runtime_of
from costmodel.platforms import Platform, find
from costmodel.predictor import COVERAGE, Estimate, KernelEstimate, Prediction, predict

PlatformReference = str | os.PathLike[str] | Platform


@dataclass(frozen=True, slots=True)
class Budget:
    """A latency that a network is to keep to on a platform.

    platform: its id. seconds: the most that a run may take. latency: what it is predicted to take.
    """

    platform: str
    seconds: float
    latency: Estimate

    @property
    def exceeded(self) -> bool:
        """Whether the upper end of the latency's interval lies above the budget."""
        return bool(np.any(self.latency.high > self.seconds))


def resolve(references: PlatformReference | Iterable[PlatformReference] | None) -> tuple[Platform, ...]:
    """The platforms that are meant, each once, in the order given; none for None.

    Raises UsageError for a reference that names none or several, and for two that differ but share an id.
    """
    if references is None:
        return ()
    if isinstance(references, str | os.PathLike | Platform):
        references = (references,)
    result: dict[str, tuple[Platform, PlatformReference]] = {}
    for reference in references:
        platform = reference if isinstance(reference, Platform) else find(_checked(reference))
        first, earlier = result.setdefault(platform.id, (platform, reference))
        if first != platform:
            raise UsageError(_clash(platform.id, earlier, reference))
    return tuple(platform for platform, _ in result.values())


def _clash(id: str, *references: PlatformReference) -> str:
    """What to say of two different platforms with one id; `references` is how they were named."""
    names = [f"a Platform of {one.device!r}" if isinstance(one, Platform) else os.fspath(one) for one in references]
    return f"{id}: two different profiles have this id: {' and '.join(names)}; give one of them another"


def price(graph: Graph, name: str, platforms: Iterable[Platform], coverage: float = COVERAGE) -> tuple[Prediction, ...]:
    """What the graph takes on each platform; `name` is what messages call it.

    Raises UsageError for sizes that are symbols and for a coverage that a platform does not have.
    """
    platforms = tuple(platforms)
    counts = graph.cost
    known = (counts.mult_adds, counts.element_ops, counts.input_elements, counts.output_elements)
    if platforms and not all(isinstance(count, int | Column) for count in known):
        raise UsageError(f"{name}: only numbers can be priced, and sizes are symbols; give all sizes, or no platform")
    return tuple(predict(graph, platform, coverage=coverage) for platform in platforms)


def budgets_of(wanted: Mapping[str, float], named: Sequence[Platform]) -> tuple[tuple[Platform, float], ...]:
    """Budgets by platform reference as pairs of platform and seconds.

    A reference may be the id of a platform that is `named` already, from whatever file. Raises UsageError for
    a reference that names none or several, for one whose id another platform has that is `named`, for a
    platform with two budgets, and for no positive time.
    """
    ids = {platform.id: platform for platform in named}
    result: dict[str, tuple[Platform, float]] = {}
    for reference, seconds in wanted.items():
        if not (isinstance(seconds, int | float) and 0 < seconds < float("inf")):
            raise UsageError(f"budget of {reference}: {seconds!r} is not a positive number of seconds")
        platform = ids.get(reference) or find(_checked(reference))
        if ids.get(platform.id, platform) != platform:
            raise UsageError(f"budget of {reference}: {_clash(platform.id, ids[platform.id], reference)}")
        if platform.id in result:
            raise UsageError(f"budget of {reference}: {platform.id} has a budget already; give one a platform")
        result[platform.id] = (platform, seconds)
    return tuple(result.values())


def record(prediction: Prediction, platform: Platform, graph: Graph) -> dict[str, Any]:
    """A prediction as plain values: an entry of `platforms` in the published JSON."""
    accuracy = platform.accuracy
    return {
        **latency_record(prediction),
        "fixed_ms": _plain(prediction.fixed * 1e3),
        "launches": _plain(launches(prediction)),
        "held_out_mape": None if accuracy is None else accuracy.mape,
        "notes": [*doubts(prediction, platform, graph), *platform.notes],
        "kernels": [_kernel_record(item) for item in prediction.kernels],
    }


def latency_record(prediction: Prediction) -> dict[str, Any]:
    """A prediction's platform and latency as plain values: what every JSON that names platforms has of them."""
    latency = prediction.latency
    return {"id": prediction.platform, **estimate_record(latency), "coverage": latency.coverage}


def budget_record(budget: Budget) -> dict[str, Any]:
    """A budget as plain values: an entry of `budgets` in the published JSON."""
    return {
        "platform": budget.platform,
        "budget_ms": budget.seconds * 1e3,
        **estimate_record(budget.latency),
        "exceeded": budget.exceeded,
    }


def launches(prediction: Prediction) -> Any:
    """How many kernels a run launches."""
    counts = (item.kernel.launches * item.kernel.repeat for item in prediction.kernels)
    return sum(counts, start=0)


def doubts(prediction: Prediction, platform: Platform, graph: Graph) -> tuple[str, ...]:
    """What the interval does not cover, one sentence each; nothing for a network whose every part is known."""
    result = []
    unknown = sum(node.counting is Counting.UNKNOWN for node in graph.nodes)
    if unknown:
        word = "operator is" if unknown == 1 else "operators are"
        result.append(f"{unknown} unknown {word} timed by the elements touched: the latency is a lower bound")
    free = [item.kernel for item in prediction.kernels if _is_unpriced(item)]
    if free:
        kinds = ", ".join(dict.fromkeys(kernel.kind.value for kernel in free))
        word = "1 kernel takes" if len(free) == 1 else f"{len(free)} kernels take"
        result.append(
            f"{word} no time, since the profile has no price for such work ({kinds}; first {free[0].name!r}): "
            "the latency is a lower bound"
        )
    types = {node.op_type for node in graph.nodes}
    if not runtime_of(platform.runtime).folds_norm and "Conv" in types and "BatchNormalization" not in types:
        result.append(
            "the model has no batch normalisation: if its export folded it into convolutions, "
            f"{platform.runtime} takes longer for the model that was exported"
        )
    return tuple(result)


def _is_unpriced(item: KernelEstimate) -> bool:
    cost = item.kernel.cost
    works = item.kernel.kind is not Kind.VIEW and bool(np.any(cost.memory_access != 0))
    return works and not np.any(item.estimate.seconds)


def _kernel_record(item: KernelEstimate) -> dict[str, Any]:
    kernel = item.kernel
    return {
        "name": kernel.name,
        "kind": kernel.kind.value,
        "op": kernel.op,
        "operators": [node.name for node in kernel.operators],
        "launches": _plain(kernel.launches * kernel.repeat),
        **estimate_record(item.estimate),
    }


def estimate_record(estimate: Estimate) -> dict[str, Any]:
    """A latency and the ends of its interval as plain values."""
    ends = {"latency_ms": estimate.seconds, "low_ms": estimate.low, "high_ms": estimate.high}
    return {name: _plain(seconds * 1e3) for name, seconds in ends.items()}


def _plain(value: Any) -> Any:
    """A number, or a list with one a design of a population."""
    if isinstance(value, Column):
        value = value.values
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value


def _checked(reference: object) -> str | os.PathLike[str]:
    if isinstance(reference, str | os.PathLike):
        return reference
    raise UsageError(
        f"a platform is an id such as 'snapdragon810', the path of a profile, or a Platform, not "
        f"{type(reference).__name__}"
    )

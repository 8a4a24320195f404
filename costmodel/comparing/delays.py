"""How much longer a run takes: the difference of two predictions, and what of their doubt is left in it.

Both predictions come from the same platform, and are wrong in the same way where the networks are the same. So

1. what is in both in the same form is no part of the doubt;
2. of layers that are in both but changed, the doubt is on what their time changes by;
3. layers that were added are in doubt by themselves, and so are those that were removed.

Each of the three is doubted as a prediction is (costmodel.predictor.predict): by the platform's doubt about any
network on the whole of it, and by that about a kind of kernel on what that kind takes. They are added as independent
errors. Two networks that share nothing thus have the doubts of two predictions, and one that only lost layers has that
of what it lost.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from costmodel.comparing.layers import Layer
from costmodel.comparing.result import Delay
from costmodel.platforms import Platform
from costmodel.predictor import KernelEstimate, Prediction, quantile_of


@dataclass(frozen=True)
class Timed:
    """One network's prediction by layer.

    seconds: of the kernels of each layer, by its place. kinds: for each layer the seconds of each kind of kernel.
    loose: those of kernels that belong to no layer (copies between layouts, views).
    """

    prediction: Prediction
    seconds: Sequence[float]
    kinds: Sequence[Mapping[str, float]]
    loose: Mapping[str, float] = field(default_factory=dict)

    @staticmethod
    def of(prediction: Prediction, layers: Sequence[Layer]) -> Timed:
        """Each kernel's seconds at the layer that its main operator is part of, else at that of another of its own."""
        owner = {node.name: place for place, layer in enumerate(layers) for node in layer.nodes}
        kinds: list[dict[str, float]] = [defaultdict(float) for _ in layers]
        loose: dict[str, float] = defaultdict(float)
        for item in prediction.kernels:
            place = _place(item, owner)
            (loose if place is None else kinds[place])[item.kernel.kind.value] += float(item.estimate.seconds)
        return Timed(prediction, [sum(parts.values()) for parts in kinds], kinds, loose)


def _place(item: KernelEstimate, owner: Mapping[str, int]) -> int | None:
    names = (item.kernel.name, *(node.name for node in item.kernel.operators))
    return next((owner[name] for name in names if name in owner), None)


def delay(before: Timed, after: Timed, pairs: Mapping[int, int], platform: Platform) -> Delay:
    """What a run takes longer, `pairs` telling which layers, by their places, are in both networks."""
    parts = [math.hypot(*_doubts(seconds, platform)) for seconds in _changed(before, after, pairs)]
    coverage = before.prediction.latency.coverage
    first, second = (float(one.prediction.latency.seconds) for one in (before, after))
    reach = quantile_of(platform, coverage) * math.hypot(*parts)
    longer = second - first
    share = longer / first if first else 0.0
    return Delay(platform.id, first, second, longer, longer - reach, longer + reach, share, coverage)


def _changed(before: Timed, after: Timed, pairs: Mapping[int, int]) -> tuple[Mapping[str, float], ...]:
    """By kind of kernel the seconds that layers in both take longer, those that were added, and those removed."""
    both, added, removed = (defaultdict[str, float](float) for _ in range(3))
    both["run"] = float(after.prediction.fixed) - float(before.prediction.fixed)
    sides = [(before.loose, after.loose), *((before.kinds[one], after.kinds[other]) for one, other in pairs.items())]
    for first, second in sides:
        for kind in first.keys() | second.keys():
            both[kind] += second.get(kind, 0.0) - first.get(kind, 0.0)
    kept = set(pairs.values())
    for part, side, known in ((removed, before, pairs.keys()), (added, after, kept)):
        for place, kinds in enumerate(side.kinds):
            for kind, seconds in kinds.items() if place not in known else ():
                part[kind] += seconds
    return both, added, removed


def _doubts(seconds: Mapping[str, float], platform: Platform) -> list[float]:
    """The standard deviations of a sum of seconds of several kinds: of any network's, and of each kind's."""
    doubt = platform.doubt
    kinds = [doubt.kinds.get(kind, 1.0) * part for kind, part in seconds.items() if kind != "run"]
    return [doubt.network * sum(seconds.values()), *kinds]

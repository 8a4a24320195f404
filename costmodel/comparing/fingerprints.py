"""Numbers that two layers have in common where they and what surrounds them are alike.

The same Interner numbers both networks. Facts are looked at in three ways, from the strictest: FULL (all of them), OWN
(what somebody chose for the layer) and SKELETON (what stays when a network is made wider or larger).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from functools import cached_property

from costmodel.comparing.layers import Layer

NEAR = 3  # layers on each side that a neighbourhood has


class Interner:
    """Numbers for values: equal ones have the same."""

    def __init__(self) -> None:
        self._numbers: dict[Hashable, int] = {}

    def __call__(self, value: Hashable) -> int:
        return self._numbers.setdefault(value, len(self._numbers))


Tier = Callable[[Layer], Hashable]


def full(layer: Layer) -> Hashable:
    """Everything there is to know of a layer."""
    return layer.op, tuple(layer.own.items()), tuple(layer.read.items())


def own(layer: Layer) -> Hashable:
    """What was chosen for a layer."""
    return layer.op, tuple(layer.own.items())


def skeleton(layer: Layer) -> Hashable:
    """What stays when a network is made wider or larger."""
    return layer.skeleton


TIERS: tuple[Tier, ...] = (full, own, skeleton)


def readers_of(layers: Sequence[Layer]) -> tuple[tuple[int, ...], ...]:
    """For each layer the layers that read it."""
    result: list[list[int]] = [[] for _ in layers]
    for place, layer in enumerate(layers):
        for source in layer.sources:
            result[source].append(place)
    return tuple(map(tuple, result))


@dataclass(frozen=True)
class Fingerprints:
    """A network's layers as numbers, by one way of looking at their facts."""

    layers: Sequence[Layer]
    readers: Sequence[tuple[int, ...]]
    order: Sequence[int]
    number: Interner
    tier: Tier

    @cached_property
    def itself(self) -> list[int]:
        """The layer alone."""
        return [self.number(self.tier(layer)) for layer in self.layers]

    @cached_property
    def up(self) -> list[int]:
        """The layer and all that leads to it."""
        result = [-1] * len(self.layers)
        for place in self.order:
            sources = sorted(result[source] for source in self.layers[place].sources)
            result[place] = self.number(("up", self.itself[place], *sources))
        return result

    @cached_property
    def down(self) -> list[int]:
        """The layer and all that it leads to."""
        result = [-1] * len(self.layers)
        for place in reversed(self.order):
            readers = sorted(result[reader] for reader in self.readers[place])
            result[place] = self.number(("down", self.itself[place], *readers))
        return result

    @cached_property
    def near(self) -> list[int]:
        """The layer and those at most NEAR steps from it."""
        result = self.itself
        for _ in range(NEAR):
            result = [
                self.number(
                    (
                        "near",
                        result[place],
                        tuple(sorted(result[other] for other in layer.sources)),
                        tuple(sorted(result[other] for other in self.readers[place])),
                    )
                )
                for place, layer in enumerate(self.layers)
            ]
        return result

"""Excessive group convolution raises memory access.

## What it does
Finds convolutions in groups, 1x1 and k x k, whose replacement without groups would be faster at the same mult-adds.
Depthwise convolutions, one channel a group, are not among them: they belong to G4, as in the paper. Grouped layers
that follow one another, with nothing between them that joins or cuts channels, are pairs: one finding for a unit.

## Why it is slow
With g groups a 1x1 convolution needs g times fewer mult-adds, and designs spend what is saved on more channels. For a
given input and a given number of mult-adds B it accesses MAC = hw c1 + B g / c1 + B / hw elements: more with every
group. And a runtime may run the groups one by one, each on few channels. In Table 2 of the paper 8 groups run at 0.26
to 0.53 times the speed of one on a GTX 1080 Ti.

## Example
zoo:paper_g2,c=360,groups=8

## Use instead
zoo:paper_g2,c=128,groups=1

## Where
gtx1080ti-cudnn7-fp32, snapdragon810-neon-fp32-1t

## Options
None of its own: what groups cost depends on the platform, so that only the price decides (note_at).

## Reference
Ma et al., ECCV 2018, Section 2, G2: Eq. 2 and Table 2.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from costmodel.guidelines.clock import Clock
from costmodel.guidelines.finding import Breach, Change
from costmodel.guidelines.network import Layer, Network
from costmodel.guidelines.options import Options
from costmodel.guidelines.remedies import resized
from costmodel.kernels import Kind


def breaches(network: Network, clocks: Sequence[Clock], options: Options) -> Iterator[Breach]:
    """One for each grouped convolution, or for two that follow one another."""
    units: dict[str, list[Layer]] = {}
    for layer in network.layers.values():
        if layer.kind is not Kind.GROUPED:
            continue
        before = layer.source
        if before is not None and before.node.name in units and before.c2 == layer.c1:
            units[before.node.name].append(layer)
        else:
            units[layer.node.name] = [layer]
    for unit in units.values():
        yield _grouped(unit, clocks)


def growth(layer: Layer) -> float:
    """Memory access by Eq. 2 over that of one group, at the same mult-adds and input; k x k: B / k^2 outputs."""
    read, written = layer.positions
    groups = layer.groups
    one = read * layer.c1 + written * layer.c2 / groups + layer.weights
    return layer.memory_access / one


def _grouped(unit: list[Layer], clocks: Sequence[Clock]) -> Breach:
    first = unit[0]
    groups = first.groups
    widths = [first.c1, first.c2, *(layer.c2 for layer in unit[1:])]
    dense = [round(width / math.sqrt(groups)) for width in widths]
    many = f"{len(unit)} layers, first a " if len(unit) > 1 else "a "
    return Breach(
        operators=tuple(layer.node for layer in unit),
        message=(
            f"{many}{first.form} ({' -> '.join(map(str, widths))} channels) accesses {growth(first):.2f} times the "
            "elements of one group for the same mult-adds and input"
        ),
        suggestion=f"one group and {' -> '.join(map(str, dense))} channels, which takes the same mult-adds",
        evidence={
            "groups": groups,
            "mult_adds": sum(layer.mult_adds for layer in unit),
            "memory_access": sum(layer.memory_access for layer in unit),
            "layers": [
                {
                    "operator": layer.node.name,
                    "c1": layer.c1,
                    "c2": layer.c2,
                    "groups": layer.groups,
                    "window": layer.window,
                    "mult_adds": layer.mult_adds,
                    "memory_access": layer.memory_access,
                    "growth": growth(layer),
                }
                for layer in unit
            ],
        },
        changes=tuple(_ungrouping(unit, clock) for clock in clocks),
    )


def _ungrouping(unit: list[Layer], clock: Clock) -> Change:
    result = Change()
    for layer in unit:
        item = clock.kernel(layer.node)
        if item is not None and item.kernel.loops is not None:
            root = math.sqrt(layer.groups)
            after = resized(item.kernel, layer.cin * root, layer.cout * root, clock.platform.machine)
            result += clock.change([item], after)
    return result

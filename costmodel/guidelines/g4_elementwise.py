"""Element-wise operations are not free.

## What it does
Finds places where operators with few mult-adds take more time than the layer that they follow: activations,
additions, normalisation that is not folded, gates of squeeze-excite, concats, splits, channel shuffles and depthwise
convolutions, which the paper counts among them for their memory access. What is left of them over the whole network,
without depthwise convolutions, is one more finding where it adds up.

## Why it is slow
They do little with each element that they read and write, so that they wait for memory, and each is a launch of its
own unless the runtime fuses it. FLOPs do not show them: in Figure 2 of the paper they take a third of
ShuffleNet V1's time on a GPU. Without its ReLU and its shortcut ResNet's unit is about 20 % faster (Table 4).

## Example
zoo:inverted_residual,resolution=56,cin=24,cout=24,expand=6

## Use instead
zoo:paper_g1,c1=59,c2=59,blocks=1

## Where
snapdragon810-neon-fp32-1t, gtx1080ti-cudnn7-fp32

## Options
min_ratio: time of the element-wise operators by that of the layer that they follow (1.5).
min_total: share of the network's time in all others together (0.1).

## Reference
Ma et al., ECCV 2018, Section 2, G4: Table 4, and Figure 2.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from costmodel.graph import Node
from costmodel.guidelines.clock import Clock
from costmodel.guidelines.finding import Breach
from costmodel.guidelines.network import Layer, Network
from costmodel.guidelines.options import Options
from costmodel.kernels import Kind
from costmodel.predictor import KernelEstimate

ELEMENTWISE = frozenset({Kind.DEPTHWISE, Kind.ELEMENTWISE, Kind.TRANSCENDENTAL, Kind.NORMALIZATION, Kind.MOVEMENT})


def breaches(network: Network, clocks: Sequence[Clock], options: Options) -> Iterator[Breach]:
    """One for each layer that is outweighed by what follows it, and one for the rest of the network."""
    after: dict[str, list[Node]] = {}
    first: list[Node] = []
    for node in network.graph.nodes:
        if network.kinds[node.name] in ELEMENTWISE:
            owner = network.owners.get(node.name)
            (first if owner is None else after.setdefault(owner.node.name, [])).append(node)
    rest = list(first)
    for name, nodes in after.items():
        layer = network.layers[name]
        if any(_ratio(layer, nodes, clock) >= options.min_ratio for clock in clocks):
            yield _outweighed(network, layer, nodes, clocks)
        else:
            rest += nodes
    rest = [node for node in rest if network.kinds[node.name] is not Kind.DEPTHWISE]
    times = [sum(item.estimate.seconds for item in _own(clock, rest)) for clock in clocks]
    if any(time >= options.min_total * clock.total > 0 for time, clock in zip(times, clocks, strict=True)):
        yield _scattered(network, rest, clocks)


def _own(clock: Clock, nodes: Iterable[Node]) -> tuple[KernelEstimate, ...]:
    """The kernels that operators are the main ones of: what a layer does on its way out is the layer's."""
    names = {node.name for node in nodes}
    kernels = (item for item in clock.kernels(nodes) if item.kernel.kind is not Kind.VIEW)
    return tuple(item for item in kernels if item.kernel.name in names)


def _ratio(layer: Layer, nodes: Sequence[Node], clock: Clock) -> float:
    item = clock.kernel(layer.node)
    time = sum(one.estimate.seconds for one in _own(clock, nodes))
    return time / item.estimate.seconds if item is not None and item.estimate.seconds else 0.0


def _outweighed(network: Network, layer: Layer, nodes: list[Node], clocks: Sequence[Clock]) -> Breach:
    ratios = {clock.platform.id: _ratio(layer, nodes, clock) for clock in clocks}
    where = max(ratios, key=lambda id: ratios[id])
    return Breach(
        operators=tuple(nodes),
        message=(
            f"{_listed(network, nodes, clocks)} after {layer.node.name} ({layer.form}, {layer.c1} -> {layer.c2} "
            f"channels) take {ratios[where]:.1f} times as long as it on {where}"
        ),
        suggestion=_advice(network, nodes),
        evidence={
            **_shares(network, nodes),
            "layer": layer.node.name,
            "ratio": ratios,
            "time_share": _time_shares(nodes, clocks),
        },
        changes=tuple(clock.change(_own(clock, nodes)) for clock in clocks),
    )


def _scattered(network: Network, nodes: list[Node], clocks: Sequence[Clock]) -> Breach:
    shares = _time_shares(nodes, clocks)
    where = max(shares, key=lambda id: shares[id])
    return Breach(
        operators=tuple(nodes),
        message=(
            f"{_listed(network, nodes, clocks)} over the whole network take {shares[where]:.0%} of its time on {where}"
        ),
        suggestion=_advice(network, nodes),
        evidence={**_shares(network, nodes), "time_share": shares},
        changes=tuple(clock.change(_own(clock, nodes)) for clock in clocks),
    )


def _shares(network: Network, nodes: Iterable[Node]) -> dict[str, Any]:
    whole = network.graph.cost
    mult_adds, access = (sum(getattr(node.cost, name) for node in nodes) for name in ("mult_adds", "memory_access"))
    return {
        "mult_adds": mult_adds,
        "memory_access": access,
        "mult_adds_share": mult_adds / whole.mult_adds if whole.mult_adds else 0.0,
        "memory_access_share": access / whole.memory_access if whole.memory_access else 0.0,
    }


def _time_shares(nodes: Sequence[Node], clocks: Sequence[Clock]) -> dict[str, float]:
    return {
        clock.platform.id: sum(item.estimate.seconds for item in _own(clock, nodes)) / clock.total if clock.total else 0
        for clock in clocks
    }


def _listed(network: Network, nodes: Sequence[Node], clocks: Sequence[Clock]) -> str:
    """What the kernels of operators are, with how many where there are several: depthwise Conv, 2 Clip, Add."""
    kernels = [item.kernel for clock in clocks for item in _own(clock, nodes)]
    heads = {kernel.name: kernel for kernel in kernels}
    names = Counter("depthwise Conv" if kernel.kind is Kind.DEPTHWISE else kernel.op for kernel in heads.values())
    return ", ".join(name if count == 1 else f"{count} {name}" for name, count in names.items())


def _advice(network: Network, nodes: Sequence[Node]) -> str:
    """What to do about operators, by what they are."""
    kinds = {network.kinds[node.name] for node in nodes}
    types = {node.op_type for node in nodes}
    parts = []
    if Kind.DEPTHWISE in kinds:
        parts.append("run depthwise convolutions on fewer channels, before a layer widens them")
    if types & {"HardSwish", "HardSigmoid", "Sigmoid", "Swish", "Mish", "Gelu", "Erf"}:
        parts.append("use ReLU, which runtimes fuse, where hard-swish, swish or a gate is not needed")
    elif types & {"Relu", "Clip", "PRelu", "LeakyRelu"}:
        parts.append("leave out activations where two layers follow one another")
    if "BatchNormalization" in types:
        parts.append("fold batch normalisation into the layer before it")
    if types & {"Add", "Sum"}:
        parts.append("add shortcuts on fewer channels")
    if types & {"Concat", "Split", "Slice", "Transpose"}:
        parts.append("let concat, shuffle and split be one copy, and copy fewer channels")
    return "; ".join(parts) or "leave out what the design does not need"

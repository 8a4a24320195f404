"""Element-wise operations are not free.

## What it does
Finds places where operators with few mult-adds take more time than the layer that they follow: activations,
additions, normalisation that is not folded, gates of squeeze-excite, concats, splits, channel shuffles and depthwise
convolutions, which the paper counts among them for their memory access. A squeeze-excite is a finding of its own,
with its pooling and its small layers: a chain of launches for few mult-adds. What is left over the whole network,
without depthwise convolutions, is one more finding where it adds up.

## Why it is slow
They do little with each element that they read and write, so that they wait for memory, and each is a launch of its
own unless the runtime fuses it. FLOPs do not show them: in Figure 2 of the paper element-wise operations and shuffles
take a fifth of the time of ShuffleNet V1 and of MobileNet V2 on a GPU. Without ReLU and shortcut ResNet's units are
1.15 to 1.24 times faster there, and 1.08 to 1.20 times on an ARM core (Table 4).

## Example
zoo:paper_g4

## Use instead
zoo:paper_g4,relu=false,shortcut=false

## Where
snapdragon810-neon-fp32-1t, gtx1080ti-cudnn7-fp32

## Options
min_ratio: time of the element-wise operators by that of the layer that they follow (1.5).
min_total: share of the network's time in all others together (0.1).

## Reference
Ma et al., ECCV 2018, Section 2, G4: Table 4, and Figure 2.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from costmodel.graph import Node
from costmodel.guidelines.clock import Clock
from costmodel.guidelines.finding import Breach, Change
from costmodel.guidelines.gates import gates
from costmodel.guidelines.network import Layer, Network
from costmodel.guidelines.options import Options
from costmodel.kernels import Kernel, Kind
from costmodel.predictor import KernelEstimate

ELEMENTWISE = frozenset({Kind.DEPTHWISE, Kind.ELEMENTWISE, Kind.TRANSCENDENTAL, Kind.NORMALIZATION, Kind.MOVEMENT})

_FOLDED = frozenset({"BatchNormalization"})
_DEPTHWISE = "depthwise convolution"
_ADVICE: tuple[tuple[frozenset[str], str], ...] = (
    (frozenset({_DEPTHWISE}), "run the depthwise convolution on fewer channels"),
    (
        frozenset({"HardSwish", "HardSigmoid", "Sigmoid", "Swish", "Mish", "Gelu", "Mul"}),
        "use ReLU for what is not fused (hard-swish, swish, gates)",
    ),
    (
        frozenset({"Relu", "Clip", "PRelu", "LeakyRelu"}),
        "leave out activations that are not needed, or let the runtime fuse them",
    ),
    (frozenset({"LRN", "LayerNormalization", "InstanceNormalization"}), "use batch normalisation, which is folded"),
    (_FOLDED, "put batch normalisation behind a convolution, which it is folded into"),
    (frozenset({"Add", "Sum"}), "add shortcuts on fewer channels, or concatenate"),
    (
        frozenset({"Concat", "Split", "Slice", "Shuffle", "Transpose", "Gather"}),
        "copy fewer channels: make concat, shuffle and split one operation",
    ),
)
_LITTLE = 0.01  # share of a finding's time below which what takes it is not spoken of


@dataclass(frozen=True, slots=True)
class Part:
    """What element-wise operators take of a kernel: all of it, or what a layer does on its way out.

    rest: the layer's kernel without them; None where nothing is left. operators: the element-wise ones.
    """

    item: KernelEstimate
    operators: tuple[Node, ...]
    seconds: float
    rest: Kernel | None = None

    @property
    def labels(self) -> dict[str, str]:
        """What it is, by the name of the operator that is it."""
        if self.rest is not None:
            return {node.name: node.op_type for node in self.operators}
        kernel = self.item.kernel
        return {kernel.name: _DEPTHWISE if kernel.kind is Kind.DEPTHWISE else kernel.op}


Own = tuple[Part, ...]


def breaches(network: Network, clocks: Sequence[Clock], options: Options) -> Iterator[Breach]:
    """One for each squeeze-excite, one for each layer that is outweighed by what follows it, and one for the rest."""
    found = gates(network)
    gated = {node.name: name for name, chain in found.items() for node in chain}
    places = [_places(network, clock, gated) for clock in clocks]
    rest: list[list[Part]] = [[] for _ in clocks]
    for name in dict.fromkeys(name for place in places for name in place):
        own = [tuple(place.get(name, ())) for place in places]
        layer = network.layers.get(name)
        if name in found:
            yield _gate(network, found[name], own, clocks)
            continue
        if layer is not None and any(map(options.min_ratio.__le__, _ratios(layer, own, clocks))):
            yield _outweighed(network, layer, own, clocks)
            continue
        for items, more in zip(rest, own, strict=True):
            items.extend(part for part in more if part.item.kernel.kind is not Kind.DEPTHWISE)
    own = [tuple(items) for items in rest]
    if any(0 < _seconds(items) >= options.min_total * clock.total for items, clock in zip(own, clocks, strict=True)):
        yield _scattered(network, own, clocks)


def _places(network: Network, clock: Clock, gated: Mapping[str, str]) -> Mapping[str, list[Part]]:
    """The element-wise parts of kernels by the layer that they follow, "" for those before the first; and the kernels
    of a squeeze-excite by its product."""
    result: dict[str, list[Part]] = {}
    for item in clock.prediction.kernels:
        kernel = item.kernel
        if kernel.name in gated and kernel.kind is not Kind.VIEW:
            part = Part(item, kernel.operators, float(item.estimate.seconds))
            result.setdefault(gated[kernel.name], []).append(part)
        elif kernel.kind in ELEMENTWISE and kernel.operators:
            owner = network.owners.get(kernel.operators[0].name)
            part = Part(item, kernel.operators, float(item.estimate.seconds))
            result.setdefault("" if owner is None else owner.node.name, []).append(part)
        elif kernel.epilogues and kernel.name in network.layers and len(kernel.operators) > 1:
            bare = replace(kernel, epilogues=())
            fused = tuple(node for node in kernel.operators if _is_fused(network, node))
            part = Part(item, fused, float(item.estimate.seconds) - clock.seconds(bare), bare)
            result.setdefault(kernel.name, []).append(part)
    return result


def _is_fused(network: Network, node: Node) -> bool:
    """Whether a layer does an operator on its way out: what is folded into its weights is not done at all."""
    return network.kinds[node.name] in ELEMENTWISE and node.op_type not in _FOLDED


def _seconds(parts: Iterable[Part]) -> float:
    return sum(part.seconds for part in parts)


def _change(parts: Own, clock: Clock) -> Change:
    return clock.change((part.item for part in parts), [(1.0, part.rest) for part in parts if part.rest is not None])


def _ratios(layer: Layer, own: Sequence[Own], clocks: Sequence[Clock]) -> list[float]:
    """Time of what follows a layer by that of the layer, on each platform."""
    return [_ratio(parts, clock.kernel(layer.node)) for parts, clock in zip(own, clocks, strict=True)]


def _ratio(parts: Own, item: KernelEstimate | None) -> float:
    """What the layer does on its way out is not the layer's own time."""
    fused = _seconds(part for part in parts if part.rest is not None)
    alone = 0.0 if item is None else float(item.estimate.seconds) - fused
    return _seconds(parts) / alone if alone > 0 else 0.0


def _shares(own: Sequence[Own], clocks: Sequence[Clock]) -> dict[str, float]:
    """The part of the network's time that operators take, by platform."""
    pairs = zip(own, clocks, strict=True)
    return {clock.platform.id: _seconds(parts) / clock.total if clock.total else 0.0 for parts, clock in pairs}


def _outweighed(network: Network, layer: Layer, own: Sequence[Own], clocks: Sequence[Clock]) -> Breach:
    ratios = {clock.platform.id: ratio for clock, ratio in zip(clocks, _ratios(layer, own, clocks), strict=True)}
    where = max(ratios, key=lambda id: ratios[id])
    message = (
        f"{_listed(own)} {_take(own)} {ratios[where]:.1f} times as long as the {layer.form} before, of "
        f"{layer.c1} -> {layer.c2} channels, on {where}"
    )
    return _breach(network, own, clocks, message, {"layer": layer.node.name, "ratio": ratios})


def _gate(network: Network, chain: Sequence[Node], own: Sequence[Own], clocks: Sequence[Clock]) -> Breach:
    shares = _shares(own, clocks)
    where = max(shares, key=lambda id: shares[id])
    layers = sum(node.name in network.layers for node in chain)
    message = (
        f"a squeeze-excite of {len(chain)} operators, {layers} small layers among them, takes "
        f"{100 * shares[where]:.1f} % of the time on {where}"
    )
    advice = "leave squeeze-excite out where accuracy allows, or have it in fewer blocks; priced without it"
    return replace(
        _breach(network, own, clocks, message, {"gate": chain[-1].name}), suggestion=advice, operators=tuple(chain)
    )


def _scattered(network: Network, own: Sequence[Own], clocks: Sequence[Clock]) -> Breach:
    shares = _shares(own, clocks)
    where = max(shares, key=lambda id: shares[id])
    message = f"{_listed(own)} together {_take(own)} {100 * shares[where]:.0f} % of the time on {where}"
    return replace(_breach(network, own, clocks, message, {}), place="the whole network")


def _breach(
    network: Network, own: Sequence[Own], clocks: Sequence[Clock], message: str, evidence: Mapping[str, Any]
) -> Breach:
    operators = _operators(network, own)
    whole = network.graph.cost
    mult_adds, access = (sum(getattr(node.cost, name) for node in operators) for name in ("mult_adds", "memory_access"))
    return Breach(
        operators=operators,
        message=message,
        suggestion=_advice(own),
        evidence={
            **evidence,
            "mult_adds": mult_adds,
            "memory_access": access,
            "mult_adds_share": mult_adds / whole.mult_adds if whole.mult_adds else 0.0,
            "memory_access_share": access / whole.memory_access if whole.memory_access else 0.0,
            "time_share": _shares(own, clocks),
        },
        changes=tuple(_change(items, clock) for items, clock in zip(own, clocks, strict=True)),
    )


def _dear(own: Sequence[Own]) -> dict[str, set[str]]:
    """What takes the time: the names of operators by what they are, the dearest first, without those that take next to
    nothing on every platform."""
    names: dict[str, set[str]] = {}
    shares: dict[str, float] = {}
    for parts in own:
        whole = _seconds(parts)
        times: dict[str, float] = {}
        for part in parts:
            for name, label in part.labels.items():
                times[label] = times.get(label, 0.0) + part.seconds / len(part.labels)
                names.setdefault(label, set()).add(name)
        for label, time in times.items():
            shares[label] = max(shares.get(label, 0.0), time / whole if whole else 0.0)
    return {label: names[label] for label in sorted(names, key=lambda label: -shares[label]) if shares[label] > _LITTLE}


def _operators(network: Network, own: Sequence[Own]) -> tuple[Node, ...]:
    """The operators of what takes the time on any platform, in the order of execution."""
    dear = {name for names in _dear(own).values() for name in names}
    parts = (part for parts in own for part in parts if not dear.isdisjoint(part.labels))
    nodes = {node.name: node for part in parts for node in part.operators}
    return tuple(nodes[name] for name in sorted(nodes, key=network.place.__getitem__))


def _listed(own: Sequence[Own]) -> str:
    """What takes the time, with how many where there are several: depthwise convolution, 2 Clip and Add."""
    shown = [
        label if len(names) == 1 else f"{len(names)} {label}{'s' if label == _DEPTHWISE else ''}"
        for label, names in _dear(own).items()
    ]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"


def _take(own: Sequence[Own]) -> str:
    return "takes" if sum(map(len, _dear(own).values())) == 1 else "take"


def _advice(own: Sequence[Own]) -> str:
    """What to do about what takes the time."""
    ops = set(_dear(own))
    parts = [advice for types, advice in _ADVICE if ops & types]
    return "; ".join([*parts, "priced without them altogether"])

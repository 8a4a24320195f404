"""Equal channel width minimises memory access.

## What it does
Finds convolutions and dense layers that access more memory than Eq. 1 of the ShuffleNet V2 paper says is necessary
for their mult-adds: those that read many channels and write few, or the other way round. Layers that widen and
narrow again (an inverted bottleneck's expansion and projection, a bottleneck, a squeeze and its expansions) are one
finding, whatever keeps the channels between them.

A second note is about the platform: channels that do not fill its vectors.

## Why it is slow
A 1x1 convolution of c1 to c2 channels on h x w positions has B = hw c1 c2 mult-adds and accesses
MAC = hw (c1 + c2) + c1 c2 elements. For the same B, MAC is least where c1 = c2. Where a kernel waits for memory,
the rest is time: in Table 1 of the paper blocks of a ratio of 1:12 run at 0.51 to 0.70 times the speed of equal ones
on a GTX 1080 Ti.

## Example
zoo:paper_g1,c1=52,c2=312

## Use instead
zoo:paper_g1,c1=128,c2=128

## Where
snapdragon810-neon-fp32-1t, gtx1080ti-cudnn7-fp32

## Options
min_excess: the share of a layer's memory access above the bound, from which on it is one of these (0.05).

## Reference
Ma et al., ECCV 2018, Section 2, G1: Eq. 1 and Table 1. The bound for other positions in than out, and for k x k
windows and groups, follows from the same inequality between the means.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from costmodel.guidelines.clock import Clock
from costmodel.guidelines.finding import Breach, Change
from costmodel.guidelines.network import STEM, Layer, Network
from costmodel.guidelines.options import Options
from costmodel.guidelines.remedies import resized, with_channels
from costmodel.kernels import Kernel, Kind
from costmodel.predictor import KernelEstimate


def breaches(network: Network, clocks: Sequence[Clock], options: Options) -> Iterator[Breach]:
    """One for each block of unbalanced layers, and one note for each width that fills no vector."""
    for block in _blocks(network, options.min_excess):
        yield _unbalanced(block, clocks)
    for clock in clocks:
        yield from _unaligned(network, clock, clocks)


def _blocks(network: Network, min_excess: float) -> list[list[Layer]]:
    """Layers above the bound; each with those after it that undo its change of channels.

    First those with an activation or a depthwise convolution between them, as inside a block: the linear end of a
    MobileNet V2 block is read directly by the next one, and pairs only where it is left over.
    """
    wanted = [layer for layer in network.layers.values() if _is_unbalanced(layer, min_excess)]
    blocks: dict[str, list[Layer]] = {layer.node.name: [layer] for layer in wanted}
    heads = _heads(network)
    for direct in (False, True):
        for layer in wanted:
            name, (head, is_direct) = layer.node.name, heads[layer.node.name]
            if is_direct is not direct or len(blocks.get(name, ())) != 1 or head is None:
                continue
            block = blocks.get(head.node.name)
            if block and _undoes(layer, head):
                block.append(layer)
                del blocks[name]
    return [block for block in blocks.values() if len(block) > 1 or not block[0].last]


def _is_unbalanced(layer: Layer, min_excess: float) -> bool:
    if layer.kind is Kind.MATMUL or layer.stem or layer.c1 == layer.c2:
        return False
    return layer.memory_access - layer.bound >= min_excess * layer.memory_access


def _undoes(layer: Layer, head: Layer) -> bool:
    return head.c2 == layer.c1 and (head.c1 < head.c2) != (layer.c1 < layer.c2)


def _heads(network: Network) -> dict[str, tuple[Layer | None, bool]]:
    """For each layer the one that last changed the number of channels before it, and whether it reads that directly."""
    result: dict[str, tuple[Layer | None, bool]] = {}
    for name, layer in network.layers.items():
        before = layer.source
        is_equal = before is not None and before.c1 == before.c2
        result[name] = (result[before.node.name][0], False) if before and is_equal else (before, layer.direct)
    return result


def balanced(layer: Layer) -> tuple[float, float]:
    """The channels of a group at which a layer of the same mult-adds accesses least memory: sqrt(c1 c2) each, where
    input and output have the same positions."""
    read, written = layer.positions
    product = layer.cin * layer.cout
    return math.sqrt(product * written / read), math.sqrt(product * read / written)


def _unbalanced(block: list[Layer], clocks: Sequence[Clock]) -> Breach:
    first = block[0]
    access, bound = (sum(getattr(layer, name) for layer in block) for name in ("memory_access", "bound"))
    ends = " and ".join(str(layer.c2) for layer in block[1:])
    widths = f"{first.c1} -> {first.c2}{f' -> {ends}' if ends else ''}"
    ratio = max(first.c1, first.c2) / min(first.c1, first.c2)
    does = "reads and writes" if len(block) == 1 else "read and write"
    return Breach(
        operators=tuple(layer.node for layer in block),
        message=(
            f"{_named(block)} of {widths} channels (1:{ratio:.3g}) {does} {access / bound:.2f} times the elements that "
            "equal widths need for the same mult-adds"
        ),
        suggestion=f"{_equal(block)}, at the same mult-adds",
        evidence={
            "memory_access": access,
            "bound": bound,
            "excess": access - bound,
            "mult_adds": sum(layer.mult_adds for layer in block),
            "layers": [_evidence(layer) for layer in block],
        },
        changes=tuple(_balancing(block, clock) for clock in clocks),
    )


def _named(block: list[Layer]) -> str:
    forms = {layer.form for layer in block}
    if len(block) == 1:
        return f"a {block[0].form}"
    if len(forms) > 1:
        return f"{len(block)} layers, first a {block[0].form},"
    return block[0].form.replace("convolution", "convolutions").replace("layer", "layers")


def _equal(block: list[Layer]) -> str:
    """The channels to give to each layer; one number where all are about equal."""
    pairs = [tuple(round(c * layer.groups) for c in balanced(layer)) for layer in block]
    every = [channels for pair in pairs for channels in pair]
    if max(every) - min(every) < 2:
        return f"about {every[0]} channels in and out"
    return f"about {' and '.join(f'{c1} -> {c2}' for c1, c2 in dict.fromkeys(pairs))} channels"


def _evidence(layer: Layer) -> dict[str, Any]:
    read, written = layer.positions
    return {
        "operator": layer.node.name,
        "c1": layer.c1,
        "c2": layer.c2,
        "ratio": layer.c2 / layer.c1,
        "groups": layer.groups,
        "window": layer.window,
        "positions_in": read,
        "positions_out": written,
        "mult_adds": layer.mult_adds,
        "memory_access": layer.memory_access,
        "bound": layer.bound,
    }


def _balancing(block: list[Layer], clock: Clock) -> Change:
    result = Change()
    for layer in block:
        item = clock.kernel(layer.node)
        if item is not None and item.kernel.loops is not None:
            after = resized(item.kernel, *balanced(layer), clock.platform.machine, layer.groups)
            result += clock.change([item], after)
    return result


def _unaligned(network: Network, clock: Clock, clocks: Sequence[Clock]) -> Iterator[Breach]:
    """Widths that do not fill the vectors of a platform that pays for it, each with all layers that have it."""
    machine = clock.platform.machine
    vector = machine.packed if machine.padded else machine.vector  # what is rounded up fills vectors
    if vector < 2:
        return
    widths: dict[int, list[KernelEstimate]] = {}
    for item in clock.prediction.kernels:
        for width in dict.fromkeys(_chosen(network, item.kernel)):
            if width > STEM and width % vector:
                widths.setdefault(width, []).append(item)
    for width, items in sorted(widths.items()):
        filled = -(-width // vector) * vector
        change = clock.change(items, [(1.0, _filled(item.kernel, width, filled)) for item in items])
        if clock.saving(change).low <= 0:  # the profile does not know
            continue
        count = "1 convolution" if len(items) == 1 else f"{len(items)} convolutions"
        yield Breach(
            operators=tuple(item.kernel.operators[0] for item in items),
            message=f"{width} channels in {count}: not a multiple of the {vector} that fill a vector of "
            f"{clock.platform.id}, where {filled} channels take less time",
            suggestion=f"use {filled} channels",
            evidence={"channels": width, "filled": filled, "vector": vector, "platform": clock.platform.id},
            changes=tuple(change if other is clock else Change() for other in clocks),
            note=True,
        )


def _chosen(network: Network, kernel: Kernel) -> list[int]:
    """The channels of a group that a convolution reads and writes, as far as somebody chose them."""
    loops = kernel.loops
    if loops is None or kernel.kind in (Kind.DENSE, Kind.MATMUL) or not kernel.operators:
        return []
    layer = network.layers.get(kernel.operators[0].name)
    ends = [loops.groups] if kernel.kind is Kind.DEPTHWISE else [loops.cin, loops.cout]
    if kernel.kind is not Kind.DEPTHWISE and (layer is None or layer.stem or layer.last):
        ends = [] if layer is None or layer.stem else ends[:1]
    return [width for width in ends if isinstance(width, int)]


def _filled(kernel: Kernel, width: int, filled: int) -> Kernel:
    """A convolution's kernel with other channels wherever it has `width` of them."""
    loops = kernel.loops
    assert loops is not None
    groups, cin, cout = (dim if isinstance(dim, int) else 0 for dim in (loops.groups, loops.cin, loops.cout))
    if kernel.kind is Kind.DEPTHWISE:
        return with_channels(kernel, cin, cout, filled)
    return with_channels(kernel, filled if cin == width else cin, filled if cout == width else cout, groups)

"""Fragmentation costs parallelism.

## What it does
Finds blocks of many small convolutions and poolings side by side, as automatic search makes them and as Inception
has them. Blocks come from the graph (blocks.py); their fragments are counted as in the paper: 2 or 3 in a block of
ResNet, 13 in a cell of NASNet-A. Fragments in a row without any beside them are a deep network, and no finding.

## Why it is slow
Each fragment is a kernel of its own, with its launch and its synchronisation, and each is too small to keep a
parallel device busy. In Table 3 of the paper four fragments side by side, at the mult-adds of one convolution, run at
0.28 to 0.67 times its speed on a GTX 1080 Ti; on an ARM core at 0.83 to 0.91 times.

## Example
zoo:paper_g3,c=64,fragments=4,arrangement=parallel

## Use instead
zoo:paper_g3,c=128,fragments=1

## Where
gtx1080ti-cudnn7-fp32, snapdragon810-neon-fp32-1t

## Options
max_fragments: convolutions and poolings that a block may have (3).
max_depth: of them one after the other, in what is still one block (8).

## Reference
Ma et al., ECCV 2018, Section 2, G3: Table 3.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from costmodel.guidelines.blocks import Block, blocks
from costmodel.guidelines.clock import Clock
from costmodel.guidelines.finding import Breach, Change
from costmodel.guidelines.network import Layer, Network
from costmodel.guidelines.options import Options
from costmodel.guidelines.remedies import resized
from costmodel.kernels import Kind


def breaches(network: Network, clocks: Sequence[Clock], options: Options) -> Iterator[Breach]:
    """One for each block with too many fragments, if some of them are side by side."""
    for block in blocks(network, options.max_depth):
        if len(block.fragments) > options.max_fragments and block.width > 1:
            main = _main(network, block)
            if main is not None:
                yield _fragmented(network, block, main, clocks)


def _main(network: Network, block: Block) -> Layer | None:
    """The layer of the block with the most mult-adds that convolves: its window is the one to keep."""
    layers = [network.layers[node.name] for node in block.operators if node.name in network.layers]
    layers = [layer for layer in layers if layer.kind not in (Kind.DENSE, Kind.MATMUL)]
    return max(layers, key=lambda layer: layer.mult_adds, default=None)


def _mult_adds(block: Block) -> int:
    counts = (node.cost.mult_adds for node in block.operators)
    return sum(count for count in counts if isinstance(count, int))


def width_of_one(block: Block, main: Layer) -> float:
    """The channels of one convolution from as many to as many, with the main layer's window on its positions, that
    takes the mult-adds of the whole block."""
    runs: Any = main.node.repeat
    return math.sqrt(_mult_adds(block) * main.c1 * main.cout / (main.mult_adds * runs))


def _fragmented(network: Network, block: Block, main: Layer, clocks: Sequence[Clock]) -> Breach:
    count = len(block.fragments)
    window = "x".join(map(str, main.loops.taps))
    width = width_of_one(block, main)
    return Breach(
        operators=block.operators,
        message=(
            f"a block of {count} fragments (convolutions and poolings), up to {block.width} side by side and "
            f"{block.depth} in a row"
        ),
        suggestion=f"one {window} convolution of {round(width)} channels takes the mult-adds of the block",
        evidence={
            "fragments": count,
            "depth": block.depth,
            "width": block.width,
            "mult_adds": _mult_adds(block),
            "fragment_operators": [[node.name for node in fragment] for fragment in block.fragments],
        },
        changes=tuple(_joining(block, main, width, clock) for clock in clocks),
    )


def _joining(block: Block, main: Layer, width: float, clock: Clock) -> Change:
    item = clock.kernel(main.node)
    if item is None or item.kernel.loops is None or not width:
        return Change()
    strideless = replace(item.kernel, loops=replace(item.kernel.loops, strides=(1,) * len(item.kernel.loops.taps)))
    return clock.change(clock.kernels(block.operators), resized(strideless, width, width, clock.platform.machine))

"""Feature reuse (ShuffleNet V2, Section 3, Figure 4b): which channels of a block reach later blocks as they are.

Every channel that an operator makes gets a number of its own. Operators that only move channels hand the numbers
on; what any other operator writes is new. A block ends where paths join.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from costmodel.graph import Graph, Node
from costmodel.kernels.patterns import units
from costmodel.reuse.blocks import block_ends, is_known
from costmodel.reuse.channels import followed
from costmodel.reuse.numbers import Runs, runs, shared
from costmodel.reuse.result import SCHEMA, Block, Distance, FeatureReuse

__all__ = ["SCHEMA", "Block", "Distance", "FeatureReuse", "feature_reuse"]


def feature_reuse(graph: Graph) -> FeatureReuse:
    """Follow every channel through a network.

    Raises UsageError where the sizes of joined tensors are columns or symbols.
    """
    steps = [unit for unit in units(graph, spelled=("Shuffle",)) if not is_known(graph, unit)]
    ends = block_ends(graph, steps)
    joins: list[tuple[Node, int]] = []
    features: list[Runs] = []
    for name, channels in followed(graph, steps):
        if name in ends and channels.ids.size:
            joins.append((ends[name], channels.of_image().size))
            features.append(runs(channels.of_image()))
    passed, made = shared(features)
    return FeatureReuse(graph.name, _blocks(joins), passed, made, graph.notes)


def _blocks(joins: Sequence[tuple[Node, int]]) -> tuple[Block, ...]:
    """The blocks that end with these operators, whose outputs have so many channels."""
    uses = Counter(node.module for node, _ in joins)
    return tuple(
        Block(node.module if node.module and uses[node.module] == 1 else node.name, channels, node.name)
        for node, channels in joins
    )

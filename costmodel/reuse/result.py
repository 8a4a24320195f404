"""What passes between blocks: a frozen result and its views."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import pairwise
from typing import Any

SCHEMA = "costmodel.reuse/1"


@dataclass(frozen=True, slots=True)
class Block:
    """A part of the network that ends where paths join.

    name: its module, or the operator that joins where the graph has no module of its own for it. channels: of its
    output. operator: the name of the operator that joins.
    """

    name: str
    channels: int
    operator: str


@dataclass(frozen=True, slots=True)
class Distance:
    """Blocks of one stage that are `distance` apart.

    pairs: how many. mean: of the shares of the source's channels that reach the target. expected: r^distance, where
    one ratio r is passed from every block to the next.
    """

    distance: int
    pairs: int
    mean: float
    expected: float | None


@dataclass(frozen=True)
class FeatureReuse:
    """What passes unchanged between the blocks of a network.

    network: its name. blocks: in the order of execution. passed: for each block, by the index of a later one, how
    many of its channels are in the later one's output; pairs that share none are left out. made: for each block, how
    many channels of its output no earlier block has. notes: what was assumed to read the model.
    """

    network: str
    blocks: tuple[Block, ...]
    passed: tuple[Mapping[int, int], ...]
    made: tuple[int, ...]
    notes: tuple[str, ...] = ()

    @cached_property
    def matrix(self) -> tuple[tuple[int, ...], ...]:
        """Channels of block i, the row, that are in the output of block j; on the diagonal its own channels."""
        count = len(self.blocks)
        return tuple(
            tuple(block.channels if j == i else row.get(j, 0) for j in range(count))
            for i, (block, row) in enumerate(zip(self.blocks, self.passed, strict=True))
        )

    @cached_property
    def shares(self) -> tuple[tuple[float, ...], ...]:
        """The matrix, each row as fractions of the block's channels."""
        return tuple(tuple(self.share(i, j) for j in range(len(self.blocks))) for i in range(len(self.blocks)))

    def share(self, source: int, target: int) -> float:
        """The fraction of a block's channels that are in a later one's output; 1 for the block itself."""
        return 1.0 if source == target else self.passed[source].get(target, 0) / self.blocks[source].channels

    @property
    def pairs(self) -> int:
        """How many pairs of blocks share a channel."""
        return sum(map(len, self.passed))

    @cached_property
    def stages(self) -> tuple[range, ...]:
        """Blocks that follow each other and of which each passes something on to the next; single ones too."""
        starts = [i for i in range(len(self.blocks)) if i == 0 or i not in self.passed[i - 1]]
        return tuple(range(a, b) for a, b in pairwise([*starts, len(self.blocks)]))

    @cached_property
    def ratio(self) -> Fraction | None:
        """The paper's r, the share that a block passes on to the next of its stage; None where shares differ."""
        ratios = {Fraction(self.passed[i][i + 1], self.blocks[i].channels) for i, _ in self._apart(1)}
        return ratios.pop() if len(ratios) == 1 else None

    @cached_property
    def distances(self) -> tuple[Distance, ...]:
        """The mean share at each distance within stages, from 1 to as far as the longest stage reaches."""
        result = []
        for distance in range(1, max(map(len, self.stages), default=1)):
            shares = [self.share(i, j) for i, j in self._apart(distance)]
            expected = None if self.ratio is None else float(self.ratio**distance)
            result.append(Distance(distance, len(shares), sum(shares) / len(shares), expected))
        return tuple(result)

    def _apart(self, distance: int) -> Iterator[tuple[int, int]]:
        for stage in self.stages:
            yield from ((i, i + distance) for i in stage[: max(len(stage) - distance, 0)])

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain values, in the form of the published JSON (schema costmodel.reuse/1)."""
        return {
            "schema": SCHEMA,
            "model": self.network,
            "blocks": [
                {"name": block.name, "operator": block.operator, "channels": block.channels, "new": made}
                for block, made in zip(self.blocks, self.made, strict=True)
            ],
            "passed": [
                {"source": i, "target": j, "channels": count, "share": self.share(i, j)}
                for i, row in enumerate(self.passed)
                for j, count in sorted(row.items())
            ],
            "ratio": None if self.ratio is None else float(self.ratio),
            "distances": [
                {"distance": each.distance, "pairs": each.pairs, "mean_share": each.mean, "expected": each.expected}
                for each in self.distances
            ],
            "assumptions": list(self.notes),
        }

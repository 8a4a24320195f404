"""The parts that a run's time is shown in: those of Figure 2 of the ShuffleNet V2 paper, and two more."""

from __future__ import annotations

from costmodel.kernels import Kind

# What each is called in classes of the page -> in words.
PARTS = {
    "conv": "convolution, matrix product",
    "depthwise": "depthwise",
    "elementwise": "element-wise",
    "shuffle": "shuffle, concat, copies",
    "other": "pooling and others",
    "data": "data: input and run",
}
FIXED = "data"

_KINDS = {
    "conv": (Kind.POINTWISE, Kind.SPATIAL, Kind.GROUPED, Kind.DENSE, Kind.MATMUL),
    "depthwise": (Kind.DEPTHWISE,),
    "elementwise": (Kind.ELEMENTWISE, Kind.TRANSCENDENTAL, Kind.NORMALIZATION),
    "shuffle": (Kind.MOVEMENT,),
    "other": (Kind.POOL, Kind.REDUCTION, Kind.VIEW, Kind.OTHER),
}
_PART = {kind: part for part, kinds in _KINDS.items() for kind in kinds}


def part_of(kind: Kind) -> str:
    """The part that a kernel of a kind belongs to; what a run takes beside its kernels is FIXED."""
    return _PART[kind]

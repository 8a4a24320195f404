"""Sets of numbers, and what they have in common."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.int64]
Runs = tuple[Ids, Ids]


def runs(ids: Ids) -> Runs:
    """Different numbers, ascending, as runs of neighbours: where each begins, and ends (exclusive)."""
    numbers = np.unique(ids)
    breaks = np.flatnonzero(np.diff(numbers) != 1) + 1
    return numbers[np.r_[0, breaks]], numbers[np.r_[breaks, numbers.size] - 1] + 1


def shared(features: Sequence[Runs]) -> tuple[tuple[dict[int, int], ...], tuple[int, ...]]:
    """For each block how many numbers it shares with which later one, and how many no earlier block has."""
    passed: tuple[dict[int, int], ...] = tuple({} for _ in features)
    if not features:
        return (), ()
    starts, ends = (np.concatenate([part[side] for part in features]) for side in (0, 1))
    owners = np.repeat(np.arange(len(features)), [len(part[0]) for part in features])
    # Cut all runs at each other's ends: pieces are then the same or apart.
    cuts = np.unique(np.concatenate([starts, ends]))
    first, last = np.searchsorted(cuts, starts), np.searchsorted(cuts, ends)
    counts = last - first
    piece = np.repeat(first - np.r_[0, np.cumsum(counts)[:-1]], counts) + np.arange(counts.sum())
    order = np.lexsort((np.repeat(owners, counts), piece))
    piece, block = piece[order], np.repeat(owners, counts)[order]
    size = np.diff(cuts)[np.minimum(piece, len(cuts) - 2)]
    is_first = np.r_[True, piece[1:] != piece[:-1]]
    made = np.bincount(block[is_first], size[is_first], len(features))
    here, step = np.arange(len(piece)), 1
    while here.size:
        here = here[here + step < len(piece)]
        here = here[piece[here + step] == piece[here]]
        pairs, places = np.unique(block[here] * len(features) + block[here + step], return_inverse=True)
        for pair, total in zip(pairs.tolist(), np.bincount(places, size[here]).tolist(), strict=True):
            source, target = divmod(pair, len(features))
            passed[source][target] = passed[source].get(target, 0) + int(total)
        step += 1
    return passed, tuple(map(int, made.tolist()))

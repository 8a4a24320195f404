"""The few layers between two pairs, aligned by likeness: the best sum over all alignments that keep the order."""

from __future__ import annotations

from collections.abc import Sequence

from costmodel.comparing.layers import Layer

_NAMED = 0.5  # less than a fact: exporters that count give the names of other layers to those behind a change
MOST = 40_000  # likenesses worked out for a gap; a larger one is no gap in a network but another network


def aligned(a: Sequence[Layer], b: Sequence[Layer]) -> list[tuple[int, int]]:
    """Pairs of places, ascending in both; none where there are too many layers, or none is like another."""
    if len(a) * len(b) > MOST:
        return []
    scores = [[likeness(one, other) for other in b] for one in a]
    best = [[0.0] * (len(b) + 1) for _ in range(len(a) + 1)]
    for i in reversed(range(len(a))):
        row, below, alike = best[i], best[i + 1], scores[i]
        for j in reversed(range(len(b))):
            together = below[j + 1] + alike[j] if alike[j] else 0.0
            row[j] = max(together, below[j], row[j + 1])
    return _path(best, scores)


def _path(best: Sequence[Sequence[float]], scores: Sequence[Sequence[float]]) -> list[tuple[int, int]]:
    result = []
    i = j = 0
    while i < len(scores) and j < len(scores[0]):
        if scores[i][j] and best[i][j] == best[i + 1][j + 1] + scores[i][j]:
            result.append((i, j))
            i, j = i + 1, j + 1
        elif best[i][j] == best[i + 1][j]:
            i += 1
        else:
            j += 1
    return result


def likeness(one: Layer, other: Layer) -> float:
    """How much two layers are alike, from 0, which is not at all.

    Layers of the same op are alike where they share their skeleton, their name or half of their facts; of another op
    (an activation that was replaced) where they share their name and what they read.
    """
    facts = _shared(one, other)
    named = bool(one.title) and one.title == other.title
    if one.op != other.op:
        return 1.0 if named and one.read == other.read else 0.0
    if one.skeleton == other.skeleton:
        return 4.0 + 4.0 * facts + _NAMED * named
    return 2.0 + 2.0 * facts + _NAMED * named if named or facts >= 0.5 else 0.0


def _shared(one: Layer, other: Layer) -> float:
    """The share of their facts that are the same."""
    left, right = {**one.own, **one.read}, {**other.own, **other.read}
    names = left.keys() | right.keys()
    return sum(left.get(name) == right.get(name) for name in names) / len(names) if names else 1.0

"""Which layer of one network is which of another.

1. Layers are put into an order that depends on structure alone: sources before readers, branch after branch, from the
   outputs back. How a file orders its branches does not count.
2. From the strictest sign to the weakest, layers with the same sign become pairs where they keep the order (the
   longest increasing subsequence), each sign only between the pairs there are: all that leads to a layer and all that
   it leads to, then one of these with its neighbourhood, then that alone, each with its title first and then without.
3. What is left between two pairs is aligned by likeness (gaps.py) if it is little. Before that, as long as it is much,
   weaker signs are taken: those of the facts that were chosen, those of the skeleton, the layer itself.
4. Of several like layers those are taken for added, or removed, that hang together (sliding.py).
5. What is left beside pairs is paired from neighbour to neighbour, in any order: branches that changed places.
6. Pairs that neither a neighbour nor a name bears out are given up.

Everything but the third step is linear, up to a logarithm; the third is bounded.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass

from costmodel.comparing.fingerprints import TIERS, Fingerprints, Interner, readers_of
from costmodel.comparing.gaps import MOST, aligned
from costmodel.comparing.layers import Layer
from costmodel.comparing.sliding import slid

Sign = Callable[[int], Hashable]

# From the strictest to the weakest: parts of the fingerprint, whether the title counts, and whether several layers may
# share a sign. What leads to a layer tells nothing of where it stands beside a change, hence its neighbourhood with it.
_Signs = tuple[tuple[tuple[str, ...], bool, bool], ...]
_SURE: _Signs = (
    (("up", "down"), True, True),
    (("up", "down"), False, True),
    (("up", "near"), True, True),
    (("down", "near"), True, True),
    (("up", "near"), False, True),
    (("down", "near"), False, True),
)
_NEAR: _Signs = ((("near",), True, True), (("near",), False, False))  # with all facts only: networks repeat their forms
# Only for what is too much to be aligned by likeness.
_WEAK: _Signs = (
    (("near",), True, True),
    (("near",), False, True),
    (("itself",), True, False),
    (("up",), False, True),
    (("down",), False, True),
    (("itself",), False, False),
)


@dataclass(frozen=True)
class Side:
    """One of two networks: its layers, who reads them, and the order that structure gives them."""

    layers: Sequence[Layer]
    readers: Sequence[tuple[int, ...]]
    order: Sequence[int]

    @staticmethod
    def of(layers: Sequence[Layer]) -> Side:
        """The layers, ready to be aligned."""
        readers = readers_of(layers)
        return Side(layers, readers, _structural(layers, readers))

    def neighbours(self, place: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Sources and readers."""
        return self.layers[place].sources, self.readers[place]


def align(a: Sequence[Layer], b: Sequence[Layer]) -> dict[int, int]:
    """For layers of a, by their place, the layer of b that each one is; those that are none are left out."""
    sides = Side.of(a), Side.of(b)
    close = _settled(*sides, _between(*sides, _anchored(*sides)))
    return _borne_out(*sides, _spread(*sides, close))


def _structural(layers: Sequence[Layer], readers: Sequence[tuple[int, ...]]) -> list[int]:
    """Places, each after its sources: depth first from the layers that nobody reads."""
    result: list[int] = []
    seen = [False] * len(layers)
    for sink in (place for place in range(len(layers)) if not readers[place]):
        stack: list[tuple[int, Iterator[int]]] = [(sink, iter(layers[sink].sources))]
        seen[sink] = True
        while stack:
            place, sources = stack[-1]
            following = next((source for source in sources if not seen[source]), None)
            if following is None:
                result.append(place)
                stack.pop()
            else:
                seen[following] = True
                stack.append((following, iter(layers[following].sources)))
    return result


def _signs(a: Side, b: Side) -> Iterator[tuple[int, bool, Sign, Sign]]:
    """From the strictest to the weakest: from how many likenesses between two pairs on a sign counts, whether layers
    that share it may be several, and the signs of both networks."""
    number = Interner()
    prints = [[Fingerprints(side.layers, side.readers, side.order, number, tier) for side in (a, b)] for tier in TIERS]
    exact, *others = prints
    rough = [*((both, _SURE) for both in others), *((both, _WEAK) for both in prints)]
    stages = [(0, exact, _SURE + _NEAR), *((MOST, both, kinds) for both, kinds in rough)]
    for least, both, kinds in stages:
        for parts, titled, several in kinds:
            signs = [_sign(one, side, parts, titled) for one, side in zip(both, (a, b), strict=True)]
            yield least, several, signs[0], signs[1]


def _sign(prints: Fingerprints, side: Side, parts: Sequence[str], titled: bool) -> Sign:
    columns = [getattr(prints, part) for part in parts]
    if titled:
        columns.append([layer.title for layer in side.layers])
    return list(zip(*columns, strict=True)).__getitem__


def _anchored(a: Side, b: Side) -> list[tuple[int, int]]:
    """Pairs of places in the structural orders, ascending in both."""
    pairs: list[tuple[int, int]] = []
    for least, several, sign_a, sign_b in _signs(a, b):
        gaps = [
            (start, end)
            for start, end in _gaps(pairs, len(a.order), len(b.order))
            if (end[0] - start[0]) * (end[1] - start[1]) > least
        ]
        found = []
        for start, end in gaps:
            left = _by_sign(sign_a, a.order, start[0], end[0])
            right = _by_sign(sign_b, b.order, start[1], end[1])
            found += _increasing(_candidates(left, right, several))
        pairs = sorted([*pairs, *found])
    return pairs


def _gaps(
    pairs: Sequence[tuple[int, int]], size_a: int, size_b: int
) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    """Where both networks have something between two pairs: begins and ends."""
    last = (0, 0)
    for pair in [*pairs, (size_a, size_b)]:
        if last[0] < pair[0] and last[1] < pair[1]:
            yield last, pair
        last = (pair[0] + 1, pair[1] + 1)


def _by_sign(sign: Sign, order: Sequence[int], start: int, end: int) -> dict[Hashable, list[int]]:
    result: dict[Hashable, list[int]] = {}
    for place in range(start, end):
        result.setdefault(sign(order[place]), []).append(place)
    return result


def _candidates(
    left: dict[Hashable, list[int]], right: dict[Hashable, list[int]], several: bool
) -> list[tuple[int, int]]:
    """Pairs of places whose sign is as often on one side as on the other."""
    result = []
    for sign, places in left.items():
        others = right.get(sign, [])
        if len(places) == len(others) and (several or len(places) == 1):
            result += list(zip(places, others, strict=True))
    return sorted(result)


def _increasing(pairs: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """The longest subsequence that ascends in the second place too; the pairs ascend in the first."""
    ends: list[int] = []
    at: list[int] = []
    before: list[int] = []
    for place, (_, other) in enumerate(pairs):
        length = bisect_left(ends, other)
        if length == len(ends):
            ends.append(other)
            at.append(place)
        else:
            ends[length], at[length] = other, place
        before.append(at[length - 1] if length else -1)
    result = []
    place = at[-1] if at else -1
    while place >= 0:
        result.append(pairs[place])
        place = before[place]
    return result[::-1]


def _between(a: Side, b: Side, pairs: Sequence[tuple[int, int]]) -> dict[int, int]:
    """The pairs by the layers' own places, with those that likeness gives between them."""
    result = {a.order[left]: b.order[right] for left, right in pairs}
    for start, end in _gaps(pairs, len(a.order), len(b.order)):
        left = [a.order[place] for place in range(start[0], end[0])]
        right = [b.order[place] for place in range(start[1], end[1])]
        found = aligned([a.layers[place] for place in left], [b.layers[place] for place in right])
        result |= {left[one]: right[other] for one, other in found}
    return result


def _settled(a: Side, b: Side, pairs: dict[int, int]) -> dict[int, int]:
    """The pairs, where what is in one network only is what hangs together."""
    forth = slid(pairs, a.layers, b.layers, b.readers, b.order)
    back = slid({other: one for one, other in forth.items()}, b.layers, a.layers, a.readers, a.order)
    return {one: other for other, one in back.items()}


def _spread(a: Side, b: Side, pairs: dict[int, int]) -> dict[int, int]:
    """The pairs, with those of their neighbours that are left and of which only one on each side is alike."""
    result = dict(pairs)
    taken = set(result.values())
    waiting = deque(result.items())
    while waiting:
        one, other = waiting.popleft()
        for left, right in zip(a.neighbours(one), b.neighbours(other), strict=True):
            free_a = [place for place in left if place not in result]
            free_b = [place for place in right if place not in taken]
            for pair in _alike(a, b, free_a, free_b) if free_a and free_b else ():
                result[pair[0]] = pair[1]
                taken.add(pair[1])
                waiting.append(pair)
    return result


def _alike(a: Side, b: Side, left: Sequence[int], right: Sequence[int]) -> list[tuple[int, int]]:
    for tier in TIERS:
        found: list[tuple[int, int]] = []
        for place in left:
            wanted = tier(a.layers[place])
            mine = [other for other in left if tier(a.layers[other]) == wanted]
            theirs = [other for other in right if tier(b.layers[other]) == wanted]
            if len(mine) == len(theirs) == 1:
                found.append((place, theirs[0]))
        if found:
            return found
    return []


def _borne_out(a: Side, b: Side, pairs: dict[int, int]) -> dict[int, int]:
    """The pairs without those of unlike layers that share neither a name nor a pair of neighbours."""
    return {
        one: other
        for one, other in pairs.items()
        if _share_title(a.layers[one], b.layers[other]) or _has_neighbour(a, b, pairs, one, other)
    }


def _share_title(one: Layer, other: Layer) -> bool:
    return bool(one.title) and one.title == other.title


def _has_neighbour(a: Side, b: Side, pairs: dict[int, int], one: int, other: int) -> bool:
    if not any(a.neighbours(one)) and not any(b.neighbours(other)):
        return True
    return any(
        pairs.get(place) in right
        for left, right in zip(a.neighbours(one), b.neighbours(other), strict=True)
        for place in left
    )

"""Which of several like layers are the ones that were added.

Where b has A B A B A and a has A B A, the two that were added may be any neighbours. Those are taken that hang
together: that read the fewest layers outside and of which the fewest are read outside, as a block of a network does.
Where that leaves several, those are taken that leave titles with the layers that have them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from costmodel.comparing.fingerprints import full
from costmodel.comparing.layers import Layer

LONGEST = 300  # layers of a run that is moved; a longer one stays where it is


def slid(
    pairs: Mapping[int, int],
    a: Sequence[Layer],
    b: Sequence[Layer],
    readers: Sequence[Sequence[int]],
    order: Sequence[int],
) -> dict[int, int]:
    """The pairs of layers of a and b, where runs of b that are in none are moved to where they hang together best.

    readers, order: who reads the layers of b, and the order in which runs are runs.
    """
    result = dict(pairs)
    back = {other: one for one, other in pairs.items()}
    for start, end in list(_runs(order, back)):
        if end - start > LONGEST:
            continue
        shifts = range(-_room(order, back, b, start - 1, end - 1, -1), _room(order, back, b, end, start, 1) + 1)
        best = min(shifts, key=lambda shift: _cost(order, back, a, b, readers, start, end, shift))
        for freed, taken in _moves(order, start, end, best):
            one = back.pop(freed)
            back[taken], result[one] = one, taken
    return result


def _runs(order: Sequence[int], back: Mapping[int, int]) -> Iterator[tuple[int, int]]:
    """Begins and ends of the longest runs of layers that are in no pair."""
    start = -1
    for place, layer in enumerate([*order, -1]):
        free = layer >= 0 and layer not in back
        if free and start < 0:
            start = place
        elif not free and start >= 0:
            yield start, place
            start = -1


def _room(
    order: Sequence[int], back: Mapping[int, int], layers: Sequence[Layer], freed: int, taken: int, step: int
) -> int:
    """How far a run can be moved: as long as the layer that it frees is like the one that takes its place."""
    most = abs(freed - taken)
    for count in range(most):
        place, other = freed + step * count, taken + step * count
        if not 0 <= place < len(order) or order[place] not in back:
            return count
        if full(layers[order[place]]) != full(layers[order[other]]):
            return count
    return most


def _moves(order: Sequence[int], start: int, end: int, shift: int) -> list[tuple[int, int]]:
    """The layers that a shift takes out of their pair, each with the one that takes its place."""
    if shift < 0:
        return [(order[start - 1 - count], order[end - 1 - count]) for count in range(-shift)]
    return [(order[end + count], order[start + count]) for count in range(shift)]


def _cost(
    order: Sequence[int],
    back: Mapping[int, int],
    a: Sequence[Layer],
    b: Sequence[Layer],
    readers: Sequence[Sequence[int]],
    start: int,
    end: int,
    shift: int,
) -> tuple[int, int, int]:
    inside = set(order[start + shift : end + shift])
    read = {source for layer in inside for source in b[layer].sources} - inside
    left = sum(any(reader not in inside for reader in readers[layer]) for layer in inside)
    moves = _moves(order, start, end, shift)
    titles = sum(
        (a[back[freed]].title == b[freed].title) - (a[back[freed]].title == b[taken].title) for freed, taken in moves
    )
    return len(read) + left, titles, abs(shift)

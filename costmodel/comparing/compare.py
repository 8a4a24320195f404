"""compare(): two analyses beside each other, layer by layer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from costmodel.analysis import Analysis
from costmodel.columns import Column
from costmodel.comparing.alignment import align
from costmodel.comparing.delays import Timed, delay
from costmodel.comparing.layers import Layer, layers_of
from costmodel.comparing.result import Change, Comparison, Delay, Difference, State, Verdict
from costmodel.dims import is_symbolic, show_shape
from costmodel.errors import UsageError
from costmodel.graph import Graph

KINSHIP = 0.5  # the share of links between layers that related networks have in common, at least

_FED = frozenset({"channels", "channels in", "input", "elements", "element type"})  # facts of what a layer reads

Layers = tuple[Layer, ...]


def compare(before: Analysis, after: Analysis) -> Comparison:
    """What differs between two networks, and what that takes on the platforms that both were predicted for.

    Raises UsageError for networks whose sizes are columns or symbols, and for other platforms.
    """
    _check(before, after)
    a, b = layers_of(before.graph), layers_of(after.graph)
    pairs = align(a, b)
    timed = [
        (Timed.of(first, a), Timed.of(second, b))
        for first, second in zip(before.predictions, after.predictions, strict=True)
    ]
    differences = _differences(a, b, pairs, timed)
    inputs = _inputs(before.graph, after.graph)
    kept = [(a[one], b[other]) for one, other in pairs.items()]
    return Comparison(
        before,
        after,
        _verdict(a, b, pairs, differences, inputs),
        differences,
        inputs,
        _delays(before, pairs, timed),
        sum(one.name != other.name for one, other in kept),
        _spelled(before.graph, after.graph, (a, b), differences),
    )


def _check(before: Analysis, after: Analysis) -> None:
    for analysis in (before, after):
        counts = (analysis.totals.mult_adds, analysis.totals.memory_access)
        if any(isinstance(count, Column) or is_symbolic(count) for count in counts):
            raise UsageError(f"{analysis.model}: its sizes are columns or symbols; give all sizes to compare it")
    if before.platforms != after.platforms:
        names = [", ".join(platform.id for platform in one.platforms) or "none" for one in (before, after)]
        raise UsageError(
            f"compare: the platforms are not the same: {names[0]} and {names[1]}; analyze both for the same"
        )


def _differences(
    a: Layers, b: Layers, pairs: Mapping[int, int], timed: Sequence[tuple[Timed, Timed]]
) -> tuple[Difference, ...]:
    """Every layer of both, as it is in the order of the second; one that was removed behind what was before it."""
    back = {other: one for one, other in pairs.items()}
    removed: dict[int, list[Difference]] = {}
    last = -1
    for place, layer in enumerate(a):
        if place in pairs:
            last = pairs[place]
        else:
            seconds = tuple((first.seconds[place], 0.0) for first, _ in timed)
            removed.setdefault(last, []).append(Difference(State.REMOVED, layer, None, (), seconds))
    result = removed.get(-1, [])
    for place, layer in enumerate(b):
        one = back.get(place)
        if one is None:
            seconds = tuple((0.0, second.seconds[place]) for _, second in timed)
            result.append(Difference(State.ADDED, None, layer, (), seconds))
        else:
            seconds = tuple((first.seconds[one], second.seconds[place]) for first, second in timed)
            changes = (*_changes(a[one], layer), *_rewired(a, b, (pairs, back), one, place))
            result.append(Difference(_state(a[one], layer, changes), a[one], layer, changes, seconds))
        result += removed.get(place, [])
    return tuple(result)


def _changes(one: Layer, other: Layer) -> list[Change]:
    """The facts that differ: first what was chosen, then what follows."""
    result = [Change("operator", one.op, other.op)] if one.op != other.op else []
    for left, right in ((one.own, other.own), (one.read, other.read)):
        for name in dict.fromkeys([*left, *right]):
            if left.get(name) != right.get(name):
                result.append(Change(name, left.get(name, ""), right.get(name, "")))
    if not result and one.mult_adds != other.mult_adds:
        result.append(Change("mult-adds", str(one.mult_adds), str(other.mult_adds)))
    return result


def _rewired(
    a: Layers, b: Layers, both: tuple[Mapping[int, int], Mapping[int, int]], one: int, other: int
) -> list[Change]:
    """Whether a layer reads other layers that are in both networks than it did.

    both: the pairs, there and back. One that reads an added layer, or read a removed one, is not touched by that.
    """
    pairs, back = both
    sources, now = a[one].sources, b[other].sources
    if any(source not in pairs for source in sources) or any(source not in back for source in now):
        return []
    if {pairs[source] for source in sources} == set(now):
        return []
    labels = [", ".join(layers[source].label for source in of) for layers, of in ((a, sources), (b, now))]
    return [Change("reads", *labels)]


def _state(one: Layer, other: Layer, changes: Sequence[Change]) -> State:
    if not changes:
        return State.SAME
    chosen = {"operator", "reads", *one.own, *other.own}
    cause = any(change.fact in chosen for change in changes)
    fed = any(change.fact in _FED for change in changes)
    return State.CHANGED if cause or not fed else State.FOLLOWS


def _verdict(
    a: Layers, b: Layers, pairs: Mapping[int, int], differences: Sequence[Difference], inputs: Sequence[Change]
) -> Verdict:
    if not inputs and all(one.state is State.SAME for one in differences):
        return Verdict.SAME
    akin = {one: other for one, other in pairs.items() if _is_akin(a[one], b[other])}
    links_a, links_b = _links(a), _links(b)
    kept = {(akin[source], akin[place]) for source, place in links_a if source in akin and place in akin} & links_b
    fewest, most = sorted((len(links_a), len(links_b)))
    if not fewest:
        return Verdict.DIFFERENT if pairs else Verdict.UNRELATED
    # A network that grew by many layers is still related to what it was.
    related = len(kept) >= KINSHIP * fewest and len(kept) >= KINSHIP / 4 * most
    return Verdict.DIFFERENT if related else Verdict.UNRELATED


def _is_akin(one: Layer, other: Layer) -> bool:
    """Whether two layers can be one and the same with other sizes."""
    return one.skeleton == other.skeleton or bool(one.title and one.title == other.title)


def _links(layers: Layers) -> set[tuple[int, int]]:
    """Which layer is read by which."""
    return {(source, place) for place, layer in enumerate(layers) for source in layer.sources}


def _inputs(before: Graph, after: Graph) -> tuple[Change, ...]:
    """The networks' inputs that have another shape or element type, in their order."""
    sides = [[_input(graph, name) for name in graph.inputs] for graph in (before, after)]
    count = max(map(len, sides))
    padded = [[*side, *[""] * (count - len(side))] for side in sides]
    return tuple(Change("input", one, other) for one, other in zip(*padded, strict=True) if one != other)


def _input(graph: Graph, name: str) -> str:
    spec = graph.tensors[name]
    return f"{show_shape(spec.shape)} {spec.dtype}"


def _delays(before: Analysis, pairs: Mapping[int, int], timed: Sequence[tuple[Timed, Timed]]) -> tuple[Delay, ...]:
    return tuple(
        delay(first, second, pairs, platform) for platform, (first, second) in zip(before.platforms, timed, strict=True)
    )


def _spelled(
    before: Graph, after: Graph, layers: tuple[Layers, Layers], differences: Sequence[Difference]
) -> dict[str, int]:
    """How many more operators of each type the second network has, in layers that are the same and in none at all."""
    count: Counter[str] = Counter()
    for one in differences:
        if one.state is State.SAME and one.before is not None and one.after is not None:
            count.subtract(node.qualified_type for node in one.before.nodes)
            count.update(node.qualified_type for node in one.after.nodes)
    for graph, side, add in ((before, layers[0], count.subtract), (after, layers[1], count.update)):
        inside = {node.name for layer in side for node in layer.nodes}
        add([node.qualified_type for node in graph.nodes if node.name not in inside])
    return {op: more for op, more in sorted(count.items()) if more}

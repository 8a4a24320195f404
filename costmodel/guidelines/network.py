"""A network as the rules see it: its layers, and which layer's channels each of them reads.

A layer is what mixes channels: a convolution that is not depthwise, a product of matrices. Everything between two
layers keeps channels as they are (activations, normalisation, depthwise convolutions, poolings, channel shuffles,
gates), or joins and cuts them (additions, concats, splits).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from costmodel.dims import Dim
from costmodel.graph import Graph, Node, TensorSpec
from costmodel.kernels import Kind, Loops, kind_of

STEM = 4  # channels of an image: nobody chose them
_MIXING = frozenset({Kind.POINTWISE, Kind.SPATIAL, Kind.GROUPED, Kind.DENSE, Kind.MATMUL})
_KEEPING = frozenset(
    {Kind.DEPTHWISE, Kind.POOL, Kind.REDUCTION, Kind.ELEMENTWISE, Kind.TRANSCENDENTAL, Kind.NORMALIZATION, Kind.VIEW}
)
_RENAMING = frozenset({"Reshape", "Transpose", "Identity", "Flatten", "Squeeze", "Unsqueeze", "Dropout", "Pad"})
_NORMS = frozenset({"BatchNormalization"})


@dataclass(frozen=True, slots=True)
class Layer:
    """An operator that mixes channels.

    positions: spatial ones of the input that are read and of the output, of the whole batch. place: in the order of
    execution. source: the layer whose channels it reads, None where they are an input's or joined from several.
    direct: whether nothing but normalisation and renaming lies between the two. stem: whether it reads an image. last:
    whether what it writes leaves the network without passing another layer.
    """

    node: Node
    kind: Kind
    loops: Loops
    positions: tuple[int, int]
    place: int
    source: Layer | None
    direct: bool
    stem: bool
    last: bool

    @property
    def groups(self) -> int:
        """Groups of channels."""
        return _whole(self.loops.groups)

    @property
    def cin(self) -> int:
        """Channels of a group that are read."""
        return _whole(self.loops.cin)

    @property
    def cout(self) -> int:
        """Channels of a group that are written."""
        return _whole(self.loops.cout)

    @property
    def c1(self) -> int:
        """Channels read, of all groups."""
        return self.groups * self.cin

    @property
    def c2(self) -> int:
        """Channels written, of all groups."""
        return self.groups * self.cout

    @property
    def window(self) -> int:
        """Taps of the window."""
        return _whole(self.loops.window)

    @property
    def weights(self) -> int:
        """Elements of the weight."""
        return self.window * self.c1 * self.cout

    @property
    def mult_adds(self) -> int:
        """The paper's B, of one run."""
        return _whole(self.loops.positions) * self.weights

    @property
    def memory_access(self) -> int:
        """The paper's MAC (Section 2, G1): elements read and written by one run, without a bias."""
        read, written = self.positions
        return read * self.c1 + written * self.c2 + self.weights

    @property
    def bound(self) -> int:
        """The least memory access at the same mult-adds, positions, window and groups, rounded up (Eq. 1).

        For a 1x1 convolution of stride 1 it is 2 sqrt(hw B) + B / hw; sqrt(h1 w1 h2 w2) stands for hw where the
        output has another size than the input.
        """
        read, written = self.positions
        square = 4 * read * written * self.c1 * self.c2
        return math.isqrt(square - 1) + 1 + self.weights

    @property
    def form(self) -> str:
        """What it is in a few words: 1x1 convolution, 3x3 convolution in 8 groups, dense layer."""
        if self.kind in (Kind.DENSE, Kind.MATMUL):
            return "dense layer"
        groups = f" in {self.groups} groups" if self.groups != 1 else ""
        return f"{'x'.join(map(str, self.loops.taps))} convolution{groups}"


@dataclass(frozen=True)
class Network:
    """A graph with its layers. place, kinds: of every operator by name. layers: by the operator's name, in the order of
    execution. owners: for every other operator the last layer that leads to it, None before the first."""

    graph: Graph
    place: Mapping[str, int]
    kinds: Mapping[str, Kind]
    layers: Mapping[str, Layer]
    owners: Mapping[str, Layer | None]

    @staticmethod
    def of(graph: Graph) -> Network:
        """One pass over the operators. Operators whose shapes are not known are no layers."""
        found = {node.name: kind_of(node, graph.tensors) for node in graph.nodes}
        kinds = {name: kind for name, (kind, _) in found.items()}
        images = {name for name in graph.inputs if _is_image(graph.tensors.get(name))}
        walk = _Walk(graph, _leaving(graph, kinds), images)
        for place, node in enumerate(graph.nodes):
            kind, loops = found[node.name]
            if kind in _MIXING and loops is not None and _is_whole(loops):
                walk.mix(node, kind, loops, place)
            else:
                walk.keep(node, kind)
        places = {name: place for place, name in enumerate(kinds)}
        return Network(graph, places, kinds, walk.layers, walk.owners)


@dataclass(slots=True)
class _Walk:
    """What is known of tensors on the way through a graph.

    last: those that leave the network without passing another layer. images: those that have an image's channels.
    sources: the layer whose channels each has. changed: those whose elements are not that layer's any more. latest: the
    last layer that leads to each.
    """

    graph: Graph
    last: set[str]
    images: set[str]
    layers: dict[str, Layer] = field(default_factory=dict)
    owners: dict[str, Layer | None] = field(default_factory=dict)
    sources: dict[str, Layer | None] = field(default_factory=dict)
    changed: set[str] = field(default_factory=set)
    latest: dict[str, Layer | None] = field(default_factory=dict)

    def mix(self, node: Node, kind: Kind, loops: Loops, place: int) -> None:
        """Pass a layer."""
        tensors = self.graph.tensors
        first = next(iter(self._data(node)), "")
        layer = Layer(
            node,
            kind,
            loops,
            _positions(kind, loops, tensors[node.inputs[0]], tensors[node.outputs[0]]),
            place,
            source=self.sources.get(first),
            direct=first not in self.changed,
            stem=first in self.images,
            last=not self.last.isdisjoint(node.outputs),
        )
        self.layers[node.name] = layer
        self.sources.update(dict.fromkeys(node.outputs, layer))
        self.latest.update(dict.fromkeys(node.outputs, layer))

    def keep(self, node: Node, kind: Kind) -> None:
        """Pass an operator between layers."""
        data = self._data(node)
        before = [owner for name in data if (owner := self.latest.get(name)) is not None]
        owner = max(before, key=lambda layer: layer.place, default=None)
        self.owners[node.name] = owner
        self.latest.update(dict.fromkeys(node.outputs, owner))
        if kind not in _KEEPING and node.op_type not in _RENAMING:
            self.sources.update(dict.fromkeys(node.outputs))
            return
        self.sources.update(dict.fromkeys(node.outputs, _source(self.graph, data, self.sources)))
        if node.op_type not in _RENAMING | _NORMS or not self.changed.isdisjoint(data):
            self.changed.update(node.outputs)
        if self.images.intersection(data[:1]) and kind is not Kind.DEPTHWISE:
            self.images.update(node.outputs)
        elif node.op_type == "Transpose" and owner is None:  # an input whose channels are its last dim
            self.images.update(name for name in node.outputs if _is_image(self.graph.tensors.get(name)))

    def _data(self, node: Node) -> list[str]:
        """The inputs of an operator that are computed; those of the network's first operators are its inputs."""
        known = [name for name in node.inputs if name in self.sources or name in self.images]
        tensors = self.graph.tensors
        return known or [name for name in node.inputs if name in tensors and not tensors[name].is_constant]


def _source(graph: Graph, data: list[str], sources: Mapping[str, Layer | None]) -> Layer | None:
    """The layer whose channels an element-wise operator passes on: a gate is broadcast to the larger operand."""
    sizes = {name: size for name in data if isinstance(size := graph.tensors[name].elements, int)}
    largest = max(sizes.values(), default=0)
    found = {id(source := sources.get(name)): source for name, size in sizes.items() if size == largest}
    return next(iter(found.values())) if len(found) == 1 else None


def _positions(kind: Kind, loops: Loops, data: TensorSpec, out: TensorSpec) -> tuple[int, int]:
    """Positions of the input that are read, and of the output; a window of one tap skips what lies between strides."""
    steps = _whole(loops.positions)
    if kind in (Kind.DENSE, Kind.MATMUL):
        return steps, steps
    read = steps if loops.window == 1 else _whole(data.elements) // _whole(loops.groups * loops.cin)
    return max(read, 1), max(_whole(out.elements) // _whole(loops.groups * loops.cout), 1)


def _leaving(graph: Graph, kinds: Mapping[str, Kind]) -> set[str]:
    """Tensors that reach an output of the network without passing a layer."""
    result = set(graph.outputs)
    for node in reversed(graph.nodes):
        if not result.isdisjoint(node.outputs) and kinds[node.name] not in _MIXING:
            result.update(node.inputs)
    return result


def _is_whole(loops: Loops) -> bool:
    dims = (loops.batch, loops.groups, loops.cin, loops.cout, *loops.size)
    return all(isinstance(dim, int) and dim > 0 for dim in dims)


def _whole(dim: Dim) -> int:
    assert isinstance(dim, int)
    return dim


def _is_image(spec: TensorSpec | None) -> bool:
    shape = None if spec is None else spec.shape
    return shape is not None and len(shape) == 4 and isinstance(shape[1], int) and shape[1] <= STEM

"""GraphAssembler: collect tensors and operators into a graph, counting each operator as it is added.

It knows no operator by name: readers of other formats use it as it is, and GraphBuilder (builder.py)
adds a method for each operator that one writes by hand.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from costmodel.cost import Cost
from costmodel.dims import Dim, as_dim, check_shape
from costmodel.errors import ModelError, ShapeError
from costmodel.graph import Counting, Graph, Node, TensorSpec
from costmodel.ops import Params, apply, as_value

# Element types of tables, masks and indices: constants, but nothing that was learned.
_NOT_LEARNED = frozenset({"int64", "uint64", "bool", "string"})


Mark = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Piece:
    """What was added to a graph since a mark: nodes, tensors, and the constants that they counted."""

    nodes: tuple[Node, ...]
    tensors: Mapping[str, TensorSpec]
    counted: Mapping[str, None]

    @property
    def cost(self) -> Cost:
        """The sum over its nodes."""
        return Cost.total(node.cost for node in self.nodes)


class GraphAssembler:
    """Collects operators in the order in which they run, and counts each as it is added."""

    def __init__(self, name: str = "network") -> None:
        self.name = name
        self._tensors: dict[str, TensorSpec] = {}
        self._nodes: list[Node] = []
        self._names: dict[str, int] = {}
        self._inputs: list[str] = []
        self._constants: dict[str, TensorSpec] = {}
        self._counted: dict[str, None] = {}  # in the order of counting, so that a mark is a length
        self._scopes: list[str] = []

    # -- tensors that are not written by an operator

    def input(self, name: str, shape: Sequence[Any] | None, dtype: str = "float32", value: Any = None) -> TensorSpec:
        """A tensor that enters the network; its shape may be unknown (None), its elements may be known.

        Raises ShapeError for dims that are no sizes, and for a value of another shape.
        """
        dims = None if shape is None else tuple(as_dim(d, f"a dim of input {name!r}") for d in shape)
        if value is not None:
            value = as_value(value)
            if dims is not None and value.shape != dims:
                raise ShapeError(f"input {name!r}: a value of shape {value.shape} is given for dims {dims}")
            dims = value.shape
        self._inputs.append(name)
        return self._add(TensorSpec(dims, dtype, name, value))

    def weight(self, name: str, shape: Sequence[Dim], dtype: str = "float32") -> TensorSpec:
        """A constant tensor: learned, unless its type is int64 or bool. Numbered where the name is taken."""
        dims = tuple(as_dim(d, f"a dim of weight {name!r}") for d in shape)
        return self.constant(TensorSpec(dims, dtype, self.unique(self._path(name))))

    def constant(self, spec: TensorSpec) -> TensorSpec:
        """A constant under its own name, with its value where that is small."""
        spec = TensorSpec(spec.shape, spec.dtype, spec.name, spec.value, spec.dtype, (spec.name,))
        self._constants[spec.name] = spec
        return self._add(spec)

    def tensor(self, spec: TensorSpec) -> TensorSpec:
        """A tensor that no single operator writes: what a loop has when it ends."""
        return self._add(spec)

    def values(self, items: Sequence[Any], dtype: str = "int64", name: str = "") -> TensorSpec:
        """A vector of numbers that steers an operator (a shape, axes, scales): a tensor of the graph.

        Without a name it is named after the operator's input that it is given to.
        """
        value = as_value(tuple(items))
        spec = TensorSpec(value.shape, dtype, self.unique(self._path(name)) if name else "", value)
        return self._add(spec) if name else spec

    def _add(self, spec: TensorSpec) -> TensorSpec:
        if spec.name in self._tensors:
            raise ModelError(f"tensor {spec.name!r} is written twice; names are unique in a graph")
        if spec.shape is not None:
            check_shape(spec.shape, f"tensor {spec.name!r}")
        self._tensors[spec.name] = spec
        return spec

    # -- operators

    @contextmanager
    def scope(self, name: str) -> Iterator[None]:
        """Name everything added within the block `name.` ..."""
        self._scopes.append(name)
        try:
            yield
        finally:
            self._scopes.pop()

    def _path(self, name: str) -> str:
        return ".".join((*self._scopes, name))

    def unique(self, name: str) -> str:
        """name, with a number behind it if an operator has it already."""
        count = self._names.get(name, 0)
        self._names[name] = count + 1
        return name if count == 0 else self.unique(f"{name}_{count}")

    def node(
        self,
        op_type: str,
        inputs: Sequence[TensorSpec | None],
        attributes: Mapping[str, Any] | None = None,
        *,
        domain: str = "",
        name: str = "",
        outputs: Sequence[str] | int = 1,
        declared: Sequence[TensorSpec | None] = (),
        repeat: Dim = 1,
        module: str | None = None,
        source: str = "",
        note: str = "",
    ) -> tuple[TensorSpec, ...]:
        """Add any operator; returns its outputs.

        outputs: their names ("" for one not wanted), or how many to name after the node.
        declared: what a model says of the outputs; used where shapes depend on data, and for
            operators that the registry does not know (these count bytes only, and say so).
        repeat, module, source: as in Node. note: why the count cannot be exact, whatever the operator.
        Raises ShapeError, naming the node, where inputs and attributes do not fit.
        """
        attributes = attributes or {}
        name = self.unique(name or self._path(op_type.lower()))
        if isinstance(outputs, int):
            outputs = [name] if outputs == 1 else [f"{name}:{i}" for i in range(outputs)]
        try:
            applied = apply(op_type, domain, inputs, attributes, outputs, declared)
        except ShapeError as error:
            raise ShapeError(f"node {name!r} ({op_type}): {error}") from error
        specs = applied.outputs
        reads = tuple(self._kept(spec, f"{name}.input_{i}") for i, spec in enumerate(inputs))
        for spec in specs:
            if spec.name:
                self._add(spec)
                if spec.name in spec.roots:
                    self._constants[spec.name] = spec
        counting = applied.counting
        if note and counting is Counting.COUNTED:
            counting = Counting.APPROXIMATED
        self._nodes.append(
            Node(
                name,
                op_type,
                domain,
                reads,
                tuple(outputs),
                attributes,
                applied.cost.repeated(repeat, self._params(applied.params)),
                repeat,
                counting,
                applied.note or note,
                ".".join(self._scopes) if module is None else module,
                source,
            )
        )
        return specs

    def _kept(self, spec: TensorSpec | None, place: str) -> str:
        """The name of a node's input, "" for one left out; nameless values become a tensor named after their place."""
        if spec is None or spec.name or spec.value is None:
            return "" if spec is None else spec.name
        name = self.unique(place)
        while name in self._tensors:
            name = self.unique(place)
        return self._add(replace(spec, name=name)).name

    def _params(self, candidates: Params) -> Dim:
        """Learned elements of the constants that no earlier node has used."""
        total: Dim = 0
        for spec, elements in candidates:
            if spec.dtype in _NOT_LEARNED or (isinstance(elements, int) and elements == 0):
                continue
            new = [root for root in spec.roots if root not in self._counted]
            self._counted.update(dict.fromkeys(new))
            if elements is not None:
                total = total + (elements if new else 0)
                continue
            for root in new:
                constant = self._constants[root]
                if constant.dtype not in _NOT_LEARNED:
                    total = total + constant.elements
        return total

    def find(self, name: str) -> TensorSpec | None:
        """The tensor of that name, or None if nothing has written it yet."""
        return self._tensors.get(name)

    def mark(self) -> Mark:
        """The state of now, to come back to."""
        return len(self._nodes), len(self._tensors), len(self._counted)

    def cut(self, mark: Mark) -> Piece:
        """Take out the operators that were added since the mark, with what they wrote and counted.

        Constants that were added stay: others may have come to read them.
        """
        nodes, tensors, counted = mark
        taken = _cut_back(self._tensors, tensors)
        piece_nodes = tuple(self._nodes[nodes:])
        written = {name: taken.pop(name) for node in piece_nodes for name in node.outputs if name in taken}
        del self._nodes[nodes:]
        self._tensors.update(taken)
        return Piece(piece_nodes, written, _cut_back(self._counted, counted))

    def paste(self, piece: Piece) -> None:
        """Put back what was cut."""
        self._nodes.extend(piece.nodes)
        self._tensors.update(piece.tensors)
        self._counted.update(piece.counted)

    def build(self, *outputs: TensorSpec, notes: Sequence[str] = ()) -> Graph:
        """The finished graph."""
        tensors = {**{spec.name: spec for spec in outputs}, **self._tensors}
        names = tuple(spec.name for spec in outputs)
        return Graph(self.name, tuple(self._inputs), names, tuple(self._nodes), tensors, tuple(notes))


def _cut_back(items: dict[str, Any], length: int) -> dict[str, Any]:
    """Take out everything behind the first `length` items; gives it in its order. No look at the others."""
    taken = [items.popitem() for _ in range(len(items) - length)]
    return dict(reversed(taken))

"""The graph IR: named tensors, operators with their costs, and the network that they form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Any

from costmodel.cost import Cost
from costmodel.dims import Dim, Shape, product, show_shape
from costmodel.dtypes import size_in_bytes

if TYPE_CHECKING:
    import networkx


class Counting(StrEnum):
    """How far an operator's cost can be trusted; every output states how many operators are which."""

    COUNTED = "counted"
    APPROXIMATED = "approximated"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """A tensor without its data.

    shape: dims in ONNX's order (activations N, C, then spatial), or None when unknown.
    dtype: ONNX's name of the element type, in lower case.
    value: the elements themselves as a numpy array of Python objects, where the tensor is a small
        constant or a piece of shape arithmetic; None for every other tensor.
    stored: the element type that a constant has in the file, which may be another than dtype (int8 for a
        weight that is dequantised ahead of the run).
    roots: names of the constants whose elements it holds.
    """

    shape: Shape | None
    dtype: str = "float32"
    name: str = ""
    value: Any = field(default=None, compare=False, repr=False)
    stored: str = ""
    roots: tuple[str, ...] = ()

    @property
    def elements(self) -> Dim:
        """The number of elements; 0 where the shape is unknown."""
        return 0 if self.shape is None else product(self.shape)

    @property
    def bytes(self) -> Dim:
        """The packed size in bytes; 0 where the shape is unknown."""
        return size_in_bytes(self.elements, self.dtype)

    @property
    def is_constant(self) -> bool:
        """Whether the tensor is known before the network runs."""
        return self.is_stored or self.value is not None

    @property
    def is_stored(self) -> bool:
        """Whether the tensor is in the file, or made from tensors of the file when it is loaded."""
        return bool(self.stored or self.roots)

    def __str__(self) -> str:
        return f"{self.name or 'tensor'}: {self.dtype}[{show_shape(self.shape)}]"


@dataclass(frozen=True, slots=True)
class Node:
    """One operator of a network.

    name: unique within the graph. inputs, outputs: tensor names, "" for an optional one left out.
    cost: of all `repeat` runs. repeat: how often it runs (the trip count of the loops around it).
    counting, note: how far the cost can be trusted, and why it is not exact.
    module: the path of modules that the operator belongs to, dots between them.
    source: file:line that wrote the operator, where the model carries it.
    """

    name: str
    op_type: str
    domain: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any] = field(default_factory=dict)
    cost: Cost = Cost()
    repeat: Dim = 1
    counting: Counting = Counting.COUNTED
    note: str = ""
    module: str = ""
    source: str = ""

    @property
    def qualified_type(self) -> str:
        """The operator's type with its domain, where that is not ONNX's own."""
        return f"{self.domain}:{self.op_type}" if self.domain else self.op_type


@dataclass(frozen=True)
class Graph:
    """A whole network: nodes in an order in which they can run.

    inputs, outputs: names of the tensors that enter and leave. tensors: every tensor by its name,
    weights among them. notes: what had to be assumed to read it, one sentence each.
    """

    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    nodes: tuple[Node, ...]
    tensors: Mapping[str, TensorSpec]
    notes: tuple[str, ...] = ()

    @cached_property
    def cost(self) -> Cost:
        """The sum over all nodes."""
        return Cost.total(node.cost for node in self.nodes)

    def to_networkx(self) -> networkx.MultiDiGraph[str]:
        """The dataflow between operators, for graph algorithms: a vertex a node name (attribute `node`),
        an edge a tensor that one writes and another reads (attribute `tensor`)."""
        import networkx

        view: networkx.MultiDiGraph[str] = networkx.MultiDiGraph(name=self.name)
        writer = {}
        for node in self.nodes:
            view.add_node(node.name, node=node)
            writer.update({tensor: node.name for tensor in node.outputs if tensor})
        for node in self.nodes:
            for tensor in dict.fromkeys(node.inputs):
                if tensor in writer:
                    view.add_edge(writer[tensor], node.name, tensor=tensor)
        return view

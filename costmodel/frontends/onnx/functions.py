"""Model-local functions: calls are expanded into the nodes of the function's body."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from costmodel.errors import ModelError
from costmodel.frontends.onnx.ordering import graphs_of
from costmodel.frontends.onnx.protos import attributes
from costmodel.graph import TensorSpec
from costmodel.ops import canonical_domain

if TYPE_CHECKING:
    from costmodel.frontends.onnx.importer import Body

DEEPEST_CALL = 60
LARGEST_EXPANSION = 1_000_000  # nodes; nested calls can otherwise double a small file without end
_BYTES_OF_A_NODE = 256  # what a function declares is work as well: so many bytes of it are as much as a node

Key = tuple[str, str, str]


class Library:
    """The functions of a model, by domain, name and overload."""

    def __init__(self, model: Any) -> None:
        self._functions: dict[Key, Any] = {_key(f.domain, f.name, f): f for f in model.functions}
        if self._functions:
            self._check_size(model.graph)

    def find(self, domain: str, op_type: str, node: Any) -> Any:
        """The function that a node calls, or None for an operator."""
        if not self._functions:
            return None
        return self._functions.get(_key(domain, op_type, node))

    def _check_size(self, graph: Any) -> None:
        """Refuse functions that call each other in a circle, or that expand beyond all bounds."""
        sizes: dict[Key, int] = {}

        def size_of(nodes: Sequence[Any], callers: tuple[Key, ...]) -> int:
            total = 0
            for node in nodes:
                key = _key(node.domain, node.op_type, node)
                total += size_of_call(key, callers) if key in self._functions else 1
                for inner in graphs_of(node):
                    total += size_of(inner.node, callers)
            return total

        def size_of_call(key: Key, callers: tuple[Key, ...]) -> int:
            if key in callers:
                raise ModelError(f"function {key[1]!r} calls itself; ONNX forbids it")
            if len(callers) >= DEEPEST_CALL:
                raise ModelError(f"functions call each other more than {DEEPEST_CALL} deep, at {key[1]!r}")
            if key not in sizes:
                function = self._functions[key]
                own = 1 + function.ByteSize() // _BYTES_OF_A_NODE
                sizes[key] = own + size_of(function.node, (*callers, key))
            return sizes[key]

        total = size_of(graph.node, ())
        if total > LARGEST_EXPANSION:
            raise ModelError(
                f"the model's functions expand to the work of {total} nodes; at most {LARGEST_EXPANSION} are analyzed"
            )


def _key(domain: str, name: str, message: Any) -> Key:
    return canonical_domain(domain), name, getattr(message, "overload", "")  # onnx < 1.16 has none


def expand(
    body: Body, function: Any, label: str, reads: Sequence[TensorSpec | None], values: Mapping[str, Any]
) -> list[TensorSpec | None]:
    """Walk a function's body in the place of a call; gives what it writes."""
    if len(reads) > len(function.input):
        raise ModelError(f"node {label!r} gives function {function.name!r} more inputs than its {len(function.input)}")
    given = dict.fromkeys(function.input) | dict(zip(function.input, reads, strict=False))
    inner = body.called(function, label, given, {**attributes(function.attribute_proto), **values})
    inner.run()
    return [inner.find(name, f"the outputs of function {function.name!r}") for name in function.output]

"""Model-local functions: calls are expanded into the nodes of the function's body."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from costmodel.errors import ModelError
from costmodel.frontends.onnx.protos import attributes
from costmodel.graph import TensorSpec

if TYPE_CHECKING:
    from costmodel.frontends.onnx.importer import Body

DEEPEST_CALL = 60
LARGEST_EXPANSION = 2_000_000  # nodes; nested calls can otherwise double a small file without end

Key = tuple[str, str, str]


class Library:
    """The functions of a model, by domain, name and overload."""

    def __init__(self, model: Any) -> None:
        self._functions: dict[Key, Any] = {
            ("" if f.domain == "ai.onnx" else f.domain, f.name, getattr(f, "overload", "")): f for f in model.functions
        }
        if self._functions:
            self._check_size(model.graph)

    def find(self, domain: str, op_type: str, node: Any) -> Any:
        """The function that a node calls, or None for an operator."""
        if not self._functions:
            return None
        return self._functions.get((domain, op_type, getattr(node, "overload", "")))

    def _check_size(self, graph: Any) -> None:
        """Refuse functions that call each other in a circle, or that expand beyond all bounds."""
        sizes: dict[Key, int] = {}

        def size_of(nodes: Sequence[Any], callers: tuple[Key, ...]) -> int:
            total = 0
            for node in nodes:
                key = (
                    "" if node.domain == "ai.onnx" else node.domain,
                    node.op_type,
                    getattr(node, "overload", ""),
                )
                function = self._functions.get(key)
                if function is None:
                    total += 1
                    continue
                if key in callers:
                    raise ModelError(f"function {key[1]!r} calls itself; ONNX forbids it")
                if len(callers) >= DEEPEST_CALL:
                    raise ModelError(f"functions call each other more than {DEEPEST_CALL} deep, at {key[1]!r}")
                if key not in sizes:
                    sizes[key] = size_of(function.node, (*callers, key))
                total += sizes[key]
            return total

        total = size_of(graph.node, ())
        if total > LARGEST_EXPANSION:
            raise ModelError(f"the model's functions expand to {total} nodes; at most {LARGEST_EXPANSION} are analyzed")


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

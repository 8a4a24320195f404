"""Write a graph of the IR as an ONNX model with random weights: for a runtime to run, and the clock to measure.

The model has the graph's operators under their names, its tensors, and its modules (which metadata.py reads back);
shapes are written as the graph knows them. Constants with a value keep it; random_weights.py fills the others.

An operator that the opset has is written as it is. Swish, which ONNX has from opset 24 on, is written below that
as exporters write it: Sigmoid and Mul. ONNX Runtime 1.31 fuses those into one kernel on a CPU, and runs the operator
itself as four. Read back, the model has then one operator more for each, and the elements that it moves. All else
is counted as in the graph, but that a number in a formula is an element of the weights and not of the input.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from costmodel.columns import Column
from costmodel.dims import is_symbolic, show, show_shape
from costmodel.dtypes import BITS
from costmodel.dtypes import NAMES as TYPE_NAMES
from costmodel.errors import CostModelError, ModelError, UsageError
from costmodel.frontends.onnx.metadata import MODULE, SOURCE
from costmodel.frontends.onnx.random_weights import Filling, filled, fillings, sizes
from costmodel.graph import Graph, Node, TensorSpec
from costmodel.ops import apply

if TYPE_CHECKING:
    import onnx

OPSET = 23
OLDEST_OPSET = 18  # since which the sizes of reductions, splits and pads are inputs, as in the IR
LARGEST = 2**31 - 2**24  # bytes of weights in one protobuf message, with room for the rest
_NUMBERS = {name: number for number, name in TYPE_NAMES.items()}
_WITHOUT_SCHEMA = 1  # the version of a domain that onnx does not know
_METADATA_SINCE = 10  # the IR version in which nodes have metadata


def save(graph: Graph, path: str | os.PathLike[str], *, seed: int = 0, opset: int = OPSET) -> None:
    """Write the graph to an ONNX file, whole or not at all. Raises as write does, and UsageError for the file."""
    from costmodel.writing import write_whole

    content = write(graph, seed=seed, opset=opset).SerializeToString(deterministic=True)
    try:
        write_whole(Path(os.path.realpath(path)), content)  # a link stays a link
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"{os.fspath(path)}: cannot be written ({reason}); give another file") from error


def write(graph: Graph, *, seed: int = 0, opset: int = OPSET) -> onnx.ModelProto:
    """The graph as a model of an opset, its weights random: the same for the same seed and names.

    Raises UsageError for an opset that onnx cannot write and for sizes that are not numbers, ModelError for
    a graph that is no ONNX model of that opset (loops and branches were taken out of it, say) or too large.
    """
    from onnx import helper
    from onnx.defs import onnx_opset_version

    newest = onnx_opset_version()
    if not OLDEST_OPSET <= opset <= newest:
        raise UsageError(f"{graph.name}: opset {opset} cannot be written; give one from {OLDEST_OPSET} to {newest}")
    writer = _Writer(graph, seed, opset)
    writer.check()
    nodes = [proto for node in graph.nodes for proto in writer.node(node)]
    proto = helper.make_graph(
        nodes,
        graph.name,
        [writer.value_info(graph.tensors[name]) for name in graph.inputs],
        [writer.value_info(graph.tensors[name]) for name in dict.fromkeys(graph.outputs)],
    )
    proto.initializer.extend(writer.initializers())
    ends = {*graph.inputs, *graph.outputs}
    inner = (graph.tensors.get(name) for node in graph.nodes for name in node.outputs if name not in ends)
    proto.value_info.extend(
        writer.value_info(spec) for spec in inner if spec is not None and spec.shape is not None and _is_typed(spec)
    )
    domains = {node.domain for node in graph.nodes} - {""}
    opsets = [helper.make_opsetid("", opset), *(helper.make_opsetid(one, _version(one)) for one in sorted(domains))]
    oldest = helper.find_min_ir_version_for(opsets, ignore_unknown=True)
    return helper.make_model(
        proto, producer_name="costmodel", opset_imports=opsets, ir_version=max(oldest, _METADATA_SINCE)
    )


@cache
def _version(domain: str) -> int:
    """The newest version of a domain that onnx knows."""
    from onnx.defs import get_all_schemas

    versions = (schema.since_version for schema in get_all_schemas() if schema.domain == domain)
    return max(versions, default=_WITHOUT_SCHEMA)


def _is_typed(spec: TensorSpec) -> bool:
    return spec.dtype in _NUMBERS


class _Writer:
    """One graph on its way into one model."""

    def __init__(self, graph: Graph, seed: int, opset: int) -> None:
        self.graph = graph
        self.seed = seed
        self.opset = opset
        self.taken = {*graph.tensors, *(node.name for node in graph.nodes)}
        written = {name for node in graph.nodes for name in node.outputs} | {*graph.inputs}
        read = dict.fromkeys([*(name for node in graph.nodes for name in node.inputs if name), *graph.outputs])
        self.constants = [name for name in read if name not in written]

    # -- what cannot be written

    def check(self) -> None:
        """Raise UsageError or ModelError for a graph that cannot be written, before any weight is made."""
        name = self.graph.name
        for spec in self.graph.tensors.values():
            items = (*(spec.shape or ()), *(() if spec.value is None else spec.value.reshape(-1)))
            for item in items:
                if isinstance(item, Column) or is_symbolic(item):
                    kind = "a column of sizes" if isinstance(item, Column) else f"{show(item)}, which is no number"
                    raise UsageError(
                        f"{name}: tensor {spec.name!r} has {kind}; a model to run has numbers for all sizes: build or "
                        "read the network with them"
                    )
        size = 0
        for constant in self.constants:
            known = self.graph.tensors.get(constant)
            if known is None or not known.is_constant or known.shape is None:
                raise ModelError(
                    f"{name}: tensor {constant!r} is read, but nothing writes it; the network had a loop or a branch, "
                    "which the graph has not: run the model that it was read from"
                )
            size += math.prod(sizes(known)) * BITS.get(known.dtype, 0) // 8
        if size > LARGEST:
            raise ModelError(
                f"{name}: its constants take {size / 1e9:.1f} GB, and an ONNX file holds 2 GB; take fewer channels or "
                "a smaller input"
            )
        for node in self.graph.nodes:
            self._check_node(node)

    def _check_node(self, node: Node) -> None:
        """A graph may have been read with other sizes than its constants say, and a loop's body stands for all runs."""
        if node.repeat != 1:
            raise self._refusal(
                node, f"runs {node.repeat} times, in a loop that the graph has not; run the model that it was read from"
            )
        tensors = self.graph.tensors
        inputs = [tensors.get(name) for name in node.inputs]
        outputs = [tensors.get(name) for name in node.outputs]
        try:
            applied = apply(node.op_type, node.domain, inputs, node.attributes, node.outputs, outputs).outputs
        except CostModelError as error:
            raise self._refusal(
                node,
                f"cannot be applied to what it reads ({error}); the graph was made for other sizes: read or build it "
                "with the sizes to run it with",
            ) from error
        for spec, known in zip(applied, outputs, strict=False):
            if known is not None and spec.name and spec.shape is not None and spec.shape != known.shape:
                raise self._refusal(
                    node,
                    f"gives {show_shape(spec.shape)} where the graph says {show_shape(known.shape)}; the graph was "
                    "made for other sizes: read or build it with the sizes to run it with",
                )

    def _refusal(self, node: Node, why: str) -> ModelError:
        return ModelError(f"{self.graph.name}: node {node.name!r} ({node.qualified_type}) {why}")

    # -- tensors

    def value_info(self, spec: TensorSpec) -> onnx.ValueInfoProto:
        """The tensor's name, element type and shape."""
        from onnx import helper

        shape = None if spec.shape is None else sizes(spec)
        return helper.make_tensor_value_info(spec.name, self._number(spec), shape)

    def _number(self, spec: TensorSpec) -> int:
        if not _is_typed(spec):
            raise ModelError(
                f"{self.graph.name}: the element type of tensor {spec.name!r} is {spec.dtype!r}, which ONNX has not; "
                "give the operator that writes it another"
            )
        return _NUMBERS[spec.dtype]

    def initializers(self) -> Iterator[onnx.TensorProto]:
        """Every constant of the graph that no operator makes."""
        plan = fillings(self.graph)
        for name in self.constants:
            yield self._tensor(self.graph.tensors[name], plan.get(name, Filling()))

    def _tensor(self, spec: TensorSpec, filling: Filling) -> onnx.TensorProto:
        from onnx import helper, numpy_helper

        number = self._number(spec)
        if not BITS[spec.dtype] and spec.value is None:
            raise ModelError(
                f"{self.graph.name}: constant {spec.name!r} is made of {spec.dtype}s that the graph does not know; "
                "run the model that it was read from"
            )
        dtype = helper.tensor_dtype_to_np_dtype(number)
        if spec.value is None:
            return numpy_helper.from_array(filled(spec, filling, self.seed, dtype), spec.name)
        return numpy_helper.from_array(np.asarray(spec.value.tolist(), dtype).reshape(sizes(spec)), spec.name)

    # -- operators

    def node(self, node: Node) -> list[onnx.NodeProto]:
        """The operator as the opset has it: itself, or the operators that it is made of."""
        inputs = list(node.inputs)
        while inputs and not inputs[-1]:
            inputs.pop()
        schema = self._schema(node)
        if schema is None and node.qualified_type == "Swish":
            return self._swish(node)
        if schema is None and not node.domain:
            raise self._refusal(node, self._missing(node))
        if schema is not None:
            self._check_signature(node, len(inputs), schema)
        return [self._proto(node, node.op_type, node.name, inputs, node.outputs, self._attributes(node, schema))]

    def _schema(self, node: Node) -> Any:
        """The operator as the opset defines it, or None."""
        from onnx.defs import SchemaError, get_schema

        try:
            return get_schema(node.op_type, _version(node.domain) if node.domain else self.opset, node.domain)
        except SchemaError:
            return None

    def _missing(self, node: Node) -> str:
        from onnx.defs import get_all_schemas_with_history

        known = [one for one in get_all_schemas_with_history() if one.name == node.op_type and not one.domain]
        first = min((one.since_version for one in known), default=0)
        if first > self.opset:
            return f"is in ONNX from opset {first} on; write that instead of {self.opset}"
        return f"is not in ONNX's opset {self.opset}; use operators that it has"

    def _check_signature(self, node: Node, inputs: int, schema: Any) -> None:
        """What older opsets wrote as attributes, newer ones write as inputs."""
        strange = sorted(set(node.attributes) - set(schema.attributes))
        fits = schema.min_input <= inputs <= schema.max_input
        if strange or schema.deprecated or not fits:
            what = f"has attribute {strange[0]!r}" if strange else f"has {inputs} inputs"
            raise self._refusal(
                node,
                f"{'is' if schema.deprecated else what}, as in another opset than {self.opset}; run the model that it "
                "was read from",
            )

    def _attributes(self, node: Node, schema: Any) -> Iterator[onnx.AttributeProto]:
        """Those that are given; a tuple that is left empty means the default."""
        from onnx import helper

        for name, value in node.attributes.items():
            if value is None or (isinstance(value, tuple | list) and not value and node.op_type != "Constant"):
                continue
            kind = None if schema is None else schema.attributes[name].type.value
            try:
                yield helper.make_attribute(name, self._plain(value, kind), attr_type=kind)
            except (TypeError, ValueError) as error:
                raise self._refusal(
                    node, f"has attribute {name!r} = {value!r}, which cannot be written ({error}); give another"
                ) from error

    def _plain(self, value: Any, kind: int | None) -> Any:
        """A value as the messages take it: tensors with their elements, floats where an int was given."""
        if isinstance(value, TensorSpec):
            return self._tensor(value, Filling(1.0))
        if isinstance(value, tuple | list):
            return [self._plain(one, kind) for one in value]
        if kind in (1, 6):  # AttributeProto's FLOAT and FLOATS
            return float(value)
        return value if isinstance(value, str | bytes | float) or hasattr(value, "SerializeToString") else int(value)

    def _proto(
        self,
        node: Node,
        op_type: str,
        name: str,
        inputs: Sequence[str],
        outputs: Sequence[str],
        attributes: Iterator[onnx.AttributeProto] | Sequence[onnx.AttributeProto] = (),
    ) -> onnx.NodeProto:
        from onnx import helper

        proto = helper.make_node(op_type, inputs, outputs, name, domain=node.domain)
        proto.attribute.extend(attributes)
        marks: Mapping[str, str] = {MODULE: node.module, SOURCE: node.source}
        for key, value in marks.items():
            if value or key == MODULE:
                proto.metadata_props.add(key=key, value=value)
        return proto

    def _swish(self, node: Node) -> list[onnx.NodeProto]:
        """x times its sigmoid."""
        if node.attributes.get("alpha", 1.0) != 1:
            raise self._refusal(node, f"has alpha; {self._missing(node).removeprefix('is ')}")
        gate = self._fresh(f"{node.name}.sigmoid")
        return [
            self._proto(node, "Sigmoid", gate, node.inputs, [gate]),
            self._proto(node, "Mul", node.name, [node.inputs[0], gate], node.outputs),
        ]

    def _fresh(self, name: str) -> str:
        while name in self.taken:
            name += "'"
        self.taken.add(name)
        return name

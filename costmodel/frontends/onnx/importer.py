"""Walk an ONNX graph in the order of execution and build the IR, operator by operator."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from costmodel.assembler import GraphAssembler
from costmodel.dims import Dim, collect_equalities, product, show, symbol
from costmodel.errors import CostModelError, ModelError, ShapeError
from costmodel.frontends.onnx import control_flow, functions
from costmodel.frontends.onnx.checks import check_external_data, check_text
from costmodel.frontends.onnx.file import read_model
from costmodel.frontends.onnx.free_dims import InputShapes, Known, Wishes, few
from costmodel.frontends.onnx.metadata import origin
from costmodel.frontends.onnx.ordering import in_order
from costmodel.frontends.onnx.protos import attributes, declared_spec, sparse_spec, tensor_spec
from costmodel.frontends.onnx.solving import solve
from costmodel.graph import Graph, TensorSpec
from costmodel.ops import canonical_domain

# Tensors by the names that a graph knows them by; None for a function's input that was left out.
Scope = dict[str, TensorSpec | None]
# What an attribute or a shape of a damaged file makes of plain arithmetic.
_ARITHMETIC = (ArithmeticError, AttributeError, IndexError, KeyError, TypeError, ValueError)
LARGEST_REPEAT = 2**63 - 1  # runs of a body within loops within loops
LARGEST_TEXT = 2**27  # characters that nested graphs add to the names within them


def load(path: str | os.PathLike[str], wishes: Wishes | None = None) -> Graph:
    """The graph of the ONNX model at path.

    Sizes of free dims are taken from wishes, else assumed and stated in the graph's notes; assumed
    sizes that contradict the graph are replaced by sizes that it fixes.
    Raises ModelError for a file that cannot be used, UsageError for a wish that does not fit it.
    """
    model = read_model(path)
    try:
        return _import(model, wishes or Wishes())
    except CostModelError as error:
        raise type(error)(f"{os.fspath(path)}: {error}") from error
    except UnicodeDecodeError:
        raise ModelError(f"{os.fspath(path)}: a name in it is not text; the file is damaged") from None
    except RecursionError:
        raise ModelError(f"{os.fspath(path)}: graphs are nested too deep; no runtime loads such a model") from None


def _import(model: Any, wishes: Wishes) -> Graph:
    graph = model.graph
    for tensor in graph.initializer:
        check_external_data(tensor)
    constants = {t.name for t in graph.initializer} | {t.values.name for t in graph.sparse_initializer}
    inputs = InputShapes([value for value in graph.input if value.name not in constants], wishes)
    try:
        return Importer(model, inputs).run()
    except ShapeError as error:
        if wishes.symbolic or not _take_sizes_from_graph(model, inputs):
            raise ShapeError(f"{error}{_remedy(inputs, wishes)}") from error
    return Importer(model, inputs).run()


def _remedy(inputs: InputShapes, wishes: Wishes) -> str:
    """What to do about shapes that do not fit, where the sizes of the inputs may be to blame."""
    if inputs.new_batch is not None:
        return f"; the model fixes its batch at {inputs.fixed_batch}: analyze it with that, or export a dynamic batch"
    remedy = ""
    given = (("--shape", wishes.shapes), ("--value", wishes.values), ("--dim", wishes.dims))
    if options := [f"{option} {name}" for option, names in given for name in names]:
        remedy = f"; check {few(options)}"
    if assumed := inputs.assumed():
        remedy += f"; sizes were assumed ({few(assumed)}): give them with --dim NAME=SIZE"
    return remedy


def _take_sizes_from_graph(model: Any, inputs: InputShapes) -> bool:
    """Replace assumed sizes that contradict the graph; whether any was replaced."""
    assumed = inputs.assumed()
    inputs.resized({dim.name: symbol(dim.name) for dim in assumed}, Known.ASSUMED)
    with collect_equalities() as pairs, suppress(ShapeError):  # what was learned up to there may be enough
        Importer(model, inputs).run()
    inputs.resized({dim.name: dim.size for dim in assumed}, Known.ASSUMED)
    solved = solve(pairs, assumed)
    inputs.resized(solved, Known.SOLVED)
    return bool(solved)


class Importer:
    """One pass over a model: every node is applied to what it reads, in the order of execution."""

    def __init__(self, model: Any, inputs: InputShapes) -> None:
        self.model = model
        self.inputs = inputs
        check_text(model.graph.name)
        self.builder = GraphAssembler(model.graph.name or "network")
        self.functions = functions.Library(model)
        self.notes: dict[str, None] = {}
        self.text = 0
        self._taken: set[str] | None = None

    def run(self) -> Graph:
        """The whole graph."""
        proto = self.model.graph
        if not proto.node:
            raise ModelError("the graph has no operators; export the model again")
        scope: Scope = {}
        for value in proto.input:
            if value.name in self.inputs.shapes:
                scope[value.name] = self._input(value)
        body = Body(self, proto, scope)
        body.run()
        outputs = [body.find(value.name, "the graph's outputs") for value in proto.output]
        return self.builder.build(*filter(None, outputs), notes=[*self.inputs.notes(), *self.notes])

    def _input(self, value: Any) -> TensorSpec:
        shape = self.inputs.shape(value.name)
        declared = declared_spec(value.type, value.name, self.inputs.size)
        if shape is None:
            if value.type.WhichOneof("value") in (None, "tensor_type"):
                self.note(f"Input {value.name!r} has no shape; give it with --shape {value.name}=...")
            return self.builder.input(value.name, None, declared.dtype)
        return self.builder.input(value.name, shape, declared.dtype, self.inputs.values.get(value.name))

    def note(self, text: str) -> None:
        """State something that was assumed; each once."""
        self.notes[text] = None

    def fresh(self, name: str) -> str:
        """A name for a tensor of a nested graph: apostrophes behind it where the model has it already."""
        if self._taken is None:
            graph = self.model.graph
            self._taken = {value.name for value in graph.input} | {tensor.name for tensor in graph.initializer}
            self._taken.update(tensor.values.name for tensor in graph.sparse_initializer)
            self._taken.update(output for node in graph.node for output in node.output)
        while name in self._taken:
            name += "'"
        self._taken.add(name)
        return name

    def stated(self, spec: TensorSpec) -> TensorSpec:
        """What the file says of a tensor, for the sizes that the inputs have now."""
        inputs = self.inputs
        if not spec.shape:
            return spec
        if inputs.reshaped:
            self.note("Shapes that the file states are not used: they were made for other sizes of the inputs")
            return replace(spec, shape=None)
        if inputs.new_batch is None or not (isinstance(spec.shape[0], int) and spec.shape[0] == inputs.fixed_batch):
            return spec
        self.note(
            f"Where the file states a shape with the batch of {inputs.fixed_batch}, "
            f"the batch of {show(inputs.new_batch)} is put in its place"
        )
        return replace(spec, shape=(inputs.new_batch, *spec.shape[1:]))


class Body:
    """A graph or a function body, walked within the scope of what stands around it."""

    def __init__(
        self,
        importer: Importer,
        proto: Any,
        scope: Scope,
        prefix: str = "",
        repeat: Dim = 1,
        note: str = "",
        call: Mapping[str, Any] | None = None,
        depth: int = 0,
        outer: Body | None = None,
    ) -> None:
        self.importer = importer
        self.proto = proto
        self.scope = scope
        self.prefix = prefix
        self.repeat = repeat
        self.note = note
        self.call = call
        self.depth = depth
        self.outer = outer
        self._initializers = {t.name: t for t in getattr(proto, "initializer", ())}
        self._sparse = {t.values.name: t for t in getattr(proto, "sparse_initializer", ())}
        self._own_names: dict[str, str] = {}
        self._declared = {v.name: v for v in proto.value_info}
        if depth == 0:
            self._declared.update((v.name, v) for v in proto.output)

    def run(self) -> None:
        """Apply every node."""
        for node in in_order(self.proto.node, self):
            self._apply(node)

    def __contains__(self, name: object) -> bool:
        """Whether a tensor of that name is there to be read."""
        if name in self.scope or name in self._initializers or name in self._sparse:
            return True
        return self.outer is not None and name in self.outer

    def own_name(self, name: str) -> str:
        """The name in the IR of a tensor of this graph; in a nested one that of no other tensor."""
        if not self.prefix:
            return name
        own = self._own_names.get(name)
        if own is None:
            own = self._own_names[name] = self.importer.fresh(self.prefix + name)
        return own

    def find(self, name: str, reader: str) -> TensorSpec | None:
        """The tensor that `reader` reads, None for a function's input that was left out.

        A constant is added to the graph when it is first read. Raises ModelError for a missing tensor.
        """
        spec = self.scope.get(name)
        if spec is None and name not in self.scope:
            spec = self._constant(name)
            if spec is None and self.outer is not None:
                return self.outer.find(name, reader)
            if spec is None:
                raise ModelError(f"tensor {name!r} is read by {reader}, but nothing writes it; export the model again")
            self.scope[name] = spec
        return spec

    def _constant(self, name: str) -> TensorSpec | None:
        if name in self._initializers:
            spec = tensor_spec(self._initializers[name])
        elif name in self._sparse:
            spec = sparse_spec(self._sparse[name])
        else:
            return None
        own_name = self.own_name(name)
        known = self.importer.builder.find(own_name)
        if known is not None:
            return known
        return self.importer.builder.constant(replace(spec, name=own_name) if self.prefix else spec)

    def _apply(self, node: Any) -> None:
        op_type = node.op_type
        names = tuple(node.output)
        check_text(node.name, op_type, node.domain, *node.input, *names)
        label = node.name or next(filter(None, names), "") or op_type
        try:
            self._write(node, op_type, label, names)
        except CostModelError:
            raise
        except _ARITHMETIC as error:
            raise ShapeError(
                f"node {label!r} ({op_type}): its attributes or shapes do not fit each other ({error}); "
                "check the model with onnx.checker"
            ) from error

    def _write(self, node: Any, op_type: str, label: str, names: Sequence[str]) -> None:
        domain = canonical_domain(node.domain)
        reads = [self.find(name, f"node {label!r} ({op_type})") if name else None for name in node.input]
        values = attributes(node.attribute, self.call)
        if domain == "" and op_type in control_flow.RUNNERS:
            written = control_flow.RUNNERS[op_type](self, label, reads, values, names)
        elif (function := self.importer.functions.find(domain, op_type, node)) is not None:
            written = functions.expand(self, function, label, reads, values)
        else:
            written = self._operator(node, op_type, domain, label, reads, values, names)
        for name, spec in zip(names, written, strict=False):
            if name:
                if name in self.scope and self.depth == 0:
                    raise ModelError(f"tensor {name!r} is written twice; names are unique in a graph")
                self.scope[name] = spec

    def _operator(
        self,
        node: Any,
        op_type: str,
        domain: str,
        label: str,
        reads: Sequence[TensorSpec | None],
        values: Mapping[str, Any],
        names: Sequence[str],
    ) -> Sequence[TensorSpec]:
        while reads and reads[-1] is None:
            reads = reads[:-1]  # optional inputs left out at the end
        if self.importer.inputs.fixed_batch is not None and op_type in ("Reshape", "Expand") and len(reads) == 2:
            reads = [reads[0], self._rebatched(reads[0], reads[1])]
        module, source = origin(node)
        prefix = self.prefix
        return self.importer.builder.node(
            op_type,
            reads,
            values,
            domain=domain,
            name=prefix + label,
            outputs=[self.own_name(name) if name else "" for name in names] if prefix else names,
            declared=_Declared(self, names),
            repeat=self.repeat,
            module=module,
            source=source,
            note=self.note,
        )

    def _rebatched(self, data: TensorSpec | None, target: TensorSpec | None) -> TensorSpec | None:
        """A fixed target shape whose leading dim is the model's own batch, for the batch asked for."""
        inputs = self.importer.inputs
        if data is None or data.shape is None or target is None or target.value is None or not target.roots:
            return target
        value = target.value
        if value.ndim != 1 or not len(value) or value[0] != inputs.fixed_batch or not data.shape:
            return target
        known = [d for d in value[1:] if isinstance(d, int) and d > 0]
        if -1 not in value[1:] and 0 not in value[1:] and product(known) * value[0] == data.elements:
            return target
        changed = value.copy()
        changed[0] = data.shape[0]
        return replace(target, value=changed)

    def declared(self, name: str) -> TensorSpec | None:
        """What the model says of a tensor, or None."""
        value = self._declared.get(name)
        if value is None:
            return None
        return self.importer.stated(declared_spec(value.type, name, self.importer.inputs.size))

    def nested(self, proto: Any, label: str, scope: Scope, repeat: Dim = 1, note: str = "") -> Body:
        """The body of a control-flow operator, which sees everything around it."""
        total = self.repeat * repeat
        if isinstance(total, int) and total > LARGEST_REPEAT:
            raise ModelError(f"node {label!r}: loops within loops run its body {total} times; the model is damaged")
        return self._inner(proto, label, scope, total, note or self.note, self.call, self)

    def called(self, function: Any, label: str, scope: Scope, values: Mapping[str, Any]) -> Body:
        """The body of a function, which sees its own inputs only."""
        return self._inner(function, label, scope, self.repeat, self.note, values)

    def _inner(
        self,
        proto: Any,
        label: str,
        scope: Scope,
        repeat: Dim,
        note: str,
        call: Mapping[str, Any] | None,
        outer: Body | None = None,
    ) -> Body:
        prefix = self.importer.builder.unique(self.prefix + label) + "/"
        self.importer.text += len(prefix) * len(proto.node)
        if self.importer.text > LARGEST_TEXT:
            raise ModelError(f"names in nested graphs grow to over {LARGEST_TEXT} characters, at node {label!r}")
        return Body(self.importer, proto, scope, prefix, repeat, note, call, self.depth + 1, outer)


class _Declared(Sequence[TensorSpec | None]):
    """What the model says of a node's outputs, translated only when someone asks."""

    __slots__ = ("_body", "_names")

    def __init__(self, body: Body, names: Sequence[str]) -> None:
        self._body = body
        self._names = names

    def __len__(self) -> int:
        return len(self._names)

    def __getitem__(self, index: Any) -> Any:
        return self._body.declared(self._names[index])

    def __iter__(self) -> Iterator[TensorSpec | None]:
        return map(self._body.declared, self._names)

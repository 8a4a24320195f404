"""If, Loop and Scan: the operators that hold graphs of their own.

They are not operators of the IR. Their bodies' operators are, each counting as often as the body runs:
a loop's trip count where it is a constant, else once, and every operator of the body says so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from costmodel.dims import Dim, equal, is_symbolic
from costmodel.errors import ModelError, ShapeError
from costmodel.graph import TensorSpec
from costmodel.ops import as_value
from costmodel.ops.shapes import axis_index

if TYPE_CHECKING:
    from costmodel.frontends.onnx.importer import Body

Specs = Sequence[TensorSpec | None]
Runner = Callable[["Body", str, Specs, Mapping[str, Any], Sequence[str]], Specs]

_BOOL = "bool"
ENDLESS = 2**31 - 1  # exporters write the largest int32 or int64 for a `while` loop


def _graph(values: Mapping[str, Any], name: str, label: str) -> Any:
    graph = values.get(name)
    if not hasattr(graph, "node"):
        raise ModelError(f"node {label!r} has no graph {name!r}; export the model again")
    return graph


def _outputs(inner: Body, label: str) -> list[TensorSpec | None]:
    return [inner.find(value.name, f"the outputs of node {label!r}") for value in inner.proto.output]


def run_if(body: Body, label: str, reads: Specs, values: Mapping[str, Any], names: Sequence[str]) -> Specs:
    """The branch that is taken if the condition is a constant, else the dearest one."""
    condition = reads[0] if reads else None
    branches = [_graph(values, name, label) for name in ("then_branch", "else_branch")]
    if condition is not None and condition.value is not None:
        inner = body.nested(branches[0 if condition.value.reshape(-1)[0] else 1], label, {})
        inner.run()
        return _outputs(inner, label)
    builder = body.importer.builder
    candidates = []
    for branch in branches:
        mark = builder.mark()
        inner = body.nested(branch, label, {}, note="the dearest branch of an If is counted")
        inner.run()
        outputs = _outputs(inner, label)
        candidates.append((builder.cut(mark), outputs))
    piece, outputs = max(candidates, key=lambda candidate: _price(candidate[0].cost))
    builder.paste(piece)
    body.importer.note(f"Node {label!r} (If): its dearest branch is counted")
    return [_agreed(body, name, spec) for name, spec in zip(names, outputs, strict=False)]


def _price(cost: Any) -> tuple[Any, Any]:
    if is_symbolic(cost.mult_adds) or is_symbolic(cost.memory_access):
        return len(str(cost.mult_adds)), len(str(cost.memory_access))
    return cost.mult_adds, cost.memory_access


def _agreed(body: Body, name: str, spec: TensorSpec | None) -> TensorSpec | None:
    """A branch's output, or what the model says of it where the branch does not know its shape."""
    if spec is None or spec.shape is not None:
        return spec
    declared = body.declared(name)
    return spec if declared is None or declared.shape is None else declared


def run_loop(body: Body, label: str, reads: Specs, values: Mapping[str, Any], names: Sequence[str]) -> Specs:
    """The body times the trip count, where that is a constant and nothing stops the loop early."""
    graph = _graph(values, "body", label)
    trip_count, condition = ((*reads, None, None))[:2]
    carried = list(reads[2:])
    if len(graph.input) != len(carried) + 2 or len(graph.output) < len(carried) + 1:
        raise ShapeError(
            f"node {label!r} (Loop): its body has {len(graph.input)} inputs and {len(graph.output)} outputs for "
            f"{len(carried)} values that go round"
        )
    trips = _trips(trip_count)
    stops = _may_stop(graph, condition)
    note = ""
    if trips is None or stops:
        note = "the body of a loop is counted once" if trips is None else "the longest run of a loop is counted"
        body.importer.note(f"Node {label!r} (Loop): {note}; its trip count depends on data")
    inner = _looped(body, graph, label, carried, 1 if trips is None else trips, note)
    outputs = _outputs(inner, label)[1:]
    states, scans = outputs[: len(carried)], outputs[len(carried) :]
    written: list[TensorSpec | None] = []
    for i, spec in enumerate(states):
        first = carried[i]
        changes = first is None or spec is None or first.shape is None or not _same_shape(first, spec)
        written.append(_declared_or(body, names, i, None if changes else spec, spec))
    for i, spec in enumerate(scans, len(states)):
        known = None if trips is None or stops or spec is None else _stacked(spec, trips, 0)
        written.append(_declared_or(body, names, i, known, spec))
    return written


def _trips(count: TensorSpec | None) -> Dim | None:
    """A loop's trip count, or None where it is not known or a way to say that there is none."""
    if count is None or count.value is None:
        return None
    trips = count.value.reshape(-1)[0]
    if is_symbolic(trips):
        return trips
    if not isinstance(trips, int):
        raise ShapeError(f"the trip count of a Loop is {trips!r}; it is a whole number")
    return max(trips, 0) if trips < ENDLESS else None


def _looped(body: Body, graph: Any, label: str, carried: Specs, trips: Dim, note: str) -> Body:
    iteration, condition = (value.name for value in graph.input[:2])
    if any(iteration in node.input for node in graph.node):
        body.importer.note(f"Node {label!r} (Loop): its shapes are those of the first iteration")
    scope = {
        value.name: None if spec is None else _data(spec) for value, spec in zip(graph.input[2:], carried, strict=True)
    }
    inner = body.nested(graph, label, scope, trips, note)
    tensor = body.importer.builder.tensor
    inner.scope[iteration] = tensor(TensorSpec((), "int64", name=inner.own_name(iteration), value=as_value(0)))
    inner.scope[condition] = tensor(TensorSpec((), _BOOL, name=inner.own_name(condition)))
    inner.run()
    return inner


def _data(spec: TensorSpec) -> TensorSpec:
    """A tensor that starts as spec and changes from one iteration to the next."""
    return TensorSpec(spec.shape, spec.dtype, name=spec.name)


def _may_stop(graph: Any, condition: TensorSpec | None) -> bool:
    """Whether the body may end its loop: it writes a condition other than the one that it was given."""
    if condition is not None and (condition.value is None or not condition.value.reshape(-1)[0]):
        return True
    given, written = graph.input[1].name, graph.output[0].name
    writers = {output: node for node in graph.node for output in node.output}
    while written != given:
        writer = writers.pop(written, None)  # popped: a name that comes again is in a cycle
        if writer is None:
            return not _is_true(graph, written)
        if writer.op_type == "Constant":
            return not any(_truth(attribute.t) for attribute in writer.attribute)
        if writer.op_type not in ("Identity", "Cast") or not writer.input:
            return True
        written = writer.input[0]
    return False


def _is_true(graph: Any, name: str) -> bool:
    return any(tensor.name == name and _truth(tensor) for tensor in graph.initializer)


def _truth(tensor: Any) -> bool:
    return any(tensor.raw_data) or any(tensor.int32_data)


def _same_shape(a: TensorSpec, b: TensorSpec) -> bool:
    if a.shape is None or b.shape is None or len(a.shape) != len(b.shape):
        return False
    return all(equal(x, y) for x, y in zip(a.shape, b.shape, strict=True))


def _stacked(spec: TensorSpec, count: Dim, axis: int) -> TensorSpec | None:
    if spec.shape is None:
        return None
    at = axis_index(axis, len(spec.shape) + 1)
    return TensorSpec((*spec.shape[:at], count, *spec.shape[at:]), spec.dtype, name=spec.name)


def _declared_or(
    body: Body, names: Sequence[str], index: int, known: TensorSpec | None, otherwise: TensorSpec | None
) -> TensorSpec | None:
    """A shape that is certain, else what the model says, else nothing but the type."""
    if index >= len(names) or not names[index]:
        return None
    name = body.own_name(names[index])
    if known is not None:
        spec = TensorSpec(known.shape, known.dtype, name=name)
    elif (declared := body.declared(names[index])) is not None and declared.shape is not None:
        spec = TensorSpec(declared.shape, declared.dtype, name=name)
    else:
        spec = TensorSpec(None, "undefined" if otherwise is None else otherwise.dtype, name=name)
    return body.importer.builder.tensor(spec)


def run_scan(body: Body, label: str, reads: Specs, values: Mapping[str, Any], names: Sequence[str]) -> Specs:
    """The body times the length of the scanned axis."""
    graph = _graph(values, "body", label)
    scanned = values.get("num_scan_inputs", 0)
    batched = len(reads) == len(graph.input) + 1  # opset 8: sequence lengths come first, and there is a batch dim
    reads = list(reads[1:] if batched else reads)
    states = len(graph.input) - scanned
    if len(reads) != len(graph.input) or scanned < 1 or states < 0 or len(graph.output) < states:
        raise ShapeError(
            f"node {label!r} (Scan): its body has {len(graph.input)} inputs for {len(reads)} values, {scanned} scanned"
        )
    axes = values.get("scan_input_axes") or (0,) * scanned
    skip = 1 if batched else 0
    scope: dict[str, TensorSpec | None] = {}
    trips: Dim | None = None
    batch: Dim = 1
    for i, (value, spec) in enumerate(zip(graph.input, reads, strict=True)):
        if spec is None or spec.shape is None:
            scope[value.name] = spec
            continue
        shape = spec.shape
        if batched:
            batch, shape = shape[0], shape[1:]
        if i >= states:
            at = axis_index(axes[i - states] if i - states < len(axes) else 0, len(shape))
            trips, shape = shape[at], (*shape[:at], *shape[at + 1 :])
        scope[value.name] = TensorSpec(shape, spec.dtype, name=spec.name)
    note = "" if trips is not None else "the body of a Scan of unknown length is counted once"
    inner = body.nested(graph, label, scope, batch * (1 if trips is None else trips), note)
    inner.run()
    out_axes = values.get("scan_output_axes") or (0,) * (len(graph.output) - states)
    written: list[TensorSpec | None] = []
    for i, spec in enumerate(_outputs(inner, label)):
        known = spec
        if i >= states and spec is not None:
            axis = out_axes[i - states] if i - states < len(out_axes) else 0
            known = None if trips is None else _stacked(spec, trips, axis)
        if skip and known is not None:
            known = _stacked(known, batch, 0)
        written.append(_declared_or(body, names, i, known, spec))
    return written


RUNNERS: dict[str, Runner] = {"If": run_if, "Loop": run_loop, "Scan": run_scan}

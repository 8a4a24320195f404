"""The graph IR and the builders that make it: frozen values, names, views, and counts that add up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import FrozenInstanceError, fields
from typing import Any

import networkx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from costmodel import zoo
from costmodel.analysis import analyze
from costmodel.assembler import GraphAssembler
from costmodel.builder import GraphBuilder
from costmodel.columns import Column
from costmodel.cost import Cost
from costmodel.dims import symbol
from costmodel.errors import ModelError, ShapeError, UsageError
from costmodel.graph import Counting, Graph, Node, TensorSpec

COUNTS = [field.name for field in fields(Cost)]


def block(batch: Any = 2) -> Graph:
    """Two branches on a split input, joined again: no two sizes are the same."""
    b = GraphBuilder("block")
    x = b.input("x", (batch, 6, 9, 7))
    left, right = b.split(x, (2, 4))
    with b.scope("branch"):
        right = b.relu(b.batch_norm(b.conv(right, 8, (3, 1), stride=(2, 3), groups=2, bias=True)))
        right = b.conv_transpose(b.max_pool(right, (2, 1)), 5, (2, 3), stride=(1, 2))
    pooled = b.conv(b.global_avg_pool(left), 5, name="squeeze")
    return b.build(b.add(right, pooled), left)


# -- values


@pytest.mark.parametrize(
    "value",
    [TensorSpec((1, 2)), Cost(1), Node("a", "Relu", "", ("x",), ("a",)), Graph("g", (), (), (), {})],
    ids=lambda value: type(value).__name__,
)
def test_values_are_frozen(value: Any) -> None:
    for field in fields(value):
        with pytest.raises(FrozenInstanceError):
            setattr(value, field.name, None)
    with pytest.raises((FrozenInstanceError, TypeError)):  # TypeError: Python 3.11 on classes with slots
        value.another = None


def test_a_tensor_says_its_size() -> None:
    spec = TensorSpec((2, 3, 5), "float16", "x")
    assert (spec.elements, spec.bytes, str(spec)) == (30, 60, "x: float16[2x3x5]")
    assert (TensorSpec((3, 5), "int4").bytes, TensorSpec((), "float64").bytes) == (8, 8)
    unknown = TensorSpec(None)
    assert (unknown.elements, unknown.bytes, str(unknown)) == (0, 0, "tensor: float32[?]")


def test_a_tensor_is_constant_by_its_roots_or_its_value() -> None:
    assert not TensorSpec((1,)).is_constant
    assert TensorSpec((1,), roots=("w",)).is_constant
    assert TensorSpec((1,), value=np.array([3], object)).is_constant


def test_a_value_is_no_part_of_equality() -> None:
    assert TensorSpec((1,), value=np.array([3], object)) == TensorSpec((1,))


@pytest.mark.parametrize(("domain", "expected"), [("", "FusedConv"), ("com.microsoft", "com.microsoft:FusedConv")])
def test_a_type_carries_its_domain_where_that_is_not_onnxs(domain: str, expected: str) -> None:
    assert Node("a", "FusedConv", domain, (), ()).qualified_type == expected


costs = st.builds(Cost, *[st.integers(0, 10**12)] * len(COUNTS))


@settings(max_examples=50, deadline=None, derandomize=True)
@given(costs, costs, st.integers(0, 1000))
def test_costs_add_field_by_field_and_repeat_without_their_parameters(a: Cost, b: Cost, times: int) -> None:
    total = a + b
    assert total.memory_access == a.memory_access + b.memory_access
    for name in COUNTS:
        assert getattr(total, name) == getattr(a, name) + getattr(b, name)
        expected = 17 if name == "params" else getattr(a, name) * times
        assert getattr(a.repeated(times, 17), name) == expected


def test_the_sum_of_no_costs_is_nothing() -> None:
    assert sum([], Cost()) == Graph("empty", (), (), (), {}).cost == Cost()


def test_a_cost_adds_to_costs_only() -> None:
    with pytest.raises(TypeError):
        Cost() + 1


# -- the whole graph


def test_the_graphs_cost_is_that_of_its_nodes() -> None:
    graph = block()
    for name in COUNTS:
        assert getattr(graph.cost, name) == sum(getattr(node.cost, name) for node in graph.nodes)
    convolution, transposed, squeeze = 2 * 8 * 5 * 3 * 2 * 3, 2 * 8 * 4 * 3 * 5 * 6, 2 * 5 * 2
    assert graph.cost.mult_adds == convolution + transposed + squeeze
    assert graph.cost.params == (8 * 2 * 3 + 8) + 16 + 8 * 5 * 6 + 2 * 5
    assert [graph.tensors[name].shape for name in graph.outputs] == [(2, 5, 5, 7), (2, 2, 9, 7)]


def test_counts_of_data_grow_with_the_batch_and_those_of_weights_do_not() -> None:
    one = block(1).cost
    for batch in (2, 3, 17):
        many = block(batch).cost
        for name in ("mult_adds", "element_ops", "input_elements", "output_elements"):
            assert getattr(many, name) == batch * getattr(one, name)
        assert (many.weight_elements, many.params) == (one.weight_elements, one.params)
        assert many.bytes == batch * (one.bytes - 4 * one.weight_elements) + 4 * one.weight_elements


def test_a_batch_may_be_a_column_or_a_symbol() -> None:
    sizes = [1, 2, 5]
    column, formula = block(Column(np.array(sizes))).cost, block(symbol("N")).cost
    for i, size in enumerate(sizes):
        expected = block(size).cost
        assert column.mult_adds.values[i] == expected.mult_adds
        assert formula.bytes.subs({symbol("N"): size}) == expected.bytes


# -- as a view for graph algorithms


def test_the_view_has_a_vertex_a_node_and_an_edge_a_tensor_that_is_read() -> None:
    graph = block()
    view = graph.to_networkx()
    assert view.name == "block"
    assert list(view.nodes) == [node.name for node in graph.nodes]
    assert all(view.nodes[node.name]["node"] is node for node in graph.nodes)
    assert sorted((a, b, tensor) for a, b, tensor in view.edges(data="tensor")) == [
        ("branch.bn", "branch.relu", "branch.bn"),
        ("branch.conv", "branch.bn", "branch.conv"),
        ("branch.conv_transpose", "add", "branch.conv_transpose"),
        ("branch.max_pool", "branch.conv_transpose", "branch.max_pool"),
        ("branch.relu", "branch.max_pool", "branch.relu"),
        ("global_avg_pool", "squeeze", "global_avg_pool"),
        ("split", "branch.conv", "split:1"),
        ("split", "global_avg_pool", "split:0"),
        ("squeeze", "add", "squeeze"),
    ]


def test_nodes_stand_in_an_order_in_which_they_can_run() -> None:
    for graph in (block(), zoo.load("shufflenet_v2")):
        view = graph.to_networkx()
        assert networkx.is_directed_acyclic_graph(view)
        place = {node.name: i for i, node in enumerate(graph.nodes)}
        assert all(place[a] < place[b] for a, b in view.edges())


def test_two_tensors_between_two_operators_are_two_edges() -> None:
    b = GraphBuilder()
    left, right = b.split(b.input("x", (1, 6, 2, 3)), (2, 4))
    view = b.build(b.concat((right, left))).to_networkx()
    assert sorted(tensor for _, _, tensor in view.edges(data="tensor")) == ["split:0", "split:1"]


def test_a_tensor_that_is_read_twice_by_one_operator_is_one_edge() -> None:
    b = GraphBuilder()
    x = b.relu(b.input("x", (1, 6)))
    view = b.build(b.mul(x, x)).to_networkx()
    assert list(view.edges(data="tensor")) == [("relu", "mul", "relu")]


def test_inputs_and_weights_are_no_edges() -> None:
    b = GraphBuilder()
    view = b.build(b.linear(b.input("x", (5, 7)), 3)).to_networkx()
    assert (list(view.nodes), list(view.edges)) == (["fc"], [])


# -- building


def test_a_graph_knows_its_ends_and_every_tensor() -> None:
    graph = block()
    assert (graph.name, graph.inputs, graph.outputs) == ("block", ("x",), ("add", "split:0"))
    written = {name for node in graph.nodes for name in node.outputs}
    read = {name for node in graph.nodes for name in node.inputs if name}
    assert written | read == set(graph.tensors)
    assert all(graph.tensors[name].name == name for name in graph.tensors)
    assert {node.counting for node in graph.nodes} == {Counting.COUNTED}


def test_scopes_name_operators_weights_and_modules() -> None:
    b = GraphBuilder()
    x = b.input("x", (1, 6, 9, 7))
    with b.scope("stage2"):
        with b.scope("0"):
            b.conv(x, 4, 3, bias=True)
        b.relu(x)
    b.relu(x)
    first, second, third = b.build().nodes
    assert (first.name, first.module) == ("stage2.0.conv", "stage2.0")
    assert first.inputs == ("x", "stage2.0.conv.weight", "stage2.0.conv.bias")
    assert (second.name, second.module) == ("stage2.relu", "stage2")
    assert (third.name, third.module) == ("relu", "")


def test_a_scope_ends_even_where_its_block_fails() -> None:
    b = GraphBuilder()
    x = b.input("x", (1, 6))
    with pytest.raises(ZeroDivisionError), b.scope("broken"):
        raise ZeroDivisionError
    b.relu(x)
    assert b.build().nodes[0].name == "relu"


def test_operators_of_one_name_are_numbered() -> None:
    b = GraphBuilder()
    x = b.input("x", (1, 6))
    for name in ("relu", "relu", "relu_1", "relu", ""):
        b.node("Relu", [x], name=name)
    assert [node.name for node in b.build().nodes] == ["relu", "relu_1", "relu_1_1", "relu_2", "relu_3"]


def test_weights_of_one_name_are_numbered() -> None:
    b = GraphBuilder()
    y = b.conv(b.conv(b.input("x", (1, 6, 9, 7)), 4), 4)
    graph = b.build(y)
    assert [node.inputs[1] for node in graph.nodes] == ["conv.weight", "conv.weight_1"]
    assert graph.cost.params == 6 * 4 + 4 * 4


def test_a_tensor_is_written_once() -> None:
    b = GraphBuilder()
    x = b.input("x", (1, 6, 9, 7))
    with pytest.raises(ModelError, match="tensor 'x' is written twice"):
        b.input("x", (1, 6))
    with pytest.raises(ModelError, match="tensor 'x' is written twice"):
        b.node("Relu", [x], outputs=["x"])


def test_an_operator_that_does_not_fit_is_named() -> None:
    b = GraphBuilder()
    x = b.input("x", (1, 6, 9, 7))
    with b.scope("head"), pytest.raises(ShapeError, match=r"node 'head\.add' \(Add\): shapes that do not broadcast"):
        b.add(x, b.input("z", (1, 6, 9, 8)))


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda b: b.input("y", (1, -6)), "'y' is -6; sizes are not negative"),
        (lambda b: b.input("y", (1, 6), value=[1, 2, 3]), "value of shape"),
        (lambda b: b.conv(b.input("y", (1, 6, 9, 7)), 4, groups=4), "conv: channels in 4 groups"),
        (lambda b: b.conv_transpose(b.input("y", (1, 6, 9, 7)), 5, 3, groups=2), "channels in 2 groups"),
        (lambda b: b.conv(b.input("y", (6,)), 4), "channels are dim 1, and there is none"),
        (lambda b: b.channel_shuffle(b.input("y", (1, 6, 9, 7)), 4), "channels in 4 groups"),
    ],
)
def test_sizes_that_cannot_be_are_refused(write: Callable[[GraphBuilder], Any], message: str) -> None:
    with pytest.raises(ShapeError, match=message):
        write(GraphBuilder())


def test_an_operator_with_several_outputs_numbers_them() -> None:
    b = GraphBuilder()
    parts = b.split(b.input("x", (1, 6, 2, 3)), (1, 2, 3), name="cut")
    assert [part.name for part in parts] == ["cut:0", "cut:1", "cut:2"]


def test_a_weight_is_a_parameter_where_it_is_used_first() -> None:
    b = GraphBuilder()
    x, shared = b.input("x", (5, 7)), b.weight("shared", (7, 7))
    b.matmul(b.matmul(x, shared, "first"), shared, "second")
    b.weight("unused", (100,))
    graph = b.build()
    assert [node.cost.params for node in graph.nodes] == [49, 0]
    assert [node.cost.weight_elements for node in graph.nodes] == [49, 49]


def test_tables_of_integers_are_not_learned() -> None:
    b = GraphBuilder()
    b.node("Gather", [b.weight("embedding", (100, 8)), b.input("ids", (3,), "int64")], name="look_up")
    b.node("Add", [b.input("x", (3,), "int64"), b.weight("offsets", (3,), "int64")], name="shift")
    assert [node.cost.params for node in b.build().nodes] == [800, 0]


def test_a_repeated_operator_costs_as_often_and_is_learned_once() -> None:
    b = GraphBuilder()
    x, w = b.input("x", (5, 7)), b.weight("w", (7, 7))
    b.node("MatMul", [x, w], name="step", repeat=10)
    [node] = b.build().nodes
    assert (node.repeat, node.cost.mult_adds, node.cost.params) == (10, 2450, 49)
    assert node.cost.memory_access == 10 * (35 + 49 + 35)


def test_a_note_says_that_a_count_is_an_approximation() -> None:
    b = GraphBuilder()
    b.node("Relu", [b.input("x", (1, 6))], note="as often as the loop runs")
    [node] = b.build(notes=["N = 1 (assumed)"]).nodes
    assert (node.counting, node.note) == (Counting.APPROXIMATED, "as often as the loop runs")


def test_an_unknown_operator_counts_its_bytes_and_says_so() -> None:
    b = GraphBuilder()
    declared = [TensorSpec((1, 3), "float16")]
    [out] = b.node("Strange", [b.input("x", (1, 6))], domain="my.domain", declared=declared)
    [node] = b.build(out).nodes
    assert (node.counting, node.qualified_type) == (Counting.UNKNOWN, "my.domain:Strange")
    assert (node.cost.mult_adds, node.cost.memory_access, node.cost.bytes) == (0, 9, 6 * 4 + 3 * 2)
    assert (out.shape, out.dtype) == ((1, 3), "float16")


# -- cutting and pasting


def test_what_is_cut_leaves_no_trace_but_its_constants() -> None:
    b = GraphAssembler()
    x, w = b.input("x", (5, 7)), b.constant(TensorSpec((7, 7), "float32", "w"))
    kept = b.node("Relu", [x], name="kept")[0]
    before = b.build(kept)
    mark = b.mark()
    late = b.constant(TensorSpec((7, 3), "float32", "late"))
    b.node("MatMul", [b.node("MatMul", [kept, w], name="a")[0], late], name="b")
    piece = b.cut(mark)
    after = b.build(kept)
    assert after.nodes == before.nodes
    assert set(after.tensors) == {*before.tensors, "late"}
    assert [node.name for node in piece.nodes] == ["a", "b"]
    assert set(piece.tensors) == {"a", "b"}
    assert (piece.cost.mult_adds, piece.cost.params) == (5 * 7 * 7 + 5 * 7 * 3, 49 + 21)


def test_a_piece_that_is_pasted_is_as_if_it_had_never_been_cut() -> None:
    def network(cut: bool) -> Graph:
        b = GraphAssembler()
        x, w = b.input("x", (5, 7)), b.constant(TensorSpec((7, 7), "float32", "w"))
        mark = b.mark()
        y = b.node("MatMul", [x, w], name="a")[0]
        if cut:
            b.paste(b.cut(mark))
        return b.build(b.node("MatMul", [y, w], name="b")[0])

    assert network(cut=True) == network(cut=False)


def test_a_weight_of_a_piece_that_is_dropped_is_counted_by_the_next_one_that_uses_it() -> None:
    b = GraphAssembler()
    x, w = b.input("x", (5, 7)), b.constant(TensorSpec((7, 7), "float32", "w"))
    mark = b.mark()
    b.node("MatMul", [x, w], name="dropped")
    b.cut(mark)
    b.node("MatMul", [x, w], name="kept")
    [node] = b.build().nodes
    assert (node.name, node.cost.params) == ("kept", 49)


# -- analyzing


def test_only_what_can_be_read_is_a_model() -> None:
    for thing, kind in ((b"model.onnx", "bytes"), (None, "NoneType"), (np.zeros(3), r"numpy\.ndarray"), (3, "int")):
        with pytest.raises(UsageError, match=f"or a Graph, not {kind}"):
            analyze(thing)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "argument",
    [{"dims": {"n": 1}}, {"shapes": {"x": (1,)}}, {"values": {"x": (1,)}}, {"strict_dims": True}, {"symbolic": True}],
    ids=lambda argument: next(iter(argument)),
)
def test_arguments_for_files_are_refused_elsewhere(argument: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=f"block: a Graph has its sizes already; leave out {next(iter(argument))}"):
        analyze(block(), **argument)
    with pytest.raises(UsageError, match=f"zoo:resnet18: {next(iter(argument))}: for ONNX models only"):
        analyze("zoo:resnet18", **argument)


def test_a_graph_has_its_batch_already() -> None:
    with pytest.raises(UsageError, match="leave out batch"):
        analyze(block(), batch=3)


def test_a_zoo_network_takes_any_kind_of_batch() -> None:
    sizes = [1, 2, 5]
    column = analyze("zoo:resnet18", batch=Column(np.array(sizes)))
    formula = analyze("zoo:resnet18", batch=symbol("N"))
    for i, size in enumerate(sizes):
        expected = analyze("zoo:resnet18", batch=size).totals.mult_adds
        assert column.totals.mult_adds.values[i] == expected
        assert formula.totals.mult_adds.subs({symbol("N"): size}) == expected
    with pytest.raises(UsageError, match="batch is 0"):
        analyze("zoo:resnet18", batch=0)


@pytest.mark.parametrize("batch", [Column(np.array([1, 2])), symbol("N")], ids=["column", "symbol"])
def test_what_is_no_int_is_not_ranked(batch: Any) -> None:
    analysis = analyze(block(batch))
    assert [group.name for group in analysis.by_type()] == list(dict.fromkeys(n.op_type for n in analysis.operators))
    with pytest.raises(UsageError, match="only ints can be ranked"):
        analysis.top(3)
    dearest = analysis.top(2, "params")
    assert [node.cost.params for node in dearest] == sorted(n.cost.params for n in analysis.operators)[:-3:-1]


def test_top_and_depth_refuse_what_they_cannot_use() -> None:
    analysis = analyze(block())
    assert analysis.top(0) == ()
    for count, key, says in ((3, "flops", "by is 'flops'"), (-1, "mult_adds", "count is -1")):
        with pytest.raises(UsageError, match=says):
            analysis.top(count, key)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="depth is 0"):
        analysis.by_module(0)

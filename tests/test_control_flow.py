"""Loops, branches, scans and functions count as often as they run; weights count once, wherever they are used."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnx
import pytest
from onnx import TensorProto, helper
from onnx_models import BOOL, FLOAT, INT64, attribute, body, function, ints, model, node, save, scalar, value, weight

import costmodel
from costmodel import Analysis, ModelError
from costmodel.graph import Counting

# A dense layer 6 -> 6 on two rows: the work that is put into every body below.
DENSE = node("MatMul", ["v", "w"], ["next"])
WORK = 2 * 6 * 6
W = weight("w", 6, 6)
X = value("x", (2, 6))
INT4, INT8, UINT8 = TensorProto.INT4, TensorProto.INT8, TensorProto.UINT8


def analyzed(content: onnx.ModelProto, folder: Path, **options: Any) -> Analysis:
    return costmodel.analyze(save(content, folder), **options)


def looped(nodes: list[onnx.NodeProto], constants: list[onnx.TensorProto] | None = None) -> onnx.GraphProto:
    """A loop's body that carries v to next and goes on while it is told to."""
    inputs = [value("i", (), INT64), value("go", (), BOOL), value("v", (2, 6))]
    keep = node("Identity", ["go"], ["on"])
    return body([*nodes, keep], inputs, [value("on", (), BOOL), value("next", (2, 6))], constants or [])


def loop(count: str = "n", condition: str = "", graph: onnx.GraphProto | None = None) -> onnx.NodeProto:
    return node("Loop", [count, condition, "x"], ["y"], name="loop", body=graph or looped([DENSE]))


# -- Loop


@pytest.mark.parametrize("trips", [0, 1, 7])
def test_a_constant_trip_count_counts_the_body_as_often(trips: int, tmp_path: Path) -> None:
    analysis = analyzed(model([loop()], [X], [W, scalar("n", trips)]), tmp_path)
    dense = next(op for op in analysis.operators if op.op_type == "MatMul")
    assert analysis.totals.mult_adds == trips * WORK
    assert (dense.repeat, dense.counting, dense.note) == (trips, Counting.COUNTED, "")
    assert dense.cost.memory_access == trips * (12 + 36 + 12)
    assert analysis.totals.params == 36
    assert analysis.graph.tensors["y"].shape == (2, 6)


def test_what_stands_behind_a_loop_reads_tensors_that_are_in_the_graph(tmp_path: Path) -> None:
    nodes = [loop(), node("MatMul", ["y", "w"], ["z"])]
    analysis = analyzed(model(nodes, [X], [W, scalar("n", 3)]), tmp_path)
    assert analysis.totals.mult_adds == 4 * WORK
    assert analysis.graph.tensors["z"].shape == (2, 6)
    for op in analysis.operators:
        assert all(name in analysis.graph.tensors for name in (*op.inputs, *op.outputs))


def test_a_trip_count_that_is_computed_from_shapes_is_constant(tmp_path: Path) -> None:
    nodes = [node("Shape", ["x"], ["s"]), node("Gather", ["s", "one"], ["n"]), loop()]
    analysis = analyzed(model(nodes, [X], [W, scalar("one", 1)]), tmp_path)
    assert analysis.totals.mult_adds == 6 * WORK


@pytest.mark.parametrize("trips", [2**63 - 1, 2**31 - 1])
def test_the_largest_trip_count_means_a_while_loop(trips: int, tmp_path: Path) -> None:
    """Exporters write it where there is no limit: it is nothing to multiply with."""
    analysis = analyzed(model([loop()], [X], [W, scalar("n", trips)]), tmp_path)
    assert analysis.totals.mult_adds == WORK
    assert "counted once" in analysis.notes[0]


@pytest.mark.parametrize("count", ["n", ""])
def test_an_unknown_trip_count_counts_the_body_once_and_says_so(count: str, tmp_path: Path) -> None:
    analysis = analyzed(model([loop(count)], [X, value("n", (), INT64)], [W]), tmp_path)
    assert analysis.totals.mult_adds == WORK
    assert analysis.notes == ("Node 'loop' (Loop): the body of a loop is counted once; its trip count depends on data",)
    dense = next(op for op in analysis.operators if op.op_type == "MatMul")
    assert (dense.counting, dense.note) == (Counting.APPROXIMATED, "the body of a loop is counted once")
    assert analysis.coverage.counted == 0


def test_a_loop_that_may_stop_early_counts_its_longest_run_and_says_so(tmp_path: Path) -> None:
    graph = looped([DENSE])
    graph.node[-1].CopyFrom(node("Not", ["go"], ["on"]))
    analysis = analyzed(model([loop(graph=graph)], [X], [W, scalar("n", 5)]), tmp_path)
    assert analysis.totals.mult_adds == 5 * WORK
    assert "the longest run of a loop is counted" in analysis.notes[0]


def test_conditions_that_are_always_true_do_not_stop_a_loop(tmp_path: Path) -> None:
    """As exporters write them: passed through, a Constant, an initializer, or cast from one of these."""
    true = scalar("t", 1, BOOL)
    endings = [
        [node("Constant", [], ["on"], value=true)],
        [node("Constant", [], ["c"], value=true), node("Identity", ["c"], ["on"])],
        [node("Cast", ["go"], ["on"], to=BOOL)],
        [node("Identity", ["t"], ["on"])],
    ]
    for ending in endings:
        graph = looped([DENSE], [true])
        del graph.node[-1]
        graph.node.extend(ending)
        analysis = analyzed(
            model([loop("n", "yes", graph)], [X], [W, scalar("n", 5), scalar("yes", 1, BOOL)]), tmp_path
        )
        assert analysis.notes == ()
        assert analysis.totals.mult_adds == 5 * WORK


@pytest.mark.parametrize("copies", [2, 20_000])
def test_a_condition_in_a_circle_is_refused_and_a_long_chain_of_it_is_followed(copies: int, tmp_path: Path) -> None:
    """Copies of the condition handed on from one to the next, the first from the last where they are two."""
    first = "c1" if copies == 2 else "go"
    chain = [node("Identity", [f"c{i - 1}" if i else first], [f"c{i}"]) for i in range(copies)]
    graph = looped([DENSE])
    graph.node[-1].CopyFrom(node("Identity", [f"c{copies - 1}"], ["on"]))
    graph.node.extend(chain)
    content = model([loop(graph=graph)], [X], [W, scalar("n", 5)])
    if copies == 2:
        with pytest.raises(ModelError, match="is in a cycle"):
            analyzed(content, tmp_path)
    else:
        analysis = analyzed(content, tmp_path)
        assert (analysis.notes, analysis.totals.mult_adds) == ((), 5 * WORK)


def test_what_a_loop_collects_is_stacked(tmp_path: Path) -> None:
    graph = looped([DENSE, node("Relu", ["next"], ["row"])])
    graph.output.append(value("row", (2, 6)))
    nodes = [node("Loop", ["n", "", "x"], ["y", "rows"], body=graph), node("Relu", ["rows"], ["z"])]
    analysis = analyzed(model(nodes, [X], [W, scalar("n", 9)]), tmp_path)
    assert analysis.graph.tensors["z"].shape == (9, 2, 6)


def test_a_carried_value_that_grows_is_not_given_a_shape(tmp_path: Path) -> None:
    graph = looped([node("Concat", ["v", "v"], ["next"], axis=0)])
    content = model([loop(graph=graph), node("Relu", ["y"], ["z"])], [X], [scalar("n", 5)])
    assert analyzed(content, tmp_path).graph.tensors["z"].shape is None


def test_loops_within_loops_multiply(tmp_path: Path) -> None:
    inner = node("Loop", ["m", "", "v"], ["next"], body=looped([node("MatMul", ["v", "w"], ["next"])]))
    analysis = analyzed(model([loop(graph=looped([inner]))], [X], [W, scalar("n", 4), scalar("m", 3)]), tmp_path)
    assert analysis.totals.mult_adds == 12 * WORK
    assert analysis.totals.params == 36


def test_names_stay_unique_where_one_body_runs_twice(tmp_path: Path) -> None:
    nodes = [loop(), node("Loop", ["n", "", "y"], ["z"], name="loop", body=looped([DENSE]))]
    analysis = analyzed(model(nodes, [X], [W, scalar("n", 2)]), tmp_path)
    names = [op.name for op in analysis.operators]
    assert len(set(names)) == len(names)
    outputs = [name for op in analysis.operators for name in op.outputs]
    assert len(set(outputs)) == len(outputs)


# -- If


def branch(*nodes: onnx.NodeProto, constants: list[onnx.TensorProto] | None = None) -> onnx.GraphProto:
    return body(nodes, outputs=[value("b", (2, 6))], constants=constants or [])


CHEAP = branch(node("Relu", ["x"], ["b"]))
DEAR = branch(node("MatMul", ["x", "w"], ["b"]))
CONDITION = value("c", (), BOOL)


@pytest.mark.parametrize(("then", "other"), [(CHEAP, DEAR), (DEAR, CHEAP)])
def test_the_dearest_branch_is_counted_and_said_so(
    then: onnx.GraphProto, other: onnx.GraphProto, tmp_path: Path
) -> None:
    choice = node("If", ["c"], ["y"], name="choice", then_branch=then, else_branch=other)
    analysis = analyzed(model([choice, node("Relu", ["y"], ["z"])], [X, CONDITION], [W]), tmp_path)
    assert [op.op_type for op in analysis.operators] == ["MatMul", "Relu"]
    assert analysis.totals.mult_adds == WORK
    assert analysis.totals.params == 36
    assert analysis.notes == ("Node 'choice' (If): its dearest branch is counted",)
    assert analysis.operators[0].counting is Counting.APPROXIMATED
    assert analysis.operators[1].counting is Counting.COUNTED
    assert analysis.graph.tensors["z"].shape == (2, 6)


@pytest.mark.parametrize(("truth", "expected"), [(1, WORK), (0, 0)])
def test_a_constant_condition_takes_its_branch(truth: int, expected: int, tmp_path: Path) -> None:
    choice = node("If", ["c"], ["y"], then_branch=DEAR, else_branch=CHEAP)
    analysis = analyzed(model([choice], [X], [W, scalar("c", truth, BOOL)]), tmp_path)
    assert analysis.totals.mult_adds == expected
    assert analysis.notes == ()
    assert analysis.coverage.approximated == 0


def test_a_condition_on_shapes_is_constant(tmp_path: Path) -> None:
    """torchvision's detectors ask whether there are any boxes."""
    nodes = [
        node("Size", ["x"], ["s"]),
        node("Equal", ["s", "zero"], ["c"]),
        node("If", ["c"], ["y"], then_branch=CHEAP, else_branch=DEAR),
    ]
    assert analyzed(model(nodes, [X], [W, scalar("zero", 0)]), tmp_path).totals.mult_adds == WORK


def test_both_branches_may_read_a_weight_that_nothing_read_before(tmp_path: Path) -> None:
    """And what stands behind reads it too: it is the same weight, counted where it is first used."""
    other = branch(node("MatMul", ["x", "w"], ["m"]), node("MatMul", ["m", "w"], ["b"]))
    nodes = [node("If", ["c"], ["y"], then_branch=other, else_branch=DEAR), node("MatMul", ["y", "w"], ["z"])]
    analysis = analyzed(model(nodes, [X, CONDITION], [W]), tmp_path)
    assert analysis.totals.mult_adds == 3 * WORK
    assert analysis.totals.params == 36
    for op in analysis.operators:
        assert "w" in op.inputs
        assert all(name in analysis.graph.tensors for name in (*op.inputs, *op.outputs))


def test_names_in_branches_stay_apart_from_those_around_them(tmp_path: Path) -> None:
    """`If_0/y` is a tensor of the model, and what the prefix of a branch makes of its own y."""
    inner = body([node("MatMul", ["x", "w"], ["y"])], outputs=[value("y", (2, 6))])
    nodes = [
        node("If", ["c"], ["a"], name="If_0", then_branch=inner, else_branch=inner),
        node("Relu", ["a"], ["If_0/y"]),
        node("Relu", ["If_0/y"], ["If_0/y'"]),
    ]
    analysis = analyzed(model(nodes, [X], [W, scalar("c", 1, BOOL)]), tmp_path)
    assert [op.outputs for op in analysis.operators] == [("If_0/y''",), ("If_0/y",), ("If_0/y'",)]
    assert analysis.totals.mult_adds == WORK


def test_names_in_branches_within_branches_stay_apart(tmp_path: Path) -> None:
    deep = body([node("Relu", ["x"], ["b"])], outputs=[value("b", (2, 6))])
    choice = node("If", ["c"], ["a"], name="a", then_branch=deep, else_branch=deep)
    inner = body([node("Relu", ["x"], ["a/b"]), choice], outputs=[value("a", (2, 6))])
    nodes = [node("If", ["c"], ["z"], name="If_0", then_branch=inner, else_branch=inner)]
    analysis = analyzed(model(nodes, [X], [scalar("c", 1, BOOL)]), tmp_path)
    assert [op.outputs for op in analysis.operators] == [("If_0/a/b",), ("If_0/a/b'",)]


def test_a_branch_may_stand_before_the_writer_of_what_it_reads(tmp_path: Path) -> None:
    """Its own inner y is not the y that it writes: no cycle."""
    inner = body([node("MatMul", ["late", "w"], ["y"])], outputs=[value("y", (2, 6))])
    nodes = [
        node("If", ["c"], ["y"], then_branch=inner, else_branch=inner),
        node("Sigmoid", ["x"], ["s"]),
        node("Relu", ["x"], ["late"]),
        node("Tanh", ["x"], ["t"]),
    ]
    analysis = analyzed(model(nodes, [X], [W, scalar("c", 1, BOOL)]), tmp_path)
    assert [op.op_type for op in analysis.operators] == ["Sigmoid", "Relu", "MatMul", "Tanh"]


def test_a_branch_that_reads_its_own_output_is_in_a_cycle(tmp_path: Path) -> None:
    inner = body([node("Relu", ["y"], ["r"])], outputs=[value("r", (2, 6))])
    nodes = [node("If", ["c"], ["y"], then_branch=inner, else_branch=inner)]
    with pytest.raises(ModelError, match="is in a cycle"):
        analyzed(model(nodes, [X], [scalar("c", 1, BOOL)]), tmp_path)


def test_weights_of_the_branch_that_is_not_taken_do_not_count(tmp_path: Path) -> None:
    small = branch(node("Add", ["x", "bias"], ["b"]), constants=[weight("bias", 6)])
    choice = node("If", ["c"], ["y"], then_branch=small, else_branch=DEAR)
    assert analyzed(model([choice], [X, CONDITION], [W]), tmp_path).totals.params == 36


def test_branches_within_loops_within_branches(tmp_path: Path) -> None:
    inner = node("If", ["c"], ["next"], then_branch=branch(node("MatMul", ["v", "w"], ["b"])), else_branch=CHEAP)
    outer = branch(node("Loop", ["n", "", "x"], ["b"], body=looped([inner])))
    choice = node("If", ["c"], ["y"], then_branch=outer, else_branch=DEAR)
    analysis = analyzed(model([choice], [X, CONDITION], [W, scalar("n", 5)]), tmp_path)
    assert analysis.totals.mult_adds == 5 * WORK


ARM = "snapdragon810-neon-fp32-1t"


def test_a_network_that_ends_in_a_loop_takes_what_its_unrolled_form_takes(tmp_path: Path) -> None:
    """What leads to a Loop's output is not dead, although the graph has no operator that writes it."""
    before = [node("MatMul", ["x0", "w"], ["x"], name="before")]
    unrolled = [node("MatMul", [f"x{i}", "w"], [f"x{i + 1}"], name=f"dense{i}") for i in range(6)]
    ends = [node("MatMul", ["x6", "w"], ["y"], name="dense6")]
    (rolled,), (flat,) = (
        analyzed(
            model(nodes, [value("x0", (2, 6))], [W, scalar("n", 6)], outputs=[value("y", (2, 6))]),
            tmp_path,
            platform=ARM,
        ).predictions
        for nodes in ([*before, loop()], [*unrolled, *ends])
    )
    assert rolled.latency.seconds == pytest.approx(flat.latency.seconds, rel=1e-9)
    assert all(item.estimate.seconds > 0 for item in flat.kernels)


# -- Scan


def step() -> onnx.GraphProto:
    """A recurrent cell: state and input, each a row of 6, through one dense layer."""
    nodes = [node("Add", ["s", "e"], ["a"]), node("MatMul", ["a", "w"], ["t"]), node("Relu", ["t"], ["o"])]
    return body(nodes, [value("s", (1, 6)), value("e", (1, 6))], [value("t", (1, 6)), value("o", (1, 6))])


@pytest.mark.parametrize(
    ("dims", "axes", "stacked"),
    [
        ((11, 1, 6), {}, (11, 1, 6)),
        ((1, 6, 11), {"scan_input_axes": [2], "scan_output_axes": [1]}, (1, 11, 6)),
        ((1, 11, 6), {"scan_input_axes": [-2], "scan_output_axes": [-1]}, (1, 6, 11)),
    ],
)
def test_a_scan_runs_once_for_each_slice(
    dims: tuple[int, ...], axes: dict[str, Any], stacked: tuple[int, ...], tmp_path: Path
) -> None:
    scan = node("Scan", ["s0", "x"], ["last", "all"], body=step(), num_scan_inputs=1, **axes)
    nodes = [scan, node("Relu", ["all"], ["z"]), node("Relu", ["last"], ["l"])]
    analysis = analyzed(model(nodes, [value("s0", (1, 6)), value("x", dims)], [W]), tmp_path)
    assert analysis.totals.mult_adds == 11 * 36
    assert analysis.totals.params == 36
    assert analysis.graph.tensors["z"].shape == stacked
    assert analysis.graph.tensors["l"].shape == (1, 6)
    assert analysis.notes == ()


def test_a_scan_over_a_free_dim_is_a_formula(tmp_path: Path) -> None:
    scan = node("Scan", ["s0", "x"], ["last", "all"], body=step(), num_scan_inputs=1)
    content = model([scan], [value("s0", (1, 6)), value("x", ("T", 1, 6))], [W])
    assert str(analyzed(content, tmp_path, symbolic=True).totals.mult_adds) == "36*T"


# -- functions


def call(name: str, inputs: list[str], outputs: list[str], **attributes: Any) -> onnx.NodeProto:
    return node(name, inputs, outputs, domain="local", **attributes)


def referring(op: onnx.NodeProto, name: str, kind: int, to: str) -> onnx.NodeProto:
    """The node with an attribute that refers to one of the function around it."""
    op.attribute.append(onnx.AttributeProto(name=name, type=kind, ref_attr_name=to))
    return op


def test_a_call_counts_what_the_functions_body_does(tmp_path: Path) -> None:
    dense = function("dense", ["a", "k"], ["b"], [node("MatMul", ["a", "k"], ["m"]), node("Relu", ["m"], ["b"])])
    analysis = analyzed(model([call("dense", ["x", "w"], ["y"])], [X], [W], [dense]), tmp_path)
    assert [op.op_type for op in analysis.operators] == ["MatMul", "Relu"]
    assert (analysis.totals.mult_adds, analysis.totals.params) == (WORK, 36)
    assert analysis.coverage.counted == 2


def test_the_same_function_called_twice_counts_twice(tmp_path: Path) -> None:
    dense = function("dense", ["a", "k"], ["b"], [node("MatMul", ["a", "k"], ["b"])])
    calls = [call("dense", ["x", "w"], ["m"]), call("dense", ["m", "w2"], ["y"])]
    analysis = analyzed(model(calls, [X], [W, weight("w2", 6, 6)], [dense]), tmp_path)
    assert (analysis.totals.mult_adds, analysis.totals.params) == (2 * WORK, 72)
    again = analyzed(model([calls[0], call("dense", ["m", "w"], ["y"])], [X], [W], [dense]), tmp_path)
    assert (again.totals.mult_adds, again.totals.params) == (2 * WORK, 36)
    assert len({op.name for op in again.operators}) == 2


def test_attributes_are_referred_to_given_or_left_at_their_default(tmp_path: Path) -> None:
    def strided() -> onnx.NodeProto:
        return referring(node("Conv", ["a", "k"], ["b"]), "strides", onnx.AttributeProto.INTS, "steps")

    with_default = function("f", ["a", "k"], ["b"], [strided()], defaults=[attribute("steps", [4, 4])])
    without = function("g", ["a", "k"], ["b"], [strided()], attributes=["steps"])
    image, kernel = value("x", (1, 3, 16, 16)), weight("w", 8, 3, 1, 1)

    def side(op: onnx.NodeProto) -> Any:
        content = model([op], [image], [kernel], [with_default, without])
        return analyzed(content, tmp_path).operators[0].cost.output_elements

    assert side(call("f", ["x", "w"], ["y"], steps=[2, 2])) == 8 * 8 * 8
    assert side(call("f", ["x", "w"], ["y"])) == 8 * 4 * 4
    assert side(call("g", ["x", "w"], ["y"], steps=[2, 2])) == 8 * 8 * 8
    assert side(call("g", ["x", "w"], ["y"])) == 8 * 16 * 16


def test_attributes_reach_through_nested_calls_and_subgraphs(tmp_path: Path) -> None:
    concat = referring(node("Concat", ["a", "a"], ["c"]), "axis", onnx.AttributeProto.INT, "axis")
    graph = body([concat], outputs=[value("c", (1,))])
    inner = function(
        "inner", ["a", "t"], ["b"], [node("If", ["t"], ["b"], then_branch=graph, else_branch=graph)], ["axis"]
    )
    passing = referring(call("inner", ["a", "t"], ["b"]), "axis", onnx.AttributeProto.INT, "dim")
    outer = function("outer", ["a", "t"], ["b"], [passing], ["dim"])
    content = model(
        [call("outer", ["x", "t"], ["y"], dim=1), node("Relu", ["y"], ["z"])],
        [X, value("t", (), BOOL)],
        functions=[inner, outer],
    )
    assert analyzed(content, tmp_path).graph.tensors["z"].shape == (2, 12)


def test_optional_inputs_may_be_left_out(tmp_path: Path) -> None:
    dense = function("dense", ["a", "k", "bias"], ["b"], [node("Gemm", ["a", "k", "bias"], ["b"])])
    for inputs, params in ((["x", "w", "bias"], 42), (["x", "w", ""], 36), (["x", "w"], 36)):
        content = model([call("dense", inputs, ["y"])], [X], [W, weight("bias", 6)], [dense])
        assert analyzed(content, tmp_path).totals.params == params
    with pytest.raises(ModelError, match="more inputs than its 3"):
        analyzed(model([call("dense", ["x", "w", "bias", "x"], ["y"])], [X], [W, weight("bias", 6)], [dense]), tmp_path)


def test_a_function_sees_its_own_inputs_only(tmp_path: Path) -> None:
    leaky = function("leaky", ["a"], ["b"], [node("MatMul", ["a", "w"], ["b"])])
    with pytest.raises(ModelError, match="'w' is read by"):
        analyzed(
            model([node("Add", ["x", "w1"], ["v"]), call("leaky", ["v"], ["y"])], [X], [W, weight("w1", 6)], [leaky]),
            tmp_path,
        )


def test_overloads_are_different_functions(tmp_path: Path) -> None:
    one = function("f", ["a", "k"], ["b"], [node("MatMul", ["a", "k"], ["b"])])
    two = function("f", ["a", "k"], ["b"], [node("MatMul", ["a", "k"], ["m"]), node("MatMul", ["m", "k"], ["b"])])
    two.overload = "twice"
    calls = [call("f", ["x", "w"], ["m"]), call("f", ["m", "w"], ["y"])]
    calls[1].overload = "twice"
    assert analyzed(model(calls, [X], [W], [one, two]), tmp_path).totals.mult_adds == 3 * WORK


def test_a_function_goes_before_an_operator_of_the_same_name(tmp_path: Path) -> None:
    """A model's own definition is what it means, even of a standard name."""
    own = function("Relu", ["a"], ["b"], [node("MatMul", ["a", "a"], ["b"])])
    own.domain = ""
    square = value("x", (6, 6))
    assert analyzed(model([node("Relu", ["x"], ["y"])], [square], functions=[own]), tmp_path).totals.mult_adds == 216


def test_outputs_of_a_function_that_nobody_wants(tmp_path: Path) -> None:
    both = function("both", ["a"], ["b", "c"], [node("Relu", ["a"], ["b"]), node("Neg", ["a"], ["c"])])
    content = model([call("both", ["x"], ["", "y"]), node("Relu", ["y"], ["z"])], [X], functions=[both])
    assert analyzed(content, tmp_path).graph.tensors["z"].shape == (2, 6)


# -- weights


def params(nodes: list[onnx.NodeProto], constants: list[onnx.TensorProto], folder: Path) -> Any:
    return analyzed(model(nodes, [X], constants), folder).totals.params


def test_a_weight_that_two_nodes_share_counts_once(tmp_path: Path) -> None:
    nodes = [node("MatMul", ["x", "w"], ["m"]), node("MatMul", ["m", "w"], ["y"])]
    assert params(nodes, [W], tmp_path) == 36
    transposed = [nodes[0], node("Transpose", ["w"], ["wt"]), node("MatMul", ["m", "wt"], ["y"])]
    assert params(transposed, [W], tmp_path) == 36


def test_a_weight_from_a_constant_node_counts_like_an_initializer(tmp_path: Path) -> None:
    nodes = [node("Constant", [], ["w"], value=W), node("MatMul", ["x", "w"], ["m"]), node("MatMul", ["m", "w"], ["y"])]
    assert params(nodes, [], tmp_path) == 36


def test_a_weight_filled_by_constant_of_shape_counts_once(tmp_path: Path) -> None:
    nodes = [
        node("ConstantOfShape", ["s"], ["w"]),
        node("MatMul", ["x", "w"], ["m"]),
        node("MatMul", ["m", "w"], ["y"]),
    ]
    assert params(nodes, [ints("s", 6, 6)], tmp_path) == 36


@pytest.mark.parametrize("dtype", [INT8, UINT8, INT4])
def test_a_dequantised_weight_counts_its_elements_once_and_its_bytes_as_stored(dtype: int, tmp_path: Path) -> None:
    nodes = [
        node("DequantizeLinear", ["q", "scale"], ["w"]),
        node("MatMul", ["x", "w"], ["m"]),
        node("MatMul", ["m", "w"], ["y"]),
    ]
    analysis = analyzed(model(nodes, [X], [weight("q", 6, 6, dtype=dtype), scalar("scale", 0.5, FLOAT)]), tmp_path)
    first = next(op for op in analysis.operators if op.op_type == "MatMul")
    assert analysis.totals.mult_adds == 2 * WORK
    assert analysis.totals.params in (36, 37)  # with or without the scale
    assert first.cost.weight_elements == 36
    assert first.cost.bytes == 4 * (12 + 12) + (18 if dtype == INT4 else 36)


def test_parts_of_one_weight_count_together_as_the_whole(tmp_path: Path) -> None:
    """Q, K and V cut from one matrix."""
    names = ["wq", "wk", "wv"]
    nodes = [node("Split", ["w"], names, axis=1, num_outputs=3)]
    nodes += [node("MatMul", ["x", name], [f"y{name}"]) for name in names]
    assert params(nodes, [weight("w", 6, 18)], tmp_path) == 6 * 18


def test_tables_shapes_and_masks_are_no_parameters(tmp_path: Path) -> None:
    nodes = [node("Reshape", ["x", "s"], ["r"]), node("Where", ["mask", "r", "r"], ["y"])]
    assert params(nodes, [ints("s", 3, 4), weight("mask", 3, 4, dtype=BOOL)], tmp_path) == 0


def test_a_sparse_weight_counts_as_the_dense_one_that_it_stands_for(tmp_path: Path) -> None:
    sparse = helper.make_sparse_tensor(
        helper.make_tensor("w", FLOAT, [2], [1.0, 2.0]), helper.make_tensor("at", INT64, [2], [3, 7]), [6, 6]
    )
    content = model([node("MatMul", ["x", "w"], ["y"])], [X])
    content.graph.sparse_initializer.append(sparse)
    analysis = analyzed(content, tmp_path)
    assert (analysis.totals.mult_adds, analysis.totals.params) == (WORK, 36)

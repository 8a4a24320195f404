"""Graphs written as ONNX models: they run, they are counted as the graph is, and they have its weights' scales."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from numpy.typing import NDArray
from onnx import numpy_helper

from costmodel import zoo
from costmodel.analysis import analyze
from costmodel.builder import GraphBuilder
from costmodel.columns import Column
from costmodel.dims import symbol
from costmodel.errors import CostModelError, ModelError, UsageError
from costmodel.frontends.onnx import load, save, write
from costmodel.graph import Graph, Node, TensorSpec

EVERY_OPERATOR = 24  # the first opset that has all operators of the zoo, Swish among them

# Every kind of operator that the zoo has, small.
NETWORKS = (
    "alexnet,resolution=64",
    "blazeface,resolution=64",
    "condensenet,resolution=64,batch=2",
    "densenet121,resolution=32",
    "efficientnet_b0,resolution=64",
    "efficientnetv2_b0,resolution=64",
    "fastestdet,resolution=64",
    "ghostnet,resolution=64",
    "googlenet,resolution=64",
    "hardnet39_ds,resolution=64",
    "mobilenet_v3_small,resolution=64x96",
    "mobilenet_yolo,resolution=64",
    "nanodet_m,resolution=64",
    "nasbench201",
    "nasnet_a_mobile,resolution=64",
    "paper_g1",
    "paper_g2",
    "paper_g3",
    "paper_g4",
    "shufflenet_v1,groups=3,resolution=64",
    "shufflenet_v2,resolution=64,batch=3",
    "shufflenet_v2,se=1,residual=1,width=0.5,resolution=64",
    "mobilenet_ssd,resolution=300",
)


@cache
def built(reference: str) -> Graph:
    return zoo.load(reference)


@cache
def written(reference: str) -> onnx.ModelProto:
    return write(built(reference), opset=EVERY_OPERATOR)


def session(model: onnx.ModelProto) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


def run(graph: Graph, model: onnx.ModelProto) -> dict[str, NDArray[Any]]:
    """The outputs for standard normal inputs."""
    generator = np.random.default_rng(1)
    inputs = {name: generator.standard_normal(graph.tensors[name].shape, np.float32) for name in graph.inputs}
    runner = session(model)
    return dict(zip([one.name for one in runner.get_outputs()], runner.run(None, inputs), strict=True))


def weights(model: onnx.ModelProto) -> dict[str, NDArray[Any]]:
    return {one.name: numpy_helper.to_array(one) for one in model.graph.initializer}


def facts(node: Node) -> tuple[Any, ...]:
    cost = node.cost
    counts = (cost.mult_adds, cost.params, cost.memory_access, cost.bytes, cost.element_ops)
    return node.name, node.op_type, node.module, node.outputs, counts


@pytest.mark.parametrize("reference", NETWORKS)
def test_a_written_network_is_counted_as_the_graph_that_it_was_written_from(reference: str, tmp_path: Path) -> None:
    graph = built(reference)
    (tmp_path / "model.onnx").write_bytes(written(reference).SerializeToString())
    read = load(tmp_path / "model.onnx")
    assert [facts(node) for node in read.nodes] == [facts(node) for node in graph.nodes]
    assert (read.name, read.inputs, read.outputs) == (graph.name, graph.inputs, graph.outputs)
    shapes = {name: spec.shape for name, spec in graph.tensors.items()}
    assert {name: spec.shape for name, spec in read.tensors.items()} == shapes


@pytest.mark.parametrize("reference", NETWORKS)
def test_a_written_network_is_valid_and_runs_to_finite_numbers(reference: str) -> None:
    graph, model = built(reference), written(reference)
    onnx.checker.check_model(model, full_check=True)  # compares the shapes that are written with its own
    outputs = run(graph, model)
    assert {name: value.shape for name, value in outputs.items()} == {n: graph.tensors[n].shape for n in graph.outputs}
    for value in outputs.values():
        assert np.isfinite(value).all()
        assert 1e-3 < np.abs(value).max() < 1e3


def test_the_networks_above_have_every_operator_of_the_zoo_but_those_of_transformers() -> None:
    here = {node.op_type for reference in NETWORKS for node in built(reference).nodes}
    zoos = {node.op_type for network in zoo.networks() for node in zoo.build(network.name).nodes}
    assert zoos - here == {"Attention", "Expand", "Gelu", "LayerNormalization", "MatMul"}


def transformer() -> Graph:
    """What a vision transformer is made of: a token before the patches, attention, and two dense layers."""
    g = GraphBuilder("transformer")
    x = g.input("x", (2, 5, 24))
    with g.scope("encoder"):
        token = g.expand(g.weight("token", (1, 1, 24)), (2, 1, 24))
        tokens = g.add(g.concat((token, x), 1), g.weight("position", (1, 6, 24)))
        normal = g.layer_norm(tokens)
        q, k, v = (g.matmul(normal, g.weight(f"{part}.weight", (24, 24)), part) for part in "qkv")
        tokens = g.add(tokens, g.attention(q, k, v, 4), "sum")
        wide = g.gelu(g.matmul(tokens, g.weight("wide.weight", (24, 96)), "wide"))
        tokens = g.add(tokens, g.matmul(wide, g.weight("narrow.weight", (96, 24)), "narrow"), "sum")
    return g.build(g.softmax(g.slice(tokens, 0, 1, 1)))


def test_a_transformer_is_written_and_read_back(tmp_path: Path) -> None:
    graph = transformer()
    model = write(graph)
    onnx.checker.check_model(model, full_check=True)
    assert run(graph, model)["softmax"].sum(-1) == pytest.approx(1)
    save(graph, tmp_path / "model.onnx")
    assert [facts(node) for node in load(tmp_path / "model.onnx").nodes] == [facts(node) for node in graph.nodes]


def test_swish_is_written_as_exporters_write_it_where_the_opset_has_none() -> None:
    g = GraphBuilder()
    x = g.input("x", (2, 3, 4, 5))
    with g.scope("block"):
        graph = g.build(g.swish(x, "act"))
    old, new = write(graph, opset=23), write(graph, opset=24)
    assert [node.op_type for node in new.graph.node] == ["Swish"]
    assert [(node.op_type, node.name) for node in old.graph.node] == [
        ("Sigmoid", "block.act.sigmoid"),
        ("Mul", "block.act"),
    ]
    assert run(graph, old)["block.act"] == pytest.approx(run(graph, new)["block.act"], rel=1e-5, abs=1e-6)


def test_a_written_swish_adds_one_operator_and_what_it_moves(tmp_path: Path) -> None:
    graph = built("efficientnet_b0,resolution=64")
    save(graph, tmp_path / "model.onnx")
    read = load(tmp_path / "model.onnx")
    swishes = [graph.tensors[node.outputs[0]].elements for node in graph.nodes if node.op_type == "Swish"]
    assert len(read.nodes) - len(graph.nodes) == len(swishes)
    assert (read.cost.mult_adds, read.cost.params) == (graph.cost.mult_adds, graph.cost.params)
    # The sigmoid is written and read once more, and x is read twice: 5 instead of 2 elements.
    assert read.cost.memory_access - graph.cost.memory_access == 3 * sum(swishes)
    modules = {node.name: node.module for node in read.nodes}
    assert {node.name: node.module for node in graph.nodes}.items() <= modules.items()


def settings() -> Graph:
    """Operators that are steered by values, given without a name."""
    g = GraphBuilder("settings")
    x = g.input("x", (1, 7, 6, 5))
    a, b = g.split(x, (3, 4))
    padded = g.pad(a, (0, 1, 2, 0, 0, 0, 1, 3))
    large = g.upsample(padded, 2)
    small = g.resize(large, (1, 4, 5, 3), mode="linear")
    mean = g.spatial_mean(g.relu6(b))
    folded = g.reshape(small, (0, 2, -1))
    return g.build(large, mean, folded, g.channel_shuffle(b, 2), g.slice(x, 2, 5))


def test_values_that_steer_operators_are_kept() -> None:
    graph = settings()
    kept = {name: graph.tensors[name].value.tolist() for name in graph.tensors if graph.tensors[name].value is not None}
    assert kept["split.input_1"] == [3, 4]
    assert kept["pad.input_1"] == [0, 1, 2, 0, 0, 0, 1, 3]
    assert (kept["relu6.input_1"], kept["relu6.input_2"]) == (0.0, 6.0)
    assert kept["upsample.input_2"] == [1.0, 1.0, 2.0, 2.0]
    assert "" not in {name for node in graph.nodes if node.op_type != "Resize" for name in node.inputs}
    model = write(graph)
    x = np.random.default_rng(1).standard_normal((1, 7, 6, 5), np.float32)
    outputs = run(graph, model)
    expected = np.pad(x[:, :3], ((0, 0), (1, 0), (2, 1), (0, 3))).repeat(2, 2).repeat(2, 3)
    assert outputs["upsample"] == pytest.approx(expected)
    assert outputs["mean"] == pytest.approx(np.clip(x[:, 3:], 0, 6).mean((2, 3), keepdims=True), abs=1e-6)
    assert outputs["shuffle.join"] == pytest.approx(x[:, [3, 5, 4, 6]])
    assert outputs["slice"] == pytest.approx(x[:, 2:5])


def test_a_name_that_is_taken_is_left_to_its_tensor() -> None:
    g = GraphBuilder()
    x = g.input("relu6.input_1", (1, 2, 3, 3))
    graph = g.build(g.relu6(x))
    assert graph.nodes[0].inputs == ("relu6.input_1", "relu6.input_1_1", "relu6.input_2")


def test_attributes_are_those_of_the_graph() -> None:
    g = GraphBuilder()
    x = g.input("x", (2, 6, 11, 9))
    y = g.conv(x, 8, (3, 2), stride=(3, 2), padding=(0, 1, 2, 1), dilation=(2, 1), groups=2, bias=True)
    model = write(graph := g.build(g.max_pool(g.prelu(g.batch_norm(y)), 2, stride=2, ceil_mode=True)), seed=5)
    tensors = {name: torch.from_numpy(array.copy()) for name, array in weights(model).items()}
    x_data = torch.from_numpy(np.random.default_rng(1).standard_normal((2, 6, 11, 9), np.float32))
    padded = torch.nn.functional.pad(x_data, (1, 1, 0, 2))
    expected = torch.nn.functional.conv2d(
        padded, tensors["conv.weight"], tensors["conv.bias"], stride=(3, 2), dilation=(2, 1), groups=2
    )
    expected = torch.nn.functional.prelu(expected / (1 + 1e-5) ** 0.5, tensors["prelu.weight"].reshape(-1))
    expected = torch.nn.functional.max_pool2d(expected, 2, 2, ceil_mode=True)
    assert run(graph, model)["max_pool"] == pytest.approx(expected.numpy(), abs=1e-5)


# -- weights


def spread(graph: Graph) -> tuple[float, float]:
    """The smallest and the largest standard deviation of any tensor that the network computes."""
    model = write(graph)
    known = {one.name for one in model.graph.output}
    model.graph.output.extend(info for info in model.graph.value_info if info.name not in known)
    deviations = [float(value.std()) for value in run(graph, model).values()]
    return min(deviations), max(deviations)


def deep(kind: str) -> Graph:
    """150 convolutions."""
    g = GraphBuilder(kind)
    x = g.input("x", (1, 16, 12, 10))
    x = g.conv(x, 32, 3)
    for _ in range({"residual": 75, "gated": 38}.get(kind, 150)):
        if kind == "plain":
            x = g.relu(g.batch_norm(g.conv(x, 32, 3)))
        elif kind == "linear":
            x = g.conv(x, 32, 1)
        elif kind == "gated":
            wide = g.swish(g.batch_norm(g.conv(x, 96, 1)))
            gate = g.sigmoid(g.conv(g.swish(g.conv(g.global_avg_pool(wide), 8)), 96, bias=True))
            x = g.add(x, g.batch_norm(g.conv(g.mul(wide, gate), 32, 1)))
        else:
            branch = g.relu(g.batch_norm(g.conv(x, 32, 1)))
            x = g.relu(g.add(x, g.batch_norm(g.conv(branch, 32, 3))))
    return g.build(g.conv(x, 7))


@pytest.mark.parametrize("kind", ["plain", "linear", "gated", "residual"])
def test_activations_neither_vanish_nor_grow_through_150_convolutions(kind: str) -> None:
    smallest, largest = spread(deep(kind))
    assert smallest > 1e-4
    assert largest < 1e2


def test_a_convolution_whatever_it_reads_has_an_output_of_variance_one() -> None:
    """He's sqrt(2 / fan-in) behind a ReLU; behind a gate of one half 2 / sqrt(fan-in); else 1 / sqrt(fan-in)."""
    g = GraphBuilder()
    x = g.input("x", (1, 64, 8, 8))
    half = g.mul(x, g.values((0.5,), "float32", "half"))
    made = [
        g.conv(one, 256, 3, name=name)
        for one, name in ((x, "plain"), (g.relu(x), "behind_relu"), (half, "behind_half"))
    ]
    arrays = weights(write(g.build(*made)))
    fan_in = 64 * 9
    for name, square in (("plain", 1), ("behind_relu", 1 / 2), ("behind_half", 1 / 4)):
        deviation = float(arrays[f"{name}.weight"].std())
        assert deviation == pytest.approx((1 / (fan_in * square)) ** 0.5, rel=0.02), name


def test_norms_leave_what_they_read_and_gathers_stay_in_range() -> None:
    g = GraphBuilder()
    x = g.input("x", (1, 6, 4, 4))
    arrays = weights(write(g.build(g.gather(g.batch_norm(x), 9))))
    assert [arrays[f"bn.{part}"].tolist() for part in ("weight", "bias", "running_mean", "running_var")] == [
        [1.0] * 6,
        [0.0] * 6,
        [0.0] * 6,
        [1.0] * 6,
    ]
    assert arrays["gather.index"].tolist() == [0, 1, 2, 3, 4, 5, 0, 1, 2]


def small(name: str = "net", channels: int = 8) -> Graph:
    g = GraphBuilder(name)
    return g.build(g.linear(g.flatten(g.conv(g.input("x", (1, 3, 5, 5)), channels, 3)), 4))


def test_the_same_seed_gives_the_same_file_and_another_one_other_weights() -> None:
    first, again, other = (write(small(), seed=seed).SerializeToString(deterministic=True) for seed in (0, 0, 1))
    assert first == again
    assert first != other


def test_weights_hang_on_their_names_not_on_what_stands_before_them() -> None:
    g = GraphBuilder("more")
    x = g.conv(g.input("x", (1, 3, 5, 5)), 3, 1, name="first")
    more = weights(write(g.build(g.conv(x, 8, 3))))
    ours = weights(write(small()))
    assert more["conv.weight"] == pytest.approx(ours["conv.weight"], rel=1e-6)
    assert not np.array_equal(ours["conv.weight"].reshape(-1)[:12], ours["fc.weight"].reshape(-1)[:12])


@pytest.mark.parametrize("reference", ["mobilenet_v3_small,resolution=64x96", "shufflenet_v1,groups=3,resolution=64"])
def test_a_model_that_is_read_and_written_again_has_the_same_weights(reference: str, tmp_path: Path) -> None:
    save(built(reference), tmp_path / "model.onnx")
    first, again = weights(write(built(reference))), weights(write(load(tmp_path / "model.onnx")))
    assert first.keys() == again.keys()
    assert all(np.array_equal(first[name], again[name]) for name in first)


def test_half_precision_is_written_as_such() -> None:
    g = GraphBuilder()
    x = g.input("x", (1, 3, 6, 6), "float16")
    weight = g.weight("w", (4, 3, 3, 3), "float16")
    graph = g.build(*g.node("Conv", (x, weight), {"kernel_shape": (3, 3)}))
    model = write(graph)
    assert weights(model)["w"].dtype == np.float16
    assert {one.type.tensor_type.elem_type for one in model.graph.output} == {onnx.TensorProto.FLOAT16}
    onnx.checker.check_model(model, full_check=True)


# -- refusals


def with_node(op_type: str, attributes: Mapping[str, Any] | None = None, **options: Any) -> Graph:
    g = GraphBuilder("net")
    x = g.input("x", (1, 4, 6, 6))
    return g.build(*g.node(op_type, (x,), attributes, name="odd", declared=(x,), **options))


def unwritten() -> Graph:
    g = GraphBuilder("net")
    return g.build(g.relu(g.tensor(TensorSpec((2, 3), name="loose"))))


def huge() -> Graph:
    g = GraphBuilder("net")
    return g.build(g.linear(g.input("x", (1, 30_000)), 30_000))


def sized(batch: Any) -> Graph:
    return zoo.build("shufflenet_v2", batch=batch, resolution=64)


def resized() -> Graph:
    """A graph whose constants speak of another batch than its input."""
    g = GraphBuilder("net")
    x = g.input("x", (2, 4, 3, 3))
    graph = g.build(g.reshape(x, (2, 36)))
    tensors = {**graph.tensors, "x": TensorSpec((4, 4, 3, 3), name="x")}
    return Graph(graph.name, graph.inputs, graph.outputs, graph.nodes, tensors)


@pytest.mark.parametrize(
    ("graph", "options", "error", "message"),
    [
        (lambda: sized(symbol("N")), {}, UsageError, r"shufflenet_v2.*tensor '\w+' has N, which is no number.*build"),
        (lambda: sized(Column([1, 2])), {}, UsageError, r"tensor '\w+' has a column of sizes.*numbers for all sizes"),
        (small, {"opset": 17}, UsageError, r"net: opset 17 cannot be written; give one from 18 to \d+"),
        (small, {"opset": 999}, UsageError, r"net: opset 999 cannot be written; give one from 18"),
        (transformer, {"opset": 22}, ModelError, r"'encoder.attention' \(Attention\) is in ONNX from opset 23 on"),
        (lambda: with_node("Nonsense"), {}, ModelError, r"'odd' \(Nonsense\) is not in ONNX's opset 23; use"),
        (lambda: with_node("Relu", repeat=3), {}, ModelError, r"'odd' \(Relu\) runs 3 times, in a loop"),
        (
            lambda: with_node("Relu", {"slope": 3}),
            {},
            ModelError,
            r"'odd' \(Relu\) has attribute 'slope', as in another",
        ),
        (unwritten, {}, ModelError, r"tensor 'loose' is read, but nothing writes it; .*loop.*run the model"),
        (huge, {}, ModelError, r"net: its constants take 3\.6 GB, and an ONNX file holds 2 GB; take fewer channels"),
        (
            resized,
            {},
            ModelError,
            r"'reshape' \(Reshape\) .*elements: 144 against 72\); .*read or build it with the sizes",
        ),
    ],
)
def test_what_cannot_be_written_is_refused_with_a_remedy(
    graph: Any, options: Mapping[str, int], error: type[CostModelError], message: str
) -> None:
    made = graph()
    with pytest.raises(error) as raised:
        write(made, **options)
    assert re.search(message, str(raised.value)), raised.value


def test_a_file_that_cannot_be_written_is_one_clear_error_and_leaves_what_was_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no/such\.onnx: cannot be written .*; give another file"):
        save(small(), tmp_path / "no" / "such.onnx")
    target = tmp_path / "model.onnx"
    target.write_text("mine")
    with pytest.raises(ModelError):
        save(huge(), target)
    assert target.read_text() == "mine"
    save(small(), target)
    assert [one.name for one in tmp_path.iterdir()] == ["model.onnx"]
    assert analyze(target).totals.params == small().cost.params

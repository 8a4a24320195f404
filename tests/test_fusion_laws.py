"""What holds for the kernels of every network on every runtime."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from costmodel import zoo
from costmodel.builder import GraphBuilder
from costmodel.columns import Column
from costmodel.cost import Cost
from costmodel.graph import Graph
from costmodel.kernels import RUNTIMES, Kind, Runtime, fuse
from costmodel.kernels.flow import Flow, same_shape
from costmodel.kernels.fusion import CONTRACTIONS

EVERYTHING = replace(RUNTIMES["tensorrt"], name="everything", merges_copies=True, concats=1, blocks=16)
ALL = (*RUNTIMES.values(), EVERYTHING)
NETWORKS = (
    "shufflenet_v2,residual=1,se=1",
    "shufflenet_v1",
    "mobilenet_v3_small",
    "googlenet",
    "densenet121",
    "dla34",
    "nasbench201",
    "nasnet_a_mobile",
    "resnext50_32x4d,batch=2",
    "efficientnet_b0",
    "yolo_fastest_1_1",
    "inverted_residual",
)


def check(graph: Graph, runtime: Runtime) -> None:
    kernels = fuse(graph, runtime)
    its_own = [kernel for kernel in kernels if kernel.operators]
    cost = Cost.total(kernel.cost for kernel in its_own)

    names = [node.name for kernel in kernels for node in kernel.operators]
    assert sorted(names) == sorted(node.name for node in graph.nodes), "a partition"
    assert (cost.mult_adds, cost.params) == (graph.cost.mult_adds, graph.cost.params)
    for count in ("bytes", "memory_access", "element_ops", "input_elements", "output_elements", "weight_elements"):
        assert getattr(cost, count) <= getattr(graph.cost, count), count
    for kernel in kernels:
        assert all(getattr(kernel.cost, field.name) >= 0 for field in fields(Cost)), kernel
        assert (kernel.launches == 0) == (kernel.kind is Kind.VIEW), kernel
        assert (kernel.loops is not None) == (kernel.kind in CONTRACTIONS), kernel
        if kernel.loops:
            loops = kernel.loops
            run = loops.positions * loops.groups * loops.cin * loops.cout * loops.window
            assert run * kernel.repeat == kernel.cost.mult_adds, kernel
        if not kernel.operators:
            assert (kernel.op, kernel.cost.mult_adds, kernel.cost.weight_elements) == ("Reorder", 0, 0)
    check_order(graph, runtime)


def check_order(graph: Graph, runtime: Runtime) -> None:
    """Each kernel's inputs are written by earlier kernels."""
    flow = Flow.of(graph, runtime.prepares)
    ready = {*graph.inputs, *(name for name, spec in graph.tensors.items() if spec.is_constant)}
    running = [[n for n in kernel.operators if not flow.is_view(n)] for kernel in fuse(graph, runtime)]
    written = {name for nodes in running for node in nodes for name in node.outputs}
    for nodes in running:
        for node in nodes:
            assert {name for name in flow.sources[node.name] or () if name in written} <= ready, node.name
            ready.update(node.outputs)


@pytest.mark.parametrize("reference", NETWORKS)
def test_networks_of_the_zoo(reference):
    graph = zoo.load(reference)
    for runtime in ALL:
        check(graph, runtime)


STEPS = ["conv", "pointwise", "depthwise", "grouped", "norm", "relu", "hard_swish", "swish", "sigmoid", "add"]
STEPS += ["concat", "split", "shuffle", "pool", "se", "view", "zero", "reuse"]


def random_graph(steps: list[tuple[str, int]], channels: int = 8, dims: tuple[int, int] = (6, 5)) -> Graph:
    """A network of those steps; each number chooses the tensor that a step reads."""
    g = GraphBuilder("random")
    tensors = [g.input("input", (2, channels, *dims))]
    for step, place in steps:
        x = tensors[-1 - place % min(len(tensors), 3)]
        y = tensors[place % len(tensors)]
        c = (x.shape or ())[1]
        even = isinstance(c, Column) or c % 2 == 0
        if step == "conv":
            out = g.conv(x, channels, 3)
        elif step == "pointwise":
            out = g.conv(x, channels, bias=bool(place % 2))
        elif step == "depthwise":
            out = g.depthwise(x, (3, 5))
        elif step == "grouped":
            out = g.conv(x, channels, 3, groups=2) if even else x
        elif step == "norm":
            out = g.batch_norm(x)
        elif step == "add":
            same = [t for t in tensors if same_shape(t, x)]
            out = g.add(x, same[place % len(same)])
        elif step == "concat":
            out = g.concat((x, y))
        elif step == "split":
            tensors.extend(g.split(x, (1, c - 1)))
            continue
        elif step == "shuffle":
            out = g.channel_shuffle(x, 2) if even else x
        elif step == "pool":
            out = g.max_pool(x, 3, padding=1)
        elif step == "se":
            out = g.mul(x, g.sigmoid(g.conv(g.global_avg_pool(x), c)))
        elif step == "view":
            out = g.reshape(g.reshape(x, (2, -1)), x.shape or ())
        elif step == "zero":
            out = g.mul(x, g.values((0.0,), "float32", name="zero"))
        elif step == "reuse":
            out = g.mul(y, g.sigmoid(y))
        else:
            out = getattr(g, step)(x)
        tensors.append(out)
    outputs = {tensors[-1].name: tensors[-1], tensors[len(tensors) // 2].name: tensors[len(tensors) // 2]}
    return g.build(*outputs.values())


steps = st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 9)), min_size=1, max_size=14)


@settings(max_examples=60)
@given(steps)
def test_random_networks(steps):
    graph = random_graph(steps)
    for runtime in ALL:
        check(graph, runtime)


def check_columns(population: Graph, members: list[Graph], runtime: Runtime) -> None:
    together = fuse(population, runtime)
    for index, member in enumerate(members):
        alone = fuse(member, runtime)
        at = [kernel for kernel in together if not _is_absent(kernel.launches, index, kernel.kind)]
        assert [kernel.name for kernel in at] == [kernel.name for kernel in alone]
        for a, b in zip(at, alone, strict=True):
            assert (a.kind, a.op, _at(a.launches, index)) == (b.kind, b.op, b.launches)
            counts = [getattr(a.cost, field.name) for field in fields(Cost)]
            assert [_at(count, index) for count in counts] == [getattr(b.cost, field.name) for field in fields(Cost)]
            if b.loops:
                for name in ("batch", "groups", "cin", "cout"):
                    assert _at(getattr(a.loops, name), index) == getattr(b.loops, name)
                assert tuple(_at(dim, index) for dim in a.loops.size) == b.loops.size


def _is_absent(launches: object, index: int, kind: Kind) -> bool:
    """Whether a copy between layouts is none in this network."""
    return kind is not Kind.VIEW and isinstance(launches, Column) and _at(launches, index) == 0


def _at(dim: object, index: int) -> int:
    return int(dim.values[index % len(dim)]) if isinstance(dim, Column) else dim


@pytest.mark.parametrize("runtime", ALL, ids=lambda runtime: runtime.name)
@pytest.mark.parametrize("name", ["mobilenet_v2", "shufflenet_v2"])
def test_a_population_is_fused_as_its_members_are(name, runtime):
    batches, sizes = np.array([1, 2, 3]), np.array([64, 96, 224])
    members = [zoo.build(name, batch=int(b), resolution=int(s)) for b, s in zip(batches, sizes, strict=True)]
    check_columns(zoo.build(name, batch=batches, resolution=sizes), members, runtime)


@settings(max_examples=25)
@given(st.lists(st.tuples(st.sampled_from([s for s in STEPS if s != "view"]), st.integers(0, 9)), max_size=10))
def test_a_population_of_random_networks(steps):
    sizes = (np.array([6, 9, 4]), np.array([5, 8, 3]))
    members = [random_graph(steps, dims=(int(h), int(w))) for h, w in zip(*sizes, strict=True)]
    population = random_graph(steps, dims=tuple(Column(size) for size in sizes))
    for runtime in ALL:
        check_columns(population, members, runtime)


def widths(channels):
    """Two convolutions and a classifier of a given width."""
    g = GraphBuilder("widths")
    y = g.relu(g.batch_norm(g.conv(g.input("input", (1, 3, 9, 7)), channels, 3)))
    y = g.max_pool(g.depthwise(y, 3), 3, padding=1)
    y = g.relu(g.conv(g.sigmoid(g.conv(y, channels)), 32))
    return g.build(g.linear(g.flatten(g.global_avg_pool(y)), 10))


@pytest.mark.parametrize("runtime", ALL, ids=lambda runtime: runtime.name)
def test_widths_whose_layouts_differ(runtime):
    """16 fills blocks of channels, 12 can be copied into them, 58 cannot."""
    values = np.array([16, 12, 58, 64, 60])
    check_columns(widths(Column(values)), [widths(int(value)) for value in values], runtime)

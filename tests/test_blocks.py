"""Building blocks found from graphs: the paper's counts, and the graph algorithms against networkx and brute force."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import networkx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import costmodel
from costmodel import GraphBuilder
from costmodel.graph import TensorSpec
from costmodel.guidelines.blocks import Block, _matched, _Tree, blocks
from costmodel.guidelines.network import Network

DEPTH = 8


def found(model: str | costmodel.Graph) -> list[Block]:
    return blocks(Network.of(costmodel.analyze(model).graph), DEPTH)


def fragments(model: str | costmodel.Graph) -> list[int]:
    return [len(block.fragments) for block in found(model)]


def test_nasnet_a_has_13_fragments_in_a_cell() -> None:
    """The paper's count (Section 2, G3); cells behind a reduction have more, for they also shrink an input."""
    counts = fragments("zoo:nasnet_a_mobile")
    assert max(set(counts), key=counts.count) == 13


def test_resnet_has_2_or_3_fragments_in_a_block() -> None:
    """The paper's count of a regular structure (Section 2, G3)."""
    assert fragments("zoo:resnet18") == [2] * 8
    assert fragments("zoo:resnet50") == [3] * 16


def test_googlenet_has_7_fragments_in_a_module_four_of_them_side_by_side() -> None:
    assert [(len(block.fragments), block.depth, block.width) for block in found("zoo:googlenet")] == [(7, 2, 4)] * 9


def test_shufflenet_v2_has_few_fragments() -> None:
    """Figure 3c and 3d: a depthwise and the 1x1 convolution after it are one separable convolution."""
    blocks = found("zoo:shufflenet_v2")
    assert sorted({(len(block.fragments), block.width) for block in blocks}) == [(2, 1), (3, 2)]
    assert len(blocks) == 4 + 8 + 4


def test_table_3s_blocks_have_the_fragments_that_it_says() -> None:
    for count in (2, 4):
        parallel = found(f"zoo:paper_g3,fragments={count},arrangement=parallel")
        assert [(len(block.fragments), block.depth, block.width) for block in parallel] == [(count, 1, count)] * 10
        assert found(f"zoo:paper_g3,fragments={count},arrangement=series") == []


def test_blocks_before_and_behind_a_loop_are_found() -> None:
    """Of a Loop the graph has the body alone: what it writes comes from no operator, what it reads leads nowhere."""
    g = GraphBuilder("looped")
    x = g.input("x", (1, 16, 8, 8))
    g.relu(g.concat([g.conv(x, 16) for _ in range(4)]), name="body")
    written = g.tensor(TensorSpec((1, 64, 8, 8), name="written"))
    graph = g.build(g.relu(g.concat([g.conv(written, 16) for _ in range(5)])))
    assert fragments(graph) == [4, 5]


def test_a_dense_block_is_no_wide_block() -> None:
    assert {block.width for block in found("zoo:densenet121")} == {1}


def test_a_u_net_is_not_one_block() -> None:
    g = GraphBuilder("unet")
    x = g.relu(g.conv(g.input("x", (1, 3, 64, 64)), 8, 3, name="in"))
    skips = []
    for level in range(3):
        x = g.relu(g.conv(g.conv(x, 8, 3, name=f"a{level}"), 8, 3, name=f"b{level}"), f"r{level}")
        skips.append(x)
        x = g.max_pool(x, 2, stride=2, name=f"pool{level}")
    for level in reversed(range(3)):
        x = g.concat((skips[level], g.upsample(x, 2, name=f"up{level}")), name=f"join{level}")
        x = g.conv(g.conv(x, 8, 3, name=f"c{level}"), 8, 3, name=f"d{level}")
    assert all(block.width == 1 for block in found(g.build(x)))


def test_a_projection_on_the_shortcut_is_not_counted() -> None:
    g = GraphBuilder("residual")
    x = g.conv(g.input("x", (1, 8, 16, 16)), 8, name="before")
    y = g.conv(g.relu(g.conv(x, 16, 3, stride=2, name="a")), 16, 3, name="b")
    short = g.conv(g.avg_pool(x, 2, stride=2), 16, name="projection")
    (block,) = found(g.build(g.relu(g.add(y, short), "out")))
    assert [fragment[-1].name for fragment in block.fragments] == ["a", "b"]


def test_a_gate_is_part_of_its_block() -> None:
    g = GraphBuilder("gated")
    x = g.conv(g.input("x", (1, 8, 16, 16)), 16, name="before")
    y = g.depthwise(g.relu(g.conv(x, 32, name="expand")), name="depthwise")
    gate = g.sigmoid(g.conv(g.relu(g.conv(g.global_avg_pool(y), 4, name="down"), "r"), 32, name="up"))
    (block,) = found(g.build(g.add(x, g.conv(g.mul(y, gate), 16, name="project"))))
    assert len(block.fragments) == 6
    assert block.width == 1


def test_networks_without_convolutions_have_no_blocks() -> None:
    g = GraphBuilder("dense")
    x = g.input("x", (1, 8))
    assert found(g.build(g.add(g.linear(x, 8, name="a"), x))) == []


# The algorithms

EDGES = st.integers(2, 14).flatmap(
    lambda size: st.lists(
        st.tuples(st.integers(0, size - 1), st.integers(0, size - 1)).filter(lambda edge: edge[0] < edge[1]),
        max_size=40,
    ).map(lambda edges: (size, sorted(set(edges))))
)


@settings(max_examples=200, deadline=None)
@given(EDGES)
def test_dominators_are_networkx_s(graph: tuple[int, Sequence[tuple[int, int]]]) -> None:
    size, edges = graph
    before = {str(v): [str(a) for a, b in edges if b == v] for v in range(size)}
    tree = _Tree.of([str(v) for v in range(1, size)], before, "0")
    peer: networkx.DiGraph[str] = networkx.DiGraph()
    peer.add_nodes_from(map(str, range(size)))
    peer.add_edges_from((str(a), str(b)) for a, b in edges)
    expected = {v: above for v, above in networkx.immediate_dominators(peer, "0").items() if v != "0"}
    assert tree.parent == expected
    below: networkx.DiGraph[str] = networkx.DiGraph([(above, v) for v, above in expected.items()])
    below.add_node("0")
    for v in tree.span:
        assert {w for w in tree.span if tree.is_below(w, v)} == networkx.descendants(below, v)


@settings(max_examples=100, deadline=None)
@given(EDGES.filter(lambda graph: graph[0] <= 9))
def test_the_width_is_the_largest_set_of_fragments_that_do_not_wait_for_each_other(
    graph: tuple[int, Sequence[tuple[int, int]]],
) -> None:
    size, edges = graph
    order = networkx.transitive_closure_dag(networkx.DiGraph([*edges, (-2, -1)]))
    waits = [sum(1 << a for a in range(size) if order.has_edge(a, b)) for b in range(size)]
    widest = max(
        len(chosen)
        for count in range(size + 1)
        for chosen in combinations(range(size), count)
        if not any(order.has_edge(a, b) for a, b in combinations(chosen, 2))
    )
    assert size - _matched(waits) == widest


@pytest.mark.parametrize("model", ["zoo:googlenet", "zoo:resnet50", "zoo:nasnet_a_mobile", "zoo:hrnet_w18"])
def test_blocks_do_not_overlap_and_only_their_last_operator_is_read_outside(model: str) -> None:
    graph = costmodel.analyze(model).graph
    readers: dict[str, set[str]] = {}
    for node in graph.nodes:
        for name in node.inputs:
            readers.setdefault(name, set()).add(node.name)
    seen: set[str] = set()
    for block in blocks(Network.of(graph), DEPTH):
        names = {node.name for node in block.operators}
        assert seen.isdisjoint(names)
        seen |= names
        for node in block.operators[:-1]:
            assert all(readers[name] <= names for name in node.outputs if name in readers), node.name

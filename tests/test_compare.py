"""costmodel compare: which layers of two networks are the same, whatever their names and their spelling."""

from __future__ import annotations

import itertools
import json
import math
import os
import random
import re
import warnings
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from onnx_models import FLOAT, ints, model, node, save, scalar, value, weight
from torch import nn

from costmodel.analysis import Analysis, analyze
from costmodel.builder import GraphBuilder
from costmodel.cli import main
from costmodel.comparing import Comparison, Difference, State, Verdict, compare
from costmodel.dims import symbol
from costmodel.errors import UsageError
from costmodel.graph import Graph, TensorSpec
from costmodel.platforms import platforms
from costmodel.predictor import quantile_of
from costmodel.report import compare_json, compare_markdown, compare_text
from costmodel.report.compare_cells import headline, spelled_line

PAGE = (Path(__file__).parents[1] / "docs" / "compare.md").read_text(encoding="utf-8")
GPU, ARM = "gtx1080ti-cudnn7-fp32", "snapdragon810-neon-fp32-1t"
BLOCKS = ((24, 2), (24, 1), (40, 2), (40, 1), (40, 1), (64, 2), (64, 1))  # channels out and stride of each block


def network(
    hidden: Mapping[int, int] | None = None,
    *,
    blocks: tuple[tuple[int, int], ...] = BLOCKS,
    names: Callable[[str], str] = str,
    bare: tuple[int, ...] = (),
    kernel: Mapping[int, int] | None = None,
    resolution: int = 64,
) -> Graph:
    """A MobileNet V2 in small. hidden: other widths inside blocks; bare: blocks without the first activation."""
    b = GraphBuilder("network")
    x = b.input("x", (1, 3, resolution, resolution))
    x = b.relu(b.batch_norm(b.conv(x, 16, 3, stride=2, name=names("stem")), name=names("stem_norm")))
    for i, (channels, stride) in enumerate(blocks):
        before, width = x, (hidden or {}).get(i, 6 * (x.shape or ())[1])
        y = b.batch_norm(b.conv(x, width, 1, name=names(f"block{i}.expand")), name=names(f"block{i}.norm0"))
        y = y if i in bare else b.relu(y)
        y = b.depthwise(y, (kernel or {}).get(i, 3), stride=stride, name=names(f"block{i}.depthwise"))
        y = b.relu(b.batch_norm(y, name=names(f"block{i}.norm1")))
        x = b.batch_norm(b.conv(y, channels, 1, name=names(f"block{i}.project")), name=names(f"block{i}.norm2"))
        if before.shape == x.shape:
            x = b.add(before, x)
    x = b.flatten(b.global_avg_pool(x))
    return b.build(b.linear(x, 10, name=names("fc")))


def compared(before: Graph | str | Path, after: Graph | str | Path, *ids: str) -> Comparison:
    return compare(analyze(before, platform=ids), analyze(after, platform=ids))


def labels(comparison: Comparison, *states: State) -> list[str]:
    return [one.layer.label for one in comparison.of(*states)]


def counting() -> Callable[[str], str]:
    """Names as exporters give them by counting."""
    numbers = itertools.count()
    return lambda name: f"node_{next(numbers)}"


def touched(comparison: Comparison) -> dict[str, list[str]]:
    """The layers of every state but same."""
    return {
        state.value: labels(comparison, state) for state in State if state is not State.SAME and comparison.of(state)
    }


def changes(one: Difference) -> dict[str, tuple[str, str]]:
    return {change.fact: (change.before, change.after) for change in one.changes}


# -- the same network


@pytest.mark.parametrize("name", ["zoo:mobilenet_v2", "zoo:shufflenet_v2", "zoo:googlenet", "zoo:densenet121"])
def test_a_network_is_the_same_as_itself(name: str) -> None:
    comparison = compared(name, name, GPU)
    assert comparison.verdict is Verdict.SAME
    assert {one.state for one in comparison.differences} == {State.SAME}
    assert comparison.delays[0].seconds == comparison.delays[0].low == comparison.delays[0].high == 0
    assert (comparison.renamed, dict(comparison.spelled)) == (0, {})


@cache
def torchvision_models() -> Any:
    # Where torchvision's compiled extension does not load, importing it still takes these two to be defined.
    library = torch.library.Library("torchvision", "FRAGMENT")
    for operator in ("nms", "qnms"):
        if not hasattr(torch.ops.torchvision, operator):
            library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    from torchvision import models

    return models


def exported(network: nn.Module, path: Path, **options: Any) -> Path:
    """By TorchScript's exporter, or with dynamo=True by the other one."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(network.eval(), (torch.zeros(1, 3, 64, 64),), str(path), **options)
    return path


def by_two_exporters(network: nn.Module, folder: Path) -> dict[str, Path]:
    """norms: batch normalisation is not folded into the convolutions before it. free: with shapes worked out."""
    kept = torch.onnx.TrainingMode.PRESERVE
    free = {"input_names": ["x"], "dynamic_axes": {"x": {0: "batch"}}}
    return {
        "script": exported(network, folder / "script.onnx", dynamo=False),
        "free": exported(network, folder / "free.onnx", dynamo=False, **free),
        "norms": exported(network, folder / "norms.onnx", dynamo=False, training=kept),
        "dynamo": exported(network, folder / "dynamo.onnx", dynamo=True, external_data=False, verbose=False),
    }


@pytest.mark.slow
@pytest.mark.parametrize(("name", "layers"), [("mobilenet_v2", 64), ("shufflenet_v2_x1_0", 104)])
def test_exports_by_different_exporters_are_the_same_network(name: str, layers: int, tmp_path: Path) -> None:
    paths = by_two_exporters(torchvision_models().get_model(name, weights=None), tmp_path)
    for before, after in (("script", "dynamo"), ("free", "dynamo"), ("norms", "dynamo"), ("script", "norms")):
        comparison = compared(paths[before], paths[after])
        assert comparison.verdict is Verdict.SAME, (before, after)
        assert len(comparison.of(State.SAME)) == len(comparison.differences) == layers
        assert comparison.before.totals.mult_adds == comparison.after.totals.mult_adds
    assert comparison.spelled["BatchNormalization"] == sum(
        isinstance(module, nn.BatchNorm2d) for module in torchvision_models().get_model(name, weights=None).modules()
    )
    line = spelled_line(comparison)
    assert "\n" not in line
    assert line.startswith("Written differently, which changes no layer: ")
    assert f"{comparison.spelled['BatchNormalization']} BatchNormalization" in line
    ours = compared(paths["dynamo"], f"zoo:{name.removesuffix('_x1_0')},resolution=64")
    assert ours.verdict is Verdict.SAME


CONVOLUTIONAL = (
    "resnet18", "mobilenet_v3_small", "efficientnet_b0", "densenet121", "googlenet", "squeezenet1_1", "mnasnet0_5",
    "regnet_y_400mf",
)  # fmt: skip


@pytest.mark.thorough
@pytest.mark.parametrize("name", CONVOLUTIONAL)
def test_networks_of_torchvision_are_the_same_by_every_exporter_opset_and_optimizer(name: str, tmp_path: Path) -> None:
    options = {"init_weights": False, "aux_logits": False} if name == "googlenet" else {}
    built = torchvision_models().get_model(name, weights=None, **options)
    paths = by_two_exporters(built, tmp_path)
    paths |= {
        f"opset{opset}": exported(built, tmp_path / f"{opset}.onnx", dynamo=False, opset_version=opset)
        for opset in (13, 18)
    }
    for source in ("script", "dynamo"):
        paths[f"optimized {source}"] = optimized(paths[source], tmp_path / f"optimized_{source}.onnx")
    for other, path in paths.items():
        assert compared(paths["script"], path).verdict is Verdict.SAME, other


@pytest.mark.thorough
def test_a_vision_transformer_is_the_same_by_both_exporters(tmp_path: Path) -> None:
    """One of them expands the class token to a batch of 1."""
    built = torchvision_models().vit_b_16(weights=None, image_size=64)
    script = exported(built, tmp_path / "script.onnx", dynamo=False)
    dynamo = exported(built, tmp_path / "dynamo.onnx", dynamo=True, external_data=False, verbose=False)
    comparison = compared(script, dynamo)
    assert comparison.verdict is Verdict.SAME, touched(comparison)
    assert comparison.spelled["Expand"] == -1


def optimized(path: Path, result: Path) -> Path:
    """As ONNX Runtime writes it with its basic optimizations."""
    onnxruntime = pytest.importorskip("onnxruntime")
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(result)
    onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return result


@pytest.mark.slow
def test_a_pruned_copy_by_another_exporter_has_exactly_the_pruned_layers_changed(tmp_path: Path) -> None:
    original = torchvision_models().mobilenet_v2(weights=None)
    before = exported(original, tmp_path / "before.onnx", dynamo=False)
    narrow = original.features[8].conv
    narrow[0][0], narrow[0][1] = nn.Conv2d(64, 320, 1, bias=False), nn.BatchNorm2d(320)
    narrow[1][0], narrow[1][1] = nn.Conv2d(320, 320, 3, padding=1, groups=320, bias=False), nn.BatchNorm2d(320)
    narrow[2] = nn.Conv2d(320, 64, 1, bias=False)
    after = exported(original, tmp_path / "after.onnx", dynamo=True, external_data=False, verbose=False)
    comparison = compared(before, after)
    assert touched(comparison) == {
        "changed": ["features.8.conv.0.0"],
        "follows": ["features.8.conv.1.0", "features.8.conv.2"],
    }
    assert changes(comparison.of(State.CHANGED)[0]) == {"channels out": ("384", "320")}
    # 64 channels fewer in 4x4 positions: 64 x 64 twice, 3 x 3 x 64 once
    assert sum(one.mult_adds for one in comparison.differences) == -16 * (2 * 64 * 64 + 9 * 64)


def test_an_activation_may_be_a_chain() -> None:
    def activated(chain: bool) -> Graph:
        b = GraphBuilder("activated")
        x = b.conv(b.input("x", (1, 3, 8, 6)), 8, 3, name="stem")
        if not chain:
            return b.build(b.node("HardSwish", [x])[0])
        zero, three, six = (b.values([item], "float32") for item in (0.0, 3.0, 6.0))
        gate = b.node("Clip", [b.add(x, three), zero, six])[0]
        return b.build(b.node("Div", [b.node("Mul", [x, gate])[0], six])[0])

    comparison = compared(activated(True), activated(False))
    assert comparison.verdict is Verdict.SAME
    assert dict(comparison.of(State.SAME)[0].layer.own)["activation"] == "HardSwish"


def test_spellings_of_one_layer_do_not_count(tmp_path: Path) -> None:
    """HardSwish and a chain, GlobalAveragePool and ReduceMean, Gemm and MatMul, Split and slices, Clip and Relu."""
    images = [value("x", (1, 8, 6, 5))]
    cut = [
        node("Split", ["x"], ["a", "b"], name="cut", axis=1, num_outputs=2),
        node("Conv", ["a", "w"], ["c"], name="conv"),
        node("Relu", ["c"], ["r"], name="act"),
        node("Concat", ["r", "b"], ["y"], name="join", axis=1),
        node("GlobalAveragePool", ["y"], ["m"], name="mean"),
        node("Flatten", ["m"], ["f"], name="flat"),
        node("Gemm", ["f", "v", "bias"], ["out"], name="fc"),
    ]
    constants = [weight("w", 8, 4, 1, 1), weight("v", 12, 10), weight("bias", 10)]
    one = save(model(cut, images, constants, outputs=[value("out", (1, 10))]), tmp_path, "one.onnx")
    sliced = [
        node("Slice", ["x", "four", "eight", "axis"], ["b"], name="node_slice_2"),
        node("Slice", ["x", "zero", "four", "axis"], ["a"], name="node_slice_1"),
        node("Conv", ["a", "w"], ["c"], name="node_conv"),
        node("Clip", ["c", "low"], ["r"], name="node_clip"),
        node("Identity", ["r"], ["r2"], name="node_same"),
        node("Concat", ["r2", "b"], ["y"], name="node_join", axis=1),
        node("ReduceMean", ["y", "hw"], ["m"], name="node_mean", keepdims=0),
        node("MatMul", ["m", "v"], ["product"], name="node_matmul"),
        node("Add", ["product", "bias"], ["out"], name="node_bias"),
    ]
    constants += [ints("zero", 0), ints("four", 4), ints("eight", 8), ints("axis", 1), ints("hw", 2, 3)]
    constants.append(scalar("low", 0.0, FLOAT))
    other = save(model(sliced, images, constants, outputs=[value("out", (1, 10))]), tmp_path, "other.onnx")
    comparison = compared(one, other)
    assert comparison.verdict is Verdict.SAME, touched(comparison)
    assert [one.layer.op for one in comparison.differences] == ["Split", "Conv", "Concat", "GlobalAveragePool", "Gemm"]
    assert comparison.spelled["Slice"] == 2
    assert comparison.spelled["GlobalAveragePool"] == -1
    assert comparison.renamed == 5


def test_a_parameter_expanded_to_the_size_it_has_is_that_parameter(tmp_path: Path) -> None:
    """One exporter expands a class token to a batch of 1, another concatenates the token itself."""

    def joined(name: str, expanded: bool, batch: int = 1) -> Path:
        nodes = [node("Expand", ["token", "size"], ["t"], name="grow")] if expanded else []
        nodes.append(node("Concat", ["t" if expanded else "token", "x"], ["y"], name="join", axis=1))
        nodes.append(node("Relu", ["y"], ["out"], name="act"))
        constants = [weight("token", 1, 1, 6), ints("size", batch, 1, 6)]
        images, result = [value("x", (batch, 5, 6))], [value("out", (batch, 6, 6))]
        return save(model(nodes, images, constants, outputs=result), tmp_path, name)

    comparison = compared(joined("a.onnx", True), joined("b.onnx", False))
    assert comparison.verdict is Verdict.SAME, touched(comparison)
    assert comparison.spelled["Expand"] == -1
    grown = compared(joined("c.onnx", True, 2), joined("d.onnx", True, 1))
    assert labels(grown, State.REMOVED) == ["grow"]


def test_names_do_not_count() -> None:
    comparison = compared(network(), network(names=counting()))
    assert comparison.verdict is Verdict.SAME
    assert comparison.renamed == 1 + 3 * len(BLOCKS) + 1  # additions and the mean have names of their own


def test_the_order_of_branches_does_not_count() -> None:
    def branches(order: tuple[int, ...]) -> Graph:
        b = GraphBuilder("branches")
        x = b.conv(b.input("x", (1, 3, 8, 6)), 8, 3, name="stem")
        made: dict[int, TensorSpec] = {}
        for place in order:
            made[place] = b.conv(b.conv(x, 8, 1, name=f"node_{order.index(place)}_a"), 8, 3, name=f"node_{place}_b")
        return b.build(b.concat([made[place] for place in sorted(made)]))

    assert compared(branches((0, 1, 2)), branches((2, 0, 1))).verdict is Verdict.SAME


def test_an_addition_may_name_its_terms_in_either_order() -> None:
    def added(flipped: bool) -> Graph:
        b = GraphBuilder("added")
        x = b.conv(b.input("x", (1, 3, 8, 6)), 8, 3, name="stem")
        left, right = b.conv(x, 8, 1, name="left"), b.conv(b.conv(x, 4, 3, name="squeeze"), 8, 3, name="right")
        return b.build(b.add(right, left) if flipped else b.add(left, right))

    assert compared(added(False), added(True)).verdict is Verdict.SAME


# -- networks that differ


def test_pruned_blocks_are_named_and_nothing_else() -> None:
    comparison = compared(network(), network({1: 96, 4: 200}))
    assert comparison.verdict is Verdict.DIFFERENT
    assert touched(comparison) == {
        "changed": ["block1.expand", "block4.expand"],
        "follows": ["block1.depthwise", "block1.project", "block4.depthwise", "block4.project"],
    }
    assert [changes(one) for one in comparison.of(State.CHANGED)] == [
        {"channels out": ("144", "96")},
        {"channels out": ("240", "200")},
    ]
    total = comparison.after.totals.mult_adds - comparison.before.totals.mult_adds
    assert sum(one.mult_adds for one in comparison.differences) == total < 0


def test_pruned_blocks_are_found_under_other_names() -> None:
    comparison = compared(network(), network({1: 96, 4: 200}, names=counting()))
    assert [one.before.name for one in comparison.of(State.CHANGED) if one.before] == ["block1.expand", "block4.expand"]
    assert len(comparison.of(State.FOLLOWS)) == 4
    assert not comparison.of(State.ADDED, State.REMOVED)


@pytest.mark.parametrize("counted", [False, True])
def test_an_added_block_is_added_and_nothing_else_is_touched(counted: bool) -> None:
    """Also where every name behind it counts on."""

    def names() -> Callable[[str], str]:
        return counting() if counted else str

    longer = (*BLOCKS[:4], (40, 1), *BLOCKS[4:])
    comparison = compared(network(names=names()), network(blocks=longer, names=names()))
    added = comparison.of(State.ADDED)
    assert [one.layer.op for one in added] == ["Conv", "Conv", "Conv", "Add"]
    assert [one.layer.own.get("groups") for one in added] == ["1", "depthwise", "1", None]
    assert {one.state for one in comparison.differences} == {State.SAME, State.ADDED}
    back = compared(network(blocks=longer, names=names()), network(names=names()))
    assert {one.state for one in back.differences} == {State.SAME, State.REMOVED}
    assert len(back.of(State.REMOVED)) == 4


def test_a_removed_block_with_names_of_its_own_is_the_one_that_is_missing() -> None:
    def named(name: str) -> str:
        block, dot, rest = name.partition(".")
        kept = block.removeprefix("block")
        return f"block{int(kept) + 1}.{rest}" if dot and int(kept) >= 3 else name

    comparison = compared(network(), network(blocks=(*BLOCKS[:3], *BLOCKS[4:]), names=named))
    assert labels(comparison, State.REMOVED)[:3] == ["block3.expand", "block3.depthwise", "block3.project"]
    assert len(comparison.of(State.REMOVED)) == 4
    assert not comparison.of(State.CHANGED, State.ADDED, State.FOLLOWS)


@pytest.mark.parametrize("seed", range(3))
def test_random_edits_of_random_networks_are_found_as_they_were_made(seed: int) -> None:
    """Blocks dropped that keep channels and sizes, others pruned, and every name but additions' given by counting."""
    draw = random.Random(seed)
    for _ in range(12):
        blocks = [(draw.choice((24, 40)), draw.choice((1, 1, 1, 1, 2))) for _ in range(draw.randint(4, 14))]
        like = [i for i in range(1, len(blocks)) if blocks[i][1] == 1 and blocks[i][0] == blocks[i - 1][0]]
        dropped = draw.choice(like) if like else None
        kept = tuple(block for i, block in enumerate(blocks) if i != dropped)
        pruned = {i: draw.choice((50, 70)) for i in draw.sample(range(len(kept)), 2)}
        before = network(blocks=tuple(blocks), names=counting())
        after = network(pruned, blocks=kept, names=counting())
        comparison = compared(before, after)
        found = {state.value: len(comparison.of(state)) for state in State if state is not State.SAME}
        assert found == {"changed": 2, "follows": 4, "added": 0, "removed": 0 if dropped is None else 4}, blocks


def test_a_removed_activation_is_a_change_of_the_layer_that_it_was_part_of() -> None:
    comparison = compared(network(), network(bare=(2,)))
    assert touched(comparison) == {"changed": ["block2.expand"]}
    assert changes(comparison.of(State.CHANGED)[0]) == {"activation": ("Relu", "")}
    assert "activation Relu → none" in compare_text.render(comparison)


def test_a_changed_kernel_is_one_change() -> None:
    comparison = compared(network(), network(kernel={3: 5}))
    assert touched(comparison) == {"changed": ["block3.depthwise"]}
    assert changes(comparison.of(State.CHANGED)[0]) == {"kernel": ("3x3", "5x5")}
    # 6 x 40 channels in 8x8 positions
    assert sum(one.mult_adds for one in comparison.differences) == 8 * 8 * 240 * (5 * 5 - 3 * 3)


def test_a_changed_stride_is_the_one_cause_of_what_follows() -> None:
    comparison = compared(network(), network(blocks=(*BLOCKS[:5], (64, 1), BLOCKS[6])))
    assert labels(comparison, State.CHANGED) == ["block5.depthwise"]
    assert changes(comparison.of(State.CHANGED)[0])["strides"] == ("2x2", "1x1")
    assert not comparison.of(State.ADDED, State.REMOVED)
    # behind it: its projection, the block after it with its addition, and the mean, but not the classifier
    follow = comparison.of(State.FOLLOWS)
    assert [one.layer.op for one in follow] == ["Conv", "Conv", "Conv", "Conv", "Add", "GlobalAveragePool"]


def test_another_resolution_touches_no_layer() -> None:
    comparison = compared(network(), network(resolution=96))
    assert comparison.verdict is Verdict.DIFFERENT
    assert not comparison.of(State.CHANGED, State.ADDED, State.REMOVED)
    assert [(change.before, change.after) for change in comparison.inputs] == [
        ("1x3x64x64 float32", "1x3x96x96 float32")
    ]
    assert labels(comparison, State.SAME) == ["fc"]


def test_a_narrower_network_is_the_same_one_with_other_widths() -> None:
    comparison = compared("zoo:mobilenet_v2", "zoo:mobilenet_v2,width=0.75")
    assert comparison.verdict is Verdict.DIFFERENT
    assert not comparison.of(State.ADDED, State.REMOVED)
    assert all(one.before is not None and one.before.name == one.layer.name for one in comparison.differences)


def test_a_deeper_network_has_its_further_blocks_added() -> None:
    comparison = compared("zoo:resnet18", "zoo:resnet34")
    assert {one.state for one in comparison.differences} == {State.SAME, State.ADDED}
    # 2, 2, 2, 2 blocks against 3, 4, 6, 3, each of two convolutions and an addition
    assert len(comparison.of(State.ADDED)) == 3 * (1 + 2 + 4 + 1)


def test_a_shortcut_from_elsewhere_is_a_difference_though_every_layer_is_there() -> None:
    def wired(source: int) -> Graph:
        b = GraphBuilder("wired")
        made = [b.conv(b.input("x", (1, 8, 8, 6)), 8, 3, name="c0")]
        for i in range(1, 4):
            made.append(b.conv(made[-1], 8, 3, name=f"c{i}"))
        return b.build(b.add(made[source], made[-1]))

    comparison = compared(wired(0), wired(1))
    assert comparison.verdict is Verdict.DIFFERENT
    assert changes(comparison.of(State.CHANGED)[0]) == {"reads": ("c0, c3", "c1, c3")}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("zoo:mobilenet_v2", "zoo:resnet50"),
        ("zoo:vgg16", "zoo:squeezenet1_1"),
        ("zoo:googlenet", "zoo:densenet121"),
        ("zoo:shufflenet_v2", "zoo:shufflenet_v1"),
    ],
)
def test_different_networks_are_said_to_be_so_without_a_list_of_both(before: str, after: str) -> None:
    comparison = compared(before, after, ARM)
    assert comparison.verdict is Verdict.UNRELATED
    for text in (compare_text.render(comparison, 80), compare_markdown.render(comparison)):
        assert "Different networks: " in text
        assert len(text.splitlines()) < 30


# -- milliseconds


def test_the_difference_on_a_platform_is_that_of_the_two_latencies() -> None:
    comparison = compared(network(), network({1: 96}), GPU, ARM)
    for place, delay in enumerate(comparison.delays):
        before, after = (one.predictions[place].latency.seconds for one in (comparison.before, comparison.after))
        assert (delay.before, delay.after) == (before, after)
        assert delay.seconds == after - before
        assert delay.low < delay.seconds < delay.high
        assert math.isclose(delay.share, (after - before) / before)
        parts = sum(one.seconds[place][1] - one.seconds[place][0] for one in comparison.differences)
        fixed = comparison.after.predictions[place].fixed - comparison.before.predictions[place].fixed
        assert math.isclose(parts + fixed, delay.seconds, rel_tol=1e-6)


def reach(analysis: Analysis, seconds: Mapping[str, float]) -> float:
    """Half of the interval of seconds of several kinds of kernel, as platforms.md has the doubt."""
    platform = analysis.platforms[0]
    kinds = (platform.doubt.kinds.get(kind, 1.0) * part for kind, part in seconds.items())
    spread = math.hypot(platform.doubt.network * sum(seconds.values()), *kinds)
    return quantile_of(platform, 0.9) * spread


def by_kind(analysis: Analysis) -> dict[str, float]:
    result: dict[str, float] = {}
    for item in analysis.predictions[0].kernels:
        result[item.kernel.kind.value] = result.get(item.kernel.kind.value, 0.0) + item.estimate.seconds
    return result


def test_networks_that_share_nothing_are_in_doubt_by_both_predictions() -> None:
    def one(op: str) -> Graph:
        b = GraphBuilder(op)
        x = b.input("x", (1, 64, 56, 56))
        return b.build(b.max_pool(x, 2, stride=2) if op == "pool" else b.conv(x, 64, 3, name="conv"))

    before, after = (analyze(one(op), platform=GPU) for op in ("pool", "conv"))
    delay = compare(before, after).delays[0]
    sides = [reach(analysis, by_kind(analysis)) for analysis in (before, after)]
    assert before.predictions[0].fixed == after.predictions[0].fixed
    assert math.isclose(delay.high - delay.seconds, math.hypot(*sides), rel_tol=1e-9)


def test_what_was_only_removed_is_in_doubt_by_itself() -> None:
    """Not the network around it, of which the same is wrong in both predictions."""
    longer = (*BLOCKS[:4], (40, 1), *BLOCKS[4:])
    before, after = (analyze(network(blocks=blocks), platform=GPU) for blocks in (longer, BLOCKS))
    delay = compare(before, after).delays[0]
    now = by_kind(after)
    lost = {kind: seconds - now.get(kind, 0.0) for kind, seconds in by_kind(before).items()}
    # what is in both differs by what the platform stretches a longer run by, well under a percent
    assert math.isclose(delay.high - delay.seconds, reach(before, lost), rel_tol=0.02)
    assert delay.certain
    assert delay.high - delay.low < 0.5 * (before.predictions[0].latency.high - before.predictions[0].latency.low)


def test_all_platforms_that_there_are_compare() -> None:
    ids = tuple(platforms())
    comparison = compared("zoo:shufflenet_v2", "zoo:shufflenet_v2,se=1", *ids)
    assert [delay.platform for delay in comparison.delays] == list(ids)
    assert all(math.isfinite(delay.low) and delay.low <= delay.seconds <= delay.high for delay in comparison.delays)


def test_analyses_for_other_platforms_or_of_symbols_are_refused() -> None:
    with pytest.raises(UsageError, match=f"the platforms are not the same: {GPU} and none"):
        compare(analyze(network(), platform=GPU), analyze(network()))
    with pytest.raises(UsageError, match="give all sizes"):
        compare(analyze("zoo:resnet18", batch=symbol("n")), analyze("zoo:resnet18"))


# -- size


@pytest.mark.thorough
def test_the_one_removed_among_five_thousand_blocks_alike_is_found() -> None:
    def deep(without: int) -> Graph:
        b = GraphBuilder("deep")
        x = b.input("x", (1, 8, 4, 4))
        for i in range(5000):
            if i != without:
                y = b.conv(x, 8 + 8 * (i % 3), 1 + 2 * (i % 7 == 0), name=f"node_{i}_a")
                x = b.add(x, b.conv(b.relu(y), 8, 1, name=f"node_{i}_b"))
        return b.build(x)

    before, after = analyze(deep(-1)), analyze(deep(2345))
    assert len(before.operators) == 20_000
    comparison = compare(before, after)  # a pass that is quadratic takes minutes here
    assert labels(comparison, State.REMOVED)[:2] == ["node_2345_a", "node_2345_b"]
    assert {one.state for one in comparison.differences} == {State.SAME, State.REMOVED}
    assert len(comparison.of(State.REMOVED)) == 3


# -- what is printed


def run(capsys: pytest.CaptureFixture[str], *words: str, status: int = 0) -> tuple[str, str]:
    assert main(["compare", *words]) == status
    out, err = capsys.readouterr()
    return out, err


def test_text_fits_eighty_columns_and_names_what_changed(capsys: pytest.CaptureFixture[str]) -> None:
    comparison = compared(network(), network({1: 96}), GPU, ARM)
    text = compare_text.render(comparison, 80)
    assert max(map(len, text.splitlines())) <= 80
    assert headline(comparison) == (
        "Different: 1 changed, 2 have other sizes because of that; "
        f"{len(comparison.of(State.SAME))} layers are the same."
    )
    assert "channels out 144 → 96" in text
    assert re.search(r"block1\.expand .* -\d", text)
    out, err = run(capsys, "zoo:mobilenet_v2", "zoo:mobilenet_v2,width=0.75", "--top", "3")
    assert err == ""
    assert "and 25 more, which weigh less; --top N shows more, --format json all" in out


def test_json_holds_every_layer_of_both(capsys: pytest.CaptureFixture[str]) -> None:
    out, _ = run(capsys, "zoo:resnet18", "zoo:resnet34", "-p", GPU, "--format", "json")
    content = json.loads(out)
    assert content["schema"] == compare_json.SCHEMA == "costmodel.compare/1"
    assert content["verdict"] == "different"
    assert content["layers"] == {"same": 31, "changed": 0, "follows": 0, "added": 24, "removed": 0}
    assert len(content["differences"]) == 55
    assert {one["state"] for one in content["differences"]} == {"same", "added"}
    platform = content["platforms"][0]
    assert platform["id"] == GPU
    assert platform["low_ms"] < platform["difference_ms"] < platform["high_ms"]
    assert math.isclose(platform["after_ms"] - platform["before_ms"], platform["difference_ms"])
    total = content["after"]["totals"]["mult_adds"] - content["before"]["totals"]["mult_adds"]
    assert sum(one["mult_adds"] for one in content["differences"]) == total
    added = next(one for one in content["differences"] if one["state"] == "added")
    assert (added["before"], added["after"]["name"]) == (None, "layer1.2.conv1")
    assert added["after"]["facts"]["kernel"] == "3x3"


def test_markdown_fits_a_comment_and_no_name_breaks_out_of_it() -> None:
    ugly = "<script>alert('|`\n</details>"
    b = GraphBuilder("ugly")
    x = b.input("x", (1, 8, 8, 6))
    for i in range(900):
        x = b.conv(x, 8, 3, name=f"{ugly}{i}" + "x" * 200)
    first = b.build(x)
    c = GraphBuilder("other")
    x = c.input("x", (1, 8, 8, 6))
    for i in range(900):
        x = c.conv(x, 8, 1 + 2 * (i % 2), name=f"{ugly}{i}" + "x" * 200)
    comparison = compared(first, c.build(x), GPU)
    text = compare_markdown.render(comparison, count=1000)
    assert 1000 < len(text) < 65_536
    assert "<script>" not in text
    assert text.count("<details>") == text.count("</details>") == 1
    assert "<summary>Changed (450)</summary>" in text
    for line in compare_text.render(comparison).splitlines():
        assert line.isprintable()


def test_a_file_beside_a_zoo_network_has_its_dims_to_itself(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    nodes = [node("Conv", ["x", "w"], ["y"], name="conv", pads=[1, 1, 1, 1])]
    path = save(
        model(nodes, [value("x", ("n", 3, 8, 8))], [weight("w", 8, 3, 3, 3)], outputs=[value("y", None)]), tmp_path
    )
    out, _ = run(capsys, str(path), str(path), "--dim", "n=4", "-p", "none")
    assert "Same: 1 layer, each in both" in out
    assert "ms" not in out.split()
    out, _ = run(capsys, str(path), "zoo:resnet18", "--dim", "n=4", "-p", "none")
    assert "Input: 4x3x8x8 float32 → 1x3x224x224 float32." in out
    assert main(["compare", "zoo:resnet18", "zoo:resnet34", "--dim", "n=4"]) == 2
    assert "for ONNX models only" in capsys.readouterr().err


def test_a_slower_network_fails_where_that_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("zoo:resnet18", "zoo:resnet34", "-p", GPU)
    run(capsys, *words)
    run(capsys, *words, "--fail-on-slower", "200%")
    _, err = run(capsys, *words, "--fail-on-slower", "5%", status=1)
    assert re.fullmatch(
        rf"costmodel: zoo:resnet34: [\d.]+ % slower than zoo:resnet18 on {GPU}, where 5 % is allowed\n", err
    )
    run(capsys, "zoo:resnet34", "zoo:resnet18", "-p", GPU, "--fail-on-slower", "0")
    with pytest.raises(SystemExit):
        main(["compare", *words, "--fail-on-slower", "much"])
    assert "'much' is no share; write 5% or 0.05" in capsys.readouterr().err


def test_a_share_to_fail_on_needs_a_platform(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", "zoo:resnet18", "zoo:resnet34", "-p", "none", "--fail-on-slower", "5%"]) == 2
    assert "no platform is predicted; name one with -p PLATFORM" in capsys.readouterr().err


def test_a_budget_is_for_the_second_network(capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, "zoo:resnet34", "zoo:resnet18", "--budget", f"{GPU}=1.3ms")
    _, err = run(capsys, "zoo:resnet18", "zoo:resnet34", "--budget", f"{GPU}=1.3ms", status=1)
    assert err.startswith("costmodel: zoo:resnet34: Budget of 1.30 ms on")


def test_a_model_that_is_not_there_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    missing = os.fspath(tmp_path / "missing.onnx")
    assert main(["compare", "zoo:resnet18", missing]) == 2
    out, err = capsys.readouterr()
    assert (out, len(err.splitlines())) == ("", 1)
    assert missing in err


# -- the page


def test_the_page_names_every_key_of_the_json(capsys: pytest.CaptureFixture[str]) -> None:
    content = json.loads(run(capsys, "zoo:resnet18", "zoo:resnet34", "--format", "json")[0])
    keys = {*content, *content["platforms"][0], *content["differences"][0], *content["differences"][0]["after"]}
    assert not {key for key in keys if f"`{key}`" not in PAGE and f'"{key}"' not in PAGE}

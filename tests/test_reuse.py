"""Feature reuse against the paper's r^j c, simulations channel by channel, and other spellings of the same network."""

from __future__ import annotations

import csv
import io
import json
import sys
import tracemalloc
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx_models import ints, model, node, save, value, weight

from costmodel import GraphBuilder, TensorSpec, UsageError, analyze, zoo
from costmodel.cli import main
from costmodel.columns import Column
from costmodel.graph import Graph
from costmodel.report import reuse as report
from costmodel.reuse import FeatureReuse, feature_reuse
from costmodel.reuse.numbers import runs, shared
from costmodel.zoo.densenet import dense_layer
from costmodel.zoo.shufflenet_v2 import basic_unit

PLAN = {0.5: (48, 96, 192), 1.0: (116, 232, 464), 1.5: (176, 352, 704), 2.0: (244, 488, 976)}
UNITS = (4, 8, 4)

Unit = Callable[[GraphBuilder, TensorSpec], TensorSpec]


def chain(unit: Unit, units: int = 5, channels: int = 64, batch: int = 1) -> FeatureReuse:
    """The reuse in units behind a first concat of two convolutions."""
    g = GraphBuilder()
    x = g.input("x", (batch, channels, 6, 5))
    x = g.concat([g.conv(x, channels // 2, 1) for _ in range(2)])
    for index in range(units):
        with g.scope(f"unit{index}"):
            x = unit(g, x)
    return feature_reuse(g.build(x))


def interleaved(channels: list[int], groups: int = 2) -> list[int]:
    """Channel shuffle of the V1 paper: the first of each group, then the second of each, ..."""
    each = len(channels) // groups
    return [channels[group * each + place] for place in range(each) for group in range(groups)]


def simulated(channels: int, units: int, kept: int, groups: int = 2) -> list[list[int]]:
    """What a stage passes on, from lists: each unit keeps the first `kept` channels, replaces the rest and shuffles."""
    outputs = [interleaved(list(range(channels)), groups)]
    for unit in range(1, units):
        new = range(unit * channels, unit * channels + channels - kept)
        outputs.append(interleaved([*outputs[-1][:kept], *new], groups))
    return [[len(set(a) & set(b)) if j >= i else 0 for j, b in enumerate(outputs)] for i, a in enumerate(outputs)]


def block_diagonal(stages: Sequence[list[list[int]]]) -> list[list[int]]:
    size = sum(map(len, stages))
    result, start = [[0] * size for _ in range(size)], 0
    for stage in stages:
        for i, row in enumerate(stage):
            result[start + i][start : start + len(row)] = row
        start += len(stage)
    return result


def as_lists(reuse: FeatureReuse) -> list[list[int]]:
    return [list(row) for row in reuse.matrix]


# --- the paper's law, and the family


def test_reuse_is_the_papers_power_law_where_channels_can_be_halved() -> None:
    """Section 3: r^j c channels, r = 1/2; with 64 channels exact over six units."""
    reuse = chain(basic_unit, units=6)
    for i, row in enumerate(reuse.matrix):
        assert row[i:] == tuple(64 // 2**j for j in range(7 - i))
        assert not any(row[:i])
    assert reuse.ratio is not None
    assert [(each.mean, each.expected) for each in reuse.distances] == [(0.5**j, 0.5**j) for j in range(1, 7)]


def test_reuse_is_the_papers_power_law_with_an_unequal_split() -> None:
    """c' = c / 4, so r = 3/4; a shuffle in four groups spreads the kept channels evenly: 64, 48, 36, 27."""

    def unit(g: GraphBuilder, x: TensorSpec) -> TensorSpec:
        left, right = g.split(x, (48, 16))
        return g.channel_shuffle(g.concat((left, g.conv(right, 16, 3))), 4)

    reuse = chain(unit, units=3)
    # The first block ends in a concat that is not shuffled, so that its channels leave by their place.
    assert [row[i:] for i, row in enumerate(reuse.matrix)][1:] == [(64, 48, 36), (64, 48), (64,)]
    assert reuse.ratio is not None
    assert float(reuse.ratio) == 0.75


@pytest.mark.parametrize("variant", [{}, {"se": True}, {"residual": True}, {"se": True, "residual": True}])
@pytest.mark.parametrize("width", PLAN)
def test_shufflenet_v2_is_as_simulated(width: float, variant: dict[str, bool]) -> None:
    """Stage by stage: nothing passes a unit of stride 2. What a branch does to its half makes no difference."""
    reuse = feature_reuse(zoo.build("shufflenet_v2", width=width, **variant))
    expected = [simulated(c, units, c // 2) for c, units in zip(PLAN[width], UNITS, strict=True)]
    assert as_lists(reuse) == block_diagonal(expected)
    assert [block.name for block in reuse.blocks[3:6]] == ["stage2.3", "stage3.0", "stage3.1"]
    assert [len(stage) for stage in reuse.stages] == [4, 8, 4]


def test_the_164_layer_network_is_as_simulated() -> None:
    """Channel 0 is where the shuffle leaves it, so that one channel stays to the end of each stage."""
    reuse = feature_reuse(zoo.build("shufflenet_v2_164"))
    plan = ((340, 10), (680, 10), (1360, 23), (2720, 10))
    assert as_lists(reuse) == block_diagonal([simulated(c, units, c // 2) for c, units in plan])
    assert reuse.matrix[20][42] == 1


def test_unequal_splits_are_as_simulated() -> None:
    """As in tf.keras, where a half is what is left of the channels."""

    def unit(g: GraphBuilder, x: TensorSpec) -> TensorSpec:
        left, right = g.split(x, (23, 35))
        return g.channel_shuffle(g.concat((left, g.conv(right, 35, 3))), 2)

    g = GraphBuilder()
    x = g.input("x", (1, 8, 6, 5))
    x = g.channel_shuffle(g.concat((g.conv(x, 23), g.conv(x, 35))), 2)
    for _ in range(4):
        x = unit(g, x)
    assert as_lists(feature_reuse(g.build(x))) == simulated(58, 5, 23)


def test_new_channels_are_those_that_no_earlier_block_has() -> None:
    reuse = feature_reuse(zoo.build("shufflenet_v2"))
    assert reuse.made[:5] == (116, 58, 58, 58, 232)


def test_batch_and_resolution_change_nothing() -> None:
    other = feature_reuse(zoo.build("shufflenet_v2", batch=3, resolution=160))
    assert other.matrix == feature_reuse(zoo.build("shufflenet_v2")).matrix


# --- other spellings of the same


def stacked(g: GraphBuilder, x: TensorSpec) -> TensorSpec:
    """Shuffle as torch.stack((left, right), 2).flatten(1, 2)."""
    n, c, h, w = x.shape or ()
    parts = [g.reshape(part, (n, c // 2, 1, h, w)) for part in g.split(x, (c // 2, c // 2))]
    return g.reshape(g.concat(parts, axis=2), (n, c, h, w))


def gathered(g: GraphBuilder, x: TensorSpec) -> TensorSpec:
    """Shuffle by indices."""
    c = (x.shape or ())[1]
    index = g.values(interleaved(list(range(c))), name="order")
    return g.node("Gather", (x, index), {"axis": 1})[0]


def grouped(g: GraphBuilder, x: TensorSpec) -> TensorSpec:
    return g.channel_shuffle(x, 2)


def last(g: GraphBuilder, x: TensorSpec) -> TensorSpec:
    """Shuffle in NHWC."""
    n, c, h, w = x.shape or ()
    y = g.reshape(g.transpose(x, (0, 2, 3, 1)), (n, h, w, 2, c // 2))
    y = g.reshape(g.transpose(y, (0, 1, 2, 4, 3)), (n, h, w, c))
    return g.transpose(y, (0, 3, 1, 2))


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("shuffle", [grouped, stacked, gathered, last])
def test_all_spellings_of_the_shuffle_are_the_same(shuffle: Unit, batch: int) -> None:
    def unit(g: GraphBuilder, x: TensorSpec) -> TensorSpec:
        left, right = g.split(x, (29, 29))
        return shuffle(g, g.concat((left, g.conv(right, 29, 3))))

    assert chain(unit, 4, 58, batch).matrix == chain(basic_unit, 4, 58).matrix


@pytest.mark.parametrize("batch", [1, 4])
def test_the_authors_shuffle_mixes_images_and_channels_in_a_view(batch: int) -> None:
    """megvii-model/ShuffleNet-Series, blocks.py, channel_shuffle: even channels pass, odd ones go into the branch."""
    c = 24

    def unit(g: GraphBuilder, x: TensorSpec) -> TensorSpec:
        n, _, h, w = x.shape or ()
        y = g.transpose(g.reshape(x, (n * c // 2, 2, h * w)), (1, 0, 2))
        y = g.reshape(y, (2, -1, c // 2, h, w))
        even, odd = (
            g.reshape(g.node("Gather", (y, g.values((side,), name=f"side{side}")), {"axis": 0})[0], (n, c // 2, h, w))
            for side in (0, 1)
        )
        return g.concat((even, g.conv(odd, c // 2, 3)))

    outputs = [list(range(c))]
    for index in range(1, 5):
        outputs.append([*outputs[-1][::2], *range(index * c, index * c + c // 2)])
    expected = [[len(set(a) & set(b)) if j >= i else 0 for j, b in enumerate(outputs)] for i, a in enumerate(outputs)]
    assert as_lists(chain(unit, 4, c, batch)) == expected


@given(st.data())
def test_moves_are_followed_as_numpy_moves_elements(data: st.DataObject) -> None:
    """Random views, transposes, slices and gathers of a tensor whose elements say what they are."""
    channels, height = 24, 2
    g = GraphBuilder()
    x = g.conv(g.input("x", (1, 3, height, 3)), channels, 1)
    block = g.concat((x, g.conv(x, 1)))
    y = g.split(block, (channels, 1))[0]
    truth = np.broadcast_to(np.arange(channels).reshape(1, -1, 1, 1), (1, channels, height, 3))
    for index in range(data.draw(st.integers(1, 5))):
        count = truth.shape[1]
        move = data.draw(st.sampled_from(("shuffle", "slice", "gather", "drop")))
        if move == "shuffle":
            groups = data.draw(st.sampled_from([d for d in range(1, count + 1) if count % d == 0]))
            y = g.channel_shuffle(y, groups)
            split = truth.reshape(1, groups, count // groups, height, 3)
            truth = split.transpose(0, 2, 1, 3, 4).reshape(1, count, height, 3)
        elif move == "slice":
            start, step = data.draw(st.integers(0, count - 1)), data.draw(st.sampled_from((1, 2, 3, -1, -2)))
            end = count if step > 0 else -count - 1
            values = [g.values((v,), name=f"v{index}") for v in (start, end, 1, step)]
            y = g.node("Slice", (y, *values))[0]
            truth = truth[:, slice(start, end if step > 0 else None, step)]
        elif move == "gather":
            order = data.draw(st.lists(st.integers(-count, count - 1), min_size=1, max_size=count))
            y = g.node("Gather", (y, g.values(order, name=f"order{index}")), {"axis": 1})[0]
            truth = truth[:, order]
        else:
            y = g.node("Identity", (y,))[0]
    end = g.concat((y, g.conv(y, 1)))
    reuse = feature_reuse(g.build(end))
    assert reuse.matrix[0][1] == len(np.unique(truth))


@given(st.lists(st.sets(st.integers(0, 30), min_size=1), max_size=6))
def test_shared_numbers_are_intersections(sets: list[set[int]]) -> None:
    passed, made = shared([runs(np.array([*items])) for items in sets])
    for i, a in enumerate(sets):
        assert passed[i] == {j: len(a & b) for j, b in enumerate(sets) if j > i and a & b}
        assert made[i] == len(a.difference(*sets[:i]))


# --- other networks


@pytest.mark.parametrize("depth", [121, 169])
def test_reuse_in_densenet_does_not_decay(depth: int) -> None:
    """Section 3 compares with DenseNet: within a block every layer has all channels of those before it."""
    reuse = feature_reuse(zoo.build(f"densenet{depth}"))
    layers = {121: [6, 12, 24, 16], 169: [6, 12, 32, 32]}[depth]
    assert [len(stage) for stage in reuse.stages] == layers
    for stage in reuse.stages:
        for i in stage:
            assert all(reuse.shares[i][j] == (1 if j in stage else 0) for j in range(i, len(reuse.blocks)))
    assert reuse.made[1:6] == (32,) * 5
    assert {each.mean for each in reuse.distances} == {1.0}


def test_dense_layers_may_join_all_earlier_ones_at_once() -> None:
    """As in torchvision, where each layer begins with a concat of everything, instead of ending with one."""

    def nested(g: GraphBuilder, x: TensorSpec) -> Graph:
        for _ in range(4):
            x = dense_layer(g, x, 8)
        return g.build(g.conv(x, 8))

    def flat(g: GraphBuilder, x: TensorSpec) -> Graph:
        parts = [x]
        for _ in range(4):
            y = g.concat(parts) if len(parts) > 1 else x
            y = g.conv(g.relu(g.batch_norm(y)), 32, 1)
            parts.append(g.conv(g.relu(g.batch_norm(y)), 8, 3))
        return g.build(g.conv(g.concat(parts), 8))

    graphs = []
    for network in (nested, flat):
        g = GraphBuilder()
        graphs.append(network(g, g.conv(g.input("x", (1, 3, 6, 5)), 16)))
    assert feature_reuse(graphs[0]).matrix == feature_reuse(graphs[1]).matrix


@pytest.mark.parametrize(("name", "blocks"), [("resnet18", 8), ("vgg11", 0), ("mobilenet_v2", 10), ("googlenet", 9)])
def test_other_networks_make_all_channels_anew(name: str, blocks: int) -> None:
    """Blocks are those of their papers: residual blocks of stride 1 and inception modules."""
    reuse = feature_reuse(zoo.build(name))
    assert (len(reuse.blocks), reuse.pairs) == (blocks, 0)
    assert reuse.ratio is None
    assert reuse.distances == ()


def renewed(g: GraphBuilder, x: TensorSpec) -> TensorSpec:
    return g.conv(x, 32)


@pytest.mark.parametrize(
    ("change", "kept"),
    [
        (GraphBuilder.relu, 0),
        (GraphBuilder.batch_norm, 0),
        (GraphBuilder.sigmoid, 0),
        (GraphBuilder.depthwise, 0),
        (renewed, 0),
        (lambda g, x: g.slice(x, 0, 32, axis=0), 32),  # images, not channels
        (lambda g, x: g.node("Identity", (x,))[0], 32),
        (lambda g, x: g.node("Dropout", (x,))[0], 32),
    ],
)
def test_what_works_on_the_passing_half_makes_it_new(change: Unit, kept: int) -> None:
    def unit(g: GraphBuilder, x: TensorSpec) -> TensorSpec:
        left, right = g.split(x, (32, 32))
        return g.concat((change(g, left), g.conv(right, 32)))

    assert chain(unit, units=1).matrix[0][1] == kept


@pytest.mark.parametrize(("first_row", "kept"), [(0, 32), (1, 0)])
def test_a_part_of_the_image_is_new_and_the_whole_is_not(first_row: int, kept: int) -> None:
    def unit(g: GraphBuilder, x: TensorSpec) -> TensorSpec:
        rows = {"axes": (2,), "starts": (first_row,), "ends": (2**31 - 1,)}
        left, right = (g.node("Slice", (part,), rows)[0] for part in g.split(x, (32, 32)))
        return g.concat((left, g.conv(right, 32)))

    assert chain(unit, units=1).matrix[0][1] == kept


def test_channels_that_change_from_image_to_image_are_new() -> None:
    """Two images, one channel of each swapped: of the other 31 channels nothing changes."""

    def unit(g: GraphBuilder, x: TensorSpec) -> TensorSpec:
        left, right = g.split(x, (32, 32))
        flat = g.reshape(left, (1, 64, 6, 5))  # channels 0 to 31 of the first image, then of the second
        order = [32, *range(1, 32), 0, *range(33, 64)]
        swapped = g.node("Gather", (flat, g.values(order, name="order")), {"axis": 1})[0]
        return g.concat((g.reshape(swapped, (2, 32, 6, 5)), g.conv(right, 32)))

    reuse = chain(unit, units=1, batch=2)
    assert reuse.matrix == ((64, 31), (0, 64))
    assert reuse.made == (64, 33)


def test_an_activation_after_the_join_belongs_to_the_block() -> None:
    """What the next block reads and passes on is the activation's output; behind the last join nothing reads it."""
    reuse = chain(lambda g, x: g.relu(g.concat((x, g.conv(x, 8)))), units=2)
    assert [row[i:] for i, row in enumerate(reuse.matrix)] == [(64, 0, 0), (72, 72), (80,)]
    plain = chain(lambda g, x: g.concat((g.conv(g.relu(x), 8), x)), units=2)
    assert [row[i:] for i, row in enumerate(plain.matrix)] == [(64, 64, 64), (72, 72), (80,)]


def test_a_channel_that_appears_twice_counts_once() -> None:
    reuse = chain(lambda g, x: g.concat((x, x)), units=1, channels=6)
    assert reuse.matrix == ((6, 6), (0, 12))


def test_onnx_files_are_followed(tmp_path: Path) -> None:
    """Sizes of Split as a constant, an axis counted from behind; without modules blocks are called after operators."""
    nodes = [
        node("Conv", ["x", "w"], ["c"]),
        node("Conv", ["x", "w"], ["d"]),
        node("Concat", ["c", "d"], ["j"], axis=1, name="begin"),
        node("Split", ["j", "sizes"], ["left", "right"], axis=1),
        node("Relu", ["right"], ["made"]),
        node("Concat", ["left", "made"], ["out"], axis=-3, name="end"),
    ]
    path = save(model(nodes, [value("x", ("n", 3, 8, 8))], [weight("w", 4, 3, 1, 1), ints("sizes", 3, 5)]), tmp_path)
    reuse = feature_reuse(analyze(path).graph)
    assert reuse.matrix == ((8, 3), (0, 8))
    assert [block.name for block in reuse.blocks] == ["begin", "end"]


def test_tensors_of_unknown_shape_are_new(tmp_path: Path) -> None:
    """Nothing is followed through an operator that nobody knows, and nothing fails behind it."""
    nodes = [
        node("Conv", ["x", "w"], ["c"]),
        node("Concat", ["c", "x"], ["j"], axis=1),
        node("Mystery", ["j"], ["m"], domain="local"),
        node("Gather", ["m", "index"], ["g"], axis=1),
        node("Split", ["g"], ["a", "b"], axis=1, num_outputs=2),
        node("Slice", ["a", "index", "index"], ["s"]),
        node("Concat", ["s", "b"], ["k"], axis=1),
        node("Concat", ["j", "c"], ["end"], axis=1),
    ]
    path = save(model(nodes, constants=[weight("w", 4, 3, 1, 1), ints("index", 0)]), tmp_path)
    assert feature_reuse(analyze(path).graph).matrix == ((7, 7), (0, 11))


def test_sizes_that_are_no_numbers_are_refused() -> None:
    with pytest.raises(UsageError, match=r"shufflenet_v2.*: '.*' has sizes that are no numbers; give all sizes"):
        feature_reuse(zoo.build("shufflenet_v2", batch=Column([1, 2])))


def test_channels_of_tensors_that_nobody_reads_any_more_are_forgotten() -> None:
    """3000 tensors of 4096 channels: with all numbers kept 98 MB."""
    g = GraphBuilder()
    x = g.conv(g.input("x", (1, 3, 4, 4)), 4096)
    for _ in range(3000):
        x = g.relu(x)
    graph = g.build(x)
    tracemalloc.start()
    feature_reuse(graph)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10e6


# --- output


def printed(capfd: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(["reuse", *words]) == 0
    return capfd.readouterr().out


@pytest.mark.parametrize("name", ["resnet18", "vgg11", "mobilenet_v1"])
def test_a_network_without_reuse_is_one_line(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    out = printed(capfd, f"zoo:{name}")
    assert out.startswith(f"zoo:{name}: no feature reuse: ")
    assert out.count("\n") == 1


@pytest.mark.parametrize("name", ["shufflenet_v2", "shufflenet_v2_164", "densenet121", "densenet264", "hardnet68"])
def test_text_fits_a_terminal(name: str) -> None:
    text = report.render(feature_reuse(zoo.build(name)), 80)
    assert max(map(len, text.splitlines())) <= 80
    assert text.count("█") > 10
    assert "\n    " not in text.partition("Share")[0].partition("\n 1 ")[2]  # no name goes on below


def test_the_heat_map_degrades_with_the_number_of_blocks() -> None:
    """Percent beside shades, then shades two wide, then one, then stage by stage."""

    def rows(units: int) -> list[str]:
        return report.heat_map(chain(basic_unit, units - 1))

    assert rows(4)[1:3] == ["1 █100▓ 50▒ 25░ 12", "2     █100▓ 50▒ 25"]
    assert rows(30)[1].startswith(" 1 ██▓▓▒▒░░░░░░")
    assert rows(60)[1].startswith(" 1 █▓▒░░░")
    dense = feature_reuse(zoo.build("densenet264"))
    assert [line for line in report.heat_map(dense) if line.startswith("Blocks")] == [
        "Blocks 1 to 6",
        "Blocks 7 to 18",
        "Blocks 19 to 82",
        "Blocks 83 to 130",
    ]


def test_json_and_csv_hold_the_matrix(capfd: pytest.CaptureFixture[str]) -> None:
    reuse = feature_reuse(zoo.build("shufflenet_v2", width=0.5))
    document = json.loads(printed(capfd, "zoo:shufflenet_v2,width=0.5", "--format", "json"))
    assert document["schema"] == "costmodel.reuse/1"
    assert document["model"] == "zoo:shufflenet_v2,width=0.5"
    assert document["ratio"] == 0.5
    blocks = document["blocks"]
    assert [(block["name"], block["channels"]) for block in blocks] == [(b.name, b.channels) for b in reuse.blocks]
    rows = list(csv.DictReader(io.StringIO(printed(capfd, "zoo:shufflenet_v2,width=0.5", "--format", "csv"))))
    assert len(rows) == len(document["passed"]) == reuse.pairs
    for row, entry in zip(rows, document["passed"], strict=True):
        i, j = entry["source"], entry["target"]
        assert reuse.matrix[i][j] == entry["channels"] == int(row["channels"])
        assert reuse.shares[i][j] == entry["share"] == float(row["share"])
        assert (row["source"], row["target"]) == (blocks[i]["name"], blocks[j]["name"])


def test_input_options_are_those_of_analyze(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    nodes = [node("Conv", ["x", "w"], ["c"]), node("Concat", ["x", "c"], ["j"], axis=1)]
    path = save(model(nodes, [value("x", ("n", "ch", 8, 8))], [weight("w", 4, 3, 1, 1)]), tmp_path)
    words = ("--format", "json", "--dim", "ch=3", "--batch", "2")
    document = json.loads(printed(capfd, str(path), *words))
    assert [block["channels"] for block in document["blocks"]] == [7]
    assert main(["reuse", str(path), "--dim", "ch"]) == 2
    assert "--dim ch: write NAME=SIZE" in capfd.readouterr().err


@pytest.mark.parametrize("ending", ["svg", "png"])
def test_a_picture_is_drawn(ending: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / f"reuse.{ending}"
    printed(capfd, "zoo:shufflenet_v2", "--plot", str(target))
    content = target.read_bytes()
    if ending == "png":
        assert content.startswith(b"\x89PNG")
    else:
        words = ("Feature reuse in zoo:shufflenet_v2", "source block", "target block", "stage3.4", ">100<")
        assert all(word in content.decode() for word in words)
    assert [path.name for path in tmp_path.iterdir()] == [target.name]


@pytest.mark.parametrize("ending", ["svg", "png"])
def test_a_link_to_a_picture_stays_a_link(ending: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    target, link = tmp_path / f"picture.{ending}", tmp_path / f"link.{ending}"
    target.write_bytes(b"older")
    target.chmod(0o640)
    link.symlink_to(target)
    printed(capfd, "zoo:shufflenet_v2", "--plot", str(link))
    assert link.is_symlink()
    assert len(target.read_bytes()) > 1000
    assert target.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize(
    ("file", "message"),
    [("a.pdf", ".pdf is not known; end it in .svg or .png"), ("none/a.png", "cannot be written"), ("a", "no ending")],
)
def test_pictures_that_cannot_be_drawn(
    file: str, message: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["reuse", "zoo:shufflenet_v2", "--plot", str(tmp_path / file)]) == 2
    assert message in capfd.readouterr().err
    assert not list(tmp_path.iterdir())


def test_without_matplotlib_the_pip_command_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert main(["reuse", "zoo:shufflenet_v2", "--plot", str(tmp_path / "a.svg")]) == 2
    assert "pip install 'cnn-costmodel[plot]'" in capfd.readouterr().err


def test_names_out_of_files_are_made_plain() -> None:
    """In text; a module's name can be anything."""
    g = GraphBuilder("evil\x1b[31m")
    x = g.conv(g.input("x", (1, 3, 4, 4)), 8)
    with g.scope("un\x1b[31mit"):
        x = g.concat((x, g.conv(x, 8)))
    text = report.render(feature_reuse(g.build(g.concat((x, g.conv(x, 8))))))
    assert "it" in text
    assert "\x1b" not in text

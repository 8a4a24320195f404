"""The HTML page without a browser: its figures, its links, its policy, and names that would break out of it."""

from __future__ import annotations

import base64
import hashlib
import html
import re
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from html_pages import Page
from onnx_models import model, node, save, value, weight
from platform_examples import platform

import costmodel
from costmodel.analysis import Analysis
from costmodel.builder import GraphBuilder
from costmodel.cli import main
from costmodel.columns import Column
from costmodel.cost import Cost
from costmodel.errors import UsageError
from costmodel.graph import Graph, Node, TensorSpec
from costmodel.kernels import Kind, fuse, runtime_of
from costmodel.kernels.lifetimes import live_memory
from costmodel.platforms import Platform, Stretch, platforms
from costmodel.predictor.roofline import Roofline, roofline
from costmodel.report.html import render
from costmodel.report.html.bars import shares
from costmodel.report.html.markup import Markup, escape, tag
from costmodel.report.html.parts import PARTS, part_of
from costmodel.report.html.plots import Axis, clipped, compact, log_axis
from costmodel.report.latency import times

MEGABYTE = 1_000_000
PAPER = ("snapdragon810-neon-fp32-1t", "gtx1080ti-cudnn7-fp32")
H, W = 5, 7
NASTY = "</script><script>hacked()</script>\"'\n`--><img src=x onerror=hacked()>&amp;"
BOX = re.compile(r'<rect class="m (\w+)" x="([^"]*)" width="([^"]*)"')  # part, place, width


@pytest.fixture(scope="module")
def analysis() -> Analysis:
    return costmodel.analyze("zoo:shufflenet_v2", platform=PAPER, budgets={"snapdragon810": 0.04})


@pytest.fixture(scope="module")
def text(analysis: Analysis) -> str:
    return render(analysis)


@pytest.fixture(scope="module")
def page(text: str) -> Page:
    return Page(text)


def chain(name: str = "small") -> Graph:
    """A 1x1 convolution of 6 to 8 channels with a fused ReLU, a pooling, a 1x1 convolution to 10 channels."""
    b = GraphBuilder(name)
    x = b.input("x", (1, 6, H, W))
    x = b.relu(b.conv(x, 8, name="expand"), name="act")
    x = b.max_pool(x, 3, stride=1, padding=1, name="pool")
    return b.build(b.conv(x, 10, name="project"))


# --- one file that loads nothing -------------------------------------------------------------------------------------


def test_nothing_outside_of_the_page_is_named(page: Page) -> None:
    links = page.every("href") + page.every("src") + page.every("action") + page.every("data")
    assert links
    assert all(link.startswith("#") or link == "data:," for link in links)
    styles = re.findall(r"url\(|@import|https?:", Path(render.__code__.co_filename).with_name("page.css").read_text())
    assert styles == []


def test_the_policy_allows_the_style_and_the_script_of_the_page_and_nothing_else(text: str) -> None:
    policy = html.unescape(re.search(r'Content-Security-Policy" content="([^"]*)"', text)[1])
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    for name, count in (("style", 1), ("script", 2)):
        contents = re.findall(rf"<{name}>(.*?)</{name}>", text, re.DOTALL)
        digests = [base64.b64encode(hashlib.sha256(content.encode()).digest()).decode() for content in contents]
        assert len(digests) == count
        assert rules.pop(f"{name}-src").split() == [f"'sha256-{digest}'" for digest in digests]
    none = {"default-src", "base-uri", "form-action"}
    assert rules == {"img-src": "data:", **dict.fromkeys(none, "'none'")}


def test_no_attribute_runs_code_or_sets_a_style(page: Page) -> None:
    """The policy would refuse them: such a page would look broken."""
    assert [name for _, attrs in page.tags for name in attrs if name.startswith("on") or name == "style"] == []


def test_500_operators_are_less_than_a_megabyte() -> None:
    analysis = costmodel.analyze("zoo:resnet152", platform=PAPER)
    assert len(analysis.operators) > 500
    assert len(render(analysis).encode()) < MEGABYTE


def test_the_scripts_are_small_and_evaluate_no_text() -> None:
    folder = Path(render.__code__.co_filename).parent
    scripts = {file.name: file.read_text(encoding="utf-8") for file in folder.glob("*.js")}
    assert {"base.js", "analysis.js"} <= set(scripts)
    script = "".join(scripts.values())
    assert max(len(text.encode()) for text in scripts.values()) < 10_000
    assert not re.search(r"\beval\b|new Function|innerHTML|outerHTML|insertAdjacentHTML|document\.write", script)


def test_the_same_analysis_gives_the_same_page(analysis: Analysis, text: str) -> None:
    assert render(analysis) == text


# --- what can be read ------------------------------------------------------------------------------------------------


def test_ids_are_unique_and_every_reference_has_its_target(page: Page) -> None:
    ids = page.every("id")
    assert [id for id, count in Counter(ids).items() if count > 1] == []
    tokens = {token for tied in page.every("data-s") for token in tied.split()}
    targets = {*ids, *tokens}
    assert {link[1:] for link in page.every("href") if link.startswith("#")} <= targets
    assert set(page.every("aria-labelledby")) | set(page.every("for")) <= set(ids)


def test_every_mark_that_selects_has_operators_and_words(page: Page) -> None:
    tokens = {token for tied in page.every("data-s") for token in tied.split()}
    drawn = [attrs for _, attrs in page.tags if "data-t" in attrs]
    assert len(drawn) > 300
    assert all(attrs["data-d"] for attrs in drawn)
    fixed = [attrs["data-t"] for attrs in drawn if attrs["data-t"] not in tokens]
    assert fixed == ["p0-data", "p1-data"]  # what a run takes beside its kernels belongs to no operator


def test_pictures_have_names_and_tables_captions(page: Page) -> None:
    pictures = [attrs for name, attrs in page.tags if name == "svg" and "role" in attrs]
    assert len(pictures) >= 8
    assert all(attrs.get("aria-label") for attrs in pictures)
    count = Counter(name for name, _ in page.tags)
    assert count["table"] == count["caption"]
    assert count["h1"] == 1
    levels = [int(name[1]) for name, _ in page.tags if re.fullmatch("h[1-6]", name)]
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_the_table_has_every_operator_once_with_its_exact_counts(analysis: Analysis, text: str) -> None:
    rows = re.findall(r'<tr id="o(\d+)".*?</tr>', text)
    assert rows == [str(number) for number in range(1, len(analysis.operators) + 1)]
    for number, operator in enumerate(analysis.operators, 1):
        row = re.search(rf'<tr id="o{number}".*?</tr>', text)[0]
        numbers = re.findall(r'<td class="n"(?: data-v="([^"]*)")?[^>]*>([^<]*)</td>', row)
        counts = [int(exact or shown) for exact, shown in numbers[-3:]]
        cost = operator.cost
        assert counts == [cost.mult_adds, cost.params, cost.memory_access]
        assert f">{operator.name}<" in row.replace("<wbr>", "")


def test_latencies_stand_with_interval_share_and_held_out_error(analysis: Analysis, page: Page) -> None:
    words = " ".join(page.words)
    assert "28.9 to 48.5 ms for 90 % of networks" in words
    assert "held-out error 4.2 %" in words
    assert "Budget of 40.0 ms on snapdragon810-neon-fp32-1t: exceeded" in words
    assert "Coverage: 230 counted, 0 approximated, 0 unknown." in words
    assert "its interval held 18 of 27 whole networks" in words


def test_findings_stand_with_what_they_save() -> None:
    analysis = costmodel.analyze("zoo:googlenet", platform=PAPER)
    words = " ".join(Page(render(analysis)).words)
    total = analysis.check().totals[1]
    assert f"{total.seconds * 1e3:.3g}" in words
    assert "G3: Fragmentation costs parallelism." in words
    assert "One 3x3 convolution of 194 channels takes the mult-adds of the block" in words


def test_without_a_platform_the_page_has_counts_and_memory_and_no_time() -> None:
    page = Page(render(costmodel.analyze("zoo:shufflenet_v2")))
    ids = page.every("id")
    assert {"counts", "operators-plot", "memory", "operators"} <= set(ids)
    assert {"latency", "time", "timeline", "roofline", "findings"}.isdisjoint(ids)


def test_a_network_that_does_not_compute_has_a_page() -> None:
    b = GraphBuilder("still")
    analysis = costmodel.analyze(b.build(b.flatten(b.input("x", (1, 2, 3, 3)), name="flat")), platform=PAPER)
    assert "flat" in Page(render(analysis)).words
    nothing = costmodel.analyze(b.build(b.input("y", (1, 2))), platform=[platform(coefficients={"run": 0.0})])
    assert "No kernel takes time" in " ".join(Page(render(nothing)).words)


@pytest.mark.parametrize(("term", "lines"), [("matmul__mult_adds", 1), ("launch__contraction", 0)])
def test_what_has_no_price_has_no_ceiling(term: str, lines: int) -> None:
    b = GraphBuilder("product")
    graph = b.build(b.matmul(b.input("x", (3, 5)), b.input("y", (5, 7)), name="mm"))
    text = render(costmodel.analyze(graph, platform=priced(**{term: 1e-9})))
    picture = re.search(r'<section id="roofline".*?</section>', text)[0]
    assert picture.count("<circle") == 1
    assert picture.count('class="roof') == lines
    assert ("matmul 1 G mult-adds/s" in picture) == bool(lines)


def test_populations_are_refused() -> None:
    b = GraphBuilder("many")
    graph = b.build(b.conv(b.input("x", (1, Column([8, 16]), H, W)), 10, name="project"))
    with pytest.raises(UsageError, match="many: a page shows one network"):
        render(costmodel.analyze(graph))


# --- names out of files ----------------------------------------------------------------------------------------------


def test_names_that_are_html_stay_names(tmp_path: Path) -> None:
    nodes = [
        node("Conv", [NASTY, "w"], [f"{NASTY}1"], name=NASTY),
        node(f"Odd{NASTY}", [f"{NASTY}1"], [f"{NASTY}2"], name=f"{NASTY}odd", domain=f"com.{NASTY}"),
    ]
    file = save(
        model(
            nodes, [value(NASTY, (1, 6, H, W))], [weight("w", 8, 6, 1, 1)], outputs=[value(f"{NASTY}2", (1, 8, H, W))]
        ),
        tmp_path,
        "a'b<c>.onnx",
    )
    analysis = costmodel.analyze(str(file), platform=platform(notes=(NASTY,), device=NASTY))
    text = render(analysis)
    page = Page(text)
    tags = Counter(name for name, _ in page.tags)
    assert (tags["script"], tags["style"]) == (2, 1)
    assert "img" not in tags
    assert [name for _, attrs in page.tags for name in attrs if name.startswith("on")] == []
    shown = NASTY.replace("\n", "\N{REPLACEMENT CHARACTER}")
    assert any(shown in words for words in ["".join(page.words)])
    assert NASTY not in text


def test_text_is_escaped_and_markup_is_not() -> None:
    assert tag("p", "<b>", tag("i", "&"), title='"') == '<p title="&quot;">&lt;b&gt;<i>&amp;</i></p>'
    assert tag("p", "a\nb\x1b\ud800") == "<p>a\ufffdb\ufffd\ufffd</p>"
    assert escape(Markup("<br>")) == "<br>"
    assert tag("rect", x=1, data_t=None, hidden=True, open=False) == '<rect x="1" hidden/>'


# --- where the time goes ---------------------------------------------------------------------------------------------


def test_every_kind_of_kernel_is_in_one_part() -> None:
    assert {part_of(kind) for kind in Kind} | {"data"} == set(PARTS)
    assert part_of(Kind.DEPTHWISE) == "depthwise"
    assert part_of(Kind.MOVEMENT) == "shuffle"


@pytest.mark.parametrize("network", ["shufflenet_v2", "mobilenet_v3_small"])
def test_parts_add_up_to_the_latency(network: str) -> None:
    for entry in times(costmodel.analyze(f"zoo:{network}", platform=(*PAPER, "epyc-onnxruntime"))):
        parts = shares(entry)
        assert sum(part.seconds for part in parts) == pytest.approx(float(entry.prediction.latency.seconds))
        operators = [name for part in parts for name in part.operators]
        assert len(operators) == len(set(operators))


def test_parts_and_kernels_are_as_wide_as_their_time() -> None:
    """100 us a run; the convolutions' mult-adds at 10 ns take 16.8 us and 28 us, the pooling's launch 55.2 us."""
    mult_adds = (H * W * 6 * 8, H * W * 8 * 10)
    assert mult_adds == (1680, 2800)
    prices = {"run": 100e-6, "pointwise.mult_adds": 10e-9, "launch.light": 55.2e-6}
    text = render(costmodel.analyze(chain(), platform=platform(coefficients=prices)))
    bar = re.search(r'class="bar".*?</svg>', text)[0]
    assert BOX.findall(bar) == [("conv", "0%", "22.4%"), ("other", "22.4%", "27.6%"), ("data", "50%", "50%")]
    track = re.search(r'<section id="timeline".*?</section>', text)[0]
    kernels = [("conv", "50%", "8.4%"), ("other", "58.4%", "27.6%"), ("conv", "86%", "14%")]
    assert BOX.findall(track) == [("data", "0%", "50%"), *kernels]


# --- roofline --------------------------------------------------------------------------------------------------------


def priced(**prices: float) -> Platform:
    return platform(coefficients={name.replace("__", "."): price for name, price in prices.items()})


def test_ceilings_are_the_prices_of_the_profile() -> None:
    """2 ns a mult-add are 0.5 G mult-adds a second; 4 ns an element of four bytes are 1 GB a second."""
    target = priced(pointwise__mult_adds=2e-9, contraction__input=4e-9, launch__contraction=1e-6)
    (prediction,) = costmodel.analyze(chain(), platform=target).predictions
    roof = roofline(prediction, target)
    assert roof.mult_adds == {Kind.POINTWISE: pytest.approx(0.5e9)}
    assert roof.bytes == pytest.approx(1e9)


def test_ceilings_sink_with_the_clock_of_the_run() -> None:
    """A run that takes twice the sum of its kernels has each of them take twice as long."""
    target = priced(pointwise__mult_adds=2e-9, contraction__input=4e-9)
    (plain,) = costmodel.analyze(chain(), platform=target).predictions
    hot = replace(target, stretch=Stretch(1.0, float(plain.latency.seconds) / 2))
    (prediction,) = costmodel.analyze(chain(), platform=hot).predictions
    assert float(prediction.latency.seconds) == pytest.approx(2 * float(plain.latency.seconds))
    roof = roofline(prediction, hot)
    assert roof.mult_adds == {Kind.POINTWISE: pytest.approx(0.25e9)}
    assert roof.bytes == pytest.approx(0.5e9)


def test_without_prices_there_are_no_ceilings() -> None:
    target = priced(run=1e-3)
    (prediction,) = costmodel.analyze(chain(), platform=target).predictions
    assert roofline(prediction, target) == Roofline({}, 0.0)


@pytest.mark.parametrize("network", ["shufflenet_v2", "resnet18"])
def test_no_kernel_computes_above_the_ceiling_of_its_kind(network: str) -> None:
    """On any shipped platform: with Winograd, padding to vectors, and clocks that sink in long runs."""
    analysis = costmodel.analyze(f"zoo:{network}", platform=platforms())
    for target, prediction in zip(analysis.platforms, analysis.predictions, strict=True):
        roof = roofline(prediction, target)
        for item in prediction.kernels:
            cost, seconds = item.kernel.cost, float(item.estimate.seconds)
            if cost.mult_adds and seconds and item.kernel.kind in roof.mult_adds:
                assert cost.mult_adds / seconds <= roof.mult_adds[item.kernel.kind] * (1 + 1e-9), target.id


def test_memory_ceilings_are_of_the_order_of_the_devices_memory() -> None:
    """A GTX 1080 Ti has 484 GB/s, a core of a Snapdragon 810 some GB/s of 25.6: prices that were fitted come near."""
    analysis = costmodel.analyze("zoo:shufflenet_v2", platform=PAPER)
    arm, gpu = (roofline(p, t).bytes for p, t in zip(analysis.predictions, analysis.platforms, strict=True))
    assert 3e9 < arm < 25.6e9
    assert 240e9 < gpu < 970e9


# --- memory ----------------------------------------------------------------------------------------------------------


def tensor(name: str, elements: int) -> TensorSpec:
    return TensorSpec((elements,), "float32", name)


def diamond() -> Graph:
    """x -> a -> b; a -> c; b and c -> y, of 10, 20, 30, 40 and 50 elements; nobody reads d."""
    sizes = {"x": 10, "a": 20, "b": 30, "c": 40, "y": 50, "d": 5}
    nodes = (
        Node("A", "Relu", "", ("x",), ("a",)),
        Node("B", "Relu", "", ("a",), ("b", "d")),
        Node("C", "Relu", "", ("a",), ("c",)),
        Node("Y", "Add", "", ("b", "c"), ("y",)),
    )
    running = tuple(replace(node, cost=Cost(element_ops=1)) for node in nodes)  # what costs nothing is a view
    return Graph("diamond", ("x",), ("y",), running, {name: tensor(name, count) for name, count in sizes.items()})


def test_a_tensor_lives_from_its_writer_to_its_last_reader() -> None:
    graph = diamond()
    alive = live_memory(graph, [(node,) for node in graph.nodes], prepares=False)
    assert alive.steps == (4 * 30, 4 * 55, 4 * 90, 4 * 120)  # x a; a b d; a b c; b c y
    assert (alive.peak, alive.peak_step) == (480, 3)


def test_what_a_kernel_takes_along_is_never_in_memory() -> None:
    graph = diamond()
    a, b, c, y = graph.nodes
    assert live_memory(graph, [(a,), (b, c, y)], prepares=False).steps == (120, 4 * (20 + 5 + 50))
    assert live_memory(graph, [(a,), (b,), (), (c,), (y,)], prepares=False).steps == (120, 220, 200, 360, 480)


@pytest.mark.parametrize("network", ["shufflenet_v2", "densenet121", "nasbench201", "mobilenet_v3_small"])
def test_memory_is_what_looking_at_every_tensor_at_every_step_gives(network: str) -> None:
    """Of kernels that need no reading of views: torch runs each operator by itself and leaves nothing out."""
    graph = costmodel.analyze(f"zoo:{network}").graph
    runs = [node for node in graph.nodes if node.cost.memory_access]
    same = {node.outputs[0]: node.inputs[0] for node in graph.nodes if not node.cost.memory_access and node.inputs}

    def place(name: str) -> str:
        while name in same:
            name = same[name]
        return name

    expected = []
    for step, now in enumerate(runs):
        before = {place(name) for one in runs[:step] for name in one.outputs} | set(graph.inputs)
        needed = {place(name) for one in runs[step:] for name in one.inputs} | set(map(place, graph.outputs))
        alive = (before & needed) | {place(name) for name in now.outputs}
        expected.append(sum(graph.tensors[name].bytes for name in alive if not graph.tensors[name].is_constant))
    assert list(live_memory(graph, [(node,) for node in runs], prepares=False).steps) == expected


def test_fusion_never_needs_more_memory() -> None:
    graph = costmodel.analyze("zoo:resnet18").graph
    single = live_memory(graph, [(node,) for node in graph.nodes], prepares=False)
    kernels = fuse(graph, runtime_of("tensorrt"))
    fused = live_memory(graph, [kernel.operators for kernel in kernels])
    # the stem's output with that of the pooling: 64 x 112 x 112 and 64 x 56 x 56 floats
    assert fused.peak == 4 * 64 * (112 * 112 + 56 * 56)
    assert fused.peak < single.peak


def test_memory_of_columns_is_refused() -> None:
    b = GraphBuilder("many")
    graph = b.build(b.relu(b.input("x", (1, Column([8, 16]), H, W)), name="act"))
    with pytest.raises(UsageError, match="many: the memory of"):
        live_memory(graph, [(node,) for node in graph.nodes])


# --- plots -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "axis",
    [
        Axis(0.0, 37.4),
        Axis(0.0, 0.0021),
        Axis(3.0, 4.0),
        Axis(0.45, 1.45, True),
        Axis(0.02, 900.0, True),
        Axis(5e8, 6.1e9, True),
    ],
)
def test_ticks_are_round_few_and_within_the_axis(axis: Axis) -> None:
    ticks = axis.ticks(6)
    assert 2 <= len(ticks) <= 7
    assert all(-1e-3 <= axis.at(tick) <= 1 + 1e-3 for tick in ticks)
    assert all(float(f"{tick:.2g}") == pytest.approx(tick) for tick in ticks)
    assert (axis.at(axis.low), axis.at(axis.high)) == (0, pytest.approx(1))


def test_a_logarithmic_axis_gives_equal_room_to_equal_factors() -> None:
    axis = Axis(1.0, 10_000.0, True)
    assert [axis.at(value) for value in (1, 10, 100, 1000)] == pytest.approx([0, 0.25, 0.5, 0.75])
    assert log_axis([7.0]).at(7.0) == pytest.approx(0.5)


def test_a_line_is_cut_at_the_edges_of_its_plot() -> None:
    x, y = Axis(1.0, 100.0, True), Axis(10.0, 200.0, True)
    assert clipped(x, y, 5.0) == ((2.0, 10.0), (40.0, 200.0))
    assert clipped(x, y, 1e6) is None


def test_numbers_on_axes_have_prefixes() -> None:
    assert [compact(number, "B") for number in (0, 500, 20_000, 1.5e6)] == ["0 B", "500 B", "20 kB", "1.5 MB"]


# --- command line ----------------------------------------------------------------------------------------------------


def test_the_command_writes_the_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "report.html"
    words = ["analyze", "zoo:shufflenet_v2,width=0.5", "-p", "snapdragon810-neon", "--format", "html"]
    assert main([*words, "-o", str(file)]) == 0
    assert capsys.readouterr() == ("", "")
    text = file.read_text(encoding="utf-8")
    assert text.startswith("<!doctype html>\n")
    assert main(words) == 0
    assert capsys.readouterr().out == text


def test_the_command_still_tells_of_a_budget(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "report.html"
    words = ["--budget", "snapdragon810-neon=1ms", "--format", "html", "-o", str(file)]
    assert main(["analyze", "zoo:shufflenet_v2", *words]) == 1
    assert "exceeded" in capsys.readouterr().err
    assert "exceeded" in file.read_text(encoding="utf-8")

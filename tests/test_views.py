"""What an analysis is in Python: rows that add up, records, data frames, notebooks and charts."""

from __future__ import annotations

import csv
import io
import math
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import FrozenInstanceError, replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from onnx_models import model, node, save, value, weight
from platform_examples import PLAIN, QUANTILES, platform

import costmodel
from costmodel.builder import GraphBuilder
from costmodel.cli import main
from costmodel.columns import Column
from costmodel.dims import symbol
from costmodel.errors import UsageError
from costmodel.graph import Graph
from costmodel.platforms import Doubt
from costmodel.views import Row, View

NETWORK = "zoo:shufflenet_v2,width=0.5"
COUNTS = ("mult_adds", "memory_access", "params")
# Blocked layouts, so that copies stand between kernels; nothing is free but the run.
BLOCKED = platform(
    "bench8-onnxruntime-fp32-1t",
    runtime="onnxruntime",
    coefficients={
        "pointwise.mult_adds": 1e-10,
        "depthwise.mult_adds_3x3": 3e-10,
        "dense.mult_adds": 2e-10,
        "movement.elements": 3e-9,
        "rearrangement.elements": 5e-9,
        "elementwise.elements": 1e-9,
        "run": 1e-4,
    },
    doubt=Doubt(0.1, {"pointwise": 0.2, "movement": 0.5, "dense": 0.0, "depthwise": 0.3}, QUANTILES),
)


@pytest.fixture(scope="module")
def analysis() -> costmodel.Analysis:
    return costmodel.analyze(NETWORK, platform=[BLOCKED, PLAIN])


@pytest.fixture(autouse=True)
def _no_window() -> Iterator[None]:
    """Figures are drawn into memory and given up after each test."""
    from matplotlib import pyplot

    mpl.use("Agg")
    yield
    pyplot.close("all")


def small(name: str = "y") -> Graph:
    """A 1x1 convolution with its normalisation, and a pooling."""
    b = GraphBuilder("small")
    x = b.conv(b.input("x", (1, 6, 5, 7)), 8, name=name)
    return b.build(b.max_pool(b.batch_norm(x, name="norm"), 3, stride=1, padding=1, name="pool"))


# -- rows


@pytest.mark.parametrize("key", COUNTS)
def test_top_has_the_dearest_operators(analysis: costmodel.Analysis, key: Any) -> None:
    dear = sorted((getattr(operator.cost, key) for operator in analysis.operators), reverse=True)
    rows = analysis.top(7, by=key)
    assert [getattr(row.cost, key) for row in rows] == dear[:7]
    for row in rows:
        assert row.node is not None
        assert (row.name, row.op, row.cost) == (row.node.name, row.node.op_type, row.node.cost)
        assert row.output_shape == analysis.graph.tensors[row.node.outputs[0]].shape


def test_top_by_latency_is_by_that_of_the_first_platform(analysis: costmodel.Analysis) -> None:
    every = analysis.top(len(analysis.operators), by="latency")
    seconds = [0.0 if row.times[0].estimate is None else row.times[0].estimate.seconds for row in every]
    assert seconds == sorted(seconds, reverse=True)
    assert seconds[0] > 0
    assert sum(seconds) + analysis.predictions[0].fixed == pytest.approx(analysis.predictions[0].latency.seconds)


@pytest.mark.parametrize("view", [View(), View("type"), View("module"), View("module", depth=1)])
def test_rows_add_up_to_the_network(analysis: costmodel.Analysis, view: View) -> None:
    rows = analysis.rows(view)
    assert sum((row.cost for row in rows), start=costmodel.Cost()) == analysis.totals
    assert sorted(member.name for row in rows for member in row.members) == sorted(n.name for n in analysis.operators)
    for count in COUNTS:
        assert sum(row.shares[count] for row in rows) == pytest.approx(1)
    for place, prediction in enumerate(analysis.predictions):
        times = [row.times[place] for row in rows]
        assert {time.platform for time in times} == {prediction.platform}
        seconds = sum(time.estimate.seconds for time in times if time.estimate)
        assert seconds + prediction.fixed == pytest.approx(prediction.latency.seconds)
        shares = sum(time.share for time in times if time.share)
        assert shares == pytest.approx(1 - prediction.fixed / prediction.latency.seconds)


def test_groups_name_what_they_sum(analysis: costmodel.Analysis) -> None:
    by_type = {row.name: row for row in analysis.by_type()}
    convolutions = [operator for operator in analysis.operators if operator.op_type == "Conv"]
    assert by_type["Conv"].members == tuple(convolutions)
    assert by_type["Conv"].operators == by_type["Conv"].coverage.counted == len(convolutions)
    assert next(iter(by_type)) == "Conv"
    stages = {row.name: row for row in analysis.by_module(1)}
    inside = [operator for operator in analysis.operators if operator.module.split(".")[0] == "stage3"]
    assert stages["stage3"].members == tuple(inside)


def test_a_row_of_one_kernel_has_the_interval_of_the_kernel(analysis: costmodel.Analysis) -> None:
    """Unless copies are made for it: PLAIN makes none. Of those that are taken along the kernel is named."""
    kernels = {item.kernel.name: item for item in analysis.predictions[1].kernels}
    taken = 0
    for row in analysis.rows(View()):
        time = row.times[1]
        if time.kernel == row.name:
            expected = kernels[row.name].estimate
            assert time.estimate is not None
            given = (time.estimate.seconds, time.estimate.low, time.estimate.high)
            assert given == pytest.approx((expected.seconds, expected.low, expected.high))
        else:
            taken += 1
            assert time.estimate is None
            assert row.name in [operator.name for operator in kernels[time.kernel].kernel.operators]
    assert taken


def test_the_interval_of_everything_is_that_of_the_run() -> None:
    """A run without a fixed time is the sum of its kernels, those without operators among them."""
    free = replace(BLOCKED, coefficients={**BLOCKED.coefficients, "run": 0.0})
    analysis = costmodel.analyze(NETWORK, platform=free)
    assert any(not item.kernel.operators for item in analysis.predictions[0].kernels)
    whole, given = analysis.predictions[0].latency, analysis.timings[0].estimate(o.name for o in analysis.operators)
    assert (given.seconds, given.low, given.high) == pytest.approx((whole.seconds, whole.low, whole.high))
    assert given.coverage == whole.coverage


def test_an_interval_of_a_group_by_hand() -> None:
    """3 us in pointwise kernels and 1 us in others of doubt 0.1: doubts add up as their squares."""
    b = GraphBuilder("two")
    x = b.conv(b.input("x", (1, 6, 5, 7)), 8, name="conv")
    graph = b.build(b.max_pool(x, 3, stride=1, padding=1, name="pool"))
    [pool] = [operator for operator in graph.nodes if operator.op_type == "MaxPool"]
    prices = {"pointwise.mult_adds": 3e-6 / (5 * 7 * 6 * 8), "pool.comparisons": 1e-6 / pool.cost.element_ops}
    doubt = Doubt(0.2, {"pointwise": 0.4, "pool": 0.1}, QUANTILES)
    analysis = costmodel.analyze(graph, platform=platform(coefficients=prices, doubt=doubt))
    [row] = analysis.by_module()
    estimate = row.times[0].estimate
    assert estimate is not None
    spread = math.exp(QUANTILES[0.9] * math.sqrt(0.2**2 + (0.75 * 0.4) ** 2 + (0.25 * 0.1) ** 2))
    assert (estimate.seconds, estimate.low, estimate.high) == pytest.approx((4e-6, 4e-6 / spread, 4e-6 * spread))


def test_rows_and_analyses_are_frozen(analysis: costmodel.Analysis) -> None:
    row = analysis.top(1)[0]
    for thing, name in ((row, "name"), (row.times[0], "share"), (analysis, "model")):
        with pytest.raises(FrozenInstanceError):
            setattr(thing, name, "other")


@pytest.mark.parametrize(
    ("words", "view"),
    [
        (["--top", "5", "--sort", "latency"], View("op", 5, "latency")),
        (["--top", "4", "--sort", "params"], View("op", 4, "params")),
        (["--by", "type"], View("type")),
        (["--by", "type", "--top", "3", "--sort", "memory_access"], View("type", 3, "memory_access")),
        (["--by", "module", "--depth", "2"], View("module", depth=2)),
        (["--by", "module", "--sort", "latency"], View("module", sort="latency")),
        ([], View()),
    ],
)
def test_the_command_line_shows_the_same_rows(words: list[str], view: View, capsys: pytest.CaptureFixture[str]) -> None:
    analysis = costmodel.analyze(NETWORK, platform="raspberrypi4-ncnn-fp32-1t")
    assert main(["analyze", NETWORK, "-p", "raspberrypi4-ncnn-fp32-1t", "--format", "csv", *words]) == 0
    printed = list(csv.reader(io.StringIO(capsys.readouterr().out)))
    place = printed[0].index("raspberrypi4-ncnn-fp32-1t:latency_ms")
    assert [row[0] for row in printed[1:]] == [row.name for row in analysis.rows(view)]
    assert [row[place] for row in printed[1:]] == [milliseconds(row) for row in analysis.rows(view)]


def milliseconds(row: Row) -> str:
    estimate = row.times[0].estimate
    return "" if estimate is None else str(estimate.seconds * 1e3)


def test_top_refuses_what_it_cannot_rank() -> None:
    analysis = replace(costmodel.analyze(small()), model="its/own name.onnx")
    with pytest.raises(UsageError, match="by is 'flops'; it is one of mult_adds, memory_access, params, latency"):
        analysis.top(3, by="flops")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=r"^its/own name\.onnx: rows cannot be sorted by latency, since no platform"):
        analysis.top(3, by="latency")
    with pytest.raises(UsageError, match="count is -1"):
        analysis.top(-1)
    with pytest.raises(UsageError, match="depth is 0"):
        analysis.by_module(0)


@pytest.mark.parametrize("batch", [Column(np.array([1, 2])), symbol("N")], ids=["column", "symbol"])
def test_rows_of_what_is_no_single_network_have_no_times(batch: Any) -> None:
    prices = PLAIN if isinstance(batch, Column) else None
    analysis = costmodel.analyze("zoo:squeezenet1_1", batch=batch, platform=prices)
    for row in (*analysis.by_type(), *analysis.by_module()):
        assert row.times == ()
        assert "mult_adds" not in row.shares
    assert analysis.to_records()[0]["params"] == 64 * 3 * 3 * 3 + 64
    assert "squeezenet1_1" in analysis._repr_html_()
    assert "squeezenet1_1" in repr(analysis)


# -- records and data frames


def test_records_are_flat_and_complete(analysis: costmodel.Analysis) -> None:
    records = analysis.to_records()
    assert len(records) == len(analysis.operators)
    assert len({tuple(record) for record in records}) == 1
    for record, operator, published in zip(records, analysis.operators, analysis.to_dict()["operators"], strict=True):
        assert all(entry is None or type(entry) in (int, float, str) for entry in record.values())
        assert record["output_shape"] == "x".join(map(str, published.pop("output_shape")))
        assert {key: record[key] for key in published} == published
        assert record["mult_adds"] == operator.cost.mult_adds
    for prediction in analysis.predictions:
        id, times = prediction.platform, [record[f"{prediction.platform}:latency_ms"] for record in records]
        assert None in times
        total = sum(time for time in times if time is not None) * 1e-3 + prediction.fixed
        assert total == pytest.approx(prediction.latency.seconds)
        for record in records:
            ends = [record[f"{id}:{end}"] for end in ("low_ms", "latency_ms", "high_ms")]
            assert ends == [None] * 3 or ends == sorted(ends)
            assert (record[f"{id}:kernel"] == record["name"]) == (ends[1] is not None)


def test_a_data_frame_has_a_row_an_operator(analysis: costmodel.Analysis) -> None:
    pytest.importorskip("pandas", reason="pandas is optional: pip install pandas")
    frame = analysis.to_frame()
    assert list(frame["name"]) == [operator.name for operator in analysis.operators]
    assert int(frame["mult_adds"].sum()) == analysis.totals.mult_adds
    assert frame["mult_adds"].dtype == "int64"
    latency, prediction = frame[f"{PLAIN.id}:latency_ms"], analysis.predictions[1]
    assert latency.dtype == "float64"
    assert latency.sum() * 1e-3 + prediction.fixed == pytest.approx(prediction.latency.seconds)
    assert frame.groupby("op")["params"].sum()["Conv"] == analysis.by_type()[0].cost.params


def test_without_pandas_the_command_is_named(analysis: costmodel.Analysis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(UsageError, match=r"to_frame\(\) needs pandas .*: pip install pandas$"):
        analysis.to_frame()


def test_nothing_optional_is_loaded_unless_it_is_asked_for() -> None:
    code = (
        "import sys, costmodel\n"
        f"analysis = costmodel.analyze({NETWORK!r}, platform='pixel4')\n"
        "analysis.to_records(); analysis.top(3); analysis._repr_html_(); analysis.by_type()\n"
        "assert not {'torch', 'pandas', 'matplotlib', 'onnx'} & set(sys.modules), sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


# -- notebooks


class Page(HTMLParser):
    """The elements of a page, their attributes' names, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: set[str] = set()
        self.text = ""
        self.open: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag != "br":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data + "|"


def test_a_notebook_shows_totals_latencies_and_coverage(analysis: costmodel.Analysis) -> None:
    html = analysis._repr_html_()
    page = Page(html)
    assert page.open == []
    assert set(page.tags) <= {"div", "p", "strong", "small", "br", "table", "thead", "tbody", "tr", "th", "td"}
    assert page.attributes <= {"style", "scope"}
    assert len(html) < 5000
    for expected in (NETWORK, f"{analysis.totals.mult_adds:,}", f"{analysis.totals.params:,}", "Coverage: "):
        assert expected in page.text
    for prediction in analysis.predictions:
        assert prediction.platform in page.text
    assert page.text.count(" to ") >= len(analysis.predictions)


def test_names_are_harmless_in_a_notebook(tmp_path: Path) -> None:
    ugly = "<script>alert('1')</script>\"&\x1b[1m"
    nodes = [node("Relu", ["x"], ["z"]), node(ugly, ["z"], ["y"], domain="odd")]
    path = save(model(nodes, [value("x", (1, 3))], [weight("w", 3)], outputs=[value("y", (1, 3))]), tmp_path)
    whole = costmodel.analyze(path)
    for analysis in (whole, replace(whole, model=ugly), costmodel.analyze(replace(small(), name=ugly), platform=PLAIN)):
        html = analysis._repr_html_()
        page = Page(html)
        assert "script" not in page.tags
        assert "\x1b" not in html + repr(analysis)
        assert "\n" not in repr(analysis)
        assert "<script>" in page.text or analysis is not whole
    assert "at least 0 mult-adds" in repr(whole)
    assert "totals are lower bounds" in whole._repr_html_()


def test_a_prompt_shows_one_line() -> None:
    analysis = costmodel.analyze(small(), platform=platform(doubt=Doubt(0.0, {"pointwise": 0.0, "pool": 0}, QUANTILES)))
    latency = f"{5 * 7 * 6 * 8 * 1e-6:.3g}"
    assert repr(costmodel.analyze(small())) == "<Analysis of small: 1.68 k mult-adds, 64 parameters>"
    assert repr(analysis).endswith(f"; 0.00168 ms (0.00168 to 0.00168, 9 of 10) on {PLAIN.id}>")
    assert latency == "0.00168"


# -- charts


def test_bars_of_time_fill_the_run(analysis: costmodel.Analysis) -> None:
    ax = analysis.plot_time()
    assert isinstance(ax, mpl.axes.Axes)
    ends = [0.0, 0.0]
    for patch in ax.patches:
        ends[round(patch.get_y() + patch.get_height() / 2)] += patch.get_width()
    assert ends == pytest.approx([100, 100])
    names = [text.get_text() for text in ax.get_yticklabels()]
    assert [name.splitlines()[0] for name in names] == [BLOCKED.id, PLAIN.id]
    assert all("9 of 10" in name for name in names)
    drawn(ax)


def test_a_roofline_lies_above_its_kernels(analysis: costmodel.Analysis) -> None:
    """Times are sums, so that no kernel is above the ceiling of its kind or of the memory."""
    ax = costmodel.analyze(NETWORK, platform="snapdragon810").plot_roofline()
    points = np.concatenate([collection.get_offsets() for collection in ax.collections])
    lines = [line.get_xydata() for line in ax.lines]
    level = max(line[1][1] for line in lines)
    slope = max(line[0][1] / line[0][0] for line in lines)
    assert len(points) > 10
    assert (points[:, 1] <= level * 1.0001).all()
    assert (points[:, 1] <= points[:, 0] * slope * 1.0001).all()
    drawn(ax)


def test_a_roofline_is_of_the_platform_that_is_named(analysis: costmodel.Analysis) -> None:
    for name, id in ((None, BLOCKED.id), ("bench1", PLAIN.id), (BLOCKED.id, BLOCKED.id)):
        assert f" on {id}: " in analysis.plot_roofline(name).get_title(loc="left")
    for name, says in (("pixel4", "names none of those predicted"), ("bench", "names 2 of those predicted: bench8")):
        with pytest.raises(UsageError, match=says):
            analysis.plot_roofline(name)


def test_counts_have_a_dot_an_operator(analysis: costmodel.Analysis) -> None:
    ax = analysis.plot_counts()
    points = sorted(tuple(map(int, point)) for collection in ax.collections for point in collection.get_offsets())
    costs = [operator.cost for operator in analysis.operators if operator.cost.memory_access]
    assert points == sorted((cost.memory_access, cost.mult_adds) for cost in costs)
    low, high = ax.get_ylim()
    assert low < 0 <= max(cost.mult_adds for cost in costs) < high
    drawn(ax)


@pytest.mark.parametrize("name", ["plot_time", "plot_roofline", "plot_counts"])
def test_charts_are_drawn_where_they_are_asked_for(analysis: costmodel.Analysis, name: str) -> None:
    from matplotlib.figure import Figure

    ax = Figure().subplots()
    assert getattr(analysis, name)(ax=ax) is ax
    assert ax.has_data()
    assert getattr(analysis, name)() is not ax


@pytest.mark.parametrize("name", ["plot_time", "plot_roofline", "plot_counts"])
def test_names_are_no_formulas_in_charts(name: str) -> None:
    graph = replace(small("_$\\frac{1}$"), name="$x^{2 <b>\x07")
    drawn(getattr(costmodel.analyze(graph, platform=platform("bench1-$a_{-ncnn-fp32-1t")), name)())


@pytest.mark.parametrize("name", ["plot_time", "plot_roofline", "plot_counts"])
def test_a_network_without_mult_adds_is_drawn(name: str) -> None:
    b = GraphBuilder("light")
    graph = b.build(b.relu(b.input("x", (1, 3, 4, 5))))
    drawn(getattr(costmodel.analyze(graph, platform=PLAIN), name)())


def drawn(ax: Any) -> None:
    """The figure that an Axes is in is drawn without a warning."""
    ax.figure.savefig(io.BytesIO(), format="svg")


def test_charts_say_what_is_missing(analysis: costmodel.Analysis, monkeypatch: pytest.MonkeyPatch) -> None:
    alone = costmodel.analyze(NETWORK)
    for name in ("plot_time", "plot_roofline"):
        with pytest.raises(UsageError, match="no platform is predicted; name one"):
            getattr(alone, name)()
    several = costmodel.analyze("zoo:squeezenet1_1", batch=Column(np.array([1, 2])), platform=PLAIN)
    for name in ("plot_time", "plot_roofline", "plot_counts"):
        with pytest.raises(UsageError, match="columns"):
            getattr(several, name)()
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    for name in ("plot_time", "plot_roofline", "plot_counts"):
        with pytest.raises(UsageError, match=r"pip install 'cnn-costmodel\[plot\]'"):
            getattr(analysis, name)()

"""Latencies in analyze(), its reports and the command line, worked out by hand on made-up platforms."""

from __future__ import annotations

import csv
import io
import json
import math
from dataclasses import FrozenInstanceError, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx_models import model, node, save, value, weight
from platform_examples import FULL, QUANTILES, platform

import costmodel
from costmodel.builder import GraphBuilder
from costmodel.cli import main
from costmodel.cli.inputs import DEFAULTS
from costmodel.columns import Column
from costmodel.dims import symbol
from costmodel.errors import UsageError
from costmodel.graph import Graph
from costmodel.platforms import Doubt, Platform, save_profile
from costmodel.pricing import Budget, doubts, price
from costmodel.report import csv as csv_report
from costmodel.report import json as json_report
from costmodel.report import latency, markdown, text
from costmodel.report.rows import View

H, W = 5, 7
FIRST, SECOND = H * W * 6 * 8, H * W * 8 * 10  # mult-adds of the two 1x1 convolutions
PLAIN = platform(doubt=Doubt(0.1, {"pointwise": 0.0}, QUANTILES))
# One second for 2 x 10^9 mult-adds and 5 us a launch of anything else; 0.25 ms a run.
PRICED = platform(
    "second2-ncnn-fp32-1t",
    runtime="ncnn",
    coefficients={"run": 0.25e-3, "launch.light": 5e-6, "pointwise.mult_adds": 0.5e-9},
    doubt=Doubt(0.3, {"pointwise": 0.4, "pool": 0.0}, {0.5: 0.5, 0.9: 2.0}),
)
FREE = "no time, since the profile has no price for such work"


def network(batch: Any = 1, channels: Any = 8, size: Any = (H, W)) -> Graph:
    """Two 1x1 convolutions, the first with a fused normalisation and ReLU, a pooling between them, and a view."""
    b = GraphBuilder("small")
    x = b.input("x", (batch, 6, *size))
    with b.scope("stem"):
        x = b.relu(b.batch_norm(b.conv(x, channels, name="expand"), name="norm"), name="act")
        x = b.max_pool(x, 3, stride=1, padding=1, name="pool")
    with b.scope("head"):
        x = b.conv(x, 10, name="project")
    return b.build(b.flatten(x, name="flat"))


@pytest.fixture
def paths(tmp_path: Path) -> tuple[str, str]:
    """PLAIN and PRICED as files."""
    result = tuple(str(tmp_path / f"{p.id}.json") for p in (PLAIN, PRICED))
    for p, path in zip((PLAIN, PRICED), result, strict=True):
        save_profile(p, path)
    return result[0], result[1]


@pytest.fixture
def model_path(tmp_path: Path) -> str:
    """The same two convolutions as a file, an unknown operator behind them."""
    nodes = [
        node("Conv", ["x", "w1"], ["a"], name="first"),
        node("Relu", ["a"], ["b"], name="act"),
        node("Conv", ["b", "w2"], ["c"], name="second"),
        node("Mystery", ["c"], ["y"], name="odd", domain="com.example"),
    ]
    constants = [weight("w1", 8, 6, 1, 1), weight("w2", 10, 8, 1, 1)]
    outputs = [value("y", (1, 10, H, W))]
    return str(save(model(nodes, [value("x", (1, 6, H, W))], constants, outputs=outputs), tmp_path))


def out_of(capsys: pytest.CaptureFixture[str], *words: str, status: int = 0) -> tuple[str, str]:
    assert main(words) == status
    captured = capsys.readouterr()
    return captured.out, captured.err


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    try:
        status: Any = main(words)
    except SystemExit as end:
        status = end.code
    out, err = capsys.readouterr()
    assert (status, out, len(err.splitlines())) == (2, "", 1)
    return err


# -- analyze()


def test_no_platform_is_the_default_in_python() -> None:
    analysis = costmodel.analyze(network())
    assert (analysis.platforms, analysis.predictions, analysis.budgets) == ((), (), ())
    assert analysis.to_dict()["platforms"] == analysis.to_dict()["budgets"] == []


def test_a_latency_is_the_sum_of_what_was_counted_times_its_price() -> None:
    analysis = costmodel.analyze(network(), platform=[PLAIN, PRICED])
    assert analysis.platforms == (PLAIN, PRICED)
    plain, priced = analysis.predictions
    assert (plain.platform, priced.platform) == (PLAIN.id, PRICED.id)
    assert plain.latency.seconds == pytest.approx((FIRST + SECOND) * 1e-9, rel=1e-12)
    # one light kernel: the pooling; norm, act and flat belong to other kernels
    assert priced.latency.seconds == pytest.approx(0.25e-3 + 5e-6 + (FIRST + SECOND) * 0.5e-9, rel=1e-12)
    for prediction in (plain, priced):
        parts = [item.estimate.seconds for item in prediction.kernels]
        assert prediction.fixed + sum(parts) == pytest.approx(prediction.latency.seconds, rel=1e-12)
    with pytest.raises(FrozenInstanceError):
        analysis.predictions = ()  # type: ignore[misc]


def test_the_interval_is_a_factor_from_the_doubt_of_the_kinds_that_take_the_time() -> None:
    [latency] = (p.latency for p in costmodel.analyze(network(), platform=PLAIN, coverage=0.95).predictions)
    assert (latency.high / latency.seconds, latency.seconds / latency.low) == pytest.approx([math.exp(3 * 0.1)] * 2)
    [latency] = (p.latency for p in costmodel.analyze(network(), platform=PRICED, coverage=0.5).predictions)
    pointwise = (FIRST + SECOND) * 0.5e-9 / latency.seconds
    assert latency.high / latency.seconds == pytest.approx(math.exp(0.5 * math.hypot(0.3, 0.4 * pointwise)))
    assert latency.coverage == 0.5


@pytest.mark.parametrize("reference", [PLAIN, [PLAIN], (PLAIN, PLAIN)], ids=["one", "list", "twice"])
def test_platforms_are_given_in_several_ways_and_counted_once(reference: Any) -> None:
    assert costmodel.analyze(network(), platform=reference).platforms == (PLAIN,)


def test_a_profile_is_given_by_its_path(paths: tuple[str, str]) -> None:
    for reference in (paths[0], Path(paths[0]), [paths[0]]):
        assert costmodel.analyze(network(), platform=reference).platforms == (PLAIN,)


def test_what_cannot_be_priced_is_refused_with_a_remedy() -> None:
    other = platform(device="another device")
    for options, says in (
        (
            {"platform": [PLAIN, other]},
            "have this id: a Platform of 'A bench, one core' and a Platform of 'another device'",
        ),
        ({"platform": PLAIN, "coverage": 0.7}, "a coverage of 0.7 is not in its profile; it has 0.5, 0.8, 0.9, 0.95"),
        ({"platform": 3}, "not"),
        ({"platform": [3]}, "a platform is an id such as"),
        ({"platform": "nothing"}, "nothing: no such platform"),
        ({"platform": platform(runtime="nothing")}, "nothing: no fusion rules"),
        ({"platform": PLAIN, "budgets": {PLAIN.id: 0}}, "0 is not a positive number of seconds"),
        ({"platform": PLAIN, "budgets": {PLAIN.id: math.nan}}, "nan is not a positive number of seconds"),
        ({"platform": PLAIN, "budgets": {PLAIN.id: "3ms"}}, "'3ms' is not a positive number of seconds"),
    ):
        with pytest.raises((UsageError, TypeError)) as caught:
            costmodel.analyze(network(), **options)
        assert says in str(caught.value)


def test_symbols_cannot_be_priced() -> None:
    for graph in (network(batch=symbol("n")), network(channels=symbol("c")), network(size=(symbol("h"), W))):
        assert costmodel.analyze(graph).predictions == ()
        with pytest.raises(UsageError, match=r"^small: only numbers can be priced, and sizes are symbols; give all"):
            costmodel.analyze(graph, platform=PLAIN)


def test_a_population_has_a_latency_for_each_design_and_no_report() -> None:
    widths = [8, 16, 24]
    analysis = costmodel.analyze(network(channels=Column(np.array(widths))), platform=PLAIN)
    expected = [H * W * (6 * c + c * 10) * 1e-9 for c in widths]
    [prediction] = analysis.predictions
    assert prediction.latency.seconds == pytest.approx(expected)
    entry = json.loads(json_report.render(analysis))["platforms"][0]
    assert entry["latency_ms"] == pytest.approx([1e3 * seconds for seconds in expected])
    assert entry["high_ms"] == pytest.approx([1e3 * math.exp(0.2) * seconds for seconds in expected])
    for render in (text.render, markdown.render, csv_report.render):
        with pytest.raises(UsageError, match=r"^small: reports show the latency of one network"):
            render(analysis, View())


# -- what the interval does not cover


def test_work_without_a_price_is_named_and_the_latency_called_a_lower_bound() -> None:
    analysis = costmodel.analyze(network(), platform=[PLAIN, PRICED])
    [line] = latency.note_lines(analysis)
    assert line == f"{PLAIN.id}: 1 kernel takes {FREE} (pool; first 'stem.pool'): the latency is a lower bound"
    plain, priced = analysis.to_dict()["platforms"]
    assert plain["notes"] == [line.removeprefix(f"{PLAIN.id}: ")]
    assert priced["notes"] == []


def test_a_network_that_takes_no_time_is_reported_with_the_reason() -> None:
    nothing = platform(coefficients={"matmul.mult_adds": 1e-9})
    analysis = costmodel.analyze(network(), platform=nothing, budgets={nothing.id: 1e-3})
    assert analysis.exceeded == ()
    for out in (text.render(analysis, View()), text.render(analysis, View("type"))):
        assert f"{nothing.id}: 3 kernels take {FREE} (pointwise, pool; first 'stem.expand')" in out
        assert "dearest kernel" not in out
    assert "3 kernels take" in markdown.render(analysis, View())
    assert json.loads(json_report.render(analysis))["platforms"][0]["latency_ms"] == 0


def test_unknown_operators_make_the_latency_a_lower_bound(model_path: str) -> None:
    analysis = costmodel.analyze(model_path, platform=PRICED)
    [note] = analysis.to_dict()["platforms"][0]["notes"]
    assert note == "1 unknown operator is timed by the elements touched: the latency is a lower bound"
    for out in (text.render(analysis, View()), markdown.render(analysis, View())):
        assert f"{PRICED.id}: {note}" in out.replace("\\", "")


def test_the_notes_of_a_profile_are_in_the_json() -> None:
    notes = costmodel.analyze(network(), platform=FULL).to_dict()["platforms"][0]["notes"]
    assert "Only measured at batch 1." in notes


# -- JSON


def test_json_of_platforms_is_as_published() -> None:
    """DESIGN.md section 5."""
    analysis = costmodel.analyze(network(), platform=[PLAIN, PRICED], budgets={PRICED.id: 1e-3})
    document = json.loads(json_report.render(analysis))
    plain, priced = document["platforms"]
    assert plain["id"] == PLAIN.id
    assert plain["latency_ms"] == pytest.approx((FIRST + SECOND) * 1e-6)
    assert plain["low_ms"] == pytest.approx(plain["latency_ms"] / math.exp(0.2))
    assert plain["high_ms"] == pytest.approx(plain["latency_ms"] * math.exp(0.2))
    assert (plain["coverage"], plain["fixed_ms"], priced["fixed_ms"]) == (0.9, 0, 0.25)
    names = [operator["name"] for operator in document["operators"]]
    for entry in document["platforms"]:
        assert sorted(name for kernel in entry["kernels"] for name in kernel["operators"]) == sorted(names)
        parts = sum(kernel["latency_ms"] for kernel in entry["kernels"])
        assert parts + entry["fixed_ms"] == pytest.approx(entry["latency_ms"])
        assert entry["launches"] == sum(kernel["launches"] for kernel in entry["kernels"]) == 3
        for kernel in entry["kernels"]:
            assert {"name", "kind", "operators", "latency_ms"} <= set(kernel)
            assert kernel["name"] in kernel["operators"]
            assert kernel["low_ms"] <= kernel["latency_ms"] <= kernel["high_ms"]
    first = plain["kernels"][0]
    assert (first["name"], first["kind"]) == ("stem.expand", "pointwise")
    assert first["operators"] == ["stem.expand", "stem.norm", "stem.act"]
    assert first["latency_ms"] == pytest.approx(FIRST * 1e-6)
    [budget] = document["budgets"]
    assert (budget["platform"], budget["budget_ms"], budget["exceeded"]) == (PRICED.id, 1.0, False)
    assert budget["high_ms"] == priced["high_ms"]


def test_the_held_out_error_stands_beside_the_latency() -> None:
    plain, full = costmodel.analyze(network(), platform=[PLAIN, FULL]).to_dict()["platforms"]
    assert (plain["held_out_mape"], full["held_out_mape"]) == (None, 0.071)


# -- tables


def test_text_states_latency_interval_shares_and_kernels() -> None:
    analysis = costmodel.analyze(network(), platform=PRICED)
    out = text.render(analysis, View())
    [prediction] = analysis.predictions
    whole = prediction.latency
    assert f"{1e3 * whole.seconds:.3f} ms  {1e3 * whole.low:.3f} to {1e3 * whole.high:.3f} ms" in out
    assert "9 of 10 between" in out
    rows = [line.split() for line in out.splitlines()]
    pointwise = (FIRST + SECOND) * 0.5e-9
    assert ["pointwise", f"{1e3 * pointwise:.4f}", f"{100 * pointwise / whole.seconds:.1f}", "%"] in rows
    assert ["run", "(fixed)", "0.2500", f"{0.025 / whole.seconds:.1f}", "%"] in rows
    assert ["pool", "0.0050", f"{5e-4 / whole.seconds:.1f}", "%"] in rows
    assert ["stem.pool", "pool", "0.0050", f"{5e-4 / whole.seconds:.1f}", "%"] in rows
    assert [row[-1] for row in rows if row[:2] == ["stem.norm", "BatchNormalization"]] == ["fused"]
    assert "view" not in out


def test_shares_add_up_to_the_whole() -> None:
    cells = latency.by_kind(latency.times(costmodel.analyze(network(), platform=[PLAIN, PRICED])))
    assert cells.heads == ("kind of kernel", "bench1 ms", "share", "second2 ms", "share")
    for column in (2, 4):
        assert sum(float(row[column].removesuffix(" %")) for row in cells.rows) == pytest.approx(100, abs=0.3)
    assert [row[0] for row in cells.rows] == ["pointwise", "run (fixed)", "pool"]  # by the larger share


def test_the_dearest_kernels_are_ranked_by_their_largest_share() -> None:
    times = latency.times(costmodel.analyze(network(), platform=[PLAIN, PRICED]))
    cells = latency.dearest(times, 2)
    assert [row[0] for row in cells.rows] == ["head.project", "stem.expand"]
    assert cells.rows[0][1:3] == ("pointwise", f"{SECOND * 1e-6:.6f}")
    assert [row[0] for row in latency.dearest(times, 99).rows] == ["head.project", "stem.expand", "stem.pool"]


def test_groups_take_the_time_of_the_kernels_whose_main_operators_they_have() -> None:
    analysis = costmodel.analyze(network(), platform=PLAIN)
    rows = list(csv.DictReader(io.StringIO(csv_report.render(analysis, View("module")))))
    seconds = {row["module"]: float(row[f"{PLAIN.id}:latency_ms"]) * 1e-3 for row in rows}
    assert seconds["stem"] == pytest.approx(FIRST * 1e-9)
    assert seconds["head"] == pytest.approx(SECOND * 1e-9)
    rows = list(csv.DictReader(io.StringIO(csv_report.render(analysis, View("type")))))
    assert {row["type"]: float(row[f"{PLAIN.id}:latency_ms"]) > 0 for row in rows} == {
        **dict.fromkeys(("BatchNormalization", "Relu", "MaxPool", "Flatten"), False),
        "Conv": True,
    }
    for view in (View("module"), View("type")):
        assert f"{100 * FIRST / (FIRST + SECOND):.1f} %" in text.render(analysis, View("module"))
        assert "bench1 ms" in markdown.render(analysis, view)


def test_csv_has_each_operators_kernel_and_latencies_at_the_main_ones() -> None:
    rows = list(
        csv.DictReader(io.StringIO(csv_report.render(costmodel.analyze(network(), platform=[PLAIN, PRICED]), View())))
    )
    kernel, time, low, high = (f"{PRICED.id}:{name}" for name in ("kernel", "latency_ms", "low_ms", "high_ms"))
    assert [row[kernel] for row in rows] == [*["stem.expand"] * 3, "stem.pool", *["head.project"] * 2]
    assert [bool(row[time]) for row in rows] == [True, False, False, True, True, False]
    assert float(rows[0][time]) == pytest.approx(FIRST * 0.5e-6)
    assert float(rows[3][time]) == pytest.approx(5e-3)
    assert float(rows[3][low]) < float(rows[3][time]) < float(rows[3][high])
    assert float(rows[0][f"{PLAIN.id}:latency_ms"]) == pytest.approx(FIRST * 1e-6)


def test_markdown_names_the_kernel_that_took_an_operator_along() -> None:
    out = markdown.render(costmodel.analyze(network(), platform=[PLAIN, PRICED]), View())
    [line] = [line for line in out.splitlines() if line.startswith("| stem.norm |")]
    assert line.endswith("| in stem.expand | in stem.expand |")
    tables = [block.splitlines() for block in out.split("\n\n") if block.startswith("|")]
    assert len(tables) == 5
    assert all(len({line.count("|") for line in table}) == 1 for table in tables)


@pytest.mark.parametrize("number", [1, 2, 3, 4, 7])
@pytest.mark.parametrize("by", ["op", "type", "module"])
def test_text_fits_80_columns_and_names_every_platform(number: int, by: Any) -> None:
    ids = ["snapdragon810-neon-fp32-1t", "raspberrypi4-ncnn-fp32-1t", "raspberrypi4-ncnn-fp32-4t"]
    ids += [f"gtx{index}-cudnn7-fp32" for index in range(4)]
    many = [platform(id, coefficients={**PRICED.coefficients, "other.elements": 1e-3}) for id in ids[:number]]
    analysis = costmodel.analyze("zoo:shufflenet_v2,width=1.0", platform=many)
    narrow = text.render(analysis, View(by), width=80)
    assert max(map(len, narrow.splitlines())) <= 80
    assert "…" not in narrow
    piped = text.render(analysis, View(by))
    assert all(id in piped for id in ids[:number])
    assert "stage2.0.branch2" in piped
    assert "…" not in piped
    if number <= 2:
        assert all(len(line) <= 80 for line in piped.splitlines() if not line.startswith(tuple(ids)))


def test_a_pipe_has_the_latencies_of_all_platforms_and_a_terminal_says_where_they_are() -> None:
    many = [platform(f"bench{index}-ncnn-fp32-1t") for index in range(5)]
    analysis = costmodel.analyze(network(), platform=many)
    line = "The first {} of 5 platforms; a pipe, -o FILE and --format csv have all."
    for by in ("op", "type", "module"):
        view = View(by)  # type: ignore[arg-type]
        assert "of 5 platforms" not in text.render(analysis, view)
        assert line.format(2) in text.render(analysis, view, width=80)
        assert line.format(3) in text.render(analysis, view, width=105)
        assert "of 5 platforms" not in text.render(analysis, view, width=160)
    [row] = [row for row in text.render(analysis, View()).splitlines() if row.startswith("stem.norm ")]
    assert row.split()[-5:] == ["fused"] * 5


@pytest.mark.parametrize("by", ["op", "type", "module"])
def test_rows_are_sorted_by_the_latency_on_the_first_platform(by: Any) -> None:
    pools = platform("pools-ncnn-fp32-1t", coefficients={"launch.light": 1.0, "pointwise.mult_adds": 1e-9})
    analysis = costmodel.analyze(network(), platform=[pools, PRICED])
    rows = list(csv.DictReader(io.StringIO(csv_report.render(analysis, View(by, sort="latency")))))
    seconds = [float(row[f"{pools.id}:latency_ms"] or 0) for row in rows]
    assert seconds == sorted(seconds, reverse=True)
    dearest = {"op": "stem.pool", "type": "MaxPool", "module": "stem"}[by]
    assert next(iter(rows[0].values())) == dearest
    assert len(list(csv.DictReader(io.StringIO(csv_report.render(analysis, View(by, 2, "latency")))))) == 2
    if by == "op":
        out = text.render(analysis, View(by, 2, "latency"))
        assert f"Top 2 of 6 operators by latency on {pools.id}" in out
        assert [row["operator"] for row in rows[:3]] == ["stem.pool", "head.project", "stem.expand"]
    with pytest.raises(UsageError, match=r"^small: rows cannot be sorted by latency, since no platform is predicted"):
        text.render(costmodel.analyze(network()), View(by, sort="latency"))


def test_kernels_are_named_with_their_module_as_operators_are(tmp_path: Path) -> None:
    """torch's exporter names a node after its number, and has the module in the metadata."""
    nodes = [node("Conv", ["x", "w"], ["c"], name="node_Conv_963"), node("Relu", ["c"], ["y"], name="node_relu")]
    for one in nodes:
        one.metadata_props.add(key="pkg.torch.onnx.name_scopes", value="['', 'features', 'features.18', 'conv2d']")
    outputs = [value("y", (1, 8, H, W))]
    path = save(model(nodes, [value("x", (1, 6, H, W))], [weight("w", 8, 6, 1, 1)], outputs=outputs), tmp_path)
    analysis = costmodel.analyze(path, platform=PLAIN)
    [row] = latency.dearest(latency.times(analysis), 5).rows
    assert row[0] == "features.18/node_Conv_963"
    assert text.render(analysis, View()).count("features.18/node_Conv_963 ") == 2
    assert "| in features.18/node_Conv_963 |" in markdown.render(analysis, View()).replace("\\", "")


def test_names_from_files_cannot_steer_the_terminal(tmp_path: Path) -> None:
    nodes = [node("Conv", ["x", "w"], ["y"], name="evil\x1b[31m|`<b>")]
    path = save(model(nodes, [value("x", (1, 6, H, W))], [weight("w", 8, 6, 1, 1)]), tmp_path)
    odd = platform(notes=("note\x1b[0m",))
    analysis = costmodel.analyze(path, platform=odd)
    assert "\x1b" not in text.render(analysis, View())
    out = markdown.render(analysis, View())
    assert "\x1b" not in out
    assert "<b>" not in out


@pytest.mark.parametrize(
    ("head", "width", "lines"),
    [
        ("gtx1080ti ms", 13, ["gtx1080ti", "ms"]),
        ("snapdragon810 ms", 13, ["snapdragon810", "ms"]),
        ("snapdragon810 ms", 12, ["snapdragon", "810", "ms"]),
        ("raspberrypi4-ncnn-fp32-1t ms", 13, ["raspberrypi4", "-ncnn-fp32-1t", "ms"]),
        ("raspberrypi4-ncnn-fp32-1t ms", 12, ["raspberrypi4", "-ncnn-fp32", "-1t", "ms"]),
    ],
)
def test_a_long_head_is_broken_at_its_dashes(head: str, width: int, lines: list[str]) -> None:
    assert latency.on_lines(head, width).split("\n") == lines


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0.0, "0"),
        (1.234e-9, "0.00000123"),
        (0.00543e-3, "0.00543"),
        (0.9996e-3, "1.00"),
        (1.234e-3, "1.23"),
        (9.999e-3, "10.0"),
        (36.94e-3, "36.9"),
        (0.12345, "123"),
        (12.3456, "12,300"),
    ],
)
def test_milliseconds_have_three_digits(seconds: float, shown: str) -> None:
    assert latency.milliseconds(seconds) == shown


def test_a_latency_in_a_sentence() -> None:
    estimate = costmodel.Estimate(12.3e-3, 10.9e-3, 13.9e-3, 0.9)
    assert latency.interval(estimate) == "12.3 ms (10.9 to 13.9, 9 of 10)"
    for coverage, odds in ((0.5, "1 of 2"), (0.8, "4 of 5"), (0.95, "19 of 20"), (0.99, "99 of 100")):
        assert odds in latency.interval(costmodel.Estimate(1.0, 1.0, 1.0, coverage))


# -- budgets


def test_a_budget_is_exceeded_when_the_upper_end_is_above_it() -> None:
    high = (FIRST + SECOND) * 1e-9 * math.exp(0.2)
    for seconds, exceeded in ((high * 1.001, False), (high * 0.999, True), (high * 0.1, True)):
        analysis = costmodel.analyze(network(), platform=PLAIN, budgets={PLAIN.id: seconds})
        [budget] = analysis.budgets
        assert isinstance(budget, Budget)
        assert (budget.platform, budget.seconds, budget.exceeded) == (PLAIN.id, seconds, exceeded)
        assert analysis.exceeded == ((budget,) if exceeded else ())
    assert "exceeded" in latency.budget_line(budget)
    assert "even the lower end is above it" in latency.budget_line(budget)


def test_a_budget_brings_its_platform_along(paths: tuple[str, str]) -> None:
    analysis = costmodel.analyze(network(), platform=PRICED, budgets={paths[0]: 1.0, PRICED.id: 2.0})
    assert analysis.platforms == (PRICED, PLAIN)
    assert [(budget.platform, budget.seconds) for budget in analysis.budgets] == [(PLAIN.id, 1.0), (PRICED.id, 2.0)]
    with pytest.raises(UsageError, match=f"{PLAIN.id} has a budget already"):
        costmodel.analyze(network(), platform=PLAIN, budgets={paths[0]: 1.0, PLAIN.id: 2.0})


@pytest.mark.parametrize("form", ["text", "markdown", "json", "csv"])
def test_an_exceeded_budget_is_status_1_with_a_line_on_stderr_and_the_report_as_ever(
    form: str, paths: tuple[str, str], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    words = ("analyze", "zoo:squeezenet1_1", "-p", paths[0], "--format", form)
    seconds = costmodel.analyze("zoo:squeezenet1_1", platform=paths[0]).predictions[0].latency.high
    kept, err = out_of(capsys, *words, "--budget", f"{paths[0]}={1e3 * seconds + 1:.3f}ms")
    assert err == ""
    exceeded, err = out_of(capsys, *words, "--budget", f"{paths[0]}={1e3 * seconds - 1:.3f}ms", status=1)
    assert len(err.splitlines()) == 1
    assert err.startswith("costmodel: zoo:squeezenet1_1: Budget of ")
    assert f"ms on {PLAIN.id}: exceeded, " in err
    assert "the upper end is above it" in err
    if form in ("text", "markdown"):
        assert "Budget of " in kept
        assert ": kept, " in kept
        assert ": exceeded, " in exceeded.replace("\\", "")
    elif form == "json":
        assert [json.loads(out)["budgets"][0]["exceeded"] for out in (kept, exceeded)] == [False, True]
    else:
        assert kept == exceeded
    target = tmp_path / "report"
    out, _ = out_of(capsys, *words, "--budget", f"{paths[0]}=1us", "-o", str(target), status=1)
    assert out == ""
    assert target.read_text(encoding="utf-8")


@pytest.mark.parametrize(("limit", "seconds"), [("3ms", 3e-3), ("2.5ms", 2.5e-3), ("800us", 8e-4), (".5s", 0.5)])
def test_budgets_have_units(
    limit: str, seconds: float, paths: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("analyze", "zoo:squeezenet1_1", "-p", "none", "--format", "json", "--budget", f"{paths[0]}={limit}")
    main(words)
    document = json.loads(capsys.readouterr().out)
    assert document["budgets"][0]["budget_ms"] == pytest.approx(1e3 * seconds)
    assert [entry["id"] for entry in document["platforms"]] == [PLAIN.id]


# -- the command line


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["-p", "nothing"], "nothing: no such platform"),
        (["-p", "nothing.json"], "nothing.json: no such file; give a profile, or an id"),
        (["-p", "none", "-p", "nothing"], "nothing: no such platform"),
        (["--budget", "x"], "--budget x: write PLATFORM=LATENCY"),
        (["--budget", "x=3"], "--budget x=3: write PLATFORM=LATENCY with us, ms or s"),
        (["--budget", "x=-3ms"], "write PLATFORM=LATENCY"),
        (["--budget", "x=0ms"], "--budget x=0ms: a run takes more than 0ms; give a latency above 0"),
        (["--budget", "x=300MS"], "--budget x=300MS: units are in lower case, 300ms; write PLATFORM=LATENCY"),
        (["--budget", "x=3MB"], "--budget x=3MB: write PLATFORM=LATENCY"),
        (["--budget", "x=1e3ms"], "write PLATFORM=LATENCY"),
        (["--budget", "x=nanms"], "write PLATFORM=LATENCY"),
        (["--budget", "=3ms"], "write PLATFORM=LATENCY"),
        (["--budget", "x=3ms", "--budget", "x=4ms"], "--budget x=4ms: x has a budget already"),
        (["--budget", "nothing=3ms"], "nothing: no such platform"),
        (["--coverage", "2"], "'2' is not a share"),
        (["--coverage", "nan"], "'nan' is not a share"),
    ],
    ids=lambda item: " ".join(item) if isinstance(item, list) else "",
)
def test_bad_words_about_platforms_are_one_line(
    words: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert says in refused(capsys, "analyze", "zoo:squeezenet1_1", *words)


def test_a_coverage_that_a_profile_lacks_is_refused(paths: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    line = refused(capsys, "analyze", "zoo:squeezenet1_1", "-p", paths[1], "--coverage", "0.8")
    assert f"{PRICED.id}: a coverage of 0.8 is not in its profile; it has 0.5, 0.9" in line


def test_a_bad_profile_is_refused_before_the_model_is_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "bad.json").write_text('{"schema": "costmodel.platform/1"}')
    line = refused(capsys, "analyze", "nowhere.onnx", "-p", str(tmp_path / "bad.json"))
    assert "bad.json: id: missing; add it" in line


def test_two_profiles_with_one_id_are_named_by_their_files(
    paths: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = str(tmp_path / "copy.json")
    save_profile(platform(device="another device"), copy)
    line = refused(capsys, "analyze", "zoo:squeezenet1_1", "-p", paths[0], "-p", copy)
    assert f"{PLAIN.id}: two different profiles have this id: {paths[0]} and {copy}; give one" in line
    line = refused(capsys, "analyze", "zoo:squeezenet1_1", "-p", paths[0], "--budget", f"{copy}=3ms")
    assert f"have this id: a Platform of 'A bench, one core' and {copy}; give one" in line


def test_none_stands_for_the_defaults_only(paths: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    for words in (("-p", "none", "-p", paths[0]), ("-p", "none", "--budget", f"{paths[0]}=9s")):
        out, _ = out_of(capsys, "analyze", "zoo:squeezenet1_1", "--format", "json", *words)
        assert [entry["id"] for entry in json.loads(out)["platforms"]] == [PLAIN.id]


def test_platforms_are_named_in_any_number(paths: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    out, _ = out_of(capsys, "analyze", "zoo:squeezenet1_1", "-p", paths[0], "--platform", paths[1], "--format", "json")
    assert [entry["id"] for entry in json.loads(out)["platforms"]] == [PLAIN.id, PRICED.id]
    out, _ = out_of(capsys, "analyze", "zoo:squeezenet1_1", "-p", "none")
    assert "Latency" not in out
    assert "platform" not in out
    out, _ = out_of(capsys, "analyze", "zoo:squeezenet1_1", "-p", paths[0], "--coverage", "0.5")
    assert "1 of 2 between" in out


def test_without_p_it_is_the_papers_platforms_as_far_as_there_are_profiles(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("costmodel.platforms.files.PROFILES", str(tmp_path))

    def ids(*words: str) -> list[str]:
        out, _ = out_of(capsys, "analyze", "zoo:squeezenet1_1", "--format", "json", *words)
        return [entry["id"] for entry in json.loads(out)["platforms"]]

    assert ids() == []
    made: list[Platform] = [platform(id) for id in (*DEFAULTS[::-1], "another-ncnn-fp32-1t")]
    for index, one in enumerate(made):
        save_profile(one, tmp_path / f"{one.id}.json")
        assert ids() == [id for id in DEFAULTS if id in {p.id for p in made[: index + 1]}]
    assert ids("-p", "another") == ["another-ncnn-fp32-1t"]
    assert ids("-p", "none") == []
    assert ids("--budget", "another=9s") == [*DEFAULTS, "another-ncnn-fp32-1t"]
    assert ids("--budget", "snapdragon810=9s") == [*DEFAULTS]


def test_a_model_without_normalisations_may_have_lost_them_to_its_export() -> None:
    eager = replace(PLAIN, id="bench9-torch-fp32", runtime="torch")
    told = {
        bool(norm): doubts(*price(graph, "net", [eager]), eager, graph)
        for norm in (0, 1)
        for graph in [_one_convolution(bool(norm))]
    }
    assert any("if its export folded it" in note for note in told[False])
    assert not any("if its export folded it" in note for note in told[True])


def _one_convolution(norm: bool) -> Graph:
    g = GraphBuilder("net")
    y = g.conv(g.input("input", (1, 8, 6, 5)), 8)
    return g.build(g.batch_norm(y) if norm else y)


def test_copies_between_layouts_are_part_of_the_operators_they_are_made_for() -> None:
    """ONNX Runtime's reorders have no operator; rows and the fixed time add up to the latency all the same."""
    blocked = replace(PLAIN, id="bench8-onnxruntime-fp32-1t", runtime="onnxruntime", coefficients=dict(EVERYTHING))
    analysis = costmodel.analyze("zoo:shufflenet_v2", platform=blocked)
    [prediction] = analysis.predictions
    assert any(not item.kernel.operators for item in prediction.kernels)
    [entry] = latency.times(analysis)
    rows = entry.sum(node.name for node in analysis.operators)
    assert rows + prediction.fixed == pytest.approx(prediction.latency.seconds)


EVERYTHING = {"pointwise.mult_adds": 1e-10, "movement.elements": 3e-9, "rearrangement.elements": 5e-9, "run": 1e-4}

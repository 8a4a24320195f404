"""costmodel calibrate: measurements in, a profile that analyze takes out; what is refused leaves nothing behind."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx_models import model, node, save, value, weight
from synthetic import PHYSICS, SEEN, noisy, truth, work

from calibration import dataset, known
from calibration.calibrate import same_work
from calibration.dataset import Sample, read
from calibration.features import TERMS, Features
from calibration.fit import DEGREES, STRETCH_DOUBT
from calibration.machines import PROCESSORS
from calibration.relatives import Learned
from costmodel import zoo
from costmodel.builder import GraphBuilder
from costmodel.cli import main
from costmodel.graph import Graph
from costmodel.kernels import RUNTIMES, fuse, runtime_of
from costmodel.platforms import load_profile
from costmodel.predictor import predict
from costmodel.predictor.terms import amounts

NETWORKS = SEEN[::3]
SECONDS = noisy(work(NETWORKS).amounts @ truth(1), 0.04, 1)
ROWS = [f'"{name}",{1e3 * time:.6g}' for name, time in zip(NETWORKS, SECONDS, strict=True)]
BOARD = ("--id", "myboard-ncnn-fp32-1t", "--runtime", "ncnn")
GOOD = "zoo:squeezenet1_1,9.5"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every test in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def data(*rows: str, header: str = "network,latency_ms", name: str = "rows.csv") -> str:
    Path(name).write_text("\n".join((header, *rows)) + "\n", encoding="utf-8")
    return name


def contents() -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in Path().rglob("*") if path.is_file()}


def calibrated(capsys: pytest.CaptureFixture[str], *words: str, output: str = "profile.json") -> tuple[str, str]:
    """stdout and stderr of a run that must succeed."""
    assert main(["calibrate", *words, "-o", output]) == 0
    result = capsys.readouterr()
    return result.out, result.err


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """The one line on stderr of a run that must end with status 2 and write nothing."""
    before = contents()
    try:
        status = main(["calibrate", *words])
    except SystemExit as end:  # argparse leaves this way
        status = end.code if isinstance(end.code, int) else 1
    out, err = capsys.readouterr()
    assert status == 2
    assert out == ""
    assert len(err.splitlines()) == 1
    assert err.startswith("costmodel: ")
    assert "internal error" not in err
    assert contents() == before
    return err


# What comes out


def test_a_profile_predicts_what_was_measured(capsys: pytest.CaptureFixture[str]) -> None:
    out, err = calibrated(capsys, data(*ROWS), *BOARD)
    assert err == ""
    assert out.startswith("myboard-ncnn-fp32-1t\n")
    assert all(words in out for words in ("leave one network out", "this profile", "mult-adds only", "within 10 %"))
    platform = load_profile("profile.json")
    predictions = [predict(zoo.load(name), platform).latency for name in NETWORKS]
    errors = [abs(p.seconds / time - 1) for p, time in zip(predictions, SECONDS, strict=True)]
    assert np.mean(errors) < 0.05
    assert np.mean([p.low <= time <= p.high for p, time in zip(predictions, SECONDS, strict=True)]) > 0.8


def test_the_profile_says_who_it_is_and_where_from(capsys: pytest.CaptureFixture[str]) -> None:
    calibrated(
        capsys, data(*ROWS), *BOARD, "--device", "My board", "--runtime-version", "2024", "--clock", "fixed",
        "--date", "2024-05-03", "--prior", "none",
    )  # fmt: skip
    platform = load_profile("profile.json")
    assert (platform.id, platform.device, platform.runtime) == ("myboard-ncnn-fp32-1t", "My board", "ncnn")
    assert (platform.precision, platform.threads, platform.clock, platform.runtime_version) == (
        "fp32",
        1,
        "fixed",
        "2024",
    )
    (source,) = platform.sources
    assert (source.name, source.date, source.samples) == ("rows.csv", "2024-05-03", len(NETWORKS))
    assert platform.accuracy is not None
    assert (platform.accuracy.networks, platform.accuracy.samples) == (len(NETWORKS), len(NETWORKS))
    assert platform.accuracy.mape < platform.accuracy.baseline_memory < platform.accuracy.baseline_mult_adds * 1.2
    assert platform.accuracy.method == "leave one network out"


def test_analyze_takes_the_profile(capsys: pytest.CaptureFixture[str]) -> None:
    calibrated(capsys, data(*ROWS), *BOARD)
    assert main(["analyze", "zoo:resnet18", "-p", "profile.json", "--format", "json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)["platforms"]
    wanted = 1e3 * float((work(["zoo:resnet18"]).amounts @ truth(1))[0])
    assert found["id"] == "myboard-ncnn-fp32-1t"
    assert found["latency_ms"] == pytest.approx(wanted, rel=0.1)
    assert found["low_ms"] < wanted < found["high_ms"]


def test_the_same_data_give_the_same_bytes(capsys: pytest.CaptureFixture[str]) -> None:
    rows = data(*ROWS)
    first = calibrated(capsys, rows, *BOARD, "--report", "a.html", output="a.json")
    second = calibrated(capsys, rows, *BOARD, "--report", "b.html", output="b.json")
    assert first == second
    assert Path("a.json").read_bytes() == Path("b.json").read_bytes()
    assert Path("a.html").read_bytes() == Path("b.html").read_bytes()


def test_the_order_of_rows_changes_no_coefficient_by_more_than_rounding(capsys: pytest.CaptureFixture[str]) -> None:
    calibrated(capsys, data(*ROWS), *BOARD, output="a.json")
    calibrated(capsys, data(*ROWS[::-1]), *BOARD, output="b.json")
    one, other = (load_profile(name).coefficients for name in ("a.json", "b.json"))
    assert one == pytest.approx(other, rel=1e-4)


@pytest.mark.parametrize("ending", ["html", "svg", "png", "HTML"])
def test_the_report_is_drawn(capsys: pytest.CaptureFixture[str], ending: str) -> None:
    calibrated(capsys, data(*ROWS[:5]), *BOARD, "--report", f"report.{ending}")
    content = Path(f"report.{ending}").read_bytes()
    if ending == "svg":
        assert ElementTree.fromstring(content).tag.endswith("svg")
    elif ending == "png":
        assert content.startswith(b"\x89PNG")
    else:
        assert content.startswith(b"<!DOCTYPE html>")
        assert all(name.encode() in content for name in NETWORKS[:5])


# What is known before


def test_relatives_help_where_little_is_measured(capsys: pytest.CaptureFixture[str]) -> None:
    """Two networks of a shipped platform, which its relatives have run as well, and the others predicted."""
    shipped = read(Path(dataset.__file__).parent / "data" / "ncnn_arm_cpu.csv").samples
    measured = {s.network: s.latency for s in shipped if s.platform == "raspberrypi4-ncnn-fp32-1t"}
    two = ("zoo:mobilenet_v1", "zoo:squeezenet_ssd")
    rows = data(*(f"{name},{1e3 * measured[name]}" for name in two))
    errors = {}
    for prior in ("auto", "none"):
        calibrated(capsys, rows, *BOARD, "--prior", prior)
        platform = load_profile("profile.json")
        rest = [name for name in measured if name not in two]
        errors[prior] = np.mean([abs(predict(zoo.load(n), platform).latency.seconds / measured[n] - 1) for n in rest])
    assert errors["auto"] < 0.75 * errors["none"]


def test_relatives_that_have_run_the_networks_are_said(capsys: pytest.CaptureFixture[str]) -> None:
    out, _ = calibrated(capsys, data(*ROWS), *BOARD)
    assert "related platforms, that the fit begins with" in " ".join(out.split())
    out, _ = calibrated(capsys, data(*ROWS), *BOARD, "--prior", "none")
    assert "related platforms" not in out


def test_a_damaged_prior_is_refused_and_not_needed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("priors").mkdir()
    Path("priors/ncnn-fp32-1t.json").write_text('{"schema": "costmodel.prior/1"}', encoding="utf-8")
    monkeypatch.setattr(known, "FOLDER", Path("priors"))
    text = refused(capsys, data(*ROWS), *BOARD, "-o", "profile.json")
    assert "priors/ncnn-fp32-1t.json" in text
    assert "--prior none" in text
    calibrated(capsys, "rows.csv", *BOARD, "--prior", "none")


def test_a_network_that_is_slow_on_all_relatives_is_no_news(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes twice as long as it should, as everywhere: the prices are those without."""
    Path("priors").mkdir()
    monkeypatch.setattr(known, "FOLDER", Path("priors"))
    twice = f'"{NETWORKS[0]}",{2e3 * SECONDS[0]:.6g}'
    found = []
    for offsets, rows in (({}, ROWS), ({NETWORKS[0]: np.log(2)}, [twice, *ROWS[1:]])):
        text = known.dumps(Learned(PHYSICS, offsets, ("a board",)))
        Path("priors/ncnn-fp32-1t.json").write_text(text, encoding="utf-8")
        calibrated(capsys, data(*rows), *BOARD)
        found.append(load_profile("profile.json").coefficients)
    assert found[0] == pytest.approx(found[1], rel=1e-3)


def test_two_networks_make_a_profile_and_a_warning(capsys: pytest.CaptureFixture[str]) -> None:
    _, err = calibrated(capsys, data(*ROWS[:2]), *BOARD)
    line = err.splitlines()[0]
    assert "2 networks only" in line
    assert "Measure 10 or more" in line
    platform = load_profile("profile.json")
    assert platform.notes == ("fitted to 2 networks only",)  # who is given the profile is told as well
    assert all(price > 0 for price in platform.coefficients.values())


def test_ten_networks_are_enough_to_say_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert calibrated(capsys, data(*ROWS[:10]), *BOARD)[1] == ""
    assert "9 networks only" in calibrated(capsys, data(*ROWS[:9]), *BOARD)[1]


# Which rows, which machine


def test_rows_of_one_platform_are_chosen(capsys: pytest.CaptureFixture[str]) -> None:
    mixed = data(
        *(f"{row},mine" for row in ROWS),
        *(f'"{name}",1,other' for name in NETWORKS),
        header="network,latency_ms,platform",
    )
    calibrated(capsys, mixed, *BOARD, "--platform", "mine", output="a.json")
    calibrated(capsys, data(*ROWS), *BOARD, output="b.json")
    assert load_profile("a.json").coefficients == load_profile("b.json").coefficients


def test_threads_and_precision_come_from_the_rows_unless_stated(capsys: pytest.CaptureFixture[str]) -> None:
    rows = data(*(f"{row},4,FP16" for row in ROWS), header="network,latency_ms,threads,precision")
    calibrated(capsys, rows, "--id", "b-ncnn-fp16-4t", "--runtime", "ncnn")
    platform = load_profile("profile.json")
    assert (platform.threads, platform.precision, platform.machine.vector) == (4, "fp16", 8)
    calibrated(
        capsys, data(*ROWS), "--id", "b-ncnn-fp16-2t", "--runtime", "ncnn", "--threads", "2", "--precision", "FP16"
    )
    platform = load_profile("profile.json")
    assert (platform.threads, platform.precision) == (2, "fp16")


@pytest.mark.parametrize(
    ("runtime", "more", "threads", "padded"),
    [
        ("tensorrt", (), 0, True),
        ("tflite", (), 1, False),
        ("tflite", ("--processor", "gpu"), 0, True),
    ],
)
def test_gpus_are_known_by_their_runtime_or_told(
    capsys: pytest.CaptureFixture[str], runtime: str, more: Sequence[str], threads: int, padded: bool
) -> None:
    """A GPU pays for whole tiles of channels: at fp16 both runtimes' tiles are known."""
    calibrated(capsys, data(*ROWS[:4]), "--id", f"x-{runtime}-fp16", "--runtime", runtime, "--precision", "fp16", *more)
    platform = load_profile("profile.json")
    assert platform.machine.padded is padded
    assert platform.threads == threads


def test_batches_of_a_network_are_samples_of_one_network(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [
        f"zoo:{name},{time * batch},{batch}"
        for name, time in (("resnet18", 2), ("alexnet", 3), ("vgg11", 9))
        for batch in (1, 8)
    ]
    out, _ = calibrated(
        capsys, data(*rows, header="network,latency_ms,batch"), "--id", "x-tensorrt-fp32", "--runtime", "tensorrt"
    )
    assert "3 networks, 6 samples" in " ".join(out.split())
    assert "zoo:resnet18,batch=8" in out


def small_model(channels: int) -> Any:
    """A 3x3 convolution, its activation and a depthwise one."""
    return model(
        [
            node("Conv", ["x", "w"], ["a"], pads=[1, 1, 1, 1]),
            node("Relu", ["a"], ["b"]),
            node("Conv", ["b", "v"], ["y"], group=channels, pads=[1, 1, 1, 1]),
        ],
        inputs=(value("x", (1, 3, 32, 48)),),
        constants=(weight("w", channels, 3, 3, 3), weight("v", channels, 1, 3, 3)),
        outputs=(value("y", (1, channels, 32, 48)),),
    )


def test_onnx_models_beside_the_data_are_networks(capsys: pytest.CaptureFixture[str]) -> None:
    """Files are found from the folder of the CSV, wherever the command runs."""
    Path("lab/models").mkdir(parents=True)
    for channels in (8, 16, 40):
        save(small_model(channels), Path("lab/models"), f"net{channels}.onnx")
    rows = data(*(f"models/net{c}.onnx,{0.02 * c}" for c in (8, 16, 40)), name="lab/rows.csv")
    out, _ = calibrated(capsys, rows, *BOARD)
    assert "models/net40.onnx" in out
    platform = load_profile("profile.json")
    assert main(["analyze", "lab/models/net16.onnx", "-p", "profile.json", "--format", "json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)["platforms"]
    assert found["latency_ms"] == pytest.approx(0.32, rel=0.3)
    assert platform.accuracy is not None
    assert platform.accuracy.networks == 3


def test_what_was_assumed_of_a_model_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    free = model([node("Relu", ["x"], ["y"])], inputs=(value("x", (1, 3, "height", 8)),), outputs=(value("y", None),))
    save(free, Path(), "free.onnx")
    _, err = calibrated(capsys, data("free.onnx,0.1", *ROWS[:3]), *BOARD)
    assert "free.onnx: " in err
    assert "height" in err


def test_networks_without_mult_adds_can_be_measured(capsys: pytest.CaptureFixture[str]) -> None:
    for size in (2, 3):
        pool = node("MaxPool", ["x"], ["y"], kernel_shape=[size, size])
        save(model([pool], outputs=(value("y", None),)), Path(), f"pool{size}.onnx")
    calibrated(capsys, data("pool2.onnx,0.1", "pool3.onnx,0.2"), *BOARD)
    assert load_profile("profile.json").coefficients


@pytest.mark.parametrize("scale", [1e-6, 1e3])
def test_platforms_that_are_very_fast_or_slow(capsys: pytest.CaptureFixture[str], scale: float) -> None:
    rows = [f'"{name}",{1e3 * scale * time:.6g}' for name, time in zip(NETWORKS, SECONDS, strict=True)]
    calibrated(capsys, data(*rows), *BOARD, output="scaled.json")
    calibrated(capsys, data(*ROWS), *BOARD)
    scaled, own = (predict(zoo.load("zoo:resnet18"), load_profile(p)).latency for p in ("scaled.json", "profile.json"))
    assert scaled.seconds == pytest.approx(scale * own.seconds, rel=1e-3)


# What is refused


def test_latencies_that_no_platform_has(capsys: pytest.CaptureFixture[str]) -> None:
    """A nanosecond and an hour: nothing that could be predicted with any use."""
    rows = data("zoo:resnet18,0.00001", "zoo:squeezenet1_1,3599999")
    assert "interval.network" in refused(capsys, rows, *BOARD, "-o", "profile.json")


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        (["zoo:resnet18,nan"], "latency_ms is 'nan'"),
        (["zoo:resnet18,inf"], "latency_ms is 'inf'"),
        (["zoo:resnet18,0"], "above 0"),
        (["zoo:resnet18,-3"], "above 0"),
        (["zoo:resnet18,"], "latency_ms is empty"),
        (["zoo:resnet18,fast"], "latency_ms is 'fast'"),
        ([GOOD], "it repeats line 2"),
        (["zoo:squeezenet1_1,9.6"], "9.6 ms here and 9.5 ms in line 2"),
        (["zoo:resnet81,3"], "no network has this name"),
        (["nowhere.onnx,3"], "nowhere.onnx: no such file"),
        (["zoo:mobilenet_v2,width=0.5,3"], "double quotes"),
    ],
)
def test_bad_rows(capsys: pytest.CaptureFixture[str], rows: list[str], problem: str) -> None:
    path = data(GOOD, *rows)
    text = refused(capsys, path, *BOARD, "-o", "profile.json", "--report", "report.svg")
    assert f"{path}:3: " in text
    assert problem in text
    assert "--skip-bad" in text


def test_skip_bad_leaves_rows_out_and_lists_them(capsys: pytest.CaptureFixture[str]) -> None:
    _, err = calibrated(
        capsys, data(ROWS[0], "zoo:nothing,3", *ROWS[1:], "zoo:resnet18,nan"), *BOARD, "--skip-bad", output="a.json"
    )
    first, second = err.splitlines()
    assert first.startswith("left out: rows.csv:3: zoo:nothing: no network has this name")
    assert second.startswith(f"left out: rows.csv:{len(ROWS) + 3}: latency_ms is 'nan'")
    calibrated(capsys, data(*ROWS), *BOARD, output="b.json")
    assert Path("a.json").read_bytes() == Path("b.json").read_bytes()


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        ([], "no row below the header"),
        ([GOOD], "its one row measures one network"),
        ([f"{GOOD},1", f"{GOOD},8"], "all 2 rows measure one network"),
        (["zoo:resnet18,nan", "zoo:alexnet,0"], "2 bad rows"),
    ],
)
@pytest.mark.parametrize("skip", [(), ("--skip-bad",)])
def test_too_little(capsys: pytest.CaptureFixture[str], rows: list[str], problem: str, skip: tuple[str, ...]) -> None:
    header = "network,latency_ms,batch" if rows and rows[0].count(",") == 2 else "network,latency_ms"
    assert problem in refused(capsys, data(*rows, header=header), *BOARD, *skip, "-o", "profile.json")


@pytest.mark.parametrize(
    ("column", "cells", "problem"),
    [
        ("platform", ("a", "b"), "one platform"),
        ("threads", ("2", "4"), "no row has threads 1"),
        ("precision", ("int8", "fp16"), "no row has precision fp32"),
    ],
)
def test_rows_of_others(capsys: pytest.CaptureFixture[str], column: str, cells: tuple[str, str], problem: str) -> None:
    rows = [f"{row},{cells[i % 2]}" for i, row in enumerate(ROWS)]
    text = refused(capsys, data(*rows, header=f"network,latency_ms,{column}"), *BOARD, "-o", "profile.json")
    assert problem in text


@pytest.mark.parametrize(("column", "cells"), [("threads", ("1", "4")), ("precision", ("fp32", "fp16"))])
def test_rows_that_the_id_does_not_mean_are_left_out(
    capsys: pytest.CaptureFixture[str], column: str, cells: tuple[str, str]
) -> None:
    rows = [f"{row},{cells[i % 2]}" for i, row in enumerate(ROWS)]
    _, err = calibrated(capsys, data(*rows, header=f"network,latency_ms,{column}"), *BOARD)
    assert f"rows.csv: {len(ROWS) // 2} row(s) of other {column} than {cells[0]} were left out." in err


def test_every_runtime_runs_on_something() -> None:
    assert PROCESSORS.keys() == RUNTIMES.keys()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--id", "x-ncnn-fp16-4t", "--runtime", "tflite"), "it says ncnn where --runtime says tflite"),
        (("--id", "x-ncnn-fp16-4t", "--runtime", "ncnn", "--threads", "1"), "it says 4 where --threads says 1"),
        (("--id", "x-ncnn-fp32-1t", "--runtime", "ncnn", "--processor", "gpu"), "ncnn runs on a cpu"),
    ],
)
def test_what_contradicts_itself_is_refused(
    capsys: pytest.CaptureFixture[str], words: tuple[str, ...], says: str
) -> None:
    assert says in refused(capsys, data(*ROWS), *words, "-o", "profile.json")


HERE = ("--id", "here-onnxruntime-fp32-1t", "--runtime", "onnxruntime")


@pytest.mark.parametrize("blocks", ["16", "8", "0"])
def test_blocks_are_the_processors(capsys: pytest.CaptureFixture[str], blocks: str) -> None:
    """The 40 channels of a pointwise convolution are rounded up to whole blocks, or stay as they are."""
    _, err = calibrated(capsys, data(*ROWS), *HERE, "--blocks", blocks)
    assert "blocks" not in err
    machine = load_profile("profile.json").machine
    assert (machine.blocks, machine.padded) == (int(blocks), blocks != "0")
    (conv,) = (k for k in fuse(pointwise(40), runtime_of("onnxruntime", machine.blocks)) if k.loops)
    rounded = {"16": 48, "8": 40, "0": 40}[blocks]
    assert amounts(conv, machine)["pointwise.mult_adds"] == 6 * 6 * rounded**2


def pointwise(channels: int) -> Graph:
    g = GraphBuilder("pointwise")
    return g.build(g.conv(g.input("input", (1, channels, 6, 6)), channels))


def test_a_profile_without_blocks_says_what_it_was_taken_for(capsys: pytest.CaptureFixture[str]) -> None:
    _, err = calibrated(capsys, data(*ROWS), *HERE)
    assert "taken for a processor with AVX-512" in err
    assert load_profile("profile.json").machine.blocks is None


def test_blocks_without_a_meaning_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    file = data(*ROWS)
    assert "--blocks 8: ncnn in fp32 works in no such blocks; leave it out" in refused(
        capsys, file, *BOARD, "--blocks", "8", "-o", "profile.json"
    )
    half = ("--id", "here-onnxruntime-fp16-1t", "--runtime", "onnxruntime", "--blocks", "8")
    assert "onnxruntime in fp16 works in no such" in refused(capsys, file, *half, "-o", "profile.json")
    assert "invalid choice: 12" in refused(capsys, file, *HERE, "--blocks", "12", "-o", "profile.json")


def test_the_id_says_precision_and_threads(capsys: pytest.CaptureFixture[str]) -> None:
    calibrated(capsys, data(*ROWS), "--id", "x-ncnn-fp16-4t", "--runtime", "ncnn")
    platform = load_profile("profile.json")
    assert (platform.precision, platform.threads, platform.machine.vector) == ("fp16", 4, 8)


def test_seconds_for_milliseconds_are_noticed(capsys: pytest.CaptureFixture[str]) -> None:
    network, time = ROWS[3].rpartition(",")[::2]
    _, err = calibrated(capsys, data(*ROWS[:3], f"{network},{float(time) * 1e-3:.9f}", *ROWS[4:]), *BOARD)
    assert "check its row and its unit" in err


def test_networks_of_the_same_work_are_held_out_together() -> None:
    """Also where a third one joins two: b is a at another batch, and c is that."""
    rows = np.array([[1.0, 2.0], [8.0, 16.0], [8.0, 16.0], [3.0, 1.0]])
    samples = [Sample(name, 1.0, batch) for name, batch in (("b", 1), ("b", 8), ("c", 1), ("a", 1))]
    assert same_work(samples, Features(rows, {}, rows[:, 0], rows[:, 1])) == ["b", "b", "b", "a"]


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (
            ("--id", "b-ncnn", "--runtime", "nccn", "-o", "p.json"),
            "nccn: no fusion rules for this runtime; did you mean 'ncnn'?",
        ),
        (("--id", "My Board", "--runtime", "ncnn", "-o", "p.json"), "--id My Board: it names no platform"),
        (("--id", "", "--runtime", "ncnn", "-o", "p.json"), "it names no platform"),
        (("--id", "../b", "--runtime", "ncnn", "-o", "p.json", "--report", "report.svg"), "it names no platform"),
        (("--id", "../b-ncnn-fp32-1t", "--runtime", "ncnn", "-o", "p.json"), "id: '../b-ncnn-fp32-1t' does not fit"),
        ((*BOARD, "-o", "p.json", "--threads", "-3"), "it says 1 where --threads says -3"),
        ((*BOARD, "-o", "p.json", "--threads", "few"), "invalid int value"),
        ((*BOARD, "-o", "p.json", "--precision", "fp*"), "it says fp32 where --precision says fp*"),
        ((*BOARD, "-o", "p.json", "--precision", "../fp32"), "it says fp32 where --precision says ../fp32"),
        ((*BOARD, "-o", "p.json", "--prior", "some"), "invalid choice"),
        ((*BOARD, "-o", "p.json", "--report", "report.txt"), "end it in .html, .svg or .png"),
        ((*BOARD, "-o", "p.json", "--report", "report"), "end it in .html, .svg or .png"),
        ((*BOARD, "-o", "p.json", "--report", "no/where/report.svg"), "no such folder: "),
        ((*BOARD, "-o", "no/where/p.json", "--report", "report.svg"), "no such folder: "),
        ((*BOARD, "-o", "."), "names no file"),
        ((*BOARD, "-o", ""), "names no file"),
        ((*BOARD, "-o", "rows.csv"), "it holds the measurements"),
        ((*BOARD, "-o", "./link.csv"), "it holds the measurements"),
        ((*BOARD,), "-o/--output"),
        (("-o", "p.json", "--runtime", "ncnn"), "--id"),
    ],
)
def test_bad_options(capsys: pytest.CaptureFixture[str], words: tuple[str, ...], problem: str) -> None:
    path = data(*ROWS)
    Path("link.csv").symlink_to(path)
    text = refused(capsys, path, *words)
    assert problem in text


def test_a_profile_that_cannot_be_written(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # whoever runs the tests may write anywhere
    text = refused(capsys, data(*ROWS), *BOARD, "-o", "p.json", "--report", "report.svg")
    assert "-o p.json: cannot be written (no right to write there" in text


@pytest.mark.parametrize(
    "content", [None, b"", b"\x00\x01", b"\xff\xfe", b"network;latency_ms\n", b"name,ms\nzoo:alexnet,3\n"]
)
def test_what_is_no_data(capsys: pytest.CaptureFixture[str], content: bytes | None) -> None:
    if content is not None:
        Path("rows.csv").write_bytes(content)
    assert "rows.csv" in refused(capsys, "rows.csv", *BOARD, "-o", "profile.json")


def test_a_refusal_keeps_the_profile_that_is_there(capsys: pytest.CaptureFixture[str]) -> None:
    calibrated(capsys, data(*ROWS), *BOARD)
    refused(capsys, data(*ROWS, "zoo:nothing,3"), *BOARD, "-o", "profile.json")  # compares all files


# As a process


def child(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", "-m", "costmodel", "calibrate", *words]
    variables = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1]), "PYTHONHASHSEED": "random"}
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=variables)


def test_a_process_writes_the_same_profile_and_keeps_its_streams_apart(capsys: pytest.CaptureFixture[str]) -> None:
    done = child(data(*ROWS[:4], "zoo:nothing,1"), *BOARD, "--skip-bad", "-o", "child.json")
    assert done.returncode == 0
    assert "\x1b" not in done.stdout + done.stderr
    assert done.stdout.startswith("myboard-ncnn-fp32-1t\n")
    assert [line.partition(":")[0] for line in done.stderr.splitlines()] == [
        "rows.csv",
        "myboard-ncnn-fp32-1t",
        "left out",
    ]
    out, _ = calibrated(capsys, "rows.csv", *BOARD, "--skip-bad")
    assert out == done.stdout
    assert Path("child.json").read_bytes() == Path("profile.json").read_bytes()


def test_a_process_ends_with_status_2_and_one_line() -> None:
    done = child(data(GOOD, "zoo:resnet18,nan"), *BOARD, "-o", "child.json")
    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert not Path("child.json").exists()


# The page about it


def test_the_options_and_the_constants_of_the_documentation_are_there(capsys: pytest.CaptureFixture[str]) -> None:
    page = (Path(__file__).parents[1] / "docs" / "calibrate.md").read_text(encoding="utf-8")
    with pytest.raises(SystemExit):
        main(["calibrate", "--help"])
    described = capsys.readouterr().out
    for option in set(re.findall(r"(?<![-|])--[a-z][a-z-]+", page)):
        assert option in described
    assert (f"{DEGREES:g} degrees of freedom" in page, DEGREES) == (True, 4)  # which makes the 5/2 of the formula
    assert f"(e / {STRETCH_DOUBT:g})^2" in page


def test_a_latency_is_what_the_documentation_says(capsys: pytest.CaptureFixture[str]) -> None:
    """The formula of docs/calibrate.md, from the profile: t = s (s / r)^e."""
    calibrated(capsys, data(*ROWS), *BOARD)
    platform = load_profile("profile.json")
    amounts = work(["zoo:resnet18"]).amounts[0]
    s = float(sum(a * platform.coefficients[term] for a, term in zip(amounts, TERMS, strict=True)))
    assert platform.stretch.exponent != 0
    assert platform.stretch.reference == pytest.approx(np.median(SECONDS), rel=0.2)  # of the latencies less offsets
    wanted = s * (s / platform.stretch.reference) ** platform.stretch.exponent
    assert predict(zoo.load("zoo:resnet18"), platform).latency.seconds == pytest.approx(wanted, rel=1e-4)

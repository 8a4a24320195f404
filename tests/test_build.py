"""costmodel build: a design file becomes an ONNX model and weights for PyTorch, each whole or not at all."""

from __future__ import annotations

import json
import os
import runpy
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch

import search
from costmodel.analysis import analyze
from costmodel.cli import main
from search import Design, Stage
from search.design import SCHEMA

SMALL = Design(8, (Stage(16, 5, 2), Stage(20, 10, 1, 5, se=True), Stage(24, 14, 2)), 32, 64, residual=True, classes=10)
PREDICTED = {"phone-ncnn-fp32-1t": {"latency_ms": 1.25, "low_ms": 1.0, "high_ms": 1.5, "coverage": 0.9}}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Every test in a folder of its own, which has a design; small networks take one thread."""
    monkeypatch.chdir(tmp_path)
    save(SMALL)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield tmp_path
    torch.set_num_threads(threads)


def save(design: Design, name: str = "design.json", **more: Any) -> None:
    cost = design.graph().cost
    record = {"schema": SCHEMA, "design": design.to_dict(), "mult_adds": cost.mult_adds, "predicted": PREDICTED, **more}
    Path(name).write_text(json.dumps(record), encoding="utf-8")


def told(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    status = main(["build", *words])
    return status, *capsys.readouterr()


def files() -> list[str]:
    return sorted(path.name for path in Path().iterdir())


def test_without_an_output_it_says_what_the_design_is(capsys: pytest.CaptureFixture[str]) -> None:
    save(search.standard(1.0))
    status, out, err = told(capsys, "design.json")
    assert (status, err) == (0, "")
    assert out.splitlines() == [
        "design.json: 144.9 M mult-adds, 2.28 M parameters, 224x224 pixels, 1000 classes",
        "the same for other commands: zoo:shufflenet_v2_design",
        "predicted on phone-ncnn-fp32-1t: 1.25 ms (1.00 to 1.50, 9 of 10)",
        "nothing written; --onnx FILE writes an ONNX model, --torch FILE the weights for PyTorch",
    ]
    assert files() == ["design.json"]


def test_both_files_hold_the_same_network(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = told(capsys, "design.json", "--onnx", "out.onnx", "--torch", "out.pt")
    assert (status, err) == (0, "")
    assert "out.onnx: written, " in out
    assert "out.pt: written, " in out
    network = search.ShuffleNetV2(search.load_design("design.json"))
    network.load_state_dict(torch.load("out.pt", weights_only=True))
    x = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        expected = network.eval()(x).numpy()
    session = onnxruntime.InferenceSession("out.onnx", providers=["CPUExecutionProvider"])
    (given,) = session.run(None, {session.get_inputs()[0].name: x.numpy()})
    assert np.ptp(expected) > 0
    np.testing.assert_allclose(given, expected, rtol=1e-3, atol=1e-4 * float(np.abs(expected).max()))


@pytest.mark.parametrize(
    "design",
    [SMALL, replace(SMALL, act="hard_swish"), replace(SMALL, resolution=75), search.standard(0.5)],
    ids=["small", "hard_swish", "75 pixels", "0.5x"],
)
def test_the_model_costs_what_the_designs_reference_costs(capsys: pytest.CaptureFixture[str], design: Design) -> None:
    save(design)
    assert told(capsys, "design.json", "--onnx", "out.onnx")[0] == 0
    model, reference = analyze("out.onnx"), analyze(design.reference)
    assert model.totals == reference.totals
    assert [node.name for node in model.operators] == [node.name for node in reference.operators]
    assert model.notes == ()


def test_a_swish_is_written_as_two_operators(capsys: pytest.CaptureFixture[str]) -> None:
    save(replace(SMALL, act="swish"))
    assert told(capsys, "design.json", "--onnx", "out.onnx")[0] == 0
    model, reference = analyze("out.onnx"), replace(SMALL, act="swish").graph()
    swishes = sum(node.op_type == "Swish" for node in reference.nodes)
    assert swishes > 0
    assert len(model.operators) == len(reference.nodes) + swishes
    assert (model.totals.mult_adds, model.totals.params) == (reference.cost.mult_adds, reference.cost.params)


def test_the_same_seed_gives_the_same_files(capsys: pytest.CaptureFixture[str]) -> None:
    for name, seed in (("a", "3"), ("b", "3"), ("c", "4")):
        words = ("--onnx", f"{name}.onnx", "--torch", f"{name}.pt", "--seed", seed)
        assert told(capsys, "design.json", *words)[0] == 0
    for kind in ("onnx", "pt"):
        a, b, c = (Path(f"{name}.{kind}").read_bytes() for name in "abc")
        assert a == b
        assert a != c


def test_every_command_takes_the_model(capsys: pytest.CaptureFixture[str]) -> None:
    told(capsys, "design.json", "--onnx", "out.onnx")
    assert main(["analyze", "out.onnx", "-p", "snapdragon810"]) == 0
    assert main(["check", "out.onnx", "-p", "snapdragon810", "--fail-on", "never"]) == 0
    assert capsys.readouterr().err == ""


def test_latencies_of_an_edited_design_are_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    save(SMALL, mult_adds=7)
    status, out, err = told(capsys, "design.json")
    assert status == 0
    assert "predicted" not in out
    assert err.startswith(
        f"costmodel: design.json: its mult_adds are 7, its design has {SMALL.graph().cost.mult_adds};"
    )
    assert len(err.splitlines()) == 1


def test_a_file_without_predictions_is_built(capsys: pytest.CaptureFixture[str]) -> None:
    Path("bare.json").write_text(json.dumps({"schema": SCHEMA, "design": SMALL.to_dict()}), encoding="utf-8")
    status, out, err = told(capsys, "bare.json", "--torch", "out.pt")
    assert (status, err) == (0, "")
    assert len(out.splitlines()) == 3


def test_the_example_learns_digits(capsys: pytest.CaptureFixture[str]) -> None:
    """In two epochs, from a design file with all that the zoo's table has not; there are ten digits."""
    pytest.importorskip("sklearn")
    script = runpy.run_path(str(Path(__file__).parent.parent / "examples" / "train_a_design.py"))
    with torch.random.fork_rng(devices=()):
        share = script["main"](["design.json", "--epochs", "2"])
    assert share > 0.4
    assert f"accuracy on 450 images that it never saw: {share:.1%}" in capsys.readouterr().out


# -- what cannot be done


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("none.json",), "none.json: cannot be read (No such file or directory)"),
        ((".",), ".: cannot be read (Is a directory)"),
        (("design.json", "--onnx", "."), "--onnx .: is no file; give the path of one to write"),
        (("design.json", "--torch", ""), "--torch : is no file"),
        (("design.json", "--onnx", "none/out.onnx"), "--onnx none/out.onnx: cannot be written (No such file"),
        (("design.json", "--torch", "design.json/x.pt"), "--torch design.json/x.pt: cannot be written ("),
        (("design.json", "--onnx", "design.json"), "--onnx design.json: is the design's own file; give another"),
        (("design.json", "--onnx", "x", "--torch", "./x"), "--torch ./x: is --onnx's own file; give another"),
        (("design.json", "--seed", "-1"), "--seed -1: it takes a whole number from 0"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_used_is_one_line(
    capsys: pytest.CaptureFixture[str], words: tuple[str, ...], message: str
) -> None:
    before = Path("design.json").read_bytes()
    status, out, err = told(capsys, *words)
    assert (status, out, len(err.splitlines())) == (2, "", 1)
    assert err.startswith(f"costmodel: {message}")
    assert files() == ["design.json"]
    assert Path("design.json").read_bytes() == before


@pytest.mark.parametrize(
    ("predicted", "message"),
    [
        ([], "its predicted is []; it takes an object"),
        ({"phone": 3}, "its predicted phone is 3; it takes an object with latency_ms, low_ms, high_ms"),
        ({"phone": {"latency_ms": 1, "low_ms": 1}}, "its predicted phone has high_ms None"),
        ({"phone": {**PREDICTED["phone-ncnn-fp32-1t"], "low_ms": "1"}}, "its predicted phone has low_ms '1'"),
        ({"phone": {**PREDICTED["phone-ncnn-fp32-1t"], "high_ms": float("nan")}}, "its predicted phone has high_ms n"),
        ({"phone": {**PREDICTED["phone-ncnn-fp32-1t"], "coverage": 90}}, "its predicted phone has coverage 90"),
    ],
)  # fmt: skip
def test_a_prediction_that_is_none_is_told(capsys: pytest.CaptureFixture[str], predicted: Any, message: str) -> None:
    save(SMALL, predicted=predicted)
    status, out, err = told(capsys, "design.json", "--torch", "out.pt")
    assert (status, out, len(err.splitlines())) == (2, "", 1)
    assert err.startswith(f"costmodel: design.json: {message}")
    assert files() == ["design.json"]


def test_a_damaged_design_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    content = Path("design.json").read_text(encoding="utf-8").replace('"branch": 10', '"branch": 20')
    Path("design.json").write_text(content, encoding="utf-8")
    status, out, err = told(capsys, "design.json", "--torch", "out.pt")
    assert (status, out) == (2, "")
    assert err == "costmodel: design.json: stage 3: branch is 20; it takes fewer than the 20 channels\n"


def test_a_network_that_no_file_holds_is_refused_before_it_is_made(capsys: pytest.CaptureFixture[str]) -> None:
    save(replace(SMALL, head=65_536, classes=65_536))
    status, out, err = told(capsys, "design.json", "--torch", "out.pt")
    assert (status, out) == (2, "")
    assert err.startswith("costmodel: design.json: its 4.30 G parameters take more than 2 GB; give a design of fewer")


def test_a_file_that_is_there_stays_until_the_new_one_is_whole(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("out.pt").write_text("precious")

    def full(*arguments: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    status, out, err = told(capsys, "design.json", "--torch", "out.pt")
    assert (status, out) == (2, "")
    assert "--torch out.pt: cannot be written (No space left on device)" in err
    assert Path("out.pt").read_text() == "precious"
    assert files() == ["design.json", "out.pt"]


def test_a_link_stays_a_link_and_a_device_a_device(capsys: pytest.CaptureFixture[str]) -> None:
    Path("to.pt").symlink_to("out.pt")
    assert told(capsys, "design.json", "--torch", "to.pt", "--onnx", os.devnull)[0] == 0
    assert Path("to.pt").is_symlink()
    assert len(torch.load("out.pt", weights_only=True)) > 0
    assert not Path(os.devnull).is_file()


def test_a_missing_torch_names_the_pip_command(folder: Path) -> None:
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from costmodel.cli import main\n"
        "assert main(['build', sys.argv[1]]) == 0\n"  # the summary needs none
        "sys.exit(main(['build', *sys.argv[1:]]))"
    )
    command = [sys.executable, "-c", code, str(folder / "design.json"), "--onnx", str(folder / "out.onnx")]
    root = Path(__file__).parent.parent
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2, done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert "install it: pip install 'cnn-costmodel[torch]'" in done.stderr
    assert files() == ["design.json"]

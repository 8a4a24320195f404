"""Designs under the clock: a made-up machine with a made-up clock, and a short real run."""

from __future__ import annotations

import json
import pickle
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from calibration.measure.backend import Kernels, RefusedError
from calibration.measure.campaign import REFERENCE
from calibration.measure.timing import Rules
from costmodel import zoo
from costmodel.cli import main
from costmodel.errors import UsageError
from costmodel.platforms import save_profile
from costmodel.predictor import Estimate, predict
from search import Design, Stage, built, standard, verify
from search.design import SCHEMA, WIDTHS
from search.verify import Measured, Row, backend_of, measured, measurer, nearest_standard, times_as_fast
from search.verify_report import ratio_text, render_text
from tests.platform_examples import platform

HERE = platform("here-onnxruntime-fp32-1t", runtime="onnxruntime")
SMALL = Design(8, (Stage(16, 5, 2), Stage(20, 10, 1), Stage(24, 14, 2)), 32, 64, classes=10)
TINY = replace(SMALL, stem=4, head=16)
ZOO = zoo.load("zoo:stack_pool").name
TRUTH = {SMALL.reference: 0.002, TINY.reference: 0.001, ZOO: 0.004}
RULES = Rules(visits=5, most=12)
SHORT = Rules(visits=2, most=2, warm_up=0.0, timed=0.001, fewest=1, reference=0.001)


@dataclass
class FakeMachine:
    """A clock that only runs advance. slower: at a time, the factor by which everything is; noise: of the n-th run of a
    network, its own factor. paths: of what was made ready."""

    now: float = 100.0
    slower: Callable[[float], float] = lambda now: 1.0
    noise: Callable[[str, int], float] = lambda name, count: 1.0
    ran: Counter[str] = field(default_factory=Counter)
    truth: dict[str, float] = field(default_factory=lambda: dict(TRUTH))
    paths: dict[str, str] = field(default_factory=dict)
    name: str = "fake"
    versions: dict[str, str] = field(default_factory=lambda: {"fake": "1.2"})
    blocks: int | None = None
    look: Callable[[str], None] = lambda path: None

    def clock(self) -> float:
        return self.now

    def prepare(self, network: str, path: str, batch: int) -> FakeReady:
        if network not in self.truth and network != REFERENCE:
            raise RefusedError("no kernel for Foo(22)")
        self.paths[network] = path
        self.look(path)
        return FakeReady(self, network)

    def profile(self, network: str, path: str, batch: int, runs: int) -> Kernels:
        raise RefusedError("it has no profiler")


@dataclass
class FakeReady:
    machine: FakeMachine
    name: str
    memory: int = 1

    def run(self) -> None:
        machine = self.machine
        machine.ran[self.name] += 1
        noise = machine.noise(self.name, machine.ran[self.name])
        machine.now += machine.truth.get(self.name, 0.001) * machine.slower(machine.now) * noise


def clocked(fake: FakeMachine, *subjects: verify.Subject, **options: Any) -> tuple[Measured, ...]:
    return measured(subjects, fake, **{"budget": 1e6, "rules": RULES, "clock": fake.clock, **options})


def seen(*rounds: float | None, network: str = "n") -> Measured:
    return Measured(network, 1.0, 0.0, rounds, None)


# Measuring in turn


def test_networks_are_measured_in_the_order_given_and_each_once() -> None:
    fake = FakeMachine()
    found = clocked(fake, SMALL, "zoo:stack_pool", TINY, SMALL)
    assert [one.network for one in found] == [SMALL.reference, ZOO, TINY.reference, SMALL.reference]
    assert [one.seconds for one in found] == pytest.approx([0.002, 0.004, 0.001, 0.002])
    assert {len(one.rounds) for one in found} == {RULES.visits}
    assert all(one.spread == pytest.approx(0.0) and one.repeatability == 0.005 for one in found)


def test_a_disturbed_visit_has_no_time_in_its_round_and_is_repeated() -> None:
    fake = FakeMachine(slower=lambda now: 3.0 if 100.1 < now < 100.5 else 1.0)
    small, tiny = clocked(fake, SMALL, TINY)
    assert None in small.rounds + tiny.rounds
    assert (small.seconds, tiny.seconds) == pytest.approx((0.002, 0.001))
    assert sum(time is not None for time in small.rounds) >= RULES.visits


def test_a_network_that_the_runtime_refuses_is_named() -> None:
    with pytest.raises(
        UsageError, match=r"^zoo:resnet18: fake does not run it: no kernel for Foo\(22\); leave it out$"
    ):
        clocked(FakeMachine(), SMALL, "zoo:resnet18")


def test_a_budget_that_is_over_too_soon_is_said() -> None:
    fake = FakeMachine()
    fake.truth[SMALL.reference] = 5.0
    with pytest.raises(UsageError, match="3 s were over before it was measured; give more time"):
        clocked(fake, SMALL, TINY, budget=3.0)


def test_what_is_kept_is_not_measured_again(tmp_path: Path) -> None:
    first, second = FakeMachine(), FakeMachine()
    before = clocked(first, SMALL, TINY, into=tmp_path / "kept.csv")
    after = clocked(second, SMALL, TINY, into=tmp_path / "kept.csv")
    assert before == after
    assert not second.ran
    assert sorted(path.name for path in tmp_path.iterdir()) == ["kept.csv", "kept.passes.jsonl"]


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no such model; give a design, zoo:NAME, or the path of a \.onnx file"):
        clocked(FakeMachine(), str(tmp_path / "nothing.onnx"))


def test_the_network_that_runs_is_the_built_one() -> None:
    weights: list[dict[str, Any]] = []

    def look(path: str) -> None:
        if path:
            model = onnx.load(path)
            weights.append({one.name: onnx.numpy_helper.to_array(one) for one in model.graph.initializer})

    clocked(FakeMachine(name="onnxruntime", look=look), SMALL)
    state = {name: value.numpy() for name, value in built(SMALL).state_dict().items()}
    assert np.array_equal(weights[0]["conv1.0.weight"], state["conv1.0.weight"])
    assert np.array_equal(weights[0]["fc.bias"], state["fc.bias"])


def test_without_torch_the_runtime_gets_the_designs_operators(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeMachine(name="onnxruntime")
    monkeypatch.setattr(verify, "find_spec", lambda name: None)
    fake.truth[replace(standard(0.5), classes=10).reference] = 0.003
    found = verify.verify(SMALL, backend=fake, budget=1e6, rules=RULES, clock=fake.clock)
    assert fake.paths[SMALL.reference] == ""
    assert "torch is not installed" in found.origin


# Ratios


def test_a_ratio_is_of_rounds_and_a_slow_hour_changes_nothing() -> None:
    slow = (1.0, 1.0, 2.0, 1.5, 1.0)
    one, other = (seen(*(base * factor for factor in slow)) for base in (2.0, 3.0))
    ratio = times_as_fast(one, other)
    assert (ratio.times, ratio.low, ratio.high, ratio.rounds) == pytest.approx((1.5, 1.5, 1.5, 5))


def test_a_ratio_has_the_quartiles_of_its_rounds() -> None:
    ratio = times_as_fast(seen(1.0, 1.0, 1.0, 1.0, 1.0, None), seen(1.1, 1.2, 1.3, 1.4, 1.5, 9.0))
    assert (ratio.times, ratio.low, ratio.high, ratio.rounds) == pytest.approx((1.3, 1.2, 1.4, 5))
    assert ratio_text(ratio) == "1.30 (1.20 to 1.40 in half of 5 rounds)"


def test_without_shared_rounds_a_ratio_is_of_the_latencies() -> None:
    ratio = times_as_fast(replace(seen(None, 1.0), seconds=2.0), replace(seen(1.0, None), seconds=3.0))
    assert (ratio.times, ratio.rounds) == (1.5, 0)
    assert ratio_text(ratio) == "1.50 (no range: fewer than 2 undisturbed rounds)"


# Verifying


@pytest.mark.parametrize("width", WIDTHS)
def test_the_widths_of_table_5_are_nearest_to_themselves(width: float) -> None:
    assert nearest_standard(standard(width)) == width


def test_the_nearest_width_is_so_in_proportion() -> None:
    # 0.5x has 40.4 M mult-adds, 1x 144.9 M: their geometric mean is 76.5 M
    below, above = (replace(standard(0.5), stages=_wider(channels)) for channels in (72, 80))
    counts = [design.graph().cost.mult_adds for design in (below, above)]
    assert counts[0] < (40_365_192 * 144_907_992) ** 0.5 < counts[1]
    assert [nearest_standard(design) for design in (below, above)] == [0.5, 1.0]


def _wider(channels: int) -> tuple[Stage, Stage, Stage]:
    return tuple(Stage(c, c // 2, units) for c, units in ((channels, 4), (2 * channels, 8), (4 * channels, 4)))  # type: ignore[return-value]


def test_inside_and_error_are_of_the_measured_latency() -> None:
    row = Row("design", Estimate(1.2, 1.0, 1.5, 0.9), replace(seen(), seconds=1.0))
    assert (row.inside, row.error) == (True, pytest.approx(0.2))
    assert not replace(row, measured=replace(seen(), seconds=0.99)).inside
    assert Row("design", None, seen()).error is None


def verification(design: Design = SMALL, **options: Any) -> verify.Verification:
    fake = FakeMachine()
    width = replace(standard(nearest_standard(design)), classes=design.classes)
    fake.truth |= {width.reference: 0.005}
    return verify.verify(design, backend=fake, budget=1e6, rules=RULES, clock=fake.clock, **options)


def test_a_design_stands_beside_the_nearest_width_of_table_5() -> None:
    found = verification(platform=HERE)
    assert [row.name for row in found.rows] == ["design", "0.5x"]
    assert [row.measured.seconds for row in found.rows] == pytest.approx([0.002, 0.005])
    assert found.rows[0].predicted == predict(SMALL.graph(), HERE).latency
    assert found.speed_up is not None
    assert found.speed_up.times == pytest.approx(2.5)
    own, other = (row.predicted.seconds for row in found.rows if row.predicted)
    assert found.predicted_speed_up == pytest.approx(other / own)


def test_a_width_of_table_5_stands_alone() -> None:
    found = verification(standard(1.0), platform=HERE)
    assert [row.name for row in found.rows] == ["design"]
    assert found.speed_up is None
    assert "The design is Table 5's 1x." in render_text(found, None, color=False)


@pytest.mark.parametrize("predictor", [HERE, None])
def test_the_text_fits_80_columns_and_has_no_colour_in_a_pipe(predictor: Any) -> None:
    found = verification(platform=predictor)
    narrow, wide = (render_text(found, width, color=False) for width in (80, None))
    assert all(len(line) <= 80 for line in narrow.splitlines())
    assert "\x1b" not in wide
    assert "measured 2.50 (2.50 to 2.50 in half of 5 rounds)" in wide
    assert ("inside" in wide) == (predictor is not None)
    assert "2.00" in wide
    assert "fake 1.2, 1 thread, 1 image a run" in wide


# What measures, and what cannot


@pytest.mark.parametrize(
    "changes",
    [{"runtime": "ncnn"}, {"precision": "int8"}, {"threads": 0}],
    ids=["runtime", "precision", "gpu"],
)
def test_a_platform_that_is_not_here_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=r"^here-onnxruntime-fp32-1t: it cannot be measured here, .*; give a profile"):
        backend_of(replace(HERE, **changes))


def test_a_processor_with_other_blocks_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(verify.BACKENDS, "onnxruntime", lambda threads, seed: FakeMachine(blocks=8))
    with pytest.raises(UsageError, match="works in blocks of 16 channels and this one in blocks of 8"):
        backend_of(replace(HERE, machine=replace(HERE.machine, blocks=16)))
    assert backend_of(replace(HERE, machine=replace(HERE.machine, blocks=8))).blocks == 8


def test_an_unknown_backend_is_refused() -> None:
    with pytest.raises(UsageError, match="'cudnn': there is no such; there are onnxruntime, torch"):
        measured([SMALL], "cudnn")


def timer(fake: FakeMachine, **options: Any) -> Callable[[Design], float]:
    return measurer(HERE, backend=fake, rules=RULES, clock=fake.clock, **options)


def test_a_measurer_gives_a_designs_seconds() -> None:
    measure = timer(FakeMachine())
    assert [measure(SMALL), measure(TINY)] == pytest.approx([0.002, 0.001])


def test_a_machine_that_has_become_slower_since_is_corrected_for() -> None:
    fake = FakeMachine()
    measure = timer(fake)
    assert measure(SMALL) == pytest.approx(0.002)
    fake.slower = lambda now: 1.05
    assert measure(TINY) == pytest.approx(0.001)


def test_visits_that_were_disturbed_do_not_count() -> None:
    fake = FakeMachine()
    measure = timer(fake)
    measure(TINY)
    begin = fake.now
    fake.slower = lambda now: 2.0 if begin < now < begin + 0.3 else 1.0
    assert measure(SMALL) == pytest.approx(0.002)
    assert fake.now > begin + 0.3


def test_a_measurer_can_be_sent_to_another_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(verify.BACKENDS, "onnxruntime", lambda threads, seed: FakeMachine())
    plain = replace(HERE, doubt=replace(HERE.doubt, kinds={}))
    sent = pickle.loads(pickle.dumps(measurer(plain, batch=3, seed=5, rules=SHORT)))
    assert sent._how[1:4] == (3, 5, SHORT)
    assert sent._how[0].id == HERE.id


def test_a_measurer_names_a_design_that_does_not_run() -> None:
    with pytest.raises(UsageError, match=r"zoo:shufflenet_v2_design.* fake does not run it: no kernel for Foo"):
        timer(FakeMachine())(standard(2.0))


# costmodel build --verify


def told(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    status = main(["build", *words])
    return status, *capsys.readouterr()


@pytest.fixture
def design_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeMachine:
    """A design.json of SMALL, and the machine that it is measured on."""
    monkeypatch.chdir(tmp_path)
    fake = FakeMachine(name="onnxruntime", versions={"onnxruntime": "1.99"}, blocks=16)
    fake.truth[replace(standard(0.5), classes=10).reference] = 0.005
    monkeypatch.setitem(verify.BACKENDS, "onnxruntime", lambda threads, seed: fake)
    monkeypatch.setattr(verify.verify, "__kwdefaults__", {**(verify.verify.__kwdefaults__ or {}), "clock": fake.clock})
    record = {"schema": SCHEMA, "design": SMALL.to_dict(), "mult_adds": SMALL.graph().cost.mult_adds}
    Path("design.json").write_text(json.dumps(record))
    save_profile(HERE, "here.json")
    return fake


@pytest.mark.usefixtures("design_file")
def test_build_measures_the_design_beside_its_prediction(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = told(capsys, "design.json", "--verify", "onnxruntime", "-p", "./here.json")
    assert (status, err) == (0, "")
    assert "onnxruntime 1.99, 1 thread" in out
    assert "the network built in PyTorch, as an ONNX model with its weights" in out
    assert "Times as fast as 0.5x of Table 5: measured 2.50" in out
    assert "inside" in out
    assert sorted(path.name for path in Path().iterdir()) == ["design.json", "here.json"]


def test_build_finds_the_platform_that_the_file_was_searched_for(
    design_file: FakeMachine, capsys: pytest.CaptureFixture[str]
) -> None:
    latency = {"latency_ms": 1.0, "low_ms": 0.5, "high_ms": 2.0, "coverage": 0.8}
    record = json.loads(Path("design.json").read_text())
    record["predicted"] = {"v100-tensorrt-fp32": latency, "epyc-onnxruntime-fp32-1t": latency}
    Path("design.json").write_text(json.dumps(record))
    out = told(capsys, "design.json", "--verify", "onnxruntime")[1]
    assert "Predicted  for epyc-onnxruntime-fp32-1t (AMD EPYC (AVX-512)); intervals hold 0.8 of latencies" in out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--verify", "cudnn", "--onnx", "o.onnx"), "backend 'cudnn': there is no such; there are onnxruntime, torch"),
        (
            ("--verify", "onnxruntime", "-p", "v100-tensorrt"),
            "-p v100-tensorrt: it is of tensorrt, and --verify measures",
        ),
        (
            ("--verify", "onnxruntime", "-p", "./here.json", "--threads", "2"),
            "--threads 2: here-onnxruntime-fp32-1t has 1",
        ),
        (("--verify", "onnxruntime", "--threads", "0"), "--threads 0: it takes a whole number from 1 to 1024"),
        (("-p", "./here.json"), "-p: it is for --verify; give that too, or leave -p out"),
        (("--threads", "2"), "--threads: it is for --verify"),
    ],
)
@pytest.mark.usefixtures("design_file")
def test_what_cannot_be_verified_is_one_line_and_writes_nothing(
    capsys: pytest.CaptureFixture[str], words: tuple[str, ...], said: str
) -> None:
    status, out, err = told(capsys, "design.json", *words)
    assert (status, out) == (2, "")
    assert err.startswith(f"costmodel: {said}")
    assert err.count("\n") == 1
    assert sorted(path.name for path in Path().iterdir()) == ["design.json", "here.json"]


def test_a_short_real_run() -> None:
    found = measured([SMALL, TINY], "onnxruntime", budget=30.0, rules=SHORT)
    assert [one.network for one in found] == [SMALL.reference, TINY.reference]
    assert all(1e-6 < one.seconds < 1.0 and len(one.rounds) == 2 for one in found)
    assert 1e-6 < measurer(HERE, rules=SHORT)(TINY) < 1.0

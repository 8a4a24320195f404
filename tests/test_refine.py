"""Refining: rounds on a made-up machine, real calibrations, and files that stay whole."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from calibration import dataset
from costmodel import zoo
from costmodel.errors import UsageError
from costmodel.platforms import Platform, find, load_profile
from costmodel.predictor import predict
from search import Design, Stage, standard
from search.refine import AGREEMENT, Refinement, Round, refine
from search.result import Candidate, Result
from search.verify import Subject

EPYC = find("epyc-onnxruntime-fp32-1t")
NETWORKS = [
    zoo.load(name).name
    for name in (
        "mobilenet_v1,width=0.5", "mobilenet_v2", "shufflenet_v1", "resnet18", "ghostnet", "squeezenet1_1",
        "mnasnet", "stack_depthwise", "stack_conv,kernel=1", "stack_shuffle", "stack_elementwise", "stack_pool",
    )
]  # fmt: skip
DESIGNS = [
    Design(16, (Stage(32, 16, 2), Stage(64, 32, 3), Stage(c, c // 2, 2)), 256, 128, classes=10) for c in (128, 160, 192)
]


def seconds(platform: Platform, subject: Subject) -> float:
    graph = subject.graph() if isinstance(subject, Design) else zoo.load(subject)
    return float(predict(graph, platform).latency.seconds)


class FakeClock:
    """A machine on which designs take `slower` times as long as the platform says, and everything `drift` times."""

    def __init__(self, slower: float = 1.0, drift: float = 1.0) -> None:
        self.slower, self.drift = slower, drift
        self.asked: list[Subject] = []

    def __call__(self, subjects: Sequence[Subject]) -> list[float]:
        self.asked += subjects
        return [seconds(EPYC, one) * self.drift * (self.slower if isinstance(one, Design) else 1.0) for one in subjects]


def search(platform: Platform) -> Result:
    """A search that finds the same designs, whatever they take."""
    found = (Candidate(d, 1.0, 1.0, 1, 1, 1, {platform.id: predict(d.graph(), platform).latency}) for d in DESIGNS)
    return Result("fixed", tuple(found), (), True, len(DESIGNS))


def write(name: str = "data.csv", columns: str = "network,latency_ms", more: str = "", **extra: str) -> Path:
    path = Path(name)
    rows = [f'"{network}",{1e3 * seconds(EPYC, network):.6g}{more}' for network in NETWORKS]
    path.write_text("\n".join([columns, *rows, *extra.values()]) + "\n")
    return path


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write()
    return tmp_path


def refined(clock: Callable[[Sequence[Subject]], Sequence[float]], rounds: int = 2, **options: Any) -> Refinement:
    options = {"search": search, "platform": EPYC, "data": Path("data.csv"), **options}
    return refine(options.pop("search"), options.pop("platform"), options.pop("data"), rounds, clocked=clock, **options)


def rows(name: str = "data.refined.csv") -> list[dict[str, str]]:
    with open(name, newline="") as file:
        return list(csv.DictReader(file))


def files() -> list[str]:
    return sorted(path.name for path in Path().iterdir())


@pytest.fixture
def uncalibrated(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rounds without calibrations, which take a second or two each."""
    monkeypatch.setattr("search.refine._calibrated", lambda copy, platform, prior: platform)


def test_what_agrees_ends_after_one_round_with_the_platform_as_it_was() -> None:
    found = refined(FakeClock(1 + 0.9 * AGREEMENT))
    assert len(found.rounds) == 1
    assert found.rounds[0].agrees
    assert (found.platform, found.data, found.profile) == (EPYC, None, None)
    assert [trial.error for trial in found.rounds[0].trials] == pytest.approx(
        [1 / (1 + 0.9 * AGREEMENT) - 1] * 3, rel=1e-4
    )


def test_what_does_not_is_calibrated_until_it_is_nearer() -> None:
    told: list[Round] = []
    found = refined(FakeClock(1.3), 3, show=told.append)
    assert tuple(told) == found.rounds
    assert found.rounds[0].error == pytest.approx(1 - 1 / 1.3, rel=1e-4)
    assert not found.rounds[0].agrees
    assert found.rounds[1].error < found.rounds[0].error / 2
    assert found.profile is not None
    assert load_profile(found.profile) == found.platform
    assert files() == ["data.csv", "data.refined.csv", "data.refined.json"]
    assert found.result.best[0].latency[EPYC.id] == predict(DESIGNS[0].graph(), found.platform).latency


@pytest.mark.usefixtures("uncalibrated")
def test_inside_the_interval_and_too_far_off_does_not_agree() -> None:
    found = refined(FakeClock(1 + 1.2 * AGREEMENT), 1)
    assert all(trial.inside for trial in found.rounds[0].trials)
    assert not found.rounds[0].agrees


@pytest.mark.usefixtures("uncalibrated")
def test_the_data_stays_as_it_is_and_the_copy_has_all_its_rows() -> None:
    before = Path("data.csv").read_bytes()
    refined(FakeClock(1.3), 1)
    assert Path("data.csv").read_bytes() == before
    assert files() == ["data.csv", "data.refined.csv"]
    assert [row["network"] for row in rows()] == [*NETWORKS, *(design.reference for design in DESIGNS)]
    samples = {sample.network: sample for sample in dataset.read("data.refined.csv").samples}
    for design in DESIGNS:
        assert samples[design.reference].latency == pytest.approx(1.3 * seconds(EPYC, design), rel=1e-5)
        assert (samples[design.reference].threads, samples[design.reference].precision) == (1, "fp32")


def test_a_machine_that_is_slower_than_it_was_is_corrected_for() -> None:
    found = refined(FakeClock(drift=1.15))
    assert found.rounds[0].drift == pytest.approx(1.15)
    assert found.rounds[0].agrees
    assert [float(row["latency_ms"]) for row in rows()[-3:]] == pytest.approx(
        [1e3 * seconds(EPYC, design) for design in DESIGNS], rel=1e-4
    )


def test_whole_networks_of_the_data_tell_how_fast_the_machine_is() -> None:
    clock = FakeClock()
    refined(clock)
    others = [one for one in clock.asked if isinstance(one, str)]
    assert len(others) == 5
    assert not [name for name in others if "stack_" in name]


def test_another_machine_is_refused_and_nothing_is_written() -> None:
    with pytest.raises(UsageError, match=r"^data\.csv: 5 of its networks take 1\.40 times as long now; refine on"):
        refined(FakeClock(drift=1.4))
    assert files() == ["data.csv"]


@pytest.mark.usefixtures("uncalibrated")
def test_the_same_call_goes_on_and_measures_nothing_twice() -> None:
    first = refined(FakeClock(1.3), 1)
    idle = FakeClock()
    second = refined(idle, 1)
    assert idle.asked == []
    assert [t.seconds for t in second.rounds[0].trials] == pytest.approx(
        [t.seconds for t in first.rounds[0].trials], rel=1e-5
    )
    assert second.rounds[0].drift is None


@pytest.mark.usefixtures("uncalibrated")
def test_ctrl_c_leaves_what_was_measured() -> None:
    def interrupted(subjects: Sequence[Subject]) -> list[float]:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        refined(interrupted)
    assert files() == ["data.csv"]
    clock, count = FakeClock(1.3), 0

    def later(platform: Platform) -> Result:
        nonlocal count
        count += 1
        if count == 2:
            raise KeyboardInterrupt
        return search(platform)

    with pytest.raises(KeyboardInterrupt):
        refined(clock, search=later)
    assert len(dataset.read("data.refined.csv").samples) == len(NETWORKS) + len(DESIGNS)


@pytest.mark.usefixtures("uncalibrated")
def test_rows_are_called_as_the_datas_and_state_what_its_rows_do_not() -> None:
    write(columns="network,latency_ms,platform", more=",my-phone")
    refined(FakeClock(1.3), 1, batch=1)
    assert {row["platform"] for row in rows()} == {"my-phone"}
    assert rows()[0]["batch"] == ""
    assert rows()[-1]["batch"] == "1"
    assert rows()[-1]["source"] == "costmodel search --refine, onnxruntime"


@pytest.mark.usefixtures("uncalibrated")
def test_times_of_kernels_go_with_the_copy() -> None:
    Path("data.kernels.csv").write_text(f'network,batch,kernel,latency_ms\n"{NETWORKS[3]}",1,conv1,0.5\n')
    refined(FakeClock(1.3), 1)
    assert Path("data.refined.kernels.csv").read_text() == Path("data.kernels.csv").read_text().replace('"', "")


@pytest.mark.usefixtures("uncalibrated")
def test_a_models_path_is_seen_from_the_copy() -> None:
    Path("here").mkdir()
    write(model="sub/model.onnx,2.5")
    refined(FakeClock(1.3), 1, into=Path("here/mine.csv"))
    assert "../sub/model.onnx" in [row["network"] for row in rows("here/mine.csv")]


def test_what_calibrate_refuses_is_told_in_its_words() -> None:
    write(bad="zoo:nonsense,2.5")
    with pytest.raises(UsageError, match=r"^data\.refined\.csv:14: .*nonsense"):
        refined(FakeClock(1.3))


def test_without_a_design_that_keeps_the_limits_it_says_so() -> None:
    with pytest.raises(UsageError, match="no design keeps the limits"):
        refined(FakeClock(), search=lambda platform: replace(search(platform), best=()))


def test_a_platform_that_cannot_be_measured_here_is_refused() -> None:
    with pytest.raises(UsageError, match=r"^v100-tensorrt-fp32: it cannot be measured here"):
        refine(search, find("v100-tensorrt-fp32"), Path("data.csv"), 1)
    assert files() == ["data.csv"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"rounds": 0}, "at least one round and one design, not 0 and 5"),
        ({"best": 0}, "at least one round and one design, not 2 and 0"),
        ({"into": Path("data.csv")}, "data.csv: it holds the measurements themselves"),
        ({"into": Path("other.txt")}, "other.txt: refined measurements go into a .csv file"),
        ({"into": Path("nowhere/mine.csv")}, "nowhere/mine.csv: cannot be written .no such folder: nowhere"),
        ({"into": Path("taken.csv")}, "taken.csv: it is there, and is no refined copy of data.csv"),
        ({"into": Path("used.csv")}, "used.csv: used.json is there and would be replaced"),
        ({"data": Path("nothing.csv")}, "nothing.csv: cannot be read"),
        ({"data": Path("taken.csv")}, "taken.csv: its header has no latency_ms"),
    ],
)
def test_bad_usage_is_one_line_and_changes_nothing(options: dict[str, Any], said: str) -> None:
    Path("taken.csv").write_text("network,latency\nzoo:resnet18,30\n" if "data" in options else "network,latency_ms\n")
    Path("used.json").write_text("mine")
    before = {name: Path(name).read_bytes() for name in files()}
    clock = FakeClock()
    with pytest.raises(UsageError, match=said) as error:
        refined(clock, **options)
    assert "\n" not in str(error.value)
    assert {name: Path(name).read_bytes() for name in files()} == before
    assert clock.asked == []


def test_the_widths_of_table_5_can_be_refined_at_their_own_size() -> None:
    """The reference of a standard width is that of a design, and calibrate reads it."""
    assert zoo.load(standard(1.0).reference).cost == standard(1.0).graph().cost

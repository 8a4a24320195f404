"""costmodel measure: rounds over a made-up machine with a made-up clock, files that survive, and a short real run."""

from __future__ import annotations

import csv
import errno
import io
import json
import os
import platform
import random
import shlex
import shutil
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from calibration import dataset
from calibration.measure import command
from calibration.measure.backend import RefusedError
from calibration.measure.campaign import ANEW, REFERENCE, Item, Outcome, measure
from calibration.measure.machine import machine
from calibration.measure.progress import progress, remaining
from calibration.measure.store import COLUMNS, Store
from calibration.measure.timing import Rules, fastest, mean, next_round, seconds_to_go, wanting
from calibration.measure.visits import LEAST_FLOOR, Visit, floor, low, measured, usual_reference
from costmodel import zoo
from costmodel.cli import main
from costmodel.errors import UsageError
from costmodel.frontends import onnx
from costmodel.platforms import load_profile

TRUTH = {"zoo:stack_pool": 0.004, "zoo:stack_conv": 0.02, "zoo:resnet18": 0.3}
RULES = Rules(visits=3, most=6, noisy=0.03)
VERSIONS = {"onnxruntime": "1.99.0"}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every test in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


class KilledError(BaseException):
    """As a kill: nothing of the program catches it."""


@dataclass
class FakeMachine:
    """A clock that only runs advance, and a backend whose runs take what TRUTH and `slower` say.

    slower: of the seconds so far, the factor by which everything is slower. noise: of a network and how often it
    has run, its own factor. at_run: what is called before each run.
    """

    now: float = 100.0
    slower: Callable[[float], float] = lambda now: 1.0
    noise: Callable[[str, int], float] = lambda name, count: 1.0
    at_run: Callable[[str], None] = lambda name: None
    ran: Counter[str] = field(default_factory=Counter)
    prepared: Counter[str] = field(default_factory=Counter)
    truth: dict[str, float] = field(default_factory=lambda: dict(TRUTH))
    memory: int = 1
    name: str = "onnxruntime"
    versions: dict[str, str] = field(default_factory=lambda: dict(VERSIONS))
    blocks: int | None = 8

    def clock(self) -> float:
        return self.now

    def prepare(self, network: str, path: str, batch: int) -> FakeReady:
        if network not in self.truth and network != REFERENCE:
            raise RefusedError("no kernel for Foo(22)")
        self.now += 0.5
        self.prepared[network] += 1
        return FakeReady(self, network, self.memory)


@dataclass
class FakeReady:
    machine: FakeMachine
    name: str
    memory: int

    def run(self) -> None:
        self.machine.at_run(self.name)
        self.machine.ran[self.name] += 1
        seconds = self.machine.truth.get(self.name, 0.001)
        slower = self.machine.slower(self.machine.now)
        self.machine.now += seconds * slower * self.machine.noise(self.name, self.machine.ran[self.name])


def settings(**changes: object) -> dict[str, object]:
    items = dict.fromkeys(TRUTH, 1)
    return {
        "backend": "onnxruntime",
        "mode": "",
        "threads": 1,
        "precision": "fp32",
        "seed": 0,
        "items": items,
        **changes,
    }


def measuring(fake: FakeMachine, *, budget: float = 1e6, rules: Rules = RULES, **changes: object) -> Outcome:
    with Store(Path("t.csv"), settings(**changes)) as store:
        store.begin({"cpu": "Fake", "runtime": "onnxruntime", "runtime_version": "1.99.0"})
        items = [Item(name, 1) for name in TRUTH]
        return measure(items, fake, store, budget=budget, seed=0, clock=fake.clock, rules=rules)


def journal() -> list[dict[str, object]]:
    return [json.loads(line) for line in Path("t.passes.jsonl").read_text().splitlines()]


def visited() -> list[Visit]:
    return [Visit(**entry["visit"]) for entry in journal() if "visit" in entry]


def latencies() -> dict[str, float]:
    """Seconds by network as the dataset's reader has them, which refuses duplicates and rows that are cut."""
    return {sample.network: sample.latency for sample in dataset.read("t.csv").samples}


def visit(item: str, best: float, reference: float = 1.0, after: float | None = None) -> Visit:
    return Visit(item, best, 3, reference, reference if after is None else after, 1.0)


# Statistics


def test_the_latency_is_the_lower_quartile_of_the_visits() -> None:
    one = measured([visit("a", best) for best in (1.2, 1.0, 5.0, 1.3, 1.1)], usual=1.0)
    assert (one.latency, one.best, one.visits, one.disturbed, one.runs) == (1.1, 1.0, 5, 0, 15)
    assert one.spread == pytest.approx(1.2 / 1.1 - 1)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 7, 20])
def test_the_quartile_is_numpys(count: int) -> None:
    times = [random.Random(count).random() for _ in range(count)]
    times += times[:1]
    assert low(times) == pytest.approx(float(np.quantile(times, 0.25)))


def test_visits_with_a_slow_reference_before_or_after_do_not_count() -> None:
    visits = [visit("a", 1.0), visit("a", 0.5, 1.2), visit("a", 0.5, after=1.11), visit("a", 1.0, 1.09)]
    one = measured(visits, usual=1.0)
    assert (one.latency, one.visits, one.disturbed) == (1.0, 2, 2)


def test_where_no_visit_was_calm_all_count() -> None:
    one = measured([visit("a", 2.0, 3.0), visit("a", 2.0, 3.0)], usual=1.0)
    assert (one.latency, one.visits, one.disturbed) == (2.0, 2, 2)


def test_the_floor_compares_the_first_half_of_the_visits_with_the_second() -> None:
    """Ten networks, of which the tenth moved by a tenth and the others by 2 %: nine in ten are within 2 %."""
    steady = [visit(str(n), best) for best in (1.0, 1.0, 1.02, 1.02) for n in range(9)]
    jumping = [visit("9", best) for best in (1.0, 1.0, 1.1, 1.1)]
    assert floor([*steady, *jumping]) == pytest.approx(0.02 + 0.1 * 0.08)
    assert floor(steady[:9]) is None
    assert floor([visit("a", 1.0), visit("a", 1.0)]) == LEAST_FLOOR


# What runs next, and for how long


def test_the_first_run_is_not_timed_and_the_fastest_counts() -> None:
    fake = FakeMachine(noise=lambda name, count: 9.0 if count == 1 else 1.0 + (count % 3) / 10)
    best, runs = fastest(fake.prepare("zoo:stack_conv", "", 1).run, fake.clock, RULES)
    assert best == pytest.approx(0.02)
    assert runs == RULES.fewest == 5


def test_short_runs_fill_a_time_and_long_ones_are_few() -> None:
    fake = FakeMachine()
    assert fastest(fake.prepare("zoo:stack_pool", "", 1).run, fake.clock, RULES)[1] == 10  # 40 ms of 4 ms
    assert fastest(fake.prepare("zoo:resnet18", "", 1).run, fake.clock, RULES)[1] == RULES.long_runs == 3


def test_an_interruption_shows_in_the_reference() -> None:
    """One run of ten that is interrupted for as long as ten."""
    calm, interrupted = FakeMachine(), FakeMachine(noise=lambda name, count: 11.0 if count == 5 else 1.0)
    times = [mean(fake.prepare(REFERENCE, "", 1).run, fake.clock, RULES) for fake in (calm, interrupted)]
    assert times[0] == pytest.approx(0.001)
    assert times[1] > 1.5 * times[0]


def test_rounds_visit_every_network_once_in_changing_order() -> None:
    measuring(FakeMachine())
    order = [one.item for one in visited()]
    rounds = [order[start : start + 3] for start in range(0, len(order), 3)]
    assert len(rounds) == RULES.visits
    assert all(sorted(one) == sorted(TRUTH) for one in rounds)
    names = [str(n) for n in range(20)]
    orders = {tuple(next_round(names, [visit(n, 1.0) for n in names] * done, RULES, seed)) for done in range(3)
              for seed in range(2)}  # fmt: skip
    assert len(orders) == 6


def test_a_round_that_was_cut_short_goes_on_with_the_rest() -> None:
    names = [str(n) for n in range(20)]
    whole = next_round(names, [], RULES, 0)
    assert next_round(names, [visit(name, 1.0) for name in whole[:7]], RULES, 0) == whole[7:]


def test_what_is_noisy_is_visited_again_until_it_is_not() -> None:
    """Nine runs of the pooling a visit while it is slow: two visits at 1.5, then 1.0, until most say so."""
    fake = FakeMachine(noise=lambda name, count: 1.5 if name == "zoo:stack_pool" and count <= 20 else 1.0)
    assert measuring(fake).noisy == ()
    assert Counter(one.item for one in visited()) == {"zoo:stack_pool": 5, "zoo:stack_conv": 3, "zoo:resnet18": 3}
    assert latencies() == pytest.approx(TRUTH)


def test_what_stays_noisy_is_named() -> None:
    fake = FakeMachine(noise=lambda name, count: 1.0 + count / 50 * (name == "zoo:stack_pool"))
    assert measuring(fake).noisy == ("zoo:stack_pool",)
    assert Counter(one.item for one in visited())["zoo:stack_pool"] == RULES.most


def test_a_busy_neighbour_changes_nothing_but_the_time_that_it_takes() -> None:
    """All is three times as slow for a third of the first visits; those are thrown away and repeated."""
    fake = FakeMachine(slower=lambda now: 3.0 if 105 < now < 109 else 1.0)
    outcome = measuring(fake)
    assert latencies() == pytest.approx(TRUTH)
    assert outcome.few == outcome.noisy == ()
    rows = list(csv.DictReader(Path("t.csv").read_text().splitlines()))
    assert sum(int(row["disturbed"]) for row in rows) > 0
    assert {row["visits"] for row in rows} == {str(RULES.visits)}


def test_a_machine_that_stays_slower_is_measured_to_the_end() -> None:
    fake = FakeMachine(slower=lambda now: 1.0 if now < 103 else 1.5)
    measuring(fake)
    assert max(Counter(one.item for one in visited()).values()) <= RULES.most
    assert set(latencies()) == set(TRUTH)


def test_as_many_disturbed_visits_as_calm_ones_are_not_too_few() -> None:
    with Store(Path("t.csv"), settings(items={"zoo:stack_pool": 1})) as store:
        store.begin({"cpu": "Fake"})
        for count in range(2 * RULES.visits):
            store.add(visit("zoo:stack_pool", 0.004, 0.001, 0.001 if count % 2 else 0.002))
        fake = FakeMachine()
        outcome = measure(
            [Item("zoo:stack_pool", 1)], fake, store, budget=1e6, seed=0, clock=fake.clock, rules=RULES
        )  # fmt: skip
    assert outcome.few == ()


def test_a_network_that_does_not_fit_into_memory_is_refused_and_the_rest_is_measured() -> None:
    def runs_out(name: str) -> None:
        if name == "zoo:resnet18":
            raise MemoryError

    outcome = measuring(FakeMachine(at_run=runs_out))
    assert outcome.refused == {"zoo:resnet18": "it does not fit into memory"}
    assert set(latencies()) == {*TRUTH} - {"zoo:resnet18"}


def test_the_budget_is_kept_and_a_larger_one_goes_on() -> None:
    fake = FakeMachine()
    outcome = measuring(fake, budget=2.0)
    spent = sum(one.took for one in visited())
    assert 0 < len(visited()) < 3 * RULES.visits
    assert spent < 2.0 + 0.3 * 5 + 1  # the visit that was under way, and its preparation
    assert outcome.few or outcome.unreached
    assert measuring(fake, budget=2.0).unreached == outcome.unreached  # spent is spent
    outcome = measuring(fake, budget=1e6)
    assert outcome == Outcome({}, (), (), (), goes_on=False)
    assert latencies() == pytest.approx(TRUTH)


def test_time_to_go_is_what_is_wanted_and_never_above_the_budget() -> None:
    names = list(TRUTH)
    seen = [visit(name, 1.0) for name in names]  # a second each
    assert seconds_to_go(names, [], RULES, 60.0) == 60.0
    assert seconds_to_go(names, seen, RULES, 60.0) == pytest.approx(6.0)
    assert seconds_to_go(names, seen, RULES, 5.0) == pytest.approx(2.0)
    assert seconds_to_go(names, seen * 3, RULES, 60.0) == 0.0
    assert wanting(names, seen * 3, RULES) == {}


def test_networks_stay_in_memory_for_a_few_visits_as_far_as_there_is_room() -> None:
    """Made ready anew now and then, as their place in memory is part of their time."""
    roomy, full = FakeMachine(), FakeMachine(memory=2**40)
    for fake in (roomy, full):
        measuring(fake, rules=Rules(visits=2 * ANEW))
        Path("t.csv").unlink()
        Path("t.passes.jsonl").unlink()
    assert roomy.prepared == {REFERENCE: 1, **dict.fromkeys(TRUTH, 2)}
    assert full.prepared == {REFERENCE: 1, **dict.fromkeys(TRUTH, 2 * ANEW)}


# Files that survive


def test_killed_at_random_moments_nothing_is_lost_or_counted_twice() -> None:
    """On a machine without noise every network gets as many visits as the rules want: one more would be a repeat."""
    dice = random.Random(7)
    for _ in range(40):
        left = dice.randrange(1, 120)

        def kill(name: str) -> None:
            nonlocal left
            left -= 1
            if left == 0:
                raise KilledError

        before = visited() if Path("t.passes.jsonl").exists() else []
        try:
            measuring(FakeMachine(at_run=kill))
        except KilledError:
            assert visited()[: len(before)] == before
            if Path("t.csv").exists():
                assert latencies().items() <= {name: pytest.approx(time) for name, time in TRUTH.items()}.items()
        else:
            break
    assert Counter(one.item for one in visited()) == dict.fromkeys(TRUTH, RULES.visits)
    assert latencies() == pytest.approx(TRUTH)


def test_a_journal_cut_at_any_byte_is_repaired() -> None:
    measuring(FakeMachine(), rules=Rules(visits=1))
    whole, visits = Path("t.passes.jsonl").read_bytes(), visited()
    for end in range(len(whole)):
        Path("t.passes.jsonl").write_bytes(whole[:end])
        lines = whole[:end].count(b"\n")
        if not lines:  # a kill that early comes before there is a CSV
            Path("t.csv").unlink(missing_ok=True)
        with Store(Path("t.csv"), settings()) as store:
            assert store.visits == visits[: max(0, lines - 2)]
        kept = Path("t.passes.jsonl").read_bytes()
        assert whole.startswith(kept)
        assert kept.count(b"\n") == max(1, lines)
        if end % 397 == 0:
            measuring(FakeMachine(), rules=Rules(visits=1))
            assert latencies() == pytest.approx(TRUTH)
            assert Counter(one.item for one in visited()) == dict.fromkeys(TRUTH, 1)


def test_a_last_line_without_its_text_is_cut_off_and_damage_elsewhere_is_refused() -> None:
    measuring(FakeMachine())
    lines = Path("t.passes.jsonl").read_bytes().splitlines(keepends=True)
    Path("t.passes.jsonl").write_bytes(b"".join([*lines, b"\0" * 40 + b"\n"]))
    measuring(FakeMachine())
    assert len(visited()) == 3 * RULES.visits
    Path("t.passes.jsonl").write_bytes(b"".join([*lines[:4], b"{]\n", *lines[5:]]))
    with pytest.raises(UsageError, match=r"t\.passes\.jsonl:5: it is damaged .* remove it with t\.csv"):
        measuring(FakeMachine())


class FullDisk(io.RawIOBase):
    """A file on a disk with room for so many bytes more."""

    def __init__(self, file: io.RawIOBase, room: int) -> None:
        self.file, self.room = file, room

    def write(self, data: bytes) -> int:  # type: ignore[override]
        self.file.write(data[: self.room])
        if len(data) > self.room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.room -= len(data)
        return len(data)

    def fileno(self) -> int:
        return self.file.fileno()

    def close(self) -> None:
        self.file.close()


@pytest.mark.parametrize("room", [200, 500, 1000])
def test_a_full_disk_ends_in_one_line_and_earlier_rows_are_safe(room: int) -> None:
    fake = FakeMachine()
    with Store(Path("t.csv"), settings()) as store:
        store._file = FullDisk(store._file, room)
        items = [Item(name, 1) for name in TRUTH]
        with pytest.raises(UsageError, match=r"-o t\.csv: cannot be written \(No space left on device\)") as error:
            measure(items, fake, store, budget=1e6, seed=0, clock=fake.clock, rules=RULES)
    assert "\n" not in str(error.value)
    kept = visited()
    assert all("visit" in entry or "schema" in entry for entry in journal())
    if kept:
        assert "is safe: make room and give the same command" in str(error.value)
        assert set(latencies()) <= {one.item for one in kept}
    measuring(FakeMachine())
    assert visited()[: len(kept)] == kept
    assert latencies() == pytest.approx(TRUTH)


def test_other_settings_are_refused_and_leave_all_as_it_is() -> None:
    measuring(FakeMachine())
    before = {path: path.read_bytes() for path in Path().iterdir()}
    for changes, words in [
        ({"threads": 2}, "it was measured with threads 1, and now it is threads 2"),
        ({"seed": 3}, "seed 0"),
        ({"items": {"zoo:resnet18": 1}}, "3 other items, zoo:stack_pool first"),
        ({"items": dict.fromkeys(TRUTH, 8)}, "items"),
    ]:
        with pytest.raises(UsageError, match=words):
            measuring(FakeMachine(), **changes)
    assert {path: path.read_bytes() for path in Path().iterdir()} == before


@pytest.mark.parametrize(("key", "value"), [("cpu", "Other"), ("runtime_version", "2.0")])
def test_another_machine_or_runtime_is_refused(key: str, value: str) -> None:
    measuring(FakeMachine())
    with Store(Path("t.csv"), settings()) as store, pytest.raises(UsageError, match=f"{key} .*{value}; give another"):
        store.begin({"cpu": "Fake", "runtime": "onnxruntime", "runtime_version": "1.99.0", key: value})


def test_rows_of_others_are_never_replaced() -> None:
    Path("t.csv").write_text("network,latency_ms\nzoo:vgg16,3\n")
    with pytest.raises(UsageError, match=r"t\.csv: it is there, without the t\.passes\.jsonl"):
        measuring(FakeMachine())
    Path("t.csv").unlink()
    measuring(FakeMachine())
    own = Path("t.csv").read_text()
    Path("t.csv").write_text(own + "zoo:vgg16" + "," * (len(COLUMNS) - 1) + "\n")
    with pytest.raises(UsageError, match="its row of zoo:vgg16 was not measured by this command"):
        measuring(FakeMachine())
    Path("t.csv").write_text("network,latency_ms\nzoo:resnet18,3\n")
    with pytest.raises(UsageError, match="its columns are not those of a measurement"):
        measuring(FakeMachine())
    Path("t.csv").unlink()
    measuring(FakeMachine())
    assert Path("t.csv").read_text() == own


@pytest.mark.parametrize("journal", ["", "null\n", '{"schema": "costm', "not JSON\n", "[]\n[]\n"])
def test_rows_are_not_replaced_where_the_journal_lost_its_settings(journal: str) -> None:
    measuring(FakeMachine())
    own = Path("t.csv").read_text()
    Path("t.passes.jsonl").write_text(journal)
    with pytest.raises(UsageError, match=r"t\.csv: it is there, without|it is damaged"):
        measuring(FakeMachine())
    assert Path("t.csv").read_text() == own
    assert Path("t.passes.jsonl").read_text() == journal


def test_a_name_that_is_too_long_is_one_line() -> None:
    with pytest.raises(UsageError, match="cannot be written"):
        Store(Path("t" * 300 + ".csv"), settings())


def test_two_runs_at_once_are_refused() -> None:
    pytest.importorskip("fcntl")
    with Store(Path("t.csv"), settings()), pytest.raises(UsageError, match="another run is writing it"):
        Store(Path("t.csv"), settings())


def test_a_run_that_comes_a_moment_too_late_leaves_the_journal_of_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """The other one made and locked the file after this one saw that there was none."""

    def locked(file: int, journal: Path) -> None:
        journal.write_text("of the other\n")
        raise UsageError("another run is writing it")

    monkeypatch.setattr("calibration.measure.store._lock", locked)
    with pytest.raises(UsageError, match="another run"):
        Store(Path("t.csv"), settings())
    assert Path("t.passes.jsonl").read_text() == "of the other\n"


# The command line


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeMachine:
    """The machine that the command line measures on."""
    made = FakeMachine()
    monkeypatch.setattr(command, "BACKENDS", {"onnxruntime": lambda options: made})
    monkeypatch.setattr(command, "perf_counter", made.clock)
    return made


def told(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    """Exit status, stdout and stderr."""
    try:
        status = main(["measure", "--backend", "onnxruntime", *words])
    except SystemExit as end:  # argparse leaves this way
        status = end.code if isinstance(end.code, int) else 1
    return status, *capsys.readouterr()


def test_the_rows_are_what_calibrate_reads(fake: FakeMachine, capsys: pytest.CaptureFixture[str]) -> None:
    names = ("stack_conv", "stack_pool", "resnet18", "mobilenet_v1", "vgg11", "stack_conv,kernel=1", "ghostnet",
             "stack_depthwise", "alexnet", "peleenet,resolution=64")  # fmt: skip
    models = [zoo.load(name).name for name in names]
    fake.truth = {name: 1e-4 + 1e-10 * int(zoo.load(name).cost.mult_adds) for name in models}
    status, out, err = told(capsys, "-o", "t.csv", "--threads", "2", "--budget", "2h", *models)
    assert (status, err) == (0, "")
    assert out.startswith(f"t.csv: 10 of 10 networks measured, {10 * 7} visits\n")
    assert f"repeatability: 90% of the networks within {LEAST_FLOOR:.1%}" in out
    samples = dataset.read("t.csv").samples
    assert [sample.network for sample in samples] == models
    assert {(sample.threads, sample.precision, sample.batch) for sample in samples} == {(2, "fp32", 1)}
    assert {sample.source for sample in samples} == {"costmodel measure with onnxruntime 1.99.0"}
    assert [sample.latency for sample in samples] == pytest.approx(list(fake.truth.values()), rel=1e-5)
    program, *words = shlex.split(out.partition("next:\n")[2])
    assert program == "costmodel"
    assert main(words) == 0
    profile = load_profile("t.json")
    assert (profile.threads, profile.runtime_version, profile.machine.blocks) == (2, "1.99.0", 8)


def test_a_network_that_the_runtime_refuses_is_named_and_the_rest_is_measured(
    fake: FakeMachine, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, err = told(capsys, "-o", "t.csv", "zoo:stack_pool", "zoo:vgg16", "zoo:stack_conv")
    assert status == 2
    assert out.startswith("t.csv: 2 of 3 networks measured")
    assert err == (
        "costmodel: zoo:vgg16: onnxruntime does not run it: no kernel for Foo(22); leave it out, or export it anew\n"
    )
    assert set(latencies()) == {"zoo:stack_pool", "zoo:stack_conv"}


def test_a_network_that_fails_while_it_runs_is_refused_as_well(
    fake: FakeMachine, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(name: str) -> None:
        if name == "zoo:resnet18":
            raise RefusedError("out of memory")

    fake.at_run = fail
    status, _, err = told(capsys, "-o", "t.csv", "zoo:stack_pool", "zoo:resnet18")
    assert (status, len(err.splitlines())) == (2, 1)
    assert "zoo:resnet18: onnxruntime does not run it: out of memory" in err
    assert set(latencies()) == {"zoo:stack_pool"}


def test_ctrl_c_leaves_a_valid_file_and_says_how_to_go_on(
    fake: FakeMachine, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(name: str) -> None:
        if sum(fake.ran.values()) == 100:
            raise KeyboardInterrupt

    fake.at_run = interrupt
    status, out, err = told(capsys, "-o", "t.csv", *TRUTH)
    rows = latencies()
    assert (status, out) == (130, "")
    assert err == f"stopped: t.csv has {len(rows)} of 3 networks; the same command goes on from there\n"
    assert rows
    fake.at_run = lambda name: None
    before = visited()
    assert told(capsys, "-o", "t.csv", *TRUTH)[0] == 0
    assert visited()[: len(before)] == before
    assert Counter(one.item for one in visited()) == dict.fromkeys(TRUTH, 7)


def test_what_is_measured_already_is_not_measured_again(fake: FakeMachine, capsys: pytest.CaptureFixture[str]) -> None:
    first = told(capsys, "-o", "t.csv", *TRUTH)
    ran = fake.ran.copy()
    assert told(capsys, "-o", "t.csv", *TRUTH) == first
    assert fake.ran == ran


def test_a_short_budget_says_what_is_missing(fake: FakeMachine, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = told(capsys, "-o", "t.csv", "--budget", "0.5s", *TRUTH)
    assert status == 0
    assert "t.csv: 1 of 3 networks measured, 1 visits" in out
    assert "not reached: 2, such as zoo:" in out
    assert "\nwith a larger --budget the same command goes on\n" in out


def test_a_network_given_twice_is_measured_once(fake: FakeMachine, capsys: pytest.CaptureFixture[str]) -> None:
    told(capsys, "-o", "t.csv", "zoo:resnet18", "zoo:resnet18,resolution=224", "zoo:resnet18,batch=1")
    assert list(latencies()) == ["zoo:resnet18"]


@pytest.mark.parametrize("words", [("--batch", "4", "zoo:resnet18"), ("zoo:resnet18,batch=4",)])
def test_the_batch_is_the_rows(fake: FakeMachine, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]) -> None:
    told(capsys, "-o", "t.csv", *words)
    (sample,) = dataset.read("t.csv").samples
    assert (sample.network, sample.batch) == ("zoo:resnet18", 4)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("-o", "gone/t.csv"), "-o gone/t.csv: cannot be written (no such folder: gone); give another file"),
        (("-o", "."), "it is no regular file"),
        (("-o", "/dev/full"), "it is no regular file"),
        (("-o", "t.csv", "--budget", "10"), "'10' is no duration up to a day; write 90s, 10min or 2h"),
        (("-o", "t.csv", "--budget", "0s"), "no duration"),
        (("-o", "t.csv", "--budget", "25h"), "no duration"),
        (("-o", "t.csv", "--threads", "0"), "'0' is no whole number from 1 to 1024"),
        (("-o", "t.csv", "--batch", "x"), "'x' is no whole number"),
        (("-o", "t.csv", "zoo:resnet8"), "zoo:resnet8: no network has this name"),
        (("-o", "t.csv", "gone.onnx"), "gone.onnx: no such model"),
        (("-o", "t.csv", "resnet18"), "resnet18: no such model; write zoo:NAME"),
        (("-o", "t.csv", "zoo:resnet18", "zoo:resnet18,batch=4"), "it is given at two batches"),
        (("-o", "t.csv", "--batch", "2", "zoo:resnet18,batch=4"), "its batch is 4 and --batch says 2"),
    ],
)
def test_bad_usage_is_one_line_and_leaves_nothing(
    fake: FakeMachine, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], message: str
) -> None:
    extra = () if any(word.startswith("zoo:") or "resnet" in word or "onnx" in word for word in words) else tuple(TRUTH)
    status, out, err = told(capsys, *words, *extra)
    assert (status, out, len(err.splitlines())) == (2, "", 1)
    assert message in err
    assert not list(Path().iterdir())


@pytest.mark.parametrize(("text", "value"), [("90s", 90.0), ("10min", 600.0), ("1.5h", 5400.0), ("2 min", 120.0)])
def test_durations(text: str, value: float) -> None:
    assert command.seconds(text) == value


def test_a_missing_runtime_names_the_pip_command(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    status, out, err = told(capsys, "-o", "t.csv", "zoo:stack_pool")
    assert (status, out, len(err.splitlines())) == (2, "", 1)
    assert "pip install 'cnn-costmodel[measure]'" in err
    assert not list(Path().iterdir())


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_is_for_terminals_only() -> None:
    pipe, terminal = io.StringIO(), Terminal()
    for stream in (pipe, terminal):
        with progress(stream) as show:
            show(3, 20, 245.0)
    assert pipe.getvalue() == ""
    assert "3/20 visits" in terminal.getvalue()
    assert "4:05 left" in terminal.getvalue()
    assert remaining(59.7) == "1:00"


# This machine


def test_the_machine_is_described_without_names_and_paths() -> None:
    found = machine("onnxruntime", {"onnxruntime": "1.99.0", "numpy": "2"})
    assert found["cpu"]
    assert found["cores"] == os.cpu_count()
    assert (found["runtime"], found["runtime_version"]) == ("onnxruntime", "1.99.0")
    assert str(found["date"])[:2] == "20"
    text = json.dumps(found)
    assert os.path.expanduser("~") not in text or os.path.expanduser("~") == "/"
    assert not platform.node() or platform.node() not in text.replace(str(found["cpu"]), "")


def test_a_short_real_run(capsys: pytest.CaptureFixture[str]) -> None:
    """Two stacks, one with sixteen times the work of the other, then again: nothing is left to do."""
    pytest.importorskip("onnxruntime")
    small, large = "zoo:stack_conv,resolution=7,c=32,cout=32", "zoo:stack_conv,resolution=28,c=32,cout=32"
    small, large = zoo.load(small).name, zoo.load(large).name
    status, out, err = told(capsys, "-o", "t.csv", "--budget", "20s", small, large)
    assert (status, err) == (0, "")
    assert out.startswith("t.csv: 2 of 2 networks measured")
    times = latencies()
    assert 2 * times[small] < times[large] < 1.0
    count = len(visited())
    assert told(capsys, "-o", "t.csv", "--budget", "0.1s", small, large)[0] == 0
    assert len(visited()) == count
    (start, _) = (entry["start"] for entry in journal() if "start" in entry)
    assert isinstance(start, dict)
    assert start["runtime"] == "onnxruntime"


def test_a_model_file_is_named_from_the_csvs_folder(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("onnxruntime")
    from costmodel.frontends import onnx

    Path("models").mkdir()
    Path("data").mkdir()
    onnx.save(zoo.load("stack_pool,resolution=7,c=8"), "models/pool.onnx")
    status, _, err = told(capsys, "-o", "data/t.csv", "--budget", "5s", "models/pool.onnx")
    assert (status, err) == (0, "")
    shutil.copy("data/t.csv", "data/u.csv")
    (sample,) = dataset.read("data/u.csv").samples
    assert Path(sample.network).samefile("models/pool.onnx")
    assert os.getcwd() not in Path("data/t.csv").read_text() + Path("data/t.passes.jsonl").read_text()


def save_model(nodes: list[Any], inputs: list[Any], outputs: list[Any], name: str) -> None:
    """A model of an opset that every ONNX Runtime reads."""
    from onnx import helper

    graph = helper.make_graph(nodes, "graph", inputs, outputs)
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("made.up", 1)]
    Path(name).write_bytes(helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString())


@pytest.mark.parametrize(
    ("dims", "words", "batch"),
    [((4, 3, 8, 8), (), 4), ((4, 3, 8, 8), ("--batch", "4"), 4), (("n", 3, 8, 8), ("--batch", "2"), 2)],
)
def test_a_model_file_is_measured_at_its_batch_or_at_the_one_asked_for(
    capsys: pytest.CaptureFixture[str], dims: tuple[int | str, ...], words: tuple[str, ...], batch: int
) -> None:
    pytest.importorskip("onnxruntime")
    from onnx_models import node, value

    save_model([node("Relu", ["x"], ["y"])], [value("x", dims)], [value("y", dims)], "m.onnx")
    status, _, err = told(capsys, "-o", "t.csv", "--budget", "2s", *words, "m.onnx")
    assert (status, err) == (0, "")
    (sample,) = dataset.read("t.csv").samples
    assert (sample.network, sample.batch) == ("m.onnx", batch)


def test_a_model_file_that_was_exported_anew_is_not_taken_for_the_one_that_was_measured(
    fake: FakeMachine, capsys: pytest.CaptureFixture[str]
) -> None:
    fake.truth["mine.onnx"] = 0.004
    onnx.save(zoo.load("stack_conv,c=4,resolution=8"), "mine.onnx")
    command_line = ("--budget", "9h", "-o", "t.csv", "mine.onnx")
    assert told(capsys, *command_line)[0] == 0
    assert told(capsys, *command_line)[0] == 0  # the same file goes on
    before = Path("t.csv").read_bytes(), Path("t.passes.jsonl").read_bytes()
    onnx.save(zoo.load("stack_conv,c=4,resolution=8,kernel=5"), "mine.onnx")
    status, out, err = told(capsys, *command_line)
    assert (status, out) == (2, "")
    assert "t.csv: it was measured with checksum of mine.onnx" in err
    assert (Path("t.csv").read_bytes(), Path("t.passes.jsonl").read_bytes()) == before


def test_what_onnxruntime_refuses_is_told_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """A model that costmodel reads and ONNX Runtime does not: an operator of a domain of its own."""
    pytest.importorskip("onnxruntime")
    from onnx_models import node, value

    frobnicate = node("Frobnicate", ["x"], ["y"], domain="made.up")
    save_model([frobnicate], [value("x", (1, 4))], [value("y", (1, 4))], "odd.onnx")
    status, out, err = told(capsys, "-o", "t.csv", "--budget", "5s", "odd.onnx", "zoo:stack_pool,resolution=7,c=8")
    assert (status, len(err.splitlines())) == (2, 1)
    assert err.startswith("costmodel: odd.onnx: onnxruntime does not run it: ")
    assert "made.up" in err
    assert out.startswith("t.csv: 1 of 2 networks measured")


def test_usual_reference_of_nothing_is_nothing() -> None:
    assert usual_reference([]) == 0.0

"""Times of single kernels: read from a profiler, matched, anchored, kept beside the rows, and fitted with them."""

from __future__ import annotations

import csv
import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from synthetic import MACHINE, PHYSICS, REFERENCE, RUNTIME, SEEN, UNSEEN, error, noisy, truth, work
from test_measure import RULES, TRUTH, FakeMachine, KilledError, journal, latencies, settings, told

from calibration import dataset, kernel_times, networks
from calibration.calibrate import Identity, calibrate
from calibration.dataset import Sample
from calibration.features import TERMS, features
from calibration.fit import Array, Parts, fit
from calibration.measure import command
from calibration.measure.backend import Kernels, RefusedError
from calibration.measure.campaign import Item, measure
from calibration.measure.onnxruntime_kernels import Operator, matched, node_seconds
from calibration.measure.profile import LEAST_SCALE, MOST_OVERHEAD, MOST_SCALE, Profile, anchored
from calibration.measure.store import Store
from calibration.measure.timing import Rules, runs_to_profile, unprofiled
from calibration.measure.visits import Visit
from calibration.validate import Known, held_out
from costmodel import zoo
from costmodel.builder import GraphBuilder
from costmodel.errors import UsageError
from costmodel.kernels import Kind, fuse, runtime_of
from costmodel.platforms import load_profile

MICRO = 1e-6


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every test in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


# The runtime's profile


def node_event(name: str, microseconds: int) -> dict[str, object]:
    return {"cat": "Node", "name": f"{name}_kernel_time", "dur": microseconds, "ts": 0, "args": {"op_name": "Conv"}}


def test_an_operators_time_is_the_mean_of_its_faster_runs_after_the_warm_up() -> None:
    events = [{"cat": "Session", "name": "model_run", "dur": 999}, {"cat": "Node", "name": "a_fence_before", "dur": 7}]
    for first, second in [(90, 40), (11, 5), (10, 5), (30, 6), (12, 7)]:
        events += [node_event("a", first), node_event("b", second)]
    seconds, runs = node_seconds(events, warm_up=1)
    assert runs == 4
    assert seconds == pytest.approx({"a": (10 + 11) / 2 * MICRO, "b": 5 * MICRO})


def test_an_operator_of_a_loops_body_counts_as_often_as_it_ran() -> None:
    events = [node_event(name, time) for _ in range(3) for name, time in (("a", 9), ("body", 2), ("body", 4))]
    seconds, runs = node_seconds(events, warm_up=1)
    assert (runs, seconds) == (2, pytest.approx({"a": 9 * MICRO, "body": 6 * MICRO}))


def test_a_profile_of_nothing_is_empty() -> None:
    assert node_seconds([], warm_up=2) == ({}, 0)


def test_operators_are_matched_by_the_tensors_that_they_write() -> None:
    """Each of the module's five ways, and one that leads nowhere."""
    g = GraphBuilder("net")
    a = g.relu(g.conv(g.input("input", (1, 32, 9, 7)), 32, 3, name="first"))
    b = g.hard_swish(g.add(g.conv(g.channel_shuffle(a, 2), 24, name="second"), g.conv(a, 24, name="third")))
    graph = g.build(g.mul(b, g.sigmoid(b)))
    kernels = {kernel.name: kernel for kernel in fuse(graph, runtime_of("onnxruntime", 16))}
    (swish,) = (name for name, kernel in kernels.items() if kernel.op == "Swish")
    (hard,) = (name for name, kernel in kernels.items() if any(n.op_type == "HardSwish" for n in kernel.operators))
    (shuffle,) = (kernel for kernel in kernels.values() if kernel.op == "Shuffle")
    relu = kernels["first"].operators[-1].outputs[0]
    made = [
        Operator("ReorderInput", "ReorderInput", ("input",), ("token_0",)),
        Operator(f"{relu}_nchwc", "Conv", ("token_0", "w"), ("token_1",)),
        Operator("ReorderOutput_token_7", "ReorderOutput", ("token_1",), (relu,)),
        *(Operator(f"x{i}", one.op_type, one.inputs, one.outputs) for i, one in enumerate(shuffle.operators)),
        Operator("", "HardSigmoid", ("t",), ("_inlined",)),
        Operator("", "Mul", ("t", "_inlined"), (kernels[hard].operators[-1].outputs[0],)),
        Operator(f"{swish}/QuickGeluFusion/", "QuickGelu", ("u",), ("token_9",)),
        Operator("stranger", "Foo", ("v",), ("w",)),
    ]
    names = [one.name for one in made if one.name] + ["HardSigmoid_41", "Mul_42", "nowhere"]
    seconds, operators = matched(list(kernels.values()), made, dict.fromkeys(names, 1.0))
    assert operators == {
        "input:blocked": 1, "first": 1, f"{relu}:plain": 1, shuffle.name: len(shuffle.operators), hard: 2, swish: 1,
    }  # fmt: skip
    assert seconds == {name: float(count) for name, count in operators.items()}


@pytest.mark.parametrize(
    "network",
    [
        "zoo:stack_shufflenet_v2,c=64,resolution=14,se=true",
        "zoo:stack_elementwise,c=8,kind=hard_swish,layers=2,resolution=28",
        "zoo:inverted_residual,resolution=14,cin=24,cout=24,act=swish",
        "zoo:squeezenet1_1,resolution=64",
    ],
)
def test_a_real_profile_is_matched(network: str) -> None:
    pytest.importorskip("onnxruntime")
    from calibration.measure.onnxruntime import OnnxRuntime

    backend = OnnxRuntime(1)
    found = backend.profile(network, "", 1, 4)
    assert sum(found.seconds.values()) >= 0.95 * found.total > 0
    assert found.runs == 4
    assert sum(found.operators.values()) <= found.count
    kernels = fuse(networks.graph(network, 1), runtime_of("onnxruntime", backend.blocks))
    timed = {kernel.name for kernel in kernels if kernel.kind is not Kind.VIEW and kernel.loops is not None}
    assert timed <= found.seconds.keys() <= {kernel.name for kernel in kernels}


# Against the clock


def profile(kernels: dict[str, float], total: float, count: int = 10, item: str = "zoo:resnet18") -> Profile:
    return Profile(item, kernels, dict.fromkeys(kernels, 2), total, count, 5, 1.0, 1.0, 0.1)


def test_what_the_profiler_adds_is_taken_off_each_operator() -> None:
    """10 operators in 115 us that take 100 us: 1.5 us each, 3 us of a kernel of two."""
    found = anchored(profile({"a": 50 * MICRO, "b": 65 * MICRO}, 115 * MICRO), 100 * MICRO)
    assert (found.overhead, found.scale) == pytest.approx((1.5 * MICRO, 1.0))
    assert found.kernels == pytest.approx({"a": 47 * MICRO, "b": 62 * MICRO})
    assert found.counts


@pytest.mark.parametrize(
    ("latency", "overhead", "scale"),
    [(1040, 0.0, 1.04), (1000, 0.0, 1.0), (900, 2.0, 900 / 980), (600, 2.0, 600 / 980)],
)
def test_what_is_left_is_a_factor_on_all(latency: int, overhead: float, scale: float) -> None:
    found = anchored(profile({"a": 1000 * MICRO}, 1000 * MICRO), latency * MICRO)
    assert (found.overhead / MICRO, found.scale) == (pytest.approx(overhead), pytest.approx(scale))
    assert found.kernels["a"] == pytest.approx((1000 - 2 * overhead) * scale * MICRO)
    assert found.counts == (LEAST_SCALE <= scale <= MOST_SCALE)


def test_a_kernel_of_which_nothing_is_left_is_none() -> None:
    found = anchored(profile({"short": 2 * MOST_OVERHEAD, "long": 1e-4}, 2e-4), 1.5e-4)
    assert found.kernels.keys() == {"long"}


def test_a_disturbed_profile_is_repeated_and_a_calm_one_is_not() -> None:
    names = ["a", "b"]
    visits = [Visit(name, 0.1, 5, 1.0, 1.0, 0.3) for name in names]
    calm, disturbed = profile({}, 1.0, item="a"), Profile("b", {}, {}, 1.0, 10, 5, 1.0, 1.5, 0.1)
    assert unprofiled(names, visits[:1], [], Rules()) == ["a"]  # b has no visit yet
    assert unprofiled(names, visits, [calm], Rules()) == ["b"]
    assert unprofiled(names, visits, [calm, disturbed], Rules(profiles=2)) == ["b"]
    assert unprofiled(names, visits, [calm, disturbed, disturbed], Rules(profiles=2)) == []


def test_short_networks_are_profiled_more_often() -> None:
    rules = Rules(profiled=0.1, profiled_runs=(8, 60))
    assert [runs_to_profile(latency, rules) for latency in (1e-5, 0.005, 1.0)] == [60, 20, 8]


# Files that survive


class Profiling(FakeMachine):
    """A machine whose profiler adds a microsecond to each kernel; the kernels of a network take all the same."""

    def profile(self, network: str, path: str, batch: int, runs: int) -> Kernels:
        if network == "zoo:stack_pool":
            raise RefusedError("no profile")
        self.at_run(network)
        names = [k.name for k in fuse(zoo.load(network), runtime_of("onnxruntime", 8)) if k.kind is not Kind.VIEW]
        latency = self.truth[network]
        self.now += runs * latency
        seconds = dict.fromkeys(names, latency / len(names) + MICRO)
        return Kernels(seconds, dict.fromkeys(names, 1), sum(seconds.values()), len(names), runs)


def measuring(fake: FakeMachine, *, kernels: bool = True, budget: float = 1e6) -> None:
    with Store(Path("t.csv"), settings()) as store:
        store.begin({"cpu": "Fake", "runtime": "onnxruntime", "runtime_version": "1.99.0"})
        items = [Item(name, 1) for name in TRUTH]
        measure(items, fake, store, budget=budget, seed=0, clock=fake.clock, kernels=kernels, rules=RULES)


def rows() -> list[dict[str, str]]:
    with open("t.kernels.csv", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def sums() -> dict[str, float]:
    """Seconds of the kernels by network, as the dataset's reader has them."""
    samples = dataset.read("t.csv").samples
    return {one.network: sum(time for _, time in one.kernels) for one in samples if one.kernels}


EXPECTED = {name: pytest.approx(time, rel=1e-4) for name, time in TRUTH.items() if name != "zoo:stack_pool"}


def test_a_networks_kernels_add_up_to_its_latency() -> None:
    measuring(Profiling())
    assert sums() == EXPECTED
    assert {float(row["overhead_ms"]) for row in rows()} == {1e-3}
    assert {row["network"] for row in rows()} == EXPECTED.keys()
    assert sum("profile" in entry for entry in journal()) == len(TRUTH)  # one could not be made, and is not tried again


def test_without_the_option_there_are_none() -> None:
    measuring(Profiling(), kernels=False)
    assert not Path("t.kernels.csv").exists()
    measuring(Profiling())  # the same measurement goes on with them
    assert sums() == EXPECTED
    assert latencies() == pytest.approx(TRUTH)


def test_killed_at_random_moments_no_kernel_is_lost_or_there_twice() -> None:
    dice = random.Random(11)
    for _ in range(60):
        left = dice.randrange(1, 60)

        def kill(name: str) -> None:
            nonlocal left
            left -= 1
            if left == 0:
                raise KilledError

        try:
            measuring(Profiling(at_run=kill))
        except KilledError:
            if Path("t.csv").exists():
                assert sums().items() <= EXPECTED.items()
        else:
            break
    assert sums() == EXPECTED
    assert max(Counter((row["network"], row["kernel"]) for row in rows()).values()) == 1
    assert sum("profile" in entry for entry in journal()) == len(TRUTH)
    whole = Path("t.passes.jsonl").read_bytes()
    for end in range(len(whole) - 400, len(whole), 7):  # torn at the end
        Path("t.passes.jsonl").write_bytes(whole[:end])
        measuring(Profiling())
        assert sums() == EXPECTED


def test_profiles_are_within_the_budget() -> None:
    spent = 20.0
    measuring(Profiling(), budget=spent)
    entries = [entry.get("visit") or entry.get("profile") for entry in journal()]
    assert sum(entry["took"] for entry in entries if isinstance(entry, dict)) <= spent


def test_kernels_that_someone_else_wrote_are_not_replaced() -> None:
    Path("t.kernels.csv").write_text("mine\n")
    with pytest.raises(UsageError, match=r"t\.kernels\.csv is there, without the t\.passes\.jsonl"):
        measuring(Profiling())
    assert Path("t.kernels.csv").read_text() == "mine\n"


def test_the_command_says_what_was_profiled_and_calibrate_takes_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made = Profiling()
    monkeypatch.setattr(command, "BACKENDS", {"onnxruntime": lambda options: made})
    monkeypatch.setattr(command, "perf_counter", made.clock)
    status, out, err = told(capsys, "-o", "t.csv", "--kernels", "--budget", "2h", *TRUTH)
    assert (status, err) == (0, "")
    assert f"t.kernels.csv: {len(rows())} kernels of 2 networks\n" in out
    assert "without a profile, or without a calm one: zoo:stack_pool\n" in out
    words = ["--id", "x-onnxruntime-fp32-1t", "--runtime", "onnxruntime", "--blocks", "8", "-o", "x.json"]
    from costmodel.cli import main

    assert main(["calibrate", "t.csv", *words]) == 0
    err = capsys.readouterr().err
    assert f"t.kernels.csv: {len(rows())} kernels of 2 networks are fitted with them." in err
    assert "--blocks" not in err
    with_kernels = load_profile("x.json")
    wrong = ["0" if word == "8" else word for word in words]
    assert main(["calibrate", "t.csv", *wrong]) == 0  # where nothing is copied into blocks
    assert "check --runtime and --blocks" in capsys.readouterr().err
    Path("t.kernels.csv").unlink()
    assert main(["calibrate", "t.csv", *words]) == 0
    assert load_profile("x.json").coefficients != with_kernels.coefficients


def test_torch_has_no_profiles(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = told(capsys, "--backend", "torch", "--kernels", "-o", "t.csv", "zoo:resnet18")
    assert (status, out) == (2, "")
    assert err == (
        "costmodel: --kernels: only --backend onnxruntime can do that; give it too, or leave --kernels out\n"
    )


# The file beside the rows


def data(
    *kernels: str, samples: Sequence[str] = ("zoo:squeezenet1_1,9.5",), header: str = "network,latency_ms"
) -> Path:
    Path("rows.csv").write_text("\n".join((header, *samples)) + "\n")
    Path("rows.kernels.csv").write_text("\n".join((",".join(kernel_times.COLUMNS), *kernels)) + "\n")
    return Path("rows.csv")


def test_kernels_are_those_of_the_row_with_their_network_and_batch() -> None:
    path = data(
        '"zoo:mobilenet_v2,width=1.0",1,a,2', "zoo:squeezenet1_1,1,a,1.5", "zoo:squeezenet1_1,4,a,7", "zoo:vgg16,1,a,3",
        "zoo:no_such_network,1,a,3",
        samples=("zoo:squeezenet1_1,9.5", "zoo:mobilenet_v2,4", "zoo:alexnet,2"),
    )  # fmt: skip
    found = dataset.read(path)
    assert [sample.kernels for sample in found.samples] == [(("a", 1.5e-3),), (("a", 2e-3),), ()]
    assert found.notes == ("rows.kernels.csv: 2 kernels of 2 networks are fitted with them.",)


def test_kernels_of_a_network_with_several_rows_are_of_none() -> None:
    twice = ("zoo:squeezenet1_1,9.5,1", "zoo:squeezenet1_1,5,4", "zoo:alexnet,3,1")
    path = data("zoo:squeezenet1_1,1,a,1.5", samples=twice, header="network,latency_ms,threads")
    assert not any(sample.kernels for sample in dataset.read(path).samples)


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("zoo:squeezenet1_1,1,a,0", ":2: latency_ms is '0', no time of a kernel"),
        ("zoo:squeezenet1_1,1,a,nan", "latency_ms is 'nan'"),
        ("zoo:squeezenet1_1,1,a", "latency_ms is ''"),
        ("zoo:squeezenet1_1,x,a,1", "batch is 'x', no whole number above 0"),
        ("zoo:squeezenet1_1,1,,1", "network or kernel is empty"),
        ("zoo:squeezenet1_1,1,a,1\nzoo:squeezenet1_1,1,a,2", ":3: it repeats a of zoo:squeezenet1_1"),
    ],
)
def test_bad_kernels_are_refused_with_place_and_remedy(row: str, problem: str) -> None:
    with pytest.raises(UsageError) as caught:
        dataset.read(data(row))
    assert str(caught.value).startswith("rows.kernels.csv:")
    assert problem in str(caught.value)
    assert "remove the file to calibrate without kernels" in str(caught.value)


def test_a_file_without_the_columns_is_refused() -> None:
    path = data()
    Path("rows.kernels.csv").write_text("network,latency_ms\nzoo:squeezenet1_1,1\n")
    with pytest.raises(UsageError, match=r"rows\.kernels\.csv:1: the header has no batch and no kernel"):
        dataset.read(path)


# In one fit


def timed(names: Sequence[str], seconds: Array) -> list[Sample]:
    """Samples of a platform with these coefficients, with the exact times of their kernels."""
    result = []
    for name in names:
        kernels = fuse(zoo.load(name), runtime_of(RUNTIME))
        alone = [features([Sample(name, 1.0, kernels=((k.name, 1.0),))], RUNTIME, MACHINE).parts for k in kernels]
        pairs = zip(kernels, alone, strict=True)
        times = tuple((k.name, float(one.amounts[0] @ seconds)) for k, one in pairs if one is not None)
        result.append(Sample(name, float(work([name]).amounts[0] @ seconds), kernels=times))
    return result


FEW = SEEN[::5]
NEW = work(UNSEEN).amounts
NOISE, KERNEL_NOISE = 0.03, 0.2


def rough(parts: Parts | None, seed: int, factor: float = 1.0, added: float = 0.0, copies: int = 1) -> Parts:
    """Kernels as a profiler may give them."""
    assert parts is not None
    rows = np.tile(np.arange(len(parts.seconds)), copies)
    seconds = noisy(parts.seconds[rows] * factor + added, KERNEL_NOISE, seed)
    return Parts(parts.amounts[rows], seconds, parts.sample[rows])


def test_kernels_of_a_network_add_up_to_its_work() -> None:
    seconds = truth(0)
    (sample,) = timed(["zoo:shufflenet_v2"], seconds)
    run = seconds[TERMS.index("run")]
    assert sum(time for _, time in sample.kernels) + run == pytest.approx(sample.latency, rel=1e-9)


def test_kernels_that_do_the_same_are_one_of_their_mean_time() -> None:
    name = zoo.load("stack_conv,layers=3,c=16,cout=16").name
    kernels = [k.name for k in fuse(zoo.load(name), runtime_of(RUNTIME)) if k.kind is not Kind.VIEW]
    times = tuple((kernel, 1.0 + place) for place, kernel in enumerate(kernels))
    parts = features([Sample("zoo:alexnet", 1.0), Sample(name, 1.0, kernels=times)], RUNTIME, MACHINE).parts
    assert parts is not None
    assert len(kernels) == 3
    assert parts.seconds.tolist() == [2.0]
    assert parts.sample.tolist() == [1]


@pytest.mark.parametrize("seed", range(3))
def test_a_platform_is_known_better_from_few_networks_with_their_kernels(seed: int) -> None:
    seconds = truth(seed, scatter=0.5)
    known = features(timed(FEW, seconds), RUNTIME, MACHINE)
    measured = noisy(known.amounts @ seconds, NOISE, seed)
    alone = fit(known.amounts, measured, PHYSICS)
    both = fit(known.amounts, measured, PHYSICS, parts=rough(known.parts, seed))
    off = error(both.predict(NEW), NEW @ seconds).mean()
    assert off < 0.75 * error(alone.predict(NEW), NEW @ seconds).mean()
    assert off < 0.05
    assert both.noise < 0.08  # a kernel's noise is its own


@pytest.mark.parametrize(("factor", "added"), [(1.35, 0.0), (0.7, 0.0), (1.0, 2 * MICRO)])
def test_thousands_of_kernels_of_a_biased_profiler_do_not_move_the_networks(factor: float, added: float) -> None:
    """Less than 8 % each, less than 2 % in the middle; without them the fit is as far off as that on new ones."""
    seconds = truth(1, scatter=0.5)
    known = features(timed(FEW, seconds), RUNTIME, MACHINE)
    measured = noisy(known.amounts @ seconds, NOISE, 1)
    assert known.parts is not None
    many = rough(known.parts, 1, factor, added, copies=5000 // len(known.parts.seconds) + 1)
    assert len(many.seconds) >= 5000
    alone, both = fit(known.amounts, measured, PHYSICS), fit(known.amounts, measured, PHYSICS, parts=many)
    moved = np.abs(np.log(both.predict(known.amounts) / alone.predict(known.amounts)))
    assert moved.max() < 0.08
    assert np.median(moved) < 0.02
    assert error(both.predict(NEW), NEW @ seconds).mean() < error(alone.predict(NEW), NEW @ seconds).mean()


def test_kernels_are_slowed_down_with_their_run_but_do_not_stretch_it() -> None:
    """A device whose long runs are slower by (s / 20 ms)^0.05: both its networks and their kernels show it."""
    seconds = truth(2, speed=1e-9)
    samples = timed(SEEN[::2], seconds)
    plain = np.array([sample.latency for sample in samples])
    stretch = (plain / np.median(plain)) ** 0.05
    known = features(samples, RUNTIME, MACHINE)
    assert known.parts is not None
    slowed = Parts(known.parts.amounts, known.parts.seconds * stretch[known.parts.sample], known.parts.sample)
    own = fit(known.amounts, plain * stretch, PHYSICS, parts=slowed)
    assert own.stretch.exponent == pytest.approx(0.05, abs=0.015)
    unstretched = fit(known.amounts, plain, PHYSICS, parts=known.parts)
    assert abs(unstretched.stretch.exponent) < 0.01


def test_no_kernels_are_the_same_as_none() -> None:
    known = work(FEW).amounts
    measured = noisy(known @ truth(3), NOISE, 3)
    empty = Parts(np.zeros((0, len(TERMS))), np.zeros(0), np.zeros(0, np.int64))
    one, other = fit(known, measured, PHYSICS), fit(known, measured, PHYSICS, parts=empty)
    assert (one.mean == other.mean).all()
    assert (one.covariance == other.covariance).all()
    assert one.covariance.shape == (len(TERMS) + 1,) * 2


def test_a_network_that_is_held_out_is_so_with_its_kernels() -> None:
    seconds = truth(4)
    samples = timed(FEW, seconds)
    poisoned = [*samples]
    poisoned[2] = Sample(samples[2].network, 1.0, kernels=tuple((name, 50 * t) for name, t in samples[2].kernels))
    latency = np.array([sample.latency for sample in samples])
    clean, found = (
        held_out(features(rows, RUNTIME, MACHINE), latency, FEW, lambda out: Known(PHYSICS), REFERENCE)
        for rows in (samples, poisoned)
    )
    assert found.predicted[2] == pytest.approx(clean.predicted[2], rel=1e-12)
    assert found.doubts[2] == pytest.approx(clean.doubts[2], rel=1e-12)
    others = np.arange(len(FEW)) != 2
    assert (found.predicted[others] != clean.predicted[others]).all()  # which do see them


def test_the_report_is_of_whole_networks() -> None:
    samples = timed(FEW, truth(5))
    identity = Identity("x-ncnn-fp32-1t", "x", "ncnn", "fp32", 1, "cpu")
    platform, report = calibrate(samples, identity, lambda out: Known(PHYSICS))
    assert platform.accuracy is not None
    assert platform.accuracy.samples == len(report.rows) == len(FEW)
    assert sum(source.samples for source in platform.sources) == len(FEW)

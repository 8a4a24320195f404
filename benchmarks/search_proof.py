"""A search's designs under the clock: predicted against measured, and what they gain over the widths of Table 5.

    python benchmarks/search_proof.py -o proof.csv             # on a machine like the platform's
    python benchmarks/search_proof.py -o proof.csv --refine    # and what its own measurements change
    python benchmarks/search_proof.py -p mine.json --data mine.csv -o proof.csv
    python benchmarks/search_proof.py --smoke

1. Random designs of the default space, between 0.5x and 2x in mult-adds, and the widths of Table 5, predicted and
   measured in turn. Networks of --data, from which the platform was calibrated, run in the same rounds: they tell how
   fast the machine is now against then.
2. The designs that a search finds at 1x's measured latency, and the fastest design of 1x's capacity, in turn with 1x.
3. With --refine: the best designs' measurements added to --data, a profile from both, and the same designs again.
4. With --intervals: how wide the 9-of-10 interval is by the held-out residuals of all rows of --data, and by those of
   its whole networks alone, and what that costs a search.

Measurements are kept beside -o, with their journals: the same command goes on where it stopped, and measures nothing
twice.
"""

from __future__ import annotations

import argparse
import csv
import io
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy.stats import kendalltau

from calibration import physics
from calibration.calibrate import same_work
from calibration.dataset import read
from calibration.features import features, typical
from calibration.measure.timing import RULES
from calibration.validate import Known, held_out, quantile
from costmodel import zoo
from costmodel.platforms import Doubt, Platform, find
from costmodel.predictor import Estimate, predict
from costmodel.writing import write_whole
from search import Design, default_space, standard
from search.capacity import EFFECTIVENESS, Capacity, capacity_of
from search.design import WIDTHS
from search.evaluate import Evaluator
from search.exact import exact, pareto
from search.limits import Limits
from search.refine import BEST, Round, refine
from search.result import Result
from search.verify import Measured, Ratio, Subject, backend_named, backend_of, measured, times_as_fast

DATA = Path(__file__).parents[1] / "calibration" / "data" / "onnxruntime_epyc.csv"
PLATFORM = "epyc-onnxruntime-fp32-1t"
DESIGNS = 20
SEED = 2024
STEP = 4  # of the random designs' branches: many of them fill no vector
CONTROLS = 5
PARTS = ("zoo:stack_", "zoo:inverted_residual", "zoo:paper_g")  # that are no whole networks
VISITS, SMOKE_VISITS = 9, 2  # undisturbed ones of each network, at least
COLUMNS = (
    "part", "name", "network", "mult_adds", "capacity",
    "predicted_ms", "low_ms", "high_ms", "measured_ms", "spread", "rounds_ms",
)  # fmt: skip


@dataclass(frozen=True)
class Line:
    """A network of the proof; capacity: None of what is no design."""

    part: str
    name: str
    network: str
    mult_adds: int
    capacity: float | None
    predicted: Estimate
    measured: Measured

    @property
    def error(self) -> float:
        return float(self.predicted.seconds) / self.measured.seconds - 1

    @property
    def inside(self) -> bool:
        return bool(self.predicted.low <= self.measured.seconds <= self.predicted.high)


@dataclass(frozen=True)
class Proof:
    """What all parts need. seconds: of measuring in a part. beside: the name of the CSVs of measurements, without its
    end. smoke: whether what is measured may be another kind of machine, whose times say nothing."""

    platform: Platform
    capacity: Capacity
    seconds: float
    beside: Path
    smoke: bool

    def lines(self, part: str, subjects: Mapping[str, Subject]) -> list[Line]:
        """The subjects by name, predicted, and measured in turn."""
        platform, visits = self.platform, SMOKE_VISITS if self.smoke else VISITS
        backend = backend_named(platform.runtime, platform.threads) if self.smoke else backend_of(platform)
        into = self.beside.with_name(f"{self.beside.name}.{part}.csv")
        rules = replace(RULES, visits=visits, most=3 * visits)
        found = measured(
            list(subjects.values()), backend, platform.threads, budget=self.seconds, into=into, rules=rules
        )
        return [self._line(part, *one, clocked) for one, clocked in zip(subjects.items(), found, strict=True)]

    def pretended(self, subjects: Sequence[Subject]) -> list[float]:
        """What the platform predicts, but for designs, which take 1.4 times as long: something to refine."""
        graphs = [(one.graph(), 1.4) if isinstance(one, Design) else (zoo.load(one), 1.0) for one in subjects]
        return [float(predict(graph, self.platform).latency.seconds) * factor for graph, factor in graphs]

    def _line(self, part: str, name: str, subject: Subject, clocked: Measured) -> Line:
        graph = subject.graph() if isinstance(subject, Design) else zoo.load(subject)
        capacity = float(self.capacity.score([subject])[0]) if isinstance(subject, Design) else None
        latency = predict(graph, self.platform).latency
        return Line(part, name, graph.name, int(graph.cost.mult_adds), capacity, latency, clocked)


def random_designs(count: int, seed: int) -> list[Design]:
    """Of the default space, each option equally likely, between 0.5x and 2x in mult-adds."""
    space = default_space(STEP)
    low, high = (standard(width).graph().cost.mult_adds for width in (0.5, 2.0))
    drawn = space.designs(space.random(50 * count, seed))
    fitting = (design for design in drawn if low <= design.graph().cost.mult_adds <= high)
    return [design for _, design in zip(range(count), fitting, strict=False)]


def controls(data: Path, count: int) -> dict[str, float]:
    """Whole networks of the data, from end to end of their latencies, with the seconds that they took then."""
    rows = [(one.latency, one.network) for one in read(data).samples if one.batch == 1 and one.latency > 1e-3]
    whole = sorted((s, name) for s, name in rows if "stack_" not in name and "inverted_residual" not in name)
    chosen = [whole[round(i * (len(whole) - 1) / max(count - 1, 1))] for i in range(min(count, len(whole)))]
    return {network: seconds for seconds, network in chosen}


def show(lines: Sequence[Line]) -> None:
    print(
        f"{'':8} {'mult-adds':>9} {'measured':>9} {'spread':>7} {'predicted':>10} {'between':>15} {'error':>8}  inside"
    )
    for one in lines:
        e = one.predicted
        print(
            f"{one.name:8} {one.mult_adds / 1e6:7.0f} M {one.measured.seconds * 1e3:9.3f} "
            f"{100 * one.measured.spread:5.1f} % {e.seconds * 1e3:10.3f} {e.low * 1e3:6.2f} to {e.high * 1e3:5.2f} "
            f"{100 * one.error:+6.1f} %  {'yes' if one.inside else 'no'}"
        )


def figures(name: str, lines: Sequence[Line], drift: float = 1.0) -> str:
    """drift: how many times as long as when the platform was calibrated everything takes now."""
    predicted = np.array([one.predicted.seconds for one in lines]) * drift
    seconds = np.array([one.measured.seconds for one in lines])
    errors = np.abs(predicted / seconds - 1)
    tau = kendalltau(predicted, seconds).statistic
    bias = 100 * (np.exp(np.log(predicted / seconds).mean()) - 1)
    inside = sum(one.inside for one in lines)
    return (
        f"{name:40} {100 * errors.mean():5.1f} % {100 * np.median(errors):5.1f} % {bias:+5.1f} % "
        f"{100 * (errors <= 0.1).mean():4.0f} % {tau:6.3f} {inside:3} of {len(lines)}"
    )


HEAD = f"{'':40} {'mean':>7} {'median':>7} {'bias':>7} {'<10 %':>6} {'tau':>6} {'inside':>9}"


def drift_of(lines: Sequence[Line], then: Mapping[str, float]) -> float:
    """The median over the controls of their latency now against then."""
    ratios = {one.network: one.measured.seconds / then[one.name] for one in lines}
    print("\nThe machine now against when the platform was calibrated, networks of its data")
    for network, ratio in ratios.items():
        print(f"  {ratio:5.3f}  {network}")
    return float(np.median(list(ratios.values())))


def search(platform: Platform, capacity: Capacity, budget: float, top: int = 1) -> Result:
    """The best designs that keep a budget with the upper ends of their intervals, as `costmodel search` does it."""
    evaluator = Evaluator(default_space(platform.machine.vector), [platform], capacity)
    return exact(evaluator, Limits({platform.id: budget}, effectiveness=EFFECTIVENESS), top=top)


def fastest_of(platform: Platform, capacity: Capacity, least: float) -> Design:
    """The design that is predicted to be fastest of those with at least so much capacity."""
    evaluator = Evaluator(default_space(platform.machine.vector), [platform], capacity)
    front = pareto(evaluator, platform.id, Limits(effectiveness=EFFECTIVENESS))
    able = np.flatnonzero(evaluator.costs(front).capacity >= least)
    return evaluator.space.designs(front[able[:1]])[0]


def certain(platform: Platform) -> Platform:
    """The platform without its doubt: its intervals have no width."""
    kinds = dict.fromkeys(platform.doubt.kinds, 0.0)
    return replace(platform, doubt=Doubt(0.0, kinds, platform.doubt.quantiles))


def compare(lines: Sequence[Line]) -> None:
    """All lines but the first beside the first: times as fast, and what they have more of."""
    base = lines[0]
    print(f"\n{'':9} {'times as fast as 1x':>24} {'in half of rounds':>18}")
    print(f"{'':9} {'predicted':>14}{'measured':>10} {'from .. to, of':>18} {'capacity':>15} {'mult-adds':>10}")
    for one in lines[1:]:
        ratio: Ratio = times_as_fast(one.measured, base.measured)
        more = 100 * ((one.capacity or 0.0) / (base.capacity or 1.0) - 1)
        print(
            f"{one.name:9} {base.predicted.seconds / one.predicted.seconds:14.2f}{ratio.times:10.2f} "
            f"{ratio.low:6.2f} to {ratio.high:.2f}, {ratio.rounds:2} {one.capacity:7,.0f} {more:+5.0f} % "
            f"{one.mult_adds / 1e6:8.0f} M"
        )


def write_rows(path: Path, lines: Sequence[Line]) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for one in lines:
        e, clocked = one.predicted, one.measured
        names = (one.part, one.name, one.network, one.mult_adds)
        capacity = "" if one.capacity is None else f"{one.capacity:.6g}"
        times = [f"{1e3 * value:.6g}" for value in (e.seconds, e.low, e.high, clocked.seconds)]
        rounds = " ".join("-" if value is None else f"{1e3 * value:.5g}" for value in clocked.rounds)
        writer.writerow((*names, capacity, *times, f"{clocked.spread:.4f}", rounds))
    write_whole(path, text.getvalue())


def random_part(proof: Proof, data: Path, count: int) -> list[Line]:
    then = controls(data, CONTROLS)
    subjects: dict[str, Subject] = {f"r{i}": design for i, design in enumerate(random_designs(count, SEED), start=1)}
    tables: dict[str, Subject] = {f"{width:g}x": standard(width) for width in WIDTHS}
    lines = proof.lines("random", {**subjects, **tables, **{name: name for name in then}})
    designs, widths = lines[: len(subjects)], lines[len(subjects) : len(subjects) + len(tables)]
    print(f"{len(designs)} random designs and the widths of Table 5; milliseconds")
    show([*designs, *widths])
    drift = drift_of(lines[len(subjects) + len(tables) :], then)
    print(f"\n{HEAD}")
    print(figures("random designs", designs))
    print(figures("the widths of Table 5", widths))
    print(figures(f"random designs, predicted x {drift:.3f}", designs, drift))
    print(f"repeatability: 90 % of these networks within {100 * (lines[0].measured.repeatability or 0):.1f} %")
    return lines


def found_part(proof: Proof, budget: float, data: Path) -> list[Line]:
    """What a search finds at the seconds that 1x was measured at, and at its capacity, in turn with it."""
    platform, capacity = proof.platform, proof.capacity
    least = float(capacity.score([standard(1.0)])[0])
    subjects: dict[str, Subject] = {
        "1x": standard(1.0),
        "upper": search(platform, capacity, budget).best[0].design,
        "middle": search(certain(platform), capacity, budget).best[0].design,
        "capable": fastest_of(platform, capacity, least),
        "as_many": fastest_of(platform, capacity_of("mult_adds"), standard(1.0).graph().cost.mult_adds),
    }
    then = controls(data, CONTROLS)
    lines = proof.lines("found", {**subjects, **{name: name for name in then}})
    lines, others = lines[: len(subjects)], lines[len(subjects) :]
    print(f"\nFound at 1x's measured {1e3 * budget:.3f} ms, and at its capacity ({capacity.name})")
    print("upper: most capacity, the interval's upper end keeps the budget; middle: the prediction itself keeps it;")
    print("capable: the fastest of 1x's capacity; as_many: the fastest of 1x's mult-adds\n")
    show(lines)
    compare(lines)
    drift_of(others, then)
    print()
    for one in lines:
        print(f"{one.name:8} {one.network}")
    return [*lines, *others]


def refined_part(proof: Proof, before: Sequence[Line], budget: float, data: Path, rounds: int, best: int) -> None:
    """Rounds of measuring the best designs and calibrating anew, and the random designs as predicted after them."""
    platform, capacity = proof.platform, proof.capacity
    into = proof.beside.with_name(f"{proof.beside.name}.refined.csv")

    def told(done: Round) -> None:
        agreement = "agrees" if done.agrees else "does not agree"
        drift = "" if done.drift is None else f", measured / {done.drift:.3f}"
        print(f"\nRound {done.number}: {100 * done.error:.1f} % off in the mean, {agreement}{drift}")
        for one in done.trials:
            e = one.predicted
            times = f"{e.seconds * 1e3:.3f} ms predicted ({e.low * 1e3:.2f} to {e.high * 1e3:.2f})"
            print(f"  {times}, {one.seconds * 1e3:.3f} measured, {100 * one.error:+.1f} %")

    print(f"\nRefined with the {best} best designs at {1e3 * budget:.3f} ms")
    how = {"into": into, "budget": proof.seconds, "clocked": proof.pretended if proof.smoke else None, "show": told}
    found = refine(lambda now: search(now, capacity, budget, best), platform, data, rounds, best, **how)
    last, first = found.result.best[0], search(platform, capacity, budget).best[0]
    print(f"\nbest capacity: {first.capacity:,.0f} before, {last.capacity:,.0f} after")
    designs = [one for one in before if one.name.startswith("r")]
    after = [replace(one, predicted=predict(zoo.load(one.network), found.platform).latency) for one in designs]
    print(f"\n{HEAD}")
    print(figures("random designs before", designs))
    print(figures("random designs after", after))


def intervals_part(proof: Proof, budget: float, data: Path) -> None:
    """The quantile for 9 of 10 by the residuals of all rows and of whole networks, held out as calibrate does."""
    platform, samples = proof.platform, read(data).samples
    work = features(samples, platform.runtime, platform.machine)
    known = Known(physics.prior("cpu"))
    seconds = np.array([sample.latency for sample in samples])
    reference = typical(platform.runtime, platform.machine)
    held = held_out(work, seconds, same_work(samples, work), lambda out: known, reference)
    scores = np.abs(np.log(held.predicted / held.seconds)) / held.doubts
    whole = np.array([not sample.network.startswith(PARTS) for sample in samples])
    chosen = {
        "the profile's": platform.doubt.quantiles[0.9],
        f"all {len(scores)} rows": quantile(np.sort(scores), 0.9),
        f"{(~whole).sum()} stacks and blocks": quantile(np.sort(scores[~whole]), 0.9),
        f"{whole.sum()} whole networks": quantile(np.sort(scores[whole]), 0.9),
        "no doubt": 0.0,
    }
    print(f"\n{'9 of 10 by':24} {'quantile':>8} {'upper end':>10} {'capacity':>9} at {1e3 * budget:.3f} ms")
    for name, value in chosen.items():
        doubt = replace(platform.doubt, quantiles={**platform.doubt.quantiles, 0.9: value})
        best = search(replace(platform, doubt=doubt), proof.capacity, budget).best[0]
        latency = best.latency[platform.id]
        print(f"{name:24} {value:8.2f} {latency.high / latency.seconds:8.2f} x {best.capacity:9,.0f}")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="A search's designs under the clock.")
    parser.add_argument("-o", "--output", type=Path, default=Path("proof.csv"), help="the raw rows")
    parser.add_argument("-p", "--platform", default=PLATFORM, help="that predicts: one of this kind of machine")
    parser.add_argument("--data", type=Path, default=DATA, help="from which it was calibrated")
    parser.add_argument("--budget", type=float, default=120.0, help="seconds of measuring in each part")
    parser.add_argument("--refine", type=int, nargs="?", const=1, default=0, metavar="ROUNDS")
    parser.add_argument(
        "--refine-at", type=float, metavar="MS", help="with this budget (default: what 1x was measured at)"
    )
    parser.add_argument("--intervals", action="store_true")
    parser.add_argument("--smoke", action="store_true", help="a few designs and visits")
    options = parser.parse_args(arguments)
    smoke = options.smoke
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "proof.csv" if smoke else options.output
        proof = Proof(find(options.platform), capacity_of("entropy"), options.budget, output.with_suffix(""), smoke)
        lines = random_part(proof, options.data, 2 if smoke else DESIGNS)
        write_rows(output, lines)
        base = next(one for one in lines if one.name == "1x")
        budget = base.predicted.seconds if smoke else base.measured.seconds
        found = found_part(proof, budget, options.data)
        write_rows(output, [*lines, *found])
        if options.intervals or smoke:
            intervals_part(proof, budget, options.data)
        if options.refine or smoke:
            at = budget if options.refine_at is None else options.refine_at / 1e3
            refined_part(proof, lines, at, options.data, options.refine or 1, 1 if smoke else BEST)
    return 0


if __name__ == "__main__":
    sys.exit(main())

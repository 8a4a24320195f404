"""Held-out accuracy of every shipped platform, as the tables of docs/accuracy.md.

    python benchmarks/accuracy.py                  print the tables (about four minutes)
    python benchmarks/accuracy.py --smoke          only the paper's platforms
    python benchmarks/accuracy.py --write FILE     replace what stands between the marks in FILE by the tables

Nothing is fitted to what a row tests: each says how its networks were held out.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from scipy.stats import kendalltau

from calibration import physics
from calibration.build_profiles import DATA, Entry, build, relations, samples_of, shipped
from calibration.dataset import read
from calibration.features import Features, features
from calibration.fit import Array, fit
from calibration.machines import machine_of
from calibration.report import Report
from calibration.validate import linear, plain
from costmodel import zoo
from costmodel.kernels import Kind
from costmodel.platforms import Platform
from costmodel.predictor import predict
from costmodel.writing import write_whole

BEGIN, END = "<!-- tables of benchmarks/accuracy.py -->", "<!-- end of the tables -->"
ARM, GPU = "snapdragon810-neon-fp32-1t", "gtx1080ti-cudnn7-fp32"
SEEDS = 8


@dataclass(frozen=True)
class Table:
    """A table with its title and what to know about it."""

    title: str
    note: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def markdown(self) -> str:
        lines = [self.header, tuple("---" for _ in self.header), *self.rows]
        return f"### {self.title}\n\n{self.note}\n\n" + "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def percent(share: float) -> str:
    return f"{100 * share:.1f} %"


@dataclass(frozen=True)
class Built:
    """A platform as it ships, with the report of its held-out error."""

    entry: Entry
    platform: Platform
    report: Report


def built(chosen: Callable[[Entry], bool]) -> list[Built]:
    result = []
    for entry in shipped():
        if chosen(entry):
            print(f"building {entry.identity.id}", file=sys.stderr)
            result.append(Built(entry, *build(entry)))
    return result


FIGURES = (
    "held-out error",
    "median",
    "within 5 %",
    "within 10 %",
    "Kendall's tau",
    "mult-adds only",
    "with memory access",
)


def figures(rows: Sequence[Built]) -> tuple[str, ...]:
    """Means over platforms."""
    every = [item.report.accuracy for item in rows]
    mean = {
        name: float(np.mean([getattr(accuracy, name) for accuracy in every]))
        for name in ("mape", "median", "within_5", "within_10", "tau", "baseline_mult_adds", "baseline_memory")
    }
    return tuple(f"{value:.3f}" if name == "tau" else percent(value) for name, value in mean.items())


def ncnn(rows: Sequence[Built]) -> Table:
    """One row a precision and number of threads, and the platforms with one thread."""
    groups: dict[tuple[str, int], list[Built]] = defaultdict(list)
    for item in rows:
        groups[item.entry.identity.precision, item.entry.identity.threads].append(item)
    lines = []
    for (precision, threads), items in sorted(groups.items(), key=lambda pair: (pair[0][1], pair[0][0])):
        word = "thread" if threads == 1 else "threads"
        lines.append((f"{precision}, {threads} {word}", str(len(items)), *figures(items)))
    return Table(
        "ncnn on ARM CPUs, strict",
        "Mean over platforms. Each network is predicted by a fit to the platform's other networks, which begins with "
        "general physics: no related platform has told anything of it.",
        ("platforms", "number", *FIGURES),
        tuple(lines),
    )


def new_devices() -> Table:
    """Few networks of a device of which nothing was seen; related platforms know the rest."""
    lines = []
    for precision in ("fp32", "fp16"):
        family = relations("ncnn", precision)
        without = {"iphone5s-ncnn-fp32-1t"} if precision == "fp32" else set()
        errors: dict[int, dict[str, float]] = {2: {}, 5: {}, 10: {}}
        for device in (relative for relative in family.relatives if relative.threads == 1):
            print(f"new device {device.id}", file=sys.stderr)
            learned = family.learn(device.date, 1, device.device)
            names = sorted(device.seconds)
            times = np.array([device.seconds[name] for name in names])
            work = np.array([family.amounts[name] for name in names])
            offsets = np.array([learned.offsets.get(name, 0.0) for name in names])
            for count, found in errors.items():
                tries = []
                for seed in range(SEEDS):
                    order = np.random.default_rng(seed).permutation(len(names))
                    seen, rest = order[:count], order[count:]
                    own = fit(work[seen], times[seen], learned.prior, offsets=offsets[seen])
                    tries.append(float(np.abs(own.predict(work[rest]) / times[rest] - 1).mean()))
                found[device.id] = float(np.mean(tries))
        for label, left_out in ((precision, set()), (f"{precision}, without the iPhone 5S", without)):
            if left_out or label == precision:
                means = [
                    percent(float(np.mean([error for id, error in found.items() if id not in left_out])))
                    for found in errors.values()
                ]
                lines.append((label, str(len(errors[2]) - len(left_out)), *means))
    return Table(
        "ncnn on a new device, 1 thread",
        f"No row of the device was seen, at any number of threads; 2, 5 or 10 of its networks, {SEEDS} random choices "
        "each, calibrate it, the others test. Mean over devices. An iPhone 5S has 1 GB of memory and runs VGG-16 (553 "
        "MB of weights) 3.5 times slower than its other networks say.",
        ("precision", "devices", "2 networks", "5 networks", "10 networks"),
        tuple(lines),
    )


def single(rows: Sequence[Built], title: str, note: str) -> Table:
    """One row a platform, with its own figures."""
    lines = [(item.platform.id, item.report.accuracy.method, *figures([item])) for item in rows]
    return Table(title, note, ("platform", "held out", *FIGURES), tuple(lines))


def micro_benchmarks(entry: Entry) -> Features:
    """The features of the rows of Tables 1-4."""
    identity = entry.identity
    machine = machine_of(identity.runtime, identity.precision, identity.processor)
    return features(samples_of(entry), identity.runtime, machine)


def table_8(rows: Sequence[Built]) -> Table:
    """Whole networks, by platforms that have seen the micro-benchmarks only."""
    tests = read(DATA / "paper_table8.csv").samples
    lines = []
    for item in rows:
        samples = [sample for sample in tests if sample.platform == item.platform.id]
        work = features(samples, item.platform.runtime, item.platform.machine)
        seconds = np.array([sample.latency for sample in samples])
        micro = micro_benchmarks(item.entry)
        times = np.array([sample.latency for sample in samples_of(item.entry)])
        graphs = [zoo.load(sample.network, batch=sample.batch) for sample in samples]
        latencies = [predict(graph, item.platform).latency for graph in graphs]
        predicted = np.array([latency.seconds for latency in latencies])
        held = sum(x.low <= t <= x.high for x, t in zip(latencies, seconds, strict=True))
        ones = np.ones((len(seconds), 1))
        seen = np.column_stack([np.ones(len(times)), micro.mult_adds])
        plane = np.column_stack([seen, micro.memory_access])
        line = np.column_stack([ones, work.mult_adds]) @ linear(seen, times)
        both = np.column_stack([ones, work.mult_adds, work.memory_access]) @ linear(plane, times)
        every = [
            (float(np.abs(p / seconds - 1).mean()), float(kendalltau(p, seconds).statistic))
            for p in (predicted, line, both)
        ]
        bias = float(np.median(predicted / seconds - 1))
        lines.append(
            (
                item.platform.id,
                str(len(samples)),
                *(f"{percent(error)}, tau {tau:.3f}" for error, tau in every),
                f"{100 * bias:+.0f} %",
                f"{held} of {len(seconds)}",
            )
        )
    return Table(
        "Table 8 from Tables 1-4",
        "The paper's whole networks, predicted by platforms that have seen its micro-benchmarks (none has a depthwise "
        "convolution) and, for the time that data take to reach the device, its Figure 2.",
        (
            "platform",
            "networks",
            "error",
            "mult-adds only",
            "with memory access",
            "median of predicted / measured - 1",
            "within 9-of-10 interval",
        ),
        tuple(lines),
    )


def whole_networks(rows: Sequence[Built]) -> Table:
    """Networks that a platform's sweep of stacks and other networks leaves out."""
    lines = []
    for item in rows:
        new = read(DATA / item.entry.file.replace(".csv", "_networks.csv")).samples
        seconds = np.array([sample.latency for sample in new])
        latencies = [predict(zoo.load(sample.network, batch=sample.batch), item.platform).latency for sample in new]
        held = sum(x.low <= t <= x.high for x, t in zip(latencies, seconds, strict=True))
        seen = samples_of(item.entry)
        old, held_out = (features(rows, item.platform.runtime, item.platform.machine) for rows in (seen, new))
        baselines = plain(old, np.array([sample.latency for sample in seen]), held_out)
        off = np.abs(np.array([latency.seconds for latency in latencies]) / seconds - 1)
        lines.append(
            (
                item.platform.id,
                str(len(new)),
                percent(float(off.mean())),
                percent(float(np.median(off))),
                percent(float((off <= 0.1).mean())),
                f"{kendalltau([latency.seconds for latency in latencies], seconds).statistic:.3f}",
                *(percent(float(np.abs(times / seconds - 1).mean())) for times in baselines),
                f"{held} of {len(new)}",
            )
        )
    return Table(
        "ONNX Runtime, whole networks from a sweep",
        "Five minutes of `costmodel measure`: stacks of layers, blocks, and 23 networks. The networks here, those of "
        "torchvision, and their families are not among them.",
        (
            "platform",
            "networks",
            "error",
            "median",
            "within 10 %",
            "tau",
            "mult-adds only",
            "with memory access",
            "in interval",
        ),
        tuple(lines),
    )


def nasbench() -> Table:
    """100 networks calibrate, 500 test."""
    lines = []
    wanted = (
        "cortexa76-tflite-fp32-1t", "adreno640-tflite-fp16", "adreno630-tflite-fp16", "1080ti-torch-fp32",
        "titanrtx-torch-fp32", "raspberrypi4-tflite-fp32",
    )  # fmt: skip
    for entry in (entry for entry in shipped() if entry.identity.id in wanted):
        print(f"NAS-Bench-201 on {entry.identity.id}", file=sys.stderr)
        samples = samples_of(entry)
        identity = entry.identity
        work = features(samples, identity.runtime, machine_of(identity.runtime, identity.precision, identity.processor))
        seconds = np.array([sample.latency for sample in samples])
        batches = np.array([sample.batch for sample in samples])
        names = sorted({sample.network for sample in samples})
        place = np.array([names.index(sample.network) for sample in samples])
        found: dict[int, list[tuple[float, float, float, float, float]]] = defaultdict(list)
        for seed in range(SEEDS):
            order = np.random.default_rng(seed).permutation(len(names))
            seen = np.isin(place, order[:100])
            own = fit(work.amounts[seen], seconds[seen], physics.prior(identity.processor))
            error = own.predict(work.amounts) / seconds - 1
            for batch in sorted(set(batches.tolist())):
                test, train = ~seen & (batches == batch), seen & (batches == batch)
                baselines = []
                for counts in ((work.mult_adds,), (work.mult_adds, work.memory_access)):
                    columns = np.column_stack([np.ones(len(seconds)), *counts])
                    line = columns @ linear(columns[train], seconds[train])
                    baselines.append(float(np.abs(line / seconds - 1)[test].mean()))
                e = error[test]
                found[batch].append(
                    (
                        float(np.sqrt((e**2).mean())),
                        float(np.abs(e).mean()),
                        float((np.abs(e) <= 0.1).mean()),
                        *baselines,
                    )
                )
        for batch, tries in found.items():
            rmspe, mape, within, line, plane = np.mean(tries, axis=0)
            floor = repeatability(work.amounts[batches == batch], seconds[batches == batch])
            name = identity.id if len(found) == 1 else f"{identity.id}, batch {batch}"
            lines.append((name, *map(percent, (rmspe, mape, within)), percent(line), percent(plane), percent(floor)))
    return Table(
        "NAS-Bench-201",
        f"100 networks calibrate, the other 500 test; mean of {SEEDS} random choices. The floor is the RMSPE of "
        "networks whose kernels are the same, around their mean: what no model of kernels is under, but for chance.",
        ("platform", "RMSPE", "mean error", "within 10 %", "mult-adds only", "with memory access", "floor"),
        tuple(lines),
    )


def repeatability(amounts: Array, seconds: Array) -> float:
    """The spread of samples with equal amounts, as a share of their mean."""
    same: dict[bytes, list[float]] = defaultdict(list)
    for row, time in zip(amounts, seconds, strict=True):
        same[row.tobytes()].append(float(time))
    squares = [
        len(times) / (len(times) - 1) * (time / np.mean(times) - 1) ** 2
        for times in same.values()
        if len(times) > 1
        for time in times
    ]
    return float(np.sqrt(np.mean(squares))) if squares else float("nan")


def orders(platforms: Sequence[Platform]) -> Table:
    """Whether each guideline's rows come in the paper's order."""
    stacks = {ARM: (32, 64, 64, 32), GPU: (128, 128, 128, 32)}
    lines = []
    for platform in platforms:
        c1, c2, c3, c4 = stacks[platform.id]
        rows = {
            "G1": [f"paper_g1,c1={a},c2={b}" for a, b in _ratios(c1)],
            "G2": [f"paper_g2,c={c},groups={g}" for c, g in _groups(c2, platform.id)],
            "G3 series": [f"paper_g3,c={round(c3 / n**0.5)},fragments={n},arrangement=series" for n in (1, 2, 4)],
            "G3 parallel": [f"paper_g3,c={round(c3 / n**0.5)},fragments={n},arrangement=parallel" for n in (1, 2, 4)],
            "G4": [f"paper_g4,c={c4}{x}" for x in (",relu=false,shortcut=false", ",relu=false", "", )],
        }  # fmt: skip
        for rule, networks in rows.items():
            times = [1e3 * predict(zoo.load(f"zoo:{network}"), platform).latency.seconds for network in networks]
            falls = all(a < b for a, b in pairwise(times))
            lines.append(
                (platform.id, rule, ", ".join(f"{time:.3g}" for time in times) + " ms", "yes" if falls else "no")
            )
    return Table(
        "The order of Tables 1-4",
        "Predicted times from the row that the guideline recommends to the one that breaks it most, at the paper's "
        "smallest channels.",
        ("platform", "guideline", "predicted", "the paper's order"),
        tuple(lines),
    )


def _ratios(c: int) -> list[tuple[int, int]]:
    return {32: [(32, 32), (22, 44), (13, 78), (9, 108)], 128: [(128, 128), (90, 180), (52, 312), (36, 432)]}[c]


def _groups(c: int, platform: str) -> list[tuple[int, int]]:
    if platform == ARM:
        return [(64, 1), (90, 2), (128, 4), (184, 8)]
    return [(128, 1), (180, 2), (256, 4), (360, 8)]


def shares(platforms: Sequence[Platform]) -> Table:
    """Figure 2: where the time goes."""
    with open(DATA / "figure2_shares.csv", encoding="utf-8", newline="") as file:
        printed = {(row["network"], row["platform"]): row for row in csv.DictReader(file)}
    lines = []
    for (network, id), row in printed.items():
        platform = next(platform for platform in platforms if platform.id == id)
        prediction = predict(zoo.load(network, batch=8 if id == GPU else 1), platform)
        time: dict[str, float] = defaultdict(float, data=prediction.fixed)
        for item in prediction.kernels:
            time[_PARTS.get(item.kernel.kind, "other")] += item.estimate.seconds
        cells = (
            f"{100 * time[part] / prediction.latency.seconds:.0f} % ({row[f'{part}_pct'] or 0} %)"
            for part in ("data", "conv", "shuffle", "elementwise", "other")
        )
        lines.append((network, id, *cells))
    return Table(
        "Figure 2: shares of the time",
        "Predicted, and in parentheses as read from the paper's figure, whose share of data sets the price of data. "
        "Convolutions have the activations that a runtime fuses into them.",
        ("network", "platform", "data", "convolutions", "shuffle and other copies", "element-wise", "other"),
        tuple(lines),
    )


_PARTS = {
    **dict.fromkeys((Kind.POINTWISE, Kind.SPATIAL, Kind.GROUPED, Kind.DEPTHWISE, Kind.DENSE), "conv"),
    Kind.MOVEMENT: "shuffle",
    Kind.ELEMENTWISE: "elementwise",
}


def tables(smoke: bool) -> Iterator[Table]:
    paper = built(lambda entry: entry.file == "paper_tables1to4.csv")
    yield single(paper, "The paper's platforms", "Tables 1-4, each row predicted by a fit to the others.")
    yield table_8(paper)
    yield orders([item.platform for item in paper])
    yield shares([item.platform for item in paper])
    if smoke:
        return
    yield ncnn(built(lambda entry: entry.identity.runtime == "ncnn"))
    yield new_devices()
    trt = built(lambda entry: entry.identity.runtime == "tensorrt")
    yield single(trt, "TensorRT, strict", "Batch 1, 4 and 8 in one platform; a network is out with all its batches.")
    onnxruntime = built(lambda entry: entry.identity.runtime == "onnxruntime")
    yield single(onnxruntime, "ONNX Runtime, strict", "Rows of a sweep, most of them stacks under a millisecond.")
    yield whole_networks(onnxruntime)
    blocks = built(lambda entry: entry.file == "tflite_mobile_blocks.csv")
    yield single(
        blocks, "TFLite, inverted residual blocks", "Single blocks, most of them under a millisecond to a few."
    )
    yield nasbench()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--smoke", action="store_true", help="only the paper's platforms")
    parser.add_argument("--write", metavar="FILE", help="replace the tables in a Markdown file")
    options = parser.parse_args()
    texts = []
    for table in tables(options.smoke):
        texts.append(table.markdown())
        print(texts[-1], flush=True)
    if options.write:
        path = Path(options.write)
        before, _, rest = path.read_text(encoding="utf-8").partition(BEGIN)
        _, _, after = rest.partition(END)
        write_whole(path, f"{before}{BEGIN}\n\n" + "\n".join(texts) + f"\n{END}{after}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

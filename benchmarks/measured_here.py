"""Whole networks predicted by a platform that was measured here: what calibration never saw, beside the clock.

    costmodel measure --backend onnxruntime --kernels --budget 10min -o here/sweep.csv
    costmodel measure --backend onnxruntime -o here/held_out.csv here/*.onnx      # of export_torchvision.py
    python benchmarks/measured_here.py here/sweep.csv here/held_out.csv
    python benchmarks/measured_here.py                                            # the shipped measurements

The platform is fitted to the first file alone, as `costmodel calibrate` does without relatives; where times of kernels
are beside it, also without them. Plain baselines are fitted to the same rows: a line through mult-adds, a plane through
mult-adds and memory access.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.stats import kendalltau

from calibration import physics
from calibration.calibrate import Identity, calibrate
from calibration.dataset import Sample, graph, read
from calibration.features import features
from calibration.fit import Array, fit
from calibration.machines import BLOCKS
from calibration.sweep import NETWORKS
from calibration.validate import Known, plain
from costmodel import zoo
from costmodel.platforms import Machine, Platform
from costmodel.predictor import predict

DRAWS = 20

DATA = Path(__file__).parents[1] / "calibration" / "data"


def fitted(samples: Sequence[Sample], runtime: str, blocks: int | None) -> Platform:
    """The platform of rows that were measured on one machine with one thread."""
    identity = Identity(f"here-{runtime}-fp32-1t", "this machine", runtime, "fp32", 1, "cpu", blocks=blocks)
    known = Known(physics.prior("cpu"))
    return calibrate(samples, identity, lambda out: known)[0]


def figures(name: str, predicted: Array, measured: Array) -> str:
    errors = np.abs(predicted / measured - 1)
    tau = kendalltau(predicted, measured).statistic
    return (
        f"{name:28} {100 * errors.mean():7.1f} % {100 * np.median(errors):8.1f} % "
        f"{100 * (errors <= 0.1).mean():12.0f} % {tau:7.3f}"
    )


def few(seen: Sequence[Sample], new: Sequence[Sample], machine: Machine) -> Iterator[str]:
    """Fits to a few of the sweep's whole networks, drawn anew each time, with their kernels and without."""
    whole = {zoo.load(reference).name for reference in NETWORKS}
    places = np.flatnonzero([sample.network in whole for sample in seen])
    measured = np.array([sample.latency for sample in new])
    work = features(new, "onnxruntime", machine).amounts
    for count in (2, 5, 10, 20):
        errors = []
        for seed in range(DRAWS):
            rows = np.sort(np.random.default_rng(seed).permutation(places)[:count])
            own = features([seen[row] for row in rows], "onnxruntime", machine)
            seconds = np.array([seen[row].latency for row in rows])
            fits = (fit(own.amounts, seconds, physics.prior("cpu"), parts=parts) for parts in (own.parts, None))
            errors.append([np.abs(one.predict(work) / measured - 1) for one in fits])
        table = np.array(errors)
        means, within = table.mean(axis=(0, 2)), (table <= 0.1).mean(axis=(0, 2))
        both = (f"{100 * mean:6.1f} % {100 * share:6.0f} %" for mean, share in zip(means, within, strict=True))
        yield f"{count:8}  {'   '.join(both)}"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Networks that calibration never saw, predicted and measured.")
    parser.add_argument("sweep", type=Path, nargs="?", default=DATA / "onnxruntime_epyc.csv", help="what to fit to")
    parser.add_argument(
        "held_out", type=Path, nargs="?", default=DATA / "onnxruntime_epyc_networks.csv", help="what to predict"
    )
    parser.add_argument("--smoke", action="store_true", help="the shipped measurements, as without files")
    parser.add_argument("--runtime", default="onnxruntime")
    parser.add_argument("--blocks", type=int, choices=BLOCKS, help="as of costmodel calibrate")
    parser.add_argument("--few", action="store_true", help="also fit to 2, 5, 10 and 20 networks of the sweep alone")
    options = parser.parse_args(arguments)
    seen, new = (read(path).samples for path in (options.sweep, options.held_out))
    platform = fitted(seen, options.runtime, options.blocks)
    latencies = [predict(graph(sample), platform).latency for sample in new]
    predicted, measured = (
        np.array(values)
        for values in zip(*((x.seconds, s.latency) for x, s in zip(latencies, new, strict=True)), strict=True)
    )
    print(f"{'network':44} {'measured ms':>11} {'predicted':>10} {'error':>8}  within its interval")
    for sample, latency in zip(new, latencies, strict=True):
        error = latency.seconds / sample.latency - 1
        inside = "yes" if latency.low <= sample.latency <= latency.high else "no"
        times = f"{sample.latency * 1e3:11.2f} {latency.seconds * 1e3:10.2f} {100 * error:+7.1f} %"
        print(f"{Path(sample.network).name:44} {times}  {inside}")
    print(f"\n{'':28} {'mean error':>9} {'median':>10} {'within 10 %':>14} {'tau':>7}")
    kernels = sum(len(sample.kernels) for sample in seen)
    print(figures(f"costmodel, {kernels} kernels" if kernels else "costmodel", predicted, measured))
    if kernels:
        alone = fitted([replace(sample, kernels=()) for sample in seen], options.runtime, options.blocks)
        seconds = np.array([predict(graph(sample), alone).latency.seconds for sample in new])
        print(figures("costmodel without kernels", seconds, measured))
    old, held = (features(samples, options.runtime, platform.machine) for samples in (seen, new))
    baselines = plain(old, np.array([sample.latency for sample in seen]), held)
    for name, seconds in zip(("mult-adds only", "with memory access"), baselines, strict=True):
        print(figures(name, seconds, measured))
    if options.few:
        print("\nfitted to a few whole networks of the sweep: mean error and share within 10 %")
        print("networks     with their kernels       without", *few(seen, new, platform.machine), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

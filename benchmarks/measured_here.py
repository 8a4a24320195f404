"""Whole networks predicted by a platform that was measured here: what calibration never saw, beside the clock.

    costmodel measure --backend onnxruntime --budget 10min -o here/sweep.csv
    costmodel measure --backend onnxruntime -o here/held_out.csv here/*.onnx      # of export_torchvision.py
    python benchmarks/measured_here.py here/sweep.csv here/held_out.csv
    python benchmarks/measured_here.py                                            # the shipped measurements

The platform is fitted to the first file alone, as `costmodel calibrate` does without relatives. Plain baselines are
fitted to the same rows: a line through mult-adds, a plane through mult-adds and memory access.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy.stats import kendalltau

from calibration import physics
from calibration.calibrate import Identity, calibrate
from calibration.dataset import Sample, graph, read
from calibration.features import features
from calibration.fit import Array
from calibration.machines import machine_of
from calibration.validate import Known, plain
from costmodel.platforms import Platform
from costmodel.predictor import predict

DATA = Path(__file__).parents[1] / "calibration" / "data"


def fitted(samples: Sequence[Sample], runtime: str) -> Platform:
    """The platform of rows that were measured on one machine with one thread."""
    identity = Identity(f"here-{runtime}-fp32-1t", "this machine", runtime, "fp32", 1, "cpu")
    known = Known(physics.prior("cpu"))
    return calibrate(samples, identity, lambda out: known)[0]


def figures(name: str, predicted: Array, measured: Array) -> str:
    errors = np.abs(predicted / measured - 1)
    tau = kendalltau(predicted, measured).statistic
    return (
        f"{name:28} {100 * errors.mean():7.1f} % {100 * np.median(errors):8.1f} % "
        f"{100 * (errors <= 0.1).mean():12.0f} % {tau:7.3f}"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Networks that calibration never saw, predicted and measured.")
    parser.add_argument("sweep", type=Path, nargs="?", default=DATA / "onnxruntime_epyc.csv", help="what to fit to")
    parser.add_argument(
        "held_out", type=Path, nargs="?", default=DATA / "onnxruntime_epyc_networks.csv", help="what to predict"
    )
    parser.add_argument("--smoke", action="store_true", help="the shipped measurements, as without files")
    parser.add_argument("--runtime", default="onnxruntime")
    options = parser.parse_args(arguments)
    seen, new = (read(path).samples for path in (options.sweep, options.held_out))
    platform = fitted(seen, options.runtime)
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
    print(figures("costmodel", predicted, measured))
    machine = machine_of(options.runtime, "fp32", "cpu")
    old, held = (features(samples, options.runtime, machine) for samples in (seen, new))
    baselines = plain(old, np.array([sample.latency for sample in seen]), held)
    for name, seconds in zip(("mult-adds only", "with memory access"), baselines, strict=True):
        print(figures(name, seconds, measured))
    return 0


if __name__ == "__main__":
    sys.exit(main())

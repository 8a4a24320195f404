"""How fast a calibration is: the fit alone, and with every network held out once, for the numbers of networks measured.

    python benchmarks/fit_speed.py
    python benchmarks/fit_speed.py --smoke        # 10 networks, once

Networks are four families at different resolutions; latencies follow from the general physics of
calibration/physics.py with 5 % noise. Building their graphs is counted apart. One core.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable

import numpy as np

from calibration import physics
from calibration.dataset import Sample
from calibration.features import features, typical
from calibration.fit import fit
from calibration.machines import machine_of
from calibration.validate import Known, held_out

COUNTS = (10, 50, 100)
FAMILIES = ("shufflenet_v2", "mobilenet_v2", "resnet18", "squeezenet1_1")
ROUNDS = 5


def networks(count: int) -> list[str]:
    return [f"zoo:{FAMILIES[i % len(FAMILIES)]},resolution={96 + 8 * (i // len(FAMILIES))}" for i in range(count)]


def median(run: Callable[[], object], rounds: int) -> float:
    """Seconds; one round more, of which nothing is kept, comes first."""
    seconds = []
    for _ in range(rounds + 1):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds[1:])


def line(count: int, rounds: int) -> str:
    machine, prior, names = machine_of("ncnn", "fp32", "cpu"), physics.prior("cpu"), networks(count)
    start = time.perf_counter()
    work = features([Sample(name, 1.0) for name in names], "ncnn", machine)
    graphs = time.perf_counter() - start
    reference = typical("ncnn", machine)
    noise = np.exp(np.random.default_rng(count).normal(0, 0.05, count))
    seconds = work.amounts @ np.exp(prior.mean) * 1e-10 * noise
    one = median(lambda: fit(work.amounts, seconds, prior), rounds)
    every = median(lambda: held_out(work, seconds, names, lambda out: Known(prior), reference), rounds)
    return f"{count:>8}" + "".join(f"{1e3 * figure:>9.1f} ms" for figure in (graphs, one, every))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--smoke", action="store_true", help="10 networks, once")
    smoke = parser.parse_args().smoke
    print(f"{'networks':>8}{'graphs':>12}{'one fit':>12}{'held out':>12}")
    for count in COUNTS[:1] if smoke else COUNTS:
        print(line(count, 1 if smoke else ROUNDS))
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""How fast designs are priced, and how fast the best of a space is proven.

    python benchmarks/search_speed.py
    python benchmarks/search_speed.py --smoke        # every part once, small

The default space under the paper's platforms; the floor of pricing is reading a table's row for each of a design's five
pieces. Budgets are the upper ends of the intervals of Table 5's widths. One core.
"""

from __future__ import annotations

import argparse
import sys
import time

import numpy as np
from turns import medians

from costmodel.platforms import find
from search.capacity import EFFECTIVENESS, capacity_of
from search.comparison import standards
from search.evaluate import Evaluator
from search.exact import exact, pareto
from search.limits import Limits
from search.space import default_space, parse_options

PLATFORMS = ("snapdragon810-neon-fp32-1t", "gtx1080ti-cudnn7-fp32")
LARGER = ("kernel=3,5", "se=true,false", "resolution=160:224:32")


def pricing(evaluator: Evaluator, count: int, rounds: int) -> None:
    """Populations of random designs."""
    population = evaluator.space.random(count, seed=0)
    table = evaluator.tables.stages[1]
    rows = table.reshape(-1, table.shape[-1])
    picked = np.random.default_rng(0).integers(0, len(rows), count)
    seconds = medians(
        {
            "five rows a design (floor)": lambda: [rows.take(picked, axis=0) for _ in range(5)],
            "counts, capacity, latencies": lambda: evaluator.evaluate(population),
        },
        rounds,
    )
    print(f"\n{count:,} random designs on {len(evaluator.platforms)} platforms (at least 500,000 designs/s)")
    for name, taken in seconds.items():
        print(f"  {name:30} {taken:7.3f} s {count / taken:14,.0f} designs/s")


def proving(evaluator: Evaluator) -> None:
    """The exact optimum at the latencies of Table 5's widths, on each platform and on both."""
    size = evaluator.space.size
    print(f"\nExact optimum of {size:.3g} designs, ten best (at most 10 s for 10^8)")
    for width, one in standards(evaluator).items():
        ends = {platform: latency.high for platform, latency in one.latency.items()}
        for budgets in (ends, *({platform: end} for platform, end in ends.items() if len(ends) > 1)):
            start = time.perf_counter()
            found = exact(evaluator, Limits(budgets, effectiveness=EFFECTIVENESS))
            taken = time.perf_counter() - start
            names = " and ".join(platform.partition("-")[0] for platform in budgets)
            print(f"  {width:g}x on {names:29} {taken:6.2f} s, {found.examined:9,} designs priced")


def fronts(evaluator: Evaluator) -> None:
    """The whole front of each platform."""
    print("\nThe whole Pareto front")
    for platform in evaluator.platforms:
        start = time.perf_counter()
        front = pareto(evaluator, platform.id, Limits(effectiveness=EFFECTIVENESS))
        print(f"  {platform.id:30} {time.perf_counter() - start:6.2f} s, {len(front):,} designs")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--smoke", action="store_true", help="every part once, small")
    parser.add_argument(
        "--larger", action="store_true", help="a space with kernels, squeeze-excite and resolutions too"
    )
    options = parser.parse_args()
    genes = {name: given for entry in LARGER if options.larger for name, given in parse_options(entry).items()}
    if options.smoke:
        genes |= parse_options("units=2,5") | parse_options("ratio=1/2")
    start = time.perf_counter()
    evaluator = Evaluator(default_space(options=genes), [find(name) for name in PLATFORMS], capacity_of("entropy"))
    print(f"Tables of {evaluator.space.size:.3g} designs: {time.perf_counter() - start:.2f} s")
    pricing(evaluator, 20_000 if options.smoke else 1_000_000, 1 if options.smoke else 5)
    proving(evaluator)
    fronts(evaluator)
    return 0


if __name__ == "__main__":
    sys.exit(main())

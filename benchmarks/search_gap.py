"""How near Optuna comes to the best design, which the exact engine proves.

python benchmarks/search_gap.py            1,000 trials, 3 seeds, 3 budgets: the table of docs/search-many-machines.md
python benchmarks/search_gap.py --tuning   at the budgets that the sampler's settings were chosen by
python benchmarks/search_gap.py --smoke    one budget, few trials

The space is the default one, the platforms are the paper's, and a budget is what ShuffleNet V2 of Table 5 takes at
the upper end of its interval, on both at once. "random": the best of as many random designs. "start": the best of the
trials that the engine begins with, Table 5's designs and the best of 200,000 random ones.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Sequence

import numpy as np

from costmodel.platforms import find
from search.capacity import EFFECTIVENESS, capacity_of
from search.design import standard
from search.evaluate import Evaluator
from search.exact import exact
from search.limits import Limits
from search.optuna_engine import optuna_search
from search.sampling import first_trials, population
from search.space import Population, default_space

PLATFORMS = ("snapdragon810-neon-fp32-1t", "gtx1080ti-cudnn7-fp32")
WIDTHS = (0.5, 1.0, 1.5)
SEEDS = (1, 2, 3)
TRIALS = 1000


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="How near Optuna comes to the proven best design.")
    parser.add_argument("--trials", type=int, default=TRIALS)
    parser.add_argument("--sampler", default="tpe")
    parser.add_argument("--seeds", type=int, nargs="+", default=list(SEEDS))
    parser.add_argument("--tuning", action="store_true", help="budgets between those of Table 5's designs")
    parser.add_argument("--smoke", action="store_true", help="one budget, one seed, 60 trials")
    options = parser.parse_args(arguments)
    trials, seeds = (60, options.seeds[:1]) if options.smoke else (options.trials, options.seeds)
    evaluator = Evaluator(default_space(), [find(name) for name in PLATFORMS], capacity_of("entropy"))
    print(f"{trials} trials of {options.sampler} in a space of {evaluator.space.size:.2g} designs; entropy index")
    print("    budget  optimum     s  seed    found    gap     s  random  start")
    worst = 0.0
    for name, limits in _budgets(evaluator, options.tuning)[: 1 if options.smoke else None]:
        began = time.perf_counter()
        best = exact(evaluator, limits, top=1).best[0].capacity
        shown = f"{name:>10} {best:8.1f} {time.perf_counter() - began:5.1f}"
        for seed in seeds:
            began = time.perf_counter()
            found = optuna_search(evaluator, limits, trials=trials, seed=seed, sampler=options.sampler)
            seconds = time.perf_counter() - began
            capacity = found.best[0].capacity
            random = _best(evaluator, limits, evaluator.space.random(trials, seed))
            start = _best(evaluator, limits, population(evaluator.space, first_trials(evaluator, limits, seed)))
            worst = max(worst, 1 - capacity / best)
            gaps = [f"{1 - each / best:.2%}" if each else "none" for each in (capacity, random, start)]
            print(f"{shown} {seed:5} {capacity:8.1f} {gaps[0]:>6} {seconds:5.1f} {gaps[1]:>7} {gaps[2]:>6}", flush=True)
            shown = " " * len(shown)
    print(f"largest gap: {worst:.2%}")
    return 0


def _budgets(evaluator: Evaluator, between: bool) -> list[tuple[str, Limits]]:
    widths = (*WIDTHS, 2.0)
    ends = [_upper_ends(evaluator, width) for width in widths]
    if not between:
        return [(f"{w:g}x", _limits(end)) for w, end in zip(WIDTHS, ends, strict=False)]
    return [
        (f"{widths[i]:g}x-{widths[i + 1]:g}x", _limits({p: math.sqrt(ends[i][p] * ends[i + 1][p]) for p in PLATFORMS}))
        for i in range(len(WIDTHS))
    ]


def _upper_ends(evaluator: Evaluator, width: float) -> dict[str, float]:
    row = evaluator.space.row(standard(width))
    assert row is not None
    latency = evaluator.costs(row[None]).latency
    return {name: float(latency[name].high[0]) for name in PLATFORMS}


def _limits(budgets: dict[str, float]) -> Limits:
    return Limits(budgets, effectiveness=EFFECTIVENESS)


def _best(evaluator: Evaluator, limits: Limits, designs: Population) -> float:
    costs = evaluator.evaluate(designs)
    kept = np.all([excess <= 0.0 for excess in limits.excesses(costs).values()], axis=0)
    return float(costs.capacity[kept].max(initial=0.0))


if __name__ == "__main__":
    sys.exit(main())

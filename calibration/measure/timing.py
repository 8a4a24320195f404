"""What to run next, and for how long: interleaved rounds over all networks, in random order, within a budget.

Nothing here knows a runtime or the real clock; tests give it a made-up one.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from calibration.measure.profile import Profile, chosen
from calibration.measure.visits import Visit, by_item, measured, usual_reference

Run = Callable[[], None]
Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Rules:
    """How much is measured.

    visits: undisturbed ones that a network gets at least. most: visits to one network, disturbed ones included.
    noisy: spread above which a network is visited again. Seconds: warm_up, before a visit's runs are timed, once at
    least; timed, that they fill together, with fewest runs at least and long_runs where one takes long_run; and
    reference, that the reference workload fills. profiles: of one network, until one is undisturbed; profiled: seconds
    that its runs fill together, with fewest and most runs in profiled_runs.
    """

    visits: int = 7
    most: int = 20
    noisy: float = 0.03
    warm_up: float = 0.01
    timed: float = 0.04
    fewest: int = 5
    long_run: float = 0.05
    long_runs: int = 3
    reference: float = 0.01
    profiles: int = 3
    profiled: float = 0.15
    profiled_runs: tuple[int, int] = (8, 60)


RULES = Rules()


def fastest(run: Run, clock: Clock, rules: Rules) -> tuple[float, int]:
    """The seconds of the fastest run, and how many were timed, after a warm-up."""
    start = clock()
    run()
    while clock() - start < rules.warm_up:
        run()
    best, runs, start = float("inf"), 0, clock()
    while True:
        begin = clock()
        run()
        end = clock()
        best, runs = min(best, end - begin), runs + 1
        if runs >= (rules.long_runs if best >= rules.long_run else rules.fewest) and end - start >= rules.timed:
            return best, runs


def mean(run: Run, clock: Clock, rules: Rules) -> float:
    """Mean seconds of the reference workload: what interrupts it is what it is run for."""
    run()
    runs, start = 0, clock()
    while (passed := clock() - start) < rules.reference:
        run()
        runs += 1
    return passed / runs


def wanting(items: Sequence[str], visits: Sequence[Visit], rules: Rules) -> Mapping[str, int]:
    """The networks that are to be visited again, with how often as far as is known now."""
    usual, seen = usual_reference(visits), by_item(visits)
    wants = {}
    for item in items:
        own = seen.get(item, [])
        known = measured(own, usual) if own else None
        calm = len(own) - known.disturbed if known else 0
        more = rules.visits - calm
        if more <= 0 and known and known.spread > rules.noisy:
            more = 1
        if (more := min(more, rules.most - len(own))) > 0:
            wants[item] = more
    return wants


def next_round(items: Sequence[str], visits: Sequence[Visit], rules: Rules, seed: int) -> list[str]:
    """The networks to visit next, each once, in a random order; none when all is known well enough.

    Those with the fewest visits: so a round that was cut short goes on where it stopped, as its order hangs on the
    seed and on the number of visits only.
    """
    wants, seen = wanting(items, visits, rules), by_item(visits)
    counts = {item: len(seen.get(item, ())) for item in items}
    level = min((counts[item] for item in wants), default=0)
    order = list(items)
    random.Random(f"{seed} {level}").shuffle(order)
    return [item for item in order if item in wants and counts[item] == level]


def unprofiled(items: Sequence[str], visits: Sequence[Visit], profiles: Sequence[Profile], rules: Rules) -> list[str]:
    """The networks that have been visited and are still to be profiled, in the order of the items."""
    usual, seen, tried = usual_reference(visits), by_item(visits), by_item(profiles)

    def is_settled(own: Sequence[Profile]) -> bool:
        cannot_be = any(not profile.count for profile in own)
        return cannot_be or len(own) >= rules.profiles or chosen(own, usual) is not None

    return [item for item in items if item in seen and not is_settled(tried.get(item, ()))]


def runs_to_profile(latency: float, rules: Rules) -> int:
    """How many runs of a network that takes `latency` seconds are profiled."""
    fewest, most = rules.profiled_runs
    return min(max(math.ceil(rules.profiled / latency), fewest), most)


def seconds_to_go(items: Sequence[str], visits: Sequence[Visit], rules: Rules, budget: float) -> float:
    """An estimate of what is still to be spent: never more than what is left of the budget, in seconds."""
    spent = sum(visit.took for visit in visits)
    left = max(0.0, budget - spent)
    if not visits:
        return left
    seen, typical = by_item(visits), spent / len(visits)
    need = sum(
        more * (seen[item][-1].took if item in seen else typical)
        for item, more in wanting(items, visits, rules).items()
    )
    return min(need, left)

"""Optuna finds nearly what is proven best, keeps what has to be kept, and gives the same for the same seed."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from costmodel.errors import UsageError
from costmodel.platforms import find
from search.capacity import EFFECTIVENESS, Capacity, capacity_of
from search.design import WIDTHS, Design, standard
from search.evaluate import Evaluator
from search.limits import Limits
from search.optuna_engine import optuna_search
from search.result import Result
from search.space import Population, Space, default_space, parse_options

PHONE, GPU = "snapdragon810-neon-fp32-1t", "gtx1080ti-cudnn7-fp32"
FEW = ("channels2=48,64,116", "channels3=96,160,232,320", "channels4=192,320,464,640", "units=2,4,8", "stem=24")


def space(*more: str) -> Space:
    texts = (*FEW, "head=1024", *more)
    return default_space(options={name: options for text in texts for name, options in parse_options(text).items()})


@pytest.fixture(scope="module")
def evaluator() -> Evaluator:
    return Evaluator(space(), [find(PHONE), find(GPU)], capacity_of("entropy"))


@pytest.fixture(scope="module")
def wide() -> Evaluator:
    return Evaluator(default_space(), [find(PHONE), find(GPU)], capacity_of("entropy"))


def budgets(evaluator: Evaluator, width: float = 1.0) -> Limits:
    """What a design of Table 5 takes, at the upper ends."""
    row = evaluator.space.row(standard(width))
    assert row is not None
    latency = evaluator.costs(row[None]).latency
    return Limits({name: float(estimate.high[0]) for name, estimate in latency.items()}, effectiveness=EFFECTIVENESS)


def every_design(space: Space) -> Population:
    return np.array(list(product(*(range(count) for count in space.shape))), np.intp)


def kept(evaluator: Evaluator, limits: Limits, designs: list[Design]) -> bool:
    rows = [evaluator.space.row(design) for design in designs]
    excesses = limits.excesses(evaluator.costs(np.array(rows)))
    return all(bool(np.all(excess <= 0.0)) for excess in excesses.values())


def designs(result: Result) -> list[Design]:
    return [candidate.design for candidate in result.best]


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_it_comes_within_one_percent_of_the_best_of_all_designs(evaluator: Evaluator, seed: int) -> None:
    limits = budgets(evaluator)
    population = every_design(evaluator.space)
    costs = evaluator.evaluate(population)
    keeping = np.all([excess <= 0.0 for excess in limits.excesses(costs).values()], axis=0)
    best = costs.capacity[keeping].max()
    assert 0.99 * best <= optuna_search(evaluator, limits, trials=200, seed=seed).best[0].capacity <= best


def test_trials_improve_on_what_it_begins_with(wide: Evaluator) -> None:
    found = optuna_search(wide, budgets(wide, 0.5), trials=120, seed=1)
    first = max(step.capacity for step in found.history if step.examined <= 24)
    assert found.best[0].capacity > 1.01 * first


@pytest.mark.parametrize("sampler", ["tpe", "nsga2"])
def test_equal_seeds_give_equal_results_and_others_do_not(wide: Evaluator, sampler: str) -> None:
    limits = budgets(wide)
    first, again, other = (optuna_search(wide, limits, trials=60, seed=seed, sampler=sampler) for seed in (1, 1, 2))
    assert first == again
    assert first.best != other.best


@pytest.mark.parametrize("sampler", ["tpe", "nsga2"])
def test_the_best_keep_all_limits_are_distinct_and_ordered(evaluator: Evaluator, sampler: str) -> None:
    limits = replace(budgets(evaluator), max_params=2_000_000, max_mult_adds=120_000_000)
    found = optuna_search(evaluator, limits, trials=80, seed=1, sampler=sampler, top=7)
    assert len(found.best) == 7 == len(set(designs(found)))
    assert kept(evaluator, limits, designs(found))
    capacities = [candidate.capacity for candidate in found.best]
    assert capacities == sorted(capacities, reverse=True)
    best = found.best[0]
    assert best.params == best.design.graph().cost.params
    assert best.mult_adds == best.design.graph().cost.mult_adds
    assert not found.proven
    assert found.examined == 80


def test_history_is_the_best_so_far(evaluator: Evaluator) -> None:
    seen: list[tuple[int, float | None]] = []
    found = optuna_search(evaluator, budgets(evaluator), trials=60, seed=1, progress=lambda *now: seen.append(now))
    capacities = [step.capacity for step in found.history]
    assert capacities == sorted(set(capacities))
    assert capacities[-1] == found.best[0].capacity
    assert [done for done, _ in seen] == [20, 40, 60]
    for done, best in seen:
        assert best == max(step.capacity for step in found.history if step.examined <= done)


def test_it_begins_with_the_published_designs_that_are_in_the_space(evaluator: Evaluator) -> None:
    from search.sampling import first_trials, population

    first = evaluator.space.designs(population(evaluator.space, first_trials(evaluator, budgets(evaluator), 1)))
    inside = [standard(width) for width in WIDTHS if evaluator.space.row(standard(width)) is not None]
    assert 0 < len(inside) < len(WIDTHS)
    assert first[: len(inside)] == inside
    assert len(first) == len(set(first)) == len(inside) + 20
    assert kept(evaluator, budgets(evaluator), first[len(inside) :])


def test_a_space_of_one_design_is_searched(evaluator: Evaluator) -> None:
    one = ("channels2=116", "channels3=232", "channels4=464", "units2=4", "units3=8", "units4=4", "ratio=1/2")
    alone = Evaluator(space(*one), evaluator.platforms, evaluator.capacity)
    assert designs(optuna_search(alone, Limits(), trials=3, seed=1)) == [standard(1.0)]


def test_without_limits_the_largest_is_best(evaluator: Evaluator) -> None:
    unlimited = optuna_search(evaluator, Limits(), trials=100, seed=1)
    assert unlimited.best[0].design.stages[2].channels == 640


def test_what_nothing_keeps_is_an_error_that_says_by_how_much(evaluator: Evaluator) -> None:
    with pytest.raises(UsageError, match=f"none of 30 trials keeps all limits; .* {PHONE} by"):
        optuna_search(evaluator, Limits({PHONE: 1e-6, GPU: 1.0}), trials=30, seed=1)


@pytest.mark.parametrize("sampler", ["tpe", "nsga2"])
def test_the_front_is_what_no_other_trial_beats(evaluator: Evaluator, sampler: str) -> None:
    limits = budgets(evaluator)
    found = optuna_search(evaluator, limits, trials=120, seed=1, sampler=sampler, pareto=True, top=120)
    points = [
        (-candidate.capacity, *(estimate.seconds for estimate in candidate.latency.values()))
        for candidate in (*found.front, *found.best)
    ]
    for own in points[: len(found.front)]:
        assert not any(other != own and all(a <= b for a, b in zip(other, own, strict=True)) for other in points)
    seconds = [candidate.latency[PHONE].seconds for candidate in found.front]
    assert seconds == sorted(seconds)
    assert found.best[0] in found.front
    assert len(found.front) > 5
    assert kept(evaluator, limits, [candidate.design for candidate in found.front])


def test_a_condition_is_kept_and_asked_only_of_designs_that_keep_the_rest(evaluator: Evaluator) -> None:
    limits, asked = budgets(evaluator, 0.5), []

    def halves(design: Design) -> float:
        asked.append(design)
        return max(abs(stage.ratio - 0.5) for stage in design.stages)

    found = optuna_search(evaluator, limits, trials=100, seed=1, require=halves)
    assert all(stage.branch * 2 == stage.channels for design in designs(found) for stage in design.stages)
    assert kept(evaluator, limits, asked)
    assert len(asked) < 100


def test_measured_latency_replaces_the_predicted_one_of_its_platform(evaluator: Evaluator) -> None:
    """The clock says that designs with the units of the best one break the budget, whatever was predicted."""
    limits = budgets(evaluator)
    slow = designs(optuna_search(evaluator, limits, trials=40, seed=1))[0].stages[2].units

    def clock(design: Design) -> float:
        return 1.0 if design.stages[2].units == slow else 1e-4 * design.stages[2].units

    found = optuna_search(evaluator, limits, trials=40, seed=1, measure=clock, measured_platform=GPU)
    for candidate in found.best:
        assert candidate.design.stages[2].units != slow
        estimate = candidate.latency[GPU]
        assert estimate.seconds == estimate.low == estimate.high == clock(candidate.design)
        assert candidate.latency[PHONE].high <= limits.budgets[PHONE]


def test_a_design_that_cannot_be_measured_fails_its_trial_and_is_named(evaluator: Evaluator) -> None:
    said: list[str] = []

    def clock(design: Design) -> float:
        if design.stages[0].units == 4:
            raise RuntimeError("no room\non the device")
        return 1e-3 if design.stages[0].units == 2 else float("nan")

    found = optuna_search(
        evaluator, budgets(evaluator), trials=40, seed=1, measure=clock, measured_platform=GPU, notice=said.append
    )
    assert {design.stages[0].units for design in designs(found)} == {2}
    assert any("zoo:shufflenet_v2_design" in line and "RuntimeError: no room on the device" in line for line in said)
    assert found.examined + len(said) == 40


def test_where_nothing_can_be_measured_the_last_error_is_told(evaluator: Evaluator) -> None:
    def clock(design: Design) -> float:
        raise RuntimeError("no device")

    with pytest.raises(UsageError, match=r"none of .* trials .*"):
        optuna_search(evaluator, Limits({GPU: 1.0}), trials=5, seed=1, measure=clock, measured_platform=GPU)


def test_a_capacity_of_one_s_own_is_asked_once_for_each_trial_that_keeps_the_limits(evaluator: Evaluator) -> None:
    asked: list[Design] = []

    def score(given: list[Design]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        asked.extend(given)
        return np.array([float(design.stages[2].channels - design.stages[0].channels) for design in given])

    own = Capacity("mine:score", "", "", None, lambda total: total, score)
    limits = budgets(evaluator, 0.5)
    mine = Evaluator(evaluator.space, evaluator.platforms, own)
    asked.clear()
    found = optuna_search(mine, limits, trials=40, seed=1)
    assert kept(evaluator, limits, asked)
    assert 5 < len(asked) <= 40
    best = found.best[0]
    assert best.capacity == max(design.stages[2].channels - design.stages[0].channels for design in asked)
    assert best.capacity == best.design.stages[2].channels - best.design.stages[0].channels


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"trials": 0}, "trials is 0"),
        ({"workers": 0}, "workers is 0"),
        ({"seed": -1}, "seed is -1"),
        ({"sampler": "cmaes"}, "there is no sampler 'cmaes'; there are tpe, nsga2"),
        ({"measure": lambda design: 1.0, "measured_platform": "other"}, "the measured platform is other"),
    ],
)
def test_bad_options_say_what_there_is(evaluator: Evaluator, options: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        optuna_search(evaluator, Limits(), **{"trials": 5, "seed": 1, **options})  # type: ignore[arg-type]


def test_the_user_s_logging_is_left_as_it_was(evaluator: Evaluator, capfd: pytest.CaptureFixture[str]) -> None:
    import optuna

    before = optuna.logging.get_verbosity()
    optuna_search(evaluator, Limits(), trials=25, seed=1)
    assert optuna.logging.get_verbosity() == before
    assert capfd.readouterr() == ("", "")


def test_importing_the_engine_does_not_import_optuna() -> None:
    code = "import sys, search.optuna_engine; sys.exit('optuna' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_parameters_stand_for_every_design(evaluator: Evaluator, wide: Evaluator) -> None:
    from search.sampling import distributions, parameters, population

    for space in (evaluator.space, wide.space):
        rows = space.random(2000, 1)
        params = parameters(space, rows)
        assert np.array_equal(population(space, params), rows)
        free = distributions(space)
        for one in params:
            assert one.keys() == free.keys()
            assert all(0 <= number <= free[name].high for name, number in one.items())  # type: ignore[attr-defined]

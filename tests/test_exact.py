"""The exact engine: what it finds is the best of the space, by pricing all of it."""

from dataclasses import replace

import numpy as np
import pytest

from costmodel.errors import UsageError
from costmodel.platforms import Doubt, Stretch, find
from search.capacity import capacity_of
from search.evaluate import Evaluator
from search.exact import exact, fastest, pareto, smallest
from search.limits import Limits
from search.relaxation import relaxed
from search.space import default_space, parse_options
from search.tables import MULT_ADDS, PARAMS

ARM, GPU = "snapdragon810-neon-fp32-1t", "gtx1080ti-cudnn7-fp32"
SMALL = (
    "channels2=48,96,116",
    "channels3=96,232,300",
    "channels4=192,464,700",
    "units=1,2,5",
    "stem=24,32",
    "head=512,1024",
)


def small_space(*options):
    genes = {}
    for option in (*SMALL, *options):
        genes |= parse_options(option)
    return default_space(options=genes)


def everything(space):
    return np.column_stack(np.unravel_index(np.arange(space.size), space.shape))


@pytest.fixture(scope="module")
def evaluator():
    platforms = [find(name) for name in (ARM, GPU)]
    # an exponent and a range that some designs leave on either side
    platforms[0] = replace(platforms[0], stretch=Stretch(0.08, 0.02, 0.012, 0.04))
    platforms[1] = replace(platforms[1], stretch=Stretch())
    return Evaluator(small_space(), platforms, capacity_of("entropy"))


@pytest.fixture(scope="module")
def priced(evaluator):
    return evaluator.evaluate(everything(evaluator.space))


LIMITS = {
    "none": {},
    "ARM": {"budgets": {ARM: 0.4}},
    "GPU": {"budgets": {GPU: 0.3}},
    "both": {"budgets": {ARM: 0.4, GPU: 0.4}},
    "tight": {"budgets": {ARM: 0.02, GPU: 0.5}},
    "params": {"budgets": {ARM: 0.6}, "max_params": 2_000_000},
    "mult-adds": {"max_mult_adds": 100_000_000},
    "effectiveness": {"budgets": {ARM: 0.5}, "effectiveness": 0.35},
    "all": {
        "budgets": {ARM: 0.5, GPU: 0.5},
        "max_params": 2_500_000,
        "max_mult_adds": 200_000_000,
        "effectiveness": 0.5,
    },
}


@pytest.mark.parametrize("name", LIMITS)
def test_it_finds_the_best_of_all_designs(evaluator, priced, name):
    """Budgets are quantiles of what the space holds; the ten best are compared, not only the first."""
    given = LIMITS[name]
    budgets = {one: float(np.quantile(priced.latency[one].high, q)) for one, q in given.get("budgets", {}).items()}
    limits = Limits(**{**given, "budgets": budgets})
    kept = np.all([excess <= 0 for excess in limits.excesses(priced).values()] or [priced.params > 0], axis=0)
    wanted = np.unique(np.round(priced.capacity[kept], 9))[::-1][:10]
    found = exact(evaluator, limits, top=10)
    assert found.proven
    assert [candidate.capacity for candidate in found.best[:1]] == pytest.approx(wanted[:1], rel=1e-12)
    assert min(candidate.capacity for candidate in found.best) >= wanted[-1] - 1e-6
    assert len({candidate.design for candidate in found.best}) == len(found.best) == 10
    for candidate in found.best:
        assert all(candidate.latency[one].high <= budget for one, budget in budgets.items())
    assert name == "none" or found.examined < evaluator.space.size


@pytest.mark.parametrize("exponent", [-0.9, -0.3, 0.0, 0.5, 2.0])
@pytest.mark.parametrize(
    "doubt",
    [Doubt(0.0, {}, {0.95: 3.0}), Doubt(0.3, {"pointwise": 5.0, "depthwise": 0.0}, {0.95: 2.0})],
    ids=["unknown kinds", "wide"],
)
def test_it_finds_the_best_however_a_platform_stretches_and_doubts(exponent, doubt):
    """Large doubts give a tangent prices below 0; below 0, too, an exponent may be."""
    stretch = Stretch(exponent, 0.01, 0.012, 0.03)
    platforms = [replace(find(ARM), stretch=stretch, doubt=doubt), replace(find(GPU), doubt=doubt)]
    space = small_space("units=1,4", "head=1024", "ratio=1/8,1/2,7/8", "residual=true,false")
    evaluator = Evaluator(space, platforms, capacity_of("entropy"), coverage=0.95)
    evaluation = evaluator.evaluate(everything(space))
    for quantile in (0.003, 0.1, 0.6):
        limits = Limits({one: float(np.quantile(evaluation.latency[one].high, quantile)) for one in (ARM, GPU)})
        kept = np.all([excess <= 0 for excess in limits.excesses(evaluation).values()], axis=0)
        best = exact(evaluator, limits, top=1).best
        assert [one.capacity for one in best] == pytest.approx([evaluation.capacity[kept].max()] if kept.any() else [])


def test_nothing_is_found_where_nothing_keeps_the_limits(evaluator):
    found = exact(evaluator, Limits({ARM: 1e-6}))
    assert (found.best, found.proven) == ((), True)


def test_a_linear_bound_is_never_above_what_a_design_costs(evaluator, priced):
    """Every design that keeps its budgets keeps the relaxed ones, wherever the tangent is taken."""
    population = everything(evaluator.space)
    rows = evaluator.rows(population)[0]
    for quantile in (0.01, 0.1, 0.5, 0.9, 0.99):
        budgets = {one: float(np.quantile(priced.latency[one].high, quantile)) for one in (ARM, GPU)}
        for at in rows[[0, len(rows) // 2, -1]]:
            linear = relaxed(evaluator, Limits(budgets), at)
            for weights, budget, one in zip(linear.weights, linear.budgets, budgets, strict=True):
                kept = priced.latency[one].high <= budgets[one]
                assert kept.any()
                assert (rows[kept] @ weights).max() <= budget


def test_a_linear_bound_is_tight_where_it_is_taken(evaluator, priced):
    rows = evaluator.rows(everything(evaluator.space))[0]
    number = len(rows) // 3
    budget = float(priced.latency[GPU].high[number])
    linear = relaxed(evaluator, Limits({GPU: budget}), rows[number])
    assert rows[number] @ linear.weights[0] == pytest.approx(1.0, rel=1e-9)


def test_a_condition_is_asked_in_the_order_of_capacity(evaluator):
    limits = Limits(max_mult_adds=150_000_000)
    refused = {candidate.design for candidate in exact(evaluator, limits, top=5).best[:3]}
    wanted = exact(evaluator, limits, top=5).best[3:]
    found = exact(evaluator, limits, top=2, accept=lambda design: design not in refused)
    assert found.best == wanted


def test_the_fastest_design_is_the_fastest_of_all(evaluator, priced):
    for one in (ARM, GPU):
        population = fastest(evaluator, one, Limits())
        found = evaluator.evaluate(population).latency[one].seconds[0]
        assert found == pytest.approx(priced.latency[one].seconds.min(), rel=1e-12)
    assert fastest(evaluator, ARM, Limits(effectiveness=1e-6)) is None


def test_the_smallest_design_is_the_smallest_of_all(evaluator, priced):
    for column, name in ((PARAMS, "params"), (MULT_ADDS, "mult_adds")):
        found = evaluator.evaluate(smallest(evaluator, column, Limits()))
        assert getattr(found, name)[0] == getattr(priced, name).min()
    assert smallest(evaluator, PARAMS, Limits(effectiveness=1e-6)) is None


def test_the_front_is_the_front_of_all_designs(evaluator, priced):
    for one in (ARM, GPU):
        front = evaluator.evaluate(pareto(evaluator, one, Limits()))
        order = np.lexsort((-priced.capacity, priced.latency[one].seconds))
        best, wanted = -np.inf, []
        for number in order:
            if priced.capacity[number] > best + 1e-9 * abs(best if np.isfinite(best) else 0.0):
                best = priced.capacity[number]
                wanted.append((priced.latency[one].seconds[number], best))
        assert list(zip(front.latency[one].seconds, front.capacity, strict=True)) == [pytest.approx(w) for w in wanted]


def test_a_capacity_that_is_no_sum_is_asked_of_all_designs_that_keep_the_limits(tmp_path, monkeypatch):
    asked = []

    def widest(design):
        asked.append(design)
        return float(min(stage.channels / (1 + stage.units) for stage in design.stages))

    space = small_space("ratio=7/16,1/2", "units=1,2", "head=1024", "stem=24")  # the same channels of some branches
    capacity = replace(
        capacity_of("params"), name="mine", amount=None, score=lambda designs: np.array([widest(d) for d in designs])
    )
    evaluator = Evaluator(space, [find(ARM)], capacity)
    limits = Limits(max_params=1_500_000)
    found = exact(evaluator, limits, top=3)
    evaluation = evaluator.costs(everything(space))
    kept = evaluation.params <= 1_500_000
    assert len(asked) == len(set(asked)) <= kept.sum()
    assert len(found.best) == 3
    assert found.best[0].capacity == max(widest(d) for d in space.designs(everything(space)[kept]))
    large = Evaluator(default_space(), [find(ARM)], capacity)
    with pytest.raises(UsageError, match=r"mine: .* too many to ask it of all"):
        exact(large, limits)

"""Held-out figures: what is predicted was not seen, and every figure worked out by hand."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pytest
from scipy.stats import binom, norm
from synthetic import MACHINE, PHYSICS, REFERENCE, RUNTIME, SEEN, UNSEEN, noisy, truth, work

from calibration.calibrate import Identity, calibrate
from calibration.dataset import Sample
from calibration.features import Features, features
from calibration.fit import Array, Fit, fit
from calibration.validate import (
    COVERAGES,
    ENOUGH,
    MOST_FOLDS,
    HeldOut,
    Known,
    accuracy,
    doubt,
    folds,
    held_out,
    linear,
    quantile,
)
from costmodel import zoo
from costmodel.platforms import Platform
from costmodel.predictor import predict
from costmodel.predictor.predict import doubt_of

NETWORKS = SEEN[::3]
FEATURES = work(NETWORKS)
SECONDS = noisy(FEATURES.amounts @ truth(1), 0.05, 1)


def predicted(seconds: Array, groups: Sequence[str] = NETWORKS, rows: Features = FEATURES) -> HeldOut:
    return held_out(rows, seconds, groups, lambda out: Known(PHYSICS), REFERENCE)


def held(
    seconds: Sequence[float], predictions: Sequence[float], line: Sequence[float], plane: Sequence[float]
) -> HeldOut:
    columns = (np.array(column, float) for column in (seconds, predictions, [1.0] * len(seconds), line, plane))
    return HeldOut(*columns, "by hand")


# What a fit does not see


def test_a_poisoned_latency_does_not_reach_its_own_prediction() -> None:
    clean = predicted(SECONDS)
    for row in range(len(NETWORKS)):
        poisoned = SECONDS.copy()
        poisoned[row] *= 100
        found = predicted(poisoned)
        for name in ("predicted", "doubts", "mult_adds_only", "with_memory"):
            assert getattr(found, name)[row] == pytest.approx(getattr(clean, name)[row], rel=1e-9)
        others = np.arange(len(NETWORKS)) != row
        assert (found.with_memory[others] != clean.with_memory[others]).any()  # which do see it
        assert (found.predicted[others] != clean.predicted[others]).any()


def test_a_network_is_out_with_all_its_batches() -> None:
    samples = [Sample(name, 1.0, batch) for name in NETWORKS[:6] for batch in (1, 4)]
    rows = features(samples, RUNTIME, MACHINE)
    groups = [sample.network for sample in samples]
    seconds = rows.amounts @ truth(2)
    clean = predicted(seconds, groups, rows)
    seconds[2:4] *= 100
    np.testing.assert_allclose(predicted(seconds, groups, rows).predicted[2:4], clean.predicted[2:4], rtol=1e-9)
    apart = predicted(seconds, [str(i) for i in range(12)], rows)  # one batch tells of the other
    assert (apart.predicted[2:4] > clean.predicted[2:4]).all()


def test_a_prediction_is_what_a_fit_to_the_others_says() -> None:
    found = predicted(SECONDS)
    for row in (0, 5):
        rest = np.arange(len(NETWORKS)) != row
        own = fit(FEATURES.amounts[rest], SECONDS[rest], PHYSICS)
        assert found.predicted[row] == pytest.approx(own.predict(FEATURES.amounts)[row], rel=1e-12)


def test_what_is_known_before_is_asked_for_without_what_is_left_out() -> None:
    asked: list[frozenset[str]] = []

    def known(out: frozenset[str]) -> Known:
        asked.append(out)
        return Known(PHYSICS, np.zeros(len(NETWORKS)))

    held_out(FEATURES, SECONDS, NETWORKS, known, REFERENCE)
    assert sorted(map(sorted, asked)) == sorted([name] for name in NETWORKS)


def test_offsets_of_the_samples_that_are_seen_are_taken_and_no_other() -> None:
    offsets = np.random.default_rng(3).normal(0, 0.5, len(NETWORKS))
    exact = FEATURES.amounts @ truth(3)
    plain = held_out(FEATURES, exact, NETWORKS, lambda out: Known(PHYSICS), REFERENCE)
    moved = held_out(FEATURES, exact * np.exp(offsets), NETWORKS, lambda out: Known(PHYSICS, offsets), REFERENCE)
    np.testing.assert_allclose(moved.predicted, plain.predicted, rtol=1e-5)


# Folds


def test_each_group_is_a_fold_up_to_a_limit() -> None:
    groups = [f"n{i % MOST_FOLDS}" for i in range(2 * MOST_FOLDS)]
    assigned, method = folds(groups)
    assert method == "leave one network out"
    assert len(set(assigned.tolist())) == MOST_FOLDS
    assert (assigned[:MOST_FOLDS] == assigned[MOST_FOLDS:]).all()


def test_many_groups_are_ten_folds_of_whole_groups() -> None:
    names = [f"n{i}" for i in range(MOST_FOLDS + 5)]
    assigned, method = folds(names * 2)
    assert method.startswith("10-fold")
    assert (assigned[: len(names)] == assigned[len(names) :]).all()
    sizes = np.bincount(assigned[: len(names)].astype(int), minlength=10)
    assert sizes.max() - sizes.min() <= 1
    backwards, _ = folds(names[::-1])
    assert dict(zip(names[::-1], backwards, strict=True)) == dict(zip(names, assigned, strict=False))


# Baselines


def test_a_line_through_two_points() -> None:
    """3 + 2 x"""
    columns = np.array([[1.0, 1.0], [1.0, 4.0]])
    np.testing.assert_allclose(linear(columns, np.array([5.0, 11.0])), [3.0, 2.0])


def test_a_plane_through_three_points() -> None:
    """1 + 2 x + 3 y, x in millions and y in thousands"""
    x, y = np.array([1.0, 2.0, 5.0]), np.array([1.0, 4.0, 2.0])
    columns = np.column_stack([np.ones(3), 1e6 * x, 1e3 * y])
    np.testing.assert_allclose(linear(columns, 1 + 2 * x + 3 * y), [1.0, 2e-6, 3e-3])


def test_a_line_has_the_least_relative_error() -> None:
    """k x through (1, 1) and (1, 3): the least of (k - 1)^2 + (k / 3 - 1)^2 is at 2 (1 + 1/3) / 2 / (1 + 1/9) = 1.2."""
    np.testing.assert_allclose(linear(np.ones((2, 1)), np.array([1.0, 3.0])), [1.2])


def test_no_coefficient_of_a_line_is_below_0() -> None:
    """More work in less time: a constant is the best that is allowed, the 1 / 2, 1 / 1 mean."""
    fitted = linear(np.array([[1.0, 1.0], [1.0, 2.0]]), np.array([2.0, 1.0]))
    np.testing.assert_allclose(fitted, [(1 / 2 + 1) / (1 / 4 + 1), 0.0])


def test_networks_without_mult_adds_leave_a_constant() -> None:
    np.testing.assert_allclose(linear(np.array([[1.0, 0.0], [1.0, 0.0]]), np.array([2.0, 2.0])), [2.0, 0.0])


def test_baselines_are_held_out_as_well() -> None:
    """Three networks: each is predicted by the line through the two others."""
    chosen = [0, 4, 8]
    rows = work([NETWORKS[i] for i in chosen])
    x = rows.mult_adds
    seconds = np.array([1.0, 2.0, 3.0])[np.argsort(np.argsort(x))]
    found = predicted(seconds, [NETWORKS[i] for i in chosen], rows)
    for row in range(3):
        a, b = (i for i in range(3) if i != row)
        slope = (seconds[a] - seconds[b]) / (x[a] - x[b])
        start = seconds[a] - slope * x[a]
        if start >= 0:
            assert found.mult_adds_only[row] == pytest.approx(start + slope * x[row])


# Figures


def test_figures_by_hand() -> None:
    figures = accuracy(
        held([1, 2, 4, 10], [1.04, 1.89, 4.0, 8.9], [2, 2, 2, 2], [1, 3, 4, 10]), ["a", "b", "b", "c"]
    )  # off by 4, 5.5, 0 and 11 %
    assert (figures.method, figures.networks, figures.samples) == ("by hand", 3, 4)
    assert figures.mape == pytest.approx(0.205 / 4)
    assert figures.median == pytest.approx(0.0475)
    assert (figures.within_5, figures.within_10) == (0.5, 0.75)
    assert figures.tau == 1.0
    assert figures.baseline_mult_adds == pytest.approx((1 + 0 + 0.5 + 0.8) / 4)
    assert figures.baseline_memory == pytest.approx(0.5 / 4)


@pytest.mark.parametrize("predictions", [[3, 1, 2, 4], [4, 3, 2, 1], [1, 2, 4, 3], [1, 2, 3, 4]])
def test_tau_counts_pairs(predictions: list[float]) -> None:
    """Pairs in the measured order less pairs in the other, of all."""
    signs = [np.sign(predictions[j] - predictions[i]) for i, j in combinations(range(4), 2)]
    assert accuracy(held([1, 2, 3, 4], predictions, [1] * 4, [1] * 4), "abcd").tau == pytest.approx(np.mean(signs))


@pytest.mark.parametrize("seconds", [[1.0], [1.0, 1.0]])
def test_no_order_no_tau(seconds: list[float]) -> None:
    assert accuracy(held(seconds, seconds, seconds, seconds), "ab"[: len(seconds)]).tau == 0.0


# Intervals


def quantiles(errors: Sequence[float]) -> dict[float, float]:
    """Of held-out predictions that are exp(error) times too slow, each with a doubt of 1."""
    scores = np.sort(np.abs(errors))
    return {coverage: quantile(scores, coverage) for coverage in COVERAGES}


def test_an_interval_is_never_narrower_than_residuals_were() -> None:
    """However sure the last fit is: held-out predictions were twice too slow, and so may the next be."""
    count = len(NETWORKS)
    rows = work(NETWORKS)
    own = fit(rows.amounts, rows.amounts @ truth(1), PHYSICS)
    one = held([1.0] * count, [2.0] * count, [1.0] * count, [1.0] * count)
    found = doubt(one, own, PHYSICS, rows, REFERENCE)
    spreads = [math.exp(found.quantiles[0.5] * doubt_of(shares(rows, own, row), found)) for row in range(count)]
    assert np.median(spreads) == pytest.approx(2.0, rel=0.01)


def test_the_quantiles_are_of_whole_networks_where_there_are_enough() -> None:
    """Stacks that are ten times off widen nothing; a network too few, and they do."""
    networks = SEEN[: ENOUGH + 10]
    count, rows = len(networks), work(networks)
    own = fit(rows.amounts, rows.amounts @ truth(1), PHYSICS)
    whole = np.arange(count) < ENOUGH
    slow = np.where(whole, 1.1, 10.0).tolist()
    one = held([1.0] * count, slow, [1.0] * count, [1.0] * count)
    of_networks = doubt(one, own, PHYSICS, rows, REFERENCE, whole).quantiles
    of_all = doubt(one, own, PHYSICS, rows, REFERENCE).quantiles
    assert of_networks[0.95] == pytest.approx(of_networks[0.5])
    assert of_all[0.95] > 5 * of_networks[0.95]
    too_few = whole & (np.arange(count) > 0)
    assert doubt(one, own, PHYSICS, rows, REFERENCE, too_few).quantiles == of_all


def shares(rows: Features, own: Fit, row: int) -> dict[str, float]:
    total = rows.amounts[row] @ own.coefficients
    return {kind.value: float(amounts[row] @ own.coefficients / total) for kind, amounts in rows.kinds.items()}


def test_quantiles_of_many_are_split_conformal() -> None:
    """Of 39, coverage c: the (40 c)-th smallest."""
    errors = np.random.default_rng(0).permutation(np.arange(1, 40) / 10 * np.tile([1, -1], 20)[:39])
    assert quantiles(errors.tolist()) == pytest.approx({0.5: 2.0, 0.8: 3.2, 0.9: 3.6, 0.95: 3.8})


def test_quantiles_of_few_follow_the_normal_tail() -> None:
    """Of 2, the larger stands for 2 of 3: what is asked beyond that is as much larger as on a normal distribution."""
    found = quantiles([0.1, -0.2])
    reached = norm.ppf((1 + 2 / 3) / 2)
    assert found[0.5] == pytest.approx(0.2)
    for coverage in (0.8, 0.9, 0.95):
        assert found[coverage] == pytest.approx(0.2 * norm.ppf((1 + coverage) / 2) / reached)


@pytest.mark.parametrize("count", [1, 2, 5, 9, 10, 20, 33])
def test_a_larger_coverage_never_has_a_smaller_quantile(count: int) -> None:
    found = quantiles(np.random.default_rng(count).normal(0, 0.1, count).tolist())
    assert tuple(found) == COVERAGES
    assert list(found.values()) == sorted(found.values())


def calibrated(seed: int, share: float, networks: Sequence[str] = SEEN) -> Platform:
    rows = work(networks)
    seconds = noisy(rows.amounts @ truth(seed), share, seed)
    samples = [Sample(name, float(time)) for name, time in zip(networks, seconds, strict=True)]
    identity = Identity("made-ncnn-fp32-1t", "made up", RUNTIME, "fp32", 1, "cpu")
    return calibrate(samples, identity, lambda out: Known(PHYSICS))[0]


def test_intervals_hold_as_many_new_networks_as_they_say() -> None:
    seeds = range(8)
    new = work(UNSEEN).amounts
    graphs = [zoo.load(name) for name in UNSEEN]
    inside = dict.fromkeys((0.5, 0.9), 0)
    for seed in seeds:
        platform = calibrated(seed, 0.08)
        seconds = noisy(new @ truth(seed), 0.08, 500 + seed)
        for coverage in inside:
            for built, time in zip(graphs, seconds, strict=True):
                latency = predict(built, platform, coverage=coverage).latency
                inside[coverage] += latency.low <= time <= latency.high
    count = len(seeds) * len(UNSEEN)
    for coverage, found in inside.items():
        low, high = binom.interval(0.9999, count, coverage)  # wider than chance: the networks of a platform share a fit
        assert low <= found <= high


def test_a_profile_predicts_what_its_fit_does() -> None:
    """Through kernels, coefficients and the stretch of the profile, or through the fit's matrices."""
    platform = calibrated(1, 0.05, NETWORKS)
    own = fit(FEATURES.amounts, noisy(FEATURES.amounts @ truth(1), 0.05, 1), PHYSICS)
    wanted = own.predict(work(UNSEEN).amounts)
    found = [predict(zoo.load(name), platform).latency.seconds for name in UNSEEN]
    np.testing.assert_allclose(found, wanted, rtol=1e-9)


def test_noisier_measurements_make_wider_intervals() -> None:
    built = zoo.load(UNSEEN[0])
    ratios = []
    for share in (0.02, 0.3):
        latency = predict(built, calibrated(3, share, NETWORKS)).latency
        ratios.append(latency.high / latency.low)
    assert ratios[0] < ratios[1]


def test_a_kind_that_no_sample_has_is_doubted_more() -> None:
    """No depthwise convolution among the samples; then with networks that have it."""
    dense = [
        name for name in SEEN if any(word in name for word in ("resnet", "vgg", "alexnet", "squeezenet", "googlenet"))
    ]
    without, with_some = (calibrated(4, 0.05, names).doubt.kinds["depthwise"] for names in (dense, SEEN))
    assert without > 2 * with_some
    assert without > 0.3

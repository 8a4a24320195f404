"""The fit: platforms whose coefficients are known are found again from their latencies, and what the posterior says."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from synthetic import PHYSICS, SEEN, UNSEEN, error, noisy, truth, work

from calibration.features import TERMS
from calibration.fit import DEGREES, STRETCH_DOUBT, Array, Fit, Prior, fit
from calibration.physics import RATES, SPEED_DOUBT, prior

SEEDS = range(4)
KNOWN = work(SEEN).amounts
NEW = work(UNSEEN).amounts


def prior_of(mean: Sequence[float], doubts: Sequence[float], speed: float = 0.0) -> Prior:
    """A small prior: independent doubts, and a common speed."""
    names = tuple(f"term{index}" for index in range(len(mean)))
    return Prior(names, np.array(mean, float), np.diag(np.square(doubts)) + speed**2)


def posterior(amounts: Array, seconds: Array, before: Prior, noise: float, point: Array) -> float:
    """The logarithm of the posterior of log-coefficients and, last, the exponent, but for a constant.

    Written down from what the fit is to find: t = s (s / median)^exponent, errors of log t by Student's t.
    """
    theta, exponent = point[:-1], point[-1]
    total = np.log(amounts @ np.exp(theta))
    residual = np.log(seconds) - total - exponent * (total - np.median(np.log(seconds)))
    likelihood = -(DEGREES + 1) / 2 * np.log1p((residual / noise) ** 2 / DEGREES).sum()
    away = theta - before.mean
    return float(
        likelihood - 0.5 * away @ np.linalg.solve(before.covariance, away) - 0.5 * (exponent / STRETCH_DOUBT) ** 2
    )


@pytest.mark.parametrize("seed", SEEDS)
def test_a_known_platform_is_found_from_exact_latencies(seed: int) -> None:
    seconds = truth(seed)
    exact = fit(KNOWN, KNOWN @ seconds, PHYSICS, noise=1e-3)
    assert error(exact.predict(NEW), NEW @ seconds).max() < 0.01
    robust = fit(KNOWN, KNOWN @ seconds, PHYSICS)  # which expects some noise, whatever the residuals
    assert error(robust.predict(NEW), NEW @ seconds).mean() < 0.01
    assert error(robust.predict(NEW), NEW @ seconds).max() < 0.04


@pytest.mark.parametrize("seed", SEEDS)
def test_noise_is_averaged_out(seed: int) -> None:
    seconds = truth(seed)
    own = fit(KNOWN, noisy(KNOWN @ seconds, 0.05, seed), PHYSICS)
    assert error(own.predict(NEW), NEW @ seconds).mean() < 0.035  # of a single measurement it is 0.04 in the mean


def test_measurements_tell_more_than_physics() -> None:
    """The speed alone is taken from the samples for physics."""
    physics, own = [], []
    for seed in SEEDS:
        seconds = truth(seed, scatter=0.5)
        speed = np.exp(np.median(np.log(KNOWN @ seconds) - np.log(KNOWN @ np.exp(PHYSICS.mean))))
        physics.append(error(speed * (NEW @ np.exp(PHYSICS.mean)), NEW @ seconds).mean())
        own.append(error(fit(KNOWN, KNOWN @ seconds, PHYSICS).predict(NEW), NEW @ seconds).mean())
    assert np.mean(own) < np.mean(physics) / 5


def test_coefficients_are_above_0_even_where_latencies_contradict_each_other() -> None:
    amounts = np.array([[1.0, 1.0], [1.0, 2.0], [1.0, 3.0]])
    own = fit(amounts, np.array([3.0, 2.0, 1.0]), prior_of([0, 0], [1, 1], SPEED_DOUBT))  # more work takes less time
    assert (own.coefficients > 0).all()
    assert np.isfinite(own.covariance).all()


@pytest.mark.parametrize("noise", [0.02, 0.1])
@pytest.mark.parametrize("scatter", [0.3, 1.0])
def test_nothing_nearby_is_more_probable(noise: float, scatter: float) -> None:
    seconds = noisy(KNOWN @ truth(5, scatter), noise, 5)
    seconds[3] *= 3
    own = fit(KNOWN, seconds, PHYSICS, noise=noise)
    found = np.append(own.mean, own.stretch.exponent)
    best = posterior(KNOWN, seconds, PHYSICS, noise, found)
    steps = np.linalg.cholesky(own.covariance) * 0.02  # of a standard deviation, in as many directions as terms
    for step in [*steps.T, *-steps.T, *np.diag(np.full(len(found), 1e-3))]:
        assert posterior(KNOWN, seconds, PHYSICS, noise, found + step) < best


def test_steps_that_go_too_far_are_shortened() -> None:
    """Samples that contradict each other, far from what is known: whole steps would go to and fro for ever."""
    rng = np.random.default_rng(0)
    for _ in range(20):
        amounts, seconds = np.exp(rng.normal(0, 2, (8, 4))), np.exp(rng.normal(0, 2, 8))
        before = prior_of([0] * 4, [2] * 4, SPEED_DOUBT)
        own = fit(amounts, seconds, before, noise=0.1)
        found = np.append(own.mean, own.stretch.exponent)
        best = posterior(amounts, seconds, before, 0.1, found)
        for step in [*np.eye(5), *-np.eye(5)]:
            assert posterior(amounts, seconds, before, 0.1, found + 1e-4 * step) < best + 1e-6


def test_the_covariance_of_one_term_by_hand() -> None:
    """Exact latencies: each of n samples weighs (DEGREES + 1) / DEGREES / noise^2, the prior 1 / doubt^2."""
    count, noise, doubt = 6, 0.1, 0.5
    own = fit(np.ones((count, 1)), np.ones(count), prior_of([0.0], [doubt]), noise=noise)
    assert own.mean[0] == pytest.approx(0.0, abs=1e-9)
    assert own.covariance[0, 0] == pytest.approx(1 / (count * 1.25 / noise**2 + doubt**-2))
    assert own.covariance[1, 1] == pytest.approx(STRETCH_DOUBT**2)  # of equal runs none tells of a stretch


def test_prior_and_one_sample_meet_by_their_doubts() -> None:
    """Errors small beside the noise are nearly normal: the mean of prior and sample, weighted by 1 / variance."""
    noise, doubt, away = 0.3, 0.2, 1e-3
    own = fit(np.ones((1, 1)), np.exp([away]), prior_of([0.0], [doubt]), noise=noise)
    weight = 1.25 / noise**2
    assert own.mean[0] == pytest.approx(away * weight / (weight + doubt**-2), rel=1e-4)


def test_terms_that_no_sample_has_follow_the_prior_given_the_others() -> None:
    """The conditional mean of a normal distribution."""
    seen = (KNOWN > 0).any(axis=0)
    assert {"softmax.elements", "matmul.mult_adds"} <= {
        term for term, there in zip(TERMS, seen, strict=True) if not there
    }
    own = fit(KNOWN, KNOWN @ truth(2), PHYSICS)
    both = PHYSICS.covariance[np.ix_(~seen, seen)]
    away = np.linalg.solve(PHYSICS.covariance[np.ix_(seen, seen)], (own.mean - PHYSICS.mean)[seen])
    np.testing.assert_allclose(own.mean[~seen], PHYSICS.mean[~seen] + both @ away, atol=1e-6)


def test_terms_that_no_sample_has_keep_their_ratio_on_a_platform_that_is_only_faster() -> None:
    own = fit(KNOWN, KNOWN @ np.exp(PHYSICS.mean) / 1e10, PHYSICS)
    np.testing.assert_allclose(own.coefficients * 1e10 / np.exp(PHYSICS.mean), 1.0, rtol=1e-3)


@pytest.mark.parametrize("factor", [3.0, 1 / 3, 100.0])
def test_an_outlier_moves_predictions_by_little(factor: float) -> None:
    seconds = noisy(KNOWN @ truth(1), 0.05, 1)
    own = fit(KNOWN, seconds, PHYSICS)
    for row in range(0, len(SEEN), 5):
        wrong = seconds.copy()
        wrong[row] *= factor
        moved = error(fit(KNOWN, wrong, PHYSICS).predict(NEW), own.predict(NEW))
        assert moved.mean() < 0.02
        assert moved.max() < 0.06


@pytest.mark.parametrize("factor", [10.0, 1e-3])
def test_a_slower_platform_is_predicted_slower(factor: float) -> None:
    seconds = noisy(KNOWN @ truth(3), 0.05, 3)
    own, slow = (fit(KNOWN, scale * seconds, PHYSICS) for scale in (1.0, factor))
    np.testing.assert_allclose(slow.predict(NEW), factor * own.predict(NEW), rtol=1e-4)
    assert slow.noise == pytest.approx(own.noise, rel=0.01)


def test_the_order_of_samples_does_not_matter_and_the_same_data_give_the_same_bits() -> None:
    seconds = noisy(KNOWN @ truth(4), 0.1, 4)
    own, again = (fit(KNOWN, seconds, PHYSICS) for _ in range(2))
    assert own.mean.tobytes() == again.mean.tobytes()
    assert own.covariance.tobytes() == again.covariance.tobytes()
    assert (own.noise, own.stretch) == (again.noise, again.stretch)
    order = np.random.default_rng(0).permutation(len(seconds))
    shuffled = fit(KNOWN[order], seconds[order], PHYSICS)
    np.testing.assert_allclose(shuffled.mean, own.mean, atol=1e-6)
    assert shuffled.noise == pytest.approx(own.noise, rel=1e-6)


@pytest.mark.parametrize("share", [0.03, 0.05, 0.1, 0.2])
def test_the_noise_is_estimated_to_a_factor(share: float) -> None:
    found = [fit(KNOWN, noisy(KNOWN @ truth(seed), share, seed), PHYSICS).noise for seed in SEEDS]
    assert share / 2 < np.median(found) < share * 2


def test_more_noise_is_seen_as_more() -> None:
    found = [fit(KNOWN, noisy(KNOWN @ truth(6), share, 6), PHYSICS).noise for share in (0.0, 0.05, 0.1, 0.2, 0.4)]
    assert found == sorted(found)


def test_offsets_are_taken_from_the_samples() -> None:
    seconds = KNOWN @ truth(7)
    offsets = np.random.default_rng(7).normal(0, 0.3, len(seconds))
    plain = fit(KNOWN, seconds, PHYSICS)
    offset = fit(KNOWN, seconds * np.exp(offsets), PHYSICS, offsets=offsets)
    np.testing.assert_allclose(offset.mean, plain.mean, atol=1e-6)


@pytest.mark.parametrize("exponent", [0.1, -0.1, 0.0])
def test_the_stretch_is_found(exponent: float) -> None:
    total = KNOWN @ truth(8)
    seconds = total * (total / np.median(total)) ** exponent
    own = fit(KNOWN, seconds, PHYSICS, noise=0.01)
    assert own.stretch.exponent == pytest.approx(exponent, abs=0.015)
    wanted = NEW @ truth(8)
    wanted = wanted * (wanted / np.median(total)) ** exponent
    assert error(own.predict(NEW), wanted).mean() < 0.01
    assert error(own.predict(NEW), wanted).max() < 0.05


def test_the_stretch_goes_no_further_than_what_was_measured() -> None:
    total = KNOWN @ truth(8)
    seconds = total * (total / np.median(total)) ** 0.1
    own = fit(KNOWN, seconds, PHYSICS, noise=0.01)
    stretch = own.stretch
    assert (stretch.shortest, stretch.longest) == pytest.approx((seconds.min(), seconds.max()))
    assert stretch.reference == pytest.approx(np.exp(np.median(np.log(seconds))))
    for scale, end in ((1e3, stretch.longest), (1e-3, stretch.shortest)):
        amounts = scale * KNOWN[:1]
        factor = own.predict(amounts) / (amounts @ own.coefficients)
        assert factor == pytest.approx((end / stretch.reference) ** stretch.exponent)


def test_more_samples_leave_less_doubt() -> None:
    seconds = KNOWN @ truth(9)

    def doubts(step: int) -> Array:
        own = fit(KNOWN[::step], seconds[::step], PHYSICS, noise=0.05)
        result: Array = np.diag(own.covariance)
        return result

    few, some, all_of_them = doubts(8), doubts(2), doubts(1)
    assert (all_of_them < np.append(np.diag(PHYSICS.covariance), STRETCH_DOUBT**2)).all()
    assert np.mean(some < few) > 0.9  # slopes depend on where the fit is, a little
    assert np.mean(all_of_them < some) > 0.9
    pointwise = TERMS.index("pointwise.mult_adds")
    assert all_of_them[pointwise] < some[pointwise] < few[pointwise]


def stated(own: Fit, amounts: Array) -> Array:
    """The standard deviation of the logarithm of a prediction, as the covariance says."""
    parts = amounts * own.coefficients
    share = parts / parts.sum(axis=1)[:, None]
    count = len(own.mean)
    result: Array = np.sqrt(np.einsum("ni,ij,nj->n", share, own.covariance[:count, :count], share))
    return result


def test_the_stated_doubt_is_about_right() -> None:
    """Platforms drawn from the prior: errors of predictions are as large as the covariance says."""
    scores = []
    for seed in range(12):
        off = np.random.default_rng(seed).multivariate_normal(np.zeros(len(TERMS)), PHYSICS.covariance - SPEED_DOUBT**2)
        seconds = np.exp(PHYSICS.mean + off) * 1e-10
        own = fit(KNOWN[::3], noisy(KNOWN @ seconds, 0.05, seed)[::3], PHYSICS, noise=0.05, stretch_doubt=1e-6)
        scores.append(np.log(own.predict(NEW) / (NEW @ seconds)) / stated(own, NEW))
    assert 0.6 < np.sqrt(np.mean(np.square(scores))) < 1.6


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_few_samples_are_enough_for_a_fit(count: int) -> None:
    seconds = truth(10)
    chosen = [SEEN.index("zoo:mobilenet_v2"), SEEN.index("zoo:resnet18"), SEEN.index("zoo:squeezenet1_1")][:count]
    own = fit(KNOWN[chosen], (KNOWN @ seconds)[chosen], PHYSICS)
    assert np.isfinite(own.covariance).all()
    assert np.median(error(own.predict(NEW), NEW @ seconds)) < 0.35  # rates are off by 30 % each


def test_latencies_that_make_no_sense_still_give_numbers() -> None:
    """The range that a data CSV allows, against all order."""
    seconds = np.geomspace(3600, 1e-9, len(SEEN))[np.argsort(np.argsort(KNOWN.sum(axis=1)))]
    own = fit(KNOWN, seconds, PHYSICS)
    assert np.isfinite(own.coefficients).all()
    assert (own.coefficients > 0).all()
    assert own.noise > 1  # nothing is explained


@pytest.mark.parametrize("processor", ["cpu", "gpu"])
def test_general_physics_is_a_distribution(processor: str) -> None:
    before = prior("cpu" if processor == "cpu" else "gpu")
    assert before.terms == tuple(RATES) == TERMS
    assert np.linalg.eigvalsh(before.covariance).min() > 0
    speed = np.ones(len(TERMS)) / len(TERMS)
    assert np.sqrt(speed @ before.covariance @ speed) > 20  # e^20 times: how fast the platform is, nobody knows
    assert before.mean[TERMS.index("pointwise.mult_adds")] == 0.0  # the unit of all rates

"""Measured latencies -> a platform's coefficients.

The sum over a network's kernels is linear in the coefficients, s = sum of amount x seconds, and a coefficient is a
positive physical rate. So the fit works on logarithms: it looks for the log-coefficients that are most probable, given

* a prior, normal in the logarithms: what is known of such rates before anything is measured (physics.py), or
  from related platforms (relatives.py);
* measurements whose relative errors follow Student's t, so that an outlier pulls little.

A coefficient that no measurement speaks about keeps its prior ratio to the others; the more is measured, the
less the prior counts. That is how the feature set follows the number of samples.

One more number is fitted: the exponent of the stretch t = s (s / reference)^exponent. Long runs heat a phone and lower
its clock: the same layer takes 10 to 15 % longer in a network of 40 than in one of 20 (Tables 1 and 3 of the paper,
c = 128 on the Snapdragon 810).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from costmodel.platforms import Stretch

Array = npt.NDArray[np.float64]

NOISE = 0.07  # standard deviation of a relative error before any is seen, what the terms miss included
DEGREES = 4.0  # of freedom of the errors: outliers are expected
STRETCH_DOUBT = 0.03  # of the exponent, around 0

_NOISE_WEIGHT = 5.0  # samples that NOISE counts for beside the residuals
_STEPS = 200
_HALVINGS = 20  # of a step
_ROUNDING = 1e-13
_CLOSE = 1e-9
_MAD = 1.4826  # a normal distribution's standard deviation over its median absolute deviation


@dataclass(frozen=True)
class Prior:
    """What is known of a platform's log-coefficients before it is measured: a normal distribution.

    terms: names. mean: natural logarithms of seconds, up to a factor that all share where `covariance` says
    that the common speed is unknown.
    """

    terms: tuple[str, ...]
    mean: Array
    covariance: Array


@dataclass(frozen=True)
class Fit:
    """What is known after the measurements.

    mean: the most probable log-coefficients, of `terms`. covariance: of mean and, last, the stretch's exponent.
    noise: standard deviation of the relative errors that are left.
    """

    terms: tuple[str, ...]
    mean: Array
    covariance: Array
    stretch: Stretch
    noise: float

    @property
    def coefficients(self) -> Array:
        """Seconds for one unit of each term."""
        return np.exp(self.mean)

    def predict(self, amounts: Array) -> Array:
        """Seconds of networks with these (networks, terms) amounts."""
        seconds: Array = self.stretch.of(amounts @ self.coefficients)
        return seconds


def fit(
    amounts: Array,
    seconds: Array,
    prior: Prior,
    *,
    offsets: Array | None = None,
    noise: float | None = None,
    stretch_doubt: float = STRETCH_DOUBT,
) -> Fit:
    """The most probable log-coefficients.

    amounts: (samples, terms). seconds: (samples,), all above 0. offsets: logarithms by which the samples are known
    to be slower than their terms say, on every related platform; 0 when None. noise: standard deviation of a
    relative error; estimated from what is left when None. stretch_doubt: how far from 0 the exponent may go.
    Deterministic: the same data give the same bits.
    """
    target = np.log(seconds) - (0.0 if offsets is None else offsets)
    start = prior.mean + np.median(target - np.log(amounts @ np.exp(prior.mean)))
    solution = _solved(amounts, target, prior, start, 0.0, NOISE if noise is None else noise, stretch_doubt)
    if noise is None:
        scale = _scale(solution, len(seconds))
        solution = _solved(amounts, target, prior, solution.theta, solution.exponent, scale, stretch_doubt)
        scale = _scale(solution, len(seconds))
    else:
        scale = noise
    measured = np.exp(target)
    stretch = Stretch(
        float(solution.exponent), float(np.exp(np.median(target))), float(measured.min()), float(measured.max())
    )
    covariance = np.asarray(np.linalg.inv(solution.curvature), np.float64)
    return Fit(prior.terms, solution.theta, covariance, stretch, scale)


@dataclass(frozen=True)
class _Solution:
    theta: Array
    exponent: float
    residual: Array
    curvature: Array
    effective: float  # parameters that the data, not the prior, decide


def _solved(
    amounts: Array, target: Array, prior: Prior, theta: Array, exponent: float, noise: float, stretch_doubt: float
) -> _Solution:
    """Newton's method on the log posterior, the errors' weights held in each step (iteratively reweighted)."""
    count = len(theta)
    precision = np.zeros((count + 1, count + 1))
    precision[:count, :count] = np.linalg.inv(prior.covariance)
    precision[count, count] = stretch_doubt**-2
    reference = np.median(target)

    def surprise(theta: Array, exponent: float) -> float:
        """The negative logarithm of the posterior, but for a constant."""
        total = np.log(amounts @ np.exp(theta))
        residual = target - total - exponent * (total - reference)
        away = np.append(theta - prior.mean, exponent)
        errors = (DEGREES + 1.0) / 2 * np.log1p((residual / noise) ** 2 / DEGREES).sum()
        return float(errors + 0.5 * away @ precision @ away)

    for _ in range(_STEPS):
        parts = amounts * np.exp(theta)
        total = parts.sum(axis=1)
        level = np.log(total) - reference
        residual = target - np.log(total) - exponent * level
        slopes = np.column_stack([parts / total[:, None] * (1.0 + exponent), level])
        weight = (DEGREES + 1.0) / (DEGREES + (residual / noise) ** 2) / noise**2
        information = (slopes.T * weight) @ slopes
        curvature = information + precision
        away = np.append(theta - prior.mean, exponent)
        step = np.linalg.solve(curvature, (slopes.T * weight) @ residual - precision @ away)
        longest = float(np.max(np.abs(step)))
        step *= min(1.0, 1.0 / longest) if longest > 0 else 1.0
        loss = surprise(theta, exponent)
        for _ in range(_HALVINGS):  # a whole step may go too far, and back again
            if surprise(theta + step[:count], exponent + step[count]) <= loss * (1 + _ROUNDING):
                break
            step /= 2
        theta, exponent = theta + step[:count], exponent + step[count]
        if longest < _CLOSE:
            break
    effective = float(np.trace(np.linalg.solve(curvature, information)))
    return _Solution(theta, exponent, residual, curvature, effective)


def _scale(solution: _Solution, samples: int) -> float:
    """The errors' standard deviation: robust, with what the fitted parameters have taken of it given back, and drawn
    toward NOISE where few samples are left to tell."""
    left = max(samples - solution.effective, 0.0)
    spread = _MAD * float(np.median(np.abs(solution.residual))) * np.sqrt(samples / max(left, 0.25 * samples))
    return float(np.sqrt((_NOISE_WEIGHT * NOISE**2 + left * spread**2) / (_NOISE_WEIGHT + left)))

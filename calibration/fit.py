"""Measured latencies -> a platform's coefficients.

The time of a run is linear in the coefficients, t = sum of amount x seconds, and a coefficient is a positive
physical rate. So the fit works on logarithms: it looks for the log-coefficients that are most probable, given

* a prior, normal in the logarithms: what is known of such rates before anything is measured (physics.py), or
  from related platforms (relatives.py);
* measurements whose relative errors follow Student's t, so that an outlier pulls little.

A coefficient that no measurement speaks about keeps its prior ratio to the others; the more is measured, the
less the prior counts. That is how the feature set follows the number of samples.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

NOISE = 0.1  # standard deviation of a measurement's relative error, structure that the terms miss included
DEGREES = 4.0  # of freedom of the errors: outliers are expected
_STEPS = 100
_CLOSE = 1e-9


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
    """Log-coefficients after the measurements: the most probable ones, and their covariance there."""

    terms: tuple[str, ...]
    mean: Array
    covariance: Array

    @property
    def coefficients(self) -> Array:
        """Seconds for one unit of each term."""
        return np.exp(self.mean)


def fit(amounts: Array, seconds: Array, prior: Prior, *, noise: float | Array = NOISE, degrees: float = DEGREES) -> Fit:
    """The most probable log-coefficients.

    amounts: (samples, terms). seconds: (samples,), all above 0. noise: standard deviation of a relative error, one
    for all samples or one each. degrees: of freedom of Student's t; infinity for normal errors.
    Newton's method on the log posterior with the errors' weights held in each step (iteratively reweighted
    least squares). Deterministic: the same data give the same bits.
    """
    target = np.log(seconds)
    precision = np.linalg.inv(prior.covariance)
    theta = prior.mean.copy()
    theta += np.median(target - np.log(amounts @ np.exp(theta)))
    curvature = precision
    for _ in range(_STEPS):
        parts = amounts * np.exp(theta)
        predicted = parts.sum(axis=1)
        shares = parts / predicted[:, None]
        residual = target - np.log(predicted)
        weight = _weights(residual, noise, degrees)
        curvature = (shares.T * weight) @ shares + precision
        step = np.linalg.solve(curvature, (shares.T * weight) @ residual - precision @ (theta - prior.mean))
        longest = float(np.max(np.abs(step)))
        theta = theta + step * min(1.0, 1.0 / longest) if longest > 0 else theta
        if longest < _CLOSE:
            break
    return Fit(prior.terms, theta, np.linalg.inv(curvature))


def _weights(residual: Array, noise: float | Array, degrees: float) -> Array:
    scaled = (residual / noise) ** 2
    if np.isinf(degrees):
        return np.ones_like(residual) / np.square(noise)
    return (degrees + 1.0) / (degrees + scaled) / np.square(noise)

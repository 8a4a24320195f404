"""Measured latencies -> a platform's coefficients.

The sum over a network's kernels is linear in the coefficients, s = sum of amount x seconds, and a coefficient is a
positive physical rate. So the fit works on logarithms: it looks for the log-coefficients that are most probable, given

* a prior, normal in the logarithms: what is known of such rates before anything is measured (physics.py), or
  from related platforms (relatives.py);
* measurements whose relative errors follow Student's t, so that an outlier pulls little.

A coefficient that no measurement speaks about keeps its prior ratio to the others; the more is measured, the
less the prior counts. That is how the feature set follows the number of samples.

Kernels of the samples that were timed by themselves are measurements as well, of an own and larger noise: what the
profiler adds, and what the terms do not know of a single kernel. They say how the coefficients relate to each other
where networks have always the same mixture; how long networks take is told by networks.

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
Rows = npt.NDArray[np.int64]

NOISE = 0.07  # standard deviation of a relative error before any is seen, what the terms miss included
DEGREES = 4.0  # of freedom of the errors: outliers are expected
STRETCH_DOUBT = 0.03  # of the exponent, around 0

# Errors of a network's kernels are not independent: what the terms miss of one they miss of its likes, and all hang on
# one profile. Together they count as so many, however many there are; and for one less than they are, as their sum is
# what the run took.
KERNELS_WORTH = 8.0
KERNEL_NOISE = 0.2  # as NOISE, of a kernel's time
KERNEL_BIAS = 0.3  # doubt of the logarithm by which all of them are off together
KERNEL_BLUR = 1e-6  # seconds; profilers count whole microseconds

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
class Parts:
    """Kernels of samples that were timed by themselves, in a run of the sample.

    amounts: (kernels, terms). seconds: (kernels,), all above 0. sample: (kernels,), the row of each one's sample.
    """

    amounts: Array
    seconds: Array
    sample: Rows

    def of(self, chosen: npt.NDArray[np.bool_]) -> Parts:
        """Those of the chosen samples, as rows of these alone."""
        mine = chosen[self.sample]
        return Parts(self.amounts[mine], self.seconds[mine], (np.cumsum(chosen) - 1)[self.sample[mine]])


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
    parts: Parts | None = None,
) -> Fit:
    """The most probable log-coefficients.

    amounts: (samples, terms). seconds: (samples,), all above 0. offsets: logarithms by which the samples are known
    to be slower than their terms say, on every related platform; 0 when None. noise: standard deviation of a
    relative error; estimated from what is left when None. stretch_doubt: how far from 0 the exponent may go. parts:
    kernels of the samples. Deterministic: the same data give the same bits.
    """
    target = np.log(seconds) - (0.0 if offsets is None else offsets)
    start = prior.mean + np.median(target - np.log(amounts @ np.exp(prior.mean)))
    data = _Data.of(amounts, target, parts, offsets)
    scales = (NOISE if noise is None else noise, KERNEL_NOISE)
    solution = _solved(data, scales, prior, start, np.zeros(2 if data.kernels else 1), stretch_doubt)
    if noise is None or data.kernels:
        scales = (_scale(solution, len(seconds)) if noise is None else noise, _kernel_scale(data, solution))
        solution = _solved(data, scales, prior, solution.theta, solution.extra, stretch_doubt)
    scale = _scale(solution, len(seconds)) if noise is None else noise
    measured = np.exp(target)
    stretch = Stretch(
        float(solution.extra[0]), float(np.exp(np.median(target))), float(measured.min()), float(measured.max())
    )
    known = len(prior.terms) + 1
    covariance = np.asarray(np.linalg.inv(solution.curvature), np.float64)[:known, :known]
    return Fit(prior.terms, solution.theta, covariance, stretch, scale)


@dataclass(frozen=True)
class _Data:
    """Samples first, then their kernels.

    target: logarithms of seconds. runs: how many rows are samples; what is of each row is a number where all are.
    share: of a whole sample that a row counts for. levels: of the kernels: how far the run that each is part of is from
    the reference, in logarithms.
    """

    amounts: Array
    target: Array
    runs: int
    share: Array | float
    levels: Array

    @staticmethod
    def of(amounts: Array, target: Array, parts: Parts | None, offsets: Array | None) -> _Data:
        if parts is None or not len(parts.seconds):
            return _Data(amounts, target, len(target), 1.0, np.zeros(0))
        times = np.log(parts.seconds) - (0.0 if offsets is None else offsets[parts.sample])
        count = np.bincount(parts.sample, minlength=len(target))[parts.sample]
        share = np.append(np.ones(len(target)), np.minimum(1.0, KERNELS_WORTH / count) * (count - 1) / count)
        levels = target[parts.sample] - np.median(target)
        return _Data(np.concatenate([amounts, parts.amounts]), np.append(target, times), len(target), share, levels)

    @property
    def kernels(self) -> int:
        """How many rows are kernels."""
        return len(self.levels)

    @property
    def reference(self) -> float:
        """The logarithm of the time that the stretch leaves as it is."""
        return float(np.median(self.target[: self.runs]))

    def noise(self, scales: tuple[float, float], theta: Array) -> Array | float:
        """The standard deviation of each row's error, of samples and kernels, where the coefficients are about so."""
        run, kernel = scales
        if not self.kernels:
            return run
        short = KERNEL_BLUR / (self.amounts[self.runs :] @ np.exp(theta))
        return np.append(np.full(self.runs, run), np.sqrt(kernel**2 + short**2))

    def columns(self, total: Array) -> Array:
        """What _Solution.extra is multiplied with: how far each row's run is from the reference, where the rows' own
        sums are `total`; and 1 for each kernel, if there are any.

        How far a kernel's run is away is taken from the clock: the stretch is small, and so is what it makes of that.
        """
        level = np.log(total) - self.reference
        if not self.kernels:
            return level[:, None]
        level[self.runs :] = self.levels
        return np.column_stack([level, np.arange(len(level)) >= self.runs])

    def stretched(self, exponent: float) -> Array | float:
        """By how much more than in proportion a row grows with its sum: a kernel is a small part of its run."""
        if not self.kernels:
            return 1.0 + exponent
        return np.where(np.arange(len(self.target)) < self.runs, 1.0 + exponent, 1.0)[:, None]


@dataclass(frozen=True)
class _Solution:
    theta: Array
    extra: Array  # the stretch's exponent; and by how much kernels seem slower in all, where there are kernels
    residual: Array
    curvature: Array
    effective: float  # parameters that the samples, not their kernels nor the prior, decide


def _solved(
    data: _Data, scales: tuple[float, float], prior: Prior, theta: Array, extra: Array, stretch_doubt: float
) -> _Solution:
    """Newton's method on the log posterior, the errors' weights held in each step (iteratively reweighted).

    scales: standard deviations of a sample's error and of a kernel's.
    """
    count = len(theta)
    precision = np.zeros((count + len(extra), count + len(extra)))
    precision[:count, :count] = np.linalg.inv(prior.covariance)
    for place, doubt in zip(range(count, len(precision)), (stretch_doubt, KERNEL_BIAS), strict=False):
        precision[place, place] = doubt**-2
    noise = data.noise(scales, theta)

    def surprise(theta: Array, extra: Array) -> float:
        """The negative logarithm of the posterior, but for a constant."""
        total = data.amounts @ np.exp(theta)
        residual = data.target - np.log(total) - data.columns(total) @ extra
        away = np.append(theta - prior.mean, extra)
        errors = (DEGREES + 1.0) / 2 * (data.share * np.log1p((residual / noise) ** 2 / DEGREES)).sum()
        return float(errors + 0.5 * away @ precision @ away)

    for _ in range(_STEPS):
        parts = data.amounts * np.exp(theta)
        total = parts.sum(axis=1)
        columns = data.columns(total)
        residual = data.target - np.log(total) - columns @ extra
        slopes = np.column_stack([parts / total[:, None] * data.stretched(float(extra[0])), columns])
        weight = data.share * ((DEGREES + 1.0) / (DEGREES + (residual / noise) ** 2) / noise**2)
        information = (slopes.T * weight) @ slopes
        curvature = information + precision
        away = np.append(theta - prior.mean, extra)
        step = np.linalg.solve(curvature, (slopes.T * weight) @ residual - precision @ away)
        longest = float(np.max(np.abs(step)))
        step *= min(1.0, 1.0 / longest) if longest > 0 else 1.0
        loss = surprise(theta, extra)
        for _ in range(_HALVINGS):  # a whole step may go too far, and back again
            if surprise(theta + step[:count], extra + step[count:]) <= loss * (1 + _ROUNDING):
                break
            step /= 2
        theta, extra = theta + step[:count], extra + step[count:]
        if longest < _CLOSE:
            break
    if data.kernels:
        whole = slopes[: data.runs]
        information = (whole.T * weight[: data.runs]) @ whole
    effective = float(np.trace(np.linalg.solve(curvature, information)))
    return _Solution(theta, extra, residual, curvature, effective)


def _scale(solution: _Solution, samples: int) -> float:
    """The errors' standard deviation: robust, with what the fitted parameters have taken of it given back, and drawn
    toward NOISE where few samples are left to tell."""
    left = max(samples - solution.effective, 0.0)
    spread = _MAD * float(np.median(np.abs(solution.residual[:samples]))) * np.sqrt(samples / max(left, 0.25 * samples))
    return float(np.sqrt((_NOISE_WEIGHT * NOISE**2 + left * spread**2) / (_NOISE_WEIGHT + left)))


def _kernel_scale(data: _Data, solution: _Solution) -> float:
    """The same of the kernels, of which there are more than parameters; those of a sample count as KERNELS_WORTH."""
    if not data.kernels:
        return KERNEL_NOISE
    spread = _MAD * float(np.median(np.abs(solution.residual[data.runs :])))
    count = float(np.sum(np.asarray(data.share)[data.runs :]))
    return float(np.sqrt((_NOISE_WEIGHT * KERNEL_NOISE**2 + count * spread**2) / (_NOISE_WEIGHT + count)))

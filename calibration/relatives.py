"""What related platforms know: a prior for a platform from others of the same runtime and precision.

Devices of one runtime differ mostly in speed; how the kernels' times relate is nearly the same, and changes with the
runtime's version more than with the device. So the prior's mean is fitted to the median related device, those
measured at about the same time and with as many threads first; its covariance is how the related devices scatter
around it (empirical Bayes: their own fits and the doubt of these, a few common factors and a rest a term).

The constants below were chosen by the error on devices with 4 threads; the figures that docs/accuracy.md states are of
devices with one thread.

A network that all devices run slower or faster than the terms say is known to do so (an offset): it says nothing
about a new device.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from calibration.fit import Array, Fit, Prior, fit
from calibration.physics import SPEED_DOUBT

COMMON_NOISE = 0.04  # of the median device's networks around what the terms say
YEARS = 0.5  # in which a runtime's relations between kernels' times change: dates this far apart count 1/e
_OTHER_DATES = 0.02  # weight of a relative from whatever time
OTHER_THREADS = 0.05  # weight of a relative with another number of threads
SCATTER = 0.4  # of log-coefficients between devices, before any are seen
_SCATTER_WEIGHT = 5.0  # relatives that this counts for
SCATTER_NOISE = 0.05  # of one device around its own fit, offsets known
_FACTORS = 3
_ROUNDS = 2
_POLISH = 60
_RIGID = 1e-6  # doubt of an exponent that stays 0


@dataclass(frozen=True)
class Relative:
    """A measured platform. date: in years. seconds: of networks by reference."""

    id: str
    device: str
    date: float
    threads: int
    seconds: Mapping[str, float]


@dataclass(frozen=True)
class Learned:
    """What relatives know: a prior, the offsets of the networks they measured, and who they were."""

    prior: Prior
    offsets: Mapping[str, float]
    relatives: tuple[str, ...]


def learn(
    relatives: Sequence[Relative], amounts: Mapping[str, Array], physics: Prior, *, date: float, threads: int
) -> Learned:
    """The prior for a platform measured at `date` with `threads`.

    amounts: of each network, in the order of the prior's terms. physics: what is known without any relative.
    Raises ValueError where the relatives share no network.
    """
    networks = sorted({name for relative in relatives for name in relative.seconds if name in amounts})
    relatives = [relative for relative in relatives if not relative.seconds.keys().isdisjoint(networks)]
    if not relatives:
        raise ValueError("no related platform has measured a network that is known here")
    work = np.array([amounts[name] for name in networks])
    logs = np.array([[np.log(relative.seconds.get(name, np.nan)) for name in networks] for relative in relatives])
    logs = logs - _speeds(logs)[:, None]
    near = np.array([_nearness(relative, date, threads) for relative in relatives])
    middle = _weighted_median(logs, near)
    known = np.isfinite(middle)
    common = fit(work[known], np.exp(middle[known]), physics, noise=COMMON_NOISE, stretch_doubt=_RIGID)
    offsets = np.where(known, middle - np.log(work @ common.coefficients), 0.0)
    same = np.array([1.0 if relative.threads == threads else OTHER_THREADS for relative in relatives])
    covariance = _scatter(work, logs, common.mean, offsets, same, physics.terms)
    prior = Prior(physics.terms, common.mean, covariance + SPEED_DOUBT**2)
    return Learned(prior, dict(zip(networks, offsets.tolist(), strict=True)), tuple(r.id for r in relatives))


def _speeds(logs: Array) -> Array:
    """Each device's level, with a level a network taken out (median polish)."""
    speeds = np.nanmedian(logs, axis=1)
    for _ in range(_POLISH):
        levels = np.nanmedian(logs - speeds[:, None], axis=0)
        speeds = np.nanmedian(logs - levels, axis=1)
    result: Array = speeds
    return result


def _nearness(relative: Relative, date: float, threads: int) -> float:
    weight = float(np.exp(-abs(relative.date - date) / YEARS)) + _OTHER_DATES
    return weight if relative.threads == threads else weight * OTHER_THREADS


def _weighted_median(logs: Array, weights: Array) -> Array:
    """Of each column; NaN where a column is empty."""
    result = np.full(logs.shape[1], np.nan)
    for column in range(logs.shape[1]):
        there = np.isfinite(logs[:, column])
        if there.any():
            order = np.argsort(logs[there, column], kind="stable")
            values, weight = logs[there, column][order], weights[there][order]
            result[column] = np.interp(0.5 * weight.sum(), np.cumsum(weight) - weight / 2, values)
    return result


def _scatter(work: Array, logs: Array, mean: Array, offsets: Array, weights: Array, terms: tuple[str, ...]) -> Array:
    """The covariance of devices' log-coefficients around the mean, their common speed apart."""
    rest = SCATTER**2 * np.eye(len(mean))
    covariance = rest
    for _ in range(_ROUNDS):
        prior = Prior(terms, mean, covariance + SPEED_DOUBT**2)
        total, count = _SCATTER_WEIGHT * rest, _SCATTER_WEIGHT
        for row, weight in zip(logs, weights, strict=True):
            there = np.isfinite(row)
            own = fit(
                work[there],
                np.exp(row[there]),
                prior,
                offsets=offsets[there],
                noise=SCATTER_NOISE,
                stretch_doubt=_RIGID,
            )
            away, doubt = _without_speed(own, mean, work[there])
            total = total + weight * (np.outer(away, away) + doubt)
            count += weight
        covariance = _factored(total / count)
    return covariance


def _without_speed(own: Fit, mean: Array, work: Array) -> tuple[Array, Array]:
    """How far a device's log-coefficients are from the mean, and their covariance, once its total time is the same."""
    parts = work * own.coefficients
    share = (parts / parts.sum(axis=1)[:, None]).mean(axis=0)
    away = own.mean - mean
    covariance = own.covariance[: len(mean), : len(mean)]
    gain = covariance @ share
    return away - share @ away, covariance - np.outer(gain, gain) / (share @ gain)


def _factored(covariance: Array) -> Array:
    """A few factors, and a rest on the diagonal: what a file can hold and a person read."""
    loadings, rest = factors(covariance)
    result: Array = loadings.T @ loadings + np.diag(rest**2)
    return result


def factors(covariance: Array) -> tuple[Array, Array]:
    """The largest factors of a covariance (one a row), and the standard deviations that they leave."""
    values, vectors = np.linalg.eigh(covariance)
    base = float(np.median(values))
    largest = np.argsort(values)[::-1][:_FACTORS]
    loadings = (vectors[:, largest] * np.sqrt(np.maximum(values[largest] - base, 0.0))).T
    signs = np.sign(loadings[np.arange(len(loadings)), np.argmax(np.abs(loadings), axis=1)])
    loadings = loadings * np.where(signs == 0, 1.0, signs)[:, None]
    rest = np.sqrt(np.maximum(np.diag(covariance) - (loadings**2).sum(axis=0), 1e-6))
    return loadings, rest

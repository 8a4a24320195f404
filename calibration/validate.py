"""Honest figures: predictions of networks that the fit had not seen, beside plain baselines held out the same way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import nnls
from scipy.stats import kendalltau, norm

from calibration.features import Features
from calibration.fit import Array, Fit, Prior, fit
from calibration.physics import SPEED_DOUBT
from costmodel.kernels import Kind
from costmodel.platforms import Accuracy, Doubt

COVERAGES = (0.5, 0.8, 0.9, 0.95)
MOST_FOLDS = 100  # up to so many groups each is left out by itself; of more, ten folds of groups
ENOUGH = 19  # networks, for a largest score that holds 95 % of further ones
_FOLDS = 10

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Known:
    """What is known before a platform's own samples: a prior, and the samples' offsets from related platforms."""

    prior: Prior
    offsets: Array | None = None


@dataclass(frozen=True)
class HeldOut:
    """For each sample its seconds, and as predicted by fits that had not seen its group.

    doubts: standard deviation of each prediction's logarithm, as its own fit states it.
    """

    seconds: Array
    predicted: Array
    doubts: Array
    mult_adds_only: Array
    with_memory: Array
    method: str


def held_out(
    features: Features,
    seconds: Array,
    groups: Sequence[str],
    known: Callable[[frozenset[str]], Known],
    reference: Features,
    method: str = "",
) -> HeldOut:
    """Predict every sample by a fit to the samples of other groups, and to the kernels of these.

    groups: what must not be split, the network of each sample mostly. known: what is known before, given the
    groups that are left out. reference: features that have every kind of kernel. method: how to say what is held
    out, where groups are not networks.
    """
    assigned, usual = folds(groups)
    columns = (np.full(len(seconds), np.nan) for _ in range(4))
    predicted, doubts, line, plane = columns
    ones = np.ones(len(seconds))
    counts = np.column_stack([ones, features.mult_adds])
    more = np.column_stack([ones, features.mult_adds, features.memory_access])
    for fold in range(assigned.max() + 1):
        out = assigned == fold
        rest = ~out
        before = known(frozenset(group for group, left in zip(groups, out, strict=True) if left))
        offsets = None if before.offsets is None else before.offsets[rest]
        parts = None if features.parts is None else features.parts.of(rest)
        own = fit(features.amounts[rest], seconds[rest], before.prior, offsets=offsets, parts=parts)
        predicted[out] = own.predict(features.amounts[out])
        doubts[out] = _doubts(features, own, kind_doubts(own, before.prior, features, reference, rest))[out]
        line[out] = counts[out] @ linear(counts[rest], seconds[rest])
        plane[out] = more[out] @ linear(more[rest], seconds[rest])
    return HeldOut(seconds, predicted, doubts, line, plane, method or usual)


def folds(groups: Sequence[str]) -> tuple[Array, str]:
    """The fold of each sample, and how to say it: every group by itself, or ten folds where there are many."""
    order = {group: index for index, group in enumerate(sorted(set(groups)))}
    index = np.array([order[group] for group in groups])
    if len(order) <= MOST_FOLDS:
        return index, "leave one network out"
    shuffled = np.random.default_rng(0).permutation(len(order))
    return shuffled[index] % _FOLDS, f"{_FOLDS}-fold, whole networks out"


def linear(columns: Array, seconds: Array) -> Array:
    """Non-negative coefficients of least relative error: the plain baselines."""
    scale = np.where(columns.any(axis=0), columns.max(axis=0), 1.0)
    solution: Array = nnls(columns / scale / seconds[:, None], np.ones(len(seconds)))[0] / scale
    return solution


def plain(old: Features, seconds: Array, new: Features) -> tuple[Array, Array]:
    """What two plain baselines, fitted to networks that took `seconds`, predict for new ones: a line through mult-adds,
    and a plane through mult-adds and memory access."""
    results = []
    for names in (("mult_adds",), ("mult_adds", "memory_access")):
        columns = [
            np.column_stack([np.ones(len(work.mult_adds)), *(getattr(work, name) for name in names)])
            for work in (old, new)
        ]
        results.append(columns[1] @ linear(columns[0], seconds))
    return results[0], results[1]


def accuracy(held: HeldOut, groups: Sequence[str]) -> Accuracy:
    """The figures of held-out predictions."""
    error = np.abs(held.predicted / held.seconds - 1)
    tau = float(kendalltau(held.predicted, held.seconds).statistic) if len(error) > 1 else 0.0
    return Accuracy(
        method=held.method,
        networks=len(set(groups)),
        samples=len(error),
        mape=float(error.mean()),
        median=float(np.median(error)),
        within_5=float((error <= 0.05).mean()),
        within_10=float((error <= 0.1).mean()),
        tau=tau if np.isfinite(tau) else 0.0,
        baseline_mult_adds=float(np.abs(held.mult_adds_only / held.seconds - 1).mean()),
        baseline_memory=float(np.abs(held.with_memory / held.seconds - 1).mean()),
    )


def doubt(
    held: HeldOut, own: Fit, prior: Prior, features: Features, reference: Features, whole: Mask | None = None
) -> Doubt:
    """How far predictions may be off: the fit's own doubts, scaled so that held-out residuals stay within them.

    The quantiles are split-conformal (Vovk et al., 2005): of n held-out scores |log(predicted / measured)| / doubt the
    ceil((n + 1) coverage)-th smallest. Where n is too small for a coverage, the largest score is extended as a normal
    distribution's tail. Doubts of few samples shrink fast from the fits that were held out to the last one: no quantile
    is below what the residuals are of that one's doubts.

    whole: (samples,), which of them are whole networks; all if None. Where these are enough for every coverage, the
    quantiles are theirs: in a stack of one kind of layer a single coefficient's error is all that counts, in a
    network such errors average out.
    """
    residuals = np.abs(np.log(held.predicted / held.seconds))
    kinds = kind_doubts(own, prior, features, reference, np.ones(len(held.seconds), bool))
    asked = whole if whole is not None and whole.sum() >= ENOUGH else np.ones(len(held.seconds), bool)
    usual = np.median(_doubts(features, own, kinds)[asked])
    scores, plain = np.sort(residuals[asked] / held.doubts[asked]), np.sort(residuals[asked] / usual)
    return Doubt(
        own.noise,
        {kind.value: value for kind, value in sorted(kinds.items())},
        {coverage: max(quantile(scores, coverage), quantile(plain, coverage)) for coverage in COVERAGES},
    )


def quantile(scores: Array, coverage: float) -> float:
    """The score that a share `coverage` of further ones stays within. scores: ascending, at least one."""
    rank = int(np.ceil((len(scores) + 1) * coverage))
    if rank <= len(scores):
        return float(scores[rank - 1])
    reached = len(scores) / (len(scores) + 1)
    return float(scores[-1] * max(1.0, norm.ppf((1 + coverage) / 2) / norm.ppf((1 + reached) / 2)))


def kind_doubts(own: Fit, prior: Prior, features: Features, reference: Features, rows: Array) -> dict[Kind, float]:
    """The standard deviation of the logarithm of the time of each kind of kernel, made up as in the samples.

    A kind that no sample has is as uncertain as the prior says, whatever the fit has learned of kinds like it; it is
    made up as in `reference`.
    """
    result: dict[Kind, float] = {}
    terms = len(own.terms)
    for kind in {*features.kinds, *reference.kinds}:
        covariance = own.covariance[:terms, :terms]
        amounts = features.kinds[kind][rows] if kind in features.kinds else np.zeros((0, terms))
        if not amounts.any() and kind in reference.kinds:
            amounts, covariance = reference.kinds[kind], prior.covariance - SPEED_DOUBT**2
        parts = (amounts * own.coefficients).sum(axis=0)
        if parts.any():
            share = parts / parts.sum()
            result[kind] = float(np.sqrt(share @ covariance @ share))
    return result


def _doubts(features: Features, own: Fit, kinds: dict[Kind, float]) -> Array:
    total = features.amounts @ own.coefficients
    variance = np.full(len(total), own.noise**2)
    for kind, amounts in features.kinds.items():
        share = (amounts @ own.coefficients) / total
        variance += (share * kinds.get(kind, 0.0)) ** 2
    result: Array = np.sqrt(variance)
    return result

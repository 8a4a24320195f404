"""Linear lower bounds of what designs cost, for an engine that adds pieces up.

A budget binds the upper end of a latency's interval, stretch(T) x exp(q doubt), which is no sum over a network's
pieces: the doubt follows from the shares of the kinds of kernels. But with x the seconds by kind, T their sum and
doubt = sqrt(network^2 + sum (kind_k x_k / T)^2), the function g(x) = T exp(q doubt) is the perspective of a convex
function: convex, and homogeneous of degree 1. So its tangent at any x0 is nowhere above it, and passes through 0: a
price for each kind's seconds with g(x) >= sum of price x seconds, exact where the shares are those of x0.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from costmodel.predictor import quantile_of
from search.evaluate import Evaluator
from search.limits import Limits
from search.tables import MULT_ADDS, PARAMS, Array, Seconds

_ROUNDING = 1e-9  # of a budget; a sum of pieces may come out this much larger than the same network's


@dataclass(frozen=True)
class Relaxation:
    """Every design that keeps its limits has weights @ row <= budget, for each of these.

    weights: (limits, columns of the tables). budgets: (limits,), all 1.
    """

    weights: Array
    budgets: Array


def relaxed(evaluator: Evaluator, limits: Limits, at: Array) -> Relaxation:
    """The limits as linear ones. at: (columns,) a row of the tables, at whose shares the budgets' bounds are exact."""
    columns = len(at)
    rows, budgets = [], []
    for one in evaluator.tables.seconds:
        budget = limits.budgets.get(one.platform.id)
        if budget is not None:
            rows.append(_prices(one, at, _quantile(one, evaluator.coverage), columns))
            budgets.append(_highest(one, budget, evaluator.coverage))
    for column, limit in ((PARAMS, limits.max_params), (MULT_ADDS, limits.max_mult_adds)):
        if limit is not None:
            rows.append(np.eye(columns)[column])
            budgets.append(float(limit))
    weights = np.array(rows).reshape(-1, columns) / np.array(budgets).reshape(-1, 1)
    return Relaxation(weights, np.full(len(rows), 1.0 + _ROUNDING))


def with_mixture(relaxation: Relaxation, shares: Sequence[float]) -> Relaxation:
    """The same with one limit more, which follows from the others: their mean, weighted by shares."""
    mixed = np.array(shares) @ relaxation.weights / sum(shares)
    return Relaxation(np.vstack([relaxation.weights, mixed]), np.append(relaxation.budgets, 1.0 + _ROUNDING))


def _quantile(one: Seconds, coverage: float) -> float:
    """Of doubts in g: as in the interval, or less where an exponent above 0 makes the sum count for more than once."""
    quantile = quantile_of(one.platform, coverage)
    return min(quantile, quantile / (1.0 + one.platform.stretch.exponent))


def _prices(one: Seconds, at: Array, quantile: float, columns: int) -> Array:
    """The gradient of g at a row: what a second of each kind, and of what is fixed, adds to the bound."""
    doubt = one.platform.doubt
    kinds = {column: doubt.kinds.get(kind, 1.0) for kind, column in one.kinds.items()}
    total = at[one.fixed] + sum(at[column] for column in kinds)
    share = {column: at[column] / total for column in kinds}
    squares = sum((kinds[column] * share[column]) ** 2 for column in kinds)
    spread = math.sqrt(doubt.network**2 + squares)
    factor = math.exp(quantile * spread)
    slope = quantile / spread if spread else 0.0
    result = np.zeros(columns)
    result[one.fixed] = factor * (1.0 - slope * squares)
    for column, own in kinds.items():
        result[column] = factor * (1.0 + slope * (own**2 * share[column] - squares))
    return result


def _highest(one: Seconds, budget: float, coverage: float) -> float:
    """What g is at most for designs that keep a budget of seconds, in whichever part of the stretch their sum lies."""
    stretch, doubt = one.platform.stretch, one.platform.doubt
    exponent, quantile = stretch.exponent, quantile_of(one.platform, coverage)
    if not exponent:
        return budget
    worst = math.exp(quantile * math.hypot(doubt.network, max([1.0, *doubt.kinds.values()])))
    result: float = (budget * stretch.reference**exponent) ** (1.0 / (1.0 + exponent))
    for end, is_below in ((stretch.shortest, True), (stretch.longest, False)):
        if 0.0 < end < math.inf:
            outside = budget / (end / stretch.reference) ** exponent
            if is_below:
                result = max(result, min(outside, end * worst))
            elif outside >= end:
                result = max(result, outside)
    return result

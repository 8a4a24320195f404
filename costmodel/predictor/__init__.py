"""Kernels and a platform's coefficients -> latencies with intervals.

`terms.py` says what a kernel's time is made of, `predict.py` adds it up, `estimate.py` holds the results.
"""

from costmodel.predictor.estimate import Estimate, KernelEstimate, Prediction
from costmodel.predictor.predict import COVERAGE, fixed_seconds, kernel_seconds, predict, quantile_of, run_estimate
from costmodel.predictor.terms import TERMS

__all__ = [
    "COVERAGE",
    "TERMS",
    "Estimate",
    "KernelEstimate",
    "Prediction",
    "fixed_seconds",
    "kernel_seconds",
    "predict",
    "quantile_of",
    "run_estimate",
]

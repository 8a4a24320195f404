"""What is known before a platform is measured, as readable files: priors/RUNTIME-PRECISION-THREADSt.json.

A file says for each term how many mult-adds of a 1x1 convolution take as long (`mult_adds`), how much that differs from
device to device (`doubt`, of the natural logarithm), which terms differ together (`factors`), and by how much the
networks measured on related platforms are all slower than the terms say (`offsets`).
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from calibration import physics
from calibration.features import TERMS
from calibration.fit import Prior
from calibration.physics import SPEED_DOUBT, Processor
from calibration.relatives import Learned, factors
from costmodel.errors import UsageError

SCHEMA = "costmodel.prior/1"
FOLDER = Path(__file__).parent / "priors"

_UNIT = "pointwise.mult_adds"
_DIGITS = 5


def before(runtime: str, precision: str, threads: int, processor: Processor, use: str = "auto") -> Learned:
    """What is known of a platform of which nothing is measured.

    use: "auto" for what related platforms know, where there is a file of the same runtime and precision (with the
    nearest number of threads), else general physics; "none" for physics only. Raises UsageError for a damaged file.
    """
    general = Learned(physics.prior(processor), {}, ())
    if use == "none":
        return general
    files = {int(path.stem.rpartition("-")[2][:-1]): path for path in FOLDER.glob(f"{runtime}-{precision}-*t.json")}
    if not files:
        return general
    nearest = min(sorted(files), key=lambda count: abs(np.log(count / max(threads, 1))))
    return load(files[nearest], general.prior)


def dumps(learned: Learned) -> str:
    """What relatives know as the text of a file; the same knowledge gives the same bytes."""
    prior = learned.prior
    unit = prior.mean[prior.terms.index(_UNIT)]
    loadings, rest = factors(prior.covariance - SPEED_DOUBT**2)
    document = {
        "schema": SCHEMA,
        "relatives": list(learned.relatives),
        "terms": {
            term: {"mult_adds": _rounded(np.exp(mean - unit)), "doubt": _rounded(doubt)}
            for term, mean, doubt in zip(prior.terms, prior.mean, rest, strict=True)
        },
        "factors": [
            {term: _rounded(value) for term, value in zip(prior.terms, row, strict=True) if abs(value) >= 0.005}
            for row in loadings
        ],
        "offsets": {name: _rounded(offset) for name, offset in sorted(learned.offsets.items())},
    }
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def load(path: Path, general: Prior) -> Learned:
    """A file's knowledge. general: for terms that the file does not know.

    Raises UsageError for a file that is not as it should be.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        if document["schema"] != SCHEMA:
            raise ValueError(f"schema is {document['schema']!r}")
        return _learned(document, general)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UsageError(
            f"{path}: not a file of what related platforms know ({error}); rebuild it with "
            "`python -m calibration.build_profiles`, or use --prior none"
        ) from error


def _learned(document: Mapping[str, Any], general: Prior) -> Learned:
    known = document["terms"]
    unit = general.mean[general.terms.index(_UNIT)]
    mean, rest = general.mean.copy(), np.sqrt(np.diag(general.covariance - SPEED_DOUBT**2))
    for index, term in enumerate(TERMS):
        if term in known:
            mean[index] = unit + np.log(_above_0(known[term]["mult_adds"], term))
            rest[index] = _above_0(known[term]["doubt"], term)
    loadings = np.array([[_finite(row.get(term, 0.0), "factors") for term in TERMS] for row in document["factors"]])
    covariance = loadings.T @ loadings + np.diag(rest**2) + SPEED_DOUBT**2
    offsets = {name: _finite(value, name) for name, value in document["offsets"].items()}
    return Learned(Prior(TERMS, mean, covariance), offsets, tuple(document["relatives"]))


def _finite(value: Any, place: str) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"{place}: {number} is not finite")
    return number


def _above_0(value: Any, place: str) -> float:
    number = _finite(value, place)
    if number <= 0:
        raise ValueError(f"{place}: {number:g} is not above 0")
    return number


def _rounded(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")

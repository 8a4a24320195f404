"""Waivers: findings that the user accepts, each for a reason, until a date where one is given.

They stand in a TOML file:

    [[waiver]]
    guideline = "G4"
    place = "features.*"
    reason = "the runtime of this device fuses them"
    expires = 2027-01-01
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from difflib import get_close_matches
from fnmatch import fnmatchcase
from pathlib import Path, PurePath
from typing import Any

from costmodel.errors import UsageError
from costmodel.guidelines.finding import Finding, Review
from costmodel.guidelines.review import totals
from costmodel.guidelines.rules import find_rule

_TEXTS = ("guideline", "place", "operator", "model", "reason")
_KEYS = (*_TEXTS, "expires")


@dataclass(frozen=True, slots=True)
class Waiver:
    """Findings of a guideline that are not to count.

    guideline: its id. place, operator, model: globs, empty where all will do; at least place or operator is given.
    place is the finding's; operator is to fit the names of all its operators, so that nothing is waived that it does
    not name; model the name as it was given, or its last part where that is a path. expires: the last day on which it
    holds. where: the file and the entry that it is from, for messages.
    """

    guideline: str
    reason: str
    place: str = ""
    operator: str = ""
    model: str = ""
    expires: date | None = None
    where: str = ""

    def fits(self, finding: Finding) -> bool:
        """Whether the finding is of the kind that is waived, whatever the model and the day."""
        return (
            finding.guideline == self.guideline
            and (not self.place or fnmatchcase(finding.place, self.place))
            and (not self.operator or all(fnmatchcase(node.name, self.operator) for node in finding.operators))
        )

    def concerns(self, model: str) -> bool:
        """Whether it is about the model of this name."""
        return not self.model or any(fnmatchcase(name, self.model) for name in (model, PurePath(model).name))

    def expired(self, today: date) -> bool:
        """Whether its last day has passed."""
        return self.expires is not None and self.expires < today


def waive(review: Review, waivers: Iterable[Waiver], model: str, today: date) -> tuple[Review, tuple[Waiver, ...]]:
    """The review with the findings that a waiver fits moved to `waived`, each with its reason.

    The totals are again of the findings that count. Beside it the waivers that concern the model and hold, but fit no
    finding. Of several that fit one the first gives the reason, and all are used.
    """
    holding = [waiver for waiver in waivers if waiver.concerns(model) and not waiver.expired(today)]
    counting, waived, used = list[Finding](), list(review.waived), set[int]()
    for finding in review.findings:
        fitting = [index for index, waiver in enumerate(holding) if waiver.fits(finding)]
        used.update(fitting)
        if fitting:
            waived.append(replace(finding, reason=holding[fitting[0]].reason))
        else:
            counting.append(finding)
    unused = tuple(waiver for index, waiver in enumerate(holding) if index not in used)
    if len(counting) == len(review.findings):
        return review, unused
    left = replace(review, findings=tuple(counting), waived=tuple(waived), totals=totals(counting, review.clocks))
    return left, unused


def load_waivers(path: Path) -> tuple[Waiver, ...]:
    """The waivers of a TOML file. Raises UsageError where it cannot be read or an entry is not one."""
    try:
        content = tomllib.loads(path.read_bytes().decode("utf-8"))
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror or error}); give a file of waivers") from error
    except ValueError as error:  # of the encoding or of TOML
        raise UsageError(f"{path}: no TOML: {error}; write entries [[waiver]]") from error
    entries = content.pop("waiver", [])
    if content or not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        odd = next(iter(content), "waiver")
        raise UsageError(f"{path}: {odd}: the file holds entries [[waiver]] and nothing else")
    return tuple(_waiver(entry, f"{path}: waiver {number}") for number, entry in enumerate(entries, 1))


def _waiver(entry: Mapping[str, Any], where: str) -> Waiver:
    for key, value in entry.items():
        _check(key, value, where)
    for key in ("guideline", "reason"):
        if not entry.get(key, "").strip():
            raise UsageError(f"{where}: {key} is missing; write {key} = {_EXAMPLES[key]}")
    if not (entry.get("place") or entry.get("operator")):
        raise UsageError(f'{where}: place or operator is missing; write place = "features.*", or "*" for every place')
    try:
        guideline = find_rule(entry["guideline"]).id
    except UsageError as error:
        raise UsageError(f"{where}: guideline: {error}") from error
    return Waiver(**{**entry, "guideline": guideline, "where": where})


def _check(key: str, value: object, where: str) -> None:
    """Raise UsageError for an entry's key that there is not, and for a value of another type."""
    if key not in _KEYS:
        raise UsageError(f"{where}: {key}: no such key; {nearest(key, _KEYS)}")
    if key in _TEXTS and not isinstance(value, str):
        raise UsageError(f"{where}: {key}: {value!r} is no text; write {key} = {_EXAMPLES[key]}")
    if key == "expires" and (not isinstance(value, date) or isinstance(value, datetime)):
        raise UsageError(f"{where}: expires: {value!r} is no day; write expires = 2027-01-01, without quotes")


_EXAMPLES = {
    "guideline": '"G4"',
    "place": '"features.*"',
    "operator": '"/features/*"',
    "model": '"mobilenet*.onnx"',
    "reason": '"why it is accepted"',
}


def nearest(word: str, known: Sequence[str]) -> str:
    """What to say to a name that there is not: the near miss, or all that there are."""
    near = get_close_matches(word[:100], known, n=1)
    return f"did you mean {near[0]}?" if near else f"there are: {', '.join(known)}"

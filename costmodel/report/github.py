"""A check as annotations of a pull request: workflow commands, which GitHub reads from a step's log.

https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands: a command is a line
`::LEVEL name=value,...::message`, in which what would end a value or a line is percent-encoded. GitHub shows the first
ten annotations of each level in a step, so that findings which differ in their place only are one, the worst first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from costmodel.guidelines import RULES, Severity
from costmodel.report.check import Check, Fold, folds
from costmodel.report.latency import budget_line
from costmodel.report.names import plain
from costmodel.report.savings import as_sentence, place_of_source, savings_sentence

_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "notice"}
_LONGEST_TITLE = 255  # characters, https://docs.github.com/en/rest/checks/runs
_LONGEST_PART = 4000  # characters of a sentence; a name in a damaged file can have millions
_DATA = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})
_PROPERTY = {**_DATA, **str.maketrans({":": "%3A", ",": "%2C"})}


def render(check: Check) -> str:
    """One command for each budget that is exceeded and for each finding that counts, and what they add up to."""
    return "".join(f"{line}\n" for line in _lines(check))


def _lines(check: Check) -> Iterator[str]:
    model = check.analysis.model
    for budget in check.analysis.exceeded:
        yield _command("error", model, 0, f"Latency of {model}", f"{budget_line(budget)}.")
    for fold in folds(check.review.findings):
        file, line = place_of_source(fold.first)
        yield _command(_LEVELS[fold.first.severity], file or model, line, _title(fold), _message(fold))
    # a log is also searched for commands of an older form, anywhere in a line
    yield plain(_summary(check)).replace("##[", "## [")


def _title(fold: Fold) -> str:
    finding = fold.first
    others = len(fold.findings) - 1
    end = "" if not others else f" and {others} other{'s' * (others > 1)} like it"
    head = f"{finding.guideline} {RULES[finding.guideline].slug}: {plain(finding.place)}"
    room = _LONGEST_TITLE - len(end)
    return (head if len(head) <= room else f"{head[: room - 3]}...") + end


def _message(fold: Fold) -> str:
    finding = fold.first
    saving = savings_sentence(finding.savings)
    parts = [as_sentence(finding.message), saving, as_sentence(finding.suggestion)]
    if len(fold.findings) > 1:
        parts[1] = f"Each {saving[:1].lower()}{saving[1:]}"
        parts.append(f"Also at {', '.join(plain(other.place) for other in fold.findings[1:])}.")
    return "\n".join(_cut(part) for part in parts if part)


def _cut(text: str) -> str:
    half = _LONGEST_PART // 2
    return text if len(text) <= _LONGEST_PART else f"{text[:half]} ... {text[-half:]}"


def _command(level: str, file: str, line: int, title: str, message: str) -> str:
    place = {"file": file, **({"line": str(line)} if line else {}), "title": title}
    properties = ",".join(f"{name}={plain(value).translate(_PROPERTY)}" for name, value in place.items())
    return f"::{level} {properties}::{message.translate(_DATA)}"


def _summary(check: Check) -> str:
    """How many findings there are of each severity, and what all that count save together."""
    review = check.review
    number = Counter(finding.severity for finding in review.findings)
    counts = [f"{number[level]} {level.value}{'s' * (number[level] != 1)}" for level in Severity if number[level]]
    parts = [f"costmodel: {_cut(plain(check.analysis.model))}: {', '.join(counts) or 'no findings'}"]
    if review.waived:
        parts[0] += f", {len(review.waived)} waived"
    if review.findings:
        together = savings_sentence(review.totals)
        parts.append(f"together {together[:1].lower()}{together[1:]}".rstrip("."))
    return "; ".join(parts)

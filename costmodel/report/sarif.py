"""A check as SARIF 2.1.0, for GitHub code scanning and other readers of the format.

Section numbers are those of the standard (OASIS, Static Analysis Results Interchange Format 2.1.0). Beyond it, GitHub
refuses a whole file for one result without a file, or with one of a scheme: what has no file, a network of the zoo,
is located at its name as if it were one.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any
from urllib.parse import quote

from costmodel.analysis import Analysis
from costmodel.graph import Node
from costmodel.guidelines import RULES, Finding, Rule, record, saving_record
from costmodel.pricing import latency_record
from costmodel.report.check import Check
from costmodel.report.coverage import assumption_lines, coverage_line
from costmodel.report.documents import json_text
from costmodel.report.latency import budget_line
from costmodel.report.names import operator_label, plain
from costmodel.report.savings import as_sentence, place_of_source, savings_sentence

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
VERSION = "2.1.0"

_ROOT = "%SRCROOT%"  # GitHub's name for the root of the repository
_DISTRIBUTION = "cnn-costmodel"
# MAJOR.MINOR.PATCH with what may follow, https://semver.org: 0.1.0.dev1 of Python is none
_SEMANTIC = re.compile(r"\d+[.]\d+[.]\d+(?:-[0-9A-Za-z.-]+)?(?:[+][0-9A-Za-z.-]+)?")


def render(check: Check) -> str:
    """The check as one SARIF log; findings that are waived are suppressed results."""
    log = {"$schema": SCHEMA, "version": VERSION, "runs": [_run(check)]}
    text = json_text(log, default=str)
    return text.encode("utf-8", "replace").decode("utf-8")  # a lone surrogate in a name is no text


def _run(check: Check) -> dict[str, Any]:
    analysis, review = check.analysis, check.review
    return {
        "tool": {"driver": _driver()},
        # what stands before the last slash is GitHub's category: a model's results replace its earlier ones only
        "automationDetails": {"id": f"costmodel/{plain(analysis.model)}/"},
        "invocations": [_invocation(check)],
        "originalUriBaseIds": {_ROOT: {"description": {"text": "The directory that costmodel ran in."}}},
        "artifacts": [{"location": _artifact(analysis.model), "roles": ["analysisTarget"]}],
        "results": list(_results(check)),
        "properties": {
            "model": analysis.model,
            "platforms": list(map(latency_record, analysis.predictions)),
            "total_saving": {total.platform: saving_record(total) for total in review.totals},
            "coverage": coverage_line(analysis),
        },
    }


def _driver() -> dict[str, Any]:
    from importlib.metadata import PackageNotFoundError, metadata

    driver: dict[str, Any] = {"name": "costmodel"}
    try:
        about = metadata(_DISTRIBUTION)
    except PackageNotFoundError:  # run from its sources
        about = None
    if about is not None:
        version = about["Version"]
        driver["version"] = version
        if _SEMANTIC.fullmatch(version):
            driver["semanticVersion"] = version
        pages = [entry.partition(",")[2].strip() for entry in about.get_all("Project-URL") or ()]
        if pages:
            driver["informationUri"] = pages[0]
    return {**driver, "rules": list(map(_rule, RULES.values()))}


def _rule(rule: Rule) -> dict[str, Any]:
    """A guideline as a reportingDescriptor (3.49), its documentation as help."""
    what = rule.sections.get("What it does", rule.title)
    return {
        "id": rule.id,
        "name": "".join(word.capitalize() for word in rule.slug.split("-")),
        "shortDescription": {"text": f"{rule.title}."},
        "fullDescription": {"text": " ".join(what.split())},
        "help": {
            "text": "\n\n".join(chain([f"{rule.title}."], (f"{k}\n{v}" for k, v in rule.sections.items()))),
            "markdown": "\n\n".join(chain([f"**{rule.title}.**"], _markdown(rule.sections))),
        },
        "defaultConfiguration": {"level": "warning"},  # each result has its own, by its price
        "properties": {"tags": ["performance"]},
    }


def _markdown(sections: Mapping[str, str]) -> Iterator[str]:
    for name, text in sections.items():
        yield f"### {name}\n\n{f'`{text}`' if text.startswith('zoo:') else text}"


def _invocation(check: Check) -> dict[str, Any]:
    """That the check ran (3.20), what it had to assume, and what it did not look for."""
    result: dict[str, Any] = {"executionSuccessful": True}
    notifications = [_notification(level, text) for level, text in _notices(check.analysis)]
    if notifications:
        result["toolExecutionNotifications"] = notifications
    left_out = [id for id in RULES if id not in check.rules]
    if left_out:
        result["ruleConfigurationOverrides"] = [
            {"descriptor": {"id": id, "index": list(RULES).index(id)}, "configuration": {"enabled": False}}
            for id in left_out
        ]
    return result


def _notices(analysis: Analysis) -> Iterator[tuple[str, str]]:
    for budget in analysis.exceeded:
        yield "warning", f"{budget_line(budget)}."
    if analysis.coverage.unknown:
        yield "warning", f"{coverage_line(analysis)}. Unknown operators are not checked."
    for line in assumption_lines(analysis):
        yield "note", line


def _notification(level: str, text: str) -> dict[str, Any]:
    return {"level": level, "message": _text(text)}


def _results(check: Check) -> Iterator[dict[str, Any]]:
    review = check.review
    findings = (*review.findings, *review.waived)
    marks = _fingerprints(check.analysis.model, findings)
    for finding, mark in zip(findings, marks, strict=True):
        result = _result(check.analysis.model, finding, mark)
        if review.waived:  # 3.27.23: on all results of a run, or on none
            result["suppressions"] = _suppressions(finding)
        yield result


def _result(model: str, finding: Finding, mark: str) -> dict[str, Any]:
    what = record(finding)
    sentences = (as_sentence(finding.message), savings_sentence(finding.savings), as_sentence(finding.suggestion))
    return {
        "ruleId": finding.guideline,
        "ruleIndex": list(RULES).index(finding.guideline),
        "level": finding.severity.value,
        "rank": round(100 * min(max(finding.share, 0.0), 1.0), 3),
        "message": _text(" ".join(filter(None, sentences))),
        "locations": [_location(model, finding)],
        # the name that GitHub reads; without it all results in a model's file are one alert to it
        "partialFingerprints": {"primaryLocationLineHash": mark},
        "properties": {key: what[key] for key in ("place", "evidence", "saving_ms", "savings", "suggestion")},
    }


def _suppressions(finding: Finding) -> list[dict[str, str]]:
    if not finding.reason:
        return []
    return [{"kind": "external", "status": "accepted", "justification": finding.reason}]


def _text(text: str) -> dict[str, str]:
    """A message (3.11), in which braces and a link's brackets stand for themselves (3.11.5, 3.11.6)."""
    text = text.replace("{", "{{").replace("}", "}}")
    if "](" in text:
        text = re.sub(r"([\[\]\\])", r"\\\1", text)
    return {"text": text}


def _location(model: str, finding: Finding) -> dict[str, Any]:
    """The line that wrote the first operator, else the model as a whole, and the operators in it."""
    file, line = place_of_source(finding)
    physical: dict[str, Any] = {"artifactLocation": _artifact(file) if file else {**_artifact(model), "index": 0}}
    if line:
        physical["region"] = {"startLine": line}
    return {"physicalLocation": physical, "logicalLocations": list(map(_operator, finding.operators))}


def _operator(node: Node) -> dict[str, str]:
    return {"name": plain(node.name), "fullyQualifiedName": plain(operator_label(node)), "kind": "member"}


def _artifact(path: str) -> dict[str, str]:
    """Where a file is (3.4): below the working directory by the way from there, elsewhere by its absolute URI."""
    absolute = os.path.abspath(path)
    try:
        inside = Path(absolute).relative_to(Path.cwd()).as_posix()
    except ValueError:
        return {"uri": f"file://{_quoted('/' + Path(absolute).as_posix().lstrip('/'))}"}
    return {"uri": _quoted(inside), "uriBaseId": _ROOT}


def _quoted(path: str) -> str:
    """Percent-encoded; a colon too, before which a relative URI would have a scheme (RFC 3986, 4.2)."""
    return quote(path.encode("utf-8", "surrogatepass"), safe="/")


def _fingerprints(model: str, findings: Sequence[Finding]) -> list[str]:
    """What stays of each finding when others come and go or the order changes: the model, guideline and operators.

    Findings that have all three in common are numbered by what they say.
    """
    hashes = [_hash(chain([model, one.guideline], sorted(node.name for node in one.operators))) for one in findings]
    same: dict[str, list[str]] = {}
    for hash, finding in zip(hashes, findings, strict=True):
        same.setdefault(hash, []).append(finding.message)
    for messages in same.values():
        messages.sort()
    return [f"{hash}:{_place(same[hash], finding.message)}" for hash, finding in zip(hashes, findings, strict=True)]


def _place(messages: list[str], message: str) -> int:
    """From 1; of two that are equal the first one gets the first place, and the other the next."""
    index = messages.index(message)
    messages[index] = "\0taken"
    return index + 1


def _hash(parts: Iterable[str]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        digest.update(len(data).to_bytes(8, "big") + data)
    return digest.hexdigest()[:16]

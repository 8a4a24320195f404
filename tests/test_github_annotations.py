"""Annotations: lines that GitHub reads as meant, whatever the model's names hold."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from check_examples import HOSTILE, PHONE, check, finding, saving

import costmodel
from costmodel.guidelines import Finding, Severity
from costmodel.report import github
from costmodel.report.check import Check

_ESCAPES = {"%0A": "\n", "%0D": "\r", "%3A": ":", "%2C": ",", "%25": "%"}


def unescaped(text: str) -> str:
    """As the runner reads data and properties: each escape once."""
    return re.sub("|".join(_ESCAPES), lambda match: _ESCAPES[match[0]], text)


def commands(checked: Check) -> list[tuple[str, dict[str, str], str]]:
    """Level, properties and message of each command, by the runner's grammar; the last line is none."""
    text = github.render(checked)
    assert text.endswith("\n")
    *lines, last = text[:-1].split("\n")
    assert not last.lstrip().startswith("::")
    result = []
    for line in lines:
        level, properties, message = re.fullmatch("::(error|warning|notice) (.*?)::(.*)", line).groups()  # type: ignore[union-attr]
        pairs = dict(pair.split("=", 1) for pair in properties.split(","))
        result.append((level, {key: unescaped(text) for key, text in pairs.items()}, unescaped(message)))
    return result


def command_of(one: Finding, **changes: Any) -> tuple[str, dict[str, str], str]:
    (result,) = commands(check([one], **changes))
    return result


def summary(checked: Check) -> str:
    return github.render(checked).splitlines()[-1]


def test_a_finding_is_one_command_at_its_line() -> None:
    assert command_of(finding(source="src/net.py:12")) == (
        "error",
        {"file": "src/net.py", "line": "12", "title": "G1 equal-width: conv1"},
        "1x1 convolution 24 -> 144 channels is unbalanced.\n"
        f"Estimated to save 1.50 ms (0.750 to 3.00, 6.0 %) on {PHONE}.\n"
        "Give a layer about 59 channels.",
    )


def test_without_a_source_it_is_at_the_model() -> None:
    assert command_of(finding(), model="a,b:c.onnx")[1] == {"file": "a,b:c.onnx", "title": "G1 equal-width: conv1"}


@pytest.mark.parametrize(
    ("severity", "level"), [(Severity.ERROR, "error"), (Severity.WARNING, "warning"), (Severity.NOTE, "notice")]
)
def test_each_severity_has_its_level(severity: Severity, level: str) -> None:
    assert command_of(finding(severity=severity))[0] == level


def test_the_worst_come_first_and_then_what_saves_most() -> None:
    small = finding(["a"], message="A", severity=Severity.WARNING, savings=(saving(1, 0.02),))
    large = finding(["b"], message="B", severity=Severity.WARNING, savings=(saving(2, 0.04),))
    note = finding(["c"], message="C", severity=Severity.NOTE, savings=(saving(9, 0.3),))
    worst = finding(["d"], message="D", savings=(saving(3, 0.05),))
    assert [message[0] for _, _, message in commands(check([note, small, large, worst]))] == list("DBAC")


def test_findings_that_differ_in_their_place_only_are_one() -> None:
    units = [finding([f"stage.{index}"]) for index in range(7)]
    (one,) = commands(check(units))
    assert one[1]["title"] == "G1 equal-width: stage.0 and 6 others like it"
    assert f"Each estimated to save 1.50 ms (0.750 to 3.00, 6.0 %) on {PHONE}." in one[2]
    assert one[2].endswith("Also at stage.1, stage.2, stage.3, stage.4, stage.5, stage.6.")


@pytest.mark.parametrize("name", HOSTILE, ids=lambda name: repr(name[:12]))
def test_whatever_names_hold_no_line_and_no_property_is_added(name: str) -> None:
    one = finding([name or "a"], f"{name}:7", place=name, message=f"after {name} it is slow", suggestion=name)
    (command,) = commands(check([one], model=name))
    assert set(command[1]) <= {"file", "line", "title"}
    assert len(command[1]["title"]) <= 255
    assert len(command[2]) < 20_000
    text = github.render(check([one], model=name))
    assert text.count("\n") == 2
    assert "##[" not in text.splitlines()[-1]
    text.encode("utf-8")


def test_percent_signs_and_separators_are_escaped() -> None:
    line = github.render(check([finding(place="100%,a:b", message="50% of\ttime")])).splitlines()[0]
    assert "title=G1 equal-width%3A 100%25%2Ca%3Ab::50%25 of" in line
    assert "\t" not in line


def test_the_last_line_adds_up() -> None:
    notes = [finding(["x"], message="X", severity=Severity.NOTE), finding(["y"], severity=Severity.NOTE)]
    assert summary(check([finding(), *notes], [finding(["w"], reason="agreed")])) == (
        "costmodel: models/net.onnx: 1 error, 2 notes, 1 waived; "
        f"together estimated to save 2.00 ms (1.00 to 4.00, 8.0 %) on {PHONE}"
    )


def test_without_findings_there_is_only_the_last_line() -> None:
    assert github.render(check([])) == "costmodel: models/net.onnx: no findings\n"


def test_waived_findings_are_no_commands() -> None:
    assert commands(check([], [finding(reason="agreed")])) == []


def test_an_exceeded_budget_is_an_error_before_all_findings() -> None:
    analysis = costmodel.analyze("zoo:squeezenet1_1", budgets={"gtx1080ti-cudnn7-fp32": 1e-6})
    (first, *_) = commands(replace(check([finding()]), analysis=analysis))
    assert first[0] == "error"
    assert first[1]["title"] == "Latency of zoo:squeezenet1_1"
    assert first[2].startswith("Budget of 0.00100 ms on gtx1080ti-cudnn7-fp32: exceeded")

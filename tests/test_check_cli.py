"""`costmodel check`: what it prints, the published JSON, and its exit status."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from onnx_models import model, node, save, value, weight

from costmodel import analyze
from costmodel.cli import main
from costmodel.guidelines import Finding, Options, Review, Saving, Severity, record, saving_record
from costmodel.report import check_text
from costmodel.report.check import Check, clusters, folds

NETWORK = "zoo:shufflenet_v1"  # breaks G2 in every unit
CLEAN = "zoo:shufflenet_v2"
GPU, ARM = "gtx1080ti-cudnn7-fp32", "snapdragon810-neon-fp32-1t"


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody's settings."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def review() -> Review:
    return analyze(NETWORK, platform=[GPU, ARM]).check()


@pytest.fixture(scope="module")
def check(review: Review) -> Check:
    return Check(analyze(NETWORK, platform=[GPU, ARM]), review, Options())


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    status = main(["check", *words])
    out, err = capsys.readouterr()
    return status, out, err


def told(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    result: dict[str, Any] = json.loads(run(capsys, *words, "--format", "json")[1])
    return result


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    try:
        status = main(["check", *words])
    except SystemExit as end:  # argparse leaves this way
        status = end.code if isinstance(end.code, int) else 1
    out, err = capsys.readouterr()
    assert (status, out) == (2, "")
    assert len(err.splitlines()) == 1
    return err


# -- exit status


@pytest.mark.parametrize("level", ["error", "warning", "note"])
def test_the_status_is_1_from_the_level_on_and_stderr_counts(
    level: str, review: Review, capsys: pytest.CaptureFixture[str]
) -> None:
    count = sum(finding.severity.rank <= Severity(level).rank for finding in review.findings)
    status, _, err = run(capsys, NETWORK, "--fail-on", level)
    assert count > 0
    assert status == 1
    assert err.startswith(f"costmodel: {NETWORK}: {count} finding{'s' * (count > 1)} of severity {level}")
    assert len(err.splitlines()) == 1


def test_error_is_where_it_fails_without_being_told(capsys: pytest.CaptureFixture[str]) -> None:
    only_warnings = ("--select", "G2")
    assert run(capsys, NETWORK, *only_warnings)[::2] == (0, "")
    assert run(capsys, NETWORK, *only_warnings, "--fail-on", "warning")[0] == 1
    assert run(capsys, NETWORK, *only_warnings, "--error-at", "2%")[0] == 1


def test_never_is_never_but_a_budget_is_a_budget(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, NETWORK, "--fail-on", "never")[::2] == (0, "")
    status, out, err = run(capsys, NETWORK, "--fail-on", "never", "--budget", "snapdragon810=1ms")
    assert status == 1
    assert "Budget of 1.00 ms" in out
    assert err.count("\n") == 1
    assert "exceeded" in err
    assert run(capsys, NETWORK, "--fail-on", "never", "--budget", "snapdragon810=1s")[::2] == (0, "")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([NETWORK, "-p", "none"], "-p none: findings are weighed by their price; name a platform"),
        ([NETWORK, "--select", "G1,G7"], "G7: no such guideline; there are: G1 (equal-width)"),
        ([NETWORK, "--select", "G1", "--ignore", "g1"], "no guideline is left"),
        ([NETWORK, "--error-at", "5 percent"], "'5 percent' is no share; write 5% or 0.05"),
        ([NETWORK, "--error-at", "1%"], "error_at: 1 % is below warning_at, 2 %"),
        ([NETWORK, "--set", "min_exces=1"], "--set: min_exces: no rule has this option; did you mean min_excess?"),
        ([NETWORK, "--set", "min_excess"], "write NAME=NUMBER"),
        ([NETWORK, "--set", "min_excess=much"], "'much' is no number; write min_excess=0.05"),
        ([NETWORK, "--set", "max_fragments=2.5"], "max_fragments: 2.5 is not a whole number"),
        ([NETWORK, "--set", "error_at=0.1"], "it is a setting of its own; give error-at instead"),
        ([NETWORK, "--fail-on", "fatal"], "invalid choice: 'fatal'"),
        ([NETWORK, "--waivers", "none.toml"], "none.toml: cannot be read"),
        (["shufflenet_v1"], "did you mean zoo:shufflenet_v1?"),
        (["nowhere.onnx"], "nowhere.onnx: no such file"),
    ],
    ids=lambda item: " ".join(item)[:40] if isinstance(item, list) else "",
)
def test_bad_usage_is_status_2_and_one_line(words: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert says in refused(capsys, *words)


# -- JSON


def test_the_json_is_the_review_in_the_published_form(review: Review, capsys: pytest.CaptureFixture[str]) -> None:
    content = told(capsys, NETWORK)
    assert content["schema"] == "costmodel.check/1"
    assert content["model"] == NETWORK
    assert [entry["id"] for entry in content["platforms"]] == [GPU, ARM]
    assert all(entry["low_ms"] < entry["latency_ms"] < entry["high_ms"] for entry in content["platforms"])
    assert content["findings"] == json.loads(json.dumps([record(finding) for finding in review.findings]))
    needed = {"guideline", "severity", "operators", "message", "evidence", "saving_ms", "suggestion"}
    assert all(needed <= entry.keys() for entry in content["findings"])
    assert content["total_saving"] == {total.platform: saving_record(total) for total in review.totals}
    assert content["options"]["error_at"] == 0.05
    assert content["coverage"] == {
        "counted": len(analyze(NETWORK).operators),
        "approximated": 0,
        "unknown": 0,
        "unknown_ops": [],
    }
    assert (content["waived"], content["unused_waivers"], content["budgets"]) == ([], [], [])


def test_options_of_the_command_line_reach_the_rules(capsys: pytest.CaptureFixture[str]) -> None:
    assert told(capsys, NETWORK, "--select", "G1,g2", "--select", "fragmentation")["guidelines"] == ["G1", "G2", "G3"]
    assert told(capsys, NETWORK, "--ignore", "G2, G4")["guidelines"] == ["G1", "G3"]
    assert told(capsys, NETWORK, "--error-at", "7%") == told(capsys, NETWORK, "--error-at", "0.07")
    assert told(capsys, NETWORK, "--select", "G1", "--set", "min_excess=0.99")["findings"] == []
    content = told(capsys, NETWORK, "-p", "pixel4", "--budget", "snapdragon810=1s", "--coverage", "0.5")
    assert [entry["id"].partition("-")[0] for entry in content["platforms"]] == ["pixel4", "snapdragon810"]
    assert {entry["coverage"] for entry in content["platforms"]} == {0.5}
    assert content["budgets"][0]["exceeded"] is False


def test_waivers_are_in_the_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "w.toml").write_text(
        '[[waiver]]\nguideline = "G2"\nplace = "stage3.*"\nreason = "groups are native here"\n'
        '[[waiver]]\nguideline = "G2"\nplace = "stage9"\nreason = "gone"\n'
        '[[waiver]]\nguideline = "G2"\nplace = "stage2.*"\nreason = "past"\nexpires = 2001-02-03\n'
    )
    content = told(capsys, NETWORK, "--waivers", "w.toml")
    assert {(entry["waived"], entry["place"].partition(".")[0]) for entry in content["waived"]} == {
        ("groups are native here", "stage3")
    }
    assert not any(entry["guideline"] == "G2" and entry["place"][:6] == "stage3" for entry in content["findings"])
    assert [entry["place"] for entry in content["unused_waivers"]] == ["stage9"]
    assert [entry["expires"] for entry in content["expired_waivers"]] == ["2001-02-03"]
    assert "unused" not in run(capsys, NETWORK, "--waivers", "w.toml", "--select", "G1")[1]


# -- findings that are one to a reader


def finding(place: str, milliseconds: float, channels: int, severity: Severity = Severity.WARNING) -> Finding:
    """A finding made up: one platform, of a network that takes 100 ms."""
    seconds = milliseconds / 1e3
    saving = Saving("board-ncnn-fp32-1t", seconds, seconds / 2, seconds * 2, seconds / 0.1, 0.9)
    operators = analyze("zoo:paper_g1,blocks=1").operators[:1]
    return Finding(
        "G1",
        severity,
        place,
        operators,
        f"after {place}.conv {channels}",
        "less",
        {"layer": f"{place}.conv"},
        (saving,),
    )


def test_findings_fold_where_only_the_place_differs() -> None:
    found = [finding("a", 3, 24), finding("b", 3, 24), finding("c", 3, 32), finding("d", 2, 24)]
    groups = [[one.place for one in fold.findings] for fold in folds(found)]
    assert groups == [["a", "b"], ["c"], ["d"]]
    (saving,) = folds(found)[0].savings
    assert (saving.seconds, saving.low, saving.high) == pytest.approx((6e-3, 3e-3, 12e-3))
    assert saving.share == pytest.approx(0.06)


def test_findings_cluster_where_only_numbers_differ_and_severities_stay_apart() -> None:
    found = [finding("a", 3, 24), finding("b", 2, 32), finding("c", 9, 24, Severity.ERROR)]
    assert [[one.place for one in cluster.findings] for cluster in clusters(found)] == [["c"], ["a", "b"]]


def test_folds_and_clusters_are_partitions_worst_first(review: Review) -> None:
    for grouped in (folds(review.findings), clusters(review.findings)):
        assert sorted(id(one) for fold in grouped for one in fold.findings) == sorted(map(id, review.findings))
        ranks = [(fold.first.severity.rank, -max(saving.share for saving in fold.savings)) for fold in grouped]
        assert ranks == sorted(ranks)


def test_seven_equal_units_are_one_entry(check: Check) -> None:
    text = check_text.render(check, everything=True)
    (line,) = re.findall(r"^warning G2 stage3\.1 .*$", text, re.MULTILINE)
    assert re.fullmatch(r"warning G2 stage3\.1 \.\.\. stage3\.7 \(7 places, \d\.\d % each\)", line)


# -- text


@pytest.mark.parametrize(
    "words", [[], ["-p", GPU], ["-p", GPU, "-p", ARM, "-p", "pixel4", "-p", "raspberrypi4-ncnn-fp32-1t"]]
)
@pytest.mark.parametrize("network", [NETWORK, CLEAN, "zoo:mobilenet_v2", "zoo:googlenet"])
def test_text_fits_a_terminal_of_80_columns(
    network: str, words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("costmodel.cli.check.terminal_width", lambda: 80)
    for more in ([], ["--all"]):
        _, out, _ = run(capsys, network, *words, *more)
        assert max(map(len, out.splitlines())) <= 80
        assert all(line == line.rstrip() for line in out.splitlines())


def test_a_pipe_gets_each_sentence_on_a_line(check: Check) -> None:
    lines = check_text.render(check, everything=True).splitlines()
    for fold in folds(check.review.findings):
        for sentence in (fold.first.message, fold.first.suggestion):
            assert any(line.endswith(f"{sentence[1:]}.") for line in lines)


def test_only_a_terminal_gets_colours(check: Check) -> None:
    assert "\x1b[" not in check_text.render(check, 80)
    assert "\x1b[" in check_text.render(check, 80, color=True)


def test_what_differs_in_a_cluster_says_where_it_holds(check: Check) -> None:
    text = check_text.render(check)
    cluster = next(one for one in clusters(check.review.findings) if one.first.guideline == "G2")
    assert len({one.suggestion for one in cluster.findings}) > 1
    first = folds(cluster.findings)[0].first
    assert f"{first.severity} G2 in {len(cluster.findings)} places\n  {first.place}: 2 layers" in text
    assert f"  Instead, at {first.place}: one group" in text
    shares = re.findall(r"^    stage\S.* +([0-9.]+) % .* % *$", text, re.MULTILINE)
    assert len(shares) == len(folds(cluster.findings))
    assert sum(map(float, shares)) == pytest.approx(100 * cluster.savings[0].share, abs=0.05 * (len(shares) + 1))


def test_rows_of_a_cluster_in_one_module_are_told_apart_by_their_operators() -> None:
    analysis = analyze(NETWORK, platform=ARM)
    first, second, third, *_ = analysis.operators
    found = (
        replace(finding("stage1", 3, 24), operators=(first,)),
        replace(finding("stage1", 2, 32), operators=(second,)),
        replace(finding("stage2", 1, 48), operators=(third,)),
    )
    text = check_text.render(Check(analysis, replace(analysis.check(), findings=found), Options()))
    places = re.findall(r"^    (stage.*?)  +[0-9.]+ ms", text, re.MULTILINE)
    assert places == [f"stage1: {first.name}", f"stage1: {second.name}", "stage2"]


def test_the_text_and_the_review_agree(check: Check) -> None:
    text = check_text.render(check)
    counts = [sum(one.severity is level for one in check.review.findings) for level in Severity]
    (said,) = re.findall(r"^.* To save: an estimate", text, re.MULTILINE)
    shown = {word: int(count) for count, word in re.findall(r"(\d+) (error|warning|note)", said)}
    assert shown == {level.value: count for level, count in zip(Severity, counts, strict=True) if count}
    rows = {line.split()[0]: line.split() for line in text.splitlines() if line.startswith((GPU, ARM))}
    for total in check.review.totals:
        assert rows[total.platform][-2] == f"{100 * total.share:.1f}"


def test_notes_are_one_line_a_guideline_unless_all_is_asked_for(check: Check) -> None:
    notes = [one for one in check.review.findings if one.severity is Severity.NOTE]
    short, full = check_text.render(check), check_text.render(check, everything=True)
    assert not re.search("^note G", short, re.MULTILINE)
    assert len(re.findall(r"^  G\d .*: .* on ", short, re.MULTILINE)) == len({one.guideline for one in notes})
    assert len(re.findall("^note G", full, re.MULTILINE)) == len(folds(notes))


def test_what_takes_longer_elsewhere_costs(capsys: pytest.CaptureFixture[str]) -> None:
    content = told(capsys, "zoo:googlenet", "--select", "G3")
    assert any(saving < 0 for entry in content["findings"] for saving in entry["saving_ms"].values())
    _, out, _ = run(capsys, "zoo:googlenet", "--select", "G3", "--all")
    assert re.search(r"^ +saves .* on gtx1080ti\n +costs +[0-9.]+ ms .* on snapdragon810$", out, re.MULTILINE)
    assert "saves  -" not in out


def test_no_findings_are_one_line_that_says_what_was_looked_for(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = run(capsys, "zoo:alexnet", "--select", "G2,G3", "-p", GPU)
    assert (status, err) == (0, "")
    assert "No findings: nothing that G2 or G3 would change saves 0.1 % or more of the time on gtx1080ti" in out


def test_unknown_operators_are_said_to_be_unchecked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    nodes = [
        node("Conv", ["x", "w"], ["c"], name="first"),
        node("Mystery", ["c"], ["y"], name="odd", domain="com.example"),
    ]
    save(model(nodes, [value("x", (1, 3, 8, 8))], [weight("w", 8, 3, 1, 1)], outputs=[value("y", None)]), tmp_path)
    _, out, _ = run(capsys, "model.onnx")
    assert "1 unknown: com.example:Mystery" in out
    assert "Unknown operators are not checked." in out


def test_names_in_a_model_cannot_steer_a_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    evil = "\x1b[31m<script>\n'\"::error "
    nodes = [
        node("Conv", ["x", "a"], ["c"], name=f"{evil}1"),
        node("Relu", ["c"], ["r"], name=f"{evil}2"),
        node("Conv", ["r", "b"], ["y"], name=f"{evil}3"),
    ]
    weights = [weight("a", 512, 32, 1, 1), weight("b", 32, 512, 1, 1)]
    save(model(nodes, [value("x", (1, 32, 28, 28))], weights, outputs=[value("y", None)]), tmp_path)
    _, out, _ = run(capsys, "model.onnx")
    assert "error G1 \N{REPLACEMENT CHARACTER}[31m<script>" in out
    assert "\x1b" not in out
    assert told(capsys, "model.onnx")["findings"][0]["operators"][0] == f"{evil}1"


def test_waived_findings_are_counted_and_with_all_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "w.toml").write_text(
        '[[waiver]]\nguideline = "G2"\nplace = "stage[23].*"\nreason = "groups are native here"\n'
        '[[waiver]]\nguideline = "G3"\nplace = "stage9"\nreason = "gone"\n'
        '[[waiver]]\nguideline = "G1"\nplace = "*"\nreason = "past"\nexpires = 2001-02-03\n'
    )
    content = told(capsys, NETWORK, "--waivers", "w.toml")
    _, out, _ = run(capsys, NETWORK, "--waivers", "w.toml")
    assert f"{len(content['waived'])} findings are waived; --all tells which and why." in out
    assert re.search(r"^Waiver without a finding, which can go: G3 place stage9 \(w\.toml: waiver 2\)$", out, re.M)
    assert re.search(r"^Waiver that expired on 2001-02-03: G1 place \* \(w\.toml: waiver 3\)$", out, re.M)
    _, out, _ = run(capsys, NETWORK, "--waivers", "w.toml", "--all")
    assert "  G2 stage3.1: groups are native here\n" in out


@pytest.mark.parametrize("form", ["text", "json", "github", "sarif"])
def test_every_format_goes_into_a_file_as_to_a_pipe(
    form: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, err = run(capsys, NETWORK, "--format", form)
    assert run(capsys, NETWORK, "--format", form, "-o", "out") == (status, "", err)
    assert (tmp_path / "out").read_text(encoding="utf-8") == out

"""[tool.costmodel] of a project's pyproject.toml: where it is found, what it may say, and what it changes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from costmodel.cli import main
from costmodel.cli.settings import Settings, settings_near, share_of
from costmodel.errors import UsageError

NETWORK = "zoo:shufflenet_v1,width=0.5"


def project(folder: Path, table: str) -> Path:
    path = folder / "pyproject.toml"
    path.write_text(f"[project]\nname = 'mine'\n\n[tool.costmodel]\n{table}\n", encoding="utf-8")
    return path


def test_every_setting_is_read(tmp_path: Path) -> None:
    project(
        tmp_path,
        'platform = ["pixel4", "mine/board.json"]\nselect = ["G1", "elementwise"]\nignore = ["G1"]\n'
        'fail-on = "note"\nwaivers = "ci/waivers.toml"\nerror-at = "10%"\nwarning-at = 0.03\nnote-at = "0.5 %"\n'
        "set = { min_excess = 0.2, max_fragments = 5 }",
    )
    assert settings_near(tmp_path) == Settings(
        platform=("pixel4", str(tmp_path / "mine/board.json")),
        select=("G1", "elementwise"),
        ignore=("G1",),
        fail_on="note",
        waivers=tmp_path / "ci/waivers.toml",
        thresholds={"error_at": 0.1, "warning_at": 0.03, "note_at": 0.005, "min_excess": 0.2, "max_fragments": 5},
    )


def test_the_nearest_file_with_the_table_counts(tmp_path: Path) -> None:
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    project(tmp_path, 'fail-on = "note"')
    (tmp_path / "a" / "pyproject.toml").write_text("[project]\nname = 'without'\n")
    assert settings_near(inner).fail_on == "note"
    project(inner, 'fail-on = "never"')
    assert settings_near(inner).fail_on == "never"


def test_without_a_table_nothing_is_set(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.other]\nx = 1\n")
    assert settings_near(tmp_path) == Settings()


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ("fail_on = 'note'", "tool.costmodel: fail_on: no such setting; did you mean fail-on?"),
        ("color = true", "tool.costmodel: color: no such setting; there are: platform"),
        ("platform = 'pixel4'", "platform: 'pixel4' is no list of names; write platform = [\"pixel4\"]"),
        ("select = [1]", 'select: [1] is no list of names; write select = ["G4"]'),
        ("ignore = ['G7']", "tool.costmodel: ignore: G7: no such guideline; there are: G1"),
        ("fail-on = 'fatal'", "fail-on: 'fatal' is no level; it is one of error, warning, note, never"),
        ("waivers = ['a']", "waivers: ['a'] is no path"),
        ("error-at = '5 percent'", "error-at: '5 percent' is no share; write error-at = \"5%\" or error-at = 0.05"),
        ("error-at = true", "error-at: True is no share"),
        ("error-at = 0.01", "error_at: 1 % is below warning_at, 2 %"),
        ("note-at = nan", "note_at: nan is not a number from 0"),
        ("set = 3", "set: 3 is no table"),
        ("set = { min_exces = 1 }", "set: min_exces: no rule has this option; did you mean min_excess?"),
        ("set = { error_at = 0.2 }", "set: error_at: it is a setting of its own; give error-at instead"),
        ("set = { min_ratio = 'high' }", "set: min_ratio: 'high' is no number; write min_ratio = 1.5"),
        ("set = { max_fragments = 2.5 }", "tool.costmodel: max_fragments: 2.5 is not a whole number"),
        ("set = {", "no TOML"),
    ],
)
def test_a_bad_setting_is_refused_with_file_key_and_remedy(table: str, says: str, tmp_path: Path) -> None:
    path = project(tmp_path, table)
    with pytest.raises(UsageError) as error:
        settings_near(tmp_path)
    assert str(error.value).startswith(f"{path}: ")
    assert says in str(error.value)


def test_a_table_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("tool.costmodel = 3\n")
    with pytest.raises(UsageError, match=r"tool\.costmodel: 3 is no table"):
        settings_near(tmp_path)


@pytest.mark.parametrize(
    ("text", "share"),
    [
        ("5%", 0.05),
        ("0.05", 0.05),
        (".05", 0.05),
        ("0.1%", 0.001),
        ("5", 5.0),
        ("-5%", None),
        ("5%%", None),
        ("", None),
    ],
)
def test_a_share_is_a_number_or_percent(text: str, share: float | None) -> None:
    assert share_of(text) == (None if share is None else pytest.approx(share))


def checked(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, Any]]:
    status = main(["check", NETWORK, "--format", "json", *words])
    return status, json.loads(capsys.readouterr().out)


def test_settings_hold_where_the_command_line_is_silent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    project(tmp_path, 'platform = ["pixel4-tflite-fp32-1t"]\nselect = ["G2"]\nfail-on = "never"\nerror-at = 0.03')
    status, told = checked(capsys)
    assert status == 0
    assert [entry["id"] for entry in told["platforms"]] == ["pixel4-tflite-fp32-1t"]
    assert told["guidelines"] == ["G2"]
    assert told["options"]["error_at"] == 0.03


def test_the_command_line_wins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    project(
        tmp_path,
        'platform = ["pixel4-tflite-fp32-1t"]\nselect = ["G2"]\nfail-on = "never"\nerror-at = 0.03\n'
        "set = { max_fragments = 9, max_depth = 9 }",
    )
    given = ("-p", "gtx1080ti", "--select", "G1,G4", "--fail-on", "note", "--error-at", "4%", "--set", "max_depth=4")
    status, told = checked(capsys, *given)
    assert status == 1
    assert [entry["id"] for entry in told["platforms"]] == ["gtx1080ti-cudnn7-fp32"]
    assert told["guidelines"] == ["G1", "G4"]
    assert told["options"] | {"error_at": 0.04, "max_fragments": 9, "max_depth": 4} == told["options"]


def test_waivers_are_looked_for_beside_the_file_that_names_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    inner = tmp_path / "src"
    inner.mkdir()
    project(tmp_path, 'waivers = "waivers.toml"')
    (tmp_path / "waivers.toml").write_text('[[waiver]]\nguideline = "G2"\nplace = "*"\nreason = "native here"\n')
    monkeypatch.chdir(inner)
    _, told = checked(capsys)
    assert {finding["waived"] for finding in told["waived"]} == {"native here"}
    assert all(finding["guideline"] != "G2" for finding in told["findings"])
    monkeypatch.chdir(tmp_path)
    (tmp_path / "waivers.toml").unlink()
    assert main(["check", NETWORK]) == 2
    assert "waivers.toml: cannot be read" in capsys.readouterr().err


def test_settings_are_for_check_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    project(tmp_path, "nonsense = 1")
    assert main(["analyze", "zoo:paper_g1", "-p", "none"]) == 0
    capsys.readouterr()
    assert main(["check", "zoo:paper_g1"]) == 2
    assert "nonsense: no such setting" in capsys.readouterr().err

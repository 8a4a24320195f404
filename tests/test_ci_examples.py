"""What the examples for continuous integration say can be run as it stands."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tomllib
from datetime import date
from pathlib import Path

import pytest
from onnx_models import model, node, save, value, weight

import costmodel
from costmodel.cli import VERBS, _Parser
from costmodel.cli.each import each
from costmodel.cli.inputs import budget_limits, platform_names
from costmodel.guidelines import load_waivers, waive
from costmodel.platforms import find

ROOT = Path(__file__).parents[1]
EXAMPLES = sorted(path for path in (ROOT / "examples").rglob("*") if path.is_file())
YAML = [ROOT / ".pre-commit-hooks.yaml", *(path for path in EXAMPLES if path.suffix in (".yml", ".yaml"))]
TEXTS = [*EXAMPLES, ROOT / "docs" / "ci.md"]


def commands() -> list[str]:
    """Every command line of costmodel in the examples and their page, by the word before it."""
    start = r"(?:^|run: |script: \[.*?, |`)"
    found = [
        match[1] for path in TEXTS for match in re.finditer(f"{start}(costmodel [^`\\]\n]*)", path.read_text(), re.M)
    ]
    assert len(found) >= 6
    return list(dict.fromkeys(found))


@pytest.mark.parametrize("command", commands())
def test_every_command_parses_and_names_platforms_that_there_are(command: str) -> None:
    from importlib import import_module

    _, verb, *words = shlex.split(command)
    if not words:
        assert verb in VERBS  # a verb that is spoken of
        return
    parser = _Parser()
    import_module(VERBS[verb][0]).add_arguments(parser)
    options = parser.parse_args(words)
    for name in (*platform_names(options), *budget_limits(options)):
        assert find(name)


@pytest.mark.parametrize("path", YAML, ids=lambda path: path.name)
def test_yaml_is_indented_by_twos_without_tabs_and_its_brackets_close(path: Path) -> None:
    depth = 0
    for line in path.read_text().splitlines():
        assert "\t" not in line
        assert line == line.rstrip()
        indent = len(line) - len(line.lstrip())
        assert indent % 2 == 0
        if not line or line.lstrip().startswith("#"):
            continue
        assert indent <= depth + 4  # a list below a key at most
        depth = indent
        for pair in ("[]", "{}"):
            assert line.count(pair[0]) == line.count(pair[1])


def test_the_workflow_asks_for_no_more_than_it_needs_and_pins_its_actions() -> None:
    text = (ROOT / "examples" / "github-actions" / "latency.yml").read_text()
    assert "\npermissions: {}\n" in text
    assert sorted(re.findall(r"^      ([a-z-]+): (?:read|write)\b", text, re.M)) == ["contents", "security-events"]
    used = re.findall(r"uses: (\S+)", text)
    assert used
    assert all(re.fullmatch(r"[\w-]+/[\w/-]+@v\d+", action) for action in used)


def test_the_hook_of_the_example_is_there() -> None:
    config = (ROOT / "examples" / "pre-commit" / ".pre-commit-config.yaml").read_text()
    hooks = (ROOT / ".pre-commit-hooks.yaml").read_text()
    assert re.findall(r"- id: (\S+)", config) == re.findall(r"- id: (\S+)", hooks) == ["costmodel-check"]
    (entry,) = re.findall(r"entry: python -m (\S+) (\S+)", hooks)
    assert entry == ("costmodel.cli.each", "check")
    (pattern,) = re.findall(r"files: (\S+)", hooks)
    assert re.search(pattern, "models/net.onnx")
    assert not re.search(pattern, "models/net.onnx.md")


def test_the_example_of_waivers_waives() -> None:
    path = ROOT / "examples" / "waivers.toml"
    assert tomllib.loads(path.read_text())
    analysis = costmodel.analyze("zoo:mobilenet_v2", platform="gtx1080ti")
    review, unused = waive(analysis.check(), load_waivers(path), analysis.model, date(2027, 6, 30))
    assert {finding.guideline for finding in review.waived} == {"G1", "G4"}
    assert unused == ()


@pytest.fixture
def models(tmp_path: Path) -> list[str]:
    """A model of equal widths, without findings, and one of 16 to 1024 channels, with an error of G1."""
    paths = []
    for name, cin, cout in (("fine", 256, 256), ("wide", 16, 1024)):
        nodes = [node("Conv", ["x", "a"], ["b"], name="first"), node("Conv", ["b", "c"], ["y"], name="second")]
        weights = [weight("a", cout, cin, 1, 1), weight("c", cin, cout, 1, 1)]
        made = model(nodes, [value("x", (1, cin, 28, 28))], weights, outputs=[value("y", None)])
        (tmp_path / name).mkdir()
        paths.append(str(save(made, tmp_path / name)))
    return paths


def test_each_file_of_a_commit_is_checked_and_the_worst_decides(
    models: list[str], capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    fine, wide = models
    words = ["check", "-p", "gtx1080ti", "--select", "G1", "--fail-on", "error"]
    assert each([*words, fine, wide, fine]) == 1
    out = capfdbinary.readouterr().out.decode()
    assert out.count(fine) >= 2
    assert wide in out
    assert each([*words, fine]) == 0
    assert each(words) == 0
    assert each([*words, fine, wide + ".missing.onnx"]) == 2


def test_the_hook_s_entry_runs_as_a_program(models: list[str]) -> None:
    command = [sys.executable, "-m", "costmodel.cli.each", "check", "-p", "gtx1080ti", "--fail-on", "never", *models]
    done = subprocess.run(command, capture_output=True, check=False, cwd=ROOT, text=True)
    assert done.returncode == 0
    assert all(path in done.stdout for path in models)

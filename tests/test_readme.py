"""What the README shows is what happens."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from costmodel.cli import main

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def test_the_first_example_prints_what_the_readme_shows(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    command, _, shown = blocks("console")[0].partition("\n")
    assert command.startswith("$ costmodel ")
    assert main(shlex.split(command)[2:]) == 0
    assert capfdbinary.readouterr().out.decode() == shown


def test_the_other_examples_print_in_a_terminal_what_the_readme_shows(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("costmodel.cli.check.terminal_width", lambda: 80)
    assert len(blocks("console")) > 1
    for block in blocks("console")[1:]:
        command, _, shown = block.partition("\n")
        main(shlex.split(command)[2:])
        assert capsys.readouterr().out == shown


def test_python_examples_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert blocks("python")
    for code in blocks("python"):
        exec(compile(code, "README.md", "exec"), {})
    assert capsys.readouterr().out


def test_there_are_exactly_two_set_up_commands() -> None:
    set_up = README.partition("## Set-up")[2].partition("\n## ")[0]
    commands = re.findall(r"^```sh\n(.*?)^```$", set_up, re.MULTILINE | re.DOTALL)
    assert [command.count("\n") for command in commands] == [1, 1]
    assert all("-c constraints.txt" in command for command in commands)


def test_every_verb_and_option_that_the_readme_uses_exists(capsys: pytest.CaptureFixture[str]) -> None:
    used = re.findall(r"^costmodel (\w+) .*$", "\n".join(blocks("sh")), re.MULTILINE)
    for verb in set(used):
        with pytest.raises(SystemExit) as stop:
            main([verb, "--help"])
        assert stop.value.code == 0
        described = capsys.readouterr().out
        lines = [line for line in "\n".join(blocks("sh")).splitlines() if line.startswith(f"costmodel {verb} ")]
        for option in set(re.findall(r"(?<=\s)--?[a-z-]+", " ".join(line.partition("#")[0] for line in lines))):
            assert option in described


def test_the_console_examples_fit_a_terminal() -> None:
    assert all(len(line) <= 80 for block in blocks("console") for line in block.splitlines())

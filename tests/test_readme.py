"""What the README promises beside its blocks, which test_docs.py runs."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from doc_blocks import ROOT, blocks

from costmodel import zoo
from costmodel.ops.registry import operators
from costmodel.platforms import platforms

README = ROOT / "README.md"


def test_there_are_exactly_two_set_up_commands() -> None:
    set_up = README.read_text(encoding="utf-8").partition("## Set-up")[2].partition("\n## ")[0]
    commands = re.findall(r"^```sh\n(.*?)^```$", set_up, re.MULTILINE | re.DOTALL)
    assert [command.count("\n") for command in commands] == [1, 1]
    assert all("-c constraints.txt" in command for command in commands)


def test_the_console_examples_fit_a_terminal() -> None:
    assert blocks(README, "console")
    assert all(len(line) <= 80 for block in blocks(README, "console") for line in block.text.splitlines())


@pytest.mark.parametrize(
    ("page", "words", "counted"),
    [
        ("README.md", r"one of the (\d+) networks of the built-in zoo", lambda: len(list(zoo.networks()))),
        ("docs/index.md", r"one of (\d+) built-in networks", lambda: len(list(zoo.networks()))),
        ("CHANGELOG.md", r"The zoo: (\d+) networks", lambda: len(list(zoo.networks()))),
        ("CHANGELOG.md", r"networks of (\d+) families", lambda: len({one.family for one in zoo.networks()})),
        ("CHANGELOG.md", r"^- (\d+) operators of ONNX's domains", lambda: len(list(operators()))),
        ("README.md", r"latencies with intervals for about\s+(\d+)", lambda: round(len(platforms()), -1)),
    ],
)
def test_what_ships_is_as_much_as_is_said(page: str, words: str, counted: Callable[[], int]) -> None:
    said = re.findall(words, (ROOT / page).read_text(encoding="utf-8"), re.MULTILINE)
    assert said == [str(counted())]

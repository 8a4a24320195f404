"""What the README promises beside its blocks, which test_docs.py runs."""

from __future__ import annotations

import re

from doc_blocks import ROOT, blocks

README = ROOT / "README.md"


def test_there_are_exactly_two_set_up_commands() -> None:
    set_up = README.read_text(encoding="utf-8").partition("## Set-up")[2].partition("\n## ")[0]
    commands = re.findall(r"^```sh\n(.*?)^```$", set_up, re.MULTILINE | re.DOTALL)
    assert [command.count("\n") for command in commands] == [1, 1]
    assert all("-c constraints.txt" in command for command in commands)


def test_the_console_examples_fit_a_terminal() -> None:
    assert blocks(README, "console")
    assert all(len(line) <= 80 for block in blocks(README, "console") for line in block.text.splitlines())

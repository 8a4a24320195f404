"""What the pages' commands are held to, and how those of costmodel are run: in this process."""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Sequence
from importlib import import_module
from itertools import pairwise

import pytest
from doc_blocks import ROOT

from costmodel import zoo
from costmodel.cli import VERBS, _Parser, main
from costmodel.cli.inputs import COUNTS_ONLY, budget_limits
from costmodel.platforms import find

NETWORK = re.compile(rf"{zoo.PREFIX}\w+(,\w+=[\w.]+)*")


def called(words: Sequence[str]) -> int:
    """The exit status of costmodel, in this process."""
    try:
        return main(words)
    except SystemExit as end:  # argparse leaves this way
        return end.code if isinstance(end.code, int) else 1


def parses(command: str, place: str) -> None:
    """A command of costmodel has a verb that there is, its options, and values of their form; others are not looked at.

    Its platforms and networks of the zoo are there.
    """
    if not command.startswith("costmodel "):
        return
    verb, *rest = shlex.split(re.split("[|<>;]", command)[0])[1:]
    try:
        options = parser_of(verb, f"{place}: {command}").parse_args(rest)
    except SystemExit:
        pytest.fail(f"{place}: {command}: not understood; stderr says why")
    platforms = getattr(options, "platform", None) or []
    budgets = budget_limits(options) if isinstance(getattr(options, "budget", None), list) else {}
    for name in (*([platforms] if isinstance(platforms, str) else platforms), *budgets):
        assert name == COUNTS_ONLY or find(name), place
    for word in rest:
        if NETWORK.fullmatch(word):
            zoo.load(word)


def parser_of(verb: str, place: str) -> _Parser:
    assert verb in VERBS, f"{place}: {verb}: no such verb"
    parser = _Parser(prog=f"{place}: costmodel {verb}")
    import_module(VERBS[verb][0]).add_arguments(parser)
    return parser


def mentions(command: str, place: str) -> None:
    """A command that a sentence speaks of, whole or in part, has a verb and options that there are."""
    verb, *rest = command.split()[1:]
    known = parser_of(verb, place).format_help()
    for option in re.findall(r"(?<!\S)--?[a-z][a-z-]*", " ".join(rest)):
        assert re.search(rf"(?<![\w-]){option}(?![\w-])", known), f"{place}: {command}: no option {option}"


def sets_up(words: Sequence[str]) -> None:
    """The extras and the file of constraints that pip is to take are there."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    for before, word in pairwise(words):
        if before == "-c":
            assert (ROOT / word).is_file()
        if named := re.fullmatch(r"(?:\.|cnn-costmodel)\[(.*)\]", word):
            assert not (missing := set(named[1].split(",")) - set(extras)), f"no extra is called {missing}"

"""Someone who goes through a page and does what it says: the blocks in their order, in one folder.

doc_blocks.py says how a page marks what is not run; doc_files.py has the files that pages take for granted. Without a
mark, these are not run but parsed: commands that time this machine (MEASURES), but in blocks that are marked with
minutes, and commands that set it up (SET_UP), which .ci/run does.
"""

from __future__ import annotations

import csv
import doctest
import importlib.util
import io
import json
import os
import re
import shlex
import sqlite3
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterable, Sequence
from difflib import ndiff
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from doc_blocks import ROOT, Block, Command, commands
from doc_commands import called, parses, sets_up
from doc_files import provide

from calibration import dataset, kernel_times
from costmodel import zoo
from costmodel.cli.settings import settings_near
from costmodel.guidelines import load_waivers
from costmodel.ops import operators
from costmodel.platforms import load_profile

MASKS = (  # what differs from run to run, and what stands for it where outputs are compared
    (re.compile(r" in \d+(\.\d+)? s\b"), " in SECONDS s"),
)
MEASURES = re.compile(r"costmodel (measure |.*(--verify|--refine|--objective-latency measured))")
SET_UP = re.compile(r"((python3?|pip3?) -m )?(pip|venv|pytest)\b|source ")
OURS = re.compile(r"costmodel |python |pip ")  # else a line is for bash, whole
SHELL = re.compile(r"[|<>;$`*~&]")  # so is a command that has one of these
COLUMNS = 80  # of a terminal
OUTPUTS = ("-o", "--output")
PERFETTO = "CREATE TABLE slice (id, ts, dur, track_id, category, name, depth, stack_id, parent_id, arg_set_id)"


def goes_through(
    blocks: Iterable[Block], folder: Path, capture: pytest.CaptureFixture[str], *, patient: bool = False
) -> Reader:
    """Do what blocks say, in a folder and in a terminal of 80 columns without colours.

    capture: of the file descriptors. patient: also those that take minutes.
    Raises AssertionError, pytest's Failed, or what a block of Python raises, at a block that does something else.
    """
    reader = Reader(folder, capture, patient)
    registered, modules = _registered(), set(sys.modules)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.syspath_prepend(str(folder))
        patch.setattr("costmodel.cli.output._is_terminal", lambda: True)
        for name, value in {"COLUMNS": f"{COLUMNS}", "NO_COLOR": "1", "MPLBACKEND": "Agg"}.items():
            patch.setenv(name, value)
        try:
            for block in blocks:
                reader.does(block)
        finally:
            _forget(set(sys.modules) - modules, folder)
    assert _registered() == registered, "a page registers in this process what other tests would find; see `not run`"
    return reader


def _registered() -> list[str]:
    """What is there beside the package's own operators and networks."""
    found = (one.function for one in (*operators(), *zoo.networks()))
    return [function.__name__ for function in found if not function.__module__.startswith("costmodel.")]


def _forget(modules: set[str], folder: Path) -> None:
    """What a page imported from its own folder, and the figures that it drew."""
    for name in modules:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(folder)):
            del sys.modules[name]
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")


class Reader:
    """patient: whether blocks are run that take minutes."""

    def __init__(self, folder: Path, capture: pytest.CaptureFixture[str], patient: bool) -> None:
        self.folder = folder
        self.capture = capture
        self.patient = patient
        self.names: dict[str, Any] = {"__name__": "docs"}
        self.printed: str | None = None  # by the last block of Python; None if that was not run

    def does(self, block: Block) -> None:
        assert block.language in KINDS, f"{block.place}: {block.language!r} is no language of {', '.join(KINDS)}"
        KINDS[block.language](self, block)

    def skips(self, block: Block) -> bool:
        return bool(block.not_run) or (block.takes_minutes and not self.patient)

    # -- commands

    def types(self, block: Block) -> None:
        for command in commands(block):
            words = shlex.split(command.text)
            provide([word for before, word in pairwise(["", *words]) if before not in OUTPUTS], self.folder)
            parts = command.text.split(" && ") if OURS.match(command.text) else [command.text]
            if self.skips(block) or (MEASURES.match(command.text) and not block.takes_minutes):
                for part in parts:
                    parses(part, block.place)
            else:
                self.runs(parts, command, block.place)

    def runs(self, parts: Sequence[str], command: Command, place: str) -> None:
        self.capture.readouterr()
        os.environ["COLUMNS"] = str(columns(command.shown or ""))
        for part in parts:
            status = self.status_of(part)
            if status not in command.statuses:
                pytest.fail(f"{place}: {part}: status {status}: {self.capture.readouterr().err}")
        if command.shown is not None:
            compares(command.shown, *self.capture.readouterr(), f"{place}: {command.text}")

    def status_of(self, command: str) -> int:
        words = shlex.split(command)
        if SET_UP.match(command):
            sets_up(words)
            return 0
        if words[0] == "costmodel" and not SHELL.search(command):
            return called(words[1:])
        return subprocess.run(["bash", "-euc", command], check=False, env=self.environment()).returncode

    def environment(self) -> dict[str, str]:
        """Where bash finds costmodel and this Python."""
        bin = self.folder / ".bin"
        bin.mkdir(exist_ok=True)
        for name, call in {"costmodel": "-m costmodel", "python": ""}.items():
            (bin / name).write_text(f'#!/bin/sh\nexec {sys.executable} {call} "$@"\n')
            (bin / name).chmod(0o755)
        return {**os.environ, "PATH": f"{bin}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}

    # -- Python

    def executes(self, block: Block) -> None:
        code = compile(block.text, block.place, "exec")
        if file := re.match(r"# ([\w./-]+\.py)\b", block.text):
            (self.folder / file[1]).write_text(block.text, encoding="utf-8")
        self.printed = None
        if not self.skips(block):
            provide(re.findall(r'"([^"\n]+)"', block.text), self.folder)
            self.capture.readouterr()
            exec(code, self.names)
            self.printed = self.capture.readouterr().out

    def asks(self, block: Block) -> None:
        example = doctest.DocTestParser().get_doctest(block.text, self.names, block.place, block.page, block.line)
        if not self.skips(block):
            report: list[str] = []
            runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS)
            runner.run(example, out=report.append, clear_globs=False)
            self.names.update(example.globs)
            assert not report, "".join(report)

    def sees(self, block: Block) -> None:
        if block.language == "text" and block.after == "python" and self.printed is not None:
            compares(block.text, self.printed, "", block.place)
        assert block.language or block.after == "sh", f"{block.place}: a block needs a language, but for a sample of sh"

    # -- files

    def reads_csv(self, block: Block) -> None:
        """As calibrate reads it; kernels beside a row for each of their networks, which have them."""
        provide(re.findall(r"^[^,\n]+", block.text, re.MULTILINE), self.folder)
        rows = list(csv.DictReader(io.StringIO(block.text)))
        data = self.folder / "docs.csv"
        if set(kernel_times.COLUMNS) <= set(rows[0]):
            kernel_times.beside(data).write_text(block.text)
            networks = dict.fromkeys(row["network"] for row in rows)
            data.write_text("network,latency_ms\n" + "".join(f'"{name}",1\n' for name in networks))
            for row in rows:
                graph = zoo.load(row["network"])
                assert row["kernel"].partition(":")[0] in {*graph.inputs, *(node.name for node in graph.nodes)}
        else:
            data.write_text(block.text)
        assert len(dataset.read(data).samples) > 0

    def reads_json(self, block: Block) -> None:
        content = json.loads(block.text)
        if isinstance(content, dict) and content.get("schema") == "costmodel.platform/1":
            (self.folder / "docs.json").write_text(block.text)
            load_profile(self.folder / "docs.json")

    def reads_toml(self, block: Block) -> None:
        content = tomllib.loads(block.text)
        if "waiver" in content:
            (self.folder / "docs.toml").write_text(block.text)
            assert len(load_waivers(self.folder / "docs.toml")) == len(content["waiver"])
        if "costmodel" in content.get("tool", {}):
            settings = self.folder / "settings"
            settings.mkdir(exist_ok=True)
            (settings / "pyproject.toml").write_text(block.text)
            settings_near(settings)

    def reads_yaml(self, block: Block) -> None:
        if importlib.util.find_spec("yaml"):
            assert import_module("yaml").safe_load(block.text)

    def queries(self, block: Block) -> None:
        connection = sqlite3.connect(":memory:")
        connection.execute(PERFETTO)
        connection.execute(block.text)
        connection.close()


KINDS: dict[str, Callable[[Reader, Block], None]] = {
    "console": Reader.types,
    "sh": Reader.types,
    "python": Reader.executes,
    "pycon": Reader.asks,
    "csv": Reader.reads_csv,
    "json": Reader.reads_json,
    "toml": Reader.reads_toml,
    "yaml": Reader.reads_yaml,
    "sql": Reader.queries,
    "bibtex": Reader.sees,
    "text": Reader.sees,
    "": Reader.sees,
}


def compares(shown: str, out: str, err: str, place: str) -> None:
    """What is shown is all of stdout, and of stderr if any of that; a line of ... stands for any lines."""
    patterns = [_pattern(shown), _pattern(shown.removesuffix(err) if err else shown)]
    if not any(pattern.fullmatch(_masked(out)) for pattern in patterns):
        differences = ndiff(shown.splitlines(), (out + err).splitlines())
        pytest.fail("\n".join((f"{place}: shown (-) and printed (+)", *differences)))


def columns(shown: str) -> int:
    """Of a terminal that tables as wide as those shown fit into."""
    return max([COLUMNS, *map(len, re.findall("^[─ ]+$", shown, re.MULTILINE))])


def _masked(text: str) -> str:
    for pattern, instead in MASKS:
        text = pattern.sub(instead, text)
    return text


def _pattern(shown: str) -> re.Pattern[str]:
    return re.compile(re.escape(_masked(shown)).replace(r"\.\.\." + "\\\n", "(?:.*\n)*"))

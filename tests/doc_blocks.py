"""The fenced blocks of a page, in their order, each with what the line above it says.

A reader of the page sees none of these lines, which are comments of HTML directly above a block:

    <!-- not run: needs a phone -->   it is not run, and why; its costmodel commands still have to parse
    <!-- minutes -->                  it takes minutes: run by the tests marked thorough, parsed by the others
    <!-- exit status 1 -->            its last command ends with 1; of sh, a command's comment says so as well, and
                                      `exit status 1 when ...` that it may

console: commands after $, and all that they print; a line of ... stands for any lines. sh: commands. python and pycon
share one namespace a page; `text` directly after python is what that prints. json, yaml, toml, csv and sql are read.
Other `text`, and a block without a language directly after sh, is a sample, which nobody compares.
A block of Python whose first line is `# NAME.py` is that file as well, also where it is not run.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "examples/README.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
]
_FENCE = re.compile(r"^(?P<indent> *)```(?P<language>[\w-]*)(?P<more>.*)$")
_FENCED = re.compile(r"^( *)```.*?^\1```$", re.MULTILINE | re.DOTALL)
_MARK = re.compile(r"^ *<!-- *(.*?) *-->$")
_TYPED = re.compile(r"(.*\\\n)*.*\n")  # lines that go on, and the last one
_EXIT = re.compile(r"exit status (\d)(?! when)")
_MAY_EXIT = re.compile(r"exit status (\d) when")


@dataclass(frozen=True)
class Block:
    """language: "" without one. line: of its opening fence, from 1. mark: the comment above. after: the language of the
    block before it, if nothing but blank lines is between them."""

    page: str
    line: int
    language: str
    text: str
    mark: str = ""
    after: str | None = None

    @property
    def place(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def not_run(self) -> str:
        """Why nobody can run it in a test."""
        name, _, why = self.mark.partition(":")
        return why.strip() if name == "not run" else ""

    @property
    def takes_minutes(self) -> bool:
        return self.mark == "minutes"


@dataclass(frozen=True)
class Command:
    """A line that is typed in, whole and without its comment. statuses: with which it may end. shown: what a console
    block has below it."""

    text: str
    statuses: tuple[int, ...] = (0,)
    shown: str | None = None


def page_name(page: Path) -> str:
    """Its path in the repository."""
    return page.relative_to(ROOT).as_posix()


def blocks(page: Path, *languages: str) -> list[Block]:
    """All blocks of a page, or those of some languages."""
    found = read(page.read_text(encoding="utf-8"), page_name(page))
    return [block for block in found if not languages or block.language in languages]


def calibrates(page: Path) -> bool:
    """Whether a platform is fitted on the page, which takes a second each time."""
    return any("costmodel calibrate " in block.text for block in blocks(page, "sh", "console"))


def spans(page: Path) -> list[str]:
    """What stands between backticks in the sentences of a page."""
    sentences = _FENCED.sub("", page.read_text(encoding="utf-8"))
    return [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", sentences)]


def read(text: str, page: str) -> list[Block]:
    """The blocks of a text. Raises AssertionError for a fence that is not closed, or has more than a language."""
    return list(_read(text, page))


def _read(text: str, page: str) -> Iterator[Block]:
    lines = text.splitlines()
    above, before, at = "", None, 0
    while at < len(lines):
        opened = _FENCE.match(lines[at])
        if opened is None:
            above = lines[at]
            before = before if not above.strip() or _MARK.match(above) else None
            at += 1
            continue
        indent = opened["indent"]
        closing = f"{indent}```"
        end = next((n for n in range(at + 1, len(lines)) if lines[n].rstrip() == closing), None)
        assert end is not None, f"{page}:{at + 1}: a block that nothing closes"
        assert not opened["more"].strip(), f"{page}:{at + 1}: {lines[at].strip()}: a language and nothing else"
        body = "".join(f"{line.removeprefix(indent)}\n" for line in lines[at + 1 : end])
        mark = _MARK.match(above)
        yield Block(page, at + 1, opened["language"], body, mark[1] if mark else "", before)
        above, before, at = "", opened["language"], end + 1


def commands(block: Block) -> list[Command]:
    """What is typed in: the lines of sh, the lines after `$` of a console."""
    found = list(_typed(block) if block.language == "console" else _lines(block.text))
    if found and (status := _EXIT.search(block.mark)):
        found[-1] = Command(found[-1].text, (int(status[1]),), found[-1].shown)
    return found


def _lines(text: str) -> Iterator[Command]:
    for line in text.replace("\\\n", " ").splitlines():
        command, comment = _without_comment(line)
        exact, may = _EXIT.search(comment), _MAY_EXIT.search(comment)
        statuses = (int(exact[1]),) if exact else (0, int(may[1])) if may else (0,)
        if command:
            yield Command(command, statuses)


def _typed(block: Block) -> Iterator[Command]:
    first, *rest = re.split(r"^\$ ", block.text, flags=re.MULTILINE)
    assert not first, f"{block.place}: a console begins with `$ ` and a command"
    for part in rest:
        typed = _TYPED.match(part)[0]
        (command,) = _lines(typed)
        yield Command(command.text, command.statuses, part.removeprefix(typed))


def _without_comment(line: str) -> tuple[str, str]:
    """A line of a shell and its comment, which begins with a # at the start of a word outside of quotes."""
    quote = ""
    for at, char in enumerate(line):
        if quote:
            quote = "" if char == quote else quote
        elif char in "'\"":
            quote = char
        elif char == "#" and (at == 0 or line[at - 1].isspace()):
            return line[:at].strip(), line[at + 1 :].strip()
    return line.strip(), ""

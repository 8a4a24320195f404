"""What a project sets about checks: the table [tool.costmodel] of its pyproject.toml."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from costmodel.errors import UsageError
from costmodel.guidelines import Options, find_rule
from costmodel.guidelines.waivers import nearest

FILE = "pyproject.toml"
TABLE = "tool.costmodel"
FAIL_ON = ("error", "warning", "note", "never")
LEVELS = ("error_at", "warning_at", "note_at")  # options that are shares of a network's time
RULE_OPTIONS = tuple(one.name for one in fields(Options) if one.name not in LEVELS)


@dataclass(frozen=True, slots=True)
class Settings:
    """A project's settings; what it does not set is empty or None.

    platform: as -p has them. select, ignore: names of guidelines. fail_on: one of FAIL_ON. waivers: the file of them.
    thresholds: values of Options by name.
    """

    platform: tuple[str, ...] = ()
    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    fail_on: str | None = None
    waivers: Path | None = None
    thresholds: Mapping[str, Any] = field(default_factory=dict)


def settings_near(directory: Path) -> Settings:
    """The settings in the nearest pyproject.toml with the table, upwards from a directory; empty ones without any.

    Raises UsageError for a file on the way that cannot be read, and for settings that there are not.
    """
    for folder in (directory, *directory.parents):
        path = folder / FILE
        if path.is_file():
            table = _table(path)
            if table is not None:
                return _settings(table, path)
    return Settings()


def _table(path: Path) -> dict[str, Any] | None:
    try:
        content = tomllib.loads(path.read_bytes().decode("utf-8"))
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror or error}); make it readable") from error
    except ValueError as error:  # of the encoding or of TOML
        raise UsageError(f"{path}: no TOML: {error}; mend it, or run in another directory") from error
    tool = content.get("tool", {})
    table = tool.get("costmodel") if isinstance(tool, dict) else None
    if table is not None and not isinstance(table, dict):
        raise UsageError(f"{path}: {TABLE}: {table!r} is no table; write [{TABLE}] and the settings below it")
    return table


def _settings(table: Mapping[str, Any], path: Path) -> Settings:
    values: dict[str, Any] = {}
    thresholds: dict[str, Any] = {}
    for key, value in table.items():
        where = f"{path}: {TABLE}: {key}"
        if key not in _READERS:
            raise UsageError(f"{where}: no such setting; {nearest(key, tuple(_READERS))}")
        name = key.replace("-", "_")
        made = _READERS[key](value, where)
        if name in LEVELS:
            thresholds[name] = made
        elif key == "set":
            thresholds |= made
        else:
            values[name] = made
    try:
        Options(**thresholds)
    except UsageError as error:
        raise UsageError(f"{path}: {TABLE}: {error}") from error
    if "waivers" in values:
        values["waivers"] = path.parent / values["waivers"]
    if "platform" in values:  # the path of a profile is relative to the file that names it, as the waivers are
        values["platform"] = tuple(
            str(path.parent / name) if name.endswith(".json") else name for name in values["platform"]
        )
    return Settings(**values, thresholds=thresholds)


def _words(value: object, where: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        name = where.rpartition(" ")[2]
        example = "pixel4" if name == "platform" else "G4"
        raise UsageError(f'{where}: {value!r} is no list of names; write {name} = ["{example}"]')
    return tuple(value)


def _guidelines(value: object, where: str) -> tuple[str, ...]:
    names = _words(value, where)
    for name in names:
        try:
            find_rule(name)
        except UsageError as error:
            raise UsageError(f"{where}: {error}") from error
    return names


def _file(value: object, where: str) -> str:
    if not isinstance(value, str) or not value:
        raise UsageError(f'{where}: {value!r} is no path; write waivers = "waivers.toml"')
    return value


def _fail_on(value: object, where: str) -> str:
    if not isinstance(value, str) or value not in FAIL_ON:
        raise UsageError(f"{where}: {value!r} is no level; it is one of {', '.join(FAIL_ON)}")
    return value


def _level(value: object, where: str) -> float:
    made = share_of(value) if isinstance(value, str) else _number(value)
    if made is None:
        name = where.rpartition(" ")[2]
        raise UsageError(f'{where}: {value!r} is no share; write {name} = "5%" or {name} = 0.05')
    return made


def _rule_options(value: object, where: str) -> dict[str, float]:
    if not isinstance(value, dict):
        raise UsageError(f"{where}: {value!r} is no table; write set = {{ min_excess = 0.1 }}")
    for name, number in value.items():
        check_option(name, where)
        if _number(number) is None:
            raise UsageError(f"{where}: {name}: {number!r} is no number; write {name} = {getattr(Options(), name):g}")
    return dict(value)


_READERS: dict[str, Callable[[object, str], Any]] = {
    "platform": _words,
    "select": _guidelines,
    "ignore": _guidelines,
    "fail-on": _fail_on,
    "waivers": _file,
    "error-at": _level,
    "warning-at": _level,
    "note-at": _level,
    "set": _rule_options,
}


def check_option(name: str, where: str) -> None:
    """Raise UsageError for a name that no rule's option has; where: what the message begins with."""
    if name.replace("-", "_") in LEVELS:
        raise UsageError(f"{where}: {name}: it is a setting of its own; give {name.replace('_', '-')} instead")
    if name not in RULE_OPTIONS:
        raise UsageError(f"{where}: {name}: no rule has this option; {nearest(name, RULE_OPTIONS)}")


def share_of(text: str) -> float | None:
    """5% or 0.05 as a number; None for another text."""
    fits = re.fullmatch(r"([0-9]{1,9}(?:[.][0-9]{1,9})?|[.][0-9]{1,9})( ?%)?", text)
    if fits is None:
        return None
    return float(fits[1]) / 100 if fits[2] else float(fits[1])


def _number(value: object) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None

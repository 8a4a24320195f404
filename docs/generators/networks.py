"""The page of the zoo: every network with its counts and options, from the registry."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import groupby

from costmodel.report.numbers import short
from costmodel.zoo import TASKS, Network, networks
from costmodel.zoo.options import show_value
from costmodel.zoo.registry import build
from generators.page import Page, escaped, paragraphs, prose, table

_HEAD = """# All networks

The {count} networks that come with the package, with the counts that each has by default. `zoo:NAME` names one wherever
a model is asked for, and `zoo:NAME,key=value` sets its options. All take `batch` and `resolution`.
[The zoo](../zoo.md) says what each was checked against.

"""
_TASKS = {"classification": "Classification", "detection": "Detection", "block": "Blocks and stacks of blocks"}
_SHARED = ("batch", "resolution")


def pages() -> Iterator[Page]:
    """The one page."""
    yield Page("reference/networks.md", "All networks", _text)


def _text() -> str:
    known = list(networks())
    parts = [_HEAD.format(count=len(known))]
    for task in TASKS:
        of_task = sorted((one for one in known if one.task == task), key=_order)
        parts.append(f"## {_TASKS[task]}\n\n")
        for family, members in groupby(of_task, key=lambda one: one.family):
            parts += _family(family, list(members))
    return "".join(parts)


def _family(family: str, members: list[Network]) -> Iterator[str]:
    yield f"### {escaped(family)}\n\n"
    yield table(("network", "mult-adds", "parameters", "input", ""), map(_row, members), "lrrr") + "\n"
    by_options: dict[tuple[str, ...], list[Network]] = {}
    for one in members:
        by_options.setdefault(tuple(_options(one)), []).append(one)
    for options, takers in by_options.items():
        names = ", ".join(f"`{one.name}`" for one in takers)
        yield f"{names if len(by_options) > 1 else 'Options'}:\n\n" + "".join(options) + "\n"
    texts = dict.fromkeys(part for one in members for part in _meanings(one))
    yield "".join(f"{prose(text)}\n\n" for text in texts)


def _row(one: Network) -> tuple[str, ...]:
    cost = build(one.name).cost
    size = next(option.default for option in one.options if option.name == "resolution")
    return f"`{one.name}`", short(cost.mult_adds), short(cost.params), show_value(size), prose(one.summary)


def _options(one: Network) -> Iterator[str]:
    for option in one.options:
        if option.name not in _SHARED:
            yield f"* `{option.name}={show_value(option.default)}`: {prose(option.wanted)}\n"


def _meanings(one: Network) -> list[str]:
    """What the docstring says of a network and its options, beside what it is."""
    return paragraphs(one.description.removeprefix(one.summary), r"\n\s*\n|\n(?=\w+(?:, \w+)*: )")


def _order(one: Network) -> tuple[str, list[str | int]]:
    """By family, and then by name with numbers as such: resnet50 before resnet101."""
    return one.family.lower(), [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", one.name)]

"""The networks that come with the package."""

from __future__ import annotations

import re
import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby

from rich.console import Group
from rich.text import Text

from costmodel.report.tables import table, to_text
from costmodel.zoo import TASKS, Network
from costmodel.zoo.options import show_value

_COLUMNS = 80  # of lists and paragraphs, unless the terminal is wider
_HEADS = {"classification": "Classification", "detection": "Detection", "block": "Blocks and stacks of blocks"}


def render_list(networks: Sequence[Network], width: int | None, color: bool) -> str:
    """Every network by task and family; below the names the options that only they take, with their defaults."""
    takers = Counter(option.name for net in networks for option in net.options)
    every = [name for name, number in takers.items() if number == len(networks)]
    most = [name for name, number in takers.items() if len(networks) / 2 < number < len(networks)]
    content: list[Text] = []
    for task in TASKS:
        of_task = [net for net in networks if net.task == task]
        if of_task:
            content += [Text(_HEADS[task], style="bold"), Text()]
        for family, members in groupby(sorted(of_task, key=_order), key=lambda net: net.family):
            content += [Text(family), *_members(list(members), {*every, *most}, width), Text()]
    return to_text(Group(*content), width, color) + (
        f"{len(networks)} networks. All take {' and '.join(every)}, most {' and '.join(most)}.\n"
        "Name one as zoo:NAME[,key=value...], for example zoo:resnet50,batch=8; `costmodel zoo NAME` describes one.\n"
    )


def _order(net: Network) -> tuple[str, list[str | int]]:
    """By family, and then by name with numbers as such: resnet50 before resnet101."""
    return net.family.lower(), [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", net.name)]


def _members(members: Sequence[Network], shared: set[str], width: int | None) -> Iterator[Text]:
    """The names, those with the same options together, and then these."""
    by_options: dict[str, list[str]] = {}
    for net in members:
        own = " ".join(
            f"{option.name}={show_value(option.default)}" for option in net.options if option.name not in shared
        )
        by_options.setdefault(own, []).append(net.name)
    for own, names in by_options.items():
        yield Text(_filled("  ".join(names), width, indent=2), style="cyan")
        if own:
            yield Text(_filled(own, width, indent=6), style="dim")


def _filled(text: str, width: int | None, indent: int = 0) -> str:
    """The text in lines, no word of it cut."""
    columns = _COLUMNS if width is None else max(width, _COLUMNS)
    margin = " " * indent
    return textwrap.fill(
        text,
        columns,
        initial_indent=margin,
        subsequent_indent=margin,
        break_long_words=False,
        break_on_hyphens=False,
    )


def render_network(net: Network, width: int | None, color: bool) -> str:
    """One network: what it is, what may follow its name, and where it comes from."""
    rows = table("option")
    rows.add_column("default", overflow="fold")
    rows.add_column("takes", overflow="fold")
    for option in net.options:
        rows.add_row(option.name, show_value(option.default), option.wanted)
    needs = [f"at least {net.smallest}"] * (net.smallest > 1) + [f"a multiple of {net.multiple}"] * (net.multiple > 1)
    lines = [f"zoo:{net.name}", *(_filled(part, width, indent=2) for part in _paragraphs(net.description)), ""]
    sides = f"Each side of the image is {' and '.join(needs)}.\n" if needs else ""
    return "\n".join(lines) + f"\n{to_text(rows, width, color)}\n{sides}{_filled(f'{net.family}.', width)}\n"


def _paragraphs(description: str) -> list[str]:
    """Of a docstring; what an option means is one of its own."""
    text = re.sub(r"\n(?=\w+(, \w+)*: )", "\n\n", description)
    return [" ".join(part.split()) for part in text.split("\n\n") if part.strip()]

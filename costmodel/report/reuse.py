"""Feature reuse as text, JSON and CSV."""

from __future__ import annotations

import csv
from io import StringIO

from rich.console import Group, RenderableType
from rich.text import Text

from costmodel.report.documents import json_text
from costmodel.report.names import csv_cell, plain
from costmodel.report.tables import NARROWEST, Name, table, to_text
from costmodel.reuse import FeatureReuse

AHEAD = 6  # distances in the table at most; fewer on a terminal that names leave no room for
MOST_ROWS = 200  # blocks in the table; CSV has all

_SHADES = ((1.0, "█"), (0.5, "▓"), (0.25, "▒"), (0.0, "░"))  # from this share on; 0: above it
_NONE = "·"
_FIXED, _EACH = 22, 7  # columns of the table beside names: of all numbers but distances, and of each of these
_LEGEND = "█ all  ▓ half or more  ▒ a quarter or more  ░ less  · none"


def render(reuse: FeatureReuse, width: int | None = None, color: bool = False) -> str:
    """The reuse as text: what every block passes on, a heat map of shares, and the mean share by distance.

    width: columns of the terminal; None for a pipe. color: with ANSI styles.
    """
    name = plain(reuse.network)
    if not reuse.pairs:
        parts: list[RenderableType] = [Text(f"{name}: {_nothing(reuse)}"), *map(Text, map(plain, reuse.notes))]
        return to_text(Group(*parts), width, color)
    parts = [
        Text(name, "bold"),
        Text("Feature reuse: channels of a block that are unchanged in a later one's output."),
        Text(),
        Text("By block", "bold"),
        _blocks(reuse, width),
        *([Text(_cut(reuse), "dim")] if len(reuse.blocks) > MOST_ROWS else []),
        Text(),
        Text("Share of the source's channels that are in the target, in percent", "bold"),
        *map(Text, heat_map(reuse, max(width or NARROWEST, NARROWEST))),
        *_decay(reuse),
        *([Text()] if reuse.notes else []),
        *map(Text, map(plain, reuse.notes)),
    ]
    return to_text(Group(*parts), width, color)


def _nothing(reuse: FeatureReuse) -> str:
    """Why there is nothing to show, in one line."""
    if not reuse.blocks:
        return "no feature reuse: no paths join, so there are no blocks"
    if len(reuse.blocks) == 1:
        return f"no feature reuse: paths join only once, in {plain(reuse.blocks[0].name)}"
    return f"no feature reuse: none of the {len(reuse.blocks)} blocks passes a channel on unchanged to a later one"


def _cut(reuse: FeatureReuse) -> str:
    return f"The first {MOST_ROWS} of {len(reuse.blocks)} blocks; --format csv has all."


def _blocks(reuse: FeatureReuse, width: int | None) -> RenderableType:
    """How many channels each block makes, and how many of its own are in the blocks after it."""
    furthest = max(j - i for i, row in enumerate(reuse.passed) for j in row)
    longest = max(len(block.name) for block in reuse.blocks[:MOST_ROWS])
    room = AHEAD if width is None else max((max(width, NARROWEST) - longest - _FIXED) // _EACH, 2)
    ahead = range(1, min(furthest, AHEAD, room) + 1)
    result = table("", "block", "channels", "new", *(f"in +{distance}" for distance in ahead))
    result.columns[0].justify = "right"
    result.columns[1].justify, result.columns[1].no_wrap = "left", False
    for i, block in enumerate(reuse.blocks[:MOST_ROWS]):
        row = reuse.passed[i]
        passed = [str(row[i + distance]) if i + distance in row else _NONE for distance in ahead]
        after = [cell if i + distance < len(reuse.blocks) else "" for distance, cell in zip(ahead, passed, strict=True)]
        result.add_row(str(i + 1), Name(plain(block.name)), str(block.channels), str(reuse.made[i]), *after)
    return result


def heat_map(reuse: FeatureReuse, width: int = NARROWEST) -> list[str]:
    """A row a source and a column a target, both by the numbers of the table, in lines of at most `width`.

    Cells are a shade and percent, or a shade only where many blocks leave no room. Where even these are too many,
    there is one map for each stage, and of a stage as many columns as fit.
    """
    count = len(reuse.blocks)
    label = len(str(count)) + 1
    room = width - label
    if count <= room:
        return [*_map(reuse, range(count), room), _LEGEND]
    lines = []
    for stage in reuse.stages:
        if len(stage) > 1:
            lines += [f"Blocks {stage[0] + 1} to {stage[-1] + 1}", *_map(reuse, stage[:room], room)]
            if len(stage) > room:
                lines.append(f"The first {room} of {len(stage)} blocks; --format csv has all.")
    lines.append("What passes between the groups is in --format csv.")
    return [*lines, _LEGEND]


def _map(reuse: FeatureReuse, shown: range, room: int) -> list[str]:
    cell = next(size for size in (4, 2, 1) if size * len(shown) <= room or size == 1)
    label = len(str(len(reuse.blocks)))
    lines = _head(shown, cell, label)
    for i in shown:
        cells = [_cell(reuse.share(i, j), cell) if j >= i else " " * cell for j in shown]
        lines.append(f"{i + 1:>{label}} {''.join(cells)}".rstrip())
    return lines


def _head(shown: range, cell: int, label: int) -> list[str]:
    """The targets' numbers: each, or above narrow cells every fifth, ending at its column."""
    if cell == 4:
        return [" " * (label + 1) + "".join(f"{j + 1:>{cell}}" for j in shown)]
    line = ""
    for place, j in enumerate(shown, start=1):
        if (j + 1) % 5 == 0:
            line = line.ljust(place * cell - len(str(j + 1))) + str(j + 1)
    return [" " * (label + 1) + line] if line else []


def _cell(share: float, size: int) -> str:
    shade = next((shade for least, shade in _SHADES if share >= least and share > 0), _NONE)
    if size < 4:
        return shade * size if shade != _NONE else _NONE.rjust(size)
    return f"{shade}{_percent(share):>3}" if share else _NONE.rjust(4)


def _percent(share: float) -> str:
    """In at most three characters; 100 and 0 mean all and none."""
    rounded = round(100 * share)
    return "<1" if rounded == 0 else ">99" if rounded == 100 and share < 1 else str(rounded)


def _decay(reuse: FeatureReuse) -> list[RenderableType]:
    """The mean share by distance, beside what the paper expects; nothing where no block passes channels to the next."""
    if not reuse.distances:
        return []
    known = reuse.ratio is not None
    result = table("distance j", "pairs of blocks", "mean share", *(["r^j"] if known else []))
    result.columns[0].justify = "right"
    for each in reuse.distances:
        cells = [f"{100 * share:.2f} %" for share in (each.mean, each.expected) if share is not None]
        result.add_row(str(each.distance), str(each.pairs), *cells)
    line = "r is not the same for all blocks." if reuse.ratio is None else f"r = {reuse.ratio}: {_RATIO}"
    return [Text(), Text("By distance, within stages", "bold"), result, Text(line)]


_RATIO = "the share that every block passes on to the next of its stage."


def render_json(reuse: FeatureReuse) -> str:
    """One JSON document of the schema costmodel.reuse/1."""
    return json_text(reuse.to_dict())


def render_csv(reuse: FeatureReuse) -> str:
    """One line for each pair of blocks that share a channel."""
    out = StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["source", "target", "distance", "channels", "source_channels", "share"])
    for i, row in enumerate(reuse.passed):
        for j, count in sorted(row.items()):
            names = (csv_cell(reuse.blocks[place].name) for place in (i, j))
            writer.writerow([*names, j - i, count, reuse.blocks[i].channels, reuse.share(i, j)])
    return out.getvalue()

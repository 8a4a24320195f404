"""Platforms: the list of them, and everything about one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from costmodel.platforms import Accuracy, Platform, Stretch, form
from costmodel.report.documents import json_text
from costmodel.report.names import plain
from costmodel.report.tables import table, to_text

SCHEMA = "costmodel.platforms/1"

_PREFIXES = ((1.0, "s"), (1e-3, "ms"), (1e-6, "us"), (1e-9, "ns"), (1e-12, "ps"), (1e-15, "fs"))


def render_list(known: Sequence[Platform], width: int | None = None, color: bool = False) -> str:
    """A line for every platform, with the error on networks that its fit had not seen; a terminal clips devices."""
    rows = table("platform")
    rows.columns[0].no_wrap = True
    rows.add_column("device")
    rows.add_column("error", justify="right", no_wrap=True)
    rows.add_column("measured", justify="right", no_wrap=True)
    for platform in known:
        accuracy = platform.accuracy
        error, networks = ("", "") if accuracy is None else (_percent(accuracy.mape), str(accuracy.networks))
        device = Text(plain(platform.device), no_wrap=True, overflow="ellipsis")
        rows.add_row(plain(platform.id), device, error, networks)
    count = f"{len(known)} platform{'' if len(known) == 1 else 's'}"
    text = to_text(rows, width, color) if known else ""
    return (
        f"{text}\n{count}. Measured: networks, blocks or stacks of layers.\n"
        "Error: the mean error on them, each held out of the fit.\n"
        "`costmodel platforms list ncnn 4t`: those with both words in their ids.\n"
        "`costmodel platforms show snapdragon810`: all about one (a unique beginning).\n"
    ).lstrip("\n")


def render_json(known: Sequence[Platform]) -> str:
    """The list for programs."""
    document = {"schema": SCHEMA, "platforms": [_entry(platform) for platform in known]}
    return json_text(document)


def _entry(platform: Platform) -> dict[str, Any]:
    accuracy = platform.accuracy
    return {
        "id": platform.id,
        "device": platform.device,
        "runtime": platform.runtime,
        "runtime_version": platform.runtime_version,
        "precision": platform.precision,
        "threads": platform.threads,
        "held_out_mape": None if accuracy is None else accuracy.mape,
        "networks": None if accuracy is None else accuracy.networks,
        "sources": [source.name for source in platform.sources],
    }


def render_one(platform: Platform, width: int | None = None, color: bool = False) -> str:
    """Everything about a platform: coefficients with their units, intervals, accuracy and provenance."""
    parts: list[RenderableType] = [Text(plain(platform.id), "bold"), _identity(platform)]
    parts += _titled("Coefficients", _coefficients(platform))
    if platform.stretch.exponent:
        parts += _titled("Stretch: the latency of a run whose times add up to s", _stretch(platform.stretch))
    parts += _titled("Intervals: a latency is multiplied and divided by", _intervals(platform))
    accuracy = platform.accuracy
    if accuracy is not None:
        parts += _titled(
            f"Accuracy on networks that the fit had not seen ({plain(accuracy.method)})", _accuracy(accuracy)
        )
    if platform.sources:
        parts += _titled("Measured by", _sources(platform))
    if platform.notes:
        parts += [Text(), *(Text(plain(note)) for note in platform.notes)]
    return to_text(Group(*parts), width, color)


def _titled(title: str, content: RenderableType) -> list[RenderableType]:
    return [Text(), Text(title, "bold"), content]


def _facts(*facts: tuple[str, str]) -> Table:
    result = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    result.add_column(no_wrap=True)
    result.add_column(overflow="fold")
    for name, value in facts:
        if value:
            result.add_row(name, plain(value))
    return result


def _identity(platform: Platform) -> RenderableType:
    machine = platform.machine
    channels = f"{machine.vector} channels"
    if machine.packed:
        channels += f", or {machine.packed} at half speed"
    if machine.padded:
        channels += ", others rounded up"
    size = machine.winograd
    return _facts(
        ("device", platform.device),
        ("runtime", f"{platform.runtime} {platform.runtime_version}".rstrip()),
        ("precision", platform.precision),
        ("threads", str(platform.threads) if platform.threads else ""),
        ("clock", platform.clock),
        ("vector", channels),
        ("Winograd", f"F({size} x {size}, 3 x 3)" if size else ""),
    )


def _coefficients(platform: Platform) -> RenderableType:
    rows = table("term", "takes")
    rows.add_column("for each", overflow="fold")
    units = form.units()
    for name, seconds in platform.coefficients.items():
        rows.add_row(plain(name), _duration(seconds), plain(units.get(name, "")))
    return rows


def _stretch(stretch: Stretch) -> RenderableType:
    reference, shortest, longest = map(_duration, (stretch.reference, stretch.shortest, stretch.longest))
    factor = f"(s / {reference})^{stretch.exponent:.3g}"
    return Text(f"s {factor}; the factor does not change below {shortest} and above {longest}")


def _intervals(platform: Platform) -> RenderableType:
    """The factor at each coverage: of a network whose kinds are well known, and of one of a single kind."""
    doubt = platform.doubt
    coverages = sorted(doubt.quantiles)
    rows = table("of a network", *(f"{100 * coverage:g} %" for coverage in coverages))
    deviations = {"of well known kinds": doubt.network}
    for kind, of_kind in sorted(doubt.kinds.items()):
        deviations[f"of {kind} kernels only"] = math.hypot(doubt.network, of_kind)
    for name, deviation in deviations.items():
        rows.add_row(name, *(f"{math.exp(doubt.quantiles[coverage] * deviation):.2f}" for coverage in coverages))
    return rows


def _accuracy(accuracy: Accuracy) -> RenderableType:
    return _facts(
        ("networks", f"{accuracy.networks} ({accuracy.samples} measurements)"),
        ("mean error", _percent(accuracy.mape)),
        ("median error", _percent(accuracy.median)),
        ("within 5 %", f"{_percent(accuracy.within_5)} of them"),
        ("within 10 %", f"{_percent(accuracy.within_10)} of them"),
        ("Kendall's tau", f"{accuracy.tau:.3f}"),
        ("mult-adds alone", f"mean error {_percent(accuracy.baseline_mult_adds)}"),
        ("mult-adds and memory access", f"mean error {_percent(accuracy.baseline_memory)}"),
    )


def _sources(platform: Platform) -> RenderableType:
    rows = table("source", "samples")
    rows.add_column("date", no_wrap=True)
    for source in platform.sources:
        rows.add_row(plain(source.name), str(source.samples or ""), plain(source.date))
    return rows


def _duration(seconds: float) -> str:
    """Seconds to three digits with the prefix that suits: 12.3 us."""
    if not seconds:
        return "0"
    scale, unit = next(((s, u) for s, u in _PREFIXES if seconds >= 0.9995 * s), _PREFIXES[-1])
    return f"{seconds / scale:.3g} {unit}"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"

"""Latencies as cells of tables: what every renderer shows of an analysis with platforms."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from costmodel.analysis import Analysis
from costmodel.errors import UsageError
from costmodel.report.names import operator_label, plain
from costmodel.views import Timing

if TYPE_CHECKING:  # reports of counts alone start faster without
    from costmodel.predictor import Estimate, KernelEstimate
    from costmodel.pricing import Budget

DEAREST = 5  # kernels shown unless more are asked for

HELD_OUT = "held-out error"
_RUN = "run (fixed)"


@dataclass(frozen=True, slots=True)
class Cells:
    """A table: its heads and its rows, all text."""

    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Times(Timing):
    """A platform's prediction with what is printed of it. label: what heads call the platform."""

    label: str

    def cell(self, operator: str, *, name_kernel: bool = False) -> str:
        """The kernel's milliseconds at its main operator; what became of any other operator."""
        item = self.kernels.get(operator)
        if item is None:
            return ""
        if item.kernel.name != operator:
            return f"in {kernel_label(item)}" if name_kernel else "fused"
        return "free" if item.kernel.kind == "view" else self.part(self.of(operator) or 0.0)

    def part(self, seconds: float) -> str:
        """Milliseconds of a part of the run, with as many decimals as the whole deserves."""
        whole = max(float(self.prediction.latency.seconds), 1e-9) * 1e3
        return f"{seconds * 1e3:.{min(max(3 - math.floor(math.log10(whole)), 1), 6)}f}"

    def share(self, seconds: float) -> str:
        """A part of the run in percent."""
        whole = float(self.prediction.latency.seconds)
        return f"{100 * seconds / whole:.1f} %" if whole else ""


def times(analysis: Analysis) -> list[Times]:
    """The predictions of an analysis, one a platform. Raises UsageError for those of a population."""
    if len(analysis.timings) < len(analysis.predictions):
        raise UsageError(
            f"{analysis.model}: reports show the latency of one network, and its sizes are columns; "
            "read Analysis.predictions, or analyze one design"
        )
    names = labels([platform.id for platform in analysis.platforms])
    return [
        Times(one.platform, one.prediction, one.kernels, one.copies, names[one.platform.id]) for one in analysis.timings
    ]


def labels(ids: Sequence[str]) -> dict[str, str]:
    """Short names for platforms: the device where no other has it, else the whole id."""
    devices = [id.split("-")[0] for id in ids]
    return {id: device if devices.count(device) == 1 else id for id, device in zip(ids, devices, strict=True)}


def summary(shown: Sequence[Times]) -> Cells:
    """Each platform's latency with its interval and the error on networks that its fit had not seen."""
    odds = sorted({_odds(entry.prediction.latency.coverage) for entry in shown})
    heads = ("platform", "latency", f"{' or '.join(odds)} between", "launches", HELD_OUT)
    return Cells(heads, tuple(_summary_row(entry) for entry in shown))


def _summary_row(entry: Times) -> tuple[str, ...]:
    from costmodel.pricing import launches

    latency, accuracy = entry.prediction.latency, entry.platform.accuracy
    return (
        plain(entry.platform.id),
        f"{milliseconds(latency.seconds)} ms",
        f"{milliseconds(latency.low)} to {milliseconds(latency.high)} ms",
        str(launches(entry.prediction)),
        "" if accuracy is None else f"{100 * accuracy.mape:.1f} %",
    )


def by_kind(shown: Sequence[Times]) -> Cells:
    """Where the time goes: milliseconds and share of each kind of kernel, dearest first."""
    columns = [_kinds(entry) for entry in shown]
    wholes = [float(entry.prediction.latency.seconds) or 1.0 for entry in shown]
    names = dict.fromkeys(name for column in columns for name in column)
    ranked = sorted(
        names, key=lambda name: -max(column.get(name, 0.0) / w for column, w in zip(columns, wholes, strict=True))
    )
    rows = tuple(
        (name, *_parts(shown, [column.get(name, 0.0) for column in columns]))
        for name in ranked
        if any(column.get(name) for column in columns)
    )
    return Cells(("kind of kernel", *_heads(shown)), rows)


def _kinds(entry: Times) -> dict[str, float]:
    result: dict[str, float] = {_RUN: float(entry.prediction.fixed)}
    for item in entry.prediction.kernels:
        kind = item.kernel.kind.value
        result[kind] = result.get(kind, 0.0) + float(item.estimate.seconds)
    return result


def dearest(shown: Sequence[Times], count: int) -> Cells:
    """The kernels that take the largest share on any of the platforms, by their main operators."""
    shares: dict[str, float] = {}
    kernels: dict[str, KernelEstimate] = {}
    for entry in shown:
        whole = float(entry.prediction.latency.seconds) or 1.0
        for item in entry.prediction.kernels:
            name = item.kernel.name
            shares[name] = max(shares.get(name, 0.0), (entry.of(name) or 0.0) / whole)
            kernels.setdefault(name, item)
    ranked = sorted((name for name, share in shares.items() if share), key=lambda name: -shares[name])[:count]
    rows = tuple(
        (
            plain(kernel_label(kernels[name])),
            kernels[name].kernel.kind.value,
            *_parts(shown, [entry.of(name) for entry in shown]),
        )
        for name in ranked
    )
    return Cells(("kernel", "kind", *_heads(shown)), rows)


def kernel_label(item: KernelEstimate) -> str:
    """A kernel's name as people look for it: that of its main operator, as tables of operators have it."""
    kernel = item.kernel
    return next((operator_label(node) for node in kernel.operators if node.name == kernel.name), kernel.name)


def _heads(shown: Sequence[Times]) -> Iterator[str]:
    for entry in shown:
        yield f"{entry.label} ms"
        yield "share"


def _parts(shown: Sequence[Times], seconds: Sequence[float | None]) -> Iterator[str]:
    for entry, part in zip(shown, seconds, strict=True):
        yield "" if part is None else entry.part(part)
        yield "" if part is None else entry.share(part)


def note_lines(analysis: Analysis) -> list[str]:
    """What the intervals do not cover, and what else to know of the platforms."""
    if not analysis.predictions:
        return []
    from costmodel.pricing import doubts

    return [
        plain(f"{platform.id}: {note}")
        for platform, prediction in zip(analysis.platforms, analysis.predictions, strict=True)
        for note in (*doubts(prediction, platform, analysis.graph), *platform.notes)
    ]


def budget_line(budget: Budget) -> str:
    """Whether the network keeps to a budget, in a sentence."""
    head = f"Budget of {milliseconds(budget.seconds)} ms on {plain(budget.platform)}"
    latency = budget.latency
    if not budget.exceeded:
        return f"{head}: kept, {interval(latency)}"
    certain = "even the lower end is above it" if latency.low > budget.seconds else "the upper end is above it"
    return f"{head}: exceeded, {interval(latency)}: {certain}"


def interval(estimate: Estimate) -> str:
    """A latency with its interval: 12.3 ms (10.9 to 13.9, 9 of 10)."""
    low, high = milliseconds(estimate.low), milliseconds(estimate.high)
    return f"{milliseconds(estimate.seconds)} ms ({low} to {high}, {_odds(estimate.coverage)})"


def milliseconds(seconds: Any) -> str:
    """Seconds in milliseconds, to three digits."""
    value = float(f"{float(seconds) * 1e3:.3g}")
    if value == 0 or value >= 100:
        return f"{value:,.0f}"
    return f"{value:.{min(2 - math.floor(math.log10(value)), 9)}f}"


def _odds(coverage: float) -> str:
    """0.9 as 9 of 10; the smallest whole numbers up to hundreds."""
    whole = next((n for n in range(1, 1000) if math.isclose(coverage * n, round(coverage * n), abs_tol=1e-9)), 1000)
    return f"{round(coverage * whole)} of {whole}"


def on_lines(head: str, width: int) -> str:
    """A platform's head on several lines: broken at dashes where it is longer than `width`, its unit below."""
    name, _, unit = head.rpartition(" ")
    lines = [""]
    for word in re.findall(r"-?[^-]+", name):
        if lines[-1] and len(lines[-1] + word) > width:
            lines.append("")
        lines[-1] += word if len(word) <= width else re.sub(r"(?<=[a-z])(?=\d+$)", "\n", word)
    return "\n".join([*lines, unit])

"""Rooflines: how fast each platform's kernels run by how much they compute for each byte."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from costmodel.kernels import Kind
from costmodel.predictor import KernelEstimate
from costmodel.predictor.roofline import Roofline, roofline
from costmodel.report.html.markup import Markup, tag
from costmodel.report.html.parts import part_of
from costmodel.report.html.plots import Axis, Ends, clipped, compact, line, log_axis, percent, plot, x_axis, y_axis
from costmodel.report.html.sections import Section, details, figure, grid, legend, marks, section
from costmodel.report.html.shown import Shown
from costmodel.report.latency import Times

_HEIGHT = 280
_LABEL = 0.05  # of the height: how much higher the label of a level stands than one below a point
_SMALLEST, _LARGEST = 2.5, 22.0  # radii in pixels, of no time and of a whole run

_WHAT = (
    "Each dot is a kernel that computes, or several at the same place; its area is the time that they take. Lines are "
    "ceilings at the prices of the platform's profile: what the fastest kernel of a colour would reach if nothing but "
    "mult-adds took time (level, with its kind), and what memory access would allow where an element is cheapest "
    "(sloped). Prices are fitted to measured networks; they are not the device's data sheet. The model adds mult-adds, "
    "memory access and a launch up, so that dots lie below the lines; only where the price of a mult-add covers what "
    "is read may one lie above the sloped line. Where the measured networks were never short of memory, their fit says "
    "little of it, and the sloped line may lie far above what the device has."
)


def rooflines(shown: Shown) -> Section | None:
    """A picture for each platform that has kernels with mult-adds; None without any."""
    pictures = [_picture(shown, place) for place in range(len(shown.times))]
    used = {part_of(item.kernel.kind) for entry in shown.times for item in _computing(entry)}
    if not used:
        return None
    return section(
        "roofline", "Roofline", legend(used), grid(*pictures), details("What the dots and lines are", tag("p", _WHAT))
    )


def _computing(entry: Times) -> list[KernelEstimate]:
    return [
        item for item in entry.prediction.kernels if item.kernel.cost.mult_adds and float(item.estimate.seconds) > 0
    ]


def _picture(shown: Shown, platform: int) -> Markup | None:
    entry = shown.times[platform]
    spots = _spots(_computing(entry))
    if not spots:
        return None
    roof = roofline(entry.prediction, entry.platform)
    ceilings = _highest(roof.mult_adds)
    x = log_axis([place[0] for place in spots])
    y = log_axis([*(place[1] for place in spots), *ceilings.values()])
    name = f"Mult-adds a second by mult-adds a byte of the kernels of {entry.platform.id}"
    drawn = list(_ceilings(x, y, roof, ceilings))
    lines, labels = [level for level, _ in drawn], [label for _, label in drawn]
    dots = [_dot(shown, platform, number, place, items, (x, y)) for number, (place, items) in enumerate(spots.items())]
    content = plot(_HEIGHT, name, *x_axis(x, 5), *y_axis(y), *lines, *dots, *labels)
    left = sum(float(item.estimate.seconds) for item in entry.prediction.kernels if not item.kernel.cost.mult_adds)
    note = (
        f"Without mult-adds and so without a dot: kernels that take {entry.share(left)} of the time." if left else None
    )
    return figure(
        entry.platform.id,
        tag("p", "mult-adds a second", class_="axis"),
        marks(content, name),
        tag("p", "mult-adds a byte", class_="axis below"),
        note=note,
    )


def _spots(items: Sequence[KernelEstimate]) -> dict[tuple[float, float], list[KernelEstimate]]:
    """Kernels by their place in the plot, what takes longest first, so that small dots are drawn over large ones."""
    places: dict[tuple[float, float], list[KernelEstimate]] = {}
    for item in items:
        cost: Any = item.kernel.cost  # its counts are ints
        seconds = float(item.estimate.seconds)
        place = (
            float(f"{cost.mult_adds / cost.bytes:.4g}"),
            float(f"{cost.mult_adds / seconds:.4g}"),
        )
        places.setdefault(place, []).append(item)
    return dict(sorted(places.items(), key=lambda entry: -_seconds(entry[1])))


def _seconds(items: Sequence[KernelEstimate]) -> float:
    return sum(float(item.estimate.seconds) for item in items)


def _dot(
    shown: Shown,
    platform: int,
    number: int,
    place: tuple[float, float],
    items: Sequence[KernelEstimate],
    axes: tuple[Axis, Axis],
) -> Markup:
    entry, first = shown.times[platform], items[0].kernel
    names = [node.name for item in items for node in item.kernel.operators]
    token = shown.links.tie(f"p{platform}r{number}", names)
    took = _seconds(items)
    count = f"{len(items)} kernels, " if len(items) > 1 else ""
    said = f"{count}{first.kind}, {entry.part(took)} ms ({entry.share(took)}), {compact_rate(place[1])}"
    share = took / float(entry.prediction.latency.seconds)
    return tag(
        "circle",
        class_=f"m {part_of(first.kind)}",
        cx=percent(axes[0].at(place[0])),
        cy=percent(1 - axes[1].at(place[1])),
        r=f"{max(_LARGEST * share**0.5, _SMALLEST):.1f}",
        data_t=token,
        data_o=shown.number.get(first.name),
        data_d=said,
    )


def compact_rate(rate: float) -> str:
    """Mult-adds a second to three digits: 5.7 G mult-adds/s."""
    return f"{compact(float(f'{rate:.3g}'))} mult-adds/s"


def _highest(ceilings: Mapping[Kind, float]) -> dict[Kind, float]:
    """The ceilings that are drawn: the highest of each part of the time."""
    result: dict[str, Kind] = {}
    for kind in sorted(ceilings, key=lambda kind: -ceilings[kind]):
        result.setdefault(part_of(kind), kind)
    return {kind: ceilings[kind] for kind in result.values()}


def _ceilings(x: Axis, y: Axis, roof: Roofline, level: Mapping[Kind, float]) -> Iterator[tuple[Markup, Markup]]:
    """Lines, each with its label, where dots are few: at the right above convolutions, at the left above others."""
    for kind, rate in level.items():
        part = part_of(kind)
        place = {"x": "100%", "dx": "-4", "text_anchor": "end"} if part == "conv" else {"x": "0", "dx": "6"}
        height = percent(1 - y.at(rate))
        text = f"{kind} {compact_rate(rate)}"
        label = tag("text", text, class_="label", y=height, dy="-5", **place)
        yield line(x, y, (x.low, rate), (x.high, rate), f"roof {part}"), label
    ends = clipped(x, y, roof.bytes) if roof.bytes else None
    if ends is not None:
        intensity = _apart(x, y, roof.bytes, ends, level.values())
        place = {"x": percent(x.at(intensity)), "y": percent(1 - y.at(intensity * roof.bytes))}
        text = f"memory {compact(float(f'{roof.bytes:.3g}'), 'B/s')}"
        yield line(x, y, *ends, "roof memory"), tag("text", text, class_="label", dx="10", dy="12", **place)


def _apart(x: Axis, y: Axis, slope: float, ends: Ends, levels: Iterable[float]) -> float:
    """Where on the sloped line, by its x, a label is farthest from the labels of the levels."""
    (left, _), (right, _) = ends
    places: list[float] = [left * (right / left) ** share for share in (0.5, 0.3, 0.7, 0.1)]
    taken = [y.at(level) + _LABEL for level in levels]
    return max(places, key=lambda place: min((abs(y.at(place * slope) - at) for at in taken), default=0.0))

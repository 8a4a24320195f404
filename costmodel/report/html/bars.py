"""Where the time goes: a stacked bar for each platform, as in Figure 2 of the ShuffleNet V2 paper."""

from __future__ import annotations

from dataclasses import dataclass

from costmodel.report.html.markup import Markup, tag
from costmodel.report.html.parts import FIXED, PARTS, part_of
from costmodel.report.html.plots import percent
from costmodel.report.html.sections import Section, details, figure, legend, section, table
from costmodel.report.html.shown import Shown
from costmodel.report.latency import Times, milliseconds

_HEIGHT = 44
_NARROWEST = 0.09  # share of a bar that has room for its percent on a phone


@dataclass(frozen=True, slots=True)
class Share:
    """A part of a run. seconds: what it takes. operators: names of those in its kernels."""

    part: str
    seconds: float
    operators: tuple[str, ...]


def shares(entry: Times) -> list[Share]:
    """A platform's time by parts, those that take none left out; their seconds add up to the latency's."""
    seconds = dict.fromkeys(PARTS, 0.0)
    operators: dict[str, list[str]] = {part: [] for part in PARTS}
    seconds[FIXED] = float(entry.prediction.fixed)
    for item in entry.prediction.kernels:
        part = part_of(item.kernel.kind)
        seconds[part] += float(item.estimate.seconds)
        operators[part] += [node.name for node in item.kernel.operators]
    return [Share(part, seconds[part], tuple(operators[part])) for part in PARTS if seconds[part] > 0]


def where_time_goes(shown: Shown) -> Section:
    """The bars with their legend and a table of the same."""
    parts = [shares(entry) for entry in shown.times]
    bars = [_bar(shown, place, of) for place, of in enumerate(parts)]
    used = {share.part for of in parts for share in of}
    return section(
        "time",
        "Where the time goes",
        tag("p", "A bar's part selects its operators in the table below.", class_="note script"),
        legend(used),
        *bars,
        details("The same as a table", _table(shown, parts)),
    )


def _bar(shown: Shown, platform: int, parts: list[Share]) -> Markup:
    entry = shown.times[platform]
    whole = sum(share.seconds for share in parts)
    segments, start = [], 0.0
    for share in parts:
        width = share.seconds / whole
        segments.append(_segment(shown, platform, share, start, width))
        start += width
    latency = f"{milliseconds(entry.prediction.latency.seconds)} ms"
    # Segments are links, each with a name: the picture must not hide them as role img does.
    content = tag("svg", *segments, class_="bar", height=_HEIGHT, role="group", aria_label=f"{entry.platform.id} parts")
    return figure(f"{entry.platform.id}: {latency}", content)


def _segment(shown: Shown, platform: int, share: Share, start: float, width: float) -> Markup:
    entry = shown.times[platform]
    value = f"{entry.part(share.seconds)} ms, {entry.share(share.seconds)}"
    name = f"{PARTS[share.part]}: {value}"
    token = f"p{platform}-{share.part}"
    box = tag(
        "rect",
        class_=f"m {share.part}",
        x=percent(start),
        width=percent(width),
        height="100%",
        data_t=token,
        data_d=name,
    )
    label = None
    if width >= _NARROWEST:
        label = tag("text", f"{100 * width:.0f} %", class_="on-part", x=percent(start + width / 2), y="50%", dy="5")
    if not share.operators:
        return tag("g", box, label)
    shown.links.tie(token, share.operators)
    return tag("a", box, label, href=f"#{token}", aria_label=f"{name}; select its {len(share.operators)} operators")


def _table(shown: Shown, parts: list[list[Share]]) -> Markup:
    heads = ["part", *(head for entry in shown.times for head in (f"{entry.label} ms", "share"))]
    seconds = [{share.part: share.seconds for share in of} for of in parts]
    rows = []
    for part, words in PARTS.items():
        if any(part in of for of in seconds):
            cells = [words]
            for entry, of in zip(shown.times, seconds, strict=True):
                took = of.get(part, 0.0)
                cells += [entry.part(took), entry.share(took)]
            rows.append(cells)
    return table(heads, rows, "Time by parts of the run")

"""Where the time of both networks goes: two stacked bars for each platform, on one scale."""

from __future__ import annotations

from costmodel.report.compare_cells import part as signed_part
from costmodel.report.html.bars import Share, shares
from costmodel.report.html.comparison.compared import SIDES, Compared
from costmodel.report.html.markup import Markup, tag
from costmodel.report.html.parts import PARTS
from costmodel.report.html.plots import percent
from costmodel.report.html.sections import Section, details, figure, legend, section, table
from costmodel.report.latency import Times, milliseconds

_HEIGHT = 36
_NARROWEST = 0.09  # share of the width that has room for a percent on a phone


def where_time_goes(compared: Compared) -> Section:
    """The bars with their legend and a table of the same."""
    parts = [[shares(entry) for entry in side] for side in compared.times]
    used = {share.part for side in parts for of in side for share in of}
    selects = tag("p", "A bar's part selects those of its layers that differ in the table below.", class_="note script")
    return section(
        "time",
        "Where the time goes",
        selects if compared.rows else None,
        legend(used),
        *(_figure(compared, place, [side[place] for side in parts]) for place in range(len(compared.times[0]))),
        details("The same as a table", _table(compared, parts)),
    )


def _figure(compared: Compared, platform: int, parts: list[list[Share]]) -> Markup:
    longest = max(sum(share.seconds for share in of) for of in parts)
    entries = [times[platform] for times in compared.times]
    bars = []
    for side, (name, entry) in enumerate(zip(SIDES, entries, strict=True)):
        took = float(entry.prediction.latency.seconds)
        bars += [
            tag("p", f"{name}: {milliseconds(took)} ms", class_="axis"),
            _bar(compared, (side, platform), entry, parts[side], longest),
        ]
    return figure(entries[0].platform.id, *bars)


def _bar(compared: Compared, place: tuple[int, int], entry: Times, parts: list[Share], longest: float) -> Markup:
    """place: which network and which platform. longest: seconds that the whole width stands for."""
    segments, start = [], 0.0
    for share in parts:
        width = share.seconds / longest if longest else 0.0
        segments.append(_segment(compared, place, entry, share, (start, width)))
        start += width
    name = f"{entry.platform.id} parts {SIDES[place[0]]}"
    return tag("svg", *segments, class_="bar", height=_HEIGHT, role="group", aria_label=name)


def _segment(
    compared: Compared, place: tuple[int, int], entry: Times, share: Share, span: tuple[float, float]
) -> Markup:
    side, platform = place
    start, width = span
    words = f"{PARTS[share.part]}: {entry.part(share.seconds)} ms, {entry.share(share.seconds)}"
    token = f"p{platform}{'ab'[side]}-{share.part}"
    count = compared.tie(token, side, share.operators)
    box = tag(
        "rect",
        class_=f"m {share.part}",
        x=percent(start),
        width=percent(width),
        height="100%",
        data_t=token if count else None,
        data_d=words,
    )
    label = None
    if width >= _NARROWEST:
        middle = percent(start + width / 2)
        of_run = f"{100 * share.seconds / float(entry.prediction.latency.seconds):.0f} %"
        label = tag("text", of_run, class_="on-part", x=middle, y="50%", dy="5")
    if not count:
        return tag("g", box, label)
    layers = "its layer that differs" if count == 1 else f"its {count} layers that differ"
    return tag("a", box, label, href=f"#{token}", aria_label=f"{words}; select {layers}")


def _table(compared: Compared, parts: list[list[list[Share]]]) -> Markup:
    delays = compared.comparison.delays
    heads = ["part"]
    for entry in compared.times[0]:
        heads += [f"{entry.label} before ms", "after ms", "difference"]
    seconds = [[{share.part: share.seconds for share in of} for of in side] for side in parts]
    rows = []
    for part, words in PARTS.items():
        if any(part in of for side in seconds for of in side):
            cells = [words]
            for place, (entry, delay) in enumerate(zip(compared.times[0], delays, strict=True)):
                before, after = (side[place].get(part, 0.0) for side in seconds)
                cells += [entry.part(before), entry.part(after), signed_part(after - before, delay)]
            rows.append(cells)
    return table(heads, rows, "Time by parts of the run, before and after")

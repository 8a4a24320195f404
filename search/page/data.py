"""Every design of the page as data, of which designs.js makes the panel."""

from __future__ import annotations

import json
from typing import Any

from costmodel.report.html.markup import Markup, tag
from search.page.axes import Axes, axes, place
from search.page.panel import slots
from search.page.shown import Entry, Shown
from search.page.stages import pieces


def data(shown: Shown) -> Markup:
    """JSON in an element that is no script, since nothing runs it."""
    sides = {platform: axes(shown, platform) for platform in shown.labels}
    records = [_record(shown, entry, sides) for entry in shown.entries]
    text = json.dumps(records, separators=(",", ":"), ensure_ascii=True)
    for sign in "<>&":
        text = text.replace(sign, f"\\u{ord(sign):04x}")  # so that the end of the element cannot be in it
    return tag("script", Markup(text), type="application/json", id="data")


def _record(shown: Shown, entry: Entry, sides: dict[str, Axes]) -> dict[str, Any]:
    """slots: texts of the panel. exceeds: whether a limit. places: in each plot, from the left and from above. pieces:
    as in stages.pieces, with the first of its units, the last, and how many. file: what a design file has."""
    return {
        "slots": slots(shown, entry),
        "exceeds": bool(entry.exceeded),
        "places": [place(entry, platform, one) for platform, one in sides.items()],
        "pieces": [
            [one.name, f"{one.pixels} x {one.pixels}", one.said, one.units[0], one.units[-1], len(one.units)]
            for one in pieces(entry.candidate.design)
        ],
        "file": shown.file(entry),
    }

"""The table of all designs of the page, to be searched and sorted."""

from __future__ import annotations

from costmodel.predictor import Estimate
from costmodel.report.html.listing import head, listing
from costmodel.report.html.markup import Content, Markup, tag
from costmodel.report.html.sections import Section, section
from costmodel.report.latency import milliseconds
from costmodel.report.numbers import exact, short
from search.page.panel import between, has_limits
from search.page.shown import Entry, Shown, roles_text
from search.report import capacity_text, condition_texts


def designs(shown: Shown) -> Section:
    """The table with its controls, which a script wakes up."""
    heads = [head("#", number=True), head("design"), head("what it is")]
    heads += [head(f"{label} ms", number=True) for label in shown.labels.values()]
    heads += [head(shown.outcome.evaluator.capacity.unit, number=True)]
    heads += [head(name, number=True) for name in ("mult-adds", "params", "mem. access")]
    heads += [head("budgets, counts" if condition_texts(shown.outcome) else "limits")] * has_limits(shown)
    left = shown.left_out
    fewer = f"{left:,} more designs of fronts, between those that are here, have no row." if left else None
    content = listing(
        "Designs",
        heads,
        [_row(shown, entry) for entry in shown.entries],
        caption="Designs: the best, Table 5, and fronts",
        search="Search stages, what it is or limits",
        called="designs",
        notes=(_READ, fewer),
    )
    return section("designs", "Designs", content)


_READ = (
    "24 116/58 x4 ... 1024 is a stem of 24 channels; stage 2 of 116 channels, 58 of them by the branch, and 4 units; "
    "stages 3 and 4 so, too; and a head of 1024."
)


def _row(shown: Shown, entry: Entry) -> Markup:
    one = entry.candidate
    cells: list[Content] = [
        tag("td", str(entry.number), class_="n"),
        tag("th", tag("a", entry.name, href=f"#{entry.token}"), scope="row"),
        tag("td", roles_text(entry), class_="words"),
        *(_latency(one.latency[platform]) for platform in shown.labels),
        tag("td", capacity_text(one.shown), class_="n", data_v=f"{one.shown:.9g}"),
        *(_count(count) for count in (one.mult_adds, one.params, one.memory_access)),
    ]
    if has_limits(shown):
        cells.append(tag("td", f"over: {', '.join(entry.exceeded)}" if entry.exceeded else "kept", class_="words"))
    tied = dict.fromkeys((entry.token, *(f"r-{role}" for role, _ in entry.roles)))
    return tag("tr", *cells, id=f"o{entry.number}", data_s=" ".join(tied))


def _latency(latency: Estimate) -> Markup:
    value = f"{1e3 * latency.seconds:.9g}"
    return tag("td", milliseconds(latency.seconds), class_="n", data_v=value, title=between(latency))


def _count(count: int) -> Markup:
    return tag("td", short(count), class_="n", data_v=str(count), title=exact(count))

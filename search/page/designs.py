"""The table of all designs of the page, to be searched and sorted."""

from __future__ import annotations

from costmodel.predictor import Estimate
from costmodel.report.html.markup import Content, Markup, tag
from costmodel.report.html.sections import Section, section
from costmodel.report.latency import milliseconds
from costmodel.report.numbers import exact, short
from search.page.panel import between, has_limits
from search.page.shown import Entry, Shown, roles_text
from search.report import capacity_text


def designs(shown: Shown) -> Section:
    """The table with its controls, which a script wakes up."""
    heads = [_head("#", number=True), _head("design"), _head("what it is")]
    heads += [_head(f"{label} ms", number=True) for label in shown.labels.values()]
    heads += [_head(shown.outcome.evaluator.capacity.unit, number=True)]
    heads += [_head(name, number=True) for name in ("mult-adds", "params", "mem. access")]
    heads += [_head("limits")] * has_limits(shown)
    body = [_row(shown, entry) for entry in shown.entries]
    name = "Designs: the best, Table 5, and fronts"
    content = (tag("caption", name), tag("thead", tag("tr", *heads)), tag("tbody", *body))
    whole = tag("table", *content, id="table", data_rows="designs")
    left = shown.left_out
    fewer = f"{left:,} more designs of fronts, between those that are here, have no row." if left else None
    return section(
        "designs",
        "Designs",
        tag(
            "div",
            tag("label", "Search stages, what it is or limits", for_="search"),
            tag("input", id="search", type="search", autocomplete="off", spellcheck="false"),
            class_="controls script",
        ),
        tag("p", _READ, class_="note"),
        tag("p", fewer, class_="note") if fewer else None,
        tag("div", whole, class_="scroll", tabindex="0", role="region", aria_label="Designs"),
    )


_READ = (
    "24 116/58 x4 ... 1024 is a stem of 24 channels; stage 2 of 116 channels, 58 of them by the branch, and 4 units; "
    "stages 3 and 4 so, too; and a head of 1024."
)


def _head(name: str, *, number: bool = False) -> Markup:
    """A head with a button that sorts."""
    return tag("th", tag("button", name, type="button"), scope="col", class_="n" if number else None)


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

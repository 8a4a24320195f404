"""The table of operators: every count and time that the plots show, to be searched and sorted."""

from __future__ import annotations

from costmodel.dims import Dim
from costmodel.report.html.markup import Content, Markup, breakable, tag
from costmodel.report.html.sections import Section, section
from costmodel.report.html.shown import Shown
from costmodel.report.latency import Times
from costmodel.report.numbers import exact, short
from costmodel.report.rows import Row, View, rows

_COUNTS = ("mult-adds", "params", "mem. access")


def operators(shown: Shown) -> Section:
    """The table with its controls, which a script wakes up."""
    heads = [_head("#", number=True), _head("operator")]
    heads += [_head(f"{entry.label} ms", number=True, unit="ms") for entry in shown.times]
    heads += [_head("type"), *(_head(name, number=True, unit="") for name in _COUNTS), _head("output")]
    body = [_row(shown, number, row) for number, row in enumerate(rows(shown.analysis, View()), 1)]
    said = (
        "A kernel's time stands at its main operator, with copies that are made for it; in 12 means: part of the "
        "kernel of operator 12."
    )
    caption = tag("caption", "Operators in the order of execution")
    whole = tag("table", caption, tag("thead", tag("tr", *heads)), tag("tbody", *body), id="table")
    return section(
        "operators",
        "Operators",
        tag(
            "div",
            tag("label", "Search name, type or shape", for_="search"),
            tag("input", id="search", type="search", autocomplete="off", spellcheck="false"),
            class_="controls script",
        ),
        tag("p", said, class_="note") if shown.times else None,
        tag("div", whole, class_="scroll", tabindex="0", role="region", aria_label="Operators"),
    )


def _head(name: str, *, number: bool = False, unit: str | None = None) -> Markup:
    """A head with a button that sorts; the script adds its column up where it has a unit."""
    return tag("th", tag("button", name, type="button"), scope="col", class_="n" if number else None, data_u=unit)


def _row(shown: Shown, number: int, row: Row) -> Markup:
    cost = row.cost
    cells: list[Content] = [
        tag("td", str(number), class_="n"),
        tag("th", tag("a", breakable(row.label), href=f"#o{number}"), scope="row"),
        *(_time(shown, entry, row.name) for entry in shown.times),
        tag("td", row.op),
        *(_count(count) for count in (cost.mult_adds, cost.params, cost.memory_access)),
        tag("td", row.output_shape),
    ]
    return tag("tr", *cells, id=f"o{number}", data_s=shown.links.of(row.name))


def _count(count: Dim) -> Markup:
    text = short(count)
    return tag("td", text, class_="n", data_v=None if text == str(count) else str(count), title=_full(count, text))


def _full(count: Dim, text: str) -> str | None:
    full = exact(count)
    return None if full == text else full


def _time(shown: Shown, entry: Times, operator: str) -> Markup:
    item = entry.kernels.get(operator)
    main = None if item is None else shown.number.get(item.kernel.name)
    if item is not None and item.kernel.name != operator and main is not None:
        return tag("td", tag("a", f"in {main}", href=f"#o{main}"), class_="n fused", data_v="0")
    return tag("td", entry.cell(operator), class_="n", data_v=f"{1e3 * (entry.of(operator) or 0.0):.6g}")

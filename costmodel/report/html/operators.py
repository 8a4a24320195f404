"""The table of operators: every count and time that the plots show, to be searched and sorted."""

from __future__ import annotations

from costmodel.dims import Dim
from costmodel.report.html.listing import head, listing
from costmodel.report.html.markup import Content, Markup, breakable, tag
from costmodel.report.html.sections import Section, section
from costmodel.report.html.shown import Shown
from costmodel.report.latency import Times
from costmodel.report.numbers import exact, short
from costmodel.report.rows import Row, View, rows

_COUNTS = ("mult-adds", "params", "mem. access")


def operators(shown: Shown) -> Section:
    """The table with its controls, which a script wakes up."""
    heads = [head("#", number=True), head("operator")]
    heads += [head(f"{entry.label} ms", number=True, unit="ms") for entry in shown.times]
    heads += [head("type"), *(head(name, number=True, unit="") for name in _COUNTS), head("output")]
    said = (
        "A kernel's time stands at its main operator, with copies that are made for it; in 12 means: part of the "
        "kernel of operator 12."
    )
    content = listing(
        "Operators",
        heads,
        [_row(shown, number, row) for number, row in enumerate(rows(shown.analysis, View()), 1)],
        caption="Operators in the order of execution",
        search="Search name, type or shape",
        notes=(said,) if shown.times else (),
    )
    return section("operators", "Operators", content)


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

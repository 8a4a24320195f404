"""The table of the layers that differ, to be searched, sorted and filtered by what became of them."""

from __future__ import annotations

from collections.abc import Sequence

from costmodel.comparing import Delay, Difference, State
from costmodel.report import compare_cells as cells
from costmodel.report.html.comparison.compared import STATES, Compared
from costmodel.report.html.listing import head, listing
from costmodel.report.html.markup import Content, Markup, breakable, join, tag
from costmodel.report.html.sections import Section, section

_COUNTS = ("mult-adds", "params", "mem. access")


def layers(compared: Compared) -> Section:
    """The table with its controls, which a script wakes up; it has the tokens of all marks that were made before."""
    delays = compared.comparison.delays
    for number, one in enumerate(compared.rows, 1):
        compared.links.tie(token_of(one.state), [f"o{number}"])
    heads = [head("#", number=True), head("layer"), head("state")]
    heads += [head(f"{entry.label} ms", number=True, unit="±ms") for entry in compared.times[0]]
    heads += [head("what"), *(head(name, number=True, unit="±") for name in _COUNTS)]
    content = listing(
        "Layers that differ",
        heads,
        [_row(compared, number, one, delays) for number, one in enumerate(compared.rows, 1)],
        caption="Layers that differ, in the order of execution; differences are after less before",
        search="Search name, state or change",
        called="layers",
        filters=states(compared, "Show only", State.SAME),
    )
    return section("layers", "Layers that differ", content)


def token_of(state: State) -> str:
    """What selects the layers of a state."""
    return f"s-{state.value}"


def states(compared: Compared, name: str, *without: State) -> Markup:
    """What the colours of states mean, each with how many there are; those with rows are links that select them."""
    items = []
    for state, words in STATES.items():
        count = len(compared.comparison.of(state))
        if count and state not in without:
            content = (tag("span", class_=f"key {state.value}"), f"{words} ({count})")
            linked = any(one.state is state for one in compared.rows)
            link = tag("a", *content, href=f"#{token_of(state)}") if linked else join(content)
            items.append(tag("li", link))
    return tag("ul", *items, class_="legend", aria_label=name)


def _row(compared: Compared, number: int, one: Difference, delays: Sequence[Delay]) -> Markup:
    counts = [_counts(one, side) for side in (0, 1)]
    content: list[Content] = [
        tag("td", str(number), class_="n"),
        tag("th", tag("a", breakable(one.layer.label), href=f"#o{number}"), scope="row"),
        tag("td", tag("span", class_=f"key {one.state.value}"), STATES[one.state]),
        *(_time(pair, delay) for pair, delay in zip(one.seconds, delays, strict=True)),
        tag("td", cells.what(one), class_="what"),
        *(_count(before, after) for before, after in zip(*counts, strict=True)),
    ]
    return tag("tr", *content, id=f"o{number}", data_s=compared.links.of(f"o{number}"))


def _time(pair: tuple[float, float], delay: Delay) -> Markup:
    seconds = pair[1] - pair[0]
    took = f"{pair[0] * 1e3:.4g} → {pair[1] * 1e3:.4g} ms"
    return tag("td", cells.part(seconds, delay), class_="n", data_v=f"{1e3 * seconds:.6g}", title=took)


def _counts(one: Difference, side: int) -> tuple[int, int, int]:
    """Mult-adds, parameters and memory access of a layer's operators before or after; zeros where it is not there."""
    layer = one.after if side else one.before
    costs = [node.cost for node in layer.nodes] if layer is not None else []
    sums = (
        sum(cost.mult_adds for cost in costs),
        sum(cost.params for cost in costs),
        sum(cost.memory_access for cost in costs),
    )
    return tuple(int(count) for count in sums)  # type: ignore[return-value, arg-type]  # a comparison has ints only


def _count(before: int, after: int) -> Markup:
    return tag("td", cells.signed(before, after), class_="n", data_v=str(after - before))

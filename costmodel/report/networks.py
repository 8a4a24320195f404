"""The networks that come with the package."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from costmodel.report.tables import table, to_text
from costmodel.zoo import Network, Option
from costmodel.zoo.options import show_value


def render(networks: Sequence[Network], width: int | None, color: bool) -> str:
    """Every network with its own options and their defaults; what all of them take stands below."""
    shared = _shared(networks)
    rows = table("network")
    rows.add_column("options", overflow="fold")
    rows.add_column("what it is", overflow="fold")
    for net in networks:
        own = ",".join(map(_show, (option for option in net.options if option not in shared)))
        rows.add_row(net.name, own, net.summary)
    return (
        to_text(rows, width, color)
        + f"\nEvery network also takes, unless its row has another default: {', '.join(map(_show, shared))}."
        + "\nName one as zoo:NAME[,key=value...], for example zoo:resnet50,batch=8.\n"
    )


def _shared(networks: Sequence[Network]) -> list[Option]:
    """The options that every network takes, with their most common defaults."""
    uses = Counter(option for net in networks for option in net.options)
    takers = Counter(option.name for net in networks for option in net.options)
    common = {option.name: option for option, _ in reversed(uses.most_common())}
    return [common[name] for name, number in takers.items() if number == len(networks)]


def _show(option: Option) -> str:
    return f"{option.name}={show_value(option.default)}"

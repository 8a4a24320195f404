"""The networks that come with the package."""

from __future__ import annotations

from collections.abc import Sequence

from costmodel.report.tables import table, to_text
from costmodel.zoo import Network
from costmodel.zoo.options import show_value


def render(networks: Sequence[Network], width: int | None, color: bool) -> str:
    """Every network with its options and their defaults."""
    rows = table("network")
    rows.add_column("options", overflow="fold")
    rows.add_column("what it is", overflow="fold")
    for net in networks:
        options = ",".join(f"{option.name}={show_value(option.default)}" for option in net.options)
        rows.add_row(net.name, options, net.summary)
    return to_text(rows, width, color) + "\nName one as zoo:NAME[,key=value...], for example zoo:resnet50,batch=8.\n"

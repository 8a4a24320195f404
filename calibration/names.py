"""Names that other sources give to networks that the zoo has."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files
from types import MappingProxyType

from costmodel.errors import UsageError

FILE = "network_names.csv"


def network_of(source: str, name: str) -> str:
    """The reference of the network that a source calls `name`: ("ncnn", "mobilenet") gives "zoo:mobilenet_v1".

    Raises UsageError for a source or name that is not in calibration/data/network_names.csv.
    """
    names = network_names(source)
    if name not in names:
        raise UsageError(
            f"{name}: {source} has no network of this name that the zoo has; there are: {', '.join(names)}"
        )
    return names[name]


def network_names(source: str) -> Mapping[str, str]:
    """Every name that a source (ncnn, paddle, paper) gives to a network, with the zoo's reference."""
    tables = _tables()
    if source not in tables:
        raise UsageError(f"{source}: no names are known of this source; there are: {', '.join(tables)}")
    return tables[source]


@lru_cache(maxsize=1)
def _tables() -> Mapping[str, Mapping[str, str]]:
    tables: dict[str, dict[str, str]] = {}
    text = files("calibration").joinpath("data", FILE).read_text(encoding="utf-8")
    for row in csv.DictReader(text.splitlines()):
        tables.setdefault(row["source"], {})[row["name"]] = row["network"]
    return MappingProxyType({source: MappingProxyType(names) for source, names in tables.items()})

"""Costs as node data for Google's Model Explorer, which paints a graph's nodes with them.

Model Explorer reads one data set a file: an object whose `results` hold a number for each node key, with the colors
to paint it (`gradient`). A key is a node's id, which for ONNX models is its name. The form is that of
`GraphNodeData` in its package `node_data_builder.py` and of `NodeDataProviderGraphData` in its user interface.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from costmodel.analysis import Analysis
from costmodel.errors import UsageError
from costmodel.report.documents import json_text
from costmodel.report.latency import interval, times
from costmodel.report.names import plain

# A yellow to red that keeps its order in shades of grey, from cheap to dear (stops of 0 and 1 have to be there).
GRADIENT = (
    {"stop": 0, "bgColor": "#ffffff"},
    {"stop": 0.25, "bgColor": "#ffeda0"},
    {"stop": 0.5, "bgColor": "#feb24c"},
    {"stop": 0.75, "bgColor": "#fc4e2a"},
    {"stop": 1, "bgColor": "#800026"},
)
_COUNTS = {
    "mult_adds": "mult-adds",
    "memory_access": "memory access (elements)",
    "bytes": "bytes",
    "params": "parameters",
}
_RESULTS = "results"


@dataclass(frozen=True, slots=True)
class DataSet:
    """One data set: what Model Explorer shows at a time.

    file: what to call its file, without the folder. title: what Model Explorer calls it. text: the JSON document.
    """

    file: str
    title: str
    text: str


def data_sets(analysis: Analysis) -> tuple[DataSet, ...]:
    """A data set for each platform (milliseconds of a kernel, at its main operator), then one for each count.

    An operator that another's kernel takes along is in none of the platforms', so that the sum over a layer is what
    its kernels take. Raises UsageError for networks whose sizes are columns or symbols.
    """
    if not isinstance(analysis.totals.memory_access, int):
        raise UsageError(f"{analysis.model}: node data are of one network of given sizes; its sizes are no numbers")
    return (*_latencies(analysis), *_counts(analysis))


def _latencies(analysis: Analysis) -> Iterator[DataSet]:
    for entry in times(analysis):
        kernels = {node.name: entry.of(node.name) for node in analysis.operators}
        values = {name: _readable(seconds * 1e3) for name, seconds in kernels.items() if seconds is not None}
        title = f"{entry.platform.id}: ms a kernel, of a run of {interval(entry.prediction.latency)}"
        yield _data_set(analysis, f"{entry.platform.id}.json", title, values)


def _counts(analysis: Analysis) -> Iterator[DataSet]:
    for count, title in _COUNTS.items():
        values = {node.name: getattr(node.cost, count) for node in analysis.operators}
        yield _data_set(analysis, f"{count}.json", title, values)


def _data_set(analysis: Analysis, file: str, title: str, values: dict[str, Any]) -> DataSet:
    title = plain(title)
    document: dict[str, Any] = {
        "name": title,
        _RESULTS: {_key(name): {"value": value} for name, value in values.items()},
        "gradient": list(GRADIENT),
    }
    if _RESULTS in document[_RESULTS]:
        # A node of this name makes Model Explorer take the document for one of several graphs by their names.
        document = {_key(analysis.graph.name): document}
    return DataSet(file, title, json_text(document))


def _readable(number: float) -> float:
    """A number to four digits: Model Explorer shows all that there are, in narrow columns."""
    return float(f"{number:.4g}")


def _key(name: str) -> str:
    """A name as it is, so that it is found; but for what no UTF-8 has."""
    return name.encode("utf-8", "replace").decode("utf-8")

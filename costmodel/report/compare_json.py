"""JSON of the published schema costmodel.compare/1."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from costmodel.analysis import Analysis, cost_record
from costmodel.comparing import Comparison, Delay, Difference, Layer, State
from costmodel.report.documents import json_text

SCHEMA = "costmodel.compare/1"


def render(comparison: Comparison) -> str:
    """The whole comparison as one JSON document."""
    return json_text(to_dict(comparison))


def to_dict(comparison: Comparison) -> dict[str, Any]:
    """Everything as plain values."""
    platforms = [delay.platform for delay in comparison.delays]
    return {
        "schema": SCHEMA,
        "before": _network(comparison.before),
        "after": _network(comparison.after),
        "verdict": comparison.verdict.value,
        "layers": {state.value: len(comparison.of(state)) for state in State},
        "inputs": [asdict(change) for change in comparison.inputs],
        "platforms": list(map(_delay, comparison.delays)),
        "differences": [_difference(one, platforms) for one in comparison.differences],
        "renamed": comparison.renamed,
        "spelled": dict(comparison.spelled),
    }


def _network(analysis: Analysis) -> dict[str, Any]:
    coverage = analysis.coverage
    return {
        "model": analysis.model,
        "totals": {**cost_record(analysis.totals), "operators": len(analysis.operators)},
        "coverage": {**asdict(coverage), "unknown_ops": list(coverage.unknown_ops)},
        "assumptions": list(analysis.notes),
    }


def _delay(delay: Delay) -> dict[str, Any]:
    return {
        "id": delay.platform,
        "before_ms": delay.before * 1e3,
        "after_ms": delay.after * 1e3,
        "difference_ms": delay.seconds * 1e3,
        "low_ms": delay.low * 1e3,
        "high_ms": delay.high * 1e3,
        "share": delay.share,
        "coverage": delay.coverage,
    }


def _difference(one: Difference, platforms: list[str]) -> dict[str, Any]:
    return {
        "state": one.state.value,
        "before": None if one.before is None else _layer(one.before),
        "after": None if one.after is None else _layer(one.after),
        "changes": [asdict(change) for change in one.changes],
        "mult_adds": one.mult_adds,
        "difference_ms": {
            id: (after - before) * 1e3 for id, (before, after) in zip(platforms, one.seconds, strict=True)
        },
    }


def _layer(layer: Layer) -> dict[str, Any]:
    return {
        "name": layer.name,
        "label": layer.label,
        "op": layer.op,
        "facts": {**layer.own, **layer.read},
        "operators": [node.name for node in layer.nodes],
    }

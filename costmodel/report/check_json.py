"""JSON of the published schema costmodel.check/1."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from costmodel.guidelines import Waiver, record, saving_record
from costmodel.pricing import budget_record, latency_record
from costmodel.report.check import Check
from costmodel.report.documents import json_text

SCHEMA = "costmodel.check/1"


def render(check: Check) -> str:
    """The whole check as one JSON document."""
    return json_text(to_dict(check))


def to_dict(check: Check) -> dict[str, Any]:
    """Everything as plain values."""
    analysis, review = check.analysis, check.review
    coverage = analysis.coverage
    return {
        "schema": SCHEMA,
        "model": analysis.model,
        "platforms": list(map(latency_record, analysis.predictions)),
        "guidelines": list(check.rules),
        "options": asdict(check.options),
        "findings": [record(finding) for finding in review.findings],
        "total_saving": {saving.platform: saving_record(saving) for saving in review.totals},
        "waived": [record(finding) for finding in review.waived],
        "unused_waivers": list(map(_waiver, check.unused)),
        "expired_waivers": list(map(_waiver, check.expired)),
        "coverage": {
            "counted": coverage.counted,
            "approximated": coverage.approximated,
            "unknown": coverage.unknown,
            "unknown_ops": list(coverage.unknown_ops),
        },
        "assumptions": list(analysis.notes),
        "budgets": [budget_record(budget) for budget in analysis.budgets],
    }


def _waiver(waiver: Waiver) -> dict[str, Any]:
    return {
        "guideline": waiver.guideline,
        "place": waiver.place,
        "operator": waiver.operator,
        "model": waiver.model,
        "reason": waiver.reason,
        "expires": None if waiver.expires is None else waiver.expires.isoformat(),
    }

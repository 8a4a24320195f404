"""Hand-made platforms for tests: few coefficients, so that a latency can be worked out by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from costmodel.platforms import Accuracy, Doubt, Machine, Platform, Source, Stretch

QUANTILES = {0.5: 0.5, 0.8: 1.0, 0.9: 2.0, 0.95: 3.0}

PLAIN = Platform(
    id="bench1-ncnn-fp32-1t",
    device="A bench, one core",
    runtime="ncnn",
    precision="fp32",
    threads=1,
    machine=Machine(),
    coefficients={"pointwise.mult_adds": 1e-9},
    doubt=Doubt(0.1, {}, QUANTILES),
)
FULL = replace(
    PLAIN,
    id="bench2-cudnn7-fp16",
    runtime="cudnn7",
    runtime_version="7.0",
    threads=0,
    precision="fp16",
    clock="fixed",
    machine=Machine(32, 4, True, 2),
    coefficients={"run": 0.25e-3, "launch.light": 2e-6, "pointwise.mult_adds": 1 / 3 * 1e-9, "movement.elements": 0.0},
    doubt=Doubt(0.125, {"pointwise": 0.0625, "movement": 1 / 3}, QUANTILES),
    accuracy=Accuracy("leave one out", 12, 30, 0.071, 0.05, 0.5, 0.75, 0.9, 0.4, 0.3),
    sources=(Source("Somebody, Table 1", "2018-07", 35), Source("Somebody else")),
    notes=("Only measured at batch 1.",),
    stretch=Stretch(0.125, 0.02, 0.001, 0.5),
)


def platform(id: str = PLAIN.id, **changes: Any) -> Platform:
    """PLAIN with changes."""
    return replace(PLAIN, id=id, **changes)

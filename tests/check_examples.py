"""Hand-made checks for the tests of what renders them: findings whose numbers are known."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from costmodel.analysis import Analysis
from costmodel.graph import Graph, Node
from costmodel.guidelines import Finding, Options, Review, Saving, Severity
from costmodel.report.check import Check

PHONE = "phone1-ncnn-fp32-1t"
HOSTILE = (
    "<script>alert('1')</script>",
    'say "hello"\\',
    "two\nlines\r\n::error::injected",
    "%0A%25 100%",
    "##[error]old",
    "[click](https://example.com) {0}",
    "a lone \ud800 and \udcff surrogate",
    "\x00\x1b[31mred\u202e",
    "x" * 10_000,
    "",
)


def operator(name: str, source: str = "", module: str = "") -> Node:
    """A convolution."""
    return Node(name, "Conv", "", ("x",), ("y",), source=source, module=module)


def saving(ms: float, share: float = 0.06, platform: str = PHONE) -> Saving:
    """A saving of so many ms, with an interval from half of it to its double."""
    low, high = sorted((ms / 2e3, ms / 500))
    return Saving(platform, ms / 1e3, low, high, share, 0.9)


def finding(names: Sequence[str] = ("conv1",), source: str = "", **changes: Any) -> Finding:
    """An error of G1 at operators of these names, that saves 1.5 ms."""
    values: dict[str, Any] = {
        "guideline": "G1",
        "severity": Severity.ERROR,
        "place": names[0],
        "operators": tuple(operator(name, source) for name in names),
        "message": "1x1 convolution 24 -> 144 channels is unbalanced",
        "suggestion": "give a layer about 59 channels",
        "evidence": {"memory_access": 3, "bound": 2},
        "savings": (saving(1.5),),
    }
    return Finding(**{**values, **changes})


def check(
    findings: Iterable[Finding], waived: Iterable[Finding] = (), model: str = "models/net.onnx", **changes: Any
) -> Check:
    """A check of a network that was read from `model`."""
    graph = Graph("net", ("x",), ("y",), (operator("conv1"),), {}, notes=("batch is taken as 1",))
    review = Review(tuple(findings), tuple(waived), (saving(2.0, 0.08),))
    return Check(Analysis(model, graph), review, Options(), **changes)

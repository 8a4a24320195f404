"""What a check finds: frozen values from a rule's breach to the review of a network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from costmodel.graph import Node
from costmodel.kernels import Kind

if TYPE_CHECKING:  # a clock gives savings
    from costmodel.guidelines.clock import Clock


class Severity(StrEnum):
    """How much a finding matters, by the share of the network's time that its use-instead saves; an error is one whose
    interval says that it does save something.

    The names are SARIF's levels. NOTE is also what a finding without a price has, and what never weighs more.
    """

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"

    @property
    def rank(self) -> int:
        """0 for the worst."""
        return list(Severity).index(self)


@dataclass(frozen=True, slots=True)
class Change:
    """What a design's time on a platform loses when it is changed: seconds by kind of kernel, negative where one
    takes longer than before."""

    seconds: Mapping[Kind, float] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def total(self) -> float:
        """Seconds over all kinds."""
        return sum(self.seconds.values())

    def __add__(self, other: Change) -> Change:
        if not isinstance(other, Change):
            return NotImplemented
        kinds = [*self.seconds, *(kind for kind in other.seconds if kind not in self.seconds)]
        return Change({kind: self.seconds.get(kind, 0.0) + other.seconds.get(kind, 0.0) for kind in kinds})


@dataclass(frozen=True, slots=True)
class Breach:
    """A place where a design breaks a guideline, as its rule reports it: with evidence, before it is weighed.

    operators: of the design that the use-instead would replace. message, suggestion: a sentence each. evidence:
    numbers of the guideline's equation by name, plain values. changes: what the use-instead changes on each
    platform, in the order of the platforms. note: whether it is a note whatever it saves. place: what to call where it
    is, if that is no module and no operator.
    """

    operators: tuple[Node, ...]
    message: str
    suggestion: str
    evidence: Mapping[str, Any]
    changes: tuple[Change, ...]
    note: bool = False
    place: str = ""


@dataclass(frozen=True, slots=True)
class Saving:
    """Seconds that a change saves on a platform, with the interval that the platform's doubt gives them.

    platform: its id. share: of the network's predicted time. coverage: of the interval. Negative where the
    changed design is slower there.
    """

    platform: str
    seconds: float
    low: float
    high: float
    share: float
    coverage: float


@dataclass(frozen=True, slots=True)
class Finding:
    """A guideline broken at a place of a design, with its price.

    guideline: G1 to G4. savings: one a platform that was asked for. place: the innermost module that holds all
    operators, or the first operator's name. reason: why the user waived it, empty for a finding that counts. changes:
    the breach's, one a platform, of which the savings are the prices.
    """

    guideline: str
    severity: Severity
    place: str
    operators: tuple[Node, ...]
    message: str
    suggestion: str
    evidence: Mapping[str, Any]
    savings: tuple[Saving, ...]
    reason: str = ""
    changes: tuple[Change, ...] = field(default=(), repr=False)

    @property
    def source(self) -> str:
        """file:line that wrote the first operator of which the model tells it; empty where it tells none."""
        return next((node.source for node in self.operators if node.source), "")

    @property
    def share(self) -> float:
        """The largest share of a platform's time that is saved; 0 without platforms."""
        return max((saving.share for saving in self.savings), default=0.0)


@dataclass(frozen=True, slots=True)
class Review:
    """What a check of a network found.

    findings: those that count, the largest saving first. waived: those that the user has accepted, with reasons.
    totals: for each platform what all findings that count save together; of findings that share an operator
    only the one that saves most there is added. clocks: what priced them, one a platform.
    """

    findings: tuple[Finding, ...]
    waived: tuple[Finding, ...]
    totals: tuple[Saving, ...]
    clocks: tuple[Clock, ...] = field(default=(), repr=False, compare=False)

    def worst(self) -> Severity | None:
        """The severity of the worst finding that counts; None without findings."""
        return min((finding.severity for finding in self.findings), key=lambda level: level.rank, default=None)


def record(finding: Finding) -> dict[str, Any]:
    """A finding as plain values: an entry of `findings` in the published JSON (schema costmodel.check/1)."""
    return {
        "guideline": finding.guideline,
        "severity": finding.severity.value,
        "place": finding.place,
        "operators": [node.name for node in finding.operators],
        "message": finding.message,
        "evidence": dict(finding.evidence),
        "saving_ms": {saving.platform: saving.seconds * 1e3 for saving in finding.savings},
        "savings": {saving.platform: saving_record(saving) for saving in finding.savings},
        "suggestion": finding.suggestion,
        "source": finding.source,
        **({"waived": finding.reason} if finding.reason else {}),
    }


def saving_record(saving: Saving) -> dict[str, float]:
    """A saving as plain values."""
    return {
        "saving_ms": saving.seconds * 1e3,
        "low_ms": saving.low * 1e3,
        "high_ms": saving.high * 1e3,
        "share": saving.share,
        "coverage": saving.coverage,
    }

"""An operator explained: what it counts, what its time is made of, and what would change that."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from costmodel.analysis import Analysis
from costmodel.errors import UsageError
from costmodel.explaining.changes import Sensitivity, sensitivities
from costmodel.explaining.formula import Formula, formula_of
from costmodel.graph import Counting, Graph, Node
from costmodel.guidelines import Clock, Finding
from costmodel.kernels import Kind, kind_of
from costmodel.platforms import Platform
from costmodel.predictor import KernelEstimate, Prediction, kernel_seconds
from costmodel.predictor.terms import amounts

ARITHMETIC, MEMORY, LAUNCH = "arithmetic", "memory", "launch"
_LONGEST = 200  # characters of a name that are compared
_MOST = 5  # names offered


@dataclass(frozen=True, slots=True)
class TermTime:
    """A term of a kernel's time: amount x price x stretch = seconds.

    price: the platform's, in seconds for one. stretch: what the run as a whole is stretched by (docs/platforms.md).
    """

    term: str
    amount: int
    price: float
    stretch: float
    seconds: float


@dataclass(frozen=True)
class NodeTime:
    """An operator on a platform.

    kernel: that it is part of; None where the runtime has none for it. is_free: whether nothing runs for the operator
    itself. terms: of the kernel, dearest first; their seconds add up to its time. sensitivities: what would change it.
    """

    platform: Platform
    prediction: Prediction
    kernel: KernelEstimate | None
    is_free: bool
    terms: tuple[TermTime, ...]
    sensitivities: tuple[Sensitivity, ...]

    @property
    def share(self) -> float:
        """The kernel's part of the run."""
        total = float(self.prediction.latency.seconds)
        return float(self.kernel.estimate.seconds) / total if self.kernel is not None and total else 0.0

    @property
    def bound(self) -> tuple[str, float] | None:
        """What takes most of the kernel's time, arithmetic, memory or launch, and its share; None for no time."""
        sums: dict[str, float] = {}
        for term in self.terms:
            sums[group_of(term.term)] = sums.get(group_of(term.term), 0.0) + term.seconds
        total = sum(sums.values())
        if not total:
            return None
        most = max(sums, key=lambda group: sums[group])
        return most, sums[most] / total


@dataclass(frozen=True)
class NodeExplanation:
    """An operator of an analyzed network.

    kind: of the kernel that it would be by itself. formula: None for an operator that is not known. findings: of a
    check that name it.
    """

    analysis: Analysis
    node: Node
    kind: Kind
    formula: Formula | None
    times: tuple[NodeTime, ...]
    findings: tuple[Finding, ...]


def explain_node(analysis: Analysis, name: str) -> NodeExplanation:
    """What an operator costs and why, on the analysis's platforms.

    name: as find_node() takes it. Raises UsageError for a name that fits none or several, and for networks whose
    sizes are columns or symbols.
    """
    graph = analysis.graph
    if not isinstance(graph.cost.memory_access, int):
        raise UsageError(f"{analysis.model}: one network of given sizes can be explained; its sizes are no numbers")
    node = find_node(analysis, name)
    times = tuple(
        _time(graph, Clock(platform, prediction), node)
        for platform, prediction in zip(analysis.platforms, analysis.predictions, strict=True)
    )
    findings = analysis.check().findings if times else ()
    named = tuple(one for one in findings if any(node.name == other.name for other in one.operators))
    kind = kind_of(node, graph.tensors)[0]
    return NodeExplanation(analysis, node, kind, formula_of(graph, node), times, named)


def _time(graph: Graph, clock: Clock, node: Node) -> NodeTime:
    item = clock.kernel(node)
    terms = () if item is None else terms_of(clock, item)
    cost = node.cost
    idle = not (cost.memory_access or cost.element_ops or cost.mult_adds) and node.counting is not Counting.UNKNOWN
    free = idle or item is None or item.kernel.kind is Kind.VIEW
    return NodeTime(
        clock.platform, clock.prediction, item, free, terms, () if free else sensitivities(graph, clock, node)
    )


def terms_of(clock: Clock, item: KernelEstimate) -> tuple[TermTime, ...]:
    """What a kernel's time is made of, dearest first."""
    platform = clock.platform
    alone = float(kernel_seconds(item.kernel, platform))
    stretch = float(item.estimate.seconds) / alone if alone else 1.0
    result = []
    for name, amount in amounts(item.kernel, platform.machine).items():
        assert isinstance(amount, int)
        price = platform.coefficients.get(name, 0.0)
        if amount and price:
            result.append(TermTime(name, amount, price, stretch, amount * price * stretch))
    return tuple(sorted(result, key=lambda term: -term.seconds))


def group_of(term: str) -> str:
    """What a term of costmodel.predictor.terms stands for: arithmetic, moved elements, or a launch.

    What channels that fill no vector cost beside is arithmetic, and so are exponentials and comparisons. What an
    operator takes on the way out of another, whatever its size, is as a launch. A depthwise convolution has few
    mult-adds for what it reads and writes, so that all of it waits for memory (Section 2 of the paper, G4).
    """
    family, _, what = term.partition(".")
    if family == "depthwise":
        return MEMORY
    if family == "launch" or what == "operators":
        return LAUNCH
    if "mult_adds" in what or what in ("steps", "half", "scalar", "comparisons"):
        return ARITHMETIC
    return ARITHMETIC if family in ("transcendental", "softmax") else MEMORY


def find_node(analysis: Analysis, wanted: str) -> Node:
    """The operator that a name means: its own, that of a tensor which it writes, its module if it is alone there, or
    an end or a beginning of these that no other operator has.

    Raises UsageError with the nearest names where there is none, and with the first ones where there are several.
    """
    nodes = analysis.operators
    names = {node.name: (node.name, *node.outputs, node.module, f"{node.module}/{node.name}") for node in nodes}
    for fits in _WAYS if wanted else ():
        found = [node for node in nodes if any(name and fits(name, wanted) for name in names[node.name])]
        own = [node for node in found if fits(node.name, wanted)]
        if len(found) == 1 or len(own) == 1:
            return found[0] if len(found) == 1 else own[0]
        if found:
            raise UsageError(
                f"{analysis.model}: {wanted[:_LONGEST]!r} means {len(found)} operators: "
                f"{_listed(node.name for node in found)}; give the whole name of one"
            )
    near = _nearest(wanted, [name for each in names.values() for name in each])
    hint = f"did you mean {near}?" if near else f"there are: {_listed(node.name for node in nodes)}"
    raise UsageError(f"{analysis.model}: no operator is called {wanted[:_LONGEST]!r}; {hint}")


def _is(name: str, wanted: str) -> bool:
    return name == wanted


def _ends_in_parts(name: str, wanted: str) -> bool:
    return any(name.endswith(f"{mark}{wanted}") for mark in "./:")


def _begins(name: str, wanted: str) -> bool:
    return name.startswith(wanted)


def _ends(name: str, wanted: str) -> bool:
    return name.endswith(wanted)


_WAYS = (_is, _ends_in_parts, _begins, _ends)


def _listed(names: Iterable[str]) -> str:
    shown = list(dict.fromkeys(name[:_LONGEST] for name in names))
    return ", ".join([*shown[:_MOST], "..."] if len(shown) > _MOST else shown)


def _nearest(wanted: str, names: Sequence[str]) -> str:
    short = dict.fromkeys(name[:_LONGEST] for name in names if name)
    return " or ".join(difflib.get_close_matches(wanted[:_LONGEST], short, n=3))

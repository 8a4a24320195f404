"""Memory of activations while a network runs: which tensors are alive at each step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from costmodel.errors import UsageError
from costmodel.graph import Graph, Node
from costmodel.kernels.flow import Flow

Steps = Sequence[Sequence[Node]]


@dataclass(frozen=True, slots=True)
class LiveMemory:
    """Bytes of the activations that are alive during each step of a run, weights not among them.

    steps: in the order of execution. unsized: tensors whose shape is unknown, which count nothing.
    """

    steps: tuple[int, ...]
    unsized: int = 0

    @property
    def peak(self) -> int:
        """The most bytes that are alive at once; 0 for a network without steps."""
        return max(self.steps, default=0)

    @property
    def peak_step(self) -> int:
        """The first step at which the peak is reached."""
        return self.steps.index(self.peak) if self.steps else 0


def live_memory(graph: Graph, steps: Steps, *, prepares: bool = True) -> LiveMemory:
    """What is alive while each step runs, by one pass over the steps.

    steps: the operators that run as one, in the order of execution: a runtime's kernels, or single operators. prepares:
        whether the runtime leaves out what need not run, as Runtime has it.
    A tensor is alive from the step that writes it to the last one that reads it, an input of the network from the
    beginning, an output to the end. What a step writes and only itself reads never leaves it and takes nothing; a view
    lies where its source does. Nothing is computed in place. Raises UsageError for graphs of columns or symbols.
    """
    flow = Flow.of(graph, prepares)
    born, read, last = _spans(flow, steps)
    changes = [0] * (len(steps) + 1)
    unsized = 0
    for name, start in born.items():
        spec = graph.tensors.get(name)
        if spec is None or spec.is_constant:
            continue
        if not isinstance(spec.bytes, int):
            raise UsageError(f"{graph.name}: the memory of {name!r} is {spec.bytes}, no number; give all sizes")
        end = max(last.get(name, start), start)
        if name in read and end == start and start >= 0:
            continue
        unsized += spec.shape is None
        changes[max(start, 0)] += spec.bytes
        changes[end + 1 if end >= 0 else 0] -= spec.bytes
    return LiveMemory(tuple(accumulate(changes[:-1])), unsized)


def _spans(flow: Flow, steps: Steps) -> tuple[dict[str, int], set[str], dict[str, int]]:
    """For each storage the step that writes it first (-1: an input), whether it is read, and the last step that needs
    it."""
    born = {flow.place(name): -1 for name in flow.graph.inputs}
    read: set[str] = set()
    last: dict[str, int] = {}
    for step, nodes in enumerate(steps):
        for node in nodes:
            if flow.is_view(node):
                continue
            for name in node.outputs:
                if name:
                    born.setdefault(flow.place(name), step)
            for name in flow.sources[node.name] or ():
                read.add(name)
                last[name] = step
    for name in flow.graph.outputs:
        place = flow.place(name)
        read.discard(place)
        last[place] = len(steps) - 1
    return born, read, last

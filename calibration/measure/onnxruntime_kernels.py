"""ONNX Runtime's profile, and which of our kernels each of its operators belongs to.

The profile is a list of events; `NAME_kernel_time` of the category Node is an operator of the graph that ONNX Runtime
has made of the model, with its duration in microseconds. What an operator is to us is told by tensors, as that graph
says them, for its names change while it is optimised:

1. A copy into blocks of channels (ReorderInput) is named by the tensor that it reads, one back (ReorderOutput) by the
   tensor that it writes.
2. An operator on blocks is called TENSOR_nchwc, after what it wrote when it left the plain layout.
3. One that was fused from a pattern is called NAME/PATTERNFusion/.
4. Any other writes a tensor of the model, or has the name of an operator of the model.
5. One that takes the place of a function (HardSwish) has no name there, and in the profile that of its type and its
   number: those of a type come in the same order. What it writes for others of the function alone is theirs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from costmodel.kernels import Kernel

BLOCKED = "com.microsoft.nchwc"  # the domain of operators on blocks of channels

_EVENT = "_kernel_time"
_ON_BLOCKS = re.compile(r"_nchwc(_token_[0-9]+)?$")
_FUSED = re.compile(r"/\w*Fusion\w*/.*$")


@dataclass(frozen=True, slots=True)
class Operator:
    """An operator of the graph that the runtime made: its name, its type, and the tensors that it reads and writes."""

    name: str
    op_type: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


def node_seconds(events: Iterable[Mapping[str, Any]], warm_up: int) -> tuple[dict[str, float], int]:
    """Seconds of each operator in one run, and how many runs that is from.

    The mean of the faster half of the runs after the first `warm_up`: durations are whole microseconds, of which a
    quantile would be one too. An operator that a run has several times, in a loop's body, counts with all of them.
    """
    durations: dict[str, list[float]] = {}
    for event in events:
        name = str(event.get("name", ""))
        if event.get("cat") == "Node" and name.endswith(_EVENT):
            durations.setdefault(name.removesuffix(_EVENT), []).append(float(event["dur"]))
    runs = min(map(len, durations.values()), default=0)
    result = {}
    for name, times in durations.items():
        each = len(times) // runs
        sums = sorted(sum(times[i : i + each]) for i in range(warm_up * each, runs * each, each))
        half = sums[: (len(sums) + 1) // 2]
        result[name] = sum(half) / len(half) / 1e6 if half else 0.0
    return result, max(runs - warm_up, 0)


def matched(
    kernels: Sequence[Kernel], operators: Sequence[Operator], seconds: Mapping[str, float]
) -> tuple[dict[str, float], dict[str, int]]:
    """The seconds of our kernels, each the sum over its operators there, and of how many. Others are left out."""
    made = {operator.name: operator for operator in (*operators, *_named(operators, seconds))}
    known = _Known(kernels, operators)
    result: dict[str, float] = {}
    parts: dict[str, int] = {}
    for name, time in seconds.items():
        kernel = known.owner(made.get(name) or Operator(name, "", (), ()))
        if kernel is not None:
            result[kernel.name] = result.get(kernel.name, 0.0) + time
            parts[kernel.name] = parts.get(kernel.name, 0) + 1
    return result, parts


def _named(operators: Sequence[Operator], seconds: Iterable[str]) -> list[Operator]:
    """The operators without a name, with what the profile calls them; none of a type where the numbers differ."""
    known = {operator.name for operator in operators}
    events: dict[str, list[int]] = {}
    for name in seconds:
        op_type, _, number = name.rpartition("_")
        if name not in known and number.isdigit():
            events.setdefault(op_type, []).append(int(number))
    result = []
    for op_type, numbers in events.items():
        nameless = [operator for operator in operators if not operator.name and operator.op_type == op_type]
        if len(nameless) == len(numbers):
            names = (f"{op_type}_{number}" for number in sorted(numbers))
            result += [replace(one, name=name) for one, name in zip(nameless, names, strict=True)]
    return result


class _Known:
    """Kernels by the tensors that their operators write, by their operators, and copies by their names."""

    def __init__(self, kernels: Sequence[Kernel], operators: Sequence[Operator]) -> None:
        self.writers: dict[str, Kernel] = {}
        self.operators: dict[str, Kernel] = {}
        self.copies = {kernel.name: kernel for kernel in kernels if not kernel.operators}
        for kernel in kernels:
            for node in kernel.operators:
                self.operators[node.name] = kernel
                self.writers.update((name, kernel) for name in node.outputs if name)
        self.readers = {tensor: one for one in operators if not one.name for tensor in one.inputs}

    def owner(self, operator: Operator) -> Kernel | None:
        if operator.op_type == "ReorderInput":
            return self.copies.get(f"{operator.inputs[0]}:blocked")
        if operator.op_type == "ReorderOutput":
            return self.copies.get(f"{operator.outputs[0]}:plain")
        name = _FUSED.sub("", operator.name)
        if _ON_BLOCKS.search(name) and (kernel := self.writers.get(_ON_BLOCKS.sub("", name))):
            return kernel
        written = [*operator.outputs]
        for tensor in operator.outputs:
            if tensor not in self.writers and tensor in self.readers:
                written += self.readers[tensor].outputs
        found = next((self.writers[tensor] for tensor in written if tensor in self.writers), None)
        return found or self.operators.get(name) or self.writers.get(name)

"""What one operator costs, before any platform is known."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from operator import attrgetter
from typing import Any

from costmodel.dims import Dim


@dataclass(frozen=True, slots=True)
class Cost:
    """Exact counts of one operator or of a sum of operators.

    mult_adds: multiply-accumulates of the contraction (the paper's FLOPs). Nothing else is in it:
        no bias, no activation, no normalisation.
    element_ops: every other scalar operation (bias additions, activations, comparisons of a pooling).
    input_elements, output_elements, weight_elements: elements read from activations, written, and
        read from constants. Their sum is the paper's memory access cost (Section 3, G1).
    params: learned elements, each counted where it is first used.
    bytes: the memory access with every tensor in its own element type.
    """

    mult_adds: Dim = 0
    element_ops: Dim = 0
    input_elements: Dim = 0
    output_elements: Dim = 0
    weight_elements: Dim = 0
    params: Dim = 0
    bytes: Dim = 0

    @property
    def memory_access(self) -> Dim:
        """Elements read and written: inputs + outputs + weights (Eq. 1-2 of the paper)."""
        return self.input_elements + self.output_elements + self.weight_elements

    def __add__(self, other: Cost) -> Cost:
        if not isinstance(other, Cost):
            return NotImplemented
        return Cost(
            self.mult_adds + other.mult_adds,
            self.element_ops + other.element_ops,
            self.input_elements + other.input_elements,
            self.output_elements + other.output_elements,
            self.weight_elements + other.weight_elements,
            self.params + other.params,
            self.bytes + other.bytes,
        )

    def __radd__(self, other: Any) -> Cost:
        """sum() begins with 0."""
        return self if other == 0 else NotImplemented

    @staticmethod
    def total(costs: Iterable[Cost]) -> Cost:
        """The sum of many costs."""
        costs = tuple(costs)
        return Cost(*(sum(map(count, costs)) for count in _COUNTS))

    def repeated(self, times: Dim, params: Dim) -> Cost:
        """The cost of running an operator `times` times with `params` parameters, the same ones each time."""
        if type(times) is int and times == 1:
            if type(params) is int and params == 0:
                return self
            return Cost(
                self.mult_adds,
                self.element_ops,
                self.input_elements,
                self.output_elements,
                self.weight_elements,
                params,
                self.bytes,
            )
        return Cost(
            self.mult_adds * times,
            self.element_ops * times,
            self.input_elements * times,
            self.output_elements * times,
            self.weight_elements * times,
            params,
            self.bytes * times,
        )


_COUNTS = tuple(attrgetter(field.name) for field in fields(Cost))

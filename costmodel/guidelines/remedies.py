"""Kernels of designs that are not there: a layer with other channels, at the mult-adds that it has."""

from __future__ import annotations

import math
from dataclasses import replace

from costmodel.cost import Cost
from costmodel.guidelines.clock import Weighted
from costmodel.kernels import Kernel, Kind, Loops
from costmodel.platforms import Machine


def resized(kernel: Kernel, cin: float, cout: float, machine: Machine, groups: int = 1) -> Weighted:
    """A contraction's kernel of other channels a group, as a mean of kernels that suit a machine.

    cin, cout: real numbers. The mean is of the next smaller and the next larger channels that fill the machine's
    vectors, weighted so that it has the mult-adds of cin x cout.
    """
    step = machine.vector if min(cin, cout) >= machine.vector else 1
    low_in, low_out = (max(step * math.floor(c / step), 1) for c in (cin, cout))
    high_in, high_out = (max(step * math.ceil(c / step), 1) for c in (cin, cout))
    least, most = low_in * low_out, high_in * high_out
    share = (most - cin * cout) / (most - least) if most > least else 1.0
    pairs = ((share, low_in, low_out), (1 - share, high_in, high_out))
    return [(weight, with_channels(kernel, a, b, groups)) for weight, a, b in pairs if weight > 0]


def with_channels(kernel: Kernel, cin: int, cout: int, groups: int = 1) -> Kernel:
    """A contraction's kernel with other channels of one group, and other groups."""
    assert kernel.loops is not None
    loops = replace(kernel.loops, cin=cin, cout=cout, groups=groups)
    kind, launches = kernel.kind, kernel.launches
    if groups == 1 and kind in (Kind.GROUPED, Kind.DEPTHWISE):
        kind, launches = (Kind.POINTWISE if loops.window == 1 else Kind.SPATIAL), 1
    old = kernel.loops.groups * kernel.loops.cout
    epilogues = tuple(elements * groups * cout // old for elements in kernel.epilogues)
    cost = _cost(kernel, loops)
    return replace(kernel, kind=kind, loops=loops, launches=launches, cost=cost, epilogues=epilogues)


def _cost(kernel: Kernel, loops: Loops) -> Cost:
    """The kernel's cost with other loops; what is done to each output element grows with the output."""
    assert kernel.loops is not None
    old = kernel.loops.groups * kernel.loops.cout
    output = loops.positions * loops.groups * loops.cout
    weights = loops.groups * loops.cin * loops.cout * loops.window
    strides = 1 if loops.window == 1 else math.prod(loops.strides)
    per_run = Cost(
        mult_adds=loops.positions * weights,
        input_elements=loops.positions * strides * loops.groups * loops.cin,
        output_elements=output,
        weight_elements=weights,
    ).repeated(kernel.repeat, 0)
    element_ops = kernel.cost.element_ops * loops.groups * loops.cout // old
    return replace(per_run, element_ops=element_ops, bytes=4 * per_run.memory_access)

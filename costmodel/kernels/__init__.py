"""Operators to kernels: what a runtime fuses, and the loops that each kernel runs.

A kernel is what a runtime launches once. `runtimes.py` says as data which operators each runtime fuses;
`patterns.py` recognises operators that exporters write as several; `fusion.py` groups a graph's
operators into kernels, `flow.py` tells it which of them run and who reads what, `layouts.py` adds copies
between layouts; `loops.py` reads the loop nest of a contraction off its shapes, `kinds.py` lists what kind
every other operator is.
"""

from costmodel.kernels.fusion import fuse, kind_of
from costmodel.kernels.kernel import Kernel, Kind, Loops
from costmodel.kernels.runtimes import RUNTIMES, Runtime, runtime_of

__all__ = ["RUNTIMES", "Kernel", "Kind", "Loops", "Runtime", "fuse", "kind_of", "runtime_of"]

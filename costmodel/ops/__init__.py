"""Operators: one function each, giving output shapes and cost. One family a file.

To add one, write a function in the family's file; `registry.py` says how. The families imported here
are those that nearly every network needs; the others (families.py) are loaded when they are asked for.
"""

from costmodel.ops import (  # noqa: F401  (each registers its operators)
    convolution,
    elementwise,
    indexing,
    linear,
    movement,
    normalization,
    pooling,
    reduction,
    shape,
)
from costmodel.ops.accounting import Applied, Params, apply
from costmodel.ops.folding import as_value
from costmodel.ops.registry import Operator, Result, canonical_domain, find, operators

__all__ = ["Applied", "Operator", "Params", "Result", "apply", "as_value", "canonical_domain", "find", "operators"]

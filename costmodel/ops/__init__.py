"""Operators: one function each, giving output shapes and cost. One family a file.

To add one, write a function in the family's file; `registry.py` says how.
"""

from costmodel.ops import (  # noqa: F401  (each registers its operators)
    attention,
    convolution,
    elementwise,
    indexing,
    linear,
    microsoft,
    ml,
    movement,
    normalization,
    pooling,
    quantization,
    random,
    recurrent,
    reduction,
    resampling,
    sequences,
    shape,
    signal,
    text,
    training,
    vision,
)
from costmodel.ops.accounting import Applied, Params, apply
from costmodel.ops.folding import as_value
from costmodel.ops.registry import Operator, Result, find, operators

__all__ = ["Applied", "Operator", "Params", "Result", "apply", "as_value", "find", "operators"]

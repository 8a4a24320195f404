"""The families of operators that most networks do without: loaded when one of their operators is met."""

from costmodel.ops import (  # noqa: F401  (each registers its operators)
    attention,
    microsoft,
    ml,
    quantization,
    random,
    recurrent,
    resampling,
    sequences,
    signal,
    text,
    training,
    vision,
)

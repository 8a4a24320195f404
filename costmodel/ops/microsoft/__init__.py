"""Contrib operators (com.microsoft): the fused kernels that ONNX Runtime writes into optimised models.

A fused kernel's mult-adds and operations are those of its parts; what the fusion saves is the memory
access between them.
"""

from costmodel.ops.microsoft import (  # noqa: F401  (each registers its operators)
    aliases,
    attention,
    blocked,
    convolution,
    elementwise,
    embedding,
    experts,
    few_bits,
    matmul,
    movement,
    multi_head,
    normalization,
    packed,
    pooling,
    quantized,
)

"""Contrib operators of the com.microsoft domains: fused kernels that ONNX Runtime writes into optimised models.

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
    matmul,
    movement,
    normalization,
    pooling,
    quantized,
)

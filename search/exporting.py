"""A design's network with its weights, as bytes of a file: a state_dict of PyTorch, or an ONNX model.

The ONNX model is the design's graph, operator by operator, holding the module's weights: they have the same names.
So it costs what was predicted, batch normalisations are not folded (runtimes do that when they load it), and it needs
no exporter. tests/test_torch_model.py holds that it computes what the module does, and that torch's own exporters
write the same network.
"""

from __future__ import annotations

import io

import torch

from costmodel.errors import ModelError
from costmodel.frontends import onnx
from search.design import Design
from search.torch_model import ShuffleNetV2


def built(design: Design, seed: int = 0) -> ShuffleNetV2:
    """The network of a design, with weights that are the same for the same seed; torch's own random state stays."""
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(seed)
        return ShuffleNetV2(design)


def state_bytes(network: torch.nn.Module) -> bytes:
    """The state_dict as torch.save writes it; torch.load(..., weights_only=True) reads it."""
    buffer = io.BytesIO()
    torch.save(network.state_dict(), buffer)
    return buffer.getvalue()


def onnx_bytes(network: ShuffleNetV2, batch: int = 1) -> bytes:
    """The network as an ONNX model for `batch` images of the design's resolution, as it runs after training.

    Raises ModelError for layers that were replaced by others than the design's, and for a network that one file
    cannot hold.
    """
    from onnx import numpy_helper

    model = onnx.write(network.design.graph(batch))
    stored = {tensor.name: tensor for tensor in model.graph.initializer}
    for name, weight in network.state_dict().items():
        if name.endswith(".num_batches_tracked"):  # counted while training only
            continue
        tensor = stored.get(name)
        shape = tuple(weight.shape)
        if tensor is None or tuple(tensor.dims) != shape:
            wanted = "none" if tensor is None else tuple(tensor.dims)
            raise ModelError(
                f"{name}: the network has a weight {shape}, its design {wanted}; make the network of a design as it is "
                "now, and load the weights into that"
            )
        tensor.CopyFrom(numpy_helper.from_array(weight.detach().cpu().float().numpy(), name))
    content: bytes = model.SerializeToString(deterministic=True)
    return content

"""PyTorch as a backend: eager, or as a CUDA graph.

Each operator is one call of torch (torch_network.py), in inference mode, with PyTorch's own defaults: cuDNN chooses
its algorithms by rule, and convolutions of fp32 may run as TF32 where a GPU has that. A run on a GPU ends when the GPU
has ended. Inputs are drawn once and stay on the device.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

import numpy as np

from calibration import networks
from calibration.measure.backend import Kernels, RefusedError, memory_of, one_line, random_input
from calibration.measure.timing import Run
from costmodel.errors import CostModelError, UsageError
from costmodel.frontends import onnx

if TYPE_CHECKING:
    import torch

NAME = "torch"

_BEFORE_CAPTURE = 3  # runs on a stream of its own, as PyTorch's documentation of CUDA graphs asks for


@dataclass(frozen=True, slots=True)
class _Ready:
    run: Run
    memory: int


class Torch:
    """Runs networks with PyTorch.

    device: cpu, with `threads` threads, or cuda. precision: fp32 or fp16. channels_last: images and filters with
    their channels innermost. cuda_graph: the launches of a run recorded once and replayed. seed: of weights and
    inputs. Raises UsageError where torch is not installed, or has no GPU that is asked for.
    """

    name = NAME

    def __init__(
        self,
        device: str,
        threads: int,
        *,
        precision: str = "fp32",
        channels_last: bool = False,
        cuda_graph: bool = False,
        seed: int = 0,
    ) -> None:
        _check_installed()
        import torch

        self._device, self._graphed, self._seed = device, cuda_graph, seed
        self.blocks: int | None = None
        self._dtype = torch.float16 if precision == "fp16" else torch.float32
        self._layout = torch.channels_last if channels_last else torch.contiguous_format
        self.versions: Mapping[str, str] = {NAME: str(torch.__version__), "numpy": np.__version__}
        if device == "cpu":
            torch.set_num_threads(threads)
            return
        if not torch.cuda.is_available():
            raise UsageError(
                f"--device {device}: torch {torch.__version__} finds no such GPU; leave it out for the CPU"
            )
        self.versions = {
            **self.versions,
            "gpu": torch.cuda.get_device_name(),
            "cuda": str(torch.version.cuda),
            "cudnn": str(torch.backends.cudnn.version()),  # type: ignore[no-untyped-call]
        }

    def prepare(self, network: str, path: str, batch: int) -> _Ready:
        """See Backend. Raises RefusedError also for operators that torch_network.py does not cover."""
        import torch
        from onnx import numpy_helper

        from calibration.measure.torch_network import TorchNetwork

        graph = networks.graph(path or network, batch)
        random = np.random.default_rng(self._seed)
        inputs = [random_input(graph.tensors[name], random) for name in graph.inputs]
        try:
            stored = onnx.write(graph, seed=self._seed).graph.initializer
        except CostModelError as error:
            raise RefusedError(str(error)) from error
        weights = {one.name: torch.from_numpy(numpy_helper.to_array(one).copy()) for one in stored}
        with _refusals():
            module = TorchNetwork(graph, weights).place(self._device, self._dtype, self._layout)
            placed = [self._placed(torch.from_numpy(array)) for array in inputs]
            with torch.inference_mode():
                module.check(*placed)
            run = self._run(module, placed)
        return _Ready(run, memory_of(graph))

    def profile(self, network: str, path: str, batch: int, runs: int) -> Kernels:
        """See Backend. Raises RefusedError: single operators are timed under ONNX Runtime only."""
        raise RefusedError("its operators are not timed one by one")

    def _placed(self, tensor: torch.Tensor) -> torch.Tensor:
        import torch

        form = self._layout if tensor.dim() == 4 else torch.contiguous_format
        kind = self._dtype if tensor.is_floating_point() else tensor.dtype
        return tensor.to(device=self._device, dtype=kind, memory_format=form)

    def _run(self, module: torch.nn.Module, inputs: list[torch.Tensor]) -> Run:
        import torch

        @torch.inference_mode()
        def once() -> None:
            module(*inputs)

        launch = _captured(once) if self._graphed else once
        on_gpu = self._device == "cuda"

        def run() -> None:
            try:
                launch()
                if on_gpu:
                    torch.cuda.synchronize()
            except RuntimeError as error:  # of CUDA, of memory
                raise RefusedError(one_line(error)) from error

        return run


@contextmanager
def _refusals() -> Iterator[None]:
    """What torch raises is a refusal: of CUDA, of memory, of a kernel that a type has not, of a strange attribute."""
    try:
        yield
    except (RuntimeError, ValueError, TypeError, LookupError) as error:
        raise RefusedError(one_line(error)) from error


def _captured(once: Run) -> Run:
    """The launches of a run as a CUDA graph."""
    import torch

    side = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(_BEFORE_CAPTURE):
            once()
    torch.cuda.current_stream().wait_stream(side)
    recorded = torch.cuda.CUDAGraph()
    with torch.cuda.graph(recorded):
        once()
    replay: Run = recorded.replay
    return replay


def _check_installed() -> None:
    try:
        import_module("torch")
    except ImportError as error:
        raise UsageError(
            f"--backend {NAME}: it cannot be imported ({error}); install it: pip install 'cnn-costmodel[torch]'"
        ) from error

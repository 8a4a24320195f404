"""ONNX Runtime on the CPU, as a backend.

All graph optimisations, operators one after the other, `threads` threads within one, on all of which nothing spins
between runs: a thread that waits busily would slow whatever is measured next. Inputs are drawn once; weights of zoo
networks are random. A run gives its outputs anew, as a program that uses them gets them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import Any

import numpy as np

from calibration import networks
from calibration.measure.backend import RefusedError, memory_of, one_line, random_input
from calibration.measure.timing import Run
from costmodel.errors import CostModelError, UsageError
from costmodel.frontends import onnx

NAME = "onnxruntime"

_QUIET = 4  # of ONNX Runtime's log levels: what ends a run comes as an exception too


@dataclass(frozen=True, slots=True)
class _Ready:
    run: Run
    memory: int


class OnnxRuntime:
    """Runs networks on the CPU with `threads` threads; seed: of weights and inputs.

    Raises UsageError where onnxruntime is not installed.
    """

    name = NAME

    def __init__(self, threads: int, seed: int = 0) -> None:
        self._ort: ModuleType = _package()
        self._options = _options(self._ort, threads)
        self._seed = seed
        self.versions: Mapping[str, str] = {NAME: self._ort.__version__, "numpy": np.__version__}

    def prepare(self, network: str, path: str, batch: int) -> _Ready:
        """See Backend. Raises RefusedError also for a network whose inputs have no fixed sizes."""
        graph = networks.graph(path or network, batch)
        random = np.random.default_rng(self._seed)
        feeds = {name: random_input(graph.tensors[name], random) for name in graph.inputs}
        try:
            session = self._ort.InferenceSession(
                path or onnx.write(graph, seed=self._seed).SerializeToString(),
                sess_options=self._options,
                providers=["CPUExecutionProvider"],
            )
        except CostModelError as error:
            raise RefusedError(str(error)) from error
        except Exception as error:  # ONNX Runtime's exceptions have no common base of their own
            raise RefusedError(_reason(error)) from error

        def run() -> None:
            try:
                session.run(None, feeds)
            except Exception as error:
                raise RefusedError(_reason(error)) from error

        return _Ready(run, memory_of(graph))


def _package() -> ModuleType:
    try:
        return import_module("onnxruntime")
    except ImportError as error:
        raise UsageError(
            f"--backend {NAME}: it cannot be imported ({error}); install it: pip install 'cnn-costmodel[measure]'"
        ) from error


def _options(ort: Any, threads: int) -> Any:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.log_severity_level = _QUIET
    options.add_session_config_entry("session.force_spinning_stop", "1")
    return options


def _reason(error: Exception) -> str:
    """An exception of ONNX Runtime as one line, without its code, its class and the model's place."""
    text = one_line(error)
    if text.startswith("[ONNXRuntimeError]"):
        text = text.split(" : ", 3)[-1]
    return re.sub(r"^Load model from .* failed: ?", "", text)

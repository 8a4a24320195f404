"""ONNX Runtime on the CPU, as a backend.

All graph optimisations, operators one after the other, `threads` threads within one, on all of which nothing spins
between runs: a thread that waits busily would slow whatever is measured next. Inputs are drawn once; weights of zoo
networks are random. A run gives its outputs anew, as a program that uses them gets them.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import Any

import numpy as np
from onnx import load

from calibration import networks
from calibration.measure.backend import Kernels, RefusedError, memory_of, one_line, random_input
from calibration.measure.onnxruntime_kernels import BLOCKED, Operator, matched, node_seconds
from calibration.measure.timing import Run
from costmodel.builder import GraphBuilder
from costmodel.errors import CostModelError, UsageError
from costmodel.frontends import onnx
from costmodel.graph import Graph
from costmodel.kernels import fuse, runtime_of

NAME = "onnxruntime"

_WARM_UP = 2  # runs of a profile that do not count
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
        self._threads = threads
        self._options = _options(self._ort, threads)
        self._seed = seed
        self.versions: Mapping[str, str] = {NAME: self._ort.__version__, "numpy": np.__version__}
        self.blocks: int | None = self._blocks()

    def prepare(self, network: str, path: str, batch: int) -> _Ready:
        """See Backend. Raises RefusedError also for a network whose inputs have no fixed sizes."""
        graph = networks.graph(path or network, batch)
        random = np.random.default_rng(self._seed)
        feeds = {name: random_input(graph.tensors[name], random) for name in graph.inputs}
        try:
            model = path or onnx.write(graph, seed=self._seed).SerializeToString()
            session = self._session(model, self._options)
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

    def profile(self, network: str, path: str, batch: int, runs: int) -> Kernels:
        """See Backend. Loads the network anew: what is profiled runs slower, and is not what prepare() gives."""
        graph = networks.graph(path or network, batch)
        random = np.random.default_rng(self._seed)
        feeds = {name: random_input(graph.tensors[name], random) for name in graph.inputs}
        try:
            with tempfile.TemporaryDirectory() as folder:
                options, file = self._writing(folder)
                options.enable_profiling = True
                options.profile_file_prefix = os.path.join(folder, "profile")
                session = self._session(path or onnx.write(graph, seed=self._seed).SerializeToString(), options)
                for _ in range(_WARM_UP + runs):
                    session.run(None, feeds)
                with open(session.end_profiling(), encoding="utf-8") as events:
                    seconds, counted = node_seconds(json.load(events), _WARM_UP)
                made = load(file, load_external_data=False).graph.node
        except Exception as error:
            raise RefusedError(_reason(error)) from error
        operators = [Operator(one.name, one.op_type, tuple(one.input), tuple(one.output)) for one in made]
        kernels, parts = matched(fuse(graph, runtime_of(NAME, self.blocks)), operators, seconds)
        return Kernels(kernels, parts, sum(seconds.values()), len(seconds), counted)

    def _writing(self, folder: str) -> tuple[Any, str]:
        """Options of a session that writes the graph it has made into a file of the folder, and that file."""
        options = _options(self._ort, self._threads)
        options.optimized_model_filepath = file = os.path.join(folder, "made.onnx")
        options.add_session_config_entry("session.optimized_model_external_initializers_file_name", "weights")
        return options, file

    def _blocks(self) -> int:
        """Channels in a block of its layout on this processor: what it rounds the 4 filters of a convolution up to."""
        with tempfile.TemporaryDirectory() as folder:
            options, file = self._writing(folder)
            self._session(onnx.write(_convolution()).SerializeToString(), options)
            graph = load(file, load_external_data=False).graph
        filters = {tensor.name: tensor.dims[0] for tensor in graph.initializer}
        found = [filters[node.input[1]] for node in graph.node if node.domain == BLOCKED and node.op_type == "Conv"]
        return int(found[0]) if found else 0

    def _session(self, model: str | bytes, options: Any) -> Any:
        return self._ort.InferenceSession(model, sess_options=options, providers=["CPUExecutionProvider"])


def _convolution() -> Graph:
    g = GraphBuilder("convolution")
    return g.build(g.conv(g.input("input", (1, 4, 8, 8)), 4, 1))


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

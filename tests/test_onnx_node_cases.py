"""Every node case that the onnx package defines is analyzed, and its output shapes are the case's own."""

from __future__ import annotations

import warnings
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from costmodel.frontends import onnx as frontend
from costmodel.graph import Counting, Graph


@cache
def node_cases() -> list[Any]:
    """The cases that onnx ships, each a model with inputs and expected outputs."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the cases overflow and divide by zero on purpose
        from onnx.backend.test.case.node import collect_testcases

        return list(collect_testcases(None))


def analyzed(case: Any, folder: Path) -> Graph:
    """The case's graph; its small inputs are known, since some shapes are computed from them."""
    path = folder / "case.onnx"
    path.write_bytes(case.model.SerializeToString())
    data = {value.name: item for value, item in zip(case.model.graph.input, case.data_sets[0][0], strict=True)}
    values = {
        name: np.asarray(item)
        for name, item in data.items()
        if isinstance(item, np.ndarray | np.generic) and _may_steer(np.asarray(item))
    }
    return frontend.load(path, frontend.Wishes(values=values))


def _may_steer(item: np.ndarray[Any, Any]) -> bool:
    return item.dtype.kind in "iufV" and item.size <= 16


def expected_shapes(case: Any) -> list[tuple[int, ...] | None]:
    """Shapes of a case's outputs; None for sequences, optionals and values of variable type."""
    outputs = case.data_sets[0][1]
    return [o.shape if isinstance(o, np.ndarray | np.generic) else None for o in outputs]


@pytest.mark.slow
def test_every_node_case_has_its_own_output_shapes_and_no_unknown_operator(tmp_path: Path) -> None:
    wrong = []
    unknown: Counter[str] = Counter()
    for case in node_cases():
        graph = analyzed(case, tmp_path)
        unknown.update(f"{n.op_type} in {case.name}: {n.note}" for n in graph.nodes if n.counting is Counting.UNKNOWN)
        shapes = [graph.tensors[name].shape for name in graph.outputs]
        for i, (ours, theirs) in enumerate(zip(shapes, expected_shapes(case), strict=True)):
            if theirs is not None and ours != theirs:
                wrong.append(f"{case.name}: output {i} is {ours}, the case has {theirs}")
    assert not unknown
    assert not wrong
    assert len(node_cases()) >= 1800

"""What is loaded when: the command line starts fast because nothing heavy is imported before it is needed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from onnx_models import INT64, ints, model, node, save, scalar, value, weight

import costmodel

HEAVY = ("torch", "optuna", "scipy", "pandas", "sympy", "networkx", "onnxruntime")


def loaded_by(code: str, *arguments: str) -> set[str]:
    """The top-level modules that a fresh interpreter has after running the code."""
    report = (
        "\nimport json, sys\nprint(json.dumps(sorted({name.split('.')[0] for name in sys.modules})), file=sys.stderr)"
    )
    command = [sys.executable, "-c", code + report, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    return set(json.loads(done.stderr.splitlines()[-1]))


@pytest.mark.parametrize("form", ["text", "json", "csv", "markdown"])
def test_analyze_imports_no_heavy_package(form: str, tmp_path: Path) -> None:
    """On a model with convolution, shape arithmetic, a free batch dim and an operator of the rarer families."""
    nodes = [
        node("Conv", ["x", "w"], ["c"], pads=[1, 1, 1, 1]),
        node("Shape", ["c"], ["s"]),
        node("Gather", ["s", "zero"], ["n"]),
        node("Unsqueeze", ["n", "axis"], ["n1"]),
        node("Concat", ["n1", "rest"], ["target"], axis=0),
        node("Reshape", ["c", "target"], ["f"]),
        node("MatMulInteger", ["q", "q2"], ["m"]),
    ]
    constants = [weight("w", 4, 3, 3, 3), scalar("zero", 0), ints("axis", 0), ints("rest", -1)]
    inputs = [value("x", ("n", 3, 8, 8)), value("q", (2, 2), INT64), value("q2", (2, 2), INT64)]
    path = save(model(nodes, inputs, constants), tmp_path)
    code = "import sys\nfrom costmodel.cli import main\nassert main(sys.argv[1:]) == 0"
    modules = loaded_by(code, "analyze", str(path), "--format", form)
    assert not modules & set(HEAVY)
    assert "onnx" in modules


def test_importing_costmodel_imports_no_other_package() -> None:
    installed = loaded_by("import costmodel") - loaded_by("") - set(sys.stdlib_module_names)
    assert installed == {"costmodel"}


def test_the_command_line_without_work_imports_no_package() -> None:
    code = "import sys\nfrom costmodel.cli import main\nassert main(['--version']) == 0"
    assert not loaded_by(code) & {*HEAVY, "numpy", "onnx", "rich"}


def test_a_zoo_network_needs_no_onnx() -> None:
    code = "import costmodel\nassert costmodel.analyze('zoo:squeezenet1_1').totals.mult_adds > 0"
    assert not loaded_by(code) & {*HEAVY, "onnx", "rich"}


def test_all_is_what_can_be_imported() -> None:
    assert [*costmodel.__all__] == sorted(costmodel.__all__)
    for name in costmodel.__all__:
        assert getattr(costmodel, name).__name__ == name
    assert set(costmodel.__all__) <= set(dir(costmodel))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = costmodel.nothing
    scope: dict[str, object] = {}
    exec("from costmodel import *", scope)
    assert set(scope) - {"__builtins__"} == set(costmodel.__all__)


def test_the_declared_types_are_the_loaded_names() -> None:
    """__all__, the names for type checkers and the names loaded on first use are three lists of one thing."""
    import ast

    tree = ast.parse(Path(costmodel.__file__).read_text(encoding="utf-8"))
    declared = {
        (alias.name, statement.module)
        for statement in ast.walk(tree)
        if isinstance(statement, ast.ImportFrom) and (statement.module or "").startswith("costmodel.")
        for alias in statement.names
    }
    assert {name for name, _ in declared} == set(costmodel.__all__)
    assert {name: f"costmodel.{home}" for name, home in costmodel._HOMES.items()} == dict(declared)

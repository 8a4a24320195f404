"""The findings of models that others wrote: few, and the same as when they were last reviewed (golden files)."""

from __future__ import annotations

from pathlib import Path

import pytest
from golden_findings import GOLDEN, LIGHT, LIGHT_MODELS, TORCHVISION, export, reviewed


@pytest.mark.parametrize("name", LIGHT_MODELS)
def test_the_light_models_of_onnx_have_the_reviewed_findings(name: str) -> None:
    assert reviewed(LIGHT / f"{name}.onnx") == (GOLDEN / f"{name}.txt").read_text()


@pytest.mark.thorough
@pytest.mark.filterwarnings("ignore")  # torch's exporter warns of itself
@pytest.mark.parametrize("name", TORCHVISION)
def test_exports_of_torchvision_have_the_reviewed_findings(name: str, tmp_path: Path) -> None:
    assert reviewed(export(name, tmp_path)) == (GOLDEN / f"{name}.txt").read_text()


def test_every_golden_file_is_a_models() -> None:
    assert sorted(path.stem for path in GOLDEN.glob("*.txt")) == sorted((*LIGHT_MODELS, *TORCHVISION))


def test_findings_are_few_where_they_weigh() -> None:
    """More than a note are about as many findings as the networks have units."""
    for path in GOLDEN.glob("*.txt"):
        lines = path.read_text().splitlines()
        assert sum(" note " not in line for line in lines[:-1]) <= 20, path.stem

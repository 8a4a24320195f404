"""The findings of real models as reviewed text: one line each, without what only depends on how sentences are put.

python tests/golden_findings.py    write tests/golden/findings anew; read its diff
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import onnx

from costmodel.analysis import Analysis, analyze
from costmodel.guidelines import Review

GOLDEN = Path(__file__).parent / "golden" / "findings"
PLATFORMS = ("gtx1080ti-cudnn7-fp32", "snapdragon810-neon-fp32-1t")
LIGHT = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"
LIGHT_MODELS = tuple(sorted(path.stem for path in LIGHT.glob("light_*.onnx")))
TORCHVISION = ("mobilenet_v2", "shufflenet_v2_x1_0", "googlenet", "densenet121")


def reviewed(path: Path) -> str:
    """A model's findings, a line each, and what they save together, in percent of the time on each platform."""
    analysis: Analysis = analyze(path, platform=PLATFORMS)
    review: Review = analysis.check()
    lines = [
        f"{finding.guideline} {finding.severity} {finding.place} ({len(finding.operators)} operators):"
        f" {_shares([saving.share for saving in finding.savings])}"
        for finding in review.findings
    ]
    return "\n".join([*lines, f"together: {_shares([saving.share for saving in review.totals])}", ""])


def _shares(shares: list[float]) -> str:
    return ", ".join(f"{round(100 * share, 1) + 0.0} %" for share in shares)


def export(name: str, folder: Path) -> Path:
    """A network of torchvision as torch exports it."""
    import torch

    # Where torchvision's compiled extension does not load, importing it still takes these two to be defined.
    library = torch.library.Library("torchvision", "FRAGMENT")
    for operator in ("nms", "qnms"):
        if not hasattr(torch.ops.torchvision, operator):
            library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    from torchvision import models

    options = {"init_weights": False, "aux_logits": False} if name == "googlenet" else {}
    network = models.get_model(name, weights=None, **options).eval()
    path = folder / f"{name}.onnx"
    torch.onnx.export(network, (torch.zeros(1, 3, 224, 224),), path, verbose=False)
    return path


def main() -> None:
    GOLDEN.mkdir(parents=True, exist_ok=True)
    for name in LIGHT_MODELS:
        (GOLDEN / f"{name}.txt").write_text(reviewed(LIGHT / f"{name}.onnx"))
    with tempfile.TemporaryDirectory() as folder:
        for name in TORCHVISION:
            (GOLDEN / f"{name}.txt").write_text(reviewed(export(name, Path(folder))))


if __name__ == "__main__":
    main()

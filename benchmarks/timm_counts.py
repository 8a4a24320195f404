"""Mult-adds of timm models, exported to ONNX, against what torch counts while it runs them.

    python benchmarks/timm_counts.py [MODEL ...]

The peer is torch.utils.flop_counter. It does not see LSTMs, and not the products inside fused attention,
which is therefore switched off. Where the exporter folds products of constants ahead of the run, they
are missing from the file and from its count. Exit status 1 if a model differs otherwise than listed.
"""

from __future__ import annotations

import logging
import sys
import tempfile
import warnings
from pathlib import Path

import export_torchvision  # noqa: F401  (makes torchvision importable, which timm needs)
import timm
import torch
from torch.utils.flop_counter import FlopCounterMode

from costmodel.analysis import analyze

MODELS = [
    "convnext_atto",
    "mobilevit_xxs",
    "efficientformer_l1",
    "levit_128s",
    "edgenext_xx_small",
    "mixer_s32_224",
    "resnetv2_50",
    "nfnet_l0",
    "ghostnet_100",
    "mobileone_s0",
    "repvgg_a0",
    "coat_tiny",
    "xcit_nano_12_p16_224",
    "poolformer_s12",
    "crossvit_9_240",
    "pvt_v2_b0",
    "twins_pcpvt_small",
    "fastvit_t8",
    "hrnet_w18_small",
    "dla34",
    "skresnet18",
    "res2net50_26w_4s",
    "inception_v4",
    "darknet53",
    "cspdarknet53",
    "dpn68",
    "rexnet_100",
    "tinynet_e",
    "lcnet_050",
    "mnasnet_small",
    "eca_resnet33ts",
    "deit_tiny_patch16_224",
    "volo_d1_224",
    "visformer_tiny",
    "davit_tiny",
    "gcvit_xxtiny",
    "lambda_resnet26t",
    "halonet26t",
    "botnet26t_256",
    "efficientvit_b0",
    "tiny_vit_5m_224",
    "sequencer2d_s",
    "maxvit_tiny_tf_224",
    "mobilenetv4_conv_small",
    "selecsls42b",
    "regnety_002",
    "gmlp_s16_224",
    "resmlp_12_224",
    "focalnet_tiny_srf",
    "convit_tiny",
    "mvitv2_tiny",
    "starnet_s1",
]
EXPLAINED = {
    "sequencer2d_s": "torch does not count LSTMs",
    "maxvit_tiny_tf_224": "the exporter folds its tables of relative positions",
}


def compare(name: str, folder: Path) -> bool:
    """Count one model both ways, print a line, and say whether they agree as expected."""
    model = timm.create_model(name, pretrained=False).eval()
    image = torch.rand(1, *model.default_cfg["input_size"])
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(image)
    path = folder / "model.onnx"
    torch.onnx.export(model, (image,), path, verbose=False)
    analysis = analyze(path)
    ours, theirs = analysis.totals.mult_adds, counter.get_total_flops() // 2
    inexact = analysis.coverage.approximated + analysis.coverage.unknown
    verdict = "" if ours == theirs else EXPLAINED.get(name, "DIFFERS")
    print(f"{name:28}{ours:16,}{theirs:16,}{inexact:6}  {verdict}", flush=True)
    return verdict != "DIFFERS" and inexact == 0


def main() -> int:
    warnings.simplefilter("ignore")
    logging.disable(logging.ERROR)
    timm.layers.set_fused_attn(False)
    names = sys.argv[1:] or MODELS
    print(f"{'model':28}{'costmodel':>16}{'torch':>16}{'inexact':>8}")
    with tempfile.TemporaryDirectory() as folder:
        agreed = [compare(name, Path(folder)) for name in names]
    print(f"{sum(agreed)} of {len(names)} agree or are explained")
    return 0 if all(agreed) else 1


if __name__ == "__main__":
    sys.exit(main())

"""A platform measured with `costmodel measure` and shipped: networks that its sweep left out, and alignment."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import kendalltau

from calibration import physics
from calibration.dataset import Sample, read
from calibration.features import features
from calibration.fit import fit
from calibration.sweep import HALVES, NETWORKS
from costmodel import zoo
from costmodel.platforms import Platform, find
from costmodel.predictor import predict

DATA = Path(__file__).parent.parent / "calibration" / "data"
PLATFORM = find("epyc-onnxruntime-fp32-1t")
NEW = read(DATA / "onnxruntime_epyc_networks.csv").samples
SWEEP = read(DATA / "onnxruntime_epyc.csv").samples


def seconds(sample: Sample, platform: Platform = PLATFORM) -> float:
    return float(predict(zoo.load(sample.network, batch=sample.batch), platform).latency.seconds)


def without(networks: set[str]) -> Platform:
    """The platform, fitted to the sweep without some of its rows."""
    rest = [sample for sample in SWEEP if sample.network not in networks]
    work = features(rest, PLATFORM.runtime, PLATFORM.machine)
    own = fit(work.amounts, np.array([sample.latency for sample in rest]), physics.prior("cpu"))
    coefficients = dict(zip(own.terms, own.coefficients.tolist(), strict=True))
    return replace(PLATFORM, coefficients=coefficients, stretch=own.stretch)


def test_whole_networks_of_families_that_the_sweep_leaves_out_are_predicted() -> None:
    """At most 10 % off in the mean, 7 of 10 within 10 %, and in the right order."""
    predicted, measured = np.array([seconds(sample) for sample in NEW]), np.array([sample.latency for sample in NEW])
    errors = np.abs(predicted / measured - 1)
    assert errors.mean() <= 0.10
    assert (errors <= 0.10).mean() >= 0.70
    assert kendalltau(predicted, measured).statistic >= 0.94


def test_none_of_them_is_in_the_sweep() -> None:
    families = {sample.network.removeprefix("zoo:").partition(",")[0] for sample in NEW}
    assert families.isdisjoint(name.partition(",")[0] for name in NETWORKS)
    assert {sample.network for sample in NEW}.isdisjoint(sample.network for sample in SWEEP)


@pytest.mark.parametrize("is_left_out", [False, True])
def test_channels_that_are_no_multiple_of_4_are_slow_as_measured(is_left_out: bool) -> None:
    """A stacked ShuffleNet V2 unit at 28x28: halves of 58, 62 and 66 channels are slower than wider ones.

    By the shipped profile, and by a fit to a sweep without these rows.
    """
    wanted = {zoo.load(f"zoo:stack_shufflenet_v2,c={2 * half}").name: half for half in HALVES}
    rows = {wanted[sample.network]: sample for sample in SWEEP if sample.network in wanted}
    assert set(rows) == set(HALVES)
    platform = without(set(wanted)) if is_left_out else PLATFORM
    predicted = {half: seconds(sample, platform) for half, sample in rows.items()}
    measured = {half: sample.latency for half, sample in rows.items()}
    for half in HALVES:
        for other in HALVES:
            if measured[half] > measured[other] * 1.01:  # what two measurements may differ by
                assert predicted[half] > predicted[other], (half, other)
    assert min(predicted[58], predicted[62], predicted[66]) > predicted[64]
    assert predicted[66] > predicted[80]


def test_a_design_of_58_channels_is_told_so() -> None:
    import costmodel

    found = costmodel.analyze("zoo:shufflenet_v2", platform=PLATFORM).check()
    (finding,) = (one for one in found.findings if "vector" in one.evidence)
    assert finding.evidence["channels"] == 58
    assert finding.savings[0].share == pytest.approx(0.2, abs=0.15)

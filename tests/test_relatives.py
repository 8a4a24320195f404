"""What related platforms know: a new device is predicted from two networks, and the files hold what was learned."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from synthetic import PHYSICS, SEEN, error, noisy, truth, work

from calibration import known
from calibration.features import TERMS
from calibration.fit import Array, Prior, fit
from calibration.known import before, dumps, load
from calibration.physics import MEMORY, SPEED_DOUBT
from calibration.relatives import Learned, Relative, factors, learn
from costmodel.errors import UsageError

NETWORKS = SEEN[::2]
AMOUNTS = dict(zip(NETWORKS, work(NETWORKS).amounts, strict=True))
ALL = np.array(list(AMOUNTS.values()))
FAMILY = truth(100, 0.6)  # rates of a runtime, far from what physics says; its devices are near each other
TWO = [NETWORKS.index("zoo:mobilenet_v2"), NETWORKS.index("zoo:resnet18,resolution=96")]


def device(seed: int, family: Array = FAMILY, scatter: float = 0.1, speed: float = 1.0) -> Array:
    """Seconds of each network on a device of the family, measured with 2 % noise."""
    own = speed * family * np.exp(np.random.default_rng(seed).normal(0, scatter, len(TERMS)))
    return noisy(ALL @ own, 0.02, seed)


def relative(
    name: str, seconds: Array, date: float = 2024.0, threads: int = 1, only: Sequence[str] = NETWORKS
) -> Relative:
    chosen = {network: float(time) for network, time in zip(NETWORKS, seconds, strict=True) if network in only}
    return Relative(f"{name}-ncnn-fp32-{threads}t", name, date, threads, chosen)


def family_of(
    count: int, family: Array = FAMILY, date: float = 2024.0, threads: int = 1, first: int = 0
) -> list[Relative]:
    """Devices of speeds up to a hundred times apart."""
    return [
        relative(f"board{first + i}", device(first + i, family, speed=10 ** (2 * i / count)), date, threads)
        for i in range(count)
    ]


def new_device_error(learned: Learned, seconds: Array) -> float:
    """Of the networks that the fit has not seen."""
    offsets = np.array([learned.offsets.get(name, 0.0) for name in NETWORKS])
    own = fit(ALL[TWO], seconds[TWO], learned.prior, offsets=offsets[TWO])
    rest = np.setdiff1d(np.arange(len(NETWORKS)), TWO)
    return float(error(own.predict(ALL[rest]), seconds[rest]).mean())


def learned_of(relatives: Sequence[Relative], date: float = 2024.0, threads: int = 1) -> Learned:
    return learn(relatives, AMOUNTS, PHYSICS, date=date, threads=threads)


def test_two_networks_are_enough_for_a_device_whose_relatives_are_known() -> None:
    learned = learned_of(family_of(8))
    physics = Learned(PHYSICS, {}, ())
    for seed in range(50, 54):
        seconds = device(seed, speed=0.3)
        assert new_device_error(learned, seconds) < 0.08
        assert new_device_error(learned, seconds) < new_device_error(physics, seconds) / 2


def test_the_more_relatives_the_better() -> None:
    errors = [
        np.mean([new_device_error(learned_of(family_of(count)), device(seed)) for seed in range(60, 66)])
        for count in (1, 8)
    ]
    assert errors[1] < errors[0]


def test_speeds_of_relatives_say_nothing_about_relations() -> None:
    """The same devices, each of another speed, give the same knowledge."""
    one, other = (learned_of([relative(f"b{i}", speed**i * device(i)) for i in range(5)]).prior for speed in (1.0, 7.0))
    shift = other.mean - one.mean
    np.testing.assert_allclose(shift, shift[0], atol=0.02)
    np.testing.assert_allclose(one.covariance, other.covariance, atol=0.02)


def test_the_scatter_of_devices_is_in_the_covariance() -> None:
    """Relatives that differ little leave less doubt than relatives that differ much."""
    doubts = [
        np.trace(learned_of([relative(f"b{i}", device(i, scatter=scatter)) for i in range(10)]).prior.covariance)
        for scatter in (0.02, 0.8)
    ]
    assert doubts[0] < doubts[1]


def test_rates_that_differ_from_device_to_device_together_are_predicted_together() -> None:
    """Memory is slower or faster against the arithmetic: without what is common to its rates, more is wrong."""
    off = np.array([1.0 if term in MEMORY else 0.0 for term in TERMS])

    def of_kind(seed: int) -> Array:
        return device(seed, FAMILY * np.exp(off * np.random.default_rng(1000 + seed).normal(0, 0.8)), scatter=0.05)

    learned = learned_of([relative(f"b{i}", of_kind(i)) for i in range(16)])
    prior = learned.prior
    alone = Prior(prior.terms, prior.mean, np.diag(np.diag(prior.covariance) - SPEED_DOUBT**2) + SPEED_DOUBT**2)
    errors = [
        np.mean([new_device_error(Learned(known, learned.offsets, ()), of_kind(seed)) for seed in range(40, 52)])
        for known in (prior, alone)
    ]
    assert errors[0] < 0.9 * errors[1]


def test_relatives_of_the_same_date_count_more() -> None:
    """The runtime changed: relations of old versions mislead, unless the device is as old itself."""
    new_family = FAMILY * np.exp(np.random.default_rng(200).normal(0, 0.4, len(TERMS)))
    relatives = [*family_of(4, FAMILY, 2018.0), *family_of(4, new_family, 2024.0, first=4)]
    for date, mine in ((2018.0, FAMILY), (2024.0, new_family)):
        other = 2042.0 - date
        for seed in (70, 71):
            seconds = device(seed, mine)
            right, wrong = (new_device_error(learned_of(relatives, when), seconds) for when in (date, other))
            assert right < wrong


def test_relatives_with_as_many_threads_count_more() -> None:
    four = FAMILY * np.exp(np.random.default_rng(300).normal(0, 0.4, len(TERMS)))
    relatives = [*family_of(4, FAMILY, threads=1), *family_of(4, four, threads=4, first=4)]
    for threads, mine in ((1, FAMILY), (4, four)):
        for seed in (80, 81):
            seconds = device(seed, mine)
            right, wrong = (
                new_device_error(learned_of(relatives, threads=count), seconds) for count in (threads, 5 - threads)
            )
            assert right < wrong


def test_the_mean_is_of_relatives_with_as_many_threads() -> None:
    four = FAMILY * np.exp(np.random.default_rng(300).normal(0, 0.4, len(TERMS)))
    one_thread, four_threads = family_of(4, FAMILY, threads=1), family_of(4, four, threads=4, first=4)
    both = relations(learned_of([*one_thread, *four_threads], threads=1))
    alone, other = relations(learned_of(one_thread)), relations(learned_of(four_threads, threads=4))
    assert np.abs(both - alone).mean() < 0.3 * np.abs(both - other).mean()


def relations(learned: Learned) -> Array:
    """The logarithms of networks' times as the prior's mean says, their level taken out."""
    times = np.log(ALL @ np.exp(learned.prior.mean))
    result: Array = times - np.median(times)
    return result


def test_a_network_that_is_slow_everywhere_has_an_offset_and_says_nothing_about_a_new_device() -> None:
    slow = np.where(np.arange(len(NETWORKS)) == TWO[0], 1.5, 1.0)
    relatives = [relative(f"b{i}", slow * device(i)) for i in range(8)]
    learned = learned_of(relatives)
    assert learned.offsets[NETWORKS[TWO[0]]] == pytest.approx(np.log(1.5), abs=0.15)
    others = [offset for name, offset in learned.offsets.items() if name != NETWORKS[TWO[0]]]
    assert np.median(np.abs(others)) < 0.05
    seconds = slow * device(90)
    without = Learned(learned.prior, {}, learned.relatives)
    assert new_device_error(learned, seconds) < new_device_error(without, seconds)


def test_offsets_are_of_the_median_device() -> None:
    """One device on which a network is slow does not make it slow."""
    seconds = [device(i) for i in range(7)]
    seconds[0][TWO[0]] *= 5
    learned = learned_of([relative(f"b{i}", times) for i, times in enumerate(seconds)])
    assert abs(learned.offsets[NETWORKS[TWO[0]]]) < 0.1


def test_a_network_that_one_relative_has_still_counts() -> None:
    few = [relative(f"b{i}", device(i), only=NETWORKS[:10]) for i in range(4)]
    learned = learned_of([*few, relative("b9", device(9))])
    assert set(learned.offsets) == set(NETWORKS)
    assert learned.relatives[-1] == "b9-ncnn-fp32-1t"


def test_relatives_that_share_no_network_with_each_other_still_have_a_prior() -> None:
    half = len(NETWORKS) // 2
    relatives = [relative("a", device(0), only=NETWORKS[:half]), relative("b", device(1), only=NETWORKS[half:])]
    prior = learned_of(relatives).prior
    assert np.isfinite(prior.mean).all()
    assert np.linalg.eigvalsh(prior.covariance).min() > 0


def test_relatives_whose_networks_are_unknown_here_are_left_out() -> None:
    stranger = Relative("s-ncnn-fp32-1t", "s", 2024.0, 1, {"zoo:unknown": 1.0})
    relatives = family_of(3)
    learned = learned_of([stranger, *relatives])
    assert learned.relatives == tuple(r.id for r in relatives)
    np.testing.assert_array_equal(learned.prior.mean, learned_of(relatives).prior.mean)
    for none in ([stranger], []):
        with pytest.raises(ValueError, match="no related platform"):
            learned_of(none)


def test_the_same_relatives_give_the_same_bytes() -> None:
    assert dumps(learned_of(family_of(4))) == dumps(learned_of(family_of(4)))


def test_the_order_of_relatives_does_not_matter() -> None:
    relatives = family_of(5)
    one, other = learned_of(relatives), learned_of(relatives[::-1])
    np.testing.assert_allclose(one.prior.mean, other.prior.mean, atol=1e-3)
    np.testing.assert_allclose(one.prior.covariance, other.prior.covariance, atol=1e-2)


def test_factors_put_a_covariance_together_again() -> None:
    rng = np.random.default_rng(1)
    loadings, rest = rng.normal(0, 1, (3, 12)), np.full(12, 0.3)
    covariance = loadings.T @ loadings + np.diag(rest**2)
    found, left = factors(covariance)
    np.testing.assert_allclose(found.T @ found + np.diag(left**2), covariance, atol=1e-9)
    np.testing.assert_allclose(left, rest, atol=1e-9)
    for row in found:  # the sign of a factor means nothing, and is always the same
        assert row[np.argmax(np.abs(row))] > 0


# Files


@pytest.fixture(scope="module")
def learned() -> Learned:
    return learned_of(family_of(6))


def saved(folder: Path, learned: Learned, change: Callable[[dict[str, Any]], object] = lambda document: None) -> Path:
    """A file of it, changed."""
    document = json.loads(dumps(learned))
    change(document)
    path = folder / "ncnn-fp32-1t.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def test_a_file_holds_what_was_learned(tmp_path: Path, learned: Learned) -> None:
    again = load(saved(tmp_path, learned), PHYSICS)
    assert again.relatives == learned.relatives
    assert again.offsets.keys() == learned.offsets.keys()
    for name, offset in again.offsets.items():
        assert offset == pytest.approx(learned.offsets[name], rel=1e-4, abs=1e-9)
    unit = TERMS.index("pointwise.mult_adds")
    np.testing.assert_allclose(
        again.prior.mean - again.prior.mean[unit], learned.prior.mean - learned.prior.mean[unit], atol=1e-4
    )
    np.testing.assert_allclose(np.diag(again.prior.covariance), np.diag(learned.prior.covariance), rtol=1e-3)
    np.testing.assert_allclose(
        again.prior.covariance, learned.prior.covariance, atol=0.02
    )  # small loadings are left out


def test_a_platform_is_the_same_with_the_file(tmp_path: Path, learned: Learned) -> None:
    again = load(saved(tmp_path, learned), PHYSICS)
    seconds = device(95)
    own, read = (fit(ALL[TWO], seconds[TWO], prior).predict(ALL) for prior in (learned.prior, again.prior))
    np.testing.assert_allclose(own, read, rtol=0.01)


def test_terms_that_the_file_does_not_know_are_physics(tmp_path: Path, learned: Learned) -> None:
    again = load(saved(tmp_path, learned, lambda d: d["terms"].pop("softmax.elements")), PHYSICS)
    index, unit = TERMS.index("softmax.elements"), TERMS.index("pointwise.mult_adds")
    assert again.prior.mean[index] - PHYSICS.mean[index] == again.prior.mean[unit] - PHYSICS.mean[unit]
    assert np.linalg.eigvalsh(again.prior.covariance).min() > 0


def priced(**changes: object) -> Callable[[dict[str, Any]], object]:
    """Other values for a term."""
    return lambda document: document["terms"]["dense.weights"].update(changes)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda d: d.pop("terms"), "terms"),
        (lambda d: d.pop("schema"), "schema"),
        (lambda d: d.update(schema="costmodel.prior/9"), "costmodel.prior/9"),
        (lambda d: d.update(factors=[[1.0]]), "attribute"),
        (lambda d: d.update(offsets=[1.0]), "attribute"),
        (lambda d: d.update(offsets={"zoo:resnet18": float("nan")}), "zoo:resnet18: nan is not finite"),
        (lambda d: d["factors"][0].update({"dense.weights": float("inf")}), "inf is not finite"),
        *((priced(mult_adds=value), "dense.weights: ") for value in (0, -1, float("nan"), float("inf"))),
        *((priced(doubt=value), "dense.weights: ") for value in (0, -1, float("nan"))),
        (priced(doubt="much"), "much"),
        (lambda d: d["terms"].update({"dense.weights": None}), "NoneType"),
    ],
)  # fmt: skip
def test_damaged_files_are_refused(
    tmp_path: Path, learned: Learned, change: Callable[[dict[str, Any]], object], problem: str
) -> None:
    path = saved(tmp_path, learned, change)
    with pytest.raises(UsageError) as refusal:
        load(path, PHYSICS)
    text = str(refusal.value)
    assert text.startswith(f"{path}: not a file of what related platforms know (")
    assert problem in text
    assert "`python -m calibration.build_profiles`, or use --prior none" in text


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b"\xff\xfe", b"[" * 100_000, b"null"])
def test_what_is_no_such_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "ncnn-fp32-1t.json"
    path.write_bytes(content)
    with pytest.raises(UsageError, match="rebuild it with"):
        load(path, PHYSICS)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="rebuild it with"):
        load(tmp_path / "nothing.json", PHYSICS)


# Which file


@pytest.fixture
def folder(tmp_path: Path, learned: Learned, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Files for 1, 2 and 8 threads; each names its number as its relative."""
    for threads in (1, 2, 8):
        text = dumps(Learned(learned.prior, {}, (str(threads),)))
        (tmp_path / f"ncnn-fp32-{threads}t.json").write_text(text, encoding="utf-8")
    monkeypatch.setattr(known, "FOLDER", tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("threads", "nearest"), [(0, "1"), (1, "1"), (2, "2"), (3, "2"), (5, "8"), (6, "8"), (64, "8")]
)
def test_the_nearest_number_of_threads_is_taken(folder: Path, threads: int, nearest: str) -> None:
    """By ratio: 4 is as far from 2 as from 8; 5 is nearer to 8."""
    assert before("ncnn", "fp32", threads, "cpu").relatives == (nearest,)


@pytest.mark.parametrize(
    ("runtime", "precision", "use"), [("ncnn", "fp16", "auto"), ("tflite", "fp32", "auto"), ("ncnn", "fp32", "none")]
)
def test_general_physics_where_no_relative_is_known_or_wanted(
    folder: Path, runtime: str, precision: str, use: str
) -> None:
    learned = before(runtime, precision, 1, "cpu", use)
    assert learned.relatives == ()
    assert learned.offsets == {}
    np.testing.assert_array_equal(learned.prior.mean, PHYSICS.mean)
    np.testing.assert_array_equal(learned.prior.covariance, PHYSICS.covariance)


def test_a_damaged_file_is_not_passed_over(folder: Path) -> None:
    (folder / "ncnn-fp32-2t.json").write_text("{}", encoding="utf-8")
    with pytest.raises(UsageError, match=r"ncnn-fp32-2t\.json"):
        before("ncnn", "fp32", 2, "cpu")
    assert before("ncnn", "fp32", 1, "cpu").relatives == ("1",)


@pytest.mark.parametrize("path", sorted(known.FOLDER.glob("*.json")), ids=lambda path: path.stem)
def test_shipped_files_are_distributions_over_all_terms(path: Path) -> None:
    learned = load(path, PHYSICS)
    assert set(json.loads(path.read_text(encoding="utf-8"))["terms"]) == set(TERMS)
    assert np.linalg.eigvalsh(learned.prior.covariance).min() > 0
    assert learned.relatives
    assert all(name.startswith("zoo:") for name in learned.offsets)
    assert np.median(np.abs(list(learned.offsets.values()))) < 0.1  # the terms say most of what is common
    assert max(map(abs, learned.offsets.values())) < 1.0

"""Waivers: which findings they take out, what is left to add up, and files that cannot be one."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from costmodel import analyze
from costmodel.errors import UsageError
from costmodel.guidelines import Review, Waiver, load_waivers, waive

TODAY = date(2026, 6, 15)
MODEL = "zoo:shufflenet_v1"
PLATFORMS = ("gtx1080ti-cudnn7-fp32", "snapdragon810-neon-fp32-1t")


@pytest.fixture(scope="module")
def review() -> Review:
    return analyze(MODEL, platform=PLATFORMS).check()


def waived(review: Review, waiver: Waiver, model: str = MODEL, today: date = TODAY) -> list[tuple[str, str]]:
    left, _ = waive(review, [waiver], model, today)
    assert len(left.findings) + len(left.waived) == len(review.findings)
    assert all(finding.reason == waiver.reason for finding in left.waived)
    return [(finding.guideline, finding.place) for finding in left.waived]


def test_a_waiver_takes_out_the_findings_of_its_guideline_and_place(review: Review) -> None:
    found = [(one.guideline, one.place) for one in review.findings if one.guideline == "G2"]
    third = [place for place in found if place[1].startswith("stage3.")]
    assert 0 < len(third) < len(found)
    assert waived(review, Waiver("G2", "why", place="stage3.*")) == third
    assert waived(review, Waiver("G2", "why", place="*")) == found
    assert waived(review, Waiver("G3", "why", place="*")) == []
    assert waived(review, Waiver("G2", "why", place="Stage3.*")) == []


def test_an_operator_glob_must_name_every_operator_of_a_finding(review: Review) -> None:
    finding = next(one for one in review.findings if one.guideline == "G2" and len(one.operators) == 2)
    first = finding.operators[0].name
    assert waived(review, Waiver("G2", "why", operator=first)) == []
    assert ("G2", finding.place) in waived(review, Waiver("G2", "why", operator=f"{finding.place}.*"))


def test_place_and_operator_must_both_fit(review: Review) -> None:
    assert waived(review, Waiver("G2", "why", place="stage3.*", operator="stage2.*")) == []


@pytest.mark.parametrize(
    ("glob", "model", "fits"),
    [
        ("zoo:shuffle*", MODEL, True),
        ("zoo:mobile*", MODEL, False),
        ("net.onnx", "some/where/net.onnx", True),
        ("some/*/net.onnx", "some/where/net.onnx", True),
        ("where/net.onnx", "some/where/net.onnx", False),
    ],
)
def test_a_model_is_fitted_by_its_name_or_the_last_part_of_its_path(
    glob: str, model: str, fits: bool, review: Review
) -> None:
    assert bool(waived(review, Waiver("G2", "why", place="*", model=glob), model)) is fits


def test_a_waiver_holds_to_the_end_of_its_last_day(review: Review) -> None:
    waiver = Waiver("G2", "why", place="*", expires=TODAY)
    assert waived(review, waiver)
    assert waived(review, waiver, today=date(2026, 6, 16)) == []
    assert not waiver.expired(TODAY)
    assert waiver.expired(date(2026, 6, 16))


def test_totals_are_those_of_a_check_that_never_looked_for_what_is_waived(review: Review) -> None:
    left, _ = waive(review, [Waiver("G2", "why", place="*")], MODEL, TODAY)
    without = analyze(MODEL, platform=PLATFORMS).check(ignore=["G2"])
    assert left.totals == without.totals
    assert [one.place for one in left.findings] == [one.place for one in without.findings]
    assert left.totals[0].seconds < review.totals[0].seconds


def test_with_everything_waived_nothing_is_saved(review: Review) -> None:
    left, unused = waive(review, [Waiver(id, "why", place="*") for id in ("G1", "G2", "G3", "G4")], MODEL, TODAY)
    assert left.findings == ()
    assert left.worst() is None
    assert [total.seconds for total in left.totals] == [0.0, 0.0]
    assert [waiver.guideline for waiver in unused] == ["G3"]


def test_waivers_that_fit_nothing_are_unused_but_not_those_of_other_models_or_expired(review: Review) -> None:
    nowhere = Waiver("G2", "nowhere", place="stage9")
    other = Waiver("G2", "other", place="*", model="zoo:resnet18")
    old = Waiver("G2", "old", place="*", expires=date(2020, 1, 1))
    left, unused = waive(review, [nowhere, other, old], MODEL, TODAY)
    assert unused == (nowhere,)
    assert left == review


def test_of_two_that_fit_the_first_gives_the_reason_and_both_are_used(review: Review) -> None:
    left, unused = waive(review, [Waiver("G2", "first", place="*"), Waiver("G2", "second", place="*")], MODEL, TODAY)
    assert {finding.reason for finding in left.waived} == {"first"}
    assert unused == ()


def test_a_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "waivers.toml"
    path.write_text(
        '[[waiver]]\nguideline = "elementwise"\nplace = "a.*"\nreason = "r"\nexpires = 2027-01-01\n'
        '[[waiver]]\nguideline = "g1"\noperator = "b"\nmodel = "m"\nreason = "s"\n'
    )
    assert load_waivers(path) == (
        Waiver("G4", "r", place="a.*", expires=date(2027, 1, 1), where=f"{path}: waiver 1"),
        Waiver("G1", "s", operator="b", model="m", where=f"{path}: waiver 2"),
    )


def test_an_empty_file_waives_nothing(tmp_path: Path) -> None:
    path = tmp_path / "waivers.toml"
    path.write_text("# none yet\n")
    assert load_waivers(path) == ()


ENTRY = '[[waiver]]\nguideline = "G4"\nplace = "a"\nreason = "r"\n'


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[[waiver", "no TOML"),
        (b"\xff\xfe".decode("latin-1"), "no TOML"),
        ("[waiver]\nplace = 'a'\n", "the file holds entries [[waiver]] and nothing else"),
        ("waiver = [1]\n", "the file holds entries [[waiver]] and nothing else"),
        ("[[waivers]]\nplace = 'a'\n", "waivers: the file holds entries [[waiver]]"),
        (f"{ENTRY}plase = 'b'\n", "waiver 1: plase: no such key; did you mean place?"),
        (f"{ENTRY}model = 3\n", "waiver 1: model: 3 is no text"),
        (f"{ENTRY}expires = '2027-01-01'\n", "expires = 2027-01-01, without quotes"),
        (f"{ENTRY}expires = 2027-01-01T00:00:00\n", "expires = 2027-01-01, without quotes"),
        (ENTRY.replace("G4", "G9"), "waiver 1: guideline: G9: no such guideline; there are: G1"),
        (ENTRY.replace('"r"', '" "'), "waiver 1: reason is missing"),
        (f"{ENTRY}{ENTRY.replace('place', '#')}", "waiver 2: place or operator is missing"),
        ('[[waiver]]\nplace = "a"\nreason = "r"\n', "waiver 1: guideline is missing"),
    ],
)
def test_a_bad_file_is_refused_with_file_entry_and_remedy(text: str, says: str, tmp_path: Path) -> None:
    path = tmp_path / "waivers.toml"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(UsageError) as error:
        load_waivers(path)
    assert str(error.value).startswith(f"{path}: ")
    assert says in str(error.value)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        load_waivers(tmp_path / "none.toml")

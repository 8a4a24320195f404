"""Designs and the space of them: what is valid, what comes back from JSON, and what a damaged file is told."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from costmodel import zoo
from costmodel.errors import UsageError
from search.design import ACTIVATIONS, KERNELS, SCHEMA, WIDTHS, Design, Stage, load_design, read_record, standard
from search.space import GENES, Space, branch_of, default_space, parse_options


@st.composite
def stages(draw: st.DrawFn) -> Stage:
    channels = 2 * draw(st.integers(1, 600))
    return Stage(
        channels,
        draw(st.integers(1, channels - 1)),
        draw(st.integers(1, 20)),
        draw(st.sampled_from(KERNELS)),
        draw(st.booleans()),
    )


designs = st.builds(
    Design,
    stem=st.integers(1, 64),
    stages=st.tuples(stages(), stages(), stages()),
    head=st.integers(1, 4096),
    resolution=st.integers(1, 512),
    residual=st.booleans(),
    act=st.sampled_from(ACTIVATIONS),
    classes=st.integers(1, 21_841),
)
SOME = Design(24, (Stage(48, 20, 2), Stage(96, 48, 3, 5, True), Stage(192, 100, 2)), 512, 160, True, "swish", 7)


# -- a design


@given(designs)
def test_a_design_comes_back_from_its_json(design: Design) -> None:
    assert Design.from_dict(json.loads(json.dumps(design.to_dict()))) == design


@given(designs)
def test_a_designs_reference_names_the_same_network(design: Design) -> None:
    small = replace(design, stages=tuple(replace(stage, units=min(stage.units, 2)) for stage in design.stages))
    named, own = zoo.load(small.reference), small.graph()
    assert named.name == own.name
    assert [(node.name, node.cost) for node in named.nodes] == [(node.name, node.cost) for node in own.nodes]


@given(designs)
def test_what_json_gives_for_defaults_may_be_left_out(design: Design) -> None:
    plain = replace(design, resolution=224, residual=False, act="relu", classes=1000)
    record = {name: plain.to_dict()[name] for name in ("stem", "stages", "head")}
    assert Design.from_dict(record) == plain


@pytest.mark.parametrize("width", WIDTHS)
def test_the_standard_designs_are_table_5(width: float) -> None:
    graph = zoo.load(f"zoo:shufflenet_v2,width={width}")
    own = standard(width).graph()
    assert [(node.name, node.cost) for node in own.nodes] == [(node.name, node.cost) for node in graph.nodes]
    assert {stage.ratio for stage in standard(width).stages} == {0.5}


def test_a_width_that_table_5_has_not_is_refused() -> None:
    with pytest.raises(UsageError, match=r"width is 0\.75; Table 5 has 0\.5, 1\.0, 1\.5, 2\.0"):
        standard(0.75)


def test_batches_multiply_counts() -> None:
    assert SOME.graph(3).cost.mult_adds == 3 * SOME.graph().cost.mult_adds
    assert SOME.graph(3).cost.params == SOME.graph().cost.params


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"stem": 0}, "stem is 0; it takes a whole number from 1 to"),
        ({"stem": True}, "stem is True"),
        ({"head": 1.0}, r"head is 1\.0"),
        ({"head": "8"}, "head is '8'"),
        ({"resolution": -224}, "resolution is -224"),
        ({"classes": 10**30}, "classes is 10{30}; it takes a whole number from 1 to 65536"),
        ({"residual": 1}, "residual is 1; it takes true or false"),
        ({"act": "gelu"}, "act is 'gelu'; there are relu, hard_swish, swish"),
        ({"stages": SOME.stages[:2]}, "a design has 3 stages, not 2"),
    ],
)
def test_a_design_that_no_network_has_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        replace(SOME, **change)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"channels": 97}, "stage 3: channels is 97; the shuffle of 2 groups needs an even number"),
        ({"channels": math.nan}, "stage 3: channels is nan"),
        ({"branch": 0}, "stage 3: branch is 0"),
        ({"branch": 96}, "stage 3: branch is 96; it takes fewer than the 96 channels"),
        ({"units": 0}, "stage 3: units is 0"),
        ({"units": 1001}, "stage 3: units is 1001; it takes a whole number from 1 to 1000"),
        ({"kernel": 4}, "stage 3: kernel is 4; there are 3, 5, 7"),
        ({"se": "yes"}, "stage 3: se is 'yes'; it takes true or false"),
    ],
)
def test_a_stage_that_no_network_has_is_refused(change: dict[str, Any], message: str) -> None:
    second, third, fourth = SOME.stages
    with pytest.raises(UsageError, match=message):
        replace(SOME, stages=(second, replace(third, **change), fourth))


# -- a file


def write(folder: Path, content: Any) -> Path:
    path = folder / "design.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def record(**changes: Any) -> dict[str, Any]:
    return {"schema": SCHEMA, "design": {**SOME.to_dict(), **changes}, "capacity": 1.5}


def test_a_design_file_is_read(tmp_path: Path) -> None:
    path = write(tmp_path, record())
    assert load_design(path) == load_design(str(path)) == SOME
    assert read_record(path)["capacity"] == 1.5


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is not JSON"),
        ("{", "is not JSON"),
        ("\x00\x01", "is not JSON"),
        ("[]", 'its "schema" is None'),
        ("3", 'its "schema" is None'),
        (
            {"schema": "costmodel.design/2", "design": SOME.to_dict()},
            r'its "schema" is .costmodel\.design/2.; a design',
        ),
        ({"design": SOME.to_dict()}, 'its "schema" is None'),
        ({"schema": SCHEMA}, 'has no "design"'),
        ({"schema": SCHEMA, "design": None}, "is None; it takes an object with stem, stages, head"),
        ({"schema": SCHEMA, "design": [1]}, r"is \[1\]; it takes an object"),
        (record(stages=None), "stages is None; it takes a list of 3"),
        (record(stages={}), r"stages is {}; it takes a list of 3"),
        (record(stages=[1, 2, 3]), "stage 2: is 1; it takes an object with channels, branch, units"),
        (record(depth=3), "has no field 'depth'; there are "),
        ({"schema": SCHEMA, "design": {"stem": 1, "stages": []}}, "head is missing"),
        (record(stages=[asdict(SOME.stages[0]), {"channels": 8, "branch": 4}]), "stage 3: units is missing"),
        (json.dumps(record()).replace('"head": 512', '"head": NaN'), "head is nan"),
        (json.dumps(record()).replace('"head": 512', '"head": 1e400'), "head is inf"),
        (json.dumps(record()).replace('"head": 512', '"head": ' + "9" * 4000), "head is 9+; it takes"),
        (json.dumps(record()).replace('"head": 512', '"head": ' + "9" * 5000), "is not JSON"),
        ("[" * 100_000, "is not JSON"),
    ],
)
def test_a_damaged_file_is_named_with_what_is_wrong(tmp_path: Path, content: Any, message: str) -> None:
    path = write(tmp_path, content)
    with pytest.raises(UsageError, match=message) as raised:
        load_design(path)
    assert str(raised.value).startswith(f"{path}: ")


def test_what_is_no_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"none\.json: cannot be read \(No such file or directory\)"):
        load_design(tmp_path / "none.json")
    with pytest.raises(UsageError, match=r"cannot be read \(Is a directory\)"):
        load_design(tmp_path)
    (tmp_path / "latin.json").write_bytes(b'{"schema": "\xff"}')
    with pytest.raises(UsageError, match=r"latin\.json: is no text"):
        load_design(tmp_path / "latin.json")


junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)


@given(st.data(), junk)
def test_junk_anywhere_in_a_file_is_refused_or_a_design(data: st.DataObject, value: Any) -> None:
    """One value of a valid file becomes junk: the file is refused in words that name it, or it is still a design."""
    content = record()
    where: Any = content
    name: Any = data.draw(st.sampled_from(["schema", "design"]))
    while data.draw(st.booleans()) and isinstance(where[name], dict | list) and where[name]:
        where = where[name]
        name = data.draw(st.sampled_from(sorted(where) if isinstance(where, dict) else range(len(where))))
    where[name] = value
    try:
        design = Design.from_dict(json.loads(json.dumps(content))["design"], "some.json")
    except UsageError as error:
        told = str(error)
    else:
        told = f"some.json: {design.graph().cost.params} parameters"
    assert told.startswith("some.json: ")


# -- the space


@given(st.integers(1, 2000), st.fractions(0, 1), st.integers(1, 32))
def test_a_branch_has_a_multiple_of_the_step_next_to_its_share(half: int, ratio: Fraction, step: int) -> None:
    """Halves go up; what would leave no channels, or all, is half of them, and so is 1/2."""
    channels = 2 * half
    near = min(range(0, channels + step, step), key=lambda each: (abs(each - ratio * channels), -each))
    kept = 0 < near < channels and ratio != Fraction(1, 2)
    assert branch_of(channels, ratio, step) == (near if kept else half)


@pytest.mark.parametrize(
    ("channels", "ratio", "step", "branch"),
    [
        (116, "1/2", 8, 58),
        (116, "3/8", 8, 40),
        (116, "5/8", 8, 72),
        (16, "1/4", 8, 8),
        (12, "1/4", 8, 6),
        (48, "99/100", 8, 24),
    ],
)
def test_branches_by_hand(channels: int, ratio: str, step: int, branch: int) -> None:
    """43.5 lies next to 40, 72.5 to 72, 4 as near to 8 as to nothing; 3 and 47.5 have no multiple of 8 to go to."""
    assert branch_of(channels, Fraction(ratio), step) == branch


def test_designs_of_a_space_have_its_options_and_are_found_again() -> None:
    """A ratio that gives the same channels as another is found as the one nearest to them."""
    odd = {"kernel3": (3, 7), "se4": (False, True), "residual": (False, True), "act": ("relu", "swish")}
    space = default_space(options={**odd, "resolution": (96, 225)})
    population = space.random(200, seed=3)
    again = [space.row(design) for design in space.designs(population)]
    assert all(row is not None for row in again)
    assert space.designs(np.array(again)) == space.designs(population)
    for name in GENES:
        assert set(space.values(population, name).tolist()) <= set(space.genes[name])
    assert np.array_equal(population, space.random(200, seed=3))
    assert not np.array_equal(population, space.random(200, seed=4))


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("step", [4, 8, 16])
def test_the_designs_of_table_5_are_points_of_the_default_space(width: float, step: int) -> None:
    space = default_space(step)
    row = space.row(standard(width))
    assert row is not None
    assert space.designs(row[None]) == [standard(width)]


def test_a_design_that_is_no_point_is_none() -> None:
    space = default_space()
    assert space.row(replace(standard(1.0), classes=10)) is None
    assert space.row(replace(standard(1.0), head=1000)) is None
    assert space.row(replace(standard(1.0), residual=True)) is None


def test_a_spaces_size_is_the_product_of_its_options() -> None:
    space = default_space(options={name: options[:1] for name, options in default_space().genes.items()})
    assert space.size == 1
    wider = default_space(options={**space.genes, "units2": (2, 3, 5), "head": (512, 1024)})
    assert (wider.size, wider.shape[GENES.index("units2")]) == (6, 3)
    everything = np.stack(np.unravel_index(np.arange(wider.size), wider.shape), axis=1)
    assert len(set(wider.designs(everything))) == 6


@pytest.mark.parametrize(
    ("genes", "message"),
    [
        ({"head": ()}, "space: head has no options; give at least one"),
        ({"kernel2": (3, 4)}, "stage 2: kernel is 4"),
        ({"units3": (4, 4)}, "space: the options of units3 are 4, 4; give them ascending, none twice"),
        ({"units3": (8, 4)}, "give them ascending"),
        ({"channels4": (465,)}, "stage 4: channels is 465"),
        ({"act": ("gelu",)}, "act is 'gelu'"),
        ({"widths": (1,)}, "space: there is no gene 'widths'"),
    ],
)
def test_a_space_with_options_that_no_design_has_is_refused(genes: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        default_space(options=genes)


def test_a_space_without_a_gene_is_refused() -> None:
    genes = dict(default_space().genes)
    del genes["stem"]
    with pytest.raises(UsageError, match="space: stem has no options"):
        Space(genes)
    with pytest.raises(UsageError, match="the step of a branch's channels is 0"):
        Space(default_space().genes, step=0)


# -- options in words


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("head=1024", {"head": (1024,)}),
        ("units=2:8:2", {f"units{number}": (2, 4, 6, 8) for number in (2, 3, 4)}),
        ("units3=4:6", {"units3": (4, 5, 6)}),
        ("ratio4=3/4,0.5", {"ratio4": (Fraction(1, 2), Fraction(3, 4))}),
        (" se = True , 0", {f"se{number}": (False, True) for number in (2, 3, 4)}),
        ("residual=1", {"residual": (True,)}),
        ("act=swish,relu", {"act": ("relu", "swish")}),
        ("kernel2=7,3,7", {"kernel2": (3, 7)}),
    ],
)
def test_options_are_read(text: str, options: dict[str, tuple[Any, ...]]) -> None:
    assert parse_options(text) == options


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("head", "no options of a gene; write GENE=OPTIONS"),
        ("head=", "no options of a gene"),
        ("=3", "there is no gene ''"),
        ("heads=3", "there is no gene 'heads'; did you mean 'head'"),
        ("units5=3", "there is no gene 'units5'"),
        ("units=three", "'three' is no number; write one, or from:to:step"),
        ("units=1:2:3:4", "is no number"),
        ("units=8:2", "'8:2' has no or too many numbers"),
        ("units=2:8:0", "'2:8:0' has no or too many numbers"),
        ("units=1:999999", "has no or too many numbers"),
        ("ratio=0", "'0' is no split ratio"),
        ("ratio=1/0", "'1/0' is no split ratio"),
        ("ratio=half", "'half' is no split ratio"),
        ("se=maybe", "'maybe' is neither true nor false"),
        ("head=-3", "'-3' is no number"),
        ("head=1,,2", "'' is no number"),
    ],
)
def test_options_that_cannot_be_meant_are_told(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as raised:
        parse_options(text)
    assert str(raised.value).startswith(f"{text}: ")


@given(st.text(max_size=30), st.sampled_from(["", "head=", "units=", "ratio=", "se=", "act="]))
def test_any_text_is_options_or_refused(text: str, start: str) -> None:
    try:
        options = parse_options(start + text)
    except UsageError:
        return
    assert set(options) <= set(GENES)
    for values in options.values():
        assert list(values) == sorted(set(values))

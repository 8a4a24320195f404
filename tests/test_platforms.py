"""Profiles: read, written, found and refused; and the schema that is published for them."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from doc_blocks import ROOT, blocks
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from platform_examples import FULL, PLAIN, platform

from costmodel.cli import main
from costmodel.errors import UsageError
from costmodel.kernels import RUNTIMES, Kind
from costmodel.platforms import Machine, Platform, dumps, find, form, load_profile, platforms, save_profile
from costmodel.platforms.files import PROFILES
from costmodel.predictor import TERMS, predict
from costmodel.zoo import load

SCHEMA = json.loads((Path(form.__file__).parent / "profile.schema.json").read_text(encoding="utf-8"))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def document(example: Platform = FULL) -> dict[str, Any]:
    result: dict[str, Any] = json.loads(dumps(example))
    return result


def refusal(tmp_path: Path, content: str | bytes) -> str:
    """What is said about a profile, without the name of its file."""
    path = tmp_path / "bad.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UsageError) as caught:
        load_profile(path)
    text = str(caught.value)
    assert text.startswith(f"{path}: ")
    assert "\n" not in text
    assert len(text) < 3000
    return text.removeprefix(f"{path}: ")


# -- round trip


@pytest.mark.parametrize("example", [PLAIN, FULL], ids=lambda example: example.id)
def test_a_profile_is_read_as_it_was_written_to_six_digits(example: Platform, tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    save_profile(example, path)
    loaded = load_profile(path)
    assert loaded.coefficients == pytest.approx(dict(example.coefficients), rel=1e-6)
    assert loaded.doubt.kinds == pytest.approx(dict(example.doubt.kinds), rel=1e-6)
    for name in ("id", "device", "runtime", "runtime_version", "precision", "threads", "clock", "machine", "accuracy"):
        assert getattr(loaded, name) == getattr(example, name)
    assert (loaded.sources, loaded.notes) == (example.sources, example.notes)
    assert loaded.doubt.quantiles == example.doubt.quantiles
    assert dumps(loaded) == path.read_text(encoding="utf-8")
    assert pickle.loads(pickle.dumps(loaded)) == loaded


@pytest.mark.parametrize("blocks", [None, 0, 8])
def test_blocks_are_in_a_profile_where_they_are_said(blocks: int | None, tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    save_profile(platform(machine=Machine(8, 4, True, 0, blocks)), path)
    assert load_profile(path).machine.blocks == blocks
    assert ("blocks" in json.loads(path.read_text())["machine"]) == (blocks is not None)


def test_the_text_of_a_profile_does_not_depend_on_the_order_or_the_last_bits_of_its_numbers() -> None:
    coefficients = {"run": 1 / 3 * 1e-3, "launch.light": 2e-6, "pointwise.mult_adds": 1e-9, "other.elements": 2e-9}
    shuffled = {name: coefficients[name] * (1 + 1e-12) for name in sorted(coefficients)}
    assert [*shuffled] != [*coefficients]
    text = dumps(platform(coefficients=coefficients))
    assert dumps(platform(coefficients=shuffled)) == text
    assert '"seconds": 0.000333333,' in text
    assert [*json.loads(text)["coefficients"]] == [name for name in TERMS if name in coefficients]
    assert text.endswith("}\n")
    assert not text.endswith("\n\n")


def test_each_coefficient_says_what_it_is_for() -> None:
    for name, price in document()["coefficients"].items():
        assert price["per"] == TERMS[name]


def test_a_platform_that_is_no_profile_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    for wrong, says in (
        (platform(coefficients={"pointwise": 1.0}), "did you mean"),
        (platform(coefficients={"pointwise": 1.0}), "for a new term write the schema anew"),
        (platform(coefficients={"run": float("nan")}), "coefficients.run.seconds"),
        (platform("Upper-case"), "id: 'Upper-case' does not fit"),
    ):
        with pytest.raises(UsageError, match=r"^platform ") as caught:
            save_profile(wrong, path)
        assert says in str(caught.value)
        assert not list(tmp_path.iterdir())


def test_a_profile_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "p.json"
    path.write_text("earlier")

    def no_space(*_: Any, **__: Any) -> Any:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("pathlib.Path.replace", no_space)
        with pytest.raises(UsageError, match="No space left on device"):
            save_profile(FULL, path)
    assert path.read_text() == "earlier"
    assert [entry.name for entry in tmp_path.iterdir()] == ["p.json"]
    with pytest.raises(UsageError, match="cannot be written"):
        save_profile(FULL, tmp_path / "no" / "such" / "place.json")


# -- the schema


def test_the_schema_is_one_and_profiles_fit_it() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    for example in (PLAIN, FULL):
        VALIDATOR.validate(document(example))


def test_the_schema_knows_the_words_of_the_predictor(capsys: pytest.CaptureFixture[str]) -> None:
    """After a change of them: `costmodel platforms schema -o costmodel/platforms/profile.schema.json`."""
    assert form.units() == TERMS
    assert SCHEMA["properties"]["runtime"]["enum"] == [*RUNTIMES]
    assert [*SCHEMA["properties"]["interval"]["properties"]["kinds"]["properties"]] == [kind.value for kind in Kind]
    assert main(["platforms", "schema"]) == 0
    printed = capsys.readouterr().out
    assert printed == (Path(form.__file__).parent / "profile.schema.json").read_text(encoding="utf-8")


def test_the_checker_knows_every_keyword_of_the_schema() -> None:
    known = {"$schema", "$id", "title", "description", "type", "required", "properties", "additionalProperties"}
    known |= {"minProperties", "propertyNames", "items", "maxItems", "minimum", "maximum", "enum", "const", "pattern"}
    known |= {"minLength", "maxLength", "$ref", "$defs"}

    def keywords(schema: dict[str, Any]) -> Iterator[str]:
        yield from schema
        for word in ("properties", "$defs"):
            for inner in schema.get(word, {}).values():
                yield from keywords(inner)
        for word in ("items", "additionalProperties", "propertyNames"):
            if isinstance(schema.get(word), dict):
                yield from keywords(schema[word])

    assert set(keywords(SCHEMA)) <= known


def test_the_profile_in_the_documentation_is_one(tmp_path: Path) -> None:
    (block,) = blocks(ROOT / "docs" / "platforms.md", "json")
    example = block.text
    VALIDATOR.validate(json.loads(example))
    (tmp_path / "p.json").write_text(example)
    loaded = load_profile(tmp_path / "p.json")
    for name, price in json.loads(example)["coefficients"].items():
        assert price["per"] == TERMS[name]
    assert json.loads(dumps(loaded)) == json.loads(example)


# -- bad profiles: file, key, remedy


def put(*path: str | int, value: Any) -> Callable[[Any], None]:
    def change(target: Any) -> None:
        for key in path[:-1]:
            target = target[key]
        target[path[-1]] = value

    return change


def drop(*path: str | int) -> Callable[[Any], None]:
    def change(target: Any) -> None:
        for key in path[:-1]:
            target = target[key]
        del target[path[-1]]

    return change


SECONDS = 'coefficients["pointwise.mult_adds"].seconds: '


@pytest.mark.parametrize(
    ("change", "says", "remedy"),
    [
        (drop("device"), "device: missing", "add it: it is text: what the device is called"),
        (drop("interval", "network"), "interval.network: missing", "it is a finite number: standard deviation"),
        (drop("interval", "coverage", "0.9"), 'interval.coverage["0.9"]: missing', "add it"),
        (drop("fit", "held_out", "baselines"), "fit.held_out.baselines: missing", "held out the same way"),
        (drop("provenance", 1, "source"), "provenance[1].source: missing", "who measured"),
        (drop("coefficients", "run", "seconds"), "coefficients.run.seconds: missing", "seconds for one unit"),
        (put("threads", value="one"), "threads: 'one' is not a whole number", "threads that ran"),
        (put("threads", value=True), "threads: true is not a whole number", "threads that ran"),
        (put("threads", value=1.5), "threads: 1.5 is not a whole number", "threads that ran"),
        (put("threads", value=-1), "threads: -1 is below 0", "threads that ran"),
        (put("device", value=""), "device: it is empty", "what the device is called"),
        (put("device", value=None), "device: null is not text", "what the device is called"),
        (put("device", value="x" * 5000), "device: 5000 characters", "at most 1000"),
        (put("id", value="../evil"), "id: '../evil' does not fit", "device-runtime-precision-threads"),
        (put("id", value="single"), "id: 'single' does not fit", "device-runtime-precision-threads"),
        (put("machine", value=[]), "machine: [] is not an object", "it is an object with vector: what"),
        (put("machine", "vector", value=0), "machine.vector: 0 is below 1", "channels that fill"),
        (put("machine", "padded", value=1), "machine.padded: 1 is not true or false", "rounded up"),
        (put("machine", "packed", value=32), "machine.packed: 32 is not below vector, 32", "give 0"),
        (put("machine", "winograd", value=[4]), "machine.winograd: [4] is not a whole number", "tile size"),
        (put("machine", "winograd", value=-1), "machine.winograd: -1 is below 0", "tile size"),
        (put("coefficients", value={}), "coefficients: it is empty", "seconds for one unit of each term"),
        (put("coefficients", "pointwise.mult_adds", "seconds", value=-1e-9), f"{SECONDS}-1e-09 is below 0", "seconds"),
        (put("coefficients", "pointwise.mult_adds", "seconds", value="1"), f"{SECONDS}'1' is not a finite", "seconds"),
        (put("coefficients", "pointwise.mult_adds", "seconds", value=10**400), f"{SECONDS}1000", "is above 1000"),
        (
            put("coefficients", "run", value=1e-3),
            "coefficients.run: 0.001 is not an object",
            "an object with seconds: run of",
        ),
        (put("coefficients", "pointwise.multadds", value={}), "no such key", "did you mean 'pointwise.mult_adds'?"),
        (put("coefficients", "qqq", value={}), "coefficients.qqq: no such key", "there are: run, "),
        (put("runtime", value="cudn7"), "runtime: 'cudn7' is none of them", "did you mean 'cudnn7'?"),
        (put("runtime", value=["neon"]), "runtime: [", "there are: cudnn7, "),
        (put("schema", value="costmodel.platform/2"), "schema: 'costmodel.platform/2' is not", "rebuild the file"),
        (put("colour", value="red"), "colour: no such key", "there are: schema, "),
        (put("fit", "held_out", "within_5", value=5), "fit.held_out.within_5: 5 is above 1", "at most 5 % off"),
        (put("fit", "held_out", "tau", value=-2), "fit.held_out.tau: -2 is below -1", "Kendall"),
        (put("interval", "coverage", "95", value=2), "interval.coverage.95: no such key", "such as 0.9"),
        (put("interval", "coverage", "0.90", value=2), "interval.coverage: 0.9 is there twice", "leave one out"),
        (put("interval", "coverage", "0.95", value=0), "interval.coverage: 0.95 has fewer", "needs more"),
        (put("interval", "kinds", "pointwisee", value=0), "interval.kinds.pointwisee: no such key", "'pointwise'?"),
        (put("provenance", value={}), "provenance: {} is not a list", "where the measurements came from"),
        (put("notes", value=["x", 3]), "notes[1]: 3 is not text", "a sentence"),
    ],
)
def test_a_bad_profile_names_key_and_remedy(
    change: Callable[[Any], None], says: str, remedy: str, tmp_path: Path
) -> None:
    wrong = document()
    change(wrong)
    text = refusal(tmp_path, json.dumps(wrong))
    assert says in text
    assert remedy in text
    problem, _, rest = text.partition("; ") if "; " in text else ("-", "", "at most")
    assert problem
    assert rest


def test_coefficients_that_are_all_nothing_are_refused(tmp_path: Path) -> None:
    wrong = document()
    for price in wrong["coefficients"].values():
        price["seconds"] = 0
    assert refusal(tmp_path, json.dumps(wrong)).startswith("coefficients: all are 0 seconds")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "line 1, column 1: not JSON"),
        ("{", "not JSON"),
        ('{"a": 1,}', "not JSON"),
        ("device,latency\n", "not JSON"),
        ("[]", "the file: [] is not an object with keys"),
        ("null", "the file: null is not an object"),
        ('"text"', "the file: 'text' is not an object"),
        (b"\xff\xfe{}", "byte 0 is not UTF-8"),
        (b"\x00" * 100, "not JSON"),
        ("[" * 400_000, "nested too deeply"),
        ('{"a":' * 150_000, "nested too deeply"),
        (" " * 1_000_001, "larger than 1,000,000 bytes"),
        ('{"a": 1, "b": 2, "a": 3}', "key 'a' is there twice"),
        (dumps(FULL).replace('"packed": 4', '"packed": 4, "vector": 8'), "key 'vector' is there twice"),
        (dumps(FULL).replace("2e-06", "NaN"), "NaN is no JSON number"),
        (dumps(FULL).replace("2e-06", "-Infinity"), "-Infinity is no JSON number"),
        (dumps(FULL).replace("2e-06", "1e999"), "is not a finite number"),
        (dumps(FULL).replace("2e-06", "9" * 5000), "a number of 5000 digits"),
        (dumps(FULL).replace("2e-06", "9" * 500), "is above 1000"),
    ],
    ids=lambda item: repr(item)[:30],
)
def test_files_that_are_no_profiles_are_refused_in_a_line(content: str | bytes, says: str, tmp_path: Path) -> None:
    assert says in refusal(tmp_path, content)


def test_places_that_hold_no_profile_are_refused(tmp_path: Path) -> None:
    for place in (tmp_path / "none.json", tmp_path, Path("x" * 300 + ".json"), Path("nul\0.json")):
        with pytest.raises(UsageError, match=r"no such file|cannot be read"):
            load_profile(place)


def test_a_byte_order_mark_and_whole_numbers_as_floats_are_no_errors(tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    path.write_text(dumps(FULL).replace('"vector": 32', '"vector": 32.0'), encoding="utf-8-sig")
    assert load_profile(path) == load_profile_of(FULL, tmp_path)


def load_profile_of(example: Platform, folder: Path) -> Platform:
    save_profile(example, folder / "again.json")
    return load_profile(folder / "again.json")


def loaded_or_refused(path: Path) -> Platform | None:
    """The platform; None for a profile that is refused with its name."""
    message = ""
    try:
        return load_profile(path)
    except UsageError as error:
        message = str(error)
    assert message.startswith(f"{path}: ")
    return None


def places(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Every place in a document."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, item in inner for place in places(item, (*path, key)))]


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=4,
)


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damage_is_loaded_or_refused_and_the_checker_agrees_with_the_schema(data: Any, tmp_path: Path) -> None:
    changed = document()
    for _ in range(data.draw(st.integers(1, 2))):
        *way, last = data.draw(st.sampled_from([place for place in places(changed) if place]))
        (drop(*way, last) if data.draw(st.booleans()) else put(*way, last, value=data.draw(JUNK)))(changed)
    assert (form.misfit(changed) is None) == VALIDATOR.is_valid(changed)
    path = tmp_path / "p.json"
    path.write_text(json.dumps(changed), encoding="utf-8")
    loaded = loaded_or_refused(path)
    assert loaded is None or dumps(load_profile_of(loaded, tmp_path)) == dumps(loaded)


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(start=st.integers(0, 3000), junk=st.binary(max_size=8))
def test_bytes_that_are_overwritten_do_not_crash_the_reader(start: int, junk: bytes, tmp_path: Path) -> None:
    text = dumps(FULL).encode()
    path = tmp_path / "p.json"
    path.write_bytes(text[:start] + junk + text[start + len(junk) :])
    loaded_or_refused(path)


# -- which platform is meant

IDS = (
    "mix2s-ncnn-fp16-1t",
    "pixel4-tflite-fp32-1t",
    "pixel4a-tflite-fp32-1t",
    "pi4-ncnn-fp32-1t",
    "pi4-ncnn-fp32-4t",
    "pi4-torch-fp32-4t",
    "v100-tensorrt-fp32",
    "v100-tensorrt-fp32-b8",
)


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of profiles that stands in for those of the package."""
    folder = tmp_path / "profiles"
    folder.mkdir()
    for id in IDS:
        save_profile(platform(id), folder / f"{id}.json")
    (folder / "README.md").write_text("not a profile")
    monkeypatch.setattr("costmodel.platforms.files.PROFILES", str(folder))
    return folder


def test_platforms_lists_the_ids_in_order(shelf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert platforms() == tuple(sorted(IDS))
    monkeypatch.setattr("costmodel.platforms.files.PROFILES", str(shelf / "none"))
    assert platforms() == ()


@pytest.mark.parametrize(
    ("reference", "id"),
    [
        ("mix2s-ncnn-fp16-1t", "mix2s-ncnn-fp16-1t"),
        ("mix", "mix2s-ncnn-fp16-1t"),
        ("MIX2S", "mix2s-ncnn-fp16-1t"),
        ("pixel4", "pixel4-tflite-fp32-1t"),
        ("pixel4a", "pixel4a-tflite-fp32-1t"),
        ("pi4-torch", "pi4-torch-fp32-4t"),
        ("pi4-ncnn-fp32-4", "pi4-ncnn-fp32-4t"),
        ("v100-tensorrt-fp32", "v100-tensorrt-fp32"),
        ("v100-tensorrt-fp32-", "v100-tensorrt-fp32-b8"),
    ],
)
def test_a_platform_is_found_by_a_unique_beginning(reference: str, id: str, shelf: Path) -> None:
    assert find(reference).id == id


@pytest.mark.parametrize(
    ("reference", "says"),
    [
        ("pi4", "several platforms begin like this: pi4-ncnn-fp32-1t, pi4-ncnn-fp32-4t, pi4-torch-fp32-4t; write more"),
        ("pixel", "several platforms begin like this: pixel4-tflite-fp32-1t, pixel4a-tflite-fp32-1t"),
        ("v100-tensor", "several platforms"),
        ("pixle4", "no such platform; did you mean pixel4"),
        ("tflite", "no such platform; did you mean pixel4-tflite-fp32-1t, pixel4a-tflite-fp32-1t?"),
        ("mix2s-ncnn-fp16-2t", "did you mean mix2s-ncnn-fp16-1t"),
        ("qqqqqq", "no such platform; `costmodel platforms` lists them"),
        ("", "no such platform"),
        ("none.json", "none.json: no such file"),
        ("no/such", "no/such: no such file"),
    ],
)
def test_a_reference_that_names_none_or_several_is_refused(reference: str, says: str, shelf: Path) -> None:
    with pytest.raises(UsageError) as caught:
        find(reference)
    assert str(caught.value).startswith(f"{reference}: ")
    assert says in str(caught.value)


def test_a_path_is_a_reference_too(shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = platform("mine-ncnn-fp32-1t", device="mine")
    for name in ("mine.json", "no_ending", "pixel4"):
        save_profile(mine, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    assert find("mine.json").device == find(tmp_path / "mine.json").device == find("no_ending").device == "mine"
    assert find("./pixel4").device == find("pixel4").device == "mine"  # a file that is there is meant
    assert find("pixel4-tflite-fp32-1t").device == PLAIN.device


def test_a_list_of_many_candidates_is_cut(shelf: Path) -> None:
    for index in range(20):
        save_profile(platform(f"many{index}-ncnn-fp32-1t"), shelf / f"many{index}-ncnn-fp32-1t.json")
    with pytest.raises(UsageError, match="and 12 more; write more of the id"):
        find("many")


# -- what comes with the package


@pytest.mark.parametrize("id", platforms())
def test_shipped_profiles_are_as_this_version_writes_them(id: str) -> None:
    shipped = find(id)
    path = Path(PROFILES) / f"{id}.json"
    assert shipped.id == id
    assert dumps(shipped) == path.read_text(encoding="utf-8")
    VALIDATOR.validate(json.loads(path.read_text(encoding="utf-8")))
    assert shipped.accuracy is not None
    assert shipped.sources
    latency = predict(load("zoo:squeezenet1_1"), shipped).latency
    assert 0 < latency.low < latency.seconds < latency.high < 60


# -- the verb


def text_of(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(["platforms", *words]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return out


def failed(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(["platforms", *words]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert len(err.splitlines()) == 1
    return err


def test_the_list_has_every_platform_with_error_and_sources(shelf: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_profile(FULL, shelf / f"{FULL.id}.json")
    out = text_of(capsys)
    [line] = [line for line in out.splitlines() if line.startswith(FULL.id)]
    assert "A bench, one core" in line
    assert "7.1 %" in line
    assert all(f"\n{id} " in f"\n{out}" for id in IDS)
    assert "9 platforms." in out
    listed = json.loads(text_of(capsys, "list", "--format", "json"))
    assert listed["schema"] == "costmodel.platforms/1"
    assert [entry["id"] for entry in listed["platforms"]] == sorted([*IDS, FULL.id])
    [entry] = [entry for entry in listed["platforms"] if entry["id"] == FULL.id]
    assert (entry["runtime"], entry["held_out_mape"], entry["networks"]) == ("cudnn7", 0.071, 12)
    assert entry["sources"] == ["Somebody, Table 1", "Somebody else"]


def test_no_platforms_are_said_to_be_none(shelf: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    for path in shelf.glob("*.json"):
        path.unlink()
    assert text_of(capsys).startswith("0 platforms.")


def test_one_platform_is_shown_whole(shelf: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_profile(FULL, shelf / f"{FULL.id}.json")
    save_profile(PLAIN, shelf / f"{PLAIN.id}.json")
    out = text_of(capsys, "show", "bench2")
    for words in (
        "cudnn7 7.0",
        "32 channels, or 4 at half speed, others rounded up",
        "F(2 x 2, 3 x 3)",
        "s (s / 20 ms)^0.125; the factor does not change below 1 ms and above 500 ms",
        "250 us  run of the network",
        "2 us  launch of any other kernel",
        "333 ps  mult-add of a 1x1 convolution",
        "leave one out",
        "12 (30 measurements)",
        "Somebody, Table 1",
        "2018-07",
        "Only measured at batch 1.",
    ):
        assert words in out
    assert "Stretch" not in text_of(capsys, "show", str(shelf / f"{PLAIN.id}.json"))
    # exp(2 x 0.125) and exp(2 x sqrt(0.125^2 + 0.0625^2)) at 90 %
    [line] = [line for line in out.splitlines() if "of well known kinds" in line]
    assert line.split()[-4:] == ["1.06", "1.13", "1.28", "1.45"]
    [line] = [line for line in out.splitlines() if "of pointwise kernels only" in line]
    assert line.split()[-2] == "1.32"
    assert text_of(capsys, "show", "bench2", "--format", "json") == dumps(FULL)


def test_show_and_list_want_what_they_want(shelf: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert "platforms show: no platform is named" in failed(capsys, "show")
    listed = [line.split()[0] for line in text_of(capsys, "list", "pixel4", "1t").splitlines() if "-1t" in line]
    assert listed == [id for id in IDS if "pixel4" in id and "1t" in id]
    assert "nothing: no such platform" in failed(capsys, "show", "nothing")
    (shelf / "bad-ncnn-fp32-1t.json").write_text("{")
    assert "bad-ncnn-fp32-1t.json: line 1, column 2: not JSON" in failed(capsys)
    target = tmp_path / "list.txt"
    assert text_of(capsys, "show", "pixel4", "-o", str(target)) == ""
    assert target.read_text(encoding="utf-8").startswith("pixel4-tflite-fp32-1t\n")

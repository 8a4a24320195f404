"""The command line: what it prints and where, its exit status, and the published JSON."""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from onnx_models import FLOAT, model, node, save, value, weight

import costmodel
from costmodel import platforms, zoo
from costmodel.cli import VERBS, main
from costmodel.ops import operators
from costmodel.report import tables
from costmodel.report.numbers import short, short_bytes

NETWORK = "zoo:shufflenet_v2,width=1.0"
COUNTS = [
    "mult_adds",
    "params",
    "memory_access",
    "bytes",
    "element_ops",
    "input_elements",
    "output_elements",
    "weight_elements",
]
LONG = "/features/" + "/".join(f"block{i}/a_rather_long_name_of_a_module" for i in range(20))


def run(capsys: pytest.CaptureFixture[str], *words: str, notices: str = "") -> str:
    """stdout of a run that must succeed and say nothing but the notices on stderr."""
    assert main(words) == 0
    out, err = capsys.readouterr()
    assert err == notices
    return out


def failed(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """The one line on stderr of a run that must end with status 2."""
    try:
        status = main(words)
    except SystemExit as end:  # argparse leaves this way
        status = end.code if isinstance(end.code, int) else 1
    out, err = capsys.readouterr()
    assert status == 2
    assert out == ""
    assert len(err.splitlines()) == 1
    assert err.startswith("costmodel: ")
    return err


def child(*words: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """The command line in a process of its own."""
    command = [sys.executable, "-m", "costmodel", *words]
    settings: dict[str, Any] = {"capture_output": True, "text": True, "timeout": 60, "check": False, **options}
    return subprocess.run(command, **settings)


@pytest.fixture
def network(tmp_path: Path) -> Path:
    """Two convolutions, an unknown operator and names of ugly lengths."""
    nodes = [
        node("Conv", ["x", "w1"], ["c1"], name=f"{LONG}/Conv", pads=[1, 1, 1, 1]),
        node("Conv", ["c1", "w2"], ["c2"], name="/head/Conv"),
        node("Mystery", ["c2"], ["y"], name="/head/odd", domain="com.example"),
    ]
    constants = [weight("w1", 8, 3, 3, 3), weight("w2", 16, 8, 1, 1)]
    outputs = [value("y", (1, 16, 10, 12))]
    return save(model(nodes, [value("x", (1, 3, 10, 12))], constants, outputs=outputs), tmp_path)


NOTICE = "Coverage: 2 counted, 0 approximated, 1 unknown: com.example:Mystery\n"
FIRST, SECOND = 10 * 12 * 8 * 3 * 9, 10 * 12 * 16 * 8


# -- status and messages


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "no verb is given"),
        (["analyse", NETWORK], "analyse: no such verb; did you mean 'analyze'?"),
        (
            ["qqq"],
            f"qqq: no such verb; there are: {', '.join(VERBS)}",
        ),
        (["nowhere.onnx"], "a model, not a verb; did you mean `costmodel analyze nowhere.onnx`?"),
        ([NETWORK, "--top", "3"], f"did you mean `costmodel analyze {NETWORK}`?"),
        ([__file__], f"did you mean `costmodel analyze {__file__}`?"),
        (["--frobnicate"], "see `costmodel --help`"),
        (["analyze"], "required: MODEL; see `costmodel analyze --help`"),
        (["analyze", NETWORK, "--format", "yaml"], "invalid choice: 'yaml'"),
        (["analyze", NETWORK, "--frobnicate"], "unrecognized arguments: --frobnicate; see `costmodel analyze --help`"),
        (["analyze", NETWORK, "--depth", "2"], "--depth 2: it cuts the paths of modules; give --by module with it"),
        (["analyze", NETWORK, "--by", "module", "--depth", "0"], "'0' is not a size"),
        (["analyze", NETWORK, "--by", "layer"], "invalid choice: 'layer'"),
        (["analyze", NETWORK, "--sort", "time"], "invalid choice: 'time'"),
        (["analyze", NETWORK, "-p", "none", "--sort", "latency"], "--sort latency: no platform is predicted; name one"),
        (["analyze", NETWORK, "--unknown", "maybe"], "invalid choice: 'maybe'"),
        (["analyze", NETWORK, "--batch", "0"], "'0' is not a size"),
        (["analyze", NETWORK, "--batch", "-3"], "--batch"),
        (["analyze", NETWORK, "--batch", "1.5"], "'1.5' is not a size"),
        (["analyze", NETWORK, "--batch", "9" * 5000], "is not a size"),
        (["analyze", NETWORK, "--top", "0"], "'0' is not a size"),
        (["analyze", NETWORK, "--dim", "n=3"], "dims: for ONNX models only"),
        (["analyze", NETWORK, "--strict-dims"], "strict_dims: for ONNX models only"),
        (["analyze", "zoo:resnet18,batch=2", "--batch", "3"], "option 'batch' is given twice"),
        (["analyze", "zoo:"], "zoo:NAME: no network is named; `costmodel zoo` lists all"),
        (["analyze", "zoo:nothing"], "zoo:nothing"),
        (["analyze", "zoo:shufflenet_v2,width"], "write key=value"),
        (["analyze", "zoo:shufflenet_v2,hight=3"], "hight"),
        (["analyze", "nowhere.onnx"], "nowhere.onnx: no such file"),
        (["ops", "Convv"], "no such operator; did you mean Conv"),
        (["ops", "qqqqqq"], "`costmodel ops` lists them"),
        (["zoo", "resnet5"], "zoo:resnet5: no network has this name; did you mean 'resnet50'"),
        (["zoo", "resnet50", "extra"], "unrecognized arguments"),
        (["analyze", "shufflenet_v2,width=1.0"], "no such file; did you mean zoo:shufflenet_v2,width=1.0?"),
        (["shufflenet_v2"], "a network, not a verb; did you mean `costmodel analyze zoo:shufflenet_v2`?"),
        (["platforms", "shw"], "platforms shw: no such action; did you mean `costmodel platforms show`?"),
        (["platforms", "pixel4"], "a platform, not an action; did you mean `costmodel platforms show pixel4`?"),
        (["platforms", "ncnn"], "platforms ncnn: no such action; did you mean `costmodel platforms list ncnn`?"),
        (["platforms", "qqqqqq"], "platforms qqqqqq: no such action; there are: list, show, schema"),
        (["platforms", "list", "ncnn", "qqqqqq"], "platforms list ncnn qqqqqq: no id has every word in it"),
        (["platforms", "show", "pixel4", "pixel6"], "platforms show: pixel4 pixel6: one platform at a time"),
        (["platforms", "schema", "pixel4"], "platforms schema pixel4: there is one schema for all"),
        (["platforms", "show"], "platforms show: no platform is named"),
        (["platforms", "show", "nothing"], "nothing: no such platform"),
    ],
    ids=lambda item: " ".join(item)[:40] if isinstance(item, list) else "",
)
def test_bad_usage_is_status_2_and_one_line(words: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert says in failed(capsys, *words)


@pytest.mark.parametrize(
    ("option", "says"),
    [
        ("--dim=x", "--dim x: write NAME=SIZE"),
        ("--dim=n=", "write NAME=SIZE"),
        ("--dim==3", "write NAME=SIZE"),
        ("--dim=n=-1", "write NAME=SIZE"),
        ("--dim=n=1e3", "write NAME=SIZE"),
        ("--dim=m=3", "--dim m: the model has no free dim of that name (free dims: n)"),
        ("--shape=x", "--shape x: write INPUT=SIZES"),
        ("--shape=x=1,3,8", "write INPUT=SIZES"),
        ("--shape=x=1x", "write INPUT=SIZES"),
        ("--shape=y=1x3", "--shape y: the model has no such input (inputs: x)"),
        ("--shape=x=1x3x8", "3 dims are given, the input has 4"),
        ("--shape=x=1x4x8x8", "input channels"),
        ("--value=x=", "write INPUT=NUMBERS"),
        ("--value=x=a,b", "write INPUT=NUMBERS"),
        ("--value=y=3", "--value y: the model has no such input"),
        ("--strict-dims", "leaves dims free: n (input 'x', axis 0)"),
    ],
)
def test_options_that_do_not_fit_the_model_are_status_2(
    option: str, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    conv = node("Conv", ["x", "w"], ["y"])
    path = save(model([conv], [value("x", ("n", 3, 8, 8))], [weight("w", 4, 3, 3, 3)]), tmp_path)
    assert says in failed(capsys, "analyze", str(path), option)


def test_unknown_operators_can_be_refused(network: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = failed(capsys, "analyze", str(network), "--unknown", "error")
    assert "1 operator cannot be counted, first '/head/odd' (com.example:Mystery): the operator is not known" in line
    assert "no formula for com.example:Mystery; leave out --unknown=error" in line


def test_debug_shows_the_traceback_and_keeps_the_status() -> None:
    for words in (["--debug", "analyze", "nowhere.onnx"], ["analyze", "nowhere.onnx", "--debug"]):
        done = child(*words)
        assert done.returncode == 2
        assert "Traceback (most recent call last)" in done.stderr
        assert done.stderr.splitlines()[-1].startswith("costmodel: nowhere.onnx: no such file")
    done = child("analyze", "nowhere.onnx")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (KeyError("surprise"), "internal error, KeyError: 'surprise'; please report it with what --debug shows"),
        (MemoryError(), "out of memory"),
        (RecursionError("deep"), "internal error, RecursionError"),
    ],
)
def test_a_defect_of_our_own_is_one_line_as_well(
    error: Exception, says: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise error

    monkeypatch.setattr("costmodel.cli.analyze.analyzed", broken)
    assert says in failed(capsys, "analyze", NETWORK)


def test_ctrl_c_is_silent_and_status_130(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted(*_: Any, **__: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr("costmodel.cli.analyze.analyzed", interrupted)
    assert main(["analyze", NETWORK]) == 130
    assert capsys.readouterr() == ("", "")


# -- where output goes


def test_help_and_version_are_data(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["--help"], ["analyze", "--help"], ["ops", "--help"], ["platforms", "--help"]):
        with pytest.raises(SystemExit) as end:
            main(words)
        assert end.value.code == 0
        assert "usage: costmodel" in capsys.readouterr().out
    assert run(capsys, "--version").strip()


def test_python_m_costmodel_is_the_same_command(capsys: pytest.CaptureFixture[str]) -> None:
    done = child("analyze", NETWORK)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == run(capsys, "analyze", NETWORK)


def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    for words in ("analyze zoo:resnet152 --format json", "analyze zoo:resnet152 --format csv", "ops"):
        script = f"{sys.executable} -m costmodel {words} | head -c 1; exit ${{PIPESTATUS[0]}}"
        done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=60, check=False)
        assert (done.returncode, done.stderr) == (0, "")


def test_a_full_disk_and_a_closed_stdout_are_said_in_one_line() -> None:
    for redirection in (">/dev/full", ">&-"):
        script = f"{sys.executable} -m costmodel analyze {NETWORK} {redirection}"
        done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 2
        assert done.stderr.startswith("costmodel: stdout ")
        assert len(done.stderr.splitlines()) == 1


def test_names_are_never_cut_in_a_pipe(network: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for form in ("text", "csv", "markdown", "json"):
        out = run(capsys, "analyze", str(network), "--format", form, notices=NOTICE if form == "csv" else "")
        plain = out.replace("\\", "") if form == "markdown" else out
        assert f"{LONG}/Conv" in plain
        assert "\x1b" not in out
        assert "…" not in out
    assert all(line == line.rstrip() for line in run(capsys, "analyze", str(network)).splitlines())


def on_a_terminal(columns: int, *words: str, **environment: str) -> str:
    """What a run, `analyze NETWORK` unless words are given, prints when its stdout is a terminal."""
    outer, inner = pty.openpty()
    variables = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "FORCE_COLOR")}
    variables |= {"TERM": "xterm", "COLUMNS": str(columns), **environment}
    command = [sys.executable, "-m", "costmodel", *(words or ("analyze", NETWORK))]
    with subprocess.Popen(command, stdout=inner, stdin=subprocess.DEVNULL, env=variables) as process:
        os.close(inner)
        parts = []
        while True:
            try:
                part = os.read(outer, 65536)
            except OSError:  # the other end is closed: all is read
                break
            if not part:
                break
            parts.append(part)
    os.close(outer)
    assert process.returncode == 0
    return b"".join(parts).decode().replace("\r\n", "\n")


def test_a_terminal_has_styles_and_its_own_width_unless_asked_otherwise() -> None:
    styled = on_a_terminal(120)
    assert "\x1b[1m" in styled
    for plain in (on_a_terminal(120, NO_COLOR="1"), on_a_terminal(120, TERM="dumb")):
        assert "\x1b" not in plain
        assert "mult-adds" in plain
    narrow = on_a_terminal(80, NO_COLOR="1")
    assert max(map(len, narrow.splitlines())) <= 80
    assert on_a_terminal(40, NO_COLOR="1") == narrow


def test_the_list_of_platforms_has_a_line_for_each(capsys: pytest.CaptureFixture[str]) -> None:
    known = {id: platforms.find(id) for id in platforms.platforms()}
    terminal = on_a_terminal(80, "platforms", NO_COLOR="1").splitlines()
    piped = run(capsys, "platforms").splitlines()
    for lines in (terminal, piped):
        assert lines[0].split() == ["platform", "device", "error", "measured"]
        assert [line.split()[0] for line in lines[2 : 2 + len(known)]] == list(known)
    assert max(map(len, terminal)) == 80
    assert any("…" in line for line in terminal)
    for line, platform in zip(piped[2:], known.values(), strict=False):
        assert f" {platform.device} " in line


def test_words_choose_among_the_platforms(capsys: pytest.CaptureFixture[str]) -> None:
    wanted = [id for id in platforms.platforms() if "ncnn" in id and "4t" in id]
    assert 0 < len(wanted) < len(platforms.platforms())
    out = run(capsys, "platforms", "list", "4T", "ncnn")
    assert [line.split()[0] for line in out.splitlines()[2 : 2 + len(wanted)]] == wanted
    assert f"\n{len(wanted)} platforms." in out
    listed = json.loads(run(capsys, "platforms", "list", "4t", "ncnn", "--format", "json"))
    assert [entry["id"] for entry in listed["platforms"]] == wanted
    assert all(entry["sources"] for entry in listed["platforms"])


def test_names_are_folded_at_their_joints_on_a_terminal() -> None:
    rows = tables.table("operator", "n")
    rows.add_row(tables.Name("features_of_it.18.0/node_Conv_963"), "1" * 66)
    assert [line.split()[0] for line in tables.to_text(rows, 80).splitlines()[2:]] == [
        "features_of_",
        "it.18.0/",
        "node_Conv_",
        "963",
    ]
    assert "features_of_it.18.0/node_Conv_963  1" in tables.to_text(rows)
    rows.add_row(tables.Name("node_withoutanyjoint"), "2")
    assert [line.split()[0] for line in tables.to_text(rows, 80).splitlines()[6:]] == ["node_", "withoutanyjo", "int"]


# -- -o


def test_a_file_is_written_whole_with_the_usual_mode(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "out.json"
    old = os.umask(0o027)
    try:
        assert run(capsys, "analyze", NETWORK, "--format", "json", "-o", str(target)) == ""
    finally:
        os.umask(old)
    assert target.stat().st_mode & 0o777 == 0o640
    assert target.read_text(encoding="utf-8") == run(capsys, "analyze", NETWORK, "--format", "json")
    target.chmod(0o600)
    run(capsys, "analyze", NETWORK, "-o", str(target))
    assert target.stat().st_mode & 0o777 == 0o600
    assert target.read_text(encoding="utf-8") == run(capsys, "analyze", NETWORK)
    assert [path.name for path in tmp_path.iterdir()] == ["out.json"]


def test_a_place_that_cannot_be_written_is_said_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for place in (tmp_path, tmp_path / "no" / "such", Path("/dev/full"), Path("/proc/none"), tmp_path / ("n" * 300)):
        assert f"-o {place}: cannot be written" in failed(capsys, "analyze", NETWORK, "-o", str(place))
    assert "cannot be written" in failed(capsys, "analyze", NETWORK, "-o", "")
    assert not list(tmp_path.iterdir())


def test_an_earlier_file_stays_when_writing_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "out.txt"
    target.write_text("earlier")

    def no_space(*_: Any, **__: Any) -> Any:
        raise OSError(28, "No space left on device")

    for name in ("os.fdopen", "pathlib.Path.replace"):
        with monkeypatch.context() as patch:
            patch.setattr(name, no_space)
            assert "No space left on device" in failed(capsys, "analyze", NETWORK, "-o", str(target))
        assert target.read_text() == "earlier"
        assert [path.name for path in tmp_path.iterdir()] == ["out.txt"]
    assert "no such file" in failed(capsys, "analyze", "missing.onnx", "-o", str(target))
    assert target.read_text() == "earlier"


def test_a_link_stays_a_link_and_a_pipe_a_pipe(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target, link = tmp_path / "out.txt", tmp_path / "link.txt"
    link.symlink_to(target)
    run(capsys, "analyze", NETWORK, "-o", str(link))
    assert link.is_symlink()
    assert target.read_text(encoding="utf-8") == run(capsys, "analyze", NETWORK)
    done = child("analyze", NETWORK, "-o", "/dev/stdout")
    assert done.stdout == target.read_text(encoding="utf-8")


# -- formats


def test_json_has_the_published_keys(network: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """DESIGN.md section 5."""
    document = json.loads(run(capsys, "analyze", str(network), "-p", "none", "--format", "json"))
    assert {"schema", "model", "totals", "operators", "coverage", "platforms", "findings"} <= set(document)
    assert document["schema"] == "costmodel.analysis/1"
    assert document["model"] == str(network)
    assert (document["platforms"], document["findings"]) == ([], [])
    assert {"mult_adds", "params", "memory_access", "bytes", "operators"} <= set(document["totals"])
    assert document["coverage"] == {
        "counted": 2,
        "approximated": 0,
        "unknown": 1,
        "unknown_ops": ["com.example:Mystery"],
    }
    names = [operator["name"] for operator in document["operators"]]
    assert names == [f"{LONG}/Conv", "/head/Conv", "/head/odd"]
    assert [operator["op"] for operator in document["operators"]] == ["Conv", "Conv", "com.example:Mystery"]
    assert [operator["mult_adds"] for operator in document["operators"]] == [FIRST, SECOND, 0]
    assert document["totals"]["mult_adds"] == FIRST + SECOND
    assert document["totals"]["operators"] == 3
    assert document["totals"]["params"] == 8 * 3 * 9 + 16 * 8
    for operator in document["operators"]:
        assert all(type(operator[count]) is int for count in COUNTS)
        parts = ("input_elements", "output_elements", "weight_elements")
        assert operator["memory_access"] == sum(operator[part] for part in parts)
    for count in COUNTS:
        assert document["totals"][count] == sum(operator[count] for operator in document["operators"])


def test_counts_are_those_of_the_whole_batch(capsys: pytest.CaptureFixture[str]) -> None:
    one, eight = (
        json.loads(run(capsys, "analyze", NETWORK, "--batch", str(batch), "--format", "json"))["totals"]
        for batch in (1, 8)
    )
    assert eight["mult_adds"] == 8 * one["mult_adds"]
    assert eight["params"] == one["params"]
    assert eight["memory_access"] < 8 * one["memory_access"]


def parsed(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_csv_has_a_line_for_each_operator(network: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = parsed(run(capsys, "analyze", str(network), "--format", "csv", notices=NOTICE))
    assert [row["operator"] for row in rows] == [f"{LONG}/Conv", "/head/Conv", "/head/odd"]
    assert [int(row["mult_adds"]) for row in rows] == [FIRST, SECOND, 0]
    assert [row["counting"] for row in rows] == ["counted", "counted", "unknown"]
    assert [row["note"] for row in rows] == ["", "", "the operator is not known"]
    assert rows[0]["output"] == "1x8x10x12"
    assert {row["module"] for row in parsed(run(capsys, "analyze", NETWORK, "--format", "csv"))} >= {"stage2.0.branch2"}


def test_csv_tells_what_was_assumed_on_stderr(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = save(model([node("Relu", ["x"], ["y"])], [value("x", ("n", 3))]), tmp_path)
    [note] = costmodel.analyze(path).notes
    assert "n = 1" in note
    notices = f"Coverage: 1 counted, 0 approximated, 0 unknown\n{note}\n"
    run(capsys, "analyze", str(path), "--format", "csv", notices=notices)
    run(capsys, "analyze", str(path), "--format", "csv", "--dim", "n=2")


def test_csv_of_groups_says_how_many_operators_are_counted_how(
    network: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = parsed(run(capsys, "analyze", str(network), "--format", "csv", "--by", "type", notices=NOTICE))
    states = {row["type"]: tuple(int(row[s]) for s in ("counted", "approximated", "unknown")) for row in rows}
    assert states == {"Conv": (2, 0, 0), "com.example:Mystery": (0, 0, 1)}


def test_csv_keeps_names_with_commas_quotes_and_line_breaks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = ['a,"b"', "line\nbreak", "ünïcode", "1-1"]
    nodes = [node("Relu", ["x"], [f"y{i}"], name=name) for i, name in enumerate(names)]
    path = save(model(nodes), tmp_path)
    rows = parsed(run(capsys, "analyze", str(path), "--format", "csv"))
    assert [row["operator"] for row in rows] == names
    operators = json.loads(run(capsys, "analyze", str(path), "--format", "json"))["operators"]
    assert [operator["name"] for operator in operators] == names


def test_markdown_is_a_table_that_names_cannot_break(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ugly = "a|b`c`<script>*_[x](y)\n| d"
    path = save(model([node("Relu", ["x"], ["y"], name=ugly)]), tmp_path)
    out = run(capsys, "analyze", str(path), "--format", "markdown")
    tables = [block.splitlines() for block in out.split("\n\n") if block.startswith("|")]
    for table in tables:
        bars = {line.replace("\\|", "").count("|") for line in table if line.startswith("|")}
        assert len(bars) == 1
    assert "<script>" not in out
    assert out.startswith("### ")


# -- rows


@pytest.mark.parametrize("key", ["mult_adds", "memory_access", "params"])
def test_top_takes_the_dearest_by_the_chosen_count(key: str, capsys: pytest.CaptureFixture[str]) -> None:
    everything = parsed(run(capsys, "analyze", NETWORK, "--format", "csv"))
    rows = parsed(run(capsys, "analyze", NETWORK, "--format", "csv", "--top", "5", "--sort", key))
    dearest = sorted((int(row[key]) for row in everything), reverse=True)[:5]
    assert [int(row[key]) for row in rows] == dearest
    assert len(everything) == len(costmodel.analyze(NETWORK).operators)


def test_more_rows_than_there_are_is_all_rows(network: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert len(parsed(run(capsys, "analyze", str(network), "--format", "csv", "--top", "999", notices=NOTICE))) == 3
    assert "Top 3 of 3 operators" in run(capsys, "analyze", str(network))


@pytest.mark.parametrize("by", ["op", "module"])
def test_rows_are_sorted_where_that_is_asked_for(by: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("analyze", NETWORK, "--format", "csv", "--by", by)
    natural, ranked = (parsed(run(capsys, *words, *more)) for more in ((), ("--sort", "params")))
    assert ranked != natural
    assert [int(row["params"]) for row in ranked] == sorted((int(row["params"]) for row in natural), reverse=True)


def test_depth_rolls_the_children_of_a_module_up(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("analyze", NETWORK, "--format", "csv", "--by", "module")
    deep, flat = (parsed(run(capsys, *words, *more)) for more in ((), ("--depth", "1")))
    assert {"stage2", "stage3", "stage4"} < {row["module"] for row in flat}
    assert not any("." in row["module"] for row in flat)
    for row in flat:
        children = [child for child in deep if child["module"].partition(".")[0] == row["module"]]
        assert int(row["mult_adds"]) == sum(int(child["mult_adds"]) for child in children)


@pytest.mark.parametrize(
    ("key", "heads"),
    [
        ("mult_adds", "mult-adds | share | params | mem. access"),
        ("params", "mult-adds | params | share | mem. access"),
        ("memory_access", "mult-adds | params | mem. access | share"),
    ],
)
def test_a_share_stands_behind_what_is_sorted_by(key: str, heads: str, capsys: pytest.CaptureFixture[str]) -> None:
    out = run(capsys, "analyze", NETWORK, "--format", "markdown", "--sort", key, "--top", "1")
    assert f"| operator | type | output | {heads} |" in out
    analysis = costmodel.analyze(NETWORK)
    [dearest] = analysis.top(1, key)  # type: ignore[arg-type]
    assert f" {100 * getattr(dearest.cost, key) / getattr(analysis.totals, key):.1f} % |" in out
    groups = run(capsys, "analyze", NETWORK, "--format", "markdown", "--by", "type")
    assert "share of mult-adds | params | mem. access | share of mem. access |" in groups


@pytest.mark.parametrize("by", ["type", "module"])
def test_groups_add_up_to_the_totals(by: str, capsys: pytest.CaptureFixture[str]) -> None:
    totals = json.loads(run(capsys, "analyze", NETWORK, "--format", "json"))["totals"]
    rows = parsed(run(capsys, "analyze", NETWORK, "--format", "csv", "--by", by))
    assert len({row[by] for row in rows}) == len(rows) > 1
    for count in (*COUNTS, "operators"):
        assert sum(int(row[count]) for row in rows) == totals[count]
    out = run(capsys, "analyze", NETWORK, "--by", by)
    assert all(row[by] in out for row in rows)


def test_text_states_the_totals_the_dearest_the_types_and_the_coverage(
    network: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = run(capsys, "analyze", str(network))
    assert f"{FIRST + SECOND:,} (the paper's FLOPs)" in out
    assert out.count("the paper's FLOPs") == 1
    assert "Coverage: 2 counted, 0 approximated, 1 unknown: com.example:Mystery" in out
    assert "1 x the operator is not known (com.example:Mystery, first '/head/odd')" in out


@pytest.mark.parametrize("form", ["text", "markdown"])
def test_totals_with_unknown_operators_are_said_to_be_lower_bounds(
    form: str, network: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sentence = "Unknown operators count their bytes only: totals are lower bounds."
    out = run(capsys, "analyze", str(network), "--format", form)
    assert f"at least {FIRST + SECOND:,}" in out
    assert sentence in out
    assert "1 x the operator is not known (com.example:Mystery, first '/head/odd')" in out
    exact = run(capsys, "analyze", NETWORK, "--format", form)
    assert "at least" not in exact
    assert sentence not in exact


def test_known_types_with_unknown_shapes_are_no_unknown_types(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nodes = [
        node("Mystery", ["x"], ["y0"], domain="com.example"),
        node("Conv", ["y0", "w"], ["y1"], name="conv1"),
        node("Relu", ["y0"], ["y2"], name="relu1"),
    ]
    path = save(model(nodes, constants=[weight("w", 4, 3, 3, 3)]), tmp_path)
    coverage = costmodel.analyze(path).coverage
    assert (coverage.unknown, coverage.unknown_ops) == (3, ("com.example:Mystery",))
    out = run(capsys, "analyze", str(path))
    assert "  2 x the shape of its input 'y0' is unknown (Conv, Relu, first 'conv1')" in out
    second = save(model([node("Conv", ["x", "w"], ["y"])], [value("x", None)], [weight("w", 4, 3, 3, 3)]), tmp_path)
    line = failed(capsys, "analyze", str(second), "--unknown", "error")
    assert "first 'y' (Conv): the shape of its input 'x' is unknown; give the shapes of the inputs (--shape" in line
    assert "no formula" not in line


@pytest.mark.parametrize("form", ["text", "markdown"])
def test_inputs_are_printed_with_their_shapes(form: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "input 1x3x224x224" in run(capsys, "analyze", NETWORK, "--format", form)
    many = save(model([node("Sum", [*"abcd"], ["y"])], [value(name, (2, 3)) for name in "abcd"]), tmp_path)
    assert "a 2x3, b 2x3, c 2x3, ..." in run(capsys, "analyze", str(many), "--format", form)


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (999, "999"),
        (1000, "1.00 k"),
        (99_994, "99.99 k"),
        (99_996, "100.0 k"),
        (999_949, "999.9 k"),
        (999_999, "1.00 M"),
        (10**15, "1.00 P"),
        (123 * 10**18, "123.0 E"),
        (999_999 * 10**15, "1.00e+21"),
        (10**400, "1.00e+400"),
    ],
)
def test_counts_are_rounded_before_they_are_scaled(count: int, text: str) -> None:
    assert short(count) == text


def test_bytes_have_their_unit() -> None:
    assert [short_bytes(n) for n in (80, 72_720_416, 10**21)] == ["80 B", "72.72 MB", "1.00e+21 B"]


# -- other verbs


def test_ops_lists_every_operator(capsys: pytest.CaptureFixture[str]) -> None:
    known = [op.qualified_type for op in operators()]
    assert run(capsys, "ops", "--names").split() == known
    out = run(capsys, "ops")
    assert all(name in out for name in known)
    assert f"{len(known)} operators" in out


def test_ops_prints_formulas_from_the_code(capsys: pytest.CaptureFixture[str]) -> None:
    out = run(capsys, "ops", "Conv")
    for word in ("Conv", "Example", "mult-adds", "element ops", "memory access", "output"):
        assert word in out
    assert run(capsys, "ops", "conv") == out


def test_ops_shows_one_operator_and_names_those_of_the_same_type(capsys: pytest.CaptureFixture[str]) -> None:
    out = run(capsys, "ops", "Conv")
    assert out.count("Example") == 1
    assert out.splitlines()[-1] == "Of the same name: com.microsoft.nchwc:Conv, com.ms.internal.nhwc:Conv"
    assert run(capsys, "ops", "com.microsoft.nchwc:Conv").count("Example") == 1


def test_every_operator_prints_its_formulas(capsys: pytest.CaptureFixture[str]) -> None:
    for op in operators():
        assert op.summary in run(capsys, "ops", op.qualified_type)


def test_zoo_lists_networks_that_analyze_takes(capsys: pytest.CaptureFixture[str]) -> None:
    out = run(capsys, "zoo")
    names = run(capsys, "zoo", "--names").split()
    assert names == [network.name for network in zoo.networks()]
    assert set(names) < set(out.split())
    assert "\n  resnet50  resnet101  resnet152\n      stride_in_1x1=false\n" in out
    assert f"{len(names)} networks. All take batch and resolution, most classes.\n" in out
    assert "zoo:NAME" in out
    wide = [line for line in out.splitlines() if len(line) > 80]
    assert all("(" in line or "`costmodel zoo NAME`" in line or "arch=" in line for line in wide)  # sources


@pytest.mark.parametrize("reference", ["mobilenet_yolo", "zoo:mobilenet_yolo,batch=3"])
def test_zoo_describes_a_network(reference: str, capsys: pytest.CaptureFixture[str]) -> None:
    out = run(capsys, "zoo", reference)
    assert out.startswith("zoo:mobilenet_yolo\n  MobileNet V1 with predictions of YOLO V2")
    assert re.search(r"\nclasses +20 +a whole number, at least 1\n", out)
    assert "\nEach side of the image is at least 32 and a multiple of 32.\nMobileNet-YOLO (eric612)" in out


def test_zoo_describes_options(capsys: pytest.CaptureFixture[str]) -> None:
    out = run(capsys, "zoo", "inverted_residual")
    assert re.search(r"\nact +relu6 +one of relu6, hard_swish, swish\n", out)
    assert "\n  se: after the activation," in out
    assert "Each side" not in out


def test_a_float_model_counts_four_bytes_an_element(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = save(model([node("Relu", ["x"], ["y"])], [value("x", (2, 5), FLOAT)]), tmp_path)
    totals = json.loads(run(capsys, "analyze", str(path), "--format", "json"))["totals"]
    assert (totals["memory_access"], totals["bytes"]) == (20, 80)


def test_what_other_frameworks_write_is_named_with_the_remedy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for content, words in (
        (b"PK\x03\x04" + bytes(60), "as PyTorch writes; export"),
        (b"\x1c\0\0\0TFL3" + bytes(60), "TFLite"),
    ):
        (tmp_path / "model.onnx").write_bytes(content)
        assert main(["analyze", str(tmp_path / "model.onnx")]) == 2
        assert words in capsys.readouterr().err


def test_several_platforms_in_one_word_are_told_apart(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["analyze", "zoo:resnet18", "-p", "pixel4,pixel6"]) == 2
    assert "-p pixel4 -p pixel6" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["analyze", "zoo:resnet18"], ["compare", "zoo:resnet18", "zoo:resnet18"]])
def test_a_page_is_not_printed_on_a_terminal(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("costmodel.cli.output._is_terminal", lambda: True)
    assert main([*words, "--format", "html"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "give -o FILE" in err

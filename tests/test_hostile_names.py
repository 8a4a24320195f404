"""Names and texts out of models and profiles that are HTML, terminal commands, formulas or endless are harmless in
whatever is written of them."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from check_examples import HOSTILE
from html_pages import Page
from onnx import ModelProto
from onnx_models import model, node, value, weight

import costmodel
from costmodel.builder import GraphBuilder
from costmodel.cli import main
from costmodel.comparing import compare
from costmodel.frontends.onnx.metadata import MODULE
from costmodel.platforms import Source, load_profile, save_profile
from costmodel.report import compare_html, compare_json, compare_markdown, compare_text, html, markdown, text, trace
from costmodel.report import csv as analysis_csv
from costmodel.report import json as analysis_json
from costmodel.report.rows import View

ARM = "snapdragon810-neon-fp32-1t"
UGLY = {
    "html": "</script><script>alert(1)</script><img src=x onerror=alert(1)>",
    "attribute": '" onmouseover="alert(1)" \' onclick=\'alert(1)',
    "comment": "--><!--]]><![CDATA[</style></title>",
    "entity": "&lt;script&gt;&#60;script&#62;",
    "terminal": "\x1b[31mred\x1b]0;title\x07\x1b[2J\r\x08",
    "lines": "one\ntwo\r\n::error::injected\u2028three",
    "command": "%0A::set-output name=a::b ##[error]c",
    "pipes": "a|b`c`$x_1^2$ \\(y\\) [click](javascript:alert(1)) **d** # e",
    "formula": "=cmd|' /C calc'!A0",
    "plus": "+1+cmd",
    "at": "@SUM(1)",
    "direction": "abc\u202egnp.exe\u2066\u200b",
    "markup": "[bold red]x[/] [/bold] {0} %s {x!r}",
    "dollars": "$\\frac{$ \\undefined{ $$ _",
    "long": "x" * 10_000,
}
ANALYZE = ("text", "json", "csv", "markdown", "html", "trace", "model-explorer")

Written = Callable[..., Path]


def ugly_model(ugly: str, channels: int = 64, *, twist: int = 0) -> ModelProto:
    """Two convolutions, a ReLU and an operator that nobody knows, all of whose names hold the text."""
    nodes = [
        node("Conv", [f"{ugly}x", f"{ugly}w.weight"], [f"{ugly}1"], name=f"{ugly}conv"),
        node("Relu", [f"{ugly}1"], [f"{ugly}2"], name=f"{ugly}act"),
        node("Conv", [f"{ugly}2", f"{ugly}v"], [f"{ugly}3"], name=f"{ugly}last"),
        node(f"{ugly}Odd", [f"{ugly}3"], [f"{ugly}4"], name=f"{ugly}odd", domain=f"{ugly}domain"),
    ]
    for one in nodes:
        one.metadata_props.add(key=MODULE, value=f"{ugly}module")
        one.doc_string = ugly
    weights = [weight(f"{ugly}w.weight", channels, 32, 1, 1), weight(f"{ugly}v", 512 + twist, channels, 1, 1)]
    inputs, outputs = [value(f"{ugly}x", (1, 32, 14, 10))], [value(f"{ugly}4", None)]
    content = model(nodes, inputs, weights, outputs=outputs)
    content.graph.name, content.producer_name, content.doc_string = ugly, ugly, ugly
    return content


@pytest.fixture(params=UGLY.values(), ids=UGLY)
def ugly(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def written(ugly: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Written:
    """Writes the model into a file whose name holds what fits of the text."""
    monkeypatch.chdir(tmp_path)

    def save(stem: str = "a", **changes: int) -> Path:
        path = Path(f"{stem}{ugly.replace('/', '_')[:60]}.onnx")
        path.write_bytes(ugly_model(ugly, **changes).SerializeToString())
        return path

    return save


def run(capsys: pytest.CaptureFixture[str], *words: str | Path) -> str:
    """What a verb prints; its notices, which hold names too, may not steer a terminal either."""
    assert main(list(map(str, words))) in (0, 1)
    out, err = capsys.readouterr()
    assert_plain(err)
    return out


def assert_plain(text: str) -> None:
    """Nothing that a terminal obeys."""
    assert [line for line in text.split("\n") if not line.isprintable()] == []


def assert_page(text: str, scripts: int) -> None:
    """Tags of ours only, no handlers, and as many scripts as the page has of its own."""
    page = Page(text)
    tags = [tag for tag, _ in page.tags]
    assert tags.count("script") == scripts
    assert "img" not in tags
    assert not [key for _, attrs in page.tags for key in attrs if key.startswith("on")]
    assert not [href for href in page.every("href") if not href.startswith(("#", "data:,"))]


def assert_table(text: str) -> None:
    """Markdown without tags that names brought, each row of a table with as many cells as its head."""
    assert not re.search(r"<(?!/?(?:details|summary|br|sub|sup)\b)[a-zA-Z!/]", text)
    assert_plain(text)
    for block in text.split("\n\n"):
        bars = {len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines() if line.startswith("|")}
        assert len(bars) <= 1


def read_json(text: str) -> Any:
    """A document that a terminal may show."""
    assert_plain(text)
    return json.loads(text)


def assert_cells(text: str) -> None:
    """Rows of one length, no cell of which a spreadsheet takes for a formula."""
    assert_plain(text)
    rows = list(csv.reader(io.StringIO(text)))
    assert {len(row) for row in rows} == {len(rows[0])}
    numbers = re.compile(r"[+-]?[\d.]+(e[+-]?\d+)?")
    assert not [
        cell for row in rows for cell in row if cell.startswith(("=", "+", "-", "@")) and not numbers.fullmatch(cell)
    ]


@pytest.mark.parametrize("format", ANALYZE)
def test_analyze(format: str, ugly: str, written: Written, capsys: pytest.CaptureFixture[str]) -> None:
    out = run(capsys, "analyze", written(), "-p", ARM, "--format", format)
    if format == "text":
        assert_plain(out)
    elif format == "markdown":
        assert_table(out)
    elif format == "html":
        assert_page(out, 2)
    elif format == "csv":
        assert_cells(out)
    else:
        content = read_json(out)
        if format == "json":
            assert [one["name"] for one in content["operators"]] == [
                f"{ugly}{end}" for end in ("conv", "act", "last", "odd")
            ]


@pytest.mark.parametrize("by", ["type", "module"])
def test_groups(by: str, written: Written, capsys: pytest.CaptureFixture[str]) -> None:
    path = written()
    assert_plain(run(capsys, "analyze", path, "-p", ARM, "--by", by))
    assert_table(run(capsys, "analyze", path, "-p", ARM, "--by", by, "--format", "markdown"))
    assert_cells(run(capsys, "analyze", path, "-p", ARM, "--by", by, "--format", "csv"))


def test_check(ugly: str, written: Written, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(channels=512, twist=-480)
    assert_plain(run(capsys, "check", path, "-p", ARM))
    assert_plain(run(capsys, "check", path, "-p", ARM, "--all"))
    found = read_json(run(capsys, "check", path, "-p", ARM, "--format", "json"))["findings"]
    assert found
    assert all(name.startswith(ugly) for one in found for name in one["operators"])
    results = read_json(run(capsys, "check", path, "-p", ARM, "--format", "sarif"))["runs"][0]["results"]
    assert len(results) == len(found)
    lines = run(capsys, "check", path, "-p", ARM, "--format", "github").split("\n")
    commands = [line for line in lines if line.startswith("::")]
    assert [line for line in lines if "\r" in line or line.startswith("##[")] == []
    assert all(re.match(r"::(error|warning|notice) ", line) for line in commands)
    assert len(commands) <= len(found)


def test_compare(written: Written, capsys: pytest.CaptureFixture[str]) -> None:
    before, after = written("a"), written("b", channels=48)
    words = ("compare", before, after, "-p", ARM)
    assert_plain(run(capsys, *words))
    assert_table(run(capsys, *words, "--format", "markdown"))
    assert_page(run(capsys, *words, "--format", "html"), 2)
    assert read_json(run(capsys, *words, "--format", "json"))["verdict"] == "different"


def test_explain(ugly: str, written: Written, capsys: pytest.CaptureFixture[str]) -> None:
    path = written()
    assert_plain(run(capsys, "explain", "-p", ARM, "--", path, f"{ugly}conv"))
    read_json(run(capsys, "explain", "-p", ARM, "--format", "json", "--", path, f"{ugly}conv"))
    assert main(["explain", "-p", "none", "--", str(path), f"{ugly}missing"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert_plain(err)


def test_reuse(written: Written, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("reuse", written())
    assert_plain(run(capsys, *words))
    read_json(run(capsys, *words, "--format", "json"))
    assert_cells(run(capsys, *words, "--format", "csv"))


def test_annotate(written: Written, capsys: pytest.CaptureFixture[str]) -> None:
    path = written()
    assert_plain(run(capsys, "annotate", path, "-p", ARM, "-o", "out.onnx"))
    both = [ModelProto.FromString(Path(name).read_bytes()) for name in (path, "out.onnx")]
    assert [one.name for one in both[1].graph.node] == [one.name for one in both[0].graph.node]
    assert costmodel.analyze("out.onnx").totals == costmodel.analyze(path).totals


def test_notebooks_and_prompts(written: Written) -> None:
    analysis = costmodel.analyze(written(), platform=ARM)
    assert_page(analysis._repr_html_(), 0)
    assert_plain(repr(analysis))


def test_charts(written: Written) -> None:
    mpl = pytest.importorskip("matplotlib")
    mpl.use("Agg")
    from matplotlib import pyplot

    analysis = costmodel.analyze(written(), platform=ARM)
    for draw in (analysis.plot_time, analysis.plot_roofline, analysis.plot_counts):
        picture = io.StringIO()
        draw().figure.savefig(picture, format="svg")
        assert "<script" not in picture.getvalue()
        assert "\x1b" not in picture.getvalue()
        pyplot.close("all")


def test_profiles(ugly: str, written: Written, capsys: pytest.CaptureFixture[str]) -> None:
    """Device, notes and sources of a user's profile, which are printed beside latencies."""
    path = written()
    own = replace(
        costmodel.analyze(path, platform=ARM).platforms[0],
        id="mine-neon-fp32-1t",
        device=ugly[:900],
        notes=(ugly[:900],),
        sources=(Source(ugly[:900], "2026", 5),),
    )
    save_profile(own, "mine.json")
    assert load_profile("mine.json").device == ugly[:900]
    assert_plain(run(capsys, "analyze", path, "-p", "mine.json"))
    assert_table(run(capsys, "analyze", path, "-p", "mine.json", "--format", "markdown"))
    assert_page(run(capsys, "analyze", path, "-p", "mine.json", "--format", "html"), 2)
    assert_page(run(capsys, "compare", path, path, "-p", "mine.json", "--format", "html"), 2)
    for format in ("json", "trace", "model-explorer"):
        read_json(run(capsys, "analyze", path, "-p", "mine.json", "--format", format))
    assert_plain(run(capsys, "platforms", "show", "mine.json"))


def test_a_profile_whose_id_is_no_id_is_refused(
    ugly: str, written: Written, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written()
    own = replace(costmodel.analyze(path, platform=ARM).platforms[0], id="mine-neon-fp32-1t")
    save_profile(own, "mine.json")
    content = json.loads(Path("mine.json").read_text(encoding="utf-8"))
    Path("mine.json").write_text(json.dumps({**content, "id": ugly}), encoding="utf-8")
    assert main(["analyze", str(path), "-p", "mine.json"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "id" in err
    assert_plain(err)


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_names_of_graphs_that_were_built_may_hold_what_no_file_can(name: str) -> None:
    """Lone surrogates among them: whatever is written of them can be written as UTF-8."""
    b = GraphBuilder(name or "empty")
    x = b.conv(b.input("x", (1, 8, 6, 5)), 8, 3, name=f"{name}1")
    graph = b.build(b.conv(x, 4, 1, name=f"{name}2"))
    analysis = costmodel.analyze(graph, platform=ARM)
    comparison = compare(analysis, costmodel.analyze("zoo:resnet18", platform=ARM))
    for out in (html.render(analysis), compare_html.render(comparison)):
        assert_page(out.encode().decode(), 2)
    for out in (markdown.render(analysis, View()), compare_markdown.render(comparison)):
        assert_table(out.encode().decode())
    for out in (text.render(analysis, View()), compare_text.render(comparison), repr(analysis)):
        assert_plain(out.encode().decode())
    assert_page(analysis._repr_html_().encode().decode(), 0)
    documents = (analysis_json.render(analysis), trace.render(analysis), compare_json.render(comparison))
    contents = [read_json(out.encode().decode()) for out in documents]
    assert contents[0]["operators"][0]["name"] == f"{name}1"
    assert_cells(analysis_csv.render(analysis, View()).encode().decode())

"""The documentation: its links lead somewhere, pages made from the code have what the code has, and the site builds.

Links and generated pages are looked at without the program that builds the site; where it is installed, the whole site
is built, as strictly as for readers, and opened in a browser.
"""

from __future__ import annotations

import argparse
import html
import importlib.util
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from costmodel import cli, zoo
from costmodel.guidelines import RULES
from costmodel.ops import operators
from costmodel.platforms import find, platforms
from costmodel.predictor import TERMS

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
sys.path.append(str(DOCS))
generators = importlib.import_module("generators")

PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "examples/README.md")),
    *sorted(DOCS.rglob("*.md")),
]
NEEDED = ("mkdocs", "material", "mkdocstrings")
MISSING = [name for name in NEEDED if importlib.util.find_spec(name) is None]
builds = pytest.mark.skipif(bool(MISSING), reason=f"needs {', '.join(MISSING)}: pip install 'cnn-costmodel[docs]'")

LINK = re.compile(r"\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)")
CODE = re.compile(r"^( *)(```+).*?^\1\2$|`[^`\n]+`", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^#{1,6} +(.*?)(?: +\{ *#([\w-]+) *\})?$", re.MULTILINE)


@cache
def generated() -> dict[str, str]:
    """The Markdown of the pages that are made from the code, by their paths."""
    return {page.path: page.text() for page in generators.pages()}


# -- links


def anchors(text: str) -> set[str]:
    """The ids of a page's headings, as a forge and the site make them."""
    found: set[str] = set()
    for title, given in HEADING.findall(re.sub(r"^( *)```.*?^\1```$", "", text, flags=re.MULTILINE | re.DOTALL)):
        plain = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", title).lower()
        slug = given or re.sub(r"[^\w\- ]", "", plain).strip().replace(" ", "-")
        found.add(slug if slug not in found else f"{slug}-1")
    return found


def dead(text: str, folder: Path) -> list[str]:
    """The relative links of a page in a folder that lead nowhere."""
    return [link for link in LINK.findall(CODE.sub("", text)) if not leads(link, text, folder)]


def leads(link: str, text: str, folder: Path) -> bool:
    if re.match(r"[a-z][a-z+.-]*:", link):
        return True
    name, _, anchor = link.partition("#")
    if not name:
        return anchor in anchors(text)
    target = (folder / name).resolve()
    if target.is_file():
        return not anchor or anchor in anchors(target.read_text(encoding="utf-8"))
    if target.is_relative_to(DOCS) and str(target.relative_to(DOCS)) in generated():
        return not anchor or anchor in anchors(generated()[str(target.relative_to(DOCS))])
    return target.is_dir() and not anchor


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_to_a_file_and_a_heading(page: Path) -> None:
    assert dead(page.read_text(encoding="utf-8"), page.parent) == []


def test_dead_links_are_found_and_others_are_not() -> None:
    alive = (
        "[a](zoo.md) [b](zoo.md#what-each-was-checked-against) [c](#the-words-of-c) ![d](pictures/time.svg)\n"
        "[e](../README.md#set-up)\n[f](https://example.org/x#y) `[g](nothing.md)`\n\n# The words: *of* `c`\n"
        "```text\n[h](nothing.md)\n# no heading\n```\n"
    )
    assert dead(alive, DOCS) == []
    for link in ("nothing.md", "zoo.md#nothing", "#no-heading", "../README.md#nothing", "pictures/nothing.svg", "zoo"):
        assert dead(f"{alive}[x\ny]({link})\n", DOCS) == [link]


# -- pages that are made from the code


def code_in(text: str) -> set[str]:
    """What stands in code, of Markdown or of HTML."""
    return {*re.findall(r"`([^`\n]+)`", text), *map(html.unescape, re.findall(r"<code>(.*?)</code>", text))}


def test_every_operator_has_an_anchor_where_the_list_links_it() -> None:
    index = generated()["reference/operators/index.md"]
    links = dict(re.findall(r"\[`([^`]+)`\]\(([^)]+)\)", index))
    assert list(links) == [op.qualified_type for op in operators()]
    for name, link in links.items():
        path, _, anchor = link.partition("#")
        text = generated()[f"reference/operators/{path}"]
        assert text.count(f"{{ #{anchor} }}") == 1, name


def test_formulas_are_those_that_the_operators_count() -> None:
    """Conv: N x M outputs of half the height and width, each of C x 3 x 3 products; and what is read and written."""
    text = generated()["reference/operators/convolution.md"]
    conv = text.partition("{ #conv }")[2].partition("\n## ")[0]
    shown = [html.unescape(formula) for formula in re.findall(r'alttext="([^"]*)"', conv)]
    sizes = {"N": 2, "C": 3, "M": 5, "H": 11, "W": 6}
    outputs = 2 * 5 * 6 * 3
    read = 2 * 3 * 11 * 6 + 5 * 3 * 9 + 5
    assert [eval(formula, {}, sizes) for formula in shown] == [outputs * 27, outputs, read + outputs]
    assert "<mo>\N{LEFT FLOOR}</mo>" in conv


def test_every_guideline_is_told_with_its_equation_and_its_options() -> None:
    for rule in RULES.values():
        text = generated()[f"reference/guidelines/{rule.id.lower()}-{rule.slug}.md"]
        assert rule.title in text
        assert {"## What it does", "## Why it is slow", "## Options", "## Reference"} <= set(text.split("\n"))
        assert re.findall(r"^(\w+): ", rule.sections["Options"], re.MULTILINE) == re.findall(
            r"^`(\w+)`\n:   ", text, re.MULTILINE
        )
        assert text.count("class='equation'") >= 4
        assert {rule.sections["Example"], rule.sections["Use instead"]} <= code_in(text)


def test_equation_1_is_the_papers() -> None:
    """MAC >= 2 sqrt(hw B) + B / hw, with numbers."""
    text = generated()["reference/guidelines/g1-equal-width.md"]
    *_, last = [html.unescape(one) for one in re.findall(r'alttext="MAC = ([^"]*)"', text)]
    h, w, B = 14, 9, 1000.0  # noqa: N806 (as in the paper)
    bound = eval(last, {"sqrt": lambda x: x**0.5}, {"h": h, "w": w, "B": B})
    assert bound == pytest.approx(2 * (h * w * B) ** 0.5 + B / (h * w))


@pytest.mark.parametrize("verb", cli.VERBS)
def test_every_option_of_a_verb_is_on_its_page(verb: str) -> None:
    parser = argparse.ArgumentParser()
    importlib.import_module(cli.VERBS[verb][0]).add_arguments(parser)
    text = generated()[f"reference/commands/{verb}.md"]
    shown = " ".join(re.findall(r"^`(.*)`$", text, re.MULTILINE))
    for action in parser._actions[1:]:
        for name in action.option_strings:
            assert re.search(rf"(?<!\S){re.escape(name)}(?![\w-])", shown), name


def test_every_platform_network_and_term_is_listed() -> None:
    assert {f"{id}" for id in platforms()} <= code_in(generated()["reference/platforms.md"])
    assert {network.name for network in zoo.networks()} <= code_in(generated()["reference/networks.md"])
    assert set(TERMS) <= code_in(generated()["reference/latency.md"])


def test_figures_are_those_of_the_code() -> None:
    (row,) = re.findall(r"^\| `gtx1080ti-cudnn7-fp32`.*$", generated()["reference/platforms.md"], re.MULTILINE)
    accuracy = find("gtx1080ti-cudnn7-fp32").accuracy
    assert accuracy is not None
    assert f"| {100 * accuracy.mape:.1f} % | {100 * accuracy.baseline_mult_adds:.1f} % |" in row
    assert (
        "| `shufflenet_v2` | 144.9 M | 2.28 M | 224 | ShuffleNet V2 of Table 5" in generated()["reference/networks.md"]
    )


def test_amounts_of_a_convolution_are_its_loops() -> None:
    text = generated()["reference/latency.md"].partition("### 1x1 convolution\n")[2].partition("\n### ")[0]
    shown = {
        html.unescape(term): html.unescape(formula)
        for term, formula in re.findall(r'<code>([^<]*)</code>.*?alttext="([^"]*)"', text)
    }
    sizes = {"N": 2, "C": 16, "M": 24, "H": 7, "W": 5}
    amounts = {term: eval(formula, {}, sizes) for term, formula in shown.items()}
    images = 2 * 7 * 5
    assert amounts["pointwise.mult_adds"] == images * 16 * 24
    assert amounts["contraction.input"] == images * 16
    assert amounts["contraction.output"] == images * 24
    assert amounts["contraction.weights"] == 16 * 24


def test_prose_stays_prose() -> None:
    """What means something to Markdown or HTML does not in a docstring, except code."""
    from generators.page import prose

    assert prose("a_b * c <d> [e] x|y & `f_g<h>`") == r"a\_b \* c &lt;d&gt; \[e\] x\|y &amp; `f_g<h>`"
    assert prose("an odd ` sign") == r"an odd \` sign"
    assert prose("mult_adds = 2 x elements") == "`mult_adds` = 2 x elements"


def test_docstrings_become_lists_and_blocks_of_code() -> None:
    pytest.importorskip("griffe", reason="needs griffe: pip install 'cnn-costmodel[docs]'")
    from generators.docstrings import as_markdown

    text = (
        "Title.\n\nwidth, height: in pixels, a_b.\nMore of it. size: x\n    of a stage. Raises E_\nwhere.\n\n>>> f()\n1"
    )
    assert as_markdown(text).split("\n") == [
        "Title.",
        "",
        r"* `width`, `height`: in pixels, a\_b.",
        "    More of it.",
        "* `size`: x",
        "    of a stage.",
        "",
        r"Raises E\_",
        "where.",
        "",
        "```pycon",
        ">>> f()",
        "1",
        "```",
    ]


# -- the site


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--config-file", ROOT / "mkdocs.yml", "-d", folder]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


@builds
def test_the_site_has_every_page(site: Path) -> None:
    written = {*(str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md")), *generated()}
    assert {f"{path.removesuffix('.md')}.html" for path in written} | {"404.html"} == {
        str(path.relative_to(site)) for path in site.rglob("*.html")
    }
    assert not [path for path in site.rglob("*") if path.suffix in (".py", ".pyc")]


@builds
def test_the_site_loads_nothing_from_elsewhere(site: Path) -> None:
    for path in site.rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        tags = re.findall(r"<(?:script|link|img|iframe|source|object|embed|video|audio)\b[^>]*>", text)
        found = [tag for tag in tags if re.search(r"""(?:src|href|srcset|data)=["']?(?:\w+:)?//""", tag)]
        assert found == [], path
    for path in site.rglob("*.css"):
        assert not re.search(r"url\([\"']?(?:\w+:)?//|@import", path.read_text(encoding="utf-8")), path


@builds
def test_the_python_reference_has_what_packages_make_public(site: Path) -> None:
    import costmodel

    text = (site / "reference/python/costmodel.html").read_text(encoding="utf-8")
    assert [name for name in costmodel.__all__ if f'id="costmodel.{name}"' not in text] == []
    assert "Raises UsageError" in text


@builds
def test_lists_come_out_as_lists(site: Path) -> None:
    """Where a forge sees a list, so does the site: after a blank line, its own blocks four spaces in."""
    for path in site.rglob("*.html"):
        for text in re.findall(r"<p>(.*?)</p>", path.read_text(encoding="utf-8"), re.DOTALL):
            assert not re.search(r"\n *([-*]|\d+\.) |```", re.sub(r"<code>.*?</code>", "", text)), (path, text)


@builds
def test_a_file_of_the_repository_is_named_and_not_linked(site: Path) -> None:
    text = (site / "build.html").read_text(encoding="utf-8")
    assert "<code>examples/train_a_design.py</code>" in text
    assert "train_a_design.py</a>" not in text


@pytest.fixture
def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., str]]:
    """Builds a site of an index.md and others, as strictly as ours, and gives index.html."""
    from mkdocs.commands.build import build as run
    from mkdocs.config import load_config

    monkeypatch.setattr(generators, "pages", lambda: iter(()))
    (tmp_path / "docs").mkdir()
    (tmp_path / "there.py").touch()

    def make(text: str, *others: str) -> str:
        for name, content in {"index.md": f"# Title\n\n{text}\n", **dict.fromkeys(others, "# Other\n")}.items():
            (tmp_path / "docs" / name).write_text(content, encoding="utf-8")
        settings: dict[str, Any] = {
            "docs_dir": str(tmp_path / "docs"),
            "site_dir": str(tmp_path / "site"),
            "nav": ["index.md"],
            "plugins": [],
        }
        run(load_config(str(ROOT / "mkdocs.yml"), **settings))
        return (tmp_path / "site" / "index.html").read_text(encoding="utf-8")

    return make


@builds
@pytest.mark.filterwarnings("default")
def test_a_page_with_good_links_builds(build: Callable[..., str]) -> None:
    page = build(
        "[a](#title) [b](index.md#title) [c](../there.py) `[e](../nothing.py)`\n\n```text\n[d](../nothing.py)\n```"
    )
    assert "<code>there.py</code>" in page
    assert "[d](../nothing.py)" in page


@builds
@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("link", ["nothing.md", "index.md#nothing", "#nothing", "../nothing.py", "/index.md"])
def test_a_dead_link_fails_the_build(build: Callable[..., str], link: str) -> None:
    from mkdocs.exceptions import MkDocsException

    with pytest.raises(MkDocsException):
        build(f"[a]({link})")


@builds
@pytest.mark.filterwarnings("default")
def test_a_page_that_is_not_in_the_navigation_fails_the_build(build: Callable[..., str]) -> None:
    from mkdocs.exceptions import MkDocsException

    with pytest.raises(MkDocsException):
        build("text", "other.md")


@builds
@pytest.mark.slow
def test_the_site_is_read_and_searched_from_a_disk(site: Path) -> None:
    from browser import THEMES, WIDTHS, Visit, chromium

    names = ("index", "extend/guideline", "reference/operators/convolution", "reference/guidelines/g1-equal-width")
    with chromium() as started:
        for name, theme in zip((*names, "reference/python/costmodel"), (*THEMES, *THEMES, *THEMES), strict=False):
            for width in WIDTHS:
                size = {"width": width, "height": 900}
                visit = Visit(started, (site / f"{name}.html").as_uri(), viewport=size, color_scheme=theme)
                assert visit.complaints == []
                assert [address for address in visit.requests if not address.startswith("file:")] == []
                assert visit.page.evaluate("document.documentElement.scrollWidth") <= width
                visit.page.close()
        visit = Visit(started, (site / "index.html").as_uri())
        visit.page.click(".md-search__input")
        visit.page.type(".md-search__input", "DeformConv")
        visit.page.wait_for_selector(".md-search-result__item")
        assert "DeformConv" in visit.page.inner_text(".md-search-result__item")
        assert visit.complaints == []

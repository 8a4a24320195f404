"""The HTML page in a real headless Chromium, driven by Playwright: what people see, click and type."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser import THEMES, WIDTHS, Visit, chromium
from onnx_models import model, node, save, value, weight

import costmodel
from costmodel.analysis import Analysis
from costmodel.report.html import render

PAPER = ("snapdragon810-neon-fp32-1t", "gtx1080ti-cudnn7-fp32")
NASTY = "</script><script>hacked=1</script>\"'\n><img src=x onerror=hacked=1>"

SELECTING = "document.documentElement.classList.contains('selecting')"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def analysis() -> Analysis:
    return costmodel.analyze("zoo:shufflenet_v2,width=0.5", platform=PAPER, budgets={"snapdragon810": 0.01})


@pytest.fixture(scope="module")
def address(analysis: Analysis, tmp_path_factory: pytest.TempPathFactory) -> str:
    file = tmp_path_factory.mktemp("page") / "report.html"
    file.write_text(render(analysis), encoding="utf-8")
    return file.as_uri()


@pytest.fixture
def visit(browser: Any, address: str) -> Iterator[Visit]:
    visit = Visit(browser, address)
    yield visit
    visit.page.close()


def numbers(analysis: Analysis, platform: int, kind: str) -> list[int]:
    """Rows of the operators in a platform's kernels of a kind, in the order of execution."""
    kernels = [item.kernel for item in analysis.predictions[platform].kernels if item.kernel.kind == kind]
    names = {node.name for kernel in kernels for node in kernel.operators}
    return [place for place, node in enumerate(analysis.operators, 1) if node.name in names]


def every(analysis: Analysis) -> list[int]:
    return list(range(1, len(analysis.operators) + 1))


def test_the_page_says_nothing_and_asks_for_nothing(visit: Visit, address: str) -> None:
    visit.page.wait_for_timeout(200)
    assert visit.complaints == []
    assert visit.requests == [address]
    assert visit.page.title() == "zoo:shufflenet_v2,width=0.5 - costmodel"


def test_the_policy_refuses_pictures_scripts_and_handlers(visit: Visit) -> None:
    visit.page.evaluate("""() => {
      window.refused = [];
      document.addEventListener("securitypolicyviolation", (event) => refused.push(event.effectiveDirective));
      document.body.append(Object.assign(new Image(), { src: "http://127.0.0.1:9/x.png" }));
      document.body.append(Object.assign(document.createElement("script"), { textContent: "hacked = 1" }));
      document.body.setAttribute("onclick", "hacked = 1");
      document.body.click();
    }""")
    visit.wait("refused.length >= 3")
    assert {"img-src", "script-src-elem", "script-src-attr"} <= set(visit.page.evaluate("refused"))
    assert visit.page.evaluate("typeof hacked") == "undefined"


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_is_wider_than_the_page(browser: Any, address: str, width: int) -> None:
    visit = Visit(browser, address, viewport={"width": width, "height": 800})
    assert visit.wider(width) == []
    for plot in visit.page.query_selector_all("svg.plot, svg.bar"):
        box = plot.bounding_box()
        assert box["width"] > 0.6 * min(width, 500)
    visit.page.close()


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("theme", THEMES)
def test_text_and_marks_can_be_told_from_what_is_behind(browser: Any, address: str, theme: str, width: int) -> None:
    visit = Visit(browser, f"{address}#p0-depthwise", color_scheme=theme, viewport={"width": width, "height": 800})
    assert visit.unreadable(of_at_least=500) == []
    visit.page.close()


def test_the_switch_changes_the_theme(browser: Any, address: str) -> None:
    visit = Visit(browser, address, color_scheme="light")
    color = "getComputedStyle(document.body).backgroundColor"
    assert visit.page.evaluate(color) == "rgb(255, 255, 255)"
    visit.page.click("#theme")
    dark = visit.page.evaluate(color)
    assert max(map(int, dark[4:-1].split(","))) < 64
    visit.page.click("#theme")
    assert visit.page.evaluate(color) == "rgb(255, 255, 255)"
    visit.page.close()


def test_heads_sort_the_table_by_number_and_by_name(visit: Visit, analysis: Analysis) -> None:
    head = visit.page.get_by_role("button", name="mult-adds", exact=True)
    costs = [node.cost.mult_adds for node in analysis.operators]
    head.click()
    assert [costs[number - 1] for number in visit.shown()] == sorted(costs, reverse=True)
    assert visit.page.get_attribute("th[aria-sort]", "aria-sort") == "descending"
    head.click()
    assert [costs[number - 1] for number in visit.shown()] == sorted(costs)
    visit.page.get_by_role("button", name="operator", exact=True).click()
    names = [node.name.lower() for node in analysis.operators]
    assert [names[number - 1] for number in visit.shown()] == sorted(names)
    visit.page.get_by_role("button", name="#", exact=True).click()
    assert visit.shown() == every(analysis)


def test_the_search_shows_what_has_all_its_words(visit: Visit, analysis: Analysis) -> None:
    visit.page.fill("#search", "STAGE3 batchnorm")
    expected = [
        place
        for place, node in enumerate(analysis.operators, 1)
        if "stage3" in node.name and node.op_type == "BatchNormalization"
    ]
    assert visit.shown() == expected
    assert visit.page.inner_text("#chosen").startswith(f"{len(expected)} of {len(analysis.operators)} operators")
    visit.page.fill("#search", "no such operator")
    assert visit.shown() == []
    visit.page.click("#clear")
    assert visit.shown() == every(analysis)


@pytest.mark.parametrize("platform", [0, 1])
def test_a_click_on_a_bar_selects_its_operators(visit: Visit, analysis: Analysis, platform: int) -> None:
    visit.page.click(f"a[href='#p{platform}-depthwise'] rect")
    expected = numbers(analysis, platform, "depthwise")
    assert visit.shown() == expected
    assert f"p{platform}-depthwise" in visit.lit()
    assert f"p{platform}-conv" not in visit.lit()
    name = PAPER[platform].split("-")[0]
    share = sum(
        float(item.estimate.seconds)
        for item in analysis.predictions[platform].kernels
        if item.kernel.kind == "depthwise"
    )
    assert f"{name} {share * 1e3:.3g}"[:16] in visit.page.inner_text("#chosen")
    visit.page.click(f"a[href='#p{platform}-depthwise'] rect")
    assert visit.shown() == every(analysis)


@pytest.mark.parametrize("section", ["timeline", "roofline", "operators-plot", "memory"])
def test_a_click_on_a_mark_selects_its_operators(visit: Visit, section: str) -> None:
    mark = visit.page.query_selector_all(f"#{section} .m[data-t]")[2]
    token = mark.get_attribute("data-t")
    mark.dispatch_event("click", {"bubbles": True})
    tied = visit.page.evaluate(
        "(token) => [...document.querySelectorAll('[data-s]')].filter((row) => row.dataset.s.split(' ')"
        ".includes(token)).map((row) => Number(row.id.slice(1)))",
        token,
    )
    assert tied
    assert visit.shown() == tied
    assert token in visit.lit()


def test_an_address_selects_and_escape_clears(browser: Any, address: str, analysis: Analysis) -> None:
    visit = Visit(browser, f"{address}#p1-shuffle")
    assert visit.shown() == numbers(analysis, 1, "movement")
    visit.page.keyboard.press("Escape")
    assert visit.shown() == every(analysis)
    visit.page.go_back()
    visit.wait(SELECTING)
    assert visit.shown() == numbers(analysis, 1, "movement")
    visit.page.close()


def test_an_operator_lights_its_marks_and_keeps_the_others_in_sight(visit: Visit, analysis: Analysis) -> None:
    visit.page.click("#o1 a")
    visit.wait(SELECTING)
    assert visit.shown() == every(analysis)
    assert {"p0-conv", "p0k0", "p1-conv", "p1k0"} <= set(visit.lit())
    assert "p0-depthwise" not in visit.lit()


def test_the_keyboard_walks_over_a_plot_and_selects(visit: Visit) -> None:
    visit.page.focus("#timeline .walk")
    visit.page.keyboard.press("ArrowRight")
    assert visit.page.inner_text("#tip").startswith("conv1.0: spatial, ")
    visit.page.keyboard.press("ArrowRight")
    visit.page.keyboard.press("ArrowLeft")
    visit.page.keyboard.press("Enter")
    assert visit.shown() == [1, 2]  # the first convolution and its normalisation
    visit.page.keyboard.press("End")
    assert visit.page.inner_text("#tip").startswith("fc: ")


def test_the_keyboard_reaches_bars_heads_and_rows(visit: Visit, analysis: Analysis) -> None:
    visit.page.focus("a[href='#p0-depthwise']")
    assert visit.page.inner_text("#tip").startswith("depthwise: ")
    visit.page.keyboard.press("Enter")
    assert visit.shown() == numbers(analysis, 0, "depthwise")
    visit.page.keyboard.press("Escape")
    visit.page.focus("#table thead button")
    visit.page.keyboard.press("Enter")
    assert visit.page.get_attribute("th[aria-sort]", "aria-sort") is not None


def test_every_control_has_a_name_for_screen_readers(visit: Visit) -> None:
    tree = visit.page.locator("body").aria_snapshot()
    assert '- button "Dark theme"' in tree
    assert '- searchbox "Search name, type or shape"' in tree
    assert '- heading "Roofline" [level=2]' in tree
    assert "- button:" not in tree
    assert "select its" in tree
    assert "- link:" not in tree


def test_names_that_are_html_run_nothing(browser: Any, tmp_path: Path) -> None:
    nodes = [
        node("Conv", [NASTY, "w"], [f"{NASTY}1"], name=NASTY),
        node(f"Odd{NASTY}", [f"{NASTY}1"], [f"{NASTY}2"], name=f"{NASTY}odd", domain=f"com.{NASTY}"),
    ]
    inputs, outputs = [value(NASTY, (1, 6, 5, 7))], [value(f"{NASTY}2", (1, 8, 5, 7))]
    file = save(model(nodes, inputs, [weight("w", 8, 6, 1, 1)], outputs=outputs), tmp_path, "a'b<i>c.onnx")
    page = tmp_path / "report.html"
    page.write_text(render(costmodel.analyze(str(file), platform=PAPER)), encoding="utf-8")
    visit = Visit(browser, page.as_uri())
    visit.page.fill("#search", "</script>")
    visit.page.hover("#o1 a")
    visit.page.click("#o1 a")
    visit.page.hover("#timeline .m[data-t]")
    assert visit.page.inner_text("#o1 a") == NASTY.replace("\n", "\N{REPLACEMENT CHARACTER}")
    assert visit.page.evaluate("typeof hacked") == "undefined"
    assert visit.complaints == []
    assert visit.requests == [page.as_uri()]
    assert visit.shown() == [1, 2]
    visit.page.close()


def test_without_script_the_page_can_be_read_and_has_no_dead_controls(browser: Any, address: str) -> None:
    visit = Visit(browser, address, java_script_enabled=False)
    assert visit.page.is_visible("#o40")
    assert visit.page.is_visible("svg.bar")
    for control in ("#theme", "#search", "#clear"):
        assert not visit.page.is_visible(control)
    visit.page.close()


def test_paper_gets_the_whole_table_in_dark_on_white(browser: Any, address: str) -> None:
    visit = Visit(browser, address, color_scheme="dark")
    visit.page.emulate_media(media="print", color_scheme="dark")
    assert visit.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert visit.page.evaluate("getComputedStyle(document.body).color") == "rgb(0, 0, 0)"
    assert not visit.page.is_visible("#search")
    assert visit.page.pdf(format="A4").startswith(b"%PDF")
    visit.page.close()


def test_links_to_sections_keep_what_is_selected(visit: Visit, analysis: Analysis) -> None:
    visit.page.click("a[href='#p0-depthwise'] rect")
    visit.page.click("nav a[href='#memory']")
    visit.wait("location.hash === '#memory'")
    assert visit.shown() == numbers(analysis, 0, "depthwise")
    assert abs(visit.page.evaluate("document.getElementById('memory').getBoundingClientRect().top")) < 50

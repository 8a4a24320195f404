"""The page of two networks in a real headless Chromium: what people see, click and type."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser import THEMES, WIDTHS, Visit, chromium

import costmodel
from costmodel.comparing import Comparison, State, compare
from costmodel.report import compare_html

PAPER = ("snapdragon810-neon-fp32-1t", "gtx1080ti-cudnn7-fp32")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as started:
        yield started


def compared(before: str, after: str) -> Comparison:
    return compare(*(costmodel.analyze(name, platform=PAPER) for name in (before, after)))


@pytest.fixture(scope="module")
def comparison() -> Comparison:
    """Changed, added and other layers: a stage that is longer, and all that are wider."""
    return compared("zoo:shufflenet_v2,width=0.5", "zoo:shufflenet_v2,width=0.5,residual=1,resolution=192")


def written(comparison: Comparison, folder: Path) -> str:
    file = folder / "diff.html"
    file.write_text(compare_html.render(comparison), encoding="utf-8")
    return file.as_uri()


@pytest.fixture(scope="module")
def address(comparison: Comparison, tmp_path_factory: pytest.TempPathFactory) -> str:
    return written(comparison, tmp_path_factory.mktemp("page"))


@pytest.fixture
def visit(browser: Any, address: str) -> Iterator[Visit]:
    visit = Visit(browser, address)
    yield visit
    visit.page.close()


def numbers(comparison: Comparison, *states: State) -> list[int]:
    """Rows of the layers that became this."""
    rows = [one for one in comparison.differences if one.state is not State.SAME]
    return [number for number, one in enumerate(rows, 1) if one.state in states or not states]


def test_the_page_says_nothing_and_asks_for_nothing(visit: Visit, address: str) -> None:
    visit.page.wait_for_timeout(200)
    assert visit.complaints == []
    assert visit.requests == [address]


@pytest.mark.parametrize("pair", [("zoo:resnet18", "zoo:resnet18"), ("zoo:mobilenet_v2", "zoo:resnet50")])
def test_pages_without_a_table_work_too(browser: Any, tmp_path: Path, pair: tuple[str, str]) -> None:
    visit = Visit(browser, written(compared(*pair), tmp_path))
    visit.page.click("#theme")
    visit.page.hover(".m[data-d] >> nth=0")
    assert " ms" in visit.page.inner_text("#tip")
    assert visit.complaints == []
    visit.page.close()


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("theme", THEMES)
def test_all_fits_and_can_be_told_from_what_is_behind(browser: Any, address: str, theme: str, width: int) -> None:
    visit = Visit(browser, f"{address}#s-added", color_scheme=theme, viewport={"width": width, "height": 800})
    assert visit.unreadable(of_at_least=300) == []
    assert visit.wider(width) == []
    visit.page.close()


@pytest.mark.parametrize("side", ["a", "b"])
def test_a_click_on_a_cell_shows_its_row_and_lights_the_layer_in_the_other_strip(
    visit: Visit, comparison: Comparison, side: str
) -> None:
    number = numbers(comparison, State.CHANGED)[2]
    visit.page.click(f".m[data-t='p1{side}{number}']")
    assert visit.shown() == [number]
    assert {f"p1a{number}", f"p1b{number}"} <= set(visit.lit())
    assert visit.page.inner_text("#chosen").startswith(f"1 of {len(numbers(comparison))} layers: ")
    visit.page.keyboard.press("Escape")
    assert visit.shown() == numbers(comparison)


@pytest.mark.parametrize("state", [State.CHANGED, State.FOLLOWS, State.ADDED])
def test_states_filter_the_table(visit: Visit, comparison: Comparison, state: State) -> None:
    visit.page.click(f".controls a[href='#s-{state.value}']")
    visit.page.wait_for_function("document.documentElement.classList.contains('selecting')")
    assert visit.shown() == numbers(comparison, state)
    visit.page.click("#clear")
    assert visit.shown() == numbers(comparison)


def test_a_part_of_a_bar_selects_its_layers_that_differ(visit: Visit, comparison: Comparison) -> None:
    visit.page.click("a[href='#p0b-depthwise'] rect")
    rows = [one for one in comparison.differences if one.state is not State.SAME]
    expected = [
        number for number, one in enumerate(rows, 1) if one.after and one.after.own.get("groups") == "depthwise"
    ]
    assert expected
    assert visit.shown() == expected


def test_the_table_sorts_and_searches(visit: Visit, comparison: Comparison) -> None:
    rows = [one for one in comparison.differences if one.state is not State.SAME]
    visit.page.get_by_role("button", name="mult-adds", exact=True).click()
    costs = [rows[number - 1].mult_adds for number in visit.shown()]
    assert costs == sorted(costs, reverse=True)
    assert costs[-1] < 0
    visit.page.get_by_role("button", name="#", exact=True).click()
    visit.page.fill("#search", "stage3 ADDED")
    assert visit.shown() == [
        number for number in numbers(comparison, State.ADDED) if "stage3" in rows[number - 1].layer.label
    ]


def test_the_keyboard_walks_along_a_strip_and_selects(visit: Visit, comparison: Comparison) -> None:
    visit.page.focus(".strips .walk >> nth=1")
    visit.page.keyboard.press("End")
    last = numbers(comparison)[-1]
    rows = [one for one in comparison.differences if one.state is not State.SAME]
    assert visit.page.inner_text("#tip").startswith(f"{rows[-1].layer.label}: ")
    visit.page.keyboard.press("Enter")
    assert visit.shown() == [last]


def test_a_cell_that_is_the_same_tells_its_name(visit: Visit, comparison: Comparison) -> None:
    same = max(comparison.of(State.SAME), key=lambda one: one.seconds[0][1])
    visit.page.hover(f".m.same[data-d^='{same.layer.label}: the same'] >> nth=0")
    assert visit.page.inner_text("#tip").startswith(f"{same.layer.label}: the same, ")


def test_without_script_and_on_paper_the_page_can_be_read(browser: Any, address: str) -> None:
    visit = Visit(browser, address, java_script_enabled=False)
    assert visit.page.is_visible("#o5")
    assert visit.page.is_visible(".bands")
    assert not visit.page.is_visible("#search")
    visit.page.close()
    visit = Visit(browser, address, color_scheme="dark")
    visit.page.emulate_media(media="print", color_scheme="dark")
    assert visit.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert visit.unreadable(of_at_least=300) == []
    assert visit.page.pdf(format="A4").startswith(b"%PDF")
    visit.page.close()

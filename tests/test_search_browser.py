"""The page of a search in a real headless Chromium: what people see, click and type."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from browser import THEMES, WIDTHS, Visit, chromium
from search_outcomes import ARM, GPU, outcome

from search.capacity import capacity_of
from search.design import load_design, standard
from search.page import render
from search.page.shown import FRONT, TABLE_5, Entry, Shown
from search.refine import Round, Trial
from search.report import Outcome
from search.result import Step

NASTY = "</script><script>hacked=1</script>\"'\n><img src=x onerror=hacked=1>"
NAME = "document.querySelector('#design h3').textContent"
CHOSEN = "() => [...document.querySelectorAll('tr.chosen')].map((row) => Number(row.id.slice(1)))"
# Where rings are, and where the marks that are on are, as the middles of their boxes.
MIDDLES = """(selector) => [...document.querySelectorAll(selector)].map((one) => {
  const box = one.getBoundingClientRect();
  return [Math.round(box.x + box.width / 2), Math.round(box.y + box.height / 2)];
})"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def found() -> Outcome:
    """An outcome that has every section."""
    one = outcome({ARM: 0.080, GPU: 0.0013})
    best = one.result.best[0]
    steps = (Step(3, 0.5 * best.capacity), Step(70, best.capacity))
    rounds = (
        Round(1, 1.0, (Trial(standard(1.0), best.latency[ARM], 0.07), Trial(best.design, best.latency[ARM], 0.09))),
    )
    front = replace(one.result, proven=False, history=steps, front=one.result.best, examined=90)
    return replace(one, result=front, optimum=best, rounds=rounds)


@pytest.fixture(scope="module")
def shown(found: Outcome) -> Shown:
    return Shown(found)


@pytest.fixture(scope="module")
def address(found: Outcome, tmp_path_factory: pytest.TempPathFactory) -> str:
    file = tmp_path_factory.mktemp("page") / "search.html"
    file.write_text(render(found), encoding="utf-8")
    return file.as_uri()


@pytest.fixture
def visit(browser: Any, address: str) -> Iterator[Visit]:
    visit = Visit(browser, address)
    yield visit
    visit.page.close()


def texts(visit: Visit) -> list[str]:
    """What stands in the panel's slots."""
    return visit.page.locator("#design .slot").all_text_contents()


def click(visit: Visit, entry: Entry, plot: int = 0) -> None:
    visit.page.locator("#front .plot").nth(plot).locator(f"[data-t='{entry.token}']").dispatch_event("click")


def names(visit: Visit, entry: Entry) -> None:
    """Waits until the panel shows the design."""
    visit.wait(f"{NAME} === {json.dumps(entry.name)}")


def test_the_page_says_nothing_and_asks_for_nothing(visit: Visit, address: str) -> None:
    visit.page.wait_for_timeout(200)
    assert visit.complaints == []
    assert visit.requests == [address]


def test_the_script_draws_the_best_design_as_the_page_has_it(browser: Any, visit: Visit, address: str) -> None:
    """Both make the same elements: what people see without a script is what they see with one."""
    still = Visit(browser, address, java_script_enabled=False)
    markup = [one.page.locator("#design .pieces").inner_html() for one in (still, visit)]
    assert markup[0] == markup[1]
    assert texts(still) == texts(visit)
    still.page.close()


@pytest.mark.parametrize("plot", [0, 1])
def test_a_click_on_any_point_shows_its_design(visit: Visit, shown: Shown, plot: int) -> None:
    points = visit.page.locator("#front .plot").nth(plot).locator(".m[data-t]")
    tokens = points.evaluate_all("(all) => all.map((one) => one.dataset.t)")
    assert len(tokens) > 20
    for token in [*tokens[:: len(tokens) // 6], tokens[-1]]:
        entry = shown.entries[int(token[1:]) - 1]
        click(visit, entry, plot)
        names(visit, entry)
        design = entry.candidate.design
        assert design.reference in texts(visit)
        assert visit.page.locator("#design .pieces rect").count() == 2 + 2 * sum(one.units for one in design.stages)
        widths = visit.page.evaluate(
            "[...document.querySelectorAll('#design .pieces li')].map((piece) => [...piece.querySelectorAll('rect')]"
            ".filter((box) => box.getAttribute('y') === '0').map((box) => Number(box.getAttribute('width'))))"
        )
        halves = [[one.channels - one.branch, one.branch] for one in design.stages]
        assert widths == [[design.stem], *halves, [design.head]]
        assert visit.page.evaluate(CHOSEN) == [entry.number]


def test_a_mouse_click_stays_where_it_is(visit: Visit, shown: Shown) -> None:
    """The address names the design; the page must not scroll away to its row."""
    entry = shown.of(TABLE_5)[2]
    point = visit.page.locator("#front .plot").first.locator(f"[data-t='{entry.token}']")
    point.scroll_into_view_if_needed()
    before = visit.page.evaluate("scrollY")
    point.click()
    names(visit, entry)
    assert visit.page.evaluate("scrollY") == before
    assert visit.page.evaluate("location.hash") == f"#{entry.token}"
    assert visit.page.inner_text("#chosen").startswith(f"{entry.name}: Table 5, 1.5x")


def test_a_ring_marks_the_design_on_every_platform(visit: Visit, shown: Shown) -> None:
    entry = shown.of(TABLE_5)[0]
    click(visit, entry)
    names(visit, entry)
    rings = visit.page.evaluate(MIDDLES, "#front .ring")
    assert len(rings) == 2
    assert rings == visit.page.evaluate(MIDDLES, f"#front .m[data-t='{entry.token}']")


def test_a_touch_beside_a_point_takes_the_nearest(visit: Visit, shown: Shown) -> None:
    entry = shown.of(TABLE_5)[3]
    point = visit.page.locator("#front .plot").first.locator(f"[data-t='{entry.token}']")
    point.scroll_into_view_if_needed()
    box = point.bounding_box()
    visit.page.mouse.click(box["x"] + box["width"] / 2, box["y"] - 9)
    names(visit, entry)


def test_rows_links_and_addresses_show_designs_too(browser: Any, visit: Visit, shown: Shown, address: str) -> None:
    entry = shown.of(FRONT)[-1]
    visit.page.click(f"#o{entry.number} a")
    names(visit, entry)
    assert entry.token in visit.lit()
    visit.page.locator("#widths a").nth(3).click()
    own = shown.of(TABLE_5)[1]
    names(visit, own)
    visit.page.keyboard.press("Escape")
    names(visit, shown.best)
    sent = Visit(browser, f"{address}#o{entry.number}")
    names(sent, entry)
    sent.page.close()


def test_limits_are_said_to_be_exceeded(visit: Visit, shown: Shown) -> None:
    over = next(entry for entry in shown.entries if entry.exceeded)
    assert visit.page.get_attribute("#limits", "class") == "kept"
    click(visit, over, 1 if over not in shown.on_front(shown.outcome.fronts[0]) else 0)
    names(visit, over)
    assert visit.page.get_attribute("#limits", "class") == "exceeded"
    assert "Over the limits: " in visit.page.inner_text("#limits")


def test_the_keyboard_walks_over_points_and_chooses(visit: Visit, shown: Shown) -> None:
    front = shown.on_front(shown.outcome.fronts[0])
    visit.page.locator("#front .walk").first.focus()
    visit.page.keyboard.press("Home")
    assert visit.page.inner_text("#tip").startswith(f"{front[0].name}: ")
    visit.page.keyboard.press("Enter")
    names(visit, front[0])
    visit.page.keyboard.press("ArrowRight")
    visit.page.keyboard.press("Enter")
    names(visit, front[1])


def test_the_table_sorts_and_filters(visit: Visit, shown: Shown) -> None:
    visit.page.get_by_role("button", name="params", exact=True).click()
    params = [entry.candidate.params for entry in shown.entries]
    assert [params[row - 1] for row in visit.shown()] == sorted(params, reverse=True)
    visit.page.fill("#search", "table 5")
    rows = {entry.number for entry in shown.of(TABLE_5)}
    assert set(visit.shown()) == rows
    visit.page.click("#clear")
    visit.page.click("#front .legend a[href='#r-table5']")
    visit.wait("document.documentElement.classList.contains('selecting')")
    assert set(visit.shown()) == rows
    assert set(visit.lit()) == {f"d{row}" for row in rows}


def test_the_bar_leads_to_the_design_and_to_its_row(browser: Any, address: str, shown: Shown) -> None:
    visit = Visit(browser, address, viewport={"width": WIDTHS[1], "height": 844}, has_touch=True)
    entry = shown.of(TABLE_5)[1]
    click(visit, entry)
    names(visit, entry)
    visit.page.get_by_role("button", name="Show design").click()
    assert abs(visit.page.evaluate("document.getElementById('design').getBoundingClientRect().top")) < 60
    visit.page.get_by_role("button", name="Show in table").click()
    assert visit.page.locator(f"#o{entry.number}").bounding_box()["y"] == pytest.approx(422, abs=200)
    visit.page.close()


def test_a_saved_file_is_a_design_file(visit: Visit, shown: Shown, tmp_path: Path) -> None:
    entry = shown.of(TABLE_5)[3]
    click(visit, entry)
    names(visit, entry)
    with visit.page.expect_download() as download:
        visit.page.click("#save")
    file = tmp_path / "design.json"
    download.value.save_as(file)
    assert load_design(file) == entry.candidate.design
    assert visit.complaints == []


def test_a_name_is_copied(browser: Any, address: str, shown: Shown) -> None:
    visit = Visit(browser, address, permissions=["clipboard-read", "clipboard-write"])
    visit.page.click("#best .copy")
    visit.wait("document.querySelector('#best .copy').textContent === 'Copied'")
    assert visit.page.evaluate("navigator.clipboard.readText()") == shown.best.candidate.design.reference
    visit.page.close()


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_is_wider_than_the_page(browser: Any, address: str, width: int) -> None:
    visit = Visit(browser, address, viewport={"width": width, "height": 800})
    assert visit.wider(width) == []
    visit.page.close()


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("theme", THEMES)
def test_text_and_marks_can_be_told_from_what_is_behind(browser: Any, address: str, theme: str, width: int) -> None:
    visit = Visit(browser, f"{address}#d2", color_scheme=theme, viewport={"width": width, "height": 800})
    assert visit.unreadable(of_at_least=500) == []
    visit.page.close()


def test_every_control_has_a_name_for_screen_readers(visit: Visit) -> None:
    tree = visit.page.locator("body").aria_snapshot()
    assert '- complementary "The chosen design"' in tree
    assert '- searchbox "Search stages, what it is or limits"' in tree
    assert '- button "Copy the command costmodel check"' in tree
    assert "- button:" not in tree
    assert "- link:" not in tree


def test_without_script_the_best_design_and_the_tables_are_there(browser: Any, address: str, shown: Shown) -> None:
    visit = Visit(browser, address, java_script_enabled=False)
    assert visit.page.inner_text("#design h3") == shown.best.name
    assert visit.page.locator("#design .pieces svg").count() == 5
    assert visit.page.is_visible(f"#o{len(shown.entries)}")
    for control in ("#theme", "#search", "#save", ".copy >> nth=0", ".ring >> nth=0"):
        assert not visit.page.is_visible(control)
    visit.page.close()


def test_names_that_are_html_run_nothing(browser: Any, tmp_path: Path) -> None:
    own = replace(capacity_of("params"), name=NASTY, unit=NASTY, summary=NASTY)
    file = tmp_path / "search.html"
    file.write_text(render(outcome({ARM: 0.080}, [ARM], capacity=own)), encoding="utf-8")
    visit = Visit(browser, file.as_uri())
    visit.page.click("#o3 a")
    visit.page.hover("#front .m[data-t='d3']", force=True)
    assert visit.page.evaluate("typeof hacked") == "undefined"
    assert visit.complaints == []
    assert visit.requests == [file.as_uri()]
    assert NASTY.replace("\n", "\N{REPLACEMENT CHARACTER}") in visit.page.inner_text("#tip")
    visit.page.close()


def test_paper_gets_the_chosen_design_and_all_rows(browser: Any, address: str, shown: Shown) -> None:
    visit = Visit(browser, f"{address}#d3", color_scheme="dark")
    visit.page.emulate_media(media="print", color_scheme="dark")
    assert visit.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert visit.page.inner_text("#design h3") == shown.entries[2].name
    assert len(visit.shown()) == len(shown.entries)
    assert visit.page.pdf(format="A4").startswith(b"%PDF")
    visit.page.close()

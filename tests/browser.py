"""A real headless Chromium, driven by Playwright, and what tests of pages look at. Tests that import it are skipped
where one of the two is missing."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
if CHROMIUM is None:
    pytest.skip("needs Chromium: apt-get install chromium", allow_module_level=True)
playwright = pytest.importorskip("playwright.sync_api", reason="needs Playwright: pip install playwright")

WIDTHS = (1280, 390)
THEMES = ("light", "dark")
READABLE = 4.5  # WCAG 2.1, 1.4.3: text; 1.4.11 asks 3 of graphics
VISIBLE = 3.0

# The WCAG contrast of every text that is shown and of every coloured mark with what lies behind it.
CONTRASTS = """() => {
  const rgb = (text) => text.match(/[\\d.]+/g).map(Number);
  const part = (c) => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  const luminance = ([r, g, b]) => 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  const contrast = (a, b) => {
    const [low, high] = [luminance(a), luminance(b)].sort((x, y) => x - y);
    return (high + 0.05) / (low + 0.05);
  };
  const behind = (element) => {
    for (let one = element; one; one = one.parentElement) {
      if (one.classList.contains("on-part")) return rgb(getComputedStyle(one.previousElementSibling).fill);
      const color = rgb(getComputedStyle(one).backgroundColor);
      if (color.length === 3 || color[3] > 0) return color;
    }
    return [255, 255, 255];
  };
  const result = [];
  for (const element of document.body.querySelectorAll("*")) {
    const own = [...element.childNodes].some((child) => child.nodeType === 3 && child.textContent.trim());
    const style = getComputedStyle(element);
    if (own && !["SCRIPT", "STYLE"].includes(element.tagName) && element.getClientRects().length) {
      const color = rgb(element.namespaceURI.endsWith("svg") ? style.fill : style.color);
      result.push(["text", element.textContent.slice(0, 40), contrast(color, behind(element))]);
    }
    if (element.matches("rect.m, circle.m, .pieces rect, .key"))
      result.push(["mark", element.getAttribute("class"),
        contrast(rgb(element.matches(".key") ? style.backgroundColor : style.fill), behind(element.parentElement))]);
  }
  return result;
}"""


@contextmanager
def chromium() -> Iterator[Any]:
    """A browser; to start it takes a second, so it serves a whole module."""
    with playwright.sync_playwright() as driver:
        # root, as in containers, has no sandbox
        started = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


class Visit:
    """A page that is open, with what it said and asked for."""

    def __init__(self, browser: Any, address: str, **options: Any) -> None:
        options = {"viewport": {"width": WIDTHS[0], "height": 900}, "reduced_motion": "reduce", **options}
        self.page = browser.new_page(**options)
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(address)

    def shown(self) -> list[int]:
        """Numbers of the operators that the table shows, from above."""
        script = "() => [...document.querySelectorAll('#table tbody tr:not([hidden])')].map((row) => row.id.slice(1))"
        return [int(number) for number in self.page.evaluate(script)]

    def lit(self) -> list[str]:
        """Tokens of the marks that are selected."""
        return self.page.evaluate("() => [...document.querySelectorAll('.m.on')].map((mark) => mark.dataset.t)")

    def wait(self, expression: str) -> None:
        """Until an expression is true. Playwright's own waiting evaluates in the page, which its policy refuses."""
        for _ in range(250):
            if self.page.evaluate(expression):
                return
            self.page.wait_for_timeout(20)
        raise AssertionError(f"never true: {expression}")

    def unreadable(self, *, of_at_least: int) -> list[Any]:
        """Texts and coloured marks that can hardly be told from what is behind them, with their contrast."""
        self.page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        found = self.page.evaluate(CONTRASTS)
        assert len(found) > of_at_least
        least = {"text": READABLE, "mark": VISIBLE}
        return [entry for entry in found if entry[2] < least[entry[0]]]

    def wider(self, width: int) -> list[str]:
        """What reaches over the edges of a page of that width."""
        pictures = [(one, one.bounding_box()) for one in self.page.query_selector_all("svg.plot, svg.bar")]
        whole = self.page.evaluate("document.documentElement.scrollWidth")
        found = [f"the page is {whole} wide"] * (whole > width)
        return found + [
            f"a picture from {box['x']:.0f}, {box['width']:.0f} wide"
            for _, box in pictures
            if box["x"] < 0 or box["x"] + box["width"] > width
        ]

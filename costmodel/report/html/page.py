"""The page: sections in their order, with the style and the script that it carries."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

from costmodel.analysis import Analysis
from costmodel.errors import UsageError
from costmodel.report.html.bars import where_time_goes
from costmodel.report.html.counts import counts
from costmodel.report.html.findings import findings
from costmodel.report.html.markup import Content, Markup, join, tag
from costmodel.report.html.memory import memory
from costmodel.report.html.operators import operators
from costmodel.report.html.overview import latencies, totals
from costmodel.report.html.rooflines import rooflines
from costmodel.report.html.sections import Section
from costmodel.report.html.shown import Shown
from costmodel.report.html.timeline import timeline
from costmodel.report.latency import times


def render(analysis: Analysis) -> str:
    """The analysis as one HTML file that loads nothing: it works from a disk, and as an attachment.

    Raises UsageError for graphs of columns or symbols: a page shows one network.
    """
    if not all(isinstance(count, int) for count in (analysis.totals.memory_access, analysis.totals.mult_adds)):
        raise UsageError(
            f"{analysis.model}: a page shows one network, and its sizes are columns or symbols; give all sizes"
        )
    shown = Shown(analysis, tuple(times(analysis)), analysis.check() if analysis.platforms else None)
    sections = [part for part in (totals(analysis), *_sections(shown), operators(shown)) if part is not None]
    links = [tag("a", part.title, href=f"#{part.id}") for part in sections]
    content = tag("main", *(part.content for part in sections))
    return page(f"{analysis.model} - costmodel", _top(analysis, links), content)


def _sections(shown: Shown) -> Iterator[Section | None]:
    """All but the first and the last; those of platforms where there are any."""
    if shown.times:
        yield latencies(shown)
        yield where_time_goes(shown)
        yield timeline(shown)
        yield rooflines(shown)
    yield counts(shown)
    yield memory(shown)
    if shown.review is not None:
        yield findings(shown, shown.review)


def page(title: str, *body: Content, scripts: Sequence[str] = ("analysis.js",), styles: Sequence[str] = ()) -> str:
    """A whole document. Its policy lets nothing run or load but its own styles and scripts, which it carries.

    scripts, styles: files beside this module, or with their whole paths, which follow base.js and page.css in their
    order; analysis.js is that of pages with a table (#table), and does nothing on one without.
    """
    sheets = [_resource(name) for name in ("page.css", *styles)]
    codes = [_resource(name) for name in ("base.js", *scripts)]
    policy = (
        f"default-src 'none'; script-src {_digests(codes)}; style-src {_digests(sheets)}; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    head = (
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("link", rel="icon", href="data:,"),
        tag("title", title),
        *(tag("style", sheet) for sheet in sheets),
    )
    ending = (*_messages("analysis.js" in scripts), *(tag("script", code) for code in codes))
    content = tag("html", tag("head", *head), tag("body", *body, *ending), lang="en")
    return join([Markup("<!doctype html>\n"), content, Markup("\n")])


def _top(analysis: Analysis, links: Sequence[Markup]) -> Markup:
    return tag(
        "header",
        tag("p", "What a network costs", class_="muted"),
        tag("h1", analysis.model),
        tag("button", "Dark", id="theme", type="button", class_="script"),
        tag("nav", *links, aria_label="Sections"),
    )


def _messages(selects: bool) -> Iterator[Markup]:
    """Say what a mark is and, where marks select rows, what is selected; also to screen readers."""
    yield tag("div", id="tip", role="status", hidden=True)
    if selects:
        yield tag(
            "div",
            tag("p", id="chosen", role="status"),
            tag("button", "Show in table", id="show", type="button"),
            tag("button", "Clear", id="clear", type="button"),
            id="bar",
            hidden=True,
        )


def _digests(texts: Sequence[str]) -> str:
    """What a policy calls them."""
    hashes = (hashlib.sha256(text.encode()).digest() for text in texts)
    return " ".join(f"'sha256-{base64.b64encode(one).decode()}'" for one in hashes)


@cache
def _resource(name: str) -> Markup:
    return Markup((Path(__file__).parent / name).read_text(encoding="utf-8"))

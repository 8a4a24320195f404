"""The frame of every page: a document that loads nothing, its heading, links to sections, style and scripts."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

from costmodel.report.html.markup import Content, Markup, join, tag
from costmodel.report.html.sections import Section


def page(
    title: str,
    about: str,
    sections: Sequence[Section],
    *,
    heading: Content = None,
    verdict: Content = None,
    after: Content = None,
    scripts: Sequence[str] = ("analysis.js",),
    styles: Sequence[str] = (),
) -> str:
    """A whole document. Its policy lets nothing run or load but its own styles and scripts, which it carries.

    about: what kind of page it is, above the title. heading: the title as it is shown, if not as text. verdict: stands
    below it. after: follows the sections. scripts, styles: files beside this module, or with their whole paths, which
    follow base.js and page.css in their order; analysis.js is that of pages with a table (#table), and does nothing on
    one without.
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
        tag("title", f"{title} - costmodel"),
        *(tag("style", sheet) for sheet in sheets),
    )
    top = tag(
        "header",
        tag("p", about, class_="muted"),
        tag("h1", heading or title),
        tag("button", "Dark", id="theme", type="button", class_="script"),
        verdict,
        tag("nav", *(tag("a", part.title, href=f"#{part.id}") for part in sections), aria_label="Sections"),
    )
    main = tag("main", *(part.content for part in sections))
    ending = (*_messages("analysis.js" in scripts), *(tag("script", code) for code in codes))
    content = tag("html", tag("head", *head), tag("body", top, main, after, *ending), lang="en")
    return join([Markup("<!doctype html>\n"), content, Markup("\n")])


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

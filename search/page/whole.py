"""The page: sections in their order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from costmodel.report.html.frame import page
from costmodel.report.html.sections import Section
from search.page.asked import asked
from search.page.best import best
from search.page.data import data
from search.page.designs import designs
from search.page.fronts import fronts
from search.page.history import history, rounds
from search.page.shown import Shown
from search.page.widths import widths
from search.report import Outcome, limit_texts

_SCRIPT, _STYLE = (str(Path(__file__).with_name(name)) for name in ("designs.js", "designs.css"))


def render(outcome: Outcome) -> str:
    """The outcome as one HTML file that loads nothing. The same outcome gives the same text."""
    shown = Shown(outcome)
    sections = tuple(_sections(shown))
    scripts, styles = ("analysis.js", _SCRIPT), (_STYLE,)
    return page(_title(outcome), "What a search found", sections, after=data(shown), scripts=scripts, styles=styles)


def _sections(shown: Shown) -> Iterator[Section]:
    yield asked(shown)
    yield best(shown)
    yield fronts(shown)
    yield from filter(None, (history(shown), rounds(shown), widths(shown)))
    yield designs(shown)


def _title(outcome: Outcome) -> str:
    limits = outcome.limits
    kept = [f"{seconds * 1e3:g} ms on {platform}" for platform, seconds in limits.budgets.items()]
    kept += [text.removeprefix("at most ") for text in limit_texts(replace(limits, budgets={}))]
    if kept:
        return f"ShuffleNet V2 within {', '.join(kept[:-1])}{' and ' * (len(kept) > 1)}{kept[-1]}"
    names = ", ".join(platform.id for platform in outcome.evaluator.platforms)
    return f"ShuffleNet V2 designs for {names}"

"""The pictures of the README are those that the tool draws."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
DRAWING = runpy.run_path(str(ROOT / "docs" / "pictures" / "draw.py"), run_name="draw")


def test_the_readme_shows_every_picture_that_is_drawn_and_no_other_and_says_in_words_what_is_on_it() -> None:
    shown = {path: words for words, path in re.findall(r"!\[([^\]]*)\]\(([^)]*)\)", README)}
    assert set(shown) == {f"docs/pictures/{name}" for name in DRAWING["PICTURES"]}
    assert all(len(words) > 80 for words in shown.values())


def test_a_picture_is_text_that_loads_nothing() -> None:
    for name in DRAWING["PICTURES"]:
        content = (ROOT / "docs" / "pictures" / name).read_text(encoding="utf-8")
        assert "<text" in content
        links = re.findall(r'(?:href|src)="([^"]*)"', content) + re.findall(r"url\(([^)]*)\)", content)
        assert all(link.startswith("#") for link in links), name


@pytest.mark.thorough
def test_the_pictures_are_what_is_drawn_now(capsys: pytest.CaptureFixture[str]) -> None:
    assert DRAWING["main"](["--check"]) == 0, capsys.readouterr().err


def test_the_held_out_picture_says_the_errors_that_the_readme_says() -> None:
    content = (ROOT / "docs" / "pictures" / "held_out.svg").read_text(encoding="utf-8")
    drawn = re.findall(r">([0-9.]+ %) off in the mean<", content)
    words = re.search(r"!\[([^\]]*)\]\(docs/pictures/held_out.svg\)", README)
    assert len(drawn) == 3
    assert words is not None
    assert re.findall(r"[0-9.]+ %", words[1]) == drawn

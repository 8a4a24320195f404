"""The three places that say how to cite the software agree."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
CITATION = (ROOT / "CITATION.cff").read_text(encoding="utf-8")


def test_the_citations_name_the_version_that_is_packaged() -> None:
    packaged = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert re.findall(r"^version: (.*)$", CITATION, re.MULTILINE) == [packaged]
    assert re.findall(r"version += {(.*?)}", README) == [packaged]


def test_the_readme_and_the_citation_file_name_the_same_two_works() -> None:
    entries = re.findall(r"^  title +=\s+\{(.*)\},$", README, re.MULTILINE)
    titles = re.findall(r'^ *(?:- type: .*\n +)?title: "(.*)"$', CITATION, re.MULTILINE)
    assert [re.sub(r"[{}]", "", title) for title in entries] == titles
    for family in re.findall(r"family-names: (.*)", CITATION):
        assert re.search(rf"author += {{.*\b{family}, ", README)

"""Every block of the README and of other pages that fit platforms does what it says; test_docs.py has the rest."""

from __future__ import annotations

from pathlib import Path

import pytest
from doc_blocks import PAGES, blocks, calibrates, page_name
from doc_reader import goes_through


@pytest.mark.parametrize("page", [page for page in PAGES if calibrates(page)], ids=page_name)
def test_every_block_of_the_page_runs(page: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    goes_through(blocks(page), tmp_path, capfd)

"""The held-out report: what its text, picture and page say, for ugly names too."""

from __future__ import annotations

import builtins
import xml.etree.ElementTree as ElementTree
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from calibration import report as reports
from calibration.report import Report, Row
from costmodel.errors import UsageError
from costmodel.platforms import Accuracy

UGLY = '<script>alert("1")</script> & $x_1$ \x1b[31m zoo'
LONG = "zoo:" + "a_very_long_name_of_a_network," * 8


def accuracy(count: int) -> Accuracy:
    return Accuracy("leave one network out", count, count, 0.0825, 0.05, 0.5, 0.75, 0.912, 0.4, 0.2)


def report_of(*rows: tuple[str, float, float]) -> Report:
    """Rows of (network, measured ms, predicted ms); baselines at 1.5 and 1.2 times the measured time."""
    seconds = tuple(Row(name, m / 1e3, p / 1e3, 1.5 * m / 1e3, 1.2 * m / 1e3) for name, m, p in rows)
    return Report("board-runtime-fp32-1t", seconds, accuracy(len(rows)))


SMALL = report_of(("zoo:a", 10, 10.5), ("zoo:b", 20, 10), ("zoo:c", 40, 60), ("zoo:d", 1.2345, 1.2345))


def test_the_worst_is_furthest_off_as_a_ratio() -> None:
    assert [row.network for row in SMALL.worst] == ["zoo:b", "zoo:c", "zoo:a", "zoo:d"]  # 2, 1.5, 1.05, 1 times off
    assert [round(row.error, 9) for row in SMALL.worst] == [-0.5, 0.5, 0.05, 0]


def test_the_text_has_the_summary_beside_both_baselines_and_the_worst() -> None:
    lines = reports.text(SMALL, 80, worst=3).splitlines()
    assert lines[0] == "board-runtime-fp32-1t"
    assert "leave one network out" in " ".join(lines[1:3])
    figures = {line.split("  ")[0]: line.split()[-8:] for line in lines if line.endswith("%")}
    assert figures["this profile"] == ["8.2", "%", "5.0", "%", "50.0", "%", "75.0", "%"]
    assert figures["mult-adds only, a line"] == ["40.0", "%", "50.0", "%", "0.0", "%", "0.0", "%"]
    assert figures["mult-adds and memory access, linear"] == ["20.0", "%", "20.0", "%", "0.0", "%", "0.0", "%"]
    rows = [line.split() for line in lines if line.startswith("zoo:")]
    assert [row[0] for row in rows] == ["zoo:b", "zoo:c", "zoo:a"]
    assert rows[0][1:] == ["20.00", "10.00", "-50.0", "%", "+50", "%", "+20", "%"]
    assert "The 3 worst of 4 predictions, in ms" in lines


def test_the_text_fits_a_terminal_and_a_pipe_never_cuts_names() -> None:
    report = report_of((LONG, 10, 20), (UGLY, 1, 1))
    assert max(map(len, reports.text(report, 80).splitlines())) <= 80
    piped = reports.text(report)
    assert LONG in piped
    assert "\x1b" not in piped


def test_the_picture_is_well_formed_and_names_the_worst() -> None:
    drawn = reports.svg(report_of((UGLY, 10, 20), ("zoo:fine", 1, 1.01)))
    texts = [
        "".join(element.itertext()) for element in ElementTree.fromstring(drawn).iter() if element.tag.endswith("text")
    ]
    assert any(text.startswith('1  <script>alert("1")</script> & $x_1$ ') and text.endswith("+100 %") for text in texts)
    assert not any("zoo:fine" in text for text in texts)
    assert "\x1b" not in drawn
    assert "prefers-color-scheme: dark" in drawn


def test_the_same_report_gives_the_same_picture() -> None:
    assert reports.svg(SMALL) == reports.svg(SMALL)
    assert reports.png(SMALL) == reports.png(SMALL)


@pytest.mark.parametrize(
    "report",
    [
        report_of(),
        report_of(("zoo:only", 5, 5)),
        report_of(*((f"zoo:{i}", 10.0 + i, 11.0 + i) for i in range(400))),
        report_of(("zoo:quick", 1e-4, 2e-4), ("zoo:slow", 1e6, 1e6)),
    ],
    ids=["none", "one", "many", "wide"],
)
def test_odd_reports_are_drawn(report: Report) -> None:
    assert reports.png(report).startswith(b"\x89PNG")
    ElementTree.fromstring(reports.svg(report))
    assert reports.text(report)
    assert f"All {len(report.rows)} predictions" in reports.html(report)


class _Page(HTMLParser):
    """Cells and tags of a page, and whatever it would load from elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.cells: list[str] = []
        self.tags: set[str] = set()
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.links += [value for name, value in attrs if name in ("src", "href", "xlink:href") and value]
        if tag == "td":
            self.cells.append("")

    def handle_data(self, data: str) -> None:
        if self.cells and self.lasttag == "td":
            self.cells[-1] += data


def test_the_page_is_self_contained_and_escaped() -> None:
    page = _Page()
    page.feed(reports.html(report_of((UGLY, 10, 20), ("zoo:fine", 1, 1.01))))
    assert "script" not in page.tags
    assert all(link.startswith("#") for link in page.links)
    assert [cell.rstrip() for cell in page.cells[15:22]] == [
        '<script>alert("1")</script> & $x_1$ \N{REPLACEMENT CHARACTER}[31m zoo',
        *("10.00", "20.00", "+100.0 %", "+50 %", "+20 %", "zoo:fine"),
    ]


@pytest.mark.parametrize(
    ("name", "start"), [("a.html", b"<!DOCTYPE html>"), ("a.svg", b"<?xml"), ("a.PNG", b"\x89PNG")]
)
def test_the_ending_says_the_format(tmp_path: Path, name: str, start: bytes) -> None:
    reports.write(SMALL, tmp_path / name)
    assert (tmp_path / name).read_bytes().startswith(start)


@pytest.mark.parametrize("name", ["report.pdf", "report", "missing/report.svg", "missing/report.png"])
def test_files_that_cannot_be_written_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match=r"^--report .*; (end it in|give another file)"):
        reports.write(SMALL, tmp_path / name)


def test_without_matplotlib_the_error_names_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def absent(name: str, *rest: Any, **named: Any) -> Any:
        if name.partition(".")[0] == "matplotlib":
            raise ImportError("No module named 'matplotlib'")
        return real(name, *rest, **named)

    monkeypatch.setattr(builtins, "__import__", absent)
    with pytest.raises(UsageError, match=r"pip install 'cnn-costmodel\[plot\]'"):
        reports.svg(SMALL)
    assert reports.text(SMALL)

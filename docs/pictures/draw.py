"""The pictures of README.md and the docs, drawn by the tool from what ships with it.

    python docs/pictures/draw.py            draw all, beside this file
    python docs/pictures/draw.py --check    exit status 1 where a file is not what is drawn now

The same versions of matplotlib and numpy draw the same bytes (constraints.txt has those that were used).
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

from calibration.build_profiles import build, shipped
from calibration.report import Report
from costmodel import analyze
from costmodel.cli import main as costmodel
from costmodel.report import pictures
from costmodel.writing import write_whole

FOLDER = Path(__file__).parent
STYLE = {"savefig.facecolor": "white", "axes.spines.top": False, "axes.spines.right": False}
INK, DOT, BAND = "#1d2126", "#1769aa", "#cfe3f7"

DESIGNS = ("zoo:shufflenet_v2", "zoo:mobilenet_v2", "zoo:nasnet_a_mobile")
PLATFORMS = ["gtx1080ti", "snapdragon810"]


def median_device() -> Report:
    """Held-out predictions for the ncnn device whose error is the median of those with fp32 and one thread."""
    reports = []
    for entry in shipped():
        identity = entry.identity
        if (identity.runtime, identity.precision, identity.threads) == ("ncnn", "fp32", 1):
            reports.append(build(entry)[1])
    return sorted(reports, key=lambda report: report.accuracy.mape)[len(reports) // 2]


def held_out() -> Any:
    """Latencies of a device as measured, over three ways of predicting those of networks that the fit had not seen."""
    from matplotlib.figure import Figure

    report = median_device()
    accuracy = report.accuracy
    figure = Figure(figsize=(9.6, 3.7), layout="constrained")
    panels = (
        ("from mult-adds alone", accuracy.baseline_mult_adds, [row.mult_adds_only for row in report.rows]),
        ("with memory access, too", accuracy.baseline_memory, [row.memory_line for row in report.rows]),
        ("by costmodel", accuracy.mape, [row.predicted for row in report.rows]),
    )
    measured = [row.measured * 1e3 for row in report.rows]
    places = [seconds * 1e3 for _, _, predicted in panels for seconds in predicted] + measured
    ends = (min(places) / 1.3, max(places) * 1.3)
    for axes, (way, error, predicted) in zip(figure.subplots(1, 3, sharey=True), panels, strict=True):
        axes.fill_between(ends, [0.9 * end for end in ends], [1.1 * end for end in ends], color=BAND, linewidth=0)
        axes.plot(ends, ends, color=INK, linewidth=0.8)
        axes.plot([seconds * 1e3 for seconds in predicted], measured, "o", color=DOT, markersize=5, markeredgewidth=0)
        axes.set(xscale="log", yscale="log", xlim=ends, ylim=ends, xlabel=f"predicted {way}, ms")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.set_title(f"{100 * error:.1f} % off in the mean", size=10)
    figure.axes[0].set_ylabel("measured, ms")
    figure.suptitle(
        f"{len(measured)} networks on {report.platform_id}, each unseen by the fit that predicts it", size=11
    )
    return figure


def time() -> Any:
    """Where the time of three mobile networks goes on the paper's two platforms; the legend once."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.2, 5.0), layout="constrained")
    first, *others = figure.subplots(len(DESIGNS), 1, sharex=True)
    for axes, name in zip((first, *others), DESIGNS, strict=True):
        analyze(name, platform=PLATFORMS).plot_time(ax=axes)
        if axes is not first:
            axes.get_legend().remove()
            axes.set_title(axes.get_title(loc="left"), loc="left", size="medium")
        if axes is not others[-1]:
            axes.set_xlabel("")
    return figure


def drawn(draw: Callable[[], Any]) -> str:
    return pictures.svg(draw, STYLE)


def search() -> str:
    """What `costmodel search --plot` draws for the budget of the README's example."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "search.svg"
        with redirect_stdout(StringIO()), redirect_stderr(StringIO()):
            budgets = ("--budget", "snapdragon810=40ms", "--budget", "gtx1080ti=1.1ms")
            costmodel(["search", *budgets, "--plot", str(path)])
        return path.read_text(encoding="utf-8")


PICTURES: dict[str, Callable[[], str]] = {
    "held_out.svg": lambda: drawn(held_out),
    "time.svg": lambda: drawn(time),
    "search.svg": search,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Draw or check; gives the exit status."""
    parser = argparse.ArgumentParser(description="Draws the pictures of README.md and the docs.")
    parser.add_argument("--check", action="store_true", help="compare with the files instead of writing them")
    options = parser.parse_args(arguments)
    stale = []
    for name, draw in PICTURES.items():
        path, content = FOLDER / name, draw()
        if not options.check:
            write_whole(path, content.encode())
        elif not path.is_file() or path.read_text(encoding="utf-8") != content:
            stale.append(name)
    for name in stale:
        print(f"docs/pictures/{name}: is not what is drawn now; run python docs/pictures/draw.py", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())

"""The held-out report of a calibration: how far predictions of networks that the fit had not seen were off.

A Report is data; text(), svg(), html() and png() render it. The picture needs matplotlib, the extra `plot`.
"""

from __future__ import annotations

import html as markup
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Group
from rich.text import Text

from costmodel.errors import UsageError
from costmodel.platforms import Accuracy
from costmodel.report.names import plain
from costmodel.report.tables import table, to_text
from costmodel.writing import write_whole

WORST = 10  # networks that the text names

_HELD_OUT = "Every prediction is of a network that the fit had not seen"
_LINE, _PLANE = "mult-adds only, a line", "mult-adds and memory access, linear"


@dataclass(frozen=True, slots=True)
class Row:
    """One held-out network: its name, and seconds as measured and as predicted.

    mult_adds_only, memory_line: seconds that the two plain baselines predict, held out the same way.
    """

    network: str
    measured: float
    predicted: float
    mult_adds_only: float
    memory_line: float

    @property
    def error(self) -> float:
        """How far the prediction is off, as a fraction of the measured time: above 0 where it is too slow."""
        return self.predicted / self.measured - 1


@dataclass(frozen=True, slots=True)
class Report:
    """A platform's held-out predictions, and their summary."""

    platform_id: str
    rows: tuple[Row, ...]
    accuracy: Accuracy

    @property
    def worst(self) -> tuple[Row, ...]:
        """The rows, the largest error first: twice too fast is as bad as twice too slow."""
        return tuple(sorted(self.rows, key=lambda row: -abs(np.log(row.predicted / row.measured))))


@dataclass(frozen=True, slots=True)
class _Figures:
    """What one way of predicting gets wrong, as fractions."""

    name: str
    mape: float
    median: float
    within_5: float
    within_10: float


def text(report: Report, width: int | None = None, color: bool = False, worst: int = WORST) -> str:
    """The summary and the worst networks as tables.

    width: columns of the terminal; None for a pipe, where no name is folded. color: with ANSI styles.
    """
    summary = table("held-out error", "mean", "median", "within 5 %", "within 10 %")
    for figures in _figures(report):
        percents = (figures.mape, figures.median, figures.within_5, figures.within_10)
        summary.add_row(figures.name, *(f"{100 * share:.1f} %" for share in percents))
    shown = report.worst[:worst]
    networks = table("network", "measured", "predicted", "error", "mult-adds\nonly", "with\nmemory")
    for row in shown:
        networks.add_row(plain(row.network), *_cells(row))
    title = f"The {len(shown)} worst of {len(report.rows)} predictions, in ms" if shown else "No predictions"
    parts = (Text(plain(report.platform_id), "bold"), Text(_method(report)), Text(), summary, Text())
    return to_text(Group(*parts, Text(title, "bold"), networks), width, color)


def svg(report: Report) -> str:
    """Predicted against measured, as a picture that follows the reader's light or dark theme."""
    from calibration.plot import svg as draw

    return draw(report)


def png(report: Report) -> bytes:
    """The same picture in pixels."""
    from calibration.plot import png as draw

    return draw(report)


def html(report: Report) -> str:
    """A page of its own, without anything from elsewhere: the picture, the summary and all networks."""
    name = markup.escape(plain(report.platform_id))
    summary = "".join(
        f"<tr><td>{markup.escape(figures.name)}</td>"
        + "".join(
            f"<td>{100 * share:.1f} %</td>"
            for share in (figures.mape, figures.median, figures.within_5, figures.within_10)
        )
        + "</tr>\n"
        for figures in _figures(report)
    )
    networks = "".join(map(_html_row, report.worst))
    picture = svg(report)
    return _PAGE.format(
        title=name,
        method=markup.escape(_method(report)),
        picture=picture[picture.index("<svg") :],
        summary=summary,
        count=len(report.rows),
        networks=networks,
    )


def write(report: Report, path: str | Path) -> None:
    """Write the report as the file's ending says: .html, .svg or .png.

    Raises UsageError for another ending, for a file that cannot be written, and where matplotlib is missing.
    """
    target = Path(path)
    renderers: dict[str, Callable[[Report], str | bytes]] = {".html": html, ".svg": svg, ".png": png}
    render = renderers.get(target.suffix.lower())
    if render is None:
        raise UsageError(f"--report {path}: {target.suffix or 'no ending'} is not known; end it in .html, .svg or .png")
    content = render(report)
    try:
        if isinstance(content, str):
            write_whole(target, content)
        else:
            target.write_bytes(content)
    except OSError as error:
        raise UsageError(
            f"--report {path}: cannot be written ({error.strerror or error}); give another file"
        ) from error


def _method(report: Report) -> str:
    accuracy = report.accuracy
    return (
        f"{_HELD_OUT} ({plain(accuracy.method)}): {accuracy.networks} networks, {accuracy.samples} samples, "
        f"Kendall's tau {accuracy.tau:.3f}."
    )


def _figures(report: Report) -> list[_Figures]:
    """The prediction's figures and those of the baselines."""
    accuracy = report.accuracy
    own = _Figures("this profile", accuracy.mape, accuracy.median, accuracy.within_5, accuracy.within_10)
    return [
        own,
        _baseline(_LINE, accuracy.baseline_mult_adds, report.rows, lambda row: row.mult_adds_only),
        _baseline(_PLANE, accuracy.baseline_memory, report.rows, lambda row: row.memory_line),
    ]


def _baseline(name: str, mape: float, rows: Sequence[Row], predicted: Callable[[Row], float]) -> _Figures:
    if not rows:
        return _Figures(name, mape, np.nan, np.nan, np.nan)
    errors = np.abs(np.array([predicted(row) / row.measured for row in rows]) - 1)
    return _Figures(name, mape, float(np.median(errors)), float(np.mean(errors <= 0.05)), float(np.mean(errors <= 0.1)))


def _cells(row: Row) -> tuple[str, ...]:
    baselines = (row.mult_adds_only / row.measured - 1, row.memory_line / row.measured - 1)
    return (
        _milliseconds(row.measured),
        _milliseconds(row.predicted),
        f"{100 * row.error:+.1f} %",
        *(f"{100 * error:+.0f} %" for error in baselines),
    )


def _html_row(row: Row) -> str:
    far = " class=far" if abs(row.error) > 0.1 else ""
    cells = (plain(row.network), *_cells(row))
    return f"<tr{far}>{''.join(f'<td>{markup.escape(cell)}</td>' for cell in cells)}</tr>\n"


def _milliseconds(seconds: float) -> str:
    """Four digits."""
    value = seconds * 1e3
    return f"{value:.{max(0, 3 - int(np.floor(np.log10(value))))}f}" if 0 < value < np.inf else f"{value:g}"


_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}: held-out predictions</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem;
  color: light-dark(#1d2126, #e3e6ea); background: light-dark(#ffffff, #15181c); }}
h1 {{ font-size: 1.4rem; }} h2 {{ font-size: 1.1rem; margin-top: 2rem; }}
figure {{ margin: 0; }} figure svg {{ width: 100%; height: auto; }}
div {{ overflow-x: auto; }}
table {{ border-collapse: collapse; font-variant-numeric: tabular-nums; }}
th, td {{ padding: 0.15rem 0.8rem 0.15rem 0; text-align: right; white-space: nowrap; }}
th {{ border-bottom: 1px solid; vertical-align: bottom; font-weight: 600; }}
th:first-child, td:first-child {{ text-align: left; white-space: normal; overflow-wrap: anywhere; }}
.far td:nth-child(4) {{ font-weight: 600; color: light-dark(#b3261e, #ff8a80); }}
</style>
</head>
<body>
<h1>{title}</h1>
<p>{method}</p>
<figure>
{picture}</figure>
<h2>Error</h2>
<div><table>
<thead><tr><th>held-out error</th><th>mean</th><th>median</th><th>within 5 %</th><th>within 10 %</th></tr></thead>
<tbody>
{summary}</tbody>
</table></div>
<h2>All {count} predictions, the worst first</h2>
<div><table>
<thead><tr><th>network</th><th>measured, ms</th><th>predicted, ms</th><th>error</th><th>mult-adds only</th>
<th>with memory</th></tr></thead>
<tbody>
{networks}</tbody>
</table></div>
</body>
</html>
"""

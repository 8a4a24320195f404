"""costmodel compare --format html: what the page of two networks says, draws and ties together."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from pathlib import Path

import pytest
from html_pages import Page
from onnx_models import model, node, save, value, weight

from costmodel.analysis import analyze
from costmodel.cli import main
from costmodel.comparing import Comparison, State, compare
from costmodel.report import compare_html

ARM, GPU = "snapdragon810-neon-fp32-1t", "gtx1080ti-cudnn7-fp32"
NASTY = "</script><script>hacked=1</script>\"'\n><img src=x onerror=hacked=1>"
DIFFERING = (State.CHANGED, State.FOLLOWS, State.ADDED, State.REMOVED)


def compared(before: str | Path, after: str | Path, *ids: str) -> Comparison:
    return compare(analyze(before, platform=ids), analyze(after, platform=ids))


@pytest.fixture(scope="module")
def comparison() -> Comparison:
    return compared("zoo:shufflenet_v2,width=0.5", "zoo:shufflenet_v2,width=0.5,residual=1", ARM, GPU)


@pytest.fixture(scope="module")
def page(comparison: Comparison) -> Page:
    return Page(compare_html.render(comparison))


def cells(page: Page, platform: int, side: str) -> list[dict[str, str | None]]:
    """Cells of a strip that have a row."""
    return [
        attrs
        for tag, attrs in page.tags
        if tag == "rect" and re.fullmatch(rf"p{platform}{side}\d+", attrs.get("data-t") or "")
    ]


def percent(text: str | None) -> float:
    assert text is not None
    return float(text.removesuffix("%"))


def test_every_layer_that_differs_has_a_row_with_its_state_and_times(comparison: Comparison, page: Page) -> None:
    rows = comparison.of(*DIFFERING)
    assert [id for id in page.every("id", "tr") if id.startswith("o")] == [f"o{n + 1}" for n in range(len(rows))]
    text = "".join(page.words)
    assert text.count("activation Relu → none") == len(comparison.of(State.CHANGED)) == 13
    assert [attrs["data-u"] for tag, attrs in page.tags if tag == "th" and "data-u" in attrs] == [
        "±ms", "±ms", "±", "±", "±",
    ]  # fmt: skip
    values = [attrs["data-v"] for tag, attrs in page.tags if tag == "td" and "data-v" in attrs]
    assert len(values) == 5 * len(rows)
    for place, delay in enumerate(comparison.delays):
        total = sum(float(item or "nan") for item in values[place::5])
        fixed = [one.predictions[place].fixed for one in (comparison.before, comparison.after)]
        same = sum(one.seconds[place][1] - one.seconds[place][0] for one in comparison.of(State.SAME))
        assert math.isclose(total, 1e3 * (delay.seconds - (fixed[1] - fixed[0]) - same), rel_tol=1e-3)
    memory = sum(int(item or "nan") for item in values[4::5])
    assert memory == comparison.after.totals.memory_access - comparison.before.totals.memory_access


def test_the_strips_are_as_long_as_the_runs_and_hold_every_layer(comparison: Comparison, page: Page) -> None:
    for place, delay in enumerate(comparison.delays):
        longest = max(delay.before, delay.after)
        for side, seconds in (("a", delay.before), ("b", delay.after)):
            plots = re.findall(r'<svg class="plot" height="40".*?</svg>', compare_html.render(comparison))
            strip = plots[2 * place + (side == "b")]
            spans = re.findall(r'<rect[^>]* x="([\d.]+)%?" width="([\d.]+)%"', strip)
            assert math.isclose(
                max(float(x) + float(width) for x, width in spans), 100 * seconds / longest, abs_tol=0.3
            )
            # the part before the layers, and every layer that takes time or differs
            both = [(one.before if side == "a" else one.after, one) for one in comparison.differences]
            shown = [
                one for layer, one in both if layer and (one.state is not State.SAME or one.seconds[place][side == "b"])
            ]
            assert len(spans) == 1 + len(shown)


def test_a_cell_is_as_wide_as_its_layer_takes_and_selects_its_row(comparison: Comparison, page: Page) -> None:
    rows = comparison.of(*DIFFERING)
    tokens = {attrs["id"]: attrs.get("data-s") for tag, attrs in page.tags if tag == "tr" and "id" in attrs}
    longest = comparison.delays[0].after
    for side, at in (("a", 0), ("b", 1)):
        drawn = cells(page, 0, side)
        assert len(drawn) == sum((one.after if at else one.before) is not None for one in rows)
        for attrs in drawn:
            number = int(attrs["data-o"] or 0)
            one = rows[number - 1]
            assert (attrs["data-t"] or "") in (tokens[f"o{number}"] or "").split()
            assert attrs["class"] == f"m {one.state.value}"
            width = 100 * one.seconds[0][at] / longest
            assert math.isclose(percent(attrs["width"]), max(width, 0.2), abs_tol=0.006)
    for one, number in zip(rows, range(1, len(rows) + 1), strict=True):
        assert f"s-{one.state.value}" in (tokens[f"o{number}"] or "").split()


def test_bands_tie_the_cells_of_a_layer_together(comparison: Comparison) -> None:
    text = compare_html.render(comparison)
    bands = re.findall(r'<svg class="bands".*?</svg>', text)
    assert len(bands) == len(comparison.delays)
    shapes = re.findall(r'class="band (\w+)" points="(\S+) (\S+) (\S+) (\S+)"', bands[0])
    changed = [shape for shape in shapes if shape[0] == "changed"]
    assert len(changed) == len(comparison.of(State.CHANGED))
    page = Page(text)
    upper = sorted(percent(attrs["x"]) for attrs in cells(page, 0, "a"))
    assert [int(shape[1].split(",")[0]) / 100 for shape in changed] == pytest.approx(upper, abs=0.02)
    # each addition follows on a changed convolution, so that it begins where that ends
    begins = sorted(int(shape[1].split(",")[0]) for shape in shapes if shape[0] == "added")
    assert begins == sorted(int(shape[2].split(",")[0]) for shape in changed)
    for state, left, right, end, start in shapes:
        points = [tuple(map(int, point.split(","))) for point in (left, right, end, start)]
        assert [y for _, y in points] == [0, 0, 100, 100]
        if state == "added":  # begins in a point of the upper strip
            assert points[0] == points[1]
            assert points[2][0] > points[3][0]


def test_the_bars_of_both_runs_are_on_one_scale_and_add_up(comparison: Comparison) -> None:
    bars = re.findall(r'<svg class="bar".*?</svg>', compare_html.render(comparison))
    assert len(bars) == 2 * len(comparison.delays)
    for place, delay in enumerate(comparison.delays):
        for bar, seconds in zip(bars[2 * place :], (delay.before, delay.after), strict=False):
            widths = map(float, re.findall(r'width="([\d.]+)%"', bar))
            assert math.isclose(sum(widths), 100 * seconds / max(delay.before, delay.after), abs_tol=0.05)


def test_the_difference_is_told_with_its_interval_and_whether_it_is_sure() -> None:
    slower = compared("zoo:resnet18", "zoo:resnet34", GPU)
    words = Page(compare_html.render(slower)).words
    delay = slower.delays[0]
    assert delay.low > 0
    assert f"{1e3 * delay.seconds:+.3f} ms ({100 * delay.share:+.1f} %)" in words
    assert f"{1e3 * delay.low:+.3f} to {1e3 * delay.high:+.3f} ms in 90 % of cases" in words
    assert "Slower: the whole interval is above 0." in words
    back = Page(compare_html.render(compared("zoo:resnet34", "zoo:resnet18", GPU))).words
    assert "Faster: the whole interval is below 0." in back
    open_ = replace(slower, delays=(replace(delay, low=-delay.seconds),))
    assert "Which one is faster is not sure: the interval holds 0." in Page(compare_html.render(open_)).words


def test_networks_that_are_the_same_have_a_short_page() -> None:
    text = compare_html.render(compared("zoo:resnet18", "zoo:resnet18", ARM))
    page = Page(text)
    assert page.every("id", "section") == ["counts", "latency"]
    words = "".join(page.words)
    assert "Same: 31 layers, each in both with the same sizes" in words
    assert "no difference" in words
    assert "<table id" not in text


def test_networks_with_little_in_common_are_drawn_by_kinds_and_not_tied() -> None:
    page = Page(compare_html.render(compared("zoo:mobilenet_v2", "zoo:resnet50", ARM)))
    assert page.every("id", "section") == ["counts", "latency", "time", "networks"]
    classes = page.every("class")
    assert "bands" not in classes
    assert {"m conv", "m depthwise", "m elementwise"} <= set(classes)
    assert not {"m changed", "m added", "m removed", "m follows"} & set(classes)


def test_without_a_platform_layers_are_drawn_by_mult_adds() -> None:
    comparison = compared("zoo:resnet18", "zoo:resnet34")
    page = Page(compare_html.render(comparison))
    assert page.every("id", "section") == ["counts", "networks", "layers"]
    total = sum(percent(attrs["width"]) for attrs in cells(page, 0, "b") if percent(attrs["width"]) > 0.2)
    added = sum(one.mult_adds for one in comparison.of(State.ADDED))
    assert math.isclose(total, 100 * added / comparison.after.totals.mult_adds, abs_tol=0.3)


def test_another_resolution_says_so() -> None:
    words = "".join(Page(compare_html.render(compared("zoo:resnet18", "zoo:resnet18,resolution=160", ARM))).words)
    assert "Input: 1x3x224x224 float32 → 1x3x160x160 float32." in words
    assert "other sizes (" in words


def test_a_page_loads_nothing_and_is_the_same_each_time(comparison: Comparison, page: Page) -> None:
    text = compare_html.render(comparison)
    assert text == compare_html.render(comparison)
    assert "default-src &#x27;none&#x27;" in text
    addresses = page.every("href") + page.every("src")
    assert {address[:1] for address in addresses} <= {"#", "d"}
    assert [address for address in addresses if address.startswith("d")] == ["data:,"]


def test_a_page_of_five_hundred_layers_is_below_a_megabyte() -> None:
    comparison = compared("zoo:resnet152", "zoo:resnet152,resolution=192", ARM, GPU)
    assert len(comparison.differences) > 200
    assert len(compare_html.render(comparison)) < 400_000


def test_names_that_are_html_stay_names(tmp_path: Path) -> None:
    def written(name: str, channels: int) -> Path:
        nodes = [
            node("Conv", [NASTY, "w"], [f"{NASTY}1"], name=NASTY),
            node(f"Odd{NASTY}", [f"{NASTY}1"], [f"{NASTY}2"], name=f"{NASTY}odd", domain=f"com.{NASTY}"),
        ]
        inputs, outputs = [value(NASTY, (1, 6, 5, 7))], [value(f"{NASTY}2", (1, channels, 5, 7))]
        return save(model(nodes, inputs, [weight("w", channels, 6, 1, 1)], outputs=outputs), tmp_path, name)

    comparison = compared(written("a'b<i>c.onnx", 8), written("b'b<i>c.onnx", 9), ARM)
    text = compare_html.render(comparison)
    page = Page(text)
    assert "<img" not in text
    assert [tag for tag, _ in page.tags].count("script") == 2
    assert "i" not in [tag for tag, _ in page.tags]
    assert NASTY.replace("\n", "\N{REPLACEMENT CHARACTER}") in "".join(page.words)


def test_the_command_writes_the_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "diff.html"
    words = ["compare", "zoo:resnet18", "zoo:resnet34", "-p", GPU, "--format", "html"]
    assert main([*words, "-o", str(file)]) == 0
    assert capsys.readouterr() == ("", "")
    assert main(words) == 0
    assert capsys.readouterr().out == file.read_text(encoding="utf-8")
    assert file.read_text(encoding="utf-8").startswith("<!doctype html>")

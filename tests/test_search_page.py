"""The HTML page of a search without a browser: places of points, drawings, its data, and names that are HTML."""

from __future__ import annotations

import json
import math
import re
import sys
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from html_pages import Page
from search_outcomes import ARM, GPU, outcome

import search.command
from costmodel.cli import main
from costmodel.graph import Graph
from costmodel.platforms import find, platforms
from costmodel.predictor import Estimate
from search.capacity import Capacity, capacity_of
from search.design import Design, Stage, standard
from search.evaluate import Evaluator
from search.page import render
from search.page.panel import slots
from search.page.shown import BEST, FRONT, TABLE_5, TRIALS, Shown, spread
from search.page.stages import pieces
from search.refine import Round, Trial
from search.report import Outcome
from search.result import Result, Step
from search.space import default_space, parse_options

MEGABYTE = 1_000_000
BUDGETS = {ARM: 0.080, GPU: 0.0013}
NASTY = "</script><script>hacked()</script>\"'\n`--><img src=x onerror=hacked()>&amp;"
SHOWN = NASTY.replace("\n", "\N{REPLACEMENT CHARACTER}")


@pytest.fixture(scope="module")
def found() -> Outcome:
    return outcome(BUDGETS)


@pytest.fixture(scope="module")
def text(found: Outcome) -> str:
    return render(found)


@pytest.fixture(scope="module")
def page(text: str) -> Page:
    return Page(text)


def data(text: str) -> list[dict[str, Any]]:
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)[1])


def figure(text: str, title: str) -> str:
    return next(one for one in re.findall(r"<figure>.*?</figure>", text, re.DOTALL) if f"<figcaption>{title}<" in one)


def number(words: str) -> float:
    """A number of an axis: 20 k is 20,000."""
    value, _, prefix = words.partition(" ")
    return float(value) * {"": 1.0, "k": 1e3, "M": 1e6}[prefix]


class Scale:
    """The values of places in a plot, read off two of its ticks as a person would."""

    def __init__(self, plot: str) -> None:
        ticks = re.findall(r'<text class="tick" x="([^"]*)" y="([^"]*)" dy="[^"]*"[^>]*>([^<]*)<', plot)
        ticks += [(x, y, words) for x, _, y, words in TICK_OF_Y.findall(plot)]
        across = [(float(x[:-1]), number(words)) for x, y, words in ticks if y == "100%"]
        up = [(float(y[:-1]), number(words)) for x, y, words in ticks if x == "0"]
        (self.x1, low), (self.x2, high) = across[0], across[-1]
        self.low, self.high = math.log(low), math.log(high)
        (self.y1, self.down), (self.y2, self.top) = up[0], up[-1]

    def milliseconds(self, percent: float) -> float:
        """Of a logarithmic axis, from the left."""
        return math.exp(self.low + (percent - self.x1) / (self.x2 - self.x1) * (self.high - self.low))

    def value(self, percent: float) -> float:
        """From above."""
        return self.down + (percent - self.y1) / (self.y2 - self.y1) * (self.top - self.down)


TICK_OF_Y = re.compile(r'<text class="tick" x="(0)" dx="([^"]*)" y="([^"]*)" dy="4"[^>]*>([^<]*)<')
POINT = re.compile(r'<circle class="m (\w+)" cx="([\d.]+)%" cy="([\d.]+)%" r="[\d.]+" data-t="d(\d+)" data-o="(\d+)"')


# --- what the plots say ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("platform", [ARM, GPU])
def test_points_lie_at_their_latency_and_capacity(found: Outcome, text: str, platform: str) -> None:
    plot = figure(text, platform)
    scale, shown = Scale(plot), Shown(found)
    points = POINT.findall(plot)
    assert {role for role, *_ in points} == {BEST, TABLE_5, FRONT}
    for _, x, y, token, row in points:
        assert token == row
        one = shown.entries[int(row) - 1].candidate
        assert scale.milliseconds(float(x)) == pytest.approx(one.latency[platform].seconds * 1e3, rel=2e-3)
        assert scale.value(float(y)) == pytest.approx(one.shown, rel=2e-3)


@pytest.mark.parametrize("platform", [ARM, GPU])
def test_every_design_has_one_point_in_a_plot(found: Outcome, text: str, platform: str) -> None:
    rows = [int(row) for *_, row in POINT.findall(figure(text, platform))]
    shown = Shown(found)
    front = next(front for front in found.fronts if front.platform == platform)
    entries = (*shown.of(BEST), *shown.of(TABLE_5), *shown.on_front(front))
    assert sorted(rows) == sorted({entry.number for entry in entries})
    designs = found.evaluator.space.designs(front.population)
    drawn = [entry.candidate.design for entry in shown.on_front(front)]
    assert (drawn[0], drawn[-1]) == (designs[0], designs[-1])
    assert drawn == [design for design in designs if design in drawn]


@pytest.mark.parametrize("platform", [ARM, GPU])
def test_budget_and_interval_are_at_their_latencies(found: Outcome, text: str, platform: str) -> None:
    plot = figure(text, platform)
    scale = Scale(plot)
    (budget,) = re.findall(r'<line class="budget" x1="([\d.]+)%" x2="\1%"', plot)
    assert scale.milliseconds(float(budget)) == pytest.approx(BUDGETS[platform] * 1e3, rel=2e-3)
    low, height, high, same = re.search(
        r'<line class="interval" x1="([\d.]+)%" y1="([\d.]+)%" x2="([\d.]+)%" y2="([\d.]+)%"', plot
    ).groups()
    best = found.result.best[0]
    latency = best.latency[platform]
    assert scale.milliseconds(float(low)) == pytest.approx(latency.low * 1e3, rel=2e-3)
    assert scale.milliseconds(float(high)) == pytest.approx(latency.high * 1e3, rel=2e-3)
    assert height == same
    assert scale.value(float(height)) == pytest.approx(best.shown, rel=2e-3)


@pytest.mark.parametrize("platform", [ARM, GPU])
def test_the_staircase_rises_to_every_design_of_the_front(found: Outcome, text: str, platform: str) -> None:
    plot = figure(text, platform)
    scale = Scale(plot)
    box, path = re.search(r'<svg class="steps" viewBox="0 0 (\d+) \1".*?<path d="([^"]*)"', plot).groups()
    start, *steps = re.findall(r"[MHV][\d ]+", path)
    x, y = map(int, start[1:].split())
    corners = [(x, y)]
    for step in steps:
        x, y = (int(step[1:]), y) if step[0] == "H" else (x, int(step[1:]))
        corners.append((x, y))
    assert all(before[0] <= after[0] and before[1] >= after[1] for before, after in pairwise(corners))
    values = [(scale.milliseconds(100 * x / int(box)), scale.value(100 * y / int(box))) for x, y in corners]
    front = next(front for front in found.fronts if front.platform == platform)
    times, heights = np.array(values).T
    for seconds, capacity in zip(front.seconds, front.capacity, strict=True):
        away = np.hypot(times / (seconds * 1e3) - 1, (heights - capacity) / front.capacity[-1])
        assert away.min() < 4e-3
    assert corners[-1][0] == int(box)


def test_a_point_of_several_roles_is_drawn_as_the_most_important() -> None:
    """Where the space is the designs of Table 5 alone, the best one is one of them, and one of the front."""
    words = ("channels2=116", "channels3=232", "channels4=464", "ratio=1/2", "stem=24", "head=1024")
    one = outcome({ARM: 0.080}, [ARM], space=(*words, "units2=4", "units3=8", "units4=4"))
    entry = Shown(one).by_design[standard(1.0)]
    assert [role for role, _ in entry.roles] == [BEST, TABLE_5, FRONT]
    points = POINT.findall(figure(render(one), ARM))
    assert [role for role, *_, row in points if int(row) == entry.number] == [BEST]
    assert len(points) == 4


def test_links_beside_table_5_lead_to_what_they_say(found: Outcome, text: str) -> None:
    records = data(text)
    section = re.search(r'<section id="widths".*?</section>', text, re.DOTALL)[0]
    for platform, table in zip((ARM, GPU), re.findall("<table>.*?</table>", section, re.DOTALL), strict=True):
        for width, row in zip(found.standards, re.findall("<tr><th scope=.row.*?</tr>", table), strict=True):
            own, *others = re.findall(r'href="#d(\d+)"[^>]*>([^<]*)<', row)
            assert own[1] == f"{width:g}x"
            standard = records[int(own[0]) - 1]["file"]
            time = standard["predicted"][platform]["latency_ms"]
            able, fast = (records[int(place) - 1]["file"] for place, _ in others)
            assert able["predicted"][platform]["latency_ms"] <= time
            assert f"{able['capacity']:,.0f}" == others[0][1]
            assert fast["capacity"] >= standard["capacity"]
            assert fast["predicted"][platform]["latency_ms"] == pytest.approx(float(others[1][1]), rel=6e-3)


# --- the drawing -----------------------------------------------------------------------------------------------------


def channels(graph: Graph, name: str) -> int:
    return graph.tensors[name].shape[1]


@pytest.mark.parametrize("resolution", [224, 97, 130])
def test_drawings_are_what_the_network_computes(resolution: int) -> None:
    """Channels and pixels of every unit as the graph of the design has them."""
    options = {
        gene: values for word in ("kernel=3,5,7", "se=true,false") for gene, values in parse_options(word).items()
    }
    space = default_space(options=options)
    for design in space.designs(space.random(3, seed=resolution)):
        design = replace(design, resolution=resolution)
        graph = design.graph()
        outputs = {node.name: graph.tensors[node.outputs[0]].shape for node in graph.nodes}
        stem, *stages, head = pieces(design)
        assert (stem.units, stem.pixels) == (((("conv", outputs["conv1.0"][1]),),), outputs["maxpool"][2])
        assert (head.units, head.pixels) == (((("conv", outputs["conv5.0"][1]),),), outputs["conv5.0"][2])
        for index, (piece, stage) in enumerate(zip(stages, design.stages, strict=True), start=2):
            units = {name.split(".")[1] for name in outputs if name.startswith(f"stage{index}.")}
            assert len(piece.units) == len(units)
            for place, ((first, others), (last, branch)) in enumerate(piece.units):
                node = next(node for node in graph.nodes if node.name == f"stage{index}.{place}.concat")
                left, right = (graph.tensors[name].shape for name in node.inputs)
                assert ((others, branch), last) == ((left[1], right[1]), "branch")
                assert left[2:] == right[2:] == (piece.pixels, piece.pixels)
                assert first == ("passes" if place else "left")
                splits = f"stage{index}.{place}.split" in outputs  # what passes is not computed
                assert splits == (first == "passes")
            assert f"{stage.channels} channels, {stage.branch} of them" in piece.said
            assert ("squeeze-excite" in piece.said) == stage.se
            assert ("depthwise" in piece.said) == (stage.kernel != 3)


def test_the_best_design_is_drawn_to_scale(found: Outcome, text: str) -> None:
    best = found.result.best[0].design
    drawn = re.search(r'<ol class="pieces">.*?</ol>', text, re.DOTALL)[0]
    widest = max(best.stem, best.head, *(stage.channels for stage in best.stages))
    pictures = re.findall(r'<svg viewBox="0 0 (\d+) \d+".*?</svg>', drawn, re.DOTALL)
    assert pictures == [str(widest)] * 5
    stages = re.findall(r"<svg.*?</svg>", drawn, re.DOTALL)[1:4]
    for stage, picture in zip(best.stages, stages, strict=True):
        boxes = re.findall(r'<rect class="(\w+)" x="(\d+)" y="(\d+)" width="(\d+)"', picture)
        for row in range(stage.units):
            left, right = boxes[2 * row : 2 * row + 2]
            assert left == ("left" if row == 0 else "passes", "0", str(9 * row), str(stage.channels - stage.branch))
            assert right == ("branch", left[3], left[2], str(stage.branch))


# --- the data of the page --------------------------------------------------------------------------------------------


def test_each_design_is_data_that_build_takes(found: Outcome, text: str, page: Page) -> None:
    records, entries = data(text), Shown(found).entries
    assert len(records) == len(entries)
    slots = len([attrs for _, attrs in page.tags if attrs.get("class") == "slot"])
    for record, entry in zip(records, entries, strict=True):
        assert Design.from_dict(record["file"]["design"]) == entry.candidate.design
        assert record["file"]["schema"] == "costmodel.design/1"
        assert len(record["slots"]) == slots
        assert len(record["places"]) == 2
        assert f"costmodel check {entry.candidate.design.reference} -p mine" in record["slots"]
        over = [name for name, most in BUDGETS.items() if entry.candidate.latency[name].high > most]
        assert record["exceeds"] == bool(over)
        for piece, packed in zip(pieces(entry.candidate.design), record["pieces"], strict=True):
            name, size, said, first, last, count = packed
            assert (name, said, size) == (piece.name, piece.said, f"{piece.pixels} x {piece.pixels}")
            units = [first, *[last] * (count - 1)]
            assert units == [[list(part) for part in unit] for unit in piece.units]


def test_the_panel_of_the_page_has_the_texts_of_the_best(text: str) -> None:
    drawn = re.search(r'<aside id="design".*?</aside>', text, re.DOTALL)[0]
    assert re.findall(r'<\w+ class="slot">([^<]*)<', drawn) == data(text)[0]["slots"]


def test_the_table_has_every_design_once_with_its_values(found: Outcome, text: str) -> None:
    body = re.search(r'<table id="table".*?</table>', text, re.DOTALL)[0]
    rows = re.findall(r'<tr id="o(\d+)" data-s="([^"]*)">(.*?)</tr>', body)
    entries = Shown(found).entries
    assert [int(place) for place, *_ in rows] == [entry.number for entry in entries]
    assert len({entry.candidate.design for entry in entries}) == len(entries)
    for (place, tied, cells), entry in zip(rows, entries, strict=True):
        one = entry.candidate
        values = [float(value) for value in re.findall(r'data-v="([^"]*)"', cells)]
        expected = [one.latency[ARM].seconds * 1e3, one.latency[GPU].seconds * 1e3, one.shown]
        assert values == pytest.approx([*expected, one.mult_adds, one.params, one.memory_access])
        assert tied.split() == [f"d{place}", *dict.fromkeys(f"r-{role}" for role, _ in entry.roles)]
        assert ("over: " in cells) == bool(entry.exceeded)


def test_ids_are_unique_and_every_link_has_its_target(page: Page) -> None:
    ids = page.every("id")
    assert [id for id, count in Counter(ids).items() if count > 1] == []
    targets = {*ids, *(token for tied in page.every("data-s") for token in tied.split())}
    links = page.every("href")
    assert all(link.startswith("#") or link == "data:," for link in links)
    assert {link[1:] for link in links if link.startswith("#")} <= targets
    assert set(page.every("data-t")) <= targets
    assert set(page.every("aria-labelledby")) | set(page.every("for")) <= set(ids)
    assert [name for _, attrs in page.tags for name in attrs if name.startswith("on") or name == "style"] == []


def test_pictures_have_names_and_tables_captions(page: Page) -> None:
    pictures = [attrs for name, attrs in page.tags if name == "svg" and "role" in attrs]
    assert len(pictures) == 4  # two plots, two rulers
    assert all(attrs.get("aria-label") for attrs in pictures)
    count = Counter(name for name, _ in page.tags)
    assert count["table"] == count["caption"]
    assert count["h1"] == 1


def test_the_same_outcome_gives_the_same_page(found: Outcome, text: str) -> None:
    assert render(found) == text


def test_words_tell_what_was_asked_and_how_sure_it_is(found: Outcome, page: Page) -> None:
    words = " ".join(page.words)
    assert f"Budget: {ARM} at most 80 ms." in words
    assert "interval that holds 90 % of latencies" in words
    assert f"Most capacity: {capacity_of('entropy').summary}." in words
    assert "stands in for accuracy and is none" in words
    assert f"The exact engine priced {found.result.examined:,} designs and proves" in words
    assert "2 notes (G4)." in words
    assert f"ShuffleNet V2 within 80 ms on {ARM} and 1.3 ms on {GPU}" in words


def test_what_was_required_is_told_and_not_claimed_of_designs_that_were_not_asked(found: Outcome) -> None:
    """Guidelines are looked for in the best designs only, and the bound on depth in none of Table 5's."""
    limits = replace(found.limits, effectiveness=0.3)
    words = " ".join(Page(render(replace(found, required=("G1",), limits=limits))).words)
    assert "Required: no warning or error of G1." in words
    assert "Required: effectiveness, the depth of each stage by its width, at most 0.3." in words
    assert "Keeps budgets and counts" in words
    assert "Keeps the limits" not in words
    assert "The lines are drawn whether or not their designs break G1." in words


def test_commands_are_for_the_platforms_and_the_batch_of_the_search() -> None:
    alone = outcome({}, [], max_params=3_000_000)
    fours = Evaluator(alone.evaluator.space, [], alone.evaluator.capacity, batch=4)
    best = Shown(alone).best
    outcomes = {"--batch 4": replace(alone, evaluator=fours), "-p 'my a.json'": replace(alone, named=("my a.json",))}
    for words, one in outcomes.items():
        (command,) = (text for text in slots(Shown(one), best) if text.startswith("costmodel analyze"))
        assert command == f"costmodel analyze {best.candidate.design.reference} {words} --format html -o design.html"


# --- fronts of real spaces -------------------------------------------------------------------------------------------


def test_a_page_of_a_real_space_is_less_than_a_megabyte() -> None:
    one = outcome({ARM: 0.040}, [ARM, GPU], space=(), top=80)
    assert min(len(front.seconds) for front in one.fronts) > 400
    text = render(one)
    assert 200_000 < len(text.encode()) < MEGABYTE
    assert f"The line has all {len(one.fronts[0].seconds):,} designs of the front" in text
    shown = Shown(one)
    listed = sum(map(len, map(shown.on_front, one.fronts)))
    assert shown.left_out == sum(len(front.seconds) for front in one.fronts) - listed > 500
    assert len(shown.of(BEST)) == 50


@pytest.mark.thorough
def test_many_platforms_fit_into_a_page_too() -> None:
    names = [name for name in platforms() if "ncnn" in name][:12]
    assert len(render(outcome({names[0]: 1.0}, names, space=(), top=1)).encode()) < MEGABYTE


def test_what_is_shown_of_a_front_is_spread_over_all_of_it() -> None:
    seconds, capacity = np.geomspace(1e-3, 1e-1, 500), np.linspace(1.0, 5.0, 500)
    places = spread(seconds, capacity, 21)
    assert (places[0], places[-1], len(places)) == (0, 499, 21)
    assert set(np.diff(places)) <= {24, 25, 26}  # 499 steps in 20 parts
    steep = np.concatenate([np.linspace(0.0, 10.0, 250), np.full(250, 10.0)])
    assert sum(place < 250 for place in spread(np.geomspace(1.0, 2.0, 500), steep, 11)) == 7  # of 1.12 in 1.62
    assert spread(seconds[:7], capacity[:7], 10) == list(range(7))
    assert spread(seconds[:1], capacity[:1], 2) == [0]


# --- other outcomes --------------------------------------------------------------------------------------------------


def test_without_a_platform_the_page_has_stages_and_designs() -> None:
    one = outcome({}, (), max_params=3_000_000)
    page = Page(render(one))
    ids = page.every("id")
    assert {"asked", "best", "front", "design", "designs"} <= set(ids)
    assert {"history", "widths", "rounds"}.isdisjoint(ids)
    assert page.every("data-t") == []
    words = " ".join(page.words)
    assert "at most 3,000,000 parameters" in words
    assert "costmodel check" not in words  # a guideline is broken on a platform
    assert f"costmodel analyze {one.result.best[0].design.reference} --format html -o design.html" in words


def sampled(found: Outcome, **changes: Any) -> Outcome:
    """As if Optuna had priced 300 designs: the second best was its best, and its first three were ever better."""
    low, high, top = (one.capacity for one in (found.standards[0.5], found.standards[1.0], found.result.best[1]))
    steps = (Step(1, low), Step(40, high), Step(200, top))
    result = Result("optuna", found.result.best[1:], found.result.best[::-1], False, 300, steps)
    return replace(found, result=result, optimum=found.result.best[0], **changes)


def test_the_history_is_a_staircase_below_the_optimum(found: Outcome) -> None:
    text = render(sampled(found))
    plot = re.search(r'<section id="history".*?</section>', text, re.DOTALL)[0]
    lines = re.findall(r'<line class="sofar" x1="([\d.]+)%" y1="([\d.]+)%" x2="([\d.]+)%" y2="([\d.]+)%"', plot)
    ends = [tuple(map(float, line)) for line in lines]
    assert all(before[2:] == after[:2] for before, after in pairwise(ends))
    scale = [(float(y[:-1]), number(words)) for _, _, y, words in TICK_OF_Y.findall(plot)]
    slope = (scale[-1][1] - scale[0][1]) / (scale[-1][0] - scale[0][0])
    values = [scale[0][1] + (y - scale[0][0]) * slope for _, y, *_ in ends]
    low, high, top = (one.shown for one in (found.standards[0.5], found.standards[1.0], found.result.best[1]))
    assert values == pytest.approx([low, low, high, high, top], rel=1e-3)
    assert [x for x, *_ in ends] == pytest.approx([100 * x / 300 for x in (1, 40, 40, 200, 200)], abs=0.01)
    assert ends[-1][2] == 100
    optimum = float(re.search(r'<line class="optimum" x1="0%" y1="([\d.]+)%"', plot)[1])
    assert scale[0][1] + (optimum - scale[0][0]) * slope == pytest.approx(found.result.best[0].shown, rel=1e-3)
    gap = 1 - found.result.best[1].shown / found.result.best[0].shown
    assert f"{100 * gap:.2f} % below the exact optimum" in text
    assert "front of the trials" in text
    roles = [{role for role, _ in entry.roles} for entry in Shown(sampled(found)).entries]
    assert sum(TRIALS in one for one in roles) == 3


def test_rounds_of_refining_stand_beside_what_was_measured(found: Outcome) -> None:
    predicted = Estimate(0.0100, 0.0090, 0.0112, 0.9)
    trials = (Trial(standard(1.0), predicted, 0.0125), Trial(standard(0.5), predicted, 0.0101))
    again = (Trial(standard(1.5), Estimate(0.02, 0.018, 0.022, 0.9), 0.02),)
    text = render(replace(found, rounds=(Round(1, 1.01, trials), Round(2, None, again))))
    section = re.search(r'<section id="rounds".*?</section>', text, re.DOTALL)[0]
    rows = [re.findall(r"<t[hd][^>]*>([^<]*)</t[hd]>", row) for row in re.findall("<tr>.*?</tr>", section)][1:]
    assert [row[1:] for row in rows] == [
        ["1", "10.0", "9.00 to 11.2", "12.5", "-20.0 %", "no"],
        ["1", "10.0", "9.00 to 11.2", "10.1", "-1.0 %", "yes"],
        ["2", "20.0", "18.0 to 22.0", "20.0", "+0.0 %", "yes"],
    ]
    assert "Round 1: prediction and clock agree on 1 of the best 2, mean error 10.5 %." in section
    ticks = re.findall(r'<text class="tick" x="([\d.]+)%" y="100%"[^>]*>([^<]*)<', section)
    (left, low), (right, high) = [(float(x), number(words)) for x, words in (ticks[0], ticks[-1])]

    def milliseconds(percent: str) -> float:
        return low + (float(percent) - left) / (right - left) * (high - low)

    dots = re.findall(r'<circle class="m (\w+)" cx="([\d.]+)%"', section)
    assert [state for state, _ in dots] == ["differs", "agrees", "agrees"]
    assert [milliseconds(x) for _, x in dots] == pytest.approx([12.5, 10.1, 20.0], abs=0.02)
    spans = re.findall(r'<rect class="span" x="([\d.]+)%" y="\d+" width="([\d.]+)%"', section)
    ends = [(milliseconds(x), milliseconds(str(float(x) + float(width)))) for x, width in spans]
    assert ends == [pytest.approx(pair, abs=0.02) for pair in ((9.0, 11.2), (9.0, 11.2), (18.0, 22.0))]


def test_a_users_capacity_has_points_and_no_front() -> None:
    own = Capacity(
        "mine:heads", "Heads.", "heads", None, lambda total: total, lambda some: np.array([d.head for d in some], float)
    )
    words = ("stem=24", "head=512,1024", "units=4", "ratio=1/2", "channels2=48,116", "channels3=96", "channels4=192")
    text = render(outcome({ARM: 0.080}, [ARM], space=words, capacity=own))
    points = POINT.findall(figure(text, ARM))
    assert {role for role, *_ in points} == {BEST, TABLE_5}
    assert 'class="steps"' not in text
    assert 'id="widths"' not in text


def test_measured_latencies_have_no_interval(found: Outcome) -> None:
    best = found.result.best[0]
    clocked = Estimate(0.031, 0.031, 0.031, 0.9)
    best = replace(best, latency={**best.latency, ARM: clocked})
    text = render(replace(found, result=replace(found.result, best=(best,))))
    card = next(one for one in re.findall("<article.*?</article>", text) if ARM in one)
    assert "<p>measured</p>" in card
    assert "measured" in data(text)[0]["slots"]


# --- names that are HTML ---------------------------------------------------------------------------------------------


def test_names_that_are_html_stay_names() -> None:
    own = replace(capacity_of("params"), name=NASTY, unit=NASTY, summary=NASTY)
    device = replace(find(ARM), device=NASTY)
    text = render(outcome({ARM: 0.080}, [device], capacity=own))
    page = Page(text)
    tags = Counter(name for name, _ in page.tags)
    assert (tags["script"], tags["style"], tags["img"]) == (4, 2, 0)
    assert SHOWN in "".join(page.words)
    assert NASTY not in text
    assert data(text)[0]["file"]["capacity_name"] == NASTY
    assert "hacked" not in "".join(re.findall("<script>.*?</script>", text, re.DOTALL))


# --- command line ----------------------------------------------------------------------------------------------------


def search_for(*words: str) -> int:
    small = [part for word in ("units=4", "stem=24", "ratio=1/2") for part in ("--space", word)]
    return main(["search", *small, *words])


def test_the_command_writes_the_page_without_matplotlib(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    file = tmp_path / "Search.HTML"
    assert search_for("--budget", "snapdragon810=40ms", "--plot", str(file), "--format", "json") == 0
    best = json.loads(capsys.readouterr().out)["best"][0]
    text = file.read_text(encoding="utf-8")
    assert text.startswith("<!doctype html>\n")
    assert data(text)[0]["file"] == best
    suffix = f"{best['network']} -p snapdragon810 --format html -o design.html"
    assert f"costmodel analyze {suffix}" in data(text)[0]["slots"]


@pytest.mark.parametrize(
    ("words", "missing", "said"),
    [
        (["--budget", "snapdragon810=40ms", "--plot", "a.svg"], True, "needs matplotlib; install it with: pip install"),
        (["--max-params", "3M", "--plot", "a.png"], False, "no platform is named, so a picture has nothing to show"),
    ],
)
def test_pictures_that_cannot_be_drawn_are_refused_before_the_search(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    missing: bool,
    said: str,
) -> None:
    if missing:
        monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setattr(search.command, "exact", lambda *_, **__: pytest.fail("it searches"))
    monkeypatch.chdir(tmp_path)
    assert search_for(*words) == 2
    err = capsys.readouterr().err
    assert said in err
    assert "end the file in .html" in err
    assert list(tmp_path.iterdir()) == []


def test_a_page_needs_no_platform(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "page.html"
    assert search_for("--max-params", "3M", "--plot", str(file)) == 0
    capsys.readouterr()
    assert '<ol class="pieces">' in file.read_text(encoding="utf-8")


def test_stages_say_what_differs_from_the_paper() -> None:
    stage = Stage(48, 24, 1, 5, True)
    (said,) = {piece.said for piece in pieces(Design(24, (stage,) * 3, 512))[1:4]}
    assert said == "48 channels, 24 of them by the branch, 1 unit, 5x5 depthwise, squeeze-excite"

"""costmodel search: what it prints, writes and refuses."""

import json
import re
import shlex
import xml.etree.ElementTree as ElementTree

import pytest

from costmodel.cli import main
from costmodel.platforms import dumps, find
from search import command
from search.design import WIDTHS, load_design, standard

ARM, GPU = "snapdragon810-neon-fp32-1t", "gtx1080ti-cudnn7-fp32"
SMALL = [
    *("--space", "channels2=48,116", "--space", "channels3=96,232,352", "--space", "channels4=192,464"),
    *("--space", "units=2,4", "--space", "stem=24", "--space", "head=512,1024"),
]


def searched(capsys, *words, status=0):
    assert main(["search", *SMALL, *words]) == status
    return capsys.readouterr()


def refused(capsys, *words, small=True):
    assert main(["search", *(SMALL if small else []), *words]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("costmodel: ")
    assert err.count("\n") == 1
    return err


def test_text_tells_budget_proof_designs_and_table_5(capsys):
    out = searched(capsys, "--budget", "snapdragon810=40ms", "--budget", "gtx1080ti=1.1ms").out
    assert re.search(rf"^Budget    {ARM} at most 40 ms$", out, re.M)
    assert "kept by the upper end of the interval that holds 0.9 of latencies" in out
    assert re.search(r"^Engine    exact: proven best; [0-9,]+ designs priced in [0-9.]+ s$", out, re.M)
    assert all(f"\n{width:g}x " in out for width in WIDTHS)
    assert re.search(r"^1 +24 +\d+/\d+ x\d", out, re.M)
    assert re.search(r"^Findings  .*costmodel check zoo:shufflenet_v2_design", out, re.M)
    assert "\x1b" not in out


def test_text_fits_80_columns(capsys, monkeypatch):
    monkeypatch.setattr("search.command.terminal_width", lambda: 80)
    out = searched(capsys, "--budget", "snapdragon810=40ms", "--budget", "gtx1080ti=1.1ms").out
    assert max(map(len, out.partition("Findings")[0].splitlines())) <= 80  # the name after that stays whole
    assert "…" not in out


def test_no_number_is_cut_in_80_columns(capsys, monkeypatch):
    """Tables that are too wide go on in another one, and the name of the best design is whole."""
    monkeypatch.setattr("search.command.terminal_width", lambda: 80)
    names = ("orangepi4ltslittle", "kunpeng920-7260-ncnn-fp16-8t", "snapdragon810", "gtx1080ti")
    genes = ("resolution=160,224", "act=relu,hard_swish", "residual=true,false", "kernel=3,5", "se=true,false")
    words = [part for name in names for part in ("-p", name)] + [part for gene in genes for part in ("--space", gene)]
    out = searched(capsys, "--budget", "epyc=9ms", "--top", "1", *words).out
    tables, _, findings = out.rpartition("Findings")
    assert max(map(len, tables.splitlines())) <= 80
    assert "…" not in out
    assert all(re.search(rf"(?m)^ .*{word}", tables) for word in ("stage 4", "residual", "params", "gtx1080ti"))
    words = shlex.split(findings[findings.index("costmodel check") :])
    assert main([*words[1:], "--fail-on", "never", "--format", "json"]) == 0
    assert [words[i + 1] for i, word in enumerate(words) if word == "-p"] == ["epyc", *names]


def test_conditions_that_are_not_usual_are_told(capsys):
    out = searched(capsys, "--budget", "snapdragon810=60ms", "--max-effectiveness", "0.5", "--require", "G1,G3").out
    assert "\nRequired  effectiveness, the depth of each stage by its width, at most 0.5\n" in out
    assert "\nRequired  no warning or error of G1, G3\n" in out
    assert "Required" not in searched(capsys, "--budget", "snapdragon810=60ms").out


def test_after_refining_commands_name_the_new_profile():
    named = ("snapdragon810", "gtx1080ti", ARM)
    assert command._renamed(named, find(ARM), "new.json") == ("new.json", "gtx1080ti")


def test_json_has_the_designs_and_what_they_keep(capsys):
    record = json.loads(searched(capsys, "--budget", "snapdragon810=40ms", "--format", "json", "--top", "3").out)
    assert record["schema"] == "costmodel.search/1"
    assert (record["proven"], record["gap"], len(record["best"])) == (True, 0.0, 3)
    assert record["history"][-1][1] == pytest.approx(record["best"][0]["capacity"])
    capacities = [one["capacity"] for one in record["best"]]
    assert capacities == sorted(capacities, reverse=True)
    assert all(one["predicted"][ARM]["high_ms"] <= 40 for one in record["best"])
    assert [one["width"] for one in record["table5"]] == list(WIDTHS)
    for gain in record["gains"]:
        at_latency = gain["capacity_at_latency"]
        assert at_latency is None or at_latency > 0


def test_the_design_file_is_a_design_that_every_verb_takes(capsys, tmp_path):
    path = tmp_path / "design.json"
    searched(capsys, "--budget", "snapdragon810=40ms", "-o", str(path))
    record = json.loads(path.read_text())
    assert record["schema"] == "costmodel.design/1"
    assert record["search"]["budgets_ms"] == {ARM: 40.0}
    design = load_design(path)
    assert design.reference == record["network"]
    assert main(["analyze", record["network"], "-p", ARM, "--format", "json"]) == 0
    analysis = json.loads(capsys.readouterr().out)
    assert analysis["totals"]["mult_adds"] == record["mult_adds"]
    assert analysis["totals"]["params"] == record["params"]
    for key in ("latency_ms", "low_ms", "high_ms"):
        assert analysis["platforms"][0][key] == pytest.approx(record["predicted"][ARM][key])


def test_counts_alone_can_limit_a_design(capsys):
    words = ("--max-params", "2.3M", "--max-mult-adds", "145M", "--format", "json", "--capacity", "params")
    best = json.loads(searched(capsys, *words).out)["best"][0]
    assert best["params"] <= 2_300_000
    assert best["mult_adds"] <= 145_000_000


def test_required_guidelines_are_kept(capsys):
    """With 0.5 of the images of stage 2 in its branch nothing breaks G1; the check itself is the witness."""
    record = json.loads(searched(capsys, "--budget", "epyc=8ms", "--require", "G1", "--format", "json").out)
    for one in record["best"]:
        assert main(["check", one["network"], "-p", "epyc", "--select", "G1", "--fail-on", "warning"]) == 0
        capsys.readouterr()


def test_the_front_is_told_where_it_is_asked_for(capsys):
    out = searched(capsys, "--budget", "snapdragon810=40ms", "--pareto").out
    front = out[out.index("The front:") :]
    times = [float(line.split()[-2]) for line in front.splitlines() if re.match(r"24 ", line)]
    assert len(times) > 5
    assert times == sorted(times)
    err = refused(capsys, "--budget", "snapdragon810=40ms", "--budget", "gtx1080ti=2ms", "--pareto")
    assert "--engine optuna" in err


@pytest.mark.parametrize("ending", ["svg", "png"])
def test_a_picture_of_fronts(capsys, tmp_path, ending):
    path = tmp_path / f"search.{ending}"
    searched(capsys, "--budget", "snapdragon810=40ms", "--plot", str(path))
    content = path.read_bytes()
    if ending == "svg":
        text = " ".join(ElementTree.fromstring(content).itertext())
        assert all(word in text for word in (ARM, "best of the space", "Table 5", "budget", "0.5x"))
    else:
        assert content.startswith(b"\x89PNG")


def test_optuna_says_how_far_it_stays_below_the_optimum(capsys):
    words = ("--budget", "snapdragon810=40ms", "--budget", "gtx1080ti=1.1ms")
    optimum = json.loads(searched(capsys, *words, "--format", "json").out)["best"][0]["capacity"]
    sampled = (*words, "--engine", "optuna", "--trials", "40", "--seed", "3")
    record = json.loads(searched(capsys, *sampled, "--format", "json").out)
    assert (record["engine"], record["proven"]) == ("optuna", False)
    assert record["gap"] == pytest.approx(1 - record["best"][0]["capacity"] / optimum)
    assert 0 <= record["gap"] < 0.2
    again = json.loads(searched(capsys, *sampled, "--format", "json").out)
    assert again["best"] == record["best"]
    text = searched(capsys, *sampled).out
    assert re.search(r"^Engine    optuna: [0-9.]+ % below the exact optimum \([0-9,]+\); ", text, re.M)


def test_optuna_gives_fronts_over_several_platforms(capsys, tmp_path):
    words = ("--budget", "snapdragon810=60ms", "--budget", "gtx1080ti=2ms", "--trials", "40", "--pareto")
    record = json.loads(searched(capsys, *words, "--format", "json", "--plot", str(tmp_path / "front.svg")).out)
    points = [
        (one["predicted"][ARM]["latency_ms"], one["predicted"][GPU]["latency_ms"], -one["capacity"])
        for one in record["front"]
    ]
    assert len(points) > 2
    for one in points:
        assert not any(other != one and all(a <= b for a, b in zip(other, one, strict=True)) for other in points)
    assert (tmp_path / "front.svg").stat().st_size > 1000


def test_batch_and_platforms_without_a_budget(capsys):
    words = ("--budget", "snapdragon810=400ms", "-p", "gtx1080ti", "--batch", "4", "--format", "json")
    best = json.loads(searched(capsys, *words).out)["best"][0]
    assert set(best["predicted"]) == {ARM, GPU}
    design = load_design_record(best)
    assert best["mult_adds"] == design.graph(batch=4).cost.mult_adds


def load_design_record(record):
    from search.design import Design

    return Design.from_dict(record["design"])


def test_a_budget_that_nothing_keeps_says_what_the_fastest_takes(capsys):
    err = refused(capsys, "--budget", "snapdragon810=1ms")
    assert re.search(
        r"no design keeps 1 ms; the fastest of the space takes [0-9.]+ ms, and [0-9.]+ ms at the upper", err
    )


def test_a_count_that_nothing_keeps_says_what_the_smallest_has(capsys):
    err = refused(capsys, "--budget", "snapdragon810=40ms", "--max-params", "1000")
    least = int(
        re.search(r"--max-params 1,000: no design has so few; the smallest .* has ([0-9,]+);", err)[1].replace(",", "")
    )
    refused(capsys, "-p", "snapdragon810", "--max-params", str(least - 1))
    best = json.loads(searched(capsys, "-p", "snapdragon810", "--max-params", str(least), "--format", "json").out)[
        "best"
    ]
    assert {one["params"] for one in best} == {least}


@pytest.mark.parametrize("option", ["-o", "--plot"])
def test_a_file_that_is_read_is_not_written_over(capsys, tmp_path, option):
    profile = tmp_path / "mine.html"
    profile.write_text(dumps(find("snapdragon810")), encoding="utf-8")
    before = profile.read_bytes()
    err = refused(capsys, "--budget", f"{profile}=40ms", option, str(profile))
    assert f"{option} {profile}: is the file of {profile}, which is read; give another" in err
    assert profile.read_bytes() == before


def test_limits_that_nothing_keeps_together_are_refused(capsys):
    """On whole vectors the larger design is the faster one; each limit holds for one of the two."""
    one = ["channels2=116,128", "channels3=256", "channels4=512", "ratio=1/2", "units=4", "stem=32", "head=1024"]
    space = [part for word in one for part in ("--space", word)]
    assert main(["search", *space, "--budget", "epyc=90ms", "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)["best"]
    large, small = sorted(found, key=lambda one: -one["params"])
    fast, slow = (one["predicted"]["epyc-onnxruntime-fp32-1t"]["high_ms"] for one in (large, small))
    assert fast < slow
    limits = ("--budget", f"epyc={(fast + slow) / 2:.6f}ms", "--max-params", str(small["params"]))
    assert "no design keeps all of these limits at once" in refused(capsys, *space, *limits, small=False)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--budget", "snapdragon810=30"], "write PLATFORM=LATENCY with us, ms or s"),
        (["--budget", "snapdragon810=30MS"], "units are in lower case"),
        (["--budget", "nokia3310=30ms"], "nokia3310"),
        (["--budget", "snapdragon810=30ms", "--budget", "snapdragon810-neon=3ms"], "has a budget already"),
        ([], "nothing limits the design"),
        (["--budget", "epyc=9ms", "--capacity", "accuracy"], "there is no capacity 'accuracy'"),
        (["--budget", "epyc=9ms", "--capacity", "nowhere:score"], "nowhere"),
        (["--budget", "epyc=9ms", "--space", "depth=3"], "there is no gene 'depth'"),
        (["--budget", "epyc=9ms", "--space", "head=512"], "head has options already"),
        (["--budget", "epyc=9ms", "--space", "kernel=4"], "kernel is 4"),
        (["--budget", "epyc=9ms", "--space", "resolution=300:200"], "no or too many numbers"),
        (["--budget", "epyc=9ms", "--confidence", "0.42"], "coverage of 0.42"),
        (["--budget", "epyc=9ms", "--require", "G7"], "G7"),
        (["--max-params", "3M", "--require", "G1"], "give --budget or -p"),
        (["--budget", "epyc=9ms", "--engine", "exact", "--trials", "10"], "--trials is an option of optuna's"),
        (["--budget", "epyc=9ms", "--engine", "exact", "--objective-latency", "measured"], "is an option of optuna's"),
        (["--budget", "epyc=9ms", "--objective-latency", "measured"], "give --backend onnxruntime or torch"),
        (["--budget", "epyc=9ms", "--backend", "torch"], "add --objective-latency measured"),
        (
            ["--budget", "snapdragon810=90ms", "--objective-latency", "measured", "--backend", "onnxruntime"],
            "one platform of --budget and -p is measured by it, not none",
        ),
        (["--budget", "epyc=9ms", "--refine", "2"], "give --data DATA.csv"),
        (["--budget", "gtx1080ti=9ms", "--refine", "2", "--data", "x.csv"], "measured here, not none"),
        (["--budget", "epyc=9ms", "--refine", "2", "--data", "missing.csv"], "missing.csv"),
        (["--budget", "epyc=9ms", "--storage", "mysql://nowhere", "--trials", "2"], "mysql"),
        (["--budget", "epyc=9ms", "--max-effectiveness", "0.0001"], "give a larger --max-effectiveness"),
        (["--budget", "epyc=9ms", "-o", "no/such/folder/design.json"], "there is no folder"),
        (["--budget", "epyc=9ms", "--plot", "front.gif"], "end it in .svg, .png or .html"),
        (["--budget", "epyc=9ms", "--plot", "tests.svg", "-o", "./tests.svg"], "--plot tests.svg: is the file of -o;"),
        (["--budget", "epyc=9ms", "--engine", "exact", "--seed", "0"], "--seed is an option of optuna's"),
        (["--budget", "epyc=9ms", "-o", "x" * 300], "cannot be written there"),
        (["--budget", "epyc=9ms", "-o", "."], "-o .: is no file"),
        (["--budget", "epyc=9ms", "--space", "ratio=1e-99999999"], "is no split ratio"),
        (["-p", "epyc"], "nothing limits the design"),
    ],
)
def test_bad_input_is_one_line_that_says_what_to_do(capsys, words, said):
    assert said in refused(capsys, *words)


def test_a_user_function_is_asked_of_all_designs_of_a_small_space(capsys, tmp_path, monkeypatch):
    (tmp_path / "my_capacity.py").write_text(
        'def score(design):\n    """Heads."""\n    return design.head + design.stages[0].units\n'
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    words = ("--budget", "epyc=9ms", "--capacity", "my_capacity:score", "--engine", "exact", "--format", "json")
    record = json.loads(searched(capsys, *words).out)
    assert record["best"][0]["capacity"] == 1024 + 4
    assert record["proven"]


@pytest.mark.parametrize(("body", "gap"), [("0.0", 0.0), ("-1.0 - design.head", 0.0)])
def test_a_gap_is_told_for_capacities_that_are_not_above_0(capsys, tmp_path, monkeypatch, body, gap):
    module = f"capacity_of_{'nothing' if body == '0.0' else 'less'}"
    (tmp_path / f"{module}.py").write_text(f"def score(design):\n    return {body}\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    words = ("--budget", "epyc=9ms", "--capacity", f"{module}:score", "--trials", "30", "--format", "json")
    assert json.loads(searched(capsys, *words).out)["gap"] == gap


def test_the_standard_1x_is_found_where_the_space_holds_nothing_else(capsys):
    words = ["channels2=116", "channels3=232", "channels4=464", "ratio=1/2", "stem=24", "head=1024"]
    words += ["units2=4", "units3=8", "units4=4"]
    given = [part for word in words for part in ("--space", word)]
    assert main(["search", *given, "--max-params", "3M", "--format", "json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert (record["space"], load_design_record(record["best"][0])) == (1, standard(1.0))

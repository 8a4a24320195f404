"""costmodel calibrate --from: what benchncnn, benchmark_model and trtexec print becomes a profile.

The logs here are written for the tests, in the form that the tools' sources print (calibration/logs/ cites them).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from log_texts import HEADER, KINDS, TIMES, line, run_of, tflite_log, trt_log
from onnx_models import model, node, save, value, weight

from calibration import known, logs, networks
from calibration.build_profiles import FEWEST_NETWORKS, Relations, entries, samples_of
from calibration.fit import fit
from calibration.logs import benchmark_model, benchncnn, models, trtexec
from calibration.logs.lines import read_lines
from calibration.logs.models import UnusableLogError
from calibration.names import network_names
from calibration.relatives import Learned, Relative
from costmodel import zoo
from costmodel.cli import main
from costmodel.errors import UsageError
from costmodel.platforms import Platform, load_profile
from costmodel.predictor import predict

DOCS = Path(__file__).parents[1] / "docs"
NCNN = ("--from", "benchncnn", "--id", "phone-ncnn-fp32-1t", "--runtime", "ncnn")
TFLITE = ("--from", "benchmark_model", "--id", "phone-tflite-fp32-4t", "--runtime", "tflite")
TENSORRT = ("--from", "trtexec", "--id", "mygpu-tensorrt-fp16", "--runtime", "tensorrt")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every test in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def written(name: str, text: str) -> str:
    Path(name).write_text(text, encoding="utf-8", newline="")
    return name


def taken(*texts: str, threads: int | None = None) -> dict[str, float]:
    """Milliseconds by network that logs of benchncnn give."""
    files = [written(f"{place}.txt", text) for place, text in enumerate(texts)]
    return {s.network: s.latency * 1e3 for s in benchncnn.read(files, threads).dataset.samples}


def wanted(times: Mapping[str, float]) -> dict[str, float]:
    names = network_names("ncnn")
    return {zoo.load(names[name]).name: pytest.approx(time) for name, time in times.items()}


def calibrated(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[str, str, Platform]:
    assert main(["calibrate", *words, "-o", "profile.json"]) == 0
    out, err = capsys.readouterr()
    return out, err, load_profile("profile.json")


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """The one line of a run that ends with status 2 and writes no profile."""
    try:
        status = main(["calibrate", *words, "-o", "profile.json"])
    except SystemExit as end:  # argparse leaves this way
        status = end.code if isinstance(end.code, int) else 1
    out, err = capsys.readouterr()
    assert (status, out, len(err.splitlines())) == (2, "", 1)
    assert "internal error" not in err
    assert not Path("profile.json").exists()
    return err


# benchncnn


def test_a_log_of_benchncnn_becomes_a_profile(capsys: pytest.CaptureFixture[str]) -> None:
    """The profile, the report and the page of it name the log; what its header says is in the profile."""
    log = written("phone.txt", run_of(TIMES))
    out, err, platform = calibrated(capsys, log, *NCNN, "--report", "report.html")
    (source,) = platform.sources
    assert "benchncnn log phone.txt" in Path("report.html").read_text(encoding="utf-8")
    assert (source.name, source.samples) == ("benchncnn log phone.txt", len(TIMES))
    assert (platform.runtime, platform.threads, platform.precision) == ("ncnn", 1, "fp32")
    assert platform.clock == "big cores only (powersave 2)"
    assert "benchncnn log phone.txt" in " ".join(out.split())
    assert "related platforms, that the fit begins with" in " ".join(out.split())
    assert err.startswith("phone.txt: it measures 4 networks only")
    for network, time in wanted(TIMES).items():
        assert 1e3 * predict(zoo.load(network), platform).latency.seconds == pytest.approx(time.expected, rel=0.1)


def test_the_minimum_of_each_network_is_read() -> None:
    assert taken(run_of(TIMES)) == wanted(TIMES)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "loop_count = 8\nnum_threads = 1\npowersave = 2\n",
        "$ ./benchncnn 8 1 2 -1 1\n[0 Adreno (TM) 640]  queueC=0[3]  queueG=0[3]  queueT=0[3]\n" + HEADER,
        "* daemon not running; starting now at tcp:5037\n\n" + HEADER.replace(" = ", "=") + "WARNING: linker: x\n",
    ],
    ids=["none", "of 2018", "with a GPU's lines", "with noise"],
)
def test_headers_old_and_new(header: str) -> None:
    assert taken(run_of(TIMES, header), threads=1) == wanted(TIMES)


@pytest.mark.parametrize("ending", ["\r\n", "\r\r\n", "\r"])
def test_line_ends_of_a_phones_shell(ending: str) -> None:
    assert taken(run_of(TIMES).replace("\n", ending)) == wanted(TIMES)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig"])
def test_encodings_of_windows(encoding: str) -> None:
    Path("log.txt").write_bytes(run_of(TIMES).encode(encoding))
    assert len(benchncnn.read(["log.txt"], None).dataset.samples) == len(TIMES)


def test_bytes_that_are_no_text_do_no_harm() -> None:
    Path("log.txt").write_bytes(b"\xff\xfd\x80 noise\n" + run_of(TIMES).replace("\n", "\x1b[0m\n\x1b[32m").encode())
    assert len(benchncnn.read(["log.txt"], None).dataset.samples) == len(TIMES)


def test_old_and_new_names_are_one_network() -> None:
    assert taken(run_of({"squeezenet-ssd": 60.0, "squeezenet_ssd": 59.0})) == {"zoo:squeezenet_ssd": pytest.approx(59)}


def test_the_fastest_of_several_runs_is_taken_from_one_file_or_more() -> None:
    slower = {name: 1.2 * time for name, time in TIMES.items()} | {"mobilenet": 29.5}
    best = wanted(TIMES | {"mobilenet": 29.5})
    assert taken(run_of(TIMES) + run_of(slower)) == best
    assert taken(run_of(slower), run_of(TIMES)) == best


def test_runs_with_other_threads_are_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    four = run_of({name: time / 3 for name, time in TIMES.items()}, HEADER.replace("threads = 1", "threads = 4"))
    log = written("phone.txt", run_of(TIMES) + four)
    _, err, platform = calibrated(capsys, log, *NCNN)
    assert "phone.txt: 1 run(s) with other threads than 1 were left out." in err
    assert platform.sources[0].samples == len(TIMES)
    seconds = predict(zoo.load(network_names("ncnn")["mobilenet"]), platform).latency.seconds
    assert seconds == pytest.approx(30e-3, rel=0.1)


def test_runs_on_a_gpu_are_left_out() -> None:
    gpu = run_of({name: time / 5 for name, time in TIMES.items()}, HEADER.replace("gpu_device = -1", "gpu_device = 0"))
    assert taken(gpu + run_of(TIMES)) == wanted(TIMES)
    with pytest.raises(UsageError, match=r"it ran on a GPU \(gpu_device = 0\)"):
        taken(gpu)


def test_what_is_left_out_is_counted_and_named(capsys: pytest.CaptureFixture[str]) -> None:
    """int8 runs, what the zoo has not, transformers, a network whose file was missing, and a last line that is cut."""
    more = line("squeezenet_int8", 11.9) + line("unknown_net", 3) + line("vision_transformer", 900)
    log = written("phone.txt", run_of(TIMES) + more + line("alexnet", 0.0, 0.0) + line("vgg16", 250.0)[:40])
    _, err, platform = calibrated(capsys, log, *NCNN)
    assert platform.sources[0].samples == len(TIMES)
    assert (
        "phone.txt: 5 network(s) left out: int8: squeezenet_int8; not in the zoo as ncnn has it: unknown_net; not of "
        "convolutions: vision_transformer; cut off, or without a time above 0: alexnet, vgg16." in err
    )


@pytest.mark.parametrize("kept", range(1, len(line("resnet18", 58.53))))
def test_a_cut_last_line_is_never_read_as_another_time(kept: int) -> None:
    """Cut at every byte: its minimum is as printed, or the network is left out."""
    times = taken(HEADER + line("mobilenet", 30) + line("resnet18", 58.53)[:kept])
    assert times.keys() <= wanted({"mobilenet": 30, "resnet18": 1}).keys()
    for network, time in times.items():
        assert time == pytest.approx(30 if "mobilenet" in network else 58.53)


def test_no_option_may_contradict_the_header(capsys: pytest.CaptureFixture[str]) -> None:
    log = written("phone.txt", run_of(TIMES))
    base = (log, "--from", "benchncnn")
    four = refused(capsys, *base, "--id", "phone-ncnn-fp32-4t", "--runtime", "ncnn")
    assert "phone.txt: it ran with 1 thread(s), and the platform has 4" in four
    other = refused(capsys, *base, "--id", "phone-tflite-fp32-1t", "--runtime", "tflite")
    assert "--from benchncnn: it times ncnn, and --runtime says tflite" in other
    int8 = refused(capsys, *base, "--id", "phone-ncnn-int8-1t", "--runtime", "ncnn")
    assert "the platform's precision is int8" in int8
    gpu = refused(capsys, *base, "--id", "phone-ncnn-fp32-1t", "--runtime", "ncnn", "--processor", "gpu")
    assert "--processor gpu: benchncnn log phone.txt is of a cpu" in gpu


def test_threads_come_from_the_header_where_the_id_has_none(capsys: pytest.CaptureFixture[str]) -> None:
    log = written("phone.txt", run_of(TIMES, HEADER.replace("threads = 1", "threads = 4")))
    assert calibrated(capsys, log, "--from", "benchncnn", "--id", "p-ncnn-fp32", "--runtime", "ncnn")[2].threads == 4


def test_a_run_that_was_stopped_in_its_header_says_nothing_of_the_next() -> None:
    old = "loop_count = 8\nnum_threads = 1\npowersave = 2\n"
    assert taken(HEADER.replace("gpu_device = -1", "gpu_device = 0") + run_of(TIMES, old)) == wanted(TIMES)


def test_times_that_contradict_each_other_are_left_out() -> None:
    """Such as two lines that were printed into each other."""
    text = line("resnet18", 58.5) + f"{'mobilenet':>20}  min =   30.00  max =   31.00  avg =   21.00\n"
    assert taken(HEADER + text) == wanted({"resnet18": 58.5})


def test_runs_on_other_cores_are_refused() -> None:
    with pytest.raises(UsageError, match=r"its runs differ in powersave \(1, 2\)"):
        taken(run_of(TIMES) + run_of(TIMES, HEADER.replace("powersave = 2", "powersave = 1")))


def test_every_name_that_ncnn_gives_to_a_network_can_be_read() -> None:
    """Of all names that the package knows, the only networks left out are int8 and the vision transformer."""
    names = [name for name in network_names("ncnn") if "int8" not in name and name != "vision_transformer"]
    assert taken(run_of(dict.fromkeys(names, 10.0))) == wanted(dict.fromkeys(names, 10.0))


def few_networks_figure() -> float:
    """The error on a new fp32 device from 5 networks that docs/accuracy.md states."""
    page = (DOCS / "accuracy.md").read_text(encoding="utf-8")
    rows = page.partition("### ncnn on a new device, 1 thread")[2].splitlines()
    (row,) = (row for row in rows if re.match(r"\| fp32 \| ", row))
    return float(row.split("|")[4].removesuffix(" % ")) / 100


@pytest.mark.slow
@pytest.mark.parametrize("devices", [2, pytest.param(14, marks=pytest.mark.thorough)])
def test_five_networks_of_a_log_predict_the_others_as_well_as_the_accuracy_page_says(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, devices: int
) -> None:
    """Every fp32 device with one thread, as a log of 5 of its networks; what is known before has no row of it.

    Of the eight choices of networks that benchmarks/accuracy.py makes it is one for each device, in turn; what a log
    gives is what the benchmark's own fit gives, so that all eight give its figure.
    """
    chosen = [entry for entry in entries() if (entry.identity.runtime, entry.identity.precision) == ("ncnn", "fp32")]
    family = Relations([entry for entry in chosen if len(samples_of(entry)) >= FEWEST_NETWORKS])
    monkeypatch.setattr(known, "FOLDER", Path("priors"))
    Path("priors").mkdir()
    errors = []
    every = [relative for relative in family.relatives if relative.threads == 1]
    assert len(every) == 14
    for place, device in enumerate(every[:devices]):
        learned = family.learn(device.date, 1, device.device)
        assert not any(id.startswith(device.id.removesuffix("1t")) for id in learned.relatives)
        Path("priors/ncnn-fp32-1t.json").write_text(known.dumps(learned), encoding="utf-8")
        order = np.random.default_rng(place % 8).permutation(len(device.seconds))
        names = [sorted(device.seconds)[index] for index in order]
        errors.append(error_of_a_log(capsys, device, names[:5], names[5:]))
        assert errors[-1] == pytest.approx(error_of_a_fit(family, learned, device, names[:5], names[5:]), abs=2e-3)
    if devices == len(every):  # the page's figure is the mean of them all
        assert np.mean(errors) <= few_networks_figure()


def error_of_a_log(
    capsys: pytest.CaptureFixture[str], device: Relative, seen: Sequence[str], rest: Sequence[str]
) -> float:
    """The mean error on the networks of a device that its log leaves out."""
    ours = {zoo.load(network).name: name for name, network in network_names("ncnn").items() if "int8" not in name}
    written("phone.txt", run_of({ours[name]: 1e3 * device.seconds[name] for name in seen}))
    _, _, platform = calibrated(capsys, "phone.txt", *NCNN)
    assert platform.sources[0].samples == len(seen)
    found = [predict(networks.graph(name), platform).latency.seconds / device.seconds[name] for name in rest]
    return float(np.mean(np.abs(np.array(found) - 1)))


def error_of_a_fit(
    family: Relations, learned: Learned, device: Relative, seen: Sequence[str], rest: Sequence[str]
) -> float:
    """The same without a log and a profile, as benchmarks/accuracy.py has it."""
    work = {name: family.amounts[name] for name in device.seconds}
    own = fit(
        np.array([work[name] for name in seen]),
        np.array([device.seconds[name] for name in seen]),
        learned.prior,
        offsets=np.array([learned.offsets.get(name, 0.0) for name in seen]),
    )
    predicted = own.predict(np.array([work[name] for name in rest]))
    return float(np.abs(predicted / np.array([device.seconds[name] for name in rest]) - 1).mean())


# benchmark_model


def test_logs_of_benchmark_model_become_a_profile(capsys: pytest.CaptureFixture[str]) -> None:
    """The fastest run after the warm-up, in microseconds, of networks that the command names."""
    written("a.txt", tflite_log(14000, "14575.2"))
    written("b=2.txt", tflite_log(90000, "93111.4", prefix=""))
    pairs = ("zoo:mobilenet_v2,width=0.75=a.txt", "zoo:resnet18=b=2.txt")
    found = logs.read("benchmark_model", pairs, "tflite", "fp32", 4)
    assert [(s.network, s.threads, s.batch) for s in found.dataset.samples] == [
        ("zoo:mobilenet_v2,width=0.75", 4, 1),
        ("zoo:resnet18", 4, 1),
    ]
    assert [s.latency for s in found.dataset.samples] == pytest.approx([14e-3, 90e-3])
    out, _, platform = calibrated(capsys, *pairs, *TFLITE)
    assert [source.name for source in platform.sources] == ["benchmark_model log a.txt", "benchmark_model log b=2.txt"]
    assert "2 benchmark_model logs: a.txt, b=2.txt" in " ".join(out.split())
    assert (platform.threads, platform.runtime) == (4, "tflite")


def parsed(text: str) -> models.Timing:
    return benchmark_model.parse(text.splitlines())


def test_averages_in_scientific_notation_are_read() -> None:
    """C++ prints an average of 1.5 seconds like this."""
    assert parsed(tflite_log(1.4e6, "1.50805e+06")).latency == pytest.approx(1.4)


def test_statistics_of_runs_that_took_the_same() -> None:
    text = re.sub(r"count=50 .*", "count=50 curr=120(all same)", tflite_log(120, "120"))
    assert parsed(text).latency == pytest.approx(120e-6)


def test_the_profile_of_operators_is_not_the_statistics() -> None:
    """It has a line of the same form, of another clock; so has a trailing one of what came after the runs."""
    text = tflite_log(14000, "14575.2", "Enable op profiling: [1]")
    timing = parsed(text + "Timings (microseconds): count=50 first=9 curr=9 min=9 max=9 avg=9 std=0\n")
    assert timing.latency == pytest.approx(14e-3)
    assert "profiling of operators" in timing.notes[0]
    inside = text.replace(
        "INFO: Inference", "Timings (microseconds): count=50 first=9 curr=9 min=9 avg=9\nINFO: Inference"
    )
    assert parsed(inside).latency == pytest.approx(14e-3)


def test_a_log_of_the_last_line_only_gives_the_average_and_says_so() -> None:
    text = "Average inference timings in us: Warmup: 76605.9, Init: 9933, no stats: 66767.6\n"
    timing = parsed(text)
    assert timing.latency == pytest.approx(66767.6e-6)
    assert "the average was taken" in timing.notes[0]


def test_statistics_of_the_warm_up_are_not_those_of_the_runs() -> None:
    """Where those of the runs got lost."""
    timing = parsed(re.sub(r"INFO: count=50 .*\n", "", tflite_log(14000, "14575.2")))
    assert timing.latency == pytest.approx(14575.2e-6)
    assert "the average was taken" in timing.notes[0]


def test_a_run_that_ended_in_its_warm_up_has_no_time() -> None:
    text = tflite_log(14000, "14575.2").partition("INFO: count=50")[0]
    with pytest.raises(UnusableLogError) as refusal:
        parsed(text)
    assert "let the run finish" in refusal.value.remedy


@pytest.mark.parametrize(
    ("said", "threads"),
    [("Num threads: [4]", 4), ("#threads used for CPU inference: [2]", 2), ("Num threads: [-1]", 0), ("", 0)],
)
def test_threads_of_a_log(said: str, threads: int) -> None:
    assert parsed(tflite_log(14000, "14575.2", threads=said)).threads == threads


def test_a_gpu_is_seen_and_must_not_be_called_a_cpu(capsys: pytest.CaptureFixture[str]) -> None:
    pairs = [
        f"{network}={written(f'{low}.txt', tflite_log(low, str(low + 100), 'Use gpu: [1]'))}"
        for network, low in (("zoo:mobilenet_v2", 5000), ("zoo:resnet18", 20000))
    ]
    words = (*pairs, "--from", "benchmark_model", "--id", "phonegpu-tflite-fp16", "--runtime", "tflite")
    assert "--processor cpu: 2 benchmark_model logs: 5000.txt, 20000.txt is of a gpu" in refused(
        capsys, *words, "--processor", "cpu"
    )
    _, _, platform = calibrated(capsys, *words)
    assert platform.threads == 0
    assert platform.machine.padded  # as GPUs are


@pytest.mark.parametrize("accelerator", ["Use NNAPI", "Use Hexagon"])
def test_other_accelerators_are_no_platform(accelerator: str) -> None:
    with pytest.raises(UnusableLogError, match="it ran on"):
        parsed(tflite_log(14000, "14575.2", f"{accelerator}: [1]"))


def test_an_input_that_is_not_the_networks_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    written("a.txt", tflite_log(14000, "14575.2", "Input shapes: [1,192,192,3]"))
    written("b.txt", tflite_log(90000, "93111.4"))
    words = ("zoo:resnet18=b.txt", *TFLITE)
    assert "it ran an input of 1x3x192x192, and zoo:mobilenet_v2 takes 1x3x224x224" in refused(
        capsys, "zoo:mobilenet_v2=a.txt", *words
    )
    calibrated(capsys, "zoo:mobilenet_v2,resolution=192=a.txt", *words)


def test_logs_that_differ_in_threads_are_no_platform(capsys: pytest.CaptureFixture[str]) -> None:
    written("a.txt", tflite_log(14000, "14575.2", threads="Num threads: [1]"))
    written("b.txt", tflite_log(90000, "93111.4"))
    words = ("zoo:mobilenet_v2=a.txt", "zoo:resnet18=b.txt", "--from", "benchmark_model", "--runtime", "tflite")
    assert "its rows differ in threads (1, 4)" in refused(capsys, *words, "--id", "phone-tflite-fp32")


# trtexec


def timed(*arguments: str, median: float = 3.25) -> models.Timing:
    return trtexec.parse(trt_log(median, *arguments).splitlines())


def test_logs_of_trtexec_become_a_profile(capsys: pytest.CaptureFixture[str]) -> None:
    written("rn50.txt", trt_log(3.25))
    written("rn18.txt", trt_log(1.5))
    _, _, platform = calibrated(capsys, "zoo:resnet50=rn50.txt", "zoo:resnet18=rn18.txt", *TENSORRT)
    assert (platform.device, platform.runtime_version) == ("NVIDIA GeForce RTX 2080", "8.6.1")
    assert [(s.name, s.date) for s in platform.sources] == [
        ("trtexec log rn18.txt", "2024-03-28"),
        ("trtexec log rn50.txt", "2024-03-28"),
    ]
    found = logs.read("trtexec", ("zoo:resnet50=rn50.txt",), "tensorrt", "fp16", None).dataset.samples
    assert [(s.network, s.batch, s.precision) for s in found] == [("zoo:resnet50", 8, "fp16")]
    assert found[0].latency == pytest.approx(3.25e-3)  # the median of the GPU's compute time


def test_the_summary_of_tensorrt_7_is_read() -> None:
    """Statistics below a heading, of which three kinds have the same form."""
    blocks = ("Host Latency", 9.9), ("GPU Compute", 3.25), ("Enqueue Time", 1.1)
    lines = [
        f"[07/01/2021-07:32:09] [I] {text}"
        for title, time in blocks
        for text in (title, f"min: {time / 2} ms", f"median: {time} ms (end to end 9 ms)", "percentile: 9 ms at 99%")
    ]
    assert trtexec.parse(lines).latency == pytest.approx(3.25e-3)


@pytest.mark.parametrize(
    ("arguments", "batch", "shapes"),
    [
        (("--shapes=input:8x3x224x224",), 8, (("input", (8, 3, 224, 224)),)),
        (("--shapes='in:0':4x3x96x80",), 4, (("in:0", (4, 3, 96, 80)),)),
        (("--minShapes=x:1x3x9x9 --optShapes=x:4x3x9x9 --maxShapes=x:8x3x9x9",), 4, (("x", (4, 3, 9, 9)),)),
        (("--shapes=a:2x3,b:2x5x7",), 2, (("a", (2, 3)), ("b", (2, 5, 7)))),
        (("--optShapes=x:4x3x9x9 --shapes=x:2x3x9x9",), 2, (("x", (2, 3, 9, 9)),)),
        (("--batch=16",), 16, ()),
        (("", "[I] Batch: 32"), 32, ()),
        (("", "[I] Batch: Explicit", "[I] Input inference shape: x=6x3x9x9"), 6, (("x", (6, 3, 9, 9)),)),
        (("", "[I] Batch: Explicit", "[I] Input inference shape : x=6x3x9x9"), 6, (("x", (6, 3, 9, 9)),)),
        (("", "[I] Batch: Explicit"), None, ()),
    ],
)
def test_the_batch_is_the_one_that_ran(
    arguments: tuple[str, ...], batch: int | None, shapes: tuple[tuple[str, tuple[int, ...]], ...]
) -> None:
    timing = timed(*arguments)
    assert (timing.batch, timing.shapes) == (batch, shapes)


@pytest.mark.parametrize(
    ("arguments", "precision"),
    [
        (("",), "fp32"),
        (("--fp16",), "fp16"),
        (("", "[I] Precision: FP32+FP16"), "fp16"),
        (("", "[I] Precision: FP32"), "fp32"),
        (("--noTF32",), "fp32"),
        (("--loadEngine=model.plan",), ""),
        (("--stronglyTyped",), ""),
    ],
)
def test_the_precision_is_the_one_that_was_allowed(arguments: tuple[str, ...], precision: str) -> None:
    assert timed(*arguments).precision == precision


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("--int8",), "it ran with --int8"),
        (("--fp16 --int8",), "it ran with --int8"),
        (("--best",), "it ran with --best"),
        (("", "[I] Precision: FP32+INT8"), "it ran with precision FP32+INT8"),
        (("--useDLACore=0 --fp16",), "it ran on DLA core 0"),
        (("--infStreams=4",), "--infStreams=4"),
    ],
)
def test_what_is_no_platform_here_is_refused(arguments: tuple[str, ...], problem: str) -> None:
    with pytest.raises(UnusableLogError) as refusal:
        timed(*arguments)
    assert problem in refusal.value.problem


def test_an_unstable_clock_is_said() -> None:
    timing = timed("", "[W] * GPU compute time is unstable, with coefficient of variance = 5.55763%.")
    assert timing.notes == ("the GPU's time was unstable (5.6 %); lock its clock.",)


@pytest.mark.parametrize(
    ("number", "version"), [("8601", "8.6.1"), ("7103", "7.1.3"), ("100200", "10.2.0"), ("12", "")]
)
def test_the_version_is_read_from_the_command_where_no_line_says_it(number: str, version: str) -> None:
    lines = trt_log(3.25).replace("v8601", f"v{number}").splitlines()
    assert trtexec.parse([line for line in lines if "TensorRT version" not in line]).runtime_version == version


def convolution(name: str) -> None:
    """A model with a free batch."""
    conv = node("Conv", ["x", "w"], ["y"], kernel_shape=[3, 3])
    save(model([conv], [value("x", ["N", 3, 32, 40])], [weight("w", 5, 3, 3, 3)]), Path(), name)


def test_a_model_file_is_counted_at_the_shape_that_ran() -> None:
    convolution("net.onnx")
    written("a.txt", trt_log(0.5, "--shapes=x:8x3x32x40"))
    (sample,) = logs.read("trtexec", ("net.onnx=a.txt",), "tensorrt", "fp32", None).dataset.samples
    assert (sample.network, sample.batch, sample.input) == ("net.onnx", 8, "8x3x32x40")
    graph = networks.graph(sample.network, sample.batch, sample.input)
    assert graph.tensors[graph.inputs[0]].shape == (8, 3, 32, 40)


@pytest.mark.parametrize(
    ("pair", "problem"),
    [
        ("rn50.txt", "of which network? Write NETWORK=LOG, such as zoo:mobilenet_v2=rn50.txt"),
        ("zoo:resnet50", "of which network?"),
        ("zoo:resnet50,width=0.5", "0.5 is no file; write NETWORK=LOG"),
        ("zoo:resnet50=", "its log is no file"),
        ("=rn50.txt", "is no file; write NETWORK=LOG"),
        ("zoo:resnet5=rn50.txt", "rn50.txt: zoo:resnet5: no network has this name"),
        ("zoo:resnet50,batch=4=rn50.txt", "rn50.txt: it ran a batch of 8, and zoo:resnet50,batch=4 has 4"),
        ("missing.onnx=rn50.txt", "rn50.txt: missing.onnx: no such file"),
        ("resnet50=rn50.txt", "write zoo:NAME or the path of a .onnx file"),
        ("zoo:resnet34=rn18.txt", "rn18.txt: it is given for zoo:resnet18 and for zoo:resnet34"),
    ],
)
def test_pairs_that_cannot_be_meant(capsys: pytest.CaptureFixture[str], pair: str, problem: str) -> None:
    written("rn50.txt", trt_log(3.25))
    written("rn18.txt", trt_log(1.5))
    assert problem in refused(capsys, "zoo:resnet18=rn18.txt", pair, *TENSORRT)


def test_logs_that_cannot_be_used_are_skipped_on_demand(capsys: pytest.CaptureFixture[str]) -> None:
    written("rn50.txt", trt_log(3.25))
    written("rn18.txt", trt_log(1.5))
    written("bad.txt", trt_log(1.5, "--int8"))
    words = ("zoo:resnet50=rn50.txt", "zoo:resnet18=rn18.txt", "zoo:resnet34=bad.txt", *TENSORRT)
    assert "bad.txt: it ran with --int8" in refused(capsys, *words)
    _, err, platform = calibrated(capsys, *words, "--skip-bad")
    assert "left out: bad.txt: it ran with --int8" in err
    assert len(platform.sources) == 2


def test_logs_of_two_devices_are_no_platform(capsys: pytest.CaptureFixture[str]) -> None:
    written("rn50.txt", trt_log(3.25))
    written("rn18.txt", trt_log(1.5).replace("RTX 2080", "RTX 4090"))
    err = refused(capsys, "zoo:resnet50=rn50.txt", "zoo:resnet18=rn18.txt", *TENSORRT)
    assert "rn18.txt: its device is NVIDIA GeForce RTX 4090, and that of rn50.txt is NVIDIA GeForce RTX 2080" in err


def test_a_network_measured_twice_counts_once() -> None:
    written("a.txt", trt_log(3.25))
    written("b.txt", trt_log(3.15))
    found = logs.read("trtexec", ("zoo:resnet50=a.txt", "zoo:resnet50=b.txt"), "tensorrt", "fp16", None).dataset
    assert [sample.latency for sample in found.samples] == [pytest.approx(3.15e-3)]
    assert "the fastest was taken" in found.notes[0]


# Which format


COMMANDS = {
    "benchncnn": ("log.txt", *NCNN),
    "benchmark_model": ("zoo:resnet18=log.txt", *TFLITE),
    "trtexec": ("zoo:resnet18=log.txt", *TENSORRT),
    "csv": ("log.txt", "--id", "phone-ncnn-fp32-1t", "--runtime", "ncnn"),
}


@pytest.mark.parametrize("said", KINDS)
@pytest.mark.parametrize("true", KINDS)
def test_a_log_of_another_format_is_refused_with_the_format_that_fits(
    capsys: pytest.CaptureFixture[str], said: str, true: str
) -> None:
    if said == true:
        return
    written("log.txt", KINDS[true])
    err = refused(capsys, *COMMANDS[said])
    assert f"use --from {true}" in err
    assert KINDS[true].splitlines()[0][:40] in err


@pytest.mark.parametrize("said", ["benchncnn", "benchmark_model", "trtexec"])
@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "it is empty; "),
        (b"\x1b[0m\n\x1b[2K\n", "it is empty; "),  # what a terminal was told, and nothing else
        (b"\x00\x01\x02", "it is no text"),
        (b"make: *** No rule\nto make target\n", "it begins 'make: *** No rule', 'to make target': save the whole"),
    ],
)
def test_what_is_no_log(capsys: pytest.CaptureFixture[str], said: str, content: bytes, problem: str) -> None:
    Path("log.txt").write_bytes(content)
    assert problem in refused(capsys, *COMMANDS[said])


def test_a_name_that_is_too_long_for_a_file_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert "is no file; write NETWORK=LOG" in refused(capsys, f"zoo:resnet18={'x' * 300}", *TENSORRT)


@pytest.mark.parametrize("kind", ["benchncnn", "benchmark_model", "trtexec"])
def test_damaged_logs_are_read_or_refused(kind: str) -> None:
    """Pieces lost, doubled, and numbers that are far too large: a time that is possible, or an error that says why."""
    rng = np.random.default_rng(7)
    runtime, precision = {"benchncnn": "ncnn", "benchmark_model": "tflite"}.get(kind, "tensorrt"), "fp16"
    read = 0
    for _ in range(300):
        text = KINDS[kind]
        for _ in range(rng.integers(1, 4)):
            start, end = sorted(rng.integers(0, len(text), 2))
            piece = ["", text[start:end] * 2, "9" * 5000, "\r", "0", " = ", "x", "\u0661"][rng.integers(8)]
            text = text[:start] + piece + text[start if piece else min(end, start + 40) :]
        written("log.txt", text)
        try:
            found = logs.read(kind, COMMANDS[kind][:1], runtime, precision, None)
        except UsageError:
            continue
        assert all(0 < sample.latency < 3600 and 0 <= sample.threads <= 4096 for sample in found.dataset.samples)
        read += 1
    assert read > 50


def test_long_lines_of_noise_take_no_time() -> None:
    """A megabyte without a blank, and one of blanks and words: no pattern may look at each place again and again."""
    noise = "x" * 1_000_000 + "\n" + "a b " * 250_000 + "\n"
    written("log.txt", noise + KINDS["benchncnn"])
    assert len(benchncnn.read(["log.txt"], None).dataset.samples) == len(TIMES)
    for kind, parse in (("trtexec", trtexec.parse), ("benchmark_model", benchmark_model.parse)):
        written("log.txt", KINDS[kind].replace("\n", "\n" + noise, 1))
        assert parse(read_lines("log.txt", kind)).latency > 0


def test_a_header_without_a_network_is_no_measurement(capsys: pytest.CaptureFixture[str]) -> None:
    written("log.txt", HEADER)
    assert "it has no network's time; it begins 'loop_count = 8'" in refused(capsys, *COMMANDS["benchncnn"])


def test_one_csv_at_a_time(capsys: pytest.CaptureFixture[str]) -> None:
    assert "the measurements are one CSV" in refused(capsys, "a.csv", *COMMANDS["csv"])


@pytest.mark.parametrize("said", ["benchncnn", "trtexec"])
def test_no_output_replaces_a_log(capsys: pytest.CaptureFixture[str], said: str) -> None:
    written("log.txt", KINDS[said])
    assert main(["calibrate", *COMMANDS[said], "-o", "log.txt"]) == 2
    assert "it holds the measurements" in capsys.readouterr().err
    assert Path("log.txt").read_text(encoding="utf-8") == KINDS[said]

"""Measurements as data: what a data CSV may hold, what is refused and how, and the files that come with the package."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path
from statistics import median

import pytest
from onnx_models import model, node, save, value, weight

from calibration import dataset as data
from calibration.dataset import Dataset, read
from calibration.names import network_names, network_of
from calibration.selection import FEW_NETWORKS, for_platform
from costmodel import zoo
from costmodel.errors import UsageError

SHIPPED = Path(data.__file__).parent / "data"
NO_MEASUREMENTS = {"platforms.csv", "network_names.csv", "figure2_shares.csv"}
MEASUREMENTS = sorted(path.name for path in SHIPPED.glob("*.csv") if path.name not in NO_MEASUREMENTS)

GOOD = "zoo:squeezenet1_1,3.5"


def write(folder: Path, *lines: str, header: str = "network,latency_ms", name: str = "rows.csv") -> Path:
    path = folder / name
    path.write_text("\n".join((header, *lines)) + "\n", encoding="utf-8")
    return path


def table(name: str) -> list[dict[str, str]]:
    with (SHIPPED / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def refusal(path: Path) -> str:
    with pytest.raises(UsageError) as error:
        read(path)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_row_says_what_was_measured_and_where_it_stands(tmp_path: Path) -> None:
    header = "platform,network,batch,threads,precision,source,latency_ms"
    path = write(tmp_path, '  pi , "zoo:mobilenet_v2,width=0.50",8,4,FP16,a lab,12.5', header=header)
    (sample,) = read(path).samples
    assert sample == data.Sample(
        "zoo:mobilenet_v2,width=0.5", 0.0125, 8, "", "pi", 4, "fp16", "a lab", str(path), 2
    )  # 12.5 ms in seconds, and the reference in its shortest form


def test_columns_that_are_left_out_say_nothing(tmp_path: Path) -> None:
    (sample,) = read(write(tmp_path, GOOD)).samples
    assert (sample.batch, sample.input, sample.platform, sample.threads, sample.precision) == (1, "", "", 0, "")


def test_other_columns_are_reported_once(tmp_path: Path) -> None:
    rows = read(write(tmp_path, f"{GOOD},2026-01-01,9", "zoo:alexnet,9,,", header="network,latency_ms,date,min"))
    (note,) = rows.notes
    assert "date, min" in note


@pytest.mark.parametrize(
    "text", ["\ufeffnetwork,latency_ms\nzoo:alexnet,9\n", "network,latency_ms\r\nzoo:alexnet,9\r\n"]
)
def test_byte_order_marks_and_line_ends_do_not_matter(tmp_path: Path, text: str) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes(text.encode())
    assert read(path).samples[0].network == "zoo:alexnet"


def test_lines_are_counted_over_blank_ones_and_line_breaks_in_quotes(tmp_path: Path) -> None:
    path = write(tmp_path, "", f'{GOOD},"two\nlines"', "zoo:alexnet,bad,", header="network,latency_ms,note")
    assert f"{path}:5: latency_ms is 'bad'" in refusal(path)


@pytest.mark.parametrize(
    ("row", "problem", "remedy"),
    [
        ("zoo:alexnet,nan", "latency_ms is 'nan'", "milliseconds"),
        ("zoo:alexnet,inf", "latency_ms is 'inf'", "milliseconds"),
        ("zoo:alexnet,-3", "latency_ms is -3", "above 0"),
        ("zoo:alexnet,0", "latency_ms is 0", "above 0"),
        ("zoo:alexnet,0.0e5", "latency_ms is 0.0e5", "above 0"),
        ("zoo:alexnet,1e-400", "latency_ms is 1e-400", "above 0"),
        ("zoo:alexnet,1e400", "over an hour", "check it"),
        ("zoo:alexnet,3600001", "over an hour", "check it"),
        ("zoo:alexnet,0.0000009", "under a nanosecond", "check it"),
        ("zoo:alexnet,", "latency_ms is empty", "such as 12.34"),
        ("zoo:alexnet,fast", "latency_ms is 'fast'", "such as 12.34"),
        ("zoo:alexnet,3 ms", "latency_ms is '3 ms'", "such as 12.34"),
        ("zoo:alexnet,1_000", "latency_ms is '1_000'", "such as 12.34"),
        ("zoo:alexnet,\u0663", "latency_ms is '\u0663'", "such as 12.34"),
        ('zoo:alexnet,"3,5"', "latency_ms is '3,5'", "decimal point"),
        ("zoo:alexnet", "1 of 2 fields", "comma"),
        ("zoo:mobilenet_v2,width=0.5,9", "3 fields where the header has 2", "double quotes"),
        ("alexnet.onnx,9,", "3 fields where the header has 2", "surplus"),
        (",9", "network is empty", "zoo:NAME"),
        ("alexnet,9", "alexnet: not a network", "zoo:NAME"),
        ("zoo:alexnett,9", "no network has this name", "did you mean 'alexnet'"),
        ('"zoo:alexnet,breadth=2",9', "no option 'breadth'", "batch, resolution, classes, groups"),
        ('"zoo:alexnet,groups=two",9', "groups is two", "it takes a whole number"),
        ("nowhere.onnx,9", "nowhere.onnx: no such file", "relative to the folder"),
    ],
)
def test_bad_rows_are_refused_with_place_and_remedy(tmp_path: Path, row: str, problem: str, remedy: str) -> None:
    path = write(tmp_path, GOOD, row)
    text = refusal(path)
    assert text.startswith(f"{path}:3: ")
    assert problem in text
    assert remedy in text
    assert text.endswith("--skip-bad")


@pytest.mark.parametrize(
    ("header", "row", "problem"),
    [
        ("batch", "0", "batch is '0'"),
        ("batch", "1.5", "batch is '1.5'"),
        ("batch", "99999999999999999999", "batch is '99999999999999999999'"),
        ("threads", "-1", "threads is '-1'"),
        ("threads", "many", "threads is 'many'"),
        ("precision", "full precision", "precision is 'full precision'"),
        ("input", "big", "input is 'big'"),
        ("input", "0x224", "input is '0x224'"),
        ("input", "1x1x1x224x224", "input is '1x1x1x224x224'"),
        ("input", "4x224x224", "its input is 1x3x224x224 and the column input says 4x224x224"),
    ],
)
def test_bad_cells_of_optional_columns(tmp_path: Path, header: str, row: str, problem: str) -> None:
    text = refusal(write(tmp_path, f"{GOOD},", f"zoo:alexnet,9,{row}", header=f"network,latency_ms,{header}"))
    assert ":3: " in text
    assert problem in text


def test_the_batch_may_stand_in_the_reference_or_beside_it(tmp_path: Path) -> None:
    header = "network,latency_ms,batch"
    rows = read(write(tmp_path, '"zoo:alexnet,batch=8",9,', '"zoo:vgg16,batch=4",9,4', "zoo:vgg11,9,2", header=header))
    assert [(sample.network, sample.batch) for sample in rows.samples] == [
        ("zoo:alexnet", 8),
        ("zoo:vgg16", 4),
        ("zoo:vgg11", 2),
    ]
    assert "its batch is 8" in refusal(write(tmp_path, '"zoo:alexnet,batch=8",9,4', header=header))


def test_the_input_becomes_the_resolution(tmp_path: Path) -> None:
    lines = ["zoo:alexnet,9,227", "zoo:resnet18,9,3x480x640", '"zoo:vgg16,resolution=192",9,192x192', "zoo:vgg11,9,224"]
    rows = read(write(tmp_path, *lines, header="network,latency_ms,input"))
    assert [sample.network for sample in rows.samples] == [
        "zoo:alexnet,resolution=227",
        "zoo:resnet18,resolution=480x640",
        "zoo:vgg16,resolution=192",
        "zoo:vgg11",
    ]
    text = refusal(write(tmp_path, '"zoo:vgg16,resolution=192",9,224', header="network,latency_ms,input"))
    assert "its input is 1x3x192x192 and the column input says 224" in text


def test_duplicates_are_found_whatever_their_spelling(tmp_path: Path) -> None:
    same = refusal(write(tmp_path, "zoo:mobilenet_v2,9", GOOD, '"zoo:mobilenet_v2,width=1",9'))
    assert ":4: it repeats line 2: zoo:mobilenet_v2; remove one" in same
    conflict = refusal(write(tmp_path, "zoo:mobilenet_v2,9", GOOD, '"zoo:mobilenet_v2,width=1",10'))
    assert ":4: zoo:mobilenet_v2 takes 10 ms here and 9 ms in line 2; keep one row" in conflict


def test_rows_of_another_batch_platform_precision_or_threads_are_no_duplicates(tmp_path: Path) -> None:
    header = "network,latency_ms,platform,batch,threads,precision"
    lines = [f"zoo:alexnet,9,{rest}" for rest in ("a,1,1,fp32", "b,1,1,fp32", "a,2,1,fp32", "a,1,2,fp32", "a,1,1,fp16")]
    assert len(read(write(tmp_path, *lines, header=header)).samples) == 5


def test_all_bad_rows_are_named_up_to_a_sensible_number(tmp_path: Path) -> None:
    text = refusal(write(tmp_path, GOOD, *(f"zoo:alexnet,bad{i}" for i in range(100))))
    assert "100 bad rows" in text
    assert "line 3: latency_ms is 'bad0'" in text
    assert "line 10: latency_ms is 'bad7'" in text
    assert "bad8" not in text
    assert "and 92 more" in text
    assert len(text) < 2000  # the command line prints so much


def test_bad_rows_are_left_out_and_listed_when_asked(tmp_path: Path) -> None:
    path = write(tmp_path, "zoo:vgg11,nan", GOOD, "zoo:alexnet,-1", GOOD)
    rows = read(path, skip_bad=True)
    assert [sample.line for sample in rows.samples] == [3]
    assert [row.line for row in rows.skipped] == [2, 4, 5]
    assert str(rows.skipped[1]).startswith(f"{path}:4: latency_ms is -1; ")


def test_a_file_of_bad_rows_only_is_refused_in_any_case(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no row can be used: .*latency_ms is 'nan'"):
        read(write(tmp_path, "zoo:vgg11,nan"), skip_bad=True)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "it is empty"),
        (b"\n \n", "it is empty"),
        (b"network,latency_ms\n", "no row below the header"),
        (b"network;latency_ms\nzoo:alexnet;9\n", "separated by ';'; save it with commas"),
        (b"network\tlatency_ms\nzoo:alexnet\t9\n", "separated by tabs"),
        (b"zoo:alexnet,9\n", "without network and latency_ms"),
        (b"network,latency\nzoo:alexnet,9\n", "without latency_ms"),
        (b"network,latency_ms,network\nzoo:alexnet,9,x\n", "the column network is there twice"),
        ("network,latency_ms\nzoo:alexnet,9\n".encode("utf-16"), "UTF-16"),
        (b"network,latency_ms,source\nzoo:alexnet,9,M\xfcller\n", ":2: byte 0xfc is not UTF-8"),
        (b"PK\x03\x04\x00\x00", "it is no text"),
        (b'network,latency_ms\nzoo:alexnet,9\n"zoo:vgg11,9\nzoo:vgg13,9\n', ":3: no CSV from here on"),
    ],
)
def test_files_that_are_no_data_csv(tmp_path: Path, content: bytes, problem: str) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes(content)
    text = refusal(path)
    assert text.startswith(str(path))
    assert problem in text


@pytest.mark.parametrize("name", ["missing.csv", "."])
def test_files_that_cannot_be_read(tmp_path: Path, name: str) -> None:
    assert "cannot be read" in refusal(tmp_path / name)


def save_conv(folder: Path, batch: int | str = 1) -> Path:
    """A 3x3 convolution of 3 to 5 channels at 6x7, unpadded: 4 * 5 * 5 * 3 * 9 mult-adds an image."""
    conv = node("Conv", ["x", "w"], ["y"], name="conv")
    return save(
        model([conv], [value("x", (batch, 3, 6, 7))], [weight("w", 5, 3, 3, 3)], outputs=[value("y", None)]), folder
    )


def test_onnx_files_are_found_beside_the_csv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_conv(tmp_path, "N")
    header = "network,latency_ms,batch,input"
    path = write(tmp_path, "model.onnx,9,1,", "./model.onnx,20,2,", "model.onnx,9,,1x3x8x7", header=header)
    monkeypatch.chdir("/")
    rows = read(path)
    assert [(sample.network, sample.batch) for sample in rows.samples] == [
        (str(tmp_path / "model.onnx"), b) for b in (1, 2, 1)
    ]
    one = 4 * 5 * 5 * 3 * 9
    taller = 6 * 5 * 5 * 3 * 9
    assert [data.graph(sample).cost.mult_adds for sample in rows.samples] == [one, 2 * one, taller]


def test_a_fixed_batch_of_an_onnx_file_is_known(tmp_path: Path) -> None:
    save_conv(tmp_path, 4)
    (sample,) = read(write(tmp_path, "model.onnx,9")).samples
    assert sample.batch == 4


def test_onnx_files_that_cannot_be_used_are_bad_rows(tmp_path: Path) -> None:
    (tmp_path / "broken.onnx").write_bytes(b"not a model")
    assert ":3: " in refusal(write(tmp_path, GOOD, "broken.onnx,9"))
    save_conv(tmp_path, "N")
    text = refusal(write(tmp_path, "model.onnx,9,2,1x3x6x7", header="network,latency_ms,batch,input"))
    assert "the first size is the batch" in text


def test_graphs_have_the_batch_and_are_built_once(tmp_path: Path) -> None:
    rows = read(write(tmp_path, "zoo:alexnet,9,1", "zoo:alexnet,9,8", header="network,latency_ms,batch")).samples
    one, eight = map(data.graph, rows)
    assert eight.cost.mult_adds == 8 * one.cost.mult_adds
    assert data.graph(rows[0]) is one


def test_reading_is_linear(tmp_path: Path) -> None:
    lines = [f"zoo:alexnet,{i + 1},p{i}" for i in range(50_000)]
    assert len(read(write(tmp_path, *lines, header="network,latency_ms,platform")).samples) == 50_000


# One platform of a dataset


def rows_of(*cells: tuple[str, str, int, str]) -> Dataset:
    """A row of its own network for each (network, platform, threads, precision)."""
    samples = [
        data.Sample(network, 1e-3, platform=platform, threads=threads, precision=precision, file="f.csv", line=i + 2)
        for i, (network, platform, threads, precision) in enumerate(cells)
    ]
    return Dataset(tuple(samples))


def test_the_wished_platform_is_selected() -> None:
    rows = rows_of(("zoo:a", "p", 1, ""), ("zoo:b", "q", 1, ""), ("zoo:c", "p", 1, ""))
    assert for_platform(rows, "p").networks == ("zoo:a", "zoo:c")


def test_mixed_platforms_are_refused() -> None:
    mixed = rows_of(("zoo:a", "pixel1", 1, ""), ("zoo:b", "pixel4", 1, ""), ("zoo:c", "pixel4", 1, ""))
    with pytest.raises(UsageError, match=r"f\.csv: it has rows of pixel1, pixel4; a profile is of one platform"):
        for_platform(mixed)
    with pytest.raises(
        UsageError, match=r"no row is of the platform 'pixel2'; did you mean 'pixel[14]'\? It has pixel1"
    ):
        for_platform(mixed, "pixel2")
    with pytest.raises(UsageError, match="did you mean 'board4-1t'"):
        for_platform(rows_of(("zoo:a", "board5-1t", 1, ""), ("zoo:b", "board4-1t", 1, "")), "board4")
    blank = rows_of(("zoo:a", "p", 1, ""), ("zoo:b", "", 1, ""))
    with pytest.raises(UsageError, match=r"rows of p and 1 row\(s\) without one"):
        for_platform(blank, "q")


def test_a_file_of_one_platform_fits_any_wish_and_says_so() -> None:
    rows = rows_of(("zoo:a", "lab", 1, ""), ("zoo:b", "lab", 1, ""))
    assert any("name the platform lab; they were taken for mine" in note for note in for_platform(rows, "mine").notes)
    unnamed = rows_of(("zoo:a", "", 1, ""), ("zoo:b", "", 1, ""))
    assert len(for_platform(unnamed, "mine").samples) == 2


def test_mixed_threads_and_precisions_are_refused_or_chosen() -> None:
    rows = rows_of(("zoo:a", "", 1, "fp32"), ("zoo:b", "", 4, "fp32"), ("zoo:c", "", 4, "fp16"), ("zoo:d", "", 4, ""))
    with pytest.raises(UsageError, match=r"differ in threads \(1, 4\); .* --threads"):
        for_platform(rows)
    with pytest.raises(UsageError, match=r"differ in precision \(fp16, fp32\); .* --precision"):
        for_platform(rows, threads=4)
    assert for_platform(rows, threads=4, precision="FP16").networks == ("zoo:c", "zoo:d")
    with pytest.raises(UsageError, match="no row has threads 2; it has 1, 4"):
        for_platform(rows, threads=2)


def test_one_network_is_refused_and_few_are_said() -> None:
    same = rows_of(("zoo:a", "", 1, ""))
    with pytest.raises(UsageError, match=r"its one row measures one network, zoo:a; .* at least one more"):
        for_platform(same)
    with pytest.raises(UsageError, match="all 2 rows measure one network"):
        for_platform(Dataset((same.samples[0], data.Sample("zoo:a", 2e-3, batch=2))))
    (note,) = for_platform(rows_of(("zoo:a", "", 1, ""), ("zoo:b", "", 1, ""))).notes
    assert "2 networks only" in note
    enough = rows_of(*((f"zoo:{i}", "", 1, "") for i in range(FEW_NETWORKS)))
    assert for_platform(enough).notes == ()


# What comes with the package


@pytest.mark.parametrize("name", [name for name in MEASUREMENTS if "block" not in name and name != "nasbench201.csv"])
def test_shipped_measurements_are_readable_and_their_networks_build(name: str) -> None:
    rows = read(SHIPPED / name)
    assert not rows.skipped
    assert all(sample.platform and sample.precision and sample.source for sample in rows.samples)


@pytest.mark.parametrize("name", ["tflite_mobile_blocks.csv", "tflite_mobile_blocks_second.csv", "nasbench201.csv"])
def test_every_hundredth_row_of_the_large_files(name: str, tmp_path: Path) -> None:
    lines = (SHIPPED / name).read_text(encoding="utf-8").splitlines()
    assert read(write(tmp_path, *lines[1::101], header=lines[0])).samples


@pytest.mark.parametrize("name", MEASUREMENTS)
def test_shipped_rows_are_sorted_and_unique(name: str) -> None:
    rows = table(name)
    keys = [(row["platform"], row["network"], row.get("batch", "")) for row in rows]
    assert len(set(keys)) == len(keys)
    platforms = [row["platform"] for row in rows]
    assert platforms == sorted(platforms)
    assert all(0 < float(row["latency_ms"]) < 1e6 for row in rows)


def test_platforms_and_measurements_agree() -> None:
    described = {row["id"]: row for row in table("platforms.csv")}
    measured: dict[str, set[str]] = {}
    for name in MEASUREMENTS:
        for row in table(name):
            platform = described[row["platform"]]
            assert row["precision"] == platform["precision"]
            assert row["threads"] == platform["threads"]
            measured.setdefault(row["platform"], set()).add(name)
    assert measured.keys() == described.keys()
    assert all(row["file"] in measured[row["id"]] for row in described.values())


def test_platform_ids_read_device_runtime_precision_threads() -> None:
    for row in table("platforms.csv"):
        end = f"-{row['runtime']}-{row['precision']}" + (f"-{row['threads']}t" if row["threads"] != "0" else "")
        assert row["id"].endswith(end)
        assert row["id"] == row["id"].lower()


def test_the_figures_are_the_published_ones() -> None:
    """One of each source, looked up there by hand."""
    rows = {
        name: {(r["network"], r["platform"], r.get("batch", "1")): r["latency_ms"] for r in table(name)}
        for name in MEASUREMENTS
    }
    expected = [
        ("ncnn_arm_cpu.csv", "zoo:mobilenet_v1", "raspberrypi4-ncnn-fp32-1t", "1", 123.76),
        ("ncnn_arm_cpu.csv", "zoo:resnet18,project_first=true", "rk3399little-ncnn-fp32-1t", "1", 351.64),
        ("paddle_tensorrt.csv", "zoo:alexnet", "t4-tensorrt-fp16", "1", 1.06447),
        ("paddle_tensorrt.csv", "zoo:resnet50", "v100-tensorrt-fp32", "8", 6.22),
        ("paper_tables1to4.csv", "zoo:paper_g1,c1=128,c2=128", "gtx1080ti-cudnn7-fp32", "1", 1000 / 1480),
        ("paper_tables1to4.csv", "zoo:paper_g4,c=128,relu=false", "snapdragon810-neon-fp32-1t", "1", 1000 / 5.1),
        ("paper_table8.csv", "zoo:shufflenet_v2", "gtx1080ti-cudnn7-fp32", "8", 1000 / 341),
        ("paper_table8.csv", "zoo:shufflenet_v2", "snapdragon810-neon-fp32-1t", "1", 1000 / 24.4),
        (
            "nasbench201.csv",
            "zoo:nasbench201,arch=|nor_conv_3x3~0|+|none~0|skip_connect~1|+|nor_conv_1x1~0|nor_conv_1x1~1|nor_conv_1x1~2|",
            "1080ti-torch-fp32",
            "256",
            22.5139,
        ),
        (
            "tflite_mobile_blocks.csv",
            "zoo:inverted_residual,resolution=64,cin=16,cout=16,expand=1,stride=1,kernel=5,act=swish,se=0",
            "pixel1-tflite-fp32-1t",
            "1",
            1.74586,
        ),
        (
            "tflite_mobile_blocks_second.csv",
            "zoo:inverted_residual,resolution=32,cin=24,cout=48,expand=2,stride=2,kernel=5,act=hard_swish,se=1",
            "pixel1-tflite-fp32-1t",
            "1",
            0.479315,
        ),
        ("paddle_tensorrt_other.csv", "zoo:pphgnetv2_b0", "v100-tensorrt-fp32", "1", 0.52),
        ("ncnn_vision_transformer.csv", "zoo:vit_b32", "raspberrypi5-ncnn-fp16-1t", "1", 1249.08),
    ]
    for name, network, platform, batch, latency in expected:
        assert float(rows[name][network, platform, batch]) == pytest.approx(latency, rel=1e-5)


def options(row: dict[str, str]) -> dict[str, str]:
    return dict(option.split("=") for option in row["network"].split(",")[1:])


def test_blocks_keep_what_is_recorded_of_them() -> None:
    """Only the stride of blocks with an expansion on two phones is another one."""
    changed = Counter[str]()
    for row in table("tflite_mobile_blocks.csv"):
        block = options(row)
        assert row["combination"] == "x".join(block[key] for key in ("resolution", "cin", "cout"))
        if row["recorded_stride"] != block["stride"]:
            assert (row["recorded_stride"], block["stride"]) == ("1", "2")
            assert block["expand"] != "1"
            changed[row["platform"]] += 1
    assert changed == {"pixel1-tflite-fp32-1t": 700, "xiaomi11-tflite-fp32-1t": 700}


@pytest.mark.parametrize("recorded", ["1", "2"])
@pytest.mark.parametrize("phone", ["pixel1", "xiaomi11"])
def test_activations_tell_the_stride_of_blocks(phone: str, recorded: str) -> None:
    """What swish takes longer than hard swish, an element of the expanded map: one activation where expand is 1.

    With stride 2 in the depthwise convolution it is 1 + 1/4 of that; with stride 1 it were 2, with stride 2 in the
    expansion 1/2.
    """
    times = {}
    for row in table("tflite_mobile_blocks.csv"):
        if row["platform"].startswith(phone):
            block = options(row)
            act = block.pop("act")
            times[act, row["recorded_stride"], tuple(block.items())] = float(row["latency_ms"])
    one, two = [], []
    for (act, stride, key), time in times.items():
        block = dict(key)
        if act == "swish" and (block["expand"] == "1" or stride == recorded):
            longer = time - times["hard_swish", stride, key]
            elements = int(block["resolution"]) ** 2 * int(block["cin"]) * int(block["expand"])
            (one if block["expand"] == "1" else two).append(longer / elements)
    assert median(two) / median(one) == pytest.approx(1.25, abs=0.1)


def test_the_v100s_rows_to_fit_are_of_networks_that_the_t4_has_too() -> None:
    def networks(name: str, card: str) -> set[str]:
        return {row["network"] for row in table(name) if row["platform"].startswith(card)}

    assert networks("paddle_tensorrt.csv", "v100") < networks("paddle_tensorrt.csv", "t4")
    others = networks("paddle_tensorrt_other.csv", "")
    older = {"zoo:resnest50", "zoo:regnet_x_4gf,torchvision_rounding=false"}
    assert others & networks("paddle_tensorrt.csv", "t4") == older
    assert not others & networks("paddle_tensorrt.csv", "v100")


def test_every_networks_name_is_of_a_network_that_builds() -> None:
    for source in ("ncnn", "paddle", "paper"):
        names = network_names(source)
        assert names
        for network in names.values():
            assert zoo.load(network).name.startswith("zoo:")
    assert network_of("ncnn", "mobilenet") == "zoo:mobilenet_v1"


def test_names_that_are_not_known_are_refused() -> None:
    with pytest.raises(UsageError, match="no names are known of this source; there are: ncnn, paddle, paper"):
        network_of("caffe", "alexnet")
    with pytest.raises(UsageError, match="imaginarynet: ncnn has no network of this name"):
        network_of("ncnn", "imaginarynet")


def test_ncnn_names_have_ncnns_mult_adds() -> None:
    """Of each layer in ncnn's own tool (tests/data/ncnn_*layers.csv), summed where a network has them all."""
    published = {  # benchmark set, total in mult-adds: printed by ncnn's tool in millions
        "squeezenet": 418.468,
        "mobilenet": 568.74,
        "mobilenet_v2": 313.619,
        "shufflenet": 127.061,
        "resnet50": 3857.973,
        "googlenet": 1582.672,
        "alexnet": 724.407,
        "yolo-fastest-1.1": 125.438,
        "FastestDet": 121.492,
    }
    for name, millions in published.items():
        assert round(zoo.load(network_of("ncnn", name)).cost.mult_adds / 1e6, 3) == millions

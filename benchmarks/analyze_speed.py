"""How fast `costmodel analyze` is, against its floor and its peers, timed in turn in one run.

    python benchmarks/analyze_speed.py MODELS_DIR     # from export_torchvision.py; needs onnx-tool==1.0.1
    python benchmarks/analyze_speed.py --smoke        # every part once, small, without peers

MODELS_DIR holds shufflenet_v2_x1_0-224.onnx, resnet50-224.onnx, vit_b_16-224.onnx and vgg16-224.onnx.
Times are medians of rounds in which the candidates take turns, so that a busy machine slows all alike.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import onnx
from onnx import TensorProto, helper
from turns import medians

from costmodel.analysis import analyze

IN_PROCESS = ("shufflenet_v2_x1_0-224", "resnet50-224", "vit_b_16-224")
CHAINS = (1_000, 5_000, 20_000)
LONGEST_PEER = 300.0  # seconds; a peer that takes longer on a chain is stopped and reported as slower


def onnx_tool_profile(path: str) -> None:
    """What onnx-tool's documentation does to profile a model."""
    import onnx_tool

    with contextlib.redirect_stdout(io.StringIO()):
        model = onnx_tool.Model(path)
        model.graph.shape_infer(None)
        model.graph.profile()


def onnx_inference(path: str) -> None:
    """The bare minimum of a tool that builds on onnx: load and infer shapes."""
    onnx.shape_inference.infer_shapes(onnx.load(path))


def python(*words: str) -> Callable[[], object]:
    """A whole Python process, with its byte code cached as that of an installed package is."""
    cached = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return lambda: subprocess.run([sys.executable, *words], check=True, stdout=subprocess.DEVNULL, env=cached)


def whole_process(model: Path, rounds: int) -> None:
    """The command line against importing onnx, which it cannot do without."""
    command = ("-m", "costmodel", "analyze", str(model))
    candidates = {
        "import onnx": python("-c", "import onnx"),
        "costmodel analyze -p none": python(*command, "-p", "none"),
        "costmodel analyze": python(*command),
    }
    times = medians(candidates, rounds)
    print(f"\nWhole process, {model.stem} (counts only: at most 2.0 x `import onnx`)")
    for name, seconds in times.items():
        print(f"  {name:28} {seconds * 1e3:8.0f} ms  {seconds / times['import onnx']:6.2f} x")


def in_process(models: list[Path], rounds: int, peers: bool) -> None:
    """One analysis in a running process."""
    print("\nIn process, ms (ratio to costmodel)")
    print(f"  {'model':28}{'costmodel':>10}{'onnx-tool':>20}{'onnx load+infer':>20}")
    for model in models:
        path = str(model)
        candidates = {
            "costmodel": lambda path=path: analyze(path).totals,
            "onnx": lambda path=path: onnx_inference(path),
        }
        if peers:
            candidates["onnx-tool"] = lambda path=path: onnx_tool_profile(path)
        times = medians(candidates, rounds)
        cells = [
            f"{times[name] * 1e3:10.1f} ({times[name] / times['costmodel']:6.1f}x)" if name in times else "-"
            for name in ("onnx-tool", "onnx")
        ]
        print(f"  {model.stem:28}{times['costmodel'] * 1e3:10.1f}{cells[0]:>20}{cells[1]:>20}")


def write_chain(path: Path, length: int) -> None:
    """A chain of 1x1 convolutions and ReLUs, half of its `length` nodes each."""
    nodes, weights = [], []
    for i in range(length // 2):
        weights.append(helper.make_tensor(f"w{i}", TensorProto.FLOAT, (8, 8, 1, 1), bytes(256), raw=True))
        nodes.append(helper.make_node("Conv", [f"r{i}", f"w{i}"], [f"c{i}"], name=f"conv{i}", kernel_shape=[1, 1]))
        nodes.append(helper.make_node("Relu", [f"c{i}"], [f"r{i + 1}"], name=f"relu{i}"))
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, (1, 8, 16, 16)) for name in ("r0", f"r{length // 2}")
    ]
    onnx.save(helper.make_model(helper.make_graph(nodes, "chain", ends[:1], ends[1:], weights)), path)


def chains(folder: Path, lengths: tuple[int, ...], rounds: int, peers: bool) -> None:
    """Time against the number of nodes."""
    print("\nChains of conv and ReLU")
    for length in lengths:
        path = folder / f"chain{length}.onnx"
        write_chain(path, length)
        ours = medians({"costmodel": lambda path=path: analyze(str(path)).totals}, rounds)["costmodel"]
        line = f"  {length:7} nodes {ours * 1e3:9.1f} ms {ours / length * 1e6:6.1f} us a node"
        if peers:
            line += f"   onnx-tool {_peer_on_chain(path, ours)}"
        print(line, flush=True)


def _peer_on_chain(path: Path, ours: float) -> str:
    code = (
        "import sys, time; sys.path.insert(0, sys.argv[1]); import analyze_speed as b, onnx_tool;"
        "start = time.perf_counter(); b.onnx_tool_profile(sys.argv[2]); print(time.perf_counter() - start)"
    )
    command = [sys.executable, "-c", code, str(Path(__file__).parent), str(path)]
    try:
        done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=LONGEST_PEER)
    except subprocess.TimeoutExpired:
        return f"stopped after {LONGEST_PEER:.0f} s (more than {LONGEST_PEER / ours:.0f}x)"
    seconds = float(done.stdout.split()[-1])
    return f"{seconds * 1e3:9.1f} ms ({seconds / ours:.0f}x)"


def embedded_weights(source: Path, folder: Path, rounds: int) -> None:
    """A model with all its weights in the file against its twin without any."""
    full, twin = folder / "full.onnx", folder / "twin.onnx"
    onnx.save(onnx.load(source), full)
    model = onnx.load(source, load_external_data=False)
    onnx.save(model, twin)
    times = medians(
        {"with weights": lambda: analyze(str(full)).totals, "without": lambda: analyze(str(twin)).totals},
        rounds,
    )
    size = full.stat().st_size / 1e6
    print(f"\n{source.stem}, {size:.0f} MB of weights in the file (at most 1.5 x its twin without)")
    for name, seconds in times.items():
        print(f"  {name:28} {seconds * 1e3:8.2f} ms  {seconds / times['without']:6.2f} x")


def external_data(folder: Path, gigabytes: int) -> None:
    """Memory of a whole process on a model whose weights lie beside it, and when they are gone."""
    rows = gigabytes * 250_000
    weight = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=(1000, rows))
    weight.data_location = TensorProto.EXTERNAL
    for key, value in (("location", "big.data"), ("offset", "0"), ("length", str(4000 * rows))):
        weight.external_data.add(key=key, value=value)
    node = helper.make_node("MatMul", ["x", "w"], ["y"])
    x, y = (helper.make_tensor_value_info(n, TensorProto.FLOAT, (1, d)) for n, d in (("x", 1000), ("y", rows)))
    path, data = folder / "big.onnx", folder / "big.data"
    path.write_bytes(helper.make_model(helper.make_graph([node], "big", [x], [y], [weight])).SerializeToString())
    print(f"\nMemory of a process, {gigabytes} GB of external data (under 200 MB)")
    for state in ("present", "absent"):
        if state == "present":
            with data.open("wb") as file:
                file.truncate(4000 * rows)  # a sparse file takes no room on the disk
        else:
            data.unlink()
        print(f"  {state:24} {peak_memory(path) / 1e3:8.0f} MB")


def peak_memory(path: Path) -> float:
    """The largest resident size of `costmodel analyze` on path, in kB."""
    # VmHWM begins anew in a new program; ru_maxrss would start from this process's own size.
    code = (
        "import sys; from costmodel.cli import main; main(['analyze', sys.argv[1]]);"
        "print(next(line for line in open('/proc/self/status') if line.startswith('VmHWM')).split()[1])"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], check=True, capture_output=True, text=True)
    return float(done.stdout.split()[-1])


def light_model(name: str) -> Path:
    """A network that the onnx package ships for its own tests."""
    return Path(onnx.__file__).parent / "backend" / "test" / "data" / "light" / f"light_{name}.onnx"


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("models", type=Path, nargs="?", metavar="MODELS_DIR")
    parser.add_argument("--smoke", action="store_true", help="every part once, small, without peers")
    parser.add_argument("--rounds", type=int, default=11)
    options = parser.parse_args()
    if not options.smoke and options.models is None:
        parser.error("give the folder that export_torchvision.py filled, or --smoke")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if options.smoke:
            whole_process(light_model("shufflenet"), 3)
            in_process([light_model("shufflenet"), light_model("resnet50")], 1, peers=False)
            chains(folder, (500, 2_000), 1, peers=False)
            embedded_weights(light_model("squeezenet"), folder, 3)
            external_data(folder, 1)
            return 0
        models = [options.models / f"{model}.onnx" for model in IN_PROCESS]
        whole_process(models[0], options.rounds)
        in_process(models, options.rounds, peers=True)
        chains(folder, CHAINS, 3, peers=True)
        embedded_weights(options.models / "vgg16-224.onnx", folder, options.rounds)
        external_data(folder, 3)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""What benchncnn, benchmark_model and trtexec print: logs written for the tests, in the form of the tools' sources.

calibration/logs/ cites those sources.
"""

from __future__ import annotations

from collections.abc import Mapping

HEADER = "loop_count = 8\nnum_threads = 1\npowersave = 2\ngpu_device = -1\ncooling_down = 1\n"
TIMES = {"squeezenet": 19.53, "mobilenet": 30.0, "mobilenet_v2": 21.1, "resnet18": 58.53}


def line(name: str, low: float, high: float | None = None) -> str:
    """As benchncnn's printf has it."""
    return f"{name:>20}  min = {low:7.2f}  max = {high or 1.1 * low:7.2f}  avg = {1.05 * low:7.2f}\n"


def run_of(times: Mapping[str, float], header: str = HEADER) -> str:
    return header + "".join(line(name, time) for name, time in times.items())


def tflite_log(low: float, average: str, *more: str, threads: str = "Num threads: [4]", prefix: str = "INFO: ") -> str:
    """Microseconds; the warm-up is twice as slow."""
    lines = (
        "STARTING!",
        "Log parameter values verbosely: [0]",
        threads,
        "Graph: [/data/local/tmp/model.tflite]",
        *more,
        "Loaded model /data/local/tmp/model.tflite",
        "Running benchmark for at least 1 iterations and at least 0.5 seconds but terminate if exceeding 150 seconds.",
        f"count=9 first={3 * low:g} curr={2 * low:g} min={2 * low:g} max={3 * low:g} avg={2.1 * low:g} std=3930",
        "Running benchmark for at least 50 iterations and at least 1 seconds but terminate if exceeding 150 seconds.",
        f"count=50 first={1.1 * low:g} curr={low:g} min={low:g} max={1.2 * low:g} avg={average} std=450",
        f"Inference timings in us: Init: 855, First inference: {3 * low:g}, Warmup (avg): {2.1 * low:g}, "
        f"Inference (avg): {average}",
        "Note: as the benchmark tool itself affects memory footprint, the following is only APPROXIMATE.",
    )
    return "".join(f"{prefix}{line}\n" for line in lines)


def trt_log(median: float, flags: str = "--shapes=input:8x3x224x224 --fp16", *more: str) -> str:
    def figures(middle: float) -> str:
        return f"min = {0.9 * middle:g} ms, max = {2 * middle:g} ms, mean = {1.1 * middle:g} ms, median = {middle:g} ms"

    lines = (
        "[I] TensorRT version: 8.6.1",
        "[I] Selected Device: NVIDIA GeForce RTX 2080",
        *more,
        "[I] === Performance summary ===",
        f"[I] Latency: {figures(1.5 * median)}, percentile(99%) = 9 ms",
        f"[I] Enqueue Time: {figures(0.4 * median)}, percentile(99%) = 9 ms",
        f"[I] GPU Compute Time: {figures(median)}, percentile(99%) = 9 ms",
        f"[I] D2H Latency: {figures(0.1 * median)}, percentile(99%) = 9 ms",
        "[I] Total GPU Compute Time: 2.5 s",
    )
    command = f"# trtexec --onnx=model.onnx {flags}".rstrip()
    stamped = "".join(f"[03/28/2024-07:10:11] {line}\n" for line in lines)
    return (
        f"&&&& RUNNING TensorRT.trtexec [TensorRT v8601] {command}\n{stamped}&&&& PASSED TensorRT.trtexec {command}\n"
    )


KINDS = {
    "benchncnn": run_of(TIMES),
    "benchmark_model": tflite_log(14000, "14575.2"),
    "trtexec": trt_log(3.25),
    "csv": "network,latency_ms\nzoo:resnet18,58\nzoo:mobilenet_v2,21\n",
}

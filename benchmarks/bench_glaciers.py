"""Time the shipped glacier network: pixels per second through OpenVINO and onnxruntime against torch, and a scene of
10,980 x 10,980 pixels with its memory.

    python benchmarks/bench_glaciers.py [--network glavitu-narrow] [--windows 24] [--scene] [--side 10980]
    [--json]

The first table: the same windows through every runtime, two threads each, with ratios to torch eager. --scene: a
synthetic scene of eight bands (optical and DEM) read block by block and mapped with strips as ``polynya glaciers``
does, in a process of its own; its peak memory and pixels per second.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time

import numpy as np

from polynya.predict import runtime as predict_runtime
from polynya.predict import scenes as predict_scenes


def windows(network: predict_scenes.SceneNetwork, n: int) -> np.ndarray:
    """Return plausible raw windows."""
    d, rng = network.description, np.random.default_rng(0)
    out = rng.random((n, network.bands + d.location, d.size, d.size), dtype=np.float32)
    begin = 0
    for sensor, count in d.scaling.sensors.items():
        if sensor == "dem":
            out[:, begin] = 4000.0 + 1000.0 * out[:, begin]
        begin += count
    return out


def timed(evaluate, values: np.ndarray, *, threads: int) -> float:
    """Return pixels per second of windows one by one over threads, the best of three."""
    from concurrent.futures import ThreadPoolExecutor

    best = 0.0
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(evaluate, [values[:1]] * threads))
        for _ in range(3):
            began = time.perf_counter()
            list(pool.map(evaluate, [values[k : k + 1] for k in range(len(values))]))
            best = max(best, values.shape[0] * values.shape[2] * values.shape[3] / (time.perf_counter() - began))
    return best


def runtimes(name: str, n: int) -> dict[str, object]:
    """Return pixels per second through every runtime, and how far their results are from torch's."""
    import torch

    from polynya import checkpoint, export

    torch.set_num_threads(2)
    path = predict_runtime.locate(name)
    found = {r: predict_scenes.load(path, runtime=r, threads=2) for r in ("onnxruntime", "openvino")}
    values = windows(found["onnxruntime"], n)
    network, about = checkpoint.load(path.with_suffix(".safetensors"))
    whole = export.whole(network, about)

    def eager(part: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return whole(torch.from_numpy(part)).numpy()

    base = timed(eager, values, threads=1)  # torch's own two threads share a window
    out: dict[str, object] = {"windows": n, "side": values.shape[2], "torch": torch.__version__.split("+")[0]}
    out["torch_eager"] = {"pixels_per_s": base, "over_torch": 1.0}
    for network_ in found.values():
        speed = timed(network_.evaluate, values, threads=2)
        worst = float(np.abs(network_.evaluate(values[:1]) - eager(values[:1])).max())
        out[network_.runtime] = {"pixels_per_s": speed, "over_torch": speed / base, "differs_by": worst}
    return out


def as_text(name: str, found: dict) -> str:
    """Return the table of runtimes."""
    lines = [
        f"| {name}, {found['windows']} windows of {found['side']}^2, 2 cores | window pixels per second | over torch |",
        "|---|---|---|",
        f"| torch {found['torch']}, eager, 2 threads | {found['torch_eager']['pixels_per_s']:,.0f} | 1.00 |",
    ]
    for runtime, r in found.items():
        if isinstance(r, dict) and "differs_by" in r:
            lines.append(
                f"| {runtime} | {r['pixels_per_s']:,.0f} | {r['over_torch']:.2f} | differs by {r['differs_by']:.0e}"
            )
    return "\n".join(lines)


def scene(name: str, side: int) -> None:
    """Map a synthetic scene and print peak memory and speed as JSON; meant for a process of its own."""
    network = predict_scenes.load(name, threads=2)
    tile = np.random.default_rng(1).random((network.bands, 512, 512), dtype=np.float32)

    def read(rows: slice, columns: slice) -> np.ndarray:
        r, c = np.arange(rows.start, rows.stop) % 512, np.arange(columns.start, columns.stop) % 512
        return tile[:, r][:, :, c]

    began, done = time.perf_counter(), 0
    for strip in predict_scenes.strips(
        [network], read, shape=(side, side), location=np.zeros(network.description.location, np.float32), threads=2
    ):
        done += strip.probability.shape[1] * side
    seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    found = {
        "side": side,
        "bands": network.bands,
        "runtime": network.runtime,
        "seconds": seconds,
        "pixels_per_s": done / seconds,
        "peak_memory_gb": peak,
    }
    print(json.dumps(found))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", default="glavitu-narrow")
    parser.add_argument("--windows", type=int, default=24)
    parser.add_argument("--scene", action="store_true")
    parser.add_argument("--side", type=int, default=10_980)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--only-scene", action="store_true", help=argparse.SUPPRESS)
    a = parser.parse_args()
    if a.only_scene:
        scene(a.network, a.side)
        return
    found = runtimes(a.network, a.windows)
    if not a.json:
        print(as_text(a.network, found))
    if a.scene:
        command = [sys.executable, __file__, "--network", a.network, "--side", str(a.side), "--only-scene"]
        s = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        found["scene"] = s
        if not a.json:
            print(
                f"scene {s['side']} x {s['side']}, {s['bands']} bands, {s['runtime']}: {s['seconds']:.0f} s,"
                f" {s['pixels_per_s']:,.0f} pixels per second, peak memory {s['peak_memory_gb']:.2f} GB"
            )
    if a.json:
        print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()

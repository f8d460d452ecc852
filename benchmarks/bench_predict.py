"""Time the default network over millions of segments, beside an LSTM of 64 units in torch, in one run.

    python benchmarks/bench_predict.py [--segments-million 5] [--network NAME|FILE.onnx] [--threads 2] [--repeat 3]
    [--brief]

On segments with holes and gaps as a simulated granule has them, features drawn at random (time does not depend on
them), it times

  a  the network through onnxruntime, from named arrays of features to probabilities of each segment,
  b  the same through OpenVINO, where it is installed,
  c  torch's LSTM of 64 units over windows of five segments and eight features (published work's kind of network),
  windows
     ready made in memory, where torch is installed,

each once to warm up and then ``--repeat`` times in turn (a b c, a b c ...); medians and ratios of medians are printed.
Then ``polynya freeboard`` of a simulated granule with the network, and how much of it classification takes.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from polynya.errors import UsageError
from polynya.predict import runtime as predict_runtime
from polynya.predict import tracks as predict_tracks
from polynya.simulate.icesat2.atl03 import simulate
from polynya.workflows import freeboard
from polynya.workflows.freeboard import classifier as freeboard_classifier

TARGET = 1.0
"""Million segments per second that the default network should reach on two cores."""
PIECE_CELLS, HOLES = 4000, 0.02
"""Mean length of a piece and share of missing cells: strong beams of sixteen simulated granules of 60 km had 4300 and
0.01."""
LSTM_UNITS, LSTM_STEPS, LSTM_FEATURES, LSTM_BATCH = 64, 5, 8, 8192


def segments(n: int, names: tuple[str, ...]) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Return along-track distances (m) of n segments and random features."""
    rng = np.random.default_rng(0)
    step = np.ones(n, np.int64)
    step[rng.random(n) < HOLES] = 2
    step[rng.random(n) < 1.0 / PIECE_CELLS] = 200
    return 2.0 * np.cumsum(step) + 1.0, {f: rng.normal(size=n).astype(np.float32) for f in names}


def lstm(n: int, threads: int) -> Callable[[], None] | None:
    """Return a function that runs the LSTM over n windows; None without torch."""
    try:
        import torch
    except ImportError:
        return None
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    body, head = (
        torch.nn.LSTM(LSTM_FEATURES, LSTM_UNITS, batch_first=True).eval(),
        torch.nn.Linear(LSTM_UNITS, 3).eval(),
    )
    windows = torch.randn(LSTM_BATCH, LSTM_STEPS, LSTM_FEATURES)

    def work() -> None:
        with torch.inference_mode():
            for start in range(0, n, LSTM_BATCH):
                torch.softmax(head(body(windows[: min(LSTM_BATCH, n - start)])[0][:, -1]), dim=1)

    return work


def jobs(network: str, *, n: int, threads: int) -> dict[str, tuple[Callable[[], object], int]]:
    """Return what is timed: name to (function, segments)."""
    out: dict[str, tuple[Callable[[], object], int]] = {}
    x, features = None, None
    for runtime in ("onnxruntime", "openvino"):
        try:
            classifier = predict_tracks.load(network, runtime=runtime, threads=threads)
        except UsageError:
            if runtime == "onnxruntime":
                raise
            continue
        if x is None:
            x, features = segments(n, classifier.description.features)
        out[f"{classifier.description.name}, {classifier.runtime}"] = (
            functools.partial(predict_tracks.classify, classifier, features, x=x, threads=threads),
            n,
        )
    other = lstm(n // 5, threads)  # a fifth of the segments tells its rate as well
    if other is not None:
        out["LSTM-64 over 5 segments, torch"] = (other, n // 5)
    return out


def rates(work: dict[str, tuple[Callable[[], object], int]], repeat: int) -> dict[str, float]:
    """Return median million segments per second of each, taken in turn."""
    seconds: dict[str, list[float]] = {k: [] for k in work}
    for round_ in range(repeat + 1):
        for name, (function, _) in work.items():
            started = time.perf_counter()
            function()
            if round_:  # the first warms up
                seconds[name].append(time.perf_counter() - started)
    return {k: work[k][1] / statistics.median(v) / 1e6 for k, v in seconds.items()}


def share_of_freeboard(network: str, *, length_km: float, threads: int) -> dict[str, float]:
    """Run the main job on a simulated granule with the network and with the rule; return seconds, and those of
    classification."""
    spent: list[float] = []
    plain = predict_tracks.classify

    def timed(*arguments, **options):
        started = time.perf_counter()
        result = plain(*arguments, **options)
        spent.append(time.perf_counter() - started)
        return result

    with tempfile.TemporaryDirectory() as folder:
        granule = simulate(Path(folder) / "granule.h5", length_km=length_km, season="summer", seed=2).granule
        out = {}
        for name in (network, freeboard_classifier.RULE):
            config = freeboard.Config.checked(classifier=name)
            for _ in range(2):  # the first warms up
                spent.clear()
                predict_tracks.classify = timed
                started = time.perf_counter()
                try:
                    (record,) = freeboard.run(
                        [granule], out=Path(folder) / "out", config=config, workers=threads, overwrite=True
                    )
                finally:
                    predict_tracks.classify = plain
                out["seconds" if name == network else "seconds_rule"] = time.perf_counter() - started
                if name == network:
                    out |= {"classify_seconds_of_all_threads": sum(spent), "segments": record.numbers["n_segments"]}
    out["share"] = out["classify_seconds_of_all_threads"] / (threads * out["seconds"])
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--segments-million", type=float, default=5.0)
    parser.add_argument("--network", default=freeboard_classifier.DEFAULT)
    parser.add_argument("--threads", type=int, default=min(os.cpu_count() or 1, 2))
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--length-km", type=float, default=60.0)
    parser.add_argument("--brief", action="store_true", help="leave the freeboard job out")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    try:
        predict_runtime.locate(options.network)
    except UsageError as error:
        sys.exit(str(error).replace("--classifier", "--network"))
    n = int(options.segments_million * 1e6)
    found = rates(jobs(options.network, n=n, threads=options.threads), options.repeat)
    job = (
        None
        if options.brief
        else share_of_freeboard(options.network, length_km=options.length_km, threads=options.threads)
    )
    if options.json:
        print(
            json.dumps(
                {"segments": n, "threads": options.threads, "million_per_second": found, "freeboard": job}, indent=1
            )
        )
        return
    print(f"{n / 1e6:g} M segments, {options.threads} threads, medians of {options.repeat}")
    for name, rate in found.items():
        print(f"{name:45s} {rate:6.2f} M segments/s")
    other = next((v for k, v in found.items() if k.startswith("LSTM")), None)
    for name, rate in found.items():
        if other is not None and not name.startswith("LSTM"):
            print(f"{name} / LSTM-64 = {rate / other:.1f}")
    print(
        f"aim: at least {TARGET:g} M segments/s by the better runtime; found"
        f" {max(v for k, v in found.items() if not k.startswith('LSTM')):.2f}"
    )
    if job is not None:
        print(
            f"freeboard of {job['segments'] / 1e3:.0f} k segments: {job['seconds']:.2f} s (rule"
            f" {job['seconds_rule']:.2f} s); classification takes {100 * job['share']:.0f} % of its threads' time"
        )


if __name__ == "__main__":
    main()

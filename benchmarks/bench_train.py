"""Time data-parallel training: two processes against one at equal work, in one run.

    python benchmarks/bench_train.py [--recipe track-unet] [--granules 12] [--cells 8192] [--epochs 4] [--repeat 2]

The same recipe, seed, data and batch are trained by

  a  one process with one thread,
  b  two processes of torchrun with one thread each, every batch shared (DDP, gloo),
  c  one process with two threads,
  d  two processes of Spark's TorchDistributor on ``local[2]`` with one thread each, where pyspark is installed.

Labels are random numbers in the form of label tables: this is about time, and no score is printed. Seconds are those of
epochs after the first, from history.json; runs alternate (a b c, a b c ...) and medians are taken. The curves of a and
b (and d) are compared where the recipe has no dropout (masks differ between processes).

From a and b follow the part of an epoch that processes share and the part that they do not; with these the time of four
and eight processes on cores of their own is predicted, said to be so, beside the published 280.7, 143.2, 73.7 and
38.7 s of 1, 2, 4 and 8 GPUs (arXiv:2502.02700).
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import yaml

from polynya import io, recipes, schema


def write_tables(folder: Path, granules: int, cells: int) -> None:
    """Write label tables of one strong beam each, features and labels drawn at random in stretches of 30 cells."""
    folder.mkdir(parents=True)
    for k in range(granules):
        rng = np.random.default_rng(k)
        label = np.repeat(rng.choice(3, cells // 30 + 1, p=[0.8, 0.12, 0.08]), 30)[:cells]
        columns: dict[str, object] = {
            v.name: (rng.normal(size=cells) + label).astype(np.float32) for v in schema.FEATURES.variables
        }
        nothing = np.full(cells, np.nan)
        columns |= {
            "granule": f"g{k}",
            "beam": "gt1r",
            "is_strong": np.ones(cells, bool),
            "time": np.full(cells, np.datetime64("2019-11-04", "ns")),
            "latitude": np.full(cells, -70.0),
            "longitude": np.full(cells, 0.0),
            "x_atc": 2.0 * np.arange(cells) + 1.0,
            "easting": nothing,
            "northing": nothing,
            "image_value": np.full(cells, -1),
            "label": label,
            "label_source": np.full(cells, 3),
            "label_flag": np.zeros(cells),
        }
        io.write_table(schema.table(schema.LABELS, columns), folder / f"g{k}.parquet", spec=schema.LABELS)


PUBLISHED = {1: 280.7, 2: 143.2, 4: 73.7, 8: 38.7}
"""Seconds of the published training by the number of GPUs (Horovod)."""
BY_SPARK = """
import sys
from pathlib import Path
from pyspark.ml.torch.distributor import TorchDistributor
from pyspark.sql import SparkSession

script = Path(sys.argv[1]) / "polynya_train.py"
script.write_text("from polynya.cli import main\\nmain()\\n")
SparkSession.builder.master("local[2]").config("spark.log.level", "ERROR").getOrCreate()
TorchDistributor(num_processes=2, local_mode=True, use_gpu=False).run(str(script), *sys.argv[2:])
"""


def train(
    recipe: Path, folder: Path, *, processes: int, threads: int, is_spark: bool = False
) -> tuple[float, list[dict]]:
    """Train once; return seconds per epoch after the first, and the history."""
    out = folder / "out"
    start = (
        ["-m", "polynya"]
        if processes == 1
        else ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", str(processes), "-m", "polynya"]
    )
    if is_spark:
        start = ["-c", BY_SPARK, str(folder)]
    words = [
        sys.executable,
        *start,
        "train",
        str(recipe),
        "--data",
        str(folder / "labels"),
        "-o",
        str(out),
        "--device",
        "cpu",
        "--threads",
        str(threads),
        "--overwrite",
        "--json",
    ]
    done = subprocess.run(
        words, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": str(threads)}, check=False
    )
    if done.returncode:
        raise SystemExit(done.stderr[-2000:])
    rows = json.loads((out / "history.json").read_text())["history"]
    return statistics.mean(r["seconds"] for r in rows[1:]), rows


def predicted(one: float, two: float) -> dict[int, float]:
    """Return the speed-up of 2, 4 and 8 processes: what is shared takes 1/n of its time, the rest what it took."""
    shared = min(max(2.0 * (one - two), 0.0), one)
    return {n: one / (one - shared + shared / n) for n in (2, 4, 8)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recipe", default="track-unet")
    parser.add_argument("--granules", type=int, default=12)
    parser.add_argument("--cells", type=int, default=8192)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--repeat", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="polynya-bench-"))
    try:
        write_tables(folder / "labels", options.granules, options.cells)
        plan = recipes.load(options.recipe, epochs=options.epochs).as_dict()
        if "dropout" in str(plan["model"]) or plan["model"]["name"] == "track_unet":
            plan["model"] = {
                **plan["model"],
                "dropout": 0.0,
                **({"dense_dropout": 0.0} if "dense_dropout" in plan["model"] else {}),
            }
        recipe = folder / "recipe.yaml"
        recipe.write_text(yaml.safe_dump(plan))
        ways = {"a": (1, 1), "b": (2, 1), "c": (1, 2)}
        if importlib.util.find_spec("pyspark"):
            ways["d"] = (2, 1)
        times: dict[str, list[float]] = {k: [] for k in ways}
        curves = {}
        for _ in range(options.repeat):
            for name, (processes, threads) in ways.items():
                seconds, rows = train(recipe, folder, processes=processes, threads=threads, is_spark=name == "d")
                times[name].append(seconds)
                curves[name] = [r["train_loss"] for r in rows]
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    middle = {k: statistics.median(v) for k, v in times.items()}
    result = {
        "recipe": options.recipe,
        "segments": options.granules * options.cells,
        "cores": os.cpu_count(),
        "seconds_an_epoch": middle,
        "all": times,
        "samples_per_second": {k: options.granules * options.cells / v for k, v in middle.items()},
        "speedup_two_processes": middle["a"] / middle["b"],
        "predicted_speedup": predicted(middle["a"], middle["b"]),
        "published_speedup": {n: PUBLISHED[1] / seconds for n, seconds in PUBLISHED.items()},
        "largest_difference_of_the_curves": max(
            abs(x - y) for k in curves.keys() - {"a", "c"} for x, y in zip(curves["a"], curves[k], strict=True)
        ),
    }
    if options.json:
        print(json.dumps(result, indent=1))
        return
    print(
        f"{options.recipe}, {result['segments']:,} segments, batch {plan['batch']}, {os.cpu_count()} cores; seconds an"
        f" epoch, medians of {options.repeat}"
    )
    print(f"a  one process, one thread            {middle['a']:7.2f} s")
    print(f"b  two processes (DDP), one thread    {middle['b']:7.2f} s   a / b = {middle['a'] / middle['b']:.2f}")
    print(f"c  one process, two threads           {middle['c']:7.2f} s   a / c = {middle['a'] / middle['c']:.2f}")
    if "d" in middle:
        print(f"d  two processes (TorchDistributor)   {middle['d']:7.2f} s   a / d = {middle['a'] / middle['d']:.2f}")
    rates = ", ".join(f"{k} {v:,.0f}" for k, v in result["samples_per_second"].items())
    print(f"segments per second: {rates}")
    print("speed-up of processes on cores of their own, predicted from a and b, beside the published one of GPUs:")
    for n, value in result["predicted_speedup"].items():
        print(f"  {n} processes {value:5.2f}   published {result['published_speedup'][n]:5.2f}")
    print(f"loss curves differ from that of a by at most {result['largest_difference_of_the_curves']:.1e}")


if __name__ == "__main__":
    main()

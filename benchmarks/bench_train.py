"""Time data-parallel training: two processes against one at equal work, in one run.

    python benchmarks/bench_train.py [--recipe track-unet] [--granules 12] [--cells 8192] [--epochs 4] [--repeat 2]

The same recipe, seed, data and batch are trained by

  a  one process with one thread,
  b  two processes of torchrun with one thread each, every batch shared (DDP, gloo),
  c  one process with two threads.

Labels are random numbers in the form of label tables: this is about time, and no score is printed. Seconds are those of
epochs after the first, from history.json; runs alternate (a b c, a b c ...) and medians are taken. The curves of a and
b are compared where the recipe has no dropout (masks differ between processes).
"""

from __future__ import annotations

import argparse
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


def train(recipe: Path, folder: Path, *, processes: int, threads: int) -> tuple[float, list[dict]]:
    """Train once; return seconds per epoch after the first, and the history."""
    out = folder / "out"
    start = (
        ["-m", "polynya"]
        if processes == 1
        else ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", str(processes), "-m", "polynya"]
    )
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
        times: dict[str, list[float]] = {k: [] for k in ways}
        curves = {}
        for _ in range(options.repeat):
            for name, (processes, threads) in ways.items():
                seconds, rows = train(recipe, folder, processes=processes, threads=threads)
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
        "speedup_two_processes": middle["a"] / middle["b"],
        "largest_difference_of_the_curves": max(abs(x - y) for x, y in zip(curves["a"], curves["b"], strict=True)),
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
    print(f"loss curves of a and b differ by at most {result['largest_difference_of_the_curves']:.1e}")


if __name__ == "__main__":
    main()

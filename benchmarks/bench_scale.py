"""Time many granules: two workers against one, Spark against two workers, and what a cluster would take.

    python benchmarks/bench_scale.py [--granules 8] [--length-km 150] [--spark-granules 48] [--spark-length-km 60]
                                     [--repeat 3] [--json]

``polynya freeboard`` over simulated granules of six beams, one thread per worker, each way as its own process:

  a  one worker, and
  b  two workers of the local engine, over ``--granules``;
  c  two workers of the local engine, and
  d  Spark ``local[2]``, over ``--spark-granules`` (links to ``--granules`` of their own); Spark's start is timed apart;
  e  c and f d once more in the same process over what is done: what an item costs that needs no work.

One run over one granule comes first, untimed: it compiles. Ways run in turn ``--repeat`` times; medians are printed.
The start of the workers (two seconds) counts in b, c and d: granules of 150 km are far shorter than real ones, of some
3000 km, and with 30 km it is a fifth of b. A cost model is fitted to them,

  seconds = start + items * scheduler + ceil(items / cores) * item,

and gives a prediction, said to be one, for larger clusters beside the published speed-ups (arXiv:2502.02700).
"""

from __future__ import annotations

import argparse
import json
import math
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from polynya.simulate.icesat2.atl03 import simulate

WAY = """
import json, sys, time
from pathlib import Path
began = time.perf_counter()
folder, out, engine, workers = sys.argv[1:]
session = None
if engine == "spark":
    from pyspark.sql import SparkSession
    from polynya.engine import spark
    made = spark.build(workers=1, master=f"local[{workers}]")
    spark._context(None, f"local[{workers}]")
else:
    from polynya.engine.local import LocalEngine
    made = LocalEngine(workers=int(workers))
from polynya.workflows import freeboard
started = time.perf_counter()
granules = sorted(Path(folder).glob("*.h5"))
records = freeboard.run(granules, out=out, workers=int(workers), engine=made)
ended = time.perf_counter()
again = freeboard.run(granules, out=out, workers=int(workers), engine=made)
last = time.perf_counter()
print(json.dumps({"start_s": started - began, "run_s": ended - started, "again_s": last - ended,
                  "states": [sorted({r.status for r in rows}) for rows in (records, again)],
                  "item_s": sorted(r.seconds for r in records)[len(records) // 2]}))
"""
CLUSTERS = ((1, 1), (2, 2), (4, 4), (16, 4), (64, 4))
"""Executors and cores of each."""
PUBLISHED = {(1, 1): (1.0, 1.0), (2, 2): (3.36, 4.56), (4, 4): (8.54, 15.7)}
"""Speed-up of loading and of the reduction that the published freeboard reaches (their table)."""
SEASON = 400
"""Granules of the prediction."""


def way(folder: Path, out: Path, engine: str, workers: int) -> dict[str, object]:
    """Run freeboard one way; return seconds of the start and of the run."""
    env = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
    words = [sys.executable, "-c", WAY, str(folder), str(out), engine, str(workers)]
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=env)
    if done.returncode:
        raise SystemExit(f"{engine}, {workers} workers: {done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def predict(model: dict[str, float], items: int, *, executors: int, cores: int) -> float:
    """Return the seconds that the model gives for so many items."""
    waves = math.ceil(items / (executors * cores))
    return model["start_s"] + items * model["scheduler_s"] + waves * model["item_s"]


def measure(
    folder: Path, *, granules: int, spark_granules: int, length_km: float, spark_length_km: float, repeat: int
) -> dict[str, object]:
    few, short, many, one = (folder / name for name in ("few", "short", "many", "one"))
    for made, length in ((few, length_km), (short, spark_length_km)):
        made.mkdir()
        for k in range(granules):
            print(f"simulating granule {k + 1} of {granules}, {length:g} km ...", file=sys.stderr, flush=True)
            simulate(made / f"scale_{k:03d}.h5", length_km=length, season="winter", seed=k)
    many.mkdir()
    one.mkdir()
    for k in range(spark_granules):
        os.link(short / f"scale_{k % granules:03d}.h5", many / f"scale_{k:03d}.h5")
    os.link(short / "scale_000.h5", one / "scale_000.h5")
    way(one, folder / "out", "local", 1)
    shutil.rmtree(folder / "out")
    ways = {"a": (few, "local", 1), "b": (few, "local", 2), "c": (many, "local", 2), "d": (many, "spark", 2)}
    found: dict[str, list[dict]] = {}
    for _ in range(repeat):
        for name, (where, engine, workers) in ways.items():
            out = folder / "out"
            found.setdefault(name, []).append(way(where, out, engine, workers))
            if found[name][-1]["states"] != [["done"], ["skipped"]]:
                raise SystemExit(f"{name}: expected all done, then all skipped; found {found[name][-1]['states']}")
            shutil.rmtree(out)
    middle = {
        k: {n: statistics.median(r[n] for r in v) for n in ("run_s", "again_s", "start_s", "item_s")}
        for k, v in found.items()
    }
    seconds = {k: v["run_s"] for k, v in middle.items()} | {"e": middle["c"]["again_s"], "f": middle["d"]["again_s"]}
    scheduler, item = seconds["f"] / spark_granules, middle["d"]["item_s"]
    workers_start = max(seconds["d"] - spark_granules * scheduler - math.ceil(spark_granules / 2) * item, 0.0)
    start = middle["d"]["start_s"]
    model = {"start_s": start + workers_start, "scheduler_s": scheduler, "item_s": item}
    alone = predict(model, SEASON, executors=1, cores=1)
    return {
        "cores": os.cpu_count(),
        "granules": granules,
        "spark_granules": spark_granules,
        "length_km": length_km,
        "spark_length_km": spark_length_km,
        "seconds": seconds,
        "start_s": start,
        "all": {k: [r["run_s"] for r in v] for k, v in found.items()},
        "two_workers_over_one": seconds["a"] / seconds["b"],
        "spark_over_two_workers": seconds["d"] / seconds["c"],
        "model": model,
        "season": SEASON,
        "predicted": [
            {
                "executors": e,
                "cores": c,
                "seconds": predict(model, SEASON, executors=e, cores=c),
                "speedup": alone / predict(model, SEASON, executors=e, cores=c),
                "published_speedup": PUBLISHED.get((e, c)),
            }
            for e, c in CLUSTERS
        ],
    }


def as_text(r: dict) -> str:
    s, model = r["seconds"], r["model"]
    lines = [
        f"{r['granules']} granules of {r['length_km']:g} km (a, b), {r['spark_granules']} of"
        f" {r['spark_length_km']:g} km (c, d); six beams, {r['cores']} cores, one thread per worker; medians",
        f"a one worker          {s['a']:7.1f} s",
        f"b two workers         {s['b']:7.1f} s   a / b = {r['two_workers_over_one']:.2f} (due: 1.8 and more)",
        f"c two workers         {s['c']:7.1f} s",
        f"d Spark local[2]      {s['d']:7.1f} s   d / c = {r['spark_over_two_workers']:.2f} (due: 1.25 and less);"
        f" start {r['start_s']:.1f} s apart",
        f"e, f all done before  {s['e']:7.1f} s, {s['f']:.1f} s on Spark",
        "",
        f"model: start {model['start_s']:.1f} s + {1000 * model['scheduler_s']:.0f} ms per item +"
        f" {model['item_s']:.2f} s per item and core",
        f"prediction, not measured: {r['season']} such granules",
        "  executors x cores   seconds   speed-up   published speed-up (load, reduce)",
    ]
    for p in r["predicted"]:
        beside = "{:.2f}, {:.2f}".format(*p["published_speedup"]) if p["published_speedup"] else "-"
        lines.append(f"  {p['executors']:>4} x {p['cores']:<12} {p['seconds']:9.0f} {p['speedup']:10.1f}   {beside}")
    return "\n".join(lines)


def tables(r: dict) -> dict[str, dict[str, list]]:
    """Return what a page shows: ways beside each other, and the prediction."""
    s = r["seconds"]
    ways = [
        [f"one worker, {r['granules']} granules of {r['length_km']:g} km", f"{s['a']:.1f}", ""],
        ["two workers, the same", f"{s['b']:.1f}", f"{r['two_workers_over_one']:.2f} times as fast"],
        [f"two workers, {r['spark_granules']} granules of {r['spark_length_km']:g} km", f"{s['c']:.1f}", ""],
        [
            f"Spark `local[2]`, the same; its start of {r['start_s']:.0f} s apart",
            f"{s['d']:.1f}",
            f"{r['spark_over_two_workers']:.2f} of the time of two workers",
        ],
        ["two workers, all of it done before", f"{s['e']:.1f}", ""],
        ["Spark, all of it done before", f"{s['f']:.1f}", ""],
    ]
    predicted = [
        [
            f"{p['executors']} x {p['cores']}",
            f"{p['seconds']:.0f}",
            f"{p['speedup']:.1f}",
            *(f"{v:g}" for v in p["published_speedup"] or ()),
            *([""] * (0 if p["published_speedup"] else 2)),
        ]
        for p in r["predicted"]
    ]
    return {
        "measured": {"columns": ["way", "seconds", "ratio"], "rows": ways},
        "predicted": {
            "columns": ["executors x cores", "seconds", "speed-up", "published, loading", "published, freeboard"],
            "rows": predicted,
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--granules", type=int, default=8)
    parser.add_argument("--spark-granules", type=int, default=48)
    parser.add_argument("--length-km", type=float, default=150.0)
    parser.add_argument("--spark-length-km", type=float, default=60.0)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="polynya-scale-"))
    try:
        result = measure(
            folder,
            granules=options.granules,
            spark_granules=options.spark_granules,
            length_km=options.length_km,
            spark_length_km=options.spark_length_km,
            repeat=options.repeat,
        )
        print(json.dumps({**result, "tables": tables(result)}, indent=1) if options.json else as_text(result))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()

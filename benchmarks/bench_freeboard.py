"""Time the main job against plain h5py and against the usual script, in one run.

    python benchmarks/bench_freeboard.py [--photons-million 30] [--repeat 3] [--keep FOLDER]

On a simulated granule (three strong and three weak beams, chunks of 10,000, gzip-6 + shuffle) it times

  a  a plain h5py read of the variables that ``freeboard`` needs,
  b  polynya's read of the same variables,
  c  ``polynya freeboard`` end to end with its report, as its own process,
  d  the usual h5py + pandas script that reads and resamples to 2 m, nothing else, as its own process: the
     statistics that the published work keeps of a segment (means of position, time, geoid, tide, DAC and MSS;
     mean, standard deviation and median of height, photon rate, high-confidence rate, background count and rate).

Each is run once to warm caches (page cache, compiled functions) and then ``--repeat`` times in turn
(a b c d, a b c d ...); medians and ratios of medians are printed, with the cores they were taken on (a uses one, c
all of them), c's peak memory and CPU seconds, and in one more run on one thread its CPU seconds by stage.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import h5py

from polynya.readers import icesat2_atl03
from polynya.simulate.icesat2.atl03 import simulate

TARGETS = {"b / a": 0.7, "c / a": 1.5, "c / d": 0.5}


def plain_read(path: Path) -> int:
    """(a) Read the same variables with h5py, beam after beam; nothing is kept."""
    n = 0
    with h5py.File(path) as handle:
        for beam in (b for b in handle if b.startswith("gt")):
            for item in icesat2_atl03.PHOTONS:
                node = handle[f"{beam}/{item.path}"]
                data = node[()] if item.column is None else node[:, item.column]
            for item in (*icesat2_atl03.GEOSEGMENTS, *icesat2_atl03.BACKGROUND):
                if f"{beam}/{item.path}" in handle:
                    _ = handle[f"{beam}/{item.path}"][()]
            n += data.size
    return n


def polynya_read(path: Path) -> int:
    """(b) Read every beam with polynya's reader."""
    granule = icesat2_atl03.open_granule(path)
    return sum(icesat2_atl03.read(path, beam=b, granule=granule).photons.num_rows for b in granule.beams)


USUAL_SCRIPT = """
import sys
import h5py, numpy as np, pandas as pd

with h5py.File(sys.argv[1]) as f:
    for beam in [b for b in f if b.startswith("gt")]:
        h, g, c, b = f[beam]["heights"], f[beam]["geolocation"], f[beam]["geophys_corr"], f[beam]["bckgrd_atlas"]
        d = pd.DataFrame({n: h[n][()] for n in ("h_ph", "lat_ph", "lon_ph", "delta_time", "quality_ph")})
        d["conf"] = h["signal_conf_ph"][()][:, 2]
        shot = pd.Series(h["pce_mframe_cnt"][()].astype("i8") * 200 + h["ph_id_pulse"][()])
        count = g["segment_ph_cnt"][()]
        d["x"] = np.repeat(g["segment_dist_x"][()], count) + h["dist_ph_along"][()]
        for n in ("geoid", "tide_ocean", "dac", "dem_h"):
            d[n] = np.repeat(c[n][()], count)
        d["pcnt"] = shot.groupby(shot).transform("size")
        d["pcnth"] = (d["conf"] >= 3).groupby(shot).transform("sum")
        block = np.clip(np.searchsorted(b["delta_time"][()], d["delta_time"].to_numpy(), side="right") - 1, 0, None)
        d["bcnt"], d["brate"] = b["bckgrd_counts"][()][block], b["bckgrd_rate"][()][block]
        d = d[(d["conf"] >= 3) & (d["quality_ph"] == 0)]
        cell = np.floor(d["x"] / 2).astype("i8")
        groups = d.groupby(cell)
        s = groups[["x", "lat_ph", "lon_ph", "delta_time", "geoid", "tide_ocean", "dac", "dem_h"]].mean()
        s["n"] = groups.size()
        for n in ("h_ph", "pcnt", "pcnth", "bcnt", "brate"):
            s[n + "_mean"], s[n + "_sd"], s[n + "_med"] = groups[n].mean(), groups[n].std(), groups[n].median()
        print(beam, len(s))
"""


def process(command: list[str]) -> tuple[float, float, float]:
    """Run a command; return wall seconds, its peak memory in MB and its CPU seconds."""
    started = time.perf_counter()
    probe = "import resource,subprocess,sys;r=subprocess.run(sys.argv[1:],stdout=subprocess.DEVNULL).returncode;"
    probe += "u=resource.getrusage(resource.RUSAGE_CHILDREN);print(u.ru_maxrss,u.ru_utime+u.ru_stime);sys.exit(r)"
    done = subprocess.run([sys.executable, "-c", probe, *command], check=True, capture_output=True, text=True)
    kilobytes, cpu = (float(v) for v in done.stdout.split())
    return time.perf_counter() - started, kilobytes / 1024, cpu


def stages(granule: Path, out: Path) -> dict[str, float]:
    """Return the CPU seconds of each stage of ``freeboard`` on one thread."""
    script = Path(__file__).with_name("freeboard_stages.py")
    done = subprocess.run(
        [sys.executable, str(script), str(granule), str(out)], check=True, capture_output=True, text=True
    )
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photons-million", type=float, default=30.0)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--keep", type=Path, help="keep the granule here and use it again")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    folder = options.keep or Path(tempfile.mkdtemp(prefix="polynya-bench-"))
    folder.mkdir(parents=True, exist_ok=True)
    try:
        granule = make_granule(folder, options.photons_million)
        result = measure(granule, folder, options.repeat)
        print(json.dumps(result, indent=1) if options.json else as_text(result))
    finally:
        if options.keep is None:
            shutil.rmtree(folder, ignore_errors=True)


def make_granule(folder: Path, million: float) -> Path:
    """Simulate a granule of about so many photons, long enough, unless it is there."""
    path = folder / f"bench_{million:g}M.h5"
    if not path.exists():
        probe = simulate(folder / "probe.h5", length_km=40.0, season="summer", seed=2, overwrite=True)
        length = 40.0 * million * 1e6 / sum(probe.photons.values())
        print(f"simulating {length:.0f} km ...", file=sys.stderr, flush=True)
        simulate(path, length_km=min(length, 3000.0), season="summer", seed=2)
        for name in ("probe.h5", "probe_truth.parquet"):
            (folder / name).unlink(missing_ok=True)
    return path


def measure(granule: Path, folder: Path, repeat: int) -> dict[str, object]:
    script = folder / "usual_script.py"
    script.write_text(USUAL_SCRIPT)
    out = folder / "out"
    times: dict[str, list[float]] = {k: [] for k in "abcd"}
    peak, cpu = 0.0, []
    for k in range(repeat + 1):
        round_ = {}
        started = time.perf_counter()
        photons = plain_read(granule)
        round_["a"] = time.perf_counter() - started
        started = time.perf_counter()
        polynya_read(granule)
        round_["b"] = time.perf_counter() - started
        shutil.rmtree(out, ignore_errors=True)
        round_["c"], memory, cpu_of_c = process(
            [sys.executable, "-m", "polynya", "freeboard", str(granule), "-o", str(out)]
        )
        round_["d"], _, _ = process([sys.executable, str(script), str(granule)])
        if k:  # the first round warms the caches
            peak = max(peak, memory)
            cpu.append(cpu_of_c)
            for name, value in round_.items():
                times[name].append(value)
    middle = {k: statistics.median(v) for k, v in times.items()}
    return {
        "photons": photons,
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "megabytes": granule.stat().st_size / 1e6,
        "seconds": middle,
        "all_seconds": times,
        "peak_memory_mb": peak,
        "cpu_seconds_c": statistics.median(cpu),
        "stages_cpu_seconds": stages(granule, out),
        "own_peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "ratios": {
            "b / a": middle["b"] / middle["a"],
            "c / a": middle["c"] / middle["a"],
            "c / d": middle["c"] / middle["d"],
        },
    }


def as_text(result: dict) -> str:
    s = result["seconds"]
    lines = [
        (
            f"{result['photons'] / 1e6:.1f} M photons in six beams, {result['megabytes']:.0f} MB; medians of"
            f" {len(result['all_seconds']['a'])} on {result['cores']} cores"
        ),
        f"a  plain h5py read of the needed variables   {s['a']:7.2f} s",
        f"b  polynya's read of the same                {s['b']:7.2f} s",
        (
            f"c  polynya freeboard with report, process    {s['c']:7.2f} s   CPU {result['cpu_seconds_c']:.1f} s, peak"
            f" memory {result['peak_memory_mb']:.0f} MB (limit 1200)"
        ),
        f"d  h5py + pandas, read and resample, process {s['d']:7.2f} s",
    ]
    lines += [f"{name} = {value:.2f}   (aim: at most {TARGETS[name]})" for name, value in result["ratios"].items()]
    lines.append("c by stage, CPU seconds on one thread:")
    lines += [f"   {name:<24} {value:6.2f}" for name, value in result["stages_cpu_seconds"].items()]
    return "\n".join(lines)


if __name__ == "__main__":
    main()

"""Time `polynya concentration` on a whole simulated Sentinel-1 EW product, beside the rule and beside only reading the
images.

    python benchmarks/bench_concentration.py [--size 10708x10487] [--folder build/bench_concentration] [--repeat 2]
    [--json]

The product is simulated once (about two minutes) and kept in --folder. Each command runs in a process of its own, start
included; the least of --repeat runs counts. ``read`` opens both images with rasterio and reads them whole, which is the
least that any program must do. Peak memory is that of the process.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

READ = "import sys, rasterio\nfor path in sys.argv[1:]:\n    rasterio.open(path).read(1)"


def product(folder: Path, size: str) -> Path:
    """Return a simulated product, made unless it is there."""
    out = folder / f"scene_{size}"
    if not list(out.glob("*.SAFE")):
        command = [sys.executable, "-m", "polynya", "simulate", "s1-ew", str(out), "--kind", "edge", "--seed", "7"]
        subprocess.run([*command, "--size", size], check=True, stdout=sys.stderr)
    return next(out.glob("*.SAFE"))


def timed(command: list[str]) -> dict[str, float]:
    """Run a command; return seconds, seconds of CPU and peak memory in MB."""
    began = time.perf_counter()
    done = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    _, status, used = os.wait4(done.pid, 0)
    wall = time.perf_counter() - began
    if status:
        sys.exit(f"{' '.join(command[2:5])}: failed: {done.stderr.read().decode().strip()[-300:]}")
    done.stderr.close()
    return {"wall_s": wall, "cpu_s": used.ru_utime + used.ru_stime, "peak_mb": used.ru_maxrss / 1024.0}


def measure(safe: Path, folder: Path, repeat: int) -> dict[str, dict[str, float]]:
    """Return times and memory of reading, of the rule and of the network."""
    images = sorted(str(p) for p in (safe / "measurement").glob("*.tif*"))
    out = folder / "out"
    base = [sys.executable, "-m", "polynya", "concentration", str(safe), "-o", str(out), "--overwrite"]
    commands = {
        "read": [sys.executable, "-c", READ, *images],
        "rule": [*base, "--network", "rule"],
        "network": base,
    }
    found: dict[str, dict[str, float]] = {}
    for _ in range(repeat):
        for name, command in commands.items():
            shutil.rmtree(out, ignore_errors=True)
            now = timed(command)
            found[name] = {k: min(v, found.get(name, now)[k]) for k, v in now.items()}
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", default="10708x10487", help="lines and samples of the product")
    parser.add_argument("--folder", type=Path, default=Path("build/bench_concentration"))
    parser.add_argument("--repeat", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    a = parser.parse_args()
    a.folder.mkdir(parents=True, exist_ok=True)
    found = measure(product(a.folder, a.size), a.folder, a.repeat)
    rows = [
        [
            name,
            f"{v['wall_s']:.1f}",
            f"{v['wall_s'] / found['read']['wall_s']:.1f}",
            f"{v['cpu_s']:.1f}",
            f"{v['peak_mb']:,.0f}",
        ]
        for name, v in found.items()
    ]
    columns = ["", "wall, s", "times the time of read", "CPU, s", "peak memory, MB"]
    values = {"size": a.size, "cores": os.cpu_count(), **found}
    result = {"values": values, "tables": {"main": {"columns": columns, "rows": rows}}}
    if a.json:
        print(json.dumps(result, indent=1))
        return
    for row in (columns, *rows):
        print("".join(f"{cell:>24}" for cell in row))


if __name__ == "__main__":
    main()

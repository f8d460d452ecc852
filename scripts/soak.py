"""Kill every command that writes, again and again, and run it once more: ``make soak MINUTES=10 SEED=1``.

Every kill is a SIGKILL at a random moment of a command, in a folder with files of a user's and, every second time,
with an earlier result that the command replaces. Afterwards the files of the user's are what they were, and the same
command, run again, leaves the same numbers as one that was never killed, byte for byte, and nothing else. ``--files
FOLDER`` keeps the inputs for the next time.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

import h5py
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent))
import fuzz

COMMANDS = {
    "simulate atl03": "simulate atl03 {out}/a.h5 --length-km 1 --beams gt1l --seed 1",
    "simulate altika": "simulate altika {out}/a.nc --echoes 80 --seed 1",
    "simulate cryosat2": "simulate cryosat2 {out}/c.nc --echoes 80 --seed 1",
    "simulate wv": "simulate wv {out}/w --count 2 --seed 1",
    "simulate optical-ice": "simulate optical-ice {out}/o --size 64 --seed 1",
    "simulate glacier-scene": "simulate glacier-scene {out}/g --region ALP --size 96 --pixel-m 20 --seed 1",
    "simulate s1-ew": "simulate s1-ew {out}/e --size 160x160 --kind edge --seed 2",
    "simulate pair": "simulate pair {out}/p --length-km 1 --beams gt1l --seed 1 --image geotiff",
    "freeboard": "freeboard {f}/ATL03_a.h5 -o {out}/fb",
    "leads": "leads {f}/altika.nc -o {out}/le",
    "tags": "tags {f}/images -o {out}/ta",
    "grid": "grid {f}/leads -o {out}/gr",
    "concentration": "concentration {ew} -o {out}/co --mosaic",
    "segment": "segment {image} -o {out}/classes.tif",
    "label": "label {f}/pair/{granule} --image {image} -o {out}/labels.parquet --cloud-mask none --beams all",
    "label echoes": "label {f}/altika.nc --lead-map {f}/altika_sar_leads.tif -o {out}/labels.parquet",
    "glaciers": "glaciers {f}/scene/date1 -o {out}/ma --network rule",
    "tiles": "tiles {f}/scene/date1 -o {out}/tiles.h5 --tile 64",
    "evaluate": "evaluate {f}/freeboard/ATL03_a -r {f}/ATL03_a_truth.parquet --table {out}/scores.parquet",
    "compare": "compare {f}/freeboard/ATL03_a -o {out}/cmp",
}
"""Every command that writes, on the smallest input that it takes."""
PRODUCTS = (
    *fuzz.PRODUCTS,
    "simulate wv {f}/images --count 3",
    "simulate pair {f}/pair --length-km 2 --beams gt1l --seed 1 --image geotiff",
)
MOST_SECONDS = 120.0
COMPARED = (".parquet", ".tif", ".nc", ".h5", ".csv", ".png")
"""Endings of files whose bytes are the same in every run; records and pages hold the time."""


class Place:
    """A folder with files of a user's in which a command writes."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.out = folder / "out"
        self.mine = (self.out / "mine.txt", folder / "out.txt", self.out / "mine" / "notes.csv")

    def fill(self, earlier: Path | None) -> None:
        """Make it new: with an earlier result, or without."""
        shutil.rmtree(self.folder, ignore_errors=True)
        if earlier is None:
            self.out.mkdir(parents=True)
        else:
            shutil.copytree(earlier, self.out, symlinks=True)
        for path in self.mine:
            path.parent.mkdir(exist_ok=True, parents=True)
            path.write_text(f"mine: {path.name}")

    def missing(self) -> str:
        """Return what is wrong with the files of the user's."""
        wrong = [p.name for p in self.mine if not p.is_file() or p.read_text() != f"mine: {p.name}"]
        return f"a file of the user's is gone or another: {wrong[0]}" if wrong else ""

    def results(self) -> dict[str, str]:
        """Return the names below ``out`` that are not the user's, with a hash of those that hold numbers."""
        found = {}
        for path in sorted(self.out.rglob("*")):
            if path.is_file() and path not in self.mine:
                name = path.relative_to(self.out).as_posix()
                is_compared = path.suffix in COMPARED and "report" not in name
                found[name] = hash_of(path) if is_compared else ""
        return found


def hash_of(path: Path) -> str:
    """Return a hash of a file; of NetCDF, whose history holds the time, of its values."""
    digest = hashlib.sha256()
    try:
        with h5py.File(path if path.suffix == ".nc" else "", "r") as file:
            for name in sorted(file):
                digest.update(name.encode() + np.ascontiguousarray(file[name][()]).tobytes())
    except OSError:  # no NetCDF, or a damaged one
        digest.update(path.read_bytes())
    return digest.hexdigest()


def main() -> None:
    """Kill until the time is over."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kills", type=int, default=0, help="stop after so many")
    parser.add_argument("--only", nargs="*", default=list(COMMANDS), help="names of commands")
    parser.add_argument("--files", type=Path, help="where the inputs are kept")
    a = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = a.files or Path(scratch) / "files"
        if any("{" in COMMANDS[name].replace("{out}", "") for name in a.only):
            fuzz.make(folder, PRODUCTS)
        until = time.monotonic() + 60 * a.minutes
        n, wrong = work(a.only, folder, Path(scratch), seed=a.seed, until=until, most=a.kills)
    print(f"{n} kills of {len(a.only)} commands, {wrong} failed (seed {a.seed})")
    raise SystemExit(int(wrong > 0 or n == 0))


def words_of(name: str, folder: Path, out: Path) -> list[str]:
    """Return the command line of a command."""
    inputs = {
        "ew": next(iter(folder.glob("ew/*.SAFE")), ""),
        "image": next(iter(folder.glob("pair/*S2*.tif")), ""),
        "granule": next((p.name for p in folder.glob("pair/ATL03*.h5")), ""),
    }
    return [w.format(f=folder, out=out, **inputs) for w in COMMANDS[name].split()]


def work(names: list[str], folder: Path, scratch: Path, *, seed: int, until: float, most: int) -> tuple[int, int]:
    """Kill commands in turn; return how often, and how many left something wrong."""
    fuzz.warm()
    whole: dict[str, tuple[float, dict[str, str]]] = {}
    place = Place(scratch / "place")
    n = wrong = 0
    while time.monotonic() < until and (not most or n < most):
        name = names[n % len(names)]
        rng = random.Random(f"{seed} {n}")
        words = words_of(name, folder, place.out)
        kept = scratch / "whole" / name.replace(" ", "_")
        if name not in whole:
            place.fill(None)
            began = time.monotonic()
            said = ended(words, scratch / "said.txt")
            took = time.monotonic() - began
            if said:
                raise SystemExit(f"polynya {' '.join(words)}: {said}")
            whole[name] = (took, place.results())
            shutil.copytree(place.out, kept, symlinks=True)
            print(f"{name}: {took:.1f} s, {len(whole[name][1])} files", flush=True)
        took, expected = whole[name]
        is_replaced = n // len(names) % 2 == 1 or (most > 0 and rng.random() < 0.5)
        after = rng.uniform(0.0, took) if rng.random() < 0.5 else took * (1 - 0.3 * rng.random() ** 2)
        said = killed(words, place, kept if is_replaced else None, expected, after, scratch / "said.txt")
        if said:
            wrong += 1
            print(f"kill {n}, {name}{', replaced' * is_replaced}, after {after:.2f} s: {said}", flush=True)
        n += 1
    return n, wrong


def killed(
    words: list[str], place: Place, earlier: Path | None, expected: dict[str, str], after: float, said: Path
) -> str:
    """Kill a command once and run it again; return what is wrong, empty where nothing is."""
    place.fill(earlier)
    more = ["--overwrite"] if earlier is not None and "evaluate" not in words else []
    child = fuzz.forked([*words, *more], said)
    deadline = time.monotonic() + after
    while time.monotonic() < deadline and not os.waitpid(child, os.WNOHANG)[0]:
        time.sleep(0.005)
    for end in (lambda: os.killpg(child, signal.SIGKILL), lambda: os.waitpid(child, 0)):
        with contextlib.suppress(ProcessLookupError, ChildProcessError):
            end()
    wrong = place.missing()
    if not wrong and earlier is not None and not is_kept(place, expected):
        wrong = "the earlier result is gone"
    again = "" if place.results() == expected and not more else ended([*words, *more], said)
    found = place.results()
    if not wrong and again:
        wrong = f"again: {again}"
    if not wrong and found != expected:
        other = sorted(n for n in {**found, **expected} if found.get(n) != expected.get(n))
        wrong = f"not as without a kill: {', '.join(other[:4])} ({len(found)} files, {len(expected)} expected)"
    hidden = [p.name for p in place.folder.rglob(".*") if not p.name.endswith(".lock")]
    return wrong or place.missing() or (f"left behind: {hidden[0]}" if hidden else "")


def is_kept(place: Place, expected: dict[str, str]) -> bool:
    """Return whether a whole result is still there, under its name or under that of what is being replaced."""
    found = place.results()
    if all(found.get(n) == v for n, v in expected.items()):
        return True
    hidden = [p for p in place.folder.rglob(".*.old") if p.is_dir()]
    first = {n.partition("/")[2]: v for n, v in expected.items()}
    return any(all((p / n).is_file() for n in first) for p in hidden) or len(found) >= len(expected)


def ended(words: list[str], said: Path) -> str:
    """Run a command to its end; return what is wrong."""
    return fuzz.case(words, said, expected=(0,), seconds=MOST_SECONDS)


if __name__ == "__main__":
    main()

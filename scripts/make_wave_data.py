"""Make the imagettes that the shipped network of tags is trained and scored on: simulated, in the layout of quick-looks
with tags, one tag wrong in 5 % of those for training.

    python scripts/make_wave_data.py OUT [--train 6000] [--test 2000] [--seed 7010] [--jobs 2]

OUT/train/part_NN: to be split into training, validation and calibration by orbit. OUT/test/part_NN: other seeds, tags
without errors. Everything follows from the seed; parts that are there are kept, so a stopped run resumes. Take other
seeds for a test than 7010 to 7099, or the network has seen its images.
"""

from __future__ import annotations

import argparse
import json
import sys
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

import simulator_commit

from polynya.simulate.wave_mode.product import RECORD, Options, simulate_imagettes

EACH = 300
"""Imagettes of a part: a seed each."""
TEST_SEED = 50
"""Added to the seed for the test; orbits follow from the seed's last two digits."""
LABEL_ERRORS = 0.05


def make(folder: Path, seed: int, count: int, label_errors: float) -> str:
    """Draw a part unless it is there, of the same seed and count."""
    record = folder / RECORD
    held = json.loads(record.read_text(encoding="utf-8")) if record.is_file() else {}
    if (held.get("seed"), len(held.get("imagettes", ())), held.get("label_errors")) != (seed, count, label_errors):
        folder.parent.mkdir(parents=True, exist_ok=True)
        simulate_imagettes(folder, Options(seed=seed, count=count, label_errors=label_errors), overwrite=True)
    return f"{folder.parent.name}/{folder.name}"


def parts(out: Path, name: str, *, count: int, seed: int, label_errors: float) -> list[tuple[Path, int, int, float]]:
    """Return folder, seed, imagettes and share of wrong labels of every part."""
    return [
        (out / name / f"part_{k:02d}", seed + k, min(EACH, count - EACH * k), label_errors)
        for k in range(-(-count // EACH))
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--train", type=int, default=6000, help="imagettes")
    parser.add_argument("--test", type=int, default=2000, help="imagettes")
    parser.add_argument("--seed", type=int, default=7010)
    parser.add_argument("--jobs", type=int, default=2)
    a = parser.parse_args()
    if not 0 < a.train <= TEST_SEED * EACH or not 0 <= a.test <= TEST_SEED * EACH:
        parser.error(f"at most {TEST_SEED * EACH} imagettes for each")
    simulator_commit.remember(a.out, files=simulator_commit.WAVE_MODE)
    jobs = [
        *parts(a.out, "train", count=a.train, seed=a.seed, label_errors=LABEL_ERRORS),
        *parts(a.out, "test", count=a.test, seed=a.seed + TEST_SEED, label_errors=0.0),
    ]
    with ProcessPoolExecutor(a.jobs) as pool:
        for k, done in enumerate(as_completed([pool.submit(make, *job) for job in jobs]), 1):
            print(f"{k}/{len(jobs)} {done.result()}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()

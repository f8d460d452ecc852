"""Make the tracks that the shipped network of leads is trained and scored on: simulated AltiKa echoes in the layout of
an SGDR, with the distance to the nearest lead of a radar map and of the truth.

    python scripts/make_lead_data.py OUT [--train 200] [--varied 240] [--test 40] [--seed 800000] [--jobs 2]

OUT/train: standard ranges, to be split into training, validation and calibration. OUT/varied: receiver, slopes and
contrasts vary; for training only. OUT/test and OUT/stress: other seeds, with the truth beside the echoes. Everything
follows from the seed; files that are there are kept, so a stopped run resumes.
"""

from __future__ import annotations

import argparse
import sys
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

import simulator_commit

from polynya.simulate.altika import files
from polynya.simulate.altika.track import draw_track

VARIED_SEED, STRESS_SEED, TEST_SEED = 1_000_000, 3_000_000, 4_000_000
"""Added to the seed for the other parts. After a change that was made because of a score, take other test tracks."""
EACH = 8
"""Tracks of a job."""


def make(folder: Path, seeds: list[int], ranges: str, has_truth: bool) -> str:
    """Draw tracks and write those that are not there."""
    folder.mkdir(parents=True, exist_ok=True)
    for seed in seeds:
        echoes, truth = folder / f"track_{seed:07d}.nc", folder / "truth" / f"track_{seed:07d}_truth.nc"
        if echoes.exists():
            continue
        track = draw_track(seed, ranges=ranges)
        if has_truth:
            truth.parent.mkdir(exist_ok=True)
            files.write_truth(track, truth)
        files.write_echoes(track, echoes)
    return f"{folder.name}: {len(seeds)} tracks"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--train", type=int, default=200, help="tracks of standard ranges")
    parser.add_argument("--varied", type=int, default=240, help="tracks of varied ranges")
    parser.add_argument("--test", type=int, default=40, help="test tracks, and as many of the stress ranges")
    parser.add_argument("--seed", type=int, default=800_000)
    parser.add_argument("--jobs", type=int, default=2)
    a = parser.parse_args()
    simulator_commit.remember(a.out, files=simulator_commit.ALTIKA)
    parts = (
        ("train", a.seed, a.train, "standard"),
        ("varied", a.seed + VARIED_SEED, a.varied, "varied"),
        ("test", a.seed + TEST_SEED, a.test, "standard"),
        ("stress", a.seed + STRESS_SEED, a.test, "stress"),
    )
    jobs = [
        (a.out / name, list(range(first + k, min(first + k + EACH, first + n))), ranges, name in ("test", "stress"))
        for name, first, n, ranges in parts
        for k in range(0, n, EACH)
    ]
    with ProcessPoolExecutor(a.jobs) as pool:
        for k, done in enumerate(as_completed([pool.submit(make, *j) for j in jobs]), 1):
            print(f"{k}/{len(jobs)} {done.result()}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()

"""Make the tile sets that the network of optical sea ice is trained and scored on: simulated images.

    python scripts/make_seaice_data.py OUT [--train 960] [--test 192] [--size 384] [--seed 400000] [--jobs 2]

OUT/train and OUT/test get files of 32 images each with different seeds. A tile holds the counts of rgb and nir, the
true classes (``truth``) and labels as people draw them (``labels``), a plane per class. Everything follows from the
seed; files that are there are kept, so a stopped run resumes.
"""

from __future__ import annotations

import argparse
import sys
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

import h5py
import simulator_commit
from affine import Affine

from polynya import io
from polynya.samples import physical_tiles
from polynya.simulate.optical_ice.presets import CLASSES
from polynya.simulate.optical_ice.scene import Scene, draw_scene

TEST_SEED = 1_000_000
"""Added to the seed for the test part: no image of it is ever drawn for training."""
EACH = 32
MADE_BY = "polynya; no measurement"
FAR_M = 1.0e6
"""Between the places of two images: none lies beside another."""


def make(job: dict) -> str:
    """Draw the images of one file."""
    out = Path(job["out"])
    if out.exists():
        return f"{out.name}: is there"
    out.parent.mkdir(parents=True, exist_ok=True)
    with io.writing(out) as temporary, h5py.File(temporary, "w") as file:
        for seed in job["seeds"]:
            write(file, draw_scene(seed, size=(job["size"], job["size"])), seed)
    return f"{out.name}: {len(job['seeds'])} images"


def write(file: h5py.File, scene: Scene, seed: int) -> None:
    """Write an image as one tile.

    Parameters
    ----------
    file : h5py.File
        Open for writing.
    scene : Scene
        Of the simulator.
    seed : int
        It was drawn from; names the tile.
    """
    pixel = float(scene.about["pixel_m"])
    physical_tiles.write(
        file,
        f"o{seed:07d}",
        sensors={"rgb": scene.counts[:3], "nir": scene.counts[3:]},
        labels={
            "truth": physical_tiles.one_hot(scene.classes, len(CLASSES)),
            "labels": physical_tiles.one_hot(scene.labels, len(CLASSES)),
        },
        scene=f"o{seed:07d}",
        grid=("EPSG:3413", Affine(pixel, 0.0, FAR_M * (seed % 1000), 0.0, -pixel, -FAR_M * (seed // 1000 % 1000))),
        simulated=MADE_BY,
        sensor_table="optical_ice",
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--train", type=int, default=960, help="training images")
    parser.add_argument("--test", type=int, default=192, help="test images")
    parser.add_argument("--size", type=int, default=384, help="pixels a side")
    parser.add_argument("--seed", type=int, default=400_000)
    parser.add_argument("--jobs", type=int, default=2)
    a = parser.parse_args()
    simulator_commit.remember(a.out, files=simulator_commit.OPTICAL_ICE)
    jobs = [
        {
            "out": str(a.out / part / f"{part}_{k:02d}.h5"),
            "seeds": list(range(first, first + n))[EACH * k : EACH * (k + 1)],
        }
        | {"size": a.size}
        for part, first, n in (("train", a.seed, a.train), ("test", a.seed + TEST_SEED, a.test))
        for k in range(-(-n // EACH))
    ]
    with ProcessPoolExecutor(a.jobs) as pool:
        for k, done in enumerate(as_completed([pool.submit(make, j) for j in jobs]), 1):
            print(f"{k}/{len(jobs)} {done.result()}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()

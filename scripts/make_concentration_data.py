"""Make the tile sets that the shipped network of sea-ice concentration is trained and scored on: simulated scenes of
Sentinel-1 EW at 400 m.

    python scripts/make_concentration_data.py OUT [--train 640] [--calibration 320] [--test 96] [--size 256]
    [--seed 300000] [--jobs 2] [--keep-noise] [--test-only] [--range standard]

OUT/train, OUT/calibration and OUT/test get files of 32 scenes each, a window of a scene a tile, with different seeds: a
scene of one part is never drawn for another. With --keep-noise the annotated noise is not removed, to see what removing
it is worth. Everything follows from the seed; files that are there are kept, so a stopped run resumes.
"""

from __future__ import annotations

import argparse
import sys
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

import h5py
import numpy as np
import simulator_commit
from affine import Affine
from pyproj import Transformer

from polynya import io
from polynya.samples import physical_tiles
from polynya.simulate.sentinel1 import presets
from polynya.simulate.sentinel1.scene import Scene, draw_scene

TEST_SEED, CALIBRATION_SEED = 1_000_000, 2_000_000
"""Added to the seed for the other parts."""
EACH = 32
"""Scenes of a file."""
CELL_M = 400.0
MADE_BY = "polynya; no measurement"


def make(job: dict) -> str:
    """Draw the scenes of one file."""
    out = Path(job["out"])
    if out.exists():
        return f"{out.name}: is there"
    out.parent.mkdir(parents=True, exist_ok=True)
    with io.writing(out) as temporary, h5py.File(temporary, "w") as file:
        for seed in job["seeds"]:
            scene = draw_scene(seed, size=(job["size"], job["size"]), ranges=job["ranges"])
            write(file, scene, seed, keep_noise=job["keep_noise"])
    return f"{out.name}: {len(job['seeds'])} scenes"


def write(file: h5py.File, scene: Scene, seed: int, *, keep_noise: bool = False) -> None:
    """Write a scene as one tile.

    Parameters
    ----------
    file : h5py.File
        Open for writing.
    scene : Scene
        Of the simulator.
    seed : int
        It was drawn from; names the tile.
    keep_noise : bool
        Leave the annotated noise in.
    """
    hh, hv = scene.decibels(remove_noise=not keep_noise)
    unknown = np.float32(np.nan)
    physical_tiles.write(
        file,
        f"s{seed:07d}",
        sensors={
            "hh": hh[None],
            "hv": hv[None],
            "incidence": np.where(scene.valid, scene.incidence, unknown)[None],
        },
        labels={
            "concentration": np.where(scene.valid, scene.concentration, unknown)[None],
            "stage": physical_tiles.one_hot(np.where(scene.valid, scene.stage, 255), len(physical_tiles.STAGES)),
            "floe": physical_tiles.one_hot(np.where(scene.valid, scene.floe, 255), len(physical_tiles.FLOES)),
            "chart_concentration": np.where(scene.valid, scene.chart_concentration, unknown)[None],
            "polygon": scene.polygon[None],
        },
        scene=f"s{seed:07d}",
        grid=grid_of(scene),
        simulated=MADE_BY,
    )


def grid_of(scene: Scene) -> tuple[str, Affine]:
    """Return a grid of 400 m about the scene's centre. The rows are the swath's lines: it says where the scene lies,
    not where each cell does."""
    row, column = (n // 2 for n in scene.incidence.shape)
    latitude, longitude = float(scene.latitude[row, column]), float(scene.longitude[row, column])
    crs = "EPSG:3413" if latitude > 0 else "EPSG:3976"
    x, y = Transformer.from_crs("EPSG:4326", crs, always_xy=True).transform(longitude, latitude)
    return crs, Affine(CELL_M, 0.0, x - column * CELL_M, 0.0, -CELL_M, y + row * CELL_M)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--train", type=int, default=640, help="training scenes")
    parser.add_argument("--calibration", type=int, default=320, help="scenes that the uncertainty is fitted on")
    parser.add_argument("--test", type=int, default=96, help="test scenes")
    parser.add_argument("--size", type=int, default=256, help="cells of a side")
    parser.add_argument("--seed", type=int, default=300_000)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--keep-noise", action="store_true", help="do not remove the thermal noise")
    parser.add_argument("--test-only", action="store_true", help="test scenes alone")
    parser.add_argument(
        "--range", default="standard", choices=sorted(presets.RANGES), help="what scenes are drawn from"
    )
    a = parser.parse_args()
    simulator_commit.remember(a.out, files=simulator_commit.SENTINEL1)
    jobs = []
    parts = (
        ("train", a.seed, a.train),
        ("calibration", a.seed + CALIBRATION_SEED, a.calibration),
        ("test", a.seed + TEST_SEED, a.test),
    )
    for part, first, n in parts:
        if part != "test" and a.test_only:
            continue
        seeds = list(range(first, first + n))
        jobs += [
            {
                "out": str(a.out / part / f"{part}_{k:02d}.h5"),
                "seeds": seeds[EACH * k : EACH * (k + 1)],
                "size": a.size,
                "keep_noise": a.keep_noise,
                "ranges": a.range,
            }
            for k in range(-(-n // EACH))
        ]
    with ProcessPoolExecutor(a.jobs) as pool:
        for k, done in enumerate(as_completed([pool.submit(make, j) for j in jobs]), 1):
            print(f"{k}/{len(jobs)} {done.result()}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()

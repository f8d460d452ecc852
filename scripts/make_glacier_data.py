"""Make the tile sets that the shipped glacier network is trained and scored on: simulated scenes of eleven regions, and
real ones.

    python scripts/make_glacier_data.py OUT [--each 10] [--test-each 3] [--size 384] [--seed 20000] [--real FOLDER]
    [--jobs 2] [--test-only]

OUT/train and OUT/test get one file per region, with different seeds; some training scenes have two dates. With
--test-only there is no OUT/train: enough to score a network that is trained already.
With --real, the folder of real glacier data (khumbu_sentinel_2024, everest_landsat7_2000, oggm as their readme has
them): OUT/real_west and OUT/real_east get the two halves of each labelled chip, cut along a column with eight pixels
left out between, and real DEMs carry some more simulated scenes into OUT/train. Everything follows from the seed; files
that are there are kept, so a stopped run resumes.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

import numpy as np
import simulator_commit

from polynya.sensors import UNLABELLED
from polynya.sensors.glaciers import REGIONS
from polynya.simulate.glaciers import files
from polynya.simulate.glaciers.scene import Config, SimulatedScene, simulate_scenes
from polynya.workflows import tiles

TEST_SEED = 1_000_000
"""Added to the seed for the test part: no scene of it is ever drawn for training."""
DEMS = {"oetztal": ("oggm/oetztal/srtm_oetztal.tif", "ALP"), "baltoro": ("oggm/baltoro/baltoro_srtm_clip.tif", "HMA")}
REAL = {
    "khumbu_winter": (
        "khumbu_sentinel_2024",
        ("khumbu_s2_winter_2024_west.tif", "khumbu_dem_slope_hma_west.tif"),
        "khumbu_rgi60_mask_west.tif",
    ),
    "khumbu_spring": (
        "khumbu_sentinel_2024",
        ("khumbu_s2_spring_2024_west.tif", "khumbu_dem_slope_hma_west.tif"),
        "khumbu_rgi60_mask_west.tif",
    ),
    "everest": (
        "everest_landsat7_2000",
        ("everest_l7_20001030_b_g_r_nir_dn8_west.tif", "everest_l7_dem_slope_hma_west.tif"),
        "everest_l7_rgi60_mask_west.tif",
    ),
}
"""Scenes and masks. Radar over Khumbu is left out: it lies a kilometre off."""
REAL_TILE = 448
"""Side of the real tiles, pixels: as wide as the chips, for a window at a tile's edge sees nothing beyond it."""
GAP_PX = 8
"""Columns without a label between the two halves of a real chip."""


def make(job: dict) -> str:
    """Simulate the scenes of one file."""
    out = Path(job["out"])
    if out.exists():
        return f"{out.name}: is there"
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent) as temporary:
        part = Path(temporary) / out.name
        files.append_tiles(part, scenes(job))
        part.rename(out)
    return f"{out.name}: {len(job['seeds'])} scenes"


def scenes(job: dict) -> Iterator[SimulatedScene]:
    """Yield the scenes of a file, one in four with a second date."""
    for k, seed in enumerate(job["seeds"]):
        yield from simulate_scenes(
            Config(
                region=job["region"],
                size=job["size"],
                dates=2 if k % 4 == 3 and job["two_dates"] else 1,
                dem=job.get("dem"),
                pixel_m=job.get("pixel_m"),
                debris_share=job.get("debris_share"),
            ),
            seed=seed,
        )


def halve(folder: Path, out: Path, *, name: str) -> None:
    """Cut a real chip's labels into a western and an eastern half, each a tile set of the whole image."""
    import rasterio

    place, images, mask = REAL[name]
    with rasterio.open(folder / place / mask) as source:
        classes, profile = source.read(1), source.profile
    labelled = np.flatnonzero((classes != UNLABELLED).any(axis=0))
    middle = (
        int(np.median(np.repeat(np.arange(classes.shape[1]), (classes != UNLABELLED).sum(axis=0))))
        if labelled.size
        else classes.shape[1] // 2
    )
    for half, hidden in (("west", np.s_[:, middle - GAP_PX // 2 :]), ("east", np.s_[:, : middle + GAP_PX // 2])):
        file = out / f"real_{half}" / f"{name}.h5"
        if file.exists():
            continue
        file.parent.mkdir(parents=True, exist_ok=True)
        own = classes.copy()
        own[hidden] = UNLABELLED
        with tempfile.TemporaryDirectory() as temporary:
            cut = Path(temporary) / f"{half}.tif"
            with rasterio.open(cut, "w", **{**profile, "nodata": UNLABELLED}) as target:
                target.write(own, 1)
            tiles.run(
                [folder / place / n for n in images],
                out=file,
                config=tiles.Config.checked(mask=cut, region="HMA", tile=REAL_TILE),
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--each", type=int, default=10, help="training scenes per region")
    parser.add_argument("--test-each", type=int, default=3, help="test scenes per region")
    parser.add_argument("--size", type=int, default=384)
    parser.add_argument("--seed", type=int, default=20_000)
    parser.add_argument("--real", type=Path)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--test-only", action="store_true", help="no training scenes")
    a = parser.parse_args()
    simulator_commit.remember(a.out, files=simulator_commit.GLACIERS)
    jobs = []
    for k, region in enumerate(REGIONS):
        for part, first, n in (("train", a.seed, a.each), ("test", a.seed + TEST_SEED, a.test_each)):
            jobs.append(
                {
                    "out": str(a.out / part / f"{region}.h5"),
                    "region": region,
                    "seeds": [first + 100 * k + i for i in range(n)],
                    "size": a.size,
                    "two_dates": part == "train",
                }
            )
    if a.test_only:
        jobs = [j for j in jobs if not j["two_dates"]]
    for k in range(0 if a.test_only else 2):  # debris-covered tongues, which High Mountain Asia has most of
        seeds = [a.seed + 4000 + 100 * k + i for i in range(a.each)]
        jobs.append(
            {
                "out": str(a.out / "train" / f"HMA_debris_{k}.h5"),
                "region": "HMA",
                "seeds": seeds,
                "size": a.size,
                "two_dates": False,
                "debris_share": 0.9 - 0.25 * k,
            }
        )
    if a.real is not None and not a.test_only:
        for k, (name, (file, region)) in enumerate(DEMS.items()):
            if (a.real / file).is_file():
                seeds = [a.seed + 5000 + 100 * k + i for i in range(4)]
                jobs.append(
                    {
                        "out": str(a.out / "train" / f"dem_{name}.h5"),
                        "region": region,
                        "seeds": seeds,
                        "size": a.size,
                        "two_dates": False,
                        "dem": a.real / file,
                        "pixel_m": 25.0,
                    }
                )
    with ProcessPoolExecutor(a.jobs) as pool:
        for k, done in enumerate(as_completed([pool.submit(make, j) for j in jobs]), 1):
            print(f"{k}/{len(jobs)} {done.result()}", file=sys.stderr, flush=True)
    if a.real is not None:
        for name in REAL:
            halve(a.real, a.out, name=name)


if __name__ == "__main__":
    main()

"""Make tile sets as 8-bit sensors without short-wave infrared see the ground, from simulated ones.

    python scripts/make_saturated_tiles.py build/glaciers build/saturated [--regions ALP CAU HMA] [--seed 0]

The visible and near-infrared reflectances of each tile are amplified, up to threefold, so that a random share of its
pixels (at most a half) reaches 1, cut there and rounded to 255 steps, as the digital numbers of Landsat 4 to 7 over
snow. Short-wave infrared, radar and the thermal band are left out; half of the tiles have no DEM.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

import h5py
import numpy as np

SWIR = slice(4, 6)
GONE = ("co_pol_sar", "cross_pol_sar", "in_sar", "thermal")
MOST_GAIN = 3.0
STEPS = 255


def saturated(optical: np.ndarray, *, share: float) -> np.ndarray:
    """Return reflectances (h, w, 6) as an 8-bit sensor gives them; about a share of the pixels lies below 1."""
    out = np.full_like(optical, np.nan)
    for k in range(SWIR.start):
        bright = np.nanquantile(optical[:, :, k], share)
        gain = np.clip(1.0 / max(float(bright), 1e-3), 0.8, MOST_GAIN)
        out[:, :, k] = np.round(np.clip(optical[:, :, k] * gain, 0.0, 1.0) * STEPS) / STEPS
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--regions", nargs="*", default=["ALP", "CAU", "HMA"])
    parser.add_argument("--seed", type=int, default=0)
    a = parser.parse_args()
    for part in ("train", "test"):
        for region in a.regions:
            source, out = a.source / part / f"{region}.h5", a.out / part / f"{region}.h5"
            if not source.is_file():
                print(f"{part}/{region}.h5: is not there")
                continue
            out.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, out)
            rng = np.random.default_rng([a.seed, *region.encode(), *part.encode()])
            with h5py.File(out, "r+") as file:
                for tile in file.values():
                    tile["optical"][...] = saturated(tile["optical"][...], share=rng.uniform(0.5, 1.0))
                    for name in (*GONE, *(["dem"] if rng.random() < 0.5 else [])):
                        if name in tile:
                            del tile[name]
            print(f"{part}/{region}.h5: made")
    shutil.copyfile(a.source / "simulator.json", a.out / "simulator.json")


if __name__ == "__main__":
    main()

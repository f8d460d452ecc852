"""Score the lead detector of ``polynya segment SCENE --what leads`` on simulated Sentinel-1 scenes.

    python benchmarks/score_s1_leads.py FOLDER... [--json]

A FOLDER is one of ``polynya simulate s1-ew FOLDER --lead-map``. Precision: share of the detected pixels that lie within
one pixel of a true lead, or of other open water of the pack (a gap between floes is no mistake). Recall: share of the
true lead pixels within one pixel of a detected one; also for leads of two pixels and more alone. Only where the map has
data. Numbers from simulated scenes are no skill on real data: they say whether the detector does what it should.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np
from scipy import ndimage

from polynya.io import opening
from polynya.workflows.segment import leads

AROUND = np.ones((3, 3), bool)


def score(folder: Path, config: leads.Config, scratch: Path) -> dict[str, object]:
    """Return the counts of a scene."""
    safe = next(folder.glob("*.SAFE"))
    leads.map_leads(safe, out=scratch / "leads.tif", config=config, overwrite=True)
    with opening.open_raster(scratch / "leads.tif") as source:
        found, place = source.read(1), source.transform
    with opening.open_raster(folder / "leads.tif") as source:
        truth, own = source.read(1), source.transform
    if truth.shape != found.shape or (place.c, place.f) != (own.c, own.f):
        raise SystemExit(f"{folder}: its leads.tif has another grid; simulate it again with --lead-map")
    known = (found != leads.MISSING) & (truth != 255)
    is_found, lead = (found == 1) & known, (truth == 1) & known
    water = ((truth == 1) | (truth == 2)) & known
    near = ndimage.binary_dilation(is_found, AROUND)
    wide = ndimage.binary_opening(lead, np.ones((2, 2), bool))
    return {
        "scene": folder.name,
        "known": int(known.sum()),
        "found": int(is_found.sum()),
        "right": int((is_found & ndimage.binary_dilation(water, AROUND)).sum()),
        "leads": int(lead.sum()),
        "hit": int((lead & near).sum()),
        "wide": int(wide.sum()),
        "wide_hit": int((wide & near).sum()),
    }


def main() -> None:
    """Print a row a scene and the whole."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--contrast-db", type=float, default=leads.Config().contrast_db)
    parser.add_argument("--min-concentration", type=float, default=leads.Config().min_concentration)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    config = leads.Config(contrast_db=given.contrast_db, min_concentration=given.min_concentration)
    with tempfile.TemporaryDirectory() as scratch:
        rows = [score(f, config, Path(scratch)) for f in given.folders]
    keys = [k for k in rows[0] if k != "scene"]
    rows.append({"scene": "all", **{k: sum(int(str(r[k])) for r in rows) for k in keys}})
    for row in rows:
        n = {k: int(str(row[k])) for k in keys}
        row["precision"] = round(n["right"] / max(n["found"], 1), 3)
        row["recall"] = round(n["hit"] / max(n["leads"], 1), 3)
        row["recall_wide"] = round(n["wide_hit"] / max(n["wide"], 1), 3)
    if given.json:
        print(json.dumps(rows, indent=1))
        return
    for row in rows:
        print(
            f"{row['scene']:<12} precision {row['precision']:.3f}  recall {row['recall']:.3f}  wider than a pixel"
            f" {row['recall_wide']:.3f}  ({row['found']:,} found, {row['leads']:,} true)"
        )


if __name__ == "__main__":
    main()

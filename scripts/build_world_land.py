"""Build polynya/data/land_natural_earth_50m_world.npz from Natural Earth 1:50m land in TopoJSON.

Usage: python scripts/build_world_land.py land-50m.json

The input is that of build_coastline.py. Rings are cut at 180 degrees and closed along the south pole, so that they are
plain polygons in longitude and latitude.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

import numpy as np
import shapely
from build_coastline import polygons_of

TARGET = Path(__file__).resolve().parents[1] / "polynya" / "data" / "land_natural_earth_50m_world"
TOLERANCE_DEG = 0.02
SMALLEST_KM2 = 4.0
KM2_PER_SQUARE_DEGREE = 111.2**2

PROVENANCE = """\
land_natural_earth_50m_world.npz

What      Land of the whole globe as closed rings (exteriors and holes; fill with the even-odd rule), plain polygons in
          longitude and latitude.
Source    Natural Earth, "Land" 1:50,000,000 physical vectors, version 4.1.0, public domain (naturalearthdata.com),
          from the TopoJSON file land-50m.json of the npm package world-atlas 2.0.2 (Michael Bostock, ISC licence).
          sha256 of land-50m.json: {sha256}
Made by   python scripts/build_world_land.py land-50m.json
Steps     Cut at 180 degrees, closed along 90 degrees south, simplified by {tolerance:g} degrees; islands under
          {smallest:g} km2 removed; rounded to 16 bits (0.0055 degrees of longitude, 0.0027 degrees of latitude).
Arrays    longitude, latitude  int16, units of 180/32767 and 90/32767 degrees
          start                int32, index of each ring's first point, and the number of points at the end
Holds     {rings} rings, {points} points
Limits    For maps of the globe, and to tell what may lie near a coast. It is not a land mask, and it lacks small
          islands. Antarctica's ice shelves are not land in the source.
"""


def flat(rings: list[np.ndarray]) -> shapely.Geometry:
    """Return a polygon of the sphere in longitude and latitude, cut at 180 degrees."""
    unwrapped = []
    for ring in rings:
        longitude = np.unwrap(ring[:, 0], period=360.0)
        xy = np.column_stack([longitude, ring[:, 1]])
        if abs(longitude[-1] - longitude[0]) > 180.0:  # around the south pole
            xy = np.concatenate([xy, [[longitude[-1], -90.0], [longitude[0], -90.0]]])
        unwrapped.append(xy)
    whole = shapely.make_valid(shapely.Polygon(unwrapped[0], unwrapped[1:]))
    parts = []
    for shift in (-360.0, 0.0, 360.0):
        moved = shapely.transform(whole, lambda p, by=shift: p + np.array([by, 0.0]))
        parts.append(moved.intersection(shapely.box(-180.0, -90.0, 180.0, 90.0)))
    return shapely.union_all(parts)


def main(source: str) -> None:
    """Write the archive and its provenance."""
    raw = Path(source).read_bytes()
    land = shapely.union_all([flat(rings) for rings in polygons_of(json.loads(raw))])
    rings = []
    for part in shapely.make_valid(land.simplify(TOLERANCE_DEG)).geoms:
        if part.geom_type != "Polygon":
            continue
        for ring in [part.exterior, *part.interiors]:
            area = shapely.Polygon(ring).area * KM2_PER_SQUARE_DEGREE
            if area * np.cos(np.radians(ring.centroid.y)) >= SMALLEST_KM2:
                rings.append(np.asarray(ring.coords))
    start = np.cumsum([0] + [len(r) for r in rings]).astype(np.int32)
    points = np.concatenate(rings)
    np.savez_compressed(
        TARGET.with_suffix(".npz"),
        longitude=np.rint(points[:, 0] / 180.0 * 32767).astype(np.int16),
        latitude=np.rint(points[:, 1] / 90.0 * 32767).astype(np.int16),
        start=start,
    )
    text = PROVENANCE.format(
        sha256=hashlib.sha256(raw).hexdigest(),
        tolerance=TOLERANCE_DEG,
        smallest=SMALLEST_KM2,
        rings=len(rings),
        points=len(points),
    )
    TARGET.with_suffix(".txt").write_text(text, encoding="utf-8")
    print(f"wrote {TARGET.with_suffix('.npz')}: {len(rings)} rings, {len(points)} points")


if __name__ == "__main__":
    main(sys.argv[1])

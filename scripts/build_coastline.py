"""Build polynya/data/coastline_natural_earth_50m.npz from Natural Earth 1:50m land in TopoJSON.

Usage: python scripts/build_coastline.py land-50m.json

The input is ``land-50m.json`` of the npm package world-atlas 2.0.2. Land poleward of 45 degrees is clipped in a polar
stereographic projection, so that no ring has a seam along 180 degrees or at the pole. The output is longitude and
latitude in 16 bits.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

import numpy as np
import pyproj
import shapely
from shapely.geometry import Point, Polygon

TARGET = Path(__file__).resolve().parents[1] / "polynya" / "data" / "coastline_natural_earth_50m"
LATITUDE_LIMIT = 45.0
MIN_AREA_M2 = 4.0e6

PROVENANCE = """\
coastline_natural_earth_50m.npz

What      Land poleward of {limit:g} degrees, both hemispheres, as closed rings (exteriors and holes; fill with the
          even-odd rule).
Source    Natural Earth, "Land" 1:50,000,000 physical vectors, version 4.1.0, public domain (naturalearthdata.com),
          from the TopoJSON file land-50m.json of the npm package world-atlas 2.0.2 (Michael Bostock, ISC licence).
          sha256 of land-50m.json: {sha256}
Made by   python scripts/build_coastline.py land-50m.json
Steps     Clipped at {limit:g} degrees in EPSG:3413 and EPSG:3976; simplified by 250 m; islands under {smallest:g} km2
          removed; rounded to 16 bits (0.0055 degrees of longitude, 0.0027 degrees of latitude).
Arrays    longitude, latitude  int16, units of 180/32767 and 90/32767 degrees
          start                int32, index of each ring's first point, and the number of points at the end
Holds     {rings} rings, {points} points
Limits    For drawing at scales of 1:10 million and smaller. It is not a land mask. The edge along {limit:g} degrees is
          the clip, not a coast. Antarctica's ice shelves are not land in the source and are not in this file: behind an
          ice shelf the line is the grounded coast.
"""


def arcs_of(topology: dict) -> list[np.ndarray]:
    """Return the decoded arcs, each (n, 2) longitude and latitude in degrees."""
    scale, translate = np.array(topology["transform"]["scale"]), np.array(topology["transform"]["translate"])
    return [np.cumsum(np.asarray(arc, float), axis=0) * scale + translate for arc in topology["arcs"]]


def ring_of(indices: list[int], arcs: list[np.ndarray]) -> np.ndarray:
    """Return one ring from its arcs; a complemented index runs backwards."""
    parts = [arcs[i] if i >= 0 else arcs[~i][::-1] for i in indices]
    return np.concatenate([p if k == 0 else p[1:] for k, p in enumerate(parts)])


def polygons_of(topology: dict) -> list[list[np.ndarray]]:
    """Return every polygon of the land object as its rings, exterior first."""
    arcs = arcs_of(topology)
    out = []
    for geometry in topology["objects"]["land"]["geometries"]:
        many = geometry["arcs"] if geometry["type"] == "MultiPolygon" else [geometry["arcs"]]
        out.extend([[ring_of(r, arcs) for r in rings] for rings in many])
    return out


def polar_rings(polygons: list[list[np.ndarray]], *, north: bool) -> list[np.ndarray]:
    """Return the rings of one hemisphere, (n, 2) degrees.

    The rings of the source lie on the sphere: they cross 180 degrees and enclose the pole without a seam. In the polar
    projection they are plain polygons and are clipped there.
    """
    forward = pyproj.Transformer.from_crs("EPSG:4326", "EPSG:3413" if north else "EPSG:3976", always_xy=True)
    sign = 1 if north else -1
    radius = float(np.hypot(*forward.transform(0.0, sign * LATITUDE_LIMIT)))
    disk = Point(0, 0).buffer(radius, quad_segs=90)
    parts = []
    for rings in polygons:
        if not any((sign * r[:, 1] > LATITUDE_LIMIT).any() for r in rings):
            continue
        flat = [
            np.column_stack(forward.transform(r[:, 0], np.where(sign * r[:, 1] < -80, -80 * sign, r[:, 1])))
            for r in rings
        ]
        parts.append(shapely.make_valid(Polygon(flat[0], flat[1:])).intersection(disk))
    land = shapely.make_valid(shapely.union_all(parts).simplify(250.0))
    out = []
    for part in getattr(land, "geoms", [land]):
        if part.geom_type != "Polygon":
            continue
        for ring in [part.exterior, *part.interiors]:
            if Polygon(ring).area >= MIN_AREA_M2:
                x, y = np.asarray(ring.coords).T
                out.append(np.column_stack(forward.transform(x, y, direction="INVERSE")))
    return out


def main(source: str) -> None:
    """Write the archive and its provenance."""
    raw = Path(source).read_bytes()
    polygons = polygons_of(json.loads(raw))
    rings = polar_rings(polygons, north=True) + polar_rings(polygons, north=False)
    start = np.cumsum([0] + [len(r) for r in rings]).astype(np.int32)
    points = np.concatenate(rings)
    np.savez_compressed(
        TARGET.with_suffix(".npz"),
        longitude=np.rint(points[:, 0] / 180.0 * 32767).astype(np.int16),
        latitude=np.rint(points[:, 1] / 90.0 * 32767).astype(np.int16),
        start=start,
    )
    TARGET.with_suffix(".txt").write_text(
        PROVENANCE.format(
            limit=LATITUDE_LIMIT,
            sha256=hashlib.sha256(raw).hexdigest(),
            smallest=MIN_AREA_M2 / 1e6,
            rings=len(rings),
            points=len(points),
        ),
        encoding="utf-8",
    )
    print(
        f"wrote {TARGET.with_suffix('.npz')}: {len(rings)} rings, {len(points)} points,"
        f" {TARGET.with_suffix('.npz').stat().st_size} bytes"
    )


if __name__ == "__main__":
    main(sys.argv[1])

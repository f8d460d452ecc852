"""A true-colour GeoTIFF over a simulated granule, drawn from its truth and moved by a known drift.

Each beam's ice is drawn as bands across its track, slanted differently beam by beam, so that both components of the
shift show. Written with rasterio alone: nothing here knows the project's own scene simulator.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from pyproj import Transformer

from polynya import io, schema

VALUE = np.array([240, 120, 15], np.uint8)
"""V of thick ice, thin ice, open water."""
PIXEL = 10.0
SLANT = (0.9, 0.0, -0.9)
"""Tangent of the bands' angle, beam by beam."""


def write_scene(
    path: Path, truth: Path, *, shift: tuple[float, float], crs: str, blank: bool = False, time: str | None = None
) -> Path:
    """Write the scene; ``shift`` is what must be added to the track to find its ice here. ``blank`` draws snow only."""
    table = io.read_table(truth)
    project = Transformer.from_crs("EPSG:4326", crs, always_xy=True)
    beams = np.array(table["beam"].cast("string").to_pylist())
    easting, northing = project.transform(schema.to_numpy(table["longitude"]), schema.to_numpy(table["latitude"]))
    easting, northing = easting + shift[0], northing + shift[1]
    left, top = np.floor(easting.min() / PIXEL) * PIXEL - 1500.0, np.ceil(northing.max() / PIXEL) * PIXEL + 1500.0
    w, h = int((easting.max() + 1500.0 - left) / PIXEL), int((top - northing.min() + 1500.0) / PIXEL)
    grid = Affine(PIXEL, 0, left, 0, -PIXEL, top)
    at_e, at_n = left + (np.arange(w) + 0.5)[None, :] * PIXEL, top - (np.arange(h) + 0.5)[:, None] * PIXEL
    value = np.full((h, w), VALUE[0], np.uint8)
    nearest = np.full((h, w), np.inf)
    for k, name in enumerate(np.unique(beams)):
        mine = np.flatnonzero(beams == name)
        e, n = easting[mine], northing[mine]
        direction = np.array([e[-1] - e[0], n[-1] - n[0]])
        direction /= np.hypot(*direction)
        s = (e - e[0]) * direction[0] + (n - n[0]) * direction[1]
        along = (at_e - e[0]) * direction[0] + (at_n - n[0]) * direction[1]
        across = (at_e - e[0]) * direction[1] - (at_n - n[0]) * direction[0]
        v = VALUE[np.clip(schema.to_numpy(table["surface_class"])[mine], 0, 2)].astype(float)
        mean = np.convolve(v, np.ones(5) / 5, "same")
        seen = np.interp(along + SLANT[k % 3] * across, s, mean, left=VALUE[0], right=VALUE[0])
        closer = np.abs(across) < nearest
        value[closer], nearest[closer] = seen[closer].astype(np.uint8), np.abs(across)[closer]
    if blank:
        value[:] = VALUE[0]
    with rasterio.open(
        path, "w", driver="GTiff", width=w, height=h, count=3, dtype="uint8", crs=crs, transform=grid, photometric="rgb"
    ) as out:
        out.write(np.stack([value] * 3))
        if time:
            out.update_tags(TIFFTAG_DATETIME=time)
    return path

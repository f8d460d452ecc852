"""Where the tracks of a granule cross a scene: their segments, their pixels, the minutes between the two passes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...errors import EmptyBeamError, NoSeaIceError, ProductError, UsageError
from ...labels import transfer
from ...physics import surface_type
from ...readers import icesat2, icesat2_atl03, sentinel2
from ...tracks import beam_segments
from ...tracks import features as track_features

MARGIN_M = 30_000.0
"""Track read beyond the scene's edge, so that water levels there rest on as much track as elsewhere."""
KEEP_OUTSIDE_M = 1_000.0
"""Segments this far outside the scene still get a row."""
SAID = ("degraded_left_out", "photon_index_clipped", "time_contradicts")
"""Codes of notes that are messages, too: something in the granule is not as it should be."""


@dataclass(frozen=True, kw_only=True)
class Track:
    """What is kept of one beam: n segments and their features, in order."""

    name: str
    is_strong: bool
    time: np.ndarray
    latitude: np.ndarray
    longitude: np.ndarray
    x: np.ndarray
    starts: np.ndarray
    darkness: np.ndarray
    features: dict[str, np.ndarray]


def read_tracks(
    granule: icesat2.Granule, *, beams: str, bbox: tuple[float, float, float, float] | None = None
) -> tuple[list[Track], list[str]]:
    """Read beams as 2 m segments with their features.

    Parameters
    ----------
    granule : icesat2.Granule
        Of ATL03.
    beams : str
        ``strong``, ``all``, ``weak`` or names.
    bbox : tuple of float, optional
        West, south, east, north, degrees.

    Returns
    -------
    list of Track
        Beams with segments.
    list of str
        Why others have none, and which stretches were left out.

    Raises
    ------
    ProductError
        If no beam has segments, and one of them is damaged or over land.
    """
    tracks, empty, damaged = [], [], []
    for beam in icesat2.select_beams(granule, beams):
        try:
            data = icesat2_atl03.index(granule.path, beam=beam.name, bbox=bbox, granule=granule)
            if data is None:
                empty.append(f"{beam.name}: no photons" + (" near the scene" if bbox else ""))
                continue
            segments = beam_segments.beam_segments(data)
        except EmptyBeamError as error:
            empty.append(error.reason)
            continue
        except ProductError as error:  # the other beams may be whole
            damaged.append(error)
            reason = error.reason if isinstance(error, NoSeaIceError) else f"{beam.name} was left out: {error}"
            empty.append(reason)
            continue
        empty += [n.text for n in data.notes if n.code in SAID]
        evidence = beam_segments.evidence(segments)
        features = track_features.features(segments, evidence)
        probability = surface_type.classify(evidence).probability
        darkness = transfer.expected_darkness(probability, features["rate_clear"].astype(np.float64))
        tracks.append(
            Track(
                name=beam.name,
                is_strong=beam.is_strong,
                time=segments.time,
                latitude=segments.statistics.latitude,
                longitude=segments.statistics.longitude,
                x=segments.x,
                starts=segments.starts,
                darkness=darkness,
                features=features,
            )
        )
    if damaged and not tracks:
        raise damaged[0]
    return tracks, empty


def around(geobox: object) -> tuple[float, float, float, float]:
    """Box in degrees round a scene with the margin; west > east across the antimeridian."""
    from pyproj import Transformer

    (h, w), grid = geobox.shape, geobox.affine
    edge = np.linspace(0.0, 1.0, 33)
    u = np.concatenate([edge, edge, 0 * edge, 0 * edge + 1, [0.5]]) * w
    v = np.concatenate([0 * edge, 0 * edge + 1, edge, edge, [0.5]]) * h
    lon, lat = Transformer.from_crs(str(geobox.crs), "EPSG:4326", always_xy=True).transform(
        grid.c + grid.a * u, grid.f + grid.e * v
    )
    turn = (lon - lon[-1] + 180.0) % 360.0 - 180.0
    south, north = max(lat.min() - MARGIN_M / 111e3, -89.9), min(lat.max() + MARGIN_M / 111e3, 89.9)
    wide = MARGIN_M / (111e3 * max(np.cos(np.radians(max(abs(south), abs(north)))), 0.01))
    west, east = lon[-1] + turn.min() - wide, lon[-1] + turn.max() + wide
    return (west + 180.0) % 360.0 - 180.0, south, (east + 180.0) % 360.0 - 180.0, north


def over(scene: sentinel2.Scene, tracks: list[Track]) -> tuple[list[Track], list[tuple[np.ndarray, np.ndarray]]]:
    """Project tracks into the scene's CRS and keep the segments over it, and a little beyond."""
    from pyproj import Transformer

    project = Transformer.from_crs("EPSG:4326", str(scene.geobox.crs), always_xy=True)
    h, w = scene.geobox.shape
    beyond = KEEP_OUTSIDE_M / abs(scene.geobox.affine.a)
    kept, places = [], []
    for t in tracks:
        easting, northing = project.transform(t.longitude, t.latitude)
        row, column = transfer.pixels(scene.geobox, easting=easting, northing=northing)
        near = np.flatnonzero((column > -beyond) & (column < w + beyond) & (row > -beyond) & (row < h + beyond))
        if near.size == 0:
            continue
        piece = np.zeros(t.x.size, np.int64)
        piece[t.starts[1:-1]] = 1
        starts = np.unique(
            np.concatenate(
                [
                    [0],
                    np.flatnonzero(np.diff(np.cumsum(piece)[near])) + 1,
                    np.flatnonzero(np.diff(near) > 1) + 1,
                    [near.size],
                ]
            )
        )
        kept.append(
            Track(
                name=t.name,
                is_strong=t.is_strong,
                time=t.time[near],
                latitude=t.latitude[near],
                longitude=t.longitude[near],
                x=t.x[near],
                starts=starts,
                darkness=t.darkness[near],
                features={k: v[near] for k, v in t.features.items()},
            )
        )
        places.append((easting[near], northing[near]))
    return kept, places


def minutes(
    granule: icesat2.Granule,
    scene: sentinel2.Scene,
    tracks: list[Track],
    places: list,
    *,
    image_time: np.datetime64 | None,
    max_minutes: float,
) -> float:
    """Scene's time minus that of the granule's pass over it, minutes; reject what lies too far apart."""
    h, w = scene.geobox.shape
    inside = []
    for track, (easting, northing) in zip(tracks, places, strict=True):
        row, column = transfer.pixels(scene.geobox, easting=easting, northing=northing)
        inside.append(
            track.time[(column >= 0) & (column < w) & (row >= 0) & (row < h)].astype("datetime64[ns]").astype(np.int64)
        )
    times = np.concatenate(inside) if inside else np.empty(0, np.int64)
    if times.size == 0:
        raise ProductError(
            f"{granule.path.name}: no segment lies over {Path(scene.path).name}; expected a scene under the track. See"
            " polynya info for the granule's extent."
        )
    seen = scene.time if image_time is None else image_time
    if seen is None or np.isnat(seen):
        raise UsageError(
            f"{Path(scene.path).name}: gives no time in its metadata; expected a time to compare with the granule's."
            " Pass --image-time YYYY-MM-DDTHH:MM:SS (UTC)."
        )
    minutes = float((seen.astype("datetime64[ns]").astype(np.int64) - times.mean()) / 6e10)
    if abs(minutes) > max_minutes:
        raise ProductError(
            f"{Path(scene.path).name}: was taken {abs(minutes):.0f} min {'after' if minutes > 0 else 'before'}"
            f" {granule.path.name} passed there; expected at most {max_minutes:g} min, since ice drifts and leads open"
            " and freeze. Choose a closer scene, or pass a larger --max-minutes."
        )
    return minutes


def window(scene: sentinel2.Scene, places: list, *, reach_m: float) -> tuple[tuple[int, int], tuple[int, int]]:
    """Rows and columns of the strip round the tracks."""
    h, w = scene.geobox.shape
    at = [transfer.pixels(scene.geobox, easting=e, northing=n) for e, n in places]
    pad = reach_m / abs(scene.geobox.affine.a)
    edges = []
    for k, most in ((0, h), (1, w)):
        low, high = min(float(a[k].min()) for a in at) - pad, max(float(a[k].max()) for a in at) + pad
        edges.append((max(int(low), 0), min(int(high) + 1, most)))
    return edges[0], edges[1]

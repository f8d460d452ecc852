"""One pair's story: segments of a granule, the scene under them, the shift between both, labels.

Also without a scene: labels from the truth of a simulation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ... import __version__, io, schema
from ...errors import EmptyBeamError, ProductError, UsageError
from ...labels import corrections, transfer
from ...physics import drift, surface_type
from ...readers import icesat2, icesat2_atl03, sentinel2
from ...scenes import classes as scene_classes
from ...tracks import beam_segments
from ...tracks import features as track_features

MARGIN_M = 30_000.0
"""Track read beyond the scene's edge, so that water levels there rest on as much track as elsewhere."""
PERSON_ERROR_M = 10.0
"""Standard error, east and north, of a shift that a person set."""
KEEP_OUTSIDE_M = 1_000.0
"""Segments this far outside the scene still get a row."""
ATL07_TRUTH = "ATL07 heights and surface types"
"""What the truth of a granule drawn from an ATL07 says in ``product``."""


@dataclass(frozen=True)
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


@dataclass(frozen=True)
class Labels:
    """What one pair gives.

    Attributes
    ----------
    table : pyarrow.Table
        Of ``schema.LABELS``, its metadata says the shift and where it comes from.
    darkness : numpy.ndarray, shape (n,)
        What the track itself expects of the image, row by row: 0 snow to 1 water, NaN where unknown.
    about : dict
        That metadata.
    shift : drift.Shift or None
        The estimate with its score surface; None where nothing was estimated.
    scene : sentinel2.Scene or None
    granule : icesat2.Granule
    notes : tuple of str
        What the user should know.
    """

    table: pa.Table
    darkness: np.ndarray
    about: dict[str, object]
    shift: drift.Shift | None
    scene: sentinel2.Scene | None
    granule: icesat2.Granule
    notes: tuple[str, ...]


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
        Why others have none.
    """
    tracks, empty = [], []
    for beam in icesat2.select_beams(granule, beams):
        data = icesat2_atl03.index(granule.path, beam=beam.name, bbox=bbox, granule=granule)
        if data is None:
            empty.append(f"{beam.name}: no photons" + (" near the scene" if bbox else ""))
            continue
        try:
            made = beam_segments.beam_segments(data)
        except EmptyBeamError as error:
            empty.append(error.reason)
            continue
        evidence = beam_segments.evidence(made)
        features = track_features.features(made, evidence)
        probability = surface_type.classify(evidence).probability
        darkness = transfer.expected_darkness(probability, features["rate_clear"].astype(np.float64))
        found = made.found
        tracks.append(
            Track(
                beam.name,
                beam.is_strong,
                made.time,
                found.latitude,
                found.longitude,
                made.x,
                made.starts,
                darkness,
                features,
            )
        )
    return tracks, empty


def from_image(
    granule_path: Path | str,
    image: Path | str,
    *,
    beams: str = "strong",
    shift: tuple[float, float] | None = None,
    max_shift_m: float = 1000.0,
    max_minutes: float = 80.0,
    image_time: np.datetime64 | None = None,
    method: str = "published",
    cloud_mask: str = "auto",
    weights: Path | str | None = None,
    corrected: Sequence[corrections.Correction] = (),
    seed: int = 0,
) -> Labels:
    """Label a granule's segments by the scene under them.

    Parameters
    ----------
    granule_path, image : Path or str
        ATL03; Sentinel-2 SAFE folder or GeoTIFF.
    beams : str
    shift : tuple of float, optional
        East and north, m, in the scene's CRS: added to the track's position. Estimated where none is given.
    max_shift_m, max_minutes : float
        Largest shift looked for; largest time between granule and scene.
    image_time : numpy.datetime64, optional
        UTC, for a scene that does not say when it was taken.
    method, cloud_mask : str
        Of :func:`polynya.scenes.classes.scene_classes`.
    weights : Path or str, optional
        ONNX file of the network, for the method ``unet``.
    corrected : sequence of Correction
        A person's: the last shift in force holds unless ``shift`` is given, labels are set last.
    seed : int
        Of the draws behind the shift's standard error.

    Returns
    -------
    Labels

    Raises
    ------
    ProductError
        If the two do not overlap, lie too far apart in time, or cannot be read.
    UsageError
        If the scene has no time and none is given.
    """
    scene = sentinel2.open_scene(image)
    grid = scene.geobox.affine
    if grid.b or grid.d or grid.a <= 0 or abs(grid.a + grid.e) > 1e-6 * grid.a:
        raise ProductError(
            f"{Path(image).name}: its grid is turned, or its pixels are not square; expected north up. Warp it"
            " (gdalwarp) to square pixels."
        )
    granule = icesat2_atl03.open_granule(granule_path)
    tracks, notes = read_tracks(granule, beams=beams, bbox=_around(scene.geobox))
    tracks, places = _over(scene, tracks)
    minutes = _minutes(granule, scene, tracks, places, image_time=image_time, max_minutes=max_minutes)
    source, given = "estimate", shift
    if shift is not None:
        source = "command"
    else:
        given = corrections.shift(corrected, granule=granule.granule_id)
        source = "person" if given is not None else source
    reach = max_shift_m if given is None else float(np.hypot(*given))
    window = _window(scene, places, reach_m=reach + 500.0)
    found = scene_classes.scene_classes(
        scene, method=method, cloud_mask=cloud_mask, window=window, weights=Path(weights) if weights else None
    )
    if cloud_mask == "auto" and found.statistics.cloud_mask == "none":
        notes.append(
            "no cloud mask (the scene has no classification): cloud is labelled as ice or water. Look at the picture,"
            " pass --cloud-mask s2cloudless, or set such stretches aside in polynya review."
        )
    pixel_m = abs(found.geobox.affine.a)
    estimate = None
    if given is None:
        parts = [
            transfer.drift_samples(t.x, t.darkness, easting=p[0], northing=p[1], starts=t.starts, beam=t.name)
            for t, p in zip(tracks, places, strict=True)
        ]
        estimate = _estimate(transfer.joined(parts), found, max_shift_m=max_shift_m, seed=seed)
        given, errors, is_sure, confidence = (
            (estimate.east, estimate.north),
            (estimate.east_error, estimate.north_error),
            estimate.is_sure,
            estimate.confidence,
        )
        if not is_sure:
            notes.append(
                f"the shift is not sure ({estimate.reason}): no segment is labelled. Look at the picture, then set it"
                " with --shift EAST NORTH or in polynya review."
            )
    else:
        errors, is_sure, confidence = (PERSON_ERROR_M, PERSON_ERROR_M), True, 1.0
    radius = transfer.FOOTPRINT_RADIUS_M + min(float(np.hypot(*errors)), 2 * PERSON_ERROR_M)
    about = _about(granule) | {
        "scene": str(Path(image).resolve()),
        "scene_id": scene.scene_id,
        "crs": str(scene.geobox.crs),
        "shift_east_m": given[0],
        "shift_north_m": given[1],
        "shift_east_error_m": errors[0] if np.isfinite(errors[0]) else None,
        "shift_north_error_m": errors[1] if np.isfinite(errors[1]) else None,
        "shift_confidence": confidence,
        "is_shift_sure": is_sure,
        "shift_source": source,
        "minutes": minutes,
        "method": method,
        "cloud_mask": found.statistics.cloud_mask,
        "neighbourhood_m": radius,
    }
    pieces = []
    for track, (easting, northing) in zip(tracks, places, strict=True):
        row, column = transfer.pixels(found.geobox, easting=easting + given[0], northing=northing + given[1])
        moved = transfer.transfer(
            row,
            column,
            classes=found.classes,
            value=found.value,
            is_cloud=found.is_cloud,
            pixel_m=pixel_m,
            radius_m=radius,
        )
        moved = moved if is_sure else transfer.unsure(moved)
        pieces.append(
            _table(
                granule,
                track,
                moved,
                source=schema.LABEL_IMAGE,
                easting=easting + given[0],
                northing=northing + given[1],
            )
        )
    return _finish(pieces, tracks, about, corrected, estimate, scene, granule, notes)


def from_truth(
    granule_path: Path | str,
    truth: Path | str,
    *,
    beams: str = "strong",
    corrected: Sequence[corrections.Correction] = (),
) -> Labels:
    """Label a simulated granule's segments by the truth beside it.

    Parameters
    ----------
    granule_path, truth : Path or str
        A simulated ATL03 and its table of ``schema.TRUTH``. Of a granule drawn from an ATL07, class 0 is ice of
        unknown thickness (label 3) and the source is 4.
    beams : str
    corrected : sequence of Correction

    Returns
    -------
    Labels

    Raises
    ------
    ProductError
        If the truth is another granule's.
    """
    granule = icesat2_atl03.open_granule(granule_path)
    table = (
        (pq.read_schema(truth).metadata or {}).get(b"polynya_table", b"").decode()
        if Path(truth).suffix == ".parquet" and Path(truth).is_file()
        else ""
    )
    if table != schema.TRUTH.name:
        raise ProductError(
            f"{Path(truth).name}: holds {f'the table {table}' if table else 'no table of polynya'}; expected the truth"
            " of a simulated granule. Give the _truth.parquet beside the granule."
        )
    known = io.read_table(truth, columns=["granule", "beam", "x_atc", "surface_class"])
    metadata = {k.decode(): v.decode() for k, v in (known.schema.metadata or {}).items()}
    of = {str(v) for v in known["granule"].unique().to_pylist()}
    if of != {granule.granule_id}:
        raise ProductError(
            f"{Path(truth).name}: holds the truth of {', '.join(sorted(of)) or 'nothing'}; expected that of"
            f" {granule.granule_id}. Give the _truth.parquet beside the granule."
        )
    is_atl07 = metadata.get("product") == ATL07_TRUTH
    tracks, notes = read_tracks(granule, beams=beams)
    cells, names = schema.to_numpy(known["x_atc"]), np.array(known["beam"].cast(pa.string()).to_pylist())
    classes = schema.to_numpy(known["surface_class"])
    pieces = []
    for track in tracks:
        mine = names == track.name
        found = transfer.from_truth(track.x, cells[mine], truth_class=classes[mine], any_ice=is_atl07)
        nowhere = np.full(track.x.size, np.nan)
        source = schema.LABEL_ATL07 if is_atl07 else schema.LABEL_SIMULATION
        pieces.append(_table(granule, track, found, source=source, easting=nowhere, northing=nowhere))
    about = _about(granule) | {
        "truth": Path(truth).name,
        "shift_source": "none",
        "method": "NASA's surface types" if is_atl07 else "truth of the simulation",
    }
    if "source" in metadata:  # draws from one real file show the same ice
        about["source"] = metadata["source"]
    return _finish(pieces, tracks, about, corrected, None, None, granule, notes)


def _finish(
    pieces: list[pa.Table],
    tracks: list[Track],
    about: dict[str, object],
    corrected: Sequence[corrections.Correction],
    shift: drift.Shift | None,
    scene: sentinel2.Scene | None,
    granule: icesat2.Granule,
    notes: list[str],
) -> Labels:
    if not pieces:
        raise ProductError(
            f"{granule.path.name}: no beam gives a segment ({'; '.join(notes)[:300]}); expected sea ice. Choose other"
            " --beams, or see polynya info."
        )
    table = pa.concat_tables(pieces).unify_dictionaries()
    table = corrections.apply(table, corrected)
    held = [c for c in corrections.active(corrected) if c.action == corrections.LABEL]
    beams = {t.name for t in tracks}
    used = [c for c in held if c.granule == granule.granule_id and c.beam in beams]
    if len(used) < len(held):
        notes = [
            *notes,
            (
                f"{len(held) - len(used)} of {len(held)} corrections are of other granules or beams and change nothing"
                " here."
            ),
        ]
    label, flag = schema.to_numpy(table["label"]), schema.to_numpy(table["label_flag"])
    about = about | {
        "label_counts": {name: int((label == k).sum()) for k, name in schema.LABEL_CLASSES},
        "flag_counts": {name: int((flag == k).sum()) for k, name in schema.LABEL_FLAGS},
        "n_corrections": len(used),
    }
    table = schema.check(table.replace_schema_metadata(schema.LABELS.schema(about=about).metadata), schema.LABELS)
    return Labels(table, np.concatenate([t.darkness for t in tracks]), about, shift, scene, granule, tuple(notes))


def _about(granule: icesat2.Granule) -> dict[str, object]:
    return {
        "granule": granule.granule_id,
        "product": granule.product,
        "release": granule.release,
        "polynya": __version__,
        "is_simulated": granule.is_simulated,
        "resolution_m": 2.0,
    }


def _table(
    granule: icesat2.Granule,
    track: Track,
    found: transfer.Transferred,
    *,
    source: int,
    easting: np.ndarray,
    northing: np.ndarray,
) -> pa.Table:
    columns: dict[str, object] = {
        "granule": granule.granule_id,
        "beam": track.name,
        "is_strong": track.is_strong,
        "time": track.time,
        "latitude": track.latitude,
        "longitude": track.longitude,
        "x_atc": track.x,
        "easting": easting,
        "northing": northing,
        "image_value": found.value,
        "label": found.label,
        "label_source": np.where(found.label >= 0, source, schema.LABEL_NONE),
        "label_flag": found.flag,
        **track.features,
    }
    return schema.table(schema.LABELS, columns)


def _around(geobox: object) -> tuple[float, float, float, float]:
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


def _over(scene: sentinel2.Scene, tracks: list[Track]) -> tuple[list[Track], list[tuple[np.ndarray, np.ndarray]]]:
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
                t.name,
                t.is_strong,
                t.time[near],
                t.latitude[near],
                t.longitude[near],
                t.x[near],
                starts,
                t.darkness[near],
                {k: v[near] for k, v in t.features.items()},
            )
        )
        places.append((easting[near], northing[near]))
    return kept, places


def _minutes(
    granule: icesat2.Granule,
    scene: sentinel2.Scene,
    tracks: list[Track],
    places: list,
    *,
    image_time: np.datetime64 | None,
    max_minutes: float,
) -> float:
    """Scene's time minus that of the granule's pass over it, minutes; refuse what lies too far apart."""
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
            f"{Path(scene.path).name}: does not say when it was taken; expected a time to compare with the granule's."
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


def _window(scene: sentinel2.Scene, places: list, *, reach_m: float) -> tuple[tuple[int, int], tuple[int, int]]:
    """Rows and columns of the strip round the tracks."""
    h, w = scene.geobox.shape
    at = [transfer.pixels(scene.geobox, easting=e, northing=n) for e, n in places]
    pad = reach_m / abs(scene.geobox.affine.a)
    edges = []
    for k, most in ((0, h), (1, w)):
        low, high = min(float(a[k].min()) for a in at) - pad, max(float(a[k].max()) for a in at) + pad
        edges.append((max(int(low), 0), min(int(high) + 1, most)))
    return edges[0], edges[1]


def _estimate(
    samples: transfer.DriftSamples, found: scene_classes.SceneClasses, *, max_shift_m: float, seed: int
) -> drift.Shift:
    """The surer of two estimates: over clear pixels only, and over all. Leads show through thin cloud that no label may
    be taken from."""
    pixel_m = abs(found.geobox.affine.a)
    row, column = transfer.pixels(found.geobox, easting=samples.easting, northing=samples.northing)
    has_data = found.classes >= 0
    shifts = []
    for usable in (has_data & ~found.is_cloud, has_data) if found.is_cloud.any() else (has_data,):
        dark = drift.image_darkness(found.value, usable, pixel_m=pixel_m)
        shifts.append(
            drift.estimate_shift(
                samples.darkness,
                dark,
                row=row,
                column=column,
                block=samples.block,
                pixel_m=pixel_m,
                max_shift_m=max_shift_m,
                seed=seed,
            )
        )
    return max(shifts, key=lambda s: (s.is_sure, s.confidence))

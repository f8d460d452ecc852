"""One pair's story: segments of a granule, the scene under them, the shift between both, labels.

Also without a scene: labels from the truth of a simulation.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from ... import __version__, io, schema
from ...errors import ProductError
from ...io import parquet
from ...labels import corrections, transfer
from ...physics import drift
from ...readers import icesat2, icesat2_atl03, icesat2_releases, sentinel2
from ...scenes import classes as scene_classes
from . import tracks as label_tracks
from .config import Config
from .tracks import Track, read_tracks

PERSON_ERROR_M = 10.0
"""Standard error, east and north, of a shift that a person set."""
ATL07_TRUTH = "ATL07 heights and surface types"
"""What the truth of a granule drawn from an ATL07 says in ``product``."""


@dataclass(frozen=True, kw_only=True)
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
    read_seconds : float
        Until photons were segments and the truth was read; the scene's pixels are read with the labelling.
    """

    table: pa.Table
    darkness: np.ndarray
    about: dict[str, object]
    shift: drift.Shift | None
    scene: sentinel2.Scene | None
    granule: icesat2.Granule
    notes: tuple[str, ...]
    read_seconds: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Shift:
    """The shift of a pair, as it is used: added to the track's position in the scene's CRS.

    Attributes
    ----------
    east_m, north_m : float
    east_error_m, north_error_m : float
        Standard errors; NaN where unknown.
    confidence : float
        0 to 1.
    is_sure : bool
        Whether segments are labelled.
    source : str
        ``estimate``, ``command`` or ``person``.
    estimate : drift.Shift or None
        With its score surface; None where the shift was given.
    """

    east_m: float
    north_m: float
    east_error_m: float
    north_error_m: float
    confidence: float
    is_sure: bool
    source: str
    estimate: drift.Shift | None = None


def from_image(
    granule_path: Path | str,
    image: Path | str,
    *,
    config: Config | None = None,
    shift: tuple[float, float] | None = None,
    corrected: Sequence[corrections.Correction] = (),
) -> Labels:
    """Label a granule's segments by the scene under them.

    Parameters
    ----------
    granule_path, image : Path or str
        ATL03; Sentinel-2 SAFE folder or GeoTIFF.
    config : Config, optional
        How labels are made; the defaults where left out.
    shift : tuple of float, optional
        East and north, m, in the scene's CRS: added to the track's position. Estimated where none is given.
    corrected : sequence of Correction
        A person's: the last shift in force holds unless ``shift`` is given, labels are set last.

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
    began = time.perf_counter()
    config = config or Config()
    scene = sentinel2.open_scene(image)
    grid = scene.geobox.affine
    if grid.b or grid.d or grid.a <= 0 or abs(grid.a + grid.e) > 1e-6 * grid.a:
        raise ProductError(
            f"{Path(image).name}: its grid is turned, or its pixels are not square; expected north up. Warp it"
            " (gdalwarp) to square pixels."
        )
    granule = icesat2_atl03.open_granule(granule_path)
    tracks, notes = read_tracks(granule, beams=config.beams, bbox=label_tracks.around(scene.geobox))
    read_seconds = time.perf_counter() - began
    tracks, places = label_tracks.over(scene, tracks)
    minutes = label_tracks.minutes(
        granule, scene, tracks, places, image_time=config.scene_time(), max_minutes=config.max_minutes
    )
    given = _given_shift(shift, corrected, granule)
    reach = config.max_shift_m if given is None else float(np.hypot(given.east_m, given.north_m))
    classes = scene_classes.scene_classes(
        scene,
        method=config.method,
        cloud_mask=config.cloud_mask,
        window=label_tracks.window(scene, places, reach_m=reach + 500.0),
        weights=Path(config.weights) if config.weights else None,
    )
    if config.cloud_mask == "auto" and classes.statistics.cloud_mask == "none":
        notes.append(
            "no cloud mask (the scene has no classification): cloud is labelled as ice or water. Look at the picture,"
            " pass --cloud-mask s2cloudless, or set such stretches aside in polynya review."
        )
    used = given or _estimated_shift(tracks, places, classes, config)
    if not used.is_sure and used.estimate is not None:
        notes.append(
            f"the shift is uncertain ({used.estimate.reason}): no segment is labelled. Look at the picture, then set it"
            " with --shift EAST NORTH or in polynya review."
        )
    radius = transfer.FOOTPRINT_RADIUS_M + min(
        float(np.hypot(used.east_error_m, used.north_error_m)), 2 * PERSON_ERROR_M
    )
    about = _about(granule) | {
        "scene": str(Path(image).resolve()),
        "scene_id": scene.scene_id,
        "crs": str(scene.geobox.crs),
        "shift_east_m": used.east_m,
        "shift_north_m": used.north_m,
        "shift_east_error_m": used.east_error_m if np.isfinite(used.east_error_m) else None,
        "shift_north_error_m": used.north_error_m if np.isfinite(used.north_error_m) else None,
        "shift_confidence": used.confidence,
        "is_shift_sure": used.is_sure,
        "shift_source": used.source,
        "minutes": minutes,
        "method": config.method,
        "cloud_mask": classes.statistics.cloud_mask,
        "neighbourhood_m": radius,
    }
    pieces = []
    for track, (easting, northing) in zip(tracks, places, strict=True):
        easting, northing = easting + used.east_m, northing + used.north_m
        row, column = transfer.pixels(classes.geobox, easting=easting, northing=northing)
        labels = transfer.transfer(
            row,
            column,
            classes=classes.classes,
            value=classes.value,
            is_cloud=classes.is_cloud,
            pixel_m=abs(classes.geobox.affine.a),
            radius_m=radius,
        )
        labels = labels if used.is_sure else transfer.without_labels(labels)
        pieces.append(_table(granule, track, labels, source=schema.LABEL_IMAGE, easting=easting, northing=northing))
    table, about, notes = _finish(pieces, tracks, about, corrected, granule, notes)
    return Labels(
        table=table,
        darkness=np.concatenate([t.darkness for t in tracks]),
        about=about,
        shift=used.estimate,
        scene=scene,
        granule=granule,
        notes=tuple(notes),
        read_seconds=read_seconds,
    )


def _given_shift(
    shift: tuple[float, float] | None, corrected: Sequence[corrections.Correction], granule: icesat2.Granule
) -> Shift | None:
    """Return the shift that the command gives, else a person's correction; None where neither does."""
    source = "command"
    if shift is None:
        shift, source = corrections.shift(corrected, granule=granule.granule_id), "person"
    if shift is None:
        return None
    return Shift(
        east_m=shift[0],
        north_m=shift[1],
        east_error_m=PERSON_ERROR_M,
        north_error_m=PERSON_ERROR_M,
        confidence=1.0,
        is_sure=True,
        source=source,
    )


def _estimated_shift(
    tracks: list[Track],
    places: list[tuple[np.ndarray, np.ndarray]],
    classes: scene_classes.SceneClasses,
    config: Config,
) -> Shift:
    """Return the shift at which the tracks fit the scene best."""
    parts = [
        transfer.drift_samples(t.x, t.darkness, easting=p[0], northing=p[1], starts=t.starts, beam=t.name)
        for t, p in zip(tracks, places, strict=True)
    ]
    found = _estimate(transfer.joined(parts), classes, max_shift_m=config.max_shift_m, seed=config.seed)
    return Shift(
        east_m=found.east,
        north_m=found.north,
        east_error_m=found.east_error,
        north_error_m=found.north_error,
        confidence=found.confidence,
        is_sure=found.is_sure,
        source="estimate",
        estimate=found,
    )


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
        ``strong``, ``all``, ``weak`` or names.
    corrected : sequence of Correction
        A person's; labels are set last.

    Returns
    -------
    Labels

    Raises
    ------
    ProductError
        If the truth is another granule's.
    """
    began = time.perf_counter()
    granule = icesat2_atl03.open_granule(granule_path)
    table = (
        (parquet.schema_of(truth).metadata or {}).get(b"polynya_table", b"").decode()
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
    read_seconds = time.perf_counter() - began
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
    table, about, notes = _finish(pieces, tracks, about, corrected, granule, notes)
    return Labels(
        table=table,
        darkness=np.concatenate([t.darkness for t in tracks]),
        about=about,
        shift=None,
        scene=None,
        granule=granule,
        notes=tuple(notes),
        read_seconds=read_seconds,
    )


def _finish(
    pieces: list[pa.Table],
    tracks: list[Track],
    about: dict[str, object],
    corrected: Sequence[corrections.Correction],
    granule: icesat2.Granule,
    notes: list[str],
) -> tuple[pa.Table, dict[str, object], list[str]]:
    """Join the beams and apply a person's labels; return the table, its metadata and the notes, all completed."""
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
                f"{len(held) - len(used)} of {schema.counted(len(held), 'correction')} belong to other granules or"
                " beams and change nothing here."
            ),
        ]
    label, flag = schema.to_numpy(table["label"]), schema.to_numpy(table["label_flag"])
    about = about | {
        "label_counts": {name: int((label == k).sum()) for k, name in schema.LABEL_CLASSES},
        "flag_counts": {name: int((flag == k).sum()) for k, name in schema.LABEL_FLAGS},
        "n_corrections": len(used),
    }
    table = schema.check(table.replace_schema_metadata(schema.LABELS.schema(about=about).metadata), schema.LABELS)
    return table, about, notes


def _about(granule: icesat2.Granule) -> dict[str, object]:
    return {
        "granule": granule.granule_id,
        "product": granule.product,
        "release": granule.release,
        "datum": icesat2_releases.datum(granule.release),
        "polynya": __version__,
        "is_simulated": granule.is_simulated,
        "resolution_m": 2.0,
    }


def _table(
    granule: icesat2.Granule,
    track: Track,
    labels: transfer.Transferred,
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
        "image_value": labels.value,
        "label": labels.label,
        "label_source": np.where(labels.label >= 0, source, schema.LABEL_NONE),
        "label_flag": labels.flag,
        **track.features,
    }
    return schema.table(schema.LABELS, columns)


def _estimate(
    samples: transfer.DriftSamples, found: scene_classes.SceneClasses, *, max_shift_m: float, seed: int
) -> drift.Shift:
    """The more certain of two estimates: over clear pixels only, and over all. Leads show through thin cloud that no
    label may be taken from."""
    pixel_m = abs(found.geobox.affine.a)
    row, column = transfer.pixels(found.geobox, easting=samples.easting, northing=samples.northing)
    has_data = found.classes >= 0
    shifts = []
    for usable in (has_data & ~found.is_cloud, has_data) if found.is_cloud.any() else (has_data,):
        dark = drift.image_darkness(found.value, usable, pixel_m=pixel_m)
        shifts.append(
            drift.estimate_shift(
                drift.TrackSamples(darkness=samples.darkness, row=row, column=column, block=samples.block),
                dark,
                pixel_m=pixel_m,
                max_shift_m=max_shift_m,
                seed=seed,
            )
        )
    return max(shifts, key=lambda s: (s.is_sure, s.confidence))

"""``polynya evaluate``: one granule's outputs against a reference, as one tidy table."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ... import evaluate, schema
from ...errors import ProductError, UsageError, one_line
from ...evaluate.rows import LEAD_COLUMNS, SECTION_COLUMNS, SEGMENT_COLUMNS
from ...io import opening, parquet
from ...readers import icesat2, icesat2_atl07, icesat2_atl10
from ...tracks import collocation

SCENE_FILES = (".tif", ".tiff", ".vrt", ".gpkg", ".shp", ".geojson", ".parquet", ".geoparquet")
"""How results of the scene family end: rasters and polygons. Results of the track family are folders."""


def is_scene(out: Path | str) -> bool:
    """Tell whether a result is of the scene family: polygons, a raster, or a folder with ``probability.tif`` or
    ``outlines.gpkg``."""
    out = Path(out)
    if out.is_dir():
        return any((out / name).exists() for name in ("probability.tif", "outlines.gpkg"))
    return out.suffix.lower() in SCENE_FILES


def run(out: Path | str, *, reference: Path | str, seed: int = 0, n_resamples: int = 500) -> pa.Table:
    """Score one granule's output folder against a reference.

    Parameters
    ----------
    out : Path or str
        Folder with ``segments.parquet``, ``leads.parquet`` and ``sea_surface.parquet``.
    reference : Path or str
        Truth of a simulated granule (a parquet file whose metadata say ``polynya_table=truth``), an ATL07 or
        an ATL10 granule of the same track.
    seed : int
        Of the block bootstrap behind the 95 % intervals.
    n_resamples : int
        Bootstrap replicates.

    Returns
    -------
    pyarrow.Table
        Of :data:`polynya.schema.EVALUATION`.

    Raises
    ------
    ProductError
        If a file is missing, damaged, not a reference, or belongs to another track.
    """
    out, reference = Path(out), Path(reference)
    segments = _read(out / "segments.parquet", ("beam", "x_atc", *SEGMENT_COLUMNS))
    if segments.num_rows == 0:
        raise ProductError(
            f"{out}/segments.parquet: holds no segment; expected at least one. There is nothing to evaluate in this"
            " granule."
        )
    leads = _read(out / "leads.parquet", ("beam", "x_atc", *LEAD_COLUMNS))
    sea_surface = _read(out / "sea_surface.parquet", ("beam", "x_atc", *SECTION_COLUMNS))
    options = {
        "leads": leads,
        "sea_surface": sea_surface,
        "resolution_m": resolution(segments, out),
        "seed": seed,
        "n_resamples": n_resamples,
    }
    if _is_parquet(reference):
        truth = _read_truth(reference)
        return evaluate.against_truth(segments, truth, **options)
    return evaluate.against_product(segments, _read_product(reference), **options)


def resolution(segments: pa.Table, out: Path) -> float | None:
    """Return the segments' length in m, None for segments of a photon number.

    It is taken from the table's metadata (``resolution_m``), else from the spacing of the beam with most segments.
    """
    stored = (segments.schema.metadata or {}).get(b"resolution_m")
    if stored is not None:
        try:
            value = json.loads(stored)
        except ValueError as error:
            raise ProductError(
                f"{out}/segments.parquet: metadata resolution_m is {stored!r}; expected a length in m or null. Run"
                " freeboard again."
            ) from error
        return float(value) if isinstance(value, (int, float)) and value > 0 else None
    fullest = max(pc.value_counts(segments["beam"]).to_pylist(), key=lambda row: row["counts"])["values"]
    x = segments.filter(pc.equal(segments["beam"].cast(pa.string()), fullest))["x_atc"].to_numpy()
    return collocation.fixed_resolution(np.sort(x))


def _is_parquet(path: Path) -> bool:
    if not path.exists():
        raise ProductError(
            f"{path.name}: no such file at {path}; expected a truth parquet, an ATL07 or an ATL10 granule. Check the"
            " path."
        )
    if path.is_dir():
        raise ProductError(
            f"{path.name}: is a folder; expected one reference file. Name the truth parquet, the ATL07 or the ATL10"
            " granule."
        )
    return opening.starts_with(path, 4) == b"PAR1"


def _read(path: Path, columns: tuple[str, ...] | None = None) -> pa.Table:
    if not path.exists():
        raise ProductError(
            f"{path}: no such file; expected an output folder of polynya freeboard. Give the granule's own folder,"
            " which holds segments.parquet."
        )
    opening.regular_file(path)
    try:
        found = parquet.schema_of(path).names
        missing = [c for c in columns or () if c not in found]
        if missing:
            raise ProductError(
                f"{path}: columns {missing} are missing; expected a table that this version of polynya wrote. Run"
                " freeboard again."
            )
        return parquet.read(path, columns=list(dict.fromkeys(columns)) if columns else None)
    except (pa.ArrowException, OSError) as error:
        raise ProductError(
            f"{path}: cannot be read ({one_line(error)[:160]}); expected an intact parquet file. Run freeboard again."
        ) from error


def _read_truth(path: Path) -> pa.Table:
    try:
        metadata = parquet.schema_of(path).metadata or {}
    except (pa.ArrowException, OSError) as error:
        raise ProductError(
            f"{path.name}: cannot be read ({one_line(error)[:160]}); expected an intact truth parquet. Simulate the"
            " granule again."
        ) from error
    kind = metadata.get(b"polynya_table", b"").decode()
    if kind != schema.TRUTH.name:
        raise ProductError(
            f"{path.name}: is a parquet file of {kind or 'unknown'} (metadata polynya_table); expected truth. "
            "Give the _truth.parquet that simulate wrote, an ATL07 or an ATL10 granule."
        )
    try:
        return schema.check(_read(path), schema.TRUTH)
    except UsageError as error:
        raise ProductError(f"{path.name}: {error}") from error


def _read_product(path: Path) -> evaluate.Reference:
    granule = icesat2.open_granule(path)
    if granule.product not in ("ATL07", "ATL10"):
        raise ProductError(
            f"{path.name}: holds {granule.product or 'no known product'}; expected a truth parquet, an ATL07 or an"
            " ATL10 granule. Give one of these."
        )
    reader = icesat2_atl07 if granule.product == "ATL07" else icesat2_atl10
    segments = {beam: reader.read(path, beam=beam) for beam in granule.beams}
    leads, sections = {}, {}
    if granule.product == "ATL10":
        leads = {beam: icesat2_atl10.read_leads(path, beam=beam) for beam in granule.beams}
        sections = {beam: icesat2_atl10.read_sections(path, beam=beam) for beam in granule.beams}
    return evaluate.Reference(product=granule.product, segments=segments, leads=leads, sections=sections)

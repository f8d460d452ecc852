"""One granule's sums: the task that engines repeat. It reads a result and writes a table of some kilobytes."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from ... import io, schema
from ...engine.protocol import DONE, SKIPPED, Record
from ...errors import OutputError, ProductError
from ...physics import gridding
from ...schema.gridded import GRID_SUMS, SIGNED, SUM_NAMES
from .config import RESULTS_VERSION, Config, periods_of

SEGMENT_COLUMNS = (
    "time",
    "latitude",
    "longitude",
    "x_atc",
    "surface_class",
    "quality_flag",
    "probability_thick",
    "probability_thin",
    "probability_water",
    "height",
    "height_uncertainty",
    "first_photon_bias",
    "total_freeboard",
    "sea_surface_height",
    "sea_surface_uncertainty",
    "sea_surface_uncertainty_common",
)
KEYS = ("period", "cell", "track", "day")
NAME = re.compile(r"ATL03_(?P<time>\d{14})_(?P<track>\d{4})(?P<cycle>\d{2})(?P<region>\d{2})_")


@dataclass(frozen=True, kw_only=True)
class Item:
    """The result of one granule.

    Attributes
    ----------
    path : str
        A folder that ``polynya freeboard`` wrote.
    folder : str
        Where its sums go.
    granule : str
        The granule's name.
    length_m : float
        Length of its segments.
    """

    path: str
    folder: str
    granule: str
    length_m: float

    @property
    def name(self) -> str:
        """The path."""
        return self.path

    @property
    def place(self) -> str:
        """Folder of its sums: two commands with one output share the granules between them."""
        return self.folder


def track_of(granule: str) -> str:
    """Return the pass that a granule is part of: reference ground track and cycle, or its name where that has none.

    Parameters
    ----------
    granule : str
        The name: ``ATL03_yyyymmddhhmmss_ttttccss_rrr_vv``.
    """
    found = NAME.search(granule)
    return f"{found['track']}{found['cycle']}" if found else granule


def process(item: Item, *, config: Config, overwrite: bool = False) -> Record:
    """Sum one granule.

    Parameters
    ----------
    item : Item
        The granule's result and the folder of its sums.
    config : Config
        Settings, with a CRS.
    overwrite : bool
        Replace sums of other settings or of another state of the result; those of the same are kept.

    Returns
    -------
    Record

    Raises
    ------
    ProductError
        If a table cannot be read.
    OutputError
        If the folder holds something else.
    """
    started = time.perf_counter()
    source, folder = Path(item.path), Path(item.folder)
    key = io.Key(
        workflow="grid sums",
        version=RESULTS_VERSION,
        settings={**config.settings(), "granule": item.granule, "length_m": item.length_m},
        inputs={"segments": source / "segments.parquet", "leads": source / "leads.parquet"},
    )
    outputs = {"sums": str(folder / "sums.parquet")}
    try:
        old = io.finished(folder, key)
    except OutputError:
        if not overwrite:
            raise
        old = None
    if old is not None:
        return Record(
            item=item.name, status=SKIPPED, message="summed before", outputs=outputs, numbers=old.get("numbers", {})
        )
    with io.writing_folder(folder, overwrite=overwrite) as temporary, io.hashing(key) as hashed:
        found, numbers = _sums(source, item, config)
        about = {"granule": item.granule, "crs": config.crs, "cell_m": 1000.0 * config.cell}
        io.write_table(_table(found), temporary / "sums.parquet", spec=GRID_SUMS, about=about)
        numbers["seconds"] = round(time.perf_counter() - started, 3)
        record = io.run_record(
            command=io.command_line(),
            config=config.model_dump(mode="json"),
            inputs=[{"granule": item.granule, "folder": source.name}],
            key=hashed(),
            numbers=numbers,
        )
        io.write_json(record, temporary / "run.json")
    return Record(item=item.name, status=DONE, outputs=outputs, numbers=numbers)


def _sums(source: Path, item: Item, config: Config) -> tuple[gridding.Sums, dict[str, float]]:
    from pyproj import Transformer

    grid = config.grid()
    # Latitude and longitude go into NSIDC's projections as they are, on whichever ellipsoid: so are ATL20's.
    project = Transformer.from_crs("EPSG:4326", grid.crs, always_xy=True)
    leads = dict(io.read_beams(source / "leads.parquet", columns=["x_atc", "length"]))
    parts, n, n_outside = [], 0, 0
    for beam, table in io.read_beams(source / "segments.parquet", columns=list(SEGMENT_COLUMNS)):
        segments = _segments(table, grid=grid, project=project, period=config.period, length_m=item.length_m)
        lead = leads.get(beam)
        none = np.empty(0)
        on_beam = gridding.BeamLeads(
            x=none if lead is None else schema.to_numpy(lead["x_atc"]),
            length=none if lead is None else schema.to_numpy(lead["length"]),
        )
        try:
            parts.append(gridding.contributions(segments, on_beam, track=track_of(item.granule), leave_out=config.bits))
        except ValueError as error:
            raise ProductError(
                f"{source.name}: {beam} cannot be summed ({error}). Make the granule's result again."
            ) from error
        n += segments.x.size
        n_outside += int(np.count_nonzero(segments.cell < 0))
    merged = gridding.merge(parts)
    numbers = {
        "n_segments": n,
        "n_outside": n_outside,
        "n_cells": int(np.unique(merged.cell).size),
        "n_freeboard": int(merged.values["n_freeboard"].sum()),
        "n_left_out": int(merged.values["n_left_out"].sum()),
        "n_unclassified": int(merged.values["n_unclassified"].sum()),
    }
    return merged, numbers


def _segments(table: pa.Table, *, grid: gridding.Grid, project, period: str, length_m: float) -> gridding.BeamSegments:
    def column(name: str) -> np.ndarray:
        return schema.to_numpy(table[name])

    x = column("x_atc")
    order = slice(None) if np.all(np.diff(x) >= 0) else np.argsort(x, kind="stable")
    latitude = column("latitude")
    east, north = project.transform(column("longitude"), latitude)
    in_hemisphere = (latitude > 0) == grid.is_north
    when = np.asarray(table["time"].cast(pa.timestamp("ns"))).astype("datetime64[ns]")
    first, day = periods_of(when, period)
    values = {
        "cell": np.where(in_hemisphere, gridding.cell_of(east, north, grid), -1),
        "period": first,
        "day": day,
        "x": x,
        "surface_class": column("surface_class"),
        "quality_flag": column("quality_flag"),
        "probability": np.column_stack([column(f"probability_{k}") for k in ("thick", "thin", "water")]),
        "freeboard": column("total_freeboard"),
        "sea_surface": column("sea_surface_height"),
        "sea_surface_common": column("sea_surface_uncertainty_common"),
        **{k: column(k) for k in ("height", "height_uncertainty", "first_photon_bias", "sea_surface_uncertainty")},
    }
    real = {
        k: v[order].astype(np.float64) if v.dtype.kind == "f" else v[order] for k, v in values.items()
    }  # single precision squared would round in another place on another machine
    return gridding.BeamSegments(length_m=length_m, **real)


def _table(sums: gridding.Sums) -> pa.Table:
    return schema.table(GRID_SUMS, {**{k: getattr(sums, k) for k in KEYS}, **sums.values})


def read_sums(path: Path | str) -> gridding.Sums:
    """Read the sums of one granule.

    Parameters
    ----------
    path : Path or str
        A ``sums.parquet``.

    Raises
    ------
    ProductError
        If it is missing, is no such table, or holds a number that no granule gives.
    """
    table = schema.check(io.read_table(path), GRID_SUMS)
    values = {n: schema.to_numpy(table[n]) for n in SUM_NAMES}
    negative = next((n for n in SUM_NAMES if n not in SIGNED and np.any(values[n] < 0)), None)
    if negative:
        raise ProductError(
            f"{path}: {negative} is negative ({values[negative].min()}); expected 0 or more, as every granule gives."
            " The file is damaged: remove its folder, and run the same command again."
        )
    return gridding.Sums(
        period=schema.to_numpy(table["period"]).astype(np.int64),
        cell=schema.to_numpy(table["cell"]),
        track=np.array(table["track"].to_pylist(), dtype=str),
        day=schema.to_numpy(table["day"]).astype(np.int64),
        values=values,
    )

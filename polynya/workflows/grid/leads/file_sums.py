"""The counts of one file of leads per cell: the task that engines repeat."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa

from .... import io, schema
from ....engine.protocol import Record
from ....physics import gridding
from ....physics.gridding.lead_share import LeadCounts
from ....schema.echoes import LEAD, OCEAN, SEA_ICE, UNKNOWN
from ....schema.lead_grids import COUNTS, LEAD_GRID_SUMS
from ..config import periods_of
from ..tables import Item, columns_of, kept
from .config import LeadConfig

RESULTS_VERSION = 1
"""Raised only when the same inputs and settings give other numbers."""
TABLE = "leads.parquet"
COLUMNS = ("time", "latitude", "longitude", "surface_class", "lead_quality")


def process(item: Item, *, config: LeadConfig, overwrite: bool = False) -> Record:
    """Count the echoes of one file.

    Parameters
    ----------
    item : Item
        The result and the folder of its sums.
    config : LeadConfig
        Settings, with a CRS.
    overwrite : bool
        Replace sums of other settings or of another state of the result.

    Returns
    -------
    Record

    Raises
    ------
    ProductError
        If the table cannot be read.
    OutputError
        If the folder holds something else.
    """
    source = Path(item.path) / TABLE
    key = io.Key(
        workflow="lead grid sums",
        version=RESULTS_VERSION,
        settings={**config.settings(), "file": item.file},
        inputs={"leads": source},
    )
    return kept(
        item,
        key,
        config=config,
        spec=LEAD_GRID_SUMS,
        about={"file": item.file, "crs": config.crs, "cell_m": 1000.0 * config.cell},
        count=lambda: _counts(io.read_table(source, columns=list(COLUMNS)), item, config),
        overwrite=overwrite,
    )


def _counts(table: pa.Table, item: Item, config: LeadConfig) -> tuple[LeadCounts, dict[str, float]]:
    from pyproj import Transformer

    grid = config.grid()
    column = {n: schema.to_numpy(table[n]) for n in COLUMNS[1:]}
    when = np.asarray(table["time"].cast(pa.timestamp("ns"))).astype("datetime64[ns]")
    latitude = column["latitude"]
    project = Transformer.from_crs("EPSG:4326", grid.crs, always_xy=True)
    east, north = project.transform(column["longitude"], latitude)
    with np.errstate(invalid="ignore"):
        in_hemisphere = (latitude > 0) == grid.is_north
    cell = np.where(in_hemisphere & ~np.isnat(when), gridding.cell_of(east, north, grid), -1)
    use = cell >= 0
    first, day = periods_of(when[use], config.period)
    place, where = np.unique(np.stack([first, cell[use], day]), axis=1, return_inverse=True)
    where, m = where.reshape(-1), place.shape[1]
    classes, left_out = column["surface_class"][use], (column["lead_quality"][use] & config.bits) > 0
    kinds = {"n_lead": LEAD, "n_sea_ice": SEA_ICE, "n_ocean": OCEAN, "n_unknown": UNKNOWN}
    members = {n: ~left_out & (classes == value) for n, value in kinds.items()} | {"n_left_out": left_out}
    counts = {n: np.bincount(where, members[n], m).astype(np.int64) for n in COUNTS}
    numbers: dict[str, float] = {"n_echoes": len(table), "n_outside": int(len(table) - use.sum())}
    numbers |= {n: int(v.sum()) for n, v in counts.items()}
    is_ice = np.isin(column["surface_class"], (LEAD, SEA_ICE)) & ((column["lead_quality"] & config.bits) == 0)
    numbers["n_ice_outside"] = int((is_ice & ~use).sum())
    track = np.full(m, item.file)
    return LeadCounts(period=place[0], cell=place[1], track=track, day=place[2], counts=counts), numbers


def read_sums(path: Path | str) -> LeadCounts:
    """Read the counts of one file.

    Raises
    ------
    ProductError
        If they are missing or no such table.
    """
    column = columns_of(path, LEAD_GRID_SUMS)
    counts = {n: column[n] for n in COUNTS}
    return LeadCounts(**{n: column[n] for n in ("period", "cell", "day", "track")}, counts=counts)

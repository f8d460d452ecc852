"""The counts of one product's tags per cell: the task that engines repeat."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa

from .... import io, schema
from ....engine.protocol import Record
from ....errors import ProductError
from ....physics.gridding.occurrence import TagCounts
from ....schema.imagette_tags import NOT_ASSESSED
from ....schema.imagettes import TAGS
from ....schema.tag_grids import COUNTS, TAG_GRID_SUMS
from ..config import periods_of
from ..tables import Item, columns_of, kept
from .config import TagConfig

RESULTS_VERSION = 1
"""Raised only when the same inputs and settings give other numbers."""
TABLE = "tags.parquet"
COLUMNS = ("time", "latitude", "longitude", "satellite", "absolute_orbit", "source", "tag_quality")


def process(item: Item, *, config: TagConfig, overwrite: bool = False) -> Record:
    """Count the imagettes of one product.

    Parameters
    ----------
    item : Item
        The result and the folder of its sums.
    config : TagConfig
        Settings.
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
        workflow="tag grid sums",
        version=RESULTS_VERSION,
        settings={**config.settings(), "file": item.file},
        inputs={"tags": source},
    )
    column = "precise_tags" if config.precise else "tags"
    return kept(
        item,
        key,
        config=config,
        spec=TAG_GRID_SUMS,
        about={"file": item.file, "cell_deg": config.cell},
        count=lambda: counts_of(io.read_table(source, columns=[*COLUMNS, column]), config),
        overwrite=overwrite,
    )


def counts_of(table: pa.Table, config: TagConfig) -> tuple[TagCounts, dict[str, float]]:
    """Count the imagettes of a table per cell, pass and day.

    Parameters
    ----------
    table : pyarrow.Table
        With :data:`COLUMNS` and the column of tags.
    config : TagConfig
        Settings.

    Raises
    ------
    ProductError
        If it has a tag that is none of the ten.
    """
    latitude, longitude, orbit, quality = (
        schema.to_numpy(table[n]) for n in ("latitude", "longitude", "absolute_orbit", "tag_quality")
    )
    when = np.asarray(table["time"].cast(pa.timestamp("ns"))).astype("datetime64[ns]")
    cell = np.where(np.isnat(when), -1, config.grid().cell_of(latitude, longitude))
    use = cell >= 0
    is_assessed = (quality & NOT_ASSESSED) == 0
    satellite, source = (np.array(table[n].to_pylist(), dtype=str) for n in ("satellite", "source"))
    track = np.where(orbit >= 0, np.char.add(np.char.add(satellite, "-"), orbit.astype(str)), source)[use]
    first, day = periods_of(when[use], config.period)
    passes, number = np.unique(track, return_inverse=True)
    key = np.stack([first, cell[use], day, number.reshape(-1)])
    place, where = np.unique(key, axis=1, return_inverse=True)
    where, m = where.reshape(-1), place.shape[1]
    given = _given(table.column(table.num_columns - 1)) & is_assessed[:, None]
    members = {"n_imagettes": is_assessed, "n_not_assessed": ~is_assessed}
    members |= {f"n_{t}": given[:, k] for k, t in enumerate(TAGS)}
    counts = {n: np.bincount(where, members[n][use], m).astype(np.int64) for n in COUNTS}
    numbers: dict[str, float] = {"n_imagettes": len(table), "n_without_place_or_time": int(len(table) - use.sum())}
    found = TagCounts(period=place[0], cell=place[1], day=place[2], track=passes[place[3]], counts=counts)
    return found, numbers


def _given(column: pa.ChunkedArray) -> np.ndarray:
    """Return which of the ten tags each row has, bool (n, 10)."""
    out = np.zeros((len(column), len(TAGS)), bool)
    place = {t: k for k, t in enumerate(TAGS)}
    for row, words in enumerate(column.to_pylist()):
        for word in words or ():
            if word not in place:
                raise ProductError(
                    f"{TABLE}: row {row} has the tag {word[:40]!r}; expected one of {', '.join(TAGS)}. Tag it again."
                )
            out[row, place[word]] = True
    return out


def read_sums(path: Path | str) -> TagCounts:
    """Read the counts of one product.

    Raises
    ------
    ProductError
        If they are missing or no such table.
    """
    column = columns_of(path, TAG_GRID_SUMS)
    counts = {n: column[n] for n in COUNTS}
    return TagCounts(**{n: column[n] for n in ("period", "cell", "day", "track")}, counts=counts)

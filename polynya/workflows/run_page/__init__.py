"""The page of a folder that batches write into: every command that takes several items ends with :func:`write`.

``index.html`` shows where the items lie, what became of each, and totals; ``runs.parquet`` has a row for each. Both
hold all batches of the folder: an item of an earlier one keeps its row as long as its result is there.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from ... import io
from ...engine.protocol import FAILED, Record
from ...errors import PolynyaError, one_line
from .measures import (
    CONCENTRATION_RMSE,
    FREEBOARD,
    FREEBOARD_BIAS,
    GLACIER_AREA,
    GLACIER_IOU,
    ICE_AREA,
    LABELS,
    Measure,
    Quantity,
)

__all__ = [
    "CONCENTRATION_RMSE",
    "FREEBOARD",
    "FREEBOARD_BIAS",
    "GLACIER_AREA",
    "GLACIER_IOU",
    "ICE_AREA",
    "LABELS",
    "Measure",
    "Quantity",
    "write",
]

log = logging.getLogger("polynya.run_page")


def write(
    records: Sequence[Record], *, out: Path | str, command: str, results: Mapping[str, str], quantity: Quantity
) -> Path | None:
    """Write the page and the table of a batch, with those of earlier batches of the folder.

    One item alone is added where the folder has a page already. Nothing else is replaced: where a file of another
    program has one of the names, or the folder cannot be written, a warning says so, and the results of the batch stay
    as they are.

    Parameters
    ----------
    records : sequence of Record
        What the engine gave.
    out : Path or str
        The folder that holds the items' results.
    command : str
        ``freeboard``, ``label`` ...
    results : mapping of str to str
        Item -> where its result is or would be: a folder, or a table with its record beside it.
    quantity : Quantity
        The number by which the page ranks items.

    Returns
    -------
    Path or None
        The page; None where none was written.
    """
    out = Path(out)
    is_ours = io.lists(out / "index.run.json", out / "index.html")
    if (len(records) < 2 and not is_ours) or all(r.status == FAILED and r.exit_code == 2 for r in records):
        return None
    from . import page  # heavy: for batches only

    try:
        with page.alone(out):
            return page.write(records, out=out, command=command, results=results, quantity=quantity)
    except (PolynyaError, OSError) as error:
        log.warning("polynya: the page of this run is not written: %s The results are complete.", one_line(error))
        return None

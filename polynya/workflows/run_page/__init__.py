"""The page of a folder that batches write into: every command that takes several items ends with :func:`write`.

``index.html`` shows where the items lie, what became of each, and totals; ``runs.parquet`` has a row for each. Both
hold all batches of the folder: an item of an earlier one keeps its row as long as its result is there.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

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
    ICE_FRACTION,
    LABELLED_ECHOES,
    LABELS,
    LEAD_F1,
    LEAD_FRACTION,
    TAG_F1,
    TAGGED_SHARE,
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
    "ICE_FRACTION",
    "LABELLED_ECHOES",
    "LABELS",
    "LEAD_F1",
    "LEAD_FRACTION",
    "TAGGED_SHARE",
    "TAG_F1",
    "Measure",
    "Quantity",
    "write",
]

log = logging.getLogger("polynya.run_page")


def write(
    records: Sequence[Record], *, out: io.Place | str, command: str, results: Mapping[str, str], quantity: Quantity
) -> io.Place | None:
    """Write the page and the table of a batch, with those of earlier batches of the folder.

    One item alone is added where the folder has a page already. Nothing else is replaced: where a file of another
    program has one of the names, or the folder cannot be written, a warning says so, and the results of the batch stay
    as they are.

    Parameters
    ----------
    records : sequence of Record
        What the engine gave.
    out : Path, Address or str
        The folder that holds the items' results.
    command : str
        ``freeboard``, ``label`` ...
    results : mapping of str to str
        Item -> where its result is or would be: a folder, or a table with its record beside it.
    quantity : Quantity
        The number by which the page ranks items.

    Returns
    -------
    Path, Address or None
        The page; None where none was written.
    """
    folder = io.place(out)
    try:
        is_ours = io.lists(folder / "index.run.json", folder / "index.html")
        if (len(records) < 2 and not is_ours) or all(r.status == FAILED and r.exit_code == 2 for r in records):
            return None
        from . import page  # heavy: for batches only

        with page.alone(folder):
            return page.write(records, out=folder, command=command, results=results, quantity=quantity)
    except (PolynyaError, OSError) as error:
        log.warning("polynya: the page of this run is not written: %s The results are complete.", one_line(error))
        return None

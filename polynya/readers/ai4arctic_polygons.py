"""Polygons of raw AI4Arctic files: lines of SIGRID-3 codes, and an image of polygon numbers."""

from __future__ import annotations

import numpy as np

from ..errors import ProductError, one_line
from . import sigrid3_codes
from .sigrid3_codes import CHARTS


def classes_of(lines: np.ndarray, *, file: str) -> dict[str, np.ndarray]:
    """Return number and classes of the polygons of a raw file.

    Parameters
    ----------
    lines : numpy.ndarray of str
        ``polygon_codes``: the header ``poly_id;CT;CA;...``, then a line per polygon.
    file : str
        Name of the file, for the message.

    Returns
    -------
    dict of str to numpy.ndarray
        ``poly_id`` (int64, increasing), ``SIC``, ``SOD``, ``FLOE`` (uint8).

    Raises
    ------
    ProductError
        If a line does not fit the header or a code is no number.
    """
    texts = [v.decode() if isinstance(v, bytes) else str(v) for v in np.ravel(lines)]
    header = texts[0].split(";") if texts else []
    rows = [t.split(";") for t in texts[1:]]
    if not {"poly_id", "CT", "POLY_TYPE"} <= set(header) or any(len(r) != len(header) for r in rows):
        raise ProductError(
            f"{file}: polygon_codes begins with {(texts or [''])[0][:40]!r}; expected poly_id;CT;CA;SA;FA;...;POLY_TYPE"
            " and lines of as many fields. Get the file again."
        )
    column = {name: [r[k].strip() for r in rows] for k, name in enumerate(header)}
    try:
        numbers = {
            n: np.array([int(v or -9) for v in column[n]], np.int64) for n in sigrid3_codes.FIELDS if n in column
        }
        ids = np.array([int(v) for v in column["poly_id"]], np.int64)
    except ValueError as error:
        raise ProductError(
            f"{file}: polygon_codes holds a code that is no number ({one_line(error)[:80]}); expected two digits or -9."
            " Get the file again."
        ) from error
    kinds = np.array(column["POLY_TYPE"], str)
    found = sigrid3_codes.classes(numbers, poly_type=kinds, rules=sigrid3_codes.AI4ARCTIC)
    order = np.argsort(ids, kind="stable")
    return {"poly_id": ids[order], **{n: found[n][order] for n in CHARTS}}


def drawn(image: np.ndarray, table: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the charts of an image of polygon numbers: uint8, 255 where there is no polygon or none that is known.

    Parameters
    ----------
    image : numpy.ndarray, shape (rows, columns)
        ``polygon_icechart``; NaN where there is no polygon.
    table : dict of str to numpy.ndarray
        Of :func:`classes_of`.
    """
    ids = table["poly_id"]
    place = np.searchsorted(ids, np.nan_to_num(image, nan=-1.0)).clip(max=max(len(ids) - 1, 0))
    is_known = (ids[place] == image) if len(ids) else np.zeros(image.shape, bool)
    return {
        n: np.where(is_known, table[n][place] if len(ids) else 0, sigrid3_codes.MASK).astype(np.uint8) for n in CHARTS
    }

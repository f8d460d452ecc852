"""Masks that people make: 0 and 1 as fractions are understood, 0 and 255 are not, for 255 means unlabelled here."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..errors import ProductError
from ..io import opening

CLASSES = (0, 1, 2, 255)
BLOCK = 2048


def check(path: Path, *, index: int = 1) -> None:
    """Check that a raster of 0 other, 1 and 2 glacier, 255 unlabelled can be taken as such.

    Parameters
    ----------
    path : Path
        The raster: whole numbers, or fractions that are whole (NaN is unlabelled).
    index : int
        Its band, from 1.

    Raises
    ------
    ProductError
        If it cannot be read, holds other fractions, or only 0 and 255 without declaring 255 as missing: a mask whose
        255 is ice would have no ice at all.
    """
    from rasterio.windows import Window

    found: set[float] = set()
    with opening.open_raster(path, expected="a raster of 0 other, 1 glacier, 255 unlabelled. Make it again") as data:
        is_float = np.issubdtype(np.dtype(data.dtypes[index - 1]), np.floating)
        nodata = data.nodatavals[index - 1]
        for top in range(0, data.height, BLOCK):
            part = data.read(index, window=Window(0, top, data.width, min(BLOCK, data.height - top)))
            values = np.unique(part[np.isfinite(part)] if is_float else part)
            found |= {float(v) for v in values if nodata is None or v != nodata}
            if len(found) > 256:
                break
    if is_float and not found <= set(CLASSES):
        strange = next(v for v in sorted(found) if v not in CLASSES)
        raise ProductError(
            f"{path.name}: holds floating-point numbers; expected classes: 0 other, 1 glacier (or 1 clean and 2"
            f" debris-covered ice), 255 unlabelled; found {strange:g}. Give the class raster."
        )
    if 255.0 in found and found <= {0.0, 255.0}:
        raise ProductError(
            f"{path.name}: holds only {' and '.join(f'{v:g}' for v in sorted(found))}, and 255 means unlabelled;"
            ' expected 0 other, 1 glacier, 255 unlabelled. If 255 is ice, make it 1 (gdal_calc --calc "A//255"); if it'
            " is unlabelled, say so (gdal_edit -a_nodata 255)."
        )

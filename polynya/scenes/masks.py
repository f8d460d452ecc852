"""Masks that people make: 0 and 1 as fractions are understood, 0 and 255 are not, for 255 means unlabelled here."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np

from ..errors import ProductError
from ..io import opening

CLASSES = (0, 1, 2, 255)
BLOCK = 2048
STRAY, STRAY_PX = 1e-3, 50
"""So few pixels of ice, and such a share of those of 255, are strays of a mask of 0 and 255 (a smoothed edge)."""


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
        If it cannot be read, holds other fractions, or only 0 and 255 (and a few stray pixels) without declaring 255 as
        missing: a mask whose 255 is ice would have no ice at all.
    """
    from rasterio.windows import Window

    found: set[float] = set()
    counts: Counter[float] = Counter()
    with opening.open_raster(path, expected="a raster of 0 other, 1 glacier, 255 unlabelled. Make it again") as data:
        is_float = np.issubdtype(np.dtype(data.dtypes[index - 1]), np.floating)
        nodata = data.nodatavals[index - 1]
        for top in range(0, data.height, BLOCK):
            part = data.read(index, window=Window(0, top, data.width, min(BLOCK, data.height - top)))
            values, times = np.unique(part[np.isfinite(part)] if is_float else part, return_counts=True)
            counts.update(
                {float(v): int(n) for v, n in zip(values, times, strict=True) if nodata is None or v != nodata}
            )
            found = set(counts)
            if len(found) > 256:
                break
    if is_float and not found <= set(CLASSES):
        strange = next(v for v in sorted(found) if v not in CLASSES)
        raise ProductError(
            f"{path.name}: holds floating-point numbers; expected classes: 0 other, 1 glacier (or 1 clean and 2"
            f" debris-covered ice), 255 unlabelled; found {strange:g}. Give the class raster."
        )
    ice = counts[1.0] + counts[2.0]
    if found <= set(CLASSES) and counts[255.0] > 0 and ice < STRAY * counts[255.0] and ice <= STRAY_PX:
        raise ProductError(
            f"{path.name}: holds only {' and '.join(f'{v:g}' for v in sorted(found) if v in (0, 255))}"
            f"{f' and {ice} pixel(s) of 1 or 2' if ice else ''}, and 255 means unlabelled;"
            ' expected 0 other, 1 glacier, 255 unlabelled. If 255 is ice, make it 1 (gdal_calc --calc "A//255"); if it'
            " is unlabelled, say so (gdal_edit -a_nodata 255)."
        )

"""A sample of a band's counts, from pieces spread over it: what a file does not say, its numbers may."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import rasterio

SAMPLE_PX, PIECE_PX = 1024, 128
"""A band of up to so many pixels squared is looked at whole, a larger one in sixteen pieces of such a side."""


def counts(source: rasterio.DatasetReader, index: int) -> np.ndarray:
    """Read a sample of a band: a decimated reading of a large file without overviews would decode all of it.

    Parameters
    ----------
    source : rasterio.DatasetReader
        An open raster.
    index : int
        Band in it, from 1.

    Returns
    -------
    numpy.ndarray of float64, shape (n,)
        Counts where the file has data.
    """
    from rasterio.windows import Window

    if source.height * source.width <= SAMPLE_PX**2:
        pieces = [Window(0, 0, source.width, source.height)]
    else:
        rows, columns = (np.unique(np.linspace(0, max(n - PIECE_PX, 0), 4).astype(int)) for n in source.shape)
        pieces = [
            Window(int(c), int(r), min(PIECE_PX, source.width), min(PIECE_PX, source.height))
            for r in rows
            for c in columns
        ]
    sample = np.concatenate(
        [source.read(index, window=w, masked=True).astype(float).filled(np.nan).ravel() for w in pieces]
    )
    return sample[np.isfinite(sample)]

"""Echoes of a file in the order of time: block by block, or, where the file has another order, all of it at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...physics import altimeter_tracks
from ...readers import echo_files
from ...schema.echoes import Echoes


@dataclass(frozen=True, kw_only=True)
class Track:
    """A file of echoes by time.

    Attributes
    ----------
    blocks : iterator of Echoes
    order : numpy.ndarray of int64, shape (n,), or None
        Number in the file of each echo; None where the file is in the order of time.
    """

    blocks: Iterator[Echoes]
    order: np.ndarray | None = None

    def numbers(self, first: int, n: int) -> np.ndarray:
        """Return the numbers in the file of n echoes from the ``first`` one on, int64."""
        found = np.arange(first, first + n, dtype=np.int64)
        return found if self.order is None else self.order[found]


def open_track(path: Path, *, records: int) -> Track:
    """Open a file; one that is not in the order of time is read as a whole and sorted.

    Parameters
    ----------
    path : Path
        The file.
    records : int
        Echoes in a block.

    Raises
    ------
    ProductError
        As :func:`polynya.readers.echo_files.blocks`.
    """
    order = altimeter_tracks.order_of(echo_files.times(path))
    if order is None:
        return Track(blocks=echo_files.blocks(path, records=records))
    return Track(blocks=_sorted(path, order, records=records), order=order)


def _sorted(path: Path, order: np.ndarray, *, records: int) -> Iterator[Echoes]:
    whole = echo_files.read(path)
    for begin in range(0, order.size, records):
        yield whole.take(order[begin : begin + records])

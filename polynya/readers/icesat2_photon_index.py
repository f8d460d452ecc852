"""Which photons belong to which 20 m segment of ATL03."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..errors import ProductError
from ..physics import order
from ..schema import Note

CUT_WRONGLY = "The file was cut wrongly: order the granule again, without subsetting."
"""What to do where shapes or indices contradict each other: another download gives the same file."""


def photon_index(
    segments: dict[str, np.ndarray], n: int, path: Path, beam: str, notes: list[Note] | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return each 20 m segment's first photon (0-based in this file) and photon count.

    Photons are stored segment after segment, so the running sum of the counts is the index; it is
    used wherever the counts add up to the photons in the file. ``ph_index_beg`` then only has to
    agree up to one constant (subset files that were not re-based) and one photon (entries that are
    off by one). Subset files made before 2025 may count one photon more than they hold: the last segment is
    then clipped. Where the counts do not add up otherwise, ``ph_index_beg`` is re-based and checked instead.

    Parameters
    ----------
    segments : dict of numpy.ndarray, shape (g,)
        ``segment_ph_cnt`` and ``ph_index_beg``.
    n : int
        Photons in the file's beam.
    path : Path
        The granule, for messages.
    beam : str
        The beam, for messages.
    notes : list of Note, optional
        Gets a note where the last segment was clipped.

    Returns
    -------
    first, count : numpy.ndarray of int64, shape (g,)

    Raises
    ------
    ProductError
        If counts and index contradict each other or the file.
    """
    count = segments["segment_ph_cnt"].astype(np.int64)
    begin = segments["ph_index_beg"].astype(np.int64)
    if count.size == 0 or np.any(count < 0) or int(count.sum()) == 0:
        raise ProductError(
            f"{path.name}: {beam}/geolocation/segment_ph_cnt holds no photon for {n} photons in heights; expected"
            f" counts that add up. {CUT_WRONGLY}"
        )
    filled = (count > 0) & (begin > 0)
    if _is_one_too_many(count, begin, filled, n):
        count[np.flatnonzero(count)[-1]] -= 1
        filled &= count > 0
        if notes is not None:
            notes.append(
                Note(
                    code="photon_index_clipped",
                    text=f"{beam}: segment_ph_cnt counts one photon more than heights holds: the last geosegment was"
                    " clipped",
                )
            )
    if int(count.sum()) == n:
        first = np.cumsum(count) - count
        offset = begin[filled] - 1 - first[filled]
        if offset.size and np.max(np.abs(offset - order.median(offset))) > 1:
            raise ProductError(
                f"{path.name}: {beam}/geolocation/ph_index_beg disagrees with segment_ph_cnt by up to"
                f" {int(np.max(np.abs(offset - order.median(offset))))} photons; expected one constant. {CUT_WRONGLY}"
            )
        return first, count
    first = np.where(filled, begin - 1, 0)
    base = int(first[filled].min()) if filled.any() else 0
    if base and int((first[filled] + count[filled]).max()) > n:
        first = np.where(filled, first - base, 0)  # not re-based: the index still counts over the whole granule
    end = first + count
    if not filled.any() or int(end[filled].max()) > n or np.any(first[filled][1:] + 1 < end[filled][:-1]):
        raise ProductError(
            f"{path.name}: {beam}/geolocation/segment_ph_cnt adds up to {int(count.sum())} photons and ph_index_beg"
            f" points past or over them, but heights holds {n}; expected an index that fits. {CUT_WRONGLY}"
        )
    return first, np.where(filled, count, 0)


def _is_one_too_many(count: np.ndarray, begin: np.ndarray, filled: np.ndarray, n: int) -> bool:
    """Return whether the counts add up to one photon more than there are, and the index says that it is the last."""
    if int(count.sum()) != n + 1 or not filled.any():
        return False
    offset = begin[filled] - 1 - (np.cumsum(count) - count)[filled]
    return bool(offset[-1] == order.median(offset))

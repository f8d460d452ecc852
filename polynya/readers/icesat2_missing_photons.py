"""Photons of ATL03 that lack a number (NaN): a few are left out, and cost no beam."""

from __future__ import annotations

import numpy as np

from ..schema import Note, counted

MOST_MISSING = 0.01
"""Share of photons without a height, position or time up to which the others are used."""
LEAST_CONFIDENCE = -2
"""``signal_conf_ph`` of photons that are never used: that of the transmitter echo path."""


def missing_photons(data: dict[str, np.ndarray]) -> np.ndarray | None:
    """Return which photons lack a height, a position or a time.

    Parameters
    ----------
    data : dict of str to numpy.ndarray, shape (n,)
        Variables of photons.

    Returns
    -------
    numpy.ndarray of bool, shape (n,), or None
        None where all are there, or where more than :data:`MOST_MISSING` lack one: then the file is damaged.
    """
    numbers = [v for v in data.values() if v.dtype.kind == "f" and v.size]
    if all(np.isfinite(v.min()) for v in numbers):  # min of a NaN is NaN
        return None
    found = np.logical_or.reduce([np.isnan(v) for v in numbers])
    return found if 0 < np.count_nonzero(found) <= MOST_MISSING * found.size else None


def without_photons(data: dict[str, np.ndarray], is_missing: np.ndarray) -> dict[str, np.ndarray]:
    """Return photons of which those that lack a number are never used, whatever is asked for.

    Parameters
    ----------
    data : dict of str to numpy.ndarray, shape (n,)
        Variables of photons.
    is_missing : numpy.ndarray of bool, shape (n,)
        Of :func:`missing_photons`.

    Returns
    -------
    dict of str to numpy.ndarray, shape (n,)
        Those photons have the numbers of one beside them and :data:`LEAST_CONFIDENCE`.
    """
    whole = np.flatnonzero(~is_missing)
    beside = whole[np.clip(np.searchsorted(whole, np.flatnonzero(is_missing)), 0, whole.size - 1)]
    out = {}
    for name, values in data.items():
        out[name] = values.copy()
        if values.dtype.kind == "f":
            out[name][is_missing] = values[beside]
    out["signal_conf_ph"][is_missing] = LEAST_CONFIDENCE
    return out


def missing_note(beam: str, count: int) -> tuple[Note, ...]:
    """Return a note that counts the photons of a beam that were left out; none where none was.

    Parameters
    ----------
    beam : str
        Its name.
    count : int
        Photons.
    """
    if not count:
        return ()
    what = f"{counted(count, 'photon')} without a height, position or time (NaN)"
    return (Note(code="photons_missing", text=f"{beam}: {what}, left out"),)

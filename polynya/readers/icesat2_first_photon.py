"""The first-photon-bias calibration that full ATL03 granules carry: CAL-19 at the dead time of CAL-42."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np

from ..errors import ProductError
from ..physics import first_photon_bias
from ..schema import Note
from . import icesat2
from .icesat2 import Beam

NANOSECONDS = (0.1, 100.0)
"""Dead times of photon counters; CAL-19 gives them in ns, CAL-42 in s."""


def first_photon_table(
    handle: h5py.File, path: Path, beam: Beam, notes: list[Note]
) -> first_photon_bias.CalibrationTable | None:
    """Return CAL-19 at a beam's dead time, None where the granule carries no usable table.

    Parameters
    ----------
    handle : h5py.File
        Open on ``path``.
    path : Path
        The granule.
    beam : Beam
        Whose table to read.
    notes : list of Note
        Gets a note where there is none, and where a part of it is missing.

    Returns
    -------
    CalibrationTable or None

    Raises
    ------
    ProductError
        If the axes of the table do not fit each other.
    """
    root, name = "ancillary_data/calibrations", beam.name
    cal19, cal42 = f"{root}/first_photon_bias/{name}", f"{root}/dead_time/{name}/dead_time"
    wanted = [f"{cal19}/{k}" for k in ("dead_time", "strength", "width", "ffb_corr")] + [cal42]
    if cal19 not in handle or any(w not in handle for w in wanted):
        notes.append(
            Note(
                code="no_cal19",
                text=f"{name}: the granule carries no CAL-19 first-photon-bias table: heights are not corrected for it",
            )
        )
        return None
    dead, strength, width, bias, channels = (
        np.asarray(icesat2.values(handle, path, w, kind="fi"), np.float64) for w in wanted
    )
    dead = dead.ravel()
    try:
        strength, width, bias = dead_time_first(dead.size, strength, width, bias)
    except ValueError as error:
        raise ProductError(
            f"{path.name}: {cal19} has axes that do not fit each other ({error}); expected ffb_corr (dead_time,"
            " strength, width). Pass --no-first-photon-bias."
        ) from error
    # CAL-42: sixteen channels of the strong beam's detector, then four of the weak one's.
    channels = channels.ravel()
    own = channels[:16] if beam.is_strong else channels[16:20]
    own = own[np.isfinite(own) & (own > 0)]
    beam_dead_time = float(own.mean()) * 1e9 if own.size else np.nan
    wrong = [d for d in (*dead, beam_dead_time) if np.isfinite(d) and not NANOSECONDS[0] <= d <= NANOSECONDS[1]]
    if wrong:
        notes.append(
            Note(
                code="cal19_units",
                text=f"{name}: the granule's CAL-19 or CAL-42 holds a dead time of {wrong[0]:.3g} ns, which no detector"
                f" has ({NANOSECONDS[0]:g} to {NANOSECONDS[1]:g} ns): heights are not corrected for first-photon bias",
            )
        )
        return None
    if np.isfinite(dead).all() and np.isfinite(beam_dead_time):
        near = _around(dead, beam_dead_time)  # what other slices lack does not matter
        dead, strength, width, bias = dead[near], strength[near], width[near], bias[near]
    bias = np.where(strength[:, :, None] > _largest_valid(handle, path, cal19, is_strong=beam.is_strong), np.nan, bias)
    bias = np.where(np.isfinite(strength)[:, :, None], bias, np.nan)
    if not (np.isfinite([*dead, beam_dead_time]).all() and np.isfinite(width).all() and _begins_valid(bias)):
        notes.append(
            Note(
                code="cal19_fill",
                text=f"{name}: the granule's CAL-19 or CAL-42 holds fill values: heights are not corrected for"
                " first-photon bias",
            )
        )
        return None
    if not np.isfinite(bias).all():
        last = float(np.where(np.isfinite(bias), strength[:, :, None], 0.0).max(axis=1).min())
        notes.append(
            Note(
                code="cal19_held",
                text=f"{name}: the granule's CAL-19 has no valid values above {last:g} photons per shot: the"
                " first-photon bias is held there",
            )
        )
        strength, bias = held(strength, bias)
    return first_photon_bias.at_dead_time(
        dead, strength=strength, width_ns=width, correction_ps=bias, beam_dead_time_ns=beam_dead_time
    )


def dead_time_first(
    n: int, strength: np.ndarray, width: np.ndarray, bias: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Bring the table to (dead_time, strength, width): files list the axes in either order."""

    def axis(a: np.ndarray) -> np.ndarray:
        if a.ndim == 1:
            return np.broadcast_to(a, (n, a.size))
        if a.ndim == 2 and a.shape[0] == n:
            return a
        if a.ndim == 2 and a.shape[1] == n:
            return a.T
        raise ValueError(f"an axis of shape {a.shape} beside {n} dead times")

    strength, width = axis(strength), axis(width)
    shape = (n, strength.shape[1], width.shape[1])
    if bias.shape != shape:
        if bias.ndim != 3 or bias.shape != (shape[2], shape[1], shape[0]):
            raise ValueError(f"ffb_corr of shape {bias.shape} beside {shape}")
        bias = bias.transpose(2, 1, 0)
    if np.any(np.diff(strength, axis=1) <= 0) or np.any(np.diff(width, axis=1) <= 0):
        raise ValueError("an axis does not increase")
    return strength, width, bias


def _largest_valid(handle: h5py.File, path: Path, group: str, *, is_strong: bool) -> float:
    """Return the largest strength up to which the table holds, infinite where the granule does not say.

    Release 007 added ``max_valid_stren_strong`` (version summary of ATL03); no file that has it was read here.
    """
    name = f"{group}/max_valid_stren_{'strong' if is_strong else 'weak'}"
    if name not in handle:
        return np.inf
    stored = np.asarray(icesat2.values(handle, path, name, kind="fi"), np.float64).ravel()
    stored = stored[np.isfinite(stored) & (stored > 0)]
    return float(stored.min()) if stored.size else np.inf


def _around(dead_time: np.ndarray, own: float) -> np.ndarray:
    """Return the places of the two slices around a dead time, or of the last two where it lies beyond the table."""
    order = np.argsort(dead_time)
    upper = int(np.clip(np.searchsorted(dead_time[order], own), min(1, order.size - 1), order.size - 1))
    return order[max(upper - 1, 0) : upper + 1]


def _begins_valid(bias: np.ndarray) -> bool:
    """Return whether only the strong end of a table is missing: each slice and width begins with valid values."""
    good = np.isfinite(bias)
    return bool(good[:, 0].all() and np.all(good[:, 1:] <= good[:, :-1]))


def held(strength: np.ndarray, bias: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return a table whose missing values at the strong end are those at the last valid strength.

    Parameters
    ----------
    strength : numpy.ndarray, shape (d, s)
        Photons per shot, increasing; NaN at the end where missing.
    bias : numpy.ndarray, shape (d, s, w)
        NaN at the end of the strengths where missing.

    Returns
    -------
    strength, bias : numpy.ndarray
        Of the same shapes, without NaN. Missing strengths go on in steps of 1.
    """
    strength, bias = strength.copy(), bias.copy()
    for k in range(1, strength.shape[1]):
        strength[:, k] = np.where(np.isfinite(strength[:, k]), strength[:, k], strength[:, k - 1] + 1.0)
        bias[:, k] = np.where(np.isfinite(bias[:, k]), bias[:, k], bias[:, k - 1])
    return strength, bias

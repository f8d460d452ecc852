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
        Gets a note where there is none.

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
    if any(w not in handle for w in wanted):
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
            " strength, width). Pass --no-first-photon-bias, or download the file again."
        ) from error
    # CAL-42: sixteen channels of the strong beam's detector, then four of the weak one's.
    channels = channels.ravel()
    own = channels[:16] if beam.is_strong else channels[16:20]
    own = own[np.isfinite(own) & (own > 0)]
    if own.size == 0 or not all(np.isfinite(a).all() for a in (dead, strength, width, bias)):
        notes.append(
            Note(
                code="cal19_fill",
                text=f"{name}: the granule's CAL-19 or CAL-42 holds fill values: heights are not corrected for"
                " first-photon bias",
            )
        )
        return None
    return first_photon_bias.at_dead_time(
        dead, strength=strength, width_ns=width, correction_ps=bias, beam_dead_time_ns=float(own.mean()) * 1e9
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

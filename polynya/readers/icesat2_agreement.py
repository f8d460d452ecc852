"""What an ATL03 granule says twice must agree: orientation, positions, times. Where it does not, one of them is wrong.

The ATL03 ATBD (section 3 on geolocation, and the data dictionary) places the reference photon of a geosegment among the
photons of that segment, 20 m long; both are written from the same geolocation.
"""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa

from ..errors import ProductError
from ..schema import Note, to_numpy

MOST_DEGREES = 0.01
"""Latitude between the first photon of a geosegment and its reference photon: 1.1 km, where both lie in 20 m."""
MOST_SECONDS = 1.0
"""Time between them: a geosegment takes 2.8 ms."""
BACKWARD_SECONDS = 0.001
"""By so much the times of geosegments may run backward: reference photons of two neighbours, and rounding."""

TIME_TOLERANCE = np.timedelta64(5, "s")
"""Photons further outside the granule's own start and end than this contradict them: GPS time is 18 s off UTC, real
granules agree to 0.03 s."""


def check_orientation(handle: h5py.File, beams: tuple[str, ...], meaning: str, path: Path) -> None:
    """Reject a granule whose beam groups say another orientation of the spacecraft than ``orbit_info/sc_orient``.

    Parameters
    ----------
    handle : h5py.File
        Open on the granule.
    beams : tuple of str
        Its beam groups.
    meaning : str
        What ``sc_orient`` says, in a word.
    path : Path
        The granule, for the message.

    Raises
    ------
    ProductError
        If they contradict each other: strong and weak beams would be mistaken for each other.
    """
    known = ("forward", "backward")  # in transition no beam is strong, and other lines say so
    for name in beams:
        said = handle[name].attrs.get("sc_orientation", "")
        word = (said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)).strip("\x00 ").lower()
        if word in known and meaning in known and word != meaning:
            found = f"orbit_info/sc_orient says {meaning}, {name}@sc_orientation says {word}"
            raise _contradiction(path, found, "them to agree, since they decide which beams are strong")


def check_epoch(handle: h5py.File, expected: float, path: Path) -> None:
    """Reject a granule whose times count from another instant than all of ICESat-2's.

    Parameters
    ----------
    handle : h5py.File
        Open on the granule.
    expected : float
        GPS seconds of that instant.
    path : Path
        The granule, for the message.

    Raises
    ------
    ProductError
        If it does.
    """
    name = "ancillary_data/atlas_sdp_gps_epoch"
    if name not in handle:
        return
    stored = np.asarray(handle[name][()], np.float64).ravel()
    if stored.size and not abs(stored[0] - expected) < 1e-3:
        wanted = f"{expected:.0f} (2018-01-01 UTC in GPS seconds): its delta_time counts from another instant"
        raise _contradiction(path, f"{name} is {stored[0]:.10g}", wanted)


def _contradiction(path: Path, found: str, expected: str) -> ProductError:
    return ProductError(f"{path.name}: {found}; expected {expected}. Order the granule again.")


def check_order(delta_time: np.ndarray, path: Path, beam: str) -> None:
    """Reject a beam whose geosegments run backward in time.

    Parameters
    ----------
    delta_time : numpy.ndarray, shape (g,)
        Seconds.
    path : Path
        The granule, for the message.
    beam : str
        The beam, for the message.

    Raises
    ------
    ProductError
        If they do.
    """
    step = np.diff(delta_time[np.isfinite(delta_time)])
    if step.size and step.min() < -BACKWARD_SECONDS:
        raise ProductError(
            f"{path.name}: {beam}/geolocation/delta_time runs {-step.min():.3g} s backward; expected times in order."
            " The file is damaged: download it again."
        )


def check_photons(data: dict[str, np.ndarray], geosegments: pa.Table, *, start: int, path: Path, beam: str) -> None:
    """Reject photons that lie elsewhere, or at another time, than the reference photons of their geosegments.

    Parameters
    ----------
    data : dict of str to numpy.ndarray, shape (n,)
        ``lat_ph``, ``lon_ph``, ``delta_time`` of the file's rows from ``start`` on.
    geosegments : pyarrow.Table
        ``first_photon``, ``segment_ph_cnt``, ``reference_photon_lat``, ``reference_photon_lon``, ``delta_time``.
    start : int
        Row of the first photon.
    path : Path
        The granule, for the message.
    beam : str
        The beam, for the message.

    Raises
    ------
    ProductError
        If they do.
    """
    columns = ("first_photon", "segment_ph_cnt", "reference_photon_lat", "reference_photon_lon", "delta_time")
    first, count, lat, lon, time = (to_numpy(geosegments[c]) for c in columns)
    inside = (count > 0) & (first >= start) & (first < start + data["lat_ph"].size)
    at = first[inside] - start
    if at.size == 0:
        return
    north = np.abs(data["lat_ph"][at] - lat[inside])
    turned = np.abs((data["lon_ph"][at] - lon[inside] + 180.0) % 360.0 - 180.0)
    apart = np.hypot(north, turned * np.cos(np.radians(np.clip(lat[inside], -90.0, 90.0))))
    _reject(apart, MOST_DEGREES, "lat_ph and lon_ph lie up to {:.3g} degrees from", path, beam)
    late = np.abs(data["delta_time"][at] - time[inside])
    _reject(late, MOST_SECONDS, "delta_time is up to {:.3g} s away from", path, beam)


def _reject(difference: np.ndarray, most: float, words: str, path: Path, beam: str) -> None:
    if np.any(difference > most):
        raise ProductError(
            f"{path.name}: {beam}/heights/{words.format(np.nanmax(difference))} the reference photons of their 20 m"
            f" segments; expected at most {most:g}. Positions, times or the index of"
            " photons are wrong: order the granule again."
        )


def compare_times(
    time: np.ndarray, span: tuple[np.datetime64, np.datetime64] | None, beam: str, notes: list[Note]
) -> None:
    """Note where a beam's times lie outside the granule's own start and end.

    Parameters
    ----------
    time : numpy.ndarray of datetime64, shape (g,)
        UTC; those that are missing left out.
    span : tuple of numpy.datetime64 or None
        The granule's start and end, UTC; None where it does not say.
    beam : str
        The beam, for the note.
    notes : list of Note
        Gets one.
    """
    if span is None or time.size == 0:
        return
    start, end = span
    if time.min() < start - TIME_TOLERANCE or time.max() > end + TIME_TOLERANCE:
        low, high, first, last = (str(t.astype("datetime64[s]")) for t in (time.min(), time.max(), start, end))
        notes.append(
            Note(
                code="time_contradicts",
                text=f"{beam}: delta_time says {low} to {high} UTC, data_start_utc and data_end_utc say {first} to"
                f" {last}: one of them is wrong; times here are those of delta_time",
            )
        )

"""Which echo of a reference is which of a table of leads: by time and place."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from ... import schema
from ...errors import ProductError
from ...physics.altimeter_tracks import EARTH_RADIUS_M
from ...schema.echoes import Echoes

PLACE = ("latitude", "longitude")
TOLERANCE_NS = 5_000_000
"""Echoes of two files are the same where their times differ by no more than 5 ms; they come 25 or 50 ms apart."""
NEAR_M = 1000.0
"""And where their places are no further apart: satellites measure at the same time."""
MISSING = np.iinfo(np.int64).min
"""Of times."""


class OtherTrackError(ProductError):
    """A reference is of other tracks than a table."""


@dataclass(frozen=True, kw_only=True)
class Reference:
    """What a reference says of the n echoes of one table.

    Attributes
    ----------
    truth : numpy.ndarray of int8, shape (n,)
        1 lead, 0 none, -1 unknown or ambiguous.
    distance : numpy.ndarray, shape (n,)
        m, NaN where unknown.
    classes : numpy.ndarray of int8, shape (n,)
        Of a rule, unknown elsewhere.
    is_bright_ice : numpy.ndarray of bool, shape (n,)
    pass_id : numpy.ndarray of str or None
        Pass of each echo, where the reference names it.
    """

    truth: np.ndarray
    distance: np.ndarray
    classes: np.ndarray
    is_bright_ice: np.ndarray
    pass_id: np.ndarray | None = None


def times_of(column: pa.ChunkedArray) -> np.ndarray:
    """Return times as int64 nanoseconds, the smallest where missing.

    Parameters
    ----------
    column : pyarrow.ChunkedArray
        Timestamps, n of them.
    """
    whole = column.cast(pa.timestamp("ns", tz=column.type.tz)).cast(pa.int64())
    return np.array(whole.fill_null(np.iinfo(np.int64).min).to_numpy())


def of_echoes(found: Echoes) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return times as int64 nanoseconds, latitudes and longitudes."""
    return found.time.astype(np.int64), found.latitude, found.longitude


def matched(
    table: pa.Table, given: np.ndarray, latitude: np.ndarray, longitude: np.ndarray, *, where: str
) -> np.ndarray:
    """Return the place of each echo among times of the reference, -1 where there is none at its place.

    Raises
    ------
    ProductError
        If no echo of the table is among them.
    """
    mine = times_of(table["time"])
    order = np.argsort(given, kind="stable")
    sorted_times = given[order]
    right = np.clip(np.searchsorted(sorted_times, mine), 0, max(given.size - 1, 0))
    left = np.maximum(right - 1, 0)
    if not given.size:
        return np.full(mine.size, -1)
    nearer = np.where(np.abs(sorted_times[left] - mine) < np.abs(sorted_times[right] - mine), left, right)
    missing = np.iinfo(np.int64).min
    good = (np.abs(sorted_times[nearer] - mine) <= TOLERANCE_NS) & (mine != missing)
    own = on_sphere(*(schema.to_numpy(table[n]) for n in PLACE))
    with np.errstate(invalid="ignore"):  # without a place there is no echo to match
        good &= np.linalg.norm(own - on_sphere(latitude, longitude)[order[nearer]], axis=1) <= NEAR_M
    if not good.any():
        raise OtherTrackError(
            f"{where}: no echo of the one has the time of one of the other, within 5 ms, and its place, within"
            f" {NEAR_M:g} m; expected the same track. Check the files."
        )
    return np.where(good, order[nearer], -1)


def on_sphere(latitude: np.ndarray, longitude: np.ndarray) -> np.ndarray:
    """Return places as points on the sphere, m, shape (n, 3)."""
    lat, lon = np.radians(latitude), np.radians(longitude)
    return EARTH_RADIUS_M * np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=1)

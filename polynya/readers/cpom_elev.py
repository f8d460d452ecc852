"""Tables of CPOM's sea-ice processor (``.elev``): one line per CryoSat-2 record, with the rule's inputs and answer.

Checked on a real SAR file of 14 December 2022. The class is the output of a rule, not truth: agreement with it is no
skill. Times count days since 1950 in TAI, as the records that they were taken from, and become UTC here.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import ProductError, one_line
from ..io import opening
from .leap_seconds import utc_from_tai

PRODUCT = "cpom_elev"
RELEASES = ("cpom_seaice",)
CHECKED = ("cpom_seaice",)
COLUMNS = 17
EXPECTED = "a table of CPOM's sea-ice processor (.elev, 17 columns of numbers). Check the file"
FILL_BELOW = -900.0
"""Concentrations and stack numbers at or below are no value (-999 in the files)."""
_CLASS, _DAYS, _LATITUDE, _LONGITUDE, _PEAKINESS, _CONCENTRATION, _STACK = 0, 4, 5, 6, 9, 11, 16


@dataclass(frozen=True, kw_only=True)
class Elevations:
    """Records of a table, arrays of shape (n,).

    Attributes
    ----------
    surface_class : numpy.ndarray of int8
        CPOM's answer: 0 unknown, 1 ocean, 2 lead, 3 floe; the same numbers as in :mod:`polynya.schema.echoes`.
    time : numpy.ndarray of datetime64[ns]
        UTC.
    latitude, longitude : numpy.ndarray
        Degrees.
    peakiness_cpom : numpy.ndarray
        By CPOM's definition.
    sea_ice_concentration : numpy.ndarray
        Share, NaN where missing.
    stack_std : numpy.ndarray
        NaN where missing.
    """

    surface_class: np.ndarray
    time: np.ndarray
    latitude: np.ndarray
    longitude: np.ndarray
    peakiness_cpom: np.ndarray
    sea_ice_concentration: np.ndarray
    stack_std: np.ndarray

    def __len__(self) -> int:
        return len(self.time)


def read(path: Path | str) -> Elevations:
    """Read a table.

    Parameters
    ----------
    path : Path or str
        Text; columns are separated by blanks.

    Returns
    -------
    Elevations

    Raises
    ------
    ProductError
        If the file is missing, or is no table of 17 columns of numbers with valid positions and classes.
    """
    path = Path(path)
    with opening.open_binary(path, expected=EXPECTED) as handle:
        try:
            rows = np.loadtxt(handle, dtype=np.float64, ndmin=2, encoding="ascii")
        except (ValueError, UnicodeError) as error:
            raise ProductError(
                f"{path.name}: cannot be read ({one_line(error)[:120]}); expected {EXPECTED}."
            ) from error
    if rows.size == 0 or rows.shape[1] != COLUMNS:
        found = "no line" if rows.size == 0 else f"{rows.shape[1]} columns"
        raise ProductError(f"{path.name}: has {found}; expected {EXPECTED}.")
    return _table(rows, path)


def _table(rows: np.ndarray, path: Path) -> Elevations:
    latitude, longitude, days = rows[:, _LATITUDE], rows[:, _LONGITUDE], rows[:, _DAYS]
    is_valid = (np.abs(latitude) <= 90.0) & (np.abs(longitude) <= 360.0) & (days > 18_000.0) & (days < 60_000.0)
    is_valid &= np.isin(rows[:, _CLASS], (0, 1, 2, 3))
    if not is_valid.all():
        raise ProductError(
            f"{path.name}: line {int(np.flatnonzero(~is_valid)[0]) + 1} has no valid class, day or position; expected"
            f" {EXPECTED}."
        )
    seconds = np.round(days * 86400e3).astype(np.int64).astype("timedelta64[ms]")
    concentration, stack = rows[:, _CONCENTRATION], rows[:, _STACK]
    return Elevations(
        surface_class=rows[:, _CLASS].astype(np.int8),
        time=utc_from_tai((np.datetime64("1950-01-01", "ms") + seconds).astype("datetime64[ns]")),
        latitude=latitude,
        longitude=longitude,
        peakiness_cpom=rows[:, _PEAKINESS],
        sea_ice_concentration=np.where(concentration <= FILL_BELOW, np.nan, concentration / 100.0),
        stack_std=np.where(stack <= FILL_BELOW, np.nan, stack),
    )

"""Physical values of a scene to what a network is given: each band scaled between two constants, and one presence plane
per sensor.

The constants are the recipe's (:func:`polynya.recipes.scaling_of`), or the range that the table of sensors gives. What
a sensor did not see is 0, and its presence plane says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ..errors import UsageError
from ..sensors import Sensor, SensorTable
from ..sensors.glaciers import REGIONS

LIMIT = 2.0
"""Scaled values are cut to -LIMIT..LIMIT: saturated or damaged pixels must not swamp a window."""
SAR_FLOOR = 1e-6
"""Added to linear backscatter before its logarithm."""
LOCATIONS = {"none": 0, "region": len(REGIONS) + 1, "coordinates": 4}
"""Planes that tell a network of glaciers where it is: one-hot regions and *unknown*; sine and cosine of latitude and
longitude."""


@dataclass(frozen=True, kw_only=True)
class Scaling:
    """How channels are scaled, in the network's order.

    Attributes
    ----------
    sensors : dict of str to int
        Bands of each sensor.
    low, high : tuple of float
        Of every band.
    is_log : tuple of bool
        True where log10(value + 1e-6) is scaled.
    quantities : dict of str to str
        What each sensor measures, of :data:`polynya.sensors.QUANTITIES`.
    band_names : tuple of str
        Names of all bands.
    """

    sensors: dict[str, int]
    low: tuple[float, ...]
    high: tuple[float, ...]
    is_log: tuple[bool, ...]
    quantities: dict[str, str] = field(default_factory=dict)
    band_names: tuple[str, ...] = ()

    @property
    def bands(self) -> int:
        return sum(self.sensors.values())

    def apply(self, values: np.ndarray) -> np.ndarray:
        """Return scaled values, NaN where missing.

        Parameters
        ----------
        values : numpy.ndarray, shape (bands, h, w)
            Physical units.

        Returns
        -------
        numpy.ndarray of float32, shape (bands, h, w)
        """
        out = np.array(values, np.float32)
        for k, (low, high, is_log) in enumerate(zip(self.low, self.high, self.is_log, strict=True)):
            band = np.log10(np.maximum(out[k], 0.0) + np.float32(SAR_FLOOR)) if is_log else out[k]
            out[k] = (band - np.float32(low)) / np.float32(high - low)
        return np.clip(out, -LIMIT, LIMIT)

    def inputs(self, scaled: np.ndarray) -> np.ndarray:
        """Return bands with 0 where missing, then a presence plane a sensor.

        Parameters
        ----------
        scaled : numpy.ndarray, shape (bands, h, w)
            NaN where missing.

        Returns
        -------
        numpy.ndarray of float32, shape (bands + sensors, h, w)
            A sensor is present where any of its bands is.
        """
        seen, begin = [], 0
        for count in self.sensors.values():
            seen.append(np.isfinite(scaled[begin : begin + count]).any(axis=0))
            begin += count
        return np.concatenate([np.nan_to_num(scaled, nan=0.0), np.array(seen)]).astype(np.float32)


def of(
    sensors: tuple[str, ...], *, table: SensorTable, low_high: Mapping[str, Sequence[tuple[float, float]]]
) -> Scaling:
    """Return the scaling of some sensors.

    Parameters
    ----------
    sensors : tuple of str
        Names, in the network's order.
    table : SensorTable
        The table that they are of.
    low_high : mapping of str to sequence of (float, float)
        What is scaled to 0 and 1 of each band, of log10 for backscatter; sensors that are missing are scaled over the
        range that the table gives.

    Raises
    ------
    UsageError
        If a sensor is unknown, or has more or fewer bands than constants.
    """
    unknown = [s for s in sensors if s not in table]
    if unknown:
        raise UsageError(f"sensors {unknown}: unknown; expected some of {', '.join(table.names)}. Fix the recipe.")
    chosen = [table[s] for s in sensors]
    pairs: list[tuple[float, float]] = []
    for sensor in chosen:
        own = [tuple(p) for p in low_high[sensor.name]] if sensor.name in low_high else _range(sensor)
        if len(own) != len(sensor.bands):
            raise UsageError(
                f"scaling of {sensor.name}: {len(own)} pairs; expected {len(sensor.bands)}:"
                f" {', '.join(sensor.band_names)}. Fix the recipe."
            )
        pairs += own
    return Scaling(
        sensors={s.name: len(s.bands) for s in chosen},
        low=tuple(p[0] for p in pairs),
        high=tuple(p[1] for p in pairs),
        is_log=tuple(_is_log(s) for s in chosen for _ in s.bands),
        quantities={s.name: s.quantity for s in chosen},
        band_names=tuple(n for s in chosen for n in s.band_names),
    )


def _is_log(sensor: Sensor) -> bool:
    return sensor.quantity == "backscatter"


def _range(sensor: Sensor) -> list[tuple[float, float]]:
    """Return least and largest possible value of each band, of log10 for backscatter."""
    if not _is_log(sensor):
        return [(b.low, b.high) for b in sensor.bands]
    return [tuple(np.log10(max(v, 0.0) + SAR_FLOOR).item() for v in (b.low, b.high)) for b in sensor.bands]


def region_vector(region: str | None, *, regions: Iterable[str] = REGIONS) -> np.ndarray:
    """Return the one-hot vector of a region, float32, shape (regions + 1,); ``None`` or an unknown name gives
    *unknown*, the last.

    Parameters
    ----------
    region : str or None
        Its code.
    regions : iterable of str
        Codes in the network's order; those of glacier scenes by default.
    """
    codes = list(regions)
    out = np.zeros(len(codes) + 1, np.float32)
    out[codes.index(region) if region in codes else -1] = 1.0
    return out


def planes(location: str, *, regions: Iterable[str] = REGIONS) -> int:
    """Return how many planes tell a network where it is.

    Parameters
    ----------
    location : str
        ``none``, ``region`` or ``coordinates``.
    regions : iterable of str
        Codes of the regions.
    """
    return len(list(regions)) + 1 if location == "region" else LOCATIONS[location]


def coordinate_vector(latitude: float, longitude: float) -> np.ndarray:
    """Return sine and cosine of latitude and longitude (degrees), float32, shape (4,); zeros where nobody knows them
    (NaN)."""
    angles = np.radians([latitude, longitude])
    found = np.array([np.sin(angles[0]), np.cos(angles[0]), np.sin(angles[1]), np.cos(angles[1])], np.float32)
    return found if np.isfinite(found).all() else np.zeros(4, np.float32)


def location_vector(
    kind: str, *, region: str | None, latitude: float, longitude: float, regions: Iterable[str] = REGIONS
) -> np.ndarray:
    """Return what a network is given of a place: shape (0,), (regions + 1,) or (4,).

    Parameters
    ----------
    kind : str
        ``none``, ``region`` or ``coordinates``.
    region : str or None
        Code of the region.
    latitude, longitude : float
        Degrees; NaN where nobody knows them.
    regions : iterable of str
        Codes in the network's order; those of glacier scenes by default.
    """
    if kind == "none":
        return np.zeros(0, np.float32)
    return region_vector(region, regions=regions) if kind == "region" else coordinate_vector(latitude, longitude)

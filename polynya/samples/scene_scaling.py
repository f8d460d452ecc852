"""Physical values of a scene to what a network is given: constants of the published model, a plane of presence a
sensor.

Maslov et al. 2025 (arXiv:2401.15113) scale each channel by its least and largest value in the training data. Their
largest descending co-polarised value is an outlier; both passes have the ascending one's here. What a sensor did not
see is 0, and its presence plane says so.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import UsageError
from ..sensors import REGIONS, SENSORS

LIMIT = 2.0
"""Scaled values are cut to -LIMIT..LIMIT: saturated or damaged pixels must not swamp a window."""
SAR_FLOOR = 1e-6
"""Added to linear backscatter before its logarithm."""
_LOW_HIGH = {
    "optical": ((0.0, 2.05), (0.0, 2.13), (0.0, 2.23), (0.0, 2.68), (0.0, 2.12), (0.0, 2.16)),
    "dem": ((-103.3, 8349.4), (0.0, 88.98)),
    "co_pol_sar": ((-6.0, 1.758),) * 2,
    "cross_pol_sar": ((-6.0, 1.758),) * 2,
    "in_sar": ((0.0, 1.0),) * 2,
    "thermal": ((0.0, 322.08),),
    "grey": ((0.0, 1.0),),
}
"""Least and largest value a band; of log10 for backscatter. ``grey`` is 0 to 1 already
(:mod:`polynya.models.unet_grey`)."""
_LOGARITHMIC = ("co_pol_sar", "cross_pol_sar")
LOCATIONS = {"none": 0, "region": len(REGIONS) + 1, "coordinates": 4}
"""Planes that tell a network where it is: one-hot regions and *unknown*; sine and cosine of latitude and longitude."""


@dataclass(frozen=True)
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
    """

    sensors: dict[str, int]
    low: tuple[float, ...]
    high: tuple[float, ...]
    is_log: tuple[bool, ...]

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


def of(sensors: tuple[str, ...]) -> Scaling:
    """Return the scaling of some sensors.

    Raises
    ------
    UsageError
        If a sensor is unknown.
    """
    unknown = [s for s in sensors if s not in _LOW_HIGH]
    if unknown:
        raise UsageError(f"sensors {unknown}: unknown; expected some of {', '.join(_LOW_HIGH)}. Mend the recipe.")
    pairs = [pair for s in sensors for pair in _LOW_HIGH[s]]
    return Scaling(
        {s: len(_LOW_HIGH[s]) for s in sensors},
        tuple(p[0] for p in pairs),
        tuple(p[1] for p in pairs),
        tuple(s in _LOGARITHMIC for s in sensors for _ in _LOW_HIGH[s]),
    )


def bands(sensor: str) -> int:
    """Return how many bands a sensor has."""
    return len(SENSORS[sensor]) if sensor in SENSORS else len(_LOW_HIGH[sensor])


def region_vector(region: str | None) -> np.ndarray:
    """Return the one-hot vector of a region, float32, shape (12,); ``None`` or an unknown name gives *unknown*, the
    last."""
    out = np.zeros(len(REGIONS) + 1, np.float32)
    out[list(REGIONS).index(region) if region in REGIONS else -1] = 1.0
    return out


def coordinate_vector(latitude: float, longitude: float) -> np.ndarray:
    """Return sine and cosine of latitude and longitude (degrees), float32, shape (4,); zeros where nobody knows them
    (NaN)."""
    angles = np.radians([latitude, longitude])
    found = np.array([np.sin(angles[0]), np.cos(angles[0]), np.sin(angles[1]), np.cos(angles[1])], np.float32)
    return found if np.isfinite(found).all() else np.zeros(4, np.float32)


def location_vector(kind: str, *, region: str | None, latitude: float, longitude: float) -> np.ndarray:
    """Return what a network is told of a place: shape (0,), (12,) or (4,) for ``none``, ``region``, ``coordinates``."""
    if kind == "none":
        return np.zeros(0, np.float32)
    return region_vector(region) if kind == "region" else coordinate_vector(latitude, longitude)

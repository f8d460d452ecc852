"""A map, and what makes one: the records that rule and networks share, and the channels in decibels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ...scenes import radar_grid
from ...schema import Variable

if TYPE_CHECKING:
    import xarray

FLOORS_DB = {"HH": -35.0, "HV": -45.0}
"""What a channel becomes where its power is smaller, or negative, dB."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ClassMap:
    """The most probable class of every pixel.

    Attributes
    ----------
    specs : (Variable, Variable)
        Of :data:`polynya.schema.sea_ice_maps.HEADS`: the class and its probability.
    codes : numpy.ndarray of uint8, shape (h, w)
        255 where there is none.
    probability : numpy.ndarray of float32, shape (h, w)
        Of that class; NaN where there is none.
    """

    specs: tuple[Variable, Variable]
    codes: np.ndarray
    probability: np.ndarray


@dataclass(frozen=True, kw_only=True, eq=False)
class Mapped:
    """A map.

    Attributes
    ----------
    concentration : numpy.ndarray of float32, shape (h, w)
        0 to 1, NaN where there is none.
    uncertainty : numpy.ndarray of float32, shape (h, w)
        One standard uncertainty of the pixel alone.
    intervals : numpy.ndarray of float32, shape (4, h, w), or None
        Ends of the intervals in the order of :data:`polynya.schema.sea_ice_maps.INTERVALS`; the rule has none.
    classes : tuple of ClassMap
        Of the network's heads.
    """

    concentration: np.ndarray
    uncertainty: np.ndarray
    intervals: np.ndarray | None = None
    classes: tuple[ClassMap, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Mapper:
    """What maps, by name.

    Attributes
    ----------
    name : str
    about : dict
        For the record.
    networks : dict of str to str
        Name to SHA-256; empty for the rule.
    map : callable
        Takes a dataset of :func:`polynya.scenes.radar_grid.on_grid`, with the channels of AMSR2 beside it where they
        are used.
    sensors : tuple of str
        Of :mod:`polynya.sensors.radar_ice`.
    pixel_m : float or None
        Pixel size that it has learned from; None where it takes any.
    is_simulated : bool
        It has learned from simulated scenes alone, as far as we know.
    """

    name: str
    about: dict[str, object]
    networks: dict[str, str]
    map: Callable[[xarray.Dataset], Mapped]
    sensors: tuple[str, ...] = ("hh", "hv", "incidence")
    pixel_m: float | None = None
    is_simulated: bool = False


def decibels(data: xarray.Dataset) -> dict[str, np.ndarray]:
    """Return every channel in dB where it is valid, float32 (h, w), NaN elsewhere.

    Parameters
    ----------
    data : xarray.Dataset
        Of :func:`polynya.scenes.radar_grid.on_grid`.
    """
    out = {}
    for k, name in enumerate(str(c) for c in data["channel"].values):
        values = radar_grid.decibels(data["sigma0"].values[k], low=FLOORS_DB.get(name, -60.0))
        out[name] = np.where(data["valid"].values[k] > 0, values, np.nan).astype(np.float32)
    return out

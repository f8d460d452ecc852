"""What turns channels into concentration: the rule, or a network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ...errors import UsageError
from ...scenes import radar_grid
from . import rule
from .config import RULE, Config

if TYPE_CHECKING:
    import xarray

FLOORS_DB = {"HH": -35.0, "HV": -45.0}
"""What a channel becomes where its power is smaller, or negative, dB."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Mapped:
    """A map.

    Attributes
    ----------
    concentration : numpy.ndarray of float32, shape (h, w)
        0 to 1, NaN where there is none.
    uncertainty : numpy.ndarray of float32, shape (h, w)
        One standard uncertainty of the pixel alone.
    """

    concentration: np.ndarray
    uncertainty: np.ndarray


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
        Takes a dataset of :func:`polynya.scenes.radar_grid.on_grid`.
    """

    name: str
    about: dict[str, object]
    networks: dict[str, str]
    map: Callable[[xarray.Dataset], Mapped]


def load(config: Config) -> Mapper:
    """Return what a configuration asks for.

    Parameters
    ----------
    config : Config
        How scenes are mapped.

    Raises
    ------
    UsageError
        If there is no such network.
    """
    if config.network == RULE:
        return Mapper(name=RULE, about={"name": RULE, "file": rule.FILE}, networks={}, map=by_rule)
    raise UsageError(f"--network {config.network}: no such network; expected {RULE}. Change it.")


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


def by_rule(data: xarray.Dataset) -> Mapped:
    """Map by the shipped classes.

    Parameters
    ----------
    data : xarray.Dataset
        Of :func:`polynya.scenes.radar_grid.on_grid`.
    """
    classes, errors = rule.shipped()
    channels = decibels(data)
    angle = data["incidence_angle"].values
    nothing = np.full(angle.shape, np.nan, np.float32)
    stacked = np.stack([channels.get(c, nothing) for c in ("HH", "HV")])
    pixel = abs(float(data["x"].values[1] - data["x"].values[0])) if data.sizes["x"] > 1 else 400.0
    found = rule.concentration(classes, stacked, angle, side=max(round(rule.SIDE * 400.0 / pixel) // 2 * 2 + 1, 1))
    return Mapped(concentration=found, uncertainty=rule.uncertainty(found, errors))

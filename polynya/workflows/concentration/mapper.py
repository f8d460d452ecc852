"""What turns channels into concentration: the rule, or a network."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from . import network, rule
from .config import RULE, Config
from .mapped import FLOORS_DB, Mapped, Mapper, decibels

if TYPE_CHECKING:
    import xarray

__all__ = ["FLOORS_DB", "Mapped", "Mapper", "by_rule", "decibels", "load"]


def load(config: Config) -> Mapper:
    """Return what a configuration asks for.

    Parameters
    ----------
    config : Config
        How scenes are mapped.

    Raises
    ------
    UsageError
        If there is no such network or runtime.
    ProductError
        If the file is no network of sea-ice concentration.
    """
    if config.network == RULE:
        about = {"name": RULE, "file": rule.FILE}
        return Mapper(name=RULE, about=about, networks={}, map=by_rule, is_simulated=True)
    return network.load(config.network, runtime=config.runtime)


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

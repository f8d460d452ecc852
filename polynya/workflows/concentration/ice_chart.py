"""A map as an ice chart in its folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...io import atomic, polygons
from ...scenes import ice_chart
from ...schema.sea_ice_maps import BITS
from . import products

if TYPE_CHECKING:
    from odc.geo.geobox import GeoBox

FILE = ice_chart.FILE


def is_in(record: Mapping[str, object]) -> bool:
    """Return whether a finished result has a chart.

    Parameters
    ----------
    record : mapping
        Its ``run.json``.
    """
    return FILE in atomic.listed_in(dict(record))


def write(
    folder: Path, concentration: np.ndarray, *, uncertainty: np.ndarray, bits: np.ndarray, geobox: GeoBox
) -> Path:
    """Draw the chart of a map and write it.

    Parameters
    ----------
    folder : Path
        Gets :data:`FILE`.
    concentration, uncertainty : numpy.ndarray, shape (h, w)
        The map, 0 to 1, NaN where there is none.
    bits : numpy.ndarray of uint8, shape (h, w)
        Quality flags: land of a given file becomes polygons of land.
    geobox : odc.geo.geobox.GeoBox
        The grid.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    held = ice_chart.Map(
        concentration=concentration,
        uncertainty=uncertainty,
        is_land=(bits & BITS["land"]) > 0,
        areas_km2=products.pixel_areas_km2(geobox),
        geobox=geobox,
    )
    return polygons.write(ice_chart.polygons(held), folder / FILE)

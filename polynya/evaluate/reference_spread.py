"""Several reference outlines of one ground: how far experts differ, and where a map lies among them.

After the comparison of Paul et al. (2013, doi:10.3189/2013AoG63A296): several analysts digitise the same glaciers, and
the standard deviation of their areas is what a map can be held to.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import geopandas as gpd
import numpy as np

from . import outlines
from .scene_rows import Bootstrap


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Two sets of outlines of one ground.

    Attributes
    ----------
    first, second : str
    polis_m : float
        PoLiS distance of their boundaries, m (Avbelj et al. 2015, doi:10.1109/LGRS.2014.2330695); the same both ways.
    iou : float
    """

    first: str
    second: str
    polis_m: float
    iou: float


@dataclass(frozen=True, kw_only=True)
class Spread:
    """How references differ, and where a map lies.

    Attributes
    ----------
    areas : dict of str to float
        km² on the ellipsoid, of each reference.
    pairs : tuple of Pair
        Every two references.
    area : float
        Of the map, km².
    ours : tuple of Pair
        The map (first) and each reference.
    """

    areas: dict[str, float]
    pairs: tuple[Pair, ...]
    area: float
    ours: tuple[Pair, ...]

    @property
    def mean(self) -> float:
        """Mean area of the references, km²."""
        return float(np.mean(list(self.areas.values())))

    @property
    def sd(self) -> float:
        """Standard deviation of their areas (of n - 1), km²."""
        return float(np.std(list(self.areas.values()), ddof=1))

    @property
    def polis_m(self) -> float:
        """Mean PoLiS distance of every two references, m."""
        return float(np.mean([p.polis_m for p in self.pairs]))

    @property
    def our_polis_m(self) -> float:
        """Mean PoLiS distance of the map to the references, m."""
        return float(np.mean([p.polis_m for p in self.ours]))


def compare(
    found: gpd.GeoDataFrame, references: Mapping[str, gpd.GeoDataFrame], *, within: gpd.GeoSeries | None = None
) -> Spread:
    """Compare several references with each other, and a map with each.

    Parameters
    ----------
    found : geopandas.GeoDataFrame
        Outlines of the map.
    references : mapping of str to geopandas.GeoDataFrame
        Two or more, by name.
    within : geopandas.GeoSeries, optional
        Ground that all cover.

    Raises
    ------
    ProductError
        If one holds no area on the ground.
    """

    def pair(a: str, b: str, one: gpd.GeoDataFrame, other: gpd.GeoDataFrame) -> tuple[Pair, float, float]:
        rows = outlines.compare(one, other, within=within, bootstrap=Bootstrap(n_resamples=2))
        value = {r.metric: r.estimate.value for r in rows}
        found = Pair(first=a, second=b, polis_m=value["polis"], iou=value["iou"])
        return found, value["area_ellipsoid"], value["area_ellipsoid_of_reference"]

    areas: dict[str, float] = {}
    pairs, ours, area = [], [], float("nan")
    for a, b in combinations(references, 2):
        between, areas[a], areas[b] = pair(a, b, references[a], references[b])
        pairs.append(between)
    for name, frame in references.items():
        between, area, _ = pair("map", name, found, frame)
        ours.append(between)
    return Spread(areas={n: areas[n] for n in references}, pairs=tuple(pairs), area=area, ours=tuple(ours))

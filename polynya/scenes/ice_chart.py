"""A map of sea-ice concentration as an ice chart: polygons in tenths with the fields of SIGRID-3.

Fields and codes are those of SIGRID-3, version 3.0 (JCOMM Technical Report 23, WMO/TD-No. 1214, 2014). What a map of
concentration does not say, stage of development and form of ice, is 99 (undetermined); what has no meaning for a
polygon is -9.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from ..physics import region_merging
from . import ice_edge

if TYPE_CHECKING:
    import geopandas
    from odc.geo.geobox import GeoBox

FILE = "ice_chart.gpkg"
SMOOTH_M = 5000.0
"""Side of the square over which concentration is averaged before it is divided into tenths."""
LEAST_KM2 = 100.0
LEAST_WIDTH_M = 2000.0
"""Smaller and narrower parts join a neighbour."""
SIMPLIFY_PX = 1.5
"""Borders are simplified as far as triangles of this side, squared, are left out."""
CLASSES = (
    ("01", 0.0),
    ("10", 0.10),
    *((f"{k}0", (k - 0.5) / 10.0) for k in range(2, 10)),
    ("91", 0.95),
    ("92", 0.995),
)
"""Codes of total concentration, and the least mean concentration of each: less than one tenth, tenths by rounding, more
than nine tenths, ten tenths."""
FULL = "92"
"""No border is drawn between this and the code before it: nothing measured tells 99 from 100 %. The mean decides."""
UNDETERMINED, NONE = "99", "-9"
FIELDS = ("CT", "CA", "SA", "FA", "CB", "SB", "FB", "CC", "SC", "FC", "CN", "CD", "CF")
ICE, LAND = "I", "L"


@dataclass(frozen=True, kw_only=True, eq=False)
class Map:
    """What a chart is made of.

    Attributes
    ----------
    concentration : numpy.ndarray, shape (h, w)
        0 to 1, NaN where not known.
    uncertainty : numpy.ndarray, shape (h, w)
        One standard uncertainty of a pixel.
    is_land : numpy.ndarray of bool, shape (h, w)
        Land that is known as such.
    areas_km2 : numpy.ndarray, shape (h, w)
        Of the pixels, on the ellipsoid.
    geobox : odc.geo.geobox.GeoBox
        In a projection in metres.
    """

    concentration: np.ndarray
    uncertainty: np.ndarray
    is_land: np.ndarray
    areas_km2: np.ndarray
    geobox: GeoBox


def code_of(concentration: float) -> str:
    """Return the SIGRID-3 code of total concentration: 01, 10 to 90, 91 or 92.

    Parameters
    ----------
    concentration : float
        Mean over a polygon, 0 to 1.
    """
    return [code for code, least in CLASSES if concentration >= least or least == 0.0][-1]


def polygons(held: Map, *, side_m: float = SMOOTH_M, least_km2: float = LEAST_KM2) -> geopandas.GeoDataFrame:
    """Draw the chart of a map.

    Pixels belong to the class of the mean over a square around them; parts that are small or narrow join a neighbour
    (:mod:`polynya.physics.region_merging`); the code of a polygon is that of the mean of its own pixels, which is also
    written. Simplified borders are shared: there is neither gap nor overlap.

    Parameters
    ----------
    held : Map
        The map.
    side_m : float
        Side of the square, m.
    least_km2 : float
        Area of the smallest polygon; one without a neighbour may be smaller.

    Returns
    -------
    geopandas.GeoDataFrame
        A polygon a row, in the grid's CRS: ``AREA`` (m²) and ``PERIMETER`` (m) on the ellipsoid, :data:`FIELDS`,
        ``POLY_TYPE`` (I ice of any concentration, L land), ``mean_concentration`` (0 to 1), ``uncertainty`` (mean
        standard uncertainty of its pixels: that of the mean, if all erred alike) and ``spread`` (standard deviation of
        its pixels). NaN for land.
    """
    labels, land = _regions(held, side_m=side_m, least_km2=least_km2)
    shapes = _outlines(labels, held.geobox)
    return _frame(shapes, labels, held, land=land)


def _regions(held: Map, *, side_m: float, least_km2: float) -> tuple[np.ndarray, int]:
    """Return the region of every pixel, -1 where nothing is known, and the number of the first that is land."""
    known = np.isfinite(held.concentration)
    smooth = ice_edge.smooth(held.concentration, held.geobox, side_m=side_m).values
    smooth = np.where(known & np.isnan(smooth), held.concentration, smooth)
    bounds = np.array([least for code, least in CLASSES[1:] if code != FULL])
    kind, own = (np.searchsorted(bounds, np.nan_to_num(v), side="right") for v in (smooth, _sharp(held, smooth)))
    is_wide = np.zeros(known.shape, bool)
    for k in range(bounds.size + 1):
        is_wide |= _without_arms(known & (kind == k), known, held.geobox)
    kind = np.where(known, np.where(is_wide, kind, own), -1)
    labels, count = np.full(known.shape, -1, np.int32), 0
    for k in range(bounds.size + 1):
        count = _number(kind == k, labels, count)
    limits = region_merging.Limits(area=least_km2, width=LEAST_WIDTH_M / abs(held.geobox.affine.a))
    labels = region_merging.merge(labels, held.concentration, held.areas_km2, limits=limits, bounds=bounds)
    land = int(labels.max()) + 1
    _number(held.is_land & ~known, labels, land)
    return labels, land


def _sharp(held: Map, smooth: np.ndarray) -> np.ndarray:
    """Return the median over squares as wide as the narrowest part, which keeps sharp borders where they are."""
    size = max(round(LEAST_WIDTH_M / abs(held.geobox.affine.a)) // 2 * 2 + 1, 1)
    filled = np.where(np.isfinite(held.concentration), held.concentration, np.nan_to_num(smooth))
    return ndimage.median_filter(filled.astype(np.float32), size)


def _without_arms(part: np.ndarray, known: np.ndarray, geobox: GeoBox) -> np.ndarray:
    """Return a part without what is narrow: along every sharp border smoothing leaves a band of each class, and bands
    are joined to the parts of their class. The end of what is known does not make a part narrow."""
    radius = int(0.5 * LEAST_WIDTH_M / abs(geobox.affine.a))
    at = np.hypot(*np.mgrid[-radius : radius + 1, -radius : radius + 1])
    disc = at <= radius + 0.5
    inner = ndimage.binary_erosion(part | ~known, disc, border_value=1) & part
    return ndimage.binary_dilation(inner, disc) & part


def _number(part: np.ndarray, labels: np.ndarray, count: int) -> int:
    """Number the pieces of a part from ``count`` on; return the next number."""
    pieces, n = ndimage.label(part)
    np.copyto(labels, pieces + np.int32(count - 1), where=pieces > 0)
    return count + n


def _outlines(labels: np.ndarray, geobox: GeoBox) -> np.ndarray:
    """Return the polygon of every region, in its order, with simplified borders that neighbours share."""
    import shapely
    from rasterio.features import shapes
    from shapely.geometry import shape

    parts: list[list[object]] = [[] for _ in range(int(labels.max()) + 1)]
    for geometry, number in shapes(labels, mask=labels >= 0):
        parts[int(number)].append(shape(geometry))
    stairs = np.array([p[0] if len(p) == 1 else shapely.multipolygons(p) for p in parts], object)
    # a corner of one region on the straight side of another has to be a corner of both
    stairs = shapely.transform(shapely.segmentize(stairs, 1.0), np.rint)
    drawn = shapely.coverage_simplify(stairs, SIMPLIFY_PX)
    t = geobox.affine

    def place(at: np.ndarray) -> np.ndarray:
        column, row = at.T
        return np.column_stack([t.c + t.a * column + t.b * row, t.f + t.d * column + t.e * row])

    return shapely.transform(drawn, place)


def _frame(shapes: np.ndarray, labels: np.ndarray, held: Map, *, land: int) -> geopandas.GeoDataFrame:
    import geopandas as gpd
    import shapely

    from .areas import area_km2

    count = len(shapes)
    known = (labels >= 0) & np.isfinite(held.concentration)
    flat, area = labels[known], held.areas_km2[known]
    c, sigma = (a[known].astype(np.float64) for a in (held.concentration, held.uncertainty))

    def means(values: np.ndarray) -> np.ndarray:
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.bincount(flat, area * values, count) / np.bincount(flat, area, count)

    mean = means(c)
    spread = np.sqrt(np.maximum(means((c - mean[flat]) ** 2), 0.0)) if flat.size else mean
    rows = [_codes(m) if k < land else _codes(np.nan) for k, m in enumerate(mean)]
    columns = {name: [r[name] for r in rows] for name in (*FIELDS, "POLY_TYPE")}
    frame = gpd.GeoDataFrame(columns, geometry=list(shapes), crs=str(held.geobox.crs))
    frame.insert(0, "AREA", area_km2(frame) * 1e6 if count else np.zeros(0))
    outlines = frame.set_geometry(shapely.boundary(frame.geometry.to_numpy()), crs=frame.crs)
    frame.insert(1, "PERIMETER", ice_edge.lengths_km(outlines) * 1e3)
    for name, values in (("mean_concentration", mean), ("uncertainty", means(sigma)), ("spread", spread)):
        frame[name] = values
    return frame[[n for n in frame.columns if n != "geometry"] + ["geometry"]]


def _codes(mean: float) -> dict[str, str]:
    """Return the codes of a polygon by its mean concentration; NaN is land."""
    out = dict.fromkeys(FIELDS, NONE) | {"POLY_TYPE": LAND}
    if np.isnan(mean):
        return out
    out |= {"CT": code_of(float(mean)), "POLY_TYPE": ICE}
    return out if out["CT"] == CLASSES[0][0] else out | {"SA": UNDETERMINED, "FA": UNDETERMINED}

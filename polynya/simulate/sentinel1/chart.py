"""An ice chart of a simulated scene, with an analyst's errors: SIGRID-3 polygons of 20-60 km in five bands.

The analyst sees the ice of some hours before, so the borders lie 2-8 km off; writes one number of tenths per polygon;
and errs by one tenth in a quarter of them. Codes as in SIGRID-3 (JCOMM Technical Report 23, WMO 2014).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import distance_transform_edt, map_coordinates, uniform_filter

from .fields import smooth
from .presets import CELL_M

if TYPE_CHECKING:
    import geopandas

CODES = ("CT", "CA", "SA", "FA", "CB", "SB", "FB", "CC", "SC", "FC", "CN", "CD", "CF", "POLY_TYPE")
BANDS = (0.10, 0.35, 0.65, 0.85)
"""Concentration between two of the five bands: open water, 1-3, 4-6, 7-8 and 9-10 tenths."""
SIZE_KM, SHIFT_KM = (20.0, 60.0), (2.0, 8.0)
SMALLEST_KM2 = 25.0
ERROR_SHARE = 0.25
"""Of the polygons with ice whose tenths are one off."""
STAGE_CODES = {1: "81", 2: "83", 4: "93", 5: "95"}
"""SIGRID-3 stage of development: new, young, thick first-year, old ice."""
FORM_CODES = {1: "02", 2: "03", 3: "04", 4: "05", 5: "06"}
"""SIGRID-3 form of ice for AutoICE's floe classes: 5 is read from 06 and 07."""
NONE = "-9"


@dataclass(frozen=True, kw_only=True)
class Chart:
    """An ice chart on the cells.

    Attributes
    ----------
    polygon : numpy.ndarray, int32, shape (rows, columns)
        Row of ``codes``.
    codes : tuple of dict of str to str
        One per polygon: :data:`CODES`.
    concentration : numpy.ndarray, float32, shape (polygons,)
        Tenths as charted, 0 to 1.
    analysed : numpy.ndarray, float32, shape (polygons,)
        Mean of the ice that the analyst saw, before rounding and error, 0 to 1.
    shift_km : float
        How far its ice lies off.
    """

    polygon: np.ndarray
    codes: tuple[dict[str, str], ...]
    concentration: np.ndarray
    analysed: np.ndarray
    shift_km: float


def draw_chart(seed: int, concentration: np.ndarray, stage: np.ndarray, floe: np.ndarray) -> Chart:
    """Draw the chart of a scene's truth.

    Parameters
    ----------
    seed : int
        Of the scene.
    concentration : numpy.ndarray, float32, shape (rows, columns)
        0 to 1, on cells of 400 m.
    stage, floe : numpy.ndarray, uint8
        Codes of AutoICE.
    """
    rng = np.random.default_rng([seed, 40])
    shape = concentration.shape
    shift_km = float(rng.uniform(*SHIFT_KM))
    moved = _moved(rng, uniform_filter(concentration, 13, mode="nearest"), shift_km)
    polygon = _polygons(rng, shape, np.digitize(moved, BANDS))
    count = int(polygon.max()) + 1
    area = np.bincount(polygon.ravel(), minlength=count)
    analysed = (np.bincount(polygon.ravel(), weights=moved.ravel(), minlength=count) / area).astype(np.float32)
    off = np.where(rng.random(count) < ERROR_SHARE, rng.choice((-1, 1), count), 0)
    tenths = np.where(analysed < BANDS[0], 0, np.clip(np.rint(10.0 * analysed) + off, 1, 10)).astype(np.int64)
    codes = _codes(polygon, tenths, analysed, concentration, stage, floe)
    return Chart(
        polygon=polygon,
        codes=codes,
        concentration=(0.1 * tenths).astype(np.float32),
        analysed=analysed,
        shift_km=shift_km,
    )


def to_polygons(chart: Chart, x: np.ndarray, y: np.ndarray, *, epsg: int) -> geopandas.GeoDataFrame:
    """Return the chart's polygons with their codes.

    Parameters
    ----------
    chart : Chart
        On n rows and m columns of cells.
    x, y : numpy.ndarray, float64, shape (n + 1, m + 1)
        Corners of the cells in the projection, m.
    epsg : int
        The projection.
    """
    import geopandas as gpd
    import shapely
    from rasterio.features import shapes
    from shapely.geometry import shape

    parts: dict[int, list[object]] = {}
    for geometry, number in shapes(chart.polygon):
        parts.setdefault(int(number), []).append(shape(geometry))
    rows, geometries = [], []
    for number in sorted(parts):
        whole = shapely.multipolygons(parts[number])

        def place(at: np.ndarray) -> np.ndarray:
            column, row = at.T.astype(np.int64)
            return np.stack([x[row, column], y[row, column]], axis=1)

        geometries.append(shapely.transform(whole, place))
        rows.append({"poly_id": number + 1, **chart.codes[number]})
    return gpd.GeoDataFrame(rows, geometry=geometries, crs=f"EPSG:{epsg}")


def _moved(rng: np.random.Generator, field: np.ndarray, shift_km: float) -> np.ndarray:
    """Return a field drawn from positions that lie 2-8 km off, in directions that turn slowly."""
    cells = 1000.0 / CELL_M
    shape = field.shape
    angle = rng.uniform(0.0, 2.0 * np.pi) + 0.6 * smooth(rng, shape, length=80.0 * cells)
    distance = np.clip(shift_km + 0.8 * smooth(rng, shape, length=50.0 * cells), *SHIFT_KM) * np.float32(cells)
    rows = np.arange(shape[0], dtype=np.float32)[:, None] + distance * np.sin(angle)
    columns = np.arange(shape[1], dtype=np.float32)[None, :] + distance * np.cos(angle)
    return map_coordinates(field, (rows, columns), order=1, mode="nearest", output=np.float32)


def _polygons(rng: np.random.Generator, shape: tuple[int, int], band: np.ndarray) -> np.ndarray:
    """Cut the bands into pieces of 20-60 km; open water stays one. Returns numbers from 0, int32."""
    size = rng.uniform(*SIZE_KM) * 1000.0 / CELL_M
    lattice = [np.arange(-1.0, n / size + 1.0) for n in shape]
    at = np.stack(np.meshgrid(*lattice, indexing="ij"), axis=-1).reshape(-1, 2)
    at = ((at + rng.uniform(0.0, 1.0, at.shape)) * size).astype(np.int64)
    at = at[(at >= 0).all(axis=1) & (at < shape).all(axis=1)]
    if not len(at):
        at = np.array([[shape[0] // 2, shape[1] // 2]])
    empty = np.ones(shape, bool)
    empty[at[:, 0], at[:, 1]] = False
    near = distance_transform_edt(empty, return_distances=False, return_indices=True)
    piece = np.zeros(shape, np.int64)
    piece[at[:, 0], at[:, 1]] = np.arange(len(at))
    piece = piece[near[0], near[1]]
    joint = piece * 5 + band
    area = np.bincount(joint.ravel(), minlength=5 * len(at)).reshape(-1, 5)
    small = (area > 0) & (area < SMALLEST_KM2 * 1e6 / CELL_M**2)
    into = np.where(small, area.argmax(axis=1)[:, None], np.arange(5))
    band = into[piece, band]
    joint = np.where(band == 0, 0, piece * 5 + band)
    return np.unique(joint, return_inverse=True)[1].reshape(shape).astype(np.int32)


def _codes(
    polygon: np.ndarray,
    tenths: np.ndarray,
    analysed: np.ndarray,
    concentration: np.ndarray,
    stage: np.ndarray,
    floe: np.ndarray,
) -> tuple[dict[str, str], ...]:
    """Return the codes of every polygon: total, and up to three parts, thickest first."""
    count = len(tenths)
    table = np.zeros((count, 6, 6))
    flat = (polygon.astype(np.int64) * 6 + stage) * 6 + floe
    table += np.bincount(flat.ravel(), weights=concentration.ravel(), minlength=table.size).reshape(table.shape)
    out = []
    for total, seen, part in zip(tenths, analysed, table, strict=True):
        codes = dict.fromkeys(CODES, NONE)
        if total == 0:
            codes |= {"CT": "00" if seen == 0.0 else "01", "POLY_TYPE": "W"}
        else:
            codes |= {"CT": _total(int(total), float(seen)), "POLY_TYPE": "I"} | _parts(int(total), part)
        out.append(codes)
    return tuple(out)


def _total(tenths: int, seen: float) -> str:
    if tenths < 10:
        return f"{tenths}0"
    return "92" if seen > 0.985 else "91"


def _parts(total: int, part: np.ndarray) -> dict[str, str]:
    """Return the codes of the partial concentrations, which sum to the total, of the area by stage and floe class."""
    by_stage = part.sum(axis=1)
    chosen = sorted(sorted(STAGE_CODES, key=lambda s: -by_stage[s])[: min(3, total)], reverse=True)
    chosen = [s for s in chosen if by_stage[s] > 0.07 * by_stage.sum()] or [max(STAGE_CODES, key=lambda s: by_stage[s])]
    share = by_stage[chosen] / max(by_stage[chosen].sum(), 1e-9)
    whole = np.maximum(np.floor(total * share), 1).astype(int)
    while whole.sum() != total:
        step = 1 if whole.sum() < total else -1
        whole[np.argmax(step * (total * share - whole))] += step
    out: dict[str, str] = {}
    for letter, stage, tenths in zip("ABC", chosen, whole, strict=False):
        # A single part is written without its concentration: it is the total.
        out[f"C{letter}"] = f"{tenths}0" if len(chosen) > 1 else NONE
        out[f"S{letter}"] = STAGE_CODES[stage]
        out[f"F{letter}"] = FORM_CODES.get(int(part[stage].argmax()), "99")
    forms = [out[f"F{letter}"] for letter in "AB" if f"F{letter}" in out]
    return out | {"CF": "".join([*forms, NONE][:2])}

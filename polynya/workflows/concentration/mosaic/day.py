"""The scenes of a day on one grid, tile by tile: no more than a tile of one scene is in memory beside the sums."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from rasterio.windows import Window

from ....errors import ProductError
from ....io import opening, tiled_grids
from ....physics import overlaps
from ....schema import mosaics
from ....schema.sea_ice_maps import BITS, CONCENTRATION, QUALITY, UNCERTAINTY
from .. import products
from .inputs import LAYERS, Source

if TYPE_CHECKING:
    from odc.geo.geobox import GeoBox

DOUBT = sum(BITS[n] for n in ("low_signal_to_noise", "incidence_angle_outside", "channel_missing", "noise_unknown"))
"""Flags that one scene may have and another not: such pixels count only where no scene is without."""
COARSE_M = 2000.0
"""Edge, zones, chart and pictures are drawn from means over blocks of at most this side."""
_OFF = 1e-3


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a scene lies on the grid of the day: first row and column, and its shape."""

    row: int
    column: int
    shape: tuple[int, int]


@dataclass(frozen=True, kw_only=True, eq=False)
class Layout:
    """The grid of a day.

    Attributes
    ----------
    geobox : odc.geo.geobox.GeoBox
        Covers all scenes; its origin is a multiple of a coarse block.
    places : tuple of Place
        One per scene.
    step : int
        Pixels along a coarse block.
    """

    geobox: GeoBox
    places: tuple[Place, ...]
    step: int

    @property
    def coarse(self) -> GeoBox:
        """The grid of the coarse blocks."""
        return self.geobox if self.step == 1 else self.geobox.zoom_out(self.step)


@dataclass(frozen=True, kw_only=True, eq=False)
class Overview:
    """Means over coarse blocks, and totals.

    Attributes
    ----------
    layers : dict of str to numpy.ndarray, shape (h, w)
        Of :data:`polynya.schema.mosaics.VARIABLES`, by name.
    totals : dict of str to float
    share : tuple of float
        Of the mosaic's area, by scene, that has the scene in its mean.
    """

    layers: dict[str, np.ndarray]
    totals: dict[str, float]
    share: tuple[float, ...]


def layout(sources: Sequence[Source]) -> Layout:
    """Return the common grid of maps.

    Grids of :func:`polynya.scenes.radar_grid.polar_geobox` begin at whole multiples of the pixel, so maps of one pixel
    size fit onto each other without resampling; that is checked here.

    Parameters
    ----------
    sources : sequence of Source
        Of one projection.

    Raises
    ------
    ProductError
        If a map cannot be read, has another pixel size, or does not lie on the grid.
    """
    from affine import Affine
    from odc.geo.geobox import GeoBox

    grids = [{layer: _grid_of(source, layer) for layer in LAYERS} for source in sources]
    pixel, crs = grids[0][LAYERS[0]].pixel, grids[0][LAYERS[0]].crs
    for source, own in zip(sources, grids, strict=True):
        for layer, grid in own.items():
            if (grid.pixel, grid.crs) != (pixel, crs) or grid != own[LAYERS[0]]:
                raise ProductError(
                    f"{source.name}: {layer}.tif has {grid.shape[0]} x {grid.shape[1]} pixels of {grid.pixel:g} m in"
                    f" {grid.crs}; expected {pixel:g} m in {crs} as {sources[0].name}, and one grid for all its files."
                    " Map the scene again with --overwrite."
                )
    corners, shapes = [g[LAYERS[0]].corner for g in grids], [g[LAYERS[0]].shape for g in grids]
    step = 1
    while 2 * step * pixel <= COARSE_M:
        step *= 2
    first, size = [], []
    for k in (0, 1):
        low = min(c[k] for c in corners) // step * step
        high = max(c[k] + n[k] for c, n in zip(corners, shapes, strict=True))
        first.append(low)
        size.append(-(-(high - low) // step) * step)
    affine = Affine(pixel, 0.0, first[1] * pixel, 0.0, -pixel, -first[0] * pixel)
    places = tuple(
        Place(row=c[0] - first[0], column=c[1] - first[1], shape=n) for c, n in zip(corners, shapes, strict=True)
    )
    return Layout(geobox=GeoBox((size[0], size[1]), affine, crs), places=places, step=step)


@dataclass(frozen=True, kw_only=True)
class _Grid:
    """Grid of a file: rows and columns of its corner are counted from the pole."""

    pixel: float
    crs: str
    corner: tuple[int, int]
    shape: tuple[int, int]


def _grid_of(source: Source, layer: str) -> _Grid:
    with opening.open_raster(source.file(layer)) as raster:
        t, epsg = raster.transform, raster.crs.to_epsg() if raster.crs else None
        corner, shape = (t.f / t.e, t.c / t.a), (int(raster.height), int(raster.width))
    whole = tuple(round(v) for v in corner)
    if t.a != -t.e or t.b or t.d or max(abs(v - w) for v, w in zip(corner, whole, strict=True)) > _OFF:
        raise ProductError(
            f"{source.name}: {layer}.tif starts at {t.c:g}, {t.f:g} m with pixels of {t.a:g} x {-t.e:g} m; expected"
            " square pixels at whole multiples of their side, as polynya concentration writes them. Map the scene again"
            " with --overwrite."
        )
    return _Grid(pixel=float(t.a), crs=f"EPSG:{epsg}", corner=(whole[0], whole[1]), shape=shape)


def write(
    folder: Path, sources: Sequence[Source], held: Layout, *, hours: Sequence[float], frame: Any, edge_at: float
) -> Overview:
    """Write the mosaic and return what its page shows.

    Parameters
    ----------
    folder : Path
        Gets a GeoTIFF for each variable, and ``concentration.nc``.
    sources : sequence of Source
        The scenes.
    held : Layout
        Their grid.
    hours : sequence of float
        Time of each scene since the day began.
    frame : xarray.Dataset
        Coordinates and attributes of the NetCDF file.
    edge_at : float
        Concentration from which a pixel counts to the extent.

    Raises
    ------
    ProductError
        If a map cannot be read.
    OutputError
        If a file cannot be written.
    """
    day = str(frame["time_bnds"].values[0, 0])[:10]
    since = {"units": f"hours since {day} 00:00:00", "calendar": "standard", "standard_name": "time"}
    attributes: dict[str, dict[str, object]] = {name: dict(since) for name in mosaics.TIMES}
    attributes[QUALITY.name] = {"flag_masks": np.array([b for b, _ in QUALITY.flags], np.uint8)}
    others = [v.name for v in mosaics.VARIABLES if v is not CONCENTRATION]
    attributes[CONCENTRATION.name] = {"ancillary_variables": " ".join(others)}
    coarse = tuple(int(n) for n in held.coarse.shape)
    layers = {
        v.name: np.full(coarse, np.nan, np.float32) if v is not QUALITY else np.ones(coarse, np.uint8)
        for v in mosaics.VARIABLES
    }
    sums = dict.fromkeys(("mapped", "ice", "extent", "sigma", "overlap", "square", "widened", "doubtful"), 0.0)
    counts = np.zeros(len(sources))
    shape = tuple(int(n) for n in held.geobox.shape)
    with tiled_grids.writing(
        folder,
        netcdf="concentration.nc",
        frame=frame,
        geobox=held.geobox,
        variables=mosaics.VARIABLES,
        attributes=attributes,
    ) as put:
        for at in tiled_grids.tiles(shape):
            found, own = _tile(at, sources, held, hours)
            put(at, found)
            small = tuple(slice(s.start // held.step, s.stop // held.step) for s in at)
            for name, values in found.items():
                reduced = _flags if name == QUALITY.name else _blocks
                layers[name][small] = reduced(values, held.step)
            areas = products.pixel_areas_km2(held.coarse[small]) / held.step**2
            areas = np.kron(areas, np.ones((held.step, held.step)))
            _count(sums, found, areas, edge_at=edge_at)
            counts += [float(areas[w].sum()) if w is not None else 0.0 for w in own]
    mapped = max(sums["mapped"], 1e-12)
    totals = {
        "mapped_area_km2": sums["mapped"],
        "ice_area_km2": sums["ice"],
        "ice_area_uncertainty_km2": sums["sigma"],
        "ice_extent_km2": sums["extent"],
        "overlap_area_km2": sums["overlap"],
        "disagreement_rms": float(np.sqrt(sums["square"] / sums["overlap"])) if sums["overlap"] else float("nan"),
        "share_disagreeing": sums["widened"] / sums["overlap"] if sums["overlap"] else float("nan"),
        "share_doubtful": sums["doubtful"] / mapped,
    }
    return Overview(layers=layers, totals=totals, share=tuple(counts / mapped))


def _tile(
    at: tuple[slice, slice], sources: Sequence[Source], held: Layout, hours: Sequence[float]
) -> tuple[dict[str, np.ndarray], list[np.ndarray | None]]:
    """Return all layers of a tile, and for each scene where it may count (None outside)."""
    shape = (at[0].stop - at[0].start, at[1].stop - at[1].start)
    best, others = overlaps.Sums.empty(shape), overlaps.Sums.empty(shape)
    land = np.zeros(shape, bool)
    seen: list[tuple[int, tuple[slice, slice], np.ndarray, np.ndarray]] = []
    for k, (source, place) in enumerate(zip(sources, held.places, strict=True)):
        rows, columns = _common(at[0], place.row, place.shape[0]), _common(at[1], place.column, place.shape[1])
        if rows is None or columns is None:
            continue
        look = _read(source, (rows[1], columns[1]), time=hours[k])
        inside = (rows[0], columns[0])
        known = np.isfinite(look.values) & np.isfinite(look.sigma) & ((look.bits & BITS["no_data"]) == 0)
        is_doubtful = (look.bits & DOUBT) > 0
        overlaps.add(best, look, at=inside, where=known & ~is_doubtful)
        overlaps.add(others, look, at=inside, where=known & is_doubtful)
        land[inside] |= (look.bits & BITS["land"]) > 0
        seen.append((k, inside, known, is_doubtful))
    is_best = best.n > 0
    found = overlaps.combined(overlaps.preferred(best, others))
    bits = np.where(found.n > 0, found.bits, BITS["no_data"] | np.where(land, BITS["land"], 0)).astype(np.uint8)
    own: list[np.ndarray | None] = [None] * len(sources)
    for k, inside, known, is_doubtful in seen:
        whole = np.zeros(shape, bool)
        whole[inside] = known & (~is_doubtful | ~is_best[inside])
        own[k] = whole
    layers = {
        CONCENTRATION.name: found.mean,
        UNCERTAINTY.name: found.sigma,
        QUALITY.name: bits,
        mosaics.DISAGREEMENT.name: found.disagreement,
        mosaics.SCENES.name: found.n,
        mosaics.MEAN_TIME.name: found.time,
        mosaics.NEWEST_TIME.name: found.newest,
    }
    return layers, own


def _common(tile: slice, first: int, n: int) -> tuple[slice, slice] | None:
    """Return what a tile and a scene share along one axis: in the tile, and in the scene."""
    start, stop = max(tile.start, first), min(tile.stop, first + n)
    if start >= stop:
        return None
    return slice(start - tile.start, stop - tile.start), slice(start - first, stop - first)


def _read(source: Source, at: tuple[slice, slice], *, time: float) -> overlaps.Look:
    window = Window.from_slices(*at)
    with ExitStack() as stack:
        files = [stack.enter_context(opening.open_raster(source.file(n))) for n in LAYERS]
        values, sigma, bits = (f.read(1, window=window) for f in files)
    return overlaps.Look(values=values, sigma=sigma, bits=bits.astype(np.uint8), time=time)


def _count(sums: dict[str, float], found: dict[str, np.ndarray], areas: np.ndarray, *, edge_at: float) -> None:
    """Add a tile to the totals."""
    c, sigma = found[CONCENTRATION.name], found[UNCERTAINTY.name]
    spread, n = found[mosaics.DISAGREEMENT.name], found[mosaics.SCENES.name]
    seen, several = n > 0, n > 1
    terms = {
        "mapped": areas[seen],
        "ice": (areas * c)[seen],
        "extent": areas[seen & (c >= edge_at)],
        "sigma": (areas * sigma)[seen],
        "overlap": areas[several],
        "square": (areas * np.square(spread))[several],
        # sigma is the root of two squares: the spread is larger than the other part
        "widened": areas[several & (2.0 * np.square(spread) > np.square(sigma))],
        "doubtful": areas[seen & ((found[QUALITY.name] & DOUBT) > 0)],
    }
    for name, values in terms.items():
        sums[name] += float(np.sum(values, dtype=np.float64))


def _blocks(values: np.ndarray, step: int) -> np.ndarray:
    """Return the mean of a block where a quarter or more is known; of integers the largest."""
    split = values.reshape(values.shape[0] // step, step, values.shape[1] // step, step)
    if values.dtype.kind == "f":
        known = np.isfinite(split)
        n = known.sum(axis=(1, 3))
        total = np.where(known, split, 0.0).sum(axis=(1, 3), dtype=np.float64)
        return np.where(4 * n >= step * step, total / np.maximum(n, 1), np.nan).astype(np.float32)
    return split.max(axis=(1, 3))


def _flags(bits: np.ndarray, step: int) -> np.ndarray:
    """Return the flags of any pixel of a block; no data and land where all have them."""
    split = bits.reshape(bits.shape[0] // step, step, bits.shape[1] // step, step)
    any_of, all_of = (f.reduce(f.reduce(split, axis=3), axis=1) for f in (np.bitwise_or, np.bitwise_and))
    nothing = np.uint8(BITS["no_data"] | BITS["land"])
    return (any_of & ~nothing) | (all_of & nothing)

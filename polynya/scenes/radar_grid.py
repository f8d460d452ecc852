"""A radar swath on a polar map grid: means of linear power over the cells, strip by strip, by the product's own
geolocation grid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..errors import ProductError, UsageError
from ..physics import cell_means
from ..readers import sentinel1_grd
from ..readers.sentinel1_grd import OpenImage, Product, Radiometry

if TYPE_CHECKING:
    import xarray
    from odc.geo.geobox import GeoBox

NORTH, SOUTH = 3413, 3976
"""EPSG codes of the NSIDC's polar stereographic grids on WGS 84."""
SMALLEST_M, LARGEST_M = 80.0, 800.0
STRIP = 32
"""Lines that are read at once."""
_STEP = 32
"""Pixels between the places that are projected exactly: a line of 32 pixels of 40 m bends by 3 cm."""
LEAST_SHARE = 0.25
"""A cell with less of its pixels, at the edge of the swath, is not valid."""
PIXELS = {"units": "1", "long_name": "pixels of the product in the mean"}
VALID = {
    "units": "1",
    "long_name": f"whether at least {LEAST_SHARE:.0%} of the cell's pixels are in the mean",
    "flag_values": np.array([0, 1], np.uint8),
    "flag_meanings": "not_valid valid",
}
SUBSWATH = {"units": "1", "long_name": "sub-swath of one of the cell's pixels, 0 for none"}


@dataclass(frozen=True, kw_only=True, eq=False)
class _Sums:
    """Sums over the cells of a grid, written while strips are read, then divided in place: a fine grid is large.

    ``power``, ``noise``, ``pixels`` have the shape (channels, rows * columns), the others (rows * columns,).
    """

    power: np.ndarray
    noise: np.ndarray
    pixels: np.ndarray
    angle: np.ndarray
    seen: np.ndarray
    subswath: np.ndarray

    @classmethod
    def empty(cls, channels: int, size: int) -> _Sums:
        """Return sums of nothing."""
        return cls(
            power=np.zeros((channels, size), np.float32),
            noise=np.zeros((channels, size), np.float32),
            pixels=np.zeros((channels, size), np.uint16),
            angle=np.zeros(size, np.float32),
            seen=np.zeros(size, np.uint16),
            subswath=np.zeros(size, np.uint8),
        )


def polar_geobox(product: Product, *, pixel_m: float = 400.0) -> GeoBox:
    """Return the polar grid that covers a product.

    Parameters
    ----------
    product : Product
        Of :func:`polynya.readers.sentinel1_grd.open_product`.
    pixel_m : float
        Pixel size in the projection, m. Grids of one pixel size share their lines.

    Returns
    -------
    odc.geo.geobox.GeoBox
        In EPSG:3413 north of the equator, in EPSG:3976 south of it.

    Raises
    ------
    UsageError
        If the pixel size is not possible, or finer than the product's pixels allow.
    """
    from affine import Affine
    from odc.geo.geobox import GeoBox

    if not SMALLEST_M <= pixel_m <= LARGEST_M:
        raise UsageError(f"pixel size {pixel_m:g} m; expected {SMALLEST_M:g} to {LARGEST_M:g} m. Choose one of these.")
    coarsest = max(product.spacing_m)
    if pixel_m < 1.5 * coarsest:
        raise UsageError(
            f"{product.product_id}: pixel size {pixel_m:g} m with pixels of {coarsest:g} m; expected at least"
            f" {1.5 * coarsest:g} m, so that every cell has pixels. Choose a coarser grid."
        )
    crs = f"EPSG:{NORTH if np.mean(product.swath.latitude) >= 0 else SOUTH}"
    x, y = _edge(product, crs)
    left, right = np.floor(x.min() / pixel_m), np.ceil(x.max() / pixel_m)
    bottom, top = np.floor(y.min() / pixel_m), np.ceil(y.max() / pixel_m)
    affine = Affine(pixel_m, 0.0, left * pixel_m, 0.0, -pixel_m, top * pixel_m)
    return GeoBox((max(int(top - bottom), 1), max(int(right - left), 1)), affine, crs)


def _edge(product: Product, crs: str) -> tuple[np.ndarray, np.ndarray]:
    """Return points around the image in a projection."""
    from pyproj import Transformer

    lines, samples = (cell_means.knots(n, _STEP) for n in product.shape)
    along = np.concatenate([lines, lines, np.full(samples.size, lines[0]), np.full(samples.size, lines[-1])])
    across = np.concatenate([np.full(lines.size, samples[0]), np.full(lines.size, samples[-1]), samples, samples])
    latitude, longitude = product.swath.positions(along, across)
    return Transformer.from_crs("EPSG:4326", crs, always_xy=True).transform(longitude, latitude)


def on_grid(
    product: Product,
    *,
    pixel_m: float = 400.0,
    geobox: GeoBox | None = None,
    is_denoised: bool = True,
    noise_scale: Mapping[str, Mapping[str, float]] | None = None,
) -> xarray.Dataset:
    """Bring all channels of a product to a map grid.

    Parameters
    ----------
    product : Product
        A ground-range product of :func:`polynya.readers.sentinel1_grd.open_product`.
    pixel_m : float
        Pixel size of the polar grid, 80 to 800 m.
    geobox : odc.geo.geobox.GeoBox, optional
        Another grid than that of :func:`polar_geobox`; ``pixel_m`` is not used then.
    is_denoised : bool
        Whether the thermal noise is subtracted.
    noise_scale : mapping of str to mapping of str to float, optional
        Factors of the annotated noise, by channel and sub-swath.

    Returns
    -------
    xarray.Dataset
        Dimensions ``channel``, ``y``, ``x``: ``sigma0`` (mean over the cell, linear, may be negative) and ``nesz``
        (mean noise-equivalent sigma nought, linear), float32, NaN where there is none; ``pixels``, the pixels in the
        mean, uint16; ``valid``, uint8. Dimensions ``y``, ``x``: ``incidence_angle``, degrees; ``subswath``, uint8, 1
        for the first of the attribute ``subswaths``, 0 for none. With ``spatial_ref`` and the attributes of
        :func:`polynya.readers.sentinel1_grd.attributes`; ``noise_removed`` names the channels whose noise was
        subtracted.

    Raises
    ------
    ProductError
        If a file is missing or damaged, or no pixel is valid.
    UsageError
        If the pixel size does not fit.
    """
    _check_sizes(product)
    grid = polar_geobox(product, pixel_m=pixel_m) if geobox is None else geobox
    scale = noise_scale or {}
    known = [
        sentinel1_grd.radiometry(product, c, noise_scale=scale.get(c, scale.get(c.lower()))) for c in product.channels
    ]
    sums = _Sums.empty(len(known), int(grid.shape[0]) * int(grid.shape[1]))
    lattice = _Lattice.of(product, grid)
    with ExitStack() as stack:
        sources = [stack.enter_context(sentinel1_grd.open_image(product, c)) for c in product.channels]
        workers = stack.enter_context(ThreadPoolExecutor(len(sources)))
        for start in range(0, product.shape[0], STRIP):
            rows = slice(start, min(start + STRIP, product.shape[0]))
            cell, angle = lattice.strip(rows)
            jobs = [
                workers.submit(_add_strip, source, known[i], rows, cell, (sums, i), is_denoised=is_denoised)
                for i, source in enumerate(sources)
            ]
            cell_means.add(cell, angle, sums.angle, sums.seen)
            cell_means.mark(cell, known[0].noise.subswath(rows, slice(0, product.shape[1])), sums.subswath)
            for job in jobs:
                job.result()
    if not sums.pixels.any():
        raise ProductError(
            f"{product.product_id}: no pixel with data and valid noise lies on the grid; expected some. Look at the"
            " product's quick-look, and at the grid."
        )
    removed = [c for c, k in zip(product.channels, known, strict=True) if is_denoised and k.is_noise_known]
    data = _dataset(product, grid, sums, known[0].noise.swaths)
    return data.assign_attrs(noise_removed=" ".join(removed))


def _check_sizes(product: Product) -> None:
    shapes = {c: product.image(c).about.shape for c in product.channels}
    first, *others = shapes
    for channel in others:
        if shapes[channel] != shapes[first]:
            (h, w), (rows, columns) = shapes[channel], shapes[first]
            raise ProductError(
                f"{product.product_id}: {channel} has {h} x {w} pixels, {first} {rows} x {columns}; expected one size."
                " Download the product again."
            )


def _add_strip(
    image: OpenImage, known: Radiometry, rows: slice, cell: np.ndarray, into: tuple[_Sums, int], *, is_denoised: bool
) -> None:
    columns = slice(0, cell.shape[1])
    numbers = image.read(rows, columns)
    sigma0, nesz = sentinel1_grd.sigma_nought(numbers, known, rows=rows, columns=columns, is_denoised=is_denoised)
    sums, i = into
    cell_means.add_pair(cell, sigma0, nesz, sums.power[i], sums.noise[i], sums.pixels[i])


@dataclass(frozen=True, kw_only=True, eq=False)
class _Lattice:
    """Position on the grid and incidence angle at every 32nd pixel of every 32nd line."""

    lines: np.ndarray
    samples: tuple[np.ndarray, np.ndarray]
    width: int
    shape: tuple[int, int]
    column: np.ndarray
    row: np.ndarray
    angle: np.ndarray

    @classmethod
    def of(cls, product: Product, grid: GeoBox) -> _Lattice:
        """Project the lattice of a product."""
        from pyproj import Transformer

        own = (product.swath.lines, product.swath.samples)
        lines, samples = (cell_means.knots(n, _STEP, known=k) for n, k in zip(product.shape, own, strict=True))
        latitude, longitude = product.swath.positions(lines[:, None], samples[None, :])
        x, y = Transformer.from_crs("EPSG:4326", str(grid.crs), always_xy=True).transform(longitude, latitude)
        affine = ~grid.affine
        return cls(
            lines=lines,
            samples=cell_means.between(samples, np.arange(product.shape[1])),
            width=product.shape[1],
            shape=(int(grid.shape[0]), int(grid.shape[1])),
            column=affine.a * x + affine.b * y + affine.c,
            row=affine.d * x + affine.e * y + affine.f,
            angle=product.incidence_angle(lines, samples),
        )

    def strip(self, rows: slice) -> tuple[np.ndarray, np.ndarray]:
        """Return the cells of a strip's pixels and their incidence angles."""
        at = cell_means.between(self.lines, np.arange(rows.start, rows.stop))
        column, row, angle = (np.empty((rows.stop - rows.start, self.width)) for _ in range(3))
        for out, lattice in ((column, self.column), (row, self.row), (angle, self.angle)):
            cell_means.spread(out, lattice, *at, *self.samples)
        cell = np.empty(column.shape, np.int32)
        cell_means.cells(cell, column, row, self.shape)
        return cell, angle


def _means(total: np.ndarray, count: np.ndarray) -> np.ndarray:
    """Divide sums by their counts in place, NaN where there is none."""
    with np.errstate(divide="ignore", invalid="ignore"):
        np.divide(total, count, out=total)
    return total


def _dataset(product: Product, grid: GeoBox, sums: _Sums, swaths: Sequence[str]) -> xarray.Dataset:
    import xarray as xr

    shape = (int(grid.shape[0]), int(grid.shape[1]))
    whole = abs(grid.affine.a * grid.affine.e) / float(np.prod(product.spacing_m))
    valid = (sums.pixels >= max(LEAST_SHARE * whole, 1.0)).astype(np.uint8)
    mapping = {"grid_mapping": "spatial_ref"}

    def layers(
        values: np.ndarray, about: Mapping[str, object]
    ) -> tuple[tuple[str, ...], np.ndarray, dict[str, object]]:
        dims = ("channel", "y", "x") if values.ndim == 2 else ("y", "x")
        return dims, values.reshape(*values.shape[:-1], *shape), {**about, **mapping}

    data = {
        "sigma0": layers(_means(sums.power, sums.pixels), sentinel1_grd.SIGMA0),
        "nesz": layers(_means(sums.noise, sums.pixels), sentinel1_grd.NESZ),
        "pixels": layers(sums.pixels, PIXELS),
        "valid": layers(valid, VALID),
        "incidence_angle": layers(_means(sums.angle, sums.seen), sentinel1_grd.INCIDENCE),
        "subswath": layers(sums.subswath, SUBSWATH),
    }
    t = grid.affine
    x, y = t.c + t.a * (np.arange(shape[1]) + 0.5), t.f + t.e * (np.arange(shape[0]) + 0.5)
    return xr.Dataset(
        data,
        coords={
            "channel": list(product.channels),
            "y": ("y", y, {"units": "m", "standard_name": "projection_y_coordinate"}),
            "x": ("x", x, {"units": "m", "standard_name": "projection_x_coordinate"}),
            "spatial_ref": ((), 0, {**grid.crs.proj.to_cf(), "GeoTransform": " ".join(str(v) for v in t.to_gdal())}),
        },
        attrs={**sentinel1_grd.attributes(product), "subswaths": " ".join(swaths)},
    )


def decibels(power: np.ndarray, *, low: float = -60.0) -> np.ndarray:
    """Return linear power in decibels.

    Parameters
    ----------
    power : numpy.ndarray
        Linear, after averaging; where it is not above zero the result is ``low``.
    low : float
        Smallest result, dB.

    Returns
    -------
    numpy.ndarray of float32, same shape
        NaN where the power is NaN.
    """
    floor = 10.0 ** (low / 10.0)
    return (10.0 * np.log10(np.maximum(power, floor))).astype(np.float32)

"""Sentinel-3 OLCI level 1: radiance of 21 bands, flags, and positions at tie points.

Checked on a cut of a real product of 1 March 2018 (Oa03, Oa08, Oa17, Oa21, quality flags, tie positions; IPF 06.07).
How a whole ``.SEN3`` folder is laid out (``Oa01_radiance.nc`` to ``Oa21_radiance.nc``, ``qualityFlags.nc``,
``tie_geo_coordinates.nc``, ``tie_geometries.nc`` with ``SZA``, ``instrument_data.nc`` with ``solar_flux``) is from
memory. Files of a cut may carry more before and after these names. Where the tie points reach every line, the image is
put on a polar grid of 300 m, nearest pixel; else it stays in the sensor's own lines and samples.

Counts: radiance over the sun's irradiance of the band (the product's, else nominal values from memory), in a straight
line to 255 at the percentile 99.5 of a sample, because the height of the sun changes over a scene.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import ProductError
from ..io import opening
from ..physics.swath import Swath
from .ice_image import LOOK, IceImage, Read, as_counts, bright_limit, check_valid
from .times import utc

if TYPE_CHECKING:
    import h5py
    from odc.geo.geobox import GeoBox

PRODUCT = "sentinel3_olci"
RELEASES = ("NT_002", "NT_003")
CHECKED = ("NT_002",)
BANDS = tuple(f"Oa{k:02d}" for k in range(1, 22))
RED, GREEN, BLUE, NIR = ("Oa08", "Oa07"), ("Oa06", "Oa05"), ("Oa04", "Oa03"), ("Oa17", "Oa18")
"""Bands that serve as a colour, the best first."""
_NOMINAL = """1471 1542 1714 1877 1925 1940 1801 1650 1531 1496 1420 1265 1254 1178 1229 1195 1176 958 930 893 825"""
IRRADIANCE = dict(zip(BANDS, (float(v) for v in _NOMINAL.split()), strict=True))
"""Nominal irradiance of the sun outside the air, mW m-2 nm-1, rounded, from memory: ratios of bands rest on them."""
PIXEL_M = 300.0
TIE_SAMPLES = 64
"""Samples from one tie point to the next where the product does not say."""
_BAND = re.compile(r"(Oa\d\d)_radiance")


@dataclass(frozen=True, kw_only=True)
class Files:
    """The files of a product: radiance by band, flags, tie positions and what the sun sends, None where missing."""

    name: str
    radiance: Mapping[str, Path]
    flags: Path | None
    ties: Path | None
    instrument: Path | None


def is_product(path: Path) -> bool:
    """Return whether a folder, or the folder of a NetCDF file, holds radiance of OLCI."""
    if path.is_dir():
        return any(_BAND.search(p.name) and p.suffix == ".nc" for p in path.iterdir())
    return path.suffix == ".nc" and bool(_BAND.search(path.name))


def files_of(path: Path) -> Files:
    """Return the files of a product.

    Parameters
    ----------
    path : Path
        The folder, or one of its radiance files: those whose names begin and end alike belong to it.

    Raises
    ------
    ProductError
        If there is no radiance, or of several products.
    """
    own = _BAND.search(path.name)
    if not path.is_dir() and (own is None or path.suffix != ".nc"):
        raise ProductError(
            f"{path.name}: is no file of OLCI radiance; expected a folder (.SEN3) or a file such as Oa08_radiance.nc."
            " Name one."
        )
    folder = path if path.is_dir() else path.parent
    found: dict[str, dict[str, Path]] = {}
    for file in sorted(folder.glob("*.nc")):
        match = _BAND.search(file.name)
        if match:
            found.setdefault(file.name[: match.start()], {})[match[1]] = file
    if not path.is_dir() and own is not None:
        start = path.name[: own.start()]
    else:
        start = next(iter(found)) if len(found) == 1 else ""
    if start not in found:
        raise ProductError(
            f"{path.name}: radiance of {len(found)} OLCI products; expected one. Name its folder or one of its files"
            " (Oa08_radiance.nc)."
        )

    def named(word: str) -> Path | None:
        return next(iter(sorted(folder.glob(f"{start}{word}*.nc"))), None)

    name = folder.stem if not start else start.rstrip("_")
    return Files(
        name=name,
        radiance=found[start],
        flags=named("qualityFlags"),
        ties=named("tie_geo_coordinates"),
        instrument=named("instrument_data"),
    )


def read(path: Path | str) -> IceImage:
    """Open a product.

    Parameters
    ----------
    path : Path or str
        The ``.SEN3`` folder, or a radiance file in it.

    Returns
    -------
    IceImage
        ``spectra`` gives the radiance of all bands where all 21 are there.

    Raises
    ------
    ProductError
        If a file is damaged, has another size, red, green and blue cannot be had, or no pixel is valid.
    """
    files = files_of(Path(path))
    notes: list[str] = []
    red_name, green_name, blue_name = (_first(files, c) for c in (RED, GREEN, BLUE))
    if red_name is None or blue_name is None:
        raise ProductError(
            f"{files.name}: has {', '.join(files.radiance)}; expected a band of red ({' or '.join(RED)}) and of blue"
            f" ({' or '.join(BLUE)}). Get the whole product."
        )
    if green_name is None:
        notes.append(f"no green band: the mean of {red_name} and {blue_name} stands in")
    colours = [c for c in (red_name, green_name, blue_name) if c is not None]
    shape = _shape(files)
    flux = _irradiance(files)
    native = {b: _radiance(p, b, shape) for b, p in files.radiance.items()}
    limit = _limit(native, flux, colours, shape)
    notes.append(f"radiance over the sun's irradiance: {limit:.3g} sr-1 becomes 255 counts")
    place = _grid(files, shape, notes)

    def rgb(rows: slice, columns: slice) -> np.ndarray:
        seen = {c: native[c](rows, columns) / np.float32(flux[c]) for c in colours}
        red, blue = seen[red_name], seen[blue_name]
        values = np.stack([red, 0.5 * (red + blue) if green_name is None else seen[green_name], blue])
        values[:, ~np.isfinite(values).all(axis=0)] = np.nan
        return as_counts(values, limit)

    sensors: dict[str, Read] = {"rgb": rgb}
    near = _first(files, NIR)
    if near:
        sensors["nir"] = lambda rows, columns: as_counts(native[near](rows, columns) / flux[near], limit)[None]
    spectra = _spectra(native) if len(native) == len(BANDS) else None
    land = _flag(files.flags, "land", shape) if files.flags else None
    if place is not None:
        swath, geobox = place
        sensors = {k: _warped(r, swath, geobox) for k, r in sensors.items()}
        spectra = _warped(spectra, swath, geobox) if spectra else None
        land = _warped(land, swath, geobox) if land else None
        shape = (int(geobox.shape[0]), int(geobox.shape[1]))
    return check_valid(
        IceImage(
            name=files.name,
            shape=shape,
            geobox=place[1] if place else None,
            sensors=sensors,
            land=land,
            time=_time(files),
            pixel_m=PIXEL_M,
            notes=tuple(notes),
            product=PRODUCT,
            spectra=spectra,
        )
    )


def _first(files: Files, wanted: tuple[str, ...]) -> str | None:
    return next((b for b in wanted if b in files.radiance), None)


def _variable(handle: h5py.File, name: str, path: Path) -> h5py.Dataset:
    if name not in handle:
        raise ProductError(f"{path.name}: {name} is missing; expected it in a file of OLCI. Get the product again.")
    return handle[name]


def _shape(files: Files) -> tuple[int, int]:
    """Return lines and samples; all bands must have the same."""
    found = {}
    for band, path in files.radiance.items():
        with opening.open_hdf5(path, kind="NetCDF") as handle:
            found[band] = _variable(handle, f"{band}_radiance", path).shape
    if len(set(found.values())) != 1 or len(next(iter(found.values()))) != 2:
        raise ProductError(
            f"{files.name}: bands of {', '.join(f'{b} {s}' for b, s in found.items())} pixels; expected one size. Get"
            " the product again."
        )
    return next(iter(found.values()))


def _radiance(path: Path, band: str, shape: tuple[int, int]) -> Read:
    def read_window(rows: slice, columns: slice) -> np.ndarray:
        with opening.open_hdf5(path, kind="NetCDF") as handle:
            data = _variable(handle, f"{band}_radiance", path)
            try:
                stored = data[rows, columns]
            except OSError as error:
                raise ProductError(
                    f"{path.name}: {band} cannot be read, rows {rows.start} to {rows.stop}; expected a whole file. Get"
                    " it again."
                ) from error
            scale, offset = (float(np.ravel(data.attrs.get(k, d))[0]) for k, d in _PACKING)
            fill = np.ravel(data.attrs.get("_FillValue", 65535))[0]
        values = stored.astype(np.float32) * np.float32(scale) + np.float32(offset)
        values[stored == fill] = np.nan
        return values

    return read_window


_PACKING = (("scale_factor", 1.0), ("add_offset", 0.0))


def _spectra(native: Mapping[str, Read]) -> Read:
    def read_window(rows: slice, columns: slice) -> np.ndarray:
        return np.stack([native[b](rows, columns) for b in BANDS])

    return read_window


def _irradiance(files: Files) -> dict[str, float]:
    """Return the sun's irradiance of every band: the product's mean over detectors, else the nominal one."""
    out = {b: float(v) for b, v in IRRADIANCE.items()}
    if files.instrument is None:
        return out
    with opening.open_hdf5(files.instrument, kind="NetCDF") as handle:
        if "solar_flux" in handle and handle["solar_flux"].shape[0] == len(BANDS):
            flux = handle["solar_flux"][:].reshape(len(BANDS), -1).astype(float)
            flux[flux <= 0.0] = np.nan
            out.update({b: float(np.nanmean(f)) for b, f in zip(BANDS, flux, strict=True) if np.isfinite(f).any()})
    return out


def _limit(native: Mapping[str, Read], flux: Mapping[str, float], bands: list[str], shape: tuple[int, int]) -> float:
    step = max(-(-shape[0] // LOOK), 1)
    skip = max(-(-shape[1] // LOOK), 1)
    sample = []
    for band in bands:  # blocks of lines that a window may hold, thinned out
        parts = [
            native[band](slice(k, min(k + LOOK, shape[0])), slice(0, shape[1]))[(-k) % step :: step, ::skip]
            for k in range(0, shape[0], LOOK)
        ]
        sample.append(np.concatenate(parts) / np.float32(flux[band]))
    return bright_limit(np.stack(sample))


def _flag(path: Path, name: str, shape: tuple[int, int]) -> Read:
    with opening.open_hdf5(path, kind="NetCDF") as handle:
        data = _variable(handle, "quality_flags", path)
        words = data.attrs.get("flag_meanings", b"land")
        words = (words.decode() if isinstance(words, bytes) else str(words)).split()
        masks = np.ravel(data.attrs.get("flag_masks", np.array([1 << 31], np.uint32)))
        if data.shape != shape or name not in words:
            raise ProductError(
                f"{path.name}: flags of {data.shape} pixels, {len(words)} meanings; expected {shape} with {name}. Get"
                " the product again."
            )
        mask = np.uint32(masks[words.index(name)])

    def read_window(rows: slice, columns: slice) -> np.ndarray:
        with opening.open_hdf5(path, kind="NetCDF") as handle:
            return (handle["quality_flags"][rows, columns] & mask) != 0

    return read_window


def _grid(files: Files, shape: tuple[int, int], notes: list[str]) -> tuple[Swath, GeoBox] | None:
    """Return the swath and a polar grid of 300 m around it; None where the positions do not reach."""
    if files.ties is None:
        notes.append("no positions: the image stays in lines and samples of the sensor")
        return None
    with opening.open_hdf5(files.ties, kind="NetCDF") as handle:
        latitude, longitude = (_degrees(_variable(handle, n, files.ties)) for n in ("latitude", "longitude"))
        along, across = (
            int(np.ravel(handle.attrs.get(f"{k}_subsampling_factor", d))[0]) for k, d in (("al", 1), ("ac", 64))
        )
    lines, samples = np.arange(latitude.shape[0]) * float(along), np.arange(latitude.shape[1]) * float(across)
    if lines[-1] < shape[0] - 1 - along or samples[-1] < shape[1] - 1 - across:
        notes.append(
            f"tie points reach line {lines[-1]:.0f} of {shape[0]} and sample {samples[-1]:.0f} of {shape[1]}: the image"
            " stays in lines and samples of the sensor"
        )
        return None
    keep = max(int(np.ceil((shape[0] - 1) / along)) + 1, 2), max(int(np.ceil((shape[1] - 1) / across)) + 1, 2)
    swath = Swath(
        shape=shape,
        lines=lines[: keep[0]],
        samples=samples[: keep[1]],
        latitude=latitude[: keep[0], : keep[1]],
        longitude=longitude[: keep[0], : keep[1]],
    )
    return swath, _geobox(swath)


def _degrees(data: h5py.Dataset) -> np.ndarray:
    values = data[:].astype(float)
    values[data[:] == np.ravel(data.attrs.get("_FillValue", -(2**31)))[0]] = np.nan
    return values * float(np.ravel(data.attrs.get("scale_factor", 1.0))[0])


def _geobox(swath: Swath) -> GeoBox:
    from affine import Affine
    from odc.geo.geobox import GeoBox
    from pyproj import Transformer

    crs = "EPSG:3413" if float(np.mean(swath.latitude)) >= 0.0 else "EPSG:3031"
    x, y = Transformer.from_crs("EPSG:4326", crs, always_xy=True).transform(swath.longitude, swath.latitude)
    left, top = np.floor(x.min() / PIXEL_M) * PIXEL_M, np.ceil(y.max() / PIXEL_M) * PIXEL_M
    rows, columns = int(np.ceil((top - y.min()) / PIXEL_M)), int(np.ceil((x.max() - left) / PIXEL_M))
    return GeoBox((max(rows, 1), max(columns, 1)), Affine(PIXEL_M, 0, left, 0, -PIXEL_M, top), crs)


def _warped(native: Read, swath: Swath, geobox: GeoBox) -> Read:
    """Return a reader on the grid: the nearest pixel of the swath, which does not depend on the window."""

    def read_window(rows: slice, columns: slice) -> np.ndarray:
        from pyproj import Transformer

        t = geobox.affine
        x = t.c + t.a * (np.arange(columns.start, columns.stop) + 0.5)
        y = t.f + t.e * (np.arange(rows.start, rows.stop) + 0.5)
        to_degrees = Transformer.from_crs(str(geobox.crs), "EPSG:4326", always_xy=True)
        longitude, latitude = to_degrees.transform(*np.meshgrid(x, y))
        line, sample = swath.locate(latitude, longitude)
        known = np.isfinite(line)
        if not known.any():
            one = native(slice(0, 1), slice(0, 1))
            return np.full((*one.shape[:-2], *line.shape), _missing(one), one.dtype)
        i = np.clip(np.rint(line[known]).astype(int), 0, swath.shape[0] - 1)
        j = np.clip(np.rint(sample[known]).astype(int), 0, swath.shape[1] - 1)
        values = native(slice(i.min(), i.max() + 1), slice(j.min(), j.max() + 1))
        out = np.full((*values.shape[:-2], *line.shape), _missing(values), values.dtype)
        out[..., known] = values[..., i - i.min(), j - j.min()]
        return out

    return read_window


def _missing(values: np.ndarray) -> float:
    return 0.0 if values.dtype == bool else np.nan


def _time(files: Files) -> np.datetime64 | None:
    path = next(iter(files.radiance.values()))
    with opening.open_hdf5(path, kind="NetCDF") as handle:
        text = handle.attrs.get("start_time")
    if text is None:
        return None
    return utc(text.decode() if isinstance(text, bytes) else str(text), name=path.name)

"""AI4Arctic sea ice challenge data set: Sentinel-1, AMSR2, ERA5 and ice charts of one scene, raw or ready to train.

Checked on no real file: none was available. Names, shapes and values are those of the set's manual and of published
listings of its files (Buus-Hinkler et al. 2022, doi:10.11583/DTU.c.6244065); polygon codes were checked on the 43 of a
real scene, class by class. Both forms are read into the same names and units: dB, K, m/s, degrees, classes.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.interpolate import RegularGridInterpolator

from ..errors import ProductError, UsageError, one_line
from ..io import opening
from ..physics.swath import Swath, cartesian_m
from . import ai4arctic_polygons as polygons
from . import ai4arctic_preparation as preparation
from . import sigrid3_codes
from .amsr2_swath import CHANNELS as BRIGHTNESS
from .scene_layer import as_window
from .sigrid3_codes import CHARTS

if TYPE_CHECKING:
    import xarray

    from .scene_layer import AnyWindow

PRODUCT = "AI4Arctic scene"
RELEASES = ("ready to train", "raw")
CHECKED: tuple[str, ...] = ()
DOI = "10.11583/DTU.c.6244065"

UNITS = {
    "nersc_sar_primary": "dB",
    "nersc_sar_secondary": "dB",
    "sar_incidenceangle": "degree",
    "distance_map": "1",
    **dict.fromkeys(BRIGHTNESS, "K"),
    **dict.fromkeys(("u10m_rotated", "v10m_rotated"), "m s-1"),
    **dict.fromkeys(("t2m", "skt"), "K"),
    **dict.fromkeys(("tcwv", "tclw"), "kg m-2"),
    **dict.fromkeys(CHARTS, "1"),
}
"""Every variable that is read, and its units. ``distance_map`` is a zone: 0 land, 1 to 0.5 km, 2 to 1 km, then steps of
1 km to 20 km (21), of 5 km to 50 km (27), of 10 km beyond."""
FULL = ("nersc_sar_primary", "nersc_sar_secondary", "sar_incidenceangle", "distance_map", *CHARTS)
"""On the pixels of the image; the others lie on cells of 2 km."""
RAW_PIXEL_M, PIXEL_M = 40.0, 80.0
IMAGE_DIMS, CELL_DIMS = ("sar_lines", "sar_samples"), ("2km_grid_lines", "2km_grid_samples")
EXPECTED = "a scene of AI4Arctic, ready to train (…_prep.nc) or raw (S1…_icechart_….nc). Get it again"
_PREPARED = re.compile(r"(?P<time>\d{8}T\d{6})_(?P<service>[a-z]{3})_prep")


@dataclass(frozen=True, kw_only=True)
class Scene:
    """What a file holds, without its pixels.

    Attributes
    ----------
    path : Path
    form : str
        ``ready to train``, ``raw``, or ``reference`` (the charts of a test scene, in a file of their own).
    name : str
        ``20180607T184326_dmi``.
    original : str
        Name of the raw file, empty where the file does not state it.
    time : str
        Start of the image, ISO 8601; empty where neither the file nor its name states it.
    service : str
        Ice service: ``cis``, ``dmi`` or empty.
    shape : (int, int)
        Lines and samples of the image.
    cells : (int, int)
        Of the grid of 2 km; (0, 0) in a reference.
    pixel_m : float
        40 in raw files, else 80.
    variables : tuple of str
        Those of :data:`UNITS` that can be read, charts of a sibling reference file among them.
    reference : Path or None
        The file of the charts where they are not in this one.
    swath : Swath or None
        Where the pixels lie; None in a reference.
    """

    path: Path
    form: str
    name: str
    original: str
    time: str
    service: str
    shape: tuple[int, int]
    cells: tuple[int, int]
    pixel_m: float
    variables: tuple[str, ...]
    reference: Path | None
    swath: Swath | None


def is_scene(path: Path | str) -> bool:
    """Return whether a NetCDF file is a scene of AI4Arctic, or the charts of one.

    Parameters
    ----------
    path : Path or str
        Any file; one that cannot be read is none.
    """
    try:
        with opening.open_netcdf(path, expected=EXPECTED) as data:
            return _form(data) != ""
    except ProductError:
        return False


def open_scene(path: Path | str) -> Scene:
    """Describe a scene; no pixel is read.

    Parameters
    ----------
    path : Path or str
        Ready to train, raw, or a reference of charts.

    Raises
    ------
    ProductError
        If the file is damaged, is none of these, or its geolocation does not fit.
    """
    path = Path(path)
    with opening.open_netcdf(path, expected=EXPECTED) as data, _reading(path):
        form = _form(data)
        if not form:
            found = ", ".join(str(v) for v in list(data.variables)[:8])
            raise ProductError(f"{path.name}: holds {found or 'nothing'}; expected {EXPECTED}.")
        image = data["polygon_icechart" if form == "raw" and "nersc_sar_primary" not in data else _first_full(data)]
        shape = (int(image.shape[0]), int(image.shape[1]))
        cell = next((data[n] for n in (*BRIGHTNESS, *preparation.WEATHER) if n in data), None)
        swath = None if form == "reference" else _swath(data, shape, is_raw=form == "raw", file=path.name)
        attributes = dict(data.attrs)
        inside = _variables(data, form)
    sibling = path.with_name(f"{path.stem}_reference.nc")
    reference = sibling if form == "ready to train" and "SIC" not in inside and sibling.is_file() else None
    original = str(attributes.get("original_id", "")) or (path.name if form == "raw" else "")
    time, service = _time_and_service(path.name, original, str(attributes.get("ice_service", "")))
    return Scene(
        path=path,
        form=form,
        name=f"{time.replace('-', '').replace(':', '').rstrip('Z')}_{service}".strip("_") or path.stem,
        original=original,
        time=time,
        service=service,
        shape=shape,
        cells=(0, 0) if cell is None else (int(cell.shape[0]), int(cell.shape[1])),
        pixel_m=RAW_PIXEL_M if form == "raw" else PIXEL_M,
        variables=(*inside, *(CHARTS if reference else ())),
        reference=reference,
        swath=swath,
    )


def read(
    path: Path | str, *, variables: Sequence[str] | None = None, window: AnyWindow = None, scene: Scene | None = None
) -> xarray.Dataset:
    """Read a scene in physical units.

    Parameters
    ----------
    path : Path or str
        As :func:`open_scene` takes it.
    variables : sequence of str, optional
        Of :data:`UNITS`; by default all that the file has.
    window : rasterio.windows.Window or ((row0, row1), (col0, col1)), optional
        Lines and samples of the image; cells of 2 km are read whole.
    scene : Scene, optional
        Of this file, if it is open already.

    Returns
    -------
    xarray.Dataset
        On the product's dimensions, with units. Float32 with NaN where missing; classes uint8 with 255. In ready-to-
        train files a radar pixel is missing where both channels are exactly 0 (their fill), and with it the incidence
        angle and the zone that are 0 too.

    Raises
    ------
    ProductError
        If the file is damaged or none of these.
    UsageError
        If a variable is not there, or the window reaches outside.
    """
    import xarray as xr

    scene = scene or open_scene(path)
    wanted = tuple(scene.variables if variables is None else variables)
    unknown = [n for n in wanted if n not in scene.variables]
    if unknown:
        raise UsageError(
            f"{scene.path.name}: has no {', '.join(unknown)}; expected variables of {', '.join(scene.variables)}."
        )
    rows, columns = as_window(scene.shape, window, name=scene.path.name).toslices()
    out: dict[str, Any] = {}
    with opening.open_netcdf(scene.path, expected=EXPECTED) as data, _reading(scene.path):
        part = _Part(data=data, scene=scene, rows=rows, columns=columns)
        charts = _charts(part) if set(wanted) & set(CHARTS) else {}
        for name in wanted:
            values = charts[name] if name in CHARTS else _channel(part, name)
            out[name] = (IMAGE_DIMS if name in FULL else CELL_DIMS, values, {"units": UNITS[name]})
    about = {"source": scene.path.name, "scene": scene.name, "time": scene.time, "pixel_m": scene.pixel_m}
    return xr.Dataset(out, attrs=about)


def read_charts(path: Path | str) -> dict[str, np.ndarray]:
    """Return the charts of a scene at 80 m, as the challenge scores them: uint8, 255 unknown.

    Parameters
    ----------
    path : Path or str
        Ready to train, raw (largest class of every 2 x 2 pixels, unknown where the radar saw nothing), or a reference.

    Raises
    ------
    ProductError
        If the file is damaged or has no charts.
    """
    scene = open_scene(path)
    if "SIC" not in scene.variables:
        raise ProductError(
            f"{scene.path.name}: has no chart, and no {scene.path.stem}_reference.nc lies beside it; expected SIC, SOD"
            " and FLOE. Copy the reference file there."
        )
    has_radar = scene.form == "raw" and set(preparation.RADAR) <= set(scene.variables)
    found = read(path, variables=(*CHARTS, *(preparation.RADAR if has_radar else ())), scene=scene)
    charts = {n: found[n].to_numpy() for n in CHARTS}
    if scene.form != "raw":
        return charts
    charts = {n: preparation.largest_of_four(v) for n, v in charts.items()}
    if not has_radar:
        return charts
    sums = sum(preparation.mean_of_four(found[n].to_numpy()) for n in preparation.RADAR)
    return preparation.with_radar_mask(charts, np.isnan(sums))


@dataclass(frozen=True, kw_only=True)
class _Part:
    """A window of an open file."""

    data: xarray.Dataset
    scene: Scene
    rows: slice
    columns: slice


def _channel(part: _Part, name: str) -> np.ndarray:
    """Return one channel in physical units."""
    data, rows, columns = part.data, part.rows, part.columns
    if part.scene.form == "raw":
        if name == "sar_incidenceangle":
            return _incidence(data, rows, columns)
        node = data[name][rows, columns] if name in FULL else data[name]
        return node.to_numpy().astype(np.float32)
    group = next((g for g in preparation.TOGETHER if name in g), preparation.RADAR)
    stored = {n: (data[n][rows, columns] if n in FULL else data[n]).to_numpy() for n in {*group, name} if n in data}
    is_missing = np.all([stored[n] == 0 for n in group if n in stored], axis=0)
    if name not in group:
        is_missing &= stored[name] == 0
    values = preparation.physical(stored[name], name)
    if name == "distance_map":
        values = np.round(values, 3)
    return np.where(is_missing, np.float32(np.nan), values)


def _charts(part: _Part) -> dict[str, np.ndarray]:
    """Return the three charts of a window."""
    rows, columns = part.rows, part.columns
    if part.scene.form == "raw":
        table = polygons.classes_of(part.data["polygon_codes"].to_numpy(), file=part.scene.path.name)
        return polygons.drawn(part.data["polygon_icechart"][rows, columns].to_numpy(), table)
    if part.scene.reference is None:
        return {n: _classes(part.data[n][rows, columns].to_numpy()) for n in CHARTS}
    with opening.open_netcdf(part.scene.reference, expected=EXPECTED) as data, _reading(part.scene.reference):
        if any(n not in data or data[n].shape != part.scene.shape for n in CHARTS):
            raise ProductError(
                f"{part.scene.reference.name}: has no SIC, SOD and FLOE of {part.scene.shape[0]} x"
                f" {part.scene.shape[1]} pixels; expected the charts of {part.scene.path.name}. Get it again."
            )
        return {n: _classes(data[n][rows, columns].to_numpy()) for n in CHARTS}


def _classes(stored: np.ndarray) -> np.ndarray:
    """Return classes as uint8; what a reader took for missing is 255."""
    return np.nan_to_num(stored, nan=sigrid3_codes.MASK).astype(np.uint8)


def _incidence(data: xarray.Dataset, rows: slice, columns: slice) -> np.ndarray:
    """Return the incidence angle of pixels, linear between the points of a raw file."""
    lines, samples, (angle,) = _points(data, ("sar_grid_incidenceangle",))
    grid = RegularGridInterpolator((lines, samples), angle, bounds_error=False, fill_value=None)
    line, sample = np.arange(rows.start, rows.stop), np.arange(columns.start, columns.stop)
    return grid(tuple(np.meshgrid(line, sample, indexing="ij"))).astype(np.float32)


def _points(data: xarray.Dataset, names: Sequence[str]) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """Return lines, samples and values of the geolocation points of a raw file, as grids."""
    line, sample = (data[n].to_numpy().astype(np.float64).ravel() for n in ("sar_grid_line", "sar_grid_sample"))
    lines, row = np.unique(line, return_inverse=True)
    samples, column = np.unique(sample, return_inverse=True)
    grids = []
    for name in names:
        grid = np.full((len(lines), len(samples)), np.nan)
        grid[row, column] = data[name].to_numpy().ravel()
        grids.append(grid)
    return lines, samples, grids


def point_positions(pixels: int, points: int) -> np.ndarray:
    """Return lines (or samples) of the geolocation points of a scene, pixels of 40 m.

    They stand a whole number of pixels apart, and the last one on the last pixel, so the last interval is shorter.

    Parameters
    ----------
    pixels, points : int
        Lines (or samples) of the raw image, and geolocation points along them.
    """
    step = -(-pixels // (points - 1))
    return np.minimum(step * np.arange(points), pixels - 1).astype(np.float64)


def _prepared_positions(pixels: int, latitude: np.ndarray, longitude: np.ndarray, *, axis: int) -> np.ndarray:
    """Return lines (axis 0) or samples of the points of a ready-to-train scene, pixels of 80 m.

    Whether the raw image had an odd line more decides how far apart the points stand; their distances tell.
    """
    place = cartesian_m(
        np.take(latitude, latitude.shape[1 - axis] // 2, 1 - axis),
        np.take(longitude, longitude.shape[1 - axis] // 2, 1 - axis),
    )
    along = np.append(0.0, np.cumsum(np.linalg.norm(np.diff(place, axis=1), axis=0)))
    candidates = [point_positions(n, len(along)) for n in (2 * pixels, 2 * pixels + 1)]
    misfits = [np.abs(along / along[-1] - c / c[-1]).max() for c in candidates]
    raw = candidates[int(np.argmin(misfits))]
    return (raw + 0.5) / 2.0 - 0.5  # a pixel of 80 m holds two of 40 m: its middle lies between theirs


def _swath(data: xarray.Dataset, shape: tuple[int, int], *, is_raw: bool, file: str) -> Swath:
    """Return where pixels lie."""
    if is_raw:
        lines, samples, (latitude, longitude) = _points(data, ("sar_grid_latitude", "sar_grid_longitude"))
    else:
        names = ("sar_grid2d_latitude", "sar_grid2d_longitude")
        if any(n not in data or data[n].ndim != 2 or min(data[n].shape) < 2 for n in names):
            raise ProductError(f"{file}: has no {' and '.join(names)}; expected 21 x 21 points. Get the file again.")
        latitude, longitude = (data[n].to_numpy().astype(np.float64) for n in names)
        lines, samples = (_prepared_positions(n, latitude, longitude, axis=k) for k, n in enumerate(shape))
    return Swath(shape=shape, lines=lines, samples=samples, latitude=latitude, longitude=longitude)


def _form(data: xarray.Dataset) -> str:
    """Return what kind of file it is; empty for none of them."""
    names = set(map(str, data.variables))
    if {"polygon_icechart", "polygon_codes", "sar_grid_latitude", "sar_grid_line"} <= names:
        return "raw"
    if "nersc_sar_primary" in names and "sar_grid2d_latitude" in names:
        return "ready to train"
    return "reference" if set(CHARTS) <= names else ""


def _first_full(data: xarray.Dataset) -> str:
    return next(n for n in ("nersc_sar_primary", *CHARTS) if n in data.variables)


def _variables(data: xarray.Dataset, form: str) -> tuple[str, ...]:
    """Return what can be read of a file."""
    made = {"sar_incidenceangle", *CHARTS} if form == "raw" else set()
    return tuple(n for n in UNITS if n in data.variables or n in made)


def _time_and_service(file: str, original: str, service: str) -> tuple[str, str]:
    """Return the start of the image, ISO 8601, and the ice service, from names where attributes do not state them."""
    name = _PREPARED.search(file)
    compact = original[17:32] if re.fullmatch(r"\d{8}T\d{6}", original[17:32]) else name["time"] if name else ""
    service = service or (name["service"] if name else original[77:80])
    if not compact:
        return "", service
    date, clock = f"{compact[:4]}-{compact[4:6]}-{compact[6:8]}", f"{compact[9:11]}:{compact[11:13]}:{compact[13:15]}"
    return f"{date}T{clock}Z", service


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Give errors of the NetCDF library one line."""
    try:
        yield
    except (OSError, RuntimeError, KeyError, IndexError) as error:
        raise ProductError(f"{path.name}: cannot be read ({one_line(error)[:140]}); expected {EXPECTED}.") from error

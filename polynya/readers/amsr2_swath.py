"""AMSR2 brightness temperatures on the grid of a Sentinel-1 scene, as the Danish Meteorological Institute makes them.

Checked on the file beside one scene of its automated sea ice products (ASIP), 23 August 2019. Level 1B swaths of AMSR2
are resampled onto cells of 50 x 50 pixels of 40 m of an EW GRDM image, so the file has no positions of its own: they
are those of the image. AI4Arctic files carry the same channels (:mod:`polynya.readers.ai4arctic`).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import ProductError, one_line
from ..io import opening

if TYPE_CHECKING:
    import xarray

PRODUCT = "AMSR2 on a Sentinel-1 grid"
RELEASES = ("DMI ASIP",)
CHECKED = ("DMI ASIP",)
FREQUENCIES = ("6_9", "7_3", "10_7", "18_7", "23_8", "36_5", "89_0")
"""GHz, as they stand in names of variables."""
CHANNELS = tuple(f"btemp_{f}{p}" for f in FREQUENCIES for p in "hv")
"""Brightness temperatures; the ASIP file writes the frequency with a point."""
CELL_PIXELS = 50
"""Lines and samples of the Sentinel-1 image (40 m) along a side of a cell."""
LOW_K, HIGH_K = 50.0, 350.0
"""Brightness temperatures outside are no measurement."""
EXPECTED = "AMSR2 brightness temperatures on a Sentinel-1 grid (NetCDF with btemp_6.9h ...). Check the file"
_SCENE = re.compile(r"S1[A-D]_\w{2}_\w{4}_\w{4}_(?P<start>\d{8}T\d{6})_\d{8}T\d{6}_\d{6}_[0-9A-F]{6}_[0-9A-F]{4}")


def read(path: Path | str) -> xarray.Dataset:
    """Read the channels of a file.

    Parameters
    ----------
    path : Path or str
        NetCDF.

    Returns
    -------
    xarray.Dataset
        :data:`CHANNELS` that the file has, float32, K, NaN where there is none or a value is impossible, and
        ``swath_segmentation`` (which overpass) where it is there; dimensions ``y`` and ``x``, coordinates ``line`` and
        ``sample``: the middle of every cell in pixels of the Sentinel-1 image, 0 the middle of its first one.
        ``attrs``: ``source``, ``scene`` (the image's name, empty where the file's name does not have it), ``time`` (its
        start, ISO 8601), ``swaths`` (files of level 1B) and ``delays_s`` (their distance in time from the image, as the
        file states it).

    Raises
    ------
    ProductError
        If the file is damaged, or has no channel, or channels of different shapes.
    """
    import xarray as xr

    path = Path(path)
    with opening.open_netcdf(path, expected=EXPECTED) as data:
        found = {n: data[v] for n in CHANNELS if (v := _spelled(n, data)) is not None}
        if not found:
            names = ", ".join(str(v) for v in list(data.data_vars)[:6])
            raise ProductError(f"{path.name}: holds {names or 'no variable'}; expected {EXPECTED}.")
        shapes = {v.shape for v in found.values()}
        if len(shapes) != 1 or len(next(iter(shapes))) != 2:
            raise ProductError(
                f"{path.name}: channels have the shapes {sorted(shapes)}; expected one of rows and columns. Get the"
                " file again."
            )
        try:
            values = {n: _kelvin(v) for n, v in found.items()}
            segments = data["swath_segmentation"].to_numpy() if "swath_segmentation" in data else None
        except (OSError, RuntimeError, ValueError) as error:
            raise ProductError(
                f"{path.name}: cannot be read ({one_line(error)[:140]}); expected {EXPECTED}."
            ) from error
        attributes = dict(data.attrs)
    rows, columns = next(iter(shapes))
    variables: dict[str, Any] = {
        n: (("y", "x"), v, {"units": "K", "standard_name": "brightness_temperature"}) for n, v in values.items()
    }
    if segments is not None and segments.shape == (rows, columns):
        variables["swath_segmentation"] = (("y", "x"), segments, {"long_name": "overpass of AMSR2"})
    scene = _SCENE.search(path.name)
    return xr.Dataset(
        variables,
        coords={
            "line": ("y", centres(rows), {"units": "1", "long_name": "line of the Sentinel-1 image"}),
            "sample": ("x", centres(columns), {"units": "1", "long_name": "sample of the Sentinel-1 image"}),
        },
        attrs={
            "source": path.name,
            "scene": scene[0] if scene else "",
            "time": _iso(scene["start"]) if scene else "",
            "swaths": [str(s) for s in np.atleast_1d(attributes.get("AMSR2_swaths", []))],
            "delays_s": [float(d) for d in np.atleast_1d(attributes.get("delays", []))],
        },
    )


def centres(count: int) -> np.ndarray:
    """Return where the middles of cells lie, in pixels of 40 m; shape (count,).

    Parameters
    ----------
    count : int
        Cells along the axis.
    """
    return CELL_PIXELS * (np.arange(count) + 0.5) - 0.5


def to_pixels(values: np.ndarray, *, line: np.ndarray, sample: np.ndarray) -> np.ndarray:
    """Return a channel at pixels of the Sentinel-1 image, bilinear between the middles of cells.

    Each pixel gets its own weights: a patch that starts inside a cell gets values from inside that cell.

    Parameters
    ----------
    values : numpy.ndarray, shape (..., rows, columns)
        Channels on cells.
    line, sample : numpy.ndarray, shape (h,), (w,)
        Pixels of 40 m, fractions allowed; beyond the outermost middles the value there is held.

    Returns
    -------
    numpy.ndarray of float32, shape (..., h, w)
        NaN where a cell with a weight above 0 is NaN.
    """
    top, down = _weights(np.asarray(line, np.float64), values.shape[-2])
    left, right = _weights(np.asarray(sample, np.float64), values.shape[-1])
    first = _blend(values[..., top, :], values[..., np.minimum(top + 1, values.shape[-2] - 1), :], down[:, None])
    out = _blend(first[..., left], first[..., np.minimum(left + 1, values.shape[-1] - 1)], right)
    return out.astype(np.float32)


def to_positions(values: np.ndarray, *, line: np.ndarray, sample: np.ndarray) -> np.ndarray:
    """Return channels at positions of their own, as :func:`to_pixels` does at the crossings of lines and samples.

    Parameters
    ----------
    values : numpy.ndarray, shape (..., rows, columns)
        Channels on cells.
    line, sample : numpy.ndarray, one shape
        Pixels of 40 m, fractions allowed; NaN for none.

    Returns
    -------
    numpy.ndarray of float32, shape (..., *shape of line)
        NaN where a cell with a weight above 0 is NaN, and where there is no position.
    """
    known = np.isfinite(line) & np.isfinite(sample)
    out = np.full((*values.shape[:-2], *np.shape(line)), np.nan, np.float32)
    top, down = _weights(np.asarray(line, np.float64)[known], values.shape[-2])
    left, right = _weights(np.asarray(sample, np.float64)[known], values.shape[-1])
    below, beside = np.minimum(top + 1, values.shape[-2] - 1), np.minimum(left + 1, values.shape[-1] - 1)
    upper = _blend(values[..., top, left], values[..., top, beside], right)
    lower = _blend(values[..., below, left], values[..., below, beside], right)
    out[..., known] = _blend(upper, lower, down)
    return out


def _weights(pixel: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the cell before each pixel and the weight of the next one."""
    place = np.clip((pixel + 0.5) / CELL_PIXELS - 0.5, 0.0, count - 1.0)
    before = np.minimum(place.astype(np.int64), max(count - 2, 0))
    return before, place - before


def _blend(before: np.ndarray, after: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Return the weighted mean; a value of weight 0 does not count, even if it is NaN."""
    mixed = before + weight * (after - before)
    return np.where(weight == 0.0, before, np.where(weight == 1.0, after, mixed))


def _spelled(name: str, data: xarray.Dataset) -> str | None:
    """Return a channel's name in a file, which writes frequencies with a point or an underscore."""
    pointed = re.sub(r"(\d+)_(\d)", r"\1.\2", name)
    return next((n for n in (name, pointed) if n in data.data_vars), None)


def _kelvin(variable: xarray.DataArray) -> np.ndarray:
    values = variable.to_numpy().astype(np.float32)
    return np.where((values >= LOW_K) & (values <= HIGH_K), values, np.float32(np.nan))


def _iso(compact: str) -> str:
    return f"{compact[:4]}-{compact[4:6]}-{compact[6:11]}:{compact[11:13]}:{compact[13:15]}Z"

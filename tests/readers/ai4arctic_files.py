"""Scenes in the two layouts of the AI4Arctic challenge data set, with values that a test can work out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr
from pyproj import Transformer

RAW_NAME = (
    "S1A_EW_GRDM_1SDH_20180721T120156_20180721T120256_022892_027B98_56D9_icechart_cis_SGRDIMID_20180721T1203Z_pl_a.nc"
)
NAME = "20180721T120156_cis_prep.nc"
HEADER = "poly_id;CT;CA;SA;FA;CB;SB;FB;CC;SC;FC;CN;CD;CF;POLY_TYPE"
CODES = (
    HEADER,
    "26;91;-9;93;06;-9;-9;-9;-9;-9;-9;-9;-9;08-9;I",
    "70;02;-9;98;10;-9;-9;-9;-9;-9;-9;-9;-9;10-9;W",
    "31;50;-9;95;08;-9;-9;-9;-9;-9;-9;-9;-9;05-9;I",
)
"""Polygons 26 (ten tenths of thick first-year ice, vast floes), 70 (water), 31 (five tenths of fast old ice)."""
ORIGIN = (-200_000.0, -1_000_000.0)
PIXEL_M = 40.0
CHANNELS = [f"btemp_{f}{p}" for f in ("6_9", "7_3", "10_7", "18_7", "23_8", "36_5", "89_0") for p in "hv"]
WEATHER = {"u10m_rotated": 3.0, "v10m_rotated": -4.0, "t2m": 270.0, "skt": 271.0, "tcwv": 8.0, "tclw": 0.05}


def position(line: np.ndarray, sample: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return latitude and longitude of pixels of 40 m: a plane of EPSG:3413."""
    x, y = ORIGIN[0] + PIXEL_M * np.asarray(sample, float), ORIGIN[1] - PIXEL_M * np.asarray(line, float)
    longitude, latitude = Transformer.from_crs("EPSG:3413", "EPSG:4326", always_xy=True).transform(x, y)
    return latitude, longitude


def angle(line: np.ndarray, sample: np.ndarray) -> np.ndarray:
    """Return the incidence angle of pixels of 40 m: 20 degrees at the first sample, 0.1 more per sample."""
    return 20.0 + 0.1 * np.asarray(sample, float) + 0.0 * np.asarray(line, float)


def raw(path: Path, *, shape: tuple[int, int] = (120, 139), codes: tuple[str, ...] = CODES) -> Path:
    """Write a raw scene: HH -20 dB + line / 100, HV -30 dB; columns of polygons 26, 70, 31; the first lines without
    radar, the last two without a chart.

    Parameters
    ----------
    path : Path
        The file.
    shape : tuple of int
        Lines and samples of 40 m.
    codes : tuple of str
        ``polygon_codes``.
    """
    line, sample = np.mgrid[: shape[0], : shape[1]]
    hh = (-20.0 + line / 100.0).astype(np.float32)
    hh[:3] = np.nan
    hv = np.where(np.isnan(hh), np.nan, -30.0).astype(np.float32)
    polygons = np.choose(3 * sample // shape[1], (26.0, 70.0, 31.0))
    polygons[-2:] = np.nan
    points = [np.minimum(-(-n // 20) * np.arange(21), n - 1) for n in shape]
    lines, samples = (g.ravel() for g in np.meshgrid(*points, indexing="ij"))
    latitude, longitude = position(lines, samples)
    cells = (shape[0] // 50, shape[1] // 50)
    full, cell, point = ("sar_lines", "sar_samples"), ("2km_grid_lines", "2km_grid_samples"), ("sar_grid_points",)
    data = {
        "nersc_sar_primary": (full, hh),
        "nersc_sar_secondary": (full, hv),
        "polygon_icechart": (full, polygons),
        "distance_map": (full, np.full(shape, 41.0, np.float32)),
        "sar_grid_line": (point, lines),
        "sar_grid_sample": (point, samples),
        "sar_grid_latitude": (point, latitude),
        "sar_grid_longitude": (point, longitude),
        "sar_grid_incidenceangle": (point, angle(lines, samples)),
        "sar_grid_height": (point, np.zeros(len(lines))),
        **{n: (cell, np.full(cells, 150.0 + k)) for k, n in enumerate(CHANNELS)},
        **{n: (cell, np.full(cells, v)) for n, v in WEATHER.items()},
    }
    scene = xr.Dataset(data, coords={"polygon_codes": ("polygons", np.array(codes, dtype=object))})
    scene.to_netcdf(path, engine="h5netcdf")
    return path


def prepared(
    path: Path,
    *,
    shape: tuple[int, int] = (60, 69),
    statistics: dict[str, tuple[float, float]],
    with_charts: bool = True,
    odd: int = 0,
) -> Path:
    """Write a ready-to-train scene: what :func:`raw` holds, at 80 m, standardised; 0 where there is no radar.

    Parameters
    ----------
    path : Path
        The file.
    shape : tuple of int
        Lines and samples of 80 m.
    statistics : dict of str to tuple of float
        Mean and standard deviation of each channel.
    with_charts : bool
        False as in test scenes.
    odd : int
        Lines and samples that the raw image had more than twice the shape.
    """
    line, sample = np.mgrid[: shape[0], : shape[1]]
    image = {
        "nersc_sar_primary": -20.0 + (2 * line + 0.5) / 100.0,
        "nersc_sar_secondary": np.full(shape, -30.0),
        "sar_incidenceangle": angle(2 * line + 0.5, 2 * sample + 0.5),
        "distance_map": np.full(shape, 41.0),
    }
    cells = (shape[0] // 25, shape[1] // 25)
    grid = {n: np.full(cells, 150.0 + k) for k, n in enumerate(CHANNELS)} | {
        n: np.full(cells, v) for n, v in WEATHER.items()
    }
    full, cell = ("sar_lines", "sar_samples"), ("2km_grid_lines", "2km_grid_samples")
    data = {}
    for name, values in {**image, **grid}.items():
        mean, deviation = statistics[name]
        z = ((values - mean) / deviation).astype(np.float32)
        if name in image:
            z[:2] = 0.0
        data[name] = (full if name in image else cell, z)
    sizes = [2 * n + odd for n in shape]
    points = [np.minimum(-(-n // 20) * np.arange(21), n - 1) for n in sizes]
    latitude, longitude = position(*np.meshgrid(*points, indexing="ij"))
    grid2d = ("sar_sample_2dgrid_points", "sar_line_2dgrid_points")
    data |= {"sar_grid2d_latitude": (grid2d, latitude), "sar_grid2d_longitude": (grid2d, longitude)}
    about = {"scene_id": path.name, "original_id": RAW_NAME, "ice_service": "cis", "flip": 0, "pixel_spacing": 80}
    if with_charts:
        data |= charts(shape)
    xr.Dataset(data, attrs=about).to_netcdf(path, engine="h5netcdf")
    return path


def charts(shape: tuple[int, int]) -> dict[str, tuple[tuple[str, str], np.ndarray]]:
    """Return the three charts: columns of ten tenths, water, five tenths; the first two lines unknown."""
    column = np.arange(shape[1]) * 3 // shape[1]
    out = {}
    for name, classes in (("SIC", (10, 0, 5)), ("SOD", (4, 0, 5)), ("FLOE", (5, 0, 255))):
        values = np.broadcast_to(np.choose(column, classes), shape).astype(np.uint8).copy()
        values[:2] = 255
        out[name] = (("sar_lines", "sar_samples"), values)
    return out


def reference(path: Path, *, shape: tuple[int, int] = (60, 69)) -> Path:
    """Write the charts of a test scene."""
    xr.Dataset(charts(shape)).to_netcdf(path, engine="h5netcdf")
    return path

"""Write simulated glacier scenes: a scene folder with its truth, or tiles appended to a training set."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ... import io
from ...errors import OutputError, one_line
from ...readers.glacier_tiles import Tile, open_tiles, write_tile
from ...sensors.glaciers import TABLE
from .noise import gradient
from .scene import SimulatedScene

if TYPE_CHECKING:
    import geopandas
    from odc.geo.geobox import GeoBox

TRUTH_CLASSES = "0 other, 1 clean ice, 2 debris-covered ice, 255 unlabelled"
STRATA_BITS = "1 seasonal snow, 2 cast shadow, 4 cloud, 8 water, 16 SAR layover"
DATES = ("date1", "date2")
"""Folders of a scene's dates."""
MARK = {"simulated_by": "polynya; no measurement"}


@dataclass(frozen=True, kw_only=True)
class Written:
    """The files of one scene: the folder, its files, and ``about`` as in scene.json."""

    folder: Path
    files: tuple[Path, ...]
    about: dict[str, object]


def geobox(scene: SimulatedScene) -> GeoBox:
    """Return the scene's grid."""
    from affine import Affine
    from odc.geo.geobox import GeoBox

    return GeoBox(
        scene.truth.shape, Affine(scene.pixel_m, 0.0, scene.left, 0.0, -scene.pixel_m, scene.top), f"EPSG:{scene.epsg}"
    )


def outlines(scene: SimulatedScene) -> geopandas.GeoDataFrame:
    """Return the true outlines, split at ice divides, with the attribute names of RGI 7.0.

    Returns
    -------
    geopandas.GeoDataFrame
        In the scene's UTM zone; ``area_km2`` on the ellipsoid, ``aspect_deg`` clockwise from north; ``debris_km2`` is
        not in RGI.
    """
    import geopandas as gpd
    from pyproj import Geod
    from rasterio.features import shapes
    from shapely.geometry import MultiPolygon, shape

    grid = geobox(scene)
    parts: dict[int, list] = {}
    for polygon, number in shapes(scene.glaciers, mask=scene.glaciers > 0, transform=grid.affine):
        parts.setdefault(int(number), []).append(shape(polygon))
    numbers = sorted(parts)
    geometry = gpd.GeoSeries([p[0] if len(p := parts[n]) == 1 else MultiPolygon(p) for n in numbers], crs=str(grid.crs))
    ground = geometry.to_crs(4326)
    geod = Geod(ellps="WGS84")
    east, north = gradient(scene.surface, scene.pixel_m)
    pixel_km2 = (scene.pixel_m / 1000.0) ** 2
    order = np.argsort(scene.glaciers, axis=None, kind="stable")
    edges = np.searchsorted(scene.glaciers.ravel()[order], [*numbers, (numbers[-1] if numbers else 0) + 1])
    rows = []
    for k, (number, place) in enumerate(zip(numbers, ground, strict=True)):
        at = order[edges[k] : edges[k + 1]]
        z, e, n = scene.surface.ravel()[at], east.ravel()[at], north.ravel()[at]
        inside = place.representative_point()
        rows.append(
            {
                "rgi_id": f"SIM-{scene.name}-{number:05d}",
                "glac_name": "",
                "o1region": scene.about["region"],
                "src_date": str(scene.about["time"])[:10],
                "cenlon": inside.x,
                "cenlat": inside.y,
                "area_km2": abs(geod.geometry_area_perimeter(place)[0]) / 1e6,
                "zmin_m": float(z.min()),
                "zmax_m": float(z.max()),
                "zmed_m": float(np.median(z)),
                "zmean_m": float(z.mean()),
                "slope_deg": float(np.degrees(np.arctan(np.hypot(e, n))).mean()),
                "aspect_deg": float(np.degrees(np.arctan2(-e.mean(), -n.mean())) % 360.0),
                "debris_km2": float((scene.truth.ravel()[at] == 2).sum() * pixel_km2),
            }
        )
    columns = [
        "rgi_id",
        "glac_name",
        "o1region",
        "src_date",
        "cenlon",
        "cenlat",
        "area_km2",
        "zmin_m",
        "zmax_m",
        "zmed_m",
        "zmean_m",
        "slope_deg",
        "aspect_deg",
        "debris_km2",
    ]
    return gpd.GeoDataFrame({c: [r[c] for r in rows] for c in columns}, geometry=geometry.values, crs=str(grid.crs))


def quicklook(scene: SimulatedScene) -> np.ndarray:
    """Return a false-colour picture (1.6 um, near infrared, red), outlines yellow, debris red: uint8, shape (3, rows,
    columns)."""
    optical = np.nan_to_num(scene.sensors["optical"][[4, 3, 2]])
    picture = (np.clip(optical / 0.75, 0.0, 1.0) ** 0.7 * 255.0).astype(np.uint8)
    for border, colour in ((_border(scene.truth == 2), (255, 60, 40)), (_border(scene.glaciers), (255, 255, 0))):
        for plane, value in zip(picture, colour, strict=True):
            plane[border] = value
    return picture


def write(scene: SimulatedScene, folder: Path, *, overwrite: bool = False) -> Written:
    """Write a scene folder: one GeoTIFF per sensor, truth, strata, outlines, scene.json, scene.png.

    Parameters
    ----------
    scene : SimulatedScene
        One date.
    folder : Path
        New or empty; or an earlier scene, with ``overwrite``.
    overwrite : bool
        Replace the earlier scene.

    Raises
    ------
    OutputError
        If it cannot be written, or holds something else.
    """
    folder = Path(folder)
    record = {"name": scene.name, **scene.about}
    with io.writing_folder(folder, overwrite=overwrite, record="scene.json") as temporary:
        for sensor in TABLE:
            _tiff(
                temporary / sensor.file_name,
                scene.sensors[sensor.name],
                scene,
                names=sensor.band_names,
                units=[b.units for b in sensor.bands],
                nodata=float("nan"),
                tags={"time": str(scene.about["time"])},
            )
        _tiff(
            temporary / "truth.tif",
            scene.truth[None],
            scene,
            names=("truth",),
            units=["1"],
            nodata=255,
            tags={"classes": TRUTH_CLASSES},
        )
        _tiff(
            temporary / "strata.tif",
            scene.strata[None],
            scene,
            names=("strata",),
            units=["1"],
            nodata=None,
            tags={"bits": STRATA_BITS},
        )
        _picture(temporary / "scene.png", quicklook(scene))
        outlines(scene).to_file(temporary / "outlines.gpkg", driver="GPKG", layer="glaciers")
        (temporary / "scene.json").write_text(json.dumps(io.plain(record), indent=1) + "\n", encoding="utf-8")
    return Written(folder=folder, files=tuple(sorted(p for p in folder.iterdir())), about=record)


def reject_earlier_scene(out: Path) -> None:
    """Raise if a folder already holds a scene.

    Parameters
    ----------
    out : Path
        Folder of ``date1`` and ``date2``.

    Raises
    ------
    OutputError
        If it holds a scene.
    """
    if any((Path(out) / date / "scene.json").exists() for date in DATES):
        raise OutputError(
            f"{out}: holds a scene; expected a new or empty folder. Pass --overwrite, or choose another folder."
        )


def write_dates(scenes: Iterable[SimulatedScene], out: Path, *, overwrite: bool = False) -> list[Written]:
    """Write a scene's dates as ``out/date1``, ``out/date2``.

    Parameters
    ----------
    scenes : iterable of SimulatedScene
        In order of time.
    out : Path
        Folder of the dates.
    overwrite : bool
        Replace earlier dates, and remove a second one that is left over.

    Raises
    ------
    OutputError
        If a file cannot be written, or a folder holds something else.
    """
    out = Path(out)
    written = [write(scene, out / f"date{k}", overwrite=overwrite) for k, scene in enumerate(scenes, 1)]
    for stale in (out / date for date in DATES):
        if overwrite and stale.name not in {w.folder.name for w in written} and (stale / "scene.json").exists():
            io.check_replaceable(stale, record="scene.json")
            shutil.rmtree(stale)
    return written


def append_tiles(path: Path, scenes: Iterable[SimulatedScene]) -> int:
    """Append whole scenes to a training set, one tile each; the file changes only when all are written.

    Parameters
    ----------
    path : Path
        HDF5; created if it does not exist.
    scenes : iterable of SimulatedScene
        Only one at a time is in memory.

    Returns
    -------
    int
        Tiles written.

    Raises
    ------
    UsageError
        If the file has a tile of this name.
    ProductError
        If the file is there and is no set of tiles.
    OutputError
        If it cannot be written.
    """
    import h5py

    path = Path(path)
    count = 0
    if path.exists():
        open_tiles(path)
    with io.writing(path) as temporary:
        if path.exists():
            shutil.copyfile(path, temporary)
        try:
            file = h5py.File(temporary, "a")
        except OSError as error:
            raise OutputError(
                f"{path.name}: cannot be opened ({one_line(error)[:140]}); expected a new file or HDF5 tiles. Choose"
                " another with --tiles."
            ) from error
        with file:
            for scene in scenes:
                labels = (scene.truth > 0).astype(np.uint8)
                write_tile(
                    file,
                    scene.name,
                    Tile(sensors=scene.sensors, labels=labels, strata=scene.strata),
                    geobox=geobox(scene),
                    scene=scene.name.rpartition("-")[0],
                    region=str(scene.about["region"]),
                    subregion="simulated",
                )
                file[scene.name].attrs["simulated"] = MARK["simulated_by"]
                file[scene.name].create_dataset(
                    "debris", data=(scene.truth == 2).astype(np.uint8)[..., None], compression="gzip", shuffle=True
                )
                count += 1
    return count


def _border(regions: np.ndarray) -> np.ndarray:
    out = np.zeros(regions.shape, bool)
    out[:, 1:] |= regions[:, 1:] != regions[:, :-1]
    out[1:] |= regions[1:] != regions[:-1]
    return out


def _tiff(
    path: Path,
    planes: np.ndarray,
    scene: SimulatedScene,
    *,
    names: tuple[str, ...],
    units: list[str],
    nodata: float | None,
    tags: dict[str, str],
) -> None:
    import rasterio
    from rasterio.transform import from_origin

    profile = {
        "driver": "GTiff",
        "tiled": True,
        "blockxsize": 256,
        "blockysize": 256,
        "compress": "deflate",
        "predictor": 3 if planes.dtype.kind == "f" else 2,
        "zlevel": 1,
    }
    try:
        with rasterio.open(
            path,
            "w",
            width=planes.shape[2],
            height=planes.shape[1],
            count=planes.shape[0],
            dtype=planes.dtype.name,
            crs=f"EPSG:{scene.epsg}",
            transform=from_origin(scene.left, scene.top, scene.pixel_m, scene.pixel_m),
            nodata=nodata,
            **profile,
        ) as handle:
            handle.write(planes)
            handle.descriptions = names
            handle.units = units
            handle.update_tags(**MARK, **tags)
    except rasterio.errors.RasterioError as error:
        raise OutputError(
            f"{path.name}: cannot be written ({one_line(error)}); expected room on the disk. Free some or write"
            " elsewhere."
        ) from error


def _picture(path: Path, picture: np.ndarray) -> None:
    import warnings

    import rasterio

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
        with rasterio.open(
            path, "w", driver="PNG", width=picture.shape[2], height=picture.shape[1], count=3, dtype="uint8"
        ) as handle:
            handle.write(picture)
    for extra in (path.with_name(f"{path.name}.aux.xml"),):
        if extra.exists():
            os.unlink(extra)

"""A scene from whatever files hold it: several sensors on one grid, read in windows.

Which sensors a scene may have says the table of its kind (:mod:`polynya.sensors`), which the scene carries. Inputs,
alone or together: a scene folder (``optical.tif`` ... and ``scene.json``, as ``polynya simulate glacier-scene``
writes), a Sentinel-2 ``.SAFE``, a Landsat Collection 2 folder, STAC items, GeoTIFFs whose bands say what they are, or
``sensor=path``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import ProductError, UsageError
from ..physics.swath import Swath
from ..readers import landsat, times
from ..readers.scene_layer import SIMULATED, Source, as_window, pixel_metres
from ..schema import Note
from ..sensors import SensorTable, table
from . import sources as scene_sources
from .align import read_layers, read_nearest, read_swath
from .sources import split_role

if TYPE_CHECKING:
    from odc.geo.geobox import GeoBox

    from ..readers.scene_layer import AnyWindow

__all__ = [
    "CLEAR",
    "CLOUD",
    "CLOUD_UNKNOWN",
    "SHADOW",
    "STRATA_BITS",
    "TIME_UNKNOWN",
    "Scene",
    "only_sensors",
    "open_scene",
    "read",
    "read_classes",
    "read_cloud",
    "split_role",
    "with_time",
]

CLEAR, CLOUD, SHADOW, CLOUD_UNKNOWN = 0, 1, 2, 255
"""Values of :func:`read_cloud`."""
STRATA_BITS = ((1, "seasonal_snow"), (2, "cast_shadow"), (4, "cloud"), (8, "water"), (16, "layover"))
"""Bits of a scene folder's ``strata.tif``."""
TIME_UNKNOWN = "time_unknown"
"""Code of the note that no file says when the images were taken."""
_SCL_CLOUD, _SCL_SHADOW = (8, 9, 10), 3
_DAY = np.timedelta64(1, "D")


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A scene that can be read in windows; holds no pixels and no open files.

    Attributes
    ----------
    name : str
    grid : odc.geo.geobox.GeoBox or Swath
        The grid of the first sensor of the table that the scene has. Windows count its pixels. :attr:`geobox` gives
        it where it is affine.
    table : SensorTable
        The sensors that a scene of this kind may have.
    sensors : tuple of str
        Those present, in the table's order.
    time : numpy.datetime64 or None
        UTC, ns; of the first sensor that has one.
    region : str or None
        Of the table's regions.
    notes : tuple of polynya.schema.Note
        What a careful user wants to know: guesses, missing bands, days between the sensors.
    sun_elevation, sun_azimuth : float or None
        Degrees; azimuth clockwise from north.
    sources : tuple of Source
        One per sensor, in the same order.
    folder : Path or None
        Of a scene folder: truth may lie in it.
    is_simulated : bool
        Whether polynya simulated it: no satellite measured it.
    """

    name: str
    grid: GeoBox | Swath
    table: SensorTable
    sensors: tuple[str, ...]
    time: np.datetime64 | None
    region: str | None
    notes: tuple[Note, ...]
    sun_elevation: float | None
    sun_azimuth: float | None
    sources: tuple[Source, ...]
    folder: Path | None = None
    is_simulated: bool = False

    @property
    def geobox(self) -> GeoBox:
        """The affine grid.

        Raises
        ------
        UsageError
            If the scene has a swath grid.
        """
        if isinstance(self.grid, Swath):
            raise UsageError(
                f"{self.name}: lies on a swath, {self.grid.shape[0]} x {self.grid.shape[1]} pixels with geolocation"
                " points; expected an affine grid (rows from north to south in one coordinate system) for this."
                " Warp it first (gdalwarp -tps)."
            )
        return self.grid

    @property
    def is_time_known(self) -> bool:
        """Whether a file or the user says when the images were taken."""
        return self.time is not None

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return int(self.grid.shape[0]), int(self.grid.shape[1])

    @property
    def pixel_m(self) -> tuple[float, float]:
        """Width and height of the middle pixel on the ground, m."""
        if isinstance(self.grid, Swath):
            return self.grid.pixel_m
        east, south = pixel_metres(self.grid, np.array([self.shape[0] / 2]))
        return float(east[0]), float(south[0])

    def source(self, sensor: str) -> Source | None:
        """Return a sensor's source, None where the scene has none."""
        return next((s for s in self.sources if s.sensor == sensor), None)

    def has_band(self, sensor: str, place: int = 0) -> bool:
        """Return whether the scene has a sensor and in it the band at a place."""
        source = self.source(sensor)
        return source is not None and source.bands[place] is not None


def open_scene(
    paths: Sequence[Path | str] | Path | str, *, region: str | None = None, kind: str | SensorTable = "glaciers"
) -> Scene:
    """Describe a scene.

    Parameters
    ----------
    paths : Path, str, or a sequence of them
        See the module; ``dem=copdem.tif`` or ``sar:descending=s1.tif`` say what a file is.
    region : str, optional
        Of the table's regions; else what ``scene.json`` says.
    kind : str or SensorTable
        Kind of scene: a table of sensors, or its name for :func:`polynya.sensors.table`.

    Returns
    -------
    Scene

    Raises
    ------
    ProductError
        If a file is missing, damaged, or its content cannot be determined.
    UsageError
        If a sensor is given twice, or the region or the kind does not exist.
    """
    known = kind if isinstance(kind, SensorTable) else table(kind)
    opened = scene_sources.open_paths([paths] if isinstance(paths, (str, Path)) else list(paths), sensors=known)
    about, merged = opened.about, opened.sources
    region = region or about.get("region")
    if region is not None and region not in known.regions:
        raise UsageError(
            f"--region {region}: no such region; expected one of {', '.join(known.regions)}. Leave it out where none"
            " fits."
        )
    first = merged[0]
    time = (
        times.utc(str(about["time"]), name="scene.json")
        if about.get("time")
        else next((s.time for s in merged if s.time is not None), None)
    )
    notes = [*opened.notes, *(n for s in merged for n in s.notes), *_sensor_notes(merged, known, time)]
    if time is None:
        notes.append(Note(code=TIME_UNKNOWN, text="time unknown: no file says when the images were taken"))
    elevation, azimuth = (
        _first(about.get(k), (getattr(s, k) for s in merged)) for k in ("sun_elevation", "sun_azimuth")
    )
    return Scene(
        name=str(about.get("name") or (opened.folder.name if opened.folder else first.name)),
        grid=first.grid,
        table=known,
        sensors=tuple(s.sensor for s in merged),
        time=time,
        region=region,
        notes=tuple(n for n in dict.fromkeys(notes) if n.code != SIMULATED),
        sun_elevation=elevation,
        sun_azimuth=azimuth,
        sources=tuple(merged),
        folder=opened.folder,
        is_simulated="simulated" in about or any(n.code == SIMULATED for n in notes),
    )


def _first(given: float | None, found: Iterable[float | None]) -> float | None:
    return given if given is not None else next((v for v in found if v is not None), None)


def _sensor_notes(merged: Sequence[Source], known: SensorTable, time: np.datetime64 | None) -> list[Note]:
    """Return what a user should know of each sensor: missing bands, and days between it and the scene's time."""
    notes = []
    for s in merged:
        sensor = known[s.sensor]
        lacking = [b for b, layer in zip(sensor.band_names, s.bands, strict=True) if layer is None]
        if lacking and not sensor.has_passes:
            notes.append(Note(code="band_missing", text=f"{s.sensor} has no {', '.join(lacking)}"))
        if time is not None and s.time is not None and abs(s.time - time) > _DAY:
            text = (
                f"{s.sensor} was taken {abs(s.time - time) / _DAY:.0f} days {'before' if s.time < time else 'after'}"
                f" {merged[0].sensor}"
            )
            notes.append(Note(code="days_apart", text=text))
    return notes


def with_time(scene: Scene, time: np.datetime64) -> Scene:
    """Return a scene whose time a user gave, without the note that no file says it.

    Parameters
    ----------
    scene : Scene
        The scene.
    time : numpy.datetime64
        UTC.
    """
    return replace(scene, time=time, notes=tuple(n for n in scene.notes if n.code != TIME_UNKNOWN))


def only_sensors(scene: Scene, wanted: Sequence[str]) -> Scene:
    """Return a scene that reads some of its sensors only.

    Parameters
    ----------
    scene : Scene
        The scene.
    wanted : sequence of str
        Sensors; those that the scene does not have are passed over.
    """
    kept = tuple(s for s in scene.sources if s.sensor in wanted)
    return replace(scene, sources=kept, sensors=tuple(s.sensor for s in kept))


def read(scene: Scene, *, window: AnyWindow = None) -> dict[str, np.ndarray]:
    """Read all sensors of a window on the scene's grid.

    Parameters
    ----------
    scene : Scene
        The scene. On a swath all sensors must share its pixels; nothing is interpolated then.
    window : optional
        Rows and columns; the whole scene by default, which may be large.

    Returns
    -------
    dict of str to numpy.ndarray of float32, shape (bands, h, w)
        Sensors in the order and the units of the scene's table; NaN where missing, whole bands too. The
        result does not depend on the window.

    Raises
    ------
    ProductError
        If a file is missing or damaged.
    UsageError
        If the window reaches outside, or a sensor does not lie on the scene's swath.
    """
    place = as_window(scene.shape, window, name=scene.name)
    if isinstance(scene.grid, Swath):
        return {s.sensor: read_swath(s, swath=scene.grid, window=place) for s in scene.sources}
    return {s.sensor: read_layers(s.bands, geobox=scene.grid, window=place) for s in scene.sources}


def read_cloud(scene: Scene, *, window: AnyWindow = None) -> np.ndarray:
    """Read what the product of an image knows of clouds.

    Parameters
    ----------
    scene : Scene
        The scene; its grid must be affine.
    window : optional
        Rows and columns; the whole scene by default.

    Returns
    -------
    numpy.ndarray of uint8, shape (h, w)
        CLEAR, CLOUD (thin cirrus too), SHADOW; CLOUD_UNKNOWN where there is no data, everywhere where the product has
        no mask.

    Raises
    ------
    ProductError, UsageError
        As :func:`read`.
    """
    place = as_window(scene.shape, window, name=scene.name)
    out = np.full((place.height, place.width), CLOUD_UNKNOWN, np.uint8)
    source = next((s for s in scene.sources if s.cloud is not None), None)
    if source is None or source.cloud is None:
        return out
    found = read_nearest(source.cloud.path, geobox=scene.geobox, window=place, outside=0)
    if source.cloud_kind == "landsat_qa":
        cloud = (found & (landsat.QA_CLOUD | landsat.QA_DILATED | landsat.QA_CIRRUS)) > 0
        shadow, known = (found & landsat.QA_SHADOW) > 0, (found & landsat.QA_FILL == 0) & (found != 0)
    else:
        cloud, shadow, known = np.isin(found, _SCL_CLOUD), found == _SCL_SHADOW, found > 0
    out[known] = CLEAR
    out[known & shadow] = SHADOW
    out[known & cloud] = CLOUD
    return out


def read_classes(scene: Scene, path: Path, *, window: AnyWindow = None) -> np.ndarray:
    """Read a raster of classes or bits (``truth.tif``, ``strata.tif``, a mask) onto a window of the scene's grid,
    nearest pixel.

    Parameters
    ----------
    scene : Scene
        The scene; its grid must be affine.
    path : Path
        The raster, on any grid.
    window : optional
        Rows and columns; the whole scene by default.

    Returns
    -------
    numpy.ndarray of uint8, shape (h, w)
        255 outside the raster and where it has no data.

    Raises
    ------
    ProductError
        If it cannot be read or holds other numbers than 0 to 255.
    """
    place = as_window(scene.shape, window, name=scene.name)
    found = read_nearest(Path(path), geobox=scene.geobox, window=place, outside=255)
    if found.size and (found.min() < 0 or found.max() > 255):
        raise ProductError(
            f"{Path(path).name}: values from {found.min()} to {found.max()}; expected classes of 0 to 255. Convert it"
            " (gdal_translate -ot Byte)."
        )
    return found.astype(np.uint8)

"""A glacier scene from whatever files hold it: up to six sensors on the optical grid, read in windows.

Inputs, alone or together: a scene folder (``optical.tif`` ... and ``scene.json``, as ``polynya simulate glacier-scene``
writes), a Sentinel-2 ``.SAFE``, a Landsat Collection 2 folder, STAC items, GeoTIFFs whose bands say what they are, or
``sensor=path``.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import ProductError, UsageError, one_line
from ..readers import landsat, scene_geotiff, sentinel2, sentinel2_safe, stac_item
from ..readers.scene_layer import Layer, Source, as_window, pixel_metres
from ..sensors import REGIONS, SENSORS, band_names
from .align import read_layers, read_nearest

if TYPE_CHECKING:
    from odc.geo.geobox import GeoBox

    from ..readers.scene_layer import AnyWindow

SENTINEL2_BANDS = ("B02", "B03", "B04", "B08", "B11", "B12")
CLEAR, CLOUD, SHADOW, CLOUD_UNKNOWN = 0, 1, 2, 255
"""Values of :func:`read_cloud`."""
FOLDER_FILES = tuple(f"{s}.tif" for s in SENSORS)
STRATA_BITS = ((1, "seasonal_snow"), (2, "cast_shadow"), (4, "cloud"), (8, "water"), (16, "layover"))
"""Bits of a scene folder's ``strata.tif``."""
_SCL_CLOUD, _SCL_SHADOW = (8, 9, 10), 3
_DAY = np.timedelta64(1, "D")


@dataclass(frozen=True)
class Scene:
    """A scene that can be read in windows; holds no pixels and no open files.

    Attributes
    ----------
    name : str
    geobox : odc.geo.geobox.GeoBox
        The optical grid; without optical, the first sensor's. Windows count its pixels.
    sensors : tuple of str
        Those present, in the order of :data:`polynya.sensors.SENSORS`.
    time : numpy.datetime64 or None
        UTC, ns; of the optical image.
    region : str or None
        Of :data:`polynya.sensors.REGIONS`.
    notes : tuple of str
        What a careful user wants to know: guesses, missing bands, days between the sensors.
    sun_elevation, sun_azimuth : float or None
        Degrees; azimuth clockwise from north.
    sources : tuple of Source
        One a sensor, in the same order.
    folder : Path or None
        Of a scene folder: truth may lie in it.
    """

    name: str
    geobox: GeoBox
    sensors: tuple[str, ...]
    time: np.datetime64 | None
    region: str | None
    notes: tuple[str, ...]
    sun_elevation: float | None
    sun_azimuth: float | None
    sources: tuple[Source, ...]
    folder: Path | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return int(self.geobox.shape[0]), int(self.geobox.shape[1])

    @property
    def pixel_m(self) -> tuple[float, float]:
        """Width and height of the middle pixel on the ground, m."""
        east, south = pixel_metres(self.geobox, np.array([self.shape[0] / 2]))
        return float(east[0]), float(south[0])

    def source(self, sensor: str) -> Source | None:
        """Return a sensor's source, None where the scene has none."""
        return next((s for s in self.sources if s.sensor == sensor), None)


def open_scene(paths: Sequence[Path | str] | Path | str, *, region: str | None = None) -> Scene:
    """Describe a scene.

    Parameters
    ----------
    paths : Path, str, or a sequence of them
        See the module; ``dem=copdem.tif`` or ``sar:descending=s1.tif`` say what a file is.
    region : str, optional
        Of :data:`polynya.sensors.REGIONS`; else what ``scene.json`` says.

    Returns
    -------
    Scene

    Raises
    ------
    ProductError
        If a file is missing, damaged, or cannot be told.
    UsageError
        If a sensor is given twice, or the region does not exist.
    """
    given = [paths] if isinstance(paths, (str, Path)) else list(paths)
    if not given:
        raise UsageError(
            "no scene given; expected a scene folder, .SAFE, Landsat folder, STAC items or GeoTIFFs. Name at least one."
        )
    sources: list[Source] = []
    about: dict = {}
    folder = None
    for entry in given:
        found, more, own = _open(entry)
        sources += found
        about, folder = {**about, **more}, folder or own
    region = region or about.get("region")
    if region is not None and region not in REGIONS:
        raise UsageError(
            f"--region {region}: no such region; expected one of {', '.join(REGIONS)}. Leave it out where none fits."
        )
    merged, notes = _merge(sources)
    first = merged[0]
    time = (
        scene_geotiff.utc(str(about["time"]), name="scene.json")
        if about.get("time")
        else next((s.time for s in merged if s.time is not None), None)
    )
    notes += [text for s in merged for text in s.notes]
    for s in merged:
        lacking = [b for b, layer in zip(band_names(s.sensor), s.bands, strict=True) if layer is None]
        if lacking and s.sensor not in ("co_pol_sar", "cross_pol_sar", "in_sar"):
            notes.append(f"{s.sensor} has no {', '.join(lacking)}")
        if time is not None and s.time is not None and abs(s.time - time) > _DAY:
            notes.append(
                f"{s.sensor} was taken {abs(s.time - time) / _DAY:.0f} days {'before' if s.time < time else 'after'}"
                f" {first.sensor}"
            )
    if time is None:
        notes.append("time unknown: no file says when the images were taken")
    angles = [
        (
            about.get(k)
            if about.get(k) is not None
            else next((getattr(s, k) for s in merged if getattr(s, k) is not None), None)
        )
        for k in ("sun_elevation", "sun_azimuth")
    ]
    name = str(about.get("name") or (folder.name if folder else first.name))
    return Scene(
        name,
        first.geobox,
        tuple(s.sensor for s in merged),
        time,
        region,
        tuple(dict.fromkeys(notes)),
        angles[0],
        angles[1],
        tuple(merged),
        folder,
    )


def _open(entry: Path | str) -> tuple[list[Source], dict, Path | None]:
    """Return the sources of one input, what its scene.json says, and its folder."""
    role, orbit, path = split_role(entry)
    if not path.exists():
        raise ProductError(
            f"{path.name}: no such scene at {path}; expected a scene folder, .SAFE, Landsat folder, STAC item or"
            " GeoTIFF. Check the path."
        )
    if path.name in sentinel2_safe.PRODUCTS.values() or path.name == "scene.json":
        path = path.resolve().parent
    if path.is_dir():
        if any((path / f).is_file() for f in FOLDER_FILES):
            return _folder(path)
        if sentinel2_safe.metadata_file(path) is not None or path.suffix == ".SAFE":
            return [_sentinel2(path)], {}, None
        if landsat.metadata_file(path) is not None:
            return landsat.open_folder(path), {}, None
        raise ProductError(
            f"{path.name}: holds none of {', '.join(FOLDER_FILES)}, no MTD_MSIL*.xml and no *_MTL.txt; expected a scene"
            " folder, a .SAFE or a Landsat Collection 2 folder. Name a scene's files one by one (images and DEM; no"
            " mask, no outlines), or the folder below that is one scene."
        )
    if path.suffix.lower() in (".json", ".geojson"):
        if path.stem.upper().endswith("MTL"):
            return landsat.open_folder(path.parent), {}, None
        return stac_item.open_item(path), {}, None
    if path.name.upper().endswith("MTL.TXT"):
        return landsat.open_folder(path.parent), {}, None
    with path.open("rb") as handle:
        if handle.read(8) == b"\x89HDF\r\n\x1a\n":
            raise ProductError(
                f"{path.name}: is an HDF5 file, a set of tiles perhaps; expected a scene. Train on tiles with polynya"
                " train."
            )
    return scene_geotiff.open_geotiff(path, role=role, orbit=orbit), {}, None


def split_role(entry: Path | str) -> tuple[str | None, str | None, Path]:
    """Split ``sensor=path`` and ``sensor:pass=path``; a path with an equals sign that exists is a path.

    Parameters
    ----------
    entry : Path or str
        As given on the command line.

    Returns
    -------
    str or None
        The sensor, where it is given.
    str or None
        The pass, ``ascending`` or ``descending``.
    Path
        The file or folder.
    """
    text = str(entry)
    head, sign, rest = text.partition("=")
    if not sign or Path(text).exists() or "/" in head:
        return None, None, Path(entry)
    role, _, orbit = head.partition(":")
    return role, {"asc": "ascending", "desc": "descending"}.get(orbit, orbit) or None, Path(rest)


def _folder(path: Path) -> tuple[list[Source], dict, Path]:
    about: dict = {}
    told = path / "scene.json"
    if told.is_file():
        try:
            about = json.loads(told.read_text(encoding="utf-8"))
        except ValueError as error:
            raise ProductError(
                f"{path.name}/scene.json: cannot be read ({one_line(error)[:120]}); expected JSON with name, time and"
                " region. Write it again."
            ) from error
    sources = []
    for sensor in SENSORS:
        if (path / f"{sensor}.tif").is_file():
            sources += scene_geotiff.open_geotiff(path / f"{sensor}.tif", role=sensor)
    return sources, about, path


def _sentinel2(path: Path) -> Source:
    scene = sentinel2.open_scene(path)
    files = {f.name: f for f in scene.files if f.path.is_file()}
    bands = tuple(
        (
            Layer(
                f.path,
                f.index,
                scale=f.scale,
                offset=f.offset,
                missing=(f.nodata,) if f.nodata is not None else (),
                top=65535.0,
            )
            if f is not None
            else None
        )
        for f in (files.get(name) for name in SENTINEL2_BANDS)
    )
    if not any(bands):
        raise ProductError(
            f"{path.name}: none of the files of {', '.join(SENTINEL2_BANDS)} is there; expected the bands in"
            " GRANULE/*/IMG_DATA. Download the product again, whole."
        )
    notes = (
        [f"{scene.scene_id}: surface reflectance (Level-2A), no top-of-atmosphere reflectance"]
        if scene.product == "S2MSI2A"
        else []
    )
    notes += [f"{scene.scene_id}: {n}" for n in scene.notes if not n.startswith("true colour")]
    cloud = files["SCL"].path if "SCL" in files else None
    return Source(
        "optical",
        bands,
        scene.geobox,
        scene.product,
        scene.scene_id,
        scene.time,
        scene.sun_elevation,
        scene.sun_azimuth,
        Layer(cloud) if cloud else None,
        "sentinel2_scl" if cloud else "",
        notes=tuple(notes),
    )


def _merge(sources: list[Source]) -> tuple[list[Source], list[str]]:
    """Put the sources of one sensor together: two passes of radar, heights and slopes from two files."""
    notes: list[str] = []
    out = []
    for sensor in SENSORS:
        own = [s for s in sources if s.sensor == sensor]
        if not own:
            continue
        bands: list[Layer | None] = list(own[0].bands)
        for s in own[1:]:
            new = list(s.bands)
            if s.is_pass_unknown and bands[0] is not None and bands[1] is None:
                new = new[::-1]
            if sensor == "dem" and any(b is not None and b.kind == "slope" for b in (bands[1], new[1])):
                computed = bands if bands[1] is not None and bands[1].kind == "slope" else new
                if (bands if computed is new else new)[1] is not None:
                    computed[1] = None  # a slope that is given counts more than one computed here
            if any(a is not None and b is not None for a, b in zip(bands, new, strict=True)):
                raise UsageError(
                    f"{sensor}: given twice, by {own[0].name} and {s.name}; expected one image of each band. Leave one"
                    " out, or say the pass: sar:descending=FILE; several scenes are mapped with --each."
                )
            bands = [a or b for a, b in zip(bands, new, strict=True)]
        if any(s.is_pass_unknown for s in own):
            notes.append(
                f"{sensor}: no file says from which pass it is;"
                f" {' and '.join(s.name for s in own if s.is_pass_unknown)} taken as"
                f" {'ascending' if len(own) == 1 else 'ascending and descending, in this order'}"
            )
        finest = (
            min(own, key=lambda s: abs(s.geobox.affine.a)) if len({str(s.geobox.crs) for s in own}) == 1 else own[0]
        )
        out.append(
            replace(own[0], bands=tuple(bands), geobox=finest.geobox, notes=tuple(n for s in own for n in s.notes))
        )
    return out, notes


def read(scene: Scene, *, window: AnyWindow = None) -> dict[str, np.ndarray]:
    """Read all sensors of a window on the scene's grid.

    Parameters
    ----------
    scene : Scene
    window : optional
        Rows and columns; the whole scene by default, which may be large.

    Returns
    -------
    dict of str to numpy.ndarray of float32, shape (bands, h, w)
        Sensors in the order of :data:`polynya.sensors.SENSORS`, in its units; NaN where missing, whole bands too. The
        result does not depend on the window.

    Raises
    ------
    ProductError
        If a file is missing or damaged.
    UsageError
        If the window reaches outside.
    """
    place = as_window(scene.shape, window, name=scene.name)
    return {s.sensor: read_layers(s.bands, geobox=scene.geobox, window=place) for s in scene.sources}


def read_cloud(scene: Scene, *, window: AnyWindow = None) -> np.ndarray:
    """Read what the optical product knows of clouds.

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
    source = scene.source("optical")
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
    path : Path
    window : optional

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

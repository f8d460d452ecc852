"""The sources of a scene: what each given path holds, and the sources of one sensor put together."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ProductError, UsageError, one_line
from ..io import archives, opening
from ..physics.swath import Swath
from ..readers import landsat, scene_geotiff, sentinel2, sentinel2_safe, sentinel2_scene, stac_item
from ..readers.scene_layer import Layer, Source
from ..readers.sentinel2_safe import BandFile
from ..schema import Note
from ..sensors import PASSES, Band, Sensor, SensorTable

if TYPE_CHECKING:
    from odc.geo.geobox import GeoBox

STAC_ENDINGS = (".json", ".geojson")
RASTER_ENDINGS = (".tif", ".tiff", ".jp2", ".hgt", ".img")
"""Of the images that an archive without metadata may hold."""
STANDS_IN = {"nir08": "B8A"}
"""A common name of STAC to the band of Sentinel-2 that it means."""
PASS_WORDS = {"asc": "ascending", "desc": "descending"}


@dataclass(frozen=True, kw_only=True)
class Opened:
    """What the paths of one scene hold.

    Attributes
    ----------
    sources : tuple of Source
        One per sensor, in the table's order.
    about : dict
        What ``scene.json`` says; empty without one.
    folder : Path or None
        Of a scene folder.
    notes : tuple of Note
        Guesses that were needed.
    """

    sources: tuple[Source, ...]
    about: dict[str, Any]
    folder: Path | None
    notes: tuple[Note, ...]


def file_names(sensors: SensorTable) -> tuple[str, ...]:
    """Return the names of the files that a scene folder may hold."""
    return tuple(s.file_name for s in sensors)


def is_scene_folder(path: Path | str, *, sensors: SensorTable) -> bool:
    """Return whether a path is a folder with the file of at least one sensor.

    Parameters
    ----------
    path : Path or str
        The folder.
    sensors : SensorTable
        Sensors of the scene.
    """
    folder = Path(path)
    return archives.is_dir(folder) and any(archives.is_file(folder / name) for name in file_names(sensors))


def open_paths(paths: Sequence[Path | str], *, sensors: SensorTable) -> Opened:
    """Find the sources of a scene.

    Parameters
    ----------
    paths : sequence of Path or str
        As :func:`polynya.scenes.scene.open_scene` takes them.
    sensors : SensorTable
        Sensors of the scene.

    Returns
    -------
    Opened

    Raises
    ------
    ProductError
        If a file is missing, damaged, or its content cannot be determined.
    UsageError
        If nothing is given, or a sensor is given twice.
    """
    if not paths:
        raise UsageError(
            "no scene given; expected a scene folder, .SAFE, Landsat folder, STAC items or GeoTIFFs. Name at least one."
        )
    found: list[Source] = []
    about: dict[str, Any] = {}
    folder = None
    for entry in paths:
        sources, more, own = _open(entry, sensors)
        found += sources
        about, folder = {**about, **more}, folder or own
    merged, notes = _merge(found, sensors)
    return Opened(sources=tuple(merged), about=about, folder=folder, notes=tuple(notes))


def _open(entry: Path | str, sensors: SensorTable) -> tuple[list[Source], dict[str, Any], Path | None]:
    """Return the sources of one input, what its scene.json says, and its folder."""
    role, orbit, path = split_role(entry)
    opening.reject_address(path)
    if not archives.exists(path):
        raise ProductError(
            f"{path.name}: no such scene at {path}; expected a scene folder, .SAFE, Landsat folder, STAC item or"
            " GeoTIFF. Check the path."
        )
    if sentinel2_scene.is_metadata(path.name) or path.name == "scene.json":
        path = path.resolve().parent
    if archives.is_dir(path):
        return _open_folder(path, sensors) if path.is_dir() else _open_packed(path, sensors, role=role, orbit=orbit)
    if landsat.is_metadata(path.name):
        return landsat.open_folder(path.parent, metadata=path, sensors=sensors), {}, None
    if path.suffix.lower() in STAC_ENDINGS:
        return stac_item.open_item(path, sensors=sensors), {}, None
    archives.reject_damaged(path)
    if opening.is_hdf5(path):
        raise ProductError(
            f"{path.name}: is an HDF5 file, a set of tiles perhaps; expected a scene. Train on tiles with polynya"
            " train."
        )
    return scene_geotiff.open_geotiff(path, role=role, orbit=orbit, sensors=sensors), {}, None


def _open_folder(path: Path, sensors: SensorTable) -> tuple[list[Source], dict[str, Any], Path | None]:
    if is_scene_folder(path, sensors=sensors):
        return _scene_folder(path, sensors)
    if sentinel2_scene.is_product(path) or path.suffix.upper() == ".SAFE":
        return [_sentinel2(path, sensors)], {}, None
    if landsat.metadata_file(path) is not None:
        return landsat.open_folder(path, sensors=sensors), {}, None
    raise ProductError(
        f"{path.name}: holds none of {', '.join(file_names(sensors))}, no MTD_MSIL*.xml and no *_MTL.txt; expected a"
        " scene folder, a .SAFE or a Landsat Collection 2 folder. Name a scene's files one by one (images and DEM; no"
        " mask, no outlines), or the folder below that is one scene."
    )


def scenes_in(path: Path, *, sensors: SensorTable) -> list[Path]:
    """Return the folders at or below a place of an archive that are one scene each.

    Parameters
    ----------
    path : Path
        An archive or a folder in it.
    sensors : SensorTable
        Sensors of the scene.
    """
    own = [f.lower() for f in file_names(sensors)]
    found = {
        *sentinel2_scene.products_in(path),
        *archives.folders_with(path, landsat.is_metadata),
        *archives.folders_with(path, lambda name: name.lower() in own),
    }
    return sorted(found)


def _open_packed(
    path: Path, sensors: SensorTable, *, role: str | None, orbit: str | None
) -> tuple[list[Source], dict[str, Any], Path | None]:
    """Open what an archive holds: one scene, else STAC items, else rasters."""
    found = scenes_in(path, sensors=sensors)
    if len(found) > 1:
        raise ProductError(
            f"{path.name}: holds {len(found)} scenes, {found[0].name} and {found[1].name} among them; expected one."
            f" Name it: {found[0]}."
        )
    if found:
        return _open_folder(found[0], sensors)
    files = archives.files_below(path)
    items = [f for f in files if f.suffix.lower() in STAC_ENDINGS and stac_item.is_item(f)]
    if items:
        return [s for f in items for s in stac_item.open_item(f, sensors=sensors)], {}, None
    rasters = [f for f in files if f.suffix.lower() in RASTER_ENDINGS]
    if not rasters:
        names = ", ".join(f.name for f in files[:4]) or "nothing"
        raise ProductError(
            f"{path.name}: holds {names}; expected one scene: a Sentinel-2 or Landsat product, a STAC item or GeoTIFFs."
            " Unpack an archive that lies in it, or name other files."
        )
    opened = [scene_geotiff.open_geotiff(f, role=role, orbit=orbit, sensors=sensors) for f in rasters]
    return [s for sources in opened for s in sources], {}, None


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
    if not sign or "/" in head or archives.exists(Path(text)):
        return None, None, Path(entry)
    role, _, orbit = head.partition(":")
    return role, PASS_WORDS.get(orbit, orbit) or None, Path(rest)


def _scene_folder(path: Path, sensors: SensorTable) -> tuple[list[Source], dict[str, Any], Path]:
    about: dict[str, Any] = {}
    metadata = path / "scene.json"
    if archives.is_file(metadata):
        try:
            about = json.loads(opening.read_text(metadata, expected="JSON with name, time and region. Write it again"))
        except (ValueError, RecursionError) as error:
            raise ProductError(
                f"{path.name}/scene.json: cannot be read ({one_line(error)[:120]}); expected JSON with name, time and"
                " region. Write it again."
            ) from error
    found = []
    for sensor in sensors:
        if archives.is_file(path / sensor.file_name):
            found += scene_geotiff.open_geotiff(path / sensor.file_name, role=sensor.name, sensors=sensors)
    return found, about, path


def _sentinel2(path: Path, sensors: SensorTable) -> Source:
    sensor = sensors.of("reflectance")
    if sensor is None:
        raise ProductError(
            f"{path.name}: {sensors.name} scenes have no sensor of reflectance; expected files of"
            f" {', '.join(sensors.names)}. Give other files."
        )
    scene = sentinel2_scene.open_scene(path, needs_colours=False)
    there = {f.name: f for f in scene.files if archives.is_file(f.path)}
    files = [_band_file(there, band) for band in sensor.bands]
    bands = tuple(None if f is None else _layer(f) for f in files)
    used = [f for f in files if f is not None]
    if not used:
        wanted = [w.upper() for band in sensor.bands for w in band.words if w.upper() in sentinel2_safe.BAND_IDS]
        raise ProductError(
            f"{path.name}: none of the files of {', '.join(wanted)} is there; expected the bands in GRANULE/*/IMG_DATA."
            " Download the product again, whole."
        )
    notes = []
    if scene.product == "S2MSI2A":
        text = f"{scene.scene_id}: surface reflectance (Level-2A), no top-of-atmosphere reflectance"
        notes.append(Note(code="surface_reflectance", text=text))
    own = [n for n in scene.notes if n.code != sentinel2.TRUE_COLOUR_NOTE]
    notes += [replace(n, text=f"{scene.scene_id}: {n.text}") for n in own]
    for band, file in zip(sensor.bands, files, strict=True):
        if file is not None and file.name in STANDS_IN.values():
            text = f"{scene.scene_id}: {band.name} is {file.name} ({file.resolution_m:g} m), the product has no other"
            notes.append(Note(code="band_stands_in", text=text))
    size = min(f.resolution_m for f in used)
    cloud = there["SCL"].path if "SCL" in there else None
    return Source(
        sensor=sensor.name,
        bands=bands,
        grid=scene.geobox if size == 10.0 else sentinel2_scene.grid_of(scene, size),
        product=scene.product,
        name=scene.scene_id,
        time=scene.time,
        sun_elevation=scene.sun_elevation,
        sun_azimuth=scene.sun_azimuth,
        cloud=Layer(path=cloud) if cloud else None,
        cloud_kind="sentinel2_scl" if cloud else "",
        notes=tuple(notes),
    )


def _band_file(there: dict[str, BandFile], band: Band) -> BandFile | None:
    """Return the file of a band, else of the band that stands in for it."""
    own = [w.upper() for w in band.words if w.upper() in sentinel2_safe.BAND_IDS]
    names = [*own, *(STANDS_IN[n] for n in band.stac_names if n in STANDS_IN)]
    return next((there[n] for n in names if n in there), None)


def _layer(file: BandFile) -> Layer:
    return Layer(
        path=file.path,
        index=file.index,
        scale=file.scale,
        offset=file.offset,
        missing=() if file.nodata is None else (file.nodata,),
        saturation=65535.0,
    )


def _merge(sources: list[Source], sensors: SensorTable) -> tuple[list[Source], list[Note]]:
    """Put the sources of one sensor together: two passes of radar, heights and slopes from two files."""
    notes: list[Note] = []
    out = []
    for sensor in sensors:
        own = [s for s in sources if s.sensor == sensor.name]
        if not own:
            continue
        bands = list(own[0].bands)
        for s in own[1:]:
            bands = _together(bands, s, sensor, first=own[0].name)
        unknown = [s.name for s in own if s.is_pass_unknown]
        if unknown:
            order = "ascending" if len(own) == 1 else "ascending and descending, in this order"
            text = f"{sensor.name}: no file says from which pass it is; {' and '.join(unknown)} taken as {order}"
            notes.append(Note(code="pass_unknown", text=text))
        all_notes = tuple(n for s in own for n in s.notes)
        out.append(replace(own[0], bands=tuple(bands), grid=_finest(own), notes=all_notes))
    return out, notes


def _finest(own: list[Source]) -> GeoBox | Swath:
    """Return the finest grid where all share a coordinate system, else the first."""
    affine = [s.grid for s in own if not isinstance(s.grid, Swath)]
    if len(affine) < len(own) or len({str(g.crs) for g in affine}) > 1:
        return own[0].grid
    return min(affine, key=lambda g: abs(g.affine.a))


def _together(bands: list[Layer | None], more: Source, sensor: Sensor, *, first: str) -> list[Layer | None]:
    """Return a sensor's bands with those of one more source."""
    new = list(more.bands)
    if more.is_pass_unknown and bands[0] is not None and bands[1] is None:
        new = new[::-1]
    for i, band in enumerate(sensor.bands):
        own, other = bands[i], new[i]
        if not band.computed or own is None or other is None:
            continue
        if own.kind == band.computed:  # a band that is given counts more than one computed here
            bands = [*bands[:i], None, *bands[i + 1 :]]
        elif other.kind == band.computed:
            new[i] = None
    if any(a is not None and b is not None for a, b in zip(bands, new, strict=True)):
        raise UsageError(
            f"{sensor.name}: given twice, by {first} and {more.name}; expected one image of each band. Leave one out,"
            f" or say the pass: sar:{PASSES[1]}=FILE; several scenes are mapped with --each."
        )
    return [a or b for a, b in zip(bands, new, strict=True)]

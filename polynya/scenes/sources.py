"""The sources of a scene: what each given path holds, and the sources of one sensor put together."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ProductError, UsageError, one_line
from ..io import opening
from ..physics.swath import Swath
from ..readers import landsat, scene_geotiff, sentinel2, sentinel2_safe, stac_item
from ..readers.scene_layer import Layer, Source
from ..schema import Note
from ..sensors import PASSES, Sensor, SensorTable

if TYPE_CHECKING:
    from odc.geo.geobox import GeoBox

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
    return folder.is_dir() and any((folder / name).is_file() for name in file_names(sensors))


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
    if not path.exists():
        raise ProductError(
            f"{path.name}: no such scene at {path}; expected a scene folder, .SAFE, Landsat folder, STAC item or"
            " GeoTIFF. Check the path."
        )
    if path.name in sentinel2_safe.PRODUCTS.values() or path.name == "scene.json":
        path = path.resolve().parent
    if path.is_dir():
        return _open_folder(path, sensors)
    is_json = path.suffix.lower() in (".json", ".geojson")
    if path.name.upper().endswith("MTL.TXT") or (is_json and path.stem.upper().endswith("MTL")):
        return landsat.open_folder(path.parent, sensors=sensors), {}, None
    if is_json:
        return stac_item.open_item(path, sensors=sensors), {}, None
    if opening.is_hdf5(path):
        raise ProductError(
            f"{path.name}: is an HDF5 file, a set of tiles perhaps; expected a scene. Train on tiles with polynya"
            " train."
        )
    return scene_geotiff.open_geotiff(path, role=role, orbit=orbit, sensors=sensors), {}, None


def _open_folder(path: Path, sensors: SensorTable) -> tuple[list[Source], dict[str, Any], Path | None]:
    if is_scene_folder(path, sensors=sensors):
        return _scene_folder(path, sensors)
    if sentinel2_safe.metadata_file(path) is not None or path.suffix == ".SAFE":
        return [_sentinel2(path, sensors)], {}, None
    if landsat.metadata_file(path) is not None:
        return landsat.open_folder(path, sensors=sensors), {}, None
    raise ProductError(
        f"{path.name}: holds none of {', '.join(file_names(sensors))}, no MTD_MSIL*.xml and no *_MTL.txt; expected a"
        " scene folder, a .SAFE or a Landsat Collection 2 folder. Name a scene's files one by one (images and DEM; no"
        " mask, no outlines), or the folder below that is one scene."
    )


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
    return role, PASS_WORDS.get(orbit, orbit) or None, Path(rest)


def _scene_folder(path: Path, sensors: SensorTable) -> tuple[list[Source], dict[str, Any], Path]:
    about: dict[str, Any] = {}
    metadata = path / "scene.json"
    if metadata.is_file():
        try:
            about = json.loads(opening.read_text(metadata, expected="JSON with name, time and region. Write it again"))
        except ValueError as error:
            raise ProductError(
                f"{path.name}/scene.json: cannot be read ({one_line(error)[:120]}); expected JSON with name, time and"
                " region. Write it again."
            ) from error
    found = []
    for sensor in sensors:
        if (path / sensor.file_name).is_file():
            found += scene_geotiff.open_geotiff(path / sensor.file_name, role=sensor.name, sensors=sensors)
    return found, about, path


def _sentinel2(path: Path, sensors: SensorTable) -> Source:
    sensor = sensors.of("reflectance")
    if sensor is None:
        raise ProductError(
            f"{path.name}: {sensors.name} scenes have no sensor of reflectance; expected files of"
            f" {', '.join(sensors.names)}. Give other files."
        )
    scene = sentinel2.open_scene(path)
    files = {f.name.lower(): f for f in scene.files if f.path.is_file()}
    wanted = [next((w for w in band.words if w.upper() in sentinel2_safe.BAND_IDS), "") for band in sensor.bands]
    bands = tuple(
        Layer(
            path=files[w].path,
            index=files[w].index,
            scale=files[w].scale,
            offset=files[w].offset,
            missing=() if files[w].nodata is None else (files[w].nodata,),
            saturation=65535.0,
        )
        if w in files
        else None
        for w in wanted
    )
    if not any(bands):
        raise ProductError(
            f"{path.name}: none of the files of {', '.join(w.upper() for w in wanted)} is there; expected the bands in"
            " GRANULE/*/IMG_DATA. Download the product again, whole."
        )
    notes = []
    if scene.product == "S2MSI2A":
        text = f"{scene.scene_id}: surface reflectance (Level-2A), no top-of-atmosphere reflectance"
        notes.append(Note(code="surface_reflectance", text=text))
    own = [n for n in scene.notes if n.code != sentinel2.TRUE_COLOUR_NOTE]
    notes += [replace(n, text=f"{scene.scene_id}: {n.text}") for n in own]
    cloud = files["scl"].path if "scl" in files else None
    return Source(
        sensor=sensor.name,
        bands=bands,
        grid=scene.geobox,
        product=scene.product,
        name=scene.scene_id,
        time=scene.time,
        sun_elevation=scene.sun_elevation,
        sun_azimuth=scene.sun_azimuth,
        cloud=Layer(path=cloud) if cloud else None,
        cloud_kind="sentinel2_scl" if cloud else "",
        notes=tuple(notes),
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

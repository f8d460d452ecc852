"""STAC items on disk: which asset is which band, by common names and band names; scale, offset and nodata by the raster
extension.

Reads STAC 1.0 (``eo:bands``, ``raster:bands``) and 1.1 (``bands``). Assets must be local: nothing is downloaded behind
the user's back. Checked on items that the tests write, after published items of Sentinel-2 Level-2A, Landsat Collection
2 and the Copernicus DEM.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import ProductError, one_line
from ..io import opening
from ..schema import Note
from ..sensors import PASSES, Sensor, SensorTable, table
from . import landsat
from .scene_geotiff import HEIGHT_VOID, utc
from .scene_layer import Layer, Source, geobox_of

if TYPE_CHECKING:
    import pystac
    from odc.geo.geobox import GeoBox

PICTURES = {"visual", "thumbnail", "overview", "preview", "rendered_preview", "reduced_resolution_browse", "tilejson"}
"""Assets and roles that are pictures of bands, not bands."""
CLOUD = {"qa_pixel": "landsat_qa", "scl": "sentinel2_scl"}
NEEDS_SCALE = ("reflectance", "brightness_temperature", "backscatter")
"""Quantities whose whole numbers are counts that need a scale."""
NAMES_ANYTHING = "data"
"""A name that Copernicus DEM items give to heights and other items to anything."""

_NO_TIME = "1970-01-01T00:00:00Z"


@dataclass(frozen=True, kw_only=True)
class _Place:
    """Where a band of an item belongs: its sensor, its place among the sensor's bands, and how sure its name is."""

    sensor: Sensor
    place: int
    is_own_name: bool = True


def open_item(path: Path, *, sensors: SensorTable | None = None) -> list[Source]:
    """Describe a STAC item as sources of a scene.

    Parameters
    ----------
    path : Path
        The item's JSON; hrefs relative to it, or absolute paths.
    sensors : SensorTable, optional
        Sensors of the scene; those of glacier scenes by default.

    Returns
    -------
    list of Source
        One per sensor.

    Raises
    ------
    ProductError
        If it is no item, an asset lies on a server or is missing, or numbers have no unit.
    """
    sensors = table("glaciers") if sensors is None else sensors
    item = _item(path)
    about, name = item.properties, item.id
    assets = {k: a for k, a in item.assets.items() if a.href}
    mtl = [_local(path, a.href) for k, a in assets.items() if k.lower() in ("mtl.json", "mtl.txt", "mtl")]
    if mtl and mtl[0].is_file() and "L1" in str(about.get("landsat:correction", name)).upper():
        return landsat.open_folder(mtl[0].parent, sensors=sensors)  # the MTL has the factors of Level 1, no item has
    places = _layers(path, item, assets, sensors)
    if not places:
        raise ProductError(
            f"{path.name}: no asset of it is a band known here (assets {', '.join(list(assets)[:8])}); expected"
            f" {_known_names(sensors)}."
        )
    cloud_key = next((k for k in reversed(assets) if k.lower() in CLOUD), None)
    cloud = None if cloud_key is None else Layer(path=_found(path, cloud_key, assets[cloud_key].href))
    return [
        _source(item, sensor, places, cloud=cloud, cloud_kind="" if cloud_key is None else CLOUD[cloud_key.lower()])
        for sensor in sensors
        if any((sensor.name, i) in places for i in range(len(sensor.bands)))
    ]


def _source(
    item: pystac.Item, sensor: Sensor, places: dict[tuple[str, int], Layer], *, cloud: Layer | None, cloud_kind: str
) -> Source:
    about = item.properties
    slots = [places.get((sensor.name, i)) for i in range(len(sensor.bands))]
    for i, band in enumerate(sensor.bands):
        if band.computed and slots[0] is not None and slots[i] is None:
            slots[i] = replace(slots[0], kind=band.computed)
    is_image = sensor.quantity == "reflectance"
    time = about.get("datetime") or about.get("start_datetime")
    notes = []
    if is_image and _is_surface(item):
        text = f"{item.id}: surface reflectance (Level 2), no top-of-atmosphere reflectance"
        notes.append(Note(code="surface_reflectance", text=text))
    return Source(
        sensor=sensor.name,
        bands=tuple(slots),
        grid=_grid(slots),
        product=str(about.get("platform") or item.collection_id or "STAC item"),
        name=item.id,
        time=utc(str(time), name=item.id) if time else None,
        sun_elevation=_number(about.get("view:sun_elevation")),
        sun_azimuth=_number(about.get("view:sun_azimuth")),
        cloud=cloud if is_image else None,
        cloud_kind=cloud_kind if is_image else "",
        is_pass_unknown=sensor.has_passes and _orbit(item) not in PASSES,
        notes=tuple(notes),
    )


def _layers(
    path: Path, item: pystac.Item, assets: dict[str, pystac.Asset], sensors: SensorTable
) -> dict[tuple[str, int], Layer]:
    """Return the layer of every band of every sensor that an asset holds."""
    found: dict[tuple[str, int], Layer] = {}
    is_own_name: dict[tuple[str, int], bool] = {}
    for key, asset in assets.items():
        if {key.lower(), *(str(r).lower() for r in asset.roles or ())} & PICTURES:
            continue
        for index, band in enumerate(_bands(asset.extra_fields)):
            meant = _meaning(key, band, item, sensors)
            if meant is None:
                continue
            where = (meant.sensor.name, meant.place)
            if where not in found or (meant.is_own_name and not is_own_name[where]):
                found[where] = _layer(path, key, asset.href, band, index + 1, meant.sensor)
                is_own_name[where] = meant.is_own_name
    return found


def _known_names(sensors: SensorTable) -> str:
    names = dict.fromkeys(band.stac_names[0] for s in sensors for band in s.bands if band.stac_names)
    return ", ".join(names) or "named bands"


def _item(path: Path) -> pystac.Item:
    """Read an item; none of its links is followed."""
    import pystac

    text = opening.read_text(path, expected="a STAC item. Save it again")
    try:
        found = json.loads(text)
    except ValueError as error:
        raise ProductError(
            f"{path.name}: cannot be read as JSON ({one_line(error)[:120]}); expected a STAC item. Save it again."
        ) from error
    if not isinstance(found, dict) or found.get("type") != "Feature" or not isinstance(found.get("assets"), dict):
        kind = found.get("type") if isinstance(found, dict) else type(found).__name__
        raise ProductError(
            f"{path.name}: is {kind!r}; expected a STAC item (type Feature, with assets). Of a collection or a search"
            " take one item."
        )
    about = found.get("properties") or {}
    whole = {
        "id": path.stem,
        "geometry": None,
        "stac_version": "1.0.0",
        **found,
        "links": [],
        "assets": {k: a for k, a in found["assets"].items() if isinstance(a, dict) and a.get("href")},
        # pystac wants a time, which items of height models may lack
        "properties": {**about, "datetime": about.get("datetime") or about.get("start_datetime") or _NO_TIME},
    }
    try:
        item = pystac.Item.from_dict(whole)
    except Exception as error:  # the library throws what it likes at an item that breaks the standard
        raise ProductError(
            f"{path.name}: is no valid STAC item ({one_line(error)[:140]}); expected version 0.9 to 1.1. Save it again."
        ) from error
    if not about.get("datetime"):
        item.properties["datetime"] = None
    return item


def _orbit(item: pystac.Item) -> str:
    return str(item.properties.get("sat:orbit_state") or "").lower()


def _local(path: Path, href: str) -> Path:
    return Path(href.removeprefix("file://")) if href.startswith(("/", "file://")) else path.parent / href


def _found(path: Path, key: str, href: str) -> Path:
    if "://" in href and not href.startswith("file://"):
        raise ProductError(
            f"{path.name}: asset {key} lies at {href.split('?')[0][:80]}; expected a local file. Download the assets"
            " beside the item and make the hrefs relative (stac-asset)."
        )
    file = _local(path, href)
    if not file.is_file():
        raise ProductError(
            f"{path.name}: asset {key}, {file.name}, is missing at {file.parent}; expected it beside the item."
            " Download it."
        )
    return file


def _bands(asset: dict[str, Any]) -> list[dict[str, Any]]:
    """Return an asset's bands, from its extra fields, with the keys of STAC 1.0, whichever version wrote them."""
    new = asset.get("bands")
    if isinstance(new, list) and new:
        return [
            {k.removeprefix("eo:").removeprefix("raster:"): v for k, v in {**_inherited(asset), **b}.items()}
            for b in new
        ]
    eo, raster = asset.get("eo:bands") or [], asset.get("raster:bands") or []
    count = max(len(eo), len(raster), 1)
    return [
        {**_inherited(asset), **(eo[i] if i < len(eo) else {}), **(raster[i] if i < len(raster) else {})}
        for i in range(count)
    ]


def _inherited(asset: dict[str, Any]) -> dict[str, Any]:
    wanted = ("scale", "offset", "nodata", "unit")
    return {k: asset[p + k] for k in wanted for p in ("", "raster:") if p + k in asset}


def _meaning(key: str, band: dict[str, Any], item: pystac.Item, sensors: SensorTable) -> _Place | None:
    """Return where a band belongs, by the first of common name, band name and asset key that a sensor knows."""
    orbit = _orbit(item)
    place = PASSES.index(orbit) if orbit in PASSES else 0
    for text in (band.get("common_name"), band.get("name"), key):
        word = str(text or "").lower()
        if not word or (word == NAMES_ANYTHING and not _is_height_model(item)):
            continue
        for sensor in sensors:
            for i, known in enumerate(sensor.bands):
                if word in known.stac_names:
                    own = word in known.words or known.name == word
                    return _Place(sensor=sensor, place=place if sensor.has_passes else i, is_own_name=own)
    return None


def _is_height_model(item: pystac.Item) -> bool:
    return any(w in f"{item.collection_id or ''} {item.id}".lower() for w in ("dem", "dsm", "elevation"))


def _layer(path: Path, key: str, href: str, band: dict[str, Any], index: int, sensor: Sensor) -> Layer:
    file = _found(path, key, href)
    with opening.open_raster(file) as source:
        if index > source.count:
            raise ProductError(
                f"{path.name}: asset {key} lists band {index}, {file.name} has {source.count}; expected them to agree."
                " Correct the item."
            )
        kind, unit = np.dtype(source.dtypes[index - 1]), str(band.get("unit") or source.units[index - 1] or "").lower()
        scale, offset = _number(band.get("scale")), _number(band.get("offset"))
        scale = float(source.scales[index - 1]) if scale is None else scale
        offset = float(source.offsets[index - 1]) if offset is None else offset
    if sensor.quantity in NEEDS_SCALE and kind.kind in "iu" and (scale, offset) == (1.0, 0.0):
        raise ProductError(
            f"{path.name}: asset {key} holds {kind} without scale; expected raster:bands with scale and offset."
            " Complete the item, or give the product's own folder."
        )
    nodata = _number(band.get("nodata"))
    missing = (
        {nodata}
        if nodata is not None
        else {0.0}
        if kind.kind == "u" or (sensor.quantity == "backscatter" and unit != "db")
        else set()
    )
    is_image = sensor.quantity == "reflectance"
    return Layer(
        path=file,
        index=index,
        kind="decibel" if unit == "db" else "linear",
        scale=scale,
        offset=offset,
        missing=tuple(missing),
        valid_min=HEIGHT_VOID if sensor.quantity == "height" else -np.inf,
        saturation=float(np.iinfo(kind).max) if kind.kind in "iu" and is_image else None,
    )


def _grid(slots: Sequence[Layer | None]) -> GeoBox:
    """Return the grid of the finest band."""
    grids = []
    for path in dict.fromkeys(s.path for s in slots if s is not None):
        with opening.open_raster(path) as source:
            grids.append(geobox_of(source))
    return min(grids, key=lambda g: abs(g.affine.a))


def _is_surface(item: pystac.Item) -> bool:
    about = item.properties
    said = (item.id, about.get("landsat:correction"), about.get("processing:level"), item.collection_id)
    return any(w in " ".join(str(v) for v in said).upper() for w in ("L2A", "L2SP", "L2SR", "-L2", "C2L2"))


def _number(value: object) -> float | None:
    try:
        found = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    return found if np.isfinite(found) else None

"""STAC items on disk: which asset is which band, by common names, band names and keys; scale, offset and nodata by the
raster extension, by the file, or by what the product's name says of its level and processing baseline.

Reads STAC 0.7 to 1.1 through pystac's migrations, and the only item of a search's answer. Assets must be local: nothing
is downloaded behind the user's back, and one that lies elsewhere is left aside. Checked on real items of Sentinel-2
(Earth Search v0, Planetary Computer, Copernicus Data Space), Landsat Collection 2 (USGS, Planetary Computer, those in
the products) and Sentinel-1 RTC, with images that the tests write.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import ProductError, one_line
from ..io import opening
from ..schema import Note
from ..sensors import PASSES, Sensor, SensorTable, table
from . import band_sample, landsat, sentinel2_offset, stac_assets
from .scene_geotiff import HEIGHT_VOID
from .scene_layer import Layer, Source, geobox_of
from .sentinel2_safe import QUANTIFICATION, baseline_in, offset_of
from .stac_assets import Assets, Found, number, platform_of
from .times import utc

if TYPE_CHECKING:
    import pystac
    from odc.geo.geobox import GeoBox

NEEDS_SCALE = ("reflectance", "brightness_temperature", "backscatter")
"""Quantities whose whole numbers are counts that need a scale."""
OFFSET_TAKEN_OFF = ":boa_offset_applied"
"""Ending of the property by which Earth Search says that its own images carry no offset any more."""

_NO_TIME = "1970-01-01T00:00:00Z"


def is_item(path: Path) -> bool:
    """Return whether a file of JSON is a STAC item, or a collection of features that are.

    Parameters
    ----------
    path : Path
        The file.
    """
    try:
        found = json.loads(opening.read_text(path))
    except (ProductError, ValueError, RecursionError):
        return False
    features = found.get("features") if isinstance(found, dict) else None
    first = features[0] if isinstance(features, list) and features else found
    return isinstance(first, dict) and first.get("type") == "Feature" and isinstance(first.get("assets"), dict)


def open_item(path: Path, *, sensors: SensorTable | None = None) -> list[Source]:
    """Describe a STAC item as sources of a scene.

    Parameters
    ----------
    path : Path
        The item's JSON; its assets lie in its folder or below, or in folders of :data:`.stac_assets.FOLDERS`.
    sensors : SensorTable, optional
        Sensors of the scene; those of glacier scenes by default.

    Returns
    -------
    list of Source
        One per sensor.

    Raises
    ------
    ProductError
        If it is no item, none of its bands is on this computer, or numbers have no unit.
    """
    sensors = table("glaciers") if sensors is None else sensors
    item = _item(path)
    mtl = _level_1_mtl(path, item)
    if mtl is not None:  # it has the factors of Level 1, no item has
        return landsat.open_folder(mtl.parent, metadata=mtl, sensors=sensors)
    assets = stac_assets.sort_out(path, item, sensors=sensors)
    if not assets.bands:
        raise ProductError(_no_bands(path, item, assets, sensors))
    layers = {where: _layer(path, item, found, sensors[where[0]]) for where, found in assets.bands.items()}
    layers, notes = _with_offset(item, assets, layers, sensors)
    if assets.elsewhere:
        names = ", ".join(f"{f.key} ({_where(f.href)})" for f in assets.elsewhere)
        text = f"{item.id}: left aside, not on this computer: {names}"
        notes.append(Note(code="asset_elsewhere", text=text))
    out = [
        _source(item, sensor, layers, assets)
        for sensor in sensors
        if any((sensor.name, i) in layers for i in range(len(sensor.bands)))
    ]
    return [replace(s, notes=(*s.notes, *notes) if k == 0 else s.notes) for k, s in enumerate(out)]


def _source(item: pystac.Item, sensor: Sensor, layers: dict[tuple[str, int], Layer], assets: Assets) -> Source:
    about = item.properties
    slots = [layers.get((sensor.name, i)) for i in range(len(sensor.bands))]
    for i, band in enumerate(sensor.bands):
        if band.computed and slots[0] is not None and slots[i] is None:
            slots[i] = replace(slots[0], kind=band.computed)
    has_clouds = sensor.quantity == "reflectance" and assets.cloud is not None and assets.cloud.path is not None
    time = about.get("datetime") or about.get("start_datetime")
    elevation, azimuth = _sun(item)
    return Source(
        sensor=sensor.name,
        bands=tuple(slots),
        grid=_grid(slots),
        product=platform_of(item) or str(item.collection_id or "STAC item"),
        name=item.id,
        time=utc(str(time), name=item.id) if time else None,
        sun_elevation=elevation,
        sun_azimuth=azimuth,
        cloud=Layer(path=assets.cloud.path) if has_clouds else None,  # type: ignore[union-attr, arg-type]
        cloud_kind=assets.cloud_kind if has_clouds else "",
        is_pass_unknown=sensor.has_passes and stac_assets.orbit_of(item) not in PASSES,
        notes=tuple(_notes(item, sensor, assets)),
    )


def _notes(item: pystac.Item, sensor: Sensor, assets: Assets) -> list[Note]:
    """Return what a careful user wants to know of a sensor's numbers."""
    own = [f for (name, _), f in assets.bands.items() if name == sensor.name]
    texts = []
    if sensor.quantity == "reflectance" and _is_surface(item):
        texts.append(("surface_reflectance", "surface reflectance (Level 2), no top-of-atmosphere reflectance"))
    if sensor.quantity == "brightness_temperature" and _is_surface(item):
        texts.append(("surface_temperature", "surface temperature (Level 2), no brightness temperature"))
    if sensor.quantity == "backscatter" and any("gamma0" in f"{f.key} {f.href}".lower() for f in own):
        texts.append(("gamma0", "gamma0 (corrected for terrain), no sigma0"))
    return [Note(code=code, text=f"{item.id}: {text}") for code, text in texts]


def _no_bands(path: Path, item: pystac.Item, assets: Assets, sensors: SensorTable) -> str:
    if assets.elsewhere:
        first = assets.elsewhere[0]
        return (
            f"{path.name}: none of its {len(assets.elsewhere)} bands is on this computer ({first.key} lies at"
            f" {_where(first.href)}); expected local files. Download the assets beside the item (stac-asset)."
        )
    names = dict.fromkeys(band.stac_names[0] for s in sensors for band in s.bands if band.stac_names)
    return (
        f"{path.name}: no asset of it is a band known here (assets {', '.join(list(item.assets)[:8])}); expected"
        f" {', '.join(names) or 'named bands'}. Give another item."
    )


def _where(href: str) -> str:
    """Return a reference for a message, without the signature that an address may carry."""
    return href.split("?")[0][:80]


def _level_1_mtl(path: Path, item: pystac.Item) -> Path | None:
    if "L1" not in str(item.properties.get("landsat:correction", item.id)).upper():
        return None
    for key, asset in item.assets.items():
        if key.lower() in ("mtl.json", "mtl.txt", "mtl.xml", "mtl") or landsat.is_metadata(str(asset.href)):
            found = stac_assets.local(path, asset)
            if found is not None and landsat.is_metadata(found.name):
                return found
    return None


def _item(path: Path) -> pystac.Item:
    """Read an item; none of its links is followed."""
    import pystac

    found, about = _json(path)
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
        item = pystac.Item.from_dict(whole, migrate=True)
    except Exception as error:  # the library throws what it likes at an item that breaks the standard
        raise ProductError(
            f"{path.name}: is no valid STAC item ({one_line(error)[:140]}); expected version 0.7 to 1.1. Save it again."
        ) from error
    if not about.get("datetime"):
        item.properties["datetime"] = None
    return item


def _json(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return an item and its properties as its file has them."""
    text = opening.read_text(path, expected="a STAC item. Save it again")
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ProductError(
            f"{path.name}: cannot be read as JSON ({one_line(error)[:120]}); expected a STAC item. Save it again."
        ) from error
    features = found.get("features") if isinstance(found, dict) else None
    if isinstance(features, list) and len(features) != 1:
        raise ProductError(
            f"{path.name}: holds {len(features)} STAC items; expected one. Save the one you mean in a file of its own."
        )
    found = features[0] if isinstance(features, list) else found
    about = found.get("properties") if isinstance(found, dict) else None
    if not isinstance(found, dict) or found.get("type") != "Feature" or not isinstance(found.get("assets"), dict):
        kind = found.get("type") if isinstance(found, dict) else type(found).__name__
        raise ProductError(
            f"{path.name}: is {kind!r}; expected a STAC item (type Feature, with assets). Of a collection or a search"
            " take one item."
        )
    return found, about if isinstance(about, dict) else {}


def _layer(path: Path, item: pystac.Item, found: Found, sensor: Sensor) -> Layer:
    """Return how an asset's counts become values; rejects what no scale is known of."""
    file = found.path or path
    with opening.open_raster(file) as source:
        if found.index > source.count:
            raise ProductError(
                f"{path.name}: asset {found.key} lists band {found.index}, {file.name} has {source.count}; expected"
                " them to agree. Correct the item."
            )
        at = found.index - 1
        kind, unit = np.dtype(source.dtypes[at]), str(found.band.get("unit") or source.units[at] or "").lower()
        own = (float(source.scales[at]), float(source.offsets[at]))
    factors = _factors(item, found, sensor, own=own, is_counts=kind.kind in "iu")
    if factors is None:
        raise ProductError(
            f"{path.name}: asset {found.key} holds {kind} without scale; expected raster:bands with scale and offset."
            " Complete the item, or give the product's own folder."
        )
    nodata = number(found.band.get("nodata"))
    is_linear = kind.kind == "u" or (sensor.quantity == "backscatter" and unit != "db")
    return Layer(
        path=file,
        index=found.index,
        kind="decibel" if unit == "db" else "linear",
        scale=factors[0],
        offset=factors[1],
        missing=(nodata,) if nodata is not None else (0.0,) if is_linear else (),
        valid_min=HEIGHT_VOID if sensor.quantity == "height" else -np.inf,
        saturation=float(np.iinfo(kind).max) if kind.kind in "iu" and sensor.quantity == "reflectance" else None,
    )


def _factors(
    item: pystac.Item, found: Found, sensor: Sensor, *, own: tuple[float, float], is_counts: bool
) -> tuple[float, float] | None:
    """Return scale and offset: the item's, else the file's, else the product's; None where counts have none."""
    scale, offset = number(found.band.get("scale")), number(found.band.get("offset"))
    baseline = baseline_of(item)
    is_image = sensor.quantity == "reflectance"
    if scale is not None and offset is None and is_image and is_counts and baseline:
        offset = offset_of(baseline) * scale
    scale, offset = own[0] if scale is None else scale, own[1] if offset is None else offset
    if (scale, offset) != (1.0, 0.0) or not is_counts or sensor.quantity not in NEEDS_SCALE:
        return scale, offset
    if stac_assets.is_landsat(item) and _is_surface(item):
        key = {"reflectance": "REFLECTANCE", "brightness_temperature": "TEMPERATURE"}.get(sensor.quantity, "")
        return landsat.LEVEL_2.get(key)
    if is_image and baseline:
        return 1.0 / QUANTIFICATION, offset_of(baseline) / QUANTIFICATION
    return None


def baseline_of(item: pystac.Item) -> str:
    """Return the processing baseline of a Sentinel-2 item, empty where it has none.

    Parameters
    ----------
    item : pystac.Item
        By its property (of whichever catalogue), else by a product's name in it.
    """
    about = item.properties
    if not re.match(r"^S2[A-Z]_|^sentinel-?2", f"{item.id}", re.IGNORECASE) and "sentinel-2" not in _words(item):
        return ""
    said = [v for k, v in about.items() if k.endswith(":processing_baseline")]
    said += [about.get("processing:version")]
    for text in map(str, said):
        if re.fullmatch(r"\d\d\.\d\d", text):
            return text
    names = (item.id, *(about.get(k) for k in ("s2:product_uri", "sentinel:product_id", "s2:granule_id")))
    return next((b for b in (baseline_in(str(n or "").removesuffix(".SAFE")) for n in names) if b), "")


def _words(item: pystac.Item) -> str:
    text = f"{platform_of(item)} {item.properties.get('constellation') or ''} {item.collection_id or ''}"
    return text.lower().replace("sentinel 2", "sentinel-2")


def _with_offset(
    item: pystac.Item, assets: Assets, layers: dict[tuple[str, int], Layer], sensors: SensorTable
) -> tuple[dict[tuple[str, int], Layer], list[Note]]:
    """Return the layers of a Sentinel-2 image with the offset that its counts need, and a note on how it was decided.

    JPEG 2000 images are the agency's own: no catalogue took anything off them.
    """
    flag = next((v for k, v in item.properties.items() if k.endswith(OFFSET_TAKEN_OFF)), None)
    image, baseline = sensors.of("reflectance"), baseline_of(item)
    own = {} if image is None else {w: la for w, la in layers.items() if w[0] == image.name}
    anew = {w: la for w, la in own.items() if la.path.suffix.lower() != ".jp2"}
    stated = min((la.offset for la in anew.values()), default=0.0)
    if image is None or not anew or not (baseline or flag is not None) or (flag is None and stated == 0):
        return layers, []
    scale = next(iter(anew.values())).scale
    offset = stated or (offset_of(baseline) * scale if baseline else 0.0)
    if offset == 0:
        return layers, []
    is_taken_off = str(flag).lower() == "true"
    dark = image.places("swir1", "swir2")
    evidence = sentinel2_offset.look(
        [_counts(la) for la in anew.values()],
        scale=scale,
        offset=offset,
        has_dark_band=any(place in dark for _, place in anew),
    )
    is_left = not is_taken_off if evidence.is_in_counts is None else evidence.is_in_counts
    final = offset if is_left else 0.0
    out = {w: replace(la, offset=final) if w in anew else la for w, la in layers.items()}
    if flag is None and is_left:
        return out, []
    says = "boa_offset_applied is missing" if flag is None else f"boa_offset_applied is {str(flag).lower()}"
    agrees = "the counts agree"
    if evidence.is_in_counts is None:
        agrees = "the counts cannot tell"
    elif evidence.is_in_counts == is_taken_off and is_left:
        agrees = f"but the counts begin at that offset (none is below {sentinel2_offset.BEGINS[0]:g} with {offset:+g})"
    elif evidence.is_in_counts == is_taken_off:
        share, least = evidence.negative_share, sentinel2_offset.NEGATIVE
        agrees = f"but with {offset:+g} up to {share:.0%} of a band would be below {least:g}"
    text = f"{item.id}: {says}, {agrees}: reflectance = counts * {scale:g} {'+' if final >= 0 else '-'} {abs(final):g}"
    return out, [Note(code="offset_decided", text=text)]


def _counts(layer: Layer) -> np.ndarray:
    with opening.open_raster(layer.path) as source:
        return band_sample.counts(source, layer.index)


def _grid(slots: Sequence[Layer | None]) -> GeoBox:
    """Return the grid of the finest band."""
    grids = []
    for path in dict.fromkeys(s.path for s in slots if s is not None):
        with opening.open_raster(path) as source:
            grids.append(geobox_of(source))
    return min(grids, key=lambda g: abs(g.affine.a))


def _sun(item: pystac.Item) -> tuple[float | None, float | None]:
    """Return the sun's elevation and azimuth, by whichever property an item has."""
    about = item.properties
    zenith = number(about.get("s2:mean_solar_zenith"))
    elevation = (number(about.get(k)) for k in ("view:sun_elevation", "eo:sun_elevation"))
    azimuth = (number(about.get(k)) for k in ("view:sun_azimuth", "eo:sun_azimuth", "s2:mean_solar_azimuth"))
    return (
        next((v for v in elevation if v is not None), None if zenith is None else 90.0 - zenith),
        next((v for v in azimuth if v is not None), None),
    )


def _is_surface(item: pystac.Item) -> bool:
    about = item.properties
    said = (item.id, *(about.get(k) for k in ("landsat:correction", "processing:level", "product:type")))
    text = " ".join(str(v) for v in (*said, about.get("s2:product_uri"), item.collection_id)).upper()
    return any(w in text for w in ("L2A", "L2SP", "L2SR", "-L2", "C2L2", "S2MSI2A"))

"""STAC items on disk: which asset is which band, by common names and band names; scale, offset and nodata by the raster
extension.

Reads STAC 1.0 (``eo:bands``, ``raster:bands``) and 1.1 (``bands``). Assets must be local: nothing is downloaded behind
the user's back. Checked on items that the tests write, after published items of Sentinel-2 Level-2A, Landsat Collection
2 and the Copernicus DEM.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import ProductError, one_line
from ..sensors import SENSORS
from . import landsat
from .scene_geotiff import HEIGHT_VOID, PASSES, utc
from .scene_layer import Layer, Source, geobox_of, reading

if TYPE_CHECKING:
    from odc.geo.geobox import GeoBox

OPTICAL = (
    {"blue", "b02"},
    {"green", "b03"},
    {"red", "b04"},
    {"nir", "b08", "nir08"},
    {"swir16", "swir1", "b11"},
    {"swir22", "swir2", "b12"},
)
"""Common names and Sentinel-2 names of the optical bands; ``nir08`` (Sentinel-2's B8A, Landsat's near infrared) where
there is no ``nir``."""
THERMAL = {"lwir", "lwir11", "brightness_temperature"}
DEM = {"dem", "elevation", "data", "heights"}
PICTURES = {"visual", "thumbnail", "overview", "preview", "rendered_preview", "reduced_resolution_browse", "tilejson"}
"""Assets and roles that are pictures of bands, not bands."""
CLOUD = {"qa_pixel": "landsat_qa", "scl": "sentinel2_scl"}


def open_item(path: Path) -> list[Source]:
    """Describe a STAC item as sources of a scene.

    Parameters
    ----------
    path : Path
        The item's JSON; hrefs relative to it, or absolute paths.

    Returns
    -------
    list of Source
        One a sensor.

    Raises
    ------
    ProductError
        If it is no item, an asset lies on a server or is missing, or numbers have no unit.
    """
    item = _item(path)
    about = item.get("properties") or {}
    name = str(item.get("id") or path.stem)
    assets = {k: v for k, v in (item.get("assets") or {}).items() if isinstance(v, dict) and v.get("href")}
    mtl = [_local(path, a["href"]) for k, a in assets.items() if k.lower() in ("mtl.json", "mtl.txt", "mtl")]
    if mtl and mtl[0].is_file() and "L1" in str(about.get("landsat:correction", name)).upper():
        return landsat.open_folder(mtl[0].parent)  # the item has no factors for Level 1, the MTL has
    time = about.get("datetime") or about.get("start_datetime")
    shared = {
        "product": str(about.get("platform") or item.get("collection") or "STAC item"),
        "name": name,
        "time": utc(str(time), name=path.name) if time else None,
        "sun_elevation": _number(about.get("view:sun_elevation")),
        "sun_azimuth": _number(about.get("view:sun_azimuth")),
    }
    orbit = str(about.get("sat:orbit_state") or "").lower()
    places: dict[tuple[str, int], Layer] = {}
    cloud, cloud_kind = None, ""
    is_dem = any(w in f"{item.get('collection') or ''} {name}".lower() for w in ("dem", "dsm", "elevation"))
    for key, asset in assets.items():
        if key.lower() in CLOUD:
            cloud, cloud_kind = Layer(_found(path, key, asset)), CLOUD[key.lower()]
        if {key.lower(), *(str(r).lower() for r in asset.get("roles") or ())} & PICTURES:
            continue
        for index, band in enumerate(_bands(asset)):
            for sensor, place in _meaning(key, band, orbit, is_dem):
                is_preferred = str(band.get("common_name", "")).lower() == "nir" or key.lower() in ("nir", "b08")
                if (sensor, place) not in places or is_preferred:
                    places[sensor, place] = _layer(path, key, asset, band, index + 1, sensor)
    if not places:
        raise ProductError(
            f"{path.name}: no asset of it is a band known here (assets {', '.join(list(assets)[:8])}); expected blue,"
            " green, red, nir, swir16, swir22, lwir11, vv, vh, coherence or elevation."
        )
    notes = (
        (f"{name}: surface reflectance (Level 2), no top-of-atmosphere reflectance",)
        if _is_surface(name, about, item)
        else ()
    )
    out = []
    for sensor, bands in SENSORS.items():
        slots = [places.get((sensor, i)) for i in range(len(bands))]
        if not any(slots):
            continue
        if sensor == "dem" and slots[0] is not None and slots[1] is None:
            slots[1] = replace(slots[0], kind="slope")
        is_optical, is_radar = sensor == "optical", sensor in ("co_pol_sar", "cross_pol_sar", "in_sar")
        out.append(
            Source(
                sensor,
                tuple(slots),
                _grid(slots),
                cloud=cloud if is_optical else None,
                cloud_kind=cloud_kind if is_optical else "",
                is_pass_unknown=is_radar and orbit not in PASSES,
                notes=notes if is_optical else (),
                **shared,
            )
        )
    return out


def is_item(path: Path) -> bool:
    """Say whether a JSON file is a STAC item."""
    try:
        return _item(path).get("type") == "Feature"
    except ProductError:
        return False


def _item(path: Path) -> dict:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ProductError(
            f"{path.name}: cannot be read as JSON ({one_line(error)[:120]}); expected a STAC item. Save it again."
        ) from error
    if not isinstance(found, dict) or found.get("type") != "Feature" or "assets" not in found:
        kind = found.get("type") if isinstance(found, dict) else type(found).__name__
        raise ProductError(
            f"{path.name}: is {kind!r}; expected a STAC item (type Feature, with assets). Of a collection or a search"
            " take one item."
        )
    return found


def _local(path: Path, href: str) -> Path:
    return Path(href.removeprefix("file://")) if href.startswith(("/", "file://")) else path.parent / href


def _found(path: Path, key: str, asset: dict) -> Path:
    href = str(asset["href"])
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


def _bands(asset: dict) -> list[dict]:
    """Return an asset's bands with the keys of STAC 1.0, whichever version wrote them."""
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


def _inherited(asset: dict) -> dict:
    wanted = ("scale", "offset", "nodata", "unit")
    return {k: asset[p + k] for k in wanted for p in ("", "raster:") if p + k in asset}


def _meaning(key: str, band: dict, orbit: str, is_dem: bool) -> list[tuple[str, int]]:
    """Return sensor and place of a band; the first of common name, band name and asset key that is known."""
    place = PASSES.index(orbit) if orbit in PASSES else 0
    for text in (band.get("common_name"), band.get("name"), key):
        word = str(text or "").lower()
        for i, names in enumerate(OPTICAL):
            if word in names:
                return [("optical", i)]
        if word in THERMAL:
            return [("thermal", 0)]
        if word in ("vv", "hh"):
            return [("co_pol_sar", place)]
        if word in ("vh", "hv"):
            return [("cross_pol_sar", place)]
        if word in ("coherence", "coh"):
            return [("in_sar", place)]
        if word in DEM and (is_dem or word != "data"):
            return [("dem", 0)]
        if word == "slope":
            return [("dem", 1)]
    return []


def _layer(path: Path, key: str, asset: dict, band: dict, index: int, sensor: str) -> Layer:
    import rasterio

    file = _found(path, key, asset)
    with reading(file), rasterio.open(file) as source:
        if index > source.count:
            raise ProductError(
                f"{path.name}: asset {key} lists band {index}, {file.name} has {source.count}; expected them to agree."
                " Mend the item."
            )
        kind, unit = np.dtype(source.dtypes[index - 1]), str(band.get("unit") or source.units[index - 1] or "").lower()
        scale, offset = _number(band.get("scale")), _number(band.get("offset"))
        scale = float(source.scales[index - 1]) if scale is None else scale
        offset = float(source.offsets[index - 1]) if offset is None else offset
    if (
        sensor in ("optical", "thermal", "co_pol_sar", "cross_pol_sar")
        and kind.kind in "iu"
        and (scale, offset) == (1.0, 0.0)
    ):
        raise ProductError(
            f"{path.name}: asset {key} holds {kind} without scale; expected raster:bands with scale and offset."
            " Complete the item, or give the product's own folder."
        )
    nodata = _number(band.get("nodata"))
    missing = (
        {nodata}
        if nodata is not None
        else {0.0}
        if kind.kind == "u" or (sensor in ("co_pol_sar", "cross_pol_sar") and unit != "db")
        else set()
    )
    top = float(np.iinfo(kind).max) if kind.kind in "iu" and sensor == "optical" else None
    return Layer(
        file,
        index,
        "decibel" if unit == "db" else "linear",
        scale,
        offset,
        missing=tuple(missing),
        least=HEIGHT_VOID if sensor == "dem" else -np.inf,
        top=top,
    )


def _grid(slots: list[Layer | None]) -> GeoBox:
    """Return the grid of the finest band."""
    import rasterio

    grids = []
    for path in dict.fromkeys(s.path for s in slots if s is not None):
        with reading(path), rasterio.open(path) as source:
            grids.append(geobox_of(source))
    return min(grids, key=lambda g: abs(g.affine.a))


def _is_surface(name: str, about: dict, item: dict) -> bool:
    told = " ".join(
        str(v) for v in (name, about.get("landsat:correction"), about.get("processing:level"), item.get("collection"))
    ).upper()
    return any(w in told for w in ("L2A", "L2SP", "L2SR", "-L2", "C2L2"))


def _number(value: object) -> float | None:
    try:
        found = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    return found if np.isfinite(found) else None

"""The assets of a STAC item: what each is by its names, where it lies on this computer, which of several is meant.

Catalogues list a band in several pixel sizes (``B02_10m``, ``B02_20m``), in two formats (``nir``, ``nir-jp2``), or
under addresses although the files lie beside the item. An asset that is not on this computer is left aside.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from ..errors import ProductError
from ..io import archives
from ..sensors import PASSES, Sensor, SensorTable
from . import landsat

if TYPE_CHECKING:
    import pystac

PICTURES = {
    *("visual", "thumbnail", "overview", "preview", "rendered_preview", "reduced_resolution_browse", "tilejson"),
    *("browse", "tci"),
}
"""Assets and roles that are pictures of bands, not bands."""
CLOUD = {"qa_pixel": "landsat_qa", "scl": "sentinel2_scl"}
NAMES_ANYTHING = "data"
"""A name that Copernicus DEM items give to heights and other items to anything."""
FOLDERS = "POLYNYA_ITEM_FOLDERS"
"""Environment variable: folders, separated as in PATH, from which items that lie elsewhere may take their assets."""
_SIZE = re.compile(r"_(\d+)m$")
_ENDING = re.compile(r"(?:[.-](?:tiff?|jp2))$")
_LANDSAT_BAND = re.compile(r"^(?:\w+_)?(?:sr_|toa_)?b(\d+)$")
_ADDRESS = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]+:/")


@dataclass(frozen=True, kw_only=True)
class Found:
    """An asset's band that is a band of a sensor.

    Attributes
    ----------
    key, href : str
        Of the asset.
    path : Path or None
        Where it lies on this computer.
    band : mapping
        The band's fields, by the keys of STAC 1.0 without prefix.
    index : int
        Band in the file, from 1.
    is_own_name : bool
        False where the name is that of a band that stands in (B8A for the near infrared).
    size_m : float
        Pixel size that the item states, infinite where it states none.
    """

    key: str
    href: str
    path: Path | None
    band: Mapping[str, Any]
    index: int
    is_own_name: bool
    size_m: float


@dataclass(frozen=True, kw_only=True)
class Assets:
    """What an item's assets are.

    Attributes
    ----------
    bands : dict of (str, int) to Found
        Sensor and place of the band to the asset that is meant: one that is here, under its own name, the finest.
    cloud : Found or None
        A raster that knows clouds.
    elsewhere : tuple of Found
        Bands of which no asset is on this computer.
    """

    bands: dict[tuple[str, int], Found] = field(default_factory=dict)
    cloud: Found | None = None
    elsewhere: tuple[Found, ...] = ()

    @property
    def cloud_kind(self) -> str:
        """Of :data:`CLOUD`; empty without a raster of clouds."""
        return "" if self.cloud is None else CLOUD[_plain(self.cloud.key)]


def sort_out(path: Path, item: pystac.Item, *, sensors: SensorTable) -> Assets:
    """Find the bands of sensors among an item's assets.

    Parameters
    ----------
    path : Path
        The item's file.
    item : pystac.Item
        What it holds.
    sensors : SensorTable
        Sensors of the scene.

    Returns
    -------
    Assets
    """
    known: dict[tuple[str, int], list[Found]] = {}
    clouds = []
    for key, asset in item.assets.items():
        plain = _plain(key)
        roles = {str(r).lower() for r in asset.roles or ()}
        if ({plain, key.lower()} | roles) & PICTURES or not asset.href:
            continue
        if plain in CLOUD:
            clouds.append(_found(path, key, asset, {}, 0, is_own_name=True))
        for index, band in enumerate(bands_of(item, asset.extra_fields)):
            meant = _meaning(plain, band, item, sensors)
            if meant is not None:
                sensor, place, is_own = meant
                found = _found(path, key, asset, band, index, is_own_name=is_own)
                known.setdefault((sensor.name, place), []).append(found)
    best = {where: min(found, key=_order) for where, found in known.items()}
    return Assets(
        bands={where: f for where, f in best.items() if f.path is not None},
        cloud=min((c for c in clouds if c.path is not None), key=_order, default=None),
        elsewhere=tuple(f for f in best.values() if f.path is None),
    )


def local(path: Path, asset: pystac.Asset) -> Path | None:
    """Return where an asset lies on this computer, None where it does not.

    Its address as it is, else the paths and other addresses that the item gives for it, else its file's name beside
    the item; of a SAFE tree, its place in the tree.

    Parameters
    ----------
    path : Path
        The item's file.
    asset : pystac.Asset
        One of its assets.

    Raises
    ------
    ProductError
        If it lies outside the item's folder, and nothing of its name lies inside.
    """
    more = asset.extra_fields
    others = more.get("alternate")
    hrefs = [asset.href, more.get("file:local_path")]
    hrefs += [a.get("href") for a in others.values() if isinstance(a, dict)] if isinstance(others, dict) else []
    for href in [h for h in hrefs if isinstance(h, str) and h]:
        for place in _places(path, href):
            if _is_allowed(path, place) and archives.is_file(place):
                return place
    for href in (h for h in hrefs if isinstance(h, str) and h):
        found = archives.named(path.parent, _parts(href)[-1]) if _parts(href) else None
        if found is not None and found != path and _is_allowed(path, found):
            return found
    for given in hrefs:
        _reject_outside(path, given)
    return None


def _reject_outside(path: Path, href: object) -> None:
    """Raise where a reference leads to a file that an item must not read: whoever wrote it may mean any file."""
    if not isinstance(href, str) or not href or is_address(href):
        return
    outside = next((p for p in _places(path, href) if archives.is_file(p)), None)
    if outside is not None:
        raise ProductError(
            f"{path.name}: its asset {href[:80]} lies outside the item's folder; expected files beside the item or"
            f" below. Copy it there, or name the folder in the environment variable {FOLDERS}."
        )


def _is_allowed(path: Path, place: Path) -> bool:
    """Return whether a place lies in the item's folder, or in one that the user named; links are followed."""
    named = [Path(f) for f in os.environ.get(FOLDERS, "").split(os.pathsep) if f]
    resolved = place.resolve()
    return any(resolved.is_relative_to(f.resolve()) for f in (path.parent, *named))


def is_address(href: str) -> bool:
    """Return whether a reference leads to a server."""
    return _ADDRESS.match(href) is not None and not href.startswith("file:")


def _places(path: Path, href: str) -> Iterable[Path]:
    """Yield the places that a reference may mean."""
    parts = _parts(href)
    if not is_address(href):
        plain = unquote(urlsplit(href).path) if href.startswith("file:") else href
        yield path.parent / plain  # an absolute path stays itself
    tree = next((i for i, p in enumerate(parts) if p.upper().endswith(".SAFE")), None)
    if tree is not None:
        yield path.parent.joinpath(*parts[tree:])
        yield path.parent.joinpath(*parts[tree + 1 :])


def _parts(href: str) -> tuple[str, ...]:
    """Return the folders and the file of a reference; those of Windows have other slashes."""
    text = unquote(urlsplit(href).path) if is_address(href) or href.startswith("file:") else href
    return tuple(p for p in PurePosixPath(text.replace("\\", "/")).parts if p not in ("/", "..", "."))


def _order(found: Found) -> tuple[bool, bool, float]:
    return found.path is None, not found.is_own_name, found.size_m


def _found(
    path: Path, key: str, asset: pystac.Asset, band: Mapping[str, Any], index: int, *, is_own_name: bool
) -> Found:
    more = asset.extra_fields
    size = _SIZE.search(key.lower())
    said = (band.get("spatial_resolution"), more.get("gsd"), band.get("gsd"), size[1] if size else None)
    return Found(
        key=key,
        href=asset.href,
        path=local(path, asset),
        band=band,
        index=index + 1,
        is_own_name=is_own_name,
        size_m=next((n for n in map(number, said) if n is not None), float("inf")),
    )


def number(value: object) -> float | None:
    """Return a finite number, None for anything else."""
    try:
        found = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    return found if abs(found) < float("inf") else None


def bands_of(item: pystac.Item, asset: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return an asset's bands, from its extra fields, with the keys of STAC 1.0, whichever version wrote them.

    Parameters
    ----------
    item : pystac.Item
        Before version 1.0 it lists the bands, and its assets give their places in the list.
    asset : mapping
        The asset's extra fields.
    """
    new = asset.get("bands")
    if isinstance(new, list) and new:
        return [
            {k.removeprefix("eo:").removeprefix("raster:"): v for k, v in {**_inherited(asset), **b}.items()}
            for b in new
            if isinstance(b, dict)
        ]
    eo = [_band_at(item, b) for b in asset.get("eo:bands") or []]
    raster = [b if isinstance(b, dict) else {} for b in asset.get("raster:bands") or []]
    count = max(len(eo), len(raster), 1)
    return [
        {**_inherited(asset), **(eo[i] if i < len(eo) else {}), **(raster[i] if i < len(raster) else {})}
        for i in range(count)
    ]


def _band_at(item: pystac.Item, band: object) -> dict[str, Any]:
    if isinstance(band, dict):
        return band
    listed = item.properties.get("eo:bands")
    is_place = isinstance(band, int) and isinstance(listed, list) and 0 <= band < len(listed)
    found = listed[band] if is_place else None  # type: ignore[index]
    return found if isinstance(found, dict) else {}


def _inherited(asset: Mapping[str, Any]) -> dict[str, Any]:
    wanted = ("scale", "offset", "nodata", "unit", "spatial_resolution")
    return {k: asset[p + k] for k in wanted for p in ("", "raster:") if p + k in asset}


def _plain(key: str) -> str:
    """Return an asset's key in lower case, without the ending of its file and its pixel size."""
    return _SIZE.sub("", _ENDING.sub("", key.lower()))


def orbit_of(item: pystac.Item) -> str:
    """Return the pass of a radar item, as the item says it."""
    return str(item.properties.get("sat:orbit_state") or "").lower()


def platform_of(item: pystac.Item) -> str:
    """Return the satellite, as the item says it; ``eo:platform`` is that of items before 1.0."""
    return str(item.properties.get("platform") or item.properties.get("eo:platform") or "")


def is_landsat(item: pystac.Item) -> bool:
    """Return whether an item is of a Landsat product."""
    return "landsat" in platform_of(item).lower() or re.match(r"^L[COTEM]0?[4-9]", item.id.upper()) is not None


def _meaning(
    key: str, band: Mapping[str, Any], item: pystac.Item, sensors: SensorTable
) -> tuple[Sensor, int, bool] | None:
    """Return where a band belongs: its sensor, its place there, and whether under its own name. The first of common
    name, band name and asset key that a sensor knows."""
    orbit = orbit_of(item)
    names = [str(t or "").lower() for t in (band.get("common_name"), band.get("name"), key)]
    if is_landsat(item):
        names = [w for w in map(_landsat_name(item), names) if w]
    for word in names:
        if not word or (word == NAMES_ANYTHING and not _is_height_model(item)):
            continue
        for sensor in sensors:
            words = set(re.split(r"[^a-z0-9]+", word)) if sensor.names_match == "any_word" else set()
            if words & set(sensor.excluded_words):
                continue
            for i, known in enumerate(sensor.bands):
                if word in known.stac_names or words & set(known.stac_names):
                    place = i
                    if sensor.has_passes:
                        place = PASSES.index(orbit) if orbit in PASSES else 0
                    return sensor, place, word in known.words or known.name == word or bool(words)
    return None


def _landsat_name(item: pystac.Item) -> Callable[[str], str]:
    """Return what turns Landsat's numbers of bands into colours: B2 is blue or green, B11 no short-wave infrared."""
    craft = re.sub(r"\D", "", platform_of(item)) or re.sub(r"\D", "", item.id)[:2].lstrip("0")
    family = landsat.family_of(f"LANDSAT_{craft}")
    colours = dict(zip(landsat.BANDS[family], landsat.COLOURS, strict=True))

    def name(word: str) -> str:
        if word.startswith("st_b"):
            return "lwir"
        found = _LANDSAT_BAND.match(word)
        return word if found is None else colours.get(found[1], "")

    return name


def _is_height_model(item: pystac.Item) -> bool:
    return any(w in f"{item.collection_id or ''} {item.id}".lower() for w in ("dem", "dsm", "elevation"))

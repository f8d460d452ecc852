"""What the bands of a GeoTIFF are to a scene: told by their names, by the file's name where a band has none, or by the
user.

Units are those the file states. Decibels become linear; counts without a scale are refused, since a wrong guess would
look like dark ice; 8-bit numbers pass as optical, divided by 255, with a note. Checked on the files in
shared/data/glaciers (Landsat 7 and Sentinel-2 chips, Sentinel-1 in dB, DEMs of four kinds).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import ProductError, UsageError
from ..sensors import SENSORS, band_names
from .scene_layer import Layer, Source, geobox_of, reading
from .sentinel2_geotiff import TIME_TAGS

if TYPE_CHECKING:
    import rasterio

ROLES = (*SENSORS, "sar", "coherence")
PASSES = ("ascending", "descending")
SAMPLE_PX, PIECE_PX = 1024, 128
"""A band up to so many pixels squared is looked at whole, a larger one in sixteen pieces of such a side."""
HEIGHT_VOID = -1000.0
"""Heights below are marks of missing data: -32768, -9999."""
_OPTICAL = {
    "blue": 0,
    "b02": 0,
    "green": 1,
    "b03": 1,
    "red": 2,
    "b04": 2,
    "nir": 3,
    "b08": 3,
    "swir1": 4,
    "swir16": 4,
    "b11": 4,
    "swir2": 5,
    "swir22": 5,
    "b12": 5,
}
_DEM = {"elevation": 0, "height": 0, "dem": 0, "z": 0, "slope": 1}
_THERMAL = ("brightness_temperature", "thermal", "lwir", "lwir11", "tirs", "bt")
_FILE_WORDS = {
    "dem": (
        "dem",
        "srtm",
        "nasadem",
        "copdem",
        "cop30",
        "cop90",
        "dsm",
        "aster",
        "gdem",
        "aw3d30",
        "rema",
        "arcticdem",
        "hma",
        "elevation",
    )
}
_UNITS = {
    "db",
    "m",
    "deg",
    "degree",
    "degrees",
    "metre",
    "metres",
    "k",
    "lin",
    "linear",
    "sigma0",
    "gamma0",
    "intensity",
    "toa",
    "refl",
    "reflectance",
}


@dataclass(frozen=True)
class _Meaning:
    """What one band is: sensor, its place, and words of its name that matter."""

    sensor: str
    place: int
    words: frozenset[str]
    is_pass_known: bool = True


def open_geotiff(path: Path, *, role: str | None = None, orbit: str | None = None) -> list[Source]:
    """Describe a GeoTIFF (or COG, VRT) as sources of a scene.

    Parameters
    ----------
    path : Path
    role : str, optional
        Of :data:`ROLES`: what it is, whatever its bands are called. ``sar`` looks for VV, VH, HH, HV.
    orbit : str, optional
        ``ascending`` or ``descending``, of radar.

    Returns
    -------
    list of Source
        One a sensor.

    Raises
    ------
    ProductError
        If no band can be told, the file has no coordinate system, or its numbers have no unit.
    UsageError
        If the role does not exist.
    """
    if (role is not None and role not in ROLES) or orbit not in (None, *PASSES):
        raise UsageError(
            f"{role or ''}{':' + orbit if orbit else ''}={path.name}: no such role; expected one of {', '.join(ROLES)},"
            f" radar with :ascending or :descending. Name it so: dem={path.name}."
        )
    import rasterio

    role = {"coherence": "in_sar"}.get(role or "", role)
    with reading(path), rasterio.open(path) as source:
        geobox = geobox_of(source)
        tags = {k.lower(): v for k, v in {**source.tags(), **source.tags(ns="IMAGERY")}.items()}
        orbit = orbit or _orbit_of(path.stem, tags)
        meanings, notes = _meanings(source, path, role, orbit)
        time = _time(tags, path)
        found: dict[str, list[Layer | None]] = {}
        for i, meaning in enumerate(meanings):
            if meaning is None:
                continue
            slots = found.setdefault(meaning.sensor, [None] * len(SENSORS[meaning.sensor]))
            if slots[meaning.place] is not None:
                raise ProductError(
                    f"{path.name}: bands {slots[meaning.place].index} and {i + 1} are both"
                    f" {band_names(meaning.sensor)[meaning.place]}; expected one of each. Take one of them out"
                    " (gdal_translate -b)."
                )
            slots[meaning.place] = _layer(source, path, i, meaning, notes)
    angles = [_number(tags.get(k)) for k in ("sun_elevation", "sun_azimuth")]
    out = []
    for sensor, slots in found.items():
        unknown = any(m is not None and m.sensor == sensor and not m.is_pass_known for m in meanings)
        if sensor == "dem" and slots[0] is not None and slots[1] is None:
            slots[1] = replace(slots[0], kind="slope")
            notes.append(f"{path.name}: slope from its heights, Horn 3 x 3")
        own = [n for n in notes if n.startswith(path.name)]
        out.append(
            Source(
                sensor,
                tuple(slots),
                geobox,
                "GeoTIFF",
                path.stem,
                time,
                angles[0],
                angles[1],
                is_pass_unknown=unknown,
                notes=tuple(own if not out else ()),
            )
        )
    return out


def _meanings(
    source: rasterio.DatasetReader, path: Path, role: str | None, orbit: str | None
) -> tuple[list[_Meaning | None], list[str]]:
    notes: list[str] = []
    texts = [(d or "").strip() for d in source.descriptions]
    out = [_told(t, orbit) for t in texts]
    if role is not None:
        wanted = ("co_pol_sar", "cross_pol_sar") if role == "sar" else (role,)
        told = [m if m is not None and m.sensor in wanted else None for m in out]
        out = told if any(told) else _by_order(source, path, role, orbit, notes)
    elif not any(out):
        out = _by_file_name(source, path, orbit, notes)
    if not any(out):
        raise ProductError(
            f"{path.name}: bands {', '.join(repr(t) for t in texts[:8])} say nothing of a sensor (a mask or outlines"
            " belong to --reference, --mask or --inventory); expected names such as blue, B02, elevation, VV_dB,"
            f" coherence, or the sensor given: dem={path.name} (of {', '.join(ROLES)})."
        )
    left = [t or f"band {i + 1}" for i, (t, m) in enumerate(zip(texts, out, strict=True)) if m is None]
    if left:
        notes.append(f"{path.name}: left aside: {', '.join(left)}")
    return out, notes


def _told(text: str, orbit: str | None) -> _Meaning | None:
    """Return what a band's name says."""
    plain = text.lower()
    words = [w for w in re.split(r"[^a-z0-9]+", plain) if w]
    there = frozenset(words)
    for sensor, bands in SENSORS.items():
        for place, band in enumerate(bands):
            if plain == band.name:
                return _Meaning(sensor, place, there)
    if not words:
        return None
    known = (
        "ascending"
        if there & {"asc", "ascending"}
        else "descending"
        if there & {"desc", "dsc", "descending"}
        else orbit
    )
    place = PASSES.index(known) if known else 0
    if there & {"coherence", "coh"}:
        return _Meaning("in_sar", place, there, known is not None)
    for sensor, names in (("co_pol_sar", {"vv", "hh"}), ("cross_pol_sar", {"vh", "hv"})):
        if there & names:
            return _Meaning(sensor, place, there, known is not None)
    if plain in _THERMAL or words[0] in _THERMAL:
        return _Meaning("thermal", 0, there)
    rest = [w for w in words[1:] if w not in _UNITS and not re.fullmatch(r"(b|band)?\d{1,2}a?|\d+m", w)]
    for sensor, names in (("optical", _OPTICAL), ("dem", _DEM)):
        if words[0] in names and not rest:
            return _Meaning(sensor, names[words[0]], there)
    return None


def _by_order(
    source: rasterio.DatasetReader, path: Path, role: str, orbit: str | None, notes: list[str]
) -> list[_Meaning | None]:
    """Take the bands of a file that the user named in the sensor's order."""
    out: list[_Meaning | None] = [None] * source.count
    none = frozenset[str]()
    if role in ("dem", "thermal"):
        out[0] = _Meaning(role, 0, none)
    elif role == "optical":
        colours = [{"blue": 0, "green": 1, "red": 2}.get(c.name) for c in source.colorinterp]
        if sorted(c for c in colours if c is not None) == [0, 1, 2]:
            out = [None if c is None else _Meaning(role, c, none) for c in colours]
        elif source.count in (4, 6):
            out = [_Meaning(role, i, none) for i in range(source.count)]
            notes.append(f"{path.name}: bands without names are taken as {', '.join(band_names(role)[: source.count])}")
        else:
            raise ProductError(
                f"{path.name}: {source.count} bands without names; expected blue, green, red, nir, swir1, swir2 in"
                " their descriptions, or four or six in this order. Set them with gdal_edit or rasterio."
            )
    elif role == "sar":
        raise ProductError(
            f"{path.name}: no band is called VV, VH, HH or HV; expected such names. Give it as co_pol_sar={path.name}"
            f" or cross_pol_sar={path.name}."
        )
    elif orbit is not None or source.count == 1:
        out[0] = _Meaning(role, PASSES.index(orbit) if orbit else 0, none, orbit is not None)
    else:
        out[0], out[1] = _Meaning(role, 0, none), _Meaning(role, 1, none)
        notes.append(f"{path.name}: its bands are taken as ascending and descending, in this order")
    return out


def _by_file_name(
    source: rasterio.DatasetReader, path: Path, orbit: str | None, notes: list[str]
) -> list[_Meaning | None]:
    words = set(re.split(r"[^a-z0-9]+", path.stem.lower()))
    out: list[_Meaning | None] = [None] * source.count
    if source.count == 1:
        if words & set(_FILE_WORDS["dem"]):
            out[0] = _Meaning("dem", 0, frozenset())
        else:
            told = [_told(w, orbit) for w in sorted(words & {"vv", "hh", "vh", "hv", "coherence", "coh"})]
            out[0] = replace(told[0], words=frozenset(words)) if len(told) == 1 else None
        if out[0] is not None:
            notes.append(f"{path.name}: taken as {out[0].sensor} by the file's name")
    return out


def _layer(source: rasterio.DatasetReader, path: Path, i: int, meaning: _Meaning, notes: list[str]) -> Layer:
    """Return how a band's counts become physical values; refuses what no unit is known of."""
    scale, offset = float(source.scales[i]), float(source.offsets[i])
    kind, is_scaled = np.dtype(source.dtypes[i]), (scale, offset) != (1.0, 0.0)
    unit = (source.units[i] or "").strip().lower()
    name = source.descriptions[i] or f"band {i + 1}"
    if kind.kind not in "iuf":
        raise ProductError(
            f"{path.name}: {name} holds {source.dtypes[i]}; expected real numbers. Make intensities of a complex image"
            " first."
        )
    if meaning.sensor == "optical":
        return _optical(source, path, i, name, notes)
    if meaning.sensor == "dem":
        if unit in ("ft", "feet", "foot"):
            scale, offset = scale * 0.3048, offset * 0.3048
        if meaning.place == 0 and kind == np.uint8:
            raise ProductError(
                f"{path.name}: {name} holds numbers of 8 bits; expected elevations in metres. Give a DEM; a mask"
                " belongs to --reference or --mask."
            )
        return Layer(path, i + 1, scale=scale, offset=offset, least=HEIGHT_VOID if meaning.place == 0 else -np.inf)
    low, high = _range(source, i)
    low, high = low * scale + offset, high * scale + offset
    if meaning.sensor in ("co_pol_sar", "cross_pol_sar"):
        is_decibel = "db" in meaning.words or unit == "db"
        if not is_decibel and low < 0:
            is_decibel = True
            notes.append(f"{path.name}: {name} has values below 0 and no unit: taken as decibels")
        if not is_decibel and ((kind.kind in "iu" and not is_scaled) or high > 1e4):
            raise ProductError(
                f"{path.name}: {name} reaches {high:g}; expected sigma0, linear or in dB. Calibrate the product first"
                " (SNAP, s1tools), or give scale and offset (gdal_edit -scale)."
            )
        return Layer(
            path, i + 1, "decibel" if is_decibel else "linear", scale, offset, missing=() if is_decibel else (0.0,)
        )
    if meaning.sensor == "in_sar" and high > 1.5:
        raise ProductError(
            f"{path.name}: {name} reaches {high:g}; expected coherence from 0 to 1. Give its scale (gdal_edit -scale)."
        )
    if meaning.sensor == "thermal" and not 100.0 < high < 400.0:
        raise ProductError(
            f"{path.name}: {name} reaches {high:g}; expected brightness temperature in kelvin. Convert it, or give the"
            " Landsat folder."
        )
    return Layer(path, i + 1, scale=scale, offset=offset, missing=(0.0,) if meaning.sensor == "thermal" else ())


def _optical(source: rasterio.DatasetReader, path: Path, i: int, name: str, notes: list[str]) -> Layer:
    scale, offset = float(source.scales[i]), float(source.offsets[i])
    kind = np.dtype(source.dtypes[i])
    if (scale, offset) == (1.0, 0.0):
        if kind == np.uint8:
            text = f"{path.name}: digital numbers, scaled by 255: no reflectances"
            if text not in notes:
                notes.append(text)
            return Layer(path, i + 1, scale=1.0 / 255.0, top=255.0)
        _, high = _range(source, i)
        if kind.kind in "iu" or high > 10.0:
            raise ProductError(
                f"{path.name}: {name} holds {source.dtypes[i]} up to {high:g} without a scale; expected reflectance"
                " about 0 to 1, or scale and offset in the file. Set them with gdal_edit -scale 0.0001 -offset 0"
                " (percent: 0.01; Sentinel-2 since 2022: -offset -0.1)."
            )
    top = float(np.iinfo(kind).max) if kind.kind in "iu" else None
    return Layer(
        path,
        i + 1,
        scale=scale,
        offset=offset,
        missing=(0.0,) if kind.kind == "u" and source.nodatavals[i] is None else (),
        top=top,
    )


def _range(source: rasterio.DatasetReader, i: int) -> tuple[float, float]:
    """Return about the least and largest count, from pieces spread over the band: a decimated reading of a large file
    without overviews would decode all of it."""
    from rasterio.windows import Window

    if source.height * source.width <= SAMPLE_PX**2:
        pieces = [Window(0, 0, source.width, source.height)]
    else:
        rows, columns = (np.unique(np.linspace(0, max(n - PIECE_PX, 0), 4).astype(int)) for n in source.shape)
        pieces = [
            Window(int(c), int(r), min(PIECE_PX, source.width), min(PIECE_PX, source.height))
            for r in rows
            for c in columns
        ]
    sample = np.concatenate(
        [source.read(i + 1, window=w, masked=True).astype(float).filled(np.nan).ravel() for w in pieces]
    )
    sample = sample[np.isfinite(sample)]
    return (float(np.quantile(sample, 0.002)), float(np.quantile(sample, 0.998))) if sample.size else (0.0, 0.0)


def _orbit_of(stem: str, tags: dict[str, str]) -> str | None:
    told = " ".join(
        [stem, *(tags.get(k, "") for k in ("orbit_direction", "orbit_state", "orbit", "pass", "sat:orbit_state"))]
    ).lower()
    words = set(re.split(r"[^a-z]+", told))
    up, down = words & {"asc", "ascending"}, words & {"desc", "dsc", "descending"}
    return PASSES[0] if up and not down else PASSES[1] if down and not up else None


def _number(text: str | None) -> float | None:
    try:
        value = float(text)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    return value if np.isfinite(value) else None


def _time(tags: dict[str, str], path: Path) -> np.datetime64 | None:
    for key in (*TIME_TAGS, "datetime", "time"):
        if key in tags:
            return utc(tags[key], name=path.name)
    return None


def utc(text: str, *, name: str) -> np.datetime64:
    """Return ISO 8601 text as UTC, ns.

    Raises
    ------
    ProductError
        If it is no time.
    """
    import datetime as dt

    try:
        when = dt.datetime.fromisoformat(text.strip().replace("Z", "+00:00"))
    except (ValueError, AttributeError) as error:
        raise ProductError(
            f"{name}: time {text!r}; expected UTC like 2019-11-04T19:52:01Z. Set it right in the file."
        ) from error
    return np.datetime64((when.astimezone(dt.UTC) if when.tzinfo else when).replace(tzinfo=None), "ns")

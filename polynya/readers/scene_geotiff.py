"""What the bands of a GeoTIFF are to a scene: by their names, by the file's name where a band has none, or by the user.

Units are those the file states. Decibels become linear; counts without a scale are rejected, since a wrong guess would
look like dark ice; 8-bit numbers pass as reflectance, divided by 255, with a note. Checked on the files in
shared/data/glaciers (Landsat 7 and Sentinel-2 chips, Sentinel-1 in dB, DEMs of four kinds).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import ProductError, UsageError
from ..io import opening
from ..schema import Note
from ..sensors import PASSES, Sensor, SensorTable, table
from . import band_sample, earth_engine_names, height_voids, landsat, sentinel2_offset
from .scene_layer import SIMULATED, Layer, Source, geobox_of
from .sentinel2_geotiff import TIME_TAGS
from .sentinel2_safe import BAND_IDS, LATER_OFFSET, QUANTIFICATION
from .times import utc

if TYPE_CHECKING:
    import rasterio

HEIGHT_VOID = height_voids.LOWEST_M
COLOURS = ("blue", "green", "red")
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


@dataclass(frozen=True, kw_only=True)
class _Meaning:
    """What one band is: its sensor, its place among the sensor's bands, and the words of its name that matter."""

    sensor: Sensor
    place: int
    words: frozenset[str] = frozenset()
    is_pass_known: bool = True


@dataclass(frozen=True, kw_only=True)
class _File:
    """An open file, the sensors it may hold, what the user said of it, and the notes on it so far."""

    source: rasterio.DatasetReader
    path: Path
    sensors: SensorTable
    role: str | None
    orbit: str | None
    notes: list[Note]
    names: earth_engine_names.Names | None = None

    def note(self, code: str, text: str) -> None:
        """Add a note on the file, once."""
        note = Note(code=code, text=f"{self.path.name}: {text}")
        if note not in self.notes:
            self.notes.append(note)


def open_geotiff(
    path: Path, *, role: str | None = None, orbit: str | None = None, sensors: SensorTable | None = None
) -> list[Source]:
    """Describe a GeoTIFF (or COG, VRT) as sources of a scene.

    Parameters
    ----------
    path : Path
        The file.
    role : str, optional
        What it is, whatever its bands are called: a sensor, or a word of :attr:`polynya.sensors.SensorTable.roles`.
        ``sar`` looks for VV, VH, HH, HV.
    orbit : str, optional
        ``ascending`` or ``descending``, of radar.
    sensors : SensorTable, optional
        Sensors of the scene; those of glacier scenes by default.

    Returns
    -------
    list of Source
        One per sensor.

    Raises
    ------
    ProductError
        If no band can be identified, the file has no coordinate system, or its numbers have no unit.
    UsageError
        If the role does not exist.
    """
    sensors = table("glaciers") if sensors is None else sensors
    if (role is not None and role not in sensors.roles) or orbit not in (None, *PASSES):
        raise UsageError(
            f"{role or ''}{':' + orbit if orbit else ''}={path.name}: no such role; expected one of"
            f" {', '.join(sensors.roles)}, radar with :ascending or :descending. Name it so: dem={path.name}."
        )
    with opening.open_raster(path) as source:
        geobox = geobox_of(source)
        tags = {k.lower(): v for k, v in {**source.tags(), **source.tags(ns="IMAGERY")}.items()}
        orbit = orbit or _orbit_of(path.stem, tags)
        names = _numbered(source, path)
        file = _File(source=source, path=path, sensors=sensors, role=role, orbit=orbit, notes=[], names=names)
        if "simulated_by" in tags:
            file.note(SIMULATED, "is simulated: no satellite measured it")
        meanings = _meanings(file)
        time = _time(tags, path)
        found = _layers(file, meanings)
    for name, slots in found.items():
        for i, band in enumerate(sensors[name].bands):
            has_voids = any(n.code == "height_voids" for n in file.notes)  # slopes made of them are walls
            if band.computed and slots[0] is not None and (slots[i] is None or has_voids):
                slots[i] = replace(slots[0], kind=band.computed)
                file.note("slope_computed", f"{band.name} from its heights, Horn 3 x 3")
    return [
        Source(
            sensor=name,
            bands=tuple(slots),
            grid=geobox,
            product="GeoTIFF",
            name=path.stem,
            time=time,
            sun_elevation=_number(tags.get("sun_elevation")),
            sun_azimuth=_number(tags.get("sun_azimuth")),
            is_pass_unknown=any(m is not None and m.sensor.name == name and not m.is_pass_known for m in meanings),
            notes=tuple(file.notes) if k == 0 else (),
        )
        for k, (name, slots) in enumerate(found.items())
    ]


def _numbered(source: rasterio.DatasetReader, path: Path) -> earth_engine_names.Names | None:
    """Return what bands with names such as B2 and SR_B2 are, in a file of one band by the file's name."""
    texts = [(d or "").strip() for d in source.descriptions]
    if texts == [""]:
        texts = [earth_engine_names.in_file_name(path.stem)]
    return earth_engine_names.translated(texts, stem=path.stem, highest=lambda i: _range(source, i)[1])


def _layers(file: _File, meanings: list[_Meaning | None]) -> dict[str, list[Layer | None]]:
    found: dict[str, list[Layer | None]] = {}
    for i, meaning in enumerate(meanings):
        if meaning is None:
            continue
        slots = found.setdefault(meaning.sensor.name, [None] * len(meaning.sensor.bands))
        before = slots[meaning.place]
        if before is not None:
            raise ProductError(
                f"{file.path.name}: bands {before.index} and {i + 1} are both"
                f" {meaning.sensor.band_names[meaning.place]}; expected one of each. Take one of them out"
                " (gdal_translate -b)."
            )
        slots[meaning.place] = _layer(file, i, meaning)
    return found


def _meanings(file: _File) -> list[_Meaning | None]:
    texts = [(d or "").strip() for d in file.source.descriptions]
    out = [_named(t, file) for t in (texts if file.names is None else file.names.texts)]
    if file.names is not None and file.names.is_guess and any(out):
        text = f"names such as {texts[0] or file.path.stem} taken as those of {file.names.product} 8 and 9"
        file.note("bands_by_number", text)
    if file.role is not None:
        wanted = file.sensors.roles[file.role]
        named = [m if m is not None and m.sensor in wanted else None for m in out]
        out = named if any(named) else _by_order(file, wanted)
    elif not any(out):
        out = _by_file_name(file)
    if not any(out):
        raise ProductError(
            f"{file.path.name}: bands {', '.join(repr(t) for t in texts[:8])} say nothing of a sensor (a mask or"
            " outlines belong to --reference, --mask or --inventory); expected names such as blue, B02, elevation,"
            f" VV_dB, coherence, or the sensor given: dem={file.path.name} (of {', '.join(file.sensors.roles)})."
        )
    left = [t or f"band {i + 1}" for i, (t, m) in enumerate(zip(texts, out, strict=True)) if m is None]
    if left:
        file.note("bands_unused", f"left aside: {', '.join(left)}")
    return out


def _named(text: str, file: _File) -> _Meaning | None:
    """Return what a band's name says."""
    plain = text.lower()
    words = [w for w in re.split(r"[^a-z0-9]+", plain) if w]
    there = frozenset(words)
    for sensor in file.sensors:
        place = sensor.place(plain)
        if place is not None:
            return _Meaning(sensor=sensor, place=place, words=there)
    if not words:
        return None
    orbit = _orbit_word(there) or file.orbit
    rest = [w for w in words[1:] if w not in _UNITS and not re.fullmatch(r"(b|band)?\d{1,2}a?|\d+m", w)]
    fits: dict[str, Callable[[tuple[str, ...]], bool]] = {
        "any_word": lambda known: bool(there & set(known)),
        "first_word": lambda known: plain in known or words[0] in known,
        "alone": lambda known: words[0] in known and not rest,
    }
    for how, is_meant in fits.items():
        for sensor in file.sensors:
            if sensor.names_match != how or there & set(sensor.excluded_words):
                continue
            for place, band in enumerate(sensor.bands):
                if is_meant(band.words) and (not sensor.has_passes or band.orbit == (orbit or PASSES[0])):
                    known = orbit is not None or not sensor.has_passes
                    return _Meaning(sensor=sensor, place=place, words=there, is_pass_known=known)
    return None


def _by_order(file: _File, wanted: tuple[Sensor, ...]) -> list[_Meaning | None]:
    """Take the bands of a file that the user named in the sensor's order."""
    out: list[_Meaning | None] = [None] * file.source.count
    if len(wanted) > 1:
        words = [w.upper() for s in wanted for w in s.bands[0].words]
        raise ProductError(
            f"{file.path.name}: no band is called {', '.join(words[:-1])} or {words[-1]}; expected such names. Give it"
            f" as {' or '.join(f'{s.name}={file.path.name}' for s in wanted)}."
        )
    sensor = wanted[0]
    if sensor.has_passes and (file.orbit is not None or file.source.count == 1):
        place = PASSES.index(file.orbit) if file.orbit else 0
        out[0] = _Meaning(sensor=sensor, place=place, is_pass_known=file.orbit is not None)
    elif sensor.has_passes:
        out[0], out[1] = _Meaning(sensor=sensor, place=0), _Meaning(sensor=sensor, place=1)
        file.note("passes_by_order", "its bands are taken as ascending and descending, in this order")
    elif len(sensor.bands) == 1 or any(b.computed for b in sensor.bands):
        out[0] = _Meaning(sensor=sensor, place=0)
    else:
        return _image_bands(file, sensor)
    return out


def _image_bands(file: _File, sensor: Sensor) -> list[_Meaning | None]:
    """Take the bands of an image by the file's colours, or by their number in the sensor's order."""
    count = file.source.count
    colours = [c.name if c.name in COLOURS else None for c in file.source.colorinterp]
    if sorted(c for c in colours if c is not None) == sorted(COLOURS) and set(COLOURS) <= set(sensor.band_names):
        return [None if c is None else _Meaning(sensor=sensor, place=sensor.band_names.index(c)) for c in colours]
    counts = sensor.band_counts or (len(sensor.bands),)
    if count not in counts:
        words = " or ".join(_count_word(n) for n in counts)
        raise ProductError(
            f"{file.path.name}: {count} bands without names; expected {', '.join(sensor.band_names)} in their"
            f" descriptions, or {words} in this order. Set them with gdal_edit or rasterio."
        )
    file.note("bands_by_order", f"bands without names are taken as {', '.join(sensor.band_names[:count])}")
    return [_Meaning(sensor=sensor, place=i) for i in range(count)]


def _count_word(count: int) -> str:
    words = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
    return words[count] if count < len(words) else str(count)


def _by_file_name(file: _File) -> list[_Meaning | None]:
    words = set(re.split(r"[^a-z0-9]+", file.path.stem.lower()))
    out: list[_Meaning | None] = [None] * file.source.count
    if file.source.count != 1:
        return out
    by_word = next((s for s in file.sensors if words & set(s.file_words)), None)
    if by_word is not None:
        out[0] = _Meaning(sensor=by_word, place=0)
    else:
        tellers = {w for s in file.sensors if s.names_match == "any_word" for b in s.bands for w in b.words}
        named = [m for m in (_named(w, file) for w in sorted(words & tellers)) if m is not None]
        out[0] = replace(named[0], words=frozenset(words)) if len(named) == 1 else None
    if out[0] is not None:
        file.note("sensor_by_file_name", f"taken as {out[0].sensor.name} by the file's name")
    return out


def _layer(file: _File, i: int, meaning: _Meaning) -> Layer:
    """Return how a band's counts become physical values; rejects what no unit is known of."""
    kind = np.dtype(file.source.dtypes[i])
    if kind.kind not in "iuf":
        raise ProductError(
            f"{file.path.name}: {_name(file, i)} holds {kind}; expected real numbers. Make intensities of a complex"
            " image first."
        )
    return _LAYERS.get(meaning.sensor.quantity, _plain)(file, i, meaning)


def _name(file: _File, i: int) -> str:
    return file.source.descriptions[i] or f"band {i + 1}"


def _unit(file: _File, i: int) -> str:
    return (file.source.units[i] or "").strip().lower()


def _scale(file: _File, i: int) -> tuple[float, float]:
    return float(file.source.scales[i]), float(file.source.offsets[i])


def _values_range(file: _File, i: int) -> tuple[float, float]:
    scale, offset = _scale(file, i)
    low, high = _range(file.source, i)
    return low * scale + offset, high * scale + offset


def _plain(file: _File, i: int, meaning: _Meaning) -> Layer:
    scale, offset = _scale(file, i)
    return Layer(path=file.path, index=i + 1, scale=scale, offset=offset)


def _height(file: _File, i: int, meaning: _Meaning) -> Layer:
    scale, offset = _scale(file, i)
    if _unit(file, i) in ("ft", "feet", "foot"):
        scale, offset = scale * 0.3048, offset * 0.3048
    if meaning.place == 0 and np.dtype(file.source.dtypes[i]) == np.uint8:
        raise ProductError(
            f"{file.path.name}: {_name(file, i)} holds numbers of 8 bits; expected elevations in metres. Give a DEM; a"
            " mask belongs to --reference or --mask."
        )
    if meaning.place != 0:
        return Layer(path=file.path, index=i + 1, scale=scale, offset=offset)
    voids = height_voids.find(file.path, i + 1, scale=scale, offset=offset)
    for line in voids.lines:
        file.note("height_voids", line)
    return Layer(
        path=file.path,
        index=i + 1,
        scale=scale,
        offset=offset,
        missing=voids.counts,
        valid_min=height_voids.LOWEST_M,
        valid_max=height_voids.HIGHEST_M,
    )


def _backscatter(file: _File, i: int, meaning: _Meaning) -> Layer:
    scale, offset = _scale(file, i)
    low, high = _values_range(file, i)
    is_counts = np.dtype(file.source.dtypes[i]).kind in "iu" and (scale, offset) == (1.0, 0.0)
    is_decibel = "db" in meaning.words or _unit(file, i) == "db"
    if not is_decibel and low < 0:
        is_decibel = True
        file.note("taken_as_decibels", f"{_name(file, i)} has values below 0 and no unit: taken as decibels")
    if not is_decibel and (is_counts or high > 1e4):
        raise ProductError(
            f"{file.path.name}: {_name(file, i)} reaches {high:g}; expected sigma0, linear or in dB. Calibrate the"
            " product first (SNAP, s1tools), or give scale and offset (gdal_edit -scale)."
        )
    return Layer(
        path=file.path,
        index=i + 1,
        kind="decibel" if is_decibel else "linear",
        scale=scale,
        offset=offset,
        missing=() if is_decibel else (0.0,),
    )


def _coherence(file: _File, i: int, meaning: _Meaning) -> Layer:
    high = _values_range(file, i)[1]
    if high > 1.5:
        raise ProductError(
            f"{file.path.name}: {_name(file, i)} reaches {high:g}; expected coherence from 0 to 1. Give its scale"
            " (gdal_edit -scale)."
        )
    return _plain(file, i, meaning)


def _temperature(file: _File, i: int, meaning: _Meaning) -> Layer:
    high = _values_range(file, i)[1]
    if high > 400.0 and _is_landsat_level_2(file):
        scale, offset = landsat.LEVEL_2["TEMPERATURE"]
        file.note("factors_by_name", f"{_name(file, i)} by the factors of {earth_engine_names.LANDSAT_LEVEL_2}")
        return Layer(path=file.path, index=i + 1, scale=scale, offset=offset, missing=(0.0,))
    if not 100.0 < high < 400.0:
        raise ProductError(
            f"{file.path.name}: {_name(file, i)} reaches {high:g}; expected brightness temperature in kelvin. Convert"
            " it, or give the Landsat folder."
        )
    return replace(_plain(file, i, meaning), missing=(0.0,))


def _is_landsat_level_2(file: _File) -> bool:
    return file.names is not None and file.names.product == earth_engine_names.LANDSAT_LEVEL_2


def _factors_by_name(file: _File) -> tuple[float, float] | None:
    """Return scale and offset of counts that the bands' names decide; None where they do not."""
    if file.names is None:
        return None
    if _is_landsat_level_2(file):
        text = f"counts by the factors of {earth_engine_names.LANDSAT_LEVEL_2}, whose names the bands have"
        file.note("factors_by_name", text)
        return landsat.LEVEL_2["REFLECTANCE"]
    if file.names.product != earth_engine_names.SENTINEL2:
        return None
    scale, offset = 1.0 / QUANTIFICATION, LATER_OFFSET / QUANTIFICATION
    own = [i for i, t in enumerate(file.names.texts) if t.upper() in BAND_IDS or t == "nir"]
    evidence = sentinel2_offset.look(
        [band_sample.counts(file.source, i + 1) for i in own],
        scale=scale,
        offset=offset,
        has_dark_band=any(file.names.texts[i].upper() in ("B11", "B12") for i in own),
    )
    if evidence.is_in_counts is None:
        return None
    final = offset if evidence.is_in_counts else 0.0
    text = f"counts of Sentinel-2, by the counts themselves {'with' if final else 'without'} the offset of 2022"
    file.note("offset_decided", f"{text}: reflectance = counts * {scale:g} {final:+g}")
    return scale, final


def _reflectance(file: _File, i: int, meaning: _Meaning) -> Layer:
    scale, offset = _scale(file, i)
    kind = np.dtype(file.source.dtypes[i])
    if (scale, offset) == (1.0, 0.0):
        if kind == np.uint8:
            file.note("digital_numbers", "digital numbers, scaled by 255: no reflectances")
            return Layer(path=file.path, index=i + 1, scale=1.0 / 255.0, saturation=255.0)
        _, high = _range(file.source, i)
        is_counts = kind.kind in "iu" or high > 10.0
        by_name = _factors_by_name(file) if is_counts else None
        if by_name is not None:
            scale, offset = by_name
            most = float(np.iinfo(kind).max) if kind.kind in "iu" else None
            return Layer(path=file.path, index=i + 1, scale=scale, offset=offset, missing=(0.0,), saturation=most)
        if is_counts:
            raise ProductError(
                f"{file.path.name}: {_name(file, i)} holds {kind} up to {high:g} without a scale; expected reflectance"
                " about 0 to 1, or scale and offset in the file. Set them with gdal_edit -scale 0.0001 -offset 0"
                " (percent: 0.01; Sentinel-2 since 2022: -offset -0.1)."
            )
    return Layer(
        path=file.path,
        index=i + 1,
        scale=scale,
        offset=offset,
        missing=(0.0,) if kind.kind == "u" and file.source.nodatavals[i] is None else (),
        saturation=float(np.iinfo(kind).max) if kind.kind in "iu" else None,
    )


_LAYERS: dict[str, Callable[[_File, int, _Meaning], Layer]] = {
    "reflectance": _reflectance,
    "height": _height,
    "backscatter": _backscatter,
    "coherence": _coherence,
    "brightness_temperature": _temperature,
}
"""How the counts of a quantity become values; :func:`_plain` for others."""


def _range(source: rasterio.DatasetReader, i: int) -> tuple[float, float]:
    """Return about the least and largest count."""
    sample = band_sample.counts(source, i + 1)
    return (float(np.quantile(sample, 0.002)), float(np.quantile(sample, 0.998))) if sample.size else (0.0, 0.0)


def _orbit_of(stem: str, tags: dict[str, str]) -> str | None:
    said = " ".join(
        [stem, *(tags.get(k, "") for k in ("orbit_direction", "orbit_state", "orbit", "pass", "sat:orbit_state"))]
    ).lower()
    words = set(re.split(r"[^a-z]+", said))
    up, down = words & {"asc", "ascending"}, words & {"desc", "dsc", "descending"}
    return PASSES[0] if up and not down else PASSES[1] if down and not up else None


def _orbit_word(words: frozenset[str]) -> str | None:
    if words & {"asc", "ascending"}:
        return PASSES[0]
    return PASSES[1] if words & {"desc", "dsc", "descending"} else None


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

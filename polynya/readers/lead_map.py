"""Maps of leads as GeoTIFFs, on a polar grid: whoever drew them, from radar or optical images.

Checked on no map of others: maps of ``polynya segment`` (Sentinel-1 leads, Sentinel-2 classes) and of ``polynya
simulate altika`` are read, and any GeoTIFF with 1 for lead, 0 for ice, and a value for no data.

Which values are lead follows from the tags ``flag_values`` and ``flag_meanings``: the class ``lead`` where there is
one, else ``open_water`` and ``thin_ice`` together (a lead is open water or thin ice between floes); without tags 1.
Classes of cloud and shadow are no data. The time is the tag ``time`` (UTC), else the date and time in the file's name.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import ProductError, UsageError
from ..io import opening
from ..schema import Note

if TYPE_CHECKING:
    import rasterio
    from odc.geo.geobox import GeoBox

PRODUCT = "map of leads"
RELEASES = ("GeoTIFF",)
CHECKED: tuple[str, ...] = ()
NORTH, SOUTH = 3413, 3976
"""EPSG codes of the polar grids."""
FINEST_M, COARSEST_M = 40.0, 100.0
"""Pixels of a map for labels. Finer maps are brought to the first; coarser ones are taken, and a note says so."""
ICE, LEAD, NO_DATA = 0, 1, 2
LEAD_CLASS, WATER_CLASSES = "lead", ("open_water", "thin_ice")
UNSEEN = ("cloud_or_shadow", "cloud", "shadow", "no_data", "land")
USUAL_NO_DATA = 255
MOST_CLASSES = 32
EXPECTED = "a map of leads: a GeoTIFF with 1 for lead, 0 for ice, a value for no data. Check the file"
_STAMP = re.compile(r"(?<!\d)(\d{4})(\d{2})(\d{2})[T_]?(\d{2})(\d{2})(\d{2})(?!\d)")


@dataclass(frozen=True, kw_only=True, eq=False)
class Header:
    """What a map is, without its pixels.

    Attributes
    ----------
    path : Path
    time : numpy.datetime64
        UTC, datetime64[ns].
    geobox : odc.geo.geobox.GeoBox
        The polar grid on which it is read.
    is_warped : bool
        Whether the file has another grid.
    notes : tuple of Note
    """

    path: Path
    time: np.datetime64
    geobox: GeoBox
    is_warped: bool
    notes: tuple[Note, ...] = ()

    @property
    def name(self) -> str:
        """Name of the file."""
        return self.path.name


@dataclass(frozen=True, kw_only=True, eq=False)
class LeadMap:
    """A map of leads on a polar grid.

    Attributes
    ----------
    header : Header
    states : numpy.ndarray of uint8, shape (h, w)
        :data:`ICE`, :data:`LEAD`, :data:`NO_DATA`.
    lead_classes : tuple of str
        What was taken as lead: names of classes, or values.
    """

    header: Header
    states: np.ndarray
    lead_classes: tuple[str, ...]

    @property
    def has_lead(self) -> bool:
        """Whether a pixel is lead."""
        return bool((self.states == LEAD).any())


def header(path: Path | str, *, time: np.datetime64 | None = None) -> Header:
    """Read where and when a map is.

    Parameters
    ----------
    path : Path or str
        GeoTIFF.
    time : numpy.datetime64, optional
        Of the map, UTC, where the file states none; it has priority.

    Raises
    ------
    ProductError
        If it is no raster, has several bands, no coordinate system, or no pixel on the Earth.
    UsageError
        If nothing states its time.
    """
    path = Path(path)
    with opening.open_raster(path, expected=EXPECTED) as source:
        if source.count != 1:
            raise ProductError(
                f"{path.name}: has {source.count} bands; expected one band of classes. Write the band of leads to a"
                " file of its own (gdal_translate -b)."
            )
        if source.crs is None:
            raise ProductError(
                f"{path.name}: has no coordinate system; expected a map on a grid such as EPSG:{NORTH}. Assign one with"
                " gdal_edit -a_srs."
            )
        stated = _time(source)
        geobox, is_warped = _grid(source)
    when = time if time is not None else stated
    if when is None:
        raise UsageError(
            f"{path.name}: states no time, neither in a tag 'time' nor in its name; expected when the image was taken."
            " Pass --map-time YYYY-MM-DDTHH:MM:SS."
        )
    notes = []
    pixel = abs(geobox.affine.a)
    if pixel > COARSEST_M:
        notes.append(Note(code="coarse_map", text=f"{path.name}: pixels of {pixel:.0f} m; narrow leads are missing"))
    return Header(path=path, time=when.astype("datetime64[ns]"), geobox=geobox, is_warped=is_warped, notes=tuple(notes))


def read(path: Path | str | Header, *, lead_classes: Sequence[str] = ()) -> LeadMap:
    """Read a map.

    Parameters
    ----------
    path : Path, str or Header
        GeoTIFF, or what :func:`header` gave of it.
    lead_classes : sequence of str
        Names of its classes, or values, that are lead; by default as the module says.

    Returns
    -------
    LeadMap
        On a polar grid; a file on another grid, or finer than :data:`FINEST_M`, is brought to it by the most frequent
        class of a cell, a coarser one by the nearest pixel.

    Raises
    ------
    ProductError
        If its values are no classes, or none of them is known to be lead.
    UsageError
        If it has no class of a name that was given, or as :func:`header`.
    """
    about = path if isinstance(path, Header) else header(path)
    with opening.open_raster(about.path, expected=EXPECTED) as source:
        _check_kind(source, about.name)
        names = _flags(source, about.name)
        chosen, unseen = _chosen(names, tuple(lead_classes), about.name)
        values, missing = _warped(source, about.geobox) if about.is_warped else _plain(source)
    for value in unseen:
        missing |= values == value
    states = np.full(values.shape, ICE, np.uint8)
    for value in chosen:
        states[values == value] = LEAD
    states[missing] = NO_DATA
    if not names and not lead_classes:
        _check_binary(values[~missing], about.name)
    if missing.all():
        raise ProductError(f"{about.name}: has no pixel with data; expected a map of leads. Choose another.")
    return LeadMap(header=about, states=states, lead_classes=tuple(names.get(v, str(v)) for v in sorted(chosen)))


def _time(source: rasterio.DatasetReader) -> np.datetime64 | None:
    """Return the time of a tag, else of the name; None where neither states one with hours and minutes."""
    tag = str(source.tags().get("time", "")).strip().removesuffix("Z").removesuffix("+00:00")
    if tag:
        try:
            found = np.datetime64(tag, "ns")
            if not np.isnat(found):
                return found
        except ValueError:
            pass
    stamps = _STAMP.findall(Path(source.name).name)
    for stamp in stamps:
        try:
            return np.datetime64("{}-{}-{}T{}:{}:{}".format(*stamp), "ns")
        except ValueError:
            continue
    return None


def _grid(source: rasterio.DatasetReader) -> tuple[GeoBox, bool]:
    """Return the polar grid of a raster, and whether it is another one than its own."""
    from affine import Affine
    from odc.geo.geobox import GeoBox
    from rasterio.warp import calculate_default_transform, transform

    t, name = source.transform, Path(source.name).name
    own = source.crs.to_epsg()
    is_straight = not (t.b or t.d) and t.a > 0 and abs(t.a + t.e) < 1e-6 * t.a
    if own in (NORTH, SOUTH) and is_straight and t.a >= FINEST_M:
        return GeoBox((source.height, source.width), t, f"EPSG:{own}"), False
    across, down = 0.5 * source.width, 0.5 * source.height
    middle = ([t.c + t.a * across + t.b * down], [t.f + t.d * across + t.e * down])
    latitude = transform(source.crs, "EPSG:4326", *middle)[1][0]
    epsg = own if own in (NORTH, SOUTH) else NORTH if latitude >= 0 else SOUTH
    if not np.isfinite(latitude) or abs(latitude) < 30.0:
        raise ProductError(
            f"{name}: its middle lies at latitude {latitude:.1f}; expected a map of sea ice. Check its coordinate"
            " system."
        )
    wide = calculate_default_transform(source.crs, f"EPSG:{epsg}", source.width, source.height, *source.bounds)
    step = max(abs(wide[0].a), FINEST_M)
    step = step if step < 1.01 * FINEST_M else float(np.ceil(step - 1e-6))
    left, top = wide[0].c, wide[0].f
    right, bottom = left + wide[0].a * wide[1], top + wide[0].e * wide[2]
    first, last = (np.floor(left / step), np.floor(bottom / step)), (np.ceil(right / step), np.ceil(top / step))
    affine = Affine(step, 0.0, first[0] * step, 0.0, -step, last[1] * step)
    return GeoBox((int(last[1] - first[1]), int(last[0] - first[0])), affine, f"EPSG:{epsg}"), True


def _check_kind(source: rasterio.DatasetReader, name: str) -> None:
    if source.dtypes[0].startswith(("complex", "float64")) or source.dtypes[0] in ("uint32", "int32"):
        raise ProductError(
            f"{name}: holds {source.dtypes[0]}; expected classes in whole numbers of 8 or 16 bits. Convert it"
            " (gdal_translate -ot Byte)."
        )


def _flags(source: rasterio.DatasetReader, name: str) -> dict[int, str]:
    """Return names of classes by their values, of CF's tags; empty where there are none."""
    tags = {**source.tags(), **source.tags(1)}
    values, meanings = (str(tags.get(n, "")).replace(",", " ").split() for n in ("flag_values", "flag_meanings"))
    if not values and not meanings:
        return {}
    if len(values) != len(meanings) or not all(re.fullmatch(r"-?\d+", v) for v in values):
        raise ProductError(
            f"{name}: its tags name {len(values)} values and {len(meanings)} meanings of classes; expected as many, in"
            " whole numbers. Correct flag_values and flag_meanings (gdal_edit -mo)."
        )
    return dict(zip(map(int, values), meanings, strict=True))


def _chosen(names: dict[int, str], wanted: tuple[str, ...], file: str) -> tuple[set[int], set[int]]:
    """Return the values that are lead, and those that are no data."""
    by_name = {n: v for v, n in names.items()}
    unseen = {by_name[n] for n in UNSEEN if n in by_name}
    if wanted:
        unknown = [w for w in wanted if w not in by_name and not re.fullmatch(r"\d{1,5}", w)]
        if unknown:
            raise UsageError(
                f"--lead-class {unknown[0]}: {file} has no such class; expected {', '.join(by_name) or 'a number'}."
                " Choose some of these."
            )
        chosen = {by_name[w] if w in by_name else int(w) for w in wanted}
        return chosen, unseen - chosen
    if not names:
        return {LEAD}, set()
    if LEAD_CLASS in by_name:
        return {by_name[LEAD_CLASS]}, unseen
    water = {by_name[n] for n in WATER_CLASSES if n in by_name}
    if not water:
        raise ProductError(
            f"{file}: its classes are {', '.join(by_name)}; expected one named {LEAD_CLASS} or {WATER_CLASSES[0]}. Name"
            " those that are leads with --lead-class."
        )
    return water, unseen


def _plain(source: rasterio.DatasetReader) -> tuple[np.ndarray, np.ndarray]:
    values = source.read(1)
    return values, _missing(values, source)


def _missing(values: np.ndarray, source: rasterio.DatasetReader) -> np.ndarray:
    missing = source.dataset_mask() == 0 if values.shape == source.shape else np.zeros(values.shape, bool)
    if source.nodata is None:  # 255 is no data in every map of bytes that we know
        missing |= values == USUAL_NO_DATA
    return missing | ~np.isfinite(values) if values.dtype.kind == "f" else missing


def _warped(source: rasterio.DatasetReader, geobox: GeoBox) -> tuple[np.ndarray, np.ndarray]:
    """Return the classes of a raster on another grid, and where there are none."""
    from rasterio.enums import Resampling
    from rasterio.warp import reproject

    values, missing = _plain(source)
    marks = np.where(missing, -1, values).astype(np.int32)
    out = np.full(tuple(geobox.shape), -1, np.int32)
    finer = abs(source.transform.a) * (111_000.0 if source.crs.is_geographic else 1.0) < abs(geobox.affine.a)
    reproject(
        marks,
        out,
        src_transform=source.transform,
        src_crs=source.crs,
        src_nodata=-1,
        dst_transform=geobox.affine,
        dst_crs=str(geobox.crs),
        dst_nodata=-1,
        resampling=Resampling.mode if finer else Resampling.nearest,
    )
    return out, out == -1


def _check_binary(values: np.ndarray, name: str) -> None:
    """Reject values other than 0 and 1 in a map that does not name its classes."""
    is_other = (values != ICE) & (values != LEAD)
    if is_other.any():
        raise ProductError(
            f"{name}: has the value {values[is_other][0]:g} and no names of classes; expected 0 ice, 1 lead, and"
            " a value for no data. Say which values are lead with --lead-class, or set the nodata value"
            " (gdal_edit -a_nodata)."
        )

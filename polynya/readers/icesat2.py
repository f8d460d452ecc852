"""What the ICESat-2 products share: opening a granule, its beams and their strength, fill values, time.

Checked on real files: ATL03 r006, ATL07 r003, ATL10 r006. The attribute fallbacks follow the Harmony
subsetter's output, which leaves ``orbit_info`` and ``ancillary_data`` out.
"""

from __future__ import annotations

import contextlib
import math
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from ..errors import ProductError, UsageError, one_line
from ..io import opening
from ..schema import BEAM_NAMES, Note
from . import icesat2_agreement
from .hdf5_chunks import read_whole

EPOCH = np.datetime64("2018-01-01T00:00:00", "ns")
"""ATLAS standard data product epoch, UTC. No leap second has been added since, so UTC = EPOCH + delta_time."""
GPS_EPOCH_SECONDS = 1198800018.0
"""The same instant in GPS seconds since 1980-01-06: it already holds the 18 s between GPS and UTC."""
FILL_ABOVE = 1.0e30
"""Floating-point values beyond this are fill: 3.4028235e38 or 1.7976931348623157e308."""

ORIENTATIONS = {0: "backward", 1: "forward", 2: "transition"}
STRONG_WHEN = {0: "l", 1: "r"}
"""Orientation -> side of the strong beams: backward has them left, forward right (ATL03 data dictionary)."""
SPOTS = {
    0: dict(zip(BEAM_NAMES, (1, 2, 3, 4, 5, 6), strict=True)),
    1: dict(zip(BEAM_NAMES, (6, 5, 4, 3, 2, 1), strict=True)),
}
"""Orientation -> beam -> ATLAS spot; odd spots are strong."""

GRIDDED = {
    "ATL20": "freeboard of ATL10 as daily and monthly means on a 25 km grid",
    "ATL21": "sea surface heights of ATL10 as daily and monthly means on a 25 km grid",
}
"""Gridded sea-ice products: no beams, nothing along the track."""

MOST_PHOTONS = 500_000_000
MOST_ROWS = {"geolocation": 2_400_000, "geophys_corr": 2_400_000, "bckgrd_atlas": 2_400_000}
"""Rows of a beam that a whole orbit could fill, by the group: geosegments of 20 m, 50 shots of 10 kHz."""
MAX_INFLATION = 1100
"""Deflate cannot expand more than 1032 to 1: a dataset larger than this many file sizes is damaged."""


@dataclass(frozen=True, kw_only=True)
class Beam:
    """One ground track of a granule.

    Attributes
    ----------
    name : str
        ``gt1l`` ... ``gt3r``.
    is_strong : bool
    spot : int
        ATLAS spot number 1-6, 0 where unknown. NASA's beam gains belong to spots.
    """

    name: str
    is_strong: bool
    spot: int


@dataclass(frozen=True, kw_only=True)
class Granule:
    """What a granule says of itself, before any array is read.

    Attributes
    ----------
    path : Path
    product : str
        ``ATL03``, ``ATL07`` or ``ATL10``.
    release : str
        Three digits, empty where the file does not say.
    granule_id : str
        The file's own name without extension.
    orientation : int or None
        0 backward, 1 forward, 2 transition, None where nothing says.
    orientation_source : str
        Where the orientation was found.
    beams : dict of str to Beam
        The beam groups that are present, whether or not they hold data.
    is_simulated : bool
        Whether polynya simulated it: no satellite measured it.
    notes : tuple of Note
        What is missing or was taken from a fallback.
    time_span : tuple of numpy.datetime64 or None
        ``data_start_utc`` and ``data_end_utc``; None where the file does not say.
    """

    path: Path
    product: str
    release: str
    granule_id: str
    orientation: int | None
    orientation_source: str
    beams: dict[str, Beam]
    is_simulated: bool = False
    notes: tuple[Note, ...] = ()
    time_span: tuple[np.datetime64, np.datetime64] | None = None


@contextlib.contextmanager
def reading(path: Path | str, what: str = "") -> Iterator[None]:
    """Turn whatever HDF5 says of a damaged file into one :class:`ProductError`."""
    try:
        yield
    except ProductError:
        raise
    except FileNotFoundError as error:
        raise ProductError(f"{Path(path).name}: no such file at {path}. Check the path.") from error
    except (
        OSError,
        RuntimeError,
        KeyError,
        ValueError,
        TypeError,
        IndexError,
        MemoryError,
        OverflowError,
        AttributeError,
        NotImplementedError,
        UnicodeError,
        SystemError,
    ) as error:
        where = f": {what}" if what else ""
        raise ProductError(
            f"{Path(path).name}{where} cannot be read ({one_line(error)[:200]}); expected an intact HDF5 granule. "
            "Download the file again and compare its size with the archive's."
        ) from error


@contextlib.contextmanager
def open_hdf5(path: Path | str) -> Iterator[h5py.File]:
    """Open a granule for reading, with errors that say what the file is instead.

    Raises
    ------
    ProductError
        If the path does not exist, is a folder, is not HDF5 or is cut short.
    """
    path = opening.regular_file(path, expected="one HDF5 granule. Check the path, and name the .h5 file itself")
    if not opening.is_hdf5(path):
        head = opening.starts_with(path, 8)
        kind = "empty" if not head else "text" if all(9 <= b < 127 for b in head) else "not HDF5"
        raise ProductError(
            f"{path.name}: the file is {kind} (it starts with {head!r}); expected an HDF5 granule. "
            "A failed download often leaves a login page or an error text: fetch it again."
        )
    expected = "an intact granule. It is likely cut short: download it again"
    with opening.open_hdf5(path, expected=expected) as handle:
        yield handle


def text(value: object) -> str:
    """Return an HDF5 attribute or scalar as text: bytes, str, or an array of either (its first entry)."""
    if isinstance(value, np.ndarray):
        value = value.ravel()[0] if value.size else ""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace").strip("\x00 ")
    return str(value).strip("\x00 ")


def attribute(node: h5py.Group | h5py.Dataset, name: str) -> str:
    """Return an attribute as text, empty where it is missing."""
    return text(node.attrs[name]) if name in node.attrs else ""


def product_of(handle: h5py.File, path: Path | str) -> str:
    """Return the product's short name from attributes, metadata, or the groups themselves."""
    for name in ("short_name", "identifier_product_type", "granule_type"):
        found = re.match(r"ATL\d\d", attribute(handle, name))
        if found:
            return found.group()
    for node in ("METADATA/DatasetIdentification", "METADATA/SeriesIdentification"):
        if node in handle:
            found = re.match(r"ATL\d\d", attribute(handle[node], "shortName"))
            if found:
                return found.group()
    for beam in BEAM_NAMES:
        if f"{beam}/heights/h_ph" in handle:
            return "ATL03"
        if f"{beam}/sea_ice_segments" in handle:
            return "ATL07"
        if f"{beam}/freeboard_segment" in handle or f"{beam}/freeboard_beam_segment" in handle:
            return "ATL10"
    found = re.search(r"ATL\d\d", Path(path).name)
    return found.group() if found else ""


def release_of(handle: h5py.File, path: Path | str) -> str:
    """Return the three-digit release, empty where nothing says."""
    candidates = []
    if "ancillary_data/release" in handle:
        candidates.append(text(handle["ancillary_data/release"][()]))
    if "METADATA/DatasetIdentification" in handle:
        candidates.append(attribute(handle["METADATA/DatasetIdentification"], "VersionID"))
    found = re.search(r"_(\d{3})_\d{2}", Path(path).name)
    candidates.append(found.group(1) if found else "")
    for candidate in candidates:
        if re.fullmatch(r"\d{1,3}", candidate):
            return candidate.zfill(3)
    return ""


def open_granule(path: Path | str, *, product: str | None = None) -> Granule:
    """Describe a granule: product, release, orientation, beams.

    Parameters
    ----------
    path : Path or str
        An ATL03, ATL07 or ATL10 file.
    product : str, optional
        The product that is wanted; another one is rejected.

    Returns
    -------
    Granule

    Raises
    ------
    ProductError
        If the file is not readable HDF5, is another product, or has no beam group.
    """
    path = Path(path)
    with open_hdf5(path) as handle, reading(path, "the file's description"):
        found = product_of(handle, path)
        if found in GRIDDED:
            raise ProductError(
                f"{path.name}: holds {found}, {GRIDDED[found]}; expected {product or 'a product along the track'}. Open"
                " it with xarray, or give the ATL03, ATL07 or ATL10 granules of its days."
            )
        if product and found != product:
            what = f"holds {found}" if found else "is HDF5, but not an ICESat-2 product that is known here"
            raise ProductError(f"{path.name}: {what}; expected {product}. Give an {product} granule.")
        icesat2_agreement.check_epoch(handle, GPS_EPOCH_SECONDS, path)
        notes: list[Note] = []
        orientation, source = _orientation(handle, notes, path)
        beams = {}
        for name in BEAM_NAMES:
            if name in handle and isinstance(handle[name], h5py.Group):
                beams[name] = _beam(handle[name], name, orientation)
        if not beams:
            raise ProductError(
                f"{path.name}: has no beam group; found {sorted(handle)[:8]}, expected gt1l ... gt3r. "
                "The subset may have dropped them: order the granule with its beams."
            )
        absent = [b for b in BEAM_NAMES if b not in beams]
        if absent:
            notes.append(Note(code="beams_missing", text=f"beam groups missing: {', '.join(absent)}"))
        is_simulated = "polynya_simulation" in handle.attrs
        if is_simulated:
            notes.append(Note(code="simulated", text="simulated granule, not satellite data"))
        return Granule(
            path=path,
            product=found,
            release=release_of(handle, path),
            granule_id=path.stem,
            orientation=orientation,
            orientation_source=source,
            beams=beams,
            is_simulated=is_simulated,
            notes=tuple(notes),
            time_span=_time_span(handle),
        )


def _time_span(handle: h5py.File) -> tuple[np.datetime64, np.datetime64] | None:
    """Return the granule's own start and end, UTC; None where one is missing or is no time."""
    found = []
    for name in ("ancillary_data/data_start_utc", "ancillary_data/data_end_utc"):
        try:
            found.append(np.datetime64(text(handle[name][()]).rstrip("Z"), "ns"))
        except (KeyError, ValueError):
            return None
    return None if np.isnat(found).any() else (found[0], found[1])


def _orientation(handle: h5py.File, notes: list[Note], path: Path) -> tuple[int | None, str]:
    if "orbit_info/sc_orient" in handle:
        values = sorted(set(np.asarray(handle["orbit_info/sc_orient"][()]).ravel().tolist()))
        if len(values) == 1 and int(values[0]) in ORIENTATIONS:
            there = tuple(b for b in BEAM_NAMES if b in handle)
            icesat2_agreement.check_orientation(handle, there, ORIENTATIONS[int(values[0])], path)
            return int(values[0]), "orbit_info/sc_orient"
        if len(values) > 1:
            return 2, "orbit_info/sc_orient (changes inside the granule)"
        raise ProductError(
            f"{path.name}: orbit_info/sc_orient is {values}; expected 0 backward, 1 forward or 2 transition. "
            "The file is damaged: download it again."
        )
    notes.append(
        Note(code="no_orbit_info", text="orbit_info is missing: beam strength comes from the beam groups' attributes")
    )
    for name in BEAM_NAMES:
        if name in handle:
            word = attribute(handle[name], "sc_orientation").lower()
            for code, meaning in ORIENTATIONS.items():
                if word == meaning:
                    return code, f"{name}@sc_orientation"
    return None, "nowhere"


def _beam(group: h5py.Group, name: str, orientation: int | None) -> Beam:
    if orientation in STRONG_WHEN:
        side, spots = STRONG_WHEN[orientation], SPOTS[orientation]
        return Beam(name=name, is_strong=name.endswith(side), spot=spots[name])
    kind = attribute(group, "atlas_beam_type").lower()
    spot = attribute(group, "atlas_spot_number")
    number = int(spot) if spot.isdigit() and 1 <= int(spot) <= 6 else 0
    if kind in ("strong", "weak"):
        return Beam(name=name, is_strong=kind == "strong", spot=number)
    return Beam(name=name, is_strong=number % 2 == 1, spot=number)


def reject_transition(granule: Granule) -> None:
    """Raise ProductError where the spacecraft was turning: strength and pointing are then not defined."""
    if granule.orientation == 2:
        raise ProductError(
            f"{granule.path.name}: {granule.orientation_source} says transition (the spacecraft was turning); expected "
            "backward or forward. Beam strength and pointing are undefined here: leave this granule out."
        )
    if granule.orientation is None and all(b.spot == 0 for b in granule.beams.values()):
        raise ProductError(
            f"{granule.path.name}: nothing says which beams are strong (no orbit_info/sc_orient, no atlas_beam_type "
            "attribute); expected one of them. Order the granule with orbit_info."
        )


def select_beams(granule: Granule, beams: str) -> list[Beam]:
    """Return the beams a selection names.

    Parameters
    ----------
    granule : Granule
        Whose beams to choose from.
    beams : str
        ``all``, ``strong``, ``weak``, or names with commas between (``gt1r,gt3r``).

    Raises
    ------
    UsageError
        If a name is not a beam, or none of the selection is in the granule.
    """
    present = granule.beams
    word = beams.strip().lower()
    if word in ("all", "present"):
        return list(present.values())
    if word in ("strong", "weak"):
        chosen = [b for b in present.values() if b.is_strong == (word == "strong")]
    else:
        names = [n.strip() for n in word.split(",") if n.strip()]
        wrong = [n for n in names if n not in BEAM_NAMES]
        if wrong or not names:
            raise UsageError(
                f"--beams {beams}: no such beam {', '.join(wrong)}; expected strong, weak, all, or names among "
                f"{', '.join(BEAM_NAMES)}. Try --beams strong."
            )
        absent = [n for n in names if n not in present]
        if absent:
            raise UsageError(
                f"--beams {beams}: {granule.path.name} has no beam {', '.join(absent)}; found {', '.join(present)}. "
                "Name beams that are there, or pass --beams all."
            )
        chosen = [present[n] for n in BEAM_NAMES if n in names]
    if not chosen:
        raise UsageError(
            f"--beams {beams}: {granule.path.name} has no {word} beam; found "
            f"{', '.join(f'{b.name} ({strength_name(b)})' for b in present.values())}. Pass --beams all."
        )
    return chosen


def strength_name(beam: Beam) -> str:
    return "strong" if beam.is_strong else "weak"


def dataset(
    handle: h5py.File, path: Path | str, name: str, *, release: str = "", kind: str = "f", advice: str = ""
) -> h5py.Dataset:
    """Return a dataset after checking that it exists, is of the right kind and of a possible size.

    Parameters
    ----------
    handle : h5py.File
        Open on ``path``.
    path : Path or str
        The file.
    name : str
        Path of the dataset inside the file.
    release : str
        Of the product, for the message.
    kind : str
        Allowed numpy kinds: ``f`` floating point, ``i`` signed or unsigned integer, ``fi`` either.
    advice : str
        What to do where it is missing, for the message.
    """
    try:
        node = handle[name]
    except KeyError:
        if name in handle:  # it is there, and damaged
            raise
        raise ProductError(
            f"{Path(path).name}: {name} is missing; "
            + (f"release {release} must have it. " if release else "the product must have it. ")
            + (advice or "Order the granule without a variable subset.")
        ) from None
    if not isinstance(node, h5py.Dataset):
        raise ProductError(f"{Path(path).name}: {name} is a group; expected a dataset. Order the granule again.")
    dtype = node.dtype
    if dtype.kind not in ("iu" if kind == "i" else "f" if kind == "f" else "fiu"):
        raise ProductError(
            f"{Path(path).name}: {name} has type {dtype}; expected {'integers' if kind == 'i' else 'numbers'}. Order"
            " the granule again."
        )
    size, n = os.stat(path).st_size, math.prod(node.shape)
    if n * dtype.itemsize > MAX_INFLATION * size:
        raise ProductError(
            f"{Path(path).name}: {name} claims {n} values, more than {size} bytes can hold; expected fewer. "
            "The file is damaged: download it again."
        )
    most = next((m for word, m in MOST_ROWS.items() if f"/{word}/" in f"/{name}"), MOST_PHOTONS)
    if node.shape and node.shape[0] > most:
        raise ProductError(
            f"{Path(path).name}: {name} claims {node.shape[0]:,} rows; expected at most {most:,}, those of an orbit."
            " The file is damaged: download it again."
        )
    return node


def rows(handle: h5py.File, path: Path | str, name: str, *, release: str = "") -> int:
    """Return the rows of a dataset of integers that other datasets share; nothing of it is read."""
    node = dataset(handle, path, name, release=release, kind="i")
    return int(node.shape[0]) if node.shape else 0


def values(
    handle: h5py.File, path: Path | str, name: str, *, release: str = "", kind: str = "f", advice: str = ""
) -> np.ndarray:
    """Read a whole dataset, its chunks verified; floating-point fill becomes NaN.

    Returns
    -------
    numpy.ndarray
        In the file's type; NaN where the file holds its fill value.
    """
    with reading(path, name):
        node = dataset(handle, path, name, release=release, kind=kind, advice=advice)
        out = read_whole(handle, path, name=name, node=node)
    return fill_to_nan(out)


def fill_to_nan(array: np.ndarray) -> np.ndarray:
    """Return floating-point arrays with fill values as NaN, others as they are; both in the machine's byte order."""
    array = native(array)
    if array.dtype.kind != "f" or array.size == 0:
        return array
    with np.errstate(invalid="ignore"):
        bad = ~(np.abs(array) < FILL_ABOVE)
    if bad.any():
        array = array.copy()
        array[bad] = np.nan
    return array


def native(array: np.ndarray) -> np.ndarray:
    """Return numbers in the machine's byte order, and odd floating-point types (half, extended) as float64.

    HDF5 allows any of them; Arrow and compiled code take only the machine's own.
    """
    if array.dtype.kind == "f" and array.dtype.itemsize not in (4, 8):
        return array.astype(np.float64)
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))


def utc(delta_time: np.ndarray) -> np.ndarray:
    """Return UTC ``datetime64[ns]`` from seconds since 2018-01-01T00:00:00 UTC; NaN becomes NaT.

    The whole seconds and the rest are converted apart, so that the nanoseconds are exact to the
    float64's own resolution (about 4 ns in 2018, 30 ns in 2026).
    """
    seconds = np.asarray(delta_time, dtype=np.float64)
    good = np.isfinite(seconds) & (np.abs(seconds) < 9.0e9)
    safe = np.where(good, seconds, 0.0)
    whole = np.floor(safe)
    out = (
        EPOCH
        + whole.astype(np.int64) * np.timedelta64(10**9, "ns")
        + np.rint((safe - whole) * 1e9).astype("timedelta64[ns]")
    )
    return np.where(good, out, np.datetime64("NaT", "ns"))

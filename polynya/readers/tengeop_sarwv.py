"""TenGeoP-SARwv: 37,553 wave-mode images of S1A in 2016 with one of ten classes each (doi:10.17882/56796).

Checked on 16 degraded thumbnails only: the data set itself is in no repository. Its layout is that which two public
loaders read: ``58682.txt`` has a letter and a name per class, ``58683.txt`` has name, class, beam, time and two
coordinates per image, ``GeoTIFF/LETTER/NAME.tiff`` (floating point or 16 bit) or PNG twins (8 bit) the images. One
loader takes the coordinates as latitude and longitude, the other as longitude and latitude: their ranges decide.

A class is the one that dominates: it is known to be there; of the other nine nothing is known.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..errors import ProductError
from ..io import opening
from ..schema.imagettes import PHENOMENA, TAGS, UNKNOWN, Imagette
from .image_folder import imagette_of, names_in
from .wave_mode_names import parse

PRODUCT = "TenGeoP-SARwv"
RELEASES = ("56796",)
CHECKED: tuple[str, ...] = ()
DOI = "10.17882/56796"
CLASSES_FILE, IMAGES_FILE = "58682.txt", "58683.txt"
LETTERS = "FGHIJKLMNO"
"""Class letters, in the order of ``polynya.schema.imagettes.TAGS``."""
EXPECTED = f"the folder of TenGeoP-SARwv with {IMAGES_FILE} and the images. Check the path"
PIXEL_M = 50.0


@dataclass(frozen=True, kw_only=True)
class Row:
    """A line of the list of images: name, class (place among the ten), beam, time, degrees."""

    name: str
    phenomenon: int
    beam: str
    time: np.datetime64
    latitude: float
    longitude: float


def is_product(folder: Path | str) -> bool:
    """Return whether a folder holds the list of images."""
    return (Path(folder) / IMAGES_FILE).is_file()


def read_table(folder: Path | str) -> list[Row]:
    """Read the list of images.

    Parameters
    ----------
    folder : Path or str
        The folder of the data set.

    Returns
    -------
    list of Row

    Raises
    ------
    ProductError
        If a file is missing, or a line has other columns, an unknown class, or no possible place.
    """
    opening.reject_address(folder)
    folder = Path(folder)
    classes = _classes(folder)
    where = f"{folder.name}/{IMAGES_FILE}"
    text = opening.read_text(folder / IMAGES_FILE, expected=EXPECTED)
    lines = [(k, line.split()) for k, line in enumerate(text.splitlines(), 1) if line.strip()]
    if lines and not _is_image(lines[0][1]):
        lines = lines[1:]  # a line of titles
    if not lines:
        raise ProductError(f"{where}: names no image; expected {EXPECTED}.")
    for number, words in lines:
        if not _is_image(words):
            raise ProductError(
                f"{where}: line {number} is {' '.join(words)[:80]!r}; expected name, class, wv1 or wv2, time and two"
                " coordinates. Get the file again."
            )
    latitude, longitude = _degrees(lines, where)
    return [
        Row(
            name=words[0].rpartition("/")[2].rpartition(".")[0] or words[0],
            phenomenon=_class(words[1], classes, f"{where}: line {number}"),
            beam=words[2].lower(),
            time=_time(words),
            latitude=float(latitude[k]),
            longitude=float(longitude[k]),
        )
        for k, (number, words) in enumerate(lines)
    ]


def _is_image(words: list[str]) -> bool:
    return len(words) >= 6 and words[2].lower() in ("wv1", "wv2")


def _classes(folder: Path) -> dict[str, int]:
    """Return the place among the ten of every word that names a class."""
    found = {letter: k for k, letter in enumerate(LETTERS)}
    found |= {_plain(name): k for k, pair in enumerate(PHENOMENA) for name in pair}
    if not (folder / CLASSES_FILE).is_file():
        return found
    for line in opening.read_text(folder / CLASSES_FILE, expected=EXPECTED).splitlines():
        words = line.replace(",", " ").split()
        if len(words) >= 2 and words[0].upper() in LETTERS:
            found[_plain(" ".join(words[1:]))] = LETTERS.index(words[0].upper())
    return found


def _plain(name: str) -> str:
    return "".join(c for c in name.lower() if c.isalnum())


def _class(word: str, classes: dict[str, int], where: str) -> int:
    found = classes.get(word.upper(), classes.get(_plain(word)))
    if found is None:
        raise ProductError(f"{where} has the class {word[:20]!r}; expected a letter of {LETTERS}. Get the file again.")
    return found


def _degrees(lines: list[tuple[int, list[str]]], where: str) -> tuple[np.ndarray, np.ndarray]:
    """Return latitudes and longitudes, (n,) each: the column with numbers beyond 90 is the longitude."""
    try:
        table = np.array([words[-2:] for _, words in lines], np.float64)
    except ValueError as error:
        raise ProductError(f"{where}: coordinates are no numbers; expected degrees. Get the file again.") from error
    bad = ~np.isfinite(table).all(axis=1) | (np.abs(table) > 360.0).any(axis=1)
    if bad.any():
        first = lines[int(np.argmax(bad))]
        raise ProductError(
            f"{where}: line {first[0]} has the coordinates {' '.join(first[1][-2:])}, {int(bad.sum())} such lines;"
            " expected degrees. Get the file again."
        )
    beyond = np.abs(table).max(axis=0) > 90.0
    if beyond.all():
        raise ProductError(
            f"{where}: both coordinates go beyond 90 degrees; expected one to be a latitude. Get the file again."
        )
    if not beyond.any():
        raise ProductError(
            f"{where}: no coordinate goes beyond 90 degrees, so latitude and longitude cannot be distinguished;"
            " expected the whole list. Add lines with a longitude beyond 90."
        )
    first_is_longitude = bool(beyond[0])
    longitude, latitude = table.T if first_is_longitude else table.T[::-1]
    return latitude, (longitude + 180.0) % 360.0 - 180.0


def _time(words: list[str]) -> np.datetime64:
    """Return the time of the name, which is to the second; else that of the columns, NaT where it is none."""
    named = parse(words[0])
    if named is not None:
        return named.start
    text = "T".join(words[3:-2]).rstrip("Zz")
    if text.isdigit() and len(text) in (8, 14):
        text = f"{text[:4]}-{text[4:6]}-{text[6:8]}T" + (
            f"{text[8:10]}:{text[10:12]}:{text[12:]}" if text[8:] else "00"
        )
    try:
        return np.datetime64(text, "ns")
    except ValueError:
        return np.datetime64("NaT", "ns")


def read(folder: Path | str, *, keep_damaged: bool = False) -> Iterator[Imagette]:
    """Read the images that the list names, one after the other; GeoTIFFs where there are both.

    Parameters
    ----------
    folder : Path or str
        The folder of the data set.
    keep_damaged : bool
        Give an image that is missing or cannot be read without its picture (:meth:`Imagette.unreadable`), and go on.

    Yields
    ------
    Imagette
        ``grey``: neither the GeoTIFFs' unit nor their level is documented.

    Raises
    ------
    ProductError
        As :func:`read_table`; or if an image is missing or damaged.
    """
    folder = Path(folder)
    rows = read_table(folder)
    places = {p.stem.lower(): p for p in sorted(names_in(folder), key=lambda p: p.suffix.lower().startswith(".tif"))}
    for row in rows:
        path = places.get(row.name.lower(), folder / f"{row.name}.tiff")
        if not keep_damaged and row.name.lower() not in places:
            raise ProductError(
                f"{folder.name}: no image {row.name}; expected it in GeoTIFF/{LETTERS[row.phenomenon]} or"
                f" PNG/{LETTERS[row.phenomenon]}. Unpack the data set whole."
            )
        tags = np.full(len(TAGS), UNKNOWN, np.int8)
        tags[row.phenomenon] = 1
        found = imagette_of(
            path,
            source=folder.name,
            product=PRODUCT,
            pixels_m=(PIXEL_M, PIXEL_M),
            tags=tags,
            labels=(LETTERS[row.phenomenon],),
            keep_damaged=keep_damaged,
        )
        yield replace(
            found,
            time=row.time if np.isnat(found.time) else found.time,
            beam=found.beam or row.beam,
            satellite=found.satellite or "S1A",
            latitude=row.latitude,
            longitude=row.longitude,
            file=path.relative_to(folder).as_posix(),
        )

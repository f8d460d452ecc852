"""Wave-mode quick-looks with a table of tags, ``tags.csv``: the agency's PNG files with an expert's labels.

Checked on five quick-looks of S1A with the 21 tags of WV-Net (hawaii-ai/WV-Net). The same layout with the ten
phenomena as columns is what polynya simulates. Quick-looks are stretched between percentiles: their level is not known.
Of the 21 tags those that name one of the ten phenomena are taken: present or absent. Without the tag of swell it stays
unknown whether there are pure ocean waves. How the codes are read is our own: the source does not spell them out.
"""

from __future__ import annotations

import csv
import io as text_io
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..errors import ProductError
from ..io import opening
from ..schema.imagettes import PHENOMENA, TAGS, UNKNOWN, Imagette
from .image_folder import SIMULATED as NOTE
from .image_folder import imagette_of

PRODUCT = "wave-mode quick-looks with tags"
RELEASES = ("WV-Net",)
CHECKED = ("WV-Net",)
TABLE = "tags.csv"
# fmt: off
CODES = (
    "UN", "NV", "WS", "MC", "CP", "RC", "AB", "LW", "AW", "UA", "BS", "OF", "OE", "IW", "UO", "SI", "IB", "SH", "SW",
    "LA", "NO",
)
"""WV-Net's tags."""
AS_PHENOMENON = {
    "WS": "WS", "MC": "MCC", "RC": "RC", "AB": "AF", "LW": "LWA", "BS": "BS", "OF": "OF", "SI": "SI", "IB": "IB",
}
# fmt: on
"""Those that are one of the ten phenomena, by its short name; AB is read as an atmospheric boundary."""
SWELL = "SW"
NUMBERS = {"latitude": 90.0, "longitude": 360.0, "azimuth_pixel_m": 10_000.0, "range_pixel_m": 10_000.0}
"""Columns that may be there too, and the largest possible number; what a file itself says of its pixels is left."""
SIMULATED = "simulated"
"""Column with 1 where an image is simulated."""
STATES = {"1": 1, "0": 0, "-1": UNKNOWN, "": UNKNOWN}
EXPECTED = f"a folder of images with {TABLE}: a column filename and one per tag, 1, 0 or empty. Check the path"


@dataclass(frozen=True, kw_only=True)
class Row:
    """A row of the table: image, tags, the source's own labels, and :data:`NUMBERS`, NaN where not known."""

    filename: str
    tags: np.ndarray
    labels: tuple[str, ...]
    numbers: dict[str, float]
    is_simulated: bool

    @property
    def pixels_m(self) -> tuple[float | None, float | None]:
        """Distances between lines and between samples, m; None where the table has none."""
        azimuth, across = (self.numbers[n] for n in ("azimuth_pixel_m", "range_pixel_m"))
        return None if np.isnan(azimuth) else azimuth, None if np.isnan(across) else across


def is_product(folder: Path | str) -> bool:
    """Return whether a folder holds a table of tags."""
    return (Path(folder) / TABLE).is_file()


def read_table(folder: Path | str) -> list[Row]:
    """Read the table of tags.

    Parameters
    ----------
    folder : Path or str
        The folder.

    Returns
    -------
    list of Row

    Raises
    ------
    ProductError
        If it is missing, lacks columns, or holds something that is no tag or no place.
    """
    opening.reject_address(folder)
    path = Path(folder) / TABLE
    where = f"{Path(folder).name}/{TABLE}"
    text = opening.read_text(path, expected=EXPECTED)
    lines = csv.DictReader(text_io.StringIO(text))
    names = [n.strip() for n in lines.fieldnames or ()]
    columns = {n: _column(n) for n in names if _column(n) is not None or n in CODES}
    if "filename" not in names or not columns:
        raise ProductError(
            f"{where}: has the columns {', '.join(names)[:120] or 'none'}; expected filename and tags, such as"
            f" {', '.join(s for s, _ in PHENOMENA)}. Give the table that belongs to the images."
        )
    is_wvnet = set(CODES) <= set(names)
    rows = []
    for number, line in enumerate(lines, 2):
        held = {(k or "").strip(): (v or "").strip() if isinstance(v, str) else "" for k, v in line.items()}
        if not held.get("filename"):
            raise ProductError(f"{where}: line {number} names no file; expected one in each line. Complete the table.")
        rows.append(_row(held, names, f"{where}: line {number}", is_wvnet=is_wvnet))
    if not rows:
        raise ProductError(f"{where}: holds no row; expected one per image. Complete the table.")
    return rows


def _column(name: str) -> int | None:
    """Return which of the ten phenomena a column is, by its short or full name."""
    return next((k for k, pair in enumerate(PHENOMENA) if name in pair), None)


def _row(held: dict[str, str], names: list[str], where: str, *, is_wvnet: bool) -> Row:
    tags = np.full(len(TAGS), UNKNOWN, np.int8)
    present = []
    for name in names:
        known = name in CODES if is_wvnet else _column(name) is not None
        if not known:
            continue
        text = held[name].removesuffix(".0")
        if text not in STATES:
            raise ProductError(f"{where}: {name} is {held[name]!r}; expected 1, 0 or nothing. Correct the table.")
        state = STATES[text]
        if state == 1:
            present.append(name)
        place = _column(AS_PHENOMENON.get(name, "")) if is_wvnet else _column(name)
        if place is not None:
            tags[place] = state
        elif is_wvnet and name == SWELL and state == 1:
            tags[_column("POW") or 0] = 1
    return Row(
        filename=held["filename"],
        tags=tags,
        labels=tuple(present),
        numbers={name: _number(held.get(name, ""), name, most, where) for name, most in NUMBERS.items()},
        is_simulated=held.get(SIMULATED) == "1",
    )


def _number(text: str, name: str, most: float, where: str) -> float:
    """Return a number of the table, NaN where there is none."""
    if not text:
        return np.nan
    try:
        found = float(text)
    except ValueError:
        found = np.nan
    if not abs(found) <= most:
        raise ProductError(f"{where}: {name} is {text[:40]!r}; expected a number. Correct the table.")
    return found


def read(folder: Path | str, *, keep_damaged: bool = False) -> Iterator[Imagette]:
    """Read the images that the table names, one after the other.

    Parameters
    ----------
    folder : Path or str
        The folder.
    keep_damaged : bool
        Give an image that cannot be read without its picture (:meth:`Imagette.unreadable`), and go on.

    Yields
    ------
    Imagette

    Raises
    ------
    ProductError
        As :func:`read_table`; or if an image is missing, damaged, or lies outside the folder.
    """
    folder = Path(folder)
    for row in read_table(folder):
        path = folder / row.filename
        if not path.resolve().is_relative_to(folder.resolve()):
            raise ProductError(
                f"{folder.name}/{TABLE}: {row.filename[:80]} lies outside the folder; expected a file in it. Correct"
                " the table."
            )
        number = row.numbers
        found = imagette_of(
            path,
            source=folder.name,
            product=PRODUCT,
            pixels_m=row.pixels_m,
            tags=row.tags,
            labels=row.labels,
            keep_damaged=keep_damaged,
        )
        more = (NOTE,) if row.is_simulated and not found.is_simulated else ()
        found = replace(found, latitude=number["latitude"], longitude=number["longitude"])
        yield replace(found, notes=more + found.notes, file=row.filename)

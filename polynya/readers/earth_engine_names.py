"""The names that Earth Engine gives to bands: ``B2 B3 B4 B8 B11 B12``, ``SR_B2``, ``ST_B10``. A number means another
colour on every satellite; which satellite it is says the file's name, else which numbers are there.

Names: Earth Engine data catalogue, COPERNICUS/S2*, LANDSAT/LC08/C02/T1_L2 and T1_TOA, LANDSAT/LT05/C02/T1_L2 and
T1_TOA.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from . import landsat

SENTINEL2, LANDSAT, LANDSAT_LEVEL_2 = "Sentinel-2", "Landsat", "Landsat Level 2"
_BAND = re.compile(r"^(SR_|ST_)?B(\d{1,2}|8A)(?:_VCID_([12]))?$", re.IGNORECASE)
_IN_FILE_NAME = re.compile(r"(?:^|[. _-])((?:SR_|ST_)?B(?:\d{1,2}|8A))(?:[._-]\d\dm)?$", re.IGNORECASE)
_SATELLITE = re.compile(r"(?:^|[^A-Za-z0-9])(L[COTEM])0?([4-9])", re.IGNORECASE)
_SENTINEL = re.compile(r"(?:^|[^A-Za-z0-9])(?:S2[A-D]?(?![A-Za-z0-9])|T\d\d[A-Z]{3}(?:_|$)|sentinel-?2)", re.IGNORECASE)
HOTTEST_REFLECTANCE = 100.0
"""A band with larger numbers is no reflectance: B6 of Landsat 4 to 7 is a temperature."""


@dataclass(frozen=True, kw_only=True)
class Names:
    """What a file's bands are.

    Attributes
    ----------
    texts : tuple of str
        A name of each band that the sensors' tables know; the text itself where it means nothing here.
    product : str
        :data:`SENTINEL2`, :data:`LANDSAT` or :data:`LANDSAT_LEVEL_2`.
    is_guess : bool
        Whether the numbers fit more than one satellite.
    """

    texts: tuple[str, ...]
    product: str
    is_guess: bool = False


def in_file_name(stem: str) -> str:
    """Return the band at the end of a file's name (``download.B2``, ``LC08_…_SR_B4``), empty where there is none.

    Parameters
    ----------
    stem : str
        The name without its ending.
    """
    found = _IN_FILE_NAME.search(stem)
    return found[1] if found else ""


def translated(texts: Sequence[str], *, stem: str, highest: Callable[[int], float]) -> Names | None:
    """Return what the bands of a file are; None where no band has such a name.

    Parameters
    ----------
    texts : sequence of str
        Names of the bands.
    stem : str
        Name of the file without its ending.
    highest : callable
        About the largest count of the band at a place, from 0.
    """
    parts = [_BAND.match(t.strip()) for t in texts]
    there = {f"{(p[1] or '').upper()}B{p[2].upper().lstrip('0')}": i for i, p in enumerate(parts) if p}
    if not there:
        return None
    satellite = _SATELLITE.search(stem)
    family = landsat.family_of(f"LANDSAT_{satellite[2]}") if satellite else ""
    is_level_2 = any(n.startswith(("SR_", "ST_")) for n in there)
    numbers = {n.removeprefix("SR_") for n in there if not n.startswith("ST_")} | (
        {"B10"} if "ST_B10" in there else set()
    )
    is_guess = False
    if not family and not is_level_2 and (_SENTINEL.search(stem) or _is_sentinel2(numbers)):
        new = [t if p is None else _sentinel2(p[2], numbers) for t, p in zip(texts, parts, strict=True)]
        return Names(texts=tuple(new), product=SENTINEL2)
    if not family:
        family, is_guess = _family(numbers, is_level_2=is_level_2, highest=lambda n: highest(there[n]))
    colours = dict(zip(landsat.BANDS[family], landsat.COLOURS, strict=True))
    hot = {n.partition("_")[0] for n in landsat.THERMAL[family]}

    def name(text: str, part: re.Match[str] | None) -> str:
        if part is None:
            return text
        if (part[1] or "").upper() == "ST_" or (not is_level_2 and part[2] in hot):
            return "lwir" if part[3] in (None, "1") else text
        return colours.get(part[2], text)

    new = [name(t, p) for t, p in zip(texts, parts, strict=True)]
    return Names(texts=tuple(new), product=LANDSAT_LEVEL_2 if is_level_2 else LANDSAT, is_guess=is_guess)


def _is_sentinel2(numbers: set[str]) -> bool:
    """Return whether these numbers are those of Sentinel-2: Landsat has no B12 and B8A, and B11 beside B10 only."""
    if numbers & {"B12", "B8A"} or ("B11" in numbers and "B10" not in numbers):
        return True
    return ("B8" in numbers and not numbers & {"B5", "B6", "B7"}) or numbers <= {"B2", "B3", "B4"}


def _sentinel2(number: str, numbers: set[str]) -> str:
    if number.upper() == "8A":
        return "B8A" if "B8" in numbers else "nir"
    return f"B{number.zfill(2)}"


def _family(numbers: set[str], *, is_level_2: bool, highest: Callable[[str], float]) -> tuple[str, bool]:
    """Return the instrument that numbers belong to, and whether they fit another, too."""
    if is_level_2:
        if "B6" in numbers or "B10" in numbers:
            return "OLI", False
        is_old = "B1" in numbers or {"B5", "B7"} <= numbers
        return ("TM", False) if is_old else ("OLI", True)
    if numbers & {"B9", "B10", "B11"}:
        return "OLI", False
    if "B6" in numbers:
        return ("TM" if highest("B6") > HOTTEST_REFLECTANCE else "OLI"), False
    return ("TM", False) if {"B1", "B5"} <= numbers else ("OLI", True)

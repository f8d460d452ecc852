"""A folder of simulated imagettes with a table of tags, in the layout of quick-looks, and the truth beside it."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...io import pictures
from ...physics.stretch import stretch
from ...readers.wv_quicklooks import NUMBERS, SIMULATED, TABLE
from ...schema.imagettes import ROUGHNESS, SHORT_NAMES
from .imagette import Drawn
from .names import Place, name_of
from .presets import PIXEL_M

TRUTH = "truth.csv"
SCALE_DB, OFFSET_DB = 0.001, -40.0
"""Decibels of a stored number of a TIFF: number times the first plus the second. 0 is no value."""
FORMS = ("tiff", "png", "safe")


@dataclass(frozen=True, kw_only=True)
class Entry:
    """An imagette of a set: its file and place, and what is true of it; arrays of shape (10,)."""

    filename: str
    place: Place
    beam: str
    tags: np.ndarray
    visible: np.ndarray
    contrast: np.ndarray
    about: dict[str, object]


def entry_of(drawn: Drawn, place: Place, filename: str) -> Entry:
    """Return what the tables say of an imagette."""
    return Entry(
        filename=filename,
        place=place,
        beam=drawn.beam,
        tags=drawn.tags,
        visible=drawn.visible,
        contrast=drawn.contrast,
        about=drawn.about,
    )


def decibel_numbers(roughness: np.ndarray) -> np.ndarray:
    """Return roughness as stored in a TIFF, uint16; 0 where there is none.

    Parameters
    ----------
    roughness : numpy.ndarray of float32, shape (rows, columns)
        Linear; NaN is no value.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        numbers = (10.0 * np.log10(roughness) - OFFSET_DB) / SCALE_DB
    return np.where(np.isfinite(numbers), np.clip(np.round(numbers), 1, 65_535), 0).astype(np.uint16)


def write_image(folder: Path, drawn: Drawn, place: Place, *, form: str) -> Entry:
    """Write one imagette into a folder.

    Parameters
    ----------
    folder : Path
        Of the set.
    drawn : Drawn
        The imagette.
    place : Place
        Gives its name.
    form : str
        ``tiff``: roughness in decibels, 16 bit; ``png``: 8 bit, stretched between percentiles as quick-looks are.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    if form == "png":
        filename = f"{name_of(place, drawn.beam, kind='QL')}.png"
        pictures.write_png(folder / filename, np.round(255.0 * stretch(drawn.roughness)).astype(np.uint8))
        return entry_of(drawn, place, filename)
    filename = f"{name_of(place, drawn.beam)}.tiff"
    pictures.write_tiff(
        folder / filename,
        decibel_numbers(drawn.roughness),
        scale=SCALE_DB,
        offset=OFFSET_DB,
        nodata=0,
        tags={
            "quantity": f"{ROUGHNESS}_db",
            "azimuth_pixel_m": f"{PIXEL_M:g}",
            "range_pixel_m": f"{PIXEL_M:g}",
            "incidence_angle": f"{drawn.incidence_angle:g}",
            "simulated_by": "polynya; no measurement",
        },
    )
    return entry_of(drawn, place, filename)


def write_tables(folder: Path, entries: Sequence[Entry], *, given: np.ndarray) -> None:
    """Write the table of tags as somebody might have given them, and the truth.

    Parameters
    ----------
    folder : Path
        Of the set.
    entries : sequence of Entry
        In the order of the rows.
    given : numpy.ndarray of bool, shape (n, 10)
        Tags of the table.
    """
    with (folder / TABLE).open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["filename", *SHORT_NAMES, *NUMBERS, SIMULATED])
        for entry, tags in zip(entries, given, strict=True):
            where = (f"{entry.place.latitude:.4f}", f"{entry.place.longitude:.4f}")
            table.writerow([entry.filename, *tags.astype(int), *where, PIXEL_M, PIXEL_M, 1])
    with (folder / TRUTH).open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        kinds = [f"{n}{end}" for end in ("", "_visible", "_contrast") for n in SHORT_NAMES]
        table.writerow(["filename", "beam", *kinds])
        for entry in entries:
            contrast = ["" if np.isnan(v) else f"{v:.3f}" for v in entry.contrast]
            table.writerow([entry.filename, entry.beam, *entry.tags.astype(int), *entry.visible, *contrast])


def with_errors(tags: np.ndarray, *, share: float, seed: int) -> np.ndarray:
    """Return tags in which one is wrong in a share of the images, bool, shape (n, 10).

    Parameters
    ----------
    tags : numpy.ndarray of bool, shape (n, 10)
        True tags.
    share : float
        Of the images.
    seed : int
        Draws which.
    """
    rng = np.random.default_rng([seed, 55])
    out = tags.copy()
    wrong = rng.random(len(tags)) < share
    place = rng.integers(0, tags.shape[1], len(tags))
    out[wrong, place[wrong]] ^= True
    return out

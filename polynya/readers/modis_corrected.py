"""MODIS corrected reflectance as pictures: true colour, and false colour (bands 7, 2, 1) and a land mask beside it.

Checked on the pictures of Aqua and Terra of one day off East Greenland (250 m, EPSG:3413, 50 km). Names end in
``truecolor.tiff``, ``falsecolor.tiff`` and ``landmask.tiff``; what stands before is the same, but for the satellite of
the land mask. Band 2 of the false colour is the near infrared. Land is where the mask is neither black nor transparent:
from memory of NASA's map server, the sample has no land. Cloud is where band 7, in which ice is dark, is bright: 110
counts or more and more than three quarters of band 2 (thresholds from memory, unchecked).
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..errors import ProductError
from . import optical_raster
from .ice_image import IceImage, Read, check_valid

PRODUCT = "modis_corrected"
RELEASES = ("250m",)
CHECKED = ("250m",)
TRUE, FALSE, LAND = "truecolor", "falsecolor", "landmask"
KINDS = (TRUE, FALSE, LAND)
CLOUD_BAND_7, CLOUD_RATIO = 110.0, 0.75
_NAME = re.compile(rf"^(?P<stem>.*?)[._-]?(?P<kind>{'|'.join(KINDS)})\.tiff?$", re.IGNORECASE)


def kind_of(path: Path) -> str | None:
    """Return which picture a file's name says it is, of :data:`KINDS`, or None."""
    found = _NAME.match(path.name)
    return found["kind"].lower() if found else None


def true_colours(folder: Path) -> list[Path]:
    """Return the true-colour pictures of a folder, sorted by name."""
    return sorted(p for p in folder.iterdir() if kind_of(p) == TRUE)


def read(path: Path | str) -> IceImage:
    """Open a true-colour picture with what lies beside it.

    Parameters
    ----------
    path : Path or str
        The file, or a folder that holds one.

    Returns
    -------
    IceImage
        Black pixels were not seen.

    Raises
    ------
    ProductError
        If there is no true colour, more than one in a folder, a picture beside it has another size, or none can be
        read.
    """
    path = Path(path)
    if path.is_dir():
        path = _only(path)
    if kind_of(path) != TRUE:
        raise ProductError(
            f"{path.name}: is the {kind_of(path) or 'picture'} of MODIS; expected the true colour, whose name ends in"
            f" {TRUE}.tiff. Name that one; the others beside it are found."
        )
    image = optical_raster.read(path)
    stem = _NAME.match(path.name)["stem"]  # type: ignore[index]
    notes = list(image.notes)
    sensors = {"rgb": _seen(image.sensors["rgb"])}
    false, land = _beside(path, stem, FALSE), _land_beside(path, stem)
    cloud = None
    if false is not None:
        bands = _same_size(false, image).sensors["rgb"]
        sensors["nir"] = lambda rows, columns: _seen(bands)(rows, columns)[1:2]
        cloud = _cloud(bands)
    else:
        notes.append("no false colour lies beside: no near infrared, no cloud")
    if land is None:
        notes.append("no land mask lies beside")
    day = re.search(r"(19|20)\d{6}", path.name)
    return check_valid(
        replace(
            image,
            sensors=sensors,
            land=None if land is None else _land(land, image),
            cloud=cloud,
            time=_day(day[0]) if day else None,
            notes=tuple(notes),
            product=PRODUCT,
        )
    )


def _only(folder: Path) -> Path:
    found = true_colours(folder)
    if len(found) != 1:
        names = ", ".join(p.name for p in found) or "none"
        raise ProductError(f"{folder.name}: true colours found: {names}; expected one. Name the file.")
    return found[0]


def _day(text: str) -> np.datetime64 | None:
    try:
        return np.datetime64(f"{text[:4]}-{text[4:6]}-{text[6:]}", "ns")
    except ValueError:
        return None


def _beside(path: Path, stem: str, kind: str) -> Path | None:
    return next(
        (
            p
            for p in sorted(path.parent.iterdir())
            if kind_of(p) == kind and _NAME.match(p.name)["stem"] == stem  # type: ignore[index]
        ),
        None,
    )


def _land_beside(path: Path, stem: str) -> Path | None:
    """Return the land mask of the same name, else of the other satellite: land stays."""
    own = _beside(path, stem, LAND)
    if own is not None:
        return own
    bare = re.sub(r"(aqua|terra)", "", stem, flags=re.IGNORECASE)
    for other in sorted(p for p in path.parent.iterdir() if kind_of(p) == LAND):
        stem = _NAME.match(other.name)["stem"]  # type: ignore[index]
        if re.sub(r"(aqua|terra)", "", stem, flags=re.IGNORECASE) == bare:
            return other
    return None


def _same_size(path: Path, image: IceImage) -> IceImage:
    found = optical_raster.read(path)
    if found.shape != image.shape or (found.geobox is not None and found.geobox != image.geobox):
        raise ProductError(
            f"{path.name}: {found.shape[0]} x {found.shape[1]} pixels, or another grid; expected the grid of the true"
            f" colour, {image.shape[0]} x {image.shape[1]}. Get both of one place."
        )
    return found


def _seen(bands: Read) -> Read:
    def read_window(rows: slice, columns: slice) -> np.ndarray:
        values = bands(rows, columns)
        values[:, (values == 0.0).all(axis=0)] = np.nan
        return values

    return read_window


def _cloud(bands: Read) -> Read:
    def read_window(rows: slice, columns: slice) -> np.ndarray:
        seventh, second = bands(rows, columns)[:2]
        return (seventh >= CLOUD_BAND_7) & (seventh > CLOUD_RATIO * second)

    return read_window


def _land(path: Path, image: IceImage) -> Read:
    """Return the reader of a land mask; it may be transparent everywhere, so it is not checked for valid pixels."""
    with optical_raster.open_bands(path) as data:
        if (data.height, data.width) != image.shape:
            raise ProductError(
                f"{path.name}: land mask of {data.height} x {data.width} pixels; expected {image.shape[0]} x"
                f" {image.shape[1]}, as the true colour. Get the mask of this place."
            )

    def read_window(rows: slice, columns: slice) -> np.ndarray:
        from rasterio.windows import Window

        window = Window(columns.start, rows.start, columns.stop - columns.start, rows.stop - rows.start)
        with optical_raster.open_bands(path) as data:
            stored = data.read(window=window)
        colours = (stored[:3] > 0).any(axis=0)
        return colours & (stored[3] > 0) if len(stored) > 3 else colours

    return read_window

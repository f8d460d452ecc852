"""A folder of images without a table: PNG, JPEG or GeoTIFF, whose tags nobody knows.

Checked on the 16 small TenGeoP pictures and the five quick-looks that lie in folders of other projects. What a name
in the form of the agency's names says (satellite, beam, time, orbit) is taken; the rest is not known. GeoTIFFs that
polynya simulates say themselves what they hold.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..errors import ProductError
from ..io import opening
from ..io.pictures import ENDINGS, Picture, read_picture
from ..schema import Note
from ..schema.imagettes import GREY, IS_SIMULATED, NO_PIXEL_SIZE, ROUGHNESS, SIGMA0, TAGS, UNKNOWN, Imagette
from .wave_mode_names import QUICKLOOK_PIXEL_M, parse

PRODUCT = "folder of images"
RELEASES: tuple[str, ...] = ()
CHECKED: tuple[str, ...] = ()
PIXEL_M = 50.0
"""Of a picture of which nothing else is known."""
SIMULATED = Note(code=IS_SIMULATED, text="simulated: no measurement")
PIXELS_ASSUMED = Note(code=NO_PIXEL_SIZE, text=f"pixel sizes are not stated: {PIXEL_M:g} m x {PIXEL_M:g} m are assumed")
MOST_IMAGES = 1_000_000
DECIBELS = "_db"
"""End of the quantity's name where a file holds ten times its decimal logarithm."""


def names_in(folder: Path | str) -> list[Path]:
    """Return the images of a folder and the folders in it, sorted by name.

    Parameters
    ----------
    folder : Path or str
        The folder.

    Raises
    ------
    ProductError
        If it is no folder or holds no image.
    """
    opening.reject_address(folder)
    folder = Path(folder)
    if not folder.is_dir():
        raise ProductError(f"{folder.name}: no such folder at {folder}; expected a folder of images. Check the path.")
    found = sorted(p for p in folder.rglob("*") if p.suffix.lower() in ENDINGS and p.is_file())
    if not 0 < len(found) <= MOST_IMAGES:
        raise ProductError(
            f"{folder.name}: holds {len(found)} images ({', '.join(ENDINGS)}); expected at least one. Check the path."
        )
    return found


def read(
    folder: Path | str,
    *,
    azimuth_pixel_m: float | None = None,
    range_pixel_m: float | None = None,
    keep_damaged: bool = False,
) -> Iterator[Imagette]:
    """Read the images of a folder, one after the other.

    Parameters
    ----------
    folder : Path or str
        The folder.
    azimuth_pixel_m, range_pixel_m : float, optional
        Distances between lines and between samples, m. By default those of quick-looks where a name is one of them,
        else 50 m, with a note.
    keep_damaged : bool
        Give an image that cannot be read without its picture (:meth:`Imagette.unreadable`), and go on.

    Yields
    ------
    Imagette

    Raises
    ------
    ProductError
        If there is no image, or one is damaged or has no valid pixel.
    """
    folder = Path(folder)
    for path in names_in(folder):
        found = imagette_of(
            path, source=folder.name, pixels_m=(azimuth_pixel_m, range_pixel_m), keep_damaged=keep_damaged
        )
        yield replace(found, file=path.relative_to(folder).as_posix())


def named_imagette(
    path: Path,
    *,
    source: str,
    product: str = PRODUCT,
    tags: np.ndarray | None = None,
    labels: tuple[str, ...] = (),
) -> Imagette:
    """Return what is known of an image without its picture: by its name, and as given. Parameters as
    :func:`imagette_of`."""
    named = parse(path.name)
    blank = Imagette(
        name=path.stem,
        source=source,
        product=product,
        picture=np.empty((0, 0), np.float32),
        quantity=GREY,
        azimuth_pixel_m=np.nan,
        range_pixel_m=np.nan,
        mask=np.empty((0, 0), bool),
        tags=np.full(len(TAGS), UNKNOWN, np.int8) if tags is None else tags,
        labels=labels,
        file=path.name,
    )
    if named is None:
        return blank
    return replace(
        blank,
        time=named.start,
        satellite=named.satellite,
        beam=named.beam,
        polarisation=named.polarisation,
        absolute_orbit=named.absolute_orbit,
    )


def imagette_of(
    path: Path,
    *,
    source: str,
    product: str = PRODUCT,
    pixels_m: tuple[float | None, float | None] = (None, None),
    tags: np.ndarray | None = None,
    labels: tuple[str, ...] = (),
    keep_damaged: bool = False,
) -> Imagette:
    """Read one image.

    Parameters
    ----------
    path : Path
        The file.
    source, product : str
        As of :class:`polynya.schema.imagettes.Imagette`.
    pixels_m : tuple
        Distances between lines and between samples, m, where known.
    tags : numpy.ndarray of int8, shape (10,), optional
        As known; unknown by default.
    labels : tuple of str
        The source's own.
    keep_damaged : bool
        Return one that cannot be read without its picture (:meth:`Imagette.unreadable`).

    Raises
    ------
    ProductError
        If it is damaged or has no valid pixel, and damaged ones are not kept.
    """
    blank = named_imagette(path, source=source, product=product, tags=tags, labels=labels)
    try:
        return _with_picture(blank, path, pixels_m)
    except ProductError as error:
        if not keep_damaged:
            raise
        return blank.unreadable(error)


def _with_picture(blank: Imagette, path: Path, pixels_m: tuple[float | None, float | None]) -> Imagette:
    """Return an imagette with its picture, and what the file says of it."""
    held = read_picture(path)
    quantity, values = _quantity(held)
    mask = np.isfinite(values)
    if not mask.any():
        raise ProductError(f"{path.name}: no pixel is valid; expected a picture. Leave it out.")
    named = parse(path.name)
    is_quicklook = named is not None and named.kind == "ql"
    usual: tuple[float | None, float | None] = QUICKLOOK_PIXEL_M[blank.beam] if is_quicklook else (None, None)
    stated = (_number(held.tags, "azimuth_pixel_m"), _number(held.tags, "range_pixel_m"))
    known = [g or s or u for g, s, u in zip(pixels_m, stated, usual, strict=True)]
    pixels = [k or PIXEL_M for k in known]
    notes = (SIMULATED,) if "simulated_by" in held.tags else ()
    return replace(
        blank,
        picture=values,
        quantity=quantity,
        azimuth_pixel_m=pixels[0],
        range_pixel_m=pixels[1],
        mask=mask,
        beam=blank.beam or held.tags.get("beam", ""),
        incidence_angle=_number(held.tags, "incidence_angle") or np.nan,
        notes=notes if all(known) else (*notes, PIXELS_ASSUMED),
    )


def _quantity(held: Picture) -> tuple[str, np.ndarray]:
    """Return what a picture holds, and its values in linear units."""
    stated = held.tags.get("quantity", "")
    quantity = stated.removesuffix(DECIBELS)
    if quantity not in (ROUGHNESS, SIGMA0):
        return GREY, held.values
    if stated.endswith(DECIBELS):
        return quantity, np.power(np.float32(10.0), held.values / np.float32(10.0))
    return quantity, held.values


def _number(tags: Mapping[str, str], name: str) -> float | None:
    try:
        found = float(tags[name])
    except (KeyError, ValueError):
        return None
    return found if np.isfinite(found) and found > 0.0 else None

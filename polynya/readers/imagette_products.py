"""Wave-mode imagettes of any product: which reader is the one for a file or folder."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType

from ..errors import ProductError
from ..io import expand, opening
from ..schema.imagettes import Imagette
from . import image_folder, sentinel1_wv, tengeop_sarwv, wv_quicklooks

TABLED: tuple[ModuleType, ...] = (tengeop_sarwv, wv_quicklooks)
"""Readers of folders with a table."""
ENDINGS = (".safe", ".zip")
EXPECTED = (
    "a Sentinel-1 WV SLC product (SAFE folder, manifest.safe or zip archive), the folder of TenGeoP-SARwv, or a folder"
    " of images (PNG, JPEG, GeoTIFF), with or without tags.csv"
)


def named(words: Iterable[Path | str]) -> list[str]:
    """Return the products and folders that words name.

    Parameters
    ----------
    words : iterable of Path or str
        Products, folders of images, folders that hold products or folders with tables, patterns, lists
        (:func:`polynya.io.expand`).

    Raises
    ------
    ProductError
        If a pattern or a list names nothing, or a word is an address.
    """
    found: list[str] = []
    for word in words:
        opening.reject_address(word)
        path = Path(word)
        found += _inside(path) if path.is_dir() else expand([word], endings=ENDINGS)
    return list(dict.fromkeys(found))


def _inside(folder: Path) -> list[str]:
    """Return the products in a folder that is none itself, or the folder."""
    if _is_product(folder):
        return [str(folder)]
    return sorted(str(p) for p in folder.iterdir() if p.name[0] != "." and _is_product(p)) or [str(folder)]


def _is_product(path: Path) -> bool:
    if path.is_dir() and ((path / "manifest.safe").is_file() or any(r.is_product(path) for r in TABLED)):
        return sentinel1_wv.is_product(path) or not (path / "manifest.safe").is_file()
    return path.is_file() and path.suffix.lower() == ".zip" and sentinel1_wv.is_product(path)


def reader_of(path: Path | str) -> ModuleType:
    """Return the reader of a product or folder, by the names of what is in it.

    Parameters
    ----------
    path : Path or str
        SAFE folder, its ``manifest.safe``, zip archive, or folder of images.

    Raises
    ------
    ProductError
        If it does not exist, or is none of these.
    """
    path = Path(path)
    if not path.exists():
        raise ProductError(f"{path.name}: no such file or folder at {path}; expected {EXPECTED}. Check the path.")
    is_safe = path.suffix.lower() in ENDINGS or path.name == "manifest.safe"
    if is_safe or (path.is_dir() and (path / "manifest.safe").is_file()):
        return sentinel1_wv
    if not path.is_dir():
        raise ProductError(f"{path.name}: is a file; expected {EXPECTED}. Give the folder that it lies in.")
    return next((r for r in TABLED if r.is_product(path)), image_folder)


def count(path: Path | str) -> int:
    """Return how many imagettes a product or folder has; no picture is read. Errors as :func:`read`."""
    reader = reader_of(path)
    if reader is sentinel1_wv:
        return len(sentinel1_wv.open_product(path).imagettes)
    return len(image_folder.names_in(path) if reader is image_folder else reader.read_table(path))


def read(path: Path | str, *, keep_damaged: bool = False) -> Iterator[Imagette]:
    """Read the imagettes of a product or folder, one after the other.

    Parameters
    ----------
    path : Path or str
        Of :func:`reader_of`.
    keep_damaged : bool
        Give an imagette that cannot be read without its picture (:meth:`Imagette.unreadable`), and go on.

    Yields
    ------
    Imagette

    Raises
    ------
    ProductError
        As :func:`reader_of` and the reader's own ``read``.
    """
    yield from reader_of(path).read(path, keep_damaged=keep_damaged)


def read_one(path: Path | str, name: str, *, file: str = "") -> Imagette:
    """Read one imagette again.

    Parameters
    ----------
    path : Path or str
        The product or folder.
    name, file : str
        Of :class:`Imagette`.

    Raises
    ------
    ProductError
        If it is gone, damaged, or lies outside the folder.
    """
    path = Path(path)
    if not file:
        return sentinel1_wv.read_imagette(sentinel1_wv.open_product(path), name)
    place = path / file
    if not place.resolve().is_relative_to(path.resolve()):
        raise ProductError(f"{path.name}: {file[:80]} lies outside the folder; expected a file in it. Tag it again.")
    return image_folder.imagette_of(place, source=path.name)

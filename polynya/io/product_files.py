"""The files of a product that is a folder or a zip archive of that folder: found by name, read without unpacking."""

from __future__ import annotations

import contextlib
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from ..errors import ProductError, one_line
from . import opening, raster_doors

if TYPE_CHECKING:  # heavy, and only for the signatures
    import rasterio

MOST_FILES = 100_000
"""A product with more files is none."""
_ZIP_ERRORS = (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, OSError, ValueError)


@dataclass(frozen=True, kw_only=True)
class ProductFiles:
    """A folder or a zip archive with the files of one product.

    Attributes
    ----------
    path : Path
        The folder or the archive.
    root : str
        Folder inside an archive that holds the product, with a slash at its end; empty for a folder.
    names : tuple of str
        All files, relative to the product, with slashes, sorted.
    """

    path: Path
    root: str
    names: tuple[str, ...]

    @property
    def is_archive(self) -> bool:
        """Whether the files lie in a zip archive."""
        return self.path.is_file()

    @property
    def name(self) -> str:
        """Name of the product: that of the folder, without ``.SAFE`` or ``.zip``."""
        name = PurePosixPath(self.root).name if self.root else self.path.resolve().name
        return name.removesuffix(".zip").removesuffix(".SAFE")

    def read_bytes(self, name: str, *, expected: str) -> bytes:
        """Read a small file whole.

        Parameters
        ----------
        name : str
            Of :attr:`names`.
        expected : str
            What should be there and what to do, for the message.

        Raises
        ------
        ProductError
            If it is missing, damaged or larger than metadata are.
        """
        if not self.is_archive:
            return opening.read_bytes(self.path / name, expected=expected)
        with _open_zip(self.path) as archive:
            try:
                with archive.open(self.root + name) as file:
                    data = file.read(opening.TEXT_BYTES + 1)
            except (KeyError, *_ZIP_ERRORS) as error:
                raise ProductError(
                    f"{self.path.name}: {name} in it cannot be read ({one_line(error)[:120]}); expected {expected}."
                ) from error
        if len(data) > opening.TEXT_BYTES:
            raise ProductError(
                f"{self.path.name}: {name} holds more than {opening.TEXT_BYTES >> 20} MB; expected {expected}."
            )
        return data

    def read_xml(self, name: str, *, expected: str = "XML. Get it again") -> ElementTree.Element:
        """Read an XML file.

        Parameters
        ----------
        name : str
            Of :attr:`names`.
        expected : str
            What should be there and what to do, for the message.

        Raises
        ------
        ProductError
            If it is missing, no XML, or declares entities, which can fill the memory.
        """
        words = f"{self.name}/{name}"
        return opening.parse_xml(self.read_bytes(name, expected=expected), words, expected=expected)

    @contextlib.contextmanager
    def open_raster(self, name: str, *, expected: str) -> Iterator[rasterio.DatasetReader]:
        """Open a GeoTIFF for reading, inside an archive too.

        Parameters
        ----------
        name : str
            Of :attr:`names`.
        expected : str
            What should be there and what to do, for the message.

        Yields
        ------
        rasterio.DatasetReader

        Raises
        ------
        ProductError
            If it is missing or damaged, also while it is read inside the ``with`` block.
        """
        if not self.is_archive:
            with opening.open_raster(self.path / name, expected=expected) as source:
                yield source
            return
        import rasterio
        from rasterio.errors import NotGeoreferencedWarning, RasterioError
        from rasterio.io import DatasetReader

        # The archive is a regular file of this machine, so GDAL's virtual path leads nowhere else.
        inside = f"/vsizip/{{{opening.regular_file(self.path).resolve()}}}/{self.root}{name}"
        try:
            with rasterio.Env(**opening.GDAL_OPTIONS), warnings.catch_warnings():
                warnings.simplefilter("ignore", NotGeoreferencedWarning)
                raster_doors.check_beside(self.path / self.root / name)
                with DatasetReader(inside, driver=["GTiff"]) as source:
                    raster_doors.check_opened(source, name)
                    yield source
        except (RasterioError, OSError, ValueError) as error:
            raise ProductError(
                f"{self.path.name}: {name} in it cannot be read as a raster ({one_line(error)[:140]}); expected"
                f" {expected}."
            ) from error


def open_product_files(path: Path | str, *, marker: str, expected: str) -> ProductFiles:
    """List the files of a product.

    Parameters
    ----------
    path : Path or str
        A folder, or a zip archive that holds it.
    marker : str
        Name of a file or a folder at the top of the product, by which it is found in an archive.
    expected : str
        What should be there and what to do, for the message.

    Returns
    -------
    ProductFiles

    Raises
    ------
    ProductError
        If there is no such product, or an archive is damaged or holds several.
    """
    opening.reject_address(path)
    path = Path(path)
    if not path.exists():
        raise ProductError(f"{path.name}: no such file or folder at {path}; expected {expected}.")
    if path.is_dir():
        return ProductFiles(path=path, root="", names=_names_in_folder(path, expected))
    path = opening.regular_file(path, expected=expected)
    with _open_zip(path, expected=expected) as archive:
        names = [i.filename for i in archive.infolist()[:MOST_FILES] if not i.is_dir()]
    roots = _roots(names, marker)
    if not roots:
        raise ProductError(f"{path.name}: holds no {marker}; expected {expected}.")
    if len(roots) > 1:
        raise ProductError(
            f"{path.name}: holds {len(roots)} products, {roots[0] or 'one at its top'} first; expected one. Unpack it"
            " and name one of them."
        )
    root = roots[0]
    own = sorted(n.removeprefix(root) for n in names if n.startswith(root))
    return ProductFiles(path=path, root=root, names=tuple(own))


def _names_in_folder(folder: Path, expected: str) -> tuple[str, ...]:
    names: list[str] = []
    for found in folder.rglob("*"):
        if found.is_file():
            names.append(found.relative_to(folder).as_posix())
        if len(names) > MOST_FILES:
            raise ProductError(f"{folder.name}: holds more than {MOST_FILES} files; expected {expected}.")
    return tuple(sorted(names))


def _roots(names: list[str], marker: str) -> list[str]:
    """Return the folders in an archive that hold the marker and lie in no other such folder."""
    found = set()
    for name in names:
        parts = PurePosixPath(name).parts
        if marker in parts:
            root = "/".join(parts[: parts.index(marker)])
            found.add(f"{root}/" if root else "")
    return sorted(r for r in found if not any(r != o and r.startswith(o) for o in found))


@contextlib.contextmanager
def _open_zip(path: Path, *, expected: str = "an intact zip archive. Download it again") -> Iterator[zipfile.ZipFile]:
    try:
        archive = zipfile.ZipFile(path)
    except _ZIP_ERRORS as error:
        raise ProductError(
            f"{path.name}: cannot be read as a zip archive ({one_line(error)[:100]}), it may be cut; expected"
            f" {expected}."
        ) from error
    with archive:
        yield archive


def is_zip(path: Path) -> bool:
    """Return whether a file begins as a zip archive does, cut or not.

    Parameters
    ----------
    path : Path
        The file.
    """
    return path.is_file() and opening.starts_with(path, 4) in (b"PK\x03\x04", b"PK\x05\x06")

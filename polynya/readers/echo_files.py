"""Files of radar-altimeter echoes of any mission: which reader is the one for a file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import ModuleType

import numpy as np

from ..errors import ProductError
from ..io import expand
from ..io.packed_netcdf import open_packed
from ..schema.echoes import Echoes
from . import altika_sgdr, cryosat2_l1b, cryosat2_l2i, echo_product, sentinel3_sral
from .echo_product import BLOCK, file_of

READERS: tuple[ModuleType, ...] = (altika_sgdr, cryosat2_l1b, cryosat2_l2i, sentinel3_sral)
TRUTH = "_truth.nc"
EXPECTED = "echoes of AltiKa (SGDR), CryoSat-2 (L1b, L2i) or Sentinel-3 SRAL (enhanced), as NetCDF. Check the file"


ENDINGS = (".nc", ".nc4", ".cdf", ".sen3")
"""Of files of echoes, in lower case."""


def named(words: Iterable[Path | str]) -> list[str]:
    """Return the files of echoes that words name: files, folders, patterns, lists, addresses (:func:`io.expand`).

    Parameters
    ----------
    words : iterable of Path or str
        As given. Of a folder, the truths of simulated tracks (``NAME_truth.nc``) are no echoes and are left out.

    Raises
    ------
    ProductError
        If a folder, a pattern or a list names nothing.
    """
    found: list[str] = []
    for word in words:
        files = expand([word], endings=ENDINGS)
        is_inside = files != [str(word)] and Path(word).is_dir()
        found += [f for f in files if not (is_inside and f.lower().endswith(TRUTH))]
    return found


def reader_of(path: Path | str) -> ModuleType:
    """Return the reader of a file, by the names of its variables.

    Parameters
    ----------
    path : Path or str
        NetCDF, or a SEN3 folder.

    Raises
    ------
    ProductError
        If the file is damaged, or of no product that is known here.
    """
    with open_packed(file_of(path), expected=EXPECTED) as file:
        for reader in READERS:
            if reader.is_product(file.names):
                return reader
        raise ProductError(
            f"{file.path.name}: holds {', '.join(file.names[:6]) or 'no variable'}; expected {EXPECTED}."
        )


def title(product: str, *, mission: str = "") -> str:
    """Return what people call a product: ``SARAL AltiKa SGDR``, ``CryoSat-2 L1b``.

    Parameters
    ----------
    product, mission : str
        Of :class:`polynya.schema.echoes.Echoes`, where the product is named after its reader.
    """
    found = next((str(r.TITLE) for r in READERS if product == r.PRODUCT), product)
    return found if found.startswith(mission) else f"{mission} {found}"


def read(path: Path | str, *, extra: Sequence[str] = ()) -> Echoes:
    """Read a file of any product of :data:`READERS`.

    Parameters
    ----------
    path : Path or str
        The file.
    extra : sequence of str
        More variables to give, one number per echo.

    Returns
    -------
    Echoes

    Raises
    ------
    ProductError
        As :func:`reader_of` and the product's reader.
    UsageError
        If a name in ``extra`` is not in the file.
    """
    return reader_of(path).read(path, extra=extra)


def times(path: Path | str) -> np.ndarray:
    """Read the times of a file's echoes, datetime64[ns], shape (n,); errors as :func:`read`."""
    return echo_product.times(path, reader_of(path).LAYOUT)


def blocks(path: Path | str, *, extra: Sequence[str] = (), records: int = BLOCK) -> Iterator[Echoes]:
    """Read a file in blocks of about ``records`` echoes; parameters and errors as :func:`read`."""
    return reader_of(path).blocks(path, extra=extra, records=records)

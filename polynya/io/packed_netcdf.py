"""NetCDF files as they are stored: every variable with its packed numbers, and one place that unpacks them.

netCDF4 and xarray multiply by ``scale_factor`` and hide fill values on their own; h5py does neither. Here nothing is
unpacked unseen: :meth:`PackedVariable.raw` gives the stored numbers and :meth:`PackedVariable.values` unpacks them,
once. NetCDF 4 is read with h5py, NetCDF 3 with scipy, block by block along the first dimension.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import PolynyaError, ProductError, one_line
from . import opening

ALL = slice(None)
LARGEST = 1 << 40
"""Numbers in one variable; more is no array but a damaged header."""

DAMAGE = (
    OSError,
    RuntimeError,
    LookupError,
    ValueError,
    TypeError,
    ArithmeticError,
    MemoryError,
    AttributeError,
    NotImplementedError,
    SystemError,
    EOFError,
)
"""What the libraries raise at damaged files."""


@dataclass(frozen=True, kw_only=True)
class PackedVariable:
    """A variable of an open file.

    Attributes
    ----------
    name : str
        With its groups: ``data_40/ka/agc``.
    shape : tuple of int
    stored : object
        What is sliced: an h5py dataset or an array of scipy.
    stored_attributes : mapping
        As the library gives them; read when they are asked for.
    may_grow : bool
        Whether its first dimension is unlimited. Then fewer rows may be stored than the dimension has, and NetCDF says
        that the rest is fill.
    """

    name: str
    shape: tuple[int, ...]
    stored: Any
    stored_attributes: Mapping[str, Any]
    may_grow: bool = False

    def attribute(self, name: str) -> Any:
        """Return an attribute, text as str, an array of one number as that number; None where there is none.

        Only what is asked for is read: HDF5's library may hang at damaged text that nobody needs.
        """
        return _plain(self.stored_attributes[name]) if name in self.stored_attributes else None

    @property
    def units(self) -> str:
        """Units as stored, empty where there are none."""
        return str(self.attribute("units") or "")

    @property
    def scale(self) -> tuple[float, float]:
        """``scale_factor`` and ``add_offset``: 1 and 0 where they are not stored."""
        return _number(self.attribute("scale_factor"), 1.0), _number(self.attribute("add_offset"), 0.0)

    @property
    def fill(self) -> float | None:
        """The packed number that says "no value"; None where the file names none."""
        for name in ("_FillValue", "missing_value"):
            if (stored := self.attribute(name)) is not None:
                return _number(stored, np.nan)
        return None

    def raw(self, rows: slice = ALL) -> np.ndarray:
        """Return stored numbers of some rows, in the machine's byte order; unsigned where the file says so.

        Parameters
        ----------
        rows : slice
            Along the first dimension.
        """
        found = np.asarray(self.stored[rows] if self.shape else self.stored[()])
        found = found.astype(found.dtype.newbyteorder("="), copy=False)
        if found.dtype.kind == "i" and str(self.attribute("_Unsigned")).lower() == "true":
            found = found.view(np.dtype(f"u{found.dtype.itemsize}"))
        return found

    def values(self, rows: slice = ALL) -> np.ndarray:
        """Return float64 values of some rows: packed * scale_factor + add_offset, NaN where the file has its fill.

        Parameters
        ----------
        rows : slice
            Along the first dimension.
        """
        packed = self.raw(rows)
        factor, offset = self.scale
        out = packed.astype(np.float64) * factor + offset
        if self.fill is not None:
            out[packed.astype(np.float64) == self.fill] = np.nan
        return out


@dataclass(frozen=True, kw_only=True)
class PackedFile:
    """An open NetCDF file.

    Attributes
    ----------
    path : Path
    variables : dict of str to PackedVariable
        All groups; dimensions without a variable of their own are left out.
    stored_attributes : mapping
        Of the file, as the library gives them.
    """

    path: Path
    variables: dict[str, PackedVariable]
    stored_attributes: Mapping[str, Any]

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names of the variables, sorted."""
        return tuple(sorted(self.variables))

    def text(self, name: str) -> str:
        """Return an attribute of the file as text, empty where it is missing."""
        found = _plain(self.stored_attributes[name]) if name in self.stored_attributes else ""
        return str(found).strip()


@contextlib.contextmanager
def open_packed(path: Path | str, *, expected: str = "NetCDF. Check the file") -> Iterator[PackedFile]:
    """Open a NetCDF file, version 3 or 4, without unpacking anything.

    Whatever the libraries raise inside the ``with`` block becomes one line too.

    Parameters
    ----------
    path : Path or str
        The file.
    expected : str
        What should be there and what to do, for the message.

    Yields
    ------
    PackedFile

    Raises
    ------
    ProductError
        If it is no regular file or no NetCDF, or damaged.
    """
    path = opening.regular_file(path, expected=expected)
    try:
        if opening.is_hdf5(path):
            with opening.open_hdf5(path, expected=expected) as handle:
                yield PackedFile(path=path, variables=_hdf5(handle), stored_attributes=handle.attrs)
        else:
            with _netcdf3(path) as file:
                yield file
    except PolynyaError:
        raise
    except DAMAGE as error:
        raise ProductError(f"{path.name}: cannot be read ({one_line(error)[:140]}); expected {expected}.") from error


@contextlib.contextmanager
def _netcdf3(path: Path) -> Iterator[PackedFile]:
    from scipy.io import netcdf_file

    with netcdf_file(path, "r", mmap=False) as handle:
        found = {
            name: PackedVariable(name=name, shape=tuple(v.shape), stored_attributes=v._attributes, stored=v.data)
            for name, v in handle.variables.items()
        }
        yield PackedFile(path=path, variables=found, stored_attributes=handle._attributes)


def _hdf5(handle: Any) -> dict[str, PackedVariable]:
    import h5py

    found: dict[str, PackedVariable] = {}

    def add(name: str, node: Any) -> None:
        if not isinstance(node, h5py.Dataset) or node.shape is None or node.dtype.kind not in "iufSO":
            return
        if str(_plain(node.attrs.get("NAME", ""))).startswith("This is a netCDF dimension but not a netCDF variable"):
            return
        if node.size > LARGEST:
            raise ValueError(f"{name} has {node.size} numbers")
        may_grow = bool(node.maxshape) and node.maxshape[0] is None
        found[name] = PackedVariable(
            name=name, shape=tuple(node.shape), stored_attributes=node.attrs, stored=node, may_grow=may_grow
        )

    handle.visititems(add)
    return found


def _plain(value: Any) -> Any:
    """Return an attribute with bytes as text and arrays of one number as that number."""
    if isinstance(value, bytes | np.bytes_):
        return bytes(value).decode("utf-8", "replace").strip("\x00")
    if isinstance(value, np.ndarray) and value.size == 1:
        return _plain(value.ravel()[0])
    return value


def _number(stored: Any, otherwise: float) -> float:
    return otherwise if stored is None else float(np.ravel(stored)[0])

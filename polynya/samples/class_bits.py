"""Sets of classes as bits of a 32-bit number: which classes a label admits.

One bit is an ordinary label, ``thick or thin ice`` has two, a sample that nobody labelled has none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import UsageError

MOST = 32
"""Classes that a set can hold."""
DTYPE = np.dtype(np.uint32)


def bits_of(
    codes: np.ndarray, admits: Mapping[int, Sequence[int]], *, unlabelled: Sequence[int], where: str
) -> np.ndarray:
    """Return sets of classes from the codes of labels.

    Parameters
    ----------
    codes : numpy.ndarray of int, shape (...)
        Labels as numbers.
    admits : mapping of int to sequence of int
        For every code the numbers of the classes that it admits, from 0.
    unlabelled : sequence of int
        Codes of samples without a label.
    where : str
        Where the codes stand, for the error.

    Returns
    -------
    numpy.ndarray of uint32, shape (...)

    Raises
    ------
    UsageError
        If a code is neither among ``admits`` nor ``unlabelled``.
    """
    codes = np.asarray(codes)
    out = np.zeros(codes.shape, DTYPE)
    known = np.isin(codes, list(unlabelled))
    for code, classes in admits.items():
        mine = codes == code
        known |= mine
        out[mine] = sum(1 << k for k in classes)
    if not known.all():
        raise UsageError(
            f"{where}: label {codes[~known].flat[0]} is outside the target; expected one of"
            f" {', '.join(map(str, sorted(admits)))}. Add its class to the target, or label again."
        )
    return out


def single(bits: np.ndarray) -> np.ndarray:
    """Return the class of sets that hold exactly one, else -1; int64 of the same shape."""
    wide = np.asarray(bits, np.int64)
    is_one = (wide > 0) & (wide & (wide - 1) == 0)
    return np.where(is_one, np.log2(np.where(is_one, wide, 1)).astype(np.int64), -1)


def check(bits: np.ndarray, classes: Sequence[str], *, where: str) -> None:
    """Check that sets hold only known classes.

    Parameters
    ----------
    bits : numpy.ndarray of unsigned int
        Sets of classes.
    classes : sequence of str
        Names of all classes.
    where : str
        Where the sets come from, for the error.

    Raises
    ------
    UsageError
        If a set holds a class beyond the last.
    """
    most = int(np.max(bits, initial=0))
    if most >> len(classes):
        raise UsageError(
            f"{where}: holds class {most.bit_length() - 1}; expected classes 0 to {len(classes) - 1}"
            f" ({', '.join(classes)}). Name all classes in the recipe, or take another target."
        )


@dataclass(frozen=True, kw_only=True)
class Labels:
    """Sets of classes as the labels of tiles; the targets of :mod:`polynya.targets` have the same methods."""

    def nothing(self, shape: tuple[int, ...]) -> np.ndarray:
        """Return empty sets."""
        return np.zeros(shape, DTYPE)

    def known(self, targets: np.ndarray) -> np.ndarray:
        """Return which sets hold a class."""
        return targets != 0

    def of_tile(self, tile: Any, name: str, rows: slice, columns: slice) -> np.ndarray:
        """Return the sets of a window of a tile."""
        return tile.target(name, rows, columns)

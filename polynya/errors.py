"""The exception classes: every message says what, where, found, expected, what to do.

A message is one line. It is raised at a boundary (reading, configuration, command line) and
printed as it stands by the command line; the class decides the exit code.
"""

from __future__ import annotations


class PolynyaError(Exception):
    """Base of every error polynya raises on purpose.

    Attributes
    ----------
    exit_code : int
        What the command line exits with: 1 failed, 2 usage.
    """

    exit_code = 1


class ProductError(PolynyaError):
    """A file is not the product, or the part of it, that was asked for."""


class ChecksumError(ProductError):
    """A compressed chunk does not inflate to what its checksum promises."""


class NoSeaIceError(ProductError):
    """A granule that reads well but holds no sea-ice photon to work on."""


class OutputError(PolynyaError):
    """The output cannot be written where it was asked for."""


class UsageError(PolynyaError):
    """An option, a beam or a configuration value that does not exist or does not fit."""

    exit_code = 2


def one_line(error: BaseException) -> str:
    """Return an exception's text as one line, its class first unless polynya raised it.

    Parameters
    ----------
    error : BaseException

    Returns
    -------
    str
        No line break; at most 600 characters.
    """
    text = " ".join(str(error).split())
    if not isinstance(error, PolynyaError):
        text = f"{type(error).__name__}: {text}" if text else type(error).__name__
    return text if len(text) <= 600 else text[:597] + "..."

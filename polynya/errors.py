"""The exception classes: every message says what, where, found, expected, what to do.

A message is one line. It is raised at a boundary (reading, configuration, command line) and
printed as it stands by the command line; the class decides the exit code.
"""

from __future__ import annotations


class PolynyaError(Exception):
    """Base of every error that polynya raises on purpose.

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
    """A granule or a beam that reads well but holds no sea-ice photon to work on.

    Parameters
    ----------
    message : str
        The whole sentence.
    code : str
        Why, for programs: ``no_photons``, ``not_sea_ice``, ``no_reference``, ``no_signal``, ``no_surface``; empty
        for a granule.
    reason : str
        Why, as one phrase that begins with the beam's name; empty for a granule.
    """

    def __init__(self, message: str, *, code: str = "", reason: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason


class EmptyBeamError(NoSeaIceError):
    """One beam gives no segment; others of its granule may."""

    @classmethod
    def of(cls, granule: str, *, code: str, reason: str) -> EmptyBeamError:
        """Return the error of one beam.

        Parameters
        ----------
        granule : str
            The granule's name.
        code, reason : str
            As of :class:`NoSeaIceError`.
        """
        message = f"{granule}: {reason}; expected photons over sea ice. Choose another beam or granule."
        return cls(message, code=code, reason=reason)


class OutputError(PolynyaError):
    """The output cannot be written where it was asked for."""


class UsageError(PolynyaError):
    """An option, a beam or a configuration value that does not exist or does not fit."""

    exit_code = 2


class NoRegionError(UsageError):
    """Outlines whose first-order region of the RGI nothing tells."""


def one_line(error: BaseException) -> str:
    """Return an exception's text as one line, its class first unless polynya raised it.

    Parameters
    ----------
    error : BaseException
        Any; of polynya's own only the text is taken.

    Returns
    -------
    str
        No line break; at most 600 characters.
    """
    text = " ".join(str(error).split())
    if not isinstance(error, PolynyaError):
        text = f"{type(error).__name__}: {text}" if text else type(error).__name__
    return text if len(text) <= 600 else text[:597] + "..."

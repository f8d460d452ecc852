"""The exception classes: every message says what, where, found, expected, what to do.

A message is one line. It is raised at a boundary (reading, configuration, command line) and
printed as it stands by the command line; the class decides the exit code.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType


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


UNEXPECTED = "unexpected:"
"""In the message of :func:`unreadable`; the fuzz tests count it as a finding."""


def unreadable(error: BaseException) -> ProductError | None:
    """Return the error of a file that a reader stumbled over in a way nobody thought of; None for any other mistake.

    Whatever module of :mod:`polynya.readers` the exception came through says what was being read, and its variables
    which file: a new reader needs nothing for it.

    Parameters
    ----------
    error : BaseException
        With its traceback.

    Returns
    -------
    ProductError or None
        With the byte, row or line where the exception names one.
    """
    inner: list[tuple[str, FrameType, int]] = []
    step = error.__traceback__
    while step is not None:
        package, _, module = str(step.tb_frame.f_globals.get("__name__", "")).rpartition(".")
        if package.endswith("polynya.readers"):
            inner.append((module, step.tb_frame, step.tb_lineno))
        step = step.tb_next
    if not inner:
        return None
    module, frame, line = inner[-1]
    names = (_file_in(f.f_locals) for _, f, _ in reversed(inner))
    name = next((n for n in names if n), "a file")
    places = [f"{word} {n}" for word in ("pos", "start", "lineno") if isinstance(n := getattr(error, word, None), int)]
    where = f", {places[0]}".replace("pos ", "byte ").replace("start ", "byte ") if places else ""
    return ProductError(
        f"{name}: cannot be read as {module.replace('_', ' ')} ({UNEXPECTED} {one_line(error)[:200]}{where}, in"
        f" {frame.f_code.co_name} line {line}); expected a whole file of this product. Get it again; if it is whole,"
        " please report this line."
    )


def _file_in(variables: dict[str, object]) -> str:
    """Return the name of the file among the variables of a function, empty where there is none."""
    for name in ("path", "file", "folder", "source"):
        held = variables.get(name)
        text = str(getattr(held, "path", held)) if held is not None else ""
        if text and not text.startswith("<") and "\n" not in text:
            return text.rstrip("/").rpartition("/")[2][:120]
    return ""


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

"""What the name of a Sentinel-1 wave-mode image says: satellite, beam, polarisation, time, orbit, number."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

_NAME = re.compile(
    r"(?P<satellite>s1[a-z])-(?P<beam>wv[12])-(?P<kind>slc|ocn|ql)-(?P<polarisation>vv|hh)-(?P<start>\d{8}t\d{6})"
    r"-(?P<stop>\d{8}t\d{6})-(?P<orbit>\d{6})-(?P<take>[0-9a-f]{6})-(?P<number>\d{3})",
    re.IGNORECASE,
)
QUICKLOOK_PIXEL_M = {"wv1": (42.0, 37.0), "wv2": (41.0, 46.0)}
"""Distances between lines and between samples of the agency's quick-looks, m, by beam: footprints of real products over
the sizes of real pictures."""


@dataclass(frozen=True, kw_only=True)
class WaveName:
    """The parts of a name.

    Attributes
    ----------
    satellite : str
        ``S1A`` ...
    beam : str
        ``wv1`` or ``wv2``.
    kind : str
        ``slc``, ``ocn`` or ``ql`` (quick-look).
    polarisation : str
        ``VV`` or ``HH``.
    start, stop : numpy.datetime64
        UTC, ns.
    absolute_orbit, number : int
        Orbit, and place in the product from 1.
    """

    satellite: str
    beam: str
    kind: str
    polarisation: str
    start: np.datetime64
    stop: np.datetime64
    absolute_orbit: int
    number: int


def parse(name: str) -> WaveName | None:
    """Return the parts of a file name; None where it is no name of a wave-mode image.

    Parameters
    ----------
    name : str
        With or without folder and extension; what stands before and after the name does not matter.
    """
    found = _NAME.search(name)
    if found is None:
        return None
    times = [_time(found[n]) for n in ("start", "stop")]
    if any(np.isnat(t) for t in times):
        return None
    return WaveName(
        satellite=found["satellite"].upper(),
        beam=found["beam"].lower(),
        kind=found["kind"].lower(),
        polarisation=found["polarisation"].upper(),
        start=times[0],
        stop=times[1],
        absolute_orbit=int(found["orbit"]),
        number=int(found["number"]),
    )


def _time(text: str) -> np.datetime64:
    date, clock = text[:8], text[9:]
    try:
        return np.datetime64(f"{date[:4]}-{date[4:6]}-{date[6:]}T{clock[:2]}:{clock[2:4]}:{clock[4:]}", "ns")
    except ValueError:
        return np.datetime64("NaT", "ns")

"""Whether ``polynya freeboard`` will work on an ATL03 granule, and with which options: tried, without its photons."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ... import schema
from ...errors import EmptyBeamError, ProductError, one_line
from ...physics import corrections
from ...readers import icesat2, icesat2_atl03

MEDIUM = 3
"""Sea-ice confidence of photons that make heights."""
ROWS = 500_000
"""Photons whose confidence is looked at in one go; the first of enough confidence ends the search."""
KEEP_DEGRADED, MSS = "--keep-degraded", "--mss GRID"


@dataclass(frozen=True, kw_only=True)
class Prospect:
    """What ``polynya freeboard`` will do with a granule.

    Attributes
    ----------
    is_possible : bool
        Whether at least one beam can give segments.
    options : tuple of str
        What must be passed for that; empty where the defaults do.
    reason : str
        Why no beam can, or why an option is needed; empty where the defaults do.
    """

    is_possible: bool
    options: tuple[str, ...] = ()
    reason: str = ""


def prospect(granule: icesat2.Granule) -> Prospect:
    """Try each beam's index until one can give segments.

    Parameters
    ----------
    granule : icesat2.Granule
        Of ATL03.

    Returns
    -------
    Prospect
        That of the beam that needs the fewest options.
    """
    try:
        icesat2.reject_transition(granule)
    except ProductError as error:
        return Prospect(is_possible=False, reason=_cause(error, granule))
    found = []
    for beam in granule.beams.values():
        found.append(_beam(granule, beam.name))
        if found[-1].is_possible and not found[-1].options:
            return found[-1]
    possible = [p for p in found if p.is_possible]
    return min(possible, key=lambda p: len(p.options)) if possible else found[0]


def _beam(granule: icesat2.Granule, name: str) -> Prospect:
    options, reasons = [], []
    try:
        try:
            beam = icesat2_atl03.index(granule.path, beam=name, granule=granule)
        except EmptyBeamError as error:
            options.append(KEEP_DEGRADED)
            reasons.append(error.reason)
            beam = icesat2_atl03.index(granule.path, beam=name, granule=granule, keep_degraded=True)
        if beam is None:
            return Prospect(is_possible=False, reason=f"{name} holds no photons")
        if not _has_signal(beam):
            return Prospect(is_possible=False, reason=f"{name} holds no photon of medium or high sea-ice confidence")
    except ProductError as error:
        return Prospect(is_possible=False, reason=_cause(error, granule))
    columns = {c: schema.to_numpy(beam.geosegments[c]) for c in beam.geosegments.column_names}
    if not np.isfinite(corrections.corrections(columns).total).any():
        options.append(MSS)
        reasons.append(f"{name} holds neither a mean sea surface nor a geoid")
    return Prospect(is_possible=True, options=tuple(options), reason="; ".join(reasons))


def _has_signal(beam: icesat2_atl03.BeamIndex) -> bool:
    """Return whether a photon has enough sea-ice confidence to make a height."""
    name = f"{beam.beam.name}/heights/signal_conf_ph"
    path: Path = beam.granule.path
    with icesat2.open_hdf5(path) as handle, icesat2.reading(path, name):
        node = handle[name]
        for start in range(beam.start, beam.stop, ROWS):
            if np.any(node[start : min(start + ROWS, beam.stop), icesat2_atl03.SEA_ICE] >= MEDIUM):
                return True
    return False


def _cause(error: ProductError, granule: icesat2.Granule) -> str:
    """Return an error's line without the file's name, which stands above it."""
    return one_line(error).removeprefix(f"{granule.path.name}: ")

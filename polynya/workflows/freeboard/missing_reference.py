"""What to say where the mean sea surface or a correction is missing in a granule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ...physics import corrections
from . import messages

LEADS_REACH_M = 20_000.0
"""Leads make the sea surface 10 km away, and fill it 10 km further."""
WORDS = {"tide_ocean": "ocean tide", "tide_equilibrium": "equilibrium tide", "dac": "dynamic atmosphere correction"}
EFFECTS = {
    "tide_ocean": "the ocean tide (decimetres, near some coasts metres)",
    "tide_equilibrium": "the equilibrium tide (up to 0.03 m)",
    "dac": "the answer of the sea to air pressure and wind (up to about 0.5 m)",
}
"""What remains in heights above the mean sea surface where a correction is missing."""


@dataclass(frozen=True, kw_only=True)
class MissingReference:
    """What of a beam's reference is missing.

    Attributes
    ----------
    absent : tuple of str
        Corrections that are switched on and have no value along the beam.
    missing_km, interpolated_km : mapping of str to float
        By correction that is missing in part: kilometres of segments in gaps of more than 10 km (bit 8), and in
        shorter ones (bit 512).
    has_mean_sea_surface : bool
        Whether any segment of the beam has one.
    share_bridged : float
        Share of the segments whose MSS was bridged.
    share_none : float
        Share of the beam's 20 m geosegments with neither an MSS nor a geoid: no height there.
    is_cut : bool
        Whether the corrections cut the track into parts that share no sea surface.
    """

    absent: tuple[str, ...] = ()
    missing_km: Mapping[str, float] = field(default_factory=dict)
    interpolated_km: Mapping[str, float] = field(default_factory=dict)
    has_mean_sea_surface: bool = True
    share_bridged: float = 0.0
    share_none: float = 0.0
    is_cut: bool = False


def missing(correction: corrections.Corrections, own: np.ndarray, *, length: np.ndarray) -> MissingReference:
    """Return what is missing of the reference of n segments.

    Parameters
    ----------
    correction : corrections.Corrections
        Of the beam.
    own : numpy.ndarray of int64, shape (n,)
        The geosegment of each segment.
    length : numpy.ndarray, shape (n,)
        Of the segments, metres.
    """
    source = correction.mss_source

    def km(terms: np.ndarray) -> dict[str, float]:
        found = {n: float(np.sum(length[(terms[own] & bit) > 0])) / 1000.0 for n, bit in corrections.TERMS.items()}
        return {n: v for n, v in found.items() if v > 0.0 and n not in correction.absent}

    return MissingReference(
        absent=correction.absent,
        missing_km=km(correction.terms_missing),
        interpolated_km=km(correction.terms_interpolated),
        has_mean_sea_surface=bool(np.any((source == corrections.MSS_DEM) | (source == corrections.MSS_GRID))),
        share_bridged=float(np.mean(source[own] == corrections.MSS_BRIDGED)),
        share_none=float(np.mean(source == corrections.MSS_NONE)),
        is_cut=bool(np.ptp(correction.piece[own]) > 0),
    )


def is_beside_cut(x: np.ndarray, part: np.ndarray) -> np.ndarray:
    """Return which segments lie so near a cut of the track that leads beyond it would have served; bool, shape (n,).

    Parameters
    ----------
    x : numpy.ndarray, shape (n,)
        Along-track distance, not decreasing, metres.
    part : numpy.ndarray of int64, shape (n,)
        Number of the part of the track.
    """
    cut = x[np.flatnonzero(np.diff(part)) + 1]
    if cut.size == 0:
        return np.zeros(x.size, bool)
    right = np.clip(np.searchsorted(cut, x), 0, cut.size - 1)
    return np.minimum(np.abs(x - cut[right]), np.abs(x - cut[np.maximum(right - 1, 0)])) <= LEADS_REACH_M


def sentences(beams: Mapping[str, MissingReference], *, mss: str | None = None) -> list[str]:
    """Return one sentence for corrections that are missing and one for each way of standing in for the MSS.

    Parameters
    ----------
    beams : mapping of str to MissingReference
        By beam.
    mss : str, optional
        The user's grid of the mean sea surface, as it was given.
    """
    out = []
    use = "Pass --mss GRID" if mss is None else f"Check that --mss {mss} covers the track, or pass another grid"
    absent = [name for name in WORDS if any(name in b.absent for b in beams.values())]
    if absent:
        where = _beams([n for n, b in beams.items() if b.absent], beams)
        out.append(
            f"The granule has no {_list([WORDS[a] for a in absent])}{where}: heights above the mean sea surface contain"
            f" {_list([EFFECTS[a] for a in absent])} (bit 8). Freeboard is a height above the water nearby and hardly"
            " changes; it is NaN where that water is then more than 0.5 m from the mean sea surface."
        )
    out += _in_part(beams)
    none = [n for n, b in beams.items() if not b.has_mean_sea_surface]
    if none:
        out.append(
            f"There is no mean sea surface{_beams(none, beams)}: heights are above the geoid, decimetres to a metre off"
            f" (bit 2). {use}."
        )
    bridged = [n for n, b in beams.items() if b.share_bridged > 0]
    if bridged:
        most = max(b.share_bridged for b in beams.values())
        share = f"up to {most:.1%}" if most >= 0.0005 else "less than 0.1%"
        out.append(
            f"The mean sea surface has holes{_beams(bridged, beams)} ({share} of a beam's segments): the geoid, moved"
            " to the mean sea surface on both sides, stands in (bit 2; holes of up to 10 km also have bit 512)."
        )
    nothing = [n for n, b in beams.items() if b.share_none > 0]
    if nothing:
        most = max(b.share_none for b in beams.values())
        out.append(
            f"{max(most, 0.001):.1%} of the track has neither a mean sea surface nor a geoid{_beams(nothing, beams)}:"
            f" there is no height there. {use}."
        )
    cut = [n for n, b in beams.items() if b.is_cut]
    if cut:
        out.append(
            f"The track is cut{_beams(cut, beams)} where the mean sea surface is missing over more than 20 km, or where"
            " it or a correction steps: no lead and no sea surface is used across, and freeboard is NaN on a side"
            " without water of its own."
        )
    return out


def _in_part(beams: Mapping[str, MissingReference]) -> list[str]:
    """Return one sentence for each correction and kind of gap."""
    out = []
    for name, word in WORDS.items():
        for kind, text in (
            (
                "missing_km",
                f"the nearest values are held or interpolated there (bit 8), and the further they are, the more of"
                f" {EFFECTS[name]} remains in heights above the mean sea surface. Freeboard hardly changes.",
            ),
            (
                "interpolated_km",
                "it is interpolated across these gaps of up to 10 km (bit 512), to a centimetre or two.",
            ),
        ):
            found = {n: getattr(b, kind)[name] for n, b in beams.items() if name in getattr(b, kind)}
            if found:
                out.append(f"The {word} is missing on {messages.lengths(found)}: {text}")
    return out


def _beams(some: Sequence[str], beams: Mapping[str, MissingReference]) -> str:
    return "" if len(some) == len(beams) else f" on {', '.join(some)}"


def _list(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"

"""What a granule's results say in plain sentences: on the terminal, in the report and in run.json."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

DOUBTS = {
    "leads_only_bright": (
        "No sea surface on {where}, where only brightness speaks for water: too few leads stand clearly lower than the"
        " ice around them. Smooth bright ice and melt ponds look the same, so freeboard is NaN there"
    ),
    "melt_season": (
        "Melt season on {where}: snow may melt (sun above 15 degrees), and ponds return light as leads do, so the sea"
        " surface is less certain"
    ),
    "water_contradicts_ice_concentration": (
        "More open water than the ice concentration leaves room for on {where}: some of it may be ice, so the sea"
        " surface is less certain"
    ),
    "leads_scatter": (
        "Leads differ by more than their errors on {where}: some may be ice, or the sea surface bends or moves, so it"
        " is less certain"
    ),
    "swell": "Swell on {where}: freeboard includes the waves, and its uncertainty says so",
}
"""Quality bits that need a sentence, worst first: what is true where they are set."""
FORMAL = (
    "The uncertainty of --sea-surface {method} is formal: the sea surface is taken from all leads, and what the quality"
    " bits say of melt, brightness, scatter or swell neither removes nor widens it. The default, leads, does both."
)
"""What holds for the methods other than the default."""
ONE_LEAD = (
    "One lead alone on {where}: the sea surface rests on it, no other was used within 25 km, and nothing agrees with"
    " it. The uncertainty contains that doubt; look at the lead before you use freeboard there."
)
"""Where leads cannot be compared with each other."""


def of_doubts(beams: Mapping[str, Mapping[str, Any]], *, method: str, is_default: bool) -> list[str]:
    """Return one sentence per cause of doubt that occurs.

    Parameters
    ----------
    beams : mapping of str to mapping
        By beam, its numbers as in run.json: ``flags``, the share of its segments that has each quality bit, and
        ``km_of_one_lead``.
    method : str
        Of the sea surface.
    is_default : bool
        Whether it is the one that takes doubt into account; else one sentence says that it does not.
    """
    if not is_default:
        return [FORMAL.format(method=method)]
    out = []
    for name, text in DOUBTS.items():
        shares = {n: b["flags"][name] for n, b in beams.items() if b["flags"].get(name, 0.0) > 0.0}
        if shares:
            where = ", ".join(f"{_percent(share)} of {beam}" for beam, share in sorted(shares.items()))
            out.append(f"{text.format(where=where)} (quality bit {name}).")
    alone = {n: b["km_of_one_lead"] for n, b in beams.items() if b.get("km_of_one_lead", 0.0) > 0.0}
    if alone:
        out.append(ONE_LEAD.format(where=lengths(alone)))
    return out


def of_ice_concentration(beams: Mapping[str, Mapping[str, Any]], *, grid: str | None) -> list[str]:
    """Return one sentence where the user's ice concentration has no value along a beam.

    Parameters
    ----------
    beams : mapping of str to mapping
        By beam, its numbers: ``share_with_ice_concentration``.
    grid : str, optional
        As it was given.
    """
    bare = [n for n, b in beams.items() if b.get("share_with_ice_concentration") == 0.0]
    if not bare:
        return []
    where = "" if len(bare) == len(beams) else f" of {', '.join(bare)}"
    return [
        f"--ice-concentration {grid} has no value along the track{where}: nothing was screened by it there. Expected"
        " fractions 0-1 or per cent that cover the granule."
    ]


def lengths(km: Mapping[str, float]) -> str:
    """Return kilometres by beam in words.

    Parameters
    ----------
    km : mapping of str to float
        By beam.
    """
    return ", ".join(f"{v:.1f} km of {n}" if v >= 0.05 else f"under 0.1 km of {n}" for n, v in sorted(km.items()))


def _percent(share: float) -> str:
    return f"{100.0 * share:.0f} %" if share >= 0.01 else "under 1 %"

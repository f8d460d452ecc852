"""What a granule's results say in plain sentences: on the terminal, in the report and in run.json."""

from __future__ import annotations

from collections.abc import Mapping

DOUBTS = {
    "leads_only_bright": (
        "only brightness speaks for water: too few leads stand clearly lower than the ice around them. Smooth bright"
        " ice and melt ponds look the same, so there is no sea surface and freeboard is NaN there"
    ),
    "melt_season": (
        "snow may melt (melt season, sun above 15 degrees): ponds return light as leads do, so the sea surface is less"
        " certain"
    ),
    "water_contradicts_ice_concentration": (
        "more open water was found than the ice concentration leaves room for: some of it may be ice, so the sea"
        " surface is less certain"
    ),
    "leads_scatter": (
        "leads differ in height by more than their errors: some may be ice, or the sea surface bends or moves, so it is"
        " less certain"
    ),
    "swell": ("swell runs through the ice: freeboard includes the waves, and its uncertainty says so"),
}
"""Quality bits that need a sentence, worst first: what is true where they are set."""


FORMAL = (
    "The sea surface of --sea-surface {method} is taken from all leads, and its uncertainty is formal: what the quality"
    " bits say of melt, brightness, scatter or swell neither removes nor widens it. The default, leads, does both."
)
"""What holds for the methods other than the default."""


def of_doubts(flags: Mapping[str, Mapping[str, float]], *, method: str, is_default: bool) -> list[str]:
    """Return one sentence per cause of doubt that occurs.

    Parameters
    ----------
    flags : mapping of str to mapping of str to float
        By beam, the share of its segments that has each quality bit.
    method : str
        Of the sea surface.
    is_default : bool
        Whether it is the one that takes doubt into account; else one sentence says that it does not.
    """
    if not is_default:
        return [FORMAL.format(method=method)]
    out = []
    for name, text in DOUBTS.items():
        shares = {beam: share[name] for beam, share in flags.items() if share.get(name, 0.0) > 0.0}
        if shares:
            where = ", ".join(f"{_percent(share)} of {beam}" for beam, share in sorted(shares.items()))
            out.append(f"On {where} {text} (quality bit {name}).")
    return out


def _percent(share: float) -> str:
    return f"{100.0 * share:.0f} %" if share >= 0.01 else "under 1 %"

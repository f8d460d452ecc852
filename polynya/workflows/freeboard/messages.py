"""What a granule's results say in plain sentences: on the terminal, in the report and in run.json."""

from __future__ import annotations

from collections.abc import Mapping

DOUBTS = {
    "leads_only_bright": (
        "only brightness speaks for water: no lead stands clearly lower than the ice around it. Smooth bright ice and"
        " melt ponds look the same, so there is no sea surface and freeboard is NaN there"
    ),
    "melt_season": (
        "the snow melts (melt season, sun above 15 degrees): ponds return light as leads do, so the sea surface is less"
        " certain"
    ),
    "water_contradicts_ice_concentration": (
        "more open water was found than the ice concentration leaves room for: some of it may be ice, so the sea"
        " surface is less certain"
    ),
    "leads_scatter": (
        "leads differ in height by more than their errors: some may be ice, so the sea surface is less certain"
    ),
    "swell": ("swell runs through the ice: freeboard includes the waves, and its uncertainty says so"),
}
"""Quality bits that need a sentence, worst first: what is true where they are set."""


def of_doubts(flags: Mapping[str, Mapping[str, float]]) -> list[str]:
    """Return one sentence per cause of doubt that occurs.

    Parameters
    ----------
    flags : mapping of str to mapping of str to float
        By beam, the share of its segments that has each quality bit.
    """
    out = []
    for name, text in DOUBTS.items():
        shares = {beam: share[name] for beam, share in flags.items() if share.get(name, 0.0) > 0.0}
        if shares:
            where = ", ".join(f"{_percent(share)} of {beam}" for beam, share in sorted(shares.items()))
            out.append(f"On {where} {text} (quality bit {name}).")
    return out


def _percent(share: float) -> str:
    return f"{100.0 * share:.0f} %" if share >= 0.01 else "under 1 %"

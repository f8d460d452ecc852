"""A comparison in a few lines, for a terminal."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ...schema import counted

QUANTITIES = ("freeboard", "freeboard_same_scale", "sea_level", "height", "lead_height", "mean_sea_surface")


def text(scores: Sequence[dict]) -> str:
    """Return the main numbers: differences over all beams, coverage and leads.

    Parameters
    ----------
    scores : sequence of dict
        Rows of the table ``comparison``.
    """
    whole = [s for s in scores if s["region"] == "all"]
    lines = []
    for reference, resolution in dict.fromkeys((s["reference"], s["resolution"]) for s in whole):
        part = [s for s in whole if (s["reference"], s["resolution"]) == (reference, resolution)]
        lines += [f"ours at {resolution} less {reference}", *_differences(part), *_counts(part)]
    return "\n".join(lines)


def _differences(part: Sequence[dict]) -> list[str]:
    lines = []
    for quantity in QUANTITIES:
        found = {s["statistic"]: s for s in part if s["quantity"] == quantity and s["surface"] == "all"}
        bias = found.get("bias")
        if bias is None or not bias["n"]:
            continue
        known = "" if math.isnan(bias["uncertainty"]) else f" ± {bias['uncertainty']:.3f}"
        lines.append(
            f"  {quantity:<21} {bias['value']:+.3f}{known} m, median {found['median']['value']:+.3f}, RMSE"
            f" {found['rmse']['value']:.3f}, robust sd {found['robust_sd']['value']:.3f} (n {bias['n']:,} in"
            f" {counted(bias['n_sections'], 'section')})"
        )
    return lines or ["  nothing in common has a value"]


def _counts(part: Sequence[dict]) -> list[str]:
    value = {(s["quantity"], s["statistic"]): s for s in part}
    lines = []
    for quantity in ("freeboard", "height"):
        km = [value.get((f"coverage_{quantity}", f"{n}_km")) for n in ("ours", "theirs", "both")]
        if all(s is not None and s["n"] for s in km):
            mine, theirs, both = (s["value"] for s in km if s is not None)
            lines.append(f"  track with {quantity:<10} {mine:.1f} km ours, {theirs:.1f} km NASA's, {both:.1f} km both")
    leads = [value.get(("leads", f"by_{n}")) for n in ("both", "ours", "theirs")]
    if all(s is not None and s["n"] for s in leads):
        both, mine, theirs = (int(s["value"]) for s in leads if s is not None)
        lines.append(f"  leads                 {both} in both, {mine} ours only, {theirs} NASA's only")
    return lines

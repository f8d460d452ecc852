"""Section heights and errors rebuilt from leads and compared with the stored ones."""

from __future__ import annotations

import numpy as np

from ...physics import sea_surface
from ...readers.icesat2_atl10 import Control
from .beams import FILLED, FROM_LEADS, NO_SURFACE, Beam, follows, section_leads
from .fills import Filled, fill

FILL_WAYS = tuple((a, b) for a in ("time", "distance", "list position") for b in ("nearest", "previous", "next"))
"""How a fill may interpolate, and which of two adjacent sections an end-point fill may copy: the product says neither;
one way must do for a whole file."""
LEADS_CHECK = "section height, from leads"
FILLED_CHECK = "section height, filled or next to a filled one"
EDGE_CHECK = "section height, neighbour outside the subset"
SIGMA_CHECK = "section sigma"


def expected_sections(
    beams: list[Beam], control: Control, *, notes: dict[str, list[str]]
) -> dict[tuple[str, str], np.ndarray]:
    """Return the absolute errors of section heights and errors, by check and beam.

    Heights rebuilt from leads, filled as the stored flags say, then smoothed; errors filled in the same way. A section
    is compared only where all that its value rests on is in the file. What the product does not document
    (:data:`FILL_WAYS`) is chosen once for the whole file, by the smallest largest error, and noted.
    """
    raw = {b.name: (b, *_from_leads(b, control)) for b in beams if b.section_h.size}

    def filled(way: tuple[str, str]) -> dict[str, tuple[Beam, Filled]]:
        return {n: (b, fill(b, control, raw_h=h, raw_sigma=s, way=way)) for n, (b, h, s) in raw.items()}

    heights, way = _best({w: {n: _height_errors(b, control, f) for n, (b, f) in filled(w).items()} for w in FILL_WAYS})
    chosen = filled(way)
    out = {(check, name): v for name, checks in heights.items() for check, v in checks.items()}
    out |= {(SIGMA_CHECK, name): _sigma_errors(beam, found) for name, (beam, found) in chosen.items()}
    if any(v.size for (check, _), v in out.items() if check == FILLED_CHECK):
        notes.setdefault(FILLED_CHECK, []).append(f"fills linear in {way[0]}, end points from the {way[1]} section")
    for name, (beam, found) in chosen.items():
        is_filled = np.isin(beam.section_flag, FILLED)
        n_known = int(np.count_nonzero(is_filled & np.isfinite(found.height)))
        if n_known < np.count_nonzero(is_filled):
            notes.setdefault(FILLED_CHECK, []).append(
                f"{name}: {np.count_nonzero(is_filled) - n_known} filled sections are NOT checked: what they were made"
                " from is not in the file"
            )
        if found.looked_up:
            notes.setdefault(FILLED_CHECK, []).append(
                f"{name}: {found.looked_up} filled sections have a source outside the subset, rebuilt from leads"
            )
    return out


def _best(
    errors: dict[tuple[str, str], dict[str, dict[str, np.ndarray]]],
) -> tuple[dict[str, dict[str, np.ndarray]], tuple[str, str]]:
    """Return the errors of the first way whose largest counted error is not beaten, and that way."""
    worst = {}
    for way, by_beam in errors.items():
        counted = [v for checks in by_beam.values() for check, v in checks.items() if check != EDGE_CHECK and v.size]
        worst[way] = max((float(np.max(np.where(np.isnan(v), np.inf, v))) for v in counted), default=0.0)
    least = min(worst.values())
    best = next(way for way in errors if worst[way] <= least + 1e-6)
    return errors[best], best


def _from_leads(beam: Beam, control: Control) -> tuple[np.ndarray, np.ndarray]:
    """Return the sections' heights and errors from leads alone, NaN where the stored flag says otherwise."""
    first, count = section_leads(beam, half_width_m=control.l / 2.0)
    raw, sigma = sea_surface.combine_leads(beam.lead_h, beam.lead_sigma, first=first, count=count)
    other = beam.section_flag != FROM_LEADS
    raw[other], sigma[other] = np.nan, np.nan
    return raw, sigma


def _height_errors(beam: Beam, control: Control, found: Filled) -> dict[str, np.ndarray]:
    is_filled = np.isin(beam.section_flag, FILLED)
    is_next = follows(beam)
    errors: dict[str, list[float]] = {LEADS_CHECK: [], FILLED_CHECK: [], EDGE_CHECK: []}
    for i in np.flatnonzero(np.isfinite(beam.section_h) & np.isfinite(found.height)).tolist():
        value, rests_on_fill, is_certain = float(found.height[i]), bool(is_filled[i]), bool(found.is_certain[i])
        sides = [_neighbour(beam, control, found, is_next, i, step) for step in (-1, 1)]
        kinds = {kind for kind, _ in sides} if control.refsurf_3pt_smoother else {"missing"}
        if "missing" not in kinds:
            if "unknown" in kinds:
                continue
            value = (sides[0][1] + value + sides[1][1]) / 3.0
            rests_on_fill = bool(is_filled[max(i - 1, 0) : i + 2].any())
            is_certain = is_certain and "outside" not in kinds
        check = FILLED_CHECK if rests_on_fill else LEADS_CHECK
        errors[check if is_certain else EDGE_CHECK].append(abs(value - beam.section_h[i]))
    return {check: np.asarray(v, np.float64) for check, v in errors.items()}


def _sigma_errors(beam: Beam, found: Filled) -> np.ndarray:
    """Return the errors of the sections' errors, which the smoother leaves as they are."""
    use = np.isfinite(beam.section_sigma) & np.isfinite(beam.section_h) & np.isfinite(found.sigma) & found.is_certain
    return np.abs(found.sigma - beam.section_sigma)[use]


def _neighbour(
    beam: Beam, control: Control, found: Filled, is_next: np.ndarray, i: int, step: int
) -> tuple[str, float]:
    """Return what lies beside section i in the granule's list: missing, known, outside (rebuilt from leads, or filled
    from there) or unknown."""
    j = i + step
    if 0 <= j < found.height.size and bool(is_next[max(i, j)]):
        if beam.section_flag[j] == NO_SURFACE:
            return "missing", np.nan
        kind = "known" if found.is_certain[j] else "outside"
        return (kind, float(found.height[j])) if np.isfinite(found.height[j]) else ("unknown", np.nan)
    if step < 0 and beam.section_number[i] == 1:
        return "missing", np.nan
    if (i, step) in found.beyond:
        return "known", found.beyond[i, step]
    if not np.isfinite(beam.section_x[i]) or not np.isfinite(beam.lead_x).all():
        return "unknown", np.nan
    centre = beam.section_x[i] + step * control.l
    half = control.l / 2.0
    inside = np.flatnonzero((beam.lead_x >= centre - half) & (beam.lead_x < centre + half))
    if inside.size == 0:
        return "unknown", np.nan
    h, _ = sea_surface.combine_leads(beam.lead_h, beam.lead_sigma, first=inside[:1], count=np.array([inside.size]))
    return "outside", float(h[0])

"""Recompute NASA's own numbers from an ATL07 or ATL10 granule and say how far off we are.

ATL10: lead heights and errors, section sea surfaces with filling and smoother, the section of each
segment, freeboards and their uncertainties, surface types. ATL07: surface types. Each check says on
how many values it rests; nothing to check is "not checkable" and never a pass.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from ...errors import ProductError
from ...physics import nasa_surface_type, sea_surface, solar
from ...readers import icesat2, icesat2_atl07, icesat2_atl10
from ...schema import counted
from .beams import Beam, freeboard_reference, locate_leads, section_positions
from .sections import EDGE_CHECK, FILLED_CHECK, LEADS_CHECK, SIGMA_CHECK, expected_sections

PASS, FAIL, NOT_CHECKABLE, LISTED = "pass", "fail", "not checkable", "listed"
TOLERANCE_M = 5e-4
TYPE_TOLERANCE = 0.025
"""Share of segments, pooled over a file, whose surface type may differ."""
TYPE_CHECK = "surface type"
LEAD_TYPES = nasa_surface_type.SPECULAR_TYPES + nasa_surface_type.DARK_TYPES
NUMERIC_CHECKS = (
    ("lead position", "m"),
    ("lead height", "m"),
    ("lead sigma", "m"),
    (LEADS_CHECK, "m"),
    (FILLED_CHECK, "m"),
    (EDGE_CHECK, "m"),
    (SIGMA_CHECK, "m"),
    ("section of a segment", "m"),
    ("freeboard", "m"),
    ("freeboard uncertainty", "m"),
)
SUBJECTS = {
    "leads": ("lead position", "lead height", "lead sigma"),
    "section heights": (LEADS_CHECK, FILLED_CHECK, SIGMA_CHECK),
    "freeboard": ("freeboard", "freeboard uncertainty"),
    "surface types": (TYPE_CHECK,),
}
"""What a reader of the last line asks for, and the checks that answer."""
NOTHING = "nothing of it in the file"


@dataclass(frozen=True, kw_only=True)
class Check:
    """One row of the verification.

    Attributes
    ----------
    name : str
    region : str
        ``file``, or a beam with its strength.
    n : int
        Values compared.
    max_error : float
        Largest absolute difference in ``units``; for surface types the share that differs; NaN for n = 0.
    tolerance : float
        NaN where the row is only listed.
    units : str
    status : str
        ``pass``, ``fail``, ``not checkable`` (n = 0), or ``listed`` (reported, no verdict: single
        surface types, beams inside a pooled check).
    note : str
    """

    name: str
    region: str
    n: int
    max_error: float
    tolerance: float
    units: str
    status: str
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Verification:
    """All checks of one granule; ``passed`` if at least one passed and none failed."""

    path: Path
    product: str
    release: str
    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        statuses = {c.status for c in self.checks}
        return PASS in statuses and FAIL not in statuses

    @property
    def exit_code(self) -> int:
        """0 if passed, 1 if a check failed or nothing could be checked."""
        return 0 if self.passed else 1

    @property
    def summary(self) -> str:
        """One sentence for people: what failed or passed, and what could not be checked."""
        failed = list(dict.fromkeys(c.name for c in self.checks if c.status == FAIL))
        passed = list(dict.fromkeys(c.name for c in self.checks if c.status == PASS))
        if failed:
            return f"{counted(sum(c.status == FAIL for c in self.checks), 'check')} failed: {', '.join(failed)}"
        if not passed:
            return "nothing could be checked"
        return "; ".join([f"passed: {', '.join(passed)}", *self.not_checkable])

    @property
    def not_checkable(self) -> list[str]:
        """Phrases for the subjects of which no value could be checked, with the reason."""
        why: dict[str, list[str]] = {}
        for subject, names in SUBJECTS.items():
            checks = [c for c in self.checks if c.name in names and c.region == "file"]
            if checks and not any(c.n for c in checks):
                notes = dict.fromkeys(c.note for c in checks if c.note != NOTHING)
                why.setdefault("; ".join(notes) or NOTHING, []).append(subject)
        return [f"{' and '.join(subjects)} not checkable: {reason}" for reason, subjects in why.items()]


def run(path: Path | str, *, tolerance_m: float = TOLERANCE_M, type_tolerance: float = TYPE_TOLERANCE) -> Verification:
    """Verify one granule.

    Parameters
    ----------
    path : Path or str
        An ATL07 or ATL10 granule, whole or a subset.
    tolerance_m : float
        For heights, errors and freeboards, m.
    type_tolerance : float
        Share of surface types, pooled over the file, that may differ.

    Returns
    -------
    Verification

    Raises
    ------
    ProductError
        If the file is damaged or another product.
    """
    granule = icesat2.open_granule(path)
    if granule.product == icesat2_atl10.PRODUCT:
        checks = _atl10(granule, tolerance_m, type_tolerance)
    elif granule.product == icesat2_atl07.PRODUCT:
        tables = {b: icesat2_atl07.read(path, beam=b) for b in granule.beams}
        checks = _surface_types(granule, tables, type_tolerance)
    else:
        raise ProductError(
            f"{granule.path.name}: holds {granule.product or 'no product that is known here'}; verify expected ATL07 or"
            " ATL10. Give NASA's own sea-ice granule."
        )
    return Verification(path=Path(path), product=granule.product, release=granule.release, checks=tuple(checks))


def totals(results: list[Verification]) -> list[Check]:
    """Return each check over all granules.

    Parameters
    ----------
    results : list of Verification
        One per granule.

    Returns
    -------
    list of Check
        Region: in how many files something of it could be checked. n is the sum, the error the largest (for surface
        types the share of all segments). Failed where one granule failed.
    """
    found: dict[str, list[Check]] = {}
    for result in results:
        for c in result.checks:
            if c.region == "file" and not c.name.startswith(f"{TYPE_CHECK} "):
                found.setdefault(c.name, []).append(c)
    return [_total(checks, len(results)) for checks in found.values()]


def _total(checks: list[Check], n_files: int) -> Check:
    used = [c for c in checks if c.n]
    n = sum(c.n for c in used)
    error = max((c.max_error for c in used), default=float("nan"))
    if used and checks[0].name == TYPE_CHECK:
        error = sum(c.max_error * c.n for c in used) / n
    status = next((s for s in (FAIL, PASS, LISTED) if any(c.status == s for c in used)), NOT_CHECKABLE)
    region = f"{len(used)} of {n_files} files"
    return replace(checks[0], region=region, n=n, max_error=error, status=status, note="")


def _atl10(granule: icesat2.Granule, tolerance_m: float, type_tolerance: float) -> list[Check]:
    path = granule.path
    control = icesat2_atl10.control(path)
    segments, beams = {}, []
    for name in granule.beams:
        segments[name] = icesat2_atl10.read(path, beam=name)
        beams.append(
            Beam.from_tables(
                name,
                segments=segments[name],
                leads=icesat2_atl10.read_leads(path, beam=name),
                sections=icesat2_atl10.read_sections(path, beam=name),
            )
        )
    errors: dict[tuple[str, str], np.ndarray] = {}
    notes: dict[str, list[str]] = {}
    for beam in beams:
        for name, values in _lead_errors(beam, notes).items():
            errors[name, beam.name] = values
        for name, values in _freeboard_errors(beam, granule.release, control, notes).items():
            errors[name, beam.name] = values
    errors |= expected_sections(beams, control, notes=notes)
    checks = []
    for name, units in NUMERIC_CHECKS:
        per_beam = {b.name: errors.get((name, b.name), np.empty(0)) for b in beams}
        limit = 1.0 if name == "section of a segment" else 0.01 if name == "lead position" else tolerance_m
        pooled = np.concatenate(list(per_beam.values())) if per_beam else np.empty(0)
        if name == EDGE_CHECK and pooled.size:
            kept = pooled <= limit
            lost = int((~kept).sum())
            if lost:
                notes.setdefault(name, []).append(
                    f"{lost} of {pooled.size} differ and are not counted: whether the section outside was screened or"
                    " filled cannot be known"
                )
            per_beam = {k: v[v <= limit] for k, v in per_beam.items()}
            pooled = pooled[kept]
        row = _numeric(name, "file", pooled, limit, units, "; ".join(dict.fromkeys(notes.get(name, ()))))
        # What lies beyond the limit was left out above: such a row can never fail, so it is no pass either.
        checks.append(replace(row, status=LISTED) if name == EDGE_CHECK and row.status == PASS else row)
        for b in beams:
            values = per_beam[b.name]
            if values.size:
                row = _numeric(name, _region(granule, b.name), values, limit, units)
                checks.append(replace(row, status=LISTED if row.status == PASS else row.status))
    return checks + _surface_types(granule, segments, type_tolerance)


def _numeric(name: str, region: str, errors: np.ndarray, tolerance: float, units: str, note: str = "") -> Check:
    if errors.size == 0:
        return Check(
            name=name,
            region=region,
            n=0,
            max_error=float("nan"),
            tolerance=tolerance,
            units=units,
            status=NOT_CHECKABLE,
            note=note or NOTHING,
        )
    worst = float(np.max(np.where(np.isnan(errors), np.inf, errors)))
    return Check(
        name=name,
        region=region,
        n=int(errors.size),
        max_error=worst,
        tolerance=tolerance,
        units=units,
        status=PASS if worst <= tolerance else FAIL,
        note=note,
    )


def _region(granule: icesat2.Granule, beam: str) -> str:
    return f"{beam} {icesat2.strength_name(granule.beams[beam])}"


def _lead_errors(beam: Beam, notes: dict[str, list[str]]) -> dict[str, np.ndarray]:
    """Return the errors of the leads whose segments are in the file."""
    place, position_error = locate_leads(beam)
    rows = np.flatnonzero((place >= 0) & np.isfinite(beam.lead_h) & np.isfinite(beam.lead_sigma))
    if beam.x.size:
        inside = (beam.lead_x >= np.nanmin(beam.x)) & (beam.lead_x <= np.nanmax(beam.x))
        lost = int(np.count_nonzero(inside)) - int(np.count_nonzero(inside & (place >= 0)))
        if lost:
            notes.setdefault("lead height", []).append(
                f"{beam.name}: {counted(lost, 'lead')} within its extent could not be placed on segments: NOT checked"
            )
    if rows.size == 0:
        return {}
    first, count = place[rows], beam.lead_n[rows]
    h, s = sea_surface.lead_heights(beam.height, beam.sigma, first=first, count=count)
    run_first, run_count = sea_surface.lead_runs(beam.is_sea_surface)
    runs = set(zip(run_first.tolist(), run_count.tolist(), strict=True))
    whole = sum((int(a), int(n)) in runs for a, n in zip(first, count, strict=True))
    notes.setdefault("lead height", []).append(
        f"{beam.name}: whole runs of flagged segments make {whole} of {counted(rows.size, 'lead')}"
    )
    return {
        "lead position": position_error[rows],
        "lead height": np.abs(h - beam.lead_h[rows]),
        "lead sigma": np.abs(s - beam.lead_sigma[rows]),
    }


def _freeboard_errors(
    beam: Beam, release: str, control: icesat2_atl10.Control, notes: dict[str, list[str]]
) -> dict[str, np.ndarray]:
    """Return the errors of the segment-to-section index, the freeboards and their uncertainties."""
    out: dict[str, np.ndarray] = {}
    index = section_positions(beam)
    known = index >= 0
    if known.any() and np.isfinite(beam.section_x).all():
        nearest = sea_surface.nearest_section(beam.x, beam.section_x)
        stored = np.abs(beam.x - beam.section_x[np.maximum(index, 0)])
        out["section of a segment"] = (stored - np.abs(beam.x - beam.section_x[nearest]))[known]
    outside = int((~known).sum())
    if outside:
        notes.setdefault("section of a segment", []).append(
            f"{beam.name}: {counted(outside, 'segment')} of sections outside the subset"
        )
    h_ref, sigma_ref, how = freeboard_reference(beam, index, release=release)
    if how:
        notes.setdefault("freeboard", []).append(how)
    value, uncertainty = sea_surface.freeboard(beam.height, beam.sigma, h_ref=h_ref, sigma_ref=sigma_ref)
    has_value = np.isfinite(beam.freeboard)
    use = has_value & np.isfinite(value)
    out["freeboard"] = np.abs(value - beam.freeboard)[use]
    use = np.isfinite(beam.freeboard_unc) & has_value & np.isfinite(uncertainty)
    out["freeboard uncertainty"] = np.abs(uncertainty - beam.freeboard_unc)[use]
    if not has_value.any():
        notes.setdefault("freeboard", []).append("the file holds no freeboard")
    alone = int((has_value & ~np.isfinite(value)).sum())
    if alone:
        notes.setdefault("freeboard", []).append(
            f"{beam.name}: {counted(alone, 'freeboard')} of sections outside the subset"
        )
    return out


def _surface_types(granule: icesat2.Granule, tables: dict[str, pa.Table], tolerance: float) -> list[Check]:
    ours, theirs, regions, n_nan = [], [], [], 0
    for name, table in tables.items():
        column = {
            c: table[c].to_numpy()
            for c in ("photon_rate", "height_segment_w_gaussian", "background_r_norm", "height_segment_type")
        }
        sun = (
            table["solar_elevation"].to_numpy()
            if "solar_elevation" in table.column_names
            else np.full(table.num_rows, np.nan)
        )
        computed = solar.solar_elevation(
            table["time"].to_numpy().astype("datetime64[ns]"),
            latitude=table["latitude"].to_numpy(),
            longitude=table["longitude"].to_numpy(),
        )
        sun = np.where(np.isfinite(sun), sun, computed)
        is_day = sun > nasa_surface_type.Thresholds().solar_elevation_deg
        use = np.isfinite(column["photon_rate"]) & (column["height_segment_type"] >= 0)
        use &= np.isfinite(sun) & (~is_day | np.isfinite(column["background_r_norm"]))
        use &= np.isfinite(column["height_segment_w_gaussian"]).any()
        beam = granule.beams[name]
        found = nasa_surface_type.surface_type(
            column["photon_rate"],
            column["height_segment_w_gaussian"],
            background_norm=column["background_r_norm"],
            solar_elevation=sun,
            spot=beam.spot,
            is_strong=beam.is_strong,
        )
        n_nan += int((~use).sum())
        ours.append(found[use])
        theirs.append(column["height_segment_type"][use])
        regions.append(np.full(int(use.sum()), icesat2.strength_name(beam)))
    mine, nasa, region = (np.concatenate(a) if a else np.empty(0) for a in (ours, theirs, regions))
    note = f"{counted(n_nan, 'segment')} without a photon rate (or width, sun, type) left out" if n_nan else ""
    differ = mine != nasa
    name = TYPE_CHECK
    if nasa.size == 0:
        return [
            Check(
                name=name,
                region="file",
                n=0,
                max_error=float("nan"),
                tolerance=tolerance,
                units="1",
                status=NOT_CHECKABLE,
                note=note or "no segment with a photon rate",
            )
        ]
    share = float(differ.mean())
    checks = [
        Check(
            name=name,
            region="file",
            n=int(nasa.size),
            max_error=share,
            tolerance=tolerance,
            units="1",
            status=PASS if share <= tolerance else FAIL,
            note="; ".join(filter(None, [f"{100 * (1 - share):.2f} % agree", note])),
        )
    ]
    for word in ("strong", "weak"):
        use = region == word
        if use.any():
            part = float(differ[use].mean())
            checks.append(
                Check(
                    name=name,
                    region=word,
                    n=int(use.sum()),
                    max_error=part,
                    tolerance=float("nan"),
                    units="1",
                    status=LISTED,
                    note=f"{100 * (1 - part):.2f} % agree",
                )
            )
    for value in (nasa_surface_type.CLOUD, nasa_surface_type.OTHER, *LEAD_TYPES):
        use, claimed = nasa == value, mine == value
        label = f"{TYPE_CHECK} {value} ({nasa_surface_type.TYPE_NAMES[value]})"
        if not use.any() and not claimed.any():
            checks.append(
                Check(
                    name=label,
                    region="file",
                    n=0,
                    max_error=float("nan"),
                    tolerance=float("nan"),
                    units="1",
                    status=NOT_CHECKABLE,
                    note="none in the file",
                )
            )
            continue
        both = int((use & claimed).sum())
        text = f"{both} of NASA's {int(use.sum())} found, {int(claimed.sum())} claimed"
        wrong = 1.0 - both / int(use.sum()) if use.any() else float("nan")
        status = LISTED if use.any() else NOT_CHECKABLE
        checks.append(
            Check(
                name=label,
                region="file",
                n=int(use.sum()),
                max_error=wrong,
                tolerance=float("nan"),
                units="1",
                status=status,
                note=text,
            )
        )
    return checks

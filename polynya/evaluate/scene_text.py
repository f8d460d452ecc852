"""An evaluation of a scene as text for a terminal."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

SCORES = ("iou", "f1", "precision", "recall", "area_deviation", "false_alarm_rate")
SINGLE = (
    "area_ellipsoid",
    "area_ellipsoid_of_reference",
    "area_map",
    "area_map_of_reference",
    "polis",
    "mean_distance_to_reference",
    "mean_distance_from_reference",
    "median_distance",
    "p95_distance",
    "boundary_f1_1px",
    "boundary_f1_2px",
    "calibration_error",
    "brier_score",
    "brier_skill",
    "share_without_prediction",
)


def summary(table: pa.Table) -> str:
    """Return an evaluation of a scene as text: scores beside those of the rules, by stratum, then areas, distances,
    calibration.

    Parameters
    ----------
    table : pyarrow.Table
        Of :data:`polynya.evaluate.scene_rows.SCENE_EVALUATION`.
    """
    rows = table.to_pylist()
    found = {(r["prediction"], r["stratum"], r["metric"]): r for r in rows}
    about = table.schema.metadata or {}
    lines = [
        (
            f"{about.get(b'result', b'the result').decode()} against {rows[0]['reference'] if rows else 'nothing'},"
            f" region {rows[0]['region'] if rows else '-'}"
        ),
        "",
    ]
    columns = [c for c in SCORES if any(k[2] == c for k in found)]
    lines.append(f"{'map':<14}{'stratum':<20}" + "".join(f"{c.replace('_', ' '):>24}" for c in columns) + f"{'n':>12}")
    for prediction, stratum in dict.fromkeys((r["prediction"], r["stratum"]) for r in rows if r["metric"] in SCORES):
        cells = [found.get((prediction, stratum, c)) for c in columns]
        n = max((c["n"] for c in cells if c), default=0)
        lines.append(
            f"{prediction.replace('_', ' '):<14}{stratum.replace('_', ' '):<20}"
            + "".join(f"{_cell(c):>24}" for c in cells)
            + f"{n:>12,}"
        )
    lines.append("")
    for metric in SINGLE:
        row = found.get(("given", "all", metric))
        if row is not None:
            unit = "" if row["units"] == "1" else f" {row['units']}"
            lines.append(f"{metric.replace('_', ' '):<34}{_cell(row)}{unit}, n {row['n']:,}")
    if any(p == "dem_only" for p, _, _ in found):
        lines.append("DEM only: fitted on the west half and applied to the east half, and vice versa")
    return "\n".join(lines)


def _cell(row: dict | None) -> str:
    if row is None or not row["n"] or not np.isfinite(row["value"]):
        return "-"
    digits = 3 if abs(row["value"]) < 100 else 1
    value = f"{row['value']:.{digits}f}"
    return f"{value} [{row['low']:.{digits}f}, {row['high']:.{digits}f}]" if np.isfinite(row["low"]) else value

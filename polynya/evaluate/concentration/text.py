"""An evaluation of a map of concentration as text for a terminal."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

VALUES = ("r2", "rmse", "mae", "bias")
STRATA = {
    "all": "everywhere",
    "miz": "15-80 %",
    "5_km_means": "5 km means",
    "5_km_means_miz": "5 km, 15-80 %",
}
SINGLE = (
    "ice_edge_distance_median",
    "ice_edge_distance_mean",
    "ice_edge_distance_p95",
    "integrated_ice_edge_error",
    "coverage_1sigma",
    "coverage_2sigma",
    "share_in_68_percent_interval",
    "share_in_95_percent_interval",
    "share_without_prediction",
)


def summary(table: pa.Table) -> str:
    """Return an evaluation as text: scores by stratum beside those of the reference's mean, ice and water, the ice
    edge, the calibration of the uncertainty, AutoICE.

    Parameters
    ----------
    table : pyarrow.Table
        Of :data:`polynya.evaluate.scene_rows.SCENE_EVALUATION`.
    """
    rows = table.to_pylist()
    about = table.schema.metadata or {}
    found = {(r["prediction"], r["stratum"], r["metric"], r["class"]): r for r in rows}
    by_metric = {(p, s, m): r for (p, s, m, _), r in found.items()}
    result = about.get(b"result", b"the map").decode()
    lines = [f"{result} against {rows[0]['reference'] if rows else 'nothing'}; percent, 95 % intervals in brackets", ""]
    lines += _values(by_metric)
    lines += _ice(found)
    for metric in SINGLE:
        for stratum, words in STRATA.items():
            row = by_metric.get(("given", stratum, metric))
            if row is not None and row["n"]:
                unit = "" if row["units"] == "1" else f" {row['units'].replace('km2', 'km²')}"
                where = "" if stratum == "all" else f" ({words})"
                lines.append(f"{metric.replace('_', ' ') + where:<44}{_cell(row)}{unit}, n {row['n']:,}")
    bins = [r for r in rows if r["metric"] == "rms_error_over_sigma"]
    if bins:
        lines += ["", "rms error over sigma, in bins of sigma (1 where sigma is right)"]
        lines += [f"  {r['class']:<30}{_cell(r)}, n {r['n']:,}" for r in bins]
    scores = [r for r in rows if r["metric"].startswith("autoice_")]
    if scores:
        words = ", ".join(f"{r['metric'].removeprefix('autoice_')} {r['value']:.3f}" for r in scores)
        lines += ["", f"AutoICE {words} %"]
    return "\n".join(lines)


def _values(found: dict[tuple[str, str, str], dict]) -> list[str]:
    if not any(m in VALUES for _, _, m in found):
        return []
    lines = [f"{'map':<20}{'where':<14}" + "".join(f"{m:>24}" for m in VALUES) + f"{'n':>14}"]
    for prediction in dict.fromkeys(p for p, _, m in found if m in VALUES):
        for stratum, words in STRATA.items():
            cells = [found.get((prediction, stratum, m)) for m in VALUES]
            if not any(cells):
                continue
            n = max((c["n"] for c in cells if c), default=0)
            lines.append(
                f"{prediction.replace('_', ' '):<20}{words:<14}"
                + "".join(f"{_cell(c):>24}" for c in cells)
                + f"{n:>14,}"
            )
    return [*lines, ""]


def _ice(found: dict[tuple[str, str, str, str], dict]) -> list[str]:
    lines = []
    for prediction, stratum in (("given", "all"), ("given", "5_km_means"), ("mean_of_reference", "all")):
        parts = []
        for metric, name, words in (
            ("accuracy_at_15_percent", "ice and water", "right"),
            ("recall", "ice", "ice found"),
            ("recall", "water", "water found"),
        ):
            row = found.get((prediction, stratum, metric, name))
            if row is not None:
                parts.append(f"{words} {_cell(row)}")
        if parts:
            where = "" if stratum == "all" else f" ({STRATA[stratum]})"
            lines.append(f"ice and water at 15 %, {prediction.replace('_', ' ')}{where}: {', '.join(parts)}")
    return [*lines, ""] if lines else []


def _cell(row: dict | None) -> str:
    if row is None or not row["n"] or not np.isfinite(row["value"]):
        return "-"
    digits = 3 if abs(row["value"]) < 100 else 1
    value = f"{row['value']:.{digits}f}"
    return f"{value} [{row['low']:.{digits}f}, {row['high']:.{digits}f}]" if np.isfinite(row["low"]) else value

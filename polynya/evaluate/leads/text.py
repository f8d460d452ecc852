"""An evaluation of leads as text for a terminal."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

MAIN = ("precision", "recall", "f1", "pr_auc", "false_lead_rate", "accuracy", "coverage")
SINGLE = {
    "calibration_error": "calibration error of the probability",
    "distance_error_median": "distance error within 3 km, median",
    "distance_error_mean": "distance error within 3 km, mean",
    "share_in_68_percent_interval": "distances within their 68 % interval",
    "agreement_all_classes": "same class, unknown counted",
    "agreement_where_both_decide": "same class where both decide",
    "unknown_share_of_reference": "unknown in the reference",
    "share_without_reference": "echoes without a label",
}
WIDE = 22


def summary(table: pa.Table) -> str:
    """Return an evaluation as text: what the reference is worth, scores beside those of the rules, by stratum.

    Parameters
    ----------
    table : pyarrow.Table
        Of :data:`polynya.evaluate.scene_rows.SCENE_EVALUATION`.
    """
    rows = table.to_pylist()
    about = {k.decode(): v.decode() for k, v in (table.schema.metadata or {}).items()}
    found = {(r["stratum"], r["prediction"], r["metric"]): r for r in rows}
    reference = rows[0]["reference"] if rows else "nothing"
    lines = [f"{about.get('result', 'leads')} against {reference}; class lead, 95 % intervals over passes in brackets"]
    lines += [f"NOTE: {about[k]}" for k in ("remark", "simulated", "threshold", "left_out") if about.get(k)]
    passes = found.get(("all", "given", "passes"))
    if passes is not None and passes["value"] < 2:
        lines.append("NOTE: one pass has no interval: echoes of a pass are not independent.")
    lines += ["", f"{'stratum':<28}{'by':<16}" + "".join(f"{m.replace('_', ' '):>{WIDE}}" for m in MAIN) + f"{'n':>10}"]
    for stratum in dict.fromkeys(r["stratum"] for r in rows):
        for prediction in dict.fromkeys(r["prediction"] for r in rows if r["stratum"] == stratum):
            cells = [found.get((stratum, prediction, m)) for m in MAIN]
            is_part = stratum.startswith(("T ", "bright")) and prediction not in ("given", "rule")
            if any(cells) and not is_part:
                n = max(c["n"] for c in cells if c)
                words = "".join(f"{_cell(c):>{WIDE}}" for c in cells)
                lines.append(f"{stratum:<28}{prediction.replace('_', ' '):<16}{words}{n:>10,}")
    lines.append("")
    for (stratum, prediction, metric), row in found.items():
        if metric in SINGLE and stratum == "all" and row["n"]:
            by = "" if prediction == "given" else f" ({prediction})"
            unit = "" if row["units"] == "1" else f" {row['units']}"
            lines.append(f"{SINGLE[metric] + by:<46}{_cell(row)}{unit}, n {row['n']:,}")
    return "\n".join(lines)


def _cell(row: dict | None) -> str:
    if row is None or not row["n"] or not np.isfinite(row["value"]):
        return "-"
    digits = 3 if abs(row["value"]) < 100 else 0
    value = f"{row['value']:.{digits}f}"
    return f"{value} [{row['low']:.{digits}f}, {row['high']:.{digits}f}]" if np.isfinite(row["low"]) else value

"""An evaluation of tags as text for a terminal."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from ...schema.imagettes import PHENOMENA
from .rows import DOMINANT, EVERY, GIVEN

WORDS = {
    "macro_f1": "macro F1",
    "micro_auroc": "micro AUROC",
    "macro_auroc": "macro AUROC",
    "exact_match": "exact match",
    "hamming": "Hamming loss",
    "top_label_ece": "calibration error, top tag",
    "mean_tag_ece": "calibration error, mean of tags",
    "top_or_none_accuracy": "accuracy of top tag or none",
    "accuracy_at_70_percent": "the same at 70 % coverage",
    "coverage_at_95_percent": "coverage at 95 % accuracy",
    "untagged_with_a_tag": "untagged images with a tag",
    "macro_f1_all": "macro F1, invisible tags too",
    "accuracy": "accuracy of the top tag",
}
COLUMNS = ("f1", "precision", "recall", "auroc", "ece")
SHORT = {name: short for short, name in PHENOMENA}


def summary(table: pa.Table) -> str:
    """Return an evaluation as text: what the reference is worth, scores beside those of constant answers, by tag.

    Parameters
    ----------
    table : pyarrow.Table
        Of :data:`polynya.evaluate.scene_rows.SCENE_EVALUATION`.
    """
    rows = table.to_pylist()
    about = {k.decode(): v.decode() for k, v in (table.schema.metadata or {}).items()}
    found = {(r["stratum"], r["class"], r["prediction"], r["metric"]): r for r in rows}
    n, passes, aside = (found["all", EVERY, GIVEN, m]["value"] for m in ("imagettes", "passes", "not_assessed"))
    lines = [
        f"{about.get('result', 'tags')} against {rows[0]['reference']}: {n:,.0f} imagettes of {passes:,.0f} passes;"
        " 95 % intervals over passes in brackets"
    ]
    lines += [f"NOTE: {about[k]}" for k in ("simulated", "matched", "left_out", "remark") if about.get(k)]
    if aside:
        lines.append(f"NOTE: {100 * aside:.1f} % of the imagettes were not assessed: their tags count as missed.")
    stratum = DOMINANT if any(r["stratum"] == DOMINANT for r in rows) else "all"
    by = list(dict.fromkeys(r["prediction"] for r in rows if r["metric"] == "macro_f1"))
    lines += ["", f"{'':<34}" + "".join(f"{p:>24}" for p in by)]
    for metric, words in WORDS.items():
        cells = [found.get((stratum, EVERY, p, metric)) for p in by]
        if any(cells):
            lines.append(f"{words:<34}" + "".join(f"{_cell(c):>24}" for c in cells))
    lines += ["", f"{'by tag':<26}" + "".join(f"{c:>22}" for c in COLUMNS) + f"{'n':>8}"]
    for tag in SHORT:
        cells = [found.get((stratum, tag, GIVEN, c)) for c in COLUMNS]
        if any(cells):
            count = max(c["n"] for c in cells if c)
            lines.append(f"{tag.replace('_', ' '):<26}" + "".join(f"{_cell(c):>22}" for c in cells) + f"{count:>8,}")
    return "\n".join(lines + _confusion(found))


def _confusion(found: dict) -> list[str]:
    """Return the confusion of single-label data: rows are classes of the reference."""
    called = [*SHORT, "not_assessed"]
    if not any(m == "called_not_assessed" for _, _, _, m in found):
        return []
    lines = ["", f"{'reference, called':<26}" + "".join(f"{SHORT.get(c, 'none'):>7}" for c in called)]
    for tag in SHORT:
        cells = [found.get((DOMINANT, tag, GIVEN, f"called_{c}")) for c in called]
        if any(cells):
            lines.append(f"{tag.replace('_', ' '):<26}" + "".join(f"{c['value']:>7.0f}" for c in cells if c))
    return lines


def _cell(row: dict | None) -> str:
    if row is None or row["value"] is None or not np.isfinite(row["value"]):
        return "-"
    value = f"{row['value']:.3f}"
    has = row["low"] is not None and np.isfinite(row["low"])
    return f"{value} [{row['low']:.3f}, {row['high']:.3f}]" if has else value

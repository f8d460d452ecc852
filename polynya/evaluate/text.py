"""An evaluation table as text for a terminal."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from .rows import NAMES, STRENGTHS

CLASS_COLUMNS = (
    "precision",
    "recall",
    "f1",
    "iou",
    "share_of_reference",
    "share_observed",
    "calibration_error",
    "brier_skill",
)
SINGLE_ROWS = (
    "macro_f1",
    "accuracy",
    "accuracy_of_majority_class",
    "share_unclassified",
    "share_matched",
    "share_with_sea_surface",
    "share_called_water",
    "lead_observed",
    "lead_recall",
    "lead_precision",
    "lead_precision_half_water",
)
DIFFERENCE_COLUMNS = (
    "bias",
    "rmse",
    "median_absolute_difference",
    "coverage_1sigma",
    "coverage_2sigma",
    "median_sigma",
)


def summary(table: pa.Table) -> str:
    """Return an evaluation table as text for a terminal.

    Classes, single scores with their intervals, differences, and the confusion matrix; what has no sample
    is named in the last lines and not spread over the page. The whole table holds every interval and n.

    Parameters
    ----------
    table : pyarrow.Table
        Of :data:`polynya.schema.EVALUATION`.

    Returns
    -------
    str
    """
    found = {(r["metric"], r["class"], r["region"], r["reference"]): r for r in table.to_pylist()}
    regions_here = [r for r in STRENGTHS if any(k[2] == r and v["n"] for k, v in found.items())]
    about = (table.schema.metadata or {}).get(b"reference", b"the reference").decode()
    lines = [f"against {about}"]
    empty: list[str] = []
    for reference in dict.fromkeys(k[3] for k in found):
        mine = {k[:3]: v for k, v in found.items() if k[3] == reference}
        blocks = [
            _class_lines(mine, regions_here),
            _single_lines(mine, regions_here),
            _difference_lines(mine, regions_here),
            _confusion_lines(mine, regions_here),
        ]
        blocks = [b for b in blocks if b]
        if blocks:
            lines += ["", f"== {reference}"]
            for block in blocks:
                lines += [*block, ""]
            lines.pop()
        empty += [
            f"{m.replace('_', ' ')} of {c}"
            for (m, c, r), v in mine.items()
            if r == "all" and not v["n"] and (m == "recall" or m.endswith(("_bias", "_recall")))
        ]
    absent = [r for r in STRENGTHS if r not in regions_here]
    if absent:
        lines += ["", f"no sample at all: {', '.join(absent)}"]
    if empty:
        lines += ["", "no sample (n = 0): " + "; ".join(dict.fromkeys(empty))]
    return "\n".join(lines)


def _number(row: dict | None) -> str:
    return "-" if row is None or not row["n"] or not np.isfinite(row["value"]) else f"{row['value']:.3f}"


def _interval(row: dict) -> str:
    return f"{_number(row)} [{row['low']:.3f}, {row['high']:.3f}]" if np.isfinite(row["low"]) else _number(row)


def _class_lines(mine: dict, regions_here: list[str]) -> list[str]:
    columns = [c for c in CLASS_COLUMNS if any(k[0] == c for k in mine)]
    names = [n for n in dict.fromkeys(k[1] for k in mine if k[0] == "recall")]
    if not names:
        return []
    lines = [
        f"{'class':<15}{'beams':<8}"
        + "".join(
            f"{c.replace('_', ' ').replace('of reference', 'in ref.').replace('calibration error', 'cal. error'):>15}"
            for c in columns
        )
        + f"{'n':>10}"
    ]
    for name in names:
        for region in regions_here:
            cells = [mine.get((c, name, region)) for c in columns]
            n = mine[("recall", name, region)]["n"]
            lines.append(f"{name:<15}{region:<8}" + "".join(f"{_number(c):>15}" for c in cells) + f"{n:>10}")
    return lines


def _single_lines(mine: dict, regions_here: list[str]) -> list[str]:
    lines = []
    for metric in SINGLE_ROWS:
        for name in dict.fromkeys(k[1] for k in mine if k[0] == metric):
            cells = [mine.get((metric, name, r)) for r in regions_here]
            if not any(c and c["n"] for c in cells):
                continue
            label = metric.replace("_", " ") + ("" if name == "all" else f", {name}")
            lines.append(
                f"{label:<46}"
                + "".join(
                    f"{r} {_interval(c)} n {c['n']}   " for r, c in zip(regions_here, cells, strict=True) if c
                ).rstrip()
            )
    return lines


def _difference_lines(mine: dict, regions_here: list[str]) -> list[str]:
    quantities = dict.fromkeys(k[0].removesuffix("_bias") for k in mine if k[0].endswith("_bias"))
    lines = []
    for quantity in quantities:
        for name in dict.fromkeys(k[1] for k in mine if k[0] == f"{quantity}_bias"):
            for region in regions_here:
                row = mine.get((f"{quantity}_bias", name, region))
                if row is None or not row["n"]:
                    continue
                cells = [mine.get((f"{quantity}_{c}", name, region)) for c in DIFFERENCE_COLUMNS[1:]]
                lines.append(
                    f"{quantity:<22}{name:<15}{region:<8}{_interval(row):>24}"
                    + "".join(f"{_number(c):>12}" for c in cells)
                    + f"{row['n']:>10}"
                )
    columns = ("RMSE", "median |d|", "in 1 sd", "in 2 sd", "median sd")
    head = f"{'difference, m':<22}{'of':<15}{'beams':<8}{'bias':>24}"
    head += "".join(f"{c:>12}" for c in columns) + f"{'n':>10}"
    return [head, *lines] if lines else []


def _confusion_lines(mine: dict, regions_here: list[str]) -> list[str]:
    if not any(k[0] == "confusion" for k in mine):
        return []
    lines = [f"{'true class':<15}{'beams':<8}" + "".join(f"{c:>14}" for c in (*NAMES, "unclassified")) + f"{'n':>10}"]
    for name in NAMES:
        for region in regions_here:
            cells = [mine[("confusion", f"{name}>{other}", region)] for other in (*NAMES, "unclassified")]
            lines.append(
                f"{name:<15}{region:<8}" + "".join(f"{_number(c):>14}" for c in cells) + f"{cells[0]['n']:>10}"
            )
    return lines


FOOTPRINT, NEAREST, EXTENTS = "truth: footprint mean", "{}: nearest segment", "{}: segment extents"
_ERRORS = (("bias", "bias"), ("RMSE", "rmse"))
BRIEF_TRUTH = (
    *((f"recall of {c.replace('_', ' ')}", "recall", c, "truth") for c in NAMES),
    *((f"sea surface, {label} (m)", f"sea_surface_{m}", "all", "truth") for label, m in _ERRORS),
    *((f"freeboard, {label} (m)", f"freeboard_{m}", "all", FOOTPRINT) for label, m in _ERRORS),
    *((f"truth inside {k} sigma", f"freeboard_coverage_{k}sigma", "all", FOOTPRINT) for k in (1, 2)),
    ("median sigma (m)", "freeboard_median_sigma", "all", FOOTPRINT),
)
"""The handful of numbers against the truth of a simulation: label, metric, class and what it was compared with."""
BRIEF_PRODUCT = (
    *((f"{m} of specular leads", m, "specular_lead", NEAREST) for m in ("recall", "precision")),
    ("recall of ice", "recall", "ice", NEAREST),
    ("height of ice, bias (m)", "height_bias", "ice", EXTENTS),
    ("height of specular leads, bias (m)", "height_bias", "specular_lead", EXTENTS),
    ("sea surface sections, bias (m)", "section_height_bias", "all", "{}"),
    *((f"freeboard, {label} (m)", f"freeboard_{m}", "all", EXTENTS) for label, m in _ERRORS),
)
"""The same against NASA's segments; ``{}`` is the product."""


def brief(table: pa.Table) -> str:
    """Return the handful of numbers that say whether a result is good, a column per beam strength.

    Parameters
    ----------
    table : pyarrow.Table
        Of :data:`polynya.schema.EVALUATION`.

    Returns
    -------
    str
        The classes that the macro-F1 averages are named: one that does not occur in the reference has no F1. "-"
        where nothing could be compared.
    """
    found = {(r["metric"], r["class"], r["region"], r["reference"]): r for r in table.to_pylist()}
    about = (table.schema.metadata or {}).get(b"reference", b"the reference").decode()
    is_truth = any(k[3] == "truth" for k in found)
    of_classes = "truth" if is_truth else f"{about}: nearest segment"
    names = [n for n in dict.fromkeys(k[1] for k in found if k[0] == "recall" and k[3] == of_classes)]
    if is_truth:
        names = [n for n in names if n in NAMES]

    def occurring(region: str) -> list[str]:
        rows = [found.get(("recall", n, region, of_classes)) for n in names]
        return [n.replace("_", " ") for n, row in zip(names, rows, strict=True) if row and row["n"]]

    regions = ("strong", "weak")
    present = [occurring(r) for r in regions]
    every = [n.replace("_", " ") for n in names]
    lines = [f"{f'against {about}':<58}{'strong':>10}{'weak':>10}"]

    def line(label: str, cells: list[str]) -> None:
        lines.append(f"{label:<58}" + "".join(f"{c:>10}" for c in cells))

    macro = [found.get(("macro_f1", "all", r, of_classes)) for r in regions]
    line("segments of known class", [f"{row['n']:,}" if row else "-" for row in macro])
    line("macro-F1 of the classes that occur", [_number(row) for row in macro])
    line("  classes that occur", [f"{len(p)} of {len(every)}" for p in present])
    for label, metric, cls, reference in BRIEF_TRUTH if is_truth else BRIEF_PRODUCT:
        rows = [found.get((metric, cls, r, reference.format(about))) for r in regions]
        if is_truth or any(r and r["n"] for r in rows):
            line(label, [_number(row) for row in rows])
    for region, here in zip(regions, present, strict=True):
        absent = [n for n in every if n not in here]
        if here and absent:
            lines.append(
                f"No {' and no '.join(absent)} in the reference on {region} beams: the macro-F1 leaves it out."
            )
    if is_truth:
        lines.append(
            "Freeboard is compared with the mean over the footprint. Simulated numbers are not skill on real data."
        )
    else:
        lines.append(f"Ours minus {about}'s. Our thin ice counts as ice: {about} has none.")
    lines.append("The whole table: the same command without --brief.")
    return "\n".join(lines)

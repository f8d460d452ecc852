"""What a run of ``polynya glaciers`` wrote and found, for machines and for people."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from ... import io
from ...glaciers import agreement
from ...scenes import quality as scene_quality
from ...schema import Estimate
from .rasters import Unseen


@dataclass(frozen=True, kw_only=True)
class Outputs:
    """What a run wrote and found.

    Attributes
    ----------
    folder : Path or Address
        That was written.
    files : dict of str to Path or Address
    scene : str
    quality : scene_quality.Quality
    warnings : tuple of str
        Of the quality gate, each cause once.
    n_outlines : int
    total : Estimate
        km² with its interval.
    strata : tuple of agreement.Stratum
        Parts of the map by colour.
    notes : tuple of str
    seconds : float
    unseen : Unseen
        Ground that the image does not show.
    cover : str
        Clean and debris-covered ice, in words; empty where it is not known.
    scores : str
        IoU and area against the reference, in words; empty without one.
    """

    folder: io.Place
    files: dict[str, io.Place]
    scene: str
    quality: scene_quality.Quality
    warnings: tuple[str, ...]
    n_outlines: int
    total: Estimate
    strata: tuple[agreement.Stratum, ...]
    notes: tuple[str, ...]
    seconds: float
    unseen: Unseen
    cover: str = ""
    scores: str = ""


def as_json(result: Outputs) -> dict[str, object]:
    """Return a run as plain data.

    Parameters
    ----------
    result : Outputs
        Of a run.
    """
    return io.plain(
        {
            "scene": result.scene,
            "outlines": result.n_outlines,
            "area_km2": result.total.value,
            "area_low_km2": result.total.low,
            "area_high_km2": result.total.high,
            "not_seen_km2": result.unseen.area_km2,
            "not_seen_ice_km2": result.unseen.ice_km2,
            "by_colour": {
                s.name: {"area_km2": s.area_km2, "shaded": s.shaded, "cloudy": s.cloudy} for s in result.strata
            },
            "notes": list(result.notes),
            "quality": result.quality.as_json(),
            "outputs": {k: str(v) for k, v in result.files.items()},
            "seconds": round(result.seconds, 2),
        }
    )


def total_text(total: Estimate, n: int) -> str:
    """Return the mapped area with its interval, in words.

    Parameters
    ----------
    total : Estimate
        km².
    n : int
        Number of outlines.
    """
    interval = f" (95 % interval {total.low:.3f} to {total.high:.3f})" if np.isfinite(total.low) else ""
    return f"{total.value:.3f} km2 of ice in {n} outline{'' if n == 1 else 's'}{interval}"


def scores_text(table: pa.Table, reference: str) -> str:
    """Return IoU and area deviation over all ground of the map and of maps that need no network, in words.

    Parameters
    ----------
    table : pyarrow.Table
        Of :data:`polynya.evaluate.scene_rows.SCENE_EVALUATION`.
    reference : str
        Name of the reference.
    """
    rows = [
        r
        for r in table.to_pylist()
        if r["stratum"] == "all" and r["metric"] in ("iou", "area_deviation") and np.isfinite(r["value"])
    ]
    found = {(r["prediction"], r["metric"]): r["value"] for r in rows}
    words = [
        f"{'this map' if name == 'given' else name.replace('_', ' ')} {found[name, 'iou']:.3f} (area"
        f" {100 * found.get((name, 'area_deviation'), np.nan):+.0f} %)"
        for name in dict.fromkeys(r["prediction"] for r in rows)
        if (name, "iou") in found
    ]
    return f"IoU against {reference}: {', '.join(words)}" if words else ""


def as_text(result: Outputs) -> str:
    """Return a run for people.

    Parameters
    ----------
    result : Outputs
        Of a run.
    """
    parts = ", ".join(f"{s.name.replace('_', ' ')} {s.area_km2:.3f} km2" for s in result.strata)
    return "\n".join(
        [
            f"{result.scene}: {total_text(result.total, result.n_outlines)}, {result.seconds:.1f} s",
            *([f"  {result.cover}"] if result.cover else []),
            *([f"  by colour: {parts}"] if parts else []),
            *([f"  {result.scores}"] if result.scores else []),
            *(f"  warning: {w}" for w in result.warnings),
            *(f"  note: {n}" for n in result.notes),
            *(f"  wrote {p}" for p in result.files.values()),
        ]
    )

"""``polynya evaluate`` for glaciers with several references: the spread among experts beside the map."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ...errors import ProductError, UsageError
from ...evaluate import reference_spread
from ...io import polygons
from ..change import mapped_ground, read_outlines
from .scene import RASTERS


def run(
    out: Path | str,
    *,
    references: Sequence[Path | str],
    within: Path | str | None = None,
    reference_date: np.datetime64 | None = None,
) -> reference_spread.Spread:
    """Compare outlines with several references of one ground.

    Parameters
    ----------
    out : Path or str
        Outlines, or a folder of ``polynya glaciers``.
    references : sequence of Path or str
        Outlines, two or more.
    within : Path or str, optional
        Polygons of the ground that all references cover; by default what the map of the folder covers and saw.
    reference_date : numpy.datetime64, optional
        Of several GLIMS analyses of a glacier the one nearest to it is taken; the newest without it.

    Raises
    ------
    ProductError
        If a file is missing or damaged, or has no area on the ground.
    UsageError
        If one of them is a raster, or two have one name.
    """
    rasters = [str(p) for p in (out, *references) if Path(p).suffix.lower() in RASTERS]
    if rasters:
        raise UsageError(
            f"{rasters[0]}: is a raster; expected outlines: several references are compared as polygons."
            " Give its outlines, or one --reference."
        )
    names = [Path(p).name for p in references]
    if len(set(names)) < len(names):
        names = [str(p) for p in references]
    if len(set(names)) < len(names):
        raise UsageError("--reference: one file is given twice; expected references that differ. Name it once.")
    ground = polygons.read(within).geometry if within is not None else mapped_ground(out)
    frames = {n: read_outlines(p, date=reference_date) for n, p in zip(names, references, strict=True)}
    for name, frame in frames.items():
        if frame.crs is None:
            raise ProductError(f"{name}: has no coordinate reference system; expected one. Assign it (ogr2ogr -a_srs).")
    return reference_spread.compare(read_outlines(out), frames, within=ground)


def as_json(spread: reference_spread.Spread) -> dict[str, object]:
    """Return a spread for machines.

    Parameters
    ----------
    spread : Spread
        Of :func:`run`.
    """
    return {
        "references": spread.areas,
        "mean_km2": spread.mean,
        "sd_km2": spread.sd,
        "polis_m": spread.polis_m,
        "map_km2": spread.area,
        "map_polis_m": spread.our_polis_m,
        "pairs": [p.__dict__ for p in (*spread.pairs, *spread.ours)],
    }


def as_text(spread: reference_spread.Spread) -> str:
    """Return a spread for reading.

    Parameters
    ----------
    spread : Spread
        Of :func:`run`.
    """
    n, mean = len(spread.areas), spread.mean
    wide = max(24, *(len(k) + 2 for k in spread.areas))
    apart = f"{(spread.area - mean) / spread.sd:+.1f} standard deviations" if spread.sd > 0 else "they do not differ"
    lines = [f"{'outlines':<{wide}}{'area':>12} km2{'from mean':>12}{'PoLiS to others':>18} m"]
    for name, area in spread.areas.items():
        polis = np.mean([p.polis_m for p in spread.pairs if name in (p.first, p.second)])
        lines.append(f"{name:<{wide}}{area:>12.3f}    {100 * (area / mean - 1):>+11.1f}%{polis:>18.1f}")
    from_mean = 100 * (spread.area / mean - 1)
    lines.append(f"{'this map':<{wide}}{spread.area:>12.3f}    {from_mean:>+11.1f}%{spread.our_polis_m:>18.1f}")
    return "\n".join(
        [
            *lines,
            "",
            f"{n} references: mean {mean:.3f} km2, standard deviation {spread.sd:.3f} km2"
            f" ({100 * spread.sd / mean:.1f} %), PoLiS among them {spread.polis_m:.1f} m",
            f"this map: {spread.area - mean:+.3f} km2 from their mean ({apart}), PoLiS {spread.our_polis_m:.1f} m",
            *(
                f"IoU {p.iou:.3f}, PoLiS {p.polis_m:.1f} m: {p.first} and {p.second}"
                for p in (*spread.pairs, *spread.ours)
            ),
        ]
    )

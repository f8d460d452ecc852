"""``polynya info`` for glacier inventories: which one, how many glaciers, their area and dates."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from ... import io
from ...errors import ProductError
from ...io import archives, opening, vector_formats
from ...readers import rgi_outlines
from ...schema import counted
from .scene import RASTERS

UNKNOWN = "unknown"


def is_outlines(paths: Sequence[Path | str]) -> bool:
    """Return whether one path is given that holds the outlines of an inventory known by its columns.

    Parameters
    ----------
    paths : sequence of Path or str
        As given: a vector file, ``FILE.gpkg/LAYER``, or an archive of one.
    """
    if len(paths) != 1 or "=" in str(paths[0]) or not _may_be_vectors(Path(paths[0])):
        return False
    try:
        return rgi_outlines.read(paths[0]).attrs["inventory"] != UNKNOWN
    except ProductError:
        return False


def _may_be_vectors(path: Path) -> bool:
    if path.is_dir():
        return False
    if archives.is_archive(path):
        try:
            endings = {p.suffix.lower() for p in archives.files_below(path)}
        except ProductError:
            return False
        return bool(endings & set(opening.VECTOR_DRIVERS)) and not endings & set(RASTERS)
    file, _ = vector_formats.split_layer(path)
    return archives.is_file(file) and file.suffix.lower() in opening.VECTOR_DRIVERS


def run(path: Path | str) -> dict[str, object]:
    """Describe an inventory.

    Parameters
    ----------
    path : Path or str
        Of :func:`is_outlines`.

    Returns
    -------
    dict
        Plain data; ``kind`` is ``outlines``.

    Raises
    ------
    ProductError
        If the file is damaged.
    """
    from ...scenes.areas import area_km2

    found = rgi_outlines.read(path)
    west, south, east, north = (round(float(v), 4) for v in found.to_crs("EPSG:4326").total_bounds)
    dates = sorted(d[:4] for d in found["src_date"].dropna())
    return io.plain(
        {
            "kind": "outlines",
            "name": Path(path).name,
            "inventory": found.attrs["inventory"],
            "outlines": len(found),
            "area_km2": round(float(area_km2(found).sum()), 3),
            "extent": [west, south, east, north],
            "crs": str(found.crs.to_string()),
            "years": [dates[0], dates[-1]] if dates else [],
            "next_commands": [f"polynya glaciers SCENE -o OUT --inventory {shlex.quote(str(path))}"],
        }
    )


def as_text(about: dict[str, object]) -> str:
    """Return the description for people."""
    west, south, east, north = about["extent"]  # type: ignore[misc]
    years = about["years"]
    rows = {
        "inventory": about["inventory"],
        "area": f"{about['area_km2']:,} km2",
        "extent": f"W {west:.4f}  S {south:.4f}  E {east:.4f}  N {north:.4f}, {about['crs']}",
        "images": f"{years[0]} to {years[1]}" if years else "no dates",  # type: ignore[index]
        "next": about["next_commands"][0],  # type: ignore[index]
    }
    first = f"{about['name']}: {counted(about['outlines'], 'outline')} of glaciers"
    return "\n".join([first, *(f"  {label:<12}{words}" for label, words in rows.items())])

"""Which files an input is made of: what a result depends on is hashed whole."""

from __future__ import annotations

import glob
import os
from pathlib import Path

from ..errors import ProductError
from . import archives, atomic, opening, vector_formats

SIDE_FILES = (".aux.xml", ".ovr", ".msk")
"""Endings that GDAL adds to a raster's name for what it reads beside it: georeference, overviews, mask."""


BESIDE = (".aux.xml", ".qml", ".qmd", ".qix", ".sbn", ".sbx", ".lock", ".gpkg-wal", ".gpkg-shm", ".gpkg-journal")
"""Endings of what GIS programs leave in a folder that they look at: statistics, styles, spatial indices, locks. They
hold nothing that a result depends on."""
OF_SYSTEM = ("thumbs.db", "desktop.ini", "ehthumbs.db")
"""Names of what file browsers leave there."""


def files_of(path: Path) -> list[tuple[str, Path]]:
    """Return every file of an input with its name, sorted by it.

    Parameters
    ----------
    path : Path
        A file or a folder. Of a folder all files below it count but hidden ones, results, and
        what programs that looked at it left there (:data:`BESIDE`). Of a file also those that
        it is read with: the sources of a VRT, the parts of a shapefile, and side files of a raster
        (:data:`SIDE_FILES`, world files). Of a place in an archive, the archive; of a layer, its file.
    """
    path = archives.holder(vector_formats.split_layer(path)[0])
    return _below(path) if path.is_dir() else _with_parts(path)


def _with_parts(path: Path) -> list[tuple[str, Path]]:
    found: list[tuple[str, Path]] = []
    seen: set[Path] = set()
    waiting = [(path.name, path)]
    while waiting:
        name, file = waiting.pop()
        if file.resolve() in seen:
            continue
        seen.add(file.resolve())
        found.append((name, file))
        if file.suffix.lower() == ".shp":
            parts = [p for p in file.parent.glob(f"{glob.escape(file.stem)}.*") if p != file]
            parts = [p for p in parts if not _is_left_behind(p.name, [])]
        else:
            parts = _side_files(file) + _sources(file)
        waiting += [(Path(os.path.relpath(p, path.parent)).as_posix(), p) for p in parts if p.is_file()]
    return sorted(found)


def _side_files(path: Path) -> list[Path]:
    """Return what GDAL may read beside a raster, whether it is there or not."""
    ending = path.suffix[1:]
    world = [f"{ending[0]}{ending[-1]}w", f"{ending}w", "wld"] if ending else []
    upper = [e.upper() for e in world]
    beside = [path.with_name(f"{path.name}{e}") for e in SIDE_FILES]
    return beside + [path.with_suffix(f".{e}") for e in dict.fromkeys([*world, *upper])]


def _sources(path: Path) -> list[Path]:
    """Return the files that a VRT reads; none of another file, or of a VRT that cannot be opened anyway."""
    try:
        return opening.vrt_sources(path)
    except ProductError:
        return []


def _below(path: Path) -> list[tuple[str, Path]]:
    """Return the files below a folder; links to folders are followed, each folder is read once."""
    found = []
    seen: set[tuple[int, int]] = set()
    for folder, inner, names in os.walk(path, followlinks=True):
        here = Path(folder)
        about = here.stat()
        if (about.st_dev, about.st_ino) in seen:
            inner[:] = []
            continue
        seen.add((about.st_dev, about.st_ino))
        inner[:] = sorted(n for n in inner if not n.startswith(".") and not (here / n / atomic.RECORD).exists())
        found += [here / n for n in names if not n.startswith(".") and not _is_left_behind(n, names)]
    return sorted((p.relative_to(path).as_posix(), p) for p in found)


def _is_left_behind(name: str, names: list[str]) -> bool:
    """Return whether a program that looked at a folder left a file there; georeference in ``.aux.xml`` counts where no
    raster beside it has its name."""
    low = name.lower()
    if low in OF_SYSTEM:
        return True
    return low.endswith(BESIDE) and (not low.endswith(".aux.xml") or name[: -len(".aux.xml")] in names)

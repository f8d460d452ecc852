"""Whether a result's files still are what was written: their sizes and SHA-256 stand in its record.

A file that was not touched since (its time says so) is not read again: pages of tables and chunks of grids carry
checksums of their own. Databases (GeoPackage) change when a program merely looks at them, and pages and styles are
saved again: those must not be empty.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

WRITTEN = "written"
"""Key of a record: what each file was when the result was finished."""
LIVING = (".gpkg", ".sqlite")
"""Endings of databases."""
SHOWN = (".html", ".qml")
"""Endings of pages and styles, which browsers and QGIS save again: their content is no result."""
_BLOCK = 1 << 22


def states(folder: Path, names: list[str]) -> dict[str, dict[str, object]]:
    """Return size, time and SHA-256 of the files of a result.

    Parameters
    ----------
    folder : Path
        Where they lie.
    names : list of str
        Relative to the folder.

    Raises
    ------
    OSError
        If one cannot be read.
    """
    found: dict[str, dict[str, object]] = {}
    for name in names:
        path = folder / name
        state = path.stat()
        found[name] = {"size": state.st_size, **_times(state), "sha256": _sha256(path)}
    return found


def damage(folder: Path, names: list[str], written: object) -> str:
    """Return what is wrong with a result's files, as it stands after "a result"; empty where nothing is.

    Parameters
    ----------
    folder : Path
        Where they lie.
    names : list of str
        All files of the result.
    written : object
        What the record says of them under :data:`WRITTEN`; results of earlier versions say nothing.
    """
    held = written if isinstance(written, dict) else {}
    for name in names:
        path, was = folder / name, held.get(name)
        if not path.exists():
            return f"that misses {name}"
        if not path.is_file():
            continue
        state = path.stat()
        size = state.st_size
        if not isinstance(was, dict):
            if size == 0:
                return f"whose {name} is empty"
            continue
        if path.suffix.lower() in (*LIVING, *SHOWN):
            if size == 0 and was.get("size"):
                return f"whose {name} is empty"
            continue
        if size != was.get("size"):
            return f"whose {name} has {size:,} bytes and not {was.get('size'):,} as when it was written"
        is_touched = any(was.get(n) != t for n, t in _times(state).items())
        if is_touched and _sha256(path) != was.get("sha256"):
            return f"whose {name} was changed since it was written"
    return ""


def _times(state: os.stat_result) -> dict[str, int]:
    """Return the times of content and state; the second one no program can set back."""
    return {"mtime_ns": state.st_mtime_ns, "ctime_ns": state.st_ctime_ns}


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as handle:
        while block := handle.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()

"""Other files that an HDF5 file names: external links, external storage, virtual datasets. libhdf5 would read them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ProductError

if TYPE_CHECKING:
    import h5py

_MOST_KNOWN = 10_000
_checked: dict[tuple[object, ...], str] = {}


def check(handle: h5py.File, path: Path) -> None:
    """Reject an HDF5 file that takes values from another file.

    Every link and every dataset is looked at, once a process for a file that does not change: 0.1 ms each.

    Parameters
    ----------
    handle : h5py.File
        Just opened.
    path : Path
        The file.

    Raises
    ------
    ProductError
        If it does.
    """
    about = path.stat()
    key = (str(path), about.st_dev, about.st_ino, about.st_size, about.st_mtime_ns, about.st_ctime_ns)
    if key not in _checked:
        if len(_checked) >= _MOST_KNOWN:
            _checked.clear()
        _checked[key] = _elsewhere(handle)
    if _checked[key]:
        raise ProductError(
            f"{path.name}: {_checked[key]}; expected a file that holds all its values. Get it again, or write it out"
            " with h5repack or h5copy."
        )


def _elsewhere(handle: h5py.File) -> str:
    """Return the first thing of a file that lies in another one, or that damage hides; empty where there is none."""
    from h5py import h5d, h5l, h5o

    names: list[bytes] = []
    foreign: list[tuple[bytes, int]] = []

    def seen(name: bytes, info: h5l.LinkInfo) -> None:
        if info.type == h5l.TYPE_HARD:
            names.append(name)
        elif info.type != h5l.TYPE_SOFT:
            foreign.append((name, info.type))

    try:
        handle.id.links.visit(seen, info=True)
    except (RuntimeError, KeyError, ValueError, OSError):  # behind the damage there may be any link
        return "its list of links is damaged"
    for name, kind in foreign:
        return f"{_text(name)} is {'an external link' if kind == h5l.TYPE_EXTERNAL else 'a link of an unknown kind'}"
    for name in names:
        try:
            node = h5o.open(handle.id, name)
            plan = node.get_create_plist() if isinstance(node, h5d.DatasetID) else None
            if plan is None:
                continue
            is_virtual, n_files = plan.get_layout() == h5d.VIRTUAL, plan.get_external_count()
        except (RuntimeError, KeyError, ValueError, OSError):
            continue
        if is_virtual or n_files:
            return f"{_text(name)} {'is a virtual dataset' if is_virtual else 'has its values in another file'}"
    return ""


def _text(name: bytes | str) -> str:
    return (name.decode("utf-8", "replace") if isinstance(name, bytes) else name)[:80]

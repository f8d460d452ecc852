"""Bytes that lie on the disk before they get their names: after a loss of power no name leads to half a file."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path


def sync_file(path: Path) -> None:
    """Wait until a file's bytes lie on the disk.

    Parameters
    ----------
    path : Path
        The file, closed.

    Raises
    ------
    OSError
        If the disk is full or fails; many a file system says so only now.
    """
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_names(folder: Path) -> None:
    """Wait until the names in a folder lie on the disk, where the file system knows of that.

    Parameters
    ----------
    folder : Path
        The folder.
    """
    with contextlib.suppress(OSError):
        sync_file(folder)


def sync_tree(folder: Path) -> None:
    """Wait until everything below a folder lies on the disk.

    Parameters
    ----------
    folder : Path
        The folder; links are left out.

    Raises
    ------
    OSError
        If the disk is full or fails.
    """
    for here, _, names in os.walk(folder):
        for name in names:
            path = Path(here) / name
            if path.is_file() and not path.is_symlink():
                sync_file(path)
        sync_names(Path(here))

"""Object stores for tests: one in memory, and one in a folder that other processes see, too."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import fsspec
from fsspec.implementations.local import LocalFileSystem


class Disk(LocalFileSystem):
    """``disk://bucket/a/b`` is the file ``a/b`` below the folder ``bucket``: a store with names and no folders."""

    protocol = "disk"

    def __init__(self, **options):
        super().__init__(auto_mkdir=True, **options)

    @classmethod
    def _strip_protocol(cls, path):
        text = str(path).removeprefix("disk://")
        return super()._strip_protocol(text if text.startswith("/") else f"/{text}")

    def ls(self, path, detail=False, **more):
        found = super().ls(path, detail=True, **more)
        full = [e for e in found if e["type"] != "directory" or any(p.is_file() for p in Path(e["name"]).rglob("*"))]
        return full if detail else [e["name"] for e in full]


fsspec.register_implementation("disk", Disk, clobber=True)


@contextlib.contextmanager
def in_memory() -> Iterator[fsspec.AbstractFileSystem]:
    """Give the store in memory, empty; it is emptied at the end."""
    files = fsspec.filesystem("memory")
    clear(files)
    yield files
    clear(files)


def clear(files: fsspec.AbstractFileSystem) -> None:
    files.store.clear()
    files.pseudo_dirs[:] = [""]


def held(files: fsspec.AbstractFileSystem) -> dict[str, bytes]:
    """Return every object of the store in memory: name -> bytes."""
    return {name: bytes(entry.getvalue()) for name, entry in sorted(files.store.items())}


def copy_of(files: fsspec.AbstractFileSystem, folder: Path) -> Path:
    """Write every object of the store in memory into a folder, to look at results with what reads paths."""
    shutil.rmtree(folder, ignore_errors=True)
    for name, content in held(files).items():
        file = folder / name.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    return folder

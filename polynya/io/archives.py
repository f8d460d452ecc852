"""Files inside zip and tar archives, named as if the archive were a folder: ``scene.zip/A.SAFE/MTD_MSIL1C.xml``.

Every function takes such a path as well as a plain one. Bytes are read through Python's libraries, rasters through
GDAL's virtual file systems, and both reach only into a regular file of this machine. Nothing is unpacked beside it. A
``.tar.gz`` cannot be read here and there, so it becomes a ``.tar`` in the system's folder for temporary files while the
program runs. An archive is known by its content, not by its name.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import gzip
import io
import os
import shutil
import tarfile
import tempfile
import threading
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from ..errors import ProductError, one_line

ENDINGS = (".zip", ".tar", ".tar.gz", ".tgz")
"""Endings of the names of archives, for messages and for names made from them."""
MOST_MEMBERS = 100_000
MOST_BYTES = 64 << 30
"""An archive whose members together are larger, unpacked, is no scene."""
DEFLATE_RATIO = 1100
"""Deflate makes nothing smaller than by 1032: a member that says so is not what it says."""
SCENE_RATIO = 200
"""No scene packs better than this; small archives may."""
BY_NAME = ".hgt"
"""Ending of files that GDAL knows, and places, by their names only."""
_MAGIC = {b"PK\x03\x04": "zip", b"PK\x05\x06": "zip"}
_TAR_MAGIC = slice(257, 262)
MOST_UNPACKED = 4
"""So many ``.tar.gz`` are kept unpacked at once."""
_unpacked: dict[tuple[Path, int, int], Path] = {}
_unpacking = threading.Lock()
_DAMAGE = (
    *(zipfile.BadZipFile, tarfile.TarError, zlib.error, NotImplementedError, RuntimeError, EOFError, OSError),
    ValueError,
)


@dataclass(frozen=True, kw_only=True)
class _Member:
    """A file in an archive: its name there, its size unpacked, and where its bytes begin (of a tar)."""

    name: str
    size: int
    start: int = 0


def kind_of(path: Path) -> str:
    """Return ``zip``, ``tar`` or ``tar.gz`` for a regular file that begins as one, cut or not; else nothing.

    Parameters
    ----------
    path : Path
        A file.
    """
    try:
        about = path.stat()
    except (OSError, ValueError):
        return ""
    return _kind(path, about.st_mtime_ns, about.st_size) if path.is_file() else ""


@functools.lru_cache(maxsize=1024)
def _kind(path: Path, changed_ns: int, size: int) -> str:
    try:
        with path.open("rb") as file:
            start = file.read(512)
        if start.startswith(b"\x1f\x8b"):
            with gzip.open(path) as packed:
                return "tar.gz" if packed.read(512)[_TAR_MAGIC] == b"ustar" else ""
    except _DAMAGE:
        return ""
    return _MAGIC.get(start[:4], "tar" if start[_TAR_MAGIC] == b"ustar" else "")


def is_archive(path: Path) -> bool:
    """Return whether a path is an archive."""
    return bool(kind_of(path))


def reject_damaged(path: Path) -> None:
    """Reject a file whose name is that of an archive and whose content is not.

    Parameters
    ----------
    path : Path
        A file.

    Raises
    ------
    ProductError
        If it is such a file.
    """
    if path.name.lower().endswith(ENDINGS) and not is_archive(path):
        raise ProductError(
            f"{path.name}: is no zip or tar archive inside, or is cut; expected an archive of one scene. Download it"
            " again."
        )


def split(path: Path) -> tuple[Path, str] | None:
    """Return the archive a path leads into and the rest of the path with slashes; None for any other path.

    Parameters
    ----------
    path : Path
        The rest is empty where it is the archive itself.
    """
    for place in (path, *path.parents):
        if place.is_file():
            return (place, path.relative_to(place).as_posix().removeprefix(".")) if is_archive(place) else None
        if place.is_dir():
            return None
    return None


def holder(path: Path) -> Path:
    """Return the file on the disk that holds a path: the archive, or the path itself."""
    found = split(path)
    return path if found is None else found[0]


def is_file(path: Path) -> bool:
    """Return whether a path is a file, on the disk or in an archive (the archive itself is one, too)."""
    if path.is_file():
        return True
    found = split(path)
    return found is not None and found[1] in _members(found[0])


def is_dir(path: Path) -> bool:
    """Return whether a path is a folder, on the disk or in an archive (the archive itself is one, too)."""
    if path.is_dir():
        return True
    found = split(path)
    if found is None:
        return False
    return not found[1] or any(n.startswith(f"{found[1]}/") for n in _members(found[0]))


def exists(path: Path) -> bool:
    """Return whether a path is there, on the disk or in an archive."""
    return is_file(path) or is_dir(path)


def children(folder: Path) -> list[Path]:
    """Return what lies in a folder or at a place of an archive, sorted.

    Parameters
    ----------
    folder : Path
        Of :func:`is_dir`.
    """
    if folder.is_dir():
        return sorted(folder.iterdir())
    archive, inner = _split(folder)
    start = f"{inner}/" if inner else ""
    below = {n.removeprefix(start).partition("/")[0] for n in _members(archive) if n.startswith(start)}
    return [folder / n for n in sorted(below)]


def named(folder: Path, name: str) -> Path | None:
    """Return the file of a name in a folder, in whichever case it is written there; None where there is none.

    Parameters
    ----------
    folder : Path
        On the disk or in an archive.
    name : str
        The file's name; with slashes, a path below the folder. Nothing is found by one that leads out of it.
    """
    if PurePosixPath(name).is_absolute() or Path(name).is_absolute() or ".." in PurePosixPath(name).parts:
        return None
    if is_file(folder / name):
        return folder / name
    place = folder
    for part in PurePosixPath(name).parts:
        if not is_dir(place):
            return None
        found = [p for p in children(place) if p.name.lower() == part.lower()]
        if not found:
            return None
        place = found[0]
    return place if is_file(place) else None


def files_below(folder: Path) -> list[Path]:
    """Return every file below a place of an archive, sorted.

    Parameters
    ----------
    folder : Path
        An archive or a folder in it.
    """
    archive, inner = _split(folder)
    start = f"{inner}/" if inner else ""
    return [archive / n for n in sorted(_members(archive)) if n.startswith(start)]


def folders_with(folder: Path, is_marker: Callable[[str], bool]) -> list[Path]:
    """Return the folders at or below a place of an archive that hold a file by which a product is known.

    Parameters
    ----------
    folder : Path
        An archive or a folder in it.
    is_marker : callable
        Of a file's name.
    """
    return sorted({p.parent for p in files_below(folder) if is_marker(p.name)})


def size_of(path: Path) -> int:
    """Return the bytes of a file, unpacked."""
    if path.is_file():
        return path.stat().st_size
    archive, inner = _split(path)
    return _members(archive)[inner].size


@contextlib.contextmanager
def open_binary(path: Path) -> Iterator[IO[bytes]]:
    """Open a member of an archive for reading bytes here and there.

    Parameters
    ----------
    path : Path
        Of :func:`is_file`, in an archive.

    Raises
    ------
    ProductError
        If it cannot be read, then or inside the ``with`` block.
    """
    archive, inner = _split(path)
    member = _members(archive)[inner]
    try:
        with contextlib.ExitStack() as stack:
            if kind_of(archive) == "zip":
                holds = stack.enter_context(zipfile.ZipFile(archive))
                yield stack.enter_context(holds.open(member.name))
            else:
                held = stack.enter_context(tarfile.open(_tar(archive)))
                yield held.extractfile(member.name) or io.BytesIO()
    except (KeyError, *_DAMAGE) as error:
        raise ProductError(
            f"{archive.name}: {inner} in it cannot be read ({one_line(error)[:120]}); expected an intact archive."
            " Download it again."
        ) from error


def gdal_name(path: Path) -> str:
    """Return GDAL's name of a file: that of its virtual file system for a member of an archive.

    Parameters
    ----------
    path : Path
        Of :func:`is_file`.
    """
    if path.is_file():
        return str(path)
    archive, inner = _split(path)
    if kind_of(archive) == "zip":
        return f"/vsizip/{{{archive.resolve()}}}/{inner}"
    tar, member = _tar(archive).resolve(), _members(archive)[inner]
    if path.suffix.lower() == BY_NAME:
        return f"/vsitar/{{{tar}}}/{inner}"
    return f"/vsisubfile/{member.start}_{member.size},{tar}"  # /vsitar finds no name of more than 100 characters


def _split(path: Path) -> tuple[Path, str]:
    found = split(path)
    if found is None:
        raise ProductError(f"{path.name}: no such file at {path}; expected a file or a folder. Check the path.")
    return found


def _members(archive: Path) -> dict[str, _Member]:
    """Return the files of an archive by their names with plain slashes."""
    about = archive.stat()
    return _listed(archive, kind_of(archive), about.st_mtime_ns, about.st_size)


@functools.lru_cache(maxsize=64)
def _listed(archive: Path, kind: str, changed_ns: int, size: int) -> dict[str, _Member]:
    try:
        found = _zip_members(archive) if kind == "zip" else _tar_members(archive)
    except ProductError:
        raise
    except _DAMAGE as error:
        raise ProductError(
            f"{archive.name}: cannot be read as a {kind} archive ({one_line(error)[:100]}), it may be cut; expected an"
            " intact one. Download it again."
        ) from error
    out = {}
    for member in found:
        parts = [p for p in member.name.replace("\\", "/").split("/") if p not in ("", ".")]
        if parts and ".." not in parts:
            out["/".join(parts)] = member
    return out


def _zip_members(archive: Path) -> list[_Member]:
    with zipfile.ZipFile(archive) as holds:
        found = [i for i in holds.infolist() if not i.is_dir() and not i.filename.endswith("\\")]
    _check_claims(archive, len(found), sum(i.file_size for i in found))
    for info in found:
        if info.file_size > DEFLATE_RATIO * info.compress_size + (1 << 20):
            raise ProductError(
                f"{archive.name}: {info.filename} in it says {info.file_size:,} bytes out of {info.compress_size:,},"
                " which no packing gives; expected an archive of a scene. Download it again."
            )
        if info.flag_bits & 1:
            raise ProductError(
                f"{archive.name}: {info.filename} in it is encrypted; expected a plain archive. Unpack it first."
            )
    return [_Member(name=i.filename, size=i.file_size) for i in found]


def _tar_members(archive: Path) -> list[_Member]:
    out: list[_Member] = []
    total = 0
    with tarfile.open(_tar(archive)) as holds:
        for info in holds:  # sizes are checked before what they claim is passed over
            total += info.size
            _check_claims(archive, len(out), total)
            if info.isfile():
                out.append(_Member(name=info.name, size=info.size, start=info.offset_data))
    return out


def _tar(archive: Path) -> Path:
    """Return a tar archive, or the unpacked tar of a ``.tar.gz``."""
    if kind_of(archive) != "tar.gz":
        return archive
    about = archive.stat()
    key = (archive.resolve(), about.st_mtime_ns, about.st_size)
    with _unpacking:
        if key not in _unpacked or not _unpacked[key].is_file():
            while len(_unpacked) >= MOST_UNPACKED:
                _unpacked.pop(next(iter(_unpacked))).unlink(missing_ok=True)
            _unpacked[key] = _gunzip(archive)
        return _unpacked[key]


def _gunzip(archive: Path) -> Path:
    handle, name = tempfile.mkstemp(suffix=".tar", dir=_scratch())
    os.close(handle)
    out = Path(name)
    try:
        with gzip.open(archive) as packed, out.open("wb") as file:
            while block := packed.read(1 << 22):
                file.write(block)
                _check_claims(archive, 0, file.tell())
                _check_packing(archive, file.tell())
    except BaseException:
        out.unlink(missing_ok=True)
        raise
    return out


@functools.lru_cache(maxsize=1)
def _scratch() -> Path:
    folder, owner = Path(tempfile.mkdtemp(prefix="polynya-")), os.getpid()

    def remove() -> None:
        if os.getpid() == owner:  # a process forked off uses it, too
            shutil.rmtree(folder, ignore_errors=True)

    atexit.register(remove)
    return folder


def _check_packing(archive: Path, unpacked: int) -> None:
    """Raise where more comes out than scenes pack to, or than there is room for."""
    packed = archive.stat().st_size
    if unpacked > SCENE_RATIO * packed + (64 << 20):
        raise ProductError(
            f"{archive.name}: more than {unpacked:,} bytes come out of {packed:,}; expected a scene, which packs to a"
            f" {SCENE_RATIO}th at most. Download it again, or unpack it yourself if it is whole."
        )
    if shutil.disk_usage(_scratch()).free < 64 << 20:
        raise ProductError(
            f"{archive.name}: there is no room to unpack it in {tempfile.gettempdir()}; expected room for the whole"
            " archive. Set TMPDIR to a folder with room, or unpack it yourself."
        )


def _check_claims(archive: Path, count: int, total: int) -> None:
    if count > MOST_MEMBERS or total > MOST_BYTES:
        raise ProductError(
            f"{archive.name}: says it holds {count:,} files, {total / 1e9:,.0f} GB unpacked; expected at most"
            f" {MOST_MEMBERS:,} files and {MOST_BYTES >> 30} GB. Give an archive of one scene."
        )

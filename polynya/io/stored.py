"""Results at an address: made whole on this computer, then copied to the store, the record last.

The functions are those of :mod:`.atomic`, for a :data:`~polynya.io.addresses.Place`: a path is left to that module. A
store has no rename, so a folder of a result appears there object by object:

1. :data:`MARKER` names every object that is about to be written or removed;
2. an earlier record goes, then the files come, then what only the earlier result had goes;
3. the record comes, and the marker goes.

Without its record a folder is no result. What a stopped copy left is known by the marker, so the next run replaces it;
any other object is somebody else's and stays. A single file is one object, which a store writes whole.
"""

from __future__ import annotations

import contextlib
import functools
import json
import secrets
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

from .. import __version__
from ..errors import OutputError, UsageError, one_line
from . import atomic, remote
from .addresses import Address, Place

MARKER = "uploading.json"
"""Object that names what a copy to the store is about to write."""
PROBE = "polynya_can_write"


@contextlib.contextmanager
def writing(place: Place) -> Iterator[Path]:
    """Yield a temporary name on this computer; what is there when the block ends well gets its place.

    Parameters
    ----------
    place : Path or Address
        Replaced if it is there: see :func:`check_files` for whether it may be.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    if isinstance(place, Path):
        with atomic.writing(place) as temporary:
            yield temporary
        return
    with _scratch(place) as folder:
        file = folder / place.name
        yield file
        remote.make_room(remote.size_below(folder), text=str(place), keep=folder)
        _put(file, place)


@contextlib.contextmanager
def writing_folder(place: Place, *, overwrite: bool = False, record: str = atomic.RECORD) -> Iterator[Path]:
    """Yield a temporary folder on this computer that gets its place when the block ends well.

    Its record gets the list of the files. Where another process finished the same result at an address meanwhile, that
    one stays.

    Parameters
    ----------
    place : Path or Address
        Free, or with ``overwrite`` an earlier result.
    overwrite : bool
        Replace an earlier result.
    record : str
        Name of the JSON file in the folder that lists its files.

    Raises
    ------
    OutputError
        If it cannot be written, or holds something that may not be replaced.
    UsageError
        If it is an earlier result, and ``overwrite`` is not given; or the cache cannot hold the result.
    """
    if isinstance(place, Path):
        with atomic.writing_folder(place, overwrite=overwrite, record=record) as temporary:
            yield temporary
        return
    check_place(place, overwrite=overwrite, record=record)
    with _scratch(place) as folder:
        result = folder / place.name
        with atomic.writing_folder(result, record=record) as temporary:
            yield temporary
        remote.make_room(remote.size_below(folder), text=str(place), keep=folder)
        _upload(result, place, overwrite=overwrite, record=record)


def check_place(place: Place, *, overwrite: bool, record: str = atomic.RECORD) -> None:
    """Raise unless a folder is free, or an earlier result that is to be replaced.

    Parameters
    ----------
    place : Path or Address
        The folder.
    overwrite : bool
        An earlier result may be replaced.
    record : str
        Name of the JSON file that lists a result's files.

    Raises
    ------
    OutputError
        If it is something else.
    UsageError
        If it is an earlier result, and ``overwrite`` is not given.
    """
    if isinstance(place, Path):
        atomic.check_place(place, overwrite=overwrite, record=record)
        return
    there = _listing(place)
    own = _own(place, there, record=record)
    strange = sorted(n for n in there if n not in own and not atomic.is_side_file(n, own))
    if strange:
        more = f" and {len(strange) - 1} more objects" if strange[1:] else ""
        raise OutputError(
            f"{place}: holds {strange[0] or 'an object of this very name'}{more} that no {record} of polynya lists;"
            " expected a free name, or an earlier result and nothing else. Choose another with -o, or remove it"
            " yourself."
        )
    if record in there and not overwrite:
        raise UsageError(
            f"{place}: exists already; expected a new name. Pass --overwrite to replace it, or choose another with -o."
        )


def check_writable(place: Place) -> None:
    """Raise unless something can be written at an address: before hours of work, not after them.

    Parameters
    ----------
    place : Path or Address
        Where a command's results go; a path is left to what writes there.

    Raises
    ------
    OutputError
        If nothing can be written there.
    """
    if isinstance(place, Path):
        return
    probe = place / f"{PROBE}.{secrets.token_hex(4)}"
    with _scratch(place) as folder:
        file = folder / PROBE
        file.write_text("polynya looks whether it can write here")
        _put(file, probe)
    _remove(probe)


def is_free(place: Place) -> bool:
    """Return whether nothing is at a place, or an empty folder; what a stopped copy to a store left does not count.

    Parameters
    ----------
    place : Path or Address
        The folder of a result.
    """
    if isinstance(place, Path):
        return atomic.is_free(place)
    there = _listing(place)
    return not there or (atomic.RECORD not in there and there.keys() <= _own(place, there, record=atomic.RECORD))


def children(place: Place) -> set[str]:
    """Return the names right below a place: of files, and of folders or what stands for them in a store.

    Parameters
    ----------
    place : Path or Address
        A folder.
    """
    if isinstance(place, Path):
        return {p.name for p in place.iterdir()} if place.is_dir() else set()
    return {name.partition("/")[0] for name in _listing(place, is_deep=False)}


@contextlib.contextmanager
def reading(place: Place) -> Iterator[Path | IO[bytes]]:
    """Yield what a reader of Parquet takes: a path, or an open object of which only the parts that are read come.

    Parameters
    ----------
    place : Path or Address
        The file.

    Raises
    ------
    ProductError
        If it is not there, or the store does not answer.
    """
    if isinstance(place, Path):
        yield place
        return
    files, inner = remote.store_of(str(place))
    with remote.asked(str(place), lambda: files.open(inner, "rb")) as handle:
        yield handle


@contextlib.contextmanager
def _scratch(place: Address) -> Iterator[Path]:
    """Yield a folder for one result on its way; whatever ends this process, it is removed, at the latest by the next
    one."""
    folder = remote.results_folder()
    temporary = atomic.temporary_name(folder / place.name)
    atomic.announce(temporary)
    try:
        atomic.sweep_folder(folder)
        temporary.mkdir(parents=True)
    except OSError as error:
        raise OutputError(
            f"{remote.CACHE}: {folder} cannot be written ({one_line(error)}); expected a folder for results on their"
            f" way to an address. Set {remote.CACHE}."
        ) from error
    try:
        yield temporary
    except OSError as error:
        raise OutputError(
            f"{place.name}: cannot be written in {folder} ({one_line(error)}), where results wait for their way to an"
            f" address; expected room. Free space, or set {remote.CACHE}."
        ) from error
    finally:
        atomic.clear(temporary)


def _upload(result: Path, place: Address, *, overwrite: bool, record: str) -> None:
    """Copy a finished folder to its place in an order that leaves no doubt, wherever it stops."""
    try:
        check_place(place, overwrite=overwrite, record=record)  # hours may have passed
    except UsageError:
        mine, theirs = atomic.read_record(result / record), atomic.read_record(place / record)
        if mine is None or theirs is None or not atomic.same_key(mine, theirs):
            raise
        return  # another command was quicker: its result is complete, the record came last
    there = _listing(place)
    names = sorted(p.relative_to(result).as_posix() for p in result.rglob("*") if p.is_file())
    others = sorted(_own(place, there, record=record) & there.keys() - {*names, MARKER})
    word = secrets.token_hex(8)
    marker = result / MARKER
    marker.write_text(json.dumps({"polynya": __version__, "word": word, "names": [*names, *others]}))
    _put(marker, place / MARKER)
    for name in [record] if record in there else []:
        _remove(place / name)
    for name in names:
        if name != record:
            _put(result / name, place / name)
    for name in others:
        _remove(place / name)
    if (result / record).exists():
        _put(result / record, place / record)
    if (atomic.read_record(place / MARKER) or {}).get("word") == word:
        _remove(place / MARKER)


def _own(place: Address, there: Iterable[str], *, record: str) -> set[str]:
    """Return the names that are polynya's at a place: those that its record lists, and those of a stopped copy."""
    own = set(atomic.contents_of(place / record)) if record in there else set()
    marker = atomic.read_record(place / MARKER) if MARKER in there else None
    if marker is not None and isinstance(marker.get("polynya"), str) and isinstance(marker.get("names"), list):
        own |= {MARKER, *map(str, marker["names"])}
    return own


def _listing(place: Address, *, is_deep: bool = True) -> dict[str, int]:
    """Return the objects below a place with their bytes, relative to it; that of its own name is the empty name.

    Not ``find`` of fsspec, which takes a store that does not answer for an empty one.
    """
    files, root = remote.store_of(str(place))
    files.invalidate_cache()
    out: dict[str, int] = {}
    waiting = [root]
    while waiting:
        inner = waiting.pop()
        for entry in remote.asked(str(place), functools.partial(_entries, files, inner)):
            name, is_folder = str(entry["name"]), entry["type"] == "directory"
            relative = name.rstrip("/")[len(root.rstrip("/")) :].strip("/")
            if is_folder and is_deep and name.rstrip("/") != inner.rstrip("/"):
                waiting.append(name)
            elif (is_folder and not is_deep) or not (is_folder or name.endswith("/")):
                out[relative] = int(entry.get("size") or 0)
    return out


def _entries(files: Any, inner: str) -> list[dict]:
    try:
        return list(files.ls(inner, detail=True))
    except FileNotFoundError:
        return []


def _put(file: Path, place: Address) -> None:
    """Copy a file to the store, and see that all of it is there."""
    files, inner = remote.store_of(str(place))
    remote.asked(str(place), lambda: files.put_file(str(file), inner), writes=True)
    files.invalidate_cache()
    size, found = file.stat().st_size, remote.asked(str(place), lambda: files.info(inner), writes=True).get("size")
    if found != size:
        raise OutputError(
            f"{place}: {found or 0:,} bytes are there of {size:,}; expected the whole file. Run the same command again."
        )


def _remove(place: Address) -> None:
    """Remove an object; it may be gone already."""
    files, inner = remote.store_of(str(place))

    def remove() -> None:
        with contextlib.suppress(FileNotFoundError):
            files.rm_file(inner)

    remote.asked(str(place), remove, writes=True)
    files.invalidate_cache()

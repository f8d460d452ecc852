"""Files and folders that appear under their name only when they are whole, and that replace nothing but results."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import OutputError, UsageError, one_line
from . import durable, outputs
from .parts import PART, announce, clear, host, is_alive, listening, sweep, sweep_folder, temporary_name

if TYPE_CHECKING:
    from .addresses import Place

__all__ = ["announce", "clear", "host", "is_alive", "listening", "sweep", "sweep_folder", "temporary_name"]

RECORD = "run.json"
"""Name of the record that makes a folder a result."""
CONTENTS = "contents"
"""Key of a record: every file of the result, relative to the record, ``/`` between folders."""
SIDE_FILES = (".aux.xml", "-wal", "-shm", "-journal")
"""Endings of files that GDAL, QGIS and SQLite write beside a listed file; they can be made again."""
_part_folder: ContextVar[Path | None] = ContextVar("_part_folder", default=None)


@contextlib.contextmanager
def writing(path: Path) -> Iterator[Path]:
    """Yield a temporary name beside ``path`` and rename it when the block ends well.

    Parameters
    ----------
    path : Path
        Replaced if it is there: see :func:`check_files` for whether it may be.

    Raises
    ------
    OutputError
        If the folder cannot be made or written to, or the disk is full.
    """
    temporary = temporary_name(path)
    announce(temporary)
    is_inner = any(PART.fullmatch(p.name) for p in (path, *path.parents))  # the folder around it is swept and synced
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not is_inner:
            sweep(path)
        yield temporary
        if not is_inner:
            durable.sync_file(temporary)
        os.replace(temporary, path)
        if not is_inner:
            durable.sync_names(path.parent)
    except OSError as error:
        raise _cannot_be_written(path, error) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def writing_folder(path: Path, *, overwrite: bool = False, record: str = RECORD) -> Iterator[Path]:
    """Yield a temporary folder beside ``path`` that takes its name when the block ends well.

    The record that the block wrote gets the list of the folder's files: by it the folder is known as a result later.
    Where another process finished the same result meanwhile (the same ``key`` in its record), that one is kept.

    Parameters
    ----------
    path : Path
        Missing or empty; with ``overwrite`` it may be an earlier result.
    overwrite : bool
        Replace an earlier result, see :func:`check_replaceable`.
    record : str
        Name of the JSON file in the folder that lists its files.

    Raises
    ------
    OutputError
        If the parent cannot be written to, or ``path`` is something that may not be replaced.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        sweep(path)
        check_place(path, overwrite=overwrite, record=record)
        temporary = temporary_name(path)
        announce(temporary)
        temporary.mkdir()
    except OSError as error:
        raise _cannot_be_written(path, error) from error
    outer = _part_folder.set(temporary)
    try:
        yield temporary
        _list_contents(temporary, record)
        durable.sync_tree(temporary)
        _take_place(temporary, path, overwrite=overwrite, record=record)
        durable.sync_names(path.parent)
        with contextlib.suppress(OSError):  # one who was being killed may have been alive still when this began
            sweep(path)
    except OSError as error:
        raise _cannot_be_written(path, error) from error
    finally:
        _part_folder.reset(outer)
        shutil.rmtree(temporary, ignore_errors=True)


@contextlib.contextmanager
def scratch(path: Path | None = None) -> Iterator[Path]:
    """Yield a folder for files that nobody needs afterwards; where this process is killed, the next run removes it.

    Parameters
    ----------
    path : Path, optional
        A file that is being made: the scratch lies beside it under a temporary name. By default it lies in the folder
        that :func:`writing_folder` is filling, and where there is none, where the system keeps such files.

    Raises
    ------
    OutputError
        If it cannot be made.
    """
    if path is not None:
        temporary = temporary_name(path)
    elif (part := _part_folder.get()) is not None:
        temporary = temporary_name(part / "scratch")
    else:
        with tempfile.TemporaryDirectory(prefix="polynya_") as folder:
            yield Path(folder)
        return
    try:
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            sweep(path)
        announce(temporary)
        temporary.mkdir()
    except OSError as error:
        raise _cannot_be_written(path or temporary, error) from error
    try:
        yield temporary
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def check_place(path: Path, *, overwrite: bool, record: str = RECORD) -> None:
    """Raise unless a folder is free, or an earlier result that is to be replaced.

    Parameters
    ----------
    path : Path
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
    if is_free(path):
        return
    check_replaceable(path, record=record)
    if not overwrite:
        raise UsageError(
            f"{path}: exists already; expected a new name. Pass --overwrite to replace it, or choose another name."
        )


def is_free(path: Path) -> bool:
    """Return whether nothing is at ``path``, or an empty folder."""
    if path.is_symlink() or (path.exists() and not path.is_dir()):
        return False
    return not path.exists() or not any(path.iterdir())


def check_replaceable(path: Path, *, record: str = RECORD, also: Iterable[str] = ()) -> None:
    """Raise unless a folder is provably an earlier result: its record lists every file in it.

    Parameters
    ----------
    path : Path
        The folder.
    record : str
        Name of the JSON file that lists the files.
    also : iterable of str
        Files that count as listed: those of a run that was stopped.

    Raises
    ------
    OutputError
        If it is no folder, has no such record, or holds a file that the record does not list.
    """
    what = "only a folder that holds an earlier result and nothing else is replaced, with --overwrite"
    if path.is_symlink() or not path.is_dir():
        raise OutputError(f"{path}: is no folder; {what}. Choose another name.")
    also = set(also)
    listed = set(contents_of(path / record)) | also
    there = _files_in(path)
    if not listed or (record not in there and not also & there):
        raise OutputError(
            f"{path}: is no result of polynya (its {record} is missing, or of an earlier version that does not list"
            f" its files); {what}. Choose another name, or remove the folder yourself."
        )
    strange = sorted(n for n in there - listed if not is_side_file(n, listed))
    if strange:
        raise OutputError(
            f"{path}: holds {strange[0]}{f' and {len(strange) - 1} more files' if strange[1:] else ''} that its"
            f" {record} does not list; {what}. Move {'them' if strange[1:] else 'it'} away, or choose another name."
        )


def check_files(files: Iterable[Place], *, record: Place, overwrite: bool) -> None:
    """Raise unless result files are new, or were written by an earlier run and are to be replaced.

    Parameters
    ----------
    files : iterable of Path or Address
        What a run is about to write, the record left out.
    record : Path or Address
        ``NAME.run.json`` beside them: written too, so it must be free or that of an earlier run.
    overwrite : bool
        Files of an earlier run may be replaced; those of a run that was stopped before the last one had its name may
        always be.

    Raises
    ------
    OutputError
        If a file is there that the record does not list, or the record is not one of polynya.
    UsageError
        If a file is there, and ``overwrite`` is not given.
    """
    files = list(files)
    there = [p for p in files if p.exists() or p.is_symlink()]
    listed = set(contents_of(record))
    is_half = any(p.name in listed for p in files if p not in there)  # the record comes first: a run was stopped
    if (record.exists() or record.is_symlink()) and not is_own(read_record(record) or {}):
        raise OutputError(
            f"{record}: exists already and is no record of polynya; expected a free name: it is not replaced, even with"
            " --overwrite. Choose another name, or move it away."
        )
    for path in there:
        if path.name not in listed or path.is_dir():
            raise OutputError(
                f"{path}: exists already and {record.name} does not list it, so it is no result of polynya; expected a"
                " new name: it is not replaced, even with --overwrite. Choose another name, or remove it yourself."
            )
    if there and not overwrite and not is_half:
        raise UsageError(f"{there[0]}: exists already; expected a new name. Pass --overwrite to replace it.")


def contents_of(record: Place) -> list[str]:
    """Return the files that a record of polynya lists; none where it is missing, damaged, or of another program."""
    held = read_record(record)
    return listed_in(held) if held is not None and is_own(held) else []


def lists(record: Place, file: Place) -> bool:
    """Return whether a record of polynya beside a file lists it: whether the file is a result."""
    return file.name in contents_of(record)


def listed_in(held: dict) -> list[str]:
    """Return the files that a record lists."""
    listed = held.get(CONTENTS, ())
    return [str(n) for n in listed] if isinstance(listed, (list, tuple)) else []


def is_own(held: dict) -> bool:
    """Return whether polynya wrote a record: other programs call theirs run.json, and list their ``contents``, too."""
    version, simulated = held.get("polynya"), held.get("simulated")
    if simulated:
        return isinstance(version, str) or str(simulated).startswith("polynya")
    return isinstance(version, str) and isinstance(held.get("command"), list)


def read_record(path: Place) -> dict | None:
    """Return a record as it stands; None where it is missing or damaged."""
    if isinstance(path, Path) and not path.is_file():
        return None
    try:
        held = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return held if isinstance(held, dict) else None


def folder_name(path: Path | str) -> str:
    """Return the name of the folder that a file's result goes into: its name without the ending.

    Raises
    ------
    UsageError
        If that names no folder of its own.
    """
    name = Path(path).stem
    if name.strip() in ("", ".", ".."):
        raise UsageError(
            f"{path}: its name without the ending is '{name}'; expected one that can name a folder for the result."
            " Rename the file."
        )
    return name


def _files_in(folder: Path) -> set[str]:
    """Return the files of a folder, temporary ones of running writers left out."""
    found = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_symlink() or not p.is_dir()}
    return {n for n in found if not any(PART.fullmatch(w) for w in n.split("/"))}


def is_side_file(name: str, listed: set[str]) -> bool:
    """Return whether a name is that of a file which other programs write beside a listed one."""
    return any(name.endswith(e) and name.removesuffix(e) in listed for e in SIDE_FILES)


def _list_contents(folder: Path, record: str) -> None:
    """Add the list of a folder's files, with sizes and hashes, to its record, where it has one."""
    path = folder / record
    held = read_record(path)
    if held is not None:
        held[CONTENTS] = sorted(_files_in(folder))
        held[outputs.WRITTEN] = outputs.states(folder, [n for n in held[CONTENTS] if n != record])
        path.write_text(json.dumps(held, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _take_place(temporary: Path, path: Path, *, overwrite: bool, record: str) -> None:
    """Rename a finished folder to its name; an earlier result goes, one that another process just finished stays."""
    old = None
    if overwrite and not is_free(path):
        check_replaceable(path, record=record)  # hours may have passed
        old = temporary_name(path, kind="old")
        announce(old)
        with contextlib.suppress(FileNotFoundError):  # another process replaces it, too
            os.rename(path, old)
    try:
        os.rename(temporary, path)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
            if old is not None and old.is_dir() and not path.exists():
                os.rename(old, path)
            raise
        mine, theirs = read_record(temporary / record), read_record(path / record)
        if mine is None or theirs is None or not same_key(mine, theirs):
            raise OutputError(
                f"{path}: appeared while polynya worked and is no result of the same settings and inputs; expected the"
                " name to stay free. Choose another name."
            ) from error
    if old is not None:
        shutil.rmtree(old, ignore_errors=True)


def same_key(mine: dict, theirs: dict) -> bool:
    """Return whether two records are of the same result: times of files do not count, their content does."""

    def known(record: dict) -> object:
        key = record.get("key")
        if not isinstance(key, dict):
            return None
        inputs = {
            role: [(f.get("size"), f.get("sha256")) for f in files] for role, files in key.get("inputs", {}).items()
        }
        return {**key, "inputs": inputs}

    return known(mine) is not None and known(mine) == known(theirs)


def _cannot_be_written(path: Path, error: OSError) -> OutputError:
    return OutputError(
        f"{path.name}: cannot be written in {path.parent} ({one_line(error)}); expected a folder with room and write"
        " permission. Choose another name, or free space."
    )

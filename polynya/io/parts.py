"""Temporary names of what is being written, and what dead processes left under them."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import secrets
import shutil
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

PART = re.compile(r"\.(?P<name>.+)\.(?P<host>[\w-]+)\.(?P<process>\d+)\.[0-9a-f]{8}\.(?P<kind>part|old)")
"""A temporary name: of what, by which process of which computer."""
_LONGEST_NAME = 150
_listeners: list[Callable[[Path], object]] = []


@contextlib.contextmanager
def listening(listener: Callable[[Path], object]) -> Iterator[None]:
    """Call a function with every temporary name of this process before something is written under it.

    Who outlives a process that may be killed knows by it what to :func:`clear`.

    Parameters
    ----------
    listener : callable
        Takes the path; called from the thread that writes.
    """
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)


def announce(path: Path) -> None:
    """Tell those who listen of something that is to go when this process dies.

    Parameters
    ----------
    path : Path
        A temporary name, or a claim.
    """
    for listener in _listeners:
        listener(path)


def temporary_name(path: Path, *, kind: str = "part") -> Path:
    """Return a hidden name beside ``path`` that carries this computer, this process and a random word.

    Parameters
    ----------
    path : Path
        The file or folder.
    kind : str
        ``part`` for what is being written, ``old`` for an earlier result that is being replaced.
    """
    name = path.name
    if len(name.encode()) > _LONGEST_NAME:
        name = name.encode()[:_LONGEST_NAME].decode(errors="ignore")
    return path.with_name(f".{name}.{host()}.{os.getpid()}.{secrets.token_hex(4)}.{kind}")


def host() -> str:
    """Return a word for this computer that fits into a file name."""
    full = socket.gethostname()
    word = re.sub(r"[^\w-]", "-", full, flags=re.ASCII)[:30]
    return f"{word}-{hashlib.sha256(full.encode()).hexdigest()[:6]}"


def sweep(*paths: Path) -> None:
    """Remove what runs for results left behind that died on this computer; those of other computers stay.

    Where a run died while it replaced an earlier result, and nothing has its name, that result gets it back.

    Parameters
    ----------
    paths : Path
        The results; every folder is read once.
    """
    wanted: dict[Path, dict[str, Path]] = {}
    for path in paths:
        own = PART.fullmatch(temporary_name(path).name)
        if own is not None:
            wanted.setdefault(path.parent, {})[own["name"]] = path
    for folder, results in wanted.items():
        with os.scandir(folder) as entries:
            names = [e.name for e in entries if e.name.startswith(".")]
            parts = [found for n in names if (found := PART.fullmatch(n)) is not None]
        for found in parts:
            name = _of(found["name"])
            if name not in results or found["host"] != host() or is_alive(int(found["process"])):
                continue
            _clear(folder / found[0], results[name], kind=found["kind"])


def _of(name: str) -> str:
    """Return what a temporary name is of; a writer of a writer's file gives that a temporary name once more."""
    while (found := PART.fullmatch(name)) is not None:
        name = found["name"]
    return name


def sweep_folder(folder: Path) -> None:
    """Remove everything that dead processes of this computer left in a folder.

    Parameters
    ----------
    folder : Path
        One that holds nothing but temporary names.
    """
    for path in list(folder.iterdir()) if folder.is_dir() else []:
        found = PART.fullmatch(path.name)
        if found is not None and found["host"] == host() and not is_alive(int(found["process"])):
            clear(path)


def clear(part: Path) -> None:
    """Remove what a dead process left under a temporary name; an earlier result gets its own name back.

    Parameters
    ----------
    part : Path
        As :func:`announce` told it; nothing happens where nothing is.
    """
    found = PART.fullmatch(part.name)
    kind = "" if found is None else found["kind"]
    _clear(part, part if found is None else part.with_name(found["name"]), kind=kind)


def _clear(part: Path, path: Path, *, kind: str) -> None:
    if kind == "old" and not os.path.lexists(path):
        with contextlib.suppress(OSError):
            os.rename(part, path)
        return
    if part.is_dir() and not part.is_symlink():
        shutil.rmtree(part, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def is_alive(process: int) -> bool:
    """Return whether a process of this computer runs; one that ended and that nobody asked after yet does not.

    Parameters
    ----------
    process : int
        Its number.
    """
    if os.name == "nt":  # there a signal of 0 is an interrupt
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return _state(process) not in ("Z", "X")


def _state(process: int) -> str:
    """Return the letter of a process' state where the system tells it: in a container, the dead may stay for long."""
    try:
        said = Path(f"/proc/{process}/stat").read_bytes()
    except OSError:
        return ""
    return said.rpartition(b")")[2].split()[0].decode()

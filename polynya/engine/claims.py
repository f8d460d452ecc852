"""Claims: two commands on one output folder share its items, instead of doing each of them twice.

Who works on an item holds ``.NAME.claim`` beside its result. A claim saves work and protects nothing: a result gets its
name by one rename, whoever made it. So one that is broken by mistake costs time, and no result.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from ..io import atomic

BEAT_S = 5.0
"""How often who holds a claim sets its time."""
STALE_S = 60.0
"""A claim whose time stands still for so long belongs to nobody any more; as others see it, no clock is compared."""
_LOOK_S = 0.25
_LONGEST_NAME = 200


def new_run() -> str:
    """Return a word for one run: its own claims do not hold it up when an item is tried again elsewhere."""
    return secrets.token_hex(8)


def path_of(place: Path | str) -> Path:
    """Return the name of the claim beside a result.

    Parameters
    ----------
    place : Path or str
        The result's file or folder.
    """
    place = Path(place)
    name = place.name.encode()[:_LONGEST_NAME].decode(errors="ignore")
    return place.with_name(f".{name}.claim")


@contextlib.contextmanager
def holding(place: Path | str, *, run: str = "", wait: bool = True) -> Iterator[bool]:
    """Hold the claim of a result while the block works; yield whether to work.

    Parameters
    ----------
    place : Path or str
        The result's file or folder; an empty one is claimed by nobody.
    run : str
        Of :func:`new_run`; a claim of the same run is taken over.
    wait : bool
        Wait until another run gives its claim back, or dies; otherwise yield False.
    """
    if not str(place) or not Path(place).name:
        yield True
        return
    path = path_of(place)
    made = _make_parents(path.parent)
    try:
        words = _take(path, run=run, wait=wait)
        if words is None:
            yield False
            return
        stop = threading.Event()
        beating = threading.Thread(target=_beat, args=(path, words, stop), name="claim", daemon=True)
        beating.start()
        try:
            yield True
        finally:
            stop.set()
            if _read(path) == words:
                with contextlib.suppress(OSError):
                    path.unlink()
    finally:
        for folder in made:  # where nothing was written, nothing stays
            with contextlib.suppress(OSError):
                folder.rmdir()


def is_held(place: Path | str, *, run: str) -> bool:
    """Return whether a run holds the claim of a result.

    Parameters
    ----------
    place : Path or str
        The result's file or folder.
    run : str
        Of :func:`new_run`.
    """
    return _holder(_read(path_of(place))).get("run") == run


def give_back(path: Path, *, process: int) -> None:
    """Remove what a dead process of this computer left behind: a claim of its own, or what it was writing.

    Parameters
    ----------
    path : Path
        As :func:`polynya.io.atomic.announce` told it.
    process : int
        The process.
    """
    if not path.name.endswith(".claim"):
        atomic.clear(path)
        return
    holder = _holder(_read(path))
    if holder.get("process") == process and holder.get("host") == atomic.host():
        with contextlib.suppress(OSError):
            path.unlink()
        with contextlib.suppress(OSError):  # a folder that only the claim made
            path.parent.rmdir()


def _take(path: Path, *, run: str, wait: bool) -> str | None:
    """Return the words of the claim that is taken now, empty where none can be written; None where another holds it."""
    words = json.dumps({"host": atomic.host(), "process": os.getpid(), "run": run, "word": secrets.token_hex(4)})
    seen, since = None, time.monotonic()
    while True:
        try:
            _create(path, words)
            atomic.announce(path)
            return words
        except FileExistsError:
            pass
        except OSError:  # no room, no permission, no such folder: the task says so, in its own words
            return ""
        held = _read(path)
        holder = _holder(held)
        if run and holder.get("run") == run:
            return words if _replace(path, words) else ""
        state = (held, _time(path))
        if state != seen:
            seen, since = state, time.monotonic()
        if _is_dead(holder) or time.monotonic() - since > STALE_S:
            _break(path, held)
        elif not wait:
            return None
        else:
            time.sleep(_LOOK_S)


def _create(path: Path, words: str) -> None:
    handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
    try:
        os.write(handle, words.encode())
    finally:
        os.close(handle)


def _replace(path: Path, words: str) -> bool:
    temporary = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    try:
        temporary.write_text(words)
        os.replace(temporary, path)
    except OSError:
        return False
    atomic.announce(path)
    return True


def _break(path: Path, held: str) -> None:
    """Remove a claim that belongs to nobody, unless it is another one by now."""
    aside = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    with contextlib.suppress(OSError):
        os.rename(path, aside)
        if _read(aside) != held:
            with contextlib.suppress(FileExistsError):
                os.link(aside, path)
        aside.unlink()


def _beat(path: Path, words: str, stop: threading.Event) -> None:
    while words and not stop.wait(BEAT_S):
        with contextlib.suppress(OSError):
            os.utime(path)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _time(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def _holder(held: str) -> dict:
    try:
        found = json.loads(held)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _is_dead(holder: dict) -> bool:
    process = holder.get("process")
    return isinstance(process, int) and holder.get("host") == atomic.host() and not atomic.is_alive(process)


def _make_parents(folder: Path) -> list[Path]:
    """Make a folder and return what was made, the innermost first."""
    missing = []
    with contextlib.suppress(OSError):
        for parent in (folder, *folder.parents):
            if parent.exists():
                break
            missing.append(parent)
        folder.mkdir(parents=True, exist_ok=True)
    return missing

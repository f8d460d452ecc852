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
from collections.abc import Iterable, Iterator
from pathlib import Path

from ..errors import UsageError
from ..io import atomic, remote

BEAT_S = 5.0
"""How often who holds a claim sets its time."""
STALE_S = 60.0
"""A claim whose time stands still for so long belongs to nobody any more; as others see it, no clock is compared."""
_LOOK_S = 0.25
_LONGEST_NAME = 200
_held = threading.local()


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

    Listeners (:func:`polynya.io.atomic.listening`) get the claim when the waiting is over.

    Parameters
    ----------
    place : Path or str
        The result's file or folder; an empty one is claimed by nobody.
    run : str
        Of :func:`new_run`; a claim of the same run is taken over.
    wait : bool
        Wait until another run gives its claim back, or dies; otherwise yield False.

    Raises
    ------
    UsageError
        If this thread itself holds it for another run, and would wait for itself.
    """
    if not can_be_claimed(place):
        yield True
        return
    path = path_of(place)
    mine = _held.__dict__.setdefault("words", set())
    made = _make_parents(path.parent)
    try:
        words = _take(path, run=run, wait=wait, mine=mine)
        if words is None:
            yield False
            return
        mine.add(words)
        atomic.announce(path)
        stop = threading.Event()
        beating = threading.Thread(target=_beat, args=(path, words, stop), name="claim", daemon=True)
        beating.start()
        try:
            yield True
        finally:
            stop.set()
            mine.discard(words)
            if words and _read(path) == words:
                with contextlib.suppress(OSError):
                    path.unlink()
    finally:
        for folder in made:  # where nothing was written, nothing stays
            with contextlib.suppress(OSError):
                folder.rmdir()


def can_be_claimed(place: Path | str) -> bool:
    """Return whether there is a result whose name a claim can stand beside: a path, no address in an object store.

    Parameters
    ----------
    place : Path or str
        The result's file or folder; empty where an item has none.
    """
    return bool(str(place)) and not remote.is_address(str(place)) and bool(Path(place).name)


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


def sweep(places: Iterable[Path | str]) -> None:
    """Remove what dead processes of this computer left behind of results.

    Parameters
    ----------
    places : iterable of Path or str
        The results' files or folders; empty ones are left out.
    """
    together: dict[Path, list[Path]] = {}
    for path in (Path(p) for p in places if can_be_claimed(p)):
        together.setdefault(path.parent, []).append(path)
    for paths in together.values():
        with contextlib.suppress(OSError):
            atomic.sweep(*paths)


def _take(path: Path, *, run: str, wait: bool, mine: set[str]) -> str | None:
    """Return the words of the claim that is taken now, empty where none can be written; None where another holds it."""
    words = json.dumps({"host": atomic.host(), "process": os.getpid(), "run": run, "word": secrets.token_hex(4)})
    seen, since = None, time.monotonic()
    while True:
        try:
            _create(path, words)
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
            if not _break(path, held):
                return ""  # nobody's, and it cannot be removed: the result itself gets its name by one rename
        elif not wait:
            return None
        elif held in mine:
            raise UsageError(
                f"{path.name}: held by the same thread that waits for it, in {path.parent}; expected another command."
                " Give the work inside another output folder."
            )
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
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        return False
    return True


def _break(path: Path, held: str) -> bool:
    """Remove a claim that belongs to nobody, unless it is another one by now; return whether it is gone."""
    aside = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    try:
        os.rename(path, aside)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    with contextlib.suppress(OSError):
        if _read(aside) != held:
            os.link(aside, path)
    with contextlib.suppress(OSError):
        aside.unlink()
    return True


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

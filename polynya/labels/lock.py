"""One writer for a corrections file: a lock beside it that dies with its process."""

from __future__ import annotations

import contextlib
import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path

from ..errors import OutputError, one_line

try:
    import fcntl
except ImportError:  # Windows: the process number alone decides
    fcntl = None  # type: ignore[assignment]


def beside(corrections: Path) -> Path:
    """Return where the lock of a corrections file lies."""
    return corrections.with_name(f".{corrections.name}.lock")


@contextlib.contextmanager
def locked(corrections: Path) -> Iterator[Path]:
    """Hold a corrections file for this process; the lock of a process that died is taken over.

    Where the system has ``flock``, it decides, and it ends with the process however that ends. Elsewhere, and on file
    systems without it, a lock whose process still runs on this computer holds.

    Raises
    ------
    OutputError
        If another process holds it, or the folder cannot be written to.
    """
    path = beside(corrections)
    try:
        handle = _taken(path)
    except OSError as error:
        raise OutputError(
            f"{corrections.name}: its lock {path.name} cannot be written in {path.parent} ({one_line(error)}); expected"
            " a folder with write permission. Corrections are saved beside the labels: copy the labels to a folder of"
            " your own."
        ) from error
    if handle is None:
        holder = _holder(path)
        raise OutputError(
            f"{corrections.name}: another polynya review has it open (process {holder.get('pid', 'unknown')} on"
            f" {holder.get('host', 'an unknown computer')}); expected one at a time. Use its page, or stop it."
        )
    try:
        yield path
    finally:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
        os.close(handle)


def _taken(path: Path) -> int | None:
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        if not _claimed(path, handle):
            os.close(handle)
            return None
        try:  # the former holder may have removed the file between our opening and our lock
            if os.fstat(handle).st_ino == path.stat().st_ino:
                break
        except FileNotFoundError:
            pass
        os.close(handle)
    os.ftruncate(handle, 0)
    os.lseek(handle, 0, os.SEEK_SET)
    os.write(handle, json.dumps({"pid": os.getpid(), "host": socket.gethostname()}).encode())
    return handle


def _claimed(path: Path, handle: int) -> bool:
    if fcntl is not None:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            return False
        except OSError:  # a file system without flock
            pass
    return not _runs(_holder(path))


def _holder(path: Path) -> dict[str, object]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _runs(holder: dict[str, object]) -> bool:
    if not isinstance(holder.get("pid"), int):
        return False
    if holder.get("host") != socket.gethostname():
        return True  # nothing here can tell: the message says where it was
    if holder["pid"] == os.getpid():
        return False
    try:
        os.kill(holder["pid"], 0)  # type: ignore[arg-type]
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True

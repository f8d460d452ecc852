"""One writer for a corrections file: a lock beside it that ends with its process."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import filelock

from ..errors import OutputError, one_line

WAIT_S = 0.5
"""How long a lock is waited for; long enough to take over that of a process that died on this computer."""


def lock_path(corrections: Path) -> Path:
    """Return where the lock of a corrections file lies."""
    return corrections.with_name(f".{corrections.name}.lock")


@contextlib.contextmanager
def locked(corrections: Path) -> Iterator[Path]:
    """Hold a corrections file for this process; the lock of a process that died on this computer is taken over.

    The lock is a file that names its process and computer, so it also holds on network drives.

    Parameters
    ----------
    corrections : Path
        The file that is to be written.

    Raises
    ------
    OutputError
        If another process holds it, or the folder cannot be written to.
    """
    path = lock_path(corrections)
    lock = filelock.SoftFileLock(path, timeout=WAIT_S, poll_interval=0.05)
    try:
        lock.acquire()
    except filelock.Timeout as error:
        process, computer = _holder(path)
        raise OutputError(
            f"{corrections.name}: another polynya review has it open (process {process} on {computer}); expected one at"
            f" a time. Use its page, or stop it; if that computer is gone, remove {path}."
        ) from error
    except OSError as error:
        raise OutputError(
            f"{corrections.name}: its lock {path.name} cannot be written in {path.parent} ({one_line(error)}); expected"
            " a folder with write permission. Corrections are saved beside the labels: copy the labels to a folder of"
            " your own."
        ) from error
    try:
        yield path
    finally:
        lock.release()


def _holder(path: Path) -> tuple[str, str]:
    """Return the process and the computer that a lock names."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        lines = []
    return (lines[0], lines[1]) if len(lines) > 1 else ("unknown", "an unknown computer")

"""``polynya review``: a page on this computer in which a person corrects labels; every change is saved at once.

The labels are not touched: changes go to ``NAME.corrections.jsonl`` beside them (:mod:`polynya.labels.corrections`),
and ``polynya label --corrections`` merges them.
"""

from __future__ import annotations

import contextlib
import getpass
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...errors import OutputError, UsageError, one_line
from ...labels import corrections, lock
from .files import find
from .server import ReviewServer
from .session import Session

LONGEST_NAME = 80


@dataclass(frozen=True, kw_only=True)
class Started:
    """A review that runs.

    Attributes
    ----------
    address : str
        What to open, the session's key in its fragment.
    files : tuple of Path
        The labels under review.
    corrections : tuple of Path
        Where the changes go, one file for each.
    torn : tuple of str
        Corrections files whose last line is incomplete; that line is ignored.
    """

    address: str
    files: tuple[Path, ...]
    corrections: tuple[Path, ...]
    torn: tuple[str, ...]


def run(
    paths: Sequence[Path | str], *, who: str = "", port: int = 0, on_start: Callable[[Started], None] | None = None
) -> None:
    """Serve the review page until the process is stopped.

    Parameters
    ----------
    paths : sequence of Path or str
        Label tables, or folders that hold some.
    who : str, optional
        Written into every correction; the user's login name by default.
    port : int, optional
        0 takes a free one.
    on_start : callable, optional
        Called once with :class:`Started` when the page can be opened.

    Raises
    ------
    ProductError
        If a file is no label table, or its corrections are damaged.
    OutputError
        If another review holds a file, or its folder cannot be written to.
    UsageError
        If the port or the name cannot be used.
    """
    with started(paths, who=who, port=port) as (server, about):
        if on_start is not None:
            on_start(about)
        server.serve_forever(poll_interval=0.5)


@contextlib.contextmanager
def started(paths: Sequence[Path | str], *, who: str = "", port: int = 0) -> Iterator[tuple[ReviewServer, Started]]:
    """Yield a bound server and its :class:`Started`; locks and socket are released at the end. Arguments as
    :func:`run`."""
    if not 0 <= port <= 65535:
        raise UsageError(f"port {port}: expected 0 (any free one) to 65535. Choose another --port.")
    who = _name(who)
    files = find(paths)
    if not files:
        raise UsageError(
            "review: no label table was named; expected at least one. Name labels.parquet, or a folder of them."
        )
    torn = []
    with contextlib.ExitStack() as held:
        for file in files:
            held.enter_context(lock.locked(file.corrections))
            if corrections.read_log(file.corrections).torn:
                torn.append(file.corrections.name)
        try:
            server = ReviewServer(Session(files, who=who), port=port)
        except OSError as error:
            raise OutputError(
                f"port {port}: cannot be used ({one_line(error)}); expected a free one. Leave --port out to take any."
            ) from error
        held.callback(server.server_close)
        yield (
            server,
            Started(
                address=server.address,
                files=tuple(f.path for f in files),
                corrections=tuple(f.corrections for f in files),
                torn=tuple(torn),
            ),
        )


def _name(who: str) -> str:
    if not who:
        try:
            who = getpass.getuser()
        except (KeyError, OSError, ImportError):
            who = "unknown"
    who = " ".join(who.split())
    if not who or len(who) > LONGEST_NAME or not who.isprintable():
        raise UsageError(
            f"who: {who[:40]!r}; expected a name of 1 to {LONGEST_NAME} printable characters. Pass --who NAME."
        )
    return who

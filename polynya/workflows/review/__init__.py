"""``polynya review``: a page on this computer in which a person corrects labels; every change is saved at once.

The labels are not touched: changes go to ``NAME.corrections.jsonl`` beside them (:mod:`polynya.labels.corrections`),
and ``polynya label --corrections`` merges them. Tags of imagettes have a page of their own; a person's tags go to
``NAME.reviewed`` beside the result (:mod:`polynya.labels.tag_reviews`), a folder that training reads.
"""

from __future__ import annotations

import contextlib
import getpass
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import OutputError, UsageError, one_line
from ...labels import corrections, lock, tag_reviews
from . import imagettes
from .files import find
from .server import LABELS, ReviewServer, Site
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
        Label tables, results of ``polynya tags``, or folders that hold some.
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
    of_tags = imagettes.find(paths)
    if of_tags:
        if any(imagettes.find([p]) == [] for p in paths):
            raise UsageError(
                "review: some of these hold tags of imagettes, others do not; expected results of one kind. Review them"
                " apart."
            )
        with _tags(of_tags, who=who, port=port) as both:
            yield both
        return
    files = find(paths)
    if not files:
        raise UsageError(
            "review: nothing was named; expected labels or tags. Name labels.parquet, or a folder of polynya tags."
        )
    with contextlib.ExitStack() as held:
        for file in files:
            held.enter_context(lock.locked(file.corrections))
        torn = [f.corrections.name for f in files if corrections.read_log(f.corrections).torn]
        with _served(Session(files, who=who), port=port, site=LABELS) as server:
            yield server, _started(server, files, torn=torn)


@contextlib.contextmanager
def _tags(files: Sequence[imagettes.TagFile], *, who: str, port: int) -> Iterator[tuple[ReviewServer, Started]]:
    """Yield a server of tags of imagettes, and its :class:`Started`."""
    new = []
    with contextlib.ExitStack() as held:
        for file in files:
            tag_reviews.check_table(file.folder, tag_reviews.read_log(file.corrections))
            if not file.folder.exists():
                new.append(file.folder)
                _make(file.folder)
            held.enter_context(lock.locked(file.corrections))
        try:
            session = imagettes.ImagetteSession(files, who=who)
            with _served(session, port=port, site=imagettes.SITE) as server:
                yield server, _started(server, files)
        finally:
            held.close()
            for folder in new:  # nothing was changed: nothing is left
                with contextlib.suppress(OSError):
                    folder.rmdir()


def _make(folder: Path) -> None:
    try:
        folder.mkdir()
    except OSError as error:
        raise OutputError(
            f"{folder}: cannot be made ({one_line(error)}); expected a folder with write permission. Copy the result to"
            " a folder of your own."
        ) from error


def _started(server: ReviewServer, files: Sequence[Any], *, torn: Sequence[str] = ()) -> Started:
    return Started(
        address=server.address,
        files=tuple(f.path for f in files),
        corrections=tuple(f.corrections for f in files),
        torn=tuple(torn),
    )


@contextlib.contextmanager
def _served(session: Any, *, port: int, site: Site) -> Iterator[ReviewServer]:
    try:
        server = ReviewServer(session, port=port, site=site)
    except OSError as error:
        raise OutputError(
            f"port {port}: cannot be used ({one_line(error)}); expected a free one. Leave --port out to take any."
        ) from error
    try:
        yield server
    finally:
        server.server_close()


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

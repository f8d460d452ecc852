"""Files at an address (``s3://``, ``gs://``, ``https://``): fetched whole into a bounded cache, and kept while in use.

Only what somebody names is fetched. A cached copy is taken again where size and version at the address are the same.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from ..errors import OutputError, PolynyaError, ProductError, UsageError, one_line
from . import atomic

CACHE, CACHE_GB = "POLYNYA_CACHE", "POLYNYA_CACHE_GB"
"""Environment: the folder of the cache, and what it may hold."""
DEFAULT_GB = 20.0
TRIES = 3
_VERSIONS = ("ETag", "etag", "md5Hash", "crc32c", "LastModified", "Last-Modified", "updated", "mtime", "created")
_PAUSE_S = 1.0
_ABOUT = ".about.json"


def is_address(text: object) -> bool:
    """Return whether an input is an address rather than a path.

    Parameters
    ----------
    text : object
        A path, or text.
    """
    return isinstance(text, str) and re.match(r"[A-Za-z][A-Za-z0-9+.-]+://", text) is not None


def name_of(text: str) -> str:
    """Return the file name of a path or an address.

    Parameters
    ----------
    text : str
        As given.
    """
    return PurePosixPath(re.sub(r"[?#].*$", "", text)).name if is_address(text) else Path(text).name


def local_path(text: str) -> Path:
    """Return where an input is, or will be once it is fetched; nothing is fetched.

    Parameters
    ----------
    text : str
        A path or an address.
    """
    if not is_address(text):
        return Path(text)
    word = hashlib.sha256(text.encode()).hexdigest()[:16]
    return cache_folder() / word / (name_of(text) or "file")


def cache_folder() -> Path:
    """Return the folder of the cache: that of ``POLYNYA_CACHE``, or one in the user's cache folder."""
    given = os.environ.get(CACHE)
    if given:
        return Path(given)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "polynya"


@contextlib.contextmanager
def fetched(text: str) -> Iterator[Path]:
    """Yield an input as a file on this computer; one at an address is fetched, and not evicted while the block runs.

    Parameters
    ----------
    text : str
        A path, which is yielded as it is, or an address.

    Raises
    ------
    ProductError
        If it cannot be fetched.
    UsageError
        If the cache cannot hold it, or the package for such addresses is not installed.
    """
    path = local_path(text)
    if not is_address(text):
        yield path
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path.parent / ".lock", os.O_CREAT | os.O_RDWR, 0o644)
    except OSError as error:
        raise UsageError(
            f"{CACHE}: {cache_folder()} cannot be written ({one_line(error)}); expected a folder for fetched files. Set"
            f" {CACHE}."
        ) from error
    try:
        _lock(handle, alone=True)
        _fetch(text, path)
        _lock(handle, alone=False)
        yield path
    finally:
        os.close(handle)


def matching(text: str) -> list[str]:
    """Return the addresses that match a pattern, sorted.

    Parameters
    ----------
    text : str
        An address with ``*``.

    Raises
    ------
    ProductError
        If the store does not answer.
    UsageError
        If the package for such addresses is not installed.
    """
    files, inner = store_of(text)
    return sorted(files.unstrip_protocol(p) for p in asked(text, lambda: files.glob(inner)))


def _fetch(text: str, path: Path) -> None:
    """Bring the cached copy up to date; the caller holds its lock."""
    files, inner = store_of(text)
    info = asked(text, lambda: files.info(inner))
    size = int(info.get("size") or 0)
    about = {"address": text, "size": size, "version": {k: str(info[k]) for k in _VERSIONS if info.get(k)}}
    beside = path.with_name(f"{path.name}{_ABOUT}")
    held = atomic.read_record(beside)
    if held == about and path.exists() and path.stat().st_size == size and size:
        os.utime(beside)
        return
    make_room(size, keep=path.parent, text=text)
    with atomic.writing(path) as temporary:
        asked(text, lambda: files.get_file(inner, str(temporary)))
        found = temporary.stat().st_size if temporary.exists() else 0
        if size and found != size:
            raise ProductError(
                f"{text}: {found:,} bytes came, the address says {size:,}; expected the whole file. Run again."
            )
    with atomic.writing(beside) as temporary:
        temporary.write_text(json.dumps({**about, "size": found}))


def store_of(text: str) -> tuple[Any, str]:
    """Return the file system of an address, and the address as that system names it.

    Parameters
    ----------
    text : str
        An address.

    Raises
    ------
    UsageError
        If there is no such kind of address, or its package is not installed.
    """
    try:
        import fsspec

        return fsspec.core.url_to_fs(text)
    except ImportError as error:
        raise _not_installed(text, error) from None
    except ValueError as error:
        raise UsageError(
            f"{text}: no such kind of address ({one_line(error)}); expected s3://, gs:// or https://. Correct it."
        ) from None


def asked(text: str, call: Callable[[], Any], *, writes: bool = False) -> Any:
    """Return what a call to a store gives; a failure that may pass is tried again.

    Parameters
    ----------
    text : str
        The address, for messages.
    call : callable
        Asks the store.
    writes : bool
        It writes there; otherwise it reads.

    Raises
    ------
    ProductError
        If it is not answered, or nothing is there to read.
    OutputError
        The same of a call that writes.
    UsageError
        If the package for such addresses is not installed.
    """
    for number in range(1, TRIES + 1):
        try:
            return call()
        except PolynyaError:
            raise
        except ImportError as error:
            raise _not_installed(text, error) from None
        except Exception as error:  # stores raise what they like
            is_clear = isinstance(error, (FileNotFoundError, PermissionError))
            if is_clear or number == TRIES:
                raise (_not_written if writes else _not_read)(text, error) from None
            time.sleep(_PAUSE_S * number)
    raise AssertionError  # the loop returns or raises


def _not_installed(text: str, error: ImportError) -> UsageError:
    return UsageError(
        f"{text}: needs a package that is not installed ({one_line(error)}); expected what opens such addresses."
        " Install it: pip install 'polynya[remote]'."
    )


def _not_read(text: str, error: Exception) -> ProductError:
    if isinstance(error, (FileNotFoundError, PermissionError)):
        what = "is not there" if isinstance(error, FileNotFoundError) else "may not be read"
        return ProductError(
            f"{text}: {what} ({one_line(error)[:200]}); expected an object to fetch. Check the address and your"
            " credentials."
        )
    return ProductError(
        f"{text}: cannot be fetched ({one_line(error)[:200]}; {TRIES} tries); expected a store that answers. Check the"
        " address, the network and your credentials."
    )


def _not_written(text: str, error: Exception) -> OutputError:
    return OutputError(
        f"{text}: cannot be written ({one_line(error)[:200]}); expected a bucket that exists and that you may write"
        " to. Check the address, the network and your credentials; the same command tries again."
    )


def _limit_gb() -> float:
    given = os.environ.get(CACHE_GB, "")
    try:
        limit = float(given) if given else DEFAULT_GB
    except ValueError:
        limit = -1.0
    if not limit > 0:
        raise UsageError(f"{CACHE_GB}={given}: expected a number of GB above 0. Correct it.")
    return limit


def results_folder() -> Path:
    """Return the folder of results on their way to an address: in the cache, and counted with it."""
    return cache_folder() / "results"


def make_room(size: int, *, text: str, keep: Path) -> None:
    """Remove from the cache what was used longest ago until something fits; what is in use stays.

    Parameters
    ----------
    size : int
        Bytes that are to come, or those of a result that is on its way.
    text : str
        Of what, for messages.
    keep : Path, optional
        Its own folder in the cache: it stays.

    Raises
    ------
    UsageError
        If the cache cannot hold it.
    """
    limit = _limit_gb() * 1e9
    if size > limit:
        raise UsageError(
            f"{text}: is {size / 1e9:.1f} GB, and the cache holds {limit / 1e9:g} GB; expected room for it. Set"
            f" {CACHE_GB}."
        )
    entries = []
    for about in cache_folder().glob(f"*/*{_ABOUT}"):
        with contextlib.suppress(OSError):
            file = about.with_name(about.name.removesuffix(_ABOUT))
            entries.append((about.stat().st_mtime, file.stat().st_size if file.exists() else 0, about, file))
    total = sum(e[1] for e in entries) + sum(size_below(p) for p in results_folder().glob("*") if p != keep)
    for _, held, about, file in sorted(entries):
        if total + size <= limit:
            return
        if about.parent != keep and _remove(about, file):
            total -= held


def size_below(folder: Path) -> int:
    """Return the bytes of all files below a folder; 0 where there is none.

    Parameters
    ----------
    folder : Path
        Others may write into it meanwhile.
    """
    total = 0
    for here, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += os.stat(os.path.join(here, name)).st_size
    return total


def _remove(about: Path, file: Path) -> bool:
    try:
        handle = os.open(about.parent / ".lock", os.O_CREAT | os.O_RDWR, 0o644)
    except OSError:
        return False
    try:
        if not _lock(handle, alone=True, wait=False):
            return False
        about.unlink(missing_ok=True)
        file.unlink(missing_ok=True)
        return True
    except OSError:
        return False
    finally:
        os.close(handle)


def _lock(handle: int, *, alone: bool, wait: bool = True) -> bool:
    """Lock a file for one process, or for those who only read; return whether it is locked now."""
    try:
        import fcntl
    except ImportError:  # no such locks there: an evicted file is fetched again
        return True
    try:
        fcntl.flock(handle, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | (0 if wait else fcntl.LOCK_NB))
    except OSError:
        return False
    return True

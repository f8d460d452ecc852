"""Places of results: a path on this computer, or an address in an object store (``s3://bucket/season``).

:func:`place` is the one that decides. An :class:`Address` has of a path what naming and looking takes, so that code
that names files and reads records serves both; what writes to an address is in :mod:`.stored`.
"""

from __future__ import annotations

import os
import posixpath
import urllib.parse
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, TypeAlias

from ..errors import UsageError
from . import remote

READ_ONLY = ("http", "https")


@dataclass(frozen=True, kw_only=True)
class Address:
    """A place in an object store, with the part of :class:`pathlib.Path` that results need.

    There are no folders and no links there: what a path calls a folder is the beginning that names have in common.

    Attributes
    ----------
    text : str
        Without a ``/`` at its end.
    """

    text: str

    def __str__(self) -> str:
        """Return the address as it is written."""
        return self.text

    def __truediv__(self, name: str) -> Address:
        """Return a place below."""
        return Address(text=f"{self.text}/{name}")

    @property
    def name(self) -> str:
        """What follows the last ``/``."""
        return self.text.rpartition("/")[2]

    @property
    def stem(self) -> str:
        """The name without its ending."""
        return PurePosixPath(self.name).stem

    @property
    def suffix(self) -> str:
        """The ending."""
        return PurePosixPath(self.name).suffix

    @property
    def parent(self) -> Address:
        """The place above; a bucket's is itself."""
        kind, _, rest = self.text.partition("://")
        return Address(text=f"{kind}://{rest.rpartition('/')[0] or rest}")

    @property
    def parents(self) -> tuple[Path, ...]:
        """The folders above that could be a file instead: none."""
        return ()

    def with_name(self, name: str) -> Address:
        """Return the place of another name beside this one."""
        return self.parent / name

    def with_suffix(self, suffix: str) -> Address:
        """Return the place whose name has another ending."""
        return self.with_name(self.stem + suffix)

    def exists(self) -> bool:
        """Return whether an object of this name is there; the store is asked.

        Raises
        ------
        ProductError
            If it does not answer.
        """
        files, inner = remote.store_of(self.text)
        files.invalidate_cache()
        found = remote.asked(self.text, lambda: _or_none(files.info, inner))
        return found is not None and found.get("type") != "directory"

    def is_dir(self) -> bool:
        """Return False: there are no folders."""
        return False

    def is_symlink(self) -> bool:
        """Return False: there are no links."""
        return False

    def read_text(self, encoding: str = "utf-8") -> str:
        """Return the text of an object.

        Raises
        ------
        FileNotFoundError
            If it is not there.
        ProductError
            If the store does not answer.
        """
        files, inner = remote.store_of(self.text)
        found = remote.asked(self.text, lambda: _or_none(files.cat_file, inner))
        if found is None:
            raise FileNotFoundError(self.text)
        return bytes(found).decode(encoding)


Place: TypeAlias = Path | Address


def place(given: Path | str | Address) -> Place:
    """Return where results go: a path, or an address; nothing is asked and nothing is written.

    Parameters
    ----------
    given : Path, str or Address
        As on the command line. ``file://`` is a path.

    Raises
    ------
    UsageError
        If nothing can be written at such an address, or its package is not installed.
    """
    if isinstance(given, Address) or not remote.is_address(given):
        return given if isinstance(given, Address) else Path(given)
    text = str(given).rstrip("/")
    kind, _, rest = text.partition("://")
    if kind.lower() == "file":
        return Path(urllib.request.url2pathname(urllib.parse.urlparse(text).path))
    if kind.lower() in READ_ONLY or not rest:
        raise UsageError(
            f"{given}: nothing can be written there; expected a folder, or an object store: s3://BUCKET/NAME,"
            " gs://BUCKET/NAME. Choose another with -o."
        )
    remote.store_of(text)
    return Address(text=text)


def common_folder(places: Sequence[Place]) -> Place:
    """Return the folder in which results lie, or the deepest one that they share.

    Parameters
    ----------
    places : sequence of Path or Address
        Files; all paths, or all addresses.
    """
    addresses = [p.parent.text for p in places if isinstance(p, Address)]
    if not addresses:
        return Path(os.path.commonpath([Path(str(p)).resolve().parent for p in places]))
    kind = addresses[0].partition("://")[0]
    return Address(text=f"{kind}://{posixpath.commonpath([a.partition('://')[2] for a in addresses])}")


def _or_none(call: Callable[[str], Any], inner: str) -> Any:
    """Return what a call gives for an object, None where there is none."""
    try:
        return call(inner)
    except FileNotFoundError:
        return None

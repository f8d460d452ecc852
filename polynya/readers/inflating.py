"""Inflating zlib streams: by libdeflate or ISA-L where the extra [fastio] is installed, by zlib elsewhere.

All of them work outside Python's lock, compare the stream's Adler-32 checksum with the data's, and give the same
bytes; they differ in speed.
"""

from __future__ import annotations

import contextlib
import zlib
from collections.abc import Callable
from types import ModuleType

Inflate = Callable[["bytes | bytearray", int], "bytes | bytearray"]
"""A stream and the length it should inflate to, to its bytes; what is damaged raises the library's own error."""


def _streamed(module: ModuleType) -> Inflate:
    """Return the call of a module with zlib's own interface."""

    def inflate(data: bytes | bytearray, expected: int) -> bytes:
        stream = module.decompressobj()
        out = stream.decompress(data, expected + 1)
        if not stream.eof:
            raise zlib.error("the stream does not end where it should, or its Adler-32 checksum is missing")
        return out

    return inflate


def available() -> dict[str, Inflate]:
    """Return what can inflate here by name, the fastest first.

    Returns
    -------
    dict of str to callable
        ``libdeflate``, ``isal`` where they are installed, ``zlib``. ``inflate(data, expected)`` returns the bytes;
        it raises where the stream is damaged, does not end, or is much longer than expected. Compare the length.
    """
    found: dict[str, Inflate] = {}
    with contextlib.suppress(ImportError):
        from deflate import zlib_decompress

        found["libdeflate"] = zlib_decompress
    with contextlib.suppress(ImportError):
        from isal import isal_zlib

        found["isal"] = _streamed(isal_zlib)
    found["zlib"] = _streamed(zlib)
    return found

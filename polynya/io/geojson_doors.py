"""Addresses in GeoJSON: GDAL fetches a coordinate system that a file gives as a link (GeoJSON of 2008, section 3.3)."""

from __future__ import annotations

import contextlib
import json
import mmap
import re
from collections.abc import Iterator
from pathlib import Path

from ..errors import ProductError, one_line
from . import archives

_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_OUTSIDE = b" \t\r\n{}[]:,+-.0123456789eEtruefalsn" + b"NaInity"  # GDAL also takes NaN and Infinity
_KEY_END = re.compile(rb"\s*:\s*")
_LONGEST = 1 << 16
_NAMED = ("name", "epsg", "ogc")
"""Kinds of coordinate systems that are no links."""


def check(path: Path) -> None:
    """Reject GeoJSON that names an address for its coordinate system, or is no strict JSON, which could hide one.

    Parameters
    ----------
    path : Path
        A file, on the disk or in an archive.

    Raises
    ------
    ProductError
        If it does.
    """
    with contextlib.ExitStack() as stack:
        data: bytes | mmap.mmap
        if not path.is_file():
            data = stack.enter_context(archives.open_binary(path)).read()
        elif path.stat().st_size:
            file = stack.enter_context(path.open("rb"))
            data = stack.enter_context(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        else:
            return
        for start, found in _systems(data, path):
            if isinstance(found, dict) and not _is_plain(found):
                raise ProductError(
                    f"{path.name}: its coordinate system is a link to another place (at byte {start}); expected one by"
                    " name, or none for longitude and latitude: nothing is fetched from a network here. Remove the"
                    " member crs."
                )


def _is_plain(found: dict) -> bool:
    """Return whether a coordinate system is no link; GDAL takes no notice of case."""
    kinds = [v for k, v in found.items() if k.lower() == "type" and v is not None]
    return all(isinstance(k, str) and k.lower() in _NAMED for k in kinds)


def _systems(data: bytes | mmap.mmap, path: Path) -> Iterator[tuple[int, object]]:
    """Yield the values of all members ``crs`` with their places."""
    end = 3 if data[:3] == b"\xef\xbb\xbf" else 0
    for match in _STRING.finditer(data, end):
        _check_outside(data[end : match.start()], path, end)
        end = match.end()
        token = match[0]
        if token.lower() != b'"crs"' and (b"\\" not in token or _decoded(token).lower() != "crs"):
            continue
        colon = _KEY_END.match(data, end)
        if colon is None:
            continue
        text = data[colon.end() : colon.end() + _LONGEST].decode("utf-8", "replace")
        try:
            yield match.start(), json.JSONDecoder().raw_decode(text)[0]
        except (ValueError, RecursionError) as error:
            raise _no_json(path, match.start(), one_line(error)[:80]) from error
    _check_outside(data[end:], path, end)


def _decoded(token: bytes) -> str:
    try:
        return str(json.loads(token))
    except ValueError:
        return ""


def _check_outside(between: bytes, path: Path, start: int) -> None:
    """Reject what stands outside of strings and is no JSON: comments and other quotes hide names from this search."""
    strange = between.translate(None, _OUTSIDE)
    if strange:
        raise _no_json(path, start + between.index(strange[:1]), f"a {strange[:1]!r} outside of a text")


def _no_json(path: Path, place: int, why: str) -> ProductError:
    return ProductError(
        f"{path.name}: cannot be read as JSON (at byte {place}: {why}); expected GeoJSON. Make or fetch it again."
    )

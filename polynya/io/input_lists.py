"""What a command line names: files, a folder, a pattern, a list of files, addresses."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from ..errors import ProductError
from . import opening, remote

LISTS = (".txt", ".lst")
"""Endings of files that list inputs, one a line; a line that begins with ``#`` does not count."""
SHOWN = 60
"""Characters of a line that an error repeats."""


def expand(words: Iterable[Path | str], *, endings: Sequence[str]) -> list[str]:
    """Return the inputs that words name, in their order; those of a folder or a pattern sorted.

    Parameters
    ----------
    words : iterable of Path or str
        Files, folders (the files in them with one of the endings), patterns (``granules/*.h5``, ``**`` for folders
        below), lists (:data:`LISTS`; relative names are relative to the list), addresses (``s3://bucket/x.h5``, also
        with ``*``).
    endings : sequence of str
        Of the files of a folder. A folder that itself has one of them is an input.

    Raises
    ------
    ProductError
        If a folder, a pattern or a list names nothing, or a list cannot be read.
    """
    found: list[str] = []
    for word in words:
        found += _expand(str(word), endings=tuple(endings))
    return found


def _expand(word: str, *, endings: tuple[str, ...]) -> list[str]:
    if remote.is_address(word):
        return _matches_at(word) if glob.has_magic(word.partition("?")[0]) else [word]
    path = Path(word)
    if path.is_dir() and path.suffix.lower() not in endings:  # X.SEN3 is an input itself
        inside = sorted(str(p) for p in path.iterdir() if p.name.lower().endswith(endings) and p.name[0] != ".")
        if not inside:
            raise ProductError(
                f"{word}: is a folder without a file {' or '.join('*' + e for e in endings)}; expected some in it."
                f" For folders below it pass '{path / '**' / ('*' + endings[0])}', in quotes."
            )
        return inside
    if path.suffix.lower() in LISTS and path.is_file():
        lines = opening.read_text(path, expected="a list of files, one a line. Check the path").splitlines()
        names = [s for s in map(str.strip, lines) if s and not s.startswith("#")]
        if not names:
            raise ProductError(f"{word}: lists nothing; expected one file or address a line. Add them.")
        inputs = [n if remote.is_address(n) else str(path.parent / n) for n in names]
        _check_list(word, names, inputs)
        return inputs
    if glob.has_magic(word) and not path.exists():
        matches = sorted(glob.glob(word, recursive=True))
        if not matches:
            raise ProductError(f"{word}: matches nothing; expected a pattern of files that are there. Check it.")
        return matches
    return [word]


def _check_list(word: str, names: Sequence[str], inputs: Sequence[str]) -> None:
    """Raise where a text names nothing that is there: it is no list, or lies in another folder than it was made for."""
    if any(remote.is_address(n) or os.path.exists(n) for n in inputs):
        return
    first = names[0] if len(names[0]) <= SHOWN else names[0][:SHOWN] + "..."
    raise ProductError(
        f"{word}: is read as a list of inputs, one a line, and none of its {len(names):,} lines names one that is"
        f" there; the first is {first!r}. Names are relative to the list. Give a list, or the file's folder."
    )


def _matches_at(word: str) -> list[str]:
    matches = remote.matching(word)
    if not matches:
        raise ProductError(f"{word}: matches nothing; expected a pattern of objects that are there. Check it.")
    return matches

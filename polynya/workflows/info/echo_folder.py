"""``polynya info`` for a folder of files of radar-altimeter echoes: how many of which mission."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ... import io
from ...errors import PolynyaError, ProductError
from ...readers import echo_files
from ...schema import counted
from . import echoes

MOST_NAMED = 3
"""Files that are named as unreadable."""


def is_folder(paths: Sequence[Path | str]) -> bool:
    """Return whether a path is a folder that holds a file of echoes, and is no product itself.

    Parameters
    ----------
    paths : sequence of Path or str
        As given.
    """
    if len(paths) != 1 or "=" in str(paths[0]) or not Path(paths[0]).is_dir() or echoes.is_echoes(paths):
        return False
    return any(echoes.is_echoes([f]) for f in _files(paths[0]))


def _files(folder: Path | str) -> list[str]:
    try:
        return echo_files.named([folder])
    except PolynyaError:
        return []


def run(folder: Path | str) -> dict[str, object]:
    """Count the files and echoes of a folder, by what they are.

    Parameters
    ----------
    folder : Path or str
        Of :func:`is_folder`.

    Returns
    -------
    dict
        Plain data; ``kind`` is ``echo_folder``.
    """
    n_files, n_echoes = Counter[str](), Counter[str]()
    simulated, others = set[str](), []
    for file in _files(folder):
        try:
            first = next(iter(echo_files.blocks(file, records=1)))
            kind = echo_files.title(first.product, mission=first.mission)
            n_echoes[kind] += echo_files.times(file).size
        except ProductError:
            others.append(Path(file).name)
            continue
        n_files[kind] += 1
        simulated |= {kind} if first.is_simulated else set()
    kinds = [
        {"product": k, "files": n_files[k], "echoes": n_echoes[k], "has_simulated": k in simulated}
        for k in sorted(n_files)
    ]
    command = f"polynya leads {shlex.quote(str(folder))} -o leads"
    return io.plain(
        {
            "kind": "echo_folder",
            "name": Path(folder).name or str(folder),
            "products": kinds,
            "not_read": others,
            "next_commands": [command] if kinds else [],
        }
    )


def as_text(about: dict[str, Any]) -> str:
    """Return the description for people: a line for each mission and product."""
    kinds = about["products"]
    lines = [f"{about['name']}: folder of {counted(sum(k['files'] for k in kinds), 'file')} of altimeter echoes"]
    wide = max((len(k["product"]) for k in kinds), default=0)
    for k in kinds:
        more = ", simulated" if k["has_simulated"] else ""
        lines.append(f"  {k['product']:<{wide}}  {counted(k['files'], 'file')}, {counted(k['echoes'], 'echo')}{more}")
    rest = about["not_read"]
    if rest:
        more = f" and {len(rest) - MOST_NAMED} more" if len(rest) > MOST_NAMED else ""
        lines.append(f"  not read    {', '.join(rest[:MOST_NAMED])}{more}: no echoes, or damaged")
    lines += [f"  next        {command}" for command in about["next_commands"]]
    return "\n".join(lines)

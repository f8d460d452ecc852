"""YAML that people write: plain values only, of a size and a depth that no recipe exceeds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..errors import UsageError, one_line
from . import opening

MOST_BYTES = 1 << 20
DEEPEST = 30
MOST_VALUES = 20_000
"""Values of a file with every alias written out: ten aliases of ten aliases of ... would fill the memory."""


def read(path: Path, *, expected: str) -> Any:
    """Read a YAML file of plain values.

    Parameters
    ----------
    path : Path
        The file.
    expected : str
        What should be there and what to do, for the message.

    Raises
    ------
    ProductError
        If it is no regular file, too large, or no text.
    UsageError
        If it is no YAML, too deep, or its aliases grow it too much.
    """
    import yaml

    text = opening.read_text(path, expected=expected, most=MOST_BYTES)
    try:
        _check(yaml.parse(text, Loader=yaml.SafeLoader), path)
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError, KeyError, TypeError) as error:
        raise UsageError(
            f"{path.name}: cannot be read as YAML ({one_line(error)[:160]}); expected {expected}. Fix the file."
        ) from error


def _check(events: Any, path: Path) -> None:
    """Raise where values lie too deep, or are too many with every alias written out."""
    import yaml

    known: dict[str, int] = {}
    open_: list[tuple[str | None, int]] = []  # the anchor of each list or mapping around, and its values so far
    total = 0
    for event in events:
        size = 0
        if isinstance(event, yaml.AliasEvent):
            if event.anchor in [a for a, _ in open_]:
                raise UsageError(f"{path.name}: *{event.anchor} holds itself; expected plain values. Fix the file.")
            size = known.get(event.anchor, 1)
        elif isinstance(event, yaml.CollectionStartEvent):
            open_.append((event.anchor, 1))
            if len(open_) > DEEPEST:
                raise UsageError(
                    f"{path.name}: holds lists more than {DEEPEST} deep; expected plain settings. Fix the file."
                )
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, size = open_.pop()
            if anchor:
                known[anchor] = size
        elif isinstance(event, yaml.ScalarEvent):
            size = 1
            if event.anchor:
                known[event.anchor] = 1
        total = size + (open_[-1][1] if open_ else 0)
        if open_:
            open_[-1] = (open_[-1][0], total)
        if total > MOST_VALUES:
            raise UsageError(
                f"{path.name}: holds more than {MOST_VALUES} values, aliases written out; expected settings. Fix"
                " the file."
            )

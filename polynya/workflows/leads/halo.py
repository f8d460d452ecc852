"""Blocks of a file with echoes of their neighbours around them, so that sequences go on across borders."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ...schema.echoes import Echoes, joined

HALO = 400
"""Echoes to each side of a block: four windows of the networks, four times the echoes that give the level of ranges."""


@dataclass(frozen=True, kw_only=True)
class Padded:
    """A block with its neighbours.

    Attributes
    ----------
    echoes : Echoes
        The block's own echoes, and up to :data:`HALO` before and after them.
    own : slice
        The block's own among them.
    first : int
        Number of the first own echo in the file, from 0.
    """

    echoes: Echoes
    own: slice
    first: int


def padded(blocks: Iterable[Echoes], *, halo: int = HALO) -> Iterator[Padded]:
    """Yield blocks with their neighbours; one block and both halos are in memory beside the next one.

    Parameters
    ----------
    blocks : iterable of Echoes
        Of one file, in order, each with ``halo`` echoes or more but the last.
    halo : int
        Echoes to each side.
    """
    rest = iter(blocks)
    block = next(rest, None)
    before: Echoes | None = None
    first = 0
    while block is not None:
        after = next(rest, None)
        parts = [block]
        if before is not None:
            parts.insert(0, before)
        if after is not None:
            parts.append(after.take(slice(0, halo)))
        start = 0 if before is None else len(before)
        yield Padded(echoes=joined(parts), own=slice(start, start + len(block)), first=first)
        first += len(block)
        before = block.take(slice(max(len(block) - halo, 0), None))
        block = after

"""Blocks of a file with echoes of their neighbours around them, so that sequences go on across borders."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from ...physics import altimeter_tracks
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


def padded(blocks: Iterable[Echoes], *, halo: int = HALO, stride: int = 1) -> Iterator[Padded]:
    """Yield blocks with their neighbours; one block and both halos are in memory beside the next one.

    Networks lay their windows from the begin of a sequence. So that they lie the same in every block, the echoes before
    a block that goes on with a sequence begin a whole number of strides after the sequence does.

    Parameters
    ----------
    blocks : iterable of Echoes
        Of one file, in order, each with ``halo + stride`` echoes or more but the last.
    halo : int
        Echoes to each side, at least; before the block up to ``stride`` more.
    stride : int
        From one window of the network to the next.
    """
    rest = iter(blocks)
    block = next(rest, None)
    before: Echoes | None = None
    first, begun = 0, 0
    while block is not None:
        after = next(rest, None)
        parts = [block] if before is None else [before, block]
        start = 0 if before is None else len(before)
        yielded = joined(parts if after is None else [*parts, after.take(slice(0, halo))])
        yield Padded(echoes=yielded, own=slice(start, start + len(block)), first=first)
        wanted = max(len(block) - halo, 0)  # in the block: where the echoes before the next one should begin
        starts = first - start + altimeter_tracks.starts_of(yielded.time, is_echo=np.ones(len(yielded), bool))
        known = starts[(starts > first - start) & (starts <= first + wanted)]
        begun = int(known[-1]) if known.size else begun
        wanted -= (first + wanted - begun) % stride
        before = block.take(slice(max(wanted, 0), None))
        first += len(block)
        block = after

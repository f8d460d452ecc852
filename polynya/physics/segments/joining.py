"""Parts of a track's segments: take some, join those of consecutive stretches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields

import numpy as np

from .records import Segments


def select(segments: Segments, *, low: int, high: int) -> Segments:
    """Return the segments whose index lies in ``low <= index < high``; the index must increase."""
    a, b = np.searchsorted(segments.index, (low, high))
    return _slice(segments, int(a), int(b))


def _slice(segments: Segments, a: int, b: int) -> Segments:
    parts = {}
    for field in fields(Segments):
        value = getattr(segments, field.name)
        if field.name == "heights":
            value = value[segments.offsets[a] : segments.offsets[b]]
        elif field.name == "offsets":
            value = value[a : b + 1] - value[a]
        else:
            value = value[a:b]
        parts[field.name] = value
    return Segments(**parts)


def concatenate(pieces: Sequence[Segments]) -> Segments:
    """Join segments of consecutive stretches, in order along the track."""
    if len(pieces) == 1:
        return pieces[0]
    parts = {}
    for field in fields(Segments):
        values = [getattr(p, field.name) for p in pieces]
        if field.name == "offsets":
            ends = np.cumsum([0] + [int(v[-1]) for v in values])
            parts["offsets"] = np.concatenate(
                [v[:-1] + e for v, e in zip(values, ends[:-1], strict=True)] + [ends[-1:]]
            )
        else:
            parts[field.name] = np.concatenate(values)
    return Segments(**parts)

"""Cells of a grid on a map as inline SVG: their colours, and marks of those to be careful with."""

from __future__ import annotations

import numpy as np

from .polar_map import VIRIDIS, Frame


def coloured_cells(
    frame: Frame,
    x: np.ndarray,
    y: np.ndarray,
    value: np.ndarray,
    *,
    side: float,
    low: float,
    high: float,
    is_muted: np.ndarray | None = None,
) -> str:
    """Return square cells coloured by a value; cells without one are left out.

    Parameters
    ----------
    frame : Frame
        The rectangle that is drawn.
    x, y : numpy.ndarray, shape (n,)
        Centres of the cells, metres.
    value : numpy.ndarray, shape (n,)
        What is shown.
    side : float
        Side of a cell, metres.
    low, high : float
        Values of the first and last colour.
    is_muted : numpy.ndarray of bool, shape (n,), optional
        Cells whose colour is mixed with as much grey.
    """
    good = np.isfinite(value)
    muted = np.zeros(good.sum(), bool) if is_muted is None else is_muted[good]
    x, y, value = x[good], y[good], value[good]
    left, top = frame.pixels(x - 0.5 * side, y + 0.5 * side)
    wide = max(side * frame.scale, 1.5)
    share = np.clip((value - low) / max(high - low, 1e-12), 0.0, 1.0)
    index = np.rint(share * (len(VIRIDIS) - 1)).astype(int)
    out = []
    for is_grey, k in sorted(set(zip(muted.tolist(), index.tolist(), strict=True))):
        here = (index == k) & (muted == is_grey)
        boxes = "".join(
            f"M{a:.1f} {b:.1f}h{wide:.1f}v{wide:.1f}h{-wide:.1f}z"
            for a, b in zip(left[here].tolist(), top[here].tolist(), strict=True)
        )
        out.append(f'<path d="{boxes}" fill="{muted_colour(VIRIDIS[k]) if is_grey else VIRIDIS[k]}"/>')
    return f'<g class="cells">{"".join(out)}</g>'


def muted_colour(colour: str) -> str:
    """Return a colour, #rrggbb, mixed with as much light grey."""
    mixed = ((int(colour[k : k + 2], 16) + 0xC4) // 2 for k in (1, 3, 5))
    return "#" + "".join(f"{v:02x}" for v in mixed)


def dots(frame: Frame, x: np.ndarray, y: np.ndarray, *, side: float) -> str:
    """Return a dot in the middle of each cell.

    Parameters
    ----------
    frame : Frame
        The rectangle that is drawn.
    x, y : numpy.ndarray, shape (n,)
        Centres of the cells, metres.
    side : float
        Side of a cell, metres.
    """
    px, py = frame.pixels(x, y)
    radius = float(np.clip(0.15 * side * frame.scale, 0.6, 3.0))
    circles = "".join(f'<circle cx="{a:.1f}" cy="{b:.1f}" r="{radius:.1f}"/>' for a, b in zip(px, py, strict=True))
    return f'<g fill="#c2185b" stroke="#fff" stroke-width="{radius / 4:.2f}">{circles}</g>'

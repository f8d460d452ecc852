"""The size distribution of floes as inline SVG: how many are wider than d, on logarithmic axes, and the fitted law."""

from __future__ import annotations

import numpy as np

from ..physics.power_law import PowerLaw
from .html import Markup, number

WIDE, TALL = 470, 300
LEFT, RIGHT, TOP, BOTTOM = 52, 14, 26, 42
POINT, LAW = "#14487f", "#e4572e"


def plot(sizes: np.ndarray, law: PowerLaw | None, *, scale: float, unit: str, resolvable: float) -> Markup:
    """Return the figure.

    Parameters
    ----------
    sizes : numpy.ndarray, shape (n,)
        Mean calipers of whole floes, in ``unit``.
    law : PowerLaw or None
        Fitted to sizes in pixels.
    scale : float
        Side of a pixel, in ``unit``.
    unit : str
        ``m`` or ``px``.
    resolvable : float
        Size below which floes do not count, in ``unit``.
    """
    sizes = np.sort(sizes[sizes > 0])
    if sizes.size < 2 or sizes[0] == sizes[-1]:
        return Markup('<figure class="none"><figcaption>Too few whole floes for a plot.</figcaption></figure>')
    x0, x1 = np.log10(sizes[0]), np.log10(sizes[-1]) + 0.05
    y1 = float(np.log10(sizes.size)) + 0.05
    wide, tall = WIDE - LEFT - RIGHT, TALL - TOP - BOTTOM

    def x(size: float) -> float:
        return LEFT + wide * (float(np.log10(size)) - x0) / (x1 - x0)

    def y(count: float) -> float:
        return TOP + tall * (1.0 - float(np.log10(max(count, 1.0))) / y1)

    title = "Floes wider than d"
    out = [
        f'<figure id="sizes"><svg viewBox="0 0 {WIDE} {TALL}" role="img" aria-label="{title}"><text class="title"'
        f' x="{LEFT}" y="16">{title}</text>'
    ]
    out += [
        f'<path class="rule" d="M{LEFT} {y(10.0**power):.1f}h{wide}"/><text x="{LEFT - 6}"'
        f' y="{y(10.0**power) + 4:.1f}" text-anchor="end">{10**power:,}</text>'
        for power in range(int(y1) + 1)
    ]
    out += [
        f'<path class="axis" d="M{x(mark):.1f} {TOP + tall}v4"/><text x="{x(mark):.1f}" y="{TOP + tall + 17}"'
        f' text-anchor="middle">{mark:,g}</text>'
        for mark in _marks(10.0**x0, 10.0**x1)
    ]
    out.append(f'<path class="axis" d="M{LEFT} {TOP + tall}h{wide}"/>')
    counts = np.arange(sizes.size, 0, -1)
    kept = np.unique(np.round(np.linspace(0, 1, 300) ** 0.5 * (sizes.size - 1)).astype(int))
    out.append("".join(f'<circle cx="{x(sizes[k]):.1f}" cy="{y(counts[k]):.1f}" r="2" fill="{POINT}"/>' for k in kept))
    if sizes[0] < resolvable < sizes[-1]:
        out.append(
            f'<path d="M{x(resolvable):.1f} {TOP}v{tall}" stroke="#8a8f98" stroke-dasharray="3 3"/><text'
            f' x="{x(resolvable) + 4:.1f}" y="{TOP + tall - 6}">resolvable</text>'
        )
    if law is not None:
        first, last = law.smallest * scale, sizes[-1]
        above = float((sizes >= 0.999 * first).sum())
        # the line stands for whole floes as they were seen, so it starts at their number
        end = above * (last / first) ** -law.exponent
        stop = last if end >= 1.0 else first * above ** (1.0 / law.exponent)
        out.append(
            f'<path d="M{x(first):.1f} {y(above):.1f}L{x(stop):.1f}'
            f' {y(above * (stop / first) ** -law.exponent):.1f}" stroke="{LAW}" stroke-width="2" fill="none"/>'
        )
    out.append(
        f'<text x="{LEFT + wide / 2}" y="{TALL - 6}" text-anchor="middle">mean caliper d, {unit}</text></svg>'
        f"<figcaption>{sizes.size:,} whole floes{_caption(law)}.</figcaption></figure>"
    )
    return Markup("".join(out))


def _caption(law: PowerLaw | None) -> str:
    return "" if law is None else f"; the line falls with exponent {number(law.exponent, 2)}"


def _marks(low: float, high: float) -> list[float]:
    """Return round numbers on a logarithmic axis."""
    powers = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
    every = [f * 10.0**p for p in powers for f in (1, 2, 5)]
    inside = [float(f"{v:g}") for v in every if low <= v <= high]
    return inside if len(inside) <= 8 else inside[::2]

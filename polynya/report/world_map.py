"""Maps of the globe in longitude and latitude as inline SVG: land, graticule, cells coloured by a value."""

from __future__ import annotations

from importlib.resources import as_file, files
from itertools import pairwise

import numpy as np

from .html import Markup, escape
from .polar_map import VIRIDIS

WIDTH, HEIGHT = 720, 360
LAND = "land_natural_earth_50m_world.npz"
LEAST_PX = 0.9
"""Points of coast that are nearer to the last one are left out."""
MASKED = "#c9cfd6"


def land_symbol(identifier: str = "land") -> Markup:
    """Return a hidden SVG that holds the land once, for all maps of a page.

    Parameters
    ----------
    identifier : str
        Of the path, for :func:`world_svg`.
    """
    with as_file(files("polynya") / "data" / LAND) as path, np.load(path, allow_pickle=False) as held:
        x, y = pixels(held["longitude"] * (180.0 / 32767.0), held["latitude"] * (90.0 / 32767.0))
        start = held["start"].tolist()
    out = []
    for a, b in pairwise(start):
        gone = np.cumsum(np.hypot(np.diff(x[a:b], prepend=x[a]), np.diff(y[a:b], prepend=y[a])))
        keep = np.flatnonzero(np.diff(np.floor(gone / LEAST_PX), prepend=-1.0) > 0) + a
        if len(keep) > 2:
            out.append("M" + "L".join(f"{p:.1f} {q:.1f}" for p, q in zip(x[keep], y[keep], strict=True)) + "Z")
    return Markup(
        f'<svg width="0" height="0" style="position:absolute" aria-hidden="true"><defs><path id="{identifier}"'
        f' d="{"".join(out)}"/></defs></svg>'
    )


def pixels(longitude: np.ndarray, latitude: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return pixel positions of places in degrees."""
    return (np.asarray(longitude) + 180.0) * (WIDTH / 360.0), (90.0 - np.asarray(latitude)) * (HEIGHT / 180.0)


def coloured_cells(
    longitude: np.ndarray, latitude: np.ndarray, value: np.ndarray, *, side: float, low: float, high: float
) -> str:
    """Return square cells coloured by a value; those without one are grey.

    Parameters
    ----------
    longitude, latitude : numpy.ndarray, shape (n,)
        Middles of the cells, degrees.
    value : numpy.ndarray, shape (n,)
        What is shown; NaN is grey.
    side : float
        Side of a cell, degrees.
    low, high : float
        Values of the first and last colour.
    """
    left, top = pixels(longitude - 0.5 * side, latitude + 0.5 * side)
    wide = side * WIDTH / 360.0
    share = np.clip((np.nan_to_num(value) - low) / max(high - low, 1e-12), 0.0, 1.0)
    index = np.where(np.isfinite(value), np.rint(share * (len(VIRIDIS) - 1)), -1).astype(int)
    out = []
    for k in np.unique(index).tolist():
        here = index == k
        boxes = "".join(
            f"M{a:.1f} {b:.1f}h{wide:.1f}v{wide:.1f}h{-wide:.1f}z" for a, b in zip(left[here], top[here], strict=True)
        )
        out.append(f'<path d="{boxes}" fill="{MASKED if k < 0 else VIRIDIS[k]}"/>')
    return f'<g class="cells">{"".join(out)}</g>'


def graticule() -> str:
    """Return meridians every 60 and parallels every 30 degrees, with labels at the left and lower edge."""
    lines, words = [], []
    for value in range(-120, 121, 60):
        x = (value + 180) * WIDTH / 360
        lines.append(f"M{x:g} 0V{HEIGHT}")
        name = f"{abs(value)}\u00b0{'E' if value > 0 else 'W' if value < 0 else ''}"
        words.append(f'<text class="gridlabel" x="{x + 3:g}" y="{HEIGHT - 4}">{name}</text>')
    for value in range(-60, 61, 30):
        y = (90 - value) * HEIGHT / 180
        lines.append(f"M0 {y:g}H{WIDTH}")
        name = f"{abs(value)}\u00b0{'N' if value > 0 else 'S' if value < 0 else ''}"
        words.append(f'<text class="gridlabel" x="3" y="{y - 3:g}">{name}</text>')
    return f'<path class="grid" d="{"".join(lines)}"/>{"".join(words)}'


def world_svg(inside: str, *, identifier: str, label: str, land: str = "land") -> Markup:
    """Return a map: what is inside above sea and land, below the graticule.

    Parameters
    ----------
    inside : str
        SVG elements.
    identifier, label : str
        Of the element; the label for those who do not see it.
    land : str
        Identifier of :func:`land_symbol`.
    """
    return Markup(
        f'<svg id="{identifier}" class="map" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(label)}">'
        f'<rect class="sea" width="{WIDTH}" height="{HEIGHT}"/><use href="#{land}" class="land"/>{inside}{graticule()}'
        f'<rect class="edge" width="{WIDTH}" height="{HEIGHT}"/></svg>'
    )

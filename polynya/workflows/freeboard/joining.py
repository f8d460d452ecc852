"""Neighbouring granules given together: which they are, and what of them a beam takes (``--join``)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ...errors import PolynyaError, ProductError
from ...readers import icesat2, icesat2_atl03, icesat2_neighbours
from ...tracks import joined_segments
from .config import Config


def find(granules: Sequence[Path | str]) -> list[tuple[str, ...]]:
    """Return the neighbours of each granule among all: none, the one before, the one after, or both.

    Parameters
    ----------
    granules : sequence of path
        ATL03 files. One that cannot be read has no neighbour: it fails by itself.
    """
    extents = {}
    for path in granules:
        try:
            extents[str(path)] = icesat2_neighbours.extent(icesat2_atl03.open_granule(path))
        except PolynyaError:
            continue
    pairs = dict(zip(extents, icesat2_neighbours.neighbours(list(extents.values())), strict=True))
    return [tuple(str(g.path) for g in pairs.get(str(path), ()) if g is not None) for path in granules]


def margins(
    data: icesat2_atl03.BeamIndex, neighbours: Sequence[icesat2.Granule], *, config: Config
) -> list[icesat2_atl03.BeamIndex]:
    """Return the stretches of neighbours next to a beam's ends, without their photons.

    Parameters
    ----------
    data : icesat2_atl03.BeamIndex
        The beam.
    neighbours : sequence of icesat2.Granule
        Granules before and after it. What cannot be read of them is left out: they fail by themselves.
    config : Config
        Settings.
    """
    out = []
    for granule in neighbours:
        if data.beam.name not in granule.beams:
            continue
        try:
            other = index(granule, data.beam, config=config)
        except ProductError:
            continue
        found = None if other is None else icesat2_neighbours.margin(data, other, length_m=joined_segments.MARGIN_M)
        if found is not None:
            out.append(found)
    return out


def index(granule: icesat2.Granule, beam: icesat2.Beam, *, config: Config) -> icesat2_atl03.BeamIndex | None:
    """Read everything of a beam but its photons, as the settings say.

    Parameters
    ----------
    granule : icesat2.Granule
        Of :func:`polynya.readers.icesat2_atl03.open_granule`.
    beam : icesat2.Beam
        One of its beams.
    config : Config
        Settings.

    Returns
    -------
    icesat2_atl03.BeamIndex or None
        None where the beam is empty, or has nothing inside the box.

    Raises
    ------
    ProductError
        If it cannot be read.
    """
    return icesat2_atl03.index(
        granule.path,
        beam=beam.name,
        bbox=config.bbox,
        granule=granule,
        keep_degraded=config.keep_degraded,
        filters=config.photon_filter().variables,
    )

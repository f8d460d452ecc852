"""Neighbouring granules given together: which they are, and what of them a beam takes (``--join``)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from ...errors import NoSeaIceError, PolynyaError, ProductError, one_line
from ...readers import icesat2, icesat2_atl03, icesat2_neighbours
from ...schema import Note
from ...tracks import joined_segments
from . import border
from .beam import BeamTables
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
) -> tuple[list[icesat2_atl03.BeamIndex], list[Note]]:
    """Return the stretches of neighbours next to a beam's ends, without their photons, and what could not be read.

    Parameters
    ----------
    data : icesat2_atl03.BeamIndex
        The beam.
    neighbours : sequence of icesat2.Granule
        Granules before and after it.
    config : Config
        Settings.

    Returns
    -------
    margins : list of icesat2_atl03.BeamIndex
    notes : list of Note
        Beams that cannot be read, with the file's name and the reason.
    """
    out, notes = [], []
    for granule in neighbours:
        if data.beam.name not in granule.beams:
            continue
        try:
            other = index(granule, data.beam, config=config)
        except NoSeaIceError:
            continue  # it reads well, and has nothing to join
        except ProductError as error:
            notes.append(border.left_out(granule.path.name, data.beam.name, one_line(error)))
            continue
        found = None if other is None else icesat2_neighbours.margin(data, other, length_m=joined_segments.MARGIN_M)
        if found is not None:
            out.append(found)
    return out, notes


def sentences(results: Mapping[str, BeamTables], neighbours: Sequence[icesat2.Granule], *, config: Config) -> list[str]:
    """Return what is to be said of leads that neighbouring granules were to share.

    Parameters
    ----------
    results : mapping of str to BeamTables
        By beam.
    neighbours : sequence of icesat2.Granule
        Granules before and after this one.
    config : Config
        Settings.
    """
    if not config.join:
        return []
    if not neighbours:
        return [
            "Nothing was joined: none of the granules given with --join continues this one (within 10 km and 5 s, of"
            " the same release and orientation)."
        ]
    out = []
    for granule in neighbours:
        beams = [n for n, r in results.items() if granule.granule_id in r.joined]
        out.append(
            f"Leads of {granule.granule_id} serve beside the border, too{_on(beams, results)}."
            if beams
            else f"Nothing of {granule.granule_id} was joined: no lead of it near the border serves this granule."
        )
    return out


def _on(beams: Sequence[str], results: Mapping[str, BeamTables]) -> str:
    return "" if len(beams) == len(results) else f", on {' and '.join(beams)}"


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

"""What a description of a granule says, and of each of its beams."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class BeamInfo:
    """One beam.

    Attributes
    ----------
    name : str
    strength : str
        ``strong``, ``weak``, or ``unknown`` where nothing says.
    spot : int
        ATLAS spot 1-6, 0 where unknown.
    counts : dict of str to int
        ATL03: ``photons``, ``geosegments`` (20 m segments) and, where it is cheap,
        ``photons_of_medium_or_high_confidence`` (sea-ice column). ATL07: ``segments``, ``specular_leads``,
        ``dark_leads``, ``sea_surface_segments``. ATL10: ``segments``, ``freeboards``, ``leads``, ``sections``,
        ``sections_with_sea_surface``.
    shares : dict of str to float
        ATL03: ``sea_ice`` (20 m segments that ``surf_type`` calls sea ice), ``mean_sea_surface`` (those whose
        ``dem_h`` is one) and, where there are any, ``degraded`` (those with a ``podppd_flag``), 0-1.
    missing : tuple of str
        Groups and variables that a whole granule would hold in this beam.
    """

    name: str
    strength: str
    spot: int
    counts: dict[str, int]
    shares: dict[str, float]
    missing: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Info:
    """What :func:`run` found.

    Attributes
    ----------
    path : Path
    size_bytes : int
    product, release, granule_id : str
        ``release`` is empty where the file does not say.
    is_release_checked : bool
        Whether polynya's reader of this release was checked on real files.
    doi : str
        Of this release; empty where the file does not say which it is.
    reference_frame, tide_model : str
        Of this release's heights and positions, and of its tides.
    orientation, orientation_source : str
        ``backward``, ``forward``, ``transition`` or ``unknown``, and where that stands in the file.
    is_simulated : bool
    simulation : dict
        What ``polynya_simulation`` says, empty for real granules.
    start, end : str
        First and last time of the segments, ISO 8601 UTC; empty where no beam holds data.
    extent : tuple of float or None
        West, south, east, north, degrees; west > east crosses the antimeridian. None without data.
    beams : tuple of BeamInfo
    missing : tuple of str
        Groups and beams that a whole granule would hold.
    notes : tuple of str
    next_commands : tuple of str
        What to run next; empty where the granule cannot be used.
    """

    path: Path
    size_bytes: int
    product: str
    release: str
    granule_id: str
    is_release_checked: bool
    doi: str
    reference_frame: str
    tide_model: str
    orientation: str
    orientation_source: str
    is_simulated: bool
    simulation: dict[str, object]
    start: str
    end: str
    extent: tuple[float, float, float, float] | None
    beams: tuple[BeamInfo, ...]
    missing: tuple[str, ...]
    notes: tuple[str, ...]
    next_commands: tuple[str, ...]

"""ATL10: sea-ice freeboard, leads and reference sea surfaces, releases 003-007.

Checked on real files: release 006 (subsets: ``leads`` holds the whole granule, the other groups
the box; beams with leads only). Releases 003-005 keep the segments in
``freeboard_beam_segment/beam_freeboard`` and the sections in ``freeboard_beam_segment`` itself, as
their data dictionaries say; from 006 on these are ``freeboard_segment`` and
``reference_surface_section``. Release 007 interpolates the sea surface to each freeboard.

Indices (``ssh_ndx``, ``beam_lead_ndx``, ``beam_refsurf_ndx``) are 1-based and count over the whole
granule, also in a subset. Source: ATL07/ATL10 ATBD, doi:10.5067/KPMXUOH7TNIY, and the data dictionary.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pyarrow as pa

from ..errors import ProductError
from .icesat2 import Granule, open_granule, open_hdf5, reading, values
from .icesat2_segments import (
    GEOID,
    TIDES,
    Variable,
    background_rates,
    first_layout,
    read_table,
    time_and_place,
    variable,
)

PRODUCT = "ATL10"
RELEASES = ("003", "004", "005", "006", "007")
CHECKED = ("006",)

LAYOUT_006 = {
    "segments": "freeboard_segment",
    "heights": "freeboard_segment/heights",
    "geophysical": "freeboard_segment/geophysical",
    "leads": "leads",
    "sections": "reference_surface_section",
}
LAYOUT_003 = {
    "segments": "freeboard_beam_segment/beam_freeboard",
    "heights": "freeboard_beam_segment/height_segments",
    "geophysical": "freeboard_beam_segment/geophysical",
    "leads": "leads",
    "sections": "freeboard_beam_segment",
}
LAYOUTS = {"003": LAYOUT_003, "004": LAYOUT_003, "005": LAYOUT_003, "006": LAYOUT_006, "007": LAYOUT_006}

SEGMENTS = (
    *time_and_place("segments"),
    variable(
        "seg_dist_x",
        "segments",
        "m",
        "f8",
        long_name="along-track distance from the equator crossing to the segment's centre",
    ),
    variable("height_segment_id", "segments", "1", "i4", required=False),
    variable("geoseg_beg", "segments", "1", "i4", required=False),
    variable("geoseg_end", "segments", "1", "i4", required=False),
    variable("beam_fb_height", "segments", "m", long_name="total freeboard above the section's reference sea surface"),
    variable("beam_fb_unc", "segments", "m", other_names=("beam_fb_sigma",), long_name="uncertainty of beam_fb_height"),
    variable("beam_fb_confidence", "segments", "1", required=False),
    variable("beam_fb_quality_flag", "segments", "1", "i1", required=False),
    variable(
        "beam_refsurf_ndx", "segments", "1", "i4", long_name="1-based index of the section, over the whole granule"
    ),
    variable("height_segment_height", "heights", "m", long_name="height above the tide-free mean sea surface"),
    variable("height_segment_sigma", "heights", "m", long_name="error of height_segment_height"),
    variable("height_segment_type", "heights", "1", "i1"),
    variable("height_segment_ssh_flag", "heights", "1", "i1"),
    variable("height_segment_length_seg", "heights", "m"),
    variable("height_segment_w_gaussian", "heights", "m", required=False),
    variable("height_segment_confidence", "heights", "1", required=False),
    variable("height_segment_rms", "heights", "m", required=False),
    variable("height_segment_dist2land", "heights", "m", required=False, long_name="distance to land"),
    variable("photon_rate", "heights", "1", required=False, long_name="photons per shot"),
    variable("background_r_norm", "heights", "Hz", required=False),
    *background_rates("heights"),
    variable("asr_25", "heights", "1", required=False),
    variable("layer_flag", "heights", "1", "i2", required=False),
    variable("ice_conc_ssmi", "heights", "percent", required=False, other_names=("ice_conc",)),
    variable("ice_conc_amsr2", "heights", "percent", required=False),
    variable(
        "height_segment_mss",
        "geophysical",
        "m",
        required=False,
        long_name="tide-free mean sea surface above the WGS 84 ellipsoid",
    ),
    *TIDES,
    *GEOID,
)
LEADS = (
    *time_and_place("leads", requires_time=False, requires_place=False),
    variable(
        "lead_dist_x",
        "leads",
        "m",
        "f8",
        required=False,
        long_name="mean along-track distance of the lead's segments; release 005 on",
    ),
    variable("lead_height", "leads", "m", long_name="lead height above the tide-free mean sea surface"),
    variable("lead_sigma", "leads", "m"),
    variable("lead_length", "leads", "m", required=False),
    variable("ssh_n", "leads", "1", "i4", long_name="segments in the lead"),
    variable(
        "ssh_ndx", "leads", "1", "i4", long_name="1-based index of the lead's first segment, over the whole granule"
    ),
)
SECTIONS = (
    *time_and_place("sections", requires_place=False),
    variable(
        "beam_refsurf_dist_x",
        "sections",
        "m",
        "f8",
        required=False,
        long_name="along-track distance of the section's centre; release 005 on",
    ),
    variable(
        "beam_refsurf_height", "sections", "m", long_name="reference sea surface above the tide-free mean sea surface"
    ),
    variable("beam_refsurf_sigma", "sections", "m"),
    variable(
        "beam_refsurf_interp_flag",
        "sections",
        "1",
        "i2",
        required=False,
        long_name="-1 no surface, 0 leads, 1 two-sided, 2 one missing entry between two, 3 copied",
    ),
    variable("beam_lead_n", "sections", "1", "i4"),
    variable(
        "beam_lead_ndx",
        "sections",
        "1",
        "i4",
        long_name="1-based index of the section's first lead, over the whole granule",
    ),
    variable(
        "fbswath_ndx",
        "sections",
        "1",
        "i4",
        required=False,
        long_name="1-based number of the section in the whole granule",
    ),
    variable("beam_refsurf_mss", "sections", "m", required=False),
)


@dataclass(frozen=True, kw_only=True)
class Control:
    """Constants of ``ancillary_data/freeboard_estimation``, in the product's names and units.

    The defaults are those of release 006; :func:`control` replaces whatever the granule stores.
    ``lb_refsurf`` and ``ub_refsurf`` differ between granules (0.5 and 1.0 m are both found).
    """

    l: float = 10000.0  # noqa: E741 - the product's name for the section length, m
    lb_refsurf: float = -0.5
    ub_refsurf: float = 0.5
    ht_thresh1: float = 0.1
    ht_thresh2: float = 0.5
    ic_thresh1: float = 0.5
    ic_thresh2: float = 0.8
    lb_n_f: int = 1
    maxgapht: float = 0.05
    maxgaptime: float = 30.0
    maxpadtime: float = 10.0
    min_land_dist: float = 25.0
    refsurf_3pt_smoother: int = 1
    refsurf_sd_fill: float = 0.05
    height_segment_fit_quality_flag_min: int = 1
    height_segment_fit_quality_flag_max: int = 4
    from_granule: tuple[str, ...] = ()


def open_atl10(path: Path | str) -> Granule:
    """Describe an ATL10 granule; another product is rejected with :class:`ProductError`."""
    return open_granule(path, product=PRODUCT)


def _holds_sections(handle: h5py.File, beam: str, layout: dict[str, str]) -> bool:
    return f"{beam}/{layout['segments']}" in handle or f"{beam}/{layout['sections']}" in handle


def _read(path: Path | str, beam: str, variables: tuple[Variable, ...], name: str) -> pa.Table:
    granule = open_atl10(path)
    layout = first_layout(path, beam=beam, layouts=(LAYOUT_006, LAYOUT_003), is_there=_holds_sections)
    return read_table(granule, beam=beam, variables=variables, layout=layout, name=name)


def read(path: Path | str, *, beam: str) -> pa.Table:
    """Read one beam's freeboard segments with their heights and corrections.

    Parameters
    ----------
    path : Path or str
        An ATL10 granule.
    beam : str
        ``gt1l`` ... ``gt3r``; a beam that the file lacks gives no rows.

    Returns
    -------
    pyarrow.Table
        The columns of :data:`SEGMENTS` and ``time`` (UTC); heights above the tide-free mean sea
        surface, m. Freeboards without a sea surface are NaN.

    Raises
    ------
    ProductError
        If the file is damaged, another product, or a beam with data lacks a required variable.
    """
    return _read(path, beam, SEGMENTS, "atl10_segments")


def read_leads(path: Path | str, *, beam: str) -> pa.Table:
    """Read one beam's leads: the columns of :data:`LEADS` and ``time``; arguments as :func:`read`."""
    return _read(path, beam, LEADS, "atl10_leads")


def read_sections(path: Path | str, *, beam: str) -> pa.Table:
    """Read one beam's reference sea surface sections: the columns of :data:`SECTIONS` and ``time``; arguments as
    :func:`read`."""
    return _read(path, beam, SECTIONS, "atl10_sections")


def control(path: Path | str) -> Control:
    """Return the freeboard constants that the granule stores, defaults where it stores none.

    Raises
    ------
    ProductError
        If a stored constant is not one finite number.
    """
    stored: dict[str, Any] = {}
    with open_hdf5(path) as handle, reading(path, "ancillary_data/freeboard_estimation"):
        for item in fields(Control):
            name = f"ancillary_data/freeboard_estimation/{item.name}"
            if item.name == "from_granule" or name not in handle:
                continue
            value = np.asarray(values(handle, path, name, kind="fi"), dtype=np.float64).ravel()
            if value.size != 1 or not np.isfinite(value[0]):
                raise ProductError(
                    f"{Path(path).name}: {name} is {value.tolist()[:4]}; expected one finite number. The file is"
                    " damaged: download it again."
                )
            stored[item.name] = int(value[0]) if isinstance(item.default, int) else round(float(value[0]), 7)
    return Control(**stored, from_granule=tuple(stored))

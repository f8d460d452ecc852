"""Small ATL07 and ATL10 files in the agency's layout, from a truth table: what NASA's heights, sea level and freeboard
are is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa

from polynya.readers import icesat2_atl07, icesat2_atl10

EPOCH = np.datetime64("2018-01-01T00:00:00", "ns")
SECTION = 10_000.0


@dataclass(frozen=True, kw_only=True)
class Nasa:
    """How NASA's file differs from the truth.

    Attributes
    ----------
    cells : int
        Cells of 2 m in a segment.
    height, sea_level : float
        Added to the true heights, and to the true sea level, m.
    mss : float
        Mean sea surface, m.
    orientation, rgt, cycle : int
        Of ``orbit_info``.
    beams : sequence of str
        Beams of the truth that are written.
    freeboard_to : float
        Freeboards end at this share of the track.
    """

    cells: int = 20
    height: float = 0.0
    sea_level: float = 0.0
    mss: float = 1.0
    orientation: int = 1
    rgt: int = 280
    cycle: int = 6
    beams: Sequence[str] = ("gt1l", "gt1r", "gt2l", "gt2r", "gt3l", "gt3r")
    freeboard_to: float = 1.0


def write(path: Path, truth: pa.Table, times: np.ndarray, *, product: str, nasa: Nasa | None = None) -> Path:
    """Write a product; ``times`` (datetime64[ns]) belong to the truth's rows."""
    nasa = nasa or Nasa()
    with h5py.File(path, "w") as file:
        file.attrs["short_name"] = product
        file["ancillary_data/release"] = np.array([b"006"])
        file["orbit_info/sc_orient"] = np.array([nasa.orientation], np.int8)
        file["orbit_info/rgt"] = np.array([nasa.rgt], np.int16)
        file["orbit_info/cycle_number"] = np.array([nasa.cycle], np.int8)
        beam = np.array(truth["beam"].cast(pa.string()).to_pylist())
        for name in sorted(set(beam.tolist()) & set(nasa.beams)):
            rows = beam == name
            columns = {n: truth[n].to_numpy()[rows] for n in truth.column_names if n not in ("granule", "beam")}
            _beam(file, name, columns, times[rows], product=product, nasa=nasa)
    return path


def _beam(file: h5py.File, name: str, truth: dict, times: np.ndarray, *, product: str, nasa: Nasa) -> None:
    n = truth["x_atc"].size // nasa.cells

    def mean(values: np.ndarray) -> np.ndarray:
        return np.asarray(values, np.float64)[: n * nasa.cells].reshape(n, nasa.cells).mean(axis=1)

    x, level = mean(truth["x_atc"]), mean(truth["sea_surface_height"]) + nasa.sea_level
    height = mean(truth["surface_height_footprint"]) + nasa.height
    water = mean(truth["surface_class"] == 2) > 0.5
    seconds = mean((times - EPOCH) / np.timedelta64(1, "ns")) / 1e9
    section = np.floor(x / SECTION).astype(int)
    numbers = np.unique(section)
    at = np.array([level[section == k].mean() for k in numbers])
    known = {
        "delta_time": seconds,
        "latitude": mean(truth["latitude"]),
        "longitude": mean(truth["longitude"]),
        "seg_dist_x": x,
        "height_segment_height": height,
        "height_segment_sigma": np.full(n, 0.01),
        "height_segment_surface_error_est": np.full(n, 0.01),
        "height_segment_type": np.where(water, 3, 1),
        "height_segment_ssh_flag": water.astype(int),
        "height_segment_length_seg": np.full(n, 2.0 * nasa.cells),
        "height_segment_w_gaussian": np.full(n, 0.1),
        "height_segment_mss": np.full(n, nasa.mss),
        "photon_rate": np.where(water, 15.0, 8.0),
    }
    if product == "ATL07":
        _put(file, name, icesat2_atl07.VARIABLES, icesat2_atl07.LAYOUT, known, size=n)
        return
    freeboard = np.maximum(height - at[section - numbers[0]], 0.0)
    freeboard[int(nasa.freeboard_to * n) :] = np.nan
    known |= {
        "beam_fb_height": freeboard,
        "beam_fb_unc": np.full(n, 0.02),
        "beam_refsurf_ndx": section - numbers[0] + 1,
    }
    layout = icesat2_atl10.LAYOUT_006
    _put(file, name, icesat2_atl10.SEGMENTS, layout, known, size=n)
    first = np.flatnonzero(water & ~np.concatenate([[False], water[:-1]]))
    last = np.flatnonzero(water & ~np.concatenate([water[1:], [False]]))
    leads = {
        "lead_dist_x": 0.5 * (x[first] + x[last]),
        "lead_length": x[last] - x[first] + 2.0 * nasa.cells,
        "lead_height": level[first],
        "lead_sigma": np.full(first.size, 0.01),
        "ssh_n": last - first + 1,
        "ssh_ndx": first + 1,
    }
    _put(file, name, icesat2_atl10.LEADS, layout, leads, size=first.size)
    sections = {
        "delta_time": np.array([seconds[section == k].mean() for k in numbers]),
        "beam_refsurf_dist_x": (numbers + 0.5) * SECTION,
        "beam_refsurf_height": at,
        "beam_refsurf_sigma": np.full(at.size, 0.01),
        "beam_lead_n": np.ones(at.size, int),
        "beam_lead_ndx": np.ones(at.size, int),
    }
    _put(file, name, icesat2_atl10.SECTIONS, layout, sections, size=at.size)


def _put(file: h5py.File, beam: str, variables, layout: dict[str, str], known: dict, *, size: int) -> None:
    for v in variables:
        if v.name in known or v.required:
            values = np.nan_to_num(known.get(v.name, np.zeros(size)), nan=3.4028235e38)
            file.create_dataset(f"{beam}/{layout[v.group]}/{v.name}", data=np.asarray(values).astype(v.dtype))

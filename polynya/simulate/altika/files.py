"""The files of a track: echoes in the layout of an SGDR, and the truth beside them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...io import grids
from . import presets
from .lead_track import LeadTrack
from .track import Track

EPOCH = np.datetime64("2000-01-01T00:00:00", "ns")
SECONDS = "seconds since 2000-01-01 00:00:00.0"
NO_SKILL = "SIMULATED AltiKa-like 40 Hz echoes over sea ice; not a measurement; never evidence of skill"


def name_of(track: Track) -> str:
    """Return the name of an SGDR without its ending: cycle, pass, first and last time.

    Parameters
    ----------
    track : Track
        With its frame.
    """
    first, last = (str(t.astype("datetime64[s]")).replace("-", "").replace(":", "") for t in track.time[[0, -1]])
    dates = "_".join(v.replace("T", "_") for v in (first, last))
    return f"SRL_GPS_2PTP{track.frame.cycle:03d}_{track.frame.track:04d}_{dates}.CNES"


def write_echoes(track: Track, path: Path) -> None:
    """Write the echoes with the variables of an SGDR; arrays are (time, 40) and (time, 40, 128).

    Beside the SGDR's variables stand the distances to the nearest true lead and the nearest of the radar map, under
    the names that labelled tracks have.

    Parameters
    ----------
    track : Track
        The track.
    path : Path
        The file.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    seconds = (track.time - EPOCH).astype(np.int64) / 1e9
    columns: Columns = {
        "time_40hz": (seconds, {"units": SECONDS, "long_name": "time of the echo, UTC", "standard_name": "time"}),
        "lat_40hz": (track.latitude, {"units": "degrees_north", "standard_name": "latitude"}),
        "lon_40hz": (track.longitude, {"units": "degrees_east", "standard_name": "longitude"}),
        "alt_40hz": (track.altitude, {"units": "m", "long_name": "height of the satellite above the ellipsoid"}),
        "tracker_40hz": (track.tracker, {"units": "m", "long_name": "range of the nominal gate, 51 from 1"}),
        "range_40hz": (
            track.range,
            {"units": "m", "long_name": "range of the half of the largest count: a threshold retracker, no MLE4"},
        ),
        "agc_40hz": (track.agc.astype(np.float32), {"units": "dB", "long_name": "attenuation; floes have about 0"}),
        "swh_40hz": (
            track.significant_wave_height.astype(np.float32),
            {"units": "m", "long_name": "four times the standard deviation of the floes' height, with an error"},
        ),
        **distances(track),
    }
    data = dataset(track, columns, title=NO_SKILL)
    rows = len(track) // presets.PER_ROW
    waveform = track.waveform.reshape(rows, presets.PER_ROW, presets.GATES)
    attributes = {"units": "count", "long_name": f"echo, {presets.GATES} gates, clipped at {presets.SATURATED}"}
    data["waveforms_40hz"] = (("time", "meas_ind", "wvf_ind"), waveform, attributes)
    data["time"] = (
        "time",
        seconds.reshape(rows, -1)[:, 0],
        {"units": SECONDS, "long_name": "time of the record of 1 Hz"},
    )
    surface = {"long_name": "surface type", "flag_values": np.arange(4, dtype=np.int8)}
    surface["flag_meanings"] = "ocean lake_or_enclosed_sea ice land"
    data["surface_type"] = ("time", np.zeros(rows, np.int8), surface)
    grids.write_netcdf(data, path)


@dataclass(frozen=True, kw_only=True)
class TruthLayout:
    """How a truth names its times and places, and how many echoes are in a row; 0 if it has no rows."""

    time: str = "time_40hz"
    latitude: str = "lat_40hz"
    longitude: str = "lon_40hz"
    per_row: int = presets.PER_ROW
    title: str = NO_SKILL


SGDR = TruthLayout()


def write_truth(track: LeadTrack, path: Path, *, layout: TruthLayout = SGDR) -> None:
    """Write the truth: per echo in the same layout, and the leads, as CF NetCDF.

    Parameters
    ----------
    track : LeadTrack
        The track.
    path : Path
        The file.
    layout : TruthLayout
        Names and rows; that of an SGDR if left out.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    leads, number = track.leads, track.nearest
    has = number >= 0

    def of_nearest(values: np.ndarray) -> np.ndarray:
        out = np.full(len(track), np.nan, np.float32)
        out[has] = values[number[has]]
        return out

    flag = {"flag_values": np.array([0, 1], np.int8)}
    azimuth = np.rad2deg(np.arcsin(np.abs(np.sin(leads.direction))))
    limit = f"nearest true lead nearer than {presets.LEAD_DISTANCE_M:.0f} m"
    seconds = (track.time - EPOCH).astype(np.int64) / 1e9
    columns: Columns = {
        layout.time: (seconds, {"units": SECONDS, "long_name": "time of the echo, UTC", "standard_name": "time"}),
        layout.latitude: (track.latitude, {"units": "degrees_north", "standard_name": "latitude"}),
        layout.longitude: (track.longitude, {"units": "degrees_east", "standard_name": "longitude"}),
        **distances(track),
        "is_lead": (track.is_lead.astype(np.int8), {"long_name": limit, "flag_meanings": "no yes", **flag}),
        "lead_width_crossed": (
            track.crossed.astype(np.float32),
            {"units": "m", "long_name": "length of the track in the lead that nadir is in, 0 on a floe"},
        ),
        "nearest_lead": (number, {"long_name": "number of the nearest lead, -1 where none is within 9 km"}),
        "nearest_lead_width": (of_nearest(leads.width), {"units": "m", "long_name": "width across the nearest lead"}),
        "nearest_lead_angle": (
            of_nearest(azimuth).astype(np.float32),
            {"units": "degree", "long_name": "angle between track and nearest lead, 0 to 90"},
        ),
        "is_bright_ice": (
            track.is_patch.astype(np.int8),
            {"long_name": "smooth bright ice that is no lead", "flag_meanings": "no yes", **flag},
        ),
        "floe_sigma0_anomaly": (
            track.floe_db.astype(np.float32),
            {"units": "dB", "long_name": "over the track's mean"},
        ),
        "floe_rms_height": (track.rms_height.astype(np.float32), {"units": "m", "long_name": "roughness of the floes"}),
    }
    data = dataset(track, columns, title=f"Truth of a track. {layout.title}", per_row=layout.per_row)
    x, y = track.frame.to_grid(leads.along, leads.across)
    direction = np.rad2deg(leads.direction + track.frame.angle) % 180.0
    for name, values, units, words in (
        ("lead_x", x, "m", "middle, x of EPSG:3413"),
        ("lead_y", y, "m", "middle, y of EPSG:3413"),
        ("lead_direction", direction, "degree", "from the grid's x to its y axis, 0 to 180"),
        ("lead_length", leads.length, "m", "of the segment; half the width is added at each end"),
        ("lead_width", leads.width, "m", "across the lead"),
        ("lead_peak", leads.peak_db, "dB", "echo of such a surface without end over that of the floes"),
        ("lead_slope", np.rad2deg(leads.slope), "degree", "standard deviation of the slope in each direction"),
    ):
        data[name] = ("lead", values.astype(np.float64), {"units": units, "long_name": words})
    data["lead_is_open"] = ("lead", leads.is_open.astype(np.int8), {"flag_meanings": "refrozen open", **flag})
    data["lead_is_mapped"] = ("lead", leads.is_seen.astype(np.int8), {"flag_meanings": "no yes", **flag})
    grids.write_netcdf(data, path)


Columns = dict[str, tuple[np.ndarray, dict[str, object]]]
"""Values of shape (n,) and attributes of variables, by name."""


def distances(track: LeadTrack) -> Columns:
    """Return the distances to the nearest true lead and to the nearest of the radar map, float32."""
    words = "distance from nadir to the nearest"
    return {
        "true_lead_distance_m": (
            track.true_distance.astype(np.float32),
            {"units": "m", "long_name": f"{words} true lead; 9000: none within 9 km"},
        ),
        "sar_lead_distance_m": (
            track.map_distance.astype(np.float32),
            {"units": "m", "long_name": f"{words} lead of the radar map, as drifted; 9000: none within 9 km"},
        ),
    }


def dataset(track: LeadTrack, columns: Columns, *, title: str, per_row: int = presets.PER_ROW) -> Any:
    """Return columns as an xarray.Dataset that says it is simulated, dimensions (time, meas_ind) or (time,).

    Parameters
    ----------
    track : LeadTrack
        The track.
    columns : dict
        One number per echo each.
    title : str
        Attribute of the file.
    per_row : int
        Echoes in a row; 0 if there are no rows.
    """
    import xarray

    shape = (len(track) // per_row, per_row) if per_row else (len(track),)
    dimensions = ("time", "meas_ind")[: len(shape)]
    return xarray.Dataset(
        {n: (dimensions, values.reshape(shape), about) for n, (values, about) in columns.items()},
        attrs={
            "title": title,
            "simulated": str(track.about["simulated"]),
            "seed": int(str(track.about["seed"])),
            "ranges": str(track.about["ranges"]),
        },
    )

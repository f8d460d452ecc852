"""The files of a track: echoes in the layout of a CryoSat-2 L1b of SAR mode, and the truth beside them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ...io import grids
from ...readers.leap_seconds import tai_from_utc
from ..altika import files as altika
from .track import Track

NO_SKILL = "SIMULATED CryoSat-2-like 20 Hz echoes of SAR mode over sea ice; not a measurement; never evidence of skill"
TRUTH = altika.TruthLayout(time="time", latitude="latitude", longitude="longitude", per_row=0, title=NO_SKILL)
SAR, OCEAN = 2, 0
"""Flags of the product: the mode, and the surface type."""
PER_SECOND = 20
"""Echoes to a record of 1 Hz; in the product they vary by one."""
FACTOR = 1e-9
"""What a stored echo_scale_factor is multiplied with."""
TIME, GATES, RECORDS = "time_20_ku", "ns_20_ku", "time_cor_01"
"""Dimensions."""


def name_of(track: Track) -> str:
    """Return the name of an L1b of SAR mode without its ending: first and last time, baseline D.

    Parameters
    ----------
    track : Track
        With its times.
    """
    first, last = (str(t.astype("datetime64[s]")).replace("-", "").replace(":", "") for t in track.time[[0, -1]])
    return f"CS_OFFL_SIR_SAR_1B_{first}_{last}_D001"


def scale_words(scale: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return echo_scale_factor as stored (1e-9, int32) and echo_scale_pwr: scale = factor 1e-9 2^power.

    Parameters
    ----------
    scale : numpy.ndarray, shape (n,)
        Watts of a count; factors are between 0.25 and 0.5, as in the product.
    """
    factor, power = np.frexp(scale)
    return np.round(0.5 * factor / FACTOR).astype(np.int32), (power + 1).astype(np.int32)


def write_echoes(track: Track, path: Path) -> None:
    """Write the echoes with the variables of an L1b, packed as there.

    Beside them stand the distances to the nearest true lead and the nearest of the radar map, under the names that
    labelled tracks have.

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
    n = len(track)
    data = altika.dataset(track, {}, title=NO_SKILL, per_row=0)
    data = data.assign_attrs(product_name=name_of(track), sir_op_mode="SAR", mission="Cryosat (simulated)")
    data.attrs["rel_orbit_number"], data.attrs["cycle_number"] = track.frame.track, track.frame.cycle
    seconds = (tai_from_utc(track.time) - altika.EPOCH).astype(np.int64) / 1e9
    words = {"units": altika.SECONDS, "long_name": "time in TAI: seconds since 1 Jan 2000", "standard_name": "time"}
    data[TIME] = (TIME, seconds, words)
    for name, values, (kind, factor), attributes in (
        ("lat_20_ku", track.latitude, ("i4", 1e-7), {"units": "degrees_north", "standard_name": "latitude"}),
        ("lon_20_ku", track.longitude, ("i4", 1e-7), {"units": "degrees_east", "standard_name": "longitude"}),
        ("alt_20_ku", track.altitude, ("i4", 1e-3), {"units": "m", "long_name": "height above the ellipsoid"}),
        (
            "window_del_20_ku",
            track.window_delay,
            ("i8", 1e-12),
            {"units": "s", "long_name": "two-way delay of the middle of the window"},
        ),
        ("stack_std_20_ku", track.stack.std, ("i2", 0.01), {"long_name": "standard deviation of the Gaussian"}),
        ("stack_skewness_20_ku", track.stack.skewness, ("i2", 0.01), {"long_name": "skewness of the looks' power"}),
        ("stack_kurtosis_20_ku", track.stack.kurtosis, ("i2", 0.01), {"long_name": "kurtosis, 0 for a Gaussian"}),
        ("stack_peakiness_20_ku", track.stack.peakiness, ("i2", 0.01), {"long_name": "power at nadir over the mean"}),
    ):
        data[name] = _packed(values, kind, factor, attributes)
    factors, powers = scale_words(track.scale)
    data["echo_scale_factor_20_ku"] = (TIME, factors, {"scale_factor": FACTOR, "add_offset": 0.0, "units": "count"})
    data["echo_scale_pwr_20_ku"] = (TIME, powers, {"units": "count", "long_name": "a power of 2"})
    watts = "counts; watts = counts * echo_scale_factor * 2^echo_scale_pwr"
    data["pwr_waveform_20_ku"] = ((TIME, GATES), track.waveform, {"units": "count", "long_name": watts})
    modes = {"flag_values": np.array([1, 2, 3], np.int8), "flag_meanings": "lrm sar sarin"}
    data["flag_instr_mode_op_20_ku"] = (TIME, np.full(n, SAR, np.int8), modes)
    data["flag_mcd_20_ku"] = (TIME, np.zeros(n, np.int32), {"long_name": "measurement confidence, 0 is best"})
    data["ind_meas_1hz_20_ku"] = (TIME, (np.arange(n) // PER_SECOND).astype(np.int16), {"units": "count"})
    surface = {"flag_values": np.arange(4, dtype=np.int8), "flag_meanings": "ocean lake_enclosed_sea ice land"}
    data["surf_type_01"] = (RECORDS, np.full(-(-n // PER_SECOND), OCEAN, np.int8), surface)
    for name, (values, about) in altika.distances(track).items():
        data[name] = (TIME, values, about)
    grids.write_netcdf(data, path)


def write_truth(track: Track, path: Path) -> None:
    """Write the truth, as CF NetCDF: per echo (``time``, ``latitude``, ``longitude``, in UTC), and the leads.

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
    altika.write_truth(track, path, layout=TRUTH)


def _packed(values: np.ndarray, kind: str, factor: float, attributes: dict[str, str]) -> Any:
    """Return a variable of whole numbers; what is missing or does not fit becomes the fill or the nearest limit."""
    import xarray

    limits = np.iinfo(kind)
    missing = ~np.isfinite(values)
    stored = np.clip(np.round(np.where(missing, 0.0, values) / factor), limits.min + 1, limits.max)
    stored = np.where(missing, limits.min, stored.astype(kind)).astype(kind)
    packing = {"scale_factor": factor, "add_offset": 0.0}
    found = xarray.Variable(TIME, stored, {**attributes, **packing})
    found.encoding["_FillValue"] = limits.min
    return found

"""The layout of ATL03 release 006, and writing arrays into it as in the archive's files.

Names, types, units, fill values and chunking are those of a real release 006 granule; the descriptions are ours. Every
array is chunked by 10000 rows, shuffled and deflated at level 6.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from concurrent.futures import Executor
from dataclasses import dataclass

import h5py
import numpy as np

CHUNK = 10000
DEFLATE = 6
FILL4, FILL8 = np.float32(3.4028235e38), np.float64(1.7976931348623157e308)
PHOTON, SEGMENT = "delta_time lat_ph lon_ph", "delta_time reference_photon_lat reference_photon_lon"
M, ONE, DEG, SECONDS = "meters", "1", "degrees", "seconds since 2018-01-01"


@dataclass(frozen=True, kw_only=True)
class Item:
    """One dataset: type, units and description; fill value and flags if it has them."""

    dtype: str
    units: str
    long_name: str
    fill: object = None
    standard_name: str = ""
    flags: tuple[tuple[int, str], ...] = ()


def _f4(units: str, long_name: str, **more: object) -> Item:
    return Item(dtype="f4", units=units, long_name=long_name, fill=FILL4, **more)


HEIGHTS = {
    "delta_time": Item(
        dtype="f8", units=SECONDS, long_name="Time of the shot since 2018-01-01 UTC", standard_name="time"
    ),
    "dist_ph_across": Item(dtype="f4", units=M, long_name="Across-track distance from the reference ground track"),
    "dist_ph_along": Item(dtype="f4", units=M, long_name="Along-track distance from the start of the 20 m segment"),
    "h_ph": Item(
        dtype="f4",
        units=M,
        long_name="Photon height above the WGS 84 ellipsoid; geoid, ocean tide and dac are not removed",
        standard_name="height",
    ),
    "lat_ph": Item(dtype="f8", units="degrees_north", long_name="Photon latitude", standard_name="latitude"),
    "lon_ph": Item(dtype="f8", units="degrees_east", long_name="Photon longitude", standard_name="longitude"),
    "pce_mframe_cnt": Item(dtype="u4", units="counts", long_name="Major frame counter: 200 pulses each"),
    "ph_id_channel": Item(dtype="u1", units=ONE, long_name="Detector channel and edge, 1-120"),
    "ph_id_count": Item(dtype="u1", units="counts", long_name="Number of the photon in its shot and channel"),
    "ph_id_pulse": Item(dtype="u1", units="counts", long_name="Pulse in the major frame, 1-200"),
    "quality_ph": Item(
        dtype="i1",
        units=ONE,
        long_name="Photon quality",
        flags=(
            (0, "nominal"),
            (1, "possible_afterpulse"),
            (2, "possible_impulse_response_effect"),
            (3, "possible_tep"),
        ),
    ),
    "signal_conf_ph": Item(
        dtype="i1",
        units=ONE,
        long_name="Signal confidence for land, ocean, sea ice, land ice, inland water",
        flags=(
            (-2, "possible_tep"),
            (-1, "not_considered"),
            (0, "noise"),
            (1, "buffer"),
            (2, "low"),
            (3, "medium"),
            (4, "high"),
        ),
    ),
    "weight_ph": Item(dtype="u1", units=ONE, long_name="Photon density weight, 0-255"),
}
GEOLOCATION = {
    "altitude_sc": Item(dtype="f8", units=M, long_name="Height of the spacecraft above the ellipsoid", fill=FILL8),
    "bounce_time_offset": _f4("seconds", "Ground bounce time minus transmit time"),
    "delta_time": Item(dtype="f8", units=SECONDS, long_name="Time of the reference photon", standard_name="time"),
    "full_sat_fract": _f4(ONE, "Share of shots with at least as many photons as channels"),
    "knn": Item(dtype="i4", units="counts", long_name="Neighbours used for the photon weight"),
    "near_sat_fract": _f4(ONE, "Share of shots with at least three quarters as many photons as channels"),
    "neutat_delay_derivative": _f4("meters/meters", "Height derivative of the atmospheric delay"),
    "neutat_delay_total": _f4(M, "Total neutral atmosphere delay"),
    "neutat_ht": _f4(M, "Height the atmospheric delay refers to"),
    "ph_index_beg": Item(
        dtype="i8", units="counts", long_name="1-based index of the segment's first photon, 0 where it has none", fill=0
    ),
    "pitch": _f4(DEG, "Spacecraft pitch"),
    "podppd_flag": Item(
        dtype="i1",
        units=ONE,
        long_name="Quality of orbit and pointing",
        flags=tuple(
            enumerate(
                (
                    "nominal",
                    "pod_degrade",
                    "ppd_degrade",
                    "podppd_degrade",
                    "cal_nominal",
                    "cal_pod_degrade",
                    "cal_ppd_degrade",
                    "cal_podppd_degrade",
                )
            )
        ),
    ),
    "range_bias_corr": _f4(M, "Range bias removed"),
    "ref_azimuth": _f4("radians", "Azimuth of the beam, north at 0", standard_name="azimuth"),
    "ref_elev": _f4("radians", "Elevation of the beam seen from the ground", standard_name="elevation"),
    "reference_photon_index": Item(
        dtype="i4", units="counts", long_name="1-based index of the reference photon within its segment", fill=0
    ),
    "reference_photon_lat": Item(
        dtype="f8", units="degrees_north", long_name="Latitude of the reference photon", standard_name="latitude"
    ),
    "reference_photon_lon": Item(
        dtype="f8", units="degrees_east", long_name="Longitude of the reference photon", standard_name="longitude"
    ),
    "roll": _f4(DEG, "Spacecraft roll"),
    "segment_dist_x": Item(
        dtype="f8", units=M, long_name="Along-track distance of the segment's start from the equator crossing"
    ),
    "segment_id": Item(dtype="i4", units=ONE, long_name="Number of the 20 m segment in the orbit"),
    "segment_length": Item(dtype="f8", units=M, long_name="Length of the segment"),
    "segment_ph_cnt": Item(dtype="i4", units="counts", long_name="Photons in the segment", fill=0),
    "sigma_across": _f4(M, "Geolocation uncertainty across track"),
    "sigma_along": _f4(M, "Geolocation uncertainty along track"),
    "sigma_h": _f4(M, "Height uncertainty of the reference photon"),
    "sigma_lat": _f4(DEG, "Latitude uncertainty"),
    "sigma_lon": _f4(DEG, "Longitude uncertainty"),
    "solar_azimuth": _f4("degrees_east", "Azimuth of the sun"),
    "solar_elevation": _f4(DEG, "Elevation of the sun above the horizon"),
    "surf_type": Item(
        dtype="i1",
        units=ONE,
        long_name="Surface masks: land, ocean, sea ice, land ice, inland water",
        flags=((0, "not_type"), (1, "is_type")),
    ),
    "tx_pulse_energy": _f4("Joules", "Transmitted energy"),
    "tx_pulse_skew_est": _f4("seconds", "Skew of the transmitted pulse"),
    "tx_pulse_width_lower": _f4("seconds", "Transmitted pulse width at the lower threshold"),
    "tx_pulse_width_upper": _f4("seconds", "Transmitted pulse width at the upper threshold"),
    "velocity_sc": _f4("meters/second", "Spacecraft velocity east, north, up"),
    "yaw": _f4(DEG, "Spacecraft yaw"),
}
GEOPHYS_CORR = {
    "dac": _f4(M, "Dynamic atmosphere correction, not removed from h_ph"),
    "delta_time": Item(dtype="f8", units=SECONDS, long_name="Time of the reference photon", standard_name="time"),
    "dem_flag": Item(
        dtype="i1",
        units=ONE,
        long_name="Source of dem_h",
        fill=127,
        flags=((0, "none"), (1, "arctic"), (2, "global"), (3, "mss"), (4, "antarctic")),
    ),
    "dem_h": _f4(M, "Surface model height; over ocean the mean sea surface, mean-tide system"),
    "geoid": _f4(M, "Geoid above the ellipsoid, tide-free system"),
    "geoid_free2mean": _f4(M, "Added to the tide-free geoid for the mean-tide system"),
    "tide_earth": _f4(M, "Solid earth tide, removed from h_ph"),
    "tide_earth_free2mean": _f4(M, "Added to tide-free solid earth heights for the mean-tide system"),
    "tide_equilibrium": _f4(M, "Long-period equilibrium tide, not removed from h_ph"),
    "tide_load": _f4(M, "Load tide, removed from h_ph"),
    "tide_oc_pole": _f4(M, "Ocean pole tide, removed from h_ph"),
    "tide_ocean": _f4(M, "Ocean tide, not removed from h_ph"),
    "tide_pole": _f4(M, "Pole tide, removed from h_ph"),
}
BCKGRD_ATLAS = {
    "bckgrd_counts": Item(dtype="i4", units="counts", long_name="Photons of 50 shots in the background window"),
    "bckgrd_counts_reduced": Item(dtype="i4", units="counts", long_name="The same without signal photons"),
    "bckgrd_hist_top": Item(dtype="f4", units=M, long_name="Top of the background window above the ellipsoid"),
    "bckgrd_int_height": Item(dtype="f4", units=M, long_name="Height of the background window"),
    "bckgrd_int_height_reduced": Item(dtype="f4", units=M, long_name="The same without the signal's part"),
    "bckgrd_rate": Item(dtype="f4", units="counts / second", long_name="Background rate from the reduced counts"),
    "delta_time": Item(dtype="f8", units=SECONDS, long_name="Time of the first of the 50 shots", standard_name="time"),
    "pce_mframe_cnt": Item(dtype="i8", units="counts", long_name="Major frame counter"),
    "tlm_height_band1": Item(dtype="f4", units=M, long_name="Height of the first telemetry band"),
    "tlm_height_band2": Item(dtype="f4", units=M, long_name="Height of the second telemetry band"),
    "tlm_top_band1": Item(dtype="f4", units=M, long_name="Top of the first telemetry band above the ellipsoid"),
    "tlm_top_band2": Item(dtype="f4", units=M, long_name="Top of the second telemetry band above the ellipsoid"),
}
SIGNAL_FIND = {
    "bckgrd_mean": _f4("counts", "Mean background count of a histogram bin"),
    "bckgrd_sigma": _f4("counts", "Standard deviation of the background count of a bin"),
    "delta_time": Item(dtype="f8", units=SECONDS, long_name="Time of the interval's start", standard_name="time"),
    "t_pc_delta": _f4("seconds", "Length of the interval"),
    "z_pc_delta": _f4(M, "Height of a bin"),
}
GROUPS = {
    "heights": ("Arrays for each received photon.", "Photon rate.", HEIGHTS),
    "geolocation": ("Geolocation of the 20 m along-track segments.", "20 m segments.", GEOLOCATION),
    "geophys_corr": ("Corrections of photon heights for geophysical effects.", "20 m segments.", GEOPHYS_CORR),
    "bckgrd_atlas": ("Background counts of 50 shots.", "50 shots, 200 Hz.", BCKGRD_ATLAS),
    "signal_find_output/ocean": ("Histogram settings of the signal finder.", "Signal finding intervals.", SIGNAL_FIND),
}


def set_text(node: h5py.Group | h5py.Dataset, **attributes: str) -> None:
    """Write attributes as fixed-length byte strings, as in the archive's files."""
    for name, value in attributes.items():
        node.attrs.create(name, np.bytes_(value.encode("utf-8") or b" "))


def describe(node: h5py.Dataset, name: str, item: Item, *, group: str) -> None:
    """Write a dataset's attributes."""
    set_text(
        node,
        units=item.units,
        long_name=item.long_name,
        description=item.long_name + ".",
        contentType="modelResult",
        source="polynya simulation",
    )
    if item.standard_name:
        set_text(node, standard_name=item.standard_name)
    coordinates = PHOTON if group == "heights" else SEGMENT if group == "geolocation" else "delta_time"
    others = " ".join(c for c in coordinates.split() if c != name)
    if others:
        set_text(node, coordinates=others)
    if item.fill is not None:
        node.attrs.create("_FillValue", np.array(item.fill, item.dtype))
    if item.flags:
        node.attrs.create("flag_values", np.array([v for v, _ in item.flags], item.dtype))
        set_text(node, flag_meanings=" ".join(m for _, m in item.flags))


def write_group(parent: h5py.Group, name: str, arrays: dict[str, np.ndarray], *, pool: Executor) -> None:
    """Write one of :data:`GROUPS` with all its datasets.

    Parameters
    ----------
    parent : h5py.Group
        The beam's group.
    name : str
        A key of :data:`GROUPS`.
    arrays : dict of str to numpy.ndarray
        Exactly the group's datasets.
    pool : concurrent.futures.Executor
        Threads that compress the chunks.
    """
    words, rate, items = GROUPS[name]
    group = parent.create_group(name)
    set_text(group, Description=words, data_rate=rate)
    for key, item in items.items():
        node = write_array(group, key, np.asarray(arrays[key]), item, pool=pool)
        describe(node, key, item, group=name)


def write_array(group: h5py.Group, name: str, array: np.ndarray, item: Item, *, pool: Executor) -> h5py.Dataset:
    """Write one chunked, shuffled, deflated dataset; floating-point NaN becomes the fill value."""
    dtype = np.dtype(item.dtype)
    array = np.ascontiguousarray(array, dtype)
    if dtype.kind == "f" and item.fill is not None and np.isnan(array).any():
        array = np.where(np.isnan(array), item.fill, array).astype(dtype)
    chunk = (CHUNK, *array.shape[1:])
    node = group.create_dataset(
        name,
        array.shape,
        dtype,
        chunks=chunk,
        maxshape=(None, *array.shape[1:]),
        shuffle=True,
        compression="gzip",
        compression_opts=DEFLATE,
        fillvalue=item.fill,
    )
    starts = range(0, array.shape[0], CHUNK)
    zeros = (0,) * (array.ndim - 1)
    for start, packed in zip(starts, pool.map(_pack, _chunks(array, starts)), strict=True):
        node.id.write_direct_chunk((start, *zeros), packed)
    return node


def _chunks(array: np.ndarray, starts: Iterable[int]) -> Iterable[np.ndarray]:
    for start in starts:
        part = array[start : start + CHUNK]
        if part.shape[0] < CHUNK:
            part = np.concatenate([part, np.zeros((CHUNK - part.shape[0], *array.shape[1:]), array.dtype)])
        yield part


def _pack(part: np.ndarray) -> bytes:
    size = part.dtype.itemsize
    raw = part.view(np.uint8).reshape(-1, size).T.tobytes() if size > 1 else part.tobytes()
    return zlib.compress(raw, DEFLATE)


def write_scalar(group: h5py.Group, name: str, value: object, *, units: str, long_name: str) -> None:
    """Write a contiguous dataset of one or a few values; text as fixed-length bytes."""
    data = np.array([np.bytes_(value.encode())]) if isinstance(value, str) else np.atleast_1d(value)
    node = group.create_dataset(name, data=data)
    set_text(node, units=units, long_name=long_name, description=long_name + ".")

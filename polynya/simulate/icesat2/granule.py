"""Write one beam's arrays into the groups of ATL03.

Both simulations use it: from a drawn ice cover, and from a real ATL07's photon heights.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass

import h5py
import numpy as np

from ...readers.icesat2 import ORIENTATIONS
from . import atlas
from .layout import set_text, write_group

SEGMENT_LENGTH = 20.0057
BACKGROUND_SHOTS = 50
FRAME_PULSES = 200
TILT_ACROSS, TILT_ALONG = 0.0058, 0.0007
"""Horizontal displacement per metre of height: ATLAS's outer beams point about a third of a degree off nadir."""
METRES_PER_DEGREE = 111320.0


@dataclass(frozen=True, kw_only=True)
class BeamTrack:
    """One beam's shots: arrays of shape (shots,), in time order.

    Attributes
    ----------
    name : str
    is_strong : bool
    spot, orientation, rgt : int
    x : numpy.ndarray
        Along-track distance, m.
    time : numpy.ndarray
        Seconds since 2018-01-01 UTC.
    latitude, longitude : numpy.ndarray
    across : float
        Distance left of the reference track, m.
    first_shot : int
        Running number of the first shot; frame and pulse are counted from it.
    segment_origin : float
        Start of a 20 m segment at or before the first shot, m.
    dead_time : numpy.ndarray, shape (channels,)
        Dead time of each channel, ns.
    sea_ice : bool
        Sea-ice column of ``surf_type``.
    azimuth : float
        Heading of the track, degrees.
    """

    name: str
    is_strong: bool
    spot: int
    orientation: int
    rgt: int
    x: np.ndarray
    time: np.ndarray
    latitude: np.ndarray
    longitude: np.ndarray
    across: float
    first_shot: int
    segment_origin: float
    dead_time: np.ndarray
    sea_ice: bool
    azimuth: float

    def running(self) -> np.ndarray:
        """Return each shot's running number, from its time: 10 kHz, gaps included."""
        return self.first_shot + np.rint((self.time - self.time[0]) * 1e4).astype(np.int64)


@dataclass(frozen=True, kw_only=True)
class Surface:
    """One beam's photons and the values of its 20 m segments.

    Attributes
    ----------
    photons : atlas.Photons
    height : numpy.ndarray, shape (photons,)
        Above the ellipsoid, m: the product's ``h_ph``.
    confidence, weight : numpy.ndarray, shape (photons,)
    background : numpy.ndarray, shape (shots,)
        Hz.
    window : tuple of two arrays, shape (shots,)
        Bottom and top of the telemetry band above the ellipsoid, m.
    background_window : float
        Height of the window of the background counts, m.
    earth : dict of str to function
        ``mss`` (tide-free), ``geoid`` (tide-free), ``tide_ocean``, ``tide_equilibrium``, ``dac`` (m) of along-track
        distance.
    """

    photons: atlas.Photons
    height: np.ndarray
    confidence: np.ndarray
    weight: np.ndarray
    background: np.ndarray
    window: tuple[np.ndarray, np.ndarray]
    background_window: float
    earth: dict[str, Callable[[np.ndarray], np.ndarray]]


def geoid_free2mean(latitude: np.ndarray) -> np.ndarray:
    """Return mean-tide minus tide-free geoid, m: ``1.3 (0.099 - 0.296 sin^2 lat)`` (ATL03 ATBD; h2 - 1 + k2 as
    there)."""
    return 1.3 * (0.099 - 0.296 * np.sin(np.radians(latitude)) ** 2)


def solar_position(time: np.ndarray, latitude: np.ndarray, longitude: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the sun's elevation and azimuth, degrees, to about 0.05 degrees.

    The Astronomical Almanac's low-precision formulas; ``time`` in seconds since 2018-01-01 UTC.
    """
    days = np.asarray(time) / 86400.0 + 6574.5  # since 2000-01-01T12
    mean_longitude = np.radians(280.460 + 0.9856474 * days)
    anomaly = np.radians(357.528 + 0.9856003 * days)
    ecliptic = mean_longitude + np.radians(1.915 * np.sin(anomaly) + 0.020 * np.sin(2.0 * anomaly))
    obliquity = np.radians(23.439 - 4.0e-7 * days)
    right_ascension = np.arctan2(np.cos(obliquity) * np.sin(ecliptic), np.cos(ecliptic))
    declination = np.arcsin(np.sin(obliquity) * np.sin(ecliptic))
    sidereal = np.radians((280.46062 + 360.98564737 * days + longitude) % 360.0)
    hour = sidereal - right_ascension
    lat = np.radians(latitude)
    elevation = np.arcsin(np.sin(lat) * np.sin(declination) + np.cos(lat) * np.cos(declination) * np.cos(hour))
    azimuth = np.arctan2(
        -np.cos(declination) * np.sin(hour),
        np.cos(lat) * np.sin(declination) - np.sin(lat) * np.cos(declination) * np.cos(hour),
    )
    return np.degrees(elevation), np.degrees(azimuth) % 360.0


def beam_group(
    handle: h5py.File, beam: BeamTrack, surface: Surface, *, pool: Executor, rng: np.random.Generator
) -> None:
    """Write one beam's group and everything in it.

    Parameters
    ----------
    handle : h5py.File
        Open for writing.
    beam : BeamTrack
        The beam's shots.
    surface : Surface
        The beam's photons and corrections.
    pool : concurrent.futures.Executor
        Threads that compress.
    rng : numpy.random.Generator
        Draws the background counts and the values without a model (pulse energy, attitude).
    """
    group = handle.create_group(beam.name)
    set_text(
        group,
        Description=f"Ground track {beam.name} of a simulated granule.",
        atlas_beam_type="strong" if beam.is_strong else "weak",
        atlas_pce=f"pce{(beam.spot + 1) // 2}",
        atlas_spot_number=str(beam.spot),
        atmosphere_profile=f"profile_{beam.name[2]}",
        groundtrack_id=beam.name,
        sc_orientation=ORIENTATIONS[beam.orientation].capitalize(),
    )
    of_shot = np.floor((beam.x - beam.segment_origin) / SEGMENT_LENGTH).astype(np.int64)
    segments, first_shot, shot_segment = np.unique(of_shot, return_index=True, return_inverse=True)
    write_group(group, "heights", _heights(beam, surface, segments, shot_segment, rng), pool=pool)
    located = _geolocation(beam, surface, segments, first_shot, shot_segment, rng)
    write_group(group, "geolocation", located, pool=pool)
    write_group(group, "geophys_corr", _geophysical(beam, surface, located), pool=pool)
    write_group(group, "bckgrd_atlas", _background(beam, surface, rng), pool=pool)
    write_group(group, "signal_find_output/ocean", _signal_find(beam, surface), pool=pool)


def _heights(
    beam: BeamTrack, surface: Surface, segments: np.ndarray, shot_segment: np.ndarray, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    shot = surface.photons.shot
    running = beam.running()
    n = shot.size
    channel = surface.photons.channel
    base = 20 * ((beam.spot + 1) // 2 - 1) + (1 if beam.is_strong else 17)
    edge = np.where(rng.random(n) < 0.5, 60, 0)
    confidence = np.full((n, 5), -1, np.int8)
    confidence[:, 1] = surface.confidence
    if beam.sea_ice:
        confidence[:, 2] = surface.confidence
    start = beam.segment_origin + segments * SEGMENT_LENGTH
    # The beam is tilted: photons of one shot at different heights have different positions.
    aside, ahead = -TILT_ACROSS * surface.photons.height, TILT_ALONG * surface.photons.height
    north, east = np.radians(beam.azimuth), 1.0 / np.cos(np.radians(beam.latitude))
    to_north = (np.cos(north) * ahead + np.sin(north) * aside) / METRES_PER_DEGREE
    to_east = (np.sin(north) * ahead - np.cos(north) * aside) / METRES_PER_DEGREE
    return {
        "delta_time": beam.time[shot],
        "dist_ph_across": (beam.across + 0.02 * rng.standard_normal(beam.x.size))[shot] + aside,
        "dist_ph_along": np.clip((beam.x - start[shot_segment])[shot] + ahead, 0.0, SEGMENT_LENGTH - 1e-3),
        "h_ph": surface.height,
        "lat_ph": beam.latitude[shot] + to_north,
        "lon_ph": (beam.longitude[shot] + to_east * east[shot] + 180.0) % 360.0 - 180.0,
        "pce_mframe_cnt": (running // FRAME_PULSES)[shot],
        "ph_id_channel": base + channel + edge,
        "ph_id_count": _count_in_channel(shot, channel),
        "ph_id_pulse": (running % FRAME_PULSES + 1)[shot],
        "quality_ph": np.where(surface.photons.origin == 2, 1, 0),
        "signal_conf_ph": confidence,
        "weight_ph": surface.weight,
    }


def _count_in_channel(shot: np.ndarray, channel: np.ndarray) -> np.ndarray:
    """Number the photons of each shot and channel from 1, in order."""
    key = shot.astype(np.int64) * 32 + channel
    order = np.argsort(key, kind="stable")
    ordered = key[order]
    new = np.concatenate([[True], ordered[1:] != ordered[:-1]]) if key.size else np.zeros(0, bool)
    first = np.maximum.accumulate(np.where(new, np.arange(key.size), 0))
    out = np.empty(key.size, np.uint8)
    out[order] = np.minimum(np.arange(key.size) - first + 1, 255)
    return out


def _geolocation(
    beam, surface: Surface, segments, first_shot, shot_segment, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    n = segments.size
    photon_segment = shot_segment[surface.photons.shot]
    count = np.bincount(photon_segment, minlength=n)
    begin = np.concatenate([[0], np.cumsum(count)[:-1]])
    shots = np.bincount(shot_segment, minlength=n)
    middle = first_shot + shots // 2
    has = count > 0
    reference = np.where(has, begin + count // 2, 0)
    reference_shot = np.where(has, surface.photons.shot[reference] if surface.photons.shot.size else 0, middle)
    per_shot = np.bincount(surface.photons.shot[surface.photons.origin > 0], minlength=beam.x.size)
    channels = atlas.CHANNELS[beam.is_strong]
    full = np.bincount(shot_segment, weights=per_shot >= channels, minlength=n) / shots
    near = np.bincount(shot_segment, weights=per_shot >= 0.75 * channels, minlength=n) / shots
    latitude, longitude, time = beam.latitude[reference_shot], beam.longitude[reference_shot], beam.time[reference_shot]
    elevation, azimuth = solar_position(time, latitude, longitude)
    start = beam.segment_origin + segments * SEGMENT_LENGTH
    constant = {
        "knn": 8,
        "neutat_delay_derivative": -3.14e-4,
        "neutat_delay_total": 2.35,
        "podppd_flag": 0,
        "range_bias_corr": 4.07,
        "ref_elev": 1.5645,
        "roll": -0.1,
        "yaw": 0.24,
        "pitch": -0.237,
        "sigma_across": 5.0,
        "sigma_along": 5.0,
        "sigma_h": 0.144,
        "sigma_lat": 6.3e-5,
        "bounce_time_offset": 0.00164,
    }
    out = {k: np.full(n, v) for k, v in constant.items()}
    heading = np.radians(beam.azimuth)
    velocity = 7100.0 * np.array([np.sin(heading), np.cos(heading), 0.0])
    surf_type = np.zeros((n, 5), np.int8)
    surf_type[:, 1] = 1
    surf_type[:, 2] = beam.sea_ice
    out |= {
        "altitude_sc": 4.93e5 + 1.5e-3 * (start - start[0]),
        "delta_time": time,
        "full_sat_fract": full,
        "near_sat_fract": near,
        "neutat_ht": surface.earth["mss"](start),
        "ph_index_beg": np.where(has, begin + 1, 0),
        "ref_azimuth": np.full(n, (heading + np.pi) % (2.0 * np.pi) - np.pi),
        "reference_photon_index": np.where(has, count // 2 + 1, 0),
        "reference_photon_lat": latitude,
        "reference_photon_lon": longitude,
        "segment_dist_x": start,
        "segment_id": segments + int(beam.segment_origin / SEGMENT_LENGTH) + 1,
        "segment_length": np.full(n, SEGMENT_LENGTH),
        "segment_ph_cnt": count,
        "sigma_lon": 6.3e-5 / np.maximum(np.cos(np.radians(latitude)), 0.02),
        "solar_azimuth": azimuth,
        "solar_elevation": elevation,
        "surf_type": surf_type,
        "tx_pulse_energy": (1.0 if beam.is_strong else 0.25) * (1.1e-4 + 1e-7 * rng.standard_normal(n)),
        "tx_pulse_skew_est": -1e-10 + 8e-11 * rng.standard_normal(n),
        "tx_pulse_width_lower": 1.5e-9 + 8e-11 * rng.standard_normal(n),
        "tx_pulse_width_upper": 4.0e-10 + 5e-11 * rng.standard_normal(n),
        "velocity_sc": np.tile(velocity, (n, 1)),
    }
    return out


def _geophysical(beam: BeamTrack, surface: Surface, located: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    centre = located["segment_dist_x"] + 0.5 * SEGMENT_LENGTH
    latitude = located["reference_photon_lat"]
    free2mean = geoid_free2mean(latitude)
    n = centre.size
    earth = surface.earth
    return {
        "dac": earth["dac"](centre),
        "delta_time": located["delta_time"],
        "dem_flag": np.full(n, 3),
        "dem_h": earth["mss"](centre) + free2mean,
        "geoid": earth["geoid"](centre),
        "geoid_free2mean": free2mean,
        "tide_earth": np.full(n, -0.12),
        "tide_earth_free2mean": 0.06029 - 0.180873 * np.sin(np.radians(latitude)) ** 2,
        "tide_equilibrium": earth["tide_equilibrium"](centre),
        "tide_load": np.full(n, -0.0015),
        "tide_oc_pole": np.full(n, -1.7e-5),
        "tide_ocean": earth["tide_ocean"](centre),
        "tide_pole": np.full(n, 4.2e-4),
    }


def _background(beam: BeamTrack, surface: Surface, rng: np.random.Generator) -> dict[str, np.ndarray]:
    running = beam.running()
    blocks, first, of_shot = np.unique(running // BACKGROUND_SHOTS, return_index=True, return_inverse=True)
    shots = np.bincount(of_shot)
    rate = np.bincount(of_shot, weights=surface.background) / shots
    signal = np.bincount(of_shot[surface.photons.shot], weights=surface.photons.origin > 0, minlength=blocks.size)
    top, bottom = surface.window[1][first], surface.window[0][first]
    height = np.full(blocks.size, surface.background_window)
    reduced = height - 1.0
    seconds = BACKGROUND_SHOTS * reduced / atlas.METRES_PER_NS * 1e-9
    counts = rng.poisson(rate * seconds)
    return {
        "bckgrd_counts": counts + np.rint(signal * BACKGROUND_SHOTS / shots).astype(np.int64),
        "bckgrd_counts_reduced": counts,
        "bckgrd_hist_top": top + 0.5 * height,
        "bckgrd_int_height": height,
        "bckgrd_int_height_reduced": reduced,
        "bckgrd_rate": counts / seconds,
        "delta_time": beam.time[first] - (running[first] % BACKGROUND_SHOTS) * 1e-4,
        "pce_mframe_cnt": blocks * BACKGROUND_SHOTS // FRAME_PULSES,
        "tlm_height_band1": top - bottom,
        "tlm_height_band2": np.zeros(blocks.size),
        "tlm_top_band1": top,
        "tlm_top_band2": np.zeros(blocks.size),
    }


def _signal_find(beam: BeamTrack, surface: Surface) -> dict[str, np.ndarray]:
    at = np.arange(0, beam.x.size, atlas.FINDER_SHOTS)
    mean = np.add.reduceat(surface.background, at) / atlas.METRES_PER_NS * 1e-9 * atlas.FINDER_BIN
    return {
        "bckgrd_mean": mean,
        "bckgrd_sigma": np.sqrt(mean),
        "delta_time": beam.time[at],
        "t_pc_delta": np.full(at.size, atlas.FINDER_SHOTS * 1e-4),
        "z_pc_delta": np.full(at.size, atlas.FINDER_BIN),
    }

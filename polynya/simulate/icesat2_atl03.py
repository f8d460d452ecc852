"""Simulated ATL03 granules in the full release 006 layout, with their truth beside them.

``simulate`` draws an ice cover (:mod:`.sea_ice`), counts its photons (:mod:`.atlas`) and writes
``OUT.h5`` and ``OUT_truth.parquet``. Simulated data trains, tests and demonstrates; it is no measurement, and
the file says so in its root attribute ``polynya_simulation``.

Heights: ``h_ph = surface above the tide-free MSS + MSS + tide_ocean + tide_equilibrium + dac`` plus the
instrument. ``dem_h`` carries the MSS in the mean-tide system, ``MSS + geoid_free2mean``, as release 006 does.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
from pyproj import Geod

from .. import io, schema
from ..errors import OutputError, UsageError, one_line
from ..readers.icesat2 import SPOTS
from . import atlas, sea_ice
from .icesat2_atl03_granule import BeamTrack, Surface, beam_group
from .icesat2_atl03_head import granule_head

PAIR_OFFSET = {"gt1": 3345.0, "gt2": 0.0, "gt3": -3345.0}
"""Across-track distance of the beam pairs, m, left of the reference track positive (Neumann et al., 2019)."""
BEAM_OFFSET = 45.0
MARGIN = 20.0
"""Ice on both sides of the first and last shot, m, so that every footprint is whole."""


@dataclass(frozen=True)
class Season:
    """Where and when a season's default track lies, and what its window and background are.

    ``start`` is latitude and heading; the longitude is set so that the track crosses 180 degrees half way.
    Background, Hz, is a strong beam's over bright ice without cloud: 5.9 MHz is the mean of real daylight segments;
    tens of kHz are what real night granules hold.
    """

    date: str
    latitude: float
    heading: float
    x_start: float
    window: float
    background: tuple[float, float]
    background_window: float
    rgt: int
    cycle: int
    region: int


SEASONS = {
    "winter": Season("2020-01-15T09:12:00", 75.0, -11.0, 8.35e6, 33.0, (1.2e4, 5.0e4), 5006.0, 284, 6, 4),
    "summer": Season("2019-11-16T21:40:00", -73.0, -168.0, 2.86e7, 64.0, (5.0e6, 8.8e6), 712.0, 717, 5, 11),
}


@dataclass(frozen=True)
class Simulated:
    """What a simulation wrote.

    Attributes
    ----------
    granule, truth : Path
    photons : dict of str to int
        Photons of each beam.
    shares : dict of str to dict
        Shares of thick ice, thin ice and open water of each beam's track.
    settings : dict
    """

    granule: Path
    truth: Path
    photons: dict[str, int]
    shares: dict[str, dict[str, float]]
    settings: dict[str, object] = field(default_factory=dict)


def simulate(out: Path | str, *, length_km: float = 60.0, beams: str = "all", season: str = "winter", seed: int = 0) -> Simulated:
    """Write a simulated ATL03 granule and its truth.

    Parameters
    ----------
    out : Path or str
        The granule, ``NAME.h5``; the truth goes to ``NAME_truth.parquet`` beside it.
    length_km : float
        Length of the track, 1-3000 km.
    beams : str
        ``all``, ``strong``, ``weak`` or beam names with commas between. The orientation is forward: right beams are strong.
    season : str
        ``winter`` (Arctic, night) or ``summer`` (Ross Sea, daylight).
    seed : int
        Same arguments and seed, same arrays.

    Returns
    -------
    Simulated

    Raises
    ------
    UsageError
        If an argument is out of range.
    OutputError
        If the files cannot be written.
    """
    names = parse_beams(beams)
    if season not in SEASONS:
        raise UsageError(f"season {season!r} is unknown; expected winter or summer. Choose one of them.")
    if not 1.0 <= length_km <= 3000.0:
        raise UsageError(f"length_km is {length_km}; expected 1 to 3000. Choose a length in that range.")
    if seed < 0:
        raise UsageError(f"seed is {seed}; expected 0 or more. Choose another seed.")
    place = SEASONS[season]
    parameters = sea_ice.draw_parameters(season, _rng(seed, 0))
    start = place.x_start + float(np.round(_rng(seed, 1).uniform(0.0, 2000.0), 3))
    settings = {"kind": "sea ice model", "length_km": length_km, "beams": beams, "season": season, "seed": seed, "ice": asdict(parameters)}
    earth = _earth(seed)
    track = _reference_track(place, length_km * 1000.0)
    photons, shares = {}, {}
    start_time = float((np.datetime64(place.date, "ns") - np.datetime64("2018-01-01", "ns")) / np.timedelta64(1, "s"))
    granule_id = Path(out).stem
    with granule_pair(out, about={"product": "polynya simulation of ATL03", "release": "006", **settings}) as (handle, write_truth, pool):
        for name in names:
            beam, surface, truth = _simulate_beam(
                name, seed=seed, place=place, parameters=parameters, earth=earth, track=track, start=start, start_time=start_time,
                length=length_km * 1000.0, granule_id=granule_id,
            )
            beam_group(handle, beam, surface, pool=pool, rng=_rng(seed, 40, schema.BEAM_NAMES.index(name)))
            write_truth(truth)
            photons[name] = int(surface.photons.shot.size)
            shares[name] = class_shares(truth)
        granule_head(
            handle, granule_id=granule_id, orientation=1, rgt=place.rgt, cycle=place.cycle, region=place.region,
            times=(start_time, start_time + length_km * 1000.0 / atlas.SHOT_SPACING * 1e-4), settings=settings, seed=seed,
            channels={n: _channels(seed, n) for n in names},
        )
    return Simulated(Path(out), truth_name(out), photons, shares, settings)


def parse_beams(beams: str) -> list[str]:
    """Return the beam names a selection means at forward orientation, in the product's order.

    Raises
    ------
    UsageError
        If a name is no beam.
    """
    word = beams.strip().lower()
    if word == "all":
        return list(schema.BEAM_NAMES)
    if word in ("strong", "weak"):
        return [b for b in schema.BEAM_NAMES if (SPOTS[1][b] % 2 == 1) == (word == "strong")]
    names = [n.strip() for n in word.split(",") if n.strip()]
    wrong = [n for n in names if n not in schema.BEAM_NAMES]
    if wrong or not names:
        raise UsageError(
            f"beams {beams!r}: no such beam {', '.join(wrong)}; expected all, strong, weak, or names among {', '.join(schema.BEAM_NAMES)}. Try strong."
        )
    return [b for b in schema.BEAM_NAMES if b in names]


def truth_name(out: Path | str) -> Path:
    """Return where the truth of a granule lies."""
    out = Path(out)
    return out.with_name(out.stem + "_truth.parquet")


@contextlib.contextmanager
def granule_pair(out: Path | str, *, about: dict[str, object]) -> Iterator[tuple[h5py.File, Callable[[pa.Table], None], ThreadPoolExecutor]]:
    """Open a granule and its truth under temporary names; both get their own names only when all went well.

    Yields
    ------
    handle : h5py.File
    write_truth : function
        Takes the truth table of one beam after the other.
    pool : concurrent.futures.ThreadPoolExecutor
        Threads to deflate with.

    Raises
    ------
    OutputError
        If the files cannot be written.
    """
    out = Path(out)
    if out.suffix != ".h5":
        raise UsageError(f"the output is named {out.name}; expected a name that ends in .h5. Name it {out.stem}.h5.")
    if out.is_dir() or truth_name(out).is_dir():
        raise OutputError(f"{out}: is a folder, or {truth_name(out).name} is; expected files to write. Choose another name.")
    about = {"granule": out.stem, **about}
    with io.writing(out) as temporary, io.writing(truth_name(out)) as truth_part:
        try:
            with ThreadPoolExecutor(2) as pool, h5py.File(temporary, "w", libver=("earliest", "v110")) as handle:
                writer = io.TableWriter(truth_part, spec=schema.TRUTH, about=about)
                with contextlib.closing(writer):
                    yield handle, writer.write, pool
        except RuntimeError as error:  # what HDF5 raises when it cannot flush
            raise OutputError(f"{out}: writing failed ({one_line(error)}); expected room on the disk. Free some or write elsewhere.") from error


def class_shares(truth: pa.Table) -> dict[str, float]:
    """Return the shares of the surface classes in a truth table, zero classes included."""
    values = truth["surface_class"].to_numpy()
    return {name: float(np.mean(values == code)) for code, name in schema.SURFACE_CLASSES if code >= 0}


def _rng(*key: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(_seed(*key)))


def _seed(seed: int, *key: int) -> np.random.SeedSequence:
    return np.random.SeedSequence(seed, spawn_key=key)


def _channels(seed: int, name: str) -> np.ndarray:
    """Return the dead times of a beam pair's 20 channels, ns: the same whichever beams are simulated."""
    return np.concatenate([atlas.channel_dead_times(is_strong, _rng(seed, 31, int(name[2]), int(is_strong))) for is_strong in (True, False)])


def _earth(seed: int) -> dict[str, Callable[[np.ndarray], np.ndarray]]:
    """Draw the smooth fields under the track, functions of distance from the start (m), in metres.

    Sea surface: a constant of decimetres (errors of tide and MSS models) and waves of 30-250 km whose slopes are 2-3 cm in 10 km;
    2.0 cm (Southern Ocean) and 3.8 cm (Arctic) in 10 km are what CryoSat-2 sees (Kwok and Morison, 2016, doi:10.1002/2015JC011357).
    MSS and geoid slopes are those of gentle marine geoids; tides and dac change over hundreds of kilometres.
    """
    rng = _rng(seed, 2)
    mss = sea_ice.smooth_field(rng, offset=(-60.0, 15.0), slope=1.2e-5, rms=0.5, wavelengths=(2.5e4, 2.0e5))
    topography = sea_ice.smooth_field(rng, offset=(-1.2, -0.3), slope=2.0e-7, rms=0.05, wavelengths=(1.0e5, 5.0e5), waves=3)
    return {
        "sea_surface": sea_ice.smooth_field(rng, offset=(-0.18, 0.18), slope=1.5e-7, rms=0.045, wavelengths=(3.0e4, 2.5e5)),
        "mss": mss,
        "geoid": lambda x: mss(x) - topography(x),
        "tide_ocean": sea_ice.smooth_field(rng, offset=(-0.5, 0.5), slope=3.0e-7, rms=0.05, wavelengths=(3.0e5, 1.0e6), waves=3),
        "tide_equilibrium": sea_ice.smooth_field(rng, offset=(-0.015, 0.015), slope=0.0, rms=0.0005, wavelengths=(5.0e5, 2.0e6), waves=2),
        "dac": sea_ice.smooth_field(rng, offset=(-0.35, 0.35), slope=1.0e-7, rms=0.02, wavelengths=(3.0e5, 1.0e6), waves=3),
    }


def _reference_track(place: Season, length: float) -> np.ndarray:
    """Return knots every 100 m along the reference track: columns latitude, longitude, azimuth (degrees)."""
    geod = Geod(ellps="WGS84")
    distance = np.arange(-200.0, length + 300.0, 100.0)
    n = distance.size
    lon, lat, back = geod.fwd(np.zeros(n), np.full(n, place.latitude), np.full(n, place.heading), distance)
    middle = np.interp(length / 2.0, distance, np.unwrap(lon, period=360.0))
    azimuth = (np.asarray(back) + 180.0) % 360.0
    azimuth[distance < 0] = (azimuth[distance < 0] + 180.0) % 360.0
    return np.stack([lat, np.asarray(lon) + 180.0 - middle, np.full(n, 0.0) + azimuth], axis=1)


def _beam_position(track: np.ndarray, along: np.ndarray, across: float) -> tuple[np.ndarray, np.ndarray]:
    """Return latitude and longitude of points ``along`` metres from the start, ``across`` metres left of the reference track."""
    geod = Geod(ellps="WGS84")
    lon, lat, _ = geod.fwd(track[:, 1], track[:, 0], track[:, 2] - 90.0, np.full(track.shape[0], across))
    at = np.arange(track.shape[0]) * 100.0 - 200.0
    longitude = np.interp(along, at, np.unwrap(np.asarray(lon), period=360.0))
    return np.interp(along, at, lat), (longitude + 180.0) % 360.0 - 180.0


def _simulate_beam(
    name: str, *, seed: int, place: Season, parameters: sea_ice.IceParameters, earth: dict, track: np.ndarray, start: float, start_time: float,
    length: float, granule_id: str,
) -> tuple[BeamTrack, Surface, pa.Table]:
    pair, is_right = int(name[2]), name.endswith("r")
    spot = SPOTS[1][name]
    is_strong = spot % 2 == 1
    across = PAIR_OFFSET[name[:3]] + (-BEAM_OFFSET if is_right else BEAM_OFFSET)
    shots = int(length / atlas.SHOT_SPACING)
    x = start + np.arange(shots) * atlas.SHOT_SPACING
    grid_start = 2.0 * np.floor((start - MARGIN) / 2.0)
    grid_length = 2.0 * np.ceil((x[-1] + MARGIN - grid_start) / 2.0)
    leads = sea_ice.draw_leads(parameters, _rng(seed, 10, pair), length=grid_length)
    if not is_right:
        leads = sea_ice.neighbour_leads(leads, _rng(seed, 11, pair), across=2.0 * BEAM_OFFSET)
    ice = sea_ice.ice_field(parameters, leads, _rng(seed, 12, spot), length=grid_length)
    grid_x = grid_start + (np.arange(ice.freeboard.size) + 0.5) * sea_ice.STEP
    clear = atlas.cloud_transmission(grid_x, shared=_rng(seed, 20), own=_rng(seed, 21, pair))
    background = _background(place, ice.albedo, clear, _rng(seed, 22), season=parameters.season)
    cell = ((x - grid_start) / sea_ice.STEP).astype(np.int64)
    rng = _rng(seed, 30, spot)
    bottom = -place.window * rng.uniform(0.40, 0.50) + 0.25 * np.round(2.0 * atlas.smooth_noise(shots // 2000 + 2, 5, rng))[np.arange(shots) // 2000]
    window = (bottom, bottom + place.window)
    gain = atlas.SPOT_GAIN[spot] * (1.0 if is_strong else atlas.WEAK_SHARE)
    noise = background[cell] * (1.0 if is_strong else atlas.WEAK_SHARE)
    dead_time = _channels(seed, name)[:16] if is_strong else _channels(seed, name)[16:]
    photons = atlas.detect(
        ice.rate, ice.freeboard, ice.roughness, step=sea_ice.STEP, shot_cell=cell, transmission=clear[cell], background=noise, window=window,
        dead_time=dead_time, gain=gain, seed=_seed(seed, 32, spot),
    )
    confidence, weight = atlas.signal_confidence(
        photons, shots=shots, background_per_metre=noise / atlas.METRES_PER_NS * 1e-9, bottom=float(bottom.min()), top=float(window[1].max())
    )
    along = x - start
    beam_shift = 0.002 * _rng(seed, 33, spot).standard_normal()
    surface = dict(earth)
    surface["sea_surface"] = lambda d: earth["sea_surface"](d) + beam_shift
    base = sum(surface[k](along) for k in ("sea_surface", "mss", "tide_ocean", "tide_equilibrium", "dac"))
    height = base[photons.shot] + photons.height
    latitude, longitude = _beam_position(track, along, across)
    time = start_time + np.arange(shots) * 1e-4 + (0.0 if is_strong else 0.36)
    beam = BeamTrack(
        name=name, is_strong=is_strong, spot=spot, orientation=1, rgt=place.rgt, x=x, time=time, latitude=latitude, longitude=longitude,
        across=across, first_shot=round((start_time % 86400.0) * 1e4) + (0 if is_strong else 3600), segment_origin=start - 7.3, dead_time=dead_time,
        sea_ice=True, azimuth=float(track[0, 2]),
    )
    earth_at = {k: _from(v, start) for k, v in surface.items()}
    made = Surface(photons, height, confidence, weight, noise, (window[0] + base, window[1] + base), place.background_window, earth_at)
    truth = _truth(name, beam, ice, grid_x, clear, earth_at["sea_surface"], track, start, across, granule_id)
    return beam, made, truth


def _from(function: Callable, start: float) -> Callable:
    return lambda x: function(np.asarray(x) - start)


def _background(place: Season, albedo: np.ndarray, clear: np.ndarray, rng: np.random.Generator, *, season: str) -> np.ndarray:
    """Return the strong-beam background rate on the grid, Hz: sunlight off the 45 m field of view and off cloud."""
    level = rng.uniform(*place.background)
    if season == "winter":
        return level * np.exp(0.2 * (1.0 - clear))
    cells = round(45.0 / sea_ice.STEP) | 1
    seen = np.convolve(np.pad(albedo, cells // 2, mode="edge"), np.full(cells, 1.0 / cells), mode="valid")
    return level * (seen / sea_ice.SNOW_ALBEDO * np.sqrt(clear) + 0.9 * (1.0 - np.sqrt(clear)))


def _truth(name, beam: BeamTrack, ice: sea_ice.IceField, grid_x, clear, sea_surface, track, start, across, granule_id) -> pa.Table:
    four = (-1, 4)
    weights = atlas.footprint_weights(sea_ice.STEP)
    seen = np.convolve(ice.rate, weights, mode="same")
    blurred = np.convolve(ice.rate * ice.freeboard, weights, mode="same")
    inside = (grid_x.reshape(four)[:, 0] > beam.x[0] - 2.0) & (grid_x.reshape(four)[:, -1] < beam.x[-1] + 2.0)
    centre = grid_x.reshape(four).mean(axis=1)[inside]
    water = (ice.surface_class.reshape(four) == schema.OPEN_WATER).sum(axis=1)[inside]
    thin = (ice.surface_class.reshape(four) == schema.THIN_ICE).sum(axis=1)[inside]
    surface_class = np.where(water >= 2, schema.OPEN_WATER, np.where(water + thin >= 2, schema.THIN_ICE, schema.THICK_ICE))
    lead = np.where(water >= 2, ice.lead_type.reshape(four).max(axis=1)[inside], sea_ice.NO_LEAD)
    board = ice.freeboard.reshape(four).mean(axis=1)[inside].astype(np.float64)
    board_seen = (blurred.reshape(four).sum(axis=1) / seen.reshape(four).sum(axis=1))[inside]
    level = sea_surface(centre)
    latitude, longitude = _beam_position(track, centre - start, across)
    columns = {
        "granule": granule_id, "beam": name, "is_strong": beam.is_strong, "latitude": latitude, "longitude": longitude, "x_atc": centre,
        "surface_class": surface_class, "lead_type": lead, "surface_height": level + board, "surface_height_footprint": level + board_seen,
        "sea_surface_height": level, "total_freeboard": np.where(surface_class == schema.OPEN_WATER, 0.0, board),
        "total_freeboard_footprint": board_seen, "cloud_transmission": clear.reshape(four).mean(axis=1)[inside],
    }  # fmt: skip
    return schema.table(schema.TRUTH, columns)

"""Simulated ATL03 granules in the full release 006 layout, with their truth beside them.

``simulate`` draws an ice cover (:mod:`..sea_ice`), counts its photons (:mod:`.atlas`) and writes ``OUT.h5`` and
``OUT_truth.parquet``. Simulated data is for training, tests and demonstrations. It is not a measurement; the root
attribute ``polynya_simulation`` says so.

Heights: ``h_ph = surface above the tide-free MSS + MSS + tide_ocean + tide_equilibrium + dac``, plus the errors of the
instrument. ``dem_h`` is the MSS in the mean-tide system, ``MSS + geoid_free2mean``, as in release 006.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa

from ... import schema
from ...errors import UsageError
from ...readers.icesat2 import SPOTS
from ..sea_ice import profile
from ..sea_ice.presets import Season
from ..sea_ice.random_fields import smooth_field
from ..sea_ice.sea import Sea, draw_sea
from ..sea_ice.season import season_at, seconds_of
from ..sea_ice.surfaces import Surfaces, with_surfaces
from . import atlas
from .granule import BeamTrack, Surface, beam_group
from .granule_files import granule_pair, truth_name
from .ground_track import BEAM_OFFSET, across_of, beam_position, reference_track
from .head import Head, granule_head

MARGIN = 20.0
"""Ice beyond the first and last shot, m, so that every footprint is whole."""
IceOfBeam = Callable[[str, float, float], profile.IceField]


@dataclass(frozen=True, kw_only=True)
class Cover:
    """The ice and the sea under a track.

    Attributes
    ----------
    ice : function
        Takes the beam's name, the distance of the first cell's edge from the track's start (m) and a length (m);
        returns the ice under the beam.
    sea : Sea
        Swell and the short sea surface.
    place : Season
        Where and when the granule lies.
    length : float
        Of the track, m.
    """

    ice: IceOfBeam
    sea: Sea
    place: Season
    length: float


@dataclass(frozen=True, kw_only=True)
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
        What it was simulated from.
    """

    granule: Path
    truth: Path
    photons: dict[str, int]
    shares: dict[str, dict[str, float]]
    settings: dict[str, object] = field(default_factory=dict)


def simulate(
    out: Path | str,
    *,
    length_km: float = 60.0,
    beams: str = "all",
    season: str = "winter",
    seed: int = 0,
    sun_elevation: float | None = None,
    surfaces: Surfaces | None = None,
    overwrite: bool = False,
) -> Simulated:
    """Write a simulated ATL03 granule and its truth.

    Parameters
    ----------
    out : Path or str
        The granule, ``NAME.h5``; the truth goes to ``NAME_truth.parquet`` beside it.
    length_km : float
        Length of the track, 1-3000 km.
    beams : str
        ``all``, ``strong``, ``weak`` or beam names with commas between. The orientation is forward: the right beams
        are strong.
    season : str
        ``winter`` (Arctic, night), ``spring`` (Arctic, low sun), ``summer`` (Ross Sea, daylight) or ``melt`` (Arctic,
        June and July).
    seed : int
        The same arguments and seed give the same arrays.
    sun_elevation : float, optional
        Degrees, for seasons with sun. If left out, summer has a fixed day and hour; spring and melt draw an elevation.
    surfaces : Surfaces, optional
        Ponds, bright patches, kinds of leads, swell in place of what the season draws.
    overwrite : bool
        Replace an earlier simulated granule and its truth.

    Returns
    -------
    Simulated

    Raises
    ------
    UsageError
        If an argument is out of range, or there is an earlier granule and ``overwrite`` is not given.
    OutputError
        If the files cannot be written, or one of them is there and is no simulation of polynya.
    """
    parse_beams(beams)
    check_arguments(length_km=length_km, seed=seed)
    place = season_at(season, rng_of(seed, 3), sun_elevation=sun_elevation)
    surfaces = surfaces or Surfaces()
    length = length_km * 1000.0
    parameters = with_surfaces(profile.draw_parameters(season, rng_of(seed, 0)), surfaces)
    sea = draw_sea(season, rng_of(seed, 4), length=length, surfaces=surfaces)
    settings: dict[str, object] = {
        "kind": "sea ice model",
        "length_km": length_km,
        "beams": beams,
        "season": season,
        "seed": seed,
        "ice": asdict(parameters),
        "sea": sea.settings(),
    }
    if surfaces != Surfaces():
        settings["surfaces"] = surfaces.settings()
    if sun_elevation is not None:
        settings["sun_elevation"] = sun_elevation

    def ice(name: str, grid_start: float, grid_length: float) -> profile.IceField:
        pair = int(name[2])
        leads = profile.draw_leads(parameters, rng_of(seed, 10, pair), length=grid_length)
        if not name.endswith("r"):
            leads = profile.neighbour_leads(leads, rng_of(seed, 11, pair), across=2.0 * BEAM_OFFSET)
        return profile.ice_field(parameters, leads, rng_of(seed, 12, SPOTS[1][name]), length=grid_length)

    cover = Cover(ice=ice, sea=sea, place=place, length=length)
    return write_granule(out, cover, beams=beams, seed=seed, settings=settings, overwrite=overwrite)


def check_arguments(*, length_km: float, seed: int) -> None:
    """Check a length and a seed.

    Parameters
    ----------
    length_km : float
        Length of the track, km.
    seed : int
        Of the simulation.

    Raises
    ------
    UsageError
        If one of them cannot be simulated.
    """
    if not 1.0 <= length_km <= 3000.0:
        raise UsageError(f"length_km is {length_km}; expected 1 to 3000. Choose a length in that range.")
    if seed < 0:
        raise UsageError(f"seed is {seed}; expected 0 or more. Choose another seed.")


def write_granule(
    out: Path | str,
    cover: Cover,
    *,
    beams: str,
    seed: int,
    settings: dict[str, object],
    overwrite: bool = False,
) -> Simulated:
    """Count the photons of an ice cover and write the granule with its truth.

    Parameters
    ----------
    out : Path or str
        The granule, ``NAME.h5``; the truth goes to ``NAME_truth.parquet`` beside it.
    cover : Cover
        Ice and sea, place and length.
    beams : str
        As for :func:`simulate`.
    seed : int
        Of the simulation.
    settings : dict
        What the file states about itself; must hold ``season``.
    overwrite : bool
        Replace an earlier simulated granule and its truth.

    Returns
    -------
    Simulated

    Raises
    ------
    UsageError
        If a beam does not exist, or the file's name does not end in .h5.
    OutputError
        If the files cannot be written.
    """
    names, place, length = parse_beams(beams), cover.place, cover.length
    start = place.x_start + float(np.round(rng_of(seed, 1).uniform(0.0, 2000.0), 3))
    flight = _Flight(
        granule_id=Path(out).stem,
        seed=seed,
        place=place,
        ice_of=cover.ice,
        sea=cover.sea,
        is_night=settings["season"] == "winter",
        earth=_earth(seed),
        track=reference_track(place, length),
        start=start,
        start_time=seconds_of(place.date),
        length=length,
    )
    photons, shares = {}, {}
    about = {"product": "polynya simulation of ATL03", "release": "006", **settings}
    with granule_pair(out, about=about, overwrite=overwrite) as (handle, write_truth, pool):
        for name in names:
            beam, surface, truth = _simulate_beam(flight, name)
            beam_group(handle, beam, surface, pool=pool, rng=rng_of(seed, 40, schema.BEAM_NAMES.index(name)))
            write_truth(truth)
            photons[name] = int(surface.photons.shot.size)
            shares[name] = class_shares(truth)
        head = Head(
            granule_id=flight.granule_id,
            orientation=1,
            rgt=place.rgt,
            cycle=place.cycle,
            region=place.region,
            times=(flight.start_time, flight.start_time + length / atlas.SHOT_SPACING * 1e-4),
            settings=settings,
            seed=seed,
            channels={n: _channels(seed, n) for n in names},
        )
        granule_head(handle, head)
    return Simulated(granule=Path(out), truth=truth_name(out), photons=photons, shares=shares, settings=settings)


def parse_beams(beams: str) -> list[str]:
    """Return the beams of a selection at forward orientation, in the product's order.

    Raises
    ------
    UsageError
        If a beam does not exist.
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
            f"beams {beams!r}: no such beam {', '.join(wrong)}; expected all, strong, weak, or names among"
            f" {', '.join(schema.BEAM_NAMES)}. Try strong."
        )
    return [b for b in schema.BEAM_NAMES if b in names]


def class_shares(truth: pa.Table) -> dict[str, float]:
    """Return the shares of the surface classes in a truth table, zero classes included."""
    values = truth["surface_class"].to_numpy()
    return {name: float(np.mean(values == code)) for code, name in schema.SURFACE_CLASSES if code >= 0}


def rng_of(*key: int) -> np.random.Generator:
    """Return the generator of one part of a simulation: seed, then the part's own numbers."""
    return np.random.Generator(np.random.PCG64(seed_of(*key)))


def seed_of(seed: int, *key: int) -> np.random.SeedSequence:
    """Return the seed sequence of one part of a simulation."""
    return np.random.SeedSequence(seed, spawn_key=key)


def _channels(seed: int, name: str) -> np.ndarray:
    """Return the dead times of a beam pair's 20 channels, ns; they do not depend on the beams simulated."""
    return np.concatenate(
        [
            atlas.channel_dead_times(is_strong=is_strong, rng=rng_of(seed, 31, int(name[2]), int(is_strong)))
            for is_strong in (True, False)
        ]
    )


def _earth(seed: int) -> dict[str, Callable[[np.ndarray], np.ndarray]]:
    """Draw the smooth fields under the track, functions of distance from the start (m), in metres.

    Sea surface: a constant of decimetres (errors of tide and MSS models) and waves of 30-250 km with slopes of 2-3 cm
    in 10 km; CryoSat-2 observes 2.0 cm (Southern Ocean) and 3.8 cm (Arctic) in 10 km (Kwok and Morison, 2016,
    doi:10.1002/2015JC011357). Slopes of MSS and geoid are those of a smooth marine geoid. Tides and dac change over
    hundreds of kilometres.
    """
    rng = rng_of(seed, 2)
    mss = smooth_field(rng, offset=(-60.0, 15.0), slope=1.2e-5, rms=0.5, wavelengths=(2.5e4, 2.0e5))
    topography = smooth_field(rng, offset=(-1.2, -0.3), slope=2.0e-7, rms=0.05, wavelengths=(1.0e5, 5.0e5), waves=3)
    return {
        "sea_surface": smooth_field(rng, offset=(-0.18, 0.18), slope=1.5e-7, rms=0.045, wavelengths=(3.0e4, 2.5e5)),
        "mss": mss,
        "geoid": lambda x: mss(x) - topography(x),
        "tide_ocean": smooth_field(
            rng, offset=(-0.5, 0.5), slope=3.0e-7, rms=0.05, wavelengths=(3.0e5, 1.0e6), waves=3
        ),
        "tide_equilibrium": smooth_field(
            rng, offset=(-0.015, 0.015), slope=0.0, rms=0.0005, wavelengths=(5.0e5, 2.0e6), waves=2
        ),
        "dac": smooth_field(rng, offset=(-0.35, 0.35), slope=1.0e-7, rms=0.02, wavelengths=(3.0e5, 1.0e6), waves=3),
    }


@dataclass(frozen=True, kw_only=True)
class _Flight:
    """What the beams of one granule share; distances in m, times in s since 2018-01-01 UTC."""

    granule_id: str
    seed: int
    place: Season
    ice_of: IceOfBeam
    sea: Sea
    is_night: bool
    earth: dict[str, Callable[[np.ndarray], np.ndarray]]
    track: np.ndarray
    start: float
    start_time: float
    length: float


def _simulate_beam(flight: _Flight, name: str) -> tuple[BeamTrack, Surface, pa.Table]:
    seed, place, start = flight.seed, flight.place, flight.start
    pair = int(name[2])
    spot = SPOTS[1][name]
    is_strong = spot % 2 == 1
    share = 1.0 if is_strong else atlas.WEAK_SHARE
    shots = int(flight.length / atlas.SHOT_SPACING)
    x = start + np.arange(shots) * atlas.SHOT_SPACING
    grid_start = 2.0 * np.floor((start - MARGIN) / 2.0)
    grid_length = 2.0 * np.ceil((x[-1] + MARGIN - grid_start) / 2.0)
    ice = flight.ice_of(name, grid_start - start, grid_length)
    grid_x = grid_start + (np.arange(ice.freeboard.size) + 0.5) * profile.STEP
    clear = atlas.cloud_transmission(grid_x, shared=rng_of(seed, 20), own=rng_of(seed, 21, pair))
    background = _background(place, ice.albedo, clear, rng_of(seed, 22), is_night=flight.is_night)
    cell = ((x - grid_start) / profile.STEP).astype(np.int64)
    rng = rng_of(seed, 30, spot)
    bottom = (
        -place.window * rng.uniform(0.40, 0.50)
        + 0.25 * np.round(2.0 * atlas.smooth_noise(shots // 2000 + 2, 5, rng))[np.arange(shots) // 2000]
    )
    window = (bottom, bottom + place.window)
    across = across_of(name)
    lift = flight.sea.displacement(grid_x - start, across)
    noise = background[cell] * share
    dead_time = _channels(seed, name)[:16] if is_strong else _channels(seed, name)[16:]
    photons = atlas.detect(
        atlas.Ground(rate=ice.rate, height=ice.freeboard + lift, roughness=ice.roughness, step=profile.STEP),
        shot_cell=cell,
        transmission=clear[cell],
        background=noise,
        window=window,
        dead_time=dead_time,
        gain=atlas.SPOT_GAIN[spot] * share,
        seed=seed_of(seed, 32, spot),
    )
    confidence, weight = atlas.signal_confidence(
        photons,
        shots=shots,
        background_per_metre=noise / atlas.METRES_PER_NS * 1e-9,
        bottom=float(bottom.min()),
        top=float(window[1].max()),
    )
    along = x - start
    beam_shift = 0.002 * rng_of(seed, 33, spot).standard_normal()
    earth = dict(flight.earth)
    earth["sea_surface"] = lambda d: flight.earth["sea_surface"](d) + flight.sea.bumps(d, across) + beam_shift
    base = sum(earth[k](along) for k in ("sea_surface", "mss", "tide_ocean", "tide_equilibrium", "dac"))
    latitude, longitude = beam_position(flight.track, along, across)
    beam = BeamTrack(
        name=name,
        is_strong=is_strong,
        spot=spot,
        orientation=1,
        rgt=place.rgt,
        x=x,
        time=flight.start_time + np.arange(shots) * 1e-4 + (0.0 if is_strong else 0.36),
        latitude=latitude,
        longitude=longitude,
        across=across,
        first_shot=round((flight.start_time % 86400.0) * 1e4) + (0 if is_strong else 3600),
        segment_origin=start - 7.3,
        dead_time=dead_time,
        sea_ice=True,
        azimuth=float(flight.track[0, 2]),
    )
    surface = Surface(
        photons=photons,
        height=base[photons.shot] + photons.height,
        confidence=confidence,
        weight=weight,
        background=noise,
        window=(window[0] + base, window[1] + base),
        background_window=place.background_window,
        earth={k: _from(v, start) for k, v in earth.items()},
    )
    level = surface.earth["sea_surface"]
    return beam, surface, _truth(flight, beam, _Seen(ice=ice, x=grid_x, clear=clear, lift=lift), level)


def _from(function: Callable, start: float) -> Callable:
    return lambda x: function(np.asarray(x) - start)


def _background(
    place: Season, albedo: np.ndarray, clear: np.ndarray, rng: np.random.Generator, *, is_night: bool
) -> np.ndarray:
    """Return the strong-beam background rate on the grid, Hz: sunlight off the 45 m field of view and off cloud."""
    level = rng.uniform(*place.background)
    if is_night:
        return level * np.exp(0.2 * (1.0 - clear))
    cells = round(45.0 / profile.STEP) | 1
    seen = np.convolve(np.pad(albedo, cells // 2, mode="edge"), np.full(cells, 1.0 / cells), mode="valid")
    return level * (seen / profile.SNOW_ALBEDO * np.sqrt(clear) + 0.9 * (1.0 - np.sqrt(clear)))


@dataclass(frozen=True, kw_only=True)
class _Seen:
    """What lies under a beam on the grid: ice, distance (m), transmission of cloud, and lift by swell (m)."""

    ice: profile.IceField
    x: np.ndarray
    clear: np.ndarray
    lift: np.ndarray


def _truth(flight: _Flight, beam: BeamTrack, under: _Seen, sea_surface: Callable[[np.ndarray], np.ndarray]) -> pa.Table:
    four = (-1, 4)
    ice, grid_x = under.ice, under.x
    weights = atlas.footprint_weights(profile.STEP)

    def footprint(height: np.ndarray) -> np.ndarray:
        return np.convolve(ice.rate * height, weights, mode="same").reshape(four).sum(axis=1) / seen

    seen = np.convolve(ice.rate, weights, mode="same").reshape(four).sum(axis=1)
    inside = (grid_x.reshape(four)[:, 0] > beam.x[0] - 2.0) & (grid_x.reshape(four)[:, -1] < beam.x[-1] + 2.0)
    centre = grid_x.reshape(four).mean(axis=1)[inside]
    water = (ice.surface_class.reshape(four) == schema.OPEN_WATER).sum(axis=1)[inside]
    thin = (ice.surface_class.reshape(four) == schema.THIN_ICE).sum(axis=1)[inside]
    surface_class = np.where(
        water >= 2, schema.OPEN_WATER, np.where(water + thin >= 2, schema.THIN_ICE, schema.THICK_ICE)
    )
    lead = np.where(water >= 2, ice.lead_type.reshape(four).max(axis=1)[inside], profile.NO_LEAD)
    board = ice.freeboard.reshape(four).mean(axis=1)[inside].astype(np.float64)
    board_seen = footprint(ice.freeboard)[inside]
    lift, lift_seen = under.lift.reshape(four).mean(axis=1)[inside], footprint(under.lift)[inside]
    level = sea_surface(centre)
    latitude, longitude = beam_position(flight.track, centre - flight.start, beam.across)
    columns = {
        "granule": flight.granule_id,
        "beam": beam.name,
        "is_strong": beam.is_strong,
        "latitude": latitude,
        "longitude": longitude,
        "x_atc": centre,
        "surface_class": surface_class,
        "lead_type": lead,
        "surface_height": level + board + lift,
        "surface_height_footprint": level + board_seen + lift_seen,
        "sea_surface_height": level,
        "total_freeboard": np.where(surface_class == schema.OPEN_WATER, 0.0, board),
        "total_freeboard_footprint": board_seen,
        "cloud_transmission": under.clear.reshape(four).mean(axis=1)[inside],
    }
    return schema.table(schema.TRUTH, columns)

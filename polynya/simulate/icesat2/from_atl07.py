"""ATL03 granules with real photon heights, drawn from an ATL07's histograms of photon heights.

ATL07 holds a histogram of about 150 photon heights for each of its segments: above the mean sea surface, without tides,
before the first-photon correction. The segments overlap. Each 2 m cell therefore draws from the histogram of the
segment with the nearest centre, at the stored photon rate. The heights are then real; NASA's heights and surface types
are the reference. The histogram already contains background and dead-time effects: noise is added only outside its
window, and no bias is added.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from ... import schema
from ...errors import ProductError
from ...physics import first_photon_bias
from ...readers import icesat2_atl07
from ...readers.icesat2 import SPOTS, Beam, open_hdf5, reject_transition, select_beams, values
from . import atlas
from .atl03 import Simulated, class_shares
from .atl07_segments import Segments, Variation, other_strength, usable, vary
from .atlas_bias import bias_table
from .granule import BeamTrack, Surface, beam_group
from .granule_files import granule_pair, truth_name
from .head import Head, granule_head

CELL = 2.0
WINDOW = (-17.0, 17.0)
"""Telemetry window about the mean sea surface, m."""
SPEED = 7050.0
"""Ground speed, m/s, where a beam's segments do not give it."""
NASA_CLASS = np.array([-1, 0, 2, 2, 2, 2, -1, -1, -1, -1], np.int8)
"""Surface type 0-9 to class: 1 is ice, 2-5 (specular) are water; clouds and dark leads are unclassified."""
NASA_LEAD = np.array([0, 0, 1, 1, 1, 1, 2, 2, 3, 3], np.int8)


@dataclass(frozen=True, kw_only=True)
class BiasAgreement:
    """How the granule's first-photon-bias table agrees with the ATL07's own correction, one beam.

    Attributes
    ----------
    scale : float
        Factor on the table of the detector model.
    rms, largest : float
        Of the difference of the table, at NASA's strength and width, from ``fpb_corr``, m.
    n : int
        Segments compared.
    """

    scale: float
    rms: float
    largest: float
    n: int


def simulate_from_atl07(
    atl07: Path | str,
    out: Path | str,
    *,
    beams: str = "all",
    seed: int = 0,
    variation: Variation | None = None,
    overwrite: bool = False,
) -> Simulated:
    """Write an ATL03 granule drawn from an ATL07's photon heights, and its truth from NASA's heights and types.

    Parameters
    ----------
    atl07 : Path or str
        The ATL07 granule.
    out : Path or str
        ``NAME.h5``; the reference goes to ``NAME_truth.parquet``.
    beams : str
        ``all``, ``strong``, ``weak`` or names; orientation and strength are those of the ATL07.
    seed : int
        The same arguments and seed give the same arrays.
    variation : Variation, optional
        How the draw differs from the file, for more training cases; not for scores. Types are then NASA's tree's.
    overwrite : bool
        Replace an earlier simulated granule and its truth.

    Returns
    -------
    Simulated
        ``settings["first_photon_bias"]`` states how well the calibration agrees with the ATL07's.

    Raises
    ------
    ProductError
        If the file is not an ATL07, or has no segment with photon heights.
    UsageError
        If there is an earlier granule and ``overwrite`` is not given.
    OutputError
        If the files cannot be written, or one of them is there and is no simulation of polynya.
    """
    granule = icesat2_atl07.open_atl07(atl07)
    reject_transition(granule)
    chosen = select_beams(granule, beams)
    is_swapped = variation is not None and variation.swaps_strengths
    stored = granule.orientation if granule.orientation is not None else 1
    orientation = 1 - stored if is_swapped else stored
    granule_id = Path(out).stem
    photons, shares, channels, scales, agreement, times = {}, {}, {}, {}, {}, []
    about = {"product": "ATL07 heights and surface types", "source": Path(atl07).name, "seed": seed}
    varied: dict[str, dict[str, float]] = {}
    if variation is not None:
        about["variation"] = asdict(variation)
    with granule_pair(out, about=about, overwrite=overwrite) as (handle, write_truth, pool):
        for own in chosen:
            beam, segments = own, usable(icesat2_atl07.read(atl07, beam=own.name))
            if segments.x.size == 0:
                continue
            key = schema.BEAM_NAMES.index(beam.name)
            rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(50, key))))
            dead, scales[beam.name], agreement[beam.name] = _calibrate(atl07, beam)
            if variation is not None:
                beam = other_strength(own, stored) if is_swapped else own
                segments, drawn = vary(segments, variation, beam, rng, orientation=orientation)
                varied[beam.name] = asdict(drawn)
            channels[beam.name] = np.concatenate(
                [np.full(16, dead if beam.is_strong else 2.98), np.full(4, 3.06 if beam.is_strong else dead)]
            )
            track, surface, owner = _draw(beam, segments, orientation, rng)
            beam_group(handle, track, surface, pool=pool, rng=rng)
            table = _truth(beam, segments, track, owner, granule_id)
            write_truth(table)
            photons[beam.name], shares[beam.name] = int(surface.height.size), class_shares(table)
            times += [track.time[0], track.time[-1]]
        if not photons:
            raise ProductError(
                f"{Path(atl07).name}: no beam of {', '.join(b.name for b in chosen)} holds a segment with"
                " hist_photon_heights, photon_rate and height_segment_mss; expected at least one. Give another ATL07"
                " granule or other beams."
            )
        settings = {
            "kind": "photon heights of a real ATL07",
            "atl07": Path(atl07).name,
            "atl07_release": granule.release,
            "beams": beams,
            "seed": seed,
            **({"variation": asdict(variation), "varied": varied} if variation is not None else {}),
            "first_photon_bias": {
                k: {"scale": a.scale, "rms_m": a.rms, "largest_m": a.largest, "n": a.n} for k, a in agreement.items()
            },
        }
        head = Head(
            granule_id=granule_id,
            orientation=orientation,
            rgt=1,
            cycle=1,
            region=1,
            times=(min(times), max(times)),
            settings=settings,
            seed=seed,
            channels=channels,
            bias_scale=scales,
        )
        granule_head(handle, head)
    return Simulated(granule=Path(out), truth=truth_name(out), photons=photons, shares=shares, settings=settings)


def _nearest(x: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Return for each place the index of the nearest of the increasing centres ``x``."""
    return np.searchsorted(0.5 * (x[1:] + x[:-1]), at)


def _covered(segments: Segments, cells: np.ndarray) -> np.ndarray:
    """Return which cell centres lie inside at least one segment's extent."""
    half = np.maximum(segments.length, CELL) / 2.0
    begin, end = np.sort(segments.x - half), np.sort(segments.x + half)
    return np.searchsorted(begin, cells, side="right") > np.searchsorted(end, cells, side="left")


def _along(segments: Segments, what: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    x, first = np.unique(segments.x, return_index=True)
    good = np.isfinite(what[first])
    if not good.any():
        return lambda at: np.full(np.shape(at), np.nan)
    return lambda at: np.interp(at, x[good], what[first][good])


def _draw(
    beam: Beam, segments: Segments, orientation: int, rng: np.random.Generator
) -> tuple[BeamTrack, Surface, np.ndarray]:
    x0, x1 = segments.x[0] - segments.length[0] / 2.0, segments.x[-1] + segments.length[-1] / 2.0
    far = segments.x[-1] - segments.x[0]
    speed = (
        far / (segments.time[-1] - segments.time[0]) if far > 1000.0 and segments.time[-1] > segments.time[0] else SPEED
    )
    start_time = float(segments.time[0] + (x0 - segments.x[0]) / speed)
    k = np.arange(int((x1 - x0) / (speed * 1e-4)) + 1)
    x = x0 + k * speed * 1e-4
    cells = np.floor(x / CELL) * CELL + CELL / 2.0
    inside = _covered(segments, cells)
    k, x, cells = k[inside], x[inside], cells[inside]
    owner = _nearest(segments.x, cells)
    longitude = _along(segments, np.unwrap(segments.longitude, period=360.0))(x)
    latitude = _along(segments, segments.latitude)(x)
    spot = beam.spot or SPOTS[orientation][beam.name]
    turn = np.arctan2((longitude[-1] - longitude[0]) * np.cos(np.radians(latitude.mean())), latitude[-1] - latitude[0])
    track = BeamTrack(
        name=beam.name,
        is_strong=beam.is_strong,
        spot=spot,
        orientation=orientation,
        rgt=1,
        x=x,
        time=start_time + k * 1e-4,
        latitude=latitude,
        longitude=(longitude + 180.0) % 360.0 - 180.0,
        across=_along(segments, segments.across)(x),
        first_shot=round((start_time % 86400.0) * 1e4) + int(k[0]),
        segment_origin=x0 - 5.0,
        dead_time=np.empty(0),
        sea_ice=True,
        azimuth=float(np.degrees(turn)),
    )
    photons = _photons(segments, owner, atlas.CHANNELS[beam.is_strong], rng)
    earth = {name: _along(segments, what) for name, what in segments.earth.items()}
    base = sum(earth[name](x) for name in ("mss", "tide_ocean", "tide_equilibrium", "dac"))
    background = (segments.background + segments.added)[owner]
    confidence, weight = atlas.signal_confidence(
        photons,
        shots=x.size,
        background_per_metre=background / atlas.METRES_PER_NS * 1e-9,
        bottom=WINDOW[0],
        top=WINDOW[1],
    )
    window = 712.0 if np.median(background) > 1e6 * (1.0 if beam.is_strong else 0.25) else 5006.0
    surface = Surface(
        photons=photons,
        height=base[photons.shot] + photons.height,
        confidence=confidence,
        weight=weight,
        background=background,
        window=(base + WINDOW[0], base + WINDOW[1]),
        background_window=window,
        earth=earth,
    )
    return track, surface, owner


def _photons(segments: Segments, owner: np.ndarray, channels: int, rng: np.random.Generator) -> atlas.Photons:
    """Draw each shot's photons: heights from its segment's histogram at the stored rate, noise outside the histogram's
    window."""
    bins = segments.counts.shape[1]
    cumulative = np.cumsum(segments.counts.ravel())
    total = segments.counts.sum(axis=1)
    before = cumulative[bins - 1 :: bins] - total
    drawn = _counts(segments.rate, owner, rng)
    shot = np.repeat(np.arange(owner.size, dtype=np.int32), drawn)
    of = owner[shot]
    place = before[of] + (1.0 - rng.random(shot.size)) * total[of]
    cell = np.clip(np.searchsorted(cumulative, place) - of * bins, 0, bins - 1)
    height = segments.bottom[of] + (cell + rng.random(shot.size)) * icesat2_atl07.HISTOGRAM_BIN_M
    top = segments.bottom + bins * icesat2_atl07.HISTOGRAM_BIN_M
    below, above = np.maximum(segments.bottom - WINDOW[0], 0.0), np.maximum(WINDOW[1] - top, 0.0)
    per_metre = 1e-9 / atlas.METRES_PER_NS
    noise = rng.poisson((segments.background * (below + above) * per_metre)[owner])
    more = rng.poisson((segments.added * (WINDOW[1] - WINDOW[0]) * per_metre)[owner])
    noise_shot = np.repeat(np.arange(owner.size, dtype=np.int32), noise)
    of = owner[noise_shot]
    up = rng.random(noise_shot.size) * (below + above)[of]
    noise_height = np.where(up < below[of], WINDOW[0] + up, top[of] + up - below[of])
    more_shot = np.repeat(np.arange(owner.size, dtype=np.int32), more)
    height = np.concatenate([height, noise_height, rng.uniform(*WINDOW, more_shot.size)])
    shot = np.concatenate([shot, noise_shot, more_shot])
    origin = np.repeat(np.array([1, 0], np.uint8), [drawn.sum(), noise.sum() + more.sum()])
    order = np.lexsort((-height, shot))
    channel = rng.integers(0, channels, shot.size).astype(np.uint8)
    return atlas.Photons(
        shot=shot[order], height=height[order].astype(np.float32), channel=channel, origin=origin[order]
    )


def _counts(rate: np.ndarray, owner: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw photons per shot so that the shots of each segment have its stored rate.

    The stored rate is a count, not an expectation: a Poisson draw would add the counting noise a second time. The total
    is therefore fixed (rounded at random to a whole number) and distributed over the segment's shots at random, which
    gives them the scatter of independent shots.

    Parameters
    ----------
    rate : numpy.ndarray, shape (n_segments,)
        Photons per shot.
    owner : numpy.ndarray of int, shape (n_shots,)
        Segment of each shot.
    rng : numpy.random.Generator
        Rounds and distributes.

    Returns
    -------
    numpy.ndarray of int64, shape (n_shots,)
        Photons of each shot.
    """
    shots = np.bincount(owner, minlength=rate.size)
    total = np.floor(rate * shots + rng.random(rate.size)).astype(np.int64)
    order = np.argsort(owner, kind="stable")
    first = np.cumsum(shots) - shots
    dealt = np.repeat(np.arange(rate.size), total)
    to = first[dealt] + np.floor(rng.random(dealt.size) * shots[dealt]).astype(np.int64)
    return np.bincount(order[to], minlength=owner.size).astype(np.int64)


def _calibrate(atl07: Path | str, beam: Beam) -> tuple[float, float, BiasAgreement]:
    """Fit one factor on the detector model's table to the ATL07's own corrections; return the residuals too."""
    where = f"{beam.name}/sea_ice_segments/stats/"
    names = ("fpb_strength", "fpb_corr_width", "fpb_corr", "fpb_avg_dt")
    with open_hdf5(atl07) as handle:
        columns = [values(handle, atl07, where + n).astype(np.float64) if where + n in handle else None for n in names]
    if any(c is None for c in columns):
        return atlas.MEAN_DEAD_TIME[beam.is_strong], 1.0, BiasAgreement(scale=1.0, rms=np.nan, largest=np.nan, n=0)
    strength, width, nasa, dead = columns
    good = np.isfinite(strength) & np.isfinite(width) & np.isfinite(nasa)
    dead_time = float(np.nanmedian(dead)) if np.isfinite(dead).any() else atlas.MEAN_DEAD_TIME[beam.is_strong]
    table = bias_table(is_strong=beam.is_strong)
    at = first_photon_bias.at_dead_time(
        table.dead_time,
        strength=table.strength,
        width_ns=table.width,
        correction_ps=table.correction,
        beam_dead_time_ns=dead_time,
    )
    if not good.any():
        return dead_time, 1.0, BiasAgreement(scale=1.0, rms=np.nan, largest=np.nan, n=0)
    model = first_photon_bias.lookup(at, strength=strength[good], width_m=width[good] * atlas.METRES_PER_NS)
    scale = float(np.sum(model * nasa[good]) / np.sum(model**2))
    left = scale * model - nasa[good]
    return (
        dead_time,
        scale,
        BiasAgreement(
            scale=scale, rms=float(np.sqrt(np.mean(left**2))), largest=float(np.abs(left).max()), n=int(good.sum())
        ),
    )


def _truth(beam: Beam, segments: Segments, track: BeamTrack, owner: np.ndarray, granule_id: str) -> pa.Table:
    cells, first = np.unique(np.floor(track.x / CELL).astype(np.int64), return_index=True)
    of = owner[first]
    n = cells.size
    height = segments.height[of]
    unknown = np.full(n, np.nan)
    centre = (cells + 0.5) * CELL
    columns = {
        "granule": granule_id,
        "beam": beam.name,
        "is_strong": beam.is_strong,
        "latitude": track.latitude[first],
        "longitude": track.longitude[first],
        "x_atc": centre,
        "surface_class": NASA_CLASS[segments.kind[of]],
        "lead_type": NASA_LEAD[segments.kind[of]],
        "surface_height": height,
        "surface_height_footprint": height,
        "sea_surface_height": unknown,
        "total_freeboard": unknown,
        "total_freeboard_footprint": unknown,
        "cloud_transmission": unknown,
    }
    return schema.table(schema.TRUTH, columns)

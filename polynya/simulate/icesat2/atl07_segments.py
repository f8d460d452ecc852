"""The segments of a real ATL07 that photons are drawn from, and variations of them for training.

A file holds few leads, and few cases near the thresholds of NASA's tree. :class:`Variation` scales photon rates, moves
the level, adds background and gives a beam the other strength, so that one file teaches more than itself.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from ...physics import nasa_surface_type
from ...readers.icesat2 import SPOTS, Beam
from . import atlas

Range = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Variation:
    """How a draw differs from its file; drawn for every beam. For training, not for scores.

    Attributes
    ----------
    brightness : tuple of float
        Multiplies the photon rates by a factor drawn evenly in its logarithm. The types are then those of NASA's tree
        (:mod:`polynya.physics.nasa_surface_type`) at the new rate and the stored width.
    level : tuple of float
        Added to all heights, m: the level within the telemetry window and above the mean sea surface.
    background : tuple of float
        Background added over the whole telemetry window, Hz of a strong beam; a weak beam gets a quarter.
    swaps_strengths : bool
        Strong beams are drawn as weak ones, with a quarter of their photons and background, and weak ones as strong, by
        the other orientation of the granule.
    """

    brightness: Range = (1.0, 1.0)
    level: Range = (0.0, 0.0)
    background: Range = (0.0, 0.0)
    swaps_strengths: bool = False


@dataclass(frozen=True, kw_only=True)
class Varied:
    """What a variation drew for one beam: factor, metres, hertz."""

    brightness: float
    level: float
    background: float


@dataclass(frozen=True, kw_only=True)
class Segments:
    """The usable segments of one beam in order of distance; arrays of shape (n,).

    ``added`` is background over the whole telemetry window, Hz; ``background`` is only drawn outside the histograms.
    """

    x: np.ndarray
    time: np.ndarray
    latitude: np.ndarray
    longitude: np.ndarray
    length: np.ndarray
    height: np.ndarray
    kind: np.ndarray
    rate: np.ndarray
    background: np.ndarray
    across: np.ndarray
    bottom: np.ndarray
    counts: np.ndarray
    width: np.ndarray
    background_norm: np.ndarray
    sun: np.ndarray
    earth: dict[str, np.ndarray]
    added: np.ndarray


def usable(table: pa.Table) -> Segments:
    """Keep the segments that hold photon heights, a photon rate, a height and a mean sea surface."""

    def column(name: str, missing: float = np.nan) -> np.ndarray:
        return np.nan_to_num(table[name].to_numpy(zero_copy_only=False).astype(np.float64), nan=missing)

    n = table.num_rows
    flat = table["hist_photon_heights"].combine_chunks()
    counts = (
        flat.flatten().to_numpy(zero_copy_only=False).astype(np.float64).reshape(n, -1)
        if n and flat.null_count == 0
        else np.zeros((n, 1))
    )
    good = counts.sum(axis=1) > 0
    for name in (
        "photon_rate",
        "height_segment_height",
        "height_segment_mss",
        "hist_photon_bottom",
        "seg_dist_x",
        "delta_time",
        "latitude",
        "longitude",
    ):
        good &= np.isfinite(column(name))
    good &= column("photon_rate") > 0
    keep = np.flatnonzero(good)
    keep = keep[np.argsort(column("seg_dist_x")[keep], kind="stable")]
    earth = {"mss": column("height_segment_mss")[keep], "geoid": column("height_segment_geoid")[keep]}
    for name, source in (
        ("tide_ocean", "height_segment_ocean"),
        ("tide_equilibrium", "height_segment_lpe"),
        ("dac", "height_segment_dac"),
    ):
        earth[name] = column(source, 0.0)[keep]  # where ATL07 has none, it removed none
    background = column("backgr_r_200", 0.0)[keep]
    return Segments(
        x=column("seg_dist_x")[keep],
        time=column("delta_time")[keep],
        latitude=column("latitude")[keep],
        longitude=column("longitude")[keep],
        length=column("height_segment_length_seg", 0.0)[keep],
        height=column("height_segment_height")[keep],
        kind=np.clip(column("height_segment_type", 0.0)[keep], 0, 9).astype(np.int64),
        rate=column("photon_rate")[keep],
        background=background,
        across=column("across_track_distance", 0.0)[keep],
        bottom=column("hist_photon_bottom")[keep],
        counts=counts[keep],
        width=column("height_segment_w_gaussian")[keep],
        background_norm=column("background_r_norm")[keep],
        sun=column("solar_elevation")[keep],
        earth=earth,
        added=np.zeros(keep.size),
    )


def other_strength(beam: Beam, orientation: int) -> Beam:
    """Return a beam as it is at the other orientation than ``orientation``, 0 or 1."""
    return Beam(name=beam.name, is_strong=not beam.is_strong, spot=SPOTS[1 - orientation][beam.name])


def vary(
    segments: Segments, variation: Variation, beam: Beam, rng: np.random.Generator, *, orientation: int
) -> tuple[Segments, Varied]:
    """Return a beam's segments with a variation drawn.

    Parameters
    ----------
    segments : Segments
        Of the file.
    variation : Variation
        What to draw.
    beam : Beam
        As it is to be drawn: of the other strength where the strengths are swapped.
    rng : numpy.random.Generator
        Draws it.
    orientation : int
        Of the granule to be drawn.

    Returns
    -------
    Segments
        Types by NASA's tree where the brightness changes; the stored Gaussian width does not change.
    Varied
    """
    drawn = Varied(
        brightness=float(np.exp(rng.uniform(*np.log(variation.brightness)))),
        level=float(rng.uniform(*variation.level)),
        background=float(rng.uniform(*variation.background)),
    )
    weak = atlas.WEAK_SHARE
    to_other = 1.0 / weak if beam.is_strong else weak
    swap = to_other if variation.swaps_strengths else 1.0
    rate = segments.rate * drawn.brightness * swap
    kind = segments.kind
    if variation.brightness != (1.0, 1.0):
        kind = nasa_surface_type.surface_type(
            rate,
            segments.width,
            background_norm=segments.background_norm,
            solar_elevation=segments.sun,
            spot=beam.spot or SPOTS[orientation][beam.name],
            is_strong=beam.is_strong,
        )
    added = drawn.background * (1.0 if beam.is_strong else weak)
    return (
        replace(
            segments,
            rate=rate,
            kind=np.maximum(kind, 0).astype(np.int64),
            height=segments.height + drawn.level,
            bottom=segments.bottom + drawn.level,
            background=segments.background * swap,
            added=np.full(segments.x.size, added),
        ),
        drawn,
    )

"""What is said of each imagette of a block: probabilities, tags, confidence, and what limits them."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from ... import schema
from ...families.images import Description
from ...predict import images as predict_images
from ...samples.imagette_pictures import prepare
from ...scenes.near_coast import is_near_land
from ...schema.imagette_tags import BITS, IMAGETTE_TAGS, NOT_ASSESSED, probability_name
from ...schema.imagettes import IS_SIMULATED, NO_PIXEL_SIZE, TAGS, UNREADABLE, WHERE, Imagette, table_of
from . import network
from .config import Config

BEAMS_DEG = {"wv1": (21.0, 26.0), "wv2": (34.0, 39.0)}
"""Incidence angles of the two beams of wave mode, degrees, with a margin of about one degree."""
POLARISATION = "VV"
"""Networks have learned it alone: roughness of HH is over a model of VV, some dB too low."""
COARSEST = 1.6
"""Pixels may be so much longer than those that the network was trained on: fine structure is gone in coarser ones."""
SIDES_M = (14_000.0, 30_000.0)
"""Shortest and longest side of an imagette; those of wave mode are 20 km."""
LEAST_VALID = 0.8
"""Less of a picture that is valid gets no tag."""
NO_PICTURE = 230
"""Grey of the square that stands for a picture that could not be read."""
COUNTED = (IS_SIMULATED, NO_PIXEL_SIZE, UNREADABLE)
"""Codes of notes of which messages count the imagettes, and do not repeat the words."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Block:
    """Answers for n imagettes.

    Attributes
    ----------
    table : pyarrow.Table
        Of :data:`polynya.schema.imagette_tags.IMAGETTE_TAGS`.
    greys : tuple of numpy.ndarray of uint8
        The pictures as the network saw them.
    given, precise : numpy.ndarray of bool, shape (n, 10)
        Tags that are stated, in the order of ``polynya.schema.imagettes.TAGS``.
    quality : numpy.ndarray of int32, shape (n,)
    simulated : int
        How many were taken by no satellite.
    damaged : tuple of str
        Why pictures could not be read, one for each such imagette.
    notes : tuple of str
        Of the product, each once.
    """

    table: pa.Table
    greys: tuple[np.ndarray, ...]
    given: np.ndarray
    precise: np.ndarray
    quality: np.ndarray
    simulated: int
    damaged: tuple[str, ...]
    notes: tuple[str, ...]


def answer(imagettes: Sequence[Imagette], used: network.Used, config: Config, *, first: int, threads: int = 1) -> Block:
    """Tag imagettes.

    Parameters
    ----------
    imagettes : sequence of Imagette
        n of them; those whose pictures could not be read get a row without an answer.
    used : network.Used
        What tags.
    config : Config
        Settings.
    first : int
        Number of the first in its source.
    threads : int
        Imagettes are prepared and given to the network beside each other.
    """
    d = used.description
    is_readable = np.array([i.is_readable for i in imagettes], bool)
    readable = [i for i in imagettes if i.is_readable]
    greys, found = _seen(readable, used, threads=threads)
    quality = np.full(len(imagettes), BITS["picture_not_readable"], np.int32)
    quality[is_readable] = quality_of(readable, found, d, land_km=config.land_km)
    is_assessed = (quality & NOT_ASSESSED) == 0
    place = [d.classes.index(t) if t in d.classes else -1 for t in TAGS]

    def spread(values: np.ndarray, *, empty: object = np.nan) -> np.ndarray:
        """Return values of the readable ones at their places among all."""
        out = np.full((len(imagettes), *values.shape[1:]), empty, values.dtype)
        out[is_readable] = values
        return out

    tags, precise = (_in_order(spread(v, empty=False), place) for v in (found.tags, found.precise_tags))
    given, precise = tags & is_assessed[:, None], precise & is_assessed[:, None]
    probability = np.where(np.array(place) >= 0, spread(found.probability)[:, place], np.nan)
    rows = table_of(imagettes)
    columns = {v.name: rows[v.name] for v in WHERE}
    columns |= {probability_name(t): probability[:, k] for k, t in enumerate(TAGS)}
    columns |= {
        "number": first + np.arange(len(imagettes)),
        "file": [i.file for i in imagettes],
        "tags": words(given),
        "precise_tags": words(precise),
        "confidence": np.where(is_assessed, spread(found.confidence), np.nan),
        "unknown": ~given.any(axis=1),
        "distance": spread(found.distance),
        "tag_quality": quality,
    }
    return Block(
        table=schema.table(IMAGETTE_TAGS, columns),
        greys=tuple(greys.pop(0) if seen else np.full((d.size, d.size), NO_PICTURE, np.uint8) for seen in is_readable),
        given=given,
        precise=precise,
        quality=quality,
        simulated=sum(i.is_simulated for i in imagettes),
        damaged=tuple(n.text for i in imagettes for n in i.notes if n.code == UNREADABLE),
        notes=tuple(dict.fromkeys(n.text for i in imagettes for n in i.notes if n.code not in COUNTED)),
    )


def _seen(
    imagettes: Sequence[Imagette], used: network.Used, *, threads: int
) -> tuple[list[np.ndarray], predict_images.TagPredictions]:
    """Return pictures as the network sees them, and what it says."""
    d, size = used.description, predict_images.BATCH

    def work(few: Sequence[Imagette]) -> tuple[list[np.ndarray], np.ndarray]:
        prepared = [prepare(i, size=d.size, pixel_m=d.pixel_m) for i in few]
        return [p.grey for p in prepared], predict_images.evaluate(used.network, prepared)

    with ThreadPoolExecutor(threads) as pool:
        done = list(pool.map(work, [imagettes[k : k + size] for k in range(0, len(imagettes), size)]))
    outputs = np.concatenate([o for _, o in done]) if done else np.zeros((0, len(d.classes) + 1), np.float32)
    return [g for greys, _ in done for g in greys], predict_images.of_outputs(d, outputs)


def _in_order(values: np.ndarray, place: Sequence[int]) -> np.ndarray:
    """Return columns of a network's classes in the order of the ten tags; False for tags that it does not know."""
    return values[:, place] & (np.array(place) >= 0)


def words(given: np.ndarray) -> list[list[str]]:
    """Return the names of the tags of each row of (n, 10)."""
    return [[TAGS[k] for k in np.flatnonzero(row)] for row in given]


def quality_of(
    imagettes: Sequence[Imagette], found: predict_images.TagPredictions, d: Description, *, land_km: float
) -> np.ndarray:
    """Return what limits each answer, int32 (n,), bits of :data:`polynya.schema.imagette_tags.QUALITY`.

    Parameters
    ----------
    imagettes : sequence of Imagette
        With pictures.
    found : TagPredictions
        Of them.
    d : Description
        Of the network.
    land_km : float
        Nearer to land than this is near; 0 where that does not matter.
    """
    latitude, longitude = (np.array([getattr(i, n) for i in imagettes], np.float64) for n in ("latitude", "longitude"))
    beams = [seen_beam(i) for i in imagettes]
    land = np.array([land_km > 0 and not i.is_simulated for i in imagettes])  # places of simulated ones are drawn
    land[land] = is_near_land(latitude[land], longitude[land], reach_m=1000.0 * land_km)
    bits = {
        "no_tag_reaches_its_threshold": found.unknown,
        "far_from_training_images": found.is_far,
        "beam_or_incidence_not_in_training": [b is not None and b not in (d.beams or tuple(BEAMS_DEG)) for b in beams],
        "size_not_in_training": [not has_size(i, d) for i in imagettes],
        "near_land": land,
        "part_of_picture_missing": [float(i.mask.mean()) < LEAST_VALID for i in imagettes],
        "no_calibration": [not i.has_level for i in imagettes],
        "polarisation_not_in_training": [i.polarisation not in ("", POLARISATION) for i in imagettes],
        "beam_and_incidence_not_known": [b is None for b in beams],
        "place_not_known": ~(np.isfinite(latitude) & np.isfinite(longitude)),
        "pixel_size_not_known": [not i.has_pixel_size for i in imagettes],
        "satellite_not_in_training": [
            bool(i.satellite and d.satellites) and i.satellite not in d.satellites for i in imagettes
        ],
    }
    out = np.zeros(len(imagettes), np.int32)
    for name, where in bits.items():
        out[np.asarray(where, bool)] |= BITS[name]
    return out


def seen_beam(imagette: Imagette) -> str | None:
    """Return the beam of an imagette by its incidence angle, else by its name; None where neither is known.

    An angle of neither beam gives a name that no network has learned.
    """
    angle = imagette.incidence_angle
    if np.isfinite(angle):
        return next((b for b, (low, high) in BEAMS_DEG.items() if low <= angle <= high), f"{angle:.1f} degrees")
    return imagette.beam or None


def has_size(imagette: Imagette, d: Description) -> bool:
    """Return whether an imagette has the sides of wave mode, and pixels as fine as those of a network's training."""
    pixels = np.array([imagette.azimuth_pixel_m, imagette.range_pixel_m])
    sides = pixels * imagette.picture.shape
    return bool((pixels <= COARSEST * d.pixel_m).all() and (sides >= SIDES_M[0]).all() and (sides <= SIDES_M[1]).all())

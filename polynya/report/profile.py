"""A beam as compact binary data for the along-track panel of a report.

Two layers may be stored: ``fine``, one record per segment, and ``bins``, one record for a fixed number
of metres with order statistics of the segments inside. A beam that fits its budget has only the fine
layer; a larger one has bins everywhere and fine records around its leads.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass

import numpy as np

from ..physics import order
from .beams import MISSING, BeamTable
from .polar_map import Projection, project

UNIT_M = 0.1
"""Positions are whole numbers of this, from the granule's first segment."""
FINE_SEGMENTS = 450_000
"""A granule with no more segments than this stores each of them (about 10 bytes each)."""
BINS, FINE_BESIDE_BINS = 100_000, 220_000
"""Otherwise: at most so many bins in all beams together, and so many single segments around leads."""
ANCHORS = 24_000
"""At most about so many anchor points (position, time, sea surface, background) in all beams together."""
PIECE_GAP_M, MOST_PIECES = 100.0, 1500
"""Beyond such a gap a new stretch of data begins; where a beam would have too many, the gap is doubled."""
RATE_UNIT = 0.2
"""Photon rates are stored in steps of this, up to 50.8 photons per shot."""
NO_RATE = 255


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How a granule is stored.

    Attributes
    ----------
    origin : float
        ``x_atc`` of the granule's first segment, m.
    bin_m : float
        Length of a bin, 0 where single segments are stored everywhere.
    fine_share : float
        Share of the fine budget, in segments for each segment, that a beam may use beside its bins.
    anchor_every : int
        Segments between anchors.
    """

    origin: float
    bin_m: float
    fine_share: float
    anchor_every: int


def plan(
    beams: list[BeamTable],
    *,
    fine_segments: int = FINE_SEGMENTS,
    bins: int = BINS,
    fine_beside_bins: int = FINE_BESIDE_BINS,
) -> Plan:
    """Choose how the beams of a granule are stored within the budget."""
    total = sum(len(b) for b in beams)
    origin = min(float(b.columns["x_atc"][0]) for b in beams)
    every = max(32, total // ANCHORS)
    if total <= fine_segments:
        return Plan(origin=origin, bin_m=0.0, fine_share=1.0, anchor_every=every)
    spacing = float(order.median(np.concatenate([np.diff(b.columns["x_atc"][:20_000]) for b in beams])))
    bin_m = max(spacing, 0.5)
    while total * max(spacing, 0.5) / bin_m > bins:
        bin_m *= 2.0
    return Plan(origin=origin, bin_m=bin_m, fine_share=fine_beside_bins / total, anchor_every=every)


def encode(beam: BeamTable, *, plan: Plan, projection: Projection, lead_x: np.ndarray) -> tuple[dict[str, object], str]:
    """Return the header and the base64 data of one beam.

    Parameters
    ----------
    beam : BeamTable
        Its segments.
    plan : Plan
        How the granule is stored.
    projection : Projection
        Of the map: anchors carry projected metres, from which the page has latitude and longitude.
    lead_x : numpy.ndarray
        ``x_atc`` of the beam's leads, m: single segments are kept around them.

    Returns
    -------
    dict
        JSON-ready; names, counts and where each array lies in the data.
    str
        Little-endian arrays in base64.
    """
    x = beam.columns["x_atc"]
    position = np.rint((x - plan.origin) / UNIT_M).astype(np.int64)
    gap, apart = PIECE_GAP_M, np.diff(x)
    while len(stretch := np.flatnonzero(apart > gap) + 1) > MOST_PIECES:
        gap *= 2.0
    first = np.concatenate([[0], stretch])
    last = np.concatenate([stretch, [len(x)]]) - 1
    header: dict[str, object] = {"name": beam.name, "strong": beam.is_strong, "n": len(beam), "unit": UNIT_M}
    arrays: dict[str, np.ndarray] = {}
    header["stretches"] = _longest(position[first], position[last], most=400)
    rows: slice | np.ndarray = slice(None)
    if plan.bin_m:
        header["bin_m"] = plan.bin_m
        arrays |= {f"bin_{k}": v for k, v in bins(beam, position=position, bin_m=plan.bin_m).items()}
        windows = windows_around(
            lead_x - plan.origin, position=position * UNIT_M, budget=int(plan.fine_share * len(beam))
        )
        rows = np.concatenate([np.arange(a, b) for a, b in windows]) if windows else np.zeros(0, np.int64)
        header["fine_windows"] = [[int(position[a]), int(position[b - 1])] for a, b in windows]
    arrays |= {f"fine_{k}": v for k, v in fine(beam, position=position, rows=rows).items()}
    arrays |= {
        f"anchor_{k}": v
        for k, v in anchors(
            beam, position=position, first=first, last=last, plan=plan, projection=projection, header=header
        ).items()
    }
    header["fine_n"] = len(arrays["fine_height"])
    header["arrays"], data = pack(arrays)
    return header, base64.b64encode(data).decode("ascii")


def _longest(start: np.ndarray, stop: np.ndarray, *, most: int) -> list[list[int]]:
    order = np.sort(np.argsort(start - stop, kind="stable")[:most])
    return [[int(a), int(b)] for a, b in zip(start[order], stop[order], strict=True)]


def pack(arrays: dict[str, np.ndarray]) -> tuple[dict[str, list[object]], bytes]:
    """Return where each array lies, [type, byte offset, length], and their bytes, widest types first."""
    where: dict[str, list[object]] = {}
    parts, offset = [], 0
    for name in sorted(arrays, key=lambda n: -arrays[n].dtype.itemsize):
        data = np.ascontiguousarray(arrays[name])
        where[name] = [data.dtype.str[1:], offset, len(data)]
        parts.append(data.astype(data.dtype.newbyteorder("<"), copy=False).tobytes())
        offset += data.nbytes
    return where, b"".join(parts)


def steps(position: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return increasing whole positions as one byte each: the step, or 255 and the position apart.

    Returns
    -------
    numpy.ndarray of uint8
        Steps of 0 to 254; 255 where the position itself is the next entry of the second array.
    numpy.ndarray of uint32
    """
    step = np.diff(position, prepend=-1000)
    far = (step > 254) | (step < 0)
    if len(far):
        far[0] = True
    return np.where(far, 255, step).astype(np.uint8), position[far].astype(np.uint32)


def fine(beam: BeamTable, *, position: np.ndarray, rows: slice | np.ndarray) -> dict[str, np.ndarray]:
    """Return one record per segment: position, height, freeboard and its uncertainty (mm), class and source, quality,
    rate."""
    columns = beam.columns
    step, jump = steps(position[rows])
    return {
        "step": step,
        "jump": jump,
        "height": beam.height_mm[rows],
        "freeboard": beam.freeboard_mm[rows],
        "sigma": sigma_mm(columns["total_freeboard_uncertainty"][rows]),
        "kind": (beam.kind[rows] | (columns["sea_surface_source"][rows] & 3) << 2).astype(np.uint8),
        "quality": columns["quality_flag"][rows].astype(np.uint16),
        "rate": rate_steps(columns["photon_rate"][rows]),
    }


def sigma_mm(metres: np.ndarray) -> np.ndarray:
    """Return uncertainties in uint16 millimetres, 65535 for NaN."""
    with np.errstate(invalid="ignore"):
        scaled = np.clip(np.rint(metres * np.float32(1000.0)), 0, 65534)
    return np.where(np.isnan(scaled), 65535.0, scaled).astype(np.uint16)


def rate_steps(rate: np.ndarray) -> np.ndarray:
    """Return photon rates in uint8 steps of RATE_UNIT, 255 for NaN."""
    with np.errstate(invalid="ignore"):
        scaled = np.clip(np.rint(rate * np.float32(1.0 / RATE_UNIT)), 0, 254)
    return np.where(np.isnan(scaled), float(NO_RATE), scaled).astype(np.uint8)


def bins(beam: BeamTable, *, position: np.ndarray, bin_m: float) -> dict[str, np.ndarray]:
    """Return one record a bin: heights and freeboards as 0, 10, 50, 90, 100 % order statistics, class shares, mean
    rate."""
    per = round(bin_m / UNIT_M)
    index = position // per
    start = np.flatnonzero(np.concatenate([[True], index[1:] != index[:-1]]))
    count = np.diff(np.append(start, len(index)))
    which = np.repeat(np.arange(len(start)), count)
    step, jump = steps(index[start])
    out = {"step": step, "jump": jump, "n": np.minimum(count, 65535).astype(np.uint16)}
    for name, values in (("height", beam.height_mm), ("freeboard", beam.freeboard_mm)):
        ordered = order_statistics(values, start=start, count=count, which=which)
        for label, column in zip(("min", "low", "mid", "high", "max"), ordered, strict=True):
            if name == "height" or label in ("low", "mid", "high"):
                out[f"{name}_{label}"] = column
    shares = np.bincount(which * 4 + beam.kind, minlength=4 * len(start)).reshape(-1, 4) / count[:, None]
    for k, name in enumerate(("thick", "thin", "water")):
        out[name] = np.ceil(shares[:, k] * 255.0).astype(np.uint8)
    for name, source, convert in (
        ("sigma", "total_freeboard_uncertainty", sigma_mm),
        ("rate", "photon_rate", rate_steps),
    ):
        value = beam.columns[source]
        good = np.isfinite(value)
        if good.all():
            mean = np.add.reduceat(value, start) / count
        else:
            n = np.add.reduceat(good.astype(np.int32), start)
            mean = np.where(n > 0, np.add.reduceat(np.where(good, value, 0.0), start) / np.maximum(n, 1), np.nan)
        out[name] = convert(mean.astype(np.float32))
    return out


def order_statistics(
    values: np.ndarray, *, start: np.ndarray, count: np.ndarray, which: np.ndarray
) -> list[np.ndarray]:
    """Return the 0, 10, 50, 90 and 100 % order statistics of runs of int16 values; MISSING where a run holds none.

    The q-quantile of m values is the one of rank ``round(q (m - 1))`` from 0.
    """
    widest = int(count.max())
    padded = np.full((len(start), widest), np.iinfo(np.int16).max, np.int16)
    flat = np.arange(len(values)) + np.repeat(np.arange(len(start)) * widest - start, count)
    shown = values != MISSING
    if shown.all():
        padded.ravel()[flat] = values
        held = count
    else:
        padded.ravel()[flat[shown]] = values[shown]
        held = np.bincount(which[shown], minlength=len(start))
    padded.sort(axis=1)
    row = np.arange(len(start))
    out = []
    for share in (0.0, 0.1, 0.5, 0.9, 1.0):
        rank = np.rint(share * np.maximum(held - 1, 0)).astype(np.int64)
        out.append(np.where(held > 0, padded[row, rank], MISSING).astype(np.int16))
    return out


def windows_around(
    lead_x: np.ndarray, *, position: np.ndarray, budget: int, reach_m: float = 250.0
) -> list[tuple[int, int]]:
    """Return row ranges around leads (or evenly spread where there is none) that hold at most ``budget`` rows."""
    if budget <= 0 or len(position) == 0:
        return []
    centres = lead_x[np.isfinite(lead_x)]
    spread = np.linspace(position[0], position[-1], 25)[1:-1:2]
    typical = max(float(order.median(np.diff(position[:20_000]))) if len(position) > 1 else 1.0, 0.1)
    most = max(1, int(budget * typical / (2 * reach_m)))
    if len(centres) == 0:
        centres = spread
    if len(centres) > most:
        centres = np.sort(centres)[np.unique(np.linspace(0, len(centres) - 1, most).astype(int))]
    low = np.searchsorted(position, np.sort(centres) - reach_m)
    high = np.searchsorted(position, np.sort(centres) + reach_m)
    out: list[tuple[int, int]] = []
    left = budget
    for a, b in zip(low.tolist(), high.tolist(), strict=True):
        if out and a < out[-1][1]:
            a = out[-1][1]
        b = min(b, a + left)
        if b > a:
            if out and a == out[-1][1]:
                out[-1] = (out[-1][0], b)
            else:
                out.append((a, b))
            left -= b - a
    return out


def anchors(
    beam: BeamTable,
    *,
    position: np.ndarray,
    first: np.ndarray,
    last: np.ndarray,
    plan: Plan,
    projection: Projection,
    header: dict[str, object],
) -> dict[str, np.ndarray]:
    """Return points every few segments: position, map metres, seconds, sea surface and its uncertainty, background,
    sun.

    They lie at the ends of every stretch, regularly within, and on both sides of each change of the sea
    surface's source. The header receives the offsets ``map_x``, ``map_y`` (m) and ``time`` (ns since 1970).
    """
    columns = beam.columns
    change = np.flatnonzero(np.diff(columns["sea_surface_source"]) != 0)
    parts = [np.arange(0, len(beam), plan.anchor_every), first, last]
    if len(change) < 1000:
        parts += [change, change + 1]
    rows = np.unique(np.concatenate(parts))
    x, y = project(columns["latitude"][rows], columns["longitude"][rows], projection)
    time = columns["time"][rows]
    good = np.isfinite(x) & np.isfinite(y)
    base_x, base_y = (float(np.rint(x[good][0])), float(np.rint(y[good][0]))) if good.any() else (0.0, 0.0)
    known = time != np.iinfo(np.int64).min
    base_t = int(time[known][0]) if known.any() else 0
    header |= {"map_x": base_x, "map_y": base_y, "time": str(base_t)}
    starts = np.zeros(len(rows), np.uint8)
    starts[np.searchsorted(rows, first)] = 1
    with np.errstate(invalid="ignore"):
        background = np.clip(columns["background_rate"][rows] / 1e3, 0, 65534)
        sun = np.clip(columns["solar_elevation"][rows] * 100, -32767, 32767)
    return {
        "x": position[rows].astype(np.uint32),
        "map_x": (x - base_x).astype(np.float32),
        "map_y": (y - base_y).astype(np.float32),
        "time": np.where(known, (time - base_t) / 1e9, np.nan).astype(np.float32),
        "sea": (columns["sea_surface_height"][rows]).astype(np.float32),
        "sea_sigma": sigma_mm(columns["sea_surface_uncertainty"][rows]),
        "background": np.where(np.isnan(background), 65535, np.rint(background)).astype(np.uint16),
        "sun": np.where(np.isnan(sun), -32768, np.rint(sun)).astype(np.int16),
        "start": starts,
    }

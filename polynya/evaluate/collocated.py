"""NASA's segments and leads on our track: which of our segments lie in them, and what these say together.

NASA's segments hold 150 photons: some 15 m (strong, over leads) to 400 m (weak) long, and they overlap. Ours are
brought to them in two ways: all that lie inside centre ± length / 2, weighted by their photons (``extents``), and each
of ours to the one segment whose centre is nearest, if it lies inside it (``nearest``).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from .. import metrics, schema
from ..errors import ProductError
from ..tracks import collocation
from .rows import MIN_COVER, Track

MAX_TIME_DIFFERENCE = np.timedelta64(10, "m")
ICE, WATER, UNKNOWN = schema.THICK_ICE, schema.OPEN_WATER, schema.UNCLASSIFIED
SPECULAR, DARK, CLOUD = (2, 3, 4, 5), (6, 7, 8, 9), (0,)
TYPE_GROUPS = {"ice": (1,), "specular_lead": SPECULAR, "dark_lead": DARK}


@dataclass(frozen=True, kw_only=True)
class Reference:
    """NASA's tables of one granule, by beam, in the product's own names.

    Attributes
    ----------
    product : str
        ``ATL07`` or ``ATL10``.
    segments : dict of str to pyarrow.Table
        With ``time``, ``seg_dist_x``, ``height_segment_height``, ``height_segment_type``,
        ``height_segment_length_seg``; ATL10 also ``beam_fb_height``.
    leads, sections : dict of str to pyarrow.Table
        ATL10's leads and reference surface sections; empty for ATL07.
    """

    product: str
    segments: dict[str, pa.Table]
    leads: dict[str, pa.Table]
    sections: dict[str, pa.Table]


def column(table: pa.Table, name: str) -> np.ndarray:
    """Return a column of a product's table, times as datetime64[ns].

    Parameters
    ----------
    table : pyarrow.Table
        As the reader gives it.
    name : str
        The product's own name.

    Raises
    ------
    ProductError
        If the table lacks the column.
    """
    if name not in table.column_names:
        raise ProductError(
            f"reference: column {name} is missing; found {table.column_names[:12]}. Read the granule with polynya's"
            " reader."
        )
    found = table[name].combine_chunks()
    if pa.types.is_timestamp(found.type):
        whole = found.cast(pa.timestamp("ns", tz=found.type.tz)).cast(pa.int64())
        return whole.to_numpy(zero_copy_only=False).view("datetime64[ns]")
    return np.asarray(found.to_numpy(zero_copy_only=False))


def classes_of(types: np.ndarray) -> np.ndarray:
    """Return NASA's types (any shape) as our classes: 1 ice, 2-5 water, others unknown."""
    return np.where(np.isin(types, SPECULAR), WATER, np.where(types == 1, ICE, UNKNOWN)).astype(np.int64)


def collocate(ours: Track, beam: str, table: pa.Table, resolution_m: float | None) -> dict[str, np.ndarray] | None:
    """Bring one beam's segments to NASA's: means, classes, and which NASA segments are covered at the same time.

    Parameters
    ----------
    ours : Track
        Our segments.
    beam : str
        One of its beams.
    table : pyarrow.Table
        NASA's segments of that beam, m of them with a place.
    resolution_m : float or None
        Length of our segments, m; None where they hold a number of photons.

    Returns
    -------
    dict of str to numpy.ndarray or None
        Arrays of shape (m,) in the order of the track, heights above the mean sea surface and freeboards in m:
        NASA's own (``x``, ``length``, ``type``, ``height``, and of ATL10 ``beam_fb_height``), ``order`` (its row in the
        table), ours (``height_mean``, ``height_nearest``, ``freeboard_mean``, ``class``, ``class_nearest``), ``first``
        and ``last`` (positions of ours inside it, half open, counted in the beam), ``matched``. None without a segment.
    """
    if table.num_rows == 0:
        return None
    centre = column(table, "seg_dist_x").astype(np.float64)
    order = np.argsort(centre, kind="stable")
    order = order[np.isfinite(centre[order])]
    centre = centre[order]
    length = column(table, "height_segment_length_seg").astype(np.float64)[order]
    kind = column(table, "height_segment_type").astype(np.int64)[order]
    where = ours.slices[beam]
    x = ours["x_atc"][where]
    classes = ours["surface_class"][where].astype(np.int64)
    first, last = collocation.within(centre - 0.5 * length, centre + 0.5 * length, x)
    start, end = collocation.extents(x, resolution_m=resolution_m)
    close = collocation.nearest(centre, x)
    together = np.abs(ours["time"][where][close] - column(table, "time")[order]) <= MAX_TIME_DIFFERENCE
    # Weak beams leave many cells empty, evenly: what counts is how much of NASA's segment ours span.
    inner_first, inner_last = np.minimum(first, x.size - 1), np.maximum(last - 1, 0)
    covered = end[inner_last] - start[inner_first] >= MIN_COVER * length
    photons = ours["n_photons"][where].astype(np.float64)
    out = {
        "x": centre,
        "length": length,
        "order": order,
        "first": first,
        "last": last,
        "beam": np.full(centre.size, schema.BEAM_NAMES.index(beam)),
        "strong": np.full(centre.size, bool(ours["is_strong"][where][0])),
        "type": kind,
        "truth": classes_of(kind),
        "height": column(table, "height_segment_height").astype(np.float64)[order],
        "matched": covered & together & (last > first),
    }
    out["height_mean"] = np.where(
        out["matched"], collocation.mean_over(ours["height"][where], first, last, weights=photons)[0], np.nan
    )
    out["freeboard_mean"] = np.where(
        out["matched"], collocation.mean_over(ours["total_freeboard"][where], first, last, weights=photons)[0], np.nan
    )
    counts = np.stack([collocation.sums_over(classes == k, first, last) for k in (0, 1, 2, -1)])
    out["class"] = majority(counts)
    own = collocation.nearest(x, centre)
    inside = (np.abs(x - centre[own]) <= 0.5 * length[own]) & together[own]
    own_counts = np.stack([np.bincount(own[inside & (classes == k)], minlength=centre.size) for k in (0, 1, 2, -1)])
    out["class_nearest"], out["n_nearest"] = majority(own_counts), own_counts.sum(axis=0)
    good = inside & np.isfinite(ours["height"][where])
    weight = np.bincount(own[good], weights=photons[good], minlength=centre.size)
    total = np.bincount(own[good], weights=photons[good] * ours["height"][where][good], minlength=centre.size)
    with np.errstate(invalid="ignore", divide="ignore"):
        out["height_nearest"] = np.where(weight > 0, total / weight, np.nan)
    if "beam_fb_height" in table.column_names:
        out["beam_fb_height"] = column(table, "beam_fb_height").astype(np.float64)[order]
    return out


def majority(counts: np.ndarray) -> np.ndarray:
    """Return the most frequent of ice (thick and thin together), water and unclassified, shape (n,).

    Parameters
    ----------
    counts : numpy.ndarray
        (4, n): how many segments are thick ice, thin ice, water and unclassified.
    """
    merged = np.stack([counts[0] + counts[1], counts[2], counts[3]])
    return np.array([ICE, WATER, UNKNOWN])[np.argmax(merged, axis=0)]


def other_orbit(ours: Track, reference: Reference) -> str:
    """Return the sentence for a reference that is not of our track.

    Parameters
    ----------
    ours : Track
        Our segments.
    reference : Reference
        NASA's tables.
    """
    beams = ", ".join(ours.slices) or "no beam"
    theirs = {b: t for b, t in reference.segments.items() if t.num_rows}

    def day(values: np.ndarray) -> str:
        values = values[~np.isnat(values)]
        return str(values.min())[:16] + "Z" if values.size else "no time"

    mine = day(ours["time"])
    found = day(np.concatenate([column(t, "time") for t in theirs.values()])) if theirs else "no segment"
    return (
        f"reference: no {reference.product} segment lies on our track (ours: {beams} from {mine}; the reference:"
        f" {', '.join(theirs) or 'no beam'} from {found}); expected the same beams, along-track distances and times"
        f" within 10 minutes. It is another orbit or place: give the {reference.product} granule of the same track and"
        " cycle."
    )


def nasa_leads(reference: Reference, beam: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return start, end and height (m) of NASA's leads: ATL10's list, or runs of specular segments of ATL07.

    Parameters
    ----------
    reference : Reference
        NASA's tables.
    beam : str
        A beam that ``reference.segments`` holds.
    """
    listed = reference.leads.get(beam)
    if listed is not None:
        x, length = column(listed, "lead_dist_x").astype(np.float64), column(listed, "lead_length").astype(np.float64)
        return x - 0.5 * length, x + 0.5 * length, column(listed, "lead_height").astype(np.float64)
    table = reference.segments[beam]
    x = column(table, "seg_dist_x").astype(np.float64)
    order = np.argsort(x, kind="stable")
    x, half = x[order], 0.5 * column(table, "height_segment_length_seg").astype(np.float64)[order]
    height = column(table, "height_segment_height").astype(np.float64)[order]
    lead = np.isin(column(table, "height_segment_type").astype(np.int64)[order], SPECULAR)
    breaks = np.concatenate([[True], x[1:] - half[1:] > x[:-1] + half[:-1]])[: x.size]
    first, count = metrics.runs(lead, breaks=breaks)
    if first.size == 0:
        return np.zeros(0), np.zeros(0), np.zeros(0)
    positions = np.add.reduceat  # a run holds only leads, so its extremes are those of its members
    members = np.concatenate([np.arange(f, f + c) for f, c in zip(first, count, strict=True)])
    at = np.concatenate([[0], np.cumsum(count)[:-1]])
    start, end = np.minimum.reduceat((x - half)[members], at), np.maximum.reduceat((x + half)[members], at)
    return start, end, positions(height[members], at) / count

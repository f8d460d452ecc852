"""The vocabulary of gridded products: what is summed per cell and track, and what the maps hold.

Sums are integers that count a small quantum (1e-6 m, 1e-9 m2 ...), so adding them in any order and any grouping
gives the same bits. Everything on a map is computed once, from the merged sums.
"""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from .records import TableSpec, Variable, variable

MICRO, NANO, PICO = 1e-6, 1e-9, 1e-12

LEAD_EDGES_M = (0.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1_000.0, 2_000.0, 5_000.0, 20_000.0)
FLOE_EDGES_M = (0.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1_000.0, 2_000.0, 5_000.0, 10_000.0, 20_000.0, 50_000.0)
"""Edges of the bins of chord lengths, m; what is longer than the last edge counts in the last bin."""
N_LEAD_BINS, N_FLOE_BINS = len(LEAD_EDGES_M) - 1, len(FLOE_EDGES_M) - 1


@dataclass(frozen=True, kw_only=True)
class Sum:
    """One column of exact sums.

    Attributes
    ----------
    name : str
    quantum : float
        What one count stands for, in ``units``.
    units : str
    long_name : str
    """

    name: str
    quantum: float
    units: str
    long_name: str


def _sum(name: str, long_name: str, quantum: float = 1.0, units: str = "1") -> Sum:
    return Sum(name=name, quantum=quantum, units=units, long_name=long_name)


def _of_mean(name: str, what: str) -> tuple[Sum, ...]:
    return (
        _sum(f"n_{name}", f"{what}: number"),
        _sum(name, f"{what}: values", MICRO, "m"),
        _sum(f"{name}_random", f"{what}: variance of the errors that each segment has for itself", NANO, "m2"),
        _sum(f"{name}_track", f"{what}: errors of the sea surface that a pass shares", MICRO, "m"),
        _sum(f"{name}_common", f"{what}: errors of one cause for all passes", MICRO, "m"),
    )


SUMS = (
    _sum("n_left_out", "segments left out by their quality bits"),
    _sum("n_unclassified", "segments without a class (cloud), left out"),
    _sum("n_thick", "segments of thick ice"),
    _sum("n_thin", "segments of thin ice"),
    _sum("n_water", "segments of open water"),
    _sum("p_thick", "probabilities of thick ice", MICRO),
    _sum("p_thin", "probabilities of thin ice", MICRO),
    _sum("p_water", "probabilities of open water", MICRO),
    _sum("n_in_lead", "segments inside leads"),
    *_of_mean("freeboard", "freeboard of ice segments"),
    _sum("freeboard_squares", "squares of the freeboard of ice segments", NANO, "m2"),
    *_of_mean("freeboard_all", "freeboard of ice and water segments"),
    *_of_mean("sea_surface", "sea surface height at segments"),
    _sum("n_filled", "ice segments whose sea surface was filled"),
    _sum("n_melt_season", "ice segments in the melt season"),
    _sum("n_leads_scatter", "ice segments whose leads scatter"),
    _sum("n_swell", "ice segments in swell"),
    _sum("n_windows", "windows of 1 km with a roughness"),
    _sum("variance", "height variance of the windows, noise taken off", NANO, "m2"),
    _sum("variance_squares", "squares of the windows' variance", PICO, "m4"),
    _sum("noise", "noise variance that was taken off", NANO, "m2"),
    _sum("n_leads", "leads"),
    _sum("lead_length", "lengths of leads", 1e-3, "m"),
    _sum("lead_length_squares", "squares of the lengths of leads", 0.1, "m2"),
    *(_sum(f"lead_bin_{k:02d}", f"leads in length bin {k}") for k in range(N_LEAD_BINS)),
    _sum("n_floes", "whole floe chords"),
    _sum("floe_length", "lengths of floe chords", 1e-3, "m"),
    _sum("floe_length_squares", "squares of the lengths of floe chords", 0.1, "m2"),
    _sum("n_floes_cut", "floe chords cut by a gap or the end of the track"),
    *(_sum(f"floe_bin_{k:02d}", f"floe chords in length bin {k}") for k in range(N_FLOE_BINS)),
)
QUANTUM = {s.name: s.quantum for s in SUMS}
SUM_NAMES = tuple(QUANTUM)
SIGNED = ("freeboard", "freeboard_all", "sea_surface", "variance")
"""Sums that may be negative: the others count something, or add squares, lengths, probabilities or errors."""

GRID_SUMS = TableSpec(
    name="grid_sums",
    title="Exact sums of one granule per cell, pass and day",
    variables=(
        variable("period", pa.int32(), "days since 1970-01-01", "first day of the period; 0 where there is one period"),
        variable("cell", pa.int64(), "1", "row of the cell times the number of columns, plus its column"),
        variable("track", pa.string(), "", "pass: reference ground track and cycle, or the granule where unknown"),
        variable("day", pa.int32(), "days since 1970-01-01", "day, UTC"),
        *(variable(s.name, pa.int64(), "1", f"{s.long_name}; in counts of {s.quantum:g} {s.units}") for s in SUMS),
    ),
)

SAMPLING_FLAGS = (
    (1, "few_tracks"),
    (2, "one_day"),
    (4, "few_segments"),
    (8, "mostly_left_out"),
    (16, "mostly_filled"),
    (32, "melt_season"),
    (64, "leads_scatter_or_swell"),
)
"""Bits of ``sampling_flag``: what a reader of a cell's mean should know."""

F4, I4 = pa.float32(), pa.int32()


def _mean(name: str, units: str, what: str, parts: tuple[tuple[str, str], ...]) -> tuple[Variable, ...]:
    own = "of the mean" if units == "m" else "of the value"
    return (
        variable(name, F4, units, what),
        variable(f"{name}_uncertainty", F4, units, f"one standard uncertainty of {name}, all parts"),
        *(variable(f"{name}_uncertainty_{p}", F4, units, f"part of the uncertainty {own}: {t}") for p, t in parts),
    )


_RANDOM = ("random", "independent from segment to segment")
_TRACK = ("track", "sea surface and corrections, shared by all beams of a pass, independent between passes")
_COMMON = ("common", "of one cause for all passes, means do not reduce it")
_BETWEEN = ("random", "differences between passes, at least those one more pass could make")
_CLASSES = ("common", "difference of classes and calibrated probabilities")

GRID_VARIABLES = (
    *_mean(
        "total_freeboard", "m", "mean total freeboard of thick and thin ice, snow included", (_RANDOM, _TRACK, _COMMON)
    ),
    variable("total_freeboard_sd", F4, "m", "standard deviation of the ice segments' total freeboard, noise included"),
    variable("total_freeboard_between_tracks", F4, "m", "standard deviation of the passes' means, NaN for one pass"),
    *_mean(
        "total_freeboard_all",
        "m",
        "mean total freeboard of ice and open water, water counted with what was measured",
        (_RANDOM, _TRACK, _COMMON),
    ),
    *_mean("sea_surface_height", "m", "mean local sea surface height above the mean sea surface", (_TRACK, _COMMON)),
    *_mean("thick_ice_fraction", "1", "share of thick ice among classified segments", (_BETWEEN, _CLASSES)),
    *_mean("thin_ice_fraction", "1", "share of thin ice among classified segments", (_BETWEEN, _CLASSES)),
    *_mean("open_water_fraction", "1", "share of open water among classified segments", (_BETWEEN, _CLASSES)),
    *_mean(
        "lead_fraction", "1", "share of classified segments that lie in leads of 8 m and more", (_BETWEEN, _CLASSES)
    ),
    *_mean(
        "roughness",
        "m",
        "root of the mean height variance of ice in windows of 1 km, trend and noise taken off",
        (("random", "differences between windows; those of a pass count as one"), ("common", "noise taken off")),
    ),
    *_mean(
        "lead_length",
        "m",
        "mean chord of leads along the track",
        (("random", "differences between leads; those of a pass count as one"), ("common", "half a footprint")),
    ),
    *_mean(
        "floe_length",
        "m",
        "mean chord of floes along the track: from lead to lead, without a gap",
        (("random", "differences between floes; those of a pass count as one"), ("common", "half a footprint")),
    ),
    variable("n_segments", I4, "1", "ice segments in total_freeboard"),
    variable("n_classified", I4, "1", "classified segments in the class fractions"),
    variable("n_left_out", I4, "1", "segments left out by their quality bits"),
    variable("n_unclassified", I4, "1", "segments left out because they have no class (cloud)"),
    variable(
        "n_tracks",
        I4,
        "1",
        "passes (ground track and cycle) in total_freeboard; beams of a pass count once",
    ),
    variable("n_days", I4, "1", "days with data in total_freeboard, UTC"),
    variable("n_sea_surface_filled", I4, "1", "ice segments whose sea surface was filled from neighbouring sections"),
    variable("n_melt_season", I4, "1", "ice segments in the melt season"),
    variable("n_leads_scatter", I4, "1", "ice segments whose leads differ by more than their errors"),
    variable("n_swell", I4, "1", "ice segments in swell"),
    variable("n_windows", I4, "1", "windows of 1 km in roughness"),
    variable("n_leads", I4, "1", "leads"),
    variable("n_floes", I4, "1", "whole floe chords"),
    variable("n_floes_cut", I4, "1", "floe chords cut by a gap, cloud or the end of the track: long ones more often"),
    variable("sampling_flag", pa.int16(), "1", "what limits the cell's means", flags=SAMPLING_FLAGS, is_bits=True),
)
GRID_NAMES = tuple(v.name for v in GRID_VARIABLES)

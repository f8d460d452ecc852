"""What is said of each echo of a block: class, probability, distance, width, quality, and why it is unknown."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ...physics import altimeter_tracks, echo_inputs, melt_months, waveform_features
from ...predict import echoes as predict_echoes
from ...readers import height_grid
from ...schema.echoes import LEAD, OCEAN, SEA_ICE, UNKNOWN, Echoes
from ...schema.lead_labels import (
    BETWEEN_LIMITS,
    BITS,
    CAUSE_NO_ECHO,
    EMPTY,
    HAS_CLASS,
    KEEP_RANGE,
    NOT_SEA,
    OFF_NADIR,
    RANGE_NOT_CHECKED,
)
from . import network, rules
from .config import Config

SAID = ("lead_probability", "lead_distance", "lead_distance_low", "lead_distance_high")
"""What a network says, by column."""
LARGEST_FLAG = 2.55
"""Byte flags of grids of shares reach so far (251 to 255 times 0.01): larger values are percent."""


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What answers for a file.

    Attributes
    ----------
    config : Config
    rule : str
        Name of the published rule, empty without one.
    used : network.Used or None
        The network, None where the rule decides.
    grid : height_grid.Grid or None
        Concentration of the user's.
    """

    config: Config
    rule: str
    used: network.Used | None = None
    grid: height_grid.Grid | None = None


@dataclass(frozen=True, kw_only=True)
class Block:
    """Answers for n echoes.

    Attributes
    ----------
    columns : dict of str to numpy.ndarray, shape (n,)
        Those of :data:`polynya.schema.lead_labels.LEADS`, but source and echo.
    ruled : rules.Ruled
    share : numpy.ndarray, shape (n,)
        Sea-ice concentration, NaN where unknown.
    is_range_checked : bool
        Whether tracker and altitude told bent ranges from others.
    """

    columns: dict[str, np.ndarray]
    ruled: rules.Ruled
    share: np.ndarray
    is_range_checked: bool


def answer(echoes: Echoes, setting: Setting) -> Block:
    """Answer for echoes of one file.

    Parameters
    ----------
    echoes : Echoes
        n in order; those at both ends know less of their neighbours.
    setting : Setting
        What answers.
    """
    features = rules.features_of(echoes)
    is_echo = np.isfinite(echoes.latitude) & np.isfinite(echoes.longitude) & ~np.isnat(echoes.time)
    if features is not None:
        is_echo &= (features.flag & waveform_features.NO_POWER) == 0
    share = concentration(echoes, setting.grid)
    ruled = rules.answer(setting.rule, echoes, features, setting.config, share=share)
    classes, cause, predicted = _decided(echoes, setting, ruled, share)
    not_sea = ~echoes.is_sea()
    is_low = altimeter_tracks.is_too_low(echoes.latitude, share, least=setting.config.least_concentration)
    with np.errstate(invalid="ignore"):
        open_ocean = ((share < setting.config.least_concentration) | is_low) & ~not_sea
    no_ice = is_low & (np.isin(classes, (LEAD, SEA_ICE)) | np.isfinite(predicted["lead_probability"]))
    classes[no_ice], cause[no_ice] = OCEAN, HAS_CLASS
    for name in SAID:
        predicted[name][not_sea] = np.nan
    for where, why in ((not_sea, NOT_SEA), (~is_echo, CAUSE_NO_ECHO)):
        classes[where], cause[where] = UNKNOWN, why
    starts = altimeter_tracks.starts_of(echoes.time, is_echo=is_echo)
    length = altimeter_tracks.step_lengths(echoes.latitude, echoes.longitude, starts=starts)
    delay = altimeter_tracks.range_delay(predicted["lead_distance"], echoes.altitude)
    off_nadir, is_checked = _off_nadir(echoes, predicted["lead_distance"], starts)
    range_flag = np.where(np.isfinite(predicted["lead_distance"]), KEEP_RANGE, RANGE_NOT_CHECKED).astype(np.int8)
    range_flag[off_nadir & is_echo & ~open_ocean] = OFF_NADIR
    range_flag[~is_echo] = EMPTY
    bits = {
        "no_echo": ~is_echo,
        "off_nadir_lead": range_flag == OFF_NADIR,
        "melt_season": melt_months.is_melt_season(echoes.time, echoes.latitude) & ~is_low,
        "open_ocean_or_low_ice_concentration": open_ocean,
        "sequence_shorter_than_training": predicted["short"],
        "mode_or_mission_not_in_training": predicted["foreign"],
        "saturated": np.zeros(len(echoes), bool)
        if features is None
        else (features.flag & waveform_features.SATURATED) > 0,
        "few_sea_echoes_around": predicted["coast"] & ~not_sea,
        "latitude_not_searched": is_low & ~not_sea,
    }
    quality = np.zeros(len(echoes), np.int32)
    for name, where in bits.items():
        quality[where] |= BITS[name]
    columns = {
        "time": echoes.time,
        "latitude": echoes.latitude,
        "longitude": echoes.longitude,
        "mode": echoes.mode,
        "surface_class": classes,
        **{n: predicted[n] for n in SAID},
        "lead_width": altimeter_tracks.widths(classes == LEAD, length=length, starts=starts),
        "lead_quality": quality,
        "unknown_cause": cause,
        "range_flag": range_flag,
        "range_delay": delay,
        "maximum_power_db": np.full(len(echoes), np.nan) if features is None else features["max_power_db"],
        "peakiness": ruled.peakiness,
        "rule_class": ruled.classes,
        "product_class": echoes.surface_class.astype(np.int8),
    }
    return Block(columns=columns, ruled=ruled, share=share, is_range_checked=is_checked)


def _decided(
    echoes: Echoes, setting: Setting, ruled: rules.Ruled, share: np.ndarray
) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """Return class, cause and what a network says: by the network, else by the rule."""
    if setting.used is None:
        empty = {n: np.full(len(echoes), np.nan) for n in SAID} | {
            n: np.zeros(len(echoes), bool) for n in ("short", "foreign", "coast")
        }
        return ruled.classes.copy(), ruled.cause.copy(), empty
    found = predict_echoes.predict(setting.used.network, echoes)
    said = (found.probability, found.distance, found.distance_low, found.distance_high)
    predicted = {n: np.array(v, np.float64) for n, v in zip(SAID, said, strict=True)}
    predicted |= {"short": np.asarray(found.short, bool), "foreign": setting.used.is_foreign(echoes)}
    predicted["coast"] = (found.share_of_sea < echo_inputs.LEAST_SHARE) & setting.used.needs_gain
    c = setting.config
    classes = altimeter_tracks.classes_of(predicted["lead_probability"], lead=c.lead_probability, ice=c.ice_probability)
    with np.errstate(invalid="ignore"):
        classes[share < c.least_concentration] = OCEAN
    cause = np.where(classes != UNKNOWN, HAS_CLASS, BETWEEN_LIMITS).astype(np.int8)
    cause[(classes == UNKNOWN) & ~np.isfinite(predicted["lead_probability"])] = CAUSE_NO_ECHO
    return classes, cause, predicted


def _off_nadir(echoes: Echoes, distance: np.ndarray, starts: np.ndarray) -> tuple[np.ndarray, bool]:
    """Return echoes of a lead beside nadir whose range is bent, and whether the bend could be checked."""
    low, high = altimeter_tracks.OFF_NADIR_M
    with np.errstate(invalid="ignore"):
        beside = (distance >= low) & (distance <= high)
    if not echoes.gates or not beside.any():
        return beside, bool(echoes.gates and np.isfinite(echoes.tracker).any())
    ranging = altimeter_tracks.Ranging(
        gate=altimeter_tracks.half_power_gate(echoes.waveform, fill=echoes.fill),
        altitude=np.where(echoes.is_sea(), echoes.altitude, np.nan),  # the level of ranges is that of the sea
        tracker=echoes.tracker,
        gate_width_m=echoes.gate_width_m,
        starts=starts,
    )
    bent, known = altimeter_tracks.is_bent(ranging)
    return beside & (bent | ~known), bool(known.any())


def concentration(echoes: Echoes, grid: height_grid.Grid | None) -> np.ndarray:
    """Return the sea-ice concentration at echoes: the user's grid, else the product's.

    Parameters
    ----------
    echoes : Echoes
        n of them.
    grid : height_grid.Grid or None
        Of shares.

    Returns
    -------
    numpy.ndarray of float64, shape (n,)
        0 to 1, NaN where unknown.
    """
    given = echoes.sea_ice_concentration.astype(np.float64)
    given = np.where((given >= 0.0) & (given <= 1.0), given, np.nan)
    if grid is None:
        return given
    known = np.isfinite(echoes.latitude) & np.isfinite(echoes.longitude)
    out = np.full(len(echoes), np.nan)
    out[known] = height_grid.sample(grid, longitude=echoes.longitude[known], latitude=echoes.latitude[known])
    return np.where(np.isfinite(out), out, given)


def read_grid(path: str) -> height_grid.Grid:
    """Read a grid of concentration as shares; what lies above the full value is a flag and becomes NaN.

    Parameters
    ----------
    path : str
        GeoTIFF or NetCDF, in shares or percent.

    Raises
    ------
    ProductError
        If it is no grid.
    """
    grid = height_grid.read(path)
    cells = np.asarray(grid.values, np.float64)
    full = 100.0 if np.any((cells > LARGEST_FLAG) & (cells <= 100.0)) else 1.0
    return replace(grid, values=np.where((cells >= 0.0) & (cells <= full), cells, np.nan) / full)

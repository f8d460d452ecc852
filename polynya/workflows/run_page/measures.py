"""The one number by which a page ranks items, and how sure it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Measure:
    """A result in one number.

    Attributes
    ----------
    value : float
        NaN without one.
    weight : float
        In a mean over items.
    random, correlated : float
        One standard uncertainty: the part that averaging over items reduces, and the part that they may share. NaN
        where none is known.
    """

    value: float = float("nan")
    weight: float = 1.0
    random: float = float("nan")
    correlated: float = float("nan")


@dataclass(frozen=True, kw_only=True)
class Quantity:
    """What an item's number is.

    Attributes
    ----------
    name, units : str
        As people read them.
    is_sum : bool
        Over items it adds up; otherwise a weighted mean is formed.
    measure : callable
        Takes the numbers of a record and its run.json, and returns a :class:`Measure`.
    """

    name: str
    units: str
    is_sum: bool
    measure: Callable[[Mapping[str, float], Mapping[str, object]], Measure]


def _number(found: Mapping[str, object], name: str) -> float:
    value = found.get(name)
    return float(value) if isinstance(value, (int, float)) else float("nan")


def _freeboard(numbers: Mapping[str, float], run: Mapping[str, object]) -> Measure:
    value, share = _number(numbers, "mean_freeboard"), _number(numbers, "share_with_freeboard")
    if not share > 0:
        return Measure()
    whole, correlated = (_number(numbers, f"mean_freeboard_uncertainty{n}") for n in ("", "_correlated"))
    return Measure(
        value=value,
        weight=share * _number(numbers, "n_segments"),
        random=max(whole**2 - correlated**2, 0.0) ** 0.5,
        correlated=correlated,
    )


def _glaciers(numbers: Mapping[str, float], run: Mapping[str, object]) -> Measure:
    half = 0.5 * (_number(run, "area_high_km2") - _number(run, "area_low_km2"))
    return Measure(value=_number(run, "area_km2"), random=0.0, correlated=half / 1.96)


def _label(numbers: Mapping[str, float], run: Mapping[str, object]) -> Measure:
    return Measure(value=_number(numbers, "n_labelled"))


def _ice_area(numbers: Mapping[str, float], run: Mapping[str, object]) -> Measure:
    return Measure(
        value=_number(numbers, "ice_area_km2"), random=0.0, correlated=_number(numbers, "ice_area_uncertainty_km2")
    )


def _freeboard_bias(numbers: Mapping[str, float], run: Mapping[str, object]) -> Measure:
    return Measure(value=_number(numbers, "freeboard_bias"), weight=max(_number(numbers, "n_compared"), 0.0))


def _glacier_iou(numbers: Mapping[str, float], run: Mapping[str, object]) -> Measure:
    return Measure(value=_number(numbers, "iou"), weight=max(_number(numbers, "n_compared"), 0.0))


def _concentration_rmse(numbers: Mapping[str, float], run: Mapping[str, object]) -> Measure:
    return Measure(value=_number(numbers, "rmse"), weight=max(_number(numbers, "n_compared"), 0.0))


def _lead_f1(numbers: Mapping[str, float], run: Mapping[str, object]) -> Measure:
    return Measure(value=_number(numbers, "f1"), weight=max(_number(numbers, "n_compared"), 0.0))


def _lead_fraction(numbers: Mapping[str, float], run: Mapping[str, object]) -> Measure:
    n = _number(numbers, "n_lead") + _number(numbers, "n_sea_ice")
    return Measure(value=_number(numbers, "lead_fraction"), weight=n if n > 0 else 0.0)


def _tagged_share(numbers: Mapping[str, float], run: Mapping[str, object]) -> Measure:
    n = _number(numbers, "n_imagettes") - _number(numbers, "n_not_assessed")
    return Measure(value=_number(numbers, "n_tagged") / n, weight=n) if n > 0 else Measure(weight=0.0)


def _tag_f1(numbers: Mapping[str, float], run: Mapping[str, object]) -> Measure:
    return Measure(value=_number(numbers, "macro_f1"), weight=max(_number(numbers, "n_compared"), 0.0))


def _ice_fraction(numbers: Mapping[str, float], run: Mapping[str, object]) -> Measure:
    half = 0.5 * (_number(numbers, "ice_fraction_high") - _number(numbers, "ice_fraction_low"))
    return Measure(
        value=100.0 * _number(numbers, "ice_fraction"),
        weight=max(_number(numbers, "mapped_pixels"), 0.0),
        random=0.0,
        correlated=100.0 * half / 1.96,
    )


FREEBOARD = Quantity(name="mean total freeboard", units="m", is_sum=False, measure=_freeboard)
GLACIER_AREA = Quantity(name="glacier area", units="km\u00b2", is_sum=True, measure=_glaciers)
LABELS = Quantity(name="labelled segments", units="1", is_sum=True, measure=_label)
LABELLED_ECHOES = Quantity(name="labelled echoes", units="1", is_sum=True, measure=_label)
FREEBOARD_BIAS = Quantity(name="freeboard, bias to the reference", units="m", is_sum=False, measure=_freeboard_bias)
GLACIER_IOU = Quantity(name="glacier IoU with the reference", units="1", is_sum=False, measure=_glacier_iou)
CONCENTRATION_RMSE = Quantity(
    name="sea-ice concentration, RMSE to the reference", units="%", is_sum=False, measure=_concentration_rmse
)
ICE_AREA = Quantity(name="sea-ice area", units="km\u00b2", is_sum=True, measure=_ice_area)
ICE_FRACTION = Quantity(name="share of ice in the sea", units="%", is_sum=False, measure=_ice_fraction)
LEAD_F1 = Quantity(name="leads, F1 against the reference", units="1", is_sum=False, measure=_lead_f1)
LEAD_FRACTION = Quantity(
    name="share of leads among lead and ice echoes", units="1", is_sum=False, measure=_lead_fraction
)
TAGGED_SHARE = Quantity(
    name="share of imagettes with a tag among those assessed", units="1", is_sum=False, measure=_tagged_share
)
TAG_F1 = Quantity(name="tags, macro F1 against the reference", units="1", is_sum=False, measure=_tag_f1)
QUANTITIES = (
    FREEBOARD,
    GLACIER_AREA,
    LABELS,
    LABELLED_ECHOES,
    FREEBOARD_BIAS,
    GLACIER_IOU,
    CONCENTRATION_RMSE,
    ICE_AREA,
    ICE_FRACTION,
    LEAD_FRACTION,
    LEAD_F1,
    TAGGED_SHARE,
    TAG_F1,
)
"""All that a page may hold: each command has its own."""

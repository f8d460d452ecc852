"""The error of a sea surface whose leads may be no water.

A classifier gives every segment a probability of open water. A section's reference is the mean of the
leads that were taken for water, so two things can be wrong with it besides noise: a lead among others may be
ice, and then the reference is that of the others; or none of them is water, and then the reference floats as
high as such ice does. Both enter the reference's variance. The reference itself is left as it is.

``docs/decisions/0012-doubt-about-leads-in-the-sea-surface.md`` argues why, and why nothing is added at a segment.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..schema import OPEN_WATER, THICK_ICE, THIN_ICE
from .leads import Leads, mean_over

APART_M = 500.0
"""Leads nearer than this are one body of water or of ice, and under the same cloud: they are right or wrong
together."""

PROBABLE = 0.55
"""A lead that is water with this probability is probable: it may enter a section. How sure all of them are together is
judged by :mod:`polynya.physics.water_evidence`."""


@dataclass(frozen=True, kw_only=True)
class FalseLeadHeight:
    """Root mean square height above the water of ice that passes for it, metres.

    Attributes
    ----------
    thin_m : float
        Of thin ice: by default of the rule's nilas and shiny thin ice, 0.03 m and their spread.
    thick_m : float
        Of thick ice: by default of low floes, the rule's kind that passes for water.
    """

    thin_m: float = 0.04
    thick_m: float = 0.18


PROBABLE_FALSE_LEAD_HEIGHT = FalseLeadHeight(thin_m=0.025, thick_m=0.08)
"""The same of ice that a calibrated network gives :data:`PROBABLE` and more, at the level of other leads or within
0.15 m of the lowest surfaces. In simulated granules such ice stood 0.022 to 0.033 m above the water (root mean square
over the leads, their edges too) and was thin but for 1 lead of 343."""


@dataclass(frozen=True, kw_only=True)
class LeadError:
    """How probable m leads are, and how high their ice stands if they are none; arrays of shape (m,).

    Attributes
    ----------
    probability : numpy.ndarray
        Of open water: the mean over the lead's segments. They are not independent, so it is no product.
    ice_height_if_not_water : numpy.ndarray
        Root mean square height above the water of what the lead is otherwise, metres.
    """

    probability: np.ndarray
    ice_height_if_not_water: np.ndarray


def lead_error(lead: Leads, probability: np.ndarray, *, false_lead_height: FalseLeadHeight | None = None) -> LeadError:
    """Return what a classifier knows of leads.

    Parameters
    ----------
    lead : Leads
        Leads along one beam.
    probability : numpy.ndarray, shape (n, 3)
        Of thick ice, thin ice and open water of every segment; NaN where unclassified.
    false_lead_height : FalseLeadHeight, optional
        How high ice stands that passes for water: that of the rule's kinds by default.

    Returns
    -------
    LeadError
        Where nothing is known, water is as likely as not.
    """
    high = false_lead_height or FalseLeadHeight()
    thick, thin, water = (
        mean_over(lead, probability[:, k].astype(np.float64)) for k in (THICK_ICE, THIN_ICE, OPEN_WATER)
    )
    ice = thick + thin
    share = np.divide(thick, ice, out=np.zeros(water.size), where=ice > 1e-6)
    mixed = np.sqrt(share * high.thick_m**2 + (1.0 - share) * high.thin_m**2)
    return LeadError(
        probability=np.clip(np.where(np.isfinite(water), water, 0.5), 0.0, 1.0),
        ice_height_if_not_water=np.where(np.isfinite(water), mixed, high.thin_m),
    )


def is_probable(error: LeadError, *, is_usable: np.ndarray) -> np.ndarray:
    """Return which leads are probable enough to be water to enter a section.

    For calibrated probabilities only. A network trained to find rare water calls a segment water long before it is
    probably water. A sea surface of few leads is better than one of false leads.

    Parameters
    ----------
    error : LeadError
        Of the m leads.
    is_usable : numpy.ndarray of bool, shape (m,)
        Leads at the level of others, of :func:`polynya.physics.leads.screen_leads`.

    Returns
    -------
    numpy.ndarray of bool, shape (m,)
        Usable leads of probability 0.55 and more. Where there is none there is no sea surface: a smooth low floe in
        closed ice looks like water at even odds, also on real pack ice.
    """
    return is_usable & (error.probability >= PROBABLE)


def reference_variance(
    x: np.ndarray, height: np.ndarray, *, weight: np.ndarray, error: LeadError, apart_m: float = APART_M
) -> float:
    """Return the variance that false leads add to the weighted mean of leads.

    ``Σ_k (1 − P_k) (h − h_without_k)²  +  Π_j (1 − P_j) · e²``

    The first sum is the mean square distance of h from the mean of those leads that are water, each by its
    probability P_k, to first order (two leads left out at once are not counted). It is 1 − P and not P (1 − P), since h
    keeps every lead and is not the mean over the cases. The second term is the chance that no body of water is among
    the leads, times the mean square height e² of what they are then; leads closer than ``apart_m`` count as one body j,
    as probable as the likeliest of them.

    Parameters
    ----------
    x, height, weight : numpy.ndarray, shape (m,)
        Leads of one section: place along the track, increasing (m), height (m) and weight in the mean.
    error : LeadError
        Of these leads.
    apart_m : float
        Leads closer than this are one body, metres.

    Returns
    -------
    float
        Square metres; 0 where every lead is certainly water.
    """
    a = weight / np.sum(weight)
    level = float(np.sum(a * height))
    p = error.probability
    rest = 1.0 - a
    shift = np.divide(a * (height - level), rest, out=np.zeros(a.size), where=rest > 1e-9)
    others = float(np.sum((1.0 - p) * shift**2))
    body = np.concatenate([[0], np.cumsum(np.diff(x) > apart_m)])
    best = np.zeros(body[-1] + 1)
    np.maximum.at(best, body, p)
    return others + float(np.prod(1.0 - best) * np.sum(a * error.ice_height_if_not_water**2))

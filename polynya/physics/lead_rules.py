"""Published rules that call an echo lead, sea ice or ocean; what a rule cannot decide is a class of its own, unknown.

A threshold on peakiness travels with the definition of that peakiness (:mod:`polynya.physics.peakiness`).

- CPOM, CryoSat-2 SAR and SARIn: peakiness and the standard deviation of the stack (Laxon et al., 2013,
  doi:10.1002/grl.50193; thresholds of the public CPOM sea-ice chain).
- pysiral, CryoSat-2, Sentinel-3 and Envisat: peakiness, backscatter, width of the leading edge, concentration (ESA CCI
  sea ice v4, AWI v2.6; Paul et al., 2018, doi:10.5194/tc-12-2437-2018).
- AltiKa: maximum power (Zakharova et al., 2015, doi:10.1080/01490419.2015.1019655).
- ESA's class flag of CryoSat-2 L2i.

The classes of CPOM, pysiral and ESA are outputs of thresholds. That a network or another rule agrees with them is no
skill.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import UsageError
from ..schema.echoes import CLASS_NAMES, LEAD, OCEAN, SEA_ICE, UNKNOWN
from .peakiness import CPOM, PYSIRAL, Peakiness, Threshold


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a rule says.

    Attributes
    ----------
    rule : str
        The rule with its thresholds.
    classes : numpy.ndarray of int8, shape (n,)
        0 unknown, 1 ocean, 2 lead, 3 sea ice.
    """

    rule: str
    classes: np.ndarray

    @property
    def coverage(self) -> float:
        """Share of the echoes that have a class; NaN for none."""
        return float(np.mean(self.classes != UNKNOWN)) if self.classes.size else np.nan

    def counts(self) -> dict[str, int]:
        """Return how many echoes each class has, by its name."""
        return {name: int(np.sum(self.classes == value)) for value, name in CLASS_NAMES.items()}


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """How a rule compares with other classes; no skill where these are outputs of a rule.

    Attributes
    ----------
    n, equal : int
        Echoes, and those of the same class, unknown included.
    n_decided, equal_decided : int
        The same among echoes that neither leaves unknown.
    unknown_share : float
        Of the reference.
    """

    n: int
    equal: int
    n_decided: int
    equal_decided: int
    unknown_share: float


def agreement(answer: Answer, reference: np.ndarray) -> Agreement:
    """Compare a rule's answer with other classes, unknown counted and stated.

    Parameters
    ----------
    answer : Answer
        Of n echoes.
    reference : numpy.ndarray of int, shape (n,)
        Classes of the same coding.

    Raises
    ------
    UsageError
        If the lengths differ.
    """
    reference = np.asarray(reference)
    if reference.shape != answer.classes.shape:
        raise UsageError(
            f"agreement: {answer.classes.size} answers and {reference.size} references; expected as many. Align them."
        )
    decided, same = (answer.classes != UNKNOWN) & (reference != UNKNOWN), answer.classes == reference
    return Agreement(
        n=reference.size,
        equal=int(same.sum()),
        n_decided=int(decided.sum()),
        equal_decided=int((same & decided).sum()),
        unknown_share=float(np.mean(reference == UNKNOWN)) if reference.size else np.nan,
    )


CPOM_LEAD, CPOM_FLOE = Threshold(definition=CPOM, value=18.0), Threshold(definition=CPOM, value=9.0)


@dataclass(frozen=True, kw_only=True)
class CpomRule:
    """Thresholds of CPOM's rule.

    Attributes
    ----------
    lead, floe : Threshold
        Leads have at least, floes at most this peakiness.
    stack_std : float
        Leads have a smaller, floes a larger standard deviation of the stack.
    concentration : float
        Floes have at least this share of ice.
    """

    stack_std: float
    lead: Threshold = CPOM_LEAD
    floe: Threshold = CPOM_FLOE
    concentration: float = 0.75


CPOM_SAR, CPOM_SARIN = CpomRule(stack_std=6.29), CpomRule(stack_std=4.62)


def cpom(peakiness: Peakiness, *, stack_std: np.ndarray, sea_ice_concentration: np.ndarray, rule: CpomRule) -> Answer:
    """Return CPOM's classes of CryoSat-2 echoes.

    Parameters
    ----------
    peakiness : Peakiness
        By CPOM's definition, n echoes.
    stack_std : numpy.ndarray, shape (n,)
        Standard deviation of the stack; NaN gives no lead and no floe.
    sea_ice_concentration : numpy.ndarray, shape (n,)
        Share, NaN where unknown; 0 is ocean.
    rule : CpomRule
        :data:`CPOM_SAR` or :data:`CPOM_SARIN`.

    Returns
    -------
    Answer

    Raises
    ------
    DefinitionError
        If the peakiness is of another definition than the rule's.
    """
    stack, share = np.asarray(stack_std, np.float64), np.asarray(sea_ice_concentration, np.float64)
    out = np.full(len(peakiness), UNKNOWN, np.int8)
    out[rule.floe.at_most(peakiness) & (stack > rule.stack_std) & (share >= rule.concentration)] = SEA_ICE
    out[rule.lead.at_least(peakiness) & (stack < rule.stack_std)] = LEAD
    out[share == 0.0] = OCEAN
    words = f"CPOM: {rule.lead.definition} peakiness {rule.lead.value:g}/{rule.floe.value:g}, stack {rule.stack_std:g}"
    return Answer(rule=words, classes=out)


@dataclass(frozen=True, kw_only=True)
class PysiralRule:
    """Thresholds of pysiral's rule for one radar mode.

    Attributes
    ----------
    lead : Threshold
        Leads have at least this peakiness.
    sigma0_db : float
        And at least this backscatter, dB.
    leading_edge_m : float
        And at most this width of the leading edge (5 to 95 % of the first maximum), m.
    concentration : float
        Share of ice from which on there are leads and ice, and below which there is ocean.
    leading_edge_quality : float
        Ice has at most this quality of the leading edge.
    ocean_sd : float
        Ocean has a smaller running standard deviation of peakiness.
    """

    lead: Threshold
    sigma0_db: float
    leading_edge_m: float
    ocean_sd: float
    concentration: float = 0.15
    leading_edge_quality: float = 1.02


PYSIRAL_SAR = PysiralRule(
    lead=Threshold(definition=PYSIRAL, value=66.0), sigma0_db=23.0, leading_edge_m=0.75, ocean_sd=1.0
)
PYSIRAL_SARIN = PysiralRule(
    lead=Threshold(definition=PYSIRAL, value=260.0), sigma0_db=24.0, leading_edge_m=1.05, ocean_sd=4.0
)
PYSIRAL_ENVISAT = PysiralRule(
    lead=Threshold(definition=PYSIRAL, value=26.0), sigma0_db=25.0, leading_edge_m=0.82, ocean_sd=1.0
)


@dataclass(frozen=True, kw_only=True)
class EdgeAndBackscatter:
    """What pysiral's rule needs beside the peakiness, arrays of shape (n,), NaN where unknown.

    Attributes
    ----------
    sigma0 : numpy.ndarray
        Backscatter, dB, as the rule's processor calibrates it.
    leading_edge_width_m : numpy.ndarray
        Width of the leading edge, m: that of waveform_features times the width of a gate.
    sea_ice_concentration : numpy.ndarray
        Share.
    leading_edge_quality : numpy.ndarray, optional
        Without it no echo is called ice.
    peakiness_running_sd : numpy.ndarray, optional
        Without it no echo is called ocean.
    """

    sigma0: np.ndarray
    leading_edge_width_m: np.ndarray
    sea_ice_concentration: np.ndarray
    leading_edge_quality: np.ndarray | None = None
    peakiness_running_sd: np.ndarray | None = None


def pysiral(peakiness: Peakiness, echoes: EdgeAndBackscatter, *, rule: PysiralRule) -> Answer:
    """Return pysiral's classes of echoes of one radar mode.

    Parameters
    ----------
    peakiness : Peakiness
        By pysiral's definition, n echoes.
    echoes : EdgeAndBackscatter
        The rest.
    rule : PysiralRule
        :data:`PYSIRAL_SAR`, :data:`PYSIRAL_SARIN` or :data:`PYSIRAL_ENVISAT`.

    Returns
    -------
    Answer

    Raises
    ------
    DefinitionError
        If the peakiness is of another definition than the rule's.
    """
    is_lead = rule.lead.at_least(peakiness) & (np.asarray(echoes.sigma0) >= rule.sigma0_db)
    is_lead &= np.asarray(echoes.leading_edge_width_m) <= rule.leading_edge_m
    share = np.asarray(echoes.sea_ice_concentration, np.float64)
    out = np.full(len(peakiness), UNKNOWN, np.int8)
    if echoes.peakiness_running_sd is not None:
        out[(share < rule.concentration) & (np.asarray(echoes.peakiness_running_sd) < rule.ocean_sd)] = OCEAN
    if echoes.leading_edge_quality is not None:
        quality = np.asarray(echoes.leading_edge_quality)
        out[(share >= rule.concentration) & ~is_lead & (quality <= rule.leading_edge_quality)] = SEA_ICE
    out[(share >= rule.concentration) & is_lead] = LEAD
    words = f"pysiral: peakiness {rule.lead.value:g}, sigma0 {rule.sigma0_db:g} dB, edge {rule.leading_edge_m:g} m"
    return Answer(rule=words, classes=out)


def altika_maximum_power(max_power_db: np.ndarray, *, lead_db: float, ice_db: float | None = None) -> Answer:
    """Return classes of AltiKa echoes by their maximum power.

    Peakiness fails for AltiKa: echoes of leads saturate. No threshold is published in reach, so none is built in.

    Parameters
    ----------
    max_power_db : numpy.ndarray, shape (n,)
        10 log10(max(w)) + AGC, dB; NaN is unknown.
    lead_db : float
        Leads have at least this, dB.
    ice_db : float, optional
        Sea ice has less than this, dB; between the two an echo is unknown. Without it: ``lead_db``.

    Returns
    -------
    Answer
        Valid in pack ice, December to May.

    Raises
    ------
    UsageError
        If ``ice_db`` is above ``lead_db``, or a limit is not finite.
    """
    ice = lead_db if ice_db is None else ice_db
    if not (np.isfinite(lead_db) and np.isfinite(ice) and ice <= lead_db):
        raise UsageError(f"maximum power: leads from {lead_db:g} dB, ice below {ice:g} dB; expected ice_db <= lead_db.")
    power = np.asarray(max_power_db, np.float64)
    out = np.full(power.shape, UNKNOWN, np.int8)
    out[power < ice] = SEA_ICE
    out[power >= lead_db] = LEAD
    return Answer(rule=f"maximum power: leads from {lead_db:g} dB, ice below {ice:g} dB", classes=out)


ESA_LRM_OCEAN, ESA_OCEAN, ESA_SEA_ICE, ESA_LEAD = 2, 64, 128, 256
"""Bits of ``flag_surf_type_class_20_ku``; 32 is undefined, and files of LRM and SARIn have bits of their own."""


def esa_l2i(flags: np.ndarray) -> Answer:
    """Return the classes that ESA's flag of CryoSat-2 L2i stands for.

    Parameters
    ----------
    flags : numpy.ndarray of int, shape (n,)
        ``flag_surf_type_class_20_ku``; negative where missing.

    Returns
    -------
    Answer
        Unknown where no bit of ocean, sea ice or lead is set, or more than one.
    """
    stored = np.asarray(flags, np.int64)
    is_set = [(stored >= 0) & ((stored & bits) != 0) for bits in (ESA_OCEAN | ESA_LRM_OCEAN, ESA_SEA_ICE, ESA_LEAD)]
    out = np.full(stored.shape, UNKNOWN, np.int8)
    for one, value in zip(is_set, (OCEAN, SEA_ICE, LEAD), strict=True):
        out[one & (np.sum(is_set, axis=0) == 1)] = value
    return Answer(rule="ESA L2i flag", classes=out)

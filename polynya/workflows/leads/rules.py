"""The published rule beside a network, and the answer where there is none: which fits a mission and mode."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ...errors import UsageError
from ...physics import lead_rules, waveform_features
from ...physics.peakiness import CPOM, DEFINITIONS, ESA_L2I, PYSIRAL, ZAKHAROVA_128
from ...physics.waveform_features import Features
from ...readers import echo_files
from ...schema.echoes import SAR, SARIN, UNKNOWN, Echoes
from ...schema.lead_labels import HAS_CLASS, INPUT_MISSING, NO_NETWORK_OR_RULE, RULE_UNDECIDED
from . import config as settings
from .config import Config

PRODUCT_CLASSES = {
    "cryosat2_l2i": "ESA's flag of CryoSat-2 L2i (flag_surf_type_class_20_ku)",
    "sentinel3_sral": "Sentinel-3 flag surf_type_class_20_ku",
}
"""Class flags of products; each is the output of thresholds."""
NO_RULE = "none"
INPUTS = {
    "concentration": "the sea-ice concentration (--concentration GRID gives it)",
    "stack": "the standard deviation of the stack",
    "backscatter": "the backscatter",
    "power": "the maximum power (the gain control is missing)",
    "class": "the product's own class",
}
"""Inputs of rules that a file may lack, in words."""


@dataclass(frozen=True, kw_only=True)
class Ruled:
    """What a rule says of n echoes.

    Attributes
    ----------
    name : str
        The rule with its thresholds, ``none`` where none fits.
    classes : numpy.ndarray of int8, shape (n,)
    cause : numpy.ndarray of int8, shape (n,)
        Why an echo is unknown, of :data:`polynya.schema.lead_labels.UNKNOWN_CAUSES`.
    definition : str
        Of the peakiness.
    peakiness : numpy.ndarray, shape (n,)
    lacking : dict of str to numpy.ndarray of bool, shape (n,)
        Where each input of the rule (a key of :data:`INPUTS`) is missing.
    """

    name: str
    classes: np.ndarray
    cause: np.ndarray
    definition: str
    peakiness: np.ndarray
    lacking: dict[str, np.ndarray] = field(default_factory=dict)


def rule_for(echoes: Echoes, config: Config) -> str:
    """Return the name of the rule that fits a file, empty where none does.

    Parameters
    ----------
    echoes : Echoes
        Of the file.
    config : Config
        Settings.

    Raises
    ------
    UsageError
        If the rule that was asked for does not fit the product.
    """
    fits = {
        settings.CPOM: echoes.product == "cryosat2_l1b",
        settings.PYSIRAL: echoes.product in ("cryosat2_l1b", "sentinel3_sral"),
        settings.MAXIMUM_POWER: echoes.product == "altika_sgdr",
        settings.PRODUCT: echoes.product in PRODUCT_CLASSES and "product_class_flag" not in echoes.absent,
    }
    if config.rule != settings.AUTO:
        if not fits[config.rule]:
            known = ", ".join(n for n, fit in fits.items() if fit) or "none"
            raise UsageError(
                f"--rule {config.rule}: does not fit {echoes.source} ({echo_files.title(echoes.product)}); expected"
                f" {known}. Leave --rule out, or give another."
            )
        return config.rule
    if fits[settings.MAXIMUM_POWER]:
        return settings.MAXIMUM_POWER if config.lead_db is not None else ""
    return settings.CPOM if fits[settings.CPOM] else settings.PRODUCT if fits[settings.PRODUCT] else ""


def features_of(echoes: Echoes) -> Features | None:
    """Return the features of echoes, those of CPOM's window for SARIn; None for products without echoes."""
    if not echoes.gates:
        return None
    given, fill = echoes.waveform, echoes.fill
    if (echoes.mode == SARIN).any() and echoes.gates > 128:
        given = given.astype(np.float64)
        if fill is not None:
            given[echoes.waveform == fill] = np.nan
        given, fill = waveform_features.cropped(given), None
    gain, clipped = echoes.gain(), echoes.saturation
    return waveform_features.features(given, scale=echoes.scale, agc=gain, fill=fill, saturation=clipped)


def answer(name: str, echoes: Echoes, features: Features | None, config: Config, *, share: np.ndarray) -> Ruled:
    """Return what a rule says.

    Parameters
    ----------
    name : str
        Of :func:`rule_for`.
    echoes : Echoes
        n of them.
    features : Features or None
        Of :func:`features_of`.
    config : Config
        Settings.
    share : numpy.ndarray, shape (n,)
        Sea-ice concentration, 0 to 1, NaN where unknown.
    """
    if name == settings.PRODUCT:
        return _by_product(echoes, features)
    if features is None or not name:
        return _none(echoes, features)
    if name == settings.MAXIMUM_POWER:
        power = features["max_power_db"]
        found = lead_rules.altika_maximum_power(power, lead_db=float(config.lead_db or 0.0), ice_db=config.ice_db)
        return _ruled(found.rule, found.classes, features, ZAKHAROVA_128, lacking={"power": ~np.isfinite(power)})
    by = _by_cpom if name == settings.CPOM else _by_pysiral
    return by(echoes, features, share)


def _by_product(echoes: Echoes, features: Features | None) -> Ruled:
    """Return the product's own classes; its peakiness too, where it has no echoes."""
    given = echoes.surface_class.astype(np.int8)
    cause = np.where(given != UNKNOWN, HAS_CLASS, RULE_UNDECIDED).astype(np.int8)
    lacking = echoes.product_class_flag < 0
    cause[(given == UNKNOWN) & lacking] = INPUT_MISSING
    definition, peakiness = ESA_L2I, echoes.product_peakiness
    if features is not None:
        definition, peakiness = ZAKHAROVA_128, features["peakiness_zakharova_128"]
    name = PRODUCT_CLASSES.get(echoes.product, NO_RULE)
    return Ruled(
        name=name,
        classes=given,
        cause=cause,
        definition=definition,
        peakiness=peakiness,
        lacking={"class": lacking},
    )


def _none(echoes: Echoes, features: Features | None) -> Ruled:
    n = len(echoes)
    return Ruled(
        name=NO_RULE,
        classes=np.zeros(n, np.int8),
        cause=np.full(n, NO_NETWORK_OR_RULE, np.int8),
        definition=ZAKHAROVA_128,
        peakiness=np.full(n, np.nan) if features is None else features["peakiness_zakharova_128"],
    )


def _by_cpom(echoes: Echoes, features: Features, share: np.ndarray) -> Ruled:
    """Return CPOM's classes; LRM has none."""
    peakiness = features.peakiness(CPOM)
    options = {"stack_std": echoes.stack_std, "sea_ice_concentration": share}
    sar = lead_rules.cpom(peakiness, rule=lead_rules.CPOM_SAR, **options)
    sarin = lead_rules.cpom(peakiness, rule=lead_rules.CPOM_SARIN, **options)
    is_sarin, fits = echoes.mode == SARIN, np.isin(echoes.mode, (SAR, SARIN))
    classes = np.where(is_sarin, sarin.classes, sar.classes)
    classes = np.where(fits, classes, UNKNOWN)
    words = " / ".join(a.rule for a, m in ((sar, SAR), (sarin, SARIN)) if (echoes.mode == m).any())
    lacking = {"stack": ~np.isfinite(echoes.stack_std), "concentration": ~np.isfinite(share)}
    return _ruled(words or NO_RULE, classes, features, CPOM, lacking=lacking, fits=fits)


def _by_pysiral(echoes: Echoes, features: Features, share: np.ndarray) -> Ruled:
    """Return pysiral's classes of SAR and SARIn echoes: leads, and nothing else without the rest of its inputs."""
    peakiness = features.peakiness(PYSIRAL)
    rest = lead_rules.EdgeAndBackscatter(
        sigma0=echoes.sigma0,
        leading_edge_width_m=features["leading_edge_width"] * echoes.gate_width_m,
        sea_ice_concentration=share,
    )
    is_sarin, fits = echoes.mode == SARIN, np.isin(echoes.mode, (SAR, SARIN)) | (echoes.product == "sentinel3_sral")
    sar = lead_rules.pysiral(peakiness, rest, rule=lead_rules.PYSIRAL_SAR)
    sarin = lead_rules.pysiral(peakiness, rest, rule=lead_rules.PYSIRAL_SARIN)
    classes = np.where(fits, np.where(is_sarin, sarin.classes, sar.classes), UNKNOWN)
    lacking = {"backscatter": ~np.isfinite(echoes.sigma0), "concentration": ~np.isfinite(share)}
    words = sarin.rule if is_sarin.all() and is_sarin.size else sar.rule
    return _ruled(words, classes, features, PYSIRAL, lacking=lacking, fits=fits)


def _ruled(
    name: str,
    classes: np.ndarray,
    features: Features,
    definition: str,
    *,
    lacking: dict[str, np.ndarray],
    fits: np.ndarray | None = None,
) -> Ruled:
    lacks = np.logical_or.reduce(list(lacking.values()))
    cause = np.where(classes != UNKNOWN, HAS_CLASS, np.where(lacks, INPUT_MISSING, RULE_UNDECIDED)).astype(np.int8)
    if fits is not None:
        cause[~fits] = NO_NETWORK_OR_RULE
    return Ruled(
        name=name,
        classes=classes.astype(np.int8),
        cause=cause,
        definition=definition,
        peakiness=features.peakiness(definition).values,
        lacking=lacking,
    )


def definition_in_words(definition: str) -> str:
    """Return a definition of peakiness with its formula."""
    return f"{definition}: {DEFINITIONS[definition]}"

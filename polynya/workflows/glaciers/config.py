"""How a scene is mapped: the settings of ``polynya glaciers``, checked."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from ...errors import UsageError
from ...glaciers import outlines
from ...sensors.glaciers import TABLE
from ..options import validated
from . import by_image
from .mapper import RULE

DEFAULT = by_image.AUTO
RGI_REGIONS = tuple(f"{k:02d}" for k in range(1, 20))
DATE = re.compile(r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])(T\d\d:\d\d(:\d\d)?Z?)?")


class Config(BaseModel):
    """How a scene is mapped. Frozen; unknown keys are rejected.

    Attributes
    ----------
    network : tuple of str
        Shipped names or ``.onnx`` files; several are averaged. ``auto`` alone is the shipped network that fits the
        image (:mod:`polynya.workflows.glaciers.by_image`), ``rule`` alone the classical rule.
    region : str
        One of :data:`polynya.sensors.glaciers.REGIONS`, ``auto`` (what the scene says, else unknown), ``unknown``, or
        ``optimised`` (the mixture of regions with the least entropy of the network on this scene; needs torch).
    threshold : float or None
        Probability from which a pixel is glacier; None for the network's own.
    confident : float
        Confidence below which a pixel lies in the uncertainty band.
    min_area_km2 : float
        Smaller outlines are left out; so are smaller holes filled.
    turns : int
        1, or 8 for test-time augmentation: the mean of the rotated and mirrored predictions.
    draws : int
        Predictions with dropout on, for networks exported with it (Monte-Carlo dropout); 1 for none.
    between_blocks : float or None
        Between-block correlation of the errors in the area's interval; None for what the network states.
    divides : str
        ``none``, or ``dem`` to cut ice that no inventory names along the ice divides of the DEM.
    complexes : bool
        Also write glacier complexes, and the lines along which glaciers touch.
    rgi_region : str
        First-order region of the RGI, two digits, for ``outlines_oggm.gpkg`` where neither inventory nor region
        gives it.
    keep_flagged : bool
        Use misregistered sensors; by default they are left out.
    combine : bool
        The files are dates of one ground; they give one map.
    mask_clouds : bool
        Cloud is no data; by default it lowers the confidence.
    sensors : tuple of str
        Use these only; all that scene and network share by default.
    date : str
        When the images were taken, ISO 8601, UTC, where no file says.
    reference_date : str
        Date of the GLIMS analysis to take where a glacier of the inventory or the reference has several; by default
        the one nearest to the scene.
    runtime : str
        ``auto``, ``onnxruntime`` or ``openvino``.
    seed : int
        Of the intervals.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    network: tuple[str, ...] = (DEFAULT,)
    region: str = "auto"
    threshold: float | None = Field(None, gt=0, lt=1)
    confident: float = Field(outlines.CONFIDENT, gt=0, le=1)
    min_area_km2: float = Field(0.01, ge=0)
    turns: Literal[1, 8] = 1
    draws: int = Field(1, ge=1, le=100)
    between_blocks: float | None = Field(None, ge=0, le=1)
    divides: Literal["none", "dem"] = "none"
    complexes: bool = False
    rgi_region: str = ""
    keep_flagged: bool = False
    combine: bool = False
    mask_clouds: bool = False
    sensors: tuple[str, ...] = ()
    date: str = ""
    reference_date: str = ""
    runtime: Literal["auto", "onnxruntime", "openvino"] = "auto"
    seed: int = Field(0, ge=0)

    @classmethod
    def checked(cls, **values: object) -> Config:
        """Build a configuration, or raise :class:`UsageError` that names the option.

        Raises
        ------
        UsageError
            If a value does not exist or does not fit the others.
        """
        config = validated(cls, values, command="glaciers")
        _check_choices(config)
        if config.network == (RULE,):
            _check_rule(config)
        elif RULE in config.network:
            raise UsageError(
                "--network rule: cannot be averaged with networks; expected rule alone. Run it on its own."
            )
        elif by_image.AUTO in config.network and len(config.network) > 1:
            raise UsageError(
                "--network auto: cannot be averaged with others; expected it alone, or networks by name. Name them."
            )
        return config


def _check_choices(config: Config) -> None:
    """Reject a region, a sensor or a date that does not exist."""
    if config.region not in (*TABLE.regions, "auto", "unknown", "optimised"):
        raise UsageError(
            f"--region {config.region}: no such region; expected one of {', '.join(TABLE.regions)}, auto, unknown,"
            " optimised. Change it."
        )
    if config.rgi_region and config.rgi_region not in RGI_REGIONS:
        raise UsageError(
            f"--rgi-region {config.rgi_region}: is no first-order region of the RGI; expected two digits, 01 to 19."
            " Change it."
        )
    unknown = [s for s in config.sensors if s not in TABLE]
    if unknown:
        raise UsageError(
            f"--sensor {unknown[0]}: no such sensor; expected some of {', '.join(TABLE.names)}. Change it."
        )
    for option, text in (("--date", config.date), ("--reference-date", config.reference_date)):
        if text and not DATE.fullmatch(text):
            raise UsageError(f"{option} {text}: is no date; expected YYYY-MM-DD or YYYY-MM-DDThh:mm. Change it.")


def _check_rule(config: Config) -> None:
    """Reject settings that the classical rule has no use for."""
    if (config.turns, config.draws) != (1, 1):
        raise UsageError(
            "--network rule: makes no predictions to average; expected it without --tta and --mc-dropout. Leave them"
            " out."
        )
    if config.region in ("unknown", "optimised"):
        raise UsageError(
            f"--region {config.region}: is for networks with region encoding; the rule has none. Leave it out."
        )

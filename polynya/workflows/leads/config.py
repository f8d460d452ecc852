"""How leads are found along a track: the settings of ``polynya leads``, checked."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from ...errors import UsageError
from ..options import validated

RULE = "rule"
DEFAULT = "leads"
"""What answers by default: the shipped network, for the mission that it has learned; else a published rule."""
CPOM, PYSIRAL, MAXIMUM_POWER, PRODUCT, AUTO = "cpom", "pysiral", "maximum-power", "product", "auto"


class Config(BaseModel):
    """How leads are found. Frozen; unknown keys are rejected.

    Attributes
    ----------
    network : str or None
        A shipped name, an ``.onnx`` file, or ``rule``: no network. None: the shipped one, for missions that it has
        learned.
    rule : str
        The published rule beside, and where there is no network: ``cpom``, ``pysiral``, ``maximum-power``,
        ``product`` (the class that the product gives), or ``auto``.
    lead_db, ice_db : float or None
        Limits of the maximum power of AltiKa, dB: leads from the first, ice below the second. None is published, so
        there is no default.
    lead_probability, ice_probability : float
        From the first on an echo is a lead, up to the second sea ice; between them it is unknown.
    concentration : str or None
        Grid of sea-ice concentration, in place of the product's; its path is an input of the run.
    least_concentration : float
        Below it there is open ocean.
    runtime : str
        ``auto``, ``onnxruntime`` or ``openvino``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    network: str | None = None
    rule: Literal["auto", "cpom", "pysiral", "maximum-power", "product"] = "auto"
    lead_db: float | None = Field(None, allow_inf_nan=False)
    ice_db: float | None = Field(None, allow_inf_nan=False)
    lead_probability: float = Field(0.5, gt=0, le=1)
    ice_probability: float = Field(0.2, ge=0, lt=1)
    concentration: str | None = None
    least_concentration: float = Field(0.15, ge=0, lt=1)
    runtime: Literal["auto", "onnxruntime", "openvino"] = "auto"

    @classmethod
    def checked(cls, **values: object) -> Config:
        """Build a configuration, or raise :class:`UsageError` that names the option.

        Raises
        ------
        UsageError
            If a value does not exist or does not fit the others.
        """
        config = validated(cls, values, command="leads")
        if config.ice_probability >= config.lead_probability:
            raise UsageError(
                f"--ice-probability {config.ice_probability:g}, --lead-probability {config.lead_probability:g}:"
                " expected the first below the second. Change one."
            )
        if config.ice_db is not None and (config.lead_db is None or config.ice_db > config.lead_db):
            raise UsageError(
                f"--ice-db {config.ice_db:g}: goes with a --lead-db that is not below it; found"
                f" {'none' if config.lead_db is None else f'{config.lead_db:g}'}. Give --lead-db too."
            )
        if config.rule == MAXIMUM_POWER and config.lead_db is None:
            raise UsageError(
                "--rule maximum-power: needs --lead-db DB; expected the maximum power from which on echoes are leads:"
                " no threshold is published. Give one."
            )
        return config

    def settings(self) -> dict[str, object]:
        """Return what decides the answers; paths are inputs, networks have their hash."""
        return self.model_dump(mode="json", exclude={"runtime", "network", "concentration"})

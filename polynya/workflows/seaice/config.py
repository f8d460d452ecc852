"""How an image is mapped: the settings of ``polynya seaice``, checked."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from ..options import validated

DEFAULT = "seaice"
"""The shipped network that maps by default."""


class Config(BaseModel):
    """How an image is mapped. Frozen; unknown keys are rejected.

    Attributes
    ----------
    method : str
        ``network``; ``rule``: thresholds of brightness; ``auto``: the network, and the rule where none is named or
        shipped.
    network : str
        A shipped name or an ``.onnx`` file.
    roles : dict of str to str
        What classes of the network mean, beside the names that are known: water, thin, thick, pond or land.
    pixel_m : float or None
        Side of a pixel of pictures without a place on the map, m; unknown by default.
    thin_floes : bool
        Whether thin ice is part of floes.
    part_px : float
        Radius of the erosion that parts touching floes, pixels.
    least_px : int
        Smaller floes are left out, pixels.
    resolvable_px : float
        Mean caliper from which floes count in the size distribution, pixels.
    lead_px : int
        Largest width of a lead, pixels.
    runtime : str
        ``auto``, ``onnxruntime`` or ``openvino``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    method: Literal["auto", "network", "rule"] = "auto"
    network: str = DEFAULT
    roles: dict[str, Literal["water", "thin", "thick", "pond", "land"]] = Field(default_factory=dict)
    pixel_m: float | None = Field(None, gt=0, le=2000)
    thin_floes: bool = False
    part_px: float = Field(2.0, ge=0, le=20)
    least_px: int = Field(30, ge=4)
    resolvable_px: float = Field(10.0, ge=2)
    lead_px: int = Field(40, ge=4, le=200)
    runtime: Literal["auto", "onnxruntime", "openvino"] = "auto"

    @classmethod
    def checked(cls, **values: object) -> Config:
        """Build a configuration, or raise :class:`UsageError` that names the option.

        Raises
        ------
        UsageError
            If a value does not exist or does not fit.
        """
        return validated(cls, values, command="seaice")


def roles_of(pairs: list[str]) -> dict[str, str]:
    """Return ``CLASS=ROLE`` pairs of the command line.

    Raises
    ------
    UsageError
        If one is no pair.
    """
    from ...errors import UsageError

    out = {}
    for pair in pairs:
        name, sign, role = pair.partition("=")
        if not (name and sign and role):
            raise UsageError(
                f"--classes {pair}: expected CLASS=ROLE with a role of water, thin, thick, pond, land. Write it so."
            )
        out[name.strip()] = role.strip()
    return out

"""How a scene is mapped: the settings of ``polynya concentration``, checked."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from ...scenes import radar_grid
from ..options import validated

RULE = "rule"
DEFAULT = "concentration"
"""What maps by default: the rule, or a network of :mod:`polynya.weights`."""
NEAR_LAND_KM = {"file": 2.0, "shipped": 10.0}
"""Pixels nearer to land than this are flagged: with a file of the user's, and with the shipped coastline."""


class Config(BaseModel):
    """How a scene is mapped. Frozen; unknown keys are rejected.

    Attributes
    ----------
    network : str
        A shipped name, an ``.onnx`` file, or ``rule``: classes of backscatter that depend on the incidence angle.
    pixel_m : float
        Pixel size of the polar grid, 80 to 800 m. Networks have learned from pixels of 400 m.
    channels : tuple of str
        Use these only (HH, HV); all that the product has by default.
    near_land_km : float or None
        Pixels nearer to land are flagged; None for 2 km with a file of land, 10 km with the shipped coastline.
    is_denoised : bool
        Whether the thermal noise is subtracted.
    noise_scale : str
        ``none``, or ``s1a-ew``: factors of the annotated HV noise by sub-swath for S1A EW of IPF 2.4.
    edge, pack : float
        Concentrations of the ice edge and of the end of the marginal ice zone.
    sigrid3 : bool
        Whether an ice chart is drawn too; decides no number.
    runtime : str
        ``auto``, ``onnxruntime`` or ``openvino``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    network: str = DEFAULT
    pixel_m: float = Field(400.0, ge=radar_grid.SMALLEST_M, le=radar_grid.LARGEST_M)
    channels: tuple[Literal["HH", "HV"], ...] = ()
    near_land_km: float | None = Field(None, ge=0, le=50)
    is_denoised: bool = True
    noise_scale: Literal["none", "s1a-ew"] = "none"
    edge: float = Field(0.15, gt=0, lt=1)
    pack: float = Field(0.80, gt=0, lt=1)
    sigrid3: bool = False
    runtime: Literal["auto", "onnxruntime", "openvino"] = "auto"

    @classmethod
    def checked(cls, **values: object) -> Config:
        """Build a configuration, or raise :class:`UsageError` that names the option.

        Raises
        ------
        UsageError
            If a value does not exist or does not fit the others.
        """
        from ...errors import UsageError

        config = validated(cls, values, command="concentration")
        if config.edge >= config.pack:
            raise UsageError(
                f"--edge {config.edge:g}, --pack {config.pack:g}: expected the edge below the pack. Change one."
            )
        return config

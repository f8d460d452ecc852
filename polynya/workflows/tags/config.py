"""How imagettes are tagged: the settings of ``polynya tags``, checked."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from ..options import validated

DEFAULT = "tags"
"""The shipped network."""


class Config(BaseModel):
    """How imagettes are tagged. Frozen; unknown keys are rejected.

    Attributes
    ----------
    network : str or None
        A shipped name or an ``.onnx`` file. None: the shipped one.
    land_km : float
        An imagette whose middle is on land, or nearer to it, gets no tag; 0 asks nothing of the place.
    runtime : str
        ``auto``, ``onnxruntime`` or ``openvino``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    network: str | None = None
    land_km: float = Field(20.0, ge=0, le=500, allow_inf_nan=False)
    runtime: Literal["auto", "onnxruntime", "openvino"] = "auto"

    @classmethod
    def checked(cls, **values: object) -> Config:
        """Build a configuration, or raise :class:`UsageError` that names the option.

        Raises
        ------
        UsageError
            If a value does not exist or does not fit.
        """
        return validated(cls, values, command="tags")

    def settings(self) -> dict[str, object]:
        """Return what decides the answers; networks have their hash."""
        return self.model_dump(mode="json", exclude={"runtime", "network"})

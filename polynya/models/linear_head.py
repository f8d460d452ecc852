"""A linear layer on feature vectors that another network made: WV-Net's 2048 numbers, OceanSAR's, or any others."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

KIND = "vector"


class Config(BaseModel):
    """Settings of the network.

    Attributes
    ----------
    features : int
        Numbers in a vector.
    classes : int
        Logits.
    dropout : float
        On the vector.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    features: int = Field(default=2048, ge=1)
    classes: int = Field(default=10, ge=1)
    dropout: float = Field(default=0.0, ge=0.0, lt=1.0)


class LinearHead(nn.Module):
    """Scaled vectors (batch, features) to logits (batch, classes)."""

    def __init__(self, config: Config):
        super().__init__()
        self.dropout = nn.Dropout(config.dropout)
        self.head = nn.Linear(config.features, config.classes)

    def with_features(self, vectors: Tensor) -> tuple[Tensor, Tensor]:
        """Return the logits, and the vectors themselves."""
        return self.forward(vectors), vectors

    def forward(self, vectors: Tensor) -> Tensor:
        return self.head(self.dropout(vectors))  # (batch, classes)


def build(config: Config) -> LinearHead:
    """Return the network with weights drawn by torch's current seed."""
    return LinearHead(config)

"""Peakiness of an echo by its several definitions, and thresholds that carry theirs.

A threshold on peakiness means nothing without the definition of that peakiness: they differ by a factor of two to four,
and two of them depend on the number of gates. Comparing two that differ raises :class:`DefinitionError`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import UsageError

ZAKHAROVA_128, CPOM, PYSIRAL, DELFT_256, ESA_L2I = "zakharova_128", "cpom", "pysiral", "delft_256", "esa_l2i"
DEFINITIONS = {
    ZAKHAROVA_128: "128 max(w) / sum(w), whatever the number of gates",
    CPOM: "max(w) / mean of the gates above the noise, the noise being the mean of gates 10 to 19",
    PYSIRAL: "max(w) / sum(w) times the number of gates",
    DELFT_256: "max(w) / sum(w) times the number of gates / 256",
    ESA_L2I: "peakiness_20_ku of CryoSat-2 L2i",
}
"""Definitions of peakiness, by name; w is an echo. The first four are computed in waveform_features."""


class DefinitionError(UsageError, TypeError):
    """A threshold was compared with a peakiness of another definition, or with bare numbers."""


@dataclass(frozen=True, kw_only=True)
class Peakiness:
    """Peakiness of echoes, with its definition.

    Attributes
    ----------
    definition : str
        Of :data:`DEFINITIONS`.
    values : numpy.ndarray, shape (n,)
        NaN where it is not defined.
    """

    definition: str
    values: np.ndarray

    def __post_init__(self) -> None:
        _check_definition(self.definition)

    def __len__(self) -> int:
        return len(self.values)


@dataclass(frozen=True, kw_only=True)
class Threshold:
    """A threshold of peakiness, with its definition.

    Attributes
    ----------
    definition : str
        Of :data:`DEFINITIONS`.
    value : float
    """

    definition: str
    value: float

    def __post_init__(self) -> None:
        _check_definition(self.definition)

    def at_least(self, peakiness: Peakiness) -> np.ndarray:
        """Return where a peakiness reaches the threshold, bool, shape (n,); False where it is NaN.

        Raises
        ------
        DefinitionError
            If it is no :class:`Peakiness`, or one of another definition.
        """
        return self._values(peakiness) >= self.value

    def at_most(self, peakiness: Peakiness) -> np.ndarray:
        """Return where a peakiness does not exceed the threshold; as :meth:`at_least`."""
        return self._values(peakiness) <= self.value

    def _values(self, peakiness: Peakiness) -> np.ndarray:
        if not isinstance(peakiness, Peakiness):
            raise DefinitionError(
                f"threshold {self.value:g} of {self.definition} peakiness: compared with {type(peakiness).__name__};"
                " expected a Peakiness, which names its definition. Wrap the numbers with the definition they have."
            )
        if peakiness.definition != self.definition:
            raise DefinitionError(
                f"threshold {self.value:g} of {self.definition} peakiness ({DEFINITIONS[self.definition]}): compared"
                f" with {peakiness.definition} peakiness; expected the same definition. Compute that one."
            )
        return np.asarray(peakiness.values, np.float64)


def _check_definition(name: str) -> None:
    if name not in DEFINITIONS:
        raise DefinitionError(
            f"peakiness {name!r}: is no definition; expected one of {', '.join(DEFINITIONS)}. Name one of them."
        )

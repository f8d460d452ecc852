"""Whether a network answers for a file, and which one."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import ProductError, UsageError
from ...predict import echoes as predict_echoes
from ...predict import runtime as predict_runtime
from ...readers import echo_files
from ...schema.echoes import MODE_NAMES, Echoes
from .config import DEFAULT, RULE, Config


@dataclass(frozen=True, kw_only=True)
class Used:
    """A network that answers.

    Attributes
    ----------
    network : polynya.predict.runtime.Network
        Ready to run.
    name, sha256 : str
    about : dict
        What run.json says of it.
    missions, modes : tuple of str
        That it has learned, of :data:`polynya.schema.echoes.MODE_NAMES`.
    stride : int
        Echoes from one of its windows to the next.
    is_asked_for : bool
        Whether the user named it: then it answers for every mission.
    is_simulated : bool
        Whether it has learned simulated echoes.
    threshold_m : float
        It was taught that a lead is nearer to nadir than this.
    """

    network: Any
    name: str
    sha256: str
    about: dict[str, object] = field(default_factory=dict)
    missions: tuple[str, ...] = ()
    modes: tuple[str, ...] = ()
    stride: int = 1
    is_asked_for: bool = False
    is_simulated: bool = False
    threshold_m: float = float("nan")

    @property
    def needs_gain(self) -> bool:
        """Whether the gain control is in its inputs, as itself or in the power: these count from a level."""
        return bool({"agc", "max_power_db"} & set(self.network.description.features))

    def is_learned(self, mission: str) -> bool:
        """Return whether it has learned echoes of a mission."""
        return mission in self.missions

    def is_foreign(self, echoes: Echoes) -> np.ndarray:
        """Return which echoes are of a mission or mode that it has not learned, bool, shape (n,)."""
        modes = [value for value, name in MODE_NAMES.items() if name in self.modes]
        return np.full(len(echoes), not self.is_learned(echoes.mission)) | ~np.isin(echoes.mode, modes)


def load(config: Config) -> Used | None:
    """Return the network that a configuration asks for, or the shipped one; None where there is none.

    Parameters
    ----------
    config : Config
        Settings.

    Raises
    ------
    UsageError
        If there is no such name or runtime.
    ProductError
        If the file is missing, or no network of echoes.
    """
    if config.network == RULE or (config.network is None and not predict_runtime.is_shipped(DEFAULT)):
        return None
    found = _loaded(config.network or DEFAULT, runtime=config.runtime)
    about = {"file": found.path.name, "sha256": found.sha256, "name": found.name, "runtime": found.runtime}
    d = found.description
    return Used(
        network=found,
        name=found.name,
        sha256=found.sha256,
        about=about,
        missions=d.missions,
        modes=d.modes,
        stride=d.window - 2 * d.margin,
        is_asked_for=config.network is not None,
        is_simulated=d.is_simulated,
        threshold_m=d.threshold_m,
    )


def _loaded(name: str, *, runtime: str) -> Any:
    try:
        return predict_echoes.load(name, runtime=runtime)
    except UsageError as error:
        if name.endswith(".onnx") and not Path(name).exists():
            raise ProductError(f"--network {name}: no such file; expected an .onnx file. Check the path.") from error
        raise


def for_file(used: Used | None, echoes: Echoes) -> Used | None:
    """Return the network where it answers for a file: one that was asked for, or the shipped one for what it learned.

    Parameters
    ----------
    used : Used or None
        Of :func:`load`.
    echoes : Echoes
        Of the file.

    Raises
    ------
    UsageError
        If a network was asked for and the product has no echoes.
    """
    if used is None or not (used.is_asked_for or used.is_learned(echoes.mission)):
        return None
    if not echoes.gates:
        if used.is_asked_for:
            raise UsageError(
                f"--network {used.name}: {echoes.source} ({echo_files.title(echoes.product)}) has no echoes"
                " that a network could take; expected a file with waveforms. Leave --network out for its class flag."
            )
        return None
    return used

"""Whether a network answers for a file, and which one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ...errors import ProductError, UsageError
from ...predict import runtime as predict_runtime
from ...schema.echoes import Echoes
from .config import DEFAULT, LEARNED_MISSIONS, RULE, Config


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
    is_asked_for : bool
        Whether the user named it: then it answers for every mission.
    is_simulated : bool
        Whether it has learned simulated echoes alone, as far as it says so.
    """

    network: Any
    name: str
    sha256: str
    about: dict[str, object] = field(default_factory=dict)
    is_asked_for: bool = False
    is_simulated: bool = True


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
    path = _located(config.network or DEFAULT)
    found = predict_runtime.load(path, runtime=config.runtime)
    family = getattr(found.description, "family", "")
    if family != "echoes":
        raise ProductError(
            f"--network {found.path.name}: is a network of the family {family or 'unknown'}; expected one of echoes."
            " Give one trained by polynya train on labelled echoes."
        )
    is_shipped = found.path.parent == predict_runtime.WEIGHTS.resolve()
    about = {"file": found.path.name, "sha256": found.sha256, "name": found.name, "runtime": found.runtime}
    return Used(
        network=found,
        name=found.name,
        sha256=found.sha256,
        about=about,
        is_asked_for=config.network is not None,
        is_simulated=is_shipped,
    )


def _located(name: str) -> str:
    try:
        return str(predict_runtime.locate(name).resolve())
    except UsageError as error:
        if name.endswith(".onnx"):
            raise ProductError(f"--network {name}: no such file; expected an .onnx file. Check the path.") from error
        raise UsageError(
            f"--network {name}: no such network; expected {RULE}, {DEFAULT} or an .onnx file. Check the name or the"
            " path."
        ) from error


def for_file(used: Used | None, echoes: Echoes) -> Used | None:
    """Return the network where it answers for a file: one that was asked for, or the shipped one for its missions.

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
    if used is None or (not used.is_asked_for and not is_learned(echoes)):
        return None
    if not echoes.gates:
        if used.is_asked_for:
            raise UsageError(
                f"--network {used.name}: {echoes.source} ({echoes.product}) has no echoes that a network could take;"
                " expected a file with waveforms. Leave --network out for its class flag."
            )
        return None
    return used


def is_learned(echoes: Echoes) -> bool:
    """Return whether the shipped network has learned echoes of a mission."""
    return echoes.mission in LEARNED_MISSIONS

"""Which network tags, and what it has learned."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from ...errors import ProductError, UsageError
from ...families.images import Description
from ...predict import images as predict_images
from ...predict import runtime as predict_runtime
from .config import DEFAULT, Config


@dataclass(frozen=True, kw_only=True)
class Used:
    """A network that tags.

    Attributes
    ----------
    network : polynya.predict.runtime.Network
        Ready to run.
    description : Description
        Of the network.
    about : dict
        What run.json says of it.
    """

    network: predict_runtime.Network
    description: Description
    about: dict[str, object] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """A shipped name, or the file's."""
        return self.network.name

    @property
    def sha256(self) -> str:
        """Of its file: weights and settings."""
        return self.network.sha256


def load(config: Config, *, threads: int = 1) -> Used:
    """Return the network that a configuration asks for, or the shipped one.

    Parameters
    ----------
    config : Config
        Settings.
    threads : int
        How many threads will call it at once.

    Raises
    ------
    UsageError
        If there is no such name or runtime, or no network is shipped.
    ProductError
        If the file is missing, or no network of pictures of imagettes.
    """
    name = config.network or DEFAULT
    if config.network is None and not predict_runtime.is_shipped(DEFAULT):
        raise UsageError(
            f"--network: is missing, and no network {DEFAULT} comes with this installation; expected an .onnx file of"
            " polynya train. Train one: polynya simulate wv, then polynya train tags."
        )
    if name.endswith(".onnx") and not Path(name).exists():
        raise ProductError(f"--network {name}: no such file; expected an .onnx file. Check the path.")
    found = predict_images.load(name, runtime=config.runtime, threads=threads)
    description = predict_images.described(found)
    if description.kind != "pictures":
        raise ProductError(
            f"--network {name}: takes feature vectors of another network; expected one of pictures. Choose another."
        )
    about: dict[str, object] = {n: getattr(found, n) for n in ("sha256", "name", "runtime")}
    about |= {"file": found.path.name, "weights_sha256": description.weights_sha256}
    about |= {"is_simulated": description.is_simulated}
    return Used(network=found, description=description, about=about)

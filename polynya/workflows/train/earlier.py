"""Networks trained earlier that a training builds on: the one whose weights it starts from, the one that teaches it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ...description import Description
from ...errors import UsageError
from ...predict import runtime
from ...targets import OneOf

_SAME_INPUTS = ("family", "kind", "features", "mean", "std", "scaling", "limit", "location_kind", "regions", "predicts")
"""What a teacher must share: it sees the inputs as they were scaled for its pupil."""


def start_from(path: Path, model: Any, description: Description) -> dict[str, Any]:
    """Load another network's weights into the model; return what they are.

    Parameters
    ----------
    path : Path
        ``NAME.safetensors``; or another file, if the architecture has ``load_weights``.
    model : torch.nn.Module
        Gets the weights.
    description : Description
        Of the model.

    Raises
    ------
    UsageError
        If the shapes differ.
    ProductError
        If the file is damaged.
    """
    from ... import checkpoint, models

    architecture = models.named(str(description.model["name"]))
    if hasattr(architecture, "load_weights") and not _is_ours(path):
        kept = architecture.load_weights(model, path)
        return {"file": path.name, "weights_sha256": runtime.sha256(path), "drawn_anew": list(kept)}
    other, start = checkpoint.load(path)
    theirs, ours = other.state_dict(), model.state_dict()
    if {k: v.shape for k, v in theirs.items()} != {k: v.shape for k, v in ours.items()}:
        raise UsageError(
            f"--start-from {path.name}: is a {start.model['name']} of another shape; expected the recipe's"
            f" {description.model['name']} with the same settings. Give another network, or the recipe it was"
            " trained with."
        )
    model.load_state_dict(theirs)
    ground = [*start.data.get("ground", []), *(start.start_from or {}).get("ground", [])]
    about = {"file": path.name, "weights_sha256": start.weights_sha256}
    return {**about, **({"ground": ground} if ground else {})}


def _is_ours(path: Path) -> bool:
    """Return whether a file is a network that polynya wrote."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "pt") as file:
            return "polynya" in (file.metadata() or {})
    except (SafetensorError, OSError):
        return False


def teacher(path: Path, description: Description) -> tuple[Any, dict[str, Any]]:
    """Load the network that teaches; return it and what it is.

    Parameters
    ----------
    path : Path
        ``NAME.safetensors``.
    description : Description
        Of the network that learns.

    Raises
    ------
    UsageError
        If the two do not see the same inputs, or do not predict the same classes.
    ProductError
        If the file is damaged.
    """
    from ... import checkpoint

    if not isinstance(description.predicts, OneOf):
        raise UsageError(
            f"--teacher {path.name}: distillation is for one class of several; found a recipe that predicts"
            f" {description.predicts.kind}. Leave it out."
        )
    network, theirs = checkpoint.load(path)
    ours = description.model_dump(mode="json", include=set(_SAME_INPUTS))
    for name, value in theirs.model_dump(mode="json", include=set(_SAME_INPUTS)).items():
        if value != ours.get(name):
            raise UsageError(
                f"--teacher {path.name}: its {name} is another; expected {str(ours.get(name))[:80]}, found"
                f" {str(value)[:80]}. Train the teacher with the same inputs, data, split and classes."
            )
    return network, {"file": path.name, "weights_sha256": theirs.weights_sha256}

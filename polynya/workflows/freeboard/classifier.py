"""Which classifier a freeboard run uses: a network by name or file, or the rule."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ...errors import UsageError
from ...predict import runtime as predict_runtime
from ...predict import tracks as predict_tracks

RULE = "rule"
RULE_TEXT = "rule (polynya.physics.surface_type)"
DEFAULT = "track-unet"
"""The shipped network that classifies where nothing else is asked for."""
RESOLUTION = "2"
"""What networks are trained on."""
LISTS = ("tables", "granule_parts")
"""Of a network's training data: a row per granule. They stand in the network's file, which run.json names by hash."""


@dataclass(frozen=True, kw_only=True)
class SelectedClassifier:
    """A classifier that was selected, not loaded yet.

    Attributes
    ----------
    path : Path or None
        The network's ONNX file; None for the rule.
    key : str
        What decides its numbers: the file's SHA-256, or ``rule``.
    message : str or None
        What a user should know about the choice.
    """

    path: Path | None
    key: str
    message: str | None = None


def select(name: str | None, *, resolution: str) -> SelectedClassifier:
    """Choose a classifier.

    Parameters
    ----------
    name : str or None
        ``rule``, a shipped name or an ``.onnx`` file; None for the default, which is the shipped network, and the rule
        where segments are not those it was trained on.
    resolution : str
        Of the segments.

    Returns
    -------
    SelectedClassifier

    Raises
    ------
    UsageError
        If there is no such network, or it was asked for at another resolution.
    """
    if name == RULE:
        return SelectedClassifier(path=None, key=RULE)
    if name is None:
        if not predict_runtime.is_shipped(DEFAULT):
            return SelectedClassifier(
                path=None,
                key=RULE,
                message=f"Classes are the rule's: the network {DEFAULT} is not in this installation.",
            )
        if resolution != RESOLUTION:
            return SelectedClassifier(
                path=None,
                key=RULE,
                message=f"Classes are the rule's: the network {DEFAULT} was trained on 2 m segments only, not on"
                f" {resolution.removesuffix('ph')} {'photons' if resolution.endswith('ph') else 'm'}.",
            )
        name = DEFAULT
    elif resolution != RESOLUTION:
        raise UsageError(
            f"--classifier {name}: networks are trained on 2 m segments; found --resolution {resolution}. Use"
            " --resolution 2, or --classifier rule."
        )
    path = predict_runtime.locate(name)
    return SelectedClassifier(path=path, key=predict_runtime.sha256(path))


def describe(classifier: predict_tracks.Classifier | None) -> tuple[str, dict[str, object] | None]:
    """Return what run.json says of a classifier: a line, and for a network its particulars."""
    if classifier is None:
        return RULE_TEXT, None
    d, about = classifier.description, classifier.about
    line = (
        f"network {d.name} ({classifier.path.name}, sha256 {classifier.sha256[:12]}, {_calibration(classifier)},"
        f" {classifier.runtime})"
    )
    keep = {k: about[k] for k in ("polynya", "seed", "weights_sha256", "calibration", "decision_weights") if k in about}
    if isinstance(about.get("data"), dict):
        keep["data"] = {k: v for k, v in about["data"].items() if k not in LISTS}
    return line, {
        "name": d.name,
        "file": classifier.path.name,
        "sha256": classifier.sha256,
        "kind": d.kind,
        "features": list(d.features),
        "temperature": d.temperature,
        "runtime": classifier.runtime,
        **keep,
    }


def _calibration(classifier: predict_tracks.Classifier) -> str:
    calibration = classifier.about.get("calibration")
    method = (
        calibration.get("method", "none")
        if isinstance(calibration, dict)
        else "temperature"
        if classifier.description.temperature != 1.0
        else "none"
    )
    return {
        "none": "uncalibrated",
        "temperature": f"calibrated, temperature {classifier.description.temperature:.3g}",
    }.get(method, f"calibrated by {method} scaling")

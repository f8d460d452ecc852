"""What decides the map of a scene: settings, networks, and the content of every file that is read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ... import io
from ...predict import runtime as predict_runtime
from ...scenes import scene as glacier_scene
from . import by_image, mapper

if TYPE_CHECKING:
    from . import Config

RESULTS_VERSION = 3
"""Raised only when the same inputs and settings give another map."""


def result_key(
    paths: Sequence[Path | str],
    scene: glacier_scene.Scene,
    config: Config,
    *,
    inventory: Path | str | None = None,
    reference: Path | str | None = None,
    others: Sequence[glacier_scene.Scene] = (),
) -> io.Key:
    """Return everything that decides a result.

    Parameters
    ----------
    paths : sequence of Path or str
        As given; of folders every file counts, of a VRT its sources.
    scene : Scene
        What they were opened as: files that they refer to count, too.
    config : Config
        Settings.
    inventory, reference : Path or str, optional
        Files of outlines, or a truth raster.
    others : sequence of Scene
        Further dates of it.
    """
    inputs: dict[str, Path] = {}
    roles = []
    for number, entry in enumerate(paths, start=1):
        sensor, orbit, path = glacier_scene.split_role(entry)
        roles.append([sensor, orbit])
        inputs["scene" if len(paths) == 1 else f"file {number} of the scene"] = path
    folders = [p.resolve() for p in inputs.values()]
    for path in sorted({p for s in (scene, *others) for p in _layer_files(s)}):
        if not any(path == f or f in path.parents for f in folders):
            same = sum(r.startswith(f"{path.name} of the scene") for r in inputs)  # in another folder
            inputs[f"{path.name} of the scene{f' ({same + 1})' if same else ''}"] = path
    if inventory is not None:
        inputs["inventory"] = Path(inventory)
    if reference is not None:
        inputs["reference"] = Path(reference)
    return io.Key(
        workflow="glaciers",
        version=RESULTS_VERSION,
        settings={**config.model_dump(mode="json", exclude={"network"}), "scene": scene.name, "roles": roles},
        inputs=inputs,
        networks=_networks(config),
    )


def _layer_files(scene: glacier_scene.Scene) -> list[Path]:
    """Return the files in which the bands of a scene lie."""
    layers = [layer for s in scene.sources for layer in (*s.bands, s.cloud) if layer is not None]
    return sorted({Path(layer.path).resolve() for layer in layers})


def _networks(config: Config) -> dict[str, str]:
    """Return the hash of every network's file, in order; none for the rule."""
    if config.network == (mapper.RULE,):
        return {}
    paths = [mapper.located(n) for n in by_image.candidates(config.network)]
    files = [mapper.with_dropout(p) if config.draws > 1 else p for p in paths]
    return {f"network {k}": predict_runtime.sha256(p) for k, p in enumerate(files, start=1)}

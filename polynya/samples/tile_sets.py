"""Tiles with labels, opened: sets in HDF5, or images of sea ice with their classes beside them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..errors import UsageError
from ..readers import glacier_tiles
from ..sensors import SensorTable
from . import image_tiles


def open_all(
    paths: Sequence[Path | str], *, target: str, classes: tuple[str, ...], table: SensorTable, recipe: str, option: str
) -> list[Any]:
    """Open tile sets, or for a target of sea ice images with their classes.

    Parameters
    ----------
    paths : sequence of Path or str
        Files, or folders that are searched.
    target : str
        Dataset that holds the labels.
    classes : tuple of str
        Names of the classes.
    table : SensorTable
        That the sensors are of.
    recipe, option : str
        Name of the recipe and option that names the paths, for errors.

    Returns
    -------
    list of tiles
        See :class:`polynya.samples.scene_windows.Tile`.

    Raises
    ------
    UsageError
        If nothing is found, or the classes do not fit the images.
    ProductError
        If a file is damaged.
    """
    if target != image_tiles.TARGET:
        return [
            t for file in _files(paths, option) for t in glacier_tiles.open_tiles(file, sensors=table, target=target)
        ]
    if classes != image_tiles.CLASSES:
        raise UsageError(
            f"recipe {recipe}: classes are {list(classes)}; expected {list(image_tiles.CLASSES)} for the target"
            f" {target}. Fix the recipe."
        )
    out: list[Any] = []
    for path in map(Path, paths):
        found = image_tiles.open_images(path) if path.is_dir() else []
        if not found:
            raise UsageError(
                f"{option} {path}: no image with its classes there; expected a folder with NAME{image_tiles.IMAGE} and"
                f" NAME{image_tiles.TRUTH}. polynya simulate pair writes such files."
            )
        out += found
    return out


def _files(paths: Sequence[Path | str], option: str) -> list[Path]:
    """Return the tile sets that paths name, folders searched.

    Raises
    ------
    UsageError
        If there is none.
    """
    out: list[Path] = []
    for given in paths:
        path = Path(given)
        found = sorted(p for p in path.rglob("*") if p.suffix in (".h5", ".hdf5")) if path.is_dir() else [path]
        if not found or not found[0].is_file():
            raise UsageError(
                f"{option} {path}: no tile set there; expected an HDF5 file of tiles, or a folder of them. polynya"
                " tiles makes them."
            )
        out += found
    return out

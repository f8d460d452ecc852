"""The scene of a map, or every date of one, opened, with what maps it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...scenes import resolution
from ...scenes import scene as glacier_scene
from ...scenes.scene import Scene
from ...sensors.glaciers import TABLE
from . import by_image, combined
from . import mapper as glacier_mapper
from .config import Config
from .mapper import RULE, Mapper, Passes


@dataclass(frozen=True, kw_only=True)
class Opened:
    """A scene, or one date of several, with what maps it.

    Attributes
    ----------
    paths : list of Path or str
    own : Scene
        As its files have it.
    scene : Scene
        On pixels that its mapper takes.
    mapper : Mapper
    lines : tuple of str
        What was chosen and done to the grid, in words.
    is_coarser : bool
        Whether its own pixels are larger than any that the network learnt.
    """

    paths: list[Path | str]
    own: Scene
    scene: Scene
    mapper: Mapper
    lines: tuple[str, ...]
    is_coarser: bool


def open_all(files: Sequence[Path | str], config: Config, *, threads: int) -> list[Opened]:
    """Open the scene, or with ``combine`` every date, with what maps it.

    Parameters
    ----------
    files : sequence of Path or str
        As given.
    config : Config
        Settings.
    threads : int
        Windows at a time.

    Raises
    ------
    ProductError, UsageError
        As :func:`open_scene`, and where a network does not fit.
    """
    out, mappers = [], {}
    for paths in combined.split(files) if config.combine else [list(files)]:
        own, why = open_scene(paths, config), ""
        if config.network == (RULE,):
            mapper = glacier_mapper.rule()
        else:
            passes = Passes(turns=config.turns, draws=config.draws, runtime=config.runtime, threads=threads)
            names, why = by_image.chosen(own, config.network)
            if tuple(names) not in mappers:
                mappers[tuple(names)] = glacier_mapper.networks(names, region=config.region, passes=passes)
            mapper = mappers[tuple(names)]
        fit = None if mapper.pixel_m is None else resolution.fitted(own, name=mapper.name, learnt_m=mapper.pixel_m)
        out.append(
            Opened(
                paths=list(paths),
                own=own,
                scene=own if fit is None else fit.scene,
                mapper=mapper,
                lines=tuple(t for t in (why, "" if fit is None else fit.text) if t),
                is_coarser=fit is not None and fit.is_coarser,
            )
        )
    return out


def open_scene(paths: Sequence[Path | str], config: Config) -> Scene:
    """Open the files of one scene with the region and the date that the settings give.

    Parameters
    ----------
    paths : sequence of Path or str
        As :func:`polynya.scenes.scene.open_scene` takes them.
    config : Config
        Settings.

    Raises
    ------
    ProductError, UsageError
        As :func:`polynya.scenes.scene.open_scene`.
    """
    scene = glacier_scene.open_scene(paths, region=config.region if config.region in TABLE.regions else None)
    if config.date and not scene.is_time_known:
        scene = glacier_scene.with_time(scene, np.datetime64(config.date.rstrip("Z"), "ns"))
    return scene

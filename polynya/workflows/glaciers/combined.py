"""Several dates of one ground to one map (``polynya glaciers --combine``).

Each date is mapped by itself into a scratch file; then one mapper reads the files of all dates strip by strip on the
grid of the main date and merges them (:mod:`polynya.glaciers.dates`). From there on the map is one like any other.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rasterio.errors import RasterioError
from rasterio.windows import Window

from ...errors import OutputError, ProductError, UsageError, one_line
from ...glaciers import dates
from ...io import rasters
from ...readers.scene_layer import Layer
from ...scenes import align
from ...scenes import quality as scene_quality
from ...scenes import scene as glacier_scene
from ...scenes.scene import Scene, only_sensors
from . import clouded
from . import mapper as glacier_mapper
from .config import Config
from .mapper import RULE, Mapper
from .strips import Strip

VALUES = ("probability", "snow", "cloud")
"""Bands of the scratch file of a date."""
SNOW = 0.4
"""NDSI from which ground is snow or ice (Hall et al. 1995, doi:10.1016/0034-4257(95)00137-P)."""
PIXELS = 4_000_000
"""Of all dates together that are merged at once."""
BANDS = ("green", "swir1")


@dataclass(frozen=True, kw_only=True)
class DateMap:
    """The map of one date in a scratch file.

    Attributes
    ----------
    scene : Scene
    mapper : Mapper
    used : tuple of str
        Sensors.
    path : Path
        Bands :data:`VALUES`.
    clear_share : float
        Of the scene's pixels: with a probability, without cloud.
    snow_share : float
        Of the clear pixels with an NDSI: above :data:`SNOW`, glacier or not; NaN where it is not known.
    notes : tuple of str
    """

    scene: Scene
    mapper: Mapper
    used: tuple[str, ...]
    path: Path
    clear_share: float
    snow_share: float
    notes: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Combined:
    """Several dates as one scene and one mapper.

    Attributes
    ----------
    scene : Scene
        The main date: the clearest one, with the least snow. Its grid, picture, DEM and date are those of the map.
    mapper : Mapper
        That merges the maps of the dates.
    maps : tuple of DateMap
        In the order of time; dates without one last.
    main : int
        Place of the main date in ``maps``.
    weight : numpy.ndarray, shape (dates,)
        Sum of the weights of each date's pixels; filled while the map is written.
    """

    scene: Scene
    mapper: Mapper
    maps: tuple[DateMap, ...]
    main: int
    weight: np.ndarray

    def as_json(self) -> dict[str, object]:
        """Return the dates for run.json."""
        total = self.weight.sum()
        return {
            "rule": dates.RULE,
            "scenes": [
                {
                    "scene": m.scene.name,
                    "time": None if m.scene.time is None else str(m.scene.time),
                    "weight": float(w / total) if total > 0 else None,
                    "clear_share": m.clear_share,
                    "snow_share": m.snow_share,
                    "sensors": list(m.used),
                    "is_main": k == self.main,
                }
                for k, (m, w) in enumerate(zip(self.maps, self.weight, strict=True))
            ],
        }

    def facts(self) -> dict[str, object]:
        """Return the dates in words, for the page."""
        total = max(float(self.weight.sum()), 1e-30)
        out: dict[str, object] = {"dates combined": f"{len(self.maps)}; {dates.RULE}"}
        for k, (m, w) in enumerate(zip(self.maps, self.weight, strict=True)):
            when = "time unknown" if m.scene.time is None else np.datetime_as_string(m.scene.time, unit="D")
            snow = "" if np.isnan(m.snow_share) else f", {m.snow_share:.0%} of it snow or ice by NDSI"
            main = "; main date: picture, grid, DEM, ice classes" if k == self.main else ""
            out[f"date {k + 1}"] = (
                f"{when} ({m.scene.name}): weight {w / total:.0%}, {m.clear_share:.0%} clear{snow}{main}"
            )
        return out


def split(paths: Sequence[Path | str]) -> list[list[Path | str]]:
    """Return the files of each date: one path a date, and to each what is given with a role (``dem=FILE``).

    Parameters
    ----------
    paths : sequence of Path or str
        Of the command line.

    Raises
    ------
    UsageError
        If there are fewer than two dates.
    """
    shared = [p for p in paths if glacier_scene.split_role(p)[0] is not None]
    each = [p for p in paths if glacier_scene.split_role(p)[0] is None]
    if len(each) < 2:
        raise UsageError(
            f"--combine: found {len(each)} date; expected two or more, one SCENE a date (files with a role, such as"
            " dem=FILE, go to every date). Give more dates, or leave --combine out."
        )
    return [[p, *shared] for p in each]


def name_of(scenes: Sequence[Scene]) -> str:
    """Return the name of a map of several dates.

    Parameters
    ----------
    scenes : sequence of Scene
        As given.
    """
    return f"{scenes[0].name} and {len(scenes) - 1} more date{'s' if len(scenes) > 2 else ''}"


def combine(
    opened: Sequence[tuple[Scene, Mapper]], *, config: Config, scratch: Path, advance: Callable[[int], None]
) -> Combined:
    """Map every date, and return them as one scene and one mapper.

    Parameters
    ----------
    opened : sequence of (Scene, Mapper)
        Each date with what maps it, on pixels that it takes.
    config : Config
        Settings.
    scratch : Path
        Folder for the maps of the dates; it must stay until the map is written.
    advance : callable
        Called with pixels done.

    Raises
    ------
    ProductError
        If two dates show different places, or a date shows nothing.
    OutputError
        If there is no room.
    """
    _same_ground([s for s, _ in opened])
    maps = [
        _map(scene, mapper, config=config, path=scratch / f"date{k}.tif", advance=advance)
        for k, (scene, mapper) in enumerate(opened, 1)
    ]
    maps.sort(key=lambda m: (m.scene.time is None, m.scene.time or np.datetime64(0, "ns")))
    main = max(range(len(maps)), key=lambda k: maps[k].clear_share * (1.0 - np.nan_to_num(maps[k].snow_share)))
    weight = np.zeros(len(maps))
    key = maps[main]
    mappers = [m.mapper for m in maps]
    threshold = float(np.mean([m.threshold for m in mappers]))
    mapper = dataclasses.replace(
        key.mapper,
        name=" + ".join(dict.fromkeys(m.name for m in mappers)),
        between_blocks=max(m.between_blocks for m in mappers),
        block_sd=max(m.block_sd for m in mappers),
        has_area_errors=all(m.has_area_errors for m in mappers),
        threshold=threshold,
        strips=_merging(maps, weight, config=config, threshold=config.threshold or threshold),
    )
    scene = dataclasses.replace(key.scene, name=name_of([s for s, _ in opened]))
    return Combined(scene=scene, mapper=mapper, maps=tuple(maps), main=main, weight=weight)


def _same_ground(scenes: Sequence[Scene]) -> None:
    first = scenes[0].geobox.extent
    for other in scenes[1:]:
        if not first.geom.intersects(other.geobox.extent.to_crs(first.crs).geom):
            raise ProductError(
                f"{other.name}: shares no ground with {scenes[0].name}; expected dates of one place. Leave it out."
            )


def _map(scene: Scene, mapper: Mapper, *, config: Config, path: Path, advance: Callable[[int], None]) -> DateMap:
    quality = scene_quality.check(scene)
    used, notes = glacier_mapper.choose(scene, mapper, quality, wanted=config.sensors, keep_flagged=config.keep_flagged)
    vector, _ = mapper.place(scene, used)
    counts = np.zeros(4, np.int64)  # all, clear, of these with NDSI, of these snow
    try:
        with rasters.create(path, geobox=scene.geobox, dtype="float32", nodata=np.nan, bands=len(VALUES)) as file:
            for strip in mapper.strips(scene, used, vector, advance):
                height, width = strip.probability.shape
                rows, columns = slice(strip.row, strip.row + height), slice(0, width)
                cloud, snow = clouded.found(scene, rows, columns), _ndsi(scene, rows, columns)
                file.write(
                    np.stack([strip.probability, snow, cloud.astype(np.float32)]).astype(np.float32),
                    window=Window(0, strip.row, width, height),
                )
                clear = np.isfinite(strip.probability) & ~cloud
                known = clear & np.isfinite(snow)
                counts += (clear.size, clear.sum(), known.sum(), (known & (np.nan_to_num(snow) > SNOW)).sum())
    except (RasterioError, OSError) as error:
        raise OutputError(
            f"{scene.name}: its map cannot be written ({one_line(error)[:140]}); expected room for 12 bytes per pixel"
            " and date. Free space, or set TMPDIR."
        ) from error
    return DateMap(
        scene=scene,
        mapper=mapper,
        used=used,
        path=path,
        clear_share=float(counts[1] / counts[0]),
        snow_share=float(counts[3] / counts[2]) if counts[2] else float("nan"),
        notes=tuple(f"{scene.name}: {n}" for n in notes),
    )


def _ndsi(scene: Scene, rows: slice, columns: slice) -> np.ndarray:
    """Return the normalised difference of green and SWIR1, NaN where one is missing or both are dark."""
    image = scene.table.of("reflectance")
    nothing = np.full((rows.stop - rows.start, columns.stop - columns.start), np.nan, np.float32)
    if image is None or not all(scene.has_band(image.name, b) for b in image.places(*BANDS)):
        return nothing
    values = glacier_scene.read(
        only_sensors(scene, (image.name,)), window=((rows.start, rows.stop), (columns.start, columns.stop))
    )[image.name]
    green, swir = (np.maximum(values[b], 0.0) for b in image.places(*BANDS))
    return np.divide(green - swir, green + swir, out=nothing, where=green + swir > 0.01)


def _merging(
    maps: Sequence[DateMap], weight: np.ndarray, *, config: Config, threshold: float
) -> Callable[[Scene, Sequence[str], np.ndarray, Callable[[int], None]], Iterator[Strip]]:
    is_map = config.network != (RULE,)

    def strips(
        scene: Scene, used: Sequence[str], vector: np.ndarray, advance: Callable[[int], None]
    ) -> Iterator[Strip]:
        height, width = scene.shape
        step = int(np.clip(PIXELS // (len(maps) * width), 16, 512))
        for row in range(0, height, step):
            window = Window(0, row, width, min(step, height - row))
            read = np.stack(
                [
                    align.read_layers(
                        [Layer(path=m.path, index=k) for k in range(1, len(VALUES) + 1)],
                        geobox=scene.geobox,
                        window=window,
                    )
                    for m in maps
                ]
            )
            p, snow, cloud = read[:, 0], read[:, 1], read[:, 2] > 0
            found = dates.merge(p, snow, cloud, threshold=threshold, is_map=is_map)
            weight[:] += found.weight.sum(axis=(1, 2), dtype=np.float64)
            is_seen = np.isfinite(found.probability)
            nan = np.full(is_seen.shape, np.nan, np.float32)
            sure = np.where(found.probability >= threshold, found.probability, 1.0 - found.probability)
            strip = Strip(
                row=row,
                probability=found.probability,
                confidence=sure.astype(np.float32) if is_map else nan,
                spread=found.spread,
                is_seen=is_seen,
                unseen_probability=nan,
                n_clear=found.n_clear,
            )
            yield clouded.with_cloud(strip, is_seen & (found.n_clear == 0), is_masked=config.mask_clouds)
            advance(0)

    return strips

"""``polynya tiles``: scenes and outlines to a set of training tiles in one HDF5 file."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from .. import io
from ..errors import ProductError, UsageError
from ..readers import glacier_tiles, rgi_outlines
from ..scenes import masks
from ..scenes import scene as glacier_scene
from ..scenes import seen as scene_seen
from ..scenes.scene import Scene
from ..scenes.sources import is_scene_folder
from ..schema import counted
from ..sensors import UNLABELLED, table
from .options import validated

if TYPE_CHECKING:
    import geopandas
    import h5py

LEAST_SIDE = 32
"""A strip left at a scene's edge is cut into tiles from this width on, pixels."""
RASTERS = (".tif", ".tiff", ".vrt", ".jp2")
_CLOUD_BIT = next(bit for bit, name in glacier_scene.STRATA_BITS if name == "cloud")


class Config(BaseModel):
    """How scenes are cut.

    Attributes
    ----------
    outlines : Path or None
        Glacier outlines; else ``truth.tif`` of a scene folder, or the mask.
    mask : Path or None
        A raster (0 other, 1 and 2 glacier, 255 unlabelled) or polygons of the labelled area.
    region : str or None
    tile : int
        Side of a tile, pixels.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    outlines: Path | None = None
    mask: Path | None = None
    region: str | None = None
    tile: int = Field(384, ge=64, le=4096)

    @classmethod
    def checked(
        cls, *, outlines: Path | None = None, mask: Path | None = None, region: str | None = None, tile: int = 384
    ) -> Config:
        """Build it from options.

        Raises
        ------
        UsageError
            If a value does not fit.
        """
        return validated(cls, {"outlines": outlines, "mask": mask, "region": region, "tile": tile}, command="tiles")


@dataclass(frozen=True, kw_only=True)
class Result:
    """What was written.

    Attributes
    ----------
    path : Path
        The HDF5 file.
    scenes : tuple of str
    tiles, pixels, labelled, glacier : int
        Numbers of tiles, and of their pixels: all, those with a label, those of glacier.
    notes : tuple of str
        What a careful user wants to know.
    """

    path: Path
    scenes: tuple[str, ...] = ()
    tiles: int = 0
    pixels: int = 0
    labelled: int = 0
    glacier: int = 0
    notes: tuple[str, ...] = ()

    def __add__(self, other: Result) -> Result:
        return Result(
            path=self.path,
            scenes=(*self.scenes, *other.scenes),
            tiles=self.tiles + other.tiles,
            pixels=self.pixels + other.pixels,
            labelled=self.labelled + other.labelled,
            glacier=self.glacier + other.glacier,
            notes=(*self.notes, *(n for n in other.notes if n not in self.notes)),
        )

    def as_json(self) -> dict[str, object]:
        """Return plain values."""
        return {
            "path": str(self.path),
            "scenes": list(self.scenes),
            "tiles": self.tiles,
            "pixels": self.pixels,
            "labelled": self.labelled,
            "glacier": self.glacier,
            "notes": list(self.notes),
        }


def run(
    paths: Sequence[Path | str], *, out: Path, config: Config, append: bool = False, overwrite: bool = False
) -> Result:
    """Cut scenes into tiles.

    Parameters
    ----------
    paths : sequence of Path or str
        Scene folders, each a scene; or the files of one scene.
    out : Path
        The HDF5 file; ``NAME.run.json`` goes beside it.
    config : Config
        Settings.
    append : bool
        Add to an existing file.
    overwrite : bool
        Replace an earlier set of tiles.

    Returns
    -------
    Result

    Raises
    ------
    UsageError
        If the file exists and neither is said, or nothing says where glaciers are.
    ProductError
        If an input is damaged, or no tile has both image and labels.
    OutputError
        If it cannot be written, or the file is no earlier set of tiles.
    """
    import h5py

    out = Path(out)
    if out.exists() and not append and not overwrite:
        raise UsageError(
            f"{out.name}: is there already; expected a new file. Give --append to add to it, --overwrite to replace it,"
            " or another name with -o."
        )
    record_path = out.with_name(f"{out.stem}.run.json")
    is_own = True
    if append and out.exists():
        glacier_tiles.open_tiles(out)
        io.check_files([], record=record_path, overwrite=True)
        is_own = io.lists(record_path, out)  # adding to somebody else's tiles does not make them replaceable
    else:
        io.check_files([out], record=record_path, overwrite=overwrite)
    result = Result(path=out)
    with io.writing(out) as temporary:
        if append and out.exists():
            shutil.copyfile(out, temporary)
        with h5py.File(temporary, "a") as file:
            for scene in _scenes(paths, config):
                result += _cut(file, scene, config, out)
        if not result.tiles:
            raise ProductError(
                f"{', '.join(result.scenes)}: no tile has both image and labels; expected outlines or a mask that"
                " overlap the scene. Check that they lie on the same ground."
            )
        record = io.run_record(
            command=io.command_line(),
            config=config.model_dump(mode="json"),
            inputs=[{"path": Path(str(p)).name} for p in paths],
            numbers=result.as_json(),
            contents=[out.name] if is_own else [],
        )
        with io.writing(record_path) as beside:  # the record gets its name first, the tiles last
            io.write_json(record, beside, files={out.name: temporary})
    return result


def _scenes(paths: Sequence[Path | str], config: Config) -> Iterator[Scene]:
    """Yield scenes: every scene folder is one, other files together are one."""
    if all(is_scene_folder(p, sensors=table("glaciers")) for p in paths):
        for path in paths:
            yield glacier_scene.open_scene(path, region=config.region)
    else:
        yield glacier_scene.open_scene(paths, region=config.region)


@dataclass(frozen=True, kw_only=True)
class _Labels:
    """Where the labels of a scene come from: outlines, polygons of the labelled area, a mask, the truth beside it."""

    outlines: geopandas.GeoDataFrame | None
    area: geopandas.GeoDataFrame | None
    mask: Path | None
    truth: Path | None


def _cut(file: h5py.File, scene: Scene, config: Config, out: Path) -> Result:
    """Write the tiles of a scene."""
    source, notes = _label_source(scene, config)
    strata = _beside(scene, "strata.tif")
    hidden = {"no image": 0, "cloud": 0}
    result = Result(path=out, scenes=(scene.name,), notes=tuple(dict.fromkeys(notes)))
    for row in range(0, scene.shape[0], config.tile):
        for column in range(0, scene.shape[1], config.tile):
            window = (
                (row, min(row + config.tile, scene.shape[0])),
                (column, min(column + config.tile, scene.shape[1])),
            )
            if min(b - a for a, b in window) < min(LEAST_SIDE, *scene.shape):
                continue
            labels = _labels(scene, window, source)
            if (labels == UNLABELLED).all():
                continue
            sensors = glacier_scene.read(scene, window=window)
            unknown = _unknown(scene, sensors, strata, window)
            for why, where in unknown.items():
                hidden[why] += int(np.count_nonzero(where & (labels != UNLABELLED)))
                labels[where] = UNLABELLED
            if (labels == UNLABELLED).all():
                continue
            glacier_tiles.write_tile(
                file,
                f"{scene.region or 'TILE'}-{scene.name}-{row // config.tile}-{column // config.tile}",
                glacier_tiles.Tile(sensors=sensors, labels=labels, strata=_strata(scene, strata, window)),
                geobox=scene.geobox[slice(*window[0]), slice(*window[1])],
                scene=scene.name,
                region=scene.region,
                pad_to=config.tile,
            )
            result += Result(
                path=out,
                tiles=1,
                pixels=labels.size,
                labelled=int(np.count_nonzero(labels != UNLABELLED)),
                glacier=int(np.count_nonzero(labels == 1)),
            )
    lines = [
        f"{scene.name}: {counted(n, 'pixel')} with a label left unlabelled: {why}" for why, n in hidden.items() if n
    ]
    return result + Result(path=out, notes=tuple(lines))


def _unknown(
    scene: Scene,
    sensors: dict[str, np.ndarray],
    strata: Path | None,
    window: tuple[tuple[int, int], tuple[int, int]],
) -> dict[str, np.ndarray]:
    """Return pixels on which a network could learn nothing of the ground: what the image does not show, and what lies
    under cloud, by the product's mask or by the strata of a simulated scene."""
    seen = scene_seen.of_scene(scene, sensors)
    cloud = glacier_scene.read_cloud(scene, window=window) == glacier_scene.CLOUD
    bits = _strata(scene, strata, window)
    if bits is not None:
        cloud |= (bits & _CLOUD_BIT) > 0
    return {"no image": ~seen, "cloud": cloud & seen}


def _label_source(scene: Scene, config: Config) -> tuple[_Labels, list[str]]:
    """Read what labels a scene, and return notes on it."""
    notes = []
    outlines = None
    if config.outlines is not None and config.outlines.suffix.lower() in RASTERS:
        raise UsageError(
            f"--outlines {config.outlines.name}: is a raster; expected polygons. Give a raster of 0 other, 1 glacier,"
            " 255 unlabelled with --mask."
        )
    if config.outlines is not None:
        outlines = rgi_outlines.read(config.outlines, crs=str(scene.geobox.crs), date=scene.time)
        notes += outlines.attrs["lines"]
        if outlines.attrs["fixed"]:
            notes.append(f"{config.outlines.name}: {outlines.attrs['fixed']} outlines crossed themselves: fixed")
        box = scene.geobox.boundingbox
        if not len(outlines.cx[box.left : box.right, box.bottom : box.top]):
            notes.append(
                f"{config.outlines.name}: no outline overlaps {scene.name}: all of it is labelled as no glacier"
            )
    area = None
    if config.mask is not None and config.mask.suffix.lower() in RASTERS:
        masks.check(config.mask)
    if config.mask is not None and config.mask.suffix.lower() not in RASTERS:
        area = rgi_outlines.read(config.mask, crs=str(scene.geobox.crs))
    truth = _beside(scene, "truth.tif")
    if outlines is None and config.mask is None and truth is None:
        raise UsageError(
            f"{scene.name}: nothing says where glaciers are; expected --outlines, --mask, or truth.tif in the scene"
            " folder. Give outlines (RGI, GLIMS)."
        )
    notes += [n.text for n in scene.notes]
    return _Labels(outlines=outlines, area=area, mask=config.mask, truth=truth), notes


def _strata(scene: Scene, path: Path | None, window: tuple[tuple[int, int], tuple[int, int]]) -> np.ndarray | None:
    if path is None:
        return None
    found = glacier_scene.read_classes(scene, path, window=window)
    return np.where(found == 255, 0, found).astype(np.uint8)


def _beside(scene: Scene, name: str) -> Path | None:
    path = scene.folder / name if scene.folder is not None else None
    return path if path is not None and path.is_file() else None


def _labels(scene: Scene, window: tuple[tuple[int, int], tuple[int, int]], source: _Labels) -> np.ndarray:
    """Return 0 other, 1 glacier, 255 unlabelled."""
    box = scene.geobox[slice(*window[0]), slice(*window[1])]
    mask = None if source.area is not None else source.mask
    known = None if mask is None else glacier_scene.read_classes(scene, mask, window=window)
    if source.outlines is not None:
        labels = rgi_outlines.rasterise(source.outlines, box)
    elif known is not None and mask is not None:
        labels = _from_classes(known, mask)
    elif source.truth is not None:
        labels = _from_classes(glacier_scene.read_classes(scene, source.truth, window=window), source.truth)
    else:
        raise UsageError(
            f"{scene.name}: --mask gives the labelled area, nothing says where glaciers are; expected --outlines"
            " with it."
        )
    if known is not None:
        labels[known == UNLABELLED] = UNLABELLED
    if source.area is not None:
        labels[rgi_outlines.rasterise(source.area, box) == 0] = UNLABELLED
    return labels


def _from_classes(classes: np.ndarray, path: Path) -> np.ndarray:
    """Return labels of a raster of 0 other, 1 clean ice, 2 debris-covered ice, 255 unlabelled."""
    strange = classes[(classes > 2) & (classes != UNLABELLED)]
    if strange.size:
        raise ProductError(
            f"{path.name}: holds the value {int(strange[0])}; expected 0 other, 1 clean ice, 2 debris-covered ice, 255"
            " unlabelled. Convert it to these."
        )
    return np.where(classes == 0, 0, np.where(np.isin(classes, (1, 2)), 1, UNLABELLED)).astype(np.uint8)


def as_text(result: Result) -> str:
    """Return a few lines for people."""
    share = result.glacier / max(result.labelled, 1)
    lines = [
        f"{result.path}: {counted(result.tiles, 'tile')} of {', '.join(result.scenes)};"
        f" {result.labelled / max(result.pixels, 1):.0%} of the pixels are labelled, {share:.1%} of these are glacier"
    ]
    return "\n".join([*lines, *(f"  {n}" for n in result.notes)])

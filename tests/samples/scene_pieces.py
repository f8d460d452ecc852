"""Tiles of scenes for tests: in memory, or in HDF5 as the published layout has them (written here, not by the
package)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import h5py
import numpy as np

from polynya import recipes
from polynya.samples import scene_scaling
from polynya.sensors import table

PIXEL = 10.0


def scaling_of(sensors: tuple[str, ...]) -> scene_scaling.Scaling:
    """Return the published scaling of glacier sensors, or that of grey images."""
    kind = table("sea_ice" if sensors == ("grey",) else "glaciers")
    return scene_scaling.of(sensors, table=kind, low_high=recipes.published())


@dataclass(frozen=True)
class Piece:
    """A tile in memory: :class:`polynya.samples.scene_windows.Tile` and :class:`polynya.samples.scene_split.Placed`."""

    data: dict[str, np.ndarray]
    truth: np.ndarray
    name: str = "t"
    scene: str = "s"
    region: str | None = "ALP"
    latitude: float = 46.0
    longitude: float = 10.0
    grid: str = "EPSG:32632"
    corner: tuple[float, float] = (0.0, 0.0)
    pixel: tuple[float, float] = (PIXEL, PIXEL)
    is_simulated: bool = False
    asked: list = field(default_factory=list)

    @property
    def shape(self) -> tuple[int, int]:
        return self.truth.shape

    def values(self, sensors: Sequence[str], rows: slice, columns: slice) -> np.ndarray:
        """Return bands of a window; windows that leave the tile fail, as a file's would."""
        self._note("values", rows, columns)
        none = {
            s: np.full((len(table("glaciers")[s].bands), *self.shape), np.nan, np.float32)
            for s in sensors
            if s not in self.data
        }
        return np.concatenate([{**self.data, **none}[s][:, rows, columns] for s in sensors]).astype(np.float32)

    def target(self, name: str, rows: slice, columns: slice) -> np.ndarray:
        self._note("target", rows, columns)
        return self.truth[rows, columns]

    def _note(self, what: str, rows: slice, columns: slice) -> None:
        if not (0 <= rows.start < rows.stop <= self.shape[0] and 0 <= columns.start < columns.stop <= self.shape[1]):
            raise IndexError(f"{rows} {columns} leave {self.shape}")
        self.asked.append((what, rows.stop - rows.start, columns.stop - columns.start))


def disc(shape: tuple[int, int], seed: int) -> np.ndarray:
    """Return truth bits: a glacier of a third of the tile in other ground, a strip that nobody labelled."""
    rng = np.random.default_rng(seed)
    y, x = np.indices(shape) / np.array(shape).reshape(2, 1, 1) - rng.uniform(0.35, 0.65, (2, 1, 1))
    truth = np.where(np.hypot(y, x) < 0.33, 2, 1).astype(np.uint8)
    truth[: max(shape[0] // 16, 1)] = 0
    return truth


def sensors_of(truth: np.ndarray, seed: int, *, noise: float = 0.1) -> dict[str, np.ndarray]:
    """Return optical reflectances that tell ice (visible bright, shortwave infrared dark), heights and slopes, and
    radar, with noise and holes."""
    rng = np.random.default_rng([seed, 1])
    ice = (truth == 2)[None]
    optical = np.where(
        ice,
        np.array([0.7, 0.7, 0.65, 0.6, 0.1, 0.08])[:, None, None],
        np.array([0.15, 0.16, 0.2, 0.3, 0.35, 0.3])[:, None, None],
    )
    optical = optical + noise * rng.normal(size=optical.shape)
    dem = np.stack(
        [
            3000.0 + 2.0 * np.arange(truth.shape[0])[:, None] + np.zeros(truth.shape),
            np.where(truth == 2, 8.0, 25.0) + 3 * rng.normal(size=truth.shape),
        ]
    )
    radar = np.where(ice, 0.05, 0.15) * rng.gamma(4.0, 0.25, (2, *truth.shape))
    optical[:, rng.random(truth.shape) < 0.02] = np.nan
    return {
        "optical": optical.astype(np.float32),
        "dem": dem.astype(np.float32),
        "co_pol_sar": radar.astype(np.float32),
    }


def piece(shape: tuple[int, int] = (48, 40), seed: int = 0, **more: object) -> Piece:
    """Return a tile whose classes can be told."""
    truth = disc(shape, seed)
    return Piece(sensors_of(truth, seed), truth, **{"name": f"tile{seed}", "scene": f"scene{seed}", **more})


def write_tiles(path: Path, pieces: Sequence[Piece]) -> Path:
    """Write tiles in the published layout with the attributes that ours have besides."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        for p in pieces:
            group = file.create_group(p.name)
            for sensor, values in p.data.items():
                group[sensor] = np.moveaxis(values, 0, -1)
            group["outlines"] = np.stack([p.truth == 1, p.truth == 2], axis=-1).astype(np.uint8)
            height, width = p.shape
            about = {
                "region": p.region or "",
                "scene": p.scene,
                "height": height,
                "width": width,
                "original_height": height,
                "original_width": width,
                "padding_height": 0,
                "padding_width": 0,
                "crs": p.grid,
                "transform": [p.pixel[0], 0.0, p.corner[0], 0.0, -p.pixel[1], p.corner[1]],
                "units": "physical",
            }
            for key, value in about.items():
                group.attrs[key] = value
    return path


def cut_images(folder: Path, files: Sequence[Path], *, row: int, column: int, size: int) -> list[Path]:
    """Write a square piece of GeoTIFFs under their own names."""
    import rasterio
    from rasterio.windows import Window

    folder.mkdir(parents=True, exist_ok=True)
    window, out = Window(column, row, size, size), []
    for file in files:
        with rasterio.open(file) as source:
            profile = {
                **source.profile,
                "width": size,
                "height": size,
                "transform": source.window_transform(window),
                "driver": "GTiff",
                "tiled": False,
            }
            for key in ("blockxsize", "blockysize", "interleave", "compress"):
                profile.pop(key, None)
            with rasterio.open(folder / file.name, "w", **profile) as target:
                target.write(source.read(window=window))
                target.update_tags(**source.tags())
                target.colorinterp = source.colorinterp
        out.append(folder / file.name)
    return out

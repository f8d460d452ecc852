"""Radar scenes of sea ice with their concentration, from any file that has both, on cells of 400 m.

Taken are tile sets (``.h5`` of ``scripts/make_concentration_data.py``), folders of ``polynya simulate s1-ew`` (a
``.SAFE`` with pixels, ``truth.tif`` beside it), AI4Arctic scenes (``.nc``), and folders of these. Truth of a simulated
scene is true; an AI4Arctic chart is what an analyst drew.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
from odc.geo.geobox import GeoBox

from polynya.errors import ProductError
from polynya.evaluate.concentration import scores
from polynya.readers import ai4arctic, glacier_tiles, sentinel1_grd
from polynya.scenes import radar_grid
from polynya.sensors import table
from polynya.workflows.concentration import mapper

CELL_M = 400.0
UNKNOWN = 255
CHANNELS = ("HH", "HV")
SENSORS = ("hh", "hv", "incidence")
MICROWAVE = ("btemp_18_7v", "btemp_36_5v")
"""Channels of the bootstrap type of algorithm."""
AMSR2_CELL_M = 2000.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Radar:
    """One scene.

    Attributes
    ----------
    name : str
    channels : numpy.ndarray of float32, shape (2, h, w)
        HH and HV, dB, NaN where missing.
    incidence : numpy.ndarray of float32, shape (h, w)
        Degrees.
    truth : numpy.ndarray of float32, shape (h, w)
        Concentration, 0 to 1, NaN where unknown.
    stage : numpy.ndarray of uint8, shape (h, w), or None
        AutoICE's stages of development, 255 unknown.
    is_chart : bool
        Whether an analyst drew the truth.
    microwave : numpy.ndarray of float32, shape (2, h, w), or None
        AMSR2 brightness temperatures of :data:`MICROWAVE`, K, where the file has them.
    """

    name: str
    channels: np.ndarray
    incidence: np.ndarray
    truth: np.ndarray
    stage: np.ndarray | None = None
    is_chart: bool = False
    microwave: np.ndarray | None = None

    @property
    def digest(self) -> str:
        """SHA-256 of truth and angle: of the scene, whatever its file is called and whether its noise is removed."""
        held = [np.where(np.isnan(v), np.float32(-1), v).astype(np.float32) for v in (self.truth, self.incidence)]
        return hashlib.sha256(b"".join(v.tobytes() for v in held)).hexdigest()


def found(paths: Sequence[Path]) -> list[tuple[Path, str]]:
    """Return files and folders of scenes with their kinds.

    Parameters
    ----------
    paths : sequence of Path
        Files or folders.

    Raises
    ------
    ProductError
        If one of them holds no scene.
    """
    out: list[tuple[Path, str]] = []
    for path in paths:
        mine = _found(path)
        if not mine:
            raise ProductError(
                f"{path}: holds no scene with its concentration; expected tile sets (.h5), folders of polynya simulate"
                " s1-ew, or AI4Arctic files (.nc). Name another."
            )
        out += mine
    return out


def _found(path: Path) -> list[tuple[Path, str]]:
    if path.suffix in (".h5", ".hdf5") and path.is_file():
        return [(path, "tiles")]
    if path.suffix == ".nc" and path.is_file():
        return [(path, "ai4arctic")] if ai4arctic.is_scene(path) else []
    if not path.is_dir():
        return []
    if (path / "truth.tif").is_file() and list(path.glob("*.SAFE")):
        return [(path, "simulated")]
    inside = sorted(p for p in path.iterdir() if p.suffix in (".h5", ".hdf5", ".nc") or p.is_dir())
    return [f for p in inside if not p.name.endswith("_reference.nc") for f in _found(p)]


def scenes(paths: Sequence[Path], *, keep_noise: bool = False) -> Iterator[Radar]:
    """Read scenes, one at a time.

    Parameters
    ----------
    paths : sequence of Path
        As :func:`found` takes them.
    keep_noise : bool
        Leave the annotated noise in; only products can be read so.
    """
    for path, kind in found(paths):
        if kind == "tiles":
            yield from _tiles(path)
        elif kind == "simulated":
            yield _simulated(path, keep_noise=keep_noise)
        else:
            yield _ai4arctic(path)


def _tiles(path: Path) -> Iterator[Radar]:
    for record in glacier_tiles.open_tiles(path, sensors=table("radar_ice"), target="concentration"):
        everything = tuple(slice(0, n) for n in record.shape)
        values = record.values(SENSORS, *everything)
        stage = None
        if record.has("stage"):
            bits = record.target("stage", *everything)  # 1 << class, 0 where nobody knows
            stage = np.where(bits > 0, np.log2(np.maximum(bits, 1)).round(), UNKNOWN).astype(np.uint8)
        yield Radar(
            name=record.name,
            channels=values[:2],
            incidence=values[2],
            truth=record.plane("concentration", *everything),
            stage=stage,
        )


def _simulated(folder: Path, *, keep_noise: bool) -> Radar:
    product = sentinel1_grd.open_product(sorted(folder.glob("*.SAFE"))[0])
    data = radar_grid.on_grid(product, pixel_m=CELL_M, is_denoised=not keep_noise)
    box = radar_grid.polar_geobox(product, pixel_m=CELL_M)
    channels = mapper.decibels(data)
    nothing = np.full(box.shape, np.nan, np.float32)
    return Radar(
        name=folder.name,
        channels=np.stack([channels.get(c, nothing) for c in CHANNELS]),
        incidence=data["incidence_angle"].values.astype(np.float32),
        truth=_truth(folder / "truth.tif", box),
    )


def _truth(path: Path, box: GeoBox) -> np.ndarray:
    """Return the truth on the grid of the product: both have their lines at multiples of 400 m."""
    out = np.full(tuple(box.shape), np.nan, np.float32)
    with rasterio.open(path) as held:
        values = held.read(1)
        left, top = (held.transform.c - box.affine.c) / CELL_M, (box.affine.f - held.transform.f) / CELL_M
        size = held.transform.a
    row, column = round(top), round(left)
    if abs(size - CELL_M) > 1e-6 or abs(row - top) > 1e-6 or abs(column - left) > 1e-6:
        raise ProductError(
            f"{path}: its cells of {size:g} m do not lie on those of the product; expected cells of {CELL_M:g} m from"
            " polynya simulate s1-ew. Simulate it again."
        )
    places = zip((row, column), values.shape, out.shape, strict=True)
    rows, columns = (slice(max(k, 0), min(k + n, m)) for k, n, m in places)
    out[rows, columns] = values[rows.start - row : rows.stop - row, columns.start - column : columns.stop - column]
    return out


def _ai4arctic(path: Path) -> Radar:
    scene = ai4arctic.open_scene(path)
    image = ("nersc_sar_primary", "nersc_sar_secondary", "sar_incidenceangle", *ai4arctic.CHARTS)
    microwave = MICROWAVE if set(MICROWAVE) <= set(scene.variables) else ()
    wanted = (*image, *microwave)
    if "SIC" not in scene.variables:
        raise ProductError(f"{path.name}: has no chart; expected SIC. Put its _reference.nc beside it.")
    data = ai4arctic.read(path, variables=wanted, scene=scene)
    side = round(CELL_M / scene.pixel_m)
    power = [10.0 ** (data[n].to_numpy() / 10.0) for n in wanted[:2]]
    with np.errstate(invalid="ignore", divide="ignore"):
        channels = [10.0 * np.log10(coarse(v, side)) for v in power]
    low = [mapper.FLOORS_DB[c] for c in CHANNELS]
    tenths = data["SIC"].to_numpy()
    share = np.where(tenths == UNKNOWN, np.nan, tenths / 10.0)
    stage = data["SOD"].to_numpy()[side // 2 :: side, side // 2 :: side]
    shape = channels[0].shape
    return Radar(
        name=scene.name,
        channels=np.stack([np.maximum(c, f) for c, f in zip(channels, low, strict=True)]).astype(np.float32),
        incidence=coarse(data["sar_incidenceangle"].to_numpy(), side).astype(np.float32),
        truth=coarse(share, side).astype(np.float32),
        stage=stage[: shape[0], : shape[1]],
        is_chart=True,
        microwave=np.stack([_fine(data[n].to_numpy(), shape) for n in microwave]) if microwave else None,
    )


def _fine(values: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return cells of 2 km on cells of 400 m; NaN beyond them."""
    side = round(AMSR2_CELL_M / CELL_M)
    big = np.repeat(np.repeat(values, side, axis=0), side, axis=1)[: shape[0], : shape[1]]
    out = np.full(shape, np.nan, np.float32)
    out[: big.shape[0], : big.shape[1]] = big
    return out


def coarse(values: np.ndarray, side: int) -> np.ndarray:
    """Return means over squares; NaN where less than half of one is known.

    Parameters
    ----------
    values : numpy.ndarray, shape (h, w)
        NaN where unknown.
    side : int
        Cells along a square.
    """
    return scores.coarse_means(values, np.isfinite(values), cells=side)

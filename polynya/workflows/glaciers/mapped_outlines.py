"""From the maps of a scene to its outlines: drawn, divided, described, with intervals, and written."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd

from ...errors import UsageError
from ...glaciers import attributes, divides, flow_divides, intervals, outlines
from ...io import polygons
from ...scenes import scene as glacier_scene
from ...scenes.scene import Scene, only_sensors
from ...schema import Estimate
from . import region as glacier_region
from .config import Config
from .mapper import Mapper

BLOCK = 1024
"""Side of the blocks in which a scene is read after it was mapped."""
SIMULATED = "simulated scene: no satellite measured it; nothing here is a result about real glaciers"
OUTSIDE = 0.05
"""Share of the mapped area from which an expected area outside the outlines is worth a note."""
UNLIKE = 0.1
"""Share of the mapped area by which it may differ from the expected one without a note."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Outlined:
    """Outlines of a scene.

    Attributes
    ----------
    table : geopandas.GeoDataFrame
        With attributes and intervals, the largest first.
    band : geopandas.GeoDataFrame
        The uncertainty band.
    areas : intervals.Intervals
        Areas with their intervals, and the expected area outside the outlines.
    between_blocks : float
        Between-block correlation that the intervals use.
    """

    table: gpd.GeoDataFrame
    band: gpd.GeoDataFrame
    areas: intervals.Intervals
    between_blocks: float


def draw(
    folder: Path,
    *,
    scene: Scene,
    mapper: Mapper,
    config: Config,
    inventory: gpd.GeoDataFrame | None = None,
    no_interval: str = "",
) -> Outlined:
    """Draw, divide and describe outlines.

    Parameters
    ----------
    folder : Path
        With ``probability.tif`` and ``confidence.tif``.
    scene : Scene
        The scene that was mapped.
    mapper : Mapper
        What mapped it.
    config : Config
        Settings.
    inventory : geopandas.GeoDataFrame, optional
        Outlines whose divides and identifiers are kept.
    no_interval : str
        Why areas have no intervals; empty where they have.

    Returns
    -------
    Outlined

    Raises
    ------
    ProductError
        If a file cannot be read.
    """
    probability, _ = outlines.from_raster(folder / "probability.tif")
    drawn = outlines.vectorise(
        lambda rows, columns: probability(rows, columns) >= (config.threshold or mapper.threshold),
        geobox=scene.geobox,
        min_area_km2=config.min_area_km2,
        seen=lambda rows, columns: np.isfinite(probability(rows, columns)),
    )
    if inventory is not None:
        drawn = divides.divide(drawn, inventory)
    if config.divides == "dem":
        drawn = _cut_by_flow(drawn, scene)
    between_blocks = mapper.between_blocks if config.between_blocks is None else config.between_blocks
    table = _described(drawn, scene, folder)
    areas = intervals.intervals(
        intervals.gather(probability, outlines=table, geobox=scene.geobox),
        table["area_km2"].to_numpy(),
        between_blocks=between_blocks,
        sd=mapper.block_sd,
        seed=config.seed,
    )
    if no_interval:  # nothing says how certain an area is
        nan = np.full(len(table), np.nan)
        total = Estimate(value=areas.total.value, low=np.nan, high=np.nan, n=areas.total.n)
        areas = dataclasses.replace(areas, low=nan, high=nan, total=total)
    table = table.assign(area_low_km2=areas.low, area_high_km2=areas.high)
    return Outlined(
        table=table.sort_values("area_km2", ascending=False).reset_index(drop=True),
        band=outlines.uncertainty_band(
            outlines.from_raster(folder / "confidence.tif")[0], geobox=scene.geobox, threshold=config.confident
        ),
        areas=areas,
        between_blocks=between_blocks,
    )


def _cut_by_flow(drawn: gpd.GeoDataFrame, scene: Scene) -> gpd.GeoDataFrame:
    """Cut outlines that no inventory names along the ice divides of the DEM; without a DEM they stay whole."""
    height = scene.table.name_of("height")
    only = only_sensors(scene, (height,))
    if not only.sensors or not len(drawn):
        return drawn
    has_names = "rgi_id" in drawn.columns
    is_new = divides.identifiers(drawn).eq("").to_numpy() if has_names else np.ones(len(drawn), bool)

    def read(rows: slice, columns: slice) -> np.ndarray:
        return glacier_scene.read(only, window=((rows.start, rows.stop), (columns.start, columns.stop)))[height][0]

    cut = flow_divides.divide(drawn[is_new], read, geobox=scene.geobox)
    if not has_names:
        return cut
    out = pd.concat([drawn[~is_new], cut.assign(rgi_id="")], ignore_index=True)
    for name in set(divides.KEPT) & set(out.columns) - {"term_type"}:
        out[name] = out[name].astype(object).where(out[name].notna(), "")
    return gpd.GeoDataFrame(out, geometry="geometry", crs=drawn.crs)


def _described(drawn: gpd.GeoDataFrame, scene: Scene, folder: Path) -> gpd.GeoDataFrame:
    """Add places, elevations, slopes and confidence."""
    confidence, _ = outlines.from_raster(folder / "confidence.tif")
    height = scene.table.name_of("height")
    only = only_sensors(scene, (height,))

    def read(rows: slice, columns: slice) -> dict[str, np.ndarray]:
        out = {"confidence": confidence(rows, columns)}
        if only.sensors:
            dem = glacier_scene.read(only, window=((rows.start, rows.stop), (columns.start, columns.stop)))[height]
            out |= {"elevation": dem[0], "slope": dem[1]}
        return out

    table = attributes.place(
        drawn, src_date="" if scene.time is None else f"{np.datetime_as_string(scene.time, unit='s')}Z"
    )
    if scene.is_simulated:
        table["is_simulated"] = True
    return attributes.describe(table, read, geobox=scene.geobox, block=BLOCK)


def write(outlined: Outlined, folder: Path, *, scene: Scene, config: Config) -> list[str]:
    """Write outlines, also as OGGM takes them, and the uncertainty band; return what a user should know of them.

    Parameters
    ----------
    outlined : Outlined
        Of :func:`draw`.
    folder : Path
        Where to.
    scene : Scene
        The scene that was mapped.
    config : Config
        Settings.

    Raises
    ------
    OutputError
        If they cannot be written.
    """
    table, areas = outlined.table, outlined.areas
    about = {"scene": scene.name, **({"simulated": SIMULATED} if scene.is_simulated else {})}
    for name in ("outlines.gpkg", "outlines.parquet"):
        polygons.write(table, folder / name, about=about)
    polygons.write(outlined.band, folder / "uncertainty_band.gpkg", about=about)
    notes = []
    if config.divides == "dem" and scene.table.name_of("height") not in scene.sensors:
        notes.append("no ice divides: the scene has no DEM (--divides dem)")
    if config.complexes:
        names = [str(n) or f"polynya-{k}" for k, n in enumerate(divides.identifiers(table), 1)]
        edges = flow_divides.intersects(table, names=names)
        polygons.write(edges, folder / "intersects.gpkg", about=about)
        polygons.write(flow_divides.complexes(table, edges, names=names), folder / "complexes.gpkg", about=about)
    try:
        oggm = glacier_region.for_oggm(table, region=scene.region, o1region=config.rgi_region)
        polygons.write(oggm, folder / "outlines_oggm.gpkg", about=about)
    except UsageError as error:
        notes.append(f"outlines_oggm.gpkg was not written: {error}")
    if areas.elsewhere_km2 > OUTSIDE * max(areas.total.value, 1e-9) and areas.elsewhere_km2 > 0.01:
        notes.append(
            f"expected area outside the outlines: {areas.elsewhere_km2:.2f} km2, by the probabilities; no interval"
            " contains it: look at the probability map"
        )
    elif not len(table):
        notes.append("no glacier was found")
    expected, mapped = float(areas.expected.sum()), areas.total.value
    if np.isfinite(areas.total.low) and abs(expected - mapped) > UNLIKE * mapped:
        notes.append(
            f"the outlines hold {mapped:.2f} km2, but the probabilities expect {expected:.2f} km2 of ice there:"
            " the interval lies about the expected area, not about the mapped one"
        )
    return notes

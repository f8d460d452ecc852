"""The page of a mapped scene, and the QGIS styles of its files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import numpy as np
from odc.geo.geobox import GeoBox

from ...glaciers.agreement import Agreement
from ...glaciers.attributes import rasterised
from ...glaciers.outlines import windows
from ...report import glacier_layers, glacier_map, qgis_style
from ...report.polar_map import VIRIDIS
from ...scenes import quality as scene_quality
from ...scenes import scene as glacier_scene
from ...scenes.scene import Scene
from ..change import read_outlines
from ..evaluate.scene import RASTERS
from . import rasters
from .cover import NAME as ICE_CLASS
from .mapped_outlines import SIMULATED, Outlined
from .reference import Scored

PICTURE_PX = 1200
"""Longer side of the pictures, at most."""
_NEW, _KNOWN = "new", "known"


@dataclass(frozen=True, kw_only=True)
class Reference:
    """A reference to draw.

    Attributes
    ----------
    path : Path
    date : numpy.datetime64 or None
        Of the GLIMS analyses to take.
    """

    path: Path
    date: np.datetime64 | None = None

    @property
    def is_raster(self) -> bool:
        """Whether it is a truth raster."""
        return self.path.suffix.lower() in RASTERS


@dataclass(frozen=True, kw_only=True)
class Content:
    """What a page shows of a map.

    Attributes
    ----------
    scene : Scene
    facts : dict of str to object
        Scene, model and settings in words.
    outlined : Outlined
    agreement : Agreement
        With every ``step``-th pixel of the image.
    step : int
    unseen : rasters.Unseen
    warnings : tuple of str
        Of the quality gate.
    notes : tuple of str
    no_interval : str
    confident : float
    is_map : bool
        Whether the map has probabilities.
    inventory : geopandas.GeoDataFrame or None
    reference : Reference or None
    scored : Scored or None
    cover : str
        Clean and debris-covered ice, in words.
    """

    scene: Scene
    facts: dict[str, object]
    outlined: Outlined
    agreement: Agreement
    step: int
    unseen: rasters.Unseen
    warnings: tuple[str, ...]
    notes: tuple[str, ...]
    no_interval: str
    confident: float
    is_map: bool
    inventory: gpd.GeoDataFrame | None = None
    reference: Reference | None = None
    scored: Scored | None = None
    cover: str = ""


def step_of(scene: Scene) -> int:
    """Return the pixels of a scene per pixel of the pictures."""
    return max(1, -(-max(scene.shape) // PICTURE_PX))


def warnings_of(quality: scene_quality.Quality, scene: Scene, unseen: rasters.Unseen) -> tuple[str, ...]:
    """Return the warnings of the quality gate in words, without those whose cause the sentence on ground that was not
    seen already names: missing pixels and fill of the image.

    Parameters
    ----------
    quality : scene_quality.Quality
        Of the scene.
    scene : Scene
        The scene.
    unseen : rasters.Unseen
        Ground that the image does not show.
    """
    image = scene.table.name_of("reflectance")
    return tuple(
        f.text
        for f in quality.warnings
        if not (unseen.area_km2 > 0 and f.sensor == image and f.kind in ("missing", "zero"))
    )


def write(folder: Path, content: Content) -> None:
    """Write the page and the styles beside the maps of a folder.

    Parameters
    ----------
    folder : Path
        With the maps.
    content : Content
        What it shows.

    Raises
    ------
    OutputError
        If they cannot be written.
    """
    scene, outlined = content.scene, content.outlined
    small = scene.geobox if content.step == 1 else scene.geobox.zoom_out(content.step)
    shape = (int(small.shape[0]), int(small.shape[1]))
    not_seen = (
        rasters.reduced(folder / f"{rasters.NOT_SEEN}.tif", shape) >= 0.5 if content.unseen.area_km2 > 0 else None
    )
    given, frame, differences = content.reference, None, None
    if given is not None:
        frame = None if given.is_raster else _touching(read_outlines(given.path, date=given.date), scene)
        differences = _differences(outlined.table, given.path if frame is None else frame, scene, small, content.step)
        if not_seen is not None:
            differences[not_seen] = 0
    maps = {
        n: rasters.reduced(folder / f"{n}.tif", shape) if content.is_map else None
        for n in ("probability", "confidence")
    }
    glacier_map.write(
        folder / "report.html",
        glacier_map.MappedScene(
            title=scene.name,
            facts=content.facts,
            outlines=outlined.table,
            geobox=small,
            optical=content.agreement.picture,
            probability=maps["probability"],
            confidence=maps["confidence"],
            differences=differences,
            cover=_classes(folder, shape),
            cover_text=content.cover,
            not_seen=not_seen,
            not_seen_text=content.unseen.text,
            band=outlined.band,
            inventory=content.inventory,
            reference=frame,
            total=outlined.areas.total,
            no_interval=content.no_interval,
            confident=content.confident,
            agreement=content.agreement,
            notes=(*content.warnings, *(n for n in content.notes if n not in (content.unseen.text, SIMULATED))),
            evaluation=None if content.scored is None else content.scored.table,
            reliability=None if content.scored is None else content.scored.reliability,
            is_simulated=scene.is_simulated,
        ),
    )
    write_styles(folder, has_inventory=content.inventory is not None)


def _classes(folder: Path, shape: tuple[int, int]) -> np.ndarray | None:
    """Return clean and debris-covered ice on the grid of the pictures, None without ``ice_class.tif``."""
    path = folder / f"{ICE_CLASS}.tif"
    return rasters.reduced(path, shape, is_classes=True) if path.is_file() else None


def _touching(frame: gpd.GeoDataFrame, scene: Scene) -> gpd.GeoDataFrame:
    """Return the outlines that touch a scene, in its system."""
    here = frame.to_crs(scene.geobox.crs.to_wkt())
    return here[here.intersects(scene.geobox.extent.geom)]


def _differences(
    mapped: gpd.GeoDataFrame, reference: gpd.GeoDataFrame | Path, scene: Scene, small: GeoBox, step: int
) -> np.ndarray:
    """Return 1 where only the map has ice, 2 where only the reference has it, on the grid of the pictures."""
    whole = (slice(0, int(small.shape[0])), slice(0, int(small.shape[1])))

    def drawn(frame: gpd.GeoDataFrame) -> np.ndarray:
        return rasterised(frame.geometry.to_crs(small.crs.to_wkt()).to_numpy(), small, *whole) >= 0

    ours = drawn(mapped)
    if isinstance(reference, gpd.GeoDataFrame):
        theirs, known = drawn(reference), np.ones(ours.shape, bool)
    else:
        values = _sampled(scene, reference, ours.shape, step)
        theirs, known = np.isin(values, (1, 2)), values != 255
    return np.select([known & ours & ~theirs, known & theirs & ~ours], [1, 2], 0).astype(np.uint8)


def _sampled(scene: Scene, path: Path, shape: tuple[int, ...], step: int) -> np.ndarray:
    """Return every ``step``-th pixel of a truth raster on the scene's grid."""
    out = np.full(shape, 255, np.uint8)
    for rows, columns in windows(scene.shape, block=max(step, 1024 // step * step)):
        part = glacier_scene.read_classes(scene, path, window=((rows.start, rows.stop), (columns.start, columns.stop)))
        part = part[min(step // 2, part.shape[0] - 1) :: step, min(step // 2, part.shape[1] - 1) :: step]
        top, left = rows.start // step, columns.start // step
        out[top : top + part.shape[0], left : left + part.shape[1]] = part
    return out


def write_styles(folder: Path, *, has_inventory: bool = False) -> None:
    """Write a QGIS style beside every raster and outline file of a folder, in the colours of the page.

    Parameters
    ----------
    folder : Path
        With the maps.
    has_inventory : bool
        Whether outlines have identifiers of an inventory.

    Raises
    ------
    OutputError
        If they cannot be written.
    """
    ice = glacier_layers.OUTLINE
    kinds = {_KNOWN: (ice, "glacier of the inventory"), _NEW: ("#c2185b", "not in the inventory")}
    outline = qgis_style.polygons(
        kinds if has_inventory else {"": (ice, "glacier")},
        attribute=f"CASE WHEN \"rgi_id\" = '' THEN '{_NEW}' ELSE '{_KNOWN}' END",
        label="coalesce(nullif(\"glac_name\", ''), nullif(\"rgi_id\", ''), to_string($id))"
        if has_inventory
        else "to_string($id)",
    )
    band = qgis_style.polygons(
        {"": (glacier_layers.BAND, "low confidence")}, attribute="''", width_mm=0.0, fill="b_diagonal"
    )
    styles = {
        "probability.tif": qgis_style.ramp(VIRIDIS, low=0.0, high=1.0),
        "confidence.tif": qgis_style.ramp(glacier_layers.CONFIDENCE, low=glacier_layers.LEAST_CONFIDENCE, high=1.0),
        "spread.tif": qgis_style.ramp(VIRIDIS, low=0.0, high=0.5),
        "clear_dates.tif": qgis_style.ramp(VIRIDIS, low=0.0, high=8.0),
        "not_seen.tif": qgis_style.classes({1: (glacier_layers.NOT_SEEN[0], glacier_layers.NOT_SEEN_TITLE)}),
        "ice_class.tif": qgis_style.classes(glacier_layers.CLASSES),
        "outlines.gpkg": outline,
        "outlines_oggm.gpkg": outline,
        "complexes.gpkg": qgis_style.polygons(
            {"": (glacier_layers.INVENTORY, "glacier complex")}, attribute="''", label='"complex_id"', width_mm=0.7
        ),
        "uncertainty_band.gpkg": band,
    }
    for name, style in styles.items():
        if (folder / name).is_file():
            qgis_style.write(style, (folder / name).with_suffix(".qml"))


def output_names(folder: Path) -> dict[str, str]:
    """Return the files of a folder under short names: the stem, with the ending where two share it.

    Parameters
    ----------
    folder : Path
        With the maps.
    """
    first = (".tif", ".gpkg", ".html", ".json")
    return {
        p.stem if p.suffix in first or p.name == "evaluation.parquet" else f"{p.stem}_{p.suffix[1:]}": p.name
        for p in sorted(folder.iterdir())
    }

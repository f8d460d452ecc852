"""``polynya evaluate`` for glaciers: outlines or rasters against outlines or a truth raster, beside the rules that a
network must beat."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import geopandas as gpd
import numpy as np
import pyarrow as pa
import rasterio
import shapely
from odc.geo.geobox import GeoBox
from rasterio.enums import Resampling
from rasterio.vrt import WarpedVRT
from rasterio.windows import Window

from ... import io
from ...errors import ProductError, UsageError
from ...evaluate import outlines, rasters, scene_rows
from ...glaciers import agreement
from ...glaciers.attributes import rasterised
from ...glaciers.outlines import windows
from ...io import opening, polygons
from ...physics import ice_rules
from ...scenes import masks
from ...scenes import scene as glacier_scene
from ...scenes.areas import pixel_size_m
from ...sensors import UNLABELLED
from ..change import read_outlines

RASTERS = (".tif", ".tiff", ".vrt")
GLACIER = "glacier"
"""Name of the band that is read of several."""
HALF = 0.5
"""Threshold of a map that states none."""
FIT_PIXELS = 400_000
"""Pixels that the DEM rule is fitted on."""

Read = Callable[[slice, slice], np.ndarray]


def run(
    out: Path | str,
    *,
    reference: Path | str,
    scene: Sequence[Path | str] | Path | str | None = None,
    strata: Path | str | None = None,
    within: Path | str | None = None,
    region: str | None = None,
    reference_date: np.datetime64 | None = None,
    threshold: float | None = None,
    pixel_m: float | None = None,
    densify_m: float = outlines.DENSIFY_M,
    seed: int = 0,
    n_resamples: int = 500,
) -> pa.Table:
    """Score outlines, classes or probabilities of glaciers.

    Outlines against outlines are compared as polygons, everything with a raster pixel by pixel on one grid: the
    scene's, else the reference raster's, else the result's, else that of the strata; other rasters are brought onto it
    by the nearest pixel.

    Parameters
    ----------
    out : Path or str
        Outlines, a raster (probability in floating point, or classes 0, 1, 2, 255), or a result folder.
    reference : Path or str
        Outlines, or a raster of 0 other, 1 clean ice, 2 debris-covered ice, 255 unlabelled.
    scene : Path or str, or a sequence of them, optional
        The scene: its classical and DEM-only maps are evaluated too. Its ``strata.tif`` is used where there is one.
    strata : Path or str, optional
        Raster of bits (:data:`polynya.evaluate.rasters.STRATA`).
    within : Path or str, optional
        Polygons of the ground that is labelled; by default everything (for outlines with a scene: the scene).
    region : str, optional
        What the column ``region`` says; by default the scene's region, or ``all``.
    reference_date : numpy.datetime64, optional
        Of several GLIMS analyses of a glacier the one nearest to it is taken; by default to the scene, and without a
        scene or its time the newest.
    threshold : float, optional
        Probability from which a pixel is glacier; by default that of the result folder's record, else 0.5.
    pixel_m : float, optional
        Pixel of the boundary F1 of outlines; the grid's, or 10 m.
    densify_m : float
        Spacing of points on outlines.
    seed, n_resamples : int
        Of the intervals.

    Returns
    -------
    pyarrow.Table
        Of :data:`polynya.evaluate.scene_rows.SCENE_EVALUATION`.

    Raises
    ------
    ProductError
        If a file is missing, damaged, or not what was expected, or the two cover different places.
    """
    threshold = _threshold(Path(out)) if threshold is None else threshold
    out, reference = _result(Path(out)), Path(reference)
    opened = glacier_scene.open_scene(scene) if scene is not None else None
    if strata is None and opened is not None and opened.folder is not None and (opened.folder / "strata.tif").exists():
        strata = opened.folder / "strata.tif"
    ours = polygons.read(out) if out.suffix.lower() not in RASTERS else None
    date = reference_date if reference_date is not None or opened is None else opened.time
    theirs = read_outlines(reference, date=date) if reference.suffix.lower() not in RASTERS else None
    ground = polygons.read(within).geometry if within is not None else None
    _same_place(
        theirs if theirs is not None else _frame_of(reference),
        ours if ours is not None else _frame_of(out),
        opened,
        reference=reference.name,
    )
    grid = _grid(opened, reference if theirs is None else None, out if ours is None else None, strata)
    bootstrap = scene_rows.Bootstrap(seed=seed, n_resamples=n_resamples)
    rows: list[scene_rows.Row] = []
    if ours is not None and theirs is not None:
        covered = ground if ground is not None else _extent(opened.geobox) if opened is not None else None
        size = pixel_m or (float(np.mean(pixel_size_m(grid))) if grid is not None else outlines.PIXEL_M)
        rows += outlines.compare(ours, theirs, within=covered, densify_m=densify_m, pixel_m=size, bootstrap=bootstrap)
    if grid is not None:
        truth = _labelled(
            _polygon_reader(theirs, grid) if theirs is not None else _raster_reader(reference, grid, is_classes=True),
            grid,
            ground,
        )
        given = _polygon_reader(ours, grid) if ours is not None else _raster_reader(out, grid, is_probability=None)
        rules = _rules(opened, truth) if opened is not None else {}
        bits = _raster_reader(Path(strata), grid, fill=0) if strata is not None else None
        found = rasters.compare(
            given, truth, geobox=grid, strata=bits, rules=rules, threshold=threshold, bootstrap=bootstrap
        )
        rows += (
            [r for r in found if not rows or r.stratum != "all" or r.prediction != "given"]
            if ours is not None and theirs is not None
            else found
        )
    region = region or (opened.region if opened is not None and opened.region else "all")
    about = {"result": out.name, "scene": opened.name if opened else ""}
    if theirs is not None and theirs.attrs.get("lines"):
        about["reference_lines"] = "\n".join(theirs.attrs["lines"])
    return scene_rows.tidy(rows, region=region, reference=reference.name, about=about)


def date_of(text: str) -> np.datetime64 | None:
    """Return the date of ``--reference-date``, None for an empty one.

    Raises
    ------
    UsageError
        If it is no date.
    """
    if not text:
        return None
    try:
        return np.datetime64(text.rstrip("Z"), "ns")
    except ValueError as error:
        raise UsageError(f"--reference-date {text}: is no date; expected YYYY-MM-DD. Change it.") from error


def lines_of(table: pa.Table) -> list[str]:
    """Return what was chosen and cut of a reference of GLIMS, in words, of the table that :func:`run` returned."""
    about = (table.schema.metadata or {}).get(b"reference_lines", b"")
    return [line for line in about.decode().split("\n") if line] if about else []


def _result(out: Path) -> Path:
    if out.is_dir():
        found = next((out / n for n in ("probability.tif", "outlines.gpkg") if (out / n).exists()), None)
        if found is None:
            raise ProductError(
                f"{out}: holds neither probability.tif nor outlines.gpkg; expected a folder that polynya glaciers"
                " wrote. Name the file to evaluate."
            )
        return found
    if not out.exists():
        raise ProductError(f"{out.name}: no such file at {out}; expected outlines or a raster. Check the path.")
    return out


def _threshold(out: Path) -> float:
    """Return from which probability the map in a result folder, or beside a file of it, calls a pixel glacier."""
    record = (out if out.is_dir() else out.parent) / "run.json"
    if not record.is_file():
        return HALF
    config = io.read_json(record).get("config")
    found = config.get("threshold") if isinstance(config, dict) else None
    return float(found) if isinstance(found, int | float) and 0.0 < found < 1.0 else HALF


def _grid(opened: glacier_scene.Scene | None, *files: Path | str | None) -> GeoBox | None:
    if opened is not None:
        return opened.geobox
    for path in files:
        if path is not None:
            with _opened(Path(path)) as data:
                return GeoBox((data.height, data.width), data.transform, data.crs)
    return None


def check_place(reference: Path, scene: glacier_scene.Scene) -> None:
    """Reject a reference outside a scene.

    Raises
    ------
    ProductError
    """
    theirs = read_outlines(reference) if reference.suffix.lower() not in RASTERS else _frame_of(reference)
    _same_place(theirs, theirs, scene, reference=reference.name)


def _frame_of(path: Path) -> gpd.GeoDataFrame:
    with _opened(path) as data:
        return gpd.GeoDataFrame(geometry=_extent(GeoBox((data.height, data.width), data.transform, data.crs)))


def _same_place(
    theirs: gpd.GeoDataFrame, ours: gpd.GeoDataFrame, opened: glacier_scene.Scene | None, *, reference: str
) -> None:
    """Reject a reference of another place: scores of 0 would look like a bad map.

    A map may miss every glacier, so boxes that do not overlap are allowed. They are rejected where they lie further
    apart than the larger one is wide. With a scene the reference must overlap the scene.

    Raises
    ------
    ProductError
    """
    other = gpd.GeoDataFrame(geometry=_extent(opened.geobox)) if opened is not None else ours
    if not len(theirs) or not len(other) or theirs.crs is None or other.crs is None:
        return
    crs = other.crs if other.crs.is_projected else theirs.crs if theirs.crs.is_projected else theirs.estimate_utm_crs()
    boxes = [shapely.box(*f.to_crs(crs).total_bounds) for f in (theirs, other)]
    gap = shapely.distance(*boxes)
    wide = (
        0.0
        if opened is not None
        else max(float(np.hypot(b.bounds[2] - b.bounds[0], b.bounds[3] - b.bounds[1])) for b in boxes)
    )
    if not np.isfinite(gap) or gap > wide:
        far = f"{gap / 1000.0:.1f} km away" if np.isfinite(gap) else "on the other side of the earth"
        raise ProductError(
            f"{reference}: lies {far} from {opened.name if opened is not None else 'the result'}; expected a reference"
            " of the same place. Check both files and their coordinate systems."
        )


def _extent(geobox: GeoBox) -> gpd.GeoSeries:
    return gpd.GeoSeries([geobox.extent.geom], crs=geobox.crs.to_wkt())


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[rasterio.DatasetReader]:
    """Open a raster that has a coordinate system."""
    with opening.open_raster(path, expected="a GeoTIFF. Make it again") as data:
        if data.crs is None:
            raise ProductError(
                f"{path.name}: has no coordinate reference system; expected a georeferenced raster. Assign one"
                " (gdal_edit -a_srs)."
            )
        yield data


def _raster_reader(
    path: Path,
    grid: GeoBox,
    *,
    is_probability: bool | None = False,
    is_classes: bool = False,
    fill: int = UNLABELLED,
) -> Read:
    """Return a raster as a function of rows and columns of the grid; outside it is NaN (floating point) or ``fill``.
    Classes may be stored in floating point."""
    with _opened(path) as data:
        names = [d or "" for d in data.descriptions]
        if GLACIER not in names and len(names) > 1:
            raise ProductError(
                f"{path.name}: none of its {len(names)} bands is named {GLACIER} (found"
                f" {', '.join(n or 'no name' for n in names)}); expected one band, or one of that name. Give one band."
            )
        band = names.index(GLACIER) + 1 if GLACIER in names else 1
        is_float = np.issubdtype(np.dtype(data.dtypes[band - 1]), np.floating)
        nodata = data.nodatavals[band - 1]
    if is_classes or (not is_float and is_probability is None):
        masks.check(path, index=band)
    elif is_float and is_probability is False:
        raise ProductError(
            f"{path.name}: holds floating-point numbers; expected classes or bits of 0 to 255. Give the class raster."
        )
    missing: float = np.nan if is_float else fill
    source_missing = (
        missing if nodata is None or (not is_float and nodata == 0) else nodata
    )  # 0 is a class, whatever the file says

    def read(rows: slice, columns: slice) -> np.ndarray:
        with (
            opening.open_raster(path) as data,
            WarpedVRT(
                data,
                crs=grid.crs.to_wkt(),
                transform=grid.transform,
                height=int(grid.shape[0]),
                width=int(grid.shape[1]),
                resampling=Resampling.nearest,
                add_alpha=False,
                src_nodata=source_missing,
                nodata=missing,
            ) as warped,
        ):
            found = warped.read(band, window=Window.from_slices((rows.start, rows.stop), (columns.start, columns.stop)))
        return np.where(np.isfinite(found), found, UNLABELLED).astype(np.uint8) if is_float and is_classes else found

    return read


def _polygon_reader(frame: gpd.GeoDataFrame, grid: GeoBox) -> Read:
    shapes = frame.geometry.to_crs(grid.crs.to_wkt()).to_numpy()
    bounds = np.array([g.bounds for g in shapes]).reshape(-1, 4)
    return lambda rows, columns: (rasterised(shapes, grid, rows, columns, bounds=bounds) >= 0).astype(np.uint8)


def _labelled(truth: Read, grid: GeoBox, ground: gpd.GeoSeries | None) -> Read:
    """Return a truth that is unlabelled outside the ground."""
    if ground is None:
        return truth
    inside = _polygon_reader(gpd.GeoDataFrame(geometry=ground), grid)
    return lambda rows, columns: np.where(inside(rows, columns) == 1, truth(rows, columns), UNLABELLED).astype(np.uint8)


def _rules(opened: glacier_scene.Scene, truth: Read) -> dict[str, Read]:
    """Return the maps of the classical rule and of the DEM alone."""

    def scene(rows: slice, columns: slice) -> dict[str, np.ndarray]:
        return glacier_scene.read(opened, window=((rows.start, rows.stop), (columns.start, columns.stop)))

    rule, height = agreement.classical_rule(opened), opened.table.name_of("height")
    rules: dict[str, Read] = {
        "classical": lambda rows, columns: (
            ice_rules.classical(agreement.for_rules(opened, scene(rows, columns)), rule=rule).mask
        )
    }
    if height not in opened.sensors:
        return rules
    halves = _dem_halves(opened, scene, truth)

    def dem_only(rows: slice, columns: slice) -> np.ndarray:
        dem = scene(rows, columns)[height]
        found = [ice_rules.dem_only(dem, rule=rule).mask for rule in halves]
        west = np.arange(columns.start, columns.stop) < opened.shape[1] // 2
        return np.where(west, found[1], found[0])

    return {**rules, "dem_only": dem_only}


def _dem_halves(
    opened: glacier_scene.Scene, scene: Callable[[slice, slice], dict[str, np.ndarray]], truth: Read
) -> list[ice_rules.DemRule | None]:
    """Return the DEM rule fitted on the west half and on the east half; each serves the other. None (the default rule)
    where nothing is labelled."""
    step = max(1, int(np.ceil(np.sqrt(opened.shape[0] * opened.shape[1] / FIT_PIXELS))))
    west: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
    east: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
    for rows, columns in windows(opened.shape):
        dem = scene(rows, columns)[opened.table.name_of("height")][:, ::step, ::step]
        known = truth(rows, columns)[::step, ::step]
        is_west = np.arange(columns.start, columns.stop)[::step] < opened.shape[1] // 2
        for half, chosen in ((west, is_west), (east, ~is_west)):
            half[0].append(dem[:, :, chosen].reshape(2, -1))
            half[1].append(known[:, chosen].ravel())
    rules: list[ice_rules.DemRule | None] = []
    for dems, known in (west, east):
        try:
            rules.append(
                ice_rules.fit_dem_rule(np.concatenate(dems, axis=1)[:, None, :], np.concatenate(known)[None, :])
            )
        except UsageError:
            rules.append(None)
    return rules

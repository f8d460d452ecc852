"""A map of glaciers scored against outlines or a truth raster, for the report: scores by stratum beside the rules, and
the reliability diagram."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from ...errors import ProductError
from ...evaluate import rasters
from ...glaciers import outlines
from ...glaciers.attributes import rasterised
from ...io import opening
from ...scenes import masks
from ...scenes import scene as glacier_scene
from ...scenes.scene import Scene
from ..change import read_outlines
from ..evaluate import scene as evaluate_scene


@dataclass(frozen=True, kw_only=True)
class Scored:
    """Scores of a map.

    Attributes
    ----------
    table : pyarrow.Table
        Of :data:`polynya.evaluate.scene_rows.SCENE_EVALUATION`.
    reliability : list of (n, mean probability, frequency)
        Empty for a map of 0 and 1.
    """

    table: pa.Table
    reliability: list[tuple[float, float, float]]


def check(reference: Path | str, *, scene: Scene | None = None, date: np.datetime64 | None = None) -> tuple[str, ...]:
    """Check that a reference can be read and, where a scene is given, overlaps it, before any work is done.

    Parameters
    ----------
    reference : Path or str
        Outlines or a truth raster.
    scene : Scene, optional
        The scene it is for.
    date : numpy.datetime64, optional
        Of the GLIMS analyses to take.

    Returns
    -------
    tuple of str
        What was chosen and cut of GLIMS outlines, in words.

    Raises
    ------
    ProductError
        If it is missing, damaged, has no CRS, or does not overlap the scene.
    """
    path = Path(reference)
    if scene is not None:
        evaluate_scene.check_place(path, scene)
    if path.suffix.lower() not in evaluate_scene.RASTERS:
        return tuple(read_outlines(path, date=date).attrs.get("lines", ()))
    with opening.open_raster(path, expected="outlines or a truth raster. Check the file") as data:
        if data.crs is None:
            raise ProductError(
                f"{path.name}: has no coordinate reference system; expected a georeferenced raster. Assign one"
                " (gdal_edit -a_srs)."
            )
        names = [d or "" for d in data.descriptions]
    masks.check(path, index=names.index(evaluate_scene.GLACIER) + 1 if evaluate_scene.GLACIER in names else 1)
    return ()


def score(
    folder: Path,
    *,
    paths: Sequence[Path | str],
    scene: Scene,
    reference: Path | str,
    is_probability: bool,
    threshold: float | None = None,
    date: np.datetime64 | None = None,
    seed: int = 0,
) -> Scored:
    """Score ``probability.tif`` of a folder.

    Parameters
    ----------
    folder : Path
        With ``probability.tif``.
    paths : sequence of Path or str
        Files of the scene.
    scene : Scene
        The scene that was mapped.
    reference : Path or str
        Outlines, or a raster of 0 other, 1 clean ice, 2 debris-covered ice, 255 unlabelled.
    is_probability : bool
        False for a map of 0 and 1, which has no reliability.
    threshold : float, optional
        Probability from which a pixel is glacier.
    date : numpy.datetime64, optional
        Of the GLIMS analyses to take.
    seed : int
        Of the intervals.

    Raises
    ------
    ProductError
        If the reference covers another place, or labels nothing.
    """
    table = evaluate_scene.run(
        folder,
        reference=reference,
        scene=list(paths),
        region=scene.region,
        reference_date=date,
        threshold=threshold,
        seed=seed,
    )
    if not is_probability:
        return Scored(table=table, reliability=[])
    path = Path(reference)
    if path.suffix.lower() in evaluate_scene.RASTERS:

        def truth(rows: slice, columns: slice) -> np.ndarray:
            return glacier_scene.read_classes(
                scene, path, window=((rows.start, rows.stop), (columns.start, columns.stop))
            )

    else:
        shapes = read_outlines(path, date=date).geometry.to_crs(scene.geobox.crs.to_wkt()).to_numpy()
        bounds = np.array([g.bounds for g in shapes]).reshape(-1, 4)

        def truth(rows: slice, columns: slice) -> np.ndarray:
            return (rasterised(shapes, scene.geobox, rows, columns, bounds=bounds) >= 0).astype(np.uint8)

    return Scored(
        table=table,
        reliability=rasters.reliability(
            outlines.from_raster(folder / "probability.tif")[0], truth, geobox=scene.geobox
        ),
    )

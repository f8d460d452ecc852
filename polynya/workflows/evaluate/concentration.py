"""``polynya evaluate`` for sea-ice concentration: a map against a chart, another grid or an AI4Arctic scene, and
predictions of the AutoICE challenge against its references."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa

from ...errors import ProductError
from ...evaluate import scene_rows
from ...evaluate.concentration import autoice, pairs, scores
from ...evaluate.scene_rows import Bootstrap, Row
from ...io import opening
from ...metrics import Estimate
from ...readers import ai4arctic, ai4arctic_submission, ice_concentration, sigrid3_chart

VECTORS = tuple(opening.VECTOR_DRIVERS)
ENDINGS = ("_prep_reference.nc", "_reference.nc", "_prep.nc")
"""How files with the charts of a scene end, the first that is there."""


def is_concentration(out: Path | str) -> bool:
    """Tell whether a result is a map of concentration, a folder with one, or predictions of the challenge.

    Parameters
    ----------
    out : Path or str
        File or folder.
    """
    out = Path(out)
    return bool(_maps_in(out)) if out.is_dir() else _is_map(out) or ai4arctic_submission.is_submission(out)


def run(
    out: Path | str, *, reference: Path | str, region: str | None = None, seed: int = 0, n_resamples: int = 500
) -> pa.Table:
    """Score a map of concentration, or predictions of the challenge.

    Parameters
    ----------
    out : Path or str
        A grid that :func:`polynya.readers.ice_concentration.read` takes, a folder with one, or a NetCDF file with
        ``{scene}_SIC``, ``{scene}_SOD`` and ``{scene}_FLOE``.
    reference : Path or str
        An ice chart, a grid, or a scene of AI4Arctic; for predictions of several scenes a folder with
        ``{scene}_prep_reference.nc`` or ``{scene}_prep.nc``.
    region : str, optional
        What the column ``region`` says; ``all`` by default.
    seed, n_resamples : int
        Of the intervals.

    Returns
    -------
    pyarrow.Table
        Of :data:`polynya.evaluate.scene_rows.SCENE_EVALUATION`.

    Raises
    ------
    ProductError
        If a file is missing, damaged or none of these, or the two show different places.
    """
    out, reference = Path(out), Path(reference)
    bootstrap = Bootstrap(block_m=scores.BLOCK_M, seed=seed, n_resamples=n_resamples)
    if out.is_file() and ai4arctic_submission.is_submission(out):
        rows = _submission_rows(out, reference)
    else:
        found = out
        if out.is_dir():
            inside = _maps_in(out)
            if not inside:
                raise ProductError(f"{out}: holds no map of sea-ice concentration; expected one. Name the file.")
            found = inside[0]
        rows = scores.compare(_pair(found, reference), bootstrap=bootstrap)
    return scene_rows.tidy(rows, region=region or "all", reference=reference.name, about={"result": out.name})


def _pair(out: Path, reference: Path) -> scores.Pair:
    """Return map and reference on the same cells."""
    data = ice_concentration.read(out)
    if reference.is_dir():
        raise ProductError(
            f"{reference.name}: is a folder; expected an ice chart, a grid or a scene of AI4Arctic. Name the file."
        )
    if reference.suffix.lower() in VECTORS:
        return pairs.with_chart(data, sigrid3_chart.read(reference))
    if reference.suffix.lower() in ice_concentration.RASTERS or ice_concentration.is_concentration(reference):
        return pairs.with_grid(data, ice_concentration.read(reference))
    scene = ai4arctic.open_scene(_with_places(reference))
    charts = ai4arctic.read_charts(reference)
    return pairs.with_swath(data, charts, scene.swath, pixels=round(ai4arctic.PIXEL_M / scene.pixel_m))


def _with_places(reference: Path) -> Path:
    """Return the file that says where a scene's pixels lie: of a reference of charts the one beside it."""
    if ai4arctic.open_scene(reference).swath is not None:
        return reference
    beside = reference.with_name(reference.name.replace("_reference.nc", ".nc"))
    if beside == reference or not beside.is_file():
        raise ProductError(
            f"{reference.name}: says nothing of where its pixels lie, and {beside.name} is not beside it; expected the"
            " scene's …_prep.nc there. Copy it."
        )
    return beside


def _submission_rows(out: Path, reference: Path) -> list[Row]:
    """Return the challenge's scores of all scenes together, and what follows from the same counts."""
    tables: dict[str, np.ndarray] = {}
    for scene, predicted in ai4arctic_submission.read(out):
        truth = ai4arctic.read_charts(_reference_of(scene, reference))
        for chart, values in predicted.items():
            if values.shape != truth[chart].shape:
                raise ProductError(
                    f"{out.name}: {scene}_{chart} has the shape {values.shape}; expected {truth[chart].shape} of its"
                    " reference. Predict at 80 m."
                )
            tables[chart] = tables.get(chart, 0) + autoice.counts(truth[chart], values, chart=chart)
    return [*_count_rows(tables), *scores.autoice_rows(tables)]


def _count_rows(tables: Mapping[str, np.ndarray]) -> list[Row]:
    """Return RMSE, MAE and bias of the concentration, percent, everywhere and from 20 to 80 %, from its counts."""
    if "SIC" not in tables:
        return []
    c = tables["SIC"][:, :-1]
    tenths = np.arange(len(c))
    difference = 10.0 * (tenths[None, :] - tenths[:, None])
    rows = []
    for stratum, chosen in (("all", tenths >= 0), ("miz", (tenths >= 2) & (tenths <= 8))):
        part = c * chosen[:, None]
        n = part.sum()
        found = {
            "rmse": np.sqrt(_mean(part * difference**2, n)),
            "mae": _mean(part * np.abs(difference), n),
            "bias": _mean(part * difference, n),
        }
        rows += [
            Row(metric=m, estimate=_certain(v, n), units="%", stratum=stratum, name=scores.NAME)
            for m, v in found.items()
        ]
    return rows


def _mean(parts: np.ndarray, n: float) -> float:
    return float(parts.sum() / n) if n else float("nan")


def _certain(value: float, n: float) -> Estimate:
    return Estimate(value=float(value), low=np.nan, high=np.nan, n=int(n))


def _reference_of(scene: str, reference: Path) -> Path:
    if reference.is_file():
        if scene not in reference.name and ai4arctic.open_scene(reference).name != scene:
            raise ProductError(
                f"{reference.name}: is no reference of {scene}; expected a folder with {scene}{ENDINGS[0]} or"
                f" {scene}{ENDINGS[-1]}. Name the folder."
            )
        return reference
    found = next((p for e in ENDINGS if (p := reference / f"{scene}{e}").is_file()), None)
    if found is None:
        raise ProductError(
            f"{reference}: has no {scene}{ENDINGS[0]} and no {scene}{ENDINGS[-1]}; expected the references of all"
            " predicted scenes. Copy them there."
        )
    return found


def _is_map(path: Path) -> bool:
    return path.suffix.lower() in ice_concentration.GRIDS and ice_concentration.is_concentration(path)


def _maps_in(folder: Path) -> list[Path]:
    """Return the maps of a folder, NetCDF first."""
    files = [p for e in (".nc", ".nc4", ".tif", ".tiff") for p in sorted(folder.glob(f"*{e}"))]
    return [p for p in files if _is_map(p)]

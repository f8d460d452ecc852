"""Predictions in the form that the AutoICE challenge took: one NetCDF file with ``{scene}_{chart}`` for every scene.

Checked on no real file: files are written by the participants. Charts are uint8 at 80 m, as in ready-to-train files.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import ProductError, one_line
from ..io import opening
from .sigrid3_codes import CHARTS

if TYPE_CHECKING:
    import xarray

PRODUCT = "AutoICE submission"
RELEASES = ("AutoICE",)
CHECKED: tuple[str, ...] = ()
EXPECTED = "predictions of the AutoICE challenge (variables such as 20180607T184326_dmi_SIC). Check the file"
_NAME = re.compile(rf"(?P<scene>\d{{8}}T\d{{6}}_[a-z]{{3}})(?:_prep)?_(?P<chart>{'|'.join(CHARTS)})")


def is_submission(path: Path | str) -> bool:
    """Return whether a NetCDF file holds predictions by scene and chart.

    Parameters
    ----------
    path : Path or str
        Any file; one that cannot be read holds none.
    """
    try:
        with opening.open_netcdf(path, expected=EXPECTED) as data:
            return bool(_scenes(data))
    except ProductError:
        return False


def read(path: Path | str) -> Iterator[tuple[str, dict[str, np.ndarray]]]:
    """Read predictions scene by scene.

    Parameters
    ----------
    path : Path or str
        NetCDF.

    Yields
    ------
    scene : str
        ``20180607T184326_dmi``.
    charts : dict of str to numpy.ndarray of uint8, shape (lines, samples)
        Those of ``SIC``, ``SOD`` and ``FLOE`` that the file has; what is missing is 255.

    Raises
    ------
    ProductError
        If the file is damaged or holds no predictions.
    """
    path = Path(path)
    with opening.open_netcdf(path, expected=EXPECTED) as data:
        scenes = _scenes(data)
        if not scenes:
            raise ProductError(f"{path.name}: holds no prediction by scene; expected {EXPECTED}.")
        for scene, names in scenes.items():
            try:
                charts = {c: np.nan_to_num(data[n].to_numpy().squeeze(), nan=255) for c, n in names.items()}
            except (OSError, RuntimeError) as error:
                raise ProductError(
                    f"{path.name}: {scene} cannot be read ({one_line(error)[:140]}); expected {EXPECTED}."
                ) from error
            yield scene, {c: np.clip(v, 0, 255).astype(np.uint8) for c, v in charts.items()}


def _scenes(data: xarray.Dataset) -> dict[str, dict[str, str]]:
    """Return names of variables by scene and chart."""
    out: dict[str, dict[str, str]] = {}
    for name in map(str, data.data_vars):
        found = _NAME.fullmatch(name)
        if found:
            out.setdefault(found["scene"], {})[found["chart"]] = name
    return out

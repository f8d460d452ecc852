"""Files of AMSR2 beside radar scenes: which is whose, and their channels on the scene's grid."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import UsageError
from ...readers.sentinel1_grd import Product
from ...scenes import amsr2_grid
from ...sensors.radar_ice import TABLE
from .mapped import Mapper
from .trust import AMSR2

if TYPE_CHECKING:
    import xarray
    from odc.geo.geobox import GeoBox

CHANNELS = TABLE[AMSR2].band_names


def check(files: Sequence[Path | str], used: Mapper) -> None:
    """Reject files that nobody would read.

    Parameters
    ----------
    files : sequence of Path or str
        As they were given.
    used : Mapper
        What maps.

    Raises
    ------
    UsageError
        If what maps takes no AMSR2, or a file is missing.
    """
    if files and AMSR2 not in used.sensors:
        raise UsageError(
            f"--amsr2 {Path(files[0]).name}: {used.name} takes {', '.join(used.sensors)}; expected a network with the"
            f" sensor {AMSR2}. Leave --amsr2 out."
        )
    for file in files:
        if not Path(file).is_file():
            raise UsageError(f"--amsr2 {file}: no such file; expected NetCDF. Check the path.")


def assign(names: Sequence[str], files: Sequence[Path | str]) -> dict[str, str]:
    """Return the file of each scene that has one.

    Parameters
    ----------
    names : sequence of str
        Of the scenes' products.
    files : sequence of Path or str
        A single one is that of a single scene; of several the name must hold that of its scene.

    Raises
    ------
    UsageError
        If a file belongs to no scene, or two to one.
    """
    if len(names) == len(files) == 1:
        return {names[0]: str(files[0])}
    out: dict[str, str] = {}
    for file in files:
        found = next((n for n in names if n in Path(file).name), None)
        if found is None:
            raise UsageError(
                f"--amsr2 {Path(file).name}: its name holds that of no scene given; expected one like"
                f" AMSR2_{names[0]}.nc. Rename it, or map its scene alone."
            )
        if found in out:
            raise UsageError(
                f"--amsr2 {Path(file).name}: {Path(out[found]).name} is of the same scene, {found}; expected one file a"
                " scene. Leave one out."
            )
        out[found] = str(file)
    return out


def added(data: xarray.Dataset, file: str, product: Product, geobox: GeoBox) -> xarray.Dataset:
    """Return the channels of a scene with those of AMSR2 beside them.

    Parameters
    ----------
    data : xarray.Dataset
        Of :func:`polynya.scenes.radar_grid.on_grid`.
    file : str
        Path.
    product : Product
        The scene.
    geobox : odc.geo.geobox.GeoBox
        Its grid.

    Raises
    ------
    ProductError
        If the file is damaged, or of another scene.
    """
    found = amsr2_grid.on_grid(file, product, geobox, channels=CHANNELS)
    return data.assign({n: (("y", "x"), v, {"units": "K"}) for n, v in found.items()})

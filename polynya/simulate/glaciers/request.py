"""Check and run what ``polynya simulate glacier-scene`` requests: folders, tiles, or both."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import ValidationError

from ...errors import UsageError
from ...sensors.glaciers import REGIONS
from .files import append_tiles, reject_earlier_scene, write_dates
from .scene import Config, SimulatedScene, simulate_scenes


@dataclass(frozen=True, kw_only=True)
class Request:
    """The settings of :class:`.world.Config`, not yet validated; ``region`` may be ``all``."""

    region: str
    size: int
    pixel_m: float | None
    dates: int
    years_between: float | None
    dem: Path | None
    glacier_share: float | None
    debris_share: float | None
    cloud_cover: float | None
    sun_elevation: float | None
    sun_azimuth: float | None
    camera: str
    sar_shift_m: tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Outputs:
    """Paths that were written, and what was drawn for each scene."""

    paths: list[Path]
    about: list[dict[str, object]]


def run(
    request: Request,
    *,
    out: Path | None,
    tiles: Path | None,
    seed: int,
    count: int,
    overwrite: bool,
    say: Callable[[str], None] = lambda _: None,
) -> Outputs:
    """Simulate and write.

    Parameters
    ----------
    request : Request
        What to simulate.
    out : Path or None
        Folder of ``date1`` and ``date2``.
    tiles : Path or None
        HDF5 to append to.
    seed, count : int
        Seeds ``seed`` to ``seed + count - 1``; with the region ``all`` the scenes alternate between regions.
    overwrite : bool
        Replace the scene in the folder.
    say : callable
        Receives one line of progress per scene.

    Raises
    ------
    UsageError
        If options do not fit together, or a value is out of range.
    ProductError
        If the DEM cannot be used.
    OutputError
        If something cannot be written.
    """
    if out is None and tiles is None:
        raise UsageError("nothing to write; expected a folder, --tiles FILE.h5, or both. Name one.")
    if count > 1 and (out is not None or tiles is None):
        raise UsageError(
            f"--count {count}: a folder holds one scene; expected --tiles FILE.h5 alone. Leave the folder or --count"
            " out."
        )
    if request.region == "all" and count == 1:
        raise UsageError(
            f"--region all: needs --count of several scenes; expected one of {', '.join(REGIONS)}. Choose a region."
        )
    regions = list(REGIONS) if request.region == "all" else [request.region]
    configs = [_checked({**asdict(request), "region": r}) for r in regions]
    about: list[dict[str, object]] = []
    paths: list[Path] = []

    def scenes() -> Iterator[SimulatedScene]:
        for k in range(count):
            for scene in simulate_scenes(configs[k % len(configs)], seed=seed + k):
                say(
                    f"{scene.name}: {scene.pixel_m:g} m, glacier {scene.about['glacier_share']:.0%}, of it under debris"
                    f" {scene.about['debris_covered_share']:.0%}"
                )
                about.append({"name": scene.name, **scene.about})
                yield scene

    if out is None:
        append_tiles(Path(tiles or ""), scenes())
        return Outputs(paths=[Path(tiles or "")], about=about)
    if not overwrite:
        reject_earlier_scene(out)
    simulated = list(scenes())
    for written in write_dates(simulated, out, overwrite=overwrite):
        paths += written.files
    if tiles is not None:
        append_tiles(tiles, simulated)
        paths.append(Path(tiles))
    return Outputs(paths=paths, about=about)


def _checked(values: dict[str, object]) -> Config:
    if values["region"] not in REGIONS:
        raise UsageError(
            f"--region {values['region']}: does not exist; expected one of {', '.join(REGIONS)}, or all. Choose one of"
            " them."
        )
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]).replace("_", "-")
        raise UsageError(
            f"--{name} {first['input']}: does not fit ({first['msg']}); see --help for what is expected. Change it."
        ) from error

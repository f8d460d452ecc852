"""Which results of a folder make mosaics: found, checked to be of one kind, and put together by day and hemisphere."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .... import io
from ....errors import ProductError, UsageError
from ....io import atomic
from ....schema.sea_ice_maps import CONCENTRATION, QUALITY, UNCERTAINTY
from ..config import Config
from ..scene import SIMULATED

WORKFLOW, OWN = "concentration", "concentration mosaic"
ALIKE = ("pixel_m", "network", "channels", "is_denoised", "noise_scale")
"""Settings that results of one mosaic share: a mean of maps of different kinds means nothing."""
LAYERS = (CONCENTRATION.name, UNCERTAINTY.name, QUALITY.name)
HEMISPHERES = {3413: "north", 3976: "south"}


@dataclass(frozen=True, kw_only=True)
class Source:
    """A scene's map.

    Attributes
    ----------
    name : str
        Of its folder.
    folder : str
        With one GeoTIFF for each of :data:`LAYERS`.
    time : str
        Start of the scene, UTC, ISO 8601.
    origin : str
        Where its data come from, empty where its record does not say.
    is_of_simulations : bool
        Whether it was mapped by what has learned from simulated scenes alone.
    land : str
        SHA-256 of the file of its land, empty where the shipped coastline stood for it.
    """

    name: str
    folder: str
    time: str
    origin: str = ""
    is_of_simulations: bool = False
    land: str = ""

    @property
    def day(self) -> str:
        """UTC day, YYYYMMDD."""
        return self.time[:10].replace("-", "")

    def file(self, layer: str) -> Path:
        """Return the file of a layer."""
        return Path(self.folder) / f"{layer}.tif"


@dataclass(frozen=True, kw_only=True)
class Found:
    """The maps in a folder.

    Attributes
    ----------
    groups : dict of str to tuple of Source
        ``YYYYMMDD_north`` and so on, each with its scenes by time; sorted.
    about : dict
        What all share: :data:`ALIKE` and the networks.
    messages : tuple of str
        What was left out.
    """

    groups: dict[str, tuple[Source, ...]]
    about: Mapping[str, object]
    messages: tuple[str, ...]


def folder_of(out: Path | str) -> Path:
    """Return the folder with the results, which has to be on this computer.

    Parameters
    ----------
    out : Path or str
        As given with ``-o``.

    Raises
    ------
    UsageError
        If it is an address.
    """
    place = io.place(out)
    if not isinstance(place, Path):
        raise UsageError(
            f"--mosaic: {place} is an address; expected a folder on this computer, where all maps of a day can be read"
            " part by part. Copy the results, or leave --mosaic out."
        )
    return place


def check(out: Path | str, *, config: Config, names: Collection[str] = ()) -> None:
    """Raise, before scenes are mapped, where results in the folder are of another kind than those to come.

    Parameters
    ----------
    out : Path or str
        The folder.
    config : Config
        Of the scenes to come.
    names : collection of str
        Folders that they will have: what is there is left to them.

    Raises
    ------
    ProductError
        If a result has other settings.
    UsageError
        If the folder is an address.
    """
    expected = {n: io.plain(config.model_dump(mode="json")[n]) for n in ALIKE}
    for name, record in _records(folder_of(out))[0]:
        if name not in names:
            _compare(f"{name}", _settings(record), "this run", expected)


def find(out: Path | str) -> Found:
    """Return the maps of a folder by day and hemisphere.

    Parameters
    ----------
    out : Path or str
        The folder, on this computer. Folders in it that are no finished result are left out, and named.

    Raises
    ------
    ProductError
        If it holds no map, or maps of different kinds.
    UsageError
        If it is an address.
    """
    folder = folder_of(out)
    held, strange = _records(folder)
    if not held:
        raise ProductError(
            f"{folder}: holds no map of polynya concentration; expected one or more. Map scenes first, or give their"
            " folder."
        )
    first, about = held[0][0], {}
    groups: dict[str, list[Source]] = {}
    for name, record in held:
        own = _settings(record) | {"networks": dict(record["key"].get("networks") or {})}
        about = about or own
        _compare(name, own, first, about)
        source = Source(
            name=name,
            folder=str(folder / name),
            time=_time_of(name, record),
            origin=str(record["inputs"][0].get("origin", "")),
            is_of_simulations=SIMULATED in (record.get("messages") or ()),
            land=_land(record),
        )
        groups.setdefault(f"{source.day}_{_hemisphere(source)}", []).append(source)
    messages = ()
    if strange:
        shown = ", ".join(strange[:3]) + (" ..." if strange[3:] else "")
        messages = (f"Left out of mosaics, no finished result of polynya concentration: {shown}.",)
    return Found(
        groups={k: tuple(sorted(groups[k], key=lambda s: (s.time, s.name))) for k in sorted(groups)},
        about=about,
        messages=messages,
    )


def _records(folder: Path) -> tuple[list[tuple[str, dict]], list[str]]:
    """Return the folders with a finished map and their records, and the other folders, all by name."""
    held, strange = [], []
    for name in sorted(io.children(folder)):
        path = folder / name
        if name.startswith(".") or not path.is_dir():
            continue
        record = atomic.read_record(path / "run.json") or {}
        key = record.get("key")
        kind = key.get("workflow") if isinstance(key, dict) else None
        is_whole = isinstance(record.get("config"), dict) and all((path / f"{n}.tif").is_file() for n in LAYERS)
        if kind == WORKFLOW and is_whole:
            held.append((name, record))
        elif kind != OWN:
            strange.append(name)
    return held, strange


def _land(record: dict) -> str:
    inputs = record["key"].get("inputs")
    files = inputs.get("land") if isinstance(inputs, dict) else None
    return " ".join(str(f.get("sha256", "")) for f in files or () if isinstance(f, dict))


def _settings(record: dict) -> dict[str, object]:
    return {n: record["config"].get(n) for n in ALIKE}


def _compare(name: str, own: Mapping[str, object], other: str, expected: Mapping[str, object]) -> None:
    differing = next((k for k in expected if own.get(k) != expected[k]), None)
    if differing:
        raise ProductError(
            f"{name}: was mapped with {differing} {_word(own.get(differing))}, {other} with"
            f" {_word(expected[differing])}; expected maps of one kind in the folder of a mosaic. Give each kind a"
            " folder of its own with -o."
        )


def _word(value: object) -> str:
    if isinstance(value, dict):
        return " ".join(f"{k} {str(v)[:8]}" for k, v in value.items()) or "none"
    return "all" if value == [] else ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _time_of(name: str, record: dict) -> str:
    inputs = record.get("inputs")
    time = inputs[0].get("time") if isinstance(inputs, list) and inputs and isinstance(inputs[0], dict) else None
    try:
        return str(np.datetime64(str(time).rstrip("Z"), "s"))
    except ValueError as error:
        raise ProductError(
            f"{name}: run.json states no time of the scene; expected that of polynya concentration. Map it again with"
            " --overwrite."
        ) from error


def _hemisphere(source: Source) -> str:
    from ....io import opening

    file = source.file(CONCENTRATION.name)
    with opening.open_raster(file) as raster:
        epsg = raster.crs.to_epsg() if raster.crs else None
    if epsg not in HEMISPHERES:
        raise ProductError(
            f"{source.name}: {file.name} lies in {f'EPSG:{epsg}' if epsg else 'an unknown projection'}; expected"
            " EPSG:3413 or EPSG:3976. Map the scene again with --overwrite."
        )
    return HEMISPHERES[epsg]

"""Which results make a season: found, named, and checked to be of one kind."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ... import io, schema
from ...errors import ProductError, UsageError
from .granule import NAME, Item

ALIKE = ("resolution", "sea_surface", "classifier")
"""What results of one season share, as their settings have it: means over different methods mean nothing."""
CORRECTIONS = ("mss", "mss_tide_system", "tide_ocean", "tide_equilibrium", "dac", "first_photon_bias")
"""So do what is subtracted from heights: a sea surface with tides and one without have no mean."""


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """The results of a season.

    Attributes
    ----------
    items : tuple of Item
        One per granule, sorted by name.
    is_north : bool
        Where the first one lies that can be read.
    about : mapping of str to str
        What all share: resolution, sea surface method, classifier.
    messages : tuple of str
        What a user should know.
    simulated : frozenset of str
        Granules that are not satellite data.
    """

    items: tuple[Item, ...]
    is_north: bool
    about: Mapping[str, str] = field(default_factory=dict)
    messages: tuple[str, ...] = ()
    simulated: frozenset[str] = frozenset()


def find(results: Sequence[Path | str], *, sums: Path) -> Inputs:
    """Return the granules among folders, checked to be of one kind.

    Parameters
    ----------
    results : sequence of path
        Folders of granules that ``polynya freeboard`` wrote, or folders of such.
    sums : Path
        Folder of the sums: one folder per granule is made in it.

    Raises
    ------
    UsageError
        If a granule is there twice, or results differ in what decides their numbers.
    ProductError
        If a folder is missing or holds no result, or a record cannot be read.
    """
    folders = sorted({p.resolve(): p for r in results for p in _folders(Path(r))}.values(), key=lambda p: p.name)
    same: dict[str, str] = {}
    items, simulated, first = [], set(), ""
    for folder in folders:
        record = io.read_json(folder / "run.json")
        granule = _granule_of(record, folder)
        settings = _settings(record, folder)
        if not same:
            same, first = settings, folder.name
        differing = next((k for k in same if settings[k] != same[k]), None)
        if differing:
            raise UsageError(
                f"{folder.name}: has {differing.replace('_', ' ')} {settings[differing]}, but {first} has"
                f" {same[differing]}; expected results of one kind. Make them with the same options of polynya"
                " freeboard, or grid them apart."
            )
        if (record.get("inputs") or [{}])[0].get("is_simulated"):
            simulated.add(granule)
        items.append(
            Item(
                path=str(folder),
                folder=str(sums / granule),
                granule=granule,
                length_m=float(settings["resolution"]),
            )
        )
    _check_names([i.granule for i in items])
    messages = []
    if simulated:
        messages.append(f"Simulated, not satellite data: {len(simulated)} of {schema.counted(len(items), 'granule')}.")
    unnamed = [i.granule for i in items if not NAME.search(i.granule)]
    if len(unnamed) > 1:
        messages.append(
            f"No ground track and cycle in the names of {len(unnamed)} granules ({unnamed[0]} ...): each"
            " counts as a pass of its own. If two are of one pass, the uncertainty per pass is too small."
        )
    about = {k: same[k] for k in ALIKE}
    if about["sea_surface"] != "leads":
        messages.append(
            f"The sea surface is of --sea-surface {about['sea_surface']}: its uncertainty is formal and knows no doubt"
            " about leads, so the means here are less certain than they say."
        )
    items.sort(key=lambda i: i.granule)
    return Inputs(
        items=tuple(items),
        is_north=_is_north(items),
        about=about,
        messages=tuple(messages),
        simulated=frozenset(simulated),
    )


def _folders(path: Path) -> Iterable[Path]:
    if (path / "segments.parquet").is_file():
        return [path]
    inner = sorted(p.parent for p in path.glob("*/segments.parquet")) if path.is_dir() else []
    if not inner:
        what = "holds no result of polynya freeboard (segments.parquet in it, or in a folder in it)"
        raise ProductError(
            f"{path}: {what if path.exists() else 'no such folder'}; expected a folder that polynya freeboard wrote."
            " Run it first, or check the path."
        )
    return inner


def _granule_of(record: dict, folder: Path) -> str:
    inputs = record.get("inputs")
    if not isinstance(inputs, list) or not inputs or not isinstance(inputs[0], dict) or not inputs[0].get("granule"):
        raise ProductError(
            f"{folder.name}: run.json names no granule; expected that of polynya freeboard. Make the result again."
        )
    return io.folder_name(f"{inputs[0]['granule']}.h5")


def _settings(record: dict, folder: Path) -> dict[str, str]:
    config = record.get("config")
    if not isinstance(config, dict) or any(k not in config for k in ALIKE):
        raise ProductError(
            f"{folder.name}: run.json has no settings of polynya freeboard; expected them. Make the result again."
        )
    if config["resolution"] == "150ph":
        raise UsageError(
            f"{folder.name}: has segments of 150 photons, whose lengths differ; expected segments of one length, so"
            " that each stands for the same stretch. Use a result of --resolution 2, 10 or 30."
        )
    network = record.get("network")
    name = network.get("name") if isinstance(network, dict) else None
    return {
        "resolution": str(config["resolution"]),
        "sea_surface": str(config["sea_surface"]),
        "classifier": str(name or record.get("classifier") or config["classifier"]),
        **{k: _word(config.get(k)) for k in CORRECTIONS},
    }


def _word(value: object) -> str:
    """Return a setting as text; of a file its name, wherever it lies."""
    if value is None:
        return "default"
    if isinstance(value, bool):
        return "on" if value else "off"
    return Path(str(value)).name


def _check_names(names: list[str]) -> None:
    """Raise where a granule would count twice: by its name, or as two revisions of one."""
    seen: dict[str, str] = {}
    for name in names:
        found = NAME.search(name)
        what = "".join(found.groups()) if found else name
        if what in seen:
            raise UsageError(
                f"OUT: {name} is there twice{'' if seen[what] == name else f' (also as {seen[what]})'}; expected each"
                " granule once, since its segments would count twice. Leave one out."
            )
        seen[what] = name


def _is_north(items: Sequence[Item]) -> bool:
    """Return where the first granule lies that can be read; one that cannot fails alone, later."""
    first: ProductError | None = None
    for item in items:
        folder = Path(item.path)
        try:
            for _, table in io.read_beams(folder / "segments.parquet", columns=["latitude"]):
                return bool(np.median(schema.to_numpy(table["latitude"])) > 0)
            raise ProductError(f"{folder.name}: segments.parquet has no row; expected segments. Make the result again.")
        except ProductError as error:
            first = first or error
    raise first or ProductError("OUT: holds no granule; expected one or more. Run polynya freeboard first.")

"""``polynya glaciers --each``: many scenes, a folder each; what is done is skipped, what fails stops no other."""

from __future__ import annotations

import functools
import sys
from collections.abc import Sequence
from pathlib import Path

from ... import io
from ...engine.local import LocalEngine
from ...engine.protocol import DONE, SKIPPED, Engine, Record
from ...errors import UsageError
from ...predict import scenes as predict_scenes
from ...scenes import scene as glacier_scene
from .. import glaciers
from . import mapper


def run_each(
    scenes: Sequence[Path | str],
    *,
    out: Path | str,
    config: glaciers.Config | None = None,
    inventory: Path | str | None = None,
    overwrite: bool = False,
    threads: int = 2,
    engine: Engine | None = None,
    show_progress: bool = False,
) -> list[Record]:
    """Map many scenes, each into a folder of its own under ``out``; those that are there are skipped, one that fails
    stops no other.

    Parameters
    ----------
    scenes : sequence of Path or str
        A scene each.
    out : Path or str
    config : glaciers.Config, optional
    inventory : Path or str, optional
    overwrite : bool
    threads : int
    engine : Engine, optional
        The local engine, one scene at a time, by default.
    show_progress : bool
        A line a scene on stderr.

    Returns
    -------
    list of Record

    Raises
    ------
    UsageError
        If two scenes have one name.
    """
    names = folder_names(scenes)
    task = functools.partial(
        process,
        out=str(out),
        names=names,
        config=config or glaciers.Config(),
        inventory=None if inventory is None else str(inventory),
        overwrite=overwrite,
        threads=threads,
    )
    records = []
    for record in (engine or LocalEngine(workers=1)).map(task, list(names)):
        records.append(record)
        if show_progress:
            print(
                f"{len(records)}/{len(names)} {names[record.item]}: {record.status} {record.message}",
                file=sys.stderr,
                flush=True,
            )
    return records


def folder_names(scenes: Sequence[Path | str]) -> dict[str, str]:
    """Return a folder's name for every scene: its file name, with as many parents before it as make all names
    different.

    Raises
    ------
    UsageError
        If a scene is given twice.
    """
    endings = (".SAFE", ".json", ".tif", ".tiff")
    whole = {str(s): Path(s).resolve().parts for s in scenes}
    if len(set(whole.values())) < len(scenes):
        doubled = next(
            str(s) for k, s in enumerate(scenes) if Path(s).resolve() in [Path(t).resolve() for t in list(scenes)[:k]]
        )
        raise UsageError(f"--each: {doubled} is given twice; expected different scenes. Give it once.")
    for depth in range(1, max(map(len, whole.values()), default=1) + 1):
        names = {s: "_".join(parts[-depth:]).strip("/_") for s, parts in whole.items()}
        names = {s: next((n.removesuffix(e) for e in endings if n.endswith(e)), n) for s, n in names.items()}
        if len(set(names.values())) == len(names):
            break
    return names


def process(
    item: str,
    *,
    out: str,
    names: dict[str, str],
    config: glaciers.Config,
    inventory: str | None,
    overwrite: bool,
    threads: int,
) -> Record:
    """Map one scene of many: the task that engines repeat. A result of the same scene, settings, networks and inventory
    is not made again."""
    folder = Path(out) / names[item]
    if (folder / "run.json").exists() and not overwrite:
        held = io.read_json(folder / "run.json")
        scene = glacier_scene.open_scene(item)
        found = [
            [n.get("sha256") for n in held["network"]],
            held["config"],
            [(i["paths"], i["scene"], i["time"], i["inventory"]) for i in held["inputs"]],
        ]
        own = (
            [Path(item).name],
            scene.name,
            None if scene.time is None else str(scene.time),
            Path(inventory).name if inventory else None,
        )
        if found == [_digests(config), io.plain(config.model_dump()), [own]]:
            return Record(item, SKIPPED, "was done before", {"folder": str(folder)})
        raise UsageError(
            f"{folder}: holds a result with other settings, network or inventory, or of another scene; expected the"
            " same. Pass --overwrite to replace it, or choose another folder with -o."
        )
    result = glaciers.run([item], out=folder, config=config, inventory=inventory, overwrite=overwrite, threads=threads)
    return Record(
        item,
        DONE,
        glaciers.total_text(result.total, result.n_outlines),
        {"folder": str(folder)},
        {"area_km2": result.total.value, "outlines": result.n_outlines},
    )


def _digests(config: glaciers.Config) -> list[str | None]:
    """Return the hashes of the networks that a configuration names, as run.json has them."""
    if config.network == (mapper.RULE,):
        return [None]
    paths = [mapper.located(n) for n in config.network]
    return [
        predict_scenes.load(mapper.with_dropout(p) if config.draws > 1 else p, runtime=config.runtime).sha256
        for p in paths
    ]


def records_text(records: Sequence[Record]) -> str:
    """Return what became of many scenes, for people."""
    return "\n".join(
        f"{Path(r.item).name}: {r.status}; {r.message}" + (f" -> {r.outputs['folder']}" if r.outputs else "")
        for r in records
    )

"""``polynya glaciers --each``: many scenes, one folder each; finished ones are skipped, a failure stops no other."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ... import engine as engines
from ... import io
from ...engine.protocol import DONE, SKIPPED, Engine, Record
from ...errors import UsageError
from ...io import archives
from ...report import terminal
from .. import glaciers, run_page


@dataclass(frozen=True, kw_only=True)
class SceneItem:
    """One scene of many.

    Attributes
    ----------
    path : str
        As given on the command line.
    folder : str
        Where its results go.
    """

    path: str
    folder: str

    @property
    def name(self) -> str:
        """The path."""
        return self.path

    @property
    def place(self) -> str:
        """Where its result goes."""
        return self.folder


def run_each(
    scenes: Sequence[Path | str],
    *,
    out: Path | str,
    config: glaciers.Config | None = None,
    inventory: Path | str | None = None,
    overwrite: bool = False,
    threads: int = 2,
    engine: Engine | str = engines.DEFAULT,
    show_progress: bool = False,
) -> list[Record]:
    """Map many scenes, each into a folder of its own; finished ones are skipped, a failure stops no other scene.

    Parameters
    ----------
    scenes : sequence of Path or str
        One path or address per scene.
    out : Path or str
        Folder of the scenes' folders, or its address.
    config : glaciers.Config, optional
        Settings.
    inventory : Path or str, optional
        RGI or GLIMS outlines.
    overwrite : bool
        Replace earlier results.
    threads : int
        Windows at a time.
    engine : Engine or str
        What runs the scenes, or its name: see :func:`polynya.engine.load`. The local engine maps one scene at a time.
    show_progress : bool
        One line per scene on stderr.

    Returns
    -------
    list of Record

    Raises
    ------
    UsageError
        If two scenes have one name, a name is no folder's, or there is no such engine.
    """
    names = folder_names(scenes)
    below = io.place(out)
    io.check_writable(below)
    items = [SceneItem(path=s, folder=str(below / n)) for s, n in names.items()]
    task = functools.partial(
        process,
        config=config or glaciers.Config(),
        inventory=None if inventory is None else str(inventory),
        overwrite=overwrite,
        threads=threads,
    )
    if isinstance(engine, str):
        engine = engines.load(engine, workers=1)
    records = []
    with terminal.progress(len(items), show=show_progress) as bar:
        for record in engine.map(task, items):
            records.append(record)
            bar.advance(text=names[record.item])
            bar.line(f"{len(records)}/{len(items)} {names[record.item]}: {record.status} {record.message}")
    folders = {i.name: i.folder for i in items}
    run_page.write(records, out=out, command="glaciers", results=folders, quantity=run_page.GLACIER_AREA)
    return records


def folder_names(scenes: Sequence[Path | str]) -> dict[str, str]:
    """Return a folder's name for every scene: its file name, with as many parents before it as make all names differ.

    Parameters
    ----------
    scenes : sequence of Path or str
        One path per scene.

    Raises
    ------
    UsageError
        If a scene is given twice, or its name cannot be that of a folder.
    """
    endings = (*archives.ENDINGS[::-1], ".json", ".tif", ".tiff", ".SAFE")
    parts_of = [_parts(str(s)) for s in scenes]
    whole = {str(s): parts for s, parts in zip(scenes, parts_of, strict=True)}
    if len(set(parts_of)) < len(scenes):
        doubled = next(str(s) for k, s in enumerate(scenes) if parts_of[k] in parts_of[:k])
        raise UsageError(f"--each: {doubled} is given twice; expected different scenes. Give it once.")
    for depth in range(1, max(map(len, whole.values()), default=1) + 1):
        names = {s: "_".join(parts[-depth:]).strip("/_") for s, parts in whole.items()}
        for ending in endings:
            names = {s: n.removesuffix(ending) for s, n in names.items()}
        if len(set(names.values())) == len(names):
            break
    for scene, name in names.items():
        if name.strip() in ("", ".", ".."):
            raise UsageError(
                f"--each: {scene} gives the folder name '{name}'; expected a scene with a name. Rename it."
            )
    return names


def _parts(scene: str) -> tuple[str, ...]:
    """Return the names that a path or an address consists of."""
    if io.is_address(scene):
        return tuple(p for p in re.sub(r"[?#].*$", "", scene).split("/") if p)
    return Path(scene).resolve().parts


def process(
    item: SceneItem, *, config: glaciers.Config, inventory: str | None, overwrite: bool, threads: int
) -> Record:
    """Map one scene of many: the task that engines repeat.

    Parameters
    ----------
    item : SceneItem
        The scene and its folder.
    config : glaciers.Config
        Settings.
    inventory : str or None
        RGI or GLIMS outlines.
    overwrite : bool
        Replace an earlier result.
    threads : int
        Windows at a time.

    Returns
    -------
    Record

    Raises
    ------
    PolynyaError
        If the scene cannot be read, or the folder holds another result or something else.
    """
    folder = item.folder
    outputs = {"folder": item.folder}
    if not overwrite and glaciers.done_before([item.path], out=folder, config=config, inventory=inventory) is not None:
        return Record(item=item.name, status=SKIPPED, message="was done before", outputs=outputs)
    result = glaciers.run(
        [item.path], out=folder, config=config, inventory=inventory, overwrite=overwrite, threads=threads
    )
    return Record(
        item=item.name,
        status=DONE,
        message=glaciers.total_text(result.total, result.n_outlines),
        outputs=outputs,
        numbers={"area_km2": result.total.value, "outlines": result.n_outlines},
    )


def records_text(records: Sequence[Record]) -> str:
    """Return what became of many scenes, for people.

    Parameters
    ----------
    records : sequence of Record
        As :func:`run_each` gives them.
    """
    return "\n".join(
        f"{Path(r.item).name}: {r.status}; {r.message}" + (f" -> {r.outputs['folder']}" if r.outputs else "")
        for r in records
    )

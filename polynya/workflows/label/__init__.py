"""Labels for tracks: a granule and the scene under it, or a simulated granule and its truth; one pair or many.

The story of one pair is :mod:`.pair`. Beside ``NAME.parquet`` go ``NAME.run.json`` and, with a scene,
``NAME_shift.html``, the picture that shows whether the shift is right.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ... import engine as engines
from ... import io, schema
from ...engine.protocol import DONE, SKIPPED, Engine, Record
from ...errors import ProductError, UsageError
from ...report import terminal
from .. import run_page
from .config import Config
from .pairs import COLUMNS, FILES, Pair, read_pairs

if TYPE_CHECKING:
    from .pair import Labels

__all__ = ["COLUMNS", "Config", "Pair", "process", "read_pairs", "run"]


def run(
    pairs: Sequence[Pair],
    *,
    config: Config | None = None,
    workers: int = 0,
    overwrite: bool = False,
    engine: Engine | str = engines.DEFAULT,
    show_progress: bool = False,
) -> list[Record]:
    """Label pairs, each into its own file.

    Parameters
    ----------
    pairs : sequence of Pair
        Each with an output of its own.
    config : Config, optional
        How labels are made.
    workers : int
        Pairs at a time; 0: one per core.
    overwrite : bool
        Label finished pairs again.
    engine : Engine or str
        What runs the pairs, or its name: see :func:`polynya.engine.load`.
    show_progress : bool
        A progress bar on stderr.

    Returns
    -------
    list of Record
        In the order given; failures are records, not exceptions.

    Raises
    ------
    UsageError
        If two pairs have the same output, an output is no name of a file, or there is no such engine.
    """
    config = config or Config()
    outs = {p.out for p in pairs}
    if len(outs) < len(pairs):
        raise UsageError("PAIRS: two pairs go to one file; expected an output each. Name them differently.")
    for out in map(io.place, sorted(outs)):
        if out.suffix != ".parquet" or out.is_dir():
            raise UsageError(
                f"-o {out}: is {'a folder' if out.is_dir() else 'no name of a Parquet file'}; expected a file to write,"
                f" ending in .parquet. Name it {out.stem or 'labels'}.parquet."
            )
        blocked = next((p for p in out.parents if p.exists() and not p.is_dir()), None)
        if blocked is not None:
            raise UsageError(
                f"-o {out}: {blocked.name} is a file; expected a folder to write into. Choose another place."
            )
    folder = io.common_folder([io.place(p.out) for p in pairs])
    io.check_writable(folder)
    cores = workers or engines.cores()
    if isinstance(engine, str):
        engine = engines.load(engine, workers=min(cores, len(pairs)))
    task = functools.partial(process, config=config, overwrite=overwrite)
    records = {}
    with terminal.progress(len(pairs), show=show_progress and len(pairs) > 1) as bar:
        for record in engine.map(task, pairs):
            records[record.item] = record
            bar.advance(text=f"{Path(record.item).stem[:40]} {record.status}")
    found = [records[p.name] for p in pairs]
    tables = {p.name: p.out for p in pairs}
    run_page.write(found, out=folder, command="label", results=tables, quantity=run_page.LABELS)
    return found


def process(pair: Pair, *, config: Config, overwrite: bool = False) -> Record:
    """Label one pair: the task that engines repeat.

    Parameters
    ----------
    pair : Pair
        Inputs and output.
    config : Config
        How labels are made.
    overwrite : bool
        Replace an earlier result.

    Returns
    -------
    Record

    Raises
    ------
    PolynyaError
        If an input cannot be read, the two do not fit each other, or the output cannot be written.
    """
    out = io.place(pair.out)
    outputs = {"labels": str(out), "run": str(out.with_name(f"{out.stem}.run.json"))}
    if pair.image:
        outputs["picture"] = str(out.with_name(f"{out.stem}_shift.html"))
    key = pair.key(config)
    old = _finished(outputs, key, overwrite=overwrite)
    if old is not None:
        numbers = old.get("numbers", {})
        return Record(item=pair.name, status=SKIPPED, message=f"done before: {out}", outputs=outputs, numbers=numbers)
    with contextlib.ExitStack() as fetched:
        there = {r: t for r in FILES if io.is_address(t := getattr(pair, r))}
        pair = dataclasses.replace(pair, **{r: str(fetched.enter_context(io.fetched(t))) for r, t in there.items()})
        return _label(pair, key=key, outputs=outputs, config=config)


def _label(pair: Pair, *, key: io.Key, outputs: dict[str, str], config: Config) -> Record:
    """Label a pair whose files are on this computer, and write what comes of it."""
    from ...labels import corrections
    from . import pair as label_pair

    started = time.perf_counter()
    with io.hashing(key) as hashed:
        corrected = corrections.read(pair.corrections) if pair.corrections else []
        if pair.truth:
            labels = label_pair.from_truth(pair.granule, pair.truth, beams=config.beams, corrected=corrected)
        else:
            labels = label_pair.from_image(
                pair.granule, pair.image, config=config, shift=pair.shift, corrected=corrected
            )
        seconds = time.perf_counter() - started
        numbers = _numbers(labels) | {
            "seconds": seconds,
            "read_seconds": labels.read_seconds,
            "label_seconds": seconds - labels.read_seconds,
        }
        _write(labels, outputs, key=hashed(), config=config, numbers=numbers, size=Path(pair.granule).stat().st_size)
    return Record(item=pair.name, status=DONE, message="\n".join(labels.notes), outputs=outputs, numbers=numbers)


def _finished(outputs: dict[str, str], key: io.Key, *, overwrite: bool) -> dict | None:
    """Return the record of a pair that is done; None where it is to be done, after a check of what would be replaced.

    A table is written last: while it is missing, what a stopped run left beside it may be replaced.
    """
    out, run = io.place(outputs["labels"]), io.place(outputs["run"])
    held = io.finished(run, key) if out.exists() and not overwrite else None
    if held is not None and _digest_in(out) == held.get("digest"):
        return held
    files = [io.place(p) for name, p in outputs.items() if name != "run"]
    io.check_files(files, record=run, overwrite=overwrite or not out.exists())
    return None


def _digest_in(table: io.Place) -> str | None:
    """Return what a table of labels says of its record; None for another file."""
    try:
        metadata = io.table_metadata(table)
    except ProductError:
        return None
    return metadata.get(b"digest", b"").decode() if metadata.get(b"polynya_table") == b"labels" else None


def _write(
    labels: Labels, outputs: dict[str, str], *, key: dict, config: Config, numbers: dict[str, float], size: int
) -> None:
    """Write the record, the picture, and last the table: a pair is done when its table is there."""
    from ...report import label as report

    out, run = io.place(outputs["labels"]), io.place(outputs["run"])
    files = [io.place(p) for name, p in outputs.items() if name != "run"]
    digest = io.digest_of(key)
    about = {k: v for k, v in labels.about.items() if k not in ("granule", "product", "release", "polynya", "scene")}
    record = io.run_record(
        command=io.command_line(),
        config=config.model_dump(mode="json"),
        inputs=_inputs(labels, size),
        seed=config.seed,
        key=key,
        digest=digest,
        contents=[p.name for p in files],
        labels=about,
        numbers=numbers,
        messages=list(labels.notes),
    )
    # Another worker may finish this pair meanwhile: files get their names when all are whole, the table's last.
    with io.writing(out) as table, contextlib.ExitStack() as beside:
        about_table = {**labels.about, "digest": digest}
        with contextlib.closing(io.TableWriter(table, spec=schema.LABELS, about=about_table)) as writer:
            writer.write(labels.table)
        parts = {out.name: table}
        if labels.scene is not None:
            picture = io.place(outputs["picture"])
            parts[picture.name] = beside.enter_context(io.writing(picture))
            report.write(
                parts[picture.name],
                table=labels.table,
                darkness=labels.darkness,
                about=labels.about,
                shift=labels.shift,
                scene=labels.scene,
                notes=labels.notes,
            )
        io.write_json(record, beside.enter_context(io.writing(run)), files=parts)


def _inputs(labels: Labels, size: int) -> list[dict[str, object]]:
    """Return what run.json says of granule and scene."""
    granule, scene = labels.granule, labels.scene
    inputs: list[dict[str, object]] = [
        {
            "granule": granule.granule_id,
            "product": granule.product,
            "release": granule.release,
            "size": size,
            "notes": [n.text for n in granule.notes],
        }
    ]
    if scene is not None:
        inputs.append(
            {
                "scene": scene.scene_id,
                "product": scene.product,
                "time": str(scene.time),
                "notes": [n.text for n in scene.notes],
            }
        )
    return inputs


def _numbers(labels: Labels) -> dict[str, float]:
    counts = labels.about["label_counts"]
    n = labels.table.num_rows
    numbers = {
        "n_segments": float(n),
        "n_labelled": float(n - counts["unlabelled"]),
        **{f"n_{k}": float(v) for k, v in counts.items()},
    }
    for name in ("shift_east_m", "shift_north_m", "shift_confidence", "is_shift_sure", "minutes"):
        if name in labels.about:
            numbers[name] = float(labels.about[name])
    numbers["is_shift_given"] = float(labels.about["shift_source"] in ("command", "person"))
    numbers["n_corrections"] = float(labels.about["n_corrections"])
    flags = labels.about["flag_counts"]
    return numbers | {f"flag_{k}": float(v) for k, v in flags.items() if k != "labelled"}

"""Labels for tracks: a granule and the scene under it, or a simulated granule and its truth; one pair or many.

The story of one pair is :mod:`.label_pair`. Beside ``NAME.parquet`` go ``NAME.run.json`` and, with a scene,
``NAME_shift.html``, the picture that shows whether the shift is right.
"""

from __future__ import annotations

import csv
import functools
import hashlib
import json
import math
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from ... import io, schema
from ...engine.local import LocalEngine
from ...engine.protocol import DONE, SKIPPED, Engine, Record
from ...errors import OutputError, ProductError, UsageError, one_line
from ...report import terminal
from ..options import validated

COLUMNS = ("granule", "image", "truth", "shift_east", "shift_north", "corrections", "name")
"""Columns of a table of pairs; ``granule`` and one of ``image`` and ``truth`` must be there."""


class Config(BaseModel):
    """How labels are made. Frozen; unknown keys are refused.

    Attributes
    ----------
    beams : str
        ``strong`` (default), ``all``, ``weak`` or names with commas.
    max_shift_m : float
        Largest shift that is looked for, east and north.
    max_minutes : float
        Largest time between granule and scene.
    method, cloud_mask : str
        How the scene is classified, see ``polynya segment --help``.
    weights : str, optional
        ONNX file of the network, for ``unet``.
    image_time : str, optional
        UTC, for scenes that do not say when they were taken.
    seed : int
        Of the draws behind the shift's standard error.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    beams: str = "strong"
    max_shift_m: float = Field(default=1000.0, ge=50.0, le=5000.0)
    max_minutes: float = Field(default=80.0, ge=0.0)
    method: Literal["published", "filtered", "percentile", "sun", "unet"] = "published"
    cloud_mask: Literal["auto", "scl", "s2cloudless", "none"] = "auto"
    weights: str | None = None
    image_time: str | None = None
    seed: int = 0

    @classmethod
    def checked(cls, **values: object) -> Config:
        """Build a configuration, or raise :class:`UsageError` that names the option.

        Raises
        ------
        UsageError
            If a value does not exist or does not fit.
        """
        config = validated(cls, values, command="label")
        config.scene_time()
        return config

    def scene_time(self) -> np.datetime64 | None:
        """Return ``image_time`` as datetime64[ns], None where it is not given."""
        if self.image_time is None:
            return None
        try:
            return np.datetime64(self.image_time.removesuffix("Z"), "ns")
        except ValueError as error:
            raise UsageError(
                f"--image-time {self.image_time}: {error}; expected UTC as YYYY-MM-DDTHH:MM:SS."
            ) from error


@dataclass(frozen=True)
class Pair:
    """What one label table is made from: paths as text, and where it goes.

    Attributes
    ----------
    granule : str
    out : str
        The table's file.
    image, truth : str
        One of them; the other is empty.
    shift : tuple of float, optional
        East and north, m; estimated where it is not given.
    corrections : str
        File of a person's corrections, or empty.
    """

    granule: str
    out: str
    image: str = ""
    truth: str = ""
    shift: tuple[float, float] | None = None
    corrections: str = ""


def read_pairs(path: Path | str, *, out: Path | str) -> list[Pair]:
    """Read a table of pairs (CSV with a head); relative paths are relative to the table.

    Parameters
    ----------
    path : Path or str
        Columns of :data:`COLUMNS`.
    out : Path or str
        Folder of the label tables, each named as its granule, or as the column ``name`` says.

    Returns
    -------
    list of Pair

    Raises
    ------
    ProductError
        If it cannot be read.
    UsageError
        If a column, a cell or a name does not fit.
    """
    path = Path(path)
    try:
        with path.open(newline="", encoding="utf-8-sig") as handle:
            reader = csv.DictReader(handle)
            rows, names = list(reader), [n.strip() for n in reader.fieldnames or []]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ProductError(
            f"{path.name}: cannot be read ({one_line(error)}); expected a table of pairs as CSV. Check the path."
        ) from error
    unknown = [n for n in names if n not in COLUMNS]
    if unknown or "granule" not in names or not {"image", "truth"} & set(names):
        raise UsageError(
            f"{path.name}: columns {', '.join(names) or 'none'}; expected granule, image (or truth), and perhaps"
            f" {', '.join(COLUMNS[3:])}. Mend its first line."
        )
    pairs = [_pair(path, number, row, Path(out)) for number, row in enumerate(rows, start=2)]
    outs = [p.out for p in pairs]
    double = sorted({Path(o).stem for o in outs if outs.count(o) > 1})
    if double:
        raise UsageError(
            f"{path.name}: {', '.join(double[:3])} occurs more than once; expected names that differ, since each pair"
            " gets its own file. Add a column name."
        )
    if not pairs:
        raise UsageError(f"{path.name}: holds no pair; expected a line each below the head. Add them.")
    return pairs


def _pair(path: Path, number: int, row: dict[str | None, object], out: Path) -> Pair:
    cells = {str(k).strip(): str(v or "").strip() for k, v in row.items() if k is not None}
    where = f"{path.name} line {number}"
    if not cells.get("granule") or bool(cells.get("image")) == bool(cells.get("truth")):
        raise UsageError(
            f"{where}: granule '{cells.get('granule', '')}', image '{cells.get('image', '')}', truth"
            f" '{cells.get('truth', '')}'; expected a granule and one of the others. Mend the line."
        )
    shift = None
    if cells.get("shift_east") or cells.get("shift_north"):
        try:
            shift = (float(cells.get("shift_east", "")), float(cells.get("shift_north", "")))
        except ValueError:
            shift = (math.nan, math.nan)
        if not all(math.isfinite(v) for v in shift):
            raise UsageError(
                f"{where}: shift_east '{cells.get('shift_east', '')}', shift_north '{cells.get('shift_north', '')}';"
                " expected two numbers in metres, or both empty. Mend the line."
            )
    here = {
        k: str(path.parent / cells[k]) if cells.get(k) else "" for k in ("granule", "image", "truth", "corrections")
    }
    name = cells.get("name") or Path(cells["granule"]).stem
    if Path(name).name != name:
        raise UsageError(f"{where}: name '{name}'; expected a plain file name. Mend the line.")
    return Pair(here["granule"], str(out / f"{name}.parquet"), here["image"], here["truth"], shift, here["corrections"])


def run(
    pairs: Sequence[Pair],
    *,
    config: Config | None = None,
    workers: int = 0,
    overwrite: bool = False,
    engine: Engine | None = None,
    show_progress: bool = False,
) -> list[Record]:
    """Label pairs, each into its own file.

    Parameters
    ----------
    pairs : sequence of Pair
    config : Config, optional
    workers : int
        Pairs at a time; 0: one per core.
    overwrite : bool
        Do finished pairs again.
    engine : Engine, optional
        The local engine by default.
    show_progress : bool
        A progress bar on stderr.

    Returns
    -------
    list of Record
        In the order given; failures are records, not exceptions.

    Raises
    ------
    UsageError
        If two pairs have one output.
    """
    config = config or Config()
    known = {p.out: p for p in pairs}
    if len(known) < len(pairs):
        raise UsageError("PAIRS: two pairs go to one file; expected an output each. Name them differently.")
    for out in map(Path, known):
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
    cores = workers or (len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
    engine = engine or LocalEngine(workers=min(cores, len(pairs)))
    task = functools.partial(process, pairs=known, config=config, overwrite=overwrite)
    records = {}
    with terminal.progress(len(pairs), show=show_progress) as advance:
        for record in engine.map(task, list(known)):
            records[record.item] = record
            advance(record)
    return [records[i] for i in known]


def process(item: str, *, pairs: dict[str, Pair], config: Config, overwrite: bool = False) -> Record:
    """Label one pair: the task that engines repeat.

    Parameters
    ----------
    item : str
        Key of ``pairs``: the output file.
    pairs : dict of str to Pair
    config : Config
    overwrite : bool

    Returns
    -------
    Record

    Raises
    ------
    PolynyaError
        If an input cannot be read, the two do not fit each other, or the output cannot be written.
    """
    from ...labels import corrections
    from ...report import label as report
    from . import pair as label_pair

    started = time.perf_counter()
    pair, out = pairs[item], Path(item)
    outputs = {"labels": str(out), "run": str(out.with_name(f"{out.stem}.run.json"))}
    if pair.image:
        outputs["picture"] = str(out.with_name(f"{out.stem}_shift.html"))
    digest = _digest(pair, config)
    if not overwrite and out.exists():
        old = _finished(out, outputs, digest)
        if old is None:
            raise OutputError(
                f"{out.name}: {out} is there already, of other settings, other inputs or another program; expected a"
                " new file, or the result of this command. Pass --overwrite, or another -o."
            )
        return Record(item, SKIPPED, f"done before: {out}", outputs=outputs, numbers=old.get("numbers", {}))
    corrected = corrections.read(pair.corrections) if pair.corrections else []
    if pair.truth:
        found = label_pair.from_truth(pair.granule, pair.truth, beams=config.beams, corrected=corrected)
    else:
        found = label_pair.from_image(
            pair.granule,
            pair.image,
            beams=config.beams,
            shift=pair.shift,
            max_shift_m=config.max_shift_m,
            max_minutes=config.max_minutes,
            image_time=config.scene_time(),
            method=config.method,
            cloud_mask=config.cloud_mask,
            weights=config.weights,
            corrected=corrected,
            seed=config.seed,
        )
    numbers = _numbers(found) | {"seconds": time.perf_counter() - started}
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"{out}: its folder cannot be made ({one_line(error)}); expected one that can be written to. Choose another"
            " with -o."
        ) from error
    is_new = not out.exists()
    try:
        if found.scene is not None:
            report.write(
                Path(outputs["picture"]),
                table=found.table,
                darkness=found.darkness,
                about=found.about,
                shift=found.shift,
                scene=found.scene,
                notes=found.notes,
            )
        inputs: list[dict[str, object]] = [
            {
                "granule": found.granule.granule_id,
                "product": found.granule.product,
                "release": found.granule.release,
                "size": Path(pair.granule).stat().st_size,
                "notes": [n.text for n in found.granule.notes],
            }
        ]
        if found.scene is not None:
            inputs.append(
                {
                    "scene": found.scene.scene_id,
                    "product": found.scene.product,
                    "time": str(found.scene.time),
                    "notes": list(found.scene.notes),
                }
            )
        record = io.run_record(
            command=io.command_line(),
            config=config.model_dump(mode="json"),
            inputs=inputs,
            seed=config.seed,
            digest=digest,
            labels={
                k: v for k, v in found.about.items() if k not in ("granule", "product", "release", "polynya", "scene")
            },
            numbers=numbers,
            messages=list(found.notes),
        )
        io.write_json(record, Path(outputs["run"]))
        io.write_table(
            found.table, out, spec=schema.LABELS, about={**found.about, "digest": digest}
        )  # last: a pair is done when its table is there
    except BaseException:  # also when stopped: what lies beside a table that never came is taken away
        if is_new:
            for name in ("picture", "run"):
                if name in outputs:
                    Path(outputs[name]).unlink(missing_ok=True)
        raise
    return Record(item, DONE, " ".join(found.notes), outputs=outputs, numbers=numbers)


def _finished(out: Path, outputs: dict[str, str], digest: str) -> dict | None:
    """Return the run.json of a table that was made from the same inputs with the same settings, else None."""
    try:
        metadata = io.read_table(out, columns=["label"]).schema.metadata or {}
        if metadata.get(b"polynya_table") != b"labels" or metadata.get(b"digest", b"").decode() != digest:
            return None
        return io.read_json(outputs["run"]) if Path(outputs["run"]).exists() else {}
    except ProductError:
        return None


def _digest(pair: Pair, config: Config) -> str:
    """Hash of what decides the labels: settings, and names, sizes and times of the inputs; of a folder (SAFE), of every
    file in it."""
    parts: list[object] = [config.model_dump(mode="json"), pair.shift]
    for text in (pair.granule, pair.image, pair.truth, pair.corrections, config.weights or ""):
        path = Path(text)
        if text and path.exists():
            files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
            parts.append(
                [path.name, [[str(p.relative_to(path)), p.stat().st_size, p.stat().st_mtime_ns] for p in files]]
            )
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def _numbers(found: object) -> dict[str, float]:
    counts = found.about["label_counts"]
    n = found.table.num_rows
    numbers = {
        "n_segments": float(n),
        "n_labelled": float(n - counts["unlabelled"]),
        **{f"n_{k}": float(v) for k, v in counts.items()},
    }
    for name in ("shift_east_m", "shift_north_m", "shift_confidence", "is_shift_sure", "minutes"):
        if name in found.about:
            numbers[name] = float(found.about[name])
    numbers["is_shift_given"] = float(found.about["shift_source"] in ("command", "person"))
    numbers["n_corrections"] = float(found.about["n_corrections"])
    flags = found.about["flag_counts"]
    return numbers | {f"flag_{k}": float(v) for k, v in flags.items() if k != "labelled"}

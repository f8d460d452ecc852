"""Many results against their references: the pairs of a table, each with a table of scores of its own."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from ... import engine as engines
from ... import io, schema
from ...engine.protocol import DONE, FAILED, SKIPPED, Engine, Record
from ...errors import ProductError, UsageError
from ...evaluate import scene_rows
from ...io import atomic, pairs
from .. import each, run_page

RESULTS_VERSION = 1
"""Raised only when the same inputs and settings give other scores."""
COLUMNS = ("result", "reference", "scene", "strata", "within", "region", "name")
"""Columns of a table of pairs; the first two must be there, those in between are of glaciers."""
FILES = ("result", "reference", "scene", "strata", "within")
TRACK_TABLES = ("segments.parquet", "leads.parquet", "sea_surface.parquet")
SCORES = "scores.parquet"
"""All scores of a batch, with the column ``result``."""

TRACK_NUMBERS = {
    "macro_f1": ("macro_f1", "all", ("truth", "{}: nearest segment")),
    "freeboard_bias": ("freeboard_bias", "all", ("truth: footprint mean", "{}: segment extents")),
    "freeboard_rmse": ("freeboard_rmse", "all", ("truth: footprint mean", "{}: segment extents")),
    "inside_1sigma": ("freeboard_coverage_1sigma", "all", ("truth: footprint mean", "{}: segment extents")),
}
"""Numbers of one result that a batch prints: metric, class, and against what, a truth or a product."""
MAP_NUMBERS = ("r2", "rmse", "mae", "bias")
"""Of maps of concentration, over all cells; in percent but for the first."""
LEAD_NUMBERS = ("f1", "precision", "recall", "pr_auc", "coverage")
"""Of leads along tracks of echoes."""
TAG_NUMBERS = ("macro_f1", "micro_auroc", "coverage_at_95_percent")
"""Of tags of imagettes."""
SCENE_NUMBERS = ("iou", "f1", "precision", "recall", "area_deviation")
_COUNTS = {
    "freeboard_bias": "n_compared",
    "iou": "n_compared",
    "r2": "n_compared",
    "coverage": "n_compared",
    "micro_auroc": "n_compared",
}


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A result and what it is compared with: paths as text, and where the scores go; an item of an engine.

    Attributes
    ----------
    result, reference : str
    out : str
        The table of scores.
    scene, strata, within, region : str
        Of glaciers, or empty: see :func:`polynya.workflows.evaluate.scene.run`.
    """

    result: str
    reference: str
    out: str
    scene: str = ""
    strata: str = ""
    within: str = ""
    region: str = ""

    @property
    def name(self) -> str:
        """The table's file, which tells a pair from the others of a run."""
        return self.out

    @property
    def place(self) -> str:
        """Where its result goes."""
        return self.out

    @property
    def record(self) -> io.Place:
        """The record beside the table."""
        return io.place(self.out).with_suffix(f".{atomic.RECORD}")

    def key(self, *, seed: int) -> io.Key:
        """Return everything that decides the scores.

        Parameters
        ----------
        seed : int
            Of the intervals.
        """
        result = Path(self.result)
        is_track = (result / TRACK_TABLES[0]).exists()
        files = {n: result / n for n in TRACK_TABLES} if is_track else {"result": result}
        files |= {n: Path(v) for n in FILES[1:] if (v := getattr(self, n))}
        settings = {"seed": seed, "region": self.region}
        return io.Key(workflow="evaluate", version=RESULTS_VERSION, settings=settings, inputs=files)


def read_pairs(path: Path | str, *, out: Path | str) -> list[Pair]:
    """Read a table of pairs (CSV with a header, or Parquet); relative paths are relative to the table.

    Parameters
    ----------
    path : Path or str
        Columns of :data:`COLUMNS`.
    out : Path or str
        Folder of the tables of scores, or its address, each named as its result, or as the column ``name`` says.

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
    path, folder = Path(path), io.place(out)
    found = []
    for row in pairs.read(path, columns=COLUMNS, needed=COLUMNS[:2]):
        cells = {n: str(path.parent / v) if n in FILES and v else v for n, v in row.cells.items()}
        name = cells.pop("name", "") or Path(cells["result"]).stem
        if Path(name).name != name or name == Path(SCORES).stem:
            raise UsageError(f"{row.where}: name '{name}'; expected a plain file name of its own. Correct the line.")
        found.append(Pair(out=str(folder / f"{name}.parquet"), **cells))
    pairs.check_different(path, [p.out for p in found])
    return found


def run(
    items: Sequence[Pair],
    *,
    seed: int = 0,
    workers: int = 0,
    overwrite: bool = False,
    engine: Engine | str = engines.DEFAULT,
    show_progress: bool = False,
) -> list[Record]:
    """Score many results; beside a table for each go all scores in one, and the page of the batch.

    Parameters
    ----------
    items : sequence of Pair
        Of :func:`read_pairs`: all in one folder.
    seed : int
        Of the intervals.
    workers : int
        Pairs at a time; 0: one per core.
    overwrite : bool
        Score finished pairs again.
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
        If there is no such engine.
    OutputError
        If ``scores.parquet`` is there and is no such table.
    """
    folder = io.common_folder([io.place(p.out) for p in items])
    about = folder / f"scores.{atomic.RECORD}"
    io.check_writable(folder)
    io.check_files([folder / SCORES], record=about, overwrite=True)
    task = functools.partial(process, seed=seed, overwrite=overwrite)
    is_shown, workers = show_progress and len(items) > 1, workers or engines.cores()
    found = each.records_of(items, task, engine=engine, workers=workers, show_progress=is_shown)
    scored = [p for p, r in zip(items, found, strict=True) if r.status != FAILED]
    if scored:
        _write_together(scored, folder / SCORES, about=about, seed=seed)
    has = {name for name in ("iou", "r2", "coverage") if all(name in r.numbers for r in found if r.status != FAILED)}
    quantity = run_page.GLACIER_IOU if "iou" in has else run_page.FREEBOARD_BIAS
    quantity = run_page.CONCENTRATION_RMSE if "r2" in has else quantity
    quantity = run_page.LEAD_F1 if "coverage" in has else quantity
    quantity = run_page.TAG_F1 if "micro_auroc" in has else quantity
    run_page.write(found, out=folder, command="evaluate", results={p.name: p.out for p in items}, quantity=quantity)
    return found


def process(pair: Pair, *, seed: int = 0, overwrite: bool = False) -> Record:
    """Score one pair: the task that engines repeat.

    Parameters
    ----------
    pair : Pair
        Result, reference and output.
    seed : int
        Of the intervals.
    overwrite : bool
        Replace an earlier table of scores.

    Returns
    -------
    Record

    Raises
    ------
    PolynyaError
        If an input cannot be read, the two do not fit each other, or the output cannot be written.
    """
    out, key = io.place(pair.out), pair.key(seed=seed)
    outputs = {"scores": pair.out, "run": str(pair.record)}
    segments = Path(pair.result) / TRACK_TABLES[0]
    if segments.exists():
        outputs["located_by"] = str(segments)
    if not Path(pair.result).exists():
        raise ProductError(f"{pair.result}: no such file or folder; expected a result of polynya. Check the path.")
    held = io.finished(pair.record, key) if out.exists() and not overwrite else None
    if held is not None:
        return Record(
            item=pair.name, status=SKIPPED, message=f"done before: {out}", outputs=outputs, numbers=held["numbers"]
        )
    io.check_files([out], record=pair.record, overwrite=overwrite or not out.exists())
    table, spec, numbers = _scored(pair, seed=seed)
    record = io.run_record(
        command=io.command_line(),
        config={"seed": seed, "region": pair.region},
        inputs=[{"result": pair.result, "reference": pair.reference}],
        key=io.key_as_dict(key),
        contents=[out.name],
        numbers=numbers,
    )
    with io.writing(out) as temporary, io.writing(pair.record) as beside:  # the table gets its name last
        io.write_table(table, temporary, spec=spec)
        io.write_json(record, beside, files={out.name: temporary})
    return Record(item=pair.name, status=DONE, outputs=outputs, numbers=numbers)


def _scored(pair: Pair, *, seed: int) -> tuple[pa.Table, schema.TableSpec, dict[str, float]]:
    """Return the scores, what their table is, and the numbers worth printing."""
    from . import concentration, is_scene, leads, run, scene, tags

    options = {n: v for n in ("scene", "strata", "within", "region") if (v := getattr(pair, n))}
    if leads.is_leads(pair.result) and not options:
        table = leads.run(pair.result, reference=pair.reference, seed=seed)
        return table, scene_rows.SCENE_EVALUATION, _scene_numbers(table, LEAD_NUMBERS)
    if tags.is_tags(pair.result) and not options:
        table = tags.run(pair.result, reference=pair.reference, seed=seed)
        return table, scene_rows.SCENE_EVALUATION, _scene_numbers(table, TAG_NUMBERS)
    if concentration.is_concentration(pair.result) and not set(options) - {"region"}:
        table = concentration.run(pair.result, reference=pair.reference, region=pair.region or None, seed=seed)
        return table, scene_rows.SCENE_EVALUATION, _scene_numbers(table, MAP_NUMBERS)
    if is_scene(pair.result):
        table = scene.run(pair.result, reference=pair.reference, seed=seed, **options)
        return table, scene_rows.SCENE_EVALUATION, _scene_numbers(table, SCENE_NUMBERS)
    if options:
        raise UsageError(
            f"{pair.result}: is no outlines file and no raster, so {', '.join(options)} do not apply; expected"
            " glaciers. Leave these cells empty."
        )
    table = run(pair.result, reference=pair.reference, seed=seed)
    return table, schema.EVALUATION, _track_numbers(table)


def _track_numbers(table: pa.Table) -> dict[str, float]:
    about = (table.schema.metadata or {}).get(b"reference", b"").decode()
    return _numbers(
        table,
        {
            name: lambda r, m=metric, c=cls, w=where: (
                r["metric"] == m
                and r["class"] == c
                and r["region"] == "all"
                and r["reference"] in [x.format(about) for x in w]
            )
            for name, (metric, cls, where) in TRACK_NUMBERS.items()
        },
    )


def _scene_numbers(table: pa.Table, names: Sequence[str]) -> dict[str, float]:
    return _numbers(
        table,
        {name: lambda r, m=name: (r["metric"], r["prediction"], r["stratum"]) == (m, "given", "all") for name in names},
    )


def _numbers(table: pa.Table, wanted: Mapping[str, Callable[[dict], bool]]) -> dict[str, float]:
    rows, numbers = table.to_pylist(), {}
    for name, fits in wanted.items():
        row = next((r for r in rows if fits(r)), None)
        if row is None:
            continue
        numbers[name] = float("nan") if row["value"] is None else float(row["value"])
        if name in _COUNTS:
            numbers[_COUNTS[name]] = float(row["n"])
    return numbers


def _write_together(items: Sequence[Pair], path: io.Place, *, about: io.Place, seed: int) -> None:
    """Write all scores of a batch into one table: columns that a family does not have are empty."""
    tables = []
    for pair in items:
        with io.fetched(pair.out) as there:
            table = io.read_table(there)
        tables.append(table.add_column(0, "result", pa.array([Path(pair.out).stem] * table.num_rows, pa.string())))
    together = pa.concat_tables([t.replace_schema_metadata(None) for t in tables], promote_options="default")
    record = io.run_record(
        command=io.command_line(),
        config={"seed": seed},
        inputs=[{"scores": io.name_of(p.out)} for p in items],
        key={"workflow": "evaluate"},
        contents=[path.name],
    )
    with io.writing(path) as temporary, io.writing(about) as beside:
        pa.parquet.write_table(together, temporary)
        io.write_json(record, beside, files={path.name: temporary})


def text(records: Sequence[Record]) -> str:
    """Return a batch as text for a terminal: a line for each result with its main numbers.

    Parameters
    ----------
    records : sequence of Record
        Of :func:`run`; failed ones are left out.
    """
    done = [r for r in records if r.status != FAILED]
    known = (*TRACK_NUMBERS, *SCENE_NUMBERS, *LEAD_NUMBERS[3:], *TAG_NUMBERS[1:], *MAP_NUMBERS, "n_compared")
    columns = [c for c in known if any(c in r.numbers for r in done)]
    width = min(max([len(Path(r.item).stem) for r in done], default=0), 60)
    lines = [f"{'result':<{width}}" + "".join(f"{c.replace('_', ' '):>16}" for c in columns)]
    for record in done:
        cells = [_cell(record.numbers.get(c), is_count=c == "n_compared") for c in columns]
        lines.append(f"{Path(record.item).stem[:width]:<{width}}" + "".join(f"{c:>16}" for c in cells))
    return "\n".join(lines) if done else ""


def _cell(value: float | None, *, is_count: bool) -> str:
    if value is None or value != value:
        return "-"
    return f"{value:,.0f}" if is_count else f"{value:.3f}"

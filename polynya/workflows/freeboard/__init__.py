"""ATL03 photons to surface classes, local sea surface and freeboard: the main workflow.

The story of one beam is :func:`beam_tables`; of one granule, :func:`process`; of many, :func:`run`.
"""

from __future__ import annotations

import collections
import contextlib
import functools
import hashlib
import logging
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field, field_validator

from ... import __version__, io, schema
from ...engine.local import LocalEngine
from ...engine.protocol import DONE, SKIPPED, Engine, Record
from ...errors import EmptyBeamError, NoSeaIceError, OutputError, ProductError, UsageError
from ...physics import averages, segments
from ...predict import tracks as predict_tracks
from ...readers import height_grid, icesat2, icesat2_atl03
from ...report import terminal
from ...tracks import beam_segments
from ..options import validated
from . import classifier as freeboard_classifier
from .beam import BeamTables, Choices, Grids, beam_tables

log = logging.getLogger("polynya.freeboard")


class Config(BaseModel):
    """What a run is asked for. Frozen; unknown keys are refused.

    Attributes
    ----------
    beams : str
        ``all``, ``strong``, ``weak`` or names with commas.
    bbox : tuple of float, optional
        West, south, east, north, degrees.
    resolution : str
        ``2``, ``10``, ``30`` (metres) or ``150ph`` (photons).
    sea_surface : str
        ``leads`` (default), ``nasa``, ``minimum``, ``mean`` or ``nearest``.
    classifier : str, optional
        ``rule``, a shipped network's name or an ``.onnx`` file; by default the shipped network at 2 m, else the rule.
    mss, land, ice_concentration : str, optional
        Grid files, ``FILE`` or ``FILE:VARIABLE``.
    mss_tide_system : str
        ``mean`` or ``free``.
    tide_ocean, tide_equilibrium, dac, first_photon_bias : bool
        Corrections switched on.
    min_confidence : int
        Sea-ice signal confidence of the photons that make heights.
    netcdf : bool
        Also write CF NetCDF.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    beams: str = "all"
    bbox: tuple[float, float, float, float] | None = None
    resolution: Literal["2", "10", "30", "150ph"] = "2"
    sea_surface: Literal["leads", "nasa", "minimum", "mean", "nearest"] = "leads"
    classifier: str | None = None
    mss: str | None = None
    mss_tide_system: Literal["mean", "free"] = "mean"
    tide_ocean: bool = True
    tide_equilibrium: bool = True
    dac: bool = True
    first_photon_bias: bool = True
    land: str | None = None
    ice_concentration: str | None = None
    min_confidence: int = Field(default=segments.MEDIUM, ge=0, le=4)
    netcdf: bool = False

    @field_validator("resolution", mode="before")
    @classmethod
    def _resolution(cls, value: object) -> object:
        text = str(value).lower().removesuffix(".0").removesuffix("m").strip()
        return "150ph" if text in ("150", "150ph", "150-photon", "150photon", "150-photons") else text

    @field_validator("bbox")
    @classmethod
    def _bbox(cls, value: tuple[float, float, float, float] | None) -> tuple[float, float, float, float] | None:
        if value is not None:
            west, south, east, north = value
            if not (-90 <= south < north <= 90 and -180 <= west <= 360 and -180 <= east <= 360):
                raise ValueError("give W S E N in degrees with S < N (W > E crosses the antimeridian)")
        return value

    @classmethod
    def checked(cls, **values: object) -> Config:
        """Build a configuration, or raise :class:`UsageError` that names the option.

        Raises
        ------
        UsageError
            If a value does not exist or does not fit.
        """
        config = validated(cls, values, command="freeboard")
        for name in ("mss", "land", "ice_concentration"):
            value = getattr(config, name)
            if value and not split_grid(value)[0].exists():
                raise UsageError(
                    f"--{name.replace('_', '-')} {value}: no such file; expected a GeoTIFF or NetCDF grid. Check the"
                    " path."
                )
        config.chosen()
        return config

    def chosen(self) -> freeboard_classifier.Chosen:
        """Return the classifier that these settings mean."""
        return freeboard_classifier.choose(self.classifier, resolution=self.resolution)

    def choices(self, grids: Grids, *, classifier: predict_tracks.Classifier | None = None) -> Choices:
        """Return what these settings mean for each beam."""
        return Choices(
            segments=beam_segments.Settings(
                resolution=self.resolution,
                mss=grids.mss,
                mss_is_mean_tide=self.mss_tide_system == "mean",
                tide_ocean=self.tide_ocean,
                tide_equilibrium=self.tide_equilibrium,
                dac=self.dac,
                first_photon_bias=self.first_photon_bias,
                min_confidence=self.min_confidence,
            ),
            sea_surface=self.sea_surface,
            classifier=classifier,
        )

    def digest(self) -> str:
        """Return a short hash of everything that decides the numbers: settings, the network's file, and the grids'
        sizes and times."""
        paths = [split_grid(g)[0] for g in (self.mss, self.land, self.ice_concentration) if g]
        grids = [p.stat() for p in paths if p.exists()]
        text = (
            self.model_dump_json(exclude={"classifier"})
            + "".join(f"|{s.st_size}:{s.st_mtime_ns}" for s in grids)
            + f"|{self.chosen().key}"
        )
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def split_grid(text: str) -> tuple[Path, str | None]:
    """Split ``FILE:VARIABLE``; a path that exists as it stands is taken whole."""
    if Path(text).exists() or ":" not in text:
        return Path(text), None
    path, variable = text.rsplit(":", 1)
    return Path(path), variable


def read_grids(config: Config) -> Grids:
    """Read the grids that a configuration names."""

    def one(text: str | None) -> height_grid.Grid | None:
        if text is None:
            return None
        path, variable = split_grid(text)
        return height_grid.read(path, variable=variable)

    return Grids(mss=one(config.mss), land=one(config.land), ice_concentration=one(config.ice_concentration))


def run(
    granules: Sequence[Path | str],
    *,
    out: Path | str,
    config: Config | None = None,
    workers: int = 0,
    overwrite: bool = False,
    engine: Engine | None = None,
    show_progress: bool = False,
) -> list[Record]:
    """Process granules, each into its own folder below ``out``.

    Parameters
    ----------
    granules : sequence of path
        ATL03 files.
    out : path
        One folder per granule is made in it; a granule whose folder is complete is skipped.
    config : Config, optional
    workers : int
        Granules at a time; threads where there is only one. 0: one per core.
    overwrite : bool
        Do finished granules again.
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
        If two granules have the same name, or there is no such classifier.
    ProductError
        If the classifier's file is no network.
    """
    config = config or Config()
    network = config.chosen().path
    if network is not None:
        predict_tracks.load(network)  # a file that is none fails once, not with every granule
    items = [str(Path(g)) for g in granules]
    names = [Path(i).stem for i in items]
    double = sorted({n for n in names if names.count(n) > 1})
    if double:
        raise UsageError(
            f"GRANULE: {', '.join(double[:3])} is given more than once; expected names that differ, since each gets its"
            " own folder. Name it once."
        )
    cores = (
        workers or len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else workers or os.cpu_count() or 1
    )
    single = len(items) == 1
    engine = engine or LocalEngine(workers=min(cores, len(items)))
    task = functools.partial(process, config=config, out=str(out), overwrite=overwrite, threads=cores if single else 1)
    records = {}
    with terminal.progress(len(items), show=show_progress) as advance:
        for record in engine.map(task, items):
            records[record.item] = record
            advance(record)
    return [records[i] for i in items]


def process(item: str, *, config: Config, out: str, overwrite: bool = False, threads: int = 1) -> Record:
    """Process one granule: the task that engines repeat.

    Parameters
    ----------
    item : str
        Path of an ATL03 granule.
    config : Config
    out : str
        Folder of results.
    overwrite : bool
    threads : int
        Beams at a time.

    Returns
    -------
    Record

    Raises
    ------
    PolynyaError
        If the granule cannot be read, holds no sea ice, or the output cannot be written.
    """
    from ...report import freeboard as report

    started = time.perf_counter()
    path = Path(item)
    folder = Path(out) / path.stem
    outputs = {
        n: str(folder / f)
        for n, f in (
            ("segments", "segments.parquet"),
            ("leads", "leads.parquet"),
            ("sea_surface", "sea_surface.parquet"),
            ("report", "report.html"),
            ("run", "run.json"),
        )
    }
    old = None if overwrite else _finished(folder, outputs)
    if old is not None:
        same_granule = path.exists() and [path.stat().st_size] == [i.get("size") for i in old.get("inputs", ())]
        if old.get("digest") != config.digest() or not (same_granule or not path.exists()):
            what = "of other settings" if same_granule else "of another file with this name, or of other settings"
            raise OutputError(
                f"{path.stem}: {folder} holds a result {what}; expected that of this command. Pass --overwrite, or"
                " another -o."
            )
        return Record(item, SKIPPED, f"done before, in {folder}", outputs=outputs, numbers=old.get("numbers", {}))
    granule = icesat2_atl03.open_granule(path)
    chosen = icesat2.select_beams(granule, config.beams)
    grids = read_grids(config)
    chosen_classifier = config.chosen()
    classifier = predict_tracks.load(chosen_classifier.path, threads=threads) if chosen_classifier.path else None
    classifier_line, network = freeboard_classifier.describe(classifier)
    about = {
        "granule": granule.granule_id,
        "product": granule.product,
        "release": granule.release,
        "polynya": __version__,
        "classifier": classifier_line,
        "resolution_m": beam_segments.RESOLUTIONS[config.resolution] if config.resolution != "150ph" else "null",
        "source": f"ICESat-2 {granule.product} release {granule.release}, doi:{icesat2_atl03.DOI}",
    }
    results: dict[str, BeamTables] = {}
    empty: dict[str, NoSeaIceError] = {}
    with io.writing_folder(folder, overwrite=overwrite) as temporary:
        writers = {
            spec.name: io.TableWriter(temporary / f"{spec.name}.parquet", spec=spec, about=about)
            for spec in (schema.SEGMENTS, schema.LEADS, schema.SEA_SURFACE)
        }
        try:
            for beam, get in _beams(
                granule,
                chosen,
                config=config,
                choices=config.choices(grids, classifier=classifier),
                grids=grids,
                threads=threads,
            ):
                try:
                    result = get()
                except NoSeaIceError as error:
                    empty[beam.name] = error
                    continue
                finally:
                    del get  # it keeps its result
                writers["segments"].write(result.segments)
                writers["leads"].write(result.leads)
                writers["sea_surface"].write(result.sea_surface)
                if config.netcdf:
                    for spec, table in (
                        (schema.SEGMENTS, result.segments),
                        (schema.LEADS, result.leads),
                        (schema.SEA_SURFACE, result.sea_surface),
                    ):
                        if table.num_rows:
                            io.write_netcdf(
                                table.replace_schema_metadata(spec.schema(about=about).metadata),
                                temporary / f"{spec.name}_{beam.name}.nc",
                            )
                keep = result.sea_surface.select(
                    ["beam", "x_atc", "sea_surface_height", "sea_surface_uncertainty", "sea_surface_source"]
                )
                results[beam.name] = BeamTables(
                    segments=keep.slice(0, 0),
                    leads=keep.slice(0, 0),
                    sea_surface=keep,
                    numbers=result.numbers,
                    means=result.means,
                    has_cal19=result.has_cal19,
                    notes=result.notes,
                )
        finally:
            with contextlib.ExitStack() as closing:  # every one, also where another cannot be closed
                for writer in writers.values():
                    closing.callback(writer.close)
        if not results:
            raise _nothing(granule, empty, config)
        messages = [
            *_messages(granule, results, empty),
            *([chosen_classifier.message] if chosen_classifier.message else []),
        ]
        differences = _differences(results)
        numbers = _numbers(results, time.perf_counter() - started)
        record = io.run_record(
            command=io.command_line(),
            config=config.model_dump(mode="json"),
            inputs=[
                {
                    "granule": granule.granule_id,
                    "product": granule.product,
                    "release": granule.release,
                    "size": path.stat().st_size,
                    "orientation": icesat2.ORIENTATIONS.get(granule.orientation, "unknown"),
                    "is_simulated": granule.is_simulated,
                    "notes": [n.text for n in granule.notes],
                }
            ],
            seed=None,
            digest=config.digest(),
            classifier=classifier_line,
            network=network,
            sea_surface_method=config.sea_surface,
            beams={n: r.numbers for n, r in results.items()},
            messages=messages,
            means=[m for r in results.values() for m in r.means],
            beam_differences=differences,
            numbers=numbers,
            doi=icesat2_atl03.DOI,
            notes=[n.text for r in results.values() for n in r.notes],
        )
        io.write_json(record, temporary / "run.json")
        report.write(temporary)
    return Record(item, DONE, " ".join(messages), outputs=outputs, numbers=numbers)


def _finished(folder: Path, outputs: dict[str, str]) -> dict | None:
    """Return the run.json of a finished granule; None where it is missing or damaged, or a table is gone."""
    if not all(Path(p).exists() for p in outputs.values()):
        return None
    try:
        return io.read_json(folder / "run.json")
    except ProductError:
        return None


def _beams(
    granule: icesat2.Granule,
    chosen: list[icesat2.Beam],
    *,
    config: Config,
    choices: Choices,
    grids: Grids,
    threads: int,
) -> Iterator[tuple[icesat2.Beam, Callable[[], BeamTables]]]:
    """Yield each beam and what gives its tables or raises NoSeaIceError, largest beams first."""

    def one(beam: icesat2.Beam) -> BeamTables:
        started = time.perf_counter()
        data = icesat2_atl03.index(granule.path, beam=beam.name, bbox=config.bbox, granule=granule)
        if data is None:
            raise EmptyBeamError.of(
                granule.path.name,
                code="no_photons",
                reason=f"{beam.name}: no photons" + (" inside --bbox" if config.bbox else ""),
            )
        result = beam_tables(
            data, choices=choices, grids=grids, threads=1 if threads > 1 and len(chosen) > 1 else threads
        )
        seconds = time.perf_counter() - started
        result.numbers["seconds"] = round(seconds, 3)
        log.info(
            "%s: %s photons, %s segments, %s leads, %.1f s",
            beam.name,
            result.numbers["n_photons_read"],
            result.numbers["n_segments"],
            result.numbers["n_leads"],
            seconds,
        )
        return result

    order = sorted(chosen, key=lambda b: not b.is_strong)
    if threads > 1 and len(order) > 1:
        with ThreadPoolExecutor(min(threads, len(order), 4)) as pool:
            waiting = collections.deque((b, pool.submit(one, b)) for b in order)
            try:
                while waiting:
                    beam, future = waiting.popleft()  # a future keeps its result: let go of it
                    yield beam, future.result
                    del future
            finally:
                for _, future in waiting:
                    future.cancel()
    else:
        for beam in order:
            yield beam, functools.partial(one, beam)


def _differences(results: dict[str, BeamTables]) -> list[dict[str, object]]:
    tables = [r.sea_surface for r in results.values() if r.sea_surface.num_rows]
    if len(tables) < 2:
        return []
    table = pa.concat_tables([t.set_column(0, "beam", t["beam"].cast(pa.string())) for t in tables])
    measured = schema.to_numpy(table["sea_surface_source"]) == schema.SOURCE_LEADS
    found = averages.beam_differences(
        schema.to_numpy(table["x_atc"])[measured],
        schema.to_numpy(table["sea_surface_height"])[measured],
        uncertainty=schema.to_numpy(table["sea_surface_uncertainty"])[measured],
        beam=np.array(table["beam"].to_pylist(), dtype=str)[measured],
    )
    return [asdict(d) for d in found if d.n]


def _numbers(results: dict[str, BeamTables], seconds: float) -> dict[str, float]:
    total = {
        k: int(sum(r.numbers[k] for r in results.values()))
        for k in ("n_photons_read", "n_segments", "n_leads", "n_leads_used", "n_sections")
    }
    weight = [r.numbers["n_segments"] * r.numbers["share_with_freeboard"] for r in results.values()]
    share = sum(weight) / max(total["n_segments"], 1)
    mean = (
        sum(w * r.numbers["mean_freeboard"] for w, r in zip(weight, results.values(), strict=True) if w) / sum(weight)
        if sum(weight)
        else float("nan")
    )
    return {**total, "share_with_freeboard": share, "mean_freeboard": mean, "seconds": round(seconds, 3)}


def _messages(granule: icesat2.Granule, results: dict[str, BeamTables], empty: dict[str, NoSeaIceError]) -> list[str]:
    out = []
    dry = [n for n, r in results.items() if r.numbers["share_with_freeboard"] == 0]
    if len(dry) == len(results):
        found = sum(r.numbers["n_leads"] for r in results.values())
        why = (
            "No open water is within reach on any beam"
            if not found
            else (
                f"{found} leads were found, but none gives a sea surface that passes the screening (too unsure to be"
                " water, land, ice concentration, or more than 0.5 m from the mean sea surface)"
            )
        )
        out.append(
            f"{why}: no local sea surface can be had, so freeboard is NaN everywhere. Heights stand; without a water"
            " level thin ice cannot be told from level thick ice."
        )
    elif dry:
        out.append(
            f"No sea surface can be had on {', '.join(dry)} (no usable open water within reach): freeboard is NaN"
            " there."
        )
    if granule.is_simulated:
        out.append("This granule is simulated, not satellite data.")
    uncorrected = [n for n, r in results.items() if not r.has_cal19]
    if uncorrected:
        out.append(
            f"Heights are not corrected for first-photon bias on {', '.join(uncorrected)}: the granule carries no"
            " usable CAL-19 table."
        )
    return out + sorted(e.reason for e in empty.values())


def _nothing(granule: icesat2.Granule, empty: dict[str, NoSeaIceError], config: Config) -> Exception:
    reasons = "; ".join(sorted(e.reason for e in empty.values()))[:420]
    if config.bbox and all(e.code == "no_photons" for e in empty.values()):
        return ProductError(
            f"{granule.path.name}: no photon lies inside --bbox {' '.join(f'{v:g}' for v in config.bbox)}; expected a"
            " box that the track crosses. See polynya info for the granule's extent."
        )
    return NoSeaIceError(
        f"{granule.path.name}: no beam holds sea ice to work on ({reasons}); expected photons of medium or high sea-ice"
        " confidence. Choose another granule, or see polynya info."
    )

"""One granule's story: open it, process its beams, write the three tables, the report and run.json."""

from __future__ import annotations

import collections
import contextlib
import importlib
import logging
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from ... import __version__, io, schema
from ...engine.protocol import DONE, SKIPPED, Record
from ...errors import EmptyBeamError, NoSeaIceError, ProductError
from ...physics import beam_differences, local_sea_surface
from ...predict import tracks as predict_tracks
from ...readers import icesat2, icesat2_atl03, icesat2_releases
from ...report import beams as report_beams
from ...tracks import beam_segments
from . import classifier as freeboard_classifier
from . import joining, messages, missing_reference
from .beam import BeamSettings, BeamTables, Grids, beam_tables
from .config import Config, read_grids

log = logging.getLogger("polynya.freeboard")

SMALL_BYTES = 100_000_000
"""Smaller files (six million photons) are classified by onnxruntime: OpenVINO is faster for many segments, but takes
longer to start than it saves there. The classes are the same."""
TABLES = (schema.SEGMENTS, schema.LEADS, schema.SEA_SURFACE)
"""The tables of a granule; :class:`BeamTables` has an attribute of each one's name."""
SAID = (
    "neighbour_left_out",
    "degraded_left_out",
    "degraded_kept",
    "photon_index_clipped",
    "time_contradicts",
    "cal19_held",
)
"""Codes of notes that are messages, too: something in the granule is not as it should be."""
FILES = {**{s.name: f"{s.name}.parquet" for s in TABLES}, "report": "report.html", "run": "run.json"}


@dataclass(frozen=True, kw_only=True)
class Item:
    """One granule of a run.

    Attributes
    ----------
    path : str
        An ATL03 file, or its address.
    folder : str
        Where its results go, a path or an address.
    neighbours : tuple of str
        ATL03 files that continue it at its ends, whose leads may serve it too.
    """

    path: str
    folder: str
    neighbours: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The path."""
        return self.path

    @property
    def place(self) -> str:
        """Where its result goes."""
        return self.folder


@dataclass(frozen=True, kw_only=True)
class Beam:
    """What became of a beam: its tables and its part of the report, or the error that says why there are none."""

    name: str
    tables: BeamTables | None = None
    drawn: tuple[report_beams.PreparedBeam, ...] = ()
    error: ProductError | None = None


def process(item: Item, *, config: Config, overwrite: bool = False, threads: int = 1) -> Record:
    """Process one granule: the task that engines repeat.

    Parameters
    ----------
    item : Item
        The granule and its folder.
    config : Config
        Settings.
    overwrite : bool
        Replace an earlier result.
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
    folder = io.place(item.folder)
    outputs = {name: str(folder / file) for name, file in FILES.items()}
    key = config.key(io.local_path(item.path), neighbours=[Path(n) for n in item.neighbours])
    old = None if overwrite else io.finished(folder, key)
    if old is not None:
        numbers = old.get("numbers", {})
        return Record(
            item=item.name,
            status=SKIPPED,
            message=f"done before, in {folder}",
            outputs=outputs | _netcdf(folder, old.get("contents", [])),
            numbers=numbers,
        )
    with io.fetched(item.path) as path:
        return _compute(item, path, key=key, outputs=outputs, config=config, overwrite=overwrite, threads=threads)


def _compute(
    item: Item,
    path: Path,
    *,
    key: io.Key,
    outputs: dict[str, str],
    config: Config,
    overwrite: bool,
    threads: int,
) -> Record:
    """Compute and write the result of a granule that is a file on this computer."""
    started = time.perf_counter()
    granule = icesat2_atl03.open_granule(path)
    around = [icesat2_atl03.open_granule(n) for n in item.neighbours]
    chosen = icesat2.select_beams(granule, config.beams)
    grids = read_grids(config)
    selected = config.classifier_used()
    runtime = "onnxruntime" if path.stat().st_size < SMALL_BYTES else "auto"
    classifier = predict_tracks.load(selected.path, runtime=runtime, threads=threads) if selected.path else None
    classifier_line, network = freeboard_classifier.describe(classifier)
    about = _about(granule, config, classifier_line)
    folder = io.place(item.folder)
    with io.writing_folder(folder, overwrite=overwrite) as temporary, io.hashing(key) as hashed:
        settings = config.beam_settings(grids, classifier=classifier)
        beams = _beams(granule, chosen, config=config, settings=settings, grids=grids, around=around, threads=threads)
        results, drawn, empty = _write_tables(beams, temporary, about=about, netcdf=config.netcdf)
        if not results:
            raise _no_beam(granule, empty, config)
        sentences = [*_messages(granule, results, empty, config), *([selected.message] if selected.message else [])]
        sentences += joining.sentences(results, around, config=config)
        numbers = _numbers(results, time.perf_counter() - started)
        record = io.run_record(
            command=io.command_line(),
            config=config.model_dump(mode="json"),
            inputs=[_input(g) for g in (granule, *around)],
            seed=None,
            key=hashed(),
            classifier=classifier_line,
            network=network,
            sea_surface_method=config.sea_surface,
            beams={n: r.numbers for n, r in results.items()},
            messages=sentences,
            means=[m for r in results.values() for m in r.means],
            beam_differences=_differences(results),
            numbers=numbers,
            doi=icesat2_releases.doi(granule.product, granule.release),
            reference_frame=icesat2_releases.datum(granule.release),
            tide_model=icesat2_releases.tide_model(granule.release),
            notes=[n.text for r in results.values() for n in r.notes],
        )
        io.write_json(record, temporary / "run.json")
        netcdf = _netcdf(folder, [p.name for p in temporary.iterdir()])
        from ...report import freeboard as report  # imported by now, while the first beams were computed

        report.write(
            temporary,
            beams=drawn,
            leads=pa.concat_tables([r.leads for r in results.values()]),
            sea_surface=pa.concat_tables([r.sea_surface for r in results.values()]),
            threads=threads,
        )
    return Record(
        item=item.name,
        status=DONE,
        message="\n".join(sentences),
        outputs=outputs | netcdf,
        numbers=numbers,
    )


def _netcdf(folder: io.Place, names: Iterable[str]) -> dict[str, str]:
    """Return the paths of a result's NetCDF files; ``names`` are those of all its files."""
    return {f"netcdf_{n.removesuffix('.nc')}": str(folder / n) for n in sorted(names) if n.endswith(".nc")}


def _about(granule: icesat2.Granule, config: Config, classifier: str) -> dict[str, object]:
    """Return what the tables' metadata say."""
    return {
        "granule": granule.granule_id,
        "product": granule.product,
        "release": granule.release,
        "polynya": __version__,
        "classifier": classifier,
        "resolution_m": beam_segments.RESOLUTIONS[config.resolution] if config.resolution != "150ph" else "null",
        "datum": icesat2_releases.datum(granule.release),
        "tide_model": icesat2_releases.tide_model(granule.release),
        "source": icesat2_releases.source(granule.product, granule.release),
    }


def _input(granule: icesat2.Granule) -> dict[str, object]:
    """Return what run.json says of the granule."""
    return {
        "granule": granule.granule_id,
        "product": granule.product,
        "release": granule.release,
        "size": granule.path.stat().st_size,
        "orientation": icesat2.ORIENTATIONS.get(granule.orientation, "unknown"),
        "is_simulated": granule.is_simulated,
        "notes": [n.text for n in granule.notes],
    }


def _write_tables(
    beams: Iterator[Beam], folder: Path, *, about: dict[str, object], netcdf: bool
) -> tuple[dict[str, BeamTables], list[report_beams.PreparedBeam], dict[str, ProductError]]:
    """Write beams as they come; return what run.json and the report need of them, and why others gave nothing."""
    results: dict[str, BeamTables] = {}
    drawn: list[report_beams.PreparedBeam] = []
    empty: dict[str, ProductError] = {}
    with contextlib.ExitStack() as closing:  # every writer, also where another cannot be closed
        writers = {}
        for spec in TABLES:
            writers[spec.name] = io.TableWriter(folder / f"{spec.name}.parquet", spec=spec, about=about)
            closing.callback(writers[spec.name].close)
        for beam in beams:
            if beam.error is not None:
                empty[beam.name] = beam.error
                continue
            for spec in TABLES:
                table = getattr(beam.tables, spec.name)
                writers[spec.name].write(table)
                if netcdf and table.num_rows:
                    io.write_netcdf(
                        table.replace_schema_metadata(spec.schema(about=about).metadata),
                        folder / f"{spec.name}_{beam.name}.nc",
                    )
            results[beam.name] = replace(beam.tables, segments=_without_rows(beam.tables.segments))
            drawn += beam.drawn
            del beam, table  # the next beam's tables come
    return results, drawn, empty


def _without_rows(table: pa.Table) -> pa.Table:
    """Return the table's columns alone: a slice would keep its memory, and ``empty_table`` imports pandas."""
    return pa.Table.from_batches([], schema=table.schema)


def _beams(
    granule: icesat2.Granule,
    chosen: list[icesat2.Beam],
    *,
    config: Config,
    settings: BeamSettings,
    grids: Grids,
    around: list[icesat2.Granule],
    threads: int,
) -> Iterator[Beam]:
    """Yield beams with their tables, largest beams first."""
    order = sorted(chosen, key=lambda b: not b.is_strong)

    def one(beam: icesat2.Beam) -> Beam:
        started = time.perf_counter()
        try:
            data = joining.index(granule, beam, config=config)
            if data is None:
                raise EmptyBeamError.of(
                    granule.path.name,
                    code="no_photons",
                    reason=f"{beam.name}: no photons" + (" inside --bbox" if config.bbox else ""),
                )
            margins, unread = joining.margins(data, around, config=config)
            result = beam_tables(
                data,
                settings=settings,
                grids=grids,
                neighbours=margins,
                threads=threads if beam is order[-1] else 1,  # beside the last one a thread may have nothing to do
            )
            result = replace(result, notes=(*result.notes, *unread))
            drawn = tuple(report_beams.prepare(result.segments))
        except ProductError as error:  # the other beams may be whole
            return Beam(name=beam.name, error=error)
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
        return Beam(name=beam.name, tables=result, drawn=drawn)

    if threads > 1 and len(order) > 1:
        with ThreadPoolExecutor(min(threads, len(order), 4)) as pool:
            waiting = collections.deque(pool.submit(one, b) for b in order)
            importlib.import_module("polynya.report.freeboard")  # what the end needs, while nothing is there to write
            try:
                while waiting:
                    yield waiting.popleft().result()  # a future keeps its result: none is kept here
            finally:
                for future in waiting:
                    future.cancel()
    else:
        for beam in order:
            yield one(beam)


def _differences(results: dict[str, BeamTables]) -> list[dict[str, object]]:
    columns = ["x_atc", "sea_surface_height", "sea_surface_uncertainty", "sea_surface_source"]
    tables = {name: r.sea_surface.select(columns) for name, r in results.items() if r.sea_surface.num_rows}
    if len(tables) < 2:
        return []
    table = pa.concat_tables(list(tables.values()))
    beam = np.repeat(np.array(list(tables)), [t.num_rows for t in tables.values()])
    measured = schema.to_numpy(table["sea_surface_source"]) == schema.SOURCE_LEADS
    found = beam_differences.beam_differences(
        schema.to_numpy(table["x_atc"])[measured],
        schema.to_numpy(table["sea_surface_height"])[measured],
        uncertainty=schema.to_numpy(table["sea_surface_uncertainty"])[measured],
        beam=beam[measured],
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
    return {
        **total,
        "share_with_freeboard": share,
        "mean_freeboard": mean,
        **_uncertainty_of_mean(results),
        "seconds": round(seconds, 3),
    }


def _uncertainty_of_mean(results: dict[str, BeamTables]) -> dict[str, float]:
    """Return the uncertainty of the mean over all beams, and its correlated part, metres.

    Beams share tides, mean sea surface and often leads, so the uncertainties of their tracks are averaged, and not
    divided by the root of their number.
    """
    rows = [m for r in results.values() for m in r.means if m["length_km"] == "track"]
    total = sum(m["n"] for m in rows)
    return {
        f"mean_freeboard_{key}": sum(m["n"] * m[key] for m in rows) / total if total else float("nan")
        for key in ("uncertainty", "uncertainty_correlated")
    }


def _messages(
    granule: icesat2.Granule, results: dict[str, BeamTables], empty: dict[str, ProductError], config: Config
) -> list[str]:
    out = []
    dry = [n for n, r in results.items() if r.numbers["share_with_freeboard"] == 0]
    if len(dry) == len(results):
        found = sum(r.numbers["n_leads"] for r in results.values())
        why = (
            "No open water is within reach on any beam"
            if not found
            else (
                f"{schema.counted(found, 'lead')} found, but none gives a sea surface that passes"
                " the screening (too uncertain to be water, no lower than the ice around, land, ice concentration, or"
                " more than 0.5 m from the mean sea surface)"
            )
        )
        out.append(
            f"{why}: no local sea surface could be determined, so freeboard is NaN everywhere. Heights are valid;"
            " without a water level, thin ice and level thick ice look the same."
        )
    elif dry:
        out.append(
            f"No sea surface could be determined on {', '.join(dry)} (no usable open water within reach): freeboard is"
            " NaN there."
        )
    out += messages.of_doubts(
        {n: r.numbers for n, r in results.items()},
        method=config.sea_surface,
        is_default=config.sea_surface == local_sea_surface.DEFAULT,
    )
    if granule.is_simulated:
        out.append("This granule is simulated, not satellite data.")
    out += missing_reference.sentences({n: r.missing for n, r in results.items()}, mss=config.mss)
    out += messages.of_ice_concentration({n: r.numbers for n, r in results.items()}, grid=config.ice_concentration)
    uncorrected = [n for n, r in results.items() if not r.has_cal19]
    if uncorrected:
        out.append(
            f"Heights are not corrected for first-photon bias on {', '.join(uncorrected)}: the granule carries no"
            " usable CAL-19 table."
        )
    out += [n.text + "." for r in results.values() for n in r.notes if n.code in SAID]
    return out + sorted(_reason(name, e) for name, e in empty.items())


def _reason(beam: str, error: ProductError) -> str:
    """Return why a beam gives nothing, as a phrase that begins with its name."""
    return (error.reason if isinstance(error, NoSeaIceError) else "") or f"{beam} was left out: {error}"


def _no_beam(granule: icesat2.Granule, empty: dict[str, ProductError], config: Config) -> Exception:
    damaged = [e for e in empty.values() if not isinstance(e, NoSeaIceError)]
    if damaged:
        return damaged[0]
    reasons = "; ".join(sorted(_reason(name, e) for name, e in empty.items()))[:420]
    if config.mss and all(
        isinstance(e, NoSeaIceError) and e.code in ("no_surface", "no_reference") for e in empty.values()
    ):
        return ProductError(
            f"--mss {config.mss}: no surface of {granule.path.name} lies within {beam_segments.MAX_HEIGHT_M:g} m of"
            f" this mean sea surface ({reasons}); expected metres above the WGS 84 ellipsoid along the track. Check the"
            " grid's units, datum and extent, or leave --mss out."
        )
    if config.bbox and all(isinstance(e, NoSeaIceError) and e.code == "no_photons" for e in empty.values()):
        return ProductError(
            f"{granule.path.name}: no photon lies inside --bbox {' '.join(f'{v:g}' for v in config.bbox)}; expected a"
            " box that the track crosses. See polynya info for the granule's extent."
        )
    if all(isinstance(e, NoSeaIceError) and e.code == "degraded_pointing" for e in empty.values()):
        return NoSeaIceError(
            f"{granule.path.name}: orbit or pointing is degraded along every beam ({reasons}); expected podppd_flag 0."
            " Pass --keep-degraded to work on it all the same, with quality bit 256."
        )
    return NoSeaIceError(
        f"{granule.path.name}: no beam holds sea ice to work on ({reasons}); expected photons of medium or high sea-ice"
        " confidence. Choose another granule, or see polynya info."
    )

"""ATL03 photons to surface classes, local sea surface and freeboard: the main workflow.

The story of one beam is :func:`beam_tables`; of one granule, :func:`process`; of many, :func:`run`.
"""

from __future__ import annotations

import collections
import contextlib
import functools
import hashlib
import itertools
import logging
import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from .. import io, schema
from ..engine.local import LocalEngine
from ..engine.protocol import DONE, SKIPPED, Engine, Record
from ..errors import NoSeaIceError, OutputError, ProductError, UsageError, one_line
from ..physics import averages, corrections, heights, leads, local_sea_surface, sea_surface, segments, surface_type, tracks
from ..physics.quality import quality_flag
from ..readers import height_grid, icesat2, icesat2_atl03
from ..report import terminal

log = logging.getLogger("polynya.freeboard")

RESOLUTIONS = {"2": 2.0, "10": 10.0, "30": 30.0, "150ph": segments.PhotonRuns()}
MAX_HEIGHT_M = 10.0
"""Segments further than this from the mean sea surface are icebergs, land or noise: dropped."""
LAND_KM = 25.0
SIMULATED = "simulated granule"
"""How a reader's note says so."""
BLOCK_PHOTONS = 2_000_000
"""Photons read and resampled at a time: about 160 MB."""
MEAN_LENGTHS_KM = (1, 10, 25)


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
        try:
            config = cls.model_validate(values)
        except ValidationError as error:
            first = error.errors()[0]
            name = str(first["loc"][0]).replace("_", "-") if first["loc"] else "option"
            raise UsageError(f"--{name} {first.get('input')}: {first['msg'].removeprefix('Value error, ')}. See polynya freeboard --help.") from error
        for name in ("mss", "land", "ice_concentration"):
            value = getattr(config, name)
            if value and not split_grid(value)[0].exists():
                raise UsageError(f"--{name.replace('_', '-')} {value}: no such file; expected a GeoTIFF or NetCDF grid. Check the path.")
        return config

    def digest(self) -> str:
        """Return a short hash of everything that decides the numbers: settings, and the grids' sizes and times."""
        paths = [split_grid(g)[0] for g in (self.mss, self.land, self.ice_concentration) if g]
        grids = [p.stat() for p in paths if p.exists()]
        text = self.model_dump_json() + "".join(f"|{s.st_size}:{s.st_mtime_ns}" for s in grids)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Grids:
    """The user's grids, read once per granule."""

    mss: height_grid.Grid | None = None
    land: height_grid.Grid | None = None
    ice_concentration: height_grid.Grid | None = None


@dataclass(frozen=True)
class BeamTables:
    """What one beam gives: three tables that match the schema, and numbers for run.json."""

    segments: pa.Table
    leads: pa.Table
    sea_surface: pa.Table
    numbers: dict[str, object]
    means: list[dict[str, object]]
    notes: tuple[str, ...]


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

    return Grids(one(config.mss), one(config.land), one(config.ice_concentration))


def run(
    granules: Sequence[Path | str], *, out: Path | str, config: Config | None = None, workers: int = 0, overwrite: bool = False,
    engine: Engine | None = None, show_progress: bool = False,
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
        If two granules have the same name.
    """
    config = config or Config()
    items = [str(Path(g)) for g in granules]
    names = [Path(i).stem for i in items]
    double = sorted({n for n in names if names.count(n) > 1})
    if double:
        raise UsageError(f"GRANULE: {', '.join(double[:3])} is given more than once; expected names that differ, since each gets its own folder. Name it once.")
    cores = workers or len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else workers or os.cpu_count() or 1
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
    from ..report import freeboard as report

    started = time.perf_counter()
    path = Path(item)
    folder = Path(out) / path.stem
    outputs = {n: str(folder / f) for n, f in (("segments", "segments.parquet"), ("leads", "leads.parquet"),
                                                ("sea_surface", "sea_surface.parquet"), ("report", "report.html"), ("run", "run.json"))}
    old = None if overwrite else _finished(folder, outputs)
    if old is not None:
        same_granule = path.exists() and [path.stat().st_size] == [i.get("size") for i in old.get("inputs", ())]
        if old.get("digest") != config.digest() or not (same_granule or not path.exists()):
            what = "of other settings" if same_granule else "of another file with this name, or of other settings"
            raise OutputError(f"{path.stem}: {folder} holds a result {what}; expected that of this command. Pass --overwrite, or another -o.")
        return Record(item, SKIPPED, f"done before, in {folder}", outputs=outputs, numbers=old.get("numbers", {}))
    granule = icesat2_atl03.open_granule(path)
    chosen = icesat2.select_beams(granule, config.beams)
    grids = read_grids(config)
    about = {"granule": granule.granule_id, "product": granule.product, "release": granule.release, "polynya": io.__version__,
             "resolution_m": RESOLUTIONS[config.resolution] if config.resolution != "150ph" else "null",
             "source": f"ICESat-2 {granule.product} release {granule.release}, doi:{icesat2_atl03.DOI}"}
    results: dict[str, BeamTables] = {}
    empty: dict[str, str] = {}
    with io.writing_folder(folder) as temporary:
        writers = {spec.name: io.TableWriter(temporary / f"{spec.name}.parquet", spec=spec, about=about)
                   for spec in (schema.SEGMENTS, schema.LEADS, schema.SEA_SURFACE)}
        try:
            for beam, result in _beams(granule, chosen, config=config, grids=grids, threads=threads):
                if isinstance(result, str):
                    empty[beam.name] = result
                    continue
                writers["segments"].write(result.segments)
                writers["leads"].write(result.leads)
                writers["sea_surface"].write(result.sea_surface)
                if config.netcdf:
                    for spec, table in ((schema.SEGMENTS, result.segments), (schema.LEADS, result.leads), (schema.SEA_SURFACE, result.sea_surface)):
                        if table.num_rows:
                            io.write_netcdf(table.replace_schema_metadata(spec.schema(about=about).metadata), temporary / f"{spec.name}_{beam.name}.nc")
                keep = result.sea_surface.select(["beam", "x_atc", "sea_surface_height", "sea_surface_uncertainty", "sea_surface_source"])
                results[beam.name] = BeamTables(keep.slice(0, 0), keep.slice(0, 0), keep, result.numbers, result.means, result.notes)
        finally:
            with contextlib.ExitStack() as closing:  # every one, also where another cannot be closed
                for writer in writers.values():
                    closing.callback(writer.close)
        if not results:
            raise _nothing(granule, empty, config)
        messages = _messages(granule, results, empty)
        differences = _differences(results)
        numbers = _numbers(results, time.perf_counter() - started)
        record = io.run_record(
            command=io.command_line(), config=config.model_dump(mode="json"),
            inputs=[{"granule": granule.granule_id, "product": granule.product, "release": granule.release, "size": path.stat().st_size,
                     "orientation": icesat2.ORIENTATIONS.get(granule.orientation, "unknown"), "notes": list(granule.notes)}],
            seed=None, digest=config.digest(), classifier="rule (polynya.physics.surface_type)", sea_surface_method=config.sea_surface,
            beams={n: r.numbers for n, r in results.items()}, messages=messages, means=[m for r in results.values() for m in r.means],
            beam_differences=differences, numbers=numbers, doi=icesat2_atl03.DOI, notes=[n for r in results.values() for n in r.notes],
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


def _beams(granule: icesat2.Granule, chosen: list[icesat2.Beam], *, config: Config, grids: Grids, threads: int):
    """Yield (beam, BeamTables or the reason why there are none), largest beams first."""

    def one(beam: icesat2.Beam) -> BeamTables | str:
        started = time.perf_counter()
        try:
            data = icesat2_atl03.index(granule.path, beam=beam.name, bbox=config.bbox, granule=granule)
            if data is None:
                return f"{beam.name}: no photons" + (" inside --bbox" if config.bbox else "")
            result = beam_tables(data, config=config, grids=grids, threads=1 if threads > 1 and len(chosen) > 1 else threads)
        except NoSeaIceError as error:  # one beam's reason, without its advice: the granule's own sentence follows
            return one_line(error).split("; expected")[0].removeprefix(f"{granule.path.name}: ")
        if not isinstance(result, str):
            seconds = time.perf_counter() - started
            result.numbers["seconds"] = round(seconds, 3)
            log.info("%s: %s photons, %s segments, %s leads, %.1f s", beam.name, result.numbers["n_photons_read"],
                     result.numbers["n_segments"], result.numbers["n_leads"], seconds)
        return result

    order = sorted(chosen, key=lambda b: not b.is_strong)
    if threads > 1 and len(order) > 1:
        with ThreadPoolExecutor(min(threads, len(order), 4)) as pool:
            waiting = collections.deque((b, pool.submit(one, b)) for b in order)
            try:
                while waiting:
                    beam, future = waiting.popleft()  # a future keeps its result: let go of it
                    yield beam, future.result()
                    del future
            finally:
                for _, future in waiting:
                    future.cancel()
    else:
        for beam in order:
            yield beam, one(beam)


def beam_tables(
    data: icesat2_atl03.BeamIndex, *, config: Config | None = None, grids: Grids | None = None, threads: int = 2
) -> BeamTables | str:
    """Turn one beam's photons into segments, leads and sea surface.

    Parameters
    ----------
    data : icesat2_atl03.BeamIndex
        With the photons in memory (``BeamData``), or without: then they are read in blocks.
    config : Config, optional
    grids : Grids, optional
    threads : int
        Threads that inflate chunks.

    Returns
    -------
    BeamTables or str
        The reason, in one sentence, where the beam gives no segment.
    """
    config, grids = config or Config(), grids or Grids()
    beam, name = data.beam, data.beam.name
    geo = {c: schema.to_numpy(data.geosegments[c]) for c in data.geosegments.column_names}
    middle = geo["segment_dist_x"] + 0.5 * np.where(np.isfinite(geo["segment_length"]), geo["segment_length"], 20.0)
    lat, lon = geo["reference_photon_lat"], geo["reference_photon_lon"]

    # Photons to segments above the mean sea surface.
    mss = height_grid.sample(grids.mss, longitude=lon, latitude=lat) if grids.mss else None
    correction = corrections.corrections(
        geo, mss_grid=mss, mss_is_mean_tide=config.mss_tide_system == "mean", use_tide_ocean=config.tide_ocean,
        use_tide_equilibrium=config.tide_equilibrium, use_dac=config.dac,
    )
    if not np.isfinite(correction.total).any():
        return f"{name}: neither a mean sea surface nor a geoid is in the granule; pass --mss GRID"
    resolution = RESOLUTIONS[config.resolution]
    if isinstance(resolution, segments.PhotonRuns) and not beam.is_strong:
        resolution = segments.PhotonRuns(max_length_m=800.0)
    found = resample(data, resolution=resolution, reference=correction.total, reference_x=middle, min_confidence=config.min_confidence, threads=threads)
    n_read, table, granule, notes = data.stop - data.start, data.first_photon, data.granule, list(data.notes)
    if found.x_atc.size == 0:
        return f"{name}: {n_read} photons, none of medium or high sea-ice confidence (all noise or cloud)"
    gap_m = max(heights.GAP_M, 3.0 * float(np.median(found.length)))
    starts = tracks.pieces(found.x_atc, gap_m=gap_m)
    surface = heights.surface_heights(found, table=table if config.first_photon_bias else None, starts=starts)
    x = found.x_atc
    good = np.abs(surface.height) <= MAX_HEIGHT_M
    area = local_sea_surface.Surface(x, surface.height, surface.uncertainty, surface.n_photons, found.length)

    # Classes: once against the lowest surface around, once more against the water that was found.
    sun = np.interp(x, middle, geo["solar_elevation"])
    evidence = surface_type.gather(
        x, np.where(good, surface.height, np.nan), height_uncertainty=surface.uncertainty, n_photons=surface.n_photons,
        height_sd=surface.sd, spread=surface.spread, rate=found.photon_rate_high.mean, n_shots=found.n_shots,
        background_rate=found.background_rate.mean, solar_elevation=sun, is_strong=beam.is_strong, spot=beam.spot, starts=starts,
    )
    types = surface_type.classify(evidence)
    centres = leads.section_centres(x, step_m=leads.LeadRule().section_step_m)
    lead = area.leads(types.surface_class)
    is_fit = leads.screen_leads(lead, ceiling=_at_leads(lead, evidence.lowest) + surface_type.ABOVE_LOWEST_M)
    level = leads.combine(lead, centres, is_fit=is_fit)
    if np.isfinite(level[0]).any():
        guess, error = leads.water_level(x, centres, height=level[0], uncertainty=level[1])
        types = surface_type.classify(evidence, water_level=guess, water_level_error=error)
        lead = area.leads(types.surface_class)
        is_fit = leads.screen_leads(lead, ceiling=_at_leads(lead, evidence.lowest) + surface_type.ABOVE_LOWEST_M)

    # Sea surface and freeboard.
    centre = local_sea_surface.section_centres(x, method=config.sea_surface)
    near = sea_surface.nearest_section(centre, middle)
    sections = local_sea_surface.sections(
        area, surface_class=types.surface_class, lead=lead, centre=centre, method=config.sea_surface, is_fit=is_fit,
        land_distance=_land_distance(grids, lat[near], lon[near]), ice_concentration=_ice_concentration(grids, lat[near], lon[near]),
    )
    reference, reference_error, source = local_sea_surface.at_segments(x, sections, is_stepped=config.sea_surface != local_sea_surface.DEFAULT)
    board, board_error = sea_surface.freeboard(surface.height, surface.uncertainty, h_ref=reference, sigma_ref=reference_error)

    rows = np.flatnonzero(good)
    is_next_to_gap = np.zeros(x.size, bool)  # of the segments that stay: what is dropped below leaves a gap too
    is_next_to_gap[rows] = tracks.near_gap(tracks.pieces(x[rows], gap_m=gap_m), rows.size)
    own = sea_surface.nearest_section(x, middle)
    quality = quality_flag(
        n_photons=surface.n_photons, is_geoid=correction.mss_source[own] == corrections.MSS_GEOID, first_photon_bias=surface.first_photon_bias,
        is_missing=correction.is_missing[own], is_contaminated=surface.is_contaminated, is_next_to_gap=is_next_to_gap,
        source=source, saturated_share=geo["full_sat_fract"][own],
    )
    time_ = icesat2.utc(found.delta_time)
    corrections_at = functools.partial(_at_segments, x, middle)

    def tide_at(values: np.ndarray) -> np.ndarray:
        return np.where(np.isfinite(values[own]), corrections_at(values), np.nan)  # where it was missing, nothing was subtracted

    granule_id = granule.granule_id
    columns = {
        "time": time_, "latitude": found.latitude, "longitude": found.longitude, "x_atc": x, "n_photons": surface.n_photons,
        "height_mean": found.mean + found.reference, "height_median": found.median + found.reference, "height_sd": found.sd,
        "height": surface.height, "height_uncertainty": surface.uncertainty, "photon_rate": found.photon_rate.mean,
        "photon_rate_high": found.photon_rate_high.mean, "background_rate": found.background_rate.mean, "solar_elevation": sun,
        "surface_class": types.surface_class, "probability_thick": types.probability[:, 0], "probability_thin": types.probability[:, 1],
        "probability_water": types.probability[:, 2], "sea_surface_height": reference, "sea_surface_uncertainty": reference_error,
        "sea_surface_source": source, "total_freeboard": board, "total_freeboard_uncertainty": board_error, "quality_flag": quality,
        "mean_sea_surface": corrections_at(correction.mean_sea_surface), "tide_ocean": tide_at(correction.tide_ocean),
        "tide_equilibrium": tide_at(correction.tide_equilibrium), "dac": tide_at(correction.dac),
        "first_photon_bias": surface.first_photon_bias,
    }
    if rows.size < x.size:
        notes.append(f"{name}: {x.size - rows.size} segments without a surface within {MAX_HEIGHT_M:g} m of the mean sea surface were dropped")
        columns = {k: v[rows] for k, v in columns.items()}
    if rows.size == 0:
        return f"{name}: no segment within {MAX_HEIGHT_M:g} m of the mean sea surface (land, icebergs or noise)"
    identity = {"granule": granule_id, "beam": name}

    def table_of(spec: schema.TableSpec, values: dict[str, np.ndarray]) -> pa.Table:
        n = len(next(iter(values.values())))
        return schema.table(spec, {**identity, "is_strong": np.full(n, beam.is_strong), **values})

    lead_rows = ((lead.first + lead.last) // 2).astype(np.int64)
    rate = leads.mean_over(lead, found.photon_rate_high.mean)
    chance = leads.mean_over(lead, types.probability[:, 2])
    bright = rate * surface_type.strong_equivalent(is_strong=beam.is_strong, spot=beam.spot)
    lead_table = table_of(schema.LEADS, {
        "time": time_[lead_rows], "latitude": found.latitude[lead_rows], "longitude": found.longitude[lead_rows], "x_atc": lead.x,
        "length": lead.length, "n_segments": lead.n_segments, "n_photons": lead.n_photons, "height": lead.height,
        "height_uncertainty": lead.uncertainty, "photon_rate": rate, "is_specular": bright > surface_type.RATE_SPECULAR, "probability_water": chance,
        "is_used": sections.is_lead_used,
    })
    at = np.clip(np.searchsorted(x, sections.centre), 0, x.size - 1)
    at = np.where((at > 0) & (np.abs(x[np.maximum(at - 1, 0)] - sections.centre) < np.abs(x[at] - sections.centre)), at - 1, at)
    section_table = table_of(schema.SEA_SURFACE, {
        "time": time_[at], "latitude": found.latitude[at], "longitude": found.longitude[at], "x_atc": sections.centre,
        "section_length": np.full(sections.centre.size, sections.length), "n_leads": sections.n_leads,
        "sea_surface_height": sections.height, "sea_surface_uncertainty": sections.uncertainty, "sea_surface_source": sections.source,
        "height_unsmoothed": sections.height_unsmoothed,
    })
    segment_table = table_of(schema.SEGMENTS, columns)
    has = np.isfinite(columns["total_freeboard"])
    numbers = {
        "is_strong": beam.is_strong, "spot": beam.spot, "n_photons_read": n_read, "n_segments": int(rows.size), "n_leads": int(lead.x.size),
        "n_leads_used": int(sections.is_lead_used.sum()), "n_sections": int(np.isfinite(sections.height).sum()),
        "share_with_freeboard": float(has.mean()), "mean_freeboard": float(np.mean(columns["total_freeboard"][has])) if has.any() else None,
        "classes": {c: int(np.sum(columns["surface_class"] == v)) for v, c in schema.SURFACE_CLASSES},
    }
    means = _means(name, columns, section_table)
    return BeamTables(segment_table, lead_table, section_table, numbers, means, tuple(notes))


def _at_leads(lead: leads.Leads, values: np.ndarray) -> np.ndarray:
    return values[(lead.first + lead.last) // 2] if lead.x.size else np.empty(0)


def _at_segments(x: np.ndarray, middle: np.ndarray, values: np.ndarray) -> np.ndarray:
    good = np.isfinite(values)
    return np.interp(x, middle[good], values[good]) if good.any() else np.full(x.size, np.nan)


def _means(beam: str, columns: dict[str, np.ndarray], sections: pa.Table) -> list[dict[str, object]]:
    """Freeboard averaged over 1, 10 and 25 km: medians over the bins, one row a length."""
    centre = schema.to_numpy(sections["x_atc"])
    height = schema.to_numpy(sections["sea_surface_height"])
    spacing = float(np.median(np.diff(centre))) if centre.size > 1 else 10_000.0
    errors = averages.CorrelatedErrors(section_spacing_m=spacing)
    means = averages.mean_freeboard(
        columns["x_atc"], columns["total_freeboard"], sigma_random=columns["height_uncertainty"],
        sigma_sea_surface=columns["sea_surface_uncertainty"], section_x=centre[np.isfinite(height)],
        lengths_m=(*(1000.0 * k for k in MEAN_LENGTHS_KM), np.inf), errors=errors,
    )
    rows = []
    for length, m in means.items():
        if m.n.size == 0:
            continue
        rows.append({
            "beam": beam, "length_km": length / 1000.0 if np.isfinite(length) else "track", "n_bins": int(m.n.size), "n": int(np.median(m.n)),
            "freeboard": float(np.mean(m.freeboard)), "uncertainty": float(np.median(m.uncertainty)),
            "uncertainty_random": float(np.median(m.uncertainty_random)), "uncertainty_correlated": float(np.median(m.uncertainty_correlated)),
        })
    return rows


def _differences(results: dict[str, BeamTables]) -> list[dict[str, object]]:
    tables = [r.sea_surface for r in results.values() if r.sea_surface.num_rows]
    if len(tables) < 2:
        return []
    table = pa.concat_tables([t.set_column(0, "beam", t["beam"].cast(pa.string())) for t in tables])
    measured = schema.to_numpy(table["sea_surface_source"]) == schema.SOURCE_LEADS
    found = averages.beam_differences(
        schema.to_numpy(table["x_atc"])[measured], schema.to_numpy(table["sea_surface_height"])[measured],
        uncertainty=schema.to_numpy(table["sea_surface_uncertainty"])[measured], beam=np.array(table["beam"].to_pylist(), dtype=str)[measured],
    )
    return [asdict(d) for d in found if d.n]


def _numbers(results: dict[str, BeamTables], seconds: float) -> dict[str, float]:
    total = {k: int(sum(r.numbers[k] for r in results.values())) for k in ("n_photons_read", "n_segments", "n_leads", "n_leads_used", "n_sections")}
    weight = [r.numbers["n_segments"] * r.numbers["share_with_freeboard"] for r in results.values()]
    share = sum(weight) / max(total["n_segments"], 1)
    mean = sum(w * r.numbers["mean_freeboard"] for w, r in zip(weight, results.values(), strict=True) if w) / sum(weight) if sum(weight) else float("nan")
    return {**total, "share_with_freeboard": share, "mean_freeboard": mean, "seconds": round(seconds, 3)}


def _messages(granule: icesat2.Granule, results: dict[str, BeamTables], empty: dict[str, str]) -> list[str]:
    out = []
    dry = [n for n, r in results.items() if r.numbers["share_with_freeboard"] == 0]
    if len(dry) == len(results):
        found = sum(r.numbers["n_leads"] for r in results.values())
        why = "No open water is within reach on any beam" if not found else (
            f"{found} leads were found, but none gives a sea surface that passes the screening (land, ice concentration, or more than 0.5 m "
            "from the mean sea surface)"
        )
        out.append(f"{why}: no local sea surface can be had, so freeboard is NaN everywhere. Heights stand; without a water level thin ice "
                   "cannot be told from level thick ice.")
    elif dry:
        out.append(f"No sea surface can be had on {', '.join(dry)} (no usable open water within reach): freeboard is NaN there.")
    if any(SIMULATED in note for note in granule.notes):
        out.append("This granule is simulated, not satellite data.")
    uncorrected = [n for n, r in results.items() if any("CAL-19" in note for note in r.notes)]
    if uncorrected:
        out.append(f"Heights are not corrected for first-photon bias on {', '.join(uncorrected)}: the granule carries no usable CAL-19 table.")
    return out + sorted(empty.values())


def _nothing(granule: icesat2.Granule, empty: dict[str, str], config: Config) -> Exception:
    reasons = "; ".join(sorted(empty.values()))[:420]
    if config.bbox and all("--bbox" in r for r in empty.values()):
        return ProductError(
            f"{granule.path.name}: no photon lies inside --bbox {' '.join(f'{v:g}' for v in config.bbox)}; expected a box that the track crosses. "
            "See polynya info for the granule's extent."
        )
    return NoSeaIceError(
        f"{granule.path.name}: no beam holds sea ice to work on ({reasons}); expected photons of medium or high sea-ice confidence. "
        "Choose another granule, or see polynya info."
    )


def resample(
    data: icesat2_atl03.BeamIndex, *, resolution: float | segments.PhotonRuns, reference: np.ndarray, reference_x: np.ndarray,
    min_confidence: int, threads: int,
) -> segments.Segments:
    """Resample a beam's photons, in blocks where they are not in memory yet.

    A block is a run of geosegments, read with two more on either side, of which only the cells inside it are
    kept: the same segments come out as from the whole beam, with a fraction of the memory. Runs of photons
    (150ph) depend on where they start, so they are made from the whole beam.

    Parameters
    ----------
    data : icesat2_atl03.BeamIndex
    resolution : float or PhotonRuns
    reference, reference_x : numpy.ndarray, shape (geosegments,)
    min_confidence, threads : int

    Returns
    -------
    segments.Segments

    Raises
    ------
    NoSeaIceError
        If no photon was considered for sea ice.
    """
    geo = {c: schema.to_numpy(data.geosegments[c]) for c in ("first_photon", "segment_ph_cnt", "segment_dist_x")}
    background = {c: schema.to_numpy(data.background[c]) for c in data.background.column_names}
    first, count, x = geo["first_photon"], geo["segment_ph_cnt"], geo["segment_dist_x"]
    make = functools.partial(segments.resample, background=background, resolution_m=resolution, min_confidence=min_confidence,
                             reference=reference, reference_x=reference_x)
    if isinstance(data, icesat2_atl03.BeamData):
        photons = {c: schema.to_numpy(data.photons[c]) for c in data.photons.column_names}
        return make(photons, first=first, count=count, segment_x=x)
    whole = isinstance(resolution, segments.PhotonRuns) or data.stop - data.start <= BLOCK_PHOTONS
    edges = np.array([0, count.size]) if whole else _block_edges(count, BLOCK_PHOTONS)
    pieces, highest = [], -2
    for a, b in itertools.pairwise(edges):
        low, high = max(a - 2, 0), min(b + 2, count.size)
        rows = low + np.flatnonzero(count[low:high] > 0)
        if rows.size == 0:
            continue
        start, stop = int(first[rows].min()), int((first[rows] + count[rows]).max())
        photons = icesat2_atl03.photons(data, start=start, stop=stop, threads=threads)
        highest = max(highest, int(photons["signal_conf_ph"].max()))
        piece = make(photons, first=first[rows] - start, count=count[rows], segment_x=x[rows])
        if not whole:
            cells = np.floor(x[[a, min(b, count.size - 1)]] / resolution).astype(np.int64)
            piece = segments.select(piece, low=cells[0] if a else np.iinfo(np.int64).min, high=cells[1] if b < count.size else np.iinfo(np.int64).max)
        pieces.append(piece)
    icesat2_atl03.refuse_without_sea_ice(data, highest)
    return segments.concatenate(pieces)


def _block_edges(count: np.ndarray, most: int) -> np.ndarray:
    """Cut geosegments into runs of about ``most`` photons; returns the first geosegment of each, and the end."""
    total = np.cumsum(count)
    cuts = np.searchsorted(total, np.arange(most, total[-1], most)) + 1
    return np.unique(np.concatenate([[0], cuts, [count.size]]))


def _land_distance(grids: Grids, latitude: np.ndarray, longitude: np.ndarray) -> np.ndarray | None:
    """Metres in the two values that screening needs: 0 where land lies within 25 km, else infinity."""
    if grids.land is None:
        return None
    return np.where(height_grid.is_land_near(grids.land, longitude=longitude, latitude=latitude, within_km=LAND_KM), 0.0, np.inf)


def _ice_concentration(grids: Grids, latitude: np.ndarray, longitude: np.ndarray) -> np.ndarray | None:
    """Fraction 0-1, whether the grid holds fractions or per cent."""
    if grids.ice_concentration is None:
        return None
    ice = height_grid.sample(grids.ice_concentration, longitude=longitude, latitude=latitude)
    cells = grids.ice_concentration.values
    full = 100.0 if np.any((cells > 1.5) & (cells <= 100.0)) else 1.0
    return np.where((ice < 0) | (ice > full), np.nan, ice) / full  # beyond the full value lie flags: land, coast, missing


def as_json(record: Record) -> dict[str, object]:
    """Return a record for machines."""
    return io.plain(asdict(record))

"""``polynya glaciers``: a scene to glacier outlines with the probability and the confidence of every pixel.

The story: open the scene, check its quality, go over it once with the network, write probability and confidence as they
come, draw outlines, cut them at the divides of an inventory, describe them, give areas their intervals, compare the map
with the classical rule, score it where a reference is given, write the report. Memory is bounded by a strip of the
scene. Results appear under their name only when all of them are whole.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
from odc.geo.geobox import GeoBox

from ... import io
from ...errors import ProductError
from ...evaluate import scene_rows
from ...glaciers import agreement
from ...readers import rgi_outlines
from ...report import terminal
from ...scenes import quality as scene_quality
from ...scenes.scene import Scene
from . import clouded, combined, cover, mapped_outlines, opened, page, rasters, scene_files
from . import mapper as glacier_mapper
from . import notes as glacier_notes
from . import reference as glacier_reference
from .combined import Combined
from .config import DATE, DEFAULT, Config
from .key import result_key
from .mapper import NO_LOCATION, RULE, Mapper
from .opened import Opened, open_scene
from .outputs import Outputs, as_json, as_text, scores_text, total_text
from .reference import Scored

__all__ = ["DATE", "DEFAULT", "RULE", "Config", "Outputs", "as_json", "as_text", "open_scene", "run", "total_text"]


@dataclass(frozen=True, kw_only=True)
class _Job:
    """A scene, what maps it, and how."""

    paths: list[Path | str]
    scene: Scene
    mapper: Mapper
    config: Config
    inventory_path: Path | None
    inventory: gpd.GeoDataFrame | None
    reference: Path | None
    date: np.datetime64 | None
    """Of the GLIMS analyses to take."""
    lines: tuple[str, ...]
    """What was chosen and cut of inventory and reference, and done to the grid, in words."""
    is_coarser: bool
    """Whether the pixels of the scene are larger than any that the network learnt."""
    dates: Combined | None = None
    """The dates that are combined; ``scene`` is the main one."""

    @property
    def is_rule(self) -> bool:
        return self.config.network == (RULE,)


def run(
    paths: Sequence[Path | str],
    *,
    out: Path | str,
    config: Config | None = None,
    inventory: Path | str | None = None,
    reference: Path | str | None = None,
    overwrite: bool = False,
    threads: int = 2,
    show_progress: bool = False,
) -> Outputs:
    """Map the glaciers of one scene.

    Parameters
    ----------
    paths : sequence of Path or str
        Files of one scene, as :func:`polynya.scenes.scene.open_scene` takes them, or addresses of them; with
        ``config.combine`` one path a date, and what all dates share with a role (``dem=FILE``).
    out : Path or str
        Folder to write, or its address.
    config : Config, optional
        Settings.
    inventory : Path or str, optional
        RGI or GLIMS outlines, whose divides and identifiers are kept.
    reference : Path or str, optional
        Outlines or a truth raster to score the map against, in the report and in ``evaluation.parquet``.
    overwrite : bool
        Replace ``out`` where it is an earlier result.
    threads : int
        Windows at a time.
    show_progress : bool
        A bar on stderr.

    Returns
    -------
    Outputs

    Raises
    ------
    UsageError
        If a setting does not fit the scene, or ``out`` exists.
    ProductError
        If a file cannot be read.
    OutputError
        If nothing can be written.
    """
    started, place = time.monotonic(), io.place(out)
    io.check_place(place, overwrite=overwrite)
    with contextlib.ExitStack() as stack:
        files, given = stack.enter_context(scene_files.fetched(paths)), config or Config()
        if reference is not None:
            glacier_reference.check(reference)
        dates_in = opened.open_all(files, given, threads=threads)
        key = _key(files, [o.own for o in dates_in], given, inventory=inventory, reference=reference)
        hashed = stack.enter_context(io.hashing(key))
        pixels = sum(o.scene.shape[0] * o.scene.shape[1] for o in dates_in)
        bar = stack.enter_context(terminal.progress(pixels, show=show_progress, text="scene"))
        scratch = stack.enter_context(io.scratch())
        dates = (
            combined.combine(
                [(o.scene, o.mapper) for o in dates_in], config=given, scratch=scratch, advance=bar.advance
            )
            if given.combine
            else None
        )
        job = _job(dates_in, dates, config=given, inventory=inventory, reference=reference)
        scene = job.scene
        quality = scene_quality.check(scene)
        used, notes = _sensors(job, quality)
        folder = stack.enter_context(io.writing_folder(place, overwrite=overwrite))
        location, unseen = _write_maps(job, used, folder, bar.advance)
        notes += [t for t in (unseen.text, unseen.cloud_text) if t]
        notes = [page.SIMULATED, *notes] if scene.is_simulated else notes
        outlined = mapped_outlines.draw(
            folder,
            scene=scene,
            mapper=job.mapper,
            config=job.config,
            inventory=job.inventory,
            no_interval=(why := glacier_notes.no_interval(scene, used, job.mapper, is_coarser=job.is_coarser)),
        )
        notes += [f"no intervals: {why}"] if why and not job.is_rule else []
        covered = cover.split(outlined, folder, scene=scene, about=_tags(job, location))
        if covered is not None:
            outlined = replace(outlined, table=covered.table)
        notes += mapped_outlines.write(outlined, folder, scene=scene, config=job.config)
        step = page.step_of(scene)
        agreed = agreement.compare(scene, outlined.table, step=step, is_rule=job.is_rule)
        scored = _score(job, folder)
        warned = page.warnings_of(quality, scene, unseen)
        page.write(
            folder,
            page.Content(
                scene=scene,
                facts=_facts(job, used, location),
                outlined=outlined,
                agreement=agreed,
                step=step,
                unseen=unseen,
                warnings=warned,
                notes=tuple(notes),
                no_interval=why,
                confident=job.config.confident,
                is_map=not job.is_rule,
                inventory=job.inventory,
                reference=None if job.reference is None else page.Reference(path=job.reference, date=job.date),
                scored=scored,
                cover=cover.text(covered),
            ),
        )
        total = outlined.areas.total
        record = io.run_record(
            command=io.command_line(),
            config=job.config.model_dump(),
            key=hashed(),
            seed=job.config.seed,
            inputs=[_input(job, used)],
            network=job.mapper.about,
            quality=quality.as_json(),
            notes=notes,
            region=location,
            glaciers=len(outlined.table),
            area_km2=total.value,
            area_low_km2=total.low,
            area_high_km2=total.high,
            no_interval=why,
            between_blocks=outlined.between_blocks,
            block_sd=job.mapper.block_sd,
            elsewhere_km2=outlined.areas.elsewhere_km2,
            not_seen_km2=unseen.area_km2,
            not_seen_ice_km2=unseen.ice_km2,
            cloud_km2=unseen.cloud_km2,
            dates=None if dates is None else dates.as_json(),
            by_colour=agreed.as_json(),
            cover=cover.as_json(covered),
            is_simulated=scene.is_simulated,
            outputs=page.output_names(folder),
        )
        io.write_json(record, folder / "run.json")
        names = sorted(p.name for p in folder.iterdir())
    return Outputs(
        folder=place,
        files={n: place / n for n in names},
        scene=scene.name,
        quality=quality,
        warnings=warned,
        n_outlines=len(outlined.table),
        total=total,
        strata=agreed.strata,
        notes=tuple(notes),
        seconds=time.monotonic() - started,
        unseen=unseen,
        cover=cover.text(covered),
        scores="" if scored is None or job.reference is None else scores_text(scored.table, job.reference.name),
    )


def done_before(
    paths: Sequence[Path | str],
    *,
    out: Path | str,
    config: Config | None = None,
    inventory: Path | str | None = None,
    reference: Path | str | None = None,
) -> dict[str, object] | None:
    """Return the record of a finished result of the same files, settings and networks, None where there is none.

    Parameters
    ----------
    paths : sequence of Path or str
        Files of one scene.
    out : Path or str
        Where its result would go.
    config, inventory, reference : optional
        As for :func:`run`.

    Raises
    ------
    PolynyaError
        If the scene cannot be read, or ``out`` holds another result or something else.
    """
    config, place = config or Config(), io.place(out)
    if io.is_free(place):
        return None
    with scene_files.fetched(paths) as files:
        groups = combined.split(files) if config.combine else [files]
        scenes = [open_scene(g, config) for g in groups]
        return io.finished(place, _key(files, scenes, config, inventory=inventory, reference=reference))


def _key(
    files: Sequence[Path | str],
    scenes: Sequence[Scene],
    config: Config,
    *,
    inventory: Path | str | None,
    reference: Path | str | None,
) -> io.Key:
    """Return everything that decides a result; of several dates all count."""
    first = scenes[0] if len(scenes) == 1 else replace(scenes[0], name=combined.name_of(scenes))
    return result_key(files, first, config, inventory=inventory, reference=reference, others=scenes[1:])


def _job(
    every: Sequence[Opened],
    dates: Combined | None,
    *,
    config: Config,
    inventory: Path | str | None,
    reference: Path | str | None,
) -> _Job:
    """Put together what is mapped, and open inventory and reference."""
    scene, mapper = (every[0].scene, every[0].mapper) if dates is None else (dates.scene, dates.mapper)
    main = every[0] if dates is None else next(o for o in every if o.scene is dates.maps[dates.main].scene)
    lines = tuple(t for o in every for t in o.lines)
    if dates is not None:
        lines += tuple(n for m in dates.maps for n in m.notes)
        date = "time unknown" if scene.time is None else np.datetime_as_string(scene.time, unit="D")
        lines += (
            f"{len(dates.maps)} dates combined; outlines have the date of the main one, {main.scene.name} ({date})",
        )
    date = _reference_date(scene, config)
    if reference is not None:
        lines += glacier_reference.check(reference, scene=scene, date=date)
    known = None if inventory is None else _known(inventory, scene, date=date)
    if known is not None:
        lines += known.attrs["lines"]
    return _Job(
        paths=main.paths,
        scene=scene,
        mapper=mapper,
        config=config.model_copy(update={"threshold": config.threshold or mapper.threshold}),
        inventory_path=None if inventory is None else Path(inventory),
        inventory=known,
        reference=None if reference is None else Path(reference),
        date=date,
        lines=tuple(dict.fromkeys(lines)),
        is_coarser=any(o.is_coarser for o in every),
        dates=dates,
    )


def _known(inventory: Path | str, scene: Scene, *, date: np.datetime64 | None) -> gpd.GeoDataFrame:
    """Return the outlines of an inventory that touch a scene, in its system; in degrees also those beyond 180."""
    west, south, east, north = scene.geobox.boundingbox
    crs = scene.geobox.crs.to_wkt()
    known = rgi_outlines.read(inventory, bounds=(west, south, east, north), crs=crs, date=date)
    turn = 0.0 if not scene.geobox.crs.geographic else 360.0 * ((east > 180.0) - (west < -180.0))
    if turn:
        more = rgi_outlines.read(inventory, bounds=(west - turn, south, east - turn, north), crs=crs, date=date)
        if len(more):
            about = {**known.attrs, "lines": (*known.attrs["lines"], *more.attrs["lines"])}
            known = pd.concat([known, more.set_geometry(more.geometry.translate(xoff=turn))], ignore_index=True)
            known.attrs = about
    return known


def _reference_date(scene: Scene, config: Config) -> np.datetime64 | None:
    """Return the date of the GLIMS analyses to take: the one given, else that of the scene, where it is known."""
    return np.datetime64(config.reference_date.rstrip("Z"), "ns") if config.reference_date else scene.time


def _sensors(job: _Job, quality: scene_quality.Quality) -> tuple[tuple[str, ...], list[str]]:
    """Return the sensors to use, and notes on them and on the inventory."""
    used, notes = glacier_mapper.choose(
        job.scene, job.mapper, quality, wanted=job.config.sensors, keep_flagged=job.config.keep_flagged
    )
    if job.is_rule:
        notes += glacier_notes.rule_notes(job.scene, used)
    else:
        notes += glacier_notes.network_notes(job.scene, used, job.mapper, between_blocks=job.config.between_blocks)
    notes += job.lines
    if job.inventory is not None and job.inventory_path is not None and not len(job.inventory):
        notes.append(f"{job.inventory_path.name}: none of its glaciers lies in the scene: all ice is new to it")
    return used, notes


def _write_maps(
    job: _Job, used: Sequence[str], folder: Path, advance: Callable[[int], None]
) -> tuple[str, rasters.Unseen]:
    """Write probability and confidence; return the location encoding in words, and what the image does not show.

    Raises
    ------
    ProductError
        If no pixel has data.
    """
    scene, mapper = job.scene, job.mapper
    vector, location = mapper.place(scene, used)
    with io.scratch() as scratch:
        strips = mapper.strips(scene, used, vector, advance)
        if job.dates is None:  # dates count their cloud themselves
            strips = clouded.applied(strips, scene, is_masked=job.config.mask_clouds)
        has_data, unseen = rasters.write(
            strips,
            name=scene.name,
            geobox=scene.geobox,
            scratch=scratch,
            folder=folder,
            about=_tags(job, location),
            is_cloud_masked=job.config.mask_clouds,
        )
    if not has_data:
        image = scene.table.name_of("reflectance")
        raise ProductError(
            f"{scene.name}: no pixel has data in {image if image in used else ', '.join(used)}, so {mapper.name} sees"
            " nothing; expected data. Look at the files (gdalinfo -stats), or give other sensors."
        )
    return location, unseen


def _tags(job: _Job, location: str) -> dict[str, str]:
    """Return the tags of the rasters."""
    simulated = {"simulated": page.SIMULATED} if job.scene.is_simulated else {}
    return {"scene": job.scene.name, "network": job.mapper.name, "region": location, **simulated}


def _score(job: _Job, folder: Path) -> Scored | None:
    """Score the map and write the scores, where a reference is given."""
    if job.reference is None:
        return None
    scored = glacier_reference.score(
        folder,
        paths=job.paths,
        scene=job.scene,
        reference=job.reference,
        is_probability=not job.is_rule,
        threshold=job.config.threshold,
        date=job.date,
        seed=job.config.seed,
    )
    io.write_table(scored.table, folder / "evaluation.parquet", spec=scene_rows.SCENE_EVALUATION)
    return scored


def _input(job: _Job, used: Sequence[str]) -> dict[str, object]:
    return {
        "scene": job.scene.name,
        "paths": [Path(p).name for p in job.paths],
        "time": None if job.scene.time is None else str(job.scene.time),
        "sensors": list(job.scene.sensors),
        "used": list(used),
        "is_simulated": job.scene.is_simulated,
        "inventory": None if job.inventory_path is None else job.inventory_path.name,
        "reference": None if job.reference is None else job.reference.name,
    }


def _facts(job: _Job, used: Sequence[str], location: str) -> dict[str, object]:
    scene, config = job.scene, job.config
    wide, tall = scene.pixel_m
    views = config.turns * config.draws * job.mapper.members
    return {
        "taken": (
            "time unknown"
            if scene.time is None
            else np.datetime_as_string(scene.time, unit="m").replace("T", " ") + " UTC"
        ),
        "region": f"{scene.table.regions[scene.region]} ({scene.region})" if scene.region else "not given",
        "grid": f"{scene.shape[0]} x {scene.shape[1]} pixels of {wide:.0f} x {tall:.0f} m, {_crs_name(scene.geobox)}",
        "sensors used": ", ".join(used),
        "mapped by": job.mapper.name,
        **({} if location == NO_LOCATION else {"region encoding": location}),
        **({} if job.is_rule else {"glacier from": f"probability {config.threshold:.3g}"}),
        **({"predictions averaged": f"{views} per pixel"} if views > 1 else {}),
        "smallest outline": f"{config.min_area_km2:g} km²",
        **({} if job.dates is None else job.dates.facts()),
    }


def _crs_name(geobox: GeoBox) -> str:
    return f"EPSG:{geobox.crs.epsg}" if geobox.crs.epsg else "a CRS of its own"

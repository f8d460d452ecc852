"""``polynya glaciers``: a scene to glacier outlines with the probability and the confidence of every pixel.

The story: open the scene, let the quality gate look at it, go over it once with the network, write probability and
confidence as they come, draw outlines, cut them at the divides of an inventory, describe them, give areas their
intervals, look at the map by colour, judge it where a reference is given, write the report. Memory is bounded by a
strip of the scene. Results appear under their name only when all of them are whole.
"""

from __future__ import annotations

import contextlib
import dataclasses
import re
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import geopandas as gpd
import numpy as np
import pyarrow as pa
from odc.geo.geobox import GeoBox
from pydantic import BaseModel, ConfigDict, Field

from ... import io
from ...errors import ProductError, UsageError
from ...evaluate import scene_rows
from ...glaciers import agreement, attributes, divides, intervals, outlines
from ...io import polygons
from ...metrics import Estimate
from ...readers import rgi_outlines
from ...report import glacier_map, terminal
from ...scenes import quality as scene_quality
from ...scenes import scene as glacier_scene
from ...sensors import REGIONS, SENSORS
from ..options import validated
from . import mapper as glacier_mapper
from . import rasters
from . import reference as glacier_reference
from . import region as glacier_region
from .key import result_key
from .mapper import RULE, Mapper

DEFAULT = "glavitu-narrow"
PICTURE_PX = 900
BLOCK = 1024
"""Side of the blocks in which a scene is read after it was mapped."""
RGI_REGIONS = tuple(f"{k:02d}" for k in range(1, 20))
DATE = re.compile(r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])(T\d\d:\d\d(:\d\d)?Z?)?")
ELSEWHERE = 0.05
"""Share of the mapped area from which ice expected outside all outlines is worth a note."""


class Config(BaseModel):
    """How a scene is mapped. Frozen; unknown keys are refused.

    Attributes
    ----------
    network : tuple of str
        Shipped names or ``.onnx`` files; several are averaged. ``rule`` alone is the classical rule.
    region : str
        One of :data:`polynya.sensors.REGIONS`, ``auto`` (what the scene says, else unknown), ``unknown``, or
        ``optimised`` (the mixture of regions that makes the network most certain of this scene; needs torch).
    threshold : float
        Probability from which a pixel is glacier.
    confident : float
        Confidence below which a pixel lies in the uncertainty band.
    min_area_km2 : float
        Smaller outlines are left out; so are smaller holes filled.
    turns : int
        1, or 8 for test-time augmentation.
    draws : int
        Draws with dropout on, for networks exported with it (Monte-Carlo dropout).
    between_blocks : float or None
        Correlation of errors between blocks in the area's interval; None for what the network says of itself.
    rgi_region : str
        First-order region of the RGI, two digits, for ``outlines_oggm.gpkg`` where neither inventory nor region tells
        it.
    keep_flagged : bool
        Use sensors that the quality gate finds out of register; by default they are left out.
    sensors : tuple of str
        Use these only; all that scene and network share by default.
    date : str
        When the images were taken, ISO 8601, UTC, where no file says.
    runtime : str
    seed : int
        Of the interval's draws.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    network: tuple[str, ...] = (DEFAULT,)
    region: str = "auto"
    threshold: float = Field(0.5, gt=0, lt=1)
    confident: float = Field(outlines.CONFIDENT, gt=0, le=1)
    min_area_km2: float = Field(0.01, ge=0)
    turns: Literal[1, 8] = 1
    draws: int = Field(1, ge=1, le=100)
    between_blocks: float | None = Field(None, ge=0, le=1)
    rgi_region: str = ""
    keep_flagged: bool = False
    sensors: tuple[str, ...] = ()
    date: str = ""
    runtime: Literal["auto", "onnxruntime", "openvino"] = "auto"
    seed: int = Field(0, ge=0)

    @classmethod
    def checked(cls, **values: object) -> Config:
        """Build a configuration, or raise :class:`UsageError` that names the option.

        Raises
        ------
        UsageError
            If a value does not exist or does not fit the others.
        """
        config = validated(cls, values, command="glaciers")
        if config.region not in (*REGIONS, "auto", "unknown", "optimised"):
            raise UsageError(
                f"--region {config.region}: no such region; expected one of {', '.join(REGIONS)}, auto, unknown,"
                " optimised. Change it."
            )
        if config.rgi_region and config.rgi_region not in RGI_REGIONS:
            raise UsageError(
                f"--rgi-region {config.rgi_region}: is no first-order region of the RGI; expected two digits, 01 to 19."
                " Change it."
            )
        unknown = [s for s in config.sensors if s not in SENSORS]
        if unknown:
            raise UsageError(
                f"--sensor {unknown[0]}: no such sensor; expected some of {', '.join(SENSORS)}. Change it."
            )
        if config.date and not DATE.fullmatch(config.date):
            raise UsageError(f"--date {config.date}: is no date; expected YYYY-MM-DD or YYYY-MM-DDThh:mm. Change it.")
        if RULE in config.network and len(config.network) > 1:
            raise UsageError(
                "--network rule: cannot be averaged with networks; expected rule alone. Run it on its own."
            )
        if config.network == (RULE,) and (config.turns, config.draws) != (1, 1):
            raise UsageError(
                "--network rule: has nothing to turn or to draw; expected it without --tta and --mc-dropout. Leave them"
                " out."
            )
        if config.network == (RULE,) and config.region in ("unknown", "optimised"):
            raise UsageError(
                f"--region {config.region}: is for networks that are told a region; the rule is not. Leave it out."
            )
        return config


@dataclass(frozen=True)
class Outputs:
    """What a run wrote and found.

    Attributes
    ----------
    folder : Path
    files : dict of str to Path
    scene : str
    quality : scene_quality.Quality
    n_outlines : int
    total : Estimate
        km² with its interval.
    strata : tuple of colour_strata.Stratum
        Parts of the map by colour.
    notes : tuple of str
    seconds : float
    scores : str
        IoU and area against the reference, in words; empty without one.
    """

    folder: Path
    files: dict[str, Path]
    scene: str
    quality: scene_quality.Quality
    n_outlines: int
    total: Estimate
    strata: tuple[agreement.Stratum, ...]
    notes: tuple[str, ...]
    seconds: float
    scores: str = ""


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
        Files of one scene, as :func:`polynya.scenes.scene.open_scene` takes them.
    out : Path or str
        Folder to write.
    config : Config, optional
    inventory : Path or str, optional
        RGI or GLIMS outlines, whose divides and identifiers are kept.
    reference : Path or str, optional
        Outlines or a truth raster to judge the map against, in the report and in ``evaluation.parquet``.
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
    started, config, out, paths = time.monotonic(), config or Config(), Path(out), list(paths)
    io.check_place(out, overwrite=overwrite)
    if reference is not None:
        glacier_reference.check(reference)
    scene = open_scene(paths, config)
    if reference is not None:
        glacier_reference.check(reference, scene=scene)
    known = (
        None
        if inventory is None
        else rgi_outlines.read(inventory, bounds=tuple(scene.geobox.boundingbox), crs=scene.geobox.crs.to_wkt())
    )
    is_rule = config.network == (RULE,)
    mapper = (
        glacier_mapper.rule()
        if is_rule
        else glacier_mapper.networks(
            config.network,
            region=config.region,
            turns=config.turns,
            draws=config.draws,
            runtime=config.runtime,
            threads=threads,
        )
    )
    with contextlib.ExitStack() as stack:
        hashed = stack.enter_context(
            io.hashing(result_key(paths, scene, config, inventory=inventory, reference=reference))
        )
        pixels = scene.shape[0] * scene.shape[1]
        bar = stack.enter_context(terminal.progress(pixels, show=show_progress, text="scene"))
        quality = scene_quality.check(scene)
        used, notes = glacier_mapper.choose(
            scene, mapper, quality, wanted=config.sensors, keep_flagged=config.keep_flagged
        )
        notes += (
            glacier_mapper.rule_notes(scene, used) if is_rule else glacier_mapper.network_notes(scene, used, mapper)
        )
        notes += (
            [f"{Path(inventory).name}: none of its glaciers lies in the scene: all ice is new to it"]
            if known is not None and not len(known)
            else []
        )
        folder = stack.enter_context(io.writing_folder(out, overwrite=overwrite))
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="polynya_glaciers_")))
        place, told = mapper.place(scene, used)
        about = {"scene": scene.name, "network": mapper.name, "region": told}
        if not rasters.write(
            mapper.strips(scene, used, place, bar.advance),
            name=scene.name,
            geobox=scene.geobox,
            scratch=scratch,
            folder=folder,
            about=about,
        ):
            raise ProductError(
                f"{scene.name}: no pixel has data in {', '.join(used)}, so {mapper.name} sees nothing; expected data."
                " Look at the files (gdalinfo -stats), or give other sensors."
            )
        drawn = outlines.vectorise(
            outlines.from_raster(folder / "probability.tif", threshold=config.threshold)[0],
            geobox=scene.geobox,
            min_area_km2=config.min_area_km2,
        )
        together = mapper.between_blocks if config.between_blocks is None else config.between_blocks
        table, areas = _describe(
            drawn if known is None else divides.divide(drawn, known), scene, folder, config, together, mapper.block_sd
        )
        band = outlines.uncertainty_band(
            outlines.from_raster(folder / "confidence.tif")[0], geobox=scene.geobox, threshold=config.confident
        )
        polygons.write(table, folder / "outlines.gpkg")
        polygons.write(table, folder / "outlines.parquet")
        polygons.write(band, folder / "uncertainty_band.gpkg")
        notes += [*_oggm(table, scene, folder, config), *_missed(areas, table)]
        step = max(1, -(-max(scene.shape) // PICTURE_PX))
        look = agreement.look(scene, table, step=step, is_rule=is_rule)
        judged = (
            None
            if reference is None
            else glacier_reference.judge(
                folder, paths=paths, scene=scene, reference=reference, is_probability=not is_rule, seed=config.seed
            )
        )
        if judged is not None:
            io.write_table(judged.table, folder / "evaluation.parquet", spec=scene_rows.SCENE_EVALUATION)
        small = scene.geobox if step == 1 else scene.geobox.zoom_out(step)
        glacier_map.write(
            folder / "report.html",
            title=scene.name,
            facts=_facts(scene, used, mapper, told, config),
            outlines=table,
            geobox=small,
            optical=look.picture,
            probability=(
                None if is_rule else rasters.reduced(folder / "probability.tif", tuple(int(n) for n in small.shape))
            ),
            band=band,
            total=areas.total,
            confident=config.confident,
            look=look,
            notes=[*(f.text for f in quality.warnings), *notes],
            evaluation=None if judged is None else judged.table,
            reliability=None if judged is None else judged.reliability,
        )
        record = io.run_record(
            command=io.command_line(),
            config=config.model_dump(),
            key=hashed(),
            seed=config.seed,
            inputs=[_input(scene, used, paths, inventory, reference)],
            network=mapper.about,
            quality=quality.as_json(),
            notes=notes,
            region=told,
            glaciers=len(table),
            area_km2=areas.total.value,
            area_low_km2=areas.total.low,
            area_high_km2=areas.total.high,
            between_blocks=together,
            block_sd=mapper.block_sd,
            elsewhere_km2=areas.elsewhere_km2,
            by_colour=look.as_json(),
            outputs={
                p.name.split(".")[0] + ("_parquet" if p.name == "outlines.parquet" else ""): p.name
                for p in sorted(folder.iterdir())
            },
        )
        io.write_json(record, folder / "run.json")
    files = {p.name: p for p in sorted(out.iterdir())}
    return Outputs(
        out,
        files,
        scene.name,
        quality,
        len(table),
        areas.total,
        look.strata,
        tuple(notes),
        time.monotonic() - started,
        "" if judged is None else _scores_text(judged.table, Path(reference).name),
    )


def open_scene(paths: Sequence[Path | str], config: Config) -> glacier_scene.Scene:
    """Open the files of one scene with the region and the date that the settings give.

    Parameters
    ----------
    paths : sequence of Path or str
        As :func:`polynya.scenes.scene.open_scene` takes them.
    config : Config
        Settings.

    Raises
    ------
    ProductError, UsageError
        As :func:`polynya.scenes.scene.open_scene`.
    """
    scene = glacier_scene.open_scene(paths, region=config.region if config.region in REGIONS else None)
    if config.date and scene.time is None:
        scene = dataclasses.replace(
            scene,
            time=np.datetime64(config.date.rstrip("Z"), "ns"),
            notes=tuple(n for n in scene.notes if not n.startswith("time unknown")),
        )
    return scene


def _describe(
    drawn: gpd.GeoDataFrame, scene: glacier_scene.Scene, folder: Path, config: Config, between_blocks: float, sd: float
) -> tuple[gpd.GeoDataFrame, intervals.Intervals]:
    """Add attributes and areas' intervals; the largest outline comes first."""
    confidence, _ = outlines.from_raster(folder / "confidence.tif")
    probability, _ = outlines.from_raster(folder / "probability.tif")
    only = agreement.only_sensors(scene, ("dem",))

    def read(rows: slice, columns: slice) -> dict[str, np.ndarray]:
        out = {"confidence": confidence(rows, columns)}
        if only.sensors:
            dem = glacier_scene.read(only, window=((rows.start, rows.stop), (columns.start, columns.stop)))["dem"]
            out |= {"elevation": dem[0], "slope": dem[1]}
        return out

    table = attributes.place(
        drawn, src_date="" if scene.time is None else f"{np.datetime_as_string(scene.time, unit='s')}Z"
    )
    table = attributes.describe(table, read, geobox=scene.geobox, block=BLOCK)
    margins = intervals.gather(probability, outlines=table, geobox=scene.geobox)
    areas = intervals.intervals(
        margins, table["area_km2"].to_numpy(), between_blocks=between_blocks, sd=sd, seed=config.seed
    )
    if config.network == (RULE,):  # 0 and 1 are no probabilities: nothing tells how sure an area is
        nan = np.full(len(table), np.nan)
        areas = dataclasses.replace(
            areas, low=nan, high=nan, total=Estimate(areas.total.value, np.nan, np.nan, areas.total.n)
        )
    table = table.assign(area_low_km2=areas.low, area_high_km2=areas.high)
    return table.sort_values("area_km2", ascending=False).reset_index(drop=True), areas


def _oggm(table: gpd.GeoDataFrame, scene: glacier_scene.Scene, folder: Path, config: Config) -> list[str]:
    """Write the outlines as OGGM takes them; say why where that cannot be."""
    try:
        polygons.write(
            glacier_region.for_oggm(table, region=scene.region, o1region=config.rgi_region),
            folder / "outlines_oggm.gpkg",
        )
    except UsageError as error:
        return [f"outlines_oggm.gpkg was not written: {error}"]
    return []


def _missed(areas: intervals.Intervals, table: gpd.GeoDataFrame) -> list[str]:
    if areas.elsewhere_km2 > ELSEWHERE * max(areas.total.value, 1e-9) and areas.elsewhere_km2 > 0.01:
        return [
            f"{areas.elsewhere_km2:.2f} km2 of ice are to be expected beyond reach of all outlines, by the"
            " probabilities; no interval holds them: look at the probability map"
        ]
    return [] if len(table) else ["no glacier was found"]


def _input(
    scene: glacier_scene.Scene,
    used: Sequence[str],
    paths: Sequence[Path | str],
    inventory: Path | str | None,
    reference: Path | str | None,
) -> dict[str, object]:
    return {
        "scene": scene.name,
        "paths": [Path(p).name for p in paths],
        "time": None if scene.time is None else str(scene.time),
        "sensors": list(scene.sensors),
        "used": list(used),
        "inventory": Path(inventory).name if inventory else None,
        "reference": Path(reference).name if reference else None,
    }


def _facts(
    scene: glacier_scene.Scene, used: Sequence[str], mapper: Mapper, told: str, config: Config
) -> dict[str, object]:
    wide, tall = scene.pixel_m
    views = config.turns * config.draws * mapper.members
    return {
        "taken": (
            "time unknown"
            if scene.time is None
            else np.datetime_as_string(scene.time, unit="m").replace("T", " ") + " UTC"
        ),
        "region": f"{REGIONS[scene.region]} ({scene.region})" if scene.region else "not given",
        "grid": f"{scene.shape[0]} x {scene.shape[1]} pixels of {wide:.0f} x {tall:.0f} m, {_crs_name(scene.geobox)}",
        "sensors used": ", ".join(used),
        "mapped by": mapper.name,
        **({} if told == "not told" else {"region told": told}),
        **({} if config.network == (RULE,) else {"glacier from": f"probability {config.threshold:g}"}),
        **({"answers averaged": f"{views} a pixel"} if views > 1 else {}),
        "least outline": f"{config.min_area_km2:g} km²",
    }


def _crs_name(geobox: GeoBox) -> str:
    return f"EPSG:{geobox.crs.epsg}" if geobox.crs.epsg else "a CRS of its own"


def as_json(result: Outputs) -> dict[str, object]:
    """Return a run as plain data."""
    return io.plain(
        {
            "scene": result.scene,
            "outlines": result.n_outlines,
            "area_km2": result.total.value,
            "area_low_km2": result.total.low,
            "area_high_km2": result.total.high,
            "by_colour": {
                s.name: {"area_km2": s.area_km2, "shaded": s.shaded, "cloudy": s.cloudy} for s in result.strata
            },
            "notes": list(result.notes),
            "quality": result.quality.as_json(),
            "outputs": {k: str(v) for k, v in result.files.items()},
            "seconds": round(result.seconds, 2),
        }
    )


def total_text(total: Estimate, n: int) -> str:
    interval = f" (95 % interval {total.low:.3f} to {total.high:.3f})" if np.isfinite(total.low) else ""
    return f"{total.value:.3f} km2 of ice in {n} outline{'' if n == 1 else 's'}{interval}"


def _scores_text(table: pa.Table, reference: str) -> str:
    """Return IoU and area deviation over all ground of the map and of maps that need no network."""
    rows = [
        r
        for r in table.to_pylist()
        if r["stratum"] == "all" and r["metric"] in ("iou", "area_deviation") and np.isfinite(r["value"])
    ]
    found = {(r["prediction"], r["metric"]): r["value"] for r in rows}
    said = [
        f"{'this map' if name == 'given' else name.replace('_', ' ')} {found[name, 'iou']:.3f} (area"
        f" {100 * found.get((name, 'area_deviation'), np.nan):+.0f} %)"
        for name in dict.fromkeys(r["prediction"] for r in rows)
        if (name, "iou") in found
    ]
    return f"IoU against {reference}: {', '.join(said)}" if said else ""


def as_text(result: Outputs) -> str:
    """Return a run for people."""
    parts = ", ".join(f"{s.name.replace('_', ' ')} {s.area_km2:.3f} km2" for s in result.strata)
    return "\n".join(
        [
            f"{result.scene}: {total_text(result.total, result.n_outlines)}, {result.seconds:.1f} s",
            *([f"  by colour: {parts}"] if parts else []),
            *([f"  {result.scores}"] if result.scores else []),
            *(f"  warning: {f.text}" for f in result.quality.warnings),
            *(f"  note: {n}" for n in result.notes),
            *(f"  wrote {p}" for p in result.files.values()),
        ]
    )

"""``polynya glaciers``: a scene to glacier outlines with the probability and the confidence of every pixel.

The story: open the scene, let the quality gate look at it, go over it once with the network, write probability and confidence as they come,
draw outlines, cut them at the divides of an inventory, describe them, give areas their intervals, write the report. Memory is bounded by
a strip of the scene. Results appear under their name only when all of them are whole.
"""

from __future__ import annotations

import contextlib
import functools
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import geopandas as gpd
import numpy as np
from odc.geo.geobox import GeoBox
from pydantic import BaseModel, ConfigDict, Field

from .. import io, polygons, predict_scene
from ..engine.local import LocalEngine
from ..engine.protocol import DONE, SKIPPED, Engine, Record
from ..errors import OutputError, UsageError, one_line
from ..physics import ice_rules
from ..readers import glacier_scene, rgi_outlines
from ..report import glacier_map
from ..samples import area_intervals, ice_divides, outline_attributes, outlines, scene_quality, scene_scaling
from ..sensors import REGIONS, SENSORS
from . import glacier_region
from .options import validated

DEFAULT = "glavitu-small"
RULE = "rule"
GLACIER = -1
"""The last class is the glacier."""
PICTURE_PX = 900
STATES = ("outlines.gpkg", "outlines.parquet", "uncertainty_band.gpkg", "probability.tif", "confidence.tif", "report.html", "run.json")


class Config(BaseModel):
    """How a scene is mapped. Frozen; unknown keys are refused.

    Attributes
    ----------
    network : tuple of str
        Shipped names or ``.onnx`` files; several are averaged. ``rule`` alone is the classical rule.
    region : str
        One of :data:`polynya.sensors.REGIONS`, ``auto`` (what the scene says, else unknown), ``unknown``, or ``optimised`` (the mixture of regions
        that makes the network most certain of this scene; needs torch).
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
    between_blocks : float
        Correlation of errors between blocks in the area's interval.
    keep_flagged : bool
        Use sensors that the quality gate finds out of register; by default they are left out.
    sensors : tuple of str
        Use these only; all that scene and network share by default.
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
    between_blocks: float = Field(0.0, ge=0, le=1)
    keep_flagged: bool = False
    sensors: tuple[str, ...] = ()
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
            raise UsageError(f"--region {config.region}: no such region; expected one of {', '.join(REGIONS)}, auto, unknown, optimised. Change it.")
        unknown = [s for s in config.sensors if s not in SENSORS]
        if unknown:
            raise UsageError(f"--sensor {unknown[0]}: no such sensor; expected some of {', '.join(SENSORS)}. Change it.")
        if RULE in config.network and len(config.network) > 1:
            raise UsageError("--network rule: cannot be averaged with networks; expected rule alone. Run it on its own.")
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
    notes : tuple of str
    seconds : float
    """

    folder: Path
    files: dict[str, Path]
    scene: str
    quality: scene_quality.Quality
    n_outlines: int
    total: object
    notes: tuple[str, ...]
    seconds: float


def run(
    paths: Sequence[Path | str], *, out: Path | str, config: Config | None = None, inventory: Path | str | None = None, overwrite: bool = False,
    threads: int = 2, show_progress: bool = False,
) -> Outputs:
    """Map the glaciers of one scene.

    Parameters
    ----------
    paths : sequence of Path or str
        Files of one scene, as :func:`polynya.readers.glacier_scene.open_scene` takes them.
    out : Path or str
        Folder to write.
    config : Config, optional
    inventory : Path or str, optional
        RGI or GLIMS outlines, whose divides and identifiers are kept.
    overwrite : bool
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
    started, config, out = time.monotonic(), config or Config(), Path(out)
    if out.exists() and not overwrite:
        raise UsageError(f"{out}: exists already; expected a new name. Pass --overwrite to replace it.")
    scene = glacier_scene.open_scene(list(paths), region=config.region if config.region in REGIONS else None)
    mapper = _rule_mapper() if config.network == (RULE,) else _network_mapper(config, threads)
    height, width = scene.shape
    with contextlib.ExitStack() as stack:
        advance = stack.enter_context(_progress(height * width, show=show_progress))
        quality = scene_quality.check(scene)
        used, notes = _sensors(scene, mapper.sensors, quality, config)
        folder = stack.enter_context(io.writing_folder(out))
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="polynya_glaciers_")))
        place, told = mapper.place(scene, used)
        seen = _write_maps(scene, mapper.strips(scene, used, place, advance), scratch=scratch, folder=folder, about={"scene": scene.name, "network": mapper.name, "region": told})
        if not seen:
            raise UsageError(f"{scene.name}: {mapper.name} sees no pixel with {', '.join(used)}; expected data. Check the files, or take another network.")
        drawn = _outlines(folder, config)
        known = None if inventory is None else rgi_outlines.read(inventory, bounds=tuple(scene.geobox.boundingbox), crs=scene.geobox.crs.to_wkt())
        drawn = drawn if known is None else ice_divides.divide(drawn, known)
        table, areas = _describe(drawn, scene, folder, config)
        band = outlines.uncertainty_band(outlines.from_raster(folder / "confidence.tif")[0], geobox=scene.geobox, threshold=config.confident)
        polygons.write(table, folder / "outlines.gpkg")
        polygons.write(table, folder / "outlines.parquet")
        polygons.write(band, folder / "uncertainty_band.gpkg")
        polygons.write(polygons.to_oggm(table), folder / "outlines_oggm.gpkg")
        notes += _change_notes(areas)
        facts = _facts(scene, used, mapper, told, config)
        _report(folder, scene, table, band, areas, facts, [*(f.text for f in quality.warnings), *notes])
        record = io.run_record(
            command=io.command_line(), config=config.model_dump(), seed=config.seed, inputs=[{"scene": scene.name, "time": str(scene.time), "sensors": list(scene.sensors), "used": list(used), "inventory": Path(inventory).name if inventory else None}],
            network=mapper.about, quality=quality.as_json(), notes=notes, region=told, glaciers=len(table), area_km2=areas.total.value, area_low_km2=areas.total.low, area_high_km2=areas.total.high,
            elsewhere_km2=areas.elsewhere_km2, outputs={n.split(".")[0]: n for n in (*STATES, "outlines_oggm.gpkg")},
        )
        io.write_json(record, folder / "run.json")
    files = {p.name: p for p in sorted(out.iterdir())}
    return Outputs(out, files, scene.name, quality, len(table), areas.total, tuple(notes), time.monotonic() - started)


def run_each(
    scenes: Sequence[Path | str], *, out: Path | str, config: Config | None = None, inventory: Path | str | None = None, overwrite: bool = False, threads: int = 2,
    engine: Engine | None = None, show_progress: bool = False,
) -> list[Record]:
    """Map many scenes, each into a folder of its own under ``out``; those that are there are skipped, one that fails stops no other.

    Parameters
    ----------
    scenes : sequence of Path or str
        A scene each.
    out : Path or str
    config : Config, optional
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
    names = [Path(s).name for s in scenes]
    doubled = next((n for n in names if names.count(n) > 1), None)
    if doubled:
        raise UsageError(f"--each: two scenes are called {doubled}; expected different names, since each gets a folder of its own. Rename one.")
    task = functools.partial(process, out=str(out), config=config or Config(), inventory=None if inventory is None else str(inventory), overwrite=overwrite, threads=threads)
    records = []
    for record in (engine or LocalEngine(workers=1)).map(task, [str(s) for s in scenes]):
        records.append(record)
        if show_progress:
            print(f"{len(records)}/{len(scenes)} {Path(record.item).name}: {record.status} {record.message}", file=sys.stderr, flush=True)
    return records


def process(item: str, *, out: str, config: Config, inventory: str | None, overwrite: bool, threads: int) -> Record:
    """Map one scene of many: the task that engines repeat."""
    folder = Path(out) / Path(item).name.removesuffix(".SAFE").removesuffix(".json").removesuffix(".tif")
    if (folder / "run.json").exists() and not overwrite:
        held = io.read_json(folder / "run.json")
        if held["config"] == io.plain(config.model_dump()):
            return Record(item, SKIPPED, "was done before", {"folder": str(folder)})
    result = run([item], out=folder, config=config, inventory=inventory, overwrite=True, threads=threads)
    t = result.total
    return Record(item, DONE, f"{t.value:.3f} km2 in {result.n_outlines} outlines (95 % interval {t.low:.3f} to {t.high:.3f})", {"folder": str(folder)}, {"area_km2": t.value, "outlines": result.n_outlines})


def records_text(records: Sequence[Record]) -> str:
    """Return what became of many scenes, for people."""
    return "\n".join(f"{Path(r.item).name}: {r.status}; {r.message}" + (f" -> {r.outputs['folder']}" if r.outputs else "") for r in records)


@dataclass(frozen=True)
class Mapper:
    """What turns a scene into probabilities: networks, or the rule.

    Attributes
    ----------
    name : str
    sensors : tuple of str
        That it can use.
    about : list of dict
        For run.json.
    place : callable
        Takes scene and sensors; returns what a network is told of the place, and that in words.
    strips : callable
        Takes scene, sensors, place and a function to call with pixels done; yields (row, probability (h, w), confidence (h, w), spread (h, w)).
    """

    name: str
    sensors: tuple[str, ...]
    about: list[dict[str, object]]
    place: Callable[..., tuple[np.ndarray, str]]
    strips: Callable[..., Iterator[tuple[int, np.ndarray, np.ndarray, np.ndarray]]]


def _network_mapper(config: Config, threads: int) -> Mapper:
    networks = [predict_scene.load(n, runtime=config.runtime, threads=threads) for n in config.network]
    predict_scene.same_shape(networks)
    d = networks[0].description
    if d.classes[GLACIER] != "glacier":
        raise UsageError(f"--network {networks[0].path.name}: its classes are {', '.join(d.classes)}; expected a glacier network. Give another.")
    if config.region in (*REGIONS, "optimised", "unknown") and d.location_kind != "region":
        raise UsageError(f"--region {config.region}: network {d.name} is not told a region (it is told: {d.location_kind}); expected a network with region encoding. Leave --region out.")

    def place(scene: glacier_scene.Scene, used: Sequence[str]) -> tuple[np.ndarray, str]:
        region = scene.region if config.region == "auto" else config.region
        if d.location_kind == "region" and config.region == "optimised":
            return glacier_region.optimise(networks[0], _bands(scene, networks[0].sensors, used), shape=scene.shape)
        longitude, latitude = scene.geobox.geographic_extent.centroid.coords[0]
        vector = scene_scaling.location_vector(d.location_kind, region=region, latitude=latitude, longitude=longitude)
        words = {"none": "not told", "region": region if region in REGIONS else "unknown", "coordinates": f"{latitude:.2f}, {longitude:.2f}"}
        return vector, words[d.location_kind]

    def strips(scene, used, vector, advance):
        for s in predict_scene.strips(
            networks, _bands(scene, networks[0].sensors, used), shape=scene.shape, location=vector, turns=config.turns, draws=config.draws, threads=threads, advance=advance,
        ):
            yield s.row, s.probability[GLACIER], predict_scene.confidence(networks[0], s.probability), s.spread

    about = [{"file": n.path.name, "sha256": n.sha256, "name": n.description.name, "runtime": n.runtime, "simulator_commit": n.about.get("data", {}).get("simulator_commit")} for n in networks]
    return Mapper(" + ".join(n.description.name for n in networks), networks[0].sensors, about, place, strips)


def _rule_mapper() -> Mapper:
    """The classical rule as a map of 0 and 1; its confidence is not known and stays empty."""

    def strips(scene, used, vector, advance):
        height, width = scene.shape
        for row in range(0, height, 512):
            end = min(row + 512, height)
            values = {k: v for k, v in glacier_scene.read(scene, window=((row, end), (0, width))).items() if k in used}
            found = ice_rules.classical(values)
            probability = np.where(found.valid, found.mask, np.nan).astype(np.float32)
            yield row, probability, np.full(probability.shape, np.nan, np.float32), np.zeros(probability.shape, np.float32)
            advance((end - row) * width)

    return Mapper("classical rule", ("optical", "dem"), [{"name": "rule"}], lambda scene, used: (np.zeros(0, np.float32), "not told"), strips)


def _bands(scene: glacier_scene.Scene, wanted: Sequence[str], used: Sequence[str]) -> predict_scene.Read:
    """Return a reader of the network's bands, NaN for sensors that are missing or left out."""

    def read(rows: slice, columns: slice) -> np.ndarray:
        values = glacier_scene.read(scene, window=((rows.start, rows.stop), (columns.start, columns.stop)))
        shape = (rows.stop - rows.start, columns.stop - columns.start)
        parts = [values[s] if s in used else np.full((len(SENSORS[s]), *shape), np.nan, np.float32) for s in wanted]
        return np.concatenate(parts)

    return read


def _sensors(scene: glacier_scene.Scene, known: Sequence[str], quality: scene_quality.Quality, config: Config) -> tuple[tuple[str, ...], list[str]]:
    """Return the sensors to use, and why others are not."""
    notes = []
    used = [s for s in known if s in scene.sensors and (not config.sensors or s in config.sensors)]
    flagged = {r.sensor: r for r in quality.registration if r.is_flagged and r.sensor != scene.sensors[0]}
    for sensor, r in flagged.items():
        if sensor in used and not config.keep_flagged:
            used.remove(sensor)
            notes.append(f"{sensor} is about {r.length_m:.0f} m out of register and was left out; --keep-flagged uses it")
    absent = [s for s in known if s not in scene.sensors]
    if absent:
        notes.append(f"mapped without {', '.join(absent)}, which the network could use")
    if not used:
        raise UsageError(f"{scene.name}: has {', '.join(scene.sensors)}; the network uses {', '.join(known)} and none is left. Give more sensors, another network, or --keep-flagged.")
    return tuple(used), notes


def _write_maps(scene, strips, *, scratch: Path, folder: Path, about: dict[str, str]) -> bool:
    """Write probability, confidence and spread strip by strip, then as cloud-optimised GeoTIFFs; say whether anything was seen."""
    import rasterio
    from rasterio.errors import RasterioError
    from rasterio.shutil import copy
    from rasterio.windows import Window

    height, width = scene.shape
    profile = {
        "driver": "GTiff", "width": width, "height": height, "count": 1, "dtype": "float32", "tiled": True, "blockxsize": 512, "blockysize": 512, "nodata": np.nan,
        "crs": scene.geobox.crs.to_wkt(), "transform": scene.geobox.affine, "compress": "DEFLATE", "predictor": 3, "zlevel": 1, "BIGTIFF": "IF_SAFER",
    }  # fmt: skip
    texts = {"probability": "calibrated probability that the pixel is glacier", "confidence": "probability that the mapped class is right", "spread": "standard deviation of the probability over networks, turns and draws"}
    seen, varies = False, False
    try:
        with contextlib.ExitStack() as stack:
            files = {n: stack.enter_context(rasterio.open(scratch / f"{n}.tif", "w", **profile)) for n in texts}
            for row, probability, confidence, spread in strips:
                window = Window(0, row, width, probability.shape[0])
                for name, values in (("probability", probability), ("confidence", confidence), ("spread", spread)):
                    files[name].write(values, 1, window=window)
                seen |= bool(np.isfinite(probability).any())
                varies |= bool((np.nan_to_num(spread) > 0).any())
            for name, file in files.items():
                file.update_tags(long_name=texts[name], units="1", **about)
                file.set_band_description(1, name)
        for name in texts:
            if name != "spread" or varies:
                copy(scratch / f"{name}.tif", folder / f"{name}.tif", driver="COG", compress="DEFLATE", predictor="FLOATING_POINT", blocksize=512, overview_resampling="AVERAGE", num_threads="ALL_CPUS")
    except (RasterioError, OSError) as error:
        raise OutputError(f"{scene.name}: maps cannot be written ({one_line(error)[:140]}); expected room for 12 bytes a pixel. Free space, or set TMPDIR.") from error
    return seen


def _outlines(folder: Path, config: Config) -> gpd.GeoDataFrame:
    mask, geobox = outlines.from_raster(folder / "probability.tif", threshold=config.threshold)
    return outlines.vectorise(mask, geobox=geobox, min_area_km2=config.min_area_km2)


def _describe(drawn: gpd.GeoDataFrame, scene: glacier_scene.Scene, folder: Path, config: Config) -> tuple[gpd.GeoDataFrame, area_intervals.Intervals]:
    """Add attributes and areas' intervals."""
    confidence, _ = outlines.from_raster(folder / "confidence.tif")
    probability, _ = outlines.from_raster(folder / "probability.tif")
    has_dem = "dem" in scene.sensors

    def read(rows: slice, columns: slice) -> dict[str, np.ndarray]:
        out = {"confidence": confidence(rows, columns)}
        if has_dem:
            dem = glacier_scene.read(scene, window=((rows.start, rows.stop), (columns.start, columns.stop)))["dem"]
            out |= {"elevation": dem[0], "slope": dem[1]}
        return out

    table = outline_attributes.place(drawn, src_date="" if scene.time is None else f"{np.datetime_as_string(scene.time, unit='s')}Z")
    table = outline_attributes.describe(table, read, geobox=scene.geobox)
    margins = area_intervals.gather(probability, outlines=table, geobox=scene.geobox)
    areas = area_intervals.intervals(margins, table["area_km2"].to_numpy(), between_blocks=config.between_blocks, seed=config.seed)
    table = table.assign(area_low_km2=areas.low, area_high_km2=areas.high)
    return table.sort_values("area_km2", ascending=False).reset_index(drop=True), areas


def _change_notes(areas: area_intervals.Intervals) -> list[str]:
    if areas.elsewhere_km2 > 0.05 * max(areas.total.value, 1e-9):
        return [f"{areas.elsewhere_km2:.2f} km2 of ice are to be expected outside all outlines by the probabilities; look at the probability map"]
    return []


def _facts(scene: glacier_scene.Scene, used: Sequence[str], mapper: Mapper, told: str, config: Config) -> dict[str, object]:
    pixel = scene.pixel_m
    return {
        "scene": scene.name, "taken": "time unknown" if scene.time is None else np.datetime_as_string(scene.time, unit="m").replace("T", " ") + " UTC",
        "grid": f"{scene.shape[0]} x {scene.shape[1]} pixels of {pixel[0]:.0f} x {pixel[1]:.0f} m, {_crs_name(scene.geobox)}", "sensors used": ", ".join(used), "network": mapper.name,
        "region told": told, "glacier from": f"probability {config.threshold:g}", "views averaged": f"{config.turns * config.draws * len(mapper.about)}",
    }


def _crs_name(geobox: GeoBox) -> str:
    return f"EPSG:{geobox.crs.epsg}" if geobox.crs.epsg else "a CRS of its own"


def _report(folder: Path, scene: glacier_scene.Scene, table: gpd.GeoDataFrame, band: gpd.GeoDataFrame, areas, facts: dict, notes: list[str]) -> None:
    import rasterio

    height, width = scene.shape
    step = max(1, -(-max(height, width) // PICTURE_PX))
    small = scene.geobox if step == 1 else scene.geobox.zoom_out(step)
    shape = tuple(int(v) for v in small.shape)
    with rasterio.open(folder / "probability.tif") as source:
        probability = source.read(1, out_shape=shape)
    optical = _decimated(scene, shape, step) if "optical" in scene.sensors else None
    glacier_map.write(folder / "report.html", title=scene.name, facts=facts, outlines=table, geobox=small, optical=optical, probability=probability, band=band, total=areas.total, notes=notes)


def _decimated(scene: glacier_scene.Scene, shape: tuple[int, int], step: int) -> np.ndarray:
    """Return every step-th pixel of the optical bands, strip by strip."""
    height, width = scene.shape
    out = np.full((len(SENSORS["optical"]), *shape), np.nan, np.float32)
    for k in range(shape[0]):
        row = min(k * step + step // 2, height - 1)
        if step > 1 or k % 256 == 0:
            rows = slice(row, row + 1) if step > 1 else slice(k, min(k + 256, height))
            values = glacier_scene.read(scene, window=((rows.start, rows.stop), (0, width)))["optical"]
            if step > 1:
                columns = np.minimum(np.arange(shape[1]) * step + step // 2, width - 1)
                out[:, k] = values[:, 0, columns]
            else:
                out[:, rows] = values
    return out


@contextlib.contextmanager
def _progress(pixels: int, *, show: bool) -> Iterator[Callable[[int], None]]:
    """Yield a function to call with pixels done; it moves a bar on stderr, or does nothing."""
    if not show:
        yield lambda done: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TimeRemainingColumn

    with Progress(BarColumn(), TaskProgressColumn(), TimeRemainingColumn(), console=Console(stderr=True)) as bar:
        task = bar.add_task("scene", total=pixels)
        yield lambda done: bar.update(task, advance=done)


def as_json(result: Outputs) -> dict[str, object]:
    """Return a run as plain data."""
    return io.plain({
        "scene": result.scene, "outlines": result.n_outlines, "area_km2": result.total.value, "area_low_km2": result.total.low, "area_high_km2": result.total.high,
        "notes": list(result.notes), "quality": result.quality.as_json(), "outputs": {k: str(v) for k, v in result.files.items()}, "seconds": round(result.seconds, 2),
    })  # fmt: skip


def as_text(result: Outputs) -> str:
    """Return a run for people."""
    t = result.total
    lines = [
        f"{result.scene}: {t.value:.3f} km2 of ice in {result.n_outlines} outlines (95 % interval {t.low:.3f} to {t.high:.3f}), {result.seconds:.1f} s",
        *(f"  warning: {f.text}" for f in result.quality.warnings), *(f"  note: {n}" for n in result.notes), *(f"  wrote {p}" for p in result.files.values()),
    ]  # fmt: skip
    return "\n".join(lines)

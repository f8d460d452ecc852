"""The command line: verbs only. Heavy imports happen inside the commands, so that --help stays quick."""

from __future__ import annotations

import json
import os
import signal
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from . import __version__
from .errors import PolynyaError, one_line

app = typer.Typer(
    name="polynya",
    help="Open satellite data to maps of ice, with the uncertainty of every number.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
simulate_app = typer.Typer(help="Write a granule in the agency's own format, with the truth beside it.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(simulate_app, name="simulate")

FINISHED_WITH_FAILURES = 3


def main() -> None:
    """Run the command line; every error is one line on stderr and an exit code."""
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, _stop)
    try:
        app()
    except PolynyaError as error:
        _say(f"polynya: {one_line(error)}")
        raise SystemExit(error.exit_code) from None
    except (Stopped, KeyboardInterrupt):
        _say("polynya: stopped. Nothing half-written counts as done; the same command goes on from here.")
        raise SystemExit(130) from None
    except BrokenPipeError:
        raise SystemExit(0) from None
    except MemoryError:
        _say("polynya: not enough memory; expected room for one beam. Use fewer --workers, or a --bbox.")
        raise SystemExit(1) from None
    except OSError as error:
        _say(f"polynya: {one_line(error)}. Check the path, its permissions and the free space.")
        raise SystemExit(1) from None
    except Exception as error:
        if os.environ.get("POLYNYA_DEBUG"):
            raise
        _say(f"polynya: failed unexpectedly ({one_line(error)}). Please report it; POLYNYA_DEBUG=1 shows where it happened.")
        raise SystemExit(1) from None


class Stopped(BaseException):
    """Ctrl-C or a scheduler's SIGTERM: passes every handler of ordinary errors."""


def _stop(*_: object) -> None:
    raise Stopped


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"polynya {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and stop.")] = False,
) -> None:
    pass


@app.command()
def freeboard(
    granules: Annotated[list[Path], typer.Argument(metavar="GRANULE...", help="ATL03 granules (HDF5), as the archive delivers them.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FOLDER", help="Where results go: one folder per granule.")],
    beams: Annotated[str, typer.Option(help="strong, weak, all (those present), or names: gt1r,gt3r.")] = "all",
    bbox: Annotated[
        tuple[float, float, float, float] | None, typer.Option(metavar="W S E N", help="Only this box, degrees; W > E crosses the antimeridian.")
    ] = None,
    resolution: Annotated[str, typer.Option(help="Segments: 2, 10 or 30 metres, or 150ph for 150-photon segments as ATL07/ATL10 have.")] = "2",
    sea_surface: Annotated[
        str, typer.Option(help="leads (default: unbiased at 2 m, with an error floor), or nasa, minimum, mean, nearest.")
    ] = "leads",
    classifier: Annotated[
        str | None, typer.Option(metavar="NAME|FILE.onnx|rule", help="A shipped network, one that polynya train exported, or the rule; by default the shipped network at 2 m, else the rule.")
    ] = None,
    mss: Annotated[str | None, typer.Option(metavar="FILE[:VAR]", help="Mean sea surface grid (GeoTIFF, NetCDF) instead of the granule's dem_h.")] = None,
    mss_tide_system: Annotated[str, typer.Option(help="Permanent-tide system of the mean sea surface: mean or free.")] = "mean",
    tide_ocean: Annotated[bool, typer.Option("--tide-ocean/--no-tide-ocean", help="Subtract the ocean tide.")] = True,
    tide_equilibrium: Annotated[bool, typer.Option("--tide-equilibrium/--no-tide-equilibrium", help="Subtract the long-period equilibrium tide.")] = True,
    dac: Annotated[bool, typer.Option("--dac/--no-dac", help="Subtract the dynamic atmosphere correction (inverted barometer).")] = True,
    first_photon_bias: Annotated[
        bool, typer.Option("--first-photon-bias/--no-first-photon-bias", help="Subtract the first-photon bias where the granule carries CAL-19.")
    ] = True,
    land: Annotated[str | None, typer.Option(metavar="FILE[:VAR]", help="Land mask (not 0 = land): no sea surface within 25 km of it.")] = None,
    ice_concentration: Annotated[
        str | None, typer.Option(metavar="FILE[:VAR]", help="Ice concentration (0-1 or 0-100): stricter screening below 0.8, none kept below 0.5.")
    ] = None,
    workers: Annotated[int, typer.Option(min=0, help="Granules at a time (threads for a single one); 0 means one per core.")] = 0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Do again what is already done.")] = False,
    netcdf: Annotated[bool, typer.Option("--netcdf", help="Also write the tables as CF NetCDF.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object for machines.")] = False,
) -> None:
    """ATL03 photons to 2 m surface classes, local sea surface and freeboard.

    For every granule FOLDER gets a folder with segments.parquet, leads.parquet, sea_surface.parquet (GeoParquet),
    report.html (open it in a browser) and run.json. Run the same command again to go on where it stopped.

    \b
    polynya freeboard ATL03_granule.h5 -o ross
    polynya freeboard granules/*.h5 -o ross --beams strong --workers 8
    polynya freeboard ATL03_granule.h5 -o ross --classifier rule
    """
    from .engine import protocol as records_as
    from .report import terminal
    from .workflows import freeboard as workflow

    config = workflow.Config.checked(
        beams=beams, bbox=bbox, resolution=resolution, sea_surface=sea_surface, classifier=classifier, mss=mss, mss_tide_system=mss_tide_system,
        tide_ocean=tide_ocean, tide_equilibrium=tide_equilibrium, dac=dac, first_photon_bias=first_photon_bias, land=land,
        ice_concentration=ice_concentration, netcdf=netcdf,
    )
    records = workflow.run(granules, out=out, config=config, workers=workers, overwrite=overwrite, show_progress=sys.stderr.isatty())
    failed = [r for r in records if r.status == "failed"]
    code = failed[0].exit_code if len(records) == 1 and failed else FINISHED_WITH_FAILURES if failed else 0
    if failed and len(failed) == len(records) and all(r.exit_code == 2 for r in failed):
        code = 2
    if as_json:
        print(json.dumps({"exit_code": code, "granules": [records_as.as_json(r) for r in records]}, indent=1))
    for record in records:
        if record.status == "failed":
            _say(f"polynya: {record.message}")
        elif not as_json:
            print(terminal.granule_text(record))
    if len(records) > 1 and not as_json:
        done = len(records) - len(failed)
        print(f"{done} of {len(records)} granules are in {out}" + (f"; {len(failed)} failed, see above. The same command tries them again." if failed else "."))
    raise typer.Exit(code)


@simulate_app.command("atl03")
def simulate_atl03(
    out: Annotated[Path, typer.Argument(metavar="OUT.h5", help="The granule to write; OUT_truth.parquet is written beside it.")],
    length_km: Annotated[float, typer.Option(min=1.0, max=3000.0, help="Length of the track.")] = 60.0,
    beams: Annotated[str, typer.Option(help="all, strong, weak, or names.")] = "all",
    season: Annotated[str, typer.Option(help="winter (Arctic night), spring (Arctic, low sun) or summer (Ross Sea, day).")] = "winter",
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same granule.")] = 0,
    sun_elevation: Annotated[float | None, typer.Option(metavar="DEG", help="Fly when the sun stands so; spring draws one if left out.")] = None,
    from_atl07: Annotated[Path | None, typer.Option(metavar="FILE", help="Draw photons from a real ATL07's photon-height histograms instead; length and season are then the file's.")] = None,
) -> None:
    """A granule in the full ATL03 release 006 layout, with known truth: for trying, teaching and testing.

    Numbers from simulated granules are never skill on real data. What is simulated, and from which sources: docs/simulator.md.
    """
    if from_atl07 is not None:
        from .simulate.from_atl07 import simulate_from_atl07

        result = simulate_from_atl07(from_atl07, out, beams=beams, seed=seed)
    else:
        from .simulate.icesat2_atl03 import simulate

        result = simulate(out, length_km=length_km, beams=beams, season=season, seed=seed, sun_elevation=sun_elevation)
    print(f"{result.granule}\n{result.truth}")


@simulate_app.command("pair")
def simulate_pair_command(
    out: Annotated[Path, typer.Argument(metavar="OUT_FOLDER", help="A new folder for the granule, the scene, both truths and pair.json.")],
    length_km: Annotated[float, typer.Option(min=1.0, max=60.0, help="Length of the track; the scene reaches 2 km beyond it.")] = 20.0,
    season: Annotated[str, typer.Option(help="spring (Arctic, sun 5-25 degrees) or summer (Ross Sea, 8-35 degrees).")] = "summer",
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same pair; it draws what is left out below.")] = 0,
    beams: Annotated[str, typer.Option(help="all, strong, weak, or names.")] = "all",
    drift_m: Annotated[
        tuple[float, float] | None, typer.Option(metavar="EAST NORTH", help="Drift of the ice: added to an ICESat-2 position it finds the same ice in the image.")
    ] = None,
    minutes: Annotated[float | None, typer.Option(help="Image time minus ICESat-2 time.")] = None,
    sun_elevation: Annotated[float | None, typer.Option(metavar="DEG", help="Of the sun when the image is taken.")] = None,
    cloud_cover: Annotated[float | None, typer.Option(min=0.0, max=1.0, help="Share of the scene under cloud; 1 hides the ice.")] = None,
    ice: Annotated[str, typer.Option(help="drawn, or closed: no leads, nothing to see the drift by.")] = "drawn",
    level: Annotated[str, typer.Option(help="1C or 2A (with scene classification), for the SAFE folder.")] = "1C",
    image: Annotated[str, typer.Option(help="safe, geotiff or both.")] = "safe",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the pair that is in the folder.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print pair.json instead of the paths.")] = False,
) -> None:
    """An ATL03 granule and the Sentinel-2 scene over it from one ice cover that drifts between the passes, with truth for both.

    Numbers from simulated pairs are never skill on real data. What is simulated, and from which sources: docs/simulator.md.

    \b
    polynya simulate pair pair1 --seed 1
    polynya simulate pair pair2 --season spring --sun-elevation 8 --drift-m 300 -120 --image both
    """
    from . import io
    from .errors import OutputError
    from .simulate.pair import simulate_pair

    if (out / "pair.json").exists() and not overwrite:
        raise OutputError(f"{out}: holds a pair; expected a new or empty folder. Pass --overwrite, or choose another folder.")
    pair = simulate_pair(
        out, length_km=length_km, season=season, seed=seed, beams=beams, drift_m=drift_m, minutes=minutes, sun_elevation=sun_elevation,
        cloud_cover=cloud_cover, ice=ice, level=level, image=image,
    )
    written = (pair.granule, pair.truth, pair.safe, pair.bands, pair.colour, pair.image_truth, pair.record)
    print(json.dumps(io.plain(pair.about), indent=1) if as_json else "\n".join(str(p) for p in written if p is not None))


@simulate_app.command("glacier-scene")
def simulate_glacier_scene(
    out: Annotated[Path | None, typer.Argument(metavar="[OUT_FOLDER]", help="A new folder for date1/ and date2/; leave it out to write tiles only.")] = None,
    region: Annotated[str, typer.Option(help="ALP ANT AWA CAU GRL HMA TRP NZL SAN SCA SVAL; or all, in turn (with --count).")] = "HMA",
    size: Annotated[int, typer.Option(min=96, max=4096, help="Pixels of a side.")] = 512,
    pixel_m: Annotated[float | None, typer.Option(min=5.0, max=60.0, help="Pixel; drawn from 10-30 m if left out, as is all below.")] = None,
    dates: Annotated[int, typer.Option(min=1, max=2, help="2: the same glaciers again, some years later.")] = 1,
    years_between: Annotated[float | None, typer.Option(help="Between the two dates.")] = None,
    dem: Annotated[Path | None, typer.Option(metavar="FILE", help="A real DEM as the terrain.")] = None,
    glacier_share: Annotated[float | None, typer.Option(help="Of the scene; met within some hundredths.")] = None,
    debris_share: Annotated[float | None, typer.Option(min=0.0, max=1.0, help="Of the ice below the equilibrium line.")] = None,
    cloud_cover: Annotated[float | None, typer.Option(min=0.0, max=1.0)] = None,
    sun_elevation: Annotated[float | None, typer.Option(metavar="DEG")] = None,
    sun_azimuth: Annotated[float | None, typer.Option(metavar="DEG")] = None,
    camera: Annotated[str, typer.Option(help="sentinel2, landsat8, landsat5 (8 bit, saturates) or drawn.")] = "drawn",
    sar_shift_m: Annotated[tuple[float, float], typer.Option(metavar="EAST NORTH", help="Move all radar layers: to try the quality gate.")] = (0.0, 0.0),
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same scene.")] = 0,
    count: Annotated[int, typer.Option(min=1, help="Scenes, with seeds SEED, SEED + 1 ...; more than 1 needs --tiles.")] = 1,
    tiles: Annotated[Path | None, typer.Option(metavar="FILE.h5", help="Append every date as a tile to a training set.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the scene that is in the folder.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was drawn instead of the paths.")] = False,
) -> None:
    """A glacier scene with six sensors (optical, DEM, SAR, coherence, thermal) and its true outlines: for training, teaching and testing.

    Numbers from simulated scenes are never skill on real data. What is simulated, and from which sources: docs/glacier_simulator.md.

    \b
    polynya simulate glacier-scene scene1 --region ALP --dates 2 --seed 1
    polynya simulate glacier-scene scene2 --dem srtm_oetztal.tif --region ALP --pixel-m 30
    polynya simulate glacier-scene --region all --size 384 --count 110 --tiles train.h5
    """
    from . import io
    from .simulate import glacier_request

    wanted = glacier_request.Request(
        region=region, size=size, pixel_m=pixel_m, dates=dates, years_between=years_between, dem=dem, glacier_share=glacier_share, debris_share=debris_share,
        cloud_cover=cloud_cover, sun_elevation=sun_elevation, sun_azimuth=sun_azimuth, camera=camera, sar_shift_m=sar_shift_m,
    )
    done = glacier_request.fulfil(wanted, out=out, tiles=tiles, seed=seed, count=count, overwrite=overwrite, say=_say)
    print(json.dumps(io.plain(done.about), indent=1) if as_json else "\n".join(str(p) for p in done.paths))


@app.command()
def evaluate(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="A granule's folder that polynya freeboard wrote; or glacier outlines, a raster of glacier probability or classes, or a folder with them.")],
    reference: Annotated[Path, typer.Option("--reference", "-r", metavar="FILE", help="Truth of a simulation (parquet), ATL07 or ATL10; for glaciers outlines (gpkg, shp, parquet) or a truth raster.")],
    scene: Annotated[Path | None, typer.Option(metavar="SCENE", help="Glaciers: also judge the classical and the DEM-only map of this scene.")] = None,
    strata: Annotated[Path | None, typer.Option(metavar="FILE.tif", help="Glaciers: bits of snow, shadow, cloud, water, layover; by default the scene's strata.tif.")] = None,
    within: Annotated[Path | None, typer.Option(metavar="FILE", help="Glaciers: polygons of the labelled ground; nothing else counts.")] = None,
    region: Annotated[str | None, typer.Option(help="Glaciers: what the column region says.")] = None,
    table: Annotated[Path | None, typer.Option(metavar="FILE.parquet", help="Also write the tidy table.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the bootstrap intervals.")] = 0,
    brief: Annotated[bool, typer.Option("--brief", help="Freeboard: only the main numbers, against simulation truth.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the table as JSON records.")] = False,
) -> None:
    """Compare a result with truth: freeboard with simulation truth, ATL07 or ATL10; glaciers with outlines or a truth raster.

    \b
    polynya evaluate ross/ATL03_granule -r ATL10_granule.h5
    polynya evaluate outlines.gpkg -r rgi.gpkg --scene scene1
    polynya evaluate probability.tif -r truth.tif --scene scene1 --table scores.parquet
    """
    from . import io, schema
    from .errors import UsageError
    from .workflows import evaluate as workflow

    if workflow.is_scene(out):
        from .evaluate import scene_rows, scene_text
        from .workflows import evaluate_scene

        if brief:
            raise UsageError("--brief: is for freeboard; expected none of it for glaciers. Leave it out.")
        result = evaluate_scene.run(out, reference=reference, scene=scene, strata=strata, within=within, region=region, seed=seed)
        spec, told = scene_rows.SCENE_EVALUATION, scene_text.summary
    else:
        from . import evaluate as evaluation

        if scene or strata or within or region:
            raise UsageError(f"{out}: is no outlines file and no raster, so --scene, --strata, --within and --region do not apply; expected glaciers. Leave them out.")
        result = workflow.run(out, reference=reference, seed=seed)
        spec, told = schema.EVALUATION, evaluation.brief if brief else evaluation.summary
    if table is not None:
        io.write_table(result, table, spec=spec)
        _say(f"wrote {table}")
    print(json.dumps(io.plain(result.to_pylist())) if as_json else told(result))


@app.command()
def change(
    old: Annotated[Path, typer.Argument(metavar="OLD", help="Outlines of the first date: gpkg, parquet, shp, or a folder that polynya glaciers wrote.")],
    new: Annotated[Path, typer.Argument(metavar="NEW", help="Outlines of the second date.")],
    within: Annotated[Path | None, typer.Option(metavar="FILE", help="Polygons of the ground that both dates cover; ice elsewhere does not count.")] = None,
    position_error_m: Annotated[float | None, typer.Option(help="Standard error of an outline's position, for outlines without intervals of their own; half a pixel is usual.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object for machines.")] = False,
) -> None:
    """Glacier area change between two dates, each glacier and in total, with its 95 % interval.

    \b
    polynya change outlines_2003.gpkg outlines_2018.gpkg
    polynya change mapped/date1 mapped/date2
    polynya change rgi.shp new/outlines.gpkg --position-error-m 15 --within scene_extent.gpkg
    """
    from . import io
    from .workflows import change as workflow

    result = workflow.run(old, new, within=within, position_error_m=position_error_m)
    print(json.dumps(io.plain(workflow.as_json(result)), indent=1) if as_json else workflow.as_text(result))


@app.command()
def verify(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="ATL10 or ATL07 granules.")],
    tolerance_m: Annotated[float, typer.Option(min=0.0, help="Largest difference that passes, metres.")] = 5e-4,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Recompute NASA's own numbers from its own segments: leads, sections, freeboards, surface types.

    Exit code 1 where a check is beyond the tolerance, or where nothing could be checked.
    """
    from . import io
    from .report import terminal
    from .workflows import verify as workflow

    results, failures = [], 0
    for file in files:
        try:
            results.append(workflow.run(file, tolerance_m=tolerance_m))
        except PolynyaError as error:
            if len(files) == 1:
                raise
            failures += 1
            _say(f"polynya: {one_line(error)}")
    if as_json:
        print(json.dumps([io.plain({**asdict(r), "passed": r.passed, "summary": r.summary}) for r in results], indent=1))
    else:
        print("\n\n".join(terminal.verification_text(r) for r in results))
    bad = failures + sum(not r.passed for r in results)
    raise typer.Exit(0 if not bad else 1 if len(files) == 1 or bad == len(files) else FINISHED_WITH_FAILURES)


@app.command()
def info(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="An ICESat-2 granule: ATL03, ATL07 or ATL10.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """What a file is: product, release, beams and their strength, extent, time, counts, what is missing."""
    from .workflows import info as workflow

    result = workflow.run(file)
    print(json.dumps(workflow.as_json(result), indent=1) if as_json else workflow.as_text(result))


@app.command()
def label(
    granule: Annotated[Path | None, typer.Argument(metavar="[ATL03.h5]", help="The granule; none with --pairs.")] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", metavar="FILE.parquet", help="The label table; with --pairs the folder of the tables.")] = None,
    image: Annotated[Path | None, typer.Option(metavar="SCENE", help="Sentinel-2 .SAFE folder (1C or 2A), or a GeoTIFF with red, green, blue.")] = None,
    truth: Annotated[Path | None, typer.Option(metavar="FILE", help="Instead of a scene: the _truth.parquet of a simulated granule.")] = None,
    pairs: Annotated[Path | None, typer.Option(metavar="CSV", help="Many: columns granule, image (or truth), and perhaps shift_east, shift_north, corrections, name.")] = None,
    shift: Annotated[tuple[float, float] | None, typer.Option(metavar="EAST NORTH", help="Metres to add to the track; estimated by default.")] = None,
    max_shift_m: Annotated[float, typer.Option(min=50.0, max=5000.0, help="Largest shift looked for, east and north.")] = 1000.0,
    max_minutes: Annotated[float, typer.Option(min=0.0, help="Largest time between granule and scene.")] = 80.0,
    beams: Annotated[str, typer.Option(help="strong, all, weak, or names: gt1r,gt3r.")] = "strong",
    method: Annotated[str, typer.Option(help="How the scene is classified: published, filtered, percentile, sun or unet; see polynya segment.")] = "published",
    cloud_mask: Annotated[str, typer.Option(help="auto, scl, s2cloudless or none.")] = "auto",
    weights: Annotated[Path | None, typer.Option(metavar="FILE.onnx", help="The network of --method unet.")] = None,
    image_time: Annotated[str | None, typer.Option(metavar="UTC", help="When the scene was taken, for files that do not say.")] = None,
    corrections: Annotated[Path | None, typer.Option(metavar="FILE", help="Corrections that polynya review saved: they win.")] = None,
    workers: Annotated[int, typer.Option(min=0, help="Pairs at a time; 0 means one per core.")] = 0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Do again what is already done.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object for machines.")] = False,
) -> None:
    """Labels for 2 m segments from the Sentinel-2 scene under the track, drift between the two passes taken out.

    Writes the table, NAME.run.json and NAME_shift.html (look at it: it shows whether the shift is right). Where the
    shift is not sure no segment is labelled.

    \b
    polynya label ATL03_granule.h5 --image S2B_MSIL1C_scene.SAFE -o labels.parquet
    polynya label ATL03_granule.h5 --image scene.tif --shift 240 -130 -o labels.parquet --overwrite
    polynya label --pairs pairs.csv -o labels --workers 4
    """
    from .engine import protocol as records_as
    from .errors import UsageError
    from .report import label as report
    from .workflows import label as workflow

    config = workflow.Config.checked(
        beams=beams, max_shift_m=max_shift_m, max_minutes=max_minutes, method=method, cloud_mask=cloud_mask, image_time=image_time,
        weights=str(weights) if weights else None,
    )
    if out is None:
        raise UsageError("-o: is missing; expected where the labels go. Pass -o labels.parquet, or -o FOLDER with --pairs.")
    if pairs is not None:
        if granule or image or truth or shift or corrections:
            raise UsageError("--pairs: goes with no granule, --image, --truth, --shift or --corrections of its own; expected these as columns. Put them into the table.")
        items = workflow.read_pairs(pairs, out=out)
    else:
        if granule is None or (image is None) == (truth is None):
            raise UsageError("ATL03.h5: a granule and one of --image and --truth are needed; expected both, or --pairs. See polynya label --help.")
        items = [workflow.Pair(str(granule), str(out), str(image or ""), str(truth or ""), shift, str(corrections or ""))]
    records = workflow.run(items, config=config, workers=workers, overwrite=overwrite, show_progress=sys.stderr.isatty())
    failed = [r for r in records if r.status == "failed"]
    code = failed[0].exit_code if len(records) == 1 and failed else FINISHED_WITH_FAILURES if failed else 0
    if as_json:
        print(json.dumps({"exit_code": code, "pairs": [records_as.as_json(r) for r in records]}, indent=1))
    for record in records:
        if record.status == "failed":
            _say(f"polynya: {record.message}")
        elif not as_json:
            print(report.text(record))
    raise typer.Exit(code)


@app.command()
def review(
    labels: Annotated[list[Path], typer.Argument(metavar="LABELS...", help="Label tables (.parquet) that polynya label wrote, or folders of them.")],
    who: Annotated[str, typer.Option(metavar="NAME", help="Written into every correction; your login name by default.")] = "",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port on this computer; 0 takes a free one.")] = 0,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page in the default browser.")] = True,
) -> None:
    """Correct labels by hand in a page on this computer: scene and profile, stretch by stretch, saved at once.

    Changes go to NAME.corrections.jsonl beside NAME.parquet, which stays as it is. Merge them with polynya label --corrections.
    Ctrl-C ends it; nothing is lost however it ends, and the same command goes on.

    \b
    polynya review labels.parquet
    polynya review ross/ --who "A. Reviewer" --port 8765 --no-browser
    """
    import webbrowser

    from .workflows import review as workflow

    def tell(started: workflow.Started) -> None:
        for name in started.torn:
            _say(f"polynya: {name}: the last line was never finished and is left out; all before it holds")
        for path in started.corrections[:5]:
            print(f"corrections: {path}")
        if len(started.corrections) > 5:
            print(f"corrections: and {len(started.corrections) - 5} more, beside their labels")
        print(f"open {started.address}  (this computer only; Ctrl-C ends it)", flush=True)
        if browser:
            webbrowser.open(started.address)

    workflow.run(labels, who=who, port=port, on_start=tell)


@app.command()
def glaciers(
    scene: Annotated[list[str], typer.Argument(metavar="SCENE...", help="A scene folder, .SAFE, Landsat folder, STAC items, GeoTIFFs; dem=FILE says what a file is.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FOLDER", help="Where maps, outlines and the report go.")],
    network: Annotated[list[str] | None, typer.Option(metavar="NAME", help="Shipped network or .onnx file, given again to average several; 'rule' for the classical rule.")] = None,
    inventory: Annotated[Path | None, typer.Option(metavar="FILE", help="RGI or GLIMS outlines: their divides and identifiers are kept.")] = None,
    reference: Annotated[Path | None, typer.Option("--reference", "-r", metavar="FILE", help="Outlines or a truth raster: the report and evaluation.parquet judge the map against it.")] = None,
    region: Annotated[str, typer.Option(help="Region told to a network that wants one: ALP, HMA ..., auto, unknown, or optimised.")] = "auto",
    rgi_region: Annotated[str, typer.Option(metavar="NN", help="First-order region of the RGI for outlines_oggm.gpkg, where no inventory tells it (11 is Central Europe).")] = "",
    sensor: Annotated[list[str] | None, typer.Option(help="Use this sensor only (optical, dem, co_pol_sar, cross_pol_sar, in_sar, thermal); may be given again.")] = None,
    keep_flagged: Annotated[bool, typer.Option("--keep-flagged", help="Use sensors that lie out of register, too.")] = False,
    threshold: Annotated[float, typer.Option(help="Probability from which a pixel is glacier.")] = 0.5,
    min_area_km2: Annotated[float, typer.Option(help="Smaller outlines are left out.")] = 0.01,
    turns: Annotated[int, typer.Option(help="8 averages all turns and mirror images (test-time augmentation); 1 does not.")] = 1,
    draws: Annotated[int, typer.Option(help="Draws of a network that was trained with dropout (Monte-Carlo dropout); spread.tif shows how they differ.")] = 1,
    between_blocks: Annotated[float | None, typer.Option(min=0.0, max=1.0, help="Correlation of errors between blocks of 3.2 km, for the areas' intervals; the network's own by default.")] = None,
    each: Annotated[bool, typer.Option("--each", help="Every SCENE is a scene of its own; FOLDER gets a folder for each.")] = False,
    runtime: Annotated[str, typer.Option(help="auto, onnxruntime or openvino.")] = "auto",
    threads: Annotated[int, typer.Option(min=1, help="Windows at a time.")] = 2,
    seed: Annotated[int, typer.Option(min=0, help="Of the interval's draws.")] = 0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace FOLDER.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """Map glaciers in an optical scene with what else is there: DEM, radar, coherence, thermal.

    FOLDER gets probability.tif, confidence.tif, outlines.gpkg and .parquet (RGI 7 names), outlines_oggm.gpkg, uncertainty_band.gpkg,
    report.html and run.json, spread.tif where answers were averaged, evaluation.parquet with --reference. Sensors that are missing, or
    that lie out of register, are left out and named. More: docs/glaciers.md.

    \b
    polynya glaciers scene -o mapped --inventory RGI2000-v7.0-G-11.gpkg
    polynya glaciers S2A_MSIL2A.SAFE dem=copdem.tif -o mapped
    polynya glaciers scenes/* --each -o mapped
    """
    from .engine import protocol
    from .errors import UsageError
    from .workflows import glacier_batch
    from .workflows import glaciers as workflow

    config = workflow.Config.checked(
        network=tuple(network or (workflow.DEFAULT,)), region=region, rgi_region=rgi_region, sensors=tuple(sensor or ()), keep_flagged=keep_flagged, threshold=threshold, min_area_km2=min_area_km2, turns=turns, draws=draws,
        between_blocks=between_blocks, runtime=runtime, seed=seed,
    )
    if not each:
        result = workflow.run(scene, out=out, config=config, inventory=inventory, reference=reference, overwrite=overwrite, threads=threads, show_progress=not as_json)
        print(json.dumps(workflow.as_json(result), indent=1) if as_json else workflow.as_text(result))
        return
    if reference is not None:
        raise UsageError("--reference: is for one scene; expected none of it with --each. Leave it out, or judge each with polynya evaluate.")
    records = glacier_batch.run_each(scene, out=out, config=config, inventory=inventory, overwrite=overwrite, threads=threads, show_progress=not as_json)
    print(json.dumps([protocol.as_json(r) for r in records], indent=1) if as_json else glacier_batch.records_text(records))
    if any(r.status == "failed" for r in records):
        raise typer.Exit(3 if any(r.status != "failed" for r in records) else 1)


@app.command()
def train(
    recipe: Annotated[str, typer.Argument(metavar="RECIPE", help="Name of a recipe (mlp, lstm-paper, lstm-notebook, track-unet, ice-unet, glavitu-small ...), or a YAML file.")],
    data: Annotated[list[Path], typer.Option("--data", metavar="PATH", help="Label table, tile set (HDF5) or image with classes, or a folder of them; may be given again.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FOLDER", help="Where the network, its report and its scores go.")],
    also: Annotated[list[Path] | None, typer.Option("--also", metavar="PATH", help="Others that are trained on whatever the split, and judged on never.")] = None,
    start_from: Annotated[Path | None, typer.Option(metavar="FILE", help="NAME.safetensors of a network of the same shape to start from (finetuning).")] = None,
    kept_back: Annotated[list[str] | None, typer.Option("--kept-back", metavar="NETWORK=TILES", help="NAME.safetensors of a network of this recipe and tiles of --also that it did not see: half of the calibration is fitted on its answers there, and they are scored. May be given again.")] = None,
    split: Annotated[str, typer.Option(help="granule (of scenes: scene), block (of track or ground, with gaps), or random (leaks; to compare with publications that split so).")] = "granule",
    shares: Annotated[tuple[float, float, float, float], typer.Option(metavar="TRAIN VALID CALIB TEST", help="Shares of the parts.")] = (0.7, 0.1, 0.1, 0.1),
    block_km: Annotated[float, typer.Option(help="Length of a block.")] = 10.0,
    gap_km: Annotated[float, typer.Option(help="Least distance between blocks of different parts.")] = 1.0,
    split_seed: Annotated[int, typer.Option(min=0, help="Which groups go where; apart from --seed, so that trainings can share a split.")] = 0,
    seed: Annotated[int, typer.Option(min=0, help="Of weights, order and dropout.")] = 0,
    epochs: Annotated[int | None, typer.Option(min=1, help="Instead of the recipe's.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    threads: Annotated[int, typer.Option(min=0, help="CPU threads; 0 takes one for window networks, a core each for others.")] = 0,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the last whole epoch, to the same result.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Throw an earlier training in FOLDER away.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object for machines.")] = False,
) -> None:
    """Train a network on label tables or tiles of scenes, calibrate its probabilities, score it and export it to ONNX. Needs the extra [train].

    FOLDER gets NAME.onnx (all that freeboard, glaciers and segment need), NAME.safetensors, NAME.json, history.json, report.html and run.json.
    Under torchrun the processes share every batch: torchrun --nproc_per_node 2 -m polynya train ...

    \b
    polynya train track-unet --data labels -o trained/track-unet
    polynya train lstm-paper --data labels --split random --shares 0.7 0.05 0.05 0.2 -o trained/paper
    polynya train glavitu-small --data tiles.h5 --split block --block-km 3 -o trained/glaciers
    """
    from . import io
    from .report import training as report
    from .workflows import train as workflow

    config = workflow.split_config(method=split, shares=shares, block_km=block_km, gap_km=gap_km, seed=split_seed)
    result = workflow.run(
        recipe, data=data, also=also or (), start_from=start_from, held_out=kept_back or (), out=out, split=config, seed=seed, epochs=epochs, resume=resume, overwrite=overwrite, device=device, threads=threads, show_progress=not as_json,
    )
    if result.is_leader:
        outputs = {k: str(v) for k, v in result.outputs.items()}
        print(json.dumps(io.plain({"outputs": outputs, "numbers": result.numbers}), indent=1) if as_json else report.text(result.numbers, outputs))


@app.command()
def segment(
    scene: Annotated[Path, typer.Argument(metavar="SCENE", help="Sentinel-2 .SAFE folder (Level-1C or 2A), or a GeoTIFF with red, green, blue.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE.tif", help="The map (cloud-optimised GeoTIFF); NAME.png and NAME.run.json go beside it.")],
    method: Annotated[str, typer.Option(help="published (V against 30 and 204), filtered (thin cloud and shadow removed), percentile or sun (thresholds scaled), unet.")] = "published",
    cloud_mask: Annotated[str, typer.Option(help="auto (scl where there is one), scl, s2cloudless (needs polynya[cloud]) or none.")] = "auto",
    weights: Annotated[str | None, typer.Option(metavar="FILE.onnx", help="The network, for --method unet; none is shipped.")] = None,
    with_value: Annotated[bool, typer.Option("--with-value", help="Also write V, the brightness the rule looks at, as NAME_value.tif.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the map.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object for machines.")] = False,
) -> None:
    """A Sentinel-2 scene to a map of thick ice, thin ice and open water, by colour.

    0 thick ice, 1 thin ice, 2 open water, 3 cloud or shadow, 255 no data. Which method when: docs/labels.md.

    \b
    polynya segment S2B_MSIL1C_scene.SAFE -o classes.tif
    polynya segment S2B_MSIL2A_scene.SAFE -o classes.tif --method percentile --cloud-mask scl
    """
    from .workflows import segment as workflow

    config = workflow.Config.checked(method=method, cloud_mask=cloud_mask, weights=weights, with_value=with_value)
    result = workflow.run(scene, out=out, config=config, overwrite=overwrite, show_progress=sys.stderr.isatty())
    print(json.dumps(workflow.as_json(result), indent=1) if as_json else workflow.as_text(result))


@app.command()
def tiles(
    scene: Annotated[list[str], typer.Argument(metavar="SCENE...", help="Scene folders, each a scene; or the files of one scene: .SAFE, Landsat folder, STAC items, GeoTIFFs, dem=FILE, sar:descending=FILE.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE.h5", help="The tiles; NAME.run.json goes beside it.")],
    outlines: Annotated[Path | None, typer.Option(metavar="FILE", help="Glacier outlines (RGI 6 or 7, GLIMS); else truth.tif of a scene folder, or --mask.")] = None,
    mask: Annotated[Path | None, typer.Option(metavar="FILE", help="Raster of 0 other, 1 glacier, 255 unlabelled; or polygons of the labelled area.")] = None,
    region: Annotated[str | None, typer.Option(help="ALP ANT AWA CAU GRL HMA TRP NZL SAN SCA SVAL.")] = None,
    tile: Annotated[int, typer.Option(min=64, help="Side of a tile, pixels.")] = 384,
    append: Annotated[bool, typer.Option("--append", help="Add to FILE.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace FILE.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object for machines.")] = False,
) -> None:
    """Glacier scenes and outlines to training tiles (HDF5, as the published set has them).

    \b
    polynya tiles S2A_MSIL1C_scene.SAFE dem=copdem.tif --outlines rgi7_alps.gpkg --region ALP -o tiles.h5
    polynya tiles simulated/*/date1 -o tiles.h5
    """
    from .workflows import tiles as workflow

    config = workflow.Config.checked(outlines=outlines, mask=mask, region=region, tile=tile)
    result = workflow.run(scene, out=out, config=config, append=append, overwrite=overwrite)
    print(json.dumps(result.as_json(), indent=1) if as_json else workflow.as_text(result))


if __name__ == "__main__":
    main()


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
    """
    from .report import terminal
    from .workflows import freeboard as workflow

    config = workflow.Config.checked(
        beams=beams, bbox=bbox, resolution=resolution, sea_surface=sea_surface, mss=mss, mss_tide_system=mss_tide_system,
        tide_ocean=tide_ocean, tide_equilibrium=tide_equilibrium, dac=dac, first_photon_bias=first_photon_bias, land=land,
        ice_concentration=ice_concentration, netcdf=netcdf,
    )
    records = workflow.run(granules, out=out, config=config, workers=workers, overwrite=overwrite, show_progress=sys.stderr.isatty())
    failed = [r for r in records if r.status == "failed"]
    code = failed[0].exit_code if len(records) == 1 and failed else FINISHED_WITH_FAILURES if failed else 0
    if failed and len(failed) == len(records) and all(r.exit_code == 2 for r in failed):
        code = 2
    if as_json:
        print(json.dumps({"exit_code": code, "granules": [workflow.as_json(r) for r in records]}, indent=1))
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
    season: Annotated[str, typer.Option(help="winter (night) or summer (day).")] = "winter",
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same granule.")] = 0,
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

        result = simulate(out, length_km=length_km, beams=beams, season=season, seed=seed)
    print(f"{result.granule}\n{result.truth}")


@app.command()
def evaluate(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="One granule's folder that polynya freeboard wrote.")],
    reference: Annotated[Path, typer.Option("--reference", "-r", metavar="FILE", help="Truth of a simulation (parquet), or an ATL07 or ATL10 granule.")],
    table: Annotated[Path | None, typer.Option(metavar="FILE.parquet", help="Also write the tidy table.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the bootstrap intervals.")] = 0,
    brief: Annotated[bool, typer.Option("--brief", help="Only the main numbers, against simulation truth.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the table as JSON records.")] = False,
) -> None:
    """Compare a result with simulation truth, ATL07 or ATL10: classes, leads, heights, sea surface, freeboard, coverage."""
    from . import evaluate as evaluation
    from . import io, schema
    from .workflows import evaluate as workflow

    result = workflow.run(out, reference=reference, seed=seed)
    if table is not None:
        io.write_table(result, table, spec=schema.EVALUATION)
    if as_json:
        print(json.dumps(io.plain(result.to_pylist())))
    else:
        print(evaluation.brief(result) if brief else evaluation.summary(result))


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


if __name__ == "__main__":
    main()


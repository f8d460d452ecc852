"""Commands that simulate granules and scenes with known truth."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from ...errors import UsageError
from ..root import say, simulate_app

SURFACE_HELP = (
    "A surface in place of what the season draws; give it several times, or with commas between: specular-ponds,"
    " dark-ponds, melt-patches, bright-patches (per km), drained-ponds (share), lead-scatter, mss-bumps (m), swell"
    " (height m, wavelength m, decay km), refrozen-leads (thickness m), no-leads, dark-leads, specular-leads."
)


@simulate_app.command("atl03")
def simulate_atl03(
    out: Annotated[
        Path, typer.Argument(metavar="OUT.h5", help="The granule to write; OUT_truth.parquet is written beside it.")
    ],
    length_km: Annotated[float, typer.Option(min=1.0, max=3000.0, help="Length of the track.")] = 60.0,
    beams: Annotated[str, typer.Option(help="all, strong, weak, or names.")] = "all",
    season: Annotated[
        str,
        typer.Option(
            help="winter (Arctic night), spring (Arctic, low sun), summer (Ross Sea, day) or melt (Arctic, June, July)."
        ),
    ] = "winter",
    seed: Annotated[int, typer.Option(min=0, help="Random seed: the same seed gives the same granule.")] = 0,
    sun_elevation: Annotated[
        float | None,
        typer.Option(
            metavar="DEG",
            help="Sun elevation; by default spring and melt draw one and other seasons have their own.",
        ),
    ] = None,
    ice: Annotated[
        str, typer.Option(help="drawn, or closed: no leads, and no patches that are not asked for.")
    ] = "drawn",
    surface: Annotated[list[str] | None, typer.Option(metavar="NAME[:NUMBER]", help=SURFACE_HELP)] = None,
    from_atl07: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help=(
                "Draw the photons from the photon-height histograms of a real ATL07 granule; length and season are"
                " then those of the file."
            ),
        ),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an earlier simulated granule and its truth.")
    ] = False,
) -> None:
    """Simulate an ATL03 granule in the full layout of release 006, with known truth.

    Use it for tests, teaching and training. Numbers from simulated granules are never skill on real data. What is
    simulated, and from which sources: docs/simulator.md.

    \b
    polynya simulate atl03 granule.h5 --season winter --length-km 60 --seed 1
    polynya simulate atl03 ponds.h5 --season melt --surface specular-ponds:15 --surface no-leads
    polynya simulate atl03 drawn.h5 --from-atl07 processed_ATL07.h5
    """
    if from_atl07 is not None:
        if surface or ice != "drawn":
            raise UsageError(
                "--surface and --ice belong to drawn ice; expected none of them with --from-atl07, whose surface is"
                " real. Leave them out."
            )
        from ...simulate.icesat2.from_atl07 import simulate_from_atl07

        result = simulate_from_atl07(from_atl07, out, beams=beams, seed=seed, overwrite=overwrite)
    else:
        from ...simulate.icesat2.atl03 import simulate
        from ...simulate.sea_ice import surfaces

        result = simulate(
            out,
            length_km=length_km,
            beams=beams,
            season=season,
            seed=seed,
            sun_elevation=sun_elevation,
            surfaces=surfaces.of_options(surface or (), ice=ice),
            overwrite=overwrite,
        )
    print(f"{result.granule}\n{result.truth}")


@simulate_app.command("pair")
def simulate_pair_command(
    out: Annotated[
        Path,
        typer.Argument(
            metavar="OUT_FOLDER", help="A new folder for the granule, the scene, the truth of both, and pair.json."
        ),
    ],
    length_km: Annotated[
        float, typer.Option(min=1.0, max=60.0, help="Length of the track; the scene extends 2 km beyond it.")
    ] = 20.0,
    season: Annotated[
        str,
        typer.Option(help="spring (Arctic, sun elevation 5-25°), summer (Ross Sea, 8-35°) or melt (Arctic, 15-35°)."),
    ] = "summer",
    seed: Annotated[
        int,
        typer.Option(
            min=0, help="Random seed: the same seed gives the same pair. Options that you leave out are drawn from it."
        ),
    ] = 0,
    beams: Annotated[str, typer.Option(help="all, strong, weak, or names.")] = "all",
    drift_m: Annotated[
        tuple[float, float] | None,
        typer.Option(
            metavar="EAST NORTH",
            help="Drift of the ice, m: add it to an ICESat-2 position to find the same ice in the image.",
        ),
    ] = None,
    minutes: Annotated[float | None, typer.Option(help="Time of the image minus time of ICESat-2.")] = None,
    sun_elevation: Annotated[
        float | None, typer.Option(metavar="DEG", help="Sun elevation at the time of the image.")
    ] = None,
    cloud_cover: Annotated[
        float | None, typer.Option(min=0.0, max=1.0, help="Share of the scene under cloud; 1 hides all ice.")
    ] = None,
    ice: Annotated[str, typer.Option(help="drawn, or closed: no leads, so the drift is not visible.")] = "drawn",
    surface: Annotated[list[str] | None, typer.Option(metavar="NAME[:NUMBER]", help=SURFACE_HELP)] = None,
    level: Annotated[str, typer.Option(help="Level of the SAFE folder: 1C, or 2A (with scene classification).")] = "1C",
    image: Annotated[str, typer.Option(help="Format of the scene: safe, geotiff or both.")] = "safe",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the pair in the folder.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print pair.json instead of the paths.")] = False,
) -> None:
    """Simulate an ATL03 granule and the Sentinel-2 scene over it, with the truth of both.

    Both show one ice cover, which drifts between the passes. Numbers from simulated pairs are never skill on real
    data. What is simulated, and from which sources: docs/simulator.md.

    \b
    polynya simulate pair pair1 --seed 1
    polynya simulate pair pair2 --season spring --sun-elevation 8 --drift-m 300 -120 --image both
    """
    from ... import io
    from ...errors import OutputError
    from ...simulate.pair import Options, simulate_pair
    from ...simulate.sea_ice import surfaces

    if (out / "pair.json").exists() and not overwrite:
        raise OutputError(
            f"{out}: contains a pair; expected a new or empty folder. Pass --overwrite, or choose another folder."
        )
    options = Options(
        length_km=length_km,
        season=season,
        seed=seed,
        beams=beams,
        drift_m=drift_m,
        minutes=minutes,
        sun_elevation=sun_elevation,
        cloud_cover=cloud_cover,
        ice=ice,
        level=level,
        image=image,
        surfaces=surfaces.parse(surface or ()),
    )
    pair = simulate_pair(out, options, overwrite=overwrite)
    written = (pair.granule, pair.truth, pair.safe, pair.bands, pair.colour, pair.image_truth, pair.record)
    print(
        json.dumps(io.plain(pair.about), indent=1) if as_json else "\n".join(str(p) for p in written if p is not None)
    )


@simulate_app.command("glacier-scene")
def simulate_glacier_scene(
    out: Annotated[
        Path | None,
        typer.Argument(
            metavar="[OUT_FOLDER]", help="A new folder for date1/ and date2/; leave it out to write only tiles."
        ),
    ] = None,
    region: Annotated[
        str, typer.Option(help="ALP ANT AWA CAU GRL HMA TRP NZL SAN SCA SVAL; or all (with --count).")
    ] = "HMA",
    size: Annotated[int, typer.Option(min=96, max=4096, help="Side of the scene, pixels.")] = 512,
    pixel_m: Annotated[
        float | None,
        typer.Option(
            min=5.0, max=60.0, help="Pixel size; drawn from 10-30 m by default. The options below are drawn too."
        ),
    ] = None,
    dates: Annotated[
        int, typer.Option(min=1, max=2, help="Number of dates; 2 adds the same glaciers some years later.")
    ] = 1,
    years_between: Annotated[float | None, typer.Option(help="Years between the two dates.")] = None,
    dem: Annotated[Path | None, typer.Option(metavar="FILE", help="Use a real DEM as terrain.")] = None,
    glacier_share: Annotated[
        float | None, typer.Option(help="Share of the scene that is glacier; reached within some hundredths.")
    ] = None,
    debris_share: Annotated[
        float | None, typer.Option(min=0.0, max=1.0, help="Share of the ice below the equilibrium line under debris.")
    ] = None,
    cloud_cover: Annotated[float | None, typer.Option(min=0.0, max=1.0, help="Share of the scene under cloud.")] = None,
    sun_elevation: Annotated[float | None, typer.Option(metavar="DEG", help="Sun elevation.")] = None,
    sun_azimuth: Annotated[float | None, typer.Option(metavar="DEG", help="Sun azimuth, from north.")] = None,
    camera: Annotated[str, typer.Option(help="sentinel2, landsat8, landsat5 (8 bit, saturates) or drawn.")] = "drawn",
    sar_shift_m: Annotated[
        tuple[float, float],
        typer.Option(metavar="EAST NORTH", help="Shift all radar layers, m, to test the quality gate."),
    ] = (0.0, 0.0),
    seed: Annotated[int, typer.Option(min=0, help="Random seed: the same seed gives the same scene.")] = 0,
    count: Annotated[
        int, typer.Option(min=1, help="Number of scenes, with seeds SEED, SEED + 1 ...; more than 1 needs --tiles.")
    ] = 1,
    tiles: Annotated[
        Path | None, typer.Option(metavar="FILE.h5", help="Append each date as a tile to a training set.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the scene in the folder.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the drawn settings instead of the paths.")] = False,
) -> None:
    """Simulate a glacier scene with six sensors (optical, DEM, SAR, coherence, thermal) and its true outlines.

    Use it for training, teaching and tests. Numbers from simulated scenes are never skill on real data. What is
    simulated, and from which sources: docs/glacier_simulator.md.

    \b
    polynya simulate glacier-scene scene1 --region ALP --dates 2 --seed 1
    polynya simulate glacier-scene scene2 --dem srtm_oetztal.tif --region ALP --pixel-m 30
    polynya simulate glacier-scene --region all --size 384 --count 110 --tiles train.h5
    """
    from ... import io
    from ...simulate.glaciers import request

    wanted = request.Request(
        region=region,
        size=size,
        pixel_m=pixel_m,
        dates=dates,
        years_between=years_between,
        dem=dem,
        glacier_share=glacier_share,
        debris_share=debris_share,
        cloud_cover=cloud_cover,
        sun_elevation=sun_elevation,
        sun_azimuth=sun_azimuth,
        camera=camera,
        sar_shift_m=sar_shift_m,
    )
    outputs = request.run(wanted, out=out, tiles=tiles, seed=seed, count=count, overwrite=overwrite, say=say)
    print(json.dumps(io.plain(outputs.about), indent=1) if as_json else "\n".join(str(p) for p in outputs.paths))


@simulate_app.command("s1-ew")
def simulate_s1_ew(
    out: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="A new folder for the product, its truth, ice chart, scene.json.")
    ],
    seed: Annotated[
        int,
        typer.Option(
            min=0, help="Random seed: the same seed gives the same files. Options that you leave out are drawn from it."
        ),
    ] = 0,
    ranges: Annotated[
        str,
        typer.Option(
            "--range",
            help=(
                "standard: what scenes usually look like; stress: more wind, other ice brightness, more noise left"
                " over, to see where a method fails."
            ),
        ),
    ] = "standard",
    kind: Annotated[
        str | None,
        typer.Option(help="water (no ice), edge (an ice edge with its marginal zone) or pack (closed, with leads)."),
    ] = None,
    size: Annotated[
        str,
        typer.Option(
            metavar="LINESxSAMPLES",
            help="Pixels of 40 m, a window in the swath, from 160x160; or full: 10708x10487, two files of 225 MB.",
        ),
    ] = "full",
    hemisphere: Annotated[
        str, typer.Option(help="north (EPSG:3413) or south (EPSG:3976): a place over open sea is drawn.")
    ] = "north",
    centre: Annotated[
        tuple[float, float] | None,
        typer.Option(metavar="LAT LON", help="Middle of the whole swath, degrees, in place of a drawn one."),
    ] = None,
    annotation: Annotated[
        Path | None,
        typer.Option(
            metavar="SAFE",
            help=(
                "Take noise, calibration, sub-swaths, angles and positions from a real EW_GRDM product in HH and HV"
                " (its pixels may be missing); place and hemisphere are then its own."
            ),
        ),
    ] = None,
    lead_map: Annotated[
        bool, typer.Option("--lead-map", help="Also write leads.tif: the true leads on the polar grid, 80 m.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the scene in the folder.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print scene.json instead of the paths.")] = False,
) -> None:
    """Simulate a Sentinel-1 EW product (GRDM, HH and HV) over sea ice, with its true ice cover and an ice chart.

    Written are the .SAFE folder, truth.nc (concentration, stage and floe size of cells of 400 m on the swath),
    truth.tif (concentration on the polar grid), chart.gpkg (SIGRID-3 polygons with a chart's errors) and scene.json
    (what was drawn). The noise has the steps between sub-swaths, late starts and scalloping of real products, and is
    another in every scene. Numbers from simulated scenes are never skill on real data. What is simulated, and from
    which sources: docs/sentinel1_simulator.md.

    \b
    polynya simulate s1-ew scene1 --seed 1
    polynya simulate s1-ew small --size 2000x2500 --kind edge --seed 2
    polynya simulate s1-ew real_noise --annotation S1A_EW_GRDM_1SDH_....SAFE --range stress
    """
    from ... import io
    from ...simulate.sentinel1.product import Options, parse_size, simulate_product

    options = Options(
        seed=seed,
        ranges=ranges,
        kind=kind,
        size=parse_size(size),
        hemisphere=hemisphere,
        centre=centre,
        annotation=annotation,
        has_lead_map=lead_map,
    )
    written = simulate_product(out, options, overwrite=overwrite, say=say)
    files = (written.safe, written.truth, written.polar_truth, written.chart, written.leads, written.record)
    paths = [p for p in files if p is not None]
    print(json.dumps(io.plain(written.about), indent=1) if as_json else "\n".join(str(p) for p in paths))


@simulate_app.command("wv")
def simulate_wv(
    out: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="A new folder for the images, tags.csv, truth.csv and wave.json.")
    ],
    seed: Annotated[int, typer.Option(min=0, help="Random seed: the same seed gives the same files.")] = 0,
    count: Annotated[
        int | None, typer.Option(min=1, max=100_000, help="Number of imagettes; 100, or 4 in a product.")
    ] = None,
    form: Annotated[
        str,
        typer.Option(
            help=(
                "tiff: roughness in decibels, 16 bit; png: 8 bit, stretched between percentiles as quick-looks are;"
                " safe: one SLC product with complex numbers, 64 MB an imagette."
            ),
        ),
    ] = "tiff",
    label_errors: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Share of imagettes with one wrong tag in tags.csv.")
    ] = 0.0,
    spacing_m: Annotated[
        float, typer.Option(min=5.0, max=25.0, help="Distance of the pixels of an SLC product on the ground, m.")
    ] = 5.0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier simulation.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print wave.json instead of the paths.")] = False,
) -> None:
    """Simulate Sentinel-1 wave-mode imagettes of 20 km with ten phenomena, alone and together, and their true tags.

    Ocean waves, wind streaks, convective cells, rain cells, slicks, sea ice, icebergs, low wind, atmospheric and
    oceanic fronts. tags.csv has the tags as somebody might give them, truth.csv the true ones, and how well each can be
    seen. Numbers from simulated imagettes are never skill on real data. What is simulated: docs/wave_mode.md.

    \b
    polynya simulate wv train --count 6000 --seed 1 --label-errors 0.05
    polynya simulate wv test --count 2000 --seed 2
    polynya simulate wv product --form safe --count 4
    """
    from ... import io
    from ...simulate.wave_mode.product import Options, simulate_imagettes

    options = Options(
        seed=seed,
        count=count or (4 if form == "safe" else 100),
        form=form,
        label_errors=label_errors,
        spacing_m=spacing_m,
    )
    written = simulate_imagettes(out, options, overwrite=overwrite, say=say)
    shown = (written.paths[0], *written.paths[-3:]) if form == "safe" else (out, *written.paths[-3:])
    print(json.dumps(io.plain(written.about), indent=1) if as_json else "\n".join(str(p) for p in shown))

"""An ICESat-2 granule and the Sentinel-2 scene over it, from one ice cover that drifts between the passes.

Sign of the drift: **add** ``shift_east`` and ``shift_north`` to an ICESat-2 position (projected to the scene's CRS) to
find the same ice in the image. Simulated data is for training, tests and demonstrations; it is not a measurement.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from .. import __version__, io
from ..errors import UsageError
from ..readers.icesat2 import SPOTS
from .icesat2.atl03 import Cover, Simulated, check_arguments, parse_beams, rng_of, seed_of, write_granule
from .icesat2.atlas import SHOT_SPACING
from .icesat2.ground_track import across_of, reference_track
from .sea_ice import ice_map, picture, profile
from .sea_ice.presets import DRIFT, IMAGE, MINUTES, SEASONS, Season
from .sea_ice.sea import draw_sea
from .sea_ice.season import at_time, season_at, sun_at
from .sea_ice.surfaces import Surfaces, closed, with_surfaces
from .sentinel2 import metadata, scene, sky
from .sentinel2.frame import Frame, scene_frame, tile_name

LONGEST_KM = 60.0
CHOICES = {"ice": ("drawn", "closed"), "level": ("1C", "2A"), "image": ("safe", "geotiff", "both")}
"""Options of which one of a few words is expected."""
CONVENTION = (
    "add shift_east_m, shift_north_m to an ICESat-2 position in the scene's CRS to find the same ice in the image"
)


@dataclass(frozen=True, kw_only=True)
class Options:
    """What to simulate; what is ``None`` is drawn.

    Attributes
    ----------
    length_km : float
        Length of the track, 1-60 km.
    season : str
        ``spring``, ``summer`` or ``melt``.
    seed : int
        The same options and seed give the same arrays.
    beams : str
        ``all``, ``strong``, ``weak`` or beam names with commas between.
    drift_m : tuple of float or None
        Drift of the ice to the east and north, m; drawn from 0-550 m in any direction.
    minutes : float or None
        Image time minus ICESat-2 time; drawn from 8-80 minutes, before or after.
    sun_elevation : float or None
        Degrees, when the image is taken; drawn from the season's range.
    cloud_cover : float or None
        Share of the scene under cloud, 0 to 1; 1 hides the ice.
    ice : str
        ``drawn``, or ``closed``: no leads at all, so that nothing shows the drift.
    level : str
        ``1C`` or ``2A``, for the SAFE folder.
    image : str
        ``safe``, ``geotiff`` or ``both``.
    surfaces : Surfaces or None
        Ponds, bright patches, kinds of leads, swell in place of what the season draws.
    """

    length_km: float = 20.0
    season: str = "summer"
    seed: int = 0
    beams: str = "all"
    drift_m: tuple[float, float] | None = None
    minutes: float | None = None
    sun_elevation: float | None = None
    cloud_cover: float | None = None
    ice: str = "drawn"
    level: str = "1C"
    image: str = "safe"
    surfaces: Surfaces | None = None


@dataclass(frozen=True, kw_only=True)
class Pair:
    """What a simulation wrote; Paths are None for what was not asked for.

    Attributes
    ----------
    granule, truth : Path
        ATL03 and its truth table.
    safe, bands, colour : Path or None
        SAFE folder; GeoTIFF of four bands; GeoTIFF of 8-bit true colour.
    image_truth : Path
        Class and cloud mask on the scene's grid.
    record : Path
        ``pair.json``.
    about : dict
        What is in it.
    """

    granule: Path
    truth: Path
    safe: Path | None
    bands: Path | None
    colour: Path | None
    image_truth: Path
    record: Path
    about: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Conditions:
    """What one pair's seed and options draw from the presets of :mod:`.sea_ice`.

    Attributes
    ----------
    place : Season
    shift_east, shift_north : float
        Drift, m; the module's docstring has the sign.
    minutes : float
        Image time minus ICESat-2 time at the middle of the track; negative where the image is the earlier pass.
    image_time : str
        ISO, UTC.
    sky : Sky
    snow, water, mottle, skin : float
        As in :class:`.picture.Appearance`.
    """

    place: Season
    shift_east: float
    shift_north: float
    minutes: float
    image_time: str
    sky: sky.Sky
    snow: float
    water: float
    mottle: float
    skin: float


def simulate_pair(out: Path | str, options: Options | None = None, *, overwrite: bool = False) -> Pair:
    """Write a granule, its truth and the scene over it into a folder.

    Parameters
    ----------
    out : Path or str
        The folder: new or empty; or an earlier pair, with ``overwrite``.
    options : Options, optional
        What to simulate; the defaults if left out.
    overwrite : bool
        Replace the earlier pair in the folder.

    Returns
    -------
    Pair

    Raises
    ------
    UsageError
        If an option is out of range, or the season has no sun.
    OutputError
        If the folder holds something else, or cannot be written.
    """
    options = options or Options()
    _check(options)
    out = Path(out)
    io.check_place(out, overwrite=overwrite, record="pair.json")
    length = options.length_km * 1000.0
    at = draw_conditions(options)
    frame = scene_frame(reference_track(at.place, length), length=length)
    surfaces = options.surfaces or Surfaces()
    if options.ice == "closed":
        surfaces = closed(surfaces)
    parameters = with_surfaces(profile.draw_parameters(options.season, rng_of(options.seed, 0)), surfaces)
    sea = draw_sea(options.season, rng_of(options.seed, 4), length=length, surfaces=surfaces)
    along, across = frame.extent()
    cover = ice_map.draw_map(parameters, rng_of(options.seed, 50), along=along, across=across)
    asked = ("drift_m", "minutes", "sun_elevation", "cloud_cover")
    settings = {
        "kind": "sea ice model, pair",
        "length_km": options.length_km,
        "beams": options.beams,
        "season": options.season,
        "seed": options.seed,
        "ice": asdict(parameters),
        "sea": sea.settings(),
        "surfaces": surfaces.settings(),
        "ice_cover": options.ice,
        "asked": {name: getattr(options, name) for name in asked},
    }
    with io.writing_folder(out, overwrite=overwrite, record="pair.json") as folder:
        granule = _granule_name(at.place)
        simulated = write_granule(
            folder / f"{granule}.h5",
            Cover(ice=beam_ice(cover, options.seed), sea=sea, place=at.place, length=length),
            beams=options.beams,
            seed=options.seed,
            settings=settings,
        )
        files, about = _write_scene(folder, cover, frame, at, options)
        about = _about(simulated, frame, at, settings) | about
        io.write_json(about, folder / "pair.json")
    image = {name: out / files[name] if name in files else None for name in ("safe", "bands", "colour")}
    return Pair(
        granule=out / f"{granule}.h5",
        truth=out / f"{granule}_truth.parquet",
        **image,
        image_truth=out / files["truth"],
        record=out / "pair.json",
        about=about,
    )


def draw_conditions(options: Options) -> Conditions:
    """Draw what the options leave open; an option that is given changes nothing else.

    Parameters
    ----------
    options : Options
        Season, seed and length, and what is given.

    Raises
    ------
    UsageError
        If the season has no sun, or the sun never reaches the elevation.
    """
    season, seed = options.season, options.seed
    rng = rng_of(seed, 60)
    distance, bearing, apart, is_later = (
        rng.uniform(*DRIFT),
        rng.uniform(0.0, 2.0 * np.pi),
        rng.uniform(*MINUTES),
        rng.random() < 0.5,
    )
    snow, water, mottle = rng.uniform(*IMAGE.snow), rng.uniform(*IMAGE.water), rng.uniform(*IMAGE.mottle)
    elevation = rng.uniform(*SEASONS[season].sun) if options.sun_elevation is None else options.sun_elevation
    place = season_at(season, rng_of(seed, 61), sun_elevation=elevation)
    drawn = (distance * np.sin(bearing), distance * np.cos(bearing))
    east, north = options.drift_m if options.drift_m is not None else drawn
    between = options.minutes if options.minutes is not None else apart if is_later else -apart
    image_time = np.datetime64(place.date, "s")
    # From the track's start to its middle, at 10 kHz.
    half = np.timedelta64(round(0.5 * options.length_km * 1000.0 / SHOT_SPACING * 1e5), "ns")
    start = (image_time - np.timedelta64(round(60.0 * between), "s") - half).astype("datetime64[s]")
    place, apart = at_time(place, start), (image_time - start - half) / np.timedelta64(60, "s")
    return Conditions(
        place=place,
        shift_east=float(east),
        shift_north=float(north),
        minutes=float(apart),
        image_time=str(image_time),
        sky=sky.draw_sky(rng_of(seed, 62), sun=sun_at(place, image_time), cloud_cover=options.cloud_cover),
        snow=float(snow),
        water=float(water),
        mottle=float(mottle),
        skin=IMAGE.skin_growth * max(between, 0.0) / 60.0 if season == "spring" else 0.0,
    )


def beam_ice(cover: ice_map.IceMap, seed: int) -> Callable[[str, float, float], profile.IceField]:
    """Return the function that cuts a beam's ice out of a map."""

    def ice(name: str, begin: float, length: float) -> profile.IceField:
        leads, part = ice_map.cut(
            cover, rng_of(seed, 51, SPOTS[1][name]), across=across_of(name), begin=begin, length=length
        )
        return profile.ice_field(cover.parameters, leads, rng_of(seed, 12, SPOTS[1][name]), length=length, cut=part)

    return ice


def scene_light(cover: ice_map.IceMap, frame: Frame, at: Conditions, seed: int) -> tuple[picture.Surfaces, sky.Light]:
    """Return the surfaces on the scene's grid and the light that reaches the camera, nothing written."""
    appearance = picture.Appearance(
        shift=(at.shift_east, at.shift_north),
        sun=(at.sky.sun_elevation, at.sky.sun_azimuth),
        snow=at.snow,
        water=at.water,
        mottle=at.mottle,
        skin=at.skin,
    )
    surfaces = picture.paint(cover, frame, appearance, seed=seed_of(seed, 52))
    return surfaces, sky.light(surfaces, at.sky, seed_of(seed, 53))


def _write_scene(
    folder: Path, cover: ice_map.IceMap, frame: Frame, at: Conditions, options: Options
) -> tuple[dict[str, str], dict[str, object]]:
    """Write image and truth; return the files' names and what pair.json says of the scene."""
    surfaces, part = scene_light(cover, frame, at, options.seed)
    stamp = re.sub(r"\D", "", at.image_time)
    stem = f"S2_{stamp[:8]}T{stamp[8:]}"
    files: dict[str, str] = {}
    if options.image in ("safe", "both"):
        tile = tile_name(at.place.latitude, frame.epsg)
        product = metadata.product(level=options.level, tile=tile, time=at.image_time)
        scene.write_safe(
            folder,
            product,
            frame,
            surfaces=surfaces,
            part=part,
            sky=at.sky,
            seed=seed_of(options.seed, 54),
            settings=f"Seed {options.seed}; see pair.json.",
        )
        files["safe"] = product.name
    if options.image in ("geotiff", "both"):
        paths = scene.write_geotiff(
            folder, stem, frame, part=part, sky=at.sky, time=at.image_time, seed=seed_of(options.seed, 54)
        )
        files["bands"], files["colour"] = (p.name for p in paths)
    files["truth"] = scene.write_truth(folder, stem, frame, surfaces=surfaces, part=part).name
    shares = {
        name: float(np.mean(surfaces.surface_class == code))
        for code, name in ((0, "thick_ice"), (1, "thin_ice"), (2, "open_water"))
    }
    clouds = {name: float(np.mean(part.mask == code)) for code, name in sky.CLOUD_NAMES}
    return files, {"files": files, "scene_shares": shares, "scene_sky": clouds, "level": options.level}


def _about(simulated: Simulated, frame: Frame, at: Conditions, settings: dict[str, object]) -> dict[str, object]:
    return {
        "simulated": True,
        "polynya": __version__,
        "granule": simulated.granule.name,
        "truth": simulated.truth.name,
        "season": settings["season"],
        "seed": settings["seed"],
        "shift_east_m": at.shift_east,
        "shift_north_m": at.shift_north,
        "shift_convention": CONVENTION,
        "minutes": at.minutes,
        "minutes_convention": "image time minus ICESat-2 time at the middle of the track",
        "image_time": at.image_time + "Z",
        "sun_elevation": at.sky.sun_elevation,
        "sun_azimuth": at.sky.sun_azimuth,
        "crs": f"EPSG:{frame.epsg}",
        "sky": asdict(at.sky),
        "surface": {
            "snow": at.snow,
            "water": at.water,
            "mottle": at.mottle,
            "skin_m": at.skin,
            "dimming": sky.dimming(at.sky),
            "haze": sky.haze(at.sky),
        },
        "beam_shares": simulated.shares,
        "settings": settings,
    }


def _granule_name(place: Season) -> str:
    stamp = re.sub(r"\D", "", place.date)[:14]
    return f"ATL03_{stamp}_{place.rgt:04d}{place.cycle:02d}{place.region:02d}_006_01"


def _check(options: Options) -> None:
    check_arguments(length_km=options.length_km, seed=options.seed)
    parse_beams(options.beams)
    if options.length_km > LONGEST_KM:
        raise UsageError(
            f"length_km is {options.length_km:g}; expected 1 to {LONGEST_KM:g} for a pair, because a scene is one"
            " plane. Choose a shorter track."
        )
    if options.season not in SEASONS or not SEASONS[options.season].days:
        sunny = [n for n, s in SEASONS.items() if s.days]
        why = "is polar night and has no image" if options.season in SEASONS else "is unknown"
        raise UsageError(
            f"season {options.season!r} {why}; expected {' or '.join(sunny)}: Sentinel-2 needs sun. Choose one of them."
        )
    minutes, cloud_cover, drift_m = options.minutes, options.cloud_cover, options.drift_m
    if minutes is not None and not abs(minutes) <= 720.0:
        raise UsageError(f"minutes is {minutes:g}; expected -720 to 720 (image minus ICESat-2). Choose fewer.")
    if cloud_cover is not None and not 0.0 <= cloud_cover <= 1.0:
        raise UsageError(f"cloud_cover is {cloud_cover:g}; expected 0 to 1. Give the share, not a percentage.")
    if drift_m is not None and not np.hypot(*drift_m) <= 1500.0:
        raise UsageError(
            f"drift_m is {drift_m[0]:g} {drift_m[1]:g}; expected at most 1500 m together. Choose a smaller drift."
        )
    for name, values in CHOICES.items():
        if getattr(options, name) not in values:
            raise UsageError(f"{name} is {getattr(options, name)!r}; expected {', '.join(values)}. Choose one of them.")

"""An ICESat-2 granule and the Sentinel-2 scene over it, from one ice cover that drifts between the passes.

The sign of the drift: ``shift_east`` and ``shift_north`` are what must be **added to an ICESat-2 position** (projected
to the scene's CRS) to find the same ice in the image. Simulated data trains, tests and demonstrates; it is no
measurement.
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
from .icesat2.atl03 import Simulated, check_arguments, parse_beams, rng_of, seed_of, write_granule
from .icesat2.atlas import SHOT_SPACING
from .icesat2.ground_track import across_of, reference_track
from .sea_ice import ice_map, picture, profile
from .sea_ice.presets import DRIFT, IMAGE, MINUTES, SEASONS, Season
from .sea_ice.season import at_time, season_at, sun_at
from .sentinel2 import metadata, scene, sky
from .sentinel2.frame import Frame, scene_frame, tile_name

LONGEST_KM = 60.0
CONVENTION = (
    "add shift_east_m, shift_north_m to an ICESat-2 position in the scene's CRS to find the same ice in the image"
)


@dataclass(frozen=True)
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


@dataclass(frozen=True)
class Conditions:
    """What one pair's seed and options make of :mod:`.presets`.

    Attributes
    ----------
    place : Season
    shift_east, shift_north : float
        m; see the module's sign.
    minutes : float
        Image time minus ICESat-2 time at the middle of the track; negative where the image is the earlier pass.
    image_time : str
        ISO, UTC.
    sky : Sky
    snow, water, mottle, skin : float
        As :func:`.ice_picture.paint` takes them.
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


def simulate_pair(
    out: Path | str,
    *,
    length_km: float = 20.0,
    season: str = "summer",
    seed: int = 0,
    beams: str = "all",
    drift_m: tuple[float, float] | None = None,
    minutes: float | None = None,
    sun_elevation: float | None = None,
    cloud_cover: float | None = None,
    ice: str = "drawn",
    level: str = "1C",
    image: str = "safe",
    overwrite: bool = False,
) -> Pair:
    """Write a granule, its truth and the scene over it into a folder.

    Parameters
    ----------
    out : Path or str
        The folder: new or empty; or an earlier pair, with ``overwrite``.
    length_km : float
        Length of the track, 1-60 km.
    season : str
        ``spring`` or ``summer``.
    seed : int
        Same arguments and seed, same arrays.
    beams : str
        As for :func:`.icesat2_atl03.simulate`.
    drift_m : tuple of float, optional
        East and north, m; drawn (0-550 m, any direction) where left out.
    minutes : float, optional
        Image minus ICESat-2; drawn (8-80, before or after) where left out.
    sun_elevation : float, optional
        Degrees, when the image is taken; drawn from the season's range where left out.
    cloud_cover : float, optional
        Share of the scene under cloud, 0 to 1; drawn where left out. 1 hides the ice.
    ice : str
        ``drawn``, or ``closed``: no leads at all, so that nothing tells the drift.
    level : str
        ``1C`` or ``2A``, for the SAFE folder.
    image : str
        ``safe``, ``geotiff`` or ``both``.
    overwrite : bool

    Returns
    -------
    Pair

    Raises
    ------
    UsageError
        If an argument is out of range, or the season has no sun.
    OutputError
        If the folder holds something else, or cannot be written.
    """
    choices = {"ice": ice, "level": level, "image": image}
    _check(
        length_km=length_km,
        seed=seed,
        season=season,
        minutes=minutes,
        cloud_cover=cloud_cover,
        drift_m=drift_m,
        choices=choices,
    )
    parse_beams(beams)
    out = Path(out)
    io.check_place(out, overwrite=overwrite, record="pair.json")
    length = length_km * 1000.0
    at = draw_conditions(
        season,
        seed,
        length=length,
        drift_m=drift_m,
        minutes=minutes,
        sun_elevation=sun_elevation,
        cloud_cover=cloud_cover,
    )
    frame = scene_frame(reference_track(at.place, length), length=length)
    parameters = profile.draw_parameters(season, rng_of(seed, 0))
    if ice == "closed":
        parameters = profile.without_leads(parameters)
    along, across = frame.extent()
    cover = ice_map.draw_map(parameters, rng_of(seed, 50), along=along, across=across)
    settings = {
        "kind": "sea ice model, pair",
        "length_km": length_km,
        "beams": beams,
        "season": season,
        "seed": seed,
        "ice": asdict(parameters),
        "ice_cover": ice,
        "asked": {"drift_m": drift_m, "minutes": minutes, "sun_elevation": sun_elevation, "cloud_cover": cloud_cover},
    }
    with io.writing_folder(out, overwrite=overwrite, record="pair.json") as folder:
        granule = _granule_name(at.place)
        made = write_granule(
            folder / f"{granule}.h5",
            beam_ice(cover, seed),
            beams=beams,
            place=at.place,
            length=length,
            seed=seed,
            settings=settings,
        )
        files, about = _write_scene(folder, cover, frame, at, seed=seed, level=level, image=image)
        about = _about(made, frame, at, settings) | about
        io.write_json(about, folder / "pair.json")
    return Pair(
        out / f"{granule}.h5",
        out / f"{granule}_truth.parquet",
        *(out / files[k] if k in files else None for k in ("safe", "bands", "colour")),
        out / files["truth"],
        out / "pair.json",
        about,
    )


def draw_conditions(
    season: str,
    seed: int,
    *,
    length: float,
    drift_m: tuple[float, float] | None,
    minutes: float | None,
    sun_elevation: float | None,
    cloud_cover: float | None,
) -> Conditions:
    """Draw what is left open; whatever is given changes nothing else.

    Parameters
    ----------
    season : str
    seed : int
    length : float
        m.
    drift_m, minutes, sun_elevation, cloud_cover
        As for :func:`simulate_pair`.

    Raises
    ------
    UsageError
        If the season has no sun, or the sun never stands so.
    """
    rng = rng_of(seed, 60)
    distance, bearing, apart, is_later = (
        rng.uniform(*DRIFT),
        rng.uniform(0.0, 2.0 * np.pi),
        rng.uniform(*MINUTES),
        rng.random() < 0.5,
    )
    snow, water, mottle = rng.uniform(*IMAGE.snow), rng.uniform(*IMAGE.water), rng.uniform(*IMAGE.mottle)
    elevation = rng.uniform(*SEASONS[season].sun) if sun_elevation is None else sun_elevation
    place = season_at(season, rng_of(seed, 61), sun_elevation=elevation)
    east, north = drift_m if drift_m is not None else (distance * np.sin(bearing), distance * np.cos(bearing))
    between = minutes if minutes is not None else apart if is_later else -apart
    image_time = np.datetime64(place.date, "s")
    half = np.timedelta64(
        round(0.5 * length / SHOT_SPACING * 1e5), "ns"
    )  # from the track's start to its middle, at 10 kHz
    start = (image_time - np.timedelta64(round(60.0 * between), "s") - half).astype("datetime64[s]")
    place, apart = at_time(place, start), (image_time - start - half) / np.timedelta64(60, "s")
    sun = sun_at(place, image_time)
    skin = IMAGE.skin_growth * max(between, 0.0) / 60.0 if season == "spring" else 0.0
    above = sky.draw_sky(rng_of(seed, 62), sun=sun, cloud_cover=cloud_cover)
    return Conditions(
        place,
        float(east),
        float(north),
        float(apart),
        str(image_time),
        above,
        float(snow),
        float(water),
        float(mottle),
        skin,
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
    surfaces = picture.paint(
        cover,
        frame,
        shift=(at.shift_east, at.shift_north),
        sun=(at.sky.sun_elevation, at.sky.sun_azimuth),
        snow=at.snow,
        water=at.water,
        mottle=at.mottle,
        skin=at.skin,
        seed=seed_of(seed, 52),
    )
    return surfaces, sky.light(surfaces, at.sky, seed_of(seed, 53))


def _write_scene(
    folder: Path, cover, frame: Frame, at: Conditions, *, seed: int, level: str, image: str
) -> tuple[dict[str, str], dict[str, object]]:
    surfaces, part = scene_light(cover, frame, at, seed)
    stamp = re.sub(r"\D", "", at.image_time)
    stem = f"S2_{stamp[:8]}T{stamp[8:]}"
    files, noise = {}, seed_of(seed, 54)
    if image in ("safe", "both"):
        of = metadata.names(level=level, tile=tile_name(at.place.latitude, frame.epsg), time=at.image_time)
        scene.write_safe(
            folder,
            of,
            frame,
            surfaces=surfaces,
            part=part,
            sky=at.sky,
            level=level,
            time=at.image_time,
            seed=noise,
            settings=f"Seed {seed}; see pair.json.",
        )
        files["safe"] = of.product
    if image in ("geotiff", "both"):
        paths = scene.write_geotiff(
            folder, stem, frame, part=part, sky=at.sky, time=at.image_time, seed=seed_of(seed, 54)
        )
        files["bands"], files["colour"] = (p.name for p in paths)
    files["truth"] = scene.write_truth(folder, stem, frame, surfaces=surfaces, part=part).name
    shares = {
        name: float(np.mean(surfaces.surface_class == code))
        for code, name in ((0, "thick_ice"), (1, "thin_ice"), (2, "open_water"))
    }
    clouds = {name: float(np.mean(part.mask == code)) for code, name in sky.CLOUD_NAMES}
    return files, {"files": files, "scene_shares": shares, "scene_sky": clouds, "level": level}


def _about(made: Simulated, frame: Frame, at: Conditions, settings: dict[str, object]) -> dict[str, object]:
    return {
        "simulated": True,
        "polynya": __version__,
        "granule": made.granule.name,
        "truth": made.truth.name,
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
        "beam_shares": made.shares,
        "settings": settings,
    }


def _granule_name(place: Season) -> str:
    stamp = re.sub(r"\D", "", place.date)[:14]
    return f"ATL03_{stamp}_{place.rgt:04d}{place.cycle:02d}{place.region:02d}_006_01"


def _check(
    *,
    length_km: float,
    seed: int,
    season: str,
    minutes: float | None,
    cloud_cover: float | None,
    drift_m: tuple[float, float] | None,
    choices: dict[str, str],
) -> None:
    check_arguments(length_km=length_km, seed=seed)
    if length_km > LONGEST_KM:
        raise UsageError(
            f"length_km is {length_km:g}; expected 1 to {LONGEST_KM:g} for a pair, because a scene is one plane. Choose"
            " a shorter track."
        )
    if season not in SEASONS or not SEASONS[season].days:
        sunny = [n for n, s in SEASONS.items() if s.days]
        why = "is polar night and has no image" if season in SEASONS else "is unknown"
        raise UsageError(
            f"season {season!r} {why}; expected {' or '.join(sunny)}: Sentinel-2 needs sun. Choose one of them."
        )
    if minutes is not None and not abs(minutes) <= 720.0:
        raise UsageError(f"minutes is {minutes:g}; expected -720 to 720 (image minus ICESat-2). Choose fewer.")
    if cloud_cover is not None and not 0.0 <= cloud_cover <= 1.0:
        raise UsageError(f"cloud_cover is {cloud_cover:g}; expected 0 to 1. Give the share, not a percentage.")
    if drift_m is not None and not np.hypot(*drift_m) <= 1500.0:
        raise UsageError(
            f"drift_m is {drift_m[0]:g} {drift_m[1]:g}; expected at most 1500 m together. Choose a smaller drift."
        )
    allowed = {"ice": ("drawn", "closed"), "level": ("1C", "2A"), "image": ("safe", "geotiff", "both")}
    for name, value in choices.items():
        if value not in allowed[name]:
            raise UsageError(f"{name} is {value!r}; expected {', '.join(allowed[name])}. Choose one of them.")

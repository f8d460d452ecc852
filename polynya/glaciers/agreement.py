"""Agreement of a map of glaciers with the classical rule: which of its ice the rule sees too, which it does not, and
what the rule calls ice beside it.

No truth is needed, and none is found: these are parts of a map that differ in how a glaciologist should check them. The
scene is read once, block by block; a reduced picture of it comes along.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pyproj
from odc.geo.geobox import GeoBox

from ..physics import cast_shadow, ice_rules, resample
from ..scenes import scene as glacier_scene
from ..scenes.areas import row_areas_m2
from ..scenes.scene import Scene, only_sensors
from . import outlines as outline_blocks
from .attributes import rasterised

NAMES = ("bright_ice", "dark_ice", "ice_without_colour", "bright_ground_left_out")
"""Strata in the order of their number in a picture, which counts from 1; 0 is neither mapped nor called ice by the
rule."""
MEANING = {
    "bright_ice": "mapped, and the classical rule sees ice or snow there too",
    "dark_ice": (
        "mapped by the network where the rule sees no ice: debris-covered, dirty or shaded ice, or rock taken for it"
    ),
    "ice_without_colour": "mapped where the bands that the rule needs are missing",
    "bright_ground_left_out": (
        "ice or snow to the rule, not mapped: snow patches, lake ice, cloud, or a glacier that the network missed"
    ),
}
"""What each is, and what it may be instead."""
CAUTION = (
    "From colour and the network alone, without reference data: no class of debris or snow was checked on the ground."
)
BLOCK = 1024
CHOICE_PIXELS = 1_000_000
CHOICE_PIECES = 8
"""A larger scene chooses its classical rule on so many pixels in so many pieces a side."""
SHADOW_PIXELS = 2000
"""Shadow is computed on a grid of at most so many pixels per side, since a mountain's shadow may fall anywhere."""

Read = Callable[[slice, slice], np.ndarray]


@dataclass(frozen=True, kw_only=True)
class Stratum:
    """One part of a map.

    Attributes
    ----------
    name : str
        Of :data:`NAMES`.
    area_km2 : float
        On the ellipsoid.
    shaded : float
        Share of it without direct sun, by DEM and sun; NaN where that is not known.
    cloudy : float
        Share of it under cloud by the product's own mask; NaN without one.
    """

    name: str
    area_km2: float
    shaded: float
    cloudy: float


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """How a map and the classical rule agree.

    Attributes
    ----------
    strata : tuple of Stratum
        Empty where there are no reflectances to compare with.
    rule : str
        The rule's limits.
    shadow : str
        How shadow was found, or why not.
    picture : numpy.ndarray of float32 or None, shape (6, h, w)
        Every ``step``-th pixel of the reflectances.
    kinds : numpy.ndarray of uint8 or None, shape (h, w)
        Of the same pixels: 0 or the stratum's number.
    """

    strata: tuple[Stratum, ...]
    rule: str
    shadow: str
    picture: np.ndarray | None
    kinds: np.ndarray | None

    def as_json(self) -> dict[str, object]:
        """Return plain numbers."""
        return {
            "rule": self.rule,
            "shadow": self.shadow,
            "strata": {
                s.name: {"area_km2": s.area_km2, "shaded": s.shaded, "cloudy": s.cloudy, "meaning": MEANING[s.name]}
                for s in self.strata
            },
        }


def compare(scene: Scene, mapped: gpd.GeoDataFrame, *, step: int = 1, is_rule: bool = False) -> Agreement:
    """Compare a map with the rule: areas by colour, and a reduced picture.

    Parameters
    ----------
    scene : Scene
        The scene; its grid must be affine.
    mapped : geopandas.GeoDataFrame
        Outlines that do not overlap.
    step : int
        Of the picture: every ``step``-th pixel.
    is_rule : bool
        True where the map is the rule's own: then there are no strata.

    Returns
    -------
    Agreement

    Raises
    ------
    ProductError
        If a file of the scene is damaged.
    """
    image = scene.table.of("reflectance")
    if image is None or image.name not in scene.sensors:
        return Agreement(strata=(), rule="none: no optical bands", shadow="not computed", picture=None, kinds=None)
    only, shape = only_sensors(scene, rule_sensors(scene)), scene.shape
    small = tuple(-(-n // step) for n in shape)
    picture = np.full((len(image.bands), *small), np.nan, np.float32)
    kinds = np.zeros(small, np.uint8)
    shade, shadow = (None, "not computed") if is_rule else shading(scene)
    polygons = mapped.geometry.to_crs(scene.geobox.crs.to_wkt()).to_numpy()
    bounds = np.array([g.bounds for g in polygons]).reshape(-1, 4)
    sums = np.zeros((len(NAMES) + 1, 4))  # km² in all, shaded, with known cloud, cloudy
    rule, chosen = "", None if is_rule else classical_rule(only)
    for rows, columns in outline_blocks.windows(shape, block=BLOCK):
        values = glacier_scene.read(only, window=((rows.start, rows.stop), (columns.start, columns.stop)))
        kind = np.zeros((rows.stop - rows.start, columns.stop - columns.start), np.uint8)
        if not is_rule:
            found = ice_rules.classical(for_rules(scene, values), rule=chosen)
            rule = rule or (found.name if found.valid.any() else "")
            is_mapped = rasterised(polygons, scene.geobox, rows, columns, bounds=bounds) >= 0
            kind = np.select(
                [is_mapped & ~found.valid, is_mapped & found.mask, is_mapped, found.mask], [3, 1, 2, 4], 0
            ).astype(np.uint8)
            sums += _sums(scene, kind, rows, columns, shade)
        at = [np.arange(step // 2, n, step) if n > step // 2 else np.array([n - 1]) for n in shape]
        at = [np.append(a, n - 1) if len(a) < s else a for a, n, s in zip(at, shape, small, strict=True)]
        mine = [np.flatnonzero((a >= w.start) & (a < w.stop)) for a, w in zip(at, (rows, columns), strict=True)]
        inner = np.ix_(at[0][mine[0]] - rows.start, at[1][mine[1]] - columns.start)
        picture[np.ix_(np.arange(len(picture)), *mine)] = values[image.name][:, inner[0], inner[1]]
        kinds[np.ix_(*mine)] = kind[inner]
    if is_rule:
        return Agreement(strata=(), rule="the map itself", shadow=shadow, picture=picture, kinds=None)
    return Agreement(
        strata=_strata(sums, is_shadow_known=shade is not None),
        rule=rule or "none: no rule fits the bands present",
        shadow=shadow,
        picture=picture,
        kinds=kinds,
    )


def _strata(sums: np.ndarray, *, is_shadow_known: bool) -> tuple[Stratum, ...]:
    has_cloud = sums[:, 2].sum() > 0
    return tuple(
        Stratum(
            name=n,
            area_km2=float(s[0]),
            shaded=float(s[1] / s[0]) if is_shadow_known and s[0] > 0 else float("nan"),
            cloudy=float(s[3] / s[2]) if has_cloud and s[2] > 0 else float("nan"),
        )
        for n, s in zip(NAMES, sums[1:], strict=True)
        if s[0] > 0 or n != "ice_without_colour"
    )


def rule_sensors(scene: Scene) -> tuple[str, ...]:
    """Return the sensors that the classical rule can use, of those that the scene has.

    Parameters
    ----------
    scene : Scene
        The scene.
    """
    wanted = (scene.table.name_of("reflectance"), scene.table.name_of("height"))
    return tuple(s for s in wanted if s in scene.sensors)


def for_rules(scene: Scene, values: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return what was read of a scene under the names that :mod:`polynya.physics.ice_rules` uses.

    Parameters
    ----------
    scene : Scene
        The scene.
    values : dict of str to numpy.ndarray
        As :func:`polynya.scenes.scene.read` gives it.
    """
    names = {scene.table.name_of("reflectance"): "optical", scene.table.name_of("height"): "dem"}
    return {names.get(s, s): v for s, v in values.items()}


def classical_rule(scene: Scene) -> ice_rules.Choice:
    """Return the classical rule that serves a whole scene, chosen on all of it or, where that is large, on pieces
    spread over it.

    Parameters
    ----------
    scene : Scene
        The scene; its grid must be affine.

    Returns
    -------
    polynya.physics.ice_rules.Choice

    Raises
    ------
    ProductError
        If a file of the scene is damaged.
    """
    only, (height, width) = only_sensors(scene, rule_sensors(scene)), scene.shape
    if not only.sensors:
        return ice_rules.Choice(name="none")
    if height * width <= CHOICE_PIXELS:
        return ice_rules.choose(for_rules(scene, glacier_scene.read(only)))
    side = max(1, round((CHOICE_PIXELS / CHOICE_PIECES**2) ** 0.5))
    pieces = []
    for top in np.linspace(0, max(height - side, 0), CHOICE_PIECES).astype(int):
        for left in np.linspace(0, max(width - side, 0), CHOICE_PIECES).astype(int):
            part = glacier_scene.read(
                only, window=((int(top), int(min(top + side, height))), (int(left), int(min(left + side, width))))
            )
            pieces.append({s: v.reshape(len(v), 1, -1) for s, v in part.items()})
    joined = {s: np.concatenate([p[s] for p in pieces], axis=2) for s in only.sensors}
    return ice_rules.choose(for_rules(scene, joined))


def _sums(scene: Scene, kind: np.ndarray, rows: slice, columns: slice, shade: Read | None) -> np.ndarray:
    area = np.broadcast_to(
        row_areas_m2(scene.geobox, rows, 0.5 * (columns.start + columns.stop))[:, None] * 1e-6, kind.shape
    )
    cloud = glacier_scene.read_cloud(scene, window=((rows.start, rows.stop), (columns.start, columns.stop)))
    dark = np.zeros(kind.shape, bool) if shade is None else shade(rows, columns)
    parts = (np.ones(kind.shape, bool), dark, cloud != glacier_scene.CLOUD_UNKNOWN, cloud == glacier_scene.CLOUD)
    return np.column_stack([np.bincount(kind[p], weights=area[p], minlength=len(NAMES) + 1) for p in parts])


def shading(scene: Scene) -> tuple[Read | None, str]:
    """Return where no direct sun falls as a function of rows and columns, and how that was found; None and why where it
    could not be determined.

    The DEM is averaged to at most :data:`SHADOW_PIXELS` a side first. Terrain outside the scene casts no shadow into
    it.

    Parameters
    ----------
    scene : Scene
        The scene; its grid must be affine.
    """
    dem = scene.table.name_of("height")
    if not scene.has_band(dem):
        return None, "unknown: the scene has no DEM"
    if scene.sun_elevation is None or scene.sun_azimuth is None:
        return None, "unknown: no file gives the sun's position"
    if scene.sun_elevation <= 0.5:
        return None, f"unknown: the sun elevation is {scene.sun_elevation:.1f}°"
    factor = -(-max(scene.shape) // SHADOW_PIXELS)
    only, (height, width) = only_sensors(scene, (dem,)), scene.shape
    shape = (-(-height // factor), -(-width // factor))
    ground = np.full(shape, np.nan, np.float32)
    tall = max(BLOCK // factor, 1)
    for top in range(0, shape[0], tall):
        rows = (top * factor, min((top + tall) * factor, height))
        heights = glacier_scene.read(only, window=(rows, (0, width)))[dem][0]
        ground[top : top + tall] = resample.block_mean(heights[None], factor)[0]
    east, south = scene.pixel_m
    dark = cast_shadow.shaded(
        ground,
        east_m=east * factor,
        south_m=south * factor,
        sun_elevation=scene.sun_elevation,
        sun_azimuth=grid_azimuth(scene.geobox, scene.sun_azimuth),
    )

    def read(rows: slice, columns: slice) -> np.ndarray:
        return dark[
            np.ix_(np.arange(rows.start, rows.stop) // factor, np.arange(columns.start, columns.stop) // factor)
        ]

    return (
        read,
        (
            f"by the DEM on pixels of {east * factor:.0f} m, sun elevation {scene.sun_elevation:.0f}°, azimuth"
            f" {scene.sun_azimuth:.0f}°"
        ),
    )


def middle(geobox: GeoBox) -> tuple[float, float]:
    """Return latitude and longitude of a grid's middle, degrees; right over the antimeridian too.

    Parameters
    ----------
    geobox : odc.geo.geobox.GeoBox
        The grid.
    """
    grid, column, row = geobox.transform, geobox.shape[1] / 2.0, geobox.shape[0] / 2.0
    x, y = grid.a * column + grid.b * row + grid.c, grid.d * column + grid.e * row + grid.f
    lon, lat = pyproj.Transformer.from_crs(geobox.crs.to_wkt(), "EPSG:4326", always_xy=True).transform(x, y)
    return float(lat), (float(lon) + 180.0) % 360.0 - 180.0


def grid_azimuth(geobox: GeoBox, bearing: float) -> float:
    """Return a bearing from true north as an angle clockwise from the grid's up, degrees, in the middle of the grid.

    Parameters
    ----------
    geobox : odc.geo.geobox.GeoBox
        The grid.
    bearing : float
        Degrees clockwise from true north.
    """
    column, row = geobox.shape[1] / 2.0, geobox.shape[0] / 2.0
    back = ~geobox.transform
    degrees = pyproj.Transformer.from_crs(geobox.crs.to_wkt(), "EPSG:4326", always_xy=True)
    lat, lon = middle(geobox)
    steps = []
    for turn in (bearing, 0.0, 90.0):  # the bearing, and both axes to tell a pixel's sides
        x, y = degrees.transform(*pyproj.Geod(ellps="WGS84").fwd(lon, lat, turn, 1000.0)[:2], direction="INVERSE")
        steps.append((back.a * x + back.b * y + back.c - column, back.d * x + back.e * y + back.f - row))
    (right, down), north, east = steps
    wide = 1000.0 / np.hypot(north[0], east[0])
    tall = 1000.0 / np.hypot(north[1], east[1])
    return float(np.degrees(np.arctan2(right * wide, -down * tall)) % 360.0)

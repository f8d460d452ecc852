"""Glaciers by rule: what band ratios and a DEM say without any training. Every network is compared with these.

- NDSI = (green - SWIR1) / (green + SWIR1) above 0.4 where the near infrared reflects more than 0.11: Hall, Riggs and
  Salomonson (1995),
  doi:10.1016/0034-4257(95)00137-P. The second limit takes out water.
- Red / SWIR1 above 2: Paul et al. (2013), doi:10.3189/2013AoG63A296. The limit is set scene by scene in practice, so it
  is a setting.
- Without a short-wave infrared band, brightness: red above 0.30 and near infrared above 0.11, our choice: clean glacier
  ice has an
  albedo above about a third, dirty ice less, snow more (Cuffey and Paterson, 2010, chapter 5). Bright rock and cloud
  pass.
- DEM only: slope below 24 degrees, the limit of Paul, Huggel and Kaab (2004), doi:10.1016/j.rse.2003.11.007, for
  debris-covered tongues, and
  a lowest elevation; or both limits fitted to a training part.

None of the optical rules can see ice below debris. They are cut where the DEM is steeper than 60 degrees, where ice
hardly stays.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import UsageError

BLUE, GREEN, RED, NIR, SWIR1, SWIR2 = range(6)
"""Places of the bands in a scene's optical array."""
ELEVATION, SLOPE = range(2)
"""Places in a scene's DEM array."""
UNLABELLED = 255
NDSI_LIMIT = 0.4
NIR_LIMIT = 0.11
RATIO_LIMIT = 2.0
RED_LIMIT = 0.30
STEEPEST_ICE = 60.0
STEEPEST_DEBRIS = 24.0


@dataclass(frozen=True, kw_only=True)
class RuleMap:
    """What a rule says.

    Attributes
    ----------
    mask : numpy.ndarray of bool, shape (h, w)
        Glacier; False where not valid.
    valid : numpy.ndarray of bool, shape (h, w)
        Where the rule could be asked.
    name : str
        The rule, with its limits.
    """

    mask: np.ndarray
    valid: np.ndarray
    name: str


@dataclass(frozen=True, kw_only=True)
class DemRule:
    """Limits of the DEM rule: lowest elevation in metres, steepest slope in degrees, both inclusive."""

    lowest_m: float
    steepest_deg: float = STEEPEST_DEBRIS


@dataclass(frozen=True, kw_only=True)
class Choice:
    """The rule that serves a scene.

    Attributes
    ----------
    name : str
        ``snow_index``, ``band_ratio``, ``brightness``, ``dem_only`` or ``none``.
    dem : DemRule, optional
        Its limits where the DEM alone decides.
    """

    name: str
    dem: DemRule | None = None


def _ratio(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return a / b, NaN where b is not positive."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(b > 0, a / np.where(b > 0, b, 1.0), np.nan)


def ndsi(green: np.ndarray, swir: np.ndarray) -> np.ndarray:
    """Return the normalised difference snow index.

    Parameters
    ----------
    green, swir : numpy.ndarray, any shape
        Reflectance near 0.56 and 1.6 micrometres.

    Returns
    -------
    numpy.ndarray
        -1 to 1 for positive reflectances; NaN where one is missing or their sum is not positive.
    """
    return _ratio(green - swir, green + swir)


def snow_index(optical: np.ndarray, *, ndsi_limit: float = NDSI_LIMIT, nir_limit: float = NIR_LIMIT) -> RuleMap:
    """Return snow and clean ice by NDSI and near infrared (Hall et al., 1995).

    Parameters
    ----------
    optical : numpy.ndarray, shape (6, h, w)
        Top-of-atmosphere reflectance, bands as in :data:`polynya.sensors.glaciers.TABLE`, NaN where missing.
    ndsi_limit, nir_limit : float
        Snow and ice have a larger index and a larger near-infrared reflectance.

    Returns
    -------
    RuleMap
    """
    index, nir = ndsi(optical[GREEN], optical[SWIR1]), optical[NIR]
    valid = np.isfinite(optical[[GREEN, NIR, SWIR1]]).all(axis=0)  # black in both bands has no index, and is no ice
    return RuleMap(
        mask=valid & (index > ndsi_limit) & (nir > nir_limit),
        valid=valid,
        name=f"NDSI > {ndsi_limit:g}, NIR > {nir_limit:g}",
    )


def band_ratio(optical: np.ndarray, *, limit: float = RATIO_LIMIT, nir_limit: float = NIR_LIMIT) -> RuleMap:
    """Return clean ice by red / SWIR1 and near infrared (Paul et al., 2013).

    Parameters
    ----------
    optical : numpy.ndarray, shape (6, h, w)
        As in :func:`snow_index`.
    limit, nir_limit : float
        Ice has a larger ratio and a larger near-infrared reflectance.

    Returns
    -------
    RuleMap
    """
    ratio, nir = _ratio(optical[RED], optical[SWIR1]), optical[NIR]
    valid = np.isfinite(optical[[RED, NIR, SWIR1]]).all(axis=0)
    return RuleMap(
        mask=valid & (ratio > limit) & (nir > nir_limit),
        valid=valid,
        name=f"red / SWIR1 > {limit:g}, NIR > {nir_limit:g}",
    )


def brightness(optical: np.ndarray, *, red_limit: float = RED_LIMIT, nir_limit: float = NIR_LIMIT) -> RuleMap:
    """Return what is bright in red and near infrared: the rule for sensors without short-wave infrared.

    Parameters
    ----------
    optical : numpy.ndarray, shape (6, h, w)
        As in :func:`snow_index`.
    red_limit, nir_limit : float
        Ice has larger reflectances.

    Returns
    -------
    RuleMap
    """
    valid = np.isfinite(optical[[RED, NIR]]).all(axis=0)
    return RuleMap(
        mask=valid & (optical[RED] > red_limit) & (optical[NIR] > nir_limit),
        valid=valid,
        name=f"red > {red_limit:g}, NIR > {nir_limit:g}",
    )


_OPTICAL_RULES = {"snow_index": snow_index, "band_ratio": band_ratio, "brightness": brightness}
"""In the order in which they are tried."""


def dem_only(dem: np.ndarray, *, rule: DemRule | None = None) -> RuleMap:
    """Return where the DEM alone would put glaciers.

    Parameters
    ----------
    dem : numpy.ndarray, shape (2, h, w)
        Elevation (m) and slope (degrees), NaN where missing.
    rule : DemRule, optional
        Of :func:`fit_dem_rule`; by default gentler than 24 degrees and in the upper half of the scene.

    Returns
    -------
    RuleMap
    """
    elevation, slope = dem[ELEVATION], dem[SLOPE]
    valid = np.isfinite(elevation) & np.isfinite(slope)
    if rule is None:
        rule = DemRule(lowest_m=float(np.median(elevation[valid])) if valid.any() else np.nan)
    with np.errstate(invalid="ignore"):
        mask = valid & (elevation >= rule.lowest_m) & (slope <= rule.steepest_deg)
    return RuleMap(
        mask=mask, valid=valid, name=f"elevation >= {rule.lowest_m:.0f} m, slope <= {rule.steepest_deg:g} degrees"
    )


def all_glacier(scene: dict[str, np.ndarray]) -> RuleMap:
    """Return glacier wherever any sensor saw anything: the trivial map that every method must beat.

    Parameters
    ----------
    scene : dict of str to numpy.ndarray, shape (bands, h, w)
        Reflectances, heights and so on by sensor; NaN where missing.

    Returns
    -------
    RuleMap

    Raises
    ------
    UsageError
        If the scene holds no sensor.
    """
    if not scene:
        raise UsageError("scene: holds no sensor; expected at least one. Give a raster.")
    seen = np.any([np.isfinite(a).any(axis=0) for a in scene.values()], axis=0)
    return RuleMap(mask=seen.copy(), valid=seen, name="everything is glacier")


def choose(scene: dict[str, np.ndarray]) -> Choice:
    """Return the rule that :func:`classical` follows.

    A map made in pieces must choose once, on the scene or a fair sample of it: a piece without data would choose
    otherwise.

    Parameters
    ----------
    scene : dict of str to numpy.ndarray, shape (bands, h, w)
        As :func:`classical` takes it.

    Raises
    ------
    UsageError
        If the scene holds no sensor.
    """
    all_glacier(scene)
    optical = scene.get("optical")
    if optical is not None and np.isfinite(optical).any():
        half = max(1.0, 0.5 * np.isfinite(optical).any(axis=0).sum())
        for name, rule in _OPTICAL_RULES.items():
            if rule(optical).valid.sum() >= half:
                return Choice(name=name)
    dem = scene.get("dem")
    valid = np.zeros(1, bool) if dem is None else np.isfinite(dem).all(axis=0)
    if dem is None or not valid.any():
        return Choice(name="none")
    return Choice(name="dem_only", dem=DemRule(lowest_m=float(np.median(dem[ELEVATION][valid]))))


def classical(
    scene: dict[str, np.ndarray], *, rule: Choice | None = None, steepest_deg: float = STEEPEST_ICE
) -> RuleMap:
    """Return the best classical map that the bands present allow.

    In this order: NDSI and near infrared; red / SWIR1 where green is missing; red and near infrared where there is no
    SWIR1; the DEM alone where no optical rule can be asked; nothing otherwise. One rule serves the whole scene: the
    first that can be asked on at least half of the pixels that any optical band saw.

    Parameters
    ----------
    scene : dict of str to numpy.ndarray, shape (bands, h, w)
        As :func:`polynya.scenes.scene.read` gives it; NaN where missing.
    rule : Choice, optional
        Of :func:`choose` for the whole scene, where this is a piece of it.
    steepest_deg : float
        Steeper pixels are no glacier, where the slope is known.

    Returns
    -------
    RuleMap

    Raises
    ------
    UsageError
        If the scene holds no sensor.
    """
    everything = all_glacier(scene)
    rule = choose(scene) if rule is None else rule
    if rule.dem is not None:
        return dem_only(scene["dem"], rule=rule.dem)
    if rule.name in _OPTICAL_RULES:
        return _without_cliffs(_OPTICAL_RULES[rule.name](scene["optical"]), scene, steepest_deg)
    nothing = np.zeros_like(everything.mask)
    return RuleMap(mask=nothing, valid=nothing.copy(), name="none: no rule fits the bands present")


def _without_cliffs(found: RuleMap, scene: dict[str, np.ndarray], steepest_deg: float) -> RuleMap:
    """Return a map without pixels steeper than the limit."""
    if "dem" not in scene or not np.isfinite(scene["dem"][SLOPE]).any():
        return found
    with np.errstate(invalid="ignore"):
        steep = scene["dem"][SLOPE] > steepest_deg
    return RuleMap(mask=found.mask & ~steep, valid=found.valid, name=f"{found.name}, slope <= {steepest_deg:g} degrees")


def fit_dem_rule(dem: np.ndarray, target: np.ndarray, *, steps: int = 200) -> DemRule:
    """Return the two limits with the best IoU on a training part, every pair tried.

    Parameters
    ----------
    dem : numpy.ndarray, shape (2, h, w)
        Elevation (m) and slope (degrees), NaN where missing.
    target : numpy.ndarray of uint8, shape (h, w)
        1 (or 2) glacier, 0 other, 255 unlabelled.
    steps : int
        Candidate elevations: the quantiles 0, 1 / steps, ... of the labelled part. Slopes are whole degrees.

    Returns
    -------
    DemRule

    Raises
    ------
    UsageError
        If no labelled pixel has an elevation and a slope.
    """
    elevation, slope = dem[ELEVATION], dem[SLOPE]
    use = np.isfinite(elevation) & np.isfinite(slope) & (target != UNLABELLED)
    if not use.any():
        raise UsageError(
            "DEM rule: no labelled pixel has elevation and slope; expected some to fit the limits on. Give another"
            " training part, or leave the rule at its default."
        )
    z, s, glacier = elevation[use].astype(float), slope[use].astype(float), target[use] > 0
    lowest = np.unique(np.quantile(z, np.arange(steps) / steps))
    row = (
        np.searchsorted(lowest, z, side="right") - 1
    )  # the highest candidate that lets the pixel in; every lower one does too
    column = np.clip(np.ceil(s), 0, 90).astype(
        int
    )  # the gentlest candidate that lets it in; every steeper one does too

    def inside(keep: np.ndarray) -> np.ndarray:
        """Count the pixels that each pair (lowest, steepest) lets in, shape (lowest, 91)."""
        counts = np.zeros((lowest.size, 91))
        np.add.at(counts, (row[keep], column[keep]), 1.0)
        return counts[::-1].cumsum(axis=0)[::-1].cumsum(axis=1)

    hit = inside(glacier)
    iou = hit / np.maximum(inside(np.ones_like(glacier)) + glacier.sum() - hit, 1.0)
    i, j = np.unravel_index(int(np.argmax(iou)), iou.shape)
    return DemRule(lowest_m=float(lowest[i]), steepest_deg=float(j))

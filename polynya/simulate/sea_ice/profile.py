"""The ice cover along a ground track: floes, ridges, leads, thin ice, and the sea surface they float on.

No instrument is simulated here. Everything is drawn on a grid of :data:`STEP` metres along the track. Heights are in
metres above the local sea surface (freeboard with snow). :mod:`.presets` holds the ranges of a granule and their
sources. Further sources:

- lead widths: power law, exponent 2.47 (Wernecke and Kaleschke, 2015, doi:10.5194/tc-9-1955-2015); the
  exponents of Marsan et al. (2004) lie on both sides of it. Most leads that ICESat-2 observes are tens
  of metres wide (Farrell et al., 2020, doi:10.1029/2020GL090708; Kwok et al., 2021, doi:10.5194/tc-15-821-2021).
- floe chords: power law over 0.1-10 km (Rothrock and Thorndike, 1984, doi:10.1029/JC089iC04p06477).
- ridge sails: heights exponential above a cut-off, 2-9 sails per kilometre, flanks of 15-30 degrees (Tin and Jeffries,
  2003, Cold Regions Science and Technology 36; Castellani et al., 2014, doi:10.1002/2013JC009712; Duncan and Farrell,
  2022, doi:10.1029/2022GL100272).
- albedo of thin ice against thickness, with and without snow: Brandt et al. (2005, doi:10.1175/JCLI3489.1).
- photon rates of specular, dark and rough leads: the thresholds of NASA's surface-type tree in the
  ATL07 control values (0.5, 2.5, 11, 14 photons per shot; Gaussian widths 0.13 and 0.17 m).
- freeboard by season: laser freeboard of 0.2-0.5 m in both the winter Arctic and the spring Ross Sea
  (Kwok et al., 2019, doi:10.1029/2019JC015486; Petty et al., 2020, doi:10.1029/2019JC015764).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ...schema import OPEN_WATER, THICK_ICE, THIN_ICE
from .patches import MEAN_POND_LENGTH, PatchDensities, Patches, add_patches, draw_patches
from .patches import Ice as PatchedIce
from .presets import FLOE_CHORDS, ICE, LEAD_WIDTHS, PATCH, REFROZEN, Chance
from .random_fields import power_law, red_noise

STEP = 0.5
"""Grid spacing along the track, m; a truth cell of 2 m has four."""
NO_LEAD, SPECULAR, DARK, ROUGH = 0, 1, 2, 3
"""Lead types, as in ``schema.LEAD_TYPES``."""
SNOW_ALBEDO = 0.85
BUOYANCY = 0.105
"""Freeboard of ice without snow as a share of its thickness: 1 - 917 / 1024."""


@dataclass(frozen=True, kw_only=True)
class IceParameters:
    """What one granule's ice cover is drawn from; lengths in metres, rates in photons per shot of a strong beam.

    Attributes
    ----------
    season : str
        A key of :data:`~polynya.simulate.sea_ice.presets.ICE`.
    floe_freeboard : float
        Median freeboard of floes.
    floe_spread : float
        Standard deviation of its logarithm between floes.
    roughness : float
        Standard deviation of the snow surface within a floe.
    ridges_per_km : float
    sail_height : float
        Mean excess of sail height over the 0.4 m cut-off.
    lead_share : float
        Share of the track inside leads, on average.
    clustering : float
        Standard deviation of the logarithm of the lead density, correlated over 12 km.
    snow_rate : float
        Signal photons per shot over thick, snow-covered ice without cloud.
    open_share, mixed_share : float
        Shares of leads that are open, and that are partly refrozen.
    kind_shares : tuple of float
        Shares of specular, dark and rough water.
    shiny_share : float
        Share of ice thinner than 0.12 m that reflects like a mirror.
    bright_ice_share : float
        Share of leads without water whose ice is smooth, bright and free of snow.
    bright_ice_thickness : tuple of float
        Of that ice.
    lead_scatter : float
        Standard deviation of the water's height between leads.
    melt_patches_per_km : float
        Dark, smooth patches on thick ice (wet snow).
    dark_ponds_per_km, specular_ponds_per_km : float
        Melt ponds on thick ice, those that reflect like a mirror apart.
    drained_share : float
        Share of ponds at sea level.
    pond_level : float
        Mean level of the others between the sea (0) and the low surface around them (1).
    bright_patches_per_km : float
        Bright, smooth stretches of thick ice, level with their floe.
    """

    season: str
    floe_freeboard: float
    floe_spread: float
    roughness: float
    ridges_per_km: float
    sail_height: float
    lead_share: float
    clustering: float
    snow_rate: float
    open_share: float
    mixed_share: float
    kind_shares: tuple[float, float, float]
    shiny_share: float
    bright_ice_share: float
    bright_ice_thickness: tuple[float, float]
    lead_scatter: float
    melt_patches_per_km: float
    dark_ponds_per_km: float
    specular_ponds_per_km: float
    drained_share: float
    pond_level: float
    bright_patches_per_km: float

    def patches(self) -> PatchDensities:
        """Return the densities of ponds and patches."""
        return PatchDensities(
            melt=self.melt_patches_per_km,
            dark_ponds=self.dark_ponds_per_km,
            specular_ponds=self.specular_ponds_per_km,
            bright=self.bright_patches_per_km,
            drained_share=self.drained_share,
            pond_level=self.pond_level,
        )


@dataclass(frozen=True, kw_only=True)
class Leads:
    """Leads along one track: arrays of one length, positions in metres from the field's start.

    Attributes
    ----------
    centre, width : numpy.ndarray
        m.
    water_share : numpy.ndarray
        Share of the lead that is open water.
    kind : numpy.ndarray of int8
        Of the water: ``SPECULAR``, ``DARK`` or ``ROUGH``.
    water_rate : numpy.ndarray
        Photons per shot over the water.
    wave : numpy.ndarray
        Standard deviation of the water's surface, m.
    thickness, snow : numpy.ndarray
        Of the ice in the lead, m.
    is_bright : numpy.ndarray of bool
        The ice is smooth and bright.
    ice_rate : numpy.ndarray
        Photons per shot over ice that reflects like a mirror; NaN where the rate follows from thickness and snow.
    split : numpy.ndarray
        Position of the water within the lead, 0 to 1.
    offset : numpy.ndarray
        Height of the water above the local sea surface, m.
    """

    centre: np.ndarray
    width: np.ndarray
    water_share: np.ndarray
    kind: np.ndarray
    water_rate: np.ndarray
    wave: np.ndarray
    thickness: np.ndarray
    snow: np.ndarray
    is_bright: np.ndarray
    ice_rate: np.ndarray
    split: np.ndarray
    offset: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Cut:
    """Floes, ridges, ponds and patches of an ice map along one track.

    Attributes
    ----------
    level, bright : numpy.ndarray, shape (cells,)
        Freeboard of the floe over each cell (m) and its brightness, 1 on average.
    ridge_centre, ridge_sail : numpy.ndarray
        Position from the field's start, and sail height, m.
    patches : Patches
        Ponds and patches.
    """

    level: np.ndarray
    bright: np.ndarray
    ridge_centre: np.ndarray
    ridge_sail: np.ndarray
    patches: Patches


@dataclass(frozen=True, kw_only=True)
class IceField:
    """The surface on the grid: arrays of shape (n,), cell i covers ``i * STEP .. (i + 1) * STEP`` metres.

    Attributes
    ----------
    freeboard : numpy.ndarray of float32
        Height above the local sea surface, m; over water the waves, about 0.
    roughness : numpy.ndarray of float32
        Standard deviation of height inside a cell, m.
    rate : numpy.ndarray of float32
        Signal photons per shot of a strong beam from this surface alone, without cloud.
    albedo : numpy.ndarray of float32
        Broadband-like albedo at 532 nm, for the solar background.
    surface_class, lead_type : numpy.ndarray of int8
    """

    freeboard: np.ndarray
    roughness: np.ndarray
    rate: np.ndarray
    albedo: np.ndarray
    surface_class: np.ndarray
    lead_type: np.ndarray


def draw_parameters(season: str, rng: np.random.Generator) -> IceParameters:
    """Draw one granule's ice parameters from :data:`~polynya.simulate.sea_ice.presets.ICE`.

    Parameters
    ----------
    season : str
        ``winter``, ``spring``, ``summer`` or ``melt``.
    rng : numpy.random.Generator
        Draws the parameters.
    """
    of = ICE[season]
    specular = rng.uniform(*of.specular_share)
    dark = (1.0 - specular) * rng.uniform(*of.dark_share)
    drawn = {
        "floe_freeboard": rng.uniform(*of.floe_freeboard),
        "floe_spread": rng.uniform(*of.floe_spread),
        "roughness": rng.uniform(*of.roughness),
        "ridges_per_km": rng.uniform(*of.ridges_per_km),
        "sail_height": rng.uniform(*of.sail_height),
        "lead_share": of.lead_share
        * np.exp(of.lead_share_spread * rng.standard_normal() - of.lead_share_spread**2 / 2.0),
        "clustering": rng.uniform(*of.clustering),
        "snow_rate": rng.uniform(*of.snow_rate),
        "open_share": rng.uniform(*of.open_share),
        "mixed_share": rng.uniform(*of.mixed_share),
        "melt_patches_per_km": rng.uniform(*of.melt_patches_per_km) if of.melt_patches_per_km[1] > 0.0 else 0.0,
        "bright_ice_share": rng.uniform(*of.bright_ice_share),
        "lead_scatter": rng.uniform(*of.lead_scatter),
        "bright_patches_per_km": _sometimes(of.bright_patches_per_km, rng),
        "drained_share": rng.uniform(*of.drained_share),
        "pond_level": rng.uniform(*PATCH.pond_level),
    }
    patches = _sometimes(of.specular_patches_per_km, rng)
    # Ponds overlap: a share f of the track needs -ln(1 - f) pond lengths per metre.
    ponds = -1000.0 * np.log(1.0 - rng.uniform(*of.pond_share)) / MEAN_POND_LENGTH
    mirrors = rng.uniform(*of.specular_pond_share)
    return IceParameters(
        season=season,
        kind_shares=(specular, dark, 1.0 - specular - dark),
        shiny_share=of.shiny_share,
        bright_ice_thickness=REFROZEN.thickness,
        dark_ponds_per_km=ponds * (1.0 - mirrors),
        specular_ponds_per_km=ponds * mirrors + patches,
        **drawn,
    )


def _sometimes(of: Chance, rng: np.random.Generator) -> float:
    """Draw from a range with a probability, else 0."""
    chance, low, high = of
    value = rng.uniform(low, high)
    return value if rng.random() < chance else 0.0


def draw_leads(parameters: IceParameters, rng: np.random.Generator, *, length: float) -> Leads:
    """Draw the leads of one track of ``length`` metres as a clustered Poisson process.

    The density is a lognormal field correlated over 12 km; some stretches of 10 km have no lead.
    """
    per_metre = leads_per_metre(parameters, rng)
    knots = max(int(length / 6000.0), 2) + 1
    log_density = parameters.clustering * red_noise(knots, 2, rng)
    where = np.linspace(0.0, length, knots)
    fine = np.arange(0.0, length, 100.0)
    density = per_metre * np.exp(np.interp(fine, where, log_density) - parameters.clustering**2 / 2.0)
    counts = rng.poisson(density * 100.0)
    centre = np.sort(np.repeat(fine, counts) + rng.uniform(0.0, 100.0, counts.sum()))
    return lead_properties(parameters, rng, centre=centre)


def leads_per_metre(parameters: IceParameters, rng: np.random.Generator) -> float:
    """Return the mean number of leads per metre of track."""
    low, high, exponent = LEAD_WIDTHS
    return parameters.lead_share / power_law(rng, 4096, low=low, high=high, exponent=exponent).mean()


def lead_properties(parameters: IceParameters, rng: np.random.Generator, *, centre: np.ndarray) -> Leads:
    """Draw width, share and kind of water, and ice of the leads that a track crosses at ``centre`` (m)."""
    n = centre.size
    low, high, exponent = LEAD_WIDTHS
    width = power_law(rng, n, low=low, high=high, exponent=exponent)
    fate = rng.random(n)
    share = np.where(
        fate < parameters.open_share,
        1.0,
        np.where(fate < parameters.open_share + parameters.mixed_share, rng.uniform(0.15, 0.75, n), 0.0),
    )
    # Narrow leads are sheltered from wind and specular; wide ones are rough.
    sheltered = np.clip(1.5 - 0.5 * np.log10(width / 10.0), 0.3, 1.4)
    weights = np.stack(
        [
            parameters.kind_shares[0] * sheltered,
            np.full(n, parameters.kind_shares[1]),
            parameters.kind_shares[2] / sheltered,
        ]
    )
    cumulative = np.cumsum(weights / weights.sum(axis=0), axis=0)
    kind = (1 + (rng.random(n) > cumulative[:2]).sum(axis=0)).astype(np.int8)
    bright = np.clip(22.0 * np.exp(0.40 * rng.standard_normal(n)), 10.0, 80.0)
    dim = np.clip(1.35 * np.exp(0.40 * rng.standard_normal(n)), 0.5, 3.0)
    blown = np.clip(2.2 * np.exp(0.45 * rng.standard_normal(n)), 0.6, 6.0)
    rate = np.choose(kind - 1, [bright, dim, blown])
    wave = np.choose(kind - 1, [rng.uniform(0.0, 0.01, n), rng.uniform(0.0, 0.03, n), rng.uniform(0.05, 0.12, n)])
    thickness = np.clip(rng.exponential(0.14, n), 0.01, 0.45)
    snow = np.where(thickness > 0.10, rng.uniform(0.0, 0.30, n) * (thickness - 0.10), 0.0)
    shiny = (rng.random(n) < parameters.shiny_share) & (thickness < 0.12)
    bright_ice = (share == 0.0) & (rng.random(n) < parameters.bright_ice_share)
    shine = np.where(kind == SPECULAR, rate, rng.uniform(6.0, 18.0, n)) * rng.uniform(0.5, 1.0, n)
    shine = np.where(shiny, shine, np.nan)
    return Leads(
        centre=centre,
        width=width,
        water_share=share,
        kind=kind,
        water_rate=rate,
        wave=wave,
        thickness=np.where(bright_ice, rng.uniform(*parameters.bright_ice_thickness, n), thickness),
        snow=np.where(bright_ice, 0.0, snow),
        is_bright=bright_ice,
        ice_rate=np.where(bright_ice, rng.uniform(*REFROZEN.rate, n), shine),
        split=rng.random(n),
        offset=parameters.lead_scatter * np.clip(rng.standard_normal(n), -3.0, 3.0),
    )


def neighbour_leads(leads: Leads, rng: np.random.Generator, *, across: float = 90.0) -> Leads:
    """Return the same leads where a track ``across`` metres beside crosses them: shifted by their bearing, slightly
    wider or narrower."""
    n = leads.centre.size
    shift = np.clip(across * np.tan(rng.uniform(-1.2, 1.2, n)), -200.0, 200.0)
    width = leads.width * np.exp(0.15 * rng.standard_normal(n))
    return replace(
        leads,
        centre=leads.centre + shift,
        width=width,
        water_rate=leads.water_rate * np.exp(0.15 * rng.standard_normal(n)),
    )


def ice_field(
    parameters: IceParameters, leads: Leads, rng: np.random.Generator, *, length: float, cut: Cut | None = None
) -> IceField:
    """Draw the surface of one track on the grid.

    Parameters
    ----------
    parameters : IceParameters
        Of the granule's ice cover.
    leads : Leads
        Leads on the track.
    rng : numpy.random.Generator
        Draws the rest.
    length : float
        Length of the field, m.
    cut : Cut, optional
        Floes, ridges, ponds and patches of an ice map; drawn if left out.

    Returns
    -------
    IceField
        ``round(length / STEP)`` cells.
    """
    n = round(length / STEP)
    field = _floes(parameters, n, rng, cut)
    _add_ridges(field, parameters, rng, cut)
    patches = cut.patches if cut is not None else draw_patches(parameters.patches(), rng, along=(0.0, n * STEP))
    ice = PatchedIce(
        freeboard=field.freeboard, roughness=field.roughness, rate=field.rate, albedo=field.albedo, step=STEP
    )
    add_patches(ice, patches, rng)
    _add_leads(field, parameters, leads, rng)
    mottle = 0.09 * red_noise(n, 6, rng) + 0.08 * red_noise(n, 160, rng) + 0.15 * red_noise(n, 2400, rng)
    rate = field.rate * np.exp(mottle * np.where(field.surface_class == OPEN_WATER, 2.0, 1.0))
    return IceField(
        freeboard=field.freeboard.astype(np.float32),
        roughness=field.roughness.astype(np.float32),
        rate=rate.astype(np.float32),
        albedo=field.albedo.astype(np.float32),
        surface_class=field.surface_class,
        lead_type=field.lead_type,
    )


def thin_ice_albedo(thickness: np.ndarray, snow: np.ndarray) -> np.ndarray:
    """Return the albedo of thin ice, 0.07 for none, about 0.15 nilas, 0.3 grey, 0.45 grey-white, more with snow.

    A smooth curve through the classes of Brandt et al. (2005), thickness and snow depth in metres.
    """
    bare = 0.07 + 0.45 * (1.0 - np.exp(-np.asarray(thickness) / 0.18))
    return bare + (0.80 - bare) * 0.7 * (1.0 - np.exp(-np.asarray(snow) / 0.03))


def draw_levels(parameters: IceParameters, count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draw the freeboard (m, before clipping to 0.10-1.5) and the brightness of ``count`` floes."""
    level = parameters.floe_freeboard * np.exp(parameters.floe_spread * rng.standard_normal(count))
    return level, np.exp(0.11 * rng.standard_normal(count))


def _floes(parameters: IceParameters, n: int, rng: np.random.Generator, cut: Cut | None) -> IceField:
    """Return floes without ridges and leads, float64; the functions below change its arrays."""
    level, bright = (cut.level, cut.bright) if cut is not None else _floe_chords(parameters, n, rng)
    level = np.clip(level, 0.10, 1.5)
    waves = 0.55 * red_noise(n, 16, rng) + 0.60 * red_noise(n, 60, rng) + 0.60 * red_noise(n, 240, rng)
    freeboard = level + parameters.roughness * waves * np.sqrt(level / 0.3)
    rough = np.full(n, 0.02) + 0.5 * parameters.roughness * np.abs(red_noise(n, 100, rng))
    return IceField(
        freeboard=np.maximum(freeboard, 0.05),
        roughness=rough,
        rate=parameters.snow_rate * bright,
        albedo=np.full(n, SNOW_ALBEDO),
        surface_class=np.full(n, THICK_ICE, dtype=np.int8),
        lead_type=np.zeros(n, dtype=np.int8),
    )


def _floe_chords(parameters: IceParameters, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    low, high, exponent = FLOE_CHORDS
    chords = power_law(rng, int(n * STEP / 150.0) + 20, low=low, high=high, exponent=exponent)
    ends = np.minimum(np.cumsum(np.round(chords / STEP)).astype(np.int64), n)
    last = int(np.searchsorted(ends, n)) + 1
    counts = np.diff(np.concatenate([[0], ends[:last]]))
    if counts.sum() < n:
        counts[-1] += n - counts.sum()
    level, bright = draw_levels(parameters, counts.size, rng)
    return np.repeat(level, counts), np.repeat(bright, counts)


def _add_ridges(field: IceField, parameters: IceParameters, rng: np.random.Generator, cut: Cut | None) -> None:
    freeboard, rough = field.freeboard, field.roughness
    n = freeboard.size
    if cut is not None:
        centres = (cut.ridge_centre / STEP).astype(np.int64)
        inside = (centres >= 0) & (centres < n)
        centres, sails = centres[inside], cut.ridge_sail[inside]
    else:
        centres, sails = rng.integers(0, n, rng.poisson(parameters.ridges_per_km * n * STEP / 1000.0)), None
    for i, centre in enumerate(centres):
        sail = draw_sails(parameters, rng) if sails is None else sails[i]
        half = max(int(sail * rng.uniform(1.8, 3.5) / STEP), 2)
        low, high = max(centre - half, 0), min(centre + half + 1, n)
        shape = sail * (1.0 - np.abs(np.arange(low, high) - centre) / (half + 1.0))
        freeboard[low:high] = np.maximum(freeboard[low:high], freeboard[low:high] * 0.5 + shape)
        rough[low:high] = np.maximum(rough[low:high], 0.12 * sail)


def draw_sails(parameters: IceParameters, rng: np.random.Generator, count: int | None = None) -> np.ndarray:
    """Draw sail heights, m: the 0.4 m cut-off and an exponential excess, at most 4.5."""
    return np.minimum(0.4 + rng.exponential(parameters.sail_height, count), 4.5)


def _add_leads(field: IceField, parameters: IceParameters, leads: Leads, rng: np.random.Generator) -> None:
    n = field.freeboard.size
    thin_albedo = thin_ice_albedo(leads.thickness, leads.snow)
    for i in range(leads.centre.size):
        low = round((leads.centre[i] - leads.width[i] / 2.0) / STEP)
        high = low + max(round(leads.width[i] / STEP), 4)
        water = round((high - low) * leads.water_share[i])
        first = low + round((high - low - water) * leads.split[i])
        low_in, high_in = max(low, 0), min(high, n)
        if low_in >= high_in:
            continue
        ice, m = slice(low_in, high_in), high_in - low_in
        is_bright, thick = leads.is_bright[i], leads.thickness[i]
        relief = (0.03 if is_bright else 0.10) * thick * red_noise(m, 30, rng)
        field.freeboard[ice] = np.clip(BUOYANCY * thick + leads.snow[i] + relief, 0.001, 0.16)
        field.roughness[ice] = 0.005 + (0.01 if is_bright else 0.05) * thick
        dull = parameters.snow_rate * thin_albedo[i] / SNOW_ALBEDO
        bright = dull if np.isnan(leads.ice_rate[i]) else leads.ice_rate[i]
        field.rate[ice] = bright * np.exp(0.15 * red_noise(m, 40, rng))
        field.albedo[ice] = thin_albedo[i]
        field.surface_class[ice] = THIN_ICE
        field.lead_type[ice] = NO_LEAD
        a, b = max(first, 0), min(first + water, n)
        if b <= a:
            continue
        wet, m = slice(a, b), b - a
        spread = 0.25 if leads.kind[i] == SPECULAR else 0.15
        field.freeboard[wet] = leads.offset[i] + leads.wave[i] * 0.5 * red_noise(m, 8, rng)
        field.roughness[wet] = leads.wave[i]
        field.rate[wet] = leads.water_rate[i] * np.exp(spread * red_noise(m, 50, rng))
        field.albedo[wet] = 0.07
        field.surface_class[wet] = OPEN_WATER
        field.lead_type[wet] = leads.kind[i]

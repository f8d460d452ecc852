"""The ice cover along a ground track: floes, ridges, leads, thin ice, and the sea surface they float on.

Numpy only, no instrument. Everything is drawn on a grid of :data:`STEP` metres along the track.
Heights here are metres above the local sea surface (freeboard, snow included); the sea surface
itself is a smooth field above the mean sea surface. Each range carries its source:

- lead widths: power law, exponent 2.47 (Wernecke and Kaleschke, 2015, doi:10.5194/tc-9-1955-2015); the
  exponents of Marsan et al. (2004) lie on both sides of it. Leads of tens of metres dominate what
  ICESat-2 sees (Farrell et al., 2020, doi:10.1029/2020GL090708; Kwok et al., 2021, doi:10.5194/tc-15-821-2021).
- floe chords: power law over 0.1-10 km (Rothrock and Thorndike, 1984, doi:10.1029/JC089iC04p06477).
- ridge sails: heights exponential above a cut-off, 2-9 sails a kilometre, flanks of 15-30 degrees (Tin and Jeffries, 2003,
  Cold Regions Science and Technology 36; Castellani et al., 2014, doi:10.1002/2013JC009712; Duncan and Farrell, 2022,
  doi:10.1029/2022GL100272).
- albedo of thin ice against thickness, with and without snow: Brandt et al. (2005, doi:10.1175/JCLI3489.1).
- photon rates of specular, dark and rough leads: the thresholds of NASA's surface-type tree in the
  ATL07 control values (0.5, 2.5, 11, 14 photons a shot; Gaussian widths 0.13 and 0.17 m).
- freeboard by season: laser freeboard of 0.2-0.5 m in both the winter Arctic and the spring Ross Sea
  (Kwok et al., 2019, doi:10.1029/2019JC015486; Petty et al., 2020, doi:10.1029/2019JC015764).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..schema import OPEN_WATER, THICK_ICE, THIN_ICE

STEP = 0.5
"""Grid spacing along the track, m: four cells make one 2 m truth cell."""
NO_LEAD, SPECULAR, DARK, ROUGH = 0, 1, 2, 3
"""Lead types, as in ``schema.LEAD_TYPES``."""
SNOW_ALBEDO = 0.85


@dataclass(frozen=True)
class IceParameters:
    """What one granule's ice cover is drawn from; lengths in metres, rates in photons a shot of a strong beam.

    Attributes
    ----------
    season : str
        ``winter`` or ``summer``.
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
        Signal photons a shot over thick, snow-covered ice without cloud.
    open_share, mixed_share : float
        Share of leads that are all water, and partly refrozen.
    kind_shares : tuple of float
        Shares of specular, dark and rough among water parts.
    melt_patches_per_km : float
        Dark, smooth patches on thick ice (wet snow, ponds).
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
    melt_patches_per_km: float


@dataclass(frozen=True)
class Leads:
    """Leads along one track: arrays of one length, positions in metres from the field's start."""

    centre: np.ndarray
    width: np.ndarray
    water_share: np.ndarray
    kind: np.ndarray
    water_rate: np.ndarray
    wave: np.ndarray
    thickness: np.ndarray
    snow: np.ndarray
    is_shiny: np.ndarray
    split: np.ndarray


@dataclass(frozen=True)
class IceField:
    """The surface on the grid: arrays of shape (n,), cell i covers ``i * STEP .. (i + 1) * STEP`` metres.

    Attributes
    ----------
    freeboard : numpy.ndarray of float32
        Height above the local sea surface, m; over water the waves, about 0.
    roughness : numpy.ndarray of float32
        Standard deviation of height inside a cell, m.
    rate : numpy.ndarray of float32
        Signal photons a shot that a strong beam would get from this surface alone, without cloud.
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


@dataclass(frozen=True)
class SmoothField:
    """A smooth function of along-track distance: offset, slope and a few long waves."""

    offset: float
    slope: float
    amplitudes: np.ndarray
    wavelengths: np.ndarray
    phases: np.ndarray

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Evaluate at distances ``x`` (m), same shape out."""
        x = np.asarray(x, dtype=np.float64)
        out = self.offset + self.slope * x
        for amplitude, wavelength, phase in zip(self.amplitudes, self.wavelengths, self.phases, strict=True):
            out = out + amplitude * np.sin(2.0 * np.pi * x / wavelength + phase)
        return out


def smooth_field(
    rng: np.random.Generator, *, offset: tuple[float, float], slope: float, rms: float, wavelengths: tuple[float, float], waves: int = 6
) -> SmoothField:
    """Draw a smooth field whose waves have a red spectrum.

    Parameters
    ----------
    rng : numpy.random.Generator
    offset : tuple of float
        Range of the constant, m.
    slope : float
        Standard deviation of the mean slope, m/m.
    rms : float
        Root mean square of the waves together, m.
    wavelengths : tuple of float
        Shortest and longest wave, m; drawn evenly in the logarithm, amplitude proportional to the wavelength.
    waves : int
    """
    lengths = np.exp(rng.uniform(np.log(wavelengths[0]), np.log(wavelengths[1]), waves))
    amplitudes = lengths * rng.uniform(0.5, 1.0, waves)
    amplitudes *= rms / np.sqrt(np.sum(amplitudes**2) / 2.0)
    return SmoothField(rng.uniform(*offset), slope * rng.standard_normal(), amplitudes, lengths, rng.uniform(0.0, 2.0 * np.pi, waves))


def draw_parameters(season: str, rng: np.random.Generator) -> IceParameters:
    """Draw one granule's ice parameters; ranges as the module's sources give them.

    Parameters
    ----------
    season : str
        ``winter`` or ``summer``.
    rng : numpy.random.Generator
    """
    winter = season == "winter"
    specular = rng.uniform(0.40, 0.60)
    dark = (1.0 - specular) * rng.uniform(0.40, 0.70)
    return IceParameters(
        season=season,
        floe_freeboard=rng.uniform(0.22, 0.42),
        floe_spread=rng.uniform(0.25, 0.45),
        roughness=rng.uniform(0.03, 0.08),
        ridges_per_km=rng.uniform(2.0, 9.0),
        sail_height=rng.uniform(0.20, 0.45),
        lead_share=0.090 * np.exp(0.30 * rng.standard_normal() - 0.045),
        clustering=rng.uniform(0.6, 1.0),
        snow_rate=rng.uniform(8.0, 9.6),
        open_share=rng.uniform(0.15, 0.25) if winter else rng.uniform(0.22, 0.36),
        mixed_share=rng.uniform(0.15, 0.25),
        kind_shares=(specular, dark, 1.0 - specular - dark),
        melt_patches_per_km=0.0 if winter else rng.uniform(0.2, 0.8),
    )


def draw_leads(parameters: IceParameters, rng: np.random.Generator, *, length: float) -> Leads:
    """Draw the leads of one track of ``length`` metres as a clustered Poisson process.

    The density follows a lognormal field correlated over 12 km, so that some 10 km hold no lead.
    """
    widths = _power_law(rng, 4096, low=14.0, high=2500.0, exponent=2.47)
    per_metre = parameters.lead_share / widths.mean()
    knots = max(int(length / 6000.0), 2) + 1
    log_density = parameters.clustering * _red(knots, 2, rng)
    where = np.linspace(0.0, length, knots)
    fine = np.arange(0.0, length, 100.0)
    density = per_metre * np.exp(np.interp(fine, where, log_density) - parameters.clustering**2 / 2.0)
    counts = rng.poisson(density * 100.0)
    centre = np.sort(np.repeat(fine, counts) + rng.uniform(0.0, 100.0, counts.sum()))
    n = centre.size
    width = _power_law(rng, n, low=14.0, high=2500.0, exponent=2.47)
    fate = rng.random(n)
    share = np.where(fate < parameters.open_share, 1.0, np.where(fate < parameters.open_share + parameters.mixed_share, rng.uniform(0.15, 0.75, n), 0.0))
    # Small leads are sheltered from wind: mirror-like; wide ones roughen.
    sheltered = np.clip(1.5 - 0.5 * np.log10(width / 10.0), 0.3, 1.4)
    weights = np.stack([parameters.kind_shares[0] * sheltered, np.full(n, parameters.kind_shares[1]), parameters.kind_shares[2] / sheltered])
    cumulative = np.cumsum(weights / weights.sum(axis=0), axis=0)
    kind = (1 + (rng.random(n) > cumulative[:2]).sum(axis=0)).astype(np.int8)
    bright = np.clip(22.0 * np.exp(0.40 * rng.standard_normal(n)), 10.0, 80.0)
    dim = np.clip(1.35 * np.exp(0.40 * rng.standard_normal(n)), 0.5, 3.0)
    blown = np.clip(2.2 * np.exp(0.45 * rng.standard_normal(n)), 0.6, 6.0)
    rate = np.choose(kind - 1, [bright, dim, blown])
    wave = np.choose(kind - 1, [rng.uniform(0.0, 0.01, n), rng.uniform(0.0, 0.03, n), rng.uniform(0.05, 0.12, n)])
    thickness = np.clip(rng.exponential(0.14, n), 0.01, 0.45)
    snow = np.where(thickness > 0.10, rng.uniform(0.0, 0.30, n) * (thickness - 0.10), 0.0)
    shiny = (rng.random(n) < 0.15) & (thickness < 0.12)
    return Leads(centre, width, share, kind, rate, wave, thickness, snow, shiny, rng.random(n))


def neighbour_leads(leads: Leads, rng: np.random.Generator, *, across: float = 90.0) -> Leads:
    """Return the same leads as a track ``across`` metres aside crosses them: shifted by their bearing, a little wider or narrower."""
    n = leads.centre.size
    shift = np.clip(across * np.tan(rng.uniform(-1.2, 1.2, n)), -200.0, 200.0)
    width = leads.width * np.exp(0.15 * rng.standard_normal(n))
    return Leads(
        leads.centre + shift, width, leads.water_share, leads.kind, leads.water_rate * np.exp(0.15 * rng.standard_normal(n)),
        leads.wave, leads.thickness, leads.snow, leads.is_shiny, leads.split,
    )


def ice_field(parameters: IceParameters, leads: Leads, rng: np.random.Generator, *, length: float) -> IceField:
    """Draw the surface of one track on the grid.

    Parameters
    ----------
    parameters : IceParameters
    leads : Leads
    rng : numpy.random.Generator
    length : float
        Length of the field, m.

    Returns
    -------
    IceField
        ``round(length / STEP)`` cells.
    """
    n = round(length / STEP)
    freeboard, rough, rate, albedo = _floes(parameters, n, rng)
    _ridges(parameters, freeboard, rough, rng)
    surface_class = np.full(n, THICK_ICE, dtype=np.int8)
    lead_type = np.zeros(n, dtype=np.int8)
    _melt_patches(parameters, freeboard, rough, rate, albedo, rng)
    _fill_leads(parameters, leads, freeboard, rough, rate, albedo, surface_class, lead_type, rng)
    mottle = 0.09 * _red(n, 6, rng) + 0.08 * _red(n, 160, rng) + 0.15 * _red(n, 2400, rng)
    rate *= np.exp(mottle * np.where(surface_class == OPEN_WATER, 2.0, 1.0))
    return IceField(freeboard.astype(np.float32), rough.astype(np.float32), rate.astype(np.float32), albedo.astype(np.float32), surface_class, lead_type)


def thin_ice_albedo(thickness: np.ndarray, snow: np.ndarray) -> np.ndarray:
    """Return the albedo of thin ice, 0.07 for none, about 0.15 nilas, 0.3 grey, 0.45 grey-white, more with snow.

    A smooth curve through the classes of Brandt et al. (2005), thickness and snow depth in metres.
    """
    bare = 0.07 + 0.45 * (1.0 - np.exp(-np.asarray(thickness) / 0.18))
    return bare + (0.80 - bare) * 0.7 * (1.0 - np.exp(-np.asarray(snow) / 0.03))


def _floes(parameters: IceParameters, n: int, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    chords = _power_law(rng, int(n * STEP / 150.0) + 20, low=120.0, high=10000.0, exponent=1.9)
    ends = np.minimum(np.cumsum(np.round(chords / STEP)).astype(np.int64), n)
    last = int(np.searchsorted(ends, n)) + 1
    counts = np.diff(np.concatenate([[0], ends[:last]]))
    if counts.sum() < n:
        counts[-1] += n - counts.sum()
    level = parameters.floe_freeboard * np.exp(parameters.floe_spread * rng.standard_normal(counts.size))
    bright = np.exp(0.11 * rng.standard_normal(counts.size))
    level = np.clip(np.repeat(level, counts), 0.10, 1.5)
    waves = 0.55 * _red(n, 16, rng) + 0.60 * _red(n, 60, rng) + 0.60 * _red(n, 240, rng)
    freeboard = level + parameters.roughness * waves * np.sqrt(level / 0.3)
    rough = np.full(n, 0.02) + 0.5 * parameters.roughness * np.abs(_red(n, 100, rng))
    rate = parameters.snow_rate * np.repeat(bright, counts)
    return np.maximum(freeboard, 0.05), rough, rate, np.full(n, SNOW_ALBEDO)


def _ridges(parameters: IceParameters, freeboard: np.ndarray, rough: np.ndarray, rng: np.random.Generator) -> None:
    n = freeboard.size
    for centre in rng.integers(0, n, rng.poisson(parameters.ridges_per_km * n * STEP / 1000.0)):
        sail = min(0.4 + rng.exponential(parameters.sail_height), 4.5)
        half = max(int(sail * rng.uniform(1.8, 3.5) / STEP), 2)
        low, high = max(centre - half, 0), min(centre + half + 1, n)
        shape = sail * (1.0 - np.abs(np.arange(low, high) - centre) / (half + 1.0))
        freeboard[low:high] = np.maximum(freeboard[low:high], freeboard[low:high] * 0.5 + shape)
        rough[low:high] = np.maximum(rough[low:high], 0.12 * sail)


def _melt_patches(parameters, freeboard, rough, rate, albedo, rng: np.random.Generator) -> None:
    n = freeboard.size
    for start in rng.integers(0, n, rng.poisson(parameters.melt_patches_per_km * n * STEP / 1000.0)):
        cells = slice(start, start + int(rng.uniform(6.0, 40.0) / STEP))
        if freeboard[cells].size:
            freeboard[cells] = np.maximum(freeboard[cells].min() * rng.uniform(0.6, 0.95), 0.04)
            rough[cells] = 0.005
            rate[cells] *= rng.uniform(0.12, 0.45)
            albedo[cells] = 0.45


def _fill_leads(parameters, leads: Leads, freeboard, rough, rate, albedo, surface_class, lead_type, rng: np.random.Generator) -> None:
    n = freeboard.size
    thin_albedo = thin_ice_albedo(leads.thickness, leads.snow)
    for i in range(leads.centre.size):
        low = round((leads.centre[i] - leads.width[i] / 2.0) / STEP)
        high = low + max(round(leads.width[i] / STEP), 4)
        water = round((high - low) * leads.water_share[i])
        first = low + round((high - low - water) * leads.split[i])
        low_in, high_in = max(low, 0), min(high, n)
        if low_in >= high_in:
            continue
        m = high_in - low_in
        board = np.clip(0.105 * leads.thickness[i] + leads.snow[i] + 0.10 * leads.thickness[i] * _red(m, 30, rng), 0.001, 0.16)
        freeboard[low_in:high_in] = board
        rough[low_in:high_in] = 0.005 + 0.05 * leads.thickness[i]
        shine = leads.water_rate[i] if leads.kind[i] == SPECULAR else rng.uniform(6.0, 18.0)
        bright = shine * rng.uniform(0.5, 1.0) if leads.is_shiny[i] else parameters.snow_rate * thin_albedo[i] / SNOW_ALBEDO
        rate[low_in:high_in] = bright * np.exp(0.15 * _red(m, 40, rng))
        albedo[low_in:high_in] = thin_albedo[i]
        surface_class[low_in:high_in] = THIN_ICE
        lead_type[low_in:high_in] = NO_LEAD
        a, b = max(first, 0), min(first + water, n)
        if b <= a:
            continue
        m = b - a
        freeboard[a:b] = leads.wave[i] * 0.5 * _red(m, 8, rng)
        rough[a:b] = leads.wave[i]
        rate[a:b] = leads.water_rate[i] * np.exp((0.25 if leads.kind[i] == SPECULAR else 0.15) * _red(m, 50, rng))
        albedo[a:b] = 0.07
        surface_class[a:b] = OPEN_WATER
        lead_type[a:b] = leads.kind[i]


def _power_law(rng: np.random.Generator, n: int, *, low: float, high: float, exponent: float) -> np.ndarray:
    """Draw from a density proportional to x**-exponent between two limits, by inverting its distribution."""
    a = 1.0 - exponent
    return (low**a + rng.random(n) * (high**a - low**a)) ** (1.0 / a)


def _red(n: int, scale: int, rng: np.random.Generator) -> np.ndarray:
    """Draw a unit-variance Gaussian field of ``n`` cells, correlated over ``scale`` cells.

    White noise at knots, linear between them, divided by the interpolation's own standard deviation;
    the knots' phase is drawn too.
    """
    at = (np.arange(n) + rng.uniform(0.0, scale)) / scale
    knot = at.astype(np.int64)
    share = at - knot
    noise = rng.standard_normal(int(n / scale) + 3)
    return (noise[knot] * (1.0 - share) + noise[knot + 1] * share) / np.sqrt(share**2 + (1.0 - share) ** 2)

"""The ranges that a sea-ice simulation draws from, with their sources.

``simulate atl03`` and ``simulate pair`` both use them; :mod:`..icesat2.atlas` holds the constants of the laser. A range
is ``(low, high)`` of an even distribution unless its comment says otherwise. "Chosen" marks values without a
publication.
"""

from __future__ import annotations

from dataclasses import dataclass

Range = tuple[float, float]
Chance = tuple[float, float, float]
"""Probability, low, high: drawn evenly from low to high with this probability, else 0."""


@dataclass(frozen=True, kw_only=True)
class Season:
    """Where and when a season's track lies, and what its sunlight and telemetry window are.

    Attributes
    ----------
    name : str
    date : str
        Start of the granule, UTC. If a sun elevation is given or drawn, the day is drawn from ``days`` and the hour
        follows.
    latitude, heading : float
        Degrees, of the track's start; the longitude is such that the middle of the track is at 180 degrees.
    x_start : float
        Along-track distance of the start, m.
    window : float
        Height of the telemetry window, m.
    background : tuple of float
        Background rate of a strong beam over bright ice without cloud, Hz: 5.9 MHz is the mean of real daylight
        segments; real night granules have tens of kHz. If the sun's elevation is drawn, the daylight range scales with
        its sine, 1 at 30 degrees.
    background_window : float
        Height of the window of the background counts, m.
    rgt, cycle, region : int
        No real pass has them.
    days : tuple of str
        First and last day of the season; empty where there is no sun.
    sun : tuple of float
        Sun elevations drawn from, degrees; (0, 0) where there is no sun.
    always_draws_sun : bool
        False: ``date`` holds unless a sun elevation is given.
    latitudes : tuple of float
        Latitudes that the start is drawn from, degrees; empty where it is always ``latitude``.
    """

    name: str
    date: str
    latitude: float
    heading: float
    x_start: float
    window: float
    background: Range
    background_window: float
    rgt: int
    cycle: int
    region: int
    days: tuple[str, ...] = ()
    sun: Range = (0.0, 0.0)
    always_draws_sun: bool = False
    latitudes: tuple[float, ...] = ()


SUN_REFERENCE = 30.0
"""Sun elevation, degrees, of the daylight background range and of the surfaces' reflectances."""
SEASONS = {
    # Arctic night in January.
    "winter": Season(
        name="winter",
        date="2020-01-15T09:12:00",
        latitude=75.0,
        heading=-11.0,
        x_start=8.35e6,
        window=33.0,
        background=(1.2e4, 5.0e4),
        background_window=5006.0,
        rgt=284,
        cycle=6,
        region=4,
    ),
    # Ross Sea in November, as the target paper (arXiv 2502.02700): its scenes are of November 2019.
    "summer": Season(
        name="summer",
        date="2019-11-16T21:40:00",
        latitude=-73.0,
        heading=-168.0,
        x_start=2.86e7,
        window=64.0,
        background=(5.0e6, 8.8e6),
        background_window=712.0,
        rgt=717,
        cycle=5,
        region=11,
        days=("2019-11-01", "2019-11-30"),
        sun=(8.0, 35.0),
    ),
    # Arctic in late March and April: cold, with sun. At 75 N it reaches 15 degrees at noon on 21 March, 29 on 30 April.
    "spring": Season(
        name="spring",
        date="2020-04-05T23:10:00",
        latitude=75.0,
        heading=-11.0,
        x_start=8.35e6,
        window=64.0,
        background=(5.0e6, 8.8e6),
        background_window=712.0,
        rgt=284,
        cycle=7,
        region=4,
        days=("2020-03-22", "2020-04-30"),
        sun=(5.0, 25.0),
        always_draws_sun=True,
    ),
    # Arctic melt season: wet snow, bare ice and ponds. In 2020 ponds covered most in late June (Buckley et al., 2023,
    # doi:10.5194/tc-17-3695-2023). Wet snow and ponds are darker than dry snow, so the background is lower.
    "melt": Season(
        name="melt",
        date="2020-06-24T20:10:00",
        latitude=75.0,
        heading=-11.0,
        x_start=8.35e6,
        window=64.0,
        background=(3.8e6, 7.2e6),
        background_window=712.0,
        rgt=1345,
        cycle=7,
        region=4,
        days=("2020-06-01", "2020-07-31"),
        sun=(15.0, 35.0),
        always_draws_sun=True,
        latitudes=(75.0, 80.0),
    ),
}


@dataclass(frozen=True, kw_only=True)
class Ice:
    """What one granule's ice cover is drawn from.

    Attributes
    ----------
    floe_freeboard : tuple of float
        Median freeboard of floes, m: Kwok et al. (2019, doi:10.1029/2019JC015486), Petty et al. (2020,
        doi:10.1029/2019JC015764).
    floe_spread : tuple of float
        Standard deviation of its logarithm between floes; same sources.
    roughness : tuple of float
        Standard deviation of the snow surface within a floe, m: Castellani et al. (2014, doi:10.1002/2013JC009712).
    ridges_per_km, sail_height : tuple of float
        Sails per kilometre; mean excess over the 0.4 m cut-off, m: Tin and Jeffries (2003, Cold Regions Science and
        Technology 36), Castellani et al. (2014), Duncan and Farrell (2022, doi:10.1029/2022GL100272).
    lead_share, lead_share_spread : float
        Share of a track inside leads, and the standard deviation of its logarithm between granules: the target paper's
        label shares (92, 5.5, 2.5 %); the spread is chosen.
    clustering : tuple of float
        Standard deviation of the logarithm of the lead density over 12 km; chosen.
    snow_rate : tuple of float
        Signal photons per shot over thick ice without cloud: from real moments (docs/simulator.md).
    open_share, mixed_share : tuple of float
        Shares of leads that are open, and that are partly refrozen; chosen to give the paper's shares.
    specular_share, dark_share : tuple of float
        Share of specular water, and of smooth dark water in the rest: Kwok et al. (2021,
        doi:10.5194/tc-15-821-2021).
    melt_patches_per_km : tuple of float
        Dark, smooth patches on thick ice that look like leads; chosen.
    shiny_share : float
        Share of ice thinner than 0.12 m that reflects like a mirror; chosen.
    bright_ice_share : tuple of float
        Share of refrozen leads with smooth, bright, snow-free ice of ``REFROZEN.thickness``; chosen.
    bright_patches_per_km : tuple of float
        Bright, smooth patches on thick ice, level with their floe, in some granules; chosen. One such stretch is known
        from real data (docs/freeboard.md, Known failures).
    specular_patches_per_km : tuple of float
        Mirror-like melt patches on thick ice in some granules before the melt season; chosen.
    pond_share, specular_pond_share, drained_share : tuple of float
        Share of the ice under melt ponds; shares of ponds that are mirror-like, and that have drained to sea level.
        Ponds: 16 % on average in late June, 8 % from July on multiyear ice (Buckley et al., 2023,
        doi:10.5194/tc-17-3695-2023), up to half of level first-year ice and draining to sea level (Polashenski et al.,
        2012, doi:10.1029/2011JC007231); smooth and specular ponds in ICESat-2: Tilling et al. (2020,
        doi:10.1029/2020GL090644). The split between mirror-like and dark is chosen.
    lead_scatter : tuple of float
        Standard deviation of the water's height between leads, m: leads of real ATL07 within 1.5 km scatter by about
        0.06 m, photon noise included; the share of it given to the surface is chosen.
    mss_bumps : tuple of float
        Twice the standard deviation of the sea surface over 5-20 km that the granule's mean sea surface lacks, m:
        unresolved gravity of some centimetres (Skourup et al., 2017, doi:10.1002/2017JC013176).
    swell : tuple of float
        Significant wave height at the ice edge in some granules, m; chosen.
    """

    floe_freeboard: Range = (0.22, 0.42)
    floe_spread: Range = (0.25, 0.45)
    roughness: Range = (0.03, 0.08)
    ridges_per_km: Range = (2.0, 9.0)
    sail_height: Range = (0.20, 0.45)
    lead_share: float = 0.090
    lead_share_spread: float = 0.30
    clustering: Range = (0.6, 1.0)
    snow_rate: Range = (8.0, 9.6)
    open_share: Range = (0.15, 0.25)
    mixed_share: Range = (0.15, 0.25)
    specular_share: Range = (0.40, 0.60)
    dark_share: Range = (0.40, 0.70)
    melt_patches_per_km: Range = (0.0, 0.0)
    shiny_share: float = 0.15
    bright_ice_share: Range = (0.02, 0.12)
    bright_patches_per_km: Chance = (0.3, 0.05, 0.30)
    specular_patches_per_km: Chance = (0.0, 0.0, 0.0)
    pond_share: Range = (0.0, 0.0)
    specular_pond_share: Range = (0.0, 0.0)
    drained_share: Range = (0.0, 0.0)
    lead_scatter: Range = (0.01, 0.06)
    mss_bumps: Range = (0.0, 0.04)
    swell: Chance = (0.1, 0.05, 0.20)


ICE = {
    "winter": Ice(),
    "spring": Ice(),
    "summer": Ice(open_share=(0.22, 0.36), melt_patches_per_km=(0.2, 0.8), specular_patches_per_km=(0.2, 0.05, 0.40)),
    # Snow has melted or is wet: the surface is lower, smoother and darker at 532 nm than in winter; chosen.
    "melt": Ice(
        floe_freeboard=(0.16, 0.34),
        roughness=(0.03, 0.07),
        snow_rate=(4.5, 7.0),
        open_share=(0.22, 0.36),
        melt_patches_per_km=(0.2, 0.8),
        pond_share=(0.05, 0.40),
        specular_pond_share=(0.10, 0.70),
        drained_share=(0.05, 0.40),
    ),
}
LEAD_WIDTHS = (14.0, 2500.0, 2.47)
"""Shortest and longest width along the track, m, and the power law's exponent: Wernecke and Kaleschke (2015,
doi:10.5194/tc-9-1955-2015)."""
FLOE_CHORDS = (120.0, 10000.0, 1.9)
"""The same of floe chords: Rothrock and Thorndike (1984, doi:10.1029/JC089iC04p06477)."""


@dataclass(frozen=True, kw_only=True)
class Patch:
    """Ponds and bright patches on thick ice.

    Attributes
    ----------
    pond_length : tuple of float
        Along the track: median, spread of the logarithm, smallest, largest, m. Ponds are metres to a hundred metres
        wide; ICESat-2 observes the larger ones (Farrell et al., 2020, doi:10.1029/2020GL090708). The numbers are
        chosen: mean 32 m, so 15 per km are nearly half of the track before they overlap.
    pond_level, pond_level_spread : tuple of float, float
        Level of a granule's ponds between the sea (0) and the low surface around (1), and its standard deviation
        between ponds; chosen. Meltwater stands where the ice is low, above the sea until it drains (Polashenski et al.,
        2012).
    pond_rate, pond_rate_spread : float
        Photons per shot over mirror-like ponds, median and spread of the logarithm: as over specular leads.
    dark_pond_rate : tuple of float
        Photons per shot over other ponds, as a share of that of the ice; chosen.
    pond_albedo : tuple of float
        At 532 nm: 0.2-0.4 from blue to dark ponds (Perovich et al., 2002, doi:10.1029/2000JC000438).
    bright_length, bright_rate : tuple of float
        Of bright patches: m along the track; photons per shot. Chosen.
    """

    pond_length: tuple[float, float, float, float] = (28.0, 0.5, 8.0, 120.0)
    pond_level: Range = (0.35, 0.85)
    pond_level_spread: float = 0.12
    pond_rate: float = 22.0
    pond_rate_spread: float = 0.40
    dark_pond_rate: Range = (0.08, 0.35)
    pond_albedo: Range = (0.20, 0.40)
    bright_length: Range = (30.0, 200.0)
    bright_rate: Range = (14.0, 25.0)


PATCH = Patch()


@dataclass(frozen=True, kw_only=True)
class Refrozen:
    """Refrozen leads with smooth, bright ice: nilas to grey-white ice (WMO) without snow; freeboard by buoyancy.

    Attributes
    ----------
    thickness : tuple of float
        m.
    rate : tuple of float
        Photons per shot; chosen about the thresholds of NASA's tree, 11 and 14.
    """

    thickness: Range = (0.05, 0.45)
    rate: Range = (12.0, 25.0)


REFROZEN = Refrozen()


@dataclass(frozen=True, kw_only=True)
class Waves:
    """Swell in the ice, and the sea surface of 5-20 km.

    Attributes
    ----------
    swell_length : tuple of float
        Wavelength along the track, m: periods of 7-16 s; longer waves reach further (Stopa et al., 2018,
        doi:10.1073/pnas.1803130115; Horvat et al., 2020, doi:10.1029/2020GL087629).
    swell_decay : tuple of float
        Distance over which the wave height falls by a factor e, km: Brouwer et al. (2022,
        doi:10.5194/tc-16-2325-2022) and Voermans et al. (2025, doi:10.5194/tc-19-3381-2025) find waves tens to
        hundreds of kilometres inside the Antarctic ice edge.
    swell_band : float
        Standard deviation of the logarithm of the wavelength within one swell; chosen.
    bump_length : tuple of float
        Wavelengths of the sea surface that the mean sea surface lacks, m.
    largest_angle : float
        Largest angle between the track and the direction of the waves, degrees; chosen.
    """

    swell_length: Range = (80.0, 400.0)
    swell_decay: Range = (10.0, 60.0)
    swell_band: float = 0.10
    bump_length: Range = (5.0e3, 2.0e4)
    largest_angle: float = 50.0


WAVES = Waves()


@dataclass(frozen=True, kw_only=True)
class Map:
    """The ice on the plane (``simulate pair``); along a straight line it has the statistics of :class:`Ice`.

    Attributes
    ----------
    lead_reach : tuple of float
        Extent of a lead across the track: median for a width of 30 m (m), power of the width, spread of the logarithm,
        smallest and largest (m). Leads are tens to hundreds of times longer than wide; the numbers are chosen.
    lead_bearing : float
        Largest angle between a lead and the direction across the track, degrees; leads along the track are left out.
    bearing_spread, bearing_gap, bearing_free : float, tuple of float, float
        Leads have two preferred directions, ``bearing_gap`` degrees apart, with this spread; a share has any direction.
        Intersecting families 20-60 degrees apart: Hutter et al. (2019, doi:10.5194/tc-13-627-2019).
    meander : tuple of (float, float)
        Amplitudes and lengths, m, of a lead's bends: it follows the edges of floes.
    width_changes : tuple of (float, float)
        Standard deviations of the logarithm of the width along a lead, and their lengths, m.
    floe_density : float
        Floes per square kilometre; cells of a Voronoi diagram with 1.7 per km2 have a mean chord of 0.6 km, that of the
        power law above.
    floe_clustering : float
        Standard deviation of the logarithm of the floe density: small floes occur together.
    ridge_reach : tuple of float
        Median extent of a ridge across the track, m, and the spread of its logarithm; chosen.
    """

    lead_reach: tuple[float, float, float, float, float] = (3000.0, 0.5, 0.6, 700.0, 30000.0)
    lead_bearing: float = 66.0
    bearing_spread: float = 10.0
    bearing_gap: Range = (25.0, 60.0)
    bearing_free: float = 0.25
    meander: tuple[Range, ...] = ((240.0, 3000.0), (80.0, 900.0), (30.0, 260.0), (11.0, 100.0))
    width_changes: tuple[Range, ...] = ((0.22, 1000.0), (0.18, 150.0))
    floe_density: float = 1.7
    floe_clustering: float = 1.0
    ridge_reach: Range = (500.0, 0.7)


MAP = Map()


@dataclass(frozen=True, kw_only=True)
class Image:
    """What a Sentinel-2 scene is drawn from. Reflectances are of the blue band at a sun elevation of 30 degrees without
    cloud.

    The published colour rule is water V <= 30, thin ice 31-204, thick ice >= 205 (arXiv 2502.02700). In the 8-bit true
    colour of Sentinel-2, 255 at 0.3558 (Sentinel-2 Products Specification Document), these are reflectances of at most
    0.042, of 0.043-0.285 and from 0.286. The surfaces fit this rule on a clear scene at moderate sun elevation.
    Rayleigh scattering adds about 0.1 to blue at the top of a real atmosphere. It is left out here, as if it had been
    corrected.

    Attributes
    ----------
    snow : tuple of float
        Snow on thick ice: nadir reflectance. Brandt et al. (2005, doi:10.1175/JCLI3489.1) give albedos of 0.81-0.87;
        old, wind-packed and partly bare ice is darker.
    water : tuple of float
        Open water without sun glint.
    thin_gain, thin_floor : float
        Thin ice: ``thin_floor + thin_gain * (albedo - 0.07)``. Bare ice reflects part of its albedo away from nadir;
        with the chosen gain, bare ice of up to 0.45 m is below 0.286 and ice under more than about 2 cm of snow is
        above.
    mottle : tuple of float
        Relative spread of snow over 30 m to 3 km.
    depth : tuple of float
        Effective optical depth of air and haze without Rayleigh scattering, even in the logarithm; darkens snow and
        brightens water, more so at low sun.
    anisotropy : float
        Snow scatters forward at low sun: nadir reflectance falls by this share between a sun elevation of 30 degrees
        and the horizon (Hudson et al., 2006, doi:10.1029/2006JD007290).
    clear_chance, thin_chance : float
        Probabilities of a scene (nearly) without cloud, and of one with thin cloud only; the rest has both. Chosen.
    thin_cover, thick_cover : tuple of float
        Share of the scene under cloud in those cases.
    thin_depth, thick_depth : tuple of float
        Scale of cloud optical depth, even in the logarithm.
    cloud_height : tuple of float
        Height, m; with the sun's elevation it displaces the shadows.
    psf : float
        Standard deviation of the blur before the pixel, in pixels of 10 m: with the pixel itself an MTF of 0.27 at
        Nyquist; 0.15-0.30 is required of Sentinel-2 (Drusch et al., 2012, doi:10.1016/j.rse.2011.11.026).
    noise : tuple of float
        Standard deviation of a 10 m pixel: constant, and share of the reflectance (signal to noise over 100).
    skin_growth : float
        New ice on calm water, metres per hour, in spring if the image is the later pass: about 1 cm per hour at -25 C
        (Lebedev's law); 1 cm of ice raises water from V 25 to 35.
    """

    snow: Range = (0.55, 0.85)
    water: Range = (0.022, 0.034)
    thin_gain: float = 0.50
    thin_floor: float = 0.033
    mottle: Range = (0.02, 0.08)
    depth: Range = (0.04, 0.20)
    anisotropy: float = 0.35
    clear_chance: float = 0.40
    thin_chance: float = 0.40
    thin_cover: Range = (0.05, 0.45)
    thick_cover: Range = (0.15, 0.90)
    thin_depth: Range = (0.2, 2.0)
    thick_depth: Range = (2.0, 14.0)
    cloud_height: Range = (400.0, 5000.0)
    psf: float = 0.42
    noise: Range = (0.0008, 0.004)
    skin_growth: float = 0.010


IMAGE = Image()
# Reflectance relative to the blue band: snow (Wiscombe and Warren, 1980,
# doi:10.1175/1520-0469(1980)037<2712:AMFTSA>2.0.CO;2), bare ice (Grenfell and Perovich, 1984,
# doi:10.1029/JC089iC03p03573), water, cloud. Rounded; B09 and B10 include the absorption by water vapour.
SPECTRA = {
    "B01": (1.00, 1.02, 1.15, 1.00),
    "B02": (1.00, 1.00, 1.00, 1.00),
    "B03": (0.99, 0.96, 0.80, 1.00),
    "B04": (0.97, 0.86, 0.55, 1.00),
    "B05": (0.96, 0.78, 0.48, 1.00),
    "B06": (0.95, 0.70, 0.42, 1.00),
    "B07": (0.93, 0.62, 0.40, 1.00),
    "B08": (0.90, 0.54, 0.37, 1.00),
    "B8A": (0.89, 0.50, 0.36, 1.00),
    "B09": (0.50, 0.22, 0.25, 0.75),
    "B10": (0.004, 0.003, 0.03, 0.0),
    "B11": (0.14, 0.08, 0.25, 0.55),
    "B12": (0.09, 0.05, 0.20, 0.42),
}
CIRRUS_BY_HEIGHT = 0.05
"""Reflectance of a cloud in B10 relative to the blue band, per kilometre of height."""

DRIFT = (0.0, 550.0)
"""Drift of the ice between the passes, m: the constant shifts of the target paper's eight pairs."""
MINUTES = (8.0, 80.0)
"""Time between the passes: 7.7-47.6 minutes in the target paper, whose limit is 80; before or after with
equal probability."""

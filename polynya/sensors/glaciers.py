"""Sensors of glacier scenes, their regions and classes. Names are those of the published tile set (Maslov et al. 2025,
doi:10.11582/2024.00168)."""

from __future__ import annotations

from . import PASSES, Band, Sensor, SensorTable

REGIONS = {
    "ALP": "European Alps",
    "ANT": "Antarctic and Subantarctic islands",
    "AWA": "Alaska and Western America",
    "CAU": "Caucasus",
    "GRL": "Greenland periphery",
    "HMA": "High Mountain Asia",
    "TRP": "Low Latitudes (tropics)",
    "NZL": "New Zealand",
    "SAN": "Southern Andes",
    "SCA": "Scandinavia",
    "SVAL": "Svalbard",
}
"""The eleven regions of the published training data."""

GLACIER_CLASSES = ("other", "glacier")
"""Classes of a glacier network; debris-covered ice counts as glacier."""


def _reflectance(name: str, words: tuple[str, ...], stac_names: tuple[str, ...] = ()) -> Band:
    return Band(
        name=name,
        units="1",
        long_name=f"top-of-atmosphere reflectance, {name}",
        low=-0.1,
        high=2.7,
        words=(name, *words),
        stac_names=(name, *words, *stac_names),
    )


def _passes(name: str, long_name: str, high: float, words: tuple[str, ...]) -> tuple[Band, ...]:
    return tuple(
        Band(
            name=f"{name}_{orbit}",
            units="1",
            long_name=long_name.format(orbit=orbit),
            low=0.0,
            high=high,
            words=words,
            stac_names=words,
            orbit=orbit,
        )
        for orbit in PASSES
    )


TABLE = SensorTable(
    name="glaciers",
    regions=REGIONS,
    sensors=(
        Sensor(
            name="optical",
            quantity="reflectance",
            is_essential=True,
            band_counts=(4, 6),
            bands=(
                _reflectance("blue", ("b02",)),
                _reflectance("green", ("b03",)),
                _reflectance("red", ("b04",)),
                # nir08 is Sentinel-2's B8A and Landsat's near infrared: taken from STAC items that have no nir
                _reflectance("nir", ("b08",), ("nir08",)),
                _reflectance("swir1", ("swir16", "b11")),
                _reflectance("swir2", ("swir22", "b12")),
            ),
        ),
        Sensor(
            name="dem",
            quantity="height",
            is_essential=True,
            bands=(
                Band(
                    name="elevation",
                    units="m",
                    long_name="height of the surface",
                    low=-500.0,
                    high=9000.0,
                    words=("elevation", "height", "dem", "z"),
                    stac_names=("elevation", "dem", "data", "heights"),
                ),
                Band(
                    name="slope",
                    units="degree",
                    long_name="slope of the surface",
                    low=0.0,
                    high=90.0,
                    words=("slope",),
                    stac_names=("slope",),
                    computed="slope",
                ),
            ),
            file_words=(
                *("dem", "srtm", "nasadem", "copdem", "cop30", "cop90", "dsm", "aster", "gdem", "aw3d30", "rema"),
                *("arcticdem", "hma", "elevation"),
            ),
        ),
        Sensor(
            name="co_pol_sar",
            quantity="backscatter",
            acquisition="radar",
            roles=("sar",),
            names_match="any_word",
            excluded_words=("coherence", "coh"),
            bands=_passes(
                "co_pol",
                "sigma0 of the co-polarised channel (VV or HH), {orbit} pass, linear",
                100.0,
                ("vv", "hh"),
            ),
        ),
        Sensor(
            name="cross_pol_sar",
            quantity="backscatter",
            acquisition="radar",
            roles=("sar",),
            names_match="any_word",
            excluded_words=("coherence", "coh"),
            bands=_passes(
                "cross_pol",
                "sigma0 of the cross-polarised channel (VH or HV), {orbit} pass, linear",
                100.0,
                ("vh", "hv"),
            ),
        ),
        Sensor(
            name="in_sar",
            quantity="coherence",
            acquisition="radar",
            roles=("coherence",),
            names_match="any_word",
            bands=_passes("coherence", "interferometric coherence, {orbit} pass", 1.0, ("coherence", "coh")),
        ),
        Sensor(
            name="thermal",
            quantity="brightness_temperature",
            names_match="first_word",
            bands=(
                Band(
                    name="brightness_temperature",
                    units="K",
                    long_name="brightness temperature in the thermal infrared",
                    low=150.0,
                    high=350.0,
                    words=("brightness_temperature", "thermal", "lwir", "lwir11", "tirs", "bt"),
                    stac_names=("brightness_temperature", "lwir", "lwir11", "st_b6", "st_b10"),
                ),
            ),
        ),
    ),
)
"""Six sensors. The optical bands are those of Landsat and Sentinel-2 in their common order."""

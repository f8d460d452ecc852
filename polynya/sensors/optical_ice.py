"""Sensors of optical images of sea ice: three colours as pictures have them, and the near infrared where there is one.

Counts are those of eight bits, of a picture or of a stretched product; reflectance times 255 comes near them.
"""

from __future__ import annotations

from . import Band, Sensor, SensorTable


def _band(name: str, *, words: tuple[str, ...], stac: tuple[str, ...]) -> Band:
    return Band(
        name=name, units="1", long_name=f"counts of {name}, 0 to 255", low=0.0, high=255.0, words=words, stac_names=stac
    )


TABLE = SensorTable(
    name="optical_ice",
    sensors=(
        Sensor(
            name="rgb",
            is_essential=True,
            acquisition="optical",
            names_match="any_word",
            bands=(
                _band("red", words=("red", "b04", "b4"), stac=("red",)),
                _band("green", words=("green", "b03", "b3"), stac=("green",)),
                _band("blue", words=("blue", "b02", "b2"), stac=("blue",)),
            ),
        ),
        Sensor(
            name="nir",
            acquisition="optical",
            names_match="any_word",
            bands=(_band("near_infrared", words=("nir", "b08", "b8"), stac=("nir",)),),
        ),
    ),
)
"""The near infrared is a sensor of its own, so that a network has a presence plane for it."""

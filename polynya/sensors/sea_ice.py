"""Sensors of sea-ice scenes."""

from __future__ import annotations

from . import Band, Sensor, SensorTable

TABLE = SensorTable(
    name="sea_ice",
    sensors=(
        Sensor(
            name="grey",
            is_essential=True,
            bands=(Band(name="grey", units="1", long_name="grey of the true-colour image, 0 to 1", low=0.0, high=1.0),),
        ),
    ),
)
"""One sensor: the grey image of :mod:`polynya.models.unet_grey`."""

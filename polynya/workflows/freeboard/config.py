"""What ``polynya freeboard`` can be asked for, and what decides its numbers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from ... import io
from ...errors import UsageError
from ...physics import segments
from ...predict import tracks as predict_tracks
from ...readers import height_grid
from ...tracks import beam_segments, photon_filter
from ..options import validated
from . import classifier as freeboard_classifier
from .beam import BeamSettings, Grids

RESULTS_VERSION = 3
"""Raised only when the same inputs and settings give other numbers."""
GRIDS = ("mss", "land", "ice_concentration")
"""Settings that name a grid file."""


class Config(BaseModel):
    """What a run is asked for. Frozen; unknown keys are rejected.

    Attributes
    ----------
    beams : str
        ``all``, ``strong``, ``weak`` or names with commas.
    bbox : tuple of float, optional
        West, south, east, north, degrees.
    resolution : str
        ``2``, ``10``, ``30`` (metres) or ``150ph`` (photons).
    sea_surface : str
        ``leads`` (default), ``nasa``, ``minimum``, ``mean`` or ``nearest``.
    classifier : str, optional
        ``rule``, a shipped network's name or an ``.onnx`` file; by default the shipped network at 2 m, else the rule.
    mss, land, ice_concentration : str, optional
        Grid files, ``FILE`` or ``FILE:VARIABLE``.
    mss_tide_system : str
        ``mean`` or ``free``.
    tide_ocean, tide_equilibrium, dac, first_photon_bias : bool
        Corrections switched on.
    min_confidence : int
        Sea-ice signal confidence of the photons that make heights.
    keep_degraded : bool
        Keep 20 m segments whose ``podppd_flag`` says that orbit or pointing is degraded; they get a quality bit.
    signal_class : tuple of int, optional
        Values of ``signal_class_ph`` (release 007) of photons that make heights.
    min_weight : int, optional
        Smallest ``weight_ph`` of photons that make heights.
    join : bool
        Granules that are given together and follow each other along an orbit share leads beside their border.
    netcdf : bool
        Also write CF NetCDF.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    beams: str = "all"
    bbox: tuple[float, float, float, float] | None = None
    resolution: Literal["2", "10", "30", "150ph"] = "2"
    sea_surface: Literal["leads", "nasa", "minimum", "mean", "nearest"] = "leads"
    classifier: str | None = None
    mss: str | None = None
    mss_tide_system: Literal["mean", "free"] = "mean"
    tide_ocean: bool = True
    tide_equilibrium: bool = True
    dac: bool = True
    first_photon_bias: bool = True
    land: str | None = None
    ice_concentration: str | None = None
    min_confidence: int = Field(default=segments.MEDIUM, ge=0, le=4)
    keep_degraded: bool = False
    signal_class: tuple[Annotated[int, Field(ge=-1, le=5)], ...] | None = None
    min_weight: int | None = Field(default=None, ge=0, le=65535)
    join: bool = False
    netcdf: bool = False

    @field_validator("signal_class", mode="before")
    @classmethod
    def _signal_class(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        words = [w.strip() for w in value.split(",") if w.strip()]
        if not words or not all(w.lstrip("-").isdigit() for w in words):
            raise ValueError("give numbers from -1 to 5 with commas between, as 4,5")
        return tuple(sorted({int(w) for w in words}))

    @field_validator("resolution", mode="before")
    @classmethod
    def _resolution(cls, value: object) -> object:
        text = str(value).lower().removesuffix(".0").removesuffix("m").strip()
        return "150ph" if text in ("150", "150ph", "150-photon", "150photon", "150-photons") else text

    @field_validator("bbox")
    @classmethod
    def _bbox(cls, value: tuple[float, float, float, float] | None) -> tuple[float, float, float, float] | None:
        if value is not None:
            west, south, east, north = value
            if not (-90 <= south < north <= 90 and -180 <= west <= 360 and -180 <= east <= 360):
                raise ValueError("give W S E N in degrees with S < N (W > E crosses the antimeridian)")
        return value

    @classmethod
    def checked(cls, **values: object) -> Config:
        """Build a configuration, or raise :class:`UsageError` that names the option.

        Raises
        ------
        UsageError
            If a value does not exist or does not fit.
        """
        config = validated(cls, values, command="freeboard")
        for name in ("mss", "land", "ice_concentration"):
            value = getattr(config, name)
            if value and not split_grid(value)[0].exists():
                raise UsageError(
                    f"--{name.replace('_', '-')} {value}: no such file; expected a GeoTIFF or NetCDF grid. Check the"
                    " path."
                )
        config.classifier_used()
        return config

    def classifier_used(self) -> freeboard_classifier.SelectedClassifier:
        """Return the classifier that these settings mean."""
        return freeboard_classifier.select(self.classifier, resolution=self.resolution)

    def photon_filter(self) -> photon_filter.PhotonFilter:
        """Return the filter of photons that these settings mean."""
        return photon_filter.PhotonFilter(signal_class=self.signal_class, min_weight=self.min_weight)

    def beam_settings(self, grids: Grids, *, classifier: predict_tracks.Classifier | None = None) -> BeamSettings:
        """Return what these settings mean for each beam.

        Parameters
        ----------
        grids : Grids
            As :func:`read_grids` gives them.
        classifier : predict_tracks.Classifier, optional
            The network, loaded; the rule by default.
        """
        return BeamSettings(
            segments=beam_segments.Settings(
                resolution=self.resolution,
                mss=grids.mss,
                mss_is_mean_tide=self.mss_tide_system == "mean",
                tide_ocean=self.tide_ocean,
                tide_equilibrium=self.tide_equilibrium,
                dac=self.dac,
                first_photon_bias=self.first_photon_bias,
                min_confidence=self.min_confidence,
                photon_filter=self.photon_filter(),
            ),
            sea_surface=self.sea_surface,
            classifier=classifier,
        )

    def key(self, granule: Path, *, neighbours: Sequence[Path] = ()) -> io.Key:
        """Return everything that decides a granule's numbers: settings, the network, the content of every file.

        Parameters
        ----------
        granule : Path
            The ATL03 file.
        neighbours : sequence of Path
            Files whose leads serve it, too.
        """
        settings = self.model_dump(mode="json", exclude={"classifier", *GRIDS})
        inputs = {"granule": granule} | {f"neighbour {n.name}": n for n in neighbours}
        for name in GRIDS:
            if (given := getattr(self, name)) is not None:
                inputs[name], settings[f"{name}_variable"] = split_grid(given)
        return io.Key(
            workflow="freeboard",
            version=RESULTS_VERSION,
            settings=settings,
            inputs=inputs,
            networks={"classifier": self.classifier_used().key},
        )


def split_grid(text: str) -> tuple[Path, str | None]:
    """Split ``FILE:VARIABLE``; a path that exists as it stands is taken whole.

    Parameters
    ----------
    text : str
        As given on the command line.
    """
    if Path(text).exists() or ":" not in text:
        return Path(text), None
    path, variable = text.rsplit(":", 1)
    return Path(path), variable


def read_grids(config: Config) -> Grids:
    """Read the grids that a configuration names.

    Parameters
    ----------
    config : Config
        Settings.

    Raises
    ------
    ProductError
        If a grid cannot be read.
    """

    def one(text: str | None) -> height_grid.Grid | None:
        if text is None:
            return None
        path, variable = split_grid(text)
        return height_grid.read(path, variable=variable)

    return Grids(mss=one(config.mss), land=one(config.land), ice_concentration=one(config.ice_concentration))

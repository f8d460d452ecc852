"""Settings of windows of scenes: how they are drawn and augmented."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Augment(_Settings):
    """What happens to a drawn window of a scene. 0 or false leaves a change out.

    Attributes
    ----------
    flip : bool
        One of the eight turns and mirror images.
    crop : float
        A window of 1 - crop to 1 of the size is stretched to the size.
    gamma : float
        Reflectances to a power of 1 - gamma to 1 + gamma, a sensor each.
    gain : float
        Standard deviation of the logarithm of a factor on all reflectances of a window: sensors and atmospheres differ.
    saturation : float
        Chance that the visible and near-infrared bands of a window are amplified and cut at a reflectance of 1, as
        eight-bit sensors set for darker ground show snow.
    shift, noise : float
        Standard deviation of a constant a band, and of noise a pixel, in scaled units.
    occlusion_px : int
        Side up to which a rectangle of each sensor is blanked.
    patch_dropout : float
        Chance of each sensor that is not always there to end inside a window: blanked beyond a line, or in a patch
        (:mod:`polynya.samples.sensor_patches`).
    elevation_m : float
        Standard deviation of a constant added to heights: a snow line is no height above the sea.
    gain_db, swath_db : float
        Standard deviation of a constant added to each polarisation of a radar window, and of one for each sub-swath of
        it (:mod:`polynya.samples.radar_jitter`); dB.
    """

    flip: bool = True
    crop: float = Field(0.2, ge=0, lt=1)
    gamma: float = Field(0.2, ge=0, lt=1)
    gain: float = Field(0.0, ge=0)
    saturation: float = Field(0.0, ge=0, le=1)
    shift: float = Field(0.025, ge=0)
    noise: float = Field(0.005, ge=0)
    occlusion_px: int = Field(192, ge=0)
    elevation_m: float = Field(0.0, ge=0)
    gain_db: float = Field(0.0, ge=0)
    swath_db: float = Field(0.0, ge=0)
    patch_dropout: float = Field(0.0, ge=0, le=1)


class SceneSamples(_Settings):
    """How windows are drawn from tiles.

    Attributes
    ----------
    size : int
        Side of a window, pixels.
    draws : float
        Windows an epoch for every window that fits; ``samples.per_epoch`` limits them.
    balance : bool
        Half of the windows are centred on the positive class (the glacier), where the tile has any.
    sensor_dropout : float
        Chance of each sensor but one to be blanked in a window, so that one network serves any subset.
    always : tuple of str
        Sensors that are never blanked so.
    band_dropout : float
        Chance that the two shortwave-infrared bands are blanked: old and cheap sensors have none.
    unknown_region : float
        Chance that the region is given as unknown.
    also_share : float or None
        Share of the windows that come from the tiles of ``--train-only``, tiles drawn by the root of their size; by
        default every tile is drawn equally often.
    regions : tuple of str
        Only tiles of these regions are used; all by default (the regional strategy names one).
    augment : Augment
    """

    size: int = Field(384, ge=16)
    draws: float = Field(4.0, gt=0)
    balance: bool = False
    sensor_dropout: float = Field(0.0, ge=0, lt=1)
    always: tuple[str, ...] = ()
    band_dropout: float = Field(0.0, ge=0, lt=1)
    unknown_region: float = Field(0.1, ge=0, le=1)
    also_share: float | None = Field(None, gt=0, lt=1)
    regions: tuple[str, ...] = ()
    augment: Augment = Augment()

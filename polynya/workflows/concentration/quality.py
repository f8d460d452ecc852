"""What to know of each pixel of a map, as bits, and of the scene, as sentences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ...physics import melt_months
from ...scenes.land import Land
from ...schema.sea_ice_maps import BITS

if TYPE_CHECKING:
    import xarray

LEAST_SIGNAL = 0.5
"""Signal below half of the noise-equivalent sigma nought (-3 dB): what is seen is what the noise left over."""
ANGLES_DEG = (18.0, 47.5)
"""Incidence angles of EW, which classes and networks know."""
EXPECTED = ("HH", "HV")

ALONE = {
    ("HH",): "wind over water passes for ice more often",
    ("HV",): "thin and smooth ice passes for water more often",
}
"""What one channel alone mistakes."""
SENTENCES = {
    "low_signal_to_noise": "{share} of the pixels have an HV signal below half of the noise ({name}): water and smooth"
    " ice cannot be told apart there by HV.",
    "incidence_angle_outside": "{share} of the pixels lie outside the incidence angles of EW, 18 to 47.5 degrees"
    " ({name}): nothing was learned there.",
    "near_land": "{share} of the pixels lie near land ({name}): land may pass for ice there.",
    "channel_missing": "{lack} ({name}): {so}.",
    "noise_unknown": "The annotated noise is zero or in other units ({name}), as before IPF 2.5, in one channel or"
    " more: nothing was subtracted, and bands along the swath may pass for ice.",
    "melt_season": "The scene was taken in the melt season ({name}): wet snow and melt ponds darken ice, no class or"
    " network of ours has learned from such ice, and concentration may be far too low.",
    "land": "{share} of the pixels are land of the given file and hold nothing ({name}).",
}


def is_melt_season(time: np.datetime64, latitude: float) -> bool:
    """Return whether a scene lies in the months of melt of its hemisphere.

    Parameters
    ----------
    time : numpy.datetime64
        UTC.
    latitude : float
        Degrees.
    """
    return bool(melt_months.is_melt_season(time, latitude))


def flags(
    data: xarray.Dataset, concentration: np.ndarray, *, land: Land, near_land_m: float, is_melting: bool
) -> np.ndarray:
    """Return the bits of every pixel.

    Parameters
    ----------
    data : xarray.Dataset
        Of :func:`polynya.scenes.radar_grid.on_grid`.
    concentration : numpy.ndarray, shape (h, w)
        NaN where there is none.
    land : polynya.scenes.land.Land
        Of the same grid.
    near_land_m : float
        Nearer pixels are flagged.
    is_melting : bool
        Of :func:`is_melt_season`.

    Returns
    -------
    numpy.ndarray of uint8, shape (h, w)
    """
    channels = [str(c) for c in data["channel"].values]
    out = np.zeros(concentration.shape, np.uint8)
    seen = np.isfinite(concentration)
    sigma0, nesz = data["sigma0"].values, data["nesz"].values
    angle = data["incidence_angle"].values
    weak = np.zeros(concentration.shape, bool)
    if "HV" in channels:
        k = channels.index("HV")
        with np.errstate(invalid="ignore"):
            weak = sigma0[k] < LEAST_SIGNAL * nesz[k]
    with np.errstate(invalid="ignore"):
        outside = (angle < ANGLES_DEG[0]) | (angle > ANGLES_DEG[1])
    valid = data["valid"].values > 0
    lacks = np.full(concentration.shape, bool(set(EXPECTED) - set(channels))) | ~valid.all(axis=0)
    is_noisy = (valid & ~np.isfinite(nesz)).any(axis=0)
    for name, where in (
        ("low_signal_to_noise", seen & weak),
        ("incidence_angle_outside", seen & outside),
        ("near_land", seen & (land.distance_m <= near_land_m)),
        ("channel_missing", seen & lacks),
        ("noise_unknown", seen & is_noisy),
        ("melt_season", seen if is_melting else np.zeros_like(seen)),
        ("land", land.is_land if land.is_mask else np.zeros_like(seen)),
        ("no_data", ~seen),
    ):
        out[where] |= BITS[name]
    return out


def sentences(bits: np.ndarray, *, channels: Sequence[str]) -> tuple[str, ...]:
    """Return what to know of a scene, a sentence for each bit that occurs.

    Parameters
    ----------
    bits : numpy.ndarray of uint8, shape (h, w)
        Of :func:`flags`.
    channels : sequence of str
        That the product has.
    """
    seen = (bits & BITS["no_data"]) == 0
    out = []
    for name, text in SENTENCES.items():
        among = seen if name != "land" else np.ones_like(seen)
        n = int(((bits & BITS[name]) > 0)[among].sum())
        if n:
            share = 100.0 * n / max(int(among.sum()), 1)
            missing = ", ".join(c for c in EXPECTED if c not in channels)
            words = f"{share:.0f} %" if share >= 1 else "below 1 %"
            lack = f"{words} of the pixels lack one of {', '.join(channels)}"
            if missing:
                lack = f"{missing} is missing or not used, concentration rests on {', '.join(channels)} alone"
            so = ALONE.get(tuple(channels), "wind over water passes for ice, and thin ice for water, more often")
            out.append(text.format(share=words, name=name, lack=lack, so=so))
    return tuple(out)

"""Where the errors that were fitted say nothing of a map, and what is stated instead.

Errors of the rule and of networks were fitted on simulated scenes: EW in winter, noise removed, pixels of 400 m, open
sea. Elsewhere a small spread would be a number that nobody measured. There, all that is known of a concentration is
that it lies from 0 to 1. With every value in between as likely as another, the mean square error of a map that states
``c`` is ``1/12 + (c - 1/2)^2``; the intervals are 0 to 1, and each of n classes has the probability 1/n.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ...schema.sea_ice_maps import BITS
from ...sensors.radar_ice import TABLE
from .mapped import ClassMap, Mapped, Mapper

if TYPE_CHECKING:
    import xarray

FLAGS = {
    "melt_season": "melt season",
    "incidence_angle_outside": "incidence angles outside those of EW",
    "noise_unknown": "unknown noise",
    "near_land": "near land",
}
"""Flags of pixels like which none was among those that errors were fitted on."""
LOWEST_LATITUDE = 60.0
"""North and south: the simulated scenes lie poleward of it. Ice of the Baltic Sea or the Sea of Okhotsk was not among
them."""
RADAR = {"HH": "hh", "HV": "hv"}
AMSR2 = "amsr2"


@dataclass(frozen=True, kw_only=True)
class Setting:
    """How a scene was taken and gridded.

    Attributes
    ----------
    mode : str
        ``EW`` and the like.
    channels : tuple of str
        Radar channels that are used.
    has_amsr2 : bool
    is_denoised : bool
    pixel_m : float
    latitude : float
        Of its middle, degrees.
    """

    mode: str
    channels: tuple[str, ...]
    has_amsr2: bool
    is_denoised: bool
    pixel_m: float
    latitude: float


def reasons(setting: Setting, used: Mapper) -> tuple[str, ...]:
    """Return why errors are unknown in all of a scene; empty where they are known.

    Parameters
    ----------
    setting : Setting
        The scene.
    used : Mapper
        What maps.
    """
    there = {RADAR[c] for c in setting.channels if c in RADAR} | ({AMSR2} if setting.has_amsr2 else set())
    lacks = [s for s in (*RADAR.values(), AMSR2) if s in used.sensors and s not in there]
    found = [] if setting.mode == "EW" else [f"mode {setting.mode}"]
    found += [] if setting.is_denoised else ["noise not subtracted"]
    found += [f"pixels of {setting.pixel_m:g} m"] if _is_other_size(setting, used) else []
    found += [f"latitude {setting.latitude:.0f}\u00b0"] if abs(setting.latitude) < LOWEST_LATITUDE else []
    return (*found, *(f"no {s.upper()}" for s in lacks))


def _is_other_size(setting: Setting, used: Mapper) -> bool:
    return used.pixel_m is not None and abs(setting.pixel_m - used.pixel_m) > 1e-6


def size_note(setting: Setting, used: Mapper) -> tuple[str, ...]:
    """Return what to say of pixels of a size that a network did not learn from.

    Parameters
    ----------
    setting : Setting
        The scene.
    used : Mapper
        What maps.
    """
    if not _is_other_size(setting, used):
        return ()
    return (
        f"Network {used.name} learned from pixels of {used.pixel_m:g} m; these have {setting.pixel_m:g} m, at which"
        f" floes and speckle look different: --pixel-m {used.pixel_m:g} gives what its errors are known for.",
    )


def lacking(data: xarray.Dataset, used: Mapper) -> np.ndarray:
    """Return the pixels without a channel that the map takes and the scene has elsewhere, bool (h, w).

    Parameters
    ----------
    data : xarray.Dataset
        Of :func:`polynya.scenes.radar_grid.on_grid`, with the channels of AMSR2 where they are used.
    used : Mapper
        What maps.
    """
    out = np.zeros((data.sizes["y"], data.sizes["x"]), bool)
    for k, channel in enumerate(str(c) for c in data["channel"].values):
        if RADAR.get(channel) in used.sensors:
            out |= data["valid"].values[k] == 0
    if AMSR2 in used.sensors:
        for name in (n for n in TABLE[AMSR2].band_names if n in data):
            out |= ~np.isfinite(data[name].values)
    return out


def unknown(bits: np.ndarray, *, is_whole: bool, lacks: np.ndarray | None = None) -> np.ndarray:
    """Return the mapped pixels whose errors are unknown, bool (h, w).

    Parameters
    ----------
    bits : numpy.ndarray of uint8, shape (h, w)
        Of :func:`.quality.flags`.
    is_whole : bool
        Whether they are unknown in all of the scene.
    lacks : numpy.ndarray of bool, shape (h, w), optional
        Of :func:`lacking`.
    """
    seen = (bits & BITS["no_data"]) == 0
    where = is_whole | ((bits & sum(BITS[f] for f in FLAGS)) > 0)
    return seen & (where if lacks is None else where | lacks)


def ignorance(concentration: np.ndarray) -> np.ndarray:
    """Return the standard uncertainty of a concentration of which nothing is known: 0.29 at 0.5, 0.58 at 0 and 1.

    Parameters
    ----------
    concentration : numpy.ndarray
        0 to 1.
    """
    return np.sqrt(1.0 / 12.0 + (np.asarray(concentration) - 0.5) ** 2).astype(np.float32)


def widened(mapped: Mapped, where: np.ndarray) -> Mapped:
    """Return a map that states where nothing is known of its errors.

    Parameters
    ----------
    mapped : Mapped
        As the rule or the network gives it.
    where : numpy.ndarray of bool, shape (h, w)
        Of :func:`unknown`.
    """
    sigma = np.where(where, np.maximum(mapped.uncertainty, ignorance(mapped.concentration)), mapped.uncertainty)
    ends = mapped.intervals
    if ends is not None:
        ends = ends.copy()
        ends[0::2, where], ends[1::2, where] = 0.0, 1.0
    return replace(mapped, uncertainty=sigma, intervals=ends, classes=tuple(_even(c, where) for c in mapped.classes))


def _even(classes: ClassMap, where: np.ndarray) -> ClassMap:
    chance = np.float32(1.0 / len(classes.specs[0].flags))
    return replace(classes, probability=np.where(where, chance, classes.probability))


def sentence(
    where: np.ndarray, bits: np.ndarray, *, whole: Sequence[str], mapped: Mapped, learned: str
) -> tuple[str, ...]:
    """Return what to say of pixels whose errors are unknown; nothing where there are none.

    Parameters
    ----------
    where : numpy.ndarray of bool, shape (h, w)
        Of :func:`unknown`.
    bits : numpy.ndarray of uint8, shape (h, w)
        Of :func:`.quality.flags`.
    whole : sequence of str
        Of :func:`reasons`.
    mapped : Mapped
        The map.
    learned : str
        What the errors were fitted on.
    """
    n = int(where.sum())
    if not n:
        return ()
    share = 100.0 * n / max(int(np.isfinite(mapped.concentration).sum()), 1)
    words = [*whole, *(text for flag, text in FLAGS.items() if ((bits & BITS[flag]) > 0)[where].any())]
    more = "" if mapped.intervals is None else "; intervals are 0 to 1"
    more += "; classes have even probabilities" if mapped.classes else ""
    return (
        f"The errors are unknown in {f'{share:.0f} %' if share >= 1 else 'below 1 %'} of the pixels"
        f" ({', '.join(words)}): they were fitted on {learned}. The uncertainty there is that of a concentration of"
        f" which nothing is known, 0.29 to 0.58{more}.",
    )

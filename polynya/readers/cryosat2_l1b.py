"""CryoSat-2 level 1b: 20 Hz echoes of LRM, SAR and SARIn, in watts.

Checked on real files of LRM (baseline E) and SAR (baseline D); the names of SARIn files are the same. Variables are
found by name, whatever baseline the file states. Stored counts become watts by

    P = pwr_waveform_20_ku * echo_scale_factor_20_ku * 2 ** echo_scale_pwr_20_ku

where the 1e-9 of ``echo_scale_factor_20_ku`` is its ``scale_factor`` attribute (CryoSat-2 L1b product format,
CS-RS-ACS-ESL-5364). Times count TAI and become UTC. Simulated files are read too, and their echoes say so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ProductError
from ..schema.echoes import LRM, SAR, SARIN, WATTS, Echoes, joined
from . import echo_product
from .echo_product import BLOCK, About, Layout, Source, flags_of

PRODUCT = "cryosat2_l1b"
TITLE = "CryoSat-2 L1b"
"""What people call the product."""
RELEASES = ("C", "D", "E")
CHECKED = ("D", "E")
LIGHT_M_S = 299_792_458.0
BANDWIDTH_HZ = 320e6
MODES_BY_NAME = {"LRM": LRM, "SAR": SAR, "SIN": SARIN, "SARIN": SARIN}

LAYOUT = Layout(
    product=PRODUCT,
    expected="CryoSat-2 L1b (NetCDF with pwr_waveform_20_ku, echo_scale_factor_20_ku ...). Check the file",
    names={
        "waveform": ("pwr_waveform_20_ku",),
        "time": ("time_20_ku",),
        "latitude": ("lat_20_ku",),
        "longitude": ("lon_20_ku",),
        "altitude": ("alt_20_ku",),
        "window_delay": ("window_del_20_ku",),
        "echo_scale_factor": ("echo_scale_factor_20_ku",),
        "echo_scale_power": ("echo_scale_pwr_20_ku",),
        "agc": ("agc_ch1_20_ku", "agc_1_20_ku"),
        "mode": ("flag_instr_mode_op_20_ku",),
        "quality_flag": ("flag_mcd_20_ku",),
        "surface_type": ("surf_type_20_ku",),
        "surface_type_1hz": ("surf_type_01",),
        "index_1hz": ("ind_meas_1hz_20_ku",),
        "stack_std": ("stack_std_20_ku",),
        "stack_skewness": ("stack_skewness_20_ku",),
        "stack_kurtosis": ("stack_kurtosis_20_ku",),
        "stack_peakiness": ("stack_peakiness_20_ku",),
    },
    required=("waveform", "time", "latitude", "longitude", "echo_scale_factor", "echo_scale_power"),
    is_tai=True,
)


def is_product(names: Sequence[str]) -> bool:
    """Return whether a file with these variables is CryoSat-2 L1b."""
    found = LAYOUT.find(names)
    return "waveform" in found or {"echo_scale_factor", "echo_scale_power"} <= set(found)


def read(path: Path | str, *, extra: Sequence[str] = ()) -> Echoes:
    """Read a file.

    Parameters
    ----------
    path : Path or str
        NetCDF of LRM, SAR or SARIn.
    extra : sequence of str
        More variables to give, one number per 20 Hz echo.

    Returns
    -------
    Echoes
        In watts. ``tracker`` is the window delay times half the speed of light: the range to the middle of the window,
        uncorrected. ``agc`` is that of channel 1. LRM has no stack.

    Raises
    ------
    ProductError
        If the file is damaged, another product, lacks a required variable, or has no power or positions.
    UsageError
        If a name in ``extra`` is not in the file.
    """
    return joined(list(blocks(path, extra=extra)))


def blocks(path: Path | str, *, extra: Sequence[str] = (), records: int = BLOCK) -> Iterator[Echoes]:
    """Read a file in blocks of about ``records`` echoes; parameters, yields and errors as :func:`read`."""
    return echo_product.blocks(path, LAYOUT, about=_about, build=_columns, extra=extra, records=records)


def _about(source: Source) -> About:
    is_fine = source.gates in (256, 1024)  # zero padding doubles the gates of the 128 (SAR) and 512 (SARIn) samples
    width = LIGHT_M_S / (2.0 * BANDWIDTH_HZ) / (2.0 if is_fine else 1.0)
    return About(
        mission="CryoSat-2",
        release=baseline(source),
        units=WATTS,
        gate_width_m=width,
        notes=echo_product.simulated_notes(source),
    )


def baseline(source: Source) -> str:
    """Return the baseline's letter from the product's or the file's name, empty where neither has it."""
    for name in (source.file.text("product_name"), source.name):
        found = re.search(r"_([A-Z])\d{3}(?:[._]|$)", name)
        if found:
            return found[1]
    return ""


def mode_of(source: Source, rows: slice, count: int) -> np.ndarray:
    """Return the mode of each echo: its flag, else the file's attribute or name.

    Parameters
    ----------
    source : Source
        The file.
    rows : slice
        Which.
    count : int
        How many they are.
    """
    if "mode" in source.found:
        return np.clip(source.flags("mode", rows), 0, None)
    named = re.search(r"_SIR_(LRM|SAR|SIN)", source.name)
    stated = source.file.text("sir_op_mode").upper() or (named[1] if named else "")
    return np.full(count, MODES_BY_NAME.get(stated, 0))


def surface_type_of(source: Source, rows: slice) -> np.ndarray:
    """Return the surface type of each echo: its own, else that of its 1 Hz record (``ind_meas_1hz_20_ku``).

    Raises
    ------
    ProductError
        If an index points outside the 1 Hz records.
    """
    at_1hz = source.variable("surface_type_1hz")
    if "surface_type" in source.found or at_1hz is None or "index_1hz" not in source.found:
        return source.flags("surface_type", rows)
    kinds, place = flags_of(at_1hz).ravel(), source.flags("index_1hz", rows)
    if (place >= kinds.size).any():
        raise ProductError(
            f"{source.name}: {source.found['index_1hz']} reaches {int(place.max())}, but {at_1hz.name} has"
            f" {kinds.size} records; expected indices from 0. The subset dropped 1 Hz records: order it with them."
        )
    return np.where(place >= 0, kinds[np.clip(place, 0, None)], -1) if kinds.size else np.full(place.size, -1)


def _columns(source: Source, rows: slice) -> dict[str, Any]:
    power = np.exp2(source.values("echo_scale_power", rows))
    return {
        "scale": source.values("echo_scale_factor", rows) * power,
        "tracker": source.values("window_delay", rows) * (LIGHT_M_S / 2.0),
        "mode": mode_of(source, rows, power.size),
        "surface_type": surface_type_of(source, rows),
    }

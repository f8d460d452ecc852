"""CryoSat-2 level 2 in-depth (L2i): 20 Hz parameters of LRM, SAR and SARIn; no echoes, but ESA's class of each.

Checked on a real SARIn file of baseline D. The class flag has bits; SARIn files over the sea hold one bit of SARIn and
one of the sea-ice discriminator. Times count TAI and become UTC.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..physics.lead_rules import esa_l2i
from ..schema.echoes import WATTS, Echoes, joined
from . import echo_product
from .cryosat2_l1b import baseline, mode_of, surface_type_of
from .echo_product import BLOCK, About, Layout, Source

PRODUCT = "cryosat2_l2i"
TITLE = "CryoSat-2 L2i"
"""What people call the product."""
RELEASES = ("C", "D", "E")
CHECKED = ("D",)

LAYOUT = Layout(
    product=PRODUCT,
    expected="CryoSat-2 L2i (NetCDF with flag_surf_type_class_20_ku, peakiness_20_ku ...). Check the file",
    names={
        "time": ("time_20_ku",),
        "latitude": ("lat_20_ku",),
        "longitude": ("lon_20_ku",),
        "altitude": ("alt_20_ku",),
        "range": ("range_1_20_ku",),
        "sigma0": ("sig0_1_20_ku",),
        "product_peakiness": ("peakiness_20_ku",),
        "product_class_flag": ("flag_surf_type_class_20_ku",),
        "sea_ice_concentration": ("sea_ice_concentration_20_ku",),
        "significant_wave_height": ("swh_ocean_20_ku",),
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
    required=("product_class_flag", "time", "latitude", "longitude"),
    is_tai=True,
)


def is_product(names: Sequence[str]) -> bool:
    """Return whether a file with these variables is CryoSat-2 L2i."""
    return "flag_surf_type_class_20_ku" in names or {"retracker_1_cor_20_ku", "height_1_20_ku"} <= set(names)


def read(path: Path | str, *, extra: Sequence[str] = ()) -> Echoes:
    """Read a file.

    Parameters
    ----------
    path : Path or str
        NetCDF.
    extra : sequence of str
        More variables to give, one number per 20 Hz record.

    Returns
    -------
    Echoes
        Without gates. ``product_class_flag`` is ESA's flag, ``surface_class`` the class it stands for;
        ``product_peakiness`` is ESA's. Concentrations are shares, not percent.

    Raises
    ------
    ProductError
        If the file is damaged, another product, lacks a required variable, or has no positions.
    UsageError
        If a name in ``extra`` is not in the file.
    """
    return joined(list(blocks(path, extra=extra)))


def blocks(path: Path | str, *, extra: Sequence[str] = (), records: int = BLOCK) -> Iterator[Echoes]:
    """Read a file in blocks of about ``records`` records; parameters, yields and errors as :func:`read`."""
    return echo_product.blocks(path, LAYOUT, about=_about, build=_columns, extra=extra, records=records)


def _about(source: Source) -> About:
    return About(mission="CryoSat-2", release=baseline(source), units=WATTS)


def _columns(source: Source, rows: slice) -> dict[str, Any]:
    flags = source.flags("product_class_flag", rows)
    return {
        "scale": np.full(flags.size, np.nan),
        "mode": mode_of(source, rows, flags.size),
        "surface_type": surface_type_of(source, rows),
        "product_class_flag": flags,
        "surface_class": esa_l2i(flags).classes,
        "sea_ice_concentration": source.values("sea_ice_concentration", rows) / 100.0,
    }

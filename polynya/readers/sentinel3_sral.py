"""Sentinel-3 SRAL level 2, enhanced measurements: 20 Hz echoes in Ku band.

Checked on 50 records of a real enhanced file of Sentinel-3A (marine centre, IPF 06.18) and on echoes cut from such
files, which keep the waveform, time and position only. Waveforms are counts, not watts: what turns them into
backscatter is ``scale_factor_20_ku`` in dB, which is given as ``extra`` if it is asked for. A SEN3 folder may be given.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..schema import Note
from ..schema.echoes import COUNTS, LEAD, LRM, OCEAN, SAR, SEA_ICE, UNKNOWN, Echoes, joined
from . import echo_product
from .echo_product import BLOCK, About, Layout, Source

PRODUCT = "sentinel3_sral"
TITLE = "SRAL enhanced measurements"
"""What people call the product."""
RELEASES = ("NT_003", "NT_004", "NT_005")
CHECKED = ("NT_004",)
GATE_WIDTH_M = 299_792_458.0 / (2.0 * 320e6)
"""128 gates of 320 MHz."""
CLASSES = {0: OCEAN, 1: SEA_ICE, 2: LEAD, 3: UNKNOWN}
"""``surf_type_class_20_ku``: open ocean, sea ice, lead, unclassified."""
MODES = {0: LRM, 1: SAR}
"""``instr_op_mode_20_ku``; LRM and SAR at once (2) is unknown here."""

HAND_LABELS = "waveform_cla"
"""Variable of files of echoes that were labelled by hand."""
HAND_LABELS_MEAN = (
    f"{HAND_LABELS} holds labels given by hand: 1 an echo as of the ocean, 0 a noisy one; none is of ice or leads"
)

LAYOUT = Layout(
    product=PRODUCT,
    expected="Sentinel-3 SRAL enhanced measurements (NetCDF with waveform_20_ku, time_20_ku ...). Check the file",
    names={
        "waveform": ("waveform_20_ku",),
        "time": ("time_20_ku",),
        "latitude": ("lat_20_ku",),
        "longitude": ("lon_20_ku",),
        "altitude": ("alt_20_ku",),
        "tracker": ("tracker_range_20_ku",),
        "range": ("range_ocog_20_ku", "range_ocean_20_ku"),
        "agc": ("agc_20_ku",),
        "sigma0": ("sig0_ocog_20_ku", "sig0_ocean_20_ku"),
        "significant_wave_height": ("swh_ocean_20_ku",),
        "product_peakiness": ("peakiness_2_20_ku", "peakiness_1_20_ku"),
        "mode": ("instr_op_mode_20_ku",),
        "quality_flag": ("waveform_qual_ice_20_ku",),
        "surface_type": ("surf_type_20_ku",),
        "product_class_flag": ("surf_type_class_20_ku",),
        "sea_ice_concentration": ("sea_ice_concentration_20_ku",),
    },
    required=("waveform", "time", "latitude", "longitude"),
)


def is_product(names: Sequence[str]) -> bool:
    """Return whether a file with these variables is of Sentinel-3 SRAL echoes."""
    return "waveform_20_ku" in names or {"surf_type_class_20_ku", "nb_stack_20_ku"} <= set(names)


def read(path: Path | str, *, extra: Sequence[str] = ()) -> Echoes:
    """Read a file.

    Parameters
    ----------
    path : Path or str
        NetCDF, or the SEN3 folder that holds ``enhanced_measurement.nc``.
    extra : sequence of str
        More variables to give, one number per 20 Hz echo: ``waveform_cla`` of hand-labelled files, say.

    Returns
    -------
    Echoes
        In counts. ``range`` and ``sigma0`` are those of the offset centre of gravity; concentrations are shares.

    Raises
    ------
    ProductError
        If the file is damaged, another product, lacks waveforms, times or positions, or has no power.
    UsageError
        If a name in ``extra`` is not in the file.
    """
    return joined(list(blocks(path, extra=extra)))


def blocks(path: Path | str, *, extra: Sequence[str] = (), records: int = BLOCK) -> Iterator[Echoes]:
    """Read a file in blocks of about ``records`` echoes; parameters, yields and errors as :func:`read`."""
    return echo_product.blocks(path, LAYOUT, about=_about, build=_columns, extra=extra, records=records)


def _about(source: Source) -> About:
    stated = source.file.text("product_name") or str(source.file.path.parent.name)
    mission = source.file.text("mission_name").replace(" ", "-")
    if not mission:
        named = re.match(r"S3([A-D])_", stated)
        mission = f"Sentinel-3{named[1]}" if named else "Sentinel-3"
    release = re.search(r"_[A-Z0-9]{3}_[A-Z]_([A-Z]{2}_\d{3})(?:\.SEN3)?$", stated)
    notes = [Note(code="hand_labels", text=HAND_LABELS_MEAN)] if HAND_LABELS in source.file.names else []
    return About(
        mission=mission,
        release=release[1] if release else "",
        units=COUNTS,
        gate_width_m=GATE_WIDTH_M,
        notes=tuple(notes),
    )


def _columns(source: Source, rows: slice) -> dict[str, Any]:
    flags, modes = source.flags("product_class_flag", rows), source.flags("mode", rows)
    waveform = source.variable("waveform")
    factor = 1.0 if waveform is None else waveform.scale[0]
    return {
        "scale": np.full(flags.size, factor),
        "mode": _mapped(modes, MODES),
        "product_class_flag": flags,
        "surface_class": _mapped(flags, CLASSES),
        "sea_ice_concentration": source.values("sea_ice_concentration", rows) / 100.0,
    }


def _mapped(flags: np.ndarray, table: dict[int, int]) -> np.ndarray:
    out = np.zeros(flags.size, np.int64)
    for stored, meaning in table.items():
        out[flags == stored] = meaning
    return out

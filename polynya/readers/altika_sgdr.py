"""SARAL/AltiKa echoes at 40 Hz: SGDR, and files of the same variables under the names of PEACHI and SGDR-F.

Checked on no real file yet: the names of SGDR (version T) are those that published programs read; the group names of
SGDR-F follow the GDR-F products of the Jason missions, and the PEACHI names the SGDR's. Arrays are (1 Hz, 40) and
(1 Hz, 40, gates). Simulated files of the SGDR layout are read too, and their echoes say so.

Source of the numbers: SARAL/AltiKa Products Handbook, CNES SALP-MU-M-OP-15984-CN.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..schema import Note
from ..schema.echoes import COUNTS, LRM, Echoes, joined
from . import echo_product
from .echo_product import BLOCK, About, Layout, Source

PRODUCT = "altika_sgdr"
TITLE = "AltiKa SGDR"
"""What people call the product."""
RELEASES = ("SGDR-T", "SGDR-F", "PEACHI")
CHECKED: tuple[str, ...] = ()
GATE_WIDTH_M, NOMINAL_GATE = 0.3123, 50.0
"""128 gates of 2.0833 ns; the tracker aims at the 51st."""
SATURATED_COUNT = 1023.0
"""Echoes of the simulated files have 10 bits. It is assumed for files that state no largest count (``valid_max``)."""
STORAGE_BITS = (15, 16, 31, 32)
"""A ``valid_max`` of one of these numbers of bits is the storage's, not the receiver's."""
PER_ROW = 40
CLASSIFICATION = "data_01/surface_classification_flag"
OF_CLASSIFICATION = (0, 3, 1, 3, 2, 0, 1)
"""Surface types of its values in products of version F: open ocean, land, continental water, aquatic vegetation,
continental ice and snow, floating ice, salted basin. Floating ice is sea ice: the surface below is sea."""
_NAME = re.compile(r"SRL_\w{3}_2P(?P<version>\w)P(?P<cycle>\d{3})_(?P<track>\d{4})_\d{8}_\d{6}_\d{8}_\d{6}")


def _names(*plain: str, group: str = "", grouped: str = "") -> tuple[str, ...]:
    """Return names of SGDR and PEACHI, then that of SGDR-F in its groups."""
    spelled = [n for p in plain for n in (f"{p}_40hz", f"{p}_40Hz")]
    return (*spelled, f"data_40/{group}{grouped}") if grouped else tuple(spelled)


LAYOUT = Layout(
    product=PRODUCT,
    expected="SARAL/AltiKa echoes (NetCDF with waveforms_40hz, time_40hz, lat_40hz, lon_40hz). Check the file",
    names={
        "waveform": _names("waveforms", "waveform", "power_waveform", group="ka/", grouped="power_waveform"),
        "time": _names("time", grouped="time"),
        "latitude": _names("lat", "latitude", grouped="latitude"),
        "longitude": _names("lon", "longitude", grouped="longitude"),
        "altitude": _names("alt", "altitude", grouped="altitude"),
        "tracker": _names(
            "tracker", "tracker_range", "tracker_range_calibrated", group="ka/", grouped="tracker_range_calibrated"
        ),
        "range": _names("range", "range_ocean", group="ka/", grouped="range_ocean"),
        "agc": _names("agc", group="ka/", grouped="agc"),
        "sigma0": _names("sig0", "sig0_ocean", group="ka/", grouped="sig0_ocean"),
        "significant_wave_height": _names("swh", "swh_ocean", group="ka/", grouped="swh_ocean"),
        "product_peakiness": _names("peakiness", group="ka/", grouped="peakiness"),
        "surface_type": ("surface_type", CLASSIFICATION, "data_01/surface_type"),
    },
    required=("waveform", "time", "latitude", "longitude"),
    per_row=PER_ROW,
)


def is_product(names: Sequence[str]) -> bool:
    """Return whether a file with these variables is one of AltiKa echoes."""
    found = LAYOUT.find(names)
    return "waveform" in found or {"time", "latitude", "longitude", "agc"} <= set(found)


def pass_of(name: str) -> tuple[int, int] | None:
    """Return cycle and pass that the name of an SGDR states; None of another name.

    Parameters
    ----------
    name : str
        As ``SRL_GPS_2PTP021_0424_20150227_001434_20150227_010453.CNES.nc``.
    """
    named = _NAME.search(name)
    return (int(named["cycle"]), int(named["track"])) if named else None


def read(path: Path | str, *, extra: Sequence[str] = ()) -> Echoes:
    """Read a file.

    Parameters
    ----------
    path : Path or str
        NetCDF 3 or 4.
    extra : sequence of str
        More variables to give, one number per echo.

    Returns
    -------
    Echoes
        In counts; 40 Hz arrays one after another. There is no quality flag.

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
    named = _NAME.search(source.name)
    notes = list(echo_product.simulated_notes(source))
    if named:
        notes.append(Note(code="pass", text=f"cycle {int(named['cycle'])}, pass {int(named['track'])}"))
    saturation, words = _saturation(source)
    if words and not any(n.code == "simulated" for n in notes):
        notes.append(Note(code="saturation", text=words))
    is_grouped = "/" in source.found["waveform"]
    release = "SGDR-F" if is_grouped or (named and named["version"].lower() == "f") else "SGDR-T" if named else ""
    return About(
        mission="SARAL",
        release=release,
        units=COUNTS,
        saturation=saturation,
        gate_width_m=GATE_WIDTH_M,
        nominal_gate=NOMINAL_GATE,
        notes=tuple(notes),
    )


def _saturation(source: Source) -> tuple[float | None, str]:
    """Return the count at which echoes are called saturated, and what to say where the file does not state it."""
    found = source.variable("waveform")
    stated = None if found is None else found.attribute("valid_max")
    if isinstance(stated, (int, float, np.integer, np.floating)) and 0 < stated not in [
        (1 << bits) - 1 for bits in STORAGE_BITS
    ]:
        return float(stated), ""
    step = max(BLOCK // PER_ROW, 1)
    for begin in range(0, source.rows if found is not None else 0, step):
        counts = source.counts(slice(begin, min(begin + step, source.rows)))
        usable = counts != source.fill_count() if source.fill_count() is not None else np.isfinite(counts)
        if (counts[usable] > SATURATED_COUNT).any():
            return None, (
                "the file states no largest count of its echoes (valid_max), and some are above"
                f" {SATURATED_COUNT:g}: no echo is called saturated"
            )
    return SATURATED_COUNT, (
        f"the file states no largest count of its echoes (valid_max): {SATURATED_COUNT:g} (10 bits) is assumed to be"
        " saturated"
    )


def _columns(source: Source, rows: slice) -> dict[str, Any]:
    count = len(range(*rows.indices(source.rows))) * PER_ROW
    waveform = source.variable("waveform")
    factor = 1.0 if waveform is None else waveform.scale[0]
    surface = source.flags("surface_type", rows)
    if source.found.get("surface_type") == CLASSIFICATION:
        known = (surface >= 0) & (surface < len(OF_CLASSIFICATION))
        surface = np.where(known, np.array(OF_CLASSIFICATION)[np.where(known, surface, 0)], -1)
    return {"scale": np.full(count, factor), "mode": np.full(count, LRM), "surface_type": surface}

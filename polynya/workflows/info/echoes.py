"""``polynya info`` for radar-altimeter echoes and tables of CPOM's processor."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ... import io
from ...errors import ProductError
from ...io.packed_netcdf import open_packed
from ...predict import runtime as predict_runtime
from ...readers import altika_sgdr, cpom_elev, echo_files
from ...readers.echo_product import file_of
from ...schema import counted
from ...schema.echoes import CLASS_NAMES, LRM, MODE_NAMES, SURFACE_TYPE_NAMES, Echoes
from .extent import extent, in_words

TABLES = (".elev",)
NETCDF = (".nc", ".nc4", ".cdf", ".sen3")


@dataclass(frozen=True, kw_only=True)
class _Track:
    """Time and place of a block of echoes, arrays of shape (n,)."""

    time: np.ndarray
    latitude: np.ndarray
    longitude: np.ndarray


def is_echoes(paths: Sequence[Path | str]) -> bool:
    """Return whether a path names a file of echoes, by the names of its variables, or a table of CPOM's processor.

    Parameters
    ----------
    paths : sequence of Path or str
        As given.
    """
    if len(paths) != 1 or "=" in str(paths[0]):
        return False
    path = file_of(paths[0])
    if path.suffix.lower() in TABLES:
        return True
    if path.suffix.lower() not in NETCDF or path.is_dir():
        return False
    try:
        with open_packed(path) as file:
            return any(reader.is_product(file.names) for reader in echo_files.READERS)
    except ProductError:
        return False


def run(path: Path | str) -> dict[str, object]:
    """Describe one file.

    Parameters
    ----------
    path : Path or str
        Of :func:`is_echoes`.

    Returns
    -------
    dict
        Plain data; ``kind`` is ``echoes`` or ``cpom_elev``.

    Raises
    ------
    ProductError
        If the file is missing or damaged, or lacks what its product must have.
    """
    if Path(path).suffix.lower() in TABLES:
        return io.plain(_table(Path(path)))
    first: Echoes | None = None
    counts: dict[str, Counter[int]] = {n: Counter() for n in ("mode", "surface_type", "surface_class")}
    tracks: list[_Track] = []
    has_classes = False
    for block in echo_files.blocks(path):
        first = block.take(slice(0, 0)) if first is None else first
        has_classes = has_classes or bool((block.product_class_flag >= 0).any())
        for name, counter in counts.items():
            counter.update(_counted(getattr(block, name)))
        tracks.append(_Track(time=block.time, latitude=block.latitude, longitude=block.longitude))
    if first is None:
        raise ProductError(f"{Path(path).name}: has no echo; expected {echo_files.EXPECTED}.")
    return io.plain(
        {
            "kind": "echoes",
            "name": first.source,
            "product": first.product,
            "mission": first.mission,
            "release": first.release,
            "is_simulated": first.is_simulated,
            "echoes": sum(t.time.size for t in tracks),
            "gates": first.gates,
            "gate_width_m": round(first.gate_width_m, 4) if np.isfinite(first.gate_width_m) else None,
            "units": first.units if first.gates else "",
            **_where(tracks),
            "modes": _named(counts["mode"], MODE_NAMES),
            "surface_types": _named(counts["surface_type"], SURFACE_TYPE_NAMES),
            "classes": _named(counts["surface_class"], CLASS_NAMES) if has_classes else {},
            "absent": [n for n in first.absent if not _is_found(n, counts)],
            "unknown_variables": list(first.unknown),
            "notes": [n.text for n in first.notes],
            "next_commands": _next(path, first, counts["mode"]),
        }
    )


def _is_found(name: str, counts: dict[str, Counter[int]]) -> bool:
    """Return whether values that a variable lacks came from elsewhere in the file: 1 Hz records, attributes, a name."""
    nothing = {"mode": 0, "surface_type": -1}
    return name in nothing and any(v != nothing[name] for v in counts[name])


def _next(path: Path | str, echoes: Echoes, modes: Counter[int]) -> list[str]:
    """Return what to run next, with what echoes of the product need to have a class."""
    more = ""
    if echoes.product == altika_sgdr.PRODUCT and not predict_runtime.is_shipped("leads"):
        more = " --lead-db DB"
    if echoes.gates and set(modes) == {LRM} and echoes.product != altika_sgdr.PRODUCT:
        more = " --network FILE.onnx"
    if (
        "sea_ice_concentration" in echoes.absent
        or "sea_ice_concentration" not in echo_files.reader_of(path).LAYOUT.names
    ):
        more += " --concentration GRID"
    return [f"polynya leads {shlex.quote(str(path))} -o leads{more}"]


def _table(path: Path) -> dict[str, object]:
    table = cpom_elev.read(path)
    return {
        "kind": "cpom_elev",
        "name": path.name,
        "echoes": len(table),
        **_where([table]),
        "classes": _named(Counter(_counted(table.surface_class)), CLASS_NAMES),
        "notes": ["classes are the output of CPOM's rule, not truth"],
        "next_commands": [],
    }


def _where(tracks: Sequence[_Track | cpom_elev.Elevations]) -> dict[str, object]:
    time, box = np.concatenate([t.time for t in tracks]), extent(tracks)
    known = time[~np.isnat(time)]
    return {
        "start": f"{np.datetime_as_string(known.min(), unit='ms')}Z" if known.size else "",
        "end": f"{np.datetime_as_string(known.max(), unit='ms')}Z" if known.size else "",
        "extent": None if box is None else [round(v, 4) for v in box],
    }


def _counted(flags: np.ndarray) -> dict[int, int]:
    values, counts = np.unique(flags, return_counts=True)
    return dict(zip(values.tolist(), counts.tolist(), strict=True))


def _named(counts: Counter[int], names: dict[int, str]) -> dict[str, int]:
    return {names.get(value, str(value)): n for value, n in sorted(counts.items())}


def as_text(about: dict[str, Any]) -> str:
    """Return the description for people."""
    lines = []

    def row(label: str, words: str) -> None:
        lines.append(f"  {label:<12}{words}")

    if about["kind"] == "cpom_elev":
        lines.append(f"{about['name']}: table of CPOM's sea-ice processor, {counted(about['echoes'], 'record')}")
    else:
        size = f"{counted(about['echoes'], 'echo')} of {about['gates']} gates" if about["gates"] else ""
        release = f", {about['release']}" if about["release"] else ""
        lines.append(
            f"{about['name']}: {echo_files.title(about['product'], mission=about['mission'])}{release},"
            f" {size or counted(about['echoes'], 'record') + ' without echoes'}"
        )
    row("time", f"{about['start']} to {about['end']}" if about["start"] else "unknown")
    if about["extent"] is not None:
        row("extent", in_words(about["extent"]))
    if about["kind"] == "echoes" and about["gates"]:
        wide = f", gates of {about['gate_width_m']} m" if about["gate_width_m"] else ""
        row("waveforms", f"{about['units']}{wide}")
    for label, key in (("modes", "modes"), ("surface", "surface_types"), ("classes", "classes")):
        if about.get(key):
            row(label, ", ".join(f"{k} {n:,}" for k, n in about[key].items()))
    for label, key in (("missing", "absent"), ("not known", "unknown_variables")):
        if about.get(key):
            row(label, _shortened(about[key]))
    for i, note in enumerate(about["notes"]):
        row("notes" if i == 0 else "", note)
    for i, command in enumerate(about["next_commands"]):
        row("next" if i == 0 else "", command)
    return "\n".join(lines)


def _shortened(names: Iterable[str], most: int = 12) -> str:
    found = list(names)
    more = f" and {len(found) - most} more" if len(found) > most else ""
    return ", ".join(found[:most]) + more

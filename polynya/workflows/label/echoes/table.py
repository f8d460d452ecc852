"""The table of labelled echoes of one file or of several: which maps belong to a file, and what comes of them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from .... import __version__, schema
from ....errors import ProductError, UsageError
from ....labels import lead_labels, nadir_values
from ....physics import altimeter_tracks, melt_months
from ....readers import altika_sgdr, echo_files, ice_concentration, lead_map
from ....schema import TableSpec
from ....schema.echoes import ECHOES, Echoes
from ....schema.lead_labels import LABEL_FLAGS, LABELLED, LABELS, labelled
from .config import Config

if TYPE_CHECKING:
    import xarray

ALIKE = ("mission", "product", "units", "waveform_fill", "saturation", "gate_width_m", "nominal_gate")
"""What all files of one table have in common, of the metadata of a table of echoes."""
USUAL_SPEED = 0.1
"""Speed of ice, m/s, with which a note says what a missing drift may cost."""
NOTED_MINUTES = 20.0
NOTED_DAYS = 2.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Track:
    """The echoes of a file, and the maps that they lie on.

    Attributes
    ----------
    path : Path
        As given.
    echoes : Echoes
    maps : tuple of lead_map.Header
        At least one.
    is_sorted : bool
        The file was not in the order of time.
    """

    path: Path
    echoes: Echoes
    maps: tuple[lead_map.Header, ...]
    is_sorted: bool = False

    @property
    def pass_id(self) -> str:
        """The pass: cycle and number where the name states them, else the name."""
        found = altika_sgdr.pass_of(self.echoes.source)
        if found is not None:
            return f"{self.echoes.mission}_{found[0]:03d}_{found[1]:04d}"
        folder = self.path if self.path.is_dir() else self.path.parent
        is_sen3 = folder.suffix.upper() == ".SEN3"
        return folder.stem if is_sen3 else self.path.stem


def read_track(path: Path, maps: Sequence[lead_map.Header], *, config: Config) -> Track:
    """Read a file of echoes and find its maps: those that hold nadir of an echo, within the largest time.

    Parameters
    ----------
    path : Path
        The file.
    maps : sequence of lead_map.Header
        All that were given.
    config : Config
        Settings.

    Raises
    ------
    ProductError
        If it has no echoes, or lies on no map, or all that it lies on are too far in time.
    """
    echoes = echo_files.read(path)
    order = altimeter_tracks.order_of(echoes.time)
    echoes = echoes if order is None else echoes.take(order)
    if echoes.gates == 0:
        raise ProductError(
            f"{path.name}: is {echo_files.title(echoes.product)}, which has no waveforms; expected echoes of AltiKa"
            " (SGDR), CryoSat-2 (L1b) or Sentinel-3 SRAL (enhanced). Give the product of level 1b."
        )
    usable = lead_labels.has_echo(echoes)
    held, hours = [], []
    for header in maps:
        inside = usable & _on_map(header, echoes)
        if inside.any():
            apart = np.abs(echoes.time[inside] - header.time) / np.timedelta64(1, "h")
            hours.append(float(apart.min()))
            if hours[-1] <= config.max_hours:
                held.append(header)
    if held:
        return Track(path=path, echoes=echoes, maps=tuple(held), is_sorted=order is not None)
    names = f"{maps[0].name}{f' and {len(maps) - 1} more' if len(maps) > 1 else ''}"
    if hours:
        raise ProductError(
            f"{path.name}: {names} lies {min(hours):.1f} h or more from its echoes in time; expected"
            f" {config.max_hours:g} h at most. Choose a map of the same hours, or pass --max-hours."
        )
    raise ProductError(
        f"{path.name}: none of its {schema.counted(len(echoes), 'echo')} lies on {names}; expected a map below the"
        " track. Choose another"
        " map or file."
    )


def _on_map(header: lead_map.Header, echoes: Echoes) -> np.ndarray:
    shape = tuple(int(n) for n in header.geobox.shape)
    found = nadir_values.at_places(
        np.broadcast_to(np.float64(1.0), shape), header.geobox, latitude=echoes.latitude, longitude=echoes.longitude
    )
    return np.isfinite(found)


def make(tracks: Sequence[Track], *, config: Config, grid: Path | None = None) -> tuple[pa.Table, TableSpec]:
    """Label tracks and join them in one table.

    Parameters
    ----------
    tracks : sequence of Track
        Of one mission and mode.
    config : Config
        Settings.
    grid : Path, optional
        File of sea-ice concentration; the product's own is used without it.

    Returns
    -------
    pyarrow.Table
        Of :func:`polynya.schema.lead_labels.labelled`; its metadata hold what is one per file, the counts, the maps and
        the notes.
    TableSpec

    Raises
    ------
    ProductError
        If a map or the grid cannot be used.
    UsageError
        If tracks of different products go into one table.
    """
    ice = None if grid is None else ice_concentration.read(grid)
    read: dict[Path, lead_map.LeadMap] = {}
    tables, notes, used = [], [], {}
    for track in tracks:
        for header in track.maps:
            if header.path not in read:
                read[header.path] = lead_map.read(header, lead_classes=config.lead_class)
        maps = [read[h.path] for h in track.maps]
        read = {h.path: read[h.path] for h in track.maps}  # no more maps in memory than a track needs
        used |= {m.header.path: m for m in maps}
        share, words = _concentration(track.echoes, ice)
        found = lead_labels.label(track.echoes, maps, rule=config.rule(), concentration=share)
        tables.append(_table(track, found))
        notes += [*words, *_notes(maps, config), *_far_in_time(track, ice)]
        notes += [f"{track.path.name} is not in the order of time: its echoes were sorted"] if track.is_sorted else []
    about = _about([t.schema.metadata for t in tables], [t.path.name for t in tracks], config)
    whole = pa.concat_tables([t.replace_schema_metadata(None) for t in tables]).unify_dictionaries()
    notes += [*_drift_note(whole, config), *_season_note(whole)]
    counts = {n: _counts(whole, n, names) for n, names in (("label", LABELS), ("label_flag", LABEL_FLAGS))}
    about |= {"label_counts": counts["label"], "flag_counts": counts["label_flag"]}
    about |= {"lead_maps": [_described(m) for m in used.values()], "label_notes": list(dict.fromkeys(notes))}
    spec = labelled(_spec_of(whole))
    return whole.cast(spec.schema(about=about)), spec


def _spec_of(table: pa.Table) -> TableSpec:
    kind = table.schema.field("waveform").type
    rows = [replace(v, dtype=kind) if v.name == "waveform" else v for v in ECHOES.variables]
    return replace(ECHOES, variables=tuple(rows))


def _table(track: Track, found: lead_labels.EchoLabels) -> pa.Table:
    table = track.echoes.to_table()
    columns = {"pass_id": [track.pass_id] * len(track.echoes), **found.columns()}
    spec = labelled(_spec_of(table))
    more = [spec[n].field() for n in columns]
    for field in more:
        values = columns[field.name]
        array = pa.array(values, pa.string()).dictionary_encode() if field.name == "pass_id" else pa.array(values)
        table = table.append_column(field, array.cast(field.type))
    return table


def _concentration(echoes: Echoes, ice: xarray.Dataset | None) -> tuple[np.ndarray | None, list[str]]:
    """Return the share of ice at nadir, None where nothing states it, and what is to be said."""
    if ice is not None:
        values = 0.01 * ice[ice_concentration.NAME].to_numpy().astype(np.float64)
        geobox = ice_concentration.geobox_of(ice)
        return (
            nadir_values.at_places(values, geobox, latitude=echoes.latitude, longitude=echoes.longitude),
            [],
        )
    if np.isfinite(echoes.sea_ice_concentration).any():
        return echoes.sea_ice_concentration, []
    return None, ["no sea-ice concentration: open ocean is labelled too (pass --concentration GRID)"]


def _notes(maps: Sequence[lead_map.LeadMap], config: Config) -> list[str]:
    notes = [n.text for m in maps for n in m.header.notes]
    for held in maps:
        name, pixel = held.header.name, abs(held.header.geobox.affine.a)
        if not held.has_lead:
            notes.append(f"{name} has no lead pixel: its echoes are no_lead, without a distance")
        if pixel > 0.5 * config.threshold_m:
            notes.append(f"{name} has pixels of {pixel:.0f} m, more than half of the threshold")
    return notes


def _far_in_time(track: Track, ice: xarray.Dataset | None) -> list[str]:
    """Return that a grid of concentration is of another day than the echoes."""
    stated = "" if ice is None else str(ice.attrs.get("time", ""))
    known = track.echoes.time[~np.isnat(track.echoes.time)]
    try:
        when = np.datetime64(stated.removesuffix("Z") or "NaT", "ns")
    except ValueError:  # a tag that is no time
        return []
    if np.isnat(when) or not known.size:
        return []
    apart = np.abs(np.median((known - when) / np.timedelta64(1, "D")))
    if apart <= NOTED_DAYS:
        return []
    return [
        f"the sea-ice concentration is {apart:.0f} days from the echoes of {track.path.name}: take one of their day"
    ]


def _season_note(table: pa.Table) -> list[str]:
    """Return that echoes with a label lie in the months of melt."""
    time = np.asarray(table["time"].cast(pa.timestamp("ns"))).astype("datetime64[ns]")
    latitude = schema.to_numpy(table["latitude"])
    is_labelled = schema.to_numpy(table["label_flag"]) == LABELLED
    n = int((melt_months.is_melt_season(time, latitude) & is_labelled).sum())
    if not n:
        return []
    return [
        f"{schema.counted(n, 'labelled echo')} {'lies' if n == 1 else 'lie'} in the melt season: ponds look like"
        " leads, in images and echoes"
    ]


def _drift_note(table: pa.Table, config: Config) -> list[str]:
    """Return what a missing drift may cost, where maps and echoes are some time apart."""
    lag = np.abs(schema.to_numpy(table["map_time_lag"]))[schema.to_numpy(table["label_flag"]) == LABELLED]
    minutes = float(np.median(lag)) / 60.0 if lag.size else 0.0
    if minutes < NOTED_MINUTES or config.has_drift:
        return []
    moved = 60.0 * minutes * USUAL_SPEED
    return [
        f"maps are {minutes:.0f} min from the echoes (median) and no drift is given: ice at {USUAL_SPEED} m/s moves"
        f" {moved:.0f} m in that time (see --drift)"
    ]


def _about(metadata: Sequence[dict[bytes, bytes]], names: Sequence[str], config: Config) -> dict[str, object]:
    """Return the metadata of the table: those of its files where they are equal, joined where they may differ."""
    each = [{k.decode(): v.decode() for k, v in m.items()} for m in metadata]
    first = each[0]
    for about, name in zip(each, names, strict=True):
        other = next((n for n in ALIKE if about.get(n) != first.get(n)), None)
        if other is not None:
            raise UsageError(
                f"{name}: its {other} is {about.get(other)}, that of {names[0]} {first.get(other)}; expected files of"
                " one kind in a table. Give -o a folder: then every file has a table of its own."
            )
    merged: dict[str, object] = {k: v for k, v in first.items() if k not in ("polynya_table", "datum")}
    for key in ("notes", "remarks", "unknown_variables", "absent_columns"):
        lists = [json.loads(a.get(key, "[]")) for a in each]
        merged[key] = [json.loads(t) for t in dict.fromkeys(json.dumps(v) for values in lists for v in values)]
    if len(each) > 1:
        merged["remarks"] = [n for n in merged["remarks"] if n.get("code") != "pass"]
        merged["notes"] = [n["text"] for n in merged["remarks"]]
        merged["release"] = " ".join(sorted({a.get("release", "") for a in each} - {""}))
        merged["source"] = f"{names[0]} and {len(each) - 1} more"
    vector = config.drift or config.drift_xy or config.drift_velocity
    kind = "drift_xy_m" if config.drift_xy else "drift_velocity_m_s" if config.drift_velocity else "drift_east_north_m"
    return merged | {
        "polynya": __version__,
        "sources": list(names),
        "threshold_m": config.threshold_m,
        "ambiguous_to_m": lead_labels.BELT * config.threshold_m,
        "circle_m": lead_labels.CIRCLE_M,
        "max_hours": config.max_hours,
        "min_concentration_percent": config.min_concentration,
        **({} if vector is None else {kind: list(vector)}),
    }


def _described(held: lead_map.LeadMap) -> dict[str, object]:
    header = held.header
    return {
        "name": header.name,
        "time": f"{np.datetime_as_string(header.time, unit='s')}Z",
        "crs": str(header.geobox.crs),
        "pixel_m": abs(float(header.geobox.affine.a)),
        "was_warped": header.is_warped,
        "lead_classes": list(held.lead_classes),
        "lead_share": round(float((held.states == lead_map.LEAD).sum() / (held.states != lead_map.NO_DATA).sum()), 5),
    }


def _counts(table: pa.Table, column: str, names: Sequence[tuple[int, str]]) -> dict[str, int]:
    found = Counter(schema.to_numpy(table[column]).tolist())
    return {name: int(found.get(value, 0)) for value, name in names}

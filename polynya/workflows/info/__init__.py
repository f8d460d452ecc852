"""What a granule is, without reading its heights: product, release, beams, extent, time, counts, what is missing.

Only small variables are read: those of the 20 m segments (ATL03) or of the segments (ATL07, ATL10).
Photons are counted by the shape of their arrays.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import h5py
import numpy as np

from ... import io
from ...errors import ProductError
from ...readers import icesat2, icesat2_atl03, icesat2_atl07, icesat2_atl10, icesat2_releases
from . import echo_folder, echoes, imagettes, outlines, radar, scene, sea_ice
from .extent import extent, in_words
from .next_command import MEDIUM, Prospect, prospect
from .records import BeamInfo, Info

__all__ = ["BeamInfo", "Info", "as_json", "as_text", "describe", "extent", "parts", "run"]

READERS = {r.PRODUCT: r for r in (icesat2_atl03, icesat2_atl07, icesat2_atl10)}
CHEAP_PHOTONS = 2_000_000
"""Confidences are counted in beams of up to this many photons: larger ones would make the command slow."""
REQUIRED = {
    "ATL07": {f"{icesat2_atl07.LAYOUT[v.group]}/{v.name}" for v in icesat2_atl07.VARIABLES if v.required},
    "ATL10": {
        f"{layout[v.group]}/{v.name}"
        for layout in (icesat2_atl10.LAYOUT_006, icesat2_atl10.LAYOUT_003)
        for v in icesat2_atl10.SEGMENTS
        if v.required
    },
}
"""Variables without which a beam of NASA's products cannot be verified."""
MSS_FLAG = 3
"""``dem_flag`` where ``dem_h`` is the mean sea surface."""


@dataclass(frozen=True, kw_only=True)
class _Track:
    """Time and place of one beam's segments, arrays of shape (n,), NaN where the file holds fill."""

    seconds: np.ndarray
    latitude: np.ndarray
    longitude: np.ndarray


def parts(files: Sequence[str]) -> list[list[str]]:
    """Return what is described by itself: every file that is a product of its own; the others together are one scene.

    Parameters
    ----------
    files : sequence of str
        As given. A folder of radar products, such as ``polynya simulate s1-ew`` makes, stands for these.
    """
    given = [f for name in files for f in _inside(name)]
    alone = [f for f in given if _is_alone(f)]
    scene_files = [f for f in given if f not in alone]
    return [*([f] for f in alone), *([scene_files] if scene_files else [])]


def _is_alone(name: str) -> bool:
    if outlines.is_outlines([name]):
        return True
    if scene.is_alone(name):
        return False
    if Path(name).suffix.lower() in scene.TILE_SETS or radar.is_product(name) or imagettes.is_product(name):
        return True
    if echoes.is_echoes([name]) or echo_folder.is_folder([name]):
        return True
    return Path(name).suffix.lower() != ".tif" and sea_ice.is_sea_ice([name])


def _inside(name: str) -> list[str]:
    """Return the radar products of a folder that is no product itself, or the name."""
    folder = Path(name)
    if "=" in name or radar.is_product(name) or imagettes.is_product(name) or not folder.is_dir():
        return [name]
    return sorted(str(p) for p in folder.iterdir() if radar.is_product(str(p))) or [name]


def describe(part: Sequence[str]) -> tuple[dict[str, object], str]:
    """Describe one granule, radar product, tile set, scene, inventory, ice chart, grid, file or folder of echoes, or
    set of imagettes.

    Parameters
    ----------
    part : sequence of str
        Of :func:`parts`.

    Returns
    -------
    about : dict
        For machines.
    text : str
        For people.

    Raises
    ------
    ProductError
        If a file is damaged, or none of these.
    UsageError
        If several files are given that cannot be one scene.
    """
    if outlines.is_outlines(part):
        about = outlines.run(part[0])
        return about, outlines.as_text(about)
    if scene.is_alone(part[0]):
        about = scene.run(part)
        return about, scene.as_text(about)
    if imagettes.is_imagettes(part):
        imagettes_about = imagettes.run(part[0])
        return imagettes_about, imagettes.as_text(imagettes_about)
    if len(part) == 1 and radar.is_product(part[0]):
        radar_about = radar.run(part[0])
        return radar_about, radar.as_text(radar_about)
    if echoes.is_echoes(part):
        echoes_about = echoes.run(part[0])
        return echoes_about, echoes.as_text(echoes_about)
    if echo_folder.is_folder(part):
        folder_about = echo_folder.run(part[0])
        return folder_about, echo_folder.as_text(folder_about)
    if sea_ice.is_sea_ice(part):
        about = sea_ice.run(part[0])
        return about, sea_ice.as_text(about)
    if scene.is_scene(part):
        about = scene.run(part)
        return about, scene.as_text(about)
    found = run(Path(part[0]))
    return as_json(found), as_text(found)


def run(path: Path | str) -> Info:
    """Describe a granule.

    Parameters
    ----------
    path : Path or str
        ATL03, ATL07 or ATL10, whole or a subset.

    Returns
    -------
    Info

    Raises
    ------
    ProductError
        If the file is damaged, or none of these products.
    """
    granule = icesat2.open_granule(path)
    path = granule.path
    if granule.product not in READERS:
        raise ProductError(
            f"{path.name}: holds {granule.product or 'no ICESat-2 product that is known here'}; info expected"
            f" {', '.join(READERS)}. Give one of these granules."
        )
    describe = {"ATL03": _atl03, "ATL07": _atl07, "ATL10": _atl10}[granule.product]
    missing: list[str] = []
    beams, tracks = [], []
    with icesat2.open_hdf5(path) as handle, icesat2.reading(path, "the file's contents"):
        missing += [g for g in ("orbit_info", "ancillary_data") if g not in handle]
        missing += [f"beam {b}" for b in icesat2.BEAM_NAMES if b not in granule.beams]
        for beam in granule.beams.values():
            found, track = describe(handle, granule, beam)
            beams.append(found)
            tracks.append(track)
        simulation = _simulation(handle) if granule.is_simulated else {}
    empty = [b.name for b in beams if not any(b.counts.values())]
    notes = [
        *(n.text for n in granule.notes if n.code != "beams_missing"),
        *([f"no data in {', '.join(empty)}"] if empty else []),
    ]
    outlook = None
    if granule.product == "ATL03":
        notes += _advice(beams)
        outlook = prospect(granule) if _has_sea_ice(beams) else Prospect(is_possible=False)
        if outlook.reason:
            notes.append(
                f"polynya freeboard needs {' '.join(outlook.options)}: {outlook.reason}"
                if outlook.is_possible
                else f"polynya freeboard would refuse this granule: {outlook.reason}"
            )
    start, end = _times(tracks)
    return Info(
        path=path,
        size_bytes=path.stat().st_size,
        product=granule.product,
        release=granule.release,
        granule_id=granule.granule_id,
        is_release_checked=granule.release in READERS[granule.product].CHECKED,
        doi=icesat2_releases.doi(granule.product, granule.release),
        reference_frame=icesat2_releases.datum(granule.release),
        tide_model=icesat2_releases.tide_model(granule.release),
        orientation=icesat2.ORIENTATIONS.get(granule.orientation, "unknown"),
        orientation_source=granule.orientation_source,
        is_simulated=granule.is_simulated,
        simulation=simulation,
        start=start,
        end=end,
        extent=extent(tracks),
        beams=tuple(beams),
        missing=tuple(missing),
        notes=tuple(notes),
        next_commands=_next(granule, beams, outlook),
    )


def _times(tracks: Sequence[_Track]) -> tuple[str, str]:
    seconds = np.concatenate([t.seconds for t in tracks]) if tracks else np.empty(0)
    seconds = seconds[np.isfinite(seconds)]
    if not seconds.size:
        return "", ""
    first, last = icesat2.utc(np.array([seconds.min(), seconds.max()])).astype("datetime64[us]")
    return ("" if np.isnat(first) else f"{first}Z"), ("" if np.isnat(last) else f"{last}Z")


def _simulation(handle: h5py.File) -> dict[str, object]:
    words = icesat2.attribute(handle, "polynya_simulation")
    try:
        settings = json.loads(words)
    except ValueError:
        return {"settings": words}
    return settings if isinstance(settings, dict) else {"settings": settings}


def _track(handle: h5py.File, path: Path, *, seconds: str, latitude: str, longitude: str) -> _Track:
    """Read three variables; any that is missing, or of another length, gives no points."""
    arrays = [
        icesat2.values(handle, path, n).ravel() if n in handle else np.empty(0) for n in (seconds, latitude, longitude)
    ]
    if arrays[1].shape != arrays[2].shape:
        arrays[1] = arrays[2] = np.empty(0)
    seconds, latitude, longitude = arrays
    return _Track(seconds=seconds, latitude=latitude, longitude=longitude)


def _rows(handle: h5py.File, name: str) -> int:
    node = handle.get(name)
    return int(node.shape[0]) if isinstance(node, h5py.Dataset) and node.shape else 0


def _strength(granule: icesat2.Granule, beam: icesat2.Beam) -> str:
    return (
        "unknown" if granule.orientation not in icesat2.STRONG_WHEN and not beam.spot else icesat2.strength_name(beam)
    )


def _atl03(handle: h5py.File, granule: icesat2.Granule, beam: icesat2.Beam) -> tuple[BeamInfo, _Track]:
    path, name = granule.path, beam.name
    counts = {
        "photons": _rows(handle, f"{name}/heights/h_ph"),
        "geosegments": _rows(handle, f"{name}/geolocation/ph_index_beg"),
    }
    shares: dict[str, float] = {}
    fields = (*icesat2_atl03.PHOTONS, *icesat2_atl03.GEOSEGMENTS)
    missing = [f.path for f in fields if f"{name}/{f.path}" not in handle]
    for group in ("heights", "geolocation", "geophys_corr"):
        if f"{name}/{group}" not in handle:
            missing = [m for m in missing if not m.startswith(f"{group}/")] + [group]
    if "geolocation" in missing and "heights" in missing:
        missing = [m for m in missing if m != "geophys_corr"]
    if f"{name}/bckgrd_atlas" not in handle:
        missing.append("bckgrd_atlas")
    if f"ancillary_data/calibrations/first_photon_bias/{name}" not in handle:
        missing.append("CAL-19 first-photon bias")
    for key, variable, column, value in (
        ("sea_ice", "geolocation/surf_type", icesat2_atl03.SEA_ICE, 1),
        ("mean_sea_surface", "geophys_corr/dem_flag", None, MSS_FLAG),
    ):
        if _rows(handle, f"{name}/{variable}"):
            flags = icesat2.values(handle, path, f"{name}/{variable}", kind="i")
            if column is not None:
                flags = flags[:, column]
            shares[key] = float(np.mean(flags == value))
    flag = f"{name}/geolocation/podppd_flag"
    if _rows(handle, flag) and (bad := float(np.mean(icesat2.values(handle, path, flag, kind="i") != 0))):
        shares["degraded"] = bad
    confidence = f"{name}/heights/signal_conf_ph"
    if 0 < _rows(handle, confidence) <= CHEAP_PHOTONS:
        node = icesat2.dataset(handle, path, confidence, kind="i")
        with icesat2.reading(path, confidence):
            counts["photons_of_medium_or_high_confidence"] = int(np.sum(node[:, icesat2_atl03.SEA_ICE] >= MEDIUM))
    where = f"{name}/geolocation"
    track = _track(
        handle,
        path,
        seconds=f"{where}/delta_time",
        latitude=f"{where}/reference_photon_lat",
        longitude=f"{where}/reference_photon_lon",
    )
    return BeamInfo(
        name=name,
        strength=_strength(granule, beam),
        spot=beam.spot,
        counts=counts,
        shares=shares,
        missing=tuple(missing),
    ), track


def _atl07(handle: h5py.File, granule: icesat2.Granule, beam: icesat2.Beam) -> tuple[BeamInfo, _Track]:
    path, name, layout = granule.path, beam.name, icesat2_atl07.LAYOUT
    where = f"{name}/{layout['segments']}"
    counts = {"segments": _rows(handle, f"{where}/delta_time")}
    types = f"{name}/{layout['heights']}/height_segment_type"
    if _rows(handle, types):
        kinds = icesat2.values(handle, path, types, kind="i")
        counts["specular_leads"] = int(np.sum((kinds >= 2) & (kinds <= 5)))
        counts["dark_leads"] = int(np.sum((kinds >= 6) & (kinds <= 9)))
    flag = f"{name}/{layout['heights']}/height_segment_ssh_flag"
    if _rows(handle, flag):
        counts["sea_surface_segments"] = int(np.sum(icesat2.values(handle, path, flag, kind="i") == 1))
    missing = _missing(handle, name, icesat2_atl07.VARIABLES, layout) if counts["segments"] else [layout["segments"]]
    histogram = "hist_photon_heights"
    if counts["segments"] and any(m.endswith(histogram) for m in missing):
        missing = [m for m in missing if "/hist_photon" not in m] + ["photon-height histograms"]
    track = _track(
        handle, path, seconds=f"{where}/delta_time", latitude=f"{where}/latitude", longitude=f"{where}/longitude"
    )
    return BeamInfo(
        name=name, strength=_strength(granule, beam), spot=beam.spot, counts=counts, shares={}, missing=tuple(missing)
    ), track


def _atl10(handle: h5py.File, granule: icesat2.Granule, beam: icesat2.Beam) -> tuple[BeamInfo, _Track]:
    path, name = granule.path, beam.name
    layouts = (icesat2_atl10.LAYOUT_006, icesat2_atl10.LAYOUT_003)
    layout = next(
        (lay for lay in layouts if f"{name}/{lay['segments']}" in handle or f"{name}/{lay['sections']}" in handle),
        layouts[0],
    )
    where = f"{name}/{layout['segments']}"
    counts = {
        "segments": _rows(handle, f"{where}/delta_time"),
        "freeboards": 0,
        "leads": _rows(handle, f"{name}/{layout['leads']}/lead_height"),
        "sections": _rows(handle, f"{name}/{layout['sections']}/beam_refsurf_height"),
        "sections_with_sea_surface": 0,
    }
    for key, variable in (
        ("freeboards", f"{where}/beam_fb_height"),
        ("sections_with_sea_surface", f"{name}/{layout['sections']}/beam_refsurf_height"),
    ):
        if _rows(handle, variable):
            counts[key] = int(np.isfinite(icesat2.values(handle, path, variable)).sum())
    missing = _missing(handle, name, icesat2_atl10.SEGMENTS, layout) if counts["segments"] else [layout["segments"]]
    missing += [role for role in ("leads", "sections") if not counts[role]]
    if not counts["segments"] and counts["leads"]:  # a subset keeps the whole granule's leads
        where = f"{name}/{layout['leads']}"
    track = _track(
        handle, path, seconds=f"{where}/delta_time", latitude=f"{where}/latitude", longitude=f"{where}/longitude"
    )
    return BeamInfo(
        name=name, strength=_strength(granule, beam), spot=beam.spot, counts=counts, shares={}, missing=tuple(missing)
    ), track


def _missing(handle: h5py.File, beam: str, variables: Sequence[object], layout: dict[str, str]) -> list[str]:
    """Return required variables that are not there, and optional ones by the group's path."""
    out = []
    for v in variables:
        names = (v.name, *v.other_names)
        if not any(f"{beam}/{layout[v.group]}/{n}" in handle for n in names):
            out.append(f"{layout[v.group]}/{v.name}")
    return out


def _has_sea_ice(beams: Sequence[BeamInfo]) -> bool:
    """Return whether a beam of ATL03 has 20 m segments of sea ice and, where they were counted, photons on them."""
    return any(
        b.counts["photons"]
        and b.shares.get("sea_ice") != 0.0
        and b.counts.get("photons_of_medium_or_high_confidence") != 0
        for b in beams
    )


def _advice(beams: Sequence[BeamInfo]) -> list[str]:
    """Say what will keep an ATL03 granule from giving freeboard."""
    notes = []
    full = [b for b in beams if b.counts["photons"]]
    if full and not _has_sea_ice(full):
        notes.append(
            "no sea ice: no beam has 20 m segments marked as sea ice that hold photons of medium or high sea-ice"
            " confidence"
        )
    degraded = [b.name for b in full if "degraded" in b.shares]
    if degraded:
        notes.append(
            f"orbit or pointing is degraded in parts of {', '.join(degraded)} (podppd_flag): left out unless"
            " --keep-degraded is given"
        )
    low = [b.name for b in full if b.shares.get("mean_sea_surface", 0.0) < 1.0]
    if low:
        notes.append(
            f"dem_h is not everywhere the mean sea surface on {', '.join(low)}: the geoid stands in there and is"
            " flagged, or pass --mss GRID"
        )
    return notes


def _next(granule: icesat2.Granule, beams: Sequence[BeamInfo], outlook: Prospect | None) -> tuple[str, ...]:
    file = granule.path.name
    if outlook is not None:
        if not outlook.is_possible:
            return ()
        first = " ".join([f"polynya freeboard {file} -o OUT", *outlook.options])
        if granule.is_simulated and granule.path.with_name(f"{granule.path.stem}_truth.parquet").is_file():
            return (first, f"polynya evaluate OUT/{granule.path.stem} --reference {granule.path.stem}_truth.parquet")
        return (first,)
    full = [b for b in beams if b.counts["segments"]]
    if not full or any(REQUIRED[granule.product] & set(b.missing) for b in full):
        return ()
    if granule.product == "ATL07":
        has_histograms = any(b.counts["segments"] and "photon-height histograms" not in b.missing for b in beams)
        draw = f"polynya simulate atl03 OUT.h5 --from-atl07 {file}"
        can_draw = has_histograms and granule.orientation != 2
        return (f"polynya verify {file}", draw) if can_draw else (f"polynya verify {file}",)
    return (f"polynya verify {file}",)


def as_json(info: Info) -> dict[str, object]:
    """Return the description for machines."""
    return io.plain(asdict(info))


def as_text(info: Info) -> str:
    """Return the description for people."""
    release = (
        f"release {info.release}" + ("" if info.is_release_checked else " (not checked on real files)")
        if info.release
        else "release unknown"
    )
    lines = [
        f"{info.path.name}: {info.product}, {release}, {info.size_bytes / 1e6:.1f} MB"
        + (", simulated: not a measurement" if info.is_simulated else "")
    ]

    def row(label: str, words: str) -> None:
        lines.append(f"  {label:<12}{words}")

    row("frame", f"{info.reference_frame.split(';')[0]}; tides {info.tide_model}")
    if info.doi:
        row("doi", info.doi)
    row("orientation", f"{info.orientation} (from {info.orientation_source})")
    row("time", f"{info.start} to {info.end}" if info.start else "unknown: no beam holds data")
    if info.extent:
        row("extent", in_words(info.extent))
    for i, beam in enumerate(info.beams):
        counts = ", ".join(_counted(n, k.replace("_", " ")) for k, n in beam.counts.items())
        shares = "".join(f", {100 * v:.0f} % {k.replace('_', ' ')}" for k, v in beam.shares.items())
        spot = f"spot {beam.spot}" if beam.spot else "spot unknown"
        row("beams" if i == 0 else "", f"{beam.name} {beam.strength:<7} {spot}  {counts}{shares}")
    full = [b for b in info.beams if any(b.counts.values())]
    common = set.intersection(*(set(b.missing) for b in full)) if full else set()
    everywhere = [m for m in (full[0].missing if full else ()) if m in common]
    partial = [b for b in full if any(m not in common for m in b.missing)]
    row("missing", _shortened([*info.missing, *everywhere]) or ("see below" if partial else "nothing"))
    for beam in partial:
        row("", f"{beam.name}: {_shortened([m for m in beam.missing if m not in common])}")
    for i, note in enumerate(info.notes):
        row("notes" if i == 0 else "", note)
    for i, command in enumerate(info.next_commands):
        row("next" if i == 0 else "", command)
    return "\n".join(lines)


def _counted(n: int, words: str) -> str:
    """Return a count of beams' contents, which are named in the plural."""
    if n != 1:
        return f"{n:,} {words}"
    first, _, rest = words.partition(" of ")
    return f"1 {first.removesuffix('s')}" + (f" of {rest}" if rest else "")


def _shortened(names: Sequence[str]) -> str:
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")

"""``polynya info`` for scenes and tile sets: what the headers state; no pixel of the images is read."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ... import io
from ...errors import ProductError
from ...io import archives, opening
from ...physics.swath import Swath
from ...readers import glacier_tiles, landsat, sentinel2_scene, stac_item
from ...readers.scene_layer import Source, pixel_metres
from ...scenes import scene as glacier_scene
from ...scenes.scene import Scene
from ...schema import counted
from ..glaciers import DEFAULT
from .extent import extent, in_words

TILE_SETS = (".h5", ".hdf5")
RASTERS = (".tif", ".tiff", ".json", ".vrt", ".jp2", ".hgt", ".img")


def is_scene(paths: Sequence[Path | str]) -> bool:
    """Return whether paths name a scene or a tile set, and no ICESat-2 granule."""
    first = Path(paths[0])
    return (
        len(paths) > 1
        or first.is_dir()
        or "=" in str(paths[0])
        or first.suffix.lower() in RASTERS
        or is_alone(paths[0])
        or first.name.lower().endswith(archives.ENDINGS)
        or (first.suffix.lower() in TILE_SETS and _is_tile_set(first))
    )


def is_alone(path: Path | str) -> bool:
    """Return whether a path names a scene by its content, whatever it is called: an archive or a place in one that
    holds no radar product, a product's metadata, a STAC item.

    Parameters
    ----------
    path : Path or str
        As given.
    """
    file = Path(path)
    if file.name.upper().startswith("S1"):
        return False
    found = archives.split(file) if not file.is_dir() else None
    if found is not None:
        return not _holds_radar(found[0])
    if landsat.is_metadata(file.name) or sentinel2_scene.is_metadata(file.name):
        return file.is_file()
    return file.suffix.lower() in (".json", ".geojson") and file.is_file() and stac_item.is_item(file)


def _holds_radar(archive: Path) -> bool:
    """Return whether an archive holds the annotation of a radar product; False where it cannot be listed."""
    try:
        return any("annotation" in p.parts for p in archives.files_below(archive))
    except ProductError:
        return False


def _is_tile_set(path: Path) -> bool:
    import h5py

    try:
        with opening.open_hdf5(path) as file:
            return any(isinstance(group, h5py.Group) and "outlines" in group for group in file.values())
    except (ProductError, OSError):
        return False


def run(paths: Sequence[Path | str]) -> dict[str, object]:
    """Describe a scene or a tile set.

    Parameters
    ----------
    paths : sequence of Path or str
        As ``polynya glaciers`` takes them; or one HDF5 file of tiles.

    Returns
    -------
    dict
        Plain data: ``kind`` (``scene`` or ``tiles``) and what is known of it.

    Raises
    ------
    ProductError
        If a file is missing, damaged, or its content cannot be determined.
    UsageError
        If a sensor is given twice.
    """
    first = Path(paths[0])
    return _tiles(first) if len(paths) == 1 and first.suffix.lower() in TILE_SETS else _scene(paths)


def _scene(paths: Sequence[Path | str]) -> dict[str, object]:
    scene = glacier_scene.open_scene(list(paths))
    west, south, east, north = (round(v, 4) for v in _extent(scene))
    sensors = [_sensor(scene, source) for source in scene.sources]
    words = shlex.join(str(p) for p in paths)
    return io.plain(
        {
            "kind": "scene",
            "name": scene.name,
            "time": _time(scene.time),
            "region": scene.region,
            "extent": [west, south, east, north],
            "crs": str(scene.geobox.crs),
            "shape": list(scene.shape),
            "sun_elevation": scene.sun_elevation,
            "simulated": scene.is_simulated,
            "sensors": sensors,
            "notes": [n.text for n in scene.notes],
            "next_commands": [
                f"polynya glaciers {words} -o OUT  (network {DEFAULT}; --network rule for the classical rule)",
                *_for_sea_ice(paths, scene),
            ],
        }
    )


def _for_sea_ice(paths: Sequence[Path | str], scene: glacier_scene.Scene) -> list[str]:
    """Return the command for an image of three colours of sea ice; none for several files, or without the colours."""
    image = scene.table.name_of("reflectance")
    colours = [k for k, b in enumerate(scene.table[image].bands) if b.name in ("red", "green", "blue")]
    if len(paths) > 1 or image not in scene.sensors or not all(scene.has_band(image, k) for k in colours):
        return []
    return [f"polynya seaice {shlex.quote(str(paths[0]))} -o OUT  (where the image shows sea ice)"]


@dataclass(frozen=True, kw_only=True)
class _Lattice:
    """Positions spread over a scene, degrees, arrays of one shape."""

    latitude: np.ndarray
    longitude: np.ndarray


def _extent(scene: Scene) -> tuple[float, float, float, float]:
    """Return west, south, east, north of a scene; west is larger than east across the antimeridian."""
    from pyproj import Transformer

    grid, (rows, columns) = scene.geobox.affine, scene.shape
    across, down = np.meshgrid(np.linspace(0, columns, 33), np.linspace(0, rows, 33))
    to_degrees = Transformer.from_crs(scene.geobox.crs.to_wkt(), "EPSG:4326", always_xy=True)
    longitude, latitude = to_degrees.transform(grid.c + grid.a * across, grid.f + grid.e * down)
    return extent([_Lattice(latitude=latitude, longitude=longitude)]) or (np.nan,) * 4


def _sensor(scene: Scene, source: Source) -> dict[str, object]:
    grid = source.grid
    if isinstance(grid, Swath):
        wide, high, crs = *grid.pixel_m, "swath"
    else:
        wide, high = (float(v[0]) for v in pixel_metres(grid, np.array([grid.shape[0] / 2])))
        crs = str(grid.crs)
    names = scene.table[source.sensor].band_names
    return {
        "sensor": source.sensor,
        "product": source.product,
        "bands": [b for b, layer in zip(names, source.bands, strict=True) if layer is not None],
        "time": _time(source.time),
        "shape": [int(n) for n in grid.shape],
        "pixel_m": [round(wide, 2), round(high, 2)],
        "crs": crs,
        "knows_clouds": source.cloud is not None,
    }


def _tiles(path: Path) -> dict[str, object]:
    found = glacier_tiles.open_tiles(path)
    sensors = Counter(s for t in found for s in t.sensors)
    return io.plain(
        {
            "kind": "tiles",
            "name": path.name,
            "size_bytes": path.stat().st_size,
            "tiles": len(found),
            "scenes": len({t.scene for t in found}),
            "regions": dict(Counter(t.region or "unknown" for t in found)),
            "sensors": dict(sensors),
            "pixels": sum(t.shape[0] * t.shape[1] for t in found),
            "simulated": sum(t.is_simulated for t in found),
            "scaled_as_published": sum(t.is_scaled for t in found),
            "next_commands": [
                f"polynya train glavitu-small --data {shlex.quote(str(path))} -o OUT"
                + (" --split block" if len({t.scene for t in found}) < 4 else "")
            ],
        }
    )


def _time(time: np.datetime64 | None) -> str:
    return "" if time is None else f"{np.datetime_as_string(time, unit='s')}Z"


def as_text(about: dict[str, object]) -> str:
    """Return the description for people."""
    lines: list[str] = []

    def row(label: str, words: str) -> None:
        lines.append(f"  {label:<12}{words}")

    if about["kind"] == "tiles":
        lines.append(
            f"{about['name']}: {counted(about['tiles'], 'tile')} of {counted(about['scenes'], 'scene')},"
            f" {about['size_bytes'] / 1e6:.1f} MB"
            + (", simulated: no measurement" if about["simulated"] == about["tiles"] else "")
        )
        row("regions", ", ".join(f"{k} {v}" for k, v in about["regions"].items()))
        row("sensors", ", ".join(f"{k} in {v}" for k, v in about["sensors"].items()))
        row(
            "pixels", f"{about['pixels']:,}" + (", scaled as the published set" if about["scaled_as_published"] else "")
        )
    else:
        rows, columns = about["shape"]
        lines.append(f"{about['name']}: scene of {rows} x {columns} pixels, {about['crs']}")
        row("time", about["time"] or "unknown")
        row("region", about["region"] or "not given")
        row("extent", in_words(about["extent"]))
        for i, s in enumerate(about["sensors"]):
            same = (
                ""
                if s["shape"] == about["shape"] and s["crs"] == about["crs"]
                else f", grid of its own: {s['shape'][0]} x {s['shape'][1]}, {s['crs']}"
            )
            row(
                "sensors" if i == 0 else "",
                f"{s['sensor']:<15}{s['product']}, {len(s['bands'])} bands ({', '.join(s['bands'])}),"
                f" {s['pixel_m'][0]:g} x {s['pixel_m'][1]:g} m{same}" + (", knows clouds" if s["knows_clouds"] else ""),
            )
        for i, note in enumerate(about["notes"]):
            row("notes" if i == 0 else "", note)
    for i, command in enumerate(about["next_commands"]):
        row("next" if i == 0 else "", command)
    return "\n".join(lines)

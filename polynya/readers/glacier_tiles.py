"""Sets of training tiles in HDF5, the published one and our own: read in windows, written a tile at a time.

One group per tile; datasets (H, W, C): sensors, one-hot ``outlines``. The published set (doi:10.11582/2024.00168) has
float64, fills with 0, pads to multiples of 384 and lies in EPSG:4326; its inputs are scaled to 0..1 by the constants of
the published model (recognised by the values, and undone to about 0.01 in reflectance, since its least reflectances
were not published exactly). Ours store float32 in physical units with NaN, chunks, and ``crs``, ``transform``,
``scene`` and ``strata`` besides. Files are opened for each window, so records travel to other processes. Checked on no
published file yet (487 GB): on files that the tests write in its layout.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import OutputError, ProductError, UsageError, one_line
from ..io import opening
from ..sensors import UNLABELLED, Sensor, SensorTable, table
from .scene_layer import as_window, pixel_metres

if TYPE_CHECKING:
    import h5py
    from odc.geo.geobox import GeoBox

    from .scene_layer import AnyWindow

UNITS = "physical"
"""Attribute ``units`` of our tiles: no scaling to undo, missing is NaN."""
CHUNK = 64
PUBLISHED_SCALING = {
    "optical": ((0.0, 2.05), (0.0, 2.13), (0.0, 2.23), (0.0, 2.68), (0.0, 2.12), (0.0, 2.16)),
    "dem": ((-103.3, 8349.4), (0.0, 88.98)),
    "co_pol_sar": ((-6.0, 1.758), (-6.0, 15.635)),
    "cross_pol_sar": ((-6.0, 1.389), (-6.0, 15.906)),
    "in_sar": ((0.0, 1.0), (0.0, 1.0)),
    "thermal": ((0.0, 322.08),),
}
"""Least and largest value of each channel in the published training data; of log10(sigma0 + 1e-6) for radar."""


@dataclass(frozen=True, kw_only=True)
class TileRecord:
    """A tile that can be read in windows; holds no pixels and no open file.

    Attributes
    ----------
    path : Path
    name : str
        The group's.
    scene : str
        Scene it was cut from; the tile's own name where nobody knows.
    region, subregion : str or None
    shape : tuple of int
        Rows and columns without padding.
    offset : tuple of int
        Rows and columns of padding before them.
    sensors : dict of str to int
        Sensors of the tile, to bands.
    is_scaled : bool
        True for tiles of the published set.
    is_simulated : bool
        True where the file says so: their place is drawn, no ground lies there.
    has_strata : bool
    latitude, longitude : float
        Centre, degrees.
    grid : str
        System of ``corner``: the tile's own if it is in metres, else the UTM zone of its centre.
    corner : tuple of float
        Upper left corner in ``grid``, m (x, y).
    pixel : tuple of float
        Width and height of a pixel, m.
    labels : tuple of str
        Datasets that are no sensors.
    table : SensorTable
        The sensors that tiles of this kind may have.
    """

    path: Path
    name: str
    scene: str
    region: str | None
    subregion: str | None
    shape: tuple[int, int]
    offset: tuple[int, int]
    sensors: dict[str, int]
    is_scaled: bool
    has_strata: bool
    latitude: float
    longitude: float
    grid: str
    corner: tuple[float, float]
    pixel: tuple[float, float]
    is_simulated: bool = False
    labels: tuple[str, ...] = ()
    table: SensorTable = field(default_factory=lambda: table("glaciers"))

    def values(self, sensors: Sequence[str], rows: slice, columns: slice) -> np.ndarray:
        """Return float32 (bands of these sensors, h, w), physical units, NaN where missing or where the tile has no
        such sensor."""
        place = ((rows.start, rows.stop), (columns.start, columns.stop))
        with _opened(self) as group:
            return np.concatenate([_sensor(self, group, s, place) for s in sensors])

    def target(self, name: str, rows: slice, columns: slice) -> np.ndarray:
        """Return uint32 (h, w): bit ``1 << class`` of a one-hot dataset, 0 where nobody knows."""
        with _opened(self) as group:
            return _bits(self, group, name, ((rows.start, rows.stop), (columns.start, columns.stop)))

    def plane(self, name: str, rows: slice, columns: slice) -> np.ndarray:
        """Return float32 (h, w): numbers of a dataset with one plane, NaN where nobody knows."""
        with _opened(self) as group:
            found = _labels(self, group, name, ((rows.start, rows.stop), (columns.start, columns.stop)))
        if found.ndim != 3 or found.shape[2] != 1:
            raise ProductError(
                f"{self.path.name}: {self.name}/{name} is {found.shape}; expected (h, w, 1). Take another target."
            )
        return found[:, :, 0].astype(np.float32)

    def has(self, name: str) -> bool:
        """Return whether the tile has a dataset of labels."""
        return name in self.labels


@dataclass(frozen=True, kw_only=True)
class Tile:
    """A window of a tile.

    Attributes
    ----------
    sensors : dict of str to numpy.ndarray of float32, shape (bands, h, w)
        Physical units, NaN where missing.
    labels : numpy.ndarray of uint8, shape (h, w)
        0 other, 1 glacier, 255 unlabelled.
    strata : numpy.ndarray of uint8 or None, shape (h, w)
        Bits of :data:`polynya.scenes.scene.STRATA_BITS`.
    """

    sensors: dict[str, np.ndarray]
    labels: np.ndarray
    strata: np.ndarray | None = None


def open_tiles(
    path: Path | str, *, sensors: SensorTable | None = None, target: str = "outlines"
) -> tuple[TileRecord, ...]:
    """List the tiles of a file.

    Parameters
    ----------
    path : Path or str
        The HDF5 file.
    sensors : SensorTable, optional
        Sensors that the tiles may have; those of glacier scenes by default.
    target : str
        Dataset of the labels: a tile has it, or ``outlines``.

    Returns
    -------
    tuple of TileRecord
        In the order of their names.

    Raises
    ------
    ProductError
        If the file is missing, is no HDF5, or holds no tile.
    """
    import h5py

    path, sensors = Path(path), table("glaciers") if sensors is None else sensors
    with opening.open_hdf5(
        path, expected="tiles in HDF5 (polynya tiles, or the published set). Copy or make the file again"
    ) as file:
        records = tuple(
            _record(path, name, file[name], sensors, target)
            for name in sorted(file)
            if isinstance(file[name], h5py.Group) and {"outlines", target} & set(file[name])
        )
    if not records:
        raise ProductError(
            f"{path.name}: no group with outlines in it; expected one group per tile (optical, dem ..., outlines). Make"
            " tiles with polynya tiles."
        )
    return records


def _record(path: Path, name: str, group: h5py.Group, table: SensorTable, target: str) -> TileRecord:
    about = group.attrs
    stored = tuple(int(n) for n in group["outlines" if "outlines" in group else target].shape[:2])
    sensors = {s: int(group[s].shape[2]) for s in table.names if s in group and group[s].ndim == 3}
    for s, bands in sensors.items():
        if bands != len(table[s].bands) or tuple(group[s].shape[:2]) != stored:
            raise ProductError(
                f"{path.name}: {name}/{s} has shape {group[s].shape}; expected {(*stored, len(table[s].bands))}. Make"
                " the tile again."
            )
    if not sensors:
        raise ProductError(
            f"{path.name}: {name} has none of {', '.join(table.names)}; expected at least one sensor. Make the tile"
            " again."
        )
    shape = int(about.get("original_height", stored[0])), int(about.get("original_width", stored[1]))
    offset = int(about.get("padding_height", 0)), int(about.get("padding_width", 0))
    if any(o < 0 or n <= 0 or o + n > m for o, n, m in zip(offset, shape, stored, strict=True)):
        raise ProductError(
            f"{path.name}: {name} has {shape[0]} x {shape[1]} pixels behind {offset[0]} and {offset[1]} of padding in"
            f" {stored[0]} x {stored[1]}; expected them to fit. Make the tile again."
        )
    ours = str(about.get("units", "")) == UNITS
    latitude, longitude, grid, corner, pixel = _place(about, shape)
    return TileRecord(
        path=path,
        name=name,
        scene=_word(about.get("scene")) or name,
        region=_word(about.get("region")),
        subregion=_word(about.get("subregion")),
        shape=shape,
        offset=offset,
        sensors=sensors,
        is_scaled=not ours and _is_scaled(group, [table[s] for s in sensors], shape, offset),
        has_strata="strata" in group,
        latitude=latitude,
        longitude=longitude,
        grid=grid,
        corner=corner,
        pixel=pixel,
        is_simulated="simulated" in about,
        labels=tuple(k for k in group if k not in table),
        table=table,
    )


def _word(value: object) -> str | None:
    text = value.decode() if isinstance(value, bytes) else str(value) if value is not None else ""
    return text or None


def _is_scaled(group: h5py.Group, sensors: Sequence[Sensor], shape: tuple[int, int], offset: tuple[int, int]) -> bool:
    """Return whether values are the published ones: heights and temperatures of physical size exceed 1."""
    rows = [offset[0] + int(r) for r in np.linspace(0, shape[0] - 1, min(shape[0], 5))]
    for sensor in sensors:
        if sensor.quantity in ("height", "brightness_temperature"):
            data = group[sensor.name]
            largest = max(float(np.nanmax(np.nan_to_num(data[r, offset[1] : offset[1] + shape[1], 0]))) for r in rows)
            if largest > 0:
                return largest <= 1.0
    return False


def _place(
    about: h5py.AttributeManager, shape: tuple[int, int]
) -> tuple[float, float, str, tuple[float, float], tuple[float, float]]:
    """Return latitude and longitude of the centre, the grid in metres, the corner in it and the pixel."""
    from affine import Affine
    from odc.geo.geobox import GeoBox
    from pyproj import CRS, Transformer

    if "crs" in about and "transform" in about:
        crs, grid = str(about["crs"]), Affine(*(float(v) for v in np.asarray(about["transform"])[:6]))
    elif all(k in about for k in ("xmin", "xmax", "ymin", "ymax")) or "extent" in about:
        west, south, east, north = (
            (float(about[k]) for k in ("xmin", "ymin", "xmax", "ymax"))
            if "xmin" in about
            else (float(v) for v in np.asarray(about["extent"])[:4])
        )
        crs, grid = (
            f"EPSG:{int(about.get('epsg', 4326))}",
            Affine((east - west) / shape[1], 0.0, west, 0.0, -(north - south) / shape[0], north),
        )
    else:
        return float("nan"), float("nan"), "unknown", (0.0, 0.0), (10.0, 10.0)  # the published set's nominal pixel
    geobox = GeoBox(shape, grid, crs)
    system = CRS.from_user_input(crs)
    x, y = grid.c + grid.a * shape[1] / 2, grid.f + grid.e * shape[0] / 2
    longitude, latitude = Transformer.from_crs(system, "EPSG:4326", always_xy=True).transform(x, y)
    if system.is_projected:
        return float(latitude), float(longitude), crs, (float(grid.c), float(grid.f)), (float(grid.a), float(-grid.e))
    wide, high = (float(v[0]) for v in pixel_metres(geobox, np.array([shape[0] / 2])))
    zone = f"EPSG:{(32600 if latitude >= 0 else 32700) + int((longitude + 180) // 6) % 60 + 1}"
    east_m, north_m = Transformer.from_crs("EPSG:4326", zone, always_xy=True).transform(longitude, latitude)
    return (
        float(latitude),
        float(longitude),
        zone,
        (east_m - wide * shape[1] / 2, north_m + high * shape[0] / 2),
        (wide, high),
    )


def read_window(record: TileRecord, *, window: AnyWindow = None) -> Tile:
    """Read a window of a tile.

    Parameters
    ----------
    record : TileRecord
        Of :func:`open_tiles`.
    window : optional
        Rows and columns of the tile without its padding; all of it by default.

    Returns
    -------
    Tile

    Raises
    ------
    ProductError
        If the file is gone or damaged.
    UsageError
        If the window reaches outside.
    """
    place = as_window(record.shape, window, name=record.name)
    where = ((place.row_off, place.row_off + place.height), (place.col_off, place.col_off + place.width))
    with _opened(record) as group:
        bits = _bits(record, group, "outlines", where)
        strata = np.asarray(group["strata"][_slices(record, where)]) if record.has_strata else None
        sensors = {s: _sensor(record, group, s, where) for s in record.sensors}
    labels = np.full(bits.shape, UNLABELLED, np.uint8)
    labels[bits == 1], labels[bits == 2] = 0, 1
    return Tile(
        sensors=sensors, labels=labels, strata=None if strata is None else strata.reshape(bits.shape).astype(np.uint8)
    )


@contextlib.contextmanager
def _opened(record: TileRecord) -> Iterator[h5py.Group]:
    """Open a record's group; errors become one line."""
    try:
        with opening.open_hdf5(
            record.path, expected="the file that was listed, whole: it was moved or changed. List it again"
        ) as file:
            yield file[record.name]
    except (OSError, KeyError) as error:
        raise ProductError(
            f"{record.path.name}: {record.name} cannot be read ({one_line(error)[:120]}); expected the file that was"
            " listed, whole. Was it moved or changed?"
        ) from error


def _slices(record: TileRecord, where: tuple[tuple[int, int], tuple[int, int]]) -> tuple[slice, slice]:
    (top, left), ((r0, r1), (c0, c1)) = record.offset, where
    return slice(top + r0, top + r1), slice(left + c0, left + c1)


def _labels(
    record: TileRecord, group: h5py.Group, name: str, where: tuple[tuple[int, int], tuple[int, int]]
) -> np.ndarray:
    if name not in group:
        raise ProductError(
            f"{record.path.name}: {record.name} has no {name}; expected it beside the sensors. Take another target."
        )
    return np.asarray(group[name][_slices(record, where)])


def _bits(
    record: TileRecord, group: h5py.Group, name: str, where: tuple[tuple[int, int], tuple[int, int]]
) -> np.ndarray:
    hot = _labels(record, group, name, where) > 0.5
    if hot.shape[2] > 32:
        raise ProductError(
            f"{record.path.name}: {record.name}/{name} has {hot.shape[2]} classes; expected at most 32. Take another"
            " target."
        )
    bits = (hot * (1 << np.arange(hot.shape[2], dtype=np.int64))).sum(axis=2)
    return np.where(hot.sum(axis=2) == 1, bits, 0).astype(np.uint32)


def _sensor(
    record: TileRecord, group: h5py.Group, sensor: str, where: tuple[tuple[int, int], tuple[int, int]]
) -> np.ndarray:
    """Return float32 (bands, h, w) in physical units."""
    about = record.table[sensor]
    size = tuple(b - a for a, b in where)
    if sensor not in record.sensors:
        return np.full((len(about.bands), *size), np.nan, np.float32)
    raw = np.moveaxis(np.asarray(group[sensor][_slices(record, where)]), -1, 0)
    values = np.ascontiguousarray(raw, np.float32)
    if str(group.attrs.get("units", "")) == UNITS:
        return values
    # A fill of 0: all bands of an image or a height model, single passes of a radar.
    gone = raw == 0 if about.has_passes else np.broadcast_to((raw == 0).all(axis=0), raw.shape)
    if record.is_scaled:
        low, high = (np.array(v, np.float32)[:, None, None] for v in zip(*PUBLISHED_SCALING[sensor], strict=True))
        values = values * (high - low) + low
        if about.quantity == "backscatter":
            values = np.maximum(10.0 ** values.astype(np.float64) - 1e-6, 0.0).astype(np.float32)
    return np.where(gone, np.float32(np.nan), values)


def write_tile(
    file: h5py.File,
    name: str,
    tile: Tile,
    *,
    geobox: GeoBox,
    scene: str,
    region: str | None = None,
    subregion: str | None = None,
    pad_to: int | None = None,
) -> None:
    """Write one tile into an open file.

    Parameters
    ----------
    file : h5py.File
        Open for writing.
    name : str
        The group's; must be new.
    tile : Tile
        Sensors of glacier scenes in physical units, NaN where missing; labels 0 other, 1 glacier, 255 unlabelled.
    geobox : odc.geo.geobox.GeoBox
        The tile's grid.
    scene : str
        Name of the scene it comes from.
    region, subregion : str, optional
        Where the scene lies.
    pad_to : int, optional
        Side to which a smaller tile is filled up at the bottom and right: NaN, unlabelled.

    Raises
    ------
    UsageError
        If shapes, sensors or labels do not fit, or the name is taken.
    OutputError
        If the disk is full.
    """
    _check_tile(file, name, tile, geobox)
    shape, known = tile.labels.shape, table("glaciers")
    size = tuple(max(n, pad_to or 0) for n in shape)

    def store(group: h5py.Group, key: str, values: np.ndarray, fill: float) -> None:
        full = np.full((*size, values.shape[2]), fill, values.dtype)
        full[: shape[0], : shape[1]] = values
        chunks = (min(CHUNK, size[0]), min(CHUNK, size[1]), values.shape[2])
        group.create_dataset(
            key, data=full, chunks=chunks, compression="gzip", compression_opts=4, shuffle=True, fletcher32=True
        )

    try:
        group = file.create_group(name)
        for sensor in known.names:
            if sensor in tile.sensors:
                store(group, sensor, np.moveaxis(np.asarray(tile.sensors[sensor], np.float32), 0, -1), np.nan)
        store(group, "outlines", np.stack([tile.labels == 0, tile.labels == 1], axis=2).astype(np.uint8), 0)
        if tile.strata is not None:
            store(group, "strata", tile.strata.astype(np.uint8)[..., None], 0)
        west, south, east, north = geobox.geographic_extent.boundingbox.bbox
        about = {
            "region": region or "",
            "subregion": subregion or "",
            "tile_name": name,
            "height": size[0],
            "width": size[1],
            "original_height": shape[0],
            "original_width": shape[1],
            "padding_height": 0,
            "padding_width": 0,
            "epsg": 4326,
            "xmin": west,
            "xmax": east,
            "ymin": south,
            "ymax": north,
            "extent": [west, south, east, north],
            "scene": scene,
            "crs": str(geobox.crs),
            "transform": list(geobox.affine)[:6],
            "units": UNITS,
        }
        for key, value in about.items():
            group.attrs[key] = value
    except OSError as error:
        raise OutputError(
            f"{name}: cannot be written ({one_line(error)[:120]}); expected room on the disk. Free space."
        ) from error


def _check_tile(file: h5py.File, name: str, tile: Tile, geobox: GeoBox) -> None:
    shape, known = tile.labels.shape, table("glaciers")
    wrong = [s for s, v in tile.sensors.items() if s not in known or v.shape != (len(known[s].bands), *shape)]
    has_strata = tile.strata is None or tile.strata.shape == shape
    if wrong or tuple(geobox.shape) != shape or not has_strata or not tile.sensors:
        raise UsageError(
            f"{name}: {', '.join(wrong) or 'the grid, the strata or no sensor'} does not fit labels of {shape[0]} x"
            f" {shape[1]}; expected (bands, h, w) per sensor on one grid. Cut them alike."
        )
    if name in file:
        raise UsageError(f"{name}: the file has a tile of this name; expected a new one. Name the scenes differently.")
    if not np.isin(tile.labels, (0, 1, UNLABELLED)).all():
        raise UsageError(
            f"{name}: labels {np.unique(tile.labels)[:6].tolist()}; expected 0, 1 and {UNLABELLED}. Map the classes"
            " first."
        )

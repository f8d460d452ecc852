"""A network that maps concentration: which one it is, what it is given, what it says; no torch."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import numpy as np

from ...errors import ProductError, UsageError
from ...predict import borders, halo
from ...predict import runtime as predict_runtime
from ...predict import scenes as predict_scenes
from ...predict.scenes import SceneNetwork
from ...schema.sea_ice_maps import HEADS, LEVELS, NO_CLASS
from ...sensors import radar_ice
from ...targets import Concentration, Heads, OneOf
from .config import RULE
from .mapped import ClassMap, Mapped, Mapper, decibels

if TYPE_CHECKING:
    import xarray

TABLE = radar_ice.TABLE
PIXEL_M = 400.0
"""Pixel size of the tiles that networks of concentration are trained on."""
RADAR = ("hh", "hv")
"""Sensors of which a pixel must have one."""
ANGLE, AMSR2 = "incidence", "amsr2"
GIVEN = (*RADAR, ANGLE, AMSR2)
"""Sensors that the command has."""
HOW = "Give one trained by polynya train concentration."


def load(name: str, *, runtime: str = "auto") -> Mapper:
    """Return a mapper of a network.

    Parameters
    ----------
    name : str
        A shipped name or an ``.onnx`` file.
    runtime : str
        ``auto``, ``onnxruntime`` or ``openvino``.

    Raises
    ------
    UsageError
        If there is no such name or runtime.
    ProductError
        If there is no such file, or it predicts something else, states no spread, or takes other sensors.
    """
    network = predict_scenes.load(_located(name), runtime=runtime)
    value = _checked(network)
    d = network.description
    return Mapper(
        name=d.name,
        about={
            "file": network.path.name,
            "sha256": network.sha256,
            "name": d.name,
            "runtime": network.runtime,
            "simulator_commit": d.data.get("simulator_commit"),
        },
        networks={"network": network.sha256},
        map=functools.partial(by_network, network=network, value=value),
        sensors=network.sensors,
        pixel_m=PIXEL_M,
        is_simulated=network.path.parent == predict_runtime.WEIGHTS.resolve(),
    )


def _located(name: str) -> str:
    """Return the file of a name."""
    try:
        return str(predict_runtime.locate(name, family="scenes"))
    except UsageError as error:
        if name.endswith(".onnx"):
            raise ProductError(f"--network {name}: no such file; expected an .onnx file. Check the path.") from error
        known = ", ".join([RULE, *shipped()])
        raise UsageError(
            f"--network {name}: no such network; expected {known}, or an .onnx file. Check the name or the path."
        ) from error


def shipped() -> list[str]:
    """Return the names of the networks of radar scenes of sea ice that come with the package."""
    names = predict_runtime.shipped(family="scenes")
    return [n for n in names if predict_scenes.load(n, runtime="onnxruntime").description.sensor_table == TABLE.name]


def _checked(network: SceneNetwork) -> str:
    """Return the plane of the concentration of a network that can map it.

    Raises
    ------
    ProductError
        If it cannot.
    """
    d, where = network.description, f"--network {network.path.name}"
    value = _value(network)
    if value is None:
        raise ProductError(
            f"{where}: predicts {', '.join(d.classes[:4])}; expected a network of sea-ice concentration. {HOW}"
        )
    sensors = list(d.scaling.sensors)
    if d.sensor_table != TABLE.name or not set(sensors) <= set(GIVEN) or not set(sensors) & set(RADAR):
        raise ProductError(
            f"{where}: takes {', '.join(sensors)} of the table {d.sensor_table}; expected some of {', '.join(GIVEN)} of"
            f" {TABLE.name}, hh or hv among them. {HOW}"
        )
    if d.location:
        raise ProductError(
            f"{where}: has a location encoding ({d.location_kind}); expected one without, since none is known for sea"
            f" ice. {HOW}"
        )
    if value not in d.spread or f"{value}_spread" not in d.classes:
        raise ProductError(
            f"{where}: states no spread of its {value}, so its uncertainty is unknown; expected one with has_spread and"
            " a calibration part that fitted it. Train it again."
        )
    if [round(100 * level) for level in d.spread[value].levels] != list(LEVELS):
        raise ProductError(
            f"{where}: states intervals of {list(d.spread[value].levels)}; expected {', '.join(map(str, LEVELS))} %."
            " Train it again."
        )
    for name, head in _heads(network).items():
        if head.classes != _codes(name):
            raise ProductError(
                f"{where}: its head {name} has the classes {', '.join(head.classes)}; expected"
                f" {', '.join(_codes(name))} in this order. Train it again."
            )
    return value


def _value(network: SceneNetwork) -> str | None:
    """Return the name of the plane of the concentration; None where there is none."""
    target = network.description.predicts
    if isinstance(target, Concentration):
        return target.planes[0]
    if isinstance(target, Heads):
        return next((f"{n}.{h.planes[0]}" for n, h in target.heads.items() if isinstance(h, Concentration)), None)
    return None


def _heads(network: SceneNetwork) -> dict[str, OneOf]:
    """Return the heads of classes that a map has room for."""
    target = network.description.predicts
    heads = target.heads if isinstance(target, Heads) else {}
    return {n: h for n, h in heads.items() if n in HEADS and isinstance(h, OneOf)}


def _codes(head: str) -> tuple[str, ...]:
    return tuple(meaning for _, meaning in HEADS[head][0].flags)


def by_network(data: xarray.Dataset, *, network: SceneNetwork, value: str) -> Mapped:
    """Map by a network.

    Parameters
    ----------
    data : xarray.Dataset
        Of :func:`polynya.scenes.radar_grid.on_grid`, with the channels of AMSR2 where they are used.
    network : SceneNetwork
        Of concentration.
    value : str
        Plane of the concentration.
    """
    given = bands(data, network.sensors)
    planes = _planes(network, given)
    found = halo.uncertain(network, planes, name=value)
    ends = np.stack([end for pair in zip(found.lower, found.upper, strict=True) for end in pair])
    classes = tuple(_class_map(network, planes, name) for name in _heads(network))
    return Mapped(concentration=found.value, uncertainty=found.spread, intervals=ends, classes=classes)


def bands(data: xarray.Dataset, sensors: tuple[str, ...]) -> np.ndarray:
    """Return what a network is given.

    Parameters
    ----------
    data : xarray.Dataset
        Of :func:`polynya.scenes.radar_grid.on_grid`.
    sensors : tuple of str
        Of the network, in its order.

    Returns
    -------
    numpy.ndarray of float32, shape (bands, h, w)
        dB, degrees, K; NaN where missing, and everywhere where no channel of the radar is valid: so it was in training.
    """
    channels = decibels(data)
    seen = np.any([np.isfinite(c) for c in channels.values()], axis=0)
    nothing = np.full(seen.shape, np.nan, np.float32)
    out = []
    for sensor in sensors:
        for band in TABLE[sensor].band_names:
            if sensor in RADAR:
                out.append(channels.get(band.upper(), nothing))
            else:
                name = "incidence_angle" if sensor == ANGLE else band
                out.append(np.where(seen, data[name].values, nothing) if name in data else nothing)
    return np.stack(out).astype(np.float32)


def _planes(network: SceneNetwork, given: np.ndarray) -> np.ndarray:
    """Return the planes of a network, float32 (planes, h, w); NaN where no radar sensor that it takes is there.

    A network that states how far it sees gives the same in one piece or several; another one is blended from windows.
    Beyond the border of the scene it is shown the scene mirrored.
    """
    d, shape = network.description, given.shape[1:]
    radar = [s for s in network.sensors if s in RADAR]
    place = np.repeat([s in RADAR for s in network.sensors], list(d.scaling.sensors.values()))
    seen = np.isfinite(given[place]).any(axis=0)
    shown = borders.mirrored(given, seen)

    def read(rows: slice, columns: slice) -> np.ndarray:
        return shown[:, rows, columns]

    if d.halo and not d.is_fixed and d.halo % d.stride == 0:
        planes = halo.whole(network, read, shape=shape, needs=radar)
    else:
        strips = predict_scenes.strips([network], read, shape=shape, threads=1)
        planes = np.concatenate([s.probability for s in strips], axis=1)
    return np.where(seen, planes, np.float32(np.nan))


def _class_map(network: SceneNetwork, planes: np.ndarray, head: str) -> ClassMap:
    """Return the most probable class of a head."""
    names = network.description.classes
    own = planes[[k for k, n in enumerate(names) if n.startswith(f"{head}.")]]
    missing = ~np.isfinite(own[0])
    codes = np.argmax(np.where(missing, 0.0, own), axis=0).astype(np.uint8)
    return ClassMap(
        specs=HEADS[head],
        codes=np.where(missing, np.uint8(NO_CLASS), codes),
        probability=np.where(missing, np.nan, own.max(axis=0)).astype(np.float32),
    )

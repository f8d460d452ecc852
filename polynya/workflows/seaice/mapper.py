"""What turns an image into classes strip by strip: a network, or thresholds of brightness."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ...errors import ProductError, UsageError
from ...physics import ice_colour, optical_rules
from ...predict import runtime as predict_runtime
from ...predict import scenes as predict_scenes
from ...predict.scenes import SceneNetwork
from ...readers import sentinel2
from ...readers.ice_images import IceImage
from ...schema.optical_ice_maps import ICE, NO_CLASS, ROLE_OF, WATER
from ...sensors import optical_ice
from ...targets import OneOf
from .config import DEFAULT, Config

TABLE = optical_ice.TABLE
RULE = "rule"
RULE_CLASSES = ("water", "thin_ice", "thick_ice")
ROWS = 512
"""Rows of a strip of the rule."""
OVERLAP = 0.25
HOW = "Give one trained by polynya train seaice."


@dataclass(frozen=True, kw_only=True, eq=False)
class Strip:
    """Finished rows of a map.

    Attributes
    ----------
    row : int
        First row.
    codes : numpy.ndarray of uint8, shape (h, w)
        255 where nothing was seen.
    probability : numpy.ndarray of float32, shape (classes, h, w), or None
        The rule has none.
    confidence : numpy.ndarray of float32, shape (h, w), or None
        How probable it is that the class is right.
    rgb : numpy.ndarray of float32, shape (3, h, w)
        Counts; NaN where nothing was seen.
    """

    row: int
    codes: np.ndarray
    probability: np.ndarray | None
    confidence: np.ndarray | None
    rgb: np.ndarray


@dataclass(frozen=True, kw_only=True, eq=False)
class Mapper:
    """What maps, by name.

    Attributes
    ----------
    name : str
    classes : tuple of str
    roles : tuple of str
        What each class is, of :data:`polynya.schema.optical_ice_maps.ROLES`.
    about : dict
        For the record.
    networks : dict of str to str
        Name to SHA-256; empty for the rule.
    strips : callable
        Takes an image; yields :class:`Strip`.
    pixel_m : (float, float) or None
        Pixel sizes that it has learned from; None where it takes any.
    is_simulated : bool
        It has learned from simulated images alone, as far as we know.
    """

    name: str
    classes: tuple[str, ...]
    roles: tuple[str, ...]
    about: Mapping[str, object]
    networks: Mapping[str, str]
    strips: Callable[[IceImage], Iterator[Strip]]
    pixel_m: tuple[float, float] | None = None
    is_simulated: bool = False

    def codes(self, *roles: str) -> tuple[int, ...]:
        """Return the codes of the classes with some roles."""
        return tuple(k for k, r in enumerate(self.roles) if r in roles)


def load(config: Config) -> Mapper:
    """Return what a configuration asks for.

    Parameters
    ----------
    config : Config
        How images are mapped.

    Raises
    ------
    UsageError
        If there is no such network or runtime, or a class is named that it has not.
    ProductError
        If the file is no network of optical sea ice, or a class of it is not known.
    """
    if config.method == RULE or (config.method == "auto" and not _is_there(config.network)):
        return Mapper(
            name=RULE,
            classes=RULE_CLASSES,
            roles=_roles(RULE_CLASSES, config.roles, where="--method rule"),
            about={"name": RULE, "limits": list(ice_colour.PUBLISHED)},
            networks={},
            strips=_by_rule,
        )
    network = predict_scenes.load(_located(config.network), runtime=config.runtime, threads=2)
    classes = _checked(network)
    return Mapper(
        name=network.description.name,
        classes=classes,
        roles=_roles(classes, config.roles, where=f"--network {network.path.name}"),
        about={
            "file": network.path.name,
            "sha256": network.sha256,
            "name": network.description.name,
            "runtime": network.runtime,
            "simulator_commit": network.description.data.get("simulator_commit"),
        },
        networks={"network": network.sha256},
        strips=functools.partial(_by_network, network),
        pixel_m=_pixel_m(network),
        is_simulated=network.path.parent == predict_runtime.WEIGHTS.resolve(),
    )


def _is_there(name: str) -> bool:
    """Return whether the default network is shipped; a network that is named is expected."""
    return name != DEFAULT or (predict_runtime.WEIGHTS / f"{DEFAULT}.onnx").is_file()


def _located(name: str) -> str:
    try:
        return str(predict_runtime.locate(name, family="scenes"))
    except UsageError as error:
        if name.endswith(".onnx"):
            raise ProductError(f"--network {name}: no such file; expected an .onnx file. Check the path.") from error
        raise UsageError(
            f"--network {name}: no such network; expected a shipped name or an .onnx file. Train one (polynya train"
            " seaice), or take --method rule."
        ) from error


def _checked(network: SceneNetwork) -> tuple[str, ...]:
    """Return the classes of a network that can map optical sea ice.

    Raises
    ------
    ProductError
        If it cannot.
    """
    d, where = network.description, f"--network {network.path.name}"
    known = [s.name for s in TABLE.sensors]
    if d.sensor_table != TABLE.name or not set(d.scaling.sensors) <= set(known) or "rgb" not in d.scaling.sensors:
        raise ProductError(
            f"{where}: takes {', '.join(d.scaling.sensors)} of the table {d.sensor_table}; expected some of"
            f" {', '.join(known)} of {TABLE.name}, rgb among them. {HOW}"
        )
    if not isinstance(d.predicts, OneOf):
        raise ProductError(f"{where}: predicts {', '.join(d.classes[:4])}; expected one class of several. {HOW}")
    if d.location:
        raise ProductError(f"{where}: has a location encoding ({d.location_kind}); expected one without. {HOW}")
    return d.classes


def _roles(classes: Sequence[str], given: Mapping[str, str], *, where: str) -> tuple[str, ...]:
    """Return what each class is.

    Raises
    ------
    UsageError
        If a class is named that is not there.
    ProductError
        If one is not known, or none is water or none is ice.
    """
    foreign = [n for n in given if n not in classes]
    if foreign:
        raise UsageError(
            f"--classes {foreign[0]}={given[foreign[0]]}: no such class; expected some of {', '.join(classes)}. Check"
            " the name."
        )
    unknown = [c for c in classes if c not in given and c.lower() not in ROLE_OF]
    if unknown:
        raise ProductError(
            f"{where}: has the class {unknown[0]}, whose meaning is not known; expected water, thin_ice, thick_ice,"
            f" melt_pond, land and the like. Say what it is: --classes {unknown[0]}=water, thin, thick, pond or land."
        )
    out = tuple(given.get(c) or ROLE_OF[c.lower()] for c in classes)
    if WATER not in out or not set(out) & set(ICE):
        raise ProductError(
            f"{where}: its classes mean {', '.join(out)}; expected water and at least one of ice. Change --classes."
        )
    return out


def _pixel_m(network: SceneNetwork) -> tuple[float, float]:
    from ...simulate.optical_ice.presets import STANDARD

    stated = network.description.data.get("pixel_m") or STANDARD.pixel_m
    return float(stated[0]), float(stated[1])


def rule_codes(rgb: np.ndarray, full_scale: float | None) -> np.ndarray:
    """Return classes by the published thresholds: 0 water, 1 thin ice, 2 thick ice, 255 where nothing was seen.

    Parameters
    ----------
    rgb : numpy.ndarray, shape (3, h, w)
        Counts; NaN where nothing was seen.
    full_scale : float or None
        Reflectance that 255 counts stand for. The thresholds are of Sentinel-2's true colour, so reflectances are
        stretched as there; None: pictures are taken as they are.
    """
    counts = rgb if full_scale is None else np.minimum(rgb * np.float32(full_scale / sentinel2.FULL_SCALE), 255.0)
    return optical_rules.classes(counts)


def _by_rule(image: IceImage) -> Iterator[Strip]:
    height, width = image.shape
    for row in range(0, height, ROWS):
        rgb = image.sensors["rgb"](slice(row, min(row + ROWS, height)), slice(0, width))
        yield Strip(row=row, codes=rule_codes(rgb, image.full_scale), probability=None, confidence=None, rgb=rgb)


def _by_network(network: SceneNetwork, image: IceImage) -> Iterator[Strip]:
    """Map by a network in overlapping windows; an image smaller than a window is mirrored beyond its border."""
    d = network.description
    height, width = image.shape
    shape = (max(height, d.size), max(width, d.size))
    read = functools.partial(_bands, network, image)
    shown = read if shape == image.shape else functools.partial(_mirrored, read, image.shape)
    first = sum(n for s, n in list(d.scaling.sensors.items())[: list(d.scaling.sensors).index("rgb")])
    weights = np.array(d.decision_weights or (1.0,) * len(d.classes), np.float32)[:, None, None]
    averaging = predict_scenes.Averaging(overlap=OVERLAP)
    for s in predict_scenes.strips([network], shown, shape=shape, averaging=averaging, threads=2):
        rows = min(s.probability.shape[1], height - s.row)
        if rows <= 0:
            return
        part = (slice(None), slice(0, rows), slice(0, width))
        probability, rgb = s.probability[part], s.values[first : first + 3][part]
        seen = np.isfinite(probability[0]) & np.isfinite(rgb).any(axis=0)
        codes = np.argmax(np.where(seen, probability, 0.0) * weights, axis=0).astype(np.uint8)
        yield Strip(
            row=s.row,
            codes=np.where(seen, codes, np.uint8(NO_CLASS)),
            probability=np.where(seen, probability, np.float32(np.nan)),
            confidence=np.where(seen, predict_scenes.confidence(network, probability), np.float32(np.nan)),
            rgb=rgb,
        )


def _bands(network: SceneNetwork, image: IceImage, rows: slice, columns: slice) -> np.ndarray:
    """Return what the network is given of a window; NaN of sensors that the image lacks."""
    shape = (rows.stop - rows.start, columns.stop - columns.start)
    parts = []
    for sensor, bands in network.description.scaling.sensors.items():
        if sensor in image.sensors:
            parts.append(np.asarray(image.sensors[sensor](rows, columns), np.float32).reshape(bands, *shape))
        else:
            parts.append(np.full((bands, *shape), np.nan, np.float32))
    return np.concatenate(parts)


def _mirrored(read: predict_scenes.Read, shape: tuple[int, int], rows: slice, columns: slice) -> np.ndarray:
    """Return a window of an image that continues mirrored below and to the right."""
    places = []
    for s, n in zip((rows, columns), shape, strict=True):
        k = np.arange(s.start, s.stop) % (2 * n)
        places.append(np.where(k < n, k, 2 * n - 1 - k))
    low, high = zip(*((int(p.min()), int(p.max()) + 1) for p in places), strict=True)
    values = read(slice(low[0], high[0]), slice(low[1], high[1]))
    return values[:, (places[0] - low[0])[:, None], (places[1] - low[1])[None, :]]

"""What is wrong with a scene before anything is mapped on it: missing data, cloud, saturation, impossible values,
misregistered sensors.

Nothing is fixed and nothing rejected here: each finding says what, where and how much, and the report carries it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass

import numpy as np

from ..sensors import Sensor
from . import register
from . import scene as glacier_scene
from .register import Registration
from .scene import CLOUD, CLOUD_UNKNOWN, SHADOW, Scene

BLOCK = 1024
MOST_BLOCKS = 36
"""A larger scene is looked at in so many blocks, spread evenly; ``share_seen`` says how much that was."""
CLOUD_RULE = "blue and swir1 above 0.35, NDSI between -0.2 and 0.3, thermal below 290 K where known"
WARN_SHARE = {"missing": 0.05, "cloud": 0.10, "shadow": 0.20, "saturation": 0.02, "out_of_range": 0.001, "zero": 0.001}
"""Shares of pixels from which a finding is a warning; below it is for information."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that was found.

    Attributes
    ----------
    sensor : str
        ``scene`` where it concerns all.
    kind : str
        ``missing_sensor``, ``missing_band``, ``missing``, ``cloud``, ``shadow``, ``saturation``, ``out_of_range``,
        ``zero``, ``misregistration``, ``register_unknown``, ``note``.
    is_warning : bool
        False where it is for information.
    share : float or None
        Of the pixels looked at (missing), or of those seen (others).
    number : float or None
        What else is counted: metres of a misregistration, pixels out of range, the share of pixels that miss a sensor's
        fullest band.
    text : str
        One line for people.
    """

    sensor: str
    kind: str
    is_warning: bool
    share: float | None = None
    number: float | None = None
    text: str


@dataclass(frozen=True, kw_only=True)
class Quality:
    """All that was found.

    Attributes
    ----------
    scene : str
    share_seen : float
        Share of the scene's pixels that was looked at.
    findings : tuple of Finding
    registration : tuple of Registration
        Every pair of sensors whose shift was estimated, believed or not.
    """

    scene: str
    share_seen: float
    findings: tuple[Finding, ...]
    registration: tuple[Registration, ...]

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """Those findings that a user must know before trusting a map."""
        return tuple(f for f in self.findings if f.is_warning)

    def as_json(self) -> dict[str, object]:
        """Return plain lists and numbers."""
        return {
            "scene": self.scene,
            "share_seen": self.share_seen,
            "findings": [asdict(f) for f in self.findings],
            "registration": [asdict(r) for r in self.registration],
        }


def check(scene: Scene, *, reach_m: float = register.REACH_M) -> Quality:
    """Check a scene's sensors one by one and against each other.

    Parameters
    ----------
    scene : Scene
        The scene; its grid must be affine.
    reach_m : float
        Largest shift between sensors that is looked for, m.

    Returns
    -------
    Quality

    Raises
    ------
    ProductError
        If a file of the scene is missing or damaged.
    UsageError
        If the scene has a swath grid.
    """
    blocks = _blocks(scene.shape)
    counts = _Counts(scene)
    for window in blocks:
        counts.add(glacier_scene.read(scene, window=window), glacier_scene.read_cloud(scene, window=window))
    seen = sum((w[0][1] - w[0][0]) * (w[1][1] - w[1][0]) for w in blocks) / (scene.shape[0] * scene.shape[1])
    registration = register.compare(scene, reach_m=reach_m)
    findings = [
        *_absent(scene),
        *counts.findings(),
        *(_registered(r) for r in registration),
        *(Finding(sensor="scene", kind="note", is_warning=False, text=n.text) for n in scene.notes),
    ]
    return Quality(scene=scene.name, share_seen=float(seen), findings=tuple(findings), registration=registration)


def _blocks(shape: tuple[int, int]) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    every = [
        ((r, min(r + BLOCK, shape[0])), (c, min(c + BLOCK, shape[1])))
        for r in range(0, shape[0], BLOCK)
        for c in range(0, shape[1], BLOCK)
    ]
    if len(every) <= MOST_BLOCKS:
        return every
    return [every[i] for i in np.unique(np.linspace(0, len(every) - 1, MOST_BLOCKS).astype(int))]


class _Counts:
    """Sums over blocks."""

    def __init__(self, scene: Scene):
        self.scene = scene
        self.pixels = 0
        self.sensors = [scene.table[s] for s in scene.sensors]
        counts = {s.name: len(s.bands) for s in self.sensors}
        self.known = {s: np.zeros(n, np.int64) for s, n in counts.items()}
        self.beyond = {s: np.zeros((2, n), np.int64) for s, n in counts.items()}
        self.extreme = {s: np.array([[np.inf] * n, [-np.inf] * n]) for s, n in counts.items()}
        self.saturated = {s: np.zeros(n, np.int64) for s, n in counts.items()}
        self.image, self.thermal = (scene.table.of(q) for q in ("reflectance", "brightness_temperature"))
        self.cloud = np.zeros(256, np.int64)
        self.by_rule = self.rule_pixels = self.zero = self.image_pixels = 0

    def add(self, data: dict[str, np.ndarray], cloud: np.ndarray) -> None:
        self.pixels += cloud.size
        self.cloud += np.bincount(cloud.ravel(), minlength=256)
        for sensor in self.sensors:
            for i in range(len(sensor.bands)):
                if self.scene.has_band(sensor.name, i):
                    self._add_band(sensor, i, data[sensor.name][i])
        if self.image is not None and self.image.name in data:
            self._add_image(data[self.image.name], self.image, data)

    def _add_band(self, sensor: Sensor, i: int, values: np.ndarray) -> None:
        name, band = sensor.name, sensor.bands[i]
        value = values[np.isfinite(values)]
        self.known[name][i] += value.size
        if not value.size:
            return
        self.beyond[name][0, i] += np.count_nonzero(value < band.low)
        self.beyond[name][1, i] += np.count_nonzero(value > band.high)
        low, high = self.extreme[name][:, i]
        self.extreme[name][:, i] = (min(low, value.min()), max(high, value.max()))
        layer = self.scene.source(name).bands[i]
        if layer.saturation is not None and layer.kind == "linear":
            highest = (layer.saturation * layer.scale + layer.offset) * (1 - 1e-6)
            self.saturated[name][i] += np.count_nonzero(value >= highest)

    def _add_image(self, image: np.ndarray, sensor: Sensor, data: dict[str, np.ndarray]) -> None:
        there = np.isfinite(image)
        self.zero += int(np.count_nonzero(there.any(axis=0) & (~there | (image == 0)).all(axis=0)))
        self.image_pixels += int(there.any(axis=0).sum())
        bands = sensor.places("blue", "green", "swir1")
        if len(bands) < 3 or not np.isfinite(image[bands[2]]).any():
            return
        thermal = "" if self.thermal is None else self.thermal.name
        self.by_rule += int(np.count_nonzero(cloud_by_rule(data, sensor, thermal=thermal)))
        self.rule_pixels += int(np.isfinite(image[[bands[0], bands[2]]]).all(axis=0).sum())

    def findings(self) -> Iterator[Finding]:
        for sensor in self.sensors:
            there = [i for i in range(len(sensor.bands)) if self.scene.has_band(sensor.name, i)]
            yield from self._missing(sensor, there)
            for i in there:
                yield from self._values(sensor, i)
        if self.image is None:
            return
        if self.zero:
            part = self.zero / self.image_pixels
            yield Finding(
                sensor=self.image.name,
                kind="zero",
                is_warning=part > WARN_SHARE["zero"],
                share=part,
                number=float(self.zero),
                text=(
                    f"{self.image.name}: {part:.1%} of the pixels are exactly 0 in every band, which no ground is: fill"
                    " that the file does not declare (gdal_edit -a_nodata 0)"
                ),
            )
        yield from self._clouds(self.image.name)

    def _missing(self, sensor: Sensor, there: list[int]) -> Iterator[Finding]:
        known, names = self.known[sensor.name], sensor.band_names
        share = 1.0 - float(known[there].min()) / self.pixels
        least = 1.0 - float(known[there].max()) / self.pixels
        if share <= 0:
            return
        worst, fullest = there[int(np.argmin(known[there]))], there[int(np.argmax(known[there]))]
        more = ""
        if least == 1:
            more = ": nothing of it lies on the scene"
        elif least > 0 and f"{least:.1%}" != f"{share:.1%}":
            more = f", {least:.1%} no {names[fullest]}"
        yield Finding(
            sensor=sensor.name,
            kind="missing",
            is_warning=share > WARN_SHARE["missing"],
            share=share,
            number=least,
            text=f"{sensor.name}: {share:.1%} of the pixels have no {names[worst]}{more}",
        )

    def _values(self, sensor: Sensor, i: int) -> Iterator[Finding]:
        name, band, known = sensor.name, sensor.bands[i], max(int(self.known[sensor.name][i]), 1)
        count = int(self.beyond[name][:, i].sum())
        if count:
            low, high = self.extreme[name][:, i]
            yield Finding(
                sensor=name,
                kind="out_of_range",
                is_warning=count / known > WARN_SHARE["out_of_range"],
                share=count / known,
                number=float(count),
                text=(
                    f"{name}: {count} pixels of {band.name} ({count / known:.2%}) lie outside {band.low:g} to"
                    f" {band.high:g} {band.units}; from {low:g} to {high:g}"
                ),
            )
        if self.saturated[name][i]:
            part = int(self.saturated[name][i]) / known
            yield Finding(
                sensor=name,
                kind="saturation",
                is_warning=part > WARN_SHARE["saturation"],
                share=part,
                number=float(self.saturated[name][i]),
                text=f"{name}: {part:.1%} of {band.name} is saturated: differences inside snow and ice are lost",
            )

    def _clouds(self, name: str) -> Iterator[Finding]:
        known = int(self.cloud.sum() - self.cloud[CLOUD_UNKNOWN])
        if known:
            for value, kind, words in ((CLOUD, "cloud", "cloud"), (SHADOW, "shadow", "cloud shadow")):
                share = int(self.cloud[value]) / known
                yield Finding(
                    sensor=name,
                    kind=kind,
                    is_warning=share > WARN_SHARE[kind],
                    share=share,
                    text=f"{name}: {share:.1%} {words} by the product's own mask",
                )
        elif self.rule_pixels:
            share = self.by_rule / self.rule_pixels
            yield Finding(
                sensor=name,
                kind="cloud",
                is_warning=share > WARN_SHARE["cloud"],
                share=share,
                text=f"{name}: {share:.1%} looks like cloud; a rule, no mask in the product: {CLOUD_RULE}",
            )
        elif name in self.known:
            text = f"{name}: cloud unknown: the product has no mask, and without swir1 snow and cloud look alike"
            yield Finding(sensor=name, kind="cloud", is_warning=False, text=text)


def cloud_by_rule(data: dict[str, np.ndarray], image: Sensor, *, thermal: str = "") -> np.ndarray:
    """Return where pixels look like cloud by :data:`CLOUD_RULE`; nowhere without its bands.

    Parameters
    ----------
    data : dict of str to numpy.ndarray, shape (bands, h, w)
        As :func:`polynya.scenes.scene.read` gives it.
    image : Sensor
        The optical one.
    thermal : str
        Name of the thermal sensor, if any.

    Returns
    -------
    numpy.ndarray of bool, shape (h, w)
    """
    values, warm = data[image.name], data.get(thermal)
    bands = image.places("blue", "green", "swir1")
    if len(bands) < 3:
        return np.zeros(values.shape[1:], bool)
    return _cloud_rule(*(values[b] for b in bands), thermal=None if warm is None else warm[0])


def _cloud_rule(blue: np.ndarray, green: np.ndarray, swir: np.ndarray, *, thermal: np.ndarray | None) -> np.ndarray:
    with np.errstate(invalid="ignore", divide="ignore"):
        snow = (green - swir) / (green + swir)
        found = (blue > 0.35) & (swir > 0.35) & (snow > -0.2) & (snow < 0.3)
        if thermal is not None:
            found &= ~(thermal > 290.0)
    return found


def _absent(scene: Scene) -> Iterator[Finding]:
    for sensor in scene.table:
        source, warn = scene.source(sensor.name), sensor.is_essential
        if source is None:
            text = f"{sensor.name}: the scene has none"
            yield Finding(sensor=sensor.name, kind="missing_sensor", is_warning=warn, text=text)
            continue
        lacking = [b for b, layer in zip(sensor.band_names, source.bands, strict=True) if layer is None]
        if lacking:
            yield Finding(
                sensor=sensor.name,
                kind="missing_band",
                is_warning=warn,
                number=float(len(lacking)),
                text=f"{sensor.name}: no {', '.join(lacking)}",
            )


def _registered(r: Registration) -> Finding:
    confidence = f"confidence {r.confidence:.2f}"
    if not r.is_confident:
        text = f"{r.sensor}: whether {r.band} is registered to {r.reference} could not be determined ({confidence})"
        return Finding(sensor=r.sensor, kind="register_unknown", is_warning=False, text=text)
    if not r.is_flagged:
        within = f"within {register.TOLERANCE_PIXELS:g} pixels"
        return Finding(
            sensor=r.sensor,
            kind="misregistration",
            is_warning=False,
            number=r.length_m,
            text=f"{r.sensor}: {r.band} is registered to {r.reference} ({within}, {confidence})",
        )
    where = (
        f"{abs(r.east_m):.0f} m {'east' if r.east_m > 0 else 'west'} and {abs(r.north_m):.0f} m"
        f" {'north' if r.north_m > 0 else 'south'}"
    )
    what = (
        f"; it was never terrain-corrected, and by its bright slopes the pass is {r.looks}" if r.is_uncorrected else ""
    )
    return Finding(
        sensor=r.sensor,
        kind="misregistration",
        is_warning=True,
        number=r.length_m,
        text=(
            f"{r.sensor}: {r.band} is misregistered by {r.length_m:.0f} m ({where}) against {r.reference}{what}"
            f" ({confidence}): do not use it with the others"
        ),
    )

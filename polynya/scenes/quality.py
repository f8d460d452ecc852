"""What is wrong with a scene before anything is mapped on it: missing data, cloud, saturation, impossible values,
sensors out of register.

Nothing is mended and nothing refused here: each finding says what, where and how much, and the report carries it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass

import numpy as np

from ..sensors import SENSORS, band_names
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


@dataclass(frozen=True)
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
    share: float | None
    number: float | None
    text: str


@dataclass(frozen=True)
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
    """Look at a scene's sensors one by one and against each other.

    Parameters
    ----------
    scene : Scene
    reach_m : float
        Largest shift between sensors that is looked for, m.

    Returns
    -------
    Quality

    Raises
    ------
    ProductError
        If a file of the scene is missing or damaged.
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
        *(Finding("scene", "note", False, None, None, n) for n in scene.notes),
    ]
    return Quality(scene.name, float(seen), tuple(findings), registration)


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
        self.known = {s: np.zeros(len(SENSORS[s]), np.int64) for s in scene.sensors}
        self.beyond = {s: np.zeros((2, len(SENSORS[s])), np.int64) for s in scene.sensors}
        self.extreme = {s: np.array([[np.inf] * len(SENSORS[s]), [-np.inf] * len(SENSORS[s])]) for s in scene.sensors}
        self.saturated = {s: np.zeros(len(SENSORS[s]), np.int64) for s in scene.sensors}
        self.cloud = np.zeros(256, np.int64)
        self.by_rule = self.rule_pixels = self.zero = self.optical_pixels = 0

    def add(self, data: dict[str, np.ndarray], cloud: np.ndarray) -> None:
        self.pixels += cloud.size
        self.cloud += np.bincount(cloud.ravel(), minlength=256)
        for sensor, values in data.items():
            for i, (band, layer) in enumerate(zip(SENSORS[sensor], self.scene.source(sensor).bands, strict=True)):
                if layer is None:
                    continue
                value = values[i][np.isfinite(values[i])]
                self.known[sensor][i] += value.size
                if not value.size:
                    continue
                self.beyond[sensor][0, i] += np.count_nonzero(value < band.low)
                self.beyond[sensor][1, i] += np.count_nonzero(value > band.high)
                self.extreme[sensor][:, i] = (
                    min(self.extreme[sensor][0, i], value.min()),
                    max(self.extreme[sensor][1, i], value.max()),
                )
                if layer.top is not None and layer.kind == "linear":
                    self.saturated[sensor][i] += np.count_nonzero(
                        value >= (layer.top * layer.scale + layer.offset) * (1 - 1e-6)
                    )
        if "optical" in data:
            there = np.isfinite(data["optical"])
            self.zero += int(np.count_nonzero(there.any(axis=0) & (~there | (data["optical"] == 0)).all(axis=0)))
            self.optical_pixels += int(there.any(axis=0).sum())
            found = _cloud_rule(data["optical"], data.get("thermal"))
            if found is not None:
                self.by_rule += int(np.count_nonzero(found))
                self.rule_pixels += int(np.isfinite(data["optical"][[0, 4]]).all(axis=0).sum())

    def findings(self) -> Iterator[Finding]:
        for sensor, known in self.known.items():
            layers = self.scene.source(sensor).bands
            there = [i for i, layer in enumerate(layers) if layer is not None]
            share = 1.0 - float(known[there].min()) / self.pixels
            name = band_names(sensor)
            worst = there[int(np.argmin(known[there]))]
            least = 1.0 - float(known[there].max()) / self.pixels
            if share > 0:
                fullest = there[int(np.argmax(known[there]))]
                more = (
                    ": nothing of it lies on the scene"
                    if least == 1
                    else f", {least:.1%} no {name[fullest]}"
                    if least > 0 and f"{least:.1%}" != f"{share:.1%}"
                    else ""
                )
                yield Finding(
                    sensor,
                    "missing",
                    share > WARN_SHARE["missing"],
                    share,
                    least,
                    f"{sensor}: {share:.1%} of the pixels have no {name[worst]}{more}",
                )
            for i in there:
                count = int(self.beyond[sensor][:, i].sum())
                if count:
                    part = count / max(int(known[i]), 1)
                    low, high = self.extreme[sensor][:, i]
                    band = SENSORS[sensor][i]
                    yield Finding(
                        sensor,
                        "out_of_range",
                        part > WARN_SHARE["out_of_range"],
                        part,
                        float(count),
                        f"{sensor}: {count} pixels of {band.name} ({part:.2%}) lie outside {band.low:g} to"
                        f" {band.high:g} {band.units}; from {low:g} to {high:g}",
                    )
                if self.saturated[sensor][i]:
                    part = int(self.saturated[sensor][i]) / max(int(known[i]), 1)
                    yield Finding(
                        sensor,
                        "saturation",
                        part > WARN_SHARE["saturation"],
                        part,
                        float(self.saturated[sensor][i]),
                        f"{sensor}: {part:.1%} of {name[i]} is saturated: differences inside snow and ice are lost",
                    )
        if self.zero:
            part = self.zero / self.optical_pixels
            yield Finding(
                "optical",
                "zero",
                part > WARN_SHARE["zero"],
                part,
                float(self.zero),
                f"optical: {part:.1%} of the pixels are exactly 0 in every band, which no ground is: fill that the file"
                " does not declare (gdal_edit -a_nodata 0)",
            )
        yield from self._clouds()

    def _clouds(self) -> Iterator[Finding]:
        known = int(self.cloud.sum() - self.cloud[CLOUD_UNKNOWN])
        if known:
            for value, kind in ((CLOUD, "cloud"), (SHADOW, "shadow")):
                share = int(self.cloud[value]) / known
                yield Finding(
                    "optical",
                    kind,
                    share > WARN_SHARE[kind],
                    share,
                    None,
                    f"optical: {share:.1%} {kind if kind == 'cloud' else 'cloud shadow'} by the product's own mask",
                )
        elif self.rule_pixels:
            share = self.by_rule / self.rule_pixels
            yield Finding(
                "optical",
                "cloud",
                share > WARN_SHARE["cloud"],
                share,
                None,
                f"optical: {share:.1%} looks like cloud; a rule, no mask in the product: {CLOUD_RULE}",
            )
        elif "optical" in self.known:
            yield Finding(
                "optical",
                "cloud",
                False,
                None,
                None,
                "optical: cloud unknown: no mask in the product, and without swir1 snow cannot be told from cloud",
            )


def _cloud_rule(optical: np.ndarray, thermal: np.ndarray | None) -> np.ndarray | None:
    blue, green, swir = optical[0], optical[1], optical[4]
    if not np.isfinite(swir).any():
        return None
    with np.errstate(invalid="ignore", divide="ignore"):
        snow = (green - swir) / (green + swir)
        found = (blue > 0.35) & (swir > 0.35) & (snow > -0.2) & (snow < 0.3)
        if thermal is not None:
            found &= ~(thermal[0] > 290.0)
    return found


def _absent(scene: Scene) -> Iterator[Finding]:
    for sensor, bands in SENSORS.items():
        source = scene.source(sensor)
        if source is None:
            yield Finding(
                sensor, "missing_sensor", sensor in ("optical", "dem"), None, None, f"{sensor}: the scene has none"
            )
            continue
        lacking = [b.name for b, layer in zip(bands, source.bands, strict=True) if layer is None]
        if lacking:
            yield Finding(
                sensor,
                "missing_band",
                sensor in ("optical", "dem"),
                None,
                float(len(lacking)),
                f"{sensor}: no {', '.join(lacking)}",
            )


def _registered(r: Registration) -> Finding:
    if not r.is_confident:
        return Finding(
            r.sensor,
            "register_unknown",
            False,
            None,
            None,
            f"{r.sensor}: whether {r.band} is in register with {r.reference} cannot be told (confidence"
            f" {r.confidence:.2f})",
        )
    where = (
        f"{abs(r.east_m):.0f} m {'east' if r.east_m > 0 else 'west'} and {abs(r.north_m):.0f} m"
        f" {'north' if r.north_m > 0 else 'south'}"
    )
    what = (
        f"; it was never terrain-corrected, and by its bright slopes the pass is {r.looks}" if r.is_uncorrected else ""
    )
    if r.is_flagged:
        return Finding(
            r.sensor,
            "misregistration",
            True,
            None,
            r.length_m,
            f"{r.sensor}: {r.band} lies {r.length_m:.0f} m ({where}) from {r.reference}{what} (confidence"
            f" {r.confidence:.2f}): do not use it with the others",
        )
    return Finding(
        r.sensor,
        "misregistration",
        False,
        None,
        r.length_m,
        f"{r.sensor}: {r.band} is in register with {r.reference} (within {register.TOLERANCE_PIXELS:g} pixels,"
        f" confidence {r.confidence:.2f})",
    )

"""What turns a scene into probabilities strip by strip: exported networks, or the classical rule; and which sensors
they are given."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import UsageError
from ...glaciers import agreement
from ...physics import ice_rules
from ...predict import runtime as predict_runtime
from ...predict import scenes as predict_scenes
from ...samples import scene_scaling
from ...scenes import quality as scene_quality
from ...scenes import resolution
from ...scenes import scene as glacier_scene
from ...scenes import seen as scene_seen
from ...scenes.scene import Scene, only_sensors
from ...sensors.glaciers import REGIONS, TABLE
from . import region as glacier_region
from .strips import Strip, bands, cloud_in, fade, image_bands, masked_strip

RULE = "rule"
GLACIER = "glacier"
"""The positive class of a glacier network."""
DROPOUT = "-dropout"
"""Ends the name of a network's second graph, in which dropout stays on."""
NO_LOCATION = "not used"
"""The region in run.json of a network without location encoding."""
ROWS = 512
"""Rows of a strip of the rule."""


@dataclass(frozen=True, kw_only=True)
class Mapper:
    """What turns a scene into probabilities.

    Attributes
    ----------
    name : str
    sensors : tuple of str
        That it can use.
    about : list of dict
        For run.json.
    members : int
        Networks whose answers are averaged.
    always : tuple of str
        Sensors that were present in all training windows of a network.
    ground : tuple of sequence
        Areas of real ground that they were trained on: grid, left, bottom, right, top, metres.
    between_blocks, block_sd : float
        Between-block correlation and within-block standard deviation of the errors: the largest that a network states;
        0 and 1 where none does.
    has_area_errors : bool
        Whether every network states them.
    threshold : float
        Probability from which a pixel is called glacier where the user says nothing: what the networks' weights of
        decision mean, on average.
    pixel_m : (float, float) or None
        Least and largest pixel size of the training data, m; None for the rule, which takes any.
    place : callable
        Takes scene and sensors; returns the location encoding of the place for the network, and that in words.
    strips : callable
        Takes scene, sensors, place and a function to call with pixels done; yields :data:`Strip`.
    """

    name: str
    sensors: tuple[str, ...]
    about: list[dict[str, object]]
    members: int
    always: tuple[str, ...]
    ground: tuple[Sequence[object], ...]
    between_blocks: float
    block_sd: float
    has_area_errors: bool
    threshold: float
    pixel_m: tuple[float, float] | None
    place: Callable[[Scene, Sequence[str]], tuple[np.ndarray, str]]
    strips: Callable[[Scene, Sequence[str], np.ndarray, Callable[[int], None]], Iterator[Strip]]


@dataclass(frozen=True, kw_only=True)
class Passes:
    """How often each network is run on a scene, and with what.

    Attributes
    ----------
    turns : int
        1, or 8 for test-time augmentation.
    draws : int
        Predictions with dropout on; 1 for none. More than 1 takes ``NAME-dropout.onnx`` beside each network.
    runtime : str
        ``auto``, ``onnxruntime`` or ``openvino``.
    threads : int
        Windows at a time.
    """

    turns: int = 1
    draws: int = 1
    runtime: str = "auto"
    threads: int = 1


def networks(names: Sequence[str], *, region: str, passes: Passes | None = None) -> Mapper:
    """Return a mapper that averages networks.

    Parameters
    ----------
    names : sequence of str
        Shipped names or ``.onnx`` files.
    region : str
        See :class:`polynya.workflows.glaciers.Config`.
    passes : Passes, optional
        How often each is run.

    Returns
    -------
    Mapper

    Raises
    ------
    UsageError
        If there is no such network, it has no dropout, is no glacier network, or has no region encoding though a region
        is given.
    ProductError
        If a file is no export of a scene network.
    """
    passes = passes or Passes()
    plain = [predict_scenes.load(located(n), runtime=passes.runtime, threads=passes.threads) for n in names]
    predict_scenes.same_shape(plain)
    asked = (
        plain
        if passes.draws == 1
        else [predict_scenes.load(with_dropout(n.path), runtime=passes.runtime, threads=passes.threads) for n in plain]
    )
    positive, *_ = [_glacier_class(n, region) for n in (*plain, *asked)]
    areas = [n.description.areas for n in plain]

    def strips(
        scene: Scene, used: Sequence[str], vector: np.ndarray, advance: Callable[[int], None]
    ) -> Iterator[Strip]:
        read = bands(scene, plain[0].sensors, used)
        image = image_bands(scene, plain[0].sensors, used)
        for s in predict_scenes.strips(
            asked,
            read,
            shape=scene.shape,
            location=vector,
            averaging=predict_scenes.Averaging(
                turns=passes.turns, draws=passes.draws, fade=fade(scene, plain[0].sensors, used, image)
            ),
            threads=passes.threads,
            advance=advance,
        ):
            is_seen = np.isfinite(s.values).any(axis=0)
            found = masked_strip(
                s.row,
                probability=s.probability[positive],
                confidence=predict_scenes.confidence(plain[0], s.probability),
                spread=s.spread,
                is_seen=scene_seen.of_image(s.values[list(image)]) if image else is_seen,
            )
            yield replace(found, is_cloud=cloud_in(scene, plain[0].sensors, s.values) if image else None)

    return Mapper(
        name=" + ".join(n.description.name for n in plain),
        sensors=plain[0].sensors,
        about=[_about(n, passes.draws) for n in asked],
        members=len(plain),
        always=tuple(dict.fromkeys(s for n in plain for s in _always(n.about))),
        ground=tuple(piece for n in plain for piece in _ground(n.about)),
        between_blocks=max((a.between_blocks for a in areas if a is not None), default=0.0),
        block_sd=max((a.sd for a in areas if a is not None), default=1.0),
        has_area_errors=None not in areas,
        threshold=float(np.mean([_threshold(n.description, positive) for n in plain])),
        pixel_m=_pixel_m([n.about for n in plain]),
        place=functools.partial(_place, plain[0], region),
        strips=strips,
    )


def _glacier_class(network: predict_scenes.SceneNetwork, region: str) -> int:
    """Return the number of the glacier class of a network that can map a region."""
    d = network.description
    if d.positive is None:
        raise UsageError(
            f"--network {network.path.name}: it names no positive class; expected {GLACIER}. Train it with positive:"
            f" {GLACIER} in the recipe, or give another."
        )
    if d.classes[d.positive] != GLACIER:
        raise UsageError(
            f"--network {network.path.name}: its positive class is {d.classes[d.positive]} of {', '.join(d.classes)};"
            f" expected {GLACIER}. Give a glacier network."
        )
    if region in (*REGIONS, "optimised", "unknown") and d.location_kind != "region":
        raise UsageError(
            f"--region {region}: network {d.name} has no region encoding (its location encoding: {d.location_kind});"
            " expected a network with one. Leave --region out."
        )
    return d.positive


def _place(
    network: predict_scenes.SceneNetwork, region: str, scene: Scene, used: Sequence[str]
) -> tuple[np.ndarray, str]:
    """Return a network's location encoding of a scene, and that in words."""
    d = network.description
    name = scene.region if region == "auto" else region
    if d.location_kind == "region" and region == "optimised":
        return glacier_region.optimise(network, bands(scene, network.sensors, used), shape=scene.shape)
    latitude, longitude = agreement.middle(scene.geobox)
    vector = scene_scaling.location_vector(d.location_kind, region=name, latitude=latitude, longitude=longitude)
    words = {
        "none": NO_LOCATION,
        "region": name if name in REGIONS else "unknown",
        "coordinates": f"{latitude:.2f}, {longitude:.2f}",
    }
    return vector, words[d.location_kind]


def _about(network: predict_scenes.SceneNetwork, draws: int) -> dict[str, object]:
    """Return what run.json says of a network."""
    return {
        "file": network.path.name,
        "sha256": network.sha256,
        "name": network.description.name,
        "runtime": network.runtime,
        "simulator_commit": (network.about.get("data") or {}).get("simulator_commit"),
        "draws": draws,
    }


def _always(about: Mapping[str, Any]) -> Sequence[str]:
    return ((about.get("recipe") or {}).get("scene") or {}).get("always") or ()


def _threshold(description: predict_scenes.Description, positive: int) -> float:
    """Return the probability from which a network of two classes calls a pixel glacier; 0.5 of more classes."""
    weights = description.decision_weights
    if weights is None or len(weights) != 2:
        return 0.5
    return float(weights[1 - positive] / sum(weights))


def _pixel_m(every: Sequence[Mapping[str, Any]]) -> tuple[float, float]:
    """Return the pixel sizes that all of some networks learnt, m."""
    stated = [(a.get("data") or {}).get("pixel_m") or resolution.LEARNT_M for a in every]
    return max(float(s[0]) for s in stated), min(float(s[1]) for s in stated)


def _ground(about: Mapping[str, Any]) -> list[Sequence[object]]:
    return [
        *((about.get("data") or {}).get("ground") or ()),
        *((about.get("start_from") or {}).get("ground") or ()),
    ]


def located(name: str) -> Path:
    """Return a network's file.

    Parameters
    ----------
    name : str
        A shipped network, or a path.

    Raises
    ------
    UsageError
        If there is none.
    """
    try:
        return predict_runtime.locate(name, family="scenes")
    except UsageError as error:
        known = [n for n in predict_runtime.shipped(family="scenes") if not n.endswith(DROPOUT)]
        raise UsageError(
            f"--network {name}: no such network; expected 'rule', a shipped name"
            f" ({', '.join(known) or 'none is shipped'}) or an .onnx file. Check the name or the path."
        ) from error


def with_dropout(path: Path) -> Path:
    """Return the graph with dropout of a network.

    Parameters
    ----------
    path : Path
        The network's plain graph.

    Raises
    ------
    UsageError
        If there is none.
    """
    found = path.with_name(f"{path.stem}{DROPOUT}.onnx")
    if not found.is_file():
        raise UsageError(
            f"--mc-dropout: network {path.name} has no dropout ({found.name} is not beside it); expected one trained"
            " with model.dropout above 0. Leave --mc-dropout out, or take --tta or several --network."
        )
    return found


def rule() -> Mapper:
    """Return the classical rule as a map of 0 and 1; its confidence is not known and stays empty."""

    def strips(
        scene: Scene, used: Sequence[str], vector: np.ndarray, advance: Callable[[int], None]
    ) -> Iterator[Strip]:
        height, width = scene.shape
        only = only_sensors(scene, used)
        chosen = agreement.classical_rule(only)
        for row in range(0, height, ROWS):
            end = min(row + ROWS, height)
            values = glacier_scene.read(only, window=((row, end), (0, width)))
            found = ice_rules.classical(agreement.for_rules(scene, values), rule=chosen)
            probability = np.where(found.valid, found.mask, np.nan).astype(np.float32)
            yield masked_strip(
                row,
                probability=probability,
                confidence=np.full(probability.shape, np.nan, np.float32),
                spread=np.where(found.valid, np.float32(0), np.float32(np.nan)),
                is_seen=scene_seen.of_scene(only, values),
            )
            advance((end - row) * width)

    return Mapper(
        name="classical rule",
        sensors=tuple(n for n in (TABLE.name_of("reflectance"), TABLE.name_of("height")) if n),
        about=[{"name": RULE}],
        members=1,
        always=(),
        ground=(),
        between_blocks=0.0,
        block_sd=1.0,
        has_area_errors=False,
        threshold=0.5,
        pixel_m=None,
        place=lambda scene, used: (np.zeros(0, np.float32), NO_LOCATION),
        strips=strips,
    )


def choose(
    scene: Scene,
    mapper: Mapper,
    quality: scene_quality.Quality,
    *,
    wanted: Sequence[str] = (),
    keep_flagged: bool = False,
) -> tuple[tuple[str, ...], list[str]]:
    """Return the sensors to use, and in words why others are not.

    Parameters
    ----------
    scene : Scene
        The scene.
    mapper : Mapper
        The network or the rule.
    quality : scene_quality.Quality
        Of the scene.
    wanted : sequence of str
        Use these only; all by default.
    keep_flagged : bool
        Use misregistered sensors, too.

    Raises
    ------
    UsageError
        If none is left, or one that was asked for is not there or not known to the network.
    """
    absent_wanted = [s for s in wanted if s not in scene.sensors or s not in mapper.sensors]
    if absent_wanted:
        s = absent_wanted[0]
        who = (
            f"the scene has {', '.join(scene.sensors)}"
            if s not in scene.sensors
            else f"{mapper.name} uses {', '.join(mapper.sensors)}"
        )
        raise UsageError(f"--sensor {s}: cannot be used: {who}; expected a sensor of both. Leave it out.")
    notes = []
    used = [s for s in mapper.sensors if s in scene.sensors and (not wanted or s in wanted)]
    for finding in quality.findings:
        if finding.kind == "missing" and finding.number == 1.0 and finding.sensor in used[1:]:
            used.remove(finding.sensor)
            notes.append(f"{finding.sensor} was left out: nothing of it lies on the scene")
    for sensor, (length, band) in _misregistered(scene, quality).items():
        if sensor in used and keep_flagged:
            notes.append(
                f"{sensor} is used although {band} is misregistered by about {length:.0f} m (--use-misregistered)"
            )
        elif sensor in used:
            used.remove(sensor)
            notes.append(
                f"{sensor} was left out: {band} is misregistered by about {length:.0f} m; --use-misregistered uses it"
                " nevertheless"
            )
    absent = [s for s in mapper.sensors if s not in scene.sensors]
    if absent:
        notes.append(f"mapped without {', '.join(absent)}, which {mapper.name} could use and the scene does not have")
    if not used:
        raise UsageError(
            f"{scene.name}: has {', '.join(scene.sensors)}; {mapper.name} uses {', '.join(mapper.sensors)} and none is"
            " left. Give more sensors, another network, or --use-misregistered."
        )
    return tuple(used), notes


def _misregistered(scene: Scene, quality: scene_quality.Quality) -> dict[str, tuple[float, str]]:
    """Return misregistered sensors, with the worst band's shift in metres. Sensors of one acquisition share its
    geometry, so one flag stands for all of them; the scene's first sensor is the grid itself and is kept.
    """
    out: dict[str, tuple[float, str]] = {}
    for r in quality.registration:
        if r.is_flagged:
            for sensor in scene.table.same_acquisition(r.sensor):
                is_used = sensor in scene.sensors and sensor != scene.sensors[0]
                if is_used and (sensor not in out or out[sensor][0] < r.length_m):
                    out[sensor] = (float(r.length_m), r.band)
    return out

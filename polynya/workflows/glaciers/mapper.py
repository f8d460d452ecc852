"""What turns a scene into probabilities strip by strip: exported networks, or the classical rule; and which sensors
they are given."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pyproj import Transformer
from pyproj.exceptions import ProjError

from ...errors import UsageError
from ...glaciers import agreement
from ...physics import ice_rules
from ...predict import runtime as predict_runtime
from ...predict import scenes as predict_scenes
from ...samples import scene_scaling
from ...scenes import quality as scene_quality
from ...scenes import scene as glacier_scene
from ...sensors import REGIONS, SENSORS
from . import region as glacier_region

RULE = "rule"
GLACIER = -1
"""The last class is the glacier."""
DROPOUT = "-dropout"
"""Ends the name of a network's second graph, which draws its dropout anew at every call."""
ROWS = 512
"""Rows of a strip of the rule."""

Strip = tuple[int, np.ndarray, np.ndarray, np.ndarray]
"""First row, probability of glacier, confidence, spread; each (h, width) float32."""


@dataclass(frozen=True)
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
        Sensors that every network learnt with only.
    ground : tuple of sequence
        Pieces of real ground that they were trained on: grid, left, bottom, right, top, metres.
    between_blocks, block_sd : float
        How errors of different blocks go together and how large they are: the largest that a network says of itself.
    place : callable
        Takes scene and sensors; returns what a network is told of the place, and that in words.
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
    place: Callable[[glacier_scene.Scene, Sequence[str]], tuple[np.ndarray, str]]
    strips: Callable[[glacier_scene.Scene, Sequence[str], np.ndarray, Callable[[int], None]], Iterator[Strip]]


def networks(
    names: Sequence[str], *, region: str, turns: int = 1, draws: int = 1, runtime: str = "auto", threads: int = 1
) -> Mapper:
    """Return a mapper that averages networks.

    Parameters
    ----------
    names : sequence of str
        Shipped names or ``.onnx`` files.
    region : str
        See :class:`polynya.workflows.glaciers.Config`.
    turns : int
        1 or 8.
    draws : int
        More than 1 takes the graphs with dropout, ``NAME-dropout.onnx`` beside each network.
    runtime : str
    threads : int

    Raises
    ------
    UsageError
        If there is no such network, it has no dropout, is no glacier network, or is told no region though one is given.
    ProductError
        If a file is no export of a scene network.
    """
    plain = [predict_scenes.load(located(n), runtime=runtime, threads=threads) for n in names]
    predict_scenes.same_shape(plain)
    d = plain[0].description
    if d.classes[GLACIER] != "glacier":
        raise UsageError(
            f"--network {plain[0].path.name}: its classes are {', '.join(d.classes)}; expected a glacier network. Give"
            " another."
        )
    if region in (*REGIONS, "optimised", "unknown") and d.location_kind != "region":
        raise UsageError(
            f"--region {region}: network {d.name} is not told a region (it is told: {d.location_kind}); expected a"
            " network with region encoding. Leave --region out."
        )
    asked = (
        plain
        if draws == 1
        else [predict_scenes.load(with_dropout(n.path), runtime=runtime, threads=threads) for n in plain]
    )

    def place(scene: glacier_scene.Scene, used: Sequence[str]) -> tuple[np.ndarray, str]:
        told = scene.region if region == "auto" else region
        if d.location_kind == "region" and region == "optimised":
            return glacier_region.optimise(plain[0], bands(scene, plain[0].sensors, used), shape=scene.shape)
        latitude, longitude = agreement.middle(scene.geobox)
        vector = scene_scaling.location_vector(d.location_kind, region=told, latitude=latitude, longitude=longitude)
        words = {
            "none": "not told",
            "region": told if told in REGIONS else "unknown",
            "coordinates": f"{latitude:.2f}, {longitude:.2f}",
        }
        return vector, words[d.location_kind]

    def strips(
        scene: glacier_scene.Scene, used: Sequence[str], vector: np.ndarray, advance: Callable[[int], None]
    ) -> Iterator[Strip]:
        read = bands(scene, plain[0].sensors, used)
        for s in predict_scenes.strips(
            asked,
            read,
            shape=scene.shape,
            location=vector,
            averaging=predict_scenes.Averaging(turns=turns, draws=draws),
            threads=threads,
            advance=advance,
        ):
            yield s.row, s.probability[GLACIER], predict_scenes.confidence(plain[0], s.probability), s.spread

    about = [
        {
            "file": n.path.name,
            "sha256": n.sha256,
            "name": n.description.name,
            "runtime": n.runtime,
            "simulator_commit": (n.about.get("data") or {}).get("simulator_commit"),
            "draws": draws,
        }
        for n in asked
    ]
    always = tuple(
        dict.fromkeys(s for n in plain for s in ((n.about.get("recipe") or {}).get("scene") or {}).get("always") or ())
    )
    ground = tuple(
        piece
        for n in plain
        for piece in [
            *((n.about.get("data") or {}).get("ground") or ()),
            *((n.about.get("start_from") or {}).get("ground") or ()),
        ]
    )
    return Mapper(
        " + ".join(n.description.name for n in plain),
        plain[0].sensors,
        about,
        len(plain),
        always,
        ground,
        max(n.description.areas.between_blocks for n in plain),
        max(n.description.areas.sd for n in plain),
        place,
        strips,
    )


def located(name: str) -> Path:
    """Return a network's file.

    Raises
    ------
    UsageError
        If there is none.
    """
    try:
        return predict_runtime.locate(name, of_scenes=True)
    except UsageError as error:
        known = [n for n in predict_runtime.shipped(of_scenes=True) if not n.endswith(DROPOUT)]
        raise UsageError(
            f"--network {name}: no such network; expected 'rule', a shipped name"
            f" ({', '.join(known) or 'none is shipped'}) or an .onnx file. Check the name or the path."
        ) from error


def with_dropout(path: Path) -> Path:
    """Return the graph with dropout of a network.

    Raises
    ------
    UsageError
        If there is none.
    """
    found = path.with_name(f"{path.stem}{DROPOUT}.onnx")
    if not found.is_file():
        raise UsageError(
            f"--mc-dropout: network {path.name} has no dropout to draw ({found.name} is not beside it); expected one trained"
            " with model.dropout above 0. Leave --mc-dropout out, or take --tta or several --network."
        )
    return found


def rule() -> Mapper:
    """Return the classical rule as a map of 0 and 1; its confidence is not known and stays empty."""

    def strips(
        scene: glacier_scene.Scene, used: Sequence[str], vector: np.ndarray, advance: Callable[[int], None]
    ) -> Iterator[Strip]:
        height, width = scene.shape
        only = agreement.only_sensors(scene, tuple(used))
        chosen = agreement.classical_rule(only)
        for row in range(0, height, ROWS):
            end = min(row + ROWS, height)
            values = glacier_scene.read(only, window=((row, end), (0, width)))
            found = ice_rules.classical(values, rule=chosen)
            probability = np.where(found.valid, found.mask, np.nan).astype(np.float32)
            yield (
                row,
                probability,
                np.full(probability.shape, np.nan, np.float32),
                np.where(found.valid, np.float32(0), np.float32(np.nan)),
            )
            advance((end - row) * width)

    return Mapper(
        "classical rule",
        ("optical", "dem"),
        [{"name": RULE}],
        1,
        (),
        (),
        0.0,
        1.0,
        lambda scene, used: (np.zeros(0, np.float32), "not told"),
        strips,
    )


def rule_notes(scene: glacier_scene.Scene, used: Sequence[str]) -> list[str]:
    """Say so where the classical rule is not the one with short-wave infrared: what it then maps means less."""
    chosen = agreement.classical_rule(agreement.only_sensors(scene, tuple(used)))
    if chosen.dem is not None:
        return [
            "the rule had no bands in near and short-wave infrared to go by: it maps ground above"
            f" {chosen.dem.lowest_m:.0f} m and gentler than {chosen.dem.steepest_deg:g} degrees by the DEM alone, ice or not"
        ]
    if chosen.name == "brightness":
        return [
            "the rule had no short-wave infrared: it maps what is bright in red and near infrared, cloud and bright"
            " rock too"
        ]
    return []


def network_notes(scene: glacier_scene.Scene, used: Sequence[str], mapper: Mapper) -> list[str]:
    """Say where a network is asked for more than it learnt, and where it learnt here."""
    notes = []
    if "optical" in mapper.always and "optical" not in used:
        notes.append(
            f"no optical image: {mapper.name} never learnt without one; on real ground such maps were worthless, with"
            " intervals that did not say so"
        )
    if any(_meets(scene, piece) for piece in mapper.ground):
        notes.append(f"{mapper.name} was trained on ground of this scene: what it scores here is no skill")
    return notes


def _meets(scene: glacier_scene.Scene, piece: Sequence[object]) -> bool:
    """Return whether a piece of training ground, (grid, left, bottom, right, top), lies in the scene's extent."""
    try:
        left, bottom, right, top = Transformer.from_crs(
            str(piece[0]), scene.geobox.crs.to_wkt(), always_xy=True
        ).transform_bounds(*(float(v) for v in piece[1:5]))
    except (ProjError, ValueError):
        return False
    here = scene.geobox.boundingbox
    return left < here.right and right > here.left and bottom < here.top and top > here.bottom


def bands(scene: glacier_scene.Scene, wanted: Sequence[str], used: Sequence[str]) -> predict_scenes.Read:
    """Return a reader of a network's bands, NaN for sensors that are missing or left out; only those used are read."""
    only = agreement.only_sensors(scene, tuple(used))

    def read(rows: slice, columns: slice) -> np.ndarray:
        values = glacier_scene.read(only, window=((rows.start, rows.stop), (columns.start, columns.stop)))
        shape = (rows.stop - rows.start, columns.stop - columns.start)
        return np.concatenate(
            [values[s] if s in values else np.full((len(SENSORS[s]), *shape), np.nan, np.float32) for s in wanted]
        )

    return read


def choose(
    scene: glacier_scene.Scene,
    mapper: Mapper,
    quality: scene_quality.Quality,
    *,
    wanted: Sequence[str] = (),
    keep_flagged: bool = False,
) -> tuple[tuple[str, ...], list[str]]:
    """Return the sensors to use, and in words why others are not.

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
    for sensor, (length, band) in _flagged(scene, quality).items():
        if sensor in used and keep_flagged:
            notes.append(
                f"{sensor} is used although {band} lies about {length:.0f} m out of register (--use-misregistered)"
            )
        elif sensor in used:
            used.remove(sensor)
            notes.append(
                f"{sensor} was left out: {band} lies about {length:.0f} m out of register; --use-misregistered uses it all"
                " the same"
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


def _flagged(scene: glacier_scene.Scene, quality: scene_quality.Quality) -> dict[str, tuple[float, str]]:
    """Return sensors out of register, with the worst band's shift in metres. Both channels and the coherence of a radar
    come from one geometry, so one flag tells of all; the scene's first sensor is the grid itself and stays.
    """
    radar = ("co_pol_sar", "cross_pol_sar", "in_sar")
    out: dict[str, tuple[float, str]] = {}
    for r in quality.registration:
        if r.is_flagged:
            for sensor in radar if r.sensor in radar else (r.sensor,):
                if (
                    sensor in scene.sensors
                    and sensor != scene.sensors[0]
                    and (sensor not in out or out[sensor][0] < r.length_m)
                ):
                    out[sensor] = (float(r.length_m), r.band)
    return out

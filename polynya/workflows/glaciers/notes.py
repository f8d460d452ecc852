"""What a user must know of a map: what the rule or the network lacked, and where a network was trained."""

from __future__ import annotations

from collections.abc import Sequence

from pyproj import Transformer
from pyproj.exceptions import ProjError

from ...glaciers import agreement
from ...scenes.scene import Scene, only_sensors
from .mapper import Mapper


def rule_notes(scene: Scene, used: Sequence[str]) -> list[str]:
    """Return a note where the classical rule had no short-wave infrared: what it then maps means less.

    Parameters
    ----------
    scene : Scene
        The scene.
    used : sequence of str
        Sensors that the rule is given.
    """
    chosen = agreement.classical_rule(only_sensors(scene, used))
    if chosen.dem is not None:
        return [
            "the rule had no bands in near and short-wave infrared to go by: it maps ground above"
            f" {chosen.dem.lowest_m:.0f} m and gentler than {chosen.dem.steepest_deg:g} degrees by the DEM alone, ice"
            " or not"
        ]
    if chosen.name == "brightness":
        return [
            "the rule had no short-wave infrared: it maps what is bright in red and near infrared, cloud and bright"
            " rock too"
        ]
    return []


def network_notes(
    scene: Scene, used: Sequence[str], mapper: Mapper, *, between_blocks: float | None = None
) -> list[str]:
    """Return notes where a network lacks a sensor that it never was without, where it was trained here, and where its
    areas have no errors that were fitted.

    Parameters
    ----------
    scene : Scene
        The scene.
    used : sequence of str
        Sensors that the network is given.
    mapper : Mapper
        The network.
    between_blocks : float, optional
        Between-block correlation that is given in the network's place.
    """
    notes = []
    if not mapper.has_area_errors and between_blocks is None:
        notes.append(
            f"{mapper.name} states no errors of areas: the intervals count errors of blocks as independent and are too"
            " narrow; pass --between-blocks"
            if mapper.members == 1
            else f"not every network of {mapper.name} states errors of areas: the intervals may be too narrow; pass"
            " --between-blocks"
        )
    image = scene.table.name_of("reflectance")
    if image in mapper.always and image not in used:
        notes.append(
            f"no {image} image: {mapper.name} was never trained without one: this map has no known skill, and no"
            " intervals"
        )
    if any(_overlaps(scene, piece) for piece in mapper.ground):
        notes.append(f"{mapper.name} was trained on ground of this scene: its scores here are no skill")
    return notes


def no_interval(scene: Scene, used: Sequence[str], mapper: Mapper, *, is_coarser: bool) -> str:
    """Return why areas have no intervals; empty where they have.

    Parameters
    ----------
    scene : Scene
        The scene.
    used : sequence of str
        Sensors that the network is given.
    mapper : Mapper
        The network or the rule.
    is_coarser : bool
        Whether the pixels of the scene are larger than any that the network learnt.
    """
    image = scene.table.name_of("reflectance")
    if mapper.pixel_m is None:
        return "the map has no probabilities that they could rest on"
    if image in mapper.always and image not in used:
        return f"without an {image} image {mapper.name} is outside what it learnt"
    if is_coarser:
        return f"pixels are larger than those that {mapper.name} learnt ({mapper.pixel_m[1]:g} m at most)"
    return ""


def _overlaps(scene: Scene, piece: Sequence[object]) -> bool:
    """Return whether an area of training ground, (grid, left, bottom, right, top), overlaps the scene's extent."""
    try:
        left, bottom, right, top = Transformer.from_crs(
            str(piece[0]), scene.geobox.crs.to_wkt(), always_xy=True
        ).transform_bounds(*(float(v) for v in piece[1:5]))
    except (ProjError, ValueError):
        return False
    here = scene.geobox.boundingbox
    return left < here.right and right > here.left and bottom < here.top and top > here.bottom

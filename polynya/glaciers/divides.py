"""Mapped ice cut into glaciers along the divides of an inventory, whose identifiers stay."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from ..errors import UsageError
from ..io.polygons import only_area
from ..scenes.areas import area_km2

KEPT = ("rgi_id", "glims_id", "glac_name", "o1region", "o2region", "term_type")
"""Columns of an inventory that are kept with the new outlines."""
_GRID_M, _DEGREE_M = 1e-3, 111_320.0


def divide(outlines: gpd.GeoDataFrame, inventory: gpd.GeoDataFrame, *, spacing_m: float = 30.0) -> gpd.GeoDataFrame:
    """Cut outlines along the divides of an inventory and give every part the identifier it belongs to.

    Ice inside an inventory's glacier belongs to that glacier. Ice outside all of them that is connected to one glacier
    goes to that glacier. Where it is connected to several, every place goes to the nearest of them; a part that then
    does not touch its glacier goes to the neighbour with the longest common edge. A polygon that overlaps no glacier of
    the inventory is new: its ``rgi_id`` is empty. No area is lost or counted twice.

    Parameters
    ----------
    outlines : geopandas.GeoDataFrame
        Polygons that do not overlap, in a projected CRS or in degrees.
    inventory : geopandas.GeoDataFrame
        Glaciers with ``rgi_id`` (where that is empty, ``glims_id``), in any CRS. Where two overlap, the smaller
        identifier wins.
    spacing_m : float
        Spacing of the points on the glaciers' edges between which "nearest" is determined; one or two pixels.

    Returns
    -------
    geopandas.GeoDataFrame
        In the outlines' CRS, one row per glacier (perhaps of several parts) and one row per new polygon, with the
        columns of :data:`KEPT` that the inventory has, and ``area_km2``.

    Raises
    ------
    UsageError
        If the inventory has no ``rgi_id``, a glacier has no identifier, or one occurs twice.
    """
    if "rgi_id" not in inventory.columns:
        raise UsageError(
            f"inventory: column rgi_id is missing; found {list(inventory.columns)[:8]}. Read it with polynya's reader"
            " of outlines, or rename the column."
        )
    names = _names(inventory)
    if names.duplicated().any():
        raise UsageError(
            f"inventory: {names[names.duplicated()].iloc[0]} occurs twice; expected one row per glacier. Dissolve it by"
            " rgi_id (GLIMS: keep one date of each glac_id)."
        )
    grid = overlay_grid(outlines)
    spacing = spacing_m * grid / _GRID_M
    columns = [c for c in KEPT if c in inventory.columns]
    known = inventory.loc[names.sort_values().index].to_crs(outlines.crs).reset_index(drop=True)
    polygons = shapely.get_parts(shapely.set_precision(outlines.geometry.to_numpy(), grid))
    glaciers = shapely.make_valid(shapely.set_precision(known.geometry.to_numpy(), grid))
    parts: dict[int, list] = {}
    new: list = []
    tree = shapely.STRtree(glaciers)
    for polygon in polygons:
        owned = _inside(polygon, glaciers, np.sort(tree.query(polygon, predicate="intersects")), grid)
        if not owned:
            new.append(polygon)
            continue
        _give_rest(polygon, owned, grid=grid, spacing=spacing)
        for k, pieces in owned.items():
            parts.setdefault(k, []).extend(pieces)
    order = sorted(parts)
    merged = [shapely.union_all(parts[k], grid_size=grid) for k in order]
    table = pd.concat([known.loc[order, columns], pd.DataFrame({"rgi_id": [""] * len(new)})], ignore_index=True)
    for name in columns:
        if name != "term_type":
            table[name] = table[name].astype(object).where(table[name].notna(), "")
    frame = gpd.GeoDataFrame(table, geometry=gpd.GeoSeries([*merged, *new], crs=outlines.crs), crs=outlines.crs)
    frame["area_km2"] = area_km2(frame)
    return frame


def overlay_grid(outlines: gpd.GeoDataFrame) -> float:
    """Return the grid of overlays, a millimetre in units of the CRS: two outlines that should share an edge then do.

    Parameters
    ----------
    outlines : geopandas.GeoDataFrame
        In a projected CRS or in degrees.
    """
    return _GRID_M / _DEGREE_M if outlines.crs.is_geographic else _GRID_M


def identifiers(outlines: gpd.GeoDataFrame) -> pd.Series:
    """Return what an inventory calls each glacier: ``rgi_id``, where that is empty ``glims_id``, else nothing.

    Parameters
    ----------
    outlines : geopandas.GeoDataFrame
        With ``rgi_id``.
    """
    names = outlines["rgi_id"]
    if "glims_id" in outlines.columns:
        names = names.where(names.notna() & (names != ""), outlines["glims_id"])
    return names.astype(object).where(names.notna(), "")


def _names(inventory: gpd.GeoDataFrame) -> pd.Series:
    """Return the identifiers of an inventory.

    Raises
    ------
    UsageError
        If a glacier has none.
    """
    names = identifiers(inventory)
    without = int((names == "").sum())
    if without:
        raise UsageError(
            f"inventory: {without} of {len(names)} glaciers have no identifier; expected RGI or GLIMS outlines (rgi_id,"
            " RGIId or glac_id). Add a column rgi_id with a name for each."
        )
    return names


def _inside(polygon: shapely.Polygon, glaciers: np.ndarray, near: np.ndarray, grid: float) -> dict[int, list]:
    """Return the pieces of a polygon inside each glacier; an overlap of glaciers goes to the first."""
    owned: dict[int, list] = {}
    taken = shapely.Polygon()
    for k in near:
        inside = only_area(shapely.intersection(polygon, glaciers[k], grid_size=grid))
        pieces = _areal(shapely.difference(inside, taken, grid_size=grid))
        if pieces:
            owned[int(k)] = pieces
            taken = shapely.union_all([taken, *pieces], grid_size=grid)
    return owned


def _give_rest(polygon: shapely.Polygon, owned: dict[int, list], *, grid: float, spacing: float) -> None:
    """Add what lies outside every glacier to the glaciers it hangs together with."""
    whole = {k: shapely.union_all(p, grid_size=grid) for k, p in owned.items()}
    rest = _areal(shapely.difference(polygon, shapely.union_all(list(whole.values()), grid_size=grid), grid_size=grid))
    for piece in rest:
        edges = {k: _common_edge(piece, g) for k, g in whole.items() if shapely.intersects(piece, g)}
        edges = {k: e for k, e in edges.items() if e.length > 0} or {
            min(whole, key=lambda k: shapely.distance(piece, whole[k])): shapely.LineString()
        }
        if len(edges) == 1:
            owned[next(iter(edges))].append(piece)
            continue
        for k, part in _nearest_split(piece, edges, grid=grid, spacing=spacing):
            owned[k].append(part)


def _nearest_split(
    piece: shapely.Polygon, edges: dict[int, shapely.Geometry], *, grid: float, spacing: float
) -> list[tuple[int, shapely.Geometry]]:
    """Cut a piece into the places nearest to each of several edges, all of them in contact with their edge."""
    points, owner = [], []
    for k, edge in edges.items():
        xy = np.unique(shapely.get_coordinates(shapely.segmentize(edge, spacing)), axis=0)
        points.append(xy)
        owner += [k] * len(xy)
    xy, first = np.unique(np.concatenate(points), axis=0, return_index=True)  # a point on two edges goes to one of them
    owner = np.array(owner)[first]
    cells = (
        shapely.get_parts(shapely.voronoi_polygons(shapely.MultiPoint(xy), extend_to=piece, ordered=True))
        if len(xy) > 1
        else np.array([piece])
    )
    left = piece
    mine: dict[int, list] = {k: [] for k in edges}
    loose: list = []
    for k in sorted(edges):
        area = (
            only_area(shapely.intersection(left, shapely.union_all(cells[owner == k]), grid_size=grid))
            if (owner == k).any()
            else shapely.Polygon()
        )
        for part in _areal(area):
            (mine[k] if _common_edge(part, edges[k]).length > 0 else loose).append(part)
        left = only_area(shapely.difference(left, area, grid_size=grid))
    loose += _areal(left)
    while loose:
        lengths = np.array([[sum(_common_edge(part, m).length for m in mine[k]) for k in edges] for part in loose])
        row, column = np.unravel_index(int(lengths.argmax()), lengths.shape)
        mine[list(edges)[column]].append(loose.pop(row))
    return [(k, part) for k, parts in mine.items() for part in parts]


def _common_edge(one: shapely.Geometry, other: shapely.Geometry) -> shapely.Geometry:
    """Return the lines that two geometries share."""
    shared = shapely.intersection(
        one.boundary if one.geom_type.endswith("Polygon") else one,
        other.boundary if other.geom_type.endswith("Polygon") else other,
    )
    return shapely.union_all([p for p in shapely.get_parts(shared) if p.geom_type == "LineString"])


def _areal(geometry: shapely.Geometry) -> list:
    return [p for p in shapely.get_parts(geometry) if p.geom_type == "Polygon" and p.area > 0]

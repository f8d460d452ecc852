"""``polynya compare GRID --reference ATL20``: a month of ours and NASA's gridded freeboard, cell by cell.

NASA's cells are matched by the places of their centres: each belongs to the cell of ours that it lies in. The Hughes
ellipsoid of EPSG:3411 and 3412 moves centres by some hundred metres against EPSG:3413 and 3976; where a centre is
further than a tenth of a cell from ours, the grids are not the same and nothing is compared.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from ... import io, schema
from ...errors import ProductError
from ...io import opening
from ...readers import icesat2_atl20

VARIABLES = ("total_freeboard", "total_freeboard_all")
"""Ours, of ice alone and of ice and water: which of the two NASA's mean is nearer to depends on the release."""
LARGEST_OFFSET = 0.1
F8 = pa.float64()
CELLS = schema.TableSpec(
    name="grid_comparison",
    title="Cells of ours and of NASA's gridded freeboard",
    variables=(
        schema.variable("x", F8, "m", "easting of the cell's centre"),
        schema.variable("y", F8, "m", "northing of the cell's centre"),
        schema.variable("latitude", F8, "degrees_north", "latitude", standard_name="latitude"),
        schema.variable("longitude", F8, "degrees_east", "longitude", standard_name="longitude"),
        *(schema.variable(n, F8, "m", f"ours: {n.replace('_', ' ')}") for n in VARIABLES),
        *(schema.variable(f"{n}_uncertainty", F8, "m", f"one standard uncertainty of {n}") for n in VARIABLES),
        schema.variable("n_tracks", pa.int32(), "1", "ours: passes"),
        schema.variable("sampling_flag", pa.int16(), "1", "ours: what limits the mean"),
        schema.variable("nasa_freeboard", F8, "m", "NASA's mean freeboard"),
        schema.variable("nasa_sigma", F8, "m", "sigma of NASA's file"),
    ),
)


@dataclass(frozen=True, kw_only=True)
class Difference:
    """Ours minus NASA's over the cells that both have.

    Attributes
    ----------
    variable : str
        Which of ours.
    cells : str
        ``all``, or ``unflagged`` for those whose ``sampling_flag`` is 0.
    n : int
        Cells.
    bias, median, rmse, sd : float
        m; NaN without a cell.
    bias_uncertainty : float
        Mean of our uncertainties, m: neighbouring cells share passes and the common part, so cells do not average it.
    correlation : float
        NaN for fewer than three cells.
    within_1_sigma, within_2_sigma : float
        Share of cells whose difference is not larger than one and two of our uncertainties.
    """

    variable: str
    cells: str
    n: int
    bias: float
    bias_uncertainty: float
    median: float
    rmse: float
    sd: float
    correlation: float
    within_1_sigma: float
    within_2_sigma: float


@dataclass(frozen=True, kw_only=True)
class GridComparison:
    """A grid of ours beside NASA's.

    Attributes
    ----------
    reference : str
        NASA's file.
    period : str
        Begin and end of our period.
    largest_offset_m : float
        Largest distance of matched centres.
    n_ours_only, n_theirs_only : int
        Cells with a freeboard in one of the two only.
    differences : tuple of Difference
    cells : pyarrow.Table
        As :data:`CELLS`: every cell that one of the two has.
    messages : tuple of str
    """

    reference: str
    period: str
    largest_offset_m: float
    n_ours_only: int
    n_theirs_only: int
    differences: tuple[Difference, ...]
    cells: pa.Table
    messages: tuple[str, ...]


def compare(grid: Path | str, reference: Path | str) -> GridComparison:
    """Compare a month of ours with NASA's.

    Parameters
    ----------
    grid : Path or str
        A folder that ``polynya grid`` wrote (GRID, or maps in it), or its ``grid.nc``.
    reference : Path or str
        An ATL20 file.

    Returns
    -------
    GridComparison

    Raises
    ------
    ProductError
        If a file is none of these, the grids are not the same, or ours has no such month.
    """
    theirs = icesat2_atl20.read(reference)
    with opening.open_netcdf(_grid_file(Path(grid)), decode_times=True) as data:
        missing = [n for n in ("total_freeboard", "time_bnds", "crs", "sampling_flag") if n not in data]
        if missing:
            raise ProductError(
                f"{Path(grid).name}: has no {missing[0]}; expected grid.nc of polynya grid. Give the folder that it"
                " wrote."
            )
        k, period, messages = _period(data["time_bnds"].values, theirs)
        names = [*VARIABLES, *(f"{v}_uncertainty" for v in VARIABLES), "n_tracks", "sampling_flag"]
        ours = {n: data[n].values[k] for n in names}
        x, y = data["x"].values, data["y"].values
        places = {n: data[n].values for n in ("latitude", "longitude")}
        crs = data["crs"].attrs["crs_wkt"]
        n, simulated = (int(data.attrs.get(a, 0)) for a in ("n_granules", "n_simulated_granules"))
    if simulated:
        messages.append(f"Ours: simulated, not satellite data: {simulated} of {schema.counted(n, 'granule')}.")
    at, offset = _matched(theirs, x, y, crs=crs, name=Path(grid).name)
    nasa, sigma = (np.full(ours["n_tracks"].shape, np.nan) for _ in range(2))
    inside = at >= 0
    nasa.ravel()[at[inside]] = theirs.freeboard[inside]
    sigma.ravel()[at[inside]] = theirs.sigma[inside]
    has_ours, has_theirs = np.isfinite(ours["total_freeboard_all"]), np.isfinite(nasa)
    row, column = np.nonzero(has_ours | has_theirs)
    cells = schema.table(
        CELLS,
        {
            "x": x[column],
            "y": y[row],
            **{n: v[row, column] for n, v in {**places, **ours}.items()},
            "nasa_freeboard": nasa[row, column],
            "nasa_sigma": sigma[row, column],
        },
    )
    differences = []
    for name in VARIABLES:
        for words, use in (("all", np.ones_like(has_ours)), ("unflagged", ours["sampling_flag"] == 0)):
            both = use & np.isfinite(ours[name]) & has_theirs
            found = _difference(ours[name][both], ours[f"{name}_uncertainty"][both], nasa[both])
            differences.append(Difference(variable=name, cells=words, n=int(both.sum()), **found))
    return GridComparison(
        reference=theirs.name,
        period=period,
        largest_offset_m=offset,
        n_ours_only=int(np.sum(has_ours & ~has_theirs)),
        n_theirs_only=int(np.sum(has_theirs & ~has_ours)),
        differences=tuple(differences),
        cells=cells,
        messages=tuple(messages),
    )


def run_grids(grid: Path | str, *, reference: Path | str, out: Path | str, overwrite: bool = False) -> GridComparison:
    """Compare grids, and write ``grid_comparison.parquet`` and ``run.json``.

    Parameters
    ----------
    grid, reference : Path or str
        As of :func:`compare`.
    out : Path or str
        New folder.
    overwrite : bool
        Replace an earlier comparison.

    Returns
    -------
    GridComparison

    Raises
    ------
    ProductError
        As of :func:`compare`.
    OutputError
        If the folder cannot be written.
    """
    found = compare(grid, reference)
    with io.writing_folder(Path(out), overwrite=overwrite) as temporary:
        io.write_table(
            found.cells, temporary / f"{CELLS.name}.parquet", spec=CELLS, about={"reference": found.reference}
        )
        numbers = as_json(found)
        record = io.run_record(
            command=io.command_line(),
            config={},
            inputs=[{"grid": Path(grid).name}, {"reference": found.reference}],
            comparison=numbers,
        )
        io.write_json(record, temporary / "run.json")
    return found


def as_json(found: GridComparison) -> dict[str, object]:
    """Return a comparison for machines, without its cells.

    Parameters
    ----------
    found : GridComparison
        Of :func:`compare`.
    """
    return dict(io.plain({k: v for k, v in vars(found).items() if k not in ("cells", "differences")})) | {
        "differences": [io.plain(asdict(d)) for d in found.differences]
    }


def as_text(found: GridComparison) -> str:
    """Return a comparison for people.

    Parameters
    ----------
    found : GridComparison
        Of :func:`compare`.
    """
    lines = [f"ours, {found.period}, minus {found.reference}", *(f"  {_line(d)}" for d in found.differences)]
    lines.append(f"  {schema.counted(found.n_ours_only, 'cell')} ours only, {found.n_theirs_only:,} NASA's only")
    return "\n".join([*lines, *(f"  {m}" for m in found.messages)])


def _line(d: Difference) -> str:
    if not d.n:
        return f"{d.variable}, {d.cells} cells: none in common"
    together = f", correlation {d.correlation:.2f}" if np.isfinite(d.correlation) else ""
    return (
        f"{d.variable}, {d.cells} cells: {d.bias:+.3f} ± {d.bias_uncertainty:.3f} m, median {d.median:+.3f}, RMSE"
        f" {d.rmse:.3f}{together}; {100 * d.within_1_sigma:.0f} % within 1σ, {100 * d.within_2_sigma:.0f} % within 2σ"
        f" of ours (n {d.n:,})"
    )


def _grid_file(path: Path) -> Path:
    if not path.is_dir():
        return path
    return next((p for p in (path / "grid.nc", path / "maps" / "grid.nc") if p.is_file()), path / "grid.nc")


def _period(bounds: np.ndarray, theirs: icesat2_atl20.GriddedFreeboard) -> tuple[int, str, list[str]]:
    """Return which of our periods is NASA's month, what it is called, and what is to be said of it."""
    days = bounds.astype("datetime64[D]")
    names = [f"{a} to {b}" for a, b in days]
    if not theirs.month:
        if len(names) == 1:
            return 0, names[0], ["The month of NASA's file is unknown, its name does not say it."]
    else:
        month = np.datetime64(theirs.month, "M")
        first, last = month.astype("datetime64[D]"), (month + 1).astype("datetime64[D]")
        match = np.flatnonzero((days[:, 0] == first) & (days[:, 1] == last))
        if match.size:
            return int(match[0]), names[int(match[0])], []
        inside = np.flatnonzero((days[:, 0] >= first) & (days[:, 1] <= last))
        if inside.size == 1 == len(names):
            return 0, names[0], [f"Our period is a part of NASA's month {theirs.month}."]
    raise ProductError(
        f"{theirs.name}: is of {theirs.month or 'an unknown month'}, our grid of {', '.join(names)[:200]}; expected the"
        " same month. Make the grid with --period month, or get the ATL20 of that month."
    )


def _matched(
    theirs: icesat2_atl20.GriddedFreeboard, x: np.ndarray, y: np.ndarray, *, crs: str, name: str
) -> tuple[np.ndarray, float]:
    """Return the cell of ours, row times columns plus column, of each of NASA's (-1 for none), and the worst offset."""
    from pyproj import Transformer

    project = Transformer.from_crs("EPSG:4326", crs, always_xy=True)
    east, north = project.transform(theirs.longitude, theirs.latitude)
    side = float(x[1] - x[0])
    column, row = np.rint((east - x[0]) / side), np.rint((y[0] - north) / side)
    inside = np.isfinite(east + north) & (column >= 0) & (column < x.size) & (row >= 0) & (row < y.size)
    if not inside.any():
        raise ProductError(
            f"{theirs.name}: has no cell on our grid; expected the same hemisphere. Give the ATL20 of the other one"
            " (-01 is north, -02 south)."
        )
    at = np.where(inside, row * x.size + column, -1).astype(np.int64)
    offset = np.hypot(east - x[0] - column * side, y[0] - north - row * side)[inside]
    # Rows near the outer edge may fall off a grid of another ellipsoid; what is inside must lie on the centres.
    worst = float(offset.max())
    if worst > LARGEST_OFFSET * side or np.unique(at[inside]).size < np.count_nonzero(inside):
        raise ProductError(
            f"{theirs.name}: its cells lie up to {worst / 1000:.1f} km from the centres of {name}; expected the same"
            " grid. Make it with --cell 25km, and --crs EPSG:3411 (north) or EPSG:3412 (south)."
        )
    return at, worst


def _difference(ours: np.ndarray, sigma: np.ndarray, theirs: np.ndarray) -> dict[str, float]:
    if ours.size == 0:
        nothing = (
            "bias",
            "bias_uncertainty",
            "median",
            "rmse",
            "sd",
            "correlation",
            "within_1_sigma",
            "within_2_sigma",
        )
        return dict.fromkeys(nothing, float("nan"))
    d = ours.astype(np.float64) - theirs
    has_spread = ours.size > 2 and np.std(ours) > 0 and np.std(theirs) > 0
    return {
        "bias": float(d.mean()),
        "bias_uncertainty": float(sigma.astype(np.float64).mean()),
        "median": float(np.median(d)),
        "rmse": float(np.sqrt(np.mean(d**2))),
        "sd": float(d.std(ddof=1)) if d.size > 1 else float("nan"),
        "correlation": float(np.corrcoef(ours, theirs)[0, 1]) if has_spread else float("nan"),
        "within_1_sigma": float(np.mean(np.abs(d) <= sigma)),
        "within_2_sigma": float(np.mean(np.abs(d) <= 2 * sigma)),
    }

"""``polynya change`` of three dates or more: a series a glacier, rates, a table and a page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import geopandas as gpd

from ... import io
from ...errors import PolynyaError, UsageError
from ...evaluate import area_series
from ...io import polygons
from ...report import area_series as page
from . import drawn_total, mapped_ground, read_outlines

MOST = 30
"""Glaciers that the text lists, the largest first."""


def run(
    paths: Sequence[Path | str],
    *,
    within: Path | str | None = None,
    position_error_m: float | None = None,
    shared: float | None = None,
) -> area_series.Series:
    """Compare outlines of several dates.

    Parameters
    ----------
    paths : sequence of Path or str
        Outlines, or folders of ``polynya glaciers``, in any order.
    within : Path or str, optional
        Polygons of the ground that counts; by default what each map covers and saw.
    position_error_m : float, optional
        Standard error of the position of outlines without intervals, m.
    shared : float, optional
        Share of the error variance that all dates have in common; by default 0.5 for maps of one network, else 0.

    Raises
    ------
    ProductError
        If a file is missing, damaged, or has no CRS or date, or the dates share no ground.
    UsageError
        If a number is out of range.
    """
    if position_error_m is not None and position_error_m < 0:
        raise UsageError(
            f"--position-error-m {position_error_m:g}: is negative; expected metres from 0. Half a pixel is usual."
        )
    if shared is not None and not 0.0 <= shared <= 1.0:
        raise UsageError(f"--shared-error {shared:g}: expected 0 to 1. It is a share of the error variance.")
    ground = polygons.read(within).geometry if within is not None else None
    names = _names(paths)
    dates = [
        area_series.DateOutlines(
            name=name,
            outlines=read_outlines(path),
            ground=_ground(path) if ground is None else ground,
            total=drawn_total(path),
        )
        for name, path in zip(names, paths, strict=True)
    ]
    is_one = len({_networks(p) for p in paths}) == 1 and _networks(paths[0]) != ()
    share = shared if shared is not None else area_series.SHARED if is_one else 0.0
    return area_series.compare(dates, position_error_m=position_error_m, shared=share)


def _names(paths: Sequence[Path | str]) -> list[str]:
    short = [Path(p).name for p in paths]
    return short if len(set(short)) == len(short) else [str(p) for p in paths]


def _ground(path: Path | str) -> gpd.GeoSeries | None:
    return mapped_ground(path)


def _networks(path: Path | str) -> tuple[str, ...]:
    """Return the hashes of the networks that drew a map; nothing for other outlines."""
    record = (Path(path) if Path(path).is_dir() else Path(path).parent) / "run.json"
    try:
        held = io.read_json(record) if record.is_file() else {}
    except PolynyaError:
        return ()
    about = held.get("network") if isinstance(held, dict) else None
    return tuple(str(n.get("sha256")) for n in about if isinstance(n, dict)) if isinstance(about, list) else ()


def write(series: area_series.Series, out: Path | str, *, overwrite: bool = False) -> None:
    """Write ``series.csv``, ``rates.csv``, ``report.html`` and ``run.json`` into a folder.

    Parameters
    ----------
    series : Series
        Of :func:`run`.
    out : Path or str
        The folder.
    overwrite : bool
        Replace it where it is an earlier result.

    Raises
    ------
    OutputError
        If it cannot be written, or exists.
    """
    place = io.place(out)
    io.check_place(place, overwrite=overwrite)
    with io.writing_folder(place, overwrite=overwrite) as folder:
        series.areas.to_csv(folder / "series.csv", index=False)
        series.rates.to_csv(folder / "rates.csv", index=False)
        messages = [f"Uncertainty: {error_text(series)}.", *series.notes]
        page.write(folder / "report.html", areas=series.areas, rates=series.rates, messages=messages)
        record = io.run_record(
            command=io.command_line(),
            config={"shared_error": series.shared},
            inputs=[{"outlines": d} for d in series.areas["date"].unique()],
            notes=list(series.notes),
        )
        io.write_json(record, folder / "run.json")


def as_json(series: area_series.Series) -> dict[str, object]:
    """Return a series for machines.

    Parameters
    ----------
    series : Series
        Of :func:`run`.
    """
    return {
        "shared_error": series.shared,
        "notes": list(series.notes),
        "rates": series.rates.to_dict("records"),
        "areas": series.areas.to_dict("records"),
    }


def error_text(series: area_series.Series) -> str:
    """Return what the errors of the rates contain, in one sentence.

    Parameters
    ----------
    series : Series
        Of :func:`run`.
    """
    if series.shared <= 0:
        return "errors of the dates are taken as independent; what they have in common is not counted"
    return (
        f"{series.shared:.0%} of the error variance is taken as common to all dates (one network, one DEM): that part"
        " does not become smaller with more dates; --shared-error changes it"
    )


def as_text(series: area_series.Series) -> str:
    """Return a series for reading.

    Parameters
    ----------
    series : Series
        Of :func:`run`.
    """
    total = series.areas[series.areas["rgi_id"] == area_series.TOTAL]
    lines = [f"{'date':<28}{'year':>9}{'total':>12} km2  95 % interval"]
    for row in total.itertuples():
        interval = f"[{row.low_km2:.3f}, {row.high_km2:.3f}]" if row.low_km2 == row.low_km2 else "[unknown]"
        lines.append(f"{row.date:<28}{row.year:>9.2f}{row.area_km2:>12.3f}      {interval}")
    lines += ["", f"{'glacier':<28}{'dates':>6}{'years':>7}{'area':>11} km2{'rate':>12} km2 a-1  standard error"]
    rates = series.rates.sort_values("area", ascending=False, na_position="last")
    for row in rates.head(MOST).itertuples():
        sigma = f"{row.sigma:.4f}" if row.sigma == row.sigma else "unknown"
        lines.append(
            f"{row.rgi_id:<28}{row.n:>6}{row.span:>7.1f}{row.area:>11.3f}    {row.per_year:>+12.4f}          {sigma}"
        )
    if len(rates) > MOST:
        lines.append(f"and {len(rates) - MOST} more: --json lists all")
    return "\n".join([*lines, f"uncertainty: {error_text(series)}", *(f"note: {n}" for n in series.notes)])

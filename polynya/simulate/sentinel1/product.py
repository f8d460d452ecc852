"""Write a simulated Sentinel-1 EW product: a SAFE folder with pixels, the truth, and an ice chart beside it.

The scene is that of :func:`.scene.draw_scene` with the same seed, size and ranges, seen pixel by pixel.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np

from ... import __version__, io
from ...errors import OutputError, UsageError, one_line
from . import leads, presets, truth
from .annotation import Annotation, incidence
from .chart import Chart, draw_chart
from .drawn import FIRST_ORBIT, draw_annotation
from .manifest import Names, manifest_xml, names_of
from .metadata import Image, calibration_xml, noise_xml, product_xml
from .pixels import CELL_PIXELS, Strip, strips
from .presets import POLARISATIONS
from .real import read_annotation
from .scene import check_arguments, draw_window
from .window import crop
from .world import World, draw_world

RECORD = "scene.json"


@dataclass(frozen=True, kw_only=True)
class Options:
    """What to simulate.

    Attributes
    ----------
    seed : int
        The same options and seed give the same files.
    ranges : str
        ``standard`` or ``stress``.
    kind : str or None
        ``water``, ``edge`` or ``pack``; drawn if None.
    size : tuple of int or None
        Lines and samples, pixels of 40 m; the whole scene if None.
    hemisphere : str
        ``north`` or ``south``, where no centre is given.
    centre : tuple of float or None
        Latitude and longitude of the whole scene's middle, degrees.
    annotation : Path or None
        A real EW GRDM product, for its noise, calibration, sub-swaths, angles and positions.
    has_lead_map : bool
        Also write the true leads on a polar grid of 80 m.
    """

    seed: int = 0
    ranges: str = "standard"
    kind: str | None = None
    size: tuple[int, int] | None = None
    hemisphere: str = "north"
    centre: tuple[float, float] | None = None
    annotation: Path | None = None
    has_lead_map: bool = False


@dataclass(frozen=True, kw_only=True)
class Written:
    """What a simulation wrote: folder of the product, truth on the swath and on the polar grid, chart, record; the map
    of leads where it was asked for."""

    safe: Path
    truth: Path
    polar_truth: Path
    chart: Path
    record: Path
    leads: Path | None = None
    about: dict[str, object] = field(default_factory=dict)


def simulate_product(
    out: Path | str,
    options: Options | None = None,
    *,
    overwrite: bool = False,
    say: Callable[[str], None] = lambda _: None,
) -> Written:
    """Write a product, its truth and its chart into a folder.

    Parameters
    ----------
    out : Path or str
        New or empty; or an earlier simulation, with ``overwrite``.
    options : Options, optional
        What to simulate; the defaults if left out.
    overwrite : bool
        Replace the earlier simulation.
    say : callable
        Receives a line of progress now and then.

    Raises
    ------
    UsageError
        If an option is not what is expected.
    ProductError
        If the real annotation cannot be used.
    OutputError
        If the folder holds something else, or cannot be written.
    """
    options = options or Options()
    out = Path(out)
    check_arguments(seed=options.seed, ranges=options.ranges, kind=options.kind, hemisphere=options.hemisphere)
    io.check_place(out, overwrite=overwrite, record=RECORD)
    annotation, about = _annotation(options)
    names = names_of(annotation, options.seed)
    shape = (annotation.lines // CELL_PIXELS, annotation.samples // CELL_PIXELS)
    lines, samples = (CELL_PIXELS * np.arange(n) + 4.5 for n in shape)
    world = draw_world(
        options.seed,
        shape,
        incidence(annotation, lines, samples).mean(axis=0),
        ranges=presets.RANGES[options.ranges],
        kind=options.kind,
    )
    about |= world.about
    with io.writing_folder(out, overwrite=overwrite, record=RECORD) as folder:
        cells = _write_safe(folder / names.safe, names, annotation, world, options, say)
        chart = draw_chart(options.seed, cells.concentration, cells.stage, cells.floe)
        about |= {"chart_shift_km": round(chart.shift_km, 2), "shares": truth.shares(cells)}
        files = _write_truth(folder, annotation, cells, chart, about)
        if options.has_lead_map:
            files["leads"] = "leads.tif"
            epsg, time = _epsg(annotation), f"{str(about['time'])[:19]}Z"
            leads.write_map(folder / files["leads"], annotation, world.cover, epsg=epsg, time=time)
        io.write_json({"files": {"safe": names.safe, **files}, **about}, folder / RECORD)
    return Written(
        safe=out / names.safe,
        truth=out / files["truth"],
        polar_truth=out / files["polar_truth"],
        chart=out / files["chart"],
        record=out / RECORD,
        leads=out / files["leads"] if "leads" in files else None,
        about=about,
    )


def parse_size(text: str) -> tuple[int, int] | None:
    """Return lines and samples of ``LINESxSAMPLES``, None of ``full``.

    Parameters
    ----------
    text : str
        As of ``--size``.

    Raises
    ------
    UsageError
        If it is neither.
    """
    if text == "full":
        return None
    found = re.fullmatch(r"(\d+)\s*[xX]\s*(\d+)", text.strip())
    if found is None:
        raise UsageError(
            f"--size {text}: is no size; expected lines and samples as 2000x2500, or full. Write it like this."
        )
    return int(found[1]), int(found[2])


def _annotation(options: Options) -> tuple[Annotation, dict[str, object]]:
    """Return the annotation of the product, and what the record says of it."""
    about: dict[str, object] = {
        "simulated": "polynya; no measurement",
        "polynya": __version__,
        "seed": options.seed,
        "ranges": options.ranges,
    }
    if options.annotation is not None:
        whole = read_annotation(options.annotation)
        whole = replace(whole, orbit=replace(whole.orbit, number=FIRST_ORBIT + whole.orbit.number % 100000))
        about["annotation"] = Path(options.annotation).name
    else:
        whole, place = draw_annotation(options.seed, hemisphere=options.hemisphere, centre=options.centre)
        about["place"] = place or list(options.centre or ())
    size = options.size or (whole.lines, whole.samples)
    most = (whole.lines, whole.samples)
    if not all(160 <= n <= m for n, m in zip(size, most, strict=True)):
        raise UsageError(
            f"--size {size[0]}x{size[1]}: does not fit; expected 160 to {most[0]} lines and 160 to {most[1]} samples of"
            " 40 m. Choose another, or full."
        )
    first = (0, 0)
    if size != most:
        cells = tuple(n // CELL_PIXELS for n in size)
        row, column = draw_window(options.seed, cells, within=tuple(n // CELL_PIXELS for n in most))
        first = tuple(min(CELL_PIXELS * n, m - s) for n, m, s in zip((row, column), most, size, strict=True))
    annotation = crop(whole, line=first[0], sample=first[1], lines=size[0], samples=size[1])
    about |= {"time": annotation.orbit.start, "first_pixel": list(first), "orbit": asdict(annotation.orbit)}
    return annotation, about


def _write_safe(
    safe: Path,
    names: Names,
    annotation: Annotation,
    world: World,
    options: Options,
    say: Callable[[str], None],
) -> truth.Cells:
    """Write the product's folder; return the truth that its pixels show."""
    for name in ("measurement", "annotation/calibration"):
        (safe / name).mkdir(parents=True)
    sums = np.zeros((2, 3))
    parts: list[Strip] = []
    images = {p: safe / names.path("measurement", p) for p in POLARISATIONS}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # rasterio warns of ground control points without a transform
        files = [_create(images[p], annotation) for p in POLARISATIONS]
        try:
            for strip in strips(annotation, world, options.seed):
                _write_strip(files, strip, sums)
                parts.append(replace(strip, numbers=strip.numbers[:, :0]))
                say(f"{strip.line + strip.numbers.shape[1]} of {annotation.lines} lines")
        finally:
            for file in files:
                file.close()
    for k, polarisation in enumerate(POLARISATIONS):
        count, total, squares = sums[k]
        mean = total / max(count, 1.0)
        deviation = float(np.sqrt(max(squares / max(count, 1.0) - mean**2, 0.0)))
        image = Image(polarisation=polarisation, number=k + 1, mean=mean, deviation=deviation)
        for kind, make in (("annotation", product_xml), ("calibration", calibration_xml), ("noise", noise_xml)):
            (safe / names.path(kind, polarisation)).write_bytes(make(annotation, image))
    settings = f"Seed {options.seed}, ranges {options.ranges}; see {RECORD}."
    (safe / "manifest.safe").write_bytes(manifest_xml(safe, names, annotation, settings=settings))
    return truth.Cells(
        concentration=np.concatenate([p.concentration for p in parts]),
        stage=np.array((0, *presets.STAGES), np.uint8)[np.concatenate([p.stage for p in parts])],
        floe=np.concatenate([p.floe for p in parts]),
    )


def _write_strip(files: list, strip: Strip, sums: np.ndarray) -> None:
    """Write a strip into both images, and add to the sums of their pixels: number, total, squares."""
    from rasterio.errors import RasterioError
    from rasterio.windows import Window

    _, lines, samples = strip.numbers.shape
    for k, file in enumerate(files):
        numbers = strip.numbers[k]
        try:
            file.write(numbers, 1, window=Window(0, strip.line, samples, lines))
        except RasterioError as error:
            raise OutputError(
                f"{Path(file.name).name}: cannot be written ({one_line(error)[:120]}); expected room on the disk. Free"
                " some, or choose a smaller --size."
            ) from error
        valid = numbers[numbers > 0].astype(np.float64)
        sums[k] += (len(valid), valid.sum(), (valid**2).sum())


def _create(path: Path, annotation: Annotation):
    """Open a measurement file: 16 bit, not compressed, with the geolocation grid as ground control points."""
    import rasterio
    from rasterio.control import GroundControlPoint

    p = annotation.points
    points = [
        GroundControlPoint(row=line + 0.5, col=pixel + 0.5, x=p.longitude[i, j], y=p.latitude[i, j], z=p.height[i, j])
        for i, line in enumerate(p.lines)
        for j, pixel in enumerate(p.pixels)
    ]
    return rasterio.open(
        path,
        "w",
        driver="GTiff",
        width=annotation.samples,
        height=annotation.lines,
        count=1,
        dtype="uint16",
        gcps=points,
        crs="EPSG:4326",
    )


def _epsg(annotation: Annotation) -> int:
    return presets.EPSG["north" if annotation.points.latitude.mean() > 0.0 else "south"]


def _write_truth(
    folder: Path, annotation: Annotation, cells: truth.Cells, chart: Chart, about: dict[str, object]
) -> dict[str, str]:
    """Write the truth on the swath and on the polar grid, and the chart; return their names."""
    epsg = _epsg(annotation)
    files = {"truth": "truth.nc", "polar_truth": "truth.tif", "chart": "chart.gpkg"}
    truth.write_swath(folder / files["truth"], annotation, cells, chart, about)
    truth.write_polar(folder / files["polar_truth"], annotation, cells.concentration, epsg=epsg)
    truth.write_chart(folder / files["chart"], annotation, chart, epsg=epsg)
    return files

"""One image: classes, floes, leads, shares, page. The task that engines repeat."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from rasterio.windows import Window

from ... import io
from ...engine.protocol import DONE, SKIPPED, Record
from ...io import opening, polygons
from ...physics import power_law
from ...readers import ice_images
from ...readers.ice_images import IceImage
from ...scenes import floes, lead_lines
from ...scenes.image_plane import Plane
from ...schema.optical_ice_maps import ICE, LAND, POND, THICK, THIN, WATER
from . import chart, mapper, products, quality
from .config import Config

if TYPE_CHECKING:
    import geopandas

RESULTS_VERSION = 1
"""Raised only when the same inputs and settings give another map."""
SIMULATED = "simulated image: no satellite took it; nothing here is a result about real ice"
LEARNED = (
    "The network has learned from simulated images alone: compare its classes with the picture before you rest on its"
    " numbers."
)


@dataclass(frozen=True, kw_only=True)
class Item:
    """One image of a run.

    Attributes
    ----------
    path : str
        File or folder, or the address of a file.
    folder : str
        Where its result goes, a path or an address.
    chart : str
        File of a SIGRID-3 ice chart, or empty.
    """

    path: str
    folder: str
    chart: str = ""

    @property
    def name(self) -> str:
        """The path."""
        return self.path

    @property
    def place(self) -> str:
        """Where its result goes."""
        return self.folder

    def key(self, config: Config, used: mapper.Mapper) -> io.Key:
        """Return everything that decides the map.

        Parameters
        ----------
        config : Config
            Settings.
        used : mapper.Mapper
            What maps.
        """
        return io.Key(
            workflow="seaice",
            version=RESULTS_VERSION,
            settings=config.model_dump(mode="json", exclude={"runtime", "network"}),
            inputs={"scene": io.local_path(self.path)} | ({"chart": Path(self.chart)} if self.chart else {}),
            networks=dict(used.networks),
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Found:
    """What a map holds.

    Attributes
    ----------
    floes, leads : geopandas.GeoDataFrame
    law : power_law.PowerLaw or None
        Of the floes' mean calipers, pixels.
    n_whole : int
        Floes that no border cuts and that are large enough to count.
    fraction, low, high : float
        Share of ice in the sea, and its interval; NaN where none is known.
    shares, rule_shares : dict of str to float
        Of the sea and land that were mapped, by class.
    compared : list of dict
        Of :func:`.chart.compare`; empty without a chart.
    """

    floes: geopandas.GeoDataFrame
    leads: geopandas.GeoDataFrame
    law: power_law.PowerLaw | None
    n_whole: int
    fraction: float
    low: float
    high: float
    shares: dict[str, float]
    rule_shares: dict[str, float]
    compared: list[dict[str, object]]


def process(item: Item, *, config: Config, overwrite: bool = False) -> Record:
    """Map one image.

    Parameters
    ----------
    item : Item
        The image and its folder.
    config : Config
        Settings.
    overwrite : bool
        Replace an earlier result.

    Returns
    -------
    Record

    Raises
    ------
    PolynyaError
        If the image cannot be read or has no pixel to map, or the folder holds something else.
    """
    folder, used = io.place(item.folder), mapper.load(config)
    key = item.key(config, used)
    outputs = {"folder": item.folder, "report": str(folder / "report.html")}
    is_there = io.is_address(item.path) or Path(item.path).exists()
    held = io.finished(folder, key) if is_there and not overwrite else None
    if held is not None:
        return Record(
            item=item.name,
            status=SKIPPED,
            message=f"done before: {folder}",
            outputs=outputs,
            numbers=held.get("numbers", {}),
        )
    with io.fetched(item.path) as path:
        messages, numbers = _map(path, item=item, key=key, config=config, used=used, overwrite=overwrite)
    return Record(item=item.name, status=DONE, message="\n".join(messages), outputs=outputs, numbers=numbers)


def _map(
    path: Path, *, item: Item, key: io.Key, config: Config, used: mapper.Mapper, overwrite: bool
) -> tuple[tuple[str, ...], dict[str, float]]:
    """Map an image that is on this computer and write what comes of it; return messages and numbers."""
    from ...report import seaice as report

    started, folder = time.monotonic(), io.place(item.folder)
    image = ice_images.open_image(path)
    plane = _plane(image, config)
    chart.check(item.chart, plane, image.name)
    tags = {"scene": image.name, "mapped_by": used.name, **({"simulated": SIMULATED} if image.simulated else {})}
    with (
        io.hashing(key) as hashed,
        io.writing_folder(folder, overwrite=overwrite) as temporary,
        io.scratch() as scratch,
    ):
        sums = products.write(image, used, plane=plane, folder=temporary, scratch=scratch, tags=tags)
        found = _found(temporary, sums, plane=plane, config=config, used=used, scratch=scratch, chart_file=item.chart)
        for name, frame in (("floes", found.floes), ("leads", found.leads)):
            for ending in (".gpkg", ".parquet"):
                polygons.write(frame, temporary / f"{name}{ending}", about=tags)
        messages = _messages(image, sums, found, plane=plane, used=used)
        numbers = {**_numbers(found, sums, plane), "seconds": time.monotonic() - started}
        report.write(
            temporary / "report.html",
            report.Page(
                title=image.name,
                facts=_facts(image, plane, used, config),
                plane=plane,
                classes=used.classes,
                roles=used.roles,
                folder=temporary,
                picture=sums.picture,
                floes=found.floes,
                leads=found.leads,
                law=found.law,
                n_whole=found.n_whole,
                resolvable_px=config.resolvable_px,
                fraction=(found.fraction, found.low, found.high),
                shares=found.shares,
                rule_shares=found.rule_shares,
                compared=found.compared,
                difference=chart.difference(found.compared) if found.compared else float("nan"),
                messages=messages,
                is_simulated=image.simulated,
            ),
        )
        record = io.run_record(
            command=io.command_line(),
            config=config.model_dump(mode="json"),
            inputs=[{"scene": image.name, "time": None if image.time is None else str(image.time)}],
            key=hashed(),
            network=dict(used.about),
            numbers=numbers,
            shares={"method": found.shares, "rule": found.rule_shares},
            floe_rule=_rule_words(config, used),
            chart=found.compared,
            simulated=SIMULATED if image.simulated else None,
            messages=list(messages),
        )
        io.write_json(record, temporary / "run.json")
    return messages, numbers


def _plane(image: IceImage, config: Config) -> Plane:
    pixel = config.pixel_m or image.pixel_m
    return Plane(
        shape=(int(image.shape[0]), int(image.shape[1])),
        geobox=image.geobox,
        pixel_m=float("nan") if pixel is None else float(pixel),
    )


def _found(
    folder: Path,
    sums: products.Sums,
    *,
    plane: Plane,
    config: Config,
    used: mapper.Mapper,
    scratch: Path,
    chart_file: str,
) -> Found:
    """Return floes, leads and shares of the map in a folder."""
    ice = used.codes(THICK, POND, *((THIN,) if config.thin_floes else ()))
    with opening.open_raster(folder / products.CLASSES) as source:

        def read(rows: slice, columns: slice) -> np.ndarray:
            return source.read(1, window=Window.from_slices((rows.start, rows.stop), (columns.start, columns.stop)))

        rule = floes.Rule(ice=ice, land=used.codes(LAND), part_px=config.part_px, least_px=config.least_px)
        bodies = floes.find(read, rule, plane=plane, classes=used.classes, scratch=scratch)
        lines = lead_lines.find(
            read,
            lead_lines.Rule(
                water=used.codes(WATER), thin=used.codes(THIN), ice=used.codes(THICK, POND), widest_px=config.lead_px
            ),
            plane=plane,
        )
    whole = bodies[~(bodies["touches_border"] | bodies["touches_land"])]
    law = power_law.fit(
        whole["mean_caliper_px"].to_numpy(),
        resolvable=config.resolvable_px,
        weights=power_law.fits_weight(whole[["height_px", "width_px"]].to_numpy(), plane.shape),
    )
    fraction, low, high = sums.shares.fraction(all_doubtful=bool(quality.unlike(sums.seen)))
    sea = [k for k in range(len(used.classes)) if used.roles[k] != LAND]
    if not np.isfinite(fraction) and sums.area[sea].sum() > 0:
        fraction = float(sums.area[list(used.codes(*ICE))].sum() / sums.area[sea].sum())
    return Found(
        floes=bodies,
        leads=lines,
        law=law,
        n_whole=int((whole["mean_caliper_px"] >= config.resolvable_px).sum()),
        fraction=fraction,
        low=low,
        high=high,
        shares=_shares(used.classes, sums.area),
        rule_shares=_shares(mapper.RULE_CLASSES, sums.by_rule),
        compared=chart.compare(chart_file, folder / products.CLASSES, mapper=used, plane=plane) if chart_file else [],
    )


def _shares(names: tuple[str, ...], area: np.ndarray) -> dict[str, float]:
    total = max(float(area.sum()), 1e-30)
    return {n: float(a) / total for n, a in zip(names, area, strict=True)}


def _numbers(found: Found, sums: products.Sums, plane: Plane) -> dict[str, float]:
    orientation, agreement = lead_lines.mean_orientation(
        found.leads["orientation_deg"].to_numpy(), found.leads[f"length_{plane.unit}"].to_numpy()
    )
    area = float(sums.area.sum())
    out = {
        "ice_fraction": found.fraction,
        "ice_fraction_low": found.low,
        "ice_fraction_high": found.high,
        "mapped_pixels": float(sums.seen.mapped),
        "cloud_share": sums.seen.share("cloud"),
        "n_floes": float(len(found.floes)),
        "n_floes_in_distribution": float(found.law.n if found.law else 0),
        "n_leads": float(len(found.leads)),
        f"lead_length_{plane.unit}": float(found.leads[f"length_{plane.unit}"].sum()),
        "lead_orientation_deg": orientation,
        "lead_orientation_agreement": agreement,
    }
    if plane.unit == "m":
        out["mapped_area_km2"] = area * 1e-6
    if found.law is not None:
        scale = plane.side
        out |= {
            "floe_exponent": found.law.exponent,
            "floe_exponent_low": found.law.low,
            "floe_exponent_high": found.law.high,
            f"floe_exponent_from_{plane.unit}": found.law.smallest * scale,
            "floe_exponent_p": found.law.p_value,
        }
    if found.compared:
        out["map_minus_chart_percent"] = chart.difference(found.compared)
    return out


def _messages(
    image: IceImage, sums: products.Sums, found: Found, *, plane: Plane, used: mapper.Mapper
) -> tuple[str, ...]:
    out = [f"{SIMULATED[0].upper()}{SIMULATED[1:]}."] if image.simulated else []
    out += [n if n.endswith(".") else f"{n[0].upper()}{n[1:]}." for n in image.notes]
    out += quality.sentences(sums.seen, used, pixel_m=plane.side if plane.unit == "m" else float("nan"))
    if used.name == mapper.RULE:
        out.append(
            "Mapped by thresholds of brightness: they follow the sun's height and the stretch of the picture, see no"
            " melt ponds and no land, and state no probability, so the ice fraction has no interval."
        )
    if not np.isfinite(found.fraction):
        out.append("No pixel is sea: there is no ice fraction.")
    if found.law is None:
        out.append(
            f"No exponent of the floe sizes: {found.n_whole} whole floes are large enough, {power_law.FEWEST} are"
            " needed."
        )
    elif found.law.p_value < 0.1:
        out.append(
            "The floe sizes do not follow a power law (p ="
            f" {found.law.p_value:.2f}): the exponent describes them poorly."
        )
    if used.is_simulated:
        out.append(LEARNED)
    return tuple(out)


def _facts(image: IceImage, plane: Plane, used: mapper.Mapper, config: Config) -> dict[str, object]:
    rows, columns = plane.shape
    size = f"pixels of {plane.side:.3g} m" if plane.unit == "m" else "pixel size unknown"
    place = plane.geobox.crs if plane.has_place and plane.geobox is not None else None
    where = (f"EPSG:{place.epsg}" if place.epsg else "own projection") if place is not None else "no place on the map"
    sha = used.networks.get("network", "")
    return {
        "taken": "unknown" if image.time is None else f"{np.datetime_as_string(image.time, unit='m')} UTC",
        "grid": f"{rows:,} x {columns:,} {size}, {where}",
        "bands": ", ".join(image.sensors),
        "mapped by": "thresholds of brightness" if used.name == mapper.RULE else f"network {used.name}, {sha[:12]}",
        "floes": _rule_words(config, used),
        **({"data": "simulated"} if image.simulated else {}),
    }


def _rule_words(config: Config, used: mapper.Mapper) -> str:
    codes = used.codes(THICK, POND, *((THIN,) if config.thin_floes else ()))
    names = " and ".join(used.classes[k].replace("_", " ") for k in codes)
    return (
        f"connected {names}, after necks narrower than {2 * int(config.part_px) + 1} pixels are cut;"
        f" {config.least_px} pixels or more"
    )

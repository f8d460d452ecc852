"""One scene: product to grid, grid to concentration, concentration to files. The task that engines repeat."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ... import io
from ...engine.protocol import DONE, SKIPPED, Record
from ...errors import ProductError
from ...readers import sentinel1_grd, sentinel1_product
from ...scenes import land as land_of_grid
from ...scenes import radar_grid
from . import amsr2, ice_chart, mapper, products, quality, trust
from .config import NEAR_LAND_KM, RULE, Config

if TYPE_CHECKING:
    import xarray

RESULTS_VERSION = 4
"""Raised only when the same inputs and settings give another map."""
CHANNELS = ("HH", "HV")
MOSTLY_LAND = 0.5
SIMULATED = (
    "The map was made by what has learned from simulated scenes alone: compare it with an ice chart (polynya evaluate)"
    " before you rest on its numbers or their uncertainty."
)
LEARNED = "simulated scenes of EW in winter, without land, noise removed{size}"
"""What errors were fitted on."""


@dataclass(frozen=True, kw_only=True)
class Item:
    """One scene of a run.

    Attributes
    ----------
    path : str
        SAFE folder or zip, or the address of a zip.
    folder : str
        Where its result goes, a path or an address.
    land : str
        File of land polygons, or empty.
    amsr2 : str
        File of AMSR2 brightness temperatures, or empty.
    """

    path: str
    folder: str
    land: str = ""
    amsr2: str = ""

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
        more = {"land": self.land, "amsr2": self.amsr2}
        inputs = {"scene": io.local_path(self.path)} | {k: Path(v) for k, v in more.items() if v}
        return io.Key(
            workflow="concentration",
            version=RESULTS_VERSION,
            settings=config.model_dump(mode="json", exclude={"runtime", "network", "sigrid3"}),
            inputs=inputs,
            networks=used.networks,
        )


def process(item: Item, *, config: Config, overwrite: bool = False) -> Record:
    """Map one scene.

    Parameters
    ----------
    item : Item
        The scene and its folder.
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
        If the product cannot be read or has no channel that is known, or the folder holds something else.
    """
    folder, used = io.place(item.folder), mapper.load(config)
    key = item.key(config, used)
    outputs = {"folder": item.folder, "report": str(folder / "report.html")}
    is_there = io.is_address(item.path) or Path(item.path).exists()
    held = io.finished(folder, key) if is_there and not overwrite else None
    if held is not None and config.sigrid3 and not ice_chart.is_in(held):
        held, overwrite = None, True  # the same map, once more with its chart
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
    """Map a product that is on this computer and write what comes of it; return messages and numbers."""
    from ...report import concentration as report

    started, folder = time.monotonic(), io.place(item.folder)
    product = sentinel1_grd.open_product(path)
    with io.hashing(key) as hashed, io.writing_folder(folder, overwrite=overwrite) as temporary:
        data, notes = _channels(product, config)
        geobox = radar_grid.polar_geobox(product, pixel_m=config.pixel_m)
        if item.amsr2:
            data = amsr2.added(data, item.amsr2, product, geobox)
        mapped, bits, about_map = _mapped(data, geobox, item=item, config=config, used=used, product=product)
        bounds = products.ends(mapped.concentration, mapped.uncertainty, mapped.intervals)
        drawn = products.lines(mapped.concentration, bounds, geobox, edge_at=config.edge, pack_at=config.pack)
        found = products.totals(mapped, geobox, drawn, edge_at=config.edge)
        messages = (*notes, *about_map, *((SIMULATED,) if used.is_simulated else ()))
        title = f"Sea-ice concentration from {product.satellite} {product.mode}, {product.product_id}"
        about = data.assign_attrs(comment=" ".join(messages)) if messages else data
        products.write(temporary, mapped, bits, about, geobox, drawn, title=title)
        if config.sigrid3:
            c, sigma = mapped.concentration, mapped.uncertainty
            ice_chart.write(temporary, c, uncertainty=sigma, bits=bits, geobox=geobox)
        numbers = {**found, "seconds": time.monotonic() - started}
        report.write(
            temporary / "report.html",
            report.Page(
                title=product.product_id,
                facts=_facts(product, data, config, used),
                geobox=geobox,
                concentration=mapped.concentration,
                uncertainty=mapped.uncertainty,
                intervals=mapped.intervals,
                classes=tuple((c.specs[0], c.codes, c.probability) for c in mapped.classes),
                bits=bits,
                data=data,
                edge=drawn.edge,
                zones=drawn.zones,
                totals=found,
                messages=messages,
            ),
        )
        record = io.run_record(
            command=io.command_line(),
            config=config.model_dump(mode="json"),
            inputs=[
                {
                    "scene": product.product_id,
                    "time": str(product.start),
                    "ipf": product.ipf,
                    "origin": sentinel1_product.origin(product),
                }
            ],
            key=hashed(),
            network=used.about,
            numbers=numbers,
            messages=list(messages),
        )
        io.write_json(record, temporary / "run.json")
    return messages, numbers


def _channels(product: sentinel1_grd.Product, config: Config) -> tuple[xarray.Dataset, list[str]]:
    """Return the channels that are used on the grid, and notes."""
    wanted = config.channels or CHANNELS
    used = [c for c in CHANNELS if c in product.channels and c in wanted]
    if not used:
        raise ProductError(
            f"{product.product_id}: has {', '.join(product.channels) or 'no channel'}; expected"
            f" {' or '.join(wanted)}. Give an EW product of HH and HV."
        )
    scale = {} if config.noise_scale == "none" else sentinel1_grd.NOISE_SCALE_S1A_EW
    scale = {c: s for c, s in scale.items() if c in product.channels}
    data = radar_grid.on_grid(
        product, pixel_m=config.pixel_m, is_denoised=config.is_denoised, noise_scale=scale or None
    )
    notes = [f"{n.text[0].upper()}{n.text[1:]}." for n in product.notes]
    if not config.is_denoised:
        notes.append("The thermal noise was not subtracted: bands along the swath may pass for ice.")
    is_scaled_for = product.satellite == "S1A" and product.mode == "EW" and product.ipf.startswith("002.4")
    if scale and not is_scaled_for:
        notes.append(
            f"--noise-scale {config.noise_scale} holds factors for S1A EW of IPF 2.4; this is {product.satellite}"
            f" {product.mode} of IPF {product.ipf or 'unknown'}: bands along the swath may pass for ice."
        )
    if product.mode != "EW":
        notes.append(
            f"The scene was taken in mode {product.mode}: classes and networks have learned from EW, whose incidence"
            " angles and noise differ."
        )
    return data.sel(channel=used), notes


def _mapped(data, geobox, *, item: Item, config: Config, used: mapper.Mapper, product: sentinel1_grd.Product):
    """Return the map without land, its flags, and what to say of it."""
    land = land_of_grid.on_grid(geobox, path=item.land or None)
    n_land = int((land.is_land & (data["valid"].values.max(axis=0) > 0)).sum())
    if land.is_mask:  # before it is mapped: land beside ice is nothing that rule or network knows
        data = data.assign(valid=data["valid"].copy(data=np.where(land.is_land, np.uint8(0), data["valid"].values)))
    mapped = used.map(data)
    near = config.near_land_km
    if near is None:
        near = NEAR_LAND_KM["file" if land.is_mask else "shipped"]
    seen = np.isfinite(mapped.concentration)
    if not seen.any():
        raise ProductError(
            f"{product.product_id}: no pixel can be mapped"
            f"{' outside the land of the given file' if land.is_mask else ''}; expected some with data. Look at the"
            " product's quick-look."
        )
    latitude = float(np.mean(product.swath.latitude))
    bits = quality.flags(
        data,
        mapped.concentration,
        land=land,
        near_land_m=near * 1000.0,
        is_melting=quality.is_melt_season(product.start, latitude),
    )
    notes = []
    share = n_land / max(int(seen.sum()), 1)
    if not land.is_mask and share > 0:
        words = f"{100 * share:.0f} %" if share >= 0.01 else "below 1 %"
        notes.append(
            f"{words} of the pixels are land by the shipped coastline (some kilometres off) and hold numbers that mean"
            " nothing: --land FILE leaves land out."
        )
    if share > MOSTLY_LAND:
        notes.append("Most of the scene is land: is this the scene that you meant?")
    known = tuple(str(c) for c in data["channel"].values)
    notes += quality.sentences(bits, channels=known)
    setting = trust.Setting(
        mode=product.mode,
        channels=known,
        has_amsr2=bool(item.amsr2),
        is_denoised=config.is_denoised,
        pixel_m=config.pixel_m,
        latitude=latitude,
    )
    mapped, about_errors = _with_unknown_errors(mapped, bits, setting, used, lacks=trust.lacking(data, used) & seen)
    return mapped, bits, (*notes, *about_errors)


def _with_unknown_errors(
    mapped: mapper.Mapped, bits: np.ndarray, setting: trust.Setting, used: mapper.Mapper, *, lacks: np.ndarray
) -> tuple[mapper.Mapped, tuple[str, ...]]:
    """Return a map that states where its errors are unknown, and sentences about it."""
    whole = trust.reasons(setting, used)
    where = trust.unknown(bits, is_whole=bool(whole), lacks=lacks)
    words = (*whole, *(("a channel missing in places",) if lacks.any() else ()))
    learned = LEARNED.format(size="" if used.pixel_m is None else f", pixels of {used.pixel_m:g} m")
    found = trust.sentence(where, bits, whole=words, mapped=mapped, learned=learned)
    return trust.widened(mapped, where), (*trust.size_note(setting, used), *found)


def _facts(product: sentinel1_grd.Product, data, config: Config, used: mapper.Mapper) -> dict[str, object]:
    rows, columns = data.sizes["y"], data.sizes["x"]
    known = [str(c) for c in data["channel"].values]
    start = np.datetime_as_string(product.start, unit="m").replace("T", " ")
    epsg = radar_grid.NORTH if float(np.mean(product.swath.latitude)) >= 0 else radar_grid.SOUTH
    return {
        "taken": f"{start} UTC, {product.orbit_pass or 'pass unknown'}",
        "product": f"{product.satellite} {product.mode} {product.product_type}, IPF {product.ipf or 'unknown'}",
        "channels": ", ".join([*known, *(["AMSR2"] if amsr2.CHANNELS[0] in data else [])]),
        "grid": f"{rows} x {columns} pixels of {config.pixel_m:g} m, EPSG:{epsg}",
        "mapped by": "the rule" if used.name == RULE else f"network {used.name}, {used.networks['network'][:12]}",
        "thermal noise": "subtracted" if config.is_denoised else "not subtracted",
        "data": sentinel1_product.origin(product),
    }

"""``polynya segment SCENE --what leads``: a Sentinel-1 scene to a map of leads on the polar grid.

The thermal noise is subtracted, HH and HV are averaged over the pixels of the grid, what is no pack ice is left out,
and :mod:`polynya.physics.dark_leads` finds what is darker than the ice around it. Beside ``NAME.tif`` goes
``NAME.run.json``. ``polynya label ECHOES --lead-map NAME.tif`` takes the map.
"""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field
from scipy import ndimage

from ... import io
from ...errors import ProductError, UsageError
from ...io import grids
from ...physics import dark_leads
from ...readers import sentinel1_grd
from ...scenes import land, radar_grid
from ..concentration import mapper
from ..options import validated

if TYPE_CHECKING:
    import xarray
    from odc.geo.geobox import GeoBox

MISSING = dark_leads.UNKNOWN
FLAGS = ((dark_leads.ICE, "ice"), (dark_leads.LEAD, "lead"))
"""Values of the written map; 255 is no data: outside the scene, land, water wider than a lead, too little ice."""
ICE_PIXEL_M, ICE_AROUND_M = 400.0, 6000.0
"""The concentration that says what is pack ice: on which grid, and averaged over which square."""
LIMITS = (
    "Leads that are bright in HH (water under wind, frost flowers on new ice) are missing, so are leads of one pixel."
    " Smooth new ice between floes may pass for a lead. Compare the map with an optical image where one is near."
)


class Config(BaseModel):
    """How leads are found. Frozen; unknown keys are rejected.

    Attributes
    ----------
    pixel_m : float
        Of the polar grid, m.
    contrast_db : float
        How much darker than the ice around the darkest pixels of a lead are in HH, dB.
    min_concentration : float
        Percent of ice around, by the rule of ``polynya concentration``, below which there is no map.
    with_value : bool
        Also write the contrast in HH, dB.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    pixel_m: float = Field(default=80.0, ge=radar_grid.SMALLEST_M, le=400.0)
    contrast_db: float = Field(default=dark_leads.Rule.seed_db, ge=2.0, le=20.0)
    min_concentration: float = Field(default=50.0, ge=0.0, le=100.0)
    with_value: bool = False

    @classmethod
    def checked(cls, **values: object) -> Config:
        """Build a configuration, or raise :class:`UsageError` that names the option.

        Raises
        ------
        UsageError
            If a value does not exist or does not fit.
        """
        return validated(cls, values, command="segment")

    def rule(self) -> dark_leads.Rule:
        """Return the detector's thresholds; pixels of a lead may be a little brighter than its darkest ones."""
        usual = dark_leads.Rule()
        return dark_leads.Rule(seed_db=self.contrast_db, grow_db=min(usual.grow_db, self.contrast_db))


@dataclass(frozen=True, kw_only=True)
class Outputs:
    """What a run wrote and found.

    Attributes
    ----------
    leads, run : Path
    value : Path or None
    scene, product, taken : str
        Name, satellite and mode, time of the image's middle, UTC.
    counts : dict of str to int
        Pixels of every class, and ``no_data``.
    notes : tuple of str
    seconds : float
    """

    leads: Path
    run: Path
    value: Path | None
    scene: str
    product: str
    taken: str
    counts: dict[str, int]
    notes: tuple[str, ...] = field(default_factory=tuple)
    seconds: float = 0.0


def map_leads(path: Path | str, *, out: Path, config: Config | None = None, overwrite: bool = False) -> Outputs:
    """Find the leads of a scene and write the map.

    Parameters
    ----------
    path : Path or str
        Sentinel-1 GRD, SAFE folder or zip, with HH.
    out : Path
        Cloud-optimised GeoTIFF: 0 ice, 1 lead, 255 no data, EPSG:3413 or 3976; the tag ``time`` is the image's middle.
    config : Config, optional
        Settings.
    overwrite : bool
        Replace an earlier map.

    Returns
    -------
    Outputs

    Raises
    ------
    ProductError
        If the product cannot be read, has no HH, or no pack ice.
    UsageError
        If ``out`` is an earlier map, does not end in ``.tif``, or the pixel size does not fit.
    OutputError
        If it cannot be written, or a file is in the way that is no earlier map.
    """
    started, config, out = time.monotonic(), config or Config(), Path(out)
    if out.suffix.lower() not in (".tif", ".tiff"):
        raise UsageError(f"{out.name}: the map is a GeoTIFF; expected a name that ends in .tif. Change -o.")
    places = {"leads": out} | ({"value": out.with_name(f"{out.stem}_value.tif")} if config.with_value else {})
    record = out.with_suffix(".run.json")
    io.check_files(places.values(), record=record, overwrite=overwrite)
    product = sentinel1_grd.open_product(path)
    if "HH" not in product.channels:
        raise ProductError(
            f"{product.product_id}: has {', '.join(product.channels) or 'no channel'}; expected HH, and HV beside it."
            " Give a product over sea ice of the modes EW or IW with HH."
        )
    geobox = radar_grid.polar_geobox(product, pixel_m=config.pixel_m)
    data = radar_grid.on_grid(product, pixel_m=config.pixel_m)
    pack = _pack(product, geobox, config)
    found = dark_leads.find(
        _power(data, "HH", pack),
        _power(data, "HV", pack) if "HV" in product.channels else None,
        pixel_m=config.pixel_m,
        rule=config.rule(),
    )
    notes = [f"{n.text[0].upper()}{n.text[1:]}." for n in product.notes]
    if "HV" not in product.channels:
        notes.append("There is no HV: more dark ice passes for leads.")
    counts = {name: int((found.states == v).sum()) for v, name in FLAGS}
    counts["no_data"] = int((found.states == MISSING).sum())
    if not counts["ice"] + counts["lead"]:
        raise ProductError(
            f"{product.product_id}: no pixel is pack ice of {config.min_concentration:g} % and more; expected a scene"
            " of sea ice. Choose another, or lower --min-concentration."
        )
    taken = f"{np.datetime_as_string(product.time, unit='s')}Z"
    about = {"scene": product.product_id, "product": f"{product.satellite} {product.mode}", "time": taken}
    run = io.run_record(
        command=io.command_line(),
        config=config.model_dump(),
        inputs=[{**about, "notes": [n.text for n in product.notes]}],
        pixels=counts,
        flags=dict(FLAGS),
        messages=[*notes, LIMITS],
        outputs={k: v.name for k, v in places.items()},
        contents=[p.name for p in places.values()],
    )
    with contextlib.ExitStack() as stack:  # the record gets its name first, the map last
        parts = {name: stack.enter_context(io.writing(path)) for name, path in places.items()}
        _write(found, parts, geobox, about=about, config=config)
        files = {places[n].name: part for n, part in parts.items()}
        io.write_json(run, stack.enter_context(io.writing(record)), files=files)
    return Outputs(
        leads=out,
        run=record,
        value=places.get("value"),
        scene=product.product_id,
        product=about["product"],
        taken=taken,
        counts=counts,
        notes=tuple(notes),
        seconds=time.monotonic() - started,
    )


def _power(data: xarray.Dataset, channel: str, pack: np.ndarray) -> np.ndarray:
    """Return sigma nought of a channel where it is valid pack ice, NaN elsewhere."""
    names = [str(c) for c in data["channel"].values]
    k = names.index(channel)
    usable = (data["valid"].values[k] > 0) & pack
    return np.where(usable, data["sigma0"].values[k], np.nan).astype(np.float32)


def _pack(product: sentinel1_grd.Product, geobox: GeoBox, config: Config) -> np.ndarray:
    """Return where there is enough ice around, and no land, bool on the grid."""
    coarse = radar_grid.polar_geobox(product, pixel_m=ICE_PIXEL_M)
    mapped = mapper.by_rule(radar_grid.on_grid(product, pixel_m=ICE_PIXEL_M))
    known = np.isfinite(mapped.concentration)
    side = round(ICE_AROUND_M / ICE_PIXEL_M) // 2 * 2 + 1
    total = ndimage.uniform_filter(np.where(known, mapped.concentration, 0.0), side, mode="nearest")
    share = ndimage.uniform_filter(known.astype(np.float64), side, mode="nearest")
    with np.errstate(invalid="ignore", divide="ignore"):
        pack = total / share >= 0.01 * config.min_concentration
    pack &= ~land.on_grid(coarse).is_land
    ratio = geobox.affine.a / coarse.affine.a
    rows, columns = (int(n) for n in coarse.shape)
    down = (coarse.affine.f - geobox.affine.f) / ICE_PIXEL_M + ratio * (np.arange(int(geobox.shape[0])) + 0.5)
    across = (geobox.affine.c - coarse.affine.c) / ICE_PIXEL_M + ratio * (np.arange(int(geobox.shape[1])) + 0.5)
    r, c = (np.clip(v.astype(np.int64), 0, n - 1) for v, n in ((down, rows), (across, columns)))
    return pack[np.ix_(r, c)]


def _write(
    found: dark_leads.Found, parts: dict[str, Path], geobox: GeoBox, *, about: dict[str, str], config: Config
) -> None:
    rule = config.rule()
    method = f"dark_leads: seeds {rule.seed_db:g} dB, grown to {rule.grow_db:g} dB in HH, {rule.hv_db:g} dB in HV"
    tags = {
        "long_name": "leads in a radar image",
        "flag_values": " ".join(str(v) for v, _ in FLAGS),
        "flag_meanings": " ".join(n for _, n in FLAGS),
        "method": method,
        **about,
    }
    grids.write_cog(found.states, parts["leads"], geobox=geobox, name="is_lead", tags=tags, nodata=MISSING)
    if "value" in parts:
        more = {"long_name": "HH over the ice around", "units": "dB", **about}
        grids.write_cog(found.contrast, parts["value"], geobox=geobox, name="hh_contrast", tags=more)


def as_json(result: Outputs) -> dict[str, Any]:
    """Return a run as plain data.

    Parameters
    ----------
    result : Outputs
        Of a run.
    """
    outputs = {"leads": result.leads, "value": result.value, "run": result.run}
    return {
        "scene": result.scene,
        "product": result.product,
        "time": result.taken,
        "pixels": result.counts,
        "notes": [*result.notes, LIMITS],
        "outputs": {k: str(v) for k, v in outputs.items() if v is not None},
        "seconds": round(result.seconds, 2),
    }


def as_text(result: Outputs) -> str:
    """Return a run for people: how much is lead, what is missing, what was written.

    Parameters
    ----------
    result : Outputs
        Of a run.
    """
    n = result.counts
    total = n["ice"] + n["lead"]
    lines = [
        f"{result.scene}: {result.product}, {result.taken} ({result.seconds:.1f} s)",
        f"{100.0 * n['lead'] / total:.2f} % of the pack ice is lead;"
        f" {100.0 * n['no_data'] / (total + n['no_data']):.0f} % of the grid has no data (outside the scene, little"
        " ice, wide water)",
        *(f"- {note}" for note in result.notes),
        f"- {LIMITS}",
    ]
    written = [str(p) for p in (result.leads, result.value, result.run) if p is not None]
    return "\n  ".join([*lines, *written])

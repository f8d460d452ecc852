"""``polynya info`` for Sentinel-1 products: what the annotation states; no pixel of the images is read."""

from __future__ import annotations

import shlex
from pathlib import Path

import numpy as np

from ... import io
from ...readers import sentinel1_grd
from ...readers.sentinel1_grd import Image, Product, is_product
from .extent import extent, in_words

__all__ = ["as_text", "is_product", "run"]


def run(path: Path | str) -> dict[str, object]:
    """Describe a product.

    Parameters
    ----------
    path : Path or str
        A SAFE folder or a zip archive of it: GRD, or SLC, of which the annotation is described.

    Returns
    -------
    dict
        Plain data; ``kind`` is ``radar``.

    Raises
    ------
    ProductError
        If metadata are missing or damaged.
    """
    product = sentinel1_grd.open_product(path)
    images = [_image(product, image) for image in product.images]
    box = extent([i.about.grid for i in product.images])
    return io.plain(
        {
            "kind": "radar",
            "name": product.product_id,
            "satellite": product.satellite,
            "product": product.product_type,
            "mode": product.mode,
            "ipf": product.ipf,
            "is_ipf_checked": product.ipf in sentinel1_grd.CHECKED,
            "start": f"{np.datetime_as_string(product.start, unit='ms')}Z",
            "end": f"{np.datetime_as_string(product.stop, unit='ms')}Z",
            "absolute_orbit": product.absolute_orbit,
            "relative_orbit": product.relative_orbit,
            "orbit_pass": product.orbit_pass,
            "extent": None if box is None else [round(v, 4) for v in box],
            "channels": list(product.channels),
            "land_share": round(product.land_share, 3),
            "images": images,
            "notes": [n.text for n in product.notes] + _noise_notes(images),
            "next_commands": _next(product, path),
        }
    )


def _image(product: Product, image: Image) -> dict[str, object]:
    about = image.about
    angles = about.grid.incidence_angle
    return {
        "channel": image.channel,
        "swath": about.header.swath,
        "shape": list(about.shape),
        "pixel_m": [about.range_spacing_m, about.azimuth_spacing_m],
        "incidence_angle": [round(float(angles.min()), 2), round(float(angles.max()), 2)],
        "has_image": bool(image.measurement),
        "noise": _noise(product, image),
    }


def _noise(product: Product, image: Image) -> dict[str, object] | None:
    """Return the noise of the middle line, None where a file is missing."""
    if not image.calibration or not image.noise:
        return None
    known = sentinel1_grd.radiometry_of(product, image)
    middle = image.about.shape[0] // 2
    rows, columns = slice(middle, middle + 1), slice(0, image.about.shape[1])
    nesz = known.noise.window(rows, columns) / known.gain.window(rows, columns) ** 2
    nesz = nesz[nesz > 0]
    decibels = 10.0 * np.log10([nesz.min(), nesz.mean(), nesz.max()]) if nesz.size and known.is_noise_known else []
    return {
        "is_known": known.is_noise_known,
        "subswaths": [s for s in known.noise.swaths if s],
        "has_azimuth": any(b.lines.size for b in known.noise.blocks),
        "nesz_db": [round(float(v), 2) for v in decibels],
    }


def _noise_notes(images: list[dict[str, object]]) -> list[str]:
    unknown = [
        f"{i['channel']} {i['swath']}" for i in images if isinstance(i["noise"], dict) and not i["noise"]["is_known"]
    ]
    if not unknown:
        return []
    return [f"noise of {', '.join(unknown)} is zero or in other units, as before IPF 2.5: it cannot be subtracted"]


def _next(product: Product, path: Path | str) -> list[str]:
    is_whole = all(i.measurement and i.noise and i.calibration for i in product.images)
    if product.product_type != "GRD" or product.mode != "EW" or not is_whole:
        return []
    return [f"polynya concentration {shlex.quote(str(path))} -o OUT"]


def as_text(about: dict[str, object]) -> str:
    """Return the description for people."""
    checked = "" if about["is_ipf_checked"] or not about["ipf"] else " (not checked on real files)"
    processor = f"IPF {about['ipf']}{checked}" if about["ipf"] else "IPF unknown"
    lines = [f"{about['name']}: Sentinel-1 {about['mode']} {about['product']}, {about['satellite']}, {processor}"]

    def row(label: str, words: str) -> None:
        lines.append(f"  {label:<12}{words}")

    row("time", f"{about['start']} to {about['end']}")
    relative = "" if about["relative_orbit"] is None else f", relative {about['relative_orbit']}"
    row("orbit", f"{about['absolute_orbit']}{relative}, {about['orbit_pass'] or 'pass unknown'}")
    if about["extent"] is not None:
        row("extent", in_words(about["extent"]))
    row("land", f"{about['land_share']:.0%} of the geolocation points")
    for i, image in enumerate(about["images"]):
        low, high = image["incidence_angle"]
        row(
            "images" if i == 0 else "",
            f"{image['channel']} {image['swath']}  {image['shape'][0]:,} x {image['shape'][1]:,} pixels of"
            f" {image['pixel_m'][0]:.3g} x {image['pixel_m'][1]:.3g} m, incidence {low:.1f} to {high:.1f} degrees"
            + ("" if image["has_image"] else ", no image file"),
        )
    for i, image in enumerate(about["images"]):
        row("noise" if i == 0 else "", f"{image['channel']} {image['swath']}  {_noise_words(image['noise'])}")
    for i, note in enumerate(about["notes"]):
        row("notes" if i == 0 else "", note)
    for i, command in enumerate(about["next_commands"]):
        row("next" if i == 0 else "", command)
    return "\n".join(lines)


def _noise_words(noise: dict[str, object] | None) -> str:
    if noise is None:
        return "no file of noise or calibration"
    if not noise["is_known"]:
        return "zero, or not in the image's units"
    low, mean, high = noise["nesz_db"]
    swaths = f", {len(noise['subswaths'])} sub-swaths" if noise["subswaths"] else ""
    azimuth = "range and azimuth" if noise["has_azimuth"] else "range only"
    return f"{azimuth}{swaths}; NESZ {low:.1f} / {mean:.1f} / {high:.1f} dB (lowest, mean, highest of the middle line)"

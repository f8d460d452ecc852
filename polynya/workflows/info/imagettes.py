"""``polynya info`` for wave-mode images: SLC products by manifest, TenGeoP-SARwv, quick-looks, folders of images."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ... import io
from ...readers import image_folder, sentinel1_wv, tengeop_sarwv, wv_quicklooks
from ...readers.wave_mode_names import parse
from ...schema import counted
from ...schema.imagettes import NO_PIXEL_SIZE, SHORT_NAMES
from .extent import extent, in_words

PICTURES = (".png", ".jpg", ".jpeg")
BESIDE = (*PICTURES, ".csv", ".txt", ".npy")
"""Endings of the files that a plain folder of images may hold at its top."""


@dataclass(frozen=True, kw_only=True)
class _Places:
    """Positions of imagettes, degrees, arrays of shape (n,)."""

    latitude: np.ndarray
    longitude: np.ndarray


def is_product(path: Path | str) -> bool:
    """Return whether a path is a wave-mode product, or a folder with a table of wave-mode images.

    Parameters
    ----------
    path : Path or str
        Any path.
    """
    if "=" in str(path):
        return False
    return sentinel1_wv.is_product(path) or tengeop_sarwv.is_product(path) or wv_quicklooks.is_product(path)


def is_imagettes(paths: Sequence[Path | str]) -> bool:
    """Return whether one path is given that is a product of :func:`is_product`, or a folder of pictures and no scene.

    Parameters
    ----------
    paths : sequence of Path or str
        As given.
    """
    if len(paths) != 1:
        return False
    path = Path(paths[0])
    if is_product(path):
        return True
    if not path.is_dir():
        return False
    files = [p.suffix.lower() for p in path.iterdir() if p.is_file() and not p.name.startswith(".")]
    return any(e in PICTURES for e in files) and all(e in BESIDE for e in files)


def run(path: Path | str) -> dict[str, object]:
    """Describe one product or folder.

    Parameters
    ----------
    path : Path or str
        Of :func:`is_imagettes`.

    Returns
    -------
    dict
        Plain data; ``kind`` is ``imagettes``.

    Raises
    ------
    ProductError
        If a manifest, a table or the first image is missing or damaged.
    """
    path = Path(path)
    readers = ((sentinel1_wv, _product), (tengeop_sarwv, _tengeop), (wv_quicklooks, _quicklooks))
    describe = next((d for r, d in readers if r.is_product(path)), _folder)
    about = describe(path)
    if about.get("has_images", True):
        about["next_commands"] = [f"polynya tags {shlex.quote(str(path))} -o TAGS"]
    return io.plain(about)


def _product(path: Path) -> dict[str, object]:
    product = sentinel1_wv.open_product(path)
    corners = np.concatenate([i.footprint for i in product.imagettes])
    return {
        **_about(sentinel1_wv.PRODUCT, product.product_id, len(product.imagettes)),
        "satellites": {product.satellite: len(product.imagettes)},
        "beams": dict(Counter(i.beam for i in product.imagettes)),
        "orbits": 1,
        "ipf": product.ipf,
        "absolute_orbit": product.absolute_orbit,
        "orbit_pass": product.orbit_pass,
        **_times(np.array([product.start, product.stop])),
        "extent": _box(corners[:, 1], corners[:, 0]),
        "has_images": product.has_images,
        "notes": [n.text for n in product.notes]
        + ([] if product.has_images else ["no measurement files: footprints only"]),
    }


def _tengeop(path: Path) -> dict[str, object]:
    rows = tengeop_sarwv.read_table(path)
    names = [r.name for r in rows]
    classes = Counter(r.phenomenon for r in rows)
    return {
        **_about(tengeop_sarwv.PRODUCT, path.resolve().name, len(rows)),
        **_named(names),
        "beams": dict(Counter(r.beam for r in rows)),
        **_times(np.array([r.time for r in rows])),
        "extent": _box(np.array([r.latitude for r in rows]), np.array([r.longitude for r in rows])),
        "tags": {SHORT_NAMES[k]: classes[k] for k in sorted(classes)},
        "notes": ["one class per image, the one that dominates: nothing is known of the others"],
    }


def _quicklooks(path: Path) -> dict[str, object]:
    rows = wv_quicklooks.read_table(path)
    first = image_folder.imagette_of(path / rows[0].filename, source=path.name, pixels_m=rows[0].pixels_m)
    tags = np.array([r.tags for r in rows])
    labels = Counter(label for r in rows for label in r.labels)
    latitude, longitude = (np.array([r.numbers[n] for r in rows]) for n in ("latitude", "longitude"))
    simulated = sum(r.is_simulated for r in rows)
    return {
        **_about(wv_quicklooks.PRODUCT, path.resolve().name, len(rows)),
        **_named([r.filename for r in rows]),
        "extent": _box(latitude, longitude),
        **_picture(first),
        "tags": {n: int((tags[:, k] == 1).sum()) for k, n in enumerate(SHORT_NAMES) if (tags[:, k] == 1).any()},
        "untagged": int((tags <= 0).all(axis=1).sum()),
        "labels": dict(labels.most_common()),
        "notes": [f"{counted(simulated, 'image')} simulated: no measurement"] * bool(simulated) + _guessed(first),
    }


def _folder(path: Path) -> dict[str, object]:
    files = image_folder.names_in(path)
    first = image_folder.imagette_of(files[0], source=path.name)
    return {
        **_about(image_folder.PRODUCT, path.resolve().name, len(files)),
        **_named([f.name for f in files]),
        **_picture(first),
        "notes": ["no table of tags", *_guessed(first)],
    }


def _about(product: str, name: str, count: int) -> dict[str, object]:
    """Return what every description has; keys that a product does not fill stay empty."""
    empty: dict[str, object] = {"satellites": {}, "beams": {}, "orbits": 0, "start": "", "end": "", "extent": None}
    more: dict[str, object] = {"tags": {}, "next_commands": []}
    return {"kind": "imagettes", "product": product, "name": name, "imagettes": count, **empty, **more}


def _named(names: list[str]) -> dict[str, object]:
    """Return what names in the agency's form say."""
    found = [p for p in map(parse, names) if p is not None]
    times = np.array([p.start for p in found], "datetime64[ns]")
    return {
        "satellites": dict(Counter(p.satellite for p in found)),
        "beams": dict(Counter(p.beam for p in found)),
        "orbits": len({(p.satellite, p.absolute_orbit) for p in found}),
        **_times(times),
    }


def _times(times: np.ndarray) -> dict[str, str]:
    known = times[~np.isnat(times)]
    ends = (known.min(), known.max()) if known.size else ()
    words = [f"{np.datetime_as_string(t, unit='s')}Z" for t in ends] or ["", ""]
    return {"start": words[0], "end": words[1]}


def _box(latitude: np.ndarray, longitude: np.ndarray) -> list[float] | None:
    box = extent([_Places(latitude=latitude, longitude=longitude)])
    return None if box is None else [round(v, 4) for v in box]


def _picture(first: Any) -> dict[str, object]:
    return {
        "shape": list(first.picture.shape),
        "pixel_m": [first.azimuth_pixel_m, first.range_pixel_m],
        "quantity": first.quantity,
    }


def _guessed(first: Any) -> list[str]:
    return [n.text for n in first.notes if n.code == NO_PIXEL_SIZE]


def as_text(about: dict[str, Any]) -> str:
    """Return the description for people."""
    ipf = f", IPF {about['ipf']}" if about.get("ipf") else ""
    lines = [f"{about['name']}: {about['product']}{ipf}, {counted(about['imagettes'], 'imagette')}"]

    def row(label: str, words: str) -> None:
        lines.append(f"  {label:<12}{words}")

    if about["start"]:
        row("time", f"{about['start']} to {about['end']}")
    if about["satellites"]:
        words = ", ".join(f"{k} {n:,}" for k, n in {**about["satellites"], **about["beams"]}.items())
        row("seen by", f"{words}; {counted(about['orbits'], 'orbit')}")
    if about["extent"] is not None:
        row("extent", in_words(about["extent"]))
    if about.get("shape"):
        size = "{} x {} pixels".format(*about["shape"])
        row("first image", f"{size} of {about['pixel_m'][0]:g} x {about['pixel_m'][1]:g} m, {about['quantity']}")
    for label, key in (("tags", "tags"), ("labels", "labels")):
        if about.get(key):
            row(label, ", ".join(f"{k} {n:,}" for k, n in about[key].items()))
    for i, note in enumerate(about["notes"]):
        row("notes" if i == 0 else "", note)
    for i, command in enumerate(about["next_commands"]):
        row("next" if i == 0 else "", command)
    return "\n".join(lines)

"""Score maps of optical sea ice: a network as it is, thresholds of brightness, and a forest.

    python benchmarks/score_seaice.py --test FILES [--train FILES] [--network FILE] [--scale 4 8] [--trees 40] [--json]

FILES are images, or folders of them. The truth of an image is ``NAME_truth.tif`` beside it (simulated), or a mask of
its stem in a folder ``mask``, ``masks``, ``label`` or ``labels`` beside its folder: grey of 51 times six classes
(Gaofen-2 of the Bohai Sea), or of two values, 0 and another, for ice (HY-1). No image of --test tunes anything. The
forest (11 numbers per pixel, 12,000 pixels an image) learns from --train, never from --test.

Bohai: water is sea, thin ice thin, thick ice and melt pond thick ice, land is land, a pond grid is a pond. JPEG's
ghosts are voted away (3 x 3) and a belt of 2 pixels along borders is ignored. A Gaofen-2 picture, whose pixels are
finer than what the network learned and whose labels are charts, is averaged over squares of 4 and of 8 pixels
(--scale), the probabilities of both are averaged: a rule set before any score, by the size of floes, not by the score.

Scored: mean IoU over the classes of the truth that hold .1 % of its pixels or more (a class that is called but not
there counts against the others), accuracy, IoU of every class, F1 of borders within 3 pixels, the share of the
commonest class. With three images or fewer the range is given, no mean of errors. Numbers from simulated images are
never skill on real data.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from plain_models import fit_forest
from scipy import ndimage
from score_optical_simulator import numbers

from polynya.io import opening, pictures
from polynya.physics import optical_rules
from polynya.readers import gaofen2_bohai, ice_images
from polynya.simulate.optical_ice import presets

BOHAI, BINARY, SIMULATED = "bohai", "ice", "simulated"
NAMES = {
    BOHAI: gaofen2_bohai.CLASSES,
    BINARY: ("no_ice", "ice"),
    SIMULATED: ("water", "thin_ice", "thick_ice", "melt_pond", "land"),
}
MEANING = {BOHAI: (2, 0, 1, 1, 3, 4), BINARY: (0, 1, 1, 1, 0, 0), SIMULATED: (0, 1, 2, 3, 4, 4)}
"""What water, thin ice, thick ice, melt pond, land and pond grid are among the classes of a kind of truth."""
IGNORED = 255
RARE = 0.001
REACH_PX = 3
PER_IMAGE = 12_000
LEAF = 5
FEW = 3
SUFFIXES = (".tif", ".tiff", *gaofen2_bohai.SUFFIXES)
SIMULATED_ENDINGS = ("_truth", "_labels")


@dataclass(frozen=True, kw_only=True)
class Pair:
    """An image with its truth: counts (3, h, w), classes (h, w), and of which kind they are."""

    name: str
    path: Path
    rgb: np.ndarray
    nir: np.ndarray | None
    truth: np.ndarray
    kind: str


def images_in(paths: Sequence[Path]) -> list[Path]:
    """Return the images of files and folders; truth, labels and masks are left out."""
    found = []
    for path in paths:
        inside = sorted(p for p in path.rglob("*") if p.suffix.lower() in SUFFIXES) if path.is_dir() else [path]
        found += [
            p
            for p in inside
            if not p.stem.endswith(SIMULATED_ENDINGS)
            and p.parent.name not in gaofen2_bohai.MASK_FOLDERS
            and (len(inside) == 1 or truth_of(p) is not None)
        ]
    return found


def truth_of(path: Path) -> Path | None:
    """Return the file that holds the truth of an image."""
    own = path.with_name(path.stem + "_truth.tif")
    return own if own.is_file() else gaofen2_bohai.mask_beside(path)


def read_pair(path: Path) -> Pair:
    """Read an image and its truth.

    Raises
    ------
    SystemExit
        If it has none, or one of another size.
    """
    image, mask = ice_images.open_image(path), truth_of(path)
    if mask is None:
        raise SystemExit(f"{path.name}: no truth beside it; expected NAME_truth.tif, or a mask in a folder mask")
    whole = tuple(slice(0, n) for n in image.shape)
    rgb = image.sensors["rgb"](*whole)
    nir = image.sensors["nir"](*whole) if "nir" in image.sensors else None
    if mask.stem.endswith("_truth"):
        with opening.open_raster(mask) as data:
            stored = data.read(1)
        truth = np.where(stored == presets.UNKNOWN, IGNORED, np.array([*MEANING[SIMULATED], *[IGNORED] * 250])[stored])
        kind = SIMULATED
    else:
        grey = pictures.read_picture(mask).values
        kind = BINARY if is_binary(grey) else BOHAI
        classes = gaofen2_bohai.without_ghosts(gaofen2_bohai.classes_of(grey))
        truth = grey > 0.5 * grey.max() if kind == BINARY else classes
    if truth.shape != image.shape:
        raise SystemExit(f"{mask.name}: {truth.shape} pixels; expected {image.shape}, as {path.name} has")
    truth = np.where(np.isfinite(rgb).all(axis=0), truth, IGNORED).astype(np.uint8)
    return Pair(name=image.name, path=path, rgb=np.nan_to_num(rgb), nir=nir, truth=truth, kind=kind)


def is_binary(grey: np.ndarray) -> bool:
    """Return whether a mask has two values only: 0 and 1, or 0 and 255, JPEG's noise of 8 counts allowed."""
    top = grey.max()
    return bool(top > 0 and (top == 1 or top > 247) and np.all((grey <= 0.03 * top) | (grey >= 0.97 * top)))


def iou_table(truth: np.ndarray, called: np.ndarray, count: int) -> np.ndarray:
    """Return counts (true, called) of the pixels that are not ignored."""
    known = truth != IGNORED
    return np.bincount(truth[known].astype(int) * count + called[known], minlength=count * count).reshape(count, count)


def border_f1(truth: np.ndarray, called: np.ndarray, code: int) -> float:
    """Return the F1 of the borders of a class within 3 pixels; NaN where neither has any."""
    known = truth != IGNORED

    def edge(mask: np.ndarray) -> np.ndarray:
        return mask & ~ndimage.binary_erosion(mask, border_value=1) & ndimage.binary_erosion(known, border_value=1)

    own, other = edge((truth == code) & known), edge((called == code) & known)
    if not own.any() and not other.any():
        return float("nan")
    if not own.any() or not other.any():
        return 0.0
    near = [ndimage.distance_transform_edt(~e) <= REACH_PX for e in (own, other)]
    precision, recall = near[0][other].mean(), near[1][own].mean()
    return float(2 * precision * recall / max(precision + recall, 1e-12))


def scores(truth: np.ndarray, called: np.ndarray, names: Sequence[str]) -> dict:
    """Return the scores of one image."""
    table = iou_table(truth, called, len(names))
    own, total = np.diag(table).astype(float), max(int(table.sum()), 1)
    either = table.sum(axis=0) + table.sum(axis=1) - own
    counted = [k for k in range(len(names)) if table[k].sum() >= RARE * total]
    ious = {names[k]: round(float(own[k] / either[k]), 4) for k in counted}
    edges = [border_f1(truth, called, k) for k in counted]
    return {
        "mean_iou": round(float(np.mean(list(ious.values()))), 4),
        "accuracy": round(float(own.sum() / total), 4),
        "iou": ious,
        "border_f1": None if np.isnan(edges).all() else round(float(np.nanmean(edges)), 4),
        "majority": round(float(table.sum(axis=1).max() / total), 4),
        "pixels": total,
    }


def shrunk(values: np.ndarray, factor: int) -> np.ndarray:
    """Return means over squares, shape (bands, h, w) to (bands, h / factor, w / factor); the rest is mirrored."""
    h, w = values.shape[-2:]
    values = np.pad(values, ((0, 0), (0, -h % factor), (0, -w % factor)), mode="symmetric")
    return values.reshape(len(values), -(-h // factor), factor, -(-w // factor), factor).mean(axis=(2, 4))


def by_network(network, pair: Pair, scales: Sequence[int]) -> np.ndarray:
    """Return the class of every pixel by a network: its probabilities at several sizes, averaged."""
    from polynya.predict import scenes

    total = 0.0
    for factor in scales if pair.kind == BOHAI else (1,):
        total = (
            total
            + np.repeat(np.repeat(_probability(network, pair, factor, scenes), factor, axis=1), factor, axis=2)[
                :, : pair.truth.shape[0], : pair.truth.shape[1]
            ]
        )
    weights = np.array(network.description.decision_weights or (1.0,) * len(network.description.classes))
    codes = np.argmax(np.nan_to_num(total) * weights[:, None, None], axis=0)
    order = [presets.CLASSES.index(c) for c in network.description.classes]
    return np.array([MEANING[pair.kind][k] for k in order])[codes]


def _probability(network, pair: Pair, factor: int, scenes) -> np.ndarray:
    d = network.description
    given = {"rgb": pair.rgb, "nir": pair.nir}
    parts = []
    for sensor, bands in d.scaling.sensors.items():
        held = given.get(sensor)
        parts.append(np.full((bands, *pair.truth.shape), np.nan, np.float32) if held is None else held)
    values = shrunk(np.concatenate(parts), factor).astype(np.float32)
    h, w = values.shape[1:]
    values = np.pad(values, ((0, 0), (0, max(d.size - h, 0)), (0, max(d.size - w, 0))), mode="symmetric")
    strips = scenes.strips(
        [network], lambda rows, columns: values[:, rows, columns], shape=values.shape[1:], averaging=scenes.Averaging(),
        threads=2,
    )  # fmt: skip
    return np.concatenate([s.probability for s in strips], axis=1)[:, :h, :w]


def fit_classes(pairs: Sequence[Pair], trees: int) -> Callable[[np.ndarray], np.ndarray]:
    """Return what gives classes of 11 numbers per pixel: a forest for every class, the most probable is taken."""
    rng, given, labels = np.random.default_rng(0), [], []
    for pair in pairs:
        known = np.flatnonzero(pair.truth.ravel() != IGNORED)
        chosen = rng.choice(known, min(PER_IMAGE, known.size), replace=False)
        given.append(numbers(pair.rgb)[chosen])
        labels.append(pair.truth.ravel()[chosen])
    x, y = np.concatenate(given), np.concatenate(labels)
    codes = np.unique(y)
    forests = [fit_forest(x, (y == k).astype(float), trees=trees, least=LEAF) for k in codes]
    return lambda values: codes[np.argmax([f(values) for f in forests], axis=0)]


def by_means(pair: Pair, groups: int = 3) -> np.ndarray:
    """Return classes by k-means of the three colours (Lloyd; three groups), ordered from dark to bright."""
    pixels = pair.rgb.reshape(3, -1).T.astype(np.float64)
    sample = pixels[:: max(len(pixels) // 20_000, 1)]
    order = np.argsort(sample.max(axis=1))
    centres = sample[order[[len(order) * (2 * k + 1) // (2 * groups) for k in range(groups)]]]
    for _ in range(30):
        nearest = ((sample[:, None] - centres[None]) ** 2).sum(axis=2).argmin(axis=1)
        centres = np.stack([sample[nearest == k].mean(axis=0) if (nearest == k).any() else centres[k]
                            for k in range(groups)])  # fmt: skip
    rank = np.argsort(np.argsort(centres.max(axis=1)))
    distance = np.stack([((pixels - c) ** 2).sum(axis=1) for c in centres])
    return rank[distance.argmin(axis=0)].reshape(pair.truth.shape)


def measure(train: Sequence[Pair], test: Sequence[Pair], *, network, scales: Sequence[int], trees: int) -> dict:
    """Score every method on every image."""
    called: dict[str, dict[str, dict]] = {}
    kinds = {p.kind for p in train}
    forests = {k: fit_classes([p for p in train if p.kind == k], trees) for k in kinds}
    for pair in test:
        meaning = np.array(MEANING[pair.kind])
        maps = {
            f"thresholds, {m}": meaning[optical_rules.classes(pair.rgb, method=m)]
            for m in ("published", "percentile", "filtered")
        }
        maps["k-means"] = meaning[by_means(pair)]
        if pair.kind in forests:
            maps["forest"] = forests[pair.kind](numbers(pair.rgb)).reshape(pair.truth.shape)
        if network is not None:
            maps["network"] = by_network(network, pair, scales)
        for method, found in maps.items():
            called.setdefault(method, {})[pair.name] = scores(pair.truth, found, NAMES[pair.kind])
    return {m: {**summary(list(rows.values())), "images": rows} for m, rows in called.items()}


def summary(rows: Sequence[dict]) -> dict:
    """Return the mean over images and the range of it; of many images quartiles beside."""
    found = [r["mean_iou"] for r in rows]
    out = {"mean_iou": round(float(np.mean(found)), 4), "range": [min(found), max(found)], "count": len(found)}
    if len(found) > FEW:
        out["quartiles"] = [round(float(q), 4) for q in np.percentile(found, (25, 75))]
    return out


def main() -> None:
    """Read, score, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--train", type=Path, nargs="*", default=[])
    parser.add_argument("--test", type=Path, nargs="+", required=True)
    parser.add_argument("--network", default="seaice", help="a shipped name, a file, or none")
    parser.add_argument("--scale", type=int, nargs="+", default=[4, 8])
    parser.add_argument("--trees", type=int, default=40)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    parts = [images_in(p) for p in (given.train, given.test)]
    both = {p.resolve() for p in parts[0]} & {p.resolve() for p in parts[1]}
    if both or not parts[1]:
        raise SystemExit(f"{len(parts[1])} images to test, {len(both)} of them in --train too; expected some, and none")
    network = None
    if given.network != "none":
        from polynya.predict import scenes

        network = scenes.load(given.network, threads=2)
    train, test = ([read_pair(p) for p in part] for part in parts)
    found = measure(train, test, network=network, scales=given.scale, trees=given.trees)
    if given.json:
        print(json.dumps({"scale": given.scale, "train": [p.name for p in train], "methods": found}, indent=1))
        return
    for method, row in found.items():
        low, high = row["range"]
        print(f"{method:<24} mean IoU {row['mean_iou']:.3f} (from {low:.3f} to {high:.3f}, {row['count']} images)")


if __name__ == "__main__":
    main()

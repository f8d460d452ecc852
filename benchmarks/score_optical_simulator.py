"""Are simulated optical images of sea ice as hard as real ones?

    python benchmarks/score_optical_simulator.py [--train 40] [--test 24] [--side 256] [--json]

A forest of 100 trees on 11 numbers per pixel (red, green, blue, their means over 9 pixels, the standard deviation of
the brightness over 9 and 41 pixels, red minus blue, the brightness, its mean over 41 pixels) learns from labels as
people draw them and is scored on the true classes of other images: IoU of water, thin ice, thick ice, melt ponds and
land (pond grids count as land), over all pixels. Beside it the published thresholds of the brightness (30 and 204) on
water, thin and thick ice. The simulator is as hard as it should be where the forest's mean IoU is .45 to .60. Needs
scikit-learn. Numbers from simulated images are never skill on real data.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
from collections.abc import Iterator

import numpy as np
from scipy import ndimage

from polynya.simulate.optical_ice.presets import CLASSES, LAND, POND_GRID, THICK, THIN, WATER
from polynya.simulate.optical_ice.scene import Scene, draw_scene

FIRST = {"train": 1_000_000, "test": 2_000_000}
"""First seed of each part."""
PER_IMAGE = 2500
THRESHOLDS = (30, 204)


def numbers(counts: np.ndarray) -> np.ndarray:
    """Return the 11 numbers of every pixel, float32, shape (pixels, 11)."""
    bands = counts[:3].astype(np.float32)
    value = bands.max(axis=0)
    spread = [ndimage.uniform_filter(value**2, n) - ndimage.uniform_filter(value, n) ** 2 for n in (9, 41)]
    found = [*bands, *(ndimage.uniform_filter(b, 9) for b in bands), *(np.sqrt(np.maximum(s, 0.0)) for s in spread)]
    found += [bands[0] - bands[2], value, ndimage.uniform_filter(value, 41)]
    return np.stack(found, axis=-1).reshape(-1, len(found))


def five(classes: np.ndarray) -> np.ndarray:
    """Return classes with pond grids as land, flat."""
    return np.where(classes == POND_GRID, LAND, classes).ravel()


def images(part: str, count: int, side: int) -> Iterator[Scene]:
    """Draw the images of a part."""
    for k in range(count):
        yield draw_scene(FIRST[part] + k, size=(side, side))


def ious(table: np.ndarray) -> np.ndarray:
    """Return the IoU of every class of a table of counts (true, called); NaN for a class that is in neither."""
    own = np.diag(table).astype(float)
    either = table.sum(axis=0) + table.sum(axis=1) - own
    return np.where(either > 0, own / np.maximum(either, 1), np.nan)


def measure(train: int, test: int, side: int) -> dict[str, object]:
    """Fit, predict, count."""
    from sklearn.ensemble import RandomForestClassifier

    rng = np.random.default_rng(0)
    given, labels = [], []
    for drawn in images("train", train, side):
        chosen = rng.choice(side * side, min(PER_IMAGE, side * side), replace=False)
        given.append(numbers(drawn.counts)[chosen])
        labels.append(five(drawn.labels)[chosen])
    forest = RandomForestClassifier(100, min_samples_leaf=5, random_state=0, n_jobs=1)
    forest.fit(np.concatenate(given), np.concatenate(labels))
    tables = {"forest": np.zeros((5, 5), np.int64), "thresholds": np.zeros((3, 3), np.int64)}
    for drawn in images("test", test, side):
        true = five(drawn.classes)
        np.add.at(tables["forest"], (true, forest.predict(numbers(drawn.counts))), 1)
        value = drawn.counts[:3].max(axis=0).ravel()
        called = np.digitize(value, THRESHOLDS, right=True)
        three = np.array([WATER, THIN, THICK, THICK, -1])[true]
        np.add.at(tables["thresholds"], (three[three >= 0], called[three >= 0]), 1)
    found: dict[str, object] = {"images": {"train": train, "test": test}, "side": side}
    for name, table in tables.items():
        scores = ious(table)
        found[name] = {
            "mean_iou": round(float(np.nanmean(scores)), 3),
            "iou": {c: round(float(s), 3) for c, s in zip(CLASSES, scores, strict=False)},
        }
    found["share"] = {
        c: round(float(s), 3)
        for c, s in zip(CLASSES, tables["forest"].sum(axis=1) / tables["forest"].sum(), strict=False)
    }
    return found


def table_of(found: dict) -> dict[str, dict[str, list]]:
    """Return the scores as a table of text."""
    names = CLASSES[:5]
    rows = [
        [
            what,
            f"{found[key]['mean_iou']:.2f}",
            *(f"{found[key]['iou'][n]:.2f}" if n in found[key]["iou"] else "" for n in names),
        ]
        for what, key in (("forest, 11 numbers per pixel", "forest"), ("thresholds 30 and 204", "thresholds"))
    ]
    rows.append(["share of the pixels", "", *(f"{found['share'][n]:.2f}" for n in names)])
    return {"main": {"columns": ["", "mean IoU", *(n.replace("_", " ") for n in names)], "rows": rows}}


def main() -> None:
    """Draw, fit, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, count in (("train", 40), ("test", 24), ("side", 256)):
        parser.add_argument(f"--{name}", type=int, default=count)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    if importlib.util.find_spec("sklearn") is None:
        raise SystemExit("scikit-learn is missing: install it beside polynya, it is no dependency")
    found = measure(given.train, given.test, given.side)
    if given.json:
        print(json.dumps({"values": found, "tables": table_of(found)}, indent=1))
        return
    table = table_of(found)["main"]
    for row in (table["columns"], *table["rows"]):
        print("  ".join(f"{cell:>10}" if k else f"{cell:<30}" for k, cell in enumerate(row)))


if __name__ == "__main__":
    main()

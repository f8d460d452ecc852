"""Learn DMI's ice concentration from AMSR2 channels on one part of a scene, and score it on another.

    python benchmarks/score_amsr2.py --train FILES --test FILES [--json] [--rows 1338-2675] [--no-land] [--seed 0]

FILES are folders or files laid out as DMI's ASIP scene: ``AMSR2_S1….nc`` (14 channels on cells of 2 km) and
``sic_rows_FIRST_LAST.npz`` (``sic``: percent on lines of 80 m, 254 land, 255 none). The channels lie beside the
``.npz`` file, or are named too.

A cell of 25 x 25 lines and samples has a concentration where at least half of it is known. Features of a cell are its
channels, means over 5 and 15 cells, polarisation and gradient ratios, and the share of land around it, from the same
files, for AMSR2 sees land tens of kilometres into the sea. ``constant``, ``ridge`` and ``forest`` use the channels
alone; ``bootstrap`` is an algorithm of Comiso's type on 18.7 and 36.5 GHz with the tie points of the training cells;
``neighbourhood`` is the mean of a ridge regression, a kernel regression and a forest on everything. Their settings are
chosen by cross-validation between bands of the training rows; test rows choose nothing.

One scene of one summer day is no product: emissivities differ within 200 km. The number says how much of DMI's map,
which is made from Sentinel-1 and AMSR2 together, AMSR2 alone gives back beside the rows it was taught.
"""

from __future__ import annotations

import argparse
import itertools
import json
import re
import sys
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from plain_models import Predict, fit_constant, fit_forest, fit_kernel, fit_ridge
from scipy.ndimage import gaussian_filter, uniform_filter

from polynya.errors import PolynyaError, ProductError, UsageError, one_line
from polynya.evaluate.concentration import scores
from polynya.evaluate.scene_rows import Bootstrap
from polynya.physics import bootstrap_concentration
from polynya.physics.microwave_ratios import gradient_ratio, polarisation_ratio
from polynya.readers import amsr2_swath

CELL = 25
"""Lines and samples of 80 m along a side of a cell of 2 km."""
LAND, HIGHEST = 254, 100
LEAST_KNOWN = 0.5
CELL_M = 2000.0
WINDOWS = (5, 15)
"""Sides of the squares over which channels and ratios are averaged, cells."""
LAND_CELLS = (1.0, 2.0, 4.0, 8.0, 12.0)
"""Standard deviations of the Gaussians over which the share of land is averaged, cells: 2 to 24 km, the channels'
footprints."""
BANDS, GAP = 4, 1
"""Bands of rows of the cross-validation, and rows left out beside the one that is held out."""
TREES, TREES_WHILE_CHOOSING = 60, 12
PENALTIES = (1e-3, 1e-2, 3e-2, 1e-1, 0.5)
KERNELS = tuple((p, w) for p in (1e-3, 3e-3, 1e-2) for w in (0.7, 1.0, 1.5))
LEAVES = (5, 20)
BOOTSTRAP = ("btemp_18_7v", "btemp_36_5v")
DUE_R2, DUE_ACCURACY = 0.45, 0.91
_ROWS = re.compile(r"sic_rows_(\d+)_(\d+)")


@dataclass(frozen=True, kw_only=True)
class Part:
    """Cells of some rows of a scene.

    Attributes
    ----------
    name : str
        Of the file.
    channels : Path
        Its AMSR2 file.
    rows : numpy.ndarray of int, shape (n,)
        Rows of cells that lie wholly in the part.
    percent : numpy.ndarray, shape (n, columns)
        NaN where less than half of a cell is known.
    land : numpy.ndarray, shape (n, columns)
        Share of the cell that is land.
    """

    name: str
    channels: Path
    rows: np.ndarray
    percent: np.ndarray
    land: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Sample:
    """Cells with a concentration: features, percent, scene, row and column."""

    plain: np.ndarray
    wide: np.ndarray
    percent: np.ndarray
    scene: np.ndarray
    row: np.ndarray
    column: np.ndarray


def parts_of(given: Sequence[Path], *, also: Sequence[Path] = (), rows: tuple[int, int] | None = None) -> list[Part]:
    """Read the labelled parts among files and folders; channels may lie in ``also``."""
    files = [f for path in given for f in _files(path)]
    channels = [f for f in (*files, *(f for path in also for f in _files(path))) if f.suffix == ".nc"]
    labels = [f for f in files if f.suffix == ".npz"]
    if not labels:
        raise ProductError(
            f"{', '.join(str(p) for p in given)}: no sic_rows_FIRST_LAST.npz; expected labels beside AMSR2_S1….nc. Name"
            " the folder or the file."
        )
    return [_part(f, channels, rows) for f in labels]


def _files(path: Path) -> list[Path]:
    if not path.exists():
        raise ProductError(f"{path.name}: no such file at {path}; expected a folder or a file of an ASIP scene.")
    return sorted(f for f in path.iterdir() if f.suffix in (".nc", ".npz")) if path.is_dir() else [path]


def _part(path: Path, channels: Sequence[Path], rows: tuple[int, int] | None) -> Part:
    named = _ROWS.search(path.name)
    beside = [f for f in channels if f.parent == path.parent] or sorted(path.parent.glob("AMSR2_*.nc"))
    own = beside or list(dict.fromkeys(channels))
    if named is None or len({f.name for f in own}) != 1:
        raise ProductError(
            f"{path.name}: {len(own)} AMSR2 files belong to it; expected one, and a name such as sic_rows_0_1337.npz."
            " Keep one scene per folder."
        )
    try:
        with np.load(path, allow_pickle=False) as data:
            sic = data["sic"]
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise ProductError(f"{path.name}: cannot be read ({one_line(error)[:120]}); expected sic in it.") from error
    first, last = int(named[1]), int(named[2])
    if sic.ndim != 2 or len(sic) != last - first + 1:
        raise ProductError(f"{path.name}: sic has the shape {sic.shape}; expected {last - first + 1} rows by its name.")
    if rows is not None:
        low, high = max(first, rows[0]), min(last, rows[1])
        sic, first, last = sic[max(0, low - first) : max(0, high - first + 1)], low, high
    top, bottom = -(-first // CELL), (last + 1) // CELL
    count, columns = max(bottom - top, 0), sic.shape[1] // CELL
    whole = sic[top * CELL - first : bottom * CELL - first, : columns * CELL] if count else sic[:0, : columns * CELL]
    four = whole.reshape(count, CELL, columns, CELL)
    known = four <= HIGHEST
    n = known.sum(axis=(1, 3))
    percent = np.where(n >= LEAST_KNOWN * CELL**2, (four * known).sum(axis=(1, 3)) / np.maximum(n, 1), np.nan)
    land = (four == LAND).mean(axis=(1, 3))
    return Part(name=path.name, channels=own[0], rows=np.arange(top, bottom), percent=percent, land=land)


def samples(parts: Sequence[Part], maps: dict[str, tuple[np.ndarray, np.ndarray]]) -> Sample:
    """Return the cells of parts that have a concentration, with their features.

    Parameters
    ----------
    parts : sequence of Part
        Of one scene or several.
    maps : dict of str to (numpy.ndarray, numpy.ndarray)
        Of :func:`features`, by name of the AMSR2 file.
    """
    pieces, names = [], list(maps)
    for p in parts:
        plain, wide = maps[p.channels.name]
        columns = min(p.percent.shape[1], plain.shape[1])
        known = np.isfinite(p.percent[:, :columns]) & (p.rows < len(plain))[:, None]
        row, column = np.nonzero(known)
        row = p.rows[row]
        scene = np.full(len(row), names.index(p.channels.name))
        pieces.append((plain[row, column], wide[row, column], p.percent[:, :columns][known], scene, row, column))
    plain, wide, percent, scene, row, column = (np.concatenate(c) for c in zip(*pieces, strict=True))
    return Sample(plain=plain, wide=wide, percent=percent, scene=scene, row=row, column=column)


def features(path: Path, parts: Sequence[Part], *, use_land: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return the 14 channels of every cell, and all features; shape (rows, columns, n)."""
    data = amsr2_swath.read(path)
    missing = [c for c in amsr2_swath.CHANNELS if c not in data]
    if missing:
        raise ProductError(f"{path.name}: has no {', '.join(missing)}; expected all 14 channels of AMSR2.")
    t = {c: _filled(data[c].to_numpy().astype(np.float64)) for c in amsr2_swath.CHANNELS}
    plain = list(t.values())
    v, h = ({f: t[f"btemp_{f}{p}"] for f in amsr2_swath.FREQUENCIES} for p in "vh")
    ratios = [polarisation_ratio(v[f], h[f]) for f in amsr2_swath.FREQUENCIES]
    pairs = (("36_5", "18_7"), ("18_7", "10_7"), ("89_0", "36_5"), ("23_8", "18_7"))
    ratios += [gradient_ratio(v[a], v[b]) for a, b in pairs] + [gradient_ratio(h[a], h[b]) for a, b in pairs[::2]]
    means = [uniform_filter(plane, side) for side in WINDOWS for plane in plain]
    land = _land(path, parts, plain[0].shape) if use_land else []
    return np.stack(plain, axis=-1), np.stack([*plain, *ratios, *means, *land], axis=-1)


def _filled(plane: np.ndarray) -> np.ndarray:
    """Return a channel whose missing cells have the mean of the others."""
    return np.where(np.isfinite(plane), plane, np.nanmean(plane))


def _land(path: Path, parts: Sequence[Part], shape: tuple[int, int]) -> list[np.ndarray]:
    """Return shares of land around every cell, of the rows whose land is known."""
    land, known = np.zeros(shape), np.zeros(shape)
    for p in parts:
        if p.channels.name == path.name:
            columns = min(shape[1], p.land.shape[1])
            rows = p.rows[p.rows < shape[0]]
            land[rows, :columns] = p.land[: len(rows), :columns]
            known[rows, :columns] = 1.0
    out = []
    for width in LAND_CELLS:
        weight = gaussian_filter(known, width, mode="nearest")
        out.append(gaussian_filter(land, width, mode="nearest") / np.maximum(weight, 1e-6))
    return out


def bands(sample: Sample) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return (train, held out) masks: bands of rows of each scene, with a gap."""
    out = []
    for scene in np.unique(sample.scene):
        inside = sample.scene == scene
        ends = np.quantile(np.unique(sample.row[inside]), np.linspace(0, 1, BANDS + 1))
        for low, high in itertools.pairwise(ends):
            held = inside & (sample.row >= low) & (sample.row < high if high < ends[-1] else sample.row <= high)
            near = inside & (sample.row >= low - GAP) & (sample.row <= high + GAP)
            out.append((~near, held))
    return out


def r2(truth: np.ndarray, predicted: np.ndarray) -> float:
    """Return the coefficient of determination of predictions held to 0-100 %."""
    error = ((np.clip(predicted, 0.0, 100.0) - truth) ** 2).sum()
    return float(1.0 - error / ((truth - truth.mean()) ** 2).sum())


def choose(
    features: np.ndarray, sample: Sample, candidates: dict[str, Callable[[np.ndarray, np.ndarray], Predict]]
) -> tuple[str, dict[str, float]]:
    """Return the candidate of the highest mean R² over held-out bands of the training rows, and all of them."""
    found = {}
    for name, fit in candidates.items():
        each = [
            r2(sample.percent[held], fit(features[train], sample.percent[train])(features[held]))
            for train, held in bands(sample)
        ]
        found[name] = float(np.mean(each))
    return max(found, key=found.__getitem__), found


def candidates(kind: str, *, trees: int, seed: int) -> dict[str, Callable[[np.ndarray, np.ndarray], Predict]]:
    """Return the settings among which a kind of regression is chosen."""
    if kind == "ridge":
        return {f"penalty {p:g}": lambda x, y, p=p: fit_ridge(x, y, penalty=p) for p in PENALTIES}
    if kind == "kernel":
        return {
            f"penalty {p:g}, width {w:g}": lambda x, y, p=p, w=w: fit_kernel(x, y, penalty=p, width=w, seed=seed)
            for p, w in KERNELS
        }
    return {f"leaves of {n}": lambda x, y, n=n: fit_forest(x, y, trees=trees, least=n, seed=seed) for n in LEAVES}


def fitted(kind: str, features: np.ndarray, sample: Sample, *, seed: int) -> tuple[Predict, dict[str, object]]:
    """Return a regression with the settings that cross-validation chose, fitted on all training cells."""
    best, found = choose(features, sample, candidates(kind, trees=TREES_WHILE_CHOOSING, seed=seed))
    fit = candidates(kind, trees=TREES, seed=seed)[best]
    return fit(features, sample.percent), {
        "chosen": best,
        "r2_of_held_out_bands": {k: round(v, 4) for k, v in found.items()},
    }


def _bootstrap(taught: Sample, held: Sample, *, seed: int) -> dict[str, dict[str, object]]:
    """Return the scores of the bootstrap type of algorithm, nothing where the training cells hold no closed ice."""
    columns = [amsr2_swath.CHANNELS.index(c) for c in BOOTSTRAP]
    try:
        ties = bootstrap_concentration.fit(*taught.plain[:, columns].T, taught.percent / 100)
    except UsageError as error:
        print(f"bootstrap left out: {one_line(error)}", file=sys.stderr)
        return {}
    found = 100 * bootstrap_concentration.concentration(ties, *held.plain[:, columns].T)
    return {"bootstrap": {**score(held, found, seed=seed), "chosen": f"contrast {ties.contrast_k:.0f} K"}}


def score(sample: Sample, predicted: np.ndarray, *, seed: int) -> dict[str, float | int]:
    """Return the scores of predictions, percent."""
    pair = scores.Pair(
        percent=np.clip(predicted, 0.0, 100.0),
        reference=sample.percent,
        x=sample.column * CELL_M + 1e7 * sample.scene,
        y=sample.row * CELL_M,
    )
    rows = scores.compare(pair, bootstrap=Bootstrap(block_m=scores.BLOCK_M, seed=seed))
    names = {
        ("r2", "all"): "r2",
        ("rmse", "all"): "rmse",
        ("mae", "all"): "mae",
        ("bias", "all"): "bias",
        ("rmse", "miz"): "miz_rmse",
        ("accuracy_at_15_percent", "all"): "ice_water",
    }
    out: dict[str, float | int] = {}
    for row in rows:
        name = names.get((row.metric, row.stratum)) if row.prediction == "given" else None
        if name is not None:
            out[name] = round(row.estimate.value, 4)
            if name == "r2":
                out |= {"r2_low": round(row.estimate.low, 4), "r2_high": round(row.estimate.high, 4)}
    return {**out, "n": len(sample.percent)}


def run(
    train: Sequence[Path],
    test: Sequence[Path],
    *,
    rows: tuple[int, int] | None = None,
    use_land: bool = True,
    seed: int = 0,
) -> dict[str, object]:
    """Train and score all models.

    Parameters
    ----------
    train, test : sequence of Path
        Files or folders.
    rows : (int, int), optional
        First and last line of 80 m that is scored; all of the test files by default.
    use_land : bool
        Whether the share of land around a cell is a feature.
    seed : int
        Of forest, kernels and intervals.

    Raises
    ------
    ProductError
        If a file is missing or not laid out so.
    """
    learned = parts_of(train, also=test)
    tested = parts_of(test, also=train, rows=rows)
    all_tested = parts_of(test, also=train)  # land is known in rows that are not scored, too
    known = [*learned, *all_tested]
    maps = {p.channels.name: p.channels for p in known}
    maps = {name: features(path, known, use_land=use_land) for name, path in maps.items()}
    taught, held = samples(learned, maps), samples(tested, maps)
    if not len(taught.percent) or not len(held.percent):
        raise ProductError(
            f"{len(taught.percent)} training and {len(held.percent)} test cells have a concentration; expected some of"
            " both. Check the files and --rows."
        )
    models: dict[str, dict[str, object]] = {}
    models["constant"] = {**score(held, fit_constant(taught.plain, taught.percent)(held.plain), seed=seed)}
    models |= _bootstrap(taught, held, seed=seed)
    for kind in ("ridge", "forest"):
        predict, how = fitted(kind, taught.plain, taught, seed=seed)
        models[kind] = {**score(held, predict(held.plain), seed=seed), **how}
    members = {}
    for kind in ("ridge", "kernel", "forest"):
        predict, how = fitted(kind, taught.wide, taught, seed=seed)
        members[kind] = np.clip(predict(held.wide), 0.0, 100.0)
        models[f"neighbourhood {kind}"] = {**score(held, members[kind], seed=seed), **how}
    models["neighbourhood"] = score(held, np.mean(list(members.values()), axis=0), seed=seed)
    best = models["neighbourhood"]
    return {
        "what": "DMI ASIP concentration from AMSR2 on cells of 2 km; learned on other rows of the same scene",
        "train": [p.name for p in learned],
        "test": [p.name for p in tested],
        "rows": list(rows) if rows else None,
        "uses_land": use_land,
        "features": {"channels": taught.plain.shape[1], "neighbourhood": taught.wide.shape[1]},
        "cells": {"train": len(taught.percent), "test": len(held.percent)},
        "mean_percent": {"train": round(float(taught.percent.mean()), 3), "test": round(float(held.percent.mean()), 3)},
        "models": models,
        "due": {"r2": DUE_R2, "ice_water": DUE_ACCURACY},
        "passes": bool(best["r2"] >= DUE_R2 and best["ice_water"] >= DUE_ACCURACY),
    }


def as_text(found: dict) -> str:
    """Return the scores as a table."""
    keys = ("r2", "rmse", "mae", "bias", "miz_rmse", "ice_water")
    parts = [
        f"{part} {', '.join(found[part])} ({found['cells'][part]:,} cells, mean {found['mean_percent'][part]} %)"
        for part in ("train", "test")
    ]
    lines = [
        ", ".join(parts),
        "",
        f"{'model':<24}" + "".join(f"{k:>12}" for k in keys) + "   settings (by held-out training rows)",
    ]
    for name, m in found["models"].items():
        lines.append(f"{name:<24}" + "".join(f"{m[k]:>12.3f}" for k in keys) + f"   {m.get('chosen', '')}")
    due = found["due"]
    lines.append(
        f"\ndue: R² of {due['r2']} and ice/water of {due['ice_water']}; neighbourhood"
        f" {'reaches' if found['passes'] else 'does not reach'} them"
    )
    return "\n".join(lines)


def _rows(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d+)-(\d+)", text)
    if found is None or int(found[1]) > int(found[2]):
        raise argparse.ArgumentTypeError(f"{text!r}; expected FIRST-LAST, such as 1338-2675")
    return int(found[1]), int(found[2])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", nargs="+", type=Path, required=True, metavar="FILE")
    parser.add_argument("--test", nargs="+", type=Path, required=True, metavar="FILE")
    parser.add_argument("--rows", type=_rows, help="score only these lines of 80 m, FIRST-LAST")
    parser.add_argument("--no-land", action="store_true", help="do not use the share of land around a cell")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    try:
        found = run(
            arguments.train, arguments.test, rows=arguments.rows, use_land=not arguments.no_land, seed=arguments.seed
        )
    except PolynyaError as error:
        parser.exit(error.exit_code, f"score_amsr2: {one_line(error)}\n")
    print(json.dumps(found) if arguments.json else as_text(found))


if __name__ == "__main__":
    main()

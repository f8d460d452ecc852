"""Fit the uncertainty of a trained network of sea-ice concentration on many more scenes than a training keeps aside.

    python scripts/calibrate_concentration.py TRAINED/NAME --data build/concentration/calibration

Errors of one scene are alike, so it is the number of scenes that makes the uncertainty sure. NAME.onnx, NAME.json and
NAME.safetensors get the new uncertainty and intervals (``polynya/spread.py``); concentrations stay as they are.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np
import onnx
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from polynya import io, spread
from polynya.io import onnx_files
from polynya.predict import halo, runtime
from polynya.predict import scenes as predict_scenes
from polynya.readers import glacier_tiles
from polynya.sensors import table

EVERY = 5
"""Of the cells of a scene one in so many is taken: neighbours err alike."""


def samples(network: predict_scenes.SceneNetwork, folder: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
    """Return values, stated spreads and true values of cells of all scenes, and the number of scenes.

    Parameters
    ----------
    network : SceneNetwork
        Its first two planes are concentration and spread.
    folder : Path
        Tile sets.
    """
    sensors, parts = network.sensors, []
    needs = [s for s in sensors if s != "incidence"]
    for file in sorted(folder.glob("*.h5")):
        for record in glacier_tiles.open_tiles(file, sensors=table("radar_ice"), target="concentration"):
            rows, columns = (slice(0, n) for n in record.shape)
            values = record.values(sensors, rows, columns)
            planes = halo.whole(network, lambda r, c, v=values: v[:, r, c], shape=record.shape, needs=needs)
            truth = record.plane("concentration", rows, columns)
            known = np.flatnonzero(np.isfinite(planes[0]) & np.isfinite(truth))[::EVERY]
            parts.append(np.stack([planes[0].ravel()[known], planes[1].ravel()[known], truth.ravel()[known]]))
            print(f"{len(parts)} scenes", file=sys.stderr, end="\r", flush=True)
    value, stated, truth = np.concatenate(parts, axis=1)
    return value, stated, truth, len(parts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("trained", type=Path, help="folder and name of the network, without suffix")
    parser.add_argument("--data", type=Path, required=True, help="folder of tile sets that no training saw")
    a = parser.parse_args()
    graph, text, weights = (a.trained.with_name(f"{a.trained.name}.{s}") for s in ("onnx", "json", "safetensors"))
    value, stated, truth, n = samples(predict_scenes.load(graph), a.data)
    fitted = spread.fit(value, stated, truth).as_dict()
    description = json.loads(text.read_text(encoding="utf-8"))
    description["spread"]["concentration"] = fitted
    description["metrics"]["scenes_of_spread"] = n
    words = json.dumps(description)
    model = onnx.load(graph)
    bound = onnx_files.digest(model.graph.SerializeToString(), words)
    kept = {p.key: p.value for p in model.metadata_props}
    onnx.helper.set_model_props(model, {**kept, runtime.PROPERTY: words, onnx_files.HASH: bound})
    with safe_open(weights, "np") as held:
        about = {**(held.metadata() or {}), runtime.PROPERTY: words}
    tensors = load_file(weights)
    with io.writing(graph) as temporary:
        onnx.save(model, temporary)
    with io.writing(weights) as temporary:
        save_file(tensors, temporary, metadata=about)
    with io.writing(text) as temporary:
        Path(temporary).write_text(json.dumps(description, indent=1), encoding="utf-8")
    print(f"{graph}: uncertainty of {n} scenes, {value.size:,} cells")


if __name__ == "__main__":
    main()

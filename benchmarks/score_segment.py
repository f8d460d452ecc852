"""Score the ways to classify an optical sea-ice scene on simulated scenes that no training saw.

    python benchmarks/score_segment.py build/data/test/granules [--weights ice-unet.onnx] [--methods published filtered
    unet] [--json]

Each scene (NAME_tci.tif with NAME_truth.tif, as simulate pair writes) is classified as ``polynya segment`` does,
without a cloud mask, and compared pixel by pixel with the surface below, once where the sky is clear and once where
thin cloud or shadow lies over it. Macro-F1 and recalls are pooled over scenes. Simulated scenes: no skill on real ones.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np
import rasterio

from polynya import metrics
from polynya.samples import image_tiles
from polynya.workflows import segment

COLUMNS = ["method", "sky", "macro-F1", "recall thick / thin / water", "precision thick / thin / water", "pixels"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--weights", help="network of the method unet, an ONNX file")
    parser.add_argument(
        "--methods", nargs="*", help="default: published and filtered, and unet where --weights are given"
    )
    parser.add_argument("--json", action="store_true", help="print values and tables as docs/results has them")
    a = parser.parse_args()
    a.methods = a.methods or ["published", "filtered", *(["unet"] if a.weights else [])]
    tiles = image_tiles.open_images(a.folder)
    total: dict[tuple[str, str], np.ndarray] = {}
    with tempfile.TemporaryDirectory() as temporary:
        for tile in tiles:
            with rasterio.open(tile.path) as source:
                surface, cloud = source.read(1), source.read(2)
            for method in a.methods:
                out = Path(temporary) / "classes.tif"
                config = segment.Config.checked(
                    method=method, cloud_mask="none", weights=a.weights if method == "unet" else None
                )
                segment.run(tile.image, out=out, config=config, overwrite=True)
                with rasterio.open(out) as source:
                    called = source.read(1).astype(int)
                for sky, mine in (("clear", cloud == 0), ("thin cloud or shadow", cloud > 0)):
                    mine &= surface < 3
                    total[method, sky] = total.get((method, sky), 0.0) + metrics.confusion(
                        surface[mine].astype(int), called[mine]
                    )
    rows, values = [], {"scenes": len(tiles)}
    for (method, sky), c in total.items():
        recall, precision, macro_f1 = metrics.recall(c), metrics.precision(c), float(metrics.macro_f1(c))
        texts = [" / ".join(f"{v:.2f}" for v in of) for of in (recall, precision)]
        rows.append([method, sky, f"{macro_f1:.3f}", *texts, f"{int(c.sum()):,}"])
        values.setdefault(method, {})["clear" if sky == "clear" else "cloud"] = {
            "macro_f1": macro_f1,
            "recall": recall.tolist(),
            "precision": precision.tolist(),
            "n": int(c.sum()),
        }
    if a.json:
        print(json.dumps({"values": values, "tables": {"main": {"columns": COLUMNS, "rows": rows}}}, indent=1))
        return
    print(f"{len(tiles)} simulated scenes\n")
    for line in (COLUMNS, ["---"] * len(COLUMNS), *rows):
        print("| " + " | ".join(line) + " |")


if __name__ == "__main__":
    main()

"""Count what freeboard finds in a real ATL03 granule without a reference: the numbers of docs/freeboard.md.

    python benchmarks/score_atl03.py ATL03.h5 [--classifier rule] [--json]

Segments, classes, leads, heights. There is no truth to compare with, so none of this is a score.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np

from polynya import io, schema
from polynya.workflows import freeboard


def counted(path: Path, *, classifier: str | None, folder: Path) -> dict[str, object]:
    """Run freeboard on a granule and count."""
    config = freeboard.Config.checked(classifier=classifier)
    (record,) = freeboard.run([path], out=folder, config=config)
    if record.status == "failed":
        raise SystemExit(f"{path.name}: {record.message}")
    table = io.read_table(record.outputs["segments"])
    beams = io.read_json(Path(record.outputs["segments"]).with_name("run.json"))["beams"].values()
    height = schema.to_numpy(table["height"])
    surface = schema.to_numpy(table["surface_class"])
    return {
        "file": path.name,
        "photons": sum(b["n_photons_read"] for b in beams),
        "segments": table.num_rows,
        **{name: int(np.sum(surface == number)) for number, name in schema.SURFACE_CLASSES},
        "leads": sum(b["n_leads"] for b in beams),
        "leads_used": sum(b["n_leads_used"] for b in beams),
        "with_freeboard": int(np.sum(np.isfinite(schema.to_numpy(table["total_freeboard"])))),
        "height_mean": float(np.nanmean(height)),
        "height_sd": float(np.nanstd(height)),
        "message": record.message,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--classifier", help="rule, a shipped network or an .onnx file; freeboard's default by default")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        found = counted(options.file, classifier=options.classifier, folder=Path(temporary) / "out")
    if options.json:
        print(json.dumps(found, indent=1))
    else:
        print("\n".join(f"{name:18s} {value}" for name, value in found.items()))


if __name__ == "__main__":
    main()

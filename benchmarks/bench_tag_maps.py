"""How long a map of tags takes: 20,000 rows of tags to the monthly map of the globe, with GeoTIFFs and page.

    python benchmarks/bench_tag_maps.py [--rows 20000] [--products 300] [--months 1] [--json]

The tables are made of random numbers in the form that ``polynya tags`` writes. Maps are imported after the
clock has started. One engine process per core.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

import numpy as np

from polynya import io, schema
from polynya.schema.imagette_tags import IMAGETTE_TAGS
from polynya.schema.imagettes import TAGS

ABOUT = {"network": "none", "network_sha256": "0", "land_km": 20.0, "product": "random", "is_simulated": True}
PASSES = 300


def made(folder: Path, *, rows: int, products: int, months: int) -> None:
    """Write the tables: half of the imagettes in few cells, the others anywhere."""
    rng = np.random.default_rng(1)
    near = rng.random(rows) < 0.5
    longitude = np.where(near, rng.uniform(-182.0, -174.0, rows), rng.uniform(-180.0, 180.0, rows))
    given = rng.random((rows, len(TAGS))) < np.linspace(0.0, 0.6, len(TAGS))
    columns: dict[str, np.ndarray] = {
        "latitude": np.where(near, rng.uniform(-4.0, 4.0, rows), rng.uniform(-90.0, 90.0, rows)),
        "longitude": (longitude + 180.0) % 360.0 - 180.0,
        "time": np.datetime64("2016-01-01", "ns") + rng.integers(0, 30 * months, rows) * np.timedelta64(1, "D"),
        "absolute_orbit": rng.integers(1, PASSES, rows),
        "tag_quality": np.where(rng.random(rows) < 0.2, 16, 0),
    }
    given[columns["tag_quality"] > 0] = False
    for k, part in enumerate(np.array_split(np.arange(rows), products)):
        write(folder / f"product{k:04d}", {n: v[part] for n, v in columns.items()}, given[part])


def write(folder: Path, columns: dict[str, np.ndarray], given: np.ndarray) -> None:
    """Write one product's table; columns that maps do not read are empty or 0."""
    n = len(given)
    words = [[TAGS[k] for k in np.flatnonzero(row)] for row in given]
    whole: dict[str, object] = {"tags": words, "precise_tags": words, "source": [folder.name] * n}
    for v in IMAGETTE_TAGS.variables:
        kind = str(v.dtype)
        whole.setdefault(v.name, [""] * n if kind == "string" else [[]] * n if "list" in kind else np.zeros(n))
    folder.mkdir(parents=True)
    table = schema.table(IMAGETTE_TAGS, whole | columns | {"satellite": ["S1A"] * n})
    io.write_table(table, folder / "tags.parquet", spec=IMAGETTE_TAGS, about=ABOUT)


def main() -> int:
    """Run it and print."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--rows", type=int, default=20_000)
    p.add_argument("--products", type=int, default=1)
    p.add_argument("--months", type=int, default=1)
    p.add_argument("--json", action="store_true")
    a = p.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        made(Path(folder) / "tags", rows=a.rows, products=a.products, months=a.months)
        began = time.perf_counter()
        from polynya.workflows.grid import tags

        found = tags.run([Path(folder) / "tags"], out=Path(folder) / "grid")
        seconds = time.perf_counter() - began
        size = Path(found.files["page"]).stat().st_size / 1e6
    values = {"rows": a.rows, "products": a.products, "months": a.months, "seconds": seconds, "page_mb": size}
    print(json.dumps({"values": values}) if a.json else f"{a.rows:,} rows: {seconds:.1f} s, page {size:.1f} MB")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

"""How long a map of tags takes: 20,000 rows of tags to the monthly map of the globe, with GeoTIFFs and page.

    python benchmarks/bench_tag_maps.py [--rows 20000] [--products 300] [--months 1] [--json]

The tables are made of random numbers in the form that ``polynya tags`` writes. Nothing is imported before the clock
starts but what makes them. One engine process per core.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from tests.workflows.tags import tag_tables


def made(folder: Path, *, rows: int, products: int, months: int) -> None:
    """Write the tables."""
    columns = tag_tables.drawn(rows, seed=1, passes=300)
    start, day = np.datetime64("2016-01-01", "ns"), np.timedelta64(86_400_000_000_000, "ns")
    columns["time"] = start + np.random.default_rng(2).integers(0, 30 * months, rows) * day
    for k, part in enumerate(np.array_split(np.arange(rows), products)):
        own = {n: np.array(v)[part] for n, v in columns.items()}
        own["satellite"] = own["satellite"].tolist()
        tag_tables.write(folder, f"product{k:04d}", **own)


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

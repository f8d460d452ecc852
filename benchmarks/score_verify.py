"""Recompute NASA's numbers in real ATL10 and ATL07 granules: the table of docs/freeboard.md.

    python benchmarks/score_verify.py FILE ... [--json]

For each file the number of lead heights, lead errors and surface types that `polynya verify` compares, with the largest
difference, and a line for all files.
"""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path

from score_simulated import as_markdown

from polynya.workflows import verify

CHECKS = {
    "lead height": "lead_heights",
    "lead sigma": "lead_sigmas",
    "freeboard": "freeboards",
    "surface type": "surface_types",
    "section of a segment": "section_of_segments",
}
COLUMNS = ["file", "lead heights: n, largest error", "lead sigmas", "freeboards", "surface types: n, agree"]
LEAD_TYPES = range(2, 10)
FOUND = re.compile(r"(\d+) of NASA's (\d+) found")


def of_file(path: Path) -> dict[str, object]:
    """Return the name of a file and, for each check, how many values it compares and the largest difference."""
    found = verify.run(path)
    whole = {CHECKS[c.name]: c for c in found.checks if c.region == "file" and c.name in CHECKS}
    day = re.search(r"_(\d{4})(\d{2})(\d{2})\d{6}_", path.name)
    name = f"{found.product} r{found.release} {'-'.join(day.groups()) if day else path.stem}"
    leads = [
        FOUND.search(c.note)
        for c in found.checks
        if any(c.name.startswith(f"surface type {k} ") for k in LEAD_TYPES) and c.region == "file"
    ]
    return {
        "name": name,
        "passed": found.passed,
        **{k: {"n": c.n, "max_error": c.max_error if c.n else None} for k, c in whole.items()},
        "leads_found": sum(int(f[1]) for f in leads if f),
        "leads": sum(int(f[2]) for f in leads if f),
    }


def total(files: list[dict]) -> dict[str, object]:
    """Return counts over all files and the largest difference; for surface types the share that agrees."""
    out: dict[str, object] = {"files": len(files), "passed": sum(f["passed"] for f in files)}
    for key in CHECKS.values():
        used = [f[key] for f in files if f.get(key, {}).get("n")]
        out[key] = {"n": sum(u["n"] for u in used), "max_error": max((u["max_error"] for u in used), default=None)}
    types = [f["surface_types"] for f in files if f["surface_types"]["n"]]
    differ = sum(t["n"] * t["max_error"] for t in types)
    n = sum(t["n"] for t in types)
    out["surface_types"] = {
        "n": n,
        "agree": 1.0 - differ / n,
        "worst": 1.0 - max(t["max_error"] for t in types),
        "differ": round(differ),
    }
    out["leads"], out["leads_found"] = sum(f["leads"] for f in files), sum(f["leads_found"] for f in files)
    out["leads_missed"] = out["leads"] - out["leads_found"]
    out["ice_called_lead"] = out["surface_types"]["differ"] - out["leads_missed"]
    return out


def row(file: dict) -> list[str]:
    """Return a file's cells."""

    def cell(key: str) -> str:
        found = file.get(key)
        if found is None:
            return "-"
        return f"{found['n']}, {found['max_error']:.1e}" + " m" if found["n"] else "not checkable"

    types = file["surface_types"]
    agree = types.get("agree", 1.0 - (types.get("max_error") or 0.0))
    return [
        file["name"],
        *(cell(k) for k in ("lead_heights", "lead_sigmas", "freeboards")),
        f"{types['n']}, {100 * agree:.2f} %",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--json", action="store_true", help="print values and tables as docs/results has them")
    options = parser.parse_args()
    files = [of_file(p) for p in options.files]
    values = {"all": total(files), "files": files}
    rows = [row(f) for f in [*files, {"name": "all", **values["all"]}]]
    if options.json:
        print(json.dumps({"values": values, "tables": {"main": {"columns": COLUMNS, "rows": rows}}}, indent=1))
    else:
        print(as_markdown(COLUMNS[1:], [(r[0], r[1:]) for r in rows]))


if __name__ == "__main__":
    main()

"""Write the measured numbers of README.md and docs/ from the result files in docs/results.

    python scripts/render_results.py            write the pages
    python scripts/render_results.py --check    change nothing; exit 1 if a page differs from its result files

A page names a result in two ways. A number is a link to its file, and the part after ``#`` is the path of its value:

    IoU [0.91](results/glaciers.json#sensors.all.iou), or [91 %](results/glaciers.json#sensors.all.iou)

The new number is written as the old one was: as many decimals, the same sign of thousands, a share in per cent where
the old one has that sign, a list of two numbers as a range. A table, or the origin of a file, stands between two
comments; ``rows`` picks rows by their first cell:

    <!-- results: simulated main rows="freeboard RMSE, m; freeboard bias, m" -->
    <!-- end results -->
    <!-- results: simulated origin -->
    <!-- end results -->

A result file is JSON: what was done (``what``, ``command`` or ``source``, ``date``, ``commit``, ``networks``),
``values`` (numbers, nested) and ``tables`` (``columns`` and ``rows`` of text, the first column the name).
scripts/results.py makes them.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterator
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "docs" / "results"
LINK = re.compile(r"\[([^\]\n]+)\]\(((?:\.\./|docs/)?results/(\w+)\.json)#([\w.-]+)\)")
BLOCK = re.compile(r'(<!-- results: (\w+) (\w+)(?: rows="([^"]*)")? -->\n).*?(<!-- end results -->)', re.DOTALL)
NUMBER = re.compile(r"^([+±]?)-?(\d[\d,]*)(?:\.(\d+))?(e[+-]?\d+)?(?:-[\d.]+)?( %| M)?$")


def pages(root: Path = ROOT) -> list[Path]:
    """Return the pages that may name results: README.md, CONTRIBUTING.md and everything in docs/."""
    return [root / "README.md", root / "CONTRIBUTING.md", *sorted((root / "docs").rglob("*.md"))]


def load(name: str, folder: Path = RESULTS) -> dict[str, Any]:
    """Return a result file by its name, or exit with a line that says which is missing."""
    path = folder / f"{name}.json"
    if not path.is_file():
        raise SystemExit(f"{path}: no such result; a page names it. Make it with `make results RUN={name}`.")
    return json.loads(path.read_text(encoding="utf-8"))


def slug(key: str) -> str:
    """Return a key as a path has it: what is no letter, digit, - or _ becomes one _."""
    return re.sub(r"[^\w-]+", "_", key).strip("_")


def value(result: dict[str, Any], path: str) -> Any:
    """Return the value at a path such as ``sensors.all.iou``, from ``values`` or else from the file itself."""
    for root in (result.get("values", {}), result):
        found: Any = root
        for part in path.split("."):
            if isinstance(found, list) and part.isdigit() and int(part) < len(found):
                found = found[int(part)]
            elif isinstance(found, dict) and part in (keys := {slug(k): k for k in found}):
                found = found[keys[part]]
            else:
                break
        else:
            return found
    raise SystemExit(f"a page names {path}, which its result file does not have; it has {', '.join(result['values'])}")


def like(text: str, new: Any) -> str:
    """Return a value written as the text was: decimals, thousands, sign of per cent, range."""
    if isinstance(new, str):
        return f"`{new}`" if text.startswith("`") else new
    shape = NUMBER.match(text)
    if shape is None:
        raise SystemExit(f"[{text}]: not a number that can be rewritten; expected one as 0.93, 93 %, 1,234 or 4.6e-8")
    sign, whole, decimals, exponent, unit = shape.groups()
    scale = {" %": 100.0, " M": 1e-6}.get(unit, 1.0)
    numbers = new if isinstance(new, list) else [new]

    def one(number: float) -> str:
        if number is None or number != number:
            return "-"
        if exponent:
            return re.sub(
                r"e([+-])0*(\d)", lambda m: f"e{m[1].replace('+', '')}{m[2]}", f"{number:.{len(decimals or '')}e}"
            )
        comma = "," if "," in whole or (number * scale >= 10_000 and not decimals) else ""
        plus = "+" if sign == "+" else ""
        shown = f"{number * scale:{plus}{comma}.{len(decimals or '')}f}"
        return ("±" if sign == "±" else "") + re.sub(r"^-(0(\.0+)?)$", r"\1", shown)

    parts = [one(n) for n in numbers]
    return ("-".join(parts) if len(set(parts)) > 1 else parts[0]) + (unit or "")


def table(result: dict[str, Any], name: str, rows: str | None) -> str:
    """Return one table of a result file in Markdown, all rows or those whose first cell is named."""
    found = result["tables"][name]
    lines = found["rows"]
    if rows is not None:
        wanted = [r.strip() for r in rows.split(";")]
        lines = [next((line for line in lines if line[0] == w), None) for w in wanted]
        if None in lines:
            raise SystemExit(
                f"table {name}: a page wants the row '{wanted[lines.index(None)]}', which it does not have"
            )
    return "\n".join(
        "| " + " | ".join(line) + " |" for line in (found["columns"], ["---"] * len(found["columns"]), *lines)
    )


@cache
def shipped(network: str) -> str | None:
    """Return the first digits of the hash of a shipped network's weights; None where there is no such network."""
    path = ROOT / "polynya" / "weights" / f"{network}.json"
    return json.loads(path.read_text(encoding="utf-8"))["weights_sha256"][:16] if path.is_file() else None


def of_earlier_networks(result: dict[str, Any]) -> list[str]:
    """Return the networks of a result that are not shipped any more, or are trained again under the same name."""
    return [n for n, digits in result.get("networks", {}).items() if shipped(n) != digits]


def origin(result: dict[str, Any]) -> str:
    """Return the sentence that says where a result comes from, and what of it is out of date."""
    if "source" in result:
        return f"*Published: {result['source']}.*"
    day = date.fromisoformat(result["date"])
    networks = "".join(f", network {n} {digits}" for n, digits in result.get("networks", {}).items())
    machine = f", {result['machine']}" if "machine" in result else ""
    commit = f"polynya {result['commit']}{' with changes' if result.get('is_changed') else ''}"
    out = f"*`{result['command']}`: {commit}, {day.day} {day:%B %Y}{networks}{machine}.*"
    if "transcribed" in result:
        out += f" *{result['transcribed']}*"
    if old := of_earlier_networks(result):
        out += f" **{' and '.join(old)}: replaced or trained again since; not the shipped network's numbers.**"
    return out


def rendered(text: str, folder: Path = RESULTS) -> str:
    """Return a page with its numbers, tables and origins as the result files have them."""

    def block(found: re.Match[str]) -> str:
        begin, name, what, rows, end = found.groups()
        result = load(name, folder)
        return f"{begin}\n{origin(result) if what == 'origin' else table(result, what, rows)}\n\n{end}"

    def link(found: re.Match[str]) -> str:
        shown, file, name, path = found.groups()
        return f"[{like(shown, value(load(name, folder), path))}]({file}#{path})"

    return LINK.sub(link, BLOCK.sub(block, text))


def named(text: str) -> Iterator[str]:
    """Yield the names of the results that a page shows."""
    for found in LINK.finditer(text):
        yield found[3]
    for found in BLOCK.finditer(text):
        yield found[2]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 if a page differs")
    options = parser.parse_args()
    changed = []
    for page in pages():
        text = page.read_text(encoding="utf-8")
        new = rendered(text)
        if new != text:
            changed.append(page.relative_to(ROOT))
            if not options.check:
                page.write_text(new, encoding="utf-8")
    for page in changed:
        print(f"{page}: {'differs from its result files' if options.check else 'written'}")
    if options.check and changed:
        sys.exit("Run `python scripts/render_results.py`, or `make results RUN=pages`.")


if __name__ == "__main__":
    main()

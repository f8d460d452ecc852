"""List the measurements behind the numbers on the pages, and make them anew.

    python scripts/results.py                  what there is: age, network, minutes, what is missing
    python scripts/results.py NAME ...         run these, write docs/results/NAME.json, then the pages
    python scripts/results.py old              run those of a network that has been trained again since
    python scripts/results.py pages            write the pages only (scripts/render_results.py)
    [--atl03 FILE] [--atl07 FILE ...] [--atl10 FILE ...] [--data build/data] [--glaciers build/glaciers]
    [--radar build/concentration] [--leads build/leads] [--wave build/wave] [--log build/results]

The commands are in scripts/results.toml. Each is run with --json, one after another and with low priority, so that this
may stay in the background for hours; its messages go to build/results/NAME.log. A run that fails leaves the earlier
result as it is, and the exit status is 1. Changes of polynya that are not committed are noted in the result.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import shlex
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import render_results

ROOT = render_results.ROOT
COMMANDS = ROOT / "scripts" / "results.toml"
SHOWN = {
    "atl03": "ATL03.h5",
    "atl07": "ATL07.h5 ...",
    "atl10": "ATL10.h5 ...",
    "data": "build/data",
    "glaciers": "build/glaciers",
    "radar": "build/concentration",
    "leads": "build/leads",
    "wave": "build/wave",
}
"""How a command names files of the machine in a result file."""
FOLDERS = ("data", "glaciers", "radar", "leads", "wave")
DIGITS = 6


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """One entry of scripts/results.toml.

    Attributes
    ----------
    name, what, command : str
        Name of the result file, one line about it, script and options.
    networks : tuple of str
        Shipped networks whose scores these are.
    needs : tuple of str
        Files that must be there, keys of ``SHOWN``.
    machine : bool
        Whether the numbers depend on the computer.
    minutes : float
        Of two quiet cores.
    """

    name: str
    what: str
    command: str
    networks: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    machine: bool = False
    minutes: float = 1.0


def measurements() -> dict[str, Measurement]:
    """Return what scripts/results.toml names."""
    entries = tomllib.loads(COMMANDS.read_text(encoding="utf-8"))
    listed = {
        name: {k: tuple(v) if isinstance(v, list) else v for k, v in entry.items()} for name, entry in entries.items()
    }
    return {name: Measurement(name=name, **entry) for name, entry in listed.items()}


def words(command: str, files: dict[str, list[str]]) -> list[str]:
    """Return a command's words, with {name} replaced by files."""
    out: list[str] = []
    for word in shlex.split(command):
        key = word[1 : word.index("}")] if word.startswith("{") else None
        out += [word] if key is None else [f + word[len(key) + 2 :] for f in files[key]]
    return out


def shown(command: str) -> str:
    """Return a command as a result file and the pages show it."""
    for key, text in SHOWN.items():
        command = command.replace("{" + key + "}", text)
    return f"python {command}"


def rounded(value: Any) -> Any:
    """Return values with six significant digits: what is left is noise, and the files stay readable."""
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}") if value == value and abs(value) != float("inf") else None
    if isinstance(value, dict):
        return {k: rounded(v) for k, v in value.items()}
    return [rounded(v) for v in value] if isinstance(value, list | tuple) else value


def git(*arguments: str) -> str:
    """Return what git prints, in the project's folder."""
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


def beginning(m: Measurement) -> dict[str, Any]:
    """Return where a result comes from, as things stand before the measurement."""
    out: dict[str, Any] = {"what": m.what, "command": shown(m.command)}
    out["commit"] = git("log", "-1", "--format=%h", "--", "polynya", "benchmarks")
    if git("status", "--porcelain", "--", "polynya", "benchmarks"):
        out["is_changed"] = True
    out["date"] = datetime.datetime.now(datetime.UTC).date().isoformat()
    if m.networks:
        out["networks"] = {n: render_results.shipped(n) for n in m.networks}
    if m.machine:
        out["machine"] = f"{os.cpu_count()} cores"
    return out


def numbers(found: dict[str, Any]) -> dict[str, Any]:
    """Return values and tables of what a benchmark printed."""
    values = found.get("values", {k: v for k, v in found.items() if k != "tables"})
    return {"values": rounded(values), "tables": found.get("tables", {})}


def make(m: Measurement, *, files: dict[str, list[str]], log: Path) -> bool:
    """Run a measurement and write its result file; return whether it went well."""
    missing = [n for n in m.needs if not files[n]]
    if missing:
        print(f"{m.name}: needs {', '.join(SHOWN[n] for n in missing)}; give --{missing[0]}", file=sys.stderr)
        return False
    log.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, *words(m.command, files), "--json"]
    about = beginning(m)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with (log / f"{m.name}.log").open("w", encoding="utf-8") as messages:
        done = subprocess.run(
            ["nice", "-n", "10", *command],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=messages,
            text=True,
            check=False,
            env=environment,
        )
    if done.returncode:
        print(f"{m.name}: failed with exit {done.returncode}; see {log / m.name}.log", file=sys.stderr)
        return False
    text = json.dumps({**about, **numbers(json.loads(done.stdout))}, indent=1, ensure_ascii=False)
    (render_results.RESULTS / f"{m.name}.json").write_text(text + "\n", encoding="utf-8")
    print(f"{m.name}: written", flush=True)
    return True


def state(m: Measurement) -> str:
    """Return how a result stands: its date and commit, and whether its network is the shipped one."""
    path = render_results.RESULTS / f"{m.name}.json"
    if not path.is_file():
        return "not made"
    found = json.loads(path.read_text(encoding="utf-8"))
    old = render_results.of_earlier_networks(found)
    copied = ", copied from a page" if "transcribed" in found else ""
    return f"{found['date']} {found['commit']}{copied}" + (f", OLD: earlier {', '.join(old)}" if old else "")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="measurements, `old`, `all` or `pages`; a list where none is given")
    parser.add_argument("--atl03", nargs="*", default=[], help="a real ATL03 granule")
    parser.add_argument("--atl07", nargs="*", default=[], help="real ATL07 granules")
    parser.add_argument("--atl10", nargs="*", default=[], help="real ATL10 granules")
    parser.add_argument("--data", default="build/data", help="folder of scripts/make_training_data.py")
    parser.add_argument("--glaciers", default="build/glaciers", help="folder of scripts/make_glacier_data.py")
    parser.add_argument("--radar", default="build/concentration", help="folder of scripts/make_concentration_data.py")
    parser.add_argument("--leads", default="build/leads", help="folder of scripts/make_lead_data.py")
    parser.add_argument("--wave", default="build/wave", help="folder of scripts/make_wave_data.py")
    parser.add_argument("--log", type=Path, default=ROOT / "build" / "results")
    options = parser.parse_args()
    known = measurements()
    files = {
        "atl03": options.atl03,
        "atl07": options.atl07,
        "atl10": options.atl10,
        **{k: [v] if Path(v := getattr(options, k)).is_dir() else [] for k in FOLDERS},
    }
    if not options.names:
        for m in known.values():
            print(f"{m.name:18s} {m.minutes:5g} min  {state(m):58s} {m.what}")
        return
    names = [n for n in options.names if n not in ("old", "all", "pages")]
    if "old" in options.names:
        names += [m.name for m in known.values() if "OLD" in state(m) or state(m) == "not made"]
    if "all" in options.names:
        names += list(known)
    unknown = [n for n in names if n not in known]
    if unknown:
        sys.exit(f"{unknown[0]}: no such measurement; expected one of {', '.join(known)}, old, all or pages")
    good = [make(known[n], files=files, log=options.log) for n in dict.fromkeys(names)]
    sys.argv = sys.argv[:1]
    render_results.main()
    sys.exit(0 if all(good) else 1)


if __name__ == "__main__":
    main()

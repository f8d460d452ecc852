"""Which commit of a simulator made a folder of data: written beside the data, and read for model cards."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

TRACKS = ("polynya/simulate", ":!polynya/simulate/glaciers")
GLACIERS = ("polynya/simulate/glaciers",)
"""The files of each simulator, as git names paths."""


def remember(out: Path, *, files: tuple[str, ...]) -> None:
    """Write which commit of the simulator makes the data; refuse to mix two."""

    def git(*words: str) -> str:
        return subprocess.run(
            ["git", *words], cwd=Path(__file__).resolve().parents[1], capture_output=True, text=True, check=False
        ).stdout.strip()

    about = {
        "commit": git("log", "-1", "--format=%h", "--", *files) or None,
        "is_changed": bool(git("status", "--porcelain", "--", *files)),
    }
    file = out / "simulator.json"
    if file.exists() and (held := json.loads(file.read_text(encoding="utf-8"))) != about:
        sys.exit(f"{file}: the data here were made by simulator {held}; found {about}. Take another folder.")
    out.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(about), encoding="utf-8")


def of(data: Path) -> str:
    """Return the simulator's commit that a data folder was made with."""
    about = json.loads((data / "simulator.json").read_text(encoding="utf-8"))
    if not about["commit"] or about["is_changed"]:
        raise SystemExit(
            f"{data}: made by simulator {about}; expected one that is committed. Commit it and make the data again."
        )
    return about["commit"]

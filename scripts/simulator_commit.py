"""Record the simulator's commit beside simulated data, and read it for model cards."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

OTHERS = ("glaciers", "sentinel1", "altika", "cryosat2", "wave_mode", "optical_ice")
TRACKS = ("polynya/simulate", *(f":!polynya/simulate/{name}" for name in OTHERS))
GLACIERS = ("polynya/simulate/glaciers",)
SENTINEL1 = ("polynya/simulate/sentinel1",)
ALTIKA = ("polynya/simulate/altika",)
WAVE_MODE = ("polynya/simulate/wave_mode",)
OPTICAL_ICE = ("polynya/simulate/optical_ice",)
"""The files of each simulator, as paths for git."""


def remember(out: Path, *, files: tuple[str, ...]) -> None:
    """Write the simulator's commit into a folder of data; exit if the folder has data of another commit.

    Parameters
    ----------
    out : Path
        Folder of the data.
    files : tuple of str
        The simulator's files.
    """

    def git(*words: str) -> str:
        return subprocess.run(
            ["git", *words], cwd=Path(__file__).resolve().parents[1], capture_output=True, text=True, check=False
        ).stdout.strip()

    about = {
        "commit": git("log", "-1", "--format=%h", "--", *files) or None,
        "is_changed": bool(git("status", "--porcelain", "--", *files)),
    }
    file = out / "simulator.json"
    if file.exists() and (earlier := json.loads(file.read_text(encoding="utf-8"))) != about:
        sys.exit(f"{file}: this folder has data of simulator {earlier}; found {about}. Choose another folder.")
    out.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(about), encoding="utf-8")


def of(data: Path) -> str:
    """Return the commit of the simulator that made a folder of data."""
    about = json.loads((data / "simulator.json").read_text(encoding="utf-8"))
    if not about["commit"] or about["is_changed"]:
        raise SystemExit(
            f"{data}: made by simulator {about}; expected a committed one. Commit it and make the data again."
        )
    return about["commit"]

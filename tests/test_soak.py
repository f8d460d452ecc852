"""The short form of ``make soak``: commands are killed and run again; and the watch sees what is lost."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "scripts"))
import soak  # noqa: E402


def test_killed_commands_lose_nothing():
    words = ["--only", "simulate optical-ice", "simulate wv", "--kills", "4", "--minutes", "5", "--seed", "2"]
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "soak.py"), *words],
        check=False,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0 and "4 kills of 2 commands, 0 failed" in done.stdout, done.stdout + done.stderr


def test_what_is_lost_or_left_is_seen(tmp_path, monkeypatch):
    """A command that removes the user's file, one that leaves a part, and one whose second run is another result."""
    place = soak.Place(tmp_path / "place")
    expected = {"a.csv": soak.hash_of(_csv(tmp_path, "1"))}

    def outcome(end):
        def ended(words, said):
            (place.out / "a.csv").write_text("1")
            end()
            return ""

        monkeypatch.setattr(soak, "ended", ended)
        monkeypatch.setattr(soak.fuzz, "forked", lambda words, said: _gone())
        return soak.killed(["x"], place, None, expected, 0.0, tmp_path / "said")

    assert outcome(lambda: None) == ""
    assert "user's" in outcome(place.mine[0].unlink)
    assert "left behind" in outcome(lambda: (place.folder / ".a.csv.part").write_text(""))
    assert "not as without a kill: a.csv" in outcome(lambda: (place.out / "a.csv").write_text("2"))


def _csv(folder, text):
    (folder / "a.csv").write_text(text)
    return folder / "a.csv"


def _gone():
    child = subprocess.Popen([sys.executable, "-c", ""], start_new_session=True)
    child.wait()
    return child.pid

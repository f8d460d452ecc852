"""The command line: verbs only, a file a family. Heavy imports happen inside the commands, so that --help stays quick."""

from __future__ import annotations

from . import tracks, truths, scenes, learning, judging  # isort: skip  (in the order of --help)
from .root import FINISHED_WITH_FAILURES, app, main

__all__ = ["FINISHED_WITH_FAILURES", "app", "judging", "learning", "main", "scenes", "tracks", "truths"]

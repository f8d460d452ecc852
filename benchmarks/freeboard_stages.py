"""CPU seconds of ``polynya freeboard`` by stage, on one thread; prints them as JSON.

    python benchmarks/freeboard_stages.py GRANULE OUT

The package holds no timer: this program puts one around the functions below before it runs them. A stage's time is
its own, without that of stages it calls; what no stage covers (imports, hashing the input, run.json) is ``other``.
"""

from __future__ import annotations

import functools
import importlib
import json
import sys
import time
from collections.abc import Callable

STAGES = {
    "index": ("polynya.readers.icesat2_atl03:index",),
    "read photons": ("polynya.readers.icesat2_atl03:photons",),
    "photons to segments": ("polynya.physics.segments:resample", "polynya.physics.segments:concatenate"),
    "surface heights": ("polynya.physics.heights:surface_heights",),
    "evidence, features": ("polynya.tracks.beam_segments:evidence", "polynya.tracks.features:features"),
    "load network": ("polynya.predict.tracks:load",),
    "network": ("polynya.predict.tracks:classify",),
    "sea surface, freeboard": ("polynya.workflows.freeboard.granule:beam_tables",),
    "write tables": ("polynya.io:TableWriter.write", "polynya.io:TableWriter.close"),
    "report": ("polynya.report.beams:prepare", "polynya.report.freeboard:write"),
}
"""Stages and the functions that make them, each where its caller looks it up."""


class Clock:
    """CPU seconds by stage, each without the stages inside it."""

    def __init__(self) -> None:
        self.seconds = dict.fromkeys(STAGES, 0.0)
        self._inside: list[float] = []

    def around(self, stage: str, function: Callable) -> Callable:
        """Return the function, timed as part of a stage."""
        # A runtime may evaluate the network on a thread of its own; elsewhere other threads (hashing) do not count.
        now = time.process_time if stage == "network" else time.thread_time

        @functools.wraps(function)
        def timed(*arguments, **options):
            self._inside.append(0.0)
            started = now()
            try:
                return function(*arguments, **options)
            finally:
                took = now() - started
                self.seconds[stage] += took - self._inside.pop()
                if self._inside:
                    self._inside[-1] += took

        return timed


def main() -> None:
    granule, out = sys.argv[1:]
    clock = Clock()
    for stage, names in STAGES.items():
        for name in names:
            module, _, path = name.partition(":")
            *owners, last = path.split(".")
            owner = functools.reduce(getattr, owners, importlib.import_module(module))
            setattr(owner, last, clock.around(stage, getattr(owner, last)))
    from polynya.workflows import freeboard

    (record,) = freeboard.run([granule], out=out, workers=1, overwrite=True)
    if record.status != "done":
        sys.exit(record.message)
    total = time.process_time()
    print(json.dumps({**clock.seconds, "other": total - sum(clock.seconds.values()), "all": total}))


if __name__ == "__main__":
    main()

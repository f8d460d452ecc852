"""Time the shipped network of leads: echoes a second from waveforms to probabilities and distances.

    python benchmarks/bench_leads.py [--tracks 10] [--threads 2] [--repeat 3] [--json]

Tracks of 8000 simulated echoes are in memory; features, windows and the network (onnxruntime) are timed, each track on
one thread. Reading files is not: see bench_waveforms.py.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from polynya.predict import echoes as predict_echoes
from polynya.readers import altika_sgdr
from polynya.simulate.altika import files
from polynya.simulate.altika.track import draw_track

ECHOES = 8000


def main() -> None:
    """Print rates."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", default="leads")
    parser.add_argument("--tracks", type=int, default=10)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "track.nc"
        files.write_echoes(draw_track(0, echoes=ECHOES), path)
        echoes = altika_sgdr.read(path)
    network = predict_echoes.load(given.network, runtime="onnxruntime", threads=given.threads)
    predict_echoes.predict(network, echoes.take(slice(0, 200)))  # compiles
    wall, processor = [], []
    with ThreadPoolExecutor(given.threads) as pool:
        for _ in range(given.repeat):
            start, used = time.perf_counter(), time.process_time()
            list(pool.map(lambda e: predict_echoes.predict(network, e), [echoes] * given.tracks))
            wall.append(time.perf_counter() - start)
            processor.append(time.process_time() - used)
    n = ECHOES * given.tracks
    found = {
        "echoes": n,
        "threads": given.threads,
        "echoes_per_s": n / min(wall),
        "echoes_per_processor_s": n / min(processor),
    }
    if given.json:
        print(json.dumps(found, indent=1))
    else:
        print(f"{found['echoes_per_s']:,.0f} echoes/s on {given.threads} threads; a core {n / min(processor):,.0f}")


if __name__ == "__main__":
    main()

"""Time the shipped network of tags: imagettes a second from decoded pictures to tags and distances.

    python benchmarks/bench_tags.py [--imagettes 200] [--threads 2] [--repeat 3] [--json]

Simulated pictures of 400 x 400 pixels are in memory; the stretch, the numbers beside the picture and the network
(onnxruntime) are timed. Reading files is not.
"""

from __future__ import annotations

import argparse
import json
import time

from polynya.predict import images as predict_images
from polynya.schema.imagettes import ROUGHNESS, Imagette
from polynya.simulate.wave_mode.imagette import draw_imagette

DRAWN = 20
"""Different pictures; they are repeated."""


def main() -> None:
    """Print rates."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", default="tags")
    parser.add_argument("--imagettes", type=int, default=200)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    imagettes = [drawn(k) for k in range(min(DRAWN, given.imagettes))]
    imagettes = [imagettes[k % len(imagettes)] for k in range(given.imagettes)]
    network = predict_images.load(given.network, runtime="onnxruntime", threads=given.threads)
    predict_images.predict(network, imagettes[:8], threads=given.threads)  # the first call is slower
    wall, processor = [], []
    for _ in range(given.repeat):
        start, used = time.perf_counter(), time.process_time()
        predict_images.predict(network, imagettes, threads=given.threads)
        wall.append(time.perf_counter() - start)
        processor.append(time.process_time() - used)
    n = len(imagettes)
    found = {
        "imagettes": n,
        "threads": given.threads,
        "imagettes_per_s": n / min(wall),
        "imagettes_per_processor_s": n / min(processor),
    }
    if given.json:
        print(json.dumps(found, indent=1))
    else:
        print(f"{n / min(wall):,.0f} imagettes/s on {given.threads} threads; a core {n / min(processor):,.0f}")


def drawn(seed: int) -> Imagette:
    """Return a simulated imagette in memory."""
    one = draw_imagette(seed)
    return Imagette(
        name=f"imagette_{seed}",
        source="simulated",
        product="simulated",
        picture=one.roughness,
        quantity=ROUGHNESS,
        azimuth_pixel_m=50.0,
        range_pixel_m=50.0,
        mask=one.mask,
        beam=one.beam,
        incidence_angle=one.incidence_angle,
    )


if __name__ == "__main__":
    main()

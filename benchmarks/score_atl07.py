"""Score the main job on photons drawn from real ATL07 granules, against NASA's heights and surface types.

    python benchmarks/score_atl07.py ATL07.h5 [ATL07.h5 ...] --seeds 1-4 [--classifier rule] [--markdown] [--json]
                                     [--keep FOLDER]

For every file and seed an ATL03 granule is drawn from the file's photon-height histograms, worked, and compared with
the file. ``extents`` averages our segments over NASA's, ``nearest`` gives each of ours to one of NASA's only; specular
leads are types 2-5, ice is type 1, and a NASA segment is water where most of ours in it are. ``bound`` is what a draw
allows: NASA's own tree with its stored widths, background and sun, but with the photon rate counted again on the drawn
photons.

Heights are then real, and NASA's numbers the reference; noise of the draw is part of every difference. Where the
network was trained on draws of a file, its rows say so: other seeds draw from the same histograms, so these leads are
not held out.
"""

from __future__ import annotations

import argparse
import json
import re
import tempfile
from pathlib import Path

import numpy as np
from score_simulated import as_markdown, as_text, seeds_of

from polynya.physics import nasa_surface_type, segments
from polynya.predict import tracks as predict_tracks
from polynya.readers import icesat2_atl03, icesat2_atl07
from polynya.simulate.icesat2.from_atl07 import simulate_from_atl07
from polynya.tracks import collocation
from polynya.workflows import evaluate, freeboard
from polynya.workflows.freeboard import classifier as freeboard_classifier

EXTENTS, NEAREST = "ATL07: segment extents", "ATL07: nearest segment"
STRENGTHS = ("strong", "weak", "all")


def oracle(granule: Path, atl07: Path) -> dict[str, np.ndarray]:
    """Return (hits, misses, false alarms) of NASA's tree on the drawn photons, by beam strength."""
    out = {s: np.zeros(3, int) for s in STRENGTHS}
    described = icesat2_atl03.open_granule(granule)
    for name, beam in described.beams.items():
        data = icesat2_atl03.read(granule, beam=name, granule=described)
        theirs = icesat2_atl07.read(atl07, beam=name)
        if data is None or theirs.num_rows == 0:
            continue
        geo = {c: data.geosegments[c].to_numpy() for c in data.geosegments.column_names}
        photons = {c: data.photons[c].to_numpy() for c in data.photons.column_names}
        ours = segments.resample(
            photons,
            geosegments=segments.Geosegments(
                first=geo["first_photon"], count=geo["segment_ph_cnt"], x=geo["segment_dist_x"]
            ),
            reference=segments.Reference(x=geo["segment_dist_x"], height=np.zeros(geo["segment_dist_x"].size)),
        )
        column = {
            n: theirs[n].to_numpy(zero_copy_only=False)
            for n in (
                "seg_dist_x",
                "height_segment_length_seg",
                "height_segment_type",
                "height_segment_w_gaussian",
                "background_r_norm",
                "solar_elevation",
            )
        }
        order = np.argsort(column["seg_dist_x"], kind="stable")
        column = {n: v[order] for n, v in column.items()}
        own = collocation.nearest(ours.x_atc, column["seg_dist_x"])
        inside = np.abs(ours.x_atc - column["seg_dist_x"][own]) <= 0.5 * column["height_segment_length_seg"][own]
        own, shots = own[inside], ours.n_shots[inside].astype(float)
        counted = np.nan_to_num(ours.photon_rate_high[inside]) * shots
        size = order.size
        shots_in = np.bincount(own, shots, size)
        rate = np.bincount(own, counted, size) / np.maximum(shots_in, 1.0)
        found = nasa_surface_type.surface_type(
            rate,
            column["height_segment_w_gaussian"],
            background_norm=column["background_r_norm"],
            solar_elevation=column["solar_elevation"],
            spot=beam.spot,
            is_strong=beam.is_strong,
        )
        water = np.isin(found, nasa_surface_type.SPECULAR_TYPES) & (shots_in > 0)
        specular = np.isin(column["height_segment_type"], nasa_surface_type.SPECULAR_TYPES) & (shots_in > 0)
        ice = (column["height_segment_type"] == nasa_surface_type.OTHER) & (shots_in > 0)
        for strength in ("strong" if beam.is_strong else "weak", "all"):
            out[strength] += np.array([np.sum(water & specular), np.sum(specular & ~water), np.sum(water & ice)])
    return out


def counts(values: dict[tuple[str, str], tuple[float, int]], reference: str) -> np.ndarray:
    """Return (hits, misses, false alarms) of specular leads from recall and precision and their n."""
    recall, positives = values.get(("recall", reference), (np.nan, 0))
    precision, called = values.get(("precision", reference), (np.nan, 0))
    hits = round(np.nan_to_num(recall) * positives)
    return np.array([hits, positives - hits, round(called - np.nan_to_num(precision) * called)])


def ratios(c: np.ndarray) -> str:
    """Return recall, precision and the count of positives as text."""
    hits, missed, false = (int(v) for v in c)
    recall = f"{hits / (hits + missed):.3f}" if hits + missed else "-"
    precision = f"{hits / (hits + false):.3f}" if hits + false else "-"
    return f"{recall}, {precision} (n {hits + missed})"


def scores(c: np.ndarray) -> dict[str, float | int | None]:
    """Return recall, precision, F1 and the count of positives."""
    hits, missed, false = (int(v) for v in c)
    return {
        "recall": hits / (hits + missed) if hits + missed else None,
        "precision": hits / (hits + false) if hits + false else None,
        "f1": 2 * hits / (2 * hits + missed + false) if hits + missed + false else None,
        "n": hits + missed,
    }


def trained_on(classifier: str | None) -> set[str]:
    """Return the names of the real files whose draws the network saw in training, as it says itself; none for the
    rule."""
    chosen = freeboard_classifier.select(classifier, resolution=freeboard_classifier.RESOLUTION)
    if chosen.path is None:
        return set()
    tables = predict_tracks.load(chosen.path, runtime="onnxruntime").about.get("data", {}).get("tables", [])
    return {t["source"] for t in tables if t.get("source")}


def by_name(
    found: dict[tuple[str, str], np.ndarray], heights: dict[str, list[tuple[float, float]]] | None
) -> dict[str, object]:
    """Return scores by beam strength and way of comparing, and the medians of height differences over seeds, m."""
    out: dict[str, object] = {}
    for strength in STRENGTHS:
        of = {name: scores(found[strength, r]) for name, r in (("extents", EXTENTS), ("nearest", NEAREST))}
        of["bound"] = scores(found[strength, "bound"])
        if heights is not None and np.isfinite(heights[strength]).any():
            low, high = np.nanmin(heights[strength], axis=0), np.nanmax(heights[strength], axis=0)
            of["height_m"] = {n: [float(low[k]), float(high[k])] for k, n in enumerate(("extents", "nearest"))}
        out[strength] = of
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--seeds", required=True, help="as 1-4 or 1,3")
    parser.add_argument("--classifier", help="rule, a shipped network or an .onnx file; freeboard's default by default")
    parser.add_argument("--markdown", action="store_true", help="print Markdown")
    parser.add_argument("--json", action="store_true", help="print values and tables as docs/results has them")
    parser.add_argument("--keep", type=Path, help="folder for granules and results; a temporary one by default")
    options = parser.parse_args()
    seen = trained_on(options.classifier)
    columns = ["height, extents, m", "height, nearest, m", "leads, extents", "leads, nearest", "leads, bound"]
    rows: list[tuple[str, list[str]]] = []
    total = {(s, r): np.zeros(3, int) for s in STRENGTHS for r in (EXTENTS, NEAREST, "bound")}
    values: dict[str, object] = {
        "seeds": options.seeds,
        "seen_in_training": sorted(seen & {f.name for f in options.files}),
    }
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        for number, atl07 in enumerate(options.files):
            date = re.search(r"_(\d{8})\d{6}_", atl07.name)
            heights: dict[str, list[tuple[float, float]]] = {s: [] for s in STRENGTHS}
            part = {(s, r): np.zeros(3, int) for s in STRENGTHS for r in (EXTENTS, NEAREST, "bound")}
            for seed in seeds_of(options.seeds):
                granule = folder / f"from{number}_{seed}.h5"
                simulate_from_atl07(atl07, granule, seed=seed, overwrite=True)
                (record,) = freeboard.run(
                    [granule],
                    out=folder / "out",
                    config=freeboard.Config.checked(classifier=options.classifier),
                    overwrite=True,
                )
                if record.status == "failed":
                    raise SystemExit(f"{atl07.name}, seed {seed}: {record.message}")
                table = evaluate.run(folder / "out" / granule.stem, reference=atl07, n_resamples=1).to_pylist()
                bound = oracle(granule, atl07)
                for strength in STRENGTHS:
                    of = [r for r in table if r["region"] == strength]
                    specular = {
                        (r["metric"], r["reference"]): (r["value"], r["n"]) for r in of if r["class"] == "specular_lead"
                    }
                    median = {
                        r["reference"]: r["value"]
                        for r in of
                        if r["metric"] == "height_median_absolute_difference" and r["class"] == "all"
                    }
                    heights[strength].append((median.get(EXTENTS, np.nan), median.get(NEAREST, np.nan)))
                    for r in (EXTENTS, NEAREST):
                        part[strength, r] += counts(specular, r)
                    part[strength, "bound"] += bound[strength]
            for strength in STRENGTHS:
                spans = [
                    f"{np.nanmin(v):.3f}-{np.nanmax(v):.3f}" if np.isfinite(v).any() else "-"
                    for v in np.array(heights[strength]).T
                ]
                trained = " (in the training data)" if atl07.name in seen else ""
                rows.append(
                    (
                        f"{date.group(1) if date else atl07.stem[:24]}, {strength}{trained}",
                        [*spans, *(ratios(part[strength, r]) for r in (EXTENTS, NEAREST, "bound"))],
                    )
                )
            values[date.group(1) if date else f"file_{number + 1}"] = by_name(part, heights)
            for key, value in part.items():
                total[key] += value
    rows += [
        (f"all files, {strength}", ["", "", *(ratios(total[strength, r]) for r in (EXTENTS, NEAREST, "bound"))])
        for strength in STRENGTHS
    ]
    if options.json:
        values["all_files"] = by_name(total, None)
        table = {"columns": ["", *columns], "rows": [[name, *cells] for name, cells in rows]}
        print(json.dumps({"values": values, "tables": {"main": table}}, indent=1))
        return
    if seen & {f.name for f in options.files}:
        print(
            "the network was trained on draws of the files marked so: their rows, and those of all files, are no test"
            " of it"
        )
    print(
        f"seeds {options.seeds}: median absolute height difference (range over seeds); specular leads (pooled over"
        " seeds): recall, precision, n with repeats"
    )
    print(as_markdown(columns, rows) if options.markdown else as_text(columns, rows))


if __name__ == "__main__":
    main()

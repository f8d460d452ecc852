"""Small tracks with known errors: truth, segments, leads and sections as tables."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from polynya import schema

START = 5_000_000.0
EPOCH = np.datetime64("2022-01-03T20:00:00", "ns")


def truth_table(
    *, n: int = 3000, beams=("gt1l", "gt1r"), lead_cells=(), thin_cells=(), granule: str = "made"
) -> pa.Table:
    """Ice of freeboard 0.3 m, thin ice of 0.05 m, water; footprint values 0.02 m above the cell's."""
    x = START + 2.0 * (np.arange(n) + 0.5)
    surface_class = np.zeros(n, np.int8)
    surface_class[list(thin_cells)] = 1
    surface_class[list(lead_cells)] = 2
    sea = 0.1 + 1e-6 * (x - START)
    freeboard = np.choose(surface_class, [0.3, 0.05, 0.0])
    columns = {
        "granule": granule,
        "latitude": 80.0 + (x - START) / 111_200.0,
        "longitude": np.full(n, 179.9999),
        "x_atc": x,
        "surface_class": surface_class,
        "lead_type": np.where(surface_class == 2, 1, 0),
        "surface_height": sea + freeboard,
        "surface_height_footprint": sea + freeboard + 0.02,
        "sea_surface_height": sea,
        "total_freeboard": freeboard,
        "total_freeboard_footprint": freeboard + 0.02,
        "cloud_transmission": np.ones(n),
    }
    return pa.concat_tables(
        [schema.table(schema.TRUTH, {**columns, "beam": b, "is_strong": np.full(n, b.endswith("r"))}) for b in beams]
    )


def segment_table(
    truth: pa.Table, *, height_error=0.0, sea_error=0.0, keep=None, predicted=None, seed: int = 0
) -> pa.Table:
    """One segment per cell of the truth, with errors on the footprint height and on the sea surface."""
    n = truth.num_rows
    t = {name: truth[name].to_numpy() for name in truth.column_names if name not in ("granule", "beam")}
    beam = np.asarray(truth["beam"].cast(pa.string()).to_pylist())
    predicted = t["surface_class"] if predicted is None else np.asarray(predicted)
    sea = t["sea_surface_height"] + sea_error
    height = t["surface_height_footprint"] + height_error
    one = np.ones(n)
    probability = np.full((3, n), 0.1)
    probability[np.maximum(predicted, 0), np.arange(n)] = 0.8
    columns = {
        "granule": ["made"] * n,
        "beam": beam,
        "is_strong": t["is_strong"],
        "time": EPOCH + ((t["x_atc"] - START) / 7000.0 * 1e9).astype("timedelta64[ns]"),
        "latitude": t["latitude"],
        "longitude": t["longitude"],
        "x_atc": t["x_atc"] + np.random.default_rng(seed).uniform(-0.9, 0.9, n),
        "n_photons": 16 * one,
        "height_mean": height,
        "height_median": height,
        "height_sd": 0.1 * one,
        "height": height,
        "height_uncertainty": 0.05 * one,
        "photon_rate": one,
        "photon_rate_high": one,
        "background_rate": one,
        "solar_elevation": one,
        "surface_class": predicted,
        "probability_thick": probability[0],
        "probability_thin": probability[1],
        "probability_water": probability[2],
        "sea_surface_height": sea,
        "sea_surface_uncertainty": 0.02 * one,
        "sea_surface_uncertainty_common": 0.0 * one,
        "sea_surface_source": one,
        "total_freeboard": height - sea,
        "total_freeboard_uncertainty": np.hypot(0.05, 0.02) * one,
        "quality_flag": 0 * one,
        "mean_sea_surface": one,
        "tide_ocean": one,
        "tide_equilibrium": one,
        "dac": one,
        "first_photon_bias": one,
    }
    table = schema.table(schema.SEGMENTS, columns)
    return table if keep is None else table.filter(pa.array(np.asarray(keep, bool)))


def lead_table(rows: list[tuple[str, float, float, float]]) -> pa.Table:
    """Leads from (beam, centre, length, height)."""
    n = len(rows)
    beam, x, length, height = zip(*rows, strict=True) if rows else ([],) * 4
    return schema.table(
        schema.LEADS,
        {
            "granule": ["made"] * n,
            "beam": list(beam),
            "is_strong": np.array([b.endswith("r") for b in beam], bool),
            "time": np.full(n, EPOCH),
            "latitude": np.zeros(n),
            "longitude": np.zeros(n),
            "x_atc": np.array(x, float),
            "length": np.array(length, float),
            "n_segments": np.ones(n),
            "n_photons": np.ones(n),
            "height": np.array(height, float),
            "height_uncertainty": np.full(n, 0.02),
            "photon_rate": np.ones(n),
            "is_specular": np.ones(n, bool),
            "probability_water": np.ones(n),
            "is_used": np.ones(n, bool),
        },
    )


def section_table(rows: list[tuple[str, float, float]]) -> pa.Table:
    """Sea surface sections from (beam, centre, height)."""
    n = len(rows)
    beam, x, height = zip(*rows, strict=True) if rows else ([],) * 3
    return schema.table(
        schema.SEA_SURFACE,
        {
            "granule": ["made"] * n,
            "beam": list(beam),
            "is_strong": np.array([b.endswith("r") for b in beam], bool),
            "time": np.full(n, EPOCH),
            "latitude": np.zeros(n),
            "longitude": np.zeros(n),
            "x_atc": np.array(x, float),
            "section_length": np.full(n, 1e4),
            "n_leads": np.ones(n),
            "sea_surface_height": np.array(height, float),
            "sea_surface_uncertainty": np.full(n, 0.02),
            "sea_surface_uncertainty_common": np.zeros(n),
            "sea_surface_source": np.ones(n),
            "height_unsmoothed": np.array(height, float),
        },
    )


def lookup(table: pa.Table):
    """Return a function (metric, class, region, reference) -> row."""
    rows = {(r["metric"], r["class"], r["region"], r["reference"]): r for r in table.to_pylist()}
    assert len(rows) == table.num_rows  # no number is given twice

    def get(metric, name="all", region="all", reference="truth"):
        return rows[metric, name, region, reference]

    return get

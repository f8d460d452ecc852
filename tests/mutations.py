"""Damage granules in every way we can think of, run polynya on them, and say what came of it.

A worker process takes case numbers and prints one JSON line a case, so that a crash in a C library or a
hang shows as a line that never comes. By hand, thousands of cases:

    python -m tests.mutations 0 5000 GRANULE...
"""

from __future__ import annotations

import faulthandler
import json
import random
import resource
import shutil
import sys
import tempfile
import time
import warnings
from dataclasses import dataclass, replace
from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa

from polynya import io
from polynya.engine.protocol import DONE, FAILED
from polynya.errors import UNEXPECTED, PolynyaError, one_line
from polynya.readers import icesat2_atl03, icesat2_atl07, icesat2_atl10
from polynya.tracks import beam_segments
from polynya.workflows import freeboard, info, verify

MEMORY = 6 << 30
OUTPUTS = ("segments.parquet", "leads.parquet", "sea_surface.parquet", "report.html", "run.json")
KINDS = (
    "flip_chunk",
    "flip_chunk",
    "flip_metadata",
    "flip_metadata",
    "flip_many",
    "zero_sector",
    "truncate",
    "remove",
    "cut",
    "attribute",
    "values",
    "reshape",
)


@dataclass(frozen=True)
class Source:
    """An intact granule: its bytes, where its compressed chunks lie, its nodes' names, and those that polynya reads."""

    path: Path
    data: bytes
    chunks: tuple[tuple[str, int, int], ...]
    nodes: tuple[str, ...]
    read: tuple[str, ...]

    @classmethod
    def of(cls, path: Path) -> Source:
        chunks, nodes = [], []

        def visit(name, node):
            nodes.append(name)
            if isinstance(node, h5py.Dataset) and node.chunks and node.size:
                node.id.chunk_iter(lambda c: chunks.append((name, int(c.byte_offset), int(c.size))))

        with h5py.File(path) as f:
            f.visititems(visit)
        wanted = [
            n
            for n in nodes
            if n.split("/")[0] in ("gt1l", "gt1r", "gt2l", "gt2r", "gt3l", "gt3r", "orbit_info", "ancillary_data")
        ]
        fields = (*icesat2_atl03.PHOTONS, *icesat2_atl03.GEOSEGMENTS, *icesat2_atl03.BACKGROUND)
        tables = (*icesat2_atl07.VARIABLES, *icesat2_atl10.SEGMENTS, *icesat2_atl10.LEADS, *icesat2_atl10.SECTIONS)
        names = (
            {f.name for f in fields}
            | {v.name for v in tables}
            | {"sc_orient", "ffb_corr", "dead_time", "strength", "width"}
        )
        return cls(
            path, path.read_bytes(), tuple(chunks), tuple(wanted), tuple(n for n in wanted if n.split("/")[-1] in names)
        )

    def node(self, rng: random.Random) -> str:
        """Draw a node, mostly among those that polynya reads."""
        return rng.choice(self.read if rng.random() < 0.9 else self.nodes)

    def chunk(self, rng: random.Random) -> tuple[str, int, int]:
        """Draw a chunk, mostly among those that polynya reads."""
        read = set(self.read)
        return rng.choice([c for c in self.chunks if c[0] in read] if rng.random() < 0.9 else self.chunks)

    def is_metadata(self, at: int) -> bool:
        return not any(offset <= at < offset + size for _, offset, size in self.chunks)


def mutate(source: Source, *, kind: str, into: Path, rng: random.Random) -> tuple[str, str]:
    """Write a damaged copy; return the kind of damage and where it is."""
    data = bytearray(source.data)
    where = ""
    if kind == "flip_chunk":
        name, offset, size = source.chunk(rng)
        at = offset + rng.randrange(size)
        data[at] ^= 1 << rng.randrange(8)
        where = f"{name} byte {at - offset} of {size}"
    elif kind == "flip_metadata":
        for _ in range(rng.choice((1, 1, 1, 4))):
            at = rng.randrange(len(data))
            while not source.is_metadata(at):
                at = rng.randrange(len(data))
            data[at] ^= 1 << rng.randrange(8)
            where += f"{at} "
    elif kind == "flip_many":
        for _ in range(rng.choice((20, 300))):
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    elif kind == "zero_sector":
        at = rng.randrange(len(data)) // 512 * 512
        data[at : at + 512] = bytes(len(data[at : at + 512]))
        where = str(at)
    elif kind == "truncate":
        cut = rng.randrange(len(data))
        del data[cut:]
        where = str(cut)
    into.write_bytes(data)
    if kind in ("remove", "cut", "attribute", "values", "reshape"):
        with h5py.File(into, "r+") as f:
            for _ in range(rng.choice((1, 1, 3))):
                where += _edit(f, kind, source.node(rng), rng) + " "
    return kind, where.strip()


def _edit(f: h5py.File, kind: str, name: str, rng: random.Random) -> str:
    if name not in f:
        return ""
    node = f[name]
    if kind == "remove":
        del f[name]
        return name
    if kind == "attribute":
        owner = rng.choice((f, node, f[name.split("/")[0]]))
        names = sorted(owner.attrs)
        key = rng.choice(
            [*names, "sc_orientation", "atlas_beam_type", "short_name", "_FillValue", "units", "long_name"]
        )
        if key in owner.attrs and rng.random() < 0.4:
            del owner.attrs[key]
            return f"{owner.name}@{key} deleted"
        junk = rng.choice(
            (
                b"",
                np.bytes_(b"\xff\xfejunk"),
                "x" * 5000,
                np.float64("nan"),
                np.array([], "f4"),
                np.arange(5),
                np.array(["Forward", "weak"], dtype=h5py.string_dtype()),
                h5py.Empty("f4"),
                np.array([b"transition"]),
            )
        )
        owner.attrs[key] = junk
        return f"{owner.name}@{key}={junk!r:.30}"
    if not isinstance(node, h5py.Dataset):
        return ""
    if node.dtype.kind not in "fiu" or node.shape is None:
        return ""
    values = node[()]
    if kind == "cut":
        if not node.shape or not node.shape[0]:
            return ""
        n = max(0, node.shape[0] + rng.choice((-1, -3, -node.shape[0] // 2, -node.shape[0], 1, 5)))
        if node.maxshape[0] is None and rng.random() < 0.5:
            node.resize(n, axis=0)
        else:
            options = (
                {"chunks": node.chunks, "maxshape": (None, *node.shape[1:]), "compression": "gzip", "shuffle": True}
                if node.chunks
                else {}
            )
            values = values[:n] if n <= len(values) else np.concatenate([values, values[: n - len(values)]])
            del f[name]
            f.create_dataset(name, data=values, **options)
        return f"{name} to {n}"
    if kind == "values":
        values = np.array(values)
        flat = values.reshape(-1)
        share = slice(None) if rng.random() < 0.5 else slice(0, max(1, flat.size // 3))
        if values.dtype.kind == "f":
            value = rng.choice((np.nan, 3.4028235e38, -3.4028235e38, np.inf, 0.0, -1.0, 1e12, 1e-30))
        else:
            limits = np.iinfo(values.dtype)
            value = rng.choice((0, 1, limits.max, limits.min, -1 if limits.min < 0 else 200))
        with np.errstate(over="ignore"):
            flat[share] = values.dtype.type(value)
        node[...] = values
        return f"{name}={value}"
    del f[name]
    how = rng.choice(("scalar", "two", "text", "other", "empty", "big_endian", "compound"))
    if how == "scalar":
        f[name] = values.reshape(-1)[0] if values.size else 0
    elif how == "two":
        f[name] = np.stack([values, values])
    elif how == "text":
        f[name] = np.array([b"abc"] * max(1, len(np.atleast_1d(values))))
    elif how == "other":
        with np.errstate(invalid="ignore", over="ignore"):
            f[name] = np.nan_to_num(values).astype("i4" if values.dtype.kind == "f" else "f8")
    elif how == "empty":
        f[name] = h5py.Empty("f4")
    elif how == "big_endian":
        f[name] = values.astype(values.dtype.newbyteorder(">"))
    else:
        f[name] = np.zeros(3, [("a", "f4"), ("b", "i4")])
    return f"{name} {how}"


def outcome(path: Path, *, product: str, out: Path) -> dict[str, object]:
    """Run what fits the product; return status, message, what is wrong with either, and the results to compare."""
    found: dict[str, object] = {"status": "done", "message": "", "wrong": [], "result": None}
    wrong: list[str] = found["wrong"]  # type: ignore[assignment]
    results = []
    try:
        told = info.run(path)
        json.dumps(info.as_json(told), allow_nan=False)
        results.append(info.as_text(replace(told, notes=(), next_commands=())))  # what it advises depends on damage
    except PolynyaError as error:
        results.append(None)
        found["info"] = one_line(error)
        _check_message(str(error), error.exit_code, path, wrong)
    except Exception as error:
        results.append(None)
        wrong.append(f"info raised {one_line(error)}")
    if product == "ATL03":
        results.append(_freeboard(path, out, found, wrong))
    else:
        try:
            results.append(repr(verify.run(path).checks))
        except PolynyaError as error:
            found.update(status="failed", message=one_line(error))
            _check_message(str(error), error.exit_code, path, wrong)
            results.append(None)
        except Exception as error:
            found.update(status="failed", message=one_line(error))
            wrong.append(f"verify raised {one_line(error)}")
            results.append(None)
    found["result"] = results
    return found


def _freeboard(path: Path, out: Path, found: dict[str, object], wrong: list[str]) -> object:
    record = freeboard.run([path], out=out, workers=1)[0]
    found.update(status=record.status, message=record.message)
    left = sorted(str(p.relative_to(out)) for p in out.rglob("*")) if out.exists() else []
    if record.status == FAILED:
        _check_message(record.message, record.exit_code, path, wrong)
        if left:
            wrong.append(f"left behind {left[:4]}")
        return None
    if record.status != DONE:
        wrong.append(f"status {record.status}")
    folder = out / path.stem
    expected = sorted([path.stem, *(f"{path.stem}/{n}" for n in OUTPUTS)])
    if left != expected:
        wrong.append(f"wrote {left}")
    tables = [io.read_table(folder / n) for n in OUTPUTS[:3]]
    io.read_json(folder / "run.json")
    wrong += impossible(tables[0])
    return tables


def impossible(segments: pa.Table) -> list[str]:
    """Return what cannot be in a result, whatever the input was."""
    column = {n: segments[n].to_numpy() for n in segments.column_names if n not in ("granule", "beam")}
    found = [] if segments.num_rows else ["done without a segment"]
    rules = {
        "latitude": np.abs(column["latitude"]) <= 90.0,
        "longitude": np.abs(column["longitude"]) <= 180.0,
        "x_atc": np.isfinite(column["x_atc"]) & (np.abs(column["x_atc"]) < 5.0e7),
        "time": ~np.isnat(column["time"].astype("datetime64[ns]")),
        "n_photons": column["n_photons"] > 0,
        "height": np.abs(column["height"]) <= beam_segments.MAX_HEIGHT_M,
        "height_uncertainty": column["height_uncertainty"] > 0,
        "surface_class": np.isin(column["surface_class"], (-1, 0, 1, 2)),
        "sea_surface_source": np.isin(column["sea_surface_source"], (0, 1, 2, 3)),
        "total_freeboard": ~(column["total_freeboard"] < 0) & ~np.isinf(column["total_freeboard"]),
        "background_rate": ~(column["background_rate"] < 0) & ~np.isinf(column["background_rate"]),
    }
    rules |= {
        n: ~((column[n] < 0) | (column[n] > 1.0001))
        for n in ("probability_thick", "probability_thin", "probability_water")
    }
    return found + [f"impossible {n}: {column[n][~good][:3]}" for n, good in rules.items() if not good.all()]


def _check_message(message: str, exit_code: int, path: Path, wrong: list[str]) -> None:
    if "\n" in message or not message.strip():
        wrong.append("not one line")
    if path.name not in message and path.stem not in message:
        wrong.append(f"does not name the file: {message}")
    if exit_code not in (1, 2):
        wrong.append(f"exit code {exit_code}")
    if "polynya failed on it" in message or UNEXPECTED in message:
        wrong.append(f"internal error: {message}")


def beams_of(part: object, intact: object) -> object:
    """Return the intact tables of the beams that a result holds: a damaged beam is left out, with a message."""
    if not isinstance(part, list):
        return intact
    beams = set(part[0]["beam"].to_pylist())
    return [t.filter(pa.array([b in beams for b in t["beam"].to_pylist()])) for t in intact]


def same(a: object, b: object) -> bool:
    """Return whether two results are equal; tables by every value, NaN equal to NaN."""
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    if hasattr(a, "column_names") and hasattr(b, "column_names"):
        return a.num_rows == b.num_rows and a.to_pandas().equals(b.to_pandas())
    return a == b


def main(first: int, last: int, paths: list[str]) -> None:
    """Print a line when ready, then one line a case."""
    faulthandler.enable()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    sources = [Source.of(Path(p)) for p in paths]
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        clean, products = [], []
        for k, source in enumerate(sources):
            product = info.run(source.path).product
            copy = folder / source.path.name
            copy.write_bytes(source.data)
            clean.append(outcome(copy, product=product, out=folder / f"clean{k}"))
            products.append(product)
            copy.unlink()
            if clean[-1]["wrong"] or clean[-1]["status"] != "done":
                print(
                    json.dumps({"case": None, "wrong": [f"the intact {source.path.name} fails: {clean[-1]}"]}),
                    flush=True,
                )
                return
        print(json.dumps({"case": None, "wrong": []}), flush=True)
        for case in range(first, last):
            rng = random.Random(case)
            k = case % len(sources)
            copy, out = folder / sources[k].path.name, folder / "out"
            kind = KINDS[case // len(sources) % len(KINDS)]  # each for every source, in turn
            kind, where = mutate(sources[k], kind=kind, into=copy, rng=rng)
            started = time.perf_counter()
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                found = outcome(copy, product=products[k], out=out)
            wrong = list(found["wrong"])
            if kind == "flip_chunk":
                for part, intact in zip(found["result"], clean[k]["result"], strict=True):
                    if part is not None and not same(part, beams_of(part, intact)):
                        wrong.append("numbers out of a damaged chunk")
                    if isinstance(part, list) and set(intact[0]["beam"].to_pylist()) != set(
                        part[0]["beam"].to_pylist()
                    ):
                        wrong += [] if "was left out: " in found["message"] else ["a beam is missing without a word"]
            print(
                json.dumps(
                    {
                        "case": case,
                        "kind": kind,
                        "source": sources[k].path.name,
                        "where": where,
                        "status": found["status"],
                        "message": found["message"],
                        "wrong": wrong,
                        "seconds": round(time.perf_counter() - started, 2),
                        "warnings": sorted(
                            {f"{w.category.__name__}: {w.message} {Path(w.filename).name}:{w.lineno}" for w in caught}
                        ),
                    }
                ),
                flush=True,
            )
            copy.unlink(missing_ok=True)
            shutil.rmtree(out, ignore_errors=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])

"""Runs of ``polynya leads`` in tests, and what they wrote."""

from __future__ import annotations

import json
import shutil

import h5py

from polynya import io, schema
from polynya.schema.lead_labels import LEADS
from polynya.workflows import leads


def run(path, out, **config):
    [record] = leads.run([path], out=out, config=leads.Config.checked(**config))
    return record


def table(out, name):
    return schema.check(io.read_table(out / name / "leads.parquet"), LEADS)


def columns(out, name):
    found = table(out, name)
    return {n: schema.to_numpy(found[n]) for n in LEADS.names if n not in ("time", "source")}


def run_json(out, name):
    return json.loads((out / name / "run.json").read_text())


def changed(source, path, **values):
    """Copy a track with some of its variables filled with one value, or with what a function makes of them."""
    shutil.copy(source, path)
    with h5py.File(path, "a") as file:
        for name, value in values.items():
            file[name][...] = value(file[name][...]) if callable(value) else value
    return path

"""Files for benchmarks/score_leads.py: simulated tracks with distances to leads, and hand-labelled echoes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from polynya import io
from polynya.errors import ProductError
from polynya.physics.waveform_features import Features, features
from polynya.readers import echo_files
from polynya.samples import labelled_echoes
from polynya.schema import arrow, lead_labels
from polynya.schema.echoes import Echoes

TRUE_DISTANCE, HAND = "true_lead_distance_m", "waveform_cla"
"""Variables of simulated tracks, and of hand-labelled Sentinel-3 echoes: 1 where the echo is like one of the ocean."""


@dataclass(frozen=True, kw_only=True)
class Track:
    """A simulated track of n echoes.

    Attributes
    ----------
    path : Path
    echoes : Echoes
    shapes : Features
        Of the echoes, with the gain control in the power.
    mapped, true : numpy.ndarray, shape (n,)
        Distance to the nearest lead of the radar map and to the nearest true lead, m.
    bright : numpy.ndarray of bool, shape (n,), or None
        Smooth bright ice without a lead, where the truth is beside the file.
    """

    path: Path
    echoes: Echoes
    shapes: Features
    mapped: np.ndarray
    true: np.ndarray
    bright: np.ndarray | None


def is_hand_labelled(path: Path) -> bool:
    """Return whether a file has echoes with labels by hand."""
    with h5py.File(path) as file:
        return HAND in file


def track(path: Path) -> Track:
    """Read a simulated track.

    Raises
    ------
    ProductError
        If it lacks one of the distances.
    """
    try:
        echoes = echo_files.read(path, extra=(labelled_echoes.MAP_DISTANCE, TRUE_DISTANCE))
    except Exception as error:
        raise ProductError(f"{path.name}: {error}") from error
    return Track(
        path=path,
        echoes=echoes,
        shapes=features(echoes.waveform, scale=echoes.scale, agc=echoes.agc, saturation=echoes.saturation),
        mapped=echoes.extra[labelled_echoes.MAP_DISTANCE].astype(float),
        true=echoes.extra[TRUE_DISTANCE].astype(float),
        bright=_bright(path, len(echoes)),
    )


def _bright(path: Path, n: int) -> np.ndarray | None:
    name = f"{path.stem}_truth.nc"
    found = next((p for p in (path.with_name(name), path.parent / "truth" / name) if p.is_file()), None)
    if found is None:
        return None
    with h5py.File(found) as file:
        return file["is_bright_ice"][:].reshape(-1)[:n] == 1 if "is_bright_ice" in file else None


def write_labels(
    path: Path, echoes: Echoes, *, label: np.ndarray, distance: np.ndarray, pass_id: Sequence[str]
) -> Path:
    """Write a label table, as ``polynya label`` writes them; drift and lag are not known here.

    Parameters
    ----------
    path : Path
        The file.
    echoes : Echoes
        n of them.
    label, distance : numpy.ndarray, shape (n,)
        Codes of ``schema.lead_labels``; m, NaN where unknown.
    pass_id : sequence of str, length n
        Names of the passes.
    """
    table, unknown = echoes.to_table(), np.full(len(echoes), np.nan)
    flag = np.where(label < 0, lead_labels.NO_ECHO, lead_labels.LABELLED)
    columns = {"pass_id": list(pass_id), "label": label, "label_flag": flag, "lead_distance": distance}
    columns |= {v.name: unknown for v in lead_labels.LABEL_COLUMNS if v.name not in columns}
    spec = lead_labels.labelled()
    values = {n: table[n] for n in table.column_names} | columns
    about = {k.decode(): v.decode() for k, v in table.schema.metadata.items()}
    return io.write_table(arrow.table(spec, values, about=about), path, spec=spec, about=about)

"""What is said of labelled echoes on a terminal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..schema import counted
from ..schema.lead_labels import LABEL_FLAGS, LABELS


def text(record: Any) -> str:
    """Return the terminal's text for a finished table: labels, why others have none, notes, what was written.

    Parameters
    ----------
    record : polynya.engine.protocol.Record
        Of :func:`polynya.workflows.label.echoes.process`.
    """
    n = record.numbers
    name = Path(record.outputs["labels"]).name
    if record.status == "skipped" or not n:
        first, *notes = record.message.splitlines() or [""]
        return "\n  ".join([f"{name}: {first}", *(f"- {line}" for line in notes), *record.outputs.values()])
    files, maps = counted(int(n["n_files"]), "file"), counted(int(n["n_maps"]), "lead map")
    shares = ", ".join(f"{int(n[f'n_{k}']):,} {k}" for _, k in LABELS[1:] if n.get(f"n_{k}"))
    lines = [
        f"{name}: {int(n['n_labelled']):,} of {counted(int(n['n_echoes']), 'echo')} labelled ({shares or 'none'}),"
        f" threshold {n['threshold_m']:g} m; {files}, {maps} ({record.seconds:.1f} s)"
    ]
    why = ", ".join(f"{int(n[f'flag_{k}']):,} {k.replace('_', ' ')}" for _, k in LABEL_FLAGS[1:] if n.get(f"flag_{k}"))
    if why:
        lines.append(f"without a label: {why}")
    lines += [f"- {line}" for line in record.message.splitlines()]
    return "\n  ".join([*lines, *record.outputs.values()])

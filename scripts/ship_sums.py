"""Write the SHA-256 of every shipped network, by which polynya knows whether it was changed.

    python scripts/ship_sums.py polynya/weights

The scripts that ship a network call it; ``sha256sum --check SHA256SUMS`` reads it, too.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

NAME = "SHA256SUMS"


def write(folder: Path) -> Path:
    """Write the sums of a folder's ONNX files; return the file."""
    lines = [f"{hashlib.sha256(p.read_bytes()).hexdigest()}  {p.name}" for p in sorted(folder.glob("*.onnx"))]
    path = folder / NAME
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


if __name__ == "__main__":
    print(write(Path(sys.argv[1])))

"""The files of a scene: those at an address are fetched first."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from ... import io
from ...errors import UsageError

NOT_ONE_FILE = ("", ".json", ".safe", ".vrt")
"""Endings of what refers to other files, which would be missing beside a copy: folders, STAC items, VRTs."""


@contextlib.contextmanager
def fetched(paths: Sequence[Path | str]) -> Iterator[list[Path | str]]:
    """Yield the files of a scene as files on this computer; fetched ones stay in the cache while the block runs.

    Parameters
    ----------
    paths : sequence of Path or str
        As :func:`polynya.scenes.scene.open_scene` takes them, or with an address in place of a path:
        ``s3://BUCKET/scene.tif``, ``dem=s3://BUCKET/dem.tif``.

    Raises
    ------
    UsageError
        If an address is not that of one file.
    ProductError
        If it cannot be fetched.
    """
    with contextlib.ExitStack() as stack:
        out: list[Path | str] = []
        for entry in paths:
            sensor, address = split_address(entry)
            if not address:
                out.append(entry)
                continue
            if PurePosixPath(io.name_of(address)).suffix.lower() in NOT_ONE_FILE:
                raise UsageError(
                    f"{entry}: names a folder, a STAC item or a VRT, whose files lie beside it; expected the address of"
                    " one image (GeoTIFF, JPEG 2000). Name its files one by one, or download the folder first."
                )
            out.append(f"{sensor}{stack.enter_context(io.fetched(address))}")
        yield out


def split_address(entry: Path | str) -> tuple[str, str]:
    """Return what stands before an address (``dem=`` or nothing), and the address; both empty for a path.

    Parameters
    ----------
    entry : Path or str
        As given on the command line.
    """
    text = str(entry) if isinstance(entry, str) else ""
    if io.is_address(text):
        return "", text
    head, sign, rest = text.partition("=")
    return (f"{head}{sign}", rest) if sign and "/" not in head and io.is_address(rest) else ("", "")

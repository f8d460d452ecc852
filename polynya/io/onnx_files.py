"""ONNX files of others, looked at before a session is made: what they hold, and whether a child process survives them.

The format is protobuf (onnx.proto3 of the ONNX project); only its frames are read here, so that no library has opened
the file before. A network of polynya holds plain operators of the standard domain and all of its weights, and no
program: no loops, no branches, no functions, no other files.
"""

from __future__ import annotations

import hashlib
import math
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from ..errors import ProductError
from . import opening

MOST_BYTES = 2 << 30
"""Protobuf itself holds no more."""
DOMAINS = ("", "ai.onnx")
OPSETS = (13, 21)
"""Oldest and newest version of the operators that networks may use; polynya writes 17."""
PROGRAMS = ("Loop", "Scan", "If", "SequenceMap")
MOST_SECONDS = 60.0
MOST_MEMORY = 3 << 30  # bytes that a small example may take, the libraries left out
HASH = "polynya_sha256"
"""Name of the metadata property that binds description and graph to each other."""
ITEM_BYTES = {1: 4, 2: 1, 3: 1, 4: 2, 5: 2, 6: 4, 7: 8, 9: 1, 10: 2, 11: 8, 12: 4, 13: 8, 16: 2}
"""Bytes of a number by ONNX's code of its type."""
MOST_FIELDS = 4_000_000
_EXAMPLE = Path(__file__).with_name("onnx_example.py")
_tried: set[str] = set()
is_tried = True
"""Whether files of others are tried in a child process; tests of many small networks set it to False."""


def check(path: Path, *, description: str) -> None:
    """Reject an ONNX file that polynya did not write, or that is no plain network.

    Parameters
    ----------
    path : Path
        The file.
    description : str
        Name of the metadata property with the description.

    Raises
    ------
    ProductError
        If it is no ONNX file, holds other operators, loops, branches or functions, keeps weights in another file,
        claims more weights than it has bytes for, or if its description was written for another graph.
    """
    data = memoryview(opening.read_bytes(path, expected="a network exported by polynya train", most=MOST_BYTES))
    try:
        graphs, properties = _model(path, data)
    except (IndexError, ValueError, UnicodeDecodeError, RecursionError) as error:
        raise _wrong(path, f"is no ONNX file, or is cut ({type(error).__name__}: {error})") from error
    bound = properties.get(HASH)
    if bound is not None and bound != digest(graphs, properties.get(description, "")):
        raise _wrong(path, "its description (features, classes, scaling) was not written for its weights")


def digest(graph: bytes, description: str) -> str:
    """Return the hash that binds a graph to its description.

    Parameters
    ----------
    graph : bytes
        GraphProto, serialized.
    description : str
        The JSON.
    """
    return hashlib.sha256(hashlib.sha256(graph).digest() + description.encode()).hexdigest()


def _model(path: Path, data: memoryview) -> tuple[bytes, dict[str, str]]:
    graph = b""
    properties: dict[str, str] = {}
    for number, value in _fields(data):
        if number == 8:
            _opset(path, dict(_fields(_bytes(value))))
        elif number == 25:
            raise _wrong(path, "holds functions of its own")
        elif number == 20:
            raise _wrong(path, "holds training steps")
        elif number == 14:
            entry = dict(_fields(_bytes(value)))
            properties[_text(entry.get(1, b""))] = _text(entry.get(2, b""))
        elif number == 7:
            if graph:
                raise _wrong(path, "holds two graphs")
            graph = bytes(_bytes(value))
            _graph(path, memoryview(graph))
    if not graph:
        raise _wrong(path, "holds no graph")
    return graph, properties


def _opset(path: Path, held: dict[int, int | memoryview]) -> None:
    domain, version = _text(held.get(1, b"")), held.get(2, 0)
    if domain not in DOMAINS:
        raise _wrong(path, f"uses operators of the domain {domain[:60]!r}")
    if not isinstance(version, int) or not OPSETS[0] <= version <= OPSETS[1]:
        raise _wrong(path, f"uses version {version if isinstance(version, int) else '?'} of the operators")


def _graph(path: Path, data: memoryview) -> None:
    for number, value in _fields(data):
        if number == 1:
            _node(path, _bytes(value))
        elif number == 5:
            _tensor(path, _bytes(value))
        elif number == 15:
            raise _wrong(path, "holds sparse weights")


def _node(path: Path, data: memoryview) -> None:
    for number, value in _fields(data):
        if number == 4 and _text(value) in PROGRAMS:
            raise _wrong(path, f"holds a {_text(value)}")
        if number == 7 and _text(value) not in DOMAINS:
            raise _wrong(path, f"uses an operator of the domain {_text(value)[:60]!r}")
        if number == 5:
            for inner, part in _fields(_bytes(value)):
                if inner in (6, 11):
                    raise _wrong(path, "holds a graph inside an operator")
                if inner in (5, 10):
                    _tensor(path, _bytes(part))


def _tensor(path: Path, data: memoryview) -> None:
    dims: list[int] = []
    kind = held = 0
    for number, value in _fields(data):
        if number == 1:
            dims += [value] if isinstance(value, int) else list(_varints(value))
        elif number == 2 and isinstance(value, int):
            kind = value
        elif number == 13 or (number == 14 and value):
            raise _wrong(path, "keeps weights in another file")
        elif not isinstance(value, int) and number in (4, 5, 7, 9, 10, 11):
            held += len(value)
    claimed = math.prod(dims)
    # packed int32 and int64 lists take a byte and more for each number, whatever its type
    least = ITEM_BYTES.get(kind, 1) if held >= claimed * ITEM_BYTES.get(kind, 1) else 1
    if claimed < 0 or any(d < 0 or d > 1 << 40 for d in dims) or claimed * least > max(held, 1):
        raise _wrong(path, f"claims {claimed:,} weights in {held:,} bytes")


def _fields(data: memoryview | bytes) -> Iterator[tuple[int, int | memoryview]]:
    """Yield number and value of the fields of a message: a number, or bytes."""
    data = memoryview(data)
    at = count = 0
    while at < len(data):
        key, at = _varint(data, at)
        count += 1
        if count > MOST_FIELDS:
            raise ValueError("too many parts")
        number, wire = key >> 3, key & 7
        if wire == 0:
            value, at = _varint(data, at)
            yield number, value
        elif wire in (1, 2, 5):
            size = {1: 8, 5: 4}.get(wire, 0)
            if wire == 2:
                size, at = _varint(data, at)
            if at + size > len(data):
                raise ValueError("a part is longer than the file")
            yield number, data[at : at + size]
            at += size
        else:
            raise ValueError(f"wire type {wire}")


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while shift < 70:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value - (1 << 64) if value >> 63 else value, at
    raise ValueError("a number of more than ten bytes")


def _varints(data: memoryview) -> Iterator[int]:
    at = 0
    while at < len(data):
        value, at = _varint(data, at)
        yield value


def _bytes(value: int | memoryview) -> memoryview:
    if isinstance(value, int):
        raise ValueError("a number in place of a part")
    return value


def _text(value: int | memoryview | bytes) -> str:
    return str(value) if isinstance(value, int) else bytes(value).decode("utf-8")


def _wrong(path: Path, what: str) -> ProductError:
    return ProductError(
        f"{path.name}: {what}; expected a network exported by polynya train: plain operators and all of their weights."
        " Export it again."
    )


def try_out(path: Path) -> None:
    """Open and run a file in a child process, with a limit of time and memory; once a process for each content.

    Parameters
    ----------
    path : Path
        The file, of :func:`check`.

    Raises
    ------
    ProductError
        If the child dies, fills the memory, or does not end.
    """
    if not is_tried:
        return
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    if sha256 in _tried:
        return
    try:
        done = subprocess.run(
            [sys.executable, str(_EXAMPLE), str(path), str(MOST_MEMORY)],
            capture_output=True,
            timeout=MOST_SECONDS,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired as error:
        raise _wrong(path, f"gives no answer to a small example within {MOST_SECONDS:.0f} s") from error
    if done.returncode != 0:
        said = " ".join(done.stderr.decode("utf-8", "replace").split())[-160:]
        raise _wrong(path, f"ends the process that runs a small example ({said or done.returncode})")
    _tried.add(sha256)

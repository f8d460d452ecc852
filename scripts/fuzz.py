"""Change bytes of every kind of file that polynya reads or writes, and read it: ``make fuzz MINUTES=10 SEED=1``.

Products come from the simulators, results from the commands, which takes two minutes; ``--files FOLDER`` keeps them for
the next time, ``--also FOLDER`` adds files of your own. Every case runs in a process of its own. A case fails with a
traceback, an unexpected error, a signal, more than a minute (longer where the computer is busy), or more than 3 GB of
memory. What ended in one line only because the last net caught an exception that nobody thought of is counted apart,
and fails, too. The seed and the number of a case make it again from the same files.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from pathlib import Path

MOST_SECONDS, MOST_MB = 60.0, 3000
SECONDS_BETWEEN = 15.0
"""Between two lines that say how far it is."""
PRODUCTS = (
    "simulate atl03 {f}/ATL03_a.h5 --length-km 3 --beams gt1l,gt1r --seed 3",
    "simulate altika {f}/altika.nc --echoes 400 --seed 1",
    "simulate cryosat2 {f}/cryosat.nc --echoes 400 --seed 1",
    "simulate glacier-scene {f}/scene --region ALP --size 128 --pixel-m 20 --seed 1",
    "simulate s1-ew {f}/ew --size 400x400 --kind edge --seed 2",
    "simulate wv {f}/wv --form safe --count 2",
    "freeboard {f}/ATL03_a.h5 -o {f}/freeboard",
    "leads {f}/altika.nc -o {f}/leads",
)
OTHERS = (
    "freeboard {ATL03} -o {out} --mss {x}",
    "freeboard {ATL03} -o {out} --classifier {x}",
    "leads {altika} -o {out} --concentration {x}",
    "evaluate {x} -r {truth}",
    "change {x} {x}",
)
SKIPPED = (".md", ".html", ".png", ".svg", ".lock")


def main() -> None:
    """Make the files once, then change and read them until the time is over."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--also", type=Path, action="append", default=[])
    parser.add_argument("--files", type=Path, help="where the products are kept")
    a = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = make(a.files or Path(scratch) / "files")
        files = [p for f in (folder, *a.also) for p in sorted(f.rglob("*")) if p.is_file()]
        files = [p for p in files if p.suffix not in SKIPPED and not p.name.startswith(".made_")]
        files = [p for p in files if p.stat().st_size < 64 << 20]
        n, wrong, caught = work(files, folder, Path(scratch), seed=a.seed, until=time.monotonic() + 60 * a.minutes)
    print(f"{n} cases of {len(files)} files, {wrong} failed, {caught} caught by the last net (seed {a.seed})")
    raise SystemExit(int(wrong + caught > 0))


def make(folder: Path, products: Sequence[str] = PRODUCTS) -> Path:
    """Make the products and results that are not there; return their folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for k, words in enumerate(products, 1):
        done = folder / f".made_{k}"
        if done.exists() and done.read_text() == words:
            continue
        print(f"{k} of {len(products)} products: polynya {words.format(f=folder.name)}", flush=True)
        made = subprocess.run(
            [sys.executable, "-m", "polynya", *words.format(f=folder).split(), "--overwrite"],
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        if made.returncode != 0:
            raise SystemExit(f"polynya {words} ended with {made.returncode}: {made.stdout[-400:]}")
        done.write_text(words)
    return folder


def work(files: list[Path], folder: Path, scratch: Path, *, seed: int, until: float) -> tuple[int, int, int]:
    """Run cases; return how many, how many failed, and how many ended in a line for what nobody thought of."""
    warm()
    n = wrong = caught = 0
    said_at = time.monotonic()
    print(f"{len(files)} files, {until - said_at:.0f} s", flush=True)
    while time.monotonic() < until:
        if time.monotonic() - said_at > SECONDS_BETWEEN:
            said_at = time.monotonic()
            print(f"{n} cases, {wrong} failed, {caught} caught, {until - said_at:.0f} s left", flush=True)
        rng = random.Random(f"{seed} {n}")
        path = files[n % len(files)]
        place = scratch / "case"
        shutil.rmtree(place, ignore_errors=True)
        around = next((p for p in path.parents if p.suffix == ".SAFE"), None)
        if around is not None:  # a product is a folder
            shutil.copytree(around, place / around.name)
            changed, given = place / path.relative_to(around.parent), place / around.name
        else:
            place.mkdir()
            changed = given = place / path.name
        changed.write_bytes(mutated(path.read_bytes(), rng))
        command = rng.choice(("info {x}", "info {x}", *OTHERS)).format(
            x=given,
            out=place / "out",
            ATL03=folder / "ATL03_a.h5",
            altika=folder / "altika.nc",
            truth=folder / "ATL03_a_truth.parquet",
        )
        said = case(command.split(), scratch / "said.txt")
        text = (scratch / "said.txt").read_text(errors="replace")
        is_caught = not said and "(unexpected:" in text
        wrong += bool(said)
        caught += is_caught
        if said or is_caught:
            about = said or f"caught: {' '.join(text.split())[-400:]}"
            print(f"case {n}, {path.relative_to(path.parents[1])}: polynya {command}: {about}", flush=True)
        n += 1
    return n, wrong, caught


def warm() -> None:
    """Import what commands need: a child that is a copy of this process then starts at once."""
    import polynya.cli
    import polynya.workflows.freeboard
    import polynya.workflows.info  # noqa: F401


def mutated(data: bytes, rng: random.Random) -> bytes:
    """Return bytes with flips at the start or anywhere, zeros, a repetition, or without their end."""
    out = bytearray(data)
    kind = rng.choice(("flip", "start", "many", "zero", "cut", "repeat", "words"))
    if not out:
        return bytes(out)
    if kind == "cut":
        return bytes(out[: rng.randrange(len(out))])
    if kind == "repeat":
        at = rng.randrange(len(out))
        return bytes(out[:at] + out[at : at + 512] * 2 + out[at + 512 :])
    if kind == "zero":
        at = rng.randrange(len(out))
        out[at : at + 512] = bytes(len(out[at : at + 512]))
    for _ in range({"flip": 1, "start": 2, "many": 60, "words": 4}.get(kind, 0)):
        at = rng.randrange(min(len(out), 4096) if kind == "start" else len(out))
        if kind == "words":
            word = rng.choice((b"\xff\xff\xff\xff", b"\0\0\0\x80", b"nan", b"-1", b"1e999", b"../", b"\x1b[31m"))
            out[at : at + len(word)] = word
        else:
            out[at] ^= 1 << rng.randrange(8)
    return bytes(out)


def case(words: list[str], said: Path, *, expected: Sequence[int] = (0, 1, 2, 3), seconds: float = MOST_SECONDS) -> str:
    """Run a command in a copy of this process; return what is wrong, empty where nothing is."""
    child = forked(words, said)
    seconds *= max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))  # others may use this computer, too
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        done, status, used = os.wait4(child, os.WNOHANG)
        if done:
            text, code = said.read_text(errors="replace"), os.waitstatus_to_exitcode(status)
            if "Traceback" in text or "unexpected error" in text or code not in expected:
                return f"exit {code}: {' '.join(text.split())[-400:]}"
            return f"took {used.ru_maxrss // 1024} MB" if used.ru_maxrss // 1024 > MOST_MB else ""
        time.sleep(0.01)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return f"no end within {seconds:.0f} s"


def forked(words: list[str], said: Path) -> int:
    """Start a command in a copy of this process, in a group of its own; return its number."""
    child = os.fork()
    if child == 0:
        os.setpgid(0, 0)
        _child(words, said)
    with contextlib.suppress(OSError):  # whichever of the two is first
        os.setpgid(child, child)
    return child


def _child(words: list[str], said: Path) -> None:
    handle = os.open(said, os.O_CREAT | os.O_TRUNC | os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(handle, stream)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    sys.argv = ["polynya", *words]
    code = 99
    try:
        from polynya.cli import main as run

        run()
        code = 0
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 0
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    main()

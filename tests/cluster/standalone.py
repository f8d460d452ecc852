"""A standalone Spark cluster on loopback from the pip package: a master, and workers that can be killed."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path


class Cluster:
    """A master and its workers; every process that it starts ends with it.

    Parameters
    ----------
    folder : Path
        Logs and working folders.
    """

    def __init__(self, folder: Path) -> None:
        import pyspark

        self.folder = folder
        self.home = Path(pyspark.__path__[0])
        self.port, self.web = _free_port(), _free_port()
        self.master = f"spark://127.0.0.1:{self.port}"
        self.workers: list[subprocess.Popen] = []
        self._begun: list[subprocess.Popen] = []
        words = ["--host", "127.0.0.1", "--port", str(self.port), "--webui-port", str(self.web)]
        self._start("master", "org.apache.spark.deploy.master.Master", *words)

    def environment(self) -> dict[str, str]:
        """Return the environment of what belongs to the cluster: on loopback, and small."""
        return {
            **os.environ,
            "SPARK_HOME": str(self.home),
            "SPARK_LOCAL_IP": "127.0.0.1",
            "SPARK_DAEMON_MEMORY": "256m",
            "SPARK_DAEMON_JAVA_OPTS": "-XX:+UseSerialGC -XX:TieredStopAtLevel=1",
            "PYSPARK_PYTHON": sys.executable,
            "PYTHONPATH": os.pathsep.join(dict.fromkeys([str(Path(__file__).parents[2]), *filter(None, sys.path)])),
        }

    def add_worker(self) -> subprocess.Popen:
        """Start a worker with one core."""
        words = ["--host", "127.0.0.1", "--cores", "1", "--memory", "600m", "--webui-port", "0"]
        words += ["--work-dir", str(self.folder / "work"), self.master]
        worker = self._start(f"worker{len(self._begun)}", "org.apache.spark.deploy.worker.Worker", *words)
        self.workers.append(worker)
        return worker

    def wait_for(self, workers: int, *, seconds: float = 120.0) -> None:
        """Wait until the master counts so many workers alive."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            with (
                contextlib.suppress(OSError, ValueError),
                urllib.request.urlopen(f"http://127.0.0.1:{self.web}/json/", timeout=5) as answer,
            ):
                if json.load(answer)["aliveworkers"] >= workers:
                    return
            time.sleep(0.1)
        raise AssertionError(f"{workers} workers were expected; see the logs in {self.folder}")

    def kill_worker(self) -> int:
        """Kill one worker with all that it started, at once, as a machine that loses power; return how many died."""
        worker = self.workers.pop(0)
        return _kill_all(worker.pid)

    def stop(self) -> None:
        """End every process of the cluster."""
        for process in self._begun:
            _kill_all(process.pid)
            process.wait(30)

    def _start(self, name: str, kind: str, *words: str) -> subprocess.Popen:
        with (self.folder / f"{name}.log").open("w") as log:
            process = subprocess.Popen(
                [str(self.home / "bin/spark-class"), kind, *words],
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                start_new_session=True,
                preexec_fn=_die_with_us,
            )
        self._begun.append(process)
        return process


def _die_with_us() -> None:
    """Ask the kernel to kill this process when the tests end, however they end."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _kill_all(process: int) -> int:
    """Kill a process of ours and everything below it, the uppermost first: it can start nothing new."""
    waiting, n = [process], 0
    while waiting:
        number = waiting.pop(0)
        below = _children(number)
        with contextlib.suppress(ProcessLookupError):
            os.kill(number, signal.SIGSTOP)
            below = _children(number)
            os.kill(number, signal.SIGKILL)
            n += 1
        waiting += below
    return n


def _children(process: int) -> list[int]:
    found: list[int] = []
    for tasks in Path(f"/proc/{process}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found += [int(p) for p in tasks.read_text().split()]
    return found

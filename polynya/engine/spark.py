"""The Spark engine: one task an item, on a laptop or a cluster.

Items travel as they are, small frozen records; the worker imports polynya and runs the task in a process of its own
(:mod:`.child`), so an item that crashes, hangs or takes too much memory never fails the job. Spark itself repeats what
was lost with a machine. Records come back with Spark's accumulators, once for every finished task.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from .. import __version__
from ..errors import UsageError, one_line
from . import claims
from .child import Child, DiedError, Limits, check, died
from .protocol import AnyItem, Record, Task, around_others, failed

OLDEST_JAVA = 17
QUIET = Path(__file__).parent.parent / "data/spark_log4j2.properties"
"""What Spark says on stderr while it starts: errors."""
SYSTEM_JAVAS = ("/usr/lib/jvm", "/Library/Java/JavaVirtualMachines", "/opt/java")
TRIES = 2
"""How often an item is begun whose process dies, on one worker."""
_LOOK_S = 0.05
_CLEAN_S = 15.0
_child: Child | None = None


@dataclass(frozen=True, kw_only=True)
class SparkEngine:
    """Run tasks on Spark.

    Attributes
    ----------
    session : pyspark.sql.SparkSession, optional
        A session of the user's; otherwise the one that is active, or a new one.
    master : str
        Address of a new session's cluster; empty for Spark's own configuration, or ``local[*]``.
    limits : Limits
        Of every item.
    """

    session: Any = None
    master: str = ""
    limits: Limits = field(default_factory=Limits)

    def map(self, task: Task[AnyItem], items: Sequence[AnyItem]) -> Iterator[Record]:
        """Yield one record per item, as they finish."""
        if not items:
            return
        context = _context(self.session, self.master)
        work = functools.partial(
            _items, task=task, run=claims.new_run(), limits=self.limits, argv=list(sys.argv), version=__version__
        )
        yield from around_others(functools.partial(_all, context, work, self.master), items)


def build(*, workers: int, master: str = "", timeout_s: float = 0.0, memory_gb: float = 0.0) -> SparkEngine:
    """Return the engine of this file; pyspark and Java are looked for when it has work.

    Parameters
    ----------
    workers : int
        Not used: the session has as many as its cluster, or as ``local[N]`` says.
    master : str
        Address of a cluster (``spark://HOST:7077``, ``yarn``, ``k8s://...``, ``local[4]``).
    timeout_s : float
        Seconds that one item may take; 0 for no limit.
    memory_gb : float
        Memory that the work on one item may use, GB; 0 for no limit.

    Raises
    ------
    UsageError
        If a limit cannot be kept.
    """
    return SparkEngine(master=master, limits=check(Limits(timeout_s=timeout_s, memory_gb=memory_gb)))


def _all(context: Any, work: Any, master: str, items: Sequence[AnyItem], *, wait: bool) -> Iterator[Record]:
    """Run one job over items; those that a broken job leaves without a record run each in a job of their own."""
    got: set[str] = set()
    problems: list[Exception] = []
    job = functools.partial(_job, context, functools.partial(work, wait=wait), problems=problems)
    for record in job(items):
        if record.item not in got:
            got.add(record.item)
            yield record
    if not problems:
        return
    _raise_if_hopeless(context, problems[0], master)
    for item in items:
        if item.name in got:
            continue
        problems.clear()
        found = list(job([item]))
        if problems:
            _raise_if_hopeless(context, problems[0], master)
            yield failed(
                item,
                f"{item.name}: its executors died on it ({_cause(problems[0])}); expected it to finish. Give executors"
                " more memory (spark.executor.memoryOverhead), pass --memory-gb, or download the file again.",
            )
        else:
            yield replace(found[0], tries=found[0].tries + 1)


def _job(context: Any, work: Any, items: Sequence[AnyItem], *, problems: list[Exception]) -> Iterator[Record]:
    """Run one job with a task an item and yield the records as tasks finish; the error of a broken job is appended."""
    import pyspark
    from pyspark.accumulators import AccumulatorParam

    class Records(AccumulatorParam):
        def zero(self, value: list) -> list:
            return []

        def addInPlace(self, value1: list, value2: list) -> list:
            value1 += value2
            return value1

    found = context.accumulator([], Records())
    group = f"polynya-{claims.new_run()}"
    data = context.parallelize(list(items), len(items))

    def submit() -> None:
        try:
            context.setJobGroup(group, f"polynya: {len(items)} items", interruptOnCancel=True)
            data.foreachPartition(functools.partial(work, found=found))
        except Exception as error:
            problems.append(error)

    thread = pyspark.InheritableThread(target=submit, daemon=True)
    seen = 0
    try:
        thread.start()
        while thread.is_alive() or seen < len(found.value):
            new = found.value[seen:]
            seen += len(new)
            yield from new
            if not new:
                thread.join(_LOOK_S)
    finally:
        if thread.is_alive():
            _cancel(context, group, thread, items, run=work.keywords["run"])


def _cancel(context: Any, group: str, thread: threading.Thread, items: Sequence[AnyItem], *, run: str) -> None:
    """Stop a job, and wait until its workers have put down what they held."""
    with contextlib.suppress(Exception):
        context.cancelJobGroup(group)
        thread.join(_CLEAN_S)
    end = time.monotonic() + _CLEAN_S
    places = [p for i in items if (p := getattr(i, "place", ""))]
    while time.monotonic() < end:
        places = [p for p in places if claims.is_held(p, run=run)]
        if not places:
            return
        time.sleep(_LOOK_S)


def _items(
    items: Iterable[AnyItem],
    *,
    task: Task[AnyItem],
    run: str,
    wait: bool,
    limits: Limits,
    argv: list[str],
    version: str,
    found: Any,
) -> None:
    """Work on the items of one partition: this runs on a worker."""
    global _child
    if version != __version__:
        raise RuntimeError(f"polynya {__version__} on {os.uname().nodename}, {version} on the driver")
    from pyspark import TaskContext

    about = TaskContext.get()
    before = about.attemptNumber() if about is not None else 0
    if _child is None:
        _child = Child(limits=limits, argv=argv)
        atexit.register(_child.close)
    _child.configure(limits=limits, argv=argv)
    for item in items:
        record, tries = None, 0
        while record is None:
            tries += 1
            try:
                record = _child.run(task, item, run=run, wait=wait)
            except DiedError as error:
                record = died(item, error, tries=tries) if tries >= TRIES else None
        found.add([replace(record, tries=before + tries)])


def _context(session: Any, master: str) -> Any:
    """Return the Spark context to use: of the given session, of the active one, or a new one."""
    try:
        from pyspark import SparkContext
        from pyspark.sql import SparkSession
    except ImportError as error:
        raise UsageError(
            f"--engine spark: pyspark cannot be imported ({one_line(error)}); expected PySpark 4 or newer. Install it:"
            " pip install 'polynya[spark]'."
        ) from None
    session = session or SparkSession.getActiveSession()
    if session is None:
        if SparkContext._gateway is None and "PYSPARK_GATEWAY_PORT" not in os.environ:
            _use_java()
        session = _new_session(SparkSession, master)
    try:
        context = session.sparkContext
        running = context.master
    except Exception as error:  # Spark Connect has none, a stopped one does not answer
        raise UsageError(
            f"--engine spark: the session has no Spark context ({one_line(error)[:200]}); expected a running classic"
            " session, not Spark Connect. Leave SPARK_REMOTE unset, or make a new session."
        ) from None
    if master and running != master:
        raise UsageError(
            f"--master {master}: a session on {running} runs in this process; expected the same. Leave --master out, or"
            " stop that session."
        )
    return context


def _new_session(sessions: Any, master: str) -> Any:
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    if not master and not {"PYSPARK_GATEWAY_PORT", "SPARK_CONF_DIR", "SPARK_HOME"} & set(os.environ):
        master = "local[*]"  # nothing on this machine can say otherwise
    made = sessions.builder.appName("polynya")
    if master:
        made = made.master(master)
    if "PYSPARK_GATEWAY_PORT" not in os.environ:  # under spark-submit its options decide
        os.environ.setdefault("SPARK_SUBMIT_OPTS", f"-Dlog4j2.configurationFile={QUIET.as_uri()}")
        made = made.config("spark.log.level", "ERROR").config("spark.ui.showConsoleProgress", "false")
        if master.startswith("local"):
            os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")  # nobody else is asked, so nobody else needs a port
            made = made.config("spark.ui.enabled", "false")
        if re.match(r"local|spark://(127\.|localhost)", master):
            paths = [os.path.abspath(p) for p in sys.path if p and os.path.isdir(p)]
            made = made.config("spark.executorEnv.PYTHONPATH", os.pathsep.join(dict.fromkeys(paths)))
    try:
        return made.getOrCreate()
    except Exception as error:
        raise UsageError(
            f"--engine spark: no session could be started{f' on {master}' if master else ''} ({_cause(error)});"
            " expected a Spark cluster that answers. Check --master; local[2] needs no cluster."
        ) from None


def _use_java() -> None:
    """Set JAVA_HOME to a Java that Spark can run on, if the one that it would take is none."""
    looked = []
    home = os.environ.get("JAVA_HOME", "")
    program = shutil.which("java")
    candidates = [Path(home)] if home else []
    candidates += [Path(program).resolve().parent.parent] if program else []
    for folder in map(Path, SYSTEM_JAVAS):
        inner = sorted(folder.glob("*")) if folder.is_dir() else []
        candidates += [p / "Contents/Home" if (p / "Contents/Home").is_dir() else p for p in inner]
    for candidate in candidates:
        version = _java_version(candidate)
        if version >= OLDEST_JAVA:
            os.environ["JAVA_HOME"] = str(candidate)
            return
        if version:
            looked.append(f"Java {version} in {candidate}")
    raise UsageError(
        f"--engine spark: Spark needs Java {OLDEST_JAVA} or newer; found {', '.join(looked[:3]) or 'none'} (JAVA_HOME,"
        f" PATH, {', '.join(SYSTEM_JAVAS[:1])}). Install openjdk-17-jre-headless (Debian) or openjdk=17 (conda), or set"
        " JAVA_HOME."
    )


def _java_version(home: Path) -> int:
    """Return the major version of a Java by its home; 0 where there is none."""
    if not (home / "bin/java").exists():
        return 0
    with contextlib.suppress(OSError):
        found = re.search(r'^JAVA_VERSION="(\d+)(?:\.(\d+))?', (home / "release").read_text(), re.M)
        if found:
            return int(found[2] or 0) if found[1] == "1" else int(found[1])
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        said = subprocess.run([home / "bin/java", "-version"], capture_output=True, text=True, timeout=20, check=False)
        found = re.search(r'version "(\d+)(?:\.(\d+))?', said.stderr)
        if found:
            return int(found[2] or 0) if found[1] == "1" else int(found[1])
    return 0


def _raise_if_hopeless(context: Any, problem: Exception, master: str) -> None:
    """Raise where no item can be done: the workers cannot run polynya, or the session is gone."""
    text = str(problem)
    if context._jsc is None or context._jsc.sc().isStopped():
        raise UsageError(
            f"--engine spark: the session{f' on {master}' if master else ''} ended ({_cause(problem)}); expected it to"
            " run until the last item. Check the cluster; the same command does what is missing."
        ) from None
    if "Traceback (most recent call last)" in text:
        raise UsageError(
            f"--engine spark: the workers cannot run polynya ({_cause(problem)}); expected the same Python and polynya"
            f" {__version__} there. Set PYSPARK_PYTHON to a Python that has it; see docs/spark.md."
        ) from None


def _cause(problem: Exception | None) -> str:
    """Return what broke a job, as one phrase."""
    text = str(problem)
    python = re.findall(r"^(?:\w+\.)*(\w*(?:Error|Exception)): (.+)$", text, re.M)
    last = re.search(r"Traceback \(most recent call last\)", text)
    if last and python:
        name, said = python[0]
        return f"{name}: {said}"[:200]
    lost = re.search(r"ExecutorLostFailure \([^)]*\) Reason: ([^\n]+)", text)
    if lost:
        return lost[1][:200]
    java = re.search(r"(?:Exception|Error): ([^\n]+)", text)
    return (java[1] if java else one_line(problem) if problem else "no reason is known")[:200]

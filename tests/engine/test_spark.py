"""What the Spark engine says when Java, pyspark or a session is missing; how it is found by spark-submit."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import polynya
from polynya import engine
from polynya.cli import engines as options
from polynya.engine import spark
from polynya.engine.protocol import Options
from polynya.errors import UsageError

from .tasks import Item, obey


def java(folder: Path, version: str) -> Path:
    """Make the home of a Java that says its version in its release file only."""
    (folder / "bin").mkdir(parents=True)
    (folder / "bin/java").touch()
    (folder / "release").write_text(f'IMPLEMENTOR="Test"\nJAVA_VERSION="{version}"\n')
    return folder


@pytest.fixture
def alone(tmp_path, monkeypatch):
    """No Java but those that a test makes."""
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setattr(spark, "SYSTEM_JAVAS", (str(tmp_path / "jvm"),))
    return tmp_path


@pytest.mark.parametrize(
    ("version", "expected"), [("1.8.0_392", 8), ("11.0.2", 11), ("17.0.15", 17), ("21", 21), ("25-ea", 25)]
)
def test_the_version_of_a_java(tmp_path, version, expected):
    assert spark._java_version(java(tmp_path / "home", version)) == expected


def test_the_first_java_that_is_new_enough_is_taken(alone, monkeypatch):
    monkeypatch.setenv("JAVA_HOME", str(java(alone / "old", "11.0.2")))
    java(alone / "jvm/b-17", "17.0.1")
    java(alone / "jvm/a-8", "1.8.0_1")
    spark._use_java()
    assert os.environ["JAVA_HOME"] == str(alone / "jvm/b-17")


@pytest.mark.parametrize("has_old", [True, False])
def test_a_missing_java_is_asked_for_in_one_line(alone, monkeypatch, has_old):
    if has_old:
        monkeypatch.setenv("JAVA_HOME", str(java(alone / "old", "11.0.2")))
    with pytest.raises(UsageError) as caught:
        spark._use_java()
    text = str(caught.value)
    assert "Spark needs Java 17 or newer" in text and "openjdk-17-jre-headless" in text and "\n" not in text
    assert (f"found Java 11 in {alone / 'old'}" if has_old else "found none") in text


def test_a_missing_pyspark_is_asked_for_in_one_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyspark", None)
    with pytest.raises(UsageError, match=r"pip install 'polynya\[spark\]'") as caught:
        list(engine.load("spark", workers=1, options=Options(master="local[1]")).map(obey, [Item(name="a")]))
    assert "\n" not in str(caught.value)


def test_workers_are_a_matter_of_the_master():
    with pytest.raises(UsageError, match=r"--workers 3: .* --master 'local\[3\]'"):
        options.load("spark", workers=3, master="", timeout_s=0, memory_gb=0)


def test_another_master_than_that_of_the_running_session_is_an_error(spark_session):
    made = engine.load("spark", workers=1, options=Options(master="spark://elsewhere:7077"))
    with pytest.raises(UsageError, match=r"--master spark://elsewhere:7077: a session on local\[2\] runs"):
        list(made.map(obey, [Item(name="a")]))


def test_a_session_without_a_context_is_an_error():
    pytest.importorskip("pyspark")

    class Connect:
        @property
        def sparkContext(self):
            raise NotImplementedError("JVM_ATTRIBUTE_NOT_SUPPORTED")

    with pytest.raises(UsageError, match="not Spark Connect"):
        list(spark.SparkEngine(session=Connect()).map(obey, [Item(name="a")]))


def test_workers_without_the_task_end_the_run_with_one_line(spark_session, monkeypatch):
    """Another polynya on the workers: none of the items can be done."""
    monkeypatch.setattr(spark, "__version__", "99.0")
    with pytest.raises(UsageError, match=r"the workers cannot run polynya \(RuntimeError: polynya .* 99\.0") as caught:
        list(spark.SparkEngine(session=spark_session).map(obey, [Item(name="a"), Item(name="b")]))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "An error occurred\n: org.apache.spark.SparkException: Job aborted due to stage failure: Task 3 in stage"
            " 0.0 failed 4 times, most recent failure: Lost task 3.3 in stage 0.0 (TID 9) (127.0.0.1 executor 2):"
            " ExecutorLostFailure (executor 2 exited caused by one of the running tasks) Reason: Command exited with"
            " code 137\nDriver stacktrace:",
            "Command exited with code 137",
        ),
        (
            "...: org.apache.spark.api.python.PythonException: Traceback (most recent call last):\n  File x, line 1\n"
            "ModuleNotFoundError: No module named 'polynya'\n\n\tat org.apache.spark",
            "ModuleNotFoundError: No module named 'polynya'",
        ),
        ("plain", "ValueError: plain"),
    ],
)
def test_what_broke_a_job_is_one_phrase(text, expected):
    assert spark._cause(ValueError(text)) == expected


def test_the_command_line_runs_by_its_path():
    """As spark-submit calls it, from another folder, without the package's own folder in the way."""
    main = Path(polynya.__path__[0]) / "__main__.py"
    done = subprocess.run([sys.executable, main, "--version"], capture_output=True, text=True, cwd="/", check=False)
    assert done.stdout == f"polynya {polynya.__version__}\n", done.stderr

"""Freeboard and labels on a real Spark cluster of two workers, one of which is killed in the middle.

The short form has three granules and one kill. ``make cluster`` runs the long one: POLYNYA_CLUSTER="GRANULES KILLS".
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from polynya.workflows import freeboard, label
from tests.engine.test_contract import timeless

from .standalone import Cluster

N, KILLS = (int(n) for n in os.environ.get("POLYNYA_CLUSTER", "3 1").split())
LENGTH_KM = 3.0 if N <= 4 else 5.0

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="processes are followed through /proc"),
]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    pytest.importorskip("pyspark")
    from polynya.engine import spark
    from polynya.errors import UsageError

    try:
        spark._use_java()
    except UsageError as error:
        pytest.skip(str(error))
    made = Cluster(tmp_path_factory.mktemp("cluster"))
    try:
        made.add_worker()
        made.add_worker()
        yield made
    finally:
        made.stop()


@pytest.fixture(scope="module")
def season(tmp_path_factory) -> list[Path]:
    """Granules with their truths, all different."""
    from polynya.simulate.icesat2.atl03 import simulate

    folder = tmp_path_factory.mktemp("season")
    return [
        simulate(
            folder / f"ATL03_202001{15 + n % 15:02d}{n // 15:02d}1200_{2800 + n:04d}0603_006_01.h5",
            length_km=LENGTH_KM,
            beams="gt1l,gt1r",
            seed=n,
        ).granule
        for n in range(N)
    ]


def polynya(*words: object, cluster: Cluster) -> subprocess.Popen:
    """Start a command of polynya on the cluster."""
    quick = "-XX:+UseSerialGC -XX:TieredStopAtLevel=1"  # a Java that soon ends need not compile itself well
    settings = {
        "spark.executor.extraJavaOptions": quick,
        "spark.driver.extraJavaOptions": quick,
        "spark.executor.memory": "512m",
        "spark.driver.memory": "512m",
        "spark.ui.enabled": "false",
        # a second copy of whatever takes a little longer than the others
        "spark.speculation": "true",
        "spark.speculation.quantile": "0.25",
        "spark.speculation.multiplier": "1.1",
        "spark.speculation.minTaskRuntime": "100ms",
    }
    options = " ".join(f"--conf '{k}={v}'" for k, v in settings.items())
    return subprocess.Popen(
        [sys.executable, "-m", "polynya", *map(str, words), "--json", "--engine", "spark", "--master", cluster.master],
        env={**cluster.environment(), "PYSPARK_SUBMIT_ARGS": f"{options} pyspark-shell"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def is_the_same(file: Path, other: Path) -> bool:
    if file.suffix == ".json":
        mine, theirs = timeless(file), timeless(other)
        mine.pop("command"), theirs.pop("command")
        return mine == theirs
    return file.suffix == ".html" or file.read_bytes() == other.read_bytes()


def test_freeboard_with_workers_killed_in_the_middle_equals_the_local_run(cluster, season, tmp_path):
    here, there = tmp_path / "here", tmp_path / "there"
    local = freeboard.run(season, out=here, config=freeboard.Config(classifier="rule"), workers=1)
    assert {r.status for r in local} == {"done"}
    cluster.wait_for(2)
    draw, kills = random.Random(11), []
    run = polynya("freeboard", season[0].parent, "-o", there, "--classifier", "rule", cluster=cluster)
    try:
        while run.poll() is None and len(kills) < KILLS:
            done = len([p for p in there.glob("*") if not p.name.startswith(".")]) if there.exists() else 0
            if done * KILLS >= len(kills) * (N - 2) + 1 and any(there.glob(".*.part")):
                time.sleep(draw.uniform(0.0, 0.3))
                kills.append((done, cluster.kill_worker()))
                cluster.add_worker()
                if KILLS > 1:
                    cluster.wait_for(2)
            time.sleep(0.02)
        said, error = run.communicate(timeout=600)
    finally:
        run.kill()
    assert run.returncode == 0, error[-3000:]
    records = json.loads(said)["granules"]
    # a worker that dies after its result has its name, and before it says so: the next one finds it done
    assert len(records) == N and {r["status"] for r in records} <= {"done", "skipped"}
    # worker, executor and what ran in it; a worker that has just begun has no executor yet
    assert len(kills) == KILLS and sum(n >= 3 for _, n in kills) > KILLS // 2
    files = sorted(p.relative_to(here) for p in here.glob("*/*"))
    assert files == sorted(p.relative_to(there) for p in there.glob("*/*")) and len(files) == 5 * N
    assert not [p for p in there.glob(".*") if p.suffix in (".part", ".claim")]
    assert [f for f in files if not is_the_same(here / f, there / f)] == []
    begun = sorted(r["started"] for r in records)
    print(
        f"\n{N} granules; killed after {[d for d, _ in kills]} were done, {[n for _, n in kills]} processes each;"
        f" begun twice or more:"
        f" {sum(r['tries'] > 1 for r in records)}; workers {len({r['worker'] for r in records})};"
        f" first {begun[0][11:19]}, last {begun[-1][11:19]}; {sum(r['seconds'] for r in records):.1f} s of work"
    )


@pytest.mark.skipif(N <= 4, reason="a run of minutes: make cluster")
def test_labels_on_the_cluster_equal_those_here_and_are_skipped_the_second_time(cluster, season, tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = season[0].parent / "pairs.parquet"
    truths = [f"{g.stem}_truth.parquet" for g in season]
    pq.write_table(pa.table({"granule": [g.name for g in season], "truth": truths}), table)
    here, there = tmp_path / "here", tmp_path / "there"
    assert {r.status for r in label.run(label.read_pairs(table, out=here), workers=1)} == {"done"}
    # one pair is done already, by the local run
    for file in here.glob(f"{season[0].stem}.*"):
        there.mkdir(exist_ok=True)
        shutil.copy2(file, there / file.name)
    cluster.wait_for(2)
    said, error = polynya("label", "--pairs", table, "-o", there, cluster=cluster).communicate(timeout=600)
    records = {Path(r["item"]).stem: r for r in json.loads(said)["pairs"]}
    assert {s for s, r in records.items() if r["status"] == "skipped"} == {season[0].stem}, error[-2000:]
    assert {r["status"] for s, r in records.items() if s != season[0].stem} == {"done"}
    files = sorted(p.name for p in here.glob("ATL03*"))
    assert files == sorted(p.name for p in there.glob("ATL03*")) and len(files) == 2 * N
    assert [f for f in files if not is_the_same(here / f, there / f)] == []
    one = records[season[-1].stem]["numbers"]
    assert one["read_seconds"] > 0 and one["label_seconds"] > 0
    assert one["seconds"] == pytest.approx(one["read_seconds"] + one["label_seconds"])

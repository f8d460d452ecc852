"""``polynya leads`` on Spark: the bytes of the local engine."""

from __future__ import annotations

from polynya.engine.spark import SparkEngine
from polynya.simulate.altika import files
from polynya.simulate.altika.track import draw_track
from polynya.workflows import leads


def test_spark_gives_the_bytes_of_the_local_engine(tmp_path, spark_session):
    tracks = [tmp_path / f"track_{seed}.nc" for seed in range(3)]
    for seed, path in enumerate(tracks):
        files.write_echoes(draw_track(seed, echoes=400), path)
    config = leads.Config(network="rule", lead_db=38.0)
    here = leads.run(tracks, out=tmp_path / "local", config=config, workers=1)
    there = leads.run(tracks, out=tmp_path / "spark", config=config, engine=SparkEngine(session=spark_session))
    for one, other in zip(here, there, strict=True):
        assert (one.item, one.status, one.message) == (other.item, other.status, other.message)
        assert one.status == "done"
    for path in tracks:
        local, spark = (tmp_path / k / path.stem / "leads.parquet" for k in ("local", "spark"))
        assert local.read_bytes() == spark.read_bytes()

"""Engines for the contract tests: one small Spark session a test run."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from polynya import engine
from polynya.engine.child import Limits
from polynya.engine.local import LocalEngine


@pytest.fixture(scope="session")
def spark_session():
    """A session with two cores in this process; skips where pyspark or Java is missing."""
    pytest.importorskip("pyspark")
    from polynya.engine import spark
    from polynya.errors import UsageError

    try:
        context = spark._context(None, "local[2]")
    except UsageError as error:
        if "Java" in str(error):
            pytest.skip(str(error))
        raise
    from pyspark.sql import SparkSession

    session = SparkSession.getActiveSession()
    assert session is not None and session.sparkContext is context
    yield session
    session.stop()


@pytest.fixture(params=engine.names())
def make(request) -> Callable:
    """Function that returns an engine with two workers; its attribute ``engine`` says which one."""
    if request.param == "spark":
        from polynya.engine.spark import SparkEngine

        session = request.getfixturevalue("spark_session")
        return lambda **limits: SparkEngine(session=session, limits=Limits(**limits))
    assert request.param == "local", "an engine without a line here"
    return lambda **limits: LocalEngine(workers=2, limits=Limits(**limits))

"""Echoes become a table and come back."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pyarrow as pa
import pytest

from polynya.errors import UsageError
from polynya.readers import altika_sgdr
from polynya.schema import lead_labels
from polynya.schema.echoes import ECHOES, Echoes
from tests.readers import echo_made

NAME = "SRL_GPS_2PTP021_0424_20160124_000000_20160124_005000.CNES.nc"


@pytest.fixture(scope="module")
def echoes(tmp_path_factory):
    return altika_sgdr.read(echo_made.altika_netcdf3(tmp_path_factory.mktemp("echoes") / NAME))


def test_echoes_come_back_from_their_table(echoes):
    back = Echoes.from_table(echoes.to_table())
    for each in fields(Echoes):
        found, expected = getattr(back, each.name), getattr(echoes, each.name)
        if each.name == "product_class_flag":  # the product's own numbers are not in the table
            continue
        if isinstance(expected, np.ndarray):
            assert np.array_equal(found, expected, equal_nan=expected.dtype.kind == "f"), each.name
        elif isinstance(expected, float):
            assert found == expected or (np.isnan(found) and np.isnan(expected)), each.name
        elif each.name != "extra":
            assert found == expected, each.name


def test_more_columns_do_not_disturb(echoes):
    table = echoes.to_table()
    table = table.append_column("label", pa.array(np.zeros(len(table), np.int8)))
    assert np.array_equal(Echoes.from_table(table).waveform, echoes.waveform)


def test_a_slice_of_a_table_gives_its_echoes(echoes):
    table = echoes.to_table().slice(3, 5)
    assert np.array_equal(Echoes.from_table(table).waveform, echoes.waveform[3:8])


def test_a_table_without_a_column_is_refused(echoes):
    with pytest.raises(UsageError, match="agc missing"):
        Echoes.from_table(echoes.to_table().drop_columns(["agc"]))


def test_echoes_of_several_gates_in_a_table_are_refused(echoes):
    table = echoes.to_table()
    place = table.schema.get_field_index("waveform")
    lists = pa.array([[1, 2, 3]] + [[1, 2]] * (len(table) - 1), pa.list_(pa.uint32()))
    with pytest.raises(UsageError, match="2 to 3 gates"):
        Echoes.from_table(table.set_column(place, table.schema.field(place), lists))


def test_label_tables_have_the_columns_of_echoes_first():
    names = lead_labels.LEAD_LABELS.names
    assert names[: len(ECHOES.names)] == ECHOES.names
    assert len(set(names)) == len(names)


def test_echoes_are_one_line_in_a_notebook(echoes):
    assert repr(echoes) == f"Echoes({NAME}: SARAL altika_sgdr, {len(echoes)} echoes of 128 gates)"

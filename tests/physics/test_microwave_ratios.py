"""Ratios of brightness temperatures: signs, scale invariance, and a real scene."""

from __future__ import annotations

import numpy as np
import pytest

from polynya.physics import microwave_ratios
from polynya.readers import amsr2_swath
from tests.real_files import sar


def test_ratios_are_those_of_the_definition_and_free_of_scale():
    v, h = np.array([250.0, 200.0]), np.array([240.0, 120.0])
    assert microwave_ratios.polarisation_ratio(v, h).tolist() == pytest.approx([10 / 490, 80 / 320])
    assert np.allclose(microwave_ratios.polarisation_ratio(0.9 * v, 0.9 * h), [10 / 490, 80 / 320])
    assert microwave_ratios.gradient_ratio(np.array([230.0]), np.array([250.0]))[0] == pytest.approx(-20 / 480)


@pytest.mark.real
def test_water_is_more_polarised_than_ice_caps():
    """West of Franz Josef Land is open water, its islands carry ice caps: columns 5-30 against the brightest spot."""
    name = "AMSR2_S1A_EW_GRDM_1SDH_20190823T033023_20190823T033127_028691_033F56_7A1D.nc"
    data = amsr2_swath.read(sar(f"asip_20190823/{name}"))
    ratio = microwave_ratios.polarisation_ratio(data["btemp_36_5v"].to_numpy(), data["btemp_36_5h"].to_numpy())
    assert ratio[60:100, 5:30].mean() > 0.1 > 0.06 > ratio.min()

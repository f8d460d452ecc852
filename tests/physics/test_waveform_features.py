"""Features of echoes against plain definitions, closed forms and numbers published with the files."""

from __future__ import annotations

import math

import numpy as np
import pytest

from polynya.errors import UsageError
from polynya.physics import waveform_features, waveform_kernels
from polynya.physics.peakiness import CPOM, DELFT_256, PYSIRAL, ZAKHAROVA_128
from polynya.physics.waveform_features import FLAGS, NAMES, cropped, features, stack_statistics
from polynya.readers import cryosat2_l1b, sentinel3_sral
from tests.physics import plain_waveforms
from tests.real_files import altimetry

BITS = {name: bit for bit, name in FLAGS}
LRM = "CS_OFFL_SIR_LRM_1B_20221214T020321_20221214T020524_E001.nc"
SAR = "CS_LTA__SIR_SAR_1B_20141118_records740-1039.nc"


def echoes(n: int, gates: int, *, seed: int = 0, missing: float = 0.0) -> np.ndarray:
    """Speckled echoes with a leading edge, a tail and a bright spot; some gates missing."""
    rng = np.random.default_rng(seed)
    k = np.arange(gates)
    out = np.empty((n, gates))
    for i in range(n):
        edge, width, decay = rng.uniform(0.2, 0.6) * gates, rng.uniform(0.5, 4.0), rng.uniform(0.002, 0.2)
        mean = 1.0 / (1.0 + np.exp(-(k - edge) / width)) * np.exp(-decay * np.maximum(k - edge, 0.0))
        mean += rng.uniform(0.0, 4.0) * np.exp(-0.5 * ((k - rng.uniform(0.0, gates)) / rng.uniform(0.4, 3.0)) ** 2)
        out[i] = (500.0 * mean + 3.0) * rng.gamma(20.0, 1 / 20.0, gates)
    out[rng.random(out.shape) < missing] = np.nan
    return out


@pytest.mark.parametrize(("gates", "missing"), [(128, 0.0), (256, 0.0), (128, 0.1), (40, 0.3)])
def test_every_feature_is_that_of_its_plain_definition(gates, missing):
    given = echoes(60, gates, seed=gates, missing=missing)
    scale = np.linspace(0.5, 2.0, 60)
    found = features(given, scale=scale, agc=np.arange(60.0), saturation=400.0)
    for i, echo in enumerate(given):
        expected = plain_waveforms.features(echo, scale=scale[i], agc=float(i), saturation=400.0)
        assert set(expected) == set(NAMES)
        for name, value in expected.items():
            np.testing.assert_allclose(found[name][i], value, rtol=1e-9, atol=1e-9, err_msg=f"{name} of echo {i}")
    assert np.isfinite(found["leading_edge_width"]).mean() > 0.1 and found["n_peaks"].max() > 3


@pytest.mark.parametrize("kind", [np.uint16, np.uint32, np.float32, np.int32, np.float64])
def test_the_type_of_the_counts_changes_nothing(kind):
    counts = np.round(echoes(20, 128))
    expected, found = features(counts, saturation=450.0), features(counts.astype(kind), saturation=450)
    np.testing.assert_array_equal(found.values, expected.values)
    np.testing.assert_array_equal(found.flag, expected.flag)


def test_a_factor_changes_powers_only():
    given = echoes(30, 128, seed=5)
    one, other = features(given), features(given, scale=1e-18)
    for name in NAMES:
        factor = 1e-18 if name in ("max_power", "noise", "ocog_amplitude") else 1.0
        shift = -180.0 if name == "max_power_db" else 0.0
        np.testing.assert_allclose(other[name], factor * one[name] + shift, rtol=1e-10, err_msg=name)


def test_fill_counts_are_as_missing_as_nan():
    given = echoes(30, 128, seed=7, missing=0.1)
    counts = np.where(np.isnan(given), 65535, np.round(given)).astype(np.uint16)
    with_nan = features(np.where(np.isnan(given), np.nan, np.round(given)))
    with_fill = features(counts, fill=65535)
    np.testing.assert_array_equal(with_fill.values, with_nan.values)
    assert (with_fill.flag & BITS["gates_without_a_value"]).all()
    assert not (features(np.round(echoes(5, 128))).flag & BITS["gates_without_a_value"]).any()


def test_rectangle_has_closed_forms():
    """An echo of height 7 on 20 gates, and noise of 1 elsewhere."""
    echo = np.ones((1, 128))
    echo[0, 40:60] = 7.0
    found = features(echo)
    total = 7.0 * 20 + 108.0
    assert found["peakiness_zakharova_128"][0] == pytest.approx(128 * 7 / total)
    assert found["peakiness_pysiral"][0] == pytest.approx(128 * 7 / total)
    assert found["peakiness_delft_256"][0] == pytest.approx(7 / total * 0.5)
    assert found["peakiness_cpom"][0] == 1.0  # all gates above the noise are equal
    assert found["argmax"][0] == 40 and found["noise"][0] == 1.0 and found["n_peaks"][0] == 1
    assert found["left_sum"][0] == pytest.approx(40 / total)
    assert found["width_at_half"][0] == pytest.approx(20 - 1 + 2 * (7 - 3.5) / 6)
    assert found["ocog_width"][0] == pytest.approx((49 * 20 + 108) ** 2 / (2401 * 20 + 108))


def test_peakinesses_depend_on_the_gates_as_their_names_say():
    """A point on 128 and on 256 gates."""
    for gates in (128, 256):
        echo = np.full((1, gates), 0.0)
        echo[0, 64] = 5.0
        found = features(echo)
        assert found["peakiness_zakharova_128"][0] == 128.0
        assert found["peakiness_pysiral"][0] == gates
        assert found["peakiness_delft_256"][0] == gates / 256
        assert found["peakiness_cpom"][0] == 1.0


def test_exponential_tail_has_its_slope_and_width():
    """The decay of a Brown echo of AltiKa over flat ice, 0.0345 per gate."""
    k = np.arange(128)
    echo = np.where(k < 20, 0.0, np.exp(-0.0345 * (k - 20)))[None]
    found = features(echo)
    assert found["trailing_edge_slope"][0] == pytest.approx(-0.0345, rel=1e-9)
    assert found["trailing_edge_width"][0] == pytest.approx(math.log(0.7 / 0.3) / 0.0345, rel=2e-3)
    tail = np.exp(-0.0345 * np.arange(50, 71)).mean()
    assert found["late_tail_to_peak"][0] == pytest.approx(tail, rel=1e-12)


def test_linear_leading_edge_has_its_width():
    """Up from 0 at gate 30 to 1 at gate 50, down over 40 gates, seen through a running mean of one gate.

    Its top is where the echo is equal half a gate to either side, at 50 + 1/6; the mean there is 1 - (1/3)^2 / 40 -
    (2/3)^2 / 80; on the straight edge the mean changes nothing.
    """
    k = np.arange(128.0)
    echo = np.where(k <= 50, np.clip((k - 30) / 20, 0.0, None), np.clip(1.0 - (k - 50) / 40, 0.0, None))
    found, height = features(echo[None]), 1.0 - 1 / 360 - 4 / 720
    assert found["first_maximum"][0] == pytest.approx(50 + 1 / 6, abs=0.051)
    assert found["leading_edge_width"][0] == pytest.approx(0.9 * 20 * height, rel=2e-3)
    assert found["leading_edge_width_30_70"][0] == pytest.approx(0.4 * 20 * height, rel=2e-3)


def test_a_saturated_echo_is_counted_only_where_a_limit_is_given():
    echo = np.ones((2, 128), np.uint16)
    echo[0, 50:57] = 1023
    found = features(echo, saturation=1023)
    assert found["saturated_gates"].tolist() == [7.0, 0.0]
    assert (found.flag & BITS["saturated"]).astype(bool).tolist() == [True, False]
    assert np.isnan(features(echo)["saturated_gates"]).all()


def test_echoes_without_power_have_no_features_and_a_flag():
    given = np.zeros((5, 128))
    given[1] = np.nan
    given[2, :] = -1.0
    given[3] = 5.0
    given[4, :127] = np.nan  # a single gate
    given[4, 127] = 3.0
    found = features(given, saturation=10.0)
    assert (found.flag & BITS["no_value_above_zero"]).astype(bool).tolist() == [True, True, True, False, True]
    assert np.isnan(found.values[[0, 1, 2, 4]]).all()
    assert found.flag[2] & BITS["values_below_zero"] and found.flag[1] & BITS["gates_without_a_value"]
    assert found["peakiness_zakharova_128"][3] == 1.0  # flat: nothing above its noise, no leading edge
    assert np.isnan(found["peakiness_cpom"][3])
    wanted = BITS["no_gates_for_the_noise_or_none_above_it"] | BITS["leading_edge_not_in_the_window"]
    assert found.flag[3] == wanted


def test_maximum_power_adds_the_gain():
    echo = np.full((3, 128), 10.0)
    echo[:, 60] = 1000.0
    found = features(echo, agc=np.array([0.0, 35.5, np.nan]))
    np.testing.assert_allclose(found["max_power_db"], [30.0, 65.5, np.nan])


def test_peakiness_carries_its_definition():
    found = features(echoes(3, 128))
    for definition, name in (
        (CPOM, "peakiness_cpom"),
        (PYSIRAL, "peakiness_pysiral"),
        (ZAKHAROVA_128, "peakiness_zakharova_128"),
        (DELFT_256, "peakiness_delft_256"),
    ):
        peakiness = found.peakiness(definition)
        assert peakiness.definition == definition
        np.testing.assert_array_equal(peakiness.values, found[name])
    with pytest.raises(UsageError, match="is not computed from echoes"):
        found.peakiness("esa_l2i")
    with pytest.raises(UsageError, match="feature pp: there is none"):
        found["pp"]


@pytest.mark.parametrize("shape", [(128,), (2, 1), (2, 3, 4), (1, 9000)])
def test_other_shapes_are_rejected(shape):
    with pytest.raises(UsageError, match=r"expected \(n, gates\)"):
        features(np.ones(shape))


def test_scale_of_another_length_is_rejected():
    with pytest.raises(UsageError, match="expected one per echo"):
        features(np.ones((3, 128)), scale=np.ones(2))


def test_no_echo_gives_no_row():
    assert features(np.empty((0, 128))).values.shape == (0, len(NAMES))


@pytest.mark.parametrize("missing", [0.0, 0.4])
def test_kernels_stay_inside_their_arrays(missing, monkeypatch):
    """Python runs them: an index outside an array is an error there."""
    given = np.concatenate(
        [echoes(4, 40, missing=missing), np.ones((1, 40)), np.arange(40.0)[None], np.eye(40)[[0, 39]]]
    )
    compiled = features(given)
    for name in ("compact", "sums", "crossings", "slopes", "leading_edges", "peaks"):
        monkeypatch.setattr(waveform_kernels, name, getattr(waveform_kernels, name).function)
    with np.errstate(all="ignore"):
        by_python = features(given)
    np.testing.assert_allclose(by_python.values, compiled.values, rtol=1e-12)
    np.testing.assert_array_equal(by_python.flag, compiled.flag)


def test_chunks_change_nothing(monkeypatch):
    given = echoes(11, 64)
    whole = features(given)
    monkeypatch.setattr(waveform_features, "CHUNK", 4)
    np.testing.assert_array_equal(features(given).values, whole.values)


def test_window_around_the_peak():
    echo = np.arange(300.0)[None] % 7
    echo[0, 260] = 99.0
    window = cropped(echo)
    assert window.shape == (1, 128) and window[0, 50] == 99.0
    np.testing.assert_array_equal(window[0, :90], echo[0, 210:300])
    assert np.isnan(window[0, 90:]).all()


def test_stack_of_a_gaussian():
    looks = np.arange(240.0)
    power = np.stack([np.exp(-0.5 * ((looks - 120) / s) ** 2) for s in (5.0, 20.0)] + [np.zeros(240)])
    found = stack_statistics(power)
    np.testing.assert_allclose(found.std[:2], [5.0, 20.0], rtol=1e-3)
    np.testing.assert_allclose(found.mean[:2], 120.0)
    np.testing.assert_allclose(found.skewness[:2], 0.0, atol=1e-5)
    np.testing.assert_allclose(found.kurtosis[:2], 3.0, rtol=1e-2)
    np.testing.assert_allclose(found.peakiness[:2], 240 / (np.sqrt(2 * np.pi) * np.array([5.0, 20.0])), rtol=1e-3)
    assert np.isnan(found.std[2])


@pytest.mark.real
def test_published_numbers_of_lrm_echoes():
    """As stated with the file: peakinesses and widths of two records, to the digits given."""
    data = cryosat2_l1b.read(altimetry(LRM))
    found = features(data.waveform, scale=data.scale, fill=data.fill)
    assert found["argmax"][[0, 2500]].tolist() == [39, 44]
    assert [f"{v:.6e}" for v in found["max_power"][[0, 2500]]] == ["4.632775e-13", "5.535498e-13"]
    assert [f"{v:.4f}" for v in found["peakiness_zakharova_128"][[0, 2500]]] == ["2.9760", "9.3536"]
    assert [f"{v:.4f}" for v in found["peakiness_cpom"][[0, 2500]]] == ["2.6272", "4.9178"]
    assert f"{found['ocog_width'][0]:.3f}" == "58.362" and f"{found['ocog_width'][2500]:.3f}" == "8.140"


@pytest.mark.real
def test_published_numbers_of_sar_echoes():
    data = cryosat2_l1b.read(altimetry(SAR))
    found = features(data.waveform, scale=data.scale, fill=data.fill)
    assert found["argmax"][[0, 299]].tolist() == [77, 54]
    assert [f"{v:.6e}" for v in found["max_power"][[0, 299]]] == ["3.603612e-15", "6.482040e-15"]
    assert [f"{v:.4f}" for v in found["peakiness_cpom"][[0, 299]]] == ["4.5866", "7.2475"]


@pytest.mark.real
def test_peakiness_of_sarin_echoes_is_that_of_their_table():
    held = np.load(altimetry("cs2_sin_20221214_first222.npz"), allow_pickle=False)
    found = features(held["waveform"])["peakiness_cpom"]
    assert [f"{v:.4f}" for v in found[[0, 1, 50, 150]]] == ["5.6061", "6.0947", "35.2737", "40.7798"]
    assert np.abs(found - held["pulse_peakiness"]).max() <= 5.2e-5


@pytest.mark.real
def test_published_numbers_of_sentinel_3_echoes():
    data = sentinel3_sral.read(altimetry("s3a_sral_coastal_echoes_2019.nc"))
    found = features(data.waveform, scale=data.scale, fill=data.fill)["peakiness_zakharova_128"]
    assert [f"{v:.4f}" for v in found[[0, 100]]] == ["14.3624", "8.3237"]

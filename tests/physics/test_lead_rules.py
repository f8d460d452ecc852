"""Rules for leads: thresholds carry their definition, unknown is a class, and published counts come out."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from polynya.errors import UsageError
from polynya.physics import lead_rules
from polynya.physics.lead_rules import Answer, EdgeAndBackscatter, agreement, altika_maximum_power, cpom, esa_l2i
from polynya.physics.peakiness import CPOM, ESA_L2I, PYSIRAL, DefinitionError, Peakiness, Threshold
from polynya.physics.waveform_features import features
from polynya.readers import cpom_elev, cryosat2_l2i
from polynya.schema.echoes import LEAD, OCEAN, SEA_ICE, UNKNOWN
from tests.real_files import altimetry


def peakiness(*values: float, definition: str = CPOM) -> Peakiness:
    return Peakiness(definition=definition, values=np.array(values))


def test_a_threshold_of_another_definition_is_a_type_error():
    threshold = Threshold(definition=CPOM, value=18.0)
    with pytest.raises(TypeError, match="compared with pysiral peakiness; expected the same definition"):
        threshold.at_least(peakiness(20.0, definition=PYSIRAL))
    with pytest.raises(DefinitionError, match="compared with ndarray; expected a Peakiness"):
        threshold.at_most(np.array([20.0]))
    with pytest.raises(UsageError, match="'pp': is no definition"):
        Peakiness(definition="pp", values=np.array([1.0]))
    with pytest.raises(DefinitionError, match="is no definition"):
        Threshold(definition="pp", value=1.0)


def test_a_threshold_includes_its_value_and_nan_is_neither():
    threshold, given = Threshold(definition=CPOM, value=18.0), peakiness(17.99, 18.0, 18.01, np.nan)
    assert threshold.at_least(given).tolist() == [False, True, True, False]
    assert threshold.at_most(given).tolist() == [True, True, False, False]


@pytest.mark.parametrize(("rule", "limit"), [(lead_rules.CPOM_SAR, 6.29), (lead_rules.CPOM_SARIN, 4.62)])
def test_cpom_at_its_limits(rule, limit):
    below, above = limit - 0.01, limit + 0.01
    cases = (
        (18.0, below, 0.9, LEAD),
        (18.0, limit, 0.9, UNKNOWN),
        (17.9, below, 0.9, UNKNOWN),
        (18.0, below, np.nan, LEAD),
        (9.0, above, 0.75, SEA_ICE),
        (9.0, limit, 0.75, UNKNOWN),
        (9.1, above, 0.75, UNKNOWN),
        (9.0, above, 0.749, UNKNOWN),
        (9.0, above, np.nan, UNKNOWN),
        (30.0, np.nan, 0.9, UNKNOWN),
        (np.nan, below, 0.9, UNKNOWN),
        (5.0, above, 0.0, OCEAN),
    )
    pp, stack, share, expected = (np.array(c) for c in zip(*cases, strict=True))
    found = cpom(peakiness(*pp), stack_std=stack, sea_ice_concentration=share, rule=rule)
    assert found.classes.tolist() == expected.tolist()
    assert found.coverage == pytest.approx(4 / 12)
    assert found.counts() == {"unknown": 8, "ocean": 1, "lead": 2, "sea_ice": 1}


def test_cpom_takes_its_own_peakiness_only():
    with pytest.raises(TypeError, match="pysiral"):
        cpom(
            peakiness(20.0, definition=PYSIRAL),
            stack_std=np.ones(1),
            sea_ice_concentration=np.ones(1),
            rule=lead_rules.CPOM_SAR,
        )


@pytest.mark.parametrize(
    ("rule", "pp", "sigma0", "edge"),
    [
        (lead_rules.PYSIRAL_SAR, 66.0, 23.0, 0.75),
        (lead_rules.PYSIRAL_SARIN, 260.0, 24.0, 1.05),
        (lead_rules.PYSIRAL_ENVISAT, 26.0, 25.0, 0.82),
    ],
)
def test_pysiral_at_its_limits(rule, pp, sigma0, edge):
    cases = (
        (pp, sigma0, edge, 0.15, 1.0, 9.0, LEAD),
        (pp - 0.1, sigma0, edge, 0.15, 1.02, 9.0, SEA_ICE),
        (pp, sigma0 - 0.1, edge, 0.15, 1.02, 9.0, SEA_ICE),
        (pp, sigma0, edge + 0.01, 0.15, 1.03, 9.0, UNKNOWN),
        (pp, sigma0, edge, 0.14, 1.0, 9.0, UNKNOWN),
        (pp, sigma0, edge, 0.14, 1.0, rule.ocean_sd - 0.01, OCEAN),
        (pp, sigma0, edge, 0.14, 1.0, rule.ocean_sd, UNKNOWN),
        (pp, sigma0, edge, np.nan, 1.0, 0.0, UNKNOWN),
        (pp, np.nan, edge, 0.9, np.nan, 0.0, UNKNOWN),
    )
    columns = [np.array(c) for c in zip(*cases, strict=True)]
    given = EdgeAndBackscatter(
        sigma0=columns[1],
        leading_edge_width_m=columns[2],
        sea_ice_concentration=columns[3],
        leading_edge_quality=columns[4],
        peakiness_running_sd=columns[5],
    )
    found = lead_rules.pysiral(peakiness(*columns[0], definition=PYSIRAL), given, rule=rule)
    assert found.classes.tolist() == columns[6].tolist()


def test_pysiral_calls_nothing_ice_or_ocean_without_what_it_needs():
    given = EdgeAndBackscatter(
        sigma0=np.array([30.0, 0.0, 0.0]),
        leading_edge_width_m=np.full(3, 0.5),
        sea_ice_concentration=np.array([0.9, 0.9, 0.0]),
    )
    found = lead_rules.pysiral(peakiness(90.0, 5.0, 5.0, definition=PYSIRAL), given, rule=lead_rules.PYSIRAL_SAR)
    assert found.classes.tolist() == [LEAD, UNKNOWN, UNKNOWN]
    with pytest.raises(TypeError):
        lead_rules.pysiral(peakiness(90.0, 5.0, 5.0), given, rule=lead_rules.PYSIRAL_SAR)


def test_altika_has_a_band_of_unknown():
    power = np.array([69.9, 70.0, 60.0, 59.9, np.nan])
    assert altika_maximum_power(power, lead_db=70.0, ice_db=60.0).classes.tolist() == [0, 2, 0, 3, 0]
    assert altika_maximum_power(power, lead_db=70.0).classes.tolist() == [3, 2, 3, 3, 0]
    with pytest.raises(UsageError, match="expected ice_db <= lead_db"):
        altika_maximum_power(power, lead_db=60.0, ice_db=70.0)
    with pytest.raises(UsageError, match="nan"):
        altika_maximum_power(power, lead_db=float("nan"))


def test_esa_flag_has_bits():
    flags = np.array([32, 64, 128, 256, 48, 80, 144, 272, 2, 4, 0, -1, 128 | 256, 64 | 2])
    assert esa_l2i(flags).classes.tolist() == [0, 1, 3, 2, 0, 1, 3, 2, 1, 0, 0, 0, 0, 1]


def test_agreement_counts_unknown():
    answer = Answer(rule="a", classes=np.array([0, 2, 3, 3, 2], np.int8))
    found = agreement(answer, np.array([0, 2, 2, 0, 0]))
    assert dataclasses.asdict(found) == {
        "n": 5,
        "equal": 2,
        "n_decided": 2,
        "equal_decided": 1,
        "unknown_share": 0.6,
    }
    with pytest.raises(UsageError, match="expected as many"):
        agreement(answer, np.zeros(4))


@pytest.mark.real
@pytest.mark.parametrize(
    ("name", "n", "counts"),
    [
        ("cs2_sar_20221214T001528.elev", 10_550, (2938, 0, 2814, 4798)),
        ("cs2_sar_20221214T015210.elev", 9_978, None),
    ],
)
def test_cpom_rule_gives_all_classes_of_its_own_table(name, n, counts):
    """It tests that thresholds and columns are right. The classes are this rule's output: no skill."""
    table = cpom_elev.read(altimetry(name))
    found = cpom(
        Peakiness(definition=CPOM, values=table.peakiness_cpom),
        stack_std=table.stack_std,
        sea_ice_concentration=table.sea_ice_concentration,
        rule=lead_rules.CPOM_SAR,
    )
    same = agreement(found, table.surface_class)
    assert (same.n, same.equal) == (n, n) and 0.2 <= same.unknown_share <= 0.34
    if counts:
        assert tuple(found.counts().values()) == counts


@pytest.mark.real
@pytest.mark.parametrize("name", ["cs2_sin_20221214_first222.npz", "cs2_sin_20221214_last222.npz"])
def test_cpom_rule_gives_all_classes_of_sarin_echoes(name):
    held = np.load(altimetry(name), allow_pickle=False)
    found = cpom(
        features(held["waveform"]).peakiness(CPOM),
        stack_std=held["stack_std"],
        sea_ice_concentration=np.where(held["sic"] < 0, np.nan, held["sic"] / 100),
        rule=lead_rules.CPOM_SARIN,
    )
    assert agreement(found, held["cls"]).equal == 222
    if "first" in name:
        assert [int((found.classes == c).sum()) for c in (0, 2, 3)] == [62, 116, 44]


def decided_by_both(name: str, rule: lead_rules.CpomRule) -> tuple[int, int]:
    """Echoes that CPOM's thresholds and ESA's flag both call lead or ice, and those with the same answer."""
    data = cryosat2_l2i.read(altimetry(name))
    by_esa = {n: dataclasses.replace(getattr(rule, n), definition=ESA_L2I) for n in ("lead", "floe")}
    found = cpom(
        Peakiness(definition=ESA_L2I, values=data.product_peakiness),
        stack_std=data.stack_std,
        sea_ice_concentration=data.sea_ice_concentration,
        rule=dataclasses.replace(rule, **by_esa),
    )
    both = np.isin(found.classes, (LEAD, SEA_ICE)) & np.isin(data.surface_class, (LEAD, SEA_ICE))
    return int(both.sum()), int((found.classes == data.surface_class)[both].sum())


@pytest.mark.real
def test_esa_flag_agrees_where_both_decide():
    """Another program's thresholds, on a SAR file of 2015; the file's own count."""
    assert decided_by_both("CS_LTA__SIR_SARI2__2015.nc", lead_rules.CPOM_SAR) == (1586, 1586)


@pytest.mark.real
def test_esa_flag_of_a_sarin_file_is_read_bit_by_bit():
    data = cryosat2_l2i.read(altimetry("CS_OFFL_SIR_SINI2__20190504T122546_20190504T122726_D001.nc"))
    values, counts = np.unique(data.product_class_flag, return_counts=True)
    assert dict(zip(values.tolist(), counts.tolist(), strict=True)) == {48: 1729, 80: 162, 144: 56, 272: 229}
    assert [int((data.surface_class == c).sum()) for c in (UNKNOWN, OCEAN, LEAD, SEA_ICE)] == [1729, 162, 229, 56]

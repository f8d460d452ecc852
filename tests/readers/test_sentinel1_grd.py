"""Sentinel-1 GRD: numbers read from real annotation by hand, products with pixels whose sigma nought is known, every
generation of noise, and what is said of damaged products."""

from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import pytest
import rasterio

from polynya.errors import ProductError, UsageError
from polynya.readers import sentinel1_grd
from tests.readers.sentinel1_safe import (
    BLOCKS,
    EW,
    LAST_POSITIVE,
    LINES,
    SAMPLES,
    SLC,
    SM,
    PlainNoise,
    Small,
    cut_real,
    numbers_of,
    real_safe,
    replace_in,
    write_image,
    write_safe,
    zipped,
)


@pytest.fixture(scope="module")
def ew():
    product = sentinel1_grd.open_product(real_safe(EW))
    return product, {c: sentinel1_grd.radiometry(product, c) for c in product.channels}


def at(line: int, sample: int) -> tuple[slice, slice]:
    """Return the window that is one pixel."""
    return slice(line, line + 1), slice(sample, sample + 1)


def db(power):
    with np.errstate(divide="ignore", invalid="ignore"):
        return 10.0 * np.log10(power)


# Channel, line, sample, A (HH only), range noise, azimuth factor: read from the XML by hand, with the sub-swath rule.
NODES = [
    ("HH", 128, 4000, 1513.648, 3054.67, 1.215532),
    ("HH", 226, 6000, 1412.165, 1996.82, 1.194486),
    ("HH", 1350, 3114, 1572.692, 4890.37, 1.008735),
    ("HV", 128, 4000, None, 2238.51, 1.224310),
    ("HV", 226, 6000, None, 1369.76, 1.193556),
    ("HV", 1350, 3114, None, 3501.02, 1.008995),
    ("HH", 1000, 1000, 1770.799, 11457.743, 1.126187),
    ("HH", 5000, 5000, 1458.238, 6020.288, 1.006546),
    ("HH", 5000, 9000, 1312.427, 1457.291, 1.115538),
    ("HH", 9000, 2500, 1620.625, 7429.777, 1.034118),
    ("HV", 1000, 1000, None, 9124.545, 1.122622),
    ("HV", 5000, 5000, None, 4541.948, 1.006914),
    ("HV", 5000, 9000, None, 1159.246, 1.122372),
    ("HV", 9000, 2500, None, 6078.549, 1.031431),
    ("HH", 0, 0, 1908.928, 38871.13, 1.267256),
]
# Channel, line, sample, noise-equivalent sigma nought (dB), sigma nought (dB) of an amplitude of 100, None below zero.
DECIBELS = [
    ("HH", 1000, 1000, -23.8563, None),
    ("HH", 5000, 5000, -25.4521, -27.3213),
    ("HH", 5000, 9000, -30.2512, -23.1320),
    ("HH", 9000, 2500, -25.3382, -30.5449),
    ("HV", 1000, 1000, -24.8589, None),
    ("HV", 5000, 5000, -26.6742, -25.9313),
    ("HV", 5000, 9000, -31.2184, -22.9669),
    ("HV", 9000, 2500, -26.2212, -28.4761),
    ("HH", 0, 0, -18.6909, None),
]


@pytest.mark.real
@pytest.mark.parametrize(("channel", "line", "sample", "gain", "noise", "factor"), NODES)
def test_gain_and_noise_of_a_real_product(ew, channel, line, sample, gain, noise, factor):
    known = ew[1][channel]
    printed = 5.01e-3 if noise == round(noise, 2) else 1e-3  # as many digits as the number was written with
    assert known.noise.range_noise(*at(line, sample))[0, 0] == pytest.approx(noise, abs=printed)
    assert known.noise.azimuth_factor(*at(line, sample))[0, 0] == pytest.approx(factor, abs=1e-6)
    assert known.noise.window(*at(line, sample))[0, 0] == pytest.approx(noise * factor, rel=3e-6)
    if gain is not None:
        assert known.gain.window(*at(line, sample))[0, 0] == pytest.approx(gain, abs=1e-3)


@pytest.mark.real
@pytest.mark.parametrize(("channel", "line", "sample", "nesz", "sigma0"), DECIBELS)
def test_decibels_of_a_real_product(ew, channel, line, sample, nesz, sigma0):
    rows, columns = at(line, sample)
    hundred = np.array([[100]], np.uint16)
    found, noise = sentinel1_grd.sigma_nought(hundred, ew[1][channel], rows=rows, columns=columns)
    assert db(noise[0, 0]) == pytest.approx(nesz, abs=1e-4)
    if sigma0 is None:
        assert found[0, 0] < 0  # stays linear until it has been averaged
    else:
        assert db(found[0, 0]) == pytest.approx(sigma0, abs=1e-4)


@pytest.mark.real
@pytest.mark.parametrize(("line", "sample"), [(100, 5000), (5000, 10461), (5000, 10482)])
def test_pixels_without_valid_noise_are_masked(ew, line, sample):
    """Before a sub-swath starts, and after the last positive node."""
    rows, columns = at(line, sample)
    for known in ew[1].values():
        assert np.isnan(known.noise.window(rows, columns)).all()
        found = sentinel1_grd.sigma_nought(np.array([[500]], np.uint16), known, rows=rows, columns=columns)
        assert np.isnan(found).all()


@pytest.mark.real
def test_share_of_pixels_in_no_block(ew):
    noise, outside = ew[1]["HV"].noise, 0
    for top in range(0, 10708, 1000):
        outside += (noise.subswath(slice(top, min(top + 1000, 10708)), slice(0, 10487)) == 0).sum()
    assert 100 * outside / (10708 * 10487) == pytest.approx(1.74, abs=0.005)
    assert noise.swaths == ("EW1", "EW2", "EW3", "EW4", "EW5")


@pytest.mark.real
@pytest.mark.parametrize(
    ("channel", "steps"), [("HV", (-6.33, -0.62, -2.33, -3.96)), ("HH", (-5.86, -0.27, -2.41, -4.34))]
)
def test_steps_of_the_noise_at_the_borders(ew, channel, steps):
    known, rows, columns = ew[1][channel], slice(5000, 5001), slice(0, 10487)
    nesz = db(known.noise.window(rows, columns) / known.gain.window(rows, columns) ** 2)[0]
    found = [nesz[c] - nesz[c - 1] for c in (3112, 5013, 7084, 8959)]
    assert found == pytest.approx(steps, abs=0.006)


@pytest.mark.real
@pytest.mark.parametrize("channel", ["HH", "HV"])
def test_noise_equals_the_rule_pixel_by_pixel(ew, channel):
    """Random pixels, and all near the top and the moving borders, against a plain loop over the XML."""
    plain = PlainNoise(real_safe(EW) / "annotation" / "calibration" / f"noise-ew-{channel.lower()}.xml", 10708)
    rng = np.random.default_rng(5)
    pixels = [*zip(rng.integers(0, 10708, 150), rng.integers(0, 10487, 150), strict=True)]
    pixels += [*zip(rng.integers(0, 450, 100), rng.integers(0, 10487, 100), strict=True)]
    pixels += [
        (line, border + step)
        for line in (1330, 1344, 1345, 1346, 1400, 1502, 1503, 1504)
        for border in (3112, 3118, 5013, 7092, 8959)
        for step in (-1, 0, 1)
    ]
    noise, valid = ew[1][channel].noise, 0
    for line, sample in pixels:
        wanted = plain.at(int(line), int(sample))
        place = at(int(line), int(sample))
        found = noise.range_noise(*place)[0, 0], noise.azimuth_factor(*place)[0, 0]
        if np.isnan(wanted[0]):
            assert np.isnan(found[0]), (line, sample)
        else:
            assert found == pytest.approx(wanted, rel=1e-12), (line, sample)
            valid += 1
    assert 250 < valid < len(pixels)


# A product with pixels


def known_sigma0(lines: int, samples: int, *, seed: int) -> np.ndarray:
    """Return fields from -32 to 0 dB: tiles of 40 x 40 pixels with a gentle slope inside."""
    rng = np.random.default_rng(seed)
    tiles = rng.uniform(-32.0, 0.0, (-(-lines // 40), -(-samples // 40)))
    field = tiles.repeat(40, axis=0).repeat(40, axis=1)[:lines, :samples]
    return 10.0 ** ((field + 0.02 * (np.arange(samples) % 40)) / 10.0)


@pytest.mark.real
def test_sigma_nought_of_whole_amplitudes_on_real_annotation(tmp_path):
    """The limits: .15 dB a pixel above 3 dB of signal to noise, .06 above 10 dB, .05 for means of 10 x 10 pixels."""
    folder, lines, samples = cut_real(tmp_path / "x.SAFE", EW, lines=1500), 1500, 10487
    product = sentinel1_grd.open_product(folder)
    # where sub-swaths start one after the other, and where their borders move
    parts = {"top": range(0, 480), "moving borders": range(1320, 1480)}
    truth, noise, gain = {}, {}, {}
    for seed, channel in enumerate(("HH", "HV")):
        plain = PlainNoise(folder / "annotation" / "calibration" / f"noise-ew-{channel.lower()}.xml", lines)
        numbers = np.zeros((lines, samples), np.uint16)
        gains = sentinel1_grd.radiometry(product, channel).gain  # tested against the file above
        for name, rows in parts.items():
            key, place = (channel, name), slice(rows.start, rows.stop)
            truth[key] = known_sigma0(len(rows), samples, seed=seed)
            noise[key] = plain.field(rows, samples)
            gain[key] = gains.window(place, slice(0, samples))
            numbers[place] = numbers_of(truth[key], gain[key], noise[key])
        write_image(folder / "measurement" / f"ew-{channel.lower()}.tiff", numbers)
    for name, rows in parts.items():
        data = sentinel1_grd.read(folder, window=((rows.start, rows.stop), (0, samples)))
        for channel in ("HH", "HV"):
            key, found = (channel, name), data.sigma0.sel(channel=channel).values.astype(float)
            quiet = noise[key] / gain[key] ** 2
            assert (np.isnan(found) == np.isnan(quiet)).all()
            error, signal = np.abs(db(found) - db(truth[key])), db(truth[key] / quiet)
            assert np.nanmax(error[signal > 3.0]) <= 0.15
            assert np.nanmax(error[signal > 10.0]) <= 0.06
            means, wanted, low = (tens(x) for x in (found, truth[key], quiet))
            strong = db(wanted / low) > 3.0
            assert np.abs(db(means[strong]) - db(wanted[strong])).max() <= 0.05
            assert 0.3 < strong.mean() < 0.9


def tens(field: np.ndarray) -> np.ndarray:
    """Return means of 10 x 10 pixels; the tiles of :func:`known_sigma0` hold whole ones."""
    return field[:, :10480].reshape(len(field) // 10, 10, 1048, 10).mean(axis=(1, 3))


def small_numbers(small: Small) -> dict[str, np.ndarray]:
    """Return amplitudes of a sigma nought of -5 dB with noise, for every channel."""
    line, sample = np.mgrid[0:LINES, 0:SAMPLES].astype(float)
    return {
        c: numbers_of(np.full((LINES, SAMPLES), 10**-0.5), small.gain(c, line, sample), small.noise_power(c))
        for c in small.channels
    }


@pytest.fixture(scope="module")
def small_safe(tmp_path_factory):
    small = Small()
    return write_safe(tmp_path_factory.mktemp("s1") / "S1A_EW_small.SAFE", small, small_numbers(small))


@pytest.fixture
def copy_of(small_safe, tmp_path):
    return shutil.copytree(small_safe, tmp_path / small_safe.name)


def inner(folder, kind, channel):
    return next((folder / "annotation" / "calibration").glob(f"{kind}-*-{channel.lower()}-*.xml"))


@pytest.mark.parametrize("generation", ["azimuth", "empty azimuth list", "before 2.9"])
def test_every_generation_of_noise(tmp_path, generation):
    """Sub-swaths that start late and borders that move, in closed form; without azimuth list the factor is 1 and the
    sub-swaths are those of the image's own bounds."""
    small = Small(noise=generation)
    folder = write_safe(tmp_path / "x.SAFE", small, small_numbers(small))
    product = sentinel1_grd.open_product(folder)
    for channel in ("HH", "HV"):
        known = sentinel1_grd.radiometry(product, channel)
        assert known.is_noise_known
        found = known.noise.window(slice(0, LINES), slice(0, SAMPLES))
        np.testing.assert_allclose(found, small.noise_power(channel), rtol=1e-8)
        assert np.isnan(found[:20, 80:]).all()
        assert np.isnan(found[:, LAST_POSITIVE + 1 :]).all()
    line, sample = np.mgrid[0:LINES, 0:SAMPLES].astype(float)
    gain = known.gain.window(slice(0, LINES), slice(0, SAMPLES))
    np.testing.assert_allclose(gain, small.gain("HV", line, sample), rtol=1e-8)


def test_a_window_equals_the_same_part_of_the_whole(small_safe):
    whole = sentinel1_grd.read(small_safe)
    part = sentinel1_grd.read(small_safe, window=((15, 67), (60, 120)))
    for name in ("sigma0", "nesz", "incidence_angle"):
        np.testing.assert_array_equal(part[name].values, whole[name].sel(line=part.line, sample=part.sample).values)
    np.testing.assert_allclose(
        part.latitude, whole.latitude.sel(line=part.line, sample=part.sample), rtol=0, atol=1e-12
    )
    assert np.isfinite(part.sigma0.values).any()
    with pytest.raises(UsageError, match="window of rows 0 \\+ 130"):
        sentinel1_grd.read(small_safe, window=((0, 130), (0, 10)))


def test_sigma_nought_and_positions_of_a_small_product(small_safe):
    data, small = sentinel1_grd.read(small_safe), Small()
    valid = np.isfinite(small.noise_power("HH"))
    for channel in ("HH", "HV"):
        found = data.sigma0.sel(channel=channel).values
        assert (np.isfinite(found) == valid).all()
        assert np.abs(db(found[valid]) + 5.0).max() < 0.02  # amplitudes of about 800 are whole numbers
    line, sample = np.mgrid[0:LINES, 0:SAMPLES]
    latitude, longitude = small.positions(line, sample)
    assert np.abs(data.latitude.values - latitude).max() < 2e-6  # a fifth of a metre
    assert np.abs(data.longitude.values - longitude).max() < 4e-5
    np.testing.assert_allclose(data.incidence_angle, small.incidence(sample), atol=1e-5)
    assert data.attrs["ipf"] == "003.52" and data.attrs["satellite"] == "S1A"


def test_noise_can_be_kept_and_scaled(small_safe):
    kept, removed = sentinel1_grd.read(small_safe, is_denoised=False), sentinel1_grd.read(small_safe)
    np.testing.assert_allclose(kept.sigma0 - removed.sigma0, removed.nesz, rtol=2e-4)
    product = sentinel1_grd.open_product(small_safe)
    rows, columns = slice(0, LINES), slice(0, SAMPLES)
    plain = sentinel1_grd.radiometry(product, "HV").noise
    scaled = sentinel1_grd.radiometry(product, "HV", noise_scale={"EW1": 1.2227}).noise
    ratio = scaled.window(rows, columns) / plain.window(rows, columns)
    owner = plain.subswath(rows, columns)
    assert np.nanmax(np.abs(ratio[owner == 1] - 1.2227)) < 1e-12
    assert np.nanmax(np.abs(ratio[owner == 2] - 1.0)) < 1e-12
    with pytest.raises(UsageError, match="noise factors for EW9; expected some of EW1, EW2"):
        sentinel1_grd.radiometry(product, "HV", noise_scale={"EW9": 1.0})


@pytest.mark.parametrize("factor", [0.0, 1e-13])
def test_noise_of_zero_or_in_other_units_is_not_subtracted(tmp_path, factor):
    """IPF 2.36: nothing valid is lost, nothing is subtracted, and it is said."""
    small = Small(noise="before 2.9", noise_factor=factor, ipf="002.36")
    folder = write_safe(tmp_path / "x.SAFE", small, small_numbers(small))
    product = sentinel1_grd.open_product(folder)
    assert not sentinel1_grd.radiometry(product, "HH").is_noise_known
    data = sentinel1_grd.read(folder)
    inside = np.zeros((LINES, SAMPLES), bool)
    for _, top, bottom, left, right in BLOCKS:
        inside[top : bottom + 1, left : right + 1] = True
    inside[:, LAST_POSITIVE + 1 :] = False  # the image has no data there
    assert (np.isfinite(data.sigma0.values) == inside).all()
    assert np.isnan(data.nesz.values).all()


def test_the_largest_number_of_16_bits_is_no_power(tmp_path):
    """Its power may be any larger one; the pixel beside it is what it was."""
    small = Small()
    numbers = small_numbers(small)
    folder = write_safe(tmp_path / "x.SAFE", small, numbers)
    before = sentinel1_grd.read(folder).sigma0.values
    line, sample = np.argwhere(np.isfinite(before[0]))[1000]
    path = next(p for p in (folder / "measurement").iterdir() if "-hh-" in p.name)
    with rasterio.open(path) as held:
        image = held.read(1)
    image[line, sample] = 65535
    write_image(path, image)
    after = sentinel1_grd.read(folder).sigma0.values
    assert np.isnan(after[0, line, sample])
    after[0, line, sample] = before[0, line, sample]
    np.testing.assert_array_equal(after, before)


# What is where


def test_polarisation_and_swath_come_from_the_header_never_from_the_name(copy_of):
    """Files of HH are called hv and the other way round: contents decide, an image goes with its annotation."""
    wanted = sentinel1_grd.read(copy_of)
    for path in sorted(copy_of.rglob("*-hh-*")):
        other = path.with_name(path.name.replace("-hh-", "-hv-"))
        spare = path.with_name("spare")
        path.rename(spare), other.rename(path), spare.rename(other)
    found = sentinel1_grd.read(copy_of)
    assert list(found.channel.values) == ["HH", "HV"]
    np.testing.assert_array_equal(found.sigma0, wanted.sigma0)
    np.testing.assert_array_equal(found.nesz, wanted.nesz)


def test_plain_names_and_a_folder_of_any_name(copy_of):
    wanted = sentinel1_grd.read(copy_of)
    for path in [p for p in copy_of.rglob("*") if p.is_file() and p.name != "manifest.safe"]:
        channel = "hh" if "-hh-" in path.name else "hv"
        kind = next((f"{k}-" for k in ("calibration", "noise") if path.name.startswith(k)), "")
        path.rename(path.with_name(f"{kind}ew-{channel}{path.suffix}"))
    folder = copy_of.rename(copy_of.with_name("scene"))
    np.testing.assert_array_equal(sentinel1_grd.read(folder).sigma0, wanted.sigma0)


def test_images_that_only_the_manifest_links(copy_of):
    """Names that tell nothing: the manifest says which annotation describes which image."""
    wanted = sentinel1_grd.read(copy_of)
    objects, units = [], []
    for i, path in enumerate(sorted((copy_of / "measurement").iterdir())):
        path.rename(path.with_name(f"image{1 - i}.tiff"))
        name = path.with_suffix(".xml").name
        for key, place in (("a", f"annotation/{name}"), ("m", f"measurement/image{1 - i}.tiff")):
            where = f"<byteStream><fileLocation href='./{place}'/></byteStream>"
            objects.append(f"<dataObject ID='{key}{i}'>{where}</dataObject>")
        objects.append(f"<metadataObject ID='d{i}'><dataObjectPointer dataObjectID='a{i}'/></metadataObject>")
        units.append(f"<contentUnit dmdID='d{i} other'><dataObjectPointer dataObjectID='m{i}'/></contentUnit>")
    replace_in(copy_of / "manifest.safe", "</xfdu:XFDU>", "".join(objects + units) + "</xfdu:XFDU>")
    np.testing.assert_array_equal(sentinel1_grd.read(copy_of).sigma0, wanted.sigma0)


@pytest.mark.parametrize("method", [0, 8], ids=["stored", "deflated"])
def test_a_zip_archive_reads_as_its_folder(small_safe, tmp_path, method):
    archive = zipped(small_safe, tmp_path / "S1A_any.zip", method=method)
    product = sentinel1_grd.open_product(archive)
    assert product.product_id == "S1A_EW_small"
    assert sentinel1_grd.is_product(archive) and sentinel1_grd.is_product(small_safe)
    np.testing.assert_array_equal(sentinel1_grd.read(archive).sigma0, sentinel1_grd.read(small_safe).sigma0)


def test_the_cloud_optimised_variant(small_safe, tmp_path):
    small = Small(suffix="-cog.tiff", driver={"driver": "GTiff", "tiled": True, "blockxsize": 64, "blockysize": 64})
    small = replace(small, driver={"tiled": True, "blockxsize": 64, "blockysize": 64, "compress": "deflate"})
    folder = write_safe(tmp_path / "S1A_EW_small_COG.SAFE", small, small_numbers(small))
    np.testing.assert_array_equal(sentinel1_grd.read(folder).sigma0, sentinel1_grd.read(small_safe).sigma0)


def test_the_manifest_itself_may_be_given(small_safe):
    assert sentinel1_grd.open_product(small_safe / "manifest.safe").product_id == "S1A_EW_small"


@pytest.mark.real
@pytest.mark.parametrize(
    ("name", "satellite", "mode", "ipf", "channels", "known"),
    [
        (EW, "S1A", "EW", "003.52", ("HH", "HV"), True),
        (SM, "S1C", "SM", "003.90", ("HH",), True),
        (SLC, "S1A", "IW", "002.36", ("HH",), False),
    ],
)
def test_real_annotation_of_three_generations(name, satellite, mode, ipf, channels, known):
    product = sentinel1_grd.open_product(real_safe(name))
    assert (product.satellite, product.mode, product.ipf, product.channels) == (satellite, mode, ipf, channels)
    assert "measurement_missing" in [n.code for n in product.notes]
    for image in product.images:
        assert sentinel1_grd.radiometry_of(product, image).is_noise_known == known


@pytest.mark.real
def test_the_stripmap_product_has_no_azimuth_factor():
    """S1C, IPF 3.90: an empty list; range noise and A as they stand in the file."""
    product = sentinel1_grd.open_product(real_safe(SM))
    known = sentinel1_grd.radiometry(product, "HH")
    assert known.noise.azimuth_factor(*at(5000, 4000))[0, 0] == 1.0
    assert known.noise.range_noise(*at(0, 0))[0, 0] == pytest.approx(357.9577)
    assert known.noise.range_noise(*at(668, 40))[0, 0] == pytest.approx(345.0043)
    assert known.noise.range_noise(*at(334, 20))[0, 0] == pytest.approx(
        (357.9577 + 350.9828 + 351.8590 + 345.0043) / 4, rel=1e-4
    )


@pytest.mark.real
def test_facts_of_the_real_product(ew):
    product = ew[0]
    assert (product.absolute_orbit, product.relative_orbit, product.orbit_pass) == (46117, 20, "descending")
    assert product.shape == (10708, 10487) and product.spacing_m == (40.0, 40.0)
    assert str(product.start) == "2022-11-30T01:43:42.546629000"
    assert str(product.stop) == "2022-11-30T01:44:46.839082000"
    angle = product.incidence_angle([0.0, 10707.0], [0.0, 10486.0])
    assert angle[0, 0] == pytest.approx(18.8825, abs=1e-4)
    assert angle.max() == pytest.approx(46.4173, abs=1e-4)
    latitude, longitude = product.swath.positions(np.array([0]), np.array([0]))
    assert (latitude[0], longitude[0]) == pytest.approx((80.11403129619849, 102.7865159537966), abs=1e-9)
    assert product.land_share == pytest.approx(58 / 483)


def test_an_unknown_processor_is_read_and_said(tmp_path):
    small = Small(ipf="004.10", satellite="S1D")
    folder = write_safe(tmp_path / "x.SAFE", small, small_numbers(small))
    product = sentinel1_grd.open_product(folder)
    assert product.satellite == "S1D"
    assert [n.text for n in product.notes if n.code == "ipf_unknown"] == [
        "IPF 004.10 is newer than the processors that are known here; read as the newest of them"
    ]
    assert np.isfinite(sentinel1_grd.read(folder).sigma0.values).any()
    (folder / "manifest.safe").unlink()
    assert [n.code for n in sentinel1_grd.open_product(folder).notes] == ["ipf_unknown"]


def test_modes_and_channels_are_said(tmp_path):
    small = Small(mode="IW", channels=("VV", "VH"))
    folder = write_safe(tmp_path / "x.SAFE", small, {})
    product = sentinel1_grd.open_product(folder)
    assert product.channels == ("VV", "VH")  # co-polarised first
    assert {"mode", "measurement_missing"} <= {n.code for n in product.notes}
    one = write_safe(tmp_path / "y.SAFE", Small(channels=("HH",)), {})
    assert "one polarisation: HH" in [n.text for n in sentinel1_grd.open_product(one).notes]
    for path in (one / "annotation").glob("*.xml"):
        replace_in(path, "<height>1.0e-04", "<height>2.3e+02")
    assert "100% of the geolocation points lie on land or ice sheets" in [
        n.text for n in sentinel1_grd.open_product(one).notes
    ]


def test_points_that_end_before_the_image_are_continued(copy_of):
    """For one interval, in a straight line; not for more."""
    for path in (copy_of / "annotation").glob("*.xml"):
        replace_in(
            path,
            r"<geolocationGridPoint><azimuthTime>[^<]*</azimuthTime><line>119</line>.*?</geolocationGridPoint>",
            "",
        )
    product, small = sentinel1_grd.open_product(copy_of), Small()
    latitude, longitude = product.swath.positions(np.array([119]), np.array([80]))
    wanted = small.positions(119, 80)
    assert (latitude[0], longitude[0]) == pytest.approx((float(wanted[0]), float(wanted[1])), abs=4e-5)
    for path in (copy_of / "annotation").glob("*.xml"):
        replace_in(
            path, r"<geolocationGridPoint><azimuthTime>[^<]*</azimuthTime><line>80</line>.*?</geolocationGridPoint>", ""
        )
        replace_in(path, "<numberOfLines>120", "<numberOfLines>90")
    with pytest.raises(ProductError, match="geolocation points at lines 0 to 40 of 90; expected all"):
        _ = sentinel1_grd.open_product(copy_of).swath


# Bad input


def one_line(error: pytest.ExceptionInfo) -> str:
    text = str(error.value)
    assert "\n" not in text and "expected" in text
    return text


@pytest.mark.parametrize("kind", ["calibration", "noise"])
def test_missing_calibration_or_noise(copy_of, kind):
    inner(copy_of, kind, "HV").unlink()
    product = sentinel1_grd.open_product(copy_of)  # its annotation is still described
    assert f"{kind}_missing" in [n.code for n in product.notes]
    with pytest.raises(
        ProductError, match=f"the {kind} of HV is missing; expected an XML file of this polarisation"
    ) as e:
        sentinel1_grd.read(copy_of)
    one_line(e)


def test_a_missing_image(copy_of):
    next((copy_of / "measurement").glob("*-hv-*")).unlink()
    with pytest.raises(ProductError, match="the image of HV is missing; expected its GeoTIFF in measurement") as e:
        sentinel1_grd.read(copy_of)
    one_line(e)


@pytest.mark.parametrize("share", [0.001, 0.3, 0.97])
def test_a_cut_image(copy_of, share):
    path = next((copy_of / "measurement").glob("*-hv-*"))
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(ProductError, match="cannot be read") as e:
        sentinel1_grd.read(copy_of, window=((0, 10), (0, 10)))
    assert "-hv-" in one_line(e)


def test_an_image_of_another_size(copy_of):
    path = next((copy_of / "measurement").glob("*-hh-*"))
    write_image(path, np.ones((LINES, SAMPLES - 1), np.uint16))
    with pytest.raises(ProductError, match="120 x 159 pixels; expected 120 x 160") as e:
        sentinel1_grd.read(copy_of)
    one_line(e)


def test_a_cut_archive(small_safe, tmp_path):
    archive = zipped(small_safe, tmp_path / "x.zip")
    archive.write_bytes(archive.read_bytes()[:5000])
    with pytest.raises(ProductError, match=r"x\.zip: cannot be read as a zip archive .*, it may be cut") as e:
        sentinel1_grd.open_product(archive)
    one_line(e)


def test_an_slc_has_no_pixels_here(tmp_path):
    folder = write_safe(tmp_path / "x.SAFE", Small(product_type="SLC", mode="IW"), {})
    assert sentinel1_grd.open_product(folder).product_type == "SLC"
    with pytest.raises(ProductError, match=r"is SLC, complex or raw; expected a ground-range product \(GRD\)") as e:
        sentinel1_grd.read(folder)
    one_line(e)


@pytest.mark.parametrize(
    ("pattern", "by", "said"),
    [
        ("<latitude>[^<]*", "<latitude>nan", "20 of 20 geolocation points have no possible latitude"),
        ("<longitude>[^<]*", "<longitude>", "20 of 20 geolocation points have no possible latitude"),
        ("<incidenceAngle>[^<]*", "<incidenceAngle>-9", "geolocation points have no possible"),
        ("<line>40</line><pixel>0</pixel><latitude>[^<]*", "<line>40</line><pixel>0</pixel><latitude>0", "km apart"),
        ("<numberOfLines>120", "<numberOfLines>1e12", "numberOfLines holds 1e\\+12; expected a line or a sample"),
        ("<rangePixelSpacing>[^<]*", "<rangePixelSpacing>-40", "pixels of -40 x 40 m"),
        ("<latitude>[^<]*", "<latitude>north", "the geolocation grid holds words"),
        ("<pixel>40</pixel>", "<pixel>41</pixel>", None),
        (
            "<line>40</line><pixel>40</pixel>",
            "<line>40</line><pixel>41</pixel>",
            "20 geolocation points at 4 lines and 6",
        ),
        ("<numberOfLines>120", "<numberOfLines>many", "numberOfLines holds 'many'; expected numbers"),
        ("<numberOfSamples>160</numberOfSamples>", "", "numberOfSamples is missing"),
        ("<polarisation>H.</polarisation>", "", "adsHeader/polarisation is missing"),
        ("<startTime>[^<]*", "<startTime>yesterday", "'yesterday'; expected a time in UTC"),
        ("</product>", "", "cannot be read as XML"),
        (r"<geolocationGridPoint>.*</geolocationGridPoint>", "", "has no points with line and pixel"),
    ],
)
def test_damaged_annotation(copy_of, pattern, by, said):
    for path in (copy_of / "annotation").glob("*.xml"):
        replace_in(path, pattern, by)
    if said is None:
        assert sentinel1_grd.open_product(copy_of).channels == ("HH", "HV")
        return
    with pytest.raises(ProductError, match=said.replace("(", r"\(")) as e:
        sentinel1_grd.open_product(copy_of)
    one_line(e)


@pytest.mark.parametrize(
    ("kind", "pattern", "by", "said"),
    [
        ("noise", "<noiseRangeVectorList>.*</noiseRangeVectorList>", "", "holds no range noise vector"),
        ("noise", "<noiseRangeLut>[^ ]* ", "<noiseRangeLut>", "the vector at line 0 has .* pixels and .* values"),
        ("noise", "<noiseRangeLut>[^ ]* ", "<noiseRangeLut>nan ", "noiseRangeLut holds 1 values that are not finite"),
        ("noise", "<firstAzimuthLine>[^<]*", "<firstAzimuthLine>1e300", "firstAzimuthLine holds 1e\\+300"),
        ("noise", "<noiseAzimuthLut>[^ ]* ", "<noiseAzimuthLut>", "an azimuth noise vector has"),
        ("calibration", "<sigmaNought>[^ ]* ", "<sigmaNought>0 ", "values of 0 or below"),
        ("calibration", "<calibrationVectorList>.*</calibrationVectorList>", "", "0 sigmaNought vectors"),
        ("calibration", "<calibration>", "<!DOCTYPE x><calibration>", "declares entities"),
    ],
)
def test_damaged_calibration_and_noise(copy_of, kind, pattern, by, said):
    replace_in(inner(copy_of, kind, "HV"), pattern, by)
    with pytest.raises(ProductError, match=said) as e:
        sentinel1_grd.read(copy_of)
    one_line(e)


def test_what_is_no_product(tmp_path, small_safe):
    empty = tmp_path / "S1A_EW_GRDM_empty.SAFE"
    empty.mkdir()
    with pytest.raises(ProductError, match="holds no annotation") as e:
        sentinel1_grd.open_product(empty)
    one_line(e)
    outer = tmp_path / "outer"
    shutil.copytree(small_safe, outer / small_safe.name)
    with pytest.raises(ProductError, match=f"Name {small_safe.name} in it") as e:
        sentinel1_grd.open_product(outer)
    one_line(e)
    with pytest.raises(ProductError, match="no such file or folder") as e:
        sentinel1_grd.open_product(tmp_path / "nothing.SAFE")
    one_line(e)
    text = tmp_path / "x.txt"
    text.write_text("no archive")
    with pytest.raises(ProductError, match="cannot be read as a zip archive") as e:
        sentinel1_grd.open_product(text)
    one_line(e)
    assert not sentinel1_grd.is_product(text) and not sentinel1_grd.is_product(tmp_path)
    with pytest.raises(UsageError, match="has no channel VV; found HH, HV"):
        sentinel1_grd.radiometry(sentinel1_grd.open_product(small_safe), "VV")
